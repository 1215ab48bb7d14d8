// Epochs: which leader epoch began at which offset, for truncation and fencing of diverged logs.
// Kafka: LeaderEpochFileCache, LeaderEpochCheckpointFile (KIP-101, KIP-279).
//
// Epochs and start offsets both strictly grow. The file (leader-epoch-checkpoint) follows at the
// next flush, synced before the recovery point moves: what is above that is replayed and tells its
// epochs itself, and an epoch without a record is missed by nobody. Ten thousand new leaders write
// nothing. Cuts are written at once. The first entry of a new partition is too, without a sync, for
// those who read the file.
//
// One writer; end_offset() and latest() may be called from any thread: they read a small array of
// atomics under a sequence. An outgrown array is kept until the end (each is half of the next).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../io/io.h"
#include "../log/files.h"

namespace ottla {

constexpr int32_t kUndefinedEpoch = -1;
constexpr int64_t kUndefinedEpochOffset = -1;

class Epochs {
 public:
  Epochs() = default;
  Epochs(const Epochs&) = delete;
  Epochs& operator=(const Epochs&) = delete;

  // --- the writer
  // Reads the checkpoint of a partition's directory. A missing or malformed one is an empty list.
  Status load(Io& io, const std::string& directory);
  // The leader epoch of an appended or led range. Entries that contradict it go (Kafka's
  // maybeTruncateNonMonotonicEntries).
  Status assign(Io& io, int32_t epoch, int64_t start_offset);
  // The same for a replayed batch: only newer epochs count, what it refutes goes, and the file
  // waits for flush().
  void observe(int32_t epoch, int64_t start_offset, int64_t last_offset);
  // The file was missing, or did not add up: the batches know.
  bool is_unknown() const { return is_unknown_; }
  // Drops entries that begin at or above `end_offset`.
  Status truncate_from_end(Io& io, int64_t end_offset);
  // The entry that covers `start_offset` begins there; those before it go.
  Status truncate_from_start(Io& io, int64_t start_offset);
  Status clear(Io& io);
  Status create_file(Io& io);  // if it is missing
  // Brings the file up to date. *unsynced: it may not be on the disk, and the caller sees to that.
  Status prepare_sync(Io& io, bool* unsynced);
  const std::string& path() const { return path_; }
  std::vector<EpochEntry> entries() const;

  // --- any thread
  // Kafka's endOffsetFor: the largest known epoch at or below `epoch`, and where the next one
  // begins (the log end for the latest). -1 and -1 when nothing is known; `epoch` itself and the
  // first start when it is older than all.
  int32_t end_offset(int32_t epoch, int64_t log_end_offset, int64_t* end_offset) const;
  int32_t latest() const;                  // -1: none
  int32_t epoch_of(int64_t offset) const;  // of the record at `offset`; -1 when before the first

 private:
  struct Slot {
    std::atomic<int32_t> epoch{0};
    std::atomic<int64_t> start_offset{0};
  };
  struct Table {
    explicit Table(size_t capacity_max) : capacity(capacity_max), slots(new Slot[capacity_max]) {}
    const size_t capacity;
    std::unique_ptr<Slot[]> slots;
  };

  // What readers see.
  struct View {
    const Slot* slots = nullptr;
    size_t count = 0;
    EpochEntry operator[](size_t i) const {
      return {slots[i].epoch.load(std::memory_order_acquire),
              slots[i].start_offset.load(std::memory_order_acquire)};
    }
  };

  template <typename Answer>
  int32_t consistently(const Answer& answer) const;
  bool insert(EpochEntry entry);
  void publish();
  Status write(Io& io, bool synced);
  Status write_first(Io& io);
  void is_now(const std::string& text, bool synced);  // the file

  // The writer's own.
  std::string path_;
  std::vector<EpochEntry> entries_;
  std::vector<std::unique_ptr<Table>> tables_;  // the last is in use
  bool dirty_ = false;
  bool is_missing_ = false;  // the file
  bool is_unknown_ = false;  // it is missing, or did not add up
  bool unsynced_ = false;    // written, but not synced by us
  size_t file_bytes_ = 0;

  // Published: odd while the table changes.
  std::atomic<uint32_t> sequence_{0};
  std::atomic<size_t> count_{0};
  std::atomic<Table*> table_{nullptr};
};

}  // namespace ottla
