// See input.h.
#include "input.h"

#include <algorithm>
#include <cstring>

namespace ottla {

BlockPool::~BlockPool() {
  for (Block* block : free_) delete block;
}

Block* BlockPool::take(size_t bytes) {
  Buffer buffer = buffers_.take(bytes);
  if (!buffer) return nullptr;
  Block* block;
  if (free_.empty()) {
    block = new Block;
  } else {
    block = free_.back();
    free_.pop_back();
  }
  *block = {};
  block->buffer = buffer;
  return block;
}

void BlockPool::release_if_unused(Block* block) {
  if (block->holds > 0 || block->is_input) return;
  buffers_.give_back(&block->buffer);
  free_.push_back(block);
}

bool Input::reserve(uint64_t frame_bytes) {
  const uint32_t arrived = bytes();
  // What to hold in one block: the frame, as far as its sender has earned trust for it.
  uint64_t want = frame_bytes == 0 ? expected_bytes() : kBlockBytes;
  if (frame_bytes > want) {
    const uint64_t trusted =
        std::max<uint64_t>({kBlockBytes, 2 * uint64_t{arrived}, frame_bytes_seen_});
    want = std::min(frame_bytes, trusted);
  }
  if (block_ != nullptr) {
    if (arrived == 0 && block_->holds == 0) block_->begin = block_->end = 0;
    const uint32_t capacity = block_->buffer.bytes;
    const bool is_tight =
        room_bytes() == 0 || capacity - block_->begin < std::min(frame_bytes, want) ||
        (arrived == 0 && room_bytes() < (want > kBlockBytes ? want : kBlockBytes / 8));
    if (!is_tight) return true;
    if (block_->holds == 0 && capacity >= want && block_->begin > 0) {
      std::memmove(block_->buffer.data, data(), arrived);
      block_->begin = 0;
      block_->end = arrived;
      return true;
    }
    // A frame that has filled the block but not reached its end: at least double.
    if (arrived == capacity) want = std::max<uint64_t>(want, 2 * uint64_t{capacity});
  }
  Block* next = pool_->take(want);
  if (next == nullptr) return room_bytes() > 0;
  next->is_input = true;
  if (arrived > 0) std::memcpy(next->buffer.data, data(), arrived);
  next->end = arrived;
  drop();
  block_ = next;
  return true;
}

size_t Input::wanted_bytes(uint64_t frame_bytes) const {
  const uint64_t whole = frame_bytes == 0 ? expected_bytes() : frame_bytes;
  const size_t room = room_bytes();
  if (whole <= kBlockBytes || whole <= bytes()) return room;  // small ones: as many as come
  return static_cast<size_t>(std::min<uint64_t>(room, whole - bytes() + kBehindBytes));
}

Block* Input::consume_and_hold(uint32_t bytes) {
  block_->begin += bytes;
  block_->holds += 1;
  return block_;
}

void Input::release(Block* block) {
  OTTLA_ASSERT(block->holds > 0, "a frame is released once");
  block->holds -= 1;
  if (block == block_) return rest();
  pool_->release_if_unused(block);
}

void Input::completed(uint32_t frame_bytes) {
  // Grows at once, shrinks slowly: a few small frames do not forget the big ones.
  frame_bytes_seen_ = frame_bytes >= frame_bytes_seen_
                          ? frame_bytes
                          : frame_bytes_seen_ - (frame_bytes_seen_ - frame_bytes) / 16;
}

void Input::rest() {
  if (block_ != nullptr && bytes() == 0 && block_->holds == 0) drop();
}

void Input::drop() {
  if (block_ == nullptr) return;
  Block* gone = block_;
  block_ = nullptr;
  gone->is_input = false;
  pool_->release_if_unused(gone);
}

}  // namespace ottla
