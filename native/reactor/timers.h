// Timers of one reactor: a binary heap of deadlines whose places are recycled, so that starting and
// cancelling allocate nothing in the steady state. Equal deadlines fire in the order they were
// started. Ids carry a generation: cancelling one that fired, or was cancelled, does nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace ottla {

class PartitionHost;

class Timers {
 public:
  using Run = void (*)(void* object, PartitionHost& host);
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // Returns the timer's id, never 0.
  uint64_t start(int64_t deadline_us, Run run, void* object) {
    uint32_t index;
    if (free_.empty()) {
      index = static_cast<uint32_t>(timers_.size());
      timers_.emplace_back();
    } else {
      index = free_.back();
      free_.pop_back();
    }
    Timer& timer = timers_[index];
    timer.deadline_us = deadline_us;
    timer.order = next_order_++;
    timer.run = run;
    timer.object = object;
    heap_.push_back(index);
    place(heap_.size() - 1, index);
    rise(heap_.size() - 1);
    return static_cast<uint64_t>(timer.generation) << 32 | index;
  }

  void cancel(uint64_t id) {
    const uint32_t index = static_cast<uint32_t>(id);
    if (index >= timers_.size()) return;
    Timer& timer = timers_[index];
    if (timer.generation != static_cast<uint32_t>(id >> 32) || timer.place == kNowhere) return;
    remove(timer.place);
  }

  int64_t next_deadline_us() const {
    return heap_.empty() ? kNever : timers_[heap_[0]].deadline_us;
  }
  size_t count() const { return heap_.size(); }

  // Takes the earliest timer that is due. False: none is.
  bool take_due(int64_t now_us, Run* run, void** object) {
    if (heap_.empty() || timers_[heap_[0]].deadline_us > now_us) return false;
    *run = timers_[heap_[0]].run;
    *object = timers_[heap_[0]].object;
    remove(0);
    return true;
  }

 private:
  static constexpr size_t kNowhere = SIZE_MAX;
  struct Timer {
    int64_t deadline_us = 0;
    uint64_t order = 0;
    Run run = nullptr;
    void* object = nullptr;
    size_t place = kNowhere;  // in heap_
    uint32_t generation = 1;
  };

  bool before(uint32_t a, uint32_t b) const {
    const Timer& x = timers_[a];
    const Timer& y = timers_[b];
    return x.deadline_us != y.deadline_us ? x.deadline_us < y.deadline_us : x.order < y.order;
  }
  void place(size_t at, uint32_t index) {
    heap_[at] = index;
    timers_[index].place = at;
  }
  void rise(size_t at) {
    const uint32_t index = heap_[at];
    while (at > 0) {
      const size_t parent = (at - 1) / 2;
      if (!before(index, heap_[parent])) break;
      place(at, heap_[parent]);
      at = parent;
    }
    place(at, index);
  }
  void sink(size_t at) {
    const uint32_t index = heap_[at];
    for (;;) {
      size_t child = 2 * at + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child])) child += 1;
      if (!before(heap_[child], index)) break;
      place(at, heap_[child]);
      at = child;
    }
    place(at, index);
  }
  void remove(size_t at) {
    const uint32_t gone = heap_[at];
    const uint32_t last = heap_.back();
    heap_.pop_back();
    if (gone != last) {
      place(at, last);
      rise(at);
      sink(timers_[last].place);
    }
    Timer& timer = timers_[gone];
    timer.place = kNowhere;
    timer.generation = timer.generation == UINT32_MAX ? 1 : timer.generation + 1;
    free_.push_back(gone);
  }

  std::vector<Timer> timers_;
  std::vector<uint32_t> heap_;
  std::vector<uint32_t> free_;
  uint64_t next_order_ = 0;
};

}  // namespace ottla
