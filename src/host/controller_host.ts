// The controller as a shard on the metadata log.
//
// The requests of one turn are decided one after the other, each seeing the records of those before it; their records
// go out as one batch, and a reply leaves when the high watermark covers the last offset the shard had when the
// reply was computed. So an uncommitted fact never escapes, reads included (DESIGN §5).
// Invariant: requests are held while no controller is active here, and answered in order once one is.
// Kafka: QuorumController's event queue, DeferredEventQueue.

import {
  type ControllerReply,
  type ControllerRequest,
  ControllerShard,
} from '../controller/controller.ts'
import type { ControllerSettings } from '../controller/state.ts'
import { DeferredReplies } from '../coordinator/deferred.ts'
import { Decision } from '../coordinator/shard.ts'
import type { MetadataImage, Provenance } from '../metadata/image.ts'
import type { MetadataRecord } from '../metadata/record.ts'
import type { Cancel, World } from './world.ts'

/** How many records one batch holds before the next request starts another. */
const BATCH_RECORDS_MAX = 10_000
/** How many requests may wait for a controller. */
const WAITING_MAX = 10_000

interface Waiting {
  readonly request: ControllerRequest
  readonly resolve: (reply: ControllerReply) => void
  readonly reject: (problem: Error) => void
}

export interface ControllerHostOptions {
  world: World
  settings: () => ControllerSettings
  /** Appends one batch in an epoch; false when this node does not lead it any more. */
  propose: (epoch: number, baseOffset: number, records: readonly MetadataRecord[]) => boolean
}

/** No controller will answer: the queue is full or the node stops. */
export class ControllerUnavailable extends Error {
  override readonly name = 'ControllerUnavailable'
}

/** Hosts the active controller, when this node is the leader. */
export class ControllerHost {
  private readonly options: ControllerHostOptions
  private shard: ControllerShard | null = null
  private epoch = -1
  private highWatermark = 0
  private waiting: Waiting[] = []
  private deferred = new DeferredReplies<ControllerReply>()
  private timers = new Map<string, Cancel>()
  private tickets = new Map<number, Waiting>()
  private nextTicket = 1
  private isScheduled = false
  private isStopped = false

  constructor(options: ControllerHostOptions) {
    this.options = options
  }

  get isActive(): boolean {
    return this.shard !== null
  }

  /** Asks the controller; the promise settles when the answer is committed. */
  submit<K extends ControllerRequest['kind']>(
    request: Extract<ControllerRequest, { kind: K }>,
  ): Promise<Extract<ControllerReply, { kind: K }>> {
    return new Promise((resolve, reject) => {
      if (this.isStopped || this.waiting.length >= WAITING_MAX) {
        return reject(new ControllerUnavailable('no controller can take the request'))
      }
      const settle = resolve as (reply: ControllerReply) => void
      this.waiting.push({ request, resolve: settle, reject })
      this.wake()
    })
  }

  /** This node leads `epoch`; `image` is everything committed, and the log holds nothing above it. */
  activate(epoch: number, image: MetadataImage, nextOffset: number): void {
    const { world, settings } = this.options
    const shard = new ControllerShard(settings(), world.random.fork())
    const at: Provenance = { ...image.provenance, offset: nextOffset - 1, epoch }
    shard.load(
      image.features.metadataVersion === undefined ? [] : image.toRecords(),
      at,
      image.isInTransaction,
    )
    this.shard = shard
    this.epoch = epoch
    const activation: Waiting = {
      request: { kind: 'activate' },
      resolve: () => world.log.info('controller is active', { epoch }),
      reject: () => {},
    }
    this.waiting.unshift(activation)
    this.wake()
  }

  /** Leadership is lost: what was not committed may never be. Held requests wait for the next leader. */
  resign(): void {
    this.shard = null
    for (const cancel of this.timers.values()) cancel()
    this.timers.clear()
    this.deferred = new DeferredReplies()
    for (const { reject } of this.tickets.values()) {
      reject(new ControllerUnavailable('the controller lost its leadership'))
    }
    this.tickets.clear()
  }

  /** Everything below `offset` is committed. */
  committed(offset: number): void {
    this.highWatermark = offset
    for (const [ticket, reply] of this.deferred.advance(offset)) {
      const waiting = this.tickets.get(ticket)
      this.tickets.delete(ticket)
      waiting?.resolve(reply)
    }
  }

  stop(): void {
    this.isStopped = true
    this.resign()
    for (const { reject } of this.waiting.splice(0)) {
      reject(new ControllerUnavailable('the node is stopping'))
    }
  }

  private wake(): void {
    if (this.isScheduled || this.shard === null) return
    this.isScheduled = true
    this.options.world.defer(() => {
      this.isScheduled = false
      this.run()
    })
  }

  private run(): void {
    const { shard } = this
    if (shard === null || this.waiting.length === 0) return
    const batch = new Batch(shard.nextOffset)
    while (this.waiting.length > 0 && batch.records.length < BATCH_RECORDS_MAX) {
      const waiting = this.waiting.shift()!
      const ticket = this.nextTicket++
      this.tickets.set(ticket, waiting)
      const decision: ControllerDecision = new Decision()
      shard.handle(waiting.request, ticket, this.options.world.clock.nowMs(), decision)
      this.accept(shard, decision, batch)
    }
    this.finish(batch)
    if (this.waiting.length > 0) this.wake()
  }

  private expire(key: string): void {
    const { shard } = this
    if (shard === null) return
    const batch = new Batch(shard.nextOffset)
    const decision: ControllerDecision = new Decision()
    shard.expire(key, this.options.world.clock.nowMs(), decision)
    this.accept(shard, decision, batch)
    this.finish(batch)
  }

  private accept(shard: ControllerShard, decision: ControllerDecision, batch: Batch): void {
    for (const record of decision.records) {
      shard.replay(record, batch.baseOffset + batch.records.length)
      batch.records.push(record)
    }
    batch.decided.push({ endOffset: shard.nextOffset, replies: decision.replies })
    for (const [key, atMs] of decision.timers) this.arm(key, atMs)
  }

  private finish({ baseOffset, records, decided }: Batch): void {
    if (records.length > 0 && !this.options.propose(this.epoch, baseOffset, records)) {
      return this.resign()
    }
    for (const { endOffset, replies } of decided) this.deferred.defer(endOffset, replies)
    this.committed(this.highWatermark)
  }

  private arm(key: string, atMs: number | null): void {
    this.timers.get(key)?.()
    this.timers.delete(key)
    if (atMs === null) return
    const { world } = this.options
    const delay = Math.max(0, atMs - world.clock.nowMs())
    this.timers.set(
      key,
      world.schedule(delay, () => this.expire(key)),
    )
  }
}

type ControllerDecision = Decision<MetadataRecord, ControllerReply>

class Batch {
  readonly records: MetadataRecord[] = []
  readonly decided: { endOffset: number; replies: ControllerDecision['replies'] }[] = []
  readonly baseOffset: number

  constructor(baseOffset: number) {
    this.baseOffset = baseOffset
  }
}
