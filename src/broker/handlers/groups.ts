// The conversations of classic groups, handed to the shard that holds the group. Requests that name several groups
// are cut up by partition and put together again.
// Kafka: KafkaApis, GroupCoordinatorService.

import type { GroupRequest } from '../../group/requests.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import {
  DeleteGroups,
  DescribeGroups,
  Heartbeat,
  JoinGroup,
  LeaveGroup,
  ListGroups,
  SyncGroup,
} from '../../protocol/messages/classic_group.ts'
import type { Handler, ServedApis } from '../dispatch.ts'
import { AUTHORIZED_OPERATIONS, type BrokerNode } from '../node.ts'

export function serveGroups(served: ServedApis, node: BrokerNode): void {
  served
    .serve(JoinGroup, '0-9', joinGroup(node))
    .serve(SyncGroup, '0-5', syncGroup(node))
    .serve(Heartbeat, '0-4', heartbeat(node))
    .serve(LeaveGroup, '0-5', leaveGroup(node))
    .serve(ListGroups, '0-5', listGroups(node))
    .serve(DescribeGroups, '0-6', describeGroups(node))
    .serve(DeleteGroups, '0-2', deleteGroups(node))
}

function joinGroup(node: BrokerNode): Handler<typeof JoinGroup> {
  return async (request, { version, session, clientId }) => {
    const client = { clientId: clientId ?? '', clientHost: `/${session.peerHost}` }
    const asked = { kind: 'joinGroup', version, request, client } as const
    const reply = await node.groups.ask<'joinGroup'>(request.groupId, asked)
    return reply.kind === 'refused' ? { errorCode: reply.errorCode } : reply.response
  }
}

function syncGroup(node: BrokerNode): Handler<typeof SyncGroup> {
  return async (request, { version }) => {
    const asked = { kind: 'syncGroup', version, request } as const
    const reply = await node.groups.ask<'syncGroup'>(request.groupId, asked)
    return reply.kind === 'refused' ? { errorCode: reply.errorCode } : reply.response
  }
}

function heartbeat(node: BrokerNode): Handler<typeof Heartbeat> {
  return async (request, { version }) => {
    const asked = { kind: 'heartbeat', version, request } as const
    const reply = await node.groups.ask<'heartbeat'>(request.groupId, asked)
    if (reply.kind !== 'refused') return reply.response
    // A member that is told nothing stays; the group it belongs to is being read.
    const isLoading = reply.errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    return { errorCode: isLoading ? ErrorCode.NONE : reply.errorCode }
  }
}

function leaveGroup(node: BrokerNode): Handler<typeof LeaveGroup> {
  return async (request, { version }) => {
    const asked = { kind: 'leaveGroup', version, request } as const
    const reply = await node.groups.ask<'leaveGroup'>(request.groupId, asked)
    return reply.kind === 'refused' ? { errorCode: reply.errorCode } : reply.response
  }
}

/** Every shard that is here; one that cannot answer makes the whole answer an error, but for one that has moved. */
function listGroups(node: BrokerNode): Handler<typeof ListGroups> {
  return async (request, { version }) => {
    const asked: GroupRequest = { kind: 'listGroups', version, request }
    const replies = await Promise.all(
      node.groups
        .led()
        .map((partition) => node.groups.askPartition<'listGroups'>(partition, asked)),
    )
    const groups = []
    for (const reply of replies) {
      if (reply.kind !== 'refused') groups.push(...(reply.response.groups ?? []))
      else if (reply.errorCode !== ErrorCode.NOT_COORDINATOR) return { errorCode: reply.errorCode }
    }
    return { groups }
  }
}

function describeGroups(node: BrokerNode): Handler<typeof DescribeGroups> {
  return async ({ groups, includeAuthorizedOperations }, { version }) => {
    const parts = byPartition(node, groups).map(async ([partition, groupIds]) => {
      const asked = { kind: 'describeGroups', version, groupIds } as const
      const reply = await node.groups.askPartition<'describeGroups'>(partition, asked)
      if (reply.kind !== 'refused') return reply.groups
      const { errorCode } = reply
      return groupIds.map((groupId) => ({ groupId, errorCode }))
    })
    const described = (await Promise.all(parts)).flat()
    if (!includeAuthorizedOperations) return { groups: described }
    const authorizedOperations = AUTHORIZED_OPERATIONS.group
    return {
      groups: described.map((group) =>
        group.errorCode === ErrorCode.NONE ? { ...group, authorizedOperations } : group,
      ),
    }
  }
}

function deleteGroups(node: BrokerNode): Handler<typeof DeleteGroups> {
  return async ({ groupsNames }) => {
    const parts = byPartition(node, [...new Set(groupsNames)]).map(
      async ([partition, groupIds]) => {
        const asked = { kind: 'deleteGroups', groupIds } as const
        const reply = await node.groups.askPartition<'deleteGroups'>(partition, asked)
        if (reply.kind !== 'refused') return reply.results
        const { errorCode } = reply
        return groupIds.map((groupId) => ({ groupId, errorCode }))
      },
    )
    return { results: (await Promise.all(parts)).flat() }
  }
}

/** Group ids by the partition they are on, -1 while there is none; in the order they were named. */
export function byPartition(node: BrokerNode, groupIds: readonly string[]): [number, string[]][] {
  const parts = new Map<number, string[]>()
  for (const groupId of groupIds) {
    const partition = node.groups.partitionOf(groupId) ?? -1
    const part = parts.get(partition)
    if (part === undefined) parts.set(partition, [groupId])
    else part.push(groupId)
  }
  return [...parts]
}
