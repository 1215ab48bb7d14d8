// What tests of compaction share: batches of rows with keys, values and headers, transaction
// markers, a whole compaction as its owner and its helper take turns, and everything that a log
// then holds.
#pragma once

#include <map>
#include <optional>

#include "../../native/io/sim.h"
#include "../../native/log/cleaner.h"
#include "../../native/log/files.h"
#include "../../native/log/log.h"
#include "../../native/log/txn_index.h"
#include "log_fixture.h"
#include "test.h"

namespace ottla::test {

constexpr int64_t kNow = 1'000'000;
constexpr int64_t kRetention = 5'000;

struct Row {
  int64_t offset = 0;
  int64_t timestamp = 0;
  std::string key;
  std::optional<std::string> value;
  bool operator==(const Row&) const = default;
};

// A batch of rows, offsets relative to the first one's; a value that is missing is a tombstone.
inline std::vector<uint8_t> rows_batch(const std::vector<Row>& rows, BatchOptions options = {}) {
  std::vector<uint8_t> payload;
  for (const Row& row : rows) {
    std::vector<uint8_t> body{0};
    put_varint(&body, row.timestamp - rows[0].timestamp);
    put_varint(&body, row.offset - rows[0].offset);
    put_varint(&body, static_cast<int64_t>(row.key.size()));
    body.insert(body.end(), row.key.begin(), row.key.end());
    put_varint(&body, row.value ? static_cast<int64_t>(row.value->size()) : -1);
    if (row.value) body.insert(body.end(), row.value->begin(), row.value->end());
    // One header, with the key's length in its name.
    put_varint(&body, 1);
    put_varint(&body, 1);
    body.push_back('h');
    put_varint(&body, 1);
    body.push_back(static_cast<uint8_t>('0' + row.key.size() % 10));
    put_varint(&payload, static_cast<int64_t>(body.size()));
    payload.insert(payload.end(), body.begin(), body.end());
  }
  options.base_offset = rows[0].offset;
  std::vector<TestRecord> shape;
  for (const Row& row : rows) shape.push_back({row.timestamp, "", false, ""});
  const int codec = options.codec;
  options.codec = 0;
  std::vector<uint8_t> batch = make_batch(shape, options);
  if (codec != 0) {
    std::vector<uint8_t> packed;
    if (!compress(static_cast<Codec>(codec), kDefaultLevel, payload, &packed).ok()) std::abort();
    payload = packed;
  }
  batch.resize(static_cast<size_t>(kBatchHeaderBytes));
  batch.insert(batch.end(), payload.begin(), payload.end());
  store_i32(batch.data() + batch_layout::kLength,
            static_cast<int32_t>(batch.size()) - kBatchOverheadBytes);
  store_i16(batch.data() + batch_layout::kAttributes,
            static_cast<int16_t>(codec | options.more_attributes));
  refresh_crc(&batch);
  return batch;
}

// A transaction's marker: type 0 abort, 1 commit.
inline std::vector<uint8_t> marker(int64_t offset, int64_t producer_id, int type) {
  std::vector<uint8_t> payload, body{0, 0, 0};
  put_varint(&body, 4);
  body.insert(body.end(), {0, 0, 0, static_cast<uint8_t>(type)});
  put_varint(&body, 6);
  body.insert(body.end(), {0, 0, 0, 0, 0, 1});
  put_varint(&body, 0);
  put_varint(&payload, static_cast<int64_t>(body.size()));
  payload.insert(payload.end(), body.begin(), body.end());
  BatchOptions options;
  options.base_offset = offset;
  options.producer_id = producer_id;
  options.producer_epoch = 0;
  options.more_attributes = 0x30;
  std::vector<uint8_t> batch = make_batch({{kNow, "", false, ""}}, options);
  batch.resize(static_cast<size_t>(kBatchHeaderBytes));
  batch.insert(batch.end(), payload.begin(), payload.end());
  store_i32(batch.data() + batch_layout::kLength,
            static_cast<int32_t>(batch.size()) - kBatchOverheadBytes);
  refresh_crc(&batch);
  return batch;
}

inline LogConfig small_segments(int64_t bytes = 1500) {
  LogConfig config;
  config.segment_bytes_max = bytes;
  config.index_interval_bytes = 200;
  return config;
}

struct Cleaned {
  Status status;
  CleanStats stats;
};

// A whole compaction, as its owner and its helper take turns.
inline Cleaned clean(Io& io, Log& log, CleanRequest request) {
  Cleaned cleaned;
  std::unique_ptr<CleanJob> job;
  cleaned.status = log.clean_begin(io, request, &job);
  while (cleaned.status.ok() && job->phase() != CleanJob::Phase::kDone) {
    int64_t bytes = 0;
    if (job->phase() != CleanJob::Phase::kGroupReady) {
      cleaned.status = job->step(io, &bytes);
      continue;
    }
    cleaned.status = log.swap_begin(io, job.get());
    for (bool is_done = false; cleaned.status.ok() && !is_done;) {
      cleaned.status = io.sync_directory(log.directory());
      if (cleaned.status.ok()) cleaned.status = log.swap_advance(io, &is_done);
    }
  }
  if (job != nullptr) cleaned.stats = job->stats();
  log.reclaim(io);
  return cleaned;
}

inline CleanRequest request_at(int64_t now_ms = kNow) {
  CleanRequest request;
  request.now_ms = now_ms;
  request.delete_retention_ms = kRetention;
  request.map_bytes = 1 << 16;
  request.buffer_bytes = 4096;
  return request;
}

struct BatchRow {
  int64_t base_offset, last_offset, horizon;
  int32_t count;
  bool is_control;
};

// Every record and every batch of a log, in order; false when a batch is not whole.
inline bool read_all(Io& io, const Log& log, std::vector<Row>* rows,
                     std::vector<BatchRow>* batches = nullptr, int64_t from = 0) {
  int64_t offset = std::max(from, log.log_start_offset());
  const int64_t end = log.log_end_offset();
  while (offset < end) {
    ReadSlice slice;
    if (!log.read(io, offset, end, 1 << 20, true, &slice).ok()) return false;
    if (!slice) break;
    const std::vector<uint8_t> bytes = slice_bytes(io, slice);
    Bytes rest(bytes);
    RecordBatch batch;
    while (next_batch(&rest, &batch)) {
      if (batch.base_offset() < offset && batch.last_offset() < offset) return false;
      Codecs codecs;
      OpenedBatch opened;
      if (!opened.open(batch, &codecs, 1 << 20)) return false;
      if (batches != nullptr) {
        batches->push_back({batch.base_offset(), batch.last_offset(), delete_horizon(batch),
                            batch.records_count(), batch.is_control()});
      }
      const uint8_t* at = opened.records().data();
      const uint8_t* stop = at + opened.records().size();
      for (int32_t i = 0; i < batch.records_count() && !batch.is_control(); i += 1) {
        RecordView record;
        at = read_record(at, stop, &record);
        Row row{batch.base_offset() + record.offset_delta, record_timestamp(batch, record),
                std::string(as_text(record.key)), std::nullopt};
        if (record.has_value) row.value = std::string(as_text(record.value));
        if (record.headers.size() != 5) return false;
        rows->push_back(row);
      }
      offset = batch.next_offset();
    }
    if (!rest.empty()) return false;
  }
  return true;
}

struct Fixture {
  SimWorld world{7};
  std::unique_ptr<Io> io = world.make_io();
  std::unique_ptr<Log> log;
  std::vector<Row> rows;

  explicit Fixture(const LogConfig& config = small_segments()) {
    Log::Options options;
    options.directory = "/topic-0";
    options.config = config;
    options.gaps_allowed = true;
    CHECK_OK(Log::open(*io, options, &log, nullptr));
  }
  ~Fixture() {
    if (log != nullptr) CHECK_OK(log->close(*io, true));
  }
  void put(const std::vector<Row>& batch, BatchOptions options = {}) {
    CHECK_OK(append(*io, *log, rows_batch(batch, options)));
  }
  void raw(const std::vector<uint8_t>& batch) { CHECK_OK(append(*io, *log, batch)); }
  int64_t end() const { return log->log_end_offset(); }
  void roll() { CHECK_OK(log->roll(*io, end())); }
  std::vector<Row> read() {
    std::vector<Row> all;
    CHECK(read_all(*io, *log, &all));
    return all;
  }
};

inline std::vector<int64_t> offsets_of(const std::vector<Row>& rows) {
  std::vector<int64_t> offsets;
  for (const Row& row : rows) offsets.push_back(row.offset);
  return offsets;
}

}  // namespace ottla::test
