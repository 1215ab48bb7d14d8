// One history of raft's log on a failing disk, from a seed: appends that bring their offsets and
// epochs, flushes that raft's machine acts upon, cuts by a newer leader, deletion of the front
// after a snapshot, a snapshot that takes the place of all records; and what machine.h does to a
// disk.
//
// What must hold, in every life: the log is a run of the batches that were appended, byte for byte,
// offsets and epochs included; what a flush answered for, or a start has found, is there, whatever
// happens; what was cut or refused never comes back; the epochs are those of the batches, and grow.
#pragma once

#include "machine.h"

namespace ottla::test {

class RaftHistory : public FailingDisk {
 public:
  explicit RaftHistory(uint64_t seed) : FailingDisk(seed, 7) {}

 private:
  struct Entry {
    int64_t base = 0, next = 0;
    std::vector<uint8_t> bytes;
  };
  struct Pending : ProduceOp {
    RaftHistory* history = nullptr;
    int64_t base = 0, next = 0;
    std::vector<uint8_t> copy;
  };

  int64_t start() { return partition().log_start_offset(); }
  int64_t end() const { return entries_.empty() ? begins_at_ : entries_.back().next; }

  void begin() override {
    shape_log(800, 3000);
    preallocate();
  }

  bool open() override {
    const bool is_open =
        open_log("__cluster_metadata", [](PartitionOptions* options) { options->is_raft = true; });
    if (!is_open) return false;
    epoch_ += 1;
    adopt();
    note("life " + std::to_string(life_) + " log " + std::to_string(start()) + " to " +
         std::to_string(end()) + " flushed " + std::to_string(flushed_));
    return true;
  }

  void step() override {
    switch (below(14)) {
      case 0:
        break_something();
        break;
      case 1:
        if (one_in(3)) return heal();
        fill_disk();
        break;
      case 2:
      case 3:
      case 4:
        flush();
        break;
      case 5:
        if (one_in(3)) cut();
        break;
      case 6:
        if (one_in(2)) drop_front();
        break;
      case 7:
        if (one_in(6)) take_snapshot();
        break;
      case 8:
        partition().maintain(host());
        break;
      case 9:
        change_pace();
        break;
      case 10:
        epoch_ += 1;
        break;
      default:
        for (uint64_t n = 1 + below(3); n > 0; n -= 1) append();
    }
    settle();
    if (is_alive()) check_online();
  }

  void settled() override { answered_.clear(); }

  void calm() {
    world_.submit_latency_us = 0;
    drain();
  }

  void heal() {
    mend_disk();
    calm();
    if (is_well_again()) check();
  }

  void end_life() override {
    const bool asks_power = one_in(2);
    mend_disk();
    const bool is_power = die(asks_power);
    pending_.clear();
    answered_.clear();
    flushing_.clear();
    if (is_power) acked_ = flushed_;
  }

  void append() {
    if (partition().is_offline()) return;
    auto op = std::make_unique<Pending>();
    op->base = op->next = end();
    std::vector<std::vector<uint8_t>> batches;
    for (uint64_t n = 1 + below(2); n > 0; n -= 1) {
      BatchOptions options;
      options.base_offset = op->next;
      options.leader_epoch = epoch_;
      std::vector<TestRecord> records;
      for (uint64_t i = 1 + below(3); i > 0; i -= 1) {
        std::string value = std::to_string(next_id_++) + " ";
        value.resize(value.size() + below(300), 'r');
        records.push_back({world_.wall_ms(), value, false, ""});
      }
      const std::vector<uint8_t> bytes = make_batch(records, options);
      op->copy.insert(op->copy.end(), bytes.begin(), bytes.end());
      const int64_t next = op->next + static_cast<int64_t>(records.size());
      entries_.push_back({op->next, next, bytes});
      attempts_.push_back(entries_.back());
      op->next = next;
    }
    op->history = this;
    op->records = op->copy.data();
    op->records_bytes = static_cast<int32_t>(op->copy.size());
    op->acks = 1;
    op->leader_epoch = epoch_;
    op->deadline_us = INT64_MAX;
    op->done = [](ProduceOp* done, PartitionHost&) {
      Pending* mine = static_cast<Pending*>(done);
      mine->history->appended(mine);
    };
    note("append " + std::to_string(op->base) + " to " + std::to_string(op->next) + " epoch " +
         std::to_string(epoch_));
    Pending* raw = op.get();
    pending_.push_back(std::move(op));
    partition().append(raw, host());
  }

  void appended(Pending* op) {
    set_aside(op, &pending_, &answered_);
    if (!is_alive()) return;
    note("appended " + std::to_string(op->base) + " error " + show(op->refusal.error));
    if (op->refusal.error == ErrorCode::kNone) {
      CHECK_EQ(op->base_offset, op->base);
      acked_ = std::max(acked_, op->next);
      return;
    }
    CHECK(op->refusal.error == ErrorCode::kKafkaStorageError ||
          (op->refusal.error == ErrorCode::kNotLeaderOrFollower && is_cutting_));
    if (!has_faults() && !is_cutting_) fail_with("refused on a well disk");
    // Whoever goes offline may have written it.
    if (partition().is_offline()) return;
    forget_from(op->base);
    std::erase_if(attempts_, [&](const Entry& each) { return each.base >= op->base; });
  }

  void forget_from(int64_t offset) {
    while (!entries_.empty() && entries_.back().base >= offset) entries_.pop_back();
  }

  // What was refused is nowhere any more, once the file was synced.
  void forget_attempts() {
    std::erase_if(attempts_, [&](const Entry& each) {
      return each.base < flushed_ && !is_run_of({each}, entries_);
    });
  }

  void flushed(int64_t recovery_point) override {
    flushed_ = std::max(flushed_, recovery_point);
    saved_recovery_point_ = flushed_;
    forget_attempts();
    note("flushed " + std::to_string(flushed_));
  }

  // What is committed stays.
  void raise_committed() {
    if (flushed_ <= committed_) return;
    committed_ = between(committed_, flushed_);
    CHECK(partition().set_high_watermark(host(), epoch_, committed_));
  }

  void cut() {
    calm();
    if (!is_alive() || partition().is_offline()) return;
    raise_committed();
    const int64_t from = std::max(committed_, start());
    if (from >= end()) return;
    int64_t to = between(from, end());
    // Raft cuts between batches.
    for (const Entry& entry : entries_) {
      if (entry.base < to && to < entry.next) to = entry.base;
    }
    if (to < from) return;
    epoch_ += 1;
    before_ = attempts_;
    note("cut at " + std::to_string(to) + ", committed " + std::to_string(committed_));
    forget_from(to);
    if (entries_.empty()) begins_at_ = to;
    std::erase_if(attempts_, [&](const Entry& each) { return each.base >= to; });
    for (int64_t* point : {&acked_, &flushed_, &saved_recovery_point_}) {
      *point = std::min(*point, to);
    }
    for (const auto& op : flushing_) op->acked = std::min(op->acked, to);
    is_cutting_ = true;
    const ErrorCode error = partition().truncate(host(), epoch_, to);
    is_cutting_ = false;
    settle_cut(error);
  }

  // A cut that was not answered may have happened or not.
  void settle_cut(ErrorCode error) {
    if (!is_alive()) return;
    note("answered " + show(error));
    if (error == ErrorCode::kNone) {
      before_.clear();
      CHECK_EQ(partition().log_end_offset(), end());
      return;
    }
    CHECK_EQ(error, ErrorCode::kKafkaStorageError);
    if (!has_faults()) fail_with("a cut failed on a well disk");
    is_half_cut_ = true;
  }

  void drop_front() {
    if (partition().is_offline()) return;
    raise_committed();
    if (partition().high_watermark() <= start()) return;
    // The snapshot is on the disk before.
    const int64_t to = between(start(), partition().high_watermark());
    saved_start_ = std::max(saved_start_, to);
    note("drop the front to " + std::to_string(to));
    const ErrorCode error = partition().trim(host(), to);
    if (!is_alive() || error == ErrorCode::kNone) return;
    if (!has_faults()) fail_with("dropping the front failed on a well disk");
  }

  // From a leader that is far ahead: a snapshot takes the place of everything.
  void take_snapshot() {
    calm();
    if (!is_alive() || partition().is_offline()) return;
    const int64_t at = end() + 1 + static_cast<int64_t>(below(20));
    note("snapshot at " + std::to_string(at));
    epoch_ += 1;
    saved_start_ = begins_at_ = committed_ = acked_ = flushed_ = at;
    entries_.clear();
    attempts_.clear();
    is_cutting_ = true;
    const ErrorCode error = partition().trim(host(), at);
    is_cutting_ = false;
    if (is_alive() && error == ErrorCode::kNone) CHECK_EQ(start(), at);
    settle_cut(error);
  }

  // The log's batches, each whole.
  std::vector<Entry> walk() {
    std::vector<Entry> found;
    Log& log = partition().log();
    for (int64_t offset = log.log_start_offset(); offset < log.log_end_offset();) {
      ReadSlice slice;
      const Status read =
          log.read(host().io(), offset, log.log_end_offset(), 1 << 20, true, &slice);
      const std::vector<uint8_t> bytes = slice_bytes(host().io(), slice);
      if (!is_alive()) return found;
      CHECK_OK(read);
      Bytes rest(bytes);
      RecordBatch batch;
      const int64_t before = offset;
      while (next_batch(&rest, &batch)) {
        const bool follows =
            batch.base_offset() == offset || (found.empty() && batch.base_offset() < offset);
        if (!follows || batch.computed_crc() != batch.crc()) {
          return fail_with("a hole in the log at " + std::to_string(offset) + ": " +
                           std::to_string(batch.base_offset()) + " of epoch " +
                           std::to_string(batch.leader_epoch())),
                 found;
        }
        found.push_back({batch.base_offset(),
                         batch.next_offset(),
                         {batch.data(), batch.data() + batch.bytes()}});
        offset = batch.next_offset();
      }
      CHECK(rest.empty());
      if (offset == before) return fail_with("the log cannot be read"), found;
    }
    return found;
  }

  static bool is_run_of(const std::vector<Entry>& found, const std::vector<Entry>& of) {
    return std::all_of(found.begin(), found.end(), [&](const Entry& each) {
      return std::any_of(of.begin(), of.end(), [&](const Entry& one) {
        return one.base == each.base && one.bytes == each.bytes;
      });
    });
  }

  void check() {
    const std::vector<Entry> found = walk();
    if (failures() != 0 || !is_alive()) return;
    if (!is_run_of(found, entries_)) fail_with("a batch that was not appended");
    if (partition().log_end_offset() != end()) {
      fail_with("ends at " + std::to_string(partition().log_end_offset()) + ", appended " +
                std::to_string(end()));
    }
    check_epochs(found);
  }

  void check_epochs(const std::vector<Entry>& found) {
    const auto epoch_of = [&](size_t i) {
      return RecordBatch(found[i].bytes.data(), found[i].bytes.size()).leader_epoch();
    };
    for (size_t i = 0; i < found.size(); i += 1) {
      const int32_t epoch = epoch_of(i);
      const int32_t next = i + 1 < found.size() ? epoch_of(i + 1) : INT32_MAX;
      if (next < epoch) fail_with("epoch " + std::to_string(next) + " follows a newer one");
      if (next == epoch) continue;
      const EpochEnd told = epoch_end(epoch);
      if (told.epoch != epoch || told.end != found[i].next) {
        fail_with_epoch(epoch, told, found[i].next);
      }
    }
  }

  // A new life: what is there was appended, and what must be is there.
  void adopt() {
    const std::vector<Entry> found = walk();
    if (failures() != 0) return;
    CHECK_EQ(start(), saved_start_);
    const int64_t found_end = partition().log_end_offset();
    if (found_end < std::max(acked_, flushed_)) {
      fail_with("ends at " + std::to_string(found_end) + ", acknowledged " +
                std::to_string(acked_) + ", flushed " + std::to_string(flushed_));
    }
    // What was under way, or failed and took the log offline, may be there or not.
    const bool is_known = is_run_of(found, attempts_) || is_run_of(found, before_);
    if (!is_known) fail_with("a batch that was not appended, or was cut");
    for (const Entry& entry : entries_) {
      const bool is_told = entry.next <= acked_ && entry.base >= start();
      if (is_told && !is_run_of({entry}, found)) fail_with("an acknowledged batch is gone");
    }
    entries_ = found;
    attempts_.insert(attempts_.end(), found.begin(), found.end());
    before_.clear();
    if (entries_.empty()) begins_at_ = found_end;
    if (end() != found_end) fail_with("the log ends where nothing does");
    acked_ = found_end;
    flushed_ = std::max(flushed_, found_end);
    check_epochs(found);
    committed_ = std::max(committed_, start());
  }

  std::vector<Entry> entries_;   // appended, in order; behind what is acknowledged perhaps not
  std::vector<Entry> attempts_;  // and those that were refused, but not cut
  std::vector<Entry> before_;    // a cut that nobody answered
  Waiting<Pending> pending_;
  Waiting<Pending> answered_;
  int64_t begins_at_ = 0;  // where the log ends while it holds nothing
  int64_t flushed_ = 0;    // nor power what lies below
  int64_t committed_ = 0;
  int64_t next_id_ = 0;
  int32_t epoch_ = 1;
  bool is_cutting_ = false;
};

}  // namespace ottla::test
