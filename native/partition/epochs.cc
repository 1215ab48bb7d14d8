// The list itself is a plain vector; readers have a copy in atomics.
#include "epochs.h"

#include <algorithm>
#include <utility>

#include "../base/assert.h"

namespace ottla {

namespace {
// Where the first entry of an epoch above `epoch` lies.
template <typename Entries>
size_t above(const Entries& entries, int32_t epoch) {
  size_t low = 0, high = entries.count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    (entries[middle].epoch <= epoch ? low : high) =
        entries[middle].epoch <= epoch ? middle + 1 : middle;
  }
  return low;
}
}  // namespace

Status Epochs::load(Io& io, const std::string& directory) {
  path_ = directory + "/" + kLeaderEpochFile;
  entries_.clear();
  std::string text;
  std::vector<EpochEntry> read;
  Status status = read_file(io, path_, &text);
  if (status.ok()) status = parse_epoch_checkpoint(text, &read);
  if (!status.ok() && status.code != Code::kNotFound && status.code != Code::kCorrupt)
    return status;
  is_missing_ = status.code == Code::kNotFound;
  file_bytes_ = text.size();
  dirty_ = is_unknown_ = !status.ok();
  unsynced_ = status.ok();
  for (const EpochEntry& entry : read) {
    if (entry.epoch >= 0 && entry.start_offset >= 0) (void)insert(entry);
  }
  publish();
  return Status::good();
}

bool Epochs::insert(EpochEntry entry) {
  OTTLA_ASSERT(entry.epoch >= 0 && entry.start_offset >= 0, "epochs and offsets are not negative");
  if (!entries_.empty()) {
    const EpochEntry& last = entries_.back();
    if (entry.epoch == last.epoch && entry.start_offset >= last.start_offset) return false;
  }
  while (!entries_.empty() && (entries_.back().epoch >= entry.epoch ||
                               entries_.back().start_offset >= entry.start_offset)) {
    entries_.pop_back();
  }
  entries_.push_back(entry);
  dirty_ = true;
  return true;
}

Status Epochs::assign(Io& io, int32_t epoch, int64_t start_offset) {
  if (!insert({epoch, start_offset})) return Status::good();
  publish();
  return entries_.size() == 1 && start_offset == 0 ? write_first(io) : Status::good();
}

// In place, with one write: a new file for each new leader is what a disk takes its time for. What
// a loss of power makes of it does not add up, and nothing below a recovery point needs it.
Status Epochs::write_first(Io& io) {
  const std::string text = format_epoch_checkpoint(entries_);
  if (is_missing_ || text.size() < file_bytes_) return write(io, false);
  Handle file = kNoHandle;
  OTTLA_TRY(io.open(path_, OpenMode::kReadWrite, &file));
  const Status status = io.write(file, text.data(), text.size(), 0);
  const Status closed = io.close(file);
  OTTLA_TRY(status);
  OTTLA_TRY(closed);
  is_now(text, false);
  return Status::good();
}

void Epochs::is_now(const std::string& text, bool synced) {
  dirty_ = is_missing_ = false;
  unsynced_ = !synced;
  file_bytes_ = text.size();
}

void Epochs::observe(int32_t epoch, int64_t start_offset, int64_t last_offset) {
  if (epoch < 0) return;
  const auto is_refuted = [&](const EpochEntry& entry) {
    return (entry.epoch > epoch && entry.start_offset <= last_offset) ||
           (entry.epoch < epoch && entry.start_offset >= start_offset);
  };
  const bool is_changed = std::erase_if(entries_, is_refuted) > 0;
  const auto at = std::ranges::lower_bound(entries_, epoch, {}, &EpochEntry::epoch);
  const bool is_known = at != entries_.end() && at->epoch == epoch;
  if (is_known && at->start_offset <= start_offset && !is_changed) return;
  if (!is_known) {
    entries_.insert(at, {epoch, start_offset});
  } else {
    at->start_offset = std::min(at->start_offset, start_offset);
  }
  dirty_ = true;
  publish();
}

Status Epochs::truncate_from_end(Io& io, int64_t end_offset) {
  const size_t before = entries_.size();
  while (!entries_.empty() && entries_.back().start_offset >= end_offset) entries_.pop_back();
  if (entries_.size() == before) return Status::good();
  publish();
  dirty_ = true;
  return write(io, true);
}

Status Epochs::truncate_from_start(Io& io, int64_t start_offset) {
  size_t covered = 0;  // entries that begin at or before it
  while (covered < entries_.size() && entries_[covered].start_offset <= start_offset) covered += 1;
  if (covered == 0 || (covered == 1 && entries_[0].start_offset == start_offset))
    return Status::good();
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(covered) - 1);
  entries_[0].start_offset = start_offset;
  publish();
  dirty_ = true;
  return write(io, true);
}

Status Epochs::clear(Io& io) {
  entries_.clear();
  publish();
  dirty_ = true;
  return write(io, true);
}

Status Epochs::create_file(Io& io) { return is_missing_ ? write(io, false) : Status::good(); }

Status Epochs::write(Io& io, bool synced) {
  const std::string text = format_epoch_checkpoint(entries_);
  OTTLA_TRY(synced ? replace_file(io, path_, text) : write_file(io, path_, text));
  is_now(text, synced);
  return Status::good();
}

Status Epochs::prepare_sync(Io& io, bool* unsynced) {
  // Whole at once: the recovery point counts on the file that is there.
  if (dirty_) OTTLA_TRY(write(io, true));
  *unsynced = std::exchange(unsynced_, false);
  return Status::good();
}

std::vector<EpochEntry> Epochs::entries() const { return entries_; }

void Epochs::publish() {
  if (tables_.empty() || tables_.back()->capacity < entries_.size()) {
    tables_.push_back(std::make_unique<Table>(std::max<size_t>(4, 2 * entries_.size())));
  }
  Table* table = tables_.back().get();
  const uint32_t sequence = sequence_.load(std::memory_order_relaxed);
  sequence_.exchange(sequence + 1, std::memory_order_acq_rel);  // later stores stay after it
  for (size_t i = 0; i < entries_.size(); i += 1) {
    table->slots[i].epoch.store(entries_[i].epoch, std::memory_order_release);
    table->slots[i].start_offset.store(entries_[i].start_offset, std::memory_order_release);
  }
  count_.store(entries_.size(), std::memory_order_release);
  table_.store(table, std::memory_order_release);
  sequence_.store(sequence + 2, std::memory_order_release);
}

// Runs `answer` on a table that did not change meanwhile.
template <typename Answer>
int32_t Epochs::consistently(const Answer& answer) const {
  for (;;) {
    const uint32_t before = sequence_.load(std::memory_order_acquire);
    const Table* table = table_.load(std::memory_order_acquire);
    View view;
    if (table != nullptr) {
      view.slots = table->slots.get();
      view.count = std::min(count_.load(std::memory_order_acquire), table->capacity);
    }
    const int32_t answered = answer(view);
    if (before % 2 == 0 && sequence_.load(std::memory_order_acquire) == before) return answered;
  }
}

int32_t Epochs::end_offset(int32_t epoch, int64_t log_end_offset, int64_t* end_offset) const {
  return consistently([&](const View& view) {
    *end_offset = kUndefinedEpochOffset;
    if (epoch == kUndefinedEpoch || view.count == 0) return kUndefinedEpoch;
    const size_t next = above(view, epoch);
    if (next < view.count) {
      *end_offset = view[next].start_offset;
      return next == 0 ? epoch : view[next - 1].epoch;
    }
    if (view[next - 1].epoch != epoch) return kUndefinedEpoch;  // newer than all we know
    *end_offset = log_end_offset;
    return epoch;
  });
}

int32_t Epochs::latest() const {
  return consistently([](const View& view) {
    return view.count == 0 ? kUndefinedEpoch : view[view.count - 1].epoch;
  });
}

int32_t Epochs::epoch_of(int64_t offset) const {
  return consistently([offset](const View& view) {
    int32_t epoch = kUndefinedEpoch;
    for (size_t i = 0; i < view.count && view[i].start_offset <= offset; i += 1)
      epoch = view[i].epoch;
    return epoch;
  });
}

}  // namespace ottla
