// SyncGroup 0–5: members ask for their assignment, and the leader brings everybody's.
//
// Invariant: a generation has one assignment, the first its leader brings; it is stored before anybody is told, since
// every reply waits for the records of its decision. Kafka: GroupMetadataManager.classicGroupSync.

import type { Ticket } from '../coordinator/shard.ts'
import type { RequestOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { SyncGroup } from '../protocol/messages/classic_group.ts'
import type { ClassicGroup } from './classic_group.ts'
import { syncConsumerGroup } from './consumer/migration/classic_requests.ts'
import { type Member, NO_BYTES } from './member.ts'
import { syncTimer } from './timers.ts'
import type { Turn } from './turn.ts'

type SyncRequest = RequestOf<typeof SyncGroup>

/** From this version on the request names type and protocol, and must. */
const PROTOCOL_NAMED_SINCE = 5

/** Decides a SyncGroup. */
export function syncGroup(
  turn: Turn,
  { version, request }: { version: number; request: SyncRequest },
  ticket: Ticket,
): void {
  const consumer = turn.truth.consumerGroups.get(request.groupId)
  const isUnnamed = request.protocolType === null || request.protocolName === null
  if (consumer !== undefined && !(version >= PROTOCOL_NAMED_SINCE && isUnnamed)) {
    syncConsumerGroup(turn, consumer, { sync: request, ticket, version })
    return
  }
  const group = turn.groups.get(request.groupId)
  const errorCode = syncError(group, request, version)
  if (group === undefined || errorCode !== ErrorCode.NONE) {
    turn.replySync({ ticket, version }, { errorCode })
    return
  }
  const member = group.member(request.memberId)!
  const before = member.awaitingSync
  if (before !== null) turn.replySync(before, { errorCode: ErrorCode.REBALANCE_IN_PROGRESS })
  member.awaitingSync = { ticket, version }
  group.pendingSync.delete(member.memberId)
  if (group.pendingSync.size === 0) turn.cancel(syncTimer(group.groupId))
  if (group.state === 'Stable') tellAssignment(turn, group, member)
  else if (group.isLeader(member.memberId)) assign(turn, group, request.assignments)
}

function syncError(
  group: ClassicGroup | undefined,
  request: SyncRequest,
  version: number,
): ErrorCode {
  if (request.groupId === '') return ErrorCode.INVALID_GROUP_ID
  const { protocolType, protocolName } = request
  const isUnnamed = protocolType === null || protocolName === null
  if (version >= PROTOCOL_NAMED_SINCE && isUnnamed) return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
  if (group === undefined || group.state === 'Empty') return ErrorCode.UNKNOWN_MEMBER_ID
  const errorCode = group.identify(request.memberId, request.groupInstanceId)
  if (errorCode !== ErrorCode.NONE) return errorCode
  if (request.generationId !== group.generationId) return ErrorCode.ILLEGAL_GENERATION
  if (contradicts(protocolType, group.protocolType)) return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
  if (contradicts(protocolName, group.protocolName)) return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
  return group.state === 'PreparingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
}

function contradicts(said: string | null, known: string | null): boolean {
  return said !== null && known !== null && said !== known
}

/** The leader has spoken: who it forgot has nothing, whom it made up is forgotten. */
function assign(turn: Turn, group: ClassicGroup, assignments: SyncRequest['assignments']): void {
  const byMember = new Map(
    assignments.map(({ memberId, assignment }) => [memberId, assignment] as const),
  )
  for (const member of group.members) member.assignment = byMember.get(member.memberId) ?? NO_BYTES
  turn.store(group)
  group.transitionTo('Stable', turn.nowMs)
  for (const member of group.members) {
    if (member.awaitingSync === null) continue
    tellAssignment(turn, group, member)
    turn.touch(group, member)
  }
}

function tellAssignment(turn: Turn, group: ClassicGroup, member: Member): void {
  const { protocolType, protocolName } = group
  const { assignment } = member
  turn.answerSync(member, { errorCode: ErrorCode.NONE, protocolType, protocolName, assignment })
}
