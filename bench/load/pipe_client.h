// A client of the bare pipe: what was received and not yet done with, and what waits to be sent.
//
// Received frames stay where they are until the next receive, so that they can be written to a file
// from there. Answers of one turn of the loop go out together: bytes one after another in one
// buffer, and between them ranges of files.
#pragma once

#include <cstdint>
#include <vector>

#include "../../native/base/bytes.h"

namespace ottla::load {

class PipeClient {
 public:
  explicit PipeClient(int fd) : fd_(fd), in_(kBufferBytes) {}
  ~PipeClient();
  PipeClient(const PipeClient&) = delete;
  PipeClient& operator=(const PipeClient&) = delete;

  int fd() const { return fd_; }

  // Receives once and gives every whole frame to `on_frame`, which may change it and keep pointers
  // into it until the next receive; false when the peer is gone.
  template <typename F>
  bool receive(F&& on_frame) {
    make_room();
    const Received got = fill();
    if (got != Received::kBytes) return got == Received::kNothing;
    while (have_ - taken_ >= 4) {
      const size_t length = load_u32(in_.data() + taken_);
      if (have_ - taken_ - 4 < length) {
        wanted_ = length + 4;
        break;
      }
      uint8_t* frame = in_.data() + taken_ + 4;
      taken_ += 4 + length;
      on_frame(frame, length);
    }
    return true;
  }

  // Begins an answer; the caller appends to out(), and ranges of files by send_file().
  void begin(int32_t correlation);
  std::vector<uint8_t>& out() { return out_; }
  void send_file(int fd, int64_t at, size_t bytes);
  void end();
  // Takes the answer back that was begun.
  void forget();

  bool has_unsent() const { return sent_ < out_.size() || next_range_ < ranges_.size(); }
  // Sends what the socket takes; false when something is left.
  bool flush();

  // A fetch that found nothing yet.
  std::vector<uint8_t> parked;
  int64_t parked_until_ms = 0;
  bool is_parked = false;
  bool has_answers = false;     // of this turn
  bool waits_to_write = false;  // epoll looks for room

 private:
  static constexpr size_t kBufferBytes = 1 << 20;
  enum class Received { kBytes, kNothing, kGone };
  struct Range {
    size_t after = 0;  // bytes of out_
    int fd = -1;
    int64_t at = 0;
    size_t left = 0;
  };

  void make_room();
  Received fill();

  const int fd_;
  std::vector<uint8_t> in_;
  size_t have_ = 0, taken_ = 0, wanted_ = 0;
  std::vector<uint8_t> out_;
  std::vector<Range> ranges_;
  size_t sent_ = 0, next_range_ = 0;
  size_t begun_ = 0, ranges_before_ = 0;
};

}  // namespace ottla::load
