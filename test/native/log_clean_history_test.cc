// Random histories of a compacted log against what Kafka promises of them: the newest committed
// value of every key stays, with its offset and all that belongs to it; what is newer stays as it
// came; what was overwritten, aborted or deleted goes; producers keep their last batch.
#include <set>

#include "../../native/io/sim_random.h"
#include "clean_fixture.h"

using namespace ottla;
using namespace ottla::test;

namespace {

constexpr int64_t kBatchMax = 6;

struct Fact {
  Row row;
  int64_t producer_id = -1;
  bool is_transactional = false;
  bool is_aborted = false;
};

struct OpenTransaction {
  int64_t first_offset = 0;
  std::vector<int64_t> offsets;
};

struct BatchFacts {
  int64_t base_offset = 0;
  int64_t last_offset = 0;
  int32_t base_sequence = -1;
  int16_t epoch = -1;
};

struct History {
  SimRandom random;
  SimWorld world;
  std::unique_ptr<Io> io;
  std::unique_ptr<Log> log;
  LogConfig config;
  int64_t now_ms = kNow;

  std::map<int64_t, Fact> facts;
  std::map<int64_t, OpenTransaction> open;
  std::map<int64_t, BatchFacts> last_batch;  // of each producer
  std::map<int64_t, int32_t> sequences;
  std::map<int64_t, int64_t>
      cleaned_at;  // a tombstone's offset: when a round may first have reached it
  int64_t next = 0;
  int64_t first_dirty = 0;
  int64_t keys = 12;

  explicit History(uint64_t seed)
      : random(seed), world(seed), io(world.make_io()), config(small_segments(900)) {
    keys = 4 + static_cast<int64_t>(random.below(20));
    config.segment_bytes_max = 400 + static_cast<int64_t>(random.below(1500));
    reopen(true);
  }

  void reopen(bool is_clean) {
    if (log != nullptr) CHECK_OK(log->close(*io, is_clean));
    Log::Options options;
    options.directory = "/topic-0";
    options.config = config;
    options.gaps_allowed = true;
    options.clean_shutdown = is_clean;
    options.log_start_offset = log == nullptr ? 0 : log->log_start_offset();
    log.reset();
    CHECK_OK(Log::open(*io, options, &log, nullptr));
    CHECK_EQ(log->log_end_offset(), next);
    if (is_clean) return;
    // A replay empties the index of aborted transactions; the partition fills it again.
    Refill refill{this, {}};
    const BatchVisitor visitor{&Refill::visit, &refill};
    CHECK_OK(log->scan(*io, log->log_start_offset(), next, visitor));
  }

  struct Refill {
    History* self;
    std::map<int64_t, int64_t> first;  // of what is open, by producer

    static void visit(void* context, const RecordBatch& batch) {
      Refill* refill = static_cast<Refill*>(context);
      if (!batch.is_transactional()) return;
      if (!batch.is_control()) {
        refill->first.try_emplace(batch.producer_id(), batch.base_offset());
        return;
      }
      const auto node = refill->first.extract(batch.producer_id());
      if (node.empty() || control_type(batch) != 0) return;
      int64_t stable = batch.next_offset();
      for (const auto& [producer, first] : refill->first) stable = std::min(stable, first);
      const AbortedTransaction aborted{batch.producer_id(), node.mapped(), batch.last_offset(),
                                       stable};
      CHECK_OK(refill->self->log->append_aborted(*refill->self->io, aborted));
    }
  };

  int64_t stable_offset() const {
    int64_t stable = next;
    for (const auto& [id, transaction] : open) stable = std::min(stable, transaction.first_offset);
    return stable;
  }

  void produce() {
    BatchOptions options;
    options.codec = static_cast<int>(random.below(5));
    const bool is_transactional = random.below(4) == 0;
    options.producer_id = is_transactional ? 100 + static_cast<int64_t>(random.below(3))
                                           : static_cast<int64_t>(random.below(4)) - 1;
    if (options.producer_id >= 0) {
      options.producer_epoch = 3;
      options.base_sequence = sequences[options.producer_id];
    }
    if (is_transactional) options.more_attributes = 0x10;
    std::vector<Row> rows;
    const int64_t first = next;
    const uint64_t count = 1 + random.below(kBatchMax);
    for (uint64_t i = 0; i < count; i += 1, next += 1) {
      Row row;
      row.offset = next;
      row.timestamp = 1000 + static_cast<int64_t>(random.below(5000));
      row.key = "key " + std::to_string(random.below(static_cast<uint64_t>(keys)));
      row.value = std::to_string(next) + std::string(random.below(80), 'v');
      if (random.below(4) == 0) row.value.reset();
      rows.push_back(row);
      facts[next] = {row, options.producer_id, is_transactional, false};
      if (is_transactional) open.try_emplace(options.producer_id, OpenTransaction{first, {}});
      if (is_transactional) open[options.producer_id].offsets.push_back(next);
    }
    if (options.producer_id >= 0) {
      sequences[options.producer_id] += static_cast<int32_t>(count);
      last_batch[options.producer_id] = {first, next - 1, options.base_sequence, 3};
    }
    CHECK_OK(append(*io, *log, rows_batch(rows, options)));
  }

  void end_transaction() {
    if (open.empty()) return;
    auto chosen = std::next(open.begin(), static_cast<int64_t>(random.below(open.size())));
    const auto [producer, transaction] = *chosen;
    const bool is_abort = random.below(2) == 0;
    open.erase(chosen);
    CHECK_OK(append(*io, *log, marker(next, producer, is_abort ? 0 : 1)));
    next += 1;
    if (!is_abort) return;
    for (const int64_t offset : transaction.offsets) {
      const auto found = facts.find(offset);
      if (found != facts.end()) found->second.is_aborted = true;
    }
    CHECK_OK(
        log->append_aborted(*io, {producer, transaction.first_offset, next - 1, stable_offset()}));
  }

  void delete_records() {
    const int64_t start = log->log_start_offset();
    const int64_t to =
        start + static_cast<int64_t>(
                    random.below(static_cast<uint64_t>(std::max<int64_t>(1, (next - start) / 3))));
    if (to > stable_offset()) return;
    CHECK_OK(log->set_log_start_offset(*io, to));
    facts.erase(facts.begin(), facts.lower_bound(to));
  }

  void compact() {
    CleanRequest request = request_at(now_ms);
    request.first_dirty_offset = first_dirty;
    request.stable_offset = stable_offset();
    request.step_bytes = 200 + static_cast<int64_t>(random.below(4000));
    request.map_bytes = OffsetMap::kEntryBytes * (8 + static_cast<int64_t>(random.below(60)));
    request.buffer_bytes = 4096;
    for (const auto& [id, batch] : last_batch) {
      request.producers[id] = {batch.last_offset, batch.epoch};
    }
    const Cleaned cleaned = clean(*io, *log, request);
    CHECK_OK(cleaned.status);
    first_dirty = cleaned.stats.next_dirty_offset;
    for (const auto& [offset, fact] : facts) {
      // A segment that is looked at in part gives all its tombstones their time.
      if (offset < stable_offset() && !fact.row.value) cleaned_at.try_emplace(offset, now_ms);
    }
  }

  // What the log holds against what it must.
  void check() {
    std::vector<Row> rows;
    std::vector<BatchRow> batches;
    REQUIRE(read_all(*io, *log, &rows, &batches));
    std::map<std::string, int64_t> newest;  // among what was compacted
    std::set<std::string> overtaken;        // by the batch that the table had no room for
    for (const auto& [offset, fact] : facts) {
      if (fact.is_aborted) continue;
      if (offset < first_dirty)
        newest[fact.row.key] = offset;
      else if (offset < first_dirty + kBatchMax)
        overtaken.insert(fact.row.key);
    }
    std::set<int64_t> kept;
    int64_t previous = -1;
    for (const Row& row : rows) {
      CHECK(row.offset > previous);
      previous = row.offset;
      if (row.offset < log->log_start_offset()) continue;
      const auto found = facts.find(row.offset);
      REQUIRE(found != facts.end());
      CHECK(found->second.row == row);
      kept.insert(row.offset);
    }
    for (const auto& [offset, fact] : facts) {
      const bool is_kept = kept.contains(offset);
      if (offset >= first_dirty) {
        // Aborted data may go with the segment that it shares.
        CHECK(is_kept || fact.is_aborted);
      } else if (fact.is_aborted || newest[fact.row.key] > offset) {
        CHECK(!is_kept);
      } else if (fact.row.value) {
        CHECK(is_kept || overtaken.contains(fact.row.key));
      } else if (!is_kept && !overtaken.contains(fact.row.key)) {
        CHECK(cleaned_at.contains(offset) && cleaned_at[offset] + kRetention <= now_ms);
      }
    }
    check_producers();
  }

  // A restart without snapshots learns of every producer what it knew before.
  void check_producers() {
    std::map<int64_t, BatchFacts> found;
    BatchVisitor visitor{[](void* context, const RecordBatch& batch) {
                           auto* all = static_cast<std::map<int64_t, BatchFacts>*>(context);
                           if (batch.is_control() || !batch.has_producer_id()) return;
                           (*all)[batch.producer_id()] = {batch.base_offset(), batch.last_offset(),
                                                          batch.base_sequence(),
                                                          batch.producer_epoch()};
                         },
                         &found};
    const int64_t start = log->log_start_offset();
    CHECK_OK(log->scan(*io, start, next, visitor));
    for (const auto& [id, batch] : last_batch) {
      if (batch.last_offset < start) continue;
      REQUIRE(found.contains(id));
      CHECK_EQ(found[id].base_offset, batch.base_offset);
      CHECK_EQ(found[id].last_offset, batch.last_offset);
      CHECK_EQ(found[id].base_sequence, batch.base_sequence);
      CHECK_EQ(found[id].epoch, batch.epoch);
    }
  }

  void run() {
    for (int step = 0; step < 250 && failures() == 0; step += 1) {
      const uint64_t what = random.below(40);
      if (what < 26) {
        produce();
      } else if (what < 31) {
        end_transaction();
      } else if (what < 32) {
        delete_records();
      } else if (what < 33) {
        reopen(random.below(2) == 0);
      } else if (what < 35) {
        CHECK_OK(log->roll(*io, next));
      } else if (what < 36) {
        now_ms += static_cast<int64_t>(random.below(2 * kRetention));
      } else {
        compact();
        check();
      }
    }
    // To the end: everything ended, rolled, compacted twice with time between.
    while (!open.empty()) end_transaction();
    CHECK_OK(log->roll(*io, next));
    for (int i = 0; i < 60 && first_dirty < next && failures() == 0; i += 1) compact();
    CHECK_EQ(first_dirty, next);
    check();
    now_ms += 2 * kRetention;
    first_dirty = 0;
    for (int i = 0; i < 60 && first_dirty < next && failures() == 0; i += 1) compact();
    check();
    CHECK_OK(log->close(*io, true));
  }
};

}  // namespace

// OTTLA_SEEDS=1000 looks longer.
TEST("log: clean: history: the last value of each key, in its place, whatever happened") {
  const char* wanted = std::getenv("OTTLA_SEEDS");
  const uint64_t seeds = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 30;
  for (uint64_t seed = 1; seed <= seeds && failures() == 0; seed += 1) {
    History(seed).run();
    if (failures() > 0) std::fprintf(stderr, "    seed %d\n", static_cast<int>(seed));
  }
}

RUN_TESTS()
