// VerdictTable: one reactor's copy of what TypeScript has said a principal may do with a topic.
// Kafka: Authorizer's answers, asked once. DESIGN §7 rule 3: a missing verdict parks a request and
// raises a fact; the path of a known one is a lookup.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace ottla {

enum class VerdictKind : uint8_t { kAsk, kDenied, kAllowed };

class VerdictTable {
 public:
  // Most (principal, topic) pairs kept; past it all are asked anew.
  static constexpr size_t kCountMax = 1u << 20;

  // false: everything is allowed.
  explicit VerdictTable(bool asks) : asks_(asks) {}

  bool asks() const { return asks_; }
  VerdictKind find(int32_t principal, int32_t topic_handle, int32_t operation) const {
    if (!asks_) return VerdictKind::kAllowed;
    const auto found = cells_.find(key(principal, topic_handle));
    if (found == cells_.end()) return VerdictKind::kAsk;
    const unsigned bits = found->second >> shift(operation);
    if ((bits & kKnown) == 0) return VerdictKind::kAsk;
    return (bits & kAllowed) != 0 ? VerdictKind::kAllowed : VerdictKind::kDenied;
  }

  void set(int32_t principal, int32_t topic_handle, int32_t operation, bool is_allowed) {
    if (cells_.size() >= kCountMax) {
      cells_.clear();
      revocations_ += 1;
    }
    const bool was_allowed = find(principal, topic_handle, operation) == VerdictKind::kAllowed;
    if (was_allowed && !is_allowed) revocations_ += 1;
    uint16_t& cell = cells_[key(principal, topic_handle)];
    const unsigned cleared = cell & ~((kKnown | kAllowed | kAsked) << shift(operation));
    const unsigned bits = is_allowed ? kKnown | kAllowed : kKnown;
    cell = static_cast<uint16_t>(cleared | bits << shift(operation));
  }

  // Grows when something that was allowed is so no more.
  uint64_t revocations() const { return revocations_; }

  // True the first time it is called for a missing verdict: raise the fact.
  bool ask(int32_t principal, int32_t topic_handle, int32_t operation) {
    uint16_t& cell = cells_[key(principal, topic_handle)];
    const unsigned bit = kAsked << shift(operation);
    if ((cell & bit) != 0) return false;
    cell = static_cast<uint16_t>(cell | bit);
    return true;
  }

 private:
  static constexpr unsigned kKnown = 1;
  static constexpr unsigned kAllowed = 2;
  static constexpr unsigned kAsked = 4;
  static unsigned shift(int32_t operation) { return static_cast<unsigned>(operation) * 4; }
  static uint64_t key(int32_t principal, int32_t topic_handle) {
    return static_cast<uint64_t>(static_cast<uint32_t>(principal)) << 32 |
           static_cast<uint32_t>(topic_handle);
  }

  const bool asks_;
  uint64_t revocations_ = 0;
  std::unordered_map<uint64_t, uint16_t> cells_;  // four bits per operation
};

}  // namespace ottla
