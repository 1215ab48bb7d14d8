// CleanJob: one compaction of a log, from the first dirty offset on. Kafka: Cleaner, LogToClean
// (KIP-58, KIP-354, KIP-534).
//
//   owner  Log::clean_begin ─► mapping ─► filtering a group ─► a group is ready ─► owner swaps it
//   helper                     steps       steps, .cleaned        files synced       │  next group
//                                             ▲──────────────────────────────────────┘  or done
//
// Only whole segments are touched that lie below the stable offset, the active segment and the
// minimum lag. A step ends after so many bytes, so that the owner may pace or abort it. The job
// holds its segments: what the log deletes meanwhile is found out when a group is swapped in.
//
// Non-obvious: the last batch of a group stays, if only its header, so that a group never ends
// earlier than what it replaces: recovery sees by offsets which segments a .swap replaces, and no
// gap for a log whose policy is changed to delete. A batch that cannot be read is copied as it is.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "cleaned_batch.h"
#include "cleaned_transactions.h"
#include "log.h"
#include "offset_map.h"

namespace ottla {

class BatchScanner;
class Limbo;

// The last that a producer wrote here: its batch keeps its header.
struct LastOfProducer {
  int64_t last_data_offset = -1;  // -1: only markers
  int16_t producer_epoch = -1;
};

struct CleanRequest {
  int64_t first_dirty_offset = 0;
  int64_t stable_offset = INT64_MAX;  // nothing that reaches it is touched
  int64_t min_lag_ms = 0;
  int64_t delete_retention_ms = 24LL * 3600 * 1000;
  int64_t now_ms = 0;
  int64_t map_bytes = 128 << 20;
  double map_load = 0.9;
  int64_t buffer_bytes = 256 << 10;
  int64_t step_bytes = 1 << 20;
  int64_t unpacked_bytes_max = 64 << 20;
  std::unordered_map<int64_t, LastOfProducer> producers;
};

// What there is to clean (Kafka: LogToClean, LogCleanerManager.cleanableOffsets).
struct Cleanable {
  int64_t first_dirty_offset = 0;  // the log start when what was asked lies outside the log
  int64_t first_uncleanable_offset = 0;
  int64_t clean_bytes = 0;
  int64_t cleanable_bytes = 0;
  int64_t earliest_dirty_timestamp = -1;  // first batches of dirty rolled segments; -1: none
};

struct CleanStats {
  int64_t next_dirty_offset = 0;
  int64_t bytes_before = 0;  // of the segments that were looked at
  int64_t bytes_after = 0;
  int64_t records_before = 0;
  int64_t records_after = 0;
  int64_t batches_unread = 0;  // copied as they are
  int64_t records_without_key = 0;
  int64_t map_entries = 0;
};

class CleanJob {
 public:
  enum class Phase : uint8_t { kMapping, kFiltering, kGroupReady, kDone };

  // Any thread, one at a time, while the phase is kMapping or kFiltering. *bytes: what it read and
  // wrote. On failure the job is over and its files are gone; kNotFound: the log has let go of a
  // segment, kClosed: aborted.
  Status step(Io& io, int64_t* bytes);
  Phase phase() const { return phase_; }
  const CleanStats& stats() const { return stats_; }
  void abort() { is_aborted_.store(true, std::memory_order_relaxed); }  // any thread
  ~CleanJob();

 private:
  friend class Log;
  struct Group {
    size_t first = 0, last = 0;  // of segments_, inclusive
  };
  struct Output;

  CleanJob(const CleanRequest& request, const Log::State& state);
  Status begin(Io& io, const Cleanable& cleanable);
  Status collect_aborted(Io& io, int64_t from, int64_t to);
  Status map_some(Io& io);
  Status map_segment(Io& io, Segment* segment, int64_t next_base, bool* is_full);
  Status map_batch(const RecordBatch& batch, bool* is_full);
  void make_groups();
  Status filter_some(Io& io);
  Status filter_segment(Io& io, Segment* segment);
  Status filter_batch(Io& io, const RecordBatch& batch);
  bool keeps_record(const RecordBatch& batch, const RecordView& record);
  bool is_last_of_producer(const RecordBatch& batch) const;
  Status emit(Io& io, const RecordBatch& written);
  Status write_out(Io& io);
  Status begin_group(Io& io);
  Status end_group(Io& io);
  Status keep_time(Io& io);
  // The caller's reference now.
  Segment* take_output();
  // The owner takes the group over, or there is nothing to swap.
  void group_done();
  Status discard(Io& io);
  Status load(Io& io, BatchScanner* scanner, Handle file, RecordBatch* batch);

  CleanRequest request_;
  LogConfig config_;
  std::string directory_;
  FileCache* const files_;
  std::atomic<bool> is_aborted_{false};
  Phase phase_ = Phase::kMapping;
  CleanStats stats_;
  uint64_t generation_ = 0;  // the log's when the job began

  std::vector<Segment*> segments_;  // all of the log, one reference each
  size_t cleanable_ = 0;            // the first so many may be touched
  int64_t first_uncleanable_offset_ = 0;
  std::vector<Group> groups_;
  size_t group_ = 0;

  // Where the walk is.
  bool has_begun_ = false;
  size_t segment_ = 0;
  int64_t position_ = -1;  // -1: at the segment's beginning
  int64_t step_bytes_ = 0;
  int64_t latest_offset_ = -1;  // everything up to here is in the map

  Codecs codecs_;
  std::unique_ptr<OffsetMap> map_;
  CleanedTransactions transactions_;
  std::vector<uint8_t> buffer_;
  std::vector<uint8_t> large_;  // a batch beyond the buffer
  std::vector<uint8_t> scratch_;
  std::vector<bool> keeps_;
  std::unique_ptr<Output> output_;  // of the group at hand
};

}  // namespace ottla
