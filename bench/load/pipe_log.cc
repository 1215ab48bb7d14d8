// Append and look-up of the bare pipe.
#include "pipe_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace ottla::load {
namespace {

constexpr size_t kHeaderBytes = 61, kLengthFrom = 12, kCrcAt = 17, kCrcFrom = 21, kLastDeltaAt = 23;
constexpr int64_t kIndexEvery = 4096;
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

int64_t PipeLog::append(uint8_t* batches, size_t bytes, const PipeOptions& options) {
  const int64_t first = next_offset_;
  size_t at = 0;
  while (bytes - at >= kHeaderBytes) {
    uint8_t* batch = batches + at;
    const size_t length = kLengthFrom + load_u32(batch + 8);
    if (length < kHeaderBytes || length > bytes - at) return -1;
    const Bytes checked(batch + kCrcFrom, length - kCrcFrom);
    if (options.checks_crc && crc32c_by(options.crc, checked) != load_u32(batch + kCrcAt))
      return -1;
    store_i64(batch, next_offset_);
    const int64_t position = bytes_ + static_cast<int64_t>(at);
    if (index_.empty() || position - index_.back().second >= kIndexEvery) {
      index_.emplace_back(next_offset_, position);
    }
    next_offset_ += load_i32(batch + kLastDeltaAt) + 1;
    at += length;
  }
  if (options.preallocate && bytes_ + static_cast<int64_t>(at) > allocated_) {
    // Where the file system cannot, the append below does without.
    (void)fallocate(fd_, FALLOC_FL_KEEP_SIZE, allocated_, kAllocateBytes);
    allocated_ += kAllocateBytes;
  }
  if (pwrite(fd_, batches, at, bytes_) != static_cast<ssize_t>(at)) {
    std::perror("bare pipe: pwrite");
    std::exit(1);
  }
  bytes_ += static_cast<int64_t>(at);
  return first;
}

PipeLog::Range PipeLog::find(int64_t offset, size_t bytes_max) const {
  if (offset >= next_offset_) return {};
  auto entry = std::upper_bound(index_.begin(), index_.end(), std::make_pair(offset, INT64_MAX));
  int64_t position = (entry - 1)->second;
  uint8_t header[27];
  while (pread(fd_, header, sizeof header, position) == sizeof header) {
    if (load_i64(header) + load_i32(header + kLastDeltaAt) >= offset) break;
    position += static_cast<int64_t>(kLengthFrom) + load_i32(header + 8);
  }
  return {position, std::min(bytes_max, static_cast<size_t>(bytes_ - position))};
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
