// Recompression in a partition: who waits for the helper and who does not, what happens to batches
// that it has while the world changes, and what they cost in memory.
#include <atomic>

#include "../../native/log/reencode.h"
#include "request_fixture.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

std::vector<uint8_t> packed(Node& node, int codec, int64_t producer = -1, int32_t sequence = -1,
                            bool is_transactional = false) {
  BatchOptions options;
  options.codec = codec;
  options.producer_id = producer;
  options.producer_epoch = static_cast<int16_t>(producer < 0 ? -1 : 0);
  options.base_sequence = sequence;
  if (is_transactional) options.more_attributes = 0x10;
  return batch_of(node, 2, options);
}

void wants(PartitionOptions* options, Codec codec) {
  options->config.recompression = {true, codec, kDefaultLevel};
}

uint32_t send(Node& node, const std::string& topic, std::vector<uint8_t> records,
              const std::string& transactional_id = "") {
  return node.at(0).produce(
      9, encode(ProduceBody{9, 1, 1000, {{topic, 0, std::move(records)}}, transactional_id}));
}

ProduceAnswer answer(Node& node, uint32_t sequence) {
  return produce_answer(node.at(0), sequence, 9);
}

TEST("partition recode: a helper has the batch, and only its partition waits") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) { wants(o, Codec::kZstd); });
  node.simple_topic(1, "u");
  node.at(0).holds_lent = true;
  const uint32_t recoded = send(node, "t", packed(node, 1));
  const uint32_t behind = send(node, "t", packed(node, 4));
  const uint32_t other = send(node, "u", packed(node, 1));
  node.run();
  CHECK_EQ(node.at(0).lent(), size_t{1});
  CHECK(!answer(node, recoded).is_answered);
  CHECK(!answer(node, behind).is_answered);
  CHECK_EQ(answer(node, other).error(), ErrorCode::kNone);
  node.at(0).holds_lent = false;
  node.run();
  CHECK_EQ(answer(node, recoded).offset(), 0);
  CHECK_EQ(answer(node, behind).offset(), 2);
  CHECK_EQ(node.at(0).frames_held(), size_t{0});
}

TEST("partition recode: what comes meanwhile is taken along together, in order") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) { wants(o, Codec::kNone); });
  node.at(0).holds_lent = true;
  std::vector<uint32_t> sent;
  for (int32_t i = 0; i < 21; i += 1) sent.push_back(send(node, "t", packed(node, 3, 5, 2 * i)));
  node.at(0).holds_lent = false;
  node.run();
  for (size_t i = 0; i < sent.size(); i += 1) {
    CHECK_EQ(answer(node, sent[i]).error(), ErrorCode::kNone);
    CHECK_EQ(answer(node, sent[i]).offset(), static_cast<int64_t>(2 * i));
  }
}

TEST("partition recode: a leader that steps down answers, and what the helper has comes back") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) { wants(o, Codec::kZstd); });
  node.at(0).holds_lent = true;
  const uint32_t lent = send(node, "t", packed(node, 1));
  const uint32_t behind = send(node, "t", packed(node, 1));
  CHECK(node.partition(0).follow(node.at(0), 4, 2));
  node.run();
  CHECK(!answer(node, lent).is_answered);
  CHECK_EQ(answer(node, behind).error(), ErrorCode::kNotLeaderOrFollower);
  node.at(0).holds_lent = false;
  node.run();
  CHECK_EQ(answer(node, lent).error(), ErrorCode::kNotLeaderOrFollower);
  CHECK_EQ(node.partition(0).log_end_offset(), 0);
}

TEST("partition recode: a partition stays until its helper is back") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) { wants(o, Codec::kZstd); });
  node.at(0).holds_lent = true;
  const uint32_t lent = send(node, "t", packed(node, 1));
  node.partition(0).retire(node.at(0), false, true);
  CHECK(!node.partition(0).is_quiet());
  node.at(0).holds_lent = false;
  node.run();
  CHECK_EQ(answer(node, lent).error(), ErrorCode::kNotLeaderOrFollower);
  CHECK(node.partition(0).is_quiet());
}

TEST("partition recode: a batch that a marker has overtaken is asked about anew") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) { wants(o, Codec::kZstd); });
  FakeReactor& reactor = node.at(0);
  const auto asks = [&] {
    double last = 0;
    for (const Fact& fact : reactor.facts) {
      if (fact.kind == fact::kAdmissionNeeded) last = fact.ticket;
    }
    return last;
  };
  reactor.holds_lent = true;
  const uint32_t first = send(node, "t", packed(node, 1, 9, 0, true), "tx");
  CHECK_EQ(asks(), 1.0);
  node.partition(0).admit(1, ErrorCode::kNone, reactor);
  CHECK_EQ(reactor.lent(), size_t{1});

  std::vector<uint8_t> marker =
      make_batch({{1000, std::string("\0\0\0\0\0\1", 6), true, std::string("\0\0\0\0", 4)}}, [] {
        BatchOptions options;
        options.more_attributes = 0x30;
        options.producer_id = 9;
        options.producer_epoch = 0;
        return options;
      }());
  ProduceOp op;
  op.records = marker.data();
  op.records_bytes = static_cast<int32_t>(marker.size());
  op.leader_epoch = 3;
  op.done = [](ProduceOp*, PartitionHost&) {};
  node.partition(0).mark(&op, 1, reactor);
  CHECK_EQ(op.refusal.error, ErrorCode::kNone);
  reactor.holds_lent = false;
  node.run();
  CHECK(!answer(node, first).is_answered);
  CHECK_EQ(asks(), 2.0);
  node.partition(0).admit(2, ErrorCode::kInvalidTxnState, reactor);
  node.run();
  CHECK_EQ(answer(node, first).error(), ErrorCode::kInvalidTxnState);
  CHECK_EQ(node.partition(0).log_end_offset(), 1);
}

TEST("partition recode: memory is counted until the batch is written, and waited for") {
  Node node;
  std::atomic<int64_t> budget{kRecodingBudget};
  node.simple_topic(0, "t", [&](PartitionOptions* o) {
    wants(o, Codec::kNone);
    o->recoding_budget = &budget;
  });
  // Somebody else has all but a little.
  budget -= kRecodingBudget - 100;
  const uint32_t first = send(node, "t", packed(node, 1));
  const uint32_t second = send(node, "t", packed(node, 0));
  node.run();
  CHECK(!answer(node, first).is_answered);
  CHECK(!answer(node, second).is_answered);
  budget += kRecodingBudget - 100;
  node.advance_ms(5);
  CHECK_EQ(answer(node, first).offset(), 0);
  CHECK_EQ(answer(node, second).offset(), 2);
  CHECK_EQ(budget.load(), kRecodingBudget);
  // A batch may be larger than all of it: it goes alone.
  PartitionConfig config = node.partition(0).options().config;
  config.message_bytes_max = 2 * kRecodingBudget;
  node.partition(0).configure(node.at(0), config);
  const uint32_t large = send(node, "t", packed(node, 1));
  const uint32_t refused = send(node, "t", packed(node, 1, 9, 7));
  const uint32_t gap = send(node, "t", packed(node, 1, 9, 77));
  node.run();
  node.advance_ms(5);
  CHECK_EQ(answer(node, large).error(), ErrorCode::kNone);
  CHECK_EQ(answer(node, refused).error(), ErrorCode::kNone);
  CHECK_EQ(answer(node, gap).error(), ErrorCode::kOutOfOrderSequenceNumber);
  CHECK_EQ(budget.load(), kRecodingBudget);
}

TEST("partition recode: a partition that goes offline answers what is queued") {
  Node node;
  node.simple_topic(0, "t", [](PartitionOptions* o) { wants(o, Codec::kGzip); });
  SimRule failing;
  failing.op = SimOp::kSubmit;
  failing.path_contains = ".log";
  failing.count = UINT64_MAX;
  node.world.add_rule(failing);
  const uint32_t first = send(node, "t", packed(node, 2));
  const uint32_t second = send(node, "t", packed(node, 2));
  node.run();
  const uint32_t third = send(node, "t", packed(node, 2));
  node.run();
  CHECK_EQ(answer(node, first).error(), ErrorCode::kKafkaStorageError);
  CHECK_EQ(answer(node, second).error(), ErrorCode::kKafkaStorageError);
  CHECK_EQ(answer(node, third).error(), ErrorCode::kKafkaStorageError);
}

TEST("partition recode: what comes out says the same, in Kafka's own bytes") {
  // A base that is no record's time, a length in more bytes than it needs, attributes.
  std::vector<uint8_t> records = {
      // length 8 in two bytes, attributes 7, delta 10, offset 0, no key, value "v", no headers
      0x90, 0x00, 0x07, 0x14, 0x00, 0x01, 0x02, 'v', 0x00, 0x00};
  records[0] = 0x8e;  // 7: zigzag 14
  records.pop_back();
  std::vector<uint8_t> batch = make_batch({{1000, "x", false, ""}});
  const RecordBatch header(batch.data(), batch.size());
  BatchRules rules;
  RecordsWalk walk;
  REQUIRE(validate_records(header, records, rules, &walk).valid());
  CHECK_EQ(walk.max_timestamp, 1010);
  std::vector<uint8_t> plain;
  reencode_records(header, records, &plain);
  const std::vector<uint8_t> expected = {0x0e, 0x00, 0x00, 0x00, 0x01, 0x02, 'v', 0x00};
  CHECK(plain == expected);
  std::vector<uint8_t> sealed;
  seal_batch(header, records, {false, walk.max_timestamp}, Codec::kNone, plain, &sealed);
  const RecordBatch out(sealed.data(), sealed.size());
  CHECK_EQ(out.base_timestamp(), 1010);
  CHECK_EQ(out.max_timestamp(), 1010);
  CHECK_EQ(out.crc(), out.computed_crc());
  CHECK_EQ(out.bytes(), static_cast<int64_t>(sealed.size()));
}

}  // namespace

RUN_TESTS()
