// Bytes in the order the wire and the disk have them: big-endian integers, varints, spans.
//
// Every read is bounded by `end` and says whether it succeeded; nothing here allocates or trusts a
// length. Varints accept what Apache Kafka accepts (Kafka: ByteUtils): at most 5 bytes for 32 bits
// and 10 for 64, the bits of the last byte that do not fit are dropped, longer forms of a value are
// legal.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace ottla {

using Bytes = std::span<const uint8_t>;
using MutableBytes = std::span<uint8_t>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline Bytes as_bytes(const void* from, size_t bytes) {
  return {static_cast<const uint8_t*>(from), bytes};
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

static_assert(std::endian::native == std::endian::little,
              "every supported target is little-endian");

// Big-endian loads and stores; the address needs no alignment.
inline uint16_t load_u16(const uint8_t* at) {
  uint16_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap16(value);
}
inline uint32_t load_u32(const uint8_t* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap32(value);
}
inline uint64_t load_u64(const uint8_t* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap64(value);
}
inline int16_t load_i16(const uint8_t* at) { return static_cast<int16_t>(load_u16(at)); }
inline int32_t load_i32(const uint8_t* at) { return static_cast<int32_t>(load_u32(at)); }
inline int64_t load_i64(const uint8_t* at) { return static_cast<int64_t>(load_u64(at)); }

inline void store_u16(uint8_t* at, uint16_t value) {
  value = __builtin_bswap16(value);
  std::memcpy(at, &value, sizeof value);
}
inline void store_u32(uint8_t* at, uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(at, &value, sizeof value);
}
inline void store_u64(uint8_t* at, uint64_t value) {
  value = __builtin_bswap64(value);
  std::memcpy(at, &value, sizeof value);
}
inline void store_i16(uint8_t* at, int16_t value) { store_u16(at, static_cast<uint16_t>(value)); }
inline void store_i32(uint8_t* at, int32_t value) { store_u32(at, static_cast<uint32_t>(value)); }
inline void store_i64(uint8_t* at, int64_t value) { store_u64(at, static_cast<uint64_t>(value)); }

// Little-endian, for formats that are not Kafka's own (snappy framing, lz4).
inline uint32_t load_u32_le(const uint8_t* at) { return __builtin_bswap32(load_u32(at)); }

// Zigzag: small magnitudes of either sign become small unsigned numbers. 0, -1, 1, -2 are 0, 1,
// 2, 3.
constexpr uint32_t zigzag(int32_t value) {
  return (static_cast<uint32_t>(value) << 1) ^ static_cast<uint32_t>(value >> 31);
}
constexpr uint64_t zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
constexpr int32_t unzigzag(uint32_t value) {
  return static_cast<int32_t>((value >> 1) ^ (0u - (value & 1)));
}
constexpr int64_t unzigzag(uint64_t value) {
  return static_cast<int64_t>((value >> 1) ^ (uint64_t{0} - (value & 1)));
}

constexpr size_t kVarintBytesMax = 5;
constexpr size_t kVarlongBytesMax = 10;

// How many bytes write_uvarint writes.
constexpr size_t uvarint_bytes(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}
constexpr size_t varint_bytes(int32_t value) { return uvarint_bytes(zigzag(value)); }
constexpr size_t varlong_bytes(int64_t value) { return uvarint_bytes(zigzag(value)); }

namespace detail {

template <typename T>
inline const uint8_t* read_unsigned(const uint8_t* at, const uint8_t* end, T* value) {
  constexpr unsigned kLastShift = sizeof(T) == 4 ? 28 : 63;
  T result = 0;
  for (unsigned shift = 0; at < end && shift <= kLastShift; shift += 7) {
    const uint8_t byte = *at++;
    result |= static_cast<T>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *value = result;
      return at;
    }
  }
  return nullptr;
}

}  // namespace detail

// Each returns the address after the number, or null when the bytes end first or the number is too
// long.
inline const uint8_t* read_uvarint(const uint8_t* at, const uint8_t* end, uint32_t* value) {
  return detail::read_unsigned(at, end, value);
}
inline const uint8_t* read_uvarlong(const uint8_t* at, const uint8_t* end, uint64_t* value) {
  return detail::read_unsigned(at, end, value);
}
inline const uint8_t* read_varint(const uint8_t* at, const uint8_t* end, int32_t* value) {
  if (at < end && *at < 0x80) {  // one byte: nearly every length and delta in a batch
    *value = unzigzag(static_cast<uint32_t>(*at));
    return at + 1;
  }
  uint32_t raw = 0;
  at = read_uvarint(at, end, &raw);
  if (at != nullptr) *value = unzigzag(raw);
  return at;
}
inline const uint8_t* read_varlong(const uint8_t* at, const uint8_t* end, int64_t* value) {
  uint64_t raw = 0;
  at = read_uvarlong(at, end, &raw);
  if (at != nullptr) *value = unzigzag(raw);
  return at;
}

// Each returns the address after the number, or null (nothing written) when it does not fit.
inline uint8_t* write_uvarint(uint8_t* at, const uint8_t* end, uint64_t value) {
  if (at == nullptr || static_cast<size_t>(end - at) < uvarint_bytes(value)) return nullptr;
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<uint8_t>(value | 0x80);
  *at++ = static_cast<uint8_t>(value);
  return at;
}
inline uint8_t* write_varint(uint8_t* at, const uint8_t* end, int32_t value) {
  return write_uvarint(at, end, zigzag(value));
}
inline uint8_t* write_varlong(uint8_t* at, const uint8_t* end, int64_t value) {
  return write_uvarint(at, end, zigzag(value));
}

// A bounded cursor with one sticky failure: read a whole header, then ask ok() once.
class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return !failed_; }
  size_t left() const { return static_cast<size_t>(end_ - at_); }  // 0 after a failure
  const uint8_t* at() const { return at_; }

  uint8_t u8() { return has(1) ? *at_++ : uint8_t{0}; }
  int8_t i8() { return static_cast<int8_t>(u8()); }
  int16_t i16() { return fixed(&load_i16); }
  uint16_t u16() { return fixed(&load_u16); }
  int32_t i32() { return fixed(&load_i32); }
  uint32_t u32() { return fixed(&load_u32); }
  int64_t i64() { return fixed(&load_i64); }
  uint64_t u64() { return fixed(&load_u64); }
  uint32_t uvarint() { return variable<uint32_t>(&read_uvarint); }
  int32_t varint() { return variable<int32_t>(&read_varint); }
  int64_t varlong() { return variable<int64_t>(&read_varlong); }

  // `bytes` may come straight from the wire: negative or past the end fails, and nothing is
  // allocated.
  Bytes take(int64_t bytes) {
    if (bytes < 0 || !has(static_cast<uint64_t>(bytes))) {
      fail();
      return {};
    }
    const Bytes taken(at_, static_cast<size_t>(bytes));
    at_ += bytes;
    return taken;
  }
  void skip(int64_t bytes) { (void)take(bytes); }
  void fail() {
    failed_ = true;
    at_ = end_;
  }

 private:
  bool has(uint64_t bytes) {
    if (bytes <= left()) return true;
    fail();
    return false;
  }
  template <typename T>
  T fixed(T (*load)(const uint8_t*)) {
    if (!has(sizeof(T))) return T{0};
    const T value = load(at_);
    at_ += sizeof(T);
    return value;
  }
  template <typename T>
  T variable(const uint8_t* (*read)(const uint8_t*, const uint8_t*, T*)) {
    T value = 0;
    const uint8_t* next = read(at_, end_, &value);
    if (next == nullptr) {
      fail();
      return T{0};
    }
    at_ = next;
    return value;
  }

  const uint8_t* at_;
  const uint8_t* end_;
  bool failed_ = false;
};

}  // namespace ottla
