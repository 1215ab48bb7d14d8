// The tail is replaced, never rewritten: a reader that holds one sees entries that stay as they
// are.
#include "index.h"

#include <algorithm>

#include "../base/assert.h"
#include "../base/bytes.h"

namespace ottla {

namespace {
// A block read at once at the end of a search in the file: 256 entries are 2 or 3 KiB.
constexpr int64_t kBlockEntries = 256;
constexpr int64_t kEntryBytesMax = 12;
}  // namespace

SparseIndex::SparseIndex(IndexKind kind, FileCache* cache, std::string path)
    : kind_(kind), file_(cache, std::move(path)), tail_(new Tail(0, 0)) {}

SparseIndex::~SparseIndex() { delete tail_.load(std::memory_order_relaxed); }

void SparseIndex::store_entry(uint8_t* at, IndexEntry entry) const {
  if (kind_ == IndexKind::kOffset) {
    store_i32(at, static_cast<int32_t>(entry.key));
    store_i32(at + 4, static_cast<int32_t>(entry.value));
  } else {
    store_i64(at, entry.key);
    store_i32(at + 8, static_cast<int32_t>(entry.value));
  }
}

IndexEntry SparseIndex::load_entry(const uint8_t* at) const {
  if (kind_ == IndexKind::kOffset) return {load_i32(at), load_i32(at + 4)};
  return {load_i64(at), load_i32(at + 8)};
}

Status SparseIndex::read_entries(Io& io, Handle file, int64_t slot, int64_t count,
                                 IndexEntry* entries) const {
  uint8_t bytes[kBlockEntries * kEntryBytesMax];
  const int64_t entry_bytes = index_entry_bytes(kind_);
  OTTLA_ASSERT(count <= kBlockEntries, "a block at a time");
  const size_t wanted = static_cast<size_t>(count * entry_bytes);
  size_t got = 0;
  OTTLA_TRY(io.read(file, bytes, wanted, slot * entry_bytes, &got));
  if (got < wanted) return Status::fail(Code::kCorrupt, "index file is shorter than it was");
  for (int64_t i = 0; i < count; i += 1) entries[i] = load_entry(bytes + i * entry_bytes);
  return Status::good();
}

Status SparseIndex::check_order(Io& io, int64_t count, bool thorough, int64_t value_max) const {
  Pin pin;
  OTTLA_TRY(pin.take(io, &file_));
  IndexEntry block[kBlockEntries];
  IndexEntry previous{INT64_MIN, 0};
  const int64_t step = thorough ? kBlockEntries : std::max<int64_t>(1, count - 1);
  for (int64_t slot = 0; slot < count; slot += step) {
    const int64_t entries = thorough ? std::min(kBlockEntries, count - slot) : 1;
    OTTLA_TRY(read_entries(io, pin.handle(), slot, entries, block));
    for (int64_t i = 0; i < entries; i += 1) {
      const bool in_order = block[i].key > previous.key && block[i].value >= previous.value;
      if (!in_order || block[i].key < 0 || block[i].value >= value_max) {
        return Status::fail(Code::kCorrupt, "index entries out of order");
      }
      previous = block[i];
    }
  }
  return Status::good();
}

Status SparseIndex::load(Io& io, bool thorough, int64_t value_max) {
  int64_t bytes = 0;
  {
    Pin pin;
    OTTLA_TRY(pin.take(io, &file_));
    OTTLA_TRY(io.file_bytes(pin.handle(), &bytes));
  }
  created_ = true;
  if (bytes % index_entry_bytes(kind_) != 0) {
    return Status::fail(Code::kCorrupt, "index length is not a multiple of its entries");
  }
  const int64_t count = bytes / index_entry_bytes(kind_);
  if (count > INT32_MAX) return Status::fail(Code::kCorrupt, "index is absurdly long");
  OTTLA_TRY(check_order(io, count, thorough, value_max));
  written_ = count;
  delete tail_.exchange(new Tail(count, 0));  // not shared yet
  last_ = {};
  return count > 0 ? entry(io, count - 1, &last_) : Status::good();
}

Status SparseIndex::reset(Io& io, Limbo* limbo) {
  OTTLA_TRY(file_.close(io));
  Handle file = kNoHandle;
  OTTLA_TRY(io.open(file_.path(), OpenMode::kTruncate, &file));
  OTTLA_TRY(io.close(file));
  created_ = true;
  written_ = 0;
  last_ = {};
  publish(limbo, std::make_unique<Tail>(0, 0));
  return Status::good();
}

void SparseIndex::publish(Limbo* limbo, std::unique_ptr<Tail> tail) {
  Tail* old = tail_.exchange(tail.release(), std::memory_order_acq_rel);
  limbo->retire(old, [](void* gone) { delete static_cast<Tail*>(gone); });
}

void SparseIndex::append(Io& io, Limbo* limbo, IndexEntry entry) {
  Tail* tail = tail_.load(std::memory_order_relaxed);
  int32_t count = tail->count.load(std::memory_order_relaxed);
  OTTLA_ASSERT(tail->first + count == 0 || entry.key > last_.key, "index keys grow");
  if (count == tail->capacity) {
    const bool full = count == kTailEntries;
    if (full && !write_out(io).ok()) return;  // stays sparse until the file takes the tail
    auto fresh = copy_tail(full ? written_ : tail->first, this->count(),
                           count == 0 ? kTailEntries / 8 : kTailEntries);
    tail = fresh.get();
    count = tail->count.load(std::memory_order_relaxed);
    publish(limbo, std::move(fresh));
  }
  tail->entries[size_t(count)] = entry;
  tail->count.store(count + 1, std::memory_order_release);
  last_ = entry;
}

Status SparseIndex::write_out(Io& io) {
  const Tail* tail = tail_.load(std::memory_order_relaxed);
  const int64_t count = tail->first + tail->count.load(std::memory_order_relaxed);
  if (created_ && written_ == count) return Status::good();
  if (!created_) {
    Handle file = kNoHandle;
    OTTLA_TRY(io.open(file_.path(), OpenMode::kTruncate, &file));
    OTTLA_TRY(io.close(file));
    created_ = true;
  }
  if (written_ == count) return Status::good();
  uint8_t bytes[kTailEntries * kEntryBytesMax];
  const int64_t entry_bytes = index_entry_bytes(kind_);
  for (int64_t slot = written_; slot < count; slot += 1) {
    store_entry(bytes + (slot - written_) * entry_bytes, tail->entries[size_t(slot - tail->first)]);
  }
  Pin pin;
  OTTLA_TRY(pin.take(io, &file_));
  OTTLA_TRY(io.write(pin.handle(), bytes, static_cast<size_t>((count - written_) * entry_bytes),
                     written_ * entry_bytes));
  written_ = count;
  return Status::good();
}

Status SparseIndex::seal(Io& io, Limbo* limbo) {
  OTTLA_TRY(write_out(io));
  if (tail_.load(std::memory_order_relaxed)->capacity > 0)
    publish(limbo, copy_tail(written_, written_, 0));
  return Status::good();
}

std::unique_ptr<SparseIndex::Tail> SparseIndex::copy_tail(int64_t first, int64_t end,
                                                          int32_t capacity) const {
  const Tail* tail = tail_.load(std::memory_order_relaxed);
  auto fresh = std::make_unique<Tail>(first, capacity);
  OTTLA_ASSERT(first == end || (first >= tail->first && end - first <= capacity),
               "entries are in memory");
  for (int64_t slot = first; slot < end; slot += 1) {
    fresh->entries[size_t(slot - first)] = tail->entries[size_t(slot - tail->first)];
  }
  fresh->count.store(static_cast<int32_t>(end - first), std::memory_order_relaxed);
  return fresh;
}

Status SparseIndex::truncate(Io& io, Limbo* limbo, int64_t count) {
  const Tail* tail = tail_.load(std::memory_order_relaxed);
  if (count >= this->count()) return Status::good();
  const int64_t first = std::min(tail->first, count);
  auto fresh = copy_tail(first, count, first == count ? 0 : kTailEntries);
  if (count < written_) {
    Pin pin;
    OTTLA_TRY(pin.take(io, &file_));
    OTTLA_TRY(io.truncate(pin.handle(), count * index_entry_bytes(kind_)));
    written_ = count;
  }
  publish(limbo, std::move(fresh));
  last_ = {};
  return count > 0 ? entry(io, count - 1, &last_) : Status::good();
}

int64_t SparseIndex::count() const {
  const Tail* tail = tail_.load(std::memory_order_acquire);
  return tail->first + tail->count.load(std::memory_order_acquire);
}

Status SparseIndex::entry(Io& io, int64_t slot, IndexEntry* entry) const {
  const Tail* tail = tail_.load(std::memory_order_acquire);
  OTTLA_ASSERT(slot >= 0 && slot < tail->first + tail->count.load(std::memory_order_acquire),
               "slot is in the index");
  if (slot >= tail->first) {
    *entry = tail->entries[size_t(slot - tail->first)];
    return Status::good();
  }
  Pin pin;
  OTTLA_TRY(pin.take(io, &file_));
  return read_entries(io, pin.handle(), slot, 1, entry);
}

Status SparseIndex::floor_by_key(Io& io, int64_t target, IndexEntry* entry, int64_t* slot) const {
  return floor(io, &IndexEntry::key, target, entry, slot);
}

Status SparseIndex::floor_by_value(Io& io, int64_t target, IndexEntry* entry, int64_t* slot) const {
  return floor(io, &IndexEntry::value, target, entry, slot);
}

Status SparseIndex::floor(Io& io, Column column, int64_t target, IndexEntry* entry,
                          int64_t* slot) const {
  *slot = -1;
  const Tail* tail = tail_.load(std::memory_order_acquire);
  const int32_t count = tail->count.load(std::memory_order_acquire);
  if (count == 0 || tail->entries[0].*column > target) {
    return floor_in_file(io, tail->first, column, target, entry, slot);
  }
  const IndexEntry* above = std::upper_bound(
      tail->entries.get(), tail->entries.get() + count, target,
      [column](int64_t wanted, const IndexEntry& candidate) { return wanted < candidate.*column; });
  *entry = above[-1];
  *slot = tail->first + (above - tail->entries.get()) - 1;
  return Status::good();
}

// The block around the last answer, else narrows to a block with one-entry reads and reads that:
// some 10 + 1 reads of the page cache for the largest index, one for who reads on where he was.
Status SparseIndex::floor_in_file(Io& io, int64_t count, Column column, int64_t target,
                                  IndexEntry* entry, int64_t* slot) const {
  if (count == 0) return Status::good();
  Pin pin;
  OTTLA_TRY(pin.take(io, &file_));
  IndexEntry block[kBlockEntries];
  // A little before it: the batch at an offset begins behind the entry that a size before led to.
  const int64_t hint = hint_.load(std::memory_order_relaxed) - kBlockEntries / 4;
  int64_t low = std::clamp<int64_t>(hint, 0, count - 1);
  int64_t high = std::min(low + kBlockEntries, count);
  OTTLA_TRY(read_entries(io, pin.handle(), low, high - low, block));
  const bool is_here =
      block[0].*column <= target && (high == count || block[high - low - 1].*column > target);
  if (!is_here) {
    low = 0, high = count;  // entry `low` may be the answer, `high` is above the target
    IndexEntry probe;
    while (high - low > kBlockEntries) {
      const int64_t middle = low + (high - low) / 2;
      OTTLA_TRY(read_entries(io, pin.handle(), middle, 1, &probe));
      (probe.*column <= target ? low : high) = middle;
    }
    OTTLA_TRY(read_entries(io, pin.handle(), low, high - low, block));
  }
  const IndexEntry* above = std::upper_bound(
      block, block + (high - low), target,
      [column](int64_t wanted, const IndexEntry& candidate) { return wanted < candidate.*column; });
  if (above == block) return Status::good();  // every entry is above the target
  *entry = above[-1];
  *slot = low + (above - block) - 1;
  hint_.store(*slot, std::memory_order_relaxed);
  return Status::good();
}

}  // namespace ottla
