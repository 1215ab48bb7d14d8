// Compaction of one log of the model: which segments, which records of each batch stay. Batches that lose records are
// written again without compression; a delete horizon is kept beside the batch. So what may be compared with the
// native plane is what survives: offset, key, value, timestamp and headers.
// Kafka: Cleaner, MemoryRecords.filterTo, CleanedTransactionMetadata (KIP-534).

import { MalformedFrame } from '../lib/bytes.ts'
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  encodeBatch,
  type LogRecord,
  NO_TIMESTAMP,
  readBatchHeader,
  recordsOf,
  sealBatch,
} from '../protocol/record_batch.ts'
import { decompress } from './model_codecs.ts'
import type { StoredBatch, StoredLog, StoredSegment } from './model_disk.ts'

const LAST_OFFSET_DELTA_AT = 23
const ABORT = 0

/** What there is to compact. */
export interface ModelCleanable {
  readonly firstDirtyOffset: number
  readonly firstUncleanableOffset: number
  readonly cleanBytes: number
  readonly cleanableBytes: number
  readonly earliestDirtyTimestamp: number
}

export interface CleanBounds {
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly stableOffset: number
  readonly minLagMs: number
  readonly nowMs: number
}

const bytesOf = (segment: StoredSegment): number =>
  segment.batches.reduce((sum, { bytes }) => sum + bytes.length, 0)

/** Whole segments below the active one, the stable offset and what is too young. */
export function cleanable(
  { segments }: StoredLog,
  asked: number,
  bounds: CleanBounds,
): ModelCleanable {
  const { logStartOffset, logEndOffset, stableOffset, minLagMs, nowMs } = bounds
  const isInside = asked >= logStartOffset && asked <= logEndOffset
  const firstDirtyOffset = isInside ? asked : logStartOffset
  const floor = (offset: number) =>
    segments.findLast(({ baseOffset }) => baseOffset <= offset) ?? segments[0]!
  const first = floor(firstDirtyOffset).baseOffset
  const rolled = segments.slice(0, -1)
  const young = rolled.find(
    ({ baseOffset, batches }) =>
      minLagMs > 0 &&
      baseOffset >= first &&
      batches.some(({ maxTimestamp }) => Number(maxTimestamp) > nowMs - minLagMs),
  )
  const limits = [stableOffset, segments.at(-1)!.baseOffset, young?.baseOffset ?? stableOffset]
  const limit = Math.max(firstDirtyOffset, Math.min(...limits))
  const firstUncleanableOffset = floor(limit).baseOffset
  let [cleanBytes, cleanableBytes, earliest] = [0, 0, -1]
  for (const segment of rolled) {
    const isDirty = segment.baseOffset >= first
    if (isDirty && segment.baseOffset < firstUncleanableOffset) cleanableBytes += bytesOf(segment)
    else if (segment.baseOffset < firstDirtyOffset) cleanBytes += bytesOf(segment)
    const timestamp = Number(segment.batches[0]?.maxTimestamp ?? -1n)
    if (!isDirty || timestamp <= 0) continue
    earliest = earliest < 0 ? timestamp : Math.min(earliest, timestamp)
  }
  return {
    firstDirtyOffset,
    firstUncleanableOffset,
    cleanBytes,
    cleanableBytes,
    earliestDirtyTimestamp: earliest,
  }
}

export interface CleanRequest {
  readonly firstDirtyOffset: number
  readonly firstUncleanableOffset: number
  readonly deleteRetentionMs: number
  readonly nowMs: number
  readonly segmentBytesMax: number
  /** The last data offset of each producer: its batch keeps its header. */
  readonly lastOffsets: ReadonlyMap<number, number>
}

/** Compacts the segments below `firstUncleanableOffset`; returns their bytes before and after. */
export function clean(store: StoredLog, request: CleanRequest): { before: number; after: number } {
  const count = store.segments.findIndex((s) => s.baseOffset >= request.firstUncleanableOffset)
  const touched = store.segments.slice(0, Math.max(count, 0))
  const newest = newestOffsets(store, touched, request.firstDirtyOffset)
  const walk = new Walk(store, newest, request)
  const cleaned: StoredSegment[] = []
  let [before, after] = [0, 0]
  for (const group of groupsOf(touched, request.segmentBytesMax)) {
    const last = group.at(-1)!
    const end = last.batches.at(-1)?.lastOffset
    const batches: StoredBatch[] = []
    for (const batch of group.flatMap((segment) => segment.batches)) {
      before += batch.bytes.length
      const kept = walk.filter(batch, batch.lastOffset === end)
      if (kept === null) continue
      batches.push(kept)
      after += kept.bytes.length
    }
    const aborted = walk.takeAborted()
    cleaned.push({ ...last, baseOffset: group[0]!.baseOffset, batches, aborted })
  }
  store.segments = [...cleaned, ...store.segments.slice(touched.length)]
  return { before, after }
}

function groupsOf(segments: readonly StoredSegment[], bytesMax: number): StoredSegment[][] {
  const groups: StoredSegment[][] = []
  let size = 0
  for (const segment of segments) {
    const bytes = bytesOf(segment)
    if (groups.length > 0 && size + bytes <= bytesMax) {
      groups.at(-1)!.push(segment)
      size += bytes
    } else {
      groups.push([segment])
      size = bytes
    }
  }
  return groups
}

const keyText = (key: Uint8Array): string => String.fromCharCode(...key)

/** The records, or null: nobody can read them. */
function read(bytes: Uint8Array, header: BatchHeader): LogRecord[] | null {
  try {
    return [...recordsOf(bytes, header, decompress)]
  } catch (error) {
    if (error instanceof MalformedFrame) return null
    throw error
  }
}

function newestOffsets(
  store: StoredLog,
  segments: readonly StoredSegment[],
  from: number,
): Map<string, number> {
  const newest = new Map<string, number>()
  const transactions = new Transactions(store)
  for (const { bytes } of segments.flatMap((segment) => segment.batches)) {
    const header = readBatchHeader(bytes)
    if (header.isControl || transactions.isAborted(header)) continue
    for (const { offset, key } of read(bytes, header) ?? []) {
      if (key !== null && offset >= from) newest.set(keyText(key), offset)
    }
  }
  return newest
}

/** Which data was aborted, by the index. */
class Transactions {
  readonly all: NonNullable<StoredSegment['aborted']>

  constructor({ segments }: StoredLog) {
    this.all = segments.flatMap(({ aborted }) => aborted ?? [])
  }

  isAborted({ isTransactional, producerId, baseOffset }: BatchHeader): boolean {
    return (
      isTransactional &&
      this.all.some(
        (one) =>
          one.producerId === producerId &&
          one.firstOffset <= baseOffset &&
          baseOffset <= one.lastOffset,
      )
    )
  }
}

/** One pass over what is compacted, batch by batch. */
class Walk {
  readonly #newest: ReadonlyMap<string, number>
  readonly #request: CleanRequest
  readonly #transactions: Transactions
  /** Producers of whose open transaction some data was met. */
  readonly #met = new Set<number>()
  #aborted: NonNullable<StoredSegment['aborted']> = []

  constructor(store: StoredLog, newest: ReadonlyMap<string, number>, request: CleanRequest) {
    this.#newest = newest
    this.#request = request
    this.#transactions = new Transactions(store)
  }

  /** Entries for the index of what was written since the last call. */
  takeAborted(): NonNullable<StoredSegment['aborted']> {
    const taken = this.#aborted
    this.#aborted = []
    return taken
  }

  filter(batch: StoredBatch, isEnd: boolean): StoredBatch | null {
    const header = readBatchHeader(batch.bytes)
    const { nowMs, deleteRetentionMs, lastOffsets } = this.#request
    const records = read(batch.bytes, header)
    if (records === null) return batch
    const mayGo = header.isControl ? this.#endsEmpty(header, records) : this.#isAborted(header)
    const horizon = batch.horizonMs
    const isDue = horizon !== undefined && horizon <= nowMs
    const dropsAll = mayGo && (!header.isControl || isDue)
    const kept = dropsAll
      ? []
      : records.filter((one) => header.isControl || this.#keeps(one, isDue))
    if (kept.length === 0) {
      const isLast = lastOffsets.get(header.producerId) === header.lastOffset
      if (!isLast && !isEnd) return null
      // A producer's keeps its time; that of nobody's records is of no use to a lookup.
      const maxTimestamp = isLast ? batch.maxTimestamp : NO_TIMESTAMP
      return { ...batch, bytes: emptied(batch.bytes, maxTimestamp), maxTimestamp }
    }
    const hasTombstone = kept.some(({ value }) => value === null) || (mayGo && header.isControl)
    const horizonMs = horizon ?? (hasTombstone ? nowMs + deleteRetentionMs : undefined)
    const bytes = kept.length === records.length ? batch.bytes : rewritten(header, kept)
    const maxTimestamp = readBatchHeader(bytes).maxTimestamp
    return { ...batch, bytes, maxTimestamp, ...(horizonMs === undefined ? {} : { horizonMs }) }
  }

  #keeps({ offset, key, value }: LogRecord, isDue: boolean): boolean {
    if (key === null) return false
    return offset >= (this.#newest.get(keyText(key)) ?? -1) && (value !== null || !isDue)
  }

  #isAborted(header: BatchHeader): boolean {
    if (header.isTransactional) this.#met.add(header.producerId)
    return this.#transactions.isAborted(header)
  }

  /** A marker of a transaction of which nothing is left. */
  #endsEmpty({ producerId, lastOffset }: BatchHeader, records: readonly LogRecord[]): boolean {
    const type = records[0]?.key?.[3]
    if (type !== undefined && type > 1) return false
    const hasData = this.#met.delete(producerId)
    const ended = this.#transactions.all.find((one) => one.lastOffset === lastOffset)
    if (type === ABORT && hasData && ended !== undefined) this.#aborted.push(ended)
    return !hasData
  }
}

function rewritten(header: BatchHeader, records: readonly LogRecord[]): Uint8Array {
  const { baseOffset, lastOffset } = header
  const bytes = encodeBatch({
    records,
    baseOffset,
    partitionLeaderEpoch: header.partitionLeaderEpoch,
    isTransactional: header.isTransactional,
    isControl: header.isControl,
    producerId: header.producerId,
    producerEpoch: header.producerEpoch,
    baseSequence: header.baseSequence,
    ...(header.logAppendTime ? { logAppendTime: header.maxTimestamp } : {}),
  }).slice()
  new DataView(bytes.buffer).setInt32(LAST_OFFSET_DELTA_AT, lastOffset - baseOffset)
  sealBatch(bytes, 0, bytes.length)
  return bytes
}

/** The header alone, as DefaultRecordBatch.writeEmptyHeader. */
function emptied(batch: Uint8Array, maxTimestamp: bigint): Uint8Array {
  const bytes = batch.slice(0, BATCH_HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  view.setInt32(8, BATCH_HEADER_BYTES - 12)
  view.setInt16(21, view.getInt16(21) & ~0x47)
  view.setBigInt64(27, NO_TIMESTAMP)
  view.setBigInt64(35, maxTimestamp)
  view.setInt32(57, 0)
  sealBatch(bytes, 0, bytes.length)
  return bytes
}
