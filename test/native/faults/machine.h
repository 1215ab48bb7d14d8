// What all histories of faults share. FaultMachine: a node in a simulated world, lives one after
// another, and dice from the seed. FailingDisk: a machine whose disk fails by rules, fills up and
// comes back, and whose lives end by a kill or with the power. Which log is told a history, what is
// done to it and what must hold are of the history: history.h, raft.h, rot.h.
//
// A seed tells the same story for ever: the order in which dice are thrown is part of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "../request_fixture.h"
#include "../test.h"

namespace ottla::test {

constexpr int kStepsMax = 40;  // of a life
constexpr int kLives = 6;

class FaultMachine {
 public:
  void run() {
    begin();
    for (life_ = 0; life_ < kLives && failures() == 0; life_ += 1) live();
  }

 protected:
  // Every kind of history has a salt: none tells what another tells under the same seed.
  FaultMachine(uint64_t seed, uint64_t salt) : random_(seed * 2654435761u + salt), world_(seed) {}
  virtual ~FaultMachine() = default;

  virtual void begin() = 0;  // what is so in all lives
  virtual void live() = 0;

  uint64_t below(uint64_t limit) { return random_.below(limit); }
  bool one_in(uint64_t n) { return below(n) == 0; }
  int64_t between(int64_t from, int64_t to) {
    return from + static_cast<int64_t>(below(static_cast<uint64_t>(to - from) + 1));
  }
  // Small segments, and indexes with many entries or few.
  void shape_log(int64_t segment_bytes, uint64_t more) {
    config_.log.segment_bytes_max = segment_bytes + static_cast<int64_t>(below(more));
    config_.log.index_interval_bytes = static_cast<int64_t>(below(600));
  }

  FakeReactor& host() { return node_->at(0); }
  Partition& partition() { return node_->partition(0); }
  Log& log() { return partition().log(); }
  bool is_alive() const { return !world_.is_dead(); }

  void note(const std::string& what) {
    if (std::getenv("OTTLA_TRACE") != nullptr) std::fprintf(stderr, "%s\n", what.c_str());
  }
  void fail_with(const std::string& what) {
    fail(__FILE__, __LINE__, what + " (life " + std::to_string(life_) + ")");
  }

  // Where an epoch ends, as the partition says; `epoch` is another if it does not know it.
  struct EpochEnd {
    int64_t epoch = 0, end = 0;
  };
  EpochEnd epoch_end(int32_t epoch) {
    EpochEnd told;
    int64_t unused = 0;
    CHECK_EQ(partition().look_up(host(), lookup::kEpochEnd, epoch, &told.end, &told.epoch, &unused),
             ErrorCode::kNone);
    return told;
  }
  void fail_with_epoch(int32_t epoch, const EpochEnd& told, int64_t end) {
    fail_with("epoch " + std::to_string(epoch) + " ends at " + std::to_string(told.end) +
              ", its last batch at " + std::to_string(end));
  }

  SimRandom random_;
  SimWorld world_;
  std::unique_ptr<Node> node_;
  PartitionConfig config_;
  int life_ = 0;
};

// What goes wrong with the disk next.
inline SimRule random_rule(SimRandom* random) {
  static constexpr SimOp kOps[] = {
      SimOp::kSubmit,   SimOp::kSubmit,        SimOp::kWrite,  SimOp::kSync,   SimOp::kOpen,
      SimOp::kTruncate, SimOp::kAllocate,      SimOp::kRename, SimOp::kRemove, SimOp::kRead,
      SimOp::kStat,     SimOp::kSyncDirectory, SimOp::kAny,    SimOp::kSubmit, SimOp::kWrite};
  const auto one_in = [&](uint64_t n) { return random->below(n) == 0; };
  SimRule rule;
  rule.op = kOps[random->below(std::size(kOps))];
  rule.skip = random->below(6);
  rule.count = 1 + random->below(3);
  const bool is_full = one_in(2);
  rule.code = is_full ? Code::kNoSpace : Code::kIo;
  rule.error = is_full ? 28 : 5;
  if (rule.op == SimOp::kRead || rule.op == SimOp::kStat || rule.op == SimOp::kAny ||
      rule.op == SimOp::kRemove || rule.op == SimOp::kTruncate) {
    rule.code = Code::kIo;  // none of them takes room
    rule.error = 5;
  }
  if (rule.op == SimOp::kOpen && is_full)
    rule.path_contains = ".tmp";  // only a new name takes room
  if (rule.op == SimOp::kSync && one_in(2)) rule.fault = SimFault::kSyncLost;
  if ((rule.op == SimOp::kSubmit || rule.op == SimOp::kWrite) && one_in(2)) {
    rule.fault = SimFault::kShort;
  }
  return rule;
}

// Those who wait for an answer.
template <typename Op>
using Waiting = std::vector<std::unique_ptr<Op>>;

class FailingDisk : public FaultMachine {
 protected:
  struct Flushing : FlushOp {
    FailingDisk* history = nullptr;
    int64_t acked = 0;
  };
  using FaultMachine::FaultMachine;

  virtual bool open() = 0;  // false: the disk was not well enough
  virtual void step() = 0;
  virtual void end_life() = 0;
  virtual void settled() = 0;  // what was under way went on for a while
  virtual void flushed(int64_t recovery_point) = 0;

  void live() override {
    if (!open()) return end_life();
    const int steps = 1 + static_cast<int>(below(kStepsMax));
    if (one_in(3)) {
      const SimDeath how = death();
      world_.die_at(world_.operations() + below(300), how);
    }
    for (int i = 0; i < steps && is_alive() && failures() == 0; i += 1) step();
    if (failures() == 0) end_life();
  }

  // The log of a new life, on a disk that now and then is not well even then.
  template <typename Configure>
  bool open_log(const std::string& topic, const Configure& configure) {
    is_half_cut_ = false;
    hard_faults_ = world_.hard_faults();
    full_faults_ = world_.full_faults();
    node_ = std::make_unique<Node>(&world_);
    const bool is_hurt = one_in(6);
    if (is_hurt) break_something();
    const Status opened = node_->open(0, topic, 0, [&](PartitionOptions* options) {
      options->config = config_;
      options->recovery_point = saved_recovery_point_;
      options->log_start_offset = saved_start_;
      configure(options);
    });
    world_.clear_rules();
    if (!opened.ok()) CHECK(is_hurt);
    return opened.ok();
  }

  void settle() {
    if (!is_alive()) return;
    if (one_in(4)) {
      node_->advance_ms(static_cast<int64_t>(below(3000)));
    } else {
      node_->run();
    }
    settled();
  }

  // All that is acknowledged by now.
  void flush() {
    auto op = std::make_unique<Flushing>();
    op->history = this;
    op->acked = acked_;
    op->done = [](FlushOp* done, ErrorCode error, PartitionHost&) {
      Flushing* mine = static_cast<Flushing*>(done);
      FailingDisk& self = *mine->history;
      if (!self.is_alive()) return;
      if (error == ErrorCode::kNone) {
        CHECK(done->recovery_point >= mine->acked);
        self.flushed(done->recovery_point);
      } else if (!self.has_faults()) {
        self.fail_with("a flush failed on a well disk");
      }
    };
    Flushing* raw = op.get();
    flushing_.push_back(std::move(op));
    partition().flush(raw, host());
  }

  // Nothing is under way any more.
  void drain() {
    host().holds_lent = false;
    node_->advance_ms(10'000);
    settled();
  }

  void preallocate() { config_.log.preallocate_bytes_max = one_in(3) ? 0 : 8192; }
  void fill_disk() {
    world_.set_capacity(one_in(2) ? INT64_MAX
                                  : world_.used_bytes() + static_cast<int64_t>(below(3000)));
  }
  void break_something() {
    const SimRule rule = random_rule(&random_);
    note("break op " + std::to_string(static_cast<int>(rule.op)) + " skip " +
         std::to_string(rule.skip) + " count " + std::to_string(rule.count) + " fault " +
         std::to_string(static_cast<int>(rule.fault)) + " error " + std::to_string(rule.error));
    world_.add_rule(rule);
  }
  // Whether bytes are lent for long, and the disk takes its time.
  void change_pace() {
    host().holds_lent = one_in(2);
    world_.submit_latency_us = one_in(3) ? 2000 : 0;
  }
  void mend_disk() {
    world_.clear_rules();
    world_.set_capacity(INT64_MAX);
  }

  // What the disk did to this life.
  bool has_faults() const { return has_hard_faults() || world_.full_faults() != full_faults_; }
  // A truncation cannot stop half-way, whatever the reason.
  bool has_hard_faults() const { return is_half_cut_ || world_.hard_faults() != hard_faults_; }
  // The disk was mended, and so is the partition, unless the disk was worse than full.
  bool is_well_again() {
    if (has_hard_faults() || !is_alive()) return false;
    full_faults_ = world_.full_faults();
    CHECK(!partition().is_offline());
    return true;
  }
  void check_online() {
    if (partition().is_offline() && !has_hard_faults()) {
      fail_with("offline, and the disk was only full");
    }
  }

  SimDeath death() { return one_in(2) ? SimDeath::kPower : SimDeath::kKill; }

  // The process ends, if it has not yet, and with it the node. True: the power went, asked for or
  // not.
  bool die(bool is_power, const char* after = "") {
    // After a sync that failed nothing proves any more what is on the disk: only a restart of the
    // machine tells, and one of the process alone would believe what it reads from memory.
    is_power = is_power || world_.lost_syncs() != lost_syncs_;
    if (is_alive()) {
      world_.die(is_power ? SimDeath::kPower : SimDeath::kKill);
    } else if (world_.last_death() == SimDeath::kPower) {
      is_power = true;
    } else if (is_power) {
      world_.restart();
      world_.die(SimDeath::kPower);
    }
    lost_syncs_ = world_.lost_syncs();
    host().holds_lent = false;
    node_->run();  // what waits for the dead is told
    note(std::string("end of life by ") + (is_power ? "power" : "kill") + after);
    node_.reset();
    world_.restart();
    world_.submit_latency_us = 0;
    return is_power;
  }

  int64_t saved_recovery_point_ = 0, saved_start_ = 0;  // the checkpoints
  int64_t acked_ = 0;                                   // a kill may not lose what lies below
  Waiting<Flushing> flushing_;
  bool is_half_cut_ = false;

 private:
  // Of the world, when this life began, or was well last.
  uint64_t hard_faults_ = 0, full_faults_ = 0;
  uint64_t lost_syncs_ = 0;
};

// Who was answered stays for a while: whoever answers may look at it still.
template <typename Op>
void set_aside(Op* op, Waiting<Op>* pending, Waiting<Op>* answered) {
  const auto gone = std::find_if(pending->begin(), pending->end(),
                                 [&](const auto& each) { return each.get() == op; });
  answered->push_back(std::move(*gone));
  pending->erase(gone);
}

}  // namespace ottla::test
