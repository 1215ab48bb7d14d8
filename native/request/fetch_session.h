// Fetch sessions (KIP-227): what a client fetched last time need not be said again, and what did
// not change need not be answered. Kafka: FetchSession, FetchSessionCache.
//
// A consumer's session knows which of its partitions may have something to say. All others rest:
// they wait in the purgatory, request or not, and a wake brings them back. So a request costs what
// has changed, however many partitions there are.
//
//   put ─► woken ─► due (it is read with every request) ─► rests: nothing to read, all was said
//            ▲                                              │
//            └─── its partition, route or verdict changed ──┘
//
// One cache per reactor. A session's id names its reactor; a request that comes over a connection
// of another reactor is answered FETCH_SESSION_ID_NOT_FOUND, and its client begins a full fetch
// there, as after an eviction. Invariant: a session's epoch is the one its next request must carry;
// a response changes a session only while it is still that request's successor.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "../gen/errors.h"
#include "../gen/messages.h"
#include "../partition/purgatory.h"

namespace ottla {

// A partition of a Fetch: where, and what is asked of it.
struct FetchTarget {
  std::string_view topic;  // below version 13; points into the session or the request's copy
  gen::Uuid topic_id;      // from 13 on
  int32_t partition = 0;
  int32_t bytes_max = 0;
  int64_t offset = 0;
  int32_t current_leader_epoch = -1;
  int32_t last_fetched_epoch = -1;
  int64_t log_start_offset = -1;
};

// Which partition that is, within one request or session.
struct FetchKey {
  std::string_view topic;
  gen::Uuid topic_id;
  int32_t partition = 0;
  bool operator==(const FetchKey&) const = default;
};
struct FetchKeyHash {
  size_t operator()(const FetchKey& key) const;
};
inline FetchKey key_of(const FetchTarget& target) {
  return {target.topic, target.topic_id, target.partition};
}

// What of a partition's answer decides whether an incremental response carries it.
struct FetchOutcome {
  gen::ErrorCode error = gen::ErrorCode::kNone;
  int64_t high_watermark = -1;
  int64_t log_start_offset = -1;
  int64_t bytes = 0;
  bool is_diverging = false;
};

// Who asks, and how: what a session found out of a partition holds for one of these.
struct FetchView {
  int32_t principal = -1;
  int16_t api_version = -1;
  int8_t isolation_level = 0;
  bool is_follower = false;
  uint64_t revocations = 0;  // of verdicts
  bool operator==(const FetchView&) const = default;
};

class FetchSession : public FetchWaiter {
 public:
  // A partition of the session. Stays where it is while it belongs to it.
  struct Cell : FetchWait {
    FetchTarget target;
    int64_t high_watermark = -1;    // as was said last
    int64_t log_start_offset = -1;  // likewise
    uint64_t order = 0;             // of its place: grows from first to last
    Cell* before = nullptr;
    Cell* behind = nullptr;
    size_t entry = 0;  // where the request that reads it has it
    bool is_resting = false;
  };

  FetchSession() = default;
  FetchSession(const FetchSession&) = delete;
  FetchSession& operator=(const FetchSession&) = delete;
  ~FetchSession();

  int32_t id = 0;
  int32_t epoch = 1;
  bool is_privileged = false;  // a follower's
  bool uses_topic_ids = false;
  int64_t created_ms = 0;
  int64_t last_used_ms = 0;
  uint32_t size = 0;   // as of its last request: eviction compares by it
  int references = 1;  // the cache's, and one for each request under way

  // Adds, or replaces what is asked; either way it has to be read.
  void put(const FetchTarget& target);
  void forget(const FetchKey& key);
  bool empty() const { return index_.empty(); }
  uint32_t count() const { return static_cast<uint32_t>(index_.size()); }
  // In session order.
  void targets(std::vector<FetchTarget>* into) const;

  // From now on seen like this: if it was otherwise, all have to be read.
  void see_as(const FetchView& view);
  // What has to be read, in session order.
  void take_due(std::vector<Cell*>* into);
  // The next that was woken since, null when there is none: due now.
  Cell* take_woken();
  bool has_one_due();
  size_t resting() const { return resting_; }
  // Woken when something at the slot changes. The purgatory outlives the session.
  void watch(FetchPurgatory* purgatory, Cell* cell, int32_t slot);
  // Nothing has to be said of it until it is woken.
  void rest(Cell* cell);
  // True when a response would have to carry it.
  static bool must_say(const Cell& cell, const FetchOutcome& outcome);
  bool settle(Cell* cell, const FetchOutcome& outcome);

  // True when the response must carry it; remembers what it will say. Those with data move last, so
  // that nobody starves behind them.
  bool settle(const FetchKey& key, const FetchOutcome& outcome);
  // For a new session: what the first, full response said.
  void note(const FetchKey& key, const FetchOutcome& outcome);
  // Lets go of topics that were forgotten; while no request under way can name one.
  void sweep_names();
  size_t names() const { return names_.size(); }

 private:
  struct Name {
    std::unique_ptr<const std::string> text;  // what the key looks at
    uint32_t cells = 0;
  };
  void link_last(Cell* cell);
  void unlink(Cell* cell);
  void clear(Cell* cell);

  std::deque<Cell> cells_;
  std::vector<Cell*> free_;
  Cell* first_ = nullptr;
  Cell* last_ = nullptr;
  uint64_t last_order_ = 0;
  std::unordered_map<FetchKey, Cell*, FetchKeyHash> index_;
  FetchWaits due_;  // looked at; not what is woken
  size_t resting_ = 0;
  FetchView view_;
  FetchPurgatory* purgatory_ = nullptr;
  std::unordered_map<std::string_view, Name> names_;  // one copy of each topic's
  size_t unused_names_ = 0;
};

class FetchSessions {
 public:
  // A session idle for so long may be evicted by anyone.
  static constexpr int64_t kEvictionMs = 120000;
  static constexpr int32_t kInitialEpoch = 0;
  static constexpr int32_t kFinalEpoch = -1;

  FetchSessions(int32_t count_max, int reactor, int reactors)
      : count_max_(count_max), reactor_(reactor), reactors_(reactors) {}
  ~FetchSessions();

  static bool is_full(int32_t epoch) { return epoch == kInitialEpoch || epoch == kFinalEpoch; }
  static int32_t next_epoch(int32_t epoch) { return epoch == INT32_MAX ? 1 : epoch + 1; }

  // The session an incremental request continues: takes a reference, or null with the error.
  FetchSession* find(int32_t id, int32_t epoch, bool uses_topic_ids, gen::ErrorCode* error);
  void remove(int32_t id);
  // After a request was taken in.
  void touch(FetchSession* session, int64_t now_ms);
  // A new session of so many partitions, or null when none is less valuable. Not referenced.
  FetchSession* create(bool is_privileged, bool uses_topic_ids, uint32_t size, int64_t now_ms,
                       uint64_t random);
  void release(FetchSession* session);

  size_t count() const { return sessions_.size(); }
  int64_t evictions() const { return evictions_; }

 private:
  bool evict(bool is_privileged, uint32_t size, int64_t now_ms);

  const int32_t count_max_;
  const int reactor_;
  const int reactors_;
  int64_t evictions_ = 0;
  std::unordered_map<int32_t, FetchSession*> sessions_;
};

}  // namespace ottla
