// UringIo: the readiness that Io promises, made of io_uring's completions. What is asked of the
// kernel and what it tells: uring_operations.cc; what Io's caller sees: uring.cc.
//
//   watch ──► changed ──► settle(): what is asked of the kernel becomes what is wanted
//                            │ submissions, all with the next poll()
//   Event ◄── ready ◄── completions: what is known of the socket
//
// A socket is read in one of two ways. Small frames: a multishot receive fills buffers of the ring,
// and receive() copies out of them, with no system call of its own. Bulk: a multishot poll says
// when, and receive() reads straight into the caller's memory, since copying 4 KiB costs what a
// call does. Which way is chosen by what arrives; it is bulk, too, when the buffers are all lent,
// so that nobody ever waits for a buffer.
//
// Invariants. Bytes are taken from the socket directly only while no receive of it is under way, so
// they keep their order. Every operation has a number of its own; one that is no longer wanted may
// still end, and what it brings is freed or kept in order. A Slot lives until its last operation
// has ended. A socket that is watched always has an operation that tells of its end.
#pragma once

#include "uring_ring.h"

#ifdef OTTLA_HAS_IO_URING

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "posix_io.h"
#include "uring.h"
#include "writers.h"

namespace ottla {

// One socket, as io_uring serves it.
struct UringSocket {
  Handle socket = kNoHandle;  // none: closed
  void* tag = nullptr;
  bool is_watched = false;
  bool wants_read = false;
  bool wants_write = false;

  // Under way, by their numbers; 0: none.
  uint64_t receive = 0;  // of a listener: accept
  uint64_t poll = 0;
  uint32_t poll_mask = 0;
  uint32_t in_flight = 0;  // these, and those that are cancelled
  bool is_receive_cancelled = false;
  bool is_poll_too_wide = false;  // has told what nobody wants

  // What is known of the socket.
  bool is_bulk = false;
  bool is_bulk_for_good = false;
  bool is_readable = false;  // as a poll said
  bool is_writable = false;
  bool is_hung_up = false;
  bool is_peer_over = false;  // its end is behind what can be read
  bool is_ended = false;      // its end has been received
  int error = 0;              // to be told once
  uint32_t run = 0;           // full buffers, or calm receives, one after the other

  // Received and not taken yet, oldest first.
  uint16_t first = 0, last = 0;
  uint32_t first_taken = 0;
  uint32_t buffers = 0;
  std::unique_ptr<std::deque<Handle>> accepted;  // of a listener

  bool is_changed = false;  // in the list
  bool is_ready = false;    // in the list
};

class UringIo final : public PosixIo {
 public:
  UringIo(int wake, std::unique_ptr<UringRing> ring, const UringOptions& options)
      : PosixIo(wake, options),
        ring_(std::move(ring)),
        next_buffer_(ring_->buffers(), 0),
        buffer_filled_(ring_->buffers(), 0),
        writers_(this, writer_options(options)) {}
  ~UringIo() override;

  void submit(WriteOp* op) override { writers_.submit(op); }

  Status listen(const SocketAddress& at, int backlog, const char* congestion_control,
                Handle* listener, uint16_t* port) override;
  Status accept(Handle listener, Handle* socket, SocketAddress* peer) override;
  Status receive(Handle socket, void* into, size_t bytes, size_t* got) override;
  Status send(Handle socket, const iovec* iov, int count, bool more, size_t* sent) override;
  Status send_file(Handle socket, Handle file, int64_t position, size_t bytes,
                   size_t* sent) override;
  void close_socket(Handle socket) override;

  Status watch(Handle socket, void* tag, bool readable, bool writable) override;
  void unwatch(Handle socket) override;
  int poll(Event* events, int count_max, int64_t timeout_us) override;

 private:
  using Slot = UringSocket;
  enum class Op : uint64_t { kWake = 1, kReceive, kAccept, kPoll, kCancel };

  Slot* find(Handle socket);
  uint32_t make_slot(Handle socket);
  uint32_t index_of(const Slot* slot) const { return static_cast<uint32_t>(slot - slots_.data()); }
  void free_if_over(Slot* slot);
  void mark_changed(Slot* slot);
  void mark_ready(Slot* slot);
  void forget_received(Slot* slot);

  uint64_t number(Op op, uint32_t slot);
  bool settle_all();
  bool settle(Slot* slot);
  bool settle_poll(Slot* slot, bool wants_input);
  bool start_wake();
  bool start_receive(Slot* slot);
  bool start_poll(Slot* slot, uint32_t mask);
  bool cancel(uint64_t operation);
  void end_operations(Slot* slot);

  void reap();
  void completed(const io_uring_cqe& completion);
  void received(Slot* slot, const io_uring_cqe& completion, bool is_last);
  void came(Slot* slot, const io_uring_cqe& completion, bool is_last);
  void polled(Slot* slot, const io_uring_cqe& completion, bool is_last);
  Status take(Slot* slot, void* into, size_t bytes, size_t* got);
  Status receive_direct(Slot* slot, void* into, size_t bytes, size_t* got);

  static bool has_input(const Slot& slot);
  static bool tell(const Slot& slot, Event* event);
  bool has_events();
  int report(Event* events, int count_max);

  const std::unique_ptr<UringRing> ring_;
  bool is_enabled_ = false;
  bool is_woken_ = false;
  uint64_t wake_ = 0;  // its operation
  uint64_t sequence_ = 0;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::vector<uint32_t> slot_of_;  // by socket, plus one
  std::vector<uint32_t> changed_;
  std::vector<uint32_t> ready_;
  std::vector<uint32_t> reported_;
  std::vector<uint16_t> next_buffer_;    // by buffer: the one received after it
  std::vector<uint32_t> buffer_filled_;  // by buffer: its bytes
  Writers writers_;
};

}  // namespace ottla

#endif
