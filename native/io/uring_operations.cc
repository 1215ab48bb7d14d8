// What UringIo asks of the kernel, and what it makes of the answers. See uring_io.h.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "../base/assert.h"
#include "uring_io.h"

#ifdef OTTLA_HAS_IO_URING

namespace ottla {

namespace {

constexpr uint32_t kBulkBuffers = 2;    // filled one after the other: more is likely behind them
constexpr uint32_t kPausedBuffers = 4;  // a socket that is not read may fill before it is stopped
constexpr int kCancelRounds = 3;

// An operation's number: how many there were before it, its slot, its kind.
constexpr int kOpBits = 4;
constexpr int kSlotBits = 24;

}  // namespace

// --- slots

UringSocket* UringIo::find(Handle socket) {
  const auto at = static_cast<size_t>(socket);
  if (socket < 0 || at >= slot_of_.size() || slot_of_[at] == 0) return nullptr;
  return &slots_[slot_of_[at] - 1];
}

uint32_t UringIo::make_slot(Handle socket) {
  const auto at = static_cast<size_t>(socket);
  if (at >= slot_of_.size()) slot_of_.resize(std::max<size_t>(at + 1, 2 * slot_of_.size()), 0);
  uint32_t index = static_cast<uint32_t>(slots_.size());
  if (free_.empty()) {
    OTTLA_ASSERT(index < 1u << kSlotBits, "a slot per socket");
    slots_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
    // It may be in the lists still, where its place now means the new one.
    const bool is_changed = slots_[index].is_changed, is_ready = slots_[index].is_ready;
    slots_[index] = Slot();
    slots_[index].is_changed = is_changed;
    slots_[index].is_ready = is_ready;
  }
  slots_[index].socket = socket;
  slot_of_[at] = index + 1;
  return index;
}

void UringIo::free_if_over(Slot* slot) {
  if (slot->socket == kNoHandle && slot->in_flight == 0) free_.push_back(index_of(slot));
}

void UringIo::mark_changed(Slot* slot) {
  if (std::exchange(slot->is_changed, true)) return;
  changed_.push_back(index_of(slot));
}

void UringIo::mark_ready(Slot* slot) {
  if (std::exchange(slot->is_ready, true)) return;
  ready_.push_back(index_of(slot));
}

void UringIo::forget_received(Slot* slot) {
  for (; slot->buffers > 0; slot->buffers -= 1) {
    const uint16_t id = slot->first;
    slot->first = next_buffer_[id];
    ring_->give_back(id);
  }
  if (slot->accepted == nullptr) return;
  for (const Handle socket : *slot->accepted) (void)posix::close(socket);
  slot->accepted->clear();
}

// --- what is asked of the kernel

uint64_t UringIo::number(Op op, uint32_t slot) {
  sequence_ += 1;
  return sequence_ << (kOpBits + kSlotBits) | uint64_t{slot} << kOpBits | static_cast<uint64_t>(op);
}

bool UringIo::settle_all() {
  if (wake_ == 0 && !start_wake()) return false;
  size_t settled = 0;
  for (; settled < changed_.size(); settled += 1) {
    Slot& slot = slots_[changed_[settled]];
    if (!settle(&slot)) break;
    slot.is_changed = false;
  }
  changed_.erase(changed_.begin(), changed_.begin() + static_cast<ptrdiff_t>(settled));
  return changed_.empty();
}

// False: the kernel takes no more now; what is done is done, and the rest is for the next time.
bool UringIo::settle(Slot* slot) {
  const bool wants_input =
      slot->is_watched && slot->wants_read && !slot->is_ended && slot->error == 0;
  const bool wants_receive = wants_input && !slot->is_bulk;
  if (wants_receive && slot->receive == 0 && !start_receive(slot)) return false;
  if (slot->receive != 0 && !wants_receive && !slot->is_receive_cancelled) {
    // One that is only not read for a moment goes on, as far as that costs others few buffers.
    const bool may_go_on = slot->is_watched && !slot->is_bulk && slot->accepted == nullptr &&
                           slot->buffers < kPausedBuffers;
    if (!may_go_on) {
      if (!cancel(slot->receive)) return false;
      slot->is_receive_cancelled = true;
    }
  }
  return settle_poll(slot, wants_input);
}

bool UringIo::settle_poll(Slot* slot, bool wants_input) {
  uint32_t mask = slot->wants_write ? POLLOUT : 0;
  if (wants_input && slot->is_bulk && slot->receive == 0) mask |= POLLIN;
  const bool wants_poll = slot->is_watched && (mask != 0 || slot->receive == 0);
  if (slot->poll != 0) {
    // One that is wider than need be stays until it disturbs: the same is often wanted again.
    const bool disturbs = slot->is_poll_too_wide || !slot->is_watched ||
                          ((slot->poll_mask & POLLIN) != 0 && slot->receive != 0);
    if (!disturbs && (slot->poll_mask & mask) == mask) return true;
    if (!cancel(slot->poll)) return false;
    slot->poll = 0;
    slot->is_poll_too_wide = false;
  }
  return !wants_poll || start_poll(slot, mask);
}

bool UringIo::start_wake() {
  io_uring_sqe* entry = ring_->prepare();
  if (entry == nullptr) return false;
  wake_ = number(Op::kWake, 0);
  entry->opcode = IORING_OP_POLL_ADD;
  entry->fd = wake_descriptor();
  entry->len = IORING_POLL_ADD_MULTI;
  entry->poll32_events = POLLIN;
  entry->user_data = wake_;
  return true;
}

bool UringIo::start_receive(Slot* slot) {
  io_uring_sqe* entry = ring_->prepare();
  if (entry == nullptr) return false;
  const bool is_listener = slot->accepted != nullptr;
  slot->receive = number(is_listener ? Op::kAccept : Op::kReceive, index_of(slot));
  slot->is_receive_cancelled = false;
  slot->in_flight += 1;
  entry->fd = slot->socket;
  entry->user_data = slot->receive;
  if (is_listener) {
    entry->opcode = IORING_OP_ACCEPT;
    entry->ioprio = IORING_ACCEPT_MULTISHOT;
    entry->accept_flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  } else {
    entry->opcode = IORING_OP_RECV;
    entry->ioprio = IORING_RECV_MULTISHOT;
    entry->flags = IOSQE_BUFFER_SELECT;
    entry->buf_group = UringRing::kBufferGroup;
  }
  return true;
}

bool UringIo::start_poll(Slot* slot, uint32_t mask) {
  io_uring_sqe* entry = ring_->prepare();
  if (entry == nullptr) return false;
  slot->poll = number(Op::kPoll, index_of(slot));
  slot->poll_mask = mask;
  slot->in_flight += 1;
  entry->opcode = IORING_OP_POLL_ADD;
  entry->fd = slot->socket;
  entry->len = IORING_POLL_ADD_MULTI;
  entry->poll32_events = mask;  // an error and the peer's end are always told
  entry->user_data = slot->poll;
  return true;
}

bool UringIo::cancel(uint64_t operation) {
  io_uring_sqe* entry = ring_->prepare();
  if (entry == nullptr) return false;
  entry->opcode = IORING_OP_ASYNC_CANCEL;
  entry->fd = -1;
  entry->addr = operation;
  entry->flags = IOSQE_CQE_SKIP_SUCCESS;
  entry->user_data = number(Op::kCancel, 0);
  return true;
}

// At once: what is under way holds the socket open after it is closed.
void UringIo::end_operations(Slot* slot) {
  for (int round = 0; round < kCancelRounds && slot->in_flight > 0; round += 1) {
    (void)settle(slot);
    ring_->enter(0);
    reap();
  }
}

// --- what the kernel tells

void UringIo::reap() {
  do {
    ring_->reap([this](const io_uring_cqe& completion) { completed(completion); });
    if (!ring_->is_overflown()) return;
    ring_->enter(0);
  } while (true);
}

void UringIo::completed(const io_uring_cqe& completion) {
  const auto op = static_cast<Op>(completion.user_data & ((1u << kOpBits) - 1));
  const bool is_last = (completion.flags & IORING_CQE_F_MORE) == 0;
  if (op == Op::kCancel) return;  // what was to be cancelled had ended
  if (op == Op::kWake) {
    is_woken_ = true;
    if (is_last) wake_ = 0;
    return;
  }
  const auto index =
      static_cast<uint32_t>(completion.user_data >> kOpBits & ((1u << kSlotBits) - 1));
  Slot* slot = &slots_[index];
  if (is_last) slot->in_flight -= 1;
  if (op == Op::kPoll) {
    polled(slot, completion, is_last);
  } else {
    if (is_last) slot->receive = 0;
    if (op == Op::kReceive) received(slot, completion, is_last);
    if (op == Op::kAccept) came(slot, completion, is_last);
    // What is not read now may have to be stopped.
    if (is_last || !slot->wants_read) mark_changed(slot);
  }
  if (slot->is_watched) mark_ready(slot);
  if (is_last) free_if_over(slot);
}

void UringIo::received(Slot* slot, const io_uring_cqe& completion, bool is_last) {
  const int result = completion.res;
  if ((completion.flags & IORING_CQE_F_BUFFER) != 0) {
    const auto id = static_cast<uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
    if (result <= 0 || slot->socket == kNoHandle) {
      ring_->give_back(id);
    } else {
      (slot->buffers == 0 ? slot->first : next_buffer_[slot->last]) = id;
      slot->last = id;
      slot->buffers += 1;
      buffer_filled_[id] = static_cast<uint32_t>(result);
      slot->run = static_cast<uint32_t>(result) == ring_->buffer_bytes() ? slot->run + 1 : 0;
      if (slot->run >= kBulkBuffers && !slot->is_bulk) {
        slot->is_bulk = true;
        slot->run = 0;
        mark_changed(slot);
      }
    }
  }
  if (!is_last || result > 0) return;
  switch (-result) {
    case 0:
      slot->is_ended = true;
      return;
    case EINTR:
    case ECANCELED:
      return;
    case EAGAIN:  // a kernel that takes a non-blocking socket at its word
      slot->is_bulk_for_good = true;
      [[fallthrough]];
    case ENOBUFS:
      slot->is_bulk = true;
      slot->run = 0;
      return;
    default:
      slot->error = -result;
      slot->is_hung_up = true;
  }
}

void UringIo::came(Slot* slot, const io_uring_cqe& completion, bool is_last) {
  const int result = completion.res;
  if (result >= 0) {
    if (slot->socket == kNoHandle) return (void)posix::close(result);
    return slot->accepted->push_back(result);
  }
  if (!is_last) return;
  if (result == -EAGAIN) slot->is_bulk = slot->is_bulk_for_good = true;
  const bool is_passing =
      result == -EAGAIN || result == -EINTR || result == -ECANCELED || result == -ECONNABORTED;
  if (!is_passing) slot->error = -result;
}

void UringIo::polled(Slot* slot, const io_uring_cqe& completion, bool is_last) {
  if (completion.user_data != slot->poll) return;  // another has taken its place
  if (is_last) {
    slot->poll = 0;
    mark_changed(slot);
  }
  if (completion.res < 0) {
    slot->is_hung_up = slot->is_hung_up || completion.res != -ECANCELED;
    return;
  }
  const auto told = static_cast<uint32_t>(completion.res);
  const bool is_over = (told & (POLLERR | POLLHUP)) != 0;
  slot->is_hung_up = slot->is_hung_up || is_over;
  slot->is_peer_over = slot->is_peer_over || is_over || (told & POLLRDHUP) != 0;
  if ((slot->poll_mask & POLLIN) != 0 && (slot->is_peer_over || (told & POLLIN) != 0)) {
    slot->is_readable = true;
  }
  if ((told & POLLOUT) != 0) slot->is_writable = true;
  if (((told & POLLIN) != 0 && !slot->wants_read) ||
      ((told & POLLOUT) != 0 && !slot->wants_write)) {
    slot->is_poll_too_wide = true;
    mark_changed(slot);
  }
}

}  // namespace ottla

#endif
