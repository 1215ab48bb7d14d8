// Plane: the data plane as C++ sees it: the verbs of src/plane/plane.ts, without Node. addon.cc,
// tests, fuzzers and the simulator use this and nothing below it.
//
// Verbs are called by one thread, the control thread; they copy what they are given, post it to the
// reactor concerned and return. What comes of it arrives as facts in the rings. Nothing is global:
// many planes may live in one process, and a plane that is destroyed has no thread, descriptor or
// memory left.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "partition/partition.h"
#include "reactor/partitions.h"
#include "reactor/reactor.h"
#include "reactor/shared.h"
#include "request/topics.h"

namespace ottla {

class Plane {
 public:
  // Fails with the errno of io_uring where that is asked for and not to be had.
  // `bell` is rung from reactor threads when a ring stops being idle, and once when closed.
  static Status open(const ReactorOptions& options, Bell bell, std::unique_ptr<Plane>* plane);
  // On Ios of the caller's making, the helpers' for files only; without threads the caller gives
  // the turns (plane_sim.h).
  using MakeIo = std::function<std::unique_ptr<Io>()>;
  static Status open_with(const MakeIo& make_io, const MakeIo& make_helpers_io,
                          const ReactorOptions& options, Bell bell, bool has_threads,
                          std::unique_ptr<Plane>* plane);
  // Ends everything at once if close() was not called; waits for every thread.
  ~Plane();
  Plane(const Plane&) = delete;
  Plane& operator=(const Plane&) = delete;

  // --- process
  int reactors() const { return shared_->reactor_count(); }
  FactRing& ring(int reactor) { return reactors_[static_cast<size_t>(reactor)]->facts(); }
  // Drains, then closes: connections get `grace_ms` for what they are owed, then partitions.
  void close(int64_t grace_ms, bool is_clean);
  bool is_closed() const { return shared_->shutdown.is_closed(); }
  // After is_closed(), or at once: stops and joins every thread. Idempotent.
  void stop();

  // --- network
  Status listen(int32_t listener, const SocketAddress& at, bool serves_data, uint16_t* port);
  void unlisten(int32_t listener);
  uint64_t dial(const SocketAddress& to);
  void send(uint64_t conn, Bytes frame);
  void reply(uint64_t conn, uint32_t request, const Bytes* frame);  // null: none is owed
  void hangup(uint64_t conn);
  void mute(uint64_t conn, int64_t ms);
  void identify(uint64_t conn, int32_t principal);
  void limit(ConnectionLimits::Maxima maxima);

  // --- partitions. create: kExists when the slot is in use, kInvalid when the slot is none.
  Status create(PartitionOptions options, double ticket);
  void lead(int32_t slot, int32_t leader_epoch, int32_t partition_epoch,
            std::vector<int32_t> replicas, std::vector<int32_t> isr);
  void follow(int32_t slot, int32_t leader_epoch, int32_t leader_id);
  void isr(int32_t slot, int32_t leader_epoch, int32_t partition_epoch, std::vector<int32_t> isr);
  void configure(int32_t slot, const PartitionConfig& config);
  void trim(int32_t slot, int64_t log_start_offset, double ticket);
  void cleanable(int32_t slot, int64_t first_dirty_offset, int64_t min_lag_ms, double ticket);
  void clean(int32_t slot, const CleanRequest& request, int64_t bytes_per_second, double ticket);
  void retain(int32_t slot, int64_t retention_ms, int64_t retention_bytes, double ticket);
  void truncate(int32_t slot, int32_t leader_epoch, int64_t offset, double ticket);
  void retire(int32_t slot, bool is_deleted, double ticket);
  void copy(int32_t slot, int32_t source, int64_t bytes_max, double ticket);
  void fail_directory(const std::string& directory) { shared_->fail_directory(directory); }
  void limit_directory(const std::string& directory, int64_t client_bytes, bool is_short) {
    shared_->limit_directory(directory, client_bytes, is_short);
  }

  // --- log
  void append(int32_t slot, int32_t leader_epoch, Bytes batches, double ticket);
  void mark(int32_t slot, int32_t leader_epoch, Bytes batch, int32_t transaction_version,
            double ticket);
  void admit(int32_t slot, double ask, int32_t error);
  void flush(int32_t slot, double ticket);
  void set_high_watermark(int32_t slot, int32_t leader_epoch, int64_t high_watermark);
  void read(int32_t slot, int64_t offset, int64_t bytes_max, double ticket);
  void look_up(int32_t slot, int32_t kind, int64_t argument, double ticket);
  void producers(int32_t slot, double ticket);

  // --- policy
  void route(const TopicRoute& topic);
  void forget(int32_t topic_handle);
  void brokers(int32_t listener, const std::vector<BrokerEndpoint>& endpoints);
  void verdict(int32_t principal, int32_t topic_handle, int32_t operation, bool is_allowed);

  // --- tables
  std::shared_ptr<double> counters() const { return shared_->counters; }
  std::shared_ptr<double> partition_rows(int32_t chunk) const { return shared_->slots.rows(chunk); }
  Shared& shared() { return *shared_; }

  // --- without threads
  bool turn_each();  // one turn of each reactor; false: nothing happened
  int64_t next_deadline_us() const;
  void abandon();  // as if the process were killed: nothing is written, nothing is answered

 private:
  Plane() = default;
  int owner(int32_t slot) const { return shared_->owner(slot); }
  bool is_slot(int32_t slot) const { return slot >= 0 && slot < SlotTable::kSlotsMax; }
  void with(int32_t slot, OwnedPartitions::Verb verb);
  template <typename Body>
  void on_each_reactor(Body body);
  template <typename Body>
  void on_each_connected(Body body);
  template <typename Body>
  void on_conn(uint64_t conn, Body body);

  std::unique_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Reactor>> reactors_;
  std::vector<std::thread> threads_;
  uint64_t next_dial_ = 1;
  bool has_threads_ = true;
  bool is_stopped_ = false;
};

}  // namespace ottla
