// The bare pipe's log: one file per partition and a sparse index in memory. Nothing else: no
// segments, no recovery.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "../../native/base/bytes.h"
#include "../../native/base/crc32c.h"

namespace ottla::load {

struct PipeOptions {
  int port = 0;
  std::string directory;
  std::string congestion;  // empty: the system's
  bool preallocate = true;
  bool checks_crc = true;
  Crc32cKind crc = Crc32cKind::kTable;
};

class PipeLog {
 public:
  bool open(const std::string& path);
  void close_and_remove(const std::string& path);

  // Patches base offsets in place and appends; the first offset, -1 when a checksum is wrong.
  int64_t append(uint8_t* batches, size_t bytes, const PipeOptions& options);
  int64_t next_offset() const { return next_offset_; }

  struct Range {
    int64_t at = 0;
    size_t bytes = 0;
  };
  // Where the batch that holds the offset starts, and how much there is.
  Range find(int64_t offset, size_t bytes_max) const;
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
  int64_t next_offset_ = 0;
  int64_t bytes_ = 0;
  int64_t allocated_ = 0;
  std::vector<std::pair<int64_t, int64_t>> index_;  // offset, position
};

// Topics come into being when they are asked for; a name that ends in -pN has N partitions.
class PipeTopics {
 public:
  explicit PipeTopics(const PipeOptions& options) : options_(options) {}
  std::vector<PipeLog>& get(std::string_view name);
  void remove(std::string_view name);
  const PipeOptions& options() const { return options_; }

 private:
  std::string path(std::string_view name, size_t partition) const;

  const PipeOptions& options_;
  std::map<std::string, std::vector<PipeLog>, std::less<>> topics_;
};

}  // namespace ottla::load
