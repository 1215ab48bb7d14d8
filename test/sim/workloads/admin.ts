// An administrator: creates, grows, configures, empties and deletes topics of its own names, and knows what it was told.
//
// After an acknowledged change the topic is as asked for; after one that was never answered it is as before or as asked
// for, and which of the two is looked up before the next change. A new topic is empty, whatever its namesake held, and
// records that are said to be deleted stay so.

import { CONFIG_RESOURCE } from '../../../src/metadata/configs.ts'
import type { MetadataImage } from '../../../src/metadata/image.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { DescribeConfigs, IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import { Metadata } from '../../../src/protocol/messages/metadata.ts'
import { DeleteRecords, ListOffsets } from '../../../src/protocol/messages/offsets.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import {
  CreatePartitions,
  CreateTopics,
  DeleteTopics,
} from '../../../src/protocol/messages/topics.ts'
import { encodeBatch } from '../../../src/protocol/record_batch.ts'
import { Unanswered } from '../client.ts'
import { Violation } from '../trace.ts'
import {
  isRetriable,
  persist,
  unexpected,
  type Workload,
  type WorkloadContext,
} from './workload.ts'

const SET = 0
const DELETE = 1
const TOPIC_CONFIG_SOURCE = 1
const EARLIEST = -2n
const LATEST = -1n
const HIGH_WATERMARK = -1n
const KEYS = ['retention.ms', 'max.message.bytes', 'index.interval.bytes'] as const

/** It was not done, or nobody can tell. Without an unfenced broker Kafka, too, refuses the replication factor. */
const UNDECIDED = new Set<number>([
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.NOT_CONTROLLER,
  ErrorCode.NETWORK_EXCEPTION,
  ErrorCode.INVALID_REPLICATION_FACTOR,
])

interface TopicState {
  readonly partitions: number
  readonly configs: Readonly<Record<string, string>>
}

/** null: there is no such topic. */
type State = TopicState | null

/** One administrator and its names. */
export class Admin implements Workload {
  changes = 0
  private readonly context: WorkloadContext
  readonly names: readonly string[]
  private readonly states = new Map<string, readonly State[]>()
  /** Where the first partition of a topic starts at least. */
  private readonly starts = new Map<string, number>()
  private readonly pauseMsMax: number

  constructor(context: WorkloadContext, options: { names: number; pauseMsMax: number }) {
    this.context = context
    this.pauseMsMax = options.pauseMsMax
    this.names = Array.from({ length: options.names }, (_, at) => `${context.client.name}-${at}`)
    for (const name of this.names) this.states.set(name, [null])
  }

  async run(): Promise<void> {
    const { context } = this
    while (!context.isEnding()) {
      await this.change(context.random.pick(this.names))
      await context.pause(context.random.nextFloat() * this.pauseMsMax)
    }
    for (const name of this.names) {
      await this.lookUp(name)
      await this.startsWhereTold(name)
    }
  }

  /** Compares what this administrator knows with an image of now. */
  check(image: MetadataImage): void {
    for (const [name, possible] of this.states) {
      const found = textOf(stateIn(image, name))
      if (possible.some((state) => textOf(state) === found)) continue
      const expected = possible.map(textOf).join(' or ')
      throw new Violation(`topic ${name} should be ${expected}, and is ${found}`)
    }
  }

  private async change(name: string): Promise<void> {
    const { random } = this.context
    const [state] = this.states.get(name) as [State]
    if (state === null) return this.create(name, random.nextInt(1, 4))
    const choice = random.nextInt(10)
    if (choice < 2) return this.delete(name)
    if (choice < 4) return this.grow(name)
    if (choice < 8) return this.configure(name)
    if (choice < 9) return this.write(name)
    return this.empty(name)
  }

  /** Whether a topic of ours is there, as far as we know. */
  has(name: string): boolean {
    return this.standing(name) !== undefined
  }

  private standing(name: string): TopicState | undefined {
    return this.states.get(name)![0] ?? undefined
  }

  async create(name: string, partitions: number): Promise<void> {
    const configs = this.someConfigs()
    const after = { partitions, configs }
    const topic = {
      name,
      numPartitions: partitions,
      replicationFactor: 1,
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
    }
    await this.attempt(name, null, after, async () => {
      const { topics } = await this.context.client.ask(CreateTopics, 7, { topics: [topic] })
      return topics[0]!.errorCode
    })
    if (this.states.get(name)![0] === after) await this.isEmpty(name)
  }

  async delete(name: string): Promise<void> {
    const state = this.standing(name) ?? null
    this.starts.delete(name)
    await this.attempt(name, state, null, async () => {
      const request = { topics: [{ name }], timeoutMs: 10_000 }
      const { responses } = await this.context.client.ask(DeleteTopics, 6, request)
      return responses[0]!.errorCode
    })
  }

  async grow(name: string): Promise<void> {
    const state = this.standing(name)
    if (state === undefined) return
    const count = state.partitions + 1
    await this.attempt(name, state, { ...state, partitions: count }, async () => {
      const request = { topics: [{ name, count, assignments: null }], timeoutMs: 10_000 }
      const { results } = await this.context.client.ask(CreatePartitions, 3, request)
      return results[0]!.errorCode
    })
  }

  async configure(name: string): Promise<void> {
    const state = this.standing(name)
    if (state === undefined) return
    const { random } = this.context
    const key = random.pick(KEYS)
    const isDelete = key in state.configs && random.ratio(1, 3)
    const value = String(random.nextInt(100_000, 10_000_000))
    const configs: Record<string, string> = { ...state.configs, [key]: value }
    if (isDelete) delete configs[key]
    const change = {
      name: key,
      configOperation: isDelete ? DELETE : SET,
      value: isDelete ? null : value,
    }
    await this.attempt(name, state, { ...state, configs }, async () => {
      const resource = {
        resourceType: CONFIG_RESOURCE.topic,
        resourceName: name,
        configs: [change],
      }
      const request = { resources: [resource] }
      const { responses } = await this.context.client.ask(IncrementalAlterConfigs, 1, request)
      return responses[0]!.errorCode
    })
  }

  /** One change; afterwards it is known how it went. */
  private async attempt(
    name: string,
    before: State,
    after: State,
    ask: () => Promise<number>,
  ): Promise<void> {
    this.states.set(name, [before, after])
    const what = `${name}: ${textOf(before)} -> ${textOf(after)}`
    try {
      const errorCode = await ask()
      if (errorCode === ErrorCode.NONE) {
        this.changes++
        this.context.note(`done ${what}`)
        this.states.set(name, [after])
        return
      }
      if (!UNDECIDED.has(errorCode)) unexpected(what, errorCode)
    } catch (problem) {
      if (!(problem instanceof Unanswered)) throw problem
    }
    this.context.note(`unanswered ${what}`)
    await this.lookUp(name)
  }

  /** Asks the broker how a topic stands. */
  private async lookUp(name: string): Promise<void> {
    const { context } = this
    const found = await persist(context, async () => {
      const request = { topics: [{ name }], allowAutoTopicCreation: false }
      const { topics } = await context.client.ask(Metadata, 12, request)
      const topic = topics[0]!
      if (topic.errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) return { state: null }
      if (topic.errorCode !== ErrorCode.NONE) unexpected(`Metadata of ${name}`, topic.errorCode)
      return { state: { partitions: topic.partitions.length, configs: await this.configsOf(name) } }
    })
    const possible = this.states.get(name)!
    const same = possible.filter((state) => textOf(state) === textOf(found.state))
    if (same.length === 0) {
      const expected = possible.map(textOf).join(' or ')
      throw new Violation(`topic ${name} should be ${expected}, and is ${textOf(found.state)}`)
    }
    this.states.set(name, same.slice(0, 1))
    context.note(`found ${name}: ${textOf(found.state)}`)
  }

  private async configsOf(name: string): Promise<Record<string, string>> {
    const resource = {
      resourceType: CONFIG_RESOURCE.topic,
      resourceName: name,
      configurationKeys: null,
    }
    const { results } = await this.context.client.ask(DescribeConfigs, 4, { resources: [resource] })
    const out: Record<string, string> = {}
    for (const { name: key, value, configSource } of results[0]!.configs) {
      if (configSource === TOPIC_CONFIG_SOURCE) out[key] = value ?? ''
    }
    return out
  }

  /** A new topic holds nothing: not even what a topic of the same name held before. */
  private async isEmpty(name: string): Promise<void> {
    for (const timestamp of [EARLIEST, LATEST]) {
      const offset = await this.offsetAt(name, timestamp)
      if (offset !== 0) {
        throw new Violation(`${name} is new, and its ${timestamp} offset is ${offset}`)
      }
    }
  }

  private offsetAt(name: string, timestamp: bigint): Promise<number> {
    const { context } = this
    return persist(context, async () => {
      const partitions = [{ partitionIndex: 0, timestamp }]
      const request = { replicaId: -1, topics: [{ name, partitions }] }
      const { topics } = await context.client.ask(ListOffsets, 7, request)
      const { errorCode, offset: found } = topics[0]!.partitions[0]!
      if (errorCode !== ErrorCode.NONE && !isRetriable(errorCode)) {
        unexpected(`ListOffsets of ${name}`, errorCode)
      }
      return errorCode === ErrorCode.NONE ? found : undefined
    })
  }

  /** Deletes every record, those too that it writes for that. */
  async empty(name: string): Promise<void> {
    await this.startsWhereTold(name)
    await this.write(name)
    const { context } = this
    try {
      const partitions = [{ partitionIndex: 0, offset: HIGH_WATERMARK }]
      const request = { topics: [{ name, partitions }], timeoutMs: 1000 }
      const { topics } = await context.client.ask(DeleteRecords, 2, request)
      const { errorCode, lowWatermark } = topics[0]!.partitions[0]!
      if (errorCode === ErrorCode.NONE) {
        context.note(`emptied ${name} up to ${lowWatermark}`)
        this.starts.set(name, lowWatermark)
      } else if (!isRetriable(errorCode)) unexpected(`DeleteRecords of ${name}`, errorCode)
    } catch (problem) {
      if (!(problem instanceof Unanswered)) throw problem
    }
  }

  /** Nothing that was said to be deleted has come back. */
  private async startsWhereTold(name: string): Promise<void> {
    const told = this.starts.get(name)
    if (told === undefined) return
    for (const timestamp of [EARLIEST, LATEST]) {
      const offset = await this.offsetAt(name, timestamp)
      if (offset < told) {
        throw new Violation(
          `${name} was emptied up to ${told}; its ${timestamp} offset is ${offset}`,
        )
      }
    }
  }

  /** Something to find where nothing should be. */
  async write(name: string): Promise<void> {
    const { context } = this
    const value = new TextEncoder().encode('left behind')
    const records = encodeBatch({ records: [{ value }], timestamp: 1_600_000_000_000 })
    try {
      await context.client.ask(Produce, 9, {
        acks: -1,
        timeoutMs: 1000,
        topicData: [{ name, partitionData: [{ index: 0, records }] }],
      })
    } catch (problem) {
      if (!(problem instanceof Unanswered)) throw problem
    }
  }

  private someConfigs(): Record<string, string> {
    const { random } = this.context
    const out: Record<string, string> = {}
    for (const key of KEYS) {
      if (random.ratio(1, 3)) out[key] = String(random.nextInt(100_000, 10_000_000))
    }
    return out
  }
}

function stateIn(image: MetadataImage, name: string): State {
  const topic = image.topics.byName(name)
  if (topic === undefined) return null
  const configs = Object.fromEntries(image.configs.of(CONFIG_RESOURCE.topic, name))
  return { partitions: topic.partitions.length, configs }
}

function textOf(state: State): string {
  if (state === null) return 'absent'
  const configs = Object.entries(state.configs).sort(([a], [b]) => (a < b ? -1 : 1))
  return `${state.partitions} partitions ${configs.map((entry) => entry.join('=')).join(' ')}`.trim()
}
