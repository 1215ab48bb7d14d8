// Consume, transform, produce, commit, each round in one transaction, by a copier that outlives its broker: after a lost
// connection it takes its id over again and goes on from the offset that is committed, as Kafka's
// TransactionalMessageCopier does. Every fourth round or so is aborted on purpose.

import { decompress } from '../../../src/plane/model_codecs.ts'
import { ErrorCode, errorName } from '../../../src/protocol/errors.ts'
import { FindCoordinator } from '../../../src/protocol/messages/classic_group.ts'
import { OffsetFetch } from '../../../src/protocol/messages/offsets.ts'
import { Fetch, Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  EndTxn,
  InitProducerId,
  TxnOffsetCommit,
} from '../../../src/protocol/messages/transaction.ts'
import { batchesOf, recordsOf } from '../../../src/protocol/record_batch.ts'
import { readMarker } from '../../../src/protocol/transaction_marker.ts'
import { pause } from '../support/eventually.ts'
import { batchOf, text } from '../support/harness.ts'
import { RawClient } from '../support/raw_client.ts'

export const INPUT = 'input'
export const OUTPUT = 'output'
export const OUTPUT_PARTITIONS = 3
const GROUP = 'copier'
const ID = 'copier-tx'
const ROUND_MAX = 12

/** Errors that a client answers by asking again. */
const COMES_BACK: ReadonlySet<number> = new Set([
  ErrorCode.CONCURRENT_TRANSACTIONS,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNSTABLE_OFFSET_COMMIT,
])

export class TransactionalCopier {
  committed = 0
  commits = 0
  aborts = 0
  sessions = 0
  private readonly address: string
  private readonly count: number
  private readonly random: () => number
  private client!: RawClient
  private producer = { producerId: -1, producerEpoch: -1 }
  private sequences: number[] = []
  private ownsEpochs = false

  constructor(address: string, count: number, random: () => number) {
    this.address = address
    this.count = count
    this.random = random
  }

  /** Until everything is copied. */
  async run(deadlineMs: number): Promise<void> {
    while (this.committed < this.count) {
      if (Date.now() > deadlineMs) throw new Error(`copied ${this.committed} of ${this.count}`)
      try {
        this.client = await RawClient.open(this.address)
        await this.session()
      } catch (problem) {
        if (problem instanceof CopyFailed) throw problem
        await pause(20) // the broker is away
      } finally {
        this.client?.close()
      }
    }
  }

  private get who() {
    return { transactionalId: ID, ...this.producer }
  }

  /** Asks until the error is none that goes by itself. */
  private async insist<T>(ask: () => Promise<T>, errorOf: (answer: T) => number): Promise<T> {
    for (;;) {
      const answer = await ask()
      const errorCode = errorOf(answer)
      if (errorCode === ErrorCode.NONE) return answer
      if (!COMES_BACK.has(errorCode)) throw new CopyFailed(errorName(errorCode))
      await pause(5)
    }
  }

  private async session(): Promise<void> {
    this.sessions++
    this.ownsEpochs = this.random() < 0.5
    const { client } = this
    for (const [keyType, key] of [
      [0, GROUP],
      [1, ID],
    ] as const) {
      await this.insist(
        () => client.ask(FindCoordinator, 4, { keyType, coordinatorKeys: [key] }),
        ({ coordinators }) => coordinators[0]!.errorCode,
      )
    }
    const { producerId, producerEpoch } = await this.insist(
      () => client.ask(InitProducerId, 4, { transactionalId: ID, transactionTimeoutMs: 60_000 }),
      ({ errorCode }) => errorCode,
    )
    this.take({ producerId, producerEpoch })
    const { groups } = await this.insist(
      () =>
        client.ask(OffsetFetch, 8, {
          requireStable: true,
          groups: [{ groupId: GROUP, topics: [{ name: INPUT, partitionIndexes: [0] }] }],
        }),
      (answer) => answer.groups[0]!.topics[0]!.partitions[0]!.errorCode,
    )
    const offset = Number(groups[0]!.topics[0]!.partitions[0]!.committedOffset)
    this.committed = Math.max(offset, 0)
    while (this.committed < this.count) await this.round()
  }

  private take(producer: { producerId: number; producerEpoch: number }): void {
    const { producerId, producerEpoch } = this.producer
    const isSame = producerId === producer.producerId && producerEpoch === producer.producerEpoch
    if (!isSame) this.sequences = Array.from({ length: OUTPUT_PARTITIONS }, () => 0)
    this.producer = { ...producer }
  }

  private async round(): Promise<void> {
    const upTo = Math.min(this.committed + 1 + Math.floor(this.random() * ROUND_MAX), this.count)
    const byPartition = new Map<number, string[]>()
    for (let number = this.committed; number < upTo; number++) {
      const partition = Math.floor(this.random() * OUTPUT_PARTITIONS)
      byPartition.set(partition, [...(byPartition.get(partition) ?? []), String(number)])
    }
    if (!this.ownsEpochs) await this.add([...byPartition.keys()])
    await Promise.all(
      Array.from(byPartition, ([partition, values]) => this.write(partition, values)),
    )
    await this.commitOffset(upTo)
    const committed = this.random() > 0.25
    const answer = await this.insist(
      () => this.client.ask(EndTxn, this.ownsEpochs ? 5 : 4, { ...this.who, committed }),
      ({ errorCode }) => errorCode,
    )
    if (this.ownsEpochs) this.take(answer)
    if (committed) {
      this.committed = upTo
      this.commits++
    } else this.aborts++
  }

  private async add(partitions: number[]): Promise<void> {
    await this.insist(
      () =>
        this.client.ask(AddPartitionsToTxn, 3, {
          v3AndBelowTransactionalId: ID,
          v3AndBelowProducerId: this.producer.producerId,
          v3AndBelowProducerEpoch: this.producer.producerEpoch,
          v3AndBelowTopics: [{ name: OUTPUT, partitions }],
        }),
      (answer) =>
        answer.resultsByTopicV3AndBelow[0]!.resultsByPartition.find(
          ({ partitionErrorCode }) => partitionErrorCode !== ErrorCode.NONE,
        )?.partitionErrorCode ?? ErrorCode.NONE,
    )
  }

  private async write(index: number, values: string[]): Promise<void> {
    const records = batchOf(values, {
      isTransactional: true,
      ...this.producer,
      baseSequence: this.sequences[index]!,
    })
    this.sequences[index]! += values.length
    const topicData = [{ name: OUTPUT, partitionData: [{ index, records }] }]
    const body = { transactionalId: ID, acks: -1, timeoutMs: 10_000, topicData }
    await this.insist(
      () => this.client.ask(Produce, this.ownsEpochs ? 12 : 11, body),
      ({ responses }) => responses[0]!.partitionResponses[0]!.errorCode,
    )
  }

  private async commitOffset(offset: number): Promise<void> {
    if (!this.ownsEpochs) {
      await this.insist(
        () => this.client.ask(AddOffsetsToTxn, 3, { ...this.who, groupId: GROUP }),
        ({ errorCode }) => errorCode,
      )
    }
    const partition = {
      partitionIndex: 0,
      committedOffset: BigInt(offset),
      committedMetadata: null,
    }
    await this.insist(
      () =>
        this.client.ask(TxnOffsetCommit, this.ownsEpochs ? 5 : 3, {
          ...this.who,
          groupId: GROUP,
          topics: [{ name: INPUT, partitions: [partition] }],
        }),
      ({ topics }) => topics[0]!.partitions[0]!.errorCode,
    )
  }
}

/** The broker refused what it should have taken. */
class CopyFailed extends Error {}

/** The values that a read_committed consumer sees of a partition. */
export async function readCommitted(
  client: RawClient,
  partition: number,
  topic = OUTPUT,
): Promise<string[]> {
  const records = await readCommittedRecords(client, topic, partition)
  return records.map(({ value }) => value!)
}

/** What a read_committed consumer sees of one partition, aborted records left out as clients do. */
export async function readCommittedRecords(
  client: RawClient,
  topic: string,
  partition: number,
): Promise<{ key: string | null; value: string | null }[]> {
  const seen: { key: string | null; value: string | null }[] = []
  for (let fetchOffset = 0; ; ) {
    const { responses } = await client.ask(Fetch, 11, {
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1 << 20,
      isolationLevel: 1,
      topics: [
        {
          topic,
          partitions: [{ partition, fetchOffset, partitionMaxBytes: 10_000 }],
        },
      ],
    })
    const answer = responses[0]!.partitions[0]!
    const records = answer.records ?? new Uint8Array(0)
    if (records.length === 0) {
      if (fetchOffset !== answer.highWatermark) throw new Error('something is left open')
      return seen
    }
    const aborted = [...(answer.abortedTransactions ?? [])]
    const open = new Set<number>()
    for (const batch of batchesOf(records)) {
      while (aborted.length > 0 && aborted[0]!.firstOffset <= batch.lastOffset) {
        open.add(aborted.shift()!.producerId)
      }
      fetchOffset = batch.lastOffset + 1
      const all = [...recordsOf(records, batch, decompress)]
      if (batch.isControl) {
        if (readMarker(all[0]!)?.isCommit === false) open.delete(batch.producerId)
      } else if (!batch.isTransactional || !open.has(batch.producerId)) {
        for (const { key, value } of all) seen.push({ key: text(key), value: text(value) })
      }
    }
  }
}
