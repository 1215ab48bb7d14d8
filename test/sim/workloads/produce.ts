// An idempotent producer: one batch in flight per partition, sent until it is answered, never twice under two numbers.
// Its values are numbered, so whoever reads them can tell what is missing, doubled or out of order. When the broker
// says it lost sight of this producer (only the loss of power may do that), it takes a new id and goes on.

import { ErrorCode } from '../../../src/protocol/errors.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { CreateTopics } from '../../../src/protocol/messages/topics.ts'
import { InitProducerId } from '../../../src/protocol/messages/transaction.ts'
import { encodeBatch } from '../../../src/protocol/record_batch.ts'
import {
  isRetriable,
  persist,
  unexpected,
  type Workload,
  type WorkloadContext,
} from './workload.ts'

export interface ProducerOptions {
  topic: string
  partitions: number
  pauseMsMax: number
  /** retention.bytes; 0 or left out: everything stays. */
  keptBytes?: number
}

interface Identity {
  id: number
  /** Next sequence by partition. */
  sequences: number[]
}

/** Creates the topic that producers and consumers share. */
export async function createTopic(
  context: WorkloadContext,
  { topic, partitions, keptBytes = 0 }: ProducerOptions,
): Promise<void> {
  const configs = [
    { name: 'internal.segment.bytes', value: '300' },
    { name: 'retention.bytes', value: String(keptBytes) },
  ]
  const wanted = {
    name: topic,
    numPartitions: partitions,
    replicationFactor: 1,
    configs: keptBytes > 0 ? configs : [],
  }
  await persist(context, async () => {
    const { topics } = await context.client.ask(CreateTopics, 7, { topics: [wanted] })
    const { errorCode } = topics[0]!
    const isThere = errorCode === ErrorCode.NONE || errorCode === ErrorCode.TOPIC_ALREADY_EXISTS
    if (!isThere && !isRetriable(errorCode)) unexpected(`creation of ${topic}`, errorCode)
    return isThere ? true : undefined
  })
}

/** One producer of one topic. */
export class Producer implements Workload {
  sent = 0
  private readonly context: WorkloadContext
  private readonly options: ProducerOptions
  private identity: Identity | null = null
  private next = 0
  /** Power losses when the broker last knew this producer's sequence, by partition. */
  private readonly knownAt: number[] = []

  constructor(context: WorkloadContext, options: ProducerOptions) {
    this.context = context
    this.options = options
  }

  async run(): Promise<void> {
    const { context, options } = this
    await createTopic(context, options)
    while (!context.isEnding()) {
      const partition = context.random.nextInt(options.partitions)
      await this.produce(partition, context.random.nextInt(1, 5))
      await context.pause(context.random.nextFloat() * options.pauseMsMax)
    }
  }

  async produce(partition: number, count: number): Promise<void> {
    const { context, options } = this
    const name = context.client.name
    const values = Array.from({ length: count }, () => `${name}:${this.next++}`)
    context.logs.sending(options.topic, partition, values)
    const baseOffset = await persist(context, () => this.send(partition, values))
    this.sent += count
    // An answer that was on its way while the power went promises nothing any more.
    if (this.knownAt[partition] !== context.powerLosses()) return
    context.note(`produced ${values[0]} at ${options.topic}-${partition} ${baseOffset}`)
    context.logs.acked(options.topic, partition, baseOffset, values)
  }

  private async send(partition: number, values: readonly string[]): Promise<number | undefined> {
    const { context, options } = this
    this.identity ??= await this.takeIdentity()
    const { id, sequences } = this.identity
    const sequence = sequences[partition]!
    const records = batchOf(values, id, sequence)
    const powerLosses = context.powerLosses()
    const { responses } = await context.client.ask(Produce, 9, {
      acks: -1,
      timeoutMs: 5000,
      topicData: [{ name: options.topic, partitionData: [{ index: partition, records }] }],
    })
    const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!
    switch (errorCode) {
      case ErrorCode.NONE:
        sequences[partition] = sequence + values.length
        this.knownAt[partition] = powerLosses
        return baseOffset
      case ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER:
      case ErrorCode.UNKNOWN_PRODUCER_ID:
        if (this.knownAt[partition] === context.powerLosses()) {
          unexpected(`sequence ${sequence} of producer ${id} to partition ${partition}`, errorCode)
        }
        this.identity = null
        return undefined
      default:
        if (!isRetriable(errorCode)) unexpected('Produce', errorCode)
        return undefined
    }
  }

  private async takeIdentity(): Promise<Identity> {
    const { context, options } = this
    const request = { transactionalId: null, transactionTimeoutMs: 60_000 }
    const { errorCode, producerId } = await context.client.ask(InitProducerId, 5, request)
    if (errorCode !== ErrorCode.NONE) {
      if (!isRetriable(errorCode)) unexpected('InitProducerId', errorCode)
      await context.pause(20)
      return this.takeIdentity()
    }
    context.logs.producerId(producerId)
    return { id: producerId, sequences: Array.from({ length: options.partitions }, () => 0) }
  }
}

function batchOf(values: readonly string[], producerId: number, baseSequence: number): Uint8Array {
  const encoder = new TextEncoder()
  return encodeBatch({
    records: values.map((value) => ({ value: encoder.encode(value) })),
    timestamp: 1_600_000_000_000,
    producerId,
    producerEpoch: 0,
    baseSequence,
  })
}
