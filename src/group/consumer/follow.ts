// The second and third step of a heartbeat: the target of the group's epoch, and the member on its way to it.
//
// A member that has partitions to give up gets its rebalance timeout for it; then it is out.
// Kafka: GroupMetadataManager.maybeReconcile, scheduleConsumerGroupRebalanceTimeout.

import type { GroupRecord } from '../records.ts'
import { rebalanceTimer } from '../timers.ts'
import type { Turn } from '../turn.ts'
import type { ConsumerGroup } from './consumer_group.ts'
import type { GroupChange } from './describe_change.ts'
import { type ConsumerMember, isSameProgress, MemberState } from './member.ts'
import { type ReportedPartitions, reconcile } from './reconcile.ts'
import { currentRecord } from './records.ts'
import { retarget } from './target.ts'

/** A member that has spoken, in a group whose epoch is known. */
export interface Following {
  readonly group: ConsumerGroup
  readonly updated: ConsumerMember
  readonly replaced: ConsumerMember | undefined
  readonly change: GroupChange
  readonly reported: ReportedPartitions
}

/** Adds the records of the target and of the member's next step; the member after it. */
export function follow(turn: Turn, following: Following, records: GroupRecord[]): ConsumerMember {
  const { group, updated, replaced, change, reported } = following
  const { groupEpoch, hasSubscriptionChanged } = change
  const { regexes } = group
  const targeted = retarget(
    turn,
    { group, groupEpoch, member: updated, replaced, regexes },
    records,
  )
  const { epoch, target } = targeted
  const { cluster } = turn
  const goal = { cluster, group, regexes, epoch, target, hasSubscriptionChanged, reported }
  return step(turn, updated, reconcile(updated, goal), { group, records })
}

/** Writes down where a member went, and watches over what it has to give up. */
export function step(
  turn: Turn,
  before: ConsumerMember,
  after: ConsumerMember,
  { group, records }: { group: ConsumerGroup; records: GroupRecord[] },
): ConsumerMember {
  if (isSameProgress(before, after)) return after
  const { groupId } = group
  records.push(currentRecord(groupId, after))
  // Who speaks the classic protocol is watched over by its own timers.
  if (after.classic !== null) return after
  const timer = rebalanceTimer(groupId, after.memberId)
  if (after.state !== MemberState.unrevokedPartitions) turn.cancel(timer)
  else turn.arm(timer, after.rebalanceTimeoutMs)
  return after
}
