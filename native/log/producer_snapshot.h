// The .snapshot files: what a partition knew of its producers at an offset. Kafka:
// ProducerStateManager, ProducerSnapshot version 1. Big-endian, not flexible:
//   0 version i16 (1) | 2 crc u32, CRC-32C of byte 6 on | 6 entries i32 | then 46 bytes each:
//   producerId i64, producerEpoch i16, lastSequence i32, lastOffset i64, offsetDelta i32, timestamp
//   i64, coordinatorEpoch i32, currentTxnFirstOffset i64
//
// A snapshot that does not add up is worth nothing and is not repaired: state comes from an older
// one and the batches since.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../base/bytes.h"
#include "../io/io.h"

namespace ottla {

struct ProducerSnapshotEntry {
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t last_sequence = -1;
  int64_t last_offset = -1;  // -1: no batch, only markers
  int32_t offset_delta = 0;  // last less first offset of the last batch
  int64_t timestamp = -1;
  int32_t coordinator_epoch = -1;
  int64_t current_txn_first_offset = -1;  // -1: no open transaction
  bool operator==(const ProducerSnapshotEntry&) const = default;
};

std::string format_producer_snapshot(const std::vector<ProducerSnapshotEntry>& entries);
Status parse_producer_snapshot(Bytes bytes, std::vector<ProducerSnapshotEntry>* entries);

// The snapshot of `offset` in a partition's directory. Written under a temporary name and renamed;
// its CRC tells a torn one.
Status write_producer_snapshot(Io& io, const std::string& directory, int64_t offset,
                               const std::vector<ProducerSnapshotEntry>& entries, bool is_synced);
Status read_producer_snapshot(Io& io, const std::string& directory, int64_t offset,
                              std::vector<ProducerSnapshotEntry>* entries);

}  // namespace ottla
