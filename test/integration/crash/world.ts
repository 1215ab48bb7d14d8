// kill -9 under load: a broker in a process, three clients that outlive it, topics that come and go, and after every
// restart the whole truth: each acknowledged record once, at the offset that was said, in order, no batch torn.

import { expect } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { ErrorCode, errorName } from '../../../src/protocol/errors.ts'
import { Metadata } from '../../../src/protocol/messages/metadata.ts'
import { Fetch } from '../../../src/protocol/messages/produce_fetch.ts'
import { CreateTopics, DeleteTopics } from '../../../src/protocol/messages/topics.ts'
import { fetchBatches } from '../clients/raw.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { eventually } from '../support/eventually.ts'
import { RawClient } from '../support/raw_client.ts'
import { IdempotentProducer, Lane, textOf } from './idempotent.ts'
import { KafkajsLoad, KcatLoad } from './loads.ts'

/** Topics under load: names, partitions, and segments from tiny to the default. */
const TOPICS: Readonly<Record<string, { partitions: number; configs: object }>> = {
  tiny: { partitions: 3, configs: { 'internal.segment.bytes': '16384' } },
  small: { partitions: 2, configs: { 'segment.bytes': '1048576' } },
  plain: { partitions: 2, configs: {} },
}

/** What one restart cost. */
interface Recovery {
  round: number
  listeningMs: number
  servingMs: number
  records: number
}

class CrashWorld implements AsyncDisposable {
  readonly recoveries: Recovery[] = []
  private readonly broker: BrokerProcess
  private readonly random: () => number
  private readonly raw: IdempotentProducer
  private readonly kafkajs: KafkajsLoad
  private readonly created = new Set<string>()
  private readonly deleted = new Set<string>()
  private readonly kcats: KcatLoad[] = []
  /** Verified so far, by partition: where to go on, and each writer's next number. */
  private readonly seen = new Map<string, { offset: number; numbers: Map<string, number> }>()
  private readonly checked = new Map<Lane, number>()
  private readonly offline: string[] = []
  private records = 0

  private constructor(broker: BrokerProcess, random: () => number) {
    this.broker = broker
    this.random = random
    const lanes = Object.entries(TOPICS).flatMap(([topic, { partitions }]) =>
      Array.from({ length: partitions }, (_, partition) => new Lane(topic, partition)),
    )
    this.raw = new IdempotentProducer('raw', broker.address, lanes, random)
    this.kafkajs = new KafkajsLoad(broker.address, 'plain', 1)
  }

  static async start(random: () => number): Promise<CrashWorld> {
    const broker = await BrokerProcess.start()
    const world = new CrashWorld(broker, random)
    try {
      await world.createTopics()
      await world.kafkajs.connect()
      return world
    } catch (problem) {
      await world[Symbol.asyncDispose]()
      throw problem
    }
  }

  private async createTopics(): Promise<void> {
    const client = await RawClient.open(this.broker.address)
    for (const [name, { partitions, configs }] of Object.entries(TOPICS)) {
      await this.createTopic(client, name, partitions, configs)
    }
    client.close()
  }

  /** Load, kill -9, start, and the truth. */
  async round(round: number): Promise<void> {
    const client = await RawClient.open(this.broker.address)
    const kcat = new KcatLoad(this.broker.address, 'tiny', 0, `kcat${round}`)
    this.kcats.push(kcat)
    this.raw.start()
    this.kafkajs.start()
    await this.createTopic(client, `round-${round}`, 2, {})
    if (round >= 2) await this.deleteTopic(client, `round-${round - 2}`)
    kcat.feed(3_000)
    await this.raw.acknowledges(1 + Math.floor(this.random() * 6_000))
    // One more creation and deletion in flight: it may be true afterwards or not.
    const pending = [
      this.createTopic(client, `late-${round}`, 1, {}),
      round >= 1 ? this.deleteTopic(client, `round-${round - 1}`) : Promise.resolve(),
    ]
    for (const promise of pending) promise.catch(() => {})
    if (this.random() < 0.5) await Promise.allSettled(pending)
    await this.broker.kill()
    client.close()
    await Promise.allSettled(pending)
    // What has no answer is sent again; the next round goes on with the same producers.
    const finished = Promise.all([this.raw.finish(), this.kafkajs.finish(), kcat.finish()])
    finished.catch(() => {})
    const began = performance.now()
    await this.broker.start()
    await this.everyPartitionServes()
    const servingMs = performance.now() - began
    await finished
    expect([...this.raw.refusals, ...this.kafkajs.refusals]).toEqual([])
    await this.verify()
    const listeningMs = this.broker.startedInMs
    this.recoveries.push({ round, listeningMs, servingMs, records: this.records })
  }

  private async everyPartitionServes(): Promise<void> {
    const client = await RawClient.open(this.broker.address)
    for (const { topic, partition } of this.raw.lanes) {
      const fetchOffset = this.at(topic, partition).offset
      await eventually(async () => {
        const { responses } = await client.ask(Fetch, 11, {
          replicaId: -1,
          maxWaitMs: 0,
          minBytes: 0,
          maxBytes: 1,
          topics: [{ topic, partitions: [{ partition, fetchOffset, partitionMaxBytes: 1 }] }],
        })
        const { errorCode } = responses[0]!.partitions[0]!
        if (errorCode === ErrorCode.KAFKA_STORAGE_ERROR) this.offline.push(`${topic}-${partition}`)
        return errorCode === ErrorCode.NONE || errorCode === ErrorCode.KAFKA_STORAGE_ERROR
          ? true
          : undefined
      })
    }
    client.close()
    expect(this.offline, `what the broker said:\n${this.broker.said}`).toEqual([])
  }

  private at(topic: string, partition: number) {
    const key = `${topic}-${partition}`
    const known = this.seen.get(key) ?? { offset: 0, numbers: new Map<string, number>() }
    this.seen.set(key, known)
    return known
  }

  private async verify(): Promise<void> {
    const client = await RawClient.open(this.broker.address)
    for (const lane of this.raw.lanes) await this.verifyPartition(client, lane)
    await this.verifyTopics(client)
    client.close()
  }

  private async verifyPartition(client: RawClient, lane: Lane): Promise<void> {
    const { topic, partition } = lane
    const known = this.at(topic, partition)
    const offsets = new Map<number, number>()
    for (const { records } of await fetchBatches(client, lane, known.offset)) {
      for (const record of records) {
        expect(record.offset, `${topic}-${partition} has no hole`).toBe(known.offset)
        known.offset += 1
        const text = Buffer.from(record.value!).toString()
        const [writer, number] = text.split(':') as [string, string]
        const expected = known.numbers.get(writer) ?? 0
        expect(`${writer}:${number}`, `${topic}-${partition} at ${record.offset}`).toBe(
          `${writer}:${expected}`,
        )
        expect(text === textOf(writer, expected), `bytes of ${writer}:${number}`).toBe(true)
        known.numbers.set(writer, expected + 1)
        if (writer === 'raw') offsets.set(expected, record.offset)
        this.records += 1
      }
    }
    expect(known.numbers.get('raw') ?? 0, `all of raw in ${topic}-${partition}`).toBe(lane.next)
    const from = this.checked.get(lane) ?? 0
    for (const { first, baseOffset } of lane.acknowledged.slice(from)) {
      if (baseOffset >= 0) expect(offsets.get(first), `offset of raw:${first}`).toBe(baseOffset)
    }
    this.checked.set(lane, lane.acknowledged.length)
    if (topic === this.kafkajs.topic && partition === this.kafkajs.partition) {
      expect(known.numbers.get('kafkajs') ?? 0).toBe(this.kafkajs.next)
    }
    for (const kcat of this.kcats.filter((one) => one.topic === topic)) {
      if (kcat.partition === partition) expect(known.numbers.get(kcat.name)).toBe(kcat.next)
    }
  }

  private async verifyTopics(client: RawClient): Promise<void> {
    const { topics } = await client.ask(Metadata, 12, { topics: null })
    const names = new Set(topics.map(({ name }) => name!))
    expect([...this.created].filter((name) => !names.has(name))).toEqual([])
    expect([...this.deleted].filter((name) => names.has(name))).toEqual([])
  }

  private async createTopic(
    client: RawClient,
    name: string,
    numPartitions: number,
    configs: object,
  ): Promise<void> {
    const answer = await client.ask(CreateTopics, 7, {
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
    const { errorCode, errorMessage } = answer.topics[0]!
    if (errorCode !== ErrorCode.NONE) {
      throw new Error(`${name}: ${errorName(errorCode)} ${errorMessage}`)
    }
    this.created.add(name)
  }

  private async deleteTopic(client: RawClient, name: string): Promise<void> {
    this.created.delete(name) // in flight: neither is promised
    const { responses } = await client.ask(DeleteTopics, 5, {
      topicNames: [name],
      timeoutMs: 10_000,
    })
    if (responses[0]!.errorCode === ErrorCode.NONE) this.deleted.add(name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.raw.abandon()
    await this.kafkajs.close()
    for (const kcat of this.kcats) await kcat.close()
    await this.broker[Symbol.asyncDispose]()
  }
}

/** The figures of some rounds in one line each. */
function describeRecoveries(recoveries: readonly Recovery[]): string {
  const of = (times: number[]) => {
    const sorted = times.toSorted((a, b) => a - b)
    const at = (share: number) => Math.round(sorted[Math.floor((sorted.length - 1) * share)]!)
    return `median ${at(0.5)} ms, p90 ${at(0.9)} ms, max ${at(1)} ms`
  }
  return [
    `${recoveries.length} rounds of kill -9, ${recoveries.at(-1)?.records} records verified`,
    `start to listening: ${of(recoveries.map(({ listeningMs }) => listeningMs))}`,
    `start to every partition served: ${of(recoveries.map(({ servingMs }) => servingMs))}`,
  ].join('\n')
}

/** Some rounds from a seed that is printed, and what they cost; OTTLA_CRASH_ROUNDS and OTTLA_SEED say otherwise. */
export async function crash(rounds: number): Promise<void> {
  const seed = Number(process.env.OTTLA_SEED ?? Date.now() % 1_000_000)
  const random = new Random(seed)
  await using world = await CrashWorld.start(() => random.nextFloat())
  try {
    for (let round = 0; round < rounds; round++) await world.round(round)
  } finally {
    console.log(`${describeRecoveries(world.recoveries)}\nOTTLA_SEED=${seed}`)
  }
}

/** How many rounds: what the environment says, or else so many. */
export function roundsOr(rounds: number): number {
  return Number(process.env.OTTLA_CRASH_ROUNDS ?? rounds)
}
