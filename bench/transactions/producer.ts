// A producer as the cost of transactions is measured with: batches of a fixed size, one at a time, plain and idempotent or in
// transactions of some batches each, with an epoch for each transaction (Produce 12, EndTxn 5).

import type { RecordableHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode, errorName } from '../../src/protocol/errors.ts'
import { FindCoordinator } from '../../src/protocol/messages/classic_group.ts'
import { Produce } from '../../src/protocol/messages/produce_fetch.ts'
import { EndTxn, InitProducerId } from '../../src/protocol/messages/transaction.ts'
import { encodeBatch } from '../../src/protocol/record_batch.ts'
import { RawClient } from '../../test/integration/support/raw_client.ts'

export const RECORDS_PER_BATCH = 50
const RECORD_BYTES = 200
const BATCHES_PER_TRANSACTION = 10
const RETRY_MS = 5

/** "Not now": the coordinator is being made, or the last transaction is being ended. */
const COMES_BACK: ReadonlySet<number> = new Set([
  ErrorCode.CONCURRENT_TRANSACTIONS,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
])

/** What the producers of a slice have seen, in µs. */
export interface Figures {
  readonly produce: RecordableHistogram
  readonly commit: RecordableHistogram
  records: number
}

/** One producer of one partition, on a connection of its own. */
export class MeasuredProducer {
  private readonly client: RawClient
  private readonly topic: string
  private readonly index: number
  private readonly transactionalId: string | null
  private who = { producerId: -1, producerEpoch: -1 }
  private sequence = 0
  private readonly records = Array.from({ length: RECORDS_PER_BATCH }, (_, at) => ({
    value: new Uint8Array(RECORD_BYTES).fill(at),
  }))

  private constructor(client: RawClient, topic: string, index: number, id: string | null) {
    this.client = client
    this.topic = topic
    this.index = index
    this.transactionalId = id
  }

  static async open(address: string, topic: string, index: number, id: string | null) {
    const producer = new MeasuredProducer(await RawClient.open(address), topic, index, id)
    await producer.begin()
    return producer
  }

  private async begin(): Promise<void> {
    const { client, transactionalId } = this
    if (transactionalId !== null) {
      await insist(
        () => client.ask(FindCoordinator, 4, { keyType: 1, coordinatorKeys: [transactionalId] }),
        ({ coordinators }) => coordinators[0]!.errorCode,
      )
    }
    this.who = await insist(
      () => client.ask(InitProducerId, 4, { transactionalId, transactionTimeoutMs: 60_000 }),
      ({ errorCode }) => errorCode,
    )
  }

  /** Until it is time to stop; always whole transactions. */
  async run(isOver: () => boolean, figures: Figures): Promise<void> {
    while (!isOver()) {
      for (let batch = 0; batch < BATCHES_PER_TRANSACTION; batch++) {
        await timed(figures.produce, () => this.write())
      }
      if (this.transactionalId !== null) await timed(figures.commit, () => this.commit())
      figures.records += BATCHES_PER_TRANSACTION * RECORDS_PER_BATCH
    }
  }

  private async write(): Promise<void> {
    const { client, topic: name, index, transactionalId, sequence, who } = this
    const records = encodeBatch({
      records: this.records,
      timestamp: Date.now(),
      isTransactional: transactionalId !== null,
      producerId: who.producerId,
      producerEpoch: who.producerEpoch,
      baseSequence: sequence,
    })
    this.sequence += RECORDS_PER_BATCH
    const topicData = [{ name, partitionData: [{ index, records }] }]
    const body = { transactionalId, acks: -1, timeoutMs: 30_000, topicData }
    await insist(
      () => client.ask(Produce, 12, body),
      ({ responses }) => responses[0]!.partitionResponses[0]!.errorCode,
    )
  }

  private async commit(): Promise<void> {
    const { client, who } = this
    const transactionalId = this.transactionalId!
    const { producerId, producerEpoch } = who
    const request = { transactionalId, producerId, producerEpoch, committed: true }
    this.who = await insist(
      () => client.ask(EndTxn, 5, request),
      ({ errorCode }) => errorCode,
    )
    this.sequence = 0
  }

  close(): void {
    this.client.close()
  }
}

async function timed(into: RecordableHistogram, act: () => Promise<void>): Promise<void> {
  const sentMs = performance.now()
  await act()
  into.record(Math.max(1, Math.round((performance.now() - sentMs) * 1000)))
}

async function insist<T>(ask: () => Promise<T>, errorOf: (answer: T) => number): Promise<T> {
  for (;;) {
    const answer = await ask()
    const errorCode = errorOf(answer)
    if (errorCode === ErrorCode.NONE) return answer
    if (!COMES_BACK.has(errorCode)) throw new Error(errorName(errorCode))
    await sleep(RETRY_MS)
  }
}
