// What operators ask: ListGroups 0–5, DescribeGroups 0–6, DeleteGroups 0–2. Each answer is this shard's part of it.
// Kafka: GroupMetadataManager.listGroups, describeGroups; GroupCoordinatorShard.deleteGroups. KIP-518, KIP-848.

import type { Ticket } from '../coordinator/shard.ts'
import type { RequestOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { ListGroups } from '../protocol/messages/classic_group.ts'
import type { ClassicGroup } from './classic_group.ts'
import { metadataOf, NO_BYTES } from './member.ts'
import { tombstonesOf } from './offsets.ts'
import { groupTombstone } from './records.ts'
import type { DeletedGroup, DescribedGroup } from './requests.ts'
import { sessionTimer } from './timers.ts'
import type { Turn } from './turn.ts'

const CLASSIC = 'classic'
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
  const isWanted = types.size === 0 || types.has(CLASSIC)
  const listed = Array.from(turn.groups.values()).filter(
    ({ state }) => isWanted && (states.size === 0 || states.has(state.toLowerCase())),
  )
  const groups = listed.map(({ groupId, protocolType, state }) => ({
    groupId,
    protocolType: protocolType ?? '',
    groupState: state,
    groupType: CLASSIC,
  }))
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
    return group === undefined ? absent(groupId, version) : described(group)
  })
  turn.reply(ticket, { kind: 'describeGroups', groups })
}

function absent(groupId: string, version: number): DescribedGroup {
  const isError = version >= NOT_FOUND_SINCE
  return {
    errorCode: isError ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.NONE,
    errorMessage: isError ? `Group ${groupId} not found.` : null,
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
  const deleted = new Set<string>()
  const results = groupIds.map((groupId): DeletedGroup => {
    const group = turn.groups.get(groupId)
    const errorCode = deletionError(group)
    if (group !== undefined && errorCode === ErrorCode.NONE && !deleted.has(groupId)) {
      deleted.add(groupId)
      turn.records.push(...tombstonesOf(turn, groupId), groupTombstone(groupId))
      for (const memberId of group.pendingJoin) turn.cancel(sessionTimer(groupId, memberId))
    }
    return { groupId, errorCode }
  })
  turn.reply(ticket, { kind: 'deleteGroups', results })
}

function deletionError(group: ClassicGroup | undefined): ErrorCode {
  if (group === undefined) return ErrorCode.GROUP_ID_NOT_FOUND
  return group.state === 'Empty' ? ErrorCode.NONE : ErrorCode.NON_EMPTY_GROUP
}
