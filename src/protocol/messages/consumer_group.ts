// The consumer group protocol of KIP-848: one heartbeat carries subscription, ownership and assignment.
// KIP-1082: the client makes its own member id from version 1 on.

import { api, array, bool, int8, int16, int32, string, struct, uuid } from '../dsl.ts'

export const ConsumerGroupHeartbeat = api(
  68,
  'ConsumerGroupHeartbeat',
  { valid: '0-1', flexible: '0+', listeners: ['broker'] },
  {
    request: {
      groupId: string(),
      memberId: string(),
      memberEpoch: int32(),
      instanceId: string({ nullable: true, default: null }),
      rackId: string({ nullable: true, default: null }),
      rebalanceTimeoutMs: int32({ default: -1 }),
      subscribedTopicNames: array(string(), { nullable: true, default: null }),
      subscribedTopicRegex: string({ v: '1+', nullable: true, default: null }),
      serverAssignor: string({ nullable: true, default: null }),
      topicPartitions: array(
        {
          topicId: uuid(),
          partitions: array(int32()),
        },
        { nullable: true, default: null },
      ),
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

const assignment = {
  topicPartitions: array({
    topicId: uuid(),
    topicName: string(),
    partitions: array(int32()),
  }),
}

export const ConsumerGroupDescribe = api(
  69,
  'ConsumerGroupDescribe',
  { valid: '0-1', flexible: '0+', listeners: ['broker'] },
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
          instanceId: string({ nullable: true, default: null }),
          rackId: string({ nullable: true, default: null }),
          memberEpoch: int32(),
          clientId: string(),
          clientHost: string(),
          subscribedTopicNames: array(string()),
          subscribedTopicRegex: string({ nullable: true, default: null }),
          assignment: struct(assignment),
          targetAssignment: struct(assignment),
          memberType: int8({ v: '1+', default: -1, ignorable: true }),
        }),
        authorizedOperations: int32({ default: -2147483648 }),
      }),
    },
  },
)
