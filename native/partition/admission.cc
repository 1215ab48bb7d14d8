// Admission: the checks of a Produce in Kafka's order. See admission.h.
#include "admission.h"

#include <algorithm>
#include <utility>

#include "../log/reencode.h"

namespace ottla {

using gen::ErrorCode;

namespace {

// How large one batch's records may be once opened: 16 times what a batch may be, and what any
// producer has room for (buffer.memory is 32 MiB), whichever is more. A mebibyte of zstd can be
// tens of gibibytes of zeros otherwise, made by a stranger on a reactor.
constexpr size_t kOpenedBytesMin = size_t{64} << 20;
constexpr size_t kOpenedFactor = 16;
// Less than an int32 can say, by what a record may grow when it is written anew.
constexpr size_t kOpenedBytesMax = (size_t{1} << 31) - 4096;

size_t opened_bytes_max(const BatchRules& rules) {
  const size_t batch = static_cast<size_t>(std::max<int64_t>(rules.bytes_max, 0));
  return std::clamp(std::min(batch, kOpenedBytesMax) * kOpenedFactor, kOpenedBytesMin,
                    kOpenedBytesMax);
}

// The least a message of any format has behind its length.
constexpr int32_t kLegacyLengthMin = 14;

ErrorCode error_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kValid:
      return ErrorCode::kNone;
    case Verdict::kCorruptMessage:
      return ErrorCode::kCorruptMessage;
    case Verdict::kInvalidTimestamp:
      return ErrorCode::kInvalidTimestamp;
    case Verdict::kMessageTooLarge:
      return ErrorCode::kMessageTooLarge;
    // Formats and known codecs were judged before the batch came here.
    case Verdict::kUnsupportedForMessageFormat:
    case Verdict::kUnsupportedCompressionType:
    case Verdict::kInvalidRecord:
      break;
  }
  return ErrorCode::kInvalidRecord;
}

bool refuse(Refusal* refusal, ErrorCode error) {
  refusal->error = error;
  refusal->has_log_start =
      error == ErrorCode::kInvalidRecord || error == ErrorCode::kInvalidTimestamp;
  return false;
}

bool refuse(Refusal* refusal, BatchVerdict&& verdict) {
  if (!verdict.records.empty()) refusal->message = "One or more records were refused";
  refusal->records = std::move(verdict.records);
  return refuse(refusal, error_of(verdict.verdict));
}

// Kafka's ByteBufferLogInputStream: the size of the whole batch in front, 0 when none is whole.
int64_t next_size(Bytes bytes, ErrorCode* error) {
  if (bytes.size() < static_cast<size_t>(kBatchOverheadBytes)) return 0;
  const int64_t length = load_i32(bytes.data() + batch_layout::kLength);
  if (length < kLegacyLengthMin) {
    *error = ErrorCode::kCorruptMessage;
    return 0;
  }
  if (bytes.size() <= static_cast<size_t>(batch_layout::kMagic)) return 0;
  const int8_t magic = static_cast<int8_t>(bytes[batch_layout::kMagic]);
  if (magic < 0 || magic > kBatchMagic) {
    *error = ErrorCode::kCorruptMessage;
    return 0;
  }
  const int64_t size = length + kBatchOverheadBytes;
  return size <= static_cast<int64_t>(bytes.size()) ? size : 0;
}

bool is_in_bounds(int64_t timestamp, const BatchRules& rules) {
  if (timestamp == kNoTimestamp) return true;
  int64_t age = 0;
  if (__builtin_sub_overflow(rules.now_ms, timestamp, &age)) return false;
  return age <= rules.timestamp_before_max_ms && -age <= rules.timestamp_after_max_ms;
}

// May a compressed batch be taken at its header's word?
bool needs_records(const RecordBatch& batch, const AdmissionRules& rules) {
  if (rules.open_compressed || rules.batch.key_required) return true;
  if (rules.batch.log_append_time) return batch.is_log_append_time();
  return !is_in_bounds(batch.base_timestamp(), rules.batch) ||
         !is_in_bounds(batch.max_timestamp(), rules.batch);
}

// The records uncompressed: where they are, or in *opened.
bool open_records(const RecordBatch& batch, const AdmissionRules& rules,
                  std::vector<uint8_t>* opened, Bytes* records, Refusal* refusal) {
  *records = batch.records();
  if (batch.compression() == 0) return true;
  const Codec codec = static_cast<Codec>(batch.compression());
  const size_t most = opened_bytes_max(rules.batch);
  const Status status = rules.codecs != nullptr
                            ? rules.codecs->decompress(codec, batch.records(), most, opened)
                            : decompress(codec, batch.records(), most, opened);
  // A client that is told so sends the batch again in parts.
  if (status.code == Code::kTooLarge) return refuse(refusal, ErrorCode::kMessageTooLarge);
  if (!status.ok()) return refuse(refusal, ErrorCode::kCorruptMessage);
  *records = {opened->data(), opened->size()};
  return true;
}

bool walk(const RecordBatch& batch, Bytes records, const AdmissionRules& rules, Refusal* refusal,
          RecordsWalk* walked) {
  BatchVerdict verdict = validate_records(batch, records, rules.batch, walked);
  return verdict.valid() ? true : refuse(refusal, std::move(verdict));
}

// All that the header and the bytes as a whole can show.
bool admit_header(const uint8_t* bytes, int32_t size, const AdmissionRules& rules,
                  Refusal* refusal) {
  const RecordBatch batch(bytes, static_cast<size_t>(size));
  if (batch.base_offset() != 0) return refuse(refusal, ErrorCode::kInvalidRecord);
  if (size > rules.batch.bytes_max) return refuse(refusal, ErrorCode::kMessageTooLarge);
  if (size < kBatchHeaderBytes) return refuse(refusal, ErrorCode::kCorruptMessage);
  BatchVerdict verdict = validate_batch(batch, rules.batch);
  // What the header says of time only decides whether the records are looked at: they can be named.
  if (verdict.valid() || verdict.verdict == Verdict::kInvalidTimestamp) return true;
  return refuse(refusal, std::move(verdict));
}

}  // namespace

int32_t only_batch(const uint8_t* records, int32_t bytes, bool zstd_allowed, ErrorCode* error) {
  *error = ErrorCode::kInvalidRecord;
  if (records == nullptr || bytes <= 0) return 0;
  const Bytes all{records, static_cast<size_t>(bytes)};
  const int64_t size = next_size(all, error);
  if (size == 0) return 0;
  if (records[batch_layout::kMagic] != kBatchMagic) return 0;
  const RecordBatch batch(records, all.size());
  if (batch.compression() == 4 && !zstd_allowed) {
    *error = ErrorCode::kUnsupportedCompressionType;
    return 0;
  }
  ErrorCode behind = ErrorCode::kNone;
  if (next_size(all.subspan(static_cast<size_t>(size)), &behind) > 0) return 0;
  if (behind != ErrorCode::kNone) {
    *error = behind;
    return 0;
  }
  *error = ErrorCode::kNone;
  return static_cast<int32_t>(size);
}

bool admit_client_batch(uint8_t* bytes, int32_t size, const AdmissionRules& rules,
                        Refusal* refusal) {
  if (!admit_header(bytes, size, rules, refusal)) return false;
  const RecordBatch batch(bytes, static_cast<size_t>(size));
  int64_t max_timestamp = batch.max_timestamp();
  if (batch.compression() == 0 || needs_records(batch, rules)) {
    std::vector<uint8_t> opened;
    Bytes records;
    RecordsWalk walked;
    if (!open_records(batch, rules, &opened, &records, refusal)) return false;
    if (!walk(batch, records, rules, refusal, &walked)) return false;
    max_timestamp = walked.max_timestamp;
  }
  if (size > rules.segment_bytes_max) return refuse(refusal, ErrorCode::kRecordListTooLarge);
  const bool is_stamped = rules.batch.log_append_time;
  set_max_timestamp(bytes, is_stamped, is_stamped ? rules.batch.now_ms : max_timestamp);
  return true;
}

bool recode_client_batch(const uint8_t* bytes, int32_t size, const AdmissionRules& rules,
                         const Recompression& to, std::vector<uint8_t>* recoded, Refusal* refusal) {
  if (!admit_header(bytes, size, rules, refusal)) return false;
  const RecordBatch batch(bytes, static_cast<size_t>(size));
  std::vector<uint8_t> opened;
  Bytes records;
  RecordsWalk walked;
  if (!open_records(batch, rules, &opened, &records, refusal)) return false;
  if (!walk(batch, records, rules, refusal, &walked)) return false;
  std::vector<uint8_t> plain;
  reencode_records(batch, records, &plain);
  const BatchTime time = rules.batch.log_append_time ? BatchTime{true, rules.batch.now_ms}
                                                     : BatchTime{false, walked.max_timestamp};
  Bytes packed{plain.data(), plain.size()};
  std::vector<uint8_t> squeezed;
  if (to.codec != Codec::kNone) {
    const Status status = rules.codecs != nullptr
                              ? rules.codecs->compress(to.codec, to.level, packed, &squeezed)
                              : compress(to.codec, to.level, packed, &squeezed);
    if (!status.ok()) return refuse(refusal, ErrorCode::kUnknownServerError);
    packed = {squeezed.data(), squeezed.size()};
  }
  const int64_t bytes_after = int64_t{kBatchHeaderBytes} + static_cast<int64_t>(packed.size());
  if (bytes_after > rules.batch.bytes_max || bytes_after > INT32_MAX) {
    return refuse(refusal, ErrorCode::kMessageTooLarge);
  }
  if (bytes_after > rules.segment_bytes_max) {
    return refuse(refusal, ErrorCode::kRecordListTooLarge);
  }
  seal_batch(batch, records, time, to.codec, packed, recoded);
  return true;
}

bool are_own_batches(const uint8_t* bytes, int32_t size) {
  if (size <= 0) return false;
  BatchRules rules;
  rules.origin = BatchOrigin::kCoordinator;
  Bytes rest{bytes, static_cast<size_t>(size)};
  RecordBatch batch;
  while (!rest.empty()) {
    if (!next_batch(&rest, &batch) || !validate_batch(batch, rules).valid()) return false;
  }
  return true;
}

}  // namespace ottla
