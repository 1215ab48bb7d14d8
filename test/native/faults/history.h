// One history of a partition on a failing disk, from a seed: producers (plain, idempotent,
// transactional), reads, flushes, truncations, DeleteRecords, retention, restarts, kills, lost
// power, and a disk that answers EIO and ENOSPC, writes a part, loses what it was to sync, stalls,
// and is full for a while.
//
// The history keeps a model of what it was told. What must hold, in every life: what was
// acknowledged and not deleted is there (after lost power: what was flushed), at its offset, byte
// for byte; nothing is served that nobody sent, that was refused, or in part; each producer's
// batches are there once and in order; epochs, last stable offset and aborted transactions are
// those of the records (checks.h). A disk that is only full takes nothing offline, any other failed
// write or sync does. A history may compact its log between all of this (compaction.h): then a
// record may be gone where a newer one of its key is there.
#pragma once

#include <map>
#include <utility>

#include "machine.h"

namespace ottla::test {

constexpr size_t kPlain = 2;       // producers without an id
constexpr size_t kIdempotent = 2;  // with one
constexpr size_t kProducers = 6;   // the others have transactions

// A batch that was sent at least once.
struct Sent {
  int id = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t sequence = -1;
  int32_t records = 1;
  bool is_transactional = false;
  bool is_marker = false;
  bool is_commit = false;
  std::vector<uint8_t> bytes;
  std::vector<std::string> keys;  // of a log that is compacted
  bool is_aborted = false;        // and its transaction
  bool is_cut = false;            // a truncation took it for good
};

struct HistoryProducer {
  int64_t id = -1;
  int16_t epoch = 0;
  int32_t next_sequence = 0;
  bool may_be_open = false;  // its transaction has records, perhaps
  std::vector<int> retries;  // what was refused, to be sent again before anything else
};

class FaultHistory : public FailingDisk {
 public:
  explicit FaultHistory(uint64_t seed, bool compacts = false)
      : FailingDisk(seed, 1), compacts_(compacts) {
    config_.is_compacted = compacts;
  }

 private:
  struct Pending : ProduceOp {
    FaultHistory* history = nullptr;
    int sent = 0;
    size_t producer = kProducers;  // kProducers: nobody's, a marker for one that is gone
    std::vector<uint8_t> copy;
  };
  struct Cleaning : CleanOp {
    FaultHistory* history = nullptr;
  };

  void begin() override {
    producers_.resize(kProducers);
    for (size_t i = kPlain; i < kProducers; i += 1) renew(&producers_[i]);
    shape_log(1600, 4000);
    preallocate();
    config_.log.preallocate = one_in(4);
  }

  // --- a life

  bool open() override {
    const bool is_open = open_log("t", [&](PartitionOptions* options) {
      options->is_clean_shutdown = is_clean_;
      options->high_watermark = static_cast<int64_t>(below(static_cast<uint64_t>(acked_) + 1));
    });
    was_clean_ = std::exchange(is_clean_, false);  // the mark goes before anything else is done
    if (!is_open) return false;
    leader_epoch_ += 1;
    CHECK(node_->lead(0, leader_epoch_, {1}, {1}));
    note("life " + std::to_string(life_) + " epoch " + std::to_string(leader_epoch_) + " log " +
         std::to_string(partition().log_start_offset()) + " to " +
         std::to_string(partition().log_end_offset()) + " recovery point " +
         std::to_string(saved_recovery_point_) + " synced " + std::to_string(synced_));
    node_->run();
    adopt();
    return true;
  }

  void step() override {
    if (compacts_ && one_in(6)) {
      clean();
      settle();
      return check_state();
    }
    switch (below(20)) {
      case 0:
        return break_something();
      case 1:
        return one_in(3) ? heal() : fill_disk();
      case 2:
      case 3:
        read();
        break;
      case 4:
        flush();
        break;
      case 5:
        if (one_in(3)) truncate();
        break;
      case 6:
        trim();
        break;
      case 7:
        retain();
        break;
      case 8:
        reconfigure();
        break;
      case 9:
        partition().maintain(host());
        break;
      case 10:
        if (partition().is_offline()) break;
        saved_recovery_point_ = partition().log().recovery_point();
        saved_start_ = partition().log_start_offset();
        break;
      case 11:
        change_pace();
        break;
      default:
        for (uint64_t n = 1 + below(4); n > 0; n -= 1) send();
    }
    settle();
    check_state();
  }

  void settled() override { answer_admissions(); }

  void end_life() override {
    const uint64_t way = below(4);
    mend_disk();
    if (way >= 2 && is_alive() && node_->partitions.count(0) != 0) stop();
    const bool is_power = die(way % 2 == 0, is_clean_ ? " after a clean stop" : "");
    for (auto& op : pending_) unanswered(op.get());
    pending_.clear();
    flushing_.clear();
    cleaning_.clear();
    if (is_power) lose_power();
  }

  // In order: what is under way ends, then everything is written and synced.
  void stop() {
    world_.submit_latency_us = 0;
    drain();
    if (!is_alive()) return;
    const bool was_offline = partition().is_offline();
    partition().maintain(host());
    if (!is_alive()) return;
    check_all();
    const int64_t end = partition().log_end_offset();
    const int64_t start = partition().log_start_offset();
    is_stepping_down_ = true;
    partition().retire(host(), false, true);
    node_->run();
    is_stepping_down_ = false;
    if (!is_alive() || was_offline) return;
    CHECK_OK(partition().end_status());
    is_clean_ = true;
    acked_ = synced_ = saved_recovery_point_ = end;
    saved_start_ = start;
    node_->partitions.clear();
  }

  // --- what is done

  void renew(HistoryProducer* producer) {
    if (producer->may_be_open) hanging_.push_back({producer->id, producer->epoch});
    *producer = {next_producer_id_++, 0, 0, false, {}};
  }
  Sent* make_batch(size_t producer, bool is_marker, bool is_commit);
  void send();

  bool is_pending(size_t producer) const {
    return std::any_of(pending_.begin(), pending_.end(),
                       [&](const auto& op) { return op->producer == producer; });
  }
  void submit(Sent* sent, size_t producer);

  void answered(Pending* op);
  bool is_deleted(const Sent& sent) const;
  int64_t partition_start() const { return node_->partitions.at(0)->log_start_offset(); }

  void forget(Pending* op) { set_aside(op, &pending_, &answered_); }
  void unanswered(Pending* op);

  void answer_admissions() {
    for (int turn = 0; turn < 20 && is_alive(); turn += 1) {
      std::vector<double> asks;
      for (const Fact& fact : host().facts) {
        if (fact.kind == fact::kDirectoryFailed) failed_facts_ += 1;
        if (fact.kind == fact::kAdmissionNeeded) asks.push_back(fact.ticket);
      }
      host().facts.clear();
      answered_.clear();
      if (asks.empty()) return;
      for (const double ask : asks) partition().admit(ask, ErrorCode::kNone, host());
      node_->run();
    }
  }
  void read();

  void flushed(int64_t recovery_point) override { synced_ = std::max(synced_, recovery_point); }
  void truncate();

  void forget_from(int64_t offset);
  void trim();

  void retain();

  void reconfigure() {
    config_.flush_messages = one_in(2) ? INT64_MAX : 1 + static_cast<int64_t>(below(6));
    config_.flush_ms = one_in(2) ? INT64_MAX : static_cast<int64_t>(below(3000));
    partition().configure(host(), config_);
  }

  // So is everything then, unless the disk was worse than full.
  void heal() {
    mend_disk();
    host().holds_lent = false;
    node_->advance_ms(5000);
    if (!is_alive()) return;
    answer_admissions();
    if (is_alive()) partition().maintain(host());
    if (is_well_again()) check_all();
  }

  // compaction.h
  struct Walk;
  void clean();
  bool may_be_cleaned(int64_t base) const { return compacts_ && base < cleaned_to_; }
  // Where logs are compacted, recovery takes no gap for a loss (STORAGE.md, Opening a log).
  bool may_have_hole(int64_t next_base) const {
    return compacts_ && next_base <= std::max(cleaned_to_, holes_to_);
  }
  bool is_cleaned(const Sent& sent) const;
  bool is_what_is_left(const RecordBatch& batch, const Sent& sent) const;
  const Sent* find_sent(const RecordBatch& batch) const;
  void note_ended(const Sent& marker, int64_t marker_offset);
  void note_records(const RecordBatch& batch, Walk* walk) const;
  void find_newest(Walk* walk) const;
  bool is_superseded(int64_t base, const Sent& sent, const Walk& walk) const;
  bool is_there(int64_t base, int id, const Walk& walk) const;

  // checks.h
  void adopt();
  void lose_power();
  void check_state();
  void check_all();
  void check_batch(const RecordBatch& batch);
  void check_sequences(const RecordBatch& batch, Walk* walk);
  void check_epochs(const Walk& walk);
  void check_transactions(const Walk& walk);
  void check_producers(const Walk& walk);
  Walk walk();

  std::vector<std::unique_ptr<Sent>> sent_;
  std::vector<HistoryProducer> producers_;
  std::vector<std::pair<int64_t, int16_t>> hanging_;  // transactions whose producer is gone
  Waiting<Pending> pending_;
  Waiting<Pending> answered_;
  Waiting<Cleaning> cleaning_;
  std::map<int64_t, int> content_;  // base offset → batch: what is in the log, or was at its front
  int64_t maybe_gone_from_ = INT64_MAX;  // a truncation may have happened from here on
  int64_t cut_at_ = INT64_MAX;
  int64_t synced_ = 0;  // nor power what lies below
  int64_t start_max_ = 0;
  int64_t next_producer_id_ = 100;
  const bool compacts_;
  int64_t cleaned_to_ = 0;  // what lies below may have been compacted
  int64_t counted_on_ = 0;  // because of what lies below
  int64_t holes_to_ = 0;    // power was lost, and with it perhaps some of what was not synced
  int64_t next_dirty_ = 0;
  int32_t leader_epoch_ = 0;
  bool is_clean_ = false;
  bool was_clean_ = false;
  bool is_front_unsure_ = false;  // DeleteRecords or retention was cut short
  bool is_stepping_down_ = false;
  int failed_facts_ = 0;
};

}  // namespace ottla::test

#include "checks.h"
#include "compaction.h"
#include "steps.h"

namespace ottla::test {

class CompactedHistory : public FaultHistory {
 public:
  explicit CompactedHistory(uint64_t seed) : FaultHistory(seed, true) {}
};

}  // namespace ottla::test
