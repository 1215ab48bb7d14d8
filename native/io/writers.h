// Appends that do not let one bad disk stop the rest: inline while the disk is well, by a thread of
// the disk's own while it is not (DESIGN, decision 3).
//
//        one write over slow_us                              well_writes in a row under slow_us /
//        4,
//  inline ─────────────────────► handed to the disk's writer
//  ───────────────────────────────────────► inline
//                                 completed at Io::poll()      and nothing in flight
//
// Order per file holds throughout: a file has one disk, a disk is in one of the two states, and the
// way back is taken with nothing in flight. The usual path costs two looks at the clock. Belongs to
// one reactor; only its writers are other threads, and what they share is behind a mutex that a
// well disk never takes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "io.h"

namespace ottla {

class Writers {
 public:
  struct Options {
    int64_t slow_us = 0;  // 0: every append is inline, whatever it takes
    int well_writes = 64;
    // What a test replaces.
    Status (*write)(Handle file, const iovec* iov, int count, int64_t position) = nullptr;
    uint64_t (*disk_of)(Handle file) = nullptr;
    int64_t (*now_us)() = nullptr;
  };

  // `io` is woken for completions.
  Writers(Io* io, const Options& options) : io_(io), options_(options) {}
  Writers(const Writers&) = delete;
  Writers& operator=(const Writers&) = delete;
  // Waits for the write at hand of each writer; appends still queued are dropped, their done() not
  // called.
  ~Writers();

  void submit(WriteOp* op);
  // Calls done() for what the writers have finished, in their order.
  void complete();
  bool has_slow_disk() const { return !disks_.empty(); }

 private:
  struct Finished {
    WriteOp* op;
    Status status;
    int64_t took_us;
  };
  struct Disk {
    uint64_t number = 0;
    size_t in_flight = 0;  // the reactor's own count
    int well = 0;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<WriteOp*> queue;      // under mutex
    std::vector<Finished> finished;  // under mutex
    bool stops = false;              // under mutex
    std::thread thread;
  };

  Status write_inline(WriteOp* op);
  void start(uint64_t number);
  void stop(Disk* disk);
  void run(Disk* disk);

  Io* const io_;
  const Options options_;
  std::vector<std::unique_ptr<Disk>> disks_;  // the slow ones
};

}  // namespace ottla
