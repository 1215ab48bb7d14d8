// Files that Apache Kafka wrote (test/golden/log, made by test/oracle/log) opened, read, rebuilt
// and written again to the byte.
#include <filesystem>

#include "../../native/io/epoll.h"
#include "../../native/log/files.h"
#include "../../native/log/log.h"
#include "../../native/log/producer_snapshot.h"
#include "../../native/log/txn_index.h"
#include "log_fixture.h"
#include "temp_directory.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

const std::string kGolden =
    (std::filesystem::path(__FILE__).parent_path().parent_path() / "golden/log/kafka-0").string();
constexpr int64_t kSecond = 86;  // base of the second segment
constexpr int64_t kEnd = 150;

LogConfig golden_config() {
  LogConfig config;
  config.index_interval_bytes = 500;
  config.segment_index_bytes_max = 1200;
  return config;
}

struct Copy {
  TempDirectory root;
  std::unique_ptr<Io> io = make_epoll_io();
  Log::Options options;

  Copy() {
    options.directory = root.file("kafka-0");
    options.config = golden_config();
    std::filesystem::copy(kGolden, options.directory);
  }
  std::string golden(const std::string& name) { return file_text(*io, kGolden + "/" + name); }
  std::string ours(const std::string& name) {
    return file_text(*io, options.directory + "/" + name);
  }
  std::unique_ptr<Log> open(bool clean, Log::Recovery* recovery = nullptr) {
    options.clean_shutdown = clean;
    std::unique_ptr<Log> log;
    CHECK_OK(Log::open(*io, options, &log, recovery));
    return log;
  }
  void check_segments_equal() {
    for (const int64_t base : {int64_t{0}, kSecond}) {
      for (const char* suffix : {".log", ".index", ".timeindex"}) {
        CHECK(ours(offset_name(base) + suffix) == golden(offset_name(base) + suffix));
      }
    }
  }
};

}  // namespace

TEST("log: golden: Kafka's segments are trusted after a clean stop, and read whole") {
  Copy copy;
  Log::Recovery recovery;
  std::unique_ptr<Log> log = copy.open(true, &recovery);
  REQUIRE(log != nullptr);
  CHECK_EQ(recovery.segments_recovered, 0);
  CHECK_EQ(log->log_end_offset(), kEnd);
  CHECK_EQ(read_offsets(*copy.io, *log, 0, kEnd).size(), 60);
  CHECK(recovery.producer_snapshots == std::vector<int64_t>{kEnd});
  std::vector<AbortedTransaction> aborted;
  CHECK_OK(log->collect_aborted(*copy.io, 0, kEnd, &aborted));
  REQUIRE(aborted.size() == 2);
  CHECK_EQ(aborted[1].producer_id, 78);
  CHECK_EQ(aborted[1].first_offset, 10);
  CHECK_EQ(aborted[1].last_offset, 30);
  CHECK_EQ(aborted[1].last_stable_offset, 31);
  CHECK_OK(log->close(*copy.io, true));
  copy.check_segments_equal();
}

TEST("log: golden: every record is found by its time, in every codec") {
  Copy copy;
  std::unique_ptr<Log> log = copy.open(true);
  REQUIRE(log != nullptr);
  OffsetAndTimestamp found;
  for (int i = 0; i < 60; i += 1) {
    if (i % 7 == 3) continue;
    const int64_t timestamp = 1'700'000'000'000 + 1000 * i;
    CHECK_OK(log->find_by_timestamp(*copy.io, timestamp, kEnd, &found));
    CHECK_EQ(found.timestamp, timestamp);
    CHECK_EQ(found.leader_epoch, 1 + i / 20);
  }
  CHECK_OK(log->find_max_timestamp(*copy.io, &found));
  CHECK_EQ(found.offset, 145);  // the last batch fell back in time
  CHECK_OK(log->close(*copy.io, false));
}

TEST("log: golden: indexes rebuilt after a crash are Kafka's to the byte") {
  Copy copy;
  for (const std::string suffix : {".index", ".timeindex"}) {
    CHECK_OK(copy.io->remove(copy.options.directory + "/" + offset_name(0) + suffix));
    CHECK_OK(copy.io->remove(copy.options.directory + "/" + offset_name(kSecond) + suffix));
  }
  Log::Recovery recovery;
  std::unique_ptr<Log> log = copy.open(false, &recovery);
  REQUIRE(log != nullptr);
  CHECK_EQ(recovery.segments_recovered, 2);
  CHECK_EQ(recovery.bytes_truncated, 0);
  CHECK_OK(log->close(*copy.io, true));
  copy.check_segments_equal();
}

TEST("log: golden: the same batches appended by us make the same files") {
  Copy copy;
  std::vector<std::string> texts{copy.golden(offset_name(0) + ".log"),
                                 copy.golden(offset_name(kSecond) + ".log")};
  std::filesystem::remove_all(copy.options.directory);
  std::unique_ptr<Log> log = copy.open(false);
  REQUIRE(log != nullptr);
  for (const std::string& text : texts) {
    Bytes rest = as_bytes(text);
    RecordBatch batch;
    CHECK_OK(log->roll(*copy.io, log->log_end_offset()));
    while (next_batch(&rest, &batch)) {
      CHECK_OK(
          append(*copy.io, *log, std::vector<uint8_t>(batch.data(), batch.data() + batch.bytes())));
    }
  }
  CHECK_OK(log->append_aborted(*copy.io, {77, 3, 21, 19}));
  CHECK_OK(log->append_aborted(*copy.io, {78, 10, 30, 31}));
  CHECK_OK(log->close(*copy.io, true));
  copy.check_segments_equal();
  CHECK(copy.ours(offset_name(0) + ".txnindex") == copy.golden(offset_name(0) + ".txnindex"));
}

TEST("log: golden: every batch passes the checks of produce, its records their walk") {
  Copy copy;
  BatchRules rules;
  int batches = 0;
  for (const int64_t base : {int64_t{0}, kSecond}) {
    const std::string text = copy.golden(offset_name(base) + ".log");
    Bytes rest = as_bytes(text);
    RecordBatch batch;
    while (next_batch(&rest, &batch)) {
      CHECK(validate_batch(batch, rules).valid());
      std::vector<uint8_t> unpacked(batch.records().begin(), batch.records().end());
      if (batch.compression() != 0) {
        CHECK_OK(decompress(static_cast<Codec>(batch.compression()), batch.records(), 1 << 20,
                            &unpacked));
      }
      RecordsWalk walk;
      CHECK(validate_records(batch, unpacked, rules, &walk).valid());
      CHECK_EQ(walk.max_timestamp, batch.max_timestamp());
      batches += 1;
    }
  }
  CHECK_EQ(batches, 60);
}

TEST("log: golden: checkpoints, snapshot and metadata are read and written to the byte") {
  Copy copy;
  std::vector<EpochEntry> epochs;
  CHECK_OK(parse_epoch_checkpoint(copy.golden("leader-epoch-checkpoint"), &epochs));
  CHECK((epochs == std::vector<EpochEntry>{{1, 0}, {2, 49}, {3, 99}}));
  CHECK_EQ(format_epoch_checkpoint(epochs), copy.golden("leader-epoch-checkpoint"));

  std::vector<PartitionOffset> points;
  CHECK_OK(parse_offset_checkpoint(copy.golden("recovery-point-offset-checkpoint"), &points));
  CHECK_EQ(points.size(), 2);
  CHECK_EQ(format_offset_checkpoint(points), copy.golden("recovery-point-offset-checkpoint"));

  uint8_t id[16];
  CHECK_OK(parse_partition_metadata(copy.golden("partition.metadata"), id));
  CHECK_EQ(uuid_text(id), "Jq-zGOXZQYSyGyOWzVbsjQ");
  CHECK_EQ(format_partition_metadata(id), copy.golden("partition.metadata"));

  std::vector<ProducerSnapshotEntry> entries;
  CHECK_OK(read_producer_snapshot(*copy.io, kGolden, kEnd, &entries));
  REQUIRE(entries.size() == 2);
  CHECK((entries[0] == ProducerSnapshotEntry{4009, 2, 28, 23, 1, 1'700'000'009'001, -1, -1}));
  CHECK((entries[1] == ProducerSnapshotEntry{77, 0, -1, -1, 0, 1'700'000'001'000, 5, 3}));
  CHECK_EQ(format_producer_snapshot(entries), copy.golden(offset_name(kEnd) + ".snapshot"));
}

RUN_TESTS()
