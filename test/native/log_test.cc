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

RUN_TESTS()
