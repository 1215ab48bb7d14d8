// Partition: what a compaction counts on is on the disk before it begins, and what it leaves of a
// transaction opens none and hides none when the log is opened again.
#include "../../native/log/cleaned_batch.h"
#include "../../native/log/txn_index.h"
#include "request_fixture.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

constexpr int64_t kProducer = 7;

struct Cleaning : CleanOp {
  Cleaning() {
    request.map_bytes = 1 << 16;
    request.buffer_bytes = 4096;
    request.step_bytes = 1 << 20;
    done = [](CleanOp* op, ErrorCode error, PartitionHost&) {
      static_cast<Cleaning*>(op)->answers += 1;
      static_cast<Cleaning*>(op)->error = error;
    };
  }
  int answers = 0;
  ErrorCode error = ErrorCode::kNone;
};

struct Compacted : Node {
  explicit Compacted(SimWorld* world) : Node(world) {}
  Status open(int64_t segment_bytes, int64_t recovery_point = 0) {
    return Node::open(0, "t", 0, [&](PartitionOptions* o) {
      o->config.is_compacted = true;
      o->config.log.segment_bytes_max = segment_bytes;
      o->recovery_point = recovery_point;
    });
  }
  void append(std::vector<uint8_t> batch) {
    Appended op(std::move(batch));
    op.leader_epoch = partition(0).leader_epoch();
    partition(0).append(&op, at(0));
    run();
    CHECK(op.is_done);
    CHECK_EQ(op.refusal.error, ErrorCode::kNone);
  }
  void put(const std::string& key, const std::string& value) {
    append(make_batch({{world.wall_ms(), value, true, key}}));
  }
  std::vector<std::string> values(const std::string& key) {
    std::vector<std::string> found;
    Log& log = partition(0).log();
    for (int64_t offset = log.log_start_offset(); offset < log.log_end_offset();) {
      ReadSlice slice;
      CHECK_OK(log.read(at(0).io(), offset, log.log_end_offset(), 1 << 20, true, &slice));
      const std::vector<uint8_t> bytes = slice_bytes(at(0).io(), slice);
      Bytes rest(bytes);
      RecordBatch batch;
      const int64_t before = offset;
      while (next_batch(&rest, &batch)) {
        offset = batch.next_offset();
        RecordView record;
        const Bytes records = batch.records();
        if (batch.records_count() == 0) continue;
        (void)read_record(records.data(), records.data() + records.size(), &record);
        if (std::string(record.key.begin(), record.key.end()) != key) continue;
        found.emplace_back(record.value.begin(), record.value.end());
      }
      if (offset == before) break;
    }
    return found;
  }
};

std::vector<uint8_t> transactional(const std::string& key, size_t bytes, int64_t base_offset,
                                   int32_t sequence) {
  BatchOptions options;
  options.producer_id = kProducer;
  options.producer_epoch = 0;
  options.base_sequence = sequence;
  options.base_offset = base_offset;
  options.more_attributes = 0x10;
  return make_batch({{1000, std::string(bytes, 'v'), true, key}}, options);
}

std::vector<uint8_t> abort_marker() {
  BatchOptions options;
  options.producer_id = kProducer;
  options.producer_epoch = 0;
  options.more_attributes = 0x30;
  return make_batch({{1000, std::string(6, '\0'), true, std::string(4, '\0')}}, options);
}

// An old value that is synced, and a newer one, in a rolled segment, that is not.
void put_two(Compacted* node) {
  CHECK_OK(node->open(300));
  CHECK(node->lead(0, 1, {1}, {1}));
  node->put("k", "old");
  node->put("filler", std::string(300, 'x'));
  node->partition(0).maintain(node->at(0));
  node->run();
  node->at(0).holds_lent = true;
  node->put("k", "new");
  node->put("more", std::string(300, 'x'));
  node->put("last", "1");
}

}  // namespace

// After a kill nobody has asked for a sync of what is in the log.
TEST("partition: clean: of a key something is there, whatever a loss of power takes") {
  for (uint64_t seed = 1; seed <= 60 && failures() == 0; seed += 1) {
    SimWorld world(seed);
    int64_t synced = 0;
    {
      Compacted node(&world);
      put_two(&node);
      synced = node.partition(0).log().recovery_point();
      CHECK(synced >= 1 && synced <= 2);
      world.die(SimDeath::kKill);
      node.at(0).holds_lent = false;
      node.run();
      node.partitions.clear();
    }
    world.restart();
    {
      Compacted node(&world);
      CHECK_OK(node.open(300, synced));
      CHECK(node.lead(0, 2, {1}, {1}));
      node.at(0).holds_lent = true;
      Cleaning op;
      node.partition(0).clean(&op, node.at(0));
      node.run();
      // So many turns of the helper, and the power goes.
      for (uint64_t n = seed % 12; n > 0 && node.at(0).lent() > 0; n -= 1) {
        node.at(0).help_one();
        node.run();
      }
      world.die(SimDeath::kPower);
      node.at(0).holds_lent = false;
      node.run();
      node.partitions.clear();
    }
    world.restart();
    Compacted again(&world);
    CHECK_OK(again.open(300, synced));
    CHECK(again.lead(0, 3, {1}, {1}));
    CHECK(!again.values("k").empty());
  }
}

TEST("partition: clean: a sync that fails before it begins is a failed directory") {
  SimWorld world(3);
  Compacted node(&world);
  put_two(&node);
  SimRule rule;
  rule.op = SimOp::kSync;
  rule.code = Code::kIo;
  rule.error = 5;
  rule.count = 1;
  world.add_rule(rule);
  Cleaning op;
  node.partition(0).clean(&op, node.at(0));
  node.run();
  CHECK_EQ(op.answers, 0);
  node.at(0).holds_lent = false;
  node.run();
  CHECK_EQ(op.answers, 1);
  CHECK_EQ(op.error, ErrorCode::kOperationNotAttempted);
  CHECK(node.partition(0).is_offline());
}

TEST("partition: clean: who waits for a sync is told when the log is cut or put away, once") {
  for (const bool is_cut : {true, false}) {
    SimWorld world(4);
    Compacted node(&world);
    put_two(&node);
    Cleaning op, second;
    node.partition(0).clean(&op, node.at(0));
    node.run();
    node.partition(0).clean(&second, node.at(0));
    CHECK_EQ(second.error, ErrorCode::kOperationNotAttempted);  // one at a time
    CHECK_EQ(op.answers, 0);
    if (is_cut) {
      CHECK(node.partition(0).follow(node.at(0), 2, 2));
      CHECK_EQ(node.partition(0).truncate(node.at(0), 2, 3), ErrorCode::kNone);
    } else {
      node.partition(0).retire(node.at(0), false, true);
    }
    node.at(0).holds_lent = false;
    node.run();
    node.partition(0).maintain(node.at(0));
    node.run();
    CHECK_EQ(op.answers, 1);
    CHECK_EQ(op.error, ErrorCode::kOperationNotAttempted);
    if (!is_cut) {
      CHECK(node.partition(0).is_quiet());
      node.partitions.clear();
    }
  }
}

TEST(
    "partition: clean: a header that is left of a transaction opens none, its marker gone or not") {
  for (const bool is_restarted : {false, true}) {
    SimWorld world(5);
    std::vector<uint8_t> header;
    const std::vector<uint8_t> whole = transactional("a", 10, 0, 0);
    write_empty_batch(RecordBatch(whole.data(), whole.size()), true, &header);
    {
      Compacted node(&world);
      CHECK_OK(node.open(1 << 20));
      CHECK(node.partition(0).follow(node.at(0), 1, 2));
      node.append(header);
      CHECK(node.lead(0, 2, {1}, {1}));
      node.put("b", "1");
      if (!is_restarted) CHECK_EQ(node.partition(0).last_stable_offset(), 2);
      world.die(SimDeath::kKill);
      node.run();
      node.partitions.clear();
    }
    world.restart();
    Compacted again(&world);
    CHECK_OK(again.open(1 << 20));
    CHECK(again.lead(0, 3, {1}, {1}));
    CHECK_EQ(again.partition(0).last_stable_offset(), 2);
    const ProducerEntry* entry = again.partition(0).producers().find(kProducer);
    REQUIRE(entry != nullptr);
    CHECK_EQ(entry->last_sequence(), 0);
  }
}

// The transaction's first batch is compacted away, its second is not yet, and a snapshot between
// them and their marker says that it is open.
TEST("partition: clean: interrupted, what was aborted is hidden from its first record left") {
  constexpr int64_t kSegment = 5 << 20;
  SimWorld world(6);
  int64_t marker = 0, snapshot = 0;
  {
    Compacted node(&world);
    CHECK_OK(node.open(kSegment));
    CHECK(node.lead(0, 1, {1}, {1}));
    const auto fill = [&](int mebibytes) {
      for (int i = 0; i < mebibytes; i += 1) {
        node.put("key " + std::to_string(node.partition(0).log_end_offset()),
                 std::string(1 << 20, 'x'));
      }
    };
    node.append(transactional("a", 10, 0, 0));
    fill(5);
    node.append(transactional("b", 10, 0, 1));
    fill(4);
    snapshot = node.partition(0).log().active_base_offset();
    marker = node.partition(0).log_end_offset();
    node.append(abort_marker());
    fill(22);
    const int64_t bytes = node.partition(0).log().bytes();
    Cleaning op;
    op.bytes_per_second = 1 << 20;
    node.partition(0).clean(&op, node.at(0));
    for (int i = 0; i < 1000 && node.partition(0).log().bytes() == bytes; i += 1) {
      node.advance_ms(100);
    }
    CHECK(node.values("a").empty());
    CHECK_EQ(node.values("b").size(), size_t{1});
    world.die(SimDeath::kKill);
    node.run();
    node.partitions.clear();
  }
  world.restart();
  Compacted again(&world);
  CHECK_OK(again.open(kSegment, snapshot));
  CHECK(again.lead(0, 2, {1}, {1}));
  const int64_t end = again.partition(0).log_end_offset();
  CHECK_EQ(again.partition(0).last_stable_offset(), end);
  std::vector<AbortedTransaction> aborted;
  CHECK_OK(again.partition(0).log().collect_aborted(again.at(0).io(), 0, end, &aborted));
  REQUIRE(aborted.size() == 1);
  CHECK_EQ(aborted[0].last_offset, marker);
  CHECK(aborted[0].first_offset <= 6);
}

RUN_TESTS()
