// ConnId, as facts and verbs carry it: a number below 2^52, so that JavaScript keeps it exactly.
//
//   accepted   bit 51 = 0 │ reactor 5 │ index 20 │ generation 26
//   dialled    bit 51 = 1 │ reactor 5 │ counter 46
//
// Either way the reactor is known without asking anyone. Never reused: an index comes back with the
// next generation, oldest free index first.
#pragma once

#include <cstdint>

namespace ottla {

constexpr uint32_t kConnIndexMax = 1u << 20;
constexpr uint32_t kConnGenerationMax = 1u << 26;
constexpr int kReactorsMax = 32;

constexpr uint64_t accepted_id(int reactor, uint32_t index, uint32_t generation) {
  return static_cast<uint64_t>(reactor) << 46 | static_cast<uint64_t>(index) << 26 | generation;
}
constexpr uint64_t dialled_id(int reactor, uint64_t counter) {
  return uint64_t{1} << 51 | static_cast<uint64_t>(reactor) << 46 | (counter & ((1ull << 46) - 1));
}
constexpr bool is_dialled(uint64_t id) { return (id >> 51 & 1) != 0; }
constexpr int reactor_of(uint64_t id) { return static_cast<int>(id >> 46 & 31); }
constexpr uint32_t index_of(uint64_t id) { return static_cast<uint32_t>(id >> 26 & 0xfffff); }
constexpr uint32_t generation_of(uint64_t id) {
  return static_cast<uint32_t>(id & (kConnGenerationMax - 1));
}

}  // namespace ottla
