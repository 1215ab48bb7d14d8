// Produces records: chooses partitions, fills a batch per partition, and has one request under way per broker and one
// batch per partition, so records of a partition stay in order whatever is retried. While a request is under way the
// next batches fill; under load that is all the batching there needs to be.
//
// Invariant: every `send` is settled once, with the place of its record or with a ClientError that names it. With
// idempotence a batch keeps its producer id and sequence until it is settled; after a failure the partition gets a
// new producer id, since nobody knows what the broker has seen.
// Kafka: KafkaProducer, RecordAccumulator, Sender; KIP-98, KIP-480.

import { compress } from '../plane/native_codecs.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { InitProducerId } from '../protocol/messages/transaction.ts'
import { type Compression, encodeBatch, type RecordInput } from '../protocol/record_batch.ts'
import { answered, ClientError, isClientError } from './client_error.ts'
import type { Cluster, TopicMetadata } from './cluster.ts'
import { partitionOfKey } from './partitioner.ts'
import { leaderOf, partitionText } from './per_leader.ts'
import { type PartitionProduced, ProduceRequests } from './produce_requests.ts'
import { bytesOf, inputOf, type ProducerRecord } from './record_data.ts'
import { backoffMs, chance, later, monotonicMs, nowMs, pause, soon } from './timing.ts'

/** How to produce; everything has a default. */
export interface ProducerOptions {
  /** Who must have a record: nobody, the leader, or every replica in sync (`all`, the default). */
  readonly acks?: 0 | 1 | 'all'
  readonly compression?: Compression
  /** Whether a batch that is sent again is written once; on with acks=all. */
  readonly isIdempotent?: boolean
  /** How long a record may wait for others; 0, the default, waits for this turn of the loop. */
  readonly lingerMs?: number
  /** When a batch is full, before compression; 512 KiB when left out. */
  readonly batchBytes?: number
  /** How long a record is tried; the cluster's retryTimeoutMs when left out. */
  readonly deliveryTimeoutMs?: number
  /** Lets brokers create topics, if they do so at all; true when left out. */
  readonly autoCreate?: boolean
  /** Above this many bytes `room()` waits; 32 MiB when left out. */
  readonly bufferBytesMax?: number
}

/** Where a record was written. */
export interface RecordMetadata {
  readonly topic: string
  readonly partition: number
  /** -1 when the broker did not say (acks=0, or a duplicate of what it had). */
  readonly offset: number
  readonly timestamp: number
}

interface Pending {
  readonly input: RecordInput
  readonly bytes: number
  readonly resolve: (at: RecordMetadata) => void
  readonly reject: (problem: ClientError) => void
}

interface Batch {
  readonly queue: Queue
  readonly records: readonly Pending[]
  readonly deadlineMs: number
  attempts: number
  /** The bytes, once made: they stay the same when they are sent again. */
  encoded: Uint8Array | null
}

interface Identity {
  readonly producerId: number
  readonly producerEpoch: number
  sequence: number
}

/** What waits for one partition. */
interface Queue {
  readonly topic: string
  readonly partition: number
  records: Pending[]
  bytes: number
  isBusy: boolean
  isLingering: boolean
  identity: Identity | null
}

interface Sink {
  readonly name: string
  metadata: TopicMetadata | null
  /** What came before the metadata did. */
  waiting: { readonly record: ProducerRecord; readonly pending: Pending }[]
  readonly queues: Map<number, Queue>
  /** Where records without a key go; -1 chooses anew. */
  sticky: number
}

/** What a record that waits takes besides its bytes: promises and objects. */
const RECORD_MEMORY_BYTES = 600
const BATCH_BYTES = 512 << 10

/** Produces records to a cluster, which it does not close. */
export class Producer implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #acks: number
  readonly #options: ProducerOptions
  readonly #isIdempotent: boolean
  readonly #sinks = new Map<string, Sink>()
  readonly #requests: ProduceRequests
  #producerId: Promise<Identity> | null = null
  #bufferedBytes = 0
  #unsettled = 0
  #watchers: { readonly isOver: () => boolean; readonly resolve: () => void }[] = []
  #isClosed = false

  /** Raises INVALID_ARGUMENT where options contradict each other. */
  constructor(cluster: Cluster, options: ProducerOptions = {}) {
    this.#cluster = cluster
    this.#options = options
    const { acks = 'all' } = options
    this.#acks = acks === 'all' ? -1 : acks
    this.#isIdempotent = options.isIdempotent ?? this.#acks === -1
    if (this.#isIdempotent && this.#acks !== -1) {
      throw new ClientError('INVALID_ARGUMENT', 'an idempotent producer needs acks=all')
    }
    this.#requests = new ProduceRequests(cluster, this.#acks, options.compression ?? 'none')
  }

  /** Memory of what was given and is not settled, roughly. */
  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /** Queues a record; resolves when it is written as `acks` asks. Order is kept per partition. */
  send(record: ProducerRecord): Promise<RecordMetadata> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(new ClientError('CLOSED', 'the producer was closed'))
      const { input, bytes } = inputOf(record, nowMs())
      const memory = bytes + RECORD_MEMORY_BYTES
      this.#unsettled++
      this.#bufferedBytes += memory
      const done = () => {
        this.#unsettled--
        this.#bufferedBytes -= memory
        this.#look()
      }
      const pending: Pending = {
        input,
        bytes,
        resolve: (at) => {
          done()
          resolve(at)
        },
        reject: (problem) => {
          done()
          reject(problem)
        },
      }
      this.#place(record, pending)
    })
  }

  /** Queues records; resolves when all are written. Rejects with the first failure. */
  sendAll(records: readonly ProducerRecord[]): Promise<RecordMetadata[]> {
    return Promise.all(records.map((record) => this.send(record)))
  }

  /** Resolves when there is room for more; at once, mostly. */
  room(): Promise<void> {
    const max = this.#options.bufferBytesMax ?? 32 << 20
    return this.#until(() => this.#bufferedBytes <= max)
  }

  /** Sends what waits; resolves when everything given so far is settled, whether written or failed. */
  flush(): Promise<void> {
    for (const sink of this.#sinks.values()) {
      for (const queue of sink.queues.values()) this.#take(sink, queue)
    }
    return this.#until(() => this.#unsettled === 0)
  }

  /** Flushes and takes no more. The cluster stays open. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.flush()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #until(isOver: () => boolean): Promise<void> {
    if (isOver()) return Promise.resolve()
    return new Promise((resolve) => {
      this.#watchers.push({ isOver, resolve })
    })
  }

  #look(): void {
    if (this.#watchers.length === 0) return
    const over = this.#watchers.filter(({ isOver }) => isOver())
    if (over.length === 0) return
    this.#watchers = this.#watchers.filter((watcher) => !over.includes(watcher))
    for (const { resolve } of over) resolve()
  }

  // ---- which partition

  #place(record: ProducerRecord, pending: Pending): void {
    let sink = this.#sinks.get(record.topic)
    if (sink === undefined) {
      sink = { name: record.topic, metadata: null, waiting: [], queues: new Map(), sticky: -1 }
      this.#sinks.set(record.topic, sink)
      this.#learn(sink)
    }
    if (sink.metadata === null) sink.waiting.push({ record, pending })
    else this.#enqueue(sink, sink.metadata, record, pending)
  }

  /** Looks the topic up for everything that waits for it. */
  #learn(sink: Sink): void {
    const { autoCreate = true } = this.#options
    this.#cluster.topic(sink.name, { autoCreate }).then(
      (metadata) => {
        sink.metadata = metadata
        for (const { record, pending } of sink.waiting) {
          this.#enqueue(sink, metadata, record, pending)
        }
        sink.waiting = []
      },
      (problem) => {
        this.#sinks.delete(sink.name)
        for (const { pending } of sink.waiting) pending.reject(problem)
      },
    )
  }

  #enqueue(sink: Sink, metadata: TopicMetadata, record: ProducerRecord, pending: Pending): void {
    const partition = this.#partitionOf(sink, metadata, record)
    if (partition >= metadata.partitions.length || partition < 0) {
      const { topic } = record
      const count = metadata.partitions.length
      const message = `topic '${topic}' has ${count} partitions; there is no ${partition}`
      const place = { topic, partition }
      return pending.reject(new ClientError('UNKNOWN_TOPIC_OR_PARTITION', message, place))
    }
    const queue = sink.queues.get(partition) ?? newQueue(sink.name, partition)
    sink.queues.set(partition, queue)
    queue.records.push(pending)
    queue.bytes += pending.bytes
    this.#schedule(sink, queue)
  }

  #partitionOf(sink: Sink, metadata: TopicMetadata, record: ProducerRecord): number {
    if (record.partition !== undefined) return record.partition
    const key = bytesOf(record.key)
    if (key !== null) return partitionOfKey(key, metadata.partitions.length)
    if (sink.sticky < 0) {
      const led = metadata.partitions.filter(({ leaderId }) => leaderId >= 0)
      const choice = led.length > 0 ? led : metadata.partitions
      sink.sticky = choice[chance(choice.length)]?.partition ?? -1
    }
    return sink.sticky
  }

  // ---- when

  #schedule(sink: Sink, queue: Queue): void {
    const isFull = queue.bytes >= (this.#options.batchBytes ?? BATCH_BYTES)
    if (isFull) {
      if (sink.sticky === queue.partition) sink.sticky = -1
      return this.#take(sink, queue)
    }
    if (queue.isBusy || queue.isLingering) return
    queue.isLingering = true
    const { lingerMs = 0 } = this.#options
    const ripe = () => {
      queue.isLingering = false
      this.#take(sink, queue)
    }
    if (lingerMs > 0) later(lingerMs, ripe)
    else soon(ripe)
  }

  /** Makes a batch of what waits, unless the one before is still under way. */
  #take(sink: Sink, queue: Queue): void {
    if (queue.isBusy || queue.records.length === 0) return
    if (sink.sticky === queue.partition) sink.sticky = -1
    const max = this.#options.batchBytes ?? BATCH_BYTES
    let count = 0
    let bytes = 0
    while (count < queue.records.length && (count === 0 || bytes < max)) {
      bytes += queue.records[count++]!.bytes
    }
    const records = queue.records.splice(0, count)
    queue.bytes -= bytes
    queue.isBusy = true
    const timeoutMs = this.#options.deliveryTimeoutMs ?? this.#cluster.retryTimeoutMs
    const deadlineMs = monotonicMs() + timeoutMs
    const batch: Batch = { queue, records, deadlineMs, attempts: 0, encoded: null }
    void this.#deliver(batch).then(() => {
      queue.isBusy = false
      this.#take(sink, queue)
    })
  }

  // ---- delivery

  /** Resolves when every record of the batch is settled. */
  async #deliver(batch: Batch): Promise<void> {
    for (;;) {
      batch.attempts++
      const problem = await this.#attempt(batch)
      if (problem === null) return
      const waitMs = backoffMs(batch.attempts)
      const isLate = monotonicMs() + waitMs >= batch.deadlineMs
      if (!problem.isRetriable || isLate || this.#cluster.isClosed) {
        return this.#fail(batch, problem)
      }
      this.#cluster.forgetTopic(batch.queue.topic)
      await pause(waitMs, this.#cluster.closing)
    }
  }

  /** Null when the batch is settled; else why not yet. */
  async #attempt(batch: Batch): Promise<ClientError | null> {
    const { queue } = batch
    try {
      if (this.#isIdempotent) queue.identity ??= { ...(await this.#identity()), sequence: 0 }
      const node = await leaderOf(this.#cluster, queue)
      batch.encoded ??= this.#encode(batch)
      const answer = await this.#requests.send(node, queue, batch.encoded)
      return await this.#judge(batch, answer)
    } catch (problem) {
      if (isClientError(problem)) return problem
      throw problem
    }
  }

  #encode({ queue, records }: Batch): Uint8Array {
    const { compression = 'none' } = this.#options
    const { identity } = queue
    return encodeBatch({
      records: records.map(({ input }) => input),
      compression,
      compress,
      ...(identity === null
        ? {}
        : {
            producerId: identity.producerId,
            producerEpoch: identity.producerEpoch,
            baseSequence: identity.sequence,
          }),
    })
  }

  /** What a broker said of the batch; null when it is settled. */
  async #judge(batch: Batch, answer: PartitionProduced): Promise<ClientError | null> {
    const { queue, records } = batch
    const { errorCode } = answer
    if (errorCode === ErrorCode.NONE || errorCode === ErrorCode.DUPLICATE_SEQUENCE_NUMBER) {
      if (queue.identity !== null) {
        queue.identity.sequence = (queue.identity.sequence + records.length) & 0x7fffffff
      }
      const offset = errorCode === ErrorCode.NONE ? answer.baseOffset : -1
      records.forEach(({ input, resolve }, i) => {
        resolve({
          topic: queue.topic,
          partition: queue.partition,
          offset: offset < 0 ? -1 : offset + i,
          timestamp: answer.logAppendTimeMs >= 0 ? answer.logAppendTimeMs : Number(input.timestamp),
        })
      })
      return null
    }
    const isTooLarge =
      errorCode === ErrorCode.MESSAGE_TOO_LARGE || errorCode === ErrorCode.RECORD_LIST_TOO_LARGE
    if (isTooLarge && records.length > 1) {
      const half = records.length >> 1
      for (const part of [records.slice(0, half), records.slice(half)]) {
        await this.#deliver({ ...batch, records: part, encoded: null })
      }
      return null
    }
    const place = { ...queue, detail: answer.errorMessage }
    const problem = answered(errorCode, `partition ${partitionText(queue)}`, place)
    if (problem.isRetriable || answer.recordErrors.length === 0) return problem
    this.#failSome(batch, problem, answer.recordErrors)
    return null
  }

  #fail({ queue, records }: Batch, problem: ClientError): void {
    this.#renew(queue)
    for (const { reject } of records) reject(problem)
  }

  /** The broker has named the records it minds; the others failed with them. */
  #failSome(
    { queue, records }: Batch,
    problem: ClientError,
    named: PartitionProduced['recordErrors'],
  ): void {
    this.#renew(queue)
    const reasons = new Map(
      named.map(({ batchIndex, batchIndexErrorMessage }) => [batchIndex, batchIndexErrorMessage]),
    )
    records.forEach(({ reject }, i) => {
      const isNamed = reasons.has(i)
      const why = isNamed
        ? (reasons.get(i) ?? problem.message)
        : 'another record of its batch was refused'
      reject(
        new ClientError(problem.code, `${partitionText(queue)}: ${problem.code}: ${why}`, queue),
      )
    })
  }

  /** The next batch of the partition gets a producer id that no broker has seen there. */
  #renew(queue: Queue): void {
    if (queue.identity === null) return
    queue.identity = null
    this.#producerId = null
  }

  async #identity(): Promise<Identity> {
    this.#producerId ??= this.#cluster
      .request(InitProducerId, { transactionalId: null, transactionTimeoutMs: 0 }, 'any', {
        errorOf: ({ errorCode }) => errorCode,
      })
      .then(({ errorCode, producerId, producerEpoch }) => {
        if (errorCode !== ErrorCode.NONE) throw answered(errorCode, 'a producer id')
        return { producerId, producerEpoch, sequence: 0 }
      })
    const asked = this.#producerId
    try {
      return await asked
    } catch (problem) {
      if (this.#producerId === asked) this.#producerId = null
      throw problem
    }
  }
}

function newQueue(topic: string, partition: number): Queue {
  const identity = null
  return { topic, partition, records: [], bytes: 0, isBusy: false, isLingering: false, identity }
}
