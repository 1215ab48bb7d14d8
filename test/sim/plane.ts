// SimPlane: the model plane as one life sees it. Verbs that reach the disk are operations a life may end at; answers
// may be slow, flushes too, each slot in its own time; and checkers watch what the node promises the plane.
// Invariant: answers about one slot keep their order; a dead life's verbs reach nothing.

import type { Random } from '../../src/lib/random.ts'
import { ModelPlane } from '../../src/plane/model.ts'
import type {
  CleanOptions,
  CreatePartition,
  DataPlane,
  DirectoryLimits,
  FactSink,
  LeadPartition,
  PartitionConfig,
  PartitionRow,
  PlaneOptions,
  Retention,
  Slot,
  Ticket,
} from '../../src/plane/plane.ts'
import { batchesOf } from '../../src/protocol/record_batch.ts'
import type { SimDisk } from './disk.ts'
import type { Life } from './life.ts'
import type { SimNetwork } from './network.ts'
import type { SimClock, Timeline } from './timeline.ts'

/** The clocks of purgatory, idle connections and flush.ms are looked at this often. */
const TICK_MS = 20
/** Some logs take longer to open than others: recovery reads them. */
const OPEN_FACTOR = 50
/** The planted bug writes so much later than it says. */
const LATE_MS = 200
/** A ticket that nobody waits for. */
const NOBODY = -1

/** What checkers hear of. */
export interface PlaneWatcher {
  led(life: Life, slot: Slot, leaderEpoch: number): void
  committed(life: Life, slot: Slot, highWatermark: number): void
}

/** Planted bugs of the data plane. */
export interface PlaneBugs {
  /** Flushes are answered, and not done. */
  skipsFlush?: boolean
  /** Appends of the control plane are answered as committed, and done a moment later. */
  answersEarly?: boolean
  /** Markers of transactions are answered, and not written, but for those of coordinators. */
  skipsMarkers?: boolean
}

export interface SimPlaneParts {
  life: Life
  timeline: Timeline
  clock: SimClock
  random: Random
  disk: SimDisk
  network: SimNetwork
  watcher: PlaneWatcher
  /** A log is about to be opened. */
  opening: (isCleanShutdown: boolean) => void
  /** Everything is synced and closed. */
  closedClean: () => void
  /** How long an operation of the disk takes now. */
  diskDelayMs: () => number
  /** Nobody comes to the door before. */
  stalledUntilMs: () => number
  bugs: PlaneBugs
}

type DoneFact = [ticket: Ticket, errorCode: number, a: number, b: number, c: number]

/** The contract of plane.ts over a ModelPlane. */
export class SimPlane implements DataPlane {
  onDoorbell: () => void = () => {}
  readonly inner: ModelPlane
  private readonly parts: SimPlaneParts
  private readonly slots = new Map<Ticket, Slot>()
  private readonly freeAtMs = new Map<Slot, number>()
  /** What each slot was last told to be. */
  readonly configs = new Map<Slot, PartitionConfig>()
  private readonly slowTickets = new Set<Ticket>()
  private ready: DoneFact[] = []
  private readonly raftSlots = new Set<Slot>()
  private readonly internalSlots = new Set<Slot>()
  /** Of the planted bug: how far a log would be, and facts that are not true yet. */
  private readonly promisedEnds = new Map<Slot, number>()
  private early: [slot: Slot, leaderEpoch: number, highWatermark: number][] = []

  constructor(options: PlaneOptions, parts: SimPlaneParts) {
    this.parts = parts
    const { clock, random, disk, network, timeline } = parts
    this.inner = new ModelPlane({
      ...options,
      clock,
      random: random.fork(),
      disk: disk.logs,
      network,
      schedule: (task) => timeline.after(random.nextFloat() / 4, task),
    })
    this.inner.onDoorbell = () => this.ring()
    this.tick()
  }

  private get isOver(): boolean {
    return this.parts.life.isOver
  }

  private ring(): void {
    if (this.isOver) return
    const { timeline, stalledUntilMs } = this.parts
    const lateMs = stalledUntilMs() - timeline.nowMs
    if (lateMs > 0) timeline.after(lateMs, () => this.ring())
    else this.onDoorbell()
  }

  private tick(): void {
    if (this.isOver) return
    this.inner.tick()
    this.parts.timeline.after(TICK_MS, () => this.tick())
  }

  drain(sink: FactSink): number {
    if (this.isOver) return 0
    const ready = this.ready
    this.ready = []
    for (const fact of ready) sink.done(...fact)
    for (const fact of this.early.splice(0)) sink.highWatermark(...fact)
    const slowed: FactSink = Object.create(sink)
    slowed.done = (...fact) => {
      if (!this.isHeld(fact)) sink.done(...fact)
    }
    return ready.length + this.inner.drain(slowed)
  }

  /** A slow answer is told later, after those before it about the same slot. */
  private isHeld(fact: DoneFact): boolean {
    const { timeline, diskDelayMs } = this.parts
    const slot = this.slots.get(fact[0]) ?? -1
    this.slots.delete(fact[0])
    const before = this.freeAtMs.get(slot) ?? 0
    const delay = diskDelayMs() * (this.slowTickets.delete(fact[0]) ? OPEN_FACTOR : 1)
    if (delay === 0 && before <= timeline.nowMs) return false
    const atMs = Math.max(before, timeline.nowMs + delay)
    this.freeAtMs.set(slot, atMs)
    timeline.after(atMs - timeline.nowMs, () => {
      this.ready.push(fact)
      this.ring()
    })
    return true
  }

  private run(name: string, slot: Slot, ticket: Ticket, verb: () => void): void {
    if (!this.parts.life.proceed(name, `slot ${slot}`)) return
    this.slots.set(ticket, slot)
    verb()
  }

  create(options: CreatePartition, ticket: Ticket): void {
    const what = `create ${options.topic}-${options.partition}`
    this.configs.set(options.slot, options.config)
    if (options.isRaft) this.raftSlots.add(options.slot)
    if (options.topic.startsWith('__')) this.internalSlots.add(options.slot)
    if (!this.isOver && !options.isRaft) this.parts.opening(options.isCleanShutdown)
    if (!options.isRaft && this.parts.random.ratio(1, 4)) this.slowTickets.add(ticket)
    this.run(what, options.slot, ticket, () => this.inner.create(options, ticket))
  }

  append(slot: Slot, leaderEpoch: number, batches: Uint8Array, ticket: Ticket): void {
    const isEarly = this.parts.bugs.answersEarly === true && !this.raftSlots.has(slot)
    this.run(`append ${batches.length}`, slot, ticket, () => {
      if (isEarly) this.answerEarly(slot, leaderEpoch, batches, ticket)
      else this.inner.append(slot, leaderEpoch, batches, ticket)
    })
  }

  private answerEarly(slot: Slot, leaderEpoch: number, batches: Uint8Array, ticket: Ticket): void {
    const { timeline } = this.parts
    const { logEndOffset } = this.inner.partition(slot)
    const baseOffset = Math.max(logEndOffset, this.promisedEnds.get(slot) ?? 0)
    const count = [...batchesOf(batches)].reduce((sum, batch) => sum + batch.count, 0)
    const endOffset = baseOffset + count
    this.promisedEnds.set(slot, endOffset)
    this.ready.push([ticket, 0, baseOffset, -1, -1])
    this.early.push([slot, leaderEpoch, endOffset])
    timeline.after(0, () => this.ring())
    timeline.after(LATE_MS, () => {
      if (!this.isOver) this.inner.append(slot, leaderEpoch, batches, NOBODY)
    })
  }

  marker(...[slot, leaderEpoch, marker, ticket]: Parameters<DataPlane['marker']>): void {
    this.run('marker', slot, ticket, () => {
      const isSkipped = this.parts.bugs.skipsMarkers === true && !this.internalSlots.has(slot)
      if (!isSkipped) return this.inner.marker(slot, leaderEpoch, marker, ticket)
      const { logEndOffset } = this.inner.partition(slot)
      this.ready.push([ticket, 0, logEndOffset, logEndOffset + 1, -1])
      this.parts.timeline.after(0, () => this.ring())
    })
  }

  admit(...args: Parameters<DataPlane['admit']>): void {
    if (!this.isOver) this.inner.admit(...args)
  }

  flush(slot: Slot, ticket: Ticket): void {
    this.run('flush', slot, ticket, () => {
      const { diskDelayMs, timeline, bugs } = this.parts
      if (bugs.skipsFlush === true) {
        const { logEndOffset } = this.inner.partition(slot)
        this.ready.push([ticket, 0, logEndOffset, -1, -1])
        timeline.after(0, () => this.ring())
        return
      }
      const delay = diskDelayMs()
      if (delay === 0) return this.inner.flush(slot, ticket)
      timeline.after(delay, () => {
        if (!this.isOver) this.inner.flush(slot, ticket)
      })
    })
  }

  trim(slot: Slot, logStartOffset: number, ticket: Ticket): void {
    this.run(`trim to ${logStartOffset}`, slot, ticket, () =>
      this.inner.trim(slot, logStartOffset, ticket),
    )
  }

  cleanable(slot: Slot, firstDirtyOffset: number, minLagMs: number, ticket: Ticket): void {
    this.inner.cleanable(slot, firstDirtyOffset, minLagMs, ticket)
  }

  clean(slot: Slot, options: CleanOptions, ticket: Ticket): void {
    this.run('clean', slot, ticket, () => this.inner.clean(slot, options, ticket))
  }

  retain(slot: Slot, retention: Retention, ticket: Ticket): void {
    this.run('retain', slot, ticket, () => this.inner.retain(slot, retention, ticket))
  }

  truncate(slot: Slot, leaderEpoch: number, offset: number, ticket: Ticket): void {
    this.run(`truncate to ${offset}`, slot, ticket, () =>
      this.inner.truncate(slot, leaderEpoch, offset, ticket),
    )
  }

  copy(slot: Slot, source: Slot, bytesMax: number, ticket: Ticket): void {
    this.run('copy', slot, ticket, () => this.inner.copy(slot, source, bytesMax, ticket))
  }

  retire(slot: Slot, mode: number, ticket: Ticket): void {
    this.run(`retire ${mode}`, slot, ticket, () => {
      const delay = this.parts.diskDelayMs()
      if (delay === 0) return this.inner.retire(slot, mode, ticket)
      this.parts.timeline.after(delay, () => {
        if (!this.isOver) this.inner.retire(slot, mode, ticket)
      })
    })
  }

  failDirectory(directory: string): void {
    if (!this.isOver) this.inner.failDirectory(directory)
  }

  limitDirectory(directory: string, limits: DirectoryLimits): void {
    if (!this.isOver) this.inner.limitDirectory(directory, limits)
  }

  lead(options: LeadPartition): void {
    if (this.isOver) return
    this.parts.watcher.led(this.parts.life, options.slot, options.leaderEpoch)
    this.inner.lead(options)
  }

  setHighWatermark(slot: Slot, leaderEpoch: number, highWatermark: number): void {
    if (this.isOver) return
    this.parts.watcher.committed(this.parts.life, slot, highWatermark)
    this.inner.setHighWatermark(slot, leaderEpoch, highWatermark)
  }

  reply(...args: Parameters<DataPlane['reply']>): void {
    if (this.parts.life.proceed('reply', String(args[1]))) this.inner.reply(...args)
  }

  close(options?: { graceMs?: number; isClean?: boolean }): Promise<void> {
    if (!this.parts.life.proceed('close')) return Promise.resolve()
    if (options?.isClean === true) this.parts.closedClean()
    return this.inner.close(options)
  }

  listen(...args: Parameters<DataPlane['listen']>): number {
    return this.isOver ? 1 : this.inner.listen(...args)
  }

  dial(...args: Parameters<DataPlane['dial']>): number {
    return this.isOver ? 0 : this.inner.dial(...args)
  }

  unlisten(...args: Parameters<DataPlane['unlisten']>): void {
    if (!this.isOver) this.inner.unlisten(...args)
  }

  send(...args: Parameters<DataPlane['send']>): void {
    if (!this.isOver) this.inner.send(...args)
  }

  hangup(...args: Parameters<DataPlane['hangup']>): void {
    if (!this.isOver) this.inner.hangup(...args)
  }

  mute(...args: Parameters<DataPlane['mute']>): void {
    if (!this.isOver) this.inner.mute(...args)
  }

  identify(...args: Parameters<DataPlane['identify']>): void {
    if (!this.isOver) this.inner.identify(...args)
  }

  limit(...args: Parameters<DataPlane['limit']>): void {
    if (!this.isOver) this.inner.limit(...args)
  }

  follow(...args: Parameters<DataPlane['follow']>): void {
    if (!this.isOver) this.inner.follow(...args)
  }

  isr(...args: Parameters<DataPlane['isr']>): void {
    if (!this.isOver) this.inner.isr(...args)
  }

  configure(slot: Slot, config: PartitionConfig): void {
    if (this.isOver) return
    this.configs.set(slot, config)
    this.inner.configure(slot, config)
  }

  read(...args: Parameters<DataPlane['read']>): void {
    if (!this.isOver) this.inner.read(...args)
  }

  lookup(...args: Parameters<DataPlane['lookup']>): void {
    if (!this.isOver) this.inner.lookup(...args)
  }

  producers(...args: Parameters<DataPlane['producers']>): void {
    if (!this.isOver) this.inner.producers(...args)
  }

  route(...args: Parameters<DataPlane['route']>): void {
    if (!this.isOver) this.inner.route(...args)
  }

  forget(...args: Parameters<DataPlane['forget']>): void {
    if (!this.isOver) this.inner.forget(...args)
  }

  brokers(...args: Parameters<DataPlane['brokers']>): void {
    if (!this.isOver) this.inner.brokers(...args)
  }

  verdict(...args: Parameters<DataPlane['verdict']>): void {
    if (!this.isOver) this.inner.verdict(...args)
  }

  partition(slot: Slot): PartitionRow {
    return this.inner.partition(slot)
  }

  counter(column: number): number {
    return this.inner.counter(column)
  }
}
