// A transactional producer by hand, each request a method, and a bench that has one.

import { expect } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { FindCoordinator } from '../../../src/protocol/messages/classic_group.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import {
  AddPartitionsToTxn,
  DescribeTransactions,
  EndTxn,
  InitProducerId,
  TxnOffsetCommit,
} from '../../../src/protocol/messages/transaction.ts'
import type { RecordInput } from '../../../src/protocol/record_batch.ts'
import { Bench, batchOf, produceBody } from './harness.ts'

const { NONE } = ErrorCode

interface Producer {
  producerId: number
  producerEpoch: number
}

/** A transactional producer by hand. */
export class Transactional {
  readonly bench: Bench
  readonly id: string
  producerId = -1
  producerEpoch = -1
  private sequence = 0

  constructor(bench: Bench, id: string) {
    this.bench = bench
    this.id = id
  }

  get who() {
    const { id, producerId, producerEpoch } = this
    return { transactionalId: id, producerId, producerEpoch }
  }

  async init(expected: Partial<Producer> = {}, timeoutMs = 60_000) {
    const ask = { transactionalId: this.id, transactionTimeoutMs: timeoutMs, ...expected }
    for (;;) {
      const answer = await this.bench.client.ask(InitProducerId, 4, ask)
      const { CONCURRENT_TRANSACTIONS, COORDINATOR_LOAD_IN_PROGRESS } = ErrorCode
      if (answer.errorCode === CONCURRENT_TRANSACTIONS) continue
      if (answer.errorCode === COORDINATOR_LOAD_IN_PROGRESS) continue
      if (answer.errorCode === NONE) this.take(answer)
      return answer
    }
  }

  private take({ producerId, producerEpoch }: Producer) {
    if (this.producerEpoch !== producerEpoch) this.sequence = 0
    this.producerId = producerId
    this.producerEpoch = producerEpoch
  }

  async add(topic: string, partitions: number[], version = 3): Promise<number[]> {
    const answer = await this.bench.client.ask(AddPartitionsToTxn, version, {
      v3AndBelowTransactionalId: this.id,
      v3AndBelowProducerId: this.producerId,
      v3AndBelowProducerEpoch: this.producerEpoch,
      v3AndBelowTopics: [{ name: topic, partitions }],
    })
    return answer.resultsByTopicV3AndBelow[0]!.resultsByPartition.map(
      ({ partitionErrorCode }) => partitionErrorCode,
    )
  }

  async produce(topic: string, values: (string | RecordInput)[], version = 11, options = {}) {
    const batch = batchOf(values, {
      isTransactional: true,
      producerId: this.producerId,
      producerEpoch: this.producerEpoch,
      baseSequence: this.sequence,
      ...options,
    })
    const { responses } = await this.bench.client.ask(Produce, version, {
      ...produceBody(topic, 0, batch),
      transactionalId: this.id,
    })
    const answer = responses[0]!.partitionResponses[0]!
    if (answer.errorCode === NONE) this.sequence += values.length
    return answer
  }

  /** Until the last one is out of the way. */
  async end(committed: boolean, version = 4) {
    for (;;) {
      const answer = await this.bench.client.ask(EndTxn, version, { ...this.who, committed })
      if (answer.errorCode === ErrorCode.CONCURRENT_TRANSACTIONS) continue
      if (version >= 5 && answer.errorCode === NONE) this.take(answer)
      return answer
    }
  }

  async state() {
    const { transactionStates } = await this.bench.client.ask(DescribeTransactions, 0, {
      transactionalIds: [this.id],
    })
    return transactionStates[0]!
  }

  async settled() {
    await expect
      .poll(async () => (await this.state()).transactionState)
      .toMatch(/^(Complete|Empty)/)
  }

  async offsets(groupId: string, topic: string, committedOffset: bigint, version = 3) {
    const { topics } = await this.bench.client.ask(TxnOffsetCommit, version, {
      ...this.who,
      groupId,
      topics: [
        {
          name: topic,
          partitions: [{ partitionIndex: 0, committedOffset, committedMetadata: 'm' }],
        },
      ],
    })
    return topics[0]!.partitions[0]!.errorCode
  }
}

/** Finds it, and makes its topic. */
export async function coordinator(bench: Bench, key: string, keyType = 1) {
  const { coordinators } = await bench.client.ask(FindCoordinator, 4, {
    keyType,
    coordinatorKeys: [key],
  })
  return coordinators[0]!
}

/** A bench with a topic, and a producer that has its id. */
export async function begin(id = 'tx', options = {}) {
  const bench = await Bench.start(options)
  await bench.createTopic('t')
  expect((await coordinator(bench, id)).errorCode).toBe(NONE)
  const producer = new Transactional(bench, id)
  expect((await producer.init()).errorCode).toBe(NONE)
  return { bench, producer }
}
