// Validation of record batches v2 and their records, and the patches a leader makes.
// Kafka: LogValidator.validateBatch and validateRecord decide what is refused, and with which
// error.
#include "record_batch.h"

#include "../base/assert.h"
#include "../base/crc32c.h"

namespace ottla {

namespace {

BatchVerdict refuse(Verdict verdict, const char* why) { return {verdict, why, {}}; }

// Wrapping, as Java adds: hostile deltas are data.
int64_t add_wrapping(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

int64_t subtract_wrapping(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

// Kafka: now - timestamp against `before`, timestamp - now against `after`; no timestamp passes.
bool timestamp_in_range(int64_t timestamp, const BatchRules& rules) {
  if (timestamp == kNoTimestamp) return true;
  const int64_t behind = subtract_wrapping(rules.now_ms, timestamp);
  return behind <= rules.timestamp_before_max_ms &&
         subtract_wrapping(0, behind) <= rules.timestamp_after_max_ms;
}

const char* timestamp_error(const RecordBatch& batch, int64_t timestamp, const BatchRules& rules) {
  if (!rules.log_append_time && timestamp != kNoTimestamp) {
    return timestamp_in_range(timestamp, rules) ? nullptr : "Timestamp is out of range.";
  }
  return batch.is_log_append_time() ? "Producer should not set timestamp type to LogAppendTime."
                                    : nullptr;
}

BatchVerdict validate_client_batch(const RecordBatch& batch) {
  const int64_t span = int64_t{batch.last_offset_delta()} + 1;
  if (span <= 0) return refuse(Verdict::kInvalidRecord, "Batch has an invalid offset range.");
  if (batch.records_count() <= 0) {
    return refuse(Verdict::kInvalidRecord, "Invalid reported count for record batch.");
  }
  if (span != batch.records_count()) {
    return refuse(Verdict::kInvalidRecord, "Inconsistent batch offset range and count of records.");
  }
  if (batch.is_control()) {
    return refuse(Verdict::kInvalidRecord, "Clients are not allowed to write control records.");
  }
  if (batch.has_producer_id() && batch.base_sequence() < 0) {
    return refuse(Verdict::kInvalidRecord, "Invalid sequence number in record batch.");
  }
  return {};
}

// A nullable field: -1 is null, other negatives are malformed.
const uint8_t* read_field(const uint8_t* at, const uint8_t* end, bool* present, Bytes* field) {
  int32_t bytes = 0;
  at = read_varint(at, end, &bytes);
  if (at == nullptr || bytes > end - at) return nullptr;
  *present = bytes >= 0;
  *field = bytes >= 0 ? Bytes(at, static_cast<size_t>(bytes)) : Bytes();
  return bytes > 0 ? at + bytes : at;
}

// Header keys may not be null; values may.
const uint8_t* skip_headers(const uint8_t* at, const uint8_t* end) {
  int32_t count = 0;
  at = read_varint(at, end, &count);
  if (at == nullptr || count < 0 || count > end - at) return nullptr;
  for (int32_t header = 0; header < count; header += 1) {
    bool present = false;
    Bytes field;
    at = read_field(at, end, &present, &field);
    if (at == nullptr || !present) return nullptr;
    at = read_field(at, end, &present, &field);
    if (at == nullptr) return nullptr;
  }
  return at;
}

}  // namespace

uint32_t RecordBatch::computed_crc() const {
  OTTLA_ASSERT(has_records(), "the whole batch is in memory");
  return crc32c(Bytes(at_ + batch_layout::kAttributes,
                      static_cast<size_t>(bytes() - batch_layout::kAttributes)));
}

Verdict first_batch(Bytes buffer, RecordBatch* batch) {
  if (buffer.size() < static_cast<size_t>(kBatchHeaderBytes)) return Verdict::kCorruptMessage;
  const RecordBatch view(buffer.data(), buffer.size());
  if (view.magic() != kBatchMagic) return Verdict::kUnsupportedForMessageFormat;
  if (view.bytes() < kBatchHeaderBytes) return Verdict::kCorruptMessage;
  if (view.bytes() > static_cast<int64_t>(buffer.size())) return Verdict::kCorruptMessage;
  *batch = RecordBatch(buffer.data(), static_cast<size_t>(view.bytes()));
  return Verdict::kValid;
}

bool next_batch(Bytes* buffer, RecordBatch* batch) {
  if (first_batch(*buffer, batch) != Verdict::kValid) return false;
  *buffer = buffer->subspan(static_cast<size_t>(batch->bytes()));
  return true;
}

BatchVerdict validate_batch(const RecordBatch& batch, const BatchRules& rules) {
  if (batch.magic() != kBatchMagic) {
    return refuse(Verdict::kUnsupportedForMessageFormat,
                  "Only record batches of format 2 are served.");
  }
  if (batch.bytes() < kBatchHeaderBytes || !batch.has_records()) {
    return refuse(Verdict::kCorruptMessage, "Record batch is shorter than its header says.");
  }
  if (batch.bytes() > rules.bytes_max) {
    return refuse(Verdict::kMessageTooLarge, "The record batch is larger than max.message.bytes.");
  }
  if (batch.computed_crc() != batch.crc()) {
    return refuse(Verdict::kCorruptMessage, "Record batch is corrupt (CRC does not match).");
  }
  if (batch.compression() >= kCompressionKinds ||
      (batch.compression() == 4 && !rules.zstd_allowed)) {
    return refuse(Verdict::kUnsupportedCompressionType, "Compression type is not supported here.");
  }
  if (rules.origin == BatchOrigin::kClient) {
    BatchVerdict verdict = validate_client_batch(batch);
    if (!verdict.valid()) return verdict;
    if (batch.compression() == 0) return {};  // each record is looked at anyway
    for (const int64_t timestamp : {batch.base_timestamp(), batch.max_timestamp()}) {
      const char* why = timestamp_error(batch, timestamp, rules);
      if (why != nullptr) return refuse(Verdict::kInvalidTimestamp, why);
    }
  } else if (batch.records_count() < 0 || batch.last_offset_delta() < 0) {
    return refuse(Verdict::kInvalidRecord, "Batch has an invalid offset range.");
  }
  return {};
}

BatchVerdict validate_records(const RecordBatch& batch, Bytes records, const BatchRules& rules,
                              RecordsWalk* walk) {
  BatchVerdict verdict;
  bool bad_timestamp = false;
  const uint8_t* at = records.data();
  const uint8_t* const end = at + records.size();
  const int32_t count = batch.records_count();
  for (int32_t index = 0; index < count; index += 1) {
    RecordView record;
    at = read_record(at, end, &record);
    if (at == nullptr) return refuse(Verdict::kInvalidRecord, "Found invalid record structure.");
    if (record.offset_delta != index) {
      return refuse(Verdict::kInvalidRecord,
                    "Offsets of records in the batch are not consecutive.");
    }
    const int64_t timestamp = record_timestamp(batch, record);
    if (timestamp > walk->max_timestamp) walk->max_timestamp = timestamp;
    const char* why = nullptr;
    if (rules.key_required && !record.has_key) {
      why = "Compacted topic cannot accept message without key.";
    } else {
      why = timestamp_error(batch, timestamp, rules);
      bad_timestamp = bad_timestamp || why != nullptr;
    }
    if (why != nullptr) verdict.records.push_back({index, why});
  }
  if (at != end)
    return refuse(Verdict::kInvalidRecord, "Bytes follow the last record of the batch.");
  if (verdict.records.empty()) return verdict;
  verdict.verdict = bad_timestamp ? Verdict::kInvalidTimestamp : Verdict::kInvalidRecord;
  verdict.why = bad_timestamp ? "One or more records have been rejected due to invalid timestamp"
                              : "One or more records have been rejected";
  return verdict;
}

const uint8_t* read_record(const uint8_t* at, const uint8_t* end, RecordView* record) {
  int32_t bytes = 0;
  at = read_varint(at, end, &bytes);
  if (at == nullptr || bytes < 1 || bytes > end - at) return nullptr;
  const uint8_t* const record_end = at + bytes;
  at += 1;  // attributes of a record are unused
  at = read_varlong(at, record_end, &record->timestamp_delta);
  if (at != nullptr) at = read_varint(at, record_end, &record->offset_delta);
  if (at != nullptr) at = read_field(at, record_end, &record->has_key, &record->key);
  if (at != nullptr) at = read_field(at, record_end, &record->has_value, &record->value);
  if (at == nullptr) return nullptr;
  const uint8_t* const headers = at;
  at = at < record_end && *at == 0 ? at + 1 : skip_headers(at, record_end);
  if (at != record_end) return nullptr;
  record->headers = Bytes(headers, static_cast<size_t>(at - headers));
  return at;
}

int64_t record_timestamp(const RecordBatch& batch, const RecordView& record) {
  return batch.is_log_append_time() ? batch.max_timestamp()
                                    : add_wrapping(batch.base_timestamp(), record.timestamp_delta);
}

void set_base_offset(uint8_t* batch, int64_t offset) {
  store_i64(batch + batch_layout::kBaseOffset, offset);
}

void set_leader_epoch(uint8_t* batch, int32_t epoch) {
  store_i32(batch + batch_layout::kLeaderEpoch, epoch);
}

void set_max_timestamp(uint8_t* batch, bool log_append_time, int64_t timestamp) {
  const int64_t bytes = int64_t{load_i32(batch + batch_layout::kLength)} + kBatchOverheadBytes;
  const RecordBatch view(batch, static_cast<size_t>(bytes));
  if (view.is_log_append_time() == log_append_time && view.max_timestamp() == timestamp) return;
  // Like Kafka, only the low byte survives a rewrite.
  const int16_t attributes =
      static_cast<int16_t>((view.attributes() & 0x77) | (log_append_time ? 8 : 0));
  store_i16(batch + batch_layout::kAttributes, attributes);
  store_i64(batch + batch_layout::kMaxTimestamp, timestamp);
  store_u32(batch + batch_layout::kCrc, view.computed_crc());
}

}  // namespace ottla
