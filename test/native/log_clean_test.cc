// Compaction of one log: what stays of each batch, which segments are touched, what readers see.
#include "clean_fixture.h"

using namespace ottla;
using namespace ottla::test;

TEST("log: clean: hash: the published vector of SipHash with 128 bits") {
  uint8_t key[16];
  for (uint8_t i = 0; i < 16; i += 1) key[i] = i;
  Hash128 secret;
  std::memcpy(&secret, key, 16);
  const Hash128 hash = keyed_hash({}, secret);
  uint8_t out[16];
  std::memcpy(out, &hash, 16);
  const uint8_t expected[16] = {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
                                0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93};
  CHECK(std::memcmp(out, expected, 16) == 0);
}

TEST("log: clean: map: the newest offset of each key, and no more keys than its share") {
  OffsetMap map(24 * 100, 0.5, {1, 2});
  CHECK_EQ(map.count_max(), 50);
  for (int i = 0; i < 50; i += 1) {
    const std::string key = "key " + std::to_string(i);
    CHECK(map.put(as_bytes(key), i));
    CHECK(map.put(as_bytes(key), 1000 + i));
    CHECK(map.put(as_bytes(key), 500));  // older: is not taken
  }
  CHECK(!map.put(as_bytes("one more"), 1));
  CHECK_EQ(map.get(as_bytes("key 7")), 1007);
  CHECK_EQ(map.get(as_bytes("one more")), -1);
}

TEST("log: clean: the last value of each key stays, with offset, timestamp and headers") {
  for (int codec = 0; codec <= 4; codec += 1) {
    Fixture f;
    BatchOptions options;
    options.codec = codec;
    f.put({{0, 10, "a", "1"}, {1, 30, "b", "1"}, {2, 20, "a", "2"}}, options);
    f.put({{3, 40, "c", "1"}}, options);
    f.roll();
    f.put({{4, 50, "b", "2"}, {5, 60, "d", "1"}}, options);
    f.roll();
    f.put({{6, 70, "d", "2"}}, options);  // active: neither touched nor looked at
    const Cleaned cleaned = clean(*f.io, *f.log, request_at());
    CHECK_OK(cleaned.status);
    CHECK_EQ(cleaned.stats.next_dirty_offset, 6);
    const std::vector<Row> expected = {{2, 20, "a", "2"},
                                       {3, 40, "c", "1"},
                                       {4, 50, "b", "2"},
                                       {5, 60, "d", "1"},
                                       {6, 70, "d", "2"}};
    CHECK(f.read() == expected);
    std::vector<SegmentFacts> facts;
    f.log->segments(*f.io, &facts);
    CHECK_EQ(facts.size(), 2u);  // the two rolled ones became one
    CHECK(!exists(*f.io, "/topic-0/00000000000000000004.log"));
    CHECK(!exists(*f.io, "/topic-0/00000000000000000000.log.swap"));
    CHECK(!exists(*f.io, "/topic-0/00000000000000000000.log.cleaned"));
  }
}

TEST("log: clean: a tombstone stays until the horizon that its first cleaning sets") {
  Fixture f;
  f.put({{0, 10, "a", "1"}, {1, 11, "b", "1"}});
  f.put({{2, 12, "a", std::nullopt}});
  f.roll();
  CHECK_OK(clean(*f.io, *f.log, request_at()).status);
  std::vector<Row> rows;
  std::vector<BatchRow> batches;
  CHECK(read_all(*f.io, *f.log, &rows, &batches));
  CHECK((rows == std::vector<Row>{{1, 11, "b", "1"}, {2, 12, "a", std::nullopt}}));
  REQUIRE(batches.size() == 2);
  CHECK_EQ(batches[0].horizon, -1);
  CHECK_EQ(batches[1].horizon, kNow + kRetention);
  CHECK_OK(clean(*f.io, *f.log, request_at(kNow + kRetention - 1)).status);
  CHECK_EQ(f.read().size(), 2u);
  CHECK_OK(clean(*f.io, *f.log, request_at(kNow + kRetention)).status);
  CHECK((f.read() == std::vector<Row>{{1, 11, "b", "1"}}));
}

TEST("log: clean: a cleaned segment was last written when the last that it replaces was") {
  Fixture f;
  std::vector<SegmentFacts> facts;
  for (int64_t i = 0; i < 3; i += 1) {
    f.world.advance_us(60'000'000);
    f.put({{i, -1, "a", std::to_string(i)}});
    f.roll();
  }
  f.log->segments(*f.io, &facts);
  const int64_t written = facts[2].modified_ms;
  CHECK(written > facts[1].modified_ms);
  f.world.advance_us(60'000'000);
  CHECK_OK(clean(*f.io, *f.log, request_at()).status);
  facts.clear();
  f.log->segments(*f.io, &facts);
  REQUIRE(facts.size() == 2);
  CHECK_EQ(facts[0].modified_ms, written);
}

TEST("log: clean: records without a key go") {
  Fixture f;
  f.raw(sized_batch(0, 20));
  f.put({{1, 10, "a", "1"}});
  f.roll();
  const Cleaned cleaned = clean(*f.io, *f.log, request_at());
  CHECK_EQ(cleaned.stats.records_without_key, 1);
  CHECK((f.read() == std::vector<Row>{{1, 10, "a", "1"}}));
}

TEST("log: clean: nothing above the stable offset or within the minimum lag is touched") {
  Fixture f;
  for (int64_t i = 0; i < 4; i += 1) {
    f.put({{i, 100 * i, "a", std::to_string(i)}});
    f.roll();
  }
  CleanRequest request = request_at();
  request.stable_offset = 2;
  CHECK_EQ(clean(*f.io, *f.log, request).stats.next_dirty_offset, 2);
  CHECK((offsets_of(f.read()) == std::vector<int64_t>{1, 2, 3}));
  request.stable_offset = INT64_MAX;
  request.first_dirty_offset = 2;
  request.now_ms = 350;
  request.min_lag_ms = 100;  // the segment of 300 is too young
  CHECK_EQ(clean(*f.io, *f.log, request).stats.next_dirty_offset, 3);
  CHECK((offsets_of(f.read()) == std::vector<int64_t>{2, 3}));
  const Cleanable left = f.log->cleanable(3, INT64_MAX, 0, kNow);
  CHECK_EQ(left.first_uncleanable_offset, 4);
  CHECK_EQ(left.earliest_dirty_timestamp, 300);
  CHECK(left.cleanable_bytes > 0);
  CHECK_EQ(f.log->cleanable(99, INT64_MAX, 0, kNow).first_dirty_offset, 0);
}

namespace {

// Of a producer's first transaction.
BatchOptions transactional(int64_t producer_id) {
  BatchOptions options;
  options.producer_id = producer_id;
  options.producer_epoch = 0;
  options.base_sequence = 0;
  options.more_attributes = 0x10;
  return options;
}

}  // namespace

TEST("log: clean: aborted data goes at once, its marker once nothing of it is left") {
  Fixture f;
  BatchOptions txn = transactional(5);
  f.put({{0, 10, "a", "kept"}});
  f.put({{1, 11, "a", "aborted"}}, txn);
  f.raw(marker(2, 5, 0));
  CHECK_OK(f.log->append_aborted(*f.io, {5, 1, 2, 1}));
  txn.base_sequence = 1;
  f.put({{3, 12, "b", "committed"}}, txn);
  f.raw(marker(4, 5, 1));
  f.roll();
  CleanRequest request = request_at();
  request.producers[5] = {3, 0};
  CHECK_OK(clean(*f.io, *f.log, request).status);
  std::vector<Row> rows;
  std::vector<BatchRow> batches;
  CHECK(read_all(*f.io, *f.log, &rows, &batches));
  CHECK((offsets_of(rows) == std::vector<int64_t>{0, 3}));
  CHECK_EQ(batches.size(), 4u);  // 0, the abort's marker, 3, the commit's
  std::vector<AbortedTransaction> aborted;
  CHECK_OK(f.log->collect_aborted(*f.io, 0, 5, &aborted));
  CHECK_EQ(aborted.size(), 1u);
  // Next time the abort's marker finds no data: it is given its horizon, then goes.
  CHECK_OK(clean(*f.io, *f.log, request).status);
  CHECK_OK(f.log->collect_aborted(*f.io, 0, 5, &aborted));
  CHECK_EQ(aborted.size(), 0u);
  request.now_ms = kNow + kRetention;
  CHECK_OK(clean(*f.io, *f.log, request).status);
  rows.clear();
  batches.clear();
  CHECK(read_all(*f.io, *f.log, &rows, &batches));
  CHECK((offsets_of(rows) == std::vector<int64_t>{0, 3}));
  CHECK_EQ(batches.size(), 3u);
}

TEST("log: clean: a marker stays for as long as a header of its transaction, listed or not") {
  Fixture f;
  BatchOptions txn = transactional(5);
  f.put({{0, 10, "a", "old"}}, txn);
  f.put({{1, 11, "b", "aborted"}}, txn);
  f.raw(marker(2, 5, 0));
  // As one is listed of which the first batch was a header when its index was made anew.
  CHECK_OK(f.log->append_aborted(*f.io, {5, 1, 2, 1}));
  f.put({{3, 12, "a", "new"}});
  f.roll();
  CleanRequest request = request_at();
  request.producers[5] = {0, 0};
  for (int round = 0; round < 4; round += 1) {
    CHECK_OK(clean(*f.io, *f.log, request).status);
    request.now_ms += kRetention;
  }
  std::vector<Row> rows;
  std::vector<BatchRow> batches;
  CHECK(read_all(*f.io, *f.log, &rows, &batches));
  REQUIRE(batches.size() == 3);
  CHECK_EQ(batches[0].count, 0);
  CHECK_EQ(batches[1].base_offset, 2);
  CHECK_EQ(batches[1].count, 1);
}

TEST("log: clean: the last batch of a producer keeps its header, and so does the last of all") {
  Fixture f;
  BatchOptions own;
  own.producer_id = 9;
  own.producer_epoch = 2;
  own.base_sequence = 7;
  own.codec = 4;
  f.put({{0, 10, "a", "1"}, {1, 11, "b", "1"}}, own);
  f.put({{2, 12, "b", "2"}});
  f.roll();
  f.put({{3, 12, "a", "3"}, {4, 13, "b", "3"}});
  f.put({{5, 14, "z", std::nullopt}});
  f.roll();
  f.put({{6, 15, "z", "1"}});
  f.roll();
  CleanRequest request = request_at();
  request.producers[9] = {1, 2};
  CHECK_OK(clean(*f.io, *f.log, request).status);
  std::vector<Row> rows;
  std::vector<BatchRow> batches;
  CHECK(read_all(*f.io, *f.log, &rows, &batches));
  CHECK((offsets_of(rows) == std::vector<int64_t>{3, 4, 6}));
  REQUIRE(batches.size() == 3);
  CHECK_EQ(batches[0].base_offset, 0);
  CHECK_EQ(batches[0].last_offset, 1);
  CHECK_EQ(batches[0].count, 0);
  // The producer moved on: its header goes.
  CHECK_OK(clean(*f.io, *f.log, request_at()).status);
  batches.clear();
  CHECK(read_all(*f.io, *f.log, &rows, &batches));
  CHECK_EQ(batches[0].base_offset, 3);
}

// Offset and records of the batches that a consumer, or whoever wants the headers too, is given.
std::vector<std::pair<int64_t, int32_t>> given(const Fixture& f, int64_t offset, int64_t upper,
                                               bool skips_headers, int64_t bytes_max = 1 << 20,
                                               bool at_least_one = true) {
  ReadSlice slice;
  CHECK_OK(f.log->read(*f.io, offset, upper, bytes_max, at_least_one, &slice, skips_headers));
  std::vector<std::pair<int64_t, int32_t>> found;
  if (!slice) return found;
  const std::vector<uint8_t> bytes = slice_bytes(*f.io, slice);
  Bytes rest(bytes);
  RecordBatch batch;
  while (next_batch(&rest, &batch)) found.push_back({batch.base_offset(), batch.records_count()});
  CHECK(rest.empty());
  return found;
}

TEST("log: clean: who skips headers is given one alone only where nothing else is") {
  using Given = std::vector<std::pair<int64_t, int32_t>>;
  Fixture f(small_segments(450));  // three batches; no two segments become one
  const auto value = std::string(70, 'v');
  CleanRequest request = request_at();
  for (int64_t offset = 0; offset < 16; offset += 1) {
    const bool is_own = offset == 0 || (offset >= 6 && offset <= 8);
    BatchOptions own;
    if (is_own) {
      own.producer_id = 100 + offset;
      own.producer_epoch = 0;
      own.base_sequence = 0;
      request.producers[own.producer_id] = {offset, 0};
    }
    const std::string key = offset == 7 ? "z" : offset == 9 ? "b" : "a";
    f.put({{offset, offset, key, value}}, own);
    if (offset % 3 == 2) f.roll();
  }
  CHECK_OK(clean(*f.io, *f.log, request).status);
  CHECK(given(f, 0, 16, false) == (Given{{0, 0}, {2, 0}}));
  CHECK(given(f, 3, 16, false) == (Given{{5, 0}}));
  CHECK(given(f, 6, 16, false) == (Given{{6, 0}, {7, 1}, {8, 0}}));
  for (int64_t from = 0; from <= 7; from += 1) {
    CHECK(given(f, from, 16, true) == (Given{{7, 1}, {8, 0}}));
  }
  CHECK(given(f, 8, 16, true) == (Given{{9, 1}, {11, 0}}));
  CHECK(given(f, 10, 16, true) == (Given{{14, 1}}));
  CHECK(given(f, 15, 16, true) == (Given{{15, 1}}));
  // Nothing below the bound has records: the last segment's headers let an offset move on.
  CHECK(given(f, 0, 7, true) == (Given{{6, 0}}));
  CHECK(given(f, 0, 6, true) == (Given{{5, 0}}));
  CHECK(given(f, 0, 3, true) == (Given{{0, 0}, {2, 0}}));
  CHECK(given(f, 0, 1, true) == (Given{{0, 0}}));
  // Limits count what is given.
  const int64_t size = static_cast<int64_t>(rows_batch({{7, 7, "z", value}}).size());
  CHECK(given(f, 0, 16, true, size, false) == (Given{{7, 1}}));
  CHECK(given(f, 0, 16, true, size - 1, true) == (Given{{7, 1}}));
  CHECK(given(f, 0, 16, true, size - 1, false).empty());
  // What is left when the end is cut off.
  CHECK_OK(f.log->truncate_to(*f.io, 7));
  CHECK(given(f, 0, 7, true) == (Given{{6, 0}}));
  CHECK(given(f, 6, 7, true) == (Given{{6, 0}}));
}

TEST("log: clean: a batch that cannot be read is copied as it is and stops nothing") {
  Fixture f;
  BatchOptions zstd;
  zstd.codec = 4;
  std::vector<uint8_t> broken = rows_batch({{0, 10, "a", "1"}}, zstd);
  broken[static_cast<size_t>(kBatchHeaderBytes) + 2] ^= 0x55;
  refresh_crc(&broken);
  std::vector<uint8_t> rotten = rows_batch({{1, 10, "a", "1"}});
  f.raw(broken);
  f.raw(rotten);
  f.put({{2, 11, "a", "2"}});
  f.put({{3, 12, "a", "3"}});
  f.roll();
  Handle file = kNoHandle;  // a bit falls over on the disk
  CHECK_OK(f.io->open("/topic-0/00000000000000000000.log", OpenMode::kReadWrite, &file));
  const uint8_t rot = 0xff;
  CHECK_OK(f.io->write(file, &rot, 1, static_cast<int64_t>(broken.size() + rotten.size()) - 1));
  CHECK_OK(f.io->close(file));
  const Cleaned cleaned = clean(*f.io, *f.log, request_at());
  CHECK_OK(cleaned.status);
  CHECK_EQ(cleaned.stats.batches_unread, 2);
  ReadSlice slice;
  CHECK_OK(f.log->read(*f.io, 0, 4, 1 << 20, true, &slice));
  const std::vector<uint8_t> bytes = slice_bytes(*f.io, slice);
  CHECK(bytes.size() > broken.size());
  CHECK(std::equal(broken.begin(), broken.end(), bytes.begin()));
  const RecordBatch last(bytes.data() + broken.size() + rotten.size(), bytes.size());
  CHECK_EQ(last.base_offset(), 3);
}

TEST("log: clean: a full map cleans as far as it reaches, and goes on from there") {
  Fixture f(small_segments(600));
  const int64_t keys = 40;
  for (int64_t i = 0; i < 3 * keys; i += 1) {
    f.put({{i, i, "key " + std::to_string(i % keys), std::to_string(i)}});
  }
  f.roll();
  CleanRequest request = request_at();
  request.map_bytes = OffsetMap::kEntryBytes * 16;
  int rounds = 0;
  for (; rounds < 20 && request.first_dirty_offset < f.end(); rounds += 1) {
    const Cleaned cleaned = clean(*f.io, *f.log, request);
    CHECK_OK(cleaned.status);
    REQUIRE(cleaned.stats.next_dirty_offset > request.first_dirty_offset);
    request.first_dirty_offset = cleaned.stats.next_dirty_offset;
  }
  CHECK(rounds > 3);
  std::vector<int64_t> expected;
  for (int64_t i = 2 * keys; i < 3 * keys; i += 1) expected.push_back(i);
  CHECK((offsets_of(f.read()) == expected));
  request.first_dirty_offset = 0;
  request.map_bytes = 0;
  Fixture g;
  g.put({{0, 1, "a", "1"}, {1, 1, "b", "1"}, {2, 1, "c", "1"}});
  g.roll();
  CHECK_EQ(clean(*g.io, *g.log, request).status.code, Code::kTooLarge);
  CHECK_EQ(g.read().size(), 3u);
}

TEST("log: clean: what the log lets go of meanwhile ends the job and leaves nothing") {
  for (const bool cuts : {false, true}) {
    Fixture f;
    for (int64_t i = 0; i < 4; i += 1) {
      f.put({{i, i, "a", std::to_string(i)}});
      f.roll();
    }
    std::unique_ptr<CleanJob> job;
    CHECK_OK(f.log->clean_begin(*f.io, request_at(), &job));
    int64_t bytes = 0;
    while (job->phase() != CleanJob::Phase::kGroupReady) CHECK_OK(job->step(*f.io, &bytes));
    if (cuts) {
      CHECK_OK(f.log->truncate_to(*f.io, 3));
    } else {
      CHECK_OK(f.log->set_log_start_offset(*f.io, 1));
    }
    CHECK_EQ(f.log->swap_begin(*f.io, job.get()).code, Code::kNotFound);
    CHECK(job->phase() == CleanJob::Phase::kDone);
    CHECK(!exists(*f.io, "/topic-0/00000000000000000000.log.cleaned"));
    CHECK_EQ(f.read().size(), 3u);
  }
}

TEST("log: clean: a cut or a trim in the middle of a swap finishes the swap first") {
  for (int how = 0; how < 3; how += 1) {
    for (int steps = 0; steps < 2; steps += 1) {
      Fixture f;
      for (int64_t i = 0; i < 4; i += 1) {
        f.put({{i, i, "a", std::to_string(i)}});
        f.roll();
      }
      f.put({{4, 4, "b", "4"}, {5, 5, "c", "5"}});
      f.put({{6, 6, "d", "6"}});
      std::unique_ptr<CleanJob> job;
      CHECK_OK(f.log->clean_begin(*f.io, request_at(), &job));
      int64_t bytes = 0;
      while (job->phase() != CleanJob::Phase::kGroupReady) CHECK_OK(job->step(*f.io, &bytes));
      CHECK_OK(f.log->swap_begin(*f.io, job.get()));
      bool is_done = false;
      for (int i = 0; i < steps; i += 1) CHECK_OK(f.log->swap_advance(*f.io, &is_done));
      CHECK(!is_done);
      if (how == 0) CHECK_OK(f.log->truncate_to(*f.io, 6));
      if (how == 1) CHECK_OK(f.log->set_log_start_offset(*f.io, 4));
      if (how == 2) CHECK_OK(f.log->truncate_fully_and_start_at(*f.io, 0));
      CHECK_OK(f.log->swap_advance(*f.io, &is_done));
      CHECK(is_done);
      CHECK(!exists(*f.io, "/topic-0/00000000000000000000.log.swap"));
      const std::vector<int64_t> expected[] = {{3, 4, 5}, {4, 5, 6}, {}};
      CHECK((offsets_of(f.read()) == expected[how]));
    }
  }
}

TEST("log: clean: readers keep what they hold, and go on without a gap or a repeat") {
  Fixture f;
  for (int64_t i = 0; i < 12; i += 1) {
    f.put({{i, i, "key " + std::to_string(i % 3), std::string(200, 'x')}});
  }
  f.roll();
  ReadSlice held;
  CHECK_OK(f.log->read(*f.io, 0, 12, 300, true, &held));
  const std::vector<uint8_t> before = slice_bytes(*f.io, held);
  CHECK_OK(clean(*f.io, *f.log, request_at()).status);
  CHECK(slice_bytes(*f.io, held) == before);
  held = ReadSlice();
  for (int64_t from = 0; from < 12; from += 1) {
    std::vector<Row> rows;
    CHECK(read_all(*f.io, *f.log, &rows, nullptr, from));
    const std::vector<int64_t> found = offsets_of(rows);
    std::vector<int64_t> expected;
    for (int64_t i = std::max<int64_t>(from, 9); i < 12; i += 1) expected.push_back(i);
    CHECK(found == expected);
  }
}

RUN_TESTS()
