// DescribeCluster: the brokers of a broker listener, the controllers of a controller listener. KIP-700, KIP-919.

import { ErrorCode } from '../../protocol/errors.ts'
import { DescribeCluster } from '../../protocol/messages/metadata.ts'
import type { Handler, ServedApis } from '../dispatch.ts'
import { AUTHORIZED_OPERATIONS, type BrokerNode } from '../node.ts'

const BROKERS = 1
const CONTROLLERS = 2

export function serveDescribeCluster(served: ServedApis, node: BrokerNode): void {
  const handler: Handler<typeof DescribeCluster> = (request, { session, version }) => {
    const { listener } = session
    const own = listener.isController ? CONTROLLERS : BROKERS
    const endpointType = version >= 1 ? request.endpointType : BROKERS
    if (endpointType !== own) {
      const isKnown = endpointType === BROKERS || endpointType === CONTROLLERS
      const mismatched =
        version === 0 ? ErrorCode.INVALID_REQUEST : ErrorCode.MISMATCHED_ENDPOINT_TYPE
      return {
        errorCode: isKnown ? mismatched : ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
        errorMessage: `This listener serves endpoint type ${own}, not ${endpointType}.`,
        clusterId: '',
      }
    }
    return {
      errorCode: ErrorCode.NONE,
      endpointType,
      clusterId: node.clusterId,
      controllerId: node.nodeId,
      brokers: listener.isController
        ? [{ brokerId: node.nodeId, host: listener.advertisedHost, port: listener.advertisedPort }]
        : brokersOf(node, listener.name, request.includeFencedBrokers),
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
        ? AUTHORIZED_OPERATIONS.cluster
        : AUTHORIZED_OPERATIONS.omitted,
    }
  }
  served.serve(DescribeCluster, '0-2', handler)
}

function brokersOf(node: BrokerNode, listenerName: string, isWithFenced: boolean) {
  const out = []
  for (const { brokerId, endPoints, rack, fenced } of node.image.brokers.values()) {
    const endpoint = endPoints.find(({ name }) => name === listenerName)
    if (endpoint === undefined || (fenced && !isWithFenced)) continue
    const { host, port } = endpoint
    out.push({ brokerId, host, port, rack, isFenced: fenced })
  }
  return out
}
