// Fetch sessions: a request costs what has changed, and says what reading everything would have
// said.
#include <random>

#include "request_fixture.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

using Offsets = std::vector<int64_t>;
using Names = std::vector<std::string>;

// A consumer with a session: its requests follow each other.
struct Consumer {
  Consumer(Node* of, FetchBody with, int at_reactor = 0)
      : node(of), body(std::move(with)), reactor(at_reactor) {}

  uint32_t send(std::vector<FetchPart> parts = {}, std::vector<FetchPart> forgotten = {}) {
    body.parts = std::move(parts);
    body.forgotten = std::move(forgotten);
    const uint32_t sequence = node->at(reactor).fetch(body.version, encode(body), principal);
    body.session_epoch += 1;
    return sequence;
  }
  FetchAnswer answer(uint32_t sequence) {
    FetchAnswer found = fetch_answer(node->at(reactor), sequence, body.version);
    if (found.is_answered && body.session_id == 0) body.session_id = found.session_id;
    return found;
  }
  FetchAnswer fetch(std::vector<FetchPart> parts = {}, std::vector<FetchPart> forgotten = {}) {
    const uint32_t sequence = send(std::move(parts), std::move(forgotten));
    node->run();
    return answer(sequence);
  }

  Node* node;
  FetchBody body;
  int reactor;
  int32_t principal = 0;
};

FetchBody begins(int32_t max_wait_ms = 0, int32_t min_bytes = 1) {
  FetchBody body;
  body.session_epoch = 0;
  body.max_wait_ms = max_wait_ms;
  body.min_bytes = min_bytes;
  return body;
}

void put(Node& node, const std::string& topic, int32_t index = 0, int reactor = 0) {
  const ProduceBody body{9, 1, 1000, {{topic, index, batch_of(node, 1)}}, ""};
  if (produce(node, body, reactor).error() != ErrorCode::kNone) std::abort();
}

// One thread only, and slow under sanitizers.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

TEST("fetch session: of 10,000 partitions a request looks at those that changed") {
  constexpr int32_t kPartitions = kIsSanitized ? 1000 : 10'000;
  Node node(2);
  const auto is_small = [](PartitionOptions* o) {  // the world's directories too
    o->log_directory += "/" + std::to_string(o->index / 100);
    o->config.log.segment_index_bytes_max = 1024;
    o->config.log.preallocate_bytes_max = 0;
  };
  std::vector<int32_t> slots;
  std::vector<FetchPart> all;
  for (int32_t folder = 0; folder < kPartitions / 100; folder += 1) {
    CHECK_OK(node.at(0).io().make_directory("/data/" + std::to_string(folder)));
  }
  for (int32_t index = 0; index < kPartitions; index += 1) {
    slots.push_back(index);
    all.push_back({"t", index, 0});
    REQUIRE(node.open(index, "t", index, is_small).ok());
    REQUIRE(node.lead(index, 3, {1}, {1}));
  }
  node.route(10, "t", slots);
  Consumer consumer(&node, begins());
  int64_t& looks = node.at(0).looks;
  CHECK_EQ(consumer.fetch(all).parts.size(), size_t{kPartitions});
  CHECK(consumer.fetch().parts.empty());  // it has yet to learn that nothing is there
  looks = 0;
  CHECK(consumer.fetch().parts.empty());
  CHECK_EQ(looks, 0);

  put(node, "t", 77);
  put(node, "t", 400);
  looks = 0;
  FetchAnswer answer = consumer.fetch();
  REQUIRE(answer.parts.size() == 2);
  CHECK_EQ(answer.parts[0].partition_index, 77);
  CHECK_EQ(answer.parts[1].partition_index, 400);
  CHECK(looks <= 10);
  looks = 0;
  CHECK(consumer.fetch({{"t", 77, 1}, {"t", 400, 1}}).parts.empty());
  CHECK(looks <= 10);

  consumer.body.max_wait_ms = 1000;
  looks = 0;
  for (const int32_t index : {401, kPartitions - 1}) {
    const uint32_t waits = consumer.send();
    node.run();
    CHECK(!consumer.answer(waits).is_answered);
    put(node, "t", index);
    answer = consumer.answer(waits);
    REQUIRE(answer.parts.size() == 1);
    CHECK_EQ(answer.parts[0].partition_index, index);
    consumer.body.max_wait_ms = 0;
    CHECK(consumer.fetch({{"t", index, 1}}).parts.empty());
    consumer.body.max_wait_ms = 1000;
  }
  CHECK(looks <= 30);
  // Another view of them finds out anew.
  consumer.body.max_wait_ms = 0;
  consumer.body.isolation_level = 1;
  CHECK(consumer.fetch().parts.empty());
  CHECK(looks >= kPartitions);
}

TEST("fetch session: what is too little stays until there is enough, in the session's order") {
  Node node(2);
  for (int32_t slot = 0; slot < 4; slot += 1) {
    node.simple_topic(slot, std::string(1, static_cast<char>('a' + slot)));
  }
  put(node, "a");
  const int64_t bytes = node.partition(0).log().bytes();
  Consumer consumer(&node, begins(60'000));
  CHECK(consumer.fetch({{"a"}, {"b"}, {"c"}, {"d"}}).topics == (Names{"a", "b", "c", "d"}));
  consumer.body.max_wait_ms = 0;
  CHECK(consumer.fetch({{"a", 0, 1}}).parts.empty());
  consumer.body.max_wait_ms = 60'000;
  consumer.body.min_bytes = static_cast<int32_t>(3 * bytes);
  uint32_t waits = consumer.send();
  put(node, "d");
  put(node, "b");
  CHECK(!consumer.answer(waits).is_answered);
  put(node, "b");
  CHECK(consumer.answer(waits).topics == (Names{"b", "d"}));
  // The offsets of the request that got them did not change: they are read again, and both moved.
  consumer.body.min_bytes = 1;
  put(node, "a");
  CHECK(consumer.fetch().topics == (Names{"a", "b", "d"}));
  // At its deadline a request gets what there is.
  waits = consumer.send({{"a", 0, 2}, {"b", 0, 2}, {"d", 0, 1}});
  consumer.body.min_bytes = 1000;
  node.advance_ms(60'000);
  CHECK(consumer.answer(waits).parts.empty());
  waits = consumer.send();
  put(node, "c");
  node.advance_ms(60'000);
  CHECK(consumer.answer(waits).topics == Names{"c"});
}

TEST(
    "fetch session: a request that is followed by another is answered at once, and takes nothing") {
  Node node;
  node.simple_topic(0, "a");
  Consumer consumer(&node, begins());
  (void)consumer.fetch({{"a"}});
  CHECK(consumer.fetch().parts.empty());
  consumer.body.max_wait_ms = 60'000;
  const uint32_t first = consumer.send();
  node.run();
  CHECK(!consumer.answer(first).is_answered);
  const uint32_t second = consumer.send();
  node.run();
  CHECK_EQ(consumer.answer(first).error, ErrorCode::kInvalidFetchSessionEpoch);
  CHECK(consumer.answer(first).parts.empty());
  CHECK(!consumer.answer(second).is_answered);
  put(node, "a");
  CHECK(consumer.answer(second).offsets() == Offsets{0});
  const uint32_t third = consumer.send({{"a", 0, 1}});
  const uint32_t last = consumer.send({{"nowhere"}}, {{"a"}});  // it forgets what the other reads
  node.run();
  CHECK_EQ(consumer.answer(third).error, ErrorCode::kInvalidFetchSessionEpoch);
  CHECK_EQ(consumer.answer(last).part_error(), ErrorCode::kUnknownTopicOrPartition);
  CHECK_EQ(node.at(0).counter(counter::kFetchWaiting), 0.0);
}

TEST("fetch session: without a request it is woken once, and does not wait on") {
  constexpr int32_t kSlot = 3;
  FetchPurgatory purgatory;
  FetchWaiter gone[2];
  FetchWaiter asking;
  asking.request = &asking;
  FetchWait waits[3];
  purgatory.add(&waits[0], &gone[0], kSlot);
  purgatory.add(&waits[1], &asking, kSlot);
  purgatory.add(&waits[2], &gone[1], kSlot);
  purgatory.wake(kSlot);
  for (const FetchWait& wait : waits) CHECK(wait.is_woken);
  CHECK_EQ(waits[1].slot, kSlot);
  CHECK_EQ(waits[2].slot, -1);
  // Added again below: twice in line would be a circle.
  REQUIRE(waits[0].slot == -1);
  CHECK(purgatory.pop_woken() == &asking);
  CHECK(purgatory.pop_woken() == nullptr);

  // What is left there is woken again, and what comes back.
  CHECK(asking.woken.pop_front() == &waits[1]);
  waits[1].is_woken = false;
  CHECK(gone[0].woken.pop_front() == &waits[0]);
  waits[0].is_woken = false;
  purgatory.add(&waits[0], &gone[0], kSlot);
  purgatory.wake(kSlot);
  CHECK(waits[0].is_woken && waits[1].is_woken);
  CHECK(purgatory.pop_woken() == &asking);
  purgatory.remove(&waits[1]);
  for (FetchWaiter* waiter : {&asking, &gone[0], &gone[1]}) {
    CHECK(waiter->woken.pop_front() != nullptr);
  }
}

TEST("fetch session: who waits for a watermark is not woken by a log end") {
  Node node;
  REQUIRE(node.open(0, "t", 0).ok());
  REQUIRE(node.lead(0, 3, {1, 2}, {1, 2}));
  node.route(10, "t", {0});
  FetchBody plain = begins(60'000);
  plain.session_epoch = -1;
  plain.parts = {{"t"}};
  const uint32_t waits = node.at(0).fetch(plain.version, encode(plain));
  plain.replica_id = 2;
  plain.parts[0].epoch = 3;
  const uint32_t follows = node.at(0).fetch(plain.version, encode(plain));
  node.run();
  int64_t& looks = node.at(0).looks;
  looks = 0;
  (void)produce(node, {9, 1, 1000, {{"t", 0, batch_of(node, 1)}}, ""});
  CHECK(fetch_answer(node.at(0), follows, 12).offsets() == Offsets{0});
  CHECK(!fetch_answer(node.at(0), waits, 12).is_answered);
  const int64_t for_one = looks;
  looks = 0;
  plain.parts[0].offset = 1;
  (void)node.at(0).fetch(plain.version, encode(plain));
  node.run();
  CHECK(fetch_answer(node.at(0), waits, 12).offsets() == Offsets{0});
  CHECK(for_one <= 6);
}

// --- beside a consumer without a session

struct Remembered {
  std::string topic;
  int64_t offset = 0;
  int64_t high_watermark = -1;
  int64_t log_start_offset = -1;
};

struct Story {
  static constexpr int32_t kTopics = 8;
  static constexpr int32_t kPrincipal = 7;

  explicit Story(uint64_t seed) : random(seed), node(2, true), consumer(&node, begins()) {
    consumer.principal = kPrincipal;
    for (int32_t slot = 0; slot < kTopics; slot += 1) {
      node.simple_topic(slot, name(slot));
      for (auto& reactor : node.reactors) {
        reactor->requests().verdict(*reactor, 0, slot + 10, topic_operation::kWrite, true);
        reactor->requests().verdict(*reactor, kPrincipal, slot + 10, topic_operation::kRead, true);
      }
      cached.push_back({name(slot)});
    }
  }
  static std::string name(int32_t slot) { return "topic-" + std::to_string(slot); }
  int32_t any(int32_t count) {
    return std::uniform_int_distribution<int32_t>(0, count - 1)(random);
  }

  void change() {
    const int32_t slot = any(kTopics);
    Partition& partition = node.partition(slot);
    FakeReactor& owner = node.at(partition.owner());
    switch (any(12)) {
      case 0:
        (void)partition.trim(owner, any(static_cast<int32_t>(partition.high_watermark()) + 1));
        break;
      case 1:
        (void)partition.follow(owner, ++epoch, 2);
        break;
      case 2:
        (void)node.lead(slot, ++epoch, {1, 2}, {1, 2});  // its watermark stands still
        break;
      case 3:
        (void)node.lead(slot, ++epoch, {1}, {1});
        break;
      case 4:
        for (auto& reactor : node.reactors) reactor->requests().forget(*reactor, slot + 10);
        break;
      case 5:
        node.route(slot + 10, name(slot), {any(4) == 0 ? -1 : slot});
        break;
      case 6:
        for (auto& reactor : node.reactors) {
          reactor->requests().verdict(*reactor, kPrincipal, slot + 10, topic_operation::kRead,
                                      any(3) > 0);
        }
        break;
      case 7:
        consumer.body.isolation_level = static_cast<int8_t>(any(2));
        consumer.body.version = any(2) == 0 ? 12 : 10;  // which needs the leader
        break;
      default: {
        const ProduceBody body{9, 1, 1000, {{name(slot), 0, batch_of(node, 1 + any(3))}}, ""};
        (void)produce(node, body, any(2));
      }
    }
  }

  // What the session has to say, by its list and the answer to a request without one.
  void compare() {
    std::vector<FetchPart> changed, forgotten;
    for (Remembered& of : cached) {
      if (any(6) > 0) continue;
      of.offset = node.partition(of.topic.back() - '0').log_end_offset() - any(2);
      changed.push_back({of.topic, 0, of.offset});
    }
    if (any(10) == 0 && cached.size() > 1) {
      const size_t at = static_cast<size_t>(any(static_cast<int32_t>(cached.size())));
      forgotten.push_back({cached[at].topic});
      cached.erase(cached.begin() + static_cast<ptrdiff_t>(at));
    }
    if (any(4) == 0) {
      const std::string topic = name(any(kTopics));
      const auto is_it = [&](const Remembered& of) { return of.topic == topic; };
      if (std::none_of(cached.begin(), cached.end(), is_it) && forgotten.empty()) {
        cached.push_back({topic});
        changed.push_back({topic});
      }
    }
    FetchBody plain = consumer.body;
    plain.session_epoch = -1;
    plain.session_id = 0;
    plain.parts = plain.forgotten = {};
    plain.max_bytes = consumer.body.max_bytes = any(3) == 0 ? 150 : 1 << 20;
    for (const Remembered& of : cached) plain.parts.push_back({of.topic, 0, of.offset});
    const uint32_t sequence = node.at(0).fetch(plain.version, encode(plain), kPrincipal);
    node.run();
    const FetchAnswer whole = fetch_answer(node.at(0), sequence, plain.version);
    const bool is_first = consumer.body.session_id == 0;
    if (is_first) changed = plain.parts;
    const FetchAnswer said = consumer.fetch(changed, forgotten);
    CHECK_EQ(said.error, ErrorCode::kNone);

    Names expected;
    std::vector<size_t> parts;
    for (size_t i = 0; i < whole.parts.size(); i += 1) {
      if (settle(whole.topics[i], whole.parts[i]) || is_first) {
        expected.push_back(whole.topics[i]);
        parts.push_back(i);
      }
    }
    CHECK_EQ(joined(said.topics), joined(expected));
    if (said.topics != expected) return;
    for (size_t i = 0; i < parts.size(); i += 1) {
      CHECK_EQ(said.parts[i].error_code, whole.parts[parts[i]].error_code);
      CHECK_EQ(said.parts[i].high_watermark, whole.parts[parts[i]].high_watermark);
      CHECK_EQ(said.parts[i].last_stable_offset, whole.parts[parts[i]].last_stable_offset);
      CHECK(said.offsets(i) == whole.offsets(parts[i]));
    }
  }

  static std::string joined(const Names& names) {
    std::string all;
    for (const std::string& name : names) all += name + " ";
    return all;
  }

  bool settle(const std::string& topic, const gen::FetchResponse::Partition& part) {
    const auto found = std::find_if(cached.begin(), cached.end(),
                                    [&](const Remembered& of) { return of.topic == topic; });
    const bool is_first = consumer.body.session_epoch == 1;
    const bool has_failed = part.error_code != 0;
    const bool must = part.records.size() > 0 || has_failed ||
                      found->high_watermark != part.high_watermark ||
                      found->log_start_offset != part.log_start_offset;
    found->high_watermark = has_failed ? -1 : part.high_watermark;
    found->log_start_offset = part.log_start_offset;
    // In the first answer what is there keeps its place, and what is unknown comes last.
    const bool is_unknown = part.error_code == 3 || part.error_code == 29;
    if (is_first ? is_unknown : part.records.size() > 0)
      std::rotate(found, found + 1, cached.end());
    return must;
  }

  std::mt19937_64 random;
  Node node;
  Consumer consumer;
  std::vector<Remembered> cached;
  int32_t epoch = 10;
};

TEST("fetch session: says what changed in an answer without one, whatever happens") {
  for (uint64_t seed = 1; seed <= (kIsSanitized ? 4 : 40); seed += 1) {
    Story story(seed);
    const int before = failures().load();
    for (int step = 0; step < 200 && failures().load() == before; step += 1) {
      for (int32_t changes = story.any(4); changes > 0; changes -= 1) story.change();
      story.compare();
      if (failures().load() > before) {
        std::fprintf(stderr, "    seed %d, step %d\n", static_cast<int>(seed), step);
      }
    }
  }
}

}  // namespace

RUN_TESTS()
