// What operators ask: ListGroups 0–5, DescribeGroups 0–6, DeleteGroups 0–2. Each answer is this shard's part of it.
// Kafka: GroupMetadataManager.listGroups, describeGroups; GroupCoordinatorShard.deleteGroups. KIP-518, KIP-848.

import type { Ticket } from '../coordinator/shard.ts'
import type { RequestOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { ListGroups } from '../protocol/messages/classic_group.ts'
import type { ClassicGroup } from './classic_group.ts'
import { consumerGroupTombstones } from './consumer/record_sets.ts'
import { metadataOf, NO_BYTES } from './member.ts'
import { tombstonesOf } from './offsets.ts'
import { groupTombstone } from './records.ts'
import type { DeletedGroup, DescribedGroup } from './requests.ts'
import { sessionTimer } from './timers.ts'
import type { Turn } from './turn.ts'

const CLASSIC = 'classic'
const CONSUMER = 'consumer'
/** From this version on a group that is not there is an error, and not a dead group. */
const NOT_FOUND_SINCE = 6
/** The caller fills in what the principal may do, if it was asked. */
const OPERATIONS_UNKNOWN = -2_147_483_648

/** Decides a ListGroups: no filter means all. */
export function listGroups(
  turn: Turn,
  { request }: { request: RequestOf<typeof ListGroups> },
  ticket: Ticket,
): void {
  const states = new Set(request.statesFilter.map((state) => state.toLowerCase().trim()))
  const types = new Set(request.typesFilter.map((type) => type.toLowerCase()))
  const all = [
    ...Array.from(turn.groups.values(), ({ groupId, protocolType, state }) => ({
      groupId,
      protocolType: protocolType ?? '',
      groupState: state,
      groupType: CLASSIC,
    })),
    ...Array.from(turn.truth.consumerGroups.values(), ({ groupId, state }) => ({
      groupId,
      protocolType: CONSUMER,
      groupState: state,
      groupType: CONSUMER,
    })),
  ]
  const groups = all.filter(
    ({ groupState, groupType }) =>
      (types.size === 0 || types.has(groupType)) &&
      (states.size === 0 || states.has(groupState.toLowerCase())),
  )
  turn.reply(ticket, { kind: 'listGroups', response: { errorCode: ErrorCode.NONE, groups } })
}

/** Decides a DescribeGroups, for groups of this shard. */
export function describeGroups(
  turn: Turn,
  { version, groupIds }: { version: number; groupIds: readonly string[] },
  ticket: Ticket,
): void {
  const groups = groupIds.map((groupId) => {
    const group = turn.groups.get(groupId)
    if (group !== undefined) return described(group)
    const isOther = turn.truth.consumerGroups.has(groupId)
    return absent(groupId, version, isOther ? 'is not a classic group' : 'not found')
  })
  turn.reply(ticket, { kind: 'describeGroups', groups })
}

function absent(groupId: string, version: number, why: string): DescribedGroup {
  const isError = version >= NOT_FOUND_SINCE
  return {
    errorCode: isError ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.NONE,
    errorMessage: isError ? `Group ${groupId} ${why}.` : null,
    groupId,
    groupState: 'Dead',
    protocolType: '',
    protocolData: '',
    members: [],
    authorizedOperations: OPERATIONS_UNKNOWN,
  }
}

function described(group: ClassicGroup): DescribedGroup {
  // What members asked for depends on the protocol, which only a stable group is sure of.
  const protocolName = group.state === 'Stable' ? group.protocolName : null
  return {
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    groupId: group.groupId,
    groupState: group.state,
    protocolType: group.protocolType ?? '',
    protocolData: protocolName ?? '',
    members: Array.from(group.members, (member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: protocolName === null ? NO_BYTES : metadataOf(member, protocolName),
      memberAssignment: member.assignment,
    })),
    authorizedOperations: OPERATIONS_UNKNOWN,
  }
}

/** Decides a DeleteGroups, for groups of this shard: a group without members goes with its offsets. */
export function deleteGroups(
  turn: Turn,
  { groupIds }: { groupIds: readonly string[] },
  ticket: Ticket,
): void {
  const deleted = new Map<string, DeletedGroup>()
  const results = groupIds.map((groupId): DeletedGroup => {
    const result = deleted.get(groupId) ?? { groupId, errorCode: deleteGroup(turn, groupId) }
    deleted.set(groupId, result)
    return result
  })
  turn.reply(ticket, { kind: 'deleteGroups', results })
}

function deleteGroup(turn: Turn, groupId: string): ErrorCode {
  const consumer = turn.truth.consumerGroups.get(groupId)
  if (consumer !== undefined) {
    if (consumer.size > 0) return ErrorCode.NON_EMPTY_GROUP
    turn.records.push(...tombstonesOf(turn, groupId), ...consumerGroupTombstones(consumer))
    return ErrorCode.NONE
  }
  const group = turn.groups.get(groupId)
  if (group === undefined) return ErrorCode.GROUP_ID_NOT_FOUND
  if (group.state !== 'Empty') return ErrorCode.NON_EMPTY_GROUP
  turn.records.push(...tombstonesOf(turn, groupId), groupTombstone(groupId))
  for (const memberId of group.pendingJoin) turn.cancel(sessionTimer(groupId, memberId))
  return ErrorCode.NONE
}
