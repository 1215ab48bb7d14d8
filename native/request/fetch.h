// Fetch requests of one reactor, start to finish. Kafka: KafkaApis.handleFetchRequest,
// ReplicaManager.fetchMessages, DelayedFetch. Versions 4 to 18. The writing of answers is in
// fetch_response.cc.
//
//   start ─ copy, parse, session ─► parked (a verdict is missing) ─► read ─┬─► counting (a
//   follower's progress is told
//                                                                          │   to partitions of
//                                                                          other reactors)
//                                                           ┌──────────────┴──► ready? ─► answer
//                                                           └─ woken ─ waiting ◄── no
//
// Invariants: nobody but a follower sees a record at or above the high watermark; a response holds
// whole batches; a wake-up reads again and never counts as a follower's progress.
//
// The request is copied if it is small, so that a waiting fetch does not hold its connection's
// buffer; a large one stays there, where the connection's bound counts it.
// What would wait for a disk is not read here: helpers read it, and then all is read again (cold;
// fetch_cold.cc); where that takes too long, the rest is answered without it. While it waits it
// holds no segment; a wake-up re-reads only the partitions that changed until there is enough, then
// all once more. Of a session "all" are those that may have something to say (fetch_session.h), but
// for a follower, whose Fetch tells its progress in every partition.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "../base/intrusive_list.h"
#include "../gen/messages.h"
#include "../io/cold.h"
#include "../log/txn_index.h"
#include "../partition/partition.h"
#include "fetch_session.h"
#include "requests.h"
#include "topics.h"

namespace ottla {

class Fetches {
 public:
  explicit Fetches(const RequestsOptions& options)
      : options_(options),
        sessions_(options.fetch_sessions_max, options.reactor, options.reactors) {}
  Fetches(const Fetches&) = delete;
  Fetches& operator=(const Fetches&) = delete;

  void start(Context& context, const RequestFrame& frame);
  // A verdict has come: those parked for one look again.
  void release(Context& context);
  // Nobody reads the answers of this connection any more.
  void disconnected(Context& context, uint64_t conn);
  // Looks at what was woken. True: something was.
  bool end_turn(Context& context);
  // Answers all that waits with what there is.
  void close(Context& context);
  const FetchSessions& sessions() const { return sessions_; }

 private:
  enum class Stage : uint8_t { kReading, kParked, kCounting, kWaiting, kCold };
  enum class SessionKind : uint8_t { kNone, kFull, kIncremental, kError };

  // One partition's answer so far.
  struct Read {
    FetchResult result;
    int64_t bytes = 0;
    int64_t counted = 0;  // towards min bytes of what has waited
    int32_t slot = -1;
    int32_t topic_handle = -1;
    const Partition* partition = nullptr;  // that was read; only to compare
    bool is_unknown = false;   // found before reading: does not end a wait, and comes last
    bool is_included = false;  // in the response
  };
  struct Pending;
  struct Missing {
    ColdRead range;
    int32_t slot;
    int64_t incarnation;
    Status status;  // of reading it
  };
  // Of one disk.
  struct Cold : DiskWork {
    Fetches* fetches = nullptr;
    Pending* pending = nullptr;  // null: it waits no longer
    std::vector<Missing> reads;
    bool is_lent = false;
  };
  struct Pending : FetchWaiter {
    RequestFrame frame;
    std::vector<uint8_t> body;
    bool holds_frame = false;  // too large to be copied
    gen::FetchRequest parsed;
    Fetches* fetches = nullptr;
    int32_t replica_id = -1;
    int64_t replica_epoch = -1;
    Stage stage = Stage::kReading;
    SessionKind session_kind = SessionKind::kNone;
    gen::ErrorCode session_error = gen::ErrorCode::kNone;
    FetchSession* session = nullptr;
    int32_t session_epoch = 0;
    std::vector<FetchTarget> targets;
    std::vector<Read> reads;                 // of each target
    std::vector<FetchSession::Cell*> cells;  // of each target, where a session's due are read
    std::vector<FetchWait> waits;            // of each target, where not; as many as `waiting`
    size_t waiting = 0;
    int32_t counting = 0;  // progress reports that are on their way
    bool has_waited = false;
    bool is_gone = false;  // its connection is
    int64_t deadline_us = 0;
    uint64_t timer = 0;
    std::vector<Cold*> cold;  // what is to be read, or being read
    size_t cold_reads = 0;    // in them
    size_t cold_lent = 0;
    size_t cold_rounds = 0;
    bool skips_cold = false;  // it has waited long enough
    ListLink link;            // of its connection's bucket
  };
  // A follower's progress, told to the partition's reactor.
  struct Progress : PartitionWork {
    FetchQuery query;
    int64_t incarnation = 0;  // of the partition that was read
    bool counts = false;
    gen::ErrorCode error = gen::ErrorCode::kNone;
    Pending* pending = nullptr;
    size_t target = 0;
  };

  Pending* take();
  void recycle(Context& context, Pending* pending);
  bool open_session(Context& context, Pending* pending);
  void take_targets(Pending* pending);
  bool asks_verdicts(Context& context, Pending* pending);
  void begin(Context& context, Pending* pending);
  void proceed(Context& context, Pending* pending);
  const TopicRoute* topic_of(Context& context, const Pending& pending,
                             const FetchTarget& target) const;

  void read_all(Context& context, Pending* pending, bool is_arrival);
  void read(Context& context, Pending* pending, size_t target, int64_t bytes_left,
            bool at_least_one, bool is_arrival);
  FetchQuery query_of(const Pending& pending, const FetchTarget& target) const;
  void tell_progress(Context& context, Pending* pending, size_t target, Partition* partition,
                     const FetchQuery& query);
  void tell_fenced(Context& context, int32_t slot, int32_t named);
  static void fail(Read* read, gen::ErrorCode error, bool is_unknown);
  // The session has gone on without it: it is answered at once, with that.
  static bool is_superseded(const Pending& pending);
  static bool reads_due(const Pending& pending);
  // fetch_cold.cc
  void read_ready(Context& context, Pending* pending, const Partition& partition,
                  const FetchQuery& query, FetchResult* result);
  Cold* take_cold(Pending* pending, int32_t disk);
  void put_back(Context& context, Cold* cold);
  void drop_cold(Context& context, Pending* pending);
  void lend_reads(Context& context, Pending* pending);
  static void help_reads(DiskWork* work, Io& io);
  static void reads_returned(PartitionWork* work, PartitionHost& host);
  static void waited_enough(void* object, PartitionHost& host);
  void read_again(Context& context, Pending* pending);

  bool is_ready(const Pending& pending) const;
  int64_t bytes_max(const Pending& pending) const;

  void wait(Context& context, Pending* pending);
  void stop_waiting(Context& context, Pending* pending);
  bool has_moved(Context& context, const Pending& pending, size_t target) const;
  void look_again(Context& context, Pending* pending);
  void read_woken(Context& context, Pending* pending);

  // Of sessions.
  static FetchOutcome outcome_of(const Read& read);
  void take_due(Pending* pending);
  void read_woken_cells(Context& context, Pending* pending);
  size_t entry_of(Pending* pending, FetchSession::Cell* cell);
  void attend(Context& context, Pending* pending, size_t target);
  void attend_idle(Context& context, Pending* pending, size_t target);
  void answer(Context& context, Pending* pending);

  // fetch_response.cc
  void settle_cells(Context& context, Pending* pending);
  void settle_session(Context& context, Pending* pending, gen::ErrorCode* error, int32_t* id);
  void write_response(Context& context, Pending* pending, Response* response);
  void write_partition(Context& context, Pending* pending, size_t target, Response* response);
  static Status copy_records(Context& context, Partition* source, const Read& read, uint8_t* into);
  bool write_records(Context& context, Partition* source,
                     const gen::FetchResponse::Partition& partition, int16_t version, Read* read,
                     Response* response);

  static void timed_out(void* pending, PartitionHost& host);
  static void progress_at_owner(PartitionWork* work, PartitionHost& host);
  static void progress_at_home(PartitionWork* work, PartitionHost& host);
  static void post_again(void* work, PartitionHost& host);
  static void send(Progress* progress, int reactor, PartitionHost& host);

  using PendingList = IntrusiveList<Pending, &Pending::link>;
  static constexpr size_t kBuckets = 256;

  const RequestsOptions options_;
  FetchSessions sessions_;
  std::vector<std::unique_ptr<Pending>> all_;
  std::vector<Pending*> idle_;
  std::vector<std::unique_ptr<Progress>> all_progress_;
  std::vector<std::unique_ptr<Cold>> all_cold_;
  std::vector<Cold*> idle_cold_;
  std::vector<Progress*> idle_progress_;
  std::array<PendingList, kBuckets> by_connection_;
  size_t parked_ = 0;
  std::vector<int64_t> fenced_from_us_;  // by slot: when the hint may be given again
  std::vector<uint32_t> order_;          // of the targets in the response being written
  std::vector<gen::FetchResponse::NodeEndpoint> endpoints_;
  std::vector<AbortedTransaction> aborted_;
};

}  // namespace ottla
