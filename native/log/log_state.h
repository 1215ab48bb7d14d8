// What a Log holds: shared by log.cc (life), append.cc (the writer's path), log_read.cc (any
// thread) and recovery.cc (before anybody else sees it). Nothing outside native/log includes this.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "../base/quiescence.h"
#include "../base/tail_pool.h"
#include "file_cache.h"
#include "log.h"
#include "segment.h"

namespace ottla {

// The segments of a moment, by base offset. Holds a reference to each; replaced as a whole.
struct LogView {
  std::vector<Segment*> segments;
  int64_t rolled_bytes = 0;  // of all but the last, which alone still grows or shrinks

  LogView() = default;
  explicit LogView(std::vector<Segment*> all) : segments(std::move(all)) {
    for (Segment* segment : segments) {
      segment->ref();
      if (segment != segments.back()) rolled_bytes += segment->end().bytes;
    }
  }
  LogView(const LogView&) = delete;
  LogView& operator=(const LogView&) = delete;
  ~LogView() {
    for (Segment* segment : segments) segment->unref();
  }
  // The index of the last segment whose base is at most `offset`; 0 when all are above.
  size_t floor(int64_t offset) const {
    auto above = std::upper_bound(
        segments.begin(), segments.end(), offset,
        [](int64_t wanted, const Segment* s) { return wanted < s->base_offset(); });
    return above == segments.begin() ? 0 : static_cast<size_t>(above - segments.begin()) - 1;
  }
};

// A cleaned segment on its way into the log, its files open.
struct Swap {
  // One reference to each; given back last.
  struct Held {
    std::vector<Segment*> segments;
    ~Held() {
      for (Segment* segment : segments) segment->unref();
    }
  };
  Held held;
  Segment* fresh = nullptr;
  std::vector<Segment*> old;  // whose place it takes
  bool is_named = false;      // the fresh one has its name
  bool is_replaced = false;   // the view has it
  Pin log, offsets, times, aborted;
  Status take_pins(Io& io);
};

struct Log::State {
  State(const Options& given, FileCache* cache, Quiescence* quiescence)
      : options(given), config(given.config), files(cache), limbo(quiescence) {}
  ~State() { forget_tail(); }

  Options options;
  LogConfig config;

  // Made only when the options bring none.
  std::unique_ptr<Quiescence> own_quiescence;
  std::unique_ptr<FileCache> own_files;
  FileCache* files;

  // Published.
  Published<LogView> view;
  std::atomic<int64_t> log_start_offset{0};
  std::atomic<int64_t> log_end_offset{0};
  std::atomic<int64_t> recovery_point{0};
  std::atomic<uint64_t> generation{0};

  // The writer's own.
  Limbo limbo;
  AppendOp* queue_head = nullptr;  // the op at the head is being written
  AppendOp* queue_tail = nullptr;
  int next_batch = 0;           // of the head op
  int run_batches = 0;          // in the write that is under way
  int64_t op_start_offset = 0;  // log end when the head op began
  Io* write_io = nullptr;       // of the write under way; null when none
  bool pumping = false;
  WriteOp write;
  std::vector<iovec> iov;
  Segment* write_segment = nullptr;
  Status offline;  // first permanent failure
  int failures_in_a_row = 0;
  bool tail_dirty = false;       // bytes of a failed write may lie behind the end
  bool directory_dirty = false;  // names made or removed since the last directory sync
  bool parent_dirty = false;     // the log's own directory is new
  bool touched = false;          // something on disk was changed since opening
  bool closed = false;
  std::vector<std::string> doomed;  // with unlinks_later: what nobody has taken yet
  std::unique_ptr<Swap> swap;       // under way
  TailPool::Block* tail = nullptr;  // of the pool; of the active segment
  void (*rolled)(void* context, int64_t base_offset) = nullptr;
  void* rolled_context = nullptr;

  std::vector<std::string>* later() { return options.unlinks_later ? &doomed : nullptr; }
  const std::vector<Segment*>& segments() const { return view.read()->segments; }
  Segment* active() const { return segments().back(); }
  Segment::Options segment_options(int64_t base_offset) const {
    return {files, options.directory, base_offset, options.preallocation_budget, "", options.disk};
  }
  void forget_tail() {
    if (tail != nullptr) options.tails->give_back(&tail);
  }
  // A block names its segment by address only: it must not outlive it.
  void publish_segments(std::vector<Segment*> segments) {
    forget_tail();
    view.publish(std::make_unique<const LogView>(std::move(segments)), &limbo);
  }

  // append.cc
  void pump(Io& io);
  bool start_run(Io& io);
  Status finish_run(Io& io, Status status);
  void note_tail();
  void undo_op(Io& io);
  Status cut_tail(Io& io);
  void finish_op(Status status);
  Status roll(Io& io, int64_t base_offset);
  int64_t next_base(const AppendBatch& batch) const;
  // log.cc
  Status truncate_to(Io& io, int64_t offset);
  Status start_at(Io& io, int64_t offset);
  Status delete_front(Io& io, size_t doomed);
  Status fail_forever(Status status);
  // clean.cc
  Status advance_swap(Io& io);
  Status settle_swap(Io& io);
  Status undo_swap(Io& io, Segment* fresh);
  bool waits_for_names(const Status& status) const;
  // recovery.cc
  Status recover(Io& io, Recovery* recovery);
};

}  // namespace ottla
