// A transaction held open by raw requests, so that tools have something to look at: it goes step by step as a client
// before transaction.version 2 does, and stops where a check wants it to.

import { ErrorCode, errorName } from '../../../src/protocol/errors.ts'
import { FindCoordinator } from '../../../src/protocol/messages/classic_group.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  EndTxn,
  InitProducerId,
} from '../../../src/protocol/messages/transaction.ts'
import { eventually } from '../../integration/support/eventually.ts'
import { batchOf } from '../../integration/support/harness.ts'
import { RawClient } from '../../integration/support/raw_client.ts'

/** One producer with a transactional id and its open transaction. */
export class RawTransaction implements Disposable {
  readonly id: string
  producer = { producerId: -1, producerEpoch: -1 }
  private readonly client: RawClient

  private constructor(client: RawClient, id: string) {
    this.client = client
    this.id = id
  }

  /** Looks for the coordinator and takes the id over. */
  static async begin(address: string, id: string, timeoutMs = 60_000): Promise<RawTransaction> {
    const transaction = new RawTransaction(await RawClient.open(address), id)
    await transaction.take(timeoutMs)
    return transaction
  }

  private async take(transactionTimeoutMs: number): Promise<void> {
    await eventually(async () => {
      const whom = { keyType: 1, coordinatorKeys: [this.id] }
      const { coordinators } = await this.client.ask(FindCoordinator, 4, whom)
      return isNone(coordinators[0]!.errorCode)
    })
    await eventually(async () => {
      const who = { transactionalId: this.id, transactionTimeoutMs }
      const { errorCode, producerId, producerEpoch } = await this.client.ask(InitProducerId, 4, who)
      this.producer = { producerId: Number(producerId), producerEpoch }
      return isNone(errorCode)
    })
  }

  /** Adds partitions of a topic. */
  async add(topic: string, ...partitions: number[]): Promise<void> {
    await eventually(async () => {
      const { resultsByTopicV3AndBelow } = await this.client.ask(AddPartitionsToTxn, 3, {
        v3AndBelowTransactionalId: this.id,
        v3AndBelowProducerId: this.producer.producerId,
        v3AndBelowProducerEpoch: this.producer.producerEpoch,
        v3AndBelowTopics: [{ name: topic, partitions }],
      })
      const results = resultsByTopicV3AndBelow[0]!.resultsByPartition
      return results.every(({ partitionErrorCode }) => isNone(partitionErrorCode))
    })
  }

  /** Adds the partition of a group's offsets. */
  async addOffsets(groupId: string): Promise<void> {
    const who = { transactionalId: this.id, ...this.producer, groupId }
    await eventually(async () => {
      return isNone((await this.client.ask(AddOffsetsToTxn, 3, who)).errorCode)
    })
  }

  /** Writes a batch, whether or not the partition was added, until it is taken. `timestamp` is the producer's. */
  async write(
    topic: string,
    index: number,
    values: readonly string[],
    { baseSequence = 0, timestamp = Date.now() } = {},
  ): Promise<void> {
    const records = batchOf(values, {
      isTransactional: true,
      ...this.producer,
      baseSequence,
      timestamp,
    })
    const topicData = [{ name: topic, partitionData: [{ index, records }] }]
    const body = { transactionalId: this.id, acks: -1, timeoutMs: 10_000, topicData }
    await eventually(async () => {
      const { responses } = await this.client.ask(Produce, 11, body)
      return isNone(responses[0]!.partitionResponses[0]!.errorCode)
    })
  }

  /** Commits or aborts; the error. */
  async end(committed: boolean): Promise<number> {
    const who = { transactionalId: this.id, ...this.producer, committed }
    return (await this.client.ask(EndTxn, 3, who)).errorCode
  }

  [Symbol.dispose](): void {
    this.client.close()
  }
}

/** True; throws what else it is. */
function isNone(errorCode: number): true {
  if (errorCode !== ErrorCode.NONE) throw new Error(errorName(errorCode))
  return true
}
