// Consumer groups under random schedules: consumers that come, go, are silent, restart under their instance id, read other
// topics; topics that grow and go; shards that move. After every decision the log, whole and compacted, gives the state
// of the shard (bench.ts); no two consumers that are in the group have the same partition; when the trouble ends
// everything is with somebody. A failure names its seed.

import { describe, expect, it, vi } from 'vitest'
import { ConsumerGroup } from '../../../src/group/consumer/consumer_group.ts'
import { Random } from '../../../src/lib/random.ts'
import { Consumer848, ConsumerBench, settle } from './kip848.ts'

const SEEDS = 12
const STEPS = 80
const TOPICS = ['orders', 'bills', 'notes']

class Trouble {
  readonly bench = new ConsumerBench({ orders: 4, bills: 3 })
  readonly consumers: Consumer848[] = []
  private readonly random: Random
  private named = 0

  constructor(seed: number) {
    this.random = new Random(seed)
  }

  /** Partitions that are with two who live. */
  get ownedTwice(): string[] {
    const owned = this.living.flatMap((each) => each.held)
    return owned.filter((partition, at) => owned.indexOf(partition) !== at)
  }

  step(): void {
    const { random, bench, consumers } = this
    const what = random.nextInt(100)
    if (consumers.length < 2 || (what < 8 && consumers.length < 6)) return this.enter()
    const consumer = random.pick(consumers)
    if (what < 60) consumer.beat(random.ratio(1, 6) ? { topicPartitions: null } : {})
    else if (what < 66) consumer.subscribe(TOPICS.filter(() => random.ratio(2, 3)))
    else if (what < 72) this.restart(consumer)
    else if (what < 76) this.remove(consumer)
    else if (what < 82) this.changeTopic()
    else if (what < 95) bench.advance(random.pick([1, 1000, 8000, 31_000]))
    else bench.reload()
  }

  /** Those that the group still counts in, in the epoch they think they are in. */
  get living(): Consumer848[] {
    return this.consumers.filter(({ memberId, epoch }) => {
      const member = this.bench.consumers?.member(memberId)
      return member !== undefined && epoch > 0 && member.memberEpoch > 0
    })
  }

  private enter(): void {
    const { random, consumers } = this
    const names = TOPICS.filter(() => random.ratio(2, 3))
    const instances = ['one', 'two'].filter((id) =>
      consumers.every(({ instanceId }) => instanceId !== id),
    )
    const instance = random.ratio(1, 2) ? (instances[0] ?? null) : null
    consumers.push(new Consumer848(this.bench, `m${this.named++}`, names, instance))
  }

  /** A client that goes for a while and comes back under another member id; others leave for good. */
  private restart(consumer: Consumer848): void {
    consumer.leave(consumer.instanceId === null ? -1 : -2)
    this.remove(consumer)
    if (consumer.instanceId === null) return
    const { names, instanceId } = consumer
    this.consumers.push(new Consumer848(this.bench, `m${this.named++}`, names, instanceId))
  }

  private remove(consumer: Consumer848): void {
    this.consumers.splice(this.consumers.indexOf(consumer), 1)
  }

  private changeTopic(): void {
    const { random, bench } = this
    const name = random.pick(TOPICS)
    const count = bench.topics.topic(name)?.partitionCount ?? 0
    if (count > 0 && random.ratio(1, 4)) bench.topics.delete(name)
    else bench.topics.set(name, count + 1)
    bench.change(name)
  }
}

describe('group: consumer schedules', () => {
  it(`group: consumer schedules: ${SEEDS} seeds keep the promises of a group`, () => {
    let epochs = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const trouble = new Trouble(seed)
      const { bench, consumers } = trouble
      for (let step = 0; step < STEPS; step++) {
        trouble.step()
        expect(trouble.ownedTwice, `seed ${seed}, step ${step}`).toEqual([])
      }
      // Whoever crashed times out while the others go on.
      for (let at = 0; at < 50; at++) {
        for (const consumer of consumers) consumer.beat()
        bench.advance(1000)
      }
      settle(consumers)
      expect(bench.consumers?.state ?? 'Empty', `seed ${seed}`).toBe(
        consumers.length === 0 ? 'Empty' : 'Stable',
      )
      const read = TOPICS.filter((name) =>
        consumers.some(({ names }) => names?.includes(name) === true),
      )
      const all = read.flatMap((name) => {
        const topic = bench.topics.topic(name)
        return Array.from(
          { length: topic?.partitionCount ?? 0 },
          (_, each) => `${topic!.id}:${each}`,
        )
      })
      const owned = consumers.flatMap((each) => [...each.owned])
      expect(owned.sort(), `seed ${seed}`).toEqual(all.sort())
      epochs += bench.consumers?.groupEpoch ?? 0
    }
    expect(epochs).toBeGreaterThan(SEEDS * 5)
  }, 60_000)

  it('group: consumer schedules: a partition that is given before it is given up is seen', () => {
    const careless = vi.spyOn(ConsumerGroup.prototype, 'ownerOf').mockReturnValue(undefined)
    try {
      const seeds = Array.from({ length: SEEDS }, (_, at) => new Trouble(at + 1))
      const found = seeds.some((trouble) => {
        for (let step = 0; step < STEPS; step++) {
          trouble.step()
          if (trouble.ownedTwice.length > 0) return true
        }
        return false
      })
      expect(found).toBe(true)
    } finally {
      careless.mockRestore()
    }
  })
})
