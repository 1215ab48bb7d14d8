// Partition: verbs, and what it remembers when it is opened again.
#include "../../native/log/files.h"
#include "../../native/log/producer_snapshot.h"
#include "request_fixture.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

struct Appended {
  ProduceOp op;
  std::vector<uint8_t> bytes;
  bool is_done = false;
};

// The append verb; the answer once nothing moves.
std::unique_ptr<Appended> append_own(Node& node, int32_t slot, int32_t epoch,
                                     const std::vector<std::vector<uint8_t>>& batches) {
  auto appended = std::make_unique<Appended>();
  for (const auto& batch : batches) {
    appended->bytes.insert(appended->bytes.end(), batch.begin(), batch.end());
  }
  appended->op.records = appended->bytes.data();
  appended->op.records_bytes = static_cast<int32_t>(appended->bytes.size());
  appended->op.leader_epoch = epoch;
  appended->op.context = appended.get();
  appended->op.done = [](ProduceOp* op, PartitionHost&) {
    static_cast<Appended*>(op->context)->is_done = true;
  };
  node.partition(slot).append(&appended->op, node.at(node.partition(slot).owner()));
  node.run();
  return appended;
}

ErrorCode error_of(const std::unique_ptr<Appended>& appended) { return appended->op.refusal.error; }

void reopen(Node& node, int32_t slot, bool is_clean,
            std::function<void(PartitionOptions*)> change = nullptr) {
  node.partition(slot).retire(node.at(0), false, is_clean);
  node.run();
  REQUIRE(node.partition(slot).is_quiet());
  node.partitions.erase(slot);
  CHECK_OK(node.open(slot, "t", 0, [&](PartitionOptions* o) {
    o->is_clean_shutdown = is_clean;
    if (change) change(o);
  }));
}

int32_t produce_sequence(Node& node, int64_t producer, int32_t sequence) {
  return static_cast<int32_t>(
      produce(node, {9, 1, 1000, {{"t", 0, sequenced(node, producer, 0, sequence)}}, ""}).error());
}

TEST("partition: producers survive a clean stop and a crash") {
  for (const bool is_clean : {true, false}) {
    Node node;
    node.simple_topic();
    for (int32_t i = 0; i < 7; i += 1) CHECK_EQ(produce_sequence(node, 5, i), 0);
    reopen(node, 0, is_clean);
    CHECK_EQ(node.partition(0).producers().count(), 1u);
    CHECK(node.lead(0, 4, {1}, {1}));
    CHECK_EQ(produce(node, {9, 1, 1000, {{"t", 0, sequenced(node, 5, 0, 6)}}, ""}).offset(), 6);
    // A snapshot keeps the last batch of each; a replay finds five.
    CHECK_EQ(
        produce_sequence(node, 5, 4),
        static_cast<int32_t>(is_clean ? ErrorCode::kOutOfOrderSequenceNumber : ErrorCode::kNone));
    CHECK_EQ(produce_sequence(node, 5, 9),
             static_cast<int32_t>(ErrorCode::kOutOfOrderSequenceNumber));
    CHECK_EQ(produce_sequence(node, 5, 7), 0);
  }
}

TEST("partition: a snapshot is taken where a segment begins, without what lies behind") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) { o->config.log.segment_bytes_max = 400; });
  // All in one turn: the roll comes in the middle of a gathered append.
  for (int32_t i = 0; i < 8; i += 1) {
    (void)node.at(0).produce(
        9, encode(ProduceBody{9, 1, 1000, {{"t", 0, sequenced(node, 5, 0, i)}}, ""}));
  }
  node.run();
  const int64_t base = node.partition(0).log().active_base_offset();
  CHECK(base > 0);
  std::vector<ProducerSnapshotEntry> rows;
  CHECK_OK(read_producer_snapshot(node.at(0).io(), "/data/t-0", base, &rows));
  REQUIRE(rows.size() == 1);
  CHECK_EQ(rows[0].last_offset, base - 1);
  CHECK_EQ(rows[0].last_sequence, static_cast<int32_t>(base - 1));
}

TEST("partition: producers idle for too long are forgotten") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) { o->producer_expiration_ms = 1000; });
  CHECK_EQ(produce_sequence(node, 5, 0), 0);
  node.advance_ms(61'000);
  node.partition(0).maintain(node.at(0));
  CHECK_EQ(node.partition(0).producers().count(), 0u);
  CHECK_EQ(produce_sequence(node, 5, 77), 0);
}

TEST("partition: own batches on a leader get offsets and its epoch, many at a time") {
  Node node;
  node.simple_topic();
  auto appended = append_own(node, 0, 3, {batch_of(node, 2), batch_of(node, 3)});
  CHECK(appended->is_done);
  CHECK_EQ(error_of(appended), ErrorCode::kNone);
  CHECK_EQ(appended->op.base_offset, 0);
  CHECK_EQ(appended->op.last_offset, 4);
  CHECK_EQ(node.partition(0).high_watermark(), 5);
  CHECK_EQ(error_of(append_own(node, 0, 2, {batch_of(node, 1)})), ErrorCode::kFencedLeaderEpoch);
  CHECK_EQ(error_of(append_own(node, 0, 4, {batch_of(node, 1)})), ErrorCode::kUnknownLeaderEpoch);
  auto broken = batch_of(node, 1);
  broken.back() ^= 1;
  CHECK_EQ(error_of(append_own(node, 0, 3, {batch_of(node, 1), broken})),
           ErrorCode::kCorruptMessage);
  CHECK_EQ(error_of(append_own(node, 0, 3, {})), ErrorCode::kCorruptMessage);
  CHECK_EQ(node.partition(0).log_end_offset(), 5);
  CHECK_EQ(node.partition(0).truncate(node.at(0), 3, 2), ErrorCode::kNotLeaderOrFollower);
  CHECK_OK(node.open(1, "u", 0));
  CHECK_EQ(error_of(append_own(node, 1, -1, {batch_of(node, 1)})), ErrorCode::kNotLeaderOrFollower);
}

TEST("partition: followers keep offsets and epochs, and truncate by them") {
  Node node;
  node.simple_topic();
  CHECK(node.partition(0).follow(node.at(0), 4, 2));
  CHECK_EQ(error_of(append_own(node, 0, 4, {sized_batch(0, 10, 1, 2), sized_batch(1, 10, 1, 2)})),
           ErrorCode::kNone);
  CHECK_EQ(error_of(append_own(node, 0, 4, {sized_batch(1, 10, 1, 2)})),
           ErrorCode::kOffsetOutOfRange);
  CHECK_EQ(error_of(append_own(node, 0, 4, {sized_batch(2, 10, 1, 4), sized_batch(3, 10, 1, 4)})),
           ErrorCode::kNone);
  CHECK_EQ(node.partition(0).high_watermark(), 0);
  const auto epoch_end = [&](int64_t epoch, int64_t* end) {
    int64_t found = 0, c = 0;
    CHECK_EQ(node.partition(0).look_up(node.at(0), lookup::kEpochEnd, epoch, end, &found, &c),
             ErrorCode::kNone);
    return found;
  };
  int64_t end = 0;
  CHECK_EQ(epoch_end(2, &end), 2);
  CHECK_EQ(end, 2);
  CHECK_EQ(epoch_end(3, &end), 2);
  CHECK_EQ(epoch_end(4, &end), 4);
  CHECK_EQ(end, 4);
  CHECK_EQ(epoch_end(5, &end), -1);
  CHECK_EQ(node.partition(0).truncate(node.at(0), 3, 2), ErrorCode::kFencedLeaderEpoch);
  CHECK_EQ(node.partition(0).truncate(node.at(0), 5, 2), ErrorCode::kUnknownLeaderEpoch);
  CHECK_EQ(node.partition(0).truncate(node.at(0), 4, 2), ErrorCode::kNone);
  CHECK_EQ(node.partition(0).log_end_offset(), 2);
  CHECK_EQ(epoch_end(4, &end), -1);
  CHECK_EQ(error_of(append_own(node, 0, 4, {sized_batch(2, 10, 1, 4)})), ErrorCode::kNone);
  CHECK(node.lead(0, 6, {1}, {1}));
  CHECK_EQ(node.partition(0).high_watermark(), 3);
  CHECK_EQ(epoch_end(6, &end), 6);
}

TEST("partition: truncation looks at the end of the log, and remembers whoever wrote before it") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) { o->config.log.segment_bytes_max = 4 << 20; });
  CHECK_EQ(produce_sequence(node, 5, 0), 0);
  BatchOptions options;
  options.producer_id = 6;
  options.producer_epoch = 0;
  constexpr int32_t kLarge = 28;
  for (int32_t i = 0; i < kLarge; i += 1) {
    options.base_sequence = i;
    const auto batch =
        make_batch({{node.world.wall_ms(), std::string(900'000, 'x'), false, ""}}, options);
    CHECK_EQ(produce(node, {9, 1, 1000, {{"t", 0, batch}}, ""}).error(), ErrorCode::kNone);
  }
  CHECK(node.partition(0).follow(node.at(0), 4, 2));
  SimRule rule;
  rule.op = SimOp::kRead;
  rule.path_contains = "00000000000000000000.log";
  rule.count = UINT64_MAX;
  node.world.add_rule(rule);
  CHECK_EQ(node.partition(0).truncate(node.at(0), 4, kLarge), ErrorCode::kNone);
  REQUIRE(node.partition(0).producers().find(5) != nullptr);
  CHECK_EQ(node.partition(0).producers().find(5)->last_sequence(), 0);
  CHECK_EQ(node.partition(0).producers().find(6)->last_sequence(), kLarge - 2);
  CHECK(node.partition(0).producers().find(6)->batch_count == 5);
}

TEST(
    "partition: files of segments that are gone, and of deleted partitions, go after their "
    "delays") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) {
    o->config.log.segment_bytes_max = 300;
    o->config.file_delete_delay_ms = 60000;
    o->config.directory_delete_delay_ms = 5000;
  });
  for (int32_t i = 0; i < 20; i += 1) CHECK_EQ(produce_sequence(node, 5, i), 0);
  FakeReactor& reactor = node.at(0);
  Partition& partition = node.partition(0);
  reactor.holds_doomed = true;
  const auto marked = [&](const std::string& directory) {
    std::vector<std::string> names;
    if (!reactor.io().list(directory, &names).ok()) return -1;
    return static_cast<int>(std::count_if(names.begin(), names.end(), [](const auto& name) {
      return name.find(kDeletedSuffix) != std::string::npos || name.find("-delete") != name.npos;
    }));
  };
  CHECK_EQ(partition.trim(reactor, 18), ErrorCode::kNone);
  CHECK(marked("/data/t-0") >= 3);
  CHECK_EQ(marked("/data/t-0"), static_cast<int>(reactor.doomed.size()));
  CHECK_EQ(reactor.doomed[0].second, 60000);
  reactor.unlink_doomed();
  CHECK_EQ(marked("/data/t-0"), 0);
  partition.retire(reactor, true, true);
  CHECK(!partition.is_quiet());
  node.run();
  CHECK(partition.is_quiet());  // its name is free
  CHECK_EQ(marked("/data"), 1);
  REQUIRE(reactor.doomed.size() == 1);
  CHECK_EQ(reactor.doomed[0].second, 5000);
  reactor.unlink_doomed();
  CHECK_EQ(marked("/data"), 0);
}

TEST("partition: truncation forgets what producers had written there") {
  Node node;
  node.simple_topic();
  for (int32_t i = 0; i < 4; i += 1) CHECK_EQ(produce_sequence(node, 5, i), 0);
  CHECK(node.partition(0).follow(node.at(0), 4, 2));
  CHECK_EQ(node.partition(0).truncate(node.at(0), 4, 2), ErrorCode::kNone);
  CHECK_EQ(node.partition(0).high_watermark(), 2);
  CHECK_EQ(node.partition(0).producers().find(5)->last_sequence(), 1);
  CHECK(node.lead(0, 5, {1}, {1}));
  CHECK_EQ(produce_sequence(node, 5, 2), 0);
}

TEST("partition: raft: its own offsets, its own watermark, a snapshot in the place of records") {
  Node node;
  CHECK_OK(node.open(0, "t", 0, [](PartitionOptions* o) {
    o->is_raft = true;
    o->is_watched = true;
  }));
  CHECK(node.lead(0, 1, {1}, {1}));
  Partition& log = node.partition(0);
  CHECK_EQ(error_of(append_own(node, 0, 1, {sized_batch(0, 10, 1, 1), sized_batch(1, 10, 1, 1)})),
           ErrorCode::kNone);
  CHECK_EQ(log.high_watermark(), 0);
  CHECK(!log.set_high_watermark(node.at(0), 0, 1));
  CHECK(log.set_high_watermark(node.at(0), 1, 1));
  CHECK_EQ(log.high_watermark(), 1);
  CHECK(log.set_high_watermark(node.at(0), 1, 99));
  CHECK_EQ(log.high_watermark(), 2);
  CHECK(log.set_high_watermark(node.at(0), 1, 1));
  CHECK_EQ(log.high_watermark(), 2);
  CHECK_EQ(log.trim(node.at(0), 1), ErrorCode::kNone);
  CHECK_EQ(log.log_start_offset(), 1);
  CHECK_EQ(log.trim(node.at(0), 50), ErrorCode::kNone);
  CHECK_EQ(log.log_start_offset(), 50);
  CHECK_EQ(log.log_end_offset(), 50);
  CHECK_EQ(log.high_watermark(), 50);
  CHECK_EQ(error_of(append_own(node, 0, 1, {sized_batch(50, 10, 1, 1)})), ErrorCode::kNone);
  CHECK_EQ(log.log_end_offset(), 51);
}

TEST("partition: trim moves the start up to the watermark and no further") {
  Node node;
  node.simple_topic();
  CHECK_EQ(produce(node, {9, 1, 1000, {{"t", 0, batch_of(node, 5)}}, ""}).error(),
           ErrorCode::kNone);
  CHECK_EQ(node.partition(0).trim(node.at(0), 6), ErrorCode::kOffsetOutOfRange);
  CHECK_EQ(node.partition(0).trim(node.at(0), 4), ErrorCode::kNone);
  CHECK_EQ(node.partition(0).trim(node.at(0), 2), ErrorCode::kNone);
  CHECK_EQ(node.partition(0).log_start_offset(), 4);
}

TEST("partition: lookups by time see the whole log") {
  Node node;
  node.simple_topic(0, "t",
                    [](PartitionOptions* o) { o->config.timestamp_after_max_ms = INT64_MAX; });
  const int64_t now = node.world.wall_ms();
  const std::vector<TestRecord> records = {
      {now, "a", false, ""}, {now + 20, "b", false, ""}, {now + 10, "c", false, ""}};
  CHECK_EQ(produce(node, {9, 1, 1000, {{"t", 0, make_batch(records)}}, ""}).error(),
           ErrorCode::kNone);
  int64_t offset = 0, time = 0, epoch = 0;
  CHECK_EQ(
      node.partition(0).look_up(node.at(0), lookup::kTimestamp, now + 5, &offset, &time, &epoch),
      ErrorCode::kNone);
  CHECK_EQ(offset, 1);
  CHECK_EQ(time, now + 20);
  CHECK_EQ(epoch, 3);
  CHECK_EQ(node.partition(0).look_up(node.at(0), lookup::kMaxTimestamp, 0, &offset, &time, &epoch),
           ErrorCode::kNone);
  CHECK_EQ(offset, 1);
  CHECK_EQ(
      node.partition(0).look_up(node.at(0), lookup::kTimestamp, now + 21, &offset, &time, &epoch),
      ErrorCode::kNone);
  CHECK_EQ(offset, -1);
}

TEST("partition: the shared row agrees with itself, and is zero once the slot is given up") {
  Node node;
  alignas(8) double cells[kPartitionColumns] = {};
  double row[kPartitionColumns] = {};
  node.simple_topic(0, "t", [&](PartitionOptions* o) {
    o->row = cells;
    o->incarnation = 9;
  });
  CHECK_EQ(produce(node, {9, 1, 1000, {{"t", 0, sequenced(node, 5, 0, 0, 3)}}, ""}).error(),
           ErrorCode::kNone);
  const SequencedRow reader(cells, kPartitionColumns);
  REQUIRE(reader.read(row));
  CHECK_EQ(row[column::kLogEndOffset], 3.0);
  CHECK_EQ(row[column::kHighWatermark], 3.0);
  CHECK_EQ(row[column::kLeaderEpoch], 3.0);
  CHECK_EQ(row[column::kIsLeader], 1.0);
  CHECK_EQ(row[column::kIncarnation], 9.0);
  CHECK_EQ(row[column::kSegments], 1.0);
  CHECK_EQ(row[column::kProducers], 1.0);
  CHECK_EQ(row[column::kMessagesIn], 3.0);
  CHECK(row[column::kBytes] > 0);
  std::vector<uint8_t> dump;
  node.partition(0).dump_producers(&dump);
  REQUIRE(dump.size() == 48);
  double producer_id = 0;
  std::memcpy(&producer_id, dump.data(), 8);
  CHECK_EQ(producer_id, 5.0);
  node.partition(0).retire(node.at(0), true, true);
  REQUIRE(reader.read(row));
  for (size_t c = 1; c < kPartitionColumns; c += 1) CHECK_EQ(row[c], 0.0);
  node.run();
  FileInfo info;
  CHECK_EQ(node.at(0).io().stat("/data/t-0", &info).code, Code::kNotFound);
  node.partitions.clear();
}

TEST("partition: retiring while a write is under way waits for it") {
  Node node;
  node.simple_topic();
  node.world.submit_latency_us = 5000;
  const uint32_t sent =
      node.at(0).produce(9, encode(ProduceBody{9, 1, 1000, {{"t", 0, batch_of(node, 1)}}, ""}));
  node.run();
  node.partition(0).retire(node.at(0), false, true);
  CHECK(!node.partition(0).is_quiet());
  node.advance_ms(5);
  CHECK(node.partition(0).is_quiet());
  CHECK(produce_answer(node.at(0), sent, 9).is_answered);
}

TEST("partition: flush.messages and flush.ms sync the log") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) { o->config.flush_messages = 2; });
  node.simple_topic(1, "u", [](PartitionOptions* o) { o->config.flush_ms = 1000; });
  const auto put = [&](const std::string& topic) {
    CHECK_EQ(produce(node, {9, 1, 1000, {{topic, 0, batch_of(node, 1)}}, ""}).error(),
             ErrorCode::kNone);
  };
  put("t");
  CHECK_EQ(node.partition(0).log().recovery_point(), 0);
  put("t");
  CHECK_EQ(node.partition(0).log().recovery_point(), 2);
  put("u");
  node.partition(1).flush_when_due(node.at(0));
  CHECK_EQ(node.partition(1).log().recovery_point(), 0);
  node.advance_ms(1000);
  node.partition(1).flush_when_due(node.at(0));
  node.run();
  CHECK_EQ(node.partition(1).log().recovery_point(), 1);
}

TEST("partition: another topic's directory is not taken over") {
  Node node;
  node.simple_topic();
  node.partition(0).retire(node.at(0), false, true);
  node.run();
  node.partitions.erase(0);
  const Status status = node.open(0, "t", 0, [](PartitionOptions* o) { o->topic_id[3] ^= 1; });
  CHECK_EQ(status.code, Code::kInvalid);
  node.partitions.clear();
}

}  // namespace

RUN_TESTS()
