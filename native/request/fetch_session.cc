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

FetchSession::~FetchSession() {
  for (Cell* cell = first_; cell != nullptr; cell = cell->behind) clear(cell);
}

void FetchSession::link_last(Cell* cell) {
  cell->order = ++last_order_;
  cell->before = last_;
  cell->behind = nullptr;
  (last_ == nullptr ? first_ : last_->behind) = cell;
  last_ = cell;
}

void FetchSession::unlink(Cell* cell) {
  (cell->before == nullptr ? first_ : cell->before->behind) = cell->behind;
  (cell->behind == nullptr ? last_ : cell->behind->before) = cell->before;
}

// Neither due nor waiting for anything.
void FetchSession::clear(Cell* cell) {
  if (cell->link.linked()) cell->link.unlink();
  cell->is_woken = false;
  if (cell->is_resting) resting_ -= 1;
  cell->is_resting = false;
  if (purgatory_ != nullptr) purgatory_->remove(cell);
}

void FetchSession::put(const FetchTarget& target) {
  const auto known = index_.find(key_of(target));
  if (known != index_.end()) {
    FetchTarget& old = known->second->target;
    const std::string_view name = old.topic;
    old = target;
    old.topic = name;
    return FetchPurgatory::mark(known->second);
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
  Cell* cell = nullptr;
  if (free_.empty()) {
    cell = &cells_.emplace_back();
  } else {
    cell = free_.back();
    free_.pop_back();
  }
  cell->waiter = this;
  cell->target = kept;
  cell->high_watermark = cell->log_start_offset = -1;
  link_last(cell);
  index_.emplace(key_of(kept), cell);
  FetchPurgatory::mark(cell);
}

void FetchSession::forget(const FetchKey& key) {
  const auto known = index_.find(key);
  if (known == index_.end()) return;
  Cell* cell = known->second;
  const auto name = names_.find(cell->target.topic);
  if (name != names_.end()) {
    name->second.cells -= 1;
    if (name->second.cells == 0) unused_names_ += 1;
  }
  clear(cell);
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
  for (Cell* cell = first_; cell != nullptr; cell = cell->behind) into->push_back(cell->target);
}

void FetchSession::see_as(const FetchView& view) {
  if (view == view_) return;
  view_ = view;
  for (Cell* cell = first_; cell != nullptr; cell = cell->behind) FetchPurgatory::mark(cell);
}

FetchSession::Cell* FetchSession::take_woken() {
  auto* cell = static_cast<Cell*>(woken.pop_front());
  if (cell == nullptr) return nullptr;
  cell->is_woken = false;
  if (cell->is_resting) resting_ -= 1;
  cell->is_resting = false;
  due_.push_back(cell);
  return cell;
}

void FetchSession::take_due(std::vector<Cell*>* into) {
  while (take_woken() != nullptr) {
  }
  into->clear();
  due_.for_each([&](FetchWait* cell) { into->push_back(static_cast<Cell*>(cell)); });
  const auto is_before = [](const Cell* a, const Cell* b) { return a->order < b->order; };
  if (!std::is_sorted(into->begin(), into->end(), is_before)) {
    std::sort(into->begin(), into->end(), is_before);
  }
}

bool FetchSession::has_one_due() {
  return woken.empty() && !due_.empty() && due_.front() == due_.back();
}

void FetchSession::watch(FetchPurgatory* purgatory, Cell* cell, int32_t slot) {
  if (cell->slot == slot) return;
  purgatory_ = purgatory;
  purgatory->remove(cell);
  purgatory->add(cell, this, slot);
}

void FetchSession::rest(Cell* cell) {
  if (cell->is_resting) return;
  if (cell->link.linked()) cell->link.unlink();
  cell->is_woken = false;
  cell->is_resting = true;
  resting_ += 1;
}

bool FetchSession::must_say(const Cell& cell, const FetchOutcome& outcome) {
  return outcome.bytes > 0 || outcome.error != ErrorCode::kNone || outcome.is_diverging ||
         cell.high_watermark != outcome.high_watermark ||
         cell.log_start_offset != outcome.log_start_offset;
}

bool FetchSession::settle(const FetchKey& key, const FetchOutcome& outcome) {
  const auto known = index_.find(key);
  return known != index_.end() && settle(known->second, outcome);
}

bool FetchSession::settle(Cell* cell, const FetchOutcome& outcome) {
  const bool must_respond = must_say(*cell, outcome);
  // After an error the partition is sent again even if nothing moved.
  cell->high_watermark = outcome.error != ErrorCode::kNone ? -1 : outcome.high_watermark;
  cell->log_start_offset = outcome.log_start_offset;
  if (outcome.bytes > 0) {
    unlink(cell);
    link_last(cell);
  }
  return must_respond;
}

void FetchSession::note(const FetchKey& key, const FetchOutcome& outcome) {
  const auto known = index_.find(key);
  if (known == index_.end()) return;
  known->second->high_watermark = outcome.high_watermark;
  known->second->log_start_offset = outcome.log_start_offset;
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
