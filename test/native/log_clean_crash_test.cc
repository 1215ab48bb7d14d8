// A compaction on a disk that forgets: dies at every operation of cleaning and swapping, killed or
// without power. What the next start finds is what was there before a group's swap or after it,
// never a mixture; nothing of the names that a swap leaves stays; and compaction goes on from
// there.
#include "../../native/io/sim_random.h"
#include "clean_fixture.h"

using namespace ottla;
using namespace ottla::test;

namespace {

constexpr int64_t kKeys = 9;

struct Survivors {
  std::vector<Row> rows;
  std::vector<std::pair<int64_t, int64_t>> batches;  // first and last offset
  bool operator==(const Survivors&) const = default;
};

bool survivors_of(Io& io, const Log& log, Survivors* found) {
  std::vector<BatchRow> batches;
  if (!read_all(io, log, &found->rows, &batches)) return false;
  for (const BatchRow& batch : batches) {
    found->batches.emplace_back(batch.base_offset, batch.last_offset);
  }
  return true;
}

// Keys, tombstones, all codecs, an aborted and a committed transaction, an idempotent producer.
struct Story {
  SimRandom random;
  int64_t next = 0;
  explicit Story(uint64_t seed) : random(seed) {}

  bool put(Io& io, Log& log, int count) {
    for (int i = 0; i < count; i += 1) {
      BatchOptions options;
      options.codec = static_cast<int>(random.below(5));
      const bool is_aborted = random.below(6) == 0;
      const bool is_transaction = is_aborted || random.below(6) == 0;
      options.producer_id = is_transaction ? 5 : static_cast<int64_t>(random.below(3));
      options.producer_epoch = 0;
      options.base_sequence = static_cast<int32_t>(next);
      if (is_transaction) options.more_attributes = 0x10;
      std::vector<Row> rows;
      const int64_t first = next;
      for (uint64_t left = 1 + random.below(4); left > 0; left -= 1, next += 1) {
        const std::string key = "key " + std::to_string(random.below(kKeys));
        Row row{next, 1000 + next, key, std::string(random.below(60), 'v') + std::to_string(next)};
        if (random.below(4) == 0) row.value.reset();
        rows.push_back(row);
      }
      if (!append(io, log, rows_batch(rows, options)).ok()) return false;
      if (!is_transaction) continue;
      if (!append(io, log, marker(next, 5, is_aborted ? 0 : 1)).ok()) return false;
      const AbortedTransaction aborted{5, first, next, next + 1};
      if (is_aborted && !log.append_aborted(io, aborted).ok()) return false;
      next += 1;
    }
    return log.roll(io, next).ok() && log.flush(io, next).ok();
  }
};

struct Life {
  uint64_t seed = 0;
  bool unlinks_later = false;
  int64_t recovery_point = 0;
  std::vector<Survivors> states;  // after every swap, of a life without death
  size_t reached = 0;             // how many of them, in this one
  bool is_recording = false;
  uint64_t first_operation = 0;  // of the compaction

  SimWorld* world = nullptr;
  int64_t starves_at = -1;  // the change of a name, by number, that finds no room first
  uint64_t starved = 0;     // the operation before that
  std::map<std::string, std::string> values;

  Log::Options options() const {
    Log::Options given;
    given.directory = "/topic-0";
    given.config = small_segments(700);
    given.gaps_allowed = true;
    given.recovery_point = recovery_point;
    given.unlinks_later = unlinks_later;
    return given;
  }

  void unlink(Io& io, Log& log) { Log::unlink(io, log.take_doomed()); }

  bool note(Io& io, Log& log) {
    if (is_recording) {
      Survivors now;
      CHECK(survivors_of(io, log, &now));
      states.push_back(std::move(now));
    }
    reached += 1;
    return true;
  }

  // Called before each step that changes names.
  void note_starving() {
    if (world == nullptr || world->full_faults() > 0) return;
    starved = world->operations();
  }

  static bool is_refused(const Status& status, const Log& log) {
    return status.code == Code::kNoSpace && log.health().ok();
  }

  bool compact(Io& io, Log& log, int64_t now_ms) {
    CleanRequest request = request_at(now_ms);
    request.step_bytes = 900;
    request.producers = {{0, {-1, 0}}, {1, {2, 0}}};
    std::unique_ptr<CleanJob> job;
    if (!log.clean_begin(io, request, &job).ok()) return false;
    while (job->phase() != CleanJob::Phase::kDone) {
      int64_t bytes = 0;
      if (job->phase() != CleanJob::Phase::kGroupReady) {
        if (!job->step(io, &bytes).ok()) return false;
        continue;
      }
      note_starving();
      const Status begun = log.swap_begin(io, job.get());
      // All is as it was: another round.
      if (is_refused(begun, log) && !log.is_swapping()) return compact(io, log, now_ms);
      if (!begun.ok()) return false;
      for (bool is_done = false; !is_done;) {
        if (!io.sync_directory(log.directory()).ok()) return false;
        note_starving();
        const Status advanced = log.swap_advance(io, &is_done);
        if (!advanced.ok() && !is_refused(advanced, log)) return false;
      }
      unlink(io, log);
      note(io, log);
    }
    return true;
  }

  // No room for three changes of names in a row.
  void starve(SimWorld& world) const {
    SimRule rule;
    rule.op = SimOp::kRename;
    rule.skip = static_cast<uint64_t>(starves_at);
    rule.count = 3;
    rule.code = Code::kNoSpace;
    rule.error = 28;
    world.add_rule(rule);
  }

  // Two compactions, the second late enough that tombstones and markers go.
  bool run(SimWorld& world, Io& io, Log& log) {
    Story story(seed);
    if (!story.put(io, log, 16)) return false;
    recovery_point = log.recovery_point();
    first_operation = world.operations();
    note(io, log);
    if (starves_at >= 0) starve(world);
    if (!compact(io, log, kNow)) return false;
    if (!compact(io, log, kNow + kRetention)) return false;
    return compact(io, log, kNow + 2 * kRetention);
  }
};

bool has_leftovers(Io& io) {
  std::vector<std::string> names;
  CHECK_OK(io.list("/topic-0", &names));
  for (const std::string& name : names) {
    for (const char* suffix : {".cleaned", ".swap", ".deleted"}) {
      if (name.ends_with(suffix)) return true;
    }
  }
  return false;
}

// The final value of each key, which no compaction changes.
std::map<std::string, std::string> values_of(const std::vector<Row>& rows) {
  std::map<std::string, std::string> values;
  for (const Row& row : rows) {
    if (row.value) {
      values[row.key] = *row.value;
    } else {
      values.erase(row.key);
    }
  }
  return values;
}

bool die_and_check(const Life& whole, uint64_t at, SimDeath death) {
  SimWorld world(whole.seed);
  Life life = whole;
  life.is_recording = false;
  life.reached = 0;
  {
    std::unique_ptr<Io> io = world.make_io();
    std::unique_ptr<Log> log;
    world.die_at(at, death);
    CHECK_OK(Log::open(*io, life.options(), &log, nullptr));
    (void)life.run(world, *io, *log);
  }
  if (!world.is_dead()) return false;
  const std::map<std::string, std::string> values = values_of(whole.states.back().rows);
  for (int restarts = 0; restarts < 3; restarts += 1) {
    world.restart();
    std::unique_ptr<Io> io = world.make_io();
    std::unique_ptr<Log> log;
    CHECK_OK(Log::open(*io, life.options(), &log, nullptr));
    if (log == nullptr) return true;
    CHECK(!has_leftovers(*io));
    Survivors found;
    CHECK(survivors_of(*io, *log, &found));
    CHECK_EQ(log->log_end_offset(), whole.states[0].batches.back().second + 1);
    const size_t before = life.reached - 1;
    const size_t after = std::min(before + 1, whole.states.size() - 1);
    if (restarts == 0) {
      CHECK(found == whole.states[before] || found == whole.states[after]);
    }
    if (restarts == 2) {
      CHECK(life.compact(*io, *log, kNow + kRetention));
      CHECK(life.compact(*io, *log, kNow + 2 * kRetention));
      CHECK(life.compact(*io, *log, kNow + 3 * kRetention));
      Survivors end;
      CHECK(survivors_of(*io, *log, &end));
      CHECK(values_of(end.rows) == values);
      CHECK_OK(append(*io, *log, rows_batch({{log->log_end_offset(), 9, "new", "one"}})));
      CHECK_OK(log->close(*io, true));
      return true;
    }
    // And again at once: what recovery did must not need a sync to be repeated.
    world.die(restarts == 0 ? SimDeath::kPower : death);
  }
  return true;
}

void die_everywhere(uint64_t seed, SimDeath death) {
  Life whole;
  whole.seed = seed;
  whole.unlinks_later = seed % 2 == 0;
  uint64_t operations = 0;
  {
    SimWorld world(seed);
    whole.is_recording = true;
    std::unique_ptr<Io> io = world.make_io();
    std::unique_ptr<Log> log;
    CHECK_OK(Log::open(*io, whole.options(), &log, nullptr));
    CHECK(whole.run(world, *io, *log));
    operations = world.operations();
    CHECK_OK(log->close(*io, true));
  }
  CHECK(whole.states.size() > 4);
  whole.recovery_point = 0;
  uint64_t at = whole.first_operation;
  for (; at < operations && failures() == 0; at += 1) (void)die_and_check(whole, at, death);
  if (failures() > 0) {
    std::fprintf(stderr, "    seed %d, operation %d\n", static_cast<int>(seed),
                 static_cast<int>(at - 1));
  }
}

// Three changes of names find no room, from that number on. The log stays online, and has all of
// its values in the end, also when it dies at operation `at`. Whether it did; with `whole`, whether
// anything was refused.
bool starve_and_check(Life life, uint64_t at, SimDeath death, Life* whole) {
  SimWorld world(life.seed);
  life.world = &world;
  life.is_recording = whole != nullptr;
  std::unique_ptr<Io> io = world.make_io();
  std::unique_ptr<Log> log;
  world.die_at(at, death);
  CHECK_OK(Log::open(*io, life.options(), &log, nullptr));
  const bool has_ended = life.run(world, *io, *log);
  CHECK(has_ended || world.is_dead());
  if (!world.is_dead()) {
    CHECK_OK(log->health());
    CHECK(!has_leftovers(*io));
    if (whole == nullptr) return false;
    CHECK_OK(log->close(*io, true));
    *whole = life;
    return world.full_faults() > 0;
  }
  log.reset();
  world.restart();
  io = world.make_io();
  Status opened = Status::fail(Code::kNoSpace, "not yet");
  while (opened.code == Code::kNoSpace) opened = Log::open(*io, life.options(), &log, nullptr);
  CHECK_OK(opened);
  if (log == nullptr) return true;
  CHECK(!has_leftovers(*io));
  for (int64_t late = 1; late <= 3; late += 1) {
    CHECK(life.compact(*io, *log, kNow + late * kRetention));
  }
  Survivors found;
  CHECK(survivors_of(*io, *log, &found));
  CHECK(values_of(found.rows) == life.values);
  CHECK_OK(log->close(*io, true));
  return true;
}

// Changes of names in turn are the first to find no room, and every operation behind it is one to
// die at.
void starve_everywhere(uint64_t seed, SimDeath death) {
  constexpr uint64_t kOperations = 16;  // what three refusals and their second tries take
  Life life;
  life.seed = seed;
  life.unlinks_later = seed % 2 == 0;
  Life whole;
  CHECK(!starve_and_check(life, UINT64_MAX, death, &whole));
  life.values = values_of(whole.states.back().rows);
  // A third of them each; OTTLA_SEEDS has the others.
  for (life.starves_at = static_cast<int64_t>(seed % 3); failures() == 0; life.starves_at += 3) {
    if (!starve_and_check(life, UINT64_MAX, death, &whole)) break;  // there are no more
    CHECK(values_of(whole.states.back().rows) == life.values);
    for (uint64_t at = whole.starved; at < whole.starved + kOperations; at += 1) {
      if (!starve_and_check(life, at, death, nullptr) || failures() > 0) break;
    }
  }
  CHECK(life.starves_at > 20);
  if (failures() == 0) return;
  std::fprintf(stderr, "    seed %d, name %d\n", static_cast<int>(seed),
               static_cast<int>(life.starves_at));
}

uint64_t seeds() {
  const char* wanted = std::getenv("OTTLA_SEEDS");
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 2;
}

}  // namespace

TEST("log: clean: crash: killed at every operation, the log is before a swap or after it") {
  for (uint64_t seed = 1; seed <= seeds() && failures() == 0; seed += 1) {
    die_everywhere(seed, SimDeath::kKill);
  }
}

// OTTLA_SEEDS=1000 looks longer.
TEST("log: clean: crash: power lost at every operation, the log is before a swap or after it") {
  for (uint64_t seed = 1; seed <= seeds() && failures() == 0; seed += 1) {
    die_everywhere(seed, SimDeath::kPower);
  }
}

TEST("log: clean: crash: no room for a name leaves a log online, and whole at every operation") {
  for (uint64_t seed = 1; seed <= seeds() && failures() == 0; seed += 1) {
    starve_everywhere(seed, seed % 2 == 0 ? SimDeath::kPower : SimDeath::kKill);
  }
}

RUN_TESTS()
