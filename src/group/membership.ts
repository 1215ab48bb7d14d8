// Heartbeat 0–4 and LeaveGroup 0–5: members that say they are alive, and members that go.
//
// A heartbeat is how a member learns of a rebalance. LeaveGroup from version 3 on names several members, and an
// operator may name static ones by instance id alone. Kafka: GroupMetadataManager.classicGroupHeartbeat,
// classicGroupLeaveToClassicGroup.

import type { Ticket } from '../coordinator/shard.ts'
import type { EncodableOf, RequestOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { Heartbeat, LeaveGroup } from '../protocol/messages/classic_group.ts'
import type { ClassicGroup } from './classic_group.ts'
import { beatConsumerGroup, leaveConsumerGroup } from './consumer/migration/classic_requests.ts'
import { completeJoinIfReady, rebalanceOrCompleteJoin, removeMember } from './rebalance.ts'
import { sessionTimer } from './timers.ts'
import type { Turn } from './turn.ts'

type LeaveRequest = RequestOf<typeof LeaveGroup>
type Leaving = LeaveRequest['members'][number]

/** From this version on members leave in batches. */
const BATCHED_SINCE = 3

/** Decides a Heartbeat. */
export function heartbeat(
  turn: Turn,
  { request }: { request: RequestOf<typeof Heartbeat> },
  ticket: Ticket,
): void {
  const errorCode = beat(turn, request)
  turn.reply(ticket, { kind: 'heartbeat', response: { errorCode } })
}

function beat(turn: Turn, request: RequestOf<typeof Heartbeat>): ErrorCode {
  const { groupId, memberId, groupInstanceId, generationId } = request
  if (groupId === '') return ErrorCode.INVALID_GROUP_ID
  const consumer = turn.truth.consumerGroups.get(groupId)
  if (consumer !== undefined) return beatConsumerGroup(turn, consumer, request)
  const group = turn.groups.get(groupId)
  if (group === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  const errorCode = group.identify(memberId, groupInstanceId)
  if (errorCode !== ErrorCode.NONE) return errorCode
  if (generationId !== group.generationId) return ErrorCode.ILLEGAL_GENERATION
  turn.touch(group, group.member(memberId)!)
  // While the leader assigns, heartbeats are as usual: the member waits for its SyncGroup.
  return group.state === 'PreparingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
}

/** Decides a LeaveGroup. */
export function leaveGroup(
  turn: Turn,
  { version, request }: { version: number; request: LeaveRequest },
  ticket: Ticket,
): void {
  const isBatched = version >= BATCHED_SINCE
  const answer = (response: EncodableOf<(typeof LeaveGroup)['response']>) =>
    turn.reply(ticket, { kind: 'leaveGroup', response })
  if (request.groupId === '') {
    answer({ errorCode: ErrorCode.INVALID_GROUP_ID })
    return
  }
  const group = turn.groups.get(request.groupId)
  const leaving: readonly Leaving[] = isBatched
    ? request.members
    : [{ memberId: request.memberId, groupInstanceId: null, reason: null }]
  const consumer = turn.truth.consumerGroups.get(request.groupId)
  const errors =
    consumer === undefined
      ? leaving.map((member) =>
          group === undefined ? ErrorCode.UNKNOWN_MEMBER_ID : leave(turn, group, member),
        )
      : leaveConsumerGroup(turn, consumer, leaving)
  const members = leaving.map(({ memberId, groupInstanceId }, index) => ({
    memberId,
    groupInstanceId,
    errorCode: errors[index]!,
  }))
  if (isBatched) answer({ errorCode: ErrorCode.NONE, members })
  else answer({ errorCode: members[0]!.errorCode })
  if (
    consumer !== undefined ||
    group === undefined ||
    members.every(({ errorCode }) => errorCode !== 0)
  )
    return
  if (group.state === 'Stable' || group.state === 'CompletingRebalance') {
    rebalanceOrCompleteJoin(turn, group)
  } else completeJoinIfReady(turn, group)
}

function leave(turn: Turn, group: ClassicGroup, { memberId, groupInstanceId }: Leaving): ErrorCode {
  if (group.pendingJoin.has(memberId)) {
    group.remove(memberId)
    turn.cancel(sessionTimer(group.groupId, memberId))
    return ErrorCode.NONE
  }
  const isByInstance = memberId === '' && groupInstanceId !== null
  const id = isByInstance ? (group.staticMemberId(groupInstanceId) ?? '') : memberId
  const errorCode = group.identify(id, groupInstanceId)
  if (errorCode === ErrorCode.NONE) removeMember(turn, group, group.member(id)!)
  return errorCode
}
