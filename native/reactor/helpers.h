// Helpers: the threads that wait for one log directory, and for no other: a disk that hangs has
// only its own. Threads appear with their first job. Kafka: num.recovery.threads.per.data.dir.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "../partition/host.h"
#include "disk.h"
#include "worker_pool.h"

namespace ottla {

class Helpers {
 public:
  using MakeIo = std::function<std::unique_ptr<Io>()>;
  using Pace = WorkerPool::Pace;

  // `openers`: threads that open and close logs; 0: everything is done where it is lent.
  Helpers(std::string directory, int openers, const MakeIo& make_io)
      : disk_(std::move(directory)),
        openers_(openers, make_io, Pace::kYields, &disk_, kManyLogs),
        awaited_syncs_(std::min(openers, 1), make_io, Pace::kPrompt, &disk_, kManyAwaitedSyncs),
        idle_syncs_(std::min(openers, 1), make_io, Pace::kYields, &disk_, kManyLogs),
        cleaners_(std::min(openers, 1) * kCleanersMax, make_io, Pace::kYields),
        readers_(std::min(openers, 1) * kReaders, make_io, Pace::kPrompt) {}

  Disk& disk() { return disk_; }
  WorkerPool& of(DiskQueue queue) {
    switch (queue) {
      case DiskQueue::kAwaitedSync:
        return awaited_syncs_;
      case DiskQueue::kRead:
        return readers_;
      case DiskQueue::kClean:
        return cleaners_;
      case DiskQueue::kClose:
        return openers_;
      case DiskQueue::kIdleSync:
      case DiskQueue::kRecode:
        break;
    }
    return idle_syncs_;
  }
  WorkerPool& openers() { return openers_; }
  WorkerPool& idle_syncs() { return idle_syncs_; }
  WorkerPool& readers() { return readers_; }
  // Jobs that run are finished, those that wait are dropped.
  void stop() {
    for (auto* pool : {&openers_, &awaited_syncs_, &idle_syncs_, &cleaners_, &readers_}) {
      pool->stop();
    }
  }

 private:
  static constexpr int kCleanersMax = 16;  // TypeScript says how many clean at a time
  static constexpr int kReaders = 4;       // a disk takes several reads at a time
  // So many logs to open, to close or to sync make one sync of the disk cheaper than all of theirs,
  // whatever else is written to it. Where somebody waits that is less sure.
  static constexpr size_t kManyLogs = 64;
  static constexpr size_t kManyAwaitedSyncs = 128;

  Disk disk_;
  WorkerPool openers_;
  // One thread each: the sync of a rolled segment may take seconds, and who waits for an
  // acknowledgement or for the metadata log does not queue behind it.
  WorkerPool awaited_syncs_;
  WorkerPool idle_syncs_;
  WorkerPool cleaners_;
  WorkerPool readers_;  // of what is not in memory: see io/cold.h
};

}  // namespace ottla
