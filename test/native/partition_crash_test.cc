// Partition: dies at every operation of the disk and opens again: what was acknowledged is there,
// once and in order.
#include "request_fixture.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

constexpr int64_t kProducer = 5;

// Produces until the world dies; how many batches of one record were acknowledged.
int32_t run_until_death(Node& node, bool is_synced, int32_t batches) {
  const Status opened = node.open(0, "t", 0, [&](PartitionOptions* o) {
    o->config.log.segment_bytes_max = 600;
    o->config.flush_messages = is_synced ? 1 : INT64_MAX;
  });
  if (!opened.ok() || !node.lead(0, 1, {1}, {1})) return 0;
  node.route(10, "t", {0});
  for (int32_t i = 0; i < batches; i += 1) {
    const ProduceBody body{9, 1, 1000, {{"t", 0, sequenced(node, kProducer, 0, i)}}, ""};
    if (produce(node, body).error() != ErrorCode::kNone) return i;
  }
  return batches;
}

// Opens what is left and reads it all.
void check_survivors(SimWorld* world, int32_t acknowledged, int32_t batches) {
  Node again(world);
  const Status opened = again.open(0, "t", 0);
  REQUIRE(opened.ok());
  REQUIRE(again.lead(0, 9, {1}, {1}));
  again.route(10, "t", {0});
  const int64_t end = again.partition(0).log_end_offset();
  CHECK(end >= acknowledged);
  CHECK(end <= batches);
  int64_t next = 0;
  while (next < end) {
    const FetchAnswer answer = fetch(again, {.parts = {{"t", 0, next}}, .forgotten = {}});
    const std::vector<int64_t> offsets = answer.offsets();
    REQUIRE(!offsets.empty());
    for (const int64_t offset : offsets) CHECK_EQ(offset, next++);
  }
  // The producer goes on where the log ends: its state came back with the records.
  const ProduceBody gap{
      9, 1, 1000, {{"t", 0, sequenced(again, kProducer, 0, static_cast<int32_t>(end) + 1)}}, ""};
  const ProduceBody follows{
      9, 1, 1000, {{"t", 0, sequenced(again, kProducer, 0, static_cast<int32_t>(end))}}, ""};
  if (end > 0) CHECK_EQ(produce(again, gap).error(), ErrorCode::kOutOfOrderSequenceNumber);
  CHECK_EQ(produce(again, follows).offset(), end);
}

void die_everywhere(SimDeath death, bool is_synced) {
  constexpr int32_t kBatches = 12;
  uint64_t operations = 0;
  {
    Node node;
    CHECK_EQ(run_until_death(node, is_synced, kBatches), kBatches);
    operations = node.world.operations();
  }
  for (uint64_t at = 1; at <= operations; at += 1) {
    SimWorld world(at);
    int32_t acknowledged = 0;
    {
      Node node(&world);
      if (at <= world.operations()) continue;  // before there is a data directory
      world.die_at(at, death);
      acknowledged = run_until_death(node, is_synced, kBatches);
      if (!world.is_dead()) world.die(death);
    }
    world.restart();
    check_survivors(&world, acknowledged, kBatches);
  }
}

TEST("partition: crash: a kill at any operation loses nothing that was acknowledged") {
  die_everywhere(SimDeath::kKill, false);
}

TEST("partition: crash: with flush.messages=1 a loss of power loses nothing either") {
  die_everywhere(SimDeath::kPower, true);
}

}  // namespace

RUN_TESTS()
