// FactRing: one reactor's way to speak to TypeScript. Fixed 64-byte records in a ring, bodies in a
// slab beside it, both in one piece of memory that TypeScript reads as an ArrayBuffer
// (src/plane/layout.ts has its layout, docs/SEAM.md its drawing).
//
//   [ cursors 256 | records × 64 | slab ]
//
// Written by the reactor only. Cursors are 32-bit, wrapping, sequentially consistent on both sides:
// TypeScript sets `idle` and looks at `head` again, we move `head` and look at `idle` again, so one
// of the two sees the other and no wake-up is lost (DESIGN §7 rule 11). Facts that do not fit wait
// in order in a backlog, which the verbs' tickets bound; `request` and `response` facts are refused
// instead, and their socket is not read until there is room.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "../base/counters.h"
#include "../gen/layout.h"
#include "../partition/host.h"

namespace ottla {

// What is rung when a ring stops being idle; from any reactor's thread.
struct Bell {
  void (*ring)(void* context) = nullptr;
  void* context = nullptr;
};

class FactRing {
 public:
  struct Options {
    uint32_t facts = 2048;          // a power of two
    uint32_t slab_bytes = 1 << 20;  // a power of two
    size_t large_bytes_max = size_t{256} << 20;
  };

  FactRing(const Options& options, int reactor, Bell bell, CounterRow counters);

  // The shared memory; the finalizer of the ArrayBuffer holds a copy of this pointer.
  std::shared_ptr<uint8_t> memory() const { return memory_; }
  size_t memory_bytes() const;
  const Options& options() const { return options_; }

  // Room for one more fact with such a body, and nothing waits before it.
  bool has_room(uint32_t body_bytes);
  // Never fails: waits in the backlog when there is no room.
  void push(const Fact& fact);
  // Makes what was pushed visible, moves the backlog; once per turn. True: a backlog remains.
  bool publish();

  // Control thread: the body of a fact flagged largeBody.
  bool take_body(uint32_t id, std::vector<uint8_t>* body);

 private:
  struct Waiting {
    Fact fact;
    std::vector<uint8_t> body;
  };

  std::atomic_ref<uint32_t> cursor(size_t offset) const {
    return std::atomic_ref<uint32_t>(*reinterpret_cast<uint32_t*>(memory_.get() + offset));
  }
  bool is_large(uint32_t body_bytes) const { return body_bytes > options_.slab_bytes / 4; }
  bool fits(uint32_t body_bytes);
  void write(const Fact& fact);
  uint32_t place_body(const Fact& fact, uint16_t* flags);

  const Options options_;
  const int reactor_;
  const Bell bell_;
  CounterRow counters_;
  std::shared_ptr<uint8_t> memory_;
  uint8_t* records_ = nullptr;
  uint8_t* slab_ = nullptr;
  uint32_t head_ = 0;       // written, maybe not yet published
  uint32_t published_ = 0;  // what TypeScript may see
  uint32_t slab_head_ = 0;  // wrapping; position modulo slab_bytes is the place
  std::deque<Waiting> backlog_;
  uint64_t waited_ = 0;  // facts that had to wait since the last overflow fact

  std::mutex large_lock_;  // bodies too big for the slab: rare
  std::unordered_map<uint32_t, std::vector<uint8_t>> large_;
  size_t large_bytes_ = 0;
  uint32_t large_next_ = 1;
};

}  // namespace ottla
