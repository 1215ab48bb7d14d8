// Admission: is what a Produce carries for one partition a batch that may be appended?
// Kafka: ProduceRequest.validateRecords, UnifiedLog.analyzeAndValidateRecords, LogValidator.
//
// Compressed batches are opened only where a rule needs their records (keys of a compacted topic, a
// timestamp out of bounds) or where everything is to be checked; the default is a recorded
// divergence (PERFORMANCE §1.1).
#pragma once

#include <cstdint>
#include <vector>

#include "../base/compress.h"
#include "../gen/errors.h"
#include "../log/record_batch.h"

namespace ottla {

// Why nothing was appended.
struct Refusal {
  gen::ErrorCode error = gen::ErrorCode::kNone;
  bool has_log_start = false;     // the answer names the log start offset
  const char* message = nullptr;  // static
  std::vector<RecordError> records;
};

struct AdmissionRules {
  BatchRules batch;
  int64_t segment_bytes_max = INT64_MAX;
  bool open_compressed = false;  // ottla.produce.validate=full
  Codecs* codecs = nullptr;      // null: contexts are made for the call
};

// compression.type of a topic: what its batches are to be compressed with.
struct Recompression {
  bool is_wanted = false;  // else batches keep the codec of their producer
  Codec codec = Codec::kNone;
  int level = kDefaultLevel;
};

// What can be said of a client's records without their partition: exactly one whole batch of format
// 2. Returns its size, or 0 with the error. Needs no more than the bytes
// it was given.
int32_t only_batch(const uint8_t* records, int32_t bytes, bool zstd_allowed, gen::ErrorCode* error);

// That batch, held against its topic's rules. On success its maximum timestamp is right (and
// stamped, where the broker stamps), in place; offsets and epoch are the partition's to patch.
bool admit_client_batch(uint8_t* bytes, int32_t size, const AdmissionRules& rules,
                        Refusal* refusal);

// The same, and the batch in another codec: *recoded, which is held against the limits of size
// again. `bytes` stay as they are. Takes long: not on a reactor.
bool recode_client_batch(const uint8_t* bytes, int32_t size, const AdmissionRules& rules,
                         const Recompression& to, std::vector<uint8_t>* recoded, Refusal* refusal);

// Bytes of our own making: whole batches of format 2 with a right CRC, one or more.
bool are_own_batches(const uint8_t* bytes, int32_t size);

}  // namespace ottla
