// A segment's life: created, appended to, sealed, read for years, renamed, gone.
#include "segment.h"

#include <algorithm>

#include "../base/assert.h"
#include "files.h"

namespace ottla {

namespace {
constexpr int64_t kStepBytesMin = 64 << 10;
constexpr int64_t kStepFastUs = 1'000'000;
constexpr int64_t kStepSlowUs = 10'000'000;
// One read covers the distance between two index entries, unless batches are larger.
constexpr size_t kScanBytes = 4096 + kBatchHeaderBytes;

std::string path_of(const Segment::Options& options, std::string_view kind) {
  return segment_path(options.directory, options.base_offset, kind) + options.suffix;
}
}  // namespace

Segment::Segment(const Options& options)
    : base_offset_(options.base_offset),
      disk_(options.disk),
      file_(options.files, path_of(options, kLogSuffix)),
      offsets_(IndexKind::kOffset, options.files, path_of(options, kIndexSuffix)),
      times_(IndexKind::kTime, options.files, path_of(options, kTimeIndexSuffix)),
      aborted_(options.files, path_of(options, kTxnIndexSuffix)),
      budget_(options.preallocation_budget) {
  end_.next_offset = base_offset_;
  publish();
}

void Segment::unref() {
  if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    release_budget();
    delete this;
  }
}

// --- any thread

SegmentEnd Segment::end() const {
  for (;;) {
    const uint32_t before = sequence_.load(std::memory_order_acquire);
    SegmentEnd end;
    end.bytes = published_bytes_.load(std::memory_order_acquire);
    end.next_offset = published_next_offset_.load(std::memory_order_acquire);
    end.max_timestamp = published_max_timestamp_.load(std::memory_order_acquire);
    end.max_timestamp_offset = published_max_timestamp_offset_.load(std::memory_order_acquire);
    const uint32_t after = sequence_.load(std::memory_order_acquire);
    if (before == after && before % 2 == 0) return end;
  }
}

bool Segment::boundary_at(int64_t offset, int64_t* position) const {
  for (;;) {
    const uint32_t before = sequence_.load(std::memory_order_acquire);
    bool found = false;
    for (const Boundary& boundary : boundaries_) {
      if (boundary.offset.load(std::memory_order_acquire) != offset) continue;
      *position = boundary.position.load(std::memory_order_acquire);
      found = true;
    }
    const uint32_t after = sequence_.load(std::memory_order_acquire);
    if (before == after && before % 2 == 0) return found;
  }
}

int64_t Segment::largest_timestamp(Io& io) const {
  const int64_t timestamp = end().max_timestamp;
  if (timestamp >= 0) return timestamp;
  FileInfo info;
  return io.stat(path(), &info).ok() ? info.modified_ms : INT64_MAX;  // unknown: it stays
}

Status Segment::pin(Io& io, Handle* file) {
  if (is_gone()) return Status::fail(Code::kNotFound, "segment was deleted");
  OTTLA_TRY(file_.pin(io, file));
  // Opened by name: the name may have passed to a new segment meanwhile. gone_ was set before that.
  if (!is_gone()) return Status::good();
  file_.unpin();
  *file = kNoHandle;
  return Status::fail(Code::kNotFound, "segment was deleted");
}

Status Segment::locate(Io& io, Handle file, int64_t offset, const SegmentEnd& end,
                       BatchPlace* place) {
  *place = BatchPlace{};
  IndexEntry entry;
  int64_t slot = -1;
  Status found = offsets_.floor_by_key(io, offset - base_offset_, &entry, &slot);
  if (found.code == Code::kWouldBlock) return found;
  const bool is_inside = entry.value >= 0 && entry.value < end.bytes;  // else it lies
  int64_t from = found.ok() && slot >= 0 && is_inside ? entry.value : 0;
  uint8_t buffer[kScanBytes];
  for (;;) {
    BatchScanner scanner(io, file, from, end.bytes, buffer);
    bool overshot = false;
    while (scanner.next()) {
      const RecordBatch& batch = scanner.batch();
      if (batch.last_offset() < offset) continue;
      // An index that points behind its offset lies; the walk from the start does not.
      overshot = from > 0 && scanner.position() == from && batch.base_offset() > offset;
      if (overshot) break;
      *place = {scanner.position(), batch.bytes(), batch.base_offset(), batch.last_offset()};
      return Status::good();
    }
    if (from == 0 || (scanner.status().ok() && !overshot)) return scanner.status();
    if (scanner.status().code != Code::kCorrupt && !overshot) return scanner.status();
    from = 0;
  }
}

Status Segment::whole_batches(Io& io, Handle file, int64_t from, int64_t limit,
                              const SegmentEnd& end, int64_t* position) {
  *position = from;
  if (limit >= end.bytes) {
    *position = end.bytes;
    return Status::good();
  }
  IndexEntry entry;
  int64_t slot = -1;
  const Status found = offsets_.floor_by_value(io, limit, &entry, &slot);
  if (found.code == Code::kWouldBlock) return found;
  uint8_t buffer[kScanBytes];
  const bool is_inside = entry.value > from && entry.value <= limit;  // else it lies
  int64_t start = found.ok() && slot >= 0 && is_inside ? entry.value : from;
  for (;;) {
    BatchScanner scanner(io, file, start, end.bytes, buffer);
    *position = start;
    while (scanner.next() && scanner.batch_end() <= limit) *position = scanner.batch_end();
    if (scanner.status().code != Code::kCorrupt || start == from) return scanner.status();
    start = from;
  }
}

// --- the writer

Status Segment::create(Io& io, const LogConfig& config) {
  Handle file = kNoHandle;
  OTTLA_TRY(io.open(file_.path(), OpenMode::kTruncate, &file));
  OTTLA_TRY(io.close(file));
  start_clock(io, config);
  return Status::good();
}

void Segment::start_clock(Io& io, const LogConfig& config) {
  created_ms_ = io.wall_ms();
  const int64_t jitter_max = std::min(config.segment_jitter_ms, config.segment_ms);
  jitter_ms_ = jitter_max > 0 ? static_cast<int64_t>(io.random() % uint64_t(jitter_max)) : 0;
}

void Segment::adopt(const SegmentEnd& end, int64_t rolling_timestamp) {
  end_ = end;
  rolling_timestamp_ = rolling_timestamp;
  bytes_since_index_ = 0;
  allocated_ = end.bytes;
  publish();
}

Segment::Plan Segment::plan(const LogConfig& config, int64_t now_ms) const {
  Plan plan;
  plan.config_ = &config;
  plan.base_offset_ = base_offset_;
  plan.now_ms_ = now_ms;
  plan.created_ms_ = created_ms_;
  plan.jitter_ms_ = jitter_ms_;
  plan.bytes_ = end_.bytes;
  plan.bytes_since_index_ = bytes_since_index_;
  plan.rolling_timestamp_ = rolling_timestamp_;
  plan.offset_entries_ = offsets_.count();
  plan.time_entries_ = times_.count();
  plan.last_indexed_timestamp_ = plan.time_entries_ > 0 ? times_.last().key : kNoTimestamp;
  plan.max_timestamp_ = end_.max_timestamp;
  return plan;
}

// Kafka: LogSegment.shouldRoll. A batch larger than a whole segment is the caller's to refuse; here
// it gets a segment of its own rather than an endless row of empty ones.
bool Segment::Plan::fits(const AppendBatch& batch) const {
  const int64_t relative = batch.last_offset - base_offset_;
  if (relative < 0 || relative > INT32_MAX) return false;
  if (bytes_ == 0) return true;
  if (bytes_ > config_->segment_bytes_max - batch.size) return false;
  // Timestamps are the client's: they wrap here as in Java.
  const int64_t waited_ms = rolling_timestamp_ >= 0
                                ? static_cast<int64_t>(static_cast<uint64_t>(batch.max_timestamp) -
                                                       static_cast<uint64_t>(rolling_timestamp_))
                                : now_ms_ - created_ms_;
  if (waited_ms > config_->segment_ms - jitter_ms_) return false;
  return offset_entries_ < config_->segment_index_bytes_max / 8 &&
         time_entries_ < config_->segment_index_bytes_max / 12 - 1;
}

void Segment::Plan::add(const AppendBatch& batch) {
  if (bytes_ == 0) rolling_timestamp_ = batch.max_timestamp;
  max_timestamp_ = std::max(max_timestamp_, batch.max_timestamp);
  if (bytes_since_index_ > config_->index_interval_bytes) {
    offset_entries_ += 1;
    if (max_timestamp_ > last_indexed_timestamp_) {
      time_entries_ += 1;
      last_indexed_timestamp_ = max_timestamp_;
    }
    bytes_since_index_ = 0;
  }
  bytes_since_index_ += batch.size;
  bytes_ += batch.size;
}

void Segment::reserve(Io& io, const LogConfig& config, int64_t bytes) {
  const int64_t needed = end_.bytes + bytes;
  const int64_t ahead_max =
      config.preallocate ? config.segment_bytes_max : config.preallocate_bytes_max;
  if (needed <= allocated_ || allocation_off_ || ahead_max <= 0) return;
  const int64_t now_us = io.now_us();
  if (step_bytes_ == 0) {
    step_bytes_ = kStepBytesMin;
  } else if (now_us - step_us_ < kStepFastUs) {
    step_bytes_ *= 2;
  } else if (now_us - step_us_ > kStepSlowUs) {
    step_bytes_ = std::max(step_bytes_ / 2, kStepBytesMin);
  }
  step_bytes_ = std::min(step_bytes_, ahead_max);
  step_us_ = now_us;
  const int64_t whole = std::max(config.segment_bytes_max, needed);
  const int64_t target = config.preallocate ? whole : std::min(needed + step_bytes_, whole);
  release_budget();
  if (budget_ != nullptr) {
    reserved_ = target - end_.bytes;
    if (budget_->fetch_sub(reserved_, std::memory_order_relaxed) < reserved_) {
      release_budget();
      return;
    }
  }
  Handle file = kNoHandle;
  if (file_.pin(io, &file).ok()) {
    allocation_off_ = !io.allocate(file, allocated_, target - allocated_).ok();
    file_.unpin();
    if (!allocation_off_) allocated_ = target;
  }
  if (allocated_ < target) release_budget();
}

void Segment::release_budget() {
  if (budget_ != nullptr) budget_->fetch_add(reserved_, std::memory_order_relaxed);
  reserved_ = 0;
}

// Kafka: LogSegment.append. The entry for a batch is written before the batch is counted, so that
// the first batch of a segment never has one.
void Segment::commit(Io& io, Limbo* limbo, const AppendBatch& batch, int64_t index_interval_bytes) {
  OTTLA_ASSERT(batch.base_offset >= end_.next_offset, "offsets grow");
  if (end_.bytes == 0) rolling_timestamp_ = batch.max_timestamp;
  if (batch.max_timestamp > end_.max_timestamp) {
    end_.max_timestamp = batch.max_timestamp;
    end_.max_timestamp_offset = batch.last_offset;
  }
  if (bytes_since_index_ > index_interval_bytes) {
    const int64_t key = batch.last_offset - base_offset_;
    // One that was read back, after a cut, may lie: the index stays sparse then.
    if (offsets_.count() == 0 || key > offsets_.last().key) {
      offsets_.append(io, limbo, {key, end_.bytes});
    }
    if (times_.count() == 0 ? end_.max_timestamp >= 0 : end_.max_timestamp > times_.last().key) {
      times_.append(io, limbo, {end_.max_timestamp, end_.max_timestamp_offset - base_offset_});
    }
    bytes_since_index_ = 0;
  }
  bytes_since_index_ += batch.size;
  end_.bytes += batch.size;
  end_.next_offset = batch.last_offset + 1;
}

void Segment::publish() {
  const uint32_t sequence = sequence_.load(std::memory_order_relaxed);
  sequence_.exchange(sequence + 1, std::memory_order_acq_rel);  // later stores stay after it
  const int64_t old_bytes = published_bytes_.load(std::memory_order_relaxed);
  if (end_.bytes > old_bytes) {
    Boundary& boundary = boundaries_[next_boundary_++ % kBoundaries];
    boundary.offset.store(published_next_offset_.load(std::memory_order_relaxed),
                          std::memory_order_release);
    boundary.position.store(old_bytes, std::memory_order_release);
  } else if (end_.bytes < old_bytes) {
    for (Boundary& boundary : boundaries_) boundary.offset.store(-1, std::memory_order_release);
  }
  published_bytes_.store(end_.bytes, std::memory_order_release);
  published_next_offset_.store(end_.next_offset, std::memory_order_release);
  published_max_timestamp_.store(end_.max_timestamp, std::memory_order_release);
  published_max_timestamp_offset_.store(end_.max_timestamp_offset, std::memory_order_release);
  sequence_.store(sequence + 2, std::memory_order_release);
}

Status Segment::trim(Io& io) {
  release_budget();
  if (allocated_ <= end_.bytes) return Status::good();
  Handle file = kNoHandle;
  OTTLA_TRY(file_.pin(io, &file));
  const Status status = io.truncate(file, end_.bytes);
  file_.unpin();
  if (status.ok()) allocated_ = end_.bytes;
  return status;
}

Status Segment::seal(Io& io, Limbo* limbo) {
  if (end_.max_timestamp >= 0 && (times_.count() == 0 || end_.max_timestamp > times_.last().key)) {
    times_.append(io, limbo, {end_.max_timestamp, end_.max_timestamp_offset - base_offset_});
  }
  (void)trim(io);  // blocks only; the bytes are right either way
  // Times first: what a later start does not find in them it looks for behind the last offset.
  OTTLA_TRY(times_.seal(io, limbo));
  return offsets_.seal(io, limbo);
}

Status Segment::cut_tail(Io& io) {
  Handle file = kNoHandle;
  OTTLA_TRY(file_.pin(io, &file));
  const Status status = io.truncate(file, end_.bytes);
  file_.unpin();
  if (status.ok()) allocated_ = end_.bytes;
  return status;
}

Status Segment::truncate_to(Io& io, Limbo* limbo, int64_t offset, int64_t* log_end) {
  *log_end = offset;
  Handle file = kNoHandle;
  OTTLA_TRY(pin(io, &file));
  BatchPlace place;
  Status status = locate(io, file, offset, end_, &place);
  IndexEntry entry;
  int64_t slot = -1;
  if (status.ok()) status = offsets_.floor_by_key(io, offset - base_offset_, &entry, &slot);
  if (status.ok()) {
    const bool exact = slot >= 0 && entry.key == offset - base_offset_;
    status = offsets_.truncate(io, limbo, exact ? slot : slot + 1);
  }
  // Entries of equal offset do not follow each other: a time entry is added for a larger timestamp
  // only, and that of a later batch.
  if (status.ok()) status = times_.floor_by_value(io, offset - base_offset_, &entry, &slot);
  if (status.ok()) {
    const bool exact = slot >= 0 && entry.value == offset - base_offset_;
    status = times_.truncate(io, limbo, exact ? slot : slot + 1);
  }
  if (status.ok()) status = aborted_.truncate_to(io, offset);
  if (status.ok() && place.position >= 0) {
    // A batch that only reaches over `offset` goes as a whole: the log must not pretend to hold its
    // front.
    *log_end = std::min(offset, std::max(place.base_offset, base_offset_));
    end_.bytes = place.position;
    status = io.truncate(file, end_.bytes);
    allocated_ = end_.bytes;
  }
  if (status.ok()) {
    end_.next_offset = *log_end;
    bytes_since_index_ = 0;
    if (end_.bytes == 0) rolling_timestamp_ = kNoTimestamp;
    if (end_.bytes == 0) created_ms_ = io.wall_ms();
    status = find_largest_timestamp(io, file);
  }
  unpin();
  publish();
  return status;
}

// From the last time entry on, what the batches behind it say (Kafka: readLargestTimestamp).
Status Segment::find_largest_timestamp(Io& io, Handle file) {
  const bool indexed = times_.count() > 0;
  end_.max_timestamp = indexed ? times_.last().key : kNoTimestamp;
  end_.max_timestamp_offset = indexed ? base_offset_ + times_.last().value : -1;
  IndexEntry entry;
  int64_t slot = -1;
  if (indexed) OTTLA_TRY(offsets_.floor_by_key(io, times_.last().value, &entry, &slot));
  uint8_t buffer[kScanBytes];
  const bool is_inside = slot >= 0 && entry.value >= 0 && entry.value < end_.bytes;
  BatchScanner scanner(io, file, is_inside ? entry.value : 0, end_.bytes, buffer);
  while (scanner.next()) {
    if (scanner.batch().max_timestamp() <= end_.max_timestamp) continue;
    end_.max_timestamp = scanner.batch().max_timestamp();
    end_.max_timestamp_offset = scanner.batch().last_offset();
  }
  return scanner.status();
}

Status Segment::sync(Io& io) {
  Handle file = kNoHandle;
  OTTLA_TRY(file_.pin(io, &file));
  const Status status = io.sync(file);
  file_.unpin();
  return status;
}

namespace {

Status sync_file(Io& io, CachedFile* file) {
  Pin pin;
  OTTLA_TRY(pin.take(io, file));
  return io.sync(pin.handle());
}

}  // namespace

Status Segment::sync_kept(Io& io) {
  OTTLA_TRY(sync(io));
  return aborted_.exists() ? sync_file(io, &aborted_.file()) : Status::good();
}

Status Segment::sync_all(Io& io) {
  OTTLA_TRY(sync_kept(io));
  OTTLA_TRY(sync_file(io, &offsets_.file()));
  return sync_file(io, &times_.file());
}

Status Segment::rename_files(Io& io, std::string_view from, std::string_view to) {
  for (CachedFile* file : {&file_, &offsets_.file(), &times_.file(), &aborted_.file()}) {
    const std::string& path = file->path();
    if (!path.ends_with(from)) continue;  // has it, though a later one found no room
    const std::string renamed = path.substr(0, path.size() - from.size()) + std::string(to);
    if (file != &aborted_.file() || aborted_.exists()) OTTLA_TRY(io.rename(path, renamed));
    file->set_path(renamed);
  }
  return Status::good();
}

Status Segment::remove(Io& io, std::vector<std::string>* later, bool keeps_snapshot) {
  mark_gone();
  const std::string paths[] = {file_.path(), offsets_.file().path(), times_.file().path(),
                               aborted_.file().path()};
  for (const std::string& path : paths) {
    Status status = io.rename(path, path + kDeletedSuffix);
    // A full disk may have no room for the longer name, and needs this one gone all the more.
    if (status.code == Code::kNoSpace) status = io.remove(path);
    if (status.code == Code::kNotFound) continue;
    OTTLA_TRY(status);
    if (later != nullptr) later->push_back(path + kDeletedSuffix);
  }
  for (const std::string& path : paths) {
    if (later != nullptr) break;
    const Status status = io.remove(path + kDeletedSuffix);
    if (status.code != Code::kNotFound) OTTLA_TRY(status);
  }
  if (keeps_snapshot) return Status::good();
  // The producers' state where it began: nobody else would ever remove it, and after a cut it would
  // be another log's.
  const std::string& log = file_.path();
  const std::string name = log.substr(0, log.size() - kLogSuffix.size());
  const Status status = io.remove(name + std::string(kSnapshotSuffix));
  return status.code == Code::kNotFound ? Status::good() : status;
}

Status Segment::close_files(Io& io) {
  const Status statuses[] = {file_.close(io), offsets_.file().close(io), times_.file().close(io),
                             aborted_.file().close(io)};
  for (const Status& status : statuses) OTTLA_TRY(status);
  return Status::good();
}

}  // namespace ottla
