// Metadata and DescribeTopicPartitions: which topics there are, where their partitions live, and who the brokers are,
// as clients of the asking listener reach them. Auto-creation as Kafka does it: the topic is asked of the controller
// and the client is told to come back.
// Kafka: KafkaApis.handleTopicMetadataRequest, KRaftMetadataCache, DescribeTopicPartitionsRequestHandler (KIP-966).

import { invalidTopicName } from '../../controller/topics.ts'
import { ZERO_UUID } from '../../lib/uuid.ts'
import type { Partition, Topic } from '../../metadata/topics.ts'
import type { EncodableOf, RequestOf } from '../../protocol/dsl.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import { DescribeTopicPartitions, Metadata } from '../../protocol/messages/metadata.ts'
import type { Handler, RequestContext, ServedApis } from '../dispatch.ts'
import { AUTHORIZED_OPERATIONS, type BrokerNode, endpointOf, INTERNAL_TOPICS } from '../node.ts'

type MetadataRequest = RequestOf<typeof Metadata>
type MetadataTopic = NonNullable<EncodableOf<(typeof Metadata)['response']>['topics']>[number]
type DescribedTopic = NonNullable<
  EncodableOf<(typeof DescribeTopicPartitions)['response']>['topics']
>[number]

export function serveMetadata(served: ServedApis, node: BrokerNode): void {
  served.serve(Metadata, '0-13', metadata(node))
  served.serve(DescribeTopicPartitions, '0', describeTopicPartitions(node))
}

function metadata(node: BrokerNode): Handler<typeof Metadata> {
  return (request, context) => {
    const { version, session } = context
    const brokers = []
    for (const { brokerId, rack } of node.image.brokers.values()) {
      const endpoint = endpointOf(node.image, brokerId, session.listener.name)
      if (endpoint === undefined) continue
      brokers.push({ nodeId: brokerId, host: endpoint.host, port: endpoint.port, rack })
    }
    const isAll = request.topics === null || (version === 0 && request.topics.length === 0)
    const topics = isAll
      ? [...node.image.topics.values()].map((topic) => describe(node, topic, request, context))
      : request.topics!.map((wanted) => describeWanted(node, wanted, request, context))
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

function describeWanted(
  node: BrokerNode,
  { name, topicId }: { name: string | null; topicId: string },
  request: MetadataRequest,
  context: RequestContext,
): MetadataTopic {
  const { topics } = node.image
  if (name === null || (name === '' && topicId !== ZERO_UUID)) {
    const topic = topics.byId(topicId)
    if (topic !== undefined) return describe(node, topic, request, context)
    return { errorCode: ErrorCode.UNKNOWN_TOPIC_ID, name: null, topicId, partitions: [] }
  }
  const topic = topics.byName(name)
  if (topic !== undefined) return describe(node, topic, request, context)
  const isInternal = INTERNAL_TOPICS.has(name)
  if (invalidTopicName(name) !== null) {
    return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, name, isInternal, partitions: [] }
  }
  const mayCreate = context.version < 4 || request.allowAutoTopicCreation
  if (mayCreate && node.config().get('auto.create.topics.enable')) void node.autoTopics.create(name)
  return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name, isInternal, partitions: [] }
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
    topicAuthorizedOperations: request.includeTopicAuthorizedOperations
      ? AUTHORIZED_OPERATIONS.topic
      : AUTHORIZED_OPERATIONS.omitted,
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
    offlineReplicas: partition.replicas.filter((id) => !image.brokers.isActive(id)),
  }
}

/** The most partitions one answer holds; max.request.partition.size.limit. */
function limitOf(node: BrokerNode, asked: number): number {
  return Math.min(asked, node.config().get('max.request.partition.size.limit'))
}

function describeTopicPartitions(node: BrokerNode): Handler<typeof DescribeTopicPartitions> {
  return (request, { session }) => {
    const limit = limitOf(node, request.responsePartitionLimit)
    const { cursor } = request
    const isAll = request.topics.length === 0
    const names = isAll
      ? [...node.image.topics.values()].map(({ name }) => name)
      : [...new Set(request.topics.map(({ name }) => name))]
    const wanted = names.sort().filter((name) => cursor === null || name >= cursor.topicName)
    const topics: DescribedTopic[] = []
    let left = limit
    for (const name of wanted) {
      const topic = node.image.topics.byName(name)
      if (topic === undefined) {
        topics.push(missing(name))
        continue
      }
      const first = cursor?.topicName === name ? Math.max(0, cursor.partitionIndex) : 0
      const count = Math.min(left, topic.partitions.length - first)
      const partitions = topic.partitions.slice(first, first + count).flatMap((partition) =>
        partition === undefined
          ? []
          : [
              {
                ...whereabouts(node, partition, session.listener.name),
                eligibleLeaderReplicas: partition.eligibleLeaderReplicas,
                lastKnownElr: partition.lastKnownElr,
              },
            ],
      )
      topics.push({
        errorCode: ErrorCode.NONE,
        name,
        topicId: topic.id,
        isInternal: INTERNAL_TOPICS.has(name),
        partitions,
        topicAuthorizedOperations: AUTHORIZED_OPERATIONS.topic,
      })
      left -= count
      const next = first + count
      if (next < topic.partitions.length) {
        return { topics, nextCursor: { topicName: name, partitionIndex: next } }
      }
      if (left === 0 && name !== wanted.at(-1)) {
        const following = wanted[wanted.indexOf(name) + 1]!
        return { topics, nextCursor: { topicName: following, partitionIndex: 0 } }
      }
    }
    return { topics, nextCursor: null }
  }
}

function missing(name: string): DescribedTopic {
  const isInvalid = invalidTopicName(name) !== null
  const errorCode = isInvalid
    ? ErrorCode.INVALID_TOPIC_EXCEPTION
    : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  return { errorCode, name, isInternal: INTERNAL_TOPICS.has(name), partitions: [] }
}
