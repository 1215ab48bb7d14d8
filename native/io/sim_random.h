// The simulator's chance: a seeded sequence (splitmix64), the same on every machine.
#pragma once

#include <cstdint>

#include "../base/assert.h"

namespace ottla {

class SimRandom {
 public:
  explicit SimRandom(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // 0 … limit-1.
  uint64_t below(uint64_t limit) {
    OTTLA_ASSERT(limit > 0, "something to choose from");
    return next() % limit;
  }
  // True `per_million` times in a million; draws nothing when it cannot happen.
  bool chance(uint32_t per_million) { return per_million > 0 && below(1'000'000) < per_million; }

 private:
  uint64_t state_;
};

}  // namespace ottla
