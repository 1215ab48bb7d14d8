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

// One refused record, as the response names it.
struct Refusal {
  gen::ErrorCode error = gen::ErrorCode::kNone;
  const char* message = nullptr;  // static; null: none
  std::vector<RecordError> records;
};

struct AdmissionRules {
  BatchRules batch;
  bool open_compressed = false;  // ottla.produce.validate=full
  Codecs* codecs = nullptr;      // null: contexts are made for the call
};

// A client's records for one partition: exactly one valid batch, or a refusal. Its maximum
// timestamp is set right (and stamped, where the broker stamps) in place; offsets and epoch are the
// partition's to patch.
bool admit_client_batch(uint8_t* records, int32_t bytes, const AdmissionRules& rules,
                        RecordBatch* batch, Refusal* refusal);

// A batch of our own making: CRC and header only.
bool admit_own_batch(const RecordBatch& batch, const AdmissionRules& rules, Refusal* refusal);

}  // namespace ottla
