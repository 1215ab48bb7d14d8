// Opening a log after a clean stop, a kill, and damage of every kind, on real files.
#include <map>
#include <numeric>

#include "../../native/io/epoll.h"
#include "../../native/log/files.h"
#include "../../native/log/log.h"
#include "../../native/log/txn_index.h"
#include "log_fixture.h"
#include "temp_directory.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

constexpr int64_t kEnd = 60;
const char* const kFirst = "/00000000000000000000";

LogConfig small_segments() {
  LogConfig config;
  config.segment_bytes_max = 4000;
  config.index_interval_bytes = 300;
  return config;
}

struct Disk {
  TempDirectory root;
  std::unique_ptr<Io> io = make_epoll_io();
  std::string directory = root.file("topic-0");
  Log::Options options;
  Log::Recovery recovery;

  Disk() {
    options.directory = directory;
    options.config = small_segments();
  }
  std::unique_ptr<Log> open(bool clean, int64_t recovery_point = 0) {
    options.clean_shutdown = clean;
    options.recovery_point = recovery_point;
    std::unique_ptr<Log> log;
    CHECK_OK(Log::open(*io, options, &log, &recovery));
    return log;
  }
  // Offsets 0 to kEnd, in several segments, stopped cleanly.
  void fill() {
    std::unique_ptr<Log> log = open(false);
    for (int64_t offset = 0; offset < kEnd; offset += 1) {
      CHECK_OK(
          append(*io, *log,
                 sized_batch(offset, 60 + static_cast<size_t>(offset * 37 % 200), 1000 + offset)));
    }
    CHECK_OK(log->close(*io, true));
  }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    CHECK_OK(io->list(directory, &all));
    std::sort(all.begin(), all.end());
    return all;
  }
  std::vector<std::string> names_ending(const std::string& suffix) {
    std::vector<std::string> some;
    for (const std::string& name : names()) {
      if (name.ends_with(suffix)) some.push_back(directory + "/" + name);
    }
    return some;
  }
  // Opens, checks that offsets 0 to `end` are there and appendable, closes cleanly.
  void expect(bool clean, int64_t end, int64_t recovery_point = 0) {
    std::unique_ptr<Log> log = open(clean, recovery_point);
    if (log == nullptr) return;
    CHECK_EQ(log->log_end_offset(), end);
    std::vector<int64_t> wanted(static_cast<size_t>(end));
    std::iota(wanted.begin(), wanted.end(), 0);
    CHECK(read_offsets(*io, *log, 0, end) == wanted);
    CHECK_OK(append(*io, *log, sized_batch(end, 50, 1000 + end)));
    CHECK_EQ(read_offsets(*io, *log, end, end + 1).size(), 1);
    CHECK_OK(log->close(*io, true));
  }
};

}  // namespace

TEST("log: recovery: a clean stop is trusted, a kill is replayed, both are whole") {
  Disk disk;
  disk.fill();
  CHECK(disk.names_ending(".log").size() > 2);
  disk.expect(true, kEnd);
  CHECK_EQ(disk.recovery.segments_recovered, 0);
  disk.expect(false, kEnd + 1);
  CHECK(disk.recovery.segments_recovered > 2);
  CHECK_EQ(disk.recovery.bytes_truncated, 0);
  disk.expect(false, kEnd + 2, kEnd + 2);  // only the active segment
  CHECK_EQ(disk.recovery.segments_recovered, 1);
}

TEST("log: recovery: torn batch at the tail is cut, at every byte of the last two") {
  Disk disk;
  disk.fill();
  const std::string last = disk.names_ending(".log").back();
  const std::string whole = file_text(*disk.io, last);
  std::vector<int64_t> ends;  // of each batch in the file
  std::vector<int64_t> next;
  Bytes rest = as_bytes(whole);
  RecordBatch batch;
  while (next_batch(&rest, &batch)) {
    ends.push_back(static_cast<int64_t>(whole.size() - rest.size()));
    next.push_back(batch.next_offset());
  }
  REQUIRE(ends.size() > 3);
  const size_t from = static_cast<size_t>(ends[ends.size() - 3]);
  for (const std::string& garbage :
       {std::string(), std::string(700, '\0'), std::string(90, '\xee')}) {
    for (size_t cut = from; cut < whole.size(); cut += 1) {
      write_text(*disk.io, last, whole.substr(0, cut) + garbage);
      std::unique_ptr<Log> log = disk.open(false, 0);
      REQUIRE(log != nullptr);
      // Zeros may happen to be what was cut off: a batch counts when its bytes are there.
      const std::string damaged = whole.substr(0, cut) + garbage;
      size_t kept = 0;
      while (kept < ends.size() && damaged.starts_with(whole.substr(0, size_t(ends[kept]))))
        kept += 1;
      const int64_t end = next[kept - 1];
      CHECK_EQ(log->log_end_offset(), end);
      CHECK_EQ(file_text(*disk.io, last).size(), static_cast<size_t>(ends[kept - 1]));
      if (cut % 16 == 0)
        CHECK_EQ(read_offsets(*disk.io, *log, 0, end).size(), static_cast<size_t>(end));
      CHECK_OK(log->close(*disk.io, false));
    }
  }
}

// The window of the replay is a mebibyte: batches end before, at and behind its edges.
TEST("log: recovery: large batches that cross the window of the replay are whole") {
  Disk disk;
  disk.options.config.segment_bytes_max = 64 << 20;
  constexpr int64_t kLargeEnd = 24;
  {
    std::unique_ptr<Log> log = disk.open(false);
    for (int64_t offset = 0; offset < kLargeEnd; offset += 1) {
      const size_t bytes = 150'000 + static_cast<size_t>(offset * 79'999 % 850'000);
      BatchOptions options;
      options.base_offset = offset;
      // Zeros: where a length is read from the wrong place, it is less than any batch has.
      const TestRecord record{1000 + offset, std::string(bytes, '\0'), false, ""};
      CHECK_OK(append(*disk.io, *log, make_batch({record}, options)));
    }
    CHECK_OK(log->close(*disk.io, true));
  }
  disk.expect(false, kLargeEnd);
  CHECK_EQ(disk.recovery.bytes_truncated, 0);
}

TEST("log: recovery: a flipped bit anywhere in the tail ends the log before its batch") {
  Disk disk;
  disk.fill();
  const std::vector<std::string> logs = disk.names_ending(".log");
  const std::string middle = logs[1];
  const std::string whole = file_text(*disk.io, middle);
  std::map<std::string, std::string> saved;
  for (const std::string& path : logs) saved[path] = file_text(*disk.io, path);
  const RecordBatch first(reinterpret_cast<const uint8_t*>(whole.data()), whole.size());
  for (int64_t at = 0; at < first.bytes(); at += 1) {
    std::string damaged = whole;
    damaged[static_cast<size_t>(at)] ^= 0x10;
    write_text(*disk.io, middle, damaged);
    std::unique_ptr<Log> log = disk.open(false, 0);
    REQUIRE(log != nullptr);
    // The leader epoch is not covered by the CRC; a base offset may only grow.
    const bool seen = at < batch_layout::kLeaderEpoch || at >= batch_layout::kMagic;
    if (seen) {
      CHECK(log->log_end_offset() == first.base_offset() || at < 8);
      if (at >= 8) CHECK_EQ(disk.names_ending(".log").size(), 2);
    }
    CHECK_OK(log->close(*disk.io, false));
    for (const auto& [path, text] : saved) write_text(*disk.io, path, text);
  }
}

TEST(
    "log: recovery: indexes that are missing, torn, disordered or lying are rebuilt as they were") {
  Disk disk;
  disk.fill();
  std::map<std::string, std::string> wanted;
  for (const char* suffix : {".index", ".timeindex"}) {
    for (const std::string& path : disk.names_ending(suffix))
      wanted[path] = file_text(*disk.io, path);
  }
  CHECK(wanted.size() > 5);
  for (const bool clean : {true, false}) {
    for (const auto& [path, text] : wanted) {
      const bool is_time = path.ends_with(".timeindex");
      const size_t entry = is_time ? 12 : 8;
      std::vector<std::string> damages{"missing", text + "x",
                                       std::string(text.size() + entry, '\xff')};
      if (text.size() >= entry) damages.push_back(text.substr(0, text.size() - 1));
      if (text.size() >= entry) damages.push_back(text + std::string(10 * entry, '\0'));
      for (const std::string& damage : damages) {
        if (damage == "missing") {
          CHECK_OK(disk.io->remove(path));
        } else {
          write_text(*disk.io, path, damage);
        }
        std::unique_ptr<Log> log = disk.open(clean, 0);
        REQUIRE(log != nullptr);
        CHECK_EQ(log->log_end_offset(), kEnd);
        CHECK(disk.recovery.segments_recovered > 0);
        CHECK_OK(log->close(*disk.io, true));
        for (const auto& [each, whole] : wanted) CHECK_EQ(file_text(*disk.io, each), whole);
      }
    }
  }
}

TEST("log: recovery: an index that lies but looks in order never makes a read wrong") {
  Disk disk;
  disk.fill();
  for (const std::string& path : disk.names_ending(".index")) {
    std::string text = file_text(*disk.io, path);
    uint8_t* bytes = reinterpret_cast<uint8_t*>(text.data());
    for (size_t at = 0; at + 8 <= text.size(); at += 8)
      store_i32(bytes + at + 4, load_i32(bytes + at + 4) + 3);
    write_text(*disk.io, path, text);
  }
  disk.expect(true, kEnd);
}

TEST("log: recovery: leftovers of deletions, cleaning and swaps") {
  Disk disk;
  disk.fill();
  const std::vector<std::string> logs = disk.names_ending(".log");
  write_text(*disk.io, disk.directory + "/00000000000000000003.log.deleted", "x");
  write_text(*disk.io, disk.directory + "/00000000000000000900.index", "orphan");
  write_text(*disk.io, disk.directory + "/00000000000000000900.log.cleaned", "half");
  write_text(*disk.io, disk.directory + "/00000000000000000900.log.swap",
             "of a split that was not finished");
  write_text(*disk.io, disk.directory + "/00000000000000000900.snapshot", "beyond the end");
  write_text(*disk.io, disk.directory + "/00000000000000000055.snapshot", "kept");
  write_text(*disk.io, disk.directory + "/leader-epoch-checkpoint", "0\n0\n");
  // A finished cleaning of the first two segments into one, not yet renamed.
  write_text(*disk.io, disk.directory + kFirst + ".log.swap",
             file_text(*disk.io, logs[0]) + file_text(*disk.io, logs[1]));
  disk.expect(true, kEnd);
  CHECK(disk.recovery.producer_snapshots == std::vector<int64_t>{55});
  CHECK_EQ(disk.names_ending(".log").size(), logs.size() - 1);
  for (const char* suffix : {".deleted", ".cleaned", ".swap"})
    CHECK(disk.names_ending(suffix).empty());
  CHECK(!exists(*disk.io, disk.directory + "/00000000000000000900.index"));
  CHECK(!exists(*disk.io, disk.directory + "/00000000000000000900.snapshot"));
  CHECK(exists(*disk.io, disk.directory + "/leader-epoch-checkpoint"));
}

TEST("log: recovery: producer snapshots live as long as the segments they begin") {
  Disk disk;
  disk.fill();
  const auto snapshot_at = [&](int64_t offset) {
    return segment_path(disk.directory, offset, kSnapshotSuffix);
  };
  std::vector<int64_t> bases;
  for (const std::string& name : disk.names_ending(".log")) {
    bases.push_back(parse_segment_file(name.substr(name.rfind('/') + 1))->offset);
  }
  REQUIRE(bases.size() >= 4);
  // As rolls leave them, and two clean stops that were not at a segment's end.
  for (const int64_t base : bases) write_text(*disk.io, snapshot_at(base), "rolled");
  for (const int64_t stop : {bases[1] + 1, kEnd}) write_text(*disk.io, snapshot_at(stop), "stop");
  std::unique_ptr<Log> log = disk.open(true);
  REQUIRE(log != nullptr);
  std::vector<int64_t> kept = bases;
  kept.push_back(kEnd);
  CHECK(disk.recovery.producer_snapshots == kept);
  CHECK(!exists(*disk.io, snapshot_at(bases[1] + 1)));
  CHECK_OK(log->set_log_start_offset(*disk.io, bases[2]));
  CHECK_OK(log->truncate_to(*disk.io, bases[3]));
  for (const int64_t base : bases)
    CHECK_EQ(exists(*disk.io, snapshot_at(base)), base == bases[2] || base == bases[3]);
  CHECK_OK(log->close(*disk.io, true));
}

TEST("log: recovery: the observer sees the replayed region, once and in order") {
  Disk disk;
  disk.fill();
  std::vector<int64_t> seen;
  disk.options.observer = {
      [](void* into, const RecordBatch& batch) {
        static_cast<std::vector<int64_t>*>(into)->push_back(batch.base_offset());
      },
      &seen};
  std::unique_ptr<Log> log = disk.open(false, 30);
  REQUIRE(log != nullptr);
  REQUIRE(!seen.empty());
  CHECK_EQ(seen.front(), disk.recovery.replayed_from);
  CHECK(seen.front() <= 30);
  CHECK_EQ(seen.back(), kEnd - 1);
  CHECK_EQ(static_cast<int64_t>(seen.size()), kEnd - seen.front());
  CHECK_OK(log->close(*disk.io, false));
}

TEST("log: recovery: a log start beyond the end begins an empty log there") {
  Disk disk;
  disk.fill();
  disk.options.log_start_offset = 500;
  std::unique_ptr<Log> log = disk.open(false);
  REQUIRE(log != nullptr);
  CHECK_EQ(log->log_start_offset(), 500);
  CHECK_EQ(log->log_end_offset(), 500);
  CHECK_OK(append(*disk.io, *log, sized_batch(500, 10)));
  CHECK_OK(log->close(*disk.io, true));
}

TEST("log: recovery: record formats 0 and 1 are refused, not cut") {
  Disk disk;
  disk.fill();
  // A message of format 1: offset, size, crc32, magic, attributes, timestamp, null key, value "v".
  const uint8_t old[] = {0, 0, 0, 0, 0, 0, 0, 0, 0,   0,   0,   23,  0x9b, 0x71, 0x2f, 0x4e, 1,  0,
                         0, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255, 0,    0,    0,    1,    'v'};
  std::string text(reinterpret_cast<const char*>(old), sizeof old);
  uint32_t crc = 0xffffffff;  // CRC-32 as zip has it, bit by bit
  for (size_t i = 16; i < text.size(); i += 1) {
    crc ^= static_cast<uint8_t>(text[i]);
    for (int bit = 0; bit < 8; bit += 1) crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
  }
  store_u32(reinterpret_cast<uint8_t*>(text.data()) + 12, ~crc);
  write_text(*disk.io, disk.directory + kFirst + ".log", text);
  std::unique_ptr<Log> log;
  disk.options.clean_shutdown = false;
  CHECK_EQ(Log::open(*disk.io, disk.options, &log, &disk.recovery).code, Code::kInvalid);
  CHECK_EQ(file_text(*disk.io, disk.directory + kFirst + ".log"), text);
}

RUN_TESTS()
