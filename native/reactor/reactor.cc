// See reactor.h. The loop and what requests borrow are here; sockets are in network.cc.
#include "reactor.h"

#include <algorithm>

#include "../partition/partition.h"
#include "../request/topics.h"
#include "../request/verdicts.h"
#include "conn_id.h"
#include "helpers.h"
#include "partitions.h"

namespace ottla {

namespace {

constexpr int kEventsPerTurn = 256;
constexpr size_t kScratchBytes = 64 * 1024;
constexpr size_t kMailboxMessages = 8192;
constexpr int64_t kRetryUs = 1000;  // facts wait for room
constexpr int64_t kStuckUs = 1000 * 1000;
constexpr int kRoundsPerTurn = 8;  // of end_turn, while watermarks move
constexpr size_t kResponsesKept = 256;
constexpr size_t kResponseBytesKept = 64 * 1024;
constexpr uint32_t kBlocksWarm = 8;

BufferPool::Options block_budget(const ReactorOptions& options) {
  BufferPool::Options budget;
  // Two of the largest frames always fit, so that one slow sender cannot stop another.
  budget.lent_bytes_max =
      std::max<size_t>(size_t{256} << 20, 4 * static_cast<size_t>(options.request_bytes_max));
  return budget;
}

RequestsOptions requests_options(const ReactorOptions& options, int reactor) {
  RequestsOptions mine;
  mine.node_id = options.node_id;
  mine.reactor = reactor;
  mine.reactors = options.reactors;
  mine.fetch_bytes_max = options.fetch_bytes_max;
  mine.fetch_sessions_max = (options.fetch_sessions_max + options.reactors - 1) / options.reactors;
  return mine;
}

}  // namespace

struct Reactor::Parts {
  explicit Parts(bool asks_verdicts) : verdicts(asks_verdicts) {}
  FetchPurgatory purgatory;
  TopicTable topics;
  VerdictTable verdicts;
};

Reactor::Reactor(int index, std::unique_ptr<Io> io, Shared* shared)
    : index_(index),
      io_(std::move(io)),
      shared_(shared),
      counter_cells_(shared->counter_row(index)),
      row_(counter_cells_, kCounterColumns),
      facts_(shared->options.ring, index, shared->bell, row_),
      blocks_(block_budget(shared->options)),
      transport_(shared->options.copies_files ? make_copy_transport() : make_plain_transport()),
      limbo_(&shared->quiescence),
      reader_(shared->quiescence.register_reader()),
      parts_(std::make_unique<Parts>(shared->options.asks_verdicts)),
      requests_(std::make_unique<Requests>(requests_options(shared->options, index))),
      partitions_(std::make_unique<OwnedPartitions>(this)),
      mailbox_(kMailboxMessages),
      signals_(SlotTable::kSlotsMax),
      events_(kEventsPerTurn),
      spinner_(shared->options.spin_us),
      scratch_(kScratchBytes) {
  now_us_ = io_->now_us();
  wall_ms_ = io_->wall_ms();
}

Reactor::~Reactor() {
  Command* command = commands_.exchange(nullptr);
  while (command != nullptr) {
    Command* next = command->next;
    delete command;
    command = next;
  }
  for (auto& listener : listeners_) io_->close_socket(listener->socket);
  shared_->quiescence.unregister_reader(reader_);
}

void Reactor::reclaim_all() {
  // Connections that were dealt to us in our last turn.
  while (read_mail()) {
  }
  limbo_.reclaim();
  shared_->files.drain(*io_);
}

void Reactor::leave() { shared_->quiescence.offline(reader_); }

FetchPurgatory& Reactor::purgatory() { return parts_->purgatory; }
TopicTable& Reactor::topics() { return parts_->topics; }
VerdictTable& Reactor::verdicts() { return parts_->verdicts; }

void Reactor::run() {
  if (has_connections()) blocks_.warm(Input::kBlockBytes, kBlocksWarm);
  while (!is_stopped_.load(std::memory_order_acquire)) turn(-1);
  leave();
}

void Reactor::stop() {
  is_stopped_.store(true, std::memory_order_release);
  io_->wake();
}

int64_t Reactor::wait_us(int64_t wait_us_max) {
  if (!resumable_.empty() || !dirty_.empty() || !touched_.empty() || has_mail()) return 0;
  int64_t wait = wait_us_max < 0 ? Timers::kNever : wait_us_max;
  if (has_backlog_) wait = std::min(wait, kRetryUs);
  const int64_t deadline = timers_.next_deadline_us();
  if (deadline != Timers::kNever) {
    wait = std::min(wait, std::max<int64_t>(deadline - io_->now_us(), 0));
  }
  return wait == Timers::kNever ? -1 : wait;
}

bool Reactor::turn(int64_t wait_us_max) {
  int64_t wait = wait_us(wait_us_max);
  if (wait != 0 && spinner_.looks_on(io_->now_us())) wait = 0;
  if (wait != 0) {
    doorbell_.arm();
    if (has_mail()) wait = 0;  // came before the bell was armed
  }
  shared_->quiescence.offline(reader_);
  const int count = io_->poll(events_.data(), kEventsPerTurn, wait);
  shared_->quiescence.online(reader_);
  doorbell_.disarm();

  now_us_ = io_->now_us();
  wall_ms_ = io_->wall_ms();
  row_.add(counter::kTurns, 1);
  bool happened = run_commands();
  if (read_mail()) happened = true;
  if (hear_signals()) happened = true;
  for (int i = 0; i < count; i += 1) {
    auto* pollable = static_cast<Pollable*>(events_[i].tag);
    if (pollable->is_listener) {
      accept_if_heard(static_cast<Listener*>(pollable));
    } else {
      static_cast<Conn*>(pollable)->on_event(*this, events_[i]);
    }
  }
  resume_connections();
  Timers::Run run;
  void* object;
  while (timers_.take_due(now_us_, &run, &object)) {
    run(object, *this);
    happened = true;
  }
  if (end_turn()) happened = true;
  if (!dirty_.empty()) happened = true;
  flush_connections();
  partitions_->reclaim();
  has_backlog_ = facts_.publish();  // after all that may tell something: no other turn may follow
  bury();
  if (phase_ != Phase::kServing) step_shutdown();
  limbo_.reclaim();
  measure();
  happened = happened || count > 0;
  if (happened) spinner_.found(now_us_);
  return happened;
}

bool Reactor::end_turn() {
  bool happened = false;
  bool is_more = true;
  for (int round = 0; is_more && round < kRoundsPerTurn; round += 1) {
    ending_.swap(touched_);
    std::sort(ending_.begin(), ending_.end(),
              [](const Partition* a, const Partition* b) { return a->slot() < b->slot(); });
    ending_.erase(std::unique(ending_.begin(), ending_.end()), ending_.end());
    for (Partition* partition : ending_) partition->end_turn(*this);
    happened = happened || !ending_.empty();
    ending_.clear();
    is_more = requests_->end_turn(*this);
    is_more = is_more || !touched_.empty();
  }
  return happened;
}

void Reactor::measure() {
  const int64_t took_us = io_->now_us() - now_us_;
  row_.raise(counter::kTurnMicrosecondsMax, static_cast<double>(took_us));
  if (took_us < shared_->options.stall_us) return;
  Fact stalled;
  stalled.kind = fact::kStalled;
  stalled.a = index_;
  stalled.b = static_cast<double>(took_us);
  facts_.push(stalled);
  has_backlog_ = facts_.publish();
}

void Reactor::close(int64_t grace_us, bool is_clean) {
  if (phase_ != Phase::kServing) {  // already closing: a shorter grace counts
    drained_by_us_ = std::min(drained_by_us_, now_us_ + grace_us);
    return;
  }
  phase_ = Phase::kDraining;
  is_clean_ = is_clean;
  drained_by_us_ = now_us_ + grace_us;
  unlisten(-1);
  drain_connections();
  start_timer(
      drained_by_us_, [](void*, PartitionHost&) {}, nullptr);  // only to be awake then
}

void Reactor::step_shutdown() {
  Shutdown& all = shared_->shutdown;
  if (phase_ == Phase::kDraining) {
    if (now_us_ >= drained_by_us_) close_connections(DisconnectReason::kShutdown);
    if (connections_open() > 0 || reading_ > 0) return;
    requests_->close(*this);
    phase_ = Phase::kDrained;
    if (has_connections()) meet(&all.drained, all.connected);
  }
  if (phase_ == Phase::kDrained && all.drained.load() == all.connected) {
    phase_ = Phase::kClosing;
    partitions_->close_all(is_clean_);
    partitions_->reclaim();
  }
  if (phase_ == Phase::kClosing && partitions_->is_empty()) {
    // Facts that wait for room are still heard, if somebody listens.
    has_backlog_ = facts_.publish();
    if (has_backlog_ && now_us_ < drained_by_us_) return;
    phase_ = Phase::kClosed;
    meet(&all.closed, all.reactors);
  }
}

void Reactor::meet(std::atomic<int>* count, int all) {
  if (count->fetch_add(1) + 1 < all) return;
  for (int other = 0; other < shared_->reactor_count(); other += 1) {
    shared_->submit(other, [](Reactor&) {});
  }
  if (count != &shared_->shutdown.closed) return;
  {
    std::lock_guard<std::mutex> lock(shared_->shutdown.lock);
    shared_->shutdown.wake.notify_all();
  }
  if (shared_->bell.ring != nullptr) shared_->bell.ring(shared_->bell.context);
}

void Reactor::submit(Command* command) {
  Command* head = commands_.load(std::memory_order_relaxed);
  do {
    command->next = head;
  } while (!commands_.compare_exchange_weak(head, command, std::memory_order_release,
                                            std::memory_order_relaxed));
  if (doorbell_.ring()) io_->wake();
}

bool Reactor::run_commands() {
  Command* newest = commands_.exchange(nullptr, std::memory_order_acquire);
  if (newest == nullptr) return false;
  Command* oldest = nullptr;  // the stack is last in, first out
  while (newest != nullptr) {
    Command* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != nullptr) {
    std::unique_ptr<Command> command(oldest);
    oldest = oldest->next;
    command->run(*this);
  }
  return true;
}

bool Reactor::mail(const Mail& mail) {
  if (!mailbox_.push(mail)) return false;
  if (doorbell_.ring()) io_->wake();
  return true;
}

bool Reactor::has_mail() const {
  return commands_.load(std::memory_order_acquire) != nullptr || !mailbox_.empty() ||
         !signals_.empty();
}

bool Reactor::read_mail() {
  // At most one boxful, so that senders that never stop do not keep us from the sockets.
  size_t count = 0;
  Mail mail;
  while (count < kMailboxMessages && mailbox_.pop(&mail)) {
    mail.run(mail.object, *this);
    count += 1;
  }
  return count > 0;
}

bool Reactor::hear_signals() {
  return signals_.take([this](size_t slot) { parts_->purgatory.wake(static_cast<int32_t>(slot)); });
}

void Reactor::signal(int reactor, int32_t slot) {
  Reactor& to = *shared_->reactors[static_cast<size_t>(reactor)];
  to.signals_.add(static_cast<size_t>(slot));
  if (to.doorbell_.ring()) to.io_->wake();
}

bool Reactor::post(int reactor, PartitionWork* work) {
  const Mail mail{[](void* object, Reactor& at) {
                    auto* arrived = static_cast<PartitionWork*>(object);
                    arrived->run(arrived, at);
                  },
                  work};
  if (shared_->reactors[static_cast<size_t>(reactor)]->mail(mail)) return true;
  row_.add(counter::kMailboxFull, 1);
  return false;
}

void Reactor::lend(DiskWork* work) {
  if (work->queue == DiskQueue::kRead) reading_ += 1;
  shared_->lend(index_, *io_, work);
}

void Reactor::returned(DiskWork* work) {
  if (work->queue == DiskQueue::kRead) reading_ -= 1;
  work->run(work, *this);
}

bool Reactor::is_stuck(int32_t disk) {
  return shared_->helpers(disk).readers().is_stuck_since(now_us_ - kStuckUs);
}

void Reactor::unlink_later(int32_t disk, std::vector<std::string> paths, int64_t delay_ms) {
  if (paths.empty()) return;
  unlinker_.add(disk, std::move(paths), now_us_ + delay_ms * 1000);
  if (delay_ms == 0) unlink_due();
}

void Reactor::directory_failed(const std::string& directory, int error) {
  if (!shared_->fail_directory(directory)) return;
  Fact failed;
  failed.kind = fact::kDirectoryFailed;
  failed.status = error;
  failed.body = directory.data();
  failed.body_bytes = static_cast<uint32_t>(directory.size());
  facts_.push(failed);
}

void Reactor::touch(Partition* partition) {
  if (touched_.empty() || touched_.back() != partition) touched_.push_back(partition);
}

Response Reactor::take_response() {
  if (responses_.empty()) return Response();
  Response response = std::move(responses_.back());
  responses_.pop_back();
  return response;
}

void Reactor::recycle(Response&& response) {
  Response spent = std::move(response);
  spent.clear();  // lets go of segments, whatever happens to the rest
  const size_t capacity = spent.memory().capacity();
  if (capacity == 0 || capacity > kResponseBytesKept) return;
  if (responses_.size() < kResponsesKept) responses_.push_back(std::move(spent));
}

void Reactor::respond(RequestRef request, Response&& response) {
  Conn* conn = find(request.conn);
  if (conn == nullptr) return recycle(std::move(response));
  conn->respond(*this, request.sequence, std::move(response));
}

void Reactor::no_response(RequestRef request) {
  if (Conn* conn = find(request.conn)) conn->no_response(*this, request.sequence);
}

void Reactor::close_connection(RequestRef request, DisconnectReason reason) {
  if (Conn* conn = find(request.conn)) conn->close_after(*this, request.sequence, reason);
}

void Reactor::release_frame(RequestRef request) {
  if (Conn* conn = find_any(request.conn)) conn->release_frame(*this, request.sequence);
}

void Reactor::done(double ticket, int32_t error, double a, double b, double c) {
  Fact fact;
  fact.kind = fact::kDone;
  fact.status = error;
  fact.ticket = ticket;
  fact.a = a;
  fact.b = b;
  fact.c = c;
  facts_.push(fact);
}

}  // namespace ottla
