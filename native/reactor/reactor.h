// Reactor: one thread, its sockets and the partitions it owns. Lends itself to the requests it runs
// as their Context (request/context.h).
//
// One turn: poll → commands and mail → sockets (frames start their requests) → timers → end_turn of
// touched partitions → requests' end_turn → responses leave → facts are published → quiesce. Only
// the poll sleeps, and under load it does not at once (spinner.h). Nothing here takes a lock but
// accepting and closing (connection limits).
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "../base/counters.h"
#include "../base/quiescence.h"
#include "../base/ring.h"
#include "../base/signal_set.h"
#include "../base/tail_pool.h"
#include "../request/context.h"
#include "../request/requests.h"
#include "conn.h"
#include "facts.h"
#include "shared.h"
#include "spinner.h"
#include "timers.h"
#include "transport.h"
#include "unlinker.h"

namespace ottla {

class OwnedPartitions;

class Reactor final : public Context {
 public:
  // `world`, `shared` outlive it. `io` is this reactor's own.
  Reactor(int index, std::unique_ptr<Io> io, Shared* shared);
  ~Reactor() override;

  void run();                      // until stop(); the thread's body
  bool turn(int64_t wait_us_max);  // one turn; false: nothing happened
  void stop();                     // any thread
  int64_t next_deadline_us() const { return timers_.next_deadline_us(); }
  void leave();        // its thread is over: reads nothing any more
  void reclaim_all();  // after every reactor has left

  // Any thread; in order per sender. The queue has no limit of its own: a command answers a ticket
  // or a request that TypeScript holds, and those are bounded.
  void submit(Command* command);
  // From another reactor. False: full.
  bool mail(const Mail& mail);

  // --- Context
  Io& io() override { return *io_; }
  int reactor() const override { return index_; }
  int64_t now_us() const override { return now_us_; }
  int64_t wall_ms() const override { return wall_ms_; }
  double* counters() override { return counter_cells_; }
  FetchPurgatory& purgatory() override;
  TopicTable& topics() override;
  VerdictTable& verdicts() override;
  Requests& requests() override { return *requests_; }
  Partition* partition(int32_t slot) override { return shared_->slots.find(slot); }
  int owner(int32_t slot) const override { return shared_->owner(slot); }
  void respond(RequestRef request, Response&& response) override;
  void no_response(RequestRef request) override;
  void close_connection(RequestRef request, DisconnectReason reason) override;
  Response take_response() override;
  void release_frame(RequestRef request) override;
  bool post(int reactor, PartitionWork* work) override;
  void signal(int reactor, int32_t slot) override;
  void hear() override { (void)hear_signals(); }
  void lend(DiskWork* work) override;
  void returned(DiskWork* work);  // by its helper
  bool is_stuck(int32_t disk) override;
  void unlink_later(int32_t disk, std::vector<std::string> paths, int64_t delay_ms) override;
  void touch(Partition* partition) override;
  void directory_failed(const std::string& directory, int error) override;
  uint64_t start_timer(int64_t deadline_us, Timers::Run run, void* object) override {
    return timers_.start(deadline_us, run, object);
  }
  void cancel_timer(uint64_t timer) override { timers_.cancel(timer); }
  void fact(const Fact& fact) override { facts_.push(fact); }

  // --- connections
  Status listen(int32_t listener, const SocketAddress& at, bool serves_data, uint16_t* port);
  void unlisten(int32_t listener);
  void adopt(Handle socket, SocketAddress peer, int32_t listener, bool serves_data);
  void dial(uint64_t id, const SocketAddress& to);
  Conn* find(uint64_t id);      // null: it is gone
  Conn* find_any(uint64_t id);  // also one that is gone, while a frame of it is held
  // Starts the end: see shutdown.h.
  void close(int64_t grace_us, bool is_clean);
  size_t connections_open();  // both kinds

  // --- for Conn
  Shared& shared() { return *shared_; }
  const ReactorOptions& options() const { return shared_->options; }
  FactRing& facts() { return facts_; }
  CounterRow& row() { return row_; }
  BlockPool& blocks() { return blocks_; }
  Transport& transport() { return *transport_; }
  std::vector<uint8_t>& scratch() { return scratch_; }  // of one call
  void recycle(Response&& response);
  void mark_dirty(Conn* conn);
  void mark_resumable(Conn* conn) { resumable_.push_back(conn->id()); }  // next turn, at once
  void mark_starved(Conn* conn);  // a moment later: what it needs is not there now
  void closed(Conn* conn);        // its socket is closed; freed once nothing is held

  void done(double ticket, int32_t error, double a = 0, double b = 0, double c = 0);
  // Any thread: facts wait for TypeScript to read, so that nobody new is let in.
  bool has_backlog() const { return has_backlog_.load(std::memory_order_relaxed); }
  Limbo& limbo() { return limbo_; }
  OwnedPartitions& partitions() { return *partitions_; }
  TailPool& tails() { return tails_; }
  void unlink_due() { unlinker_.run(*shared_, *io_, now_us_); }
  void unlink_now(const std::string& directory) {
    unlinker_.hurry(directory);
    unlink_due();
  }

 private:
  struct Listener : Pollable {
    int32_t number = 0;
    Handle socket = kNoHandle;
    bool serves_data = false;
  };

  void drain_connections();
  void close_connections(DisconnectReason reason);
  void step_shutdown();
  bool has_connections() const { return index_ < shared_->options.reactors; }
  void meet(std::atomic<int>* count, int all);  // wakes the others when it is the last one

  int64_t wait_us(int64_t wait_us_max);
  bool run_commands();
  bool read_mail();
  bool hear_signals();
  void accept_if_heard(Listener* listener);
  void accept_some(Listener* listener);
  void pause_accepting(Listener* listener, int64_t for_us);
  void deal(Handle socket, SocketAddress peer, Listener* listener);
  static void on_accept_pause_over(void* object, PartitionHost& host);
  bool end_turn();
  void flush_connections();
  void resume_connections();
  static void on_starved_retry(void* object, PartitionHost& host);
  void bury();
  void measure();
  bool has_mail() const;
  template <typename Body>
  void for_each_connection(Body body);

  const int index_;
  const std::unique_ptr<Io> io_;
  Shared* const shared_;
  double* const counter_cells_;
  CounterRow row_;
  FactRing facts_;
  Timers timers_;
  BlockPool blocks_;
  std::unique_ptr<Transport> transport_;
  // So many logs that are read at their tails, at 32 KiB; what is in limbo may still have some.
  static constexpr size_t kTails = 64;
  TailPool tails_{kTails};
  Limbo limbo_;
  const int reader_;  // in Quiescence

  struct Parts;  // what requests keep per reactor: routes, verdicts, waiting fetches
  std::unique_ptr<Parts> parts_;
  std::unique_ptr<Requests> requests_;
  std::unique_ptr<OwnedPartitions> partitions_;

  alignas(kCacheLineBytes) std::atomic<Command*> commands_{nullptr};
  Mailbox<Mail> mailbox_;
  SignalSet signals_;  // slots
  Doorbell doorbell_;
  std::atomic<bool> is_stopped_{false};

  std::vector<std::unique_ptr<Listener>> listeners_;
  // Accepted connections by index; a dead one's place waits in free_ (oldest first, so that an id
  // does not come back soon).
  struct Place {
    std::unique_ptr<Conn> conn;
    uint32_t generation = 1;
  };
  std::vector<Place> places_;
  std::deque<uint32_t> free_;
  std::unordered_map<uint64_t, std::unique_ptr<Conn>> dialled_;
  std::vector<uint64_t> graves_;  // gone, to be freed when nothing is held
  size_t open_ = 0;
  uint32_t next_reactor_ = 0;

  std::vector<Conn*> dirty_;
  std::vector<Conn*> flushing_;
  std::vector<uint64_t> resumable_;
  std::vector<uint64_t> starved_;
  std::vector<uint64_t> resuming_;
  Unlinker unlinker_;
  std::vector<Partition*> touched_;
  std::vector<Partition*> ending_;
  std::vector<Response> responses_;  // recycled
  std::vector<Event> events_;
  Spinner spinner_;
  std::vector<uint8_t> scratch_;

  int64_t now_us_ = 0;
  int64_t wall_ms_ = 0;
  std::atomic<bool> has_backlog_{false};  // written here, read by who accepts
  bool is_retrying_ = false;              // a timer will look at the starved
  bool is_draining_ = false;              // no new connections
  Phase phase_ = Phase::kServing;
  bool is_clean_ = false;
  int64_t drained_by_us_ = 0;
  int reading_ = 0;  // lent reads that have not come back
};

}  // namespace ottla
