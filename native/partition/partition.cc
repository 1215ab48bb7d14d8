// Partition: roles, replicas and watermarks. Appending is in append.cc, opening in open.cc. See
// partition.h.
//
// Non-obvious: the high watermark does not move while the ISR is smaller than min.insync.replicas
// (Kafka 4), and it waits for a replica outside the ISR that has caught up, because that one is
// about to be let in; a follower that has not fetched from this leader counts as being at -1.
#include "partition.h"

#include <algorithm>

#include "../base/assert.h"
#include "../gen/errors.h"
#include "../gen/layout.h"

namespace ottla {

namespace {

// How long TypeScript has to act on a caught-up follower before it is told again.
constexpr int64_t kTellAgainMs = 1000;

void count_stale(PartitionHost& host) {
  CounterRow(host.counters(), kCounterColumns).add(counter::kStaleCommands, 1);
}

bool contains(const int32_t* ids, int count, int32_t id) {
  return std::find(ids, ids + count, id) != ids + count;
}

int64_t now_ms(PartitionHost& host) { return host.now_us() / 1000; }

}  // namespace

bool Partition::is_quiet() const {
  if (is_writing_) return false;
  for (int r = 0; r < options_.reactors; r += 1) {
    if (wakes_[static_cast<size_t>(r)].is_posted.load(std::memory_order_acquire)) return false;
  }
  return true;
}

// --- roles

void Partition::set_leadership(Role role, int32_t leader_epoch) {
  leadership_.store((static_cast<int64_t>(leader_epoch) << 8) | static_cast<int64_t>(role),
                    std::memory_order_release);
}

Partition::Replica* Partition::find_replica(int32_t id) {
  for (Replica& replica : replicas_) {
    if (replica.id == id) return &replica;
  }
  return nullptr;
}

bool Partition::lead(PartitionHost& host, int32_t leader_epoch, int32_t partition_epoch,
                     const int32_t* replicas, int replica_count, const int32_t* isr,
                     int isr_count) {
  const bool is_new = leader_epoch > this->leader_epoch() || !is_leader();
  if (is_retired_ || leader_epoch < this->leader_epoch() ||
      (!is_new && partition_epoch < partition_epoch_)) {
    count_stale(host);
    return false;
  }
  if (is_new) {
    if (!is_leader()) drop_staged(ErrorCode::kNotLeaderOrFollower, host);
    // What is staged but not being written yet gets the new epoch; it starts with the first of
    // them.
    epoch_start_offset_ = next_offset_;
    for (AppendBatch& batch : staged_batches_) {
      epoch_start_offset_ = std::min(epoch_start_offset_, batch.base_offset);
      batch.leader_epoch = leader_epoch;
      set_leader_epoch(const_cast<uint8_t*>(batch.bytes), leader_epoch);
    }
    if (!options_.is_raft) assign_epoch(host.io(), leader_epoch, epoch_start_offset_);
    set_leadership(Role::kLeader, leader_epoch);
  }
  leader_id_ = options_.node_id;
  partition_epoch_ = partition_epoch;

  std::vector<Replica> known;
  known.swap(replicas_);
  for (int i = 0; i < replica_count; i += 1) {
    if (replicas[i] == options_.node_id) continue;
    Replica replica;
    replica.id = replicas[i];
    for (const Replica& old : known) {
      if (old.id == replica.id && !is_new) replica = old;
    }
    replicas_.push_back(replica);
  }
  set_isr(now_ms(host), isr, isr_count, is_new);
  settle_watermark(host);
  return true;
}

bool Partition::follow(PartitionHost& host, int32_t leader_epoch, int32_t leader_id) {
  if (is_retired_ || leader_epoch < this->leader_epoch()) {
    count_stale(host);
    return false;
  }
  set_leadership(Role::kFollower, leader_epoch);
  leader_id_ = leader_id;
  replicas_.clear();
  drop_staged(ErrorCode::kNotLeaderOrFollower, host);
  fail_all(&waiting_, ErrorCode::kNotLeaderOrFollower, host);
  changed(host, true);
  return true;
}

bool Partition::isr(PartitionHost& host, int32_t leader_epoch, int32_t partition_epoch,
                    const int32_t* isr, int isr_count) {
  if (is_retired_ || !is_leader() || leader_epoch != this->leader_epoch() ||
      partition_epoch < partition_epoch_) {
    count_stale(host);
    return false;
  }
  partition_epoch_ = partition_epoch;
  set_isr(now_ms(host), isr, isr_count, false);
  settle_watermark(host);
  return true;
}

void Partition::set_isr(int64_t now_ms, const int32_t* isr, int isr_count, bool is_new_leader) {
  self_in_isr_ = contains(isr, isr_count, options_.node_id);
  for (Replica& replica : replicas_) {
    const bool in_isr = contains(isr, isr_count, replica.id);
    if (in_isr && (is_new_leader || !replica.in_isr)) replica.caught_up_at_ms = now_ms;
    if (replica.in_isr != in_isr) replica.told_at_ms = kNever;
    replica.in_isr = in_isr;
  }
}

// After the set of replicas or a limit changed.
void Partition::settle_watermark(PartitionHost& host) {
  maybe_increment_high_watermark(now_ms(host));
  complete_waiting(host);
  // Too few are left to ever confirm what waits: say so now instead of at its deadline.
  if (is_leader() && isr_count() < effective_min_isr()) {
    fail_all(&waiting_, ErrorCode::kNotEnoughReplicasAfterAppend, host);
  }
  changed(host, true);
}

void Partition::configure(PartitionHost& host, const PartitionConfig& config) {
  options_.config = config;
  log_->configure(config.log);
  if (is_leader()) settle_watermark(host);
}

int32_t Partition::effective_min_isr() const {
  return std::min(options_.config.min_insync_replicas, static_cast<int32_t>(replicas_.size()) + 1);
}

int Partition::isr_count() const {
  int count = self_in_isr_ ? 1 : 0;
  for (const Replica& replica : replicas_) count += replica.in_isr ? 1 : 0;
  return count;
}

// --- watermarks

bool Partition::raise_high_watermark(int64_t to) {
  if (to <= high_watermark_.load(std::memory_order_relaxed)) return false;
  high_watermark_.store(to, std::memory_order_seq_cst);
  update_last_stable_offset();
  return true;
}

void Partition::update_last_stable_offset() {
  const int64_t high_watermark = high_watermark_.load(std::memory_order_relaxed);
  const int64_t unstable = producers_.first_unstable_offset();
  last_stable_offset_.store(unstable < 0 ? high_watermark : std::min(unstable, high_watermark),
                            std::memory_order_release);
}

bool Partition::maybe_increment_high_watermark(int64_t now_ms) {
  if (options_.is_raft || !is_leader() || isr_count() < effective_min_isr()) return false;
  const int64_t end = log_->log_end_offset();
  int64_t to = end;
  for (const Replica& replica : replicas_) {
    if (replica.log_end_offset >= to) continue;
    const bool is_joining = replica.log_end_offset == end ||
                            now_ms - replica.caught_up_at_ms <= options_.replica_lag_ms_max;
    if (replica.in_isr || is_joining) to = replica.log_end_offset;
  }
  return raise_high_watermark(to);
}

bool Partition::set_high_watermark(PartitionHost& host, int32_t leader_epoch,
                                   int64_t high_watermark) {
  if (is_retired_ || leader_epoch < this->leader_epoch()) {
    count_stale(host);
    return false;
  }
  if (!raise_high_watermark(std::min(high_watermark, log_->log_end_offset()))) return true;
  complete_waiting(host);
  changed(host, true);
  return true;
}

ErrorCode Partition::follower_fetched(const FetchQuery& query, PartitionHost& host) {
  if (!is_leader()) return ErrorCode::kNotLeaderOrFollower;
  Replica* replica = find_replica(query.replica_id);
  if (replica == nullptr) {
    return query.current_leader_epoch >= 0 ? ErrorCode::kUnknownLeaderEpoch
                                           : ErrorCode::kNotLeaderOrFollower;
  }
  // A fetch of the broker's previous life must not vouch for its present one (KIP-903).
  if (query.replica_epoch >= 0 && query.replica_epoch < replica->broker_epoch) {
    return ErrorCode::kNotLeaderOrFollower;
  }
  const int64_t now = now_ms(host);
  const int64_t end = log_->log_end_offset();
  const bool has_moved = replica->log_end_offset != query.offset;
  if (query.offset >= end) {
    replica->caught_up_at_ms = std::max(replica->caught_up_at_ms, now);
  } else if (replica->fetched_at_leader_end >= 0 &&
             query.offset >= replica->fetched_at_leader_end) {
    replica->caught_up_at_ms = std::max(replica->caught_up_at_ms, replica->fetched_at_ms);
  }
  replica->broker_epoch = query.replica_epoch;
  replica->log_end_offset = query.offset;
  replica->fetched_at_leader_end = std::max(end, replica->fetched_at_leader_end);
  replica->fetched_at_ms = now;

  if (!replica->in_isr && query.offset >= high_watermark() && query.offset >= epoch_start_offset_ &&
      now - replica->told_at_ms >= kTellAgainMs) {
    replica->told_at_ms = now;
    Fact caught_up;
    caught_up.kind = fact::kCaughtUp;
    caught_up.slot = options_.slot;
    caught_up.epoch = leader_epoch();
    caught_up.a = replica->id;
    host.fact(caught_up);
  }
  if (has_moved && maybe_increment_high_watermark(now)) {
    complete_waiting(host);
    changed(host, true);
  }
  return ErrorCode::kNone;
}

// --- readers

void Partition::fetch(Io& io, const FetchQuery& query, FetchResult* result) const {
  const int64_t leadership = leadership_.load(std::memory_order_acquire);
  const int32_t leader_epoch = static_cast<int32_t>(leadership >> 8);
  const bool is_leader = static_cast<Role>(leadership & 0xff) == Role::kLeader;
  const uint64_t generation = log_->generation();
  if (is_offline()) {
    result->error = ErrorCode::kKafkaStorageError;
    return;
  }
  if (query.current_leader_epoch >= 0 && query.current_leader_epoch != leader_epoch) {
    result->error = query.current_leader_epoch < leader_epoch ? ErrorCode::kFencedLeaderEpoch
                                                              : ErrorCode::kUnknownLeaderEpoch;
    return;
  }
  if (!is_leader) {
    result->error = ErrorCode::kNotLeaderOrFollower;
    return;
  }
  // The watermark before the end: whatever is shown lies below both.
  result->high_watermark = high_watermark();
  result->last_stable_offset = last_stable_offset();
  result->log_start_offset = log_->log_start_offset();
  const int64_t end = log_->log_end_offset();
  result->log_end_offset = end;

  if (query.last_fetched_epoch >= 0) {
    int64_t end_offset = -1;
    const int32_t epoch = epochs_.end_offset(query.last_fetched_epoch, end, &end_offset);
    if (epoch < 0 || end_offset < 0 || query.offset < result->log_start_offset) {
      result->error = ErrorCode::kOffsetOutOfRange;
      return;
    }
    if (epoch < query.last_fetched_epoch || end_offset < query.offset) {
      result->diverging_epoch = epoch;
      result->diverging_end_offset = end_offset;
      return;
    }
  }
  if (query.offset < result->log_start_offset || query.offset > end) {
    result->error = ErrorCode::kOffsetOutOfRange;
    return;
  }
  const int64_t limit = query.replica_id >= 0  ? end
                        : query.read_committed ? result->last_stable_offset
                                               : result->high_watermark;
  if (query.offset >= limit) return;
  const Status status =
      log_->read(io, query.offset, limit, query.bytes_max, query.at_least_one, &result->slice);
  if (!status.ok()) {
    result->error = status.code == Code::kOutOfRange ? ErrorCode::kOffsetOutOfRange
                                                     : ErrorCode::kKafkaStorageError;
  } else if (log_->generation() != generation) {
    result->slice = ReadSlice();
    result->error = ErrorCode::kNotLeaderOrFollower;
  }
}

void Partition::want_wake(int reactor) {
  interest_.fetch_or(uint32_t{1} << reactor, std::memory_order_seq_cst);
}

void Partition::run_wake(PartitionWork* work, PartitionHost& host) {
  const int32_t slot = work->slot;
  static_cast<Wake*>(work)->is_posted.store(false, std::memory_order_release);
  host.purgatory().wake(slot);
}

void Partition::wake_readers(PartitionHost& host) {
  if (interest_.load(std::memory_order_seq_cst) == 0) return;
  const uint32_t wanted = interest_.exchange(0, std::memory_order_seq_cst);
  for (int r = 0; r < options_.reactors; r += 1) {
    const uint32_t bit = uint32_t{1} << r;
    if ((wanted & bit) == 0) continue;
    if (r == host.reactor()) {
      host.purgatory().wake(options_.slot);
      continue;
    }
    Wake& wake = wakes_[static_cast<size_t>(r)];
    if (wake.is_posted.exchange(true, std::memory_order_acq_rel)) continue;
    if (host.post(r, &wake)) continue;
    wake.is_posted.store(false, std::memory_order_release);
    interest_.fetch_or(bit, std::memory_order_seq_cst);
    if (wake_timer_ == 0) {
      wake_timer_ = host.start_timer(host.now_us() + 1000, &Partition::retry_wake, this);
    }
  }
}

void Partition::retry_wake(void* partition, PartitionHost& host) {
  Partition* self = static_cast<Partition*>(partition);
  self->wake_timer_ = 0;
  self->wake_readers(host);
}

// Something readers or TypeScript see has changed.
void Partition::changed(PartitionHost& host, bool wakes) {
  if (wakes) wake_readers(host);
  const int64_t high_watermark = high_watermark_.load(std::memory_order_relaxed);
  if (options_.is_watched && high_watermark != told_high_watermark_) {
    told_high_watermark_ = high_watermark;
    Fact moved;
    moved.kind = fact::kHighWatermark;
    moved.slot = options_.slot;
    moved.epoch = leader_epoch();
    moved.a = static_cast<double>(high_watermark);
    host.fact(moved);
  }
  publish();
}

void Partition::publish() {
  if (options_.row == nullptr) return;
  row_.begin();
  row_.set(column::kLogStartOffset, static_cast<double>(log_->log_start_offset()));
  row_.set(column::kLogEndOffset, static_cast<double>(log_->log_end_offset()));
  row_.set(column::kHighWatermark, static_cast<double>(high_watermark()));
  row_.set(column::kLastStableOffset, static_cast<double>(last_stable_offset()));
  row_.set(column::kLeaderEpoch, leader_epoch());
  row_.set(column::kBytes, static_cast<double>(log_->bytes()));
  row_.set(column::kSegments, static_cast<double>(segments_));
  row_.set(column::kRecoveryPoint, static_cast<double>(log_->recovery_point()));
  row_.set(column::kIsLeader, is_leader() ? 1 : 0);
  row_.set(column::kIncarnation, static_cast<double>(options_.incarnation));
  row_.set(column::kIsOffline, is_offline() ? 1 : 0);
  row_.set(column::kProducers, producers_.count());
  row_.set(column::kBytesIn, static_cast<double>(bytes_in_));
  row_.set(column::kBytesOut, static_cast<double>(bytes_out_.load(std::memory_order_relaxed)));
  row_.set(column::kMessagesIn, static_cast<double>(messages_in_));
  row_.end();
}

}  // namespace ottla
