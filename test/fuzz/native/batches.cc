// Fuzzes the checks of a record batch: header, CRC, records, all codecs. The first byte decides
// whether the records are compressed, and length, magic and CRC made right, first (else few inputs
// get past them). Invariants:
// what validate_records calls valid can be read record by record to its exact end, with the count
// that the header claims; decompression never gives more than its limit.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "../../../native/base/compress.h"
#include "../../../native/base/crc32c.h"
#include "../../../native/log/record_batch.h"

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
  if (first_batch(bytes, &batch) == Verdict::kValid && batch.has_records()) judge(batch, rules);
  Bytes rest(bytes);
  int64_t total = 0;
  while (next_batch(&rest, &batch)) total += batch.bytes();
  if (total + static_cast<int64_t>(rest.size()) != static_cast<int64_t>(bytes.size())) std::abort();
  return 0;
}
