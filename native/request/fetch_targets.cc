// Fetches: which partitions a request asks for: its own list, or what its session has to read. See
// fetch.h.
#include <algorithm>
#include <unordered_map>

#include "fetch.h"
#include "verdicts.h"

namespace ottla {

using gen::ErrorCode;

namespace {

constexpr int16_t kTopicIdSince = 13;

}  // namespace

// The partitions of this request, or false with the session's error.
bool Fetches::open_session(Context& context, Pending* pending) {
  const gen::FetchRequest& parsed = pending->parsed;
  const int32_t id = parsed.session_id;
  const int32_t epoch = parsed.session_epoch;
  if (FetchSessions::is_full(epoch)) {
    sessions_.remove(id);
    take_targets(pending);
    if (epoch == FetchSessions::kInitialEpoch) pending->session_kind = SessionKind::kFull;
    return true;
  }
  FetchSession* session = sessions_.find(id, epoch, pending->frame.api_version >= kTopicIdSince,
                                         &pending->session_error);
  if (session == nullptr) {
    pending->session_kind = SessionKind::kError;
    return false;
  }
  take_targets(pending);
  // From here on its request before this one is too late: whatever it waited for is this one's.
  session->epoch = FetchSessions::next_epoch(epoch);
  if (session->request != nullptr) answer(context, static_cast<Pending*>(session->request));
  for (const FetchTarget& target : pending->targets) session->put(target);
  gen::FetchRequest::ForgottenTopicsData forgotten;
  int32_t partition = 0;
  for (auto topics = parsed.forgotten_topics_data; topics.next(&forgotten);) {
    for (auto partitions = forgotten.partitions; partitions.next(&partition);) {
      session->forget({forgotten.topic, forgotten.topic_id, partition});
    }
  }
  if (session->empty()) {
    sessions_.remove(id);
    sessions_.release(session);
    return true;
  }
  sessions_.touch(session, context.now_us() / 1000);
  pending->session_kind = SessionKind::kIncremental;
  pending->session = session;
  pending->session_epoch = session->epoch;
  FetchView view;
  view.principal = pending->frame.principal;
  view.api_version = pending->frame.api_version;
  view.isolation_level = parsed.isolation_level;
  view.is_follower = pending->replica_id >= 0;
  view.revocations = context.verdicts().revocations();
  session->see_as(view);
  if (view.is_follower) {
    session->targets(&pending->targets);
  } else {
    context.hear();
    pending->targets.clear();
  }
  return true;
}

bool Fetches::reads_due(const Pending& pending) {
  return pending.session_kind == SessionKind::kIncremental && pending.replica_id < 0;
}

FetchOutcome Fetches::outcome_of(const Read& read) {
  FetchOutcome outcome;
  outcome.error = read.result.error;
  outcome.high_watermark = read.result.high_watermark;
  outcome.log_start_offset = read.result.log_start_offset;
  outcome.bytes = read.bytes;
  outcome.is_diverging = read.result.diverging_epoch >= 0;
  return outcome;
}

// The request's targets are what its session has to read now; nothing, if that is another's by now.
void Fetches::take_due(Pending* pending) {
  pending->targets.clear();
  pending->cells.clear();
  if (is_superseded(*pending)) return;
  pending->session->take_due(&pending->cells);
  for (size_t i = 0; i < pending->cells.size(); i += 1) {
    pending->cells[i]->entry = i;
    pending->targets.push_back(pending->cells[i]->target);
  }
}

// Those named in the request. One named twice keeps its first place and its last word.
void Fetches::take_targets(Pending* pending) {
  gen::FetchRequest::Topic topic;
  gen::FetchRequest::Partition asked;
  std::vector<FetchTarget>& targets = pending->targets;
  for (auto topics = pending->parsed.topics; topics.next(&topic);) {
    for (auto partitions = topic.partitions; partitions.next(&asked);) {
      FetchTarget target;
      target.topic = topic.topic;
      target.topic_id = topic.topic_id;
      target.partition = asked.partition;
      target.bytes_max = asked.partition_max_bytes;
      target.offset = asked.fetch_offset;
      target.current_leader_epoch = asked.current_leader_epoch;
      target.last_fetched_epoch = asked.last_fetched_epoch;
      target.log_start_offset = asked.log_start_offset;
      targets.push_back(target);
    }
  }
  constexpr size_t kFew = 16;
  if (targets.size() <= kFew) {
    for (size_t i = 1; i < targets.size(); i += 1) {
      const auto same = [&](const FetchTarget& t) { return key_of(t) == key_of(targets[i]); };
      const auto end = targets.begin() + static_cast<ptrdiff_t>(i);
      const auto first = std::find_if(targets.begin(), end, same);
      if (first == end) continue;
      *first = targets[i];
      targets.erase(end);
      i -= 1;
    }
    return;
  }
  std::unordered_map<FetchKey, size_t, FetchKeyHash> places;
  size_t kept = 0;
  for (size_t i = 0; i < targets.size(); i += 1) {
    const auto [place, is_new] = places.emplace(key_of(targets[i]), kept);
    targets[place->second] = targets[i];
    kept += is_new ? 1 : 0;
  }
  targets.resize(kept);
}

}  // namespace ottla
