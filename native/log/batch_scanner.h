// BatchScanner: walks the batches of a segment file from a position, reading through a buffer of
// the caller. Kafka: FileLogInputStream, FileRecords.batchesFrom.
//
// Only headers are asked for; what else of a batch lies in the buffer comes along. A header that
// cannot be right (magic, length, past the end) ends the walk with kCorrupt and says where.
#pragma once

#include <cstdint>

#include "../base/bytes.h"
#include "../io/io.h"
#include "record_batch.h"

namespace ottla {

class BatchScanner {
 public:
  // Batches of `file` in [position, end); the buffer holds at least a header.
  BatchScanner(Io& io, Handle file, int64_t position, int64_t end, MutableBytes buffer)
      : io_(io), file_(file), position_(position), end_(end), buffer_(buffer) {}

  // Steps to the next batch. False at the end and at an error: see status().
  bool next();
  const RecordBatch& batch() const { return batch_; }
  int64_t position() const { return position_; }  // of batch(); after false: where the walk ended
  int64_t batch_end() const { return position_ + batch_.bytes(); }
  const Status& status() const { return status_; }

  // Makes the whole batch readable through batch(). False (status stays ok) when it exceeds the
  // buffer.
  bool load_records();
  // Compares the CRC, in pieces where the batch exceeds the buffer.
  Status verify_crc(bool* matches);

 private:
  bool fill(int64_t position, int64_t wanted);  // [position, position + wanted) is in the buffer
  const uint8_t* at(int64_t position) const { return buffer_.data() + (position - window_); }

  Io& io_;
  const Handle file_;
  int64_t position_;
  const int64_t end_;
  const MutableBytes buffer_;
  int64_t window_ = 0;        // file position of the buffer's first byte
  int64_t window_bytes_ = 0;  // valid bytes in it
  bool started_ = false;
  RecordBatch batch_;
  Status status_;
};

}  // namespace ottla
