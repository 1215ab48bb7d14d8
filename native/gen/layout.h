// Written by `npm run gen` from src/plane/layout.ts, where the meaning of each row is. Do not edit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ottla {

namespace fact {
constexpr uint16_t kConnected = 1;
constexpr uint16_t kDisconnected = 2;
constexpr uint16_t kRequest = 3;
constexpr uint16_t kResponse = 4;
constexpr uint16_t kDialled = 5;
constexpr uint16_t kDone = 6;
constexpr uint16_t kData = 7;
constexpr uint16_t kHighWatermark = 8;
constexpr uint16_t kCaughtUp = 9;
constexpr uint16_t kFenced = 10;
constexpr uint16_t kVerdictNeeded = 11;
constexpr uint16_t kDirectoryFailed = 12;
constexpr uint16_t kStalled = 13;
constexpr uint16_t kOverflow = 14;
constexpr uint16_t kAdmissionNeeded = 15;
}  // namespace fact

namespace fact_offset {
constexpr size_t kKind = 0;
constexpr size_t kFlags = 2;
constexpr size_t kStatus = 4;
constexpr size_t kSlot = 8;
constexpr size_t kEpoch = 12;
constexpr size_t kTicket = 16;
constexpr size_t kA = 24;
constexpr size_t kB = 32;
constexpr size_t kC = 40;
constexpr size_t kBodyOffset = 48;
constexpr size_t kBodyBytes = 52;
constexpr size_t kD = 56;
}  // namespace fact_offset

namespace fact_flag {
constexpr uint16_t kLargeBody = 1;
}  // namespace fact_flag

namespace ring_offset {
constexpr size_t kHead = 0;
constexpr size_t kTail = 64;
constexpr size_t kIdle = 128;
constexpr size_t kSlabTail = 192;
}  // namespace ring_offset

namespace column {
constexpr size_t kSequence = 0;
constexpr size_t kLogStartOffset = 1;
constexpr size_t kLogEndOffset = 2;
constexpr size_t kHighWatermark = 3;
constexpr size_t kLastStableOffset = 4;
constexpr size_t kLeaderEpoch = 5;
constexpr size_t kBytes = 6;
constexpr size_t kSegments = 7;
constexpr size_t kRecoveryPoint = 8;
constexpr size_t kIsLeader = 9;
constexpr size_t kIncarnation = 10;
constexpr size_t kIsOffline = 11;
constexpr size_t kProducers = 12;
constexpr size_t kBytesIn = 13;
constexpr size_t kBytesOut = 14;
constexpr size_t kMessagesIn = 15;
}  // namespace column

namespace counter {
constexpr size_t kConnectionsAccepted = 0;
constexpr size_t kConnectionsOpen = 1;
constexpr size_t kConnectionsRefused = 2;
constexpr size_t kConnectionsIdleClosed = 3;
constexpr size_t kRequestsProduce = 4;
constexpr size_t kRequestsFetch = 5;
constexpr size_t kRequestsForwarded = 6;
constexpr size_t kBytesReceived = 7;
constexpr size_t kBytesSent = 8;
constexpr size_t kFramesMalformed = 9;
constexpr size_t kProduceBytes = 10;
constexpr size_t kProduceRecords = 11;
constexpr size_t kProduceRejected = 12;
constexpr size_t kFetchBytes = 13;
constexpr size_t kFetchRejected = 14;
constexpr size_t kFetchWaiting = 15;
constexpr size_t kProduceWaiting = 16;
constexpr size_t kFetchSessions = 17;
constexpr size_t kFetchSessionEvictions = 18;
constexpr size_t kMailboxFull = 19;
constexpr size_t kRingFull = 20;
constexpr size_t kTurns = 21;
constexpr size_t kTurnMicrosecondsMax = 22;
constexpr size_t kInvalidCrc = 23;
constexpr size_t kInvalidMagic = 24;
constexpr size_t kInvalidSequence = 25;
constexpr size_t kNoKeyCompacted = 26;
constexpr size_t kStaleCommands = 27;
constexpr size_t kProduceRefusedFull = 28;
}  // namespace counter

namespace lookup {
constexpr int32_t kTimestamp = 0;
constexpr int32_t kMaxTimestamp = 1;
constexpr int32_t kEpochEnd = 2;
constexpr int32_t kOldestSegment = 3;
}  // namespace lookup

namespace retire {
constexpr int32_t kClose = 0;
constexpr int32_t kDelete = 1;
}  // namespace retire

namespace topic_operation {
constexpr int32_t kWrite = 0;
constexpr int32_t kRead = 1;
constexpr int32_t kDescribe = 2;
}  // namespace topic_operation

enum class DisconnectReason : int32_t {
  kPeer = 0,
  kMalformed = 1,
  kTooLarge = 2,
  kIdle = 3,
  kLimit = 4,
  kAsked = 5,
  kUnsupported = 6,
  kProduceFailed = 7,
  kShutdown = 8,
};

constexpr size_t kFactBytes = 64;
constexpr size_t kRingHeaderBytes = 256;
constexpr size_t kPartitionColumns = 16;
constexpr int32_t kPartitionRowsPerChunk = 1024;
constexpr size_t kCounterColumns = 32;

static_assert(56 + sizeof(double) <= kFactBytes, "a fact holds its fields");
static_assert(192 + 64 <= kRingHeaderBytes, "cursors have lines of their own");
static_assert(15 < kPartitionColumns, "a row holds its columns");
static_assert(28 < kCounterColumns, "a row holds its counters");

}  // namespace ottla
