// Reads records: of partitions that are given, or as a member of a group of those it is assigned. One pass over an
// async iterable; leaving the loop commits (in a group), leaves the group and stops fetching.
//
//   for await (const record of new Consumer(cluster, { topics: ['t'], from: 'earliest', until: 'end' })) …
//
// A record counts as read when it is handed out: that is what is committed, as in Java between two polls.
// Kafka: KafkaConsumer, ConsoleConsumer.

import { ErrorCode, errorName } from '../protocol/errors.ts'
import {
  alterCommittedOffsets,
  fetchCommittedOffsets,
  type PartitionResult,
} from './admin_groups.ts'
import { ClientError } from './client_error.ts'
import type { Cluster } from './cluster.ts'
import { type Assigned, Fetcher, type FetchOptions } from './fetcher.ts'
import { GroupMember, type GroupMemberOptions } from './group_member.ts'
import { partitionText, type TopicPartition } from './per_leader.ts'
import { type ConsumerRecord, consumed } from './record_data.ts'
import { offsetsAt, type StartAt, startOffsets } from './start_offsets.ts'
import { pause } from './timing.ts'

const COMMIT_EVERY_MS = 5000

/** What to read, and how; `topics` or `partitions` must be there. */
export interface ConsumerOptions
  extends FetchOptions,
    Pick<GroupMemberOptions, 'sessionTimeoutMs' | 'rebalanceTimeoutMs' | 'heartbeatMs'> {
  /** Topics to read whole, or to subscribe to with a group. */
  readonly topics?: readonly string[]
  /** Partitions to read; with a group its offsets are used without joining it. */
  readonly partitions?: readonly TopicPartition[]
  /** Where to begin; with a group, where nothing is committed. `latest` when left out. */
  readonly from?: StartAt
  /** `end` stops behind the records that are there when reading begins. */
  readonly until?: 'end'
  readonly groupId?: string
  /** How often offsets are committed for a group; 5 s when left out, 0 only by `commit`. */
  readonly commitEveryMs?: number
}

/** Reads records of a cluster, which it does not close. */
export class Consumer implements AsyncIterable<ConsumerRecord>, AsyncDisposable {
  readonly #cluster: Cluster
  readonly #options: ConsumerOptions
  readonly #fetcher: Fetcher
  readonly #committed = new Map<string, number>()
  #member: GroupMember | null = null
  #isAssigned = false
  #assignment: readonly TopicPartition[] = []
  readonly #ending = new AbortController()
  #closed: Promise<void> | null = null

  /** Raises INVALID_ARGUMENT when there is nothing to read. */
  constructor(cluster: Cluster, options: ConsumerOptions) {
    this.#cluster = cluster
    this.#options = options
    const count = (options.topics?.length ?? 0) + (options.partitions?.length ?? 0)
    if (count === 0) throw new ClientError('INVALID_ARGUMENT', 'a consumer needs a topic')
    this.#fetcher = new Fetcher(cluster, options)
  }

  /** What is read at the moment. */
  get assignment(): readonly TopicPartition[] {
    return this.#assignment
  }

  /** The records, as they come. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ConsumerRecord> {
    try {
      await this.#begin()
      if (this.#isCommitting()) void this.#commitOnAndOn()
      for (;;) {
        const chunk = await this.#fetcher.next()
        if (chunk === null) return
        for (const record of chunk.records()) {
          if (this.#closed !== null) return
          if (!this.#fetcher.owns(chunk)) break
          this.#fetcher.deliver(chunk, record.offset + 1)
          yield consumed(chunk.topic, chunk.partition, record)
        }
        this.#fetcher.deliver(chunk, chunk.nextOffset)
      }
    } finally {
      await this.close()
    }
  }

  /** The next `count` records, or fewer where reading ends before; then the consumer is closed. */
  async take(count: number): Promise<ConsumerRecord[]> {
    const records: ConsumerRecord[] = []
    if (count <= 0) return records
    for await (const record of this) {
      records.push(record)
      if (records.length === count) break
    }
    return records
  }

  /** What is read next of every partition. */
  positions(): (TopicPartition & { readonly offset: number })[] {
    return this.#fetcher.positions()
  }

  /** Commits what was handed out. Raises the first partition's error. */
  async commit(): Promise<void> {
    const results = await this.#commit()
    const failed = results.find(({ error }) => error !== null)
    if (failed?.error) throw failed.error
  }

  /** Stops reading, commits (unless `isCommitted` is false) and leaves the group. Errors of the commit are raised. */
  close(options: { readonly isCommitted?: boolean } = {}): Promise<void> {
    return (this.#closed ??= this.#close(options.isCommitted ?? true))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  // ---- beginning and end

  async #begin(): Promise<void> {
    const { topics = [], partitions = [], groupId } = this.#options
    if (groupId !== undefined && partitions.length === 0) {
      // A topic that is not there is told at once; a group would wait for it.
      for (const topic of topics) await this.#cluster.topic(topic)
      return this.#join(groupId, topics)
    }
    const all: TopicPartition[] = [...partitions]
    for (const topic of topics) {
      const metadata = await this.#cluster.topic(topic)
      all.push(...metadata.partitions.map(({ partition }) => ({ topic, partition })))
    }
    for (const { topic, partition } of partitions) await this.#checkPartition(topic, partition)
    await this.#assign(all)
  }

  async #checkPartition(topic: string, partition: number): Promise<void> {
    const { partitions } = await this.#cluster.topic(topic)
    if (partitions.some((known) => known.partition === partition)) return
    const count = partitions.length
    const message = `topic '${topic}' has ${count} partitions; there is no ${partition}`
    throw new ClientError('UNKNOWN_TOPIC_OR_PARTITION', message, { topic, partition })
  }

  #join(groupId: string, topics: readonly string[]): void {
    const { sessionTimeoutMs, rebalanceTimeoutMs, heartbeatMs } = this.#options
    this.#member = new GroupMember(
      this.#cluster,
      {
        groupId,
        topics,
        ...(sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs }),
        ...(rebalanceTimeoutMs === undefined ? {} : { rebalanceTimeoutMs }),
        ...(heartbeatMs === undefined ? {} : { heartbeatMs }),
      },
      {
        assigned: (partitions) => this.#assign(partitions),
        revoked: async (isLost) => {
          if (!isLost && this.#isCommitting()) await this.#commit()
          this.#assignment = []
          this.#committed.clear()
          this.#fetcher.assign([])
        },
        failed: (problem) => this.#fetcher.fail(problem),
      },
    )
    this.#member.start()
  }

  async #assign(partitions: readonly TopicPartition[]): Promise<void> {
    const { from = 'latest', groupId, until, isolation = 'read_uncommitted' } = this.#options
    const begins = new Map<string, number>()
    if (groupId !== undefined && partitions.length > 0) {
      for (const at of await fetchCommittedOffsets(this.#cluster, groupId, partitions)) {
        if (at.error !== null) throw at.error
        if (at.offset < 0) continue
        begins.set(partitionText(at), at.offset)
        this.#committed.set(partitionText(at), at.offset)
      }
    }
    const fresh = partitions.filter((at) => !begins.has(partitionText(at)))
    for (const [key, offset] of await startOffsets(this.#cluster, fresh, from, isolation)) {
      begins.set(key, offset)
    }
    const ends =
      until === 'end' ? await offsetsAt(this.#cluster, partitions, 'latest', isolation) : null
    const assigned: Assigned[] = partitions.map(({ topic, partition }) => {
      const key = partitionText({ topic, partition })
      return { topic, partition, offset: begins.get(key)!, end: ends?.get(key) ?? null }
    })
    this.#assignment = partitions
    this.#isAssigned = true
    this.#fetcher.assign(assigned)
    if (partitions.length === 0 && until === 'end') this.#fetcher.close()
  }

  async #close(isCommitted: boolean): Promise<void> {
    this.#fetcher.close()
    this.#ending.abort()
    const member = this.#member
    try {
      if (isCommitted && this.#isAssigned && this.#isCommitting() && !this.#cluster.isClosed) {
        throwUnlessRebalance(await this.#commit())
      }
    } finally {
      await member?.leave()
    }
  }

  // ---- commits

  #isCommitting(): boolean {
    return (
      this.#options.groupId !== undefined && (this.#options.commitEveryMs ?? COMMIT_EVERY_MS) > 0
    )
  }

  /** Not only when something was read: what was read last is committed while nothing comes. */
  async #commitOnAndOn(): Promise<void> {
    const ending = AbortSignal.any([this.#ending.signal, this.#cluster.closing])
    for (;;) {
      await pause(this.#options.commitEveryMs ?? COMMIT_EVERY_MS, ending)
      if (ending.aborted) return
      try {
        throwUnlessRebalance(await this.#commit())
      } catch (problem) {
        return this.#fetcher.fail(problem)
      }
    }
  }

  async #commit(): Promise<PartitionResult[]> {
    const { groupId } = this.#options
    if (groupId === undefined) {
      throw new ClientError('INVALID_ARGUMENT', 'only a consumer with a group commits')
    }
    const moved = this.#fetcher
      .positions()
      .filter((at) => this.#committed.get(partitionText(at)) !== at.offset)
    if (moved.length === 0) return []
    const as = this.#member?.committer
    const results = await alterCommittedOffsets(this.#cluster, groupId, moved, as)
    const offsets = new Map(moved.map((at) => [partitionText(at), at.offset]))
    for (const result of results) {
      const key = partitionText(result)
      if (result.error === null) this.#committed.set(key, offsets.get(key)!)
    }
    return results
  }
}

/** The group goes on without a commit that met a rebalance: whoever reads on reads those records again. */
function throwUnlessRebalance(results: readonly PartitionResult[]): void {
  for (const { error } of results) {
    if (error !== null && !OF_REBALANCE.includes(error.code)) throw error
  }
}

const OF_REBALANCE: readonly string[] = [
  errorName(ErrorCode.REBALANCE_IN_PROGRESS),
  errorName(ErrorCode.ILLEGAL_GENERATION),
  errorName(ErrorCode.UNKNOWN_MEMBER_ID),
]
