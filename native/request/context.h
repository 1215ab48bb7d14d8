// Context: what a reactor lends to the requests it runs. Implemented once, by reactor/reactor.h;
// tests may implement it with nothing but vectors. Everything here runs on the reactor's own
// thread.
//
// A Produce for a partition of another reactor is posted to its owner (PartitionWork) and comes
// back the same way; a Fetch reads any partition directly, and asks the owner for a wake-up through
// Partition's interest mask. One turn of a reactor: deliver frames, mail and timers → end_turn() of
// every touched partition → Requests::end_turn() → flush the connections.
#pragma once

#include <cstdint>

#include "../partition/host.h"
#include "response.h"

namespace ottla {

class Requests;
class TopicTable;
class VerdictTable;

// A request in flight on a connection: responses leave in request order whatever order they are
// ready in.
struct RequestRef {
  uint64_t conn = 0;      // reactor, index, generation; dead connections are simply not found
  uint32_t sequence = 0;  // position in the connection's pipeline
};

enum class DisconnectReason : int32_t;  // gen/layout.h

class Context : public PartitionHost {
 public:
  virtual TopicTable& topics() = 0;                // this reactor's own copy
  virtual VerdictTable& verdicts() = 0;            // likewise
  virtual Requests& requests() = 0;                // this reactor's requests in flight
  virtual Partition* partition(int32_t slot) = 0;  // any reactor's; valid until the end of the turn
  virtual int owner(int32_t slot) const = 0;
  // Hears the signals that other reactors have given until now: whatever a client was told before
  // it asked is then known here.
  virtual void hear() = 0;

  // Hands over a complete response; the connection sends it in its place. A connection that is gone
  // drops it.
  virtual void respond(RequestRef request, Response&& response) = 0;
  virtual void no_response(RequestRef request) = 0;  // acks=0
  virtual void close_connection(RequestRef request, DisconnectReason reason) = 0;
  virtual Response take_response() = 0;  // recycled, empty
  // The request's frame (and so its batches) stays where it is, even when the connection ends,
  // until this.
  virtual void release_frame(RequestRef request) = 0;
};

// Callbacks of partition/host.h, seen from request/: every host is a Context.
inline Context& context_of(PartitionHost& host) { return static_cast<Context&>(host); }

}  // namespace ottla
