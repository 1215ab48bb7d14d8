// The bare pipe's log: one file per partition, an index of every batch in memory, and the bytes
// that were appended last. Nothing else: no segments, no recovery.
//
// Batches are staged where they were received and reach the file by commit(), once a turn of the
// loop: one pwritev per partition, however many requests.
#pragma once

#include <sys/uio.h>

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

  // Checks and patches batches in place; the first offset, -1 when one makes no sense. They must
  // stay where they are until commit().
  int64_t stage(uint8_t* batches, size_t bytes, const PipeOptions& options);
  bool is_staged() const { return !staged_.empty(); }
  // Writes what was staged. A disk that does not take it ends the process.
  void commit(const PipeOptions& options);
  int64_t next_offset() const { return next_offset_; }

  struct Range {
    int64_t at = 0;
    size_t bytes = 0;
  };
  // Where the batch that holds the offset starts, and how much is committed from there.
  Range find(int64_t offset, size_t bytes_max) const;
  int fd() const { return fd_; }
  // Copies a range, from memory when it is there.
  void read(Range range, uint8_t* to) const;

 private:
  static constexpr size_t kTailBytes = 256 << 10;

  void keep_tail(size_t bytes);

  int fd_ = -1;
  int64_t next_offset_ = 0;
  int64_t staged_end_ = 0;  // position after what is staged
  int64_t bytes_ = 0;
  int64_t allocated_ = 0;
  std::vector<std::pair<int64_t, int64_t>> index_;  // offset, position
  std::vector<iovec> staged_;
  std::vector<uint8_t> tail_;  // a ring; a position is at its remainder
  int64_t tail_from_ = 0;      // bytes from there on are in it
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
