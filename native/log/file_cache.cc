// Pins by compare-and-swap, a clock hand over the open files, orphans closed by whoever has an Io.
#include "file_cache.h"

#include "../base/assert.h"

namespace ottla {

CachedFile::CachedFile(FileCache* cache, std::string path)
    : cache_(cache), path_(std::move(path)) {}

CachedFile::~CachedFile() { cache_->forget(this); }

bool CachedFile::try_pin(Handle* file) {
  uint64_t state = state_.load(std::memory_order_acquire);
  while (handle_of(state) != kNoHandle) {
    if (state_.compare_exchange_weak(state, (state + 1) | kUsed, std::memory_order_acq_rel)) {
      *file = handle_of(state);
      return true;
    }
  }
  return false;
}

Status CachedFile::pin(Io& io, Handle* file) {
  while (!try_pin(file)) {
    OTTLA_TRY(cache_->open(io, this));
  }
  return Status::good();
}

void CachedFile::unpin() {
  const uint64_t before = state_.fetch_sub(1, std::memory_order_acq_rel);
  OTTLA_ASSERT((before & kPins) > 0, "unpin matches a pin");
}

Status CachedFile::close(Io& io) {
  uint64_t state = 0;
  {
    std::lock_guard lock(cache_->mutex_);
    state = state_.load(std::memory_order_acquire);
    do {
      if (handle_of(state) == kNoHandle || (state & kPins) != 0) return Status::good();
    } while (!state_.compare_exchange_weak(state, 0, std::memory_order_acq_rel));
    std::vector<CachedFile*>& open = cache_->open_;
    open[slot_] = open.back();
    open[slot_]->slot_ = slot_;
    open.pop_back();
  }
  return io.close(handle_of(state));
}

FileCache::~FileCache() { OTTLA_ASSERT(open_.empty(), "every file is gone before its cache"); }

void FileCache::drain(Io& io) {
  if (!has_orphans_.load(std::memory_order_acquire)) return;
  std::vector<Handle> orphans;
  {
    std::lock_guard lock(mutex_);
    orphans.swap(orphans_);
    has_orphans_.store(false, std::memory_order_release);
  }
  for (const Handle handle : orphans) (void)io.close(handle);
}

size_t FileCache::open_count() const {
  std::lock_guard lock(mutex_);
  return open_.size();
}

// The disk is waited for without the lock, so that one that hangs holds up only who wants its
// files.
Status FileCache::open(Io& io, CachedFile* file) {
  drain(io);
  Handle handle = kNoHandle;
  Status status = io.open(file->path_, OpenMode::kReadWrite, &handle);
  while (status.code == Code::kBusy && give_way(io) > 0) {
    status = io.open(file->path_, OpenMode::kReadWrite, &handle);
  }
  OTTLA_TRY(status);
  std::vector<Handle> spare;
  {
    std::lock_guard lock(mutex_);
    if (CachedFile::handle_of(file->state_.load(std::memory_order_acquire)) != kNoHandle) {
      spare.push_back(handle);  // another thread was first
    } else {
      if (open_.size() >= open_max_) sweep(open_max_ - 1, &spare);
      if (is_scarce(handle) && open_.size() >= 2) sweep(open_.size() - 2, &spare);
      file->slot_ = open_.size();
      open_.push_back(file);
      file->state_.store((static_cast<uint64_t>(handle + 1) << 32) | CachedFile::kUsed,
                         std::memory_order_release);
    }
  }
  for (const Handle closed : spare) (void)io.close(closed);
  return Status::good();
}

// Second chance: a used file loses its mark, an unmarked and unpinned one its descriptor. When all
// are pinned the bound gives way: more work in flight than the limit foresaw must not fail reads.
void FileCache::sweep(size_t kept, std::vector<Handle>* spare) {
  size_t looks = 2 * open_.size();
  for (; looks > 0 && open_.size() > kept; looks -= 1) {
    if (hand_ >= open_.size()) hand_ = 0;
    CachedFile* file = open_[hand_];
    uint64_t state = file->state_.load(std::memory_order_acquire);
    if ((state & CachedFile::kPins) != 0 || (state & CachedFile::kUsed) != 0) {
      file->state_.fetch_and(~CachedFile::kUsed, std::memory_order_acq_rel);
      hand_ += 1;
    } else if (file->state_.compare_exchange_strong(state, 0, std::memory_order_acq_rel)) {
      open_[hand_] = open_.back();
      open_[hand_]->slot_ = hand_;
      open_.pop_back();
      spare->push_back(CachedFile::handle_of(state));
    }
  }
}

size_t FileCache::give_way(Io& io) {
  std::vector<Handle> spare;
  {
    std::lock_guard lock(mutex_);
    sweep(open_.size() - std::min(open_.size(), kGivenAtOnce), &spare);
  }
  for (const Handle closed : spare) (void)io.close(closed);
  return spare.size();
}

void FileCache::forget(CachedFile* file) {
  std::lock_guard lock(mutex_);
  const uint64_t state = file->state_.exchange(0, std::memory_order_acq_rel);
  if (CachedFile::handle_of(state) == kNoHandle) return;
  OTTLA_ASSERT((state & CachedFile::kPins) == 0, "a pinned file outlives its pins");
  open_[file->slot_] = open_.back();
  open_[file->slot_]->slot_ = file->slot_;
  open_.pop_back();
  orphans_.push_back(CachedFile::handle_of(state));
  has_orphans_.store(true, std::memory_order_release);
}

}  // namespace ottla
