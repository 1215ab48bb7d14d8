// Records move as bytes; only the length and the timestamp delta in front of each are made anew.
#include "cleaned_batch.h"

#include <algorithm>

namespace ottla {

namespace {

constexpr int16_t kCodecBits = 0x07;
constexpr int16_t kHorizonBit = 0x40;
constexpr int16_t kKnownBits = 0x7f;

struct Header {
  int16_t attributes = 0;
  int64_t base_timestamp = kNoTimestamp;
  int64_t max_timestamp = kNoTimestamp;
  int32_t records_count = 0;
};

// Makes the bytes from `start` on a batch: what the original says, but for `header`.
void seal(const RecordBatch& batch, const Header& header, size_t start, std::vector<uint8_t>* out) {
  uint8_t* at = out->data() + start;
  std::copy_n(batch.data(), kBatchHeaderBytes, at);
  store_i32(at + batch_layout::kLength,
            static_cast<int32_t>(out->size() - start) - kBatchOverheadBytes);
  store_i16(at + batch_layout::kAttributes, header.attributes);
  store_i64(at + batch_layout::kBaseTimestamp, header.base_timestamp);
  store_i64(at + batch_layout::kMaxTimestamp, header.max_timestamp);
  store_i32(at + batch_layout::kRecordsCount, header.records_count);
  const RecordBatch sealed(at, out->size() - start);
  store_u32(at + batch_layout::kCrc, sealed.computed_crc());
}

void put_varlong(std::vector<uint8_t>* out, int64_t value) {
  uint8_t bytes[kVarlongBytesMax];
  const uint8_t* end = write_varlong(bytes, bytes + sizeof bytes, value);
  out->insert(out->end(), static_cast<const uint8_t*>(bytes), end);
}

int64_t subtract_wrapping(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

// A record at `at`, with another timestamp delta.
void copy_record(const uint8_t* at, const uint8_t* end, int64_t timestamp_delta,
                 std::vector<uint8_t>* out) {
  int32_t bytes = 0;
  int64_t old_delta = 0;
  at = read_varint(at, end, &bytes);
  const uint8_t* const rest = read_varlong(at + 1, end, &old_delta);
  const size_t rest_bytes = static_cast<size_t>(at + bytes - rest);
  put_varlong(out, static_cast<int64_t>(1 + varlong_bytes(timestamp_delta) + rest_bytes));
  out->push_back(0);
  put_varlong(out, timestamp_delta);
  out->insert(out->end(), rest, rest + rest_bytes);
}

}  // namespace

bool OpenedBatch::open(const RecordBatch& batch, Codecs* codecs, size_t unpacked_max) {
  if (batch.records_count() < 0 || batch.computed_crc() != batch.crc()) return false;
  records_ = batch.records();
  if (batch.compression() > kCodecMax) return false;
  if (batch.compression() != 0 && batch.records_count() > 0) {
    const Codec codec = static_cast<Codec>(batch.compression());
    if (!codecs->decompress(codec, records_, unpacked_max, &unpacked_).ok()) return false;
    records_ = Bytes(unpacked_);
  }
  const uint8_t* at = records_.data();
  const uint8_t* const end = at + records_.size();
  for (int32_t i = 0; i < batch.records_count(); i += 1) {
    RecordView record;
    at = read_record(at, end, &record);
    if (at == nullptr) return false;
  }
  return at == end || batch.records_count() == 0;
}

bool write_cleaned_batch(const RecordBatch& batch, Bytes records, const std::vector<bool>& keeps,
                         int64_t horizon, Codecs* codecs, std::vector<uint8_t>* out) {
  Header header;
  header.attributes = static_cast<int16_t>(batch.attributes() & kKnownBits & ~kHorizonBit);
  if (horizon != kNoHorizon) header.attributes |= kHorizonBit;
  header.base_timestamp = horizon;
  const size_t start = out->size();
  out->resize(start + kBatchHeaderBytes);
  std::vector<uint8_t> unpacked;
  const bool is_packed = batch.compression() != 0;
  std::vector<uint8_t>* into = is_packed ? &unpacked : out;
  const uint8_t* at = records.data();
  const uint8_t* const end = at + records.size();
  for (const bool keep : keeps) {
    RecordView record;
    const uint8_t* const next = read_record(at, end, &record);
    if (keep) {
      const int64_t timestamp = record_timestamp(batch, record);
      const bool is_first = header.records_count == 0;
      if (is_first && horizon == kNoHorizon) header.base_timestamp = timestamp;
      header.max_timestamp = std::max(header.max_timestamp, timestamp);
      header.records_count += 1;
      copy_record(at, end, subtract_wrapping(timestamp, header.base_timestamp), into);
    }
    at = next;
  }
  if (batch.is_log_append_time()) header.max_timestamp = batch.max_timestamp();
  if (is_packed) {
    std::vector<uint8_t> packed;
    const Codec codec = static_cast<Codec>(batch.compression());
    if (!codecs->compress(codec, kDefaultLevel, unpacked, &packed).ok()) {
      out->resize(start);
      return false;
    }
    out->insert(out->end(), packed.begin(), packed.end());
  }
  seal(batch, header, start, out);
  return true;
}

void write_empty_batch(const RecordBatch& batch, bool keeps_time, std::vector<uint8_t>* out) {
  Header header;
  header.attributes =
      static_cast<int16_t>(batch.attributes() & kKnownBits & ~kCodecBits & ~kHorizonBit);
  if (keeps_time) header.max_timestamp = batch.max_timestamp();
  const size_t start = out->size();
  out->resize(start + kBatchHeaderBytes);
  seal(batch, header, start, out);
}

}  // namespace ottla
