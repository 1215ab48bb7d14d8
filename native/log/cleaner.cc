// CleanJob's steps on the helper: the map of keys, then group by group. The owner's part is in
// clean.cc.
#include "cleaner.h"

#include <algorithm>
#include <utility>

#include "../base/assert.h"
#include "batch_scanner.h"
#include "files.h"
#include "log_state.h"

namespace ottla {

// The segment that is being written. Nobody else knows it, so what its indexes give up needs
// nobody's leave.
struct CleanJob::Output {
  Segment* segment = nullptr;
  Quiescence nobody;
  Limbo limbo{&nobody};
  std::vector<uint8_t> pending;  // behind the segment's end on the disk
  int64_t written = 0;
  bool is_changed = false;
  ~Output() {
    if (segment != nullptr) segment->unref();
  }
};

namespace {
// Most of a rolled segment's positions that an index can tell.
constexpr int64_t kSegmentBytesMax = INT32_MAX;
}  // namespace

CleanJob::CleanJob(const CleanRequest& request, const Log::State& state)
    : request_(request),
      config_(state.config),
      directory_(state.options.directory),
      files_(state.files),
      generation_(state.generation.load(std::memory_order_acquire)),
      segments_(state.segments()) {
  for (Segment* segment : segments_) segment->ref();
}

CleanJob::~CleanJob() {
  for (Segment* segment : segments_) segment->unref();
}

Status CleanJob::begin(Io& io, const Cleanable& cleanable) {
  request_.first_dirty_offset = cleanable.first_dirty_offset;
  first_uncleanable_offset_ = cleanable.first_uncleanable_offset;
  while (cleanable_ + 1 < segments_.size() &&
         segments_[cleanable_]->base_offset() < first_uncleanable_offset_) {
    cleanable_ += 1;
  }
  stats_.next_dirty_offset = request_.first_dirty_offset;
  while (segment_ + 1 < cleanable_ &&
         segments_[segment_ + 1]->base_offset() <= request_.first_dirty_offset) {
    segment_ += 1;
  }
  if (cleanable_ == 0) {
    phase_ = Phase::kDone;
    return Status::good();
  }
  map_ = std::make_unique<OffsetMap>(request_.map_bytes, request_.map_load,
                                     Hash128{io.random(), io.random()});
  const size_t wanted = static_cast<size_t>(std::max<int64_t>(request_.buffer_bytes, 4096));
  buffer_.resize(wanted);
  return Status::good();
}

Status CleanJob::step(Io& io, int64_t* bytes) {
  OTTLA_ASSERT(phase_ == Phase::kMapping || phase_ == Phase::kFiltering, "there is work to do");
  step_bytes_ = 0;
  Status status = phase_ == Phase::kMapping ? map_some(io) : filter_some(io);
  *bytes = step_bytes_;
  if (status.ok()) return status;
  phase_ = Phase::kDone;
  (void)discard(io);  // what is left goes at the next start
  return status;
}

Status CleanJob::load(Io& io, BatchScanner* scanner, Handle file, RecordBatch* batch) {
  *batch = scanner->batch();
  const int64_t bytes = batch->bytes();
  step_bytes_ += bytes;
  if (scanner->load_records()) {
    *batch = scanner->batch();
    return Status::good();
  }
  OTTLA_TRY(scanner->status());
  large_.resize(static_cast<size_t>(bytes));
  size_t got = 0;
  OTTLA_TRY(io.read(file, large_.data(), large_.size(), scanner->position(), &got));
  if (got < large_.size()) return Status::fail(Code::kCorrupt, "segment file is shorter");
  *batch = RecordBatch(large_.data(), large_.size());
  return Status::good();
}

// --- the map

Status CleanJob::collect_aborted(Io& io, int64_t from, int64_t to) {
  std::vector<AbortedTransaction> aborted;
  bool is_complete = false;
  for (Segment* segment : segments_) {
    if (segment->end().next_offset <= from) continue;
    if (is_complete) break;
    OTTLA_TRY(segment->aborted().collect(io, from, to, &aborted, &is_complete));
  }
  transactions_.reset(std::move(aborted));
  return Status::good();
}

Status CleanJob::map_some(Io& io) {
  const int64_t from = request_.first_dirty_offset;
  if (!has_begun_) {
    has_begun_ = true;
    latest_offset_ = from - 1;
    OTTLA_TRY(collect_aborted(io, from, first_uncleanable_offset_));
  }
  bool is_full = false;
  while (segment_ < cleanable_ && !is_full && step_bytes_ < request_.step_bytes) {
    const int64_t next_base = segments_[segment_ + 1]->base_offset();
    if (next_base > from) OTTLA_TRY(map_segment(io, segments_[segment_], next_base, &is_full));
    if (position_ >= 0) continue;  // the step is over before the segment
    latest_offset_ = is_full ? latest_offset_ : std::max(latest_offset_, next_base - 1);
    segment_ += 1;
  }
  if (segment_ < cleanable_ && !is_full) return Status::good();
  stats_.map_entries = map_->count();
  stats_.next_dirty_offset = std::max(from, latest_offset_ + 1);
  if (is_full && latest_offset_ < from) {
    return Status::fail(Code::kTooLarge, "the table of keys does not hold one batch");
  }
  const Segment* first = segments_.front();
  OTTLA_TRY(collect_aborted(io, first->base_offset(), first_uncleanable_offset_));
  make_groups();
  segment_ = 0;
  position_ = -1;
  phase_ = groups_.empty() ? Phase::kDone : Phase::kFiltering;
  return Status::good();
}

Status CleanJob::map_segment(Io& io, Segment* segment, int64_t next_base, bool* is_full) {
  const SegmentEnd end = segment->end();
  SegmentPin pin(segment);
  OTTLA_TRY(pin.take(io));
  if (position_ < 0) {
    BatchPlace place;
    const int64_t from = std::max(request_.first_dirty_offset, segment->base_offset());
    OTTLA_TRY(segment->locate(io, pin.file(), from, end, &place));
    position_ = place.position < 0 ? end.bytes : place.position;
  }
  BatchScanner scanner(io, pin.file(), position_, end.bytes, buffer_);
  while (scanner.next()) {
    if (is_aborted_.load(std::memory_order_relaxed)) return Status::fail(Code::kClosed, "aborted");
    position_ = scanner.position();
    if (step_bytes_ >= request_.step_bytes) return Status::good();
    RecordBatch batch;
    OTTLA_TRY(load(io, &scanner, pin.file(), &batch));
    OTTLA_TRY(map_batch(batch, is_full));
    if (*is_full) break;
    latest_offset_ = std::max(latest_offset_, batch.last_offset());
  }
  OTTLA_TRY(scanner.status());
  OTTLA_ASSERT(next_base >= end.next_offset, "segments do not overlap");
  position_ = -1;
  large_ = {};
  return Status::good();
}

Status CleanJob::map_batch(const RecordBatch& batch, bool* is_full) {
  OpenedBatch opened;
  const size_t unpacked_max = static_cast<size_t>(request_.unpacked_bytes_max);
  if (batch.is_control()) {
    const AbortedTransaction* ended = nullptr;
    (void)transactions_.on_control(batch, control_type(batch), &ended);
    return Status::good();
  }
  if (transactions_.on_data(batch)) return Status::good();
  if (!opened.open(batch, &codecs_, unpacked_max)) return Status::good();
  const uint8_t* at = opened.records().data();
  const uint8_t* const end = at + opened.records().size();
  for (int32_t i = 0; i < batch.records_count(); i += 1) {
    RecordView record;
    at = read_record(at, end, &record);
    const int64_t offset = batch.base_offset() + record.offset_delta;
    if (!record.has_key || offset < request_.first_dirty_offset) continue;
    if (map_->put(record.key, offset)) continue;
    *is_full = true;
    return Status::good();
  }
  return Status::good();
}

// --- groups

// Segments that together are no larger than one may be (Kafka: groupSegmentsBySize).
void CleanJob::make_groups() {
  size_t i = 0;
  while (i < cleanable_ && segments_[i]->base_offset() < stats_.next_dirty_offset) {
    Group group{i, i};
    const int64_t base = segments_[i]->base_offset();
    int64_t bytes = segments_[i]->end().bytes;
    int64_t offsets = segments_[i]->offsets().count();
    int64_t times = segments_[i]->times().count();
    for (i += 1; i < cleanable_; i += 1) {
      Segment* next = segments_[i];
      const int64_t next_end = segments_[i + 1]->base_offset() - 1;
      bytes += next->end().bytes;
      offsets += next->offsets().count();
      times += next->times().count();
      if (next->base_offset() >= stats_.next_dirty_offset || bytes > config_.segment_bytes_max ||
          offsets > config_.segment_index_bytes_max / index_entry_bytes(IndexKind::kOffset) ||
          times > config_.segment_index_bytes_max / index_entry_bytes(IndexKind::kTime) ||
          next_end - base > INT32_MAX) {
        break;
      }
      group.last = i;
    }
    groups_.push_back(group);
  }
}

// --- a group

Status CleanJob::begin_group(Io& io) {
  output_ = std::make_unique<Output>();
  const Group& group = groups_[group_];
  segment_ = group.first;
  output_->segment = new Segment({files_, directory_, segments_[group.first]->base_offset(),
                                  nullptr, kCleanedSuffix, segments_[group.first]->disk()});
  OTTLA_TRY(discard(io));  // of a job that ended badly
  OTTLA_TRY(output_->segment->create(io, config_));
  OTTLA_TRY(output_->segment->offsets().reset(io, &output_->limbo));
  return output_->segment->times().reset(io, &output_->limbo);
}

Status CleanJob::filter_some(Io& io) {
  if (output_ == nullptr) OTTLA_TRY(begin_group(io));
  while (step_bytes_ < request_.step_bytes) {
    OTTLA_TRY(filter_segment(io, segments_[segment_]));
    if (position_ >= 0) continue;
    if (segment_ == groups_[group_].last) return end_group(io);
    segment_ += 1;
  }
  return Status::good();
}

Status CleanJob::filter_segment(Io& io, Segment* segment) {
  const SegmentEnd end = segment->end();
  SegmentPin pin(segment);
  OTTLA_TRY(pin.take(io));
  if (position_ < 0) {
    position_ = 0;
    stats_.bytes_before += end.bytes;
  }
  BatchScanner scanner(io, pin.file(), position_, end.bytes, buffer_);
  while (scanner.next()) {
    if (is_aborted_.load(std::memory_order_relaxed)) return Status::fail(Code::kClosed, "aborted");
    position_ = scanner.position();
    if (step_bytes_ >= request_.step_bytes) return Status::good();
    RecordBatch batch;
    OTTLA_TRY(load(io, &scanner, pin.file(), &batch));
    OTTLA_TRY(filter_batch(io, batch));
  }
  OTTLA_TRY(scanner.status());
  position_ = -1;
  large_ = {};
  return Status::good();
}

bool CleanJob::is_last_of_producer(const RecordBatch& batch) const {
  if (!batch.has_producer_id()) return false;
  const auto found = request_.producers.find(batch.producer_id());
  if (found == request_.producers.end()) return false;
  const LastOfProducer& last = found->second;
  if (last.last_data_offset >= 0) return batch.last_offset() == last.last_data_offset;
  return batch.is_control() && batch.producer_epoch() == last.producer_epoch;
}

// Kafka: Cleaner.shouldRetainRecord.
bool CleanJob::keeps_record(const RecordBatch& batch, const RecordView& record) {
  const int64_t offset = batch.base_offset() + record.offset_delta;
  if (offset > latest_offset_) return true;
  if (!record.has_key) {
    stats_.records_without_key += 1;
    return false;
  }
  if (offset < map_->get(record.key)) return false;
  return record.has_value || !batch.has_delete_horizon() || request_.now_ms < delete_horizon(batch);
}

// Kafka: checkBatchRetention and MemoryRecords.filterTo.
Status CleanJob::filter_batch(Io& io, const RecordBatch& batch) {
  const AbortedTransaction* ended = nullptr;
  const int type = batch.is_control() ? control_type(batch) : -1;
  const bool can_go = batch.is_control() ? transactions_.on_control(batch, type, &ended)
                                         : transactions_.on_data(batch);
  if (ended != nullptr) OTTLA_TRY(output_->segment->aborted().append(io, *ended));
  const bool drops_all =
      can_go && (!batch.is_control() ||
                 (batch.has_delete_horizon() && delete_horizon(batch) <= request_.now_ms));
  stats_.records_before += batch.records_count();
  OpenedBatch opened;
  if (!opened.open(batch, &codecs_, static_cast<size_t>(request_.unpacked_bytes_max))) {
    stats_.batches_unread += 1;
    stats_.records_after += batch.records_count();
    return emit(io, batch);
  }
  keeps_.assign(static_cast<size_t>(batch.records_count()), !drops_all);
  int32_t kept = drops_all ? 0 : batch.records_count();
  bool has_tombstones = false;
  const uint8_t* at = opened.records().data();
  const uint8_t* const end = at + opened.records().size();
  for (size_t i = 0; i < keeps_.size() && !drops_all; i += 1) {
    RecordView record;
    at = read_record(at, end, &record);
    keeps_[i] = batch.is_control() || keeps_record(batch, record);
    kept -= keeps_[i] ? 0 : 1;
    has_tombstones = has_tombstones || (keeps_[i] && !record.has_value);
  }
  stats_.records_after += kept;
  scratch_.clear();
  if (kept == 0) {
    const bool is_end = batch.next_offset() == segments_[groups_[group_].last]->end().next_offset;
    const bool is_last = is_last_of_producer(batch);
    if (!is_last && !is_end) {
      output_->is_changed = true;
      return Status::good();
    }
    write_empty_batch(batch, is_last, &scratch_);
    output_->is_changed = output_->is_changed || batch.records_count() > 0;
    return emit(io, RecordBatch(scratch_.data(), scratch_.size()));
  }
  const bool has_marker_to_go = can_go && batch.is_control();
  const bool sets_horizon = (has_tombstones || has_marker_to_go) && !batch.has_delete_horizon();
  if (kept == batch.records_count() && !sets_horizon) return emit(io, batch);
  const int64_t horizon =
      sets_horizon ? request_.now_ms + request_.delete_retention_ms : delete_horizon(batch);
  if (!write_cleaned_batch(batch, opened.records(), keeps_, horizon, &codecs_, &scratch_)) {
    return emit(io, batch);  // what it no longer needs goes another time
  }
  output_->is_changed = true;
  return emit(io, RecordBatch(scratch_.data(), scratch_.size()));
}

// --- the output

Status CleanJob::emit(Io& io, const RecordBatch& written) {
  Output& out = *output_;
  const int64_t bytes = written.bytes();
  if (out.segment->bytes() + bytes > kSegmentBytesMax) {
    return Status::fail(Code::kTooLarge, "a cleaned segment outgrows its index");
  }
  if (out.pending.size() + static_cast<size_t>(bytes) > buffer_.size()) OTTLA_TRY(write_out(io));
  out.pending.insert(out.pending.end(), written.data(), written.data() + bytes);
  AppendBatch append;
  append.size = static_cast<int32_t>(bytes);
  append.base_offset = written.base_offset();
  append.last_offset = written.last_offset();
  append.max_timestamp = written.max_timestamp();
  append.leader_epoch = written.leader_epoch();
  out.segment->commit(io, &out.limbo, append, config_.index_interval_bytes);
  step_bytes_ += bytes;
  return Status::good();
}

Status CleanJob::write_out(Io& io) {
  Output& out = *output_;
  if (out.pending.empty()) return Status::good();
  SegmentPin pin(out.segment);
  OTTLA_TRY(pin.take(io));
  OTTLA_TRY(io.write(pin.file(), out.pending.data(), out.pending.size(), out.written));
  out.written += static_cast<int64_t>(out.pending.size());
  out.pending.clear();
  if (out.pending.capacity() > 2 * buffer_.size()) out.pending.shrink_to_fit();
  return Status::good();
}

Status CleanJob::end_group(Io& io) {
  OTTLA_TRY(write_out(io));
  Output& out = *output_;
  stats_.bytes_after += out.written;
  const Group& group = groups_[group_];
  if (group.first == group.last && !out.is_changed) {
    OTTLA_TRY(discard(io));
    group_done();
    return Status::good();
  }
  OTTLA_TRY(out.segment->seal(io, &out.limbo));
  out.segment->publish();
  OTTLA_TRY(keep_time(io));
  OTTLA_TRY(out.segment->sync_all(io));
  phase_ = Phase::kGroupReady;
  return Status::good();
}

// Retention asks the file where no record has a time. Kafka: LogSegment.setLastModified.
Status CleanJob::keep_time(Io& io) {
  FileInfo last;
  const Status found = io.stat(segments_[groups_[group_].last]->path(), &last);
  if (found.code == Code::kNotFound) return Status::good();  // deleted: the swap will say so
  OTTLA_TRY(found);
  Segment* segment = output_->segment;
  SegmentPin pin(segment);
  OTTLA_TRY(pin.take(io));
  return io.set_modified(pin.file(), last.modified_ms);
}

Segment* CleanJob::take_output() { return std::exchange(output_->segment, nullptr); }

void CleanJob::group_done() {
  output_.reset();
  group_ += 1;
  phase_ = group_ == groups_.size() ? Phase::kDone : Phase::kFiltering;
}

Status CleanJob::discard(Io& io) {
  if (output_ == nullptr) return Status::good();
  OTTLA_TRY(output_->segment->close_files(io));
  for (const std::string_view suffix :
       {kLogSuffix, kIndexSuffix, kTimeIndexSuffix, kTxnIndexSuffix}) {
    const Status status = io.remove(
        segment_path(directory_, output_->segment->base_offset(), suffix) + kCleanedSuffix);
    if (status.code != Code::kNotFound) OTTLA_TRY(status);
  }
  return Status::good();
}

}  // namespace ottla
