// The names of everything in a log directory, the small text files Kafka keeps there, and the one
// way to replace a file so that a crash leaves the old or the new one. Kafka: LogFileUtils,
// UnifiedLog.parseTopicPartitionName, CheckpointFile, PartitionMetadataFile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../base/bytes.h"
#include "../io/io.h"

namespace ottla {

inline constexpr std::string_view kLogSuffix = ".log";
inline constexpr std::string_view kIndexSuffix = ".index";
inline constexpr std::string_view kTimeIndexSuffix = ".timeindex";
inline constexpr std::string_view kTxnIndexSuffix = ".txnindex";
inline constexpr std::string_view kSnapshotSuffix = ".snapshot";
inline constexpr char kDeletedSuffix[] = ".deleted";
inline constexpr char kCleanedSuffix[] = ".cleaned";
inline constexpr char kSwapSuffix[] = ".swap";
inline constexpr char kTemporarySuffix[] = ".tmp";

inline constexpr char kCleanShutdownFile[] = ".kafka_cleanshutdown";
inline constexpr char kRecoveryPointFile[] = "recovery-point-offset-checkpoint";
inline constexpr char kLogStartFile[] = "log-start-offset-checkpoint";
inline constexpr char kHighWatermarkFile[] = "replication-offset-checkpoint";
inline constexpr char kLeaderEpochFile[] = "leader-epoch-checkpoint";
inline constexpr char kPartitionMetadataFile[] = "partition.metadata";

// "00000000000000000042"
std::string offset_name(int64_t offset);
std::string segment_path(const std::string& directory, int64_t base_offset,
                         std::string_view suffix);

enum class FileKind : uint8_t { kLog, kIndex, kTimeIndex, kTxnIndex, kSnapshot };
enum class FileState : uint8_t { kLive, kDeleted, kCleaned, kSwap };
// A segment's file by its name; nothing for names that are not one.
struct SegmentFile {
  int64_t offset = 0;
  FileKind kind = FileKind::kLog;
  FileState state = FileState::kLive;
};
std::optional<SegmentFile> parse_segment_file(std::string_view name);

// <topic>-<partition>, <topic>-<partition>.<uuid>-delete|-future|-stray
enum class DirectoryKind : uint8_t { kLive, kDelete, kFuture, kStray };
struct PartitionDirectory {
  std::string topic;
  int32_t partition = 0;
  DirectoryKind kind = DirectoryKind::kLive;
};
std::optional<PartitionDirectory> parse_partition_directory(std::string_view name);
std::string partition_directory(std::string_view topic, int32_t partition);
// The name to give a directory before deleting it, at most 255 bytes long.
std::string deleted_directory_name(std::string_view topic, int32_t partition, Io& io);

// Whole small files. A missing one is kNotFound.
Status read_file(Io& io, const std::string& path, std::string* text);
// Writes <path>.tmp and renames it over `path`: whole for readers, but a crash of the machine may
// leave anything.
Status write_file(Io& io, const std::string& path, std::string_view text);
// Writes <path>.tmp, syncs it, renames it over `path`, syncs the directory.
Status replace_file(Io& io, const std::string& path, std::string_view text);
// Everything in a directory, then the directory; missing is fine.
Status remove_directory(Io& io, const std::string& path);
std::string parent_directory(const std::string& path);

// "0\n<count>\n<topic> <partition> <offset>\n…": recovery points, log starts, high watermarks.
struct PartitionOffset {
  std::string topic;
  int32_t partition = 0;
  int64_t offset = 0;
};
std::string format_offset_checkpoint(const std::vector<PartitionOffset>& entries);
Status parse_offset_checkpoint(std::string_view text, std::vector<PartitionOffset>* entries);

// "0\n<count>\n<epoch> <start offset>\n…"
struct EpochEntry {
  int32_t epoch = 0;
  int64_t start_offset = 0;
  bool operator==(const EpochEntry&) const = default;
};
std::string format_epoch_checkpoint(const std::vector<EpochEntry>& entries);
Status parse_epoch_checkpoint(std::string_view text, std::vector<EpochEntry>* entries);

// "version: 0\ntopic_id: <base64url uuid>"
std::string format_partition_metadata(const uint8_t topic_id[16]);
Status parse_partition_metadata(std::string_view text, uint8_t topic_id[16]);

// Kafka's Uuid.toString: base64url without padding, 22 characters.
std::string uuid_text(const uint8_t uuid[16]);
bool parse_uuid(std::string_view text, uint8_t uuid[16]);

}  // namespace ottla
