// Partition: compaction of its log. Kafka: LogCleaner.CleanerThread, Cleaner.
//
//   verb ─► a sync ─► begin ─► step ─► … ─► a group is ready ─► swap, names synced ─► … ─► done
//           helper    owner    helper       owner               owner and helper in turn
//
// What was written before the verb is synced first, to the log's end: a record goes because of
// newer ones of its key and of markers behind them, and those may not be lost after it.
// The helper has one step at a time, so the rate is kept by when the next one is lent: nobody
// sleeps. A failure leaves the log as it is and is the verb's answer, unless a name on the disk
// was about to change: then the log is offline, and the next start finishes the swap. A disk
// without room for a name is no failure: the verb ends, or, with only the last names left, waits.
#include <algorithm>
#include <utility>

#include "partition.h"

namespace ottla {

namespace {
constexpr int64_t kUnpackedBytesMin = 64 << 20;
constexpr int64_t kBatchesUnpacked = 16;
constexpr double kMicroseconds = 1e6;
constexpr int64_t kNamesRetryUs = 1'000'000;
// A step is a part of a second, so that a slow rate is an even one.
constexpr int64_t kStepsPerSecond = 8;
constexpr int64_t kStepBytesMin = 64 << 10;
constexpr int64_t kStepBytesMax = 1 << 20;
}  // namespace

Cleanable Partition::cleanable(PartitionHost& host, int64_t first_dirty_offset,
                               int64_t min_lag_ms) const {
  return log_->cleanable(first_dirty_offset, last_stable_offset(), min_lag_ms, host.wall_ms());
}

void Partition::clean(CleanOp* op, PartitionHost& host) {
  if (is_offline()) return op->done(op, ErrorCode::kKafkaStorageError, host);
  if (is_cleaning_ || is_retired_) return op->done(op, ErrorCode::kOperationNotAttempted, host);
  CleanRequest& request = op->request;
  request.stable_offset = last_stable_offset();
  request.now_ms = host.wall_ms();
  if (op->bytes_per_second > 0) {
    request.step_bytes =
        std::clamp(op->bytes_per_second / kStepsPerSecond, kStepBytesMin, kStepBytesMax);
  }
  request.unpacked_bytes_max =
      std::max(kUnpackedBytesMin, kBatchesUnpacked * options_.config.message_bytes_max);
  for (const ProducerEntry& entry : producers_.entries()) {
    const int64_t last = entry.batch_count == 0 ? -1 : entry.last()->last_offset;
    request.producers[entry.producer_id] = {last, entry.producer_epoch};
  }
  clean_.op = op;
  clean_.counts_on = log_end_offset();
  clean_.generation = log_->generation();
  clean_.is_waiting = is_cleaning_ = true;
  clean_due_us_ = host.now_us();
  sync_idly_to_ = std::max(sync_idly_to_, clean_.counts_on);
  begin_cleaning(host);
  if (clean_.is_waiting) host.touch(this);
}

// Once what it counts on is synced.
void Partition::begin_cleaning(PartitionHost& host) {
  if (!clean_.is_waiting) return;
  if (clean_.generation != log_->generation()) {
    return end_cleaning(Status::fail(Code::kNotFound, "the log was cut"), host);
  }
  if (log_->recovery_point() < clean_.counts_on) return;
  clean_.is_waiting = false;
  const Status status = log_->clean_begin(host.io(), clean_.op->request, &clean_.job);
  if (!status.ok()) return end_cleaning(status, host);
  go_on_cleaning(host);
}

// Lends what is next: a step when it is due, or the sync that a swap waits for.
void Partition::go_on_cleaning(PartitionHost& host) {
  CleanJob& job = *clean_.job;
  if (!clean_.is_swapping && job.phase() == CleanJob::Phase::kGroupReady) {
    const Status status = log_->swap_begin(host.io(), &job);
    if (!status.ok()) return end_cleaning(status, host);
    clean_.is_swapping = true;
  }
  if (!clean_.is_swapping && job.phase() == CleanJob::Phase::kDone) {
    return end_cleaning(Status::good(), host);
  }
  if (!clean_.is_swapping && clean_due_us_ > host.now_us()) {
    clean_timer_ = host.start_timer(clean_due_us_, &Partition::resume_cleaning, this);
    return;
  }
  host.lend(&clean_);
}

void Partition::resume_cleaning(void* partition, PartitionHost& host) {
  Partition* self = static_cast<Partition*>(partition);
  self->clean_timer_ = 0;
  self->go_on_cleaning(host);
}

void Partition::help_clean(DiskWork* work, Io& io) {
  Clean* clean = static_cast<Clean*>(work);
  clean->bytes = 0;
  if (clean->job == nullptr) {  // aborted before it began
    clean->status = Status::fail(Code::kClosed, "aborted");
    return;
  }
  clean->status = clean->is_swapping ? io.sync_directory(clean->partition->directory_)
                                     : clean->job->step(io, &clean->bytes);
}

void Partition::clean_done(PartitionWork* work, PartitionHost& host) {
  Partition* self = static_cast<Clean*>(work)->partition;
  Clean& clean = self->clean_;
  if (clean.is_swapping) {
    bool is_done = false;
    const bool is_synced = clean.status.ok();
    if (is_synced) clean.status = self->log_->swap_advance(host.io(), &is_done);
    if (is_synced && clean.status.code == Code::kNoSpace && self->log_->health().ok()) {
      if (self->is_retired_) return self->end_cleaning(clean.status, host);
      const int64_t again_us = host.now_us() + kNamesRetryUs;
      self->clean_timer_ = host.start_timer(again_us, &Partition::resume_cleaning, self);
      return;
    }
    if (!clean.status.ok()) {
      self->go_offline(clean.status, host);
      return self->end_cleaning(clean.status, host);
    }
    clean.is_swapping = !is_done;
    self->unlink_doomed(host);
    self->count_segments(host.io());
    self->publish();
  } else if (!clean.status.ok()) {
    return self->end_cleaning(clean.status, host);
  } else if (clean.op->bytes_per_second > 0) {
    const double seconds =
        static_cast<double>(clean.bytes) / static_cast<double>(clean.op->bytes_per_second);
    self->clean_due_us_ = std::max(self->clean_due_us_, host.now_us()) +
                          static_cast<int64_t>(kMicroseconds * seconds);
  }
  if ((self->is_retired_ && !clean.is_swapping) || self->is_offline()) {
    return self->end_cleaning(Status::fail(Code::kClosed, "retired or offline"), host);
  }
  self->go_on_cleaning(host);
}

void Partition::end_cleaning(const Status& status, PartitionHost& host) {
  CleanOp* op = std::exchange(clean_.op, nullptr);
  if (clean_.job != nullptr) op->stats = clean_.job->stats();
  clean_.job.reset();
  clean_.is_swapping = clean_.is_waiting = is_cleaning_ = false;
  if (!log_->health().ok()) go_offline(log_->health(), host);
  const bool is_overtaken = status.code == Code::kNotFound || status.code == Code::kClosed ||
                            status.code == Code::kNoSpace;  // there may be some another time
  const ErrorCode error = status.ok()    ? ErrorCode::kNone
                          : is_overtaken ? ErrorCode::kOperationNotAttempted
                                         : ErrorCode::kKafkaStorageError;
  op->done(op, error, host);
  if (is_retired_ && !is_busy()) put_away(host);
}

void Partition::abort_cleaning(PartitionHost& host) {
  if (!is_cleaning_) return;
  if (clean_.job != nullptr) clean_.job->abort();
  const bool was_waiting = std::exchange(clean_.is_waiting, false);
  if (clean_timer_ == 0 && !was_waiting) return;  // the helper has it, and ends soon
  // Nobody else comes by: the next step ends it, in its turn.
  if (clean_timer_ != 0) host.cancel_timer(std::exchange(clean_timer_, 0));
  host.lend(&clean_);
}

}  // namespace ottla
