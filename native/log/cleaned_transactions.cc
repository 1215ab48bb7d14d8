// See cleaned_transactions.h.
#include "cleaned_transactions.h"

#include <algorithm>

namespace ottla {

namespace {
constexpr int kAbort = 0;
constexpr int kCommit = 1;
constexpr int kNone = -1;
}  // namespace

void CleanedTransactions::reset(std::vector<AbortedTransaction> aborted) {
  aborted_ = std::move(aborted);
  std::ranges::sort(aborted_, {}, &AbortedTransaction::first_offset);
  next_ = 0;
  open_aborted_.clear();
  open_unlisted_.clear();
}

void CleanedTransactions::consume(int64_t up_to_offset) {
  while (next_ < aborted_.size() && aborted_[next_].first_offset <= up_to_offset) {
    const AbortedTransaction& transaction = aborted_[next_++];
    open_aborted_.try_emplace(transaction.producer_id, Open{transaction, false});
  }
}

bool CleanedTransactions::on_data(const RecordBatch& batch) {
  consume(batch.last_offset());
  if (!batch.is_transactional()) return false;
  const auto found = open_aborted_.find(batch.producer_id());
  if (found == open_aborted_.end()) {
    open_unlisted_.insert(batch.producer_id());
    return false;
  }
  found->second.has_data = true;
  return true;
}

bool CleanedTransactions::on_control(const RecordBatch& batch, int type,
                                     const AbortedTransaction** ended) {
  *ended = nullptr;
  consume(batch.last_offset());
  if (type == kNone) return true;  // it was cleaned before
  if (type != kCommit && type != kAbort) return false;
  const bool has_unlisted = open_unlisted_.erase(batch.producer_id()) != 0;
  if (type == kCommit) return !has_unlisted;
  const auto node = open_aborted_.extract(batch.producer_id());
  if (node.empty() || !node.mapped().has_data) return !has_unlisted;
  ended_ = node.mapped().transaction;
  *ended = &ended_;
  return false;
}

int control_type(const RecordBatch& batch) {
  RecordView record;
  const Bytes records = batch.records();
  if (batch.records_count() <= 0 ||
      read_record(records.data(), records.data() + records.size(), &record) == nullptr ||
      record.key.size() < 4) {
    return kNone;
  }
  return load_i16(record.key.data() + 2);
}

}  // namespace ottla
