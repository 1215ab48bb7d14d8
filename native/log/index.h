// SparseIndex: one .index or .timeindex file. Entries are appended in order of their key and found
// by binary search; both columns only grow. Kafka: OffsetIndex (relative offset i32 → position i32,
// 8 bytes) and TimeIndex (timestamp i64 → relative offset i32, 12 bytes), byte for byte, but never
// mapped.
//
// The newest entries live in a small immutable-once-published tail in memory and reach the file in
// blocks, at roll, flush and close; older ones are read from the file by position. So an active
// index costs a kilobyte whatever its size. The file may lag behind the memory: a crash loses
// entries, and recovery rebuilds them. A write that fails loses nothing but density: no entry is
// added until the file takes the tail again, and a sparser index is still right.
//
// One writer; readers on any thread see the tail that was published last (reclaimed through Limbo).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "../base/quiescence.h"
#include "../io/io.h"
#include "file_cache.h"

namespace ottla {

enum class IndexKind : uint8_t { kOffset, kTime };

constexpr int64_t index_entry_bytes(IndexKind kind) { return kind == IndexKind::kOffset ? 8 : 12; }

// kOffset: key is the offset less the segment's base, value the file position of its batch.
// kTime: key is the largest timestamp so far, value the relative offset of the batch that has it.
struct IndexEntry {
  int64_t key = 0;
  int64_t value = 0;
};

class SparseIndex {
 public:
  SparseIndex(IndexKind kind, FileCache* cache, std::string path);
  ~SparseIndex();
  SparseIndex(const SparseIndex&) = delete;
  SparseIndex& operator=(const SparseIndex&) = delete;

  // --- the writer
  // Takes over an existing file. kCorrupt when its length or order cannot be right, kNotFound when
  // missing; `thorough` looks at every entry, else at the first and last. `value_max`: no value may
  // reach it.
  Status load(Io& io, bool thorough, int64_t value_max);
  // Starts over with no entries; the file is created or emptied.
  Status reset(Io& io, Limbo* limbo);
  // The key is above the last one. May write the tail out; its failure is not the caller's concern.
  void append(Io& io, Limbo* limbo, IndexEntry entry);
  // Brings the file up to date; creates it even when empty.
  Status write_out(Io& io);
  // The same, and gives the tail's memory back: the segment was rolled.
  Status seal(Io& io, Limbo* limbo);
  // Keeps the first `count` entries.
  Status truncate(Io& io, Limbo* limbo, int64_t count);
  IndexEntry last() const { return last_; }
  CachedFile& file() { return file_; }

  // --- any thread
  int64_t count() const;
  // The last entry whose key (value) is at most `target`; *slot is its number, -1 when there is
  // none.
  Status floor_by_key(Io& io, int64_t target, IndexEntry* entry, int64_t* slot) const;
  Status floor_by_value(Io& io, int64_t target, IndexEntry* entry, int64_t* slot) const;
  Status entry(Io& io, int64_t slot, IndexEntry* entry) const;

 private:
  static constexpr int32_t kTailEntries = 64;
  struct Tail {
    Tail(int64_t first_slot, int32_t entries_max)
        : first(first_slot), capacity(entries_max), entries(new IndexEntry[size_t(entries_max)]) {}
    const int64_t first;  // entries before it are in the file
    const int32_t capacity;
    std::atomic<int32_t> count{0};
    const std::unique_ptr<IndexEntry[]> entries;
  };
  using Column = int64_t IndexEntry::*;

  Status floor(Io& io, Column column, int64_t target, IndexEntry* entry, int64_t* slot) const;
  Status floor_in_file(Io& io, int64_t count, Column column, int64_t target, IndexEntry* entry,
                       int64_t* slot) const;
  Status read_entries(Io& io, Handle file, int64_t slot, int64_t count, IndexEntry* entries) const;
  Status check_order(Io& io, int64_t count, bool thorough, int64_t value_max) const;
  // A tail that begins at `first` with the entries from there on of the present one.
  std::unique_ptr<Tail> copy_tail(int64_t first, int64_t end, int32_t capacity) const;
  void publish(Limbo* limbo, std::unique_ptr<Tail> tail);
  void store_entry(uint8_t* at, IndexEntry entry) const;
  IndexEntry load_entry(const uint8_t* at) const;

  const IndexKind kind_;
  mutable CachedFile file_;
  std::atomic<Tail*> tail_;
  mutable std::atomic<int64_t> hint_{0};  // the slot of the last answer from the file; any thread's
  // The writer's own.
  int64_t written_ = 0;  // entries in the file
  bool created_ = false;
  IndexEntry last_;
};

}  // namespace ottla
