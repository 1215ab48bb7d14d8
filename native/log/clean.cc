// Log: the owner's part of a compaction: what there is to clean, and putting a cleaned group in the
// place of what it replaces. Kafka: LogCleanerManager.cleanableOffsets, LocalLog.replaceSegments.
//
//   .cleaned ─► .swap, names synced ─► old ones .deleted, the view replaced, names synced ─► no
//   suffix, names synced
//
// Names are synced after each, on a helper: the disk may forget them in any order. From the
// first .swap on a restart would finish it, so whatever else changes the log finishes it first
// (settle_swap).
//
// A disk without room for a name takes nothing offline: before the .swap are synced all of it is
// undone, and when only the last names are left they wait, the log being whole as it is.
#include <algorithm>

#include "../base/assert.h"
#include "cleaner.h"
#include "files.h"
#include "log_state.h"

namespace ottla {

Cleanable Log::cleanable(int64_t first_dirty_offset, int64_t stable_offset, int64_t min_lag_ms,
                         int64_t now_ms) const {
  Cleanable found;
  const std::vector<Segment*>& all = state_->segments();
  const bool is_inside =
      first_dirty_offset >= log_start_offset() && first_dirty_offset <= log_end_offset();
  found.first_dirty_offset = is_inside ? first_dirty_offset : log_start_offset();
  const LogView& view = *state_->view.read();
  const size_t first = view.floor(found.first_dirty_offset);
  int64_t limit = std::min(stable_offset, all.back()->base_offset());
  for (size_t i = first; i + 1 < all.size() && min_lag_ms > 0; i += 1) {
    if (all[i]->end().max_timestamp <= now_ms - min_lag_ms) continue;
    limit = std::min(limit, all[i]->base_offset());
    break;
  }
  limit = std::max(limit, found.first_dirty_offset);
  // Whole segments: up to the one that holds the limit.
  found.first_uncleanable_offset = all[view.floor(limit)]->base_offset();
  for (size_t i = 0; i + 1 < all.size(); i += 1) {
    const int64_t base = all[i]->base_offset();
    const int64_t bytes = all[i]->end().bytes;
    if (i >= first && base < found.first_uncleanable_offset) {
      found.cleanable_bytes += bytes;
    } else if (base < found.first_dirty_offset) {
      found.clean_bytes += bytes;
    }
    const int64_t timestamp = all[i]->first_timestamp();
    if (i < first || timestamp <= 0) continue;
    int64_t& earliest = found.earliest_dirty_timestamp;
    earliest = earliest < 0 ? timestamp : std::min(earliest, timestamp);
  }
  return found;
}

Status Log::clean_begin(Io& io, const CleanRequest& request, std::unique_ptr<CleanJob>* job) {
  OTTLA_TRY(state_->offline);
  const Cleanable found = cleanable(request.first_dirty_offset, request.stable_offset,
                                    request.min_lag_ms, request.now_ms);
  std::unique_ptr<CleanJob> fresh(new CleanJob(request, *state_));
  OTTLA_TRY(fresh->begin(io, found));
  *job = std::move(fresh);
  return Status::good();
}

Status Log::swap_begin(Io& io, CleanJob* job) {
  State& state = *state_;
  OTTLA_ASSERT(state.swap == nullptr && job->phase_ == CleanJob::Phase::kGroupReady,
               "one group at a time");
  OTTLA_TRY(state.offline);
  const CleanJob::Group& group = job->groups_[job->group_];
  const auto first = job->segments_.begin() + static_cast<ptrdiff_t>(group.first);
  const auto last = job->segments_.begin() + static_cast<ptrdiff_t>(group.last) + 1;
  const std::vector<Segment*>& all = state.segments();
  const auto found = std::search(all.begin(), all.end(), first, last);
  if (found == all.end() || job->generation_ != generation() || state.closed) {
    (void)job->discard(io);
    job->phase_ = CleanJob::Phase::kDone;
    return Status::fail(Code::kNotFound, "the log has let go of what was cleaned");
  }
  auto swap = std::make_unique<Swap>();
  swap->fresh = job->take_output();
  swap->held.segments = {swap->fresh};
  swap->old.assign(first, last);
  for (Segment* segment : swap->old) {
    segment->ref();
    swap->held.segments.push_back(segment);
  }
  job->group_done();
  Status status = swap->fresh->rename_files(io, kCleanedSuffix, kSwapSuffix);
  if (status.code == Code::kNoSpace) {
    const Status undone = state.undo_swap(io, swap->fresh);
    return undone.ok() ? status : state.fail_forever(undone);
  }
  // Open from here on, so that nobody looks for it by a name that changes.
  if (status.ok()) status = swap->take_pins(io);
  state.swap = std::move(swap);
  state.touched = true;
  return status.ok() ? status : state.fail_forever(status);
}

Status Log::swap_advance(Io& io, bool* is_done) {
  State& state = *state_;
  *is_done = state.swap == nullptr;
  if (*is_done) return Status::good();
  OTTLA_TRY(state.offline);
  const Status status = state.advance_swap(io);
  *is_done = state.swap == nullptr;
  return status.ok() || state.waits_for_names(status) ? status : state.fail_forever(status);
}

bool Log::is_swapping() const { return state_->swap != nullptr; }

const std::string& Log::directory() const { return state_->options.directory; }

// One step on: what is called between two syncs of the directory.
Status Log::State::advance_swap(Io& io) {
  // A .cleaned of a later round, beside a .swap that is still called so, would undo it.
  if (swap->is_named) {
    swap.reset();
    return Status::good();
  }
  if (swap->is_replaced) {
    OTTLA_TRY(swap->fresh->rename_files(io, kSwapSuffix, ""));
    swap->is_named = true;
    return Status::good();
  }
  std::vector<Segment*> all = segments();
  const auto at = std::search(all.begin(), all.end(), swap->old.begin(), swap->old.end());
  OTTLA_ASSERT(at != all.end(), "what is replaced is there");
  *at = swap->fresh;
  all.erase(at + 1, at + static_cast<ptrdiff_t>(swap->old.size()));
  publish_segments(std::move(all));
  for (Segment* segment : swap->old) {
    const bool keeps_snapshot = segment == swap->old.front();
    OTTLA_TRY(segment->remove(io, later(), keeps_snapshot));
  }
  swap->is_replaced = true;
  return Status::good();
}

// A start takes a .swap beside a .cleaned for one that never began: it goes first, and for good.
Status Log::State::undo_swap(Io& io, Segment* fresh) {
  OTTLA_TRY(fresh->close_files(io));
  const auto remove = [&](const char* suffix) {
    for (const auto& kind : {kLogSuffix, kIndexSuffix, kTimeIndexSuffix, kTxnIndexSuffix}) {
      const std::string path = segment_path(options.directory, fresh->base_offset(), kind);
      const Status status = io.remove(path + suffix);
      if (status.code != Code::kNotFound) OTTLA_TRY(status);
    }
    return Status::good();
  };
  OTTLA_TRY(remove(kSwapSuffix));
  OTTLA_TRY(io.sync_order(options.directory));
  return remove(kCleanedSuffix);
}

bool Log::State::waits_for_names(const Status& status) const {
  return status.code == Code::kNoSpace && swap != nullptr && swap->is_replaced;
}

Status Log::State::settle_swap(Io& io) {
  while (swap != nullptr) {
    OTTLA_TRY(offline);  // a step that failed is not taken again
    Status status = io.sync_order(options.directory);
    if (!status.ok()) return fail_forever(status);
    status = advance_swap(io);
    if (!status.ok()) return waits_for_names(status) ? status : fail_forever(status);
  }
  return Status::good();
}

Status Swap::take_pins(Io& io) {
  OTTLA_TRY(log.take(io, &fresh->file()));
  OTTLA_TRY(offsets.take(io, &fresh->offsets().file()));
  OTTLA_TRY(times.take(io, &fresh->times().file()));
  return fresh->aborted().exists() ? aborted.take(io, &fresh->aborted().file()) : Status::good();
}

}  // namespace ottla
