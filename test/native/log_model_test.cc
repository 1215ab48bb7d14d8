// The log against a list in memory: random appends, rolls, truncations, trims, reopenings and
// reads, by seed. OTTLA_SEEDS=1000 runs longer; a failure prints its seed.
#include <map>

#include "../../native/io/sim.h"
#include "../../native/io/sim_random.h"
#include "../../native/log/files.h"
#include "../../native/log/log.h"
#include "log_fixture.h"
#include "test.h"

using namespace ottla;
using namespace ottla::test;

namespace {

struct ModelBatch {
  int64_t last_offset = 0;
  int64_t max_timestamp = 0;
  std::vector<uint8_t> bytes;
};

// The same contract with a map and no files.
struct Model {
  int64_t start = 0;
  int64_t end = 0;
  std::map<int64_t, ModelBatch> batches;  // by base offset

  void truncate(int64_t offset) {
    if (offset >= end) return;
    end = offset;
    while (!batches.empty() && batches.rbegin()->second.last_offset >= offset) {
      end = std::min(end, batches.rbegin()->first);
      batches.erase(std::prev(batches.end()));
    }
    start = std::min(start, end);
  }
  // Batches from the one that holds `offset` or follows it, below `upper`, within `bytes_max` but
  // one.
  std::vector<uint8_t> read(int64_t offset, int64_t upper, int64_t bytes_max) const {
    std::vector<uint8_t> all;
    for (const auto& [base, batch] : batches) {
      if (batch.last_offset < offset) continue;
      if (batch.last_offset >= upper) break;
      const bool fits = static_cast<int64_t>(all.size() + batch.bytes.size()) <= bytes_max;
      if (!fits && !all.empty()) break;
      all.insert(all.end(), batch.bytes.begin(), batch.bytes.end());
      if (!fits) break;
    }
    return all;
  }
};

class Run {
 public:
  explicit Run(uint64_t seed) : random_(seed), world_(seed), io_(world_.make_io()) {
    options_.directory = "/topic-0";
    options_.config.segment_bytes_max = 600 + static_cast<int64_t>(random_.below(4000));
    options_.config.index_interval_bytes = static_cast<int64_t>(random_.below(600));
    options_.config.segment_index_bytes_max = 48 + static_cast<int64_t>(random_.below(400));
    options_.config.preallocate_bytes_max = random_.below(2) == 0 ? 0 : 1 << 16;
    open();
  }

  void steps(int count) {
    for (int step = 0; step < count && failures() == 0; step += 1) {
      switch (random_.below(20)) {
        case 0:
          truncate();
          break;
        case 1:
          trim();
          break;
        case 2:
          CHECK_OK(log_->roll(*io_, model_.end));
          break;
        case 3:
          reopen();
          break;
        case 4:
          CHECK_OK(log_->flush(*io_, model_.end));
          break;
        case 5:
          if (random_.below(8) == 0) start_over();
          break;
        default:
          append_some();
          break;
      }
      check_reads();
    }
    CHECK_OK(log_->close(*io_, true));
  }

 private:
  void open() {
    CHECK_OK(Log::open(*io_, options_, &log_, nullptr));
    CHECK_EQ(log_->log_end_offset(), model_.end);
    CHECK_EQ(log_->log_start_offset(), model_.start);
  }
  void reopen() {
    const bool clean = random_.below(2) == 0;
    CHECK_OK(log_->close(*io_, clean));
    options_.clean_shutdown = clean;
    options_.recovery_point = log_->recovery_point();
    options_.log_start_offset = model_.start;
    log_.reset();
    // A truncated tail leaves no trace: after a restart the log ends with its last batch.
    const int64_t last =
        model_.batches.empty() ? model_.end : model_.batches.rbegin()->second.last_offset + 1;
    if (last < model_.end) gap_ = true;
    options_.gaps_allowed = gap_;
    CHECK_OK(Log::open(*io_, options_, &log_, nullptr));
    CHECK(log_->log_end_offset() >= std::min(last, model_.end));
    model_.end = log_->log_end_offset();
    model_.start = log_->log_start_offset();
  }
  void append_some() {
    std::vector<std::vector<uint8_t>> batches;
    const uint64_t count = 1 + random_.below(4);
    int64_t offset = model_.end;
    for (uint64_t i = 0; i < count; i += 1) {
      if (random_.below(30) == 0) offset += static_cast<int64_t>(random_.below(5));
      std::vector<TestRecord> records;
      for (uint64_t r = 0; r <= random_.below(3); r += 1) {
        now_ += static_cast<int64_t>(random_.below(20)) - 3;
        records.push_back({now_, std::string(random_.below(300), 'm'), false, ""});
      }
      BatchOptions options;
      options.base_offset = offset;
      batches.push_back(make_batch(records, options));
      const AppendBatch view = append_batch_of(batches.back());
      model_.batches[offset] = {view.last_offset, view.max_timestamp, batches.back()};
      offset = view.last_offset + 1;
    }
    CHECK_OK(append(*io_, *log_, batches));
    model_.end = offset;
  }
  void truncate() {
    const int64_t back = static_cast<int64_t>(random_.below(30));
    const int64_t offset = std::max(model_.start, model_.end - back);
    model_.truncate(offset);
    CHECK_OK(log_->truncate_to(*io_, offset));
  }
  void trim() {
    const int64_t span = model_.end - model_.start;
    const int64_t offset =
        model_.start + static_cast<int64_t>(random_.below(static_cast<uint64_t>(span / 2 + 1)));
    model_.start = std::max(model_.start, offset);
    CHECK_OK(log_->set_log_start_offset(*io_, offset));
  }
  void start_over() {
    const int64_t offset = model_.end + static_cast<int64_t>(random_.below(100));
    model_.batches.clear();
    model_.start = model_.end = offset;
    CHECK_OK(log_->truncate_fully_and_start_at(*io_, offset));
  }
  void check_reads() {
    CHECK_EQ(log_->log_end_offset(), model_.end);
    CHECK_EQ(log_->log_start_offset(), model_.start);
    for (int i = 0; i < 3; i += 1) {
      const uint64_t span = static_cast<uint64_t>(model_.end - model_.start) + 1;
      const int64_t offset = model_.start + static_cast<int64_t>(random_.below(span));
      const int64_t upper = offset + static_cast<int64_t>(random_.below(span));
      const int64_t bytes_max = static_cast<int64_t>(random_.below(3000));
      ReadSlice slice;
      const Status status = log_->read(*io_, offset, upper, bytes_max, true, &slice);
      if (offset > std::min(upper, model_.end)) {
        CHECK_EQ(status.code, Code::kOutOfRange);
        continue;
      }
      CHECK_OK(status);
      const std::vector<uint8_t> wanted =
          model_.read(offset, std::min(upper, model_.end), bytes_max);
      const std::vector<uint8_t> got = slice ? slice_bytes(*io_, slice) : std::vector<uint8_t>();
      // A slice ends with its segment, so the log may give less than the model, never something
      // else.
      CHECK(got.size() <= wanted.size() && std::equal(got.begin(), got.end(), wanted.begin()));
      CHECK(wanted.empty() || !got.empty());
    }
    check_time();
  }
  void check_time() {
    const int64_t target = now_ - static_cast<int64_t>(random_.below(400));
    OffsetAndTimestamp found;
    CHECK_OK(log_->find_by_timestamp(*io_, target, INT64_MAX, &found));
    OffsetAndTimestamp wanted;
    for (const auto& [base, batch] : model_.batches) {
      const RecordBatch view(batch.bytes.data(), batch.bytes.size());
      const uint8_t* at = view.records().data();
      for (int i = 0; i < view.records_count() && wanted.offset < 0; i += 1) {
        RecordView record;
        at = read_record(at, view.data() + view.bytes(), &record);
        const int64_t offset = base + record.offset_delta;
        if (record_timestamp(view, record) >= target && offset >= model_.start) {
          wanted = {offset, record_timestamp(view, record), 0};
        }
      }
      if (wanted.offset >= 0) break;
    }
    CHECK_EQ(found.offset, wanted.offset);
    CHECK_EQ(found.timestamp, wanted.timestamp);
  }

  SimRandom random_;
  SimWorld world_;
  std::unique_ptr<Io> io_;
  Log::Options options_;
  std::unique_ptr<Log> log_;
  Model model_;
  int64_t now_ = 1'000'000;
  bool gap_ = false;
};

}  // namespace

TEST("log: model: random work agrees with a list in memory") {
  const char* wanted = std::getenv("OTTLA_SEEDS");
  const uint64_t seeds = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 60;
  for (uint64_t seed = 1; seed <= seeds; seed += 1) {
    Run(seed).steps(150);
    if (failures() > 0) {
      std::fprintf(stderr, "    seed %d\n", static_cast<int>(seed));
      return;
    }
  }
}

RUN_TESTS()
