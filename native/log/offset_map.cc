// Open addressing with linear probing; slots need not be a power of two, so that the whole of the
// configured buffer is used.
#include "offset_map.h"

#include <algorithm>
#include <bit>

#include "../base/assert.h"

namespace ottla {

namespace {

struct SipState {
  uint64_t a, b, c, d;

  void round() {
    a += b;
    b = std::rotl(b, 13) ^ a;
    a = std::rotl(a, 32);
    c += d;
    d = std::rotl(d, 16) ^ c;
    a += d;
    d = std::rotl(d, 21) ^ a;
    c += b;
    b = std::rotl(b, 17) ^ c;
    c = std::rotl(c, 32);
  }
  void absorb(uint64_t word) {
    d ^= word;
    round();
    round();
    a ^= word;
  }
  uint64_t squeeze() {
    for (int i = 0; i < 4; i += 1) round();
    return a ^ b ^ c ^ d;
  }
};

}  // namespace

Hash128 keyed_hash(Bytes bytes, const Hash128& secret) {
  SipState state{secret.low ^ 0x736f6d6570736575u, secret.high ^ 0x646f72616e646f6du ^ 0xee,
                 secret.low ^ 0x6c7967656e657261u, secret.high ^ 0x7465646279746573u};
  const uint8_t* at = bytes.data();
  size_t left = bytes.size();
  uint64_t word = 0;
  for (; left >= 8; at += 8, left -= 8) {
    std::memcpy(&word, at, 8);
    state.absorb(word);
  }
  word = uint64_t{bytes.size()} << 56;
  for (size_t i = 0; i < left; i += 1) word |= uint64_t{at[i]} << (8 * i);
  state.absorb(word);
  state.c ^= 0xee;
  Hash128 hash;
  hash.low = state.squeeze();
  state.b ^= 0xdd;
  hash.high = state.squeeze();
  return hash;
}

OffsetMap::OffsetMap(int64_t bytes, double load_factor, const Hash128& secret) : secret_(secret) {
  static_assert(sizeof(Entry) == kEntryBytes);
  slots_ = static_cast<uint64_t>(std::max<int64_t>(bytes / kEntryBytes, 2));
  // One slot stays free, so that every search ends.
  count_max_ = std::clamp(static_cast<int64_t>(static_cast<double>(slots_) * load_factor),
                          int64_t{1}, static_cast<int64_t>(slots_) - 1);
  entries_.reset(static_cast<Entry*>(std::calloc(slots_, sizeof(Entry))));
  OTTLA_ASSERT(entries_ != nullptr, "memory for the table of keys");
}

OffsetMap::Entry* OffsetMap::find(const Hash128& hash) const {
  for (uint64_t slot = hash.low % slots_;; slot = slot + 1 == slots_ ? 0 : slot + 1) {
    Entry* entry = &entries_[slot];
    if (entry->next_offset == 0 || entry->hash == hash) return entry;
  }
}

bool OffsetMap::put(Bytes key, int64_t offset) {
  const Hash128 hash = keyed_hash(key, secret_);
  Entry* entry = find(hash);
  if (entry->next_offset == 0) {
    if (count_ == count_max_) return false;
    count_ += 1;
    entry->hash = hash;
  }
  entry->next_offset = std::max(entry->next_offset, offset + 1);
  return true;
}

int64_t OffsetMap::get(Bytes key) const { return find(keyed_hash(key, secret_))->next_offset - 1; }

}  // namespace ottla
