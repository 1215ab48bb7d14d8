// The target assignment: who should have what at a group epoch. Computed by an assignor when the group epoch has moved
// on, at most once in the group's assignment interval: then members follow the last target for a while.
//
// Invariant: the records of a target come as one batch, the epoch last, so no target is half true.
// Kafka: TargetAssignmentBuilder, GroupMetadataManager.maybeUpdateTargetAssignment. KIP-1263 for the interval.

import type { Uuid } from '../../lib/uuid.ts'
import type { MemberSpec } from '../assignors/assignor.ts'
import type { GroupRecord } from '../records.ts'
import type { Turn } from '../turn.ts'
import { topicIds } from './cluster.ts'
import type { ConsumerGroup, ResolvedRegex } from './consumer_group.ts'
import { type ConsumerMember, isSameTarget, NO_TARGET, type Target } from './member.ts'
import { targetEpochRecord, targetRecord } from './records.ts'
import { consumerSettings } from './settings.ts'

/** A change of the group that is being decided. */
export interface Change {
  readonly group: ConsumerGroup
  /** The group epoch after the change. */
  readonly groupEpoch: number
  readonly member: ConsumerMember
  /** A static member whose place the member takes. */
  readonly replaced: ConsumerMember | undefined
  readonly regexes: ReadonlyMap<string, ResolvedRegex>
}

/** The target of the changed member, and the epoch it is for. */
export interface Targeted {
  readonly epoch: number
  readonly target: Target
}

/** Brings the target up to date if it may be. */
export function retarget(turn: Turn, change: Change, records: GroupRecord[]): Targeted {
  const { group, groupEpoch, member } = change
  const known = {
    epoch: group.assignmentEpoch,
    target: group.targetOf(member.memberId, member.instanceId),
  }
  if (groupEpoch <= group.assignmentEpoch) return known
  const { assignmentIntervalMs } = consumerSettings(turn, group.groupId)
  const sinceMs = turn.nowMs - group.assignmentTimestampMs
  const isEarly =
    group.assignmentTimestampMs !== 0 && sinceMs >= 0 && sinceMs < assignmentIntervalMs
  if (isEarly) return known
  const targets = computeTargets(turn, change, records)
  return { epoch: groupEpoch, target: targets.get(member.memberId) ?? NO_TARGET }
}

function computeTargets(
  turn: Turn,
  { group, groupEpoch, member, replaced, regexes }: Change,
  records: GroupRecord[],
): Map<string, Target> {
  const { cluster, settings } = turn
  const members = new Map(group.members)
  if (replaced !== undefined) members.delete(replaced.memberId)
  members.set(member.memberId, member)
  const shared = new Map<string, ReadonlySet<Uuid>>()
  const specs = new Map<string, MemberSpec>()
  for (const [memberId, each] of members) {
    const subscription = `${each.topicRegex} ${each.topicNames.join(' ')}`
    let topics = shared.get(subscription)
    if (topics === undefined) {
      const matched = regexes.get(each.topicRegex)?.topics ?? []
      topics = topicIds(cluster, [...each.topicNames, ...matched])
      shared.set(subscription, topics)
    }
    const assigned = group.targetOf(memberId, each.instanceId)
    const { instanceId, rackId } = each
    specs.set(memberId, { instanceId, rackId, topics, assigned })
  }
  const preferred = group.preferredAssignor(replaced ?? group.member(member.memberId), member)
  const { assignors } = settings.consumer
  const assign = assignors.get(preferred ?? '') ?? [...assignors.values()][0]!
  const topicOf = (topicId: Uuid) => cluster.topic(cluster.nameOf(topicId) ?? '')
  const targets = assign({
    members: specs,
    partitionCount: (topicId) => topicOf(topicId)?.partitionCount ?? 0,
    racksOf: (topicId, partition) => topicOf(topicId)?.racksOf(partition) ?? [],
  })
  for (const memberId of members.keys()) {
    const before = group.targets.get(memberId)
    const after = targets.get(memberId) ?? NO_TARGET
    if (before !== undefined && isSameTarget(before, after)) continue
    records.push(targetRecord(group.groupId, memberId, after))
  }
  records.push(targetEpochRecord(group.groupId, groupEpoch, turn.nowMs))
  return targets
}
