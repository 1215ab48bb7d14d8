// A toy shard on a model plane in virtual time: counters that add up, with a parked reader and a self-destructing key.
// What the tests of host/shard_host.ts and host/shard_registry.ts stand on.

import type {
  Decision,
  Shard,
  TimerKey,
  TransactionalProducer,
} from '../../../src/coordinator/shard.ts'
import { ShardHost, type ShardKind } from '../../../src/host/shard_host.ts'
import { Gate } from '../../../src/host/shard_loader.ts'
import { ShardRegistry } from '../../../src/host/shard_registry.ts'
import { Tickets } from '../../../src/host/tickets.ts'
import type { World } from '../../../src/host/world.ts'
import { MalformedFrame } from '../../../src/lib/bytes.ts'
import { ManualClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { Random } from '../../../src/lib/random.ts'
import { TimerQueue } from '../../../src/lib/timers.ts'
import { ModelPlane } from '../../../src/plane/model.ts'
import { decompress } from '../../../src/plane/model_codecs.ts'
import { ModelDisk } from '../../../src/plane/model_disk.ts'
import type { DataPlane, FactSink } from '../../../src/plane/plane.ts'
import type { TransactionMarker } from '../../../src/protocol/transaction_marker.ts'
import { CONFIG } from '../../plane/fixture.ts'

export type CounterRequest =
  | { kind: 'add'; name: string; by: number; padding?: number }
  | { kind: 'read'; name: string }
  /** Answered by the next `add` of the name. */
  | { kind: 'watch'; name: string }
  /** Removes the name at a time, unless it is asked again. */
  | { kind: 'expireAt'; name: string; atMs: number }
  /** Adds in a producer's transaction, and ends one. */
  | { kind: 'hold'; name: string; by: number; producer: TransactionalProducer }
  | { kind: 'end'; marker: TransactionMarker }
  | { kind: 'activate' }
export type CounterReply = { total: number | null }
export type CounterRecord = { name: string; total: number | null; padding?: number }

export class CounterShard implements Shard<CounterRequest, CounterRecord, CounterReply> {
  readonly totals = new Map<string, number>()
  readonly offsets: number[] = []
  private readonly watching = new Map<string, number[]>()
  /** What transactions have added, by producer id. */
  readonly held = new Map<number, CounterRecord[]>()

  handle(
    request: CounterRequest,
    ticket: number,
    _nowMs: number,
    out: Decision<CounterRecord, CounterReply>,
  ): void {
    switch (request.kind) {
      case 'activate':
        return
      case 'read':
        out.replies.push([ticket, { total: this.totals.get(request.name) ?? null }])
        return
      case 'watch':
        this.watching.set(request.name, [...(this.watching.get(request.name) ?? []), ticket])
        return
      case 'expireAt':
        out.timers.set(request.name, request.atMs)
        out.replies.push([ticket, { total: this.totals.get(request.name) ?? null }])
        return
      case 'hold': {
        const total = (this.totals.get(request.name) ?? 0) + request.by
        out.transaction = request.producer
        out.records.push({ name: request.name, total })
        out.replies.push([ticket, { total }])
        return
      }
      case 'end':
        out.marker = request.marker
        out.replies.push([ticket, { total: null }])
        return
      case 'add': {
        const total = (this.totals.get(request.name) ?? 0) + request.by
        out.records.push({ name: request.name, total, padding: request.padding })
        const watchers = this.watching.get(request.name) ?? []
        this.watching.delete(request.name)
        for (const waiting of [ticket, ...watchers]) out.replies.push([waiting, { total }])
      }
    }
  }

  expire(timer: TimerKey, _nowMs: number, out: Decision<CounterRecord, CounterReply>): void {
    out.records.push({ name: timer, total: null })
  }

  replay(record: CounterRecord, offset: number, producerId?: number): void {
    const { name, total } = record
    this.offsets.push(offset)
    if (producerId !== undefined) {
      this.held.set(producerId, [...(this.held.get(producerId) ?? []), record])
      return
    }
    if (total === null) this.totals.delete(name)
    else this.totals.set(name, total)
  }

  endTransaction(producerId: number, isCommit: boolean): void {
    for (const { name, total } of this.held.get(producerId) ?? []) {
      if (isCommit && total !== null) this.totals.set(name, total)
    }
    this.held.delete(producerId)
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** What a test can bend. */
export interface CounterWorldOptions {
  disk?: ModelDisk
  clock?: ManualClock
  replicas?: readonly number[]
  isr?: readonly number[]
  batchBytesMax?: number
  loadBytes?: number
  canCommit?: () => boolean
}

/** One node: a plane, a partition it leads, and the host of its shard. */
export class CounterWorld {
  readonly clock: ManualClock
  readonly disk: ModelDisk
  readonly plane: ModelPlane
  readonly tickets: Tickets
  readonly registry: ShardRegistry<CounterRequest, CounterRecord, CounterReply>
  readonly world: World
  /** Every shard that was made, the current one last. */
  readonly shards: CounterShard[] = []
  readonly appends: number[] = []
  /** When set, appends answer this and do nothing. */
  failAppends = 0
  /** When set, facts are not drained. */
  isHeld = false
  private readonly gate = new Gate(1)
  private tasks: (() => void)[] = []
  private readonly timers = new TimerQueue<() => void>()
  private readonly sink: FactSink
  private readonly options: CounterWorldOptions

  constructor(options: CounterWorldOptions = {}) {
    this.options = options
    this.clock = options.clock ?? new ManualClock()
    this.disk = options.disk ?? new ModelDisk()
    this.plane = new ModelPlane({
      nodeId: 1,
      clock: this.clock,
      disk: this.disk,
      random: new Random(7),
      schedule: (task) => this.tasks.push(task),
    })
    this.tickets = new Tickets(this.bent())
    this.world = {
      clock: this.clock,
      random: new Random(3),
      files: undefined as never,
      log: silentLog,
      schedule: (delayMs, run) => {
        const task = () => run()
        this.timers.arm(task, this.clock.monotonicUs() / 1000 + delayMs)
        return () => this.timers.cancel(task)
      },
      defer: (run) => this.tasks.push(run),
    }
    this.registry = new ShardRegistry((partition) => this.host(partition))
    const nothing = () => {}
    this.sink = {
      connected: nothing,
      disconnected: nothing,
      request: nothing,
      response: nothing,
      dialled: nothing,
      done: (...fact) => this.tickets.done(...fact),
      data: (...fact) => this.tickets.data(...fact),
      highWatermark: (...fact) => this.registry.committed(...fact),
      caughtUp: nothing,
      fenced: nothing,
      verdictNeeded: nothing,
      admissionNeeded: nothing,
      directoryFailed: nothing,
      stalled: nothing,
      overflow: nothing,
    }
    this.plane.onDoorbell = () => this.tasks.push(() => this.drain())
  }

  private host(partition: number) {
    const { options } = this
    return new ShardHost<CounterRequest, CounterRecord, CounterReply>({
      world: this.world,
      log: silentLog,
      plane: this.plane,
      tickets: this.tickets,
      kind: this.kind(),
      decompress,
      partition,
      gate: this.gate,
      batchBytesMax: () => options.batchBytesMax ?? 1_000_000,
      loadBytes: () => options.loadBytes ?? 1 << 20,
      commitTimeoutMs: () => 5000,
      canCommit: options.canCommit ?? (() => true),
    })
  }

  private kind(): ShardKind<CounterRequest, CounterRecord, CounterReply> {
    return {
      create: () => {
        const shard = new CounterShard()
        this.shards.push(shard)
        return shard
      },
      codec: {
        encode: ({ name, total, padding }) => ({
          key: encoder.encode(name),
          value: total === null ? null : encoder.encode(`${total} ${'x'.repeat(padding ?? 0)}`),
        }),
        decode: ({ key, value }) => {
          const name = decoder.decode(key)
          if (name.startsWith('future')) return null
          if (name.startsWith('broken')) throw new MalformedFrame(0, 'a counter')
          return { name, total: value === null ? null : Number.parseInt(decoder.decode(value), 10) }
        },
      },
      activation: () => ({ kind: 'activate' }),
      mayWrite: ({ kind }) => kind === 'add',
      isRefusable: ({ kind, ...rest }) => kind === 'add' && !('by' in rest && rest.by < 0),
    }
  }

  /** The plane as the host sees it: appends are counted, and fail when the test says so. */
  private bent(): DataPlane {
    return new Proxy(this.plane as DataPlane, {
      get: (plane, name) => {
        if (name === 'append') {
          return (slot: number, epoch: number, batches: Uint8Array, ticket: number) => {
            this.appends.push(batches.length)
            if (this.failAppends === 0) return plane.append(slot, epoch, batches, ticket)
            const { failAppends } = this
            this.tasks.push(() => this.tickets.done(ticket, failAppends, -1, -1, -1))
          }
        }
        const value = Reflect.get(plane, name) as unknown
        return typeof value === 'function' ? value.bind(plane) : value
      },
    })
  }

  get shard(): CounterShard {
    return this.shards.at(-1)!
  }

  /** Opens partition 0 in slot 1 and leads it. */
  async open(leaderEpoch = 0): Promise<void> {
    await this.create()
    await this.lead(leaderEpoch)
  }

  async create(): Promise<void> {
    const created = this.tickets.run((plane, ticket) =>
      plane.create(
        {
          slot: 1,
          incarnation: 1,
          directory: '/data',
          topic: '__counters',
          topicId: 'J8qXRwI-Qyi2G0guFTiuYw',
          partition: 0,
          config: CONFIG,
          isCleanShutdown: false,
          recoveryPoint: 0,
          logStartOffset: 0,
          highWatermark: 0,
          isWatched: true,
          isRaft: false,
        },
        ticket,
      ),
    )
    await this.settle()
    await created
  }

  async lead(leaderEpoch: number): Promise<void> {
    const { replicas = [1], isr = replicas } = this.options
    this.plane.lead({ slot: 1, leaderEpoch, partitionEpoch: leaderEpoch, replicas, isr })
    this.registry.lead(0, 1, leaderEpoch)
    await this.settle()
  }

  submit(request: CounterRequest): Promise<CounterReply> {
    return this.registry.submit(0, request)
  }

  /** Submits and runs until nothing is left to do; the reply, or the error's code. */
  async ask(request: CounterRequest): Promise<CounterReply | number | 'waiting'> {
    const answer = this.watch(this.submit(request))
    await this.settle()
    return answer.value
  }

  /** What became of a promise, to look at without waiting. */
  watch(promise: Promise<CounterReply>): { value: CounterReply | number | 'waiting' } {
    const seen: { value: CounterReply | number | 'waiting' } = { value: 'waiting' }
    promise.then(
      (reply) => {
        seen.value = reply
      },
      (problem: { errorCode: number }) => {
        seen.value = problem.errorCode
      },
    )
    return seen
  }

  /** Runs what is due now, and what that brings. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 3; idle++) {
      while (this.tasks.length > 0) {
        this.tasks.shift()!()
        await turn()
        idle = 0
      }
      await turn()
    }
  }

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms)
    this.plane.tick()
    for (let due = this.timers.pop(this.clock.monotonicUs() / 1000); due !== undefined; ) {
      due()
      due = this.timers.pop(this.clock.monotonicUs() / 1000)
    }
    await this.settle()
  }

  /** The process is killed; another begins on the same disk. */
  async restart(leaderEpoch: number): Promise<CounterWorld> {
    this.plane.crash()
    const next = new CounterWorld({ ...this.options, disk: this.disk, clock: this.clock })
    await next.open(leaderEpoch)
    return next
  }

  /** Puts batches into the log behind the host's back. */
  async write(bytes: Uint8Array, leaderEpoch = 0): Promise<void> {
    const done = this.tickets.run((plane, ticket) => plane.append(1, leaderEpoch, bytes, ticket))
    await this.settle()
    const { errorCode } = await done
    if (errorCode !== 0) throw new Error(`not written: ${errorCode}`)
  }

  private drain(): void {
    if (!this.isHeld && this.plane.drain(this.sink) > 0) this.tasks.push(() => this.drain())
  }
}

const turn = async (): Promise<void> => {
  for (let i = 0; i < 8; i++) await Promise.resolve()
}
