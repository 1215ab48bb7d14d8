// A disk that fails, under a whole plane of two reactors: what fails one partition of a log
// directory takes all of that directory offline in every reactor, once told, and nothing of another
// directory.
#include <algorithm>

#include "../../native/plane_sim.h"
#include "log_fixture.h"
#include "plane_client.h"

using namespace ottla;
using namespace ottla::test;
using gen::ErrorCode;

namespace {

constexpr int32_t kSlots = 4;  // 0 and 1 in /data, 2 and 3 in /data/two: one of each per reactor
const std::string kTwo = std::string(SimPlane::kDirectory) + "/two";

struct Machine {
  explicit Machine(const PartitionConfig& with = {}) : config(with) {
    ReactorOptions options;
    options.reactors = 2;
    options.node_id = 1;
    REQUIRE(SimPlane::open(options, inbox.bell(), 1, &sim).ok());
    inbox.watch(&sim->plane());
    CHECK_OK(sim->world().make_io()->make_directory(kTwo));
    for (int32_t slot = 0; slot < kSlots; slot += 1) create(slot);
    for (int32_t slot = 0; slot < kSlots; slot += 1) {
      CHECK_EQ(answer(slot).status, 0);
      sim->plane().lead(slot, 3, 0, {1}, {1});
    }
    sim->step(0);
  }
  void create(int32_t slot) {
    PartitionOptions created;
    created.config = config;
    created.slot = slot;
    created.log_directory = slot < 2 ? SimPlane::kDirectory : kTwo;
    created.topic = "t";
    created.index = slot;
    CHECK_OK(sim->plane().create(created, slot));
  }
  // The answer to a ticket; other facts are kept.
  Told answer(double ticket) {
    sim->step(1'000'000);
    Told told;
    while (inbox.next(&told, 0)) {
      if (told.kind == fact::kDirectoryFailed) failures.push_back(told);
      if ((told.kind == fact::kDone || told.kind == fact::kData) && told.ticket == ticket) break;
      told = Told();
    }
    return told;
  }
  int32_t append(int32_t slot) {
    const std::vector<uint8_t> batch = make_batch({{1000, "a value", false, ""}});
    sim->plane().append(slot, 3, Bytes(batch), 100);
    return answer(100).status;
  }
  bool is_offline(int32_t slot) {
    const double* rows = sim->plane().partition_rows(0).get();
    return rows[static_cast<size_t>(slot) * kPartitionColumns + column::kIsOffline] != 0;
  }
  // Of /data/two, and of nothing else.
  void check_lost() {
    for (int32_t slot = 0; slot < kSlots; slot += 1) {
      CHECK_EQ(is_offline(slot), slot >= 2);
      CHECK_EQ(append(slot), slot < 2 ? 0 : static_cast<int32_t>(ErrorCode::kKafkaStorageError));
    }
    REQUIRE(failures.size() == 1);
    CHECK_EQ(failures[0].status, 5);
    CHECK(std::string(failures[0].body.begin(), failures[0].body.end()) == kTwo);
  }
  void fail(SimOp op, SimFault fault = SimFault::kFail) {
    SimRule rule;
    rule.op = op;
    rule.path_contains = kTwo;
    rule.fault = fault;
    sim->world().add_rule(rule);
  }

  // Files and directories that are gone and keep their blocks.
  int doomed(const std::string& directory) {
    std::vector<std::string> names;
    CHECK_OK(sim->world().make_io()->list(directory, &names));
    return static_cast<int>(std::count_if(names.begin(), names.end(), [](const auto& name) {
      return name.find(".deleted") != std::string::npos || name.find("-delete") != name.npos;
    }));
  }
  // Two segments of a partition go, and another partition of its directory.
  void delete_some(int32_t slot, int32_t other) {
    for (int i = 0; i < 3; i += 1) CHECK_EQ(append(slot), 0);
    sim->plane().trim(slot, 2, 600);
    CHECK_EQ(answer(600).status, 0);
    sim->plane().retire(other, true, 601);
    CHECK_EQ(answer(601).status, 0);
  }

  PartitionConfig config;
  Inbox inbox;
  std::unique_ptr<SimPlane> sim;
  std::vector<Told> failures;
};

TEST("plane: directory: a write that fails takes the directory offline, and no other") {
  Machine machine;
  machine.fail(SimOp::kSubmit);
  CHECK_EQ(machine.append(2), static_cast<int32_t>(ErrorCode::kKafkaStorageError));
  machine.check_lost();
}

TEST("plane: directory: a sync that fails is not tried again, and takes the directory offline") {
  Machine machine;
  CHECK_EQ(machine.append(3), 0);
  machine.fail(SimOp::kSync, SimFault::kSyncLost);
  machine.sim->plane().flush(3, 200);
  CHECK_EQ(machine.answer(200).status, static_cast<int32_t>(ErrorCode::kKafkaStorageError));
  // The disk works again: it is not asked.
  machine.sim->plane().flush(3, 201);
  CHECK_EQ(machine.answer(201).status, static_cast<int32_t>(ErrorCode::kKafkaStorageError));
  machine.check_lost();
}

TEST("plane: directory: a read that the disk fails takes the directory offline") {
  Machine machine;
  CHECK_EQ(machine.append(2), 0);
  machine.fail(SimOp::kRead);
  machine.sim->plane().read(2, 0, 1000, 300);
  CHECK_EQ(machine.answer(300).status, static_cast<int32_t>(ErrorCode::kKafkaStorageError));
  machine.check_lost();
}

TEST("plane: directory: a partition that is being opened while its directory fails is offline") {
  Machine machine;
  machine.sim->plane().retire(2, false, 400);
  CHECK_EQ(machine.answer(400).status, 0);
  machine.create(2);
  machine.sim->plane().fail_directory(kTwo);
  Told told = machine.answer(2);
  CHECK(told.status != 0 || machine.is_offline(2));
  CHECK(machine.failures.empty());
  CHECK(machine.is_offline(3));
  CHECK(!machine.is_offline(0));
}

TEST("plane: directory: a create that the system refuses tells errno and leaves the slot free") {
  Machine machine;
  machine.sim->plane().retire(2, true, 500);
  CHECK_EQ(machine.answer(500).status, 0);
  machine.fail(SimOp::kMakeDirectory);
  machine.create(2);
  const Told told = machine.answer(2);
  CHECK_EQ(told.status, static_cast<int32_t>(ErrorCode::kKafkaStorageError));
  CHECK_EQ(told.c, 5.0);
  machine.create(2);
  CHECK_EQ(machine.answer(2).status, 0);
}

// What was told of /data/two while the plane was closed in order, and nothing of /data.
std::vector<int32_t> told_at_close(Machine* machine) {
  machine->sim->plane().close(0, true);
  machine->sim->step(1'000'000);
  CHECK(machine->sim->plane().is_closed());
  std::vector<int32_t> errors;
  Told told;
  while (machine->inbox.next(&told, 0)) {
    if (told.kind != fact::kDirectoryFailed) continue;
    CHECK(std::string(told.body.begin(), told.body.end()) == kTwo);
    errors.push_back(told.status);
  }
  return errors;
}

TEST("plane: directory: a close that leaves every log in order tells nothing") {
  Machine machine;
  CHECK_EQ(machine.append(2), 0);
  CHECK(told_at_close(&machine).empty());
}

TEST("plane: directory: a sync that fails when a log is closed is told, once") {
  Machine machine;
  CHECK_EQ(machine.append(2), 0);
  CHECK_EQ(machine.append(3), 0);
  machine.fail(SimOp::kSync, SimFault::kSyncLost);
  CHECK(told_at_close(&machine) == std::vector<int32_t>{5});
}

TEST("plane: directory: no room to leave a log in order is told, and the others are closed") {
  Machine machine;
  CHECK_EQ(machine.append(2), 0);
  CHECK_EQ(machine.append(3), 0);
  SimRule full;
  full.op = SimOp::kOpen;
  full.path_contains = kTwo + "/t-2/00000000000000000001.snapshot";
  full.code = Code::kNoSpace;
  full.error = 28;
  machine.sim->world().add_rule(full);
  CHECK(told_at_close(&machine) == std::vector<int32_t>{28});
}

TEST("plane: directory: a disk that is short of room has the blocks of what is gone back at once") {
  PartitionConfig config;
  config.log.segment_bytes_max = 1;  // a batch a segment
  config.file_delete_delay_ms = config.directory_delete_delay_ms = 3'600'000;
  Machine machine(config);
  const std::string one = SimPlane::kDirectory;
  machine.delete_some(0, 1);
  machine.delete_some(2, 3);
  CHECK(machine.doomed(one + "/t-0") > 0);
  CHECK_EQ(machine.doomed(one), 1);
  CHECK(machine.doomed(kTwo + "/t-2") > 0);
  CHECK_EQ(machine.doomed(kTwo), 1);
  machine.sim->plane().limit_directory(kTwo, 0, true);
  machine.sim->step(0);
  CHECK_EQ(machine.doomed(kTwo + "/t-2"), 0);
  CHECK_EQ(machine.doomed(kTwo), 0);
  CHECK(machine.doomed(one + "/t-0") > 0);
  CHECK_EQ(machine.doomed(one), 1);
  // What goes from now on does not wait either.
  CHECK_EQ(machine.append(2), 0);
  machine.sim->plane().trim(2, 3, 602);
  CHECK_EQ(machine.answer(602).status, 0);
  CHECK_EQ(machine.doomed(kTwo + "/t-2"), 0);
}

}  // namespace

RUN_TESTS()
