// A random schedule: consumers that come, go, crash, come back under their instance id, read other topics; shards that
// move, and logs that are compacted. The same seed is the same run.

import { Random } from '../../../src/lib/random.ts'
import { compacted, GROUP, GroupBench } from './bench.ts'
import { Consumer, Ledger } from './consumer.ts'

/** The log is compacted when it gets longer; it is read back after every decision, which takes its time. */
const LOG_MAX = 60
const VERSIONS = [0, 3, 4, 5, 8, 9]

/** Consumers, a shard, and trouble between them. */
export class Schedule {
  readonly random: Random
  readonly bench: GroupBench
  readonly ledger = new Ledger()
  consumers: Consumer[] = []
  private started = 0

  constructor(seed: number) {
    this.random = new Random(seed)
    this.bench = new GroupBench({ membersMax: 1000 }, seed + 1)
  }

  /** One thing happens, then time passes, and everyone alive does what is next: never silent for more than 2 s. */
  step(): void {
    if (this.bench.log.length > LOG_MAX) this.compact()
    this.happen(this.random.nextInt(20))
    for (let i = this.random.nextInt(4); i > 0; i--) {
      this.bench.advance(this.random.nextInt(2000))
      this.everyoneActs()
    }
  }

  everyoneActs(): void {
    for (const consumer of this.random.shuffle([...this.consumers])) consumer.act()
    this.consumers = this.consumers.filter(({ phase }) => phase !== 'dead')
  }

  private happen(what: number): void {
    const { random, consumers } = this
    const one = consumers.length === 0 ? undefined : random.pick(consumers)
    if (what < 4 && consumers.length < 7) this.start()
    else if (one === undefined) return
    else if (what === 4) this.crash(one)
    else if (what === 5 && one.phase !== 'joining' && one.memberId !== '') one.leave()
    else if (what === 6 && one.traits.instance !== null) this.restart(one)
    else if (what === 7) this.move()
    else if (what === 8) one.topics = random.ratio(1, 2) ? ['orders'] : ['orders', 'bills']
    else if (what === 9 && one.phase === 'stable') one.join()
    else if (what === 10) this.compact()
    else if (what > 14 && one.phase === 'stable') one.commit()
  }

  private start(): void {
    const number = this.started++
    const isStatic = this.random.ratio(1, 3)
    const version = isStatic ? this.random.pick([5, 8, 9]) : this.random.pick(VERSIONS)
    const instance = isStatic ? `instance-${number}` : null
    this.add({ name: `consumer-${number}`, version, instance })
  }

  private add(traits: Consumer['traits']): void {
    this.consumers.push(new Consumer(this.bench, this.ledger, traits))
  }

  private crash(consumer: Consumer): void {
    this.consumers = this.consumers.filter((other) => other !== consumer)
  }

  private restart(consumer: Consumer): void {
    this.crash(consumer)
    this.add(consumer.traits)
    // Sometimes the old process is not as dead as it looked.
    if (this.random.ratio(1, 2)) this.consumers.push(consumer)
    consumer.isKnown = false
  }

  private move(): void {
    const stored = this.bench.shard.truth.groups.get(GROUP)?.members ?? []
    const ids = new Set(stored.map(({ memberId }) => memberId))
    // Whoever the log has not heard of may be forgotten.
    for (const consumer of this.consumers) consumer.isKnown &&= ids.has(consumer.memberId)
    this.bench.reload()
  }

  private compact(): void {
    const { log } = this.bench
    log.splice(0, log.length, ...compacted(log))
    this.bench.verify()
  }
}
