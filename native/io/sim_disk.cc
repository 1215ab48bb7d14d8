// See sim_disk.h. Everything iterates in order of name or of time: no address decides anything.
#include "sim_disk.h"

#include <cerrno>
#include <cstring>
#include <set>
#include <unordered_set>
#include <utility>

#include "../base/assert.h"

namespace ottla {

namespace {

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> names;
  std::string name;
  for (const char c : path + "/") {
    if (c != '/') {
      name += c;
      continue;
    }
    if (!name.empty() && name != ".") names.push_back(name);
    name.clear();
  }
  return names;
}

void put(std::vector<uint8_t>* into, const uint8_t* from, int64_t bytes, int64_t position) {
  const size_t end = static_cast<size_t>(position + bytes);
  if (into->size() < end) into->resize(end);
  if (bytes > 0) std::memcpy(into->data() + position, from, static_cast<size_t>(bytes));
}

void apply(const SimEffect& effect, std::vector<uint8_t>* into) {
  if (effect.is_truncate) {
    into->resize(static_cast<size_t>(effect.position));
  } else {
    put(into, effect.bytes.data(), static_cast<int64_t>(effect.bytes.size()), effect.position);
  }
}

// body(sector, offset within the write, bytes) for the pieces of a write that lie in one sector
// each.
template <typename Body>
void for_each_sector(const SimEffect& write, Body body) {
  for (int64_t at = write.position; at < write.end();) {
    const int64_t sector = at / kSimSectorBytes;
    const int64_t end = std::min(write.end(), (sector + 1) * kSimSectorBytes);
    body(sector, at - write.position, end - at);
    at = end;
  }
}

Status fail(Code code, int error) { return Status::fail(code, "sim disk", error); }
Status not_found() { return fail(Code::kNotFound, ENOENT); }

}  // namespace

SimDisk::SimDisk(SimRandom* random) : random_(random), root_(make_node(true)) {}

SimNodeRef SimDisk::make_node(bool is_directory) {
  auto node = std::make_shared<SimNode>(&used_bytes_);
  node->is_directory = is_directory;
  return node;
}

// ---- names ----

Status SimDisk::find(const std::string& path, SimNodeRef* node) const {
  SimNodeRef at = root_;
  for (const std::string& name : split(path)) {
    const auto entry = at->entries.find(name);
    if (entry == at->entries.end()) return not_found();
    at = entry->second;
  }
  *node = at;
  return Status::good();
}

Status SimDisk::parent_of(const std::string& path, SimNodeRef* directory, std::string* name) const {
  std::vector<std::string> names = split(path);
  if (names.empty()) return fail(Code::kInvalid, EINVAL);
  *name = names.back();
  names.pop_back();
  std::string parent;
  for (const std::string& part : names) parent += "/" + part;
  OTTLA_TRY(find(parent, directory));
  return (*directory)->is_directory ? Status::good() : not_found();
}

void SimDisk::Change::apply() const {
  if (from_directory != nullptr) {
    const auto entry = from_directory->durable_entries.find(from);
    const bool is_ours = entry != from_directory->durable_entries.end() && entry->second == node;
    if (is_ours) from_directory->durable_entries.erase(entry);
  }
  if (to_directory != nullptr) to_directory->durable_entries[to] = node;
}

void SimDisk::record(Change change) {
  const auto link = [](SimNode* node, bool is_linked) {
    node->is_linked = is_linked;
    node->charge();
  };
  if (change.from_directory != nullptr) change.from_directory->entries.erase(change.from);
  link(change.node.get(), change.to_directory != nullptr);
  if (change.to_directory != nullptr) {
    SimNodeRef& entry = change.to_directory->entries[change.to];
    if (entry != nullptr) link(entry.get(), false);
    entry = change.node;
  }
  changes_.push_back(std::move(change));
}

Status SimDisk::open(const std::string& path, OpenMode mode, int64_t wall_ms, SimNodeRef* node) {
  const bool creates = mode != OpenMode::kRead && mode != OpenMode::kReadWrite;
  const Status found = find(path, node);
  if (found.ok()) {
    if (mode == OpenMode::kCreateExclusive) return fail(Code::kExists, EEXIST);
    if ((*node)->is_directory) return fail(Code::kInvalid, EISDIR);
    if (mode == OpenMode::kTruncate) truncate(node->get(), 0, wall_ms);
    return Status::good();
  }
  if (!creates) return found;
  Change change;
  OTTLA_TRY(parent_of(path, &change.to_directory, &change.to));
  change.node = make_node(false);
  change.node->modified_ms = wall_ms;
  *node = change.node;
  record(std::move(change));
  return Status::good();
}

Status SimDisk::make_directory(const std::string& path) {
  SimNodeRef node;
  if (find(path, &node).ok()) {
    return node->is_directory ? Status::good() : fail(Code::kExists, EEXIST);
  }
  Change change;
  OTTLA_TRY(parent_of(path, &change.to_directory, &change.to));
  change.node = make_node(true);
  record(std::move(change));
  return Status::good();
}

Status SimDisk::rename(const std::string& from, const std::string& to) {
  Change change;
  OTTLA_TRY(find(from, &change.node));
  OTTLA_TRY(parent_of(from, &change.from_directory, &change.from));
  OTTLA_TRY(parent_of(to, &change.to_directory, &change.to));
  const std::vector<std::string> source = split(from), target = split(to);
  if (source == target) return Status::good();
  const auto is_below = [](const std::vector<std::string>& inner, const auto& outer) {
    return inner.size() > outer.size() && std::equal(outer.begin(), outer.end(), inner.begin());
  };
  if (is_below(target, source)) return fail(Code::kInvalid, EINVAL);
  if (is_below(source, target)) return fail(Code::kExists, ENOTEMPTY);
  SimNodeRef replaced;
  if (find(to, &replaced).ok()) {
    if (replaced->is_directory && !change.node->is_directory) return fail(Code::kInvalid, EISDIR);
    if (!replaced->is_directory && change.node->is_directory) {
      return fail(Code::kNotFound, ENOTDIR);
    }
    if (!replaced->entries.empty()) return fail(Code::kExists, ENOTEMPTY);
  }
  record(std::move(change));
  return Status::good();
}

Status SimDisk::remove(const std::string& path) {
  Change change;
  OTTLA_TRY(find(path, &change.node));
  OTTLA_TRY(parent_of(path, &change.from_directory, &change.from));
  if (!change.node->entries.empty()) return fail(Code::kExists, ENOTEMPTY);
  record(std::move(change));
  return Status::good();
}

// Makes durable what touches the directory, and what a rename across directories depends on.
Status SimDisk::sync_directory(const std::string& path) {
  SimNodeRef directory;
  OTTLA_TRY(find(path, &directory));
  if (!directory->is_directory) return fail(Code::kNotFound, ENOTDIR);
  std::unordered_set<const SimNode*> synced = {directory.get()};
  std::vector<bool> leaves(changes_.size());
  for (size_t i = changes_.size(); i-- > 0;) {
    const Change& change = changes_[i];
    const SimNode* from = change.from_directory.get();
    const SimNode* to = change.to_directory.get();
    leaves[i] = synced.contains(from) || synced.contains(to);
    if (!leaves[i]) continue;
    if (from != nullptr) synced.insert(from);
    if (to != nullptr) synced.insert(to);
  }
  size_t left = 0;
  for (size_t i = 0; i < changes_.size(); i += 1) {
    if (leaves[i]) {
      changes_[i].apply();
    } else {
      if (left < i) changes_[left] = std::move(changes_[i]);
      left += 1;
    }
  }
  changes_.resize(left);
  return Status::good();
}

// ---- bytes ----

Status SimDisk::write(SimNode* file, const uint8_t* from, int64_t bytes, int64_t position,
                      int64_t wall_ms) {
  const int64_t takes = std::max(file->bytes(), file->allocated_bytes);
  const int64_t free_bytes = std::max<int64_t>(0, capacity_bytes - used_bytes_);
  const int64_t end_max = free_bytes > INT64_MAX - takes ? INT64_MAX : takes + free_bytes;
  const int64_t fits = std::clamp<int64_t>(end_max - position, 0, bytes);
  if (fits > 0) {
    put(&file->now, from, fits, position);
    file->pending.push_back({false, position, std::vector<uint8_t>(from, from + fits)});
    file->modified_ms = wall_ms;
    file->charge();
  }
  return fits == bytes ? Status::good() : fail(Code::kNoSpace, ENOSPC);
}

void SimDisk::truncate(SimNode* file, int64_t bytes, int64_t wall_ms) {
  file->now.resize(static_cast<size_t>(bytes));
  file->pending.push_back({true, bytes, {}});
  file->allocated_bytes = std::min(file->allocated_bytes, bytes);
  file->modified_ms = wall_ms;
  file->charge();
}

Status SimDisk::allocate(SimNode* file, int64_t end) {
  const int64_t takes = std::max(file->bytes(), file->allocated_bytes);
  if (end <= takes) return Status::good();
  if (end - takes > capacity_bytes - used_bytes_) return fail(Code::kNoSpace, ENOSPC);
  file->allocated_bytes = end;
  file->charge();
  return Status::good();
}

void SimDisk::sync(SimNode* file) {
  for (const SimEffect& effect : file->pending) apply(effect, &file->durable);
  file->pending.clear();
}

void SimDisk::sync_and_lose(SimNode* file) {
  file->durable = survivors(*file);
  file->pending.clear();
}

void SimDisk::flip_bit(SimNode* file, int64_t bit) {
  const size_t byte = static_cast<size_t>(bit / 8);
  const uint8_t mask = static_cast<uint8_t>(1u << bit % 8);
  if (byte < file->now.size()) file->now[byte] ^= mask;
  if (byte < file->durable.size()) file->durable[byte] ^= mask;
}

// ---- crash ----

// Any version of each sector, any of the lengths. A truncate whose length is lost is lost with its
// zeros.
std::vector<uint8_t> SimDisk::scattered(const SimNode& file) {
  int64_t bytes = static_cast<int64_t>(file.durable.size());
  std::vector<std::pair<size_t, int64_t>> lengths = {{0, bytes}};  // (effects up to here, length)
  std::map<int64_t, uint64_t> kept;                                // sector → versions to apply
  for (size_t i = 0; i < file.pending.size(); i += 1) {
    const SimEffect& effect = file.pending[i];
    const int64_t next = effect.is_truncate ? effect.position : std::max(bytes, effect.end());
    if (next != bytes) lengths.push_back({i + 1, next});
    bytes = next;
    for_each_sector(effect, [&](int64_t sector, int64_t, int64_t) { kept[sector] += 1; });
  }
  for (auto& [sector, versions] : kept) versions = random_->below(versions + 1);
  const auto [last_change, length] = lengths[random_->below(lengths.size())];
  std::vector<uint8_t> left = file.durable;
  for (size_t i = 0; i < file.pending.size(); i += 1) {
    const SimEffect& effect = file.pending[i];
    if (effect.is_truncate) {
      if (i < last_change) apply(effect, &left);
      continue;
    }
    for_each_sector(effect, [&](int64_t sector, int64_t offset, int64_t piece) {
      if (kept[sector] == 0) return;
      kept[sector] -= 1;
      put(&left, effect.bytes.data() + offset, piece, effect.position + offset);
    });
  }
  left.resize(static_cast<size_t>(length));
  return left;
}

std::vector<uint8_t> SimDisk::survivors(const SimNode& file) {
  if (file.pending.empty()) return file.durable;
  enum { kAll, kNone, kPrefix, kScattered, kWays };
  const uint64_t way = random_->below(kWays);
  if (way == kScattered) return scattered(file);
  std::vector<uint8_t> left = file.durable;
  if (way == kNone) return left;
  const size_t count = way == kAll ? file.pending.size() : random_->below(file.pending.size() + 1);
  for (size_t i = 0; i < count; i += 1) apply(file.pending[i], &left);
  if (count < file.pending.size()) {
    // The first write that did not make it whole: its leading sectors.
    const SimEffect& torn = file.pending[count];
    uint64_t sectors = 0;
    for_each_sector(torn, [&](int64_t, int64_t, int64_t) { sectors += 1; });
    sectors = sectors == 0 ? 0 : random_->below(sectors);
    for_each_sector(torn, [&](int64_t, int64_t offset, int64_t piece) {
      if (sectors == 0) return;
      sectors -= 1;
      put(&left, torn.bytes.data() + offset, piece, torn.position + offset);
    });
  }
  return left;
}

void SimDisk::crash_names() {
  enum { kAll, kNone, kPrefix, kSubset, kWays };
  const uint64_t way = random_->below(kWays);
  const size_t prefix = changes_.empty() ? 0 : random_->below(changes_.size() + 1);
  std::vector<bool> survives(changes_.size());
  for (size_t i = 0; i < changes_.size(); i += 1) {
    survives[i] =
        way == kAll || (way == kPrefix && i < prefix) || (way == kSubset && random_->below(2) == 0);
  }
  // A change takes the earlier ones of its node with it: nothing is ever under two names.
  std::set<const SimNode*> taken;
  for (size_t i = changes_.size(); i-- > 0;) {
    if (survives[i]) taken.insert(changes_[i].node.get());
    survives[i] = taken.contains(changes_[i].node.get());
  }
  for (size_t i = 0; i < changes_.size(); i += 1) {
    if (survives[i]) changes_[i].apply();
  }
  changes_.clear();
}

void SimDisk::crash_below(SimNode* directory) {
  directory->entries = directory->durable_entries;
  for (const auto& [name, node] : directory->entries) {
    if (node->is_directory) {
      crash_below(node.get());
      continue;
    }
    node->durable = survivors(*node);
    node->now = node->durable;
    node->pending.clear();
    node->allocated_bytes = 0;
    node->is_linked = true;
    node->charge();
  }
}

void SimDisk::crash() {
  crash_names();
  crash_below(root_.get());
}

}  // namespace ottla
