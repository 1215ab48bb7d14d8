// Disk: the one that holds a log directory, open from before anything of ours is written to it, so
// that hundreds of files can be synced with one call that tells of every failure. Any thread.
//
// A failure is told once for each open disk, to whoever asks first: everybody asks here, one at a
// time, and what failed once has failed for all.
#pragma once

#include <mutex>
#include <string>

#include "../io/io.h"

namespace ottla {

class Disk {
 public:
  explicit Disk(std::string directory) : directory_(std::move(directory)) {}
  // Before the first write below the directory.
  void know(Io& io) {
    std::lock_guard<std::mutex> lock(lock_);
    if (is_known_) return;
    is_known_ = true;
    if (!io.open_disk(directory_, &handle_).ok()) handle_ = kNoHandle;
  }
  // Else it cannot be synced as a whole, or is not known yet.
  bool can_sync() const {
    std::lock_guard<std::mutex> lock(lock_);
    return handle_ != kNoHandle;
  }
  // All that was written to it before. Bad from the first failure on.
  Status sync(Io& io) {
    std::lock_guard<std::mutex> lock(syncing_);
    if (failure_.ok()) failure_ = io.sync_disk(handle_);
    return failure_;
  }
  // At the end: nobody syncs any more.
  void close(Io& io) {
    std::lock_guard<std::mutex> lock(lock_);
    if (handle_ != kNoHandle) (void)io.close(handle_);
    handle_ = kNoHandle;
  }

 private:
  const std::string directory_;
  mutable std::mutex lock_;
  Handle handle_ = kNoHandle;
  bool is_known_ = false;
  std::mutex syncing_;
  Status failure_;  // under syncing_
};

}  // namespace ottla
