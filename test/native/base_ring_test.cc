// base/ring.h: order, fullness, and what several threads see. Run under TSan too.
#include "../../native/base/ring.h"

#include <thread>
#include <vector>

#include "../../native/base/counters.h"
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
