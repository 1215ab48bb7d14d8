// CRC-32C (Castagnoli, reflected 0x82F63B78), as record batches carry it (Kafka: Crc32C, KIP-98).
//
// Four ways to the same answer, chosen once per process from what the CPU has: a table (any
// machine), one chain of the CRC instruction (SSE4.2 or ARMv8), carry-less folding 64 bytes at a
// time (PCLMULQDQ) and 256 at a time (VPCLMULQDQ with AVX-512). Folding starts at 512 bytes: below,
// its set-up costs more than the chain (PERFORMANCE §1). Tests hold each against the others at
// every length and alignment.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bytes.h"

namespace ottla {

// The CRC of `data` after bytes whose CRC is `crc`: crc32c(b, crc32c(a)) is the CRC of a followed
// by b.
uint32_t crc32c(Bytes data, uint32_t crc = 0);

enum class Crc32cKind : uint8_t { kTable, kChain, kFold128, kFold512 };

// For tests and for the log line at start: what this CPU can do, what crc32c() uses for long
// inputs.
bool crc32c_supported(Crc32cKind kind);
Crc32cKind crc32c_kind();
const char* crc32c_kind_name(Crc32cKind kind);
// By one way only. The kind is supported; folding hands inputs under 512 bytes to the chain here
// too.
uint32_t crc32c_by(Crc32cKind kind, Bytes data, uint32_t crc = 0);

}  // namespace ottla
