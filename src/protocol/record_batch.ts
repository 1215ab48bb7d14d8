// Record batches, magic 2: what topics, our own logs, Produce and Fetch carry. Build, walk, read headers.
//
//   0 baseOffset i64 | 8 length i32 | 12 partitionLeaderEpoch i32 | 16 magic i8 | 17 crc u32
//  21 attributes i16 | 23 lastOffsetDelta i32 | 27 baseTimestamp i64 | 35 maxTimestamp i64
//  43 producerId i64 | 51 producerEpoch i16 | 53 baseSequence i32 | 57 count i32 | 61 records
//
// The length counts what follows it; the CRC-32C covers everything from the attributes on. Timestamps are
// bigints because clients may send any. Compression comes in as a function: pure code has no codecs.
// Kafka: DefaultRecordBatch, DefaultRecord; KIP-98.

import { assert } from '../lib/assert.ts'
import { MalformedFrame, Reader, Writer } from '../lib/bytes.ts'
import { crc32c } from '../lib/crc32c.ts'

/** Bytes before the records of a batch. */
export const BATCH_HEADER_BYTES = 61
/** Bytes before what the length field counts. */
export const BATCH_PREFIX_BYTES = 12
export const NO_TIMESTAMP = -1n
const MAGIC = 2
const RECORD_BYTES_MIN = 7

export const COMPRESSION = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Compression = (typeof COMPRESSION)[number]
/** Compresses or decompresses the records of a batch; given from above the purity line. */
export type Recode = (compression: Compression, bytes: Uint8Array) => Uint8Array

/** A batch's header, and where the batch lies in the bytes it was read from. */
export interface BatchHeader {
  readonly position: number
  readonly sizeInBytes: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly partitionLeaderEpoch: number
  readonly crc: number
  readonly attributes: number
  readonly compression: Compression
  readonly logAppendTime: boolean
  readonly isTransactional: boolean
  readonly isControl: boolean
  /** When set, `baseTimestamp` is the time after which tombstones may go (KIP-534). */
  readonly hasDeleteHorizon: boolean
  readonly baseTimestamp: bigint
  readonly maxTimestamp: bigint
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly count: number
}

export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array | null
}

/** A record of a batch, with its offset and timestamp made absolute. */
export interface LogRecord {
  readonly offset: number
  readonly timestamp: bigint
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

/** A record to be written; offsets run upwards from the base unless they are given. */
export interface RecordInput {
  readonly offset?: number
  readonly timestamp?: number | bigint
  readonly key?: Uint8Array | null
  readonly value?: Uint8Array | null
  readonly headers?: readonly RecordHeader[]
}

export interface BatchInput {
  readonly records: readonly RecordInput[]
  readonly baseOffset?: number
  readonly partitionLeaderEpoch?: number
  /** For records that have none of their own. */
  readonly timestamp?: number | bigint
  /** Given by the log: the time of every record, whatever the records say. */
  readonly logAppendTime?: number | bigint
  readonly isTransactional?: boolean
  readonly isControl?: boolean
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly compression?: Compression
  readonly compress?: Recode
}

/** The bytes of one batch with at least one record. */
export function encodeBatch(input: BatchInput): Uint8Array {
  const { records, baseOffset = 0, compression = 'none' } = input
  assert(records.length > 0, 'a batch has a record')
  const fallback = BigInt(input.timestamp ?? NO_TIMESTAMP)
  const times = records.map(({ timestamp }) =>
    timestamp === undefined ? fallback : BigInt(timestamp),
  )
  const baseTimestamp = times[0]!
  let latest = baseTimestamp
  for (const time of times) if (time > latest) latest = time
  const body = new Writer(256)
  let lastDelta = -1
  records.forEach((record, i) => {
    const delta = record.offset === undefined ? lastDelta + 1 : record.offset - baseOffset
    assert(delta > lastDelta, 'offsets within a batch ascend')
    lastDelta = delta
    writeRecord(body, record, delta, times[i]! - baseTimestamp)
  })
  let payload = body.view()
  if (compression !== 'none') {
    assert(input.compress !== undefined, 'compression needs a codec')
    payload = input.compress(compression, payload)
  }
  const out = new Writer(BATCH_HEADER_BYTES + payload.length)
  out.int64(baseOffset)
  out.int32(BATCH_HEADER_BYTES - BATCH_PREFIX_BYTES + payload.length)
  out.int32(input.partitionLeaderEpoch ?? -1)
  out.int8(MAGIC)
  out.uint32(0)
  out.int16(attributesOf(input))
  out.int32(lastDelta)
  out.int64Wide(baseTimestamp)
  out.int64Wide(input.logAppendTime === undefined ? latest : BigInt(input.logAppendTime))
  out.int64(input.producerId ?? -1)
  out.int16(input.producerEpoch ?? -1)
  out.int32(input.baseSequence ?? -1)
  out.int32(records.length)
  out.raw(payload)
  sealBatch(out.bytes, 0, out.offset)
  return out.view()
}

function attributesOf(input: BatchInput): number {
  return (
    COMPRESSION.indexOf(input.compression ?? 'none') |
    (input.logAppendTime === undefined ? 0 : 8) |
    (input.isTransactional ? 16 : 0) |
    (input.isControl ? 32 : 0)
  )
}

function writeRecord(
  out: Writer,
  record: RecordInput,
  offsetDelta: number,
  timeDelta: bigint,
): void {
  const start = out.offset
  out.int8(0)
  out.varlongWide(BigInt.asIntN(64, timeDelta))
  out.varint(offsetDelta)
  writeVarBytes(out, record.key ?? null)
  writeVarBytes(out, record.value ?? null)
  const headers = record.headers ?? []
  out.varint(headers.length)
  for (const header of headers) {
    writeVarBytes(out, encoder.encode(header.key))
    writeVarBytes(out, header.value)
  }
  out.prefixLength(start, 'zigzag')
}

const encoder = new TextEncoder()

function writeVarBytes(out: Writer, value: Uint8Array | null): void {
  out.varint(value === null ? -1 : value.length)
  if (value !== null) out.raw(value)
}

/** Writes the checksum of the batch in bytes [start, end). */
export function sealBatch(bytes: Uint8Array, start: number, end: number): void {
  const crc = crc32c(bytes, start + 21, end)
  new DataView(bytes.buffer, bytes.byteOffset + start).setUint32(17, crc)
}

/** The header of the batch at `position`, all of whose bytes must be there. The CRC is not checked. */
export function readBatchHeader(bytes: Uint8Array, position = 0): BatchHeader {
  const r = new Reader(bytes, position)
  const baseOffset = r.int64()
  const length = r.int32()
  if (length < BATCH_HEADER_BYTES - BATCH_PREFIX_BYTES || length > r.remaining) {
    throw new MalformedFrame(position + 8, `a batch length within the bytes, found ${length}`)
  }
  const partitionLeaderEpoch = r.int32()
  const magic = r.int8()
  if (magic !== MAGIC) throw new MalformedFrame(position + 16, `magic 2, found ${magic}`)
  const crc = r.uint32()
  const attributes = r.int16()
  const lastOffsetDelta = r.int32()
  const compression = COMPRESSION[attributes & 7]
  if (compression === undefined) {
    throw new MalformedFrame(position + 21, `a known compression, found ${attributes & 7}`)
  }
  return {
    position,
    sizeInBytes: length + BATCH_PREFIX_BYTES,
    baseOffset,
    lastOffset: baseOffset + lastOffsetDelta,
    partitionLeaderEpoch,
    crc,
    attributes,
    compression,
    logAppendTime: (attributes & 8) !== 0,
    isTransactional: (attributes & 16) !== 0,
    isControl: (attributes & 32) !== 0,
    hasDeleteHorizon: (attributes & 64) !== 0,
    baseTimestamp: r.int64Wide(),
    maxTimestamp: r.int64Wide(),
    producerId: r.int64(),
    producerEpoch: r.int16(),
    baseSequence: r.int32(),
    count: r.int32(),
  }
}

/** True when the batch's bytes are those its checksum was made for. */
export function isBatchIntact(bytes: Uint8Array, header: BatchHeader): boolean {
  const end = header.position + header.sizeInBytes
  return crc32c(bytes, header.position + 21, end) === header.crc
}

/** The headers of the batches in `bytes`, in order. With `cutTail`, an unfinished last one is left out. */
export function* batchesOf(bytes: Uint8Array, cutTail = false): Generator<BatchHeader> {
  let position = 0
  while (position < bytes.length) {
    if (cutTail && !isWhole(bytes, position)) return
    const header = readBatchHeader(bytes, position)
    yield header
    position += header.sizeInBytes
  }
}

function isWhole(bytes: Uint8Array, position: number): boolean {
  if (bytes.length - position < BATCH_PREFIX_BYTES) return false
  const length = new Reader(bytes, position + 8).int32()
  return length < 0 || length <= bytes.length - position - BATCH_PREFIX_BYTES
}

/** The records of a batch, in order. Compressed ones need `decompress`, which bounds its own output. */
export function* recordsOf(
  bytes: Uint8Array,
  header: BatchHeader,
  decompress?: Recode,
): Generator<LogRecord> {
  const start = header.position + BATCH_HEADER_BYTES
  const end = header.position + header.sizeInBytes
  let r = new Reader(bytes, start, end)
  if (header.compression !== 'none') {
    assert(decompress !== undefined, 'compressed records need a codec')
    r = new Reader(decompress(header.compression, bytes.subarray(start, end)))
  }
  if (header.count < 0 || header.count * RECORD_BYTES_MIN > r.remaining) {
    r.fail(`${header.count} records of ${RECORD_BYTES_MIN} bytes or more`)
  }
  for (let i = 0; i < header.count; i++) yield readRecord(r, header)
  r.finish()
}

function readRecord(r: Reader, header: BatchHeader): LogRecord {
  const size = r.varint()
  if (size < 0 || size > r.remaining) r.fail(`a record of ${size} bytes`)
  const end = r.offset + size
  r.int8()
  const timeDelta = r.varlongWide()
  const offset = header.baseOffset + r.varint()
  const key = readVarBytes(r)
  const value = readVarBytes(r)
  const count = r.varint()
  if (count < 0 || count * 2 > r.remaining) r.fail(`${count} record headers`)
  const headers: RecordHeader[] = []
  for (let i = 0; i < count; i++) {
    const length = r.varint()
    if (length < 0) r.fail('a record header key')
    headers.push({ key: r.utf8(length), value: readVarBytes(r) })
  }
  if (r.offset !== end) r.fail(`the end of the record at byte ${end}`)
  const timestamp = header.logAppendTime
    ? header.maxTimestamp
    : BigInt.asIntN(64, header.baseTimestamp + timeDelta)
  return { offset, timestamp, key, value, headers }
}

function readVarBytes(r: Reader): Uint8Array | null {
  const length = r.varint()
  return length < 0 ? null : r.raw(length)
}
