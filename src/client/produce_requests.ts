// Produce requests: one under way per broker. Batches that arrive meanwhile go together in the next, each partition at
// most once, so a broker that answers one request of a connection at a time is never kept waiting by small ones.
//
// Invariant: every batch gets the answer of its partition, or the ClientError of its request.
// Kafka: Sender.sendProduceRequests.

import { ZERO_UUID } from '../lib/uuid.ts'
import type { ResponseOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { Produce } from '../protocol/messages/produce_fetch.ts'
import type { Compression } from '../protocol/record_batch.ts'
import { answered } from './client_error.ts'
import type { Cluster } from './cluster.ts'
import { byTopic, type TopicPartition, unanswered } from './per_leader.ts'
import { soon } from './timing.ts'

/** What a broker says of one partition's batch. */
export type PartitionProduced = Pick<
  ResponseOf<typeof Produce>['responses'][number]['partitionResponses'][number],
  'errorCode' | 'baseOffset' | 'logAppendTimeMs' | 'recordErrors' | 'errorMessage'
>

/** A batch on its way, and who waits for what the broker says. */
interface Letter extends TopicPartition {
  readonly records: Uint8Array
  readonly resolve: (answer: PartitionProduced) => void
  readonly reject: (problem: unknown) => void
}

interface Outbox {
  letters: Letter[]
  isBusy: boolean
}

/** With acks=0 brokers say nothing. */
const UNTOLD: PartitionProduced = {
  errorCode: ErrorCode.NONE,
  baseOffset: -1,
  logAppendTimeMs: -1,
  recordErrors: [],
  errorMessage: null,
}

const REQUEST_BYTES_MAX = 8 << 20
/** How long the broker may wait for replicas, and how much later its answer may come. */
const REPLICATION_TIMEOUT_MS = 30_000
const ANSWER_MS = 5_000
/** The first Produce version that may carry zstd, and the first that names topics by id alone. */
const ZSTD_VERSION_MIN = 7
const TOPIC_ID_VERSION_MIN = 13

/** Sends batches to the brokers that lead their partitions. */
export class ProduceRequests {
  readonly #cluster: Cluster
  readonly #acks: number
  readonly #compression: Compression
  readonly #outboxes = new Map<number, Outbox>()

  constructor(cluster: Cluster, acks: number, compression: Compression) {
    this.#cluster = cluster
    this.#acks = acks
    this.#compression = compression
  }

  /** Sends a batch; what the broker says of it. The caller has no other batch of the partition under way. */
  send(node: number, at: TopicPartition, records: Uint8Array): Promise<PartitionProduced> {
    return new Promise((resolve, reject) => {
      const outbox = this.#outboxes.get(node) ?? { letters: [], isBusy: false }
      this.#outboxes.set(node, outbox)
      const { topic, partition } = at
      outbox.letters.push({ topic, partition, records, resolve, reject })
      if (outbox.isBusy) return
      outbox.isBusy = true
      soon(() => void this.#work(node, outbox))
    })
  }

  async #work(node: number, outbox: Outbox): Promise<void> {
    while (outbox.letters.length > 0) {
      let bytes = 0
      let count = 0
      while (count < outbox.letters.length && bytes < REQUEST_BYTES_MAX) {
        bytes += outbox.letters[count++]!.records.length
      }
      const letters = outbox.letters.splice(0, count)
      try {
        await this.#request(node, letters)
      } catch (problem) {
        for (const { reject } of letters) reject(problem)
      }
    }
    outbox.isBusy = false
  }

  async #request(node: number, letters: readonly Letter[]): Promise<void> {
    const topicIds = this.#cluster.topicIdsOf(letters)
    const topicData = byTopic(letters, ({ partition, records }) => ({
      index: partition,
      records,
    })).map(({ topic, partitions }) => ({
      name: topic,
      topicId: topicIds?.get(topic) ?? ZERO_UUID,
      partitionData: partitions,
    }))
    const versionMax = topicIds !== null ? Produce.valid.max : TOPIC_ID_VERSION_MIN - 1
    const body = (version: number) => {
      if (this.#compression === 'zstd' && version < ZSTD_VERSION_MIN) {
        throw answered(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, 'zstd')
      }
      return { acks: this.#acks, timeoutMs: REPLICATION_TIMEOUT_MS, topicData }
    }
    const connection = await this.#cluster.connection({ node })
    if (this.#acks === 0) {
      await connection.tell(Produce, body, { versionMax })
      for (const { resolve } of letters) resolve(UNTOLD)
      return
    }
    const options = { versionMax, extraMs: ANSWER_MS }
    const { responses } = await connection.request(Produce, body, options)
    for (const { topic, partition, resolve, reject } of letters) {
      const answer = responses
        .find(({ name, topicId }) => name === topic || topicId === topicIds?.get(topic))
        ?.partitionResponses.find(({ index }) => index === partition)
      if (answer !== undefined) resolve(answer)
      else reject(unanswered({ topic, partition }))
    }
  }
}
