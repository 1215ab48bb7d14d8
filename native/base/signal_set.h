// SignalSet: small numbers that any thread adds and one thread takes, each once however often it
// was added meanwhile. Never full, never waits.
//
// Three levels of bits: a bit of an upper one says that something is set below it. Who adds sets
// them from below, who takes clears them from above, so a number that is added while its words are
// taken is found by the next look. What happened before add() is seen by who takes the number.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "assert.h"

namespace ottla {

class SignalSet {
 public:
  // For numbers from 0 to below `count`. Memory is touched as numbers are first added.
  explicit SignalSet(size_t count)
      : words_(zeroed(count)), groups_(zeroed(count / 64 + 1)), tops_(zeroed(count / 4096 + 1)) {
    top_count_ = count / 4096 / 64 + 1;
  }

  // Any thread.
  void add(size_t number) {
    set(words_[number / 64], number % 64);
    set(groups_[number / 4096], number / 64 % 64);
    set(tops_[number / 4096 / 64], number / 4096 % 64);
  }

  // Consumer. True: there were some; `body` is told each, smallest first. It may add.
  template <typename Body>
  bool take(Body body) {
    bool found = false;
    for (size_t t = 0; t < top_count_; t += 1) {
      for_each_bit(take_word(tops_[t]), [&](size_t g) {
        const size_t group = t * 64 + g;
        for_each_bit(take_word(groups_[group]), [&](size_t w) {
          const size_t word = group * 64 + w;
          for_each_bit(take_word(words_[word]), [&](size_t bit) {
            found = true;
            body(word * 64 + bit);
          });
        });
      });
    }
    return found;
  }

  // Consumer; true of one that is just being added, before add() returns.
  bool empty() const {
    for (size_t t = 0; t < top_count_; t += 1) {
      if (std::atomic_ref<uint64_t>(tops_[t]).load(std::memory_order_acquire) != 0) return false;
    }
    return true;
  }

 private:
  struct Free {
    void operator()(uint64_t* words) const { std::free(words); }
  };
  using Words = std::unique_ptr<uint64_t[], Free>;

  // One word for every 64.
  static Words zeroed(size_t count) {
    auto* words = static_cast<uint64_t*>(std::calloc(count / 64 + 1, sizeof(uint64_t)));
    OTTLA_ASSERT(words != nullptr, "memory for signals");
    return Words(words);
  }
  static void set(uint64_t& word, size_t bit) {
    std::atomic_ref<uint64_t>(word).fetch_or(uint64_t{1} << bit, std::memory_order_acq_rel);
  }
  static uint64_t take_word(uint64_t& word) {
    std::atomic_ref<uint64_t> bits(word);
    if (bits.load(std::memory_order_acquire) == 0) return 0;
    return bits.exchange(0, std::memory_order_acq_rel);
  }
  template <typename Body>
  static void for_each_bit(uint64_t bits, Body body) {
    for (; bits != 0; bits &= bits - 1) body(static_cast<size_t>(std::countr_zero(bits)));
  }

  Words words_;   // of 64 numbers each
  Words groups_;  // of 64 words
  Words tops_;    // of 64 groups
  size_t top_count_ = 0;
};

}  // namespace ottla
