// One run of the torture: twenty places of five libraries, a producer with sequence numbers, a seed that says who joins,
// leaves or is cut off when; in the end everything must be read and committed, and the judge has the last word.

import { Random } from '../../../../src/lib/random.ts'
import { ErrorCode } from '../../../../src/protocol/errors.ts'
import { ListGroups } from '../../../../src/protocol/messages/classic_group.ts'
import { OffsetFetch } from '../../../../src/protocol/messages/offsets.ts'
import { Produce } from '../../../../src/protocol/messages/produce_fetch.ts'
import { eventually, pause } from '../../support/eventually.ts'
import { batchOf, produceBody } from '../../support/harness.ts'
import { RawClient } from '../../support/raw_client.ts'
import { LIBRARIES, type Library, type Place, type Said, type Stable, stableOf } from './herd.ts'
import { Judge } from './judge.ts'
import type { Witness } from './witness.ts'

export const PARTITIONS = 64
const PLACES = 20
const BATCH_RECORDS = 5
const PRODUCE_EVERY_MS = 40
const CHANGE_EVERY_MS_MAX = 3000
/** Until everything is read and committed, once the trouble has ended. */
const SETTLE_MS = 120_000

/** Until the last members have left, sessions of the dead among them. */
const EMPTY_MS = 60_000

/** A partition whose end is not committed is written to again after this. */
const NUDGE_MS = 2000
/** How long a member may take to leave. */
const LEAVE_MS = 15_000

/** A place that a member can take. */
interface Seat {
  readonly library: Library
  readonly number: number
  lives: number
  member: string | null
}

export interface TortureOptions {
  readonly seed: number
  readonly durationMs: number
  readonly place: Place
  readonly witness: Witness
  /** The broker itself, without the witness. */
  readonly address: string
  readonly libraries?: readonly Library[]
  /** Every other member has an instance id, where its library has such. */
  readonly isStatic?: boolean
  /** Called once in a while: something happens to the coordinator. */
  readonly disturb?: (random: Random) => Promise<void>
}

/** What a run went through. */
export interface Summary {
  readonly problems: readonly string[]
  readonly produced: number
  readonly read: number
  readonly repeated: number
  readonly generations: number
  readonly joins: number
  readonly departures: number
  readonly cutOff: number
  readonly failed: readonly string[]
  readonly answers: Readonly<Record<string, number>>
  /** By generation: its leader, and who was given nothing by it. */
  readonly unassigned: Readonly<Record<string, readonly string[]>>
}

/** Twenty members and their trouble. */
export class Torture {
  private readonly options: TortureOptions
  private readonly random: Random
  private readonly judge = new Judge(PARTITIONS)
  private readonly stables = new Map<Library, Stable>()
  private readonly seats: Seat[] = []
  private readonly leaving = new Set<string>()
  private readonly outcasts = new Set<string>()
  private readonly failed: string[] = []
  private readonly next = Array.from({ length: PARTITIONS }, () => 0)
  private producer: RawClient | null = null
  private readonly stuck: string[] = []
  private isOver = false
  private joins = 0
  private departures = 0

  constructor(options: TortureOptions) {
    this.options = options
    this.random = new Random(options.seed)
    const { libraries = LIBRARIES } = options
    for (const library of libraries) {
      for (let number = 0; number < PLACES / libraries.length; number++) {
        this.seats.push({ library, number, lives: 0, member: null })
      }
    }
  }

  async run(): Promise<Summary> {
    const { durationMs, place, witness } = this.options
    try {
      for (const library of new Set(this.seats.map((seat) => seat.library))) {
        this.stables.set(library, await stableOf(library, place, (said) => this.hear(said)))
      }
      for (const seat of this.seats) this.join(seat)
      const end = performance.now() + durationMs
      const producing = this.produce(end)
      while (performance.now() < end) await this.trouble()
      await producing
      await this.attempt(() => this.settle())
      this.isOver = true
      for (const seat of this.seats) if (seat.member !== null) this.leave(seat, seat.member)
      await this.attempt(() => this.emptied())
    } finally {
      this.isOver = true
      this.producer?.close()
      for (const stable of this.stables.values()) await stable[Symbol.asyncDispose]()
    }
    return this.summary(witness)
  }

  /** What does not come to its end is a problem among others. */
  private async attempt(act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (problem) {
      this.stuck.push(String(problem))
    }
  }

  private summary(witness: Witness): Summary {
    return {
      problems: [...this.stuck, ...this.judge.verdict(witness, (who) => this.ownerOf(who))],
      produced: this.judge.progress.acknowledged,
      read: this.judge.reads,
      repeated: this.judge.repeated,
      generations: witness.generation,
      joins: this.joins,
      departures: this.departures,
      cutOff: this.outcasts.size,
      failed: this.failed,
      answers: Object.fromEntries([...witness.answers].sort()),
      unassigned: Object.fromEntries(witness.unassigned),
    }
  }

  private hear(said: Said): void {
    const { who } = said
    // What is read after the end of a session is read in vain, but for what it has committed all the same.
    if (this.outcasts.has(who) && !(said.what === 'read' && this.isCommitted(said))) return
    if (said.what === 'owns') this.judge.owns(said)
    else if (said.what === 'read') this.judge.read(said, this.options.witness.toldTo)
    else if (said.what === 'left') this.gone(who)
    else if (said.what === 'failed') this.fell(who, said.why)
  }

  /** Its word may come later than its end. */
  private isCommitted(said: Extract<Said, { what: 'read' }>): boolean {
    const { who, partition, offset, values } = said
    return this.options.witness.commits.some(
      (commit) =>
        commit.who === who &&
        commit.partition === partition &&
        commit.offset >= offset + values.length &&
        Number.isFinite(commit.to),
    )
  }

  /** A client gave up by itself: its place is free. */
  private fell(who: string, why: string): void {
    if (this.isOver || this.leaving.delete(who)) return
    this.failed.push(`${who}: ${why}`)
    const seat = this.seats.find(({ member }) => member === who)
    if (seat !== undefined) this.cutOff(seat, who)
  }

  private async trouble(): Promise<void> {
    const { random } = this
    await pause(random.nextInt(CHANGE_EVERY_MS_MAX))
    if (this.options.disturb !== undefined && random.ratio(1, 8)) {
      return await this.options.disturb(random)
    }
    const seat = random.pick(this.seats)
    const { member } = seat
    if (member === null) this.join(seat)
    else if (random.ratio(1, 3)) this.cutOff(seat, member)
    else if (random.ratio(3, 4)) this.leave(seat, member)
  }

  private join(seat: Seat): void {
    seat.member = `${seat.library}-${seat.number}.${seat.lives++}`
    this.joins++
    this.stables.get(seat.library)!.join(seat.member, this.instanceOf(seat.member))
  }

  private instanceOf(member: string): string | undefined {
    const [place] = member.split('.')
    const isStatic = this.options.isStatic === true && Number(place!.split('-')[1]) % 2 === 1
    return isStatic && !member.startsWith('kafkajs') ? place : undefined
  }

  private ownerOf(member: string): string {
    return this.instanceOf(member) ?? member
  }

  private leave(seat: Seat, member: string): void {
    seat.member = null
    this.departures++
    this.leaving.add(member)
    this.stables.get(seat.library)!.leave(member)
    void pause(LEAVE_MS).then(() => this.gone(member))
  }

  /** It has said goodbye, or had its time to: its process ends, even where the library forgets to stop. */
  private gone(member: string): void {
    if (this.leaving.delete(member)) this.options.witness.cutOff(member)
  }

  private cutOff(seat: Seat, member: string): void {
    seat.member = null
    this.outcasts.add(member)
    this.options.witness.cutOff(member)
    this.stables.get(seat.library)!.abandon(member)
  }

  /** Writes to random partitions until the end. */
  private async produce(end: number): Promise<void> {
    const random = new Random(this.options.seed + 1)
    while (performance.now() < end) {
      await this.write(random.nextInt(PARTITIONS))
      await pause(PRODUCE_EVERY_MS)
    }
  }

  /** Writes `partition:number`, some of them. */
  private async write(partition: number): Promise<void> {
    const { place, address } = this.options
    const first = this.next[partition]!
    this.next[partition]! += BATCH_RECORDS
    const values = Array.from({ length: BATCH_RECORDS }, (_, i) => `${partition}:${first + i}`)
    this.judge.sending(partition, values)
    try {
      this.producer ??= await RawClient.open(address)
      const body = produceBody(place.topic, partition, batchOf(values))
      const { responses } = await this.producer.ask(Produce, 9, body)
      const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!
      if (errorCode === ErrorCode.NONE) {
        this.judge.acknowledged(partition, Number(baseOffset), values)
      }
    } catch {
      // The broker was killed: nobody knows what became of these.
      this.producer?.close()
      this.producer = null
    }
  }

  /** Everything acknowledged is read, and committed to the end. */
  private async settle(): Promise<void> {
    const { groupId, topic } = this.options.place
    const { witness } = this.options
    // A group whose last members went may need new ones.
    for (const seat of this.seats) if (seat.member === null) this.join(seat)
    let nudgedMs = performance.now()
    await eventually(async () => {
      const { acknowledged, read } = this.judge.progress
      if (read < acknowledged) {
        const left = this.judge
          .unread()
          .map((partition) => `${partition} of ${this.owner(partition)}`)
        throw new Error(`${read} of ${acknowledged} were read; not of ${left.join(', ')}`)
      }
      const client = await RawClient.open(this.options.address)
      const partitionIndexes = Array.from({ length: PARTITIONS }, (_, at) => at)
      const { groups } = await client.ask(OffsetFetch, 8, {
        groups: [{ groupId, topics: [{ name: topic, partitionIndexes }] }],
      })
      client.close()
      for (const { partitionIndex, committedOffset } of groups[0]!.topics[0]!.partitions) {
        const end = this.judge.endOf(partitionIndex)
        if (Number(committedOffset) < end - 5) {
          // Some clients forget a commit that was refused, until there is something new to commit.
          if (performance.now() > nudgedMs + NUDGE_MS) {
            nudgedMs = performance.now()
            await this.write(partitionIndex)
          }
          const last = witness.commits.findLast((one) => one.partition === partitionIndex)
          throw new Error(
            `${committedOffset} of ${end} committed in ${partitionIndex} of ` +
              `${this.owner(partitionIndex)}; last sent: ${JSON.stringify(last)}`,
          )
        }
      }
      return true
    }, SETTLE_MS)
  }

  /** Who was given a partition last, in which generation, and how far it was told to be committed. */
  private owner(partition: number): string {
    const { given, toldTo } = this.options.witness
    const last = given.findLast(({ partitions }) => partitions.includes(partition))
    if (last === undefined) return 'nobody'
    const told = [...(toldTo.get(`${last.who} ${partition}`) ?? [])].at(-1)
    return `${last.who} in ${last.generation}, told ${told}`
  }

  private async emptied(): Promise<void> {
    await eventually(async () => {
      const client = await RawClient.open(this.options.address)
      const { groups } = await client.ask(ListGroups, 5, {})
      client.close()
      const known = groups.find(({ groupId }) => groupId === this.options.place.groupId)
      if (known?.groupState !== 'Empty') throw new Error(`the group is ${known?.groupState}`)
      return true
    }, EMPTY_MS)
  }
}
