// See writers.h.
#include "writers.h"

#include <algorithm>
#include <utility>

#include "../base/assert.h"

namespace ottla {

Writers::~Writers() {
  for (const auto& disk : disks_) stop(disk.get());
}

void Writers::submit(WriteOp* op) {
  if (options_.slow_us == 0) {
    return op->done(op, options_.write(op->file, op->iov, op->iov_count, op->position));
  }
  if (!disks_.empty()) {
    const uint64_t number = options_.disk_of(op->file);
    for (const auto& disk : disks_) {
      if (disk->number != number) continue;
      disk->in_flight += 1;
      {
        const std::lock_guard lock(disk->mutex);
        disk->queue.push_back(op);
      }
      return disk->changed.notify_one();
    }
  }
  op->done(op, write_inline(op));
}

Status Writers::write_inline(WriteOp* op) {
  const int64_t start_us = options_.now_us();
  const Status status = options_.write(op->file, op->iov, op->iov_count, op->position);
  if (options_.now_us() - start_us > options_.slow_us) start(options_.disk_of(op->file));
  return status;
}

void Writers::start(uint64_t number) {
  auto disk = std::make_unique<Disk>();
  disk->number = number;
  Disk* const raw = disk.get();
  disk->thread = std::thread([this, raw] { run(raw); });
  disks_.push_back(std::move(disk));
}

void Writers::stop(Disk* disk) {
  {
    const std::lock_guard lock(disk->mutex);
    disk->stops = true;
  }
  disk->changed.notify_one();
  disk->thread.join();
}

void Writers::run(Disk* disk) {
  for (;;) {
    WriteOp* op = nullptr;
    {
      std::unique_lock lock(disk->mutex);
      disk->changed.wait(lock, [&] { return disk->stops || !disk->queue.empty(); });
      if (disk->stops) return;
      op = disk->queue.front();
      disk->queue.pop_front();
    }
    const int64_t start_us = options_.now_us();
    const Status status = options_.write(op->file, op->iov, op->iov_count, op->position);
    const int64_t took_us = options_.now_us() - start_us;
    {
      const std::lock_guard lock(disk->mutex);
      disk->finished.push_back({op, status, took_us});
    }
    io_->wake();
  }
}

// done() may submit again, to the same disk too: what has finished is taken out before the first
// call.
void Writers::complete() {
  std::vector<Finished> all;
  for (const auto& disk : disks_) {
    std::vector<Finished> finished;
    {
      const std::lock_guard lock(disk->mutex);
      finished.swap(disk->finished);
    }
    OTTLA_ASSERT(finished.size() <= disk->in_flight, "only what was handed over comes back");
    disk->in_flight -= finished.size();
    for (const Finished& one : finished) {
      disk->well = one.took_us <= options_.slow_us / 4 ? disk->well + 1 : 0;
    }
    all.insert(all.end(), finished.begin(), finished.end());
  }
  std::erase_if(disks_, [this](const std::unique_ptr<Disk>& disk) {
    const bool is_well = disk->in_flight == 0 && disk->well >= options_.well_writes;
    if (is_well) stop(disk.get());
    return is_well;
  });
  for (const Finished& one : all) one.op->done(one.op, one.status);
}

}  // namespace ottla
