// Partition: what is on the disk, and who waits for it. The helper is the fixture's: it may be busy
// (holds_lent) for as long as a test likes.
#include "request_fixture.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

// A broker whose helper takes no work until it is let go.
struct Slow : Node {
  explicit Slow(int64_t flush_messages, int64_t segment_bytes_max = 1 << 30) {
    simple_topic(0, "t", [&](PartitionOptions* o) {
      o->config.flush_messages = flush_messages;
      o->config.log.segment_bytes_max = segment_bytes_max;
    });
    at(0).holds_lent = true;
  }
  ~Slow() { release(); }
  uint32_t send(int16_t acks = 1) {
    const ProduceBody body{9, acks, 60000, {{"t", 0, batch_of(*this, 1)}}, ""};
    const uint32_t sent = at(0).produce(9, encode(body));
    run();
    return sent;
  }
  ProduceAnswer answer(uint32_t sent) { return produce_answer(at(0), sent, 9); }
  // The helper does what it has, but nothing that comes of it.
  void release_one() {
    at(0).help_one();
    run();
  }
  void release() {
    at(0).holds_lent = false;
    run();
    at(0).holds_lent = true;
  }
  int64_t recovery_point() { return partition(0).log().recovery_point(); }
  int failures() {
    int count = 0;
    for (const Fact& fact : at(0).facts) count += fact.kind == fact::kDirectoryFailed ? 1 : 0;
    return count;
  }
};

struct Flushed {
  FlushOp op;
  int answers = 0;
  ErrorCode error = ErrorCode::kNone;
  void ask(Node& node) {
    op.context = this;
    op.done = [](FlushOp* done, ErrorCode failed, PartitionHost&) {
      static_cast<Flushed*>(done->context)->answers += 1;
      static_cast<Flushed*>(done->context)->error = failed;
    };
    node.partition(0).flush(&op, node.at(0));
  }
};

SimRule failing_sync(uint64_t skip = 0) {
  SimRule rule;
  rule.op = SimOp::kSync;
  rule.path_contains = ".log";
  rule.skip = skip;
  rule.fault = SimFault::kSyncLost;
  return rule;
}

TEST("partition: flush: an acknowledgement waits for its sync, whatever acks says") {
  for (const int16_t acks : {int16_t{1}, int16_t{-1}}) {
    Slow node(1);
    const uint32_t sent = node.send(acks);
    CHECK(!node.answer(sent).is_answered);
    CHECK_EQ(node.partition(0).log_end_offset(), 1);
    CHECK_EQ(node.partition(0).high_watermark(), 0);  // and nobody is shown it
    node.release();
    CHECK_EQ(node.answer(sent).error(), ErrorCode::kNone);
    CHECK_EQ(node.answer(sent).offset(), 0);
    CHECK_EQ(node.partition(0).high_watermark(), 1);
    CHECK_EQ(node.recovery_point(), 1);
  }
}

TEST("partition: flush: produces that come during a sync share the next one") {
  Slow node(1);
  const uint32_t first = node.send();
  std::vector<uint32_t> later;
  for (int i = 0; i < 5; i += 1) later.push_back(node.send());
  CHECK_EQ(node.at(0).lent(), size_t{1});
  node.release_one();
  CHECK(node.answer(first).is_answered);
  CHECK_EQ(node.partition(0).high_watermark(), 1);
  for (const uint32_t sent : later) CHECK(!node.answer(sent).is_answered);
  CHECK_EQ(node.at(0).lent(), size_t{1});
  node.release_one();
  for (const uint32_t sent : later) CHECK_EQ(node.answer(sent).error(), ErrorCode::kNone);
  CHECK_EQ(node.at(0).lent(), size_t{0});
  CHECK_EQ(node.recovery_point(), 6);
}

TEST("partition: flush: flush.messages counts from the sync that is under way") {
  Slow node(3);
  CHECK(node.answer(node.send()).is_answered);
  CHECK(node.answer(node.send()).is_answered);
  const uint32_t third = node.send();
  CHECK(!node.answer(third).is_answered);
  const uint32_t fourth = node.send();  // owes no sync of its own, but stands behind one
  CHECK(!node.answer(fourth).is_answered);
  node.release_one();
  CHECK(node.answer(third).is_answered);
  CHECK(node.answer(fourth).is_answered);
  CHECK_EQ(node.recovery_point(), 3);
  CHECK_EQ(node.at(0).lent(), size_t{0});
}

TEST("partition: flush: a failed sync is answered once, with an error, and never tried again") {
  Slow node(1);
  const uint32_t first = node.send();
  const uint32_t second = node.send(-1);
  Flushed verb;
  verb.ask(node);
  node.world.add_rule(failing_sync());
  node.release();
  CHECK_EQ(node.answer(first).error(), ErrorCode::kKafkaStorageError);
  CHECK_EQ(node.answer(second).error(), ErrorCode::kKafkaStorageError);
  CHECK_EQ(verb.answers, 1);
  CHECK_EQ(verb.error, ErrorCode::kKafkaStorageError);
  CHECK(node.partition(0).is_offline());
  CHECK_EQ(node.failures(), 1);
  CHECK_EQ(node.recovery_point(), 0);
  CHECK_EQ(node.partition(0).high_watermark(), 0);
  // The disk would take it now: nothing that comes is taken for durable all the same.
  CHECK_EQ(node.answer(node.send()).error(), ErrorCode::kKafkaStorageError);
  Flushed again;
  again.ask(node);
  CHECK_EQ(again.error, ErrorCode::kKafkaStorageError);
  node.release();
  CHECK_EQ(node.recovery_point(), 0);
  CHECK_EQ(node.failures(), 1);
}

TEST("partition: flush: a write that ends after a sync failed is not acknowledged") {
  Slow node(2);
  CHECK(node.answer(node.send()).is_answered);
  const uint32_t second = node.send();  // its sync is lent
  node.world.submit_latency_us = 5000;
  const uint32_t third = node.send();  // its write is under way
  node.world.add_rule(failing_sync());
  node.release();
  CHECK_EQ(node.answer(second).error(), ErrorCode::kKafkaStorageError);
  CHECK(!node.answer(third).is_answered);
  node.advance_ms(5);
  CHECK_EQ(node.answer(third).error(), ErrorCode::kKafkaStorageError);
  CHECK_EQ(node.failures(), 1);
}

TEST("partition: flush: the verb covers what was admitted before it, also what is still staged") {
  Slow node(INT64_MAX);
  const ProduceBody body{9, 1, 1000, {{"t", 0, batch_of(node, 1)}}, ""};
  (void)node.at(0).produce(9, encode(body));
  Flushed verb;
  verb.ask(node);  // before the turn ends: nothing is written yet
  CHECK_EQ(node.partition(0).log_end_offset(), 0);
  node.run();
  CHECK_EQ(verb.answers, 0);
  node.send();
  node.release_one();
  CHECK_EQ(verb.answers, 1);
  CHECK_EQ(verb.op.recovery_point, 1);
  CHECK_EQ(node.recovery_point(), 1);
}

TEST("partition: flush: the verb on an empty log answers once its directory's name is synced") {
  Slow node(INT64_MAX);
  Flushed verb;
  verb.ask(node);
  node.run();
  CHECK_EQ(verb.answers, 0);
  node.release();
  CHECK_EQ(verb.answers, 1);
  CHECK_EQ(verb.op.recovery_point, 0);
  Flushed again;
  again.ask(node);
  node.run();
  CHECK_EQ(again.answers, 1);  // nothing is owed
}

TEST("partition: flush: a rolled segment is synced, and the row tells the recovery point") {
  Node node;
  double row[kPartitionColumns] = {};
  node.simple_topic(0, "t", [&](PartitionOptions* o) {
    o->config.log.segment_bytes_max = 300;
    o->row = row;
  });
  const auto base = [&] { return node.partition(0).log().active_base_offset(); };
  while (base() == 0) {
    (void)produce(node, {9, 1, 1000, {{"t", 0, batch_of(node, 1)}}, ""});
    if (base() == 0) CHECK_EQ(node.partition(0).log().recovery_point(), 0);
  }
  CHECK_EQ(node.partition(0).log().recovery_point(), base());
  CHECK_EQ(row[column::kRecoveryPoint], static_cast<double>(base()));
  CHECK_EQ(node.partition(0).log_end_offset(), base() + 1);  // the active one is not synced
}

TEST("partition: flush: nobody waits for the sync of a rolled segment") {
  Slow node(INT64_MAX, 300);
  for (int i = 0; i < 20; i += 1) CHECK_EQ(node.answer(node.send(-1)).offset(), i);
  CHECK_EQ(node.at(0).lent(), size_t{1});
  CHECK_EQ(node.recovery_point(), 0);
  node.release();
  CHECK_EQ(node.recovery_point(), node.partition(0).log().active_base_offset());
}

TEST("partition: flush: after a loss of power what lies below the recovery point is there") {
  for (uint64_t seed = 1; seed <= 20; seed += 1) {
    SimWorld world(seed);
    int64_t recovery_point = 0;
    {
      Node node(&world);
      node.simple_topic(0, "t", [](PartitionOptions* o) { o->config.log.segment_bytes_max = 300; });
      for (int i = 0; i < 10; i += 1) {
        (void)produce(node, {9, 1, 1000, {{"t", 0, batch_of(node, 1)}}, ""});
      }
      recovery_point = node.partition(0).log().recovery_point();
      CHECK(recovery_point > 0);
      world.die(SimDeath::kPower);
    }
    world.restart();
    Node again(&world);
    CHECK_OK(again.open(0, "t", 0, [&](PartitionOptions* o) {
      o->recovery_point = recovery_point;
      o->config.log.segment_bytes_max = 300;
    }));
    CHECK(again.partition(0).log_end_offset() >= recovery_point);
    // Epochs are rebuilt from what is replayed: those below it came from their own file.
    int64_t start = -1;
    int64_t end = -1;
    int64_t unused = -1;
    CHECK_EQ(again.partition(0).look_up(again.at(0), lookup::kEpochEnd, 3, &start, &end, &unused),
             ErrorCode::kNone);
    CHECK_EQ(end, 3);
  }
}

TEST("partition: flush: retiring waits for the sync under way, and then answers what it owes") {
  Slow node(1);
  const uint32_t first = node.send();
  const uint32_t second = node.send();
  Flushed verb;
  verb.ask(node);
  node.partition(0).retire(node.at(0), false, true);
  CHECK(!node.partition(0).is_quiet());
  CHECK(!node.answer(first).is_answered);
  node.release();
  CHECK(node.partition(0).is_quiet());
  CHECK_EQ(node.answer(first).error(), ErrorCode::kNone);
  CHECK_EQ(node.answer(second).error(), ErrorCode::kNone);  // closing cleanly syncs it
  CHECK_EQ(verb.answers, 1);
  CHECK_EQ(verb.error, ErrorCode::kNone);
}

TEST("partition: flush: a deleted partition acknowledges nothing that was not synced") {
  Slow node(1);
  const uint32_t sent = node.send();
  const uint32_t second = node.send();
  node.partition(0).retire(node.at(0), true, true);
  node.release();
  CHECK(node.partition(0).is_quiet());
  CHECK_EQ(node.answer(sent).error(), ErrorCode::kNotLeaderOrFollower);
  CHECK_EQ(node.answer(second).error(), ErrorCode::kNotLeaderOrFollower);
  CHECK(!exists(node.at(0).io(), "/data/t-0"));
}

TEST("partition: flush: a follower's cut fails what waited, and its log is synced anew") {
  Slow node(1);
  const uint32_t sent = node.send();
  CHECK(node.partition(0).follow(node.at(0), 4, 2));
  CHECK(!node.answer(sent).is_answered);
  Flushed verb;
  verb.ask(node);
  CHECK_EQ(node.partition(0).truncate(node.at(0), 4, 0), ErrorCode::kNone);
  CHECK_EQ(node.answer(sent).error(), ErrorCode::kNotLeaderOrFollower);
  node.release();
  CHECK_EQ(verb.answers, 1);
  CHECK_EQ(verb.error, ErrorCode::kNone);
  CHECK_EQ(node.recovery_point(), 0);
}

TEST("partition: flush: flush.ms syncs what has waited so long, without a wait for others") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) { o->config.flush_ms = 1000; });
  CHECK_EQ(produce(node, {9, 1, 1000, {{"t", 0, batch_of(node, 1)}}, ""}).offset(), 0);
  node.partition(0).flush_when_due(node.at(0));
  node.partition(0).maintain(node.at(0));
  node.run();
  CHECK_EQ(node.partition(0).log().recovery_point(), 0);
  node.advance_ms(1000);
  node.at(0).holds_lent = true;
  node.partition(0).flush_when_due(node.at(0));
  node.partition(0).maintain(node.at(0));
  CHECK_EQ(produce(node, {9, 1, 1000, {{"t", 0, batch_of(node, 1)}}, ""}).offset(), 1);
  node.at(0).holds_lent = false;
  node.run();
  CHECK_EQ(node.partition(0).log().recovery_point(), 1);
}

TEST("partition: flush: what a kill left unsynced counts for flush.ms too") {
  Node node;
  node.simple_topic();
  CHECK_EQ(produce(node, {9, 1, 1000, {{"t", 0, batch_of(node, 1)}}, ""}).offset(), 0);
  node.partition(0).retire(node.at(0), false, false);
  node.partitions.erase(0);
  CHECK_OK(node.open(0, "t", 0, [](PartitionOptions* o) { o->config.flush_ms = 1000; }));
  CHECK_EQ(node.partition(0).log().recovery_point(), 0);
  node.advance_ms(1000);
  node.partition(0).flush_when_due(node.at(0));
  node.partition(0).maintain(node.at(0));
  node.run();
  CHECK_EQ(node.partition(0).log().recovery_point(), 1);
}

}  // namespace

RUN_TESTS()
