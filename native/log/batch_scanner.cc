// A window over the file that follows the walk; large reads where the buffer is large.
#include "batch_scanner.h"

#include <algorithm>
#include <cstring>

#include "../base/assert.h"
#include "../base/crc32c.h"

namespace ottla {

bool BatchScanner::fill(int64_t position, int64_t wanted) {
  OTTLA_ASSERT(wanted <= static_cast<int64_t>(buffer_.size()),
               "the buffer holds what is asked for");
  if (position >= window_ && position + wanted <= window_ + window_bytes_) return true;
  const int64_t readable = std::min<int64_t>(static_cast<int64_t>(buffer_.size()), end_ - position);
  size_t got = 0;
  status_ = io_.read(file_, buffer_.data(), static_cast<size_t>(readable), position, &got);
  window_ = position;
  window_bytes_ = status_.ok() ? static_cast<int64_t>(got) : 0;
  if (status_.ok() && window_bytes_ < wanted) {
    status_ = Status::fail(Code::kCorrupt, "segment file is shorter than it was");
  }
  return status_.ok();
}

bool BatchScanner::next() {
  if (!status_.ok()) return false;
  if (started_) position_ += batch_.bytes();
  started_ = false;  // a failed step must not be taken twice
  if (position_ >= end_) return false;
  if (end_ - position_ < kBatchHeaderBytes) {
    status_ = Status::fail(Code::kCorrupt, "less than a batch header is left");
    return false;
  }
  if (!fill(position_, kBatchHeaderBytes)) return false;
  const RecordBatch view(at(position_), static_cast<size_t>(window_ + window_bytes_ - position_));
  if (view.magic() != kBatchMagic || view.bytes() < kBatchHeaderBytes ||
      view.bytes() > end_ - position_ || view.last_offset_delta() < 0 || view.base_offset() < 0 ||
      view.base_offset() > INT64_MAX - INT32_MAX - 1) {
    status_ = Status::fail(Code::kCorrupt, "no batch header where one should be");
    return false;
  }
  batch_ = view;
  started_ = true;
  return true;
}

bool BatchScanner::load_records() {
  if (batch_.has_records()) return true;
  const int64_t bytes = batch_.bytes();  // read now: batch_ looks into the window that moves
  if (bytes > static_cast<int64_t>(buffer_.size())) return false;
  if (!fill(position_, bytes)) return false;
  batch_ = RecordBatch(at(position_), static_cast<size_t>(bytes));
  return true;
}

Status BatchScanner::verify_crc(bool* matches) {
  if (load_records()) {
    *matches = batch_.computed_crc() == batch_.crc();
    return Status::good();
  }
  OTTLA_TRY(status_);
  const uint32_t expected = batch_.crc();
  const int64_t end = batch_end();
  uint32_t crc = 0;
  for (int64_t from = position_ + batch_layout::kAttributes; from < end;) {
    const int64_t piece = std::min<int64_t>(static_cast<int64_t>(buffer_.size()), end - from);
    if (!fill(from, piece)) return status_;
    crc = crc32c(Bytes(at(from), static_cast<size_t>(piece)), crc);
    from += piece;
  }
  *matches = crc == expected;
  if (!fill(position_, kBatchHeaderBytes)) return status_;  // the header is the caller's again
  batch_ = RecordBatch(at(position_), static_cast<size_t>(window_ + window_bytes_ - position_));
  return Status::good();
}

}  // namespace ottla
