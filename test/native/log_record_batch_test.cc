// RecordBatch: every rule of LogValidator that a header or a record can break, and the patches.
#include "../../native/log/record_batch.h"

#include "log_fixture.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

const std::vector<TestRecord> kThree{
    {100, "a", true, "k"}, {200, "bb", true, ""}, {150, "", true, "k3"}};

BatchVerdict judge(const std::vector<uint8_t>& bytes, const BatchRules& rules = {}) {
  RecordBatch batch;
  const Verdict first = first_batch(bytes, &batch);
  if (first != Verdict::kValid) return {first, "", {}};
  BatchVerdict verdict = validate_batch(batch, rules);
  if (!verdict.valid() || batch.compression() != 0) return verdict;
  RecordsWalk walk;
  return validate_records(batch, batch.records(), rules, &walk);
}

// The batch with one field changed and its CRC made right again.
template <typename Change>
std::vector<uint8_t> changed(std::vector<uint8_t> batch, const Change& change) {
  change(batch.data());
  refresh_crc(&batch);
  return batch;
}

}  // namespace

TEST("log: record batch: fields are where Kafka has them") {
  BatchOptions options;
  options.base_offset = 77;
  options.leader_epoch = 5;
  options.producer_id = 9;
  options.producer_epoch = 3;
  options.base_sequence = 42;
  options.more_attributes = 0x10;
  const std::vector<uint8_t> bytes = make_batch(kThree, options);
  RecordBatch batch;
  REQUIRE(first_batch(bytes, &batch) == Verdict::kValid);
  CHECK_EQ(batch.base_offset(), 77);
  CHECK_EQ(batch.last_offset(), 79);
  CHECK_EQ(batch.leader_epoch(), 5);
  CHECK_EQ(batch.max_timestamp(), 200);
  CHECK_EQ(batch.base_timestamp(), 100);
  CHECK_EQ(batch.producer_id(), 9);
  CHECK_EQ(batch.producer_epoch(), 3);
  CHECK_EQ(batch.base_sequence(), 42);
  CHECK_EQ(batch.records_count(), 3);
  CHECK(batch.is_transactional() && !batch.is_control() && !batch.is_log_append_time());
  CHECK_EQ(batch.computed_crc(), batch.crc());
}

TEST("log: record batch: cut anywhere it is corrupt, never read beyond") {
  const std::vector<uint8_t> whole = make_batch(kThree);
  CHECK(judge(whole).valid());
  for (size_t bytes = 0; bytes < whole.size(); bytes += 1) {
    const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(bytes));
    CHECK(judge(cut).verdict == Verdict::kCorruptMessage);
  }
}

TEST("log: record batch: a flipped bit under the CRC is seen") {
  const std::vector<uint8_t> whole = make_batch(kThree);
  for (size_t at = batch_layout::kCrc; at < whole.size(); at += 1) {
    std::vector<uint8_t> damaged = whole;
    damaged[at] ^= 0x04;
    CHECK(judge(damaged).verdict == Verdict::kCorruptMessage);
  }
}

TEST("log: record batch: what a client may not send") {
  const std::vector<uint8_t> good = make_batch(kThree);
  const auto expect = [&](Verdict verdict, auto change) {
    CHECK(judge(changed(good, change)).verdict == verdict);
  };
  expect(Verdict::kInvalidRecord,
         [](uint8_t* b) { store_i32(b + batch_layout::kRecordsCount, 0); });
  expect(Verdict::kInvalidRecord,
         [](uint8_t* b) { store_i32(b + batch_layout::kRecordsCount, 4); });
  expect(Verdict::kInvalidRecord,
         [](uint8_t* b) { store_i32(b + batch_layout::kRecordsCount, INT32_MIN); });
  expect(Verdict::kInvalidRecord,
         [](uint8_t* b) { store_i32(b + batch_layout::kLastOffsetDelta, -1); });
  expect(Verdict::kInvalidRecord,
         [](uint8_t* b) { store_i32(b + batch_layout::kLastOffsetDelta, INT32_MAX); });
  expect(Verdict::kInvalidRecord,
         [](uint8_t* b) { store_i16(b + batch_layout::kAttributes, 0x20); });
  expect(Verdict::kInvalidRecord, [](uint8_t* b) { store_i64(b + batch_layout::kProducerId, 1); });
  expect(Verdict::kUnsupportedCompressionType,
         [](uint8_t* b) { store_i16(b + batch_layout::kAttributes, 5); });
  expect(Verdict::kUnsupportedForMessageFormat, [](uint8_t* b) { b[batch_layout::kMagic] = 1; });
  expect(Verdict::kCorruptMessage, [](uint8_t* b) { store_i32(b + batch_layout::kLength, -5); });
  expect(Verdict::kCorruptMessage, [](uint8_t* b) { store_i32(b + batch_layout::kLength, 40); });
  BatchRules rules;
  rules.bytes_max = static_cast<int64_t>(good.size()) - 1;
  CHECK(judge(good, rules).verdict == Verdict::kMessageTooLarge);
  rules = BatchRules{};
  rules.zstd_allowed = false;
  BatchOptions zstd;
  zstd.codec = 4;
  CHECK(judge(make_batch(kThree, zstd), rules).verdict == Verdict::kUnsupportedCompressionType);
  CHECK(judge(make_batch(kThree, zstd)).valid());
}

TEST("log: record batch: a broker may write what a client may not") {
  BatchRules rules;
  rules.origin = BatchOrigin::kCoordinator;
  BatchOptions marker;
  marker.more_attributes = 0x30;
  marker.producer_id = 1;
  CHECK(!judge(make_batch(kThree, marker)).valid());
  CHECK(judge(make_batch(kThree, marker), rules).valid());
}

TEST("log: record batch: timestamps against the topic's limits, each record named") {
  BatchRules rules;
  rules.now_ms = 1000;
  rules.timestamp_before_max_ms = 850;
  BatchVerdict verdict = judge(make_batch(kThree), rules);
  CHECK(verdict.verdict == Verdict::kInvalidTimestamp);
  REQUIRE(verdict.records.size() == 1);
  CHECK_EQ(verdict.records[0].index, 0);
  rules.timestamp_before_max_ms = 10000;
  rules.timestamp_after_max_ms = 50;
  CHECK(judge(make_batch({{1050, "x", false, ""}, {1051, "y", false, ""}}), rules).records.size() ==
        1);
  CHECK(judge(make_batch({{-1, "x", false, ""}}), rules).valid());
  BatchOptions packed;
  packed.codec = 1;
  CHECK(judge(make_batch({{1051, "x", false, ""}}, packed), rules).verdict ==
        Verdict::kInvalidTimestamp);
  rules.log_append_time = true;  // the broker stamps it: nothing to check
  CHECK(judge(make_batch({{9999, "y", false, ""}}), rules).valid());
  BatchOptions stamped;
  stamped.more_attributes = 0x08;
  CHECK(judge(make_batch({{9999, "y", false, ""}}, stamped), rules).verdict ==
        Verdict::kInvalidTimestamp);
  rules.now_ms = INT64_MIN;  // arithmetic wraps as Java's does and never traps
  (void)judge(make_batch({{INT64_MAX, "y", false, ""}}), rules);
}

TEST("log: record batch: compacted topics ask for keys") {
  BatchRules rules;
  rules.key_required = true;
  CHECK(judge(make_batch(kThree), rules).valid());
  const BatchVerdict verdict =
      judge(make_batch({{1, "a", true, "k"}, {1, "b", false, ""}, {1, "c", false, ""}}), rules);
  CHECK(verdict.verdict == Verdict::kInvalidRecord);
  REQUIRE(verdict.records.size() == 2);
  CHECK_EQ(verdict.records[1].index, 2);
}

TEST("log: record batch: records that do not fit their frames are refused") {
  const std::vector<uint8_t> good = make_batch({{1, "value", true, "key"}});
  for (size_t at = kBatchHeaderBytes; at < good.size(); at += 1) {
    const bool is_content = good[at] >= 'a' && good[at] <= 'z';
    if (is_content) continue;
    for (const int value : {0, 1, 0x7f, 0x80, 0xff}) {
      std::vector<uint8_t> damaged = good;
      if (damaged[at] == value) continue;
      damaged[at] = static_cast<uint8_t>(value);
      refresh_crc(&damaged);
      const BatchVerdict verdict = judge(damaged);
      // Record attributes and the timestamp are free to be anything that parses.
      if (at > static_cast<size_t>(kBatchHeaderBytes) + 2)
        CHECK(verdict.verdict == Verdict::kInvalidRecord);
    }
  }
  std::vector<uint8_t> longer = good;
  longer.push_back(0);
  store_i32(longer.data() + batch_layout::kLength,
            static_cast<int32_t>(longer.size()) - kBatchOverheadBytes);
  refresh_crc(&longer);
  CHECK(judge(longer).verdict == Verdict::kInvalidRecord);
}

TEST("log: record batch: patches of a leader") {
  std::vector<uint8_t> batch = make_batch(kThree);
  const uint32_t crc = RecordBatch(batch.data(), batch.size()).crc();
  set_base_offset(batch.data(), int64_t{1} << 40);
  set_leader_epoch(batch.data(), 99);
  const RecordBatch view(batch.data(), batch.size());
  CHECK_EQ(view.base_offset(), int64_t{1} << 40);
  CHECK_EQ(view.leader_epoch(), 99);
  CHECK_EQ(view.crc(), crc);
  CHECK(judge(batch).valid());
  set_max_timestamp(batch.data(), false, 200);
  CHECK_EQ(view.crc(), crc);
  set_max_timestamp(batch.data(), true, 5000);
  CHECK(view.is_log_append_time());
  CHECK_EQ(view.max_timestamp(), 5000);
  CHECK_EQ(view.computed_crc(), view.crc());
  CHECK(view.crc() != crc);
  RecordView record;
  REQUIRE(
      read_record(view.records().data(), view.records().data() + view.records().size(), &record));
  CHECK_EQ(record_timestamp(view, record), 5000);
  CHECK_EQ(as_text(record.key), "k");
  CHECK_EQ(as_text(record.value), "a");
}

RUN_TESTS()
