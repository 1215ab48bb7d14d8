// The partitions of one model plane by slot, and the verbs about them: who waits for a ticket gets exactly
// one answer, stale commands are counted and not obeyed. docs/SEAM.md says which error is whose.

import type { Clock } from '../lib/clock.ts'
import type { Random } from '../lib/random.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { encodeMarker } from '../protocol/transaction_marker.ts'
import { CleanableColumn, counterColumn, LookupKind, RetireMode } from './layout.ts'
import type { ModelDisk } from './model_disk.ts'
import type { ModelFacts } from './model_facts.ts'
import { ModelLog } from './model_log.ts'
import { ModelPartition, type PartitionContext } from './model_partition.ts'
import type { CleanOptions, Retention, Slot, Ticket, TransactionMarker } from './plane.ts'
import {
  type CreatePartition,
  type DirectoryLimits,
  type PartitionConfig,
  PlaneError,
} from './plane.ts'

const PRODUCER_ROW_BYTES = 48
/** How long a marker waits for its replicas. */
const MARKER_MS = 30_000
const REFUSED_COLUMN = {
  full: counterColumn.produceRefusedFull,
  crc: counterColumn.invalidCrc,
  sequence: counterColumn.invalidSequence,
  key: counterColumn.noKeyCompacted,
} as const

export interface PartitionsContext {
  readonly nodeId: number
  readonly isFullValidation: boolean
  readonly clock: Clock
  readonly random: Random
  readonly disk: ModelDisk
  readonly facts: ModelFacts
  readonly count: (column: number, by: number) => void
  /** Something that requests wait for may have changed. */
  readonly changed: () => void
  /** A transaction's end was written. */
  readonly marked: (partition: ModelPartition, producerId: number, producerEpoch: number) => void
  /** Lets requests look at once. */
  readonly settle: () => void
}

/** Slots and their partitions. */
export class ModelPartitions {
  readonly #context: PartitionsContext
  readonly #partitions = new Map<Slot, ModelPartition>()
  readonly #failedDirectories = new Set<string>()
  /** Bytes that clients' batches may still add, by directory; where there is no limit there is no entry. */
  readonly #room = new Map<string, number>()
  #marking: { ticket: Ticket; partition: ModelPartition; offset: number; deadlineMs: number }[] = []
  readonly #partitionContext: PartitionContext

  constructor(context: PartitionsContext) {
    this.#context = context
    const { facts, changed, count, disk } = context
    this.#partitionContext = {
      nodeId: context.nodeId,
      isFullValidation: context.isFullValidation,
      nowMs: () => context.clock.nowMs(),
      errnoOf: (directory) => disk.errnoOf(directory),
      roomIn: (directory) => this.#room.get(directory) ?? Number.POSITIVE_INFINITY,
      takeRoom: (directory, bytes) => {
        const left = this.#room.get(directory)
        if (left !== undefined) this.#room.set(directory, left - bytes)
      },
      events: {
        changed,
        highWatermark: ({ slot, leaderEpoch, highWatermark }) =>
          facts.push((sink) => sink.highWatermark(slot, leaderEpoch, highWatermark)),
        caughtUp: ({ slot, leaderEpoch }, replicaId) =>
          facts.push((sink) => sink.caughtUp(slot, leaderEpoch, replicaId)),
        fenced: ({ slot }, leaderEpoch) => facts.push((sink) => sink.fenced(slot, leaderEpoch)),
        refused: (reason) => count(REFUSED_COLUMN[reason], 1),
        directoryFailed: ({ options }, errno) => this.#directoryFailed(options.directory, errno),
      },
    }
  }

  get(slot: Slot): ModelPartition | undefined {
    return this.#partitions.get(slot)
  }

  create(options: CreatePartition, ticket: Ticket): void {
    const { slot, directory } = options
    if (this.#partitions.has(slot)) throw new PlaneError('SLOT_IN_USE', `slot ${slot} is in use`)
    const { disk, clock } = this.#context
    const errno = this.#failedDirectories.has(directory) ? 0 : disk.errnoOf(directory)
    if (errno !== 0 || this.#failedDirectories.has(directory)) {
      this.#done(ticket, ErrorCode.KAFKA_STORAGE_ERROR, -1, -1, errno)
      return
    }
    const nowMs = clock.nowMs()
    const store = disk.open(options, options.logStartOffset, nowMs)
    const { random } = this.#context
    const log = new ModelLog(store, options.config, { ...options, nowMs, random })
    this.#partitions.set(slot, new ModelPartition(options, log, this.#partitionContext))
    this.#done(ticket, ErrorCode.NONE, log.logStartOffset, log.logEndOffset, log.bytesCut)
  }

  /** A verb without a ticket; `run` says false when it was stale. */
  command(slot: Slot, run: (partition: ModelPartition) => boolean): void {
    const partition = this.#partitions.get(slot)
    if (partition === undefined || !run(partition)) this.#stale()
  }

  configure(slot: Slot, config: PartitionConfig): void {
    this.command(slot, (partition) => {
      partition.configure(config)
      return true
    })
  }

  setHighWatermark(slot: Slot, leaderEpoch: number, highWatermark: number): void {
    this.command(slot, (partition) => {
      const isObeyed = partition.options.isRaft && leaderEpoch >= partition.leaderEpoch
      if (isObeyed) partition.setHighWatermark(highWatermark)
      return isObeyed
    })
  }

  #stale(): void {
    this.#context.count(counterColumn.staleCommands, 1)
  }

  trim(slot: Slot, logStartOffset: number, ticket: Ticket): void {
    this.#asked(slot, ticket, (partition) => {
      const errorCode = partition.trim(logStartOffset)
      this.#done(ticket, errorCode, partition.log.logStartOffset, -1, -1)
    })
  }

  cleanable(slot: Slot, firstDirtyOffset: number, minLagMs: number, ticket: Ticket): void {
    const partition = this.#partitions.get(slot)
    const isKnown = partition !== undefined
    const errorCode = isKnown ? ErrorCode.NONE : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    const bytes = new Uint8Array(isKnown ? Object.keys(CleanableColumn).length * 8 : 0)
    if (isKnown) {
      const found = partition.cleanable(firstDirtyOffset, minLagMs)
      const view = new DataView(bytes.buffer)
      for (const [name, column] of Object.entries(CleanableColumn)) {
        view.setFloat64(column * 8, found[name as keyof typeof found], true)
      }
    }
    this.#context.facts.push((sink) => sink.data(ticket, errorCode, bytes, 0, 0))
  }

  clean(slot: Slot, options: CleanOptions, ticket: Ticket): void {
    this.#asked(slot, ticket, (partition) => {
      const { errorCode, next, before, after } = partition.clean(options)
      this.#done(ticket, errorCode, next, before, after)
    })
  }

  retain(slot: Slot, retention: Retention, ticket: Ticket): void {
    this.#asked(slot, ticket, (partition) => {
      const { errorCode, segments, isMore } = partition.retain(retention)
      this.#done(ticket, errorCode, partition.log.logStartOffset, segments, isMore ? 1 : 0)
    })
  }

  truncate(slot: Slot, leaderEpoch: number, offset: number, ticket: Ticket): void {
    this.#asked(slot, ticket, (partition) => {
      const errorCode = partition.truncate(leaderEpoch, offset)
      const isStale = leaderEpoch !== partition.leaderEpoch && !partition.options.isRaft
      if (isStale) this.#stale()
      this.#done(ticket, errorCode, partition.log.logEndOffset, -1, -1)
    })
  }

  copy(slot: Slot, source: Slot, bytesMax: number, ticket: Ticket): void {
    const [copy, from] = [this.#partitions.get(slot), this.#partitions.get(source)]
    const answer = (errorCode: number, bytes: number): void =>
      this.#done(
        ticket,
        errorCode,
        copy?.log.logEndOffset ?? -1,
        from?.log.logEndOffset ?? -1,
        bytes,
      )
    if (copy === undefined || from === undefined) {
      answer(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 0)
      return
    }
    const [errorCode, bytes] = copy.copy(from, bytesMax)
    answer(errorCode, bytes)
  }

  retire(slot: Slot, mode: number, ticket: Ticket): void {
    this.#asked(slot, ticket, (partition) => {
      partition.isRetired = true
      this.#partitions.delete(slot)
      this.#context.changed()
      this.#context.settle()
      // What lies in a failed directory stays as it is.
      const isKept = partition.isOffline
      if (mode === RetireMode.delete && !isKept) this.#context.disk.remove(partition.options)
      else partition.log.close(!partition.isOffline)
      this.#done(ticket, ErrorCode.NONE, -1, -1, -1)
    })
  }

  append(slot: Slot, leaderEpoch: number, batches: Uint8Array, ticket: Ticket): void {
    this.#asked(slot, ticket, (partition) => {
      const { errorCode, baseOffset } = partition.append(leaderEpoch, batches)
      if (errorCode === ErrorCode.FENCED_LEADER_EPOCH) this.#stale()
      this.#done(ticket, errorCode, baseOffset, partition.log.logEndOffset, 0)
    })
  }

  marker(slot: Slot, leaderEpoch: number, marker: TransactionMarker, ticket: Ticket): void {
    this.#asked(slot, ticket, (partition) => {
      const { producerId, producerEpoch, transactionVersion } = marker
      const batch = encodeMarker(marker)
      const marked = partition.mark(leaderEpoch, batch, transactionVersion)
      const { errorCode, offset, isRepeated } = marked
      if (errorCode !== ErrorCode.NONE) {
        this.#done(ticket, errorCode, -1, -1, 0)
        return
      }
      if (!isRepeated) this.#context.marked(partition, producerId, producerEpoch)
      const deadlineMs = this.#context.clock.monotonicUs() / 1000 + MARKER_MS
      this.#marking.push({ ticket, partition, offset, deadlineMs })
    })
  }

  /** Answers markers that are replicated, or never will be. */
  settleMarkers(): void {
    const nowMs = this.#context.clock.monotonicUs() / 1000
    this.#marking = this.#marking.filter(({ ticket, partition, offset, deadlineMs }) => {
      const isLate = nowMs >= deadlineMs
      const late = isLate ? ErrorCode.REQUEST_TIMED_OUT : null
      const outcome = partition.produceOutcome(offset + 1) ?? late
      if (outcome !== null) this.#done(ticket, outcome, offset, offset + 1, 0)
      return outcome === null
    })
  }

  admit(slot: Slot, answer: (partition: ModelPartition) => void): void {
    this.command(slot, (partition) => {
      answer(partition)
      return true
    })
  }

  flush(slot: Slot, ticket: Ticket): void {
    this.#asked(slot, ticket, (partition) => {
      const { directory } = partition.options
      const errno = this.#context.disk.errnoOf(directory)
      if (errno !== 0) this.#directoryFailed(directory, errno)
      const errorCode = partition.isOffline ? ErrorCode.KAFKA_STORAGE_ERROR : ErrorCode.NONE
      if (!partition.isOffline) partition.log.flush()
      this.#done(ticket, errorCode, partition.log.recoveryPoint, -1, -1)
    })
  }

  read(slot: Slot, offset: number, bytesMax: number, ticket: Ticket): void {
    const partition = this.#partitions.get(slot)
    const answer = (errorCode: number, bytes: Uint8Array, a: number, b: number): void =>
      this.#context.facts.push((sink) => sink.data(ticket, errorCode, bytes, a, b))
    const nothing = new Uint8Array(0)
    if (partition === undefined) {
      answer(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, nothing, -1, -1)
      return
    }
    const { log, highWatermark } = partition
    if (offset < log.logStartOffset || offset > log.logEndOffset) {
      answer(ErrorCode.OFFSET_OUT_OF_RANGE, nothing, highWatermark, log.logEndOffset)
      return
    }
    const bytes = log.read(offset, log.logEndOffset, bytesMax, true)
    answer(ErrorCode.NONE, bytes, highWatermark, log.logEndOffset)
  }

  lookup(slot: Slot, kind: number, argument: number, ticket: Ticket): void {
    this.#asked(slot, ticket, ({ log, lastStableOffset, isOffline }) => {
      if (isOffline) return this.#done(ticket, ErrorCode.KAFKA_STORAGE_ERROR, -1, -1, -1)
      if (kind === LookupKind.oldestSegment) {
        const oldest = log.oldestSegment(lastStableOffset)
        this.#done(ticket, ErrorCode.NONE, oldest.nextOffset, oldest.maxTimestamp, oldest.bytes)
        return
      }
      if (kind === LookupKind.epochEnd) {
        const { epoch, endOffset } = log.epochEnd(argument)
        this.#done(ticket, ErrorCode.NONE, endOffset, epoch, -1)
        return
      }
      const isTimestamp = kind === LookupKind.timestamp
      const found = isTimestamp ? log.findTimestamp(BigInt(argument)) : log.findMaxTimestamp()
      const { offset, timestamp, leaderEpoch } = found
      this.#done(ticket, ErrorCode.NONE, offset, Number(timestamp), leaderEpoch)
    })
  }

  producers(slot: Slot, ticket: Ticket): void {
    const partition = this.#partitions.get(slot)
    const isKnown = partition !== undefined
    const errorCode = isKnown ? ErrorCode.NONE : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    const rows = partition === undefined ? new Uint8Array(0) : producerRows(partition)
    this.#context.facts.push((sink) => sink.data(ticket, errorCode, rows, 0, 0))
  }

  /** A verb with a ticket: an unknown slot is answered too. */
  #asked(slot: Slot, ticket: Ticket, run: (partition: ModelPartition) => void): void {
    const partition = this.#partitions.get(slot)
    if (partition !== undefined) run(partition)
    else this.#done(ticket, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1, -1)
  }

  #done(ticket: Ticket, errorCode: number, a: number, b: number, c: number): void {
    this.#context.facts.push((sink) => sink.done(ticket, errorCode, a, b, c))
  }

  /** Files of the model keep no blocks, so that none are given back. */
  limitDirectory(directory: string, { clientBytes }: DirectoryLimits): void {
    if (clientBytes < 0) this.#room.delete(directory)
    else this.#room.set(directory, clientBytes)
  }

  /** Its partitions go offline; false when that was known. */
  failDirectory(directory: string): boolean {
    for (const partition of this.#partitions.values()) {
      if (partition.options.directory === directory) partition.isOffline = true
    }
    this.#context.changed()
    const isNews = !this.#failedDirectories.has(directory)
    this.#failedDirectories.add(directory)
    return isNews
  }

  #directoryFailed(directory: string, errno: number): void {
    if (!this.failDirectory(directory)) return
    this.#context.facts.push((sink) => sink.directoryFailed(directory, errno))
  }

  expireProducers(expirationMs: number): void {
    const nowMs = this.#context.clock.nowMs()
    for (const { log } of this.#partitions.values()) {
      log.producers.expire(nowMs, log.config.producerIdExpirationMs ?? expirationMs)
    }
  }

  flushWhenDue(): void {
    const nowMs = this.#context.clock.nowMs()
    for (const { log } of this.#partitions.values()) log.flushWhenDue(nowMs)
  }

  close(isClean: boolean): void {
    for (const { log, isOffline } of this.#partitions.values()) log.close(isClean && !isOffline)
  }
}

function producerRows(partition: ModelPartition): Uint8Array {
  const { producers } = partition.log
  const rows = new Uint8Array(producers.size * PRODUCER_ROW_BYTES)
  const view = new DataView(rows.buffer)
  let at = 0
  for (const [id, state] of producers.entries()) {
    view.setFloat64(at, id, true)
    view.setFloat64(at + 8, Number(state.lastTimestamp), true)
    view.setFloat64(at + 16, state.txnFirstOffset, true)
    view.setInt32(at + 24, state.producerEpoch, true)
    view.setInt32(at + 28, state.batches.at(-1)?.lastSequence ?? -1, true)
    view.setInt32(at + 32, state.coordinatorEpoch, true)
    at += PRODUCER_ROW_BYTES
  }
  return rows
}
