// What handlers work with: one running broker's parts, put together by broker.ts. Read-only to handlers, but for the
// verbs of the plane and the controller's door.

import type { BrokerConfig } from '../config/config.ts'
import type { ControllerHost } from '../host/controller_host.ts'
import type { LogDirectories } from '../host/log_directories.ts'
import type { RaftHost } from '../host/raft_host.ts'
import type { Tickets } from '../host/tickets.ts'
import type { World } from '../host/world.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { Partition, Topic } from '../metadata/topics.ts'
import type { DataPlane } from '../plane/plane.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { Checkpoints } from './directories/checkpoints.ts'
import type { Moves } from './directories/moves.ts'
import type { GroupCoordinator } from './group_coordinator.ts'
import type { AutoTopics } from './internal_topics.ts'
import type { ProducerIdSource } from './producer_ids.ts'
import type { LocalPartition, Publisher } from './publisher.ts'
import type { Listener } from './session.ts'
import type { TransactionCoordinator } from './transaction_coordinator.ts'

export interface BrokerNode {
  readonly nodeId: number
  readonly clusterId: string
  readonly world: World
  readonly plane: DataPlane
  readonly tickets: Tickets
  /** Everything committed and applied. */
  readonly image: MetadataImage
  readonly controller: ControllerHost
  readonly raft: RaftHost
  readonly publisher: Publisher
  readonly directories: LogDirectories
  readonly moves: Moves
  readonly checkpoints: Checkpoints
  readonly producerIds: ProducerIdSource
  readonly autoTopics: AutoTopics
  readonly groups: GroupCoordinator
  readonly transactions: TransactionCoordinator
  readonly listeners: readonly Listener[]
  /** The configuration in force, dynamic settings included. */
  config(): BrokerConfig
}

/** Topics that Kafka itself keeps its state in. */
export const INTERNAL_TOPICS: ReadonlySet<string> = new Set([
  '__consumer_offsets',
  '__transaction_state',
  '__share_group_state',
])

/** All operations a client may do where nothing authorizes; bits as Kafka's AclOperation codes. */
export const AUTHORIZED_OPERATIONS = Object.freeze({
  topic: bits(3, 4, 5, 6, 7, 8, 10, 11),
  group: bits(3, 6, 8, 10, 11),
  cluster: bits(5, 7, 8, 9, 10, 11, 12),
  /** Was not asked for. */
  omitted: -2147483648,
})

function bits(...codes: readonly number[]): number {
  return codes.reduce((sum, code) => sum | (1 << code), 0)
}

/** A partition that this node leads, or the error that says why not. */
export function findLeader(
  node: BrokerNode,
  topic: Topic | undefined,
  index: number,
  currentLeaderEpoch = -1,
): { local: LocalPartition; partition: Partition } | { errorCode: number } {
  const partition = topic?.partitions[index]
  if (topic === undefined || partition === undefined) {
    return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }
  }
  const local = node.publisher.find(topic.id, index)
  if (local === undefined) {
    const isOffline = node.publisher.isOffline(topic.id, index)
    const { KAFKA_STORAGE_ERROR, NOT_LEADER_OR_FOLLOWER } = ErrorCode
    return { errorCode: isOffline ? KAFKA_STORAGE_ERROR : NOT_LEADER_OR_FOLLOWER }
  }
  const row = node.plane.partition(local.slot)
  if (row.isOffline) return { errorCode: ErrorCode.KAFKA_STORAGE_ERROR }
  if (currentLeaderEpoch !== -1 && currentLeaderEpoch < partition.leaderEpoch) {
    return { errorCode: ErrorCode.FENCED_LEADER_EPOCH }
  }
  if (currentLeaderEpoch > partition.leaderEpoch) {
    return { errorCode: ErrorCode.UNKNOWN_LEADER_EPOCH }
  }
  if (!row.isLeader) return { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER }
  return { local, partition }
}

/** The endpoint of a broker as clients of `listenerName` reach it; undefined when it is fenced or has none. */
export function endpointOf(
  image: MetadataImage,
  brokerId: number,
  listenerName: string,
): { host: string; port: number } | undefined {
  const broker = image.brokers.get(brokerId)
  if (broker === undefined || broker.fenced) return undefined
  return broker.endPoints.find(({ name }) => name === listenerName)
}
