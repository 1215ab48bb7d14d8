// Written by `npm run gen` from src/protocol/. Do not edit.
//
// Reading. Give a ByteReader over the body and the version; everything is checked in one pass:
//
//   ByteReader in(body);
//   FetchRequest request;
//   if (!request.read(in, version)) return close_connection();
//   FetchRequest::Topic topic;
//   FetchRequest::Partition partition;
//   for (auto topics = request.topics; topics.next(&topic);)
//     for (auto partitions = topic.partitions; partitions.next(&partition);) use(partition);
//
// Views (strings, Bytes, arrays) point into the body; null has data() == nullptr, a null array has
// count -1. Fields that a version lacks have their defaults. Unknown tagged fields are passed over.
//
// Writing. A struct is written in parts, write_to_X up to and with the count (X.count, -1 for null)
// or length of X, then the caller writes the X, then the next part; write_rest ends the struct:
//
//   response.responses.count = 1;            response.write_to_responses(sink, version);
//   topic.partitions.count = 1;              topic.write_to_partitions(sink, version);
//   partition.aborted_transactions.count = -1;
//   partition.write_to_aborted_transactions(sink, version);
//   partition.write_to_records(sink, version, slice_bytes);   // then the records themselves
//   partition.write_rest(sink, version);     // tags
//   topic.write_rest(sink, version);         response.write_rest(sink, version, node_endpoints);
//
// A Sink has `uint8_t* reserve(size_t)` (null: no room) and `void commit(uint8_t* end)`; here are one
// over a vector and one over a fixed span. Every writer returns false when there was no room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "../base/bytes.h"

namespace ottla::gen {

struct Uuid {
  uint8_t bytes[16] = {};
  bool operator==(const Uuid&) const = default;
  bool is_zero() const { return *this == Uuid{}; }
};

// Appends to a vector, which keeps its capacity from response to response.
class VectorSink {
 public:
  explicit VectorSink(std::vector<uint8_t>& out) : out_(out), used_(out.size()) {}
  uint8_t* reserve(size_t bytes) {
    used_ = out_.size();
    out_.resize(used_ + bytes);
    return out_.data() + used_;
  }
  void commit(uint8_t* end) { out_.resize(static_cast<size_t>(end - out_.data())); }

 private:
  std::vector<uint8_t>& out_;
  size_t used_;
};

// Fills a fixed span and refuses what does not fit.
class SpanSink {
 public:
  explicit SpanSink(MutableBytes out) : at_(out.data()), left_(out.size()) {}
  uint8_t* reserve(size_t bytes) { return bytes <= left_ ? at_ : nullptr; }
  void commit(uint8_t* end) {
    left_ -= static_cast<size_t>(end - at_);
    at_ = end;
  }
  uint8_t* end() const { return at_; }

 private:
  uint8_t* at_;
  size_t left_;
};

// ---- reading ----

inline constexpr int64_t kStringBytesMax = INT16_MAX;

inline std::string_view read_string(ByteReader& in, bool flexible, bool nullable) {
  const int64_t length = flexible ? int64_t{in.uvarint()} - 1 : in.i16();
  if (length < 0 || length > kStringBytesMax) {
    if (length > 0 || !nullable) in.fail();
    return {};
  }
  return as_text(in.take(length));
}

inline Bytes read_bytes(ByteReader& in, bool flexible, bool nullable) {
  const int64_t length = flexible ? int64_t{in.uvarint()} - 1 : in.i32();
  if (length < 0) {
    if (!nullable) in.fail();
    return {};
  }
  return in.take(length);
}

inline Uuid read_uuid(ByteReader& in) {
  Uuid uuid;
  const Bytes bytes = in.take(sizeof uuid.bytes);
  if (in.ok()) std::memcpy(uuid.bytes, bytes.data(), sizeof uuid.bytes);
  return uuid;
}

inline void skip_tags(ByteReader& in) {
  for (uint32_t tags = in.uvarint(); tags > 0 && in.ok(); --tags) {
    (void)in.uvarint();
    in.skip(in.uvarint());
  }
}

inline bool read_element(ByteReader& in, int16_t, int32_t* element) {
  *element = in.i32();
  return in.ok();
}
template <typename T>
bool read_element(ByteReader& in, int16_t version, T* element) {
  return element->read(in, version);
}

// The elements of an array where they lie. Copies iterate on their own.
template <typename T>
struct Array {
  int32_t count = 0;  // -1: null
  int16_t version = 0;
  Bytes bytes;  // all elements

  // The next element, or false at the end. The bytes were checked when the message was read.
  bool next(T* element) {
    if (count <= 0) return false;
    ByteReader in(bytes);
    if (!read_element(in, version, element)) return false;
    --count;
    bytes = bytes.last(in.left());
    return true;
  }
};

// Checks every element. A count that cannot fit into what is left is refused before the first.
template <typename T>
void read_array(ByteReader& in, int16_t version, bool flexible, bool nullable, size_t bytes_min,
                Array<T>* array) {
  const int64_t count = flexible ? int64_t{in.uvarint()} - 1 : in.i32();
  *array = Array<T>{-1, version, {}};
  if (!in.ok() || (count < 0 && nullable)) return;
  if (count < 0 || static_cast<uint64_t>(count) > in.left() / bytes_min) return in.fail();
  const uint8_t* begin = in.at();
  T element;
  for (int64_t i = 0; i < count; ++i) {
    if (!read_element(in, version, &element)) return in.fail();
  }
  array->count = static_cast<int32_t>(count);
  array->bytes = Bytes(begin, static_cast<size_t>(in.at() - begin));
}

// ---- writing: the caller has reserved the room ----

inline uint8_t* put_i8(uint8_t* p, int8_t value) {
  *p = static_cast<uint8_t>(value);
  return p + 1;
}
inline uint8_t* put_i16(uint8_t* p, int16_t value) {
  store_i16(p, value);
  return p + 2;
}
inline uint8_t* put_u16(uint8_t* p, uint16_t value) {
  store_u16(p, value);
  return p + 2;
}
inline uint8_t* put_i32(uint8_t* p, int32_t value) {
  store_i32(p, value);
  return p + 4;
}
inline uint8_t* put_u32(uint8_t* p, uint32_t value) {
  store_u32(p, value);
  return p + 4;
}
inline uint8_t* put_i64(uint8_t* p, int64_t value) {
  store_i64(p, value);
  return p + 8;
}
inline uint8_t* put_uvarint(uint8_t* p, uint32_t value) {
  for (; value >= 0x80; value >>= 7) *p++ = static_cast<uint8_t>(value | 0x80);
  *p++ = static_cast<uint8_t>(value);
  return p;
}
inline uint8_t* put_uuid(uint8_t* p, const Uuid& uuid) {
  std::memcpy(p, uuid.bytes, sizeof uuid.bytes);
  return p + sizeof uuid.bytes;
}
// A count or a length; -1 is null.
inline uint8_t* put_length32(uint8_t* p, bool flexible, int32_t length) {
  return flexible ? put_uvarint(p, static_cast<uint32_t>(length + 1)) : put_i32(p, length);
}
inline uint8_t* put_raw(uint8_t* p, const void* from, size_t bytes) {
  if (bytes > 0) std::memcpy(p, from, bytes);
  return p + bytes;
}
inline uint8_t* put_string(uint8_t* p, bool flexible, bool nullable, std::string_view text) {
  const bool is_null = nullable && text.data() == nullptr;
  const int16_t length = is_null ? int16_t{-1} : static_cast<int16_t>(text.size());
  p = flexible ? put_uvarint(p, static_cast<uint32_t>(length + 1)) : put_i16(p, length);
  return put_raw(p, text.data(), text.size());
}
inline uint8_t* put_array(uint8_t* p, bool flexible, std::span<const int32_t> values) {
  p = put_length32(p, flexible, static_cast<int32_t>(values.size()));
  for (const int32_t value : values) p = put_i32(p, value);
  return p;
}
template <typename T>
size_t size_of_all(std::span<const T> elements) {
  size_t total = 0;
  for (const T& element : elements) total += element.size();
  return total;
}

// ---- apis ----

inline constexpr int16_t kProduceKey = 0;
inline constexpr int16_t kFetchKey = 1;
inline constexpr int16_t kListOffsetsKey = 2;
inline constexpr int16_t kMetadataKey = 3;
inline constexpr int16_t kLeaderAndIsrKey = 4;
inline constexpr int16_t kStopReplicaKey = 5;
inline constexpr int16_t kUpdateMetadataKey = 6;
inline constexpr int16_t kControlledShutdownKey = 7;
inline constexpr int16_t kOffsetCommitKey = 8;
inline constexpr int16_t kOffsetFetchKey = 9;
inline constexpr int16_t kFindCoordinatorKey = 10;
inline constexpr int16_t kJoinGroupKey = 11;
inline constexpr int16_t kHeartbeatKey = 12;
inline constexpr int16_t kLeaveGroupKey = 13;
inline constexpr int16_t kSyncGroupKey = 14;
inline constexpr int16_t kDescribeGroupsKey = 15;
inline constexpr int16_t kListGroupsKey = 16;
inline constexpr int16_t kSaslHandshakeKey = 17;
inline constexpr int16_t kApiVersionsKey = 18;
inline constexpr int16_t kCreateTopicsKey = 19;
inline constexpr int16_t kDeleteTopicsKey = 20;
inline constexpr int16_t kDeleteRecordsKey = 21;
inline constexpr int16_t kInitProducerIdKey = 22;
inline constexpr int16_t kOffsetForLeaderEpochKey = 23;
inline constexpr int16_t kAddPartitionsToTxnKey = 24;
inline constexpr int16_t kAddOffsetsToTxnKey = 25;
inline constexpr int16_t kEndTxnKey = 26;
inline constexpr int16_t kWriteTxnMarkersKey = 27;
inline constexpr int16_t kTxnOffsetCommitKey = 28;
inline constexpr int16_t kDescribeAclsKey = 29;
inline constexpr int16_t kCreateAclsKey = 30;
inline constexpr int16_t kDeleteAclsKey = 31;
inline constexpr int16_t kDescribeConfigsKey = 32;
inline constexpr int16_t kAlterConfigsKey = 33;
inline constexpr int16_t kAlterReplicaLogDirsKey = 34;
inline constexpr int16_t kDescribeLogDirsKey = 35;
inline constexpr int16_t kSaslAuthenticateKey = 36;
inline constexpr int16_t kCreatePartitionsKey = 37;
inline constexpr int16_t kCreateDelegationTokenKey = 38;
inline constexpr int16_t kRenewDelegationTokenKey = 39;
inline constexpr int16_t kExpireDelegationTokenKey = 40;
inline constexpr int16_t kDescribeDelegationTokenKey = 41;
inline constexpr int16_t kDeleteGroupsKey = 42;
inline constexpr int16_t kElectLeadersKey = 43;
inline constexpr int16_t kIncrementalAlterConfigsKey = 44;
inline constexpr int16_t kAlterPartitionReassignmentsKey = 45;
inline constexpr int16_t kListPartitionReassignmentsKey = 46;
inline constexpr int16_t kOffsetDeleteKey = 47;
inline constexpr int16_t kDescribeClientQuotasKey = 48;
inline constexpr int16_t kAlterClientQuotasKey = 49;
inline constexpr int16_t kDescribeUserScramCredentialsKey = 50;
inline constexpr int16_t kAlterUserScramCredentialsKey = 51;
inline constexpr int16_t kVoteKey = 52;
inline constexpr int16_t kBeginQuorumEpochKey = 53;
inline constexpr int16_t kEndQuorumEpochKey = 54;
inline constexpr int16_t kDescribeQuorumKey = 55;
inline constexpr int16_t kAlterPartitionKey = 56;
inline constexpr int16_t kUpdateFeaturesKey = 57;
inline constexpr int16_t kEnvelopeKey = 58;
inline constexpr int16_t kFetchSnapshotKey = 59;
inline constexpr int16_t kDescribeClusterKey = 60;
inline constexpr int16_t kDescribeProducersKey = 61;
inline constexpr int16_t kBrokerRegistrationKey = 62;
inline constexpr int16_t kBrokerHeartbeatKey = 63;
inline constexpr int16_t kUnregisterBrokerKey = 64;
inline constexpr int16_t kDescribeTransactionsKey = 65;
inline constexpr int16_t kListTransactionsKey = 66;
inline constexpr int16_t kAllocateProducerIdsKey = 67;
inline constexpr int16_t kConsumerGroupHeartbeatKey = 68;
inline constexpr int16_t kConsumerGroupDescribeKey = 69;
inline constexpr int16_t kControllerRegistrationKey = 70;
inline constexpr int16_t kGetTelemetrySubscriptionsKey = 71;
inline constexpr int16_t kPushTelemetryKey = 72;
inline constexpr int16_t kAssignReplicasToDirsKey = 73;
inline constexpr int16_t kListConfigResourcesKey = 74;
inline constexpr int16_t kDescribeTopicPartitionsKey = 75;
inline constexpr int16_t kShareGroupHeartbeatKey = 76;
inline constexpr int16_t kShareGroupDescribeKey = 77;
inline constexpr int16_t kShareFetchKey = 78;
inline constexpr int16_t kShareAcknowledgeKey = 79;
inline constexpr int16_t kAddRaftVoterKey = 80;
inline constexpr int16_t kRemoveRaftVoterKey = 81;
inline constexpr int16_t kUpdateRaftVoterKey = 82;
inline constexpr int16_t kInitializeShareGroupStateKey = 83;
inline constexpr int16_t kReadShareGroupStateKey = 84;
inline constexpr int16_t kWriteShareGroupStateKey = 85;
inline constexpr int16_t kDeleteShareGroupStateKey = 86;
inline constexpr int16_t kReadShareGroupStateSummaryKey = 87;
inline constexpr int16_t kStreamsGroupHeartbeatKey = 88;
inline constexpr int16_t kStreamsGroupDescribeKey = 89;
inline constexpr int16_t kDescribeShareGroupOffsetsKey = 90;
inline constexpr int16_t kAlterShareGroupOffsetsKey = 91;
inline constexpr int16_t kDeleteShareGroupOffsetsKey = 92;

// Versions of every api by key; those with version_max below version_min are gone for good.
struct ApiRange {
  int16_t version_min;
  int16_t version_max;
  int16_t flexible_since;
};
inline constexpr int16_t kNeverFlexible = INT16_MAX;
inline constexpr int16_t kApiCount = 93;
inline constexpr ApiRange kApis[kApiCount] = {
    {3, 13, 9},  // Produce
    {4, 18, 12},  // Fetch
    {1, 11, 6},  // ListOffsets
    {0, 13, 9},  // Metadata
    {0, -1, kNeverFlexible},  // LeaderAndIsr
    {0, -1, kNeverFlexible},  // StopReplica
    {0, -1, kNeverFlexible},  // UpdateMetadata
    {0, -1, kNeverFlexible},  // ControlledShutdown
    {2, 10, 8},  // OffsetCommit
    {1, 10, 6},  // OffsetFetch
    {0, 6, 3},  // FindCoordinator
    {0, 9, 6},  // JoinGroup
    {0, 4, 4},  // Heartbeat
    {0, 5, 4},  // LeaveGroup
    {0, 5, 4},  // SyncGroup
    {0, 6, 5},  // DescribeGroups
    {0, 5, 3},  // ListGroups
    {0, 1, kNeverFlexible},  // SaslHandshake
    {0, 4, 3},  // ApiVersions
    {2, 7, 5},  // CreateTopics
    {1, 6, 4},  // DeleteTopics
    {0, 2, 2},  // DeleteRecords
    {0, 6, 2},  // InitProducerId
    {2, 4, 4},  // OffsetForLeaderEpoch
    {0, 5, 3},  // AddPartitionsToTxn
    {0, 4, 3},  // AddOffsetsToTxn
    {0, 5, 3},  // EndTxn
    {1, 2, 1},  // WriteTxnMarkers
    {0, 5, 3},  // TxnOffsetCommit
    {1, 3, 2},  // DescribeAcls
    {1, 3, 2},  // CreateAcls
    {1, 3, 2},  // DeleteAcls
    {1, 4, 4},  // DescribeConfigs
    {0, 2, 2},  // AlterConfigs
    {1, 2, 2},  // AlterReplicaLogDirs
    {1, 5, 2},  // DescribeLogDirs
    {0, 2, 2},  // SaslAuthenticate
    {0, 3, 2},  // CreatePartitions
    {1, 3, 2},  // CreateDelegationToken
    {1, 2, 2},  // RenewDelegationToken
    {1, 2, 2},  // ExpireDelegationToken
    {1, 3, 2},  // DescribeDelegationToken
    {0, 2, 2},  // DeleteGroups
    {0, 2, 2},  // ElectLeaders
    {0, 1, 1},  // IncrementalAlterConfigs
    {0, 1, 0},  // AlterPartitionReassignments
    {0, 0, 0},  // ListPartitionReassignments
    {0, 0, kNeverFlexible},  // OffsetDelete
    {0, 1, 1},  // DescribeClientQuotas
    {0, 1, 1},  // AlterClientQuotas
    {0, 0, 0},  // DescribeUserScramCredentials
    {0, 0, 0},  // AlterUserScramCredentials
    {0, 2, 0},  // Vote
    {0, 1, 1},  // BeginQuorumEpoch
    {0, 1, 1},  // EndQuorumEpoch
    {0, 2, 0},  // DescribeQuorum
    {2, 3, 0},  // AlterPartition
    {0, 2, 0},  // UpdateFeatures
    {0, 0, 0},  // Envelope
    {0, 1, 0},  // FetchSnapshot
    {0, 2, 0},  // DescribeCluster
    {0, 0, 0},  // DescribeProducers
    {0, 4, 0},  // BrokerRegistration
    {0, 2, 0},  // BrokerHeartbeat
    {0, 0, 0},  // UnregisterBroker
    {0, 0, 0},  // DescribeTransactions
    {0, 2, 0},  // ListTransactions
    {0, 0, 0},  // AllocateProducerIds
    {0, 1, 0},  // ConsumerGroupHeartbeat
    {0, 1, 0},  // ConsumerGroupDescribe
    {0, 0, 0},  // ControllerRegistration
    {0, 0, 0},  // GetTelemetrySubscriptions
    {0, 0, 0},  // PushTelemetry
    {0, 0, 0},  // AssignReplicasToDirs
    {0, 1, 0},  // ListConfigResources
    {0, 0, 0},  // DescribeTopicPartitions
    {1, 1, 0},  // ShareGroupHeartbeat
    {1, 1, 0},  // ShareGroupDescribe
    {1, 2, 0},  // ShareFetch
    {1, 2, 0},  // ShareAcknowledge
    {0, 1, 0},  // AddRaftVoter
    {0, 0, 0},  // RemoveRaftVoter
    {0, 0, 0},  // UpdateRaftVoter
    {0, 0, 0},  // InitializeShareGroupState
    {0, 0, 0},  // ReadShareGroupState
    {0, 1, 0},  // WriteShareGroupState
    {0, 0, 0},  // DeleteShareGroupState
    {0, 1, 0},  // ReadShareGroupStateSummary
    {0, 0, 0},  // StreamsGroupHeartbeat
    {0, 0, 0},  // StreamsGroupDescribe
    {0, 1, 0},  // DescribeShareGroupOffsets
    {0, 0, 0},  // AlterShareGroupOffsets
    {0, 0, 0},  // DeleteShareGroupOffsets
};

// Header versions. A key we do not know has the old form, which is all a refusal needs.
constexpr int16_t request_header_version(int16_t api_key, int16_t version) {
  if (api_key < 0 || api_key >= kApiCount) return 1;
  return version >= kApis[api_key].flexible_since ? 2 : 1;
}
constexpr int16_t response_header_version(int16_t api_key, int16_t version) {
  if (api_key == kApiVersionsKey) return 0;  // the client cannot know more yet
  return static_cast<int16_t>(request_header_version(api_key, version) - 1);
}

struct RequestHeader {
  static constexpr int16_t kVersionMin = 1;
  static constexpr int16_t kVersionMax = 2;
  static constexpr int16_t kFlexibleSince = 2;
  static constexpr bool is_flexible(int16_t version) { return version >= kFlexibleSince; }

  int16_t request_api_key = 0;
  int16_t request_api_version = 0;
  int32_t correlation_id = 0;
  std::string_view client_id;

  // Reads and checks everything; false when malformed. Views point into the bytes of `in`.
  bool read(ByteReader& in, int16_t version) {
    if (version < kVersionMin || version > kVersionMax) return false;
    const bool flexible = is_flexible(version);
    *this = RequestHeader{};
    request_api_key = in.i16();
    request_api_version = in.i16();
    correlation_id = in.i32();
    client_id = read_string(in, false, true);
    if (flexible) skip_tags(in);
    return in.ok();
  }

  template <typename Sink>
  bool write(Sink& sink, int16_t version) const {
    const bool flexible = is_flexible(version);
    uint8_t* p = sink.reserve(13 + 3 + client_id.size());
    if (p == nullptr) return false;
    p = put_i16(p, request_api_key);
    p = put_i16(p, request_api_version);
    p = put_i32(p, correlation_id);
    p = put_string(p, false, true, client_id);
    if (flexible) *p++ = 0;
    sink.commit(p);
    return true;
  }
};

struct ResponseHeader {
  static constexpr int16_t kVersionMin = 0;
  static constexpr int16_t kVersionMax = 1;
  static constexpr int16_t kFlexibleSince = 1;
  static constexpr bool is_flexible(int16_t version) { return version >= kFlexibleSince; }

  int32_t correlation_id = 0;

  // Reads and checks everything; false when malformed. Views point into the bytes of `in`.
  bool read(ByteReader& in, int16_t version) {
    if (version < kVersionMin || version > kVersionMax) return false;
    const bool flexible = is_flexible(version);
    *this = ResponseHeader{};
    correlation_id = in.i32();
    if (flexible) skip_tags(in);
    return in.ok();
  }

  template <typename Sink>
  bool write(Sink& sink, int16_t version) const {
    const bool flexible = is_flexible(version);
    uint8_t* p = sink.reserve(9);
    if (p == nullptr) return false;
    p = put_i32(p, correlation_id);
    if (flexible) *p++ = 0;
    sink.commit(p);
    return true;
  }
};

struct ProduceRequest {
  static constexpr int16_t kApiKey = 0;
  static constexpr int16_t kVersionMin = 3;
  static constexpr int16_t kVersionMax = 13;
  static constexpr int16_t kFlexibleSince = 9;
  static constexpr bool is_flexible(int16_t version) { return version >= kFlexibleSince; }

  struct PartitionData {
    int32_t index = 0;
    Bytes records;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = PartitionData{};
      index = in.i32();
      records = read_bytes(in, flexible, true);
      if (flexible) skip_tags(in);
      return in.ok();
    }

    template <typename Sink>
    bool write_to_records(Sink& sink, int16_t version, int32_t records_bytes) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(9);
      if (p == nullptr) return false;
      p = put_i32(p, index);
      p = put_length32(p, flexible, records_bytes);
      sink.commit(p);
      return true;
    }

    template <typename Sink>
    bool write_rest(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(5);
      if (p == nullptr) return false;
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  struct TopicData {
    std::string_view name;
    Uuid topic_id;
    Array<PartitionData> partition_data;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = TopicData{};
      if (version <= 12) name = read_string(in, flexible, false);
      if (version >= 13) topic_id = read_uuid(in);
      read_array(in, version, flexible, false, 6, &partition_data);
      if (flexible) skip_tags(in);
      return in.ok();
    }

    template <typename Sink>
    bool write_to_partition_data(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(21 + 3 + name.size());
      if (p == nullptr) return false;
      if (version <= 12) p = put_string(p, flexible, false, name);
      if (version >= 13) p = put_uuid(p, topic_id);
      p = put_length32(p, flexible, partition_data.count);
      sink.commit(p);
      return true;
    }

    template <typename Sink>
    bool write_rest(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(5);
      if (p == nullptr) return false;
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  std::string_view transactional_id;
  int16_t acks = 0;
  int32_t timeout_ms = 0;
  Array<TopicData> topic_data;

  // Reads and checks everything; false when malformed. Views point into the bytes of `in`.
  bool read(ByteReader& in, int16_t version) {
    if (version < kVersionMin || version > kVersionMax) return false;
    const bool flexible = is_flexible(version);
    *this = ProduceRequest{};
    transactional_id = read_string(in, flexible, true);
    acks = in.i16();
    timeout_ms = in.i32();
    read_array(in, version, flexible, false, 3, &topic_data);
    if (flexible) skip_tags(in);
    return in.ok();
  }

  template <typename Sink>
  bool write_to_topic_data(Sink& sink, int16_t version) const {
    const bool flexible = is_flexible(version);
    uint8_t* p = sink.reserve(11 + 3 + transactional_id.size());
    if (p == nullptr) return false;
    p = put_string(p, flexible, true, transactional_id);
    p = put_i16(p, acks);
    p = put_i32(p, timeout_ms);
    p = put_length32(p, flexible, topic_data.count);
    sink.commit(p);
    return true;
  }

  template <typename Sink>
  bool write_rest(Sink& sink, int16_t version) const {
    const bool flexible = is_flexible(version);
    uint8_t* p = sink.reserve(5);
    if (p == nullptr) return false;
    if (flexible) *p++ = 0;
    sink.commit(p);
    return true;
  }
};

struct ProduceResponse {
  static constexpr int16_t kApiKey = 0;
  static constexpr int16_t kVersionMin = 3;
  static constexpr int16_t kVersionMax = 13;
  static constexpr int16_t kFlexibleSince = 9;
  static constexpr bool is_flexible(int16_t version) { return version >= kFlexibleSince; }

  struct RecordError {
    int32_t batch_index = 0;
    std::string_view batch_index_error_message;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = RecordError{};
      batch_index = in.i32();
      batch_index_error_message = read_string(in, flexible, true);
      if (flexible) skip_tags(in);
      return in.ok();
    }

    template <typename Sink>
    bool write(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(9 + 3 + batch_index_error_message.size());
      if (p == nullptr) return false;
      p = put_i32(p, batch_index);
      p = put_string(p, flexible, true, batch_index_error_message);
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  struct CurrentLeader {
    int32_t leader_id = -1;
    int32_t leader_epoch = -1;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = CurrentLeader{};
      leader_id = in.i32();
      leader_epoch = in.i32();
      if (flexible) skip_tags(in);
      return in.ok();
    }

    // Bytes of the flexible form, and the form itself at `p`, where they fit.
    size_t size() const {
      return 9;
    }
    uint8_t* put(uint8_t* p, int16_t) const {
      p = put_i32(p, leader_id);
      p = put_i32(p, leader_epoch);
      *p++ = 0;
      return p;
    }

    bool is_default() const { return leader_id == -1 && leader_epoch == -1; }

    template <typename Sink>
    bool write(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(13);
      if (p == nullptr) return false;
      p = put_i32(p, leader_id);
      p = put_i32(p, leader_epoch);
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  struct PartitionResponse {
    int32_t index = 0;
    int16_t error_code = 0;
    int64_t base_offset = 0;
    int64_t log_append_time_ms = -1;
    int64_t log_start_offset = -1;
    Array<RecordError> record_errors;
    std::string_view error_message;
    CurrentLeader current_leader;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = PartitionResponse{};
      index = in.i32();
      error_code = in.i16();
      base_offset = in.i64();
      log_append_time_ms = in.i64();
      if (version >= 5) log_start_offset = in.i64();
      if (version >= 8) read_array(in, version, flexible, false, 6, &record_errors);
      if (version >= 8) error_message = read_string(in, flexible, true);
      if (flexible) {
        for (uint32_t tags = in.uvarint(); tags > 0 && in.ok(); --tags) {
          const uint32_t tag = in.uvarint();
          ByteReader field(in.take(in.uvarint()));
          switch (tag) {
            case 0:
            if (!(version >= 10)) continue;
            if (!current_leader.read(field, version)) return false;
            break;
            default:
            continue;
          }
          if (!field.ok() || field.left() != 0) in.fail();
        }
      }
      return in.ok();
    }

    template <typename Sink>
    bool write_to_record_errors(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(35);
      if (p == nullptr) return false;
      p = put_i32(p, index);
      p = put_i16(p, error_code);
      p = put_i64(p, base_offset);
      p = put_i64(p, log_append_time_ms);
      if (version >= 5) p = put_i64(p, log_start_offset);
      if (version >= 8) p = put_length32(p, flexible, record_errors.count);
      sink.commit(p);
      return true;
    }

    template <typename Sink>
    bool write_rest(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(5 + 3 + error_message.size() + 6 + current_leader.size());
      if (p == nullptr) return false;
      if (version >= 8) p = put_string(p, flexible, true, error_message);
      if (flexible) {
        const bool has_current_leader = version >= 10 && !current_leader.is_default();
        p = put_uvarint(p, has_current_leader);
        if (has_current_leader) {
          p = put_uvarint(p, 0);
          p = put_uvarint(p, static_cast<uint32_t>(current_leader.size()));
          p = current_leader.put(p, version);
        }
      }
      sink.commit(p);
      return true;
    }
  };

  struct Response {
    std::string_view name;
    Uuid topic_id;
    Array<PartitionResponse> partition_responses;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = Response{};
      if (version <= 12) name = read_string(in, flexible, false);
      if (version >= 13) topic_id = read_uuid(in);
      read_array(in, version, flexible, false, 22, &partition_responses);
      if (flexible) skip_tags(in);
      return in.ok();
    }

    template <typename Sink>
    bool write_to_partition_responses(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(21 + 3 + name.size());
      if (p == nullptr) return false;
      if (version <= 12) p = put_string(p, flexible, false, name);
      if (version >= 13) p = put_uuid(p, topic_id);
      p = put_length32(p, flexible, partition_responses.count);
      sink.commit(p);
      return true;
    }

    template <typename Sink>
    bool write_rest(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(5);
      if (p == nullptr) return false;
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  struct NodeEndpoint {
    int32_t node_id = 0;
    std::string_view host;
    int32_t port = 0;
    std::string_view rack;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = NodeEndpoint{};
      node_id = in.i32();
      host = read_string(in, flexible, false);
      port = in.i32();
      rack = read_string(in, flexible, true);
      if (flexible) skip_tags(in);
      return in.ok();
    }

    // Bytes of the flexible form, and the form itself at `p`, where they fit.
    size_t size() const {
      return 9 + uvarint_bytes(host.size() + 1) + host.size() + uvarint_bytes(rack.size() + 1) + rack.size();
    }
    uint8_t* put(uint8_t* p, int16_t) const {
      p = put_i32(p, node_id);
      p = put_string(p, true, false, host);
      p = put_i32(p, port);
      p = put_string(p, true, true, rack);
      *p++ = 0;
      return p;
    }

    bool is_default() const { return node_id == 0 && host.empty() && port == 0 && rack.empty(); }

    template <typename Sink>
    bool write(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(13 + 3 + host.size() + 3 + rack.size());
      if (p == nullptr) return false;
      p = put_i32(p, node_id);
      p = put_string(p, flexible, false, host);
      p = put_i32(p, port);
      p = put_string(p, flexible, true, rack);
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  Array<Response> responses;
  int32_t throttle_time_ms = 0;
  Array<NodeEndpoint> node_endpoints;

  // Reads and checks everything; false when malformed. Views point into the bytes of `in`.
  bool read(ByteReader& in, int16_t version) {
    if (version < kVersionMin || version > kVersionMax) return false;
    const bool flexible = is_flexible(version);
    *this = ProduceResponse{};
    read_array(in, version, flexible, false, 3, &responses);
    throttle_time_ms = in.i32();
    if (flexible) {
      for (uint32_t tags = in.uvarint(); tags > 0 && in.ok(); --tags) {
        const uint32_t tag = in.uvarint();
        ByteReader field(in.take(in.uvarint()));
        switch (tag) {
          case 0:
          if (!(version >= 10)) continue;
          read_array(field, version, flexible, false, 11, &node_endpoints);
          break;
          default:
          continue;
        }
        if (!field.ok() || field.left() != 0) in.fail();
      }
    }
    return in.ok();
  }

  template <typename Sink>
  bool write_to_responses(Sink& sink, int16_t version) const {
    const bool flexible = is_flexible(version);
    uint8_t* p = sink.reserve(5);
    if (p == nullptr) return false;
    p = put_length32(p, flexible, responses.count);
    sink.commit(p);
    return true;
  }

  template <typename Sink>
  bool write_rest(Sink& sink, int16_t version, std::span<const NodeEndpoint> node_endpoints_list) const {
    const bool flexible = is_flexible(version);
    uint8_t* p = sink.reserve(9 + 11 + size_of_all(node_endpoints_list));
    if (p == nullptr) return false;
    p = put_i32(p, throttle_time_ms);
    if (flexible) {
      const bool has_node_endpoints = version >= 10 && !node_endpoints_list.empty();
      p = put_uvarint(p, has_node_endpoints);
      if (has_node_endpoints) {
        p = put_uvarint(p, 0);
        size_t size = uvarint_bytes(node_endpoints_list.size() + 1);
        for (const NodeEndpoint& element : node_endpoints_list) size += element.size();
        p = put_uvarint(p, static_cast<uint32_t>(size));
        p = put_uvarint(p, static_cast<uint32_t>(node_endpoints_list.size()) + 1);
        for (const NodeEndpoint& element : node_endpoints_list) p = element.put(p, version);
      }
    }
    sink.commit(p);
    return true;
  }
};

struct FetchRequest {
  static constexpr int16_t kApiKey = 1;
  static constexpr int16_t kVersionMin = 4;
  static constexpr int16_t kVersionMax = 18;
  static constexpr int16_t kFlexibleSince = 12;
  static constexpr bool is_flexible(int16_t version) { return version >= kFlexibleSince; }

  struct ReplicaState {
    int32_t replica_id = -1;
    int64_t replica_epoch = -1;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = ReplicaState{};
      replica_id = in.i32();
      replica_epoch = in.i64();
      if (flexible) skip_tags(in);
      return in.ok();
    }

    // Bytes of the flexible form, and the form itself at `p`, where they fit.
    size_t size() const {
      return 13;
    }
    uint8_t* put(uint8_t* p, int16_t) const {
      p = put_i32(p, replica_id);
      p = put_i64(p, replica_epoch);
      *p++ = 0;
      return p;
    }

    bool is_default() const { return replica_id == -1 && replica_epoch == -1; }

    template <typename Sink>
    bool write(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(17);
      if (p == nullptr) return false;
      p = put_i32(p, replica_id);
      p = put_i64(p, replica_epoch);
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  struct Partition {
    int32_t partition = 0;
    int32_t current_leader_epoch = -1;
    int64_t fetch_offset = 0;
    int32_t last_fetched_epoch = -1;
    int64_t log_start_offset = -1;
    int32_t partition_max_bytes = 0;
    Uuid replica_directory_id;
    int64_t high_watermark = INT64_MAX;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = Partition{};
      partition = in.i32();
      if (version >= 9) current_leader_epoch = in.i32();
      fetch_offset = in.i64();
      if (version >= 12) last_fetched_epoch = in.i32();
      if (version >= 5) log_start_offset = in.i64();
      partition_max_bytes = in.i32();
      if (flexible) {
        for (uint32_t tags = in.uvarint(); tags > 0 && in.ok(); --tags) {
          const uint32_t tag = in.uvarint();
          ByteReader field(in.take(in.uvarint()));
          switch (tag) {
            case 0:
            if (!(version >= 17)) continue;
            replica_directory_id = read_uuid(field);
            break;
            case 1:
            if (!(version >= 18)) continue;
            high_watermark = field.i64();
            break;
            default:
            continue;
          }
          if (!field.ok() || field.left() != 0) in.fail();
        }
      }
      return in.ok();
    }

    template <typename Sink>
    bool write(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(37 + 6 + 16 + 6 + 8);
      if (p == nullptr) return false;
      p = put_i32(p, partition);
      if (version >= 9) p = put_i32(p, current_leader_epoch);
      p = put_i64(p, fetch_offset);
      if (version >= 12) p = put_i32(p, last_fetched_epoch);
      if (version >= 5) p = put_i64(p, log_start_offset);
      p = put_i32(p, partition_max_bytes);
      if (flexible) {
        const bool has_replica_directory_id = version >= 17 && !replica_directory_id.is_zero();
        const bool has_high_watermark = version >= 18 && high_watermark != INT64_MAX;
        p = put_uvarint(p, has_replica_directory_id + has_high_watermark);
        if (has_replica_directory_id) {
          p = put_uvarint(p, 0);
          p = put_uvarint(p, static_cast<uint32_t>(16));
          p = put_uuid(p, replica_directory_id);
        }
        if (has_high_watermark) {
          p = put_uvarint(p, 1);
          p = put_uvarint(p, static_cast<uint32_t>(8));
          p = put_i64(p, high_watermark);
        }
      }
      sink.commit(p);
      return true;
    }
  };

  struct Topic {
    std::string_view topic;
    Uuid topic_id;
    Array<Partition> partitions;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = Topic{};
      if (version <= 12) topic = read_string(in, flexible, false);
      if (version >= 13) topic_id = read_uuid(in);
      read_array(in, version, flexible, false, 16, &partitions);
      if (flexible) skip_tags(in);
      return in.ok();
    }

    template <typename Sink>
    bool write_to_partitions(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(21 + 3 + topic.size());
      if (p == nullptr) return false;
      if (version <= 12) p = put_string(p, flexible, false, topic);
      if (version >= 13) p = put_uuid(p, topic_id);
      p = put_length32(p, flexible, partitions.count);
      sink.commit(p);
      return true;
    }

    template <typename Sink>
    bool write_rest(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(5);
      if (p == nullptr) return false;
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  struct ForgottenTopicsData {
    std::string_view topic;
    Uuid topic_id;
    Array<int32_t> partitions;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = ForgottenTopicsData{};
      if (version <= 12) topic = read_string(in, flexible, false);
      if (version >= 13) topic_id = read_uuid(in);
      read_array(in, version, flexible, false, 4, &partitions);
      if (flexible) skip_tags(in);
      return in.ok();
    }

    template <typename Sink>
    bool write(Sink& sink, int16_t version, std::span<const int32_t> partitions_list) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(21 + 3 + topic.size() + 5 + partitions_list.size() * 4);
      if (p == nullptr) return false;
      if (version <= 12) p = put_string(p, flexible, false, topic);
      if (version >= 13) p = put_uuid(p, topic_id);
      p = put_array(p, flexible, partitions_list);
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  std::string_view cluster_id;
  int32_t replica_id = -1;
  ReplicaState replica_state;
  int32_t max_wait_ms = 0;
  int32_t min_bytes = 0;
  int32_t max_bytes = 2147483647;
  int8_t isolation_level = 0;
  int32_t session_id = 0;
  int32_t session_epoch = -1;
  Array<Topic> topics;
  Array<ForgottenTopicsData> forgotten_topics_data;
  std::string_view rack_id;

  // Reads and checks everything; false when malformed. Views point into the bytes of `in`.
  bool read(ByteReader& in, int16_t version) {
    if (version < kVersionMin || version > kVersionMax) return false;
    const bool flexible = is_flexible(version);
    *this = FetchRequest{};
    if (version <= 14) replica_id = in.i32();
    max_wait_ms = in.i32();
    min_bytes = in.i32();
    max_bytes = in.i32();
    isolation_level = in.i8();
    if (version >= 7) session_id = in.i32();
    if (version >= 7) session_epoch = in.i32();
    read_array(in, version, flexible, false, 3, &topics);
    if (version >= 7) read_array(in, version, flexible, false, 3, &forgotten_topics_data);
    if (version >= 11) rack_id = read_string(in, flexible, false);
    if (flexible) {
      for (uint32_t tags = in.uvarint(); tags > 0 && in.ok(); --tags) {
        const uint32_t tag = in.uvarint();
        ByteReader field(in.take(in.uvarint()));
        switch (tag) {
          case 0:
          if (!(version >= 12)) continue;
          cluster_id = read_string(field, flexible, true);
          break;
          case 1:
          if (!(version >= 15)) continue;
          if (!replica_state.read(field, version)) return false;
          break;
          default:
          continue;
        }
        if (!field.ok() || field.left() != 0) in.fail();
      }
    }
    return in.ok();
  }

  template <typename Sink>
  bool write_to_topics(Sink& sink, int16_t version) const {
    const bool flexible = is_flexible(version);
    uint8_t* p = sink.reserve(30);
    if (p == nullptr) return false;
    if (version <= 14) p = put_i32(p, replica_id);
    p = put_i32(p, max_wait_ms);
    p = put_i32(p, min_bytes);
    p = put_i32(p, max_bytes);
    p = put_i8(p, isolation_level);
    if (version >= 7) p = put_i32(p, session_id);
    if (version >= 7) p = put_i32(p, session_epoch);
    p = put_length32(p, flexible, topics.count);
    sink.commit(p);
    return true;
  }

  template <typename Sink>
  bool write_to_forgotten_topics_data(Sink& sink, int16_t version) const {
    const bool flexible = is_flexible(version);
    uint8_t* p = sink.reserve(5);
    if (p == nullptr) return false;
    if (version >= 7) p = put_length32(p, flexible, forgotten_topics_data.count);
    sink.commit(p);
    return true;
  }

  template <typename Sink>
  bool write_rest(Sink& sink, int16_t version) const {
    const bool flexible = is_flexible(version);
    uint8_t* p = sink.reserve(5 + 3 + rack_id.size() + 6 + 3 + cluster_id.size() + 6 + replica_state.size());
    if (p == nullptr) return false;
    if (version >= 11) p = put_string(p, flexible, false, rack_id);
    if (flexible) {
      const bool has_cluster_id = version >= 12 && cluster_id.data() != nullptr;
      const bool has_replica_state = version >= 15 && !replica_state.is_default();
      p = put_uvarint(p, has_cluster_id + has_replica_state);
      if (has_cluster_id) {
        p = put_uvarint(p, 0);
        p = put_uvarint(p, static_cast<uint32_t>(uvarint_bytes(cluster_id.size() + 1) + cluster_id.size()));
        p = put_string(p, flexible, true, cluster_id);
      }
      if (has_replica_state) {
        p = put_uvarint(p, 1);
        p = put_uvarint(p, static_cast<uint32_t>(replica_state.size()));
        p = replica_state.put(p, version);
      }
    }
    sink.commit(p);
    return true;
  }
};

struct FetchResponse {
  static constexpr int16_t kApiKey = 1;
  static constexpr int16_t kVersionMin = 4;
  static constexpr int16_t kVersionMax = 18;
  static constexpr int16_t kFlexibleSince = 12;
  static constexpr bool is_flexible(int16_t version) { return version >= kFlexibleSince; }

  struct DivergingEpoch {
    int32_t epoch = -1;
    int64_t end_offset = -1;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = DivergingEpoch{};
      epoch = in.i32();
      end_offset = in.i64();
      if (flexible) skip_tags(in);
      return in.ok();
    }

    // Bytes of the flexible form, and the form itself at `p`, where they fit.
    size_t size() const {
      return 13;
    }
    uint8_t* put(uint8_t* p, int16_t) const {
      p = put_i32(p, epoch);
      p = put_i64(p, end_offset);
      *p++ = 0;
      return p;
    }

    bool is_default() const { return epoch == -1 && end_offset == -1; }

    template <typename Sink>
    bool write(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(17);
      if (p == nullptr) return false;
      p = put_i32(p, epoch);
      p = put_i64(p, end_offset);
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  struct CurrentLeader {
    int32_t leader_id = -1;
    int32_t leader_epoch = -1;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = CurrentLeader{};
      leader_id = in.i32();
      leader_epoch = in.i32();
      if (flexible) skip_tags(in);
      return in.ok();
    }

    // Bytes of the flexible form, and the form itself at `p`, where they fit.
    size_t size() const {
      return 9;
    }
    uint8_t* put(uint8_t* p, int16_t) const {
      p = put_i32(p, leader_id);
      p = put_i32(p, leader_epoch);
      *p++ = 0;
      return p;
    }

    bool is_default() const { return leader_id == -1 && leader_epoch == -1; }

    template <typename Sink>
    bool write(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(13);
      if (p == nullptr) return false;
      p = put_i32(p, leader_id);
      p = put_i32(p, leader_epoch);
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  struct SnapshotId {
    int64_t end_offset = -1;
    int32_t epoch = -1;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = SnapshotId{};
      end_offset = in.i64();
      epoch = in.i32();
      if (flexible) skip_tags(in);
      return in.ok();
    }

    // Bytes of the flexible form, and the form itself at `p`, where they fit.
    size_t size() const {
      return 13;
    }
    uint8_t* put(uint8_t* p, int16_t) const {
      p = put_i64(p, end_offset);
      p = put_i32(p, epoch);
      *p++ = 0;
      return p;
    }

    bool is_default() const { return end_offset == -1 && epoch == -1; }

    template <typename Sink>
    bool write(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(17);
      if (p == nullptr) return false;
      p = put_i64(p, end_offset);
      p = put_i32(p, epoch);
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  struct AbortedTransaction {
    int64_t producer_id = 0;
    int64_t first_offset = 0;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = AbortedTransaction{};
      producer_id = in.i64();
      first_offset = in.i64();
      if (flexible) skip_tags(in);
      return in.ok();
    }

    template <typename Sink>
    bool write(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(21);
      if (p == nullptr) return false;
      p = put_i64(p, producer_id);
      p = put_i64(p, first_offset);
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  struct Partition {
    int32_t partition_index = 0;
    int16_t error_code = 0;
    int64_t high_watermark = 0;
    int64_t last_stable_offset = -1;
    int64_t log_start_offset = -1;
    DivergingEpoch diverging_epoch;
    CurrentLeader current_leader;
    SnapshotId snapshot_id;
    Array<AbortedTransaction> aborted_transactions;
    int32_t preferred_read_replica = -1;
    Bytes records;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = Partition{};
      partition_index = in.i32();
      error_code = in.i16();
      high_watermark = in.i64();
      last_stable_offset = in.i64();
      if (version >= 5) log_start_offset = in.i64();
      read_array(in, version, flexible, true, 16, &aborted_transactions);
      if (version >= 11) preferred_read_replica = in.i32();
      records = read_bytes(in, flexible, true);
      if (flexible) {
        for (uint32_t tags = in.uvarint(); tags > 0 && in.ok(); --tags) {
          const uint32_t tag = in.uvarint();
          ByteReader field(in.take(in.uvarint()));
          switch (tag) {
            case 0:
            if (!(version >= 12)) continue;
            if (!diverging_epoch.read(field, version)) return false;
            break;
            case 1:
            if (!(version >= 12)) continue;
            if (!current_leader.read(field, version)) return false;
            break;
            case 2:
            if (!(version >= 12)) continue;
            if (!snapshot_id.read(field, version)) return false;
            break;
            default:
            continue;
          }
          if (!field.ok() || field.left() != 0) in.fail();
        }
      }
      return in.ok();
    }

    template <typename Sink>
    bool write_to_aborted_transactions(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(35);
      if (p == nullptr) return false;
      p = put_i32(p, partition_index);
      p = put_i16(p, error_code);
      p = put_i64(p, high_watermark);
      p = put_i64(p, last_stable_offset);
      if (version >= 5) p = put_i64(p, log_start_offset);
      p = put_length32(p, flexible, aborted_transactions.count);
      sink.commit(p);
      return true;
    }

    template <typename Sink>
    bool write_to_records(Sink& sink, int16_t version, int32_t records_bytes) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(9);
      if (p == nullptr) return false;
      if (version >= 11) p = put_i32(p, preferred_read_replica);
      p = put_length32(p, flexible, records_bytes);
      sink.commit(p);
      return true;
    }

    template <typename Sink>
    bool write_rest(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(5 + 6 + diverging_epoch.size() + 6 + current_leader.size() + 6 + snapshot_id.size());
      if (p == nullptr) return false;
      if (flexible) {
        const bool has_diverging_epoch = version >= 12 && !diverging_epoch.is_default();
        const bool has_current_leader = version >= 12 && !current_leader.is_default();
        const bool has_snapshot_id = version >= 12 && !snapshot_id.is_default();
        p = put_uvarint(p, has_diverging_epoch + has_current_leader + has_snapshot_id);
        if (has_diverging_epoch) {
          p = put_uvarint(p, 0);
          p = put_uvarint(p, static_cast<uint32_t>(diverging_epoch.size()));
          p = diverging_epoch.put(p, version);
        }
        if (has_current_leader) {
          p = put_uvarint(p, 1);
          p = put_uvarint(p, static_cast<uint32_t>(current_leader.size()));
          p = current_leader.put(p, version);
        }
        if (has_snapshot_id) {
          p = put_uvarint(p, 2);
          p = put_uvarint(p, static_cast<uint32_t>(snapshot_id.size()));
          p = snapshot_id.put(p, version);
        }
      }
      sink.commit(p);
      return true;
    }
  };

  struct Response {
    std::string_view topic;
    Uuid topic_id;
    Array<Partition> partitions;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = Response{};
      if (version <= 12) topic = read_string(in, flexible, false);
      if (version >= 13) topic_id = read_uuid(in);
      read_array(in, version, flexible, false, 30, &partitions);
      if (flexible) skip_tags(in);
      return in.ok();
    }

    template <typename Sink>
    bool write_to_partitions(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(21 + 3 + topic.size());
      if (p == nullptr) return false;
      if (version <= 12) p = put_string(p, flexible, false, topic);
      if (version >= 13) p = put_uuid(p, topic_id);
      p = put_length32(p, flexible, partitions.count);
      sink.commit(p);
      return true;
    }

    template <typename Sink>
    bool write_rest(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(5);
      if (p == nullptr) return false;
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  struct NodeEndpoint {
    int32_t node_id = 0;
    std::string_view host;
    int32_t port = 0;
    std::string_view rack;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = NodeEndpoint{};
      node_id = in.i32();
      host = read_string(in, flexible, false);
      port = in.i32();
      rack = read_string(in, flexible, true);
      if (flexible) skip_tags(in);
      return in.ok();
    }

    // Bytes of the flexible form, and the form itself at `p`, where they fit.
    size_t size() const {
      return 9 + uvarint_bytes(host.size() + 1) + host.size() + uvarint_bytes(rack.size() + 1) + rack.size();
    }
    uint8_t* put(uint8_t* p, int16_t) const {
      p = put_i32(p, node_id);
      p = put_string(p, true, false, host);
      p = put_i32(p, port);
      p = put_string(p, true, true, rack);
      *p++ = 0;
      return p;
    }

    bool is_default() const { return node_id == 0 && host.empty() && port == 0 && rack.empty(); }

    template <typename Sink>
    bool write(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(13 + 3 + host.size() + 3 + rack.size());
      if (p == nullptr) return false;
      p = put_i32(p, node_id);
      p = put_string(p, flexible, false, host);
      p = put_i32(p, port);
      p = put_string(p, flexible, true, rack);
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int32_t session_id = 0;
  Array<Response> responses;
  Array<NodeEndpoint> node_endpoints;

  // Reads and checks everything; false when malformed. Views point into the bytes of `in`.
  bool read(ByteReader& in, int16_t version) {
    if (version < kVersionMin || version > kVersionMax) return false;
    const bool flexible = is_flexible(version);
    *this = FetchResponse{};
    throttle_time_ms = in.i32();
    if (version >= 7) error_code = in.i16();
    if (version >= 7) session_id = in.i32();
    read_array(in, version, flexible, false, 3, &responses);
    if (flexible) {
      for (uint32_t tags = in.uvarint(); tags > 0 && in.ok(); --tags) {
        const uint32_t tag = in.uvarint();
        ByteReader field(in.take(in.uvarint()));
        switch (tag) {
          case 0:
          if (!(version >= 16)) continue;
          read_array(field, version, flexible, false, 11, &node_endpoints);
          break;
          default:
          continue;
        }
        if (!field.ok() || field.left() != 0) in.fail();
      }
    }
    return in.ok();
  }

  template <typename Sink>
  bool write_to_responses(Sink& sink, int16_t version) const {
    const bool flexible = is_flexible(version);
    uint8_t* p = sink.reserve(15);
    if (p == nullptr) return false;
    p = put_i32(p, throttle_time_ms);
    if (version >= 7) p = put_i16(p, error_code);
    if (version >= 7) p = put_i32(p, session_id);
    p = put_length32(p, flexible, responses.count);
    sink.commit(p);
    return true;
  }

  template <typename Sink>
  bool write_rest(Sink& sink, int16_t version, std::span<const NodeEndpoint> node_endpoints_list) const {
    const bool flexible = is_flexible(version);
    uint8_t* p = sink.reserve(5 + 11 + size_of_all(node_endpoints_list));
    if (p == nullptr) return false;
    if (flexible) {
      const bool has_node_endpoints = version >= 16 && !node_endpoints_list.empty();
      p = put_uvarint(p, has_node_endpoints);
      if (has_node_endpoints) {
        p = put_uvarint(p, 0);
        size_t size = uvarint_bytes(node_endpoints_list.size() + 1);
        for (const NodeEndpoint& element : node_endpoints_list) size += element.size();
        p = put_uvarint(p, static_cast<uint32_t>(size));
        p = put_uvarint(p, static_cast<uint32_t>(node_endpoints_list.size()) + 1);
        for (const NodeEndpoint& element : node_endpoints_list) p = element.put(p, version);
      }
    }
    sink.commit(p);
    return true;
  }
};

struct OffsetForLeaderEpochRequest {
  static constexpr int16_t kApiKey = 23;
  static constexpr int16_t kVersionMin = 2;
  static constexpr int16_t kVersionMax = 4;
  static constexpr int16_t kFlexibleSince = 4;
  static constexpr bool is_flexible(int16_t version) { return version >= kFlexibleSince; }

  struct Partition {
    int32_t partition = 0;
    int32_t current_leader_epoch = -1;
    int32_t leader_epoch = 0;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = Partition{};
      partition = in.i32();
      current_leader_epoch = in.i32();
      leader_epoch = in.i32();
      if (flexible) skip_tags(in);
      return in.ok();
    }

    template <typename Sink>
    bool write(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(17);
      if (p == nullptr) return false;
      p = put_i32(p, partition);
      p = put_i32(p, current_leader_epoch);
      p = put_i32(p, leader_epoch);
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  struct Topic {
    std::string_view topic;
    Array<Partition> partitions;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = Topic{};
      topic = read_string(in, flexible, false);
      read_array(in, version, flexible, false, 12, &partitions);
      if (flexible) skip_tags(in);
      return in.ok();
    }

    template <typename Sink>
    bool write_to_partitions(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(5 + 3 + topic.size());
      if (p == nullptr) return false;
      p = put_string(p, flexible, false, topic);
      p = put_length32(p, flexible, partitions.count);
      sink.commit(p);
      return true;
    }

    template <typename Sink>
    bool write_rest(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(5);
      if (p == nullptr) return false;
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  int32_t replica_id = -2;
  Array<Topic> topics;

  // Reads and checks everything; false when malformed. Views point into the bytes of `in`.
  bool read(ByteReader& in, int16_t version) {
    if (version < kVersionMin || version > kVersionMax) return false;
    const bool flexible = is_flexible(version);
    *this = OffsetForLeaderEpochRequest{};
    if (version >= 3) replica_id = in.i32();
    read_array(in, version, flexible, false, 3, &topics);
    if (flexible) skip_tags(in);
    return in.ok();
  }

  template <typename Sink>
  bool write_to_topics(Sink& sink, int16_t version) const {
    const bool flexible = is_flexible(version);
    uint8_t* p = sink.reserve(9);
    if (p == nullptr) return false;
    if (version >= 3) p = put_i32(p, replica_id);
    p = put_length32(p, flexible, topics.count);
    sink.commit(p);
    return true;
  }

  template <typename Sink>
  bool write_rest(Sink& sink, int16_t version) const {
    const bool flexible = is_flexible(version);
    uint8_t* p = sink.reserve(5);
    if (p == nullptr) return false;
    if (flexible) *p++ = 0;
    sink.commit(p);
    return true;
  }
};

struct OffsetForLeaderEpochResponse {
  static constexpr int16_t kApiKey = 23;
  static constexpr int16_t kVersionMin = 2;
  static constexpr int16_t kVersionMax = 4;
  static constexpr int16_t kFlexibleSince = 4;
  static constexpr bool is_flexible(int16_t version) { return version >= kFlexibleSince; }

  struct Partition {
    int16_t error_code = 0;
    int32_t partition = 0;
    int32_t leader_epoch = -1;
    int64_t end_offset = -1;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = Partition{};
      error_code = in.i16();
      partition = in.i32();
      leader_epoch = in.i32();
      end_offset = in.i64();
      if (flexible) skip_tags(in);
      return in.ok();
    }

    template <typename Sink>
    bool write(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(23);
      if (p == nullptr) return false;
      p = put_i16(p, error_code);
      p = put_i32(p, partition);
      p = put_i32(p, leader_epoch);
      p = put_i64(p, end_offset);
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  struct Topic {
    std::string_view topic;
    Array<Partition> partitions;

    bool read(ByteReader& in, int16_t version) {
      const bool flexible = is_flexible(version);
      *this = Topic{};
      topic = read_string(in, flexible, false);
      read_array(in, version, flexible, false, 18, &partitions);
      if (flexible) skip_tags(in);
      return in.ok();
    }

    template <typename Sink>
    bool write_to_partitions(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(5 + 3 + topic.size());
      if (p == nullptr) return false;
      p = put_string(p, flexible, false, topic);
      p = put_length32(p, flexible, partitions.count);
      sink.commit(p);
      return true;
    }

    template <typename Sink>
    bool write_rest(Sink& sink, int16_t version) const {
      const bool flexible = is_flexible(version);
      uint8_t* p = sink.reserve(5);
      if (p == nullptr) return false;
      if (flexible) *p++ = 0;
      sink.commit(p);
      return true;
    }
  };

  int32_t throttle_time_ms = 0;
  Array<Topic> topics;

  // Reads and checks everything; false when malformed. Views point into the bytes of `in`.
  bool read(ByteReader& in, int16_t version) {
    if (version < kVersionMin || version > kVersionMax) return false;
    const bool flexible = is_flexible(version);
    *this = OffsetForLeaderEpochResponse{};
    throttle_time_ms = in.i32();
    read_array(in, version, flexible, false, 3, &topics);
    if (flexible) skip_tags(in);
    return in.ok();
  }

  template <typename Sink>
  bool write_to_topics(Sink& sink, int16_t version) const {
    const bool flexible = is_flexible(version);
    uint8_t* p = sink.reserve(9);
    if (p == nullptr) return false;
    p = put_i32(p, throttle_time_ms);
    p = put_length32(p, flexible, topics.count);
    sink.commit(p);
    return true;
  }

  template <typename Sink>
  bool write_rest(Sink& sink, int16_t version) const {
    const bool flexible = is_flexible(version);
    uint8_t* p = sink.reserve(5);
    if (p == nullptr) return false;
    if (flexible) *p++ = 0;
    sink.commit(p);
    return true;
  }
};

// Reads the header of a request frame (without its length). False when malformed. The api key and
// version may be ones we do not serve: ask kApis.
inline bool read_request_header(ByteReader& in, RequestHeader* header) {
  if (in.left() < 4) return false;
  const int16_t key = load_i16(in.at());
  const int16_t version = load_i16(in.at() + 2);
  return header->read(in, request_header_version(key, version));
}

}  // namespace ottla::gen
