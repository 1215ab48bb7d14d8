// Compaction in a history of faults (history.h): when the log is compacted, and what may be
// gone then: a record of which a newer one of its key is there, or that was aborted; a marker; a
// batch whose records all are, but for what keeps its header. Included by it.
#pragma once

#include "history.h"

namespace ottla::test {

inline void FaultHistory::clean() {
  if (!cleaning_.empty() || partition().is_offline()) return;
  auto op = std::make_unique<Cleaning>();
  op->history = this;
  op->request.first_dirty_offset = one_in(2) ? 0 : next_dirty_;
  op->request.delete_retention_ms = one_in(2) ? 0 : 1'000'000'000;
  op->request.step_bytes = 200 + static_cast<int64_t>(below(4000));
  op->request.buffer_bytes = 4096;
  op->request.map_bytes = one_in(3) ? 24 * 12 : 1 << 16;
  op->bytes_per_second = one_in(4) ? 2000 : 0;
  op->done = [](CleanOp* done, ErrorCode error, PartitionHost&) {
    FaultHistory& self = *static_cast<Cleaning*>(done)->history;
    self.note("cleaned to " + std::to_string(done->stats.next_dirty_offset) + " error " +
              show(error));
    if (self.is_alive() && error == ErrorCode::kNone) {
      self.next_dirty_ = done->stats.next_dirty_offset;
    } else if (self.is_alive() && error != ErrorCode::kOperationNotAttempted &&
               !self.has_faults()) {
      self.fail_with("compaction failed on a well disk");
    }
    self.cleaning_.clear();
  };
  cleaned_to_ = std::max(cleaned_to_, partition().last_stable_offset());
  counted_on_ = std::max(counted_on_, partition().high_watermark());
  note("clean below " + std::to_string(partition().last_stable_offset()));
  Cleaning* raw = op.get();
  cleaning_.push_back(std::move(op));
  partition().clean(raw, host());
}

// A batch of which compaction may have left less than its producer would send again.
inline bool FaultHistory::is_cleaned(const Sent& sent) const {
  return compacts_ && std::any_of(content_.begin(), content_.end(), [&](const auto& each) {
           return each.second == sent.id && may_be_cleaned(each.first);
         });
}

// Some of the records that were sent, or none, as they were.
inline bool FaultHistory::is_what_is_left(const RecordBatch& batch, const Sent& sent) const {
  const RecordBatch whole(sent.bytes.data(), sent.bytes.size());
  if (batch.computed_crc() != batch.crc() || batch.is_control() != whole.is_control() ||
      batch.is_transactional() != whole.is_transactional() ||
      batch.last_offset_delta() != whole.last_offset_delta() ||
      batch.producer_id() != whole.producer_id() ||
      batch.producer_epoch() != whole.producer_epoch() ||
      batch.base_sequence() != whole.base_sequence()) {
    return false;
  }
  const Bytes all = whole.records(), left = batch.records();
  const uint8_t* at = left.data();
  const uint8_t* from = all.data();
  for (int32_t i = 0; i < batch.records_count(); i += 1) {
    RecordView record, sent_record;
    at = read_record(at, left.data() + left.size(), &record);
    if (at == nullptr) return false;
    do {
      from = read_record(from, all.data() + all.size(), &sent_record);
      if (from == nullptr) return false;
    } while (sent_record.offset_delta != record.offset_delta);
    if (!std::ranges::equal(record.key, sent_record.key) ||
        !std::ranges::equal(record.value, sent_record.value) ||
        record_timestamp(batch, record) != record_timestamp(whole, sent_record)) {
      return false;
    }
  }
  return at == left.data() + left.size();
}

inline const Sent* FaultHistory::find_sent(const RecordBatch& batch) const {
  const auto is_same = [&](const std::unique_ptr<Sent>& sent) {
    return static_cast<int64_t>(sent->bytes.size()) == batch.bytes() &&
           std::memcmp(batch.data() + batch_layout::kCrc, sent->bytes.data() + batch_layout::kCrc,
                       sent->bytes.size() - batch_layout::kCrc) == 0;
  };
  const auto known = content_.find(batch.base_offset());
  if (known != content_.end()) {  // first: markers of two lives may be alike
    const std::unique_ptr<Sent>& sent = sent_[static_cast<size_t>(known->second)];
    const bool is_left = may_be_cleaned(batch.base_offset()) && is_what_is_left(batch, *sent);
    if (is_left || is_same(sent)) return sent.get();
  }
  const auto found = std::find_if(sent_.begin(), sent_.end(), is_same);
  return found == sent_.end() ? nullptr : found->get();
}

// What an abort took may go.
inline void FaultHistory::note_ended(const Sent& marker, int64_t marker_offset) {
  if (!compacts_ || marker.is_commit) return;
  for (auto at = content_.lower_bound(marker_offset); at != content_.begin();) {
    --at;
    Sent& before = *sent_[static_cast<size_t>(at->second)];
    if (before.producer_id != marker.producer_id) continue;
    if (before.is_marker) return;
    before.is_aborted = before.is_aborted || before.is_transactional;
  }
}

inline void FaultHistory::note_records(const RecordBatch& batch, Walk* walk) const {
  if (!compacts_ || batch.is_control()) return;
  const Bytes records = batch.records();
  const uint8_t* at = records.data();
  for (int32_t i = 0; i < batch.records_count() && at != nullptr; i += 1) {
    RecordView record;
    at = read_record(at, records.data() + records.size(), &record);
    walk->records[batch.base_offset() + record.offset_delta] = {
        std::string(record.key.begin(), record.key.end()),
        batch.is_transactional() ? batch.producer_id() : -1};
  }
}

inline void FaultHistory::find_newest(Walk* walk) const {
  for (const auto& [offset, record] : walk->records) {
    const bool is_aborted =
        std::any_of(walk->aborted.begin(), walk->aborted.end(), [&](const auto& each) {
          return each.producer_id == record.producer_id && each.first_offset <= offset &&
                 offset < each.last_offset;
        });
    if (!is_aborted) walk->newest[record.key] = offset;
  }
}

// Each of its records is there, or need not be.
inline bool FaultHistory::is_superseded(int64_t base, const Sent& sent, const Walk& walk) const {
  if (sent.is_marker || sent.is_aborted) return true;
  for (size_t i = 0; i < sent.keys.size(); i += 1) {
    const int64_t offset = base + static_cast<int64_t>(i);
    if (walk.records.count(offset) != 0) continue;
    const auto newest = walk.newest.find(sent.keys[i]);
    if (newest == walk.newest.end() || newest->second < offset) return false;
  }
  return true;
}

inline bool FaultHistory::is_there(int64_t base, int id, const Walk& walk) const {
  const auto found = walk.batches.find(base);
  if (found != walk.batches.end() && found->second != id) return false;
  if (may_be_cleaned(base)) return is_superseded(base, *sent_[static_cast<size_t>(id)], walk);
  return found != walk.batches.end();
}

}  // namespace ottla::test
