// Input: the bytes a connection has received and not yet consumed, in blocks lent by the reactor's
// pool. A frame is always contiguous; frames that requests still hold (a Produce whose batches are
// being written) keep their block alive, also after the connection is gone.
//
// Nothing is allocated because a peer claims a length: a block grows by what has arrived, doubling,
// up to the frame's size; only a connection that has sent a frame of some size before gets a block
// of that size at once. An idle connection has no block but the one that frames of it still hold:
// the next ones join them there, so that many small frames in flight do not hold a block each.
//
// Large frames are read each into a block of its own and hardly further, so that little is moved.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../base/slab.h"

namespace ottla {

struct Block {
  Buffer buffer;
  uint32_t begin = 0;     // first byte not consumed
  uint32_t end = 0;       // one past the last byte received
  uint32_t holds = 0;     // frames in it that are not released
  bool is_input = false;  // some connection still reads into it
};

// One reactor's blocks: their memory and their recycled descriptions.
class BlockPool {
 public:
  explicit BlockPool(BufferPool::Options options) : buffers_(options) {}
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool();

  Block* take(size_t bytes);  // null: the budget is spent
  void release_if_unused(Block* block);
  void warm(uint32_t bytes, uint32_t count) { buffers_.warm(bytes, count); }
  size_t lent_bytes() const { return buffers_.lent_bytes(); }

 private:
  BufferPool buffers_;
  std::vector<Block*> free_;
};

class Input {
 public:
  static constexpr uint32_t kBlockBytes = 64 * 1024;
  // Read behind a large frame: a read that is not filled says that no more is here, and saves
  // another.
  static constexpr uint32_t kBehindBytes = 4 * 1024;

  explicit Input(BlockPool* pool) : pool_(pool) {}
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  ~Input() { drop(); }

  // Makes room behind what has arrived. `frame_bytes`: length prefix and all of the frame whose
  // first bytes are here, 0 when that is not known. False: the pool has nothing to lend now.
  bool reserve(uint64_t frame_bytes);
  uint8_t* room() { return block_->buffer.data + block_->end; }
  size_t room_bytes() const { return block_ == nullptr ? 0 : block_->buffer.bytes - block_->end; }
  // How much of the room to fill at once; `frame_bytes` as for reserve().
  size_t wanted_bytes(uint64_t frame_bytes) const;
  void received(size_t bytes) { block_->end += static_cast<uint32_t>(bytes); }

  uint8_t* data() { return block_ == nullptr ? nullptr : block_->buffer.data + block_->begin; }
  uint32_t bytes() const { return block_ == nullptr ? 0 : block_->end - block_->begin; }
  // The next `bytes` are a frame: it is consumed, its block is held until release().
  Block* consume_and_hold(uint32_t bytes);
  void consume(uint32_t bytes) { block_->begin += bytes; }
  void release(Block* block);
  void completed(uint32_t frame_bytes);  // a whole frame of this size has been received

  // Gives the block back when nothing is in it and no frame holds it.
  void rest();
  void drop();  // forgets everything received

 private:
  // What the next frame will likely need when its length is not here yet.
  uint64_t expected_bytes() const {
    return std::clamp<uint64_t>(frame_bytes_seen_, kBlockBytes, BufferPool::kLargestBytes);
  }

  BlockPool* const pool_;
  Block* block_ = nullptr;
  uint32_t frame_bytes_seen_ = 0;  // largest of the recent frames
};

}  // namespace ottla
