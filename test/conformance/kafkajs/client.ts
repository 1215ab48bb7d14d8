// kafkajs for the checks: clients that close themselves, topics with records in them, and a consumer that notes what
// happens to it. The codecs that kafkajs leaves to plug-ins are plugged in from @platformatic/kafka's.

import { compressionsAlgorithms } from '@platformatic/kafka'
import kafkajs, {
  type Admin,
  type Consumer,
  type ConsumerConfig,
  type ConsumerRunConfig,
  type ITopicConfig,
  type Kafka,
  type KafkaMessage,
  type Message,
  type Producer,
  type ProducerConfig,
} from 'kafkajs'
import { eventually } from '../../integration/support/eventually.ts'
import type { Scope } from '../scope.ts'

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'

const { CompressionCodecs, CompressionTypes, logLevel } = kafkajs
for (const name of ['snappy', 'lz4', 'zstd'] as const) {
  const { compressSync, decompressSync } = compressionsAlgorithms[name]
  const type = {
    snappy: CompressionTypes.Snappy,
    lz4: CompressionTypes.LZ4,
    zstd: CompressionTypes.ZSTD,
  }
  CompressionCodecs[type[name] as keyof typeof CompressionCodecs] = () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => compressSync(buffer),
    decompress: async (buffer: Buffer) => decompressSync(buffer),
  })
}

/** A client that says nothing. */
export function kafka({ target }: Scope): Kafka {
  return new kafkajs.Kafka({
    clientId: 'conformance',
    brokers: [target.address],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 10 },
  })
}

export async function openAdmin(scope: Scope): Promise<Admin> {
  const admin = kafka(scope).admin()
  scope.after(() => admin.disconnect())
  await admin.connect()
  return admin
}

export async function openProducer(scope: Scope, config: ProducerConfig = {}): Promise<Producer> {
  const producer = kafka(scope).producer({ allowAutoTopicCreation: false, ...config })
  scope.after(() => producer.disconnect())
  await producer.connect()
  return producer
}

/** A new topic's name. */
export async function newTopic(
  scope: Scope,
  partitions = 1,
  more: Partial<ITopicConfig> = {},
): Promise<string> {
  const topic = scope.unique('topic')
  const admin = await openAdmin(scope)
  const topics = [{ topic, numPartitions: partitions, ...more }]
  // kafkajs asks once for the leaders of a new topic; a broker may need a moment longer.
  if (!(await admin.createTopics({ waitForLeaders: false, topics }))) {
    throw new Error(`${topic} was there`)
  }
  await eventually(async () => {
    const [known] = (await admin.fetchTopicMetadata({ topics: [topic] })).topics
    return known!.partitions.every(({ leader }) => leader >= 0) || undefined
  })
  return topic
}

/** Produces; the values are the texts given. */
export async function fill(
  scope: Scope,
  topic: string,
  values: readonly string[],
  partition = 0,
): Promise<void> {
  const producer = await openProducer(scope)
  await producer.send({ topic, messages: values.map((value) => ({ value, partition })) })
}

/** `v0` to `v{count - 1}`. */
export function texts(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => `v${from + i}`)
}

export type Seen = KafkaMessage & { readonly topic: string; readonly partition: number }

/** A consumer that notes what it reads and what it is assigned. */
export class Member {
  readonly consumer: Consumer
  readonly seen: Seen[] = []
  /** By topic; replaced at every join. */
  assigned: Record<string, number[]> = {}
  joins = 0
  isLeader = false

  constructor(consumer: Consumer) {
    this.consumer = consumer
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      this.assigned = payload.memberAssignment
      this.isLeader = payload.isLeader
      this.joins += 1
    })
  }

  get values(): string[] {
    return this.seen.map(({ value }) => value?.toString() ?? '(null)')
  }

  /** Waits until it has read so many. */
  async sees(count: number): Promise<Seen[]> {
    return await eventually(async () => (this.seen.length >= count ? this.seen : undefined))
  }
}

export interface MemberOptions extends Partial<ConsumerConfig> {
  readonly topics: readonly (string | RegExp)[]
  readonly fromBeginning?: boolean
  readonly run?: ConsumerRunConfig
}

/** Joins a group and reads; waits until it has its first assignment. */
export async function join(scope: Scope, options: MemberOptions): Promise<Member> {
  const { topics, fromBeginning = true, run, ...config } = options
  const consumer = kafka(scope).consumer({
    groupId: scope.unique('group'),
    sessionTimeout: 10_000,
    heartbeatInterval: 100,
    maxWaitTimeInMs: 100,
    ...config,
  })
  const member = new Member(consumer)
  scope.after(() => consumer.disconnect())
  await consumer.connect()
  await consumer.subscribe({ topics: [...topics], fromBeginning })
  await consumer.run({
    eachMessage: async ({ topic, partition, message }) => {
      member.seen.push({ ...message, topic, partition } as Seen)
    },
    ...run,
  })
  await eventually(async () => member.joins > 0 || undefined)
  return member
}

/** All records of a topic's beginning, read by a group of its own. */
export async function readAll(scope: Scope, topic: string, count: number): Promise<Seen[]> {
  const member = await join(scope, { topics: [topic] })
  return await member.sees(count)
}

/** The error that kafkajs gives, with what it wraps. */
export async function refusal(work: Promise<unknown>): Promise<KafkaError> {
  try {
    await work
  } catch (problem) {
    return problem as KafkaError
  }
  throw new Error('was not refused')
}

export interface KafkaError extends Error {
  readonly type?: string
  readonly cause?: KafkaError
  readonly errors?: readonly KafkaError[]
}

/** The protocol's name of an error, wherever kafkajs put it. */
export function typeOf(error: Error | undefined): string | undefined {
  if (error === undefined) return undefined
  const { type, errors, cause } = error as KafkaError
  return type ?? typeOf(errors?.[0]) ?? typeOf(cause)
}

/** One message with a key. */
export function keyed(key: string, value: string): Message {
  return { key, value }
}
