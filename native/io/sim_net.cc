// See sim_net.h. A connection not yet accepted keeps its far end inside the listener's queue.
#include "sim_net.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "../base/assert.h"

namespace ottla {

namespace {

Status closed() { return Status::fail(Code::kClosed, "sim net", ECONNRESET); }
Status would_block() { return Status::fail(Code::kWouldBlock, "sim net", EAGAIN); }

}  // namespace

// ---- making connections ----

SimNet::Listener* SimNet::listener_for(const SocketAddress& to) {
  Listener* any = nullptr;
  for (auto& [handle, listener] : listeners_) {
    if (listener.at.port != to.port) continue;
    if (listener.at.host == to.host) return &listener;
    if (listener.at.host.empty()) any = &listener;
  }
  return any;
}

Status SimNet::listen(Handle listener, const SocketAddress& at, int backlog, uint16_t* port) {
  Listener made;
  made.at = at;
  made.backlog = static_cast<size_t>(std::max(backlog, 1));
  const auto is_taken = [&](uint16_t candidate) {
    return std::any_of(listeners_.begin(), listeners_.end(), [&](const auto& entry) {
      const SocketAddress& other = entry.second.at;
      return other.port == candidate &&
             (other.host == at.host || other.host.empty() || at.host.empty());
    });
  };
  while (at.port == 0 && is_taken(next_port_)) next_port_ += 1;
  made.at.port = at.port != 0 ? at.port : next_port_;
  if (is_taken(made.at.port)) return Status::fail(Code::kBusy, "sim net", EADDRINUSE);
  if (at.port == 0) next_port_ += 1;
  *port = made.at.port;
  listeners_[listener] = std::move(made);
  return Status::good();
}

void SimNet::connect(Handle client, const SocketAddress& to, bool is_outside, int64_t now_us) {
  End& end = ends_[client];
  end.is_outside = is_outside;
  end.inbox_bytes_max = buffer_bytes;
  end.remote = to;
  end.local = {"127.0.0.1", static_cast<uint16_t>(10000 + client % 30000)};
  end.established_us = now_us + latency_us;
  Listener* listener = listener_for(to);
  if (listener == nullptr || listener->waiting.size() >= listener->backlog) {
    end.is_refused = true;
    return;
  }
  for (const auto& [handle, candidate] : listeners_) {
    if (&candidate == listener) end.waiting_at = handle;
  }
  Waiting waiting{client, now_us + latency_us, {}};
  waiting.end.peer = client;
  waiting.end.remote = end.local;
  waiting.end.local = listener->at;
  waiting.end.established_us = waiting.due_us;
  waiting.end.inbox_bytes_max = buffer_bytes;
  listener->waiting.push_back(std::move(waiting));
}

Status SimNet::accept(Handle listener, Handle socket, int64_t now_us, SocketAddress* peer) {
  const auto found = listeners_.find(listener);
  if (found == listeners_.end()) return Status::fail(Code::kInvalid, "sim net", EBADF);
  std::deque<Waiting>& waiting = found->second.waiting;
  if (waiting.empty() || waiting.front().due_us > now_us) return would_block();
  Waiting accepted = std::move(waiting.front());
  waiting.pop_front();
  const auto client = ends_.find(accepted.client);
  if (client != ends_.end()) {
    client->second.peer = socket;
    client->second.waiting_at = kNoHandle;
  }
  *peer = accepted.end.remote;
  ends_[socket] = std::move(accepted.end);
  return Status::good();
}

Status SimNet::connect_result(Handle socket, int64_t now_us) const {
  const auto found = ends_.find(socket);
  if (found == ends_.end()) return Status::fail(Code::kInvalid, "sim net", EBADF);
  if (found->second.established_us > now_us) return would_block();
  if (found->second.is_refused) return Status::fail(Code::kClosed, "sim net", ECONNREFUSED);
  return found->second.is_reset ? closed() : Status::good();
}

// ---- bytes ----

const SimNet::End* SimNet::peer_of(const End& end, Handle self) const {
  if (end.waiting_at != kNoHandle) {
    for (const Waiting& waiting : listeners_.at(end.waiting_at).waiting) {
      if (waiting.client == self) return &waiting.end;
    }
  }
  const auto found = ends_.find(end.peer);
  return found == ends_.end() ? nullptr : &found->second;
}

SimNet::End* SimNet::peer_of(const End& end, Handle self) {
  return const_cast<End*>(std::as_const(*this).peer_of(end, self));
}

bool SimNet::has_ended(const End& end, int64_t now_us) {
  return end.peer_has_shut && end.inbox.empty() && end.shut_due_us <= now_us;
}

Status SimNet::receive(Handle socket, void* into, size_t bytes, int64_t now_us, size_t* got) {
  *got = 0;
  const auto found = ends_.find(socket);
  if (found == ends_.end()) return Status::fail(Code::kInvalid, "sim net", EBADF);
  End& end = found->second;
  if (end.is_refused || end.is_reset) return closed();
  while (*got < bytes && !end.inbox.empty() && end.inbox.front().due_us <= now_us) {
    Chunk& chunk = end.inbox.front();
    const size_t part = std::min(bytes - *got, chunk.bytes.size() - chunk.taken);
    std::memcpy(static_cast<uint8_t*>(into) + *got, chunk.bytes.data() + chunk.taken, part);
    chunk.taken += part;
    *got += part;
    end.inbox_bytes -= part;
    if (chunk.taken == chunk.bytes.size()) end.inbox.pop_front();
  }
  if (*got > 0 || bytes == 0) return Status::good();
  return has_ended(end, now_us) ? Status::fail(Code::kClosed, "sim net") : would_block();
}

size_t SimNet::room(Handle socket) const {
  const auto found = ends_.find(socket);
  if (found == ends_.end()) return 0;
  const End* peer = peer_of(found->second, socket);
  if (peer == nullptr) return 0;
  return peer->inbox_bytes_max - std::min(peer->inbox_bytes_max, peer->inbox_bytes);
}

Status SimNet::send(Handle socket, Bytes bytes, int64_t now_us, size_t* sent) {
  *sent = 0;
  const auto found = ends_.find(socket);
  if (found == ends_.end()) return Status::fail(Code::kInvalid, "sim net", EBADF);
  End& end = found->second;
  if (!end.is_refused && end.established_us > now_us) return would_block();
  End* peer = peer_of(end, socket);
  if (end.is_refused || end.is_reset || end.has_shut || peer == nullptr) return closed();
  const size_t part = std::min(bytes.size(), room(socket));
  if (part == 0) return bytes.empty() ? Status::good() : would_block();
  // Never before what was sent earlier, when the latency has become shorter since.
  const int64_t after = peer->inbox.empty() ? 0 : peer->inbox.back().due_us;
  const uint8_t* from = bytes.data();
  peer->inbox.push_back(
      {std::max(after, now_us + latency_us), std::vector<uint8_t>(from, from + part)});
  peer->inbox_bytes += part;
  *sent = part;
  return Status::good();
}

void SimNet::set_buffer(Handle socket, size_t receive_bytes) {
  const auto found = ends_.find(socket);
  if (found != ends_.end()) found->second.inbox_bytes_max = std::max<size_t>(receive_bytes, 1);
}

// ---- ends ----

void SimNet::shutdown_write(Handle socket, int64_t now_us) {
  const auto found = ends_.find(socket);
  if (found == ends_.end() || found->second.has_shut) return;
  found->second.has_shut = true;
  End* peer = peer_of(found->second, socket);
  if (peer == nullptr) return;
  peer->peer_has_shut = true;
  peer->shut_due_us =
      std::max(peer->inbox.empty() ? 0 : peer->inbox.back().due_us, now_us + latency_us);
}

void SimNet::detach(Handle socket, bool is_reset, int64_t now_us) {
  if (!is_reset) shutdown_write(socket, now_us);
  End& end = ends_.at(socket);
  End* peer = peer_of(end, socket);
  if (peer != nullptr) {
    peer->is_reset = peer->is_reset || is_reset;
    peer->peer = kNoHandle;
  }
  ends_.erase(socket);
}

void SimNet::close(Handle socket, int64_t now_us) {
  const auto listener = listeners_.find(socket);
  if (listener != listeners_.end()) {
    for (const Waiting& waiting : listener->second.waiting) {
      const auto client = ends_.find(waiting.client);
      if (client == ends_.end()) continue;
      client->second.is_reset = true;
      client->second.waiting_at = kNoHandle;
    }
    listeners_.erase(listener);
    return;
  }
  const auto found = ends_.find(socket);
  if (found != ends_.end()) detach(socket, !found->second.inbox.empty(), now_us);
}

void SimNet::abort(Handle socket) {
  if (ends_.contains(socket)) detach(socket, true, 0);
}

void SimNet::reset(Handle socket) {
  const auto found = ends_.find(socket);
  if (found == ends_.end()) return;
  found->second.is_reset = true;
  End* peer = peer_of(found->second, socket);
  if (peer != nullptr) peer->is_reset = true;
}

void SimNet::die() {
  while (!listeners_.empty()) close(listeners_.begin()->first, 0);
  std::vector<Handle> ours;
  for (const auto& [handle, end] : ends_) {
    if (!end.is_outside) ours.push_back(handle);
  }
  for (const Handle handle : ours) abort(handle);
}

// ---- readiness ----

SimNet::Ready SimNet::ready(Handle socket, int64_t now_us) const {
  const auto listener = listeners_.find(socket);
  if (listener != listeners_.end()) {
    const std::deque<Waiting>& waiting = listener->second.waiting;
    return {!waiting.empty() && waiting.front().due_us <= now_us, false, false};
  }
  const auto found = ends_.find(socket);
  if (found == ends_.end()) return {};
  const End& end = found->second;
  if (end.established_us > now_us) return {};
  if (end.is_refused || end.is_reset) return {true, true, true};
  const bool has_bytes = !end.inbox.empty() && end.inbox.front().due_us <= now_us;
  const bool has_end = has_ended(end, now_us);
  const bool peer_is_gone = peer_of(end, socket) == nullptr;
  return {has_bytes || has_end, peer_is_gone || room(socket) > 0, has_end && end.has_shut};
}

int64_t SimNet::next_us(int64_t now_us) const {
  int64_t next = INT64_MAX;
  const auto consider = [&](int64_t due_us) {
    if (due_us > now_us) next = std::min(next, due_us);
  };
  for (const auto& [handle, end] : ends_) {
    consider(end.established_us);
    if (!end.inbox.empty()) consider(end.inbox.front().due_us);
    if (end.peer_has_shut) consider(end.shut_due_us);
  }
  for (const auto& [handle, listener] : listeners_) {
    if (!listener.waiting.empty()) consider(listener.waiting.front().due_us);
  }
  return next;
}

}  // namespace ottla
