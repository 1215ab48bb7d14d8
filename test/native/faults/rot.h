// One history of bits that flip under a partition, from a seed: closed and active segments, every
// index, snapshots of producers, epochs; while the log is open and while nobody has it, after a
// stop in order and after a kill.
//
// What must hold: nothing ends the process or keeps the partition from opening. What lies before
// the first damaged batch is served byte for byte, a damaged one never as if it were good: by its
// checksum its reader can tell. What a start replays has right checksums. An index of offsets,
// however damaged, makes no read wrong; a snapshot, or epochs that do not add up, are made anew.
// What has no checksum in Kafka's formats (an entry of a time index, of a transaction index, an
// epoch's digits, the first 16 bytes of a batch) may lie, and then only about itself.
#pragma once

#include <map>

#include "../../../native/log/files.h"
#include "../../../native/log/txn_index.h"
#include "machine.h"

namespace ottla::test {

class RotHistory : public FaultMachine {
 public:
  explicit RotHistory(uint64_t seed) : FaultMachine(seed, 3) {}

 private:
  struct Item {
    int64_t base = 0, next = 0, timestamp = 0;
    int64_t producer_id = -1;
    int32_t last_sequence = -1;
    std::vector<uint8_t> bytes;
    bool is_damaged = false;
  };
  struct Op : ProduceOp {
    std::vector<uint8_t> copy;
    bool is_answered = false;
  };
  // What may lie by now.
  struct Doubts {
    bool times = false, aborted = false, epochs = false, metadata = false;
  };

  std::string path(const std::string& name) const { return "/data/t-0/" + name; }
  bool has_damage() const { return first_damaged() != items_.end(); }
  std::vector<Item>::const_iterator first_damaged() const {
    return std::find_if(items_.begin(), items_.end(), [](const Item& i) { return i.is_damaged; });
  }
  int64_t good_end() const { return has_damage() ? first_damaged()->base : end_; }

  void begin() override {
    shape_log(1600, 3000);
    config_.log.preallocate_bytes_max = 0;
  }

  void live() override {
    node_ = std::make_unique<Node>(&world_);
    const Status opened = open();
    if (!opened.ok()) {
      // Whose directory it is nobody can tell any more.
      if (!doubts_.metadata) fail_with("it does not open: " + std::string(opened.where));
      world_.die(SimDeath::kKill);
      return restart();
    }
    CHECK(node_->lead(0, ++epoch_, {1}, {1}));
    node_->run();
    adopt();
    for (uint64_t n = 2 + below(20); n > 0 && failures() == 0; n -= 1) step();
    if (failures() != 0) return;
    if (has_damage() || one_in(3)) check();
    if (failures() != 0) return;
    is_clean_ = one_in(2);
    if (is_clean_) {
      partition().retire(host(), false, true);
      node_->run();
      CHECK_OK(partition().end_status());
      node_->partitions.clear();
      recovery_point_ = end_;
    }
    world_.die(SimDeath::kKill);
    restart();
    note(is_clean_ ? "stopped in order" : "killed");
    if (!one_in(4)) rot();
  }

  void restart() {
    node_.reset();
    world_.restart();
  }

  Status open() {
    return node_->open(0, "t", 0, [&](PartitionOptions* options) {
      options->config = config_;
      options->is_clean_shutdown = is_clean_;
      options->recovery_point = recovery_point_;
    });
  }

  void step() {
    switch (below(10)) {
      case 0:
        return rot();
      case 1:
        return flush();
      case 2:
        return check_reads();
      case 3:
        return end_transaction();
      default:
        return send();
    }
  }

  // --- what is written

  void put(const std::vector<uint8_t>& bytes, bool is_marker, int32_t last_sequence) {
    Op op;
    op.copy = bytes;
    op.records = op.copy.data();
    op.records_bytes = static_cast<int32_t>(op.copy.size());
    op.acks = 1;
    op.leader_epoch = epoch_;
    op.deadline_us = INT64_MAX;
    op.transactional_id = "x";
    op.api_version = 11;
    op.done = [](ProduceOp* done, PartitionHost&) { static_cast<Op*>(done)->is_answered = true; };
    if (is_marker) {
      partition().mark(&op, 1, host());
    } else {
      partition().produce(&op, host());
    }
    node_->run();
    for (const Fact& fact : std::exchange(host().facts, {})) {
      if (fact.kind == fact::kAdmissionNeeded) {
        partition().admit(fact.ticket, ErrorCode::kNone, host());
      }
    }
    node_->run();
    CHECK(op.is_answered);
    if (op.refusal.error != ErrorCode::kNone)
      return fail_with("refused: " + show(op.refusal.error));
    const RecordBatch batch(op.copy.data(), op.copy.size());
    items_.push_back({op.base_offset, op.last_offset + 1, batch.max_timestamp(),
                      batch.producer_id(), last_sequence, op.copy, false});
    end_ = op.last_offset + 1;
  }

  // Three times the same byte: no flipped bit makes the id of one producer that of another, whom a
  // start that replays headers would then know by the damaged batch.
  int64_t id_of(size_t who) const { return (first_id_ + static_cast<int64_t>(who)) * 0x010101; }

  void send() {
    BatchOptions options;
    const size_t who = below(4);
    int32_t* next = nullptr;
    if (who > 0) {
      const bool is_transactional = who == 3;
      next = &sequences_[who];
      options.producer_id = id_of(who);
      options.producer_epoch = 0;
      options.base_sequence = *next;
      options.more_attributes = is_transactional ? 0x10 : 0;
      if (is_transactional && open_from_ < 0) open_from_ = end_;
    }
    std::vector<TestRecord> records;
    last_timestamp_ += 1 + static_cast<int64_t>(below(50));
    for (uint64_t n = 1 + below(4); n > 0; n -= 1) {
      std::string value = std::to_string(end_) + ":" + std::to_string(n) + " ";
      value.resize(value.size() + below(300), 'v');
      records.push_back({last_timestamp_, value, false, ""});
    }
    if (next != nullptr) *next += static_cast<int32_t>(records.size());
    put(make_batch(records, options), false, next == nullptr ? -1 : *next - 1);
  }

  void end_transaction() {
    if (open_from_ < 0) return;
    const bool is_commit = one_in(2);
    BatchOptions options;
    options.producer_id = id_of(3);
    options.producer_epoch = 0;
    options.more_attributes = 0x30;
    TestRecord control{++last_timestamp_, std::string(6, '\0'), true, std::string(4, '\0')};
    control.key[3] = is_commit ? '\1' : '\0';
    if (!is_commit) aborted_.insert({id_of(3), {open_from_, end_}});
    open_from_ = -1;
    put(make_batch({control}, options), true, -1);
  }

  void flush() {
    FlushOp op;
    op.done = [](FlushOp*, ErrorCode error, PartitionHost&) { CHECK_EQ(error, ErrorCode::kNone); };
    partition().flush(&op, host());
    node_->run();
    recovery_point_ = std::max(recovery_point_, op.recovery_point);
  }

  // --- what flips

  void rot() {
    std::unique_ptr<Io> io = world_.make_io();
    for (uint64_t n = 1 + below(2); n > 0; n -= 1) {
      std::vector<std::string> names;
      CHECK_OK(io->list("/data/t-0", &names));
      // Segments are many: any kind of file is as likely as another.
      static const std::string kKinds[] = {".log",      ".index",     ".timeindex", ".txnindex",
                                           ".snapshot", "checkpoint", "metadata",   ".log"};
      const std::string& kind = kKinds[below(std::size(kKinds))];
      std::erase_if(names, [&](const std::string& name) { return !name.ends_with(kind); });
      if (names.empty()) continue;
      flip(*io, names[below(names.size())]);
    }
  }

  void flip(Io& io, const std::string& name) {
    FileInfo info;
    CHECK_OK(io.stat(path(name), &info));
    if (info.bytes == 0) return;
    const int64_t bit = static_cast<int64_t>(below(static_cast<uint64_t>(info.bytes) * 8));
    CHECK_OK(world_.flip_bit(path(name), bit));
    note("flip " + name + " byte " + std::to_string(bit / 8) + " bit " + std::to_string(bit % 8));
    if (name.ends_with(".log")) damage(io, std::stoll(name), bit / 8);
    if (name.ends_with(".timeindex")) doubts_.times = true;
    if (name.ends_with(".txnindex")) doubts_.aborted = true;
    if (name.ends_with("metadata")) doubts_.metadata = true;
    std::string text;
    std::vector<EpochEntry> entries;
    if (name.ends_with("checkpoint") && read_file(io, path(name), &text).ok() &&
        parse_epoch_checkpoint(text, &entries).ok()) {
      doubts_.epochs = true;
    }
  }

  void damage(Io& io, int64_t segment_base, int64_t position) {
    std::vector<std::string> names;
    CHECK_OK(io.list("/data/t-0", &names));
    int64_t next_base = INT64_MAX;
    for (const std::string& name : names) {
      if (!name.ends_with(".log")) continue;
      const int64_t base = std::stoll(name);
      if (base > segment_base) next_base = std::min(next_base, base);
    }
    int64_t at = 0;
    for (Item& item : items_) {
      if (item.base < segment_base || item.base >= next_base) continue;
      const int64_t bytes = static_cast<int64_t>(item.bytes.size());
      if (position < at + bytes) {
        note("which is " + std::to_string(position - at) + " of batch " +
             std::to_string(item.base));
        item.is_damaged = true;
        return;
      }
      at += bytes;
    }
  }

  // --- what must be

  // A start may have cut the log at the damage, or rebuilt what lied.
  void adopt() {
    const int64_t found = partition().log_end_offset();
    note("life " + std::to_string(life_) + " ends at " + std::to_string(found) + ", was " +
         std::to_string(end_));
    if (found < good_end()) {
      fail_with("ends at " + std::to_string(found) + ", good up to " + std::to_string(good_end()));
    }
    if (!has_damage() && found != end_) fail_with("ends where it did not");
    check();
    while (!items_.empty() && items_.back().next > found) items_.pop_back();
    end_ = found;
    recovery_point_ = std::min(recovery_point_, found);
    std::erase_if(aborted_, [&](const auto& each) { return each.second.second >= found; });
    first_id_ += 10;
    open_from_ = -1;
    std::fill(std::begin(sequences_), std::end(sequences_), 0);
    if (has_damage()) settle_damage();
  }

  // What was damaged in the part that was replayed is gone; what is left was not looked at.
  void settle_damage() {
    if (!has_damage() || is_clean_) return;
    const Item& damaged = *first_damaged();
    std::vector<SegmentFacts> segments;
    log().segments(host().io(), &segments);
    for (size_t i = 0; i < segments.size(); i += 1) {
      const int64_t next_base = i + 1 < segments.size() ? segments[i + 1].base_offset : INT64_MAX;
      const bool holds = segments[i].base_offset <= damaged.base && damaged.base < next_base;
      if (holds && next_base > recovery_point_) {
        // The offset and the epoch are in no checksum: only damage to these is taken for good.
        ReadSlice slice;
        const Status read = log().read(host().io(), damaged.base, end_, 1, true, &slice);
        const std::vector<uint8_t> bytes = slice_bytes(host().io(), slice);
        const RecordBatch batch(bytes.data(), bytes.size());
        if (!read.ok() || bytes.empty() || batch.computed_crc() != batch.crc()) {
          fail_with("a damaged batch was replayed, offset " + std::to_string(damaged.base));
        }
      }
    }
  }

  void check() {
    check_reads();
    if (failures() != 0) return;
    if (has_damage()) {
      look_around();
      return;
    }
    if (!doubts_.times) check_times();
    if (!doubts_.aborted) check_aborted();
    check_producers();
    if (!doubts_.epochs) check_epochs();
  }

  // Reads a batch at every offset, alone and with what follows.
  void check_reads() {
    const int64_t end = partition().log_end_offset();
    for (const Item& item : items_) {
      for (const int64_t bytes_max : {int64_t{1}, int64_t{100'000}}) {
        if (item.base >= end) break;
        ReadSlice slice;
        const int64_t offset =
            item.base + static_cast<int64_t>(below(static_cast<uint64_t>(item.next - item.base)));
        // Behind it, as its base offset says something else: what follows it is gone then.
        if (offset >= end) continue;
        const Status status = log().read(host().io(), offset, end, bytes_max, true, &slice);
        const bool must_be = item.next <= good_end();
        if (!status.ok()) {
          if (must_be || status.code != Code::kCorrupt) {
            return fail_with("a read at " + std::to_string(offset) + " fails: " + status.where);
          }
          continue;
        }
        check_served(item, slice, must_be);
        if (failures() != 0) return;
      }
    }
  }

  void check_served(const Item& item, const ReadSlice& slice, bool must_be) {
    const std::vector<uint8_t> bytes = slice_bytes(host().io(), slice);
    Bytes rest(bytes);
    RecordBatch batch;
    bool is_first = true;
    while (next_batch(&rest, &batch)) {
      const std::vector<uint8_t> served(batch.data(), batch.data() + batch.bytes());
      if (is_first && must_be && served != item.bytes) {
        return fail_with("other bytes than were written at " + std::to_string(item.base));
      }
      is_first = false;
      if (batch.computed_crc() != batch.crc()) {
        if (!has_damage()) return fail_with("a wrong checksum where nothing flipped");
        continue;
      }
      const bool is_ours = std::any_of(items_.begin(), items_.end(), [&](const Item& each) {
        return each.bytes.size() == served.size() &&
               std::equal(served.begin() + batch_layout::kCrc, served.end(),
                          each.bytes.begin() + batch_layout::kCrc);
      });
      if (!is_ours) return fail_with("a batch that nobody wrote");
    }
    if (is_first && must_be) fail_with("nothing is served at " + std::to_string(item.base));
    if (!rest.empty() && !has_damage()) fail_with("a torn batch is served");
  }

  // Damage makes answers wrong, perhaps; it ends nothing.
  void look_around() {
    OffsetAndTimestamp found;
    for (const Item& item : items_) {
      (void)log().find_by_timestamp(host().io(), item.timestamp, end_, &found);
    }
    (void)log().find_max_timestamp(host().io(), &found);
    std::vector<AbortedTransaction> listed;
    (void)log().collect_aborted(host().io(), 0, end_, &listed);
    CHECK(!partition().is_offline());
  }

  void check_times() {
    OffsetAndTimestamp found;
    for (const Item& item : items_) {
      if (item.next > partition().log_end_offset()) break;
      CHECK_OK(log().find_by_timestamp(host().io(), item.timestamp, end_, &found));
      if (found.offset != item.base) {
        return fail_with("time " + std::to_string(item.timestamp) + " is at " +
                         std::to_string(item.base) + ", said to be at " +
                         std::to_string(found.offset));
      }
    }
  }

  void check_aborted() {
    std::vector<AbortedTransaction> listed;
    CHECK_OK(log().collect_aborted(host().io(), 0, end_, &listed));
    size_t count = 0;
    for (const auto& [id, range] : aborted_) {
      if (range.second >= end_) continue;
      count += 1;
      const bool is_listed = std::any_of(listed.begin(), listed.end(), [&](const auto& each) {
        return each.producer_id == id && each.first_offset == range.first &&
               each.last_offset == range.second;
      });
      if (!is_listed) fail_with("an aborted transaction is not listed");
    }
    CHECK_EQ(listed.size(), count);
  }

  void check_producers() {
    std::map<int64_t, int32_t> last;
    for (const Item& item : items_) {
      if (item.producer_id >= 0 && item.last_sequence >= 0) {
        last[item.producer_id] = item.last_sequence;
      }
    }
    for (const auto& [id, sequence] : last) {
      const ProducerEntry* entry = partition().producers().find(id);
      if (entry == nullptr || entry->last_sequence() != sequence) {
        fail_with("producer " + std::to_string(id) + " is remembered with " +
                  (entry == nullptr ? "nothing" : std::to_string(entry->last_sequence())) +
                  ", not " + std::to_string(sequence));
      }
    }
  }

  void check_epochs() {
    std::map<int32_t, int64_t> ends;
    for (const Item& item : items_) {
      ends[RecordBatch(item.bytes.data(), item.bytes.size()).leader_epoch()] = item.next;
    }
    for (const auto& [epoch, end] : ends) {
      const EpochEnd told = epoch_end(epoch);
      if (told.epoch != epoch || told.end != end) fail_with_epoch(epoch, told, end);
    }
  }

  std::vector<Item> items_;
  std::multimap<int64_t, std::pair<int64_t, int64_t>> aborted_;  // producer → first, marker
  Doubts doubts_;
  int64_t end_ = 0;
  int64_t recovery_point_ = 0;
  int64_t first_id_ = 100;
  int32_t sequences_[4] = {};
  int64_t open_from_ = -1;
  int64_t last_timestamp_ = 1'700'000'000'000;
  int32_t epoch_ = 0;
  bool is_clean_ = false;
};

}  // namespace ottla::test
