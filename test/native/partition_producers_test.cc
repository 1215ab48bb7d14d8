// Producers: sequence checks against written and staged batches, and the table under them.
#include "../../native/partition/producers.h"

#include "test.h"

namespace ottla {
namespace {

ProducerBatch batch(int64_t id, int16_t epoch, int32_t sequence, int32_t count, int64_t offset) {
  ProducerBatch b;
  b.producer_id = id;
  b.producer_epoch = epoch;
  b.first_sequence = sequence;
  b.last_sequence = sequence_plus(sequence, count - 1);
  b.first_offset = offset;
  b.last_offset = offset + count - 1;
  b.timestamp = 1000 + offset;
  return b;
}

SequenceCheck check(const Producers& producers, const ProducerBatch& b) {
  CachedBatch duplicate;
  return producers.check(b, &duplicate);
}

TEST("producers: an unknown producer may begin anywhere") {
  Producers p;
  CHECK(check(p, batch(7, 0, 40, 3, 0)) == SequenceCheck::kAppend);
  p.replay(batch(7, 0, 40, 3, 0));
  CHECK(check(p, batch(7, 0, 43, 1, 3)) == SequenceCheck::kAppend);
  CHECK(check(p, batch(7, 0, 44, 1, 3)) == SequenceCheck::kOutOfOrder);
}

TEST("producers: five batches are remembered, a sixth back is out of order") {
  Producers p;
  for (int i = 0; i < 6; i += 1) p.replay(batch(1, 0, i * 2, 2, i * 2));
  CachedBatch duplicate;
  CHECK(p.check(batch(1, 0, 2, 2, 99), &duplicate) == SequenceCheck::kDuplicate);
  CHECK_EQ(duplicate.first_offset(), 2);
  CHECK_EQ(duplicate.timestamp, 1002);
  CHECK(check(p, batch(1, 0, 0, 2, 99)) == SequenceCheck::kOutOfOrder);
  CHECK(check(p, batch(1, 0, 2, 1, 99)) == SequenceCheck::kOutOfOrder);
}

TEST("producers: epochs only grow and start at sequence 0") {
  Producers p;
  p.replay(batch(1, 5, 0, 1, 0));
  CHECK(check(p, batch(1, 4, 1, 1, 1)) == SequenceCheck::kStaleEpoch);
  CHECK(check(p, batch(1, 6, 1, 1, 1)) == SequenceCheck::kOutOfOrder);
  CHECK(check(p, batch(1, 6, 0, 1, 1)) == SequenceCheck::kAppend);
  p.stage(batch(1, 6, 0, 1, 1));
  CHECK(check(p, batch(1, 5, 1, 1, 2)) == SequenceCheck::kStaleEpoch);
}

TEST("producers: sequences wrap at 2^31") {
  Producers p;
  p.replay(batch(1, 0, INT32_MAX - 1, 2, 0));
  CHECK(check(p, batch(1, 0, 0, 1, 2)) == SequenceCheck::kAppend);
  p.replay(batch(1, 0, 0, 1, 2));
  CHECK(check(p, batch(1, 0, INT32_MAX - 1, 2, 9)) == SequenceCheck::kDuplicate);
  Producers q;
  q.replay(batch(1, 0, INT32_MAX, 3, 0));  // crosses the end: INT32_MAX, 0, 1
  CHECK_EQ(q.find(1)->last_sequence(), 1);
  CHECK(check(q, batch(1, 0, INT32_MAX, 3, 9)) == SequenceCheck::kDuplicate);
}

TEST("producers: staged batches count, and are forgotten when their write fails") {
  Producers p;
  p.replay(batch(1, 0, 0, 1, 0));
  p.stage(batch(1, 0, 1, 2, 1));
  p.stage(batch(2, 0, 0, 1, 3));
  p.stage(batch(1, 0, 3, 1, 4));
  CachedBatch duplicate;
  CHECK(p.check(batch(1, 0, 1, 2, 9), &duplicate) == SequenceCheck::kDuplicate);
  CHECK_EQ(duplicate.first_offset(), 1);
  CHECK(check(p, batch(1, 0, 4, 1, 5)) == SequenceCheck::kAppend);
  p.commit(4);
  CHECK_EQ(p.staged(), size_t{1});
  CHECK_EQ(p.find(1)->last_sequence(), 2);
  CHECK(check(p, batch(1, 0, 4, 1, 5)) == SequenceCheck::kAppend);
  p.stage(batch(3, 0, 0, 1, 5));
  p.rollback();
  CHECK_EQ(p.staged(), size_t{0});
  CHECK(p.find(3) == nullptr);
  CHECK(check(p, batch(1, 0, 3, 1, 4)) == SequenceCheck::kAppend);
  CHECK(check(p, batch(1, 0, 4, 1, 4)) == SequenceCheck::kOutOfOrder);
}

TEST("producers: a snapshot holds what lies below its offset") {
  Producers p;
  p.replay(batch(1, 0, 0, 1, 0));
  p.stage(batch(1, 0, 1, 1, 1));
  p.stage(batch(1, 1, 0, 1, 2));
  p.stage(batch(2, 0, 0, 1, 3));
  std::vector<ProducerEntry> rows;
  p.collect(2, &rows);
  REQUIRE(rows.size() == 1);
  CHECK_EQ(rows[0].producer_epoch, 0);
  CHECK_EQ(rows[0].last_sequence(), 1);
  p.collect(4, &rows);
  REQUIRE(rows.size() == 2);
  CHECK_EQ(rows[0].producer_epoch, 1);
  CHECK_EQ(rows[0].batch_count, 1);
}

TEST("producers: expiry forgets the idle, keeps open transactions, and the table stays whole") {
  Producers p;
  for (int64_t id = 0; id < 2000; id += 1) p.replay(batch(id * 7919, 0, 0, 1, id));
  ProducerBatch open = batch(13, 0, 0, 1, 5);
  open.is_transactional = true;
  open.timestamp = 0;
  p.replay(open);
  CHECK_EQ(p.first_unstable_offset(), 5);
  p.expire(1000 + 1500, 500);  // idle: timestamp <= 2000, that is offsets up to 1000
  CHECK_EQ(p.count(), 1000u);
  for (int64_t id = 0; id < 2000; id += 1) {
    if ((p.find(id * 7919) != nullptr) != (id > 1000)) CHECK_EQ(id, -1);
  }
  CHECK(p.find(13) != nullptr);
  ProducerBatch marker = batch(13, 0, 0, 1, 6);
  marker.is_marker = true;
  marker.coordinator_epoch = 3;
  CompletedTransaction ended;
  CHECK(p.replay_marker(marker, &ended));
  CHECK_EQ(ended.first_offset, 5);
  CHECK(ended.is_aborted);
  CHECK_EQ(ended.last_stable_offset, 7);
  CHECK_EQ(p.first_unstable_offset(), -1);
  CHECK_EQ(p.find(13)->coordinator_epoch, 3);
}

}  // namespace
}  // namespace ottla

RUN_TESTS()
