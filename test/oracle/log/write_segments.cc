// Writes a log with our own code for Kafka's tools to judge: several segments, every codec, a
// marker, aborted transactions, jumps in offsets. Usage: write_segments
// <directory>/<topic>-<partition>
#include <cstdio>

#include "../../../native/io/epoll.h"
#include "../../../native/log/txn_index.h"
#include "../../native/log_fixture.h"

using namespace ottla;
using namespace ottla::test;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::unique_ptr<Io> io = make_epoll_io();
  Log::Options options;
  options.directory = argv[1];
  options.config.segment_bytes_max = 15'000;
  options.config.index_interval_bytes = 1000;
  std::unique_ptr<Log> log;
  if (!Log::open(*io, options, &log, nullptr).ok()) return 1;
  int64_t offset = 0;
  for (int i = 0; i < 400; i += 1) {
    std::vector<TestRecord> records;
    for (int r = 0; r <= i % 5; r += 1) {
      records.push_back({1'700'000'000'000 + 100 * (i % 9 == 4 ? i - 8 : i) + r,
                         std::string(static_cast<size_t>(i * 13 % 1500), 'v'), i % 3 == 0, "key"});
    }
    BatchOptions batch;
    batch.base_offset = offset;
    batch.codec = i % 5;
    batch.leader_epoch = i / 100;
    if (i % 11 == 0) {
      batch.producer_id = 5;
      batch.producer_epoch = 1;
      batch.base_sequence = i;
    }
    if (!append(*io, *log, make_batch(records, batch)).ok()) return 1;
    offset += static_cast<int64_t>(records.size()) + (i % 50 == 49 ? 7 : 0);
  }
  if (!log->append_aborted(*io, {5, 3, 11, 2}).ok()) return 1;
  if (!log->close(*io, true).ok()) return 1;
  std::printf("%lld\n", static_cast<long long>(log->log_end_offset()));
  return 0;
}
