// A log that is copied into another log directory, under a whole plane of two reactors: killed, or
// without power, at every operation of the disk, the source is whole and the copy is the beginning
// of it that can be gone on with; a disk that fails takes its own side offline and leaves the
// other.
#include "../../native/plane_sim.h"
#include "log_fixture.h"
#include "plane_client.h"

using namespace ottla;
using namespace ottla::test;
using gen::ErrorCode;

namespace {

constexpr int32_t kSource = 0;
constexpr int32_t kCopy = 1;  // the other reactor's
constexpr int32_t kBatches = 12;
constexpr int64_t kAll = 1 << 20;
const std::string kTwo = std::string(SimPlane::kDirectory) + "/two";
const std::string kName = "t-0." + std::string(32, 'a') + "-future";

struct Machine {
  explicit Machine(uint64_t seed = 1) {
    ReactorOptions options;
    options.reactors = 2;
    REQUIRE(SimPlane::open(options, inbox.bell(), seed, &sim).ok());
    inbox.watch(&sim->plane());
    CHECK_OK(sim->world().make_io()->make_directory(kTwo));
    CHECK_OK(sim->world().make_io()->sync_directory("/"));
    CHECK_OK(sim->world().make_io()->sync_directory(SimPlane::kDirectory));
    CHECK_EQ(create(kSource, SimPlane::kDirectory, ""), 0);
    sim->plane().lead(kSource, 3, 0, {1}, {1});
  }
  int32_t create(int32_t slot, const std::string& directory, const std::string& name) {
    PartitionOptions created;
    created.slot = slot;
    created.log_directory = directory;
    created.name = name;
    created.topic = "t";
    created.config.log.segment_bytes_max = 400;  // several segments
    CHECK_OK(sim->plane().create(created, 900));
    return answer(900).status;
  }
  int32_t open_copy() {
    const int32_t status = create(kCopy, kTwo, kName);
    sim->plane().follow(kCopy, 0, -1);
    return status;
  }
  // A dead world has none.
  Told answer(double ticket) {
    sim->step(1'000'000);
    Told told;
    told.status = -1;
    while (inbox.next(&told, 0)) {
      if (told.kind == fact::kDirectoryFailed)
        failed.emplace_back(told.body.begin(), told.body.end());
      if ((told.kind == fact::kDone || told.kind == fact::kData) && told.ticket == ticket)
        return told;
    }
    told.status = -1;
    return told;
  }
  void fill() {
    for (int32_t i = 0; i < kBatches; i += 1) {
      const std::vector<uint8_t> batch =
          make_batch({{1000 + i, "value " + std::to_string(i), false, ""}});
      sim->plane().append(kSource, 3, Bytes(batch), 100);
      CHECK_EQ(answer(100).status, 0);
    }
    sim->plane().flush(kSource, 101);
    CHECK_EQ(answer(101).status, 0);
  }
  Told copy(int64_t bytes_max = 1) {
    sim->plane().copy(kCopy, kSource, bytes_max, 200);
    return answer(200);
  }
  std::vector<uint8_t> read(int32_t slot) {
    std::vector<uint8_t> bytes;
    for (int64_t offset = 0; offset < kBatches;) {
      sim->plane().read(slot, offset, 1, 300);
      const Told told = answer(300);
      CHECK_EQ(told.status, 0);
      if (told.status != 0 || told.body.empty()) break;
      bytes.insert(bytes.end(), told.body.begin(), told.body.end());
      offset += 1;
    }
    return bytes;
  }
  void restart() {
    if (sim->world().is_dead()) sim->plane().abandon();
    CHECK_OK(sim->restart(inbox.bell()));
    inbox.watch(&sim->plane());
    CHECK_EQ(create(kSource, SimPlane::kDirectory, ""), 0);
    CHECK_EQ(open_copy(), 0);
  }
  // The whole of a copy, and the close that makes it safe; ends early in a world that dies.
  void copy_all() {
    if (open_copy() != 0) return;
    for (;;) {
      const Told told = copy();
      if (told.status != 0) return;
      if (told.a == told.b) break;
    }
    sim->plane().retire(kCopy, false, 400);
    is_closed = answer(400).status == 0;
  }

  Inbox inbox;
  std::unique_ptr<SimPlane> sim;
  std::vector<std::string> failed;
  bool is_closed = false;
};

void die_at_each(SimDeath death) {
  uint64_t deaths = 0;
  for (uint64_t after = 0;; after += 1) {
    Machine machine(after + 1);
    machine.fill();
    const std::vector<uint8_t> expected = machine.read(kSource);
    SimWorld& world = machine.sim->world();
    world.die_at(world.operations() + after, death);
    machine.copy_all();
    const bool is_dead = world.is_dead();
    if (!is_dead) world.die_at(UINT64_MAX, death);
    deaths += is_dead ? 1 : 0;
    const bool was_closed = machine.is_closed;
    if (!is_dead) machine.sim->crash(death);
    machine.restart();
    const Told first = machine.copy(1);
    CHECK_EQ(first.status, 0);
    // Once it was closed, nothing of it is missing: the swap may rely on it.
    if (was_closed) CHECK_EQ(first.c, 0.0);
    CHECK_EQ(machine.copy(kAll).status, 0);
    for (;;) {
      const Told told = machine.copy(kAll);
      if (told.status != 0 || told.a == told.b) break;
    }
    CHECK(machine.read(kSource) == expected);
    CHECK(machine.read(kCopy) == expected);
    if (!is_dead) break;
  }
  CHECK(deaths > 20);
}

TEST("plane: copy: killed at every operation, it is gone on with") { die_at_each(SimDeath::kKill); }

TEST("plane: copy: power lost at every operation, it is gone on with; closed, it is whole") {
  die_at_each(SimDeath::kPower);
}

TEST("plane: copy: a write that fails takes the copy's directory offline, not the source's") {
  Machine machine;
  machine.fill();
  CHECK_EQ(machine.open_copy(), 0);
  SimRule rule;
  rule.op = SimOp::kSubmit;
  rule.path_contains = kTwo;
  machine.sim->world().add_rule(rule);
  CHECK_EQ(machine.copy().status, static_cast<int32_t>(ErrorCode::kKafkaStorageError));
  CHECK(machine.failed == std::vector<std::string>{kTwo});
  CHECK_EQ(machine.read(kSource).empty(), false);
}

TEST("plane: copy: a read that fails takes the source's directory offline") {
  Machine machine;
  machine.fill();
  CHECK_EQ(machine.open_copy(), 0);
  SimRule rule;
  rule.op = SimOp::kRead;
  rule.path_contains = std::string(SimPlane::kDirectory) + "/t-0";
  machine.sim->world().add_rule(rule);
  CHECK_EQ(machine.copy().status, static_cast<int32_t>(ErrorCode::kKafkaStorageError));
  CHECK(machine.failed == std::vector<std::string>{SimPlane::kDirectory});
}

TEST("plane: copy: a source that is retired while it is read is not copied") {
  Machine machine;
  machine.fill();
  CHECK_EQ(machine.open_copy(), 0);
  machine.sim->plane().copy(kCopy, kSource, kAll, 500);
  machine.sim->plane().retire(kSource, false, 501);
  const int32_t status = machine.answer(500).status;
  CHECK(status == 0 || status == static_cast<int32_t>(ErrorCode::kUnknownTopicOrPartition));
}

}  // namespace

RUN_TESTS()
