// base/bytes.h, base/counters.h: byte order, varints at their limits, cursors that fail once and
// stay failed.
#include "../../native/base/bytes.h"

#include <cstdint>
#include <limits>
#include <vector>

#include "../../native/base/counters.h"
#include "test.h"

using namespace ottla;

TEST("base: bytes: big-endian loads and stores are each other's inverse at any alignment") {
  uint8_t memory[16] = {};
  for (int shift = 0; shift < 8; shift += 1) {
    uint8_t* at = memory + shift;
    store_i16(at, -2);
    CHECK_EQ(at[0], 0xff);
    CHECK_EQ(at[1], 0xfe);
    CHECK_EQ(load_i16(at), -2);
    store_i32(at, 0x01020304);
    CHECK_EQ(at[0], 1);
    CHECK_EQ(at[3], 4);
    CHECK_EQ(load_i32(at), 0x01020304);
    CHECK_EQ(load_u32_le(at), 0x04030201u);
    store_i64(at, std::numeric_limits<int64_t>::min() + 5);
    CHECK_EQ(at[0], 0x80);
    CHECK_EQ(at[7], 5);
    CHECK_EQ(load_i64(at), std::numeric_limits<int64_t>::min() + 5);
  }
}

TEST("base: bytes: zigzag maps small magnitudes to small numbers") {
  CHECK_EQ(zigzag(int32_t{0}), 0u);
  CHECK_EQ(zigzag(int32_t{-1}), 1u);
  CHECK_EQ(zigzag(int32_t{1}), 2u);
  CHECK_EQ(zigzag(std::numeric_limits<int32_t>::min()), UINT32_MAX);
  CHECK_EQ(unzigzag(zigzag(std::numeric_limits<int64_t>::min())),
           std::numeric_limits<int64_t>::min());
}

TEST("base: bytes: varints survive a round trip and fit exactly") {
  std::vector<int64_t> values;
  for (int bit = 0; bit < 63; bit += 1) {
    for (int64_t d = -1; d <= 1; d += 1) {
      values.push_back((int64_t{1} << bit) + d);
      values.push_back(-(int64_t{1} << bit) + d);
    }
  }
  values.push_back(std::numeric_limits<int64_t>::max());
  values.push_back(std::numeric_limits<int64_t>::min());
  for (const int64_t value : values) {
    uint8_t memory[kVarlongBytesMax];
    const size_t bytes = varlong_bytes(value);
    REQUIRE(bytes <= sizeof memory);
    CHECK(write_varlong(memory, memory + bytes - 1, value) == nullptr);
    CHECK(write_varlong(memory, memory + bytes, value) == memory + bytes);
    int64_t back = 0;
    CHECK(read_varlong(memory, memory + bytes, &back) == memory + bytes);
    CHECK_EQ(back, value);
    for (size_t cut = 0; cut < bytes; cut += 1) {
      CHECK(read_varlong(memory, memory + cut, &back) == nullptr);
    }
    if (value < INT32_MIN || value > INT32_MAX) continue;
    int32_t narrow = 0;
    CHECK_EQ(varint_bytes(static_cast<int32_t>(value)), bytes);
    CHECK(read_varint(memory, memory + bytes, &narrow) == memory + bytes);
    CHECK_EQ(narrow, value);
  }
}

TEST("base: bytes: too long a varint is refused, a padded one is read") {
  const uint8_t padded[] = {0x80, 0x80, 0x80, 0x80, 0x00};
  const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
  uint32_t value = 7;
  CHECK(read_uvarint(padded, padded + 5, &value) == padded + 5);
  CHECK_EQ(value, 0u);
  CHECK(read_uvarint(endless, endless + 11, &value) == nullptr);
  uint64_t wide = 0;
  CHECK(read_uvarlong(endless, endless + 11, &wide) == nullptr);
  CHECK(read_uvarlong(endless + 1, endless + 11, &wide) == endless + 11);
}

TEST("base: bytes: a reader fails once and stays failed") {
  const uint8_t data[] = {0, 5, 0xff, 1, 2, 3};
  ByteReader reader{Bytes(data)};
  CHECK_EQ(reader.i16(), 5);
  CHECK_EQ(reader.i8(), -1);
  CHECK_EQ(reader.take(2).size(), 2u);
  CHECK_EQ(reader.left(), 1u);
  CHECK(reader.ok());
  CHECK_EQ(reader.i32(), 0);
  CHECK(!reader.ok());
  CHECK_EQ(reader.u8(), 0);
  CHECK_EQ(reader.left(), 0u);
  for (const int64_t absurd : {int64_t{-1}, int64_t{7}, INT64_MAX, INT64_MIN}) {
    ByteReader other{Bytes(data)};
    CHECK(other.take(absurd).empty());
    CHECK(!other.ok());
  }
  ByteReader empty{Bytes()};
  CHECK(empty.ok());
  CHECK_EQ(empty.varint(), 0);
  CHECK(!empty.ok());
}

TEST("base: counters: a row adds, sets and raises") {
  double cells[3] = {};
  CounterRow row(cells, 3);
  row.add(0, 2);
  row.add(0, 3);
  row.set(1, 9007199254740992.0);
  row.raise(2, 4);
  row.raise(2, 1);
  CHECK_EQ(row.get(0), 5.0);
  CHECK_EQ(cells[1], 9007199254740992.0);
  CHECK_EQ(cells[2], 4.0);
}

TEST("base: counters: a sequenced row is not read while it is written") {
  double cells[3] = {}, seen[3];
  SequencedRow row(cells, 3);
  row.begin();
  row.set(1, 10);
  CHECK(!row.read(seen));
  row.set(2, 20);
  row.end();
  CHECK(row.read(seen));
  CHECK_EQ(seen[1], 10.0);
  CHECK_EQ(seen[2], 20.0);
}

RUN_TESTS()
