// Fuzzes the files of a log: a small healthy log of several segments is laid out on a simulated
// disk, the input damages its files (bytes, length, absence), and it is opened, read and written.
// Invariants: after an unclean stop everything between start and end can be read, whole and in
// order, whatever the damage, and the next append lands; after a clean one, which trusts rolled
// files, nothing worse than an error happens.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "../../../native/io/sim.h"
#include "../../../native/log/files.h"
#include "../../../native/log/log.h"
#include "../../../native/log/producer_snapshot.h"
#include "../../native/log_fixture.h"

namespace {

using namespace ottla;
using namespace ottla::test;

constexpr const char* kDirectory = "/data/topic-0";
constexpr int64_t kRecords = 24;
constexpr size_t kFileBytesMax = 64 << 10;

struct NamedFile {
  std::string path;
  std::string text;
};

Log::Options options_of(bool clean_shutdown) {
  Log::Options options;
  options.directory = kDirectory;
  options.config.segment_bytes_max = 1000;
  options.config.index_interval_bytes = 200;
  options.config.preallocate_bytes_max = 0;
  options.clean_shutdown = clean_shutdown;
  return options;
}

void require(bool condition) {
  if (!condition) std::abort();
}

std::vector<NamedFile> healthy() {
  SimWorld world(1);
  const auto io = world.make_io();
  (void)io->make_directory("/data");
  std::unique_ptr<Log> log;
  Log::Recovery recovery;
  require(Log::open(*io, options_of(true), &log, &recovery).ok());
  for (int64_t offset = 0; offset < kRecords; ++offset) {
    require(append(*io, *log, sized_batch(offset, 60, 1000 + offset)).ok());
  }
  require(log->close(*io, true).ok());
  std::vector<std::string> names;
  require(io->list(kDirectory, &names).ok());
  std::vector<NamedFile> files;
  for (const std::string& name : names) {
    const std::string path = std::string(kDirectory) + "/" + name;
    files.push_back({path, file_text(*io, path)});
  }
  return files;
}

// Four bytes a step: which file, what, where, with what.
void damage(std::vector<NamedFile>* files, const uint8_t* data, size_t size) {
  for (; size >= 4; data += 4, size -= 4) {
    NamedFile& file = (*files)[data[0] % files->size()];
    const size_t at = file.text.empty() ? 0 : (data[2] * 8 + data[1] / 32) % file.text.size();
    switch (data[1] % 6) {
      case 0:
        file.text.resize(at);
        break;
      case 1:
        file.text.insert(at, 1, static_cast<char>(data[3]));
        break;
      case 2:
        file.text.append(data[3], '\0');
        break;
      case 3:
        // Doubling is bounded here: the memory that is judged is the reader's.
        if (file.text.size() < kFileBytesMax) file.text += file.text.substr(at);
        break;
      default:
        if (!file.text.empty()) file.text[at] = static_cast<char>(data[3]);
    }
  }
}

void read_everything(Io& io, const Log& log, bool is_strict) {
  const int64_t start = log.log_start_offset();
  const int64_t end = log.log_end_offset();
  require(start <= end);
  const std::vector<int64_t> offsets = read_offsets(io, log, start, end);
  int64_t last = -1;
  for (const int64_t offset : offsets) {
    if (is_strict) require(offset > last);
    last = offset;
  }
  OffsetAndTimestamp found;
  for (const int64_t timestamp : {int64_t{0}, int64_t{1010}, int64_t{1} << 40}) {
    const Status status = log.find_by_timestamp(io, timestamp, end, &found);
    if (is_strict) require(status.ok() && found.offset < end);
  }
  (void)log.find_max_timestamp(io, &found);
}

void read_texts(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<PartitionOffset> offsets;
  if (parse_offset_checkpoint(text, &offsets).ok()) {
    std::vector<PartitionOffset> again;
    require(parse_offset_checkpoint(format_offset_checkpoint(offsets), &again).ok());
    require(again.size() == offsets.size());
  }
  std::vector<EpochEntry> epochs;
  if (parse_epoch_checkpoint(text, &epochs).ok()) {
    std::vector<EpochEntry> again;
    require(parse_epoch_checkpoint(format_epoch_checkpoint(epochs), &again).ok());
    require(again == epochs);
  }
  uint8_t id[16];
  (void)parse_partition_metadata(text, id);
  (void)parse_partition_directory(text);
  (void)parse_segment_file(text);
  std::vector<ProducerSnapshotEntry> producers;
  (void)parse_producer_snapshot(Bytes(data, size), &producers);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const uint8_t how = data[0];
  if (how % 4 == 3) {
    read_texts(data + 1, size - 1);
    return 0;
  }
  static const std::vector<NamedFile> kHealthy = healthy();
  std::vector<NamedFile> files = kHealthy;
  damage(&files, data + 2, size - 2);
  SimWorld world(1);
  const auto io = world.make_io();
  (void)io->make_directory("/data");
  (void)io->make_directory(kDirectory);
  for (size_t i = 0; i < files.size(); ++i) {
    const bool is_missing = (how & 4) != 0 && data[1] % files.size() == i;
    if (!is_missing) write_text(*io, files[i].path, files[i].text);
  }
  const bool is_clean = (how & 8) != 0;
  std::unique_ptr<Log> log;
  Log::Recovery recovery;
  if (!Log::open(*io, options_of(is_clean), &log, &recovery).ok()) {
    require(is_clean);  // damage after a crash is repaired, never an excuse
    return 0;
  }
  read_everything(*io, *log, !is_clean);
  const int64_t next = log->log_end_offset();
  const Status status = append(*io, *log, sized_batch(next, 60, 5000));
  if (!is_clean) {
    require(status.ok());
    require(read_offsets(*io, *log, next, next + 1) == std::vector<int64_t>{next});
  }
  (void)log->close(*io, true);
  return 0;
}
