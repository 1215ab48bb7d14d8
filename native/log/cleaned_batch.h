// What becomes of one batch that is cleaned: opened and walked, written again with the records that
// stay, or with none. Kafka: MemoryRecords.filterTo, DefaultRecordBatch.writeEmptyHeader (KIP-534).
//
// Kept always: base offset, last offset, leader epoch, producer id, epoch and first sequence,
// codec, kind of timestamp, each record's offset, timestamp, key, value and headers.
#pragma once

#include <cstdint>
#include <vector>

#include "../base/compress.h"
#include "record_batch.h"

namespace ottla {

// A batch's records, readable. The bytes are the batch's own or those of `unpacked`.
class OpenedBatch {
 public:
  // False: the CRC does not match, it does not unpack within `unpacked_max`, or a record is
  // malformed. The whole batch is in memory.
  bool open(const RecordBatch& batch, Codecs* codecs, size_t unpacked_max);
  Bytes records() const { return records_; }

 private:
  Bytes records_;
  std::vector<uint8_t> unpacked_;
};

constexpr int64_t kNoHorizon = -1;
// When its tombstones and markers may go; kNoHorizon: nobody has set it yet.
inline int64_t delete_horizon(const RecordBatch& batch) {
  return batch.has_delete_horizon() ? batch.base_timestamp() : kNoHorizon;
}

// Appends to *out the batch with the records for which `keeps` is set, one flag for each record,
// one of them at least. `horizon` becomes the base timestamp unless it is kNoHorizon. False: the
// codec failed.
bool write_cleaned_batch(const RecordBatch& batch, Bytes records, const std::vector<bool>& keeps,
                         int64_t horizon, Codecs* codecs, std::vector<uint8_t>* out);
// Appends to *out its header alone, with no records: what a producer's state needs of it. Its time
// only then, or indexes and lookups would know of a record that is not there.
void write_empty_batch(const RecordBatch& batch, bool keeps_time, std::vector<uint8_t>* out);

}  // namespace ottla
