// Admission: the checks of a Produce in Kafka's order. See admission.h.
#include "admission.h"

namespace ottla {

using gen::ErrorCode;

namespace {

// Uncompressed size of one batch's records that we are willing to make: as much as Kafka's array
// limit.
constexpr size_t kOpenedBytesMax = size_t{1} << 31;
constexpr const char* kNotOneBatch =
    "A produce request must have exactly one record batch per partition";

ErrorCode error_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kValid:
      return ErrorCode::kNone;
    case Verdict::kCorruptMessage:
      return ErrorCode::kCorruptMessage;
    case Verdict::kInvalidRecord:
      return ErrorCode::kInvalidRecord;
    case Verdict::kInvalidTimestamp:
      return ErrorCode::kInvalidTimestamp;
    case Verdict::kUnsupportedForMessageFormat:
      return ErrorCode::kUnsupportedForMessageFormat;
    case Verdict::kUnsupportedCompressionType:
      return ErrorCode::kUnsupportedCompressionType;
    case Verdict::kMessageTooLarge:
      return ErrorCode::kMessageTooLarge;
  }
  return ErrorCode::kUnknownServerError;
}

bool refuse(Refusal* refusal, ErrorCode error, const char* message) {
  refusal->error = error;
  refusal->message = message;
  return false;
}

bool refuse(Refusal* refusal, BatchVerdict&& verdict) {
  refusal->error = error_of(verdict.verdict);
  refusal->message = verdict.why;
  refusal->records = std::move(verdict.records);
  return false;
}

// The header's word on time is out of bounds, or keys are asked for: the records must be seen.
bool needs_records(const RecordBatch& batch, const AdmissionRules& rules) {
  if (rules.open_compressed || rules.batch.key_required) return true;
  if (rules.batch.log_append_time) return false;
  for (const int64_t at : {batch.base_timestamp(), batch.max_timestamp()}) {
    if (at == kNoTimestamp) continue;
    const int64_t age = rules.batch.now_ms - at;
    if (age > rules.batch.timestamp_before_max_ms || -age > rules.batch.timestamp_after_max_ms) {
      return true;
    }
  }
  return false;
}

bool walk(const RecordBatch& batch, const AdmissionRules& rules, Refusal* refusal,
          RecordsWalk* walked) {
  BatchVerdict verdict;
  if (batch.compression() == 0) {
    verdict = validate_records(batch, batch.records(), rules.batch, walked);
  } else {
    std::vector<uint8_t> opened;
    const Codec codec = static_cast<Codec>(batch.compression());
    const Status status =
        rules.codecs != nullptr
            ? rules.codecs->decompress(codec, batch.records(), kOpenedBytesMax, &opened)
            : decompress(codec, batch.records(), kOpenedBytesMax, &opened);
    if (!status.ok()) {
      return refuse(refusal, ErrorCode::kCorruptMessage, "The compressed records cannot be opened");
    }
    verdict = validate_records(batch, {opened.data(), opened.size()}, rules.batch, walked);
  }
  return verdict.valid() ? true : refuse(refusal, std::move(verdict));
}

// Kafka's ByteBufferLogInputStream, then ProduceRequest.validateRecords: the order decides the
// error.
bool take_batch(const uint8_t* records, int32_t bytes, RecordBatch* batch, Refusal* refusal) {
  constexpr int32_t kLegacyBytesMin =
      14;  // the least a message of any format has behind its length
  if (records == nullptr || bytes <= batch_layout::kMagic) {
    return refuse(refusal, ErrorCode::kInvalidRecord, kNotOneBatch);
  }
  const int32_t length = load_i32(records + batch_layout::kLength);
  const int8_t magic = static_cast<int8_t>(records[batch_layout::kMagic]);
  if (length < kLegacyBytesMin || magic < 0 || magic > kBatchMagic) {
    return refuse(refusal, ErrorCode::kCorruptMessage, "The record batch cannot be read");
  }
  if (int64_t{length} + kBatchOverheadBytes > bytes) {
    return refuse(refusal, ErrorCode::kInvalidRecord, kNotOneBatch);
  }
  if (magic != kBatchMagic) {
    return refuse(refusal, ErrorCode::kInvalidRecord,
                  "Only record batches of format 2 may be produced");
  }
  const Verdict first = first_batch({records, static_cast<size_t>(bytes)}, batch);
  if (first == Verdict::kValid) return true;
  return refuse(refusal, error_of(first), "The record batch cannot be read");
}

}  // namespace

bool admit_client_batch(uint8_t* records, int32_t bytes, const AdmissionRules& rules,
                        RecordBatch* batch, Refusal* refusal) {
  if (!take_batch(records, bytes, batch, refusal)) return false;
  const Bytes buffer{records, static_cast<size_t>(bytes)};
  Bytes rest = buffer.subspan(static_cast<size_t>(batch->bytes()));
  RecordBatch second;
  if (next_batch(&rest, &second)) {
    return refuse(refusal, ErrorCode::kInvalidRecord, kNotOneBatch);
  }
  if (batch->base_offset() != 0) {
    return refuse(refusal, ErrorCode::kInvalidRecord,
                  "The base offset of a produced batch must be 0");
  }
  BatchVerdict verdict = validate_batch(*batch, rules.batch);
  const bool is_compressed = batch->compression() != 0;
  const bool must_walk = !is_compressed || needs_records(*batch, rules);
  // A compressed batch whose header is out of bounds is judged by its records, which can be named.
  if (!verdict.valid() && !(verdict.verdict == Verdict::kInvalidTimestamp && must_walk)) {
    return refuse(refusal, std::move(verdict));
  }
  RecordsWalk walked;
  if (must_walk) {
    if (!walk(*batch, rules, refusal, &walked)) return false;
  } else {
    walked.max_timestamp = batch->max_timestamp();
  }
  if (!verdict.valid() && !is_compressed) return refuse(refusal, std::move(verdict));

  if (rules.batch.log_append_time) {
    set_max_timestamp(records, true, rules.batch.now_ms);
  } else if (walked.max_timestamp != batch->max_timestamp()) {
    set_max_timestamp(records, false, walked.max_timestamp);
  }
  return true;
}

bool admit_own_batch(const RecordBatch& batch, const AdmissionRules& rules, Refusal* refusal) {
  BatchVerdict verdict = validate_batch(batch, rules.batch);
  return verdict.valid() ? true : refuse(refusal, std::move(verdict));
}

}  // namespace ottla
