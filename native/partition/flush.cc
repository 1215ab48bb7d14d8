// Partition: what of it is on the disk: the flush verb, flush.messages, flush.ms, rolled segments.
// Kafka: UnifiedLog.append, flush and roll, LogManager.flushDirtyLogs.
//
// A sync waits for a disk, and a reactor has no time to: it is lent to a helper (host.h). One is
// under way at most; whoever asks meanwhile shares the next, which covers all that is written when
// it begins (group commit).
//
//   verb, flush.messages ─► all that is written ─┐
//   flush.ms, clean ─► likewise, nobody waits ───┼─► begin ─► help ─► end ─┬─► answered
//   roll ─► up to its base offset, likewise ─────┘  owner    helper  owner └─► offline
//
// Non-obvious: the recovery point promises that recovery need not look below it, so what recovery
// would rebuild there (epochs, the name of the directory) is synced before it moves. A sync that
// failed is never tried again: the kernel may have dropped what it could not write.
#include <algorithm>
#include <utility>

#include "partition.h"

namespace ottla {

namespace {

Status sync_file(Io& io, const std::string& path) {
  Handle file = kNoHandle;
  OTTLA_TRY(io.open(path, OpenMode::kReadWrite, &file));
  const Status status = io.sync(file);
  const Status closed = io.close(file);
  return status.ok() ? closed : status;
}

}  // namespace

void Partition::flush(FlushOp* op, PartitionHost& host) {
  if (is_offline()) return op->done(op, ErrorCode::kKafkaStorageError, host);
  op->up_to = next_offset_;
  flushes_.push_back(op);
  host.touch(this);  // what is staged before it is written first
}

// Takes those out that flush.messages does not let go yet.
void Partition::hold_until_synced(ProduceOps* written, PartitionHost& host) {
  if (sync_owed_to_ <= log_->recovery_point()) return;
  while (ProduceOp* op = written->pop_front()) {
    op->synced_to = sync_owed_to_;
    syncing_.push_back(op);
    let_go_of_records(op, host);
  }
}

// Answers what is synced, then begins the sync that is wanted next.
void Partition::settle_flushes(PartitionHost& host) {
  if (is_flushing_ || is_retired_ || is_offline()) return;
  answer_synced(host);
  begin_cleaning(host);
  const int64_t end = log_end_offset();
  const FlushOp* verb = flushes_.front();
  // Written later in this turn, or when the write has ended: both come by here.
  const bool is_verb_due = verb != nullptr && std::min(verb->up_to, next_offset_) <= end;
  const bool is_awaited = is_verb_due || !syncing_.empty();
  const int64_t up_to = is_awaited ? end : std::min(sync_idly_to_, end);
  if (up_to <= log_->recovery_point() && (is_directory_synced_ || !is_awaited)) return;
  const bool is_index_behind = !unindexed_.empty();
  const Status status = begin_flush(host.io(), up_to);
  if (is_index_behind && unindexed_.empty()) {
    update_last_stable_offset();
    changed(host, Wakes::kAll);
  }
  if (status.code == Code::kNoSpace) {  // what must be written first finds no room: later
    if (clean_.is_waiting) end_cleaning(status, host);
    return;
  }
  if (!status.ok()) return go_offline(status, host);
  is_flushing_ = true;
  flush_.queue = is_awaited ? DiskQueue::kAwaitedSync : DiskQueue::kIdleSync;
  host.lend(&flush_);
}

// The recovery point is where it is: whoever waited for that much is told.
void Partition::answer_synced(PartitionHost& host) {
  const int64_t synced = log_->recovery_point();
  ProduceOps done;
  while (ProduceOp* op = syncing_.front()) {
    if (op->synced_to > synced) break;
    syncing_.remove(op);
    done.push_back(op);
  }
  if (!done.empty()) {
    (void)maybe_increment_high_watermark();
    update_last_stable_offset();
    changed(host, Wakes::kAll);
    settle(&done, host);
    complete_waiting(host);
  }
  while (FlushOp* op = flushes_.front()) {
    if (std::min(op->up_to, next_offset_) > synced || !is_directory_synced_) return;
    flushes_.remove(op);
    op->recovery_point = synced;
    op->done(op, ErrorCode::kNone, host);
  }
}

void Partition::fail_flushes(ErrorCode error, PartitionHost& host) {
  FlushOps failing;
  while (FlushOp* op = flushes_.pop_front()) failing.push_back(op);
  while (FlushOp* op = failing.pop_front()) op->done(op, error, host);
}

// What the owner collects for the helper.
Status Partition::begin_flush(Io& io, int64_t up_to) {
  flush_.status = Status::good();
  flush_.syncs_name = !is_directory_synced_;
  OTTLA_TRY(index_aborted(io));
  OTTLA_TRY(epochs_.prepare_sync(io, &flush_.syncs_epochs));
  OTTLA_TRY(log_->flush_begin(io, up_to, &flush_.job));
  flush_.snapshots.swap(rolled_snapshots_);
  if (up_to >= log_end_offset()) unflushed_from_ms_ = -1;
  return Status::good();
}

void Partition::help_flush(DiskWork* work, Io& io) {
  Flush* flush = static_cast<Flush*>(work);
  const Partition* self = flush->partition;
  Status& status = flush->status;
  if (flush->syncs_name) status = io.sync_directory(self->options_.log_directory);
  if (status.ok() && flush->syncs_epochs) {
    status = sync_file(io, self->epochs_.path());
    if (status.ok()) status = io.sync_directory(self->directory_);
  }
  if (status.ok() && flush->job != nullptr) status = Log::flush_run(io, flush->job.get());
  // Without its snapshot a replay is longer, no more; it may be gone with its segment.
  for (const std::string& path : flush->snapshots) {
    if (status.ok()) (void)sync_file(io, path);
  }
}

Status Partition::end_flush(Status status) {
  flush_.snapshots.clear();
  if (flush_.job != nullptr) {
    const Status ended = log_->flush_end(std::move(flush_.job), status);
    if (status.ok()) status = ended;
  }
  if (status.ok() && flush_.syncs_name) is_directory_synced_ = true;
  return status;
}

void Partition::flush_done(PartitionWork* work, PartitionHost& host) {
  Partition* self = static_cast<Flush*>(work)->partition;
  self->is_flushing_ = false;
  const Status status = self->end_flush(self->flush_.status);
  if (!status.ok()) self->go_offline(status, host);
  self->publish();
  if (self->is_retired_ && !self->is_busy()) return self->put_away(host);
  self->settle_flushes(host);
}

// All three steps here and now, when the partition is put away.
Status Partition::sync(Io& io) {
  OTTLA_TRY(begin_flush(io, log_end_offset()));
  help_flush(&flush_, io);
  return end_flush(flush_.status);
}

}  // namespace ottla
