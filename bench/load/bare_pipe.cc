// The bare pipe: what one thread can do at most. Receive, compare the checksum, patch the base
// offset, append to the page cache, acknowledge; send from the page cache, small reads at the tail
// from memory. A turn of the loop has one receive per client, one write per partition and one send
// per client. No replication, no groups, no recovery, no limits: no broker, but the ceiling that a
// broker on this machine is held against.
//
//   bare_pipe --directory DIR [--port P] [--crc fold|chain|none] [--preallocate yes|no]
//   [--congestion cubic]
//
// Serves ApiVersions 0, Metadata 1-4, Produce 3-8, ListOffsets 1, Fetch 4 and DeleteTopics 1.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "../../native/gen/messages.h"
#include "connection.h"
#include "pipe_client.h"
#include "pipe_log.h"

namespace ottla::load {
namespace {

constexpr size_t kSendfileFrom = 16 << 10;
constexpr int kEventsMax = 256;
constexpr int16_t kUnsupportedVersion = 35;
constexpr int16_t kCorruptMessage = 2;

struct Api {
  int16_t key, min, max;
};
constexpr Api kServed[] = {{gen::kProduceKey, 3, 8},     {gen::kFetchKey, 4, 4},
                           {gen::kListOffsetsKey, 1, 1}, {gen::kMetadataKey, 1, 4},
                           {gen::kApiVersionsKey, 0, 0}, {gen::kDeleteTopicsKey, 1, 1}};

class Pipe {
 public:
  explicit Pipe(const PipeOptions& options) : options_(options), topics_(options) {}
  bool listen();
  void go();

 private:
  void accept();
  void handle(PipeClient& client, uint8_t* frame, size_t bytes);
  bool fetch(PipeClient& client, Bytes frame, bool is_due);
  bool produce(ByteReader& in, int16_t version, std::vector<uint8_t>* out);
  void versions(int16_t version, std::vector<uint8_t>* out);
  void metadata(ByteReader& in, int16_t version, std::vector<uint8_t>* out);
  void list_offsets(ByteReader& in, std::vector<uint8_t>* out);
  void delete_topics(ByteReader& in, std::vector<uint8_t>* out);
  void answered(PipeClient& client);
  void commit();
  void flush(PipeClient& client);
  int wake();
  void drop(PipeClient& client);

  const PipeOptions& options_;
  PipeTopics topics_;
  int listener_ = -1, epoll_ = -1, port_ = 0;
  std::map<int, std::unique_ptr<PipeClient>> clients_;
  std::vector<PipeClient*> parked_;
  std::vector<PipeClient*> waiting_;
  // Of this turn.
  std::vector<PipeLog*> staged_;
  std::vector<PipeClient*> answered_;
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
    auto client = std::make_unique<PipeClient>(fd);
    epoll_event event{EPOLLIN, {.ptr = client.get()}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    clients_[fd] = std::move(client);
  }
}

void Pipe::drop(PipeClient& client) {
  std::erase(parked_, &client);
  std::erase(answered_, &client);
  clients_.erase(client.fd());
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

void Pipe::handle(PipeClient& client, uint8_t* frame, size_t bytes) {
  ByteReader in(Bytes(frame, bytes));
  gen::RequestHeader header;
  if (!header.read(in, 1)) return;
  const int16_t version = header.request_api_version;
  if (header.request_api_key == gen::kFetchKey) {
    commit();  // what came before it in this turn can be read
    if (fetch(client, {frame, bytes}, false)) return;
    client.parked.assign(frame, frame + bytes);
    client.is_parked = true;
    parked_.push_back(&client);
    return;
  }
  client.begin(header.correlation_id);
  std::vector<uint8_t>* out = &client.out();
  bool is_answered = true;
  switch (header.request_api_key) {
    case gen::kProduceKey:
      is_answered = produce(in, version, out);
      break;
    case gen::kApiVersionsKey:
      versions(version, out);
      break;
    case gen::kMetadataKey:
      metadata(in, version, out);
      break;
    case gen::kListOffsetsKey:
      list_offsets(in, out);
      break;
    case gen::kDeleteTopicsKey:
      commit();
      delete_topics(in, out);
      break;
    default:
      std::fprintf(stderr, "bare pipe: api %d is not served\n", header.request_api_key);
      is_answered = false;
  }
  if (!is_answered) return client.forget();
  client.end();
  answered(client);
}

void Pipe::answered(PipeClient& client) {
  if (client.has_answers) return;
  client.has_answers = true;
  answered_.push_back(&client);
}

// Everything staged reaches its file before anybody hears that it was appended.
void Pipe::commit() {
  for (PipeLog* log : staged_) log->commit(options_);
  staged_.clear();
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

// False when nobody waits for an answer.
bool Pipe::produce(ByteReader& in, int16_t version, std::vector<uint8_t>* out) {
  gen::ProduceRequest request;
  if (!request.read(in, version)) return false;
  gen::VectorSink sink(*out);
  gen::ProduceResponse response;
  response.responses.count = request.topic_data.count;
  response.write_to_responses(sink, version);
  gen::ProduceRequest::TopicData topic;
  gen::ProduceRequest::PartitionData data;
  while (request.topic_data.next(&topic)) {
    std::vector<PipeLog>& logs = topics_.get(topic.name);
    gen::ProduceResponse::Response told;
    told.name = topic.name;
    told.partition_responses.count = topic.partition_data.count;
    told.write_to_partition_responses(sink, version);
    while (topic.partition_data.next(&data)) {
      auto* batches = const_cast<uint8_t*>(data.records.data());  // in the client's own buffer
      PipeLog& log = logs[static_cast<size_t>(data.index) % logs.size()];
      const bool was_staged = log.is_staged();
      gen::ProduceResponse::PartitionResponse partition;
      partition.index = data.index;
      partition.base_offset = log.stage(batches, data.records.size(), options_);
      partition.error_code = partition.base_offset < 0 ? kCorruptMessage : int16_t{0};
      partition.write_to_record_errors(sink, version);
      partition.write_rest(sink, version);
      if (!was_staged && log.is_staged()) staged_.push_back(&log);
    }
    told.write_rest(sink, version);
  }
  response.write_rest(sink, version, {});
  appended_ = true;
  return request.acks != 0;
}

// False when there is nothing to give yet.
bool Pipe::fetch(PipeClient& client, Bytes frame, bool is_due) {
  ByteReader in(frame);
  gen::RequestHeader header;
  gen::FetchRequest request;
  if (!header.read(in, 1) || !request.read(in, header.request_api_version)) return true;
  const int16_t version = header.request_api_version;
  client.begin(header.correlation_id);
  std::vector<uint8_t>& out = client.out();
  gen::VectorSink sink(out);
  gen::FetchResponse response;
  response.responses.count = request.topics.count;
  response.write_to_responses(sink, version);
  gen::FetchRequest::Topic topic;
  gen::FetchRequest::Partition wanted;
  size_t found = 0;
  auto budget = static_cast<size_t>(request.max_bytes);
  for (auto topics = request.topics; topics.next(&topic);) {
    std::vector<PipeLog>& logs = topics_.get(topic.topic);
    gen::FetchResponse::Response told;
    told.topic = topic.topic;
    told.partitions.count = topic.partitions.count;
    told.write_to_partitions(sink, version);
    while (topic.partitions.next(&wanted)) {
      const PipeLog& log = logs[static_cast<size_t>(wanted.partition) % logs.size()];
      const auto most = std::min(static_cast<size_t>(wanted.partition_max_bytes), budget);
      const PipeLog::Range range = log.find(wanted.fetch_offset, most);
      gen::FetchResponse::Partition partition;
      partition.partition_index = wanted.partition;
      partition.high_watermark = partition.last_stable_offset = log.next_offset();
      partition.aborted_transactions.count = 0;
      partition.write_to_aborted_transactions(sink, version);
      partition.write_to_records(sink, version, static_cast<int32_t>(range.bytes));
      found += range.bytes;
      budget -= range.bytes;
      if (range.bytes >= kSendfileFrom) {
        client.send_file(log.fd(), range.at, range.bytes);
      } else if (range.bytes > 0) {
        out.resize(out.size() + range.bytes);
        log.read(range, out.data() + out.size() - range.bytes);
      }
    }
  }
  if (found == 0 && !is_due && request.max_wait_ms > 0) {
    client.forget();
    if (!client.is_parked) client.parked_until_ms = now_ns() / 1'000'000 + request.max_wait_ms;
    return false;
  }
  client.end();
  answered(client);
  return true;
}

void Pipe::flush(PipeClient& client) {
  const bool is_blocked = !client.flush();
  if (client.waits_to_write == is_blocked) return;
  client.waits_to_write = is_blocked;
  epoll_event event{EPOLLIN | (is_blocked ? EPOLLOUT : 0u), {.ptr = &client}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, client.fd(), &event);
}

// Milliseconds until somebody has waited long enough; -1 when nobody waits.
int Pipe::wake() {
  if (parked_.empty()) return -1;
  const int64_t now_ms = now_ns() / 1'000'000;
  int64_t next_ms = INT64_MAX;
  waiting_.swap(parked_);
  for (PipeClient* client : waiting_) {
    const bool is_due = now_ms >= client->parked_until_ms;
    if ((appended_ || is_due) && fetch(*client, client->parked, is_due)) {
      client->is_parked = false;
      continue;
    }
    next_ms = std::min(next_ms, client->parked_until_ms);
    parked_.push_back(client);
  }
  waiting_.clear();
  return parked_.empty() ? -1 : static_cast<int>(std::max<int64_t>(next_ms - now_ms, 1));
}

void Pipe::go() {
  epoll_event events[kEventsMax];
  int wait_ms = -1;
  for (;;) {
    const int ready = epoll_wait(epoll_, events, kEventsMax, wait_ms);
    appended_ = false;
    for (int i = 0; i < ready; ++i) {
      auto* client = static_cast<PipeClient*>(events[i].data.ptr);
      if (client == nullptr) {
        accept();
        continue;
      }
      if ((events[i].events & EPOLLOUT) != 0) flush(*client);
      if ((events[i].events & ~EPOLLOUT) == 0) continue;
      const auto on_frame = [&](uint8_t* frame, size_t bytes) { handle(*client, frame, bytes); };
      if (!client->receive(on_frame)) drop(*client);
    }
    commit();
    wait_ms = wake();
    for (PipeClient* client : answered_) {
      client->has_answers = false;
      flush(*client);
    }
    answered_.clear();
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
