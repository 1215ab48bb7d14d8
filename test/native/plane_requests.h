// Produce and Fetch as a client of the topic "events" says them, and what it makes of the answers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "../../native/base/crc32c.h"
#include "plane_client.h"

namespace ottla::test {

class Writer {
 public:
  Writer& u8(uint8_t value) { return bytes.push_back(value), *this; }
  Writer& i16(int16_t value) { return grow(2), store_i16(end() - 2, value), *this; }
  Writer& i32(int32_t value) { return grow(4), store_i32(end() - 4, value), *this; }
  Writer& i64(int64_t value) { return grow(8), store_i64(end() - 8, value), *this; }
  Writer& text(const char* value) {
    i16(static_cast<int16_t>(std::strlen(value)));
    bytes.insert(bytes.end(), value, value + std::strlen(value));
    return *this;
  }
  Writer& raw(const std::vector<uint8_t>& more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return *this;
  }
  std::vector<uint8_t> bytes;

 private:
  void grow(size_t count) { bytes.resize(bytes.size() + count); }
  uint8_t* end() { return bytes.data() + bytes.size(); }
};

// One batch of one record whose value is `bytes` long and starts with `mark`.
inline std::vector<uint8_t> batch(int64_t mark, size_t bytes) {
  std::vector<uint8_t> value(std::max<size_t>(bytes, 8), 'v');
  store_i64(value.data(), mark);
  uint8_t length[10], record_length[10];
  auto varint = [](uint8_t* at, int64_t number) {
    uint64_t rest = zigzag(number);
    size_t count = 0;
    for (; rest >= 0x80; rest >>= 7) at[count++] = static_cast<uint8_t>(rest | 0x80);
    at[count++] = static_cast<uint8_t>(rest);
    return count;
  };
  const size_t length_bytes = varint(length, static_cast<int64_t>(value.size()));
  // attributes, timestamp delta, offset delta, no key, value, no headers
  const size_t record_bytes = 1 + 1 + 1 + 1 + length_bytes + value.size() + 1;
  const size_t prefix = varint(record_length, static_cast<int64_t>(record_bytes));
  Writer out;
  out.i64(0).i32(0).i32(-1).u8(2).i32(0).i16(0).i32(0).i64(1000).i64(1000).i64(-1).i16(-1).i32(-1);
  out.i32(1);
  out.bytes.insert(out.bytes.end(), record_length, record_length + prefix);
  out.u8(0).u8(0).u8(0).u8(1);
  out.bytes.insert(out.bytes.end(), length, length + length_bytes);
  out.raw(value).u8(0);
  store_i32(out.bytes.data() + 8, static_cast<int32_t>(out.bytes.size() - 12));
  store_u32(out.bytes.data() + 17, crc32c(Bytes(out.bytes).subspan(21)));
  return out.bytes;
}

inline std::vector<uint8_t> framed(const Writer& body) {
  Writer frame;
  frame.i32(static_cast<int32_t>(body.bytes.size())).raw(body.bytes);
  return frame.bytes;
}

// Produce 3: one partition, one batch.
inline std::vector<uint8_t> produce(int32_t id, int32_t partition,
                                    const std::vector<uint8_t>& records, int16_t acks = -1) {
  Writer body;
  body.i16(0).i16(3).i32(id).i16(-1).i16(-1).i16(acks).i32(30000).i32(1).text("events").i32(1);
  body.i32(partition).i32(static_cast<int32_t>(records.size())).raw(records);
  return framed(body);
}

// Fetch 4: of each of these partitions.
inline std::vector<uint8_t> fetch_all(int32_t id,
                                      const std::vector<std::pair<int32_t, int64_t>>& offsets,
                                      int32_t wait_ms, int32_t bytes_max = 1 << 20) {
  Writer body;
  body.i16(1).i16(4).i32(id).i16(-1).i32(-1).i32(wait_ms).i32(1).i32(bytes_max).u8(0).i32(1);
  body.text("events").i32(static_cast<int32_t>(offsets.size()));
  for (const auto& [partition, offset] : offsets) body.i32(partition).i64(offset).i32(bytes_max);
  return framed(body);
}
inline std::vector<uint8_t> fetch(int32_t id, int32_t partition, int64_t offset, int32_t wait_ms,
                                  int32_t bytes_max = 1 << 20) {
  return fetch_all(id, {{partition, offset}}, wait_ms, bytes_max);
}

struct Produced {
  int32_t id = -1;
  int16_t error = -1;
  int64_t base_offset = -1;
};
inline Produced read_produced(const std::vector<uint8_t>& frame) {
  // id, topics, "events", partitions, index, error, offset
  constexpr size_t kError = 4 + 4 + 8 + 4 + 4;
  if (frame.size() < kError + 10) return {};
  return {load_i32(frame.data()), load_i16(frame.data() + kError),
          load_i64(frame.data() + kError + 2)};
}

struct Fetched {
  int32_t id = -1;
  int16_t error = -1;
  int64_t high_watermark = -1;
  std::vector<uint8_t> records;
};
inline Fetched read_fetched(const std::vector<uint8_t>& frame) {
  // id, throttle, topics, "events", partitions, index, error, watermark, stable, aborted, records
  constexpr size_t kError = 4 + 4 + 4 + 8 + 4 + 4;
  constexpr size_t kRecords = kError + 2 + 8 + 8 + 4;
  if (frame.size() < kRecords + 4) return {};
  const int32_t aborted = load_i32(frame.data() + kError + 18);
  CHECK(aborted <= 0);
  return {load_i32(frame.data()),
          load_i16(frame.data() + kError),
          load_i64(frame.data() + kError + 2),
          {frame.begin() + kRecords + 4, frame.end()}};
}

}  // namespace ottla::test
