// Encoding a batch once, stamping it per send, and cutting batches out of what a fetch brought.
#include "batch.h"

#include <cstring>

#include "../../native/base/crc32c.h"

namespace ottla::load {
namespace {

constexpr size_t kLengthAt = 8, kMagicAt = 16, kCrcAt = 17, kAttributesAt = 21, kLastDeltaAt = 23;
constexpr size_t kBaseTimestampAt = 27, kMaxTimestampAt = 35, kProducerIdAt = 43, kEpochAt = 51;
constexpr size_t kSequenceAt = 53, kCountAt = 57;
constexpr size_t kLengthFrom = 12;  // what the length counts starts here

// Text that codecs shrink to about a quarter, as they do with JSON of services; the same on every
// machine.
class Text {
 public:
  void fill(uint8_t* at, size_t bytes) {
    static constexpr char kPhrases[] =
        "order shipped \n customer new, price in EUR address known total pending item "
        "in stock quantity is 1, status is open, currency: USD ";
    constexpr size_t kPhraseBytes = 32, kFirsts = sizeof kPhrases - kPhraseBytes;
    for (size_t i = 0; i < bytes; ++i) {
      if (left_ == 0) {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        next_ = (state_ >> 33) % kFirsts;
        left_ = kPhraseBytes;
      }
      left_ -= 1;
      at[i] = static_cast<uint8_t>(kPhrases[next_++]);
    }
  }

 private:
  uint64_t state_ = 42;
  size_t next_ = 0;
  size_t left_ = 0;
};

void put_varint(std::vector<uint8_t>* out, int32_t value) {
  uint8_t bytes[kVarintBytesMax];
  const uint8_t* end = write_varint(bytes, bytes + sizeof bytes, value);
  out->insert(out->end(), bytes, const_cast<uint8_t*>(end));
}

}  // namespace

BatchTemplate::BatchTemplate(const BatchShape& shape) : shape_(shape) {
  std::vector<uint8_t> records;
  Text text;
  for (int i = 0; i < shape.records; ++i) {
    std::vector<uint8_t> record{0, 0};  // attributes, timestamp delta
    put_varint(&record, i);
    put_varint(&record, shape.key_bytes == 0 ? -1 : static_cast<int32_t>(shape.key_bytes));
    const size_t key_at = record.size();
    record.resize(key_at + shape.key_bytes);
    text.fill(record.data() + key_at, shape.key_bytes);
    put_varint(&record, static_cast<int32_t>(shape.message_bytes));
    const size_t value_at = record.size();
    record.resize(value_at + shape.message_bytes);
    text.fill(record.data() + value_at, shape.message_bytes);
    record.push_back(0);  // headers
    put_varint(&records, static_cast<int32_t>(record.size()));
    values_.push_back(static_cast<uint32_t>(kBatchHeaderBytes + records.size() + value_at));
    records.insert(records.end(), record.begin(), record.end());
  }
  if (shape.codec != Codec::kNone) {
    std::vector<uint8_t> smaller;
    if (compress(shape.codec, kDefaultLevel, records, &smaller).ok()) records = std::move(smaller);
    values_.clear();
  }
  bytes_.resize(kBatchHeaderBytes);
  bytes_.insert(bytes_.end(), records.begin(), records.end());
  uint8_t* at = bytes_.data();
  store_i32(at + kLengthAt, static_cast<int32_t>(bytes_.size() - kLengthFrom));
  store_i32(at + kLengthFrom, -1);  // leader epoch
  at[kMagicAt] = 2;
  store_i16(at + kAttributesAt, static_cast<int16_t>(shape.codec));
  store_i32(at + kLastDeltaAt, shape.records - 1);
  store_i32(at + kCountAt, shape.records);
}

void BatchTemplate::stamp(uint8_t* batch, const Sending& sending) const {
  const uint64_t first = sending.batch * static_cast<uint64_t>(shape_.records);
  int64_t due = sending.due_ns - sending.record_interval_ns * (shape_.records - 1);
  uint64_t sequence = first;
  for (const uint32_t value_at : values_) {
    uint8_t* at = batch + value_at;
    store_u32(at, kStampMagic);
    store_u32(at + 4, sending.stream);
    store_u64(at + 8, sequence++);
    store_i64(at + 16, due);
    due += sending.record_interval_ns;
  }
  int64_t timestamp = sending.now_ms;
  if (shape_.codec != Codec::kNone) {
    timestamp = sending.epoch_ms + static_cast<int64_t>(sending.batch) % kTimestampNumbers;
  }
  store_i64(batch + kBaseTimestampAt, timestamp);
  store_i64(batch + kMaxTimestampAt, timestamp);
  store_i64(batch + kProducerIdAt, sending.producer_id);
  store_i16(batch + kEpochAt, sending.producer_epoch);
  const auto base_sequence = static_cast<int32_t>(first & INT32_MAX);
  store_i32(batch + kSequenceAt, sending.producer_id < 0 ? -1 : base_sequence);
  store_u32(batch + kCrcAt, crc32c({batch + kAttributesAt, bytes_.size() - kAttributesAt}));
}

Next next_batch(Bytes* records, BatchView* batch) {
  if (records->size() < kBatchHeaderBytes) return Next::kEnd;
  const uint8_t* at = records->data();
  const int32_t length = load_i32(at + kLengthAt);
  if (at[kMagicAt] != 2 || length < static_cast<int32_t>(kBatchHeaderBytes - kLengthFrom)) {
    return Next::kCorrupt;
  }
  const size_t bytes = kLengthFrom + static_cast<size_t>(length);
  if (bytes > records->size()) return Next::kEnd;
  batch->bytes = records->first(bytes);
  if (crc32c(batch->bytes.subspan(kAttributesAt)) != load_u32(at + kCrcAt)) return Next::kCorrupt;
  batch->base_offset = load_i64(at);
  batch->last_offset_delta = load_i32(at + kLastDeltaAt);
  batch->records = load_i32(at + kCountAt);
  batch->codec = static_cast<Codec>(load_i16(at + kAttributesAt) & 7);
  batch->base_timestamp = load_i64(at + kBaseTimestampAt);
  *records = records->subspan(bytes);
  return Next::kBatch;
}

}  // namespace ottla::load
