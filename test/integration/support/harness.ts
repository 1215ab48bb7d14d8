// What integration tests share: a broker of their own, topics, and one-line produce and fetch.

import { type Broker, type BrokerOptions, startBroker } from '../../../src/index.ts'
import { decompress } from '../../../src/plane/native_codecs.ts'
import type { EncodableOf } from '../../../src/protocol/dsl.ts'
import { ErrorCode, errorName } from '../../../src/protocol/errors.ts'
import { ListOffsets } from '../../../src/protocol/messages/offsets.ts'
import { Fetch, Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { CreateTopics } from '../../../src/protocol/messages/topics.ts'
import {
  type BatchInput,
  batchesOf,
  encodeBatch,
  type LogRecord,
  type RecordInput,
  recordsOf,
} from '../../../src/protocol/record_batch.ts'
import { RawClient } from './raw_client.ts'

/** A broker with a raw client; both are gone when the scope ends. */
export class Bench implements AsyncDisposable {
  readonly broker: Broker
  readonly client: RawClient
  private readonly others: RawClient[] = []

  private constructor(broker: Broker, client: RawClient) {
    this.broker = broker
    this.client = client
  }

  static async start(options: BrokerOptions = {}): Promise<Bench> {
    const broker = await startBroker(options)
    return new Bench(broker, await RawClient.open(broker.address))
  }

  /** One more connection. */
  async connect(listener = 'PLAINTEXT'): Promise<RawClient> {
    const client = await RawClient.open(this.broker.listeners[listener]!)
    this.others.push(client)
    return client
  }

  /** Creates a topic and says its id. */
  async createTopic(
    name: string,
    numPartitions = 1,
    configs: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const { topics } = await this.client.ask(CreateTopics, 7, {
      topics: [
        {
          name,
          numPartitions,
          replicationFactor: 1,
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        },
      ],
      timeoutMs: 10_000,
    })
    const { errorCode, errorMessage, topicId } = topics[0]!
    if (errorCode !== ErrorCode.NONE) {
      throw new Error(`${name}: ${errorName(errorCode)} ${errorMessage}`)
    }
    return topicId
  }

  /** Produces one batch to one partition; the partition's answer. */
  async produce(topic: string, batch: Uint8Array, options: ProduceOptions = {}) {
    const { partition = 0, acks = -1, version = 9, timeoutMs = 10_000 } = options
    const { responses } = await this.client.ask(
      Produce,
      version,
      produceBody(topic, partition, batch, acks, timeoutMs),
    )
    return responses[0]!.partitionResponses[0]!
  }

  /** Fetches from one partition; the partition's answer with its records decoded. */
  async fetch(topic: string, offset: number, options: FetchOptions = {}) {
    const { partition = 0, version = 11, ...rest } = options
    const { responses, errorCode } = await this.client.ask(Fetch, version, {
      replicaId: -1,
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 50 << 20,
      ...rest,
      topics: [
        {
          topic,
          partitions: [
            {
              partition,
              fetchOffset: offset,
              partitionMaxBytes: rest.partitionMaxBytes ?? 1 << 20,
            },
          ],
        },
      ],
    })
    const answer = responses[0]?.partitions[0]
    if (answer === undefined) throw new Error(`no partition in the answer: ${errorName(errorCode)}`)
    return { ...answer, decoded: answer.records === null ? [] : decodeRecords(answer.records) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close()
    for (const client of this.others) client.close()
    await this.broker.close()
  }
}

/** Where partition 0 of a topic starts; undefined while nobody here can say. */
export async function earliest(client: RawClient, name: string): Promise<number | undefined> {
  const { topics } = await client.ask(ListOffsets, 7, {
    replicaId: -1,
    topics: [{ name, partitions: [{ partitionIndex: 0, timestamp: -2n }] }],
  })
  const { errorCode, offset } = topics[0]!.partitions[0]!
  return errorCode === ErrorCode.NONE ? Number(offset) : undefined
}

export interface ProduceOptions {
  partition?: number
  acks?: number
  version?: number
  timeoutMs?: number
}

export interface FetchOptions {
  partition?: number
  version?: number
  maxWaitMs?: number
  minBytes?: number
  maxBytes?: number
  partitionMaxBytes?: number
  isolationLevel?: number
}

export function produceBody(
  name: string,
  index: number,
  records: Uint8Array,
  acks = -1,
  timeoutMs = 10_000,
): EncodableOf<(typeof Produce)['request']> {
  return { acks, timeoutMs, topicData: [{ name, partitionData: [{ index, records }] }] }
}

/** A batch of text values, stamped with the present. */
export function batchOf(
  values: readonly (string | RecordInput)[],
  rest: Omit<Partial<BatchInput>, 'records'> = {},
): Uint8Array {
  const encoder = new TextEncoder()
  return encodeBatch({
    timestamp: Date.now(),
    ...rest,
    records: values.map((value) =>
      typeof value === 'string' ? { value: encoder.encode(value) } : value,
    ),
  })
}

/** Every record of every batch. */
export function decodeRecords(bytes: Uint8Array): LogRecord[] {
  return [...batchesOf(bytes, true)].flatMap((batch) => [...recordsOf(bytes, batch, decompress)])
}

export function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : new TextDecoder().decode(bytes)
}
