// See reencode.h. Varints come out in their shortest form, as Kafka writes them; a record's headers
// are copied as they are, so that a key that is no UTF-8 stays what it was.
#include "reencode.h"

#include <cstring>

#include "../base/assert.h"
#include "../base/crc32c.h"

namespace ottla {

namespace {

// Attributes, two numbers, two lengths: what a record has at most besides its length and contents.
constexpr size_t kRecordOverheadMax = 1 + kVarlongBytesMax + 3 * kVarintBytesMax;

size_t field_bytes(bool is_present, Bytes field) {
  return varint_bytes(is_present ? static_cast<int32_t>(field.size()) : -1) + field.size();
}

uint8_t* write_field(uint8_t* at, const uint8_t* end, bool is_present, Bytes field) {
  at = write_varint(at, end, is_present ? static_cast<int32_t>(field.size()) : -1);
  if (!field.empty()) std::memcpy(at, field.data(), field.size());
  return at + field.size();
}

// Wrapping, as Java subtracts: hostile times are data.
int64_t delta_of(int64_t timestamp, int64_t base) {
  return static_cast<int64_t>(static_cast<uint64_t>(timestamp) - static_cast<uint64_t>(base));
}

int64_t first_timestamp(const RecordBatch& batch, Bytes records) {
  RecordView record;
  const uint8_t* at = read_record(records.data(), records.data() + records.size(), &record);
  OTTLA_ASSERT(at != nullptr, "the records were validated");
  return record_timestamp(batch, record);
}

}  // namespace

void reencode_records(const RecordBatch& batch, Bytes records, std::vector<uint8_t>* out) {
  const int64_t base = first_timestamp(batch, records);
  const uint8_t* from = records.data();
  const uint8_t* const from_end = from + records.size();
  out->clear();
  // A delta from another base may take more bytes than it took, so the vector may have to grow.
  out->resize(records.size() + records.size() / 8 + 64);
  size_t used = 0;
  for (int32_t index = 0; from != from_end; index += 1) {
    RecordView record;
    from = read_record(from, from_end, &record);
    OTTLA_ASSERT(from != nullptr, "the records were validated");
    const int64_t delta = delta_of(record_timestamp(batch, record), base);
    const size_t body = 1 + varlong_bytes(delta) + varint_bytes(index) +
                        field_bytes(record.has_key, record.key) +
                        field_bytes(record.has_value, record.value) + record.headers.size();
    if (out->size() - used < body + kRecordOverheadMax) {
      out->resize(out->size() * 2 + body + kRecordOverheadMax);
    }
    uint8_t* at = out->data() + used;
    const uint8_t* const end = out->data() + out->size();
    at = write_varint(at, end, static_cast<int32_t>(body));
    *at++ = 0;
    at = write_varlong(at, end, delta);
    at = write_varint(at, end, index);
    at = write_field(at, end, record.has_key, record.key);
    at = write_field(at, end, record.has_value, record.value);
    std::memcpy(at, record.headers.data(), record.headers.size());
    used = static_cast<size_t>(at - out->data()) + record.headers.size();
  }
  out->resize(used);
}

void seal_batch(const RecordBatch& batch, Bytes records, const BatchTime& time, Codec codec,
                Bytes packed, std::vector<uint8_t>* out) {
  const size_t size = static_cast<size_t>(kBatchHeaderBytes) + packed.size();
  out->resize(size);
  uint8_t* at = out->data();
  // Producer, sequence, count and last delta are the client's.
  std::memcpy(at, batch.data(), static_cast<size_t>(kBatchHeaderBytes));
  if (!packed.empty()) std::memcpy(at + kBatchHeaderBytes, packed.data(), packed.size());
  const int attributes = static_cast<int>(codec) | (time.is_log_append_time ? 0x08 : 0) |
                         (batch.is_transactional() ? 0x10 : 0);
  store_i64(at + batch_layout::kBaseOffset, 0);
  store_i32(at + batch_layout::kLength, static_cast<int32_t>(size) - kBatchOverheadBytes);
  store_i32(at + batch_layout::kLeaderEpoch, -1);
  store_i16(at + batch_layout::kAttributes, static_cast<int16_t>(attributes));
  store_i64(at + batch_layout::kBaseTimestamp, first_timestamp(batch, records));
  store_i64(at + batch_layout::kMaxTimestamp, time.max_timestamp);
  store_u32(at + batch_layout::kCrc, RecordBatch(at, size).computed_crc());
}

}  // namespace ottla
