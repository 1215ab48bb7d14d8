// A segment (`.log`) or a metadata snapshot (`.checkpoint`), batch by batch. What is wrong is found and told, and the
// walk goes on where the length of a batch can still be believed.
//
// Invariant: memory is bounded by the window and by one batch of RECORDS_BYTES_MAX; checksums are taken in pieces.
// Kafka: DumpLogSegments.dumpLog, FileRecords, DefaultRecordBatch.

import { MalformedFrame } from '../../lib/bytes.ts'
import { crc32c } from '../../lib/crc32c.ts'
import { decompress } from '../../plane/model_codecs.ts'
import {
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  type BatchHeader,
  type LogRecord,
  readBatchHeader,
  recordsOf,
} from '../../protocol/record_batch.ts'
import { bytesToJson } from '../output/output.ts'
import type { FileWindow } from './file_window.ts'
import { type Fields, type Finding, problem } from './findings.ts'
import { type Decoder, decodeRecord } from './records.ts'

const RECORDS_BYTES_MAX = 128 << 20
const CRC_START = 21

export interface SegmentOptions {
  /** Offset in the file's name: none of its batches begins below. */
  readonly baseOffset: number
  readonly records: boolean
  readonly decoder: Decoder
  readonly from: number
  readonly to: number
}

/** Counts of a walk, filled while it goes. */
export interface SegmentCounts {
  batches: number
  records: number
  firstOffset: number | null
  lastOffset: number | null
  /** Bytes that are whole batches. */
  validBytes: number
}

/** What the segment holds, in order. */
export function* dumpSegment(
  file: FileWindow,
  options: SegmentOptions,
  counts: SegmentCounts,
): Generator<Finding> {
  let position = 0
  let offsetLeast = options.baseOffset
  while (position < file.length) {
    const found = headerAt(file, position)
    if (!('header' in found)) {
      yield found
      if (found.kind === 'note') counts.validBytes = position
      return
    }
    const { header } = found
    const isIntact = checksumOf(file, header) === header.crc
    if (header.lastOffset >= options.from) {
      yield { kind: 'batch', fields: batchFields(header, isIntact) }
    }
    if (!isIntact) {
      yield problem('crc', position, `the checksum of the batch at ${position} does not match`)
    }
    if (header.baseOffset < offsetLeast || header.lastOffset < header.baseOffset) {
      const range = `${header.baseOffset} to ${header.lastOffset}`
      yield problem('order', position, `offsets ${range} where ${offsetLeast} or more is due`)
    }
    if (isIntact && options.records && header.lastOffset >= options.from) {
      yield* recordsIn(file, header, options)
    }
    counts.batches++
    counts.records += header.count
    counts.firstOffset ??= header.baseOffset
    counts.lastOffset = header.lastOffset
    position += header.sizeInBytes
    counts.validBytes = position
    offsetLeast = header.lastOffset + 1
    if (offsetLeast > options.to) return
  }
}

/** The header of the batch at `position`, or why there is none. */
export function headerAt(file: FileWindow, position: number): { header: BatchHeader } | Finding {
  const left = file.length - position
  const head = Uint8Array.from(file.view(position, BATCH_HEADER_BYTES))
  const view = new DataView(head.buffer)
  if (head.length < BATCH_PREFIX_BYTES + 5) {
    if (isZeroFrom(file, position)) return preallocated(left, position)
    return torn(position, left)
  }
  const length = view.getInt32(8)
  if (length === 0 && isZeroFrom(file, position)) return preallocated(left, position)
  const magic = view.getInt8(16)
  if (magic === 0 || magic === 1) {
    const message = `message format ${magic}, from before Kafka 0.11, is not read; ${left} bytes are left`
    return problem('old-format', position, message)
  }
  if (length < BATCH_HEADER_BYTES - BATCH_PREFIX_BYTES || magic !== 2) {
    const what = `length ${length}, magic ${magic}`
    return problem('malformed', position, `no batch at ${position} (${what}); ${left} bytes left`)
  }
  if (length > left - BATCH_PREFIX_BYTES || head.length < BATCH_HEADER_BYTES) {
    return torn(position, left, length + BATCH_PREFIX_BYTES)
  }
  // The reader of headers wants all bytes of a batch; it gets a copy that says it has none but its header.
  view.setInt32(8, BATCH_HEADER_BYTES - BATCH_PREFIX_BYTES)
  try {
    const header = readBatchHeader(head)
    return { header: { ...header, position, sizeInBytes: length + BATCH_PREFIX_BYTES } }
  } catch (error) {
    if (!(error instanceof MalformedFrame)) throw error
    return problem('malformed', position, `the batch at ${position}: ${error.message}`)
  }
}

function torn(position: number, left: number, size?: number): Finding {
  const wanted = size === undefined ? '' : ` of ${size}`
  return problem(
    'torn',
    position,
    `the last batch, at ${position}, is torn: ${left}${wanted} bytes`,
  )
}

function preallocated(left: number, position: number): Finding {
  return { kind: 'note', message: `${left} zero bytes from ${position} on: preallocated` }
}

function isZeroFrom(file: FileWindow, position: number): boolean {
  for (const piece of file.pieces(position, file.length - position)) {
    if (piece.some((byte) => byte !== 0)) return false
  }
  return true
}

function checksumOf(file: FileWindow, { position, sizeInBytes }: BatchHeader): number {
  let crc = 0
  for (const piece of file.pieces(position + CRC_START, sizeInBytes - CRC_START)) {
    crc = crc32c(piece, 0, piece.length, crc)
  }
  return crc
}

function batchFields(header: BatchHeader, isIntact: boolean): Fields {
  const { baseSequence, count, hasDeleteHorizon } = header
  return {
    position: header.position,
    size: header.sizeInBytes,
    baseOffset: header.baseOffset,
    lastOffset: header.lastOffset,
    count,
    leaderEpoch: header.partitionLeaderEpoch,
    timestampType: header.logAppendTime ? 'LogAppendTime' : 'CreateTime',
    baseTimestamp: hasDeleteHorizon ? null : header.baseTimestamp,
    maxTimestamp: header.maxTimestamp,
    deleteHorizon: hasDeleteHorizon ? header.baseTimestamp : null,
    compression: header.compression,
    crc: header.crc,
    isIntact,
    producerId: header.producerId,
    producerEpoch: header.producerEpoch,
    baseSequence,
    lastSequence: baseSequence < 0 ? -1 : lastSequence(header),
    isTransactional: header.isTransactional,
    isControl: header.isControl,
  }
}

// Sequences of a producer wrap to zero behind the largest int32.
function lastSequence({ baseSequence, baseOffset, lastOffset }: BatchHeader): number {
  return (baseSequence + (lastOffset - baseOffset)) % 2 ** 31
}

function* recordsIn(
  file: FileWindow,
  header: BatchHeader,
  options: SegmentOptions,
): Generator<Finding> {
  const { position, sizeInBytes } = header
  if (sizeInBytes > RECORDS_BYTES_MAX) {
    yield { kind: 'note', message: `records of a batch of ${sizeInBytes} bytes are not shown` }
    return
  }
  try {
    const bytes = file.view(position, sizeInBytes)
    for (const record of recordsOf(bytes, { ...header, position: 0 }, decompress)) {
      if (record.offset < options.from || record.offset > options.to) continue
      yield { kind: 'record', fields: recordFields(record, header, options.decoder) }
    }
  } catch (error) {
    if (!(error instanceof MalformedFrame)) throw error
    yield problem('malformed', position, `records of the batch at ${position}: ${error.message}`)
  }
}

function recordFields(record: LogRecord, { isControl }: BatchHeader, decoder: Decoder): Fields {
  const decoded = decodeRecord(record, isControl, decoder)
  return {
    offset: record.offset,
    timestamp: record.timestamp,
    keySize: record.key?.length ?? -1,
    valueSize: record.value?.length ?? -1,
    ...(decoded === null
      ? { key: bytesToJson(record.key), value: bytesToJson(record.value) }
      : { decoded }),
    headers: record.headers.map(({ key, value }) => ({ key, value: bytesToJson(value) })),
  }
}
