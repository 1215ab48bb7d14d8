// Shared: what the reactors of one plane have in common. No reactor owns it, none may outlive it.
// Everything in it is either constant after start, atomic, or behind a lock that no hot path takes.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "../base/counters.h"
#include "../base/quiescence.h"
#include "../gen/layout.h"
#include "../io/io.h"
#include "../log/file_cache.h"
#include "facts.h"
#include "shutdown.h"

namespace ottla {

class Partition;
class Reactor;
struct DirectoryRoom;
class Helpers;
class WorkerPool;
struct DiskWork;

struct ReactorOptions {
  int reactors = 1;  // that have connections
  // Log directories. Where there are several, each has a reactor of its own that writes what is in
  // it, so that one that hangs holds up no other and no connection.
  int directories = 1;
  int32_t node_id = 0;
  int64_t request_bytes_max = 100 << 20;
  int64_t connections_max = INT32_MAX;
  int64_t connections_per_ip_max = INT32_MAX;
  int64_t connections_max_idle_us = 600LL * 1000 * 1000;
  int32_t fetch_bytes_max = 55 << 20;
  int32_t fetch_sessions_max = 1000;
  std::string congestion_control;
  int socket_send_bytes = -1;
  int socket_receive_bytes = -1;
  bool validates_fully = false;  // compressed batches are opened
  int64_t producer_id_expiration_ms = 86400 * 1000;
  int64_t producer_id_expiration_check_ms = 60 * 1000;
  int64_t flush_check_ms = 0;  // how often flush.ms is looked at; 0: with the rest of the upkeep
  int recovery_threads = 2;    // 0: partitions open and sync on their reactor (simulation)
  size_t files_open_max = 4096;
  Handle descriptors_scarce_from = INT_MAX;            // file_cache.h
  int64_t preallocation_bytes_max = int64_t{1} << 30;  // ahead of the data, per log directory
  bool asks_verdicts = false;
  bool is_volatile = false;    // the files need not outlive the process: nothing is synced
  bool copies_files = false;   // transport
  bool uses_io_uring = false;  // for sockets; epoll otherwise
  int64_t spin_us = 0;         // spinner.h; real threads only: simulated time stands still
  FactRing::Options ring;
  int64_t stall_us = 100 * 1000;  // a turn as long as this is told
};

// Something for another reactor; a plain value.
struct Mail {
  void (*run)(void* object, Reactor& reactor) = nullptr;
  void* object = nullptr;
};

// Which partition is at a slot. Written by the owner, read by every reactor; rows are memory that
// TypeScript reads too. Chunks appear as slots are first used and stay.
class SlotTable {
 public:
  static constexpr int32_t kChunksMax = 1024;
  static constexpr int32_t kSlotsMax = kChunksMax * kPartitionRowsPerChunk;

  ~SlotTable();
  // Control thread, before the slot's first command.
  void reach(int32_t slot);
  bool is_reached(int32_t slot) const { return chunk_of(slot) != nullptr; }
  Partition* find(int32_t slot) const;
  void set(int32_t slot, Partition* partition);
  double* row(int32_t slot) const;
  void clear_row(int32_t slot);
  // A slot is used from `create` until its `retire` is done. Set by the control thread, cleared by
  // the owner.
  bool is_used(int32_t slot) const;
  void set_used(int32_t slot, bool is_used);
  // The reactor that writes it, from `create` on; -1: nobody was named yet.
  int owner(int32_t slot) const;
  void set_owner(int32_t slot, int reactor);
  std::shared_ptr<double> rows(int32_t chunk) const;  // null: not used yet

 private:
  struct Chunk {
    std::atomic<Partition*> partitions[kPartitionRowsPerChunk] = {};
    std::atomic<bool> is_used[kPartitionRowsPerChunk] = {};
    std::atomic<int8_t> owners[kPartitionRowsPerChunk] = {};  // and one: 0 is nobody
    std::shared_ptr<double> rows;
  };
  Chunk* chunk_of(int32_t slot) const {
    return slot < 0 || slot >= kSlotsMax
               ? nullptr
               : chunks_[slot / kPartitionRowsPerChunk].load(std::memory_order_acquire);
  }
  std::atomic<Chunk*> chunks_[kChunksMax] = {};
};

// max.connections and max.connections.per.ip, with its overrides, over all reactors.
// Kafka: ConnectionQuotas.
class ConnectionLimits {
 public:
  struct Maxima {
    int64_t total = INT32_MAX;
    int64_t per_address = INT32_MAX;
    std::unordered_map<std::string, int64_t> by_address;  // instead of per_address
  };
  // From now on; who was admitted stays.
  void set(Maxima maxima);
  bool admit(const std::string& host);
  void leave(const std::string& host);

 private:
  std::mutex lock_;
  Maxima maxima_;
  int64_t total_ = 0;
  std::unordered_map<std::string, int64_t> by_host_;
};

// A verb on its way from the control thread (or a recovery thread) to a reactor.
struct Command {
  virtual ~Command() = default;
  virtual void run(Reactor& reactor) = 0;
  Command* next = nullptr;
};

struct Shared {
  explicit Shared(const ReactorOptions& with);
  ~Shared();

  // Runs `body(Reactor&)` on that reactor; any thread, in order per sender.
  template <typename Body>
  void submit(int reactor, Body body) {
    struct Call final : Command {
      explicit Call(Body&& with) : body(std::move(with)) {}
      void run(Reactor& at) override { body(at); }
      Body body;
    };
    submit_command(reactor, new Call(std::move(body)));
  }
  void submit_command(int reactor, Command* command);
  // Host's lend() of that reactor, whose Io is used when there are no threads.
  void lend(int reactor, Io& io, DiskWork* work);
  // The number of a log directory, which has helpers of its own from then on; any thread.
  int32_t disk_of(const std::string& directory);
  Helpers& helpers(int32_t disk);
  // Jobs that run are finished, those that wait are dropped; `io` closes what they had open.
  void stop_helpers(Io& io);
  // From now on its partitions are offline; any thread. False: that was known.
  bool fail_directory(const std::string& directory);
  bool has_failed(const std::string& directory);
  // What may still be allocated ahead in a log directory, and what its partitions may still take;
  // both live as long as the plane.
  std::atomic<int64_t>* preallocation_budget(const std::string& directory);
  DirectoryRoom* room(const std::string& directory);
  // plane.ts DirectoryLimits; client_bytes -1 is no limit. Any thread.
  void limit_directory(const std::string& directory, int64_t client_bytes, bool is_short);

  // All of them: those with connections come first, then those of directories.
  int reactor_count() const { return options.reactors + storage_reactors; }
  int owner(int32_t slot) const {
    const int owner = slots.owner(slot);
    return owner >= 0 ? owner : std::max(slot, 0) % options.reactors;
  }
  // Who is to write a partition on that disk.
  int owner_on(int32_t disk, int32_t slot) const {
    if (storage_reactors == 0) return slot % options.reactors;
    return options.reactors + disk % storage_reactors;
  }
  double* counter_row(int reactor) const { return counters.get() + reactor * kCounterColumns; }

  const ReactorOptions options;
  const int storage_reactors;
  Bell bell;
  Quiescence quiescence;
  SlotTable slots;
  ConnectionLimits limits;
  std::shared_ptr<double> counters;  // kCounterColumns per reactor
  std::vector<Reactor*> reactors;    // constant after start
  FileCache files;
  Shutdown shutdown;
  std::function<std::unique_ptr<Io>()> make_io;  // for helpers
  std::unique_ptr<WorkerPool> recoders;          // recompression
  std::atomic<int64_t> recoding_budget;          // kRecodingBudget, less what is taken

 private:
  std::mutex lock_;
  std::unordered_map<std::string, int32_t> disks_;
  std::vector<std::unique_ptr<Helpers>> helpers_;  // by disk
  std::unordered_map<std::string, std::unique_ptr<std::atomic<int64_t>>> budgets_;
  std::unordered_map<std::string, std::unique_ptr<DirectoryRoom>> rooms_;
  std::unordered_set<std::string> failed_directories_;
};

}  // namespace ottla
