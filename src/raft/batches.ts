// Fetched bytes → the batches a follower appends, with what they say about the quorum.
//
// Invariant: bytes from the network never throw here: the first batch that is cut short, of another
// format or with a bad checksum ends the list, and what follows is fetched again. A batch that is
// whole and still makes no sense was written so by a leader; that is a bug and may throw.
// Kafka: KafkaRaftLog.appendAsFollower, RecordsBatchReader, KRaftControlRecordStateMachine.

import { Reader } from '../lib/bytes.ts'
import { decodeControlRecord } from '../protocol/control_records.ts'
import {
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  type BatchHeader,
  isBatchIntact,
  readBatchHeader,
  recordsOf,
} from '../protocol/record_batch.ts'
import type { FetchedBatch, FetchedBatches } from './contract.ts'
import type { QuorumRecord } from './voters.ts'

const MAGIC = 2
const MAGIC_POSITION = 16
const COMPRESSION_POSITION = 22
const COMPRESSION_MAX = 4

/** Reads whole batches from the beginning of `records`. */
export function readBatches(records: Uint8Array): FetchedBatches {
  const batches: FetchedBatch[] = []
  let position = 0
  while (isReadable(records, position)) {
    const header = readBatchHeader(records, position)
    if (!isBatchIntact(records, header)) break
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

function isReadable(bytes: Uint8Array, position: number): boolean {
  const remaining = bytes.length - position
  if (remaining < BATCH_HEADER_BYTES) return false
  const sizeInBytes = new Reader(bytes, position + 8).int32() + BATCH_PREFIX_BYTES
  if (sizeInBytes < BATCH_HEADER_BYTES || sizeInBytes > remaining) return false
  if (bytes[position + MAGIC_POSITION] !== MAGIC) return false
  return (bytes[position + COMPRESSION_POSITION]! & 7) <= COMPRESSION_MAX
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
