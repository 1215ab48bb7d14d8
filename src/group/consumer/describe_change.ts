// What a member's new description means for its group: whether the group's epoch moves on.
//
// It does when the member reads other topics than before, and when the topics the group reads are not as they were.
// Kafka: GroupMetadataManager.hasMemberSubscriptionChanged, maybeUpdateRegularExpressions, updateSubscriptionMetadata.

import type { GroupRecord } from '../records.ts'
import type { Turn } from '../turn.ts'
import { hashOfTopics } from './cluster.ts'
import type { ConsumerGroup } from './consumer_group.ts'
import { type ConsumerMember, isSameDescription, isSameList } from './member.ts'
import { groupEpochRecord, memberRecord, partitionMetadataTombstone } from './records.ts'
import { isRefusal, type Refusal } from './refusal.ts'
import { updateRegex } from './regexes.ts'

/** A member before and after it spoke. */
export interface Spoken {
  readonly group: ConsumerGroup
  readonly member: ConsumerMember
  readonly updated: ConsumerMember
  /** The static member whose place it takes. */
  readonly replaced: ConsumerMember | undefined
}

/** What follows for the group. */
export interface GroupChange {
  readonly groupEpoch: number
  readonly hasSubscriptionChanged: boolean
}

/** Adds the records of what a member said, or says why it may not say so. */
export function describeChange(
  turn: Turn,
  spoken: Spoken,
  records: GroupRecord[],
): GroupChange | Refusal {
  const { group, member, updated, replaced } = spoken
  const regex = updateRegex(turn, group, member, updated)
  if (isRefusal(regex)) return regex
  const isSame = isSameDescription(member, updated)
  if (!isSame) records.push(memberRecord(group.groupId, updated))
  records.push(...regex.records)
  const haveNamesChanged = !isSameList(member.topicNames, updated.topicNames)
  const mustBump = haveNamesChanged || regex.isResolved
  const groupEpoch = refresh(
    turn,
    { group, before: replaced ?? member, updated, mustBump },
    records,
  )
  return { groupEpoch, hasSubscriptionChanged: haveNamesChanged || regex.isUpdated }
}

/** Looks at the topics again if there is reason to; the group epoch after that. */
function refresh(
  turn: Turn,
  change: {
    readonly group: ConsumerGroup
    readonly before: ConsumerMember
    readonly updated: ConsumerMember
    readonly mustBump: boolean
  },
  records: GroupRecord[],
): number {
  const { group, before, updated, mustBump } = change
  const { groupId, groupEpoch } = group
  if (!mustBump && turn.refreshed.has(groupId)) return groupEpoch
  const names = group.topicNamesAfter([[before, updated]])
  const hash = hashOfTopics(turn.cluster, names)
  turn.refreshed.add(groupId)
  const isBumped = mustBump || hash !== group.metadataHash
  if (isBumped) records.push(groupEpochRecord(groupId, groupEpoch + 1, hash))
  if (group.hasPartitionMetadata) records.push(partitionMetadataTombstone(groupId))
  return isBumped ? groupEpoch + 1 : groupEpoch
}
