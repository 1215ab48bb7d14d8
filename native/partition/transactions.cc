// Partition, its transactions: who may begin one here, how one ends, what is stable. See
// partition.h. Kafka: UnifiedLog, ProducerStateManager, VerificationStateEntry, CompletedTxn.
// KIP-98, KIP-890.
//
//   a transactional batch ─┬─ its producer's transaction is open here ─────────────► append
//                          └─ parked ─ admissionNeeded ─► the coordinator ─ admit() ─┘ or an error
//
// Non-obvious: an answer is worth nothing once a marker of its producer has come in between, which
// the coordinator may have written for a reason the answer does not know; what is still parked then
// is asked about anew. A transaction that has ended stays unstable until its marker is replicated.
#include <algorithm>
#include <utility>

#include "../base/assert.h"
#include "../gen/layout.h"
#include "../log/txn_index.h"
#include "partition.h"

namespace ottla {

namespace {

// Producers whose first batch of a transaction was seen and not appended; past it the oldest one
// that is not being asked about is forgotten.
constexpr size_t kUnverifiedMax = 1024;
constexpr int16_t kControlCommit = 1;
constexpr int16_t kProducerEpochMax = 32767;

RecordBatch batch_of(const ProduceOp& op) {
  return RecordBatch(op.records, static_cast<size_t>(op.records_bytes));
}

}  // namespace

ProducerBatch Partition::producer_batch(const RecordBatch& batch) {
  ProducerBatch b;
  b.producer_id = batch.producer_id();
  b.producer_epoch = batch.producer_epoch();
  // A header that compaction left: its transaction has ended, whether its marker is still there or
  // not.
  b.is_transactional = batch.is_transactional() && batch.records_count() > 0;
  b.first_sequence = batch.base_sequence();
  b.last_sequence = b.first_sequence < 0
                        ? kNoSequence
                        : sequence_plus(b.first_sequence, batch.last_offset_delta());
  b.first_offset = batch.base_offset();
  b.last_offset = batch.last_offset();
  b.timestamp = batch.max_timestamp();
  if (!batch.is_control()) return b;
  // Key: version i16, type i16. Value: version i16, coordinator epoch i32. Compaction may have left
  // the batch without its record, and then nothing of its transaction either: nothing is aborted.
  b.is_marker = true;
  b.is_commit = batch.records_count() == 0;
  RecordView record;
  if (!batch.has_records() || batch.records().empty()) return b;
  const Bytes records = batch.records();
  if (read_record(records.data(), records.data() + records.size(), &record) == nullptr) return b;
  b.is_commit = record.key.size() >= 4 && load_i16(record.key.data() + 2) == kControlCommit;
  if (record.value.size() >= 6) b.coordinator_epoch = load_i32(record.value.data() + 2);
  return b;
}

// --- admission

bool Partition::needs_admission(const ProduceOp& op) const {
  if (op.records_bytes < kBatchHeaderBytes) return false;
  const RecordBatch batch = batch_of(op);
  if (!batch.is_transactional() || !batch.has_producer_id()) return false;
  const ProducerTail tail = producers_.tail(batch.producer_id());
  if (!tail.in_transaction || tail.epoch != batch.producer_epoch()) return true;
  return has_parked(batch.producer_id());  // one producer's batches keep their order
}

bool Partition::has_parked(int64_t producer_id) const {
  auto& parked = const_cast<Partition*>(this)->parked_;
  for (ProduceOp* older = parked.front(); older != nullptr; older = parked.next(older)) {
    if (batch_of(*older).producer_id() == producer_id) return true;
  }
  return false;
}

Partition::Unverified* Partition::find_unverified(int64_t producer_id) {
  for (Unverified& producer : unverified_) {
    if (producer.producer_id == producer_id) return &producer;
  }
  return nullptr;
}

void Partition::park(ProduceOp* op, PartitionHost& host) {
  Unverified* producer = note_unverified(batch_of(*op));
  parked_.push_back(op);
  CounterRow(host.counters(), kCounterColumns).add(counter::kProduceWaiting, 1);
  op->timer = host.start_timer(op->deadline_us, &Partition::parked_too_long, op);
  if (producer->ask == 0) ask(producer, *op, host);
}

// A batch of a producer that has none here was seen, and is not in the log.
Partition::Unverified* Partition::note_unverified(const RecordBatch& batch) {
  Unverified* producer = find_unverified(batch.producer_id());
  if (producer == nullptr) {
    if (unverified_.size() >= kUnverifiedMax) {
      const auto idle = std::find_if(unverified_.begin(), unverified_.end(),
                                     [](const Unverified& known) { return known.ask == 0; });
      if (idle != unverified_.end()) unverified_.erase(idle);
    }
    unverified_.push_back({batch.producer_id(), batch.producer_epoch(), batch.base_sequence(), 0});
    producer = &unverified_.back();
  }
  if (producer->producer_epoch < batch.producer_epoch()) {
    producer->producer_epoch = batch.producer_epoch();
    producer->lowest_sequence = batch.base_sequence();
  } else if (producer->producer_epoch == batch.producer_epoch()) {
    producer->lowest_sequence = std::min(producer->lowest_sequence, batch.base_sequence());
  }
  return producer;
}

void Partition::ask(Unverified* producer, const ProduceOp& op, PartitionHost& host) {
  producer->ask = ++last_ask_;
  Fact needed;
  needed.kind = fact::kAdmissionNeeded;
  needed.slot = options_.slot;
  needed.epoch = leader_epoch();
  needed.ticket = producer->ask;
  needed.a = static_cast<double>(producer->producer_id);
  needed.b = batch_of(op).producer_epoch();
  needed.c = op.api_version;
  needed.body = op.transactional_id.data();
  needed.body_bytes = static_cast<uint32_t>(op.transactional_id.size());
  host.fact(needed);
}

void Partition::parked_too_long(void* object, PartitionHost& host) {
  ProduceOp* op = static_cast<ProduceOp*>(object);
  Partition* self = op->partition;
  op->timer = 0;
  self->parked_.remove(op);
  CounterRow(host.counters(), kCounterColumns).add(counter::kProduceWaiting, -1);
  // Whoever comes next asks again.
  Unverified* producer = self->find_unverified(batch_of(*op).producer_id());
  if (producer != nullptr && !self->has_parked(producer->producer_id)) producer->ask = 0;
  self->fail(op, ErrorCode::kRequestTimedOut, host);
}

void Partition::admit(double ask, ErrorCode error, PartitionHost& host) {
  const auto answered = std::find_if(unverified_.begin(), unverified_.end(),
                                     [&](const Unverified& known) { return known.ask == ask; });
  if (answered == unverified_.end() || is_retired_) return;
  answered->ask = 0;
  const int64_t producer_id = answered->producer_id;
  // The answer is about the epoch of the oldest; what has another asks for itself.
  ProduceOps released;
  for (ProduceOp* op = parked_.front(); op != nullptr;) {
    ProduceOp* next = parked_.next(op);
    if (batch_of(*op).producer_id() == producer_id) {
      parked_.remove(op);
      released.push_back(op);
    }
    op = next;
  }
  const ProduceOp* first = released.front();
  const int16_t epoch = first == nullptr ? kNoProducerEpoch : batch_of(*first).producer_epoch();
  while (ProduceOp* op = released.pop_front()) {
    host.cancel_timer(std::exchange(op->timer, 0));
    CounterRow(host.counters(), kCounterColumns).add(counter::kProduceWaiting, -1);
    if (batch_of(*op).producer_epoch() != epoch) {
      op->partition = nullptr;
      produce(op, host);
    } else if (error != ErrorCode::kNone) {
      fail(op, error, host);
    } else {
      produce_admitted(op, host);
    }
  }
}

// A batch that comes before this one was seen, and is not in the log.
bool Partition::is_ahead(const RecordBatch& batch) const {
  for (const Unverified& producer : unverified_) {
    if (producer.producer_id != batch.producer_id()) continue;
    return producer.producer_epoch == batch.producer_epoch() &&
           batch.base_sequence() > producer.lowest_sequence;
  }
  return false;
}

// Its producer is known here from now on, or its transaction open.
void Partition::begun(const RecordBatch& batch) {
  std::erase_if(unverified_, [&](const Unverified& known) {
    return known.producer_id == batch.producer_id() && known.ask == 0;
  });
  // From here on sequences tell what is missing.
  if (Unverified* asking = find_unverified(batch.producer_id())) {
    asking->lowest_sequence = INT32_MAX;
  }
}

// --- ends

// A marker was staged: answers that are under way are about the transaction before it.
void Partition::ended(const RecordBatch& marker, PartitionHost& host) {
  doubt_unrecoded(marker.producer_id());
  Unverified* producer = find_unverified(marker.producer_id());
  if (producer == nullptr) return;
  if (producer->producer_epoch < marker.producer_epoch() || producer->ask == 0) {
    std::erase_if(unverified_, [&](const Unverified& known) { return &known == producer; });
    producer = nullptr;
  }
  ProduceOps released;
  for (ProduceOp* op = parked_.front(); op != nullptr;) {
    ProduceOp* next = parked_.next(op);
    if (batch_of(*op).producer_id() == marker.producer_id()) {
      if (batch_of(*op).producer_epoch() < marker.producer_epoch()) {
        parked_.remove(op);
        released.push_back(op);
      } else if (producer != nullptr) {
        ask(producer, *op, host);
        producer = nullptr;  // one question for all
      }
    }
    op = next;
  }
  fail_all(&released, ErrorCode::kInvalidProducerEpoch, host);
}

// What our own batches may not do: speak for a producer, or a coordinator, that has been replaced.
ErrorCode Partition::fence_error(const ProduceOp& op) const {
  Bytes rest{op.records, static_cast<size_t>(op.records_bytes)};
  RecordBatch batch;
  while (next_batch(&rest, &batch)) {
    if (!batch.has_producer_id()) continue;
    const ProducerTail tail = producers_.tail(batch.producer_id());
    if (batch.producer_epoch() < tail.epoch) return ErrorCode::kInvalidProducerEpoch;
    if (!batch.is_control()) continue;
    if (producer_batch(batch).coordinator_epoch < tail.coordinator_epoch) {
      return ErrorCode::kTransactionCoordinatorFenced;
    }
  }
  return ErrorCode::kNone;
}

void Partition::mark(ProduceOp* op, int32_t transaction_version, PartitionHost& host) {
  OTTLA_ASSERT(op->partition == nullptr, "a marker is appended once");
  op->partition = this;
  if (is_offline()) return fail(op, ErrorCode::kKafkaStorageError, host);
  if (!is_leader() || options_.is_raft) return fail(op, ErrorCode::kNotLeaderOrFollower, host);
  ErrorCode error = append_error(op->leader_epoch);
  if (error == ErrorCode::kNone && !are_own_batches(op->records, op->records_bytes)) {
    error = ErrorCode::kCorruptMessage;
  }
  if (error == ErrorCode::kNone) error = fence_error(*op);
  if (error == ErrorCode::kNone && is_under_min_isr()) error = ErrorCode::kNotEnoughReplicas;
  if (error != ErrorCode::kNone) return fail(op, error, host);
  const RecordBatch batch = batch_of(*op);
  const ProducerTail tail = producers_.tail(batch.producer_id());
  // From version 2 on every transaction has an epoch of its own: a marker that brings the epoch we
  // know already has been written before, and the coordinator did not hear of it. What is open
  // meanwhile is the next transaction, and not to be ended by it.
  const bool is_past = transaction_version >= 2 && batch.producer_epoch() == tail.epoch;
  if (is_past && tail.in_transaction && tail.epoch != kProducerEpochMax) {
    return fail(op, ErrorCode::kInvalidProducerEpoch, host);
  }
  const bool is_repeated = is_past && !tail.in_transaction;
  op->acks = -1;
  if (is_repeated) {
    op->base_offset = op->last_offset = next_offset_ - 1;
  } else {
    op->base_offset = next_offset_;
    stage_batch(op, op->records, false);
    ended(batch_of(*op), host);
  }
  staged_ops_.push_back(op);
  host.touch(this);
}

// Everything below `end_offset` is in the log: transactions that ended with it have ended, and
// those that were aborted are in the index before anyone may read so far.
Status Partition::end_transactions(Io& io, int64_t end_offset) {
  completed_.clear();
  producers_.commit(end_offset, &completed_);
  for (const CompletedTransaction& transaction : completed_) {
    unreplicated_.push_back(transaction);
    if (transaction.is_aborted) unindexed_.push_back(transaction);
  }
  const Status status = index_aborted(io);
  return status.code == Code::kNoSpace ? Status::good() : status;
}

// On a full disk they wait, in order. Until they are in the index nothing of them is stable, and
// the recovery point, below which a start believes the index, stays where it is.
Status Partition::index_aborted(Io& io) {
  while (!unindexed_.empty()) {
    OTTLA_TRY(note_aborted(io, unindexed_.front()));
    unindexed_.erase(unindexed_.begin());
  }
  return Status::good();
}

Status Partition::note_aborted(Io& io, const CompletedTransaction& transaction) {
  if (!transaction.is_aborted) return Status::good();
  return log_->append_aborted(io, {transaction.producer_id, transaction.first_offset,
                                   transaction.last_offset, transaction.last_stable_offset});
}

void Partition::update_last_stable_offset() {
  const int64_t high_watermark = high_watermark_.load(std::memory_order_relaxed);
  std::erase_if(unreplicated_, [&](const CompletedTransaction& transaction) {
    return transaction.last_offset < high_watermark;
  });
  int64_t stable = high_watermark;
  const int64_t unstable = producers_.first_unstable_offset();
  if (unstable >= 0) stable = std::min(stable, unstable);
  for (const CompletedTransaction& transaction : unreplicated_) {
    stable = std::min(stable, transaction.first_offset);
  }
  for (const CompletedTransaction& transaction : unindexed_) {
    stable = std::min(stable, transaction.first_offset);
  }
  // DeleteRecords may have taken the beginning of what is open.
  stable = std::max(stable, std::min(log_->log_start_offset(), high_watermark));
  last_stable_offset_.store(stable, std::memory_order_release);
}

}  // namespace ottla
