// The four ways of crc32c.h. Within this file a state is the inverted CRC, as the instruction keeps
// it.
//
// Folding, reflected: 128 bits of message are a polynomial; moving them D bits towards the end
// multiplies by x^D. The half that is D+64 bits from its place is multiplied by x^(D+32) mod P, the
// other by x^(D-32); the missing 32 come from the constants' own place (31 by position, 1 because
// the product of two reflected numbers is one bit short). What remains at the end is 16 bytes with
// the same remainder, which the instruction divides.
#include "crc32c.h"

#include <array>

#include "assert.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

namespace ottla {

namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;
constexpr size_t kFoldBytesMin = 512;

using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables tables{};
  for (uint32_t i = 0; i < 256; i += 1) {
    uint32_t state = i;
    for (int bit = 0; bit < 8; bit += 1) state = (state >> 1) ^ (state & 1 ? kPolynomial : 0);
    tables[0][i] = state;
  }
  for (size_t t = 1; t < 8; t += 1) {
    for (size_t i = 0; i < 256; i += 1) {
      const uint32_t shorter = tables[t - 1][i];
      tables[t][i] = (shorter >> 8) ^ tables[0][shorter & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

// Slicing by eight: table t advances a byte over the t bytes that follow it.
uint32_t by_table(uint32_t state, const uint8_t* at, size_t bytes) {
  for (; bytes >= 8; bytes -= 8, at += 8) {
    const uint32_t low = load_u32_le(at) ^ state;
    const uint32_t high = load_u32_le(at + 4);
    state = kTables[7][low & 0xff] ^ kTables[6][low >> 8 & 0xff] ^ kTables[5][low >> 16 & 0xff] ^
            kTables[4][low >> 24] ^ kTables[3][high & 0xff] ^ kTables[2][high >> 8 & 0xff] ^
            kTables[1][high >> 16 & 0xff] ^ kTables[0][high >> 24];
  }
  for (; bytes > 0; bytes -= 1, at += 1) state = (state >> 8) ^ kTables[0][(state ^ *at) & 0xff];
  return state;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) uint32_t by_chain(uint32_t state, const uint8_t* at,
                                                    size_t bytes) {
  uint64_t wide = state;
  for (; bytes >= 8; bytes -= 8, at += 8) {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    wide = _mm_crc32_u64(wide, word);
  }
  state = static_cast<uint32_t>(wide);
  for (; bytes > 0; bytes -= 1, at += 1) state = _mm_crc32_u8(state, *at);
  return state;
}

// x^exponent mod P, reflected, one bit up: the constant that folding multiplies by.
constexpr uint64_t power(int exponent) {
  uint32_t value = 0x80000000;
  for (int i = 0; i < exponent; i += 1) value = (value >> 1) ^ (value & 1 ? kPolynomial : 0);
  return static_cast<uint64_t>(value) << 1;
}

// The two constants of a move by `kBits`: for the half that comes first, and for the other.
template <int kBits>
struct Move {
  static constexpr uint64_t kFirst = power(kBits + 32);
  static constexpr uint64_t kSecond = power(kBits - 32);
};

template <int kBits>
__attribute__((target("sse4.2,pclmul"))) inline __m128i move128(__m128i value) {
  const __m128i k = _mm_set_epi64x(static_cast<int64_t>(Move<kBits>::kSecond),
                                   static_cast<int64_t>(Move<kBits>::kFirst));
  return _mm_xor_si128(_mm_clmulepi64_si128(value, k, 0x00), _mm_clmulepi64_si128(value, k, 0x11));
}

__attribute__((target("sse4.2,pclmul"))) inline __m128i load128(const uint8_t* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

__attribute__((target("sse4.2,pclmul"))) inline uint32_t divide128(__m128i value) {
  const uint64_t half = _mm_crc32_u64(0, static_cast<uint64_t>(_mm_cvtsi128_si64(value)));
  return static_cast<uint32_t>(
      _mm_crc32_u64(half, static_cast<uint64_t>(_mm_extract_epi64(value, 1))));
}

__attribute__((target("sse4.2,pclmul"))) uint32_t by_fold128(uint32_t state, const uint8_t* at,
                                                             size_t bytes) {
  if (bytes < kFoldBytesMin) return by_chain(state, at, bytes);
  __m128i a = _mm_xor_si128(load128(at), _mm_cvtsi32_si128(static_cast<int>(state)));
  __m128i b = load128(at + 16), c = load128(at + 32), d = load128(at + 48);
  for (at += 64, bytes -= 64; bytes >= 64; at += 64, bytes -= 64) {
    a = _mm_xor_si128(move128<512>(a), load128(at));
    b = _mm_xor_si128(move128<512>(b), load128(at + 16));
    c = _mm_xor_si128(move128<512>(c), load128(at + 32));
    d = _mm_xor_si128(move128<512>(d), load128(at + 48));
  }
  const __m128i front = _mm_xor_si128(move128<384>(a), move128<256>(b));
  const __m128i all = _mm_xor_si128(_mm_xor_si128(front, move128<128>(c)), d);
  return by_chain(divide128(all), at, bytes);
}

#define OTTLA_TARGET_512 __attribute__((target("sse4.2,pclmul,avx512f,vpclmulqdq")))

// value moved by kBits, xor next.
template <int kBits>
OTTLA_TARGET_512 inline __m512i move512(__m512i value, __m512i next) {
  const __m512i k = _mm512_set4_epi64(
      static_cast<int64_t>(Move<kBits>::kSecond), static_cast<int64_t>(Move<kBits>::kFirst),
      static_cast<int64_t>(Move<kBits>::kSecond), static_cast<int64_t>(Move<kBits>::kFirst));
  constexpr int kXorOfThree = 0x96;
  return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(value, k, 0x00),
                                   _mm512_clmulepi64_epi128(value, k, 0x11), next, kXorOfThree);
}

OTTLA_TARGET_512 inline __m512i load512(const uint8_t* at) { return _mm512_loadu_si512(at); }

OTTLA_TARGET_512 uint32_t by_fold512(uint32_t state, const uint8_t* at, size_t bytes) {
  if (bytes < kFoldBytesMin) return by_chain(state, at, bytes);
  const __m512i before = _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(state)));
  __m512i a = _mm512_xor_si512(load512(at), before);
  __m512i b = load512(at + 64), c = load512(at + 128), d = load512(at + 192);
  for (at += 256, bytes -= 256; bytes >= 256; at += 256, bytes -= 256) {
    a = move512<2048>(a, load512(at));
    b = move512<2048>(b, load512(at + 64));
    c = move512<2048>(c, load512(at + 128));
    d = move512<2048>(d, load512(at + 192));
  }
  const __m512i four = move512<512>(move512<512>(move512<512>(a, b), c), d);
  alignas(64) uint8_t lanes[64];  // through memory: gcc 12 warns about its own extract intrinsics
  _mm512_store_si512(lanes, four);
  const __m128i front =
      _mm_xor_si128(move128<384>(load128(lanes)), move128<256>(load128(lanes + 16)));
  const __m128i all =
      _mm_xor_si128(_mm_xor_si128(front, move128<128>(load128(lanes + 32))), load128(lanes + 48));
  return by_chain(divide128(all), at, bytes);
}

#elif defined(__aarch64__)

__attribute__((target("+crc"))) uint32_t by_chain(uint32_t state, const uint8_t* at, size_t bytes) {
  for (; bytes >= 8; bytes -= 8, at += 8) {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    state = __crc32cd(state, word);
  }
  for (; bytes > 0; bytes -= 1, at += 1) state = __crc32cb(state, *at);
  return state;
}

#endif

using Function = uint32_t (*)(uint32_t, const uint8_t*, size_t);

struct Row {
  Crc32cKind kind;
  const char* name;
  Function function;  // null: not on this machine
};

// Best last.
std::array<Row, 4> probe() {
  std::array<Row, 4> rows{{{Crc32cKind::kTable, "table", &by_table},
                           {Crc32cKind::kChain, "chain", nullptr},
                           {Crc32cKind::kFold128, "fold128", nullptr},
                           {Crc32cKind::kFold512, "fold512", nullptr}}};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("sse4.2")) return rows;
  rows[1].function = &by_chain;
  if (!__builtin_cpu_supports("pclmul")) return rows;
  rows[2].function = &by_fold128;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq")) {
    rows[3].function = &by_fold512;
  }
#elif defined(__aarch64__)
  if ((getauxval(AT_HWCAP) & HWCAP_CRC32) != 0) rows[1].function = &by_chain;
#endif
  return rows;
}

const std::array<Row, 4>& rows() {
  static const std::array<Row, 4> probed = probe();
  return probed;
}

const Row& best() {
  static const Row* const chosen = [] {
    const Row* last = rows().data();
    for (const Row& row : rows()) last = row.function != nullptr ? &row : last;
    return last;
  }();
  return *chosen;
}

}  // namespace

uint32_t crc32c(Bytes data, uint32_t crc) {
  return ~best().function(~crc, data.data(), data.size());
}

bool crc32c_supported(Crc32cKind kind) {
  return rows()[static_cast<size_t>(kind)].function != nullptr;
}

Crc32cKind crc32c_kind() { return best().kind; }

const char* crc32c_kind_name(Crc32cKind kind) { return rows()[static_cast<size_t>(kind)].name; }

uint32_t crc32c_by(Crc32cKind kind, Bytes data, uint32_t crc) {
  OTTLA_ASSERT(crc32c_supported(kind), "the machine has this kind");
  return ~rows()[static_cast<size_t>(kind)].function(~crc, data.data(), data.size());
}

}  // namespace ottla
