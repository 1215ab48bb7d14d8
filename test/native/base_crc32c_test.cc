// base/crc32c.h: known vectors, and every implementation against a bit-by-bit division.
#include "../../native/base/crc32c.h"

#include <vector>

#include "test.h"

using namespace ottla;

namespace {

constexpr Crc32cKind kKinds[] = {Crc32cKind::kTable, Crc32cKind::kChain, Crc32cKind::kFold128,
                                 Crc32cKind::kFold512};

std::vector<uint8_t> noise(size_t bytes) {
  std::vector<uint8_t> out(bytes);
  uint32_t x = 2463534242u;
  for (uint8_t& byte : out) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    byte = static_cast<uint8_t>(x);
  }
  return out;
}

uint32_t divide_bytewise(uint32_t crc, uint8_t byte) {
  uint32_t state = ~crc ^ byte;
  for (int bit = 0; bit < 8; bit += 1) state = (state >> 1) ^ (state & 1 ? 0x82f63b78u : 0u);
  return ~state;
}

}  // namespace

// RFC 3720 B.4, and the usual check value.
TEST("base: crc32c: known vectors") {
  uint8_t zeros[32] = {}, ones[32], up[32], down[32];
  for (uint8_t i = 0; i < 32; i += 1) {
    ones[i] = 0xff;
    up[i] = i;
    down[i] = static_cast<uint8_t>(31 - i);
  }
  for (const Crc32cKind kind : kKinds) {
    if (!crc32c_supported(kind)) continue;
    CHECK_EQ(crc32c_by(kind, as_bytes("123456789")), 0xe3069283u);
    CHECK_EQ(crc32c_by(kind, as_bytes(zeros, 32)), 0x8a9136aau);
    CHECK_EQ(crc32c_by(kind, as_bytes(ones, 32)), 0x62a8ab43u);
    CHECK_EQ(crc32c_by(kind, as_bytes(up, 32)), 0x46dd794eu);
    CHECK_EQ(crc32c_by(kind, as_bytes(down, 32)), 0x113fdb5cu);
    CHECK_EQ(crc32c_by(kind, Bytes()), 0u);
  }
  CHECK_EQ(crc32c(as_bytes("123456789")), 0xe3069283u);
  CHECK(crc32c_supported(Crc32cKind::kTable));
  std::printf("    this machine: %s\n", crc32c_kind_name(crc32c_kind()));
}

TEST("base: crc32c: every kind agrees with long division at every length and alignment") {
  constexpr size_t kLengthMax = 2000;
  const std::vector<uint8_t> data = noise(kLengthMax + 64);
  for (const size_t shift : {0, 1, 3, 8, 13, 16, 31, 47, 63}) {
    uint32_t expected = 0;
    for (size_t length = 0; length <= kLengthMax; length += 1) {
      const Bytes piece(data.data() + shift, length);
      for (const Crc32cKind kind : kKinds) {
        if (crc32c_supported(kind)) REQUIRE(crc32c_by(kind, piece) == expected);
      }
      expected = divide_bytewise(expected, data[shift + length]);
    }
  }
}

TEST("base: crc32c: pieces in turn give the whole, wherever they are cut") {
  const std::vector<uint8_t> data = noise(5000);
  const Bytes whole(data);
  const uint32_t expected = crc32c_by(Crc32cKind::kTable, whole);
  for (const Crc32cKind kind : kKinds) {
    if (!crc32c_supported(kind)) continue;
    for (size_t cut = 0; cut <= whole.size(); cut += 7) {
      REQUIRE(crc32c_by(kind, whole.subspan(cut), crc32c_by(kind, whole.first(cut))) == expected);
    }
  }
}

TEST("base: crc32c: any flipped bit changes it") {
  std::vector<uint8_t> data = noise(700);
  const uint32_t before = crc32c(Bytes(data));
  for (size_t bit = 0; bit < data.size() * 8; bit += 11) {
    data[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
    REQUIRE(crc32c(Bytes(data)) != before);
    data[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
  }
  CHECK_EQ(crc32c(Bytes(data)), before);
}

RUN_TESTS()
