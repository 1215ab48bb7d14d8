// What a history of faults (history.h) holds its partition to. Included by it.
#pragma once

#include <set>

#include "../../../native/log/txn_index.h"
#include "history.h"

namespace ottla::test {

struct FaultHistory::Walk {
  struct Open {
    int64_t first_offset = 0;
    int16_t epoch = 0;
  };
  int64_t start = 0, end = 0;
  std::map<int64_t, int> batches;                         // base offset → batch
  std::map<int32_t, std::pair<int64_t, int64_t>> epochs;  // leader epoch → first offset, next one
  std::map<int64_t, std::pair<int16_t, int32_t>> next_sequence;  // producer → epoch, sequence
  std::map<int64_t, std::pair<int64_t, int>> last;               // producer → offset, batch
  std::map<int64_t, Open> open;                                  // producer → its transaction
  std::vector<AbortedTransaction> aborted;
  std::vector<std::pair<int64_t, int64_t>> ended;  // first offset, marker: of all transactions
  // Of a log that is compacted: where each record is, and the newest of each key that is not
  // aborted.
  struct Record {
    std::string key;
    int64_t producer_id = -1;  // of a transaction
  };
  std::map<int64_t, Record> records;
  std::map<std::string, int64_t> newest;
};

// The batch is one that was sent, whole, to the byte.
inline void FaultHistory::check_batch(const RecordBatch& batch) {
  const auto known = content_.find(batch.base_offset());
  if (known == content_.end()) return fail_with("served what was never acknowledged");
  const Sent& sent = *sent_[static_cast<size_t>(known->second)];
  const bool is_whole =
      static_cast<int64_t>(sent.bytes.size()) == batch.bytes() &&
      std::memcmp(batch.data() + batch_layout::kMagic, sent.bytes.data() + batch_layout::kMagic,
                  sent.bytes.size() - batch_layout::kMagic) == 0;
  if (is_whole) return;
  if (may_be_cleaned(batch.base_offset()) && is_what_is_left(batch, sent)) return;
  fail_with("served other bytes than were acknowledged");
}

// All of the log, with the disk well.
inline FaultHistory::Walk FaultHistory::walk() {
  Walk walk;
  Log& log = partition().log();
  walk.start = log.log_start_offset();
  walk.end = log.log_end_offset();
  int64_t offset = walk.start;
  while (offset < walk.end && failures() == 0) {
    ReadSlice slice;
    CHECK_OK(log.read(host().io(), offset, walk.end, 1 << 20, true, &slice));
    const std::vector<uint8_t> bytes = slice_bytes(host().io(), slice);
    Bytes rest(bytes);
    RecordBatch batch;
    const int64_t before = offset;
    while (next_batch(&rest, &batch) && failures() == 0) {
      const bool follows =
          batch.base_offset() == offset || (offset == walk.start && batch.base_offset() < offset) ||
          batch.base_offset() <= start_max_ ||  // deleted, and some of it came back
          may_have_hole(batch.base_offset());
      if (!follows || batch.computed_crc() != batch.crc())
        return fail_with("a hole in the log at " + std::to_string(offset) + ": " +
                         std::to_string(batch.base_offset())),
               walk;
      if (batch.base_offset() > offset) walk.next_sequence.clear();
      offset = batch.next_offset();
      const Sent* sent = find_sent(batch);
      if (sent == nullptr) return fail_with("a batch that nobody sent"), walk;
      walk.batches[batch.base_offset()] = sent->id;
      note_records(batch, &walk);
      check_sequences(batch, &walk);
    }
    CHECK(rest.empty());
    if (offset == before && (may_have_hole(walk.end) || walk.end <= start_max_)) break;
    if (offset == before) return fail_with("the log cannot be read"), walk;
  }
  find_newest(&walk);
  return walk;
}

inline void FaultHistory::check_sequences(const RecordBatch& batch, Walk* walk) {
  if (!walk->epochs.empty() && walk->epochs.rbegin()->first > batch.leader_epoch()) {
    fail_with("an old batch behind newer ones, offset " + std::to_string(batch.base_offset()));
  }
  auto& epoch =
      walk->epochs.try_emplace(batch.leader_epoch(), batch.base_offset(), 0).first->second;
  epoch.second = batch.next_offset();
  if (!batch.has_producer_id()) return;
  const int64_t id = batch.producer_id();
  if (!batch.is_control()) {
    const auto known = walk->next_sequence.find(id);
    if (known != walk->next_sequence.end() && known->second.first == batch.producer_epoch() &&
        known->second.second != batch.base_sequence()) {
      fail_with("sequence " + std::to_string(batch.base_sequence()) + " where " +
                std::to_string(known->second.second) + " follows");
    }
    walk->next_sequence[id] = {batch.producer_epoch(),
                               batch.base_sequence() + batch.last_offset_delta() + 1};
    walk->last[id] = {batch.base_offset(), walk->batches[batch.base_offset()]};
    // Of what is open compaction leaves no batch without records.
    if (!batch.is_transactional() || batch.records_count() == 0) return;
    walk->open.try_emplace(id, batch.base_offset(), int16_t{});
    walk->open[id].epoch = batch.producer_epoch();
    return;
  }
  walk->next_sequence.erase(id);
  walk->last.erase(id);
  const auto open = walk->open.find(id);
  if (open == walk->open.end()) return;
  walk->ended.emplace_back(open->second.first_offset, batch.base_offset());
  const Sent& sent = *sent_[static_cast<size_t>(walk->batches[batch.base_offset()])];
  if (!sent.is_commit) {
    walk->aborted.push_back({id, open->second.first_offset, batch.base_offset(), 0});
  }
  walk->open.erase(open);
}

inline void FaultHistory::check_epochs(const Walk& walk) {
  for (auto at = walk.epochs.begin(); at != walk.epochs.end(); ++at) {
    // What was deleted and came back with a restart may have lost its epoch.
    if (at->second.first < start_max_) continue;
    const EpochEnd told = epoch_end(at->first);
    const auto next = std::next(at);
    const bool is_right = told.epoch == at->first && told.end >= at->second.second &&
                          (next == walk.epochs.end() || told.end <= next->second.first);
    if (!is_right) fail_with_epoch(at->first, told, at->second.second);
  }
}

inline void FaultHistory::check_transactions(const Walk& walk) {
  int64_t stable = partition().high_watermark();
  for (const auto& [id, open] : walk.open) stable = std::min(stable, open.first_offset);
  for (const auto& [first, marker] : walk.ended) {
    if (marker >= partition().high_watermark()) stable = std::min(stable, first);
  }
  stable = std::max(stable, walk.start);
  const int64_t told = partition().last_stable_offset();
  // What retention took of a transaction is remembered by some, forgotten by a restart.
  if (told > stable || (told < stable && told > walk.start)) {
    fail_with("stable up to " + std::to_string(told) + ", by its records up to " +
              std::to_string(stable) + ", watermark " +
              std::to_string(partition().high_watermark()) + " of " + std::to_string(walk.end));
  }
  std::vector<AbortedTransaction> listed;
  CHECK_OK(partition().log().collect_aborted(host().io(), walk.start, told, &listed));
  // What was deleted and came back may lack the marker that ended another before it.
  for (const AbortedTransaction& aborted : walk.aborted) {
    const bool is_listed = std::any_of(listed.begin(), listed.end(), [&](const auto& each) {
      return each.producer_id == aborted.producer_id && each.last_offset == aborted.last_offset &&
             each.first_offset <= std::max(aborted.first_offset, start_max_);
    });
    if (aborted.last_offset < told && !is_listed) {
      fail_with("an aborted transaction is not listed, marker at " +
                std::to_string(aborted.last_offset));
    }
  }
  for (const AbortedTransaction& each : listed) {
    const auto marker = walk.batches.find(each.last_offset);
    if (marker == walk.batches.end() && may_be_cleaned(each.last_offset)) continue;
    const bool is_abort = marker != walk.batches.end() &&
                          sent_[static_cast<size_t>(marker->second)]->is_marker &&
                          !sent_[static_cast<size_t>(marker->second)]->is_commit;
    if (!is_abort) fail_with("a transaction is listed as aborted that was not");
  }
}

// Who was there last is known: the batch again is a duplicate, one too far is out of line.
inline void FaultHistory::check_producers(const Walk& walk) {
  for (const auto& [id, last] : walk.last) {
    const ProducerEntry* entry = partition().producers().find(id);
    const Sent& sent = *sent_[static_cast<size_t>(last.second)];
    // The marker that ended its epoch may have gone before it.
    if (compacts_ && entry != nullptr && entry->producer_epoch > sent.producer_epoch) continue;
    const bool is_known = entry != nullptr && entry->producer_epoch == sent.producer_epoch &&
                          entry->last_sequence() == sent.sequence + sent.records - 1;
    if (!is_known) fail_with("producer " + std::to_string(id) + " is not remembered");
  }
}

inline void FaultHistory::check_all() {
  if (partition().is_offline()) return;
  const Walk now = walk();
  if (failures() != 0) return;
  check_epochs(now);
  check_transactions(now);
  check_producers(now);
  for (const auto& [base, id] : content_) {
    if (base < std::max(now.start, start_max_)) continue;
    if (!is_there(base, id, now)) {
      fail_with("an acknowledged batch is gone, offset " + std::to_string(base));
    }
  }
}

// A new life: what is there is what there is, and some of it must be.
inline void FaultHistory::adopt() {
  const Walk now = walk();
  if (failures() != 0) return;
  // With the power what follows a deletion may go, where none of it was synced.
  CHECK(now.start <= start_max_ || (holes_to_ == INT64_MAX && acked_ <= start_max_));
  CHECK(now.start >= saved_start_);
  // Deleted segments of which some came back leave a hole, and nothing behind one is believed.
  const bool is_front_torn = is_front_unsure_ && now.end <= start_max_;
  if (now.end < acked_ && !is_front_torn && !may_have_hole(acked_)) {
    fail_with("ends at " + std::to_string(now.end) + ", acknowledged " + std::to_string(acked_));
  }
  for (const auto& [base, id] : content_) {
    const bool is_same = is_there(base, id, now);
    if (base >= std::max(now.start, start_max_) && base < acked_ && !is_same && !is_front_torn) {
      fail_with("an acknowledged batch is gone, offset " + std::to_string(base));
    }
  }
  for (const auto& [base, id] : now.batches) {
    if (sent_[static_cast<size_t>(id)]->is_cut) {
      fail_with("a truncated batch is back, offset " + std::to_string(base));
    }
  }
  std::erase_if(content_, [&](const auto& each) {
    const bool is_kept = each.first < acked_ && may_be_cleaned(each.first);
    return each.first >= now.start && (!is_kept || is_front_torn);
  });
  for (const auto& [base, id] : now.batches) content_[base] = id;
  for (const AbortedTransaction& aborted : now.aborted) {
    const auto marker = now.batches.find(aborted.last_offset);
    note_ended(*sent_[static_cast<size_t>(marker->second)], aborted.last_offset);
  }
  maybe_gone_from_ = cut_at_ = INT64_MAX;
  is_front_unsure_ = now.start < start_max_;  // what was deleted is back, with holes perhaps
  cleaned_to_ = std::min(cleaned_to_, now.end);
  counted_on_ = std::min(counted_on_, now.end);
  holes_to_ = std::min(holes_to_, now.end);
  acked_ = now.end;
  synced_ = std::min(synced_, now.end);
  saved_recovery_point_ = std::min(saved_recovery_point_, now.end);
  start_max_ = std::max(start_max_, now.start);
  // Transactions that are open, and whose.
  hanging_.clear();
  for (HistoryProducer& producer : producers_) {
    producer.may_be_open = now.open.count(producer.id) != 0;
  }
  for (const auto& [id, open] : now.open) {
    const bool is_here = std::any_of(producers_.begin(), producers_.end(),
                                     [id = id](const auto& each) { return each.id == id; });
    if (!is_here) hanging_.push_back({id, open.epoch});
  }
  check_epochs(now);
  check_transactions(now);
  check_producers(now);
}

// Only what was synced is certain; whoever was acknowledged more begins anew.
inline void FaultHistory::lose_power() {
  acked_ = synced_ = std::min(synced_, acked_);
  holes_to_ = INT64_MAX;
  for (size_t i = kPlain; i < kProducers; i += 1) {
    producers_[i].may_be_open = false;
    renew(&producers_[i]);
  }
}

inline void FaultHistory::check_state() {
  if (!is_alive()) return;
  check_online();
  if (partition().is_offline()) return;
  synced_ = std::max(synced_, std::min(partition().log().recovery_point(), acked_));
  CHECK(partition().log_end_offset() >= acked_);
}

}  // namespace ottla::test
