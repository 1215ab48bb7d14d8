// Context: what a reactor lends to the requests it runs. Implemented once, by reactor/reactor.h; tests may
// implement it with nothing but vectors. Everything here runs on the reactor's own thread.
//
// A Produce for a partition of another reactor is posted to its owner (PartitionWork) and comes back the same way;
// a Fetch reads any partition directly, and asks the owner for a wake-up through Partition's interest mask.
#pragma once

#include <cstdint>

#include "../io/io.h"
#include "response.h"

namespace ottla {

class Partition;
class TopicTable;
class VerdictTable;

// A request in flight on a connection: responses leave in request order whatever order they are ready in.
struct RequestRef {
  uint64_t conn = 0;      // reactor, index, generation; dead connections are simply not found
  uint32_t sequence = 0;  // position in the connection's pipeline
};

enum class DisconnectReason : int32_t;  // gen/layout.h

// Work sent to the reactor that owns a partition, and back. The sender owns the object until it returns.
struct PartitionWork {
  void (*run)(PartitionWork* work, class Context& context) = nullptr;  // on the receiving reactor
  int32_t slot = -1;
  int32_t home = -1;  // reactor to return to
  PartitionWork* next = nullptr;
};

class Context {
 public:
  virtual ~Context() = default;

  virtual Io& io() = 0;
  virtual int reactor() const = 0;
  virtual int64_t now_us() const = 0;   // of this turn
  virtual int64_t wall_ms() const = 0;  // of this turn
  virtual double* counters() = 0;       // this reactor's row (gen/layout.h)

  virtual TopicTable& topics() = 0;      // this reactor's own copy
  virtual VerdictTable& verdicts() = 0;  // likewise
  virtual Partition* partition(int32_t slot) = 0;  // any reactor's; valid until the end of the turn
  virtual int owner(int32_t slot) const = 0;

  // Hands over a complete response; the connection sends it in its place.
  virtual void respond(RequestRef request, Response&& response) = 0;
  virtual void no_response(RequestRef request) = 0;  // acks=0
  virtual void close_connection(RequestRef request, DisconnectReason reason) = 0;
  virtual Response take_response() = 0;  // recycled, empty
  // The request's frame (and so its batches) stays in the connection's buffer until release().
  virtual void release_frame(RequestRef request) = 0;

  // To another reactor. False: its mailbox is full; the caller keeps the work and tries next turn.
  virtual bool post(int reactor, PartitionWork* work) = 0;
  // Runs partition->end_turn() after all requests of this turn were admitted.
  virtual void touch(Partition* partition) = 0;
  // One timer per waiting object: fires `run` at deadline unless cancelled. Ids are generation-coded.
  virtual uint64_t start_timer(int64_t deadline_us, void (*run)(void* object, Context&),
                               void* object) = 0;
  virtual void cancel_timer(uint64_t timer) = 0;
  // Facts for TypeScript that requests and partitions raise.
  virtual void fact(uint16_t kind, int32_t status, int32_t slot, int32_t epoch, double ticket,
                    double a, double b, double c, const void* body, uint32_t body_bytes) = 0;
};

}  // namespace ottla
