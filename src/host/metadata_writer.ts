// Writes the metadata log: appends and syncs in the order of raft's effects, and waits out a disk without room.
//
// An append that finds no room leaves nothing behind, and neither does any that was sent behind it: the plane takes a raft
// log's batches only where the log ends. All of them are sent again, in order, until there is room; meanwhile nothing is
// decided, nothing is lost, and the node goes on serving what it knows. A sync counts only for appends that succeeded.
// Kafka: KafkaRaftLog.appendAsLeader; there a full disk ends the controller.

import type { DataPlane, Slot } from '../plane/plane.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { Tickets } from './tickets.ts'
import type { World } from './world.ts'

const RETRY_MS = 250

export interface MetadataWriterOptions {
  world: World
  plane: DataPlane
  tickets: Tickets
  slot: Slot
  /** Everything below it is on the disk. */
  onFlushed: (logEndOffset: number) => void
  /** What failed, and not for want of room. */
  onFailed: (what: string, errorCode: number) => void
}

interface Append {
  readonly epoch: number
  readonly bytes: Uint8Array
}

/** The one who writes the metadata log. */
export class MetadataWriter {
  private readonly options: MetadataWriterOptions
  /** Appends that are not in the log yet, in order. */
  private readonly waiting: Append[] = []
  /** How many of them the plane has. */
  private sent = 0
  /** The newest end that a sync was asked for. */
  private flushTo = -1
  /** Times that there was no room; a sync that was sent before one of them proves nothing. */
  private refusals = 0
  private isFull = false
  private isTold = false
  private isStopped = false

  constructor(options: MetadataWriterOptions) {
    this.options = options
  }

  append(epoch: number, bytes: Uint8Array): void {
    const append = { epoch, bytes }
    this.waiting.push(append)
    if (!this.isFull) this.send(append)
  }

  flush(logEndOffset: number): void {
    this.flushTo = logEndOffset
    if (!this.isFull) this.sync()
  }

  /** Nothing is sent again. */
  stop(): void {
    this.isStopped = true
  }

  private send({ epoch, bytes }: Append): void {
    const { tickets, slot } = this.options
    this.sent++
    tickets.call(
      (plane, ticket) => plane.append(slot, epoch, bytes, ticket),
      ({ errorCode }) => this.answered(errorCode),
    )
  }

  private answered(errorCode: number): void {
    const { world } = this.options
    this.sent--
    if (this.isStopped) return
    if (errorCode === ErrorCode.NONE) {
      this.waiting.shift()
      if (this.isTold && this.waiting.length === 0) this.tell(false)
      return
    }
    if (!this.isNoRoom(errorCode)) return this.fail('append to the metadata log', errorCode)
    if (!this.isFull) this.refusals++
    this.isFull = true
    if (!this.isTold) this.tell(true)
    // Those behind it are refused as well.
    if (this.sent === 0) world.schedule(RETRY_MS, () => this.sendAgain())
  }

  /** From here on nothing counts. */
  private fail(what: string, errorCode: number): void {
    this.isStopped = true
    this.options.onFailed(what, errorCode)
  }

  private isNoRoom(errorCode: number): boolean {
    const { plane, slot } = this.options
    if (plane.partition(slot).isOffline) return false
    return errorCode === ErrorCode.KAFKA_STORAGE_ERROR || this.isBehind(errorCode)
  }

  /** One before it is missing. */
  private isBehind(errorCode: number): boolean {
    return this.isFull && errorCode === ErrorCode.OFFSET_OUT_OF_RANGE
  }

  private tell(isFull: boolean): void {
    const { log } = this.options.world
    this.isTold = isFull
    if (!isFull) return log.info('the disk of the metadata log has room again')
    log.error(
      'the disk of the metadata log has no room: nothing is created, deleted or changed until there is; free space',
    )
  }

  private sendAgain(): void {
    if (this.isStopped) return
    this.isFull = false
    for (const append of this.waiting) this.send(append)
    if (this.flushTo >= 0) this.sync()
  }

  private sync(): void {
    const { tickets, slot, onFlushed } = this.options
    const { flushTo, refusals } = this
    tickets.call(
      (plane, ticket) => plane.flush(slot, ticket),
      ({ errorCode }) => {
        // One that found no room is asked for again, behind what is sent again.
        if (this.isStopped || refusals !== this.refusals) return
        if (errorCode !== ErrorCode.NONE) return this.fail('flush the metadata log', errorCode)
        if (this.flushTo === flushTo) this.flushTo = -1
        onFlushed(flushTo)
      },
    )
  }
}
