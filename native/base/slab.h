// Memory that is taken once and goes round: objects by id, and buffers by size class. One thread
// each.
//
// Slab: a fixed number of T, named by ids that carry a generation, so a stale id finds nothing
// instead of someone else's object. BufferPool: power-of-two buffers under one budget, some touched
// at start, because the first touch of a page costs 1.5 µs per 4 KiB (PERFORMANCE §1). Neither
// takes a lock: what another thread is done with comes back through a mailbox.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "assert.h"

namespace ottla {

// Index in the low half, generation in the high; 0 is never an id.
using SlabId = uint64_t;
constexpr SlabId kNoSlabId = 0;

template <typename T>
class Slab {
 public:
  explicit Slab(uint32_t count_max) : count_max_(count_max), cells_(new Cell[count_max]) {
    for (uint32_t i = 0; i < count_max; i += 1) cells_[i].next_free = i + 1;
  }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() {
    for (uint32_t i = 0; i < count_max_; i += 1) {
      if (cells_[i].is_live) object(i)->~T();
    }
  }

  uint32_t count() const { return count_; }
  uint32_t count_max() const { return count_max_; }

  // Constructs a T; null when all are taken.
  template <typename... Arguments>
  T* create(SlabId* id, Arguments&&... arguments) {
    if (free_ == count_max_) return nullptr;
    const uint32_t index = free_;
    Cell& cell = cells_[index];
    free_ = cell.next_free;
    cell.is_live = true;
    count_ += 1;
    *id = static_cast<SlabId>(cell.generation) << 32 | index;
    return new (cell.storage) T(std::forward<Arguments>(arguments)...);
  }

  // Null when the id's object is gone.
  T* find(SlabId id) {
    const uint32_t index = static_cast<uint32_t>(id);
    if (index >= count_max_) return nullptr;
    const Cell& cell = cells_[index];
    return cell.is_live && cell.generation == static_cast<uint32_t>(id >> 32) ? object(index)
                                                                              : nullptr;
  }

  void destroy(SlabId id) {
    T* gone = find(id);
    OTTLA_ASSERT(gone != nullptr, "destroyed once");
    gone->~T();
    Cell& cell = cells_[static_cast<uint32_t>(id)];
    cell.is_live = false;
    cell.generation = cell.generation == UINT32_MAX ? 1 : cell.generation + 1;
    cell.next_free = free_;
    free_ = static_cast<uint32_t>(id);
    count_ -= 1;
  }

  // Live objects in index order. `body(id, T*)` may destroy the one it is given.
  template <typename Body>
  void for_each(Body body) {
    for (uint32_t i = 0; i < count_max_; i += 1) {
      if (cells_[i].is_live) body(static_cast<SlabId>(cells_[i].generation) << 32 | i, object(i));
    }
  }

 private:
  struct Cell {
    alignas(T) unsigned char storage[sizeof(T)];
    uint32_t generation = 1;
    uint32_t next_free = 0;
    bool is_live = false;
  };
  T* object(uint32_t index) { return std::launder(reinterpret_cast<T*>(cells_[index].storage)); }

  const uint32_t count_max_;
  const std::unique_ptr<Cell[]> cells_;
  uint32_t free_ = 0;  // first free cell; count_max_ when none
  uint32_t count_ = 0;
};

// A piece of memory lent by a BufferPool. Plain value: whoever holds it gives it back once.
struct Buffer {
  uint8_t* data = nullptr;
  uint32_t bytes = 0;  // capacity: at least what was asked for

  explicit operator bool() const { return data != nullptr; }
};

class BufferPool {
 public:
  static constexpr uint32_t kSmallestBytes = 4 * 1024;
  // Bigger ones are never kept. Batches of a mebibyte with their request's header fit.
  static constexpr uint32_t kLargestBytes = 2 * 1024 * 1024;

  struct Options {
    size_t lent_bytes_max = size_t{256} << 20;  // refuse above: bounded memory is the promise
    size_t idle_bytes_max = size_t{32} << 20;   // kept for reuse; beyond it goes back to the system
  };

  explicit BufferPool(Options options) : options_(options) {}
  BufferPool() : BufferPool(Options{}) {}
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool() {
    OTTLA_ASSERT(lent_bytes_ == 0, "every buffer came back");
    trim();
  }

  // Allocates and touches `count` buffers of `bytes`, so that no request pays for it.
  void warm(uint32_t bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i += 1) {
      Buffer buffer = allocate(rounded(bytes));
      if (!buffer) return;
      for (uint32_t at = 0; at < buffer.bytes; at += 4096) buffer.data[at] = 0;
      if (!keep(buffer)) return release(buffer);
    }
  }

  // An empty Buffer when the budget is spent (or the system has no more): the caller stops reading.
  Buffer take(size_t bytes) {
    if (bytes > (uint32_t{1} << 31)) return {};
    const uint32_t size = rounded(static_cast<uint32_t>(bytes));
    if (lent_bytes_ + size > options_.lent_bytes_max) return {};
    Buffer buffer;
    if (size <= kLargestBytes && !idle_[size_class(size)].empty()) {
      auto& idle = idle_[size_class(size)];
      buffer = {idle.back(), size};
      idle.pop_back();
      idle_bytes_ -= size;
    } else {
      buffer = allocate(size);
    }
    if (buffer) lent_bytes_ += buffer.bytes;
    return buffer;
  }

  void give_back(Buffer* buffer) {
    OTTLA_ASSERT(buffer->data != nullptr && lent_bytes_ >= buffer->bytes,
                 "a buffer lent from here");
    lent_bytes_ -= buffer->bytes;
    if (!keep(*buffer)) release(*buffer);
    *buffer = {};
  }

  // Gives every idle buffer back to the system.
  void trim() {
    for (size_t c = 0; c < kClasses; c += 1) {
      for (uint8_t* data : idle_[c]) release({data, kSmallestBytes << c});
      idle_[c].clear();
    }
    idle_bytes_ = 0;
  }

  size_t lent_bytes() const { return lent_bytes_; }
  size_t idle_bytes() const { return idle_bytes_; }

 private:
  static constexpr size_t kClasses =
      static_cast<size_t>(std::bit_width(kLargestBytes / kSmallestBytes));

  static size_t size_class(uint32_t size) {
    return static_cast<size_t>(std::bit_width(size / kSmallestBytes)) - 1;
  }
  static uint32_t rounded(uint32_t bytes) {
    if (bytes <= kSmallestBytes) return kSmallestBytes;
    if (bytes <= kLargestBytes) return std::bit_ceil(bytes);
    return (bytes + 4095u) & ~4095u;  // an odd large one: whole pages
  }
  static Buffer allocate(uint32_t size) {
    void* data = std::aligned_alloc(4096, size);
    return data == nullptr ? Buffer{} : Buffer{static_cast<uint8_t*>(data), size};
  }
  static void release(Buffer buffer) { std::free(buffer.data); }

  bool keep(Buffer buffer) {
    if (buffer.bytes > kLargestBytes || idle_bytes_ + buffer.bytes > options_.idle_bytes_max) {
      return false;
    }
    idle_[size_class(buffer.bytes)].push_back(buffer.data);
    idle_bytes_ += buffer.bytes;
    return true;
  }

  const Options options_;
  std::vector<uint8_t*> idle_[kClasses];
  size_t lent_bytes_ = 0;
  size_t idle_bytes_ = 0;
};

}  // namespace ottla
