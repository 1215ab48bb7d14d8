// Requests: one reactor's Produce and Fetch requests from their frame to their response.
//
// The door through which a reactor enters request/: it hands over frames whose header it has read,
// tells of connections that ended, and calls end_turn() once per turn. Requests in flight live in
// pools; in the steady state nothing here allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "context.h"

namespace ottla {

// A frame whose request header has been read. `body` is in the connection's buffer: batches are
// patched in place, and it must stay until release_frame(ref), which is called exactly once for
// every frame.
struct RequestFrame {
  RequestRef ref;
  int16_t api_version = 0;
  int32_t correlation_id = 0;
  int32_t listener = 0;
  int32_t principal = 0;
  bool is_admin_client = false;  // it says so
  uint8_t* body = nullptr;       // after the request header
  size_t body_bytes = 0;
};

// Array elements of one request, as TypeScript allows (ELEMENTS_MAX): what we keep of each is far
// larger than the six bytes it takes in a frame. More is malformed.
constexpr int64_t kElementsMax = 1'000'000;

struct RequestsOptions {
  int32_t node_id = 0;
  int reactor = 0;
  int reactors = 1;
  int32_t fetch_bytes_max = 55 << 20;  // fetch.max.bytes
  int32_t fetch_sessions_max = 1000;   // of this reactor
};

struct TopicRoute;

class Requests {
 public:
  explicit Requests(const RequestsOptions& options);
  ~Requests();

  // Exactly one of respond(), no_response() or close_connection() follows, now or later.
  void produce(Context& context, const RequestFrame& frame);
  void fetch(Context& context, const RequestFrame& frame);
  // Waiting fetches and parked batches of this connection end; what is being written goes on.
  void disconnected(Context& context, uint64_t conn);
  // The verdict verb: releases what waited for it. The reactor has no other duty for verdicts.
  void verdict(Context& context, int32_t principal, int32_t topic_handle, int32_t operation,
               bool is_allowed);
  // The route and forget verbs: likewise. What waits for a partition that moved looks again.
  void route(Context& context, const TopicRoute& topic);
  void forget(Context& context, int32_t topic_handle);
  // After every touched partition's end_turn(): answers fetches that were woken. True: call again
  // this turn, because a follower's fetch moved a watermark.
  bool end_turn(Context& context);
  // Shutdown: answers or drops everything still waiting.
  void close(Context& context);

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace ottla
