// Records of `__share_group_state`: a snapshot of a share-partition's delivery state, and updates to it.
// Kafka: ShareCoordinatorRecordSerde; KIP-932.

import { array, coordinatorRecord, int8, int16, int32, int64, string, uuid } from '../dsl.ts'

export const ShareSnapshot = coordinatorRecord(
  0,
  'ShareSnapshot',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
      topicId: uuid(),
      partition: int32(),
    },
    value: {
      snapshotEpoch: int32(),
      stateEpoch: int32(),
      leaderEpoch: int32(),
      startOffset: int64(),
      deliveryCompleteCount: int32({ tag: 0, default: -1 }),
      createTimestamp: int64(),
      writeTimestamp: int64(),
      stateBatches: array({
        firstOffset: int64(),
        lastOffset: int64(),
        deliveryState: int8(),
        deliveryCount: int16(),
      }),
    },
  },
)

export const ShareUpdate = coordinatorRecord(
  1,
  'ShareUpdate',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
      topicId: uuid(),
      partition: int32(),
    },
    value: {
      snapshotEpoch: int32(),
      leaderEpoch: int32(),
      startOffset: int64(),
      deliveryCompleteCount: int32({ tag: 0, default: -1 }),
      stateBatches: array({
        firstOffset: int64(),
        lastOffset: int64(),
        deliveryState: int8(),
        deliveryCount: int16(),
      }),
    },
  },
)
