// Partition: an ISR of three, its followers sent raw: watermarks, waiting produces, changes of
// leader, truncation.
#include "request_fixture.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

using Offsets = std::vector<int64_t>;

// Partition 0 of "t", led here at epoch 3 with replicas 1, 2, 3, all in sync,
// min.insync.replicas 2.
struct Trio : Node {
  explicit Trio(int reactor_count = 1, int32_t slot = 0) : Node(reactor_count), slot(slot) {
    const Status opened = open(slot, "t", 0, [](PartitionOptions* o) {
      o->config.min_insync_replicas = 2;
      o->is_watched = true;
    });
    if (!opened.ok() || !lead(slot, 3, {1, 2, 3}, {1, 2, 3})) std::abort();
    route(10, "t", {slot});
  }
  // A follower has everything below `offset`.
  FetchAnswer follower(int32_t replica, int64_t offset, int64_t broker_epoch = 50,
                       int32_t epoch = 3, int reactor = 0) {
    FetchBody body;
    body.version = 15;
    body.replica_id = replica;
    body.replica_epoch = broker_epoch;
    body.parts = {{"t", 0, offset, epoch}};
    return fetch(*this, body, reactor);
  }
  uint32_t send(int16_t acks, int32_t timeout_ms = 1000, int reactor = 0) {
    ProduceBody body{9, acks, timeout_ms, {{"t", 0, batch_of(*this, 1)}}, ""};
    const uint32_t sequence = at(reactor).produce(9, encode(body));
    run();
    return sequence;
  }
  ProduceAnswer answer(uint32_t sequence, int reactor = 0) {
    return produce_answer(at(reactor), sequence, 9);
  }
  int64_t high_watermark() { return partition(slot).high_watermark(); }
  std::vector<int64_t> told(uint16_t kind) {
    std::vector<int64_t> values;
    for (auto& reactor : reactors) {
      for (const Fact& fact : reactor->facts) {
        if (fact.kind == kind) values.push_back(static_cast<int64_t>(fact.a));
      }
    }
    return values;
  }
  int32_t slot;
};

TEST("replication: the high watermark is the least of the ISR, and acks=all waits for it") {
  Trio node;
  const uint32_t all = node.send(-1);
  const uint32_t one = node.send(1);
  CHECK_EQ(node.answer(one).offset(), 1);
  CHECK(!node.answer(all).is_answered);
  CHECK_EQ(node.at(0).counter(counter::kProduceWaiting), 1.0);
  FetchAnswer read = node.follower(2, 0);
  CHECK(read.offsets() == (Offsets{0, 1}));
  CHECK_EQ(read.parts[0].high_watermark, 0);
  CHECK(fetch(node, {.parts = {{"t", 0, 0}}, .forgotten = {}}).offsets().empty());
  (void)node.follower(2, 2);
  CHECK_EQ(node.high_watermark(), 0);
  read = node.follower(3, 1);
  CHECK_EQ(read.parts[0].high_watermark, 0);  // counted after the read
  CHECK_EQ(node.high_watermark(), 1);
  CHECK_EQ(node.answer(all).error(), ErrorCode::kNone);
  CHECK_EQ(node.answer(all).offset(), 0);
  CHECK(fetch(node, {.parts = {{"t", 0, 0}}, .forgotten = {}}).offsets() == Offsets{0});
  (void)node.follower(3, 2);
  CHECK_EQ(node.high_watermark(), 2);
  CHECK(node.told(fact::kHighWatermark) == (Offsets{1, 2}));
  CHECK_EQ(node.at(0).counter(counter::kProduceWaiting), 0.0);
}

TEST("replication: the watermark never falls, and a follower may go back") {
  Trio node;
  (void)node.send(1);
  (void)node.follower(2, 1);
  (void)node.follower(3, 1);
  CHECK_EQ(node.high_watermark(), 1);
  (void)node.follower(2, 0);
  CHECK_EQ(node.high_watermark(), 1);
}

TEST("replication: acks=all ends with its timeout, and keeps its offset in the answer") {
  Trio node;
  const uint32_t sent = node.send(-1, 300);
  node.advance_ms(299);
  CHECK(!node.answer(sent).is_answered);
  node.advance_ms(1);
  CHECK_EQ(node.answer(sent).error(), ErrorCode::kRequestTimedOut);
  CHECK_EQ(node.answer(sent).offset(), 0);
  CHECK_EQ(node.at(0).next_deadline_us(), INT64_MAX);
}

TEST("replication: too few in sync: refused before, and after the append when the ISR shrinks") {
  Trio node;
  const uint32_t waits = node.send(-1);
  CHECK(node.isr(0, 3, 1, {1, 2}));
  CHECK(!node.answer(waits).is_answered);
  CHECK(node.isr(0, 3, 2, {1}));
  node.run();
  CHECK_EQ(node.answer(waits).error(), ErrorCode::kNotEnoughReplicasAfterAppend);
  CHECK_EQ(node.answer(waits).offset(), 0);
  const uint32_t refused = node.send(-1);
  CHECK_EQ(node.answer(refused).error(), ErrorCode::kNotEnoughReplicas);
  CHECK_EQ(node.answer(refused).parts[0].log_start_offset, 0);
  CHECK_EQ(node.answer(node.send(1)).error(), ErrorCode::kNone);
  CHECK_EQ(node.high_watermark(), 0);  // stands while too few are in sync
  (void)node.follower(2, 2);
  CHECK(node.isr(0, 3, 3, {1, 2}));
  CHECK_EQ(node.high_watermark(), 2);
}

TEST("replication: a shrink lets the watermark pass the one that left") {
  Trio node;
  const uint32_t sent = node.send(-1);
  (void)node.follower(2, 1);
  CHECK(!node.answer(sent).is_answered);
  CHECK(node.isr(0, 3, 1, {1, 2}));
  node.run();
  CHECK_EQ(node.answer(sent).error(), ErrorCode::kNone);
  CHECK_EQ(node.high_watermark(), 1);
}

TEST("replication: stale commands are counted and not obeyed") {
  Trio node;
  CHECK(node.isr(0, 3, 5, {1, 2}));
  CHECK(!node.isr(0, 3, 4, {1, 2, 3}));
  CHECK(!node.isr(0, 2, 9, {1, 2, 3}));
  CHECK(!node.lead(0, 2, {1}, {1}));
  CHECK(!node.lead(0, 3, {1}, {1}, 4));
  CHECK(!node.partition(0).follow(node.at(0), 2, 2));
  CHECK_EQ(node.at(0).counter(counter::kStaleCommands), 5.0);
}

TEST("replication: one out of sync that caught up is reported once, and counts from then on") {
  Trio node;
  CHECK(node.isr(0, 3, 1, {1, 2}));
  (void)node.send(1);
  (void)node.send(1);
  (void)node.follower(2, 1);
  CHECK_EQ(node.high_watermark(), 1);
  (void)node.follower(3, 0);
  CHECK(node.told(fact::kCaughtUp).empty());
  (void)node.follower(3, 1);
  CHECK(node.told(fact::kCaughtUp) == Offsets{3});
  (void)node.follower(2, 2);
  CHECK_EQ(node.high_watermark(), 1);  // waits for 3, which is about to join
  (void)node.follower(3, 1);
  CHECK(node.told(fact::kCaughtUp) == Offsets{3});
  CHECK(node.isr(0, 3, 2, {1, 2}));  // TypeScript decided against it
  CHECK_EQ(node.high_watermark(), 2);
  (void)node.follower(3, 2);
  CHECK(node.told(fact::kCaughtUp) == (Offsets{3, 3}));
}

TEST("replication: who may fetch as a follower: replicas only, and not with an old broker epoch") {
  Trio node;
  CHECK_EQ(node.follower(9, 0).part_error(), ErrorCode::kUnknownLeaderEpoch);
  CHECK_EQ(node.follower(9, 0, 50, -1).part_error(), ErrorCode::kNotLeaderOrFollower);
  CHECK_EQ(node.follower(1, 0).part_error(), ErrorCode::kUnknownLeaderEpoch);
  CHECK_EQ(node.follower(9, 77).part_error(), ErrorCode::kUnknownLeaderEpoch);
  CHECK_EQ(node.follower(2, 77).part_error(), ErrorCode::kOffsetOutOfRange);
  (void)node.send(1);
  (void)node.follower(3, 1);
  CHECK_EQ(node.follower(2, 0, 60).part_error(), ErrorCode::kNone);
  CHECK_EQ(node.follower(2, 1, 59).part_error(), ErrorCode::kNotLeaderOrFollower);
  CHECK_EQ(node.high_watermark(), 0);
  CHECK_EQ(node.follower(2, 1, 60).part_error(), ErrorCode::kNone);
  CHECK_EQ(node.high_watermark(), 1);
}

TEST("replication: a change of leader fails who waits, with the offset it got") {
  Trio node;
  const uint32_t waits = node.send(-1);
  CHECK(node.partition(0).follow(node.at(0), 4, 2));
  CHECK_EQ(node.answer(waits).error(), ErrorCode::kNotLeaderOrFollower);
  CHECK_EQ(node.answer(waits).offset(), 0);
  CHECK_EQ(node.follower(2, 0).part_error(), ErrorCode::kFencedLeaderEpoch);
  CHECK_EQ(node.answer(node.send(1)).error(), ErrorCode::kNotLeaderOrFollower);
}

TEST("replication: leading again keeps waiting produces; followers of a new term start unknown") {
  Trio node;
  const uint32_t waits = node.send(-1);
  (void)node.follower(2, 1);
  CHECK(node.lead(0, 4, {1, 2, 3}, {1, 2, 3}));
  CHECK(!node.answer(waits).is_answered);
  (void)node.follower(3, 1, 50, 4);
  CHECK_EQ(node.answer(waits).error(), ErrorCode::kNone);
  CHECK(node.partition(0).follow(node.at(0), 5, 2));
  CHECK(node.lead(0, 6, {1, 2, 3}, {1, 2, 3}));
  (void)node.send(1);
  (void)node.follower(3, 2, 50, 6);
  CHECK_EQ(node.high_watermark(), 1);  // 2 has not fetched in this term
  (void)node.follower(2, 2, 50, 6);
  CHECK_EQ(node.high_watermark(), 2);
}

TEST("replication: a waiting follower is woken by the log end, a consumer by the watermark") {
  Trio node;
  FetchBody body;
  body.version = 15;
  body.max_wait_ms = 10'000;
  body.parts = {{"t", 0, 0, 3}};
  const uint32_t consumer = node.at(0).fetch(15, encode(body));
  body.replica_id = 2;
  body.replica_epoch = 50;
  const uint32_t follower = node.at(0).fetch(15, encode(body));
  node.run();
  (void)node.send(1);
  CHECK(fetch_answer(node.at(0), follower, 15).offsets() == Offsets{0});
  CHECK(!fetch_answer(node.at(0), consumer, 15).is_answered);
  (void)node.follower(3, 1);
  (void)node.follower(2, 1);
  CHECK(fetch_answer(node.at(0), consumer, 15).offsets() == Offsets{0});
}

TEST("replication: a follower's progress reaches a partition of another reactor") {
  Trio node(2, 1);
  const uint32_t waits = node.send(-1, 1000, 1);
  FetchAnswer read = node.follower(2, 1, 50, 3, 0);
  CHECK_EQ(read.part_error(), ErrorCode::kNone);
  CHECK_EQ(node.follower(9, 0, 50, 3, 0).part_error(), ErrorCode::kUnknownLeaderEpoch);
  CHECK(!node.answer(waits, 1).is_answered);
  node.at(1).mailbox_room = 0;
  FetchBody body;
  body.version = 15;
  body.replica_id = 3;
  body.replica_epoch = 50;
  body.parts = {{"t", 0, 1, 3}};
  const uint32_t stuck = node.at(0).fetch(15, encode(body));
  node.run();
  CHECK(!fetch_answer(node.at(0), stuck, 15).is_answered);
  node.at(1).mailbox_room = 10;
  node.advance_ms(1);
  CHECK(fetch_answer(node.at(0), stuck, 15).is_answered);
  CHECK_EQ(node.answer(waits, 1).error(), ErrorCode::kNone);
}

TEST("replication: progress that was on its way while the epoch ended does not count in the next") {
  Trio node(2, 1);
  (void)node.send(1, 1000, 1);
  FetchBody body;
  body.version = 15;
  body.replica_epoch = 50;
  body.parts = {{"t", 0, 1, 3}};
  std::vector<uint32_t> sent;
  for (const int32_t replica : {2, 3}) {
    body.replica_id = replica;
    sent.push_back(node.at(0).fetch(15, encode(body)));  // read; its progress is in the mail
  }
  CHECK(node.partition(1).follow(node.at(1), 4, 2));
  CHECK(node.lead(1, 5, {1, 2, 3}, {1, 2, 3}));
  node.run();
  CHECK_EQ(node.high_watermark(), 0);
  for (const uint32_t sequence : sent) {
    CHECK_EQ(fetch_answer(node.at(0), sequence, 15).part_error(), ErrorCode::kFencedLeaderEpoch);
  }
}

TEST("replication: a retired partition wakes its readers, however full their mailbox is") {
  Trio node(2, 1);
  FetchBody body;
  body.version = 10;  // needs the leader
  body.max_wait_ms = 60000;
  body.parts = {{"t", 0, 0}};
  const uint32_t waits = node.at(0).fetch(10, encode(body));
  node.run();
  node.at(0).mailbox_room = 0;
  node.partition(1).retire(node.at(1), false, true);
  node.run();
  CHECK(node.partition(1).is_quiet());
  CHECK_EQ(fetch_answer(node.at(0), waits, 10).part_error(), ErrorCode::kNotLeaderOrFollower);
}

TEST("replication: min.insync.replicas is at most the number of replicas") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) { o->config.min_insync_replicas = 3; });
  CHECK_EQ(produce(node, {9, -1, 1000, {{"t", 0, batch_of(node, 1)}}, ""}).error(),
           ErrorCode::kNone);
}

TEST("replication: duplicates of a waiting batch wait with it") {
  Trio node;
  const auto send = [&](int32_t sequence) {
    ProduceBody body{9, -1, 1000, {{"t", 0, sequenced(node, 7, 0, sequence)}}, ""};
    const uint32_t sent = node.at(0).produce(9, encode(body));
    node.run();
    return sent;
  };
  const uint32_t first = send(0);
  const uint32_t second = send(1);
  const uint32_t again = send(0);
  (void)node.follower(2, 1);
  (void)node.follower(3, 1);
  CHECK_EQ(node.answer(first).offset(), 0);
  CHECK_EQ(node.answer(again).offset(), 0);
  CHECK(!node.answer(second).is_answered);
}

}  // namespace

RUN_TESTS()
