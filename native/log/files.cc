// Text in, text out, strict as Kafka's readers are: a checkpoint that does not add up is kCorrupt.
#include "files.h"

#include <charconv>
#include <cstdio>
#include <cstring>

namespace ottla {

namespace {

constexpr size_t kDirectoryNameMax = 255;
constexpr std::string_view kUuidAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

template <typename T>
bool parse_number(std::string_view text, T* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// Takes the next line off `text`; false at the end.
bool take_line(std::string_view* text, std::string_view* line) {
  if (text->empty()) return false;
  const size_t end = text->find('\n');
  *line = text->substr(0, end);
  *text = end == std::string_view::npos ? std::string_view() : text->substr(end + 1);
  return true;
}

// Splits at blanks; returns how many fields there are (at most `max` are stored).
size_t split_fields(std::string_view line, std::string_view* fields, size_t max) {
  size_t count = 0;
  while (!line.empty()) {
    const size_t start = line.find_first_not_of(" \t\r");
    if (start == std::string_view::npos) break;
    const size_t end = line.find_first_of(" \t\r", start);
    if (count < max) fields[count] = line.substr(start, end - start);
    count += 1;
    line = end == std::string_view::npos ? std::string_view() : line.substr(end);
  }
  return count;
}

Status malformed() { return Status::fail(Code::kCorrupt, "checkpoint file is malformed"); }

// The frame of every checkpoint: version, count, that many lines of `width` fields, nothing else.
template <typename Take>
Status parse_checkpoint(std::string_view text, size_t width, const Take& take) {
  std::string_view line;
  int32_t version = -1;
  int64_t count = -1;
  if (!take_line(&text, &line) || !parse_number(line, &version)) return malformed();
  if (version != 0) return Status::fail(Code::kCorrupt, "checkpoint version is unknown");
  if (!take_line(&text, &line) || !parse_number(line, &count) || count < 0) return malformed();
  for (int64_t i = 0; i < count; i += 1) {
    std::string_view fields[3];
    if (!take_line(&text, &line) || split_fields(line, fields, 3) != width || !take(fields)) {
      return malformed();
    }
  }
  return text.empty() ? Status::good() : malformed();
}

std::string checkpoint_head(size_t count) { return "0\n" + std::to_string(count) + "\n"; }

}  // namespace

std::string offset_name(int64_t offset) {
  char text[24];
  std::snprintf(text, sizeof text, "%020lld", static_cast<long long>(offset));
  return text;
}

std::string segment_path(const std::string& directory, int64_t base_offset,
                         std::string_view suffix) {
  std::string path = directory;
  path += '/';
  path += offset_name(base_offset);
  path += suffix;
  return path;
}

std::optional<SegmentFile> parse_segment_file(std::string_view name) {
  SegmentFile file;
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos || dot > 20 ||
      !parse_number(name.substr(0, dot), &file.offset) || file.offset < 0) {
    return std::nullopt;
  }
  std::string_view suffix = name.substr(dot);
  for (const auto& [text, state] :
       {std::pair{kDeletedSuffix, FileState::kDeleted},
        std::pair{kCleanedSuffix, FileState::kCleaned}, std::pair{kSwapSuffix, FileState::kSwap}}) {
    if (!suffix.ends_with(text)) continue;
    file.state = state;
    suffix.remove_suffix(std::strlen(text));
    break;
  }
  for (const auto& [text, kind] :
       {std::pair{kLogSuffix, FileKind::kLog}, std::pair{kIndexSuffix, FileKind::kIndex},
        std::pair{kTimeIndexSuffix, FileKind::kTimeIndex},
        std::pair{kTxnIndexSuffix, FileKind::kTxnIndex},
        std::pair{kSnapshotSuffix, FileKind::kSnapshot}}) {
    if (suffix != text) continue;
    file.kind = kind;
    return file;
  }
  return std::nullopt;
}

std::optional<PartitionDirectory> parse_partition_directory(std::string_view name) {
  PartitionDirectory directory;
  for (const auto& [suffix, kind] :
       {std::pair{"-delete", DirectoryKind::kDelete}, std::pair{"-future", DirectoryKind::kFuture},
        std::pair{"-stray", DirectoryKind::kStray}}) {
    const size_t dot = name.rfind('.');
    if (!name.ends_with(suffix) || dot == std::string_view::npos) continue;
    directory.kind = kind;
    name = name.substr(0, dot);
    break;
  }
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  if (!parse_number(name.substr(dash + 1), &directory.partition) || directory.partition < 0) {
    return std::nullopt;
  }
  directory.topic = name.substr(0, dash);
  return directory;
}

std::string partition_directory(std::string_view topic, int32_t partition) {
  return std::string(topic) + "-" + std::to_string(partition);
}

std::string deleted_directory_name(std::string_view topic, int32_t partition, Io& io) {
  char suffix[64];
  std::snprintf(suffix, sizeof suffix, "-%d.%016llx%016llx-delete", partition,
                static_cast<unsigned long long>(io.random()),
                static_cast<unsigned long long>(io.random()));
  return std::string(topic.substr(0, kDirectoryNameMax - std::strlen(suffix))) + suffix;
}

Status read_file(Io& io, const std::string& path, std::string* text) {
  Handle file = kNoHandle;
  OTTLA_TRY(io.open(path, OpenMode::kRead, &file));
  int64_t bytes = 0;
  Status status = io.file_bytes(file, &bytes);
  if (status.ok()) {
    text->resize(static_cast<size_t>(bytes));
    size_t got = 0;
    status = io.read(file, text->data(), text->size(), 0, &got);
    text->resize(got);
  }
  const Status closed = io.close(file);
  return status.ok() ? closed : status;
}

std::string parent_directory(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

Status remove_directory(Io& io, const std::string& path) {
  std::vector<std::string> names;
  const Status listed = io.list(path, &names);
  if (listed.code == Code::kNotFound) return Status::good();
  OTTLA_TRY(listed);
  for (const std::string& name : names) {
    const Status status = io.remove(path + "/" + name);
    if (status.code != Code::kNotFound) OTTLA_TRY(status);
  }
  return io.remove(path);
}

namespace {

Status write_temporary(Io& io, const std::string& temporary, std::string_view text, bool synced) {
  Handle file = kNoHandle;
  OTTLA_TRY(io.open(temporary, OpenMode::kTruncate, &file));
  Status status = io.write(file, text.data(), text.size(), 0);
  if (status.ok() && synced) status = io.sync(file);
  const Status closed = io.close(file);
  OTTLA_TRY(status);
  return closed;
}

}  // namespace

Status write_file(Io& io, const std::string& path, std::string_view text) {
  OTTLA_TRY(write_temporary(io, path + kTemporarySuffix, text, false));
  return io.rename(path + kTemporarySuffix, path);
}

Status replace_file(Io& io, const std::string& path, std::string_view text) {
  OTTLA_TRY(write_temporary(io, path + kTemporarySuffix, text, true));
  return io.replace(path + kTemporarySuffix, path);
}

std::string format_offset_checkpoint(const std::vector<PartitionOffset>& entries) {
  std::string text = checkpoint_head(entries.size());
  for (const PartitionOffset& entry : entries) {
    text += entry.topic + " " + std::to_string(entry.partition) + " " +
            std::to_string(entry.offset) + "\n";
  }
  return text;
}

Status parse_offset_checkpoint(std::string_view text, std::vector<PartitionOffset>* entries) {
  entries->clear();
  return parse_checkpoint(text, 3, [entries](const std::string_view* fields) {
    PartitionOffset entry;
    entry.topic = fields[0];
    if (!parse_number(fields[1], &entry.partition) || !parse_number(fields[2], &entry.offset)) {
      return false;
    }
    entries->push_back(std::move(entry));
    return true;
  });
}

std::string format_epoch_checkpoint(const std::vector<EpochEntry>& entries) {
  std::string text = checkpoint_head(entries.size());
  for (const EpochEntry& entry : entries) {
    text += std::to_string(entry.epoch) + " " + std::to_string(entry.start_offset) + "\n";
  }
  return text;
}

Status parse_epoch_checkpoint(std::string_view text, std::vector<EpochEntry>* entries) {
  entries->clear();
  return parse_checkpoint(text, 2, [entries](const std::string_view* fields) {
    EpochEntry entry;
    if (!parse_number(fields[0], &entry.epoch) || !parse_number(fields[1], &entry.start_offset)) {
      return false;
    }
    entries->push_back(entry);
    return true;
  });
}

std::string format_partition_metadata(const uint8_t topic_id[16]) {
  return "version: 0\ntopic_id: " + uuid_text(topic_id);
}

Status parse_partition_metadata(std::string_view text, uint8_t topic_id[16]) {
  std::string_view line;
  if (!take_line(&text, &line) || line != "version: 0") {
    return Status::fail(Code::kCorrupt, "partition.metadata version is unknown");
  }
  constexpr std::string_view kKey = "topic_id: ";
  if (!take_line(&text, &line) || !line.starts_with(kKey) ||
      !parse_uuid(line.substr(kKey.size()), topic_id)) {
    return Status::fail(Code::kCorrupt, "partition.metadata has no topic id");
  }
  return Status::good();
}

// 16 bytes are 21 groups of six bits and two bits over.
std::string uuid_text(const uint8_t uuid[16]) {
  std::string text;
  uint32_t bits = 0;
  int held = 0;
  for (int i = 0; i < 16; i += 1) {
    bits = (bits << 8) | uuid[i];
    for (held += 8; held >= 6; held -= 6) text += kUuidAlphabet[(bits >> (held - 6)) & 63];
  }
  text += kUuidAlphabet[(bits << 4) & 63];
  return text;
}

bool parse_uuid(std::string_view text, uint8_t uuid[16]) {
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() != 22) return false;
  uint32_t bits = 0;
  int held = 0, at = 0;
  for (const char c : text) {
    const size_t digit = kUuidAlphabet.find(c);
    if (digit == std::string_view::npos) return false;
    bits = (bits << 6) | static_cast<uint32_t>(digit);
    held += 6;
    if (held >= 8 && at < 16) {
      held -= 8;
      uuid[at++] = static_cast<uint8_t>(bits >> held);
    }
  }
  return at == 16;
}

}  // namespace ottla
