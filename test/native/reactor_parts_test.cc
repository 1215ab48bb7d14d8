// The reactor's smaller parts: timers, request headers, input blocks, connection ids.
#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include "../../native/base/bytes.h"
#include "../../native/io/epoll.h"
#include "../../native/reactor/conn_id.h"
#include "../../native/reactor/header.h"
#include "../../native/reactor/input.h"
#include "../../native/reactor/spinner.h"
#include "../../native/reactor/timers.h"
#include "../../native/reactor/worker_pool.h"
#include "test.h"

using namespace ottla;

namespace {

void nothing(void*, PartitionHost&) {}

std::vector<uintptr_t> take_all(Timers& timers, int64_t now_us) {
  std::vector<uintptr_t> fired;
  Timers::Run run;
  void* object;
  while (timers.take_due(now_us, &run, &object))
    fired.push_back(reinterpret_cast<uintptr_t>(object));
  return fired;
}

void* number(uintptr_t value) { return reinterpret_cast<void*>(value); }

}  // namespace

TEST("reactor: timers: fire by deadline, then by the order they were started") {
  Timers timers;
  CHECK_EQ(timers.next_deadline_us(), Timers::kNever);
  timers.start(30, nothing, number(3));
  timers.start(10, nothing, number(1));
  timers.start(20, nothing, number(2));
  timers.start(10, nothing, number(11));
  CHECK_EQ(timers.next_deadline_us(), 10);
  CHECK(take_all(timers, 9).empty());
  CHECK(take_all(timers, 20) == (std::vector<uintptr_t>{1, 11, 2}));
  CHECK(take_all(timers, 1000) == (std::vector<uintptr_t>{3}));
  CHECK_EQ(timers.count(), 0u);
}

TEST("reactor: timers: a cancelled one does not fire, an old id cancels nothing") {
  Timers timers;
  const uint64_t first = timers.start(10, nothing, number(1));
  timers.cancel(first);
  timers.cancel(first);
  const uint64_t second = timers.start(10, nothing, number(2));  // takes the same place
  CHECK(first != second);
  timers.cancel(first);
  timers.cancel(0);
  CHECK(take_all(timers, 10) == (std::vector<uintptr_t>{2}));
  timers.cancel(second);
  CHECK_EQ(timers.count(), 0u);
}

TEST("reactor: timers: random starts and cancels agree with a sorted list") {
  std::mt19937 random(7);
  Timers timers;
  struct Expected {
    int64_t deadline;
    uintptr_t order;
    uint64_t id;
  };
  std::vector<Expected> expected;
  int64_t now = 0;
  for (uintptr_t step = 1; step < 20000; step += 1) {
    const unsigned what = random() % 10;
    if (what < 6) {
      const int64_t deadline = now + static_cast<int64_t>(random() % 50);
      expected.push_back({deadline, step, timers.start(deadline, nothing, number(step))});
    } else if (what < 8 && !expected.empty()) {
      const size_t at = random() % expected.size();
      timers.cancel(expected[at].id);
      expected.erase(expected.begin() + static_cast<ptrdiff_t>(at));
    } else {
      now += static_cast<int64_t>(random() % 20);
      std::stable_sort(expected.begin(), expected.end(), [](const Expected& a, const Expected& b) {
        return a.deadline != b.deadline ? a.deadline < b.deadline : a.order < b.order;
      });
      std::vector<uintptr_t> due;
      while (!expected.empty() && expected.front().deadline <= now) {
        due.push_back(expected.front().order);
        expected.erase(expected.begin());
      }
      REQUIRE(take_all(timers, now) == due);
    }
    REQUIRE(timers.count() == expected.size());
  }
}

TEST("reactor: header: both forms, and every cut of them") {
  // Produce 9, correlation 7, client "abc", one tagged field of two bytes, then the body.
  const std::vector<uint8_t> flexible = {0,   0,   0,   9, 0, 0, 0, 7, 0, 3,
                                         'a', 'b', 'c', 1, 5, 2, 1, 1, 99};
  RequestHeader header;
  REQUIRE(read_request_header(flexible.data(), flexible.size(), &header));
  CHECK(header.is_served);
  CHECK_EQ(header.api_version, 9);
  CHECK_EQ(header.correlation_id, 7);
  CHECK_EQ(header.bytes, flexible.size() - 1);
  for (size_t cut = 0; cut < flexible.size() - 1; cut += 1) {
    RequestHeader short_one;
    CHECK(!read_request_header(flexible.data(), cut, &short_one));
  }
  // Fetch 11 has no tagged fields; a null client id.
  const std::vector<uint8_t> plain = {0, 1, 0, 11, 0, 0, 0, 1, 0xff, 0xff, 42};
  RequestHeader old;
  REQUIRE(read_request_header(plain.data(), plain.size(), &old));
  CHECK_EQ(old.bytes, 10u);
  CHECK(!header.is_admin_client);
  CHECK(!old.is_admin_client);
  const auto called = [](const std::string& client_id) {
    std::vector<uint8_t> frame = {0, 0, 0, 8, 0,
                                  0, 0, 1, 0, static_cast<uint8_t>(client_id.size())};
    frame.insert(frame.end(), client_id.begin(), client_id.end());
    RequestHeader named;
    return read_request_header(frame.data(), frame.size(), &named) && named.is_admin_client;
  };
  CHECK(called("__admin_client"));
  CHECK(!called("__admin_clien"));
  CHECK(!called("__admin_client2"));
  CHECK(!called(""));
  // Lengths that lie.
  auto lying = plain;
  lying[8] = 0x7f;
  CHECK(!read_request_header(lying.data(), lying.size(), &old));
  lying[8] = 0xff;
  lying[9] = 0xfe;  // -2
  CHECK(!read_request_header(lying.data(), lying.size(), &old));
  auto endless = flexible;
  endless[13] = 0xff;  // a count of tags that goes on
  CHECK(!read_request_header(endless.data(), endless.size(), &header));
  // Unserved versions are read no further.
  const std::vector<uint8_t> ancient = {0, 0, 0, 2, 0, 0, 0, 1};
  RequestHeader unserved;
  REQUIRE(read_request_header(ancient.data(), ancient.size(), &unserved));
  CHECK(!unserved.is_served);
}

TEST("reactor: input: a claimed length alone allocates nothing") {
  BlockPool pool({size_t{64} << 20, size_t{8} << 20});
  Input input(&pool);
  REQUIRE(input.reserve(0));
  CHECK_EQ(pool.lent_bytes(), size_t{Input::kBlockBytes});
  input.received(4);
  REQUIRE(input.reserve(50 << 20));  // 50 MiB claimed, 4 bytes here
  CHECK_EQ(pool.lent_bytes(), size_t{Input::kBlockBytes});
  // It grows as bytes come: never more than about four times what has arrived.
  uint64_t arrived = 4;
  while (arrived < 10 << 20) {
    REQUIRE(input.reserve(50 << 20));
    const size_t room = std::min<size_t>(input.room_bytes(), 10000);
    input.received(room);
    arrived += room;
    CHECK(pool.lent_bytes() <= std::max<uint64_t>(4 * arrived, 2 * Input::kBlockBytes));
  }
  CHECK_EQ(input.bytes(), arrived);
}

TEST("reactor: input: held frames keep their bytes while reading goes on") {
  BlockPool pool({size_t{64} << 20, size_t{8} << 20});
  std::vector<std::pair<Block*, const uint8_t*>> held;
  {
    Input input(&pool);
    uint8_t next = 0;
    for (int i = 0; i < 200; i += 1) {
      REQUIRE(input.reserve(1000));
      REQUIRE(input.room_bytes() >= 1000);
      std::fill_n(input.room(), 1000, next++);
      input.received(1000);
      const uint8_t* at = input.data();
      held.push_back({input.consume_and_hold(1000), at});
    }
    for (size_t i = 0; i < held.size(); i += 1) {
      for (int byte = 0; byte < 1000; byte += 1) REQUIRE(held[i].second[byte] == i % 256);
    }
    for (size_t i = 0; i < 100; i += 1) input.release(held[i].first);
    input.drop();
    for (size_t i = 100; i < held.size(); i += 1) {
      CHECK_EQ(held[i].second[999], i % 256);  // the connection is gone, its frames are not
      input.release(held[i].first);
    }
  }
  CHECK_EQ(pool.lent_bytes(), 0u);
}

TEST("reactor: input: small frames that come one by one share the block that the first holds") {
  BlockPool pool({size_t{64} << 20, size_t{8} << 20});
  Input input(&pool);
  std::vector<Block*> held;
  for (int frame = 0; frame < 100; frame += 1) {
    REQUIRE(input.reserve(0));
    input.received(200);
    held.push_back(input.consume_and_hold(200));
    input.completed(200);
    input.rest();  // everything that came has been consumed
  }
  CHECK_EQ(pool.lent_bytes(), size_t{Input::kBlockBytes});
  for (Block* block : held) input.release(block);
  CHECK_EQ(pool.lent_bytes(), size_t{0});  // idle: nothing is kept
}

TEST("reactor: input: of a stream of large frames hardly anything is moved") {
  constexpr uint32_t kFrame = 66 * 1024;
  BlockPool pool({size_t{64} << 20, size_t{8} << 20});
  Input input(&pool);
  std::vector<Block*> held;
  for (int frame = 0; frame < 8; frame += 1) {
    uint32_t moved = 0;
    while (input.bytes() < kFrame) {
      const uint32_t arrived = input.bytes();
      const uint8_t* before = input.data();
      const uint64_t length = arrived >= 4 ? kFrame : 0;
      REQUIRE(input.reserve(length));
      if (input.data() != before) moved += arrived;
      // As from a socket that has all that is asked for.
      const size_t got = input.wanted_bytes(length);
      REQUIRE(got > 0);
      input.received(got);
    }
    CHECK(frame == 0 ? moved >= 64 * 1024  // nothing was known of this sender before its first
                     : moved <= Input::kBehindBytes);
    CHECK(input.bytes() <= kFrame + Input::kBehindBytes);
    held.push_back(input.consume_and_hold(kFrame));
    input.completed(kFrame);
    input.rest();
  }
  for (Block* block : held) input.release(block);
  input.drop();
  CHECK_EQ(pool.lent_bytes(), size_t{0});
}

TEST("reactor: input: an empty pool is an answer") {
  BlockPool pool({size_t{Input::kBlockBytes}, size_t{8} << 20});
  Input first(&pool), second(&pool);
  REQUIRE(first.reserve(0));
  CHECK(!second.reserve(0));
  first.rest();
  CHECK(second.reserve(0));
}

// Waits that were over after `gap_us`, each looked at every microsecond; how many were slept
// through.
int sleeps(Spinner& spinner, int64_t* now_us, int waits, int64_t gap_us) {
  int slept = 0;
  for (int wait = 0; wait < waits; wait += 1) {
    const int64_t over_us = *now_us + gap_us;
    while (spinner.looks_on(*now_us) && *now_us < over_us) *now_us += 1;
    slept += *now_us < over_us ? 1 : 0;
    *now_us = over_us;
    spinner.found(*now_us);
  }
  return slept;
}

TEST("reactor: spin: some short waits, and it looks on; one in vain, and it sleeps again") {
  Spinner spinner(50);
  int64_t now_us = 1000;
  CHECK_EQ(sleeps(spinner, &now_us, 100, 500), 100);
  CHECK_EQ(sleeps(spinner, &now_us, 100, 30), Spinner::kShortWaits);
  CHECK_EQ(sleeps(spinner, &now_us, 1, 51), 1);  // the bound, and no longer
  CHECK_EQ(sleeps(spinner, &now_us, 100, 30), Spinner::kShortWaits);
  CHECK_EQ(sleeps(spinner, &now_us, 3, 1000 * 1000), 3);
  // What was slept through took longer for the wake-up: that is no reason to go on sleeping.
  CHECK_EQ(sleeps(spinner, &now_us, Spinner::kShortWaits, 50 + Spinner::kWakeUs),
           Spinner::kShortWaits);
  CHECK_EQ(sleeps(spinner, &now_us, 10, 10), 0);
}

TEST("reactor: spin: short waits now and then are slept through") {
  Spinner spinner(50);
  int64_t now_us = 0;
  for (int i = 0; i < 50; i += 1) {
    CHECK_EQ(sleeps(spinner, &now_us, Spinner::kShortWaits - 1, 20), Spinner::kShortWaits - 1);
    CHECK_EQ(sleeps(spinner, &now_us, 1, 200), 1);
  }
}

TEST("reactor: spin: who was kept from running does not look on for a while") {
  Spinner spinner(50);
  int64_t now_us = 0;
  CHECK_EQ(sleeps(spinner, &now_us, 10, 20), Spinner::kShortWaits);
  CHECK(spinner.looks_on(now_us));
  now_us += 3000;  // somebody else had the core meanwhile
  CHECK(!spinner.looks_on(now_us));
  spinner.found(now_us);
  CHECK_EQ(sleeps(spinner, &now_us, 1000, 20), 1000);
  now_us += Spinner::kApartUs;
  CHECK_EQ(sleeps(spinner, &now_us, 10, 20), 0);
  CHECK(spinner.looks_on(now_us));
  now_us += 3000;  // or had it while there was something to be done
  spinner.found(now_us);
  CHECK_EQ(sleeps(spinner, &now_us, 1000, 20), 1000);
}

TEST("reactor: spin: no bound, no looking on") {
  Spinner spinner(0);
  int64_t now_us = 0;
  CHECK_EQ(sleeps(spinner, &now_us, 100, 1), 100);
}

TEST("reactor: conn ids: exact in a double, reactor known, kinds apart") {
  const uint64_t id = accepted_id(31, kConnIndexMax - 1, kConnGenerationMax - 1);
  CHECK(static_cast<uint64_t>(static_cast<double>(id)) == id);
  CHECK_EQ(reactor_of(id), 31);
  CHECK_EQ(index_of(id), kConnIndexMax - 1);
  CHECK_EQ(generation_of(id), kConnGenerationMax - 1);
  CHECK(!is_dialled(id));
  const uint64_t dialled = dialled_id(5, 123456789);
  CHECK(is_dialled(dialled));
  CHECK_EQ(reactor_of(dialled), 5);
  CHECK(static_cast<uint64_t>(static_cast<double>(dialled)) == dialled);
}

TEST("reactor: workers: of many jobs none is finished before what its batch wrote is synced") {
  constexpr int kJobs = 500;
  const auto make_io = [] { return make_epoll_io(); };
  const auto io = make_epoll_io();
  Disk disk("/tmp");
  disk.know(*io);
  std::atomic<int> worked{0}, finished{0}, failed{0};
  std::atomic<bool> may_go{false};
  {
    WorkerPool pool(2, make_io, WorkerPool::Pace::kYields, &disk, 16);
    for (int i = 0; i < 2; i += 1) {  // one for each thread, until all are there
      pool.submit(*io, [&](Io&) {
        while (!may_go) std::this_thread::yield();
      });
    }
    for (int i = 0; i < kJobs; i += 1) {
      pool.submit(
          *io, [&](Io&) { worked += 1; },
          [&](const Status& status) {
            finished += 1;
            if (!status.ok() || finished > worked) failed += 1;
          });
    }
    may_go = true;
    while (finished < kJobs) std::this_thread::yield();
  }
  CHECK_EQ(worked.load(), kJobs);
  CHECK_EQ(failed.load(), 0);
  disk.close(*io);
}

RUN_TESTS()
