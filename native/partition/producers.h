// Producers: what a partition remembers of idempotent producers, so that a retried batch is
// answered and not written twice. Kafka: ProducerStateManager, ProducerAppendInfo,
// ProducerStateEntry.
//
// Two layers. What is written: per producer id its epoch and its last five batches. What is staged:
// batches that were given offsets but whose write has not completed; checks see both. commit()
// turns the oldest staged batches into written ones, rollback() forgets all of them, so the written
// layer never holds a batch that is not in the log. A snapshot at an offset holds exactly what lies
// below it, staged or written.
//
// Open addressing over a dense array of entries: no allocation per batch, and a walk is a walk over
// an array.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "../log/record_batch.h"

namespace ottla {

constexpr int16_t kNoProducerEpoch = -1;
constexpr int32_t kNoSequence = -1;
// Sequences run from 0 to 2^31 - 1 and start over.
constexpr int32_t next_sequence(int32_t sequence) {
  return sequence == INT32_MAX ? 0 : sequence + 1;
}
constexpr int32_t sequence_plus(int32_t sequence, int32_t delta) {
  const int64_t sum = int64_t{sequence} + delta;
  return static_cast<int32_t>(sum > INT32_MAX ? sum - INT32_MAX - 1 : sum);
}
constexpr int32_t sequence_minus(int32_t sequence, int32_t delta) {
  const int64_t difference = int64_t{sequence} - delta;
  return static_cast<int32_t>(difference < 0 ? difference + INT32_MAX + 1 : difference);
}

// One batch of a producer, with the offsets it has or will have: data, or a transaction's end.
struct ProducerBatch {
  int64_t producer_id = kNoProducerId;
  int16_t producer_epoch = kNoProducerEpoch;
  bool is_transactional = false;
  int32_t first_sequence = kNoSequence;
  int32_t last_sequence = kNoSequence;
  int64_t first_offset = -1;
  int64_t last_offset = -1;
  int64_t timestamp = -1;  // the batch's largest
  // A marker: it has no sequences, and its offsets are both its own.
  bool is_marker = false;
  bool is_commit = false;
  int32_t coordinator_epoch = -1;
};

// A transaction that wrote something here and has ended.
struct CompletedTransaction {
  int64_t producer_id = kNoProducerId;
  int64_t first_offset = -1;
  int64_t last_offset = -1;         // of the marker
  int64_t last_stable_offset = -1;  // with the marker in the log and all of it replicated
  bool is_aborted = false;
};

// What is known of a producer when everything staged is counted in.
struct ProducerTail {
  int16_t epoch = kNoProducerEpoch;
  int32_t coordinator_epoch = -1;
  int32_t last_sequence = kNoSequence;
  bool in_transaction = false;
};

// A remembered batch. The first sequence and offset follow from the delta.
struct CachedBatch {
  int64_t last_offset = -1;
  int64_t timestamp = -1;
  int32_t last_sequence = kNoSequence;
  int32_t offset_delta = 0;

  int64_t first_offset() const { return last_offset - offset_delta; }
  int32_t first_sequence() const { return sequence_minus(last_sequence, offset_delta); }
};

struct ProducerEntry {
  static constexpr int kBatchesMax = 5;  // as many as a producer may have in flight

  int64_t producer_id = kNoProducerId;
  int64_t last_timestamp = -1;
  int64_t txn_first_offset = -1;  // of the open transaction; -1: none
  int32_t coordinator_epoch = -1;
  int16_t producer_epoch = kNoProducerEpoch;
  uint8_t batch_count = 0;
  bool has_staged = false;
  uint64_t staged_newest = 0;        // its id, when has_staged
  CachedBatch batches[kBatchesMax];  // oldest first

  const CachedBatch* last() const { return batch_count == 0 ? nullptr : &batches[batch_count - 1]; }
  int32_t last_sequence() const { return batch_count == 0 ? kNoSequence : last()->last_sequence; }
  void add(const ProducerBatch& batch);  // all but the transaction it may begin or end
};

enum class SequenceCheck : uint8_t {
  kAppend,            // next in line, or a producer we know nothing of
  kDuplicate,         // already written or staged: `duplicate` says where
  kOutOfOrder,        // a gap, or older than the five we remember
  kStaleEpoch,        // a newer incarnation of the producer has written
  kNotInTransaction,  // its producer has a transaction open, and the batch is of none
};

class Producers {
 public:
  // Most producers one partition remembers; past it the one idle longest among its neighbours is
  // forgotten.
  static constexpr uint32_t kCountMax = 1u << 20;

  // May this client's batch be appended after all that is staged? (Offsets are not looked at.)
  SequenceCheck check(const ProducerBatch& batch, CachedBatch* duplicate) const;
  // Counts it in, ahead of its write. Batches are staged in offset order.
  void stage(const ProducerBatch& batch);
  // Staged batches below `end_offset` are written. Transactions that ended with them are added to
  // `completed`, when it is given.
  void commit(int64_t end_offset, std::vector<CompletedTransaction>* completed = nullptr);
  // Staged batches from `first_offset` on will not be written.
  void rollback(int64_t first_offset = INT64_MIN);

  // A batch found in the log by recovery, or appended by a follower: not checked.
  void replay(const ProducerBatch& batch);
  // A transaction's end; true when it had written something: `completed` says what.
  bool replay_marker(const ProducerBatch& marker, CompletedTransaction* completed = nullptr);
  // A snapshot's row; replaces what is known of that producer.
  void restore(const ProducerEntry& entry);
  // The rows of a snapshot at `end_offset`.
  void collect(int64_t end_offset, std::vector<ProducerEntry>* rows) const;
  // Forgets producers idle since before `now_ms - expiration_ms` that have no open transaction.
  void expire(int64_t now_ms, int64_t expiration_ms);
  void clear();

  uint32_t count() const { return static_cast<uint32_t>(entries_.size()); }
  size_t staged() const { return staged_.size() - staged_begin_; }
  // Start of the oldest open transaction; -1 when none is open.
  int64_t first_unstable_offset() const;
  const ProducerEntry* find(int64_t producer_id) const;
  ProducerTail tail(int64_t producer_id) const;
  const std::vector<ProducerEntry>& entries() const { return entries_; }

 private:
  struct Staged {
    ProducerBatch batch;
    uint64_t older = 0;  // id of this producer's staged batch before it; 0: none
  };

  ProducerTail tail_of(const ProducerEntry& entry) const;
  void enter(ProducerEntry* entry, const ProducerBatch& batch);
  void set_txn_first_offset(ProducerEntry* entry, int64_t offset);
  ProducerEntry* find_or_add(int64_t producer_id);
  void erase(uint32_t index);
  void evict_near(int64_t producer_id);
  uint32_t bucket_of(int64_t producer_id) const;
  void grow();
  const Staged* staged(uint64_t id) const;

  std::vector<ProducerEntry> entries_;
  std::vector<uint32_t>
      buckets_;  // index into entries_ plus one; 0: empty. A power of two, linear probing
  std::vector<Staged> staged_;  // from staged_begin_; ids are staged_first_ + position
  size_t staged_begin_ = 0;
  std::set<int64_t> open_;     // where transactions that have no marker yet begin
  uint64_t staged_first_ = 1;  // id of staged_[0]
};

}  // namespace ottla
