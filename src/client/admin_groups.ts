// What operators do to groups: list, describe, delete them, and read, set or drop what they have committed. A group is
// asked at its coordinator; a request that met the wrong one is sent again to the right one.
// Kafka: KafkaAdminClient, DescribeConsumerGroupsHandler: KIP-848's description first, the classic one where the
// group is no such group.

import { MalformedFrame } from '../lib/bytes.ts'
import { decodeAssignment } from '../protocol/embedded.ts'
import { ErrorCode, errorOf } from '../protocol/errors.ts'
import { DeleteGroups, DescribeGroups, ListGroups } from '../protocol/messages/classic_group.ts'
import { ConsumerGroupDescribe } from '../protocol/messages/consumer_group.ts'
import { OffsetCommit, OffsetDelete, OffsetFetch } from '../protocol/messages/offsets.ts'
import { errorOfItem, type NamedResult } from './admin_topics.ts'
import { answered, type ClientError, isClientError } from './client_error.ts'
import type { Cluster } from './cluster.ts'
import { byTopic, partitionText, type TopicPartition } from './per_leader.ts'

export interface ListedGroup {
  readonly groupId: string
  readonly protocolType: string
  /** Empty from brokers older than 2.6. */
  readonly state: string
  /** `classic`, `consumer`, `share`, `streams`; empty from brokers older than 3.8. */
  readonly type: string
}

/** Every group of the cluster, by id. Raises when a broker cannot be asked: a part is not the whole. */
export async function listGroups(
  cluster: Cluster,
  filter: { readonly states?: readonly string[]; readonly types?: readonly string[] } = {},
): Promise<ListedGroup[]> {
  await cluster.refresh()
  const { states = [], types = [] } = filter
  const lists = await Promise.all(
    cluster.brokers.map(async ({ nodeId }) => {
      const answer = await cluster.request(
        ListGroups,
        (version) => ({
          ...(version >= 4 ? { statesFilter: states } : {}),
          ...(version >= 5 ? { typesFilter: types } : {}),
        }),
        { node: nodeId },
        { errorOf: ({ errorCode }) => errorCode },
      )
      if (answer.errorCode !== ErrorCode.NONE) {
        throw answered(answer.errorCode, `the groups of broker ${nodeId}`)
      }
      return answer.groups
    }),
  )
  const isWanted = (wanted: readonly string[], is: string): boolean =>
    wanted.length === 0 || wanted.some((word) => word.toLowerCase() === is.toLowerCase())
  const groups = new Map(lists.flat().map((group) => [group.groupId, group]))
  return [...groups.values()]
    .map(({ groupId, protocolType, groupState, groupType }) => ({
      groupId,
      protocolType,
      state: groupState,
      type: groupType,
    }))
    .filter(({ state, type }) => isWanted(states, state) && isWanted(types, type))
    .sort((a, b) => (a.groupId < b.groupId ? -1 : 1))
}

export interface GroupMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly assignment: readonly TopicPartition[]
}

export interface GroupDescription {
  readonly groupId: string
  readonly type: 'classic' | 'consumer'
  readonly state: string
  readonly protocolType: string
  /** The assignor, or the protocol the members agreed on. */
  readonly protocol: string
  /** The node id of the coordinator; -1 with an error. */
  readonly coordinator: number
  readonly members: readonly GroupMember[]
  readonly error: ClientError | null
}

/** Describes groups; each keeps its error. A group nobody knows is GROUP_ID_NOT_FOUND, or Dead on older brokers. */
export function describeGroups(
  cluster: Cluster,
  groupIds: readonly string[],
): Promise<GroupDescription[]> {
  return Promise.all(groupIds.map((groupId) => describeGroup(cluster, groupId)))
}

async function describeGroup(cluster: Cluster, groupId: string): Promise<GroupDescription> {
  try {
    const connection = await cluster.retried(() => cluster.connection({ group: groupId }), {
      group: groupId,
    })
    const described = connection.serves(ConsumerGroupDescribe)
      ? await describeConsumer(cluster, groupId)
      : null
    return described ?? (await describeClassic(cluster, groupId))
  } catch (error) {
    if (!isClientError(error) || cluster.isClosed) throw error
    return { ...unknownGroup(groupId), error }
  }
}

const unknownGroup = (groupId: string): GroupDescription => ({
  groupId,
  type: 'classic',
  state: '',
  protocolType: '',
  protocol: '',
  coordinator: -1,
  members: [],
  error: null,
})

/** Null where the group is none of KIP-848's. */
async function describeConsumer(
  cluster: Cluster,
  groupId: string,
): Promise<GroupDescription | null> {
  const answer = await cluster.request(
    ConsumerGroupDescribe,
    { groupIds: [groupId] },
    { group: groupId },
    { errorOf: ({ groups }) => groups[0]?.errorCode ?? 0 },
  )
  const group = answer.groups[0]
  if (group === undefined || group.errorCode === ErrorCode.GROUP_ID_NOT_FOUND) return null
  if (group.errorCode === ErrorCode.UNSUPPORTED_VERSION) return null
  return {
    groupId,
    type: 'consumer',
    state: group.groupState,
    protocolType: 'consumer',
    protocol: group.assignorName,
    coordinator: await cluster.coordinator(groupId),
    members: group.members.map(({ memberId, instanceId, clientId, clientHost, assignment }) => ({
      memberId,
      groupInstanceId: instanceId,
      clientId,
      clientHost,
      assignment: assignment.topicPartitions.flatMap(({ topicName, partitions }) =>
        partitions.map((partition) => ({ topic: topicName, partition })),
      ),
    })),
    error: errorOfItem(group.errorCode, `group '${groupId}'`, group.errorMessage),
  }
}

async function describeClassic(cluster: Cluster, groupId: string): Promise<GroupDescription> {
  const answer = await cluster.request(
    DescribeGroups,
    { groups: [groupId] },
    { group: groupId },
    { errorOf: ({ groups }) => groups[0]?.errorCode ?? 0 },
  )
  const group = answer.groups[0]!
  return {
    groupId,
    type: 'classic',
    state: group.groupState,
    protocolType: group.protocolType,
    protocol: group.protocolData,
    coordinator: await cluster.coordinator(groupId),
    members: group.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      assignment: assignmentOf(group.protocolType, member.memberAssignment),
    })),
    error: errorOfItem(group.errorCode, `group '${groupId}'`, group.errorMessage),
  }
}

/** What a member was given; nothing where its bytes are another protocol's. */
function assignmentOf(protocolType: string, bytes: Uint8Array): TopicPartition[] {
  if (protocolType !== 'consumer' || bytes.length === 0) return []
  try {
    return decodeAssignment(bytes).assignedPartitions.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    )
  } catch (problem) {
    if (problem instanceof MalformedFrame) return []
    throw problem
  }
}

/** Deletes groups that have no members. */
export function deleteGroups(
  cluster: Cluster,
  groupIds: readonly string[],
): Promise<NamedResult[]> {
  return Promise.all(
    groupIds.map(async (groupId) => {
      try {
        const answer = await cluster.request(
          DeleteGroups,
          { groupsNames: [groupId] },
          { group: groupId },
          { errorOf: ({ results }) => results[0]?.errorCode ?? 0 },
        )
        const code = answer.results[0]?.errorCode ?? 0
        return { name: groupId, error: errorOfItem(code, `group '${groupId}'`) }
      } catch (error) {
        if (!isClientError(error) || cluster.isClosed) throw error
        return { name: groupId, error }
      }
    }),
  )
}

export interface CommittedOffset extends TopicPartition {
  /** -1: nothing is committed. */
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
  readonly error: ClientError | null
}

/** What a group has committed: for some partitions, or (null) for all it knows. */
export async function fetchCommittedOffsets(
  cluster: Cluster,
  groupId: string,
  partitions: readonly TopicPartition[] | null = null,
): Promise<CommittedOffset[]> {
  const topics =
    partitions === null
      ? null
      : byTopic(partitions, ({ partition }) => partition).map((entry) => ({
          name: entry.topic,
          partitionIndexes: entry.partitions,
        }))
  const answer = await cluster.request(
    OffsetFetch,
    (version) => (version >= 8 ? { groups: [{ groupId, topics }] } : { groupId, topics }),
    { group: groupId },
    {
      versionMax: 9,
      errorOf: (response) => response.groups[0]?.errorCode ?? response.errorCode,
    },
  )
  const group = answer.groups[0] ?? answer
  if (group.errorCode !== ErrorCode.NONE) {
    throw answered(group.errorCode, `the offsets of group '${groupId}'`, { group: groupId })
  }
  return group.topics.flatMap(({ name, partitions: found }) =>
    found.map((partition) => {
      const item = { topic: name, partition: partition.partitionIndex }
      return {
        ...item,
        offset: Number(partition.committedOffset),
        leaderEpoch: partition.committedLeaderEpoch,
        metadata: partition.metadata ?? '',
        error: errorOfItem(partition.errorCode, `the offset of ${partitionText(item)}`),
      }
    }),
  )
}

/** An offset to commit: that of the next record to read. */
export interface OffsetToCommit extends TopicPartition {
  readonly offset: number
  readonly leaderEpoch?: number
  readonly metadata?: string | null
}

/** Who commits; without a member, somebody outside of a group that must be empty. */
export interface Committer {
  readonly memberId: string
  readonly generationId: number
  readonly groupInstanceId?: string | null
}

export interface PartitionResult extends TopicPartition {
  readonly error: ClientError | null
}

/** Commits offsets; per partition what became of it. */
export async function alterCommittedOffsets(
  cluster: Cluster,
  groupId: string,
  offsets: readonly OffsetToCommit[],
  as?: Committer,
): Promise<PartitionResult[]> {
  const body = {
    groupId,
    ...(as === undefined
      ? {}
      : {
          generationIdOrMemberEpoch: as.generationId,
          memberId: as.memberId,
          groupInstanceId: as.groupInstanceId ?? null,
        }),
    topics: byTopic(offsets, ({ partition, offset, leaderEpoch, metadata }) => ({
      partitionIndex: partition,
      committedOffset: BigInt(offset),
      committedLeaderEpoch: leaderEpoch ?? -1,
      committedMetadata: metadata ?? '',
    })).map(({ topic, partitions }) => ({ name: topic, partitions })),
  }
  // Version 10 speaks of topics by id; names say the same and every broker knows them.
  const answer = await cluster.request(
    OffsetCommit,
    body,
    { group: groupId },
    {
      versionMax: 9,
      errorOf: ({ topics }) => firstPassing(topics.flatMap(({ partitions }) => partitions)),
    },
  )
  return answer.topics.flatMap(({ name, partitions }) => partitionResults(name, partitions))
}

/** Forgets what a group has committed for partitions that no member reads. */
export async function deleteCommittedOffsets(
  cluster: Cluster,
  groupId: string,
  partitions: readonly TopicPartition[],
): Promise<PartitionResult[]> {
  const body = {
    groupId,
    topics: byTopic(partitions, ({ partition }) => ({ partitionIndex: partition })).map(
      ({ topic, partitions: list }) => ({ name: topic, partitions: list }),
    ),
  }
  const answer = await cluster.request(
    OffsetDelete,
    body,
    { group: groupId },
    {
      errorOf: ({ errorCode }) => errorCode,
    },
  )
  if (answer.errorCode !== ErrorCode.NONE) {
    throw answered(answer.errorCode, `the offsets of group '${groupId}'`, { group: groupId })
  }
  return answer.topics.flatMap(({ name, partitions: list }) => partitionResults(name, list))
}

function partitionResults(
  topic: string,
  list: readonly { partitionIndex: number; errorCode: number }[],
): PartitionResult[] {
  return list.map(({ partitionIndex, errorCode }) => {
    const item = { topic, partition: partitionIndex }
    return { ...item, error: errorOfItem(errorCode, `the offset of ${partitionText(item)}`) }
  })
}

/** The coordinator's errors are the same for every partition, so one says it for all. */
function firstPassing(list: readonly { errorCode: number }[]): number {
  const passing: readonly number[] = [
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ]
  const found = list.find(({ errorCode }) => passing.includes(errorCode))
  return found === undefined || !errorOf(found.errorCode).retriable ? 0 : found.errorCode
}
