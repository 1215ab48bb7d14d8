// Producers: the rules of ProducerAppendInfo over a compact table. See producers.h for the two
// layers.
//
// Non-obvious: duplicates are looked for before anything is refused, but only within the producer's
// newest epoch; a first batch of an unknown producer may carry any sequence (its state may have
// expired); after a change of epoch the first sequence must be 0, unless nothing was known.
#include "producers.h"

#include <algorithm>

#include "../base/assert.h"

namespace ottla {

namespace {

uint64_t hash_of(int64_t producer_id) {
  uint64_t h = static_cast<uint64_t>(producer_id) * 0x9e3779b97f4a7c15ull;
  return h ^ (h >> 32);
}

bool is_same_range(const ProducerBatch& batch, int32_t first_sequence, int32_t last_sequence) {
  return batch.first_sequence == first_sequence && batch.last_sequence == last_sequence;
}

CachedBatch cached(const ProducerBatch& batch) {
  CachedBatch cached;
  cached.last_offset = batch.last_offset;
  cached.timestamp = batch.timestamp;
  cached.last_sequence = batch.last_sequence;
  cached.offset_delta = static_cast<int32_t>(batch.last_offset - batch.first_offset);
  return cached;
}

}  // namespace

void ProducerEntry::add(const ProducerBatch& batch) {
  if (batch.producer_epoch != producer_epoch) {
    producer_epoch = batch.producer_epoch;
    batch_count = 0;
  }
  last_timestamp = batch.timestamp;
  if (batch.is_marker) {
    coordinator_epoch = batch.coordinator_epoch;
    return;
  }
  if (batch_count == kBatchesMax) {
    std::move(batches + 1, batches + kBatchesMax, batches);
    batch_count -= 1;
  }
  batches[batch_count] = cached(batch);
  batch_count += 1;
}

const Producers::Staged* Producers::staged(uint64_t id) const {
  if (id < staged_first_ + staged_begin_) return nullptr;
  return &staged_[static_cast<size_t>(id - staged_first_)];
}

// Newest first; what nothing staged says is as it is written.
ProducerTail Producers::tail_of(const ProducerEntry& entry) const {
  ProducerTail tail;
  const Staged* newest = entry.has_staged ? staged(entry.staged_newest) : nullptr;
  tail.epoch = newest != nullptr ? newest->batch.producer_epoch : entry.producer_epoch;
  tail.coordinator_epoch = entry.coordinator_epoch;
  tail.in_transaction = entry.txn_first_offset >= 0;
  tail.last_sequence = entry.producer_epoch == tail.epoch ? entry.last_sequence() : kNoSequence;
  bool knows_sequence = false, knows_transaction = false, knows_coordinator = false;
  for (const Staged* s = newest; s != nullptr; s = staged(s->older)) {
    const ProducerBatch& batch = s->batch;
    if (!knows_sequence && batch.producer_epoch != tail.epoch) {
      knows_sequence = true;
      tail.last_sequence = kNoSequence;
    }
    if (!knows_sequence && !batch.is_marker) {
      knows_sequence = true;
      tail.last_sequence = batch.last_sequence;
    }
    if (!knows_transaction && (batch.is_marker || batch.is_transactional)) {
      knows_transaction = true;
      tail.in_transaction = !batch.is_marker;
    }
    if (!knows_coordinator && batch.is_marker) {
      knows_coordinator = true;
      tail.coordinator_epoch = batch.coordinator_epoch;
    }
  }
  return tail;
}

ProducerTail Producers::tail(int64_t producer_id) const {
  const ProducerEntry* entry = find(producer_id);
  return entry == nullptr ? ProducerTail{} : tail_of(*entry);
}

SequenceCheck Producers::check(const ProducerBatch& batch, CachedBatch* duplicate) const {
  const ProducerEntry* entry = find(batch.producer_id);
  if (entry == nullptr) return SequenceCheck::kAppend;

  const ProducerTail tail = tail_of(*entry);
  const int16_t epoch = tail.epoch;
  if (batch.producer_epoch == epoch) {
    const Staged* newest = entry->has_staged ? staged(entry->staged_newest) : nullptr;
    for (const Staged* s = newest; s != nullptr; s = staged(s->older)) {
      if (s->batch.producer_epoch != epoch) break;
      if (s->batch.is_marker) continue;
      if (!is_same_range(batch, s->batch.first_sequence, s->batch.last_sequence)) continue;
      *duplicate = cached(s->batch);
      return SequenceCheck::kDuplicate;
    }
    if (entry->producer_epoch == epoch) {
      for (int i = 0; i < entry->batch_count; i += 1) {
        const CachedBatch& known = entry->batches[i];
        if (!is_same_range(batch, known.first_sequence(), known.last_sequence)) continue;
        *duplicate = known;
        return SequenceCheck::kDuplicate;
      }
    }
    if (epoch != kNoProducerEpoch && batch.first_sequence != next_sequence(tail.last_sequence)) {
      return SequenceCheck::kOutOfOrder;
    }
  } else if (batch.producer_epoch < epoch) {
    return SequenceCheck::kStaleEpoch;
  } else if (batch.first_sequence != 0 && epoch != kNoProducerEpoch) {
    return SequenceCheck::kOutOfOrder;
  }
  return tail.in_transaction && !batch.is_transactional ? SequenceCheck::kNotInTransaction
                                                        : SequenceCheck::kAppend;
}

void Producers::stage(const ProducerBatch& batch) {
  ProducerEntry* entry = find_or_add(batch.producer_id);
  Staged item;
  item.batch = batch;
  item.older = entry->has_staged ? entry->staged_newest : 0;
  entry->staged_newest = staged_first_ + staged_.size();
  entry->has_staged = true;
  staged_.push_back(item);
}

void Producers::commit(int64_t end_offset, std::vector<CompletedTransaction>* completed) {
  while (staged_begin_ < staged_.size() && staged_[staged_begin_].batch.last_offset < end_offset) {
    const uint64_t id = staged_first_ + staged_begin_;
    const ProducerBatch& batch = staged_[staged_begin_].batch;
    ProducerEntry* entry = find_or_add(batch.producer_id);
    if (batch.is_marker) {
      CompletedTransaction ended;
      if (replay_marker(batch, &ended) && completed != nullptr) completed->push_back(ended);
    } else {
      enter(entry, batch);
    }
    if (entry->staged_newest == id) entry->has_staged = false;
    staged_begin_ += 1;
  }
  if (staged_begin_ != staged_.size()) return;
  staged_first_ += staged_.size();  // ids are never reused, so an old chain ends by itself
  staged_.clear();
  staged_begin_ = 0;
}

void Producers::rollback(int64_t first_offset) {
  while (staged_.size() > staged_begin_ && staged_.back().batch.first_offset >= first_offset) {
    const Staged dropped = staged_.back();
    staged_.pop_back();
    ProducerEntry* entry = find_or_add(dropped.batch.producer_id);
    entry->staged_newest = dropped.older;
    entry->has_staged = staged(dropped.older) != nullptr;
    if (!entry->has_staged && entry->producer_epoch == kNoProducerEpoch) {
      erase(static_cast<uint32_t>(entry - entries_.data()));
    }
  }
}

void Producers::replay(const ProducerBatch& batch) { enter(find_or_add(batch.producer_id), batch); }

void Producers::enter(ProducerEntry* entry, const ProducerBatch& batch) {
  entry->add(batch);
  if (batch.is_transactional && entry->txn_first_offset < 0) {
    set_txn_first_offset(entry, batch.first_offset);
  }
}

void Producers::set_txn_first_offset(ProducerEntry* entry, int64_t offset) {
  if (entry->txn_first_offset >= 0) open_.erase(entry->txn_first_offset);
  if (offset >= 0) open_.insert(offset);
  entry->txn_first_offset = offset;
}

bool Producers::replay_marker(const ProducerBatch& marker, CompletedTransaction* completed) {
  ProducerEntry* entry = find_or_add(marker.producer_id);
  const int64_t first_offset = entry->txn_first_offset;
  entry->add(marker);
  set_txn_first_offset(entry, -1);
  if (first_offset < 0) return false;
  if (completed == nullptr) return true;
  completed->producer_id = marker.producer_id;
  completed->first_offset = first_offset;
  completed->last_offset = marker.last_offset;
  completed->last_stable_offset = open_.empty() ? marker.last_offset + 1 : *open_.begin();
  completed->is_aborted = !marker.is_commit;
  return true;
}

void Producers::restore(const ProducerEntry& row) {
  ProducerEntry* entry = find_or_add(row.producer_id);
  set_txn_first_offset(entry, row.txn_first_offset);
  *entry = row;
  entry->has_staged = false;
}

void Producers::collect(int64_t end_offset, std::vector<ProducerEntry>* rows) const {
  rows->clear();
  std::vector<const ProducerBatch*> below;
  for (const ProducerEntry& entry : entries_) {
    ProducerEntry row = entry;
    below.clear();
    if (entry.has_staged) {
      for (const Staged* s = staged(entry.staged_newest); s != nullptr; s = staged(s->older)) {
        if (s->batch.last_offset < end_offset) below.push_back(&s->batch);
      }
    }
    for (size_t i = below.size(); i > 0; i -= 1) {
      const ProducerBatch& batch = *below[i - 1];
      row.add(batch);
      if (batch.is_marker) {
        row.txn_first_offset = -1;
      } else if (batch.is_transactional && row.txn_first_offset < 0) {
        row.txn_first_offset = batch.first_offset;
      }
    }
    row.has_staged = false;
    if (row.producer_epoch != kNoProducerEpoch) rows->push_back(row);
  }
}

void Producers::expire(int64_t now_ms, int64_t expiration_ms) {
  for (uint32_t i = 0; i < entries_.size();) {
    const ProducerEntry& entry = entries_[i];
    const bool is_idle = now_ms - entry.last_timestamp >= expiration_ms;
    if (is_idle && entry.txn_first_offset < 0 && !entry.has_staged) {
      erase(i);
    } else {
      i += 1;
    }
  }
}

void Producers::clear() {
  open_.clear();
  entries_.clear();
  std::fill(buckets_.begin(), buckets_.end(), 0);
  staged_first_ += staged_.size();
  staged_.clear();
  staged_begin_ = 0;
}

int64_t Producers::first_unstable_offset() const { return open_.empty() ? -1 : *open_.begin(); }

// The bucket that holds the producer, or the empty one where it would go.
uint32_t Producers::bucket_of(int64_t producer_id) const {
  const uint32_t mask = static_cast<uint32_t>(buckets_.size()) - 1;
  uint32_t bucket = static_cast<uint32_t>(hash_of(producer_id)) & mask;
  while (buckets_[bucket] != 0 && entries_[buckets_[bucket] - 1].producer_id != producer_id) {
    bucket = (bucket + 1) & mask;
  }
  return bucket;
}

const ProducerEntry* Producers::find(int64_t producer_id) const {
  if (entries_.empty()) return nullptr;
  const uint32_t index = buckets_[bucket_of(producer_id)];
  return index == 0 ? nullptr : &entries_[index - 1];
}

ProducerEntry* Producers::find_or_add(int64_t producer_id) {
  if (!buckets_.empty()) {
    const uint32_t index = buckets_[bucket_of(producer_id)];
    if (index != 0) return &entries_[index - 1];
  }
  if (entries_.size() >= kCountMax) evict_near(producer_id);
  if ((entries_.size() + 1) * 2 > buckets_.size()) grow();
  entries_.emplace_back();
  entries_.back().producer_id = producer_id;
  buckets_[bucket_of(producer_id)] = static_cast<uint32_t>(entries_.size());
  return &entries_.back();
}

void Producers::grow() {
  buckets_.assign(buckets_.empty() ? 16 : buckets_.size() * 2, 0);
  for (uint32_t i = 0; i < entries_.size(); i += 1) {
    buckets_[bucket_of(entries_[i].producer_id)] = i + 1;
  }
}

// Removes an entry: closes the gap in its probe run, then moves the last entry into its place.
void Producers::erase(uint32_t index) {
  const uint32_t mask = static_cast<uint32_t>(buckets_.size()) - 1;
  uint32_t hole = bucket_of(entries_[index].producer_id);
  OTTLA_ASSERT(buckets_[hole] == index + 1, "an entry is where its hash leads");
  for (uint32_t at = (hole + 1) & mask; buckets_[at] != 0; at = (at + 1) & mask) {
    const uint32_t home =
        static_cast<uint32_t>(hash_of(entries_[buckets_[at] - 1].producer_id)) & mask;
    if (((at - home) & mask) < ((at - hole) & mask)) continue;
    buckets_[hole] = buckets_[at];
    hole = at;
  }
  buckets_[hole] = 0;

  const uint32_t last = static_cast<uint32_t>(entries_.size()) - 1;
  if (index != last) {
    buckets_[bucket_of(entries_[last].producer_id)] = index + 1;
    entries_[index] = entries_[last];
  }
  entries_.pop_back();
}

void Producers::evict_near(int64_t producer_id) {
  constexpr uint32_t kNeighbours = 64;
  const uint32_t start = static_cast<uint32_t>(hash_of(producer_id) % entries_.size());
  uint32_t oldest = UINT32_MAX;
  for (uint32_t i = 0; i < entries_.size(); i += 1) {
    if (i >= kNeighbours && oldest != UINT32_MAX) break;
    const uint32_t index = (start + i) % static_cast<uint32_t>(entries_.size());
    const ProducerEntry& entry = entries_[index];
    if (entry.has_staged || entry.txn_first_offset >= 0) continue;
    if (oldest == UINT32_MAX || entry.last_timestamp < entries_[oldest].last_timestamp) {
      oldest = index;
    }
  }
  if (oldest != UINT32_MAX) erase(oldest);
}

}  // namespace ottla
