// A consumer group that is deleted, or that gives way to a classic one: the tombstones of all that is stored of it.
// Kafka: ConsumerGroup.createGroupTombstoneRecords.

import type { GroupRecord } from '../records.ts'
import type { ConsumerGroup } from './consumer_group.ts'
import {
  currentTombstone,
  groupEpochTombstone,
  memberTombstone,
  partitionMetadataTombstone,
  regexTombstone,
  targetEpochTombstone,
  targetTombstone,
} from './records.ts'

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
    ...(group.hasPartitionMetadata ? [partitionMetadataTombstone(groupId)] : []),
    groupEpochTombstone(groupId),
  ]
}
