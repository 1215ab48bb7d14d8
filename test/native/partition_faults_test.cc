// A partition on a disk that fails, by seed: faults/history.h. OTTLA_SEED is the first seed,
// OTTLA_SEEDS how many: `npm run fuzz -- faults 1 10000`. And by hand, what seeds have found.
#include "faults/history.h"
#include "faults/raft.h"
#include "faults/rot.h"

using namespace ottla;
using namespace ottla::test;

namespace {

constexpr uint64_t kSeeds = 150;  // of each kind, when nobody says

uint64_t asked(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

template <typename History>
bool holds(uint64_t seed) {
  History(seed).run();
  if (failures() == 0) return true;
  std::fprintf(stderr, "    seed %llu\n", static_cast<unsigned long long>(seed));
  return false;
}

std::vector<uint8_t> transactional(int16_t attributes, const std::string& key) {
  BatchOptions options;
  options.producer_id = 7;
  options.producer_epoch = 0;
  options.base_sequence = key.empty() ? 0 : -1;
  options.more_attributes = attributes;
  TestRecord record{1000, std::string(6, '\0'), !key.empty(), key};
  return make_batch({record}, options);
}

// A transaction of one record, aborted or open, on a node that stops in order and loses power.
void stop_within_transaction(SimWorld* world, bool is_aborted) {
  Node node(world);
  CHECK(node.open(0, "t", 0).ok());
  CHECK(node.lead(0, 1, {1}, {1}));
  Appended batch(transactional(0x10, "")), marker(transactional(0x30, std::string(4, '\0')));
  node.partition(0).produce(&batch, node.at(0));
  for (const Fact& fact : std::exchange(node.at(0).facts, {})) {
    if (fact.kind != fact::kAdmissionNeeded) continue;
    node.partition(0).admit(fact.ticket, ErrorCode::kNone, node.at(0));
  }
  node.run();
  CHECK(batch.is_done && batch.refusal.error == ErrorCode::kNone);
  marker.leader_epoch = 1;
  if (is_aborted) node.partition(0).mark(&marker, 1, node.at(0));
  node.run();
  node.partition(0).retire(node.at(0), false, true);
  node.run();
  CHECK_OK(node.partition(0).end_status());
  node.partitions.clear();
  world->die(SimDeath::kPower);
}

}  // namespace

template <typename History>
void hold() {
  const uint64_t first = asked("OTTLA_SEED", 1);
  const uint64_t count = asked("OTTLA_SEEDS", kSeeds);
  for (uint64_t seed = first; seed < first + count && holds<History>(seed); seed += 1) {
  }
}

TEST("partition: faults: whatever the disk does, what was acknowledged is there and nothing else") {
  hold<FaultHistory>();
}

TEST(
    "partition: faults: whatever the disk does to a log that is compacted, each key keeps a "
    "value") {
  hold<CompactedHistory>();
}

TEST("partition: faults: raft's log: whatever the disk does, what was flushed is there") {
  hold<RaftHistory>();
}

TEST(
    "partition: faults: whatever bits flip, nothing damaged passes for good and the rest is "
    "there") {
  hold<RotHistory>();
}

template <typename History>
void hold_again(std::initializer_list<uint64_t> seeds) {
  for (const uint64_t seed : seeds) (void)holds<History>(seed);
}

TEST("partition: faults: what has found something once is looked at again") {
  hold_again<FaultHistory>({12, 103, 214, 544, 4996, 6736, 13165, 50505, 638920, 1015127, 1048345});
  hold_again<CompactedHistory>({3, 9, 228, 292, 404, 435, 547, 1348, 1808, 3854, 18760, 50302,
                                52877, 105680, 500094, 904159, 1040595});
  hold_again<RaftHistory>({69, 180, 256, 311, 50496, 51175, 52121, 52276, 500409});
  hold_again<RotHistory>({26, 59, 130, 402, 503, 400368, 1044279});
}

TEST("partition: faults: a stop in order keeps open and aborted transactions, power lost or not") {
  for (const bool is_aborted : {false, true}) {
    for (uint64_t seed = 1; seed <= 40 && failures() == 0; seed += 1) {
      SimWorld world(seed);
      stop_within_transaction(&world, is_aborted);
      world.restart();
      Node again(&world);
      const int64_t end = is_aborted ? 2 : 1;
      CHECK_OK(again.open(0, "t", 0, [&](PartitionOptions* options) {
        options->is_clean_shutdown = true;
        options->recovery_point = end;
      }));
      CHECK(again.lead(0, 2, {1}, {1}));
      CHECK_EQ(again.partition(0).log_end_offset(), end);
      CHECK_EQ(again.partition(0).last_stable_offset(), is_aborted ? 2 : 0);
      std::vector<AbortedTransaction> aborted;
      CHECK_OK(again.partition(0).log().collect_aborted(again.at(0).io(), 0, end, &aborted));
      CHECK_EQ(aborted.size(), is_aborted ? size_t{1} : size_t{0});
    }
  }
}

TEST(
    "partition: faults: a full disk refuses what it cannot take, and takes it when there is room") {
  Node node;
  node.simple_topic(0, "t");
  const auto batch = [&](int32_t sequence) {
    return ProduceBody{9, -1, 1000, {{"t", 0, sequenced(node, 5, 0, sequence)}}, ""};
  };
  SimRule full;
  full.op = SimOp::kSubmit;
  full.count = 3;
  full.code = Code::kNoSpace;
  full.error = 28;
  full.fault = SimFault::kShort;
  node.world.add_rule(full);
  for (int i = 0; i < 3; i += 1) {
    CHECK_EQ(produce(node, batch(0)).error(), ErrorCode::kKafkaStorageError);
  }
  CHECK(!node.partition(0).is_offline());
  CHECK(node.at(0).facts.empty());
  CHECK_EQ(node.at(0).counter(counter::kProduceRefusedFull), 3);
  // The second of two does not take the place of the first, though nothing is known of its
  // producer.
  CHECK_EQ(produce(node, batch(1)).error(), ErrorCode::kOutOfOrderSequenceNumber);
  CHECK_EQ(produce(node, batch(0)).offset(), 0);
  CHECK_EQ(produce(node, batch(1)).offset(), 1);
}

TEST("partition: faults: there is no room for the next segment") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) { o->config.log.segment_bytes_max = 200; });
  const auto batch = [&](int32_t sequence) {
    return ProduceBody{9, 1, 1000, {{"t", 0, sequenced(node, 5, 0, sequence)}}, ""};
  };
  CHECK_EQ(produce(node, batch(0)).offset(), 0);
  int32_t next = 1;
  SimRule full;
  full.op = SimOp::kOpen;
  full.path_contains = ".log";
  full.count = 2;
  full.code = Code::kNoSpace;
  full.error = 28;
  node.world.add_rule(full);
  int refused = 0;
  for (; next < 6; refused += 1) {
    const ProduceAnswer answer = produce(node, batch(next));
    if (answer.error() == ErrorCode::kNone) {
      CHECK_EQ(answer.offset(), next);
      next += 1;
      refused -= 1;
    } else {
      CHECK_EQ(answer.error(), ErrorCode::kKafkaStorageError);
    }
    REQUIRE(refused < 10);
  }
  CHECK_EQ(refused, 2);
  CHECK(!node.partition(0).is_offline());
}

TEST("partition: faults: there is no room to compact: another time, and the log is as it was") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) {
    o->config.is_compacted = true;
    o->config.log.segment_bytes_max = 200;
  });
  for (int i = 0; i < 6; i += 1) {
    std::vector<uint8_t> batch = make_batch({{node.world.wall_ms(), "value", true, "key"}});
    CHECK_EQ(produce(node, {9, 1, 1000, {{"t", 0, batch}}, ""}).offset(), i);
  }
  struct Cleaned : CleanOp {
    ErrorCode error = ErrorCode::kUnknownServerError;
  };
  Cleaned op;
  const auto clean = [&] {
    op = Cleaned();
    op.request.map_bytes = 1 << 16;
    op.request.buffer_bytes = 4096;
    op.request.step_bytes = 4096;
    op.done = [](CleanOp* done, ErrorCode error, PartitionHost&) {
      static_cast<Cleaned*>(done)->error = error;
    };
    node.partition(0).clean(&op, node.at(0));
    node.run();
    return op.error;
  };
  const int64_t bytes = node.partition(0).log().bytes();
  SimRule full;
  full.path_contains = ".cleaned";
  full.code = Code::kNoSpace;
  full.error = 28;
  for (const SimOp kind : {SimOp::kOpen, SimOp::kWrite, SimOp::kRename}) {
    full.op = kind;
    full.count = 1;
    node.world.add_rule(full);
    CHECK_EQ(clean(), ErrorCode::kOperationNotAttempted);
    CHECK_EQ(node.partition(0).log().bytes(), bytes);
    CHECK(!node.partition(0).is_offline());
    node.world.clear_rules();
  }
  // Only the last names are left, and wait: what would delete beside them comes again.
  full.path_contains = ".swap";
  full.skip = 3;
  full.count = 3;
  node.world.add_rule(full);
  CHECK_EQ(clean(), ErrorCode::kUnknownServerError);
  CHECK(node.partition(0).log().bytes() < bytes);
  CHECK_EQ(node.partition(0).trim(node.at(0), 1), ErrorCode::kKafkaStorageError);
  CHECK(!node.partition(0).is_offline());
  node.advance_ms(5000);
  CHECK_EQ(op.error, ErrorCode::kNone);
  CHECK_EQ(node.partition(0).trim(node.at(0), 1), ErrorCode::kNone);
  CHECK(!node.partition(0).is_offline());
}

TEST("partition: faults: it opens on a disk that is full, and owes what it cannot write down") {
  SimWorld world(5);
  const auto small = [](PartitionOptions* options) {
    options->config.log.segment_bytes_max = 200;
    options->config.log.index_interval_bytes = 1;
  };
  SimRule full;
  full.op = SimOp::kWrite;
  full.count = UINT64_MAX;
  full.code = Code::kNoSpace;
  full.error = 28;
  const auto batch = [&](Node& node, int32_t sequence) {
    return ProduceBody{9, -1, 1000, {{"t", 0, sequenced(node, 5, 0, sequence)}}, ""};
  };
  {
    Node node(&world);
    node.simple_topic(0, "t", small);
    for (int32_t i = 0; i < 6; i += 1) CHECK_EQ(produce(node, batch(node, i)).offset(), i);
    world.add_rule(full);
    CHECK(node.lead(0, 4, {1}, {1}));
    CHECK_EQ(produce(node, batch(node, 6)).offset(), 6);
    node.partitions.clear();
    world.die(SimDeath::kKill);
  }
  world.restart();
  Node node(&world);
  CHECK_OK(node.open(0, "t", 0, small));
  CHECK_EQ(node.partition(0).log_end_offset(), 7);
  std::vector<SegmentFacts> segments;
  node.partition(0).log().segments(node.at(0).io(), &segments);
  CHECK(segments.size() > 2);
  int64_t epoch = -1, end = -1, unused = -1;
  (void)node.partition(0).look_up(node.at(0), lookup::kEpochEnd, 3, &end, &epoch, &unused);
  CHECK_EQ(end, 6);
  const std::string path = "/data/t-0/leader-epoch-checkpoint";
  std::string text;
  CHECK_OK(read_file(node.at(0).io(), path, &text));
  CHECK_EQ(text, "0\n1\n3 0\n");
  CHECK(node.lead(0, 5, {1}, {1}));
  world.clear_rules();
  node.partition(0).retire(node.at(0), false, true);
  node.run();
  CHECK_OK(node.partition(0).end_status());
  CHECK_OK(read_file(node.at(0).io(), path, &text));
  CHECK_EQ(text, "0\n3\n3 0\n4 6\n5 7\n");
}

RUN_TESTS()
