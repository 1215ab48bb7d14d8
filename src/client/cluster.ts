// A cluster as a client sees it: where its brokers are, who leads which partition, who coordinates which group. Sends
// a request to the node it belongs to, over a pool of connections by address, and tries again while the error is one
// that passes (a moved leader, a lost connection) and the deadline has not come.
//
// What is cached is only a hint: whoever is answered NOT_LEADER_OR_FOLLOWER or NOT_COORDINATOR forgets it and asks
// again. Until a first broker has answered, nothing is retried: a wrong address is told at once.
// Kafka: Metadata, NetworkClient.DefaultMetadataUpdater, CoordinatorStrategy.

import { ZERO_UUID } from '../lib/uuid.ts'
import type { Api, Decoded, Fields } from '../protocol/dsl.ts'
import { ErrorCode, errorOf } from '../protocol/errors.ts'
import { FindCoordinator } from '../protocol/messages/classic_group.ts'
import { Metadata } from '../protocol/messages/metadata.ts'
import { type Endpoint, endpointText, parseBootstrap } from './bootstrap.ts'
import { answered, ClientError, isClientError } from './client_error.ts'
import { type Body, Connection, type ConnectionOptions, type RequestOptions } from './connection.ts'
import { abortController, backoffMs, chance, monotonicMs, pause } from './timing.ts'

/** How to reach a cluster. */
export interface ClusterOptions extends ConnectionOptions {
  /** `host:port,host:port`; IPv6 in brackets. */
  readonly bootstrap: string | readonly string[]
  /** How long an error that may pass is retried; 30 s when left out. */
  readonly retryTimeoutMs?: number
}

/**
 * Whom a request is for. A broker answers one request of a connection at a time, so whoever asks what is held there
 * for long (a fetch that waits for records, a JoinGroup) does so in a lane, which has connections of its own.
 */
export type Where =
  | 'any'
  | 'controller'
  | { readonly node: number; readonly lane?: string }
  | { readonly group: string; readonly lane?: string }

export interface BrokerMetadata extends Endpoint {
  readonly nodeId: number
  readonly rack: string | null
}

export interface PartitionMetadata {
  readonly partition: number
  /** -1 when there is none at the moment. */
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  readonly offlineReplicas: readonly number[]
  readonly errorCode: number
}

export interface TopicMetadata {
  readonly name: string
  /** ZERO_UUID from brokers that have no topic ids. */
  readonly topicId: string
  readonly isInternal: boolean
  readonly errorCode: number
  /** By ascending index. */
  readonly partitions: readonly PartitionMetadata[]
}

/** How `request` deals with answers. */
export interface ClusterRequestOptions<P extends Fields> extends RequestOptions {
  /** The answer's error as a whole: one that may pass is retried until the deadline, then returned as it is. */
  readonly errorOf?: (response: Decoded<P>) => number
  /** False sends once. */
  readonly isRetried?: boolean
}

/** How a topic is looked up. */
export interface TopicOptions {
  /** Lets brokers create it, if they do so at all. */
  readonly autoCreate?: boolean
}

const MAIN_LANE = 'main'

/** How long a topic that nobody knows may be one that is being created. */
const UNKNOWN_TOPIC_MS = 1500
const AUTO_CREATE_MS = 5000

/** Connections, and what is known about the cluster behind them. */
export class Cluster implements AsyncDisposable {
  readonly retryTimeoutMs: number
  clusterId: string | null = null
  controllerId = -1
  readonly #options: ClusterOptions
  readonly #bootstrap: readonly Endpoint[]
  readonly #connections = new Map<string, Promise<Connection>>()
  readonly #brokers = new Map<number, BrokerMetadata>()
  readonly #topics = new Map<string, TopicMetadata>()
  readonly #lookups = new Map<string, Promise<TopicMetadata>>()
  readonly #coordinators = new Map<string, number>()
  readonly #closing = abortController()
  #hasContact = false
  #lanes = 0

  /** Does not connect yet. Raises INVALID_ARGUMENT on a bad address. */
  constructor(options: ClusterOptions) {
    this.#options = options
    this.#bootstrap = parseBootstrap(options.bootstrap)
    this.retryTimeoutMs = options.retryTimeoutMs ?? 30_000
  }

  /** Connects to one broker and learns who the others are. Raises CONNECTION_FAILED when none answers. */
  static async connect(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options)
    try {
      await cluster.refresh()
      return cluster
    } catch (problem) {
      cluster.close()
      throw problem
    }
  }

  /** The brokers known, by id; `refresh` asks again. */
  get brokers(): readonly BrokerMetadata[] {
    return [...this.#brokers.values()].sort((a, b) => a.nodeId - b.nodeId)
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  /** Aborted when the cluster is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** Sends a request where it belongs; its answer. */
  async request<Q extends Fields, P extends Fields>(
    api: Api<Q, P>,
    body: Body<Q>,
    where: Where = 'any',
    options: ClusterRequestOptions<P> = {},
  ): Promise<Decoded<P>> {
    return await this.retried(
      async (isLast) => {
        const connection = await this.connection(where)
        const response = await connection.request(api, body, options)
        const code = options.errorOf?.(response) ?? 0
        if (code === 0 || !errorOf(code).retriable) return response
        this.forget(where)
        if (isLast || options.isRetried === false) return response
        throw answered(code, api.name, { address: connection.address })
      },
      where,
      options.isRetried,
    )
  }

  /** Runs `attempt` until it succeeds, fails for good, or time is up; it is told when it is the last. */
  async retried<T>(
    attempt: (isLast: boolean) => Promise<T>,
    where: Where = 'any',
    isRetried = true,
  ): Promise<T> {
    const deadline = monotonicMs() + this.retryTimeoutMs
    for (let count = 1; ; count++) {
      const waitMs = backoffMs(count)
      const isLast = !isRetried || monotonicMs() + waitMs >= deadline
      try {
        return await attempt(isLast)
      } catch (problem) {
        const mayPass = isClientError(problem) && problem.isRetriable && this.#hasContact
        if (isLast || !mayPass || this.isClosed) throw problem
        this.forget(where)
      }
      await pause(waitMs, this.closing)
      this.#checkOpen()
    }
  }

  /** An open connection to the node. */
  async connection(where: Where = 'any'): Promise<Connection> {
    this.#checkOpen()
    if (where === 'any') return await this.#any()
    if (where === 'controller') {
      if (!this.#brokers.has(this.controllerId)) await this.refresh()
      // A cluster that knows no controller at the moment: any broker forwards, or says so.
      if (!this.#brokers.has(this.controllerId)) return await this.#any()
      return await this.#node(this.controllerId)
    }
    if ('node' in where) return await this.#node(where.node, where.lane)
    return await this.#node(await this.coordinator(where.group), where.lane)
  }

  /** The node that coordinates a group; asked once and kept until `forget`. */
  async coordinator(group: string): Promise<number> {
    const known = this.#coordinators.get(group)
    if (known !== undefined) return known
    const response = await this.request(
      FindCoordinator,
      (version) =>
        version >= 4
          ? { keyType: 0, coordinatorKeys: [group] }
          : { key: group, ...(version >= 1 ? { keyType: 0 } : {}) },
      'any',
      { errorOf: (answer) => answer.coordinators[0]?.errorCode ?? answer.errorCode },
    )
    const found = response.coordinators[0] ?? response
    if (found.errorCode !== ErrorCode.NONE) {
      const detail = found.errorMessage
      throw answered(found.errorCode, `the coordinator of group '${group}'`, { group, detail })
    }
    const { nodeId, host, port } = found
    this.#brokers.set(nodeId, { rack: null, ...this.#brokers.get(nodeId), nodeId, host, port })
    this.#coordinators.set(group, nodeId)
    return nodeId
  }

  /** Forgets what led to a node that was the wrong one. */
  forget(where: Where): void {
    if (where === 'any') return
    if (where === 'controller') this.controllerId = -1
    else if ('group' in where) this.#coordinators.delete(where.group)
  }

  /** Forgets who leads a topic's partitions. */
  forgetTopic(name: string): void {
    this.#topics.delete(name)
  }

  /** Asks for brokers and controller, and for topics by name; null asks for all topics. */
  async refresh(
    names: readonly string[] | null = [],
    options: TopicOptions = {},
  ): Promise<TopicMetadata[]> {
    const response = await this.request(
      Metadata,
      (version) => ({
        topics: names?.map((name) => ({ name })) ?? null,
        allowAutoTopicCreation: version < 4 ? true : (options.autoCreate ?? false),
      }),
      'any',
      { errorOf: ({ errorCode }) => errorCode },
    )
    if (response.errorCode !== ErrorCode.NONE) throw answered(response.errorCode, 'the metadata')
    this.clusterId = response.clusterId
    this.controllerId = response.controllerId
    this.#brokers.clear()
    for (const { nodeId, host, port, rack } of response.brokers) {
      this.#brokers.set(nodeId, { nodeId, host, port, rack })
    }
    const topics = response.topics.map(topicOf)
    for (const topic of topics) {
      if (topic.errorCode === ErrorCode.NONE) this.#topics.set(topic.name, topic)
      else this.#topics.delete(topic.name)
    }
    return topics
  }

  /** One topic, from the cache or asked for. Raises UNKNOWN_TOPIC_OR_PARTITION and the like. */
  topic(name: string, options: TopicOptions = {}): Promise<TopicMetadata> {
    const known = this.#topics.get(name)
    if (known !== undefined) return Promise.resolve(known)
    const key = `${options.autoCreate === true} ${name}`
    const asked = this.#lookups.get(key)
    if (asked !== undefined) return asked
    const lookup = this.#lookUp(name, options).finally(() => this.#lookups.delete(key))
    this.#lookups.set(key, lookup)
    return lookup
  }

  /** What the cache has of a topic, without asking. */
  cachedTopic(name: string): TopicMetadata | undefined {
    return this.#topics.get(name)
  }

  /** A name for a lane that nobody else uses. */
  newLane(): string {
    return `lane-${++this.#lanes}`
  }

  /** Closes the connections of a lane; what is under way there fails with CLOSED. */
  closeLane(lane: string): void {
    for (const [key, connection] of this.#connections) {
      if (!key.startsWith(`${lane} `)) continue
      this.#connections.delete(key)
      closeWhenOpen(connection)
    }
  }

  /** The ids of the items' topics as they are known now; null unless all are, for requests that take no names. */
  topicIdsOf(items: readonly { readonly topic: string }[]): ReadonlyMap<string, string> | null {
    const ids = new Map<string, string>()
    for (const { topic } of items) {
      const topicId = this.#topics.get(topic)?.topicId ?? ZERO_UUID
      if (topicId === ZERO_UUID) return null
      ids.set(topic, topicId)
    }
    return ids
  }

  /** Closes every connection; what is under way fails with CLOSED. */
  close(): void {
    if (this.isClosed) return
    this.#closing.abort()
    for (const connection of this.#connections.values()) closeWhenOpen(connection)
    this.#connections.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  async #lookUp(name: string, options: TopicOptions): Promise<TopicMetadata> {
    const began = monotonicMs()
    const unknownMs = options.autoCreate === true ? AUTO_CREATE_MS : UNKNOWN_TOPIC_MS
    for (let count = 1; ; count++) {
      const topics = await this.refresh([name], options)
      const topic = topics.find((found) => found.name === name)
      const code = topic?.errorCode ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      if (topic !== undefined && code === ErrorCode.NONE) return topic
      const patienceMs =
        code === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
          ? Math.min(unknownMs, this.retryTimeoutMs)
          : this.retryTimeoutMs
      if (!errorOf(code).retriable || monotonicMs() - began > patienceMs) {
        throw answered(code, `topic '${name}'`, { topic: name })
      }
      await pause(backoffMs(count), this.closing)
      this.#checkOpen()
    }
  }

  async #node(nodeId: number, lane?: string): Promise<Connection> {
    if (!this.#brokers.has(nodeId)) await this.refresh()
    const broker = this.#brokers.get(nodeId)
    if (broker === undefined) {
      throw new ClientError(
        'BROKER_NOT_AVAILABLE',
        `broker ${nodeId} is not among those the cluster tells of`,
        {},
        true,
      )
    }
    try {
      return await this.#open(broker, lane)
    } catch (problem) {
      if (!isClientError(problem, 'CONNECTION_FAILED')) throw problem
      const address = endpointText(broker)
      const message = `broker ${nodeId} says clients reach it at ${address}, but: ${problem.message}`
      throw new ClientError(problem.code, message, { address, cause: problem }, true)
    }
  }

  /** Whoever answers: an open connection, a broker that is known, or one of the bootstrap list. */
  async #any(): Promise<Connection> {
    for (const [key, pending] of this.#connections) {
      if (!key.startsWith(`${MAIN_LANE} `)) continue
      const open = await pending.then(
        (connection) => connection,
        () => null,
      )
      if (open !== null && !open.isClosed) return open
    }
    const known = rotated([...this.#brokers.values()])
    const reasons = new Map<string, ClientError>()
    for (const endpoint of [...known, ...this.#bootstrap]) {
      const address = endpointText(endpoint)
      if (reasons.has(address)) continue
      try {
        return await this.#open(endpoint)
      } catch (problem) {
        if (!isClientError(problem) || !problem.isRetriable) throw problem
        reasons.set(address, problem)
      }
    }
    const [first, ...others] = [...reasons.values()]
    if (others.length === 0) throw first
    throw new ClientError(
      'CONNECTION_FAILED',
      `no broker answers: ${[first!, ...others].map(({ message }) => message).join('; ')}`,
      { cause: first },
      true,
    )
  }

  async #open(endpoint: Endpoint, lane = MAIN_LANE): Promise<Connection> {
    const key = `${lane} ${endpointText(endpoint)}`
    const pooled = this.#connections.get(key)
    if (pooled !== undefined) {
      const open = await pooled
      if (!open.isClosed) return open
      if (this.#connections.get(key) === pooled) this.#connections.delete(key)
      return await this.#open(endpoint, lane)
    }
    const opening = Connection.open(endpoint, this.#options)
    this.#connections.set(key, opening)
    try {
      const open = await opening
      if (this.isClosed) open.close()
      this.#checkOpen()
      this.#hasContact = true
      return open
    } catch (problem) {
      if (this.#connections.get(key) === opening) this.#connections.delete(key)
      throw problem
    }
  }

  #checkOpen(): void {
    if (this.isClosed) throw new ClientError('CLOSED', 'the client was closed')
  }
}

/** An attempt to connect that fails has told whoever made it. */
function closeWhenOpen(connection: Promise<Connection>): void {
  connection.then(
    (open) => open.close(),
    () => {},
  )
}

function topicOf(topic: Decoded<(typeof Metadata)['response']['fields']>['topics'][number]) {
  return {
    name: topic.name ?? '',
    topicId: topic.topicId,
    isInternal: topic.isInternal,
    errorCode: topic.errorCode,
    partitions: topic.partitions.map(partitionMetadata).sort((a, b) => a.partition - b.partition),
  }
}

type PartitionAnswer = Decoded<
  (typeof Metadata)['response']['fields']
>['topics'][number]['partitions'][number]

/** A partition as brokers tell of it, in our words. */
export function partitionMetadata(answer: PartitionAnswer): PartitionMetadata {
  return {
    partition: answer.partitionIndex,
    leaderId: answer.leaderId,
    leaderEpoch: answer.leaderEpoch,
    replicas: answer.replicaNodes,
    isr: answer.isrNodes,
    offlineReplicas: answer.offlineReplicas,
    errorCode: answer.errorCode,
  }
}

/** The same list from a place that chance picks, so that clients spread. */
function rotated<T>(list: readonly T[]): T[] {
  const at = list.length === 0 ? 0 : chance(list.length)
  return [...list.slice(at), ...list.slice(0, at)]
}
