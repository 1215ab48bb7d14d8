// Fetches: what leaves. See fetch.h.
//
// Records of 16 KiB and more leave as a file range (sendfile); less is copied behind its header, so
// that many small partitions go out in one write (PERFORMANCE §1).
#include <algorithm>
#include <utility>

#include "../gen/layout.h"
#include "fetch.h"
#include "leaders.h"

namespace ottla {

using gen::ErrorCode;

namespace {

constexpr int64_t kCopiedBytesMax = 16 * 1024;
constexpr int16_t kTopicIdSince = 13;
constexpr int16_t kLeaderSince = 16;

}  // namespace

// From what was appended last, where that is this reactor's; else from the page cache. kWouldBlock:
// it is not in memory.
Status Fetches::copy_records(Context& context, Partition* source, const Read& read, uint8_t* into) {
  const ReadSlice& slice = read.result.slice;
  const bool is_ours = source != nullptr && source->owner() == context.reactor();
  if (is_ours && source->log().copy_tail(slice, into)) return Status::good();
  ColdRead known{kOtherHandle};
  const Impatient now(context.io(), &known);
  const auto bytes = static_cast<size_t>(slice.bytes());
  size_t got = 0;
  OTTLA_TRY(context.io().read(slice.file(), into, bytes, slice.position(), &got));
  return got == bytes ? Status::good() : Status::fail(Code::kCorrupt, "slice is shorter");
}

// Which partitions the response carries, and what the session will remember of it.
void Fetches::settle_session(Context& context, Pending* pending, ErrorCode* error, int32_t* id) {
  *error = pending->session_error;
  *id = 0;
  for (Read& read : pending->reads) read.is_included = true;
  if (pending->session_kind == SessionKind::kIncremental) {
    *id = pending->session->id;
    if (pending->session->epoch != pending->session_epoch) {
      *error = ErrorCode::kInvalidFetchSessionEpoch;
      for (Read& read : pending->reads) read.is_included = false;
      return;
    }
    if (reads_due(*pending)) return settle_cells(context, pending);
    // Known ones before unknown ones, as they are sent.
    for (const bool unknown : {false, true}) {
      for (size_t i = 0; i < pending->reads.size(); i += 1) {
        Read& read = pending->reads[i];
        if (read.is_unknown != unknown) continue;
        read.is_included = pending->session->settle(key_of(pending->targets[i]), outcome_of(read));
      }
    }
  } else if (pending->session_kind == SessionKind::kFull) {
    FetchSession* session =
        sessions_.create(pending->replica_id >= 0, pending->frame.api_version >= kTopicIdSince,
                         static_cast<uint32_t>(pending->targets.size()), context.now_us() / 1000,
                         context.io().random());
    if (session == nullptr) return;
    *id = session->id;
    for (const bool unknown : {false, true}) {
      for (size_t i = 0; i < pending->reads.size(); i += 1) {
        if (pending->reads[i].is_unknown != unknown) continue;
        session->put(pending->targets[i]);
        session->note(key_of(pending->targets[i]), outcome_of(pending->reads[i]));
      }
    }
  }
}

// The same for what a session had to read.
void Fetches::settle_cells(Context& context, Pending* pending) {
  for (const bool unknown : {false, true}) {
    for (size_t i = 0; i < pending->reads.size(); i += 1) {
      Read& read = pending->reads[i];
      if (read.is_unknown != unknown) continue;
      read.is_included = pending->session->settle(pending->cells[i], outcome_of(read));
    }
  }
  for (size_t i = 0; i < pending->cells.size(); i += 1) attend_idle(context, pending, i);
}

void Fetches::write_response(Context& context, Pending* pending, Response* response) {
  const int16_t version = pending->frame.api_version;
  begin_response(response, pending->frame.correlation_id, gen::FetchResponse::is_flexible(version));
  ErrorCode error = ErrorCode::kNone;
  gen::FetchResponse head;
  settle_session(context, pending, &error, &head.session_id);
  CounterRow counters(context.counters(), kCounterColumns);
  counters.set(counter::kFetchSessions, static_cast<double>(sessions_.count()));
  counters.set(counter::kFetchSessionEvictions, static_cast<double>(sessions_.evictions()));
  head.error_code = static_cast<int16_t>(error);

  order_.clear();
  for (const bool unknown : {false, true}) {
    for (uint32_t i = 0; i < pending->reads.size(); i += 1) {
      const Read& read = pending->reads[i];
      if (read.is_included && read.is_unknown == unknown) order_.push_back(i);
    }
  }
  // Neighbours of one topic share its entry.
  const auto is_same_topic = [&](uint32_t a, uint32_t b) {
    const FetchTarget& x = pending->targets[a];
    const FetchTarget& y = pending->targets[b];
    return x.topic == y.topic && x.topic_id == y.topic_id;
  };
  const auto run_end = [&](size_t from) {
    size_t to = from + 1;
    while (to < order_.size() && is_same_topic(order_[from], order_[to])) to += 1;
    return to;
  };
  head.responses.count = 0;
  for (size_t at = 0; at < order_.size(); at = run_end(at)) head.responses.count += 1;
  endpoints_.clear();
  gen::VectorSink sink(response->memory());
  head.write_to_responses(sink, version);
  for (size_t at = 0; at < order_.size();) {
    const size_t end = run_end(at);
    gen::FetchResponse::Response topic;
    topic.topic = pending->targets[order_[at]].topic;
    topic.topic_id = pending->targets[order_[at]].topic_id;
    topic.partitions.count = static_cast<int32_t>(end - at);
    topic.write_to_partitions(sink, version);
    for (; at < end; at += 1) write_partition(context, pending, order_[at], response);
    topic.write_rest(sink, version);
  }
  head.write_rest(sink, version, endpoints_);
  response->finish();
}

void Fetches::write_partition(Context& context, Pending* pending, size_t target,
                              Response* response) {
  const int16_t version = pending->frame.api_version;
  Read& read = pending->reads[target];
  const FetchResult& result = read.result;
  CounterRow counters(context.counters(), kCounterColumns);
  gen::FetchResponse::Partition partition;
  partition.partition_index = pending->targets[target].partition;
  partition.error_code = static_cast<int16_t>(result.error);
  partition.high_watermark = result.high_watermark;
  partition.last_stable_offset = result.last_stable_offset;
  partition.log_start_offset = result.log_start_offset;
  partition.diverging_epoch = {result.diverging_epoch, result.diverging_end_offset};
  const bool asks_elsewhere = result.error == ErrorCode::kNotLeaderOrFollower ||
                              result.error == ErrorCode::kFencedLeaderEpoch;
  if (asks_elsewhere && version >= kLeaderSince) {
    const TopicRoute* topic = context.topics().by_handle(read.topic_handle);
    const LeaderIdAndEpoch leader =
        current_leader(context, topic, pending->targets[target].partition);
    partition.current_leader = {leader.id, leader.epoch};
    add_endpoint(context, pending->frame.listener, leader.id, &endpoints_);
  }
  // Null but for read_committed; an empty list where the partition was not even looked for.
  aborted_.clear();
  const bool is_committed_read = result.error == ErrorCode::kNone && pending->replica_id < 0 &&
                                 pending->parsed.isolation_level == 1 && result.diverging_epoch < 0;
  Partition* source = read.slot < 0 ? nullptr : context.partition(read.slot);
  // Without them what was aborted would be taken for committed.
  bool is_readable = true;
  if (is_committed_read && read.bytes > 0 && source != nullptr) {
    is_readable = source->log()
                      .collect_aborted(context.io(), pending->targets[target].offset,
                                       result.last_stable_offset, &aborted_)
                      .ok();
  }
  partition.aborted_transactions.count =
      is_committed_read || read.is_unknown ? static_cast<int32_t>(aborted_.size()) : -1;
  if (result.error != ErrorCode::kNone) counters.add(counter::kFetchRejected, 1);
  const size_t begin = response->memory().size();
  if (is_readable && write_records(context, source, partition, version, &read, response)) {
    counters.add(counter::kFetchBytes, static_cast<double>(read.bytes));
    if (source != nullptr) source->count_bytes_out(read.bytes);
    return;
  }
  // The records could not be read after all: take back what was said.
  response->memory().resize(begin);
  partition.error_code = static_cast<int16_t>(ErrorCode::kKafkaStorageError);
  partition.high_watermark = partition.last_stable_offset = partition.log_start_offset = -1;
  partition.aborted_transactions.count = -1;
  read.bytes = 0;
  read.result.slice = ReadSlice();
  (void)write_records(context, source, partition, version, &read, response);
}

// The partition with its records. False when they cannot be read.
bool Fetches::write_records(Context& context, Partition* source,
                            const gen::FetchResponse::Partition& partition, int16_t version,
                            Read* read, Response* response) {
  std::vector<uint8_t>& out = response->memory();
  gen::VectorSink sink(out);
  partition.write_to_aborted_transactions(sink, version);
  for (int32_t i = 0; i < partition.aborted_transactions.count; i += 1) {
    gen::FetchResponse::AbortedTransaction aborted;
    aborted.producer_id = aborted_[static_cast<size_t>(i)].producer_id;
    aborted.first_offset = aborted_[static_cast<size_t>(i)].first_offset;
    aborted.write(sink, version);
  }
  partition.write_to_records(sink, version, static_cast<int32_t>(read->bytes));
  if (read->bytes >= kCopiedBytesMax) {
    response->add_slice(std::move(read->result.slice));
  } else if (read->bytes > 0) {
    const size_t at = out.size();
    out.resize(at + static_cast<size_t>(read->bytes));
    const Status status = copy_records(context, source, *read, out.data() + at);
    if (status.code == Code::kWouldBlock) {  // whoever sends it lets a helper read it
      out.resize(at);
      response->add_slice(std::move(read->result.slice));
    } else if (!status.ok()) {
      return false;
    }
  }
  partition.write_rest(sink, version);
  return true;
}

}  // namespace ottla
