// Partition: one replica of one topic partition: who leads it, how far it is written, how far it
// may be shown. Kafka: Partition, Replica, UnifiedLog (its upper half). KIP-101 epochs, KIP-320
// fencing, KIP-903 broker epochs.
//
// One writer: the reactor that owns it calls everything but what is marked "any thread". What
// readers need is published with release stores: leadership, high watermark, last stable offset;
// the log publishes its own.
//
//            lead(e)                 follow(e) / lead(e+1): waiting produces fail, readers are
//            woken
//   none ──────────────► leader ◄──────────────► follower          any ── write failed ──► offline
//   (for good)
//
// Append is submit → completion. A client's batch is admitted (checked, given offsets, patched in
// place) when it arrives; end_turn() writes everything admitted with one gathered append;
// completion moves the watermark and answers. While a write is in flight, later batches are staged
// behind it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../base/counters.h"
#include "../base/intrusive_list.h"
#include "../gen/errors.h"
#include "../log/cleaner.h"
#include "../log/log.h"
#include "admission.h"
#include "epochs.h"
#include "host.h"
#include "producers.h"
#include "purgatory.h"

namespace ottla {

using gen::ErrorCode;

// Bytes of recompressed batches that all partitions together may have in memory.
constexpr int64_t kRecodingBudget = 64 << 20;

// plane.ts PartitionConfig.
struct PartitionConfig {
  LogConfig log;
  int64_t message_bytes_max = 1048588;
  int32_t min_insync_replicas = 1;
  bool is_compacted = false;
  bool is_log_append_time = false;
  int64_t timestamp_before_max_ms = INT64_MAX;
  int64_t timestamp_after_max_ms = 3600000;
  int64_t flush_messages = INT64_MAX;
  int64_t flush_ms = INT64_MAX;
  int64_t producer_expiration_ms = -1;    // -1: as the partition's options say
  int64_t file_delete_delay_ms = 0;       // of segments that are gone
  int64_t directory_delete_delay_ms = 0;  // of a deleted partition
  Recompression recompression;            // compression.type and its level
};

// plane.ts DirectoryLimits: what all partitions of a log directory may still take. Any thread.
struct DirectoryRoom {
  std::atomic<int64_t> client_bytes{INT64_MAX};  // of batches of clients; INT64_MAX: no limit
  std::atomic<bool> is_short{false};
};

struct PartitionOptions {
  int32_t slot = -1;
  int64_t incarnation = 0;
  int32_t node_id = 0;
  int owner = 0;     // the reactor that writes it
  int reactors = 1;  // at most kReactorsMax
  std::string log_directory;
  int32_t disk = 0;  // its number among those of the plane: whose helpers wait for it
  std::string name;  // of its directory in there; empty: <topic>-<partition>
  std::string topic;
  std::array<uint8_t, 16> topic_id{};
  int32_t index = 0;
  PartitionConfig config;
  bool is_clean_shutdown = false;
  int64_t recovery_point = 0;
  int64_t log_start_offset = 0;
  int64_t high_watermark = 0;
  bool is_watched = false;
  bool is_raft = false;
  bool open_compressed = false;  // ottla.produce.validate=full
  int64_t producer_expiration_ms = 24LL * 3600 * 1000;
  int64_t producer_expiration_check_ms = 60 * 1000;
  Quiescence* quiescence = nullptr;
  FileCache* files = nullptr;
  TailPool* tails = nullptr;  // the owner's; null: none
  std::atomic<int64_t>* preallocation_budget = nullptr;
  std::atomic<int64_t>* recoding_budget = nullptr;  // bytes; null: no limit
  DirectoryRoom* room = nullptr;                    // null: no limit
  Codecs* codecs = nullptr;                         // the owner's; null: made when needed
  double* row = nullptr;  // this slot's row of the shared table; null: not published
};

// One partition's part of a Produce, or of the append verb. The caller's memory, until `done`.
struct ProduceOp {
  // What is asked.
  uint8_t* records =
      nullptr;  // produce: one batch, see only_batch(). Patched in place; stays until done
  int32_t records_bytes = 0;
  int16_t acks = 1;           // 0, 1, -1
  int32_t leader_epoch = -1;  // append: refused when it is not ours
  int64_t deadline_us = 0;    // acks=-1: REQUEST_TIMED_OUT from then on
  void (*done)(ProduceOp* op, PartitionHost& host) = nullptr;
  // May be null. Once, when `records` are in the log and `done` is not near: they need not stay.
  void (*written)(ProduceOp* op, PartitionHost& host) = nullptr;
  void* context = nullptr;
  // produce: of the request, with its version; a transactional batch is admitted for it.
  std::string_view transactional_id;
  int16_t api_version = 0;
  // What came of it.
  Refusal refusal;  // kNone: appended
  int64_t base_offset = -1;
  int64_t last_offset = -1;
  int64_t log_append_time = -1;
  int64_t log_start_offset = -1;
  // The partition's while it has the op.
  Partition* partition = nullptr;
  bool is_judged = false;   // it was held against the topic's rules, as `judgement` says
  bool is_doubted = false;  // its producer's transaction has ended since it was admitted
  Refusal judgement;
  std::vector<uint8_t> recoded;  // `records` in the topic's codec, until they are written
  int64_t synced_to = 0;         // the recovery point that it waits for
  uint64_t timer = 0;
  ListLink link;
};
using ProduceOps = IntrusiveList<ProduceOp, &ProduceOp::link>;

// One flush verb. The caller's memory, until `done`.
struct FlushOp {
  void (*done)(FlushOp* op, ErrorCode error, PartitionHost& host) = nullptr;
  void* context = nullptr;
  int64_t recovery_point = -1;  // what came of it
  int64_t up_to = 0;            // the partition's: everything admitted before it
  ListLink link;
};
using FlushOps = IntrusiveList<FlushOp, &FlushOp::link>;

// One clean verb. The caller's memory, until `done`.
struct CleanOp {
  CleanRequest request;  // the partition fills in times, the stable offset and the producers
  int64_t bytes_per_second = 0;  // 0: as fast as it goes
  void (*done)(CleanOp* op, ErrorCode error, PartitionHost& host) = nullptr;
  void* context = nullptr;
  CleanStats stats;  // what came of it
};

// What a Fetch asks of one partition, and what comes back but the bytes.
struct FetchQuery {
  int64_t offset = 0;
  int32_t current_leader_epoch = -1;  // -1: not checked
  int32_t last_fetched_epoch = -1;    // -1: divergence is not checked
  int64_t bytes_max = 0;
  bool at_least_one = false;
  bool read_committed = false;
  bool needs_leader = true;    // followers, and consumers before KIP-392
  int32_t replica_id = -1;     // a follower: reads up to the log end
  int64_t replica_epoch = -1;  // its broker epoch
};
struct FetchResult {
  ErrorCode error = ErrorCode::kNone;
  int64_t high_watermark = -1;
  int64_t last_stable_offset = -1;
  int64_t log_start_offset = -1;
  int64_t log_end_offset = -1;   // when it was read
  uint64_t version = 0;          // the partition's, before it was read
  int32_t diverging_epoch = -1;  // with diverging_end_offset; -1: does not diverge
  int64_t diverging_end_offset = -1;
  int disk_error = 0;      // errno, where the disk failed the read
  bool has_data = false;   // its offset lies below its bound, whatever the limits let through
  bool is_behind = false;  // its offset lies in an older segment than its bound
  bool is_cold = false;    // it would have had to wait for a disk (io/cold.h): read again later
  ReadSlice slice;
};

class Partition {
 public:
  static constexpr int kReactorsMax = 32;
  static constexpr int kReplicasMax = 64;

  // Opens or creates, on any one thread; afterwards the owner's.
  static Status open(Io& io, PartitionOptions options, std::unique_ptr<Partition>* partition,
                     Log::Recovery* recovery);
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;
  ~Partition();  // when is_quiet()

  // --- verbs. false: stale, nothing was done; the caller counts it
  bool lead(PartitionHost& host, int32_t leader_epoch, int32_t partition_epoch,
            const int32_t* replicas, int replica_count, const int32_t* isr, int isr_count);
  bool follow(PartitionHost& host, int32_t leader_epoch, int32_t leader_id);
  bool isr(PartitionHost& host, int32_t leader_epoch, int32_t partition_epoch, const int32_t* isr,
           int isr_count);
  bool set_high_watermark(PartitionHost& host, int32_t leader_epoch, int64_t high_watermark);
  void configure(PartitionHost& host, const PartitionConfig& config);
  // Its directory failed: whatever waits is answered, and its files are not touched any more.
  void take_offline(PartitionHost& host);
  // --- verbs with an answer: a Kafka error code
  ErrorCode trim(PartitionHost& host, int64_t log_start_offset);
  ErrorCode retain(PartitionHost& host, int64_t retention_ms, int64_t retention_bytes,
                   Retained* retained);
  ErrorCode truncate(PartitionHost& host, int32_t leader_epoch, int64_t offset);
  // A copy of another log begins again, empty, where that one has its first batch.
  ErrorCode begin_at(PartitionHost& host, int64_t offset);
  // Syncs what was admitted before it; `done` comes exactly once, later or, when offline, inline.
  void flush(FlushOp* op, PartitionHost& host);
  // What there is to compact, and compacting it; `done` comes exactly once, inline or later. One at
  // a time; it ends early (OPERATION_NOT_ATTEMPTED) when the partition is cut, trimmed or retired.
  Cleanable cleanable(PartitionHost& host, int64_t first_dirty_offset, int64_t min_lag_ms) const;
  void clean(CleanOp* op, PartitionHost& host);
  ErrorCode look_up(PartitionHost& host, int32_t kind, int64_t argument, int64_t* a, int64_t* b,
                    int64_t* c);
  // Rows of 48 bytes, as plane.ts says.
  void dump_producers(std::vector<uint8_t>* rows) const;
  // Ends everything that waits, then closes or deletes the log. The object stays until is_quiet().
  // A clean close waits for disks: a helper does it.
  void retire(PartitionHost& host, bool is_deleted, bool is_clean);
  // No message or write of it is under way in any reactor.
  bool is_quiet() const;
  // Once it is quiet: whether it was left as was asked.
  const Status& end_status() const { return end_status_; }

  // --- appends; `done` comes exactly once, inline or later
  void produce(ProduceOp* op, PartitionHost& host);
  // Our own batches. Leader: offsets are assigned. Follower and raft: offsets and epochs are kept.
  void append(ProduceOp* op, PartitionHost& host);
  // One transaction's end: a control batch of ours, answered like a produce with acks=-1.
  void mark(ProduceOp* op, int32_t transaction_version, PartitionHost& host);
  // The answer to an admission that was asked for: parked batches go on, or end with the error.
  void admit(double ask, ErrorCode error, PartitionHost& host);
  // Writes what was admitted. Called by the reactor for touched partitions.
  void end_turn(PartitionHost& host);
  // Every second or so: expiry of producers, memory of old snapshots.
  void maintain(PartitionHost& host);
  // At a pace of its own: flush.ms.
  void flush_when_due(PartitionHost& host);

  // --- reads, any thread
  // Checks the epoch and reads. What a follower's fetch means to its leader is
  // follower_fetched()'s.
  void fetch(Io& io, const FetchQuery& query, FetchResult* result) const;
  // Asks for FetchPurgatory::wake(slot) on `reactor` after the next change of what consumers see,
  // with `ends` also of the log end alone. Look again after asking: at version(), and at the end.
  void want_wake(int reactor, bool ends);
  // Moves with everything a read depends on but the log end; read it before the rest.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  // --- reads, owner: may this replica fetch, and if `counts`: it has everything below
  // query.offset. Comes after the read. kNone, or the error to answer instead.
  ErrorCode follower_fetched(const FetchQuery& query, bool counts, PartitionHost& host);

  // --- any thread
  int32_t slot() const { return options_.slot; }
  int owner() const { return options_.owner; }
  int64_t incarnation() const { return options_.incarnation; }
  const PartitionOptions& options() const { return options_; }
  bool is_leader() const { return role() == Role::kLeader; }
  bool is_offline() const { return is_offline_.load(std::memory_order_acquire); }
  int32_t leader_epoch() const {
    return static_cast<int32_t>(leadership_.load(std::memory_order_acquire) >> 8);
  }
  int32_t leader_id() const { return leader_id_.load(std::memory_order_acquire); }
  int64_t high_watermark() const { return high_watermark_.load(std::memory_order_seq_cst); }
  int64_t last_stable_offset() const { return last_stable_offset_.load(std::memory_order_acquire); }
  int64_t log_end_offset() const { return log_->log_end_offset(); }
  int64_t log_start_offset() const { return log_->log_start_offset(); }
  Log& log() { return *log_; }
  const Producers& producers() const { return producers_; }
  void count_bytes_out(int64_t bytes) { bytes_out_.fetch_add(bytes, std::memory_order_relaxed); }

 private:
  enum class Role : uint8_t { kNone = 0, kLeader = 1, kFollower = 2 };

  // What the leader knows of one follower (Kafka: Replica, ReplicaState).
  struct Replica {
    int32_t id = -1;
    bool in_isr = false;
    bool is_joining =
        false;  // caught up and reported: counts as if in the ISR until the next isr()
    int64_t broker_epoch = -1;    // the newest seen from it here
    int64_t log_end_offset = -1;  // -1: has not fetched from this leader yet
  };

  explicit Partition(PartitionOptions options);
  Role role() const {
    return static_cast<Role>(leadership_.load(std::memory_order_acquire) & 0xff);
  }
  ErrorCode read(Io& io, const FetchQuery& query, FetchResult* result) const;
  bool is_in_older_segment(Io& io, int64_t offset, int64_t bound) const;
  void set_leadership(Role role, int32_t leader_epoch);
  void set_isr(const int32_t* isr, int isr_count);
  void settle_watermark(PartitionHost& host);
  void assign_epoch(Io& io, int32_t leader_epoch, int64_t start_offset);
  Replica* find_replica(int32_t id);
  int32_t effective_min_isr() const;
  bool is_under_min_isr() const { return isr_count_ < effective_min_isr(); }
  bool has_room() const;
  void take_room(int64_t bytes) const;

  // open.cc
  Status recover(Io& io, const Log::Recovery& recovery);
  int64_t producers_needed_from(Io& io) const;
  bool is_still_open(Io& io, int64_t from, const ProducerEntry& entry) const;
  Status forget_gone(Io& io, int64_t from);
  bool restore_producers(Io& io, int64_t snapshot);
  Status load_producers(Io& io, const Log::Recovery& recovery);
  Status reload_producers(Io& io);
  Status save_producers(Io& io, int64_t end_offset, bool is_synced);
  void put_away(PartitionHost& host);
  Status close_cleanly(Io& io);
  static void help_close(DiskWork* work, Io& io);
  static void close_done(PartitionWork* work, PartitionHost& host);
  // Files are in use.
  bool is_busy() const { return is_writing_ || is_flushing_ || is_cleaning_ || is_putting_away_; }
  void unlink_doomed(PartitionHost& host);
  bool waits_for_names(const Status& status) const;
  int64_t unlink_delay(int64_t configured_ms) const;
  Status write_metadata(Io& io);
  void count_segments(Io& io);
  static void replay_epoch(void* self, const RecordBatch& batch);
  static void replay_producer(void* self, const RecordBatch& batch);
  Status replay_producers(Io& io, int64_t from, int64_t to);
  Status rebuild_epochs(Io& io);
  Status scan_past_damage(Io& io, int64_t from, int64_t to, BatchVisitor visitor) const;
  static void on_roll(void* self, int64_t base_offset);

  // flush.cc
  void hold_until_synced(ProduceOps* written, PartitionHost& host);
  void settle_flushes(PartitionHost& host);
  void answer_synced(PartitionHost& host);
  Status begin_flush(Io& io, int64_t up_to);
  Status end_flush(Status status);
  Status sync(Io& io);
  void fail_flushes(ErrorCode error, PartitionHost& host);
  static void help_flush(DiskWork* work, Io& io);
  static void flush_done(PartitionWork* work, PartitionHost& host);

  // clean.cc
  void begin_cleaning(PartitionHost& host);
  void go_on_cleaning(PartitionHost& host);
  void end_cleaning(const Status& status, PartitionHost& host);
  void abort_cleaning(PartitionHost& host);
  static void help_clean(DiskWork* work, Io& io);
  static void clean_done(PartitionWork* work, PartitionHost& host);
  static void resume_cleaning(void* partition, PartitionHost& host);

  // recode.cc
  bool needs_recoding(const ProduceOp& op) const;
  void recode_in_turn(ProduceOp* op, PartitionHost& host);
  void start_recoding(PartitionHost& host);
  void resume(ProduceOp* op, PartitionHost& host);
  void doubt_unrecoded(int64_t producer_id);
  bool take_recoding_memory(int64_t bytes) const;
  void give_recoding_memory(int64_t bytes) const;
  void drop_recoded(ProduceOp* op);
  static void help_recode(DiskWork* work, Io& io);
  static void recode_done(PartitionWork* work, PartitionHost& host);
  static void recode_later(void* partition, PartitionHost& host);

  // verbs.cc
  ErrorCode restart(PartitionHost& host, int64_t offset);
  ErrorCode rewind(PartitionHost& host, Status status, int64_t offset);

  // transactions.cc
  struct Unverified;
  bool needs_admission(const ProduceOp& op) const;
  bool has_parked(int64_t producer_id) const;
  void park(ProduceOp* op, PartitionHost& host);
  Unverified* note_unverified(const RecordBatch& batch);
  void ask(Unverified* producer, const ProduceOp& op, PartitionHost& host);
  Unverified* find_unverified(int64_t producer_id);
  bool is_ahead(const RecordBatch& batch) const;
  void begun(const RecordBatch& batch);
  void ended(const RecordBatch& marker, PartitionHost& host);
  ErrorCode fence_error(const ProduceOp& op) const;
  Status end_transactions(Io& io, int64_t end_offset);
  Status index_aborted(Io& io);
  Status note_aborted(Io& io, const CompletedTransaction& transaction);
  static ProducerBatch producer_batch(const RecordBatch& batch);
  static void parked_too_long(void* op, PartitionHost& host);

  // append.cc
  void produce_admitted(ProduceOp* op, PartitionHost& host);
  void produce_recoded(ProduceOp* op, PartitionHost& host);
  AdmissionRules rules(PartitionHost& host) const;
  void finish(ProduceOp* op, PartitionHost& host);
  void fail(ProduceOp* op, ErrorCode error, PartitionHost& host);
  void refuse(ProduceOp* op, PartitionHost& host);
  void fail_all(ProduceOps* ops, ErrorCode error, PartitionHost& host);
  bool check_sequence(ProduceOp* op, const RecordBatch& batch, PartitionHost& host);
  void stage_batch(ProduceOp* op, uint8_t* bytes, bool keeps_offsets);
  ErrorCode append_error(int32_t named) const;
  bool fits(const ProduceOp& op) const;
  void let_go_of_records(ProduceOp* op, PartitionHost& host);
  void join_waiting(ProduceOp* op, PartitionHost& host);
  void complete_waiting(PartitionHost& host);
  void submit(PartitionHost& host);
  void settle(ProduceOps* ops, PartitionHost& host);
  void complete(ProduceOp* op, PartitionHost& host);
  void on_written(Status status, PartitionHost& host);
  void on_full(ProduceOps* unwritten, PartitionHost& host);
  void refuse_full(ProduceOp* op, PartitionHost& host);
  void drop_staged(ErrorCode error, PartitionHost& host);
  void go_offline(const Status& status, PartitionHost& host);
  static void append_done(AppendOp* op, Status status);
  static void timed_out(void* op, PartitionHost& host);

  bool maybe_increment_high_watermark();
  bool raise_high_watermark(int64_t to);
  void update_last_stable_offset();
  // Who waits for what changed: nobody, followers (the log end alone moved), or all.
  enum class Wakes : uint8_t { kNobody, kFollowers, kAll };
  void changed(PartitionHost& host, Wakes wakes);
  void wake_readers(PartitionHost& host, Wakes wakes);
  void publish();

  PartitionOptions options_;
  std::string directory_;
  bool is_directory_synced_ = false;
  std::unique_ptr<Log> log_;
  Epochs epochs_;
  Producers producers_;

  // Leadership. Role in the low byte, epoch above: one load tells both.
  std::atomic<int64_t> leadership_{-256};
  std::atomic<int32_t> leader_id_{-1};
  int32_t partition_epoch_ = -1;
  int64_t epoch_start_offset_ = 0;
  std::vector<Replica> replicas_;  // without ourselves
  int isr_count_ = 0;

  std::atomic<int64_t> high_watermark_{0};
  std::atomic<int64_t> last_stable_offset_{0};
  std::atomic<bool> is_offline_{false};
  std::atomic<int64_t> bytes_out_{0};

  // Appends.
  int64_t next_offset_ = 0;  // of the next batch admitted
  std::vector<AppendBatch> staged_batches_;
  std::vector<AppendBatch> writing_batches_;
  ProduceOps staged_ops_;
  ProduceOps writing_ops_;
  ProduceOps waiting_;  // for replicas, by last offset
  AppendOp append_op_;
  bool is_writing_ = false;
  PartitionHost* host_ = nullptr;  // of the write in flight

  // Recompression. One helper at most has batches of ours; what comes meanwhile waits in order.
  struct Recoding : DiskWork {
    Partition* partition = nullptr;
    AdmissionRules rules;
    Recompression to;
    std::vector<ProduceOp*> ops;
  };
  std::unique_ptr<Recoding> recoding_;  // made when first needed
  bool is_recoding_ = false;
  ProduceOps unrecoded_;
  uint64_t recode_timer_ = 0;

  // Transactions.
  struct Unverified {
    int64_t producer_id = -1;
    int16_t producer_epoch = -1;
    int32_t lowest_sequence = 0;  // of the batches seen, none of which is in the log
    double ask = 0;               // that is not answered yet; 0: none
  };
  std::vector<Unverified> unverified_;  // producers without a transaction here, oldest first
  ProduceOps parked_;                   // in order of arrival
  double last_ask_ = 0;
  std::vector<CompletedTransaction> unreplicated_;  // ended, and their markers not below the
                                                    // high watermark; by marker
  std::vector<CompletedTransaction> completed_;     // of the write that completes
  std::vector<CompletedTransaction> unindexed_;     // aborted, for whose entry there was no room
  int64_t first_marker_ = -1;                       // among the batches that recovery replayed
  Io* replay_io_ = nullptr;
  Status replay_status_;

  // Syncs: one under way at most, what comes meanwhile shares the next.
  struct Flush : DiskWork {
    Partition* partition = nullptr;
    std::unique_ptr<FlushJob> job;       // null: the log itself owes nothing
    bool syncs_name = false;             // of the log's directory
    bool syncs_epochs = false;           // and the directory that names their file
    std::vector<std::string> snapshots;  // of producers
  };
  Flush flush_;
  bool is_flushing_ = false;
  // A compaction: a step of its job, or a sync of the names that a swap has changed.
  struct Clean : DiskWork {
    Partition* partition = nullptr;
    CleanOp* op = nullptr;
    std::unique_ptr<CleanJob> job;
    bool is_waiting = false;  // for the recovery point to reach what it counts on; no job yet
    int64_t counts_on = 0;
    uint64_t generation = 0;  // the log's, when it was asked for
    bool is_swapping = false;
    int64_t bytes = 0;  // of the last step
  };
  Clean clean_;
  bool is_cleaning_ = false;
  int64_t clean_due_us_ = 0;  // the next step, by bytes_per_second
  uint64_t clean_timer_ = 0;
  ProduceOps syncing_;        // written, to be acknowledged once synced (flush.messages)
  FlushOps flushes_;          // verbs, in the order they came
  int64_t sync_owed_to_ = 0;  // flush.messages: what is acknowledged next waits for it
  int64_t sync_idly_to_ = 0;  // rolled segments, flush.ms, clean: nobody waits
  std::vector<std::string> rolled_snapshots_;
  int64_t unflushed_from_ms_ = -1;
  int64_t expired_at_ms_ = 0;

  // Reactors that want a wake-up: a bit each in the lower half, and in the upper one those that
  // want it for the log end too.
  std::atomic<uint64_t> interest_{0};
  std::atomic<uint64_t> version_{0};

  // Published numbers that nobody else keeps.
  SequencedRow row_;
  int64_t told_high_watermark_ = -1;
  int64_t segments_ = 0;
  int64_t bytes_in_ = 0;
  int64_t messages_in_ = 0;
  bool is_retired_ = false;
  struct Closing : DiskWork {
    Partition* partition = nullptr;
  };
  Closing closing_;
  bool is_putting_away_ = false;
  Status end_status_;
  bool is_deleted_ = false;  // how it is to be put away
  bool is_clean_ = false;
};

}  // namespace ottla
