// Segment: one base offset, one .log and its indexes. Kafka: LogSegment, FileRecords.
//
// Append-only while it is the log's last, immutable once rolled. Reference counted: views and
// slices hold it, so its file outlives every response that still sends from it, renamed and
// unlinked or not. How far it reaches (bytes, next offset, largest timestamp) is published as one
// consistent value; what lies below never changes but by truncation, which the log announces
// through its generation.
//
// Blocks are allocated ahead of the appends without changing the file's length, so recovery and
// Kafka's tools see only what was written: none before the first append, then 64 KiB, doubling to
// 16 MiB while steps are used up within a second and halving when they last ten; given back by a
// truncate at roll and close.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "../base/quiescence.h"
#include "batch_scanner.h"
#include "file_cache.h"
#include "index.h"
#include "log.h"
#include "txn_index.h"

namespace ottla {

// How far a segment reaches.
struct SegmentEnd {
  int64_t bytes = 0;
  int64_t next_offset = 0;
  int64_t max_timestamp = kNoTimestamp;
  int64_t max_timestamp_offset = -1;  // last offset of the first batch that has it
};

// A batch in a segment's file.
struct BatchPlace {
  int64_t position = -1;  // -1: there is none
  int64_t bytes = 0;
  int64_t base_offset = 0;
  int64_t last_offset = 0;
};

class Segment {
 public:
  struct Options {
    FileCache* files = nullptr;
    std::string directory;
    int64_t base_offset = 0;
    std::atomic<int64_t>* preallocation_budget = nullptr;
    const char* suffix = "";  // of its files' names: .cleaned while the cleaner writes it
    int32_t disk = 0;
  };
  // What rolling asks of the batches that would come next: simulates their append.
  class Plan {
   public:
    bool fits(const AppendBatch& batch) const;
    void add(const AppendBatch& batch);

   private:
    friend class Segment;
    const LogConfig* config_ = nullptr;
    int64_t base_offset_ = 0, now_ms_ = 0, created_ms_ = 0, jitter_ms_ = 0;
    int64_t bytes_ = 0, bytes_since_index_ = 0, rolling_timestamp_ = kNoTimestamp;
    int64_t offset_entries_ = 0, time_entries_ = 0, last_indexed_timestamp_ = kNoTimestamp;
    int64_t max_timestamp_ = kNoTimestamp;
  };

  explicit Segment(const Options& options);  // one reference, the caller's
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  void ref() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void unref();

  // --- any thread
  int64_t base_offset() const { return base_offset_; }
  int32_t disk() const { return disk_; }
  SegmentEnd end() const;
  // Its name was given up: whoever opened the file by name looks again in a newer view.
  bool is_gone() const { return gone_.load(std::memory_order_seq_cst); }
  Status pin(Io& io, Handle* file);
  void unpin() { file_.unpin(); }
  // First batch below `end` whose last offset is at or above `offset`.
  Status locate(Io& io, Handle file, int64_t offset, const SegmentEnd& end, BatchPlace* place);
  // Where the batch after a recent append's end begins, if `offset` is one: readers at the tail
  // come back with the log end they saw, and need no look into the file.
  bool boundary_at(int64_t offset, int64_t* position) const;
  // Where the last whole batch ends that lies within [from, limit]; `from` is a batch's position.
  Status whole_batches(Io& io, Handle file, int64_t from, int64_t limit, const SegmentEnd& end,
                       int64_t* position);
  SparseIndex& offsets() { return offsets_; }
  SparseIndex& times() { return times_; }
  TransactionIndex& aborted() { return aborted_; }
  const std::string& path() const { return file_.path(); }
  // Of its records; where none has one, when the file was last written. Kafka: largestTimestamp.
  int64_t largest_timestamp(Io& io) const;
  CachedFile& file() { return file_; }

  // --- the writer
  Status create(Io& io, const LogConfig& config);
  // Takes over a trusted file. `rolling_timestamp`: of the first batch.
  void adopt(const SegmentEnd& end, int64_t rolling_timestamp);
  // When it was made, for segment.ms; a segment found at start counts from then, as in Kafka.
  void start_clock(Io& io, const LogConfig& config);
  Plan plan(const LogConfig& config, int64_t now_ms) const;
  // Allocates ahead for `bytes` more; failure only switches it off.
  void reserve(Io& io, const LogConfig& config, int64_t bytes);
  // The batch's bytes are in the file at the end: indexes it. Not visible before publish().
  void commit(Io& io, Limbo* limbo, const AppendBatch& batch, int64_t index_interval_bytes);
  void publish();
  int64_t bytes() const { return end_.bytes; }
  int64_t first_timestamp() const { return rolling_timestamp_; }  // the first batch's largest
  // Last entry of the time index, both indexes into their files, blocks ahead given back.
  Status seal(Io& io, Limbo* limbo);
  // Drops whole batches from the one holding `offset` on. *log_end: where the log ends then.
  Status truncate_to(Io& io, Limbo* limbo, int64_t offset, int64_t* log_end);
  // Cuts what a failed write may have left behind the end.
  Status cut_tail(Io& io);
  Status sync(Io& io);       // the records
  Status sync_kept(Io& io);  // the log, and what was aborted: a start can miss the other indexes
  Status sync_all(Io& io);   // and the indexes
  void mark_gone() { gone_.store(true, std::memory_order_seq_cst); }
  // Renamed to .deleted, then gone; with `later` they are only named there. The producers' state at
  // its base goes too, unless another segment begins there.
  Status remove(Io& io, std::vector<std::string>* later = nullptr, bool keeps_snapshot = false);
  // The suffix of its files' names. Nobody opens them meanwhile: they are open, or it is unknown.
  Status rename_files(Io& io, std::string_view from, std::string_view to);
  Status close_files(Io& io);

 private:
  ~Segment() = default;  // by unref
  Status trim(Io& io);
  Status find_largest_timestamp(Io& io, Handle file);
  void release_budget();

  const int64_t base_offset_;
  const int32_t disk_;
  std::atomic<int32_t> refs_{1};
  std::atomic<bool> gone_{false};
  CachedFile file_;
  SparseIndex offsets_;
  SparseIndex times_;
  TransactionIndex aborted_;
  std::atomic<int64_t>* const budget_;

  // Published by sequence: odd while the four change.
  std::atomic<uint32_t> sequence_{0};
  std::atomic<int64_t> published_bytes_{0};
  std::atomic<int64_t> published_next_offset_{0};
  std::atomic<int64_t> published_max_timestamp_{kNoTimestamp};
  std::atomic<int64_t> published_max_timestamp_offset_{-1};
  struct Boundary {
    std::atomic<int64_t> offset{-1};
    std::atomic<int64_t> position{0};
  };
  static constexpr uint32_t kBoundaries = 8;
  Boundary boundaries_[kBoundaries];  // a ring, newest at next_boundary_ - 1

  // The writer's own.
  uint32_t next_boundary_ = 0;
  SegmentEnd end_;
  int64_t bytes_since_index_ = 0;
  int64_t rolling_timestamp_ = kNoTimestamp;
  int64_t created_ms_ = 0;
  int64_t jitter_ms_ = 0;
  int64_t allocated_ = 0;  // blocks are allocated up to here
  int64_t reserved_ = 0;   // taken from the budget
  int64_t step_bytes_ = 0;
  int64_t step_us_ = 0;
  bool allocation_off_ = false;
};

// A pin and what it needs to be given back.
class SegmentPin {
 public:
  explicit SegmentPin(Segment* segment) : segment_(segment) {}
  SegmentPin(const SegmentPin&) = delete;
  SegmentPin& operator=(const SegmentPin&) = delete;
  ~SegmentPin() {
    if (file_ != kNoHandle) segment_->unpin();
  }
  Status take(Io& io) { return segment_->pin(io, &file_); }
  Handle file() const { return file_; }
  Handle release() {
    const Handle file = file_;
    file_ = kNoHandle;
    return file;
  }

 private:
  Segment* const segment_;
  Handle file_ = kNoHandle;
};

}  // namespace ottla
