// Conn: one connection: frames in, responses out, in order.
// Kafka: SocketServer.Processor, NetworkReceive, KafkaChannel (mute); pipelining is ours (DESIGN §7
// rule 10).
//
//            frame                start                     respond        head of the pipeline
//   Input ──────────► Exchange ──────────► waiting ──────────────► ready ──────────────► socket
//
// Requests start in order and responses leave in order. A frame for TypeScript is a barrier:
// nothing behind it starts until its reply. Produce and Fetch are no barrier. What a connection may
// make us hold is bounded: exchanges in flight, bytes queued to a reader that does not read, bytes
// of frames that requests still hold; past any of them nothing more is started, and then the socket
// is not read.
//
// Life: connecting (dialled) → open → closing (what is ready leaves first) → gone (the socket is
// closed, the object waits until every held frame is released). Owned by its reactor, one thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "../gen/layout.h"
#include "../io/cold.h"
#include "../partition/host.h"
#include "../request/response.h"
#include "input.h"

namespace ottla {

class Reactor;

// What epoll's tags point to.
struct Pollable {
  bool is_listener = false;
};

class Conn : public Pollable {
 public:
  static constexpr uint32_t kInFlightMax = 128;          // exchanges of one accepted connection
  static constexpr int64_t kQueuedBytesMax = 1 << 20;    // ready, not yet sent
  static constexpr int64_t kHeldBytesMax = 16 << 20;     // frames that requests hold
  static constexpr int64_t kReadBytesPerTurn = 1 << 20;  // so that others get their turn
  static constexpr int64_t kSendBytesPerTurn = 8 << 20;
  // Of old records: who reads gigabytes of them leaves room for those at the tail.
  static constexpr int64_t kOldBytesPerTurn = 256 << 10;

  enum class State : uint8_t { kConnecting, kOpen, kClosing, kGone };

  explicit Conn(BlockPool* pool) : input_(pool) {}
  Conn(const Conn&) = delete;
  Conn& operator=(const Conn&) = delete;

  // --- set by the reactor
  // False: there is no room to watch it; nothing was told, and the socket is the caller's still.
  bool accepted(Reactor& reactor, uint64_t id, Handle socket, SocketAddress peer, int32_t listener,
                bool serves_data);
  // `socket` may be kNoHandle: connecting failed at once, which is told like any other failure.
  void dialled(Reactor& reactor, uint64_t id, Handle socket, int error);

  // --- from the loop
  void on_event(Reactor& reactor, const Event& event);
  // Starts what has arrived and may start now, reads on.
  void resume(Reactor& reactor);
  void unstarve() { is_starved_ = false; }
  // Sends what is ready; closes when that was all there is to wait for.
  void flush(Reactor& reactor);

  // --- from requests and verbs
  void respond(Reactor& reactor, uint32_t sequence, Response&& response);
  void no_response(Reactor& reactor, uint32_t sequence);
  void close_after(Reactor& reactor, uint32_t sequence, DisconnectReason reason);
  void release_frame(Reactor& reactor, uint32_t sequence);
  // `bytes`: the frame without its length; empty: none is owed.
  void reply(Reactor& reactor, uint32_t sequence, std::vector<uint8_t>&& bytes);
  void send(Reactor& reactor, std::vector<uint8_t>&& bytes);
  void hangup(Reactor& reactor, DisconnectReason reason);
  void mute(Reactor& reactor, int64_t until_us);
  void drain(Reactor& reactor);  // shutdown: nothing more starts, closes when all is answered
  void close(Reactor& reactor, DisconnectReason reason);

  uint64_t id() const { return id_; }
  int32_t principal() const { return principal_; }
  void identify(int32_t principal) { principal_ = principal; }
  bool is_gone() const { return state_ == State::kGone; }
  bool can_be_freed() const { return is_gone() && holds_ == 0 && !is_reading_; }
  bool is_accepted() const { return !is_dialled_; }
  const std::string& peer_host() const { return peer_.host; }

  bool is_dirty = false;  // in the reactor's list of connections to flush

 private:
  enum class Stage : uint8_t { kWaiting, kReady, kNothing, kClose };
  struct Exchange {
    Stage stage = Stage::kWaiting;
    bool is_data = false;  // Produce or Fetch
    DisconnectReason reason = DisconnectReason::kPeer;
    Block* block = nullptr;  // of a held frame
    uint32_t block_bytes = 0;
    Response response;
  };

  const Exchange& exchange(uint32_t sequence) const {
    return exchanges_[sequence & (exchanges_.size() - 1)];
  }
  Exchange& exchange(uint32_t sequence) { return exchanges_[sequence & (exchanges_.size() - 1)]; }
  bool is_in_flight(uint32_t sequence) const { return sequence - first_ < next_ - first_; }
  uint32_t in_flight() const { return next_ - first_; }
  uint32_t add_exchange();
  void pop_exchange(Reactor& reactor);
  void finish(Reactor& reactor, uint32_t sequence, Stage stage);
  void unhold(Reactor& reactor, Block* block, uint32_t bytes);

  bool may_start() const;
  bool has_startable_frame(Reactor& reactor);
  void start_frames(Reactor& reactor);
  bool start_frame(Reactor& reactor, uint8_t* frame, uint32_t bytes);  // false: try again later
  void start_data(Reactor& reactor, uint8_t* frame, uint32_t bytes);
  bool forward(Reactor& reactor, uint16_t kind, const uint8_t* frame, uint32_t bytes);
  void read(Reactor& reactor);
  bool receive(Reactor& reactor);  // false: no more for now
  void malformed(Reactor& reactor, DisconnectReason reason);
  void discard_unread(Reactor& reactor);

  void send_ready(Reactor& reactor);
  Status send_run(Reactor& reactor, size_t* sent);
  Status send_slice(Reactor& reactor, const ReadSlice& slice, int64_t skip, size_t* sent);
  Status gather_slice(Reactor& reactor, const ReadSlice& slice, int64_t skip, uint8_t* into);
  bool sends_old() const;
  void lend_read(Reactor& reactor, const ReadSlice& slice, const ColdRead& cold);
  static void help_read(DiskWork* work, Io& io);
  static void read_returned(PartitionWork* work, class PartitionHost& host);
  void advance(Reactor& reactor, size_t sent);
  void watch(Reactor& reactor, bool read, bool write);
  void arm_idle(Reactor& reactor);
  static void on_idle(void* object, class PartitionHost& host);
  bool waits_for_data() const;  // the oldest exchange is a Produce or Fetch without its answer
  static void on_linger_over(void* object, class PartitionHost& host);
  static void on_unmute(void* object, class PartitionHost& host);
  void established(Reactor& reactor, int error);

  uint64_t id_ = 0;
  Handle socket_ = kNoHandle;
  SocketAddress peer_;
  int32_t listener_ = -1;
  int32_t principal_ = 0;
  State state_ = State::kGone;
  bool is_dialled_ = false;
  bool serves_data_ = false;
  bool is_input_over_ = false;  // the peer sent its end; what is in flight is still answered
  bool is_draining_ = false;
  bool is_starved_ = false;  // waits for room in the ring or in the pool
  bool wants_read_ = false;  // as watched
  bool wants_write_ = false;
  bool is_socket_full_ = false;
  DisconnectReason close_reason_ = DisconnectReason::kAsked;
  int dial_error_ = 0;  // told when it is closed before it was established

  Input input_;
  std::vector<Exchange> exchanges_;  // a ring, a power of two
  uint32_t first_ = 0;               // oldest exchange
  uint32_t next_ = 0;                // next one's sequence
  bool has_barrier_ = false;
  uint32_t barrier_ = 0;  // the frame TypeScript has
  int64_t queued_bytes_ = 0;
  int64_t held_bytes_ = 0;
  uint32_t holds_ = 0;
  struct Held {
    uint32_t sequence;
    Block* block;
    uint32_t bytes;
  };
  std::vector<Held> held_late_;  // frames still held after their response has left

  size_t fragment_ = 0;        // of the first exchange's response: what is being sent
  int64_t fragment_sent_ = 0;  // of that fragment

  // What is to leave next is not in memory: a helper has it.
  struct Reading : DiskWork {
    Conn* conn = nullptr;
    ColdRead cold;
  };
  Reading reading_;
  bool is_reading_ = false;
  bool has_waited_ = false;  // for what leaves next: it goes now, in memory or not
  // What leaves next was in memory up to here, as its file goes, when it was looked at.
  int64_t ready_to_ = 0;
  int64_t ready_at_us_ = 0;

  int64_t read_this_turn_ = 0;
  int64_t last_active_us_ = 0;
  int64_t muted_until_us_ = 0;
  uint64_t idle_timer_ = 0;
  uint64_t mute_timer_ = 0;
  uint64_t linger_timer_ = 0;
};

}  // namespace ottla
