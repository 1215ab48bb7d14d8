// Fetch: from a request's bytes to its answer, on a node without sockets: limits, waits, sessions.
#include "../../native/request/fetch_session.h"
#include "request_fixture.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

using Offsets = std::vector<int64_t>;

void fill(Node& node, const std::string& topic, int batches, size_t value_bytes = 20) {
  for (int i = 0; i < batches; i += 1) {
    const std::string value(value_bytes, static_cast<char>('a' + i % 26));
    auto batch = make_batch({{node.world.wall_ms(), value, false, ""}});
    if (produce(node, {9, 1, 1000, {{topic, 0, batch}}, ""}).error() != ErrorCode::kNone)
      std::abort();
  }
}

FetchBody ask(std::vector<FetchPart> parts, int16_t version = 12) {
  FetchBody body;
  body.version = version;
  body.parts = std::move(parts);
  return body;
}

FetchBody patient(std::vector<FetchPart> parts, int32_t max_wait_ms = 500, int32_t min_bytes = 1) {
  FetchBody body = ask(std::move(parts));
  body.max_wait_ms = max_wait_ms;
  body.min_bytes = min_bytes;
  return body;
}

TEST("fetch: every version brings whole batches up to the high watermark") {
  Node node;
  node.simple_topic();
  fill(node, "t", 3);
  for (int16_t version = 4; version <= 18; version += 1) {
    const FetchAnswer answer = fetch(node, ask({{"t", 0, 1}}, version));
    REQUIRE(answer.is_answered);
    CHECK_EQ(answer.part_error(), ErrorCode::kNone);
    CHECK(answer.offsets() == (Offsets{1, 2}));
    CHECK_EQ(answer.parts[0].high_watermark, 3);
    CHECK_EQ(answer.parts[0].last_stable_offset, 3);
    CHECK_EQ(answer.parts[0].aborted_transactions.count, -1);
  }
  CHECK_EQ(node.at(0).frames_held(), size_t{0});
}

TEST("fetch: what was appended last is not read back from its file") {
  Node node;
  node.simple_topic();
  fill(node, "t", 2);
  CHECK(fetch(node, ask({{"t", 0, 1}})).offsets() == Offsets{1});  // from now on
  fill(node, "t", 1, 500);
  Io& io = node.at(0).io();
  Handle file = kNoHandle;
  REQUIRE(io.open("/data/t-0/00000000000000000000.log", OpenMode::kReadWrite, &file).ok());
  FileInfo info;
  REQUIRE(io.stat("/data/t-0/00000000000000000000.log", &info).ok());
  const std::vector<uint8_t> rubbish(500, 0xaa);
  CHECK_OK(io.write(file, rubbish.data(), rubbish.size(), info.bytes - 500));
  CHECK_OK(io.close(file));
  CHECK(fetch(node, ask({{"t", 0, 2}})).offsets() == Offsets{2});
  // Another log needs the memory more, and so the file's is read.
  node.simple_topic(1, "a");
  node.simple_topic(2, "b");
  for (const char* topic : {"a", "b", "a", "b"}) {
    fill(node, topic, 1);
    (void)fetch(node, ask({{topic, 0, 0}}));
  }
  CHECK_EQ(node.tails.blocks(), size_t{2});
  CHECK(fetch(node, ask({{"t", 0, 2}})).offsets() != Offsets{2});
}

TEST("fetch: an offset inside a batch brings that batch, one outside of the log is refused") {
  Node node;
  node.simple_topic();
  CHECK_EQ(produce(node, {9, 1, 1000, {{"t", 0, batch_of(node, 5)}}, ""}).error(),
           ErrorCode::kNone);
  CHECK(fetch(node, ask({{"t", 0, 3}})).offsets() == Offsets{0});
  CHECK(fetch(node, ask({{"t", 0, 5}})).offsets().empty());
  FetchAnswer out = fetch(node, ask({{"t", 0, 6}}));
  CHECK_EQ(out.part_error(), ErrorCode::kOffsetOutOfRange);
  CHECK_EQ(out.parts[0].high_watermark, -1);
  CHECK_EQ(out.parts[0].log_start_offset, -1);
  CHECK_EQ(node.partition(0).trim(node.at(0), 5), ErrorCode::kNone);
  CHECK_EQ(fetch(node, ask({{"t", 0, 4}})).part_error(), ErrorCode::kOffsetOutOfRange);
  CHECK_EQ(fetch(node, ask({{"t", 0, 5}})).parts[0].log_start_offset, 5);
}

TEST("fetch: limits hold after the first batch, which comes however large it is") {
  Node node;
  node.simple_topic(0, "a");
  node.simple_topic(1, "b");
  fill(node, "a", 4, 1000);
  fill(node, "b", 4, 1000);
  FetchBody body = ask({{"a", 0, 0}, {"b", 0, 0}});
  body.parts[0].bytes_max = 10;
  FetchAnswer answer = fetch(node, body);
  CHECK(answer.offsets(0) == Offsets{0});  // at least one
  CHECK(answer.offsets(1) == (Offsets{0, 1, 2, 3}));
  body.parts[1].bytes_max = 10;
  CHECK(fetch(node, body).offsets(1).empty());
  body = ask({{"a", 0, 0}, {"b", 0, 0}});
  body.max_bytes = 2500;
  answer = fetch(node, body);
  CHECK(answer.offsets(0) == (Offsets{0, 1}));
  CHECK(answer.offsets(1).empty());
}

TEST("fetch: large records leave as a file range, small ones are copied") {
  Node node;
  node.simple_topic(0, "small");
  node.simple_topic(1, "large");
  fill(node, "small", 2);
  fill(node, "large", 2, 20'000);
  const FetchBody body = ask({{"small", 0, 0}, {"large", 0, 0}, {"small", 0, 1}});
  const uint32_t sequence = node.at(0).fetch(12, encode(body));
  node.run();
  CHECK_EQ(node.at(0).slices[sequence], 1);
  const FetchAnswer answer = fetch_answer(node.at(0), sequence, 12);
  REQUIRE(answer.parts.size() == 2);  // a partition named twice: its last word, in its first place
  CHECK(answer.offsets(0) == Offsets{1});
  CHECK(answer.offsets(1) == (Offsets{0, 1}));
}

// Every read that must not wait is told to: what comes of it is the same, only later.
TEST("fetch: what is not in memory is read by a helper, and the answer is the same") {
  Node node;
  node.simple_topic(0, "small");
  node.simple_topic(1, "large");
  fill(node, "small", 40);
  fill(node, "large", 4, 20'000);
  // Offset 31 is no recent append's end: it has to be looked for.
  const FetchBody body = ask({{"small", 0, 1}, {"large", 0, 1}});
  const FetchAnswer expected = fetch(node, body);
  REQUIRE(expected.is_answered);
  node.world.chances.cold_read = 1'000'000;
  node.at(0).holds_lent = true;
  uint32_t sequence = node.at(0).fetch(12, encode(body));
  node.run();
  CHECK(!node.at(0).responses.contains(sequence));
  REQUIRE(node.at(0).lent() == 1);
  node.at(0).help_one();
  node.at(0).holds_lent = false;
  node.run();
  const FetchAnswer answer = fetch_answer(node.at(0), sequence, 12);
  REQUIRE(answer.is_answered);
  CHECK(answer.offsets(0) == expected.offsets(0));
  CHECK(answer.offsets(1) == expected.offsets(1));
  for (const uint32_t chance : {100'000u, 500'000u, 900'000u}) {
    node.world.chances.cold_read = chance;
    for (int64_t offset = 0; offset < 40; offset += 3) {
      const FetchAnswer again = fetch(node, ask({{"small", 0, offset}, {"large", 0, 0}}));
      REQUIRE(again.is_answered);
      CHECK_EQ(again.offsets(0).size(), static_cast<size_t>(40 - offset));
      CHECK_EQ(again.offsets(1).size(), size_t{4});
    }
  }
}

TEST("fetch: a connection that ends while a helper reads for it leaves nothing") {
  Node node;
  node.simple_topic();
  fill(node, "t", 40);
  node.world.chances.cold_read = 1'000'000;
  node.at(0).holds_lent = true;
  const uint32_t sequence = node.at(0).fetch(12, encode(ask({{"t", 0, 1}})));
  node.run();
  REQUIRE(node.at(0).lent() == 1);
  node.at(0).requests().disconnected(node.at(0), 100);
  node.run();
  CHECK(node.at(0).silent == std::vector<uint32_t>{sequence});
  node.at(0).help_one();
  CHECK_EQ(node.at(0).silent.size(), size_t{1});
  CHECK_EQ(node.at(0).frames_held(), size_t{0});
}

TEST("fetch: a helper that takes too long is not waited for, and one that is stuck not asked") {
  Node node;
  node.simple_topic(0, "old");
  node.simple_topic(1, "new");
  fill(node, "old", 40);
  fill(node, "new", 4);
  node.world.chances.cold_read = 1'000'000;
  node.at(0).holds_lent = true;
  // The end of a recent append is found in memory, offset 1 of the first is not.
  const std::vector<uint8_t> body = encode(ask({{"old", 0, 1}, {"new", 0, 3}}));
  const auto answered = [&](uint32_t sequence) {
    const FetchAnswer answer = fetch_answer(node.at(0), sequence, 12);
    return answer.is_answered && answer.part_error(0) == ErrorCode::kNone &&
           answer.offsets(0).empty() && answer.offsets(1).size() == 1;
  };
  const uint32_t first = node.at(0).fetch(12, body);
  node.run();
  REQUIRE(node.at(0).lent() == 1);
  node.advance_ms(999);
  CHECK(!node.at(0).responses.contains(first));
  node.advance_ms(2);
  CHECK(answered(first));
  node.at(0).disk_is_stuck = true;
  const uint32_t second = node.at(0).fetch(12, body);
  node.run();
  CHECK_EQ(node.at(0).lent(), size_t{1});
  CHECK(answered(second));
  node.at(0).help_one();  // comes back to nobody
  node.at(0).disk_is_stuck = false;
  node.world.chances.cold_read = 0;
  const uint32_t third = node.at(0).fetch(12, body);
  node.run();
  CHECK_EQ(fetch_answer(node.at(0), third, 12).offsets(0).size(), size_t{39});
}

TEST("fetch: unknown topics and partitions come last and do not hurry a wait") {
  Node node;
  node.simple_topic();
  node.route(20, "elsewhere", {-1});
  fill(node, "t", 1);
  FetchAnswer answer = fetch(node, ask({{"nowhere", 0}, {"t", 3}, {"t", 0}, {"elsewhere", 0}}));
  REQUIRE(answer.parts.size() == 4);
  CHECK_EQ(answer.part_error(0), ErrorCode::kNone);
  CHECK_EQ(answer.part_error(1), ErrorCode::kNotLeaderOrFollower);
  CHECK_EQ(answer.part_error(2), ErrorCode::kUnknownTopicOrPartition);
  CHECK_EQ(answer.topics[2], std::string("nowhere"));
  CHECK_EQ(answer.parts[2].aborted_transactions.count, 0);
  CHECK_EQ(answer.part_error(3), ErrorCode::kUnknownTopicOrPartition);
  CHECK_EQ(fetch(node, ask({{"nowhere", 0}}, 13)).part_error(), ErrorCode::kUnknownTopicId);

  const uint32_t waits = node.at(0).fetch(12, encode(patient({{"nowhere", 0}, {"t", 0, 1}})));
  node.run();
  CHECK(!fetch_answer(node.at(0), waits, 12).is_answered);
  CHECK(fetch(node, patient({{"nowhere", 0}})).is_answered);
  node.advance_ms(500);
  CHECK(fetch_answer(node.at(0), waits, 12).is_answered);
}

TEST("fetch: more topics and partitions than anybody needs are malformed") {
  Node node;
  FetchBody body;
  body.parts.assign(300'000, {"n"});
  body.forgotten.assign(200'001, {"n"});
  const uint32_t sent = node.at(0).fetch(12, encode(body));
  CHECK(node.at(0).closed.count(sent) == 1);
  CHECK_EQ(node.at(0).frames_held(), size_t{0});
}

TEST("fetch: epochs: an old one is fenced, a newer one unknown, and the leader is named") {
  Node node;
  node.simple_topic();
  node.at(0).topics().brokers(0, {{1, "one.example", 9092, "r", true}});
  FetchAnswer answer = fetch(node, ask({{"t", 0, 0, 2}}, 16));
  CHECK_EQ(answer.part_error(), ErrorCode::kFencedLeaderEpoch);
  CHECK_EQ(answer.parts[0].current_leader.leader_id, 1);
  CHECK_EQ(answer.parts[0].current_leader.leader_epoch, 3);
  CHECK_EQ(answer.endpoints, 1);
  CHECK(node.at(0).facts.empty());
  answer = fetch(node, ask({{"t", 0, 0, 4}}, 16));
  CHECK_EQ(answer.part_error(), ErrorCode::kUnknownLeaderEpoch);
  CHECK_EQ(answer.endpoints, 0);
  REQUIRE(node.at(0).facts.size() == 1);
  CHECK_EQ(node.at(0).facts[0].kind, fact::kFenced);
  CHECK_EQ(node.at(0).facts[0].epoch, 4);
  // Anybody can name any epoch, as often as he likes.
  for (int32_t bogus = 5; bogus < 50; bogus += 1) {
    CHECK_EQ(fetch(node, ask({{"t", 0, 0, bogus}}, 16)).part_error(),
             ErrorCode::kUnknownLeaderEpoch);
  }
  CHECK_EQ(node.at(0).facts.size(), size_t{1});
  node.advance_ms(1000);
  (void)fetch(node, ask({{"t", 0, 0, 60}}, 16));
  REQUIRE(node.at(0).facts.size() == 2);
  CHECK_EQ(node.at(0).facts[1].epoch, 60);
  CHECK_EQ(fetch(node, ask({{"t", 0, 0, 3}}, 16)).part_error(), ErrorCode::kNone);
  // Consumers may read from a follower since version 11.
  CHECK(node.partition(0).follow(node.at(0), 4, 2));
  CHECK_EQ(fetch(node, ask({{"t", 0, 0}}, 10)).part_error(), ErrorCode::kNotLeaderOrFollower);
  CHECK_EQ(fetch(node, ask({{"t", 0, 0}}, 11)).part_error(), ErrorCode::kNone);
}

TEST("fetch: a consumer whose history diverges is told where") {
  Node node;
  node.simple_topic();
  fill(node, "t", 2);  // epoch 3: 0, 1
  CHECK(node.lead(0, 6, {1}, {1}));
  fill(node, "t", 2);  // epoch 6: 2, 3
  FetchAnswer answer = fetch(node, ask({{"t", 0, 3, -1, 3}}));
  CHECK_EQ(answer.part_error(), ErrorCode::kNone);
  CHECK_EQ(answer.parts[0].diverging_epoch.epoch, 3);
  CHECK_EQ(answer.parts[0].diverging_epoch.end_offset, 2);
  CHECK(answer.offsets().empty());
  answer = fetch(node, ask({{"t", 0, 3, -1, 5}}));
  CHECK_EQ(answer.parts[0].diverging_epoch.epoch, 3);
  CHECK(fetch(node, ask({{"t", 0, 2, -1, 3}})).offsets() == (Offsets{2, 3}));
  CHECK(fetch(node, ask({{"t", 0, 3, -1, 6}})).offsets() == Offsets{3});
  CHECK_EQ(fetch(node, ask({{"t", 0, 3, -1, 7}})).part_error(), ErrorCode::kOffsetOutOfRange);
}

TEST("fetch: read_committed carries a list of aborted transactions, be it empty") {
  Node node;
  node.simple_topic();
  fill(node, "t", 1);
  FetchBody body = ask({{"t", 0, 0}});
  body.isolation_level = 1;
  CHECK_EQ(fetch(node, body).parts[0].aborted_transactions.count, 0);
  body.parts[0].offset = 1;
  CHECK_EQ(fetch(node, body).parts[0].aborted_transactions.count, 0);
}

// --- waiting

TEST("fetch: waits for its bytes, is woken by an append, and once per turn") {
  Node node;
  node.simple_topic(0, "a");
  node.simple_topic(1, "b");
  const uint32_t waits = node.at(0).fetch(12, encode(patient({{"a", 0, 0}, {"b", 0, 0}})));
  node.run();
  CHECK(node.at(0).responses.empty());
  CHECK_EQ(node.at(0).counter(counter::kFetchWaiting), 1.0);
  // Both are written in one turn: one answer brings both.
  (void)node.at(0).produce(9, encode(ProduceBody{9, 1, 1000, {{"a", 0, batch_of(node, 1)}}, ""}));
  (void)node.at(0).produce(9, encode(ProduceBody{9, 1, 1000, {{"b", 0, batch_of(node, 1)}}, ""}));
  node.run();
  const FetchAnswer answer = fetch_answer(node.at(0), waits, 12);
  REQUIRE(answer.parts.size() == 2);
  CHECK(answer.offsets(0) == Offsets{0});
  CHECK(answer.offsets(1) == Offsets{0});
  CHECK_EQ(node.at(0).counter(counter::kFetchWaiting), 0.0);
  CHECK_EQ(node.at(0).next_deadline_us(), INT64_MAX);
}

TEST("fetch: min bytes are counted over partitions, and the deadline brings what there is") {
  Node node;
  node.simple_topic(0, "a");
  node.simple_topic(1, "b");
  const int64_t one = static_cast<int64_t>(batch_of(node, 1).size());
  const auto wait = [&](int64_t min_bytes) {
    const uint32_t sent =
        node.at(0).fetch(12, encode(patient({{"a", 0, node.partition(0).log_end_offset()},
                                             {"b", 0, node.partition(1).log_end_offset()}},
                                            500, static_cast<int32_t>(min_bytes))));
    node.run();
    return sent;
  };
  const auto put = [&](const std::string& topic) {
    CHECK_EQ(produce(node, {9, 1, 1000, {{topic, 0, batch_of(node, 1)}}, ""}).error(),
             ErrorCode::kNone);
  };
  const uint32_t both = wait(2 * one);
  put("a");
  CHECK(!fetch_answer(node.at(0), both, 12).is_answered);
  put("b");
  CHECK(fetch_answer(node.at(0), both, 12).is_answered);
  const uint32_t late = wait(3 * one);
  put("a");
  put("a");
  node.advance_ms(499);
  CHECK(!fetch_answer(node.at(0), late, 12).is_answered);
  node.advance_ms(1);
  CHECK(fetch_answer(node.at(0), late, 12).offsets(0) == (Offsets{1, 2}));
}

TEST("fetch: a change of leader wakes who waits, and a connection that ends leaves nothing") {
  Node node;
  node.simple_topic();
  FetchBody body = patient({{"t", 0, 0, 3}}, 60'000);
  const uint32_t waits = node.at(0).fetch(12, encode(body), 1);
  (void)node.at(0).fetch(12, encode(body), 2);
  node.run();
  node.at(0).requests().disconnected(node.at(0), 102);
  CHECK_EQ(node.at(0).counter(counter::kFetchWaiting), 1.0);
  CHECK(node.partition(0).follow(node.at(0), 4, 2));
  node.run();
  CHECK_EQ(fetch_answer(node.at(0), waits, 12).part_error(), ErrorCode::kFencedLeaderEpoch);
  CHECK_EQ(node.at(0).counter(counter::kFetchWaiting), 0.0);
}

TEST("fetch: who waits on another reactor's partition is woken across, also past a full mailbox") {
  Node node(2);
  node.simple_topic(1, "t");  // reactor 1's
  for (int round = 0; round < 3; round += 1) {
    const int64_t end = node.partition(1).log_end_offset();
    const uint32_t waits = node.at(0).fetch(12, encode(patient({{"t", 0, end}}, 60'000)));
    node.run();
    CHECK(!fetch_answer(node.at(0), waits, 12).is_answered);
    if (round == 1) node.at(0).mailbox_room = 0;  // a signal needs none
    const uint32_t sent =
        node.at(1).produce(9, encode(ProduceBody{9, 1, 1000, {{"t", 0, batch_of(node, 1)}}, ""}));
    node.run();
    CHECK_EQ(produce_answer(node.at(1), sent, 9).offset(), end);
    node.at(0).mailbox_room = 100;
    CHECK(fetch_answer(node.at(0), waits, 12).offsets() == Offsets{end});
  }
}

TEST("fetch: whoever waits on another reactor is woken before the producer hears of it") {
  Node node(2);
  node.simple_topic(1, "t");  // reactor 1's
  for (const int16_t acks : {-1, 1}) {
    const int64_t end = node.partition(1).log_end_offset();
    const uint32_t waits = node.at(0).fetch(12, encode(patient({{"t", 0, end}}, 60'000)));
    node.run();
    node.at(1).crossed.clear();
    const uint32_t sent = node.at(0).produce(
        9, encode(ProduceBody{9, acks, 1000, {{"t", 0, batch_of(node, 1)}}, ""}));
    node.run();
    CHECK_EQ(produce_answer(node.at(0), sent, 9).offset(), end);
    CHECK(fetch_answer(node.at(0), waits, 12).offsets() == Offsets{end});
    CHECK_EQ(node.at(1).crossed.substr(0, 2), std::string("sm"));
  }
}

TEST("fetch: an old segment is answered at once, without waiting for more") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) { o->config.log.segment_bytes_max = 300; });
  fill(node, "t", 6, 60);
  CHECK(node.partition(0).log().active_base_offset() > 2);
  CHECK(fetch(node, patient({{"t", 0, 0}}, 60'000, 1 << 20)).is_answered);
  const uint32_t waits = node.at(0).fetch(12, encode(patient({{"t", 0, 5}}, 60'000, 1 << 20)));
  node.run();
  CHECK(!fetch_answer(node.at(0), waits, 12).is_answered);
}

// --- sessions

TEST("fetch session: what did not change is not said, what did moves last") {
  Node node;
  for (int32_t slot = 0; slot < 3; slot += 1) {
    node.simple_topic(slot, std::string(1, static_cast<char>('a' + slot)));
    fill(node, std::string(1, static_cast<char>('a' + slot)), 1);
  }
  FetchBody body = ask({{"a", 0, 0}, {"b", 0, 1}, {"c", 0, 1}});
  body.session_epoch = 0;
  FetchAnswer answer = fetch(node, body);
  CHECK(answer.session_id != 0);
  CHECK_EQ(answer.parts.size(), size_t{3});
  body = ask({});
  body.session_id = answer.session_id;
  body.session_epoch = 1;
  answer = fetch(node, body);
  CHECK_EQ(answer.error, ErrorCode::kNone);
  CHECK(answer.topics == std::vector<std::string>{"a"});  // still has data at 0
  body.parts = {{"a", 0, 1}};
  body.session_epoch = 2;
  answer = fetch(node, body);
  CHECK(answer.parts.empty());
  fill(node, "a", 1);
  fill(node, "b", 1);
  body.parts = {};
  body.session_epoch = 3;
  answer = fetch(node, body);
  CHECK(answer.topics == (std::vector<std::string>{"b", "a"}));
  body.forgotten = {{"a"}, {"b"}};
  body.session_epoch = 4;
  CHECK(fetch(node, body).parts.empty());
  body.forgotten = {};
  body.parts = {{"d", 0, 0}};
  body.session_epoch = 5;
  answer = fetch(node, body);
  CHECK(answer.topics == std::vector<std::string>{"d"});
  body.parts = {};
  body.session_epoch = 6;
  CHECK_EQ(fetch(node, body).parts.size(), size_t{1});  // an error is said again
  CHECK_EQ(node.at(0).counter(counter::kFetchSessions), 1.0);
}

TEST("fetch session: errors of id, epoch and kind; closed by epoch -1 and by forgetting all") {
  Node node;
  node.simple_topic();
  FetchBody body = ask({{"t", 0, 0}});
  body.session_epoch = 0;
  const int32_t id = fetch(node, body).session_id;
  body.session_id = id;
  body.session_epoch = 2;
  CHECK_EQ(fetch(node, body).error, ErrorCode::kInvalidFetchSessionEpoch);
  body.session_id = id + 1;
  body.session_epoch = 1;
  FetchAnswer answer = fetch(node, body);
  CHECK_EQ(answer.error, ErrorCode::kFetchSessionIdNotFound);
  CHECK_EQ(answer.session_id, 0);
  CHECK(answer.parts.empty());
  body.session_id = id;
  body.version = 13;
  CHECK_EQ(fetch(node, body).error, ErrorCode::kFetchSessionTopicIdError);
  body.version = 12;
  body.parts = {};
  body.forgotten = {{"t"}};
  answer = fetch(node, body);
  CHECK_EQ(answer.error, ErrorCode::kNone);
  CHECK_EQ(answer.session_id, 0);
  body.session_epoch = 2;
  CHECK_EQ(fetch(node, body).error, ErrorCode::kFetchSessionIdNotFound);

  body = ask({{"t", 0, 0}});
  body.session_epoch = 0;
  body.session_id = fetch(node, body).session_id;
  body.session_epoch = -1;
  CHECK_EQ(fetch(node, body).session_id, 0);
  body.session_epoch = 1;
  CHECK_EQ(fetch(node, body).error, ErrorCode::kFetchSessionIdNotFound);
}

TEST("fetch session: full cache: the idle and the less valuable go, a follower evicts a consumer") {
  Node node(1, false, 1);
  node.simple_topic(0, "a");
  node.simple_topic(1, "b");
  const auto open = [&](std::vector<FetchPart> parts, int32_t replica) {
    FetchBody body = ask(std::move(parts));
    body.session_epoch = 0;
    body.replica_id = replica;
    return fetch(node, body).session_id;
  };
  const int32_t first = open({{"a", 0, 0}}, -1);
  CHECK(first != 0);
  CHECK_EQ(open({{"a", 0, 0}, {"b", 0, 0}}, -1), 0);
  const int32_t follower = open({{"a", 0, 0}}, 2);
  CHECK(follower != 0);
  CHECK_EQ(open({{"a", 0, 0}, {"b", 0, 0}}, -1), 0);
  node.advance_ms(120'001);
  CHECK(open({{"a", 0, 0}}, -1) != 0);
  CHECK_EQ(node.at(0).counter(counter::kFetchSessionEvictions), 2.0);
}

TEST("fetch session: one of another reactor is not found there") {
  Node node(2);
  node.simple_topic();
  FetchBody body = ask({{"t", 0, 0}});
  body.session_epoch = 0;
  for (int reactor = 0; reactor < 2; reactor += 1) {
    body.session_id = 0;
    body.session_epoch = 0;
    body.session_id = fetch(node, body, reactor).session_id;
    CHECK_EQ(body.session_id % 2, reactor);
    body.session_epoch = 1;
    CHECK_EQ(fetch(node, body, 1 - reactor).error, ErrorCode::kFetchSessionIdNotFound);
    CHECK_EQ(fetch(node, body, reactor).error, ErrorCode::kNone);
  }
}

TEST("fetch: a missing verdict parks the request, a no is an error of its partition") {
  Node node(1, true);
  node.simple_topic();
  const uint32_t parked = node.at(0).fetch(12, encode(ask({{"t", 0, 0}, {"nowhere", 0, 0}})), 9);
  node.advance_ms(60'000);
  CHECK(node.at(0).responses.empty());
  REQUIRE(node.at(0).facts.size() == 1);
  CHECK_EQ(node.at(0).facts[0].c, static_cast<double>(topic_operation::kRead));
  node.at(0).requests().verdict(node.at(0), 9, 10, topic_operation::kRead, false);
  const FetchAnswer answer = fetch_answer(node.at(0), parked, 12);
  REQUIRE(answer.parts.size() == 2);
  CHECK_EQ(answer.part_error(0), ErrorCode::kTopicAuthorizationFailed);
  CHECK_EQ(answer.part_error(1), ErrorCode::kUnknownTopicOrPartition);
}

TEST("fetch: a body that does not decode closes the connection") {
  Node node;
  node.simple_topic();
  const auto body = encode(ask({{"t", 0, 0}}));
  for (size_t size = 0; size < body.size(); size += 1) {
    const uint32_t sequence = node.at(0).fetch(
        12, std::vector<uint8_t>(body.begin(), body.begin() + static_cast<ptrdiff_t>(size)));
    CHECK(node.at(0).closed.count(sequence) == 1);
  }
  CHECK_EQ(node.at(0).frames_held(), size_t{0});
}

TEST("fetch: while it waits a small request lets its frame go, a large one holds it") {
  Node node;
  node.simple_topic();
  FetchBody body;
  body.max_wait_ms = 500;
  body.parts = {{"t", 0, 0}};
  const uint32_t small = node.at(0).fetch(12, encode(body));
  CHECK_EQ(node.at(0).frames_held(), size_t{0});
  for (int i = 0; i < 2000; i += 1) body.parts.push_back({"unknown-" + std::to_string(i), 0, 0});
  const uint32_t large = node.at(0).fetch(12, encode(body));
  node.run();
  CHECK_EQ(node.at(0).frames_held(), size_t{1});
  CHECK_EQ(produce(node, {9, 1, 1000, {{"t", 0, batch_of(node, 1)}}, ""}).error(),
           ErrorCode::kNone);
  CHECK(fetch_answer(node.at(0), small, 12).offsets() == std::vector<int64_t>{0});
  const FetchAnswer answer = fetch_answer(node.at(0), large, 12);
  CHECK(answer.offsets() == std::vector<int64_t>{0});
  CHECK_EQ(answer.topics.size(), size_t{2001});
  CHECK_EQ(answer.topics.back(), "unknown-1999");
  CHECK_EQ(node.at(0).frames_held(), size_t{0});
}

TEST("fetch: sessions: names of forgotten topics go, but not under a request that looks at them") {
  FetchSessions sessions(10, 0, 1);
  FetchSession* session = sessions.create(false, false, 1, 0, 7);
  REQUIRE(session != nullptr);
  ErrorCode error = ErrorCode::kNone;
  FetchTarget target;
  std::vector<FetchTarget> seen;
  for (int round = 0; round < 10000; round += 1) {
    const std::string name = "topic-" + std::to_string(round);
    CHECK(sessions.find(session->id, session->epoch, false, &error) == session);
    target.topic = name;
    session->put(target);
    if (round == 5000) {  // a request that is still under way
      session->references += 1;
      session->targets(&seen);
    }
    session->forget(key_of(target));
    sessions.release(session);
    if (round < 5000) CHECK(session->names() <= 100);
  }
  REQUIRE(seen.size() == 1);
  CHECK_EQ(seen[0].topic, "topic-5000");
  sessions.release(session);
  CHECK(sessions.find(session->id, session->epoch, false, &error) == session);
  CHECK_EQ(session->names(), size_t{0});
  sessions.release(session);
}

}  // namespace

RUN_TESTS()
