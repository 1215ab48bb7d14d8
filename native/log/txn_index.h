// TransactionIndex: a segment's .txnindex, the transactions that ended in it with an abort, for
// read_committed consumers. Kafka: TransactionIndex, AbortedTxn (KIP-98). 34 bytes per entry,
// big-endian:
//   0 version i16 (0) | 2 producerId i64 | 10 firstOffset i64 | 18 lastOffset i64 | 26
//   lastStableOffset i64
//
// The file exists once there is an entry. Last offsets grow; nothing else does. One writer appends
// and truncates; any thread collects what was published.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "../io/io.h"
#include "file_cache.h"

namespace ottla {

struct AbortedTransaction {
  int64_t producer_id = -1;
  int64_t first_offset = 0;
  int64_t last_offset = 0;         // of the marker
  int64_t last_stable_offset = 0;  // when the marker was written
};

constexpr int64_t kAbortedTransactionBytes = 34;

void write_aborted_transaction(uint8_t* at, const AbortedTransaction& transaction);
// False for a version that is not ours.
bool read_aborted_transaction(const uint8_t* at, AbortedTransaction* transaction);

class TransactionIndex {
 public:
  TransactionIndex(FileCache* cache, std::string path) : file_(cache, std::move(path)) {}

  // --- the writer
  // Takes over the file if there is one. kCorrupt: entries before `base_offset`, out of order or
  // unreadable. A torn last entry is cut.
  Status load(Io& io, int64_t base_offset);
  Status append(Io& io, const AbortedTransaction& transaction);
  Status truncate_to(Io& io,
                     int64_t offset);  // drops entries whose last offset is at or above `offset`
  Status clear(Io& io);                // whatever the file holds
  CachedFile& file() { return file_; }
  int64_t last_offset() const { return last_offset_; }  // of the newest entry; INT64_MIN: none
  bool exists() const { return count_.load(std::memory_order_acquire) >= 0; }

  // --- any thread
  // Adds those that overlap [fetch_offset, upper_offset). *complete: no later segment can add to
  // them.
  Status collect(Io& io, int64_t fetch_offset, int64_t upper_offset,
                 std::vector<AbortedTransaction>* found, bool* complete) const;

 private:
  Status read_all(Io& io, std::vector<AbortedTransaction>* all) const;

  mutable CachedFile file_;
  std::atomic<int64_t> count_{-1};  // -1: no file
  int64_t last_offset_ = INT64_MIN;
};

}  // namespace ottla
