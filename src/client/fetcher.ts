// Fetches what is assigned: one request under way per broker, over all its partitions, in a lane of its own. A broker
// is asked again when its last chunk was handed out, so reading and fetching overlap and no partition waits behind
// another's long poll; what is buffered is one answer per broker.
//
// Invariant: chunks of a partition come in order of offsets, each once, and none of a partition taken away.
// Kafka: Fetcher, FetchSessionHandler (without sessions: every request is a full one).

import { ZERO_UUID } from '../lib/uuid.ts'
import type { Decoded } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { Fetch } from '../protocol/messages/produce_fetch.ts'
import { Chunk } from './chunk.ts'
import { answered, ClientError, isClientError } from './client_error.ts'
import type { Cluster } from './cluster.ts'
import { byTopic, leaderOf, partitionText, type TopicPartition, unanswered } from './per_leader.ts'
import { type Isolation, offsetsAt } from './start_offsets.ts'
import { backoffMs, monotonicMs, pause } from './timing.ts'

/** How to fetch; everything has a default. */
export interface FetchOptions {
  /** How long a broker may wait for records; 500 ms when left out. */
  readonly maxWaitMs?: number
  readonly minBytes?: number
  /** What one answer may hold; 32 MiB when left out. */
  readonly maxBytes?: number
  /** What one answer may hold of one partition; 1 MiB when left out. */
  readonly partitionBytes?: number
  readonly isolation?: Isolation
}

/** A partition to read, from an offset up to (not including) an end, or on and on. */
export interface Assigned extends TopicPartition {
  readonly offset: number
  readonly end: number | null
}

interface Track extends TopicPartition {
  /** What to fetch next. */
  position: number
  /** What the reader gets next: this is what may be committed. */
  delivered: number
  readonly end: number
  leaderId: number
  /** Being fetched, located, or waiting to be tried again. */
  isBusy: boolean
  hasChunk: boolean
  attempts: number
  failingSinceMs: number
}

type PartitionData = Decoded<
  (typeof Fetch)['response']['fields']
>['responses'][number]['partitions'][number]

/** The first Fetch version that names topics by id alone. */
const TOPIC_ID_VERSION_MIN = 13
const isDone = (track: Track): boolean => track.position >= track.end

/** Reads partitions until told otherwise. */
export class Fetcher {
  readonly #cluster: Cluster
  readonly #options: FetchOptions
  #tracks = new Map<string, Track>()
  #chunks: Chunk[] = []
  readonly #owners = new WeakMap<Chunk, Track>()
  readonly #lane: string
  readonly #busyNodes = new Set<number>()
  #failure: unknown = null
  #isClosed = false
  #wake: () => void = () => {}

  constructor(cluster: Cluster, options: FetchOptions = {}) {
    this.#cluster = cluster
    this.#options = options
    this.#lane = cluster.newLane()
  }

  /** Replaces what is read. */
  assign(partitions: readonly Assigned[]): void {
    this.#tracks = new Map(
      partitions.map(({ topic, partition, offset, end }) => [
        partitionText({ topic, partition }),
        {
          topic,
          partition,
          position: offset,
          delivered: offset,
          end: end ?? Number.POSITIVE_INFINITY,
          leaderId: -1,
          isBusy: false,
          hasChunk: false,
          attempts: 0,
          failingSinceMs: 0,
        },
      ]),
    )
    this.#chunks = []
    this.#wake()
  }

  /** What the reader gets next of every partition. */
  positions(): (TopicPartition & { readonly offset: number })[] {
    return [...this.#tracks.values()].map(({ topic, partition, delivered }) => ({
      topic,
      partition,
      offset: delivered,
    }))
  }

  /** True while the chunk's partition is still ours, and has not been given back and got again. */
  owns(chunk: Chunk): boolean {
    const track = this.#owners.get(chunk)
    return track !== undefined && this.#tracks.get(partitionText(chunk)) === track
  }

  /** The reader has everything of the chunk before `offset`. */
  deliver(chunk: Chunk, offset: number): void {
    if (this.owns(chunk)) this.#owners.get(chunk)!.delivered = offset
  }

  /** The next chunk; null when everything was read to its end, or after `close`. */
  async next(): Promise<Chunk | null> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure
      if (this.#isClosed) return null
      const next = this.#chunks.shift()
      if (next !== undefined) {
        this.#owners.get(next)!.hasChunk = false
        this.#fetch()
        return next
      }
      const tracks = [...this.#tracks.values()]
      if (tracks.length > 0 && tracks.every(isDone)) return null
      this.#fetch()
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Makes `next` throw. */
  fail(problem: unknown): void {
    this.#failure ??= problem
    this.#wake()
  }

  /** Ends reading; an answer that is under way is dropped. */
  close(): void {
    this.#isClosed = true
    this.#cluster.closeLane(this.#lane)
    this.#wake()
  }

  #isCurrent(track: Track): boolean {
    return !this.#isClosed && this.#tracks.get(partitionText(track)) === track
  }

  #fetch(): void {
    const byNode = new Map<number, Track[]>()
    const full = new Set<number>()
    for (const track of this.#tracks.values()) {
      if (track.hasChunk) full.add(track.leaderId)
      if (track.isBusy || track.hasChunk || isDone(track)) continue
      if (track.leaderId < 0) {
        this.#later(track, async () => {
          track.leaderId = await leaderOf(this.#cluster, track)
        })
        continue
      }
      const list = byNode.get(track.leaderId)
      if (list === undefined) byNode.set(track.leaderId, [track])
      else list.push(track)
    }
    for (const [node, tracks] of byNode) {
      if (!this.#busyNodes.has(node) && !full.has(node)) void this.#ask(node, tracks)
    }
  }

  /** Does something for a partition that cannot be fetched meanwhile. */
  #later(track: Track, work: () => Promise<void>): void {
    track.isBusy = true
    work()
      .catch((problem) => {
        if (this.#isCurrent(track)) this.fail(problem)
      })
      .then(() => {
        track.isBusy = false
        this.#wake()
      })
  }

  async #ask(node: number, tracks: readonly Track[]): Promise<void> {
    this.#busyNodes.add(node)
    for (const track of tracks) track.isBusy = true
    try {
      const found = await this.#request(node, tracks)
      for (const track of tracks) track.isBusy = false
      // Nobody got anything, so nobody was kept from it by the size of the answer.
      const isEmpty = found.every((data) => (data?.records?.length ?? 0) === 0)
      tracks.forEach((track, i) => {
        if (this.#isCurrent(track)) this.#take(track, found[i], isEmpty)
      })
    } catch (problem) {
      for (const track of tracks) {
        track.isBusy = false
        if (this.#isCurrent(track)) this.#retry(track, problem)
      }
    }
    this.#busyNodes.delete(node)
    this.#wake()
  }

  async #request(node: number, tracks: readonly Track[]): Promise<(PartitionData | undefined)[]> {
    const { maxWaitMs = 500, minBytes = 1, maxBytes = 32 << 20, isolation } = this.#options
    const { partitionBytes = 1 << 20 } = this.#options
    const topicIds = this.#cluster.topicIdsOf(tracks)
    const topics = byTopic(tracks, ({ partition, position }) => ({
      partition,
      fetchOffset: position,
      partitionMaxBytes: partitionBytes,
    })).map(({ topic, partitions }) => ({
      topic,
      topicId: topicIds?.get(topic) ?? ZERO_UUID,
      partitions,
    }))
    const connection = await this.#cluster.connection({ node, lane: this.#lane })
    const answer = await connection.request(
      Fetch,
      {
        maxWaitMs,
        minBytes,
        maxBytes,
        isolationLevel: isolation === 'read_committed' ? 1 : 0,
        topics,
      },
      {
        extraMs: maxWaitMs,
        versionMax: topicIds !== null ? Fetch.valid.max : TOPIC_ID_VERSION_MIN - 1,
      },
    )
    if (answer.errorCode !== ErrorCode.NONE) throw answered(answer.errorCode, 'fetching')
    return tracks.map(({ topic, partition }) =>
      answer.responses
        .find((data) => data.topic === topic || data.topicId === topicIds?.get(topic))
        ?.partitions.find(({ partitionIndex }) => partitionIndex === partition),
    )
  }

  #take(track: Track, data: PartitionData | undefined, isEmpty: boolean): void {
    if (data === undefined) return this.#retry(track, unanswered(track))
    if (data.errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) return this.#clamp(track)
    if (data.errorCode !== ErrorCode.NONE) {
      const subject = `partition ${partitionText(track)}`
      return this.#retry(track, answered(data.errorCode, subject, track))
    }
    track.attempts = 0
    const { isolation } = this.#options
    const bytes = data.records
    if (bytes === null || bytes.length === 0) {
      // What was there is gone (compacted, aborted): a reader with an end would wait for it forever.
      const edge = isolation === 'read_committed' ? data.lastStableOffset : data.highWatermark
      if (isEmpty && edge > track.position && Number.isFinite(track.end)) {
        track.position = Math.min(edge, track.end)
        track.delivered = track.position
      }
      return
    }
    const aborted = isolation === 'read_committed' ? data.abortedTransactions : null
    try {
      const chunk = new Chunk(track, bytes, track.position, track.end, aborted)
      if (chunk.nextOffset < 0) {
        const size = this.#options.partitionBytes ?? 1 << 20
        const message = `partition ${partitionText(track)}: a batch is larger than ${size} bytes`
        throw new ClientError('MESSAGE_TOO_LARGE', message, track)
      }
      track.position = Math.max(track.position, chunk.nextOffset)
      track.hasChunk = true
      this.#owners.set(chunk, track)
      this.#chunks.push(chunk)
    } catch (problem) {
      this.fail(problem)
    }
  }

  /** The offset is not there any more, or not yet: to the nearest that is. */
  #clamp(track: Track): void {
    this.#later(track, async () => {
      const { isolation = 'read_uncommitted' } = this.#options
      const look = async (at: 'earliest' | 'latest') =>
        (await offsetsAt(this.#cluster, [track], at, isolation)).get(partitionText(track))!
      const [earliest, latest] = [await look('earliest'), await look('latest')]
      track.position = Math.min(Math.max(track.position, earliest), latest)
      track.delivered = track.position
    })
  }

  /** Looks for the leader again, for as long as the cluster's deadline. */
  #retry(track: Track, problem: unknown): void {
    const now = monotonicMs()
    if (track.attempts++ === 0) track.failingSinceMs = now
    const isLate = now - track.failingSinceMs > this.#cluster.retryTimeoutMs
    if (!isClientError(problem) || !problem.isRetriable || isLate) return this.fail(problem)
    track.leaderId = -1
    this.#cluster.forgetTopic(track.topic)
    this.#later(track, () => pause(backoffMs(track.attempts), this.#cluster.closing))
  }
}
