// The records of consumer groups, in the versions Kafka 4.3 writes, and what a member is made of when they are read.
//
// Invariant: as in ../records.ts, what is built here is complete, so that a record replayed from memory and one read
// back from the log are the same value. Kafka: GroupCoordinatorRecordHelpers.

import type { Uuid } from '../../lib/uuid.ts'
import type { GroupRecord } from '../records.ts'
import type { ResolvedRegex } from './consumer_group.ts'
import { type ConsumerMember, newMember, type Owned, type Target } from './member.ts'

type ValueOf<T extends GroupRecord['type']> = NonNullable<
  Extract<GroupRecord, { type: T }>['value']
>
export type MemberMetadataValue = ValueOf<'ConsumerGroupMemberMetadata'>
export type CurrentAssignmentValue = ValueOf<'ConsumerGroupCurrentMemberAssignment'>
export type TargetMemberValue = ValueOf<'ConsumerGroupTargetAssignmentMember'>

export function groupEpochRecord(
  groupId: string,
  epoch: number,
  metadataHash: bigint,
): GroupRecord {
  const value = { epoch, metadataHash }
  return { type: 'ConsumerGroupMetadata', key: { groupId }, version: 0, value }
}

export function groupEpochTombstone(groupId: string): GroupRecord {
  return { type: 'ConsumerGroupMetadata', key: { groupId }, version: 0, value: null }
}

/** Releases before 4.1 kept the partitions of topics here; nobody reads it any more. */
export function partitionMetadataTombstone(groupId: string): GroupRecord {
  return { type: 'ConsumerGroupPartitionMetadata', key: { groupId }, version: 0, value: null }
}

export function memberRecord(groupId: string, member: ConsumerMember): GroupRecord {
  const { memberId, instanceId, rackId, clientId, clientHost } = member
  const { rebalanceTimeoutMs, serverAssignor, classic } = member
  const value: MemberMetadataValue = {
    instanceId,
    rackId,
    clientId,
    clientHost,
    subscribedTopicNames: [...member.topicNames],
    subscribedTopicRegex: member.topicRegex,
    rebalanceTimeoutMs,
    serverAssignor,
    classicMemberMetadata:
      classic === null
        ? null
        : {
            sessionTimeoutMs: classic.sessionTimeoutMs,
            supportedProtocols: classic.supportedProtocols.map(({ name, metadata }) => ({
              name,
              metadata,
            })),
          },
  }
  return { type: 'ConsumerGroupMemberMetadata', key: { groupId, memberId }, version: 0, value }
}

export function memberTombstone(groupId: string, memberId: string): GroupRecord {
  const key = { groupId, memberId }
  return { type: 'ConsumerGroupMemberMetadata', key, version: 0, value: null }
}

export function targetEpochRecord(
  groupId: string,
  assignmentEpoch: number,
  assignmentTimestamp: number,
): GroupRecord {
  const value = { assignmentEpoch, assignmentTimestamp }
  return { type: 'ConsumerGroupTargetAssignmentMetadata', key: { groupId }, version: 0, value }
}

export function targetEpochTombstone(groupId: string): GroupRecord {
  const key = { groupId }
  return { type: 'ConsumerGroupTargetAssignmentMetadata', key, version: 0, value: null }
}

export function targetRecord(groupId: string, memberId: string, target: Target): GroupRecord {
  const topicPartitions = Array.from(target, ([topicId, partitions]) => ({
    topicId,
    partitions: [...partitions].sort((x, y) => x - y),
  }))
  const key = { groupId, memberId }
  return {
    type: 'ConsumerGroupTargetAssignmentMember',
    key,
    version: 0,
    value: { topicPartitions },
  }
}

export function targetTombstone(groupId: string, memberId: string): GroupRecord {
  const key = { groupId, memberId }
  return { type: 'ConsumerGroupTargetAssignmentMember', key, version: 0, value: null }
}

export function currentRecord(groupId: string, member: ConsumerMember): GroupRecord {
  const { memberId, memberEpoch, previousMemberEpoch, state } = member
  const value: CurrentAssignmentValue = {
    memberEpoch,
    previousMemberEpoch,
    state,
    assignedPartitions: stored(member.assigned),
    partitionsPendingRevocation: stored(member.pendingRevocation),
  }
  const key = { groupId, memberId }
  return { type: 'ConsumerGroupCurrentMemberAssignment', key, version: 0, value }
}

export function currentTombstone(groupId: string, memberId: string): GroupRecord {
  const key = { groupId, memberId }
  return { type: 'ConsumerGroupCurrentMemberAssignment', key, version: 0, value: null }
}

export function regexRecord(
  groupId: string,
  regularExpression: string,
  { topics, version, timestampMs }: ResolvedRegex,
): GroupRecord {
  const value = { topics: [...topics], version, timestamp: timestampMs }
  const key = { groupId, regularExpression }
  return { type: 'ConsumerGroupRegularExpression', key, version: 0, value }
}

export function regexTombstone(groupId: string, regularExpression: string): GroupRecord {
  const key = { groupId, regularExpression }
  return { type: 'ConsumerGroupRegularExpression', key, version: 0, value: null }
}

/** A member with what its record says of it. */
export function describedBy(
  known: ConsumerMember | undefined,
  memberId: string,
  value: MemberMetadataValue,
): ConsumerMember {
  return {
    ...(known ?? newMember(memberId)),
    instanceId: value.instanceId,
    rackId: value.rackId,
    clientId: value.clientId,
    clientHost: value.clientHost,
    rebalanceTimeoutMs: value.rebalanceTimeoutMs,
    topicNames: value.subscribedTopicNames,
    topicRegex: value.subscribedTopicRegex ?? '',
    serverAssignor: value.serverAssignor,
    classic: value.classicMemberMetadata,
  }
}

/** A member with where its record says that it is. */
export function progressedTo(
  member: ConsumerMember,
  value: CurrentAssignmentValue,
): ConsumerMember {
  const { memberEpoch, previousMemberEpoch, state } = value
  return {
    ...member,
    memberEpoch,
    previousMemberEpoch,
    state,
    assigned: owned(value.assignedPartitions, memberEpoch),
    pendingRevocation: owned(value.partitionsPendingRevocation, memberEpoch),
  }
}

/** The target that a record holds. */
export function targetIn({ topicPartitions }: TargetMemberValue): Target {
  return new Map(topicPartitions.map(({ topicId, partitions }) => [topicId, new Set(partitions)]))
}

function stored(partitions: Owned): CurrentAssignmentValue['assignedPartitions'] {
  return Array.from(partitions, ([topicId, epochs]) => {
    const sorted = [...epochs].sort(([x], [y]) => x - y)
    return {
      topicId,
      partitions: sorted.map(([partition]) => partition),
      assignmentEpochs: sorted.map(([, epoch]) => epoch),
    }
  })
}

/** Records of releases before 4.3 say no epochs: the member's own is the best that is known. */
function owned(stored: CurrentAssignmentValue['assignedPartitions'], memberEpoch: number): Owned {
  const standard = Math.max(memberEpoch, 0)
  return new Map<Uuid, ReadonlyMap<number, number>>(
    stored.map(({ topicId, partitions, assignmentEpochs }) => [
      topicId,
      new Map(
        partitions.map((partition, index) => [partition, assignmentEpochs?.[index] ?? standard]),
      ),
    ]),
  )
}
