// A network inside the process: byte streams with bounded buffers, latency and half-closes, in
// virtual time.
//
// Reliable and in order, as TCP: what a network may do to a connection is to be slow, to carry a
// part, to end. An end is either of the simulated machine (made through Io, dies with it) or
// outside (a test's client, which sees the death as a reset).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "../base/bytes.h"
#include "io.h"

namespace ottla {

class SimNet {
 public:
  int64_t latency_us = 0;            // of new bytes, each way
  size_t buffer_bytes = 256 * 1024;  // of new connections, each way

  struct Ready {
    bool readable = false, writable = false, hangup = false;
  };

  // `socket`, `listener` and `client` are numbers the caller chose, never used before.
  Status listen(Handle listener, const SocketAddress& at, int backlog, uint16_t* port);
  Status accept(Handle listener, Handle socket, int64_t now_us, SocketAddress* peer);
  // The far end gets the number when accepted. Refused (no listener, backlog full) is told by
  // connect_result and hangup, as on a real network.
  void connect(Handle client, const SocketAddress& to, bool is_outside, int64_t now_us);
  Status connect_result(Handle socket, int64_t now_us) const;
  Status receive(Handle socket, void* into, size_t bytes, int64_t now_us, size_t* got);
  Status send(Handle socket, Bytes bytes, int64_t now_us, size_t* sent);
  void set_buffer(Handle socket, size_t receive_bytes);
  void shutdown_write(Handle socket, int64_t now_us);
  // With bytes unread the peer sees a reset, else an end.
  void close(Handle socket, int64_t now_us);
  // The peer sees a reset, whatever was on its way.
  void abort(Handle socket);
  // Both ends find the connection reset; both still exist.
  void reset(Handle socket);
  // Aborts every socket that is not outside, closes every listener.
  void die();

  bool exists(Handle socket) const { return ends_.contains(socket) || listeners_.contains(socket); }
  // How many bytes send() would take now.
  size_t room(Handle socket) const;
  Ready ready(Handle socket, int64_t now_us) const;
  // When something under way arrives; INT64_MAX when nothing is.
  int64_t next_us(int64_t now_us) const;

 private:
  struct Chunk {
    int64_t due_us;
    std::vector<uint8_t> bytes;
    size_t taken = 0;
  };
  struct End {
    Handle peer = kNoHandle;  // kNoHandle: gone, or not yet accepted
    Handle waiting_at = kNoHandle;
    bool is_outside = false;
    bool is_refused = false;
    bool is_reset = false;
    bool has_shut = false;       // this end will send no more
    bool peer_has_shut = false;  // the other will not, from shut_due_us
    int64_t shut_due_us = 0;
    int64_t established_us = INT64_MAX;
    SocketAddress local, remote;
    std::deque<Chunk> inbox;
    size_t inbox_bytes = 0;
    size_t inbox_bytes_max = 0;
  };
  struct Waiting {
    Handle client;
    int64_t due_us;
    // What the client sends before it is accepted.
    End end;
  };
  struct Listener {
    SocketAddress at;
    size_t backlog = 0;
    std::deque<Waiting> waiting;
  };

  Listener* listener_for(const SocketAddress& to);
  const End* peer_of(const End& end, Handle self) const;
  End* peer_of(const End& end, Handle self);
  static bool has_ended(const End& end, int64_t now_us);
  void detach(Handle socket, bool is_reset, int64_t now_us);

  std::map<Handle, End> ends_;
  std::map<Handle, Listener> listeners_;
  uint16_t next_port_ = 40000;
};

}  // namespace ottla
