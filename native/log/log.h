// Log: one partition's records on disk: segments, their indexes, checkpoints, recovery.
// Kafka: UnifiedLog, LocalLog, LogSegments. Files and bytes are Kafka's (docs/STORAGE.md).
//
// One writer: the partition's reactor appends, truncates, rolls and deletes. Any reactor may read
// through view(): an immutable snapshot published by the writer and reclaimed by quiescence
// (base/quiescence.h); a ReadSlice holds a reference to its segment, so a file outlives every
// response that sends from it. The log knows offsets, not watermarks: the partition above decides
// what may be shown.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../base/status.h"
#include "../io/io.h"

namespace ottla {

class FileCache;
class Quiescence;
class TailPool;
class CleanJob;
class RecordBatch;
struct AbortedTransaction;
struct Cleanable;
struct CleanRequest;

// A partition's own settings, numbers only; a new set replaces the old between appends.
struct LogConfig {
  int64_t segment_bytes_max = 1 << 30;
  int64_t segment_ms = 7LL * 24 * 3600 * 1000;
  int64_t segment_jitter_ms = 0;
  int64_t segment_index_bytes_max = 10 << 20;
  int64_t index_interval_bytes = 4096;
  int64_t preallocate_bytes_max = 16 << 20;  // most that is allocated ahead; 0: never
  bool preallocate = false;                  // Kafka's preallocate: whole segments
};

// One batch (v2) to append: header already validated, base offset and leader epoch already patched.
struct AppendBatch {
  const uint8_t* bytes = nullptr;
  int32_t size = 0;
  int64_t base_offset = 0;
  int64_t last_offset = 0;
  int64_t max_timestamp = -1;
  int32_t leader_epoch = 0;
};

// All or nothing: when any batch fails, none of them is in the log, and neither is any op queued
// behind.
struct AppendOp {
  const AppendBatch* batches = nullptr;  // ascending offsets (gaps allowed); valid until done
  int count = 0;
  void (*done)(AppendOp* op, Status status) = nullptr;  // inline or later, on the writer's thread
  void* context = nullptr;
  AppendOp* next = nullptr;
};

struct OffsetAndTimestamp {
  int64_t offset = -1;
  int64_t timestamp = -1;
  int32_t leader_epoch = -1;
};

class Segment;

// Called for each batch, in order. `batch` is valid during the call; its records may be read only
// for control batches (RecordBatch::has_records).
struct BatchVisitor {
  void (*visit)(void* context, const RecordBatch& batch) = nullptr;
  void* context = nullptr;
};

// One segment as retention sees it.
struct SegmentFacts {
  int64_t base_offset = 0;
  int64_t next_offset = 0;  // one past its last record; the next segment's base at most
  int64_t bytes = 0;
  int64_t max_timestamp = -1;  // -1: no record has one
  int64_t modified_ms = 0;     // stands in for a missing timestamp, as in Kafka
};

// How much of a log is to stay. Kafka: UnifiedLog.deleteOldSegments.
struct Retention {
  int64_t retention_ms = -1;     // by a segment's largest timestamp; -1: any age
  int64_t retention_bytes = -1;  // of all segments; -1: any size
  int64_t now_ms = 0;
  int64_t high_watermark = 0;  // nothing at or above it goes
  int64_t end_offset = 0;      // one past all that is appended or on its way
  int64_t segments_max = INT64_MAX;
};
// What was deleted.
struct Retained {
  int64_t segments = 0;
  bool is_more = false;  // segments_max kept some that are due
};

// What a flush has to sync: collected by the writer, run on any thread, settled by the writer.
struct FlushJob {
  int64_t up_to = 0;
  uint64_t generation = 0;
  std::string directory;
  bool sync_directory = false;
  bool sync_parent = false;
  struct Part {
    Segment* segment = nullptr;  // one reference
    bool is_sealed = false;      // rolled, its indexes are in their files: they are synced too
  };
  std::vector<Part> parts;
  FlushJob() = default;
  FlushJob(const FlushJob&) = delete;
  FlushJob& operator=(const FlushJob&) = delete;
  ~FlushJob();
};

// A run of whole batches in one segment file. Move-only; the destructor releases the segment.
class ReadSlice {
 public:
  ReadSlice() = default;
  // Takes over one reference to the segment and one pin of its file, which stays open until the
  // end.
  ReadSlice(Segment* segment, Handle file, int64_t position, int64_t bytes);
  ReadSlice(ReadSlice&& other) noexcept;
  ReadSlice& operator=(ReadSlice&& other) noexcept;
  ReadSlice(const ReadSlice&) = delete;
  ReadSlice& operator=(const ReadSlice&) = delete;
  ~ReadSlice();
  Status file(Io& io, Handle* file) const;  // already open; never fails for a non-empty slice
  Handle file() const { return file_; }
  const Segment* segment() const { return segment_; }
  int64_t position() const { return position_; }
  int64_t bytes() const { return bytes_; }
  // What this segment had to show, whatever the limits let through; without a file too.
  int64_t readable_bytes() const { return readable_bytes_; }
  void set_readable_bytes(int64_t bytes) { readable_bytes_ = bytes; }
  // Of the last appends: it is taken to be in memory still.
  int32_t disk() const;  // which its log is on
  bool is_recent() const { return is_recent_; }
  void mark_recent() { is_recent_ = true; }
  explicit operator bool() const { return segment_ != nullptr; }

 private:
  Segment* segment_ = nullptr;
  Handle file_ = kNoHandle;
  int64_t position_ = 0;
  int64_t bytes_ = 0;
  int64_t readable_bytes_ = 0;
  bool is_recent_ = false;
};

// What a reader needs, published as one immutable object.
struct LogView;

class Log {
 public:
  struct Options {
    std::string directory;  // <log dir>/<topic>-<partition>
    LogConfig config;
    bool clean_shutdown = false;       // the marker of this log dir was found: trust the tail
    bool gaps_allowed = false;         // compacted: a gap between replayed segments is no damage
    int64_t recovery_point = 0;        // everything below is known to be synced
    int64_t log_start_offset = 0;      // from the checkpoint
    Quiescence* quiescence = nullptr;  // null: nobody reads but the writer (recovery tools, tests)
    FileCache* files = nullptr;        // the process's descriptors; null: a small one of its own
    std::atomic<int64_t>* preallocation_budget =
        nullptr;                 // bytes left for this log dir; null: no limit
    TailPool* tails = nullptr;   // the writer's; null: readers of the tail look into the file
    BatchVisitor observer;       // sees every batch that had to be replayed
    bool unlinks_later = false;  // the owner does: see take_doomed()
    bool syncs_ends = false;     // nothing follows an end that was found, or cut after a failed
                                 // write, before that end is synced: raft builds on it
    int32_t disk = 0;            // the log directory's: see ReadSlice::disk()
  };
  // What opening found and repaired; counted, logged by TypeScript.
  struct Recovery {
    int64_t log_start_offset = 0;
    int64_t log_end_offset = 0;
    int64_t bytes_truncated = 0;  // cut at the first bad batch
    int32_t segments_recovered = 0;
    int32_t indexes_rebuilt = 0;
    int64_t rebuilt_from = INT64_MAX;  // the first segment that was flushed and needed it
    int64_t replayed_from = -1;        // first offset the observer saw; -1: nothing was replayed
    std::vector<int64_t>
        producer_snapshots;  // offsets of *.snapshot at or below the end, ascending
  };

  // Opens or creates. May run on a recovery thread with that thread's Io; afterwards the writer
  // owns it. Producer state: load the newest usable of Recovery::producer_snapshots, then scan()
  // from its offset.
  static Status open(Io& io, const Options& options, std::unique_ptr<Log>* log, Recovery* recovery);
  ~Log();

  // --- the writer
  void append(Io& io, AppendOp* op);  // one pwritev per segment touched
  Status roll(Io& io, int64_t base_offset);
  Status truncate_to(Io& io, int64_t offset);  // drops whole batches from `offset` on
  Status truncate_fully_and_start_at(Io& io, int64_t offset);
  Status set_log_start_offset(Io& io,
                              int64_t offset);  // deletes whole segments below, .deleted first
  // Deletes whole segments from the front; rolls the active one when it goes too.
  Status retain(Io& io, const Retention& retention, Retained* retained);
  // Where the segment behind the oldest begins, and the oldest's largest timestamp and size; -1
  // when it is the active one or reaches beyond `upper_offset`.
  int64_t oldest_segment(Io& io, int64_t upper_offset, int64_t* max_timestamp,
                         int64_t* bytes) const;
  Status flush(Io& io, int64_t up_to_offset);  // fsync; moves recovery_point
  // What opening has built anew of segments from `offset` on, below the recovery point: the next
  // opening believes it, and no flush comes by.
  Status sync_rebuilt(Io& io, int64_t offset);
  void configure(const LogConfig& config);
  // A slice of this log from what was appended last, as it is in the file. False: it is not at
  // hand, but what follows it will be.
  bool copy_tail(const ReadSlice& slice, uint8_t* into);
  Status close(Io& io, bool clean);  // trims preallocation, syncs when clean
  Status remove(Io& io);             // renamed to -delete, then deleted
  // With unlinks_later: files that were renamed to .deleted, and a directory to -delete, since the
  // last call. Giving a large file's blocks back takes the disk's time, not ours.
  std::vector<std::string> take_doomed();
  static void unlink(Io& io, const std::vector<std::string>& doomed);  // any thread
  // Frees what readers have let go of and closes files; once per loop turn or seldom, cheap when
  // idle.
  void reclaim(Io& io);
  // Called inside append() and roll() before a segment at `base_offset` takes its first record: the
  // moment for a producer snapshot (Kafka: UnifiedLog.roll).
  void on_roll(void (*rolled)(void* context, int64_t base_offset), void* context);
  // flush() in three steps, so that the fsync may run on a helper thread with its own Io.
  Status flush_begin(Io& io, int64_t up_to_offset,
                     std::unique_ptr<FlushJob>* job);  // null: nothing to do
  static Status flush_run(Io& io, FlushJob* job);      // any thread
  Status flush_end(std::unique_ptr<FlushJob> job, Status result);
  // Into the segment of its last offset; one that is there already is passed over.
  Status append_aborted(Io& io, const AbortedTransaction& transaction);
  // Compaction in steps (cleaner.h): a helper runs the job's; whenever a group is ready, the owner
  // calls swap_begin(), then swap_advance() until it is done, with a sync of directory() before
  // each on any thread. kNotFound: what was cleaned is gone, the job is over. kNoSpace: so it is,
  // or, while is_swapping(), the last names wait: a sync and swap_advance() try again.
  Cleanable cleanable(int64_t first_dirty_offset, int64_t stable_offset, int64_t min_lag_ms,
                      int64_t now_ms) const;
  Status clean_begin(Io& io, const CleanRequest& request, std::unique_ptr<CleanJob>* job);
  Status swap_begin(Io& io, CleanJob* job);
  Status swap_advance(Io& io, bool* is_done);
  bool is_swapping() const;
  const std::string& directory() const;
  // The status that took the log offline (two failed writes, one failed fsync), or ok.
  Status health() const;

  // --- any thread
  int64_t log_start_offset() const;
  int64_t log_end_offset() const;
  int64_t recovery_point() const;
  int64_t bytes() const;
  int64_t max_timestamp() const;
  int64_t active_base_offset() const;
  uint64_t generation() const;  // raised by every truncation before bytes change, and after
  // The next four answer kBusy while a truncation runs beside them: ask again.
  // Whole batches from the one holding `offset`, at most bytes_max but at least one batch when
  // `at_least_one`; never at or beyond `upper_offset`. kOutOfRange outside [start, upper].
  // With `skips_headers` no slice consists of headers without records, unless nothing else is
  // there: some consumers ask for ever for what is behind them.
  Status read(Io& io, int64_t offset, int64_t upper_offset, int64_t bytes_max, bool at_least_one,
              ReadSlice* slice, bool skips_headers = false) const;
  // First record with timestamp >= t, exact inside compressed batches. offset -1 when none.
  Status find_by_timestamp(Io& io, int64_t timestamp, int64_t upper_offset,
                           OffsetAndTimestamp* found) const;
  Status find_max_timestamp(Io& io, OffsetAndTimestamp* found) const;
  // Every batch that touches [from, to), in order (producer state, tools).
  Status scan(Io& io, int64_t from, int64_t to, const BatchVisitor& visitor) const;
  // Transactions aborted in [fetch_offset, upper_offset), for a read_committed Fetch.
  Status collect_aborted(Io& io, int64_t fetch_offset, int64_t upper_offset,
                         std::vector<AbortedTransaction>* found) const;
  void segments(Io& io, std::vector<SegmentFacts>* facts) const;

  struct State;  // log_state.h, native/log only

 private:
  Log();
  std::unique_ptr<State> state_;
};

}  // namespace ottla
