// Sockets of the load generator: connect, gathered sends, one receive per readiness.
#include "connection.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace ottla::load {
namespace {

constexpr size_t kPiecesMax = 64;
constexpr size_t kFirstBufferBytes = 64 << 10;

int64_t read_clock(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

int64_t now_ns() { return read_clock(CLOCK_MONOTONIC); }
int64_t wall_clock_ms() { return read_clock(CLOCK_REALTIME) / 1'000'000; }

Connection::~Connection() {
  if (fd_ >= 0) close(fd_);
}

bool Connection::open(const std::string& host, int port, bool blocking, std::string* problem) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    *problem = "no such host: " + host;
    return false;
  }
  for (addrinfo* at = found; at != nullptr && fd_ < 0; at = at->ai_next) {
    fd_ = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd_ < 0 || connect(fd_, at->ai_addr, at->ai_addrlen) == 0) continue;
    close(fd_);
    fd_ = -1;
  }
  freeaddrinfo(found);
  if (fd_ < 0) {
    *problem = "cannot connect to " + host + ":" + std::to_string(port) + ": " + strerror(errno);
    return false;
  }
  const int one = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (!blocking) fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
  if (in_.empty() && !blocking) in_.resize(kFirstBufferBytes);
  return true;
}

bool Connection::flush() {
  while (!out_.empty()) {
    iovec pieces[kPiecesMax];
    size_t count = 0;
    for (; count < out_.size() && count < kPiecesMax; ++count) {
      const Bytes frame = count == 0 ? out_[0].subspan(first_sent_) : out_[count];
      pieces[count] = {const_cast<uint8_t*>(frame.data()), frame.size()};
    }
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = count;
    const ssize_t sent = sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    first_sent_ += static_cast<size_t>(sent);
    while (!out_.empty() && first_sent_ >= out_.front().size()) {
      first_sent_ -= out_.front().size();
      out_.pop_front();
      sent_frames_ += 1;
    }
  }
  return true;
}

bool Connection::fill() {
  const ssize_t got = recv(fd_, in_.data() + have_, in_.size() - have_, 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  have_ += static_cast<size_t>(got);
  return got > 0;
}

bool Connection::ask(Bytes request, std::vector<uint8_t>* response, std::string* problem) {
  queue(request);
  uint8_t length[4];
  bool is_well = flush() && out_.empty() && recv(fd_, length, sizeof length, MSG_WAITALL) == 4;
  if (is_well) {
    response->resize(load_u32(length));
    const ssize_t got = recv(fd_, response->data(), response->size(), MSG_WAITALL);
    is_well = got == static_cast<ssize_t>(response->size());
  }
  if (!is_well) *problem = "the broker closed the connection during the set-up";
  return is_well;
}

}  // namespace ottla::load
