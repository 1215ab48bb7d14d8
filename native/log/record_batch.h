// RecordBatch: a view over one record batch of format v2, on the wire and on disk.
// Kafka: DefaultRecordBatch, DefaultRecord, LogValidator (KIP-98 for the layout).
//
// The view owns nothing and allocates nothing. Whoever makes one has checked that the 61 header
// bytes are there; `bytes_available` says how much of the batch itself is (a scan may hold only the
// header). Base offset and leader epoch lie outside the CRC, so a broker patches them without
// touching it.
//
//   0 baseOffset i64 | 8 batchLength i32 | 12 partitionLeaderEpoch i32 | 16 magic i8 | 17 crc u32
//  21 attributes i16 | 23 lastOffsetDelta i32 | 27 baseTimestamp i64 | 35 maxTimestamp i64
//  43 producerId i64 | 51 producerEpoch i16 | 53 baseSequence i32 | 57 recordsCount i32 | 61
//  records
#pragma once

#include <cstdint>
#include <vector>

#include "../base/bytes.h"

namespace ottla {

namespace batch_layout {
constexpr int32_t kBaseOffset = 0;
constexpr int32_t kLength = 8;
constexpr int32_t kLeaderEpoch = 12;
constexpr int32_t kMagic = 16;
constexpr int32_t kCrc = 17;
constexpr int32_t kAttributes = 21;
constexpr int32_t kLastOffsetDelta = 23;
constexpr int32_t kBaseTimestamp = 27;
constexpr int32_t kMaxTimestamp = 35;
constexpr int32_t kProducerId = 43;
constexpr int32_t kProducerEpoch = 51;
constexpr int32_t kBaseSequence = 53;
constexpr int32_t kRecordsCount = 57;
constexpr int32_t kRecords = 61;
}  // namespace batch_layout

constexpr int32_t kBatchHeaderBytes = batch_layout::kRecords;
constexpr int32_t kBatchOverheadBytes =
    12;  // baseOffset and batchLength, which the length leaves out
constexpr int8_t kBatchMagic = 2;
constexpr int64_t kNoTimestamp = -1;
constexpr int64_t kNoProducerId = -1;
constexpr int kCompressionKinds = 5;  // none, gzip, snappy, lz4, zstd

class RecordBatch {
 public:
  RecordBatch() = default;
  RecordBatch(const uint8_t* at, size_t bytes_available) : at_(at), available_(bytes_available) {}

  const uint8_t* data() const { return at_; }
  int64_t base_offset() const { return load_i64(at_ + batch_layout::kBaseOffset); }
  int64_t last_offset() const { return base_offset() + last_offset_delta(); }
  int64_t next_offset() const { return last_offset() + 1; }
  // The whole batch, header included; 64 bits because the length came from outside.
  int64_t bytes() const {
    return int64_t{load_i32(at_ + batch_layout::kLength)} + kBatchOverheadBytes;
  }
  int32_t leader_epoch() const { return load_i32(at_ + batch_layout::kLeaderEpoch); }
  int8_t magic() const { return static_cast<int8_t>(at_[batch_layout::kMagic]); }
  uint32_t crc() const { return load_u32(at_ + batch_layout::kCrc); }
  int16_t attributes() const { return load_i16(at_ + batch_layout::kAttributes); }
  int32_t last_offset_delta() const { return load_i32(at_ + batch_layout::kLastOffsetDelta); }
  int64_t base_timestamp() const { return load_i64(at_ + batch_layout::kBaseTimestamp); }
  int64_t max_timestamp() const { return load_i64(at_ + batch_layout::kMaxTimestamp); }
  int64_t producer_id() const { return load_i64(at_ + batch_layout::kProducerId); }
  int16_t producer_epoch() const { return load_i16(at_ + batch_layout::kProducerEpoch); }
  int32_t base_sequence() const { return load_i32(at_ + batch_layout::kBaseSequence); }
  int32_t records_count() const { return load_i32(at_ + batch_layout::kRecordsCount); }

  int compression() const { return attributes() & 0x07; }  // 0 none 1 gzip 2 snappy 3 lz4 4 zstd
  bool is_log_append_time() const { return (attributes() & 0x08) != 0; }
  bool is_transactional() const { return (attributes() & 0x10) != 0; }
  bool is_control() const { return (attributes() & 0x20) != 0; }
  bool has_delete_horizon() const {
    return (attributes() & 0x40) != 0;
  }  // then it is base_timestamp
  bool has_producer_id() const { return producer_id() > kNoProducerId; }

  bool has_records() const { return static_cast<int64_t>(available_) >= bytes(); }
  // What follows the header: records, or one compressed block. has_records() holds.
  Bytes records() const {
    return {at_ + kBatchHeaderBytes, static_cast<size_t>(bytes() - kBatchHeaderBytes)};
  }
  uint32_t computed_crc() const;  // has_records() holds

 private:
  const uint8_t* at_ = nullptr;
  size_t available_ = 0;
};

// What the broker answers; one name per Kafka error (request/ maps them to gen/errors.h).
enum class Verdict : uint8_t {
  kValid,
  kCorruptMessage,               // CORRUPT_MESSAGE: length, CRC
  kInvalidRecord,                // INVALID_RECORD: the batch or a record breaks a rule
  kInvalidTimestamp,             // INVALID_TIMESTAMP
  kUnsupportedForMessageFormat,  // UNSUPPORTED_FOR_MESSAGE_FORMAT
  kUnsupportedCompressionType,   // UNSUPPORTED_COMPRESSION_TYPE
  kMessageTooLarge,              // MESSAGE_TOO_LARGE
};

struct RecordError {
  int32_t index = 0;  // of the record in its batch
  const char* why = "";
};

struct BatchVerdict {
  Verdict verdict = Verdict::kValid;
  const char* why = "";              // static text for the response
  std::vector<RecordError> records;  // empty unless single records are to blame
  bool valid() const { return verdict == Verdict::kValid; }
};

// Who sent the batch decides how much is asked of it (Kafka: AppendOrigin).
enum class BatchOrigin : uint8_t { kClient, kCoordinator, kReplication, kRaftLeader };

// The limits of a topic that a batch is held against.
struct BatchRules {
  BatchOrigin origin = BatchOrigin::kClient;
  int64_t bytes_max = INT64_MAX;  // max.message.bytes, for the whole batch
  bool key_required = false;      // compacted topic
  bool log_append_time = false;   // message.timestamp.type of the topic
  int64_t timestamp_before_max_ms = INT64_MAX;
  int64_t timestamp_after_max_ms = INT64_MAX;
  int64_t now_ms = 0;
  bool zstd_allowed = true;  // Produce before version 7 may not
};

// Takes the batch at the front of `buffer`: its length, magic and header are there. The rest is not
// judged.
Verdict first_batch(Bytes buffer, RecordBatch* batch);
// Moves past one whole batch; false at the end of `buffer` or where no whole batch follows.
bool next_batch(Bytes* buffer, RecordBatch* batch);

// Everything the header can show: CRC, attributes, count against offsets, producer fields, size,
// and for compressed batches base and max timestamp against the limits (PERFORMANCE §1.1).
BatchVerdict validate_batch(const RecordBatch& batch, const BatchRules& rules);

// What a walk over records found besides errors.
struct RecordsWalk {
  int64_t max_timestamp = kNoTimestamp;
};
// Walks `records` (uncompressed or just decompressed): frames, consecutive deltas, count and exact
// end; keys and timestamps by `rules`. All offending records are reported, as Kafka does.
BatchVerdict validate_records(const RecordBatch& batch, Bytes records, const BatchRules& rules,
                              RecordsWalk* walk);

// One record inside `records`.
struct RecordView {
  int64_t timestamp_delta = 0;
  int32_t offset_delta = 0;
  bool has_key = false;
  bool has_value = false;
  Bytes key;
  Bytes value;
  Bytes headers;  // count and fields, still encoded
};
// Returns the address after the record, or null when it is malformed.
const uint8_t* read_record(const uint8_t* at, const uint8_t* end, RecordView* record);
// A record's own time: the batch's when the broker stamped it.
int64_t record_timestamp(const RecordBatch& batch, const RecordView& record);

// Patches in place. The first two leave the CRC alone; the third recomputes it when something
// changed.
void set_base_offset(uint8_t* batch, int64_t offset);
void set_leader_epoch(uint8_t* batch, int32_t epoch);
void set_max_timestamp(uint8_t* batch, bool log_append_time, int64_t timestamp);

}  // namespace ottla
