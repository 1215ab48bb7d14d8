// The parts of the load generator that a wrong figure could come from: the histogram, stamps, the
// batches' bytes.
#include <cmath>
#include <cstring>

#include "../../test/native/test.h"
#include "batch.h"
#include "histogram.h"
#include "options.h"
#include "run.h"
#include "wire.h"

namespace ottla::load {
namespace {

TEST("histogram: small values are exact, large ones within one part in a thousand") {
  for (uint64_t value = 0; value < 2048; ++value) {
    CHECK_EQ(Histogram::highest_of(Histogram::index_of(value)), value);
  }
  for (uint64_t value = 2048; value <= Histogram::kValueMax; value += value / 97 + 1) {
    const uint64_t highest = Histogram::highest_of(Histogram::index_of(value));
    CHECK(highest >= value);
    CHECK(highest - value <= value / 1000);
  }
}

TEST("histogram: neighbouring buckets do not overlap and leave no gap") {
  for (size_t i = 1; i < Histogram::index_of(Histogram::kValueMax); ++i) {
    CHECK_EQ(Histogram::index_of(Histogram::highest_of(i - 1) + 1), i);
  }
}

TEST("histogram: percentiles are ranks") {
  Histogram histogram;
  for (int value = 1; value <= 1000; ++value) histogram.record(value);
  CHECK_EQ(histogram.at(0.5), 500u);
  CHECK_EQ(histogram.at(0.99), 990u);
  CHECK_EQ(histogram.at(0.999), 999u);
  CHECK_EQ(histogram.at(1), 1000u);
  CHECK_EQ(histogram.at(0), 1u);
  CHECK_EQ(histogram.count(), 1000u);
  CHECK_EQ(histogram.mean(), 500.5);
}

TEST("histogram: sums of two, values out of range, none at all") {
  Histogram a, b;
  CHECK_EQ(a.at(0.99), 0u);
  a.record(10);
  b.record(INT64_MAX);
  b.record(-5);
  a.add(b);
  CHECK_EQ(a.count(), 3u);
  CHECK_EQ(a.min(), 0u);
  CHECK_EQ(a.max(), Histogram::kValueMax);
  CHECK_EQ(a.at(1), Histogram::kValueMax);
}

std::vector<uint8_t> stamped(const BatchTemplate& batch, const Sending& sending) {
  std::vector<uint8_t> bytes(batch.bytes().begin(), batch.bytes().end());
  batch.stamp(bytes.data(), sending);
  return bytes;
}

TEST("batch: what is stamped is read back, record by record") {
  const BatchTemplate batch({.records = 200, .message_bytes = 100, .key_bytes = 8});
  const auto bytes =
      stamped(batch, {.stream = 7, .batch = 3, .due_ns = 5000, .record_interval_ns = 10});
  Bytes left = bytes;
  BatchView view;
  REQUIRE(next_batch(&left, &view) == Next::kBatch);
  CHECK_EQ(view.records, 200);
  CHECK_EQ(view.last_offset_delta, 199);
  uint64_t sequence = 600;
  int64_t due = 5000 - 199 * 10;
  CHECK(each_stamp(view, [&](const Stamp& stamp) {
    CHECK_EQ(stamp.stream, 7u);
    CHECK_EQ(stamp.sequence, sequence++);
    CHECK_EQ(stamp.due_ns, due);
    due += 10;
  }));
  CHECK_EQ(sequence, 800u);
  CHECK(next_batch(&left, &view) == Next::kEnd);
}

TEST("batch: a flipped bit is corrupt, a cut one is the end") {
  const BatchTemplate batch({.records = 3, .message_bytes = 40});
  auto bytes = stamped(batch, {});
  BatchView view;
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    Bytes part(bytes.data(), cut);
    CHECK(next_batch(&part, &view) == Next::kEnd);
  }
  bytes[bytes.size() - 2] ^= 1;
  Bytes all = bytes;
  CHECK(next_batch(&all, &view) == Next::kCorrupt);
}

TEST("batch: compressed ones are smaller and carry their number in the timestamp") {
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    const BatchTemplate batch({.records = 64, .message_bytes = 1024, .codec = codec});
    CHECK(batch.bytes().size() < 64 * 1024 / 2);
    const auto bytes = stamped(batch, {.batch = 9, .epoch_ms = 1000});
    Bytes left = bytes;
    BatchView view;
    REQUIRE(next_batch(&left, &view) == Next::kBatch);
    CHECK(view.codec == codec);
    CHECK_EQ(view.base_timestamp, 1009);
    std::vector<uint8_t> records;
    CHECK_OK(decompress(codec, view.bytes.subspan(kBatchHeaderBytes), 1 << 20, &records));
  }
}

TEST("options: a generator spins in an open loop, and in a closed one where it is asked to") {
  const BatchTemplate batch({});
  const auto spins = [&](double interval_ns, std::vector<const char*> more) {
    std::vector<const char*> words = {"load", "--bootstrap", "h:1", "--topic", "t"};
    words.insert(words.end(), more.begin(), more.end());
    Options options;
    std::string problem;
    const auto count = static_cast<int>(words.size());
    CHECK(parse_options(count, const_cast<char**>(words.data()), &options, &problem));
    const Cluster cluster;
    Run run(options, cluster, batch);
    run.batch_interval_ns = interval_ns;
    return run.spins();
  };
  constexpr double kOpen = 1000, kClosed = 0;
  CHECK(spins(kOpen, {}));
  CHECK(!spins(kOpen, {"--spin", "no"}));
  CHECK(!spins(kClosed, {}));
  CHECK(!spins(kClosed, {"--spin", "yes"}));
  CHECK(spins(kClosed, {"--spin-closed", "yes"}));
}

TEST("group: what is missing, doubled or out of order is noticed") {
  Group group;
  group.saw(2, 0, 5);
  group.saw(2, 5, 5);
  CHECK_EQ(group.missing + group.duplicates, 0);
  group.saw(2, 12, 1);
  CHECK_EQ(group.missing, 2);
  group.saw(2, 11, 1);
  CHECK_EQ(group.duplicates, 1);
}

TEST("wire: a produce request is read by the broker's own reader at every version") {
  const BatchTemplate batch({.records = 2, .message_bytes = 50});
  for (int16_t version = gen::ProduceRequest::kVersionMin;
       version <= gen::ProduceRequest::kVersionMax; ++version) {
    const ProduceFrame frame = produce_frame({"topic", {}}, version, -1, batch.bytes(), 3);
    ByteReader in(Bytes(frame.bytes).subspan(4));
    gen::RequestHeader header;
    gen::ProduceRequest request;
    gen::ProduceRequest::TopicData topic;
    gen::ProduceRequest::PartitionData partition;
    REQUIRE(header.read(in, gen::request_header_version(gen::kProduceKey, version)));
    REQUIRE(request.read(in, version));
    CHECK_EQ(in.left(), 0u);
    CHECK_EQ(header.client_id, kClientId);
    REQUIRE(request.topic_data.next(&topic));
    CHECK_EQ(topic.partition_data.count, 3);
    for (const ProduceFrame::Part& part : frame.parts) {
      REQUIRE(topic.partition_data.next(&partition));
      CHECK_EQ(partition.records.size(), batch.bytes().size());
      CHECK(partition.records.data() == frame.bytes.data() + part.batch_at);
    }
    CHECK_EQ(load_u32(frame.bytes.data()), frame.bytes.size() - 4);
  }
}

TEST("options: security is reserved, nonsense is refused") {
  const auto parse = [](std::vector<const char*> words, std::string* problem) {
    Options options;
    words.insert(words.begin(), "load");
    return parse_options(static_cast<int>(words.size()), const_cast<char**>(words.data()), &options,
                         problem);
  };
  std::string problem;
  CHECK(parse({"--bootstrap", "a:1", "--topic", "t", "--security", "plaintext"}, &problem));
  CHECK(!parse({"--bootstrap", "a:1", "--topic", "t", "--sasl-mechanism", "PLAIN"}, &problem));
  CHECK(problem.find("TLS and SASL are not built") != std::string::npos);
  CHECK(!parse({"--bootstrap", "a:1", "--topic", "t", "--rate", "fast"}, &problem));
  CHECK(!parse({"--bootstrap", "a:1", "--topic", "t", "--message-bytes", "10"}, &problem));
  CHECK(!parse({"--topic", "t"}, &problem));
}

}  // namespace
}  // namespace ottla::load

RUN_TESTS()
