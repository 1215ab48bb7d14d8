// Record batches that are encoded once and stamped per send: who sent it, which one it is, when it
// was due.
//
// An uncompressed record's value starts with a stamp of 24 bytes: magic, stream, sequence within
// the stream, intended time in nanoseconds of CLOCK_MONOTONIC (one clock for all processes of a
// machine). A compressed batch cannot be stamped inside without compressing anew: its number
// travels in the base timestamp, milliseconds after an epoch. Layout: Kafka's DefaultRecordBatch,
// magic 2.
#pragma once

#include <cstdint>
#include <vector>

#include "../../native/base/bytes.h"
#include "../../native/base/compress.h"

namespace ottla::load {

inline constexpr size_t kStampBytes = 24;
inline constexpr uint32_t kStampMagic = 0x4f74746c;
inline constexpr size_t kBatchHeaderBytes = 61;
inline constexpr int64_t kTimestampNumbers =
    1 << 21;  // 35 minutes: within the hour that brokers allow

struct Stamp {
  uint32_t stream = 0;
  uint64_t sequence = 0;
  int64_t due_ns = 0;
};

struct BatchShape {
  int records = 1;
  size_t message_bytes = 1024;
  size_t key_bytes = 0;
  Codec codec = Codec::kNone;
};

// What differs from one send of a batch to the next.
struct Sending {
  uint32_t stream = 0;
  uint64_t batch = 0;  // within the stream
  int64_t due_ns = 0;  // of the last record
  int64_t record_interval_ns = 0;
  int64_t epoch_ms = 0;
  int64_t now_ms = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
};

class BatchTemplate {
 public:
  explicit BatchTemplate(const BatchShape& shape);

  Bytes bytes() const { return bytes_; }
  int records() const { return shape_.records; }
  // Writes stamps and header into a copy of bytes(), then the checksum.
  void stamp(uint8_t* batch, const Sending& sending) const;

 private:
  BatchShape shape_;
  std::vector<uint8_t> bytes_;
  std::vector<uint32_t> values_;  // where each value starts; empty when compressed
};

// One batch of what a fetch brought.
struct BatchView {
  Bytes bytes;
  int64_t base_offset = 0;
  int32_t last_offset_delta = 0;
  int32_t records = 0;
  Codec codec = Codec::kNone;
  int64_t base_timestamp = 0;
  int64_t last_offset() const { return base_offset + last_offset_delta; }
};

enum class Next { kBatch, kEnd, kCorrupt };
// Cuts the next batch off `*records`. A batch that is cut short is the end: brokers send parts. The
// checksum is compared.
Next next_batch(Bytes* records, BatchView* batch);

// Calls `on_record` with each stamp in order; false when the frames or a stamp make no sense.
template <typename F>
bool each_stamp(const BatchView& batch, F&& on_record) {
  const uint8_t* at = batch.bytes.data() + kBatchHeaderBytes;
  const uint8_t* end = batch.bytes.data() + batch.bytes.size();
  for (int32_t i = 0; i < batch.records; ++i) {
    int32_t length = 0, delta = 0, key = 0, value = 0;
    int64_t timestamp_delta = 0;
    at = read_varint(at, end, &length);
    if (at == nullptr || length < 1 || length > end - at) return false;
    const uint8_t* next = at + length;
    at = read_varlong(at + 1, next, &timestamp_delta);
    if (at != nullptr) at = read_varint(at, next, &delta);
    if (at != nullptr) at = read_varint(at, next, &key);
    if (at == nullptr || delta != i || key > next - at) return false;
    at = read_varint(at + (key > 0 ? key : 0), next, &value);
    if (at == nullptr || value < static_cast<int32_t>(kStampBytes) || value > next - at)
      return false;
    if (load_u32(at) != kStampMagic) return false;
    on_record(Stamp{load_u32(at + 4), load_u64(at + 8), load_i64(at + 16)});
    at = next;
  }
  return at == end;
}

}  // namespace ottla::load
