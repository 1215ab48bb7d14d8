// Transactions in a world that breaks: clients that write, end, die and are followed by others; a host that writes markers one
// partition at a time; batches that arrive late; a coordinator that dies between any two records, with the last one or
// without it, and with the answer. Every party is a generator, and a seed says who takes the next step.
//
// What is judged is what a read_committed consumer sees, after every marker and at last: whole transactions that somebody
// decided to commit, each once.

import { Random } from '../../../src/lib/random.ts'
import type { TransactionReply, TransactionRequest } from '../../../src/transaction/requests.ts'
import { TransactionBench } from './bench.ts'
import { Client } from './client.ts'
import { Partition } from './partition.ts'

export const PARTITIONS = 3
const IDS = ['tx', 'ty']
/** Past every transaction's timeout, and the coordinator has looked. */
const TIMEOUT_MS = 80_000
/** Ids that nobody used are forgotten. */
const EXPIRY_MS = 8 * 24 * 3_600_000

export type Process = Generator<void, void, void>

/** One transaction, as the client that began it knows it. */
export interface Attempt {
  /** By partition: the batches that were acknowledged. */
  readonly written: Map<number, string[]>
  /** `maybe`: a commit was asked for and never answered. */
  outcome: 'commit' | 'abort' | 'maybe'
}

/** What may be switched off, to see that it would be missed. */
export interface WorldOptions {
  readonly serverVersion: number
  readonly verifies?: boolean
  readonly judgesMarkers?: boolean
  /** Nobody takes an id over, and no time passes: then nobody is to be fenced. */
  readonly isPeaceful?: boolean
}

/** Everything of one seed. */
export class World {
  readonly random: Random
  readonly bench = new TransactionBench()
  readonly partitions: Partition[]
  readonly attempts = new Map<string, Attempt>()
  readonly options: WorldOptions
  isEnding = false
  crashes = 0
  /** Clients that were told that somebody else is who they were. */
  fenced = 0
  /** What was wrong with a view on the way. */
  private readonly seenEarly: string[] = []
  private processes: Process[] = []
  private readonly clients = new Map<Process, Client>()
  /** Which coordinator it is; work for an earlier one is nobody's. */
  private life = 0

  constructor(seed: number, options: WorldOptions) {
    this.random = new Random(seed)
    this.options = options
    this.bench.serverVersion = options.serverVersion
    this.bench.restart()
    this.partitions = Array.from({ length: PARTITIONS }, () => new Partition(options))
    for (const id of IDS) this.enter(id)
  }

  /** Some hundred steps of trouble, and then the end of it. */
  run(steps: number): void {
    for (let step = 0; step < steps; step++) this.step()
    this.isEnding = true
    // Whatever is late has come and whoever is at it is done; what is open then times out.
    for (const ageMs of [0, TIMEOUT_MS, TIMEOUT_MS]) {
      this.age(ageMs)
      for (let left = 5000; this.processes.length > 0; left--) {
        if (left === 0) throw new Error('the world does not come to rest')
        this.advanceOne()
      }
    }
  }

  private step(): void {
    const what = this.random.nextInt(100)
    if (what < 90) this.advanceOne()
    else if (what < 94) this.crash(this.random.ratio(1, 2))
    else if (this.options.isPeaceful === true) return
    else if (what < 97) this.replaceClient()
    else if (what < 99) this.age(this.random.pick([100, TIMEOUT_MS]))
    else if (this.random.ratio(1, 8)) this.age(EXPIRY_MS)
  }

  /** Time passes at once, and the coordinator looks at what it is for. */
  private age(ms: number): void {
    this.bench.nowMs += ms
    this.bench.expire('abort')
    this.bench.expire('expiry')
    this.takeOwed()
  }

  private advanceOne(): void {
    if (this.processes.length === 0) return
    const at = this.random.nextInt(this.processes.length)
    const process = this.processes[at]!
    if (process.next().done === true) this.processes = this.processes.filter((p) => p !== process)
    this.takeOwed()
  }

  /** Another party. */
  spawn(process: Process): void {
    this.processes.push(process)
  }

  private enter(transactionalId: string): void {
    const { serverVersion, isPeaceful } = this.options
    const version = isPeaceful === true ? 2 : Math.min(serverVersion, this.random.pick([0, 2]))
    const client = new Client(this, transactionalId, version)
    const process = client.live()
    this.clients.set(process, client)
    this.spawn(process)
  }

  /** A client dies, or is only slow: another one takes its id either way. */
  private replaceClient(): void {
    const living = this.processes.filter((process) => this.clients.has(process))
    if (living.length === 0) return
    const process = this.random.pick(living)
    const { transactionalId } = this.clients.get(process)!
    if (this.random.ratio(2, 3)) this.processes = this.processes.filter((p) => p !== process)
    this.enter(transactionalId)
  }

  /**
   * Asks the coordinator; null: it died, with what was asked or before it, and no answer came. A record without its answer
   * may be lost with it, since nobody saw it.
   */
  ask(request: TransactionRequest): TransactionReply | null {
    const { length } = this.bench.log
    const reply = this.bench.ask(request)
    if (this.isEnding || !this.random.ratio(1, 25)) return reply
    this.crash(this.random.ratio(1, 2), length)
    return null
  }

  /** The coordinator is loaded from its log again; `loses` what was written since. */
  private crash(loses: boolean, length = this.bench.log.length): void {
    this.crashes++
    this.life++
    this.bench.restart(loses ? length : this.bench.log.length)
    this.takeOwed()
  }

  private takeOwed(): void {
    for (const transactionalId of this.bench.owed.splice(0)) {
      this.spawn(this.settle(transactionalId, this.life))
    }
  }

  /** The host's part: a marker to each partition, and then that all have it. */
  private *settle(transactionalId: string, life: number): Process {
    yield
    if (life !== this.life) return
    const reply = this.bench.ask({ kind: 'owedMarkers', transactionalId })
    if (reply.kind !== 'owedMarkers' || reply.markers === null) return
    const owed = reply.markers
    const where = owed.partitions.flatMap(({ partitionIds }) => partitionIds)
    for (const partition of this.random.shuffle([...where])) {
      yield
      // Its coordinator may be dead by now; what was sent arrives, at its time.
      for (let late = 0; life !== this.life && late < 12; late++) yield
      this.partitions[partition]!.marker(owed, life)
      this.look(partition)
      if (life !== this.life) return
    }
    yield
    if (life !== this.life) return
    const { producerId, producerEpoch } = owed
    const producer = { transactionalId, producerId, producerEpoch }
    this.ask({ kind: 'markersWritten', producer })
  }

  /** A consumer reads one partition now: of each transaction it sees all that the partition has, or nothing. */
  private look(index: number): void {
    const seen = Map.groupBy(this.partitions[index]!.committed(), (value) => value.split('#')[0]!)
    for (const [name, values] of seen) {
      const { outcome, written } = this.attempts.get(name)!
      const whole = (written.get(index) ?? []).map((batch) => `${name}#${batch}`)
      if (outcome !== 'abort' && values.join() === whole.join()) continue
      this.seenEarly.push(
        `${name}, ${outcome}: wrote ${whole.join()} to ${index}, seen ${values.join()}`,
      )
    }
  }

  /** What is wrong with what consumers see; nothing when all is well. */
  findings(): string[] {
    const found = [...this.seenEarly]
    const seen = new Map<string, string[]>()
    for (const [index, partition] of this.partitions.entries()) {
      if (partition.openProducers.length > 0)
        found.push(`partition ${index} has a hanging transaction`)
      for (const value of partition.committed()) {
        const [attempt, batch] = value.split('#') as [string, string]
        const key = `${attempt}@${index}`
        seen.set(key, [...(seen.get(key) ?? []), batch])
      }
    }
    for (const [name, { written, outcome }] of this.attempts) {
      const is = this.partitions.map((_, at) => (seen.get(`${name}@${at}`) ?? []).join())
      const whole = this.partitions.map((_, at) => (written.get(at) ?? []).join())
      const isWhole = is.join(';') === whole.join(';')
      const isNothing = is.every((batches) => batches === '')
      const isRight =
        outcome === 'maybe' ? isWhole || isNothing : outcome === 'commit' ? isWhole : isNothing
      if (!isRight)
        found.push(`${name}, ${outcome}: wrote ${whole.join(';')}, seen ${is.join(';')}`)
    }
    return found
  }
}
