// Share groups, KIP-932: records are acquired one by one and acknowledged, not read by position.
// Heartbeat and description, fetch and acknowledgement, and the administration of start offsets.

import {
  api,
  array,
  bool,
  int8,
  int16,
  int32,
  int64,
  int64Wide,
  records,
  string,
  struct,
  uuid,
} from '../dsl.ts'

export const ShareGroupHeartbeat = api(
  76,
  'ShareGroupHeartbeat',
  { valid: '1', flexible: '0+', listeners: ['broker'] },
  {
    request: {
      groupId: string(),
      memberId: string(),
      memberEpoch: int32(),
      rackId: string({ nullable: true, default: null }),
      subscribedTopicNames: array(string(), { nullable: true, default: null }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      errorMessage: string({ nullable: true, default: null }),
      memberId: string({ nullable: true, default: null }),
      memberEpoch: int32(),
      heartbeatIntervalMs: int32(),
      assignment: struct(
        {
          topicPartitions: array({
            topicId: uuid(),
            partitions: array(int32()),
          }),
        },
        { nullable: true, default: null },
      ),
    },
  },
)

export const ShareGroupDescribe = api(
  77,
  'ShareGroupDescribe',
  { valid: '1', flexible: '0+', listeners: ['broker'] },
  {
    request: {
      groupIds: array(string()),
      includeAuthorizedOperations: bool(),
    },
    response: {
      throttleTimeMs: int32(),
      groups: array({
        errorCode: int16(),
        errorMessage: string({ nullable: true, default: null }),
        groupId: string(),
        groupState: string(),
        groupEpoch: int32(),
        assignmentEpoch: int32(),
        assignorName: string(),
        members: array({
          memberId: string(),
          rackId: string({ nullable: true, default: null }),
          memberEpoch: int32(),
          clientId: string(),
          clientHost: string(),
          subscribedTopicNames: array(string()),
          assignment: struct({
            topicPartitions: array({
              topicId: uuid(),
              topicName: string(),
              partitions: array(int32()),
            }),
          }),
        }),
        authorizedOperations: int32({ default: -2147483648 }),
      }),
    },
  },
)

export const ShareFetch = api(
  78,
  'ShareFetch',
  { valid: '1-2', flexible: '0+', listeners: ['broker'] },
  {
    request: {
      groupId: string({ nullable: true, default: null }),
      memberId: string({ nullable: true }),
      shareSessionEpoch: int32(),
      maxWaitMs: int32(),
      minBytes: int32(),
      maxBytes: int32({ default: 0x7fffffff }),
      maxRecords: int32(),
      batchSize: int32(),
      shareAcquireMode: int8({ v: '2+', ignorable: true }),
      isRenewAck: bool({ v: '2+' }),
      topics: array({
        topicId: uuid(),
        partitions: array({
          partitionIndex: int32(),
          partitionMaxBytes: int32({ v: '0' }),
          acknowledgementBatches: array({
            firstOffset: int64(),
            lastOffset: int64(),
            acknowledgeTypes: array(int8()),
          }),
        }),
      }),
      forgottenTopicsData: array({
        topicId: uuid(),
        partitions: array(int32()),
      }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      errorMessage: string({ nullable: true, default: null }),
      acquisitionLockTimeoutMs: int32(),
      responses: array({
        topicId: uuid(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
          errorMessage: string({ nullable: true, default: null }),
          acknowledgeErrorCode: int16(),
          acknowledgeErrorMessage: string({ nullable: true, default: null }),
          currentLeader: struct({
            leaderId: int32(),
            leaderEpoch: int32(),
          }),
          records: records(),
          acquiredRecords: array({
            firstOffset: int64(),
            lastOffset: int64(),
            deliveryCount: int16(),
          }),
        }),
      }),
      nodeEndpoints: array({
        nodeId: int32(),
        host: string(),
        port: int32(),
        rack: string({ nullable: true, default: null }),
      }),
    },
  },
)

export const ShareAcknowledge = api(
  79,
  'ShareAcknowledge',
  { valid: '1-2', flexible: '0+', listeners: ['broker'] },
  {
    request: {
      groupId: string({ nullable: true, default: null }),
      memberId: string({ nullable: true }),
      shareSessionEpoch: int32(),
      isRenewAck: bool({ v: '2+' }),
      topics: array({
        topicId: uuid(),
        partitions: array({
          partitionIndex: int32(),
          acknowledgementBatches: array({
            firstOffset: int64(),
            lastOffset: int64(),
            acknowledgeTypes: array(int8()),
          }),
        }),
      }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      errorMessage: string({ nullable: true, default: null }),
      acquisitionLockTimeoutMs: int32({ v: '2+', ignorable: true }),
      responses: array({
        topicId: uuid(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
          errorMessage: string({ nullable: true, default: null }),
          currentLeader: struct({
            leaderId: int32(),
            leaderEpoch: int32(),
          }),
        }),
      }),
      nodeEndpoints: array({
        nodeId: int32(),
        host: string(),
        port: int32(),
        rack: string({ nullable: true, default: null }),
      }),
    },
  },
)

export const DescribeShareGroupOffsets = api(
  90,
  'DescribeShareGroupOffsets',
  { valid: '0-1', flexible: '0+', listeners: ['broker'] },
  {
    request: {
      groups: array({
        groupId: string(),
        topics: array(
          {
            topicName: string(),
            partitions: array(int32()),
          },
          { nullable: true },
        ),
      }),
    },
    response: {
      throttleTimeMs: int32(),
      groups: array({
        groupId: string(),
        topics: array({
          topicName: string(),
          topicId: uuid(),
          partitions: array({
            partitionIndex: int32(),
            startOffset: int64(),
            leaderEpoch: int32(),
            lag: int64({ v: '1+', default: -1, ignorable: true }),
            errorCode: int16(),
            errorMessage: string({ nullable: true, default: null }),
          }),
        }),
        errorCode: int16(),
        errorMessage: string({ nullable: true, default: null }),
      }),
    },
  },
)

export const AlterShareGroupOffsets = api(
  91,
  'AlterShareGroupOffsets',
  { valid: '0', flexible: '0+', listeners: ['broker'] },
  {
    request: {
      groupId: string(),
      topics: array({
        topicName: string(),
        partitions: array({
          partitionIndex: int32(),
          startOffset: int64Wide(),
        }),
      }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      errorMessage: string({ nullable: true, default: null }),
      responses: array({
        topicName: string(),
        topicId: uuid(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
          errorMessage: string({ nullable: true, default: null }),
        }),
      }),
    },
  },
)

export const DeleteShareGroupOffsets = api(
  92,
  'DeleteShareGroupOffsets',
  { valid: '0', flexible: '0+', listeners: ['broker'] },
  {
    request: {
      groupId: string(),
      topics: array({
        topicName: string(),
      }),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      errorMessage: string({ nullable: true, default: null }),
      responses: array({
        topicName: string(),
        topicId: uuid(),
        errorCode: int16(),
        errorMessage: string({ nullable: true, default: null }),
      }),
    },
  },
)
