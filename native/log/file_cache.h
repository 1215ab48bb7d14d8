// FileCache: the bounded set of descriptors behind every segment of a process. A CachedFile is
// opened when somebody needs it, stays open while pinned, and is closed by a clock sweep once too
// many are open. (DESIGN §3: descriptors of rolled segments are bounded; a partition that is idle
// holds none.)
//
// The process has other descriptors, connections above all, and these come first: a handle at or
// above `scarce_from` (the kernel gives the lowest that is free), or none at all, closes files that
// nobody has pinned. They are opened again when somebody needs them.
//
// Threads: pin and unpin of an open file are one atomic operation each, from any thread. Opening,
// closing and the sweep take a mutex, but not while the disk is waited for; never the path of a hot
// append or a tail read. A file whose last owner is gone is closed by the next thread
// that comes by with an Io.
#pragma once

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "../io/io.h"

namespace ottla {

class FileCache;

class CachedFile {
 public:
  CachedFile(FileCache* cache, std::string path);
  ~CachedFile();  // unpinned by now; an open descriptor is left to FileCache::drain
  CachedFile(const CachedFile&) = delete;
  CachedFile& operator=(const CachedFile&) = delete;

  // Opens if needed; the handle stays valid until the matching unpin().
  Status pin(Io& io, Handle* file);
  void unpin();
  // Closes unless pinned or closed already.
  Status close(Io& io);
  bool is_open() const { return handle_of(state_.load(std::memory_order_acquire)) != kNoHandle; }
  // The writer's alone, while nobody else can open it: the name it will be opened by.
  void set_path(std::string path) { path_ = std::move(path); }
  const std::string& path() const { return path_; }

 private:
  friend class FileCache;
  // Handle + 1 in the high half (0: closed), then "used since the last sweep", then the pins.
  static constexpr uint64_t kUsed = uint64_t{1} << 31;
  static constexpr uint64_t kPins = kUsed - 1;
  static Handle handle_of(uint64_t state) { return static_cast<Handle>(state >> 32) - 1; }

  bool try_pin(Handle* file);

  std::atomic<uint64_t> state_{0};
  FileCache* const cache_;
  size_t slot_ = 0;  // in cache_->open_, under its mutex
  std::string path_;
};

class FileCache {
 public:
  explicit FileCache(size_t open_max, Handle scarce_from = INT_MAX)
      : open_max_(std::max<size_t>(open_max, 1)), scarce_from_(scarce_from) {}
  ~FileCache();  // drained and unused by now
  FileCache(const FileCache&) = delete;
  FileCache& operator=(const FileCache&) = delete;

  // Closes what destroyed files left behind. Cheap when there is nothing.
  void drain(Io& io);
  size_t open_count() const;
  // Whether a handle that was just given says that there are few left.
  bool is_scarce(Handle given) const { return given >= scarce_from_; }
  // Closes some files that nobody has pinned, for whoever needs descriptors more. How many it was.
  size_t give_way(Io& io);

 private:
  friend class CachedFile;
  static constexpr size_t kGivenAtOnce = 64;
  Status open(Io& io, CachedFile* file);
  void sweep(size_t kept, std::vector<Handle>* spare);  // no longer used; to be closed
  void forget(CachedFile* file);

  const size_t open_max_;
  const Handle scarce_from_;
  mutable std::mutex mutex_;
  std::vector<CachedFile*> open_;
  std::vector<Handle> orphans_;
  std::atomic<bool> has_orphans_{false};
  size_t hand_ = 0;
};

// A pin for the length of a scope.
class Pin {
 public:
  Pin() = default;
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  ~Pin() {
    if (file_ != nullptr) file_->unpin();
  }
  Status take(Io& io, CachedFile* file) {
    OTTLA_TRY(file->pin(io, &handle_));
    file_ = file;
    return Status::good();
  }
  Handle handle() const { return handle_; }
  // The pin now belongs to the caller.
  Handle release() {
    file_ = nullptr;
    return handle_;
  }

 private:
  CachedFile* file_ = nullptr;
  Handle handle_ = kNoHandle;
};

}  // namespace ottla
