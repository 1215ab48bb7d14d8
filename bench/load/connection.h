// A connection of the load generator: frames out from buffers that others own, frames in where they
// were received.
//
// Nothing is copied on the way out: a queued frame stays where it is until sent_frames() has
// counted it. One receive per readiness; a frame larger than the buffer makes it grow once.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "../../native/base/bytes.h"

namespace ottla::load {

int64_t now_ns();  // CLOCK_MONOTONIC
int64_t wall_clock_ms();

class Connection {
 public:
  Connection() = default;
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Connects and sets TCP_NODELAY. Blocking sockets are for the set-up.
  bool open(const std::string& host, int port, bool blocking, std::string* problem);
  int fd() const { return fd_; }

  void queue(Bytes frame) { out_.push_back(frame); }
  // Sends what the socket takes; false when the peer is gone.
  bool flush();
  bool has_unsent() const { return !out_.empty(); }
  int64_t sent_frames() const { return sent_frames_; }

  void reserve(size_t bytes) { in_.resize(bytes); }
  // Receives once and gives every complete frame (without its length) to `on_frame`; false when the
  // peer is gone.
  template <typename F>
  bool receive(F&& on_frame) {
    if (!fill()) return false;
    size_t at = 0;
    while (have_ - at >= 4) {
      const size_t length = load_u32(in_.data() + at);
      if (have_ - at - 4 < length) {
        wanted_ = length + 4;
        break;
      }
      on_frame(Bytes(in_.data() + at + 4, length));
      at += 4 + length;
    }
    if (at > 0 && have_ > at) std::memmove(in_.data(), in_.data() + at, have_ - at);
    have_ -= at;
    if (wanted_ > in_.size()) in_.resize(wanted_ + wanted_ / 2);
    return true;
  }

  // For the set-up: a request, its response's body without a length.
  bool ask(Bytes request, std::vector<uint8_t>* response, std::string* problem);

 private:
  bool fill();

  int fd_ = -1;
  std::deque<Bytes> out_;
  size_t first_sent_ = 0;  // bytes of out_.front()
  int64_t sent_frames_ = 0;
  std::vector<uint8_t> in_;
  size_t have_ = 0;
  size_t wanted_ = 0;
};

}  // namespace ottla::load
