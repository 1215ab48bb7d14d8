// Snapshots of the metadata log, as bytes: `00000000000000000012-0000000003.checkpoint`, and
// `bootstrap.checkpoint`, which is the same with offset and epoch 0.
//
// Layout: a control batch with the header (and, from kraft.version 1 on, KRaftVersionRecord and
// VotersRecord), batches of metadata records, a control batch with the footer. Offsets run from 0
// through the file; every batch carries the snapshot's epoch. A file without its footer is torn and
// refused whole. The name says what it contains: everything below the offset, the last in that epoch.
// Kafka: RecordsSnapshotWriter, RecordsSnapshotReader, Snapshots, BatchFileWriter; KIP-630, KIP-853.

import { assert } from '../lib/assert.ts'
import {
  type ControlRecord,
  decodeControlRecord,
  encodeControlBatch,
} from '../protocol/control_records.ts'
import {
  batchesOf,
  encodeBatch,
  isBatchIntact,
  type Recode,
  type RecordInput,
  recordsOf,
} from '../protocol/record_batch.ts'
import {
  CorruptMetadata,
  decodeMetadataRecord,
  encodeMetadataRecord,
  type MetadataRecord,
} from './record.ts'

/** A voter set as its control record holds it. */
export type VotersValue = Extract<ControlRecord, { type: 'voters' }>['value']

/** What a snapshot file says. */
export interface Snapshot {
  /** Everything below this offset is contained. */
  endOffset: number
  epoch: number
  /** The time of the last record contained. */
  lastContainedLogTimestampMs: number
  kraftVersion: number
  /** Present from kraft.version 1 on. */
  voters: VotersValue | null
  records: MetadataRecord[]
}

/** The file that a freshly formatted directory begins with. */
export const BOOTSTRAP_FILE_NAME = 'bootstrap.checkpoint'
const SUFFIX = '.checkpoint'
const BATCH_RECORDS_MAX = 1024
const BATCH_BYTES_MAX = 1 << 20

/** The name of a snapshot's file. */
export function snapshotFileName(endOffset: number, epoch: number): string {
  return `${String(endOffset).padStart(20, '0')}-${String(epoch).padStart(10, '0')}${SUFFIX}`
}

/** Reads a snapshot's file name; undefined for anything else. */
export function parseSnapshotFileName(
  name: string,
): { endOffset: number; epoch: number } | undefined {
  const match = /^(\d{20})-(\d{10})\.checkpoint$/.exec(name)
  if (match === null) return undefined
  return { endOffset: Number(match[1]), epoch: Number(match[2]) }
}

/** The bytes of a snapshot file, written at `nowMs`. */
export function encodeSnapshot(snapshot: Snapshot, nowMs: number): Uint8Array {
  const { epoch } = snapshot
  const parts: Uint8Array[] = []
  let offset = 0
  const control = (records: ControlRecord[]) => {
    parts.push(encodeControlBatch(records, { baseOffset: offset, epoch, timestampMs: nowMs }))
    offset += records.length
  }
  control(headerOf(snapshot))
  for (const records of inBatches(snapshot.records)) {
    parts.push(
      encodeBatch({ records, baseOffset: offset, partitionLeaderEpoch: epoch, timestamp: nowMs }),
    )
    offset += records.length
  }
  control([{ type: 'snapshotFooter', value: { version: 0 } }])
  return concat(parts)
}

/** Reads a snapshot file; CorruptMetadata when it is torn, UnsupportedMetadata when it is newer. */
export function decodeSnapshot(
  bytes: Uint8Array,
  id: { endOffset: number; epoch: number },
  decompress?: Recode,
): Snapshot {
  const out: Snapshot = {
    ...id,
    lastContainedLogTimestampMs: -1,
    kraftVersion: 0,
    voters: null,
    records: [],
  }
  let state: 'start' | 'open' | 'closed' = 'start'
  for (const batch of batchesOf(bytes)) {
    if (!isBatchIntact(bytes, batch)) throw torn(id, `a bad checksum at byte ${batch.position}`)
    if (state === 'closed') throw torn(id, 'records after the footer')
    if (state === 'start' && !batch.isControl) throw torn(id, 'records before the header')
    for (const record of recordsOf(bytes, batch, decompress)) {
      if (batch.isControl) {
        state = control(out, decodeControlRecord(record), state)
      } else {
        out.records.push(decodeMetadataRecord(record.value ?? new Uint8Array(0)))
      }
    }
  }
  if (state !== 'closed') throw torn(id, 'no footer')
  return out
}

/** The time of the newest record in a snapshot, ms, from its header alone; null when it has none. */
export function lastContainedTimestampMs(bytes: Uint8Array): number | null {
  for (const batch of batchesOf(bytes, true)) {
    if (!batch.isControl) return null
    for (const record of recordsOf(bytes, batch)) {
      const header = decodeControlRecord(record)
      if (header.type !== 'snapshotHeader') return null
      return Number(header.value.lastContainedLogTimestamp)
    }
  }
  return null
}

function control(out: Snapshot, record: ControlRecord, state: string): 'open' | 'closed' {
  if ((state === 'start') !== (record.type === 'snapshotHeader')) {
    throw torn(out, `a control record of type ${record.type} out of place`)
  }
  switch (record.type) {
    case 'snapshotHeader':
      out.lastContainedLogTimestampMs = Number(record.value.lastContainedLogTimestamp)
      return 'open'
    case 'kraftVersion':
      out.kraftVersion = record.value.kRaftVersion
      return 'open'
    case 'voters':
      out.voters = record.value
      return 'open'
    case 'snapshotFooter':
      return 'closed'
    case 'leaderChange':
      throw torn(out, 'a leader change in a snapshot')
  }
}

function headerOf(snapshot: Snapshot): ControlRecord[] {
  const lastContainedLogTimestamp = BigInt(snapshot.lastContainedLogTimestampMs)
  const header: ControlRecord[] = [
    { type: 'snapshotHeader', value: { version: 0, lastContainedLogTimestamp } },
  ]
  if (snapshot.kraftVersion === 0) {
    assert(snapshot.voters === null, 'snapshot: a voter set needs kraft.version 1')
    return header
  }
  const { kraftVersion, voters } = snapshot
  header.push({ type: 'kraftVersion', value: { version: 0, kRaftVersion: kraftVersion } })
  if (voters !== null) header.push({ type: 'voters', value: voters })
  return header
}

function* inBatches(records: readonly MetadataRecord[]): Generator<RecordInput[]> {
  let batch: RecordInput[] = []
  let bytes = 0
  for (const record of records) {
    const value = encodeMetadataRecord(record)
    if (batch.length >= BATCH_RECORDS_MAX || (batch.length > 0 && bytes > BATCH_BYTES_MAX)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push({ value })
    bytes += value.length
  }
  if (batch.length > 0) yield batch
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

function torn(id: { endOffset: number; epoch: number }, what: string): CorruptMetadata {
  return new CorruptMetadata(`snapshot ${snapshotFileName(id.endOffset, id.epoch)}: ${what}`)
}
