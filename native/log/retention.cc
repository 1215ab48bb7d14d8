// Log::retain: which segments go by age, by size, and because the log starts behind them. Kafka:
// UnifiedLog.deleteOldSegments, deletableSegments and deleteSegments.
//
// Three rules, each from the oldest segment that the one before it left, each ending at the first
// segment that stays: a young segment shields older-looking ones behind it. Nothing that reaches
// the high watermark goes, nor an active segment without records. When even the active one is due,
// the log rolls first: it always has a segment, and its end does not move.
#include <algorithm>

#include "../base/assert.h"
#include "log_state.h"

namespace ottla {

namespace {

// How many segments go from the front.
class Front {
 public:
  Front(Io& io, const std::vector<Segment*>& all, const Retention& by)
      : io_(io), all_(all), by_(by) {}

  void below(int64_t log_start_offset) {
    while (count_ + 1 < all_.size() && may_go() &&
           all_[count_ + 1]->base_offset() <= log_start_offset) {
      count_ += 1;
    }
  }
  void larger_than(int64_t retention_bytes) {
    if (retention_bytes < 0) return;
    int64_t excess = -retention_bytes;
    for (size_t i = count_; i < all_.size(); i += 1) excess += all_[i]->end().bytes;
    while (excess >= 0 && may_go() && all_[count_]->end().bytes <= excess) {
      excess -= all_[count_]->end().bytes;
      count_ += 1;
    }
  }
  void older_than(int64_t retention_ms) {
    if (retention_ms < 0) return;
    while (may_go() && by_.now_ms - all_[count_]->largest_timestamp(io_) > retention_ms) {
      count_ += 1;
    }
  }
  size_t count() const { return count_; }

 private:
  bool may_go() const {
    if (count_ == all_.size()) return false;
    const bool is_last = count_ + 1 == all_.size();
    if (is_last && all_[count_]->end().bytes == 0) return false;
    const int64_t upper = is_last ? by_.end_offset : all_[count_ + 1]->base_offset();
    return upper <= by_.high_watermark;
  }

  Io& io_;
  const std::vector<Segment*>& all_;
  const Retention& by_;
  size_t count_ = 0;
};

}  // namespace

Status Log::retain(Io& io, const Retention& by, Retained* retained) {
  *retained = Retained{};
  State& state = *state_;
  OTTLA_TRY(state.offline);
  OTTLA_TRY(state.settle_swap(io));
  Front front(io, state.segments(), by);
  front.below(log_start_offset());
  front.larger_than(by.retention_bytes);
  front.older_than(by.retention_ms);
  size_t doomed = front.count();
  if (static_cast<int64_t>(doomed) > by.segments_max) {
    doomed = static_cast<size_t>(by.segments_max);
    retained->is_more = true;
  }
  if (doomed == state.segments().size()) {
    OTTLA_ASSERT(state.write_io == nullptr, "all that was appended is below the watermark");
    // A disk without room for a new file needs the older ones to go all the more.
    if (!state.roll(io, by.end_offset).ok()) doomed -= 1;
  }
  if (doomed == 0) return Status::good();
  const int64_t start = std::max(log_start_offset(), state.segments()[doomed]->base_offset());
  state.log_start_offset.store(start, std::memory_order_release);
  state.touched = true;
  retained->segments = static_cast<int64_t>(doomed);
  return state.delete_front(io, doomed);
}

int64_t Log::oldest_segment(Io& io, int64_t upper_offset, int64_t* max_timestamp,
                            int64_t* bytes) const {
  const std::vector<Segment*>& all = state_->segments();
  if (all.size() < 2 || all[1]->base_offset() > upper_offset) return -1;
  *max_timestamp = all[0]->largest_timestamp(io);
  *bytes = all[0]->end().bytes;
  return all[1]->base_offset();
}

}  // namespace ottla
