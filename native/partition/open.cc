// Partition: how it opens and closes: the log and what is remembered beside it. See partition.h.
// Kafka: UnifiedLog.rebuildProducerState, LogLoader, PartitionMetadataFile.
//
// Producer state is the newest readable snapshot and a replay of the batch headers after it. A
// snapshot is taken whenever a segment begins and when the log is closed cleanly, so after a clean
// stop nothing is replayed.
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "../gen/layout.h"
#include "../log/files.h"
#include "../log/producer_snapshot.h"
#include "partition.h"

namespace ottla {

namespace {

// Five batches of a mebibyte, as many as a producer may have in flight, and room for other
// producers between.
constexpr int64_t kReplayBytesMin = 16 << 20;

}  // namespace

Partition::Partition(PartitionOptions options) : options_(std::move(options)) {
  flush_.run = &Partition::flush_done;
  flush_.help = &Partition::help_flush;
  flush_.slot = options_.slot;
  flush_.home = options_.owner;
  flush_.disk = clean_.disk = closing_.disk = options_.disk;
  flush_.partition = this;
  clean_.run = &Partition::clean_done;
  clean_.help = &Partition::help_clean;
  clean_.slot = options_.slot;
  clean_.home = options_.owner;
  clean_.queue = DiskQueue::kClean;
  clean_.partition = this;
  if (options_.row != nullptr) row_ = SequencedRow(options_.row, kPartitionColumns);
}

Partition::~Partition() = default;

Status Partition::open(Io& io, PartitionOptions options, std::unique_ptr<Partition>* partition,
                       Log::Recovery* recovery) {
  std::unique_ptr<Partition> p(new Partition(std::move(options)));
  const PartitionOptions& o = p->options_;
  Log::Options log;
  log.directory =
      o.log_directory + "/" + (o.name.empty() ? partition_directory(o.topic, o.index) : o.name);
  log.config = o.config.log;
  log.clean_shutdown = o.is_clean_shutdown;
  log.gaps_allowed = o.config.is_compacted;
  log.recovery_point = o.recovery_point;
  log.log_start_offset = o.log_start_offset;
  log.quiescence = o.quiescence;
  log.files = o.files;
  log.tails = o.tails;
  log.preallocation_budget = o.preallocation_budget;
  log.unlinks_later = true;
  // Its machine counts what it finds as flushed (src/raft/epochs.ts).
  log.syncs_ends = o.is_raft;
  log.disk = o.disk;
  log.observer = {&Partition::replay_epoch, p.get()};
  p->directory_ = log.directory;
  // Who stopped cleanly has synced the directory's name too.
  FileInfo info;
  p->is_directory_synced_ = o.is_clean_shutdown && io.stat(log.directory, &info).ok();
  OTTLA_TRY(io.make_directory(log.directory));
  OTTLA_TRY(p->write_metadata(io));
  OTTLA_TRY(p->epochs_.load(io, log.directory));
  OTTLA_TRY(Log::open(io, log, &p->log_, recovery));
  OTTLA_TRY(p->recover(io, *recovery));
  *partition = std::move(p);
  return Status::good();
}

Status Partition::recover(Io& io, const Log::Recovery& recovery) {
  const int64_t end = log_->log_end_offset();
  if (epochs_.is_unknown()) OTTLA_TRY(rebuild_epochs(io));
  for (const Status& status :
       {epochs_.truncate_from_end(io, end),
        epochs_.truncate_from_start(io, log_->log_start_offset()), epochs_.create_file(io)}) {
    // No room to say so: the next flush does, before it counts for anything.
    if (status.code != Code::kNoSpace) OTTLA_TRY(status);
  }
  OTTLA_TRY(load_producers(io, recovery));
  if (recovery.indexes_rebuilt > 0) OTTLA_TRY(log_->sync_rebuilt(io, recovery.rebuilt_from));
  log_->on_roll(&Partition::on_roll, this);
  next_offset_ = end;
  high_watermark_.store(
      std::clamp(options_.high_watermark, log_->log_start_offset(), std::max(end, int64_t{0})),
      std::memory_order_seq_cst);
  told_high_watermark_ = high_watermark();
  if (end > log_->recovery_point()) unflushed_from_ms_ = io.now_us() / 1000;
  update_last_stable_offset();
  count_segments(io);
  publish();
  return Status::good();
}

// The topic id beside the log, before the first record (KIP-516).
Status Partition::write_metadata(Io& io) {
  if (std::all_of(options_.topic_id.begin(), options_.topic_id.end(),
                  [](uint8_t byte) { return byte == 0; })) {
    return Status::good();
  }
  const std::string path = directory_ + "/" + kPartitionMetadataFile;
  std::string text;
  const Status status = read_file(io, path, &text);
  if (status.code == Code::kNotFound) {
    return replace_file(io, path, format_partition_metadata(options_.topic_id.data()));
  }
  OTTLA_TRY(status);
  uint8_t topic_id[16];
  OTTLA_TRY(parse_partition_metadata(text, topic_id));
  return std::equal(topic_id, topic_id + 16, options_.topic_id.begin())
             ? Status::good()
             : Status::fail(Code::kInvalid, "partition.metadata names another topic id");
}

void Partition::replay_epoch(void* self, const RecordBatch& batch) {
  // Only in memory: the checkpoint is written when recovery has ended.
  Partition* p = static_cast<Partition*>(self);
  p->epochs_.observe(batch.leader_epoch(), batch.base_offset(), batch.last_offset());
  if (p->first_marker_ < 0 && batch.is_control() && batch.has_producer_id()) {
    p->first_marker_ = batch.base_offset();
  }
}

// Their file is missing or damaged: the batches know, those that were not replayed too.
Status Partition::rebuild_epochs(Io& io) {
  const int64_t start = log_->log_start_offset(), end = log_->log_end_offset();
  if (start >= end) return Status::good();
  const BatchVisitor observer{[](void* self, const RecordBatch& batch) {
                                static_cast<Partition*>(self)->epochs_.observe(
                                    batch.leader_epoch(), batch.base_offset(), batch.last_offset());
                              },
                              this};
  return scan_past_damage(io, start, end, observer);
}

void Partition::replay_producer(void* self, const RecordBatch& batch) {
  if (!batch.has_producer_id()) return;
  Partition* p = static_cast<Partition*>(self);
  const ProducerBatch b = producer_batch(batch);
  if (!b.is_marker) return p->producers_.replay(b);
  CompletedTransaction ended;
  if (!p->producers_.replay_marker(b, &ended)) return;
  // A segment that was replayed has lost its index; in the others the entry is there.
  const Status status = p->note_aborted(*p->replay_io_, ended);
  if (!status.ok()) p->replay_status_ = status;
}

// Every batch of the range, with the transactions that end in it.
Status Partition::replay_producers(Io& io, int64_t from, int64_t to) {
  replay_io_ = &io;
  replay_status_ = Status::good();
  const Status status = scan_past_damage(io, from, to, {&Partition::replay_producer, this});
  replay_io_ = nullptr;
  OTTLA_TRY(status);
  return replay_status_;
}

// A damaged header hides what follows in its segment, and nothing of the next one.
Status Partition::scan_past_damage(Io& io, int64_t from, int64_t to, BatchVisitor visitor) const {
  struct Seen {
    BatchVisitor visitor;
    int64_t up_to;
  } seen{visitor, from};
  const BatchVisitor noting{[](void* context, const RecordBatch& batch) {
                              Seen* seen = static_cast<Seen*>(context);
                              seen->up_to = batch.next_offset();
                              seen->visitor.visit(seen->visitor.context, batch);
                            },
                            &seen};
  std::vector<SegmentFacts> segments;
  for (;;) {
    const Status status = log_->scan(io, from, to, noting);
    if (status.code != Code::kCorrupt) return status;
    if (segments.empty()) log_->segments(io, &segments);
    seen.up_to = std::max(seen.up_to, from);
    const auto next = std::ranges::find_if(
        segments, [&](const SegmentFacts& each) { return each.base_offset > seen.up_to; });
    if (next == segments.end() || next->base_offset >= to) return Status::good();
    from = next->base_offset;
  }
}

// Where a replay after a kill begins at the latest. A snapshot keeps the last batch of each
// producer; its client may send the last five again, of which it saw no answer, and is told that
// they are duplicates only if all five were replayed. Kafka begins at the newest snapshot, and
// answers the older ones OUT_OF_ORDER_SEQUENCE_NUMBER.
int64_t Partition::producers_needed_from(Io& io) const {
  std::vector<SegmentFacts> facts;
  log_->segments(io, &facts);
  int64_t bytes = 0;
  for (size_t i = facts.size(); i > 0; i -= 1) {
    bytes += facts[i - 1].bytes;
    if (bytes >= kReplayBytesMin) return facts[i - 1].base_offset;
  }
  return log_->log_start_offset();
}

// False: there is none of that offset that can be read.
bool Partition::restore_producers(Io& io, int64_t snapshot) {
  std::vector<ProducerSnapshotEntry> entries;
  if (!read_producer_snapshot(io, directory_, snapshot, &entries).ok()) return false;
  for (const ProducerSnapshotEntry& e : entries) {
    ProducerEntry entry;
    entry.producer_id = e.producer_id;
    entry.producer_epoch = e.producer_epoch;
    entry.coordinator_epoch = e.coordinator_epoch;
    entry.last_timestamp = e.timestamp;
    entry.txn_first_offset = e.current_txn_first_offset;
    if (e.last_offset >= 0) {
      entry.batch_count = 1;
      entry.batches[0] = {e.last_offset, e.timestamp, e.last_sequence, e.offset_delta};
    }
    producers_.restore(entry);
  }
  return true;
}

// Whether what a replay from `from` on left open began with records that are there. What has ended
// may have lost its first batch, its marker too, to DeleteRecords or to compaction, which touches
// nothing that is open.
bool Partition::is_still_open(Io& io, int64_t from, const ProducerEntry& entry) const {
  const int64_t first = entry.txn_first_offset;
  if (first < log_start_offset()) {
    return from > log_start_offset() && !options_.config.is_compacted;
  }
  struct Look {
    int64_t producer_id, offset;
    bool is_there;
  } look{entry.producer_id, first, false};
  const BatchVisitor visitor{[](void* context, const RecordBatch& batch) {
                               Look* look = static_cast<Look*>(context);
                               const bool is_first = batch.base_offset() == look->offset &&
                                                     batch.producer_id() == look->producer_id;
                               look->is_there =
                                   look->is_there || (is_first && batch.records_count() > 0);
                             },
                             &look};
  const Status status = log_->scan(io, first, first + 1, visitor);
  return look.is_there || !status.ok();
}

// A snapshot may be older than what has gone since. What it says of a transaction holds until the
// log's end, so that a marker finds where it began; what no marker has ended by then begins with
// the first record that is left, or has ended.
Status Partition::forget_gone(Io& io, int64_t from) {
  using FirstOffsets = std::unordered_map<int64_t, int64_t>;  // by producer; -1: no record yet
  FirstOffsets left;
  const int64_t start = log_start_offset();
  int64_t begin = std::max(from, start);
  for (const ProducerEntry& entry : producers_.entries()) {
    if (entry.txn_first_offset < 0 || is_still_open(io, from, entry)) continue;
    left[entry.producer_id] = -1;
    if (entry.txn_first_offset < start) begin = start;
  }
  if (left.empty()) return Status::good();
  const BatchVisitor visitor{
      [](void* context, const RecordBatch& batch) {
        FirstOffsets& left = *static_cast<FirstOffsets*>(context);
        const auto found = left.find(batch.producer_id());
        if (found == left.end()) return;
        if (batch.is_control()) {
          found->second = -1;
        } else if (found->second < 0 && batch.is_transactional() && batch.records_count() > 0) {
          found->second = batch.base_offset();
        }
      },
      &left};
  OTTLA_TRY(scan_past_damage(io, begin, log_end_offset(), visitor));
  for (const auto& [producer_id, first] : left) {
    ProducerEntry entry = *producers_.find(producer_id);
    entry.txn_first_offset = first;
    producers_.restore(entry);
  }
  return Status::good();
}

// After a cut, on the reactor: from a snapshot that a segment began with and that the cut left. The
// first segment's is not asked: one of its name may be from before the log began anew there.
Status Partition::reload_producers(Io& io) {
  producers_.clear();
  std::vector<SegmentFacts> facts;
  log_->segments(io, &facts);
  const int64_t newest = producers_needed_from(io);
  int64_t from = log_start_offset();
  for (size_t i = facts.size(); i > 1; i -= 1) {
    const int64_t base = facts[i - 1].base_offset;
    if (base > newest) continue;
    if (base <= from) break;
    if (!restore_producers(io, base)) continue;
    from = base;
    break;
  }
  unreplicated_.clear();
  unindexed_.clear();
  OTTLA_TRY(replay_producers(io, from, log_end_offset()));
  return forget_gone(io, from);
}

Status Partition::load_producers(Io& io, const Log::Recovery& recovery) {
  const int64_t end = log_->log_end_offset();
  int64_t from = log_->log_start_offset();
  const auto& snapshots = recovery.producer_snapshots;
  // A log that was cut is not what a clean stop left, and its snapshot has gone with the end.
  const bool is_as_left = options_.is_clean_shutdown && recovery.segments_recovered == 0;
  // Transaction indexes of replayed segments are made anew, from their first marker on.
  const int64_t needed = is_as_left ? end : producers_needed_from(io);
  const int64_t newest = first_marker_ < 0 ? needed : std::min(needed, first_marker_);
  for (size_t i = snapshots.size(); i > 0; i -= 1) {
    if (snapshots[i - 1] > newest || !restore_producers(io, snapshots[i - 1])) continue;
    from = snapshots[i - 1];
    break;
  }
  // A clean stop leaves a snapshot at the end, unless nobody ever had state to save.
  if (snapshots.empty() && is_as_left) from = end;
  if (from < end) {
    OTTLA_TRY(replay_producers(io, from, end));
  }
  if (!is_as_left || from < end) OTTLA_TRY(forget_gone(io, from));
  expired_at_ms_ = io.now_us() / 1000;  // the idle get their time again
  return Status::good();
}

Status Partition::save_producers(Io& io, int64_t end_offset, bool is_synced) {
  std::vector<ProducerEntry> rows;
  producers_.collect(end_offset, &rows);
  std::vector<ProducerSnapshotEntry> entries;
  for (const ProducerEntry& row : rows) {
    ProducerSnapshotEntry e;
    e.producer_id = row.producer_id;
    e.producer_epoch = row.producer_epoch;
    e.last_sequence = row.last_sequence();
    e.last_offset = row.batch_count == 0 ? -1 : row.last()->last_offset;
    e.offset_delta = row.batch_count == 0 ? 0 : row.last()->offset_delta;
    e.timestamp = row.last_timestamp;
    e.coordinator_epoch = row.coordinator_epoch;
    e.current_txn_first_offset = row.txn_first_offset;
    entries.push_back(e);
  }
  return write_producer_snapshot(io, directory_, end_offset, entries,
                                 is_synced && !entries.empty());
}

void Partition::on_roll(void* self, int64_t base_offset) {
  Partition* p = static_cast<Partition*>(self);
  p->segments_ += 1;
  p->sync_idly_to_ = base_offset;  // Kafka: UnifiedLog.roll schedules it
  // Losing a snapshot costs a longer replay, never a record: its failure is not the append's.
  if (p->host_ == nullptr || !p->save_producers(p->host_->io(), base_offset, false).ok()) return;
  p->rolled_snapshots_.push_back(segment_path(p->directory_, base_offset, kSnapshotSuffix));
}

void Partition::count_segments(Io& io) {
  std::vector<SegmentFacts> facts;
  log_->segments(io, &facts);
  segments_ = static_cast<int64_t>(facts.size());
}

void Partition::assign_epoch(Io& io, int32_t leader_epoch, int64_t start_offset) {
  // The checkpoint can be rebuilt from the batches; what counts here is the list in memory.
  if (leader_epoch >= 0) (void)epochs_.assign(io, leader_epoch, start_offset);
}

void Partition::retire(PartitionHost& host, bool is_deleted, bool is_clean) {
  if (is_retired_) return;
  is_retired_ = true;
  is_deleted_ = is_deleted;
  is_clean_ = is_clean;
  set_leadership(Role::kNone, leader_epoch());
  abort_cleaning(host);
  drop_staged(ErrorCode::kNotLeaderOrFollower, host);
  fail_all(&unrecoded_, ErrorCode::kNotLeaderOrFollower, host);
  if (recode_timer_ != 0) host.cancel_timer(std::exchange(recode_timer_, 0));
  fail_all(&parked_, ErrorCode::kNotLeaderOrFollower, host);
  fail_all(&waiting_, ErrorCode::kNotLeaderOrFollower, host);
  changed(host, Wakes::kAll);
  if (options_.row != nullptr) {
    row_.begin();
    for (size_t c = 1; c < kPartitionColumns; c += 1) row_.set(c, 0);
    row_.end();
    options_.row = nullptr;  // the slot may be given to another now
  }
  if (!is_busy()) put_away(host);  // else when the write and the sync have ended
}

void Partition::put_away(PartitionHost& host) {
  // The files of a failed directory stay as they are; the next start finds what the metadata says.
  if (is_offline() || !(is_deleted_ || is_clean_)) {
    fail_all(&syncing_, ErrorCode::kNotLeaderOrFollower, host);
    fail_flushes(ErrorCode::kUnknownTopicOrPartition, host);
    end_status_ = log_->close(host.io(), false);
    return;
  }
  is_putting_away_ = true;
  closing_.queue = DiskQueue::kClose;
  closing_.help = &Partition::help_close;
  closing_.run = &Partition::close_done;
  closing_.slot = options_.slot;
  closing_.home = options_.owner;
  closing_.partition = this;
  host.lend(&closing_);
}

// The owner waits for it and touches nothing meanwhile.
void Partition::help_close(DiskWork* work, Io& io) {
  Partition* self = static_cast<Closing*>(work)->partition;
  work->status = self->is_deleted_ ? self->log_->remove(io) : self->close_cleanly(io);
}

Status Partition::close_cleanly(Io& io) {
  // Nothing is replayed after a clean stop: what is not in there is forgotten. Nobody need not
  // last.
  Status status = save_producers(io, log_end_offset(), true);
  if (status.ok()) status = sync(io);
  const Status closed = log_->close(io, status.ok());
  return status.ok() ? closed : status;
}

void Partition::close_done(PartitionWork* work, PartitionHost& host) {
  Partition* self = static_cast<Closing*>(work)->partition;
  self->is_putting_away_ = false;
  const Status& status = self->closing_.status;
  self->end_status_ = status;
  if (self->is_deleted_) {
    host.unlink_later(self->options_.disk, self->log_->take_doomed(),
                      self->unlink_delay(self->options_.config.directory_delete_delay_ms));
  } else if (status.ok()) {
    self->answer_synced(host);
  } else if (status.code != Code::kNoSpace) {
    // Else a start would trust what a failed sync has lost.
    host.directory_failed(self->options_.log_directory, status.error);
  }
  self->fail_all(&self->syncing_, ErrorCode::kNotLeaderOrFollower, host);
  self->fail_flushes(ErrorCode::kUnknownTopicOrPartition, host);
}

// Segments that are gone.
void Partition::unlink_doomed(PartitionHost& host) {
  std::vector<std::string> doomed = log_->take_doomed();
  if (doomed.empty()) return;
  host.unlink_later(options_.disk, std::move(doomed),
                    unlink_delay(options_.config.file_delete_delay_ms));
}

// A disk that is short of room wants its blocks back.
int64_t Partition::unlink_delay(int64_t configured_ms) const {
  const bool is_short =
      options_.room != nullptr && options_.room->is_short.load(std::memory_order_relaxed);
  return is_short ? 0 : configured_ms;
}

}  // namespace ottla
