// OffsetMap: the newest offset of each key, in a bounded table of hashes; keys themselves are not
// kept. Kafka: SkimpyOffsetMap (24 bytes an entry, load factor), with a keyed 128-bit SipHash in
// place of MD5: two keys that collide would lose one of them, and nobody who does not know the
// secret can make them.
//
// Memory is asked for zeroed and touched only where keys fall, so a large table costs what it
// holds.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "../base/bytes.h"

namespace ottla {

struct Hash128 {
  uint64_t low = 0;
  uint64_t high = 0;
  bool operator==(const Hash128&) const = default;
};

// SipHash-2-4 with 128 bits of output.
Hash128 keyed_hash(Bytes bytes, const Hash128& secret);

class OffsetMap {
 public:
  static constexpr int64_t kEntryBytes = 24;

  // `bytes` for the table, of which `load_factor` may be filled; at least one entry.
  OffsetMap(int64_t bytes, double load_factor, const Hash128& secret);

  // Notes the newest offset of `key`. False when the key is new and the table is full.
  bool put(Bytes key, int64_t offset);
  // -1: not there.
  int64_t get(Bytes key) const;
  int64_t count() const { return count_; }
  int64_t count_max() const { return count_max_; }

 private:
  struct Entry {
    Hash128 hash;
    int64_t next_offset;  // offset + 1; 0: free
  };
  struct Free {
    void operator()(Entry* entries) const { std::free(entries); }
  };
  Entry* find(const Hash128& hash) const;

  const Hash128 secret_;
  uint64_t slots_ = 0;
  int64_t count_max_ = 0;
  int64_t count_ = 0;
  std::unique_ptr<Entry[], Free> entries_;
};

}  // namespace ottla
