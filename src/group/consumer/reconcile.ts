// Where a member goes next on its way to its target: first it gives up what is no longer meant for it, in its old epoch;
// then it moves to the epoch of the target and gets what is free of it; what others still have it waits for.
//
// Invariant: a partition is added only if nobody else has it, so it never has two owners. Kafka:
// CurrentAssignmentBuilder.

import type { Uuid } from '../../lib/uuid.ts'
import type { Cluster } from './cluster.ts'
import { topicIds } from './cluster.ts'
import type { ConsumerGroup, ResolvedRegex } from './consumer_group.ts'
import {
  type ConsumerMember,
  isReconciled,
  MemberState,
  NO_PARTITIONS,
  type Owned,
  type Target,
} from './member.ts'

/** The partitions a client says it has; null when it does not say. */
export type ReportedPartitions =
  | readonly { readonly topicId: Uuid; readonly partitions: readonly number[] }[]
  | null

/** What a reconciliation looks at, besides the member. */
export interface Goal {
  readonly cluster: Cluster
  readonly group: ConsumerGroup
  readonly regexes: ReadonlyMap<string, ResolvedRegex>
  readonly epoch: number
  readonly target: Target
  /** The member reads other topics than before: what it no longer reads it gives up at once. */
  readonly hasSubscriptionChanged: boolean
  readonly reported: ReportedPartitions
}

/** The member after this heartbeat; the same object when there is nothing to do for it. */
export function reconcile(member: ConsumerMember, goal: Goal): ConsumerMember {
  if (!goal.hasSubscriptionChanged && isReconciled(member, goal.epoch)) return member
  switch (member.state) {
    case MemberState.stable:
      if (member.memberEpoch !== goal.epoch) return computeNext(member, goal)
      return goal.hasSubscriptionChanged ? stripUnread(member, goal) : member
    case MemberState.unrevokedPartitions:
      if (!stillHas(goal.reported, member.pendingRevocation)) return computeNext(member, goal)
      return goal.hasSubscriptionChanged ? stripUnread(member, goal) : member
    default:
      return computeNext(member, goal)
  }
}

/** True while the client has not said that it has given all of them up. */
function stillHas(reported: ReportedPartitions, revoked: Owned): boolean {
  if (reported === null) return true
  return reported.some(({ topicId, partitions }) => {
    const pending = revoked.get(topicId)
    return pending !== undefined && partitions.some((partition) => pending.has(partition))
  })
}

/** Takes away what the member no longer reads, and leaves the rest as it is. */
function stripUnread(member: ConsumerMember, goal: Goal): ConsumerMember {
  const names = subscribedNames(member, goal)
  const read = topicIds(goal.cluster, names)
  const assigned = new Map(member.assigned)
  const pending = new Map(member.pendingRevocation)
  for (const [topicId, partitions] of member.assigned) {
    if (read.has(topicId)) continue
    assigned.delete(topicId)
    pending.set(topicId, new Map([...(pending.get(topicId) ?? []), ...partitions]))
  }
  // Who reads nothing at all is written down even so, as Kafka does.
  const readsNothing = names.length === 0 && member.pendingRevocation.size === 0
  if (assigned.size === member.assigned.size && !readsNothing) return member
  const next = movedTo(member, member.memberEpoch)
  if (pending.size > 0 && stillHas(goal.reported, pending)) {
    const state = MemberState.unrevokedPartitions
    return { ...next, state, assigned, pendingRevocation: pending }
  }
  return { ...next, assigned }
}

function computeNext(member: ConsumerMember, goal: Goal): ConsumerMember {
  const { group, target, epoch } = goal
  const read = topicIds(goal.cluster, subscribedNames(member, goal))
  const kept = new Map<Uuid, Map<number, number>>()
  const revoked = new Map<Uuid, Map<number, number>>()
  const granted: [Uuid, number][] = []
  let isWaiting = false
  for (const [topicId, partitions] of member.assigned) {
    const wanted = read.has(topicId) ? target.get(topicId) : undefined
    for (const [partition, since] of partitions) {
      put(wanted?.has(partition) === true ? kept : revoked, topicId, partition, since)
    }
  }
  for (const [topicId, partitions] of target) {
    if (!read.has(topicId)) continue
    for (const partition of partitions) {
      if (kept.get(topicId)?.has(partition) === true) continue
      const owner = group.ownerOf(topicId, partition)
      // What it has yet to give up itself may stay with it: nobody else can have it.
      const isItsOwn = member.pendingRevocation.get(topicId)?.has(partition) === true
      if (owner === undefined || isItsOwn) granted.push([topicId, partition])
      else isWaiting = true
    }
  }
  if (revoked.size > 0 && stillHas(goal.reported, revoked)) {
    const state = MemberState.unrevokedPartitions
    const next = movedTo(member, member.memberEpoch)
    return { ...next, state, assigned: kept, pendingRevocation: revoked }
  }
  for (const [topicId, partition] of granted) put(kept, topicId, partition, epoch)
  const state = isWaiting ? MemberState.unreleasedPartitions : MemberState.stable
  const next = movedTo(member, epoch)
  return { ...next, state, assigned: kept, pendingRevocation: NO_PARTITIONS }
}

function movedTo(member: ConsumerMember, memberEpoch: number): ConsumerMember {
  return { ...member, memberEpoch, previousMemberEpoch: member.memberEpoch }
}

/** A pattern that nobody has matched yet matches nothing. */
function subscribedNames({ topicNames, topicRegex }: ConsumerMember, { regexes }: Goal): string[] {
  return [...topicNames, ...(regexes.get(topicRegex)?.topics ?? [])]
}

function put(
  into: Map<Uuid, Map<number, number>>,
  topicId: Uuid,
  partition: number,
  epoch: number,
): void {
  const partitions = into.get(topicId)
  if (partitions === undefined) into.set(topicId, new Map([[partition, epoch]]))
  else partitions.set(partition, epoch)
}
