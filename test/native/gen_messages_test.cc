// The generated cursors against Kafka's bytes: frames of test/golden/protocol/native_frames.bin,
// which Apache Kafka's own classes encoded, are read, written again from what was read, and must be
// the same bytes. Then the same frames cut at every byte and with every bit turned: refused or
// read, never worse.
#include "../../native/gen/messages.h"

#include <cstdio>
#include <string>
#include <vector>

#include "../../native/gen/errors.h"
#include "test.h"

namespace {

using namespace ottla;
using namespace ottla::gen;

// The order of NATIVE_MESSAGES in src/cli/gen_messages.ts.
enum class Kind : uint8_t {
  kRequestHeader,
  kResponseHeader,
  kProduceRequest,
  kProduceResponse,
  kFetchRequest,
  kFetchResponse,
  kOffsetForLeaderEpochRequest,
  kOffsetForLeaderEpochResponse,
};
constexpr int kKinds = 8;

struct Frame {
  Kind kind;
  int16_t version;
  std::vector<uint8_t> bytes;
};

std::vector<Frame> load_frames() {
  const std::string here = __FILE__;
  const std::string path =
      here.substr(0, here.rfind('/')) + "/../golden/protocol/native_frames.bin";
  std::vector<uint8_t> all;
  if (std::FILE* file = std::fopen(path.c_str(), "rb")) {
    uint8_t block[4096];
    for (size_t got; (got = std::fread(block, 1, sizeof block, file)) > 0;) {
      all.insert(all.end(), block, block + got);
    }
    std::fclose(file);
  }
  std::vector<Frame> frames;
  ByteReader in{Bytes(all)};
  while (in.left() > 0) {
    const auto kind = static_cast<Kind>(in.u8());
    const int16_t version = in.u8();
    const Bytes bytes = in.take(in.u32());
    if (!in.ok()) return {};
    frames.push_back({kind, version, {bytes.begin(), bytes.end()}});
  }
  return frames;
}

template <typename T>
std::vector<T> elements(Array<T> array) {
  std::vector<T> all;
  for (T element; array.next(&element);) all.push_back(element);
  return all;
}

void put(std::vector<uint8_t>& out, Bytes bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

int32_t length_of(Bytes bytes) {
  return bytes.data() == nullptr ? -1 : static_cast<int32_t>(bytes.size());
}

bool rewrite(const RequestHeader& header, int16_t v, std::vector<uint8_t>& out) {
  VectorSink sink(out);
  return header.write(sink, v);
}

bool rewrite(const ResponseHeader& header, int16_t v, std::vector<uint8_t>& out) {
  VectorSink sink(out);
  return header.write(sink, v);
}

bool rewrite(const ProduceRequest& request, int16_t v, std::vector<uint8_t>& out) {
  VectorSink sink(out);
  bool ok = request.write_to_topic_data(sink, v);
  for (const auto& topic : elements(request.topic_data)) {
    ok = ok && topic.write_to_partition_data(sink, v);
    for (const auto& partition : elements(topic.partition_data)) {
      ok = ok && partition.write_to_records(sink, v, length_of(partition.records));
      put(out, partition.records);
      ok = ok && partition.write_rest(sink, v);
    }
    ok = ok && topic.write_rest(sink, v);
  }
  return ok && request.write_rest(sink, v);
}

bool rewrite(const ProduceResponse& response, int16_t v, std::vector<uint8_t>& out) {
  VectorSink sink(out);
  bool ok = response.write_to_responses(sink, v);
  for (const auto& topic : elements(response.responses)) {
    ok = ok && topic.write_to_partition_responses(sink, v);
    for (const auto& partition : elements(topic.partition_responses)) {
      ok = ok && partition.write_to_record_errors(sink, v);
      for (const auto& error : elements(partition.record_errors)) ok = ok && error.write(sink, v);
      ok = ok && partition.write_rest(sink, v);
    }
    ok = ok && topic.write_rest(sink, v);
  }
  return ok && response.write_rest(sink, v, elements(response.node_endpoints));
}

bool rewrite(const FetchRequest& request, int16_t v, std::vector<uint8_t>& out) {
  VectorSink sink(out);
  bool ok = request.write_to_topics(sink, v);
  for (const auto& topic : elements(request.topics)) {
    ok = ok && topic.write_to_partitions(sink, v);
    for (const auto& partition : elements(topic.partitions)) ok = ok && partition.write(sink, v);
    ok = ok && topic.write_rest(sink, v);
  }
  ok = ok && request.write_to_forgotten_topics_data(sink, v);
  for (const auto& topic : elements(request.forgotten_topics_data)) {
    ok = ok && topic.write(sink, v, elements(topic.partitions));
  }
  return ok && request.write_rest(sink, v);
}

bool rewrite(const FetchResponse& response, int16_t v, std::vector<uint8_t>& out) {
  VectorSink sink(out);
  bool ok = response.write_to_responses(sink, v);
  for (const auto& topic : elements(response.responses)) {
    ok = ok && topic.write_to_partitions(sink, v);
    for (const auto& partition : elements(topic.partitions)) {
      ok = ok && partition.write_to_aborted_transactions(sink, v);
      for (const auto& aborted : elements(partition.aborted_transactions)) {
        ok = ok && aborted.write(sink, v);
      }
      ok = ok && partition.write_to_records(sink, v, length_of(partition.records));
      put(out, partition.records);
      ok = ok && partition.write_rest(sink, v);
    }
    ok = ok && topic.write_rest(sink, v);
  }
  return ok && response.write_rest(sink, v, elements(response.node_endpoints));
}

template <typename Message>
bool rewrite_epochs(const Message& message, int16_t v, std::vector<uint8_t>& out) {
  VectorSink sink(out);
  bool ok = message.write_to_topics(sink, v);
  for (const auto& topic : elements(message.topics)) {
    ok = ok && topic.write_to_partitions(sink, v);
    for (const auto& partition : elements(topic.partitions)) ok = ok && partition.write(sink, v);
    ok = ok && topic.write_rest(sink, v);
  }
  return ok && message.write_rest(sink, v);
}
bool rewrite(const OffsetForLeaderEpochRequest& m, int16_t v, std::vector<uint8_t>& out) {
  return rewrite_epochs(m, v, out);
}
bool rewrite(const OffsetForLeaderEpochResponse& m, int16_t v, std::vector<uint8_t>& out) {
  return rewrite_epochs(m, v, out);
}

// Reads a frame; true when it is well-formed to its last byte. `again` gets it written anew.
template <typename Message>
bool reread_as(Bytes bytes, int16_t version, std::vector<uint8_t>* again) {
  ByteReader in(bytes);
  Message message;
  if (!message.read(in, version) || in.left() > 0) return false;
  return rewrite(message, version, *again);
}

bool reread(Kind kind, int16_t version, Bytes bytes, std::vector<uint8_t>* again) {
  switch (kind) {
    case Kind::kRequestHeader:
      return reread_as<RequestHeader>(bytes, version, again);
    case Kind::kResponseHeader:
      return reread_as<ResponseHeader>(bytes, version, again);
    case Kind::kProduceRequest:
      return reread_as<ProduceRequest>(bytes, version, again);
    case Kind::kProduceResponse:
      return reread_as<ProduceResponse>(bytes, version, again);
    case Kind::kFetchRequest:
      return reread_as<FetchRequest>(bytes, version, again);
    case Kind::kFetchResponse:
      return reread_as<FetchResponse>(bytes, version, again);
    case Kind::kOffsetForLeaderEpochRequest:
      return reread_as<OffsetForLeaderEpochRequest>(bytes, version, again);
    case Kind::kOffsetForLeaderEpochResponse:
      return reread_as<OffsetForLeaderEpochResponse>(bytes, version, again);
  }
  return false;
}

const std::vector<Frame>& frames() {
  static const std::vector<Frame> all = load_frames();
  return all;
}

// A copy of exactly the bytes, so that a sanitizer sees the first step outside.
std::vector<uint8_t> first(const Frame& frame, size_t bytes) {
  return {frame.bytes.begin(), frame.bytes.begin() + static_cast<std::ptrdiff_t>(bytes)};
}

}  // namespace

TEST("gen: messages: the corpus has every message") {
  bool seen[kKinds] = {};
  for (const Frame& frame : frames()) seen[static_cast<int>(frame.kind)] = true;
  for (const bool was_seen : seen) CHECK(was_seen);
}

TEST("gen: messages: Kafka's frames are read and written to the same bytes") {
  for (const Frame& frame : frames()) {
    std::vector<uint8_t> again;
    CHECK(reread(frame.kind, frame.version, frame.bytes, &again));
    CHECK(again == frame.bytes);
  }
}

TEST("gen: messages: a frame cut anywhere is malformed") {
  for (const Frame& frame : frames()) {
    for (size_t bytes = 0; bytes < frame.bytes.size(); ++bytes) {
      std::vector<uint8_t> again;
      CHECK(!reread(frame.kind, frame.version, first(frame, bytes), &again));
    }
  }
}

TEST("gen: messages: turned bits are refused or read, within the frame") {
  for (const Frame& frame : frames()) {
    for (size_t bit = 0; bit < frame.bytes.size() * 8; bit += 3) {
      std::vector<uint8_t> turned = frame.bytes;
      turned[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
      std::vector<uint8_t> again;
      if (reread(frame.kind, frame.version, turned, &again)) {
        CHECK(again.size() <= turned.size() * 2 + 64);  // longer forms of a number are legal
      }
    }
  }
}

TEST("gen: messages: two hundred thousand mutated frames are refused or read") {
  uint64_t state = 88172645463325252;  // xorshift: the same frames on every run
  const auto below = [&state](size_t limit) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<size_t>(state % limit);
  };
  int read = 0;
  for (int i = 0; i < 200000; ++i) {
    const Frame& frame = frames()[below(frames().size())];
    std::vector<uint8_t> bytes = frame.bytes;
    for (size_t changes = below(4); changes > 0 && !bytes.empty(); --changes) {
      const size_t at = below(bytes.size());
      const size_t kind = below(4);
      if (kind == 0) bytes[at] ^= static_cast<uint8_t>(1u << below(8));
      if (kind == 1) bytes[at] = 0xff;
      if (kind == 2) bytes.resize(at);
      if (kind == 3) bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    }
    bytes.shrink_to_fit();
    std::vector<uint8_t> again;
    const auto version = below(50) == 0 ? static_cast<int16_t>(below(20)) : frame.version;
    if (reread(frame.kind, version, bytes, &again)) ++read;
  }
  CHECK(read > 20000);
  CHECK(read < 180000);
}

TEST("gen: messages: an absurd count is refused before the first element") {
  // FetchRequest 4: replica, wait, min, max, isolation, then the count of topics.
  std::vector<uint8_t> bytes(17 + 4, 0);
  store_i32(bytes.data() + 17, INT32_MAX);
  ByteReader in{Bytes(bytes)};
  FetchRequest request;
  CHECK(!request.read(in, 4));
  store_i32(bytes.data() + 17, -1);  // null where null is not legal
  ByteReader again{Bytes(bytes)};
  CHECK(!request.read(again, 4));
  store_i32(bytes.data() + 17, 0);
  ByteReader empty{Bytes(bytes)};
  CHECK(request.read(empty, 4));
}

TEST("gen: messages: versions outside of the table are refused") {
  std::vector<uint8_t> bytes(64, 0);
  for (const int version : {-1, 3, 19, INT16_MAX}) {
    ByteReader in{Bytes(bytes)};
    FetchRequest request;
    CHECK(!request.read(in, static_cast<int16_t>(version)));
  }
}

TEST("gen: messages: fields that a version lacks have their defaults") {
  std::vector<uint8_t> bytes(21, 0);
  ByteReader in{Bytes(bytes)};
  FetchRequest request;
  request.session_epoch = 7;
  CHECK(request.read(in, 4));
  CHECK_EQ(request.session_epoch, -1);
  CHECK_EQ(request.replica_state.replica_id, -1);
  CHECK_EQ(FetchRequest::Partition{}.high_watermark, INT64_MAX);
}

TEST("gen: messages: a writer without room says so and writes nothing") {
  uint8_t room[8];
  SpanSink sink(MutableBytes(room, sizeof room));
  ProduceResponse::PartitionResponse partition;
  CHECK(!partition.write_to_record_errors(sink, 9));
  CHECK(sink.end() == room);
}

TEST("gen: messages: header versions follow the api, and ApiVersions answers in the oldest") {
  CHECK_EQ(request_header_version(kProduceKey, 8), 1);
  CHECK_EQ(request_header_version(kProduceKey, 9), 2);
  CHECK_EQ(response_header_version(kProduceKey, 9), 1);
  CHECK_EQ(request_header_version(kApiVersionsKey, 3), 2);
  CHECK_EQ(response_header_version(kApiVersionsKey, 3), 0);
  CHECK_EQ(request_header_version(1234, 9), 1);
}

TEST("gen: messages: a request header is read by the api it names") {
  // Fetch 12, correlation 5, client "ab", no tags.
  const uint8_t bytes[] = {0, 1, 0, 12, 0, 0, 0, 5, 0, 2, 'a', 'b', 0};
  ByteReader in{Bytes(bytes, sizeof bytes)};
  RequestHeader header;
  CHECK(read_request_header(in, &header));
  CHECK_EQ(header.correlation_id, 5);
  CHECK(header.client_id == "ab");
  CHECK_EQ(in.left(), size_t{0});
  ByteReader cut{Bytes(bytes, 3)};
  CHECK(!read_request_header(cut, &header));
}

TEST("gen: errors: codes are Kafka's") {
  CHECK_EQ(wire(ErrorCode::kUnknownServerError), -1);
  CHECK_EQ(wire(ErrorCode::kNotLeaderOrFollower), 6);
  CHECK_EQ(wire(ErrorCode::kFencedLeaderEpoch), 74);
}

RUN_TESTS()
