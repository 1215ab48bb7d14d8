// Members of a consumer group that still speak the classic protocol: JoinGroup is their heartbeat with something to say,
// SyncGroup fetches what was assigned, Heartbeat tells them when to join again, and nobody leads.
//
// A JoinGroup is answered at once. What it owns, it says in its subscription; that is how it gives partitions up. Who is
// told to join again has its rebalance timeout for it, and as long again to fetch the assignment.
// Kafka: GroupMetadataManager.classicGroupJoinToConsumerGroup and its neighbours. KIP-848.

import type { Ticket } from '../../../coordinator/shard.ts'
import { CONSUMER_PROTOCOL_TYPE } from '../../../protocol/embedded.ts'
import { ErrorCode } from '../../../protocol/errors.ts'
import type { Protocol, Waiting } from '../../member.ts'
import type { GroupRecord } from '../../records.ts'
import type { Client, JoinRequest } from '../../requests.ts'
import { memberTimer, sessionTimer } from '../../timers.ts'
import type { Turn } from '../../turn.ts'
import type { Cluster } from '../cluster.ts'
import type { ConsumerGroup } from '../consumer_group.ts'
import { describeChange } from '../describe_change.ts'
import { follow } from '../follow.ts'
import { fence } from '../leave.ts'
import {
  type ConsumerMember,
  MemberState,
  newMember,
  partitionsOf,
  sortedNames,
} from '../member.ts'
import type { ReportedPartitions } from '../reconcile.ts'
import { replacement } from '../record_sets.ts'
import { fencedInstance, isRefusal, type Refusal, refusal, unknownMember } from '../refusal.ts'
import { downgrade, mayDowngrade } from './downgrade.ts'
import { readSubscription, writeAssignment } from './embedded.ts'

/** From this version on a dynamic member gets its id before it joins. */
const MEMBER_ID_REQUIRED_SINCE = 4

/** A JoinGroup to a consumer group. */
export interface ClassicJoin extends Waiting {
  readonly request: JoinRequest
  readonly client: Client
  readonly protocols: readonly Protocol[]
  readonly rebalanceTimeoutMs: number
}

/** Decides a JoinGroup to a consumer group that has members. */
export function joinConsumerGroup(turn: Turn, group: ConsumerGroup, join: ClassicJoin): void {
  const refused = decideJoin(turn, group, join)
  if (refused !== null) turn.refuseJoin(join, join.request.memberId, refused.errorCode)
}

function decideJoin(turn: Turn, group: ConsumerGroup, join: ClassicJoin): Refusal | null {
  const { request, protocols, version } = join
  const subscription = readSubscription(protocols[0]?.metadata ?? new Uint8Array(0))
  const refused = mayNotJoin(turn, group, join)
  if (refused !== null) return refused
  if (subscription === null) return inconsistent('the subscription cannot be read')
  if (request.memberId === '' && request.groupInstanceId === null) {
    const isAskedBack = version >= MEMBER_ID_REQUIRED_SINCE
    if (isAskedBack) {
      turn.refuseJoin(join, turn.random.uuid(), ErrorCode.MEMBER_ID_REQUIRED)
      return null
    }
  }
  const found = findJoining(turn, group, request)
  if (isRefusal(found)) return found
  const { member, replaced } = found
  const updated: ConsumerMember = {
    ...member,
    instanceId: request.groupInstanceId ?? member.instanceId,
    rackId: subscription.rackId ?? member.rackId,
    rebalanceTimeoutMs: join.rebalanceTimeoutMs,
    topicNames: sortedNames(subscription.topics),
    topicRegex: '',
    clientId: join.client.clientId,
    clientHost: join.client.clientHost,
    classic: { sessionTimeoutMs: request.sessionTimeoutMs, supportedProtocols: protocols },
  }
  const reported = owned(turn.cluster, subscription.ownedPartitions)
  return admit(turn, group, { join, member, updated, replaced, reported })
}

interface Admission {
  readonly join: ClassicJoin
  readonly member: ConsumerMember
  readonly updated: ConsumerMember
  readonly replaced: ConsumerMember | undefined
  readonly reported: ReportedPartitions
}

function admit(turn: Turn, group: ConsumerGroup, admission: Admission): Refusal | null {
  const { join, member, updated, replaced, reported } = admission
  const records: GroupRecord[] = []
  if (replaced !== undefined) records.push(...replacement(group, replaced, member))
  const change = describeChange(turn, { group, member, updated, replaced }, records)
  if (isRefusal(change)) return change
  const isLast = replaced?.classic === null && mayDowngrade(turn, group, [replaced], 1)
  if (isLast) {
    const isStale = group.assignmentEpoch < change.groupEpoch
    const mustRebalance = change.hasSubscriptionChanged || isStale
    const joining = { ...updated, memberEpoch: group.groupEpoch }
    downgrade(turn, group, { leaving: [replaced], joining, mustRebalance })
    answerJoin(turn, join, joining)
    return null
  }
  const followed = follow(turn, { group, updated, replaced, change, reported }, records)
  turn.records.push(...records)
  const { groupId } = group
  const { memberId } = followed
  turn.relent(memberTimer('rejoin', groupId, memberId))
  turn.arm(sessionTimer(groupId, memberId), join.request.sessionTimeoutMs)
  turn.arm(memberTimer('resync', groupId, memberId), join.rebalanceTimeoutMs)
  answerJoin(turn, join, followed)
  return null
}

function answerJoin(turn: Turn, join: ClassicJoin, member: ConsumerMember): void {
  turn.replyJoin(join, {
    errorCode: ErrorCode.NONE,
    generationId: member.memberEpoch,
    protocolType: CONSUMER_PROTOCOL_TYPE,
    protocolName: protocolOf(member),
    leader: '',
    memberId: member.memberId,
    members: [],
  })
}

function mayNotJoin(turn: Turn, group: ConsumerGroup, join: ClassicJoin): Refusal | null {
  const { request, protocols } = join
  const { migration, membersMax } = turn.settings.consumer
  if (!migration.mayUpgrade && !migration.mayDowngrade) return inconsistent('migration is off')
  if (group.size >= membersMax && group.member(request.memberId) === undefined) {
    return refusal(ErrorCode.GROUP_MAX_SIZE_REACHED, 'The group is full.')
  }
  const isSpoken = protocols.some(({ name }) => group.isSpokenByAllClassic(name))
  if (request.protocolType === CONSUMER_PROTOCOL_TYPE && isSpoken) return null
  return inconsistent('the members that speak the classic protocol have none in common')
}

function inconsistent(why: string): Refusal {
  return refusal(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, `No JoinGroup to a consumer group: ${why}.`)
}

interface Found {
  readonly member: ConsumerMember
  readonly replaced: ConsumerMember | undefined
}

function findJoining(turn: Turn, group: ConsumerGroup, request: JoinRequest): Found | Refusal {
  const { groupInstanceId, memberId: said } = request
  const memberId = said === '' ? turn.random.uuid() : said
  if (groupInstanceId === null) {
    return { member: group.member(memberId) ?? newMember(memberId), replaced: undefined }
  }
  const known = group.staticMember(groupInstanceId)
  if (said !== '') {
    if (known === undefined) return unknownMember(group, groupInstanceId)
    return known.memberId === said ? { member: known, replaced: undefined } : fencedInstance(known)
  }
  if (known === undefined) return { member: newMember(memberId), replaced: undefined }
  return { member: { ...known, memberId, memberEpoch: 0, previousMemberEpoch: 0 }, replaced: known }
}

function owned(
  cluster: Cluster,
  partitions: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
): ReportedPartitions {
  return partitions.flatMap(({ topic, partitions: numbers }) => {
    const known = cluster.topic(topic)
    return known === undefined ? [] : [{ topicId: known.id, partitions: numbers }]
  })
}

function protocolOf({ classic }: ConsumerMember): string | null {
  return classic?.supportedProtocols[0]?.name ?? null
}

/** Who a classic request comes from. */
export interface ClassicIdentity {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly generationId: number
}

/** The member, in the generation it says, or the error. */
function identify(group: ConsumerGroup, who: ClassicIdentity): ConsumerMember | ErrorCode {
  const { memberId, groupInstanceId, generationId } = who
  const known =
    groupInstanceId === null ? group.member(memberId) : group.staticMember(groupInstanceId)
  if (known === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  if (known.memberId !== memberId) return ErrorCode.FENCED_INSTANCE_ID
  if (known.classic === null) return ErrorCode.UNKNOWN_MEMBER_ID
  return generationId === known.memberEpoch ? known : ErrorCode.ILLEGAL_GENERATION
}

/** Decides a Heartbeat of a member that speaks the classic protocol. */
export function beatConsumerGroup(
  turn: Turn,
  group: ConsumerGroup,
  who: ClassicIdentity,
): ErrorCode {
  const member = identify(group, who)
  if (typeof member === 'number') return member
  const { memberId, memberEpoch, state, classic } = member
  turn.arm(sessionTimer(group.groupId, memberId), classic!.sessionTimeoutMs)
  const canGoOn =
    memberEpoch < group.assignmentEpoch ||
    state === MemberState.unrevokedPartitions ||
    (state === MemberState.unreleasedPartitions && !isWaitingForOthers(group, member))
  if (!canGoOn) return ErrorCode.NONE
  callBack(turn, group, member)
  return ErrorCode.REBALANCE_IN_PROGRESS
}

/** True while somebody else still has what is meant for the member. */
function isWaitingForOthers(group: ConsumerGroup, member: ConsumerMember): boolean {
  for (const [topicId, partitions] of group.targetOf(member.memberId)) {
    const assigned = member.assigned.get(topicId)
    for (const partition of partitions) {
      if (assigned?.has(partition) === true) continue
      if (group.ownerOf(topicId, partition) !== undefined) return true
    }
  }
  return false
}

/** It is to join again, and has so long for it. */
function callBack(turn: Turn, group: ConsumerGroup, member: ConsumerMember): void {
  const timer = memberTimer('rejoin', group.groupId, member.memberId)
  turn.armOnce(timer, member.rebalanceTimeoutMs)
}

/** A SyncGroup to a consumer group. */
export interface ClassicSync extends ClassicIdentity {
  readonly protocolType: string | null
  readonly protocolName: string | null
}

/** Decides a SyncGroup of a member that speaks the classic protocol. */
export function syncConsumerGroup(
  turn: Turn,
  group: ConsumerGroup,
  { sync, ticket, version }: { sync: ClassicSync; ticket: Ticket; version: number },
): void {
  const waiting = { ticket, version }
  const member = identify(group, sync)
  if (typeof member === 'number') return turn.replySync(waiting, { errorCode: member })
  const { protocolType, protocolName } = sync
  const isOther =
    (protocolType !== null && protocolType !== CONSUMER_PROTOCOL_TYPE) ||
    (protocolName !== null && protocolName !== protocolOf(member))
  if (isOther) {
    return turn.replySync(waiting, { errorCode: ErrorCode.INCONSISTENT_GROUP_PROTOCOL })
  }
  const isBehind = group.assignmentEpoch > member.memberEpoch
  if (isBehind && member.state !== MemberState.unrevokedPartitions) {
    callBack(turn, group, member)
    return turn.replySync(waiting, { errorCode: ErrorCode.REBALANCE_IN_PROGRESS })
  }
  const { groupId } = group
  const { memberId, classic } = member
  turn.cancel(memberTimer('resync', groupId, memberId))
  turn.arm(sessionTimer(groupId, memberId), classic!.sessionTimeoutMs)
  const version0 = readSubscription(classic!.supportedProtocols[0]!.metadata)?.version ?? 0
  turn.replySync(waiting, {
    errorCode: ErrorCode.NONE,
    protocolType: CONSUMER_PROTOCOL_TYPE,
    protocolName: protocolOf(member),
    assignment: writeAssignment(turn.cluster, partitionsOf(member.assigned), version0),
  })
}

/** Decides a LeaveGroup to a consumer group: an error for each that was named. */
export function leaveConsumerGroup(
  turn: Turn,
  group: ConsumerGroup,
  leaving: readonly { readonly memberId: string; readonly groupInstanceId: string | null }[],
): ErrorCode[] {
  const gone = new Map<string, ConsumerMember>()
  const errors = leaving.map(({ memberId, groupInstanceId }) => {
    const known =
      groupInstanceId === null ? group.member(memberId) : group.staticMember(groupInstanceId)
    if (known === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
    const isNamed = groupInstanceId === null || memberId !== ''
    if (isNamed && known.memberId !== memberId) return ErrorCode.FENCED_INSTANCE_ID
    gone.set(known.memberId, known)
    return ErrorCode.NONE
  })
  fence(turn, group, [...gone.values()])
  return errors
}
