// Fetches: see fetch.h.
#include "fetch.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "../gen/layout.h"
#include "leaders.h"
#include "verdicts.h"

namespace ottla {

using gen::ErrorCode;

namespace {

constexpr int16_t kTopicIdSince = 13;
constexpr int16_t kReplicaStateSince = 15;
// Consumers from this version on may read from followers (KIP-392).
constexpr int16_t kAnyReplicaSince = 11;
// Clients below it do not know KAFKA_STORAGE_ERROR.
constexpr int16_t kStorageErrorSince = 6;
constexpr int64_t kPostAgainUs = 200;
constexpr int64_t kFencedEveryUs = 1000 * 1000;  // of one partition: anybody can name any epoch
// A larger request stays in its frame, whose bytes count against its connection.
constexpr size_t kCopiedBodyMax = 16 * 1024;
constexpr size_t kTargetsKept = 4096;  // room that a recycled request keeps

void count(PartitionHost& host, size_t column, double amount = 1) {
  CounterRow(host.counters(), kCounterColumns).add(column, amount);
}

// Every element takes at least a byte: small frames need not be counted.
bool has_too_many(const gen::FetchRequest& parsed, size_t body_bytes) {
  if (body_bytes <= static_cast<size_t>(kElementsMax)) return false;
  int64_t elements = int64_t{parsed.topics.count} + parsed.forgotten_topics_data.count;
  gen::FetchRequest::Topic topic;
  for (auto topics = parsed.topics; topics.next(&topic);) elements += topic.partitions.count;
  gen::FetchRequest::ForgottenTopicsData forgotten;
  for (auto topics = parsed.forgotten_topics_data; topics.next(&forgotten);) {
    elements += forgotten.partitions.count;
  }
  return elements > kElementsMax;
}

size_t bucket_of(uint64_t conn) { return static_cast<size_t>((conn ^ (conn >> 32)) % 256); }

}  // namespace

// --- pool

Fetches::Pending* Fetches::take() {
  if (idle_.empty()) {
    all_.push_back(std::make_unique<Pending>());
    idle_.push_back(all_.back().get());
  }
  Pending* pending = idle_.back();
  idle_.pop_back();
  pending->fetches = this;
  pending->stage = Stage::kReading;
  pending->session_kind = SessionKind::kNone;
  pending->session_error = ErrorCode::kNone;
  pending->session = nullptr;
  pending->counting = 0;
  pending->has_waited = false;
  pending->is_gone = false;
  pending->timer = 0;
  pending->targets.clear();
  pending->reads.clear();
  pending->cells.clear();
  pending->cold_rounds = 0;
  pending->skips_cold = false;
  return pending;
}

void Fetches::recycle(Context& context, Pending* pending) {
  stop_waiting(context, pending);
  if (pending->stage == Stage::kParked) parked_ -= 1;
  if (pending->session != nullptr) sessions_.release(std::exchange(pending->session, nullptr));
  pending->reads.clear();  // lets go of segments
  drop_cold(context, pending);
  if (pending->targets.capacity() > kTargetsKept) {
    const auto give_back = [](auto& list) { std::remove_reference_t<decltype(list)>().swap(list); };
    give_back(pending->targets);
    give_back(pending->reads);
    give_back(pending->cells);
    give_back(pending->waits);
  }
  if (pending->holds_frame) context.release_frame(pending->frame.ref);
  if (pending->link.linked()) pending->link.unlink();
  idle_.push_back(pending);
}

// --- start

void Fetches::start(Context& context, const RequestFrame& frame) {
  count(context, counter::kRequestsFetch);
  Pending* pending = take();
  pending->frame = frame;
  Bytes body(frame.body, frame.body_bytes);
  pending->holds_frame = body.size() > kCopiedBodyMax;
  if (!pending->holds_frame) {
    pending->body.assign(body.begin(), body.end());
    body = Bytes(pending->body);
    context.release_frame(frame.ref);
  }
  ByteReader in(body);
  if (!pending->parsed.read(in, frame.api_version) ||
      has_too_many(pending->parsed, frame.body_bytes)) {
    recycle(context, pending);
    return context.close_connection(frame.ref, DisconnectReason::kMalformed);
  }
  const gen::FetchRequest& parsed = pending->parsed;
  const bool has_state = frame.api_version >= kReplicaStateSince;
  pending->replica_id = has_state ? parsed.replica_state.replica_id : parsed.replica_id;
  pending->replica_epoch = has_state ? parsed.replica_state.replica_epoch : -1;
  pending->deadline_us =
      context.now_us() + std::max<int64_t>(parsed.max_wait_ms, 0) * int64_t{1000};
  by_connection_[bucket_of(frame.ref.conn)].push_back(pending);
  if (!open_session(context, pending)) return answer(context, pending);
  begin(context, pending);
}

const TopicRoute* Fetches::topic_of(Context& context, const Pending& pending,
                                    const FetchTarget& target) const {
  return pending.frame.api_version >= kTopicIdSince ? context.topics().by_id(target.topic_id)
                                                    : context.topics().by_name(target.topic);
}

bool Fetches::asks_verdicts(Context& context, Pending* pending) {
  if (!context.verdicts().asks()) return false;
  bool asks = false;
  const int32_t principal = pending->frame.principal;
  for (const FetchTarget& target : pending->targets) {
    const TopicRoute* topic = topic_of(context, *pending, target);
    if (topic == nullptr) continue;
    VerdictTable& verdicts = context.verdicts();
    if (verdicts.find(principal, topic->handle, topic_operation::kRead) != VerdictKind::kAsk) {
      continue;
    }
    asks = true;
    if (!verdicts.ask(principal, topic->handle, topic_operation::kRead)) continue;
    Fact needed;
    needed.kind = fact::kVerdictNeeded;
    needed.a = principal;
    needed.b = topic->handle;
    needed.c = topic_operation::kRead;
    context.fact(needed);
  }
  return asks;
}

void Fetches::begin(Context& context, Pending* pending) {
  if (is_superseded(*pending)) return answer(context, pending);
  if (reads_due(*pending) && context.verdicts().asks()) take_due(pending);
  if (asks_verdicts(context, pending)) {
    if (pending->stage != Stage::kParked) parked_ += 1;
    pending->stage = Stage::kParked;
    return;
  }
  if (pending->stage == Stage::kParked) parked_ -= 1;
  pending->stage = Stage::kReading;
  read_all(context, pending, true);
  if (pending->counting > 0) {
    pending->stage = Stage::kCounting;
    return;
  }
  proceed(context, pending);
}

// Everything was read and every progress report has come back.
void Fetches::proceed(Context& context, Pending* pending) {
  if (!pending->is_gone && !pending->cold.empty()) return lend_reads(context, pending);
  if (pending->is_gone || is_ready(*pending)) return answer(context, pending);
  wait(context, pending);
}

void Fetches::release(Context& context) {
  if (parked_ == 0) return;
  for (PendingList& bucket : by_connection_) {
    bucket.for_each([&](Pending* pending) {
      if (pending->stage == Stage::kParked) begin(context, pending);
    });
  }
}

void Fetches::disconnected(Context& context, uint64_t conn) {
  by_connection_[bucket_of(conn)].for_each([&](Pending* pending) {
    if (pending->frame.ref.conn != conn || pending->is_gone) return;
    pending->is_gone = true;
    if (pending->stage == Stage::kParked || pending->stage == Stage::kWaiting ||
        pending->stage == Stage::kCold) {
      answer(context, pending);
    }
  });
}

void Fetches::close(Context& context) {
  for (PendingList& bucket : by_connection_) {
    bucket.for_each([&](Pending* pending) {
      if (pending->stage == Stage::kWaiting) read_all(context, pending, false);
      if (pending->stage != Stage::kCounting) answer(context, pending);
    });
  }
}

// --- reading

int64_t Fetches::bytes_max(const Pending& pending) const {
  return std::min(pending.parsed.max_bytes, options_.fetch_bytes_max);
}

void Fetches::read_all(Context& context, Pending* pending, bool is_arrival) {
  int64_t bytes_left = std::max<int64_t>(bytes_max(*pending), 0);
  bool at_least_one = true;
  if (reads_due(*pending)) take_due(pending);
  pending->reads.resize(pending->targets.size());
  for (size_t i = 0; i < pending->targets.size(); i += 1) {
    read(context, pending, i, bytes_left, at_least_one, is_arrival);
    const int64_t bytes = pending->reads[i].bytes;
    if (bytes > 0) at_least_one = false;
    bytes_left = std::max<int64_t>(bytes_left - bytes, 0);
  }
  for (size_t i = 0; i < pending->cells.size(); i += 1) attend_idle(context, pending, i);
}

void Fetches::fail(Read* read, ErrorCode error, bool is_unknown) {
  read->result = FetchResult();
  read->result.error = error;
  read->bytes = read->counted = 0;
  read->is_unknown = is_unknown;
}

FetchQuery Fetches::query_of(const Pending& pending, const FetchTarget& target) const {
  FetchQuery query;
  query.offset = target.offset;
  query.current_leader_epoch = target.current_leader_epoch;
  query.last_fetched_epoch = target.last_fetched_epoch;
  query.read_committed = pending.parsed.isolation_level == 1;
  query.replica_id = std::max(pending.replica_id, -1);
  query.replica_epoch = pending.replica_epoch;
  query.needs_leader = query.replica_id >= 0 || pending.frame.api_version < kAnyReplicaSince;
  return query;
}

void Fetches::read(Context& context, Pending* pending, size_t target_index, int64_t bytes_left,
                   bool at_least_one, bool is_arrival) {
  const FetchTarget& target = pending->targets[target_index];
  Read& read = pending->reads[target_index];
  read.result = FetchResult();
  read.bytes = read.counted = 0;
  read.slot = read.topic_handle = -1;
  read.partition = nullptr;
  read.is_unknown = false;
  const TopicRoute* topic = topic_of(context, *pending, target);
  if (topic == nullptr) {
    return fail(&read,
                pending->frame.api_version >= kTopicIdSince ? ErrorCode::kUnknownTopicId
                                                            : ErrorCode::kUnknownTopicOrPartition,
                true);
  }
  read.topic_handle = topic->handle;
  if (context.verdicts().find(pending->frame.principal, topic->handle, topic_operation::kRead) !=
      VerdictKind::kAllowed) {
    return fail(&read, ErrorCode::kTopicAuthorizationFailed, true);
  }
  if (target.partition < 0 || static_cast<size_t>(target.partition) >= topic->partitions.size()) {
    return fail(&read, ErrorCode::kUnknownTopicOrPartition, true);
  }
  read.slot = topic->partitions[static_cast<size_t>(target.partition)].slot;
  Partition* partition = replica_of(context, *topic, target.partition);
  if (partition == nullptr) {
    const bool is_told = pending->frame.api_version >= kStorageErrorSince;
    return fail(&read,
                read.slot == kUnservedSlot && is_told ? ErrorCode::kKafkaStorageError
                                                      : ErrorCode::kNotLeaderOrFollower,
                false);
  }

  read.partition = partition;
  FetchQuery query = query_of(*pending, target);
  query.bytes_max = std::max<int64_t>(std::min<int64_t>(target.bytes_max, bytes_left), 0);
  query.at_least_one = at_least_one;
  read_ready(context, pending, *partition, query, &read.result);
  read.bytes = read.result.slice.bytes();
  read.counted = std::clamp<int64_t>(target.bytes_max, 0, read.result.slice.readable_bytes());
  if (read.result.disk_error != 0) {
    context.directory_failed(partition->options().log_directory, read.result.disk_error);
  }
  if (read.result.error == ErrorCode::kKafkaStorageError &&
      pending->frame.api_version < kStorageErrorSince) {
    read.result.error = ErrorCode::kNotLeaderOrFollower;
  } else if (read.result.error == ErrorCode::kUnknownLeaderEpoch) {
    tell_fenced(context, read.slot, target.current_leader_epoch);
  }
  if (query.replica_id >= 0 && is_arrival) {
    tell_progress(context, pending, target_index, partition, query);
  }
}

void Fetches::tell_fenced(Context& context, int32_t slot, int32_t named) {
  const auto at = static_cast<size_t>(slot);
  if (at >= fenced_from_us_.size()) fenced_from_us_.resize(at + 64);
  if (context.now_us() < fenced_from_us_[at]) return;
  fenced_from_us_[at] = context.now_us() + kFencedEveryUs;
  Fact fenced;
  fenced.kind = fact::kFenced;
  fenced.slot = slot;
  fenced.epoch = named;
  context.fact(fenced);
}

// --- a follower's progress

void Fetches::tell_progress(Context& context, Pending* pending, size_t target, Partition* partition,
                            const FetchQuery& query) {
  Read& read = pending->reads[target];
  const bool is_sound = read.result.error == ErrorCode::kNone;
  // Whether it may fetch at all comes before whether its offset is in range.
  if (!is_sound && read.result.error != ErrorCode::kOffsetOutOfRange) return;
  const bool counts = is_sound && read.result.diverging_epoch < 0;
  if (partition->owner() == context.reactor()) {
    const ErrorCode error = partition->follower_fetched(query, counts, context);
    if (error != ErrorCode::kNone) fail(&read, error, false);
    read.result.version = partition->version();  // what it moved itself is no news to it
    return;
  }
  if (idle_progress_.empty()) {
    all_progress_.push_back(std::make_unique<Progress>());
    idle_progress_.push_back(all_progress_.back().get());
  }
  Progress* progress = idle_progress_.back();
  idle_progress_.pop_back();
  progress->run = &Fetches::progress_at_owner;
  progress->slot = partition->slot();
  progress->incarnation = partition->incarnation();
  progress->home = context.reactor();
  progress->query = query;
  progress->counts = counts;
  progress->error = ErrorCode::kNone;
  progress->pending = pending;
  progress->target = target;
  pending->counting += 1;
  send(progress, partition->owner(), context);
}

void Fetches::send(Progress* progress, int reactor, PartitionHost& host) {
  if (host.post(reactor, progress)) return;
  count(host, counter::kMailboxFull);
  host.start_timer(host.now_us() + kPostAgainUs, &Fetches::post_again, progress);
}

void Fetches::post_again(void* work, PartitionHost& host) {
  Progress* progress = static_cast<Progress*>(work);
  const bool goes_home = progress->run == &Fetches::progress_at_home;
  send(progress, goes_home ? progress->home : context_of(host).owner(progress->slot), host);
}

void Fetches::progress_at_owner(PartitionWork* work, PartitionHost& host) {
  Progress* progress = static_cast<Progress*>(work);
  Partition* partition = context_of(host).partition(progress->slot);
  progress->error = partition != nullptr && partition->incarnation() == progress->incarnation
                        ? partition->follower_fetched(progress->query, progress->counts, host)
                        : ErrorCode::kNotLeaderOrFollower;
  progress->run = &Fetches::progress_at_home;
  send(progress, progress->home, host);
}

void Fetches::progress_at_home(PartitionWork* work, PartitionHost& host) {
  Progress* progress = static_cast<Progress*>(work);
  Pending* pending = progress->pending;
  Fetches* self = pending->fetches;
  if (progress->error != ErrorCode::kNone) {
    fail(&pending->reads[progress->target], progress->error, false);
  }
  self->idle_progress_.push_back(progress);
  pending->counting -= 1;
  if (pending->counting > 0) return;
  pending->stage = Stage::kReading;
  self->proceed(context_of(host), pending);
}

// --- waiting

bool Fetches::is_superseded(const Pending& pending) {
  return pending.session_kind == SessionKind::kIncremental &&
         pending.session->epoch != pending.session_epoch;
}

// Min bytes: what the answer would hold, when it comes; and what lies ready in every partition by
// itself, each up to its own limit, a batch that does not fit whole counted as far as it would.
// Kafka: fetchMessages, DelayedFetch.tryComplete.
bool Fetches::is_ready(const Pending& pending) const {
  if (pending.parsed.max_wait_ms <= 0 || is_superseded(pending)) return true;
  int64_t bytes = 0, counted = 0;
  bool has_known = reads_due(pending) && pending.session->resting() > 0;
  for (const Read& read : pending.reads) {
    if (read.is_unknown) continue;
    has_known = true;
    if (read.result.error != ErrorCode::kNone || read.result.diverging_epoch >= 0 ||
        read.result.is_behind) {
      return true;
    }
    bytes += read.bytes;
    counted += read.counted;
  }
  const int64_t wanted = std::min<int64_t>(pending.parsed.min_bytes, bytes_max(pending));
  return !has_known || counted >= wanted || (!pending.has_waited && bytes >= wanted);
}

bool Fetches::end_turn(Context& context) {
  bool had_work = false;
  while (FetchWaiter* waiter = context.purgatory().pop_woken()) {
    had_work = true;
    look_again(context, static_cast<Pending*>(waiter->request));
  }
  return had_work;
}

void Fetches::timed_out(void* object, PartitionHost& host) {
  Pending* pending = static_cast<Pending*>(object);
  Context& context = context_of(host);
  pending->timer = 0;
  pending->fetches->read_all(context, pending, false);
  if (!pending->cold.empty()) return pending->fetches->lend_reads(context, pending);
  pending->fetches->answer(context, pending);
}

void Fetches::answer(Context& context, Pending* pending) {
  stop_waiting(context, pending);
  const RequestRef ref = pending->frame.ref;
  if (pending->is_gone) {
    recycle(context, pending);
    return context.no_response(ref);
  }
  Response response = context.take_response();
  write_response(context, pending, &response);
  recycle(context, pending);
  context.respond(ref, std::move(response));
}

}  // namespace ottla
