// See conn.h. Life and frames are here; how responses leave is in conn_send.cc.
#include "conn.h"

#include <algorithm>
#include <cerrno>

#include "../base/bytes.h"
#include "header.h"
#include "reactor.h"

namespace ottla {

namespace {

constexpr uint32_t kLengthBytes = 4;
constexpr int32_t kRequestBytesMin = 8;   // key, version, correlation id
constexpr int32_t kResponseBytesMin = 4;  // correlation id
constexpr int kDiscardsMax = 16;          // reads of what nobody will look at, before closing
constexpr int16_t kProduceKey = 0;
constexpr int16_t kFetchKey = 1;

}  // namespace

bool Conn::accepted(Reactor& reactor, uint64_t id, Handle socket, SocketAddress peer,
                    int32_t listener, bool serves_data) {
  id_ = id;
  socket_ = socket;
  peer_ = std::move(peer);
  listener_ = listener;
  serves_data_ = serves_data;
  state_ = State::kOpen;
  last_active_us_ = reactor.now_us();
  exchanges_.resize(4);
  if (!reactor.io().watch(socket_, static_cast<Pollable*>(this), true, false).ok()) return false;
  wants_read_ = true;
  arm_idle(reactor);
  Fact fact;
  fact.kind = fact::kConnected;
  fact.a = static_cast<double>(id_);
  fact.b = listener_;
  fact.c = peer_.port;
  fact.body = peer_.host.data();
  fact.body_bytes = static_cast<uint32_t>(peer_.host.size());
  reactor.fact(fact);
  return true;
}

void Conn::dialled(Reactor& reactor, uint64_t id, Handle socket, int error) {
  id_ = id;
  socket_ = socket;
  is_dialled_ = true;
  state_ = State::kConnecting;
  last_active_us_ = reactor.now_us();
  exchanges_.resize(4);
  dial_error_ = ECANCELED;  // a hangup, unless something else is said
  if (socket == kNoHandle) return established(reactor, error == 0 ? -1 : error);
  const Status status = reactor.io().watch(socket_, static_cast<Pollable*>(this), false, true);
  if (!status.ok()) return established(reactor, status.error);
  wants_write_ = true;
}

void Conn::established(Reactor& reactor, int error) {
  if (error != 0) {
    dial_error_ = error;
    return close(reactor, DisconnectReason::kPeer);
  }
  Fact fact;
  fact.kind = fact::kDialled;
  fact.a = static_cast<double>(id_);
  reactor.fact(fact);
  state_ = State::kOpen;
  last_active_us_ = reactor.now_us();
  watch(reactor, true, false);
  arm_idle(reactor);
  reactor.mark_dirty(this);
}

void Conn::on_event(Reactor& reactor, const Event& event) {
  if (is_gone()) return;
  if (state_ == State::kConnecting) {
    const Status status = reactor.io().connect_result(socket_);
    if (status.code == Code::kWouldBlock) return;
    return established(reactor, status.ok() ? 0 : (status.error != 0 ? status.error : -1));
  }
  if (event.writable) {
    is_socket_full_ = false;
    reactor.mark_dirty(this);
  }
  if (event.readable) read(reactor);
  // Both directions are over: nobody is left to answer.
  if (event.hangup && !is_gone()) close(reactor, DisconnectReason::kPeer);
}

bool Conn::may_start() const {
  return state_ == State::kOpen && !is_draining_ && !has_barrier_ && !is_starved_ &&
         muted_until_us_ == 0 && held_bytes_ < kHeldBytesMax &&
         // What we send on a dialled one owes nothing to what we read there: a peer that reads no
         // more until its responses are read must find us reading.
         (is_dialled_ || (in_flight() < kInFlightMax && queued_bytes_ < kQueuedBytesMax));
}

void Conn::read(Reactor& reactor) {
  int64_t budget = kReadBytesPerTurn;
  while (budget > 0 && !is_gone() && !is_input_over_) {
    if (!may_start()) return watch(reactor, false, wants_write_);
    read_this_turn_ = 0;
    const bool is_more = receive(reactor);
    budget -= read_this_turn_;
    if (!is_more) break;
  }
  if (is_gone()) return;
  input_.rest();
  if (is_input_over_) {
    watch(reactor, false, wants_write_);
    reactor.mark_dirty(this);  // closes there, once everything is answered
  }
}

bool Conn::receive(Reactor& reactor) {
  uint64_t frame_bytes = 0;
  if (input_.bytes() >= kLengthBytes) {
    frame_bytes = uint64_t{kLengthBytes} + load_u32(input_.data());
  }
  if (!input_.reserve(frame_bytes)) {
    is_starved_ = true;
    reactor.mark_starved(this);
    return false;
  }
  const size_t room = input_.wanted_bytes(frame_bytes);
  size_t got = 0;
  const Status status = reactor.io().receive(socket_, input_.room(), room, &got);
  if (status.code == Code::kWouldBlock) return false;
  if (!status.ok()) {
    if (status.error != 0) {
      close(reactor, DisconnectReason::kPeer);
    } else {
      is_input_over_ = true;
    }
    return false;
  }
  input_.received(got);
  read_this_turn_ = static_cast<int64_t>(got);
  last_active_us_ = reactor.now_us();
  reactor.row().add(counter::kBytesReceived, static_cast<double>(got));
  start_frames(reactor);
  return got == room;
}

void Conn::start_frames(Reactor& reactor) {
  const int32_t least = is_dialled_ ? kResponseBytesMin : kRequestBytesMin;
  while (may_start() && input_.bytes() >= kLengthBytes) {
    const int32_t length = load_i32(input_.data());
    if (length < least) return malformed(reactor, DisconnectReason::kMalformed);
    if (length > reactor.options().request_bytes_max) {
      return malformed(reactor, DisconnectReason::kTooLarge);
    }
    const auto bytes = static_cast<uint32_t>(length);
    if (input_.bytes() - kLengthBytes < bytes) return;
    if (!start_frame(reactor, input_.data() + kLengthBytes, bytes)) {
      is_starved_ = true;
      return reactor.mark_starved(this);
    }
  }
}

bool Conn::has_startable_frame(Reactor& reactor) {
  if (!may_start() || input_.bytes() < kLengthBytes) return false;
  const int32_t length = load_i32(input_.data());
  return length < 0 || length > reactor.options().request_bytes_max ||
         input_.bytes() - kLengthBytes >= static_cast<uint32_t>(length);
}

bool Conn::start_frame(Reactor& reactor, uint8_t* frame, uint32_t bytes) {
  if (is_dialled_) return forward(reactor, fact::kResponse, frame, bytes);
  const int16_t key = load_i16(frame);
  if (!serves_data_ || (key != kProduceKey && key != kFetchKey)) {
    return forward(reactor, fact::kRequest, frame, bytes);
  }
  start_data(reactor, frame, bytes);
  return true;
}

// To TypeScript. False: its ring has no room now.
bool Conn::forward(Reactor& reactor, uint16_t kind, const uint8_t* frame, uint32_t bytes) {
  if (!reactor.facts().has_room(bytes)) return false;
  Fact fact;
  fact.kind = kind;
  fact.a = static_cast<double>(id_);
  fact.body = frame;
  fact.body_bytes = bytes;
  if (kind == fact::kRequest) {
    barrier_ = add_exchange();
    has_barrier_ = true;
    fact.ticket = barrier_;
    fact.b = listener_;
    reactor.row().add(counter::kRequestsForwarded, 1);
  }
  reactor.fact(fact);
  input_.completed(kLengthBytes + bytes);
  input_.consume(kLengthBytes + bytes);
  return true;
}

void Conn::start_data(Reactor& reactor, uint8_t* frame, uint32_t bytes) {
  RequestHeader header;
  if (!read_request_header(frame, bytes, &header)) {
    return malformed(reactor, DisconnectReason::kMalformed);
  }
  if (!header.is_served) return hangup(reactor, DisconnectReason::kUnsupported);
  const uint32_t sequence = add_exchange();
  Exchange& started = exchange(sequence);
  input_.completed(kLengthBytes + bytes);
  started.block = input_.consume_and_hold(kLengthBytes + bytes);
  started.block_bytes = bytes;
  started.is_data = true;
  holds_ += 1;
  held_bytes_ += bytes;

  RequestFrame request;
  request.ref = {id_, sequence};
  request.api_version = header.api_version;
  request.correlation_id = header.correlation_id;
  request.listener = listener_;
  request.principal = principal_;
  request.is_admin_client = header.is_admin_client;
  request.body = frame + header.bytes;
  request.body_bytes = bytes - header.bytes;
  if (header.api_key == kProduceKey) {
    reactor.requests().produce(reactor, request);
  } else {
    reactor.requests().fetch(reactor, request);
  }
}

void Conn::resume(Reactor& reactor) {
  if (is_gone()) return;
  start_frames(reactor);
  if (is_gone()) return;
  input_.rest();
  if (may_start() && !is_input_over_ && !wants_read_) watch(reactor, true, wants_write_);
  reactor.mark_dirty(this);
}

uint32_t Conn::add_exchange() {
  if (in_flight() == exchanges_.size()) {
    std::vector<Exchange> larger(exchanges_.size() * 2);
    for (uint32_t sequence = first_; sequence != next_; sequence += 1) {
      larger[sequence & (larger.size() - 1)] = std::move(exchange(sequence));
    }
    exchanges_ = std::move(larger);
  }
  Exchange& fresh = exchange(next_);
  fresh.stage = Stage::kWaiting;
  fresh.is_data = false;
  fresh.block = nullptr;
  fresh.block_bytes = 0;
  return next_++;
}

void Conn::release_frame(Reactor& reactor, uint32_t sequence) {
  if (is_in_flight(sequence) && exchange(sequence).block != nullptr) {
    Exchange& held = exchange(sequence);
    Block* block = held.block;
    held.block = nullptr;
    return unhold(reactor, block, held.block_bytes);
  }
  for (size_t i = 0; i < held_late_.size(); i += 1) {
    if (held_late_[i].sequence != sequence) continue;
    const Held held = held_late_[i];
    held_late_[i] = held_late_.back();
    held_late_.pop_back();
    return unhold(reactor, held.block, held.bytes);
  }
}

void Conn::unhold(Reactor& reactor, Block* block, uint32_t bytes) {
  const bool was_over = held_bytes_ >= kHeldBytesMax;
  holds_ -= 1;
  held_bytes_ -= bytes;
  input_.release(block);
  if (was_over && !is_gone()) reactor.mark_dirty(this);
}

void Conn::reply(Reactor& reactor, uint32_t sequence, std::vector<uint8_t>&& bytes) {
  if (!has_barrier_ || barrier_ != sequence || is_gone()) return;
  has_barrier_ = false;
  if (bytes.empty()) {
    no_response(reactor, sequence);
  } else {
    Response response = reactor.take_response();
    response.memory() = std::move(bytes);
    response.finish();
    respond(reactor, sequence, std::move(response));
  }
  resume(reactor);
}

void Conn::send(Reactor& reactor, std::vector<uint8_t>&& bytes) {
  if (!is_dialled_ || is_gone()) return;
  Response request = reactor.take_response();
  request.memory() = std::move(bytes);
  request.finish();
  respond(reactor, add_exchange(), std::move(request));
}

void Conn::malformed(Reactor& reactor, DisconnectReason reason) {
  reactor.row().add(counter::kFramesMalformed, 1);
  hangup(reactor, reason);
}

void Conn::hangup(Reactor& reactor, DisconnectReason reason) {
  if (state_ == State::kConnecting) return close(reactor, reason);
  if (state_ != State::kOpen) return;
  state_ = State::kClosing;
  close_reason_ = reason;
  watch(reactor, false, wants_write_);
  reactor.mark_dirty(this);
}

void Conn::drain(Reactor& reactor) {
  if (state_ == State::kConnecting) return close(reactor, DisconnectReason::kShutdown);
  is_draining_ = true;
  if (state_ == State::kOpen) close_reason_ = DisconnectReason::kShutdown;
  if (!is_gone()) reactor.mark_dirty(this);
}

void Conn::mute(Reactor& reactor, int64_t until_us) {
  if (is_gone() || until_us <= muted_until_us_ || until_us <= reactor.now_us()) return;
  muted_until_us_ = until_us;
  reactor.cancel_timer(mute_timer_);
  mute_timer_ = reactor.start_timer(until_us, on_unmute, this);
}

void Conn::on_unmute(void* object, PartitionHost& host) {
  auto* conn = static_cast<Conn*>(object);
  auto& reactor = static_cast<Reactor&>(host);
  conn->muted_until_us_ = 0;
  conn->resume(reactor);
}

void Conn::arm_idle(Reactor& reactor) {
  const int64_t idle_us = reactor.options().connections_max_idle_us;
  if (idle_us < 0) return;
  idle_timer_ = reactor.start_timer(
      std::max(last_active_us_, reactor.now_us() - idle_us / 2) + idle_us, on_idle, this);
}

void Conn::on_idle(void* object, PartitionHost& host) {
  auto* conn = static_cast<Conn*>(object);
  auto& reactor = static_cast<Reactor&>(host);
  const int64_t idle_us = reactor.options().connections_max_idle_us;
  const bool is_quiet = reactor.now_us() - conn->last_active_us_ >= idle_us;
  // A response that nobody takes does not keep a connection; one that only waits for the end of
  // this turn does.
  const bool is_stuck = conn->is_socket_full_ && conn->in_flight() > 0 &&
                        conn->exchange(conn->first_).stage == Stage::kReady;
  if (is_quiet && (conn->in_flight() == 0 || is_stuck)) {
    reactor.row().add(counter::kConnectionsIdleClosed, 1);
    return conn->close(reactor, DisconnectReason::kIdle);
  }
  conn->arm_idle(reactor);
}

bool Conn::waits_for_data() const {
  return first_ != next_ && exchange(first_).is_data && exchange(first_).stage == Stage::kWaiting;
}

// The peer has ended and what it asked of partitions is not ready: nobody waits for it any more.
void Conn::on_linger_over(void* object, PartitionHost& host) {
  auto* conn = static_cast<Conn*>(object);
  conn->linger_timer_ = 0;
  if (conn->waits_for_data()) {
    conn->close(static_cast<Reactor&>(host), DisconnectReason::kPeer);
  }
}

// Closing with unread bytes resets the connection, and the peer may lose answers it has not read
// yet.
void Conn::discard_unread(Reactor& reactor) {
  uint8_t scratch[16 * 1024];
  for (int i = 0; i < kDiscardsMax; i += 1) {
    size_t got = 0;
    if (!reactor.io().receive(socket_, scratch, sizeof scratch, &got).ok()) return;
  }
}

void Conn::close(Reactor& reactor, DisconnectReason reason) {
  if (is_gone()) return;
  const bool was_dialling = is_dialled_ && state_ == State::kConnecting;
  state_ = State::kGone;
  reactor.cancel_timer(idle_timer_);
  reactor.cancel_timer(mute_timer_);
  reactor.cancel_timer(linger_timer_);
  if (socket_ != kNoHandle) {
    reactor.io().unwatch(socket_);
    if (reason != DisconnectReason::kPeer) discard_unread(reactor);
    reactor.io().close_socket(socket_);
    socket_ = kNoHandle;
  }
  input_.drop();
  while (first_ != next_) pop_exchange(reactor);
  has_barrier_ = false;
  if (!is_dialled_) reactor.requests().disconnected(reactor, id_);
  Fact fact;
  fact.kind = was_dialling ? fact::kDialled : fact::kDisconnected;
  fact.status = was_dialling ? dial_error_ : static_cast<int32_t>(reason);
  fact.a = static_cast<double>(id_);
  reactor.fact(fact);
  reactor.closed(this);
}

}  // namespace ottla
