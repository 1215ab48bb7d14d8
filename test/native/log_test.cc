// Log: append, roll, read, truncate, delete, find by time, on real files.
#include "../../native/log/log.h"

#include <numeric>

#include "../../native/io/epoll.h"
#include "../../native/log/files.h"
#include "../../native/log/txn_index.h"
#include "log_fixture.h"
#include "temp_directory.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

struct Fixture {
  TempDirectory root;
  std::unique_ptr<Io> io = make_epoll_io();
  std::unique_ptr<Log> log;
  Log::Recovery recovery;
  Log::Options options;

  explicit Fixture(const LogConfig& config = {}) {
    options.directory = root.file("topic-0");
    options.config = config;
    open();
  }
  ~Fixture() {
    if (log != nullptr) CHECK_OK(log->close(*io, false));
  }
  void open() { CHECK_OK(Log::open(*io, options, &log, &recovery)); }
  void reopen(bool clean) {
    CHECK_OK(log->close(*io, clean));
    options.recovery_point = log->recovery_point();
    options.log_start_offset = log->log_start_offset();
    options.clean_shutdown = clean;
    log.reset();
    open();
  }
  void fill(int64_t from, int64_t to, size_t bytes = 100, int64_t timestamp = 1000) {
    for (int64_t offset = from; offset < to; offset += 1) {
      CHECK_OK(append(*io, *log, sized_batch(offset, bytes, timestamp + offset)));
    }
  }
  std::vector<int64_t> all() {
    return read_offsets(*io, *log, log->log_start_offset(), log->log_end_offset());
  }
  std::vector<int64_t> bases() {
    std::vector<SegmentFacts> facts;
    log->segments(*io, &facts);
    std::vector<int64_t> bases;
    for (const SegmentFacts& fact : facts) bases.push_back(fact.base_offset);
    return bases;
  }
  OffsetAndTimestamp at_time(int64_t timestamp) {
    OffsetAndTimestamp found;
    CHECK_OK(log->find_by_timestamp(*io, timestamp, INT64_MAX, &found));
    return found;
  }
};

std::vector<int64_t> range(int64_t from, int64_t to) {
  std::vector<int64_t> numbers(static_cast<size_t>(to - from));
  std::iota(numbers.begin(), numbers.end(), from);
  return numbers;
}

}  // namespace

TEST("log: append and read: what went in comes out") {
  Fixture f;
  CHECK_EQ(f.log->log_end_offset(), 0);
  f.fill(0, 300);
  CHECK_EQ(f.log->log_end_offset(), 300);
  CHECK(f.all() == range(0, 300));
  CHECK(read_offsets(*f.io, *f.log, 250, 300, 1) == range(250, 300));
  CHECK(read_offsets(*f.io, *f.log, 17, 40, 500) == range(17, 40));
}

TEST("log: read: limits of offset and size") {
  Fixture f;
  f.fill(0, 50);
  const int64_t batch_bytes = static_cast<int64_t>(sized_batch(10, 100).size());
  ReadSlice slice;
  CHECK_OK(f.log->read(*f.io, 10, 50, batch_bytes * 3 + 5, false, &slice));
  CHECK_EQ(slice.bytes(), batch_bytes * 3);
  CHECK_OK(f.log->read(*f.io, 10, 50, 5, false, &slice));
  CHECK(!slice);
  CHECK_OK(f.log->read(*f.io, 10, 50, 5, true, &slice));
  CHECK_EQ(slice.bytes(), batch_bytes);
  CHECK_OK(f.log->read(*f.io, 10, 12, 1 << 20, true, &slice));
  CHECK_EQ(slice.bytes(), batch_bytes * 2);
  CHECK_OK(f.log->read(*f.io, 50, 50, 1 << 20, true, &slice));
  CHECK(!slice);
  CHECK_EQ(f.log->read(*f.io, 51, 60, 1 << 20, true, &slice).code, Code::kOutOfRange);
  CHECK_EQ(f.log->read(*f.io, -1, 60, 1 << 20, true, &slice).code, Code::kOutOfRange);
}

TEST("log: append: an op of several batches rolls between them") {
  LogConfig config;
  config.segment_bytes_max = 1000;
  Fixture f(config);
  std::vector<std::vector<uint8_t>> batches;
  for (int64_t offset = 0; offset < 40; offset += 1) batches.push_back(sized_batch(offset, 100));
  CHECK_OK(append(*f.io, *f.log, batches));
  CHECK_EQ(f.log->log_end_offset(), 40);
  CHECK(f.bases().size() > 4);
  CHECK(f.all() == range(0, 40));
  f.reopen(true);
  CHECK(f.all() == range(0, 40));
  CHECK_EQ(f.recovery.segments_recovered, 0);
  f.reopen(false);
  CHECK(f.all() == range(0, 40));
}

TEST("log: append: offsets below the end are refused and change nothing") {
  Fixture f;
  f.fill(0, 5);
  CHECK_EQ(append(*f.io, *f.log, sized_batch(4, 100)).code, Code::kInvalid);
  CHECK_EQ(append(*f.io, *f.log, {sized_batch(5, 100), sized_batch(5, 100)}).code, Code::kInvalid);
  CHECK_EQ(f.log->log_end_offset(), 5);
  f.fill(5, 6);
  CHECK(f.all() == range(0, 6));
}

TEST("log: append: a gap in offsets is kept, reads in it begin at the next batch") {
  Fixture f;
  f.fill(0, 3);
  f.fill(1000, 1003);
  CHECK_EQ(f.log->log_end_offset(), 1003);
  CHECK(read_offsets(*f.io, *f.log, 500, 1003) == range(1000, 1003));
  f.reopen(false);
  CHECK(read_offsets(*f.io, *f.log, 500, 1003) == range(1000, 1003));
}

TEST("log: roll: relative offsets that do not fit begin a new segment") {
  Fixture f;
  f.fill(0, 3);
  const int64_t far = int64_t{INT32_MAX} + 4;
  f.fill(far, far + 2);
  CHECK((f.bases() == std::vector<int64_t>{0, far}));
  f.fill(far + 2, far + 4);
  CHECK((f.bases() == std::vector<int64_t>{0, far}));
  CHECK(read_offsets(*f.io, *f.log, 2, far + 4).size() == 5);
}

TEST("log: roll: by the index being full") {
  LogConfig config;
  config.index_interval_bytes = 10;
  config.segment_index_bytes_max = 120;  // 15 entries, 9 times
  Fixture f(config);
  f.fill(0, 40);
  CHECK((f.bases() == std::vector<int64_t>{0, 10, 20, 30}));
}

TEST("log: roll: by time, of the first batch against the next") {
  LogConfig config;
  config.segment_ms = 1000;
  Fixture f(config);
  CHECK_OK(append(*f.io, *f.log, sized_batch(0, 100, 5000)));
  CHECK_OK(append(*f.io, *f.log, sized_batch(1, 100, 6000)));
  CHECK_OK(append(*f.io, *f.log, sized_batch(2, 100, 6001)));
  CHECK((f.bases() == std::vector<int64_t>{0, 2}));
  f.reopen(true);
  CHECK_OK(append(*f.io, *f.log, sized_batch(3, 100, 7001)));
  CHECK_OK(append(*f.io, *f.log, sized_batch(4, 100, 7002)));
  CHECK((f.bases() == std::vector<int64_t>{0, 2, 4}));
}

TEST("log: roll: timestamps at the ends of their range do not trap") {
  Fixture f;
  const int64_t low = INT64_MIN, high = INT64_MAX;
  int64_t offset = 0;
  for (const int64_t timestamp : {int64_t{5}, low, high, low, int64_t{-1}, high}) {
    std::vector<uint8_t> batch = sized_batch(offset, 50);
    set_max_timestamp(batch.data(), true, timestamp);
    CHECK_OK(append(*f.io, *f.log, batch));
    offset += 1;
  }
  CHECK(f.all() == range(0, offset));
  CHECK_EQ(f.at_time(high).offset, 2);
  f.reopen(false);
  CHECK(f.all() == range(0, offset));
}

TEST("log: roll: announced before the first batch of the segment, once") {
  LogConfig config;
  config.segment_bytes_max = 500;
  Fixture f(config);
  std::vector<int64_t> rolled;
  f.log->on_roll(
      [](void* into, int64_t base) { static_cast<std::vector<int64_t>*>(into)->push_back(base); },
      &rolled);
  f.fill(0, 7);
  CHECK((rolled == std::vector<int64_t>{2, 4, 6}));
  CHECK_OK(f.log->roll(*f.io, 7));
  CHECK_OK(f.log->roll(*f.io, 7));
  CHECK((rolled == std::vector<int64_t>{2, 4, 6, 7}));
  CHECK_EQ(f.log->roll(*f.io, 6).code, Code::kInvalid);
}

TEST("log: segment: preallocation is given back at roll and close") {
  LogConfig config;
  config.segment_bytes_max = 200000;
  Fixture f(config);
  std::atomic<int64_t> budget{1 << 20};
  CHECK_OK(f.log->close(*f.io, true));
  f.options.preallocation_budget = &budget;
  f.open();
  f.fill(0, 300, 1000);
  CHECK(budget.load() < (1 << 20));
  std::vector<SegmentFacts> facts;
  f.log->segments(*f.io, &facts);
  for (const SegmentFacts& fact : facts) {
    FileInfo info;
    CHECK_OK(f.io->stat(segment_path(f.options.directory, fact.base_offset, ".log"), &info));
    CHECK_EQ(info.bytes, fact.bytes);
  }
  CHECK_OK(f.log->close(*f.io, true));
  CHECK_EQ(budget.load(), 1 << 20);
}

TEST("log: truncate: whole batches go, and the log goes on from there") {
  LogConfig config;
  config.segment_bytes_max = 1000;
  config.index_interval_bytes = 100;
  Fixture f(config);
  f.fill(0, 50);
  for (const int64_t offset : {49, 31, 30, 6, 1, 0}) {
    const uint64_t generation = f.log->generation();
    CHECK_OK(f.log->truncate_to(*f.io, offset));
    CHECK(f.log->generation() > generation);
    CHECK_EQ(f.log->log_end_offset(), offset);
    CHECK(f.all() == range(0, offset));
    CHECK_EQ(f.log->max_timestamp(), offset == 0 ? -1 : 1000 + offset - 1);
    f.fill(offset, offset + 3);
    CHECK(f.all() == range(0, offset + 3));
    f.reopen(offset % 2 == 0);
    CHECK(f.all() == range(0, offset + 3));
  }
}

TEST("log: truncate: an offset inside a batch drops the batch") {
  Fixture f;
  BatchOptions options;
  CHECK_OK(append(*f.io, *f.log, make_batch({{1, "a", false, ""}, {2, "b", false, ""}}, options)));
  options.base_offset = 2;
  CHECK_OK(append(*f.io, *f.log, make_batch({{3, "c", false, ""}, {4, "d", false, ""}}, options)));
  CHECK_OK(f.log->truncate_to(*f.io, 3));
  CHECK_EQ(f.log->log_end_offset(), 2);
  CHECK_EQ(f.log->max_timestamp(), 2);
}

TEST("log: truncate: fully, to start elsewhere") {
  LogConfig config;
  config.segment_bytes_max = 1000;
  Fixture f(config);
  f.fill(0, 50);
  CHECK_OK(f.log->truncate_fully_and_start_at(*f.io, 500));
  CHECK_EQ(f.log->log_start_offset(), 500);
  CHECK_EQ(f.log->log_end_offset(), 500);
  CHECK_EQ(f.log->bytes(), 0);
  f.fill(500, 510);
  CHECK_OK(f.log->truncate_to(*f.io, 400));
  CHECK_EQ(f.log->log_end_offset(), 400);
  f.fill(400, 410);
  f.reopen(false);
  CHECK(f.all() == range(400, 410));
}

TEST("log: front: whole segments go, a start inside one is kept") {
  LogConfig config;
  config.segment_bytes_max = 500;
  Fixture f(config);
  f.fill(0, 20);
  ReadSlice held;
  CHECK_OK(f.log->read(*f.io, 0, 20, 1 << 20, true, &held));
  const std::vector<uint8_t> before = slice_bytes(*f.io, held);
  CHECK_OK(f.log->set_log_start_offset(*f.io, 7));
  CHECK_EQ(f.log->log_start_offset(), 7);
  CHECK_EQ(f.bases().front(), 6);
  CHECK(!exists(*f.io, f.options.directory + "/00000000000000000000.log"));
  CHECK(!exists(*f.io, f.options.directory + "/00000000000000000000.log.deleted"));
  CHECK(f.all() == range(7, 20));
  CHECK(slice_bytes(*f.io, held) == before);
  ReadSlice gone;
  CHECK_EQ(f.log->read(*f.io, 6, 20, 1 << 20, true, &gone).code, Code::kOutOfRange);
  CHECK_EQ(f.log->set_log_start_offset(*f.io, 21).code, Code::kOutOfRange);
  CHECK_OK(f.log->set_log_start_offset(*f.io, 20));
  CHECK_EQ(f.bases().size(), 1);
  held = ReadSlice();
  f.reopen(true);
  CHECK_EQ(f.log->log_start_offset(), 20);
  CHECK_EQ(f.log->log_end_offset(), 20);
}

TEST("log: time: the first record at or after, inside batches of every codec") {
  for (int codec = 0; codec <= 4; codec += 1) {
    LogConfig config;
    config.segment_bytes_max = 700;
    config.index_interval_bytes = 60;
    Fixture f(config);
    int64_t offset = 0;
    for (int batch = 0; batch < 30; batch += 1) {
      std::vector<TestRecord> records;
      for (int i = 0; i < 4; i += 1)
        records.push_back({1000 + 10 * (offset + i), "value", false, ""});
      BatchOptions options;
      options.base_offset = offset;
      options.codec = codec;
      options.leader_epoch = 3;
      CHECK_OK(append(*f.io, *f.log, make_batch(records, options)));
      offset += 4;
    }
    for (int64_t target = 990; target < 1000 + 10 * 120; target += 7) {
      const int64_t expected = target <= 1000 ? 0 : (target - 1000 + 9) / 10;
      const OffsetAndTimestamp found = f.at_time(target);
      CHECK_EQ(found.offset, expected < 120 ? expected : -1);
      if (found.offset >= 0) CHECK_EQ(found.timestamp, 1000 + 10 * expected);
      if (found.offset >= 0) CHECK_EQ(found.leader_epoch, 3);
    }
    CHECK_EQ(f.at_time(1000 + 10 * 120).offset, -1);
    OffsetAndTimestamp found;
    CHECK_OK(f.log->find_by_timestamp(*f.io, 1500, 50, &found));
    CHECK_EQ(found.offset, -1);
    CHECK_OK(f.log->find_max_timestamp(*f.io, &found));
    CHECK_EQ(found.offset, 119);
    CHECK_OK(f.log->set_log_start_offset(*f.io, 42));
    CHECK_EQ(f.at_time(0).offset, 42);
  }
}

TEST("log: time: the largest timestamp is the first record that has it") {
  LogConfig config;
  config.segment_bytes_max = 400;
  Fixture f(config);
  OffsetAndTimestamp found;
  CHECK_OK(f.log->find_max_timestamp(*f.io, &found));
  CHECK_EQ(found.offset, -1);
  int64_t offset = 0;
  for (const int64_t timestamp : {10, 50, 90, 20, 90, 30, 89, 1}) {
    CHECK_OK(append(*f.io, *f.log, sized_batch(offset, 80, timestamp)));
    offset += 1;
  }
  CHECK_OK(f.log->find_max_timestamp(*f.io, &found));
  CHECK_EQ(found.offset, 2);
  CHECK_EQ(found.timestamp, 90);
  CHECK_EQ(f.at_time(60).offset, 2);
  f.reopen(true);
  CHECK_OK(f.log->find_max_timestamp(*f.io, &found));
  CHECK_EQ(found.offset, 2);
}

TEST("log: time: a batch that does not unpack answers with its first offset") {
  Fixture f;
  BatchOptions options;
  options.codec = 4;
  std::vector<uint8_t> batch = make_batch({{100, "a", false, ""}, {200, "b", false, ""}}, options);
  std::fill(batch.begin() + kBatchHeaderBytes, batch.end(), uint8_t{0x55});
  refresh_crc(&batch);
  CHECK_OK(append(*f.io, *f.log, batch));
  CHECK_EQ(f.at_time(150).offset, 0);
  CHECK_EQ(f.at_time(201).offset, -1);
}

TEST("log: scan: every batch that touches the range, markers with their records") {
  LogConfig config;
  config.segment_bytes_max = 600;
  Fixture f(config);
  f.fill(0, 10);
  BatchOptions options;
  options.base_offset = 10;
  options.more_attributes = 0x30;
  CHECK_OK(append(*f.io, *f.log, make_batch({{5, "marker", true, "k"}}, options)));
  f.fill(11, 14);
  std::vector<int64_t> seen;
  const BatchVisitor visitor{
      [](void* into, const RecordBatch& batch) {
        static_cast<std::vector<int64_t>*>(into)->push_back(batch.base_offset());
        if (batch.is_control()) CHECK(batch.has_records());
      },
      &seen};
  CHECK_OK(f.log->scan(*f.io, 3, 13, visitor));
  CHECK(seen == range(3, 13));
}

TEST("log: transactions: aborted ranges are found across segments and cut with the log") {
  LogConfig config;
  config.segment_bytes_max = 500;
  Fixture f(config);
  f.fill(0, 12);
  CHECK_OK(f.log->append_aborted(*f.io, {7, 1, 2, 1}));
  CHECK_OK(f.log->append_aborted(*f.io, {8, 0, 7, 3}));
  CHECK_OK(f.log->append_aborted(*f.io, {8, 0, 7, 3}));  // a replay adds nothing
  std::vector<AbortedTransaction> found;
  CHECK_OK(f.log->collect_aborted(*f.io, 0, 12, &found));
  CHECK_EQ(found.size(), 2);
  CHECK_OK(f.log->collect_aborted(*f.io, 4, 12, &found));
  CHECK_EQ(found.size(), 1);
  CHECK_EQ(found[0].producer_id, 8);
  f.reopen(true);
  CHECK_OK(f.log->collect_aborted(*f.io, 0, 12, &found));
  CHECK_EQ(found.size(), 2);
  CHECK_OK(f.log->truncate_to(*f.io, 7));
  CHECK_OK(f.log->collect_aborted(*f.io, 0, 12, &found));
  CHECK_EQ(found.size(), 1);
}

TEST("log: flush: moves the recovery point, in steps too, and not across a truncation") {
  LogConfig config;
  config.segment_bytes_max = 500;
  Fixture f(config);
  f.fill(0, 10);
  CHECK_EQ(f.log->recovery_point(), 0);
  CHECK_OK(f.log->flush(*f.io, 7));
  CHECK_EQ(f.log->recovery_point(), 7);
  CHECK_OK(f.log->flush(*f.io, INT64_MAX));
  CHECK_EQ(f.log->recovery_point(), 10);
  std::unique_ptr<FlushJob> job;
  CHECK_OK(f.log->flush_begin(*f.io, 10, &job));
  CHECK(job == nullptr);
  f.fill(10, 14);
  CHECK_OK(f.log->flush_begin(*f.io, 14, &job));
  REQUIRE(job != nullptr);
  CHECK_OK(f.log->truncate_to(*f.io, 9));
  const Status ran = Log::flush_run(*f.io, job.get());
  CHECK_OK(ran);
  CHECK_OK(f.log->flush_end(std::move(job), ran));
  CHECK_EQ(f.log->recovery_point(), 9);
}

TEST("log: remove: renamed, then gone; a slice still reads") {
  LogConfig config;
  config.segment_bytes_max = 500;
  Fixture f(config);
  f.fill(0, 10);
  ReadSlice held;
  CHECK_OK(f.log->read(*f.io, 0, 10, 1 << 20, true, &held));
  const std::vector<uint8_t> before = slice_bytes(*f.io, held);
  CHECK_OK(f.log->remove(*f.io));
  std::vector<std::string> names;
  CHECK_OK(f.io->list(f.root.path(), &names));
  CHECK(names.empty());
  CHECK(!before.empty() && slice_bytes(*f.io, held) == before);
  CHECK_EQ(append(*f.io, *f.log, sized_batch(10, 10)).code, Code::kClosed);
}

RUN_TESTS()
