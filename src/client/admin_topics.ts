// What operators do to topics: create, delete, grow, list, describe; where partitions begin and end; cutting their
// beginning. Every item keeps its own error, so that nineteen of twenty are reported as done.
// Kafka: KafkaAdminClient.

import { ErrorCode } from '../protocol/errors.ts'
import { DescribeTopicPartitions } from '../protocol/messages/metadata.ts'
import { DeleteRecords, ListOffsets } from '../protocol/messages/offsets.ts'
import { CreatePartitions, CreateTopics, DeleteTopics } from '../protocol/messages/topics.ts'
import { answered, type ClientError } from './client_error.ts'
import {
  type Cluster,
  type PartitionMetadata,
  partitionMetadata,
  type TopicMetadata,
} from './cluster.ts'
import {
  byTopic,
  type Outcome,
  partitionText,
  perLeader,
  type TopicPartition,
} from './per_leader.ts'

/** Something asked for by name, and what became of it. */
export interface NamedResult {
  readonly name: string
  readonly error: ClientError | null
}

export interface NewTopic {
  readonly name: string
  /** The broker's num.partitions when left out. */
  readonly numPartitions?: number | undefined
  /** The broker's default.replication.factor when left out. */
  readonly replicationFactor?: number | undefined
  /** Replicas of partition 0, 1, …, instead of the two counts. */
  readonly assignments?: readonly (readonly number[])[] | undefined
  readonly configs?: Readonly<Record<string, string | null>> | undefined
}

export interface CreatedTopic extends NamedResult {
  readonly topicId: string
  /** -1 where the broker does not say. */
  readonly numPartitions: number
  readonly replicationFactor: number
}

export interface ChangeOptions {
  /** Checks and changes nothing. */
  readonly validateOnly?: boolean | undefined
  /** How long the broker may take; 30 s when left out. */
  readonly timeoutMs?: number | undefined
}

const TIMEOUT_MS = 30_000

interface Coded {
  readonly errorCode: number
}

/** The first error of a list that says the controller is elsewhere: the request as a whole is sent again. */
const notController = (list: readonly Coded[]): number =>
  list.find(({ errorCode }) => errorCode === ErrorCode.NOT_CONTROLLER)?.errorCode ?? 0

/** The error of one item, or null. */
export function errorOfItem(
  errorCode: number,
  subject: string,
  detail?: string | null,
): ClientError | null {
  return errorCode === ErrorCode.NONE ? null : answered(errorCode, subject, { detail })
}

/** Creates topics; results in the broker's order. */
export async function createTopics(
  cluster: Cluster,
  topics: readonly NewTopic[],
  options: ChangeOptions = {},
): Promise<CreatedTopic[]> {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
  const body = {
    topics: topics.map(({ name, numPartitions, replicationFactor, assignments, configs }) => ({
      name,
      numPartitions: assignments === undefined ? (numPartitions ?? -1) : -1,
      replicationFactor: assignments === undefined ? (replicationFactor ?? -1) : -1,
      assignments: (assignments ?? []).map((brokerIds, partitionIndex) => ({
        partitionIndex,
        brokerIds,
      })),
      configs: Object.entries(configs ?? {}).map(([key, value]) => ({ name: key, value })),
    })),
    timeoutMs,
    validateOnly: options.validateOnly ?? false,
  }
  const answer = await cluster.request(CreateTopics, body, 'controller', {
    extraMs: timeoutMs,
    errorOf: (response) => notController(response.topics),
  })
  for (const { name } of topics) cluster.forgetTopic(name)
  return answer.topics.map((topic) => ({
    name: topic.name,
    topicId: topic.topicId,
    numPartitions: topic.numPartitions,
    replicationFactor: topic.replicationFactor,
    error: errorOfItem(topic.errorCode, `topic '${topic.name}'`, topic.errorMessage),
  }))
}

/** Deletes topics by name. */
export async function deleteTopics(
  cluster: Cluster,
  names: readonly string[],
  options: { readonly timeoutMs?: number } = {},
): Promise<NamedResult[]> {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
  const answer = await cluster.request(
    DeleteTopics,
    (version) =>
      version >= 6
        ? { topics: names.map((name) => ({ name })), timeoutMs }
        : { topicNames: names, timeoutMs },
    'controller',
    { extraMs: timeoutMs, errorOf: ({ responses }) => notController(responses) },
  )
  for (const name of names) cluster.forgetTopic(name)
  return answer.responses.map(({ name, topicId, errorCode, errorMessage }) => ({
    name: name ?? topicId,
    error: errorOfItem(errorCode, `topic '${name ?? topicId}'`, errorMessage),
  }))
}

/** Grows topics to a number of partitions. */
export async function createPartitions(
  cluster: Cluster,
  topics: readonly {
    readonly name: string
    readonly count: number
    /** Replicas of each new partition. */
    readonly assignments?: readonly (readonly number[])[] | undefined
  }[],
  options: ChangeOptions = {},
): Promise<NamedResult[]> {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
  const body = {
    topics: topics.map(({ name, count, assignments }) => ({
      name,
      count,
      assignments: assignments?.map((brokerIds) => ({ brokerIds })) ?? null,
    })),
    timeoutMs,
    validateOnly: options.validateOnly ?? false,
  }
  const answer = await cluster.request(CreatePartitions, body, 'controller', {
    extraMs: timeoutMs,
    errorOf: ({ results }) => notController(results),
  })
  for (const { name } of topics) cluster.forgetTopic(name)
  return answer.results.map(({ name, errorCode, errorMessage }) => ({
    name,
    error: errorOfItem(errorCode, `topic '${name}'`, errorMessage),
  }))
}

/** Every topic, by name. */
export async function listTopics(
  cluster: Cluster,
  options: { readonly isInternalIncluded?: boolean } = {},
): Promise<TopicMetadata[]> {
  const topics = await cluster.refresh(null)
  return topics
    .filter(({ isInternal }) => options.isInternalIncluded === true || !isInternal)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

export interface PartitionDescription extends PartitionMetadata {
  /** Null where the broker does not say (KIP-966). */
  readonly eligibleLeaderReplicas: readonly number[] | null
  readonly lastKnownElr: readonly number[] | null
}

export interface TopicDescription extends NamedResult {
  readonly topicId: string
  readonly isInternal: boolean
  readonly partitions: readonly PartitionDescription[]
}

/** Describes topics; with eligible leaders where the broker serves DescribeTopicPartitions. */
export async function describeTopics(
  cluster: Cluster,
  names: readonly string[],
): Promise<TopicDescription[]> {
  const connection = await cluster.connection()
  if (connection.serves(DescribeTopicPartitions)) return await describeByPages(cluster, names)
  const topics = await cluster.refresh(names)
  return topics.map((topic) => ({
    ...topic,
    partitions: topic.partitions.map((partition) => ({
      ...partition,
      eligibleLeaderReplicas: null,
      lastKnownElr: null,
    })),
    error: errorOfItem(topic.errorCode, `topic '${topic.name}'`),
  }))
}

// Partitions come in pages; a topic may go on in the next one.
async function describeByPages(
  cluster: Cluster,
  names: readonly string[],
): Promise<TopicDescription[]> {
  const found = new Map<string, TopicDescription & { partitions: PartitionDescription[] }>()
  let cursor: { topicName: string; partitionIndex: number } | null = null
  do {
    const page: Awaited<ReturnType<typeof askPage>> = await askPage(cluster, names, cursor)
    for (const topic of page.topics) {
      const name = topic.name ?? ''
      const known = found.get(name) ?? {
        name,
        topicId: topic.topicId,
        isInternal: topic.isInternal,
        partitions: [],
        error: errorOfItem(topic.errorCode, `topic '${name}'`),
      }
      found.set(name, known)
      for (const partition of topic.partitions) {
        known.partitions.push({
          ...partitionMetadata(partition),
          eligibleLeaderReplicas: partition.eligibleLeaderReplicas,
          lastKnownElr: partition.lastKnownElr,
        })
      }
    }
    cursor = page.nextCursor
  } while (cursor !== null)
  return [...found.values()]
}

function askPage(
  cluster: Cluster,
  names: readonly string[],
  cursor: { topicName: string; partitionIndex: number } | null,
) {
  // A broker continues at the cursor only when its topic is the first of the sorted rest.
  const sorted = [...names].sort()
  const rest = cursor === null ? sorted : sorted.filter((name) => name >= cursor.topicName)
  return cluster.request(DescribeTopicPartitions, {
    topics: rest.map((name) => ({ name })),
    cursor,
  })
}

/** Where in a partition: an edge, a point in time (milliseconds), or the newest timestamp. */
export type OffsetSpec = 'earliest' | 'latest' | 'max-timestamp' | 'earliest-local' | number

const SPEC_TIMESTAMPS = {
  latest: -1n,
  earliest: -2n,
  'max-timestamp': -3n,
  'earliest-local': -4n,
} as const
/** The first version that knows the spec. */
const SPEC_VERSIONS = { latest: 1, earliest: 1, 'max-timestamp': 7, 'earliest-local': 8 } as const

/** A partition, and where in it. */
export interface OffsetQuestion extends TopicPartition {
  readonly at: OffsetSpec
}

export interface ListedOffset extends TopicPartition {
  /** -1 when the partition has no such record. */
  readonly offset: number
  readonly timestamp: number
  readonly leaderEpoch: number
  readonly error: ClientError | null
}

/** Looks offsets up; results in the order asked. A partition may be asked about more than once. */
export async function listOffsets(
  cluster: Cluster,
  items: readonly OffsetQuestion[],
  options: { readonly isolation?: 'read_committed' | 'read_uncommitted' } = {},
): Promise<ListedOffset[]> {
  // Brokers refuse a request that names a partition twice: the second question goes into a second request.
  const rounds: OffsetQuestion[][] = []
  const seen = new Map<string, number>()
  for (const item of items) {
    const round = seen.get(partitionText(item)) ?? 0
    seen.set(partitionText(item), round + 1)
    rounds[round] = [...(rounds[round] ?? []), item]
  }
  const found = new Map<OffsetQuestion, ListedOffset>()
  await Promise.all(
    rounds.map(async (round) => {
      const outcomes = await perLeader(cluster, round, (node, asked) =>
        askOffsets(cluster, node, asked, options.isolation === 'read_committed' ? 1 : 0),
      )
      round.forEach((item, i) => {
        found.set(item, listed(item, outcomes[i]!))
      })
    }),
  )
  return items.map((item) => found.get(item)!)
}

async function askOffsets(
  cluster: Cluster,
  node: number,
  asked: readonly OffsetQuestion[],
  isolationLevel: number,
) {
  const answer = await cluster.request(
    ListOffsets,
    (version) => {
      for (const { at } of asked) checkSpec(at, version)
      return {
        replicaId: -1,
        isolationLevel,
        topics: byTopic(asked, ({ partition, at }) => ({
          partitionIndex: partition,
          timestamp: typeof at === 'number' ? BigInt(at) : SPEC_TIMESTAMPS[at],
        })).map(({ topic, partitions }) => ({ name: topic, partitions })),
        timeoutMs: TIMEOUT_MS,
      }
    },
    { node },
  )
  return answer.topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex, errorCode, ...value }) => ({
      topic: name,
      partition: partitionIndex,
      errorCode,
      value,
    })),
  )
}

function listed(
  { topic, partition }: OffsetQuestion,
  outcome: Outcome<{ offset: number; timestamp: bigint; leaderEpoch: number }>,
): ListedOffset {
  if ('error' in outcome) {
    return { topic, partition, offset: -1, timestamp: -1, leaderEpoch: -1, error: outcome.error }
  }
  const { offset, timestamp, leaderEpoch } = outcome.value
  return { topic, partition, offset, timestamp: Number(timestamp), leaderEpoch, error: null }
}

function checkSpec(at: OffsetSpec, version: number): void {
  if (typeof at === 'number' || version >= SPEC_VERSIONS[at]) return
  throw answered(ErrorCode.UNSUPPORTED_VERSION, `the offset '${at}'`)
}

export interface DeletedRecords extends TopicPartition {
  /** The first offset that is left; -1 with an error. */
  readonly lowWatermark: number
  readonly error: ClientError | null
}

/** Deletes the records before `offset`; -1 deletes all there are. */
export async function deleteRecords(
  cluster: Cluster,
  items: readonly (TopicPartition & { readonly offset: number })[],
  options: { readonly timeoutMs?: number } = {},
): Promise<DeletedRecords[]> {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
  const outcomes = await perLeader(cluster, items, async (node, asked) => {
    const body = {
      topics: byTopic(asked, ({ partition, offset }) => ({
        partitionIndex: partition,
        offset: BigInt(offset),
      })).map(({ topic, partitions }) => ({ name: topic, partitions })),
      timeoutMs,
    }
    const answer = await cluster.request(DeleteRecords, body, { node }, { extraMs: timeoutMs })
    return answer.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, errorCode, lowWatermark }) => ({
        topic: name,
        partition: partitionIndex,
        errorCode,
        value: lowWatermark,
      })),
    )
  })
  return items.map(({ topic, partition }, i) => {
    const outcome = outcomes[i]!
    return 'error' in outcome
      ? { topic, partition, lowWatermark: -1, error: outcome.error }
      : { topic, partition, lowWatermark: outcome.value, error: null }
  })
}
