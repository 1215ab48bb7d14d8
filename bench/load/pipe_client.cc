// Sockets of the bare pipe: one receive per readiness, one send per turn and gap between files.
#include "pipe_client.h"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace ottla::load {

PipeClient::~PipeClient() { ::close(fd_); }

void PipeClient::make_room() {
  if (taken_ > 0 && have_ > taken_) std::memmove(in_.data(), in_.data() + taken_, have_ - taken_);
  have_ -= taken_;
  taken_ = 0;
  if (wanted_ > in_.size()) in_.resize(wanted_ + kBufferBytes);
}

PipeClient::Received PipeClient::fill() {
  const ssize_t got = recv(fd_, in_.data() + have_, in_.size() - have_, 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? Received::kNothing : Received::kGone;
  have_ += static_cast<size_t>(got);
  return got > 0 ? Received::kBytes : Received::kGone;
}

void PipeClient::begin(int32_t correlation) {
  begun_ = out_.size();
  ranges_before_ = ranges_.size();
  out_.resize(begun_ + 8);
  store_i32(out_.data() + begun_ + 4, correlation);
}

void PipeClient::send_file(int fd, int64_t at, size_t bytes) {
  ranges_.push_back({out_.size(), fd, at, bytes});
}

void PipeClient::end() {
  size_t bytes = out_.size() - begun_;
  for (size_t i = ranges_before_; i < ranges_.size(); ++i) bytes += ranges_[i].left;
  store_u32(out_.data() + begun_, static_cast<uint32_t>(bytes - 4));
}

void PipeClient::forget() {
  out_.resize(begun_);
  ranges_.resize(ranges_before_);
}

bool PipeClient::flush() {
  while (has_unsent()) {
    const bool has_range = next_range_ < ranges_.size();
    const size_t end = has_range ? ranges_[next_range_].after : out_.size();
    while (sent_ < end) {
      const int more = MSG_NOSIGNAL | (has_range ? MSG_MORE : 0);
      const ssize_t n = send(fd_, out_.data() + sent_, end - sent_, more);
      if (n < 0) return false;
      sent_ += static_cast<size_t>(n);
    }
    if (!has_range) break;
    Range& range = ranges_[next_range_];
    while (range.left > 0) {
      off_t at = range.at;
      const ssize_t n = sendfile(fd_, range.fd, &at, range.left);
      if (n <= 0) return false;
      range.at = at;
      range.left -= static_cast<size_t>(n);
    }
    next_range_ += 1;
  }
  out_.clear();
  ranges_.clear();
  sent_ = next_range_ = 0;
  return true;
}

}  // namespace ottla::load
