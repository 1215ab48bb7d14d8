// See sim.h. Here: what becomes of an operation, death, and the clients outside. The calls are in
// sim_io.cc.
#include "sim.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "../base/assert.h"
#include "sim_io.h"

namespace ottla {

namespace {

bool is_of_disk(SimOp op) { return op >= SimOp::kOpen && op <= SimOp::kSyncDirectory; }
bool is_of_socket(SimOp op) { return op >= SimOp::kListen; }
bool is_write(SimOp op) { return op == SimOp::kWrite || op == SimOp::kSubmit; }
bool is_sync(SimOp op) { return op == SimOp::kSync || op == SimOp::kSyncDirectory; }

}  // namespace

SimWorld::SimWorld(uint64_t seed) : random_(seed), faults_(~seed), disk_(&faults_) {}

SimWorld::~SimWorld() { OTTLA_ASSERT(ios_.empty(), "the world outlives its Ios"); }

std::unique_ptr<Io> SimWorld::make_io() {
  auto io = std::make_unique<SimIo>(this);
  ios_.push_back(io.get());
  return io;
}

int64_t SimWorld::next_event_us() const {
  int64_t next = net_.next_us(now_us_);
  for (const SimIo* io : ios_) next = std::min(next, io->next_us());
  return std::max(next, now_us_);
}

Status SimWorld::flip_bit(const std::string& path, int64_t bit) {
  SimNodeRef node;
  OTTLA_TRY(disk_.find(path, &node));
  if (bit < 0 || bit >= node->bytes() * 8) return Status::fail(Code::kOutOfRange, "flip_bit");
  SimDisk::flip_bit(node.get(), bit);
  return Status::good();
}

// ---- fate ----

void SimWorld::decide_by_chance(SimOp op, Fate* fate) {
  const Status error = Status::fail(Code::kIo, "sim chance", EIO);
  if (is_write(op)) {
    if (faults_.chance(chances.write_error)) {
      fate->happens = false;
      fate->is_short = faults_.below(2) == 0;
      fate->status = error;
    }
    if (faults_.chance(chances.write_stall)) {
      fate->stall_us =
          1 + static_cast<int64_t>(faults_.below(static_cast<uint64_t>(chances.stall_us_max)));
    }
  } else if (op == SimOp::kSync && faults_.chance(chances.sync_error)) {
    fate->happens = false;
    fate->loses_sync = true;
    fate->status = error;
  } else if ((op == SimOp::kRead || op == SimOp::kSendFile) && faults_.chance(chances.read_error)) {
    fate->happens = false;
    fate->status = error;
  }
}

void SimWorld::apply_rules(SimOp op, const std::string& path, Fate* fate) {
  for (ActiveRule& active : rules_) {
    const SimRule& rule = active.rule;
    if (rule.op != SimOp::kAny && rule.op != op) continue;
    if (path.find(rule.path_contains) == std::string::npos) continue;
    active.seen += 1;
    if (active.seen <= rule.skip || active.seen - rule.skip > rule.count) continue;
    switch (rule.fault) {
      case SimFault::kStall:
        fate->stall_us += rule.stall_us;
        continue;
      case SimFault::kFlipBit:
        fate->flips_bit = true;
        continue;
      case SimFault::kShort:
        fate->is_short = is_write(op);
        break;
      case SimFault::kSyncLost:
        fate->loses_sync = op == SimOp::kSync;
        break;
      case SimFault::kFail:
        break;
    }
    fate->happens = false;
    fate->status = Status::fail(rule.code, "sim rule", rule.error);
  }
}

SimWorld::Fate SimWorld::decide(SimOp op, const std::string& path) {
  Fate fate;
  decide_by_chance(op, &fate);
  apply_rules(op, path, &fate);
  if (op != SimOp::kSubmit) now_us_ += fate.stall_us;
  if (!is_of_disk(op) && !is_of_socket(op)) return fate;
  operations_ += 1;
  if (operations_ <= die_at_) return fate;
  // Dying in a write or a change of names: it happened, unsynced. In a sync or on the network: not
  // any more.
  fate = Fate();
  fate.dies = true;
  fate.happens = is_of_disk(op) && !is_sync(op);
  if (death_ == SimDeath::kKill && is_write(op)) {
    fate.happens = false;
    fate.is_short = true;
  }
  return fate;
}

Status SimWorld::finish(SimOp op, const Fate& fate, Status status, uint64_t detail) {
  lost_syncs_ += fate.loses_sync ? 1 : 0;
  const bool is_full = status.code == Code::kNoSpace && !is_sync(op);
  if (is_full) full_faults_ += 1;
  if (!fate.happens && !fate.dies && !is_full) hard_faults_ += 1;
  if (fate.dies) {
    die(death_);
    status = Status::fail(Code::kIo, "sim death", EIO);
  }
  for (const uint64_t word : {static_cast<uint64_t>(op), static_cast<uint64_t>(status.code), detail,
                              static_cast<uint64_t>(now_us_)}) {
    trace_ = SimRandom(trace_ ^ word).next();
  }
  return status;
}

SimWorld::OpenFile* SimWorld::file(Handle handle) {
  const auto found = files_.find(handle);
  return found == files_.end() ? nullptr : &found->second;
}

Handle SimWorld::open_file(SimNodeRef node, const std::string& path, bool is_writable,
                           bool holds_lock) {
  node->opens += 1;
  node->is_locked = node->is_locked || holds_lock;
  const Handle handle = next_handle_++;
  files_[handle] = {std::move(node), path, is_writable, holds_lock};
  return handle;
}

void SimWorld::release(OpenFile* file) {
  if (file->holds_lock) file->node->is_locked = false;
  file->node->opens -= 1;
  file->node->charge();
}

// ---- death ----

void SimWorld::die(SimDeath death) {
  OTTLA_ASSERT(!is_dead_, "one dies once");
  is_dead_ = true;
  death_ = death;
  die_at_ = UINT64_MAX;
  for (auto& [handle, open] : files_) release(&open);
  files_.clear();
  net_.die();
  if (death == SimDeath::kPower) disk_.crash();
}

void SimWorld::restart() {
  OTTLA_ASSERT(is_dead_, "only the dead restart");
  is_dead_ = false;
  life_ += 1;
}

// ---- clients ----

Handle SimWorld::connect_client(uint16_t port, const std::string& host) {
  const Handle client = next_handle_++;
  net_.connect(client, {host, port}, true, now_us_);
  return client;
}

Status SimWorld::client_send(Handle client, Bytes bytes, size_t* sent) {
  return net_.send(client, bytes, now_us_, sent);
}

Status SimWorld::client_receive(Handle client, void* into, size_t bytes, size_t* got) {
  return net_.receive(client, into, bytes, now_us_, got);
}

}  // namespace ottla
