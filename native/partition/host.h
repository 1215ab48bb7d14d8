// PartitionHost: what a reactor lends to the partitions it owns. The lower half of
// request/context.h, so that partition/ needs nothing from the layers above it (DESIGN §4).
//
// Everything here runs on the reactor's own thread. A callback gets the host it runs on, which is
// not always the one that started it: work posted to another reactor runs with that reactor's host.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../io/io.h"

namespace ottla {

class FetchPurgatory;
class Partition;
class PartitionHost;

// Work sent to the reactor that owns a partition, and back. The sender owns the object until it
// returns.
struct PartitionWork {
  void (*run)(PartitionWork* work, PartitionHost& host) = nullptr;  // on the receiving reactor
  int32_t slot = -1;
  int32_t home = -1;  // reactor to return to
  PartitionWork* next = nullptr;
};

// Each has helpers of its own: what somebody waits for does not queue behind what nobody does, and
// neither behind gigabytes that are read, minutes that a log is cleaned, or what takes a processor
// and no disk.
enum class DiskQueue : uint8_t { kIdleSync, kAwaitedSync, kRead, kClean, kRecode, kClose };

// Work that waits for a disk: `help` runs on a thread that may wait, with that thread's Io, then
// `run` on the reactor that lent it, in a later turn. The lender keeps the object alive until then.
struct DiskWork : PartitionWork {
  void (*help)(DiskWork* work, Io& io) = nullptr;
  DiskQueue queue = DiskQueue::kIdleSync;
  int32_t disk = 0;  // the log directory's, PartitionOptions::disk
  Status status;     // of help(); bad also when what it wrote could not be synced
};

// A fact for TypeScript; fields as gen/layout.h says for its kind.
struct Fact {
  uint16_t kind = 0;
  int32_t status = 0;
  int32_t slot = -1;
  int32_t epoch = 0;
  double ticket = 0;
  double a = 0;
  double b = 0;
  double c = 0;
  const void* body = nullptr;
  uint32_t body_bytes = 0;
};

class PartitionHost {
 public:
  virtual ~PartitionHost() = default;

  virtual Io& io() = 0;
  virtual int reactor() const = 0;
  virtual int64_t now_us() const = 0;   // of this turn
  virtual int64_t wall_ms() const = 0;  // of this turn
  virtual double* counters() = 0;       // this reactor's row (gen/layout.h)

  // This reactor's waiting fetches (partition/purgatory.h).
  virtual FetchPurgatory& purgatory() = 0;
  // To another reactor. False: its mailbox is full; the caller keeps the work and tries next turn.
  virtual bool post(int reactor, PartitionWork* work) = 0;
  // Another reactor's fetches look at this slot again: purgatory().wake(slot) there. Never fails,
  // and says no more than that: signals for one slot become one.
  virtual void signal(int reactor, int32_t slot) = 0;
  virtual void lend(DiskWork* work) = 0;
  // A read of that disk is under way for so long that no other should wait for it.
  virtual bool is_stuck(int32_t disk) = 0;
  // Files and directories that nobody will ask for again: a helper gives them back to the disk
  // after so long. What is not given back when the process ends, the next start removes.
  virtual void unlink_later(int32_t disk, std::vector<std::string> paths, int64_t delay_ms) = 0;
  // Runs partition->end_turn(host) once, after all requests of this turn were admitted.
  virtual void touch(Partition* partition) = 0;
  // One timer per waiting object: fires `run` at its deadline unless cancelled. Ids are
  // generation-coded.
  virtual uint64_t start_timer(int64_t deadline_us, void (*run)(void* object, PartitionHost& host),
                               void* object) = 0;
  virtual void cancel_timer(uint64_t timer) = 0;
  // A log directory failed: all its partitions go offline, in every reactor, and TypeScript is told
  // once. `error` is errno.
  virtual void directory_failed(const std::string& directory, int error) = 0;
  // What partitions and requests tell TypeScript.
  virtual void fact(const Fact& fact) = 0;
};

}  // namespace ottla
