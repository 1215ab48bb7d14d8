// How a snapshot that other threads may still be reading is freed: after each of them has said,
// since it was replaced, that it holds nothing (quiescent-state-based reclamation).
//
//   writer:  published.publish(new_segments, &limbo);      limbo.reclaim() once per loop turn
//   reader:  quiescence.online(me);  loop: use published.read() …; quiescence.quiesce(me);
//            quiescence.offline(me) before a blocking poll, online(me) after it
//
// A reader pays one load and one store per loop turn, nothing per read. Why it is right: the writer
// stores the pointer, then raises the epoch to E; a reader whose epoch is ≥ E loaded it after that,
// so it sees the new pointer. A reader that comes online and a writer that looks at its slot both
// exchange the slot, and exchanges of one cell have one order: the writer sees it online, or the
// reader sees the new pointer.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "assert.h"
#include "ring.h"

namespace ottla {

// One per plane, shared by all its threads.
class Quiescence {
 public:
  static constexpr int kReadersMax = 64;

  // Any thread, rarely. A new reader is offline. Returns its number.
  int register_reader() {
    for (int reader = 0; reader < kReadersMax; reader += 1) {
      bool expected = false;
      if (!slots_[reader].is_taken.compare_exchange_strong(expected, true)) continue;
      int used = used_.load(std::memory_order_relaxed);
      while (used <= reader && !used_.compare_exchange_weak(used, reader + 1)) {
      }
      return reader;
    }
    assertion_failed("reader < kReadersMax", __FILE__, __LINE__, "more threads than planned");
  }
  void unregister_reader(int reader) {
    offline(reader);
    slots_[reader].is_taken.store(false, std::memory_order_release);
  }

  // The reader holds no snapshot right now. Once per loop turn, from its own thread, while online.
  void quiesce(int reader) {
    slots_[reader].epoch.store(epoch_.load(std::memory_order_acquire), std::memory_order_release);
  }
  void offline(int reader) { slots_[reader].epoch.store(kOffline, std::memory_order_release); }
  // Before the first read after offline().
  void online(int reader) {
    (void)slots_[reader].epoch.exchange(epoch_.load(std::memory_order_acquire),
                                        std::memory_order_acq_rel);
  }

 private:
  friend class Limbo;
  static constexpr uint64_t kOffline = UINT64_MAX;
  struct alignas(kCacheLineBytes) Slot {
    std::atomic<uint64_t> epoch{kOffline};
    std::atomic<bool> is_taken{false};
  };

  // The epoch that what was replaced before this call must wait for.
  uint64_t advance() { return epoch_.fetch_add(1, std::memory_order_acq_rel) + 1; }

  // The smallest epoch among online readers: what was retired at or before it is unreachable.
  uint64_t horizon() {
    uint64_t smallest = kOffline;
    // As with a slot: this sees the new reader, or the new reader sees what was published before
    // this.
    const int used = used_.fetch_add(0, std::memory_order_acq_rel);
    for (int reader = 0; reader < used; reader += 1) {
      const uint64_t epoch = slots_[reader].epoch.fetch_add(0, std::memory_order_acq_rel);
      if (epoch < smallest) smallest = epoch;
    }
    return smallest;
  }

  alignas(kCacheLineBytes) std::atomic<uint64_t> epoch_{1};
  std::atomic<int> used_{0};  // slots from here on were never taken
  Slot slots_[kReadersMax];
};

// Where one writer's retired things wait. Used by one thread; frees on that thread, oldest first.
class Limbo {
 public:
  explicit Limbo(Quiescence* quiescence) : quiescence_(quiescence) {}
  Limbo(const Limbo&) = delete;
  Limbo& operator=(const Limbo&) = delete;
  // By now every reader has left (threads are joined before what they read is destroyed).
  ~Limbo() {
    reclaim();
    OTTLA_ASSERT(waiting_.empty(), "a reader outlived what it reads");
  }

  // `thing` is no longer reachable by new reads; `free` runs when old ones are over.
  void retire(void* thing, void (*free)(void*)) {
    waiting_.push_back({quiescence_->advance(), thing, free});
  }
  template <typename T>
  void retire(std::unique_ptr<const T> thing) {
    retire(const_cast<T*>(thing.release()), [](void* gone) { delete static_cast<const T*>(gone); });
  }

  // Frees what nobody can hold any more; cheap when nothing waits. Returns how many were freed.
  size_t reclaim() {
    if (waiting_.empty()) return 0;
    const uint64_t horizon = quiescence_->horizon();
    size_t freed = 0;
    while (!waiting_.empty() && waiting_.front().epoch <= horizon) {
      const Retired retired = waiting_.front();
      waiting_.pop_front();
      retired.free(retired.thing);
      freed += 1;
    }
    return freed;
  }

  size_t waiting() const { return waiting_.size(); }

 private:
  struct Retired {
    uint64_t epoch;
    void* thing;
    void (*free)(void*);
  };

  Quiescence* const quiescence_;
  std::deque<Retired> waiting_;
};

// A pointer to an immutable T: one thread replaces it, any online reader follows it.
template <typename T>
class Published {
 public:
  Published() = default;
  explicit Published(std::unique_ptr<const T> first) : current_(first.release()) {}
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;
  ~Published() { delete current_.load(std::memory_order_acquire); }

  // Reader: valid until its next quiesce() or offline(). Null before the first publish.
  const T* read() const { return current_.load(std::memory_order_acquire); }

  // Writer.
  void publish(std::unique_ptr<const T> next, Limbo* limbo) {
    std::unique_ptr<const T> old(current_.exchange(next.release(), std::memory_order_acq_rel));
    if (old != nullptr) limbo->retire(std::move(old));
  }

 private:
  std::atomic<const T*> current_{nullptr};
};

}  // namespace ottla
