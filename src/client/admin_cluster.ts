// The cluster as a whole: its brokers, its quorum, its directories, its features.
// Kafka: KafkaAdminClient; KIP-584 features, KIP-595 quorum, KIP-113 directories, KIP-700 DescribeCluster.

import { ErrorCode } from '../protocol/errors.ts'
import { DescribeLogDirs, UpdateFeatures } from '../protocol/messages/cluster.ts'
import { DescribeCluster } from '../protocol/messages/metadata.ts'
import { DescribeQuorum } from '../protocol/messages/quorum.ts'
import { type ChangeOptions, errorOfItem } from './admin_topics.ts'
import { answered, type ClientError } from './client_error.ts'
import type { BrokerMetadata, Cluster } from './cluster.ts'
import { byTopic, type TopicPartition } from './per_leader.ts'

export interface ClusterDescription {
  readonly clusterId: string | null
  /** -1 when there is none. In KRaft a broker that forwards, not the controller itself. */
  readonly controllerId: number
  readonly brokers: readonly (BrokerMetadata & { readonly isFenced: boolean })[]
}

/** Who makes up the cluster; fenced brokers too, where the broker tells of them (4.0). */
export async function describeCluster(cluster: Cluster): Promise<ClusterDescription> {
  const connection = await cluster.connection()
  if (!connection.serves(DescribeCluster)) {
    await cluster.refresh()
    const brokers = cluster.brokers.map((broker) => ({ ...broker, isFenced: false }))
    return { clusterId: cluster.clusterId, controllerId: cluster.controllerId, brokers }
  }
  const answer = await cluster.request(
    DescribeCluster,
    (version) => (version >= 2 ? { includeFencedBrokers: true } : {}),
    'any',
    { errorOf: ({ errorCode }) => errorCode },
  )
  if (answer.errorCode !== ErrorCode.NONE) {
    throw answered(answer.errorCode, 'the cluster', { detail: answer.errorMessage })
  }
  return {
    clusterId: answer.clusterId,
    controllerId: answer.controllerId,
    brokers: answer.brokers
      .map(({ brokerId, host, port, rack, isFenced }) => ({
        nodeId: brokerId,
        host,
        port,
        rack,
        isFenced,
      }))
      .sort((a, b) => a.nodeId - b.nodeId),
  }
}

export interface QuorumReplica {
  readonly replicaId: number
  readonly replicaDirectoryId: string
  readonly logEndOffset: number
  /** Milliseconds since 1970; -1 when not known. */
  readonly lastFetchTimestamp: number
  readonly lastCaughtUpTimestamp: number
}

export interface QuorumDescription {
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly highWatermark: number
  readonly voters: readonly QuorumReplica[]
  readonly observers: readonly QuorumReplica[]
  readonly nodes: readonly {
    readonly nodeId: number
    readonly listeners: readonly { name: string; host: string; port: number }[]
  }[]
}

/** The metadata quorum. Raises UNSUPPORTED_VERSION on clusters with ZooKeeper. */
export async function describeQuorum(cluster: Cluster): Promise<QuorumDescription> {
  const answer = await cluster.request(
    DescribeQuorum,
    { topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }] },
    'any',
    { errorOf: ({ errorCode }) => errorCode },
  )
  const partition = answer.topics[0]?.partitions[0]
  const failed = answer.errorCode !== ErrorCode.NONE ? answer : partition
  if (partition === undefined || failed!.errorCode !== ErrorCode.NONE) {
    const code = failed?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR
    throw answered(code, 'the quorum', { detail: failed?.errorMessage })
  }
  return {
    leaderId: partition.leaderId,
    leaderEpoch: partition.leaderEpoch,
    highWatermark: partition.highWatermark,
    voters: partition.currentVoters,
    observers: partition.observers,
    nodes: answer.nodes,
  }
}

export interface LogDir {
  readonly brokerId: number
  readonly path: string
  /** -1 from brokers older than 3.3. */
  readonly totalBytes: number
  readonly usableBytes: number
  readonly replicas: readonly (TopicPartition & {
    readonly sizeInBytes: number
    readonly offsetLag: number
    readonly isFuture: boolean
  })[]
  readonly error: ClientError | null
}

/** The log directories of brokers (all, when none is named), with all partitions or some. */
export async function describeLogDirs(
  cluster: Cluster,
  options: {
    readonly brokers?: readonly number[]
    readonly partitions?: readonly TopicPartition[]
  } = {},
): Promise<LogDir[]> {
  await cluster.refresh()
  const brokers = options.brokers ?? cluster.brokers.map(({ nodeId }) => nodeId)
  const topics =
    options.partitions === undefined
      ? null
      : byTopic(options.partitions, ({ partition }) => partition)
  const lists = await Promise.all(
    brokers.map(async (brokerId) => {
      const answer = await cluster.request(DescribeLogDirs, { topics }, { node: brokerId })
      if (answer.errorCode !== ErrorCode.NONE) {
        throw answered(answer.errorCode, `the directories of broker ${brokerId}`)
      }
      return answer.results.map((result) => ({
        brokerId,
        path: result.logDir,
        totalBytes: result.totalBytes,
        usableBytes: result.usableBytes,
        replicas: result.topics.flatMap(({ name, partitions }) =>
          partitions.map(({ partitionIndex, partitionSize, offsetLag, isFutureKey }) => ({
            topic: name,
            partition: partitionIndex,
            sizeInBytes: partitionSize,
            offsetLag,
            isFuture: isFutureKey,
          })),
        ),
        error: errorOfItem(result.errorCode, `directory ${result.logDir} of broker ${brokerId}`),
      }))
    }),
  )
  return lists.flat()
}

export interface FeatureLevel {
  readonly feature: string
  readonly supportedMin: number
  readonly supportedMax: number
  /** Null: not finalized, which is level 0. */
  readonly finalized: number | null
}

/** The features of the cluster, and the epoch at which they were finalized. */
export async function describeFeatures(
  cluster: Cluster,
): Promise<{ readonly epoch: number; readonly features: FeatureLevel[] }> {
  // What the connection learnt when it was opened may be old.
  const connection = await cluster.connection()
  await connection.renegotiate()
  const { supportedFeatures, finalizedFeatures, finalizedFeaturesEpoch } = connection
  const features = [...supportedFeatures]
    .map(([feature, { min, max }]) => ({
      feature,
      supportedMin: min,
      supportedMax: max,
      finalized: finalizedFeatures.get(feature)?.max ?? null,
    }))
    .sort((a, b) => (a.feature < b.feature ? -1 : 1))
  return { epoch: finalizedFeaturesEpoch, features }
}

const UPGRADE_TYPES = { upgrade: 1, 'safe-downgrade': 2, 'unsafe-downgrade': 3 } as const

export interface FeatureUpdate {
  readonly feature: string
  /** 0 takes the feature away. */
  readonly level: number
  readonly upgradeType?: keyof typeof UPGRADE_TYPES
}

/** Changes feature levels, all or none; the error names the first that was refused. */
export async function updateFeatures(
  cluster: Cluster,
  updates: readonly FeatureUpdate[],
  options: ChangeOptions = {},
): Promise<void> {
  const answer = await cluster.request(
    UpdateFeatures,
    (version) => ({
      timeoutMs: options.timeoutMs ?? 30_000,
      featureUpdates: updates.map(({ feature, level, upgradeType = 'upgrade' }) => ({
        feature,
        maxVersionLevel: level,
        ...(version >= 1
          ? { upgradeType: UPGRADE_TYPES[upgradeType] }
          : { allowDowngrade: upgradeType !== 'upgrade' }),
      })),
      ...(version >= 1 ? { validateOnly: options.validateOnly ?? false } : {}),
    }),
    'controller',
    {
      errorOf: ({ errorCode }) =>
        errorCode === ErrorCode.NOT_CONTROLLER ? ErrorCode.NOT_CONTROLLER : 0,
    },
  )
  const names = updates.map(({ feature }) => feature).join(', ')
  if (answer.errorCode !== ErrorCode.NONE) {
    throw answered(answer.errorCode, `features ${names}`, { detail: answer.errorMessage })
  }
  for (const { feature, errorCode, errorMessage } of answer.results) {
    const error = errorOfItem(errorCode, `feature ${feature}`, errorMessage)
    if (error !== null) throw error
  }
}
