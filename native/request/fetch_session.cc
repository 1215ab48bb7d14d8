// Fetch sessions: see fetch_session.h.
#include "fetch_session.h"

#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>

namespace ottla {

using gen::ErrorCode;

size_t FetchKeyHash::operator()(const FetchKey& key) const {
  size_t h =
      key.topic_id.is_zero()
          ? std::hash<std::string_view>{}(key.topic)
          : std::hash<std::string_view>{}({reinterpret_cast<const char*>(key.topic_id.bytes), 16});
  return h * 31 + static_cast<size_t>(static_cast<uint32_t>(key.partition)) * 0x9e3779b97f4a7c15ull;
}

// --- one session

void FetchSession::link_last(uint32_t cell) {
  cells_[cell].previous = last_;
  cells_[cell].next = kNone;
  if (last_ == kNone) {
    first_ = cell;
  } else {
    cells_[last_].next = cell;
  }
  last_ = cell;
}

void FetchSession::unlink(uint32_t cell) {
  const Cell& c = cells_[cell];
  (c.previous == kNone ? first_ : cells_[c.previous].next) = c.next;
  (c.next == kNone ? last_ : cells_[c.next].previous) = c.previous;
}

void FetchSession::put(const FetchTarget& target) {
  const auto known = index_.find(key_of(target));
  if (known != index_.end()) {
    FetchTarget& old = cells_[known->second].target;
    const std::string_view name = old.topic;
    old = target;
    old.topic = name;
    return;
  }
  FetchTarget kept = target;
  if (!target.topic.empty()) {
    auto name = names_.find(target.topic);
    if (name == names_.end()) {
      auto text = std::make_unique<const std::string>(target.topic);
      const std::string_view key = *text;
      name = names_.emplace(key, Name{std::move(text), 0}).first;
    } else if (name->second.cells == 0) {
      unused_names_ -= 1;
    }
    name->second.cells += 1;
    kept.topic = name->first;
  }
  uint32_t cell = 0;
  if (free_.empty()) {
    cell = static_cast<uint32_t>(cells_.size());
    cells_.emplace_back();
  } else {
    cell = free_.back();
    free_.pop_back();
    cells_[cell] = Cell{};
  }
  cells_[cell].target = kept;
  link_last(cell);
  index_.emplace(key_of(kept), cell);
}

void FetchSession::forget(const FetchKey& key) {
  const auto known = index_.find(key);
  if (known == index_.end()) return;
  const uint32_t cell = known->second;
  const auto name = names_.find(cells_[cell].target.topic);
  if (name != names_.end()) {
    name->second.cells -= 1;
    if (name->second.cells == 0) unused_names_ += 1;
  }
  unlink(cell);
  free_.push_back(cell);
  index_.erase(known);
}

void FetchSession::sweep_names() {
  constexpr size_t kUnusedMax = 64;
  if (unused_names_ < std::max(kUnusedMax, names_.size() / 2)) return;
  std::erase_if(names_, [](const auto& name) { return name.second.cells == 0; });
  unused_names_ = 0;
}

void FetchSession::targets(std::vector<FetchTarget>* into) const {
  into->clear();
  for (uint32_t cell = first_; cell != kNone; cell = cells_[cell].next) {
    into->push_back(cells_[cell].target);
  }
}

bool FetchSession::settle(const FetchKey& key, const FetchOutcome& outcome) {
  const auto known = index_.find(key);
  if (known == index_.end()) return false;
  Cell& cell = cells_[known->second];
  const bool has_failed = outcome.error != ErrorCode::kNone;
  const bool has_moved = cell.high_watermark != outcome.high_watermark ||
                         cell.log_start_offset != outcome.log_start_offset;
  // After an error the partition is sent again even if nothing moved.
  cell.high_watermark = has_failed ? -1 : outcome.high_watermark;
  cell.log_start_offset = outcome.log_start_offset;
  const bool must_respond = outcome.bytes > 0 || has_moved || has_failed || outcome.is_diverging;
  if (outcome.bytes > 0) {
    unlink(known->second);
    link_last(known->second);
  }
  return must_respond;
}

void FetchSession::note(const FetchKey& key, const FetchOutcome& outcome) {
  const auto known = index_.find(key);
  if (known == index_.end()) return;
  cells_[known->second].high_watermark = outcome.high_watermark;
  cells_[known->second].log_start_offset = outcome.log_start_offset;
}

// --- the cache

FetchSessions::~FetchSessions() {
  for (const auto& [id, session] : sessions_) delete session;
}

FetchSession* FetchSessions::find(int32_t id, int32_t epoch, bool uses_topic_ids,
                                  ErrorCode* error) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) {
    *error = ErrorCode::kFetchSessionIdNotFound;
    return nullptr;
  }
  FetchSession* session = found->second;
  if (session->epoch != epoch) {
    *error = ErrorCode::kInvalidFetchSessionEpoch;
    return nullptr;
  }
  if (session->uses_topic_ids != uses_topic_ids) {
    *error = ErrorCode::kFetchSessionTopicIdError;
    return nullptr;
  }
  if (session->references == 1) session->sweep_names();
  session->references += 1;
  return session;
}

void FetchSessions::release(FetchSession* session) {
  session->references -= 1;
  if (session->references == 0) delete session;
}

void FetchSessions::remove(int32_t id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  FetchSession* session = found->second;
  sessions_.erase(found);
  release(session);
}

void FetchSessions::touch(FetchSession* session, int64_t now_ms) {
  session->last_used_ms = now_ms;
  session->size = session->count();
  session->epoch = next_epoch(session->epoch);
}

FetchSession* FetchSessions::create(bool is_privileged, bool uses_topic_ids, uint32_t size,
                                    int64_t now_ms, uint64_t random) {
  if (sessions_.size() >= static_cast<size_t>(std::max(count_max_, 0)) &&
      !evict(is_privileged, size, now_ms)) {
    return nullptr;
  }
  // Ids of one reactor are those that leave its number when divided by how many there are.
  const int32_t range = INT32_MAX / reactors_ - 1;
  int32_t id = 0;
  do {
    id = static_cast<int32_t>(random % static_cast<uint64_t>(range) + 1) * reactors_ + reactor_;
    random += 1;
  } while (sessions_.contains(id));
  FetchSession* session = new FetchSession();
  session->id = id;
  session->is_privileged = is_privileged;
  session->uses_topic_ids = uses_topic_ids;
  session->created_ms = now_ms;
  session->last_used_ms = now_ms;
  session->size = size;
  sessions_.emplace(id, session);
  return session;
}

bool FetchSessions::evict(bool is_privileged, uint32_t size, int64_t now_ms) {
  FetchSession* oldest = nullptr;
  FetchSession* least = nullptr;
  const auto value = [](const FetchSession* s) {
    return std::make_tuple(s->is_privileged, s->size, s->id);
  };
  for (const auto& [id, session] : sessions_) {
    if (oldest == nullptr || std::make_tuple(session->last_used_ms, session->id) <
                                 std::make_tuple(oldest->last_used_ms, oldest->id)) {
      oldest = session;
    }
    const bool is_settled = now_ms - session->created_ms > kEvictionMs;
    if (!is_settled && !(is_privileged && !session->is_privileged)) continue;
    if (least == nullptr || value(session) < value(least)) least = session;
  }
  if (oldest == nullptr) return false;
  FetchSession* victim = least;
  if (now_ms - oldest->last_used_ms > kEvictionMs) {
    victim = oldest;
  } else if (least == nullptr || std::make_tuple(is_privileged, size, 0) < value(least)) {
    return false;
  }
  evictions_ += 1;
  remove(victim->id);
  return true;
}

}  // namespace ottla
