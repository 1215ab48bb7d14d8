// Rebalances: how one begins, how its join phase ends, and what silence does to it.
//
// The join phase of a group that was empty waits `group.initial.rebalance.delay.ms` for more members, again while they
// keep coming, up to their rebalance timeout. Any other join phase ends when every member has joined, or after the
// longest rebalance timeout; then dynamic members that have not joined are out, and static ones stay until their
// session ends. Kafka: GroupMetadataManager.prepareRebalance, completeClassicGroupJoin, expirePendingSync.

import { ErrorCode } from '../protocol/errors.ts'
import type { ClassicGroup } from './classic_group.ts'
import { isExcused, type Member, metadataOf, NO_BYTES } from './member.ts'
import type { JoinResponse } from './requests.ts'
import { joinTimer, sessionTimer, syncTimer } from './timers.ts'
import type { Turn } from './turn.ts'

/** A member may name a rebalance timeout of 0; trying again and again at once would serve nobody. */
const RETRY_MS_MIN = 100

/** Begins a rebalance where there is none, or else ends the join phase if this was all it waited for. */
export function rebalanceOrCompleteJoin(turn: Turn, group: ClassicGroup): void {
  if (group.canRebalance) prepareRebalance(turn, group)
  else completeJoinIfReady(turn, group)
}

/** Everybody is to join again. */
export function prepareRebalance(turn: Turn, group: ClassicGroup): void {
  if (group.state === 'CompletingRebalance') {
    for (const member of group.members) {
      member.assignment = NO_BYTES
      if (turn.answerSync(member, { errorCode: ErrorCode.REBALANCE_IN_PROGRESS })) {
        turn.touch(group, member)
      }
    }
  }
  group.pendingSync.clear()
  turn.cancel(syncTimer(group.groupId))
  const isInitial = group.state === 'Empty'
  group.transitionTo('PreparingRebalance', turn.nowMs)
  if (isInitial) {
    const delayMs = turn.settings.initialRebalanceDelayMs
    group.initialDelay = {
      delayMs,
      remainingMs: Math.max(group.rebalanceTimeoutMs - delayMs, 0),
    }
    turn.arm(joinTimer(group.groupId), delayMs)
  } else if (group.hasAllMembersJoined) {
    completeJoin(turn, group)
  } else {
    turn.arm(joinTimer(group.groupId), group.rebalanceTimeoutMs)
  }
}

/** Ends the join phase if nobody is missing; the first one of a group lasts as long as its delay. */
export function completeJoinIfReady(turn: Turn, group: ClassicGroup): void {
  if (group.state !== 'PreparingRebalance' || group.previousState === 'Empty') return
  if (group.hasAllMembersJoined) completeJoin(turn, group)
}

/** The join phase is over, whoever is missing. */
function completeJoin(turn: Turn, group: ClassicGroup): void {
  const { groupId } = group
  turn.cancel(joinTimer(groupId))
  group.initialDelay = null
  group.hasNewMember = false
  for (const { memberId, groupInstanceId, awaitingJoin } of [...group.members]) {
    if (awaitingJoin !== null || groupInstanceId !== null) continue
    group.remove(memberId)
    turn.cancel(sessionTimer(groupId, memberId))
  }
  if (!group.electJoinedLeader() && group.size > 0) {
    // Only static members, and none of them here: wait until one comes or their sessions end.
    turn.arm(joinTimer(groupId), Math.max(group.rebalanceTimeoutMs, RETRY_MS_MIN))
    return
  }
  group.startGeneration(turn.nowMs)
  if (group.state === 'Empty') {
    turn.store(group)
    return
  }
  for (const member of group.members) {
    turn.answerJoin(group, member, presentGeneration(group, member))
    turn.touch(group, member)
    member.isNew = false
    group.pendingSync.add(member.memberId)
  }
  turn.arm(syncTimer(groupId), group.rebalanceTimeoutMs)
}

/** What JoinGroup says of the generation: to the leader, all members with what they asked for. */
export function presentGeneration(group: ClassicGroup, member: Member): JoinResponse {
  return {
    errorCode: ErrorCode.NONE,
    generationId: group.generationId,
    protocolType: group.protocolType,
    protocolName: group.protocolName,
    leader: group.leaderId ?? '',
    memberId: member.memberId,
    members: group.isLeader(member.memberId) ? membersOf(group) : [],
  }
}

/** The members as a leader sees them. */
export function membersOf(group: ClassicGroup): NonNullable<JoinResponse['members']> {
  return Array.from(group.members, (member) => ({
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    metadata: metadataOf(member, group.protocolName),
  }))
}

/** The join timer fired. */
export function expireJoin(turn: Turn, group: ClassicGroup): void {
  if (group.state !== 'PreparingRebalance') return
  const { initialDelay } = group
  if (initialDelay === null || !group.hasNewMember || initialDelay.remainingMs === 0) {
    completeJoin(turn, group)
    return
  }
  group.hasNewMember = false
  const delayMs = Math.min(turn.settings.initialRebalanceDelayMs, initialDelay.remainingMs)
  const remainingMs = Math.max(initialDelay.remainingMs - initialDelay.delayMs, 0)
  group.initialDelay = { delayMs, remainingMs }
  turn.arm(joinTimer(group.groupId), delayMs)
}

/** The sync timer fired: who has not asked for its assignment is out, static or not. */
export function expireSync(turn: Turn, group: ClassicGroup): void {
  if (group.state !== 'CompletingRebalance' && group.state !== 'Stable') return
  if (group.pendingSync.size === 0) return
  for (const memberId of [...group.pendingSync]) {
    group.remove(memberId)
    turn.cancel(sessionTimer(group.groupId, memberId))
  }
  prepareRebalance(turn, group)
}

/** A member's session ended. */
export function expireSession(turn: Turn, group: ClassicGroup, memberId: string): void {
  if (group.pendingJoin.has(memberId)) {
    group.remove(memberId)
    completeJoinAfterLoss(turn, group)
    return
  }
  const member = group.member(memberId)
  if (member === undefined || isExcused(member)) return
  removeMember(turn, group, member)
  if (group.state === 'Stable' || group.state === 'CompletingRebalance') {
    prepareRebalance(turn, group)
  } else {
    completeJoinAfterLoss(turn, group)
  }
}

/** Takes a member out. A JoinGroup of its that waits is told to start over, in case it is alive. */
export function removeMember(turn: Turn, group: ClassicGroup, member: Member): void {
  const errorCode = ErrorCode.UNKNOWN_MEMBER_ID
  turn.answerJoin(group, member, { errorCode, memberId: '' })
  turn.answerSync(member, { errorCode })
  group.remove(member.memberId)
  turn.cancel(sessionTimer(group.groupId, member.memberId))
}

/** Unlike a member that leaves, one that is lost also ends the first join phase of a group. */
function completeJoinAfterLoss(turn: Turn, group: ClassicGroup): void {
  if (group.state === 'PreparingRebalance' && group.hasAllMembersJoined) completeJoin(turn, group)
}
