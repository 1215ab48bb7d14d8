// Fetches one after another, and holds what comes against what was sent.
#include "consumer.h"

#include <algorithm>

namespace ottla::load {
namespace {

constexpr int16_t kSessionsSince = 7;
constexpr int32_t kNoSession = -1;
constexpr int kSessionNotFound = 70, kSessionEpochInvalid = 71;
constexpr size_t kBufferBytes = 4 << 20;

}  // namespace

Consumer::Consumer(Run& run, Group& group, int member, const std::vector<int64_t>& offsets)
    : run_(run), group_(group) {
  for (int p = member; p < run.cluster.partitions; p += run.options.group_connections) {
    partitions_.push_back({p, offsets[static_cast<size_t>(p)]});
  }
}

bool Consumer::open(std::string* problem) {
  if (!connection_.open(run_.cluster.host, run_.cluster.port, false, problem)) return false;
  connection_.reserve(kBufferBytes);
  return true;
}

bool Consumer::fetch() {
  const int16_t version = run_.cluster.fetch_version;
  const Options& options = run_.options;
  const bool is_full = session_id_ == 0;
  begin_frame(&request_, gen::kFetchKey, version, ++correlation_);
  gen::VectorSink sink(request_);
  gen::FetchRequest request;
  request.max_wait_ms = options.fetch_max_wait_ms;
  request.min_bytes = options.fetch_min_bytes;
  request.max_bytes = options.fetch_bytes;
  request.session_id = session_id_;
  request.session_epoch = version >= kSessionsSince ? session_epoch_ : kNoSession;
  int32_t count = 0;
  for (const Partition& partition : partitions_) count += is_full || partition.is_changed ? 1 : 0;
  request.topics.count = count > 0 ? 1 : 0;
  request.write_to_topics(sink, version);
  if (count > 0) {
    gen::FetchRequest::Topic topic;
    topic.topic = run_.cluster.topic.name;
    topic.topic_id = run_.cluster.topic.id;
    topic.partitions.count = count;
    topic.write_to_partitions(sink, version);
    for (Partition& partition : partitions_) {
      if (!is_full && !partition.is_changed) continue;
      partition.is_changed = false;
      gen::FetchRequest::Partition wanted;
      wanted.partition = partition.number;
      wanted.fetch_offset = partition.offset;
      wanted.partition_max_bytes = options.fetch_partition_bytes;
      wanted.write(sink, version);
    }
    topic.write_rest(sink, version);
  }
  request.write_to_forgotten_topics_data(sink, version);
  request.write_rest(sink, version);
  end_frame(&request_);
  connection_.queue(request_);
  return connection_.flush();
}

bool Consumer::on_readable() {
  bool answered = false;
  const bool is_there = connection_.receive([&](Bytes frame) {
    on_answer(frame, now_ns());
    answered = true;
  });
  return is_there && (!answered || fetch());
}

void Consumer::on_answer(Bytes frame, int64_t now) {
  const int16_t version = run_.cluster.fetch_version;
  ByteReader in(frame);
  gen::FetchResponse response;
  if (!read_response_header(in, gen::kFetchKey, version, correlation_) ||
      !response.read(in, version)) {
    group_.corrupt += 1;
    return;
  }
  if (response.error_code != 0) {
    session_id_ = 0;
    session_epoch_ = 0;
    const bool is_forgotten =
        response.error_code == kSessionNotFound || response.error_code == kSessionEpochInvalid;
    if (!is_forgotten) run_.errors[response.error_code] += 1;
    return;
  }
  session_id_ = response.session_id;
  session_epoch_ = session_id_ == 0 ? 0 : session_epoch_ + 1;
  gen::FetchResponse::Response topic;
  gen::FetchResponse::Partition partition;
  const int members = run_.options.group_connections;
  for (auto topics = response.responses; topics.next(&topic);) {
    for (auto all = topic.partitions; all.next(&partition);) {
      const auto at = static_cast<size_t>(partition.partition_index / members);
      if (partition.error_code != 0) {
        run_.errors[partition.error_code] += 1;
      } else if (at < partitions_.size() && partitions_[at].number == partition.partition_index) {
        take(partitions_[at], partition.records, now);
      } else {
        group_.corrupt += 1;
      }
    }
  }
}

void Consumer::take(Partition& partition, Bytes records, int64_t now) {
  BatchView batch;
  for (;;) {
    const Next next = next_batch(&records, &batch);
    if (next == Next::kCorrupt) group_.corrupt += 1;
    if (next != Next::kBatch) return;
    if (batch.last_offset() < partition.offset) continue;  // fetches start at whole index entries
    if (batch.base_offset != partition.offset) group_.missing += 1;
    partition.offset = batch.last_offset() + 1;
    partition.is_changed = true;
    take_stamps(batch, partition, now);
  }
}

// A compressed batch has one stream per partition, and says in its timestamp which batch it is.
void Consumer::take_stamps(const BatchView& batch, Partition& partition, int64_t now) {
  if (batch.codec == Codec::kNone) {
    const bool is_well = each_stamp(batch, [&](const Stamp& stamp) {
      count(stamp.stream, stamp.sequence, 1, now);
      if (static_cast<int>(stamp.stream) >= run_.options.first_stream)
        end_to_end(stamp.due_ns, now);
    });
    if (!is_well) group_.corrupt += 1;
    return;
  }
  const auto own = static_cast<size_t>(partition.number);
  const size_t stream = static_cast<size_t>(run_.options.first_stream) + own;
  const auto records = static_cast<uint64_t>(batch.records);
  if (stream >= group_.expected.size()) group_.expected.resize(stream + 1, 0);
  const int64_t expected = static_cast<int64_t>(group_.expected[stream] / records);
  const int64_t number = batch.base_timestamp - run_.epoch_ms;
  if (run_.options.produce && number != expected % kTimestampNumbers) group_.missing += 1;
  count(stream, static_cast<uint64_t>(expected) * records, records, now);
  if (!run_.is_open_loop()) return;
  const int64_t due = run_.due_ns(expected * run_.streams + partition.number);
  for (uint64_t i = 0; i < records; ++i) end_to_end(due, now);
}

void Consumer::count(size_t stream, uint64_t first, uint64_t records, int64_t now) {
  constexpr size_t kStreamsMax = 1 << 20;
  if (stream >= kStreamsMax) {
    group_.corrupt += 1;
    return;
  }
  const bool is_own = stream >= static_cast<size_t>(run_.options.first_stream);
  group_.saw(stream, first, records);
  const auto counted = static_cast<int64_t>(records);
  (is_own ? group_.records : group_.backlog) += counted;
  run_.second(now).consumed += counted;
  if (run_.is_measured(now)) run_.consumed_in_window += counted;
}

void Consumer::end_to_end(int64_t due_ns, int64_t now) {
  if (!run_.is_measured(due_ns)) return;
  const int64_t us = (now - due_ns) / 1000;
  group_.end_to_end.record(us);
  Second& second = run_.second(now);
  second.end_to_end_max_us = std::max(second.end_to_end_max_us, us);
}

}  // namespace ottla::load
