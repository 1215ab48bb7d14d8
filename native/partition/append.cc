// Partition, its writing half: from an admitted batch to an acknowledged one. See partition.h.
// Kafka: UnifiedLog.append, Partition.appendRecordsToLeader, DelayedProduce.
//
//   produce() ─ recompressed (recode.cc) ─ checks, offsets, patch ─► staged ─ end_turn() ─► writing
//   ─ on_written() ─► ...
//
//   ... ─┬─► done
//        ├─► syncing, when flush.messages owes a sync first (flush.cc) ─┬─► done
//        └─► waiting, when acks=-1 and replicas are behind ◄────────────┴─► done
//
// Non-obvious: a duplicate of a batch that is still staged or being written is answered only once
// that batch is in the log, so it travels with the staged ops and writes nothing. A write that
// fails takes everything behind it with it: offsets had been given out.
#include <algorithm>
#include <utility>

#include "../base/assert.h"
#include "../gen/layout.h"
#include "partition.h"

namespace ottla {

namespace {

void count(PartitionHost& host, size_t column, double amount = 1) {
  CounterRow(host.counters(), kCounterColumns).add(column, amount);
}

constexpr const char* kNoRoom =
    "the disk of the partition's log directory has no room for more records";

}  // namespace

// --- ends

void Partition::finish(ProduceOp* op, PartitionHost& host) {
  op->partition = nullptr;
  drop_recoded(op);
  op->done(op, host);
}

void Partition::fail(ProduceOp* op, ErrorCode error, PartitionHost& host) {
  op->refusal.error = error;
  finish(op, host);
}

void Partition::fail_all(ProduceOps* ops, ErrorCode error, PartitionHost& host) {
  // Whoever is told may produce again: only those that are here now are failed.
  ProduceOps failing;
  while (ProduceOp* op = ops->pop_front()) failing.push_back(op);
  while (ProduceOp* op = failing.pop_front()) {
    if (op->timer != 0) {
      host.cancel_timer(std::exchange(op->timer, 0));
      count(host, counter::kProduceWaiting, -1);
    }
    fail(op, error, host);
  }
}

// Nothing of it was appended: the refusal says why.
void Partition::refuse(ProduceOp* op, PartitionHost& host) {
  switch (op->refusal.error) {
    case ErrorCode::kCorruptMessage:
      count(host, counter::kInvalidCrc);
      break;
    case ErrorCode::kOutOfOrderSequenceNumber:
    case ErrorCode::kInvalidProducerEpoch:
      count(host, counter::kInvalidSequence);
      break;
    default:
      break;
  }
  if (options_.config.is_compacted && op->refusal.error == ErrorCode::kInvalidRecord &&
      !op->refusal.records.empty()) {
    count(host, counter::kNoKeyCompacted, static_cast<double>(op->refusal.records.size()));
  }
  if (op->refusal.has_log_start) op->log_start_offset = log_start_offset();
  finish(op, host);
}

// --- admission

AdmissionRules Partition::rules(PartitionHost& host) const {
  const PartitionConfig& config = options_.config;
  AdmissionRules rules;
  rules.batch.bytes_max = config.message_bytes_max;
  rules.batch.key_required = config.is_compacted;
  rules.batch.log_append_time = config.is_log_append_time;
  rules.batch.timestamp_before_max_ms = config.timestamp_before_max_ms;
  rules.batch.timestamp_after_max_ms = config.timestamp_after_max_ms;
  rules.batch.now_ms = host.wall_ms();
  rules.segment_bytes_max = config.log.segment_bytes_max;
  rules.open_compressed = options_.open_compressed;
  rules.codecs = options_.codecs;
  return rules;
}

void Partition::produce(ProduceOp* op, PartitionHost& host) {
  OTTLA_ASSERT(op->partition == nullptr, "an op is produced once");
  op->partition = this;
  if (is_offline()) return fail(op, ErrorCode::kKafkaStorageError, host);
  if (!is_leader()) return fail(op, ErrorCode::kNotLeaderOrFollower, host);
  if (!has_room()) {
    refuse_full(op, host);
    return fail(op, ErrorCode::kKafkaStorageError, host);
  }
  if (needs_admission(*op)) return park(op, host);
  produce_admitted(op, host);
}

// TypeScript counts what the disk has; in between, what clients write is counted here.
bool Partition::has_room() const {
  return options_.room == nullptr ||
         options_.room->client_bytes.load(std::memory_order_relaxed) > 0;
}

void Partition::take_room(int64_t bytes) const {
  if (options_.room == nullptr) return;
  std::atomic<int64_t>& left = options_.room->client_bytes;
  if (left.load(std::memory_order_relaxed) == INT64_MAX) return;
  left.fetch_sub(bytes, std::memory_order_relaxed);
}

void Partition::produce_admitted(ProduceOp* op, PartitionHost& host) {
  if (op->acks == -1 && is_under_min_isr()) {
    op->log_start_offset = log_start_offset();
    return fail(op, ErrorCode::kNotEnoughReplicas, host);
  }
  // What is recompressed is waited for by all that came after it.
  if (!op->is_judged && (is_recoding_ || !unrecoded_.empty() || needs_recoding(*op))) {
    return recode_in_turn(op, host);
  }
  produce_recoded(op, host);
}

void Partition::produce_recoded(ProduceOp* op, PartitionHost& host) {
  if (op->is_judged) {
    op->refusal = std::move(op->judgement);
    if (op->refusal.error != ErrorCode::kNone) return refuse(op, host);
  } else if (!admit_client_batch(op->records, op->records_bytes, rules(host), &op->refusal)) {
    return refuse(op, host);
  }
  const RecordBatch batch(op->records, static_cast<size_t>(op->records_bytes));
  if (batch.has_producer_id() && !check_sequence(op, batch, host)) return;
  if (!unverified_.empty()) begun(batch);
  op->base_offset = next_offset_;
  take_room(op->records_bytes);
  stage_batch(op, op->records, false);
  staged_ops_.push_back(op);
  host.touch(this);
}

// False: it was a duplicate or out of line, and the op has been dealt with.
bool Partition::check_sequence(ProduceOp* op, const RecordBatch& batch, PartitionHost& host) {
  CachedBatch duplicate;
  SequenceCheck check = producers_.check(producer_batch(batch), &duplicate);
  // A batch before it was seen and is not in the log: the one in hand came too early (KIP-890).
  if (check == SequenceCheck::kAppend && is_ahead(batch)) check = SequenceCheck::kOutOfOrder;
  switch (check) {
    case SequenceCheck::kAppend:
      return true;
    case SequenceCheck::kDuplicate:
      op->base_offset = duplicate.first_offset();
      op->last_offset = duplicate.last_offset;
      op->log_append_time = duplicate.timestamp;
      staged_ops_.push_back(op);
      host.touch(this);
      return false;
    case SequenceCheck::kOutOfOrder:
      op->refusal.error = ErrorCode::kOutOfOrderSequenceNumber;
      break;
    case SequenceCheck::kStaleEpoch:
      op->refusal.error = ErrorCode::kInvalidProducerEpoch;
      break;
    case SequenceCheck::kNotInTransaction:
      op->refusal.error = ErrorCode::kInvalidTxnState;
      break;
  }
  op->refusal.has_log_start = true;
  refuse(op, host);
  return false;
}

// Gives the batch its place in the log, ahead of its write.
void Partition::stage_batch(ProduceOp* op, uint8_t* bytes, bool keeps_offsets) {
  const RecordBatch batch(bytes, static_cast<size_t>(INT32_MAX));
  if (!keeps_offsets) {
    set_base_offset(bytes, next_offset_);
    set_leader_epoch(bytes, leader_epoch());
  }
  AppendBatch staged;
  staged.bytes = bytes;
  staged.size = static_cast<int32_t>(batch.bytes());
  staged.base_offset = batch.base_offset();
  staged.last_offset = batch.last_offset();
  staged.max_timestamp = batch.max_timestamp();
  staged.leader_epoch = batch.leader_epoch();
  staged_batches_.push_back(staged);
  next_offset_ = staged.last_offset + 1;
  op->last_offset = staged.last_offset;
  if (options_.config.is_log_append_time && !keeps_offsets) {
    op->log_append_time = staged.max_timestamp;
  }
  if (batch.has_producer_id()) producers_.stage(producer_batch(batch));
}

void Partition::append(ProduceOp* op, PartitionHost& host) {
  OTTLA_ASSERT(op->partition == nullptr, "an op is appended once");
  op->partition = this;
  const ErrorCode refused = append_error(op->leader_epoch);
  if (refused != ErrorCode::kNone) return fail(op, refused, host);
  // All of it or nothing: every batch is looked at before the first is staged.
  if (!are_own_batches(op->records, op->records_bytes)) {
    return fail(op, ErrorCode::kCorruptMessage, host);
  }
  const bool keeps_offsets = options_.is_raft || !is_leader();
  if (keeps_offsets && !fits(*op)) return fail(op, ErrorCode::kOffsetOutOfRange, host);
  if (!keeps_offsets) {
    const ErrorCode fenced = fence_error(*op);
    if (fenced != ErrorCode::kNone) return fail(op, fenced, host);
  }
  op->base_offset = keeps_offsets ? load_i64(op->records) : next_offset_;
  Bytes rest{op->records, static_cast<size_t>(op->records_bytes)};
  RecordBatch batch;
  while (!rest.empty()) {
    uint8_t* bytes = const_cast<uint8_t*>(rest.data());
    if (!next_batch(&rest, &batch)) break;
    if (keeps_offsets) assign_epoch(host.io(), batch.leader_epoch(), batch.base_offset());
    stage_batch(op, bytes, keeps_offsets);
  }
  staged_ops_.push_back(op);
  host.touch(this);
}

ErrorCode Partition::append_error(int32_t named) const {
  if (is_offline()) return ErrorCode::kKafkaStorageError;
  if (options_.is_raft) return ErrorCode::kNone;  // raft's own machine judges the epochs of its log
  const int32_t ours = leader_epoch();
  if (ours < 0) return ErrorCode::kNotLeaderOrFollower;
  if (named == ours) return ErrorCode::kNone;
  return named < ours ? ErrorCode::kFencedLeaderEpoch : ErrorCode::kUnknownLeaderEpoch;
}

// Batches that keep their offsets lie behind everything that has one; those of raft's log, right
// behind it: none that a full disk refused may be missing in between.
bool Partition::fits(const ProduceOp& op) const {
  Bytes rest{op.records, static_cast<size_t>(op.records_bytes)};
  RecordBatch batch;
  int64_t expected = next_offset_;
  while (next_batch(&rest, &batch)) {
    if (batch.base_offset() < expected) return false;
    if (options_.is_raft && batch.base_offset() != expected) return false;
    expected = batch.next_offset();
  }
  return true;
}

// --- writing

void Partition::end_turn(PartitionHost& host) {
  if (is_writing_) return;
  if (!staged_batches_.empty()) return submit(host);
  ProduceOps duplicates;  // of batches that are in the log
  while (ProduceOp* op = staged_ops_.pop_front()) duplicates.push_back(op);
  hold_until_synced(&duplicates, host);
  settle(&duplicates, host);
  settle_flushes(host);
}

void Partition::submit(PartitionHost& host) {
  is_writing_ = true;
  host_ = &host;
  std::swap(staged_batches_, writing_batches_);
  while (ProduceOp* op = staged_ops_.pop_front()) writing_ops_.push_back(op);
  append_op_.batches = writing_batches_.data();
  append_op_.count = static_cast<int>(writing_batches_.size());
  append_op_.done = &Partition::append_done;
  append_op_.context = this;
  log_->append(host.io(), &append_op_);
}

void Partition::append_done(AppendOp* op, Status status) {
  Partition* self = static_cast<Partition*>(op->context);
  self->on_written(status, *self->host_);
}

void Partition::on_written(Status status, PartitionHost& host) {
  ProduceOps written;
  while (ProduceOp* op = writing_ops_.pop_front()) written.push_back(op);
  int64_t bytes = 0;
  int64_t records = 0;
  for (const AppendBatch& batch : writing_batches_) {
    bytes += batch.size;
    records += batch.last_offset - batch.base_offset + 1;
  }
  writing_batches_.clear();
  is_writing_ = false;
  if (status.code == Code::kNoSpace && !is_offline() && log_->health().ok()) {
    return on_full(&written, host);
  }
  const int64_t end = log_->log_end_offset();
  if (status.ok() && !is_offline()) status = end_transactions(host.io(), end);
  if (!status.ok() || is_offline()) {  // a sync may have failed beside it
    go_offline(status, host);
    fail_all(&written, ErrorCode::kKafkaStorageError, host);
    if (is_retired_ && !is_busy()) put_away(host);
    return;
  }
  count(host, counter::kProduceBytes, static_cast<double>(bytes));
  count(host, counter::kProduceRecords, static_cast<double>(records));
  messages_in_ += records;
  bytes_in_ += bytes;
  if (unflushed_from_ms_ < 0) unflushed_from_ms_ = host.now_us() / 1000;
  const int64_t synced_to = std::max(log_->recovery_point(), sync_owed_to_);
  if (end - synced_to >= options_.config.flush_messages) sync_owed_to_ = end;
  hold_until_synced(&written, host);
  const auto shown = [this] { return std::pair(high_watermark(), last_stable_offset()); };
  const auto shown_before = shown();
  maybe_increment_high_watermark();
  update_last_stable_offset();
  changed(host, shown() == shown_before ? Wakes::kFollowers : Wakes::kAll);
  settle(&written, host);
  complete_waiting(host);
  if (is_retired_ && !is_busy()) put_away(host);
  settle_flushes(host);
  if (!staged_ops_.empty() || !staged_batches_.empty()) host.touch(this);
}

// The disk had no room: nothing of the write is in the log, and what was staged behind it follows
// it. All are told to try again, and the next write finds out whether there is room.
void Partition::on_full(ProduceOps* unwritten, PartitionHost& host) {
  next_offset_ = log_->log_end_offset();
  producers_.rollback(next_offset_);
  staged_batches_.clear();
  while (ProduceOp* op = staged_ops_.pop_front()) unwritten->push_back(op);
  for (ProduceOp* op = unwritten->front(); op != nullptr; op = unwritten->next(op)) {
    refuse_full(op, host);
  }
  count_segments(host.io());  // a roll may have failed
  // Epochs came with the batches, and go with them; with no room to say so, the next flush does.
  if (options_.is_raft || !is_leader()) (void)epochs_.truncate_from_end(host.io(), next_offset_);
  fail_all(unwritten, ErrorCode::kKafkaStorageError, host);
  if (is_retired_ && !is_busy()) return put_away(host);
  settle_flushes(host);
  changed(host, Wakes::kNobody);
}

// Its client will send it again. Until then nothing of its producer may take its place: a producer
// of whom nothing is known may begin anywhere (KIP-890).
void Partition::refuse_full(ProduceOp* op, PartitionHost& host) {
  count(host, counter::kProduceRefusedFull);
  op->refusal.message = kNoRoom;
  if (op->records == nullptr || op->records_bytes < kBatchHeaderBytes) return;
  const RecordBatch batch(op->records, static_cast<size_t>(op->records_bytes));
  if (!batch.has_producer_id() || batch.is_control()) return;
  if (producers_.tail(batch.producer_id()).epoch != kNoProducerEpoch) return;
  note_unverified(batch);
}

// Their batches are in the log: answers those that wait for nobody.
void Partition::settle(ProduceOps* ops, PartitionHost& host) {
  while (ProduceOp* op = ops->pop_front()) {
    op->log_start_offset = log_start_offset();
    if (op->acks != -1 || options_.is_raft) {
      finish(op, host);
    } else if (!is_leader()) {
      fail(op, ErrorCode::kNotLeaderOrFollower, host);
    } else if (op->last_offset < high_watermark()) {
      complete(op, host);
    } else if (is_under_min_isr()) {
      fail(op, ErrorCode::kNotEnoughReplicasAfterAppend, host);
    } else {
      join_waiting(op, host);
    }
  }
}

// A disk that failed one partition is not trusted with the others of its directory.
void Partition::go_offline(const Status& status, PartitionHost& host) {
  if (is_offline()) return;
  take_offline(host);
  host.directory_failed(options_.log_directory, status.error);
}

void Partition::take_offline(PartitionHost& host) {
  if (is_offline_.exchange(true, std::memory_order_acq_rel)) return;
  drop_staged(ErrorCode::kKafkaStorageError, host);
  fail_all(&unrecoded_, ErrorCode::kKafkaStorageError, host);
  fail_all(&parked_, ErrorCode::kKafkaStorageError, host);
  fail_all(&syncing_, ErrorCode::kKafkaStorageError, host);
  fail_all(&waiting_, ErrorCode::kKafkaStorageError, host);
  fail_flushes(ErrorCode::kKafkaStorageError, host);
  abort_cleaning(host);
  changed(host, Wakes::kAll);
}

// Forgets what was given offsets but is not being written.
void Partition::drop_staged(ErrorCode error, PartitionHost& host) {
  next_offset_ = log_->log_end_offset();
  if (is_writing_) {
    next_offset_ = writing_batches_.back().last_offset + 1;
  }
  producers_.rollback(next_offset_);
  staged_batches_.clear();
  fail_all(&staged_ops_, error, host);
}

// --- waiting for replicas

// A wait may be long, and frames are many: 25 connections would spend a reactor's memory.
void Partition::let_go_of_records(ProduceOp* op, PartitionHost& host) {
  if (op->records == nullptr) return;
  op->records = nullptr;
  drop_recoded(op);
  if (op->written != nullptr) op->written(op, host);
}

void Partition::join_waiting(ProduceOp* op, PartitionHost& host) {
  let_go_of_records(op, host);
  // In offset order; only a duplicate ever belongs before the end.
  ProduceOp* at = waiting_.back();
  if (at != nullptr && at->last_offset > op->last_offset) {
    at = waiting_.front();
    while (at->last_offset <= op->last_offset) at = waiting_.next(at);
    waiting_.insert_before(at, op);
  } else {
    waiting_.push_back(op);
  }
  count(host, counter::kProduceWaiting);
  op->timer = host.start_timer(op->deadline_us, &Partition::timed_out, op);
}

void Partition::complete_waiting(PartitionHost& host) {
  while (ProduceOp* op = waiting_.front()) {
    if (op->last_offset >= high_watermark()) return;
    waiting_.remove(op);
    host.cancel_timer(std::exchange(op->timer, 0));
    count(host, counter::kProduceWaiting, -1);
    complete(op, host);
  }
}

// The high watermark has passed it.
void Partition::complete(ProduceOp* op, PartitionHost& host) {
  if (is_under_min_isr()) {
    fail(op, ErrorCode::kNotEnoughReplicasAfterAppend, host);
  } else {
    finish(op, host);
  }
}

void Partition::timed_out(void* object, PartitionHost& host) {
  ProduceOp* op = static_cast<ProduceOp*>(object);
  Partition* self = op->partition;
  op->timer = 0;
  self->waiting_.remove(op);
  count(host, counter::kProduceWaiting, -1);
  self->fail(op, ErrorCode::kRequestTimedOut, host);
}

}  // namespace ottla
