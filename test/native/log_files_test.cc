// Names, checkpoints, snapshots, atomic replacement, leader epochs, sparse indexes and the
// descriptor cache.
#include "../../native/log/files.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>

#include "../../native/io/epoll.h"
#include "../../native/io/sim.h"
#include "../../native/log/index.h"
#include "../../native/log/producer_snapshot.h"
#include "../../native/log/txn_index.h"
#include "../../native/partition/epochs.h"
#include "log_fixture.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

TEST("log: files: names of segments, and what is none") {
  CHECK_EQ(segment_path("/d/t-0", 42, ".log"), "/d/t-0/00000000000000000042.log");
  CHECK_EQ(offset_name(INT64_MAX), "09223372036854775807");
  const auto swap = parse_segment_file("00000000000000000042.timeindex.swap");
  REQUIRE(swap.has_value());
  CHECK(swap->offset == 42 && swap->kind == FileKind::kTimeIndex &&
        swap->state == FileState::kSwap);
  CHECK(parse_segment_file("00000000000000000042.snapshot")->kind == FileKind::kSnapshot);
  CHECK(parse_segment_file("00000000000000000042.log.deleted")->state == FileState::kDeleted);
  for (const char* name :
       {"leader-epoch-checkpoint", "partition.metadata", ".log", "x.log", "-1.log", "1.logx",
        "00000000000000000100-0000000007.checkpoint", "99999999999999999999.log",
        "00000000000000000100-0000000007.checkpoint.deleted"}) {
    CHECK(!parse_segment_file(name).has_value());
  }
}

TEST("log: files: names of partition directories") {
  const auto live = parse_partition_directory("a.b-c-7");
  REQUIRE(live.has_value());
  CHECK(live->topic == "a.b-c" && live->partition == 7 && live->kind == DirectoryKind::kLive);
  const auto gone = parse_partition_directory("a.b-c-7.0123456789abcdef0123456789abcdef-delete");
  REQUIRE(gone.has_value());
  CHECK(gone->topic == "a.b-c" && gone->partition == 7 && gone->kind == DirectoryKind::kDelete);
  CHECK(parse_partition_directory("t-0.ff-future")->kind == DirectoryKind::kFuture);
  CHECK(parse_partition_directory("t-0.ff-stray")->kind == DirectoryKind::kStray);
  CHECK(parse_partition_directory("__cluster_metadata-0")->topic == "__cluster_metadata");
  for (const char* name : {"topic", "-1", "t-", "t-x", "t-0.ff-gone", "", "t-99999999999"}) {
    CHECK(!parse_partition_directory(name).has_value());
  }
  SimWorld world(1);
  std::unique_ptr<Io> io = world.make_io();
  const std::string name = deleted_directory_name(std::string(249, 't'), 12, *io);
  CHECK_EQ(name.size(), 255);
  CHECK(parse_partition_directory(name)->kind == DirectoryKind::kDelete);
}

TEST("log: files: checkpoints that do not add up are corrupt") {
  std::vector<PartitionOffset> offsets;
  CHECK_OK(parse_offset_checkpoint("0\n1\nt 0 5\n", &offsets));
  CHECK_OK(parse_offset_checkpoint("0\n1\nt  0\t5", &offsets));
  std::vector<EpochEntry> epochs;
  for (const char* text :
       {"", "0\n", "1\n0\n", "0\n-1\n", "0\n2\nt 0 5\n", "0\n0\nt 0 5\n", "0\n1\nt 0\n",
        "0\n1\nt x 5\n", "0\n1\nt 0 5 6\n", "0\n1\nt 0 99999999999999999999\n", "x"}) {
    CHECK_EQ(parse_offset_checkpoint(text, &offsets).code, Code::kCorrupt);
    CHECK(!parse_epoch_checkpoint(text, &epochs).ok() || std::string(text) == "0\n1\nt 0\n");
  }
  CHECK_EQ(parse_epoch_checkpoint("0\n1\nt 0\n", &epochs).code, Code::kCorrupt);
  uint8_t id[16];
  CHECK_EQ(parse_partition_metadata("version: 1\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA", id).code,
           Code::kCorrupt);
  CHECK_EQ(parse_partition_metadata("version: 0\ntopic_id: AAAA", id).code, Code::kCorrupt);
}

TEST("log: files: a producer snapshot with any bit wrong is refused") {
  const std::vector<ProducerSnapshotEntry> entries{{1, 2, 3, 4, 5, 6, 7, 8},
                                                   {INT64_MAX, -1, -1, -1, 0, -1, -1, -1}};
  std::string text = format_producer_snapshot(entries);
  std::vector<ProducerSnapshotEntry> read;
  CHECK_OK(parse_producer_snapshot(as_bytes(text), &read));
  CHECK(read == entries);
  for (size_t at = 0; at < text.size(); at += 1) {
    text[at] ^= 0x20;
    CHECK_EQ(parse_producer_snapshot(as_bytes(text), &read).code, Code::kCorrupt);
    text[at] ^= 0x20;
    CHECK_EQ(parse_producer_snapshot(as_bytes(text).first(at), &read).code, Code::kCorrupt);
  }
}

TEST("log: files: a replaced file is the old or the new one, wherever power fails") {
  for (uint64_t at = 0; at < 12; at += 1) {
    SimWorld world(at + 1);
    {
      std::unique_ptr<Io> io = world.make_io();
      CHECK_OK(io->make_directory("/d"));
      CHECK_OK(io->sync_directory("/"));
      CHECK_OK(replace_file(*io, "/d/f", "old"));
      world.die_at(at + world.operations(), SimDeath::kPower);
      const Status status = replace_file(*io, "/d/f", "the new text");
      if (!world.is_dead()) {
        CHECK_OK(status);
        world.die(SimDeath::kPower);
      }
    }
    world.restart();
    std::unique_ptr<Io> io = world.make_io();
    std::string text;
    CHECK_OK(read_file(*io, "/d/f", &text));
    CHECK(text == "old" || text == "the new text");
    if (at > 8) CHECK_EQ(text, "the new text");
  }
}

TEST("log: epochs: where each one ends, as LeaderEpochFileCache answers") {
  SimWorld world(1);
  std::unique_ptr<Io> io = world.make_io();
  CHECK_OK(io->make_directory("/t-0"));
  Epochs epochs;
  CHECK_OK(epochs.load(*io, "/t-0"));
  int64_t end = 0;
  CHECK_EQ(epochs.end_offset(0, 10, &end), -1);
  CHECK_EQ(end, -1);
  CHECK_OK(epochs.assign(*io, 2, 6));
  CHECK_OK(epochs.assign(*io, 2, 9));  // the same epoch goes on
  CHECK_OK(epochs.assign(*io, 3, 11));
  CHECK_OK(epochs.assign(*io, 5, 20));
  const auto check = [&](int32_t epoch, int32_t wanted_epoch, int64_t wanted_end) {
    CHECK_EQ(epochs.end_offset(epoch, 30, &end), wanted_epoch);
    CHECK_EQ(end, wanted_end);
  };
  check(-1, -1, -1);
  check(1, 1, 6);  // older than all: the first start
  check(2, 2, 11);
  check(3, 3, 20);
  check(4, 3, 20);  // unknown, between: the one below
  check(5, 5, 30);  // the latest: the log end
  check(6, -1, -1);
  CHECK_EQ(epochs.latest(), 5);
  CHECK_EQ(epochs.epoch_of(5), -1);
  CHECK_EQ(epochs.epoch_of(10), 2);
  CHECK_EQ(epochs.epoch_of(25), 5);
  bool is_unsynced = true;
  CHECK_OK(epochs.prepare_sync(*io, &is_unsynced));  // the file follows with the next flush
  CHECK(!is_unsynced);
  CHECK_EQ(file_text(*io, "/t-0/leader-epoch-checkpoint"), "0\n3\n2 6\n3 11\n5 20\n");

  Epochs again;
  CHECK_OK(again.load(*io, "/t-0"));
  CHECK(again.entries() == epochs.entries());
  CHECK_OK(epochs.assign(*io, 4, 15));  // contradicts 5: that one goes
  CHECK((epochs.entries() == std::vector<EpochEntry>{{2, 6}, {3, 11}, {4, 15}}));
  CHECK_OK(epochs.assign(*io, 7, 11));  // nothing was written since 11
  CHECK((epochs.entries() == std::vector<EpochEntry>{{2, 6}, {7, 11}}));
}

TEST("log: epochs: truncation from both ends") {
  SimWorld world(1);
  std::unique_ptr<Io> io = world.make_io();
  CHECK_OK(io->make_directory("/t-0"));
  Epochs epochs;
  CHECK_OK(epochs.load(*io, "/t-0"));
  for (const auto& [epoch, start] :
       std::vector<std::pair<int32_t, int64_t>>{{2, 6}, {3, 8}, {4, 11}}) {
    epochs.observe(epoch, start, start);
  }
  epochs.observe(3, 9, 9);  // a batch of an epoch that is known says nothing new
  CHECK_OK(epochs.truncate_from_start(*io, 9));
  CHECK((epochs.entries() == std::vector<EpochEntry>{{3, 9}, {4, 11}}));
  CHECK_OK(epochs.truncate_from_end(*io, 11));
  CHECK((epochs.entries() == std::vector<EpochEntry>{{3, 9}}));
  CHECK_OK(epochs.truncate_from_start(*io, 5));
  CHECK((epochs.entries() == std::vector<EpochEntry>{{3, 9}}));
  epochs.observe(2, 12, 12);  // a batch of an older epoch behind it: 3 cannot have begun at 9
  CHECK((epochs.entries() == std::vector<EpochEntry>{{2, 12}}));
  CHECK_OK(epochs.truncate_from_end(*io, 9));
  CHECK(epochs.entries().empty());
  CHECK_EQ(epochs.latest(), -1);
  write_text(*io, "/t-0/leader-epoch-checkpoint", "garbage");
  CHECK_OK(epochs.load(*io, "/t-0"));
  CHECK(epochs.entries().empty());
}

TEST("log: index: floor by either column, in memory and in the file") {
  SimWorld world(1);
  std::unique_ptr<Io> io = world.make_io();
  Quiescence quiescence;
  FileCache files(4);
  {
    Limbo limbo(&quiescence);
    SparseIndex index(IndexKind::kOffset, &files, "/i");
    constexpr int64_t kEntries = 1000;
    IndexEntry found;
    int64_t slot = 0;
    CHECK_OK(index.floor_by_key(*io, 5, &found, &slot));
    CHECK_EQ(slot, -1);
    const auto check_all = [&](const SparseIndex& in, int64_t count) {
      for (int64_t target = 0; target <= count * 10 + 5; target += 3) {
        CHECK_OK(in.floor_by_key(*io, target, &found, &slot));
        CHECK_EQ(slot, std::min(count, target / 10) - 1);
        if (slot >= 0) CHECK_EQ(found.value, (slot + 1) * 100);
        CHECK_OK(in.floor_by_value(*io, target * 10, &found, &slot));
        CHECK_EQ(slot, std::min(count, target / 10) - 1);
      }
    };
    for (int64_t i = 1; i <= kEntries; i += 1) index.append(*io, &limbo, {i * 10, i * 100});
    check_all(index, kEntries);
    CHECK_OK(index.seal(*io, &limbo));
    check_all(index, kEntries);
    FileInfo info;
    CHECK_OK(io->stat("/i", &info));
    CHECK_EQ(info.bytes, kEntries * 8);
    SparseIndex again(IndexKind::kOffset, &files, "/i");
    CHECK_OK(again.load(*io, true, kEntries * 100 + 1));
    check_all(again, kEntries);
    CHECK_EQ(again.load(*io, true, kEntries * 100).code, Code::kCorrupt);
    for (const int64_t count : {990, 500, 64, 3, 0}) {
      CHECK_OK(index.truncate(*io, &limbo, count));
      check_all(index, count);
      CHECK_EQ(index.last().key, count * 10);
    }
    index.append(*io, &limbo, {10, 100});
    CHECK_OK(index.write_out(*io));
    check_all(index, 1);
    limbo.reclaim();
    CHECK_OK(index.file().close(*io));
    CHECK_OK(again.file().close(*io));
  }
  files.drain(*io);
}

TEST("log: index: who reads on where he was needs one look into the file") {
  SimWorld world(1);
  std::unique_ptr<Io> io = world.make_io();
  Quiescence quiescence;
  FileCache files(4);
  Limbo limbo(&quiescence);
  SparseIndex index(IndexKind::kOffset, &files, "/i");
  constexpr int64_t kEntries = 20000;
  for (int64_t i = 0; i < kEntries; i += 1) index.append(*io, &limbo, {i * 10, i * 100});
  CHECK_OK(index.seal(*io, &limbo));
  IndexEntry found;
  int64_t slot = 0;
  for (const int64_t from : {int64_t{15000}, int64_t{40}, kEntries - 300}) {
    CHECK_OK(index.floor_by_key(*io, from * 10, &found, &slot));  // some looks
    SimRule rule;
    rule.op = SimOp::kRead;
    rule.code = Code::kIo;
    rule.skip = 299;
    rule.count = UINT64_MAX;
    world.add_rule(rule);
    for (int64_t at = from + 1; at < from + 300; at += 1) {
      if (at % 2 == 0) CHECK_OK(index.floor_by_key(*io, at * 10 - 5, &found, &slot));
      if (at % 2 == 1) CHECK_OK(index.floor_by_value(*io, at * 100 + 5, &found, &slot));
      CHECK_EQ(slot, at % 2 == 0 ? at - 1 : at);
    }
    CHECK(!index.floor_by_key(*io, from * 10, &found, &slot).ok());
    world.clear_rules();
  }
  limbo.reclaim();
  CHECK_OK(index.file().close(*io));
  files.drain(*io);
}

TEST("log: index: a file that refuses entries makes the index sparser, not wrong") {
  SimWorld world(1);
  std::unique_ptr<Io> io = world.make_io();
  Quiescence quiescence;
  FileCache files(4);
  Limbo limbo(&quiescence);
  SparseIndex index(IndexKind::kTime, &files, "/i");
  SimRule rule;
  rule.op = SimOp::kWrite;
  rule.code = Code::kNoSpace;
  rule.count = 50;
  world.add_rule(rule);
  for (int64_t i = 1; i <= 500; i += 1) index.append(*io, &limbo, {i, i});
  CHECK(index.count() < 500 && index.count() > 400);
  CHECK_EQ(index.last().key, 500);
  IndexEntry found;
  int64_t slot = 0;
  CHECK_OK(index.floor_by_key(*io, 90, &found, &slot));
  CHECK_EQ(found.key, 64);
  limbo.reclaim();
  CHECK_OK(index.file().close(*io));
}

TEST("log: file cache: bounded, and gives way only to pins") {
  SimWorld world(1);
  std::unique_ptr<Io> io = world.make_io();
  FileCache files(3);
  {
    std::vector<std::unique_ptr<CachedFile>> all;
    for (int i = 0; i < 10; i += 1) {
      const std::string path = "/f" + std::to_string(i);
      write_text(*io, path, "x");
      all.push_back(std::make_unique<CachedFile>(&files, path));
    }
    Handle handle = kNoHandle;
    for (int round = 0; round < 3; round += 1) {
      for (auto& file : all) {
        CHECK_OK(file->pin(*io, &handle));
        file->unpin();
        CHECK(files.open_count() <= 3);
      }
    }
    for (auto& file : all) CHECK_OK(file->pin(*io, &handle));
    CHECK_EQ(files.open_count(), 10);
    for (auto& file : all) file->unpin();
    CachedFile missing(&files, "/missing");
    CHECK_EQ(missing.pin(*io, &handle).code, Code::kNotFound);
  }
  CHECK_EQ(files.open_count(), 0);
  files.drain(*io);
}

// So many files, each with a pin and without one again.
void use_all(Io& io, std::vector<std::unique_ptr<CachedFile>>& all) {
  Handle handle = kNoHandle;
  for (auto& file : all) {
    CHECK_OK(file->pin(io, &handle));
    file->unpin();
  }
}

TEST("log: file cache: a handle that says that few are left closes others") {
  SimWorld world(1);
  std::unique_ptr<Io> io = world.make_io();
  Handle next = kNoHandle;
  write_text(*io, "/f", "x");
  CHECK_OK(io->open("/f", OpenMode::kRead, &next));
  FileCache files(100, next + 10);  // handles are never used again there
  CHECK(!files.is_scarce(next + 9));
  CHECK(files.is_scarce(next + 10));
  std::vector<std::unique_ptr<CachedFile>> all;
  for (int i = 0; i < 20; i += 1) all.push_back(std::make_unique<CachedFile>(&files, "/f"));
  Handle handle = kNoHandle;
  for (int i = 0; i < 9; i += 1) {
    CHECK_OK(all[static_cast<size_t>(i)]->pin(*io, &handle));
    if (i > 0) all[static_cast<size_t>(i)]->unpin();
  }
  CHECK_EQ(files.open_count(), 9);
  use_all(*io, all);
  CHECK_EQ(files.open_count(), 2);  // the pinned one, and the last
  CHECK(all[0]->is_open());
  all[0]->unpin();
  CHECK_EQ(files.give_way(*io), 2);
  CHECK_EQ(files.give_way(*io), 0);
  CHECK_EQ(files.open_count(), 0);
  CHECK_OK(io->close(next));
}

TEST("log: file cache: with no descriptor left it closes files rather than fail") {
  char directory[] = "/tmp/ottla-files-XXXXXX";
  REQUIRE(::mkdtemp(directory) != nullptr);
  std::unique_ptr<Io> io = make_epoll_io({});
  struct rlimit before;
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  struct rlimit few = before;
  few.rlim_cur = 64;
  {
    FileCache files(1000);
    std::vector<std::unique_ptr<CachedFile>> all;
    for (int i = 0; i < 100; i += 1) {
      const std::string path = std::string(directory) + "/f" + std::to_string(i);
      write_text(*io, path, "x");
      all.push_back(std::make_unique<CachedFile>(&files, path));
    }
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    use_all(*io, all);
    use_all(*io, all);
    CHECK(files.open_count() > 0 && files.open_count() < 64);
    CHECK(files.give_way(*io) > 0);
    CHECK(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    all.clear();
    files.drain(*io);
  }
  std::filesystem::remove_all(directory);
}

RUN_TESTS()
