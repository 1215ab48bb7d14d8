// @platformatic/kafka for the checks: clients that close themselves, topics with records in them, and a reader that
// notes what its stream gives. It speaks the classic group protocol unless told otherwise.

import {
  Admin,
  type BaseOptions,
  type CompressionAlgorithmValue,
  type ConsumeOptions,
  Consumer,
  type ConsumerOptions,
  type Message,
  type MessagesStream,
  Producer,
  type ProducerOptions,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka'
import { eventually } from '../../integration/support/eventually.ts'
import type { Scope } from '../scope.ts'

export type TextProducer = Producer<string, string, string, string>
export type TextConsumer = Consumer<string, string, string, string>
export type TextMessage = Message<string, string, string, string>
type TextStream = MessagesStream<string, string, string, string>

function options({ target }: Scope): BaseOptions {
  return {
    clientId: 'conformance',
    bootstrapBrokers: [target.address],
    retries: 10,
    retryDelay: 100,
  }
}

export function openAdmin(scope: Scope): Admin {
  const admin = new Admin(options(scope))
  scope.after(() => admin.close())
  return admin
}

export function openProducer(
  scope: Scope,
  more: Partial<ProducerOptions<string, string, string, string>> = {},
): TextProducer {
  const producer = new Producer({ ...options(scope), serializers: stringSerializers, ...more })
  scope.after(async () => producer.close(true))
  return producer
}

/** The broker says these to a group of the new protocol. */
const CLASSIC = { sessionTimeout: 10_000, rebalanceTimeout: 10_000, heartbeatInterval: 200 }

export function openConsumer(
  scope: Scope,
  groupId = scope.unique('group'),
  more: Partial<ConsumerOptions<string, string, string, string>> = {},
): TextConsumer {
  const consumer = new Consumer({
    ...options(scope),
    groupId,
    deserializers: stringDeserializers,
    maxWaitTime: 200,
    ...('groupProtocol' in more ? {} : CLASSIC),
    ...more,
  } as ConsumerOptions<string, string, string, string>)
  scope.after(async () => consumer.close(true))
  return consumer
}

/** A new topic's name; returns when its partitions have leaders. */
export async function newTopic(
  scope: Scope,
  partitions = 1,
  configs: Readonly<Record<string, string>> = {},
): Promise<string> {
  const topic = scope.unique('topic')
  const admin = openAdmin(scope)
  const entries = Object.entries(configs).map(([name, value]) => ({ name, value }))
  await admin.createTopics({ topics: [topic], partitions, configs: entries })
  await eventually(async () => {
    const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true })
    const known = topics.get(topic)?.partitions ?? []
    return (known.length === partitions && known.every(({ leader }) => leader >= 0)) || undefined
  })
  return topic
}

/** `v0` to `v{count - 1}`. */
export function texts(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => `v${from + i}`)
}

export async function fill(
  scope: Scope,
  topic: string,
  values: readonly string[],
  partition = 0,
  compression?: CompressionAlgorithmValue,
): Promise<void> {
  const producer = openProducer(scope)
  const messages = values.map((value) => ({ topic, partition, value }))
  await producer.send({ messages, ...(compression === undefined ? {} : { compression }) })
}

/** Reads a stream and notes it. */
export class Reader {
  readonly consumer: TextConsumer
  readonly stream: TextStream
  readonly seen: TextMessage[] = []
  problem: Error | null = null

  constructor(consumer: TextConsumer, stream: TextStream) {
    this.consumer = consumer
    this.stream = stream
    stream.on('data', (message) => this.seen.push(message))
    stream.on('error', (problem) => {
      this.problem = problem
    })
  }

  get values(): string[] {
    return this.seen.map(({ value }) => value)
  }

  /** The partitions of a topic that its consumer owns. */
  owns(topic: string): readonly number[] {
    return this.consumer.assignments?.find((own) => own.topic === topic)?.partitions ?? []
  }

  async sees(count: number): Promise<TextMessage[]> {
    return await eventually(async () => {
      if (this.problem !== null) throw this.problem
      return this.seen.length >= count ? this.seen : undefined
    })
  }
}

/** Consumes topics from the beginning, or as the options say. */
export async function consume(
  scope: Scope,
  consumer: TextConsumer,
  topics: readonly string[],
  more: Partial<ConsumeOptions<string, string, string, string>> = {},
): Promise<Reader> {
  const stream = await consumer.consume({
    topics: [...topics],
    mode: 'earliest',
    maxWaitTime: 200,
    ...more,
  } as ConsumeOptions<string, string, string, string>)
  scope.after(() => stream.close())
  return new Reader(consumer, stream)
}

/** The protocol's names of the errors in what a call was refused with. */
export async function refusals(work: Promise<unknown>): Promise<string[]> {
  try {
    await work
  } catch (problem) {
    const names = namesIn(problem as ErrorTree)
    if (names.length === 0) throw problem
    return names
  }
  throw new Error('was not refused')
}

interface ErrorTree extends Error {
  readonly apiId?: string
  readonly errors?: readonly ErrorTree[]
  readonly cause?: ErrorTree
}

function namesIn({ apiId, errors = [], cause }: ErrorTree): string[] {
  const below = [...errors, ...(cause === undefined ? [] : [cause])].flatMap(namesIn)
  return apiId === undefined ? below : [apiId, ...below]
}
