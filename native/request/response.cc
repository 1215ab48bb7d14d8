// Response: memory runs and file runs in the order they leave. See response.h.
#include "response.h"

#include <utility>

#include "../base/bytes.h"

namespace ottla {

void Response::add_slice(ReadSlice slice) {
  close_run();
  bytes_ += slice.bytes();
  Fragment file;
  file.slice = std::move(slice);
  fragments_.push_back(std::move(file));
}

void Response::close_run() {
  const uint32_t end = static_cast<uint32_t>(memory_.size());
  if (end == run_begin_) return;
  Fragment run;
  run.memory_begin = run_begin_;
  run.memory_bytes = end - run_begin_;
  bytes_ += run.memory_bytes;
  run_begin_ = end;
  fragments_.push_back(std::move(run));
}

void Response::finish() {
  close_run();
  // The length lies behind the rest in memory and before it on the wire: nothing has to move.
  constexpr uint32_t kLengthBytes = 4;
  memory_.resize(memory_.size() + kLengthBytes);
  store_i32(memory_.data() + run_begin_, static_cast<int32_t>(bytes_));
  Fragment length;
  length.memory_begin = run_begin_;
  length.memory_bytes = kLengthBytes;
  fragments_.insert(fragments_.begin(), std::move(length));
  run_begin_ += kLengthBytes;
  bytes_ += kLengthBytes;
}

void Response::clear() {
  memory_.clear();
  fragments_.clear();
  run_begin_ = 0;
  bytes_ = 0;
}

}  // namespace ottla
