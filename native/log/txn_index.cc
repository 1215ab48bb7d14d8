// Entries are few and read whole; an index that outgrows memory would mean millions of aborts in
// one segment.
#include "txn_index.h"

#include "../base/bytes.h"

namespace ottla {

void write_aborted_transaction(uint8_t* at, const AbortedTransaction& transaction) {
  store_i16(at, 0);
  store_i64(at + 2, transaction.producer_id);
  store_i64(at + 10, transaction.first_offset);
  store_i64(at + 18, transaction.last_offset);
  store_i64(at + 26, transaction.last_stable_offset);
}

bool read_aborted_transaction(const uint8_t* at, AbortedTransaction* transaction) {
  if (load_i16(at) != 0) return false;
  *transaction = {load_i64(at + 2), load_i64(at + 10), load_i64(at + 18), load_i64(at + 26)};
  return true;
}

Status TransactionIndex::load(Io& io, int64_t base_offset) {
  int64_t bytes = 0;
  {
    Pin pin;
    const Status status = pin.take(io, &file_);
    if (status.code == Code::kNotFound) return Status::good();
    OTTLA_TRY(status);
    OTTLA_TRY(io.file_bytes(pin.handle(), &bytes));
    if (bytes % kAbortedTransactionBytes != 0) {
      bytes -= bytes % kAbortedTransactionBytes;
      OTTLA_TRY(io.truncate(pin.handle(), bytes));
    }
  }
  count_.store(bytes / kAbortedTransactionBytes, std::memory_order_release);
  std::vector<AbortedTransaction> all;
  OTTLA_TRY(read_all(io, &all));
  last_offset_ = INT64_MIN;
  for (const AbortedTransaction& transaction : all) {
    if (transaction.last_offset < base_offset || transaction.last_offset <= last_offset_) {
      return Status::fail(Code::kCorrupt, "transaction index entries out of order");
    }
    last_offset_ = transaction.last_offset;
  }
  return Status::good();
}

Status TransactionIndex::append(Io& io, const AbortedTransaction& transaction) {
  if (transaction.last_offset <= last_offset_) {
    return Status::fail(Code::kInvalid, "aborted transactions end in order");
  }
  int64_t count = count_.load(std::memory_order_relaxed);
  if (count < 0) {
    Handle file = kNoHandle;
    OTTLA_TRY(io.open(file_.path(), OpenMode::kTruncate, &file));
    OTTLA_TRY(io.close(file));
    count = 0;
  }
  uint8_t bytes[kAbortedTransactionBytes];
  write_aborted_transaction(bytes, transaction);
  Pin pin;
  OTTLA_TRY(pin.take(io, &file_));
  OTTLA_TRY(io.write(pin.handle(), bytes, sizeof bytes, count * kAbortedTransactionBytes));
  last_offset_ = transaction.last_offset;
  count_.store(count + 1, std::memory_order_release);
  return Status::good();
}

Status TransactionIndex::truncate_to(Io& io, int64_t offset) {
  if (!exists()) return Status::good();
  std::vector<AbortedTransaction> all;
  OTTLA_TRY(read_all(io, &all));
  while (!all.empty() && all.back().last_offset >= offset) all.pop_back();
  const int64_t count = static_cast<int64_t>(all.size());
  if (count == count_.load(std::memory_order_relaxed)) return Status::good();
  Pin pin;
  OTTLA_TRY(pin.take(io, &file_));
  OTTLA_TRY(io.truncate(pin.handle(), count * kAbortedTransactionBytes));
  OTTLA_TRY(io.sync(pin.handle()));  // below the recovery point it is believed as it is
  count_.store(count, std::memory_order_release);
  last_offset_ = all.empty() ? INT64_MIN : all.back().last_offset;
  return Status::good();
}

Status TransactionIndex::clear(Io& io) {
  last_offset_ = INT64_MIN;
  Pin pin;
  const Status status = pin.take(io, &file_);
  if (status.code == Code::kNotFound) return Status::good();
  OTTLA_TRY(status);
  OTTLA_TRY(io.truncate(pin.handle(), 0));
  count_.store(0, std::memory_order_release);
  return Status::good();
}

Status TransactionIndex::read_all(Io& io, std::vector<AbortedTransaction>* all) const {
  const int64_t count = count_.load(std::memory_order_acquire);
  if (count <= 0) return Status::good();
  std::vector<uint8_t> bytes(static_cast<size_t>(count * kAbortedTransactionBytes));
  Pin pin;
  OTTLA_TRY(pin.take(io, &file_));
  size_t got = 0;
  OTTLA_TRY(io.read(pin.handle(), bytes.data(), bytes.size(), 0, &got));
  if (got < bytes.size()) return Status::fail(Code::kCorrupt, "transaction index is short");
  for (int64_t i = 0; i < count; i += 1) {
    AbortedTransaction transaction;
    if (!read_aborted_transaction(bytes.data() + i * kAbortedTransactionBytes, &transaction)) {
      return Status::fail(Code::kCorrupt, "transaction index version is unknown");
    }
    all->push_back(transaction);
  }
  return Status::good();
}

Status TransactionIndex::collect(Io& io, int64_t fetch_offset, int64_t upper_offset,
                                 std::vector<AbortedTransaction>* found, bool* complete) const {
  *complete = false;
  std::vector<AbortedTransaction> all;
  OTTLA_TRY(read_all(io, &all));
  for (const AbortedTransaction& transaction : all) {
    if (transaction.last_offset >= fetch_offset && transaction.first_offset < upper_offset) {
      found->push_back(transaction);
    }
    if (transaction.last_stable_offset >= upper_offset) {
      *complete = true;
      return Status::good();
    }
  }
  return Status::good();
}

}  // namespace ottla
