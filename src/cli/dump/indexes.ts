// The indexes beside a segment, entry by entry, held against the segment when it is there.
//
// An active index that Kafka preallocated ends in zeros: the entries end where one does not grow. An entry of the
// offset index names the position of a batch and that batch's last offset; one of the time index names the largest
// timestamp up to a batch, and the batch's last offset.
// Kafka: DumpLogSegments.dumpIndex, dumpTimeIndex, dumpTxnIndex; OffsetIndex, TimeIndex, TransactionIndex.

import { existsSync } from 'node:fs'
import type { BatchHeader } from '../../protocol/record_batch.ts'
import { FileWindow } from './file_window.ts'
import { type Fields, type Finding, problem } from './findings.ts'
import { headerAt } from './segment.ts'

const OFFSET_ENTRY_BYTES = 8
const TIME_ENTRY_BYTES = 12
const TRANSACTION_ENTRY_BYTES = 34

/** Entries of a `.index`. */
export function* dumpOffsetIndex(index: FileWindow, baseOffset: number): Generator<Finding> {
  using segment = segmentOf(index.path)
  let last = { offset: -1, position: -1 }
  for (const [at, view] of entriesOf(index, OFFSET_ENTRY_BYTES)) {
    const entry = { offset: baseOffset + view.getInt32(0), position: view.getInt32(4) }
    if (isBehindTheEnd(view, last.offset >= 0)) return yield* preallocated(index, at)
    yield { kind: 'entry', fields: { ...entry } }
    if (entry.offset <= last.offset || entry.position <= last.position) {
      yield problem('order', at, `entry ${entry.offset} at ${entry.position} does not grow`)
    } else if (segment !== null) {
      const header = batchAt(segment, entry.position)
      if (header?.lastOffset !== entry.offset) {
        const found = header === null ? 'no batch is' : `a batch up to ${header.lastOffset} is`
        const due = `offset ${entry.offset} is said to be at ${entry.position}`
        yield problem('index', at, `${due}, where ${found}`)
      }
    }
    last = entry
  }
  yield* tornTail(index, OFFSET_ENTRY_BYTES)
}

/** Entries of a `.timeindex`. */
export function* dumpTimeIndex(index: FileWindow, baseOffset: number): Generator<Finding> {
  using segment = segmentOf(index.path)
  const walk = segment === null ? null : new TimestampWalk(segment)
  let last = { timestamp: -1n, offset: -1 }
  for (const [at, view] of entriesOf(index, TIME_ENTRY_BYTES)) {
    const entry = { timestamp: view.getBigInt64(0), offset: baseOffset + view.getInt32(8) }
    if (isBehindTheEnd(view, last.offset >= 0)) return yield* preallocated(index, at)
    yield { kind: 'entry', fields: { ...entry } }
    if (entry.timestamp < last.timestamp || entry.offset < last.offset) {
      yield problem('order', at, `entry ${entry.timestamp} for ${entry.offset} does not grow`)
    } else if (walk !== null) {
      const largest = walk.largestUpTo(entry.offset)
      if (largest !== entry.timestamp) {
        const found = largest === null ? 'the segment ends before it' : `it is ${largest}`
        const due = `${entry.timestamp} is said to be the largest time up to offset ${entry.offset}`
        yield problem('index', at, `${due}; ${found}`)
      }
    }
    last = entry
  }
  yield* tornTail(index, TIME_ENTRY_BYTES)
}

/** Aborted transactions of a `.txnindex`. */
export function* dumpTransactionIndex(index: FileWindow): Generator<Finding> {
  let last = -1n
  for (const [at, view] of entriesOf(index, TRANSACTION_ENTRY_BYTES)) {
    const fields: Fields = {
      version: view.getInt16(0),
      producerId: view.getBigInt64(2),
      firstOffset: view.getBigInt64(10),
      lastOffset: view.getBigInt64(18),
      lastStableOffset: view.getBigInt64(26),
    }
    yield { kind: 'entry', fields }
    if (view.getInt16(0) !== 0) {
      yield problem('malformed', at, `version ${view.getInt16(0)}, where 0 is known`)
      return
    }
    if (view.getBigInt64(18) <= last) yield problem('order', at, 'the last offset does not grow')
    last = view.getBigInt64(18)
  }
  yield* tornTail(index, TRANSACTION_ENTRY_BYTES)
}

/** The largest timestamp of a segment's batches, walked once for offsets that ascend. */
class TimestampWalk {
  readonly #segment: FileWindow
  #position = 0
  #lastOffset = -1
  #largest = -1n

  constructor(segment: FileWindow) {
    this.#segment = segment
  }

  /** Up to the batch that holds `offset`; null when there is none. */
  largestUpTo(offset: number): bigint | null {
    while (this.#lastOffset < offset) {
      const header = batchAt(this.#segment, this.#position)
      if (header === null) return null
      this.#position += header.sizeInBytes
      this.#lastOffset = header.lastOffset
      if (header.maxTimestamp > this.#largest) this.#largest = header.maxTimestamp
    }
    return this.#largest
  }
}

function segmentOf(indexPath: string): FileWindow | null {
  const path = indexPath.replace(/\.(time)?index(?=$|\.)/, '.log')
  return existsSync(path) ? new FileWindow(path) : null
}

function batchAt(segment: FileWindow, position: number): BatchHeader | null {
  if (position < 0 || position >= segment.length) return null
  const found = headerAt(segment, position)
  return 'header' in found ? found.header : null
}

function* entriesOf(file: FileWindow, size: number): Generator<[number, DataView]> {
  for (let at = 0; at + size <= file.length; at += size) {
    const bytes = Uint8Array.from(file.view(at, size))
    if (bytes.length < size) return
    yield [at, new DataView(bytes.buffer)]
  }
}

// The first entry of an empty preallocated index is zeros as well; a real one names a batch behind the first.
function isBehindTheEnd(entry: DataView, isFollowing: boolean): boolean {
  for (let at = 0; at < entry.byteLength; at++) if (entry.getUint8(at) !== 0) return false
  return isFollowing || entry.byteLength === OFFSET_ENTRY_BYTES || entry.getBigInt64(0) === 0n
}

function* preallocated(file: FileWindow, at: number): Generator<Finding> {
  yield { kind: 'note', message: `${file.length - at} zero bytes from ${at} on: preallocated` }
}

function* tornTail(file: FileWindow, size: number): Generator<Finding> {
  const left = file.length % size
  if (left === 0) return
  yield problem('torn', file.length - left, `${left} bytes at the end are no entry of ${size}`)
}
