// Records of `__remote_log_metadata`, which only tiered storage writes. Described so that a reader can name
// them; nothing here produces them yet. Kafka: RemoteLogMetadataSerde; KIP-405.

import {
  array,
  bool,
  bytes,
  int8,
  int32,
  int64,
  int64Wide,
  record,
  string,
  struct,
  uuid,
} from '../dsl.ts'

export const RemoteLogSegmentMetadataRecord = record(
  0,
  'RemoteLogSegmentMetadataRecord',
  { valid: '0', flexible: '0+' },
  {
    remoteLogSegmentId: struct({
      topicIdPartition: struct({
        name: string(),
        id: uuid(),
        partition: int32(),
      }),
      id: uuid(),
    }),
    startOffset: int64(),
    endOffset: int64(),
    brokerId: int32(),
    maxTimestampMs: int64Wide(),
    eventTimestampMs: int64(),
    segmentLeaderEpochs: array({
      leaderEpoch: int32(),
      offset: int64(),
    }),
    segmentSizeInBytes: int32(),
    customMetadata: bytes({ nullable: true, default: null }),
    remoteLogSegmentState: int8(),
    txnIndexEmpty: bool({ tag: 0 }),
  },
)

export const RemoteLogSegmentMetadataUpdateRecord = record(
  1,
  'RemoteLogSegmentMetadataUpdateRecord',
  { valid: '0', flexible: '0+' },
  {
    remoteLogSegmentId: struct({
      topicIdPartition: struct({
        name: string(),
        id: uuid(),
        partition: int32(),
      }),
      id: uuid(),
    }),
    brokerId: int32(),
    eventTimestampMs: int64(),
    customMetadata: bytes({ nullable: true, default: null }),
    remoteLogSegmentState: int8(),
  },
)

export const RemotePartitionDeleteMetadataRecord = record(
  2,
  'RemotePartitionDeleteMetadataRecord',
  { valid: '0', flexible: '0+' },
  {
    topicIdPartition: struct({
      name: string(),
      id: uuid(),
      partition: int32(),
    }),
    brokerId: int32(),
    eventTimestampMs: int64(),
    remotePartitionDeleteState: int8(),
  },
)

export const RemoteLogSegmentMetadataSnapshotRecord = record(
  3,
  'RemoteLogSegmentMetadataSnapshotRecord',
  { valid: '0', flexible: '0+' },
  {
    segmentId: uuid(),
    startOffset: int64(),
    endOffset: int64(),
    brokerId: int32(),
    maxTimestampMs: int64Wide(),
    eventTimestampMs: int64(),
    segmentLeaderEpochs: array({
      leaderEpoch: int32(),
      offset: int64(),
    }),
    segmentSizeInBytes: int32(),
    customMetadata: bytes({ nullable: true, default: null }),
    remoteLogSegmentState: int8(),
    txnIndexEmpty: bool({ tag: 0 }),
  },
)
