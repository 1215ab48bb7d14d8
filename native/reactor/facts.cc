// See facts.h.
#include "facts.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "../base/assert.h"

namespace ottla {

namespace {

constexpr uint32_t aligned(uint32_t bytes) { return (bytes + 7u) & ~7u; }

template <typename T>
void put(uint8_t* record, size_t offset, T value) {
  std::memcpy(record + offset, &value, sizeof value);
}

}  // namespace

FactRing::FactRing(const Options& options, int reactor, Bell bell, CounterRow counters)
    : options_(options), reactor_(reactor), bell_(bell), counters_(counters) {
  OTTLA_ASSERT((options.facts & (options.facts - 1)) == 0, "a power of two");
  OTTLA_ASSERT((options.slab_bytes & (options.slab_bytes - 1)) == 0, "a power of two");
  const size_t bytes = (memory_bytes() + 4095) & ~size_t{4095};
  auto* memory = static_cast<uint8_t*>(std::aligned_alloc(4096, bytes));
  OTTLA_ASSERT(memory != nullptr, "memory for a ring of facts");
  std::memset(memory, 0, kRingHeaderBytes);
  memory_ = std::shared_ptr<uint8_t>(memory, [](uint8_t* gone) { std::free(gone); });
  records_ = memory + kRingHeaderBytes;
  slab_ = records_ + size_t{options.facts} * kFactBytes;
  cursor(ring_offset::kIdle).store(1);
}

size_t FactRing::memory_bytes() const {
  return kRingHeaderBytes + size_t{options_.facts} * kFactBytes + options_.slab_bytes;
}

bool FactRing::has_room(uint32_t body_bytes) { return backlog_.empty() && fits(body_bytes); }

bool FactRing::fits(uint32_t body_bytes) {
  if (head_ - cursor(ring_offset::kTail).load() >= options_.facts) return false;
  if (is_large(body_bytes)) {
    std::lock_guard<std::mutex> lock(large_lock_);
    return large_bytes_ == 0 || large_bytes_ + body_bytes <= options_.large_bytes_max;
  }
  const uint32_t size = options_.slab_bytes;
  uint32_t need = aligned(body_bytes);
  const uint32_t place = slab_head_ & (size - 1);
  if (place + need > size) need += size - place;  // the rest of this lap is left empty
  return slab_head_ + need - cursor(ring_offset::kSlabTail).load() <= size;
}

void FactRing::push(const Fact& fact) {
  if (backlog_.empty() && fits(fact.body_bytes)) return write(fact);
  const auto* body = static_cast<const uint8_t*>(fact.body);
  backlog_.push_back({fact, std::vector<uint8_t>(body, body + fact.body_bytes)});
  waited_ += 1;
  counters_.add(counter::kRingFull, 1);
}

uint32_t FactRing::place_body(const Fact& fact, uint16_t* flags) {
  if (is_large(fact.body_bytes)) {
    const auto* body = static_cast<const uint8_t*>(fact.body);
    std::lock_guard<std::mutex> lock(large_lock_);
    const uint32_t id = large_next_++;
    large_[id].assign(body, body + fact.body_bytes);
    large_bytes_ += fact.body_bytes;
    *flags |= fact_flag::kLargeBody;
    return id;
  }
  const uint32_t size = options_.slab_bytes;
  const uint32_t place = slab_head_ & (size - 1);
  if (place + aligned(fact.body_bytes) > size) slab_head_ += size - place;
  const uint32_t position = slab_head_;
  if (fact.body_bytes > 0) {
    std::memcpy(slab_ + (position & (size - 1)), fact.body, fact.body_bytes);
  }
  slab_head_ += aligned(fact.body_bytes);
  return position;
}

void FactRing::write(const Fact& fact) {
  uint16_t flags = 0;
  const uint32_t position = place_body(fact, &flags);
  uint8_t* record = records_ + size_t{head_ & (options_.facts - 1)} * kFactBytes;
  put(record, fact_offset::kKind, fact.kind);
  put(record, fact_offset::kFlags, flags);
  put(record, fact_offset::kStatus, fact.status);
  put(record, fact_offset::kSlot, fact.slot);
  put(record, fact_offset::kEpoch, fact.epoch);
  put(record, fact_offset::kTicket, fact.ticket);
  put(record, fact_offset::kA, fact.a);
  put(record, fact_offset::kB, fact.b);
  put(record, fact_offset::kC, fact.c);
  put(record, fact_offset::kBodyOffset, position);
  put(record, fact_offset::kBodyBytes, fact.body_bytes);
  put(record, fact_offset::kD, 0.0);
  head_ += 1;
}

bool FactRing::publish() {
  while (!backlog_.empty() && fits(backlog_.front().fact.body_bytes)) {
    Waiting waiting = std::move(backlog_.front());
    backlog_.pop_front();
    waiting.fact.body = waiting.body.data();
    write(waiting.fact);
  }
  if (backlog_.empty() && waited_ > 0 && fits(0)) {
    Fact overflow;
    overflow.kind = fact::kOverflow;
    overflow.a = reactor_;
    overflow.b = static_cast<double>(waited_);
    waited_ = 0;
    write(overflow);
  }
  if (published_ != head_) {
    published_ = head_;
    cursor(ring_offset::kHead).store(head_);
    if (cursor(ring_offset::kIdle).load() != 0 && cursor(ring_offset::kIdle).exchange(0) != 0 &&
        bell_.ring != nullptr) {
      bell_.ring(bell_.context);
    }
  }
  return !backlog_.empty();
}

bool FactRing::take_body(uint32_t id, std::vector<uint8_t>* body) {
  std::lock_guard<std::mutex> lock(large_lock_);
  auto found = large_.find(id);
  if (found == large_.end()) return false;
  *body = std::move(found->second);
  large_.erase(found);
  large_bytes_ -= body->size();
  return true;
}

}  // namespace ottla
