// Metadata and DescribeTopicPartitions: which topics there are, where their partitions live, and who the brokers are,
// as clients of the asking listener reach them. Auto-creation as Kafka does it: the topic is asked of the controller
// and the client is told to come back.
// Kafka: KafkaApis.handleTopicMetadataRequest, KRaftMetadataCache, DescribeTopicPartitionsRequestHandler (KIP-966).

import { invalidTopicName } from '../../controller/topics.ts'
import { ZERO_UUID } from '../../lib/uuid.ts'
import { isReplicaOnline } from '../../metadata/directories.ts'
import type { Partition, Topic } from '../../metadata/topics.ts'
import type { EncodableOf, RequestOf } from '../../protocol/dsl.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { DescribeTopicPartitions, Metadata } from '../../protocol/messages/metadata.ts'
import type { Handler, RequestContext, ServedApis } from '../dispatch.ts'
import { AUTHORIZED_OPERATIONS, type BrokerNode, endpointOf, INTERNAL_TOPICS } from '../node.ts'

type MetadataRequest = RequestOf<typeof Metadata>
type WantedTopic = NonNullable<MetadataRequest['topics']>[number]
type Response = EncodableOf<(typeof Metadata)['response']>
type MetadataTopic = NonNullable<Response['topics']>[number]
type DescribedTopic = NonNullable<
  EncodableOf<(typeof DescribeTopicPartitions)['response']>['topics']
>[number]

/** The first version that may ask by id. */
const IDS_SINCE = 12

export function serveMetadata(served: ServedApis, node: BrokerNode): void {
  served.serve(Metadata, '0-13', metadata(node))
  served.serve(DescribeTopicPartitions, '0', describeTopicPartitions(node))
}

function metadata(node: BrokerNode): Handler<typeof Metadata> {
  return (request, context) => {
    const { version, session } = context
    if (version < IDS_SINCE && request.topics?.some(isById)) return withoutIds(request.topics)
    const brokers = []
    for (const { brokerId, rack } of node.image.brokers.values()) {
      const endpoint = endpointOf(node.image, brokerId, session.listener.name)
      if (endpoint === undefined) continue
      brokers.push({ nodeId: brokerId, host: endpoint.host, port: endpoint.port, rack })
    }
    const isAll = request.topics === null || (version === 0 && request.topics.length === 0)
    const topics = isAll
      ? [...node.image.topics.values()].map((topic) => describe(node, topic, request, context))
      : wantedOf(request.topics!).map((wanted) => describeWanted(node, wanted, request, context))
    return {
      brokers,
      clusterId: node.clusterId,
      controllerId: brokers.find(({ nodeId }) => nodeId === node.nodeId)?.nodeId ?? -1,
      topics,
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
        ? AUTHORIZED_OPERATIONS.cluster
        : AUTHORIZED_OPERATIONS.omitted,
    }
  }
}

const isById = ({ name, topicId }: WantedTopic) => name === null || topicId !== ZERO_UUID

/** Versions 10 and 11 have room for ids and must not use it. */
function withoutIds(wanted: readonly WantedTopic[]): Response {
  const topics = wanted.map(({ name, topicId }) => ({
    errorCode: ErrorCode.INVALID_REQUEST,
    name: name ?? '',
    topicId,
    partitions: [],
  }))
  return { topics }
}

/** Each topic once; where any is asked for by its id, names do not count. */
function wantedOf(topics: readonly WantedTopic[]): WantedTopic[] {
  const ids = new Set(topics.map(({ topicId }) => topicId).filter((id) => id !== ZERO_UUID))
  if (ids.size > 0) return [...ids].map((topicId) => ({ name: null, topicId }))
  return [...new Set(topics.map(({ name }) => name))].map((name) => ({ name, topicId: ZERO_UUID }))
}

function describeWanted(
  node: BrokerNode,
  { name, topicId }: WantedTopic,
  request: MetadataRequest,
  context: RequestContext,
): MetadataTopic {
  const { topics } = node.image
  if (name === null) {
    const topic = topics.byId(topicId)
    if (topic !== undefined) return describe(node, topic, request, context)
    return { errorCode: ErrorCode.UNKNOWN_TOPIC_ID, name: null, topicId, partitions: [] }
  }
  const topic = topics.byName(name)
  if (topic !== undefined) return describe(node, topic, request, context)
  const isInternal = INTERNAL_TOPICS.has(name)
  const topicAuthorizedOperations = operationsOf(request)
  const missing = { name, isInternal, partitions: [], topicAuthorizedOperations }
  if (invalidTopicName(name) !== null) {
    return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, ...missing }
  }
  const mayCreate = context.version < 4 || request.allowAutoTopicCreation
  if (mayCreate && node.config().get('auto.create.topics.enable')) void node.autoTopics.create(name)
  return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ...missing }
}

function operationsOf({ includeTopicAuthorizedOperations }: MetadataRequest): number {
  return includeTopicAuthorizedOperations
    ? AUTHORIZED_OPERATIONS.topic
    : AUTHORIZED_OPERATIONS.omitted
}

function describe(
  node: BrokerNode,
  topic: Topic,
  request: MetadataRequest,
  { session }: RequestContext,
): MetadataTopic {
  const partitions = []
  for (const partition of topic.partitions) {
    if (partition !== undefined)
      partitions.push(whereabouts(node, partition, session.listener.name))
  }
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: INTERNAL_TOPICS.has(topic.name),
    partitions,
    topicAuthorizedOperations: operationsOf(request),
  }
}

/** A partition as clients of a listener see it; a leader they cannot reach is no leader. */
function whereabouts(node: BrokerNode, partition: Partition, listenerName: string) {
  const { image } = node
  const isReachable = endpointOf(image, partition.leader, listenerName) !== undefined
  const isHeld = image.brokers.get(partition.leader)?.fenced === false
  const errorCode = isReachable
    ? ErrorCode.NONE
    : isHeld
      ? ErrorCode.LISTENER_NOT_FOUND
      : ErrorCode.LEADER_NOT_AVAILABLE
  return {
    errorCode,
    partitionIndex: partition.partitionId,
    leaderId: isReachable ? partition.leader : -1,
    leaderEpoch: partition.leaderEpoch,
    replicaNodes: partition.replicas,
    isrNodes: partition.isr,
    offlineReplicas: partition.replicas.filter(
      (id) => !image.brokers.isActive(id) || !isReplicaOnline(image.brokers.get(id), partition),
    ),
  }
}

/** The most partitions one answer holds: max.request.partition.size.limit, and one in any case. */
function limitOf(node: BrokerNode, asked: number): number {
  return Math.max(1, Math.min(asked, node.config().get('max.request.partition.size.limit')))
}

function describeTopicPartitions(node: BrokerNode): Handler<typeof DescribeTopicPartitions> {
  return (request, { session }) => {
    const { cursor } = request
    const isAll = request.topics.length === 0
    const names = isAll
      ? [...node.image.topics.values()].map(({ name }) => name)
      : [...new Set(request.topics.map(({ name }) => name))]
    if (cursor !== null && !isCursorValid(cursor, isAll, names)) {
      const errorCode = ErrorCode.INVALID_REQUEST
      return { topics: request.topics.map(({ name }) => ({ errorCode, name, partitions: [] })) }
    }
    const topics: DescribedTopic[] = []
    let left = limitOf(node, request.responsePartitionLimit)
    for (const name of names.filter((each) => each >= (cursor?.topicName ?? '')).sort()) {
      if (left === 0) return { topics, nextCursor: { topicName: name, partitionIndex: 0 } }
      const first = cursor?.topicName === name ? cursor.partitionIndex : 0
      const topic = node.image.topics.byName(name)
      if (topic === undefined) {
        topics.push(missingTopic(name))
        continue
      }
      const partitions = topic.partitions.slice(first, first + left)
      topics.push(describedTopic(node, topic, partitions, session.listener.name))
      left -= partitions.length
      const next = first + partitions.length
      if (next < topic.partitions.length) {
        return { topics, nextCursor: { topicName: name, partitionIndex: next } }
      }
    }
    return { topics, nextCursor: null }
  }
}

type Cursor = NonNullable<RequestOf<typeof DescribeTopicPartitions>['cursor']>

/** A cursor names a partition of a topic that is asked for; the topic itself may be gone. */
function isCursorValid(cursor: Cursor, isAll: boolean, names: readonly string[]): boolean {
  return cursor.partitionIndex >= 0 && (isAll || names.includes(cursor.topicName))
}

function describedTopic(
  node: BrokerNode,
  topic: Topic,
  partitions: readonly (Partition | undefined)[],
  listenerName: string,
): DescribedTopic {
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: INTERNAL_TOPICS.has(topic.name),
    partitions: partitions.flatMap((partition) =>
      partition === undefined
        ? []
        : [
            {
              ...whereabouts(node, partition, listenerName),
              eligibleLeaderReplicas: partition.eligibleLeaderReplicas,
              lastKnownElr: partition.lastKnownElr,
            },
          ],
    ),
    topicAuthorizedOperations: AUTHORIZED_OPERATIONS.topic,
  }
}

function missingTopic(name: string): DescribedTopic {
  const isInvalid = invalidTopicName(name) !== null
  const errorCode = isInvalid
    ? ErrorCode.INVALID_TOPIC_EXCEPTION
    : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  return {
    errorCode,
    name,
    isInternal: INTERNAL_TOPICS.has(name),
    partitions: [],
    topicAuthorizedOperations: AUTHORIZED_OPERATIONS.topic,
  }
}
