// How a connection's responses leave: in the order of their requests, gathered into as few calls as
// the kernel allows, resumed where a full socket stopped them. See conn.h.
#include <algorithm>

#include "conn.h"
#include "reactor.h"

namespace ottla {

namespace {

constexpr int kIovMax = 64;
// A helper brings so much of a slice into memory while its connection waits, and asks for so much
// behind it, where a consumer that drains a log will be next.
constexpr int64_t kColdBytes = 512 << 10;
constexpr int64_t kAheadBytes = 2 << 20;
// What goes whether or not it is in memory, when it was waited for and is gone again.
constexpr int64_t kInsistedBytes = 64 << 10;

// To ask what is in memory costs half as much as to send it: so much at a time, and what was seen
// is believed for so long.
constexpr int64_t kLookedAtBytes = 1 << 20;
constexpr int64_t kBelievedUs = 10 * 1000;

// After the peer's end: time for what is nearly ready, a reactor away, not for a long poll.
constexpr int64_t kLingerUs = 10 * 1000;

}  // namespace

void Conn::respond(Reactor& reactor, uint32_t sequence, Response&& response) {
  if (is_gone() || !is_in_flight(sequence)) return reactor.recycle(std::move(response));
  queued_bytes_ += response.bytes();
  exchange(sequence).response = std::move(response);
  finish(reactor, sequence, Stage::kReady);
}

void Conn::no_response(Reactor& reactor, uint32_t sequence) {
  if (!is_gone() && is_in_flight(sequence)) finish(reactor, sequence, Stage::kNothing);
}

void Conn::close_after(Reactor& reactor, uint32_t sequence, DisconnectReason reason) {
  if (is_gone() || !is_in_flight(sequence)) return;
  if (reason == DisconnectReason::kMalformed) reactor.row().add(counter::kFramesMalformed, 1);
  exchange(sequence).reason = reason;
  is_draining_ = true;  // nothing behind it starts
  finish(reactor, sequence, Stage::kClose);
}

void Conn::finish(Reactor& reactor, uint32_t sequence, Stage stage) {
  exchange(sequence).stage = stage;
  reactor.mark_dirty(this);
}

void Conn::pop_exchange(Reactor& reactor) {
  Exchange& head = exchange(first_);
  if (head.block != nullptr) {
    held_late_.push_back({first_, head.block, head.block_bytes});
    head.block = nullptr;
  }
  reactor.recycle(std::move(head.response));
  head.response = Response();
  first_ += 1;
  fragment_ = 0;
  fragment_sent_ = 0;
}

void Conn::flush(Reactor& reactor) {
  if (is_gone() || state_ == State::kConnecting) return;
  send_ready(reactor);
  if (is_gone()) return;
  const bool is_stuck = first_ != next_ && exchange(first_).stage == Stage::kReady;
  if (state_ == State::kClosing && !is_stuck) return close(reactor, close_reason_);
  if (is_draining_ && first_ == next_) return close(reactor, close_reason_);
  if (has_startable_frame(reactor)) {
    reactor.mark_resumable(this);
  } else if (is_input_over_ && first_ == next_ && !is_starved_ && muted_until_us_ == 0) {
    return close(reactor, DisconnectReason::kPeer);
  }
  if (is_input_over_ && waits_for_data() && linger_timer_ == 0) {
    linger_timer_ = reactor.start_timer(reactor.now_us() + kLingerUs, on_linger_over, this);
  }
  const bool can_read = state_ == State::kOpen && !is_input_over_ && may_start();
  watch(reactor, state_ == State::kOpen && !is_input_over_ && (wants_read_ || can_read),
        is_socket_full_);
}

void Conn::send_ready(Reactor& reactor) {
  int64_t budget = kSendBytesPerTurn;
  while (first_ != next_ && !is_socket_full_ && !is_reading_) {
    const Exchange& head = exchange(first_);
    if (head.stage == Stage::kWaiting) return;
    if (head.stage == Stage::kClose) return close(reactor, head.reason);
    if (head.stage == Stage::kNothing) {
      pop_exchange(reactor);
      continue;
    }
    if (budget <= 0) return reactor.mark_dirty(this);
    size_t sent = 0;
    const Status status = send_run(reactor, &sent);
    if (is_reading_ && sent == 0) return;
    if (status.code == Code::kWouldBlock) {
      is_socket_full_ = true;
      return;
    }
    if (!status.ok()) return close(reactor, DisconnectReason::kPeer);
    const bool is_old = sent > 0 && sends_old();
    budget -= is_old ? kSendBytesPerTurn / kOldBytesPerTurn * static_cast<int64_t>(sent)
                     : static_cast<int64_t>(sent);
    last_active_us_ = reactor.now_us();
    reactor.row().add(counter::kBytesSent, static_cast<double>(sent));
    advance(reactor, sent);
  }
}

// One call's worth: memory of as many ready responses as fit, or one file range.
Status Conn::send_run(Reactor& reactor, size_t* sent) {
  iovec iov[kIovMax];
  std::vector<uint8_t>& scratch = reactor.scratch();
  size_t gathered = 0;  // of scratch
  int count = 0;
  bool is_more = false;
  size_t fragment = fragment_;
  int64_t skip = fragment_sent_;
  for (uint32_t sequence = first_; sequence != next_ && count < kIovMax && !is_more;
       sequence += 1) {
    Exchange& ready = exchange(sequence);
    if (ready.stage != Stage::kReady) break;
    Response& response = ready.response;
    for (; fragment < response.fragments().size() && count < kIovMax; fragment += 1, skip = 0) {
      const Response::Fragment& run = response.fragments()[fragment];
      if (run.slice) {
        const int64_t bytes = run.slice.bytes() - skip;
        if (bytes == 0) continue;
        if (bytes <= reactor.transport().gathered_bytes_max() &&
            gathered + static_cast<size_t>(bytes) <= scratch.size()) {
          const Status read = gather_slice(reactor, run.slice, skip, scratch.data() + gathered);
          if (is_reading_ && count > 0) {  // what is there leaves meanwhile
            return reactor.transport().send_memory(reactor.io(), socket_, iov, count, false, sent);
          }
          OTTLA_TRY(read);
          iov[count++] = {scratch.data() + gathered, static_cast<size_t>(bytes)};
          gathered += static_cast<size_t>(bytes);
          continue;
        }
        if (count == 0) {
          return send_slice(reactor, run.slice, skip, sent);
        }
        is_more = true;
        break;
      }
      const auto left = static_cast<size_t>(run.memory_bytes - skip);
      if (left == 0) continue;
      iov[count++] = {response.memory().data() + run.memory_begin + skip, left};
    }
    if (is_more) break;
    fragment = 0;
    skip = 0;
  }
  *sent = 0;
  if (count == 0) return Status::good();
  return reactor.transport().send_memory(reactor.io(), socket_, iov, count, is_more, sent);
}

// A small slice, to be gathered with what is around it.
Status Conn::gather_slice(Reactor& reactor, const ReadSlice& slice, int64_t skip, uint8_t* into) {
  Io& io = reactor.io();
  Handle file = kNoHandle;
  OTTLA_TRY(slice.file(io, &file));
  const auto bytes = static_cast<size_t>(slice.bytes() - skip);
  size_t got = 0;
  if (std::exchange(has_waited_, false)) {
    OTTLA_TRY(io.read(file, into, bytes, slice.position() + skip, &got));
  } else {
    ColdRead cold;
    Status status;
    {
      const Impatient now(io, &cold);
      status = io.read(file, into, bytes, slice.position() + skip, &got);
    }
    if (cold.file != kNoHandle) lend_read(reactor, slice, cold);
    OTTLA_TRY(status);
  }
  return got == bytes ? Status::good() : Status::fail(Code::kCorrupt, "slice is shorter");
}

// What of a large slice is in memory; when nothing is, a helper reads some and we come back.
Status Conn::send_slice(Reactor& reactor, const ReadSlice& slice, int64_t skip, size_t* sent) {
  int64_t bytes = slice.bytes() - skip;
  if (!slice.is_recent()) {
    Io& io = reactor.io();
    const int64_t from = slice.position() + skip;
    if (ready_to_ <= from || reactor.now_us() - ready_at_us_ > kBelievedUs) {
      const int64_t wanted = std::min(bytes, kLookedAtBytes);
      ready_to_ = from + io.ready_bytes(slice.file(), from, wanted);
      ready_at_us_ = reactor.now_us();
    }
    const int64_t ready = std::min(ready_to_ - from, kOldBytesPerTurn);
    const bool insists = std::exchange(has_waited_, false);
    ColdRead cold{kNoHandle, from, std::min(bytes, kColdBytes)};
    if (ready == 0 && !insists && io.duplicate(slice.file(), &cold.file).ok()) {
      lend_read(reactor, slice, cold);
      return Status::good();
    }
    bytes = ready > 0 ? ready : std::min(bytes, kInsistedBytes);
  }
  return reactor.transport().send_slice(reactor.io(), socket_, slice, skip, bytes, sent);
}

void Conn::lend_read(Reactor& reactor, const ReadSlice& slice, const ColdRead& cold) {
  is_reading_ = true;
  reading_.disk = slice.disk();
  reading_.queue = DiskQueue::kRead;
  reading_.help = &Conn::help_read;
  reading_.run = &Conn::read_returned;
  reading_.conn = this;
  reading_.cold = cold;
  reactor.lend(&reading_);
}

void Conn::help_read(DiskWork* work, Io& io) {
  work->status = read_cold(io, static_cast<Reading*>(work)->cold, kAheadBytes);
}

void Conn::read_returned(PartitionWork* work, PartitionHost& host) {
  Reading* reading = static_cast<Reading*>(work);
  Conn* conn = reading->conn;
  Reactor& reactor = static_cast<Reactor&>(host);
  conn->is_reading_ = false;
  conn->has_waited_ = true;
  if (conn->is_gone()) return;
  // What was promised cannot be sent.
  if (!reading->status.ok()) return conn->close(reactor, DisconnectReason::kPeer);
  reactor.mark_dirty(conn);
}

// Whether what was just sent, or goes on now, are old records.
bool Conn::sends_old() const {
  const auto& fragments = exchange(first_).response.fragments();
  if (fragment_ >= fragments.size()) return false;
  const ReadSlice& slice = fragments[fragment_].slice;
  return slice && !slice.is_recent();
}

void Conn::advance(Reactor& reactor, size_t sent) {
  auto left = static_cast<int64_t>(sent);
  while (first_ != next_ && exchange(first_).stage == Stage::kReady) {
    const auto& fragments = exchange(first_).response.fragments();
    if (fragment_ == fragments.size()) {
      pop_exchange(reactor);
      continue;
    }
    const Response::Fragment& run = fragments[fragment_];
    const int64_t bytes = run.slice ? run.slice.bytes() : int64_t{run.memory_bytes};
    const int64_t taken = std::min(left, bytes - fragment_sent_);
    fragment_sent_ += taken;
    queued_bytes_ -= taken;
    left -= taken;
    if (fragment_sent_ < bytes) return;
    fragment_ += 1;
    fragment_sent_ = 0;
    ready_to_ = 0;
  }
}

void Conn::watch(Reactor& reactor, bool read, bool write) {
  if (socket_ == kNoHandle || (read == wants_read_ && write == wants_write_)) return;
  wants_read_ = read;
  wants_write_ = write;
  // It is watched since it was made: this cannot fail.
  (void)reactor.io().watch(socket_, static_cast<Pollable*>(this), read, write);
}

}  // namespace ottla
