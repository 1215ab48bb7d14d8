// The codecs of record batches behind one enum, framed as Kafka frames them (Kafka:
// CompressionType, KIP-110, KIP-390): gzip members, snappy in xerial's stream, one lz4 frame, zstd
// frames.
//
// The input comes from strangers: output stops at the caller's limit (kTooLarge), nothing is
// allocated from a claimed length before the limit was asked, and whatever does not add up is
// kCorrupt. A Codecs keeps the libraries' contexts, so that only the first call pays for them; one
// thread at a time.
#pragma once

#include <climits>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "bytes.h"
#include "status.h"

namespace ottla {

// The numbers of the batch attributes' low three bits.
enum class Codec : uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };
constexpr uint8_t kCodecMax = 4;

// Kafka's default level of the codec: gzip -1, lz4 9, zstd 3; snappy has none.
constexpr int kDefaultLevel = INT_MIN;

class Codecs {
 public:
  Codecs();
  ~Codecs();
  Codecs(const Codecs&) = delete;
  Codecs& operator=(const Codecs&) = delete;

  // Replaces *out. kTooLarge: more than `out_bytes_max` would come out. kCorrupt: not what `codec`
  // writes, or cut short. On failure *out holds some prefix.
  Status decompress(Codec codec, Bytes in, size_t out_bytes_max, std::vector<uint8_t>* out);
  // Replaces *out. `level` as in compression.gzip.level and its kin; outside the codec's range:
  // kInvalid.
  Status compress(Codec codec, int level, Bytes in, std::vector<uint8_t>* out);

 private:
  struct Contexts;
  const std::unique_ptr<Contexts> contexts_;
};

// For a single call.
Status decompress(Codec codec, Bytes in, size_t out_bytes_max, std::vector<uint8_t>* out);
Status compress(Codec codec, int level, Bytes in, std::vector<uint8_t>* out);

}  // namespace ottla
