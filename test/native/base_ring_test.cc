// base/ring.h, base/signal_set.h: order, fullness, and what several threads see. Run under TSan
// too.
#include "../../native/base/ring.h"

#include <thread>
#include <vector>

#include "../../native/base/counters.h"
#include "../../native/base/signal_set.h"
#include "test.h"

using namespace ottla;

namespace {

struct Message {
  uint32_t producer = 0;
  uint32_t number = 0;
};

}  // namespace

TEST("base: ring: capacity is a power of two and full is an answer") {
  SpscRing<int> ring(5);
  CHECK_EQ(ring.capacity(), 8u);
  for (int lap = 0; lap < 3; lap += 1) {
    for (int i = 0; i < 8; i += 1) CHECK(ring.push(i));
    CHECK(!ring.push(99));
    CHECK_EQ(ring.count(), 8u);
    int value = -1;
    for (int i = 0; i < 8; i += 1) {
      CHECK(ring.pop(&value));
      CHECK_EQ(value, i);
    }
    CHECK(!ring.pop(&value));
    CHECK(ring.empty());
  }
}

TEST("base: ring: one producer and one consumer keep the order") {
  constexpr uint32_t kCount = 100000;
  SpscRing<uint32_t> ring(64);
  std::thread producer([&] {
    for (uint32_t i = 0; i < kCount;) {
      if (ring.push(i)) {
        i += 1;
      } else {
        std::this_thread::yield();
      }
    }
  });
  uint32_t expected = 0, value = 0;
  while (expected < kCount) {
    if (!ring.pop(&value)) {
      std::this_thread::yield();
      continue;
    }
    if (value != expected) break;
    expected += 1;
  }
  producer.join();
  CHECK_EQ(expected, kCount);
}

TEST("base: mailbox: full is an answer, and a pop makes room") {
  Mailbox<int> mailbox(4);
  for (int i = 0; i < 4; i += 1) CHECK(mailbox.push(i));
  CHECK(!mailbox.push(4));
  int value = -1;
  CHECK(mailbox.pop(&value));
  CHECK_EQ(value, 0);
  CHECK(mailbox.push(4));
  CHECK(!mailbox.push(5));
  for (int i = 1; i <= 4; i += 1) {
    CHECK(mailbox.pop(&value));
    CHECK_EQ(value, i);
  }
  CHECK(mailbox.empty());
}

TEST("base: mailbox: nothing is lost and each producer's order is kept") {
  constexpr uint32_t kProducers = 3, kEach = 20000;
  Mailbox<Message> mailbox(32);
  std::vector<std::thread> producers;
  for (uint32_t p = 0; p < kProducers; p += 1) {
    producers.emplace_back([&mailbox, p] {
      for (uint32_t i = 0; i < kEach;) {
        if (mailbox.push({p, i})) {
          i += 1;
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  uint32_t next[kProducers] = {};
  bool ordered = true;
  for (uint32_t taken = 0; taken < kProducers * kEach;) {
    Message message;
    if (!mailbox.pop(&message)) {
      std::this_thread::yield();
      continue;
    }
    ordered = ordered && next[message.producer] == message.number;
    next[message.producer] = message.number + 1;
    taken += 1;
  }
  for (std::thread& producer : producers) producer.join();
  CHECK(ordered);
  for (const uint32_t count : next) CHECK_EQ(count, kEach);
}

TEST("base: doorbell: no wake-up is lost and few are made") {
  constexpr uint32_t kCount = 20000;
  Mailbox<uint32_t> mailbox(16);
  Doorbell bell;
  std::atomic<uint32_t> wakes{0};  // stands for the eventfd
  std::thread producer([&] {
    for (uint32_t i = 0; i < kCount;) {
      if (!mailbox.push(i)) {
        std::this_thread::yield();
        continue;
      }
      i += 1;
      if (bell.ring()) {
        wakes.fetch_add(1);
        wakes.notify_one();
      }
    }
  });
  uint32_t taken = 0, value = 0, answered = 0;
  while (taken < kCount) {
    if (mailbox.pop(&value)) {
      taken += 1;
      continue;
    }
    bell.arm();
    if (!mailbox.empty()) {
      bell.disarm();
      continue;
    }
    wakes.wait(answered);  // hangs here if a wake-up can be lost
    answered = wakes.load();
  }
  producer.join();
  CHECK_EQ(taken, kCount);
  CHECK(wakes.load() <= kCount);
}

TEST("base: signals: each number once, smallest first, and more while they are taken") {
  constexpr size_t kCount = 1 << 20;
  SignalSet set(kCount);
  CHECK(set.empty());
  CHECK(!set.take([](size_t) {}));
  const std::vector<size_t> numbers{0, 1, 63, 64, 4095, 4096, 262'143, 262'144, kCount - 1};
  for (int twice = 0; twice < 2; twice += 1) {
    for (const size_t number : numbers) set.add(number);
  }
  CHECK(!set.empty());
  std::vector<size_t> taken;
  CHECK(set.take([&](size_t number) {
    taken.push_back(number);
    if (number == 64) set.add(3);
  }));
  CHECK(taken == numbers);
  taken.clear();
  CHECK(set.take([&](size_t number) { taken.push_back(number); }));
  CHECK(taken == std::vector<size_t>{3});
  CHECK(set.empty());
}

TEST("base: signals: who takes a number sees what was done before it was added") {
  constexpr size_t kNumbers = 200, kRounds = 500;
  SignalSet set(kNumbers);
  std::vector<uint64_t> seen(kNumbers);
  std::vector<std::atomic<uint64_t>> done(kNumbers);
  const auto adds = [&](size_t first) {
    for (size_t round = 1; round <= kRounds; round += 1) {
      for (size_t number = first; number < kNumbers; number += 2) {
        done[number].store(round, std::memory_order_relaxed);
        set.add(number);
      }
      if (round % 16 == 0) std::this_thread::yield();
    }
  };
  std::thread even(adds, 0), odd(adds, 1);
  for (size_t ended = 0; ended < kNumbers;) {
    const bool found = set.take([&](size_t number) {
      const uint64_t round = done[number].load(std::memory_order_relaxed);
      CHECK(round >= seen[number]);
      if (round == kRounds && seen[number] < kRounds) ended += 1;
      seen[number] = round;
    });
    if (!found) std::this_thread::yield();
  }
  even.join();
  odd.join();
}

TEST("base: counters: a sequenced row read from another thread is whole") {
  double cells[4] = {};
  SequencedRow row(cells, 4);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (double i = 1; !stop.load(std::memory_order_relaxed); i += 1) {
      row.begin();
      for (size_t f = 1; f < 4; f += 1) row.set(f, i);
      row.end();
      if (static_cast<int64_t>(i) % 16 == 0) std::this_thread::yield();
    }
  });
  bool agreed = true;
  for (int read = 0; read < 5000;) {
    double seen[4];
    if (!row.read(seen)) {
      std::this_thread::yield();
      continue;
    }
    agreed = agreed && seen[1] == seen[2] && seen[2] == seen[3];
    read += 1;
  }
  stop.store(true);
  writer.join();
  CHECK(agreed);
}

RUN_TESTS()
