// FindCoordinator: which broker holds the state of a group or of a transactional id. The topic behind it is made when
// first asked for. Share partitions have no coordinators yet: INVALID_REQUEST, which clients take for final, so that nobody
// waits for what will not come.
// Kafka: KafkaApis.getCoordinator, CoordinatorType; KIP-699 (several keys), KIP-932 (share keys).

import { ErrorCode, errorOf } from '../../protocol/errors.ts'
import { FindCoordinator } from '../../protocol/messages/classic_group.ts'
import type { Handler, ServedApis } from '../dispatch.ts'
import { GROUP_TOPIC, TRANSACTION_TOPIC } from '../internal_topics.ts'
import { type BrokerNode, endpointOf } from '../node.ts'

const GROUP_KEY = 0
const TRANSACTION_KEY = 1
const SHARE_KEY = 2
const SEVERAL_KEYS_VERSION = 4

interface Found {
  readonly errorCode: number
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

export function serveFindCoordinator(served: ServedApis, node: BrokerNode): void {
  served.serve(FindCoordinator, '0-6', findCoordinator(node))
}

function findCoordinator(node: BrokerNode): Handler<typeof FindCoordinator> {
  return async ({ key, keyType, coordinatorKeys }, { version, session }) => {
    const listener = session.listener.name
    const topic = topicOf(keyType)
    const keys = version >= SEVERAL_KEYS_VERSION ? coordinatorKeys : [key]
    if (topic !== null) await ensureShards(node, topic, keys)
    const find = (wanted: string) =>
      topic === null ? nowhere(ErrorCode.INVALID_REQUEST) : findKey(node, topic, wanted, listener)
    if (version >= SEVERAL_KEYS_VERSION) {
      // A type that nobody knows is an error of the whole request, which alone has a sentence.
      const isKnown = keyType >= GROUP_KEY && keyType <= SHARE_KEY
      const errorMessage = isKnown ? '' : errorOf(ErrorCode.INVALID_REQUEST).text
      return {
        coordinators: coordinatorKeys.map((wanted) => ({
          key: wanted,
          errorMessage,
          ...find(wanted),
        })),
      }
    }
    const found = find(key)
    const isFound = found.errorCode === ErrorCode.NONE
    return { ...found, errorMessage: isFound ? 'NONE' : errorOf(found.errorCode).text }
  }
}

/**
 * Kafka tells the client to come back; we let it wait for the topic, which is quicker for both. Who asks while somebody
 * else's question has just made the topic waits until it is open, too.
 */
async function ensureShards(node: BrokerNode, topic: string, keys: readonly string[]) {
  if (node.image.topics.byName(topic) === undefined) await node.autoTopics.create(topic)
  if (keys.some((key) => isOpening(node, topic, key))) await node.publisher.settled()
}

/** Whether this node leads the partition of a key and has no shard for it yet. */
function isOpening(node: BrokerNode, name: string, key: string): boolean {
  const coordinator = coordinatorOf(node, name)
  const partition = coordinator.partitionOf(key)
  if (partition === undefined) return true
  const leader = node.image.topics.byName(name)?.partitions[partition]?.leader
  return leader === node.nodeId && !coordinator.isHosted(partition)
}

function coordinatorOf(node: BrokerNode, name: string) {
  return name === GROUP_TOPIC ? node.groups : node.transactions
}

/** The topic behind a type of keys; null: there is none. */
function topicOf(keyType: number): string | null {
  if (keyType === GROUP_KEY) return GROUP_TOPIC
  return keyType === TRANSACTION_KEY ? TRANSACTION_TOPIC : null
}

function findKey(node: BrokerNode, name: string, key: string, listener: string): Found {
  const partition = coordinatorOf(node, name).partitionOf(key)
  const topic = node.image.topics.byName(name)
  const leader = partition === undefined ? undefined : topic?.partitions[partition]?.leader
  const endpoint = leader === undefined ? undefined : endpointOf(node.image, leader, listener)
  if (leader === undefined || endpoint === undefined || isOpening(node, name, key)) {
    return nowhere(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  }
  return {
    errorCode: ErrorCode.NONE,
    nodeId: leader,
    host: endpoint.host,
    port: endpoint.port,
  }
}

function nowhere(errorCode: number): Found {
  return { errorCode, nodeId: -1, host: '', port: -1 }
}
