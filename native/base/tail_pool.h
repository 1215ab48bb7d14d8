// TailPool: the last bytes appended to the logs that somebody reads right behind their writer, so
// that a small Fetch at the tail needs no look into the file (PERFORMANCE §1).
//
// A pool is one thread's, that of the logs' writer, and so are its blocks. A log takes a block when
// its tail is read; from then on what it writes is copied there, until another log needs the block
// more. There are never more than `blocks_max`, and none for logs that nobody reads.
//
// A block holds what its segment's file holds in [begin, end), no more: a write counts once it has
// succeeded, one that does not follow the last begins anew, and a log whose segments change lets go
// (Log::State::publish_segments). Where readers may look, high watermark and all, is asked before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace ottla {

class TailPool {
 public:
  static constexpr int64_t kBytes = 32 << 10;

  class Block {
   public:
    // The segment's file goes on at `end`.
    void begin_at(const void* segment, int64_t end);
    // A write of so many bytes has succeeded. False: they are more than fit, and left out; else
    // append() brings them.
    bool goes_on(const void* segment, int64_t position, int64_t bytes);
    void append(const uint8_t* from, int64_t bytes);
    // False: not all of it is here.
    bool copy(const void* segment, int64_t position, int64_t bytes, uint8_t* into);

   private:
    friend class TailPool;
    const void* segment_ = nullptr;
    int64_t begin_ = 0, end_ = 0;  // positions in its file; a byte is at its position modulo kBytes
    std::unique_ptr<uint8_t[]> bytes_;
    Block** holder_ = nullptr;  // null: free
    bool is_used_ = false;      // since the hand came by
  };

  explicit TailPool(size_t blocks_max) { blocks_.reserve(blocks_max); }
  TailPool(const TailPool&) = delete;
  TailPool& operator=(const TailPool&) = delete;

  // *holder, which stays where it is, has a block until it is null again.
  void take(Block** holder);
  void give_back(Block** holder);  // that has one
  size_t blocks() const { return blocks_.size(); }

 private:
  Block* free_one();

  std::vector<Block> blocks_;  // as many as were ever needed at once
  size_t hand_ = 0;
};

}  // namespace ottla
