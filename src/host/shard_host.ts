// A coordinator shard on one partition that this node leads: load, decide, append, defer, unload.
//
// The requests of one turn are decided one after the other, each seeing the records of those before it; their records
// are one batch and one append, and a reply leaves when the high watermark covers the last offset the shard had when
// the reply was computed. Reads wait too, so an uncommitted fact never escapes (DESIGN §5).
// Invariants: one append is in flight at most, so nothing is ever written on top of a batch that failed; requests go
// before timers of the same turn, so a heartbeat that is already here beats its session's end; deadlines are kept in
// time that does not jump, though shards think in wall time; whatever goes wrong with the log drops the shard, and it is
// read back from what the log has.
// Kafka: CoordinatorRuntime, CoordinatorLoaderImpl, CoordinatorOperationExceptionHelper.

import { DeferredReplies } from '../coordinator/deferred.ts'
import { Decision, type Shard, type TimerKey } from '../coordinator/shard.ts'
import type { Log } from '../lib/log.ts'
import { TimerQueue } from '../lib/timers.ts'
import type { DataPlane, Slot } from '../plane/plane.ts'
import { ErrorCode, errorName } from '../protocol/errors.ts'
import { BATCH_HEADER_BYTES, encodeBatch, type Recode } from '../protocol/record_batch.ts'
import { Batch, sizeOf } from './shard_batch.ts'
import { type Gate, loadShard } from './shard_loader.ts'
import { type RecordCodec, ShardLog } from './shard_log.ts'
import type { Done, Tickets } from './tickets.ts'
import type { Cancel, World } from './world.ts'

/** How many requests may wait for their turn. */
const QUEUE_MAX = 100_000
/** A log that could not be written or read is tried again after this. */
const RELOAD_MS = 1000
/** Timers that cannot be decided now, because nothing can be committed, are looked at again after this. */
const RETRY_TIMERS_MS = 1000
/** No wake-up is asked for further ahead than this: timers of the system hold 24 days. */
const WAKE_MS_MAX = 3_600_000

/** An append that ends so says that others lead, or will; the next image says who. */
const LEADERSHIP_LOST: ReadonlySet<number> = new Set([
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.UNKNOWN_LEADER_EPOCH,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
])

/** What a kind of shard is: how it is made and written, and what its requests are. */
export interface ShardKind<Request, Record, Reply, Effect = never> {
  create(partition: number): Shard<Request, Record, Reply, Effect>
  readonly codec: RecordCodec<Record>
  /** The first request after the log was read; nobody hears its reply. */
  activation?(): Request
  /** Whether the request can make records: such are refused while nothing can be committed. */
  mayWrite(request: Request): boolean
  /** Refusing its records leaves no trace in the shard; for others it is read back from the log. */
  isRefusable(request: Request): boolean
}

export interface ShardHostOptions<Request, Record, Reply, Effect = never> {
  readonly world: World
  readonly log: Log
  readonly plane: DataPlane
  readonly tickets: Tickets
  readonly kind: ShardKind<Request, Record, Reply, Effect>
  readonly decompress: Recode
  readonly partition: number
  /** Largest batch the partition takes: max.message.bytes. */
  readonly batchBytesMax: () => number
  /** Shared by the shards of a node: how many are read at once. */
  readonly gate: Gate
  /** Bytes read at once while loading. */
  readonly loadBytes: () => number
  /** A reply that waits longer for its replicas is given up. */
  readonly commitTimeoutMs: () => number
  /** The ISR is not below its minimum. */
  readonly canCommit: () => boolean
  /** Messages to others, once what was decided with them is appended. */
  readonly onEffect?: (effect: Effect) => void
}

/** The shard cannot take or finish a request; `errorCode` is the protocol's word for it. */
export class ShardRefused extends Error {
  override readonly name = 'ShardRefused'
  readonly errorCode: number

  constructor(errorCode: number) {
    super(errorName(errorCode))
    this.errorCode = errorCode
  }
}

interface Waiting<Request, Reply> {
  readonly request: Request
  readonly resolve: (reply: Reply) => void
  readonly reject: (problem: Error) => void
}

/** Replies that are not waited for longer than this. */
interface Patience {
  readonly endOffset: number
  readonly deadlineMs: number
  readonly tickets: readonly number[]
}

/** Hosts the shard of one partition; told by its registry who leads. */
export class ShardHost<Request, Record, Reply, Effect = never> {
  private readonly options: ShardHostOptions<Request, Record, Reply, Effect>
  private state: 'away' | 'loading' | 'active' | 'failed' = 'away'
  private shard: Shard<Request, Record, Reply, Effect> | null = null
  private slot: Slot = -1
  private leaderEpoch = -1
  /** Grows with every load and drop: what was started before is not heard any more. */
  private generation = 0
  private highWatermark = 0
  /** Everything below it is in the log, as we know from the plane. */
  private appendedOffset = 0
  private nextOffset = 0
  private queue: Waiting<Request, Reply>[] = []
  private readonly tickets = new Map<number, Waiting<Request, Reply>>()
  private nextTicket = 1
  private deferred = new DeferredReplies<Reply>()
  private patience: Patience[] = []
  private readonly timers = new TimerQueue<TimerKey>()
  private batch = new Batch<Effect>(0)
  /** Batches that are full and wait for the append in flight. */
  private full: Batch<Effect>[] = []
  private isAppending = false
  private isScheduled = false
  private isCurtailed = false
  private alarm: { readonly atMs: number; readonly cancel: Cancel } | null = null
  private cancelReload: Cancel = () => {}

  constructor(options: ShardHostOptions<Request, Record, Reply, Effect>) {
    this.options = options
  }

  get isActive(): boolean {
    return this.state === 'active'
  }

  get isLoading(): boolean {
    return this.state === 'loading'
  }

  /** Replies that wait for the high watermark, and requests that wait for anything. */
  get pending(): { deferred: number; open: number } {
    return { deferred: this.deferred.size, open: this.tickets.size + this.queue.length }
  }

  /** This node leads the partition at `leaderEpoch`; the plane was told before. */
  lead(slot: Slot, leaderEpoch: number): void {
    if (this.state !== 'away' && slot === this.slot && leaderEpoch === this.leaderEpoch) return
    this.drop(ErrorCode.NOT_COORDINATOR)
    this.slot = slot
    this.leaderEpoch = leaderEpoch
    this.highWatermark = 0
    this.startLoading()
  }

  /** Another node leads, or the partition is gone. */
  unload(): void {
    this.drop(ErrorCode.NOT_COORDINATOR)
    this.state = 'away'
    this.slot = -1
  }

  /** Asks the shard; the promise settles when the answer is committed, or with ShardRefused. */
  submit(request: Request): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const errorCode = this.refusal(request)
      if (errorCode !== ErrorCode.NONE) return reject(new ShardRefused(errorCode))
      this.queue.push({ request, resolve, reject })
      this.wake()
    })
  }

  /** A fact of the plane about our partition. */
  committed(leaderEpoch: number, highWatermark: number): void {
    if (leaderEpoch !== this.leaderEpoch || highWatermark <= this.highWatermark) return
    this.highWatermark = highWatermark
    if (this.state === 'active') this.release()
  }

  private refusal(request: Request): number {
    if (this.state === 'loading') return ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    if (this.state !== 'active') return ErrorCode.NOT_COORDINATOR
    const { kind, canCommit } = this.options
    if (this.queue.length >= QUEUE_MAX) return ErrorCode.COORDINATOR_NOT_AVAILABLE
    if (kind.mayWrite(request) && !canCommit()) return ErrorCode.COORDINATOR_NOT_AVAILABLE
    return ErrorCode.NONE
  }

  // --- loading

  private startLoading(): void {
    this.state = 'loading'
    const generation = ++this.generation
    const { gate } = this.options
    void gate.pass(async () => {
      if (generation === this.generation) await this.load(generation)
    })
  }

  private async load(generation: number): Promise<void> {
    const { plane, tickets, kind, decompress, loadBytes, world, log, partition } = this.options
    const startedMs = world.clock.nowMs()
    const shard = kind.create(partition)
    const { logStartOffset } = plane.partition(this.slot)
    const into = new ShardLog(kind.codec, decompress, shard, logStartOffset)
    const isWanted = () => generation === this.generation
    const { slot } = this
    const loaded = await loadShard({ world, tickets, slot, into, bytes: loadBytes(), isWanted })
    if (!isWanted() || loaded.kind === 'unwanted') return
    if (loaded.kind === 'unreadable') {
      const error = errorName(loaded.errorCode)
      log.warn('cannot read the log of a coordinator; trying again', { partition, error })
      return this.reloadLater()
    }
    if (loaded.kind === 'malformed') {
      this.state = 'failed'
      const problem = loaded.problem.message
      const where = { partition, offset: into.nextOffset, problem }
      return log.error('a coordinator cannot be loaded: its log holds what is no record', where)
    }
    const { recordCount, passedOver } = into
    const ms = world.clock.nowMs() - startedMs
    log.debug('a coordinator is loaded', { partition, recordCount, passedOver, ms })
    this.activate(shard, loaded.logEndOffset, loaded.highWatermark)
  }

  private activate(
    shard: Shard<Request, Record, Reply, Effect>,
    logEndOffset: number,
    highWatermark: number,
  ): void {
    this.shard = shard
    this.state = 'active'
    this.nextOffset = logEndOffset
    this.appendedOffset = logEndOffset
    this.highWatermark = Math.max(this.highWatermark, highWatermark)
    this.batch = new Batch(logEndOffset)
    const request = this.options.kind.activation?.()
    if (request === undefined) return
    this.queue.push({ request, resolve: () => {}, reject: () => {} })
    this.wake()
  }

  private reloadLater(): void {
    this.state = 'loading'
    this.cancelReload = this.options.world.schedule(RELOAD_MS, () => this.startLoading())
  }

  /** Forgets the shard. What was not committed may never be, so nobody is told it was. */
  private drop(errorCode: number): void {
    this.generation++
    this.shard = null
    this.isAppending = false
    this.full = []
    this.deferred = new DeferredReplies()
    this.patience = []
    this.timers.clear()
    this.alarm?.cancel()
    this.alarm = null
    this.cancelReload()
    const open = [...this.tickets.values(), ...this.queue]
    this.tickets.clear()
    this.queue = []
    for (const { reject } of open) reject(new ShardRefused(errorCode))
  }

  // --- deciding

  private wake(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    this.options.world.defer(() => {
      this.isScheduled = false
      this.run()
    })
  }

  private run(): void {
    const { shard } = this
    if (shard === null || this.isAppending) return
    const { clock } = this.options.world
    let taken = 0
    while (taken < this.queue.length && this.full.length === 0 && this.shard === shard) {
      this.decide(shard, this.queue[taken++]!, clock.nowMs())
    }
    // A refusal may have dropped the shard and its queue.
    if (this.shard !== shard) return
    this.queue = this.queue.slice(taken)
    this.isCurtailed = !this.options.canCommit()
    if (!this.isCurtailed) this.expire(shard)
    if (this.shard === shard) this.flush()
  }

  private decide(
    shard: Shard<Request, Record, Reply, Effect>,
    waiting: Waiting<Request, Reply>,
    nowMs: number,
  ): void {
    const ticket = this.nextTicket++
    this.tickets.set(ticket, waiting)
    const decision = new Decision<Record, Reply, Effect>()
    shard.handle(waiting.request, ticket, nowMs, decision)
    this.accept(shard, decision, nowMs, waiting.request)
  }

  private expire(shard: Shard<Request, Record, Reply, Effect>): void {
    const { clock } = this.options.world
    const { steadyMs } = this
    while (this.full.length === 0 && this.shard === shard) {
      const key = this.timers.pop(steadyMs)
      if (key === undefined) return
      const decision = new Decision<Record, Reply, Effect>()
      const nowMs = clock.nowMs()
      shard.expire(key, nowMs, decision)
      this.accept(shard, decision, nowMs, null)
    }
  }

  /** Time that does not jump: when somebody sets the clock, no session ends early, and none lasts longer. */
  private get steadyMs(): number {
    return this.options.world.clock.monotonicUs() / 1000
  }

  private accept(
    shard: Shard<Request, Record, Reply, Effect>,
    decision: Decision<Record, Reply, Effect>,
    nowMs: number,
    request: Request | null,
  ): void {
    const { kind } = this.options
    const stored = decision.records.map((record) => kind.codec.encode(record))
    const bytes = sizeOf(stored)
    if (!this.makeRoom(bytes, decision)) return this.refuse(decision, request)
    const { batch } = this
    const { transaction, marker } = decision
    for (const record of decision.records) {
      shard.replay(record, this.nextOffset++, transaction?.producerId)
    }
    if (stored.length > 0) batch.producer = transaction
    if (marker !== null) {
      shard.endTransaction?.(marker.producerId, marker.isCommit)
      batch.marker = marker
      this.nextOffset++
    }
    for (const record of stored) batch.records.push(record)
    batch.bytes += bytes
    batch.effects.push(...decision.effects)
    this.defer(decision.replies)
    const { steadyMs } = this
    for (const [key, atMs] of decision.timers) {
      this.timers.set(key, atMs === null ? null : steadyMs + atMs - nowMs)
    }
  }

  private defer(replies: readonly [number, Reply][]): void {
    const { commitTimeoutMs } = this.options
    const endOffset = this.nextOffset
    this.deferred.defer(endOffset, replies)
    if (replies.length === 0 || endOffset <= this.committedOffset) return
    const deadlineMs = this.steadyMs + commitTimeoutMs()
    this.patience.push({ endOffset, deadlineMs, tickets: replies.map(([ticket]) => ticket) })
  }

  /** Everything below it is in the log as we wrote it, and on every replica that counts. */
  private get committedOffset(): number {
    return Math.min(this.highWatermark, this.appendedOffset)
  }

  /** Begins another batch when this one cannot take so much; false when none can. */
  private makeRoom(bytes: number, decision: Decision<Record, Reply, Effect>): boolean {
    const bytesMax = this.options.batchBytesMax()
    const { transaction, marker, records } = decision
    const count = records.length
    if (count === 0 && marker === null) return true
    if (BATCH_HEADER_BYTES + bytes > bytesMax) return false
    const { batch } = this
    const fits =
      batch.hasRoom(bytes, count, bytesMax) && marker === null && batch.takes(transaction)
    if (!fits && batch.size > 0) {
      this.full.push(batch)
      this.batch = new Batch(this.nextOffset)
    }
    return true
  }

  /** The records of one decision are more than a batch may hold: none of them becomes true. */
  private refuse(decision: Decision<Record, Reply, Effect>, request: Request | null): void {
    const { kind, log, partition } = this.options
    const problem = new ShardRefused(ErrorCode.MESSAGE_TOO_LARGE)
    for (const [ticket] of decision.replies) this.taken(ticket)?.reject(problem)
    const count = decision.records.length
    log.warn('a coordinator made more than one batch may hold', { partition, count })
    if (request !== null && kind.isRefusable(request)) return
    // What was appended stays; what waits for its append is given up with the shard.
    this.drop(ErrorCode.NOT_COORDINATOR)
    this.reloadLater()
  }

  // --- appending

  private flush(): void {
    const next = this.full.shift() ?? this.batch
    if (next === this.batch) this.batch = new Batch(this.nextOffset)
    if (next.size > 0) this.append(next)
    else this.finish(next)
  }

  private append(batch: Batch<Effect>): void {
    const { tickets, world } = this.options
    const { generation } = this
    this.isAppending = true
    // Now, and not only when it is done: a disk that hangs must not hold replies for ever.
    this.arm()
    tickets.call(
      (plane, ticket) => this.write(plane, batch, world.clock.nowMs(), ticket),
      (done) => {
        if (generation === this.generation) this.appended(batch, done)
      },
    )
  }

  private write(plane: DataPlane, batch: Batch<Effect>, nowMs: number, ticket: number): void {
    const { slot, leaderEpoch } = this
    const { marker, producer, records } = batch
    if (marker === null) {
      const isTransactional = producer !== null
      const bytes = encodeBatch({ records, timestamp: nowMs, isTransactional, ...producer })
      return plane.append(slot, leaderEpoch, bytes, ticket)
    }
    // Version 1: one that was written before is written again, so that every marker takes an offset.
    plane.marker(slot, leaderEpoch, { ...marker, transactionVersion: 1 }, ticket)
  }

  private appended(batch: Batch<Effect>, { errorCode, a }: Done): void {
    this.isAppending = false
    const isOurs = errorCode === ErrorCode.NONE && a === batch.baseOffset
    if (!isOurs) return this.appendFailed(batch, errorCode, a)
    this.appendedOffset = batch.baseOffset + batch.size
    this.finish(batch)
    if (this.full.length > 0) this.flush()
    else this.wake()
  }

  private appendFailed(batch: Batch<Effect>, errorCode: number, baseOffset: number): void {
    const { log, partition } = this.options
    const { baseOffset: expected } = batch
    const error = errorName(errorCode)
    log.warn('a coordinator lost its place in its log', {
      partition,
      error,
      expected,
      baseOffset,
    })
    this.drop(ErrorCode.NOT_COORDINATOR)
    if (LEADERSHIP_LOST.has(errorCode)) this.state = 'away'
    else this.reloadLater()
  }

  private finish(batch: Batch<Effect>): void {
    const { onEffect } = this.options
    for (const effect of batch.effects) onEffect?.(effect)
    this.release()
    this.arm()
  }

  /** Lets go what is committed, in order. */
  private release(): void {
    const { committedOffset } = this
    for (const [ticket, reply] of this.deferred.advance(committedOffset)) {
      this.taken(ticket)?.resolve(reply)
    }
    const waiting = this.patience.findIndex(({ endOffset }) => endOffset > committedOffset)
    this.patience = waiting < 0 ? [] : this.patience.slice(waiting)
  }

  /** Gives up replies that wait for their replicas too long; they may be committed all the same. */
  private giveUp(nowMs: number): void {
    let count = 0
    while (count < this.patience.length && this.patience[count]!.deadlineMs <= nowMs) count++
    for (const { tickets } of this.patience.splice(0, count)) {
      for (const ticket of tickets) {
        this.taken(ticket)?.reject(new ShardRefused(ErrorCode.COORDINATOR_NOT_AVAILABLE))
      }
    }
  }

  /** Who waits for a ticket, for the last time. */
  private taken(ticket: number): Waiting<Request, Reply> | undefined {
    const waiting = this.tickets.get(ticket)
    this.tickets.delete(ticket)
    return waiting
  }

  /** One alarm for all that is due at a time: moved only when something is due before it. */
  private arm(): void {
    const { world } = this.options
    const nowMs = this.steadyMs
    let dueMs = Math.min(
      this.timers.nextDeadlineMs() ?? Number.POSITIVE_INFINITY,
      this.patience[0]?.deadlineMs ?? Number.POSITIVE_INFINITY,
    )
    if (!Number.isFinite(dueMs)) return
    if (this.isCurtailed) dueMs = Math.max(dueMs, nowMs + RETRY_TIMERS_MS)
    if (this.alarm !== null && this.alarm.atMs <= dueMs) return
    this.alarm?.cancel()
    const delayMs = Math.min(Math.ceil(Math.max(0, dueMs - nowMs)), WAKE_MS_MAX)
    const cancel = world.schedule(delayMs, () => {
      this.alarm = null
      this.giveUp(this.steadyMs)
      // Deferred, so that requests which came in the same turn go first.
      this.wake()
    })
    this.alarm = { atMs: nowMs + delayMs, cancel }
  }
}
