// The conversations of consumer groups (KIP-848), handed to the shard that holds the group.
//
// `group.version` says whether the cluster speaks them: at level 0, or where `group.coordinator.rebalance.protocols` leaves
// `consumer` out, the answer is that of a broker that does not know them. Kafka: KafkaApis.isConsumerGroupProtocolEnabled.

import { ErrorCode } from '../../protocol/errors.ts'
import {
  ConsumerGroupDescribe,
  ConsumerGroupHeartbeat,
} from '../../protocol/messages/consumer_group.ts'
import type { Handler, ServedApis } from '../dispatch.ts'
import { AUTHORIZED_OPERATIONS, type BrokerNode } from '../node.ts'
import { byPartition } from './groups.ts'

const GROUP_VERSION = 'group.version'
const CONSUMER = 'consumer'

export function serveConsumerGroups(served: ServedApis, node: BrokerNode): void {
  served
    .serve(ConsumerGroupHeartbeat, '0-1', heartbeat(node))
    .serve(ConsumerGroupDescribe, '0-1', describe(node))
}

function isEnabled({ image, config }: BrokerNode): boolean {
  const level = image.features.level(GROUP_VERSION)
  return level >= 1 && config().get('group.coordinator.rebalance.protocols').includes(CONSUMER)
}

function heartbeat(node: BrokerNode): Handler<typeof ConsumerGroupHeartbeat> {
  return async (request, { version, session, clientId }) => {
    if (!isEnabled(node)) return { errorCode: ErrorCode.UNSUPPORTED_VERSION }
    const client = { clientId: clientId ?? '', clientHost: `/${session.peerHost}` }
    const asked = { kind: 'consumerGroupHeartbeat', version, request, client } as const
    const reply = await node.groups.ask<'consumerGroupHeartbeat'>(request.groupId, asked)
    return reply.kind === 'refused' ? { errorCode: reply.errorCode } : reply.response
  }
}

function describe(node: BrokerNode): Handler<typeof ConsumerGroupDescribe> {
  return async ({ groupIds, includeAuthorizedOperations }) => {
    if (!isEnabled(node)) {
      const errorCode = ErrorCode.UNSUPPORTED_VERSION
      return { groups: groupIds.map((groupId) => ({ groupId, errorCode })) }
    }
    const parts = byPartition(node, groupIds).map(async ([partition, ids]) => {
      const asked = { kind: 'consumerGroupDescribe', groupIds: ids } as const
      const reply = await node.groups.askPartition<'consumerGroupDescribe'>(partition, asked)
      if (reply.kind !== 'refused') return reply.groups
      const { errorCode } = reply
      return ids.map((groupId) => ({ groupId, errorCode }))
    })
    const groups = (await Promise.all(parts)).flat()
    if (!includeAuthorizedOperations) return { groups }
    const authorizedOperations = AUTHORIZED_OPERATIONS.group
    return {
      groups: groups.map((group) =>
        group.errorCode === ErrorCode.NONE ? { ...group, authorizedOperations } : group,
      ),
    }
  }
}
