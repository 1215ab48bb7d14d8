// Produce: from a request's bytes to its answer, on a node without sockets.
#include "../../native/request/produce.h"
#include "request_fixture.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

TEST("produce: every version is answered with the offset of its batch") {
  Node node;
  node.simple_topic();
  int64_t expected = 0;
  for (int16_t version = 3; version <= 13; version += 1) {
    const ProduceAnswer answer =
        produce(node, {version, 1, 1000, {{"t", 0, batch_of(node, 2)}}, ""});
    REQUIRE(answer.is_answered);
    CHECK_EQ(answer.error(), ErrorCode::kNone);
    CHECK_EQ(answer.offset(), expected);
    CHECK_EQ(answer.parts[0].log_append_time_ms, -1);
    CHECK_EQ(answer.parts[0].log_start_offset, version >= 5 ? 0 : -1);
    expected += 2;
  }
  CHECK_EQ(node.partition(0).high_watermark(), expected);
  CHECK_EQ(node.at(0).frames_held(), size_t{0});
  CHECK_EQ(node.at(0).counter(counter::kProduceRecords), 22.0);
}

TEST("produce: what is wrong before the partition is asked") {
  Node node;
  node.simple_topic();
  node.route(20, "elsewhere", {-1});
  const auto good = batch_of(node, 1);
  auto two = good;
  two.insert(two.end(), good.begin(), good.end());
  auto old_magic = good;
  old_magic[batch_layout::kMagic] = 1;
  auto cut = good;
  cut.pop_back();
  BatchOptions transactional;
  transactional.more_attributes = 0x10;
  transactional.producer_id = 5;
  transactional.producer_epoch = 0;
  transactional.base_sequence = 0;
  BatchOptions zstd;
  zstd.codec = 4;
  const auto error = [&](int16_t version, const std::string& topic, int32_t index,
                         std::vector<uint8_t> records, bool is_null = false, int16_t acks = 1) {
    return produce(node, {version, acks, 1000, {{topic, index, std::move(records), is_null}}, ""})
        .error();
  };
  CHECK_EQ(error(9, "nowhere", 0, good), ErrorCode::kUnknownTopicOrPartition);
  CHECK_EQ(error(13, "nowhere", 0, good), ErrorCode::kUnknownTopicId);
  CHECK_EQ(error(9, "t", 1, good), ErrorCode::kUnknownTopicOrPartition);
  CHECK_EQ(error(9, "t", -1, good), ErrorCode::kUnknownTopicOrPartition);
  CHECK_EQ(error(9, "elsewhere", 0, good), ErrorCode::kNotLeaderOrFollower);
  CHECK_EQ(error(9, "t", 0, {}, true), ErrorCode::kInvalidRecord);
  CHECK_EQ(error(9, "t", 0, {}), ErrorCode::kInvalidRecord);
  CHECK_EQ(error(9, "t", 0, two), ErrorCode::kInvalidRecord);
  CHECK_EQ(error(9, "t", 0, old_magic), ErrorCode::kInvalidRecord);
  CHECK_EQ(error(9, "t", 0, cut), ErrorCode::kInvalidRecord);
  CHECK_EQ(error(9, "t", 0, batch_of(node, 1, transactional)),
           ErrorCode::kTransactionalIdAuthorizationFailed);
  CHECK_EQ(error(6, "t", 0, batch_of(node, 1, zstd)), ErrorCode::kUnsupportedCompressionType);
  CHECK_EQ(error(7, "t", 0, batch_of(node, 1, zstd)), ErrorCode::kNone);
  CHECK_EQ(error(9, "t", 0, good, false, 2), ErrorCode::kInvalidRequiredAcks);
  ProduceBody with_id{9, 1, 1000, {{"t", 0, good}}, "my-transaction"};
  CHECK_EQ(produce(node, with_id).error(), ErrorCode::kNone);
  CHECK_EQ(node.partition(0).log_end_offset(), 2);
}

TEST("produce: what is wrong with the batch") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) {
    o->config.message_bytes_max = 400;
    o->config.timestamp_before_max_ms = 10'000;
    o->config.timestamp_after_max_ms = 10'000;
  });
  node.simple_topic(1, "compacted", [](PartitionOptions* o) { o->config.is_compacted = true; });
  const auto answer = [&](const std::string& topic, std::vector<uint8_t> records) {
    return produce(node, {9, 1, 1000, {{topic, 0, std::move(records)}}, ""});
  };
  auto corrupt = batch_of(node, 1);
  corrupt.back() ^= 1;
  ProduceAnswer refused = answer("t", corrupt);
  CHECK_EQ(refused.error(), ErrorCode::kCorruptMessage);
  CHECK_EQ(refused.parts[0].log_start_offset, -1);
  CHECK_EQ(answer("t", batch_of(node, 40)).error(), ErrorCode::kMessageTooLarge);
  BatchOptions offset;
  offset.base_offset = 7;
  refused = answer("t", batch_of(node, 1, offset));
  CHECK_EQ(refused.error(), ErrorCode::kInvalidRecord);
  CHECK_EQ(refused.parts[0].log_start_offset, 0);
  BatchOptions control;
  control.more_attributes = 0x20;
  CHECK_EQ(answer("t", batch_of(node, 1, control)).error(), ErrorCode::kInvalidRecord);

  const int64_t now = node.world.wall_ms();
  const std::vector<TestRecord> times = {
      {now, "a", false, ""}, {now - 10'001, "b", false, ""}, {now + 10'001, "c", false, ""}};
  refused = answer("t", make_batch(times));
  CHECK_EQ(refused.error(), ErrorCode::kInvalidTimestamp);
  REQUIRE(refused.record_errors.size() == 2);
  CHECK_EQ(refused.record_errors[0].substr(0, 2), std::string("1:"));
  CHECK(!refused.parts[0].error_message.empty());
  BatchOptions lz4;
  lz4.codec = 3;
  refused = answer("t", make_batch(times, lz4));
  CHECK_EQ(refused.error(), ErrorCode::kInvalidTimestamp);
  CHECK_EQ(refused.record_errors.size(), size_t{2});

  refused = answer("compacted", make_batch({{now, "a", true, "k"}, {now, "b", false, ""}}));
  CHECK_EQ(refused.error(), ErrorCode::kInvalidRecord);
  REQUIRE(refused.record_errors.size() == 1);
  CHECK_EQ(refused.record_errors[0].substr(0, 2), std::string("1:"));
  CHECK_EQ(answer("compacted", make_batch({{now, "a", true, "k"}})).error(), ErrorCode::kNone);
  CHECK_EQ(node.at(0).counter(counter::kInvalidCrc), 1.0);
  CHECK_EQ(node.at(0).counter(counter::kNoKeyCompacted), 1.0);
}

TEST("produce: the broker stamps batches of a topic with append time") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) { o->config.is_log_append_time = true; });
  const ProduceAnswer answer =
      produce(node, {9, 1, 1000, {{"t", 0, make_batch({{5, "old", false, ""}})}}, ""});
  CHECK_EQ(answer.error(), ErrorCode::kNone);
  CHECK_EQ(answer.parts[0].log_append_time_ms, node.world.wall_ms());
  const FetchAnswer read = fetch(node, {12, 0, 1, 1 << 20, 0, 0, -1, -1, -1, {{"t"}}, {}});
  REQUIRE(read.offsets() == std::vector<int64_t>{0});
  const RecordBatch batch(read.parts[0].records.data(), read.parts[0].records.size());
  CHECK(batch.is_log_append_time());
  CHECK_EQ(batch.max_timestamp(), node.world.wall_ms());
  CHECK_EQ(batch.leader_epoch(), 3);
}

TEST("produce: acks=0 answers nothing, and closes the connection when something failed") {
  Node node;
  node.simple_topic();
  const ProduceBody good{9, 0, 1000, {{"t", 0, batch_of(node, 1)}}, ""};
  const uint32_t first = node.at(0).produce(9, encode(good));
  node.run();
  CHECK_EQ(node.at(0).silent, std::vector<uint32_t>{first});
  const ProduceBody bad{
      9, 0, 1000, {{"t", 0, batch_of(node, 1)}, {"nowhere", 0, batch_of(node, 1)}}, ""};
  const uint32_t second = node.at(0).produce(9, encode(bad));
  node.run();
  CHECK(node.at(0).closed.at(second) == DisconnectReason::kProduceFailed);
  CHECK(node.at(0).responses.empty());
  CHECK_EQ(node.partition(0).log_end_offset(), 2);
}

TEST("produce: a body that does not decode closes the connection") {
  Node node;
  node.simple_topic();
  auto body = encode(ProduceBody{9, 1, 1000, {{"t", 0, batch_of(node, 1)}}, ""});
  for (size_t size = 0; size < body.size(); size += 1) {
    const uint32_t sequence = node.at(0).produce(
        9, std::vector<uint8_t>(body.begin(), body.begin() + static_cast<ptrdiff_t>(size)));
    CHECK(node.at(0).closed.count(sequence) == 1);
  }
  CHECK_EQ(node.at(0).frames_held(), size_t{0});
}

TEST("produce: idempotence: duplicates get their offset, gaps and old epochs are refused") {
  Node node;
  node.simple_topic();
  const auto send = [&](int16_t epoch, int32_t sequence, int count) {
    return produce(node, {9, 1, 1000, {{"t", 0, sequenced(node, 77, epoch, sequence, count)}}, ""});
  };
  CHECK_EQ(send(0, 0, 3).offset(), 0);
  CHECK_EQ(send(0, 3, 2).offset(), 3);
  const ProduceAnswer again = send(0, 0, 3);
  CHECK_EQ(again.error(), ErrorCode::kNone);
  CHECK_EQ(again.offset(), 0);
  CHECK_EQ(again.parts[0].log_append_time_ms, node.world.wall_ms());
  CHECK_EQ(send(0, 6, 1).error(), ErrorCode::kOutOfOrderSequenceNumber);
  CHECK_EQ(send(1, 0, 1).offset(), 5);
  CHECK_EQ(send(0, 5, 1).error(), ErrorCode::kInvalidProducerEpoch);
  CHECK_EQ(node.partition(0).log_end_offset(), 6);
}

TEST("produce: pipelined batches of a turn are one append, and see each other's sequences") {
  Node node;
  node.simple_topic();
  std::vector<uint32_t> sent;
  for (int32_t i = 0; i < 8; i += 1) {
    const ProduceBody body{9, 1, 1000, {{"t", 0, sequenced(node, 5, 0, i)}}, ""};
    sent.push_back(node.at(0).produce(9, encode(body)));
  }
  const ProduceBody repeat{9, 1, 1000, {{"t", 0, sequenced(node, 5, 0, 6)}}, ""};
  const uint32_t repeated = node.at(0).produce(9, encode(repeat));
  CHECK(node.at(0).responses.empty());
  const uint64_t before = node.world.operations();
  node.run();
  CHECK(node.world.operations() - before <= 3);  // the write, and space ahead of it
  for (int32_t i = 0; i < 8; i += 1) {
    CHECK_EQ(produce_answer(node.at(0), sent[static_cast<size_t>(i)], 9).offset(), i);
  }
  CHECK_EQ(produce_answer(node.at(0), repeated, 9).offset(), 6);
  CHECK_EQ(node.partition(0).log_end_offset(), 8);
}

TEST("produce: while a write is under way later batches wait behind it") {
  Node node;
  node.simple_topic();
  node.world.submit_latency_us = 5000;
  const auto send = [&](int32_t sequence) {
    return node.at(0).produce(
        9, encode(ProduceBody{9, 1, 1000, {{"t", 0, sequenced(node, 5, 0, sequence)}}, ""}));
  };
  const uint32_t first = send(0);
  node.run();
  const uint32_t second = send(1);
  const uint32_t repeat = send(0);
  node.run();
  CHECK(node.at(0).responses.empty());
  CHECK_EQ(node.partition(0).log_end_offset(), 0);
  node.advance_ms(5);
  CHECK_EQ(produce_answer(node.at(0), first, 9).offset(), 0);
  node.advance_ms(5);
  CHECK_EQ(produce_answer(node.at(0), second, 9).offset(), 1);
  CHECK_EQ(produce_answer(node.at(0), repeat, 9).offset(), 0);
}

TEST("produce: a write that fails takes the partition offline and what was staged with it") {
  Node node;
  node.simple_topic();
  CHECK_EQ(produce(node, {9, 1, 1000, {{"t", 0, sequenced(node, 5, 0, 0)}}, ""}).offset(), 0);
  SimRule rule;
  rule.op = SimOp::kSubmit;
  rule.count = UINT64_MAX;
  node.world.add_rule(rule);
  CHECK_EQ(produce(node, {9, 1, 1000, {{"t", 0, sequenced(node, 5, 0, 1)}}, ""}).error(),
           ErrorCode::kKafkaStorageError);
  CHECK_EQ(produce(node, {9, 1, 1000, {{"t", 0, sequenced(node, 5, 0, 1)}}, ""}).error(),
           ErrorCode::kKafkaStorageError);
  CHECK(node.partition(0).is_offline());
  CHECK_EQ(node.partition(0).producers().staged(), size_t{0});
  CHECK_EQ(node.partition(0).producers().find(5)->last_sequence(), 0);
  REQUIRE(node.at(0).facts.size() == 1);
  CHECK_EQ(node.at(0).facts[0].kind, fact::kDirectoryFailed);
  CHECK_EQ(node.at(0).facts[0].status, 5);
}

TEST("produce: partitions of other reactors are written there, through full mailboxes too") {
  Node node(3);
  for (int32_t slot = 0; slot < 3; slot += 1) {
    node.simple_topic(slot, "t" + std::to_string(slot));
  }
  ProduceBody body{9, 1, 1000, {}, ""};
  for (int32_t slot = 0; slot < 3; slot += 1) {
    body.parts.push_back({"t" + std::to_string(slot), 0, batch_of(node, slot + 1)});
  }
  ProduceAnswer answer = produce(node, body, 1);
  REQUIRE(answer.parts.size() == 3);
  for (size_t i = 0; i < 3; i += 1) CHECK_EQ(answer.error(i), ErrorCode::kNone);

  node.at(2).mailbox_room = 0;
  const uint32_t sequence = node.at(1).produce(9, encode(body));
  node.run();
  CHECK(!produce_answer(node.at(1), sequence, 9).is_answered);
  node.at(2).mailbox_room = 10;
  node.advance_ms(1);
  answer = produce_answer(node.at(1), sequence, 9);
  REQUIRE(answer.is_answered);
  CHECK_EQ(answer.offset(2), 3);
  CHECK(node.at(1).counter(counter::kMailboxFull) >= 1.0);
}

TEST("produce: a slot that went to another topic takes nothing that was meant for the one before") {
  Node node(2);
  node.simple_topic(0, "old");
  const ProduceBody body{9, 1, 1000, {{"old", 0, batch_of(node, 1)}}, ""};
  const uint32_t under_way = node.at(1).produce(9, encode(body));
  node.partition(0).retire(node.at(0), true, true);
  const auto gone = node.partitions.extract(0);  // a helper deletes its files meanwhile
  // Reactor 1 has not heard: its route of "old" names the slot still.
  CHECK_OK(node.open(0, "new", 0, [](PartitionOptions* o) { o->incarnation = 1; }));
  CHECK(node.lead(0, 3, {1}, {1}));
  node.run();
  CHECK_EQ(produce_answer(node.at(1), under_way, 9).error(), ErrorCode::kNotLeaderOrFollower);
  for (const int reactor : {0, 1}) {
    CHECK_EQ(produce(node, body, reactor).error(), ErrorCode::kNotLeaderOrFollower);
    CHECK_EQ(fetch(node, {.parts = {{"old", 0, 0}}, .forgotten = {}}, reactor).part_error(),
             ErrorCode::kNotLeaderOrFollower);
  }
  CHECK_EQ(node.partition(0).log_end_offset(), 0);
}

TEST("produce: a client that asked the wrong broker learns who leads") {
  Node node;
  node.route(10, "t", {-1});
  node.at(0).topics().brokers(0, {{2, "two.example", 9094, "", false}});
  for (const int16_t version : {int16_t{9}, int16_t{10}, int16_t{13}}) {
    const ProduceAnswer answer =
        produce(node, {version, 1, 1000, {{"t", 0, batch_of(node, 1)}}, ""});
    CHECK_EQ(answer.error(), ErrorCode::kNotLeaderOrFollower);
    CHECK_EQ(answer.parts[0].current_leader.leader_id, version >= 10 ? 2 : -1);
    CHECK_EQ(answer.parts[0].current_leader.leader_epoch, version >= 10 ? 7 : -1);
    CHECK_EQ(answer.endpoints, version >= 10 ? 1 : 0);
  }
}

TEST("produce: a batch that opens to far more than a batch may be is refused as too large") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) { o->config.is_compacted = true; });
  const int64_t now = node.world.wall_ms();
  for (const int codec : {1, 2, 3, 4}) {
    BatchOptions options;
    options.codec = codec;
    const auto error = [&](size_t bytes) {
      const auto records = make_batch({{now, std::string(bytes, 'z'), true, "k"}}, options);
      if (records.size() > 1'000'000) return ErrorCode::kMessageTooLarge;  // snappy: 5 %
      return produce(node, {9, 1, 1000, {{"t", 0, records}}, ""}).error();
    };
    CHECK_EQ(error(10 << 20), ErrorCode::kNone);
    CHECK_EQ(error((64 << 20) + 1), ErrorCode::kMessageTooLarge);
  }
}

// --- giant requests

ProduceBody of_partitions(int count) {
  ProduceBody body{9, 1, 1000, {}, ""};
  for (int i = 0; i < count; i += 1) body.parts.push_back({"n", i, {}, true});
  return body;
}

TEST("produce: more topics and partitions than anybody needs are malformed") {
  Node node;
  const uint32_t sent = node.at(0).produce(9, encode(of_partitions(500'001)));
  CHECK(node.at(0).closed.count(sent) == 1);
  CHECK_EQ(node.at(0).frames_held(), size_t{0});
}

TEST("produce: a giant request's memory goes back when it is answered") {
  Node node;
  RequestsOptions options;
  Produces produces(options);
  std::vector<uint8_t> body = encode(of_partitions(50'000));
  RequestFrame frame;
  frame.api_version = 9;
  frame.body = body.data();
  frame.body_bytes = body.size();
  produces.start(node.at(0), frame);
  CHECK_EQ(node.at(0).responses.count(0), size_t{1});
  CHECK_EQ(produces.in_flight(), size_t{0});
  CHECK(produces.entries_kept() <= 16 * 1024);
}

// --- waiting without its frame

// Topic "t" with a follower, broker 2, that has everything up to `offset`.
void follower_has(Node& node, int reactor, int64_t offset) {
  fetch(node, {.replica_id = 2, .parts = {{"t", 0, offset}}, .forgotten = {}}, reactor);
}

TEST("produce: a batch that waits for replicas holds no frame, and its answer names its topics") {
  for (const int16_t version : {int16_t{9}, int16_t{13}}) {
    Node node;
    node.simple_topic(0, "t");
    node.simple_topic(1, "second");
    CHECK(node.lead(0, 4, {1, 2}, {1, 2}));
    const ProduceBody body{version,
                           -1,
                           1000,
                           {{"t", 0, batch_of(node, 1)},
                            {"second", 0, batch_of(node, 1)},
                            {"nowhere", 5, batch_of(node, 1)}},
                           ""};
    const uint32_t sent = node.at(0).produce(version, encode(body));
    CHECK_EQ(node.at(0).frames_held(), size_t{1});
    node.run();
    CHECK(!produce_answer(node.at(0), sent, version).is_answered);
    CHECK_EQ(node.at(0).frames_held(), size_t{0});
    follower_has(node, 0, 1);
    ByteReader in(Bytes(node.at(0).responses.at(sent)));
    gen::ProduceResponse response;
    REQUIRE(response.read(in, version));
    gen::ProduceResponse::Response topic;
    gen::ProduceResponse::PartitionResponse part;
    std::vector<std::string> said;
    for (auto topics = response.responses; topics.next(&topic);) {
      const std::string name = version < 13
                                   ? std::string(topic.name)
                                   : std::string(1, static_cast<char>(topic.topic_id.bytes[0]));
      for (auto parts = topic.partition_responses; parts.next(&part);) {
        said.push_back(name.substr(0, 1) + std::to_string(part.index) + ":" +
                       std::to_string(part.error_code));
      }
    }
    CHECK_EQ(said, (std::vector<std::string>{"t0:0", "s0:0", version < 13 ? "n5:3" : "n5:100"}));
  }
}

TEST("produce: a request of very many partitions keeps its frame while it waits") {
  Node node;
  node.simple_topic(0, "t");
  CHECK(node.lead(0, 4, {1, 2}, {1, 2}));
  ProduceBody body{9, -1, 1000, {{"t", 0, batch_of(node, 1)}}, ""};
  for (int i = 0; i < 1024; i += 1) body.parts.push_back({"nowhere", i, {}});
  const uint32_t sent = node.at(0).produce(9, encode(body));
  node.run();
  CHECK_EQ(node.at(0).frames_held(), size_t{1});
  follower_has(node, 0, 1);
  const ProduceAnswer answer = produce_answer(node.at(0), sent, 9);
  CHECK_EQ(answer.parts.size(), size_t{1025});
  CHECK_EQ(answer.error(), ErrorCode::kNone);
  CHECK_EQ(node.at(0).frames_held(), size_t{0});
}

TEST("produce: another reactor's word that the batch is written lets the frame go, late too") {
  Node node(2);
  node.simple_topic(0, "t");
  CHECK(node.lead(0, 4, {1, 2}, {1, 2}));
  const ProduceBody body{9, -1, 1000, {{"t", 0, batch_of(node, 1)}}, ""};
  const uint32_t first = node.at(1).produce(9, encode(body));
  node.run();
  CHECK_EQ(node.at(1).frames_held(), size_t{0});
  CHECK(!produce_answer(node.at(1), first, 9).is_answered);
  follower_has(node, 0, 1);
  CHECK_EQ(produce_answer(node.at(1), first, 9).offset(), 0);

  // The mailbox is full for the word, and has room again for the answer, which overtakes it.
  node.at(1).mailbox_room = 0;
  const uint32_t second = node.at(1).produce(9, encode(body));
  node.run();
  CHECK_EQ(node.at(1).frames_held(), size_t{1});
  node.at(1).mailbox_room = 10;
  follower_has(node, 0, 2);
  CHECK(!produce_answer(node.at(1), second, 9).is_answered);
  node.advance_ms(1);
  CHECK_EQ(produce_answer(node.at(1), second, 9).offset(), 1);
  CHECK_EQ(node.at(1).frames_held(), size_t{0});
}

// --- verdicts

TEST("produce: a missing verdict parks the batch, asks once, and lets other topics pass") {
  Node node(1, true);
  node.simple_topic(0, "a");
  node.simple_topic(1, "b");
  const auto send = [&](const std::string& topic, std::vector<uint8_t> records) {
    return node.at(0).produce(
        9, encode(ProduceBody{9, 1, 1000, {{topic, 0, std::move(records)}}, ""}), 4);
  };
  const uint32_t first = send("a", sequenced(node, 5, 0, 0));
  const uint32_t second = send("a", sequenced(node, 5, 0, 1));
  REQUIRE(node.at(0).facts.size() == 1);
  CHECK_EQ(node.at(0).facts[0].kind, fact::kVerdictNeeded);
  CHECK_EQ(node.at(0).facts[0].a, 4.0);
  CHECK_EQ(node.at(0).facts[0].b, 10.0);
  node.at(0).requests().verdict(node.at(0), 4, 11, topic_operation::kWrite, true);
  const uint32_t other = send("b", batch_of(node, 1));
  node.run();
  CHECK_EQ(produce_answer(node.at(0), other, 9).error(), ErrorCode::kNone);
  CHECK(!produce_answer(node.at(0), first, 9).is_answered);
  node.at(0).requests().verdict(node.at(0), 4, 10, topic_operation::kWrite, true);
  node.run();
  CHECK_EQ(produce_answer(node.at(0), first, 9).offset(), 0);
  CHECK_EQ(produce_answer(node.at(0), second, 9).offset(), 1);
  node.at(0).requests().verdict(node.at(0), 4, 10, topic_operation::kWrite, false);
  const uint32_t denied = send("a", batch_of(node, 1));
  node.run();
  CHECK_EQ(produce_answer(node.at(0), denied, 9).error(), ErrorCode::kTopicAuthorizationFailed);
}

TEST("produce: a producer's later batch queues behind its parked one, whoever sends it") {
  Node node(1, true);
  node.simple_topic();
  node.at(0).requests().verdict(node.at(0), 2, 10, topic_operation::kWrite, true);
  const auto send = [&](int32_t principal, int64_t producer, int32_t sequence) {
    const ProduceBody body{9, 1, 1000, {{"t", 0, sequenced(node, producer, 0, sequence)}}, ""};
    const uint32_t sent = node.at(0).produce(9, encode(body), principal);
    node.run();
    return sent;
  };
  const uint32_t parked = send(1, 5, 0);
  const uint32_t behind = send(2, 5, 1);
  const uint32_t passes = send(2, 6, 0);
  CHECK_EQ(produce_answer(node.at(0), passes, 9).offset(), 0);
  CHECK(!produce_answer(node.at(0), behind, 9).is_answered);
  node.at(0).requests().verdict(node.at(0), 1, 10, topic_operation::kWrite, true);
  node.run();
  CHECK_EQ(produce_answer(node.at(0), parked, 9).offset(), 1);
  CHECK_EQ(produce_answer(node.at(0), behind, 9).offset(), 2);
}

TEST("produce: parked batches end with their timeout or their connection") {
  Node node(1, true);
  node.simple_topic();
  const ProduceBody body{9, 1, 500, {{"t", 0, sequenced(node, 5, 0, 0)}}, ""};
  const uint32_t slow = node.at(0).produce(9, encode(body), 1);
  const uint32_t gone = node.at(0).produce(9, encode(body), 2);
  node.at(0).requests().disconnected(node.at(0), 102);
  CHECK_EQ(node.at(0).frames_held(), size_t{1});
  node.advance_ms(499);
  CHECK(!produce_answer(node.at(0), slow, 9).is_answered);
  node.advance_ms(1);
  CHECK_EQ(produce_answer(node.at(0), slow, 9).error(), ErrorCode::kRequestTimedOut);
  CHECK_EQ(node.partition(0).log_end_offset(), 0);
  CHECK_EQ(node.at(0).frames_held(), size_t{0});
  (void)gone;
}

}  // namespace

RUN_TESTS()
