// What any thread may ask of a log. Kafka: LocalLog.read, UnifiedLog.fetchOffsetByTimestamp,
// ListOffsets.
//
// A reader takes the log end first and the view after it: the view that holds that end was
// published before. It answers only if no truncation began meanwhile, else it looks again; a
// segment that vanished under an old view (front deleted) is looked for in the new one.
#include <algorithm>

#include "../base/assert.h"
#include "../base/compress.h"
#include "log_state.h"

namespace ottla {

namespace {
constexpr int kAttempts = 4;
constexpr size_t kScanBytes = 64 << 10;
// More than this is never unpacked to find one timestamp; the batch then answers as a whole.
constexpr size_t kUnpackedBytesMax = 128u << 20;

// Runs `attempt` until it ran without a truncation beside it.
template <typename Attempt>
Status consistently(const std::atomic<uint64_t>& generation, const Attempt& attempt) {
  for (int i = 0; i < kAttempts; i += 1) {
    const uint64_t before = generation.load(std::memory_order_acquire);
    const Status status = attempt();
    const bool moved = generation.load(std::memory_order_acquire) != before;
    if (!moved && before % 2 == 0 && status.code != Code::kNotFound) return status;
  }
  return Status::fail(Code::kBusy, "log is being truncated");
}

// First record of a loaded batch with `matches`; false when there is none or the records cannot be
// read.
template <typename Matches>
bool find_record(const RecordBatch& batch, Bytes records, const Matches& matches,
                 OffsetAndTimestamp* found, bool* readable) {
  const uint8_t* at = records.data();
  const uint8_t* const end = at + records.size();
  *readable = true;
  for (int32_t i = 0; i < batch.records_count(); i += 1) {
    RecordView record;
    at = read_record(at, end, &record);
    if (at == nullptr) {
      *readable = false;
      return false;
    }
    const int64_t offset = batch.base_offset() + record.offset_delta;
    const int64_t timestamp = record_timestamp(batch, record);
    if (!matches(offset, timestamp)) continue;
    *found = {offset, timestamp, batch.leader_epoch()};
    return true;
  }
  return false;
}

// The same for a batch on disk. One that does not unpack is its reader's error and stops nothing
// here (PERFORMANCE §1.1): it answers with its first offset.
template <typename Matches>
Status find_in_batch(BatchScanner* scanner, Io& io, Handle file, const Matches& matches,
                     OffsetAndTimestamp* found, bool* done) {
  std::vector<uint8_t> whole, unpacked;
  RecordBatch batch = scanner->batch();
  if (scanner->load_records()) {
    batch = scanner->batch();
  } else {
    OTTLA_TRY(scanner->status());
    whole.resize(static_cast<size_t>(batch.bytes()));
    size_t got = 0;
    OTTLA_TRY(io.read(file, whole.data(), whole.size(), scanner->position(), &got));
    if (got < whole.size())
      return Status::fail(Code::kCorrupt, "segment file is shorter than it was");
    batch = RecordBatch(whole.data(), whole.size());
  }
  Bytes records = batch.records();
  bool readable = batch.compression() <= kCodecMax;
  if (readable && batch.compression() != 0) {
    readable =
        decompress(static_cast<Codec>(batch.compression()), records, kUnpackedBytesMax, &unpacked)
            .ok();
    records = Bytes(unpacked);
  }
  if (readable) *done = find_record(batch, records, matches, found, &readable);
  if (!readable) {
    *done = true;
    *found = {batch.base_offset(), batch.max_timestamp(), batch.leader_epoch()};
  }
  return Status::good();
}

// The tail without a look into the file: from one recent append's end to another, or to the
// segment's.
bool is_tail_run(const Segment& segment, int64_t offset, int64_t limit, const SegmentEnd& end,
                 int64_t bytes_max, int64_t* position, int64_t* stop) {
  if (!segment.boundary_at(offset, position)) return false;
  *stop = end.bytes;
  if (limit < end.next_offset && !segment.boundary_at(limit, stop)) return false;
  return *stop > *position && *stop - *position <= bytes_max;
}

// The first batch with records at `place` or behind it; as it was when there is none before `stop`.
// What it passes belongs to producers that are remembered, but for the last of a segment.
Status skip_headers(Io& io, Handle file, int64_t stop, BatchPlace* place, bool* has_records) {
  uint8_t buffer[kScanBytes];
  BatchScanner scanner(io, file, place->position, stop, buffer);
  *has_records = false;
  while (scanner.next() && !*has_records) {
    const RecordBatch& batch = scanner.batch();
    if (batch.records_count() == 0) continue;
    *has_records = true;
    *place = {scanner.position(), batch.bytes(), batch.base_offset(), batch.last_offset()};
  }
  return scanner.status();
}

struct ReadLimits {
  int64_t offset;  // at or beyond it nothing is shown
  int64_t bytes_max;
  bool at_least_one;
  bool skips_headers;
};

// Where the run of batches from `first` on ends, when a header further on is damaged: that takes
// nothing from what lies before it.
Status stop_before_damage(Io& io, Handle file, const BatchPlace& first, const ReadLimits& limits,
                          const SegmentEnd& end, int64_t* stop) {
  std::vector<uint8_t> buffer(kScanBytes);
  BatchScanner scanner(io, file, first.position, end.bytes, buffer);
  *stop = first.position;
  while (scanner.next() && scanner.batch_end() - first.position <= limits.bytes_max &&
         scanner.batch().last_offset() < limits.offset) {
    *stop = scanner.batch_end();
  }
  return scanner.status().code == Code::kCorrupt ? Status::good() : scanner.status();
}

// The batches of one segment from `offset` on. *found: they are here, though the limits may leave
// none of them. Where headers are skipped and nothing else is here, *found stays false with the
// headers in *slice: a later segment may do better.
Status read_segment(Io& io, Segment* segment, bool is_active, int64_t offset,
                    const ReadLimits& limits, ReadSlice* slice, bool* found) {
  const int64_t limit = limits.offset, bytes_max = limits.bytes_max;
  *found = false;
  const SegmentEnd end = segment->end();
  if (offset >= end.next_offset || end.bytes == 0) return Status::good();
  SegmentPin pin(segment);
  OTTLA_TRY(pin.take(io));
  int64_t position = 0, stop = end.bytes;
  // Of the active segment it is all there is: headers alone only where nothing follows.
  if ((is_active || !limits.skips_headers) &&
      is_tail_run(*segment, offset, limit, end, bytes_max, &position, &stop)) {
    *found = true;
    segment->ref();
    *slice = ReadSlice(segment, pin.release(), position, stop - position);
    slice->mark_recent();
    return Status::good();
  }
  BatchPlace first;
  OTTLA_TRY(segment->locate(io, pin.file(), offset, end, &first));
  if (first.position < 0) return Status::good();
  *found = true;
  if (first.last_offset >= limit)
    return Status::good();  // the batch reaches beyond what may be shown
  stop = end.bytes;
  bool is_damaged = false;
  const auto unless_damaged = [&](const Status& status) {
    is_damaged = is_damaged || status.code == Code::kCorrupt;
    return status.code == Code::kCorrupt ? Status::good() : status;
  };
  if (limit < end.next_offset) {
    BatchPlace beyond;
    OTTLA_TRY(unless_damaged(segment->locate(io, pin.file(), limit, end, &beyond)));
    if (beyond.position >= 0) stop = beyond.position;
  }
  if (limits.skips_headers && first.bytes == kBatchHeaderBytes) {
    OTTLA_TRY(unless_damaged(skip_headers(io, pin.file(), stop, &first, found)));
    if (first.last_offset >= limit) return Status::good();
  }
  const int64_t readable = stop - first.position;
  *slice = ReadSlice();
  slice->set_readable_bytes(readable);
  if (!is_damaged && stop - first.position > bytes_max) {
    OTTLA_TRY(unless_damaged(segment->whole_batches(io, pin.file(), first.position,
                                                    first.position + bytes_max, end, &stop)));
  }
  if (is_damaged) OTTLA_TRY(stop_before_damage(io, pin.file(), first, limits, end, &stop));
  if (stop == first.position && limits.at_least_one) stop += first.bytes;
  if (stop == first.position) return Status::good();
  segment->ref();
  *slice = ReadSlice(segment, pin.release(), first.position, stop - first.position);
  slice->set_readable_bytes(readable);
  return Status::good();
}

}  // namespace

// --- ReadSlice

ReadSlice::ReadSlice(Segment* segment, Handle file, int64_t position, int64_t bytes)
    : segment_(segment), file_(file), position_(position), bytes_(bytes), readable_bytes_(bytes) {}

ReadSlice::ReadSlice(ReadSlice&& other) noexcept { *this = std::move(other); }

ReadSlice& ReadSlice::operator=(ReadSlice&& other) noexcept {
  std::swap(segment_, other.segment_);
  std::swap(file_, other.file_);
  std::swap(position_, other.position_);
  std::swap(bytes_, other.bytes_);
  std::swap(readable_bytes_, other.readable_bytes_);
  std::swap(is_recent_, other.is_recent_);
  return *this;
}

ReadSlice::~ReadSlice() {
  if (segment_ == nullptr) return;
  segment_->unpin();
  segment_->unref();
}

int32_t ReadSlice::disk() const { return segment_->disk(); }

Status ReadSlice::file(Io&, Handle* file) const {
  if (segment_ == nullptr) return Status::fail(Code::kInvalid, "empty slice has no file");
  *file = file_;
  return Status::good();
}

// --- Log

int64_t Log::log_start_offset() const {
  return state_->log_start_offset.load(std::memory_order_acquire);
}
int64_t Log::log_end_offset() const {
  return state_->log_end_offset.load(std::memory_order_acquire);
}
int64_t Log::recovery_point() const {
  return state_->recovery_point.load(std::memory_order_acquire);
}
uint64_t Log::generation() const { return state_->generation.load(std::memory_order_acquire); }

int64_t Log::active_base_offset() const { return state_->active()->base_offset(); }

// Asked after every append: must not depend on how many segments there are.
int64_t Log::bytes() const {
  const LogView& view = *state_->view.read();
  return view.rolled_bytes + view.segments.back()->end().bytes;
}

int64_t Log::max_timestamp() const {
  int64_t timestamp = kNoTimestamp;
  for (const Segment* segment : state_->segments()) {
    timestamp = std::max(timestamp, segment->end().max_timestamp);
  }
  return timestamp;
}

Status Log::read(Io& io, int64_t offset, int64_t upper_offset, int64_t bytes_max, bool at_least_one,
                 ReadSlice* slice, bool skips_headers) const {
  return consistently(state_->generation, [&]() -> Status {
    *slice = ReadSlice();
    const int64_t limit = std::min(upper_offset, log_end_offset());
    if (offset < log_start_offset() || offset > limit) {
      return Status::fail(Code::kOutOfRange, "offset outside the log");
    }
    if (offset == limit) return Status::good();
    const LogView& view = *state_->view.read();
    const ReadLimits limits{limit, bytes_max, at_least_one, skips_headers};
    bool found = false;
    for (size_t i = view.floor(offset); i < view.segments.size() && !found; i += 1) {
      if (view.segments[i]->base_offset() >= limit) break;
      const bool is_active = i + 1 == view.segments.size();
      OTTLA_TRY(read_segment(io, view.segments[i], is_active, offset, limits, slice, &found));
    }
    return Status::good();
  });
}

bool Log::copy_tail(const ReadSlice& slice, uint8_t* into) {
  State& state = *state_;
  if (state.options.tails == nullptr) return false;
  if (state.tail != nullptr) {
    return state.tail->copy(slice.segment(), slice.position(), slice.bytes(), into);
  }
  const Segment* active = state.active();
  if (slice.segment() == active && slice.is_recent() && !state.closed) {
    state.options.tails->take(&state.tail);
    state.tail->begin_at(active, active->bytes());
  }
  return false;
}

Status Log::find_by_timestamp(Io& io, int64_t timestamp, int64_t upper_offset,
                              OffsetAndTimestamp* found) const {
  return consistently(state_->generation, [&]() -> Status {
    *found = OffsetAndTimestamp{};
    const int64_t start = log_start_offset();
    const int64_t limit = std::min(upper_offset, log_end_offset());
    std::vector<uint8_t> buffer(kScanBytes);
    for (Segment* segment : state_->segments()) {
      const SegmentEnd end = segment->end();
      if (end.max_timestamp < timestamp || segment->base_offset() >= limit) continue;
      SegmentPin pin(segment);
      OTTLA_TRY(pin.take(io));
      IndexEntry time;
      int64_t slot = -1;
      OTTLA_TRY(segment->times().floor_by_key(io, timestamp, &time, &slot));
      const int64_t from = std::max(slot >= 0 ? time.value : 0, start - segment->base_offset());
      BatchPlace place;
      OTTLA_TRY(segment->locate(io, pin.file(), segment->base_offset() + from, end, &place));
      if (place.position < 0) continue;
      BatchScanner scanner(io, pin.file(), place.position, end.bytes, buffer);
      while (scanner.next() && scanner.batch().base_offset() < limit) {
        if (scanner.batch().max_timestamp() < timestamp || scanner.batch().last_offset() < start)
          continue;
        bool done = false;
        const auto matches = [&](int64_t offset, int64_t time_of_record) {
          return time_of_record >= timestamp && offset >= start;
        };
        OTTLA_TRY(find_in_batch(&scanner, io, pin.file(), matches, found, &done));
        if (!done) continue;
        if (found->offset >= limit) *found = OffsetAndTimestamp{};
        return Status::good();
      }
      OTTLA_TRY(scanner.status());
    }
    return Status::good();
  });
}

Status Log::find_max_timestamp(Io& io, OffsetAndTimestamp* found) const {
  return consistently(state_->generation, [&]() -> Status {
    *found = OffsetAndTimestamp{};
    Segment* best = nullptr;
    SegmentEnd end;
    for (Segment* segment : state_->segments()) {
      const SegmentEnd candidate = segment->end();
      if (candidate.max_timestamp < 0 || candidate.max_timestamp <= end.max_timestamp) continue;
      best = segment;
      end = candidate;
    }
    if (best == nullptr) return Status::good();
    SegmentPin pin(best);
    OTTLA_TRY(pin.take(io));
    BatchPlace place;
    OTTLA_TRY(best->locate(io, pin.file(), end.max_timestamp_offset, end, &place));
    if (place.position < 0) return Status::good();
    std::vector<uint8_t> buffer(kScanBytes);
    BatchScanner scanner(io, pin.file(), place.position, end.bytes, buffer);
    if (!scanner.next()) return scanner.status();
    bool done = false;
    const auto matches = [&](int64_t, int64_t time) { return time == end.max_timestamp; };
    return find_in_batch(&scanner, io, pin.file(), matches, found, &done);
  });
}

Status Log::scan(Io& io, int64_t from, int64_t to, const BatchVisitor& visitor) const {
  std::vector<uint8_t> buffer(kScanBytes);
  const LogView& view = *state_->view.read();
  const int64_t limit = std::min(to, log_end_offset());
  for (size_t i = view.floor(from); i < view.segments.size(); i += 1) {
    Segment* segment = view.segments[i];
    const SegmentEnd end = segment->end();
    if (segment->base_offset() >= limit) break;
    if (end.bytes == 0 || end.next_offset <= from) continue;
    SegmentPin pin(segment);
    OTTLA_TRY(pin.take(io));
    BatchPlace first;
    OTTLA_TRY(segment->locate(io, pin.file(), from, end, &first));
    if (first.position < 0) continue;
    BatchScanner scanner(io, pin.file(), first.position, end.bytes, buffer);
    while (scanner.next() && scanner.batch().base_offset() < limit) {
      if (scanner.batch().is_control()) (void)scanner.load_records();
      OTTLA_TRY(scanner.status());
      visitor.visit(visitor.context, scanner.batch());
    }
    OTTLA_TRY(scanner.status());
  }
  return Status::good();
}

Status Log::collect_aborted(Io& io, int64_t fetch_offset, int64_t upper_offset,
                            std::vector<AbortedTransaction>* found) const {
  return consistently(state_->generation, [&]() -> Status {
    found->clear();
    const LogView& view = *state_->view.read();
    bool complete = false;
    for (size_t i = view.floor(fetch_offset); i < view.segments.size() && !complete; i += 1) {
      OTTLA_TRY(
          view.segments[i]->aborted().collect(io, fetch_offset, upper_offset, found, &complete));
    }
    return Status::good();
  });
}

void Log::segments(Io& io, std::vector<SegmentFacts>* facts) const {
  facts->clear();
  for (Segment* segment : state_->segments()) {
    const SegmentEnd end = segment->end();
    FileInfo info;
    if (!io.stat(segment->path(), &info).ok()) info.modified_ms = 0;
    facts->push_back(
        {segment->base_offset(), end.next_offset, end.bytes, end.max_timestamp, info.modified_ms});
  }
}

}  // namespace ottla
