// Micro-benchmarks of the native core's small parts: the sparse index in memory and in its file,
// the cache of descriptors, the checksum by each way that this processor has. One line of JSON per
// part: its name, and nanoseconds per call in the median and the best of its runs. bench/micro.ts
// runs it.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "../../native/base/crc32c.h"
#include "../../native/io/epoll.h"
#include "../../native/log/index.h"
#include "../../test/native/temp_directory.h"

namespace ottla {
namespace {

constexpr int kRuns = 15;
constexpr int64_t kRunNs = 10'000'000;
constexpr int64_t kEntries = 100'000;  // of a segment's index: 400 MB of log
constexpr int64_t kStride = 37;        // offsets between two entries

int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// What no compiler may leave out.
volatile int64_t sink = 0;

template <typename F>
double run_for(int64_t calls, F&& call) {
  const int64_t from = now_ns();
  for (int64_t i = 0; i < calls; ++i) call();
  return static_cast<double>(now_ns() - from) / static_cast<double>(calls);
}

template <typename F>
void measure(const std::string& name, F&& call) {
  int64_t calls = 64;
  while (run_for(calls, call) * static_cast<double>(calls) < kRunNs) calls *= 2;
  std::vector<double> runs;
  for (int i = 0; i < kRuns; ++i) runs.push_back(run_for(calls, call));
  std::sort(runs.begin(), runs.end());
  std::printf("{\"name\":\"%s\",\"medianNs\":%.2f,\"bestNs\":%.2f}\n", name.c_str(),
              runs[kRuns / 2], runs[0]);
}

void must(const Status& status, const char* what) {
  if (status.ok()) return;
  std::fprintf(stderr, "micro: %s failed\n", what);
  std::exit(1);
}

// Targets all over an index, in no order that a cache would like; the same every time.
class Targets {
 public:
  int64_t next(int64_t below) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<int64_t>((state_ >> 33) % static_cast<uint64_t>(below));
  }

 private:
  uint64_t state_ = 42;
};

void look_up(const std::string& name, Io& io, const SparseIndex& index, int64_t from, int64_t to) {
  Targets targets;
  measure(name, [&] {
    IndexEntry entry;
    int64_t slot = -1;
    must(index.floor_by_key(io, from + targets.next(to - from), &entry, &slot), "look-up");
    sink = sink + slot;
  });
}

void measure_index(Io& io, const std::string& directory) {
  FileCache files(16);
  Quiescence quiescence;
  Limbo limbo(&quiescence);
  {
    SparseIndex index(IndexKind::kOffset, &files, directory + "/0.index");
    must(index.reset(io, &limbo), "reset");
    for (int64_t i = 0; i < kEntries; ++i) {
      index.append(io, &limbo, {(i + 1) * kStride, (i + 1) * 4096});
    }
    const int64_t end = kEntries * kStride;
    look_up("index: look-up at the tail, in memory", io, index, end - 8 * kStride, end);
    look_up("index: look-up anywhere in 100,000 entries", io, index, 0, end);
    must(index.seal(io, &limbo), "seal");
    look_up("index: look-up anywhere, rolled", io, index, 0, end);
    measure("index: pin and unpin of its descriptor", [&] {
      Handle file = kNoHandle;
      must(index.file().pin(io, &file), "pin");
      index.file().unpin();
    });
    int64_t key = 0;
    SparseIndex grown(IndexKind::kOffset, &files, directory + "/1.index");
    must(grown.reset(io, &limbo), "reset");
    measure("index: append of an entry", [&] {
      key += 1;
      grown.append(io, &limbo, {key, key});
      if ((key & 0xfffff) == 0) must(grown.reset(io, &limbo), "reset");
      limbo.reclaim();
    });
  }
  files.drain(io);
}

void measure_crc() {
  constexpr Crc32cKind kKinds[] = {Crc32cKind::kTable, Crc32cKind::kChain, Crc32cKind::kFold128,
                                   Crc32cKind::kFold512};
  const std::vector<uint8_t> bytes(64 << 10, 0x5a);
  for (const Crc32cKind kind : kKinds) {
    if (!crc32c_supported(kind)) continue;
    for (const size_t length : {size_t{128}, size_t{1024}, bytes.size()}) {
      const std::string name =
          std::string("crc32c: ") + crc32c_kind_name(kind) + ", " + std::to_string(length) + " B";
      measure(name, [&] { sink = sink + crc32c_by(kind, Bytes(bytes.data(), length)); });
    }
  }
}

}  // namespace
}  // namespace ottla

int main() {
  const ottla::test::TempDirectory directory;
  const auto io = ottla::make_epoll_io();
  if (io == nullptr) return 1;
  ottla::measure_index(*io, directory.path());
  ottla::measure_crc();
}
