// Io by io_uring, as its caller sees it: sockets and their events. See uring_io.h.
#include "uring.h"

#include <sys/eventfd.h>

#include "uring_io.h"

#ifdef OTTLA_HAS_IO_URING

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "../base/assert.h"

namespace ottla {

namespace {

constexpr uint32_t kCalmReceives = 32;  // in a row that one buffer would have held
constexpr int64_t kRetryUs = 1000;      // the kernel takes no submission now

}  // namespace

UringIo::~UringIo() {
  for (Slot& slot : slots_) {
    if (slot.accepted == nullptr) continue;
    for (const Handle socket : *slot.accepted) (void)posix::close(socket);
  }
}

// --- sockets

Status UringIo::listen(const SocketAddress& at, int backlog, const char* congestion_control,
                       Handle* listener, uint16_t* port) {
  OTTLA_TRY(posix::listen(at, backlog, congestion_control, listener, port));
  slots_[make_slot(*listener)].accepted = std::make_unique<std::deque<Handle>>();
  return Status::good();
}

Status UringIo::accept(Handle listener, Handle* socket, SocketAddress* peer) {
  Slot* slot = find(listener);
  while (slot != nullptr && !slot->accepted->empty()) {
    *socket = slot->accepted->front();
    slot->accepted->pop_front();
    if (posix::peer_of(*socket, peer).ok()) return Status::good();
    (void)posix::close(*socket);  // gone before it was ours
  }
  if (slot != nullptr && slot->error != 0) {
    mark_changed(slot);
    const int error = std::exchange(slot->error, 0);
    return Status::fail(posix::code_of(error), "accept", error);
  }
  const Status status = posix::accept(listener, socket, peer);  // who came since
  if (slot != nullptr && status.code == Code::kWouldBlock) slot->is_readable = false;
  return status;
}

Status UringIo::receive(Handle socket, void* into, size_t bytes, size_t* got) {
  Slot* slot = find(socket);
  if (slot == nullptr) return posix::receive(socket, into, bytes, got);
  *got = 0;
  if (slot->buffers > 0) return take(slot, into, bytes, got);
  if (slot->error != 0) {
    slot->is_ended = true;
    const int error = std::exchange(slot->error, 0);
    return Status::fail(posix::code_of(error), "recv", error);
  }
  if (slot->is_ended) return Status::fail(Code::kClosed, "recv");
  if (slot->receive != 0) return Status::fail(Code::kWouldBlock, "recv", EAGAIN);
  return receive_direct(slot, into, bytes, got);
}

Status UringIo::take(Slot* slot, void* into, size_t bytes, size_t* got) {
  auto* to = static_cast<uint8_t*>(into);
  while (slot->buffers > 0 && *got < bytes) {
    const uint16_t id = slot->first;
    const size_t left = buffer_filled_[id] - slot->first_taken;
    const size_t part = std::min(bytes - *got, left);
    std::memcpy(to + *got, ring_->buffer(id) + slot->first_taken, part);
    *got += part;
    slot->first_taken += static_cast<uint32_t>(part);
    if (part < left) break;
    slot->first = next_buffer_[id];
    slot->first_taken = 0;
    slot->buffers -= 1;
    ring_->give_back(id);
  }
  return Status::good();
}

Status UringIo::receive_direct(Slot* slot, void* into, size_t bytes, size_t* got) {
  const Status status = posix::receive(slot->socket, into, bytes, got);
  if (status.code == Code::kWouldBlock) slot->is_readable = false;
  if (!status.ok()) {
    slot->is_ended = slot->is_ended || status.code != Code::kWouldBlock;
    return status;
  }
  if (*got < bytes && !slot->is_peer_over) slot->is_readable = false;
  slot->run = *got <= ring_->buffer_bytes() ? slot->run + 1 : 0;
  if (slot->run >= kCalmReceives && slot->is_bulk && !slot->is_bulk_for_good) {
    slot->is_bulk = false;
    slot->run = 0;
    mark_changed(slot);
  }
  return status;
}

Status UringIo::send(Handle socket, const iovec* iov, int count, bool more, size_t* sent) {
  const Status status = PosixIo::send(socket, iov, count, more, sent);
  if (status.code == Code::kWouldBlock) {
    if (Slot* slot = find(socket)) slot->is_writable = false;
  }
  return status;
}

Status UringIo::send_file(Handle socket, Handle file, int64_t position, size_t bytes,
                          size_t* sent) {
  const Status status = PosixIo::send_file(socket, file, position, bytes, sent);
  if (status.code == Code::kWouldBlock) {
    if (Slot* slot = find(socket)) slot->is_writable = false;
  }
  return status;
}

void UringIo::close_socket(Handle socket) {
  Slot* slot = find(socket);
  if (slot != nullptr) {
    slot->is_watched = false;
    end_operations(slot);
    forget_received(slot);
    slot->socket = kNoHandle;
    slot_of_[static_cast<size_t>(socket)] = 0;
    free_if_over(slot);
  }
  (void)posix::close(socket);
}

// --- readiness

Status UringIo::watch(Handle socket, void* tag, bool readable, bool writable) {
  Slot* slot = find(socket);
  if (slot == nullptr) slot = &slots_[make_slot(socket)];
  slot->tag = tag;
  slot->is_watched = true;
  slot->wants_read = readable;
  slot->wants_write = writable;
  mark_changed(slot);
  mark_ready(slot);
  return Status::good();
}

// What was received stays to be taken.
void UringIo::unwatch(Handle socket) {
  Slot* slot = find(socket);
  if (slot == nullptr) return;
  slot->is_watched = false;
  end_operations(slot);
}

bool UringIo::has_input(const Slot& slot) {
  return slot.buffers > 0 || slot.error != 0 || slot.is_ended ||
         (slot.is_readable && slot.receive == 0) ||
         (slot.accepted != nullptr && !slot.accepted->empty());
}

bool UringIo::tell(const Slot& slot, Event* event) {
  if (!slot.is_watched) return false;
  event->tag = slot.tag;
  event->readable = slot.wants_read && has_input(slot);
  event->writable = slot.wants_write && slot.is_writable;
  event->hangup = slot.is_hung_up;
  return event->readable || event->writable || event->hangup;
}

// Most of what was told last time has been seen to since.
bool UringIo::has_events() {
  Event event;
  for (const uint32_t index : ready_) {
    if (tell(slots_[index], &event)) return true;
  }
  for (const uint32_t index : ready_) slots_[index].is_ready = false;
  ready_.clear();
  return false;
}

// Those told go to the end of the list, so that everybody has a turn.
int UringIo::report(Event* events, int count_max) {
  int written = 0;
  size_t kept = 0;
  reported_.clear();
  for (const uint32_t index : ready_) {
    Slot& slot = slots_[index];
    Event event;
    if (!tell(slot, &event)) {
      slot.is_ready = false;
    } else if (written == count_max) {
      ready_[kept++] = index;
    } else {
      events[written++] = event;
      reported_.push_back(index);
    }
  }
  ready_.resize(kept);
  ready_.insert(ready_.end(), reported_.begin(), reported_.end());
  return written;
}

int UringIo::poll(Event* events, int count_max, int64_t timeout_us) {
  if (!is_enabled_) {
    OTTLA_ASSERT(ring_->enable().ok(), "a ring that was probed");
    is_enabled_ = true;
  }
  const int64_t start_us = timeout_us > 0 ? now_us() : 0;
  int64_t wait_us = timeout_us;
  for (;;) {
    const bool is_settled = settle_all();
    if (wait_us != 0 && (is_woken_ || has_events())) wait_us = 0;
    if (!is_settled && wait_us != 0) wait_us = kRetryUs;
    if (wait_us != 0 || ring_->has_work()) {
      ring_->enter(wait_us);
      reap();
    }
    const int written = report(events, count_max);
    if (writers_.has_slow_disk()) writers_.complete();
    const bool is_woken = std::exchange(is_woken_, false);
    if (written > 0 || is_woken || timeout_us == 0) return written;
    wait_us = timeout_us < 0 ? -1 : timeout_us - (now_us() - start_us);
    if (timeout_us > 0 && wait_us <= 0) return 0;
  }
}

Status make_uring_io(const UringOptions& options, std::unique_ptr<Io>* io) {
  std::unique_ptr<UringRing> ring;
  OTTLA_TRY(UringRing::open(options.sizes, &ring));
  const int wake = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake < 0) return posix::failure("eventfd");
  *io = std::make_unique<UringIo>(wake, std::move(ring), options);
  return Status::good();
}

Status probe_uring() {
  std::unique_ptr<UringRing> ring;
  OTTLA_TRY(UringRing::open({}, &ring));
  OTTLA_TRY(ring->enable());
  ring->prepare()->opcode = IORING_OP_NOP;
  if (const int error = ring->try_enter(0)) {
    return Status::fail(Code::kInvalid, "io_uring_enter", error);
  }
  return Status::good();
}

}  // namespace ottla

#else

namespace ottla {

Status make_uring_io(const UringOptions&, std::unique_ptr<Io>*) { return probe_uring(); }
Status probe_uring() {
  return Status::fail(Code::kInvalid, "built without linux/io_uring.h", ENOSYS);
}

}  // namespace ottla

#endif
