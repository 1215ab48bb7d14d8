// What the tests of partitions and requests share: reactors without sockets or threads, on the
// simulated world.
//
// A Node has some FakeReactors, which take turns on one thread: mail, timers, end of turn, like the
// real ones. Requests go in as bodies and come out as parsed responses; time moves only by
// advance_ms().
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../../native/base/signal_set.h"
#include "../../native/base/tail_pool.h"
#include "../../native/gen/layout.h"
#include "../../native/io/sim.h"
#include "../../native/partition/partition.h"
#include "../../native/request/requests.h"
#include "../../native/request/topics.h"
#include "../../native/request/verdicts.h"
#include "log_fixture.h"

namespace ottla::test {

using gen::ErrorCode;

struct Node;

class FakeReactor final : public Context {
 public:
  FakeReactor(Node* node, int index, int reactors, bool asks);

  Io& io() override { return *io_; }
  int reactor() const override { return index_; }
  int64_t now_us() const override;
  int64_t wall_ms() const override;
  double* counters() override { return counters_; }
  FetchPurgatory& purgatory() override { return purgatory_; }
  bool post(int reactor, PartitionWork* work) override;
  void signal(int reactor, int32_t slot) override;
  void hear() override { (void)hear_signals(); }
  bool hear_signals() {
    return signals_.take([this](size_t slot) { purgatory_.wake(static_cast<int32_t>(slot)); });
  }
  void lend(DiskWork* work) override { lent_.push_back(work); }
  bool is_stuck(int32_t) override { return disk_is_stuck; }
  void unlink_later(int32_t, std::vector<std::string> paths, int64_t delay_ms) override {
    for (std::string& path : paths) doomed.emplace_back(std::move(path), delay_ms);
    if (!holds_doomed) unlink_doomed();
  }
  void unlink_doomed() {
    for (const auto& [path, delay_ms] : std::exchange(doomed, {})) Log::unlink(*io_, {path});
  }
  void touch(Partition* partition) override {
    if (std::find(touched_.begin(), touched_.end(), partition) == touched_.end()) {
      touched_.push_back(partition);
    }
  }
  uint64_t start_timer(int64_t deadline_us, void (*run)(void*, PartitionHost&),
                       void* object) override {
    timers_[++last_timer_] = {deadline_us, run, object};
    return last_timer_;
  }
  void cancel_timer(uint64_t timer) override { timers_.erase(timer); }
  void fact(const Fact& fact) override { facts.push_back(fact); }
  void directory_failed(const std::string&, int error) override {
    Fact failed;
    failed.kind = fact::kDirectoryFailed;
    failed.status = error;
    facts.push_back(failed);
  }
  TopicTable& topics() override { return topics_; }
  VerdictTable& verdicts() override { return verdicts_; }
  Requests& requests() override { return *requests_; }
  Partition* partition(int32_t slot) override;
  int owner(int32_t slot) const override;
  void respond(RequestRef request, Response&& response) override;
  void no_response(RequestRef request) override { silent.push_back(request.sequence); }
  void close_connection(RequestRef request, DisconnectReason reason) override {
    closed[request.sequence] = reason;
  }
  Response take_response() override { return Response(); }
  void release_frame(RequestRef request) override { frames_.erase(request.sequence); }

  // Puts a request in; its sequence number finds the answer.
  uint32_t produce(int16_t version, const std::vector<uint8_t>& body, int32_t principal = 0);
  uint32_t fetch(int16_t version, const std::vector<uint8_t>& body, int32_t principal = 0);
  bool turn();  // false: nothing to do
  int64_t next_deadline_us() const;

  std::map<uint32_t, std::vector<uint8_t>> responses;  // bodies, after the header
  std::map<uint32_t, int> slices;                      // file fragments of each response
  std::vector<uint32_t> silent;
  std::map<uint32_t, DisconnectReason> closed;
  std::vector<Fact> facts;
  int mailbox_room = INT32_MAX;
  std::string crossed;  // what left for other reactors, in order: 'm' is mail, 's' a signal
  int64_t looks = 0;    // at partitions, of whatever reactor
  bool disk_is_stuck = false;
  bool holds_lent = false;                              // the helper is busy elsewhere
  bool holds_doomed = false;                            // files stay until unlink_doomed()
  std::vector<std::pair<std::string, int64_t>> doomed;  // with their delays
  size_t lent() const { return lent_.size(); }
  void help_one() {
    DiskWork* work = lent_.front();
    lent_.pop_front();
    work->help(work, *io_);
    work->run(work, *this);
  }
  double counter(size_t column) const { return counters_[column]; }
  size_t frames_held() const { return frames_.size(); }

 private:
  struct Timer {
    int64_t deadline_us;
    void (*run)(void*, PartitionHost&);
    void* object;
  };
  friend struct Node;
  RequestFrame take(int16_t version, const std::vector<uint8_t>& body, int32_t principal);

  Node* const node_;
  const int index_;
  std::unique_ptr<Io> io_;
  alignas(8) double counters_[kCounterColumns] = {};
  FetchPurgatory purgatory_;
  TopicTable topics_;
  VerdictTable verdicts_;
  std::unique_ptr<Requests> requests_;
  std::deque<PartitionWork*> mail_;
  SignalSet signals_{1 << 16};
  std::deque<DiskWork*> lent_;
  std::vector<Partition*> touched_;
  std::map<uint64_t, Timer> timers_;
  uint64_t last_timer_ = 0;
  std::map<uint32_t, std::vector<uint8_t>> frames_;
  std::map<uint32_t, bool> flexible_;
};

// A broker without a network. Node id 1.
struct Node {
  explicit Node(int reactor_count = 1, bool asks = false, int32_t sessions_max = 1000)
      : Node(nullptr, reactor_count, asks, sessions_max) {}
  // On a world that outlives it; null: on one of its own.
  explicit Node(SimWorld* outer, int reactor_count = 1, bool asks = false,
                int32_t sessions_max = 1000)
      : own_world(outer == nullptr ? std::make_unique<SimWorld>(1) : nullptr),
        world(outer == nullptr ? *own_world : *outer),
        sessions_max(sessions_max) {
    world.set_wall_ms(1'700'000'000'000);
    for (int r = 0; r < reactor_count; r += 1) {
      reactors.push_back(std::make_unique<FakeReactor>(this, r, reactor_count, asks));
    }
    (void)at(0).io().make_directory("/data");
    (void)at(0).io().sync_directory("/");
  }
  ~Node() {
    for (auto& reactor : reactors) reactor->requests().close(*reactor);
    run();
    for (auto& [slot, partition] : partitions) {
      partition->retire(at(partition->owner()), false, true);
    }
    run();
  }

  FakeReactor& at(int reactor) { return *reactors[static_cast<size_t>(reactor)]; }
  Partition& partition(int32_t slot) { return *partitions[slot]; }

  void run() {
    for (bool is_busy = true; is_busy;) {
      is_busy = false;
      for (auto& reactor : reactors) is_busy = reactor->turn() || is_busy;
    }
  }
  // Fires every timer on the way.
  void advance_ms(int64_t ms) {
    const int64_t end = world.now_us() + ms * 1000;
    run();
    while (true) {
      int64_t next = world.next_event_us();
      for (auto& reactor : reactors) next = std::min(next, reactor->next_deadline_us());
      if (next > end) break;
      world.advance_us(std::max<int64_t>(next - world.now_us(), 0));
      run();
    }
    world.advance_us(end - world.now_us());
    run();
  }

  // Opens partition `index` of the topic in a slot of its own.
  Status open(int32_t slot, const std::string& topic, int32_t index,
              std::function<void(PartitionOptions*)> change = nullptr) {
    PartitionOptions options;
    options.slot = slot;
    options.node_id = 1;
    options.owner = slot % static_cast<int>(reactors.size());
    options.reactors = static_cast<int>(reactors.size());
    options.log_directory = "/data";
    options.topic = topic;
    options.index = index;
    options.topic_id = id_of(topic);
    options.tails = &tails;
    if (change) change(&options);
    Log::Recovery recovery;
    std::unique_ptr<Partition> partition;
    const Status status = Partition::open(at(options.owner).io(), options, &partition, &recovery);
    if (status.ok()) partitions[slot] = std::move(partition);
    return status;
  }
  bool lead(int32_t slot, int32_t epoch, std::vector<int32_t> replicas, std::vector<int32_t> isr,
            int32_t partition_epoch = 0) {
    Partition& p = partition(slot);
    return p.lead(at(p.owner()), epoch, partition_epoch, replicas.data(),
                  static_cast<int>(replicas.size()), isr.data(), static_cast<int>(isr.size()));
  }
  bool isr(int32_t slot, int32_t epoch, int32_t partition_epoch, std::vector<int32_t> isr) {
    Partition& p = partition(slot);
    return p.isr(at(p.owner()), epoch, partition_epoch, isr.data(), static_cast<int>(isr.size()));
  }
  // Tells every reactor: partition i of the topic is in slots[i].
  void route(int32_t handle, const std::string& topic, std::vector<int32_t> slots) {
    TopicRoute route;
    route.handle = handle;
    route.name = topic;
    const auto id = id_of(topic);
    std::copy(id.begin(), id.end(), route.id.bytes);
    for (const int32_t slot : slots) route.partitions.push_back({slot, slot < 0 ? 2 : 1, 7});
    for (auto& reactor : reactors) reactor->requests().route(*reactor, route);
  }
  // One led topic of one partition, ready to use.
  void simple_topic(int32_t slot = 0, const std::string& topic = "t",
                    std::function<void(PartitionOptions*)> change = nullptr) {
    if (!open(slot, topic, 0, std::move(change)).ok()) std::abort();
    if (!lead(slot, 3, {1}, {1})) std::abort();
    route(slot + 10, topic, {slot});
  }
  static std::array<uint8_t, 16> id_of(const std::string& topic) {
    std::array<uint8_t, 16> id{};
    for (size_t i = 0; i < topic.size(); i += 1) id[i % 16] = static_cast<uint8_t>(topic[i]);
    id[15] = 1;
    return id;
  }

  std::unique_ptr<SimWorld> own_world;
  SimWorld& world;
  int32_t sessions_max;
  std::vector<std::unique_ptr<FakeReactor>> reactors;
  TailPool tails{2};
  std::map<int32_t, std::unique_ptr<Partition>> partitions;
};

inline FakeReactor::FakeReactor(Node* node, int index, int reactors, bool asks)
    : node_(node), index_(index), io_(node->world.make_io()), verdicts_(asks) {
  RequestsOptions options;
  options.node_id = 1;
  options.reactor = index;
  options.reactors = reactors;
  options.fetch_sessions_max = node->sessions_max;
  requests_ = std::make_unique<Requests>(options);
}
inline int64_t FakeReactor::now_us() const { return node_->world.now_us(); }
inline int64_t FakeReactor::wall_ms() const { return node_->world.wall_ms(); }
inline bool FakeReactor::post(int reactor, PartitionWork* work) {
  FakeReactor& to = node_->at(reactor);
  if (static_cast<int>(to.mail_.size()) >= to.mailbox_room) return false;
  to.mail_.push_back(work);
  crossed += 'm';
  return true;
}
inline void FakeReactor::signal(int reactor, int32_t slot) {
  node_->at(reactor).signals_.add(static_cast<size_t>(slot));
  crossed += 's';
}
inline Partition* FakeReactor::partition(int32_t slot) {
  looks += 1;
  const auto found = node_->partitions.find(slot);
  return found == node_->partitions.end() ? nullptr : found->second.get();
}
inline int FakeReactor::owner(int32_t slot) const {
  return slot % static_cast<int>(node_->reactors.size());
}
inline RequestFrame FakeReactor::take(int16_t version, const std::vector<uint8_t>& body,
                                      int32_t principal) {
  static uint32_t sequence = 0;
  RequestFrame frame;
  frame.ref = {static_cast<uint64_t>(principal) + 100, ++sequence};
  frame.api_version = version;
  frame.correlation_id = static_cast<int32_t>(sequence);
  frame.principal = principal;
  frames_[sequence] = body;
  frame.body = frames_[sequence].data();
  frame.body_bytes = body.size();
  return frame;
}
inline uint32_t FakeReactor::produce(int16_t version, const std::vector<uint8_t>& body,
                                     int32_t principal) {
  const RequestFrame frame = take(version, body, principal);
  flexible_[frame.ref.sequence] = gen::ProduceResponse::is_flexible(version);
  requests_->produce(*this, frame);
  return frame.ref.sequence;
}
inline uint32_t FakeReactor::fetch(int16_t version, const std::vector<uint8_t>& body,
                                   int32_t principal) {
  const RequestFrame frame = take(version, body, principal);
  flexible_[frame.ref.sequence] = gen::FetchResponse::is_flexible(version);
  requests_->fetch(*this, frame);
  return frame.ref.sequence;
}
inline void FakeReactor::respond(RequestRef request, Response&& response) {
  std::vector<uint8_t> frame;
  for (const Response::Fragment& fragment : response.fragments()) {
    if (fragment.slice) {
      slices[request.sequence] += 1;
      const std::vector<uint8_t> bytes = slice_bytes(*io_, fragment.slice);
      frame.insert(frame.end(), bytes.begin(), bytes.end());
    } else {
      const uint8_t* from = response.memory().data() + fragment.memory_begin;
      frame.insert(frame.end(), from, from + fragment.memory_bytes);
    }
  }
  if (frame.size() < 8 || load_i32(frame.data()) != static_cast<int32_t>(frame.size()) - 4 ||
      load_i32(frame.data() + 4) != static_cast<int32_t>(request.sequence) ||
      response.bytes() != static_cast<int64_t>(frame.size())) {
    std::fprintf(stderr, "a response without a right length and correlation id\n");
    std::abort();
  }
  frame.erase(frame.begin(), frame.begin() + (flexible_[request.sequence] ? 9 : 8));
  responses[request.sequence] = frame;
}
inline bool FakeReactor::turn() {
  bool is_busy = false;
  Event events[4];
  (void)io_->poll(events, 4, 0);
  while (!mail_.empty()) {
    PartitionWork* work = mail_.front();
    mail_.pop_front();
    work->run(work, *this);
    is_busy = true;
  }
  is_busy = hear_signals() || is_busy;
  while (!holds_lent && !lent_.empty()) {
    help_one();
    is_busy = true;
  }
  for (auto at = timers_.begin(); at != timers_.end();) {
    if (at->second.deadline_us > now_us()) {
      ++at;
      continue;
    }
    const Timer timer = at->second;
    timers_.erase(at);
    timer.run(timer.object, *this);
    is_busy = true;
    at = timers_.begin();
  }
  do {
    while (!touched_.empty()) {
      std::vector<Partition*> now;
      now.swap(touched_);
      for (Partition* partition : now) partition->end_turn(*this);
      is_busy = true;
    }
  } while (requests_->end_turn(*this));
  return is_busy;
}
inline int64_t FakeReactor::next_deadline_us() const {
  int64_t next = INT64_MAX;
  for (const auto& [id, timer] : timers_) next = std::min(next, timer.deadline_us);
  return next;
}

// --- requests and responses

// A batch on its way into a partition, and whether that has answered.
struct Appended : ProduceOp {
  explicit Appended(std::vector<uint8_t> from) : bytes(std::move(from)) {
    records = bytes.data();
    records_bytes = static_cast<int32_t>(bytes.size());
    acks = 1;
    deadline_us = INT64_MAX;
    done = [](ProduceOp* op, PartitionHost&) { static_cast<Appended*>(op)->is_done = true; };
  }
  std::vector<uint8_t> bytes;
  bool is_done = false;
};

struct ProducePart {
  std::string topic;
  int32_t index = 0;
  std::vector<uint8_t> records;
  bool is_null = false;
};
struct ProduceBody {
  int16_t version = 9;
  int16_t acks = 1;
  int32_t timeout_ms = 1000;
  std::vector<ProducePart> parts;  // each a topic of its own
  std::string transactional_id;
};
inline gen::Uuid uuid_of(const std::string& topic) {
  gen::Uuid id;
  const auto bytes = Node::id_of(topic);
  std::copy(bytes.begin(), bytes.end(), id.bytes);
  return id;
}
inline std::vector<uint8_t> encode(const ProduceBody& body) {
  std::vector<uint8_t> out;
  gen::VectorSink sink(out);
  gen::ProduceRequest request;
  request.acks = body.acks;
  request.timeout_ms = body.timeout_ms;
  if (!body.transactional_id.empty()) request.transactional_id = body.transactional_id;
  request.topic_data.count = static_cast<int32_t>(body.parts.size());
  request.write_to_topic_data(sink, body.version);
  for (const ProducePart& part : body.parts) {
    gen::ProduceRequest::TopicData topic;
    topic.name = part.topic;
    topic.topic_id = uuid_of(part.topic);
    topic.partition_data.count = 1;
    topic.write_to_partition_data(sink, body.version);
    gen::ProduceRequest::PartitionData data;
    data.index = part.index;
    data.write_to_records(sink, body.version,
                          part.is_null ? -1 : static_cast<int32_t>(part.records.size()));
    out.insert(out.end(), part.records.begin(), part.records.end());
    data.write_rest(sink, body.version);
    topic.write_rest(sink, body.version);
  }
  request.write_rest(sink, body.version);
  return out;
}

struct ProduceAnswer {
  bool is_answered = false;
  std::vector<gen::ProduceResponse::PartitionResponse> parts;
  std::vector<std::string> record_errors;  // of the first partition
  int32_t endpoints = 0;
  ErrorCode error(size_t part = 0) const {
    return part < parts.size() ? static_cast<ErrorCode>(parts[part].error_code)
                               : ErrorCode::kUnknownServerError;
  }
  int64_t offset(size_t part = 0) const { return parts.at(part).base_offset; }
};
inline ProduceAnswer produce_answer(FakeReactor& reactor, uint32_t sequence, int16_t version) {
  ProduceAnswer answer;
  const auto found = reactor.responses.find(sequence);
  if (found == reactor.responses.end()) return answer;
  ByteReader in(Bytes{found->second.data(), found->second.size()});
  gen::ProduceResponse response;
  if (!response.read(in, version) || in.left() != 0) return answer;
  answer.is_answered = true;
  answer.endpoints = std::max(response.node_endpoints.count, 0);
  gen::ProduceResponse::Response topic;
  gen::ProduceResponse::PartitionResponse part;
  gen::ProduceResponse::RecordError error;
  for (auto topics = response.responses; topics.next(&topic);) {
    for (auto parts = topic.partition_responses; parts.next(&part);) {
      for (auto errors = part.record_errors; answer.parts.empty() && errors.next(&error);) {
        answer.record_errors.push_back(std::to_string(error.batch_index) + ": " +
                                       std::string(error.batch_index_error_message));
      }
      answer.parts.push_back(part);
    }
  }
  return answer;
}
// Produces and runs until nothing moves.
inline ProduceAnswer produce(Node& node, const ProduceBody& body, int reactor = 0) {
  const uint32_t sequence = node.at(reactor).produce(body.version, encode(body));
  node.run();
  return produce_answer(node.at(reactor), sequence, body.version);
}

struct FetchPart {
  std::string topic;
  int32_t index = 0;
  int64_t offset = 0;
  int32_t epoch = -1;
  int32_t last_fetched_epoch = -1;
  int32_t bytes_max = 1 << 20;
};
struct FetchBody {
  int16_t version = 12;
  int32_t max_wait_ms = 0;
  int32_t min_bytes = 1;
  int32_t max_bytes = 50 << 20;
  int8_t isolation_level = 0;
  int32_t session_id = 0;
  int32_t session_epoch = -1;
  int32_t replica_id = -1;
  int64_t replica_epoch = -1;
  std::vector<FetchPart> parts;
  std::vector<FetchPart> forgotten;
};
inline std::vector<uint8_t> encode(const FetchBody& body) {
  std::vector<uint8_t> out;
  gen::VectorSink sink(out);
  gen::FetchRequest request;
  if (body.version >= 15) {
    request.replica_state = {body.replica_id, body.replica_epoch};
  } else {
    request.replica_id = body.replica_id;
  }
  request.max_wait_ms = body.max_wait_ms;
  request.min_bytes = body.min_bytes;
  request.max_bytes = body.max_bytes;
  request.isolation_level = body.isolation_level;
  request.session_id = body.session_id;
  request.session_epoch = body.session_epoch;
  request.topics.count = static_cast<int32_t>(body.parts.size());
  request.write_to_topics(sink, body.version);
  for (const FetchPart& part : body.parts) {
    gen::FetchRequest::Topic topic;
    topic.topic = part.topic;
    topic.topic_id = uuid_of(part.topic);
    topic.partitions.count = 1;
    topic.write_to_partitions(sink, body.version);
    gen::FetchRequest::Partition asked;
    asked.partition = part.index;
    asked.current_leader_epoch = part.epoch;
    asked.fetch_offset = part.offset;
    asked.last_fetched_epoch = part.last_fetched_epoch;
    asked.partition_max_bytes = part.bytes_max;
    asked.write(sink, body.version);
    topic.write_rest(sink, body.version);
  }
  request.forgotten_topics_data.count = static_cast<int32_t>(body.forgotten.size());
  request.write_to_forgotten_topics_data(sink, body.version);
  for (const FetchPart& part : body.forgotten) {
    gen::FetchRequest::ForgottenTopicsData forgotten;
    forgotten.topic = part.topic;
    forgotten.topic_id = uuid_of(part.topic);
    const int32_t indexes[] = {part.index};
    forgotten.write(sink, body.version, indexes);
  }
  request.write_rest(sink, body.version);
  return out;
}

struct FetchAnswer {
  bool is_answered = false;
  ErrorCode error = ErrorCode::kNone;
  int32_t session_id = 0;
  int32_t endpoints = 0;
  std::vector<std::string> topics;
  std::vector<gen::FetchResponse::Partition> parts;
  ErrorCode part_error(size_t part = 0) const {
    return part < parts.size() ? static_cast<ErrorCode>(parts[part].error_code)
                               : ErrorCode::kUnknownServerError;
  }
  // Base offsets of the batches, {-1} when one is broken.
  std::vector<int64_t> offsets(size_t part = 0) const {
    std::vector<int64_t> found;
    if (part >= parts.size()) return {-2};
    Bytes rest = parts[part].records;
    RecordBatch batch;
    while (!rest.empty()) {
      if (!next_batch(&rest, &batch) || batch.crc() != batch.computed_crc()) return {-1};
      found.push_back(batch.base_offset());
    }
    return found;
  }
};
inline FetchAnswer fetch_answer(FakeReactor& reactor, uint32_t sequence, int16_t version) {
  FetchAnswer answer;
  const auto found = reactor.responses.find(sequence);
  if (found == reactor.responses.end()) return answer;
  ByteReader in(Bytes{found->second.data(), found->second.size()});
  gen::FetchResponse response;
  if (!response.read(in, version) || in.left() != 0) return answer;
  answer.is_answered = true;
  answer.error = static_cast<ErrorCode>(response.error_code);
  answer.session_id = response.session_id;
  answer.endpoints = std::max(response.node_endpoints.count, 0);
  gen::FetchResponse::Response topic;
  gen::FetchResponse::Partition part;
  for (auto topics = response.responses; topics.next(&topic);) {
    answer.topics.push_back(std::string(topic.topic));
    for (auto parts = topic.partitions; parts.next(&part);) answer.parts.push_back(part);
  }
  return answer;
}
inline FetchAnswer fetch(Node& node, const FetchBody& body, int reactor = 0) {
  const uint32_t sequence = node.at(reactor).fetch(body.version, encode(body));
  node.run();
  return fetch_answer(node.at(reactor), sequence, body.version);
}

// A batch of `count` small records at the present time.
inline std::vector<uint8_t> batch_of(Node& node, int count, BatchOptions options = {}) {
  std::vector<TestRecord> records;
  for (int i = 0; i < count; i += 1) {
    records.push_back({node.world.wall_ms(), "value " + std::to_string(i), false, ""});
  }
  return make_batch(records, options);
}
inline std::vector<uint8_t> sequenced(Node& node, int64_t producer_id, int16_t epoch,
                                      int32_t sequence, int count = 1) {
  BatchOptions options;
  options.producer_id = producer_id;
  options.producer_epoch = epoch;
  options.base_sequence = sequence;
  return batch_of(node, count, options);
}

}  // namespace ottla::test
