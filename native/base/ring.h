// Bounded queues between threads. Full is an answer (false), never a wait: the caller counts it and
// mutes the connection that asked (DESIGN §3, mailboxes).
//
// SpscRing: one producer, one consumer. Mailbox: many producers, one consumer; each producer's
// messages stay in order. Both publish a message with a release store and take it with an acquire
// load, so what a message points to is visible with it. Doorbell: whether the consumer must be
// woken, without a lost one.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "assert.h"

namespace ottla {

constexpr size_t kCacheLineBytes = 64;

template <typename T>
class SpscRing {
  static_assert(std::is_trivially_copyable_v<T>, "messages are plain values");

 public:
  // `capacity` is rounded up to a power of two; the cells are allocated (and touched) here.
  explicit SpscRing(size_t capacity)
      : mask_(std::bit_ceil(capacity < 2 ? size_t{2} : capacity) - 1), cells_(new T[mask_ + 1]()) {}
  SpscRing(const SpscRing&) = delete;
  SpscRing& operator=(const SpscRing&) = delete;

  size_t capacity() const { return mask_ + 1; }

  // Producer. False: full.
  bool push(const T& message) {
    const size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ > mask_) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ > mask_) return false;
    }
    cells_[tail & mask_] = message;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // Consumer. False: empty.
  bool pop(T* message) {
    const size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_seen_) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head == tail_seen_) return false;
    }
    *message = cells_[head & mask_];
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  // Either side; the other may be moving it.
  size_t count() const {
    const size_t head = head_.load(std::memory_order_acquire);
    return tail_.load(std::memory_order_acquire) - head;
  }
  bool empty() const { return count() == 0; }

 private:
  const size_t mask_;
  const std::unique_ptr<T[]> cells_;
  alignas(kCacheLineBytes) std::atomic<size_t> tail_{0};  // written by the producer
  size_t head_seen_ = 0;                                  // the producer's last look at head_
  alignas(kCacheLineBytes) std::atomic<size_t> head_{0};  // written by the consumer
  size_t tail_seen_ = 0;                                  // the consumer's last look at tail_
};

// Bounded, many producers, one consumer. A cell's turn says whose move it is: `position` when free
// for the message of that position, `position + 1` when it holds it. A producer that claimed a cell
// and was preempted delays the messages behind it, which keeps each producer's order.
template <typename T>
class Mailbox {
  static_assert(std::is_trivially_copyable_v<T>, "messages are plain values");

 public:
  explicit Mailbox(size_t capacity)
      : mask_(std::bit_ceil(capacity < 2 ? size_t{2} : capacity) - 1), cells_(new Cell[mask_ + 1]) {
    for (size_t i = 0; i <= mask_; i += 1) cells_[i].turn.store(i, std::memory_order_relaxed);
  }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  size_t capacity() const { return mask_ + 1; }

  // Any thread. False: full.
  bool push(const T& message) {
    size_t position = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[position & mask_];
      const size_t turn = cell.turn.load(std::memory_order_acquire);
      if (turn == position) {
        if (tail_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
          cell.message = message;
          cell.turn.store(position + 1, std::memory_order_release);
          return true;
        }
      } else if (static_cast<intptr_t>(turn - position) < 0) {
        return false;  // still holds the message of a lap ago
      } else {
        position = tail_.load(std::memory_order_relaxed);
      }
    }
  }

  // Consumer. False: empty, or the next message is still being written.
  bool pop(T* message) {
    Cell& cell = cells_[head_ & mask_];
    if (cell.turn.load(std::memory_order_acquire) != head_ + 1) return false;
    *message = cell.message;
    cell.turn.store(head_ + mask_ + 1, std::memory_order_release);
    head_ += 1;
    return true;
  }

  // Consumer.
  bool empty() const {
    return cells_[head_ & mask_].turn.load(std::memory_order_acquire) != head_ + 1;
  }

 private:
  struct Cell {
    std::atomic<size_t> turn;
    T message;
  };

  const size_t mask_;
  const std::unique_ptr<Cell[]> cells_;
  alignas(kCacheLineBytes) std::atomic<size_t> tail_{0};
  alignas(kCacheLineBytes) size_t head_ = 0;  // the consumer's own
};

// Consumer: `arm()`, look at the queue once more, then wait only if it is empty; `disarm()` after.
// Producer: push, then `if (bell.ring()) io->wake()`. Both sides exchange one flag, and exchanges
// of one flag have one order: either the producer sees it armed, or the consumer's last look sees
// the message.
class Doorbell {
 public:
  void arm() { (void)armed_.exchange(true, std::memory_order_acq_rel); }
  void disarm() { armed_.store(false, std::memory_order_relaxed); }
  // True for exactly one producer per arm(): that one wakes the consumer.
  bool ring() { return armed_.exchange(false, std::memory_order_acq_rel); }

 private:
  alignas(kCacheLineBytes) std::atomic<bool> armed_{false};
};

}  // namespace ottla
