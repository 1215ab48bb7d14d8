// Fetches: which partitions a request asks for: its own list, or its session's. See fetch.h.
#include <algorithm>
#include <unordered_map>

#include "fetch.h"

namespace ottla {

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
  session->targets(&pending->targets);
  pending->session_kind = SessionKind::kIncremental;
  pending->session = session;
  pending->session_epoch = session->epoch;
  return true;
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
