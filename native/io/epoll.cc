// Io on a real kernel: readiness and time here, files and sockets in posix_files.cc and
// posix_sockets.cc.
//
// wake() is an eventfd in the same epoll set, by its edges: each write is one event, which poll()
// does not report, and nobody has to read it. Timeouts have microseconds where the kernel has
// epoll_pwait2 (5.11), else they are rounded up to milliseconds, so that a timer never fires early.
#include "epoll.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "../base/assert.h"
#include "posix_files.h"
#include "posix_sockets.h"
#include "writers.h"

namespace ottla {

namespace {

constexpr int kEventsMax = 256;  // of one poll(); more are ready again at the next

class EpollIo final : public Io {
 public:
  EpollIo(int epoll, int wake, const EpollOptions& options)
      : epoll_(epoll),
        wake_(wake),
        is_volatile_(options.is_volatile),
        writers_(this, writer_options(options)) {}

  int64_t now_us() override { return clock_us(CLOCK_MONOTONIC); }
  int64_t wall_ms() override { return clock_us(CLOCK_REALTIME) / 1000; }

  uint64_t random() override {
    if (entropy_left_ == 0) {
      // 256 bytes at most: never short, never interrupted, blocks only in early boot.
      const ssize_t got = ::getrandom(entropy_, sizeof entropy_, 0);
      OTTLA_ASSERT(got == static_cast<ssize_t>(sizeof entropy_), "the kernel has entropy");
      entropy_left_ = kEntropyWords;
    }
    entropy_left_ -= 1;
    return entropy_[entropy_left_];
  }

  Status open(const std::string& path, OpenMode mode, Handle* file) override {
    return posix::open(path, mode, file);
  }
  Status close(Handle file) override { return posix::close(file); }
  Status read(Handle file, void* into, size_t bytes, int64_t position, size_t* got) override {
    return posix::read(file, into, bytes, position, got);
  }
  Status write(Handle file, const void* from, size_t bytes, int64_t position) override {
    return posix::write(file, from, bytes, position);
  }
  void submit(WriteOp* op) override { writers_.submit(op); }
  Status sync(Handle file) override { return is_volatile_ ? Status::good() : posix::sync(file); }
  Status truncate(Handle file, int64_t bytes) override { return posix::truncate(file, bytes); }
  Status allocate(Handle file, int64_t position, int64_t bytes) override {
    return posix::allocate(file, position, bytes);
  }
  Status set_modified(Handle file, int64_t modified_ms) override {
    return posix::set_modified(file, modified_ms);
  }
  Status file_bytes(Handle file, int64_t* bytes) override { return posix::file_bytes(file, bytes); }
  Status stat(const std::string& path, FileInfo* info) override { return posix::stat(path, info); }
  Status list(const std::string& directory, std::vector<std::string>* names) override {
    return posix::list(directory, names);
  }
  Status make_directory(const std::string& path) override { return posix::make_directory(path); }
  Status rename(const std::string& from, const std::string& to) override {
    return posix::rename(from, to);
  }
  Status remove(const std::string& path) override { return posix::remove(path); }
  Status sync_directory(const std::string& path) override {
    return is_volatile_ ? Status::good() : posix::sync_directory(path);
  }
  Status lock_file(const std::string& path, Handle* file) override {
    return posix::lock_file(path, file);
  }

  Status listen(const SocketAddress& at, int backlog, const char* congestion_control,
                Handle* listener, uint16_t* port) override {
    return posix::listen(at, backlog, congestion_control, listener, port);
  }
  Status accept(Handle listener, Handle* socket, SocketAddress* peer) override {
    return posix::accept(listener, socket, peer);
  }
  Status connect(const SocketAddress& to, Handle* socket) override {
    return posix::connect(to, socket);
  }
  Status connect_result(Handle socket) override { return posix::connect_result(socket); }
  Status receive(Handle socket, void* into, size_t bytes, size_t* got) override {
    return posix::receive(socket, into, bytes, got);
  }
  Status send(Handle socket, const iovec* iov, int count, bool more, size_t* sent) override {
    return posix::send(socket, iov, count, more, sent);
  }
  Status send_file(Handle socket, Handle file, int64_t position, size_t bytes,
                   size_t* sent) override {
    if (!is_sigpipe_masked_) mask_sigpipe();
    return posix::send_file(socket, file, position, bytes, sent);
  }
  Status set_buffers(Handle socket, int send_bytes, int receive_bytes) override {
    return posix::set_buffers(socket, send_bytes, receive_bytes);
  }
  void shutdown_write(Handle socket) override { (void)::shutdown(socket, SHUT_WR); }
  void close_socket(Handle socket) override { (void)posix::close(socket); }

  Status watch(Handle socket, void* tag, bool readable, bool writable) override;
  void unwatch(Handle socket) override;
  int poll(Event* events, int count_max, int64_t timeout_us) override;
  void wake() override {
    const uint64_t one = 1;
    // The counter is never full: that takes a write per nanosecond for centuries.
    (void)!::write(wake_.number, &one, sizeof one);
  }

 private:
  static constexpr size_t kEntropyWords = 32;

  static Writers::Options writer_options(const EpollOptions& options) {
    Writers::Options writers;
    writers.slow_us = options.slow_write_us;
    writers.write = &posix::write_gathered;
    writers.disk_of = &posix::disk_of;
    writers.now_us = [] { return clock_us(CLOCK_MONOTONIC); };
    return writers;
  }

  static int64_t clock_us(clockid_t clock) {
    timespec now;
    ::clock_gettime(clock, &now);
    return int64_t{now.tv_sec} * 1000000 + now.tv_nsec / 1000;
  }

  // sendfile to a closed socket raises SIGPIPE and takes no flag against it; this thread is ours.
  void mask_sigpipe() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    is_sigpipe_masked_ = true;
  }

  int wait(epoll_event* ready, int count_max, int64_t timeout_us);

  // Closed after the writers, which may still wake it, have ended.
  struct Descriptor {
    explicit Descriptor(int given) : number(given) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { ::close(number); }
    const int number;
  };

  const Descriptor epoll_;
  const Descriptor wake_;
  const bool is_volatile_;
  bool is_sigpipe_masked_ = false;
  bool has_pwait2_ = true;
  size_t entropy_left_ = 0;
  uint64_t entropy_[kEntropyWords];
  Writers writers_;
};

Status EpollIo::watch(Handle socket, void* tag, bool readable, bool writable) {
  epoll_event interest = {};
  interest.events = (readable ? uint32_t{EPOLLIN} : 0u) | (writable ? uint32_t{EPOLLOUT} : 0u);
  interest.data.ptr = tag;
  if (::epoll_ctl(epoll_.number, EPOLL_CTL_MOD, socket, &interest) == 0) return Status::good();
  OTTLA_ASSERT(errno == ENOENT, "a socket that can be watched");
  if (::epoll_ctl(epoll_.number, EPOLL_CTL_ADD, socket, &interest) == 0) return Status::good();
  // Others of this user may have taken all there is.
  OTTLA_ASSERT(errno == ENOSPC || errno == ENOMEM, "a socket that can be watched");
  return Status::fail(Code::kBusy, "fs.epoll.max_user_watches", errno);
}

void EpollIo::unwatch(Handle socket) {
  (void)::epoll_ctl(epoll_.number, EPOLL_CTL_DEL, socket,
                    nullptr);  // was never watched: nothing to do
}

int EpollIo::wait(epoll_event* ready, int count_max, int64_t timeout_us) {
  if (has_pwait2_ && timeout_us > 0) {
    const timespec timeout = {timeout_us / 1000000, timeout_us % 1000000 * 1000};
    const int count = ::epoll_pwait2(epoll_.number, ready, count_max, &timeout, nullptr);
    if (count >= 0 || errno == EINTR) return std::max(count, 0);
    has_pwait2_ = false;  // an older kernel, or a policy that has not heard of it
  }
  const int64_t timeout_ms = timeout_us <= 0 ? timeout_us : timeout_us / 1000 + 1;
  const int count = ::epoll_wait(epoll_.number, ready, count_max,
                                 static_cast<int>(std::clamp<int64_t>(timeout_ms, -1, INT_MAX)));
  OTTLA_ASSERT(count >= 0 || errno == EINTR, "epoll waits");
  return std::max(count, 0);
}

int EpollIo::poll(Event* events, int count_max, int64_t timeout_us) {
  epoll_event ready[kEventsMax];
  // One more than asked for, so that the wake never takes a connection's place.
  const int count = wait(ready, std::min(count_max + 1, kEventsMax), timeout_us);
  int written = 0;
  for (int i = 0; i < count; i += 1) {
    if (ready[i].data.ptr == this) continue;
    if (written == count_max) break;  // still ready: level-triggered
    const uint32_t flags = ready[i].events;
    events[written] = {ready[i].data.ptr, (flags & EPOLLIN) != 0, (flags & EPOLLOUT) != 0,
                       (flags & (EPOLLERR | EPOLLHUP)) != 0};
    written += 1;
  }
  if (writers_.has_slow_disk()) writers_.complete();
  return written;
}

}  // namespace

std::unique_ptr<Io> make_epoll_io(const EpollOptions& options) {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return nullptr;
  const int wake = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake < 0) {
    ::close(epoll);
    return nullptr;
  }
  auto io = std::make_unique<EpollIo>(epoll, wake, options);
  epoll_event interest = {};
  interest.events = EPOLLIN | EPOLLET;
  interest.data.ptr = io.get();
  const int added = ::epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &interest);
  return added == 0 ? std::move(io) : nullptr;
}

}  // namespace ottla
