// Partition: roles, replicas and watermarks. Appending is in append.cc, opening in open.cc. See
// partition.h.
//
// Non-obvious: the high watermark does not move while the ISR is smaller than min.insync.replicas
// (Kafka 4), and it waits for a replica outside the ISR that has caught up, because that one is
// about to be let in; a follower that has not fetched from this leader counts as being at -1.
#include "partition.h"

#include <algorithm>
#include <bit>

#include "../base/assert.h"
#include "../gen/errors.h"
#include "../gen/layout.h"

namespace ottla {

namespace {

void count_stale(PartitionHost& host) {
  CounterRow(host.counters(), kCounterColumns).add(counter::kStaleCommands, 1);
}

bool contains(const int32_t* ids, int count, int32_t id) {
  return std::find(ids, ids + count, id) != ids + count;
}

}  // namespace

bool Partition::is_quiet() const { return !is_busy() && !is_recoding_; }

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
  const bool is_new = leader_epoch > this->leader_epoch();
  if (is_retired_ || leader_epoch < this->leader_epoch() ||
      (!is_new && partition_epoch < partition_epoch_)) {
    count_stale(host);
    return false;
  }
  std::vector<Replica> known;
  known.swap(replicas_);
  if (is_new && !is_leader()) known.clear();
  for (int i = 0; i < replica_count; i += 1) {
    if (replicas[i] == options_.node_id) continue;
    Replica replica;
    replica.id = replicas[i];
    for (const Replica& old : known) {
      if (old.id == replica.id) replica = old;
    }
    replicas_.push_back(replica);
  }
  if (!is_leader()) drop_staged(ErrorCode::kNotLeaderOrFollower, host);
  if (is_new) {
    // What is staged but not being written yet gets the new epoch; it starts with the first of
    // them.
    epoch_start_offset_ = next_offset_;
    for (AppendBatch& batch : staged_batches_) {
      epoch_start_offset_ = std::min(epoch_start_offset_, batch.base_offset);
      batch.leader_epoch = leader_epoch;
      set_leader_epoch(const_cast<uint8_t*>(batch.bytes), leader_epoch);
    }
    if (!options_.is_raft) assign_epoch(host.io(), leader_epoch, epoch_start_offset_);
  }
  leader_id_.store(options_.node_id, std::memory_order_release);
  set_leadership(Role::kLeader, leader_epoch);
  partition_epoch_ = partition_epoch;
  set_isr(isr, isr_count);
  settle_watermark(host);
  return true;
}

bool Partition::follow(PartitionHost& host, int32_t leader_epoch, int32_t leader_id) {
  if (is_retired_ || leader_epoch < this->leader_epoch()) {
    count_stale(host);
    return false;
  }
  set_leadership(Role::kFollower, leader_epoch);
  leader_id_.store(leader_id, std::memory_order_release);
  partition_epoch_ = -1;
  replicas_.clear();
  isr_count_ = 0;
  drop_staged(ErrorCode::kNotLeaderOrFollower, host);
  fail_all(&unrecoded_, ErrorCode::kNotLeaderOrFollower, host);
  fail_all(&parked_, ErrorCode::kNotLeaderOrFollower, host);
  unverified_.clear();
  fail_all(&waiting_, ErrorCode::kNotLeaderOrFollower, host);
  changed(host, Wakes::kAll);
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
  set_isr(isr, isr_count);
  settle_watermark(host);
  return true;
}

void Partition::set_isr(const int32_t* isr, int isr_count) {
  isr_count_ = 0;
  for (int i = 0; i < isr_count; i += 1) isr_count_ += contains(isr, i, isr[i]) ? 0 : 1;
  for (Replica& replica : replicas_) {
    replica.in_isr = contains(isr, isr_count, replica.id);
    replica.is_joining = false;
  }
}

// After the set of replicas or a limit changed.
void Partition::settle_watermark(PartitionHost& host) {
  maybe_increment_high_watermark();
  changed(host, Wakes::kAll);
  complete_waiting(host);
  // Too few are left to ever confirm what waits: say so now instead of at its deadline.
  if (is_leader() && is_under_min_isr()) {
    fail_all(&waiting_, ErrorCode::kNotEnoughReplicasAfterAppend, host);
  }
}

void Partition::configure(PartitionHost& host, const PartitionConfig& config) {
  options_.config = config;
  log_->configure(config.log);
  if (is_leader()) settle_watermark(host);
}

int32_t Partition::effective_min_isr() const {
  return std::min(options_.config.min_insync_replicas, static_cast<int32_t>(replicas_.size()) + 1);
}

// --- watermarks

bool Partition::raise_high_watermark(int64_t to) {
  if (to <= high_watermark_.load(std::memory_order_relaxed)) return false;
  high_watermark_.store(to, std::memory_order_seq_cst);
  update_last_stable_offset();
  return true;
}

bool Partition::maybe_increment_high_watermark() {
  if (options_.is_raft || !is_leader() || is_under_min_isr()) return false;
  int64_t to = log_->log_end_offset();
  // What is not yet as durable as flush.messages asks is not shown.
  if (const ProduceOp* first = syncing_.front()) to = std::min(to, first->base_offset);
  for (const Replica& replica : replicas_) {
    if (replica.in_isr || replica.is_joining) to = std::min(to, replica.log_end_offset);
  }
  return raise_high_watermark(to);
}

bool Partition::set_high_watermark(PartitionHost& host, int32_t leader_epoch,
                                   int64_t high_watermark) {
  if (is_retired_ || !options_.is_raft || leader_epoch < this->leader_epoch()) {
    count_stale(host);
    return false;
  }
  if (!raise_high_watermark(std::min(high_watermark, log_->log_end_offset()))) return true;
  changed(host, Wakes::kAll);
  complete_waiting(host);
  return true;
}

ErrorCode Partition::follower_fetched(const FetchQuery& query, bool counts, PartitionHost& host) {
  if (!is_leader()) return ErrorCode::kNotLeaderOrFollower;
  // It was read on another reactor: the epoch may have ended on the way, and with it what the
  // follower's offset says of our log.
  if (query.current_leader_epoch >= 0 && query.current_leader_epoch != leader_epoch()) {
    return query.current_leader_epoch < leader_epoch() ? ErrorCode::kFencedLeaderEpoch
                                                       : ErrorCode::kUnknownLeaderEpoch;
  }
  Replica* replica = find_replica(query.replica_id);
  if (replica == nullptr) {
    return query.current_leader_epoch >= 0 ? ErrorCode::kUnknownLeaderEpoch
                                           : ErrorCode::kNotLeaderOrFollower;
  }
  // A fetch of the broker's previous life must not vouch for its present one (KIP-903).
  if (query.replica_epoch != -1 && query.replica_epoch < replica->broker_epoch) {
    return ErrorCode::kNotLeaderOrFollower;
  }
  if (!counts) return ErrorCode::kNone;
  replica->broker_epoch = std::max(replica->broker_epoch, query.replica_epoch);
  replica->log_end_offset = query.offset;
  if (!replica->in_isr && !replica->is_joining && query.offset >= high_watermark() &&
      query.offset >= epoch_start_offset_) {
    replica->is_joining = true;
    Fact caught_up;
    caught_up.kind = fact::kCaughtUp;
    caught_up.slot = options_.slot;
    caught_up.epoch = leader_epoch();
    caught_up.a = replica->id;
    host.fact(caught_up);
  }
  if (maybe_increment_high_watermark()) {
    changed(host, Wakes::kAll);
    complete_waiting(host);
  }
  return ErrorCode::kNone;
}

// --- readers

void Partition::fetch(Io& io, const FetchQuery& query, FetchResult* result) const {
  result->version = version();
  const int64_t leadership = leadership_.load(std::memory_order_acquire);
  const int32_t leader_epoch = static_cast<int32_t>(leadership >> 8);
  const bool is_leader = static_cast<Role>(leadership & 0xff) == Role::kLeader;
  const uint64_t generation = log_->generation();
  ErrorCode error = ErrorCode::kNone;
  if (is_offline()) {
    error = ErrorCode::kKafkaStorageError;
  } else if (query.current_leader_epoch >= 0 && query.current_leader_epoch != leader_epoch) {
    error = query.current_leader_epoch < leader_epoch ? ErrorCode::kFencedLeaderEpoch
                                                      : ErrorCode::kUnknownLeaderEpoch;
  } else if (query.needs_leader && !is_leader) {
    error = ErrorCode::kNotLeaderOrFollower;
  } else {
    error = read(io, query, result);
    if (log_->generation() != generation) error = ErrorCode::kNotLeaderOrFollower;
  }
  if (error == ErrorCode::kNone) return;
  const int disk_error = result->disk_error;
  *result = FetchResult();
  result->error = error;
  result->disk_error = disk_error;
}

ErrorCode Partition::read(Io& io, const FetchQuery& query, FetchResult* result) const {
  // The watermark before the end: whatever is shown lies below both.
  result->high_watermark = high_watermark();
  result->last_stable_offset = last_stable_offset();
  result->log_start_offset = log_->log_start_offset();
  const int64_t end = log_->log_end_offset();
  result->log_end_offset = end;

  if (query.last_fetched_epoch >= 0) {
    int64_t end_offset = -1;
    const int32_t epoch = epochs_.end_offset(query.last_fetched_epoch, end, &end_offset);
    if (epoch < 0 || query.offset < result->log_start_offset) return ErrorCode::kOffsetOutOfRange;
    if (epoch < query.last_fetched_epoch || end_offset < query.offset) {
      result->diverging_epoch = epoch;
      result->diverging_end_offset = end_offset;
      return ErrorCode::kNone;
    }
  }
  if (query.offset < result->log_start_offset || query.offset > end) {
    return ErrorCode::kOffsetOutOfRange;
  }
  const int64_t bound = query.replica_id >= 0  ? end
                        : query.read_committed ? result->last_stable_offset
                                               : result->high_watermark;
  if (query.offset >= bound) return ErrorCode::kNone;
  result->has_data = true;
  result->is_behind = is_in_older_segment(io, query.offset, bound);
  if (query.bytes_max == 0 && !query.at_least_one) return ErrorCode::kNone;
  const Status status = log_->read(io, query.offset, bound, query.bytes_max, query.at_least_one,
                                   &result->slice, query.replica_id < 0);
  result->is_cold = status.code == Code::kWouldBlock;
  if (result->is_cold) {  // whoever does without it is in no hurry, and gets none of it
    result->is_behind = false;
    result->slice = ReadSlice();
  }
  if (status.ok() || result->is_cold) return ErrorCode::kNone;
  if (status.code == Code::kIo) result->disk_error = status.error;
  if (status.code == Code::kCorrupt) return ErrorCode::kCorruptMessage;
  return status.code == Code::kOutOfRange ? ErrorCode::kOffsetOutOfRange
                                          : ErrorCode::kKafkaStorageError;
}

// A bound where a segment begins is the end of the one before: a roll alone brings nothing to read.
// Kafka keeps in which segment a watermark was. (DelayedFetch.tryComplete)
bool Partition::is_in_older_segment(Io& io, int64_t offset, int64_t bound) const {
  const int64_t active = log_->active_base_offset();
  if (offset >= active) return false;
  if (bound > active) return true;
  // Both are in rolled segments: a watermark that lags far behind. Rare enough for the long way.
  std::vector<SegmentFacts> segments;
  log_->segments(io, &segments);
  for (const SegmentFacts& segment : segments) {
    if (offset < segment.base_offset && segment.base_offset < bound) return true;
  }
  return false;
}

void Partition::want_wake(int reactor, bool ends) {
  const int bit = ends ? reactor + kReactorsMax : reactor;
  interest_.fetch_or(uint64_t{1} << bit, std::memory_order_seq_cst);
}

void Partition::wake_readers(PartitionHost& host, Wakes wakes) {
  constexpr uint64_t kConsumers = (uint64_t{1} << kReactorsMax) - 1;
  uint64_t wanted = 0;
  // Not a load: it could be answered before our stores of the log end and the version are seen,
  // while the reader asks and finds nothing new. Exchanges of one cell have one order: this sees
  // the wish, or the reader, who looks again after wishing, sees the stores.
  if (wakes == Wakes::kAll) {
    version_.store(version_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    wanted = interest_.exchange(0, std::memory_order_seq_cst);
    wanted |= wanted >> kReactorsMax;
  } else {
    wanted = interest_.fetch_and(kConsumers, std::memory_order_seq_cst) >> kReactorsMax;
  }
  for (uint64_t bits = wanted & kConsumers; bits != 0; bits &= bits - 1) {
    const int reactor = std::countr_zero(bits);
    if (reactor == host.reactor()) {
      host.purgatory().wake(options_.slot);
    } else {
      host.signal(reactor, options_.slot);
    }
  }
}

// Something readers or TypeScript see has changed. Called before whoever caused it is answered: its
// next fetch may be on another reactor, and must find it.
void Partition::changed(PartitionHost& host, Wakes wakes) {
  if (wakes != Wakes::kNobody) wake_readers(host, wakes);
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
