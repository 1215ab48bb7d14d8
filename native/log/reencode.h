// A batch written anew, record by record: what a leader does to a client's batch whose codec is not
// the topic's. Kafka: LogValidator.buildRecordsAndAssignOffsets, MemoryRecordsBuilder,
// DefaultRecord.
//
// What comes out says the same as what went in: keys, values, headers, times and the producer are
// kept, records have offset deltas 0, 1, 2 and their attributes cleared, and the first record's
// time is the base of the others. Attribute bits that a client may not set are gone.
#pragma once

#include <cstdint>
#include <vector>

#include "../base/compress.h"
#include "record_batch.h"

namespace ottla {

// The records of `batch`, as `records` holds them uncompressed, for a header that seal_batch()
// makes. `records` have passed validate_records(). Replaces *out.
void reencode_records(const RecordBatch& batch, Bytes records, std::vector<uint8_t>* out);

// Time as the log gives it; without a stamp it is the largest record's.
struct BatchTime {
  bool is_log_append_time = false;
  int64_t max_timestamp = kNoTimestamp;
};
// A whole batch: a header for `packed`, which are the records of `batch` reencoded and compressed
// with `codec`. Offset 0, no leader epoch, the right CRC. Replaces *out.
void seal_batch(const RecordBatch& batch, Bytes records, const BatchTime& time, Codec codec,
                Bytes packed, std::vector<uint8_t>* out);

}  // namespace ottla
