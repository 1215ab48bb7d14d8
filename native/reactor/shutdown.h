// Shutdown: how reactors end together. Connections first (what they are owed leaves, or the grace
// is over), then, when no reactor has one left, the partitions that all of them read. Those of
// directories have no connections, and one that hangs keeps the others from nothing but the end.
//
//   serving ─close()─► draining ─no connection left─► drained ─all drained─► closing ─► closed
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "facts.h"

namespace ottla {

// Of a plane; what its reactors count together.
struct Shutdown {
  std::atomic<int> drained{0};
  std::atomic<int> closed{0};
  int connected = 1;  // reactors that have connections: drained counts these
  int reactors = 1;

  std::mutex lock;
  std::condition_variable wake;  // when closed

  bool is_closed() const { return closed.load(std::memory_order_acquire) == reactors; }
};

enum class Phase : uint8_t { kServing, kDraining, kDrained, kClosing, kClosed };

}  // namespace ottla
