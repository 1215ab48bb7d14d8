// Members that go: they leave, or are silent or too slow for too long.
//
// Whoever is gone has nothing from that moment on, and the group's epoch moves: the next heartbeat of any other member
// brings the new target. A static member that leaves for a while keeps its partitions, under an epoch nobody can use.
// Kafka: GroupMetadataManager.consumerGroupLeave, consumerGroupFenceMembers.

import { memberTimers, rebalanceTimer } from '../timers.ts'
import type { Turn } from '../turn.ts'
import { hashOfTopics } from './cluster.ts'
import type { ConsumerGroup } from './consumer_group.ts'
import type { HeartbeatRequest, HeartbeatResponse } from './heartbeat.ts'
import {
  type ConsumerMember,
  MemberState,
  NO_PARTITIONS,
  type Owned,
  STATIC_LEAVE_EPOCH,
} from './member.ts'
import { downgrade, mayDowngrade } from './migration/downgrade.ts'
import { removalRecords } from './record_sets.ts'
import { currentRecord, groupEpochRecord, regexTombstone } from './records.ts'
import { fencedInstance, noConsumerGroup, unknownMember } from './refusal.ts'

/** Decides a heartbeat that leaves. */
export function leave(turn: Turn, request: HeartbeatRequest): HeartbeatResponse {
  const { groupId, memberId, memberEpoch, instanceId } = request
  const group = turn.truth.consumerGroups.get(groupId)
  if (group === undefined) return noConsumerGroup(groupId)
  const known = instanceId === null ? group.member(memberId) : group.staticMember(instanceId)
  if (known === undefined) return unknownMember(group, instanceId ?? memberId)
  if (known.memberId !== memberId) return fencedInstance(known)
  if (memberEpoch === STATIC_LEAVE_EPOCH) {
    const assigned = sinceEver(known.assigned)
    const away = { ...known, memberEpoch, assigned, pendingRevocation: NO_PARTITIONS }
    turn.records.push(currentRecord(groupId, away))
    // It gives up nothing any more; its session is what ends it.
    turn.cancel(rebalanceTimer(groupId, memberId))
  } else fence(turn, group, [known])
  return { memberId, memberEpoch }
}

/** Whoever comes back for them starts over in epoch 0. */
function sinceEver(owned: Owned): Owned {
  return new Map(
    Array.from(owned, ([topicId, partitions]) => [
      topicId,
      new Map(Array.from(partitions.keys(), (partition) => [partition, 0])),
    ]),
  )
}

/** Members are out; if that leaves only members of the classic protocol, the group is theirs. */
export function fence(turn: Turn, group: ConsumerGroup, members: readonly ConsumerMember[]): void {
  if (members.length === 0) return
  if (mayDowngrade(turn, group, members, 0)) {
    return downgrade(turn, group, { leaving: members, joining: null, mustRebalance: true })
  }
  const { groupId } = group
  for (const { memberId } of members) turn.records.push(...removalRecords(groupId, memberId))
  for (const pattern of patternsLeft(group, members)) {
    turn.records.push(regexTombstone(groupId, pattern))
  }
  const names = group.topicNamesAfter(members.map((member) => [member, undefined]))
  const hash = hashOfTopics(turn.cluster, names)
  turn.records.push(groupEpochRecord(groupId, group.groupEpoch + 1, hash))
  for (const { memberId } of members) {
    for (const timer of memberTimers(groupId, memberId)) turn.relent(timer)
  }
}

/** Patterns that nobody else has. */
function patternsLeft(group: ConsumerGroup, members: readonly ConsumerMember[]): string[] {
  const counts = new Map<string, number>()
  for (const { topicRegex } of members) {
    if (topicRegex !== '') counts.set(topicRegex, (counts.get(topicRegex) ?? 0) + 1)
  }
  return [...counts.keys()].filter((pattern) => {
    return group.subscribedRegexes.get(pattern) === counts.get(pattern)
  })
}

/** A member was silent for too long, or did not join or sync in time. */
export function expireMember(turn: Turn, group: ConsumerGroup, memberId: string): void {
  const member = group.member(memberId)
  if (member !== undefined) fence(turn, group, [member])
}

/** A member has not given up in time what it had to. */
export function expireRevocation(turn: Turn, group: ConsumerGroup, memberId: string): void {
  const member = group.member(memberId)
  if (member?.state === MemberState.unrevokedPartitions) fence(turn, group, [member])
}
