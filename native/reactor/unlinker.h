// Unlinker: files and directories of which only a name for the way out is left (.deleted, -delete),
// given back to the disk by a helper once their delay is over: a large file's blocks take the
// disk's time. One per reactor. Nothing here must outlive the process: what is still waiting, the
// next start removes. Kafka: LocalLog.deleteSegmentFiles, LogManager.deleteLogs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "../log/log.h"
#include "helpers.h"
#include "shared.h"

namespace ottla {

class Unlinker {
 public:
  void add(int32_t disk, std::vector<std::string> paths, int64_t due_us) {
    std::vector<std::string>& waiting = waiting_[{due_us, disk}];
    waiting.insert(waiting.end(), paths.begin(), paths.end());
  }
  // What lies in this directory is due, whatever its delay.
  void hurry(const std::string& directory) {
    const std::string prefix = directory + "/";
    std::map<int32_t, std::vector<std::string>> due;  // by disk
    for (auto entry = waiting_.begin(); entry != waiting_.end();) {
      std::vector<std::string>& paths = entry->second;
      const auto first = std::stable_partition(paths.begin(), paths.end(), [&](const auto& path) {
        return path.compare(0, prefix.size(), prefix) != 0;
      });
      std::vector<std::string>& taken = due[entry->first.second];
      taken.insert(taken.end(), first, paths.end());
      paths.erase(first, paths.end());
      entry = paths.empty() ? waiting_.erase(entry) : std::next(entry);
    }
    for (auto& [disk, paths] : due) {
      if (!paths.empty()) add(disk, std::move(paths), INT64_MIN);
    }
  }
  // Lends what is due; `io` is used where there are no helpers.
  void run(Shared& shared, Io& io, int64_t now_us) {
    while (!waiting_.empty() && waiting_.begin()->first.first <= now_us) {
      auto due = waiting_.extract(waiting_.begin());
      shared.helpers(due.key().second)
          .idle_syncs()
          .submit(io,
                  [paths = std::move(due.mapped())](Io& helping) { Log::unlink(helping, paths); });
    }
  }

 private:
  std::map<std::pair<int64_t, int32_t>, std::vector<std::string>> waiting_;  // by when, and disk
};

}  // namespace ottla
