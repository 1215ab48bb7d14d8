// The log on a disk that forgets: dies at every operation of a workload, and opens again with what
// it must still have. And on a disk that fails: full, broken, short.
#include "../../native/io/sim.h"
#include "../../native/log/files.h"
#include "../../native/log/log.h"
#include "log_fixture.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

LogConfig small_segments() {
  LogConfig config;
  config.segment_bytes_max = 1500;
  config.index_interval_bytes = 200;
  return config;
}

// What the outside may rely on while the workload runs.
struct Promise {
  int64_t start = 0;           // log start asked for
  int64_t acked = 0;           // a kill may not lose what was answered
  int64_t synced = 0;          // nor power what was flushed
  int64_t ceiling = 0;         // nothing at or above was ever appended
  int64_t recovery_point = 0;  // as the host would have it in its checkpoint
};

struct Workload {
  Io& io;
  Log& log;
  Promise& promise;
  int32_t epoch = 0;

  bool append_to(int64_t end) {
    while (log.log_end_offset() < end) {
      const int64_t offset = log.log_end_offset();
      const int count = 1 + static_cast<int>(offset % 3);
      std::vector<std::vector<uint8_t>> batches;
      for (int i = 0; i < count; i += 1) {
        batches.push_back(sized_batch(offset + i, 40 + static_cast<size_t>(offset * 31 % 90),
                                      1000 + offset, epoch));
      }
      promise.ceiling = std::max(promise.ceiling, offset + count);
      if (!append(io, log, batches).ok()) return false;
      promise.acked = offset + count;
    }
    return true;
  }
  bool flush() {
    if (!log.flush(io, log.log_end_offset()).ok()) return false;
    promise.synced = log.log_end_offset();
    promise.recovery_point = log.recovery_point();
    return true;
  }
  bool truncate(int64_t offset) {
    promise.acked = std::min(promise.acked, offset);
    promise.synced = std::min(promise.synced, offset);
    promise.recovery_point = std::min(promise.recovery_point, offset);
    epoch += 1;
    return log.truncate_to(io, offset).ok();
  }
  bool trim(int64_t offset) {
    promise.start = offset;
    return log.set_log_start_offset(io, offset).ok();
  }
  bool run() {
    return append_to(9) && flush() && append_to(30) && flush() && truncate(17) && append_to(26) &&
           flush() && trim(11) && append_to(41) && truncate(33) && append_to(36) && flush() &&
           append_to(44);
  }
};

Log::Options options_of(const Promise& promise) {
  Log::Options options;
  options.directory = "/topic-0";
  options.config = small_segments();
  options.recovery_point = promise.recovery_point;
  options.log_start_offset = promise.start;
  return options;
}

// Every batch whole, in order, of its own offset, epochs never falling; from the start to the end.
void check_content(Io& io, const Log& log, int64_t must_reach, const Promise& promise) {
  const int64_t end = log.log_end_offset();
  CHECK(end >= must_reach);
  CHECK(end <= promise.ceiling);
  int64_t offset = log.log_start_offset();
  int32_t epoch = 0;
  while (offset < end) {
    ReadSlice slice;
    CHECK_OK(log.read(io, offset, end, 4000, true, &slice));
    const std::vector<uint8_t> bytes = slice_bytes(io, slice);
    Bytes rest(bytes);
    RecordBatch batch;
    const int64_t before = offset;
    while (next_batch(&rest, &batch)) {
      CHECK_EQ(batch.computed_crc(), batch.crc());
      CHECK_EQ(batch.base_offset(), offset);
      CHECK(batch.leader_epoch() >= epoch);
      epoch = batch.leader_epoch();
      RecordView record;
      REQUIRE(read_record(batch.records().data(), batch.records().data() + batch.records().size(),
                          &record));
      CHECK(as_text(record.value).starts_with("record " + std::to_string(offset) + " "));
      offset = batch.next_offset();
    }
    REQUIRE(offset > before);
  }
}

// Runs the workload until operation `at`; false when it ended before.
bool die_and_check(uint64_t seed, uint64_t at, SimDeath death) {
  SimWorld world(seed);
  Promise promise;
  {
    std::unique_ptr<Io> io = world.make_io();
    std::unique_ptr<Log> log;
    world.die_at(at, death);
    if (Log::open(*io, options_of(promise), &log, nullptr).ok()) {
      Workload workload{*io, *log, promise};
      (void)workload.run();
    }
  }
  if (!world.is_dead()) return false;
  for (int life = 0; life < 2; life += 1) {  // what recovery leaves must survive as well
    world.restart();
    std::unique_ptr<Io> io = world.make_io();
    std::unique_ptr<Log> log;
    Log::Options options = options_of(promise);
    CHECK_OK(Log::open(*io, options, &log, nullptr));
    if (log == nullptr) return true;
    const int64_t must = death == SimDeath::kKill ? promise.acked : promise.synced;
    check_content(*io, *log, must, promise);
    CHECK_OK(append(*io, *log, sized_batch(log->log_end_offset(), 50, 5000, 100)));
    promise.ceiling = std::max(promise.ceiling, log->log_end_offset());
    check_content(*io, *log, must, promise);
    CHECK_OK(log->flush(*io, log->log_end_offset()));
    promise.synced = promise.acked = promise.recovery_point = log->log_end_offset();
    world.die(SimDeath::kPower);
  }
  return true;
}

// Dies at operation after operation; says which one broke a promise. Returns how many there were.
uint64_t die_everywhere(uint64_t seed, SimDeath death) {
  uint64_t at = 0;
  for (; die_and_check(seed, at, death) && failures() == 0; at += 1) {
  }
  if (failures() > 0) {
    std::fprintf(stderr, "    seed %d, operation %d\n", static_cast<int>(seed),
                 static_cast<int>(at));
  }
  return at;
}

}  // namespace

TEST("log: crash: killed at every operation, nothing acknowledged is lost") {
  CHECK(die_everywhere(7, SimDeath::kKill) > 50);
}

// OTTLA_SEEDS=1000 looks longer.
TEST("log: crash: power lost at every operation, nothing synced is lost, nothing torn is served") {
  const char* wanted = std::getenv("OTTLA_SEEDS");
  const uint64_t seeds = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 8;
  for (uint64_t seed = 1; seed <= seeds && failures() == 0; seed += 1) {
    CHECK(die_everywhere(seed, SimDeath::kPower) > 50);
  }
}

TEST("log: crash: old batches never come back behind new ones after a truncation") {
  size_t value_bytes =
      300;  // batches of one sector, so that any mixture of old and new looks whole
  while (sized_batch(0, value_bytes).size() < kSimSectorBytes) value_bytes += 1;
  for (uint64_t seed = 1; seed <= 100 && failures() == 0; seed += 1) {
    SimWorld world(seed);
    Promise promise;
    Log::Options options = options_of(promise);
    options.config.segment_bytes_max = 1 << 20;
    {
      std::unique_ptr<Io> io = world.make_io();
      std::unique_ptr<Log> log;
      CHECK_OK(Log::open(*io, options, &log, nullptr));
      for (int64_t i = 0; i < 8; i += 1)
        CHECK_OK(append(*io, *log, sized_batch(i, value_bytes, 1000, 0)));
      CHECK_OK(log->flush(*io, 8));
      CHECK_OK(log->truncate_to(*io, 2));
      CHECK_OK(append(*io, *log, sized_batch(2, value_bytes, 1000, 1)));
      world.die(SimDeath::kPower);
    }
    world.restart();
    std::unique_ptr<Io> io = world.make_io();
    std::unique_ptr<Log> log;
    CHECK_OK(Log::open(*io, options, &log, nullptr));
    promise.ceiling = 3;
    check_content(*io, *log, 2, promise);
  }
}

TEST("log: faults: a write that fails leaves nothing, the next one takes its place") {
  for (const SimFault fault : {SimFault::kFail, SimFault::kShort}) {
    SimWorld world(3);
    std::unique_ptr<Io> io = world.make_io();
    Promise promise;
    std::unique_ptr<Log> log;
    CHECK_OK(Log::open(*io, options_of(promise), &log, nullptr));
    CHECK_OK(append(*io, *log, sized_batch(0, 100)));
    SimRule rule;
    rule.op = SimOp::kSubmit;
    rule.fault = fault;
    rule.code = Code::kNoSpace;
    world.add_rule(rule);
    CHECK_EQ(append(*io, *log, {sized_batch(1, 900), sized_batch(2, 900)}).code, Code::kNoSpace);
    CHECK_EQ(log->log_end_offset(), 1);
    CHECK_OK(log->health());
    FileInfo info;
    CHECK_OK(io->stat("/topic-0/00000000000000000000.log", &info));
    CHECK_EQ(info.bytes, static_cast<int64_t>(sized_batch(0, 100).size()));
    CHECK_OK(append(*io, *log, sized_batch(1, 20)));
    CHECK((read_offsets(*io, *log, 0, 2) == std::vector<int64_t>{0, 1}));
  }
}

TEST("log: faults: the second run of an op fails, the first leaves again with its segment") {
  SimWorld world(3);
  std::unique_ptr<Io> io = world.make_io();
  Promise promise;
  std::unique_ptr<Log> log;
  CHECK_OK(Log::open(*io, options_of(promise), &log, nullptr));
  CHECK_OK(append(*io, *log, sized_batch(0, 100)));
  SimRule rule;
  rule.op = SimOp::kSubmit;
  rule.skip = 2;
  rule.fault = SimFault::kShort;
  world.add_rule(rule);
  std::vector<std::vector<uint8_t>> batches;
  for (int64_t offset = 1; offset < 6; offset += 1) batches.push_back(sized_batch(offset, 700));
  CHECK_EQ(append(*io, *log, batches).code, Code::kIo);
  CHECK_EQ(log->log_end_offset(), 1);
  CHECK((read_offsets(*io, *log, 0, 1) == std::vector<int64_t>{0}));
  world.clear_rules();
  CHECK_OK(append(*io, *log, batches));
  CHECK_EQ(read_offsets(*io, *log, 0, 6).size(), 6);
}

TEST("log: faults: two failed writes in a row take the log offline") {
  SimWorld world(3);
  std::unique_ptr<Io> io = world.make_io();
  Promise promise;
  std::unique_ptr<Log> log;
  CHECK_OK(Log::open(*io, options_of(promise), &log, nullptr));
  SimRule rule;
  rule.op = SimOp::kSubmit;
  rule.count = 2;
  world.add_rule(rule);
  CHECK_EQ(append(*io, *log, sized_batch(0, 100)).code, Code::kIo);
  CHECK_OK(log->health());
  CHECK_EQ(append(*io, *log, sized_batch(0, 100)).code, Code::kIo);
  CHECK_EQ(log->health().code, Code::kIo);
  CHECK_EQ(append(*io, *log, sized_batch(0, 100)).code, Code::kIo);
  CHECK_EQ(log->log_end_offset(), 0);
}

TEST("log: faults: a failed sync is never followed by one that is believed") {
  SimWorld world(3);
  std::unique_ptr<Io> io = world.make_io();
  Promise promise;
  std::unique_ptr<Log> log;
  CHECK_OK(Log::open(*io, options_of(promise), &log, nullptr));
  CHECK_OK(append(*io, *log, sized_batch(0, 100)));
  SimRule rule;
  rule.op = SimOp::kSync;
  rule.fault = SimFault::kSyncLost;
  world.add_rule(rule);
  CHECK_EQ(log->flush(*io, 1).code, Code::kIo);
  CHECK_EQ(log->recovery_point(), 0);
  CHECK_EQ(log->flush(*io, 1).code, Code::kIo);
  CHECK_EQ(log->close(*io, true).code, Code::kIo);
}

TEST("log: faults: a full disk refuses appends and loses nothing") {
  SimWorld world(5);
  std::unique_ptr<Io> io = world.make_io();
  Promise promise;
  std::unique_ptr<Log> log;
  CHECK_OK(Log::open(*io, options_of(promise), &log, nullptr));
  world.set_capacity(20000);
  int64_t offset = 0;
  while (append(*io, *log, sized_batch(offset, 200)).ok()) offset += 1;
  CHECK(offset > 20);
  CHECK_EQ(log->log_end_offset(), offset);
  CHECK_EQ(static_cast<int64_t>(read_offsets(*io, *log, 0, offset).size()), offset);
  world.set_capacity(INT64_MAX);
  CHECK_OK(append(*io, *log, sized_batch(offset, 200)));
}

TEST("log: writes: completions that come later keep their order") {
  SimWorld world(9);
  world.submit_latency_us = 500;
  std::unique_ptr<Io> io = world.make_io();
  Promise promise;
  std::unique_ptr<Log> log;
  CHECK_OK(Log::open(*io, options_of(promise), &log, nullptr));
  std::vector<std::vector<uint8_t>> batches;
  std::vector<AppendBatch> views;
  for (int64_t offset = 0; offset < 30; offset += 1) batches.push_back(sized_batch(offset, 200));
  for (const auto& batch : batches) views.push_back(append_batch_of(batch));
  std::vector<int64_t> done;
  std::vector<AppendOp> ops(30);
  for (size_t i = 0; i < 30; i += 1) {
    ops[i].batches = &views[i];
    ops[i].count = 1;
    ops[i].context = &done;
    ops[i].done = [](AppendOp* op, Status status) {
      CHECK_OK(status);
      static_cast<std::vector<int64_t>*>(op->context)->push_back(op->batches[0].base_offset);
    };
    log->append(*io, &ops[i]);
  }
  CHECK_EQ(log->log_end_offset(), 0);
  for (int turn = 0; turn < 100 && done.size() < 30; turn += 1) {
    world.advance_us(1000);
    Event events[4];
    (void)io->poll(events, 4, 0);
  }
  CHECK_EQ(done.size(), 30);
  CHECK(std::is_sorted(done.begin(), done.end()));
  CHECK_EQ(read_offsets(*io, *log, 0, 30).size(), 30);
}

RUN_TESTS()
