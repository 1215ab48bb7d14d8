// Purgatory: where requests wait for a partition, and how they are woken without polling.
// Kafka: DelayedOperationPurgatory, DelayedProduce, DelayedFetch.
//
// Produces wait in offset order, because the high watermark passes them in that order: completing
// is popping from the front. Fetches wait per reactor: each reactor keeps its own list per slot,
// and a partition's owner wakes the reactors whose bit is set in the partition's interest mask
// (partition.h). A wake only marks: what was woken is looked at once, at the end of the turn,
// however many partitions signalled. A fetch session waits too while no request of it does: what
// was woken meanwhile is what its next request has to read.
#pragma once

#include <cstdint>
#include <vector>

#include "../base/intrusive_list.h"

namespace ottla {

struct ProduceOp;
struct FetchWaiter;

// One partition a fetch waits for.
struct FetchWait {
  FetchWaiter* waiter = nullptr;
  int32_t slot = -1;      // -1: waits for nothing
  bool is_woken = false;  // in `woken` of its waiter
  FetchWait* next = nullptr;
  FetchWait* previous = nullptr;
  ListLink link;
};
using FetchWaits = IntrusiveList<FetchWait, &FetchWait::link>;

// A fetch that waits, or a session.
struct FetchWaiter {
  void* request = nullptr;  // to be looked at when something was woken; null: none
  ListLink woken_link;
  FetchWaits woken;  // in the order of their wakes
};

// The fetches that wait on one reactor.
class FetchPurgatory {
 public:
  void add(FetchWait* wait, FetchWaiter* waiter, int32_t slot) {
    if (static_cast<size_t>(slot) >= heads_.size()) heads_.resize(static_cast<size_t>(slot) + 64);
    FetchWait*& head = heads_[static_cast<size_t>(slot)];
    wait->waiter = waiter;
    wait->slot = slot;
    wait->previous = nullptr;
    wait->next = head;
    if (head != nullptr) head->previous = wait;
    head = wait;
  }

  // It is not woken any more; what it is marked with, stays.
  void remove(FetchWait* wait) {
    if (wait->slot < 0) return;
    if (wait->next != nullptr) wait->next->previous = wait->previous;
    if (wait->previous != nullptr) {
      wait->previous->next = wait->next;
    } else {
      heads_[static_cast<size_t>(wait->slot)] = wait->next;
    }
    wait->slot = -1;
    wait->next = wait->previous = nullptr;
  }

  // Marks everything that waits for the slot; the turn's end looks at it. A session without a
  // request does not wait on: its next one reads what is marked, and adds it again. So a consumer
  // that went away costs one wake, however long its session is kept, and whoever has the slot then.
  void wake(int32_t slot) {
    if (static_cast<size_t>(slot) >= heads_.size()) return;
    for (FetchWait* wait = heads_[static_cast<size_t>(slot)]; wait != nullptr;) {
      FetchWait* next = wait->next;
      wake(wait);
      if (wait->waiter->request == nullptr) remove(wait);
      wait = next;
    }
  }
  void wake(FetchWait* wait) {
    FetchWaiter& waiter = *wait->waiter;
    mark(wait);
    if (waiter.request != nullptr && !waiter.woken_link.linked()) woken_.push_back(&waiter);
  }
  static void mark(FetchWait* wait) {
    if (wait->is_woken) return;
    wait->is_woken = true;
    if (wait->link.linked()) wait->link.unlink();
    wait->waiter->woken.push_back(wait);
  }

  FetchWaiter* pop_woken() { return woken_.pop_front(); }

 private:
  std::vector<FetchWait*> heads_;  // by slot
  IntrusiveList<FetchWaiter, &FetchWaiter::woken_link> woken_;
};

}  // namespace ottla
