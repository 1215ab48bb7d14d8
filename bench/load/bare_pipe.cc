// The bare pipe: what one thread can do at most. Receive, compare the checksum, patch the base
// offset, append to the page cache, acknowledge; send from the page cache. No replication, no
// groups, no recovery, no limits: no broker, but the ceiling that a broker on this machine is held
// against.
//
//   bare_pipe --directory DIR [--port P] [--crc fold|chain|none] [--preallocate yes|no]
//   [--congestion cubic]
//
// Serves ApiVersions 0, Metadata 1-4, Produce 3-8, ListOffsets 1, Fetch 4 and DeleteTopics 1.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>

#include "../../native/gen/messages.h"
#include "connection.h"
#include "pipe_log.h"

namespace ottla::load {
namespace {

constexpr size_t kSendfileFrom = 16 << 10;
constexpr size_t kBufferBytes = 1 << 20;
constexpr int kEventsMax = 256;
constexpr int16_t kUnsupportedVersion = 35;
constexpr int16_t kCorruptMessage = 2;

struct Api {
  int16_t key, min, max;
};
constexpr Api kServed[] = {{gen::kProduceKey, 3, 8},     {gen::kFetchKey, 4, 4},
                           {gen::kListOffsetsKey, 1, 1}, {gen::kMetadataKey, 1, 4},
                           {gen::kApiVersionsKey, 0, 0}, {gen::kDeleteTopicsKey, 1, 1}};

// Bytes, then a part of a file.
struct Piece {
  std::vector<uint8_t> bytes;
  size_t sent = 0;
  int fd = -1;
  off_t at = 0;
  size_t left = 0;
};

struct Client {
  int fd = -1;
  std::vector<uint8_t> in = std::vector<uint8_t>(kBufferBytes);
  size_t have = 0;
  std::deque<Piece> out;
  bool waits_to_write = false;
  std::vector<uint8_t> parked;  // a fetch that found nothing yet
  int64_t parked_until_ms = 0;
};

class Pipe {
 public:
  explicit Pipe(const PipeOptions& options) : options_(options), topics_(options) {}
  bool listen();
  void go();

 private:
  void accept();
  bool receive(Client& client);
  void handle(Client& client, uint8_t* frame, size_t bytes);
  bool fetch(Client& client, Bytes frame, bool is_due);
  void produce(ByteReader& in, int16_t version, Client& client, std::vector<uint8_t>* out);
  void versions(int16_t version, std::vector<uint8_t>* out);
  void metadata(ByteReader& in, int16_t version, std::vector<uint8_t>* out);
  void list_offsets(ByteReader& in, std::vector<uint8_t>* out);
  void delete_topics(ByteReader& in, std::vector<uint8_t>* out);
  void answer(Client& client, std::deque<Piece> pieces);
  bool flush(Client& client);
  void wake();
  void drop(Client& client);

  const PipeOptions& options_;
  PipeTopics topics_;
  int listener_ = -1, epoll_ = -1, port_ = 0;
  std::map<int, std::unique_ptr<Client>> clients_;
  std::vector<Client*> parked_;
  bool appended_ = false;
};

bool Pipe::listen() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  const std::string& congestion = options_.congestion;
  if (!congestion.empty() && setsockopt(listener_, IPPROTO_TCP, TCP_CONGESTION, congestion.c_str(),
                                        static_cast<socklen_t>(congestion.size())) != 0) {
    std::perror("bare pipe: congestion control");
    return false;
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(options_.port));
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, generic, length) != 0 || ::listen(listener_, 4096) != 0) {
    std::perror("bare pipe: listen");
    return false;
  }
  getsockname(listener_, generic, &length);
  port_ = ntohs(address.sin_port);
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{EPOLLIN, {.ptr = nullptr}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
  std::printf("bare pipe listens on 127.0.0.1:%d\n", port_);
  std::fflush(stdout);
  return true;
}

void Pipe::accept() {
  for (int fd; (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    auto client = std::make_unique<Client>();
    client->fd = fd;
    epoll_event event{EPOLLIN, {.ptr = client.get()}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    clients_[fd] = std::move(client);
  }
}

void Pipe::drop(Client& client) {
  std::erase(parked_, &client);
  ::close(client.fd);
  clients_.erase(client.fd);
}

bool Pipe::receive(Client& client) {
  auto& in = client.in;
  const ssize_t got = recv(client.fd, in.data() + client.have, in.size() - client.have, 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  client.have += static_cast<size_t>(got);
  size_t at = 0;
  while (client.have - at >= 4) {
    const size_t length = load_u32(in.data() + at);
    if (client.have - at - 4 < length) {
      std::memmove(in.data(), in.data() + at, client.have - at);
      client.have -= at;
      at = 0;
      if (length + 4 > in.size()) in.resize(length + 4 + kBufferBytes);
      return true;
    }
    handle(client, in.data() + at + 4, length);
    at += 4 + length;
  }
  if (client.have > at) std::memmove(in.data(), in.data() + at, client.have - at);
  client.have -= at;
  return true;
}

std::vector<uint8_t> begin_answer(int32_t correlation) {
  std::vector<uint8_t> out(8);
  store_i32(out.data() + 4, correlation);
  return out;
}

void put(std::vector<uint8_t>* out, const uint8_t* from, const uint8_t* end) {
  out->insert(out->end(), from, end);
}
void put32(std::vector<uint8_t>* out, int32_t value) {
  uint8_t bytes[4];
  put(out, bytes, gen::put_i32(bytes, value));
}
void put16(std::vector<uint8_t>* out, int16_t value) {
  uint8_t bytes[2];
  put(out, bytes, gen::put_i16(bytes, value));
}
void put64(std::vector<uint8_t>* out, int64_t value) {
  uint8_t bytes[8];
  put(out, bytes, gen::put_i64(bytes, value));
}
void put_text(std::vector<uint8_t>* out, std::string_view text) {
  put16(out, static_cast<int16_t>(text.size()));
  out->insert(out->end(), text.begin(), text.end());
}

void Pipe::handle(Client& client, uint8_t* frame, size_t bytes) {
  ByteReader in(Bytes(frame, bytes));
  gen::RequestHeader header;
  if (!header.read(in, 1)) return;
  const int16_t version = header.request_api_version;
  std::vector<uint8_t> out = begin_answer(header.correlation_id);
  switch (header.request_api_key) {
    case gen::kFetchKey:
      if (!fetch(client, {frame, bytes}, false)) parked_.push_back(&client);
      return;
    case gen::kProduceKey:
      return produce(in, version, client, &out);
    case gen::kApiVersionsKey:
      versions(version, &out);
      break;
    case gen::kMetadataKey:
      metadata(in, version, &out);
      break;
    case gen::kListOffsetsKey:
      list_offsets(in, &out);
      break;
    case gen::kDeleteTopicsKey:
      delete_topics(in, &out);
      break;
    default:
      std::fprintf(stderr, "bare pipe: api %d is not served\n", header.request_api_key);
      return;
  }
  std::deque<Piece> pieces;
  pieces.push_back({std::move(out)});
  answer(client, std::move(pieces));
}

void Pipe::versions(int16_t version, std::vector<uint8_t>* out) {
  put16(out, version > 0 ? kUnsupportedVersion : int16_t{0});
  put32(out, static_cast<int32_t>(std::size(kServed)));
  for (const Api& api : kServed) {
    put16(out, api.key);
    put16(out, api.min);
    put16(out, api.max);
  }
}

void Pipe::metadata(ByteReader& in, int16_t version, std::vector<uint8_t>* out) {
  if (version >= 3) put32(out, 0);
  put32(out, 1);
  put32(out, 1);
  put_text(out, "127.0.0.1");
  put32(out, port_);
  put16(out, -1);
  if (version >= 2) put_text(out, "bare-pipe");
  put32(out, 1);
  const int32_t count = std::max(in.i32(), 0);
  put32(out, count);
  for (int32_t i = 0; i < count && in.ok(); ++i) {
    const std::string_view name = gen::read_string(in, false, false);
    const size_t partitions = topics_.get(name).size();
    put16(out, 0);
    put_text(out, name);
    out->push_back(0);
    put32(out, static_cast<int32_t>(partitions));
    for (size_t p = 0; p < partitions; ++p) {
      put16(out, 0);
      put32(out, static_cast<int32_t>(p));
      for (const int32_t value : {1, 1, 1, 1, 1}) put32(out, value);  // leader, replicas, in sync
    }
  }
}

void Pipe::list_offsets(ByteReader& in, std::vector<uint8_t>* out) {
  in.skip(4);
  const int32_t topics = std::max(in.i32(), 0);
  put32(out, topics);
  for (int32_t t = 0; t < topics && in.ok(); ++t) {
    const std::string_view name = gen::read_string(in, false, false);
    std::vector<PipeLog>& logs = topics_.get(name);
    put_text(out, name);
    const int32_t partitions = in.i32();
    put32(out, partitions);
    for (int32_t i = 0; i < partitions && in.ok(); ++i) {
      const auto p = static_cast<size_t>(in.i32());
      const int64_t when = in.i64();
      put32(out, static_cast<int32_t>(p));
      put16(out, 0);
      put64(out, -1);
      put64(out, when == -2 || p >= logs.size() ? 0 : logs[p].next_offset());
    }
  }
}

void Pipe::delete_topics(ByteReader& in, std::vector<uint8_t>* out) {
  put32(out, 0);
  const int32_t count = std::max(in.i32(), 0);
  put32(out, count);
  for (int32_t i = 0; i < count && in.ok(); ++i) {
    const std::string_view name = gen::read_string(in, false, false);
    topics_.remove(name);
    put_text(out, name);
    put16(out, 0);
  }
}

void Pipe::produce(ByteReader& in, int16_t version, Client& client, std::vector<uint8_t>* out) {
  gen::ProduceRequest request;
  if (!request.read(in, version)) return;
  gen::VectorSink sink(*out);
  gen::ProduceResponse response;
  response.responses.count = request.topic_data.count;
  response.write_to_responses(sink, version);
  gen::ProduceRequest::TopicData topic;
  gen::ProduceRequest::PartitionData data;
  while (request.topic_data.next(&topic)) {
    std::vector<PipeLog>& logs = topics_.get(topic.name);
    gen::ProduceResponse::Response answered;
    answered.name = topic.name;
    answered.partition_responses.count = topic.partition_data.count;
    answered.write_to_partition_responses(sink, version);
    while (topic.partition_data.next(&data)) {
      auto* batches = const_cast<uint8_t*>(data.records.data());  // in the client's own buffer
      PipeLog& log = logs[static_cast<size_t>(data.index) % logs.size()];
      gen::ProduceResponse::PartitionResponse partition;
      partition.index = data.index;
      partition.base_offset = log.append(batches, data.records.size(), options_);
      partition.error_code = partition.base_offset < 0 ? kCorruptMessage : int16_t{0};
      partition.write_to_record_errors(sink, version);
      partition.write_rest(sink, version);
    }
    answered.write_rest(sink, version);
  }
  response.write_rest(sink, version, {});
  appended_ = true;
  if (request.acks == 0) return;
  std::deque<Piece> pieces;
  pieces.push_back({std::move(*out)});
  answer(client, std::move(pieces));
}

// False when there is nothing to give yet: it is kept in client.parked.
bool Pipe::fetch(Client& client, Bytes frame, bool is_due) {
  ByteReader in(frame);
  gen::RequestHeader header;
  gen::FetchRequest request;
  if (!header.read(in, 1) || !request.read(in, header.request_api_version)) return true;
  const int16_t version = header.request_api_version;
  std::deque<Piece> pieces;
  pieces.push_back({begin_answer(header.correlation_id)});
  gen::VectorSink start(pieces.back().bytes);
  gen::FetchResponse response;
  response.responses.count = request.topics.count;
  response.write_to_responses(start, version);
  gen::FetchRequest::Topic topic;
  gen::FetchRequest::Partition wanted;
  size_t found = 0;
  auto budget = static_cast<size_t>(request.max_bytes);
  for (auto topics = request.topics; topics.next(&topic);) {
    std::vector<PipeLog>& logs = topics_.get(topic.topic);
    gen::FetchResponse::Response answered;
    answered.topic = topic.topic;
    answered.partitions.count = topic.partitions.count;
    gen::VectorSink head(pieces.back().bytes);
    answered.write_to_partitions(head, version);
    while (topic.partitions.next(&wanted)) {
      const PipeLog& log = logs[static_cast<size_t>(wanted.partition) % logs.size()];
      const auto most = std::min(static_cast<size_t>(wanted.partition_max_bytes), budget);
      const PipeLog::Range range = log.find(wanted.fetch_offset, most);
      gen::VectorSink part(pieces.back().bytes);
      gen::FetchResponse::Partition partition;
      partition.partition_index = wanted.partition;
      partition.high_watermark = partition.last_stable_offset = log.next_offset();
      partition.aborted_transactions.count = 0;
      partition.write_to_aborted_transactions(part, version);
      partition.write_to_records(part, version, static_cast<int32_t>(range.bytes));
      found += range.bytes;
      budget -= range.bytes;
      if (range.bytes >= kSendfileFrom) {
        pieces.back().fd = log.fd();
        pieces.back().at = range.at;
        pieces.back().left = range.bytes;
        pieces.emplace_back();
      } else if (range.bytes > 0) {
        auto& bytes = pieces.back().bytes;
        bytes.resize(bytes.size() + range.bytes);
        uint8_t* to = bytes.data() + bytes.size() - range.bytes;
        if (pread(log.fd(), to, range.bytes, range.at) < 0) std::perror("bare pipe: pread");
      }
    }
  }
  if (found == 0 && !is_due && request.max_wait_ms > 0) {
    client.parked.assign(frame.begin(), frame.end());
    client.parked_until_ms = now_ns() / 1'000'000 + request.max_wait_ms;
    return false;
  }
  answer(client, std::move(pieces));
  return true;
}

void Pipe::answer(Client& client, std::deque<Piece> pieces) {
  size_t bytes = 0;
  for (const Piece& piece : pieces) bytes += piece.bytes.size() + piece.left;
  store_u32(pieces.front().bytes.data(), static_cast<uint32_t>(bytes - 4));
  for (Piece& piece : pieces) client.out.push_back(std::move(piece));
  flush(client);
}

bool Pipe::flush(Client& client) {
  bool is_blocked = false;
  while (!client.out.empty() && !is_blocked) {
    Piece& piece = client.out.front();
    while (piece.sent < piece.bytes.size() && !is_blocked) {
      const int more = MSG_NOSIGNAL | (piece.left > 0 ? MSG_MORE : 0);
      const ssize_t n =
          send(client.fd, piece.bytes.data() + piece.sent, piece.bytes.size() - piece.sent, more);
      n < 0 ? void(is_blocked = true) : void(piece.sent += static_cast<size_t>(n));
    }
    while (piece.left > 0 && !is_blocked) {
      const ssize_t n = sendfile(client.fd, piece.fd, &piece.at, piece.left);
      n <= 0 ? void(is_blocked = true) : void(piece.left -= static_cast<size_t>(n));
    }
    if (!is_blocked) client.out.pop_front();
  }
  if (client.waits_to_write != is_blocked) {
    client.waits_to_write = is_blocked;
    epoll_event event{EPOLLIN | (is_blocked ? EPOLLOUT : 0u), {.ptr = &client}};
    epoll_ctl(epoll_, EPOLL_CTL_MOD, client.fd, &event);
  }
  return !is_blocked;
}

void Pipe::wake() {
  if (parked_.empty()) return;
  const int64_t now_ms = now_ns() / 1'000'000;
  std::vector<Client*> waiting;
  waiting.swap(parked_);
  for (Client* client : waiting) {
    const bool is_due = now_ms >= client->parked_until_ms;
    const int64_t until = client->parked_until_ms;
    if (!appended_ && !is_due) {
      parked_.push_back(client);
      continue;
    }
    const std::vector<uint8_t> frame = std::move(client->parked);
    if (fetch(*client, frame, is_due)) continue;
    client->parked_until_ms = until;
    parked_.push_back(client);
  }
}

void Pipe::go() {
  epoll_event events[kEventsMax];
  for (;;) {
    const int ready = epoll_wait(epoll_, events, kEventsMax, parked_.empty() ? 1000 : 5);
    appended_ = false;
    for (int i = 0; i < ready; ++i) {
      auto* client = static_cast<Client*>(events[i].data.ptr);
      if (client == nullptr) {
        accept();
        continue;
      }
      if ((events[i].events & EPOLLOUT) != 0) flush(*client);
      if ((events[i].events & ~EPOLLOUT) != 0 && !receive(*client)) drop(*client);
    }
    wake();
  }
}

bool choose_crc(std::string_view name, PipeOptions* options) {
  options->checks_crc = name != "none";
  if (name == "fold") options->crc = crc32c_kind();
  if (name == "chain") options->crc = Crc32cKind::kChain;
  return name == "none" || name == "fold" || (name == "chain" && crc32c_supported(options->crc));
}

}  // namespace
}  // namespace ottla::load

int main(int argc, char** argv) {
  ottla::load::PipeOptions options;
  options.crc = ottla::crc32c_kind();
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i], value = argv[i + 1];
    bool is_known = true;
    if (name == "--directory") {
      options.directory = value;
    } else if (name == "--port") {
      options.port = std::atoi(argv[i + 1]);
    } else if (name == "--preallocate") {
      options.preallocate = value == "yes";
    } else if (name == "--congestion") {
      options.congestion = value;
    } else {
      is_known = name == "--crc" && ottla::load::choose_crc(value, &options);
    }
    if (is_known) continue;
    std::fprintf(stderr, "bare pipe: unknown, or not possible here: %s %s\n", argv[i], argv[i + 1]);
    return 2;
  }
  if (options.directory.empty()) {
    std::fprintf(stderr, "bare pipe: --directory DIR is needed\n");
    return 2;
  }
  ottla::load::Pipe pipe(options);
  if (!pipe.listen()) return 1;
  pipe.go();
}
