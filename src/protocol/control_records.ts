// Control records of the metadata log and of snapshots, as record-batch records and back.
//
// The key is two int16s, a version (0) and the type; the value is the message at version 0, which
// carries its own version as a field. A type we do not know is malformed: each of them changes what
// the records around it mean.
// Kafka: ControlRecordType, ControlRecordUtils, MemoryRecordsBuilder.append*Message.

import { MalformedFrame, Reader, Writer } from '../lib/bytes.ts'
import { decode, encode } from './codec.ts'
import type { DecodedOf, Message } from './dsl.ts'
import { encodeBatch, type LogRecord, type RecordInput } from './record_batch.ts'
import {
  KRaftVersionRecord,
  LeaderChangeMessage,
  SnapshotFooterRecord,
  SnapshotHeaderRecord,
  VotersRecord,
} from './records/control.ts'

/** A control record of KRaft, by the name of its type. */
export type ControlRecord =
  | { readonly type: 'leaderChange'; readonly value: DecodedOf<typeof LeaderChangeMessage> }
  | { readonly type: 'snapshotHeader'; readonly value: DecodedOf<typeof SnapshotHeaderRecord> }
  | { readonly type: 'snapshotFooter'; readonly value: DecodedOf<typeof SnapshotFooterRecord> }
  | { readonly type: 'kraftVersion'; readonly value: DecodedOf<typeof KRaftVersionRecord> }
  | { readonly type: 'voters'; readonly value: DecodedOf<typeof VotersRecord> }

const ROWS: readonly [ControlRecord['type'], number, Message][] = [
  ['leaderChange', 2, LeaderChangeMessage],
  ['snapshotHeader', 3, SnapshotHeaderRecord],
  ['snapshotFooter', 4, SnapshotFooterRecord],
  ['kraftVersion', 5, KRaftVersionRecord],
  ['voters', 6, VotersRecord],
]
const byName = new Map(ROWS.map((row) => [row[0], row]))
const byType = new Map(ROWS.map((row) => [row[1], row]))

/** A control record as it goes into a control batch. */
export function encodeControlRecord(record: ControlRecord): RecordInput {
  const [, type, message] = byName.get(record.type)!
  const key = new Writer(4)
  key.int16(0)
  key.int16(type)
  return { key: key.copy(), value: encode(message, 0, record.value) }
}

/** One control batch with these records. */
export function encodeControlBatch(
  records: readonly ControlRecord[],
  at: { baseOffset: number; epoch: number; timestampMs: number },
): Uint8Array {
  return encodeBatch({
    records: records.map(encodeControlRecord),
    baseOffset: at.baseOffset,
    partitionLeaderEpoch: at.epoch,
    timestamp: at.timestampMs,
    isControl: true,
  })
}

/** Reads a record of a control batch. */
export function decodeControlRecord(record: LogRecord): ControlRecord {
  if (record.key === null || record.value === null) {
    throw new MalformedFrame(0, `a control record with key and value at offset ${record.offset}`)
  }
  const key = new Reader(record.key)
  key.int16()
  const type = key.int16()
  const row = byType.get(type)
  if (row === undefined) throw new MalformedFrame(0, `a known control record type, found ${type}`)
  return { type: row[0], value: decode(row[2], 0, record.value) } as unknown as ControlRecord
}
