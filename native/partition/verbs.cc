// Partition: the verbs that act on its log, and its upkeep. See partition.h.
#include <algorithm>
#include <cstring>

#include "../gen/layout.h"
#include "partition.h"

namespace ottla {

ErrorCode Partition::trim(PartitionHost& host, int64_t log_start_offset) {
  if (is_offline()) return ErrorCode::kKafkaStorageError;
  // A snapshot took the place of a raft log's records.
  if (options_.is_raft && log_start_offset > log_end_offset())
    return restart(host, log_start_offset);
  if (log_start_offset > high_watermark()) return ErrorCode::kOffsetOutOfRange;
  if (log_start_offset <= this->log_start_offset()) return ErrorCode::kNone;
  const Status status = log_->set_log_start_offset(host.io(), log_start_offset);
  if (!status.ok()) {
    if (!waits_for_names(status)) go_offline(status, host);
    return ErrorCode::kKafkaStorageError;
  }
  unlink_doomed(host);
  (void)epochs_.truncate_from_start(host.io(), log_start_offset);
  update_last_stable_offset();
  count_segments(host.io());
  changed(host, Wakes::kAll);
  return ErrorCode::kNone;
}

// A compaction's last names find no room: what would delete beside it comes again.
bool Partition::waits_for_names(const Status& status) const {
  return status.code == Code::kNoSpace && log_->is_swapping() && log_->health().ok();
}

// By age and size. At most so many segments a call: a reactor has no time for a thousand renames.
ErrorCode Partition::retain(PartitionHost& host, int64_t retention_ms, int64_t retention_bytes,
                            Retained* retained) {
  constexpr int64_t kSegmentsMax = 32;
  if (is_offline()) return ErrorCode::kKafkaStorageError;
  Retention by;
  by.retention_ms = retention_ms;
  by.retention_bytes = retention_bytes;
  by.now_ms = host.wall_ms();
  by.high_watermark = high_watermark();
  by.end_offset = next_offset_;
  by.segments_max = kSegmentsMax;
  host_ = &host;  // a roll saves producers
  const Status status = log_->retain(host.io(), by, retained);
  if (!status.ok()) {
    if (!waits_for_names(status)) go_offline(status, host);
    return ErrorCode::kKafkaStorageError;
  }
  if (retained->segments == 0) return ErrorCode::kNone;
  update_last_stable_offset();
  host.touch(this);  // what was rolled is synced, as ever
  unlink_doomed(host);
  (void)epochs_.truncate_from_start(host.io(), log_start_offset());
  count_segments(host.io());
  changed(host, Wakes::kAll);
  return ErrorCode::kNone;
}

ErrorCode Partition::truncate(PartitionHost& host, int32_t leader_epoch, int64_t offset) {
  // Raft's own machine judges the epochs of its log.
  if (!options_.is_raft && leader_epoch != this->leader_epoch()) {
    CounterRow(host.counters(), kCounterColumns).add(counter::kStaleCommands, 1);
    return leader_epoch < this->leader_epoch() ? ErrorCode::kFencedLeaderEpoch
                                               : ErrorCode::kUnknownLeaderEpoch;
  }
  if (is_offline()) return ErrorCode::kKafkaStorageError;
  if (is_leader() && !options_.is_raft) return ErrorCode::kNotLeaderOrFollower;
  if (is_writing_) return ErrorCode::kOperationNotAttempted;
  drop_staged(ErrorCode::kNotLeaderOrFollower, host);
  if (offset >= log_end_offset()) return ErrorCode::kNone;
  if (offset < log_start_offset()) return restart(host, offset);
  return rewind(host, log_->truncate_to(host.io(), offset), offset);
}

ErrorCode Partition::begin_at(PartitionHost& host, int64_t offset) {
  if (is_offline()) return ErrorCode::kKafkaStorageError;
  if (is_leader() || is_retired_) return ErrorCode::kNotLeaderOrFollower;
  drop_staged(ErrorCode::kNotLeaderOrFollower, host);
  return restart(host, offset);
}

// The log begins again, empty, at `offset`.
ErrorCode Partition::restart(PartitionHost& host, int64_t offset) {
  if (is_writing_) return ErrorCode::kOperationNotAttempted;
  const bool is_forward = offset > log_end_offset();
  const Status status = log_->truncate_fully_and_start_at(host.io(), offset);
  if (is_forward && status.ok()) high_watermark_.store(offset, std::memory_order_seq_cst);
  return rewind(host, status, offset);
}

// Brings what is remembered beside the log in line with it, after it was cut at `offset`.
ErrorCode Partition::rewind(PartitionHost& host, Status status, int64_t offset) {
  Io& io = host.io();
  if (status.ok()) {
    status = epochs_.truncate_from_end(io, offset);
    // No room to say so: the next flush does, before it counts for anything.
    if (status.code == Code::kNoSpace) status = Status::good();
  }
  if (status.ok()) status = reload_producers(io);
  if (!status.ok()) {
    go_offline(status, host);
    return ErrorCode::kKafkaStorageError;
  }
  unlink_doomed(host);
  next_offset_ = log_end_offset();
  sync_owed_to_ = 0;
  sync_idly_to_ = std::min(sync_idly_to_, next_offset_);
  fail_all(&syncing_, ErrorCode::kNotLeaderOrFollower, host);
  if (high_watermark() > next_offset_) {
    high_watermark_.store(next_offset_, std::memory_order_seq_cst);
  }
  update_last_stable_offset();
  count_segments(io);
  changed(host, Wakes::kAll);
  return ErrorCode::kNone;
}

ErrorCode Partition::look_up(PartitionHost& host, int32_t kind, int64_t argument, int64_t* a,
                             int64_t* b, int64_t* c) {
  if (is_offline()) return ErrorCode::kKafkaStorageError;
  OffsetAndTimestamp found;
  Status status;
  switch (kind) {
    case lookup::kTimestamp:
      status = log_->find_by_timestamp(host.io(), argument, log_end_offset(), &found);
      break;
    case lookup::kMaxTimestamp:
      status = log_->find_max_timestamp(host.io(), &found);
      break;
    case lookup::kOldestSegment:
      // What belongs to a transaction that is open stays with it.
      *a = log_->oldest_segment(host.io(), last_stable_offset(), b, c);
      return ErrorCode::kNone;
    case lookup::kEpochEnd:
      *b = epochs_.end_offset(static_cast<int32_t>(argument), log_end_offset(), a);
      *c = -1;
      return ErrorCode::kNone;
    default:
      return ErrorCode::kInvalidRequest;
  }
  if (status.code == Code::kIo) go_offline(status, host);
  if (!status.ok()) return ErrorCode::kKafkaStorageError;
  *a = found.offset;
  *b = found.timestamp;
  *c = found.leader_epoch;
  return ErrorCode::kNone;
}

void Partition::dump_producers(std::vector<uint8_t>* rows) const {
  constexpr size_t kRowBytes = 48;
  for (const ProducerEntry& entry : producers_.entries()) {
    if (entry.producer_epoch == kNoProducerEpoch) continue;
    rows->resize(rows->size() + kRowBytes);
    uint8_t* row = rows->data() + rows->size() - kRowBytes;
    const double numbers[3] = {static_cast<double>(entry.producer_id),
                               static_cast<double>(entry.last_timestamp),
                               static_cast<double>(entry.txn_first_offset)};
    const int32_t integers[3] = {entry.producer_epoch, entry.last_sequence(),
                                 entry.coordinator_epoch};
    std::memcpy(row, numbers, sizeof numbers);
    std::memcpy(row + sizeof numbers, integers, sizeof integers);
  }
}

// Kafka: LogManager.flushDirtyLogs, log by log.
void Partition::flush_when_due(PartitionHost& host) {
  if (is_retired_ || is_writing_ || unflushed_from_ms_ < 0) return;
  if (host.now_us() / 1000 - unflushed_from_ms_ < options_.config.flush_ms) return;
  sync_idly_to_ = log_end_offset();
  settle_flushes(host);
}

void Partition::maintain(PartitionHost& host) {
  if (is_retired_ || is_writing_) return;
  log_->reclaim(host.io());
  unlink_doomed(host);  // of a failed append
  if (!unindexed_.empty() && !is_offline()) {
    const Status status = index_aborted(host.io());
    if (!status.ok() && status.code != Code::kNoSpace) go_offline(status, host);
    update_last_stable_offset();
    changed(host, Wakes::kAll);
  }
  settle_flushes(host);
  const int64_t now_ms = host.now_us() / 1000;
  if (now_ms - expired_at_ms_ >= options_.producer_expiration_check_ms) {
    expired_at_ms_ = now_ms;
    const int64_t own_ms = options_.config.producer_expiration_ms;
    producers_.expire(host.wall_ms(), own_ms >= 0 ? own_ms : options_.producer_expiration_ms);
  }
  publish();
}

}  // namespace ottla
