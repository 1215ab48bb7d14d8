// CleanedTransactions: what a walk over a log knows of transactions at each batch: which data was
// aborted, which markers have lost all their data and may go. Kafka: CleanedTransactionMetadata.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "record_batch.h"
#include "txn_index.h"

namespace ottla {

class CleanedTransactions {
 public:
  // All that were aborted and touch the walk, in any order.
  void reset(std::vector<AbortedTransaction> aborted);
  // A data batch: true when its transaction was aborted.
  bool on_data(const RecordBatch& batch);
  // A control batch with its first record's type (-1: it has none): true when nothing of its
  // transaction was met, so that it may go. *ended: for the index of what is written, when the
  // marker of an aborted one stays.
  bool on_control(const RecordBatch& batch, int type, const AbortedTransaction** ended);

 private:
  struct Open {
    AbortedTransaction transaction;
    bool has_data = false;
  };
  void consume(int64_t up_to_offset);

  std::vector<AbortedTransaction> aborted_;  // by first offset
  size_t next_ = 0;
  std::unordered_map<int64_t, Open> open_aborted_;  // by producer
  std::unordered_set<int64_t> open_unlisted_;       // with data that is not known to be aborted
  AbortedTransaction ended_;
};

// The type of a control batch's record (0 abort, 1 commit); -1: it has none or cannot be read.
int control_type(const RecordBatch& batch);

}  // namespace ottla
