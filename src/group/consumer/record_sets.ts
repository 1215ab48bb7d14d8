// Records that only make sense together: a member that is out, a static member that takes the place of its former self,
// a group that is no more. What somebody owns goes first, so that nothing is ever owned by nobody in particular.
//
// Kafka: GroupMetadataManager.removeMember, replaceMember; ConsumerGroup.createGroupTombstoneRecords.

import type { GroupRecord } from '../records.ts'
import type { ConsumerGroup } from './consumer_group.ts'
import type { ConsumerMember } from './member.ts'
import {
  currentRecord,
  currentTombstone,
  groupEpochTombstone,
  memberRecord,
  memberTombstone,
  partitionMetadataTombstone,
  regexTombstone,
  targetEpochTombstone,
  targetRecord,
  targetTombstone,
} from './records.ts'

/** The records that take a member out; what it has first, so that no one is left who owns something. */
export function removalRecords(groupId: string, memberId: string): GroupRecord[] {
  return [
    currentTombstone(groupId, memberId),
    targetTombstone(groupId, memberId),
    memberTombstone(groupId, memberId),
  ]
}

/** A static member takes the place of its former self, target and all. */
export function replacement(
  group: ConsumerGroup,
  before: ConsumerMember,
  after: ConsumerMember,
): GroupRecord[] {
  const { groupId } = group
  return [
    ...removalRecords(groupId, before.memberId),
    memberRecord(groupId, after),
    targetRecord(groupId, after.memberId, group.targetOf(before.memberId)),
    currentRecord(groupId, after),
  ]
}

/** Tombstones for the whole group, members first. */
export function consumerGroupTombstones(group: ConsumerGroup): GroupRecord[] {
  const { groupId } = group
  const memberIds = [...group.members.keys()]
  return [
    ...memberIds.map((memberId) => currentTombstone(groupId, memberId)),
    ...memberIds.map((memberId) => targetTombstone(groupId, memberId)),
    targetEpochTombstone(groupId),
    ...memberIds.map((memberId) => memberTombstone(groupId, memberId)),
    ...Array.from(group.regexes.keys(), (pattern) => regexTombstone(groupId, pattern)),
    partitionMetadataTombstone(groupId),
    groupEpochTombstone(groupId),
  ]
}
