// Staging, writing and look-up of the bare pipe.
#include "pipe_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ottla::load {
namespace {

constexpr size_t kHeaderBytes = 61, kLengthFrom = 12, kCrcAt = 17, kCrcFrom = 21, kLastDeltaAt = 23;
constexpr size_t kPiecesMax = 1024;
constexpr int64_t kAllocateBytes = 64 << 20;

}  // namespace

bool PipeLog::open(const std::string& path) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  return fd_ >= 0;
}

void PipeLog::close_and_remove(const std::string& path) {
  ::close(fd_);
  ::unlink(path.c_str());
}

int64_t PipeLog::stage(uint8_t* batches, size_t bytes, const PipeOptions& options) {
  const int64_t first = next_offset_;
  const size_t entries = index_.size();
  const auto refuse = [&] {
    next_offset_ = first;
    index_.resize(entries);
    return int64_t{-1};
  };
  size_t at = 0;
  while (bytes - at >= kHeaderBytes) {
    uint8_t* batch = batches + at;
    const size_t length = kLengthFrom + load_u32(batch + 8);
    if (length < kHeaderBytes || length > bytes - at) return refuse();
    const Bytes checked(batch + kCrcFrom, length - kCrcFrom);
    if (options.checks_crc && crc32c_by(options.crc, checked) != load_u32(batch + kCrcAt)) {
      return refuse();
    }
    store_i64(batch, next_offset_);
    index_.emplace_back(next_offset_, staged_end_ + static_cast<int64_t>(at));
    next_offset_ += load_i32(batch + kLastDeltaAt) + 1;
    at += length;
  }
  staged_.push_back({batches, at});
  staged_end_ += static_cast<int64_t>(at);
  return first;
}

void PipeLog::commit(const PipeOptions& options) {
  while (options.preallocate && staged_end_ > allocated_) {
    // Where the file system cannot, the write below does without.
    (void)fallocate(fd_, FALLOC_FL_KEEP_SIZE, allocated_, kAllocateBytes);
    allocated_ += kAllocateBytes;
  }
  const auto bytes = static_cast<size_t>(staged_end_ - bytes_);
  keep_tail(bytes);
  for (size_t i = 0; i < staged_.size(); i += kPiecesMax) {
    const size_t count = std::min(kPiecesMax, staged_.size() - i);
    size_t wanted = 0;
    for (size_t j = i; j < i + count; ++j) wanted += staged_[j].iov_len;
    const ssize_t written = pwritev(fd_, &staged_[i], static_cast<int>(count), bytes_);
    if (written != static_cast<ssize_t>(wanted)) {
      std::perror("bare pipe: pwritev");
      std::exit(1);
    }
    bytes_ += static_cast<int64_t>(wanted);
  }
  staged_.clear();
}

// Large appends are not copied: they are sent from the file.
void PipeLog::keep_tail(size_t bytes) {
  if (bytes >= kTailBytes / 4) {
    tail_from_ = staged_end_;
    return;
  }
  if (tail_.empty()) tail_.resize(kTailBytes);
  int64_t position = bytes_;
  for (const iovec& piece : staged_) {
    const auto* from = static_cast<const uint8_t*>(piece.iov_base);
    for (size_t done = 0; done < piece.iov_len;) {
      const auto at = static_cast<size_t>(position) % kTailBytes;
      const size_t part = std::min(piece.iov_len - done, kTailBytes - at);
      std::memcpy(tail_.data() + at, from + done, part);
      done += part;
      position += static_cast<int64_t>(part);
    }
  }
  tail_from_ = std::max(tail_from_, staged_end_ - static_cast<int64_t>(kTailBytes));
}

PipeLog::Range PipeLog::find(int64_t offset, size_t bytes_max) const {
  if (offset >= next_offset_) return {};
  const auto entry =
      std::upper_bound(index_.begin(), index_.end(), std::make_pair(offset, INT64_MAX));
  const int64_t position = (entry - 1)->second;
  if (position >= bytes_) return {};
  return {position, std::min(bytes_max, static_cast<size_t>(bytes_ - position))};
}

void PipeLog::read(Range range, uint8_t* to) const {
  if (range.at < tail_from_ || tail_.empty()) {
    if (pread(fd_, to, range.bytes, range.at) < 0) std::perror("bare pipe: pread");
    return;
  }
  for (size_t done = 0; done < range.bytes;) {
    const size_t at = (static_cast<size_t>(range.at) + done) % kTailBytes;
    const size_t part = std::min(range.bytes - done, kTailBytes - at);
    std::memcpy(to + done, tail_.data() + at, part);
    done += part;
  }
}

std::string PipeTopics::path(std::string_view name, size_t partition) const {
  return options_.directory + "/" + std::string(name) + "-" + std::to_string(partition);
}

std::vector<PipeLog>& PipeTopics::get(std::string_view name) {
  const auto found = topics_.find(name);
  if (found != topics_.end()) return found->second;
  const size_t mark = name.rfind("-p");
  const int count = mark == std::string_view::npos ? 1 : std::atoi(name.data() + mark + 2);
  std::vector<PipeLog>& logs = topics_[std::string(name)];
  logs.resize(static_cast<size_t>(std::max(count, 1)));
  for (size_t i = 0; i < logs.size(); ++i) {
    if (logs[i].open(path(name, i))) continue;
    std::perror("bare pipe: open");
    std::exit(1);
  }
  return logs;
}

void PipeTopics::remove(std::string_view name) {
  const auto found = topics_.find(name);
  if (found == topics_.end()) return;
  for (size_t i = 0; i < found->second.size(); ++i)
    found->second[i].close_and_remove(path(name, i));
  topics_.erase(found);
}

}  // namespace ottla::load
