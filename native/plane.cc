// See plane.h.
#include "plane.h"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "gen/errors.h"
#include "io/epoll.h"
#include "io/thread.h"
#include "io/uring.h"
#include "reactor/conn_id.h"
#include "reactor/partitions.h"
#include "reactor/worker_pool.h"

namespace ottla {

namespace {

constexpr int32_t kUnknownPartition =
    static_cast<int32_t>(gen::ErrorCode::kUnknownTopicOrPartition);

constexpr int kTurnsToClose = 1000;
constexpr int kRecodersMax = 4;

// A copy that has room for the length that Response::finish() adds.
std::vector<uint8_t> copied(Bytes frame) {
  std::vector<uint8_t> bytes;
  bytes.reserve(frame.size() + 4);
  bytes.assign(frame.begin(), frame.end());
  return bytes;
}

// A partition's verb with a `done`: `body(partition, a, b, c)` returns the error.
template <typename Body>
OwnedPartitions::Verb answered(Reactor& reactor, double ticket, Body body) {
  return [&reactor, ticket, body](Partition* partition) {
    int64_t a = -1, b = -1, c = -1;
    const int32_t error = partition == nullptr ? kUnknownPartition
                                               : static_cast<int32_t>(body(*partition, &a, &b, &c));
    reactor.done(ticket, error, static_cast<double>(a), static_cast<double>(b),
                 static_cast<double>(c));
  };
}

}  // namespace

Status Plane::open(const ReactorOptions& options, Bell bell, std::unique_ptr<Plane>* plane) {
  UringOptions io;
  io.is_volatile = options.is_volatile;
  const MakeIo by_epoll = [io] { return make_epoll_io(io); };
  if (!options.uses_io_uring) return open_with(by_epoll, by_epoll, options, bell, true, plane);
  OTTLA_TRY(probe_uring());
  const MakeIo by_uring = [io] {
    std::unique_ptr<Io> made;
    return make_uring_io(io, &made).ok() ? std::move(made) : nullptr;
  };
  return open_with(by_uring, by_epoll, options, bell, true, plane);
}

Status Plane::open_with(const MakeIo& make_io, const MakeIo& make_helpers_io,
                        const ReactorOptions& options, Bell bell, bool has_threads,
                        std::unique_ptr<Plane>* plane) {
  OTTLA_ASSERT(options.reactors >= 1 && options.reactors <= kReactorsMax, "a number of reactors");
  std::unique_ptr<Plane> opened(new Plane);
  opened->has_threads_ = has_threads;
  opened->shared_ = std::make_unique<Shared>(options);
  Shared* shared = opened->shared_.get();
  shared->bell = bell;
  shared->make_io = make_helpers_io;
  const int recoders = options.recovery_threads > 0 ? std::min(options.reactors, kRecodersMax) : 0;
  shared->recoders =
      std::make_unique<WorkerPool>(recoders, make_helpers_io, WorkerPool::Pace::kPrompt);
  for (int index = 0; index < shared->reactor_count(); index += 1) {
    std::unique_ptr<Io> io = make_io();
    if (io == nullptr) {
      opened->is_stopped_ = true;
      return Status::fail(Code::kBusy, "descriptors", EMFILE);
    }
    opened->reactors_.push_back(std::make_unique<Reactor>(index, std::move(io), shared));
    shared->reactors.push_back(opened->reactors_.back().get());
  }
  for (auto& reactor : opened->reactors_) {
    if (!has_threads) break;
    opened->threads_.emplace_back([running = reactor.get()] {
      name_thread("reactor");
      ask_for_short_slices();
      running->run();
    });
  }
  *plane = std::move(opened);
  return Status::good();
}

Plane::~Plane() { stop(); }

void Plane::close(int64_t grace_ms, bool is_clean) {
  on_each_reactor(
      [grace_ms, is_clean](Reactor& reactor) { reactor.close(grace_ms * 1000, is_clean); });
}

void Plane::stop() {
  if (std::exchange(is_stopped_, true)) return;
  close(0, false);  // nothing, when it has begun
  if (has_threads_) {
    std::unique_lock<std::mutex> lock(shared_->shutdown.lock);
    shared_->shutdown.wake.wait(lock, [this] { return is_closed(); });
  } else {
    for (int turns = 0; turns < kTurnsToClose && !is_closed(); turns += 1) turn_each();
  }
  if (!reactors_.empty()) shared_->stop_helpers(reactors_[0]->io());
  for (auto& reactor : reactors_) reactor->stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  for (auto& reactor : reactors_) reactor->leave();
  for (auto& reactor : reactors_) reactor->reclaim_all();
}

// --- without threads

bool Plane::turn_each() {
  bool happened = false;
  for (auto& reactor : reactors_) {
    if (reactor->turn(0)) happened = true;
  }
  return happened;
}

int64_t Plane::next_deadline_us() const {
  int64_t next = Timers::kNever;
  for (const auto& reactor : reactors_) next = std::min(next, reactor->next_deadline_us());
  return next;
}

void Plane::abandon() {
  // Every call of a dead world fails, so this writes nothing, however it ends.
  stop();
}

// --- network

Status Plane::listen(int32_t listener, const SocketAddress& at, bool serves_data, uint16_t* port) {
  if (!has_threads_) return reactors_[0]->listen(listener, at, serves_data, port);
  // The only verb that waits: binding answers at once, and the caller needs the port.
  std::mutex lock;
  std::condition_variable wake;
  bool is_done = false;
  Status status;
  shared_->submit(0, [&](Reactor& reactor) {
    const Status bound = reactor.listen(listener, at, serves_data, port);
    std::lock_guard<std::mutex> guard(lock);
    status = bound;
    is_done = true;
    wake.notify_one();
  });
  std::unique_lock<std::mutex> guard(lock);
  wake.wait(guard, [&] { return is_done; });
  return status;
}

void Plane::unlisten(int32_t listener) {
  shared_->submit(0, [listener](Reactor& reactor) { reactor.unlisten(listener); });
}

uint64_t Plane::dial(const SocketAddress& to) {
  const uint64_t counter = next_dial_++;
  const int reactor = static_cast<int>(counter % static_cast<uint64_t>(shared_->options.reactors));
  const uint64_t id = dialled_id(reactor, counter);
  shared_->submit(reactor, [id, to](Reactor& at) { at.dial(id, to); });
  return id;
}

template <typename Body>
void Plane::on_conn(uint64_t conn, Body body) {
  const int reactor = reactor_of(conn);
  if (reactor >= reactors()) return;
  shared_->submit(reactor, [conn, body = std::move(body)](Reactor& at) mutable {
    Conn* found = at.find(conn);
    if (found != nullptr) body(at, *found);
  });
}

template <typename Body>
void Plane::on_each_reactor(Body body) {
  for (int reactor = 0; reactor < reactors(); reactor += 1) shared_->submit(reactor, body);
}

// What requests go by is where connections are.
template <typename Body>
void Plane::on_each_connected(Body body) {
  for (int reactor = 0; reactor < shared_->options.reactors; reactor += 1) {
    shared_->submit(reactor, body);
  }
}

void Plane::send(uint64_t conn, Bytes frame) {
  on_conn(conn, [bytes = copied(frame)](Reactor& at, Conn& found) mutable {
    found.send(at, std::move(bytes));
  });
}

void Plane::reply(uint64_t conn, uint32_t request, const Bytes* frame) {
  std::vector<uint8_t> bytes;
  if (frame != nullptr) bytes = copied(*frame);
  on_conn(conn, [request, bytes = std::move(bytes)](Reactor& at, Conn& found) mutable {
    found.reply(at, request, std::move(bytes));
  });
}

void Plane::hangup(uint64_t conn) {
  on_conn(conn, [](Reactor& at, Conn& found) { found.hangup(at, DisconnectReason::kAsked); });
}

void Plane::mute(uint64_t conn, int64_t ms) {
  on_conn(conn, [ms](Reactor& at, Conn& found) { found.mute(at, at.now_us() + ms * 1000); });
}

void Plane::identify(uint64_t conn, int32_t principal) {
  on_conn(conn, [principal](Reactor&, Conn& found) { found.identify(principal); });
}

void Plane::limit(ConnectionLimits::Maxima maxima) { shared_->limits.set(std::move(maxima)); }

// --- partitions

Status Plane::create(PartitionOptions options, double ticket) {
  const int32_t slot = options.slot;
  if (!is_slot(slot)) return Status::fail(Code::kInvalid, "slot");
  SlotTable& slots = shared_->slots;
  slots.reach(slot);
  if (slots.is_used(slot)) return Status::fail(Code::kExists, "slot");
  slots.set_used(slot, true);
  options.node_id = shared_->options.node_id;
  options.disk = shared_->disk_of(options.log_directory);
  options.owner = shared_->owner_on(options.disk, slot);
  slots.set_owner(slot, options.owner);
  options.reactors = reactors();
  options.open_compressed = shared_->options.validates_fully;
  options.producer_expiration_ms = shared_->options.producer_id_expiration_ms;
  options.producer_expiration_check_ms = shared_->options.producer_id_expiration_check_ms;
  options.quiescence = &shared_->quiescence;
  options.files = &shared_->files;
  options.preallocation_budget = shared_->preallocation_budget(options.log_directory);
  options.recoding_budget = &shared_->recoding_budget;
  options.room = shared_->room(options.log_directory);
  options.row = slots.row(slot);
  shared_->submit(owner(slot), [options = std::move(options), ticket](Reactor& at) mutable {
    at.partitions().create(std::move(options), ticket);
  });
  return Status::good();
}

void Plane::with(int32_t slot, OwnedPartitions::Verb verb) {
  shared_->submit(owner(slot), [slot, verb = std::move(verb)](Reactor& at) mutable {
    at.partitions().with(slot, std::move(verb));
  });
}

void Plane::lead(int32_t slot, int32_t leader_epoch, int32_t partition_epoch,
                 std::vector<int32_t> replicas, std::vector<int32_t> isr) {
  Reactor& at = *reactors_[static_cast<size_t>(owner(slot))];
  with(slot, [&at, leader_epoch, partition_epoch, replicas = std::move(replicas),
              isr = std::move(isr)](Partition* partition) {
    if (partition == nullptr) return at.row().add(counter::kStaleCommands, 1);
    partition->lead(at, leader_epoch, partition_epoch, replicas.data(),
                    static_cast<int>(replicas.size()), isr.data(), static_cast<int>(isr.size()));
  });
}

void Plane::follow(int32_t slot, int32_t leader_epoch, int32_t leader_id) {
  Reactor& at = *reactors_[static_cast<size_t>(owner(slot))];
  with(slot, [&at, leader_epoch, leader_id](Partition* partition) {
    if (partition == nullptr) return at.row().add(counter::kStaleCommands, 1);
    partition->follow(at, leader_epoch, leader_id);
  });
}

void Plane::isr(int32_t slot, int32_t leader_epoch, int32_t partition_epoch,
                std::vector<int32_t> isr) {
  Reactor& at = *reactors_[static_cast<size_t>(owner(slot))];
  with(slot, [&at, leader_epoch, partition_epoch, isr = std::move(isr)](Partition* partition) {
    if (partition == nullptr) return at.row().add(counter::kStaleCommands, 1);
    partition->isr(at, leader_epoch, partition_epoch, isr.data(), static_cast<int>(isr.size()));
  });
}

void Plane::configure(int32_t slot, const PartitionConfig& config) {
  Reactor& at = *reactors_[static_cast<size_t>(owner(slot))];
  with(slot, [&at, config](Partition* partition) {
    if (partition == nullptr) return at.row().add(counter::kStaleCommands, 1);
    partition->configure(at, config);
  });
}

void Plane::trim(int32_t slot, int64_t log_start_offset, double ticket) {
  Reactor& at = *reactors_[static_cast<size_t>(owner(slot))];
  with(slot,
       answered(at, ticket,
                [&at, log_start_offset](Partition& partition, int64_t* a, int64_t*, int64_t*) {
                  const auto error = partition.trim(at, log_start_offset);
                  *a = partition.log_start_offset();
                  return error;
                }));
}

void Plane::cleanable(int32_t slot, int64_t first_dirty_offset, int64_t min_lag_ms, double ticket) {
  Reactor& at = *reactors_[static_cast<size_t>(owner(slot))];
  with(slot, [&at, first_dirty_offset, min_lag_ms, ticket](Partition* partition) {
    Fact fact;
    fact.kind = fact::kData;
    fact.status = kUnknownPartition;
    fact.ticket = ticket;
    double numbers[5] = {};
    if (partition != nullptr) {
      const Cleanable found = partition->cleanable(at, first_dirty_offset, min_lag_ms);
      fact.status = 0;
      numbers[0] = static_cast<double>(found.first_dirty_offset);
      numbers[1] = static_cast<double>(found.first_uncleanable_offset);
      numbers[2] = static_cast<double>(found.clean_bytes);
      numbers[3] = static_cast<double>(found.cleanable_bytes);
      numbers[4] = static_cast<double>(found.earliest_dirty_timestamp);
      fact.body = numbers;
      fact.body_bytes = sizeof numbers;
    }
    at.fact(fact);
  });
}

void Plane::clean(int32_t slot, const CleanRequest& request, int64_t bytes_per_second,
                  double ticket) {
  shared_->submit(owner(slot), [slot, request, bytes_per_second, ticket](Reactor& at) {
    at.partitions().clean(slot, request, bytes_per_second, ticket);
  });
}

void Plane::copy(int32_t slot, int32_t source, int64_t bytes_max, double ticket) {
  shared_->submit(owner(slot), [slot, source, bytes_max, ticket](Reactor& at) {
    at.partitions().copy(slot, source, bytes_max, ticket);
  });
}

void Plane::retain(int32_t slot, int64_t retention_ms, int64_t retention_bytes, double ticket) {
  Reactor& at = *reactors_[static_cast<size_t>(owner(slot))];
  with(slot, answered(at, ticket,
                      [&at, retention_ms, retention_bytes](Partition& partition, int64_t* a,
                                                           int64_t* b, int64_t* c) {
                        Retained retained;
                        const auto error =
                            partition.retain(at, retention_ms, retention_bytes, &retained);
                        *a = partition.log_start_offset();
                        *b = retained.segments;
                        *c = retained.is_more ? 1 : 0;
                        return error;
                      }));
}

void Plane::truncate(int32_t slot, int32_t leader_epoch, int64_t offset, double ticket) {
  Reactor& at = *reactors_[static_cast<size_t>(owner(slot))];
  with(slot,
       answered(at, ticket,
                [&at, leader_epoch, offset](Partition& partition, int64_t* a, int64_t*, int64_t*) {
                  const auto error = partition.truncate(at, leader_epoch, offset);
                  *a = partition.log_end_offset();
                  return error;
                }));
}

void Plane::retire(int32_t slot, bool is_deleted, double ticket) {
  shared_->submit(owner(slot), [slot, is_deleted, ticket](Reactor& at) {
    at.partitions().retire(slot, is_deleted, ticket);
  });
}

// --- log

void Plane::append(int32_t slot, int32_t leader_epoch, Bytes batches, double ticket) {
  std::vector<uint8_t> bytes(batches.begin(), batches.end());
  shared_->submit(owner(slot),
                  [slot, leader_epoch, bytes = std::move(bytes), ticket](Reactor& at) mutable {
                    at.partitions().append(slot, leader_epoch, std::move(bytes), ticket);
                  });
}

void Plane::mark(int32_t slot, int32_t leader_epoch, Bytes batch, int32_t transaction_version,
                 double ticket) {
  std::vector<uint8_t> bytes(batch.begin(), batch.end());
  shared_->submit(owner(slot), [slot, leader_epoch, bytes = std::move(bytes), transaction_version,
                                ticket](Reactor& at) mutable {
    at.partitions().mark(slot, leader_epoch, std::move(bytes), transaction_version, ticket);
  });
}

void Plane::admit(int32_t slot, double ask, int32_t error) {
  Reactor& at = *reactors_[static_cast<size_t>(owner(slot))];
  with(slot, [&at, ask, error](Partition* partition) {
    if (partition == nullptr) return at.row().add(counter::kStaleCommands, 1);
    partition->admit(ask, static_cast<gen::ErrorCode>(error), at);
  });
}

void Plane::flush(int32_t slot, double ticket) {
  shared_->submit(owner(slot),
                  [slot, ticket](Reactor& at) { at.partitions().flush(slot, ticket); });
}

void Plane::set_high_watermark(int32_t slot, int32_t leader_epoch, int64_t high_watermark) {
  Reactor& at = *reactors_[static_cast<size_t>(owner(slot))];
  with(slot, [&at, leader_epoch, high_watermark](Partition* partition) {
    if (partition == nullptr) return at.row().add(counter::kStaleCommands, 1);
    partition->set_high_watermark(at, leader_epoch, high_watermark);
  });
}

void Plane::read(int32_t slot, int64_t offset, int64_t bytes_max, double ticket) {
  shared_->submit(owner(slot), [slot, offset, bytes_max, ticket](Reactor& at) {
    at.partitions().read(slot, offset, bytes_max, ticket);
  });
}

void Plane::look_up(int32_t slot, int32_t kind, int64_t argument, double ticket) {
  Reactor& at = *reactors_[static_cast<size_t>(owner(slot))];
  with(slot,
       answered(at, ticket,
                [&at, kind, argument](Partition& partition, int64_t* a, int64_t* b, int64_t* c) {
                  return partition.look_up(at, kind, argument, a, b, c);
                }));
}

void Plane::producers(int32_t slot, double ticket) {
  Reactor& at = *reactors_[static_cast<size_t>(owner(slot))];
  with(slot, [&at, ticket](Partition* partition) {
    std::vector<uint8_t> rows;
    if (partition != nullptr) partition->dump_producers(&rows);
    Fact fact;
    fact.kind = fact::kData;
    fact.status = partition == nullptr ? kUnknownPartition : 0;
    fact.ticket = ticket;
    fact.body = rows.data();
    fact.body_bytes = static_cast<uint32_t>(rows.size());
    at.fact(fact);
  });
}

// --- policy

void Plane::route(const TopicRoute& topic) {
  on_each_connected([topic](Reactor& at) { at.requests().route(at, topic); });
}

void Plane::forget(int32_t topic_handle) {
  on_each_connected([topic_handle](Reactor& at) { at.requests().forget(at, topic_handle); });
}

void Plane::brokers(int32_t listener, const std::vector<BrokerEndpoint>& endpoints) {
  on_each_connected(
      [listener, endpoints](Reactor& at) { at.topics().brokers(listener, endpoints); });
}

void Plane::verdict(int32_t principal, int32_t topic_handle, int32_t operation, bool is_allowed) {
  on_each_connected([principal, topic_handle, operation, is_allowed](Reactor& at) {
    at.requests().verdict(at, principal, topic_handle, operation, is_allowed);
  });
}

}  // namespace ottla
