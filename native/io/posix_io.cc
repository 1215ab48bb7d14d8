// See posix_io.h.
#include "posix_io.h"

#include <pthread.h>
#include <signal.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <utility>

#include "../base/assert.h"

namespace ottla {

namespace {

int64_t clock_us(clockid_t clock) {
  timespec now;
  ::clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1000000 + now.tv_nsec / 1000;
}

}  // namespace

Descriptor::~Descriptor() {
  if (number >= 0) ::close(number);
}

int64_t PosixIo::now_us() { return clock_us(CLOCK_MONOTONIC); }
int64_t PosixIo::wall_ms() { return clock_us(CLOCK_REALTIME) / 1000; }

uint64_t PosixIo::random() {
  if (entropy_left_ == 0) {
    // 256 bytes at most: never short, never interrupted, blocks only in early boot.
    const ssize_t got = ::getrandom(entropy_, sizeof entropy_, 0);
    OTTLA_ASSERT(got == static_cast<ssize_t>(sizeof entropy_), "the kernel has entropy");
    entropy_left_ = kEntropyWords;
  }
  entropy_left_ -= 1;
  return entropy_[entropy_left_];
}

Status PosixIo::read_ready(Handle file, void* into, size_t bytes, int64_t position, size_t* got) {
  const Status status = posix::read_ready(file, into, bytes, position, got);
  if (status.code != Code::kWouldBlock || missing_->file != kNoHandle) return status;
  // Without a descriptor for the helper it has to be waited for here.
  Handle copy = kNoHandle;
  if (!posix::duplicate(file, &copy).ok()) return posix::read(file, into, bytes, position, got);
  *missing_ = {copy, position, static_cast<int64_t>(bytes)};
  return status;
}

// A name comes after what it names: a file that lost its place to an empty one would be lost.
Status PosixIo::catch_up(const std::function<Status()>& sync_disks) {
  is_deferring_ = false;
  const auto replaces = std::exchange(replaces_, {});
  if (!std::exchange(owes_sync_, false)) return Status::good();
  OTTLA_TRY(sync_disks());
  for (const auto& [to, from] : replaces) OTTLA_TRY(rename(from, to));
  return replaces.empty() ? Status::good() : sync_disks();
}

void PosixIo::wake() {
  const uint64_t one = 1;
  // The counter is never full: that takes a write per nanosecond for centuries.
  (void)!::write(wake_.number, &one, sizeof one);
}

// sendfile to a closed socket raises SIGPIPE and takes no flag against it; this thread is ours.
void PosixIo::mask_sigpipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  is_sigpipe_masked_ = true;
}

Writers::Options PosixIo::writer_options(const PosixOptions& options) {
  Writers::Options writers;
  writers.slow_us = options.slow_write_us;
  writers.write = &posix::write_gathered;
  writers.disk_of = &posix::disk_of;
  writers.now_us = [] { return clock_us(CLOCK_MONOTONIC); };
  return writers;
}

}  // namespace ottla
