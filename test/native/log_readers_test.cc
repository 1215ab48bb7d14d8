// One writer and several readers on real files: what a reader gets is whole, in order and below the
// end it saw, while the log rolls, truncates and is cut at the front. Meant for TSan.
#include <thread>

#include "../../native/base/quiescence.h"
#include "../../native/io/epoll.h"
#include "../../native/log/file_cache.h"
#include "../../native/log/log.h"
#include "log_fixture.h"
#include "temp_directory.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

struct Shared {
  Quiescence quiescence;
  FileCache files{4};  // fewer than segments, so that descriptors come and go
  std::unique_ptr<Log> log;
  std::atomic<bool> stop{false};
  std::atomic<int64_t> batches_read{0};
  std::atomic<int> ready{0};
};

// A slice that a truncation overtook may hold anything; the generation tells.
void check_slice(Io& io, const ReadSlice& slice, int64_t offset, int64_t upper, const Log& log,
                 uint64_t generation, Shared* shared) {
  const std::vector<uint8_t> bytes = slice_bytes(io, slice);
  if (log.generation() != generation) return;
  Bytes rest(bytes);
  RecordBatch batch;
  int64_t expected = offset;
  while (next_batch(&rest, &batch)) {
    if (batch.computed_crc() != batch.crc() || batch.base_offset() != expected ||
        batch.last_offset() >= upper) {
      CHECK(log.generation() != generation);
      return;
    }
    expected = batch.next_offset();
    shared->batches_read.fetch_add(1);
  }
  if (!rest.empty()) CHECK(log.generation() != generation);
}

void read_until_stopped(Shared* shared, uint64_t seed) {
  std::unique_ptr<Io> io = make_epoll_io();
  const int me = shared->quiescence.register_reader();
  shared->quiescence.online(me);
  shared->ready.fetch_add(1);
  uint64_t state = seed;
  while (!shared->stop.load()) {
    const Log& log = *shared->log;
    state = state * 6364136223846793005u + 1442695040888963407u;
    const uint64_t generation = log.generation();
    const int64_t start = log.log_start_offset(), end = log.log_end_offset();
    if (end > start) {
      const int64_t tail = (state >> 33) % 2 == 0 ? std::max(start, end - 3) : start;
      const int64_t offset =
          tail + static_cast<int64_t>((state >> 40) % static_cast<uint64_t>(end - tail));
      ReadSlice slice;
      const Status status = log.read(*io, offset, end, 2000, true, &slice);
      if (status.ok() && slice) check_slice(*io, slice, offset, end, log, generation, shared);
      if (!status.ok()) CHECK(status.code == Code::kOutOfRange || status.code == Code::kBusy);
      if ((state >> 50) % 8 == 0) {
        OffsetAndTimestamp found;
        (void)log.find_by_timestamp(*io, 1000 + offset, end, &found);
      }
    }
    shared->quiescence.quiesce(me);
  }
  shared->quiescence.unregister_reader(me);
}

void write_until_done(Io& io, Log& log) {
  int64_t start = 0;
  for (int step = 0; step < 1500; step += 1) {
    const int64_t offset = log.log_end_offset();
    std::vector<std::vector<uint8_t>> batches;
    for (int64_t i = 0; i < 1 + offset % 3; i += 1) {
      batches.push_back(
          sized_batch(offset + i, 50 + static_cast<size_t>(offset % 100), 1000 + offset));
    }
    CHECK_OK(append(io, log, batches));
    if (step % 97 == 96) CHECK_OK(log.truncate_to(io, std::max(start, log.log_end_offset() - 25)));
    if (step % 50 == 49) {
      start = std::max(start, log.log_end_offset() - 300);
      CHECK_OK(log.set_log_start_offset(io, start));
    }
    if (step % 400 == 399) {
      start = log.log_end_offset() + 5;
      CHECK_OK(log.truncate_fully_and_start_at(io, start));
    }
    log.reclaim(io);
  }
}

}  // namespace

TEST("log: readers: see whole batches in order beside appends, rolls, truncations and trims") {
  TempDirectory root;
  std::unique_ptr<Io> io = make_epoll_io();
  Shared shared;
  Log::Options options;
  options.directory = root.file("topic-0");
  options.config.segment_bytes_max = 3000;
  options.config.index_interval_bytes = 200;
  options.quiescence = &shared.quiescence;
  options.files = &shared.files;
  CHECK_OK(Log::open(*io, options, &shared.log, nullptr));
  std::vector<std::thread> readers;
  for (uint64_t i = 0; i < 3; i += 1) readers.emplace_back(&read_until_stopped, &shared, i + 1);
  while (shared.ready.load() < 3) std::this_thread::yield();
  write_until_done(*io, *shared.log);
  shared.stop.store(true);
  for (std::thread& reader : readers) reader.join();
  CHECK(shared.batches_read.load() > 1000);
  CHECK_OK(shared.log->close(*io, true));
  shared.log.reset();
  shared.files.drain(*io);
  CHECK_EQ(shared.files.open_count(), 0);
}

RUN_TESTS()
