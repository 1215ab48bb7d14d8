// ConsumerGroupHeartbeat 0–1: the whole conversation of a consumer group. It joins, subscribes, reports, learns and
// leaves with it.
//
//   epoch 0    joins: as a new member, again after it was fenced, or in the place of a static member that left
//   epoch > 0  goes on; what it does not repeat stays as it was
//   epoch -1   leaves for good
//   epoch -2   a static member leaves for a while: its partitions stay its own until its session ends
//
// Three steps, as the log has them: what the member says of itself, which may move the group's epoch; the target of that
// epoch; where the member goes on its way there. Everything is decided before anything is written, so a refusal leaves
// no trace. Kafka: GroupMetadataManager.consumerGroupHeartbeat. KIP-848.

import type { Ticket } from '../../coordinator/shard.ts'
import type { EncodableOf, RequestOf } from '../../protocol/dsl.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import type { ConsumerGroupHeartbeat } from '../../protocol/messages/consumer_group.ts'
import type { GroupRecord } from '../records.ts'
import type { Client } from '../requests.ts'
import { sessionTimer } from '../timers.ts'
import type { Turn } from '../turn.ts'
import type { ConsumerGroup } from './consumer_group.ts'
import { describeChange } from './describe_change.ts'
import { follow } from './follow.ts'
import { leave } from './leave.ts'
import {
  type ConsumerMember,
  isSameOwned,
  JOIN_EPOCH,
  LEAVE_EPOCH,
  newMember,
  type Owned,
  STATIC_LEAVE_EPOCH,
  sortedNames,
} from './member.ts'
import { openGroup } from './opening.ts'
import type { ReportedPartitions } from './reconcile.ts'
import { replacement } from './record_sets.ts'
import { fencedInstance, isRefusal, type Refusal, refusal, unknownMember } from './refusal.ts'
import { consumerSettings } from './settings.ts'

export type HeartbeatRequest = RequestOf<typeof ConsumerGroupHeartbeat>
export type HeartbeatResponse = EncodableOf<(typeof ConsumerGroupHeartbeat)['response']>

/** From this version on clients make their own ids. */
const OWN_ID_SINCE = 1

/** Decides a ConsumerGroupHeartbeat. */
export function consumerGroupHeartbeat(
  turn: Turn,
  { version, request, client }: { version: number; request: HeartbeatRequest; client: Client },
  ticket: Ticket,
): void {
  const response = malformed(turn, request, version) ?? decide(turn, request, client)
  turn.reply(ticket, { kind: 'consumerGroupHeartbeat', response })
}

/** What is wrong with the request itself. */
function malformed(turn: Turn, request: HeartbeatRequest, version: number): Refusal | null {
  const { memberId, memberEpoch, groupId, instanceId, rackId, serverAssignor } = request
  const invalid = (message: string) => refusal(ErrorCode.INVALID_REQUEST, message)
  const mayLackId = version < OWN_ID_SINCE && memberEpoch <= 0 && memberEpoch !== LEAVE_EPOCH
  if (isBlank(memberId) && !mayLackId) return invalid('The member id is missing.')
  if (isBlank(groupId)) return invalid('The group id is missing.')
  if (instanceId !== null && isBlank(instanceId)) return invalid('The instance id is empty.')
  if (rackId !== null && isBlank(rackId)) return invalid('The rack id is empty.')
  if (memberEpoch === JOIN_EPOCH) {
    if (request.rebalanceTimeoutMs === -1) return invalid('Who joins names a rebalance timeout.')
    if (request.topicPartitions?.length !== 0) return invalid('Who joins owns no partitions.')
    if (request.subscribedTopicNames === null && request.subscribedTopicRegex === null) {
      return invalid('Who joins subscribes, to names or to a pattern.')
    }
  } else if (memberEpoch === STATIC_LEAVE_EPOCH) {
    if (instanceId === null) return invalid('Only static members leave for a while.')
  } else if (memberEpoch < STATIC_LEAVE_EPOCH) return invalid('There is no such member epoch.')
  const { assignors } = turn.settings.consumer
  if (serverAssignor === null || assignors.has(serverAssignor)) return null
  const known = [...assignors.keys()].join(', ')
  const message = `There is no assignor ${serverAssignor}; there are ${known}.`
  return refusal(ErrorCode.UNSUPPORTED_ASSIGNOR, message)
}

function isBlank(text: string): boolean {
  return text.trim() === ''
}

function decide(turn: Turn, request: HeartbeatRequest, client: Client): HeartbeatResponse {
  const isLeaving = request.memberEpoch < JOIN_EPOCH
  return isLeaving ? leave(turn, request) : beat(turn, request, client)
}

function beat(turn: Turn, request: HeartbeatRequest, client: Client): HeartbeatResponse {
  const { groupId, memberEpoch, topicPartitions } = request
  const isJoining = memberEpoch === JOIN_EPOCH
  const opened = openGroup(turn, groupId, isJoining)
  if (isRefusal(opened)) return opened
  const { group } = opened
  const found = findMember(turn, group, request)
  if (isRefusal(found)) return found
  const { member, replaced } = found
  const records: GroupRecord[] = [...opened.records]
  if (replaced !== undefined) records.push(...replacement(group, replaced, member))
  const updated = withWhatIsSaid(member, request, client)
  const change = describeChange(turn, { group, member, updated, replaced }, records)
  if (isRefusal(change)) return change
  const followed = follow(
    turn,
    { group, updated, replaced, change, reported: topicPartitions },
    records,
  )
  opened.commit()
  turn.records.push(...records)
  const settings = consumerSettings(turn, groupId)
  turn.arm(sessionTimer(groupId, followed.memberId), settings.sessionTimeoutMs)
  const isTold =
    isJoining || isFull(request) || !isSamePartitions(member.assigned, followed.assigned)
  return {
    memberId: followed.memberId,
    memberEpoch: followed.memberEpoch,
    heartbeatIntervalMs: settings.heartbeatIntervalMs,
    assignment: isTold ? assignmentOf(followed.assigned) : null,
  }
}

/** A request that repeats everything asks for everything. */
function isFull(request: HeartbeatRequest): boolean {
  const { rebalanceTimeoutMs, subscribedTopicNames, subscribedTopicRegex, topicPartitions } =
    request
  const isSubscribing = subscribedTopicNames !== null || subscribedTopicRegex !== null
  return rebalanceTimeoutMs !== -1 && isSubscribing && topicPartitions !== null
}

interface Found {
  readonly member: ConsumerMember
  /** The static member whose place it takes. */
  readonly replaced?: ConsumerMember
}

function findMember(turn: Turn, group: ConsumerGroup, request: HeartbeatRequest): Found | Refusal {
  const { memberEpoch, instanceId, topicPartitions } = request
  const { membersMax } = turn.settings.consumer
  const isJoining = memberEpoch === JOIN_EPOCH
  if (group.size >= membersMax && group.member(request.memberId) === undefined) {
    const message = `The group has its ${membersMax} members.`
    return refusal(ErrorCode.GROUP_MAX_SIZE_REACHED, message)
  }
  const memberId = request.memberId === '' ? turn.random.uuid() : request.memberId
  const known = instanceId === null ? group.member(memberId) : group.staticMember(instanceId)
  if (isJoining && instanceId !== null && known !== undefined) {
    return takePlace(known, memberId)
  }
  if (known === undefined) {
    if (!isJoining) return unknownMember(group, instanceId ?? memberId)
    return { member: group.member(memberId) ?? newMember(memberId) }
  }
  if (known.memberId !== memberId) return fencedInstance(known)
  return fencedEpoch(known, memberEpoch, topicPartitions) ?? { member: known }
}

/** A static member is back, perhaps under another id: if the one before has left, or speaks the classic protocol. */
function takePlace(known: ConsumerMember, memberId: string): Found | Refusal {
  if (known.memberEpoch !== STATIC_LEAVE_EPOCH && known.classic === null) {
    const message = `Instance ${known.instanceId} is in use by member ${known.memberId}.`
    return refusal(ErrorCode.UNRELEASED_INSTANCE_ID, message)
  }
  const member = { ...known, memberId, memberEpoch: JOIN_EPOCH, previousMemberEpoch: 0 }
  return { member, replaced: known }
}

/** The epoch before is good enough for a member that missed an answer and has nothing that it should not have. */
function fencedEpoch(
  member: ConsumerMember,
  memberEpoch: number,
  reported: ReportedPartitions,
): Refusal | null {
  if (memberEpoch === JOIN_EPOCH || memberEpoch === member.memberEpoch) return null
  const isPrevious = memberEpoch === member.previousMemberEpoch && memberEpoch < member.memberEpoch
  if (isPrevious && hasNothingElse(reported, member.assigned)) return null
  const message = `The member is in epoch ${member.memberEpoch}, not in ${memberEpoch}: it starts over.`
  return refusal(ErrorCode.FENCED_MEMBER_EPOCH, message)
}

function hasNothingElse(reported: ReportedPartitions, assigned: Owned): boolean {
  if (reported === null) return false
  return reported.every(({ topicId, partitions }) => {
    const owned = assigned.get(topicId)
    return owned !== undefined && partitions.every((partition) => owned.has(partition))
  })
}

function withWhatIsSaid(
  member: ConsumerMember,
  request: HeartbeatRequest,
  { clientId, clientHost }: Client,
): ConsumerMember {
  const { subscribedTopicNames: names, rebalanceTimeoutMs } = request
  return {
    ...member,
    instanceId: request.instanceId ?? member.instanceId,
    rackId: request.rackId ?? member.rackId,
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : rebalanceTimeoutMs,
    serverAssignor: request.serverAssignor ?? member.serverAssignor,
    topicNames: names === null ? member.topicNames : sortedNames(names),
    topicRegex: request.subscribedTopicRegex ?? member.topicRegex,
    clientId,
    clientHost,
    classic: null,
  }
}

/** Since when a partition is owned is the coordinator's business alone. */
function isSamePartitions(x: Owned, y: Owned): boolean {
  if (isSameOwned(x, y)) return true
  if (x.size !== y.size) return false
  for (const [topicId, partitions] of x) {
    const others = y.get(topicId)
    if (others === undefined || others.size !== partitions.size) return false
    for (const partition of partitions.keys()) if (!others.has(partition)) return false
  }
  return true
}

function assignmentOf(assigned: Owned): HeartbeatResponse['assignment'] {
  const topicPartitions = Array.from(assigned, ([topicId, partitions]) => ({
    topicId,
    partitions: [...partitions.keys()],
  }))
  return { topicPartitions }
}
