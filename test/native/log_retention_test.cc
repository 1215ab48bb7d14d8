// Retention: which segments go, as Kafka's UnifiedLog.deleteOldSegments picks them; and a log that
// dies at every operation of it.
#include "../../native/io/sim.h"
#include "../../native/log/files.h"
#include "../../native/log/log.h"
#include "log_fixture.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

constexpr int64_t kNow = 1'000'000;

// A log with a segment for each batch but the last, which is the active one.
struct Small {
  explicit Small(uint64_t seed = 1) : world(seed), io(world.make_io()) {
    options.directory = "/topic-0";
    options.config.segment_bytes_max = 150;
    options.config.preallocate_bytes_max = 0;
    open();
  }
  void open() { CHECK_OK(Log::open(*io, options, &log, nullptr)); }
  void add(int64_t timestamp, size_t bytes = 100) {
    CHECK_OK(append(*io, *log, sized_batch(log->log_end_offset(), bytes, timestamp)));
  }
  Retained retain(int64_t retention_ms, int64_t retention_bytes, int64_t high_watermark = -1,
                  int64_t segments_max = INT64_MAX) {
    Retention by;
    by.retention_ms = retention_ms;
    by.retention_bytes = retention_bytes;
    by.now_ms = kNow;
    by.end_offset = log->log_end_offset();
    by.high_watermark = high_watermark >= 0 ? high_watermark : by.end_offset;
    by.segments_max = segments_max;
    Retained retained;
    CHECK_OK(log->retain(*io, by, &retained));
    return retained;
  }
  std::vector<int64_t> bases() {
    std::vector<SegmentFacts> facts;
    log->segments(*io, &facts);
    std::vector<int64_t> all;
    for (const SegmentFacts& segment : facts) all.push_back(segment.base_offset);
    return all;
  }

  SimWorld world;
  std::unique_ptr<Io> io;
  Log::Options options;
  std::unique_ptr<Log> log;
};

using Bases = std::vector<int64_t>;

TEST("retention: by age: oldest first, up to the first that is young") {
  Small small;
  for (const int64_t age : {500, 400, 50, 400, 400}) small.add(kNow - age);
  CHECK_EQ(small.retain(400, -1).segments, 1);  // 400 is not more than 400
  CHECK_EQ(small.retain(399, -1).segments, 1);
  CHECK_EQ(small.log->log_start_offset(), 2);
  CHECK_EQ(small.retain(100, -1).segments, 0);
  CHECK(small.bases() == (Bases{2, 3, 4}));
}

TEST("retention: by age: a timestamp of the future keeps its segment and all behind it") {
  Small small;
  for (const int64_t at : {kNow + 10, int64_t{1}, int64_t{1}}) small.add(at);
  CHECK_EQ(small.retain(0, -1).segments, 0);
}

TEST("retention: by age: the active segment is rolled when all in it is old") {
  Small small;
  for (int i = 0; i < 3; i += 1) small.add(10);
  CHECK_EQ(small.retain(100, -1).segments, 3);
  CHECK(small.bases() == (Bases{3}));
  CHECK_EQ(small.log->log_start_offset(), 3);
  CHECK_EQ(small.log->log_end_offset(), 3);
  CHECK_EQ(small.retain(100, -1).segments, 0);  // an empty one stays
  small.add(kNow);
  CHECK_EQ(small.log->log_end_offset(), 4);
  CHECK(read_offsets(*small.io, *small.log, 3, 4) == (Bases{3}));
}

TEST("retention: by age: without timestamps the file's age counts") {
  Small small;
  small.world.set_wall_ms(kNow - 500);
  small.add(-1);
  small.world.set_wall_ms(kNow - 100);
  small.add(-1);
  small.add(-1);
  CHECK_EQ(small.retain(450, -1).segments, 1);
  CHECK_EQ(small.retain(90, -1).segments, 2);
}

TEST("retention: by size: as much goes as leaves the limit") {
  Small small;
  for (int i = 0; i < 4; i += 1) small.add(kNow);
  const int64_t each = small.log->bytes() / 4;
  CHECK_EQ(small.retain(-1, 4 * each + 1).segments, 0);
  CHECK_EQ(small.retain(-1, 4 * each).segments, 0);
  CHECK_EQ(small.retain(-1, 3 * each + 1).segments, 0);
  CHECK_EQ(small.retain(-1, 3 * each).segments, 1);
  CHECK_EQ(small.retain(-1, each).segments, 2);
  CHECK(small.bases() == (Bases{3}));
  CHECK_EQ(small.retain(-1, 0).segments, 1);  // the active one too
  CHECK(small.bases() == (Bases{4}));
}

TEST("retention: nothing that reaches the high watermark goes") {
  Small small;
  for (int i = 0; i < 4; i += 1) small.add(10);
  CHECK_EQ(small.retain(0, 0, 0).segments, 0);
  CHECK_EQ(small.retain(0, 0, 2).segments, 2);
  CHECK_EQ(small.retain(0, 0, 3).segments, 1);
  CHECK_EQ(small.retain(0, 0, 3).segments, 0);
  CHECK_EQ(small.log->log_start_offset(), 3);
}

TEST("retention: what lies below the log start goes at a start, whatever its age") {
  Small small;
  for (int i = 0; i < 4; i += 1) small.add(kNow);
  CHECK_OK(small.log->close(*small.io, true));
  small.options.log_start_offset = 2;  // deleted, and a loss of power brought the names back
  small.open();
  CHECK(small.bases() == (Bases{2, 3}));
  CHECK_EQ(small.log->log_start_offset(), 2);
  CHECK_EQ(small.retain(-1, -1).segments, 0);
}

TEST("retention: a few at a time, and says that more are due") {
  Small small;
  for (int i = 0; i < 5; i += 1) small.add(10);
  Retained retained = small.retain(0, -1, -1, 2);
  CHECK_EQ(retained.segments, 2);
  CHECK(retained.is_more);
  CHECK(small.retain(0, -1, -1, 2).is_more);
  retained = small.retain(0, -1, -1, 2);
  CHECK_EQ(retained.segments, 1);
  CHECK(!retained.is_more);
  CHECK_EQ(small.log->log_start_offset(), 5);
}

TEST("retention: a full disk that cannot roll still loses what is old") {
  Small small;
  for (int i = 0; i < 3; i += 1) small.add(10);
  SimRule rule;
  rule.op = SimOp::kOpen;
  rule.count = UINT64_MAX;
  rule.code = Code::kNoSpace;
  small.world.add_rule(rule);
  CHECK_EQ(small.retain(0, -1).segments, 2);
  small.world.clear_rules();
  CHECK_EQ(small.retain(0, -1).segments, 1);
  small.add(kNow);
  CHECK_EQ(small.log->log_end_offset(), 4);
}

// Fills, deletes, appends again; answers whether it came to the end.
bool live(Small* small, int64_t* acked, int64_t* start) {
  for (int i = 0; i < 6; i += 1) {
    const int64_t offset = small->log->log_end_offset();
    if (!append(*small->io, *small->log, sized_batch(offset, 100, i < 4 ? 10 : kNow)).ok())
      return false;
    *acked = offset + 1;
  }
  Retention by;
  by.retention_ms = 100;
  by.now_ms = kNow;
  by.end_offset = by.high_watermark = small->log->log_end_offset();
  Retained retained;
  const Status status = small->log->retain(*small->io, by, &retained);
  if (retained.segments > 0) *start = small->log->log_start_offset();
  if (!status.ok()) return false;
  by.retention_ms = 0;
  by.now_ms = kNow + 10;
  if (!small->log->retain(*small->io, by, &retained).ok()) return false;
  *start = small->log->log_start_offset();
  const int64_t offset = small->log->log_end_offset();
  if (!append(*small->io, *small->log, sized_batch(offset, 100, kNow)).ok()) return false;
  *acked = offset + 1;
  return true;
}

// What is answered is never lost, what is deleted stays deleted (its start is in the checkpoint by
// then), and the log goes on.
void check_after(SimWorld* world, int64_t acked, int64_t start, bool is_kill) {
  std::unique_ptr<Io> io = world->make_io();
  Log::Options options;
  options.directory = "/topic-0";
  options.log_start_offset = start;
  std::unique_ptr<Log> log;
  REQUIRE(Log::open(*io, options, &log, nullptr).ok());
  CHECK(log->log_start_offset() >= start);
  if (is_kill) CHECK(log->log_end_offset() >= acked);
  const int64_t end = log->log_end_offset();
  int64_t next = log->log_start_offset();
  for (const int64_t offset : read_offsets(*io, *log, next, end)) CHECK_EQ(offset, next++);
  CHECK_EQ(next, end);
  std::vector<std::string> names;
  CHECK_OK(io->list("/topic-0", &names));
  for (const std::string& name : names) CHECK(!name.ends_with(kDeletedSuffix));
  CHECK_OK(append(*io, *log, sized_batch(end, 100, kNow)));
}

void die_everywhere(SimDeath death) {
  uint64_t operations = 0;
  {
    Small small;
    int64_t acked = 0, start = 0;
    CHECK(live(&small, &acked, &start));
    CHECK_EQ(start, 6);
    operations = small.world.operations();
  }
  for (uint64_t at = 1; at <= operations; at += 1) {
    Small small(at);
    if (at <= small.world.operations()) continue;
    int64_t acked = 0, start = 0;
    small.world.die_at(at, death);
    (void)live(&small, &acked, &start);
    if (!small.world.is_dead()) small.world.die(death);
    small.log.reset();
    small.io.reset();
    small.world.restart();
    check_after(&small.world, acked, start, death == SimDeath::kKill);
  }
}

TEST("retention: crash: a kill at any operation") { die_everywhere(SimDeath::kKill); }

TEST("retention: crash: a loss of power at any operation") { die_everywhere(SimDeath::kPower); }

}  // namespace

RUN_TESTS()
