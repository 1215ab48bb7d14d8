// How the log's records make consumer groups: the only code that changes one.
//
// Compaction may leave any suffix of a group's records, so each is taken for what it says, whatever came before it; a
// tombstone for what is not there means nothing. Kafka: GroupMetadataManager.replay and its overloads.

import type { GroupRecord } from '../records.ts'
import { ConsumerGroup } from './consumer_group.ts'
import { LEAVE_EPOCH, NO_PARTITIONS, newMember } from './member.ts'
import { describedBy, progressedTo, targetIn } from './records.ts'

/** Replays a record into the groups it may be about; other records change nothing. */
export function replayConsumerGroup(groups: Map<string, ConsumerGroup>, record: GroupRecord): void {
  switch (record.type) {
    case 'ConsumerGroupMetadata': {
      const { groupId } = record.key
      if (record.value === null) {
        groups.delete(groupId)
        return
      }
      const group = made(groups, groupId)
      group.groupEpoch = record.value.epoch
      group.metadataHash = record.value.metadataHash
      return
    }
    case 'ConsumerGroupPartitionMetadata': {
      const group = groups.get(record.key.groupId)
      if (group !== undefined) group.hasPartitionMetadata = record.value !== null
      else if (record.value !== null) made(groups, record.key.groupId).hasPartitionMetadata = true
      return
    }
    case 'ConsumerGroupMemberMetadata': {
      const { groupId, memberId } = record.key
      if (record.value === null) {
        groups.get(groupId)?.removeMember(memberId)
        return
      }
      const group = made(groups, groupId)
      group.putMember(describedBy(group.member(memberId), memberId, record.value))
      return
    }
    case 'ConsumerGroupTargetAssignmentMetadata': {
      const { groupId } = record.key
      const group = record.value === null ? groups.get(groupId) : made(groups, groupId)
      if (group === undefined) return
      group.assignmentEpoch = record.value?.assignmentEpoch ?? LEAVE_EPOCH
      group.assignmentTimestampMs = record.value?.assignmentTimestamp ?? 0
      return
    }
    case 'ConsumerGroupTargetAssignmentMember': {
      const { groupId, memberId } = record.key
      if (record.value === null) groups.get(groupId)?.targets.delete(memberId)
      else made(groups, groupId).targets.set(memberId, targetIn(record.value))
      return
    }
    case 'ConsumerGroupCurrentMemberAssignment':
      replayCurrent(groups, record)
      return
    case 'ConsumerGroupRegularExpression': {
      const { groupId, regularExpression } = record.key
      if (record.value === null) {
        groups.get(groupId)?.regexes.delete(regularExpression)
        return
      }
      const { topics, version, timestamp } = record.value
      const resolved = { topics, version, timestampMs: timestamp }
      made(groups, groupId).regexes.set(regularExpression, resolved)
      return
    }
  }
}

function replayCurrent(
  groups: Map<string, ConsumerGroup>,
  record: Extract<GroupRecord, { type: 'ConsumerGroupCurrentMemberAssignment' }>,
): void {
  const { groupId, memberId } = record.key
  if (record.value !== null) {
    const group = made(groups, groupId)
    group.putMember(progressedTo(group.member(memberId) ?? newMember(memberId), record.value))
    return
  }
  const group = groups.get(groupId)
  const member = group?.member(memberId)
  if (group === undefined || member === undefined) return
  const left = { memberEpoch: LEAVE_EPOCH, previousMemberEpoch: LEAVE_EPOCH }
  const nothing = { assigned: NO_PARTITIONS, pendingRevocation: NO_PARTITIONS }
  group.putMember({ ...member, ...left, ...nothing })
}

function made(groups: Map<string, ConsumerGroup>, groupId: string): ConsumerGroup {
  const known = groups.get(groupId)
  if (known !== undefined) return known
  const group = new ConsumerGroup(groupId)
  groups.set(groupId, group)
  return group
}
