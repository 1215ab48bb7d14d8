// Numbers that another thread (TypeScript above all) reads without asking: rows of 8-byte cells in
// memory it shares with us.
//
// A cell is a float64, exact to 2^53, so that a Float64Array reads it in one aligned load. Every
// cell has one writer, so adding is a load and a store, never a locked instruction. Relaxed: a
// counter orders nothing. Where several cells must agree, SequencedRow says when they were being
// changed (odd sequence).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "assert.h"

namespace ottla {

static_assert(sizeof(double) == 8 && std::atomic_ref<double>::is_always_lock_free);

// A row of counters. Does not own the cells; one thread writes, any thread reads.
class CounterRow {
 public:
  CounterRow() = default;
  CounterRow(double* cells, size_t count) : cells_(cells), count_(count) {
    OTTLA_ASSERT(reinterpret_cast<uintptr_t>(cells) % alignof(double) == 0, "cells are aligned");
  }

  size_t count() const { return count_; }
  void add(size_t index, double amount) {
    auto ref = cell(index);
    ref.store(ref.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void set(size_t index, double value) { cell(index).store(value, std::memory_order_relaxed); }
  void raise(size_t index, double value) {
    if (get(index) < value) set(index, value);
  }
  double get(size_t index) const { return cell(index).load(std::memory_order_relaxed); }

 private:
  std::atomic_ref<double> cell(size_t index) const {
    OTTLA_ASSERT(index < count_, "counter within its row");
    return std::atomic_ref<double>(cells_[index]);
  }

  double* cells_ = nullptr;
  size_t count_ = 0;
};

// A row whose fields must agree. Cell 0 is the sequence: odd while the owner writes.
//   begin(); set(3, leo); set(4, hw); end();
// A reader takes the sequence, the fields, the sequence again, and repeats unless both are equal
// and even.
class SequencedRow {
 public:
  SequencedRow() = default;
  SequencedRow(double* cells, size_t count) : cells_(cells), count_(count) {
    OTTLA_ASSERT(count > 1, "a sequence and at least one field");
  }

  void begin() { cell(0).store(sequence() + 1, std::memory_order_relaxed); }
  // Release, so that no field is seen before the odd sequence that announces it.
  void set(size_t index, double value) { cell(index).store(value, std::memory_order_release); }
  void end() { cell(0).store(sequence() + 1, std::memory_order_release); }

  // Owner's own view, without a check.
  double get(size_t index) const { return cell(index).load(std::memory_order_relaxed); }

  // Copies the whole row as it was at one moment; false when the owner was writing (try again).
  bool read(double* into) const {
    const double before = cell(0).load(std::memory_order_acquire);
    if (static_cast<uint64_t>(before) % 2 != 0) return false;
    for (size_t i = 1; i < count_; i += 1) into[i] = cell(i).load(std::memory_order_acquire);
    into[0] = before;
    return cell(0).load(std::memory_order_relaxed) == before;
  }

 private:
  double sequence() const { return cell(0).load(std::memory_order_relaxed); }
  std::atomic_ref<double> cell(size_t index) const {
    OTTLA_ASSERT(index < count_, "field within its row");
    return std::atomic_ref<double>(cells_[index]);
  }

  double* cells_ = nullptr;
  size_t count_ = 0;
};

}  // namespace ottla
