// Fetch sessions (KIP-227): what a client fetched last time need not be said again, and what did
// not change need not be answered. Kafka: FetchSession, FetchSessionCache.
//
// One cache per reactor. A session's id names its reactor; a request that comes over a connection
// of another reactor is answered FETCH_SESSION_ID_NOT_FOUND, and its client begins a full fetch
// there, as after an eviction. Invariant: a session's epoch is the one its next request must carry;
// a response changes a session only while it is still that request's successor.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "../gen/errors.h"
#include "../gen/messages.h"

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

class FetchSession {
 public:
  int32_t id = 0;
  int32_t epoch = 1;
  bool is_privileged = false;  // a follower's
  bool uses_topic_ids = false;
  int64_t created_ms = 0;
  int64_t last_used_ms = 0;
  uint32_t size = 0;   // as of its last request: eviction compares by it
  int references = 1;  // the cache's, and one for each request under way

  void put(const FetchTarget& target);  // adds, or replaces what is asked
  void forget(const FetchKey& key);
  bool empty() const { return index_.empty(); }
  uint32_t count() const { return static_cast<uint32_t>(index_.size()); }
  // In session order.
  void targets(std::vector<FetchTarget>* into) const;
  // True when the response must carry it; remembers what it will say. Those with data move last, so
  // that nobody starves behind them.
  bool settle(const FetchKey& key, const FetchOutcome& outcome);
  // For a new session: what the first, full response said.
  void note(const FetchKey& key, const FetchOutcome& outcome);
  // Lets go of topics that were forgotten; while no request under way can name one.
  void sweep_names();
  size_t names() const { return names_.size(); }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Name {
    std::unique_ptr<const std::string> text;  // what the key looks at
    uint32_t cells = 0;
  };
  struct Cell {
    FetchTarget target;
    int64_t high_watermark = -1;
    int64_t log_start_offset = -1;
    uint32_t next = kNone;
    uint32_t previous = kNone;
  };
  void link_last(uint32_t cell);
  void unlink(uint32_t cell);

  std::vector<Cell> cells_;
  std::vector<uint32_t> free_;
  uint32_t first_ = kNone;
  uint32_t last_ = kNone;
  std::unordered_map<FetchKey, uint32_t, FetchKeyHash> index_;
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
  // Moves on after a request was taken in.
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
