// A disk that forgets: what was not synced may be gone, torn or out of order after a crash, what
// was synced is there. Files and names apart: sync() covers bytes and length, sync_directory()
// covers names.
//
// Each file has what reads see (`now`), what a crash certainly leaves (`durable`) and the effects
// between them. A crash picks, by seed, for each file: all of the effects, none, a prefix torn at a
// sector, or any version of every 512-byte sector with any of the lengths the file had. Names
// likewise, a rename whole or not at all. Harsher than ext4 on purpose: POSIX promises no more.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io.h"
#include "sim_random.h"

namespace ottla {

constexpr int64_t kSimSectorBytes = 512;

// One write or one truncate since the last sync.
struct SimEffect {
  bool is_truncate = false;
  int64_t position = 0;  // the new length when it truncates
  std::vector<uint8_t> bytes;

  int64_t end() const { return position + static_cast<int64_t>(bytes.size()); }
};

struct SimNode {
  explicit SimNode(int64_t* used_bytes) : used_bytes_(used_bytes) {}
  SimNode(const SimNode&) = delete;
  SimNode& operator=(const SimNode&) = delete;
  ~SimNode() { *used_bytes_ -= charged_bytes_; }

  int64_t bytes() const { return static_cast<int64_t>(now.size()); }
  // What the node takes of the disk; call after its length, allocation or name changed. Space is
  // free as soon as nobody sees the file, though a crash may bring it back.
  void charge() {
    const bool is_seen = is_linked || opens > 0;
    const int64_t takes = is_seen ? std::max(bytes(), allocated_bytes) : 0;
    *used_bytes_ += takes - charged_bytes_;
    charged_bytes_ = takes;
  }

  bool is_directory = false;
  bool is_locked = false;
  bool is_linked = true;  // it has a name, as seen
  int opens = 0;          // handles
  int64_t modified_ms = 0;
  int64_t allocated_bytes = 0;
  std::vector<uint8_t> now;
  std::vector<uint8_t> durable;
  std::vector<SimEffect> pending;
  std::map<std::string, std::shared_ptr<SimNode>> entries;          // a directory's, as seen
  std::map<std::string, std::shared_ptr<SimNode>> durable_entries;  // and as synced

 private:
  int64_t* const used_bytes_;
  int64_t charged_bytes_ = 0;
};

using SimNodeRef = std::shared_ptr<SimNode>;

class SimDisk {
 public:
  explicit SimDisk(SimRandom* random);

  // Paths are from the root; "a/b" and "/a//b" are one.
  Status open(const std::string& path, OpenMode mode, int64_t wall_ms, SimNodeRef* node);
  Status find(const std::string& path, SimNodeRef* node) const;
  Status make_directory(const std::string& path);
  Status rename(const std::string& from, const std::string& to);
  Status remove(const std::string& path);
  Status sync_directory(const std::string& path);

  // Writes what fits; kNoSpace when that is not all.
  Status write(SimNode* file, const uint8_t* from, int64_t bytes, int64_t position,
               int64_t wall_ms);
  void truncate(SimNode* file, int64_t bytes, int64_t wall_ms);
  Status allocate(SimNode* file, int64_t end);
  static void sync(SimNode* file);
  // A failed fsync as Linux has it: some sectors made it, the rest is marked clean and will not be
  // tried again, though reads still show it.
  void sync_and_lose(SimNode* file);
  // Flips a bit under the file system's feet, synced or not.
  static void flip_bit(SimNode* file, int64_t bit);

  // Power fails: decides what is left, for every file and name.
  void crash();

  int64_t capacity_bytes = INT64_MAX;
  int64_t used_bytes() const { return used_bytes_; }

 private:
  // A change of names that is not yet synced. A removal has no `to`, a creation no `from`.
  struct Change {
    SimNodeRef from_directory, to_directory, node;
    std::string from, to;

    void apply() const;
  };

  Status parent_of(const std::string& path, SimNodeRef* directory, std::string* name) const;
  SimNodeRef make_node(bool is_directory);
  void record(Change change);
  std::vector<uint8_t> survivors(const SimNode& file);
  std::vector<uint8_t> scattered(const SimNode& file);
  void crash_names();
  void crash_below(SimNode* directory);

  SimRandom* const random_;
  int64_t used_bytes_ = 0;  // before root_: nodes point to it
  std::vector<Change> changes_;
  SimNodeRef root_;
};

}  // namespace ottla
