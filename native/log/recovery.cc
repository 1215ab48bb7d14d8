// What a log believes when it opens. Kafka: LogLoader, LogSegment.recover.
//
//   after a clean shutdown      files are what they say; a missing or impossible index is rebuilt
//   otherwise                   segments from the recovery point on are read batch by batch:
//   length, CRC,
//                               offsets; indexes are rebuilt; the first bad batch ends the log,
//                               later segments go
//   always                      *.deleted and *.cleaned go, *.swap take the place of what they
//   replace
//
// Touches nothing but its own directory and the Io it was given, so many logs open on many threads.
#include <zlib.h>

#include <algorithm>
#include <map>

#include "../base/assert.h"
#include "files.h"
#include "log_state.h"

namespace ottla {

namespace {

constexpr int64_t kReplayBytesMin = 4 << 10;
constexpr int64_t kReplayBytesMax = 1 << 20;
constexpr size_t kTailBytes = 8 << 10;

struct Listing {
  std::vector<std::pair<std::string, SegmentFile>> files;

  Status read(Io& io, const std::string& directory) {
    files.clear();
    std::vector<std::string> names;
    OTTLA_TRY(io.list(directory, &names));
    std::sort(names.begin(), names.end());
    for (std::string& name : names) {
      const auto file = parse_segment_file(name);
      if (file.has_value()) files.emplace_back(std::move(name), *file);
    }
    return Status::good();
  }
};

// One past the last offset of a segment file whatever its name; its base when it is empty.
Status next_offset_of(Io& io, const std::string& path, int64_t base_offset, int64_t* next) {
  *next = base_offset;
  Handle file = kNoHandle;
  OTTLA_TRY(io.open(path, OpenMode::kRead, &file));
  int64_t bytes = 0;
  Status status = io.file_bytes(file, &bytes);
  uint8_t buffer[kTailBytes];
  BatchScanner scanner(io, file, 0, bytes, buffer);
  while (status.ok() && scanner.next()) *next = scanner.batch().next_offset();
  // What could not be read may go on: what it replaces would stay beside it.
  if (status.ok() && scanner.status().code != Code::kCorrupt) status = scanner.status();
  OTTLA_TRY(io.close(file));
  return status;
}

// Kafka's three passes over leftovers of deletions and of the cleaner's swaps.
Status clear_leftovers(Io& io, const std::string& directory) {
  Listing listing;
  OTTLA_TRY(listing.read(io, directory));
  int64_t cleaned_min = INT64_MAX;
  for (const auto& [name, file] : listing.files) {
    if (file.state == FileState::kCleaned) cleaned_min = std::min(cleaned_min, file.offset);
  }
  bool swaps = false;
  int64_t swap_min = INT64_MAX, swap_max = INT64_MIN;
  for (const auto& [name, file] : listing.files) {
    const std::string path = directory + "/" + name;
    // A swap at or above a half-made .cleaned belongs to a split that never finished.
    const bool unfinished = file.state == FileState::kSwap && file.offset >= cleaned_min;
    if (file.state == FileState::kDeleted || file.state == FileState::kCleaned || unfinished) {
      // A helper of this process may be at the same file.
      const Status removed = io.remove(path);
      if (removed.code != Code::kNotFound) OTTLA_TRY(removed);
    } else if (file.state == FileState::kSwap) {
      swaps = true;
      if (file.kind != FileKind::kLog) continue;
      int64_t next = 0;
      OTTLA_TRY(next_offset_of(io, path, file.offset, &next));
      swap_min = std::min(swap_min, file.offset);
      swap_max = std::max(swap_max, next);
    }
  }
  if (!swaps) return Status::good();
  for (const auto& [name, file] : listing.files) {
    if (file.state != FileState::kLive || file.offset < swap_min || file.offset >= swap_max)
      continue;
    OTTLA_TRY(io.remove(directory + "/" + name));
  }
  // Else a name that went could come back beside what has taken its place.
  OTTLA_TRY(io.sync_order(directory));
  for (const auto& [name, file] : listing.files) {
    if (file.state != FileState::kSwap || file.offset >= cleaned_min) continue;
    const std::string path = directory + "/" + name;
    OTTLA_TRY(io.rename(path, path.substr(0, path.size() - (sizeof kSwapSuffix - 1))));
  }
  return io.sync_directory(directory);
}

// Messages of formats 0 and 1 (Kafka before 0.11) pass their own CRC: not damage, but not ours to
// read or cut.
bool is_old_format(Io& io, Handle file, int64_t position, int64_t end) {
  constexpr int64_t kHead = 17, kMessageMax = 64 << 20;
  uint8_t head[kHead];
  size_t got = 0;
  if (!io.read(file, head, sizeof head, position, &got).ok() || got < sizeof head) return false;
  const int64_t bytes = int64_t{load_i32(head + 8)} + kBatchOverheadBytes;
  if (head[16] > 1 || bytes < 26 || bytes > std::min(end - position, kMessageMax)) return false;
  std::vector<uint8_t> message(static_cast<size_t>(bytes));
  if (!io.read(file, message.data(), message.size(), position, &got).ok() || got < message.size())
    return false;
  return crc32(0, message.data() + 16, static_cast<uInt>(bytes - 16)) ==
         load_u32(message.data() + 12);
}

// Opening one log, file by file.
class Loader {
 public:
  Loader(Io& io, Log::State* state, Log::Recovery* recovery)
      : io_(io), state_(*state), recovery_(*recovery) {}
  ~Loader() {
    for (Segment* segment : segments_) segment->unref();
  }
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  Status run();

 private:
  Status find_segments();
  Status load_segments();
  Status take_trusted(Segment* segment, int64_t bytes, int64_t next_base, bool* trusted);
  Status take_tail(Segment* segment, int64_t bytes, int64_t next_base, bool* trusted);
  Status replay(Segment* segment, int64_t next_base, int64_t* bytes_cut);
  Status replay_batches(Segment* segment, int64_t next_base, Handle file, int64_t file_bytes);
  Status drop_from(size_t first);
  Status drop_below(int64_t log_start_offset);
  Status settle();
  Status sync_found();
  Status sort_snapshots(int64_t log_end);
  Status remove_snapshot(int64_t offset);

  Io& io_;
  Log::State& state_;
  Log::Recovery& recovery_;
  std::vector<Segment*> segments_;  // one reference each
  std::vector<int64_t> snapshots_;
  std::vector<uint8_t> buffer_;
};

Status Loader::find_segments() {
  const std::string& directory = state_.options.directory;
  Listing listing;
  OTTLA_TRY(listing.read(io_, directory));
  std::map<int64_t, bool> logs;
  for (const auto& [name, file] : listing.files) {
    if (file.kind == FileKind::kLog) logs[file.offset] = true;
    if (file.kind == FileKind::kSnapshot) snapshots_.push_back(file.offset);
  }
  for (const auto& [name, file] : listing.files) {
    if (file.kind == FileKind::kSnapshot || logs.contains(file.offset)) continue;
    OTTLA_TRY(io_.remove(directory + "/" + name));  // an index without its log
  }
  for (const auto& [offset, present] : logs) {
    segments_.push_back(new Segment(state_.segment_options(offset)));
  }
  return Status::good();
}

// The tail of a clean log: from the last index entry on, batch headers only.
Status Loader::take_tail(Segment* segment, int64_t bytes, int64_t next_base, bool* trusted) {
  Handle file = kNoHandle;
  OTTLA_TRY(segment->pin(io_, &file));
  const SparseIndex& times = segment->times();
  SegmentEnd end{bytes, segment->base_offset(), kNoTimestamp, -1};
  if (times.count() > 0) {
    end.max_timestamp = times.last().key;
    end.max_timestamp_offset = segment->base_offset() + times.last().value;
  }
  uint8_t buffer[kTailBytes];
  const int64_t from = segment->offsets().count() > 0 ? segment->offsets().last().value : 0;
  BatchScanner scanner(io_, file, from, bytes, buffer);
  int64_t rolling_timestamp = kNoTimestamp;
  while (scanner.next()) {
    const RecordBatch& batch = scanner.batch();
    if (batch.base_offset() < end.next_offset) break;
    if (batch.last_offset() - segment->base_offset() > INT32_MAX) break;
    // The last entry is of this batch, or lies.
    const int64_t key = batch.last_offset() - segment->base_offset();
    if (from > 0 && scanner.position() == from && key != segment->offsets().last().key) break;
    if (scanner.position() == 0) rolling_timestamp = batch.max_timestamp();
    end.next_offset = batch.next_offset();
    if (batch.max_timestamp() <= end.max_timestamp) continue;
    end.max_timestamp = batch.max_timestamp();
    end.max_timestamp_offset = batch.last_offset();
  }
  Status status = scanner.status();
  *trusted = status.ok() && scanner.position() == bytes && end.next_offset <= next_base &&
             end.max_timestamp_offset < end.next_offset;
  if (*trusted && from > 0) {
    BatchScanner first(io_, file, 0, bytes, buffer);
    *trusted = first.next();
    if (*trusted) rolling_timestamp = first.batch().max_timestamp();
    status = first.status();
  }
  segment->unpin();
  if (*trusted) segment->adopt(end, rolling_timestamp);
  return status.code == Code::kCorrupt ? Status::good() : status;
}

Status Loader::take_trusted(Segment* segment, int64_t bytes, int64_t next_base, bool* trusted) {
  *trusted = false;
  const bool is_last = next_base == INT64_MAX;
  for (const Status& status : {segment->offsets().load(io_, is_last, bytes),
                               segment->times().load(io_, is_last, int64_t{INT32_MAX} + 1),
                               segment->aborted().load(io_, segment->base_offset())}) {
    if (status.code == Code::kNotFound || status.code == Code::kCorrupt) return Status::good();
    OTTLA_TRY(status);
  }
  return take_tail(segment, bytes, next_base, trusted);
}

Status Loader::replay_batches(Segment* segment, int64_t next_base, Handle file,
                              int64_t file_bytes) {
  const size_t wanted =
      static_cast<size_t>(std::clamp(file_bytes, kReplayBytesMin, kReplayBytesMax));
  if (buffer_.size() < wanted) buffer_.resize(wanted);
  BatchScanner scanner(io_, file, 0, file_bytes, buffer_);
  int64_t next_offset = segment->base_offset();
  bool valid = true;
  while (scanner.next()) {
    OTTLA_TRY(scanner.verify_crc(&valid));
    const RecordBatch& batch = scanner.batch();
    valid = valid && batch.base_offset() >= next_offset && batch.base_offset() < next_base &&
            batch.last_offset() - segment->base_offset() <= INT32_MAX;
    if (!valid) break;
    next_offset = batch.next_offset();
    AppendBatch append;
    append.size = static_cast<int32_t>(batch.bytes());
    append.base_offset = batch.base_offset();
    append.last_offset = batch.last_offset();
    append.max_timestamp = batch.max_timestamp();
    append.leader_epoch = batch.leader_epoch();
    segment->commit(io_, &state_.limbo, append, state_.config.index_interval_bytes);
    if (recovery_.replayed_from < 0) recovery_.replayed_from = batch.base_offset();
    const BatchVisitor& observer = state_.options.observer;
    if (observer.visit != nullptr) observer.visit(observer.context, batch);
  }
  if (!scanner.status().ok() && scanner.status().code != Code::kCorrupt) return scanner.status();
  if (segment->bytes() < file_bytes && is_old_format(io_, file, segment->bytes(), file_bytes)) {
    return Status::fail(Code::kInvalid, "record formats 0 and 1 are not supported");
  }
  return Status::good();
}

Status Loader::replay(Segment* segment, int64_t next_base, int64_t* bytes_cut) {
  state_.touched = true;
  OTTLA_TRY(segment->offsets().reset(io_, &state_.limbo));
  OTTLA_TRY(segment->times().reset(io_, &state_.limbo));
  OTTLA_TRY(segment->aborted().clear(io_));
  Handle file = kNoHandle;
  OTTLA_TRY(segment->pin(io_, &file));
  int64_t file_bytes = 0;
  Status status = io_.file_bytes(file, &file_bytes);
  if (status.ok()) status = replay_batches(segment, next_base, file, file_bytes);
  segment->unpin();
  OTTLA_TRY(status);
  segment->publish();
  *bytes_cut = file_bytes - segment->bytes();
  recovery_.segments_recovered += 1;
  recovery_.bytes_truncated += *bytes_cut;
  OTTLA_TRY(segment->cut_tail(io_));  // and gives back blocks that were allocated ahead
  // What was cut must not come back behind what takes its place.
  return *bytes_cut > 0 ? segment->sync(io_) : Status::good();
}

// Newest first, so that what a crash leaves is one run of offsets.
Status Loader::drop_from(size_t first) {
  if (first == segments_.size()) return Status::good();
  state_.touched = true;
  while (segments_.size() > first) {
    FileInfo info;
    if (io_.stat(segments_.back()->path(), &info).ok()) recovery_.bytes_truncated += info.bytes;
    OTTLA_TRY(segments_.back()->remove(io_));
    segments_.back()->unref();
    segments_.pop_back();
  }
  return io_.sync_directory(state_.options.directory);
}

// What was deleted from the front, and is back because its names were not synced: with holes in it,
// perhaps, behind which nothing would be believed.
Status Loader::drop_below(int64_t log_start_offset) {
  size_t count = 0;
  while (count + 1 < segments_.size() && segments_[count + 1]->base_offset() <= log_start_offset) {
    state_.touched = true;
    OTTLA_TRY(segments_[count]->remove(io_));
    segments_[count]->unref();
    count += 1;
  }
  segments_.erase(segments_.begin(), segments_.begin() + static_cast<ptrdiff_t>(count));
  return Status::good();
}

Status Loader::load_segments() {
  const Log::Options& options = state_.options;
  bool replaying = false;
  for (size_t i = 0; i < segments_.size(); i += 1) {
    Segment* segment = segments_[i];
    const bool is_last = i + 1 == segments_.size();
    const int64_t next_base = is_last ? INT64_MAX : segments_[i + 1]->base_offset();
    const bool flushed = options.clean_shutdown || next_base <= options.recovery_point;
    segment->start_clock(io_, state_.config);
    int64_t bytes_cut = 0;
    if (flushed) {
      FileInfo info;
      OTTLA_TRY(io_.stat(segment->path(), &info));
      bool trusted = false;
      OTTLA_TRY(take_trusted(segment, info.bytes, next_base, &trusted));
      if (trusted) continue;
      recovery_.indexes_rebuilt += 1;
      recovery_.rebuilt_from = std::min(recovery_.rebuilt_from, segment->base_offset());
    }
    // A machine that lost power may have lost the end of a file and kept the next: what follows a
    // hole goes.
    const int64_t expected =
        i > 0 && !flushed && replaying ? segments_[i - 1]->end().next_offset : -1;
    const int64_t gap = expected >= 0 ? segment->base_offset() - expected : 0;
    if (gap < 0 || (gap > 0 && !options.gaps_allowed)) return drop_from(i);
    replaying = !flushed;
    // Below the recovery point the next segment is the log: what lies beyond its base was refused,
    // cut, and is back because nothing synced the cut.
    OTTLA_TRY(replay(segment, flushed ? next_base : INT64_MAX, &bytes_cut));
    if (bytes_cut > 0 && !flushed) return drop_from(i + 1);
    if (is_last) continue;
    // A full disk leaves its indexes shorter than they should be, which is only slower.
    const Status sealed = segment->seal(io_, &state_.limbo);
    if (sealed.code != Code::kNoSpace) OTTLA_TRY(sealed);
  }
  return Status::good();
}

// Those that a segment begins with stay, and the newest, which a clean stop leaves at the end. The
// others nobody would ever remove (Kafka: removeStraySnapshots).
Status Loader::sort_snapshots(int64_t log_end) {
  std::sort(snapshots_.begin(), snapshots_.end());
  while (!snapshots_.empty() && snapshots_.back() > log_end) {
    OTTLA_TRY(remove_snapshot(snapshots_.back()));
    snapshots_.pop_back();
  }
  for (const int64_t offset : snapshots_) {
    const bool begins = std::ranges::binary_search(segments_, offset, {}, &Segment::base_offset);
    if (begins || offset == snapshots_.back()) {
      recovery_.producer_snapshots.push_back(offset);
    } else {
      OTTLA_TRY(remove_snapshot(offset));
    }
  }
  return Status::good();
}

// It may have gone with its segment.
Status Loader::remove_snapshot(int64_t offset) {
  const Status status = io_.remove(segment_path(state_.options.directory, offset, kSnapshotSuffix));
  return status.code == Code::kNotFound ? Status::good() : status;
}

// What a kill left is read from memory, and perhaps nowhere else; nor is a cut that failed
// half-way, whose end would come back.
Status Loader::sync_found() {
  const std::string& directory = state_.options.directory;
  for (size_t i = segments_.size(); i > 0; i -= 1) {
    OTTLA_TRY(segments_[i - 1]->sync(io_));
    if (segments_[i - 1]->base_offset() < state_.options.recovery_point) break;
  }
  OTTLA_TRY(io_.sync_directory(directory));
  return io_.sync_directory(parent_directory(directory));
}

Status Loader::settle() {
  const Log::Options& options = state_.options;
  // After a crash nobody knows which names were synced: the next flush makes sure.
  state_.directory_dirty = state_.parent_dirty = !options.clean_shutdown;
  int64_t log_end = segments_.empty() ? -1 : segments_.back()->end().next_offset;
  if (!segments_.empty() && log_end < options.log_start_offset) OTTLA_TRY(drop_from(0));
  if (segments_.empty()) {
    log_end = options.log_start_offset;
    segments_.push_back(new Segment(state_.segment_options(log_end)));
    OTTLA_TRY(segments_.back()->create(io_, state_.config));
    // Else a loss of power could leave what follows it, without the log's beginning.
    OTTLA_TRY(io_.sync_directory(options.directory));
    state_.directory_dirty = state_.parent_dirty = true;  // likely a new log in a new directory
    state_.touched = true;
  }
  if (options.syncs_ends && !options.clean_shutdown) OTTLA_TRY(sync_found());
  const int64_t log_start = std::max(options.log_start_offset, segments_.front()->base_offset());
  state_.log_start_offset.store(log_start, std::memory_order_relaxed);
  state_.log_end_offset.store(log_end, std::memory_order_relaxed);
  state_.recovery_point.store(options.clean_shutdown && recovery_.segments_recovered == 0
                                  ? log_end
                                  : std::min(options.recovery_point, log_end),
                              std::memory_order_relaxed);
  OTTLA_TRY(sort_snapshots(log_end));
  recovery_.log_start_offset = log_start;
  recovery_.log_end_offset = log_end;
  state_.publish_segments(segments_);
  return Status::good();
}

Status Loader::run() {
  const std::string& directory = state_.options.directory;
  FileInfo info;
  const Status found = io_.stat(directory, &info);
  if (found.code == Code::kNotFound) {
    OTTLA_TRY(io_.make_directory(directory));
  } else {
    OTTLA_TRY(found);
    OTTLA_TRY(clear_leftovers(io_, directory));
    OTTLA_TRY(find_segments());
    OTTLA_TRY(drop_below(state_.options.log_start_offset));
  }
  OTTLA_TRY(load_segments());
  return settle();
}

}  // namespace

Status Log::State::recover(Io& io, Recovery* recovery) {
  Recovery unused;
  Recovery* into = recovery != nullptr ? recovery : &unused;
  *into = Recovery{};
  Loader loader(io, this, into);
  return loader.run();
}

}  // namespace ottla
