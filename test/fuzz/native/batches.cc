// Fuzzes the checks of a record batch: header, CRC, records, all codecs. The first byte decides
// whether the records are compressed, and length, magic and CRC made right, first (else few inputs
// get past them), the second into which codec a leader writes it anew. Invariants:
// what validate_records calls valid can be read record by record to its exact end, with the count
// that the header claims; decompression never gives more than its limit; a batch written anew is a
// valid one that holds the same records, and writing it once more changes nothing.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "../../../native/base/compress.h"
#include "../../../native/base/crc32c.h"
#include "../../../native/log/record_batch.h"
#include "../../../native/log/reencode.h"
#include "../../../native/partition/admission.h"

namespace {

using namespace ottla;

constexpr size_t kOutBytesMax = 1 << 16;

void repair(std::vector<uint8_t>* batch) {
  uint8_t* at = batch->data();
  store_i32(at + batch_layout::kLength, static_cast<int32_t>(batch->size()) - kBatchOverheadBytes);
  at[batch_layout::kMagic] = kBatchMagic;
  store_u32(at + batch_layout::kCrc, crc32c(Bytes(at + batch_layout::kAttributes,
                                                  batch->size() - batch_layout::kAttributes)));
}

// Few inputs are streams of a codec by chance: this makes one of whatever follows the header.
void pack(std::vector<uint8_t>* batch, bool is_damaged) {
  const int codec = RecordBatch(batch->data(), batch->size()).compression();
  if (codec == 0 || codec > kCodecMax) return;
  const std::vector<uint8_t> plain(batch->begin() + kBatchHeaderBytes, batch->end());
  std::vector<uint8_t> packed;
  if (!compress(static_cast<Codec>(codec), kDefaultLevel, plain, &packed).ok()) std::abort();
  if (is_damaged && !packed.empty() && !plain.empty()) {
    packed[plain[0] % packed.size()] ^= static_cast<uint8_t>(plain.back() | 1);
  }
  batch->resize(static_cast<size_t>(kBatchHeaderBytes));
  batch->insert(batch->end(), packed.begin(), packed.end());
}

void read_all(const RecordBatch& batch, Bytes records) {
  const uint8_t* at = records.data();
  const uint8_t* const end = at + records.size();
  int32_t count = 0;
  for (; at != end; ++count) {
    RecordView record;
    at = read_record(at, end, &record);
    if (at == nullptr) std::abort();
    uint64_t sum = static_cast<uint64_t>(record_timestamp(batch, record));
    for (const uint8_t byte : record.key) sum += byte;
    for (const uint8_t byte : record.value) sum += byte;
    for (const uint8_t byte : record.headers) sum += byte;
    if (record.offset_delta != count || sum == 0x5eed'5eed'5eed'5eed) std::abort();
  }
  if (count != batch.records_count()) std::abort();
}

void judge(const RecordBatch& batch, const BatchRules& rules) {
  if (!validate_batch(batch, rules).valid()) return;  // records are judged after the header
  RecordsWalk walk;
  if (batch.compression() == 0) {
    if (validate_records(batch, batch.records(), rules, &walk).valid()) {
      read_all(batch, batch.records());
    }
    return;
  }
  if (batch.compression() > kCodecMax) return;
  static Codecs codecs;
  std::vector<uint8_t> out;
  const auto codec = static_cast<Codec>(batch.compression());
  if (!codecs.decompress(codec, batch.records(), kOutBytesMax, &out).ok()) return;
  if (out.size() > kOutBytesMax) std::abort();
  if (validate_records(batch, out, rules, &walk).valid()) read_all(batch, out);
}

bool is_same(Bytes a, Bytes b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

Bytes opened(const RecordBatch& batch, std::vector<uint8_t>* memory) {
  if (batch.compression() == 0) return batch.records();
  const auto codec = static_cast<Codec>(batch.compression());
  if (!decompress(codec, batch.records(), size_t{1} << 30, memory).ok()) std::abort();
  return *memory;
}

// Record by record, times as a consumer sees them.
void compare(const RecordBatch& before, const RecordBatch& after) {
  std::vector<uint8_t> memory_before, memory_after;
  const Bytes was = opened(before, &memory_before), is = opened(after, &memory_after);
  const uint8_t* a = was.data();
  const uint8_t* b = is.data();
  for (int32_t i = 0; i < before.records_count(); i += 1) {
    RecordView one, other;
    a = read_record(a, was.data() + was.size(), &one);
    b = read_record(b, is.data() + is.size(), &other);
    if (a == nullptr || b == nullptr) std::abort();
    if (one.has_key != other.has_key || !is_same(one.key, other.key)) std::abort();
    if (one.has_value != other.has_value || !is_same(one.value, other.value)) std::abort();
    if (!is_same(one.headers, other.headers) || other.offset_delta != i) std::abort();
    if (!after.is_log_append_time() &&
        record_timestamp(before, one) != record_timestamp(after, other)) {
      std::abort();
    }
  }
  if (b != is.data() + is.size() || after.has_delete_horizon() || after.is_control()) std::abort();
  if (before.producer_id() != after.producer_id() ||
      before.producer_epoch() != after.producer_epoch() ||
      before.base_sequence() != after.base_sequence() ||
      before.is_transactional() != after.is_transactional() ||
      before.last_offset_delta() != after.last_offset_delta() ||
      before.records_count() != after.records_count()) {
    std::abort();
  }
}

void recode(const RecordBatch& batch, const BatchRules& rules, uint8_t how) {
  static Codecs codecs;
  AdmissionRules admission;
  admission.batch = rules;
  admission.batch.origin = BatchOrigin::kClient;
  admission.batch.bytes_max = 1 << 20;
  admission.codecs = &codecs;
  const Recompression to{true, static_cast<Codec>(how % (kCodecMax + 1)), kDefaultLevel};
  std::vector<uint8_t> out, again;
  Refusal refusal;
  const auto size = static_cast<int32_t>(batch.bytes());
  if (!recode_client_batch(batch.data(), size, admission, to, &out, &refusal)) {
    if (refusal.error == gen::ErrorCode::kNone) std::abort();
    return;
  }
  RecordBatch made;
  if (first_batch(out, &made) != Verdict::kValid) std::abort();
  if (made.bytes() != static_cast<int64_t>(out.size()) || made.computed_crc() != made.crc() ||
      made.compression() != static_cast<int>(to.codec)) {
    std::abort();
  }
  compare(batch, made);
  admission.batch.log_append_time = false;
  admission.batch.timestamp_before_max_ms = admission.batch.timestamp_after_max_ms = INT64_MAX;
  if (made.is_log_append_time()) return;  // a producer may not claim it
  if (!recode_client_batch(out.data(), static_cast<int32_t>(out.size()), admission, to, &again,
                           &refusal) ||
      again != out) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  std::vector<uint8_t> bytes(data + 1, data + size);
  const uint8_t how = data[0];
  if (bytes.size() >= static_cast<size_t>(kBatchHeaderBytes) && (how & 1) != 0) {
    if ((how & 32) != 0) pack(&bytes, (how & 64) != 0);
    repair(&bytes);
  }
  BatchRules rules;
  rules.key_required = (how & 2) != 0;
  rules.log_append_time = (how & 4) != 0;
  rules.origin = (how & 8) != 0 ? BatchOrigin::kReplication : BatchOrigin::kClient;
  rules.timestamp_after_max_ms = (how & 16) != 0 ? 1000 : INT64_MAX;
  rules.now_ms = 1'700'000'000'000;
  RecordBatch batch;
  if (first_batch(bytes, &batch) == Verdict::kValid && batch.has_records()) {
    judge(batch, rules);
    recode(batch, rules, static_cast<uint8_t>(how >> 1 ^ bytes[0]));
  }
  Bytes rest(bytes);
  int64_t total = 0;
  while (next_batch(&rest, &batch)) total += batch.bytes();
  if (total + static_cast<int64_t>(rest.size()) != static_cast<int64_t>(bytes.size())) std::abort();
  return 0;
}
