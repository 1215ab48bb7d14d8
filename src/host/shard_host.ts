// A coordinator shard on one partition that this node leads: load, decide, append, defer, unload.
//
// The requests of one turn are decided one after the other, each seeing the records of those before it; their records
// are one batch and one append, and a reply leaves when the high watermark covers the last offset the shard had when
// the reply was computed. Reads wait too, so an uncommitted fact never escapes (DESIGN §5).
// Invariants: one append is in flight at most, so nothing is ever written on top of a batch that failed; nothing is
// decided behind a transaction's end until the log has taken or refused it; requests go
// before timers of the same turn, so a heartbeat that is already here beats its session's end; deadlines are kept in
// time that does not jump, though shards think in wall time; whatever goes wrong with the log drops the shard, and it is
// read back from what the log has.
// Kafka: CoordinatorRuntime, CoordinatorLoaderImpl, CoordinatorOperationExceptionHelper.

import { Decision, type Shard, type TimerKey } from '../coordinator/shard.ts'
import type { Log } from '../lib/log.ts'
import { TimerQueue } from '../lib/timers.ts'
import type { DataPlane, Slot } from '../plane/plane.ts'
import { ErrorCode, errorName } from '../protocol/errors.ts'
import { BATCH_HEADER_BYTES, encodeBatch, type Recode } from '../protocol/record_batch.ts'
import { Batch, type End, sizeOf } from './shard_batch.ts'
import { type Gate, loadShard } from './shard_loader.ts'
import { type RecordCodec, ShardLog } from './shard_log.ts'
import { ShardRefused, ShardReplies, type Waiting } from './shard_replies.ts'
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

/** Said of a transaction's end that comes too late: somebody newer speaks for the producer. */
const IS_PAST: ReadonlySet<number> = new Set([
  ErrorCode.INVALID_PRODUCER_EPOCH,
  ErrorCode.TRANSACTION_COORDINATOR_FENCED,
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
  private readonly replies = new ShardReplies<Request, Reply>()
  private readonly timers = new TimerQueue<TimerKey>()
  private batch = new Batch<Effect, Reply>(0)
  /** Batches that are full and wait for the append in flight. */
  private full: Batch<Effect, Reply>[] = []
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
    const { deferred, open } = this.replies.counts
    return { deferred, open: open + this.queue.length }
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
    if (this.state === 'active') this.replies.release(this.committedOffset)
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
    this.timers.clear()
    this.alarm?.cancel()
    this.alarm = null
    this.cancelReload()
    const open = [...this.replies.drop(), ...this.queue]
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
    while (taken < this.queue.length && this.mayDecide && this.shard === shard) {
      this.decide(shard, this.queue[taken++]!, clock.nowMs())
    }
    // A refusal may have dropped the shard and its queue.
    if (this.shard !== shard) return
    this.queue = this.queue.slice(taken)
    this.isCurtailed = !this.options.canCommit()
    if (!this.isCurtailed) this.expire(shard)
    if (this.shard === shard) this.flush()
  }

  /** What is decided next has a batch to go to, and nothing before it is in doubt. */
  private get mayDecide(): boolean {
    return this.full.length === 0 && this.batch.end === null
  }

  private decide(
    shard: Shard<Request, Record, Reply, Effect>,
    waiting: Waiting<Request, Reply>,
    nowMs: number,
  ): void {
    const ticket = this.replies.expect(waiting)
    const decision = new Decision<Record, Reply, Effect>()
    shard.handle(waiting.request, ticket, nowMs, decision)
    this.accept(shard, decision, nowMs, waiting.request)
  }

  private expire(shard: Shard<Request, Record, Reply, Effect>): void {
    const { clock } = this.options.world
    const { steadyMs } = this
    while (this.mayDecide && this.shard === shard) {
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
    if (marker !== null) {
      batch.end = { marker, replies: decision.replies }
      return
    }
    for (const record of decision.records) {
      shard.replay(record, this.nextOffset++, transaction?.producerId)
    }
    if (stored.length > 0) batch.producer = transaction
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
    const isCommitted = this.nextOffset <= this.committedOffset
    const patienceMs = isCommitted ? Number.POSITIVE_INFINITY : this.options.commitTimeoutMs()
    this.replies.defer(this.nextOffset, replies, this.steadyMs + patienceMs)
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
    if (!fits && !batch.isEmpty) {
      this.full.push(batch)
      this.batch = new Batch(this.nextOffset)
    }
    return true
  }

  /** The records of one decision are more than a batch may hold: none of them becomes true. */
  private refuse(decision: Decision<Record, Reply, Effect>, request: Request | null): void {
    const { kind, log, partition } = this.options
    const asked = decision.replies.map(([ticket]) => ticket)
    this.replies.refuse(asked, ErrorCode.MESSAGE_TOO_LARGE)
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
    if (next.isEmpty) this.finish(next)
    else this.append(next)
  }

  private append(batch: Batch<Effect, Reply>): void {
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

  private write(
    plane: DataPlane,
    { end, producer, records }: Batch<Effect, Reply>,
    nowMs: number,
    ticket: number,
  ): void {
    const { slot, leaderEpoch } = this
    if (end !== null) return plane.marker(slot, leaderEpoch, end.marker, ticket)
    const isTransactional = producer !== null
    const bytes = encodeBatch({ records, timestamp: nowMs, isTransactional, ...producer })
    plane.append(slot, leaderEpoch, bytes, ticket)
  }

  private appended(batch: Batch<Effect, Reply>, done: Done): void {
    this.isAppending = false
    const { baseOffset, end, records } = batch
    const { errorCode, a } = done
    if (end !== null) {
      if (!this.ended(baseOffset, end, done)) return this.appendFailed(batch, errorCode, a)
    } else {
      const isOurs = errorCode === ErrorCode.NONE && a === baseOffset
      if (!isOurs) return this.appendFailed(batch, errorCode, a)
      this.appendedOffset = baseOffset + records.length
    }
    this.finish(batch)
    if (this.full.length > 0) this.flush()
    else this.wake()
  }

  /** What the log says to a transaction's end: it is there, it was there before, or it is of the past. */
  private ended(baseOffset: number, { marker, replies }: End<Reply>, { errorCode, a }: Done) {
    if (IS_PAST.has(errorCode)) {
      this.replies.refuse(
        replies.map(([ticket]) => ticket),
        errorCode,
      )
      return true
    }
    const isWritten = errorCode === ErrorCode.NONE && a === baseOffset
    const wasWritten = errorCode === ErrorCode.NONE && a === baseOffset - 1
    if (isWritten) {
      this.shard!.endTransaction?.(marker.producerId, marker.isCommit)
      this.nextOffset = baseOffset + 1
      this.appendedOffset = this.nextOffset
      this.batch = new Batch(this.nextOffset)
    }
    if (isWritten || wasWritten) this.defer(replies)
    return isWritten || wasWritten
  }

  private appendFailed(batch: Batch<Effect, Reply>, errorCode: number, baseOffset: number): void {
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

  private finish({ effects }: Batch<Effect, Reply>): void {
    const { onEffect } = this.options
    for (const effect of effects) onEffect?.(effect)
    this.replies.release(this.committedOffset)
    this.arm()
  }

  /** One alarm for all that is due at a time: moved only when something is due before it. */
  private arm(): void {
    const { world } = this.options
    const nowMs = this.steadyMs
    let dueMs = Math.min(
      this.timers.nextDeadlineMs() ?? Number.POSITIVE_INFINITY,
      this.replies.deadlineMs,
    )
    if (!Number.isFinite(dueMs)) return
    if (this.isCurtailed) dueMs = Math.max(dueMs, nowMs + RETRY_TIMERS_MS)
    if (this.alarm !== null && this.alarm.atMs <= dueMs) return
    this.alarm?.cancel()
    const delayMs = Math.min(Math.ceil(Math.max(0, dueMs - nowMs)), WAKE_MS_MAX)
    const cancel = world.schedule(delayMs, () => {
      this.alarm = null
      this.replies.giveUp(this.steadyMs)
      // Deferred, so that requests which came in the same turn go first.
      this.wake()
    })
    this.alarm = { atMs: nowMs + delayMs, cancel }
  }
}
