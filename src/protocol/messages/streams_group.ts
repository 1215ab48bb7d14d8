// Streams groups, KIP-1071: the broker assigns tasks from a topology that members send.

import { api, array, bool, int8, int16, int32, int64, string, struct, uint16 } from '../dsl.ts'

const keyValue = {
  key: string(),
  value: string(),
}

const topicInfo = {
  name: string(),
  partitions: int32(),
  replicationFactor: int16(),
  topicConfigs: array(keyValue),
}

const taskOffset = {
  subtopologyId: string(),
  partition: int32(),
  offset: int64(),
}

const taskIds = {
  subtopologyId: string(),
  partitions: array(int32()),
}

const topicPartition = {
  topic: string(),
  partitions: array(int32()),
}

const streamsGroupHeartbeatResponseTaskIds = {
  subtopologyId: string(),
  partitions: array(int32()),
}

export const StreamsGroupHeartbeat = api(
  88,
  'StreamsGroupHeartbeat',
  { valid: '0', flexible: '0+', listeners: ['broker'] },
  {
    request: {
      groupId: string(),
      memberId: string(),
      memberEpoch: int32(),
      endpointInformationEpoch: int32(),
      instanceId: string({ nullable: true, default: null }),
      rackId: string({ nullable: true, default: null }),
      rebalanceTimeoutMs: int32({ default: -1 }),
      topology: struct(
        {
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
        { nullable: true, default: null },
      ),
      activeTasks: array(taskIds, { nullable: true, default: null }),
      standbyTasks: array(taskIds, { nullable: true, default: null }),
      warmupTasks: array(taskIds, { nullable: true, default: null }),
      processId: string({ nullable: true, default: null }),
      userEndpoint: struct(
        {
          host: string(),
          port: uint16(),
        },
        { nullable: true, default: null },
      ),
      clientTags: array(keyValue, { nullable: true, default: null }),
      taskOffsets: array(taskOffset, { nullable: true, default: null }),
      taskEndOffsets: array(taskOffset, { nullable: true, default: null }),
      shutdownApplication: bool(),
    },
    response: {
      throttleTimeMs: int32(),
      errorCode: int16(),
      errorMessage: string({ nullable: true, default: null }),
      memberId: string(),
      memberEpoch: int32(),
      heartbeatIntervalMs: int32(),
      acceptableRecoveryLag: int32(),
      taskOffsetIntervalMs: int32(),
      status: array(
        {
          statusCode: int8(),
          statusDetail: string(),
        },
        { nullable: true },
      ),
      activeTasks: array(streamsGroupHeartbeatResponseTaskIds, { nullable: true, default: null }),
      standbyTasks: array(streamsGroupHeartbeatResponseTaskIds, { nullable: true, default: null }),
      warmupTasks: array(streamsGroupHeartbeatResponseTaskIds, { nullable: true, default: null }),
      endpointInformationEpoch: int32(),
      partitionsByUserEndpoint: array(
        {
          userEndpoint: struct({
            host: string(),
            port: uint16(),
          }),
          activePartitions: array(topicPartition),
          standbyPartitions: array(topicPartition),
        },
        { nullable: true, default: null },
      ),
    },
  },
)

const streamsGroupDescribeResponseTaskOffset = {
  subtopologyId: string(),
  partition: int32(),
  offset: int64(),
}

const streamsGroupDescribeResponseTaskIds = {
  subtopologyId: string(),
  partitions: array(int32()),
}

const assignment = {
  activeTasks: array(streamsGroupDescribeResponseTaskIds),
  standbyTasks: array(streamsGroupDescribeResponseTaskIds),
  warmupTasks: array(streamsGroupDescribeResponseTaskIds),
}

const streamsGroupDescribeResponseKeyValue = {
  key: string(),
  value: string(),
}

const streamsGroupDescribeResponseTopicInfo = {
  name: string(),
  partitions: int32(),
  replicationFactor: int16(),
  topicConfigs: array(streamsGroupDescribeResponseKeyValue),
}

export const StreamsGroupDescribe = api(
  89,
  'StreamsGroupDescribe',
  { valid: '0', flexible: '0+', listeners: ['broker'] },
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
        topology: struct(
          {
            epoch: int32(),
            subtopologies: array(
              {
                subtopologyId: string(),
                sourceTopics: array(string()),
                repartitionSinkTopics: array(string()),
                stateChangelogTopics: array(streamsGroupDescribeResponseTopicInfo),
                repartitionSourceTopics: array(streamsGroupDescribeResponseTopicInfo),
              },
              { nullable: true, default: null },
            ),
          },
          { nullable: true, default: null },
        ),
        members: array({
          memberId: string(),
          memberEpoch: int32(),
          instanceId: string({ nullable: true, default: null }),
          rackId: string({ nullable: true, default: null }),
          clientId: string(),
          clientHost: string(),
          topologyEpoch: int32(),
          processId: string(),
          userEndpoint: struct(
            {
              host: string(),
              port: uint16(),
            },
            { nullable: true, default: null },
          ),
          clientTags: array(streamsGroupDescribeResponseKeyValue),
          taskOffsets: array(streamsGroupDescribeResponseTaskOffset),
          taskEndOffsets: array(streamsGroupDescribeResponseTaskOffset),
          assignment: struct(assignment),
          targetAssignment: struct(assignment),
          isClassic: bool(),
        }),
        authorizedOperations: int32({ default: -2147483648 }),
      }),
    },
  },
)
