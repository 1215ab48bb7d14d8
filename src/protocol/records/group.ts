// Records of `__consumer_offsets`, for classic, consumer, share and streams groups. The type of a record
// is the version number in front of its key; a null value is a tombstone.
// Kafka: GroupCoordinatorRecordSerde; KIP-848, KIP-932, KIP-1071.

import {
  array,
  bytes,
  coordinatorRecord,
  int8,
  int16,
  int32,
  int64,
  int64Wide,
  string,
  struct,
  uint16,
  uuid,
} from '../dsl.ts'

export const LegacyOffsetCommit = coordinatorRecord(
  0,
  'LegacyOffsetCommit',
  { valid: '0' },
  {
    key: {
      group: string(),
      topic: string(),
      partition: int32(),
    },
    value: {
      offset: int64Wide(),
      metadata: string(),
      commitTimestamp: int64Wide(),
    },
  },
)

export const OffsetCommit = coordinatorRecord(
  1,
  'OffsetCommit',
  { valid: '0-4', flexible: '4+' },
  {
    key: {
      group: string(),
      topic: string(),
      partition: int32(),
    },
    value: {
      offset: int64Wide(),
      leaderEpoch: int32({ v: '3+', default: -1, ignorable: true }),
      metadata: string(),
      commitTimestamp: int64Wide(),
      expireTimestamp: int64Wide({ v: '1', default: -1n, ignorable: true }),
      topicId: uuid({ v: '4+', tag: 0, ignorable: true }),
    },
  },
)

export const GroupMetadata = coordinatorRecord(
  2,
  'GroupMetadata',
  { valid: '0-4', flexible: '4+' },
  {
    key: {
      group: string(),
    },
    value: {
      protocolType: string(),
      generation: int32(),
      protocol: string({ nullable: true }),
      leader: string({ nullable: true }),
      currentStateTimestamp: int64({ v: '2+', default: -1, ignorable: true }),
      members: array({
        memberId: string(),
        groupInstanceId: string({ v: '3+', nullable: true, default: null, ignorable: true }),
        clientId: string(),
        clientHost: string(),
        rebalanceTimeout: int32({ v: '1+', default: -1, ignorable: true }),
        sessionTimeout: int32(),
        subscription: bytes(),
        assignment: bytes(),
      }),
    },
  },
)

export const ConsumerGroupMetadata = coordinatorRecord(
  3,
  'ConsumerGroupMetadata',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
    },
    value: {
      epoch: int32(),
      metadataHash: int64Wide({ tag: 0 }),
    },
  },
)

export const ConsumerGroupPartitionMetadata = coordinatorRecord(
  4,
  'ConsumerGroupPartitionMetadata',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
    },
    value: {
      topics: array({
        topicId: uuid(),
        topicName: string(),
        numPartitions: int32(),
        partitionMetadata: array({
          partition: int32(),
          racks: array(string()),
        }),
      }),
    },
  },
)

export const ConsumerGroupMemberMetadata = coordinatorRecord(
  5,
  'ConsumerGroupMemberMetadata',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
      memberId: string(),
    },
    value: {
      instanceId: string({ nullable: true }),
      rackId: string({ nullable: true }),
      clientId: string(),
      clientHost: string(),
      subscribedTopicNames: array(string()),
      subscribedTopicRegex: string({ nullable: true }),
      rebalanceTimeoutMs: int32({ default: -1 }),
      serverAssignor: string({ nullable: true }),
      classicMemberMetadata: struct(
        {
          sessionTimeoutMs: int32(),
          supportedProtocols: array({
            name: string(),
            metadata: bytes(),
          }),
        },
        { nullable: true, tag: 0 },
      ),
    },
  },
)

export const ConsumerGroupTargetAssignmentMetadata = coordinatorRecord(
  6,
  'ConsumerGroupTargetAssignmentMetadata',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
    },
    value: {
      assignmentEpoch: int32(),
      assignmentTimestamp: int64({ tag: 0, ignorable: true }),
    },
  },
)

export const ConsumerGroupTargetAssignmentMember = coordinatorRecord(
  7,
  'ConsumerGroupTargetAssignmentMember',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
      memberId: string(),
    },
    value: {
      topicPartitions: array({
        topicId: uuid(),
        partitions: array(int32()),
      }),
    },
  },
)

const topicPartitions = {
  topicId: uuid(),
  partitions: array(int32()),
  assignmentEpochs: array(int32(), { nullable: true, tag: 0 }),
}

export const ConsumerGroupCurrentMemberAssignment = coordinatorRecord(
  8,
  'ConsumerGroupCurrentMemberAssignment',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
      memberId: string(),
    },
    value: {
      memberEpoch: int32(),
      previousMemberEpoch: int32(),
      state: int8(),
      assignedPartitions: array(topicPartitions),
      partitionsPendingRevocation: array(topicPartitions),
    },
  },
)

export const ShareGroupMemberMetadata = coordinatorRecord(
  10,
  'ShareGroupMemberMetadata',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
      memberId: string(),
    },
    value: {
      rackId: string({ nullable: true }),
      clientId: string(),
      clientHost: string(),
      subscribedTopicNames: array(string()),
    },
  },
)

export const ShareGroupMetadata = coordinatorRecord(
  11,
  'ShareGroupMetadata',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
    },
    value: {
      epoch: int32(),
      metadataHash: int64Wide(),
    },
  },
)

export const ShareGroupTargetAssignmentMetadata = coordinatorRecord(
  12,
  'ShareGroupTargetAssignmentMetadata',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
    },
    value: {
      assignmentEpoch: int32(),
      assignmentTimestamp: int64({ tag: 0, ignorable: true }),
    },
  },
)

export const ShareGroupTargetAssignmentMember = coordinatorRecord(
  13,
  'ShareGroupTargetAssignmentMember',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
      memberId: string(),
    },
    value: {
      topicPartitions: array({
        topicId: uuid(),
        partitions: array(int32()),
      }),
    },
  },
)

export const ShareGroupCurrentMemberAssignment = coordinatorRecord(
  14,
  'ShareGroupCurrentMemberAssignment',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
      memberId: string(),
    },
    value: {
      memberEpoch: int32(),
      previousMemberEpoch: int32(),
      state: int8(),
      assignedPartitions: array({
        topicId: uuid(),
        partitions: array(int32()),
      }),
    },
  },
)

const topicPartitionsInfo = {
  topicId: uuid(),
  topicName: string(),
  partitions: array(int32()),
}

export const ShareGroupStatePartitionMetadata = coordinatorRecord(
  15,
  'ShareGroupStatePartitionMetadata',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
    },
    value: {
      initializingTopics: array(topicPartitionsInfo),
      initializedTopics: array(topicPartitionsInfo),
      deletingTopics: array({
        topicId: uuid(),
        topicName: string(),
      }),
    },
  },
)

export const ConsumerGroupRegularExpression = coordinatorRecord(
  16,
  'ConsumerGroupRegularExpression',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
      regularExpression: string(),
    },
    value: {
      topics: array(string()),
      version: int64(),
      timestamp: int64(),
    },
  },
)

export const StreamsGroupMetadata = coordinatorRecord(
  17,
  'StreamsGroupMetadata',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
    },
    value: {
      epoch: int32(),
      metadataHash: int64Wide(),
      validatedTopologyEpoch: int32({ tag: 0, default: -1 }),
      lastAssignmentConfigs: array(
        {
          key: string(),
          value: string(),
        },
        { nullable: true, tag: 1 },
      ),
    },
  },
)

export const StreamsGroupMemberMetadata = coordinatorRecord(
  19,
  'StreamsGroupMemberMetadata',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
      memberId: string(),
    },
    value: {
      instanceId: string({ nullable: true }),
      rackId: string({ nullable: true }),
      clientId: string(),
      clientHost: string(),
      rebalanceTimeoutMs: int32({ default: -1 }),
      topologyEpoch: int32(),
      processId: string(),
      userEndpoint: struct(
        {
          host: string(),
          port: uint16(),
        },
        { nullable: true, default: null },
      ),
      clientTags: array({
        key: string(),
        value: string(),
      }),
    },
  },
)

export const StreamsGroupTargetAssignmentMetadata = coordinatorRecord(
  20,
  'StreamsGroupTargetAssignmentMetadata',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
    },
    value: {
      assignmentEpoch: int32(),
      assignmentTimestamp: int64({ tag: 0, ignorable: true }),
    },
  },
)

const taskIds = {
  subtopologyId: string(),
  partitions: array(int32()),
}

export const StreamsGroupTargetAssignmentMember = coordinatorRecord(
  21,
  'StreamsGroupTargetAssignmentMember',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
      memberId: string(),
    },
    value: {
      activeTasks: array(taskIds),
      standbyTasks: array(taskIds),
      warmupTasks: array(taskIds),
    },
  },
)

const streamsGroupCurrentMemberAssignmentValueTaskIds = {
  subtopologyId: string(),
  partitions: array(int32()),
  assignmentEpochs: array(int32(), { nullable: true, tag: 0 }),
}

export const StreamsGroupCurrentMemberAssignment = coordinatorRecord(
  22,
  'StreamsGroupCurrentMemberAssignment',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
      memberId: string(),
    },
    value: {
      memberEpoch: int32(),
      previousMemberEpoch: int32(),
      state: int8(),
      activeTasks: array(streamsGroupCurrentMemberAssignmentValueTaskIds),
      standbyTasks: array(streamsGroupCurrentMemberAssignmentValueTaskIds),
      warmupTasks: array(streamsGroupCurrentMemberAssignmentValueTaskIds),
      activeTasksPendingRevocation: array(streamsGroupCurrentMemberAssignmentValueTaskIds),
      standbyTasksPendingRevocation: array(streamsGroupCurrentMemberAssignmentValueTaskIds),
      warmupTasksPendingRevocation: array(streamsGroupCurrentMemberAssignmentValueTaskIds),
    },
  },
)

const topicInfo = {
  name: string(),
  partitions: int32(),
  replicationFactor: int16(),
  topicConfigs: array({
    key: string(),
    value: string(),
  }),
}

export const StreamsGroupTopology = coordinatorRecord(
  23,
  'StreamsGroupTopology',
  { valid: '0', flexible: '0+' },
  {
    key: {
      groupId: string(),
    },
    value: {
      epoch: int32(),
      subtopologies: array({
        subtopologyId: string(),
        sourceTopics: array(string()),
        sourceTopicRegex: array(string()),
        stateChangelogTopics: array(topicInfo),
        repartitionSinkTopics: array(string()),
        repartitionSourceTopics: array(topicInfo),
        copartitionGroups: array({
          sourceTopics: array(int16()),
          sourceTopicRegex: array(int16()),
          repartitionSourceTopics: array(int16()),
        }),
      }),
    },
  },
)
