// Io by epoll: readiness here, the rest in posix_io.h.
//
// wake() is an eventfd in the same epoll set, by its edges: each write is one event, which poll()
// does not report, and nobody has to read it. Timeouts have microseconds where the kernel has
// epoll_pwait2 (5.11), else they are rounded up to milliseconds, so that a timer never fires early.
#include "epoll.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "../base/assert.h"
#include "writers.h"

namespace ottla {

namespace {

constexpr int kEventsMax = 256;  // of one poll(); more are ready again at the next

class EpollIo final : public PosixIo {
 public:
  EpollIo(int epoll, int wake, const EpollOptions& options)
      : PosixIo(wake, options), epoll_(epoll), writers_(this, writer_options(options)) {}

  void submit(WriteOp* op) override { writers_.submit(op); }

  Status watch(Handle socket, void* tag, bool readable, bool writable) override;
  void unwatch(Handle socket) override;
  int poll(Event* events, int count_max, int64_t timeout_us) override;

 private:
  int wait(epoll_event* ready, int count_max, int64_t timeout_us);

  const Descriptor epoll_;
  bool has_pwait2_ = true;
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
