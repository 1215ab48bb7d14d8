// What happens in a history of faults (history.h): batches and their answers, reads, flushes,
// truncations and deletions. Included by it.
#pragma once

#include "history.h"

namespace ottla::test {

inline Sent* FaultHistory::make_batch(size_t producer, bool is_marker, bool is_commit) {
  HistoryProducer* of = producer < kProducers ? &producers_[producer] : nullptr;
  auto sent = std::make_unique<Sent>();
  sent->id = static_cast<int>(sent_.size());
  BatchOptions options;
  std::vector<TestRecord> records;
  sent->is_marker = is_marker;
  sent->is_commit = is_commit;
  if (is_marker) {
    TestRecord control;
    control.timestamp = world_.wall_ms() + sent->id;  // no two alike
    control.has_key = true;
    control.key = std::string("\0\0\0", 3) + (is_commit ? '\1' : '\0');
    control.value = std::string(6, '\0');
    records.push_back(control);
    options.more_attributes = 0x30;
  } else {
    sent->records = 1 + static_cast<int32_t>(below(4));
    sent->is_transactional = producer >= kPlain + kIdempotent;
    options.more_attributes = sent->is_transactional ? 0x10 : 0;
    for (int32_t i = 0; i < sent->records; i += 1) {
      std::string value = std::to_string(sent->id) + ":" + std::to_string(i) + " ";
      value.resize(value.size() + below(300), static_cast<char>('a' + sent->id % 26));
      if (compacts_) sent->keys.push_back("key " + std::to_string(below(12)));
      records.push_back({world_.wall_ms(), value, compacts_, compacts_ ? sent->keys.back() : ""});
    }
  }
  if (of != nullptr && producer >= kPlain) {
    options.producer_id = sent->producer_id = of->id;
    options.producer_epoch = sent->producer_epoch = of->epoch;
    if (!is_marker) {
      options.base_sequence = sent->sequence = of->next_sequence;
      of->next_sequence += sent->records;
      of->may_be_open = of->may_be_open || sent->is_transactional;
    }
  } else if (of == nullptr) {
    options.producer_id = sent->producer_id = hanging_.front().first;
    options.producer_epoch = sent->producer_epoch =
        static_cast<int16_t>(hanging_.front().second + 1);
  }
  sent->bytes = ottla::test::make_batch(records, options);
  sent_.push_back(std::move(sent));
  return sent_.back().get();
}

inline void FaultHistory::send() {
  if (!hanging_.empty() && one_in(3))
    return submit(make_batch(kProducers, true, false), kProducers);
  const size_t producer = below(kProducers);
  HistoryProducer& of = producers_[producer];
  const auto in_flight = std::count_if(pending_.begin(), pending_.end(),
                                       [&](const auto& op) { return op->producer == producer; });
  if (in_flight == ProducerEntry::kBatchesMax) return;
  if (!of.retries.empty()) {
    const int again = of.retries.front();
    if (is_pending(producer)) return;
    // Its client gives up: the transaction is aborted, with a new epoch.
    const bool gives_up = of.may_be_open && one_in(4);
    if (!gives_up) {
      of.retries.erase(of.retries.begin());
      return submit(sent_[static_cast<size_t>(again)].get(), producer);
    }
    of.retries.clear();
    of.epoch += 1;
    of.next_sequence = 0;
    return submit(make_batch(producer, true, false), producer);
  }
  if (of.may_be_open && one_in(3)) {
    if (is_pending(producer)) return;
    return submit(make_batch(producer, true, one_in(2)), producer);
  }
  submit(make_batch(producer, false, false), producer);
}

inline void FaultHistory::submit(Sent* sent, size_t producer) {
  auto op = std::make_unique<Pending>();
  op->history = this;
  op->sent = sent->id;
  op->producer = producer;
  op->copy = sent->bytes;
  op->records = op->copy.data();
  op->records_bytes = static_cast<int32_t>(op->copy.size());
  op->acks = one_in(3) ? -1 : 1;
  op->leader_epoch = leader_epoch_;
  op->deadline_us = world_.now_us() + int64_t{3'600'000'000};
  op->transactional_id = sent->is_transactional ? "x" : "";
  op->api_version = 11;
  op->done = [](ProduceOp* done, PartitionHost&) {
    Pending* mine = static_cast<Pending*>(done);
    mine->history->answered(mine);
  };
  Pending* raw = op.get();
  pending_.push_back(std::move(op));
  note("send " + std::to_string(sent->id) + " producer " + std::to_string(producer) + " id " +
       std::to_string(sent->producer_id) + " epoch " + std::to_string(sent->producer_epoch) +
       " sequence " + std::to_string(sent->sequence) +
       (sent->is_marker ? (sent->is_commit ? " commit" : " abort") : ""));
  if (sent->is_marker) {
    partition().mark(raw, 1, host());
  } else {
    partition().produce(raw, host());
  }
}

inline void FaultHistory::answered(Pending* op) {
  if (!is_alive()) return;  // the process is gone, and its words with it
  Sent& sent = *sent_[static_cast<size_t>(op->sent)];
  const ErrorCode error = op->refusal.error;
  note("answered " + std::to_string(sent.id) + " error " + show(error) + " offset " +
       std::to_string(op->base_offset));
  if (error == ErrorCode::kNone) {
    const auto known = content_.find(op->base_offset);
    CHECK(known == content_.end() || known->second == sent.id ||
          maybe_gone_from_ <= op->base_offset);
    content_[op->base_offset] = sent.id;
    acked_ = std::max(acked_, op->last_offset + 1);
    if (sent.is_marker) note_ended(sent, op->base_offset);
    if (sent.is_marker) {
      std::erase_if(hanging_, [&](const auto& each) { return each.first == sent.producer_id; });
    }
    if (sent.is_marker && op->producer < kProducers) {
      producers_[op->producer].may_be_open = false;
    }
  } else {
    // What came before it was deleted, and its producer forgotten.
    const bool is_old = error == ErrorCode::kOutOfOrderSequenceNumber && is_deleted(sent);
    if (is_old) {
      if (op->producer < kProducers) renew(&producers_[op->producer]);
      return forget(op);
    }
    const bool is_expected = error == ErrorCode::kKafkaStorageError ||
                             (error == ErrorCode::kNotLeaderOrFollower && is_stepping_down_);
    if (!is_expected) fail_with("produce answered " + show(error));
    if (!has_faults() && !is_stepping_down_) fail_with("refused on a well disk");
    unanswered(op);
  }
  forget(op);
}

inline bool FaultHistory::is_deleted(const Sent& sent) const {
  if (is_cleaned(sent)) return true;
  const auto from = content_.lower_bound(partition_start());
  // After a stop in order only the last batch of each is remembered.
  const auto to = was_clean_ ? content_.end() : from;
  const bool is_there =
      std::any_of(content_.begin(), to, [&](const auto& each) { return each.second == sent.id; });
  return is_there || std::none_of(from, content_.end(), [&](const auto& each) {
           const Sent& other = *sent_[static_cast<size_t>(each.second)];
           return other.producer_id == sent.producer_id && !other.is_marker;
         });
}

// Its client will send it again.
inline void FaultHistory::unanswered(Pending* op) {
  if (op->producer < kPlain || op->producer == kProducers) return;
  Sent& sent = *sent_[static_cast<size_t>(op->sent)];
  HistoryProducer& of = producers_[op->producer];
  if (sent.producer_id != of.id || sent.producer_epoch != of.epoch) return;
  if (sent.is_marker) return;  // another will be made
  of.retries.push_back(sent.id);
  std::sort(of.retries.begin(), of.retries.end());
}

inline void FaultHistory::read() {
  const int64_t start = partition().log_start_offset();
  const int64_t bound = partition().high_watermark();
  FetchQuery query;
  query.offset = start + static_cast<int64_t>(below(static_cast<uint64_t>(bound - start) + 1));
  query.bytes_max = static_cast<int64_t>(below(5000));
  query.at_least_one = true;
  FetchResult result;
  partition().fetch(host().io(), query, &result);
  if (result.error != ErrorCode::kNone) {
    CHECK_EQ(result.error, ErrorCode::kKafkaStorageError);
    if (!has_faults()) fail_with("a read failed on a well disk");
    return;
  }
  const std::vector<uint8_t> bytes = slice_bytes(host().io(), result.slice);
  std::vector<uint8_t> tail(static_cast<size_t>(result.slice.bytes()));
  const bool is_at_hand = result.slice && partition().log().copy_tail(result.slice, tail.data());
  if (is_at_hand && bytes.size() == tail.size()) CHECK(tail == bytes);
  Bytes rest(bytes);
  RecordBatch batch;
  int64_t next = -1;
  while (next_batch(&rest, &batch)) {
    const bool follows = batch.base_offset() == next || may_have_hole(batch.base_offset());
    CHECK(next < 0 ? query.offset <= batch.last_offset() : follows);
    CHECK(batch.last_offset() < bound);
    check_batch(batch);
    next = batch.next_offset();
  }
  CHECK(rest.empty());
}

// Another leads for a while, and has less.
inline void FaultHistory::truncate() {
  drain();
  if (!is_alive() || partition().is_offline()) return;
  // What is compacted was committed, as are the markers behind it, and nobody cuts that.
  const int64_t start = std::max(partition().log_start_offset(), counted_on_);
  const int64_t end = partition().log_end_offset();
  if (start > end) return;
  is_stepping_down_ = true;
  leader_epoch_ += 1;
  CHECK(partition().follow(host(), leader_epoch_, 2));
  const int64_t to = start + static_cast<int64_t>(below(static_cast<uint64_t>(end - start) + 1));
  // A batch that reaches over it goes as a whole.
  const auto above = content_.upper_bound(to);
  maybe_gone_from_ = cut_at_ = to;
  if (above != content_.begin()) {
    const auto& [base, id] = *std::prev(above);
    if (base + sent_[static_cast<size_t>(id)]->records > to) maybe_gone_from_ = cut_at_ = base;
  }
  for (const auto& op : flushing_) op->acked = std::min(op->acked, cut_at_);
  acked_ = std::min(acked_, cut_at_);
  synced_ = std::min(synced_, cut_at_);
  saved_recovery_point_ = std::min(saved_recovery_point_, cut_at_);
  for (size_t i = kPlain; i < kProducers; i += 1) renew(&producers_[i]);
  const ErrorCode error = partition().truncate(host(), leader_epoch_, to);
  note("truncate to " + std::to_string(to) + " error " + show(error));
  if (!is_alive()) return;
  node_->run();
  hanging_.clear();
  is_stepping_down_ = false;
  if (error != ErrorCode::kNone) {
    CHECK_EQ(error, ErrorCode::kKafkaStorageError);
    if (!has_faults()) fail_with("a truncation failed on a well disk");
    is_half_cut_ = true;
    return;
  }
  CHECK(partition().log_end_offset() <= to || to == end);
  forget_from(partition().log_end_offset());
  // What comes now is no part of what was deleted.
  start_max_ = std::max(saved_start_, std::min(start_max_, partition().log_end_offset()));
  leader_epoch_ += 1;
  CHECK(node_->lead(0, leader_epoch_, {1}, {1}, leader_epoch_));
  node_->run();
  world_.clear_rules();
  if (!is_alive() || partition().is_offline()) return;
  // Who waited for a sync was refused, and may be there.
  const Walk now = walk();
  for (auto at = now.batches.lower_bound(acked_); at != now.batches.end(); ++at) {
    content_[at->first] = at->second;
    acked_ = std::max(acked_, at->first + sent_[static_cast<size_t>(at->second)]->records);
  }
  if (!has_faults()) check_all();
}

inline void FaultHistory::forget_from(int64_t offset) {
  acked_ = std::min(acked_, offset);
  synced_ = std::min(synced_, offset);
  saved_recovery_point_ = std::min(saved_recovery_point_, offset);
  for (auto at = content_.lower_bound(offset); at != content_.end(); at = content_.erase(at)) {
    sent_[static_cast<size_t>(at->second)]->is_cut = true;
  }
  maybe_gone_from_ = INT64_MAX;
  cut_at_ = INT64_MAX;
}

inline void FaultHistory::trim() {
  const int64_t start = partition().log_start_offset();
  const int64_t bound = partition().high_watermark();
  const int64_t to = start + static_cast<int64_t>(below(static_cast<uint64_t>(bound - start) + 1));
  start_max_ = std::max(start_max_, to);
  is_front_unsure_ = true;
  const ErrorCode error = partition().trim(host(), to);
  note("trim to " + std::to_string(to) + " error " + show(error));
  if (!is_alive()) return;
  if (error == ErrorCode::kNone) {
    CHECK(partition().log_start_offset() >= to);
    saved_start_ = partition().log_start_offset();  // as the broker does
    is_front_unsure_ = saved_start_ < start_max_;
  } else if (!has_faults()) {
    fail_with("DeleteRecords failed on a well disk");
  }
}

inline void FaultHistory::retain() {
  Retained retained;
  const int64_t was_max = start_max_;
  const int64_t bytes = static_cast<int64_t>(below(12000));
  is_front_unsure_ = true;
  start_max_ = std::max(start_max_, partition().high_watermark());
  const ErrorCode error = partition().retain(host(), -1, bytes, &retained);
  note("retain start " + std::to_string(partition().log_start_offset()) + " error " + show(error));
  if (!is_alive()) return;
  start_max_ = std::max(was_max, partition().log_start_offset());
  if (error == ErrorCode::kNone) {
    saved_start_ = partition().log_start_offset();
    is_front_unsure_ = saved_start_ < start_max_;
  }
  if (error != ErrorCode::kNone && !has_faults() && is_alive()) {
    fail_with("retention failed on a well disk");
  }
}

}  // namespace ottla::test
