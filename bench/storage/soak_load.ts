// The mixed load of `soak.ts`: everything that leaves something behind when it is done wrong. Each part checks what it is
// told, and says at the end what it saw.

import { createTopics, deleteTopics } from '../../src/client/admin_topics.ts'
import { Cluster } from '../../src/client/cluster.ts'
import { Consumer } from '../../src/client/consumer.ts'
import { Producer } from '../../src/client/producer.ts'
import { pause } from '../../test/integration/support/eventually.ts'

const TICK_MS = 200
const CHURN_MS = 20_000
const KEYS = 2_000
const GROUP_PARTITIONS = 6
const MEMBERS = 3
const VALUE = Buffer.alloc(200, 'v').toString()

/** What was found, for the report; `wrong` is empty when all is well. */
export interface Found {
  readonly counts: Readonly<Record<string, number>>
  readonly wrong: readonly string[]
}

async function create(cluster: Cluster, name: string, numPartitions: number, configs = {}) {
  const [made] = await createTopics(cluster, [
    { name, numPartitions, replicationFactor: 1, configs },
  ])
  if (made?.error) throw made.error
}

/** Three members of a group on six partitions; now and then one leaves and another comes. */
class Group {
  readonly counts = { grouped: 0, consumed: 0, rebalances: 0 }
  readonly wrong: string[] = []
  private readonly expected = new Map<number, number>()
  private readonly members: { consumer: Consumer; ended: Promise<void> }[] = []
  private readonly cluster: Cluster

  constructor(cluster: Cluster) {
    this.cluster = cluster
  }

  join(): void {
    const consumer = new Consumer(this.cluster, {
      topics: ['grouped'],
      groupId: 'soak',
      from: 'earliest',
      commitEveryMs: 1000,
    })
    const ended = this.consume(consumer).catch((problem) => void this.wrong.push(String(problem)))
    this.members.push({ consumer, ended })
  }

  /** Across members a record may come again; none may be left out. */
  private async consume(consumer: Consumer): Promise<void> {
    for await (const { partition, offset } of consumer) {
      const expected = this.expected.get(partition) ?? 0
      if (offset > expected) this.wrong.push(`group: ${partition} jumps ${expected} to ${offset}`)
      if (offset < expected) continue
      this.expected.set(partition, offset + 1)
      this.counts.consumed++
    }
  }

  async replaceOne(): Promise<void> {
    const { consumer, ended } = this.members.shift()!
    await consumer.close()
    await ended
    this.join()
    this.counts.rebalances++
  }

  async end(): Promise<void> {
    const deadline = performance.now() + 30_000
    while (this.counts.consumed < this.counts.grouped && performance.now() < deadline) {
      await pause(100)
    }
    for (const { consumer, ended } of this.members) {
      await consumer.close()
      await ended
    }
    const { grouped, consumed } = this.counts
    if (consumed !== grouped) this.wrong.push(`group: ${consumed} of ${grouped} records`)
  }
}

/** The same keys again and again: what is kept of each is its last value. */
class Keys {
  readonly counts = { keyed: 0, keptOfKeyed: 0 }
  readonly wrong: string[] = []
  private readonly last = new Map<string, string>()

  next(): { topic: string; key: string; value: string } {
    const number = this.counts.keyed++
    const key = `key-${number % KEYS}`
    const value = `${number} ${VALUE}`
    this.last.set(key, value)
    return { topic: 'keyed', key, value }
  }

  async end(cluster: Cluster): Promise<void> {
    const found = new Map<string, string>()
    const consumer = new Consumer(cluster, { topics: ['keyed'], from: 'earliest', until: 'end' })
    for await (const { key, value } of consumer) {
      this.counts.keptOfKeyed++
      if (key !== null && value !== null) found.set(key.toString(), value.toString())
    }
    for (const [key, value] of this.last) {
      if (found.get(key) !== value) this.wrong.push(`keyed: ${key} is not what it was last`)
    }
  }
}

/** Runs until `isOver`; the load generator works on `streamed` meanwhile. */
export async function mixedLoad(
  address: string,
  rate: number,
  isCompacted: boolean,
  isOver: () => boolean,
): Promise<Found> {
  await using cluster = new Cluster({ bootstrap: address })
  await using producer = new Producer(cluster)
  await create(cluster, 'grouped', GROUP_PARTITIONS, retained(1))
  await create(cluster, 'keyed', 1, isCompacted ? compacted : retained(4))
  const group = new Group(cluster)
  const keys = new Keys()
  const churn = { topics: 0 }
  for (let member = 0; member < MEMBERS; member++) group.join()
  const recordsPerTick = Math.max(1, Math.round((rate * TICK_MS) / 1000))
  let churned = performance.now()
  while (!isOver()) {
    const records = []
    for (let i = 0; i < recordsPerTick; i++) {
      records.push(keys.next(), {
        topic: 'grouped',
        key: `${group.counts.grouped++}`,
        value: VALUE,
      })
    }
    await producer.sendAll(records)
    if (performance.now() - churned >= CHURN_MS) {
      churned = performance.now()
      await group.replaceOne()
      await passing(cluster, producer, `passing-${churn.topics++}`)
    }
    await pause(TICK_MS)
  }
  await group.end()
  if (isCompacted) await keys.end(cluster)
  return {
    counts: { ...group.counts, ...keys.counts, passingTopics: churn.topics },
    wrong: [...group.wrong, ...keys.wrong],
  }
}

/** A topic that comes, gets a record in each of its partitions, and goes. */
async function passing(cluster: Cluster, producer: Producer, name: string): Promise<void> {
  await create(cluster, name, 4)
  const records = [0, 1, 2, 3].map((partition) => ({ topic: name, partition, value: VALUE }))
  await producer.sendAll(records)
  for (const { error } of await deleteTopics(cluster, [name])) if (error) throw error
}

/** Topic settings that keep about so many MiB a partition. */
export const retained = (mib: number) => ({
  'segment.bytes': `${1 << 20}`,
  'retention.bytes': `${mib << 20}`,
})

const compacted = {
  'cleanup.policy': 'compact',
  'segment.bytes': `${1 << 20}`,
  'min.cleanable.dirty.ratio': '0.3',
}
