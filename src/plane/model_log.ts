// One partition's log in memory: segments of whole batches, leader epochs, producers. It knows offsets, not
// watermarks. Batches arrive validated and patched; everything here is the simplest code that is right.
// Invariant: batches ascend without overlap, logStartOffset <= logEndOffset, epochs ascend in both columns.
// Kafka: UnifiedLog, LocalLog, LogSegment, LeaderEpochFileCache.

import { assert } from '../lib/assert.ts'
import { MalformedFrame } from '../lib/bytes.ts'
import type { Random } from '../lib/random.ts'
import { type BatchHeader, readBatchHeader, recordsOf } from '../protocol/record_batch.ts'
import { readMarker } from '../protocol/transaction_marker.ts'
import { decompress } from './model_codecs.ts'
import {
  dropFrom,
  type EpochEntry,
  newSegment,
  type StoredBatch,
  type StoredLog,
  type StoredSegment,
} from './model_disk.ts'
import { type CompletedTransaction, ModelProducers } from './model_producers.ts'
import type { PartitionConfig, Retention } from './plane.ts'

const NONE = { offset: -1, timestamp: -1n, leaderEpoch: -1 }

/** A record found by time. */
export interface TimedOffset {
  readonly offset: number
  readonly timestamp: bigint
  readonly leaderEpoch: number
}

/** How a log is opened. */
export interface OpenOptions {
  readonly isCleanShutdown: boolean
  readonly recoveryPoint: number
  readonly logStartOffset: number
  readonly nowMs: number
  readonly random: Random
}

/** What one call of `retain` deletes at most. */
const RETAINED_SEGMENTS_MAX = 32

/** A partition's batches, epochs and producers over its stored files. */
export class ModelLog {
  readonly store: StoredLog
  config: PartitionConfig
  readonly producers = new ModelProducers()
  logStartOffset: number
  logEndOffset: number
  recoveryPoint: number
  /** Bytes that recovery cut when this log was opened. */
  readonly bytesCut: number
  /** Told of transactions as they end. */
  onCompleted: (transaction: CompletedTransaction) => void = () => {}
  /** Since when something has waited for flush.ms; null: nothing does. */
  #unflushedSinceMs: number | null = null
  readonly #random: Random

  constructor(store: StoredLog, config: PartitionConfig, options: OpenOptions) {
    this.store = store
    this.config = config
    this.#random = options.random
    this.bytesCut = store.tornBytes
    store.tornBytes = 0
    this.#dropBelow(options.logStartOffset)
    this.logEndOffset = endOf(store)
    this.logStartOffset = Math.max(store.segments[0]!.baseOffset, options.logStartOffset)
    const wasClean = options.isCleanShutdown && store.isClean
    this.recoveryPoint = options.isCleanShutdown
      ? this.logEndOffset
      : Math.min(options.recoveryPoint, this.logEndOffset)
    if (this.recoveryPoint < this.logEndOffset) this.#unflushedSinceMs = options.nowMs
    store.isClean = false
    if (this.logStartOffset > this.logEndOffset) {
      this.startAfresh(this.logStartOffset, options.nowMs)
    }
    this.#forgetEpochsFrom(this.logEndOffset)
    this.#forgetEpochsBelow(this.logStartOffset)
    if (wasClean && store.producers !== null) this.producers.restore(store.producers)
    else this.#replayProducers()
    store.producers = null
  }

  get bytes(): number {
    let sum = 0
    for (const segment of this.store.segments) sum += segmentBytes(segment)
    return sum
  }

  /** Puts one batch at the log end; rolls the segment first where it is due. */
  append(bytes: Uint8Array, nowMs: number): BatchHeader {
    const header = readBatchHeader(bytes)
    assert(header.baseOffset >= this.logEndOffset, 'append: offsets ascend')
    if (this.#shouldRoll(header, nowMs)) {
      this.#syncTo(this.logEndOffset)
      this.store.segments.push(this.#newSegment(header.baseOffset, nowMs))
    }
    const active = this.store.segments.at(-1)!
    active.modifiedMs = nowMs
    active.batches.push({
      bytes,
      baseOffset: header.baseOffset,
      lastOffset: header.lastOffset,
      leaderEpoch: header.partitionLeaderEpoch,
      maxTimestamp: header.maxTimestamp,
    })
    this.logEndOffset = header.lastOffset + 1
    if (header.partitionLeaderEpoch >= 0) {
      this.assignEpoch(header.partitionLeaderEpoch, header.baseOffset)
    }
    if (header.producerId >= 0) this.#remember(bytes, header)
    this.#unflushedSinceMs ??= nowMs
    if (this.logEndOffset - this.recoveryPoint >= this.config.flushMessages) this.flush()
    return header
  }

  #newSegment(baseOffset: number, nowMs: number): StoredSegment {
    const { segmentMs, segmentJitterMs = 0 } = this.config
    const most = Math.min(segmentJitterMs, segmentMs)
    return newSegment(baseOffset, nowMs, most > 0 ? this.#random.nextInt(most) : 0)
  }

  #remember(bytes: Uint8Array, header: BatchHeader): void {
    if (!header.isControl) {
      this.producers.add(header)
      return
    }
    const [record] = recordsOf(bytes, header, decompress)
    const completed = this.producers.end(header, record === undefined ? null : readMarker(record))
    if (completed === null) return
    if (completed.isAborted) this.#noteAborted(completed)
    this.onCompleted(completed)
  }

  /** Into the segment of its marker; an entry that is there already stays. */
  #noteAborted(transaction: CompletedTransaction): void {
    const { lastOffset } = transaction
    const segment = this.store.segments.findLast(({ baseOffset }) => baseOffset <= lastOffset)!
    segment.aborted ??= []
    const newest = segment.aborted.at(-1)?.lastOffset ?? -1
    if (lastOffset > newest) segment.aborted.push(transaction)
  }

  /** Transactions that were aborted and overlap what is asked for. */
  aborted(from: number, upper: number): { producerId: number; firstOffset: number }[] {
    const found: CompletedTransaction[] = []
    const first = this.segmentOf(from)
    for (const segment of this.store.segments) {
      if (segment.baseOffset < first) continue
      for (const transaction of segment.aborted ?? []) {
        const overlaps = transaction.lastOffset >= from && transaction.firstOffset < upper
        if (overlaps) found.push(transaction)
        if (transaction.lastStableOffset >= upper) return found
      }
    }
    return found
  }

  #shouldRoll(header: BatchHeader, nowMs: number): boolean {
    const active = this.store.segments.at(-1)!
    const size = segmentBytes(active)
    if (size > this.config.segmentBytesMax - header.sizeInBytes) return true
    const first = active.batches[0]
    if (first === undefined) return false
    const waited =
      first.maxTimestamp >= 0n
        ? header.maxTimestamp - first.maxTimestamp
        : BigInt(nowMs - active.createdMs)
    if (waited > BigInt(this.config.segmentMs - active.jitterMs)) return true
    return header.lastOffset - active.baseOffset > 0x7fffffff
  }

  /** Everything up to the log end survives a loss of power from here on. */
  flush(): void {
    this.#syncTo(this.logEndOffset)
    this.#unflushedSinceMs = null
  }

  #syncTo(offset: number): void {
    this.store.syncedOffset = Math.max(this.store.syncedOffset, offset)
    this.recoveryPoint = Math.max(this.recoveryPoint, offset)
  }

  /** flush.ms: syncs when something has waited for it long enough. */
  flushWhenDue(nowMs: number): void {
    const since = this.#unflushedSinceMs
    if (since !== null && nowMs - since >= this.config.flushMs) this.flush()
  }

  /** Everything synced, and written down that it was. */
  close(isClean: boolean): void {
    if (isClean) this.flush()
    this.store.isClean = isClean
    this.store.producers = isClean ? this.producers.snapshot() : null
  }

  /** Drops batches at and above `offset`. */
  truncateTo(offset: number, nowMs: number): void {
    if (offset >= this.logEndOffset) return
    if (offset < this.logStartOffset) {
      this.startAfresh(offset, nowMs)
      return
    }
    dropFrom(this.store, offset)
    this.logEndOffset = endOf(this.store)
    this.logStartOffset = Math.min(this.logStartOffset, this.logEndOffset)
    this.recoveryPoint = Math.min(this.recoveryPoint, this.logEndOffset)
    this.#forgetEpochsFrom(offset)
    this.#replayProducers()
  }

  /** An empty log that begins at `offset`. */
  startAfresh(offset: number, nowMs: number): void {
    this.store.segments = [this.#newSegment(offset, nowMs)]
    this.store.epochs = []
    this.store.syncedOffset = offset
    this.logStartOffset = offset
    this.logEndOffset = offset
    this.recoveryPoint = offset
    this.#unflushedSinceMs = null
    this.producers.clear()
  }

  /** Moves the log start up; whole segments below it go, the active one stays. */
  setLogStart(offset: number): void {
    if (offset <= this.logStartOffset) return
    this.logStartOffset = offset
    this.#dropBelow(offset)
    this.#forgetEpochsBelow(offset)
  }

  #dropBelow(offset: number): void {
    const { segments } = this.store
    while (segments.length > 1 && segments[1]!.baseOffset <= offset) segments.shift()
  }

  /** The oldest segment that another one follows, wholly below `upperOffset`; -1: there is none. */
  oldestSegment(upperOffset: number): { nextOffset: number; maxTimestamp: number; bytes: number } {
    const [oldest, next] = this.store.segments
    if (next === undefined || next.baseOffset > upperOffset) {
      return { nextOffset: -1, maxTimestamp: -1, bytes: -1 }
    }
    return {
      nextOffset: next.baseOffset,
      maxTimestamp: newestMs(oldest!),
      bytes: segmentBytes(oldest!),
    }
  }

  /** Deletes from the front what is below the log start, too much, or too old; never the watermark's segment. */
  retain(
    { retentionMs, retentionBytes }: Retention,
    highWatermark: number,
    nowMs: number,
  ): { segments: number; isMore: boolean } {
    const { segments } = this.store
    let due = 0
    const mayGo = (): boolean => {
      if (due === segments.length) return false
      const next = segments[due + 1]?.baseOffset
      if (next === undefined && segments[due]!.batches.length === 0) return false
      return (next ?? this.logEndOffset) <= highWatermark
    }
    const isBelowStart = () => (segments[due + 1]?.baseOffset ?? Infinity) <= this.logStartOffset
    while (mayGo() && isBelowStart()) due++
    let excess = -retentionBytes
    for (const segment of segments.slice(due)) excess += segmentBytes(segment)
    while (retentionBytes >= 0 && mayGo() && segmentBytes(segments[due]!) <= excess) {
      excess -= segmentBytes(segments[due++]!)
    }
    while (retentionMs >= 0 && mayGo() && nowMs - newestMs(segments[due]!) > retentionMs) due++
    const gone = Math.min(due, RETAINED_SEGMENTS_MAX)
    if (gone === segments.length) {
      this.#syncTo(this.logEndOffset)
      segments.push(this.#newSegment(this.logEndOffset, nowMs))
    }
    segments.splice(0, gone)
    if (gone > 0) {
      this.logStartOffset = Math.max(this.logStartOffset, segments[0]!.baseOffset)
      this.#forgetEpochsBelow(this.logStartOffset)
    }
    return { segments: gone, isMore: gone < due }
  }

  /**
   * Whole batches of one segment from the one that holds `offset`, below `upper`. With `skipsHeaders` not headers
   * without records alone, unless nothing else is there.
   */
  read(
    offset: number,
    upper: number,
    bytesMax: number,
    atLeastOne: boolean,
    skipsHeaders = false,
  ): Uint8Array {
    const batches: Uint8Array[] = []
    let size = 0
    for (const batch of this.#run(offset, upper, skipsHeaders)) {
      const isAllowed = size + batch.bytes.length <= bytesMax || (atLeastOne && size === 0)
      if (!isAllowed) break
      batches.push(batch.bytes)
      size += batch.bytes.length
    }
    return concat(batches, size)
  }

  /** Bytes that `read` would find, whatever its limits. */
  readableBytes(offset: number, upper: number, skipsHeaders: boolean): number {
    const run = this.#run(offset, upper, skipsHeaders)
    return run.reduce((sum, batch) => sum + batch.bytes.length, 0)
  }

  #run(offset: number, upper: number, skipsHeaders: boolean): StoredBatch[] {
    if (offset >= upper) return []
    let headers: StoredBatch[] = []
    for (const segment of this.store.segments) {
      const from = segment.batches.findIndex((batch) => batch.lastOffset >= offset)
      if (from < 0) continue
      const run = segment.batches.slice(from).filter((batch) => batch.lastOffset < upper)
      if (!skipsHeaders) return run
      if (run.length === 0) break
      const first = run.findIndex(({ bytes }) => readBatchHeader(bytes).count > 0)
      if (first >= 0) return run.slice(first)
      headers = run
    }
    return headers
  }

  /** The base offset of the segment in which `offset` lies. */
  segmentOf(offset: number): number {
    const found = this.store.segments.findLast((segment) => segment.baseOffset <= offset)
    return (found ?? this.store.segments[0]!).baseOffset
  }

  /** Records where an epoch begins; entries that contradict it go. */
  assignEpoch(epoch: number, startOffset: number): void {
    const { epochs } = this.store
    const last = epochs.at(-1)
    if (last !== undefined && last.epoch === epoch && startOffset >= last.startOffset) return
    while (epochs.length > 0) {
      const entry = epochs.at(-1)!
      if (entry.epoch < epoch && entry.startOffset < startOffset) break
      epochs.pop()
    }
    epochs.push({ epoch, startOffset })
  }

  /** Where `epoch` ends here, and which epoch that answer is about; -1 and -1 when it is not known. */
  epochEnd(epoch: number): { epoch: number; endOffset: number } {
    const { epochs } = this.store
    if (epoch < 0) return { epoch: -1, endOffset: -1 }
    if (epochs.at(-1)?.epoch === epoch) return { epoch, endOffset: this.logEndOffset }
    const higher = epochs.find((entry) => entry.epoch > epoch)
    if (higher === undefined) return { epoch: -1, endOffset: -1 }
    const floor = epochs.findLast((entry) => entry.epoch <= epoch)
    return { epoch: floor?.epoch ?? epoch, endOffset: higher.startOffset }
  }

  /** The first record at or after `timestamp`, inside compressed batches too. */
  findTimestamp(timestamp: bigint): TimedOffset {
    for (const batch of this.#batches()) {
      if (batch.maxTimestamp < timestamp || batch.lastOffset < this.logStartOffset) continue
      const from = this.logStartOffset
      const found = this.#firstRecord(batch, (record) => record >= timestamp, from)
      if (found !== null) return found
    }
    return NONE
  }

  /** The first record that has the largest timestamp, below the log start too, as Kafka's. */
  findMaxTimestamp(): TimedOffset {
    let largest: StoredBatch | null = null
    for (const batch of this.#batches()) {
      if (largest === null || batch.maxTimestamp > largest.maxTimestamp) largest = batch
    }
    if (largest === null || largest.maxTimestamp < 0n) return NONE
    return this.#firstRecord(largest, (record) => record === largest.maxTimestamp, 0) ?? NONE
  }

  #firstRecord(
    batch: StoredBatch,
    accept: (time: bigint) => boolean,
    from: number,
  ): TimedOffset | null {
    const header = readBatchHeader(batch.bytes)
    const { leaderEpoch } = batch
    try {
      for (const { offset, timestamp } of recordsOf(batch.bytes, header, decompress)) {
        if (offset >= from && accept(timestamp)) return { offset, timestamp, leaderEpoch }
      }
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error
      // Its reader's error, when it comes to be read; it stops nobody here.
      return { offset: batch.baseOffset, timestamp: batch.maxTimestamp, leaderEpoch }
    }
    return null
  }

  *#batches(): Generator<StoredBatch> {
    for (const segment of this.store.segments) yield* segment.batches
  }

  #replayProducers(): void {
    this.producers.clear()
    for (const batch of this.#batches()) {
      if (batch.lastOffset < this.logStartOffset) continue
      const header = readBatchHeader(batch.bytes)
      if (header.producerId >= 0) this.#remember(batch.bytes, header)
    }
  }

  #forgetEpochsFrom(offset: number): void {
    this.store.epochs = this.store.epochs.filter((entry) => entry.startOffset < offset)
  }

  #forgetEpochsBelow(offset: number): void {
    const { epochs } = this.store
    let last: EpochEntry | undefined
    while (epochs.length > 0 && epochs[0]!.startOffset <= offset) last = epochs.shift()
    if (last !== undefined) epochs.unshift({ epoch: last.epoch, startOffset: offset })
  }
}

function endOf(store: StoredLog): number {
  const last = store.segments.at(-1)!
  return (last.batches.at(-1)?.lastOffset ?? last.baseOffset - 1) + 1
}

function segmentBytes(segment: StoredSegment): number {
  let sum = 0
  for (const batch of segment.batches) sum += batch.bytes.length
  return sum
}

/** Of its records; when its file was last written where none has one. */
function newestMs({ batches, modifiedMs }: StoredSegment): number {
  let newest = -1n
  for (const { maxTimestamp } of batches) if (maxTimestamp > newest) newest = maxTimestamp
  return newest >= 0n ? Number(newest) : modifiedMs
}

function concat(parts: readonly Uint8Array[], size: number): Uint8Array {
  const out = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
