// Log: one partition's records on disk: segments, their indexes, checkpoints, recovery.
// Kafka: UnifiedLog, LocalLog, LogSegments. Files and bytes are Kafka's (docs/STORAGE.md).
//
// One writer: the partition's reactor appends, truncates, rolls and deletes. Any reactor may read through
// view(): an immutable snapshot published by the writer and reclaimed by quiescence (base/quiescence.h);
// a ReadSlice holds a reference to its segment, so a file outlives every response that sends from it.
// The log knows offsets, not watermarks: the partition above decides what may be shown.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../base/status.h"
#include "../io/io.h"

namespace ottla {

class Quiescence;

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

struct AppendOp {
  const AppendBatch* batches = nullptr;  // contiguous offsets; memory valid until done
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

// A run of whole batches in one segment file. Move-only; the destructor releases the segment.
class ReadSlice {
 public:
  ReadSlice() = default;
  ReadSlice(Segment* segment, int64_t position, int64_t bytes);  // takes over one reference
  ReadSlice(ReadSlice&& other) noexcept;
  ReadSlice& operator=(ReadSlice&& other) noexcept;
  ReadSlice(const ReadSlice&) = delete;
  ReadSlice& operator=(const ReadSlice&) = delete;
  ~ReadSlice();
  Status file(Io& io, Handle* file) const;  // opens a rolled segment's file on demand
  int64_t position() const { return position_; }
  int64_t bytes() const { return bytes_; }
  explicit operator bool() const { return segment_ != nullptr; }

 private:
  Segment* segment_ = nullptr;
  int64_t position_ = 0;
  int64_t bytes_ = 0;
};

// What a reader needs, published as one immutable object.
struct LogView;

class Log {
 public:
  struct Options {
    std::string directory;      // <log dir>/<topic>-<partition>
    LogConfig config;
    bool clean_shutdown = false;     // the marker of this log dir was found: trust the tail
    int64_t recovery_point = 0;      // everything below is known to be synced
    int64_t log_start_offset = 0;    // from the checkpoint
    Quiescence* quiescence = nullptr;
  };
  // What opening found and repaired; counted, logged by TypeScript.
  struct Recovery {
    int64_t log_start_offset = 0;
    int64_t log_end_offset = 0;
    int64_t bytes_truncated = 0;   // cut at the first bad batch
    int32_t segments_recovered = 0;
    int32_t indexes_rebuilt = 0;
  };

  // Opens or creates. May run on a recovery thread with that thread's Io; afterwards the writer owns it.
  // `observer` sees every batch header of the region that had to be replayed for producer state and epochs.
  static Status open(Io& io, const Options& options, std::unique_ptr<Log>* log, Recovery* recovery);
  ~Log();

  // --- the writer
  void append(Io& io, AppendOp* op);                         // one pwritev per segment touched
  Status roll(Io& io, int64_t base_offset);
  Status truncate_to(Io& io, int64_t offset);                // drops whole batches from `offset` on
  Status truncate_fully_and_start_at(Io& io, int64_t offset);
  Status set_log_start_offset(Io& io, int64_t offset);       // deletes whole segments below, .deleted first
  Status flush(Io& io, int64_t up_to_offset);                // fsync; moves recovery_point
  void configure(const LogConfig& config);
  Status close(Io& io, bool clean);                          // trims preallocation, syncs when clean
  Status remove(Io& io);                                     // renamed to -delete, then deleted

  // --- any thread
  int64_t log_start_offset() const;
  int64_t log_end_offset() const;
  int64_t recovery_point() const;
  int64_t bytes() const;
  int64_t max_timestamp() const;
  // Whole batches from the one holding `offset`, at most bytes_max but at least one batch when
  // `at_least_one`; never at or beyond `upper_offset`. kOutOfRange outside [start, upper].
  Status read(Io& io, int64_t offset, int64_t upper_offset, int64_t bytes_max, bool at_least_one,
              ReadSlice* slice) const;
  // First record with timestamp >= t, exact inside compressed batches. offset -1 when none.
  Status find_by_timestamp(Io& io, int64_t timestamp, int64_t upper_offset,
                           OffsetAndTimestamp* found) const;
  Status find_max_timestamp(Io& io, OffsetAndTimestamp* found) const;

 private:
  Log();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ottla
