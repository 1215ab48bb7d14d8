// A transactional copy, as stream processors make it: what it "reads" are numbers, which it writes to an output that others
// write to as well, and the offset it has come to is committed in the same transaction. Some transactions are aborted, some are
// left open by a program that dies; whoever comes next takes the id over and goes on from the committed offset.

import { ErrorCode, errorName } from '../../../src/protocol/errors.ts'
import { FindCoordinator } from '../../../src/protocol/messages/classic_group.ts'
import { OffsetFetch } from '../../../src/protocol/messages/offsets.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  EndTxn,
  InitProducerId,
  TxnOffsetCommit,
} from '../../../src/protocol/messages/transaction.ts'
import { encodeBatch } from '../../../src/protocol/record_batch.ts'
import type { CopyChecker } from '../checkers/copies.ts'
import { Unanswered } from '../client.ts'
import { createTopic } from './produce.ts'
import { isRetriable, unexpected, type Workload, type WorkloadContext } from './workload.ts'

const RETRY_MS = 30
const ROUND_MAX = 6
const INPUT = 'copied'

/** "Not now": of coordinators, of transactions that are being ended, of partitions. */
const COMES_BACK = new Set<number>([
  ErrorCode.CONCURRENT_TRANSACTIONS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.UNSTABLE_OFFSET_COMMIT,
])

/** Its transaction took too long, because the node stood still or a clock jumped: it begins anew. */
const FENCED = new Set<number>([ErrorCode.PRODUCER_FENCED, ErrorCode.INVALID_PRODUCER_EPOCH])

export interface CopierOptions {
  readonly topic: string
  readonly partitions: number
  readonly pauseMsMax: number
  readonly copies: CopyChecker
}

/** The session is over; the next one takes the id over. */
class Fenced extends Error {}

/** One copier in one life after the other. */
export class Copier implements Workload {
  private readonly context: WorkloadContext
  private readonly options: CopierOptions
  private committed = 0
  private who = { producerId: -1, producerEpoch: -1 }
  private sequences: number[] = []
  /** EndTxn 5: each transaction has an epoch of its own. */
  private ownsEpochs = false

  constructor(context: WorkloadContext, options: CopierOptions) {
    this.context = context
    this.options = options
  }

  private get name(): string {
    return this.context.client.name
  }

  async run(): Promise<void> {
    const { context, options } = this
    await createTopic(context, options)
    await createTopic(context, { ...options, topic: INPUT, partitions: 1 })
    while (!context.isEnding()) await this.attempt()
    // What is open is ended by who comes last.
    while (!(await this.attempt())) await context.pause(RETRY_MS)
    options.copies.finished(this.name, this.committed)
  }

  private async attempt(): Promise<boolean> {
    try {
      await this.begin()
      while (!this.context.isEnding()) {
        await this.context.pause(this.context.random.nextFloat() * this.options.pauseMsMax)
        await this.round()
        if (this.context.random.ratio(1, 20)) return true
      }
      return true
    } catch (problem) {
      if (!(problem instanceof Unanswered) && !(problem instanceof Fenced)) throw problem
      await this.context.pause(RETRY_MS)
      return false
    }
  }

  /** Asks until the error is none that goes by itself. */
  private async insist<T>(what: string, ask: () => Promise<T>, errorOf: (answer: T) => number) {
    for (;;) {
      const answer = await ask()
      const errorCode = errorOf(answer)
      if (errorCode === ErrorCode.NONE) return answer
      this.context.note(`${what}: ${errorName(errorCode)}`)
      // Lost power takes the end of one log and not of another: epochs and sequences come again.
      const isLost = this.context.powerLosses() > 0
      if (FENCED.has(errorCode) || isLost) throw new Fenced()
      if (!COMES_BACK.has(errorCode) && !isRetriable(errorCode)) unexpected(what, errorCode)
      await this.context.pause(RETRY_MS)
    }
  }

  private async begin(): Promise<void> {
    const { context, name } = this
    const { client } = context
    this.ownsEpochs = context.random.ratio(1, 2)
    for (const keyType of [0, 1]) {
      await this.insist(
        'FindCoordinator',
        () => client.ask(FindCoordinator, 4, { keyType, coordinatorKeys: [name] }),
        ({ coordinators }) => coordinators[0]!.errorCode,
      )
    }
    const request = { transactionalId: name, transactionTimeoutMs: 60_000 }
    const taken = await this.insist(
      'InitProducerId',
      () => client.ask(InitProducerId, 4, request),
      ({ errorCode }) => errorCode,
    )
    this.take(taken)
    const { groups } = await this.insist(
      'OffsetFetch',
      () =>
        client.ask(OffsetFetch, 8, {
          requireStable: true,
          groups: [{ groupId: name, topics: [{ name: INPUT, partitionIndexes: [0] }] }],
        }),
      (answer) => {
        const { errorCode, topics } = answer.groups[0]!
        return errorCode !== 0 ? errorCode : topics[0]!.partitions[0]!.errorCode
      },
    )
    const offset = Number(groups[0]!.topics[0]!.partitions[0]!.committedOffset)
    this.committed = Math.max(offset, 0)
    context.note(`goes on at ${this.committed} as ${this.who.producerId}/${this.who.producerEpoch}`)
    this.options.copies.resumed(name, this.committed)
  }

  private take({ producerId, producerEpoch }: { producerId: number; producerEpoch: number }): void {
    const { who } = this
    const isSame = who.producerId === producerId && who.producerEpoch === producerEpoch
    if (!isSame) this.sequences = Array.from({ length: this.options.partitions }, () => 0)
    this.who = { producerId, producerEpoch }
  }

  private async round(): Promise<void> {
    const { context, options, name } = this
    const { random } = context
    const upTo = this.committed + random.nextInt(1, ROUND_MAX + 1)
    const shares = new Map<number, string[]>()
    for (let number = this.committed; number < upTo; number++) {
      const partition = random.nextInt(options.partitions)
      shares.set(partition, [...(shares.get(partition) ?? []), `${name}:${number}`])
    }
    if (!this.ownsEpochs) await this.addPartitions([...shares.keys()])
    for (const [partition, values] of shares) await this.write(partition, values)
    // A program that dies in the middle of it.
    if (random.ratio(1, 15)) throw new Fenced()
    await this.commitOffset(upTo)
    const committed = random.ratio(3, 4)
    if (committed) options.copies.ending(name, upTo)
    const answer = await this.insist(
      'EndTxn',
      () =>
        context.client.ask(EndTxn, this.ownsEpochs ? 5 : 4, {
          transactionalId: name,
          ...this.who,
          committed,
        }),
      ({ errorCode }) => errorCode,
    )
    if (this.ownsEpochs) this.take(answer)
    context.note(`${committed ? 'committed' : 'aborted'} up to ${upTo}`)
    if (!committed) return
    this.committed = upTo
    options.copies.ended(name, upTo)
  }

  private async addPartitions(partitions: number[]): Promise<void> {
    await this.insist(
      'AddPartitionsToTxn',
      () =>
        this.context.client.ask(AddPartitionsToTxn, 3, {
          v3AndBelowTransactionalId: this.name,
          v3AndBelowProducerId: this.who.producerId,
          v3AndBelowProducerEpoch: this.who.producerEpoch,
          v3AndBelowTopics: [{ name: this.options.topic, partitions }],
        }),
      ({ resultsByTopicV3AndBelow }) => {
        const results = resultsByTopicV3AndBelow[0]!.resultsByPartition
        const wrong = results.find(({ partitionErrorCode }) => partitionErrorCode !== 0)
        return wrong?.partitionErrorCode ?? ErrorCode.NONE
      },
    )
  }

  private async write(index: number, values: readonly string[]): Promise<void> {
    const { context, options, name } = this
    const encoder = new TextEncoder()
    const records = encodeBatch({
      records: values.map((value) => ({ value: encoder.encode(value) })),
      timestamp: 1_600_000_000_000,
      isTransactional: true,
      ...this.who,
      baseSequence: this.sequences[index]!,
    })
    this.sequences[index]! += values.length
    const topicData = [{ name: options.topic, partitionData: [{ index, records }] }]
    await this.insist(
      'Produce',
      () =>
        context.client.ask(Produce, this.ownsEpochs ? 12 : 11, {
          transactionalId: name,
          acks: -1,
          timeoutMs: 5000,
          topicData,
        }),
      ({ responses }) => responses[0]!.partitionResponses[0]!.errorCode,
    )
  }

  private async commitOffset(offset: number): Promise<void> {
    const { context, name } = this
    const producer = { transactionalId: name, groupId: name, ...this.who }
    if (!this.ownsEpochs) {
      await this.insist(
        'AddOffsetsToTxn',
        () => context.client.ask(AddOffsetsToTxn, 3, producer),
        ({ errorCode }) => errorCode,
      )
    }
    const committedOffset = BigInt(offset)
    const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: null }]
    await this.insist(
      'TxnOffsetCommit',
      () =>
        context.client.ask(TxnOffsetCommit, this.ownsEpochs ? 5 : 3, {
          ...producer,
          topics: [{ name: INPUT, partitions }],
        }),
      ({ topics }) => topics[0]!.partitions[0]!.errorCode,
    )
  }
}
