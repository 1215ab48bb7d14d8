// Steady state: once warm, a Produce and a Fetch allocate nothing between their frame and their
// response.
//
// Every operator new is counted. The world is real (epoll's files in a temporary directory): the
// simulated one allocates for itself.
#include <cstdlib>
#include <new>

#include "../../native/base/tail_pool.h"
#include "../../native/gen/layout.h"
#include "../../native/io/epoll.h"
#include "../../native/partition/partition.h"
#include "../../native/request/requests.h"
#include "../../native/request/topics.h"
#include "../../native/request/verdicts.h"
#include "log_fixture.h"
#include "temp_directory.h"
#include "test.h"

namespace {
size_t allocations = 0;
}

void* operator new(size_t bytes) {
  allocations += 1;
  void* memory = std::malloc(bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

using namespace ottla;
using namespace ottla::test;

namespace {

// The least a reactor can be: one partition, one timer, one recycled response.
class BareReactor final : public Context {
 public:
  BareReactor() : io_(make_epoll_io()), verdicts_(false), requests_(RequestsOptions{}) {}

  Io& io() override { return *io_; }
  int reactor() const override { return 0; }
  int64_t now_us() const override { return io_->now_us(); }
  int64_t wall_ms() const override { return io_->wall_ms(); }
  double* counters() override { return counters_; }
  FetchPurgatory& purgatory() override { return purgatory_; }
  bool post(int, PartitionWork*) override { return false; }
  void signal(int, int32_t) override {}
  void hear() override {}
  void lend(DiskWork* work) override {
    work->help(work, *io_);
    work->run(work, *this);
  }
  bool is_stuck(int32_t) override { return false; }
  void unlink_later(int32_t, std::vector<std::string>, int64_t) override {}
  void directory_failed(const std::string&, int) override { std::abort(); }
  void touch(Partition*) override { is_touched_ = true; }
  uint64_t start_timer(int64_t, void (*)(void*, PartitionHost&), void*) override { return 1; }
  void cancel_timer(uint64_t) override {}
  void fact(const Fact&) override {}
  TopicTable& topics() override { return topics_; }
  VerdictTable& verdicts() override { return verdicts_; }
  Requests& requests() override { return requests_; }
  Partition* partition(int32_t) override { return only.get(); }
  int owner(int32_t) const override { return 0; }
  void respond(RequestRef, Response&& response) override {
    answered += 1;
    kept_ = std::move(response);
  }
  void no_response(RequestRef) override { answered += 1; }
  void close_connection(RequestRef, DisconnectReason) override { std::abort(); }
  Response take_response() override {
    kept_.clear();
    return std::move(kept_);
  }
  void release_frame(RequestRef) override {}

  void turn() {
    if (std::exchange(is_touched_, false)) only->end_turn(*this);
    (void)requests_.end_turn(*this);
  }

  std::unique_ptr<Partition> only;
  int answered = 0;

 private:
  std::unique_ptr<Io> io_;
  alignas(8) double counters_[kCounterColumns] = {};
  FetchPurgatory purgatory_;
  TopicTable topics_;
  VerdictTable verdicts_;
  Requests requests_;
  Response kept_;
  bool is_touched_ = false;
};

std::vector<uint8_t> produce_body(const std::vector<uint8_t>& batch) {
  std::vector<uint8_t> out;
  gen::VectorSink sink(out);
  gen::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 1000;
  request.topic_data.count = 1;
  request.write_to_topic_data(sink, 9);
  gen::ProduceRequest::TopicData topic;
  topic.name = "a-topic-with-a-long-enough-name";
  topic.partition_data.count = 1;
  topic.write_to_partition_data(sink, 9);
  gen::ProduceRequest::PartitionData data;
  data.write_to_records(sink, 9, static_cast<int32_t>(batch.size()));
  out.insert(out.end(), batch.begin(), batch.end());
  data.write_rest(sink, 9);
  topic.write_rest(sink, 9);
  request.write_rest(sink, 9);
  return out;
}

std::vector<uint8_t> fetch_body(int64_t offset, int32_t max_wait_ms) {
  std::vector<uint8_t> out;
  gen::VectorSink sink(out);
  gen::FetchRequest request;
  request.max_wait_ms = max_wait_ms;
  request.min_bytes = 1;
  request.topics.count = 1;
  request.write_to_topics(sink, 12);
  gen::FetchRequest::Topic topic;
  topic.topic = "a-topic-with-a-long-enough-name";
  topic.partitions.count = 1;
  topic.write_to_partitions(sink, 12);
  gen::FetchRequest::Partition asked;
  asked.fetch_offset = offset;
  asked.partition_max_bytes = 1 << 20;
  asked.write(sink, 12);
  topic.write_rest(sink, 12);
  request.write_to_forgotten_topics_data(sink, 12);
  request.write_rest(sink, 12);
  return out;
}

TEST("requests: a warm Produce and the Fetch that waits for it allocate nothing") {
  TempDirectory directory;
  TailPool tails(1);
  BareReactor reactor;
  PartitionOptions options;
  options.tails = &tails;
  options.slot = 0;
  options.node_id = 1;
  options.log_directory = directory.path();
  options.topic = "a-topic-with-a-long-enough-name";
  Log::Recovery recovery;
  REQUIRE(Partition::open(reactor.io(), options, &reactor.only, &recovery).ok());
  const int32_t self[] = {1};
  REQUIRE(reactor.only->lead(reactor, 0, 0, self, 1, self, 1));
  TopicRoute route;
  route.handle = 1;
  route.name = options.topic;
  route.partitions = {{0, 1, 0}};
  reactor.topics().route(route);

  const int64_t now = reactor.wall_ms();
  BatchOptions idempotent;
  idempotent.producer_id = 9;
  idempotent.producer_epoch = 0;
  idempotent.base_sequence = 0;
  std::vector<uint8_t> batch = make_batch({{now, "some value", false, ""}}, idempotent);
  int64_t offset = 0;
  size_t before = 0;
  constexpr int kWarm = 400;
  constexpr int kRounds = 800;
  for (int round = 0; round < kRounds; round += 1) {
    store_i32(batch.data() + batch_layout::kBaseSequence, round);
    refresh_crc(&batch);
    std::vector<uint8_t> produced = produce_body(batch);
    std::vector<uint8_t> fetched = fetch_body(offset, 500);
    RequestFrame frame;
    frame.ref = {7, static_cast<uint32_t>(round)};
    const size_t start = allocations;
    frame.api_version = 12;
    frame.body = fetched.data();
    frame.body_bytes = fetched.size();
    reactor.requests().fetch(reactor, frame);  // waits
    frame.api_version = 9;
    frame.body = produced.data();
    frame.body_bytes = produced.size();
    reactor.requests().produce(reactor, frame);
    reactor.turn();
    if (round >= kWarm) before += allocations - start;
    offset += 1;
  }
  CHECK_EQ(reactor.answered, 2 * kRounds);
  CHECK_EQ(reactor.only->high_watermark(), offset);
  CHECK_EQ(tails.blocks(), 1);  // what was fetched came from there
  // Not per request: the active segment's index doubles when it is full.
  CHECK(before <= 2);
  reactor.only->retire(reactor, false, true);
}

}  // namespace

RUN_TESTS()
