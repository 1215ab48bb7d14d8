// Produces: see produce.h. The order of the checks is docs/SEAM.md's table, which is Kafka's.
//
// Non-obvious: `unfinished` and `framed` start at one, so that partitions that end while the
// request is still being read cannot answer it. A timeout of parked batches is the request's; that
// of batches waiting for replicas is the partition's.
#include "produce.h"

#include <algorithm>
#include <utility>

#include "../gen/layout.h"
#include "leaders.h"
#include "verdicts.h"

namespace ottla {

using gen::ErrorCode;

namespace {

constexpr int16_t kTopicIdSince = 13;
constexpr int16_t kLeaderSince = 10;
constexpr int16_t kZstdSince = 7;
constexpr int64_t kPostAgainUs = 200;
// What a request that waits without its frame may keep: more of them than this, and the frame,
// whose bytes count against its connection, stays.
constexpr int32_t kKeptEntriesMax = 1024;
constexpr size_t kKeptNameBytesMax = 64 * 1024;
constexpr size_t kIdleEntriesMax = 16 * 1024;  // a giant request's go back to the system

void count(PartitionHost& host, size_t column, double amount = 1) {
  CounterRow(host.counters(), kCounterColumns).add(column, amount);
}

// Every element takes at least a byte: small frames need not be counted.
bool has_too_many(const gen::ProduceRequest& parsed, size_t body_bytes) {
  if (body_bytes <= static_cast<size_t>(kElementsMax)) return false;
  int64_t elements = parsed.topic_data.count;
  gen::ProduceRequest::TopicData topic;
  for (auto topics = parsed.topic_data; topics.next(&topic);) {
    elements += std::max(topic.partition_data.count, 0);
  }
  return elements > kElementsMax;
}

}  // namespace

// --- pools

Produces::~Produces() {
  for (auto& request : all_requests_) {
    for (Entry* entry = request->first; entry != nullptr;)
      delete std::exchange(entry, entry->following);
  }
  for (Entry* entry : idle_entries_) delete entry;
}

Produces::Request* Produces::take_request() {
  if (idle_requests_.empty()) {
    all_requests_.push_back(std::make_unique<Request>());
    idle_requests_.push_back(all_requests_.back().get());
  }
  Request* request = idle_requests_.back();
  idle_requests_.pop_back();
  request->produces = this;
  request->first = request->last = nullptr;
  request->unfinished = request->framed = 1;
  request->entries = 0;
  request->holds_frame = true;
  request->parked = 0;
  request->timer = 0;
  in_flight_ += 1;
  return request;
}

Produces::Entry* Produces::take_entry(Request* request) {
  if (idle_entries_.empty()) idle_entries_.push_back(new Entry);
  Entry* entry = idle_entries_.back();
  idle_entries_.pop_back();
  entry->produces = this;
  entry->request = request;
  entry->following = nullptr;
  entry->home = options_.reactor;
  entry->slot = -1;
  entry->topic_handle = -1;
  entry->needs_frame = true;
  entry->is_early = false;
  entry->notice.entry = entry;
  entry->notice.home = options_.reactor;
  entry->notice.is_sent = entry->notice.is_back = false;
  ProduceOp& op = entry->op;
  op.records = nullptr;
  op.records_bytes = 0;
  op.refusal.error = ErrorCode::kNone;
  op.refusal.has_log_start = false;
  op.refusal.message = nullptr;
  op.refusal.records.clear();
  op.is_judged = op.is_doubted = false;
  op.base_offset = op.last_offset = op.log_append_time = op.log_start_offset = -1;
  op.done = &Produces::op_done;
  op.written = &Produces::op_written;
  op.context = entry;
  if (request->last != nullptr) {
    request->last->following = entry;
  } else {
    request->first = entry;
  }
  request->last = entry;
  request->entries += 1;
  return entry;
}

void Produces::recycle(Request* request) {
  for (Entry* entry = request->first; entry != nullptr;) {
    Entry* following = entry->following;
    if (idle_entries_.size() < kIdleEntriesMax) {
      idle_entries_.push_back(entry);
    } else {
      delete entry;
    }
    entry = following;
  }
  request->first = request->last = nullptr;
  in_flight_ -= 1;
  idle_requests_.push_back(request);
}

// --- start

void Produces::start(Context& context, const RequestFrame& frame) {
  count(context, counter::kRequestsProduce);
  Request* request = take_request();
  request->frame = frame;
  ByteReader in(Bytes{frame.body, frame.body_bytes});
  if (!request->parsed.read(in, frame.api_version) ||
      has_too_many(request->parsed, frame.body_bytes)) {
    context.release_frame(frame.ref);
    recycle(request);
    context.close_connection(frame.ref, DisconnectReason::kMalformed);
    return;
  }
  const gen::ProduceRequest& parsed = request->parsed;
  request->deadline_us = context.now_us() + std::max<int64_t>(parsed.timeout_ms, 0) * int64_t{1000};
  gen::ProduceRequest::TopicData topic_data;
  gen::ProduceRequest::PartitionData data;
  for (auto topics = parsed.topic_data; topics.next(&topic_data);) {
    const TopicRoute* topic = frame.api_version >= kTopicIdSince
                                  ? context.topics().by_id(topic_data.topic_id)
                                  : context.topics().by_name(topic_data.name);
    for (auto partitions = topic_data.partition_data; partitions.next(&data);) {
      admit(context, request, topic, data);
    }
  }
  if (--request->unfinished == 0) return answer(context, request);
  if (--request->framed == 0) let_go_of_frame(context, request);
}

void Produces::admit(Context& context, Request* request, const TopicRoute* topic,
                     const gen::ProduceRequest::PartitionData& data) {
  Entry* entry = take_entry(request);
  request->unfinished += 1;
  request->framed += 1;
  entry->index = data.index;
  if (topic == nullptr) {
    return end(context, entry,
               request->frame.api_version >= kTopicIdSince ? ErrorCode::kUnknownTopicId
                                                           : ErrorCode::kUnknownTopicOrPartition);
  }
  if (data.index < 0 || static_cast<size_t>(data.index) >= topic->partitions.size()) {
    return end(context, entry, ErrorCode::kUnknownTopicOrPartition);
  }
  entry->topic_handle = topic->handle;
  entry->is_internal = topic->is_internal;
  // The frame is ours to patch: the view is const only because it came through a reader.
  entry->op.records = const_cast<uint8_t*>(data.records.data());
  entry->op.records_bytes = static_cast<int32_t>(data.records.size());
  entry->op.acks = request->parsed.acks;
  entry->op.api_version = request->frame.api_version;
  entry->op.transactional_id = request->parsed.transactional_id;
  entry->op.deadline_us = request->deadline_us;
  judge(context, entry);
}

// Asks for the verdict, then checks what does not depend on the partition's state.
void Produces::judge(Context& context, Entry* entry) {
  Request* request = entry->request;
  const int32_t principal = request->frame.principal;
  const int32_t operation = topic_operation::kWrite;
  switch (context.verdicts().find(principal, entry->topic_handle, operation)) {
    case VerdictKind::kAsk:
      if (context.verdicts().ask(principal, entry->topic_handle, operation)) {
        Fact needed;
        needed.kind = fact::kVerdictNeeded;
        needed.a = principal;
        needed.b = entry->topic_handle;
        needed.c = operation;
        context.fact(needed);
      }
      return park(context, entry);
    case VerdictKind::kDenied:
      return end(context, entry, ErrorCode::kTopicAuthorizationFailed);
    case VerdictKind::kAllowed:
      break;
  }
  ErrorCode error = ErrorCode::kNone;
  const int32_t size = only_batch(entry->op.records, entry->op.records_bytes,
                                  request->frame.api_version >= kZstdSince, &error);
  const int16_t acks = request->parsed.acks;
  // A transaction has a name and a producer: else nobody could say that it is open.
  if (error == ErrorCode::kNone && size >= kBatchHeaderBytes) {
    const RecordBatch batch(entry->op.records, static_cast<size_t>(size));
    if (batch.is_transactional() && request->parsed.transactional_id.data() == nullptr) {
      error = ErrorCode::kTransactionalIdAuthorizationFailed;
    } else if (batch.is_transactional() && !batch.has_producer_id()) {
      error = ErrorCode::kInvalidTxnState;
    }
  }
  if (error == ErrorCode::kNone && acks != 0 && acks != 1 && acks != -1) {
    error = ErrorCode::kInvalidRequiredAcks;
  }
  if (error == ErrorCode::kNone && entry->is_internal && !request->frame.is_admin_client) {
    error = ErrorCode::kInvalidTopicException;
  }
  if (error != ErrorCode::kNone) return end(context, entry, error);
  entry->op.records_bytes = size;
  if (!parked_.empty() && is_behind_parked(entry)) return park(context, entry);
  launch(context, entry);
}

// --- parked

// One producer's batches for one partition keep their order.
bool Produces::is_behind_parked(const Entry* entry) const {
  const auto producer_of = [](const Entry& e) {
    if (e.op.records == nullptr || e.op.records_bytes < kBatchHeaderBytes) return kNoProducerId;
    return RecordBatch(e.op.records, static_cast<size_t>(e.op.records_bytes)).producer_id();
  };
  const int64_t producer_id = producer_of(*entry);
  if (producer_id < 0) return false;
  auto& parked = const_cast<Produces*>(this)->parked_;
  for (Entry* older = parked.front(); older != nullptr && older != entry;
       older = parked.next(older)) {
    if (older->topic_handle == entry->topic_handle && older->index == entry->index &&
        producer_of(*older) == producer_id) {
      return true;
    }
  }
  return false;
}

void Produces::park(Context& context, Entry* entry) {
  parked_.push_back(entry);
  Request* request = entry->request;
  request->parked += 1;
  if (request->timer == 0) {
    request->timer = context.start_timer(request->deadline_us, &Produces::parked_too_long, request);
  }
}

void Produces::settle_timer(Context& context, Request* request) {
  if (request->parked > 0 || request->timer == 0) return;
  context.cancel_timer(std::exchange(request->timer, 0));
}

void Produces::release(Context& context) {
  if (parked_.empty()) return;
  // Each is judged anew, oldest first; what parks again is older than all that follow.
  IntrusiveList<Entry, &Entry::parked_link> released;
  while (Entry* entry = parked_.pop_front()) released.push_back(entry);
  while (Entry* entry = released.pop_front()) {
    entry->request->parked -= 1;
    judge(context, entry);
  }
}

void Produces::parked_too_long(void* object, PartitionHost& host) {
  Request* request = static_cast<Request*>(object);
  Produces* self = request->produces;
  Context& context = context_of(host);
  request->timer = 0;
  request->unfinished += 1;
  for (Entry* entry = request->first; entry != nullptr; entry = entry->following) {
    if (entry->parked_link.linked()) self->end(context, entry, ErrorCode::kRequestTimedOut);
  }
  if (--request->unfinished == 0) self->answer(context, request);
  self->release(context);
}

void Produces::disconnected(Context& context, uint64_t conn) {
  bool has_ended = false;
  for (Entry* entry = parked_.front(); entry != nullptr;) {
    Entry* following = parked_.next(entry);
    if (entry->request->frame.ref.conn == conn) {
      end(context, entry, ErrorCode::kNetworkException);
      has_ended = true;
    }
    entry = following;
  }
  if (has_ended) release(context);
}

void Produces::close(Context& context) {
  while (Entry* entry = parked_.front()) end(context, entry, ErrorCode::kNotLeaderOrFollower);
}

// --- on its way

void Produces::launch(Context& context, Entry* entry) {
  settle_timer(context, entry->request);
  const TopicRoute* topic = context.topics().by_handle(entry->topic_handle);
  if (topic == nullptr || static_cast<size_t>(entry->index) >= topic->partitions.size()) {
    return end(context, entry, ErrorCode::kUnknownTopicOrPartition);
  }
  Partition* partition = replica_of(context, *topic, entry->index);
  if (partition == nullptr) {
    const int32_t slot = topic->partitions[static_cast<size_t>(entry->index)].slot;
    return end(
        context, entry,
        slot == kUnservedSlot ? ErrorCode::kKafkaStorageError : ErrorCode::kNotLeaderOrFollower);
  }
  entry->slot = partition->slot();
  entry->incarnation = partition->incarnation();
  if (partition->owner() == context.reactor()) return partition->produce(&entry->op, context);
  entry->run = &Produces::run_at_owner;
  send(entry, partition->owner(), context);
}

void Produces::send(PartitionWork* work, int reactor, PartitionHost& host) {
  if (host.post(reactor, work)) return;
  count(host, counter::kMailboxFull);
  host.start_timer(host.now_us() + kPostAgainUs, &Produces::post_again, work);
}

void Produces::post_again(void* object, PartitionHost& host) {
  PartitionWork* work = static_cast<PartitionWork*>(object);
  const bool goes_home = work->run != &Produces::run_at_owner;
  send(work, goes_home ? work->home : context_of(host).owner(work->slot), host);
}

void Produces::run_at_owner(PartitionWork* work, PartitionHost& host) {
  Entry* entry = static_cast<Entry*>(work);
  Partition* partition = context_of(host).partition(entry->slot);
  if (partition != nullptr && partition->incarnation() == entry->incarnation) {
    return partition->produce(&entry->op, host);
  }
  entry->op.refusal.error = ErrorCode::kNotLeaderOrFollower;
  op_done(&entry->op, host);
}

void Produces::op_written(ProduceOp* op, PartitionHost& host) {
  Entry* entry = static_cast<Entry*>(op->context);
  if (host.reactor() == entry->home) return entry->produces->written(context_of(host), entry);
  entry->notice.run = &Produces::notice_at_home;
  entry->notice.is_sent = true;
  send(&entry->notice, entry->home, host);
}

void Produces::notice_at_home(PartitionWork* work, PartitionHost& host) {
  Notice* notice = static_cast<Notice*>(work);
  Entry* entry = notice->entry;
  notice->is_back = true;
  if (entry->is_early) return entry->produces->finished(context_of(host), entry);
  entry->produces->written(context_of(host), entry);
}

void Produces::op_done(ProduceOp* op, PartitionHost& host) {
  Entry* entry = static_cast<Entry*>(op->context);
  if (host.reactor() == entry->home) return entry->produces->finished(context_of(host), entry);
  entry->run = &Produces::run_at_home;
  send(entry, entry->home, host);
}

void Produces::run_at_home(PartitionWork* work, PartitionHost& host) {
  Entry* entry = static_cast<Entry*>(work);
  entry->produces->finished(context_of(host), entry);
}

void Produces::end(Context& context, Entry* entry, ErrorCode error) {
  if (entry->parked_link.linked()) {
    parked_.remove(entry);
    entry->request->parked -= 1;
  }
  settle_timer(context, entry->request);
  entry->op.refusal.error = error;
  finished(context, entry);
}

// Its records are in the log, but it is not done.
void Produces::written(Context& context, Entry* entry) {
  if (!std::exchange(entry->needs_frame, false)) return;
  if (--entry->request->framed == 0) let_go_of_frame(context, entry->request);
}

void Produces::finished(Context& context, Entry* entry) {
  // A full mailbox may have let it overtake its notice, which names it still.
  entry->is_early = entry->notice.is_sent && !entry->notice.is_back;
  if (entry->is_early) return;
  Request* request = entry->request;
  if (entry->op.refusal.error != ErrorCode::kNone) count(context, counter::kProduceRejected);
  if (--request->unfinished == 0) return answer(context, request);
  written(context, entry);
}

bool Produces::keep_topics(Request* request) {
  const gen::ProduceRequest& parsed = request->parsed;
  if (std::max(request->entries, parsed.topic_data.count) > kKeptEntriesMax) return false;
  request->topics.clear();
  request->names.clear();
  gen::ProduceRequest::TopicData topic;
  for (auto topics = parsed.topic_data; topics.next(&topic);) {
    if (request->names.size() + topic.name.size() > kKeptNameBytesMax) return false;
    request->topics.push_back({static_cast<uint32_t>(request->names.size()),
                               static_cast<uint32_t>(topic.name.size()), topic.topic_id,
                               topic.partition_data.count});
    request->names.insert(request->names.end(), topic.name.begin(), topic.name.end());
  }
  return true;
}

// Nothing reads its batches any more, and what waits does so for others.
void Produces::let_go_of_frame(Context& context, Request* request) {
  if (!keep_topics(request)) return;
  request->holds_frame = false;
  request->frame.body = nullptr;
  context.release_frame(request->frame.ref);
}

// --- answer

void Produces::answer(Context& context, Request* request) {
  const RequestRef ref = request->frame.ref;
  if (request->parsed.acks == 0) {
    bool has_failed = false;
    for (Entry* entry = request->first; entry != nullptr; entry = entry->following) {
      has_failed = has_failed || entry->op.refusal.error != ErrorCode::kNone;
    }
    if (request->holds_frame) context.release_frame(ref);
    recycle(request);
    if (has_failed) return context.close_connection(ref, DisconnectReason::kProduceFailed);
    return context.no_response(ref);
  }
  Response response = context.take_response();
  write_response(context, request, &response);
  if (request->holds_frame) context.release_frame(ref);
  recycle(request);
  context.respond(ref, std::move(response));
}

void Produces::write_response(Context& context, Request* request, Response* response) {
  const int16_t version = request->frame.api_version;
  begin_response(response, request->frame.correlation_id,
                 gen::ProduceResponse::is_flexible(version));
  gen::VectorSink sink(response->memory());
  endpoints_.clear();
  gen::ProduceResponse head;
  head.responses.count = request->parsed.topic_data.count;
  head.write_to_responses(sink, version);
  const Entry* entry = request->first;
  if (request->holds_frame) {
    gen::ProduceRequest::TopicData topic;
    for (auto topics = request->parsed.topic_data; topics.next(&topic);) {
      entry = write_topic(context, request, topic.name, topic.topic_id, topic.partition_data.count,
                          entry, response);
    }
  } else {
    for (const KeptTopic& topic : request->topics) {
      const std::string_view name(request->names.data() + topic.name_begin, topic.name_bytes);
      entry = write_topic(context, request, name, topic.id, topic.partitions, entry, response);
    }
  }
  head.write_rest(sink, version, endpoints_);
  response->finish();
}

// Returns the first entry of the next topic.
const Produces::Entry* Produces::write_topic(Context& context, Request* request,
                                             std::string_view name, const gen::Uuid& id,
                                             int32_t partitions, const Entry* entry,
                                             Response* response) {
  const int16_t version = request->frame.api_version;
  gen::VectorSink sink(response->memory());
  gen::ProduceResponse::Response topic;
  topic.name = name;
  topic.topic_id = id;
  topic.partition_responses.count = partitions;
  topic.write_to_partition_responses(sink, version);
  for (int32_t i = 0; i < partitions; i += 1, entry = entry->following) {
    write_partition(context, request, *entry, response);
  }
  topic.write_rest(sink, version);
  return entry;
}

void Produces::write_partition(Context& context, Request* request, const Entry& entry,
                               Response* response) {
  const int16_t version = request->frame.api_version;
  const ProduceOp& op = entry.op;
  gen::VectorSink sink(response->memory());
  gen::ProduceResponse::PartitionResponse partition;
  partition.index = entry.index;
  partition.error_code = static_cast<int16_t>(op.refusal.error);
  partition.base_offset = op.base_offset;
  partition.log_append_time_ms = op.log_append_time;
  partition.log_start_offset = op.log_start_offset;
  partition.record_errors.count = static_cast<int32_t>(op.refusal.records.size());
  if (op.refusal.message != nullptr) partition.error_message = op.refusal.message;
  if (version >= kLeaderSince && op.refusal.error == ErrorCode::kNotLeaderOrFollower) {
    const TopicRoute* topic = context.topics().by_handle(entry.topic_handle);
    const LeaderIdAndEpoch leader = current_leader(context, topic, entry.index);
    partition.current_leader = {leader.id, leader.epoch};
    add_endpoint(context, request->frame.listener, leader.id, &endpoints_);
  }
  partition.write_to_record_errors(sink, version);
  if (version >= 8) {
    for (const RecordError& refused : op.refusal.records) {
      gen::ProduceResponse::RecordError error;
      error.batch_index = refused.index;
      error.batch_index_error_message = refused.why;
      error.write(sink, version);
    }
  }
  partition.write_rest(sink, version);
}

}  // namespace ottla
