// Syncs through a whole plane: helpers with their own threads, real files. Under TSan this is what
// shows that a helper touches nothing of an owner's.
#include <chrono>
#include <filesystem>
#include <future>
#include <map>

#include "log_fixture.h"
#include "plane_client.h"
#include "temp_directory.h"

using namespace ottla;
using namespace ottla::test;

namespace {

constexpr int32_t kSlots = 4;
constexpr double kFlushTickets = 10000;
constexpr double kRetireTickets = 20000;

struct Running {
  explicit Running(int64_t flush_messages, int32_t slots = kSlots) {
    ReactorOptions options;
    options.reactors = 2;
    REQUIRE(Plane::open(options, inbox.bell(), &plane).ok());
    inbox.watch(plane.get());
    for (int32_t slot = 0; slot < slots; slot += 1) {
      PartitionOptions created;
      created.slot = slot;
      created.log_directory = directory.path();
      created.topic = "t";
      created.index = slot;
      created.config.flush_messages = flush_messages;
      created.config.log.segment_bytes_max = 1000;
      CHECK_OK(plane->create(created, slot));
      plane->lead(slot, 3, 0, {1}, {1});
    }
    Told told;
    for (int32_t slot = 0; slot < slots; slot += 1) {
      REQUIRE(inbox.next_of(fact::kDone, &told));
      CHECK_EQ(told.status, 0);
    }
  }
  void append(int32_t slot, double ticket) {
    const std::vector<uint8_t> batch = make_batch({{1000, "a value of some length", false, ""}});
    plane->append(slot, 3, Bytes(batch), ticket);
  }
  double row(int32_t slot, size_t column) {
    return plane->partition_rows(0).get()[static_cast<size_t>(slot) * kPartitionColumns + column];
  }

  TempDirectory directory;
  Inbox inbox;
  std::unique_ptr<Plane> plane;
};

TEST("plane: flush: appends, rolls and flush verbs of many partitions at once") {
  for (const int64_t flush_messages : {int64_t{1}, int64_t{7}, INT64_MAX}) {
    Running running(flush_messages);
    constexpr int kAppends = 100;
    for (int i = 0; i < kAppends; i += 1) {
      for (int32_t slot = 0; slot < kSlots; slot += 1) {
        running.append(slot, 100 + slot);
        if (i % 5 == 4) running.plane->flush(slot, kFlushTickets + slot * kAppends + i);
      }
    }
    std::map<double, int> appended;
    Told told;
    for (int left = kSlots * (kAppends + kAppends / 5); left > 0; left -= 1) {
      REQUIRE(running.inbox.next_of(fact::kDone, &told));
      CHECK_EQ(told.status, 0);
      if (told.ticket < kFlushTickets) {
        appended[told.ticket] += 1;
        continue;
      }
      // Everything that was asked for before it is on the disk.
      const int asked = static_cast<int>(told.ticket - kFlushTickets) % kAppends + 1;
      CHECK(told.a >= asked);
    }
    for (int32_t slot = 0; slot < kSlots; slot += 1) {
      CHECK_EQ(appended[100 + slot], kAppends);
      CHECK_EQ(running.row(slot, column::kRecoveryPoint), double{kAppends});
      CHECK(running.row(slot, column::kSegments) > 1);
    }
  }
}

TEST("plane: flush: hundreds of logs are opened, synced and closed at once, and share syncs") {
  constexpr int32_t kMany = 300;
  constexpr int kPatienceMs = 60'000;  // all that others wrote to the disk is synced as well
  Running running(INT64_MAX, kMany);
  Told told;
  for (int round = 1; round <= 3; round += 1) {
    for (int32_t slot = 0; slot < kMany; slot += 1) {
      running.append(slot, 0);
      running.plane->flush(slot, kFlushTickets + slot);
    }
    for (int left = 2 * kMany; left > 0; left -= 1) {
      REQUIRE(running.inbox.next_of(fact::kDone, &told, kPatienceMs));
      CHECK_EQ(told.status, 0);
      if (told.ticket >= kFlushTickets) CHECK_EQ(told.a, double(round));
    }
  }
  for (int32_t slot = 0; slot < kMany; slot += 1) {
    running.append(slot, 0);
    running.plane->retire(slot, slot % 3 == 0, kRetireTickets + slot);
  }
  for (int left = kMany; left > 0;) {
    REQUIRE(running.inbox.next_of(fact::kDone, &told, kPatienceMs));
    if (told.ticket < kRetireTickets) continue;
    left -= 1;
    CHECK_EQ(told.status, 0);
  }
}

TEST("plane: flush: partitions go, by name or with the plane, while syncs are under way") {
  for (const bool is_clean : {true, false}) {
    Running running(1);
    for (int i = 0; i < 30; i += 1) {
      for (int32_t slot = 0; slot < kSlots; slot += 1) running.append(slot, 100 + slot);
    }
    running.plane->flush(0, kFlushTickets);
    running.plane->retire(0, true, kRetireTickets);
    running.plane->flush(1, kFlushTickets + 1);
    running.plane->retire(1, false, kRetireTickets + 1);
    int flushes = 0;
    int retires = 0;
    Told told;
    while (retires < 2) {
      REQUIRE(running.inbox.next_of(fact::kDone, &told));
      if (told.ticket >= kRetireTickets) {
        retires += 1;
        CHECK_EQ(told.status, 0);
      } else if (told.ticket >= kFlushTickets) {
        flushes += 1;
      }
    }
    CHECK_EQ(flushes, 2);
    CHECK(!std::filesystem::exists(running.directory.path() + "/t-0"));
    running.plane->close(0, is_clean);
    running.plane.reset();
  }
}

TEST("plane: flush: what somebody waits for does not queue behind what nobody waits for") {
  struct Work : DiskWork {
    std::promise<void>* tells = nullptr;
    std::future<void>* waits = nullptr;
    bool is_in_time = true;
    std::promise<void> is_back;
  };
  Running running(INT64_MAX);
  std::promise<void> helped;
  std::future<void> after = helped.get_future();
  Work idle;
  Work awaited;
  idle.waits = &after;
  awaited.tells = &helped;
  awaited.queue = DiskQueue::kAwaitedSync;
  for (Work* work : {&idle, &awaited}) {
    work->help = [](DiskWork* lent, Io&) {
      Work* self = static_cast<Work*>(lent);
      if (self->tells != nullptr) self->tells->set_value();
      if (self->waits == nullptr) return;
      self->is_in_time =
          self->waits->wait_for(std::chrono::seconds(10)) == std::future_status::ready;
    };
    work->run = [](PartitionWork* back, PartitionHost&) {
      static_cast<Work*>(back)->is_back.set_value();
    };
    running.plane->shared().submit(0, [work](Reactor& at) { at.lend(work); });
  }
  awaited.is_back.get_future().wait();
  idle.is_back.get_future().wait();
  CHECK(idle.is_in_time);
}

}  // namespace

RUN_TESTS()
