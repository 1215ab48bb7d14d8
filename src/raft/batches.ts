// Fetched bytes → the batches a follower appends, with what they say about the quorum.
//
// Invariant: bytes from the network never throw here: the first batch that is cut short, of another
// format or with a bad checksum ends the list, and what follows is fetched again. A batch that is
// whole and still makes no sense was written so by a leader; that is a bug and may throw.
// Kafka: KafkaRaftLog.appendAsFollower, RecordsBatchReader, KRaftControlRecordStateMachine.

import { Reader } from '../lib/bytes.ts'
import { crc32c } from '../lib/crc32c.ts'
import { decodeControlRecord } from '../protocol/control_records.ts'
import {
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  type BatchHeader,
  readBatchHeader,
  recordsOf,
} from '../protocol/record_batch.ts'
import type { FetchedBatch, FetchedBatches } from './contract.ts'
import type { QuorumRecord } from './voters.ts'

const MAGIC = 2
const LENGTH_POSITION = 8
const MAGIC_POSITION = 16
const CRC_POSITION = 17
const ATTRIBUTES_POSITION = 21
const OFFSET_SECOND_BYTE_MAX = 0x1f
const COMPRESSION_MAX = 4

/** Reads whole batches from the beginning of `records`. */
export function readBatches(records: Uint8Array): FetchedBatches {
  const batches: FetchedBatch[] = []
  let position = 0
  while (isReadable(records, position)) {
    const header = readBatchHeader(records, position)
    batches.push({
      baseOffset: header.baseOffset,
      lastOffset: header.lastOffset,
      epoch: header.partitionLeaderEpoch,
      quorum: header.isControl ? quorumRecords(records, header) : [],
    })
    position += header.sizeInBytes
  }
  return { batches, bytes: position }
}

/** Everything readBatchHeader would refuse, asked before it is called. */
function isReadable(bytes: Uint8Array, position: number): boolean {
  const remaining = bytes.length - position
  if (remaining < BATCH_HEADER_BYTES) return false
  const sizeInBytes = new Reader(bytes, position + LENGTH_POSITION).int32() + BATCH_PREFIX_BYTES
  if (sizeInBytes < BATCH_HEADER_BYTES || sizeInBytes > remaining) return false
  if (bytes[position + MAGIC_POSITION] !== MAGIC) return false
  // The base offset is outside of the checksum: its upper eleven bits must be zero to be a number.
  if (bytes[position] !== 0 || bytes[position + 1]! > OFFSET_SECOND_BYTE_MAX) return false
  const crc = new Reader(bytes, position + CRC_POSITION).uint32()
  if (crc32c(bytes, position + ATTRIBUTES_POSITION, position + sizeInBytes) !== crc) return false
  return (bytes[position + ATTRIBUTES_POSITION + 1]! & 7) <= COMPRESSION_MAX
}

/** The KRaftVersion and Voters records of a control batch, with their offsets. */
export function quorumRecords(
  records: Uint8Array,
  header: BatchHeader,
): { offset: number; record: QuorumRecord }[] {
  const out: { offset: number; record: QuorumRecord }[] = []
  for (const logRecord of recordsOf(records, header)) {
    const record = decodeControlRecord(logRecord)
    if (record.type === 'kraftVersion' || record.type === 'voters') {
      out.push({ offset: logRecord.offset, record })
    }
  }
  return out
}
