// One pass out, one bounded pass in.
#include "producer_snapshot.h"

#include "../base/crc32c.h"
#include "files.h"

namespace ottla {

namespace {
constexpr int16_t kVersion = 1;
constexpr size_t kCrcAt = 2;
constexpr size_t kEntriesAt = 6;
constexpr size_t kHeadBytes = 10;
constexpr size_t kEntryBytes = 46;
}  // namespace

std::string format_producer_snapshot(const std::vector<ProducerSnapshotEntry>& entries) {
  std::string text(kHeadBytes + entries.size() * kEntryBytes, '\0');
  uint8_t* const start = reinterpret_cast<uint8_t*>(text.data());
  store_i16(start, kVersion);
  store_i32(start + kEntriesAt, static_cast<int32_t>(entries.size()));
  uint8_t* at = start + kHeadBytes;
  for (const ProducerSnapshotEntry& entry : entries) {
    store_i64(at, entry.producer_id);
    store_i16(at + 8, entry.producer_epoch);
    store_i32(at + 10, entry.last_sequence);
    store_i64(at + 14, entry.last_offset);
    store_i32(at + 22, entry.offset_delta);
    store_i64(at + 26, entry.timestamp);
    store_i32(at + 34, entry.coordinator_epoch);
    store_i64(at + 38, entry.current_txn_first_offset);
    at += kEntryBytes;
  }
  store_u32(start + kCrcAt, crc32c(Bytes(start + kEntriesAt, text.size() - kEntriesAt)));
  return text;
}

Status parse_producer_snapshot(Bytes bytes, std::vector<ProducerSnapshotEntry>* entries) {
  entries->clear();
  ByteReader reader(bytes);
  const int16_t version = reader.i16();
  const uint32_t crc = reader.u32();
  const int32_t count = reader.i32();
  if (!reader.ok() || version != kVersion || count < 0 ||
      reader.left() != static_cast<size_t>(count) * kEntryBytes) {
    return Status::fail(Code::kCorrupt, "producer snapshot is malformed");
  }
  if (crc32c(bytes.subspan(kEntriesAt)) != crc) {
    return Status::fail(Code::kCorrupt, "producer snapshot CRC does not match");
  }
  entries->reserve(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; i += 1) {
    ProducerSnapshotEntry entry;
    entry.producer_id = reader.i64();
    entry.producer_epoch = reader.i16();
    entry.last_sequence = reader.i32();
    entry.last_offset = reader.i64();
    entry.offset_delta = reader.i32();
    entry.timestamp = reader.i64();
    entry.coordinator_epoch = reader.i32();
    entry.current_txn_first_offset = reader.i64();
    entries->push_back(entry);
  }
  return Status::good();
}

Status write_producer_snapshot(Io& io, const std::string& directory, int64_t offset,
                               const std::vector<ProducerSnapshotEntry>& entries, bool is_synced) {
  const std::string path = segment_path(directory, offset, kSnapshotSuffix);
  const std::string text = format_producer_snapshot(entries);
  return is_synced ? replace_file(io, path, text) : write_file(io, path, text);
}

Status read_producer_snapshot(Io& io, const std::string& directory, int64_t offset,
                              std::vector<ProducerSnapshotEntry>* entries) {
  std::string text;
  OTTLA_TRY(read_file(io, segment_path(directory, offset, kSnapshotSuffix), &text));
  return parse_producer_snapshot(as_bytes(text), entries);
}

}  // namespace ottla
