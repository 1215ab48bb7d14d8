// JoinGroup 0–9: someone wants to be a member.
//
//   no member id, instance id     known instance: the same member under a new id; else a new member   (KIP-345)
//   no member id, no instance id  from version 4 on an id is handed out, to come back with            (KIP-394)
//   member id handed out          a new member
//   member id of a member         rejoins, or hears again what the present generation is
//
// A JoinGroup is answered when the join phase ends (rebalance.ts), at once when it is refused or changes nothing.
// Kafka: GroupMetadataManager.classicGroupJoin and what it calls.

import type { Ticket } from '../coordinator/shard.ts'
import { assert } from '../lib/assert.ts'
import type { Random } from '../lib/random.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { ClassicGroup } from './classic_group.ts'
import { joinConsumerGroup } from './consumer/migration/classic_requests.ts'
import { consumerGroupTombstones } from './consumer/record_sets.ts'
import { type Member, NO_BYTES, type Protocol, speaksAsBefore, type Waiting } from './member.ts'
import {
  completeJoinIfReady,
  membersOf,
  prepareRebalance,
  presentGeneration,
  rebalanceOrCompleteJoin,
} from './rebalance.ts'
import type { Client, JoinRequest } from './requests.ts'
import { NEW_MEMBER_JOIN_TIMEOUT_MS } from './settings.ts'
import { sessionTimer } from './timers.ts'
import type { Turn } from './turn.ts'

/** From this version on a dynamic member gets its id before it joins. */
const MEMBER_ID_REQUIRED_SINCE = 4
/** From this version on a leader can be told to keep the assignment it finds. */
const SKIP_ASSIGNMENT_SINCE = 9

/** A JoinGroup on its way through this file. */
interface Join extends Waiting {
  readonly request: JoinRequest
  readonly client: Client
  /** What the member says of itself, in the form it is kept. */
  readonly said: Pick<Member, 'protocols' | 'rebalanceTimeoutMs' | 'sessionTimeoutMs'>
}

/** Decides a JoinGroup. */
export function joinGroup(
  turn: Turn,
  { version, request, client }: { version: number; request: JoinRequest; client: Client },
  ticket: Ticket,
): void {
  const { groupId, memberId, sessionTimeoutMs } = request
  const { sessionTimeoutMsMin, sessionTimeoutMsMax } = turn.settings
  const join: Join = { ticket, version, request, client, said: whatWasSaid(request, version) }
  if (groupId === '') {
    turn.refuseJoin(join, memberId, ErrorCode.INVALID_GROUP_ID)
    return
  }
  if (sessionTimeoutMs < sessionTimeoutMsMin || sessionTimeoutMs > sessionTimeoutMsMax) {
    turn.refuseJoin(join, memberId, ErrorCode.INVALID_SESSION_TIMEOUT)
    return
  }
  const consumer = turn.truth.consumerGroups.get(groupId)
  if (consumer !== undefined && consumer.size > 0) {
    joinConsumerGroup(turn, consumer, { ...join, ...join.said })
    return
  }
  const known = turn.groups.get(groupId)
  if (known === undefined && memberId !== '') {
    turn.refuseJoin(join, memberId, ErrorCode.UNKNOWN_MEMBER_ID)
    return
  }
  if (consumer !== undefined) turn.records.push(...consumerGroupTombstones(consumer))
  const group = known ?? createGroup(turn, groupId)
  if (!mayJoin(turn, group, memberId)) refuseForSize(turn, group, join)
  else if (!group.supports(request.protocolType, join.said.protocols)) {
    turn.refuseJoin(join, memberId, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  } else if (memberId === '') joinWithoutId(turn, group, join)
  else joinWithId(turn, group, join)
}

/** A group that comes to be is stored at once, as an empty one. */
function createGroup(turn: Turn, groupId: string): ClassicGroup {
  const group = new ClassicGroup(groupId, turn.nowMs)
  turn.groups.set(groupId, group)
  turn.store(group)
  return group
}

/**
 * Is there room? While members are joining, those count who have; so of a group that is too large since
 * `group.max.size` was lowered, the last to rejoin are the ones to go.
 */
function mayJoin(turn: Turn, group: ClassicGroup, memberId: string): boolean {
  const { membersMax } = turn.settings
  const member = group.member(memberId)
  if (group.state === 'Empty') return true
  if (group.state === 'PreparingRebalance') {
    return (member?.awaitingJoin ?? null) !== null || group.awaitingJoinCount < membersMax
  }
  return member !== undefined || group.size < membersMax
}

function refuseForSize(turn: Turn, group: ClassicGroup, join: Join): void {
  const { memberId } = join.request
  if (group.pendingJoin.has(memberId) || group.member(memberId) !== undefined) {
    group.remove(memberId)
    turn.cancel(sessionTimer(group.groupId, memberId))
  }
  turn.refuseJoin(join, '', ErrorCode.GROUP_MAX_SIZE_REACHED)
  completeJoinIfReady(turn, group)
}

function joinWithoutId(turn: Turn, group: ClassicGroup, join: Join): void {
  const { request, client, version } = join
  const { groupInstanceId } = request
  const newMemberId = `${groupInstanceId ?? client.clientId}-${randomUuid(turn.random)}`
  if (groupInstanceId !== null) {
    const existing = group.staticMemberId(groupInstanceId)
    if (existing === undefined) addMember(turn, group, join, newMemberId)
    else replaceStaticMember(turn, group, join, group.member(existing)!, newMemberId)
  } else if (version >= MEMBER_ID_REQUIRED_SINCE) {
    group.pendingJoin.add(newMemberId)
    turn.arm(sessionTimer(group.groupId, newMemberId), request.sessionTimeoutMs)
    turn.refuseJoin(join, newMemberId, ErrorCode.MEMBER_ID_REQUIRED)
  } else {
    addMember(turn, group, join, newMemberId)
  }
}

function joinWithId(turn: Turn, group: ClassicGroup, join: Join): void {
  const { memberId, groupInstanceId } = join.request
  if (group.pendingJoin.has(memberId)) {
    // Ids are handed out to dynamic members alone, so this one is made up. Kafka trips over it, too.
    if (groupInstanceId !== null) turn.refuseJoin(join, memberId, ErrorCode.UNKNOWN_SERVER_ERROR)
    else addMember(turn, group, join, memberId)
    return
  }
  const errorCode = group.identify(memberId, groupInstanceId)
  if (errorCode !== ErrorCode.NONE) {
    turn.refuseJoin(join, memberId, errorCode)
    return
  }
  const member = group.member(memberId)!
  if (mustRebalance(group, member, join.said.protocols)) {
    group.update(member, join.said)
    turn.holdJoin(group, member, join)
    rebalanceOrCompleteJoin(turn, group)
  } else {
    // It may have missed our answer, or seen a rebalance that was none: it hears where the group is.
    turn.replyJoin(join, presentGeneration(group, member))
  }
}

/**
 * A member that rejoins during the join phase takes part in it. Later, new metadata needs a new generation, and so does
 * a leader of a stable group: that is its way to say that the topics changed.
 */
function mustRebalance(
  group: ClassicGroup,
  member: Member,
  protocols: readonly Protocol[],
): boolean {
  if (group.state === 'PreparingRebalance') return true
  if (group.state === 'Stable' && group.isLeader(member.memberId)) return true
  return !speaksAsBefore(member, protocols)
}

function addMember(turn: Turn, group: ClassicGroup, join: Join, memberId: string): void {
  const member: Member = {
    memberId,
    groupInstanceId: join.request.groupInstanceId,
    clientId: join.client.clientId,
    clientHost: join.client.clientHost,
    ...join.said,
    assignment: NO_BYTES,
    awaitingJoin: null,
    awaitingSync: null,
    isNew: true,
  }
  if (group.state === 'PreparingRebalance' && group.previousState === 'Empty') {
    group.hasNewMember = true
  }
  group.add(member, join.request.protocolType)
  turn.holdJoin(group, member, join)
  // No heartbeats are due while its JoinGroup waits, and a client that went away is not noticed.
  turn.arm(sessionTimer(group.groupId, memberId), NEW_MEMBER_JOIN_TIMEOUT_MS)
  rebalanceOrCompleteJoin(turn, group)
}

/**
 * A static member restarted. Whoever still uses its old id is fenced; the new id inherits the assignment, and where the
 * group is stable and goes on speaking the same protocol, nobody else notices.
 */
function replaceStaticMember(
  turn: Turn,
  group: ClassicGroup,
  join: Join,
  old: Member,
  newMemberId: string,
): void {
  const { groupId, leaderId } = group
  const fenced = ErrorCode.FENCED_INSTANCE_ID
  turn.answerJoin(group, old, { errorCode: fenced, memberId: old.memberId })
  turn.answerSync(old, { errorCode: fenced })
  turn.cancel(sessionTimer(groupId, old.memberId))
  const member = group.rename(old, newMemberId)
  group.update(member, join.said)
  turn.touch(group, member)
  switch (group.state) {
    case 'Stable':
      if (group.selectProtocol() === group.protocolName) {
        group.refreshTopics()
        turn.store(group)
        replyToReturned(turn, group, member, { join, leaderBefore: leaderId })
        return
      }
      turn.holdJoin(group, member, join)
      rebalanceOrCompleteJoin(turn, group)
      return
    case 'CompletingRebalance':
      // The leader may be assigning to the old id at this moment; only a new generation can reach the new one.
      turn.holdJoin(group, member, join)
      prepareRebalance(turn, group)
      return
    default:
      assert(group.state === 'PreparingRebalance', 'an empty group has no static members')
      turn.holdJoin(group, member, join)
      completeJoinIfReady(turn, group)
  }
}

/**
 * A static member of a stable group is back. A leader that cannot be told to skip its assignment must not think it
 * leads, or it would compute one for a generation that has one: so it hears the name of its old self.
 */
function replyToReturned(
  turn: Turn,
  group: ClassicGroup,
  member: Member,
  { join, leaderBefore }: { join: Join; leaderBefore: string | null },
): void {
  const canSkip = join.version >= SKIP_ASSIGNMENT_SINCE
  const skips = canSkip && group.isLeader(member.memberId)
  turn.replyJoin(join, {
    ...presentGeneration(group, member),
    leader: (canSkip ? group.leaderId : leaderBefore) ?? '',
    members: skips ? membersOf(group) : [],
    skipAssignment: skips,
  })
}

/** A name said twice counts once; version 0 has one timeout for both. */
function whatWasSaid(request: JoinRequest, version: number): Join['said'] {
  const { sessionTimeoutMs, rebalanceTimeoutMs } = request
  const protocols = new Map<string, Protocol>()
  for (const protocol of request.protocols) {
    if (!protocols.has(protocol.name)) protocols.set(protocol.name, protocol)
  }
  return {
    protocols: [...protocols.values()],
    sessionTimeoutMs,
    rebalanceTimeoutMs: version === 0 ? sessionTimeoutMs : rebalanceTimeoutMs,
  }
}

/** A version 4 uuid as Java prints it, which is the form member ids have. */
function randomUuid(random: Random): string {
  const bytes = random.bytes(16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
