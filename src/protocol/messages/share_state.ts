// What a share-partition leader asks of the share coordinator, which persists delivery state (KIP-932).
// Spoken between brokers only.

import { api, array, int8, int16, int32, int64, string, uuid } from '../dsl.ts'

export const InitializeShareGroupState = api(
  83,
  'InitializeShareGroupState',
  { valid: '0', flexible: '0+', listeners: ['broker'], clusterAction: true },
  {
    request: {
      groupId: string(),
      topics: array({
        topicId: uuid(),
        partitions: array({
          partition: int32(),
          stateEpoch: int32(),
          startOffset: int64(),
        }),
      }),
    },
    response: {
      results: array({
        topicId: uuid(),
        partitions: array({
          partition: int32(),
          errorCode: int16(),
          errorMessage: string({ nullable: true, default: null }),
        }),
      }),
    },
  },
)

export const ReadShareGroupState = api(
  84,
  'ReadShareGroupState',
  { valid: '0', flexible: '0+', listeners: ['broker'], clusterAction: true },
  {
    request: {
      groupId: string(),
      topics: array({
        topicId: uuid(),
        partitions: array({
          partition: int32(),
          leaderEpoch: int32(),
        }),
      }),
    },
    response: {
      results: array({
        topicId: uuid(),
        partitions: array({
          partition: int32(),
          errorCode: int16(),
          errorMessage: string({ nullable: true, default: null }),
          stateEpoch: int32(),
          startOffset: int64(),
          stateBatches: array({
            firstOffset: int64(),
            lastOffset: int64(),
            deliveryState: int8(),
            deliveryCount: int16(),
          }),
        }),
      }),
    },
  },
)

export const WriteShareGroupState = api(
  85,
  'WriteShareGroupState',
  { valid: '0-1', flexible: '0+', listeners: ['broker'], clusterAction: true },
  {
    request: {
      groupId: string(),
      topics: array({
        topicId: uuid(),
        partitions: array({
          partition: int32(),
          stateEpoch: int32(),
          leaderEpoch: int32(),
          startOffset: int64(),
          deliveryCompleteCount: int32({ v: '1+', default: -1, ignorable: true }),
          stateBatches: array({
            firstOffset: int64(),
            lastOffset: int64(),
            deliveryState: int8(),
            deliveryCount: int16(),
          }),
        }),
      }),
    },
    response: {
      results: array({
        topicId: uuid(),
        partitions: array({
          partition: int32(),
          errorCode: int16(),
          errorMessage: string({ nullable: true, default: null }),
        }),
      }),
    },
  },
)

export const DeleteShareGroupState = api(
  86,
  'DeleteShareGroupState',
  { valid: '0', flexible: '0+', listeners: ['broker'], clusterAction: true },
  {
    request: {
      groupId: string(),
      topics: array({
        topicId: uuid(),
        partitions: array({
          partition: int32(),
        }),
      }),
    },
    response: {
      results: array({
        topicId: uuid(),
        partitions: array({
          partition: int32(),
          errorCode: int16(),
          errorMessage: string({ nullable: true, default: null }),
        }),
      }),
    },
  },
)

export const ReadShareGroupStateSummary = api(
  87,
  'ReadShareGroupStateSummary',
  { valid: '0-1', flexible: '0+', listeners: ['broker'], clusterAction: true },
  {
    request: {
      groupId: string(),
      topics: array({
        topicId: uuid(),
        partitions: array({
          partition: int32(),
          leaderEpoch: int32(),
        }),
      }),
    },
    response: {
      results: array({
        topicId: uuid(),
        partitions: array({
          partition: int32(),
          errorCode: int16(),
          errorMessage: string({ nullable: true, default: null }),
          stateEpoch: int32(),
          leaderEpoch: int32(),
          startOffset: int64(),
          deliveryCompleteCount: int32({ v: '1+', default: -1, ignorable: true }),
        }),
      }),
    },
  },
)
