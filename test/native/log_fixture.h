// What the log's tests share: batches made by the record, logs opened and filled, records read
// back.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../../native/base/bytes.h"
#include "../../native/base/compress.h"
#include "../../native/base/crc32c.h"
#include "../../native/io/io.h"
#include "../../native/log/log.h"
#include "../../native/log/record_batch.h"

namespace ottla::test {

struct TestRecord {
  int64_t timestamp = 0;
  std::string value;
  bool has_key = false;
  std::string key;
};

struct BatchOptions {
  int64_t base_offset = 0;
  int32_t leader_epoch = 0;
  int codec = 0;
  int16_t more_attributes = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t base_sequence = -1;
};

inline void put_varint(std::vector<uint8_t>* out, int64_t value) {
  uint8_t bytes[kVarlongBytesMax];
  const uint8_t* end = write_varlong(bytes, bytes + sizeof bytes, value);
  out->insert(out->end(), bytes, const_cast<uint8_t*>(end));
}

inline std::vector<uint8_t> encode_records(const std::vector<TestRecord>& records) {
  std::vector<uint8_t> all;
  for (size_t i = 0; i < records.size(); i += 1) {
    const TestRecord& record = records[i];
    std::vector<uint8_t> body{0};
    put_varint(&body, record.timestamp - records[0].timestamp);
    put_varint(&body, static_cast<int64_t>(i));
    put_varint(&body, record.has_key ? static_cast<int64_t>(record.key.size()) : -1);
    if (record.has_key) body.insert(body.end(), record.key.begin(), record.key.end());
    put_varint(&body, static_cast<int64_t>(record.value.size()));
    body.insert(body.end(), record.value.begin(), record.value.end());
    put_varint(&body, 0);
    put_varint(&all, static_cast<int64_t>(body.size()));
    all.insert(all.end(), body.begin(), body.end());
  }
  return all;
}

inline void refresh_crc(std::vector<uint8_t>* batch) {
  store_u32(batch->data() + batch_layout::kCrc,
            crc32c(Bytes(batch->data() + batch_layout::kAttributes,
                         batch->size() - batch_layout::kAttributes)));
}

inline std::vector<uint8_t> make_batch(const std::vector<TestRecord>& records,
                                       const BatchOptions& options = {}) {
  std::vector<uint8_t> payload = encode_records(records);
  if (options.codec != 0) {
    std::vector<uint8_t> packed;
    if (!compress(static_cast<Codec>(options.codec), kDefaultLevel, payload, &packed).ok())
      std::abort();
    payload = packed;
  }
  std::vector<uint8_t> batch(static_cast<size_t>(kBatchHeaderBytes));
  uint8_t* at = batch.data();
  int64_t max_timestamp = -1;
  for (const TestRecord& record : records)
    max_timestamp = std::max(max_timestamp, record.timestamp);
  const int32_t count = static_cast<int32_t>(records.size());
  store_i64(at, options.base_offset);
  store_i32(at + batch_layout::kLength,
            static_cast<int32_t>(payload.size()) + kBatchHeaderBytes - kBatchOverheadBytes);
  store_i32(at + batch_layout::kLeaderEpoch, options.leader_epoch);
  at[batch_layout::kMagic] = kBatchMagic;
  store_i16(at + batch_layout::kAttributes,
            static_cast<int16_t>(options.codec | options.more_attributes));
  store_i32(at + batch_layout::kLastOffsetDelta, count - 1);
  store_i64(at + batch_layout::kBaseTimestamp, records.empty() ? -1 : records[0].timestamp);
  store_i64(at + batch_layout::kMaxTimestamp, max_timestamp);
  store_i64(at + batch_layout::kProducerId, options.producer_id);
  store_i16(at + batch_layout::kProducerEpoch, options.producer_epoch);
  store_i32(at + batch_layout::kBaseSequence, options.base_sequence);
  store_i32(at + batch_layout::kRecordsCount, count);
  batch.insert(batch.end(), payload.begin(), payload.end());
  refresh_crc(&batch);
  return batch;
}

// One record of `value_bytes` bytes that say their own offset.
inline std::vector<uint8_t> sized_batch(int64_t offset, size_t value_bytes,
                                        int64_t timestamp = 1000, int32_t epoch = 0) {
  std::string value = "record " + std::to_string(offset) + " ";
  value.resize(std::max(value_bytes, value.size()), static_cast<char>('a' + offset % 26));
  BatchOptions options;
  options.base_offset = offset;
  options.leader_epoch = epoch;
  return make_batch({{timestamp, value, false, ""}}, options);
}

inline AppendBatch append_batch_of(const std::vector<uint8_t>& bytes) {
  const RecordBatch view(bytes.data(), bytes.size());
  return {bytes.data(),         static_cast<int32_t>(bytes.size()),
          view.base_offset(),   view.last_offset(),
          view.max_timestamp(), view.leader_epoch()};
}

// Appends and returns what the log answered; kBusy when it has not answered yet.
inline Status append(Io& io, Log& log, const std::vector<std::vector<uint8_t>>& batches) {
  std::vector<AppendBatch> views;
  for (const auto& batch : batches) views.push_back(append_batch_of(batch));
  Status answer = Status::fail(Code::kBusy, "no answer");
  AppendOp op;
  op.batches = views.data();
  op.count = static_cast<int>(views.size());
  op.context = &answer;
  op.done = [](AppendOp* done, Status status) { *static_cast<Status*>(done->context) = status; };
  log.append(io, &op);
  return answer;
}

inline Status append(Io& io, Log& log, const std::vector<uint8_t>& batch) {
  return append(io, log, std::vector<std::vector<uint8_t>>{batch});
}

inline std::vector<uint8_t> slice_bytes(Io& io, const ReadSlice& slice) {
  std::vector<uint8_t> bytes(static_cast<size_t>(slice.bytes()));
  Handle file = kNoHandle;
  size_t got = 0;
  if (!slice || !slice.file(io, &file).ok()) return {};
  if (!io.read(file, bytes.data(), bytes.size(), slice.position(), &got).ok()) return {};
  bytes.resize(got);
  return bytes;
}

// The base offsets of every batch from `offset` on, each checked whole; {-1} when one is not.
inline std::vector<int64_t> read_offsets(Io& io, const Log& log, int64_t offset, int64_t upper,
                                         int64_t bytes_max = 1 << 20) {
  std::vector<int64_t> offsets;
  while (offset < upper) {
    ReadSlice slice;
    if (!log.read(io, offset, upper, bytes_max, true, &slice).ok() || !slice) break;
    const std::vector<uint8_t> bytes = slice_bytes(io, slice);
    Bytes rest(bytes);
    RecordBatch batch;
    while (next_batch(&rest, &batch)) {
      if (batch.computed_crc() != batch.crc()) return {-1};
      offsets.push_back(batch.base_offset());
      offset = batch.next_offset();
    }
    if (!rest.empty()) return {-1};
  }
  return offsets;
}

inline std::string file_text(Io& io, const std::string& path) {
  Handle file = kNoHandle;
  int64_t bytes = 0;
  size_t got = 0;
  if (!io.open(path, OpenMode::kRead, &file).ok() || !io.file_bytes(file, &bytes).ok())
    return "missing";
  std::string text(static_cast<size_t>(bytes), '\0');
  (void)io.read(file, text.data(), text.size(), 0, &got);
  (void)io.close(file);
  return text;
}

inline void write_text(Io& io, const std::string& path, std::string_view text) {
  Handle file = kNoHandle;
  if (!io.open(path, OpenMode::kTruncate, &file).ok()) std::abort();
  if (!io.write(file, text.data(), text.size(), 0).ok() || !io.close(file).ok()) std::abort();
}

inline bool exists(Io& io, const std::string& path) {
  FileInfo info;
  return io.stat(path, &info).ok();
}

}  // namespace ottla::test
