// Blocks are rings by file position; the pool hands them out by a clock.
#include "tail_pool.h"

#include <algorithm>
#include <cstring>

#include "assert.h"

namespace ottla {

void TailPool::Block::begin_at(const void* segment, int64_t end) {
  segment_ = segment;
  begin_ = end_ = end;
}

bool TailPool::Block::goes_on(const void* segment, int64_t position, int64_t bytes) {
  if (segment != segment_ || position != end_) begin_at(segment, position);
  if (bytes > kBytes) begin_at(segment, position + bytes);
  return bytes <= kBytes;
}

void TailPool::Block::append(const uint8_t* from, int64_t bytes) {
  while (bytes > 0) {
    const int64_t at = end_ % kBytes;
    const int64_t run = std::min(bytes, kBytes - at);
    std::memcpy(bytes_.get() + at, from, static_cast<size_t>(run));
    from += run;
    bytes -= run;
    end_ += run;
  }
  begin_ = std::max(begin_, end_ - kBytes);
}

bool TailPool::Block::copy(const void* segment, int64_t position, int64_t bytes, uint8_t* into) {
  if (segment != segment_ || position < begin_ || position + bytes > end_) return false;
  is_used_ = true;
  while (bytes > 0) {
    const int64_t at = position % kBytes;
    const int64_t run = std::min(bytes, kBytes - at);
    std::memcpy(into, bytes_.get() + at, static_cast<size_t>(run));
    into += run;
    position += run;
    bytes -= run;
  }
  return true;
}

void TailPool::take(Block** holder) {
  Block* block = free_one();
  if (block->holder_ != nullptr) *block->holder_ = nullptr;
  block->holder_ = holder;
  block->is_used_ = false;
  block->begin_at(nullptr, 0);
  *holder = block;
}

TailPool::Block* TailPool::free_one() {
  if (blocks_.size() < blocks_.capacity()) {
    blocks_.emplace_back();
    blocks_.back().bytes_ = std::make_unique_for_overwrite<uint8_t[]>(kBytes);
    return &blocks_.back();
  }
  OTTLA_ASSERT(!blocks_.empty(), "a pool has blocks");
  for (;; hand_ += 1) {
    Block& block = blocks_[hand_ % blocks_.size()];
    if (block.holder_ != nullptr && block.is_used_) {
      block.is_used_ = false;
      continue;
    }
    hand_ += 1;
    return &block;
  }
}

void TailPool::give_back(Block** holder) {
  (*holder)->holder_ = nullptr;
  (*holder)->begin_at(nullptr, 0);
  *holder = nullptr;
}

}  // namespace ottla
