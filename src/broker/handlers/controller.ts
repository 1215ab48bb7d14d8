// Requests that only the controller may answer: handed on as they are, answered when the answer is committed. On a
// broker listener and on a controller listener they are the same conversation.
// Kafka: ControllerApis, ForwardingManager; the checks of ControllerApis stand in the controller itself.

import type { ControllerReply, ControllerRequest } from '../../controller/controller.ts'
import { CONFIG_RESOURCE } from '../../metadata/configs.ts'
import type { Api } from '../../protocol/dsl.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import {
  AssignReplicasToDirs,
  BrokerHeartbeat,
  BrokerRegistration,
  UnregisterBroker,
  UpdateFeatures,
} from '../../protocol/messages/cluster.ts'
import { AlterConfigs, IncrementalAlterConfigs } from '../../protocol/messages/configs.ts'
import {
  CreatePartitions,
  CreateTopics,
  DeleteTopics,
  ElectLeaders,
} from '../../protocol/messages/topics.ts'
import { AllocateProducerIds } from '../../protocol/messages/transaction.ts'
import type { Handler, ServedApis } from '../dispatch.ts'
import type { BrokerNode } from '../node.ts'

type Kind = Exclude<ControllerRequest['kind'], 'activate'>

function forward<A extends Api>(node: BrokerNode, kind: Kind): Handler<A> {
  return async (request, { version }) => {
    const asked = { kind, version, request } as unknown as ControllerRequest
    const reply = (await node.controller.submit(asked)) as Exclude<
      ControllerReply,
      { kind: 'activate' }
    >
    return reply.response as Awaited<ReturnType<Handler<A>>>
  }
}

/** As forward, and the answer waits until the partitions it brought are open here: whoever is told may use them. */
function forwardAndSettle<A extends Api>(node: BrokerNode, kind: Kind): Handler<A> {
  const ask = forward<A>(node, kind)
  return async (request, context) => {
    const response = await ask(request, context)
    await node.publisher.settled()
    return response
  }
}

type Alteration = typeof AlterConfigs | typeof IncrementalAlterConfigs

/** On a broker listener, a broker's own settings are the business of that broker alone. */
function forwardConfigs<A extends Alteration>(node: BrokerNode, kind: Kind): Handler<A> {
  const ask = forward<Alteration>(node, kind) as Handler<Alteration>
  const handler: Handler<Alteration> = async (request, context) => {
    const isForeign = ({
      resourceType,
      resourceName,
    }: {
      resourceType: number
      resourceName: string
    }) =>
      !context.session.listener.isController &&
      resourceType === CONFIG_RESOURCE.broker &&
      resourceName !== '' &&
      Number(resourceName) !== node.nodeId
    const refused = request.resources.filter(isForeign).map(({ resourceType, resourceName }) => ({
      errorCode: ErrorCode.INVALID_REQUEST,
      errorMessage: `Unexpected broker id, expected ${node.nodeId}, but received ${resourceName}`,
      resourceType,
      resourceName,
    }))
    const resources = request.resources.filter((resource) => !isForeign(resource))
    if (resources.length === 0 && refused.length > 0) return { responses: refused }
    const answer = await ask({ ...request, resources } as typeof request, context)
    return answer === null
      ? null
      : { ...answer, responses: [...refused, ...(answer.responses ?? [])] }
  }
  return handler as unknown as Handler<A>
}

export function serveForwarded(served: ServedApis, node: BrokerNode): void {
  served
    .serve(CreateTopics, '2-7', forwardAndSettle(node, 'createTopics'))
    .serve(DeleteTopics, '1-6', forward(node, 'deleteTopics'))
    .serve(CreatePartitions, '0-3', forwardAndSettle(node, 'createPartitions'))
    .serve(AlterConfigs, '0-2', forwardConfigs(node, 'alterConfigs'))
    .serve(IncrementalAlterConfigs, '0-1', forwardConfigs(node, 'incrementalAlterConfigs'))
    .serve(ElectLeaders, '0-2', forward(node, 'electLeaders'))
    .serve(UpdateFeatures, '0-2', forward(node, 'updateFeatures'))
    .serve(UnregisterBroker, '0', forward(node, 'unregisterBroker'))
}

/** What brokers ask of the controller, on its own listener. */
export function serveBrokers(served: ServedApis, node: BrokerNode): void {
  served
    .serve(BrokerRegistration, '0-4', forward(node, 'registerBroker'))
    .serve(BrokerHeartbeat, '0-2', forward(node, 'heartbeat'))
    .serve(AllocateProducerIds, '0', forward(node, 'allocateProducerIds'))
    .serve(AssignReplicasToDirs, '0', forward(node, 'assignReplicasToDirs'))
}
