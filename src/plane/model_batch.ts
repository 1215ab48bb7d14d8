// What may be appended: the checks of a produced batch in Kafka's order, and the header fields a leader
// patches. docs/SEAM.md has the table of checks; the order decides which error a client sees.
// Invariant: a batch that passes is exactly one, intact, and readable to its last byte where it was walked.
// Kafka: ProduceRequest.validateRecords, UnifiedLog.analyzeAndValidateRecords, LogValidator.

import { MalformedFrame } from '../lib/bytes.ts'
import { ErrorCode } from '../protocol/errors.ts'
import {
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  type BatchHeader,
  isBatchIntact,
  NO_TIMESTAMP,
  readBatchHeader,
  recordsOf,
  sealBatch,
} from '../protocol/record_batch.ts'
import { decompress } from './model_codecs.ts'
import { codecWanted, recodeBatch } from './model_recode.ts'
import type { PartitionConfig } from './plane.ts'

const MAGIC_AT = 16
const ATTRIBUTES_AT = 21
const LEGACY_LENGTH_MIN = 14
const LOG_APPEND_TIME = 8
const ZSTD = 4
const CODEC_BITS = 7
/** The first Produce version that may carry zstd. */
const ZSTD_VERSION_MIN = 7

/** One record's error in a Produce response. */
export interface RecordError {
  readonly batchIndex: number
  readonly batchIndexErrorMessage: string
}

/** Why a batch was not appended. */
export interface Refusal {
  readonly errorCode: number
  /** Kafka tells the log start with some errors and -1 with others. */
  readonly hasLogStart: boolean
  readonly recordErrors?: readonly RecordError[]
  readonly errorMessage?: string
}

/** A value, or why there is none. */
export type Checked<T> = { readonly ok: T } | { readonly refusal: Refusal }

const refuse = (errorCode: number, hasLogStart: boolean): { refusal: Refusal } => ({
  refusal: { errorCode, hasLogStart },
})

/** The one batch that `records` of a Produce must hold, copied; what follows it unfinished is dropped. */
export function onlyBatch(records: Uint8Array | null, version: number): Checked<Uint8Array> {
  if (records === null) return refuse(ErrorCode.INVALID_RECORD, false)
  const size = nextBatchBytes(records, 0)
  if (size === 'corrupt') return refuse(ErrorCode.CORRUPT_MESSAGE, false)
  if (size === 0) return refuse(ErrorCode.INVALID_RECORD, false)
  if (records[MAGIC_AT] !== 2) return refuse(ErrorCode.INVALID_RECORD, false)
  if (version < ZSTD_VERSION_MIN && (records[ATTRIBUTES_AT + 1]! & CODEC_BITS) === ZSTD) {
    return refuse(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, false)
  }
  const next = nextBatchBytes(records, size)
  if (next === 'corrupt') return refuse(ErrorCode.CORRUPT_MESSAGE, false)
  if (next > 0) return refuse(ErrorCode.INVALID_RECORD, false)
  return { ok: records.slice(0, size) }
}

/** Size of the whole batch at `at`, 0 when none is whole. Kafka: ByteBufferLogInputStream. */
function nextBatchBytes(bytes: Uint8Array, at: number): number | 'corrupt' {
  const remaining = bytes.length - at
  if (remaining < BATCH_PREFIX_BYTES) return 0
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, remaining)
  const length = view.getInt32(8)
  if (length < LEGACY_LENGTH_MIN) return 'corrupt'
  if (remaining <= MAGIC_AT) return 0
  const magic = view.getInt8(MAGIC_AT)
  if (magic < 0 || magic > 2) return 'corrupt'
  return length + BATCH_PREFIX_BYTES <= remaining ? length + BATCH_PREFIX_BYTES : 0
}

/** The header of a batch that belongs to a transaction, whatever its codec; null for others, and for what is no batch. */
export function transactionalHeader(batch: Uint8Array): BatchHeader | null {
  const isTransactional = ((batch[ATTRIBUTES_AT + 1] ?? 0) & 16) !== 0
  return isTransactional ? unvalidatedHeader(batch) : null
}

/** The header of a batch that nobody has validated, whatever its codec; null for what is too short for one. */
export function unvalidatedHeader(batch: Uint8Array): BatchHeader | null {
  if (batch.length < BATCH_HEADER_BYTES) return null
  const header = batch.slice()
  header[ATTRIBUTES_AT + 1]! &= ~CODEC_BITS
  return readBatchHeader(header)
}

/** What validation needs to know besides the batch. */
export interface ValidationContext {
  readonly config: PartitionConfig
  readonly nowMs: number
  readonly isFull: boolean
}

/** What validation learnt; `maxTimestamp` is the largest record's where records were walked. */
export interface ValidBatch {
  readonly header: BatchHeader
  readonly maxTimestamp: bigint
  /** What is to be appended: the batch, or the same in its topic's codec. */
  readonly bytes: Uint8Array
}

/** Checks a client's batch up to, but not including, its producer's sequence. */
export function validateBatch(batch: Uint8Array, context: ValidationContext): Checked<ValidBatch> {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.length)
  if (view.getBigInt64(0) !== 0n) return refuse(ErrorCode.INVALID_RECORD, true)
  if (batch.length > context.config.messageBytesMax) {
    return refuse(ErrorCode.MESSAGE_TOO_LARGE, false)
  }
  if (batch.length < BATCH_HEADER_BYTES) return refuse(ErrorCode.CORRUPT_MESSAGE, false)
  if ((batch[ATTRIBUTES_AT + 1]! & CODEC_BITS) > ZSTD) {
    const isIntact = view.getUint32(17) === crcOf(batch)
    return refuse(isIntact ? ErrorCode.INVALID_RECORD : ErrorCode.CORRUPT_MESSAGE, isIntact)
  }
  const header = readBatchHeader(batch)
  if (!isBatchIntact(batch, header)) return refuse(ErrorCode.CORRUPT_MESSAGE, false)
  const hasSequence = header.producerId < 0 || header.baseSequence >= 0
  if (
    header.count <= 0 ||
    header.lastOffset !== header.count - 1 ||
    header.isControl ||
    !hasSequence
  ) {
    return refuse(ErrorCode.INVALID_RECORD, true)
  }
  const walked = walkRecords(batch, header, context)
  if ('refusal' in walked) return walked
  const codec = codecWanted(batch, context.config)
  const bytes = codec === null ? batch : recodeBatch(batch, codec, context.config.recompressLevel)
  if (bytes.length > context.config.messageBytesMax) {
    return refuse(ErrorCode.MESSAGE_TOO_LARGE, false)
  }
  if (bytes.length > context.config.segmentBytesMax) {
    return refuse(ErrorCode.RECORD_LIST_TOO_LARGE, false)
  }
  return { ok: { header: readBatchHeader(bytes), maxTimestamp: walked.ok, bytes } }
}

function crcOf(batch: Uint8Array): number {
  const sealed = batch.slice()
  sealBatch(sealed, 0, sealed.length)
  return new DataView(sealed.buffer).getUint32(17)
}

function walkRecords(
  batch: Uint8Array,
  header: BatchHeader,
  context: ValidationContext,
): Checked<bigint> {
  const isRecoded = codecWanted(batch, context.config) !== null
  if (header.compression !== 'none' && !isRecoded && !mustOpen(header, context)) {
    return { ok: header.maxTimestamp }
  }
  let opened: Uint8Array
  try {
    opened = openBatch(batch, header)
  } catch (error) {
    if (error instanceof MalformedFrame) return refuse(ErrorCode.CORRUPT_MESSAGE, false)
    throw error
  }
  const errors: RecordError[] = []
  let hasBadTimestamp = false
  let latest = NO_TIMESTAMP
  let index = 0
  try {
    for (const record of recordsOf(batch, header, () => opened)) {
      if (record.offset !== index) return refuse(ErrorCode.INVALID_RECORD, true)
      if (record.timestamp > latest) latest = record.timestamp
      const isKeyMissing = context.config.compacted && record.key === null
      const complaint = isKeyMissing
        ? 'A record of a compacted topic needs a key'
        : timestampComplaint(record.timestamp, header, context)
      if (complaint !== null) errors.push({ batchIndex: index, batchIndexErrorMessage: complaint })
      if (complaint !== null && !isKeyMissing) hasBadTimestamp = true
      index++
    }
  } catch (error) {
    if (error instanceof MalformedFrame) return refuse(ErrorCode.INVALID_RECORD, true)
    throw error
  }
  if (errors.length === 0) return { ok: latest }
  return {
    refusal: {
      errorCode: hasBadTimestamp ? ErrorCode.INVALID_TIMESTAMP : ErrorCode.INVALID_RECORD,
      hasLogStart: true,
      recordErrors: errors,
      errorMessage: 'One or more records were refused',
    },
  }
}

const openBatch = (batch: Uint8Array, header: BatchHeader): Uint8Array =>
  decompress(header.compression, batch.subarray(BATCH_HEADER_BYTES))

function mustOpen(header: BatchHeader, context: ValidationContext): boolean {
  const { config } = context
  if (context.isFull || config.compacted) return true
  if (config.isLogAppendTime) return header.logAppendTime
  return !isInBounds(header.baseTimestamp, context) || !isInBounds(header.maxTimestamp, context)
}

function isInBounds(timestamp: bigint, context: ValidationContext): boolean {
  if (timestamp === NO_TIMESTAMP) return true
  const age = BigInt(context.nowMs) - timestamp
  const { timestampBeforeMsMax, timestampAfterMsMax } = context.config
  return age <= BigInt(timestampBeforeMsMax) && -age <= BigInt(timestampAfterMsMax)
}

function timestampComplaint(
  timestamp: bigint,
  header: BatchHeader,
  context: ValidationContext,
): string | null {
  if (!context.config.isLogAppendTime && timestamp !== NO_TIMESTAMP) {
    return isInBounds(timestamp, context) ? null : 'The timestamp is out of the allowed range'
  }
  return header.logAppendTime ? 'A producer may not claim log append time' : null
}

/** What a leader writes into a batch before it is appended. */
export interface Patch {
  readonly baseOffset: number
  readonly leaderEpoch: number
  /** Null leaves attribute and timestamp as they are. */
  readonly time: { readonly isLogAppendTime: boolean; readonly maxTimestamp: bigint } | null
}

/** Patches in place; the CRC is made anew only when what it covers has changed. */
export function patchBatch(batch: Uint8Array, patch: Patch): void {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.length)
  view.setBigInt64(0, BigInt(patch.baseOffset))
  view.setInt32(12, patch.leaderEpoch)
  if (patch.time === null) return
  const attributes = view.getInt16(ATTRIBUTES_AT)
  const wanted = patch.time.isLogAppendTime
    ? attributes | LOG_APPEND_TIME
    : attributes & ~LOG_APPEND_TIME
  if (attributes === wanted && view.getBigInt64(35) === patch.time.maxTimestamp) return
  view.setInt16(ATTRIBUTES_AT, wanted)
  view.setBigInt64(35, patch.time.maxTimestamp)
  sealBatch(batch, 0, batch.length)
}

/** Whole intact batches of our own, split; null when the bytes are anything else. */
export function ownBatches(bytes: Uint8Array): Uint8Array[] | null {
  const batches: Uint8Array[] = []
  let at = 0
  try {
    while (at < bytes.length) {
      const header = readBatchHeader(bytes, at)
      if (!isBatchIntact(bytes, header) || header.lastOffset < header.baseOffset) return null
      batches.push(bytes.slice(at, at + header.sizeInBytes))
      at += header.sizeInBytes
    }
  } catch (error) {
    if (error instanceof MalformedFrame) return null
    throw error
  }
  return batches.length > 0 ? batches : null
}
