// Moves replicas between the log directories of this node while they go on serving: a copy, `-future`, is filled
// beside the log; once it has everything the controller is told where the replica lies, and it takes the log's place.
//
// Order, so that a crash at any instant leaves one whole log that the next start finds: copy → told (committed) → no more
// writes → the rest is copied → both are synced and closed → the copy has the name → the old log is removed. A copy
// that a start finds is gone on with. Asked for the directory where the replica is, a move ends without a trace.
// Kafka: ReplicaAlterLogDirsManager, ReplicaManager.alterReplicaLogDirs; KIP-113, KIP-858.

import type { BrokerConfig } from '../../config/config.ts'
import type { LogDirectories, Unfinished } from '../../host/log_directories.ts'
import type { Done, Tickets } from '../../host/tickets.ts'
import type { World } from '../../host/world.ts'
import { RetireMode } from '../../plane/layout.ts'
import type { DataPlane, Slot } from '../../plane/plane.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import type { LogCleaner } from '../log_cleaner.ts'
import type { LocalPartition, Publisher } from '../publisher.ts'
import type { Assignments } from './assignments.ts'
import { MoveRate } from './move_rate.ts'

/** What may be missing of a copy when its log stops taking records for it. */
const REST_BYTES = 1 << 20
/** A step was refused for what goes on beside it. */
const RETRY_MS = 100

export interface MovesOptions {
  world: World
  plane: DataPlane
  tickets: Tickets
  publisher: Publisher
  directories: LogDirectories
  assignments: () => Assignments
  cleaner: () => LogCleaner
  /** As of now. */
  config: () => BrokerConfig
}

interface Move extends Unfinished {
  readonly slot: Slot
  /** How far the log was compacted when the copy was begun: what it got later may be compacted less. */
  readonly cleanedTo: number
  /** The copy is open. */
  isReady: boolean
  isRunning: boolean
  /** The controller has committed where the replica will lie. */
  isTold: boolean
  isCancelled: boolean
  /** It takes the log's place now, and cannot be cancelled. */
  isSwapping: boolean
  readonly ended: PromiseWithResolvers<void>
}

/** A copy that is being made. */
export interface FutureReplica {
  readonly topic: string
  readonly partition: number
  readonly directory: string
  readonly bytes: number
  /** Records that it has yet to get. */
  readonly lag: number
}

const keyOf = (topicId: string, partition: number): string => `${topicId}-${partition}`

/** The moves of a running broker. */
export class Moves {
  private readonly options: MovesOptions
  private readonly moves = new Map<string, Move>()
  private readonly rate: MoveRate
  private isStopped = false

  constructor(options: MovesOptions) {
    this.options = options
    this.rate = new MoveRate(options.world, options.config)
  }

  /** Goes on with what the last life of this node has left. */
  start(): void {
    const { directories, publisher } = this.options
    for (const found of directories.unfinished.splice(0)) {
      const local = publisher.find(found.topicId, found.partition)
      // Nobody knows what its log was like when it was begun.
      if (local !== undefined) this.begin(local, found.to, found.name, 0)
    }
  }

  /** No more steps; what was copied stays for the next start. Resolves when no files change places any more. */
  async stop(): Promise<void> {
    this.isStopped = true
    const swapping = [...this.moves.values()].filter(({ isSwapping }) => isSwapping)
    await Promise.all(swapping.map(({ ended }) => ended.promise))
  }

  /** Moves an open partition to another directory, or ends its move. An error code. */
  async alter(local: LocalPartition, to: string): Promise<number> {
    const { directories, world } = this.options
    const directory = directories.list().find(({ path }) => path === to)
    if (directory === undefined) return ErrorCode.LOG_DIR_NOT_FOUND
    if (directory.failure !== null) return ErrorCode.KAFKA_STORAGE_ERROR
    const known = this.moves.get(keyOf(local.topicId, local.partition))
    if (known !== undefined) {
      if (known.to === to) return ErrorCode.NONE
      if (known.isSwapping) {
        await known.ended.promise
        return this.alter(local, to)
      }
      await this.cancel(known, local)
    }
    if (local.state !== 'open') return ErrorCode.REPLICA_NOT_AVAILABLE
    if (local.directory === to) return ErrorCode.NONE
    const id = world.random.uuid()
    const name = directories.futureName(local.topic, local.partition, id)
    return this.begin(local, to, name, this.options.cleaner().cleanedTo(local))
  }

  /** The copies that are being made. */
  futures(): FutureReplica[] {
    const { plane, publisher } = this.options
    return [...this.moves.values()]
      .filter(({ isReady, isCancelled, isSwapping }) => isReady && !isCancelled && !isSwapping)
      .map(({ topic, topicId, partition, slot, to: directory }) => {
        const { bytes, logEndOffset } = plane.partition(slot)
        const local = publisher.find(topicId, partition)
        const end = local === undefined ? logEndOffset : plane.partition(local.slot).logEndOffset
        return { topic, partition, directory, bytes, lag: Math.max(0, end - logEndOffset) }
      })
  }

  /** We hold the partition no more: it was deleted. */
  gone(local: LocalPartition): void {
    const move = this.moves.get(keyOf(local.topicId, local.partition))
    if (move !== undefined && !move.isSwapping) void this.cancel(move, local)
  }

  /** Resolves when its copy can be seen. */
  private async begin(
    local: LocalPartition,
    to: string,
    name: string,
    cleanedTo: number,
  ): Promise<number> {
    const { plane, tickets, publisher } = this.options
    const { topic, topicId, partition } = local
    const created = publisher.copyOf(local, to, name)
    const move: Move = {
      topic,
      topicId,
      partition,
      to,
      name,
      slot: created.slot,
      cleanedTo,
      isReady: false,
      isRunning: false,
      isTold: false,
      isCancelled: false,
      isSwapping: false,
      ended: Promise.withResolvers(),
    }
    this.moves.set(keyOf(topicId, partition), move)
    const { errorCode } = await tickets.run((_, ticket) => plane.create(created, ticket))
    if (errorCode !== ErrorCode.NONE) {
      publisher.releaseSlot(move.slot)
      this.finish(move)
      return ErrorCode.KAFKA_STORAGE_ERROR
    }
    plane.follow(move.slot, 0, -1)
    move.isReady = true
    if (move.isCancelled) await this.close(move, RetireMode.delete)
    else this.next()
    return ErrorCode.NONE
  }

  /** As many at a time as there are threads for; by default one for each directory. */
  private next(): void {
    const { config, directories } = this.options
    const threads = config().get('num.replica.alter.log.dirs.threads') ?? directories.list().length
    const moves = [...this.moves.values()]
    let free = threads - moves.filter(({ isRunning }) => isRunning).length
    for (const move of moves) {
      if (free <= 0 || this.isStopped) return
      if (!move.isReady || move.isRunning || move.isCancelled) continue
      move.isRunning = true
      free--
      void this.run(move)
    }
  }

  private async run(move: Move): Promise<void> {
    const { log } = this.options.world
    const what = { topic: move.topic, partition: move.partition, directory: move.to }
    log.info('a replica moves to another log directory', what)
    const isDone =
      (await this.catchUp(move)) && (await this.tell(move)) && (await this.catchUp(move))
    if (move.isCancelled || this.isStopped) {
      // Whoever cancelled it ends it.
      move.isRunning = false
      if (move.isCancelled) await this.drop(move)
      return
    }
    if (isDone && (await this.swap(move))) log.info('a replica has moved', what)
    else {
      log.error('a replica does not move; its copy is kept for the next start', what)
      await this.close(move, RetireMode.close)
      if (!this.options.publisher.holds(move.topicId, move.partition)) this.discard(move)
    }
    this.finish(move)
  }

  /** Its topic was deleted while nobody could be told. */
  private discard({ to, name }: Move): void {
    const { directories } = this.options
    directories.discardCopy(to, name)
    void directories.removeLeftovers()
  }

  /** Until little is missing; false when it cannot go on. */
  private async catchUp(move: Move): Promise<boolean> {
    for (;;) {
      const local = this.source(move)
      if (local === undefined) return false
      const isFull = this.options.directories.pressureOf(move.to) === 'full'
      const waitMs = isFull ? RETRY_MS : this.rate.waitMs()
      if (waitMs > 0) {
        await this.rest(waitMs)
        if (this.isStopped || move.isCancelled) return false
        continue
      }
      const { errorCode, a, b, c } = await this.copy(move, local, this.rate.stepBytes())
      if (errorCode === ErrorCode.NONE) this.rate.copied(c)
      if (this.isStopped || move.isCancelled) return false
      if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
        // The log was cut below what was copied.
        const { errorCode: cut } = await this.options.tickets.run((plane, ticket) =>
          plane.truncate(move.slot, 0, b, ticket),
        )
        if (cut !== ErrorCode.NONE) return false
      } else if (errorCode === ErrorCode.OPERATION_NOT_ATTEMPTED) await this.rest(RETRY_MS)
      else if (errorCode !== ErrorCode.NONE) return false
      else if (this.missingBytes(move, b - a) < REST_BYTES) return true
    }
  }

  /** By the mean record of what is copied: a step's size says nothing, it ends where a segment does. */
  private missingBytes({ slot }: Move, records: number): number {
    const { bytes, logStartOffset, logEndOffset } = this.options.plane.partition(slot)
    return (records * bytes) / Math.max(1, logEndOffset - logStartOffset)
  }

  private source({ topicId, partition }: Move): LocalPartition | undefined {
    return this.options.publisher.find(topicId, partition)
  }

  private copy(move: Move, { slot }: LocalPartition, bytes: number): Promise<Done> {
    const { plane, tickets } = this.options
    return tickets.run((_, ticket) => plane.copy(move.slot, slot, bytes, ticket))
  }

  private rest(ms: number): Promise<void> {
    return new Promise((resolve) => this.options.world.schedule(ms, resolve))
  }

  /** Once it is committed, a start without the old directory takes the copy for the replica. */
  private async tell(move: Move): Promise<boolean> {
    const { assignments, directories } = this.options
    const told = Promise.withResolvers<void>()
    const id = directories.idOf(move.to)
    assignments().assign(move.topicId, move.partition, id, told.resolve)
    await Promise.race([told.promise, move.ended.promise])
    move.isTold = true
    return !move.isCancelled && !this.isStopped
  }

  private async swap(move: Move): Promise<boolean> {
    const { plane, publisher, directories, cleaner } = this.options
    const local = this.source(move)
    if (local === undefined) return false
    move.isSwapping = true
    let isWhole = false
    let isMoved = false
    let row = plane.partition(local.slot)
    const drained = async () => {
      isWhole = await this.copyRest(move, local)
      // What it says of itself, now that nothing changes any more.
      row = plane.partition(local.slot)
      const closed = await this.close(move, RetireMode.close)
      isWhole &&= closed === ErrorCode.NONE
    }
    await publisher.reopen(local, drained, () => {
      const copied = { ...move, from: local.directory }
      isMoved = isWhole && directories.replace(copied, { ...row, recoveryPoint: row.logEndOffset })
      if (isMoved) cleaner().moved(local, move.cleanedTo)
    })
    directories.arrived(move.topic, move.partition)
    void directories.removeLeftovers()
    return isMoved
  }

  /** To the very end of a log that nobody writes to. */
  private async copyRest(move: Move, local: LocalPartition): Promise<boolean> {
    for (;;) {
      const { errorCode, a, b } = await this.copy(move, local, REST_BYTES)
      if (errorCode === ErrorCode.OPERATION_NOT_ATTEMPTED) await this.rest(RETRY_MS)
      else if (errorCode !== ErrorCode.NONE) return false
      else if (a === b) return true
    }
  }

  private async cancel(move: Move, local: LocalPartition): Promise<void> {
    const { assignments, directories } = this.options
    if (move.isCancelled) return move.ended.promise
    move.isCancelled = true
    if (move.isTold && local.state === 'open') {
      assignments().assign(move.topicId, move.partition, directories.idOf(local.directory))
    }
    if (!move.isRunning) await this.drop(move)
    // A step that is under way ends first, or whatever it waits for.
    else await Promise.race([move.ended.promise, this.rest(RETRY_MS).then(() => this.drop(move))])
  }

  private async drop(move: Move): Promise<void> {
    if (this.moves.get(keyOf(move.topicId, move.partition)) !== move) return
    this.finish(move)
    await this.close(move, RetireMode.delete)
  }

  private async close(move: Move, mode: number): Promise<number> {
    if (!move.isReady) return ErrorCode.NONE
    move.isReady = false
    const { plane, tickets, publisher } = this.options
    const { errorCode } = await tickets.run((_, ticket) => plane.retire(move.slot, mode, ticket))
    publisher.releaseSlot(move.slot)
    return errorCode
  }

  private finish(move: Move): void {
    move.isRunning = false
    const key = keyOf(move.topicId, move.partition)
    if (this.moves.get(key) === move) this.moves.delete(key)
    move.ended.resolve()
    this.next()
  }
}
