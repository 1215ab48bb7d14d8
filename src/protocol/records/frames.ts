// How records lie in logs. A metadata record's value is: frame version 1, type and version as uvarints,
// body. A coordinator record's key is its type as int16 and the key's body; its value is a version as
// int16 and the value's body, or null for a tombstone. Bytes left over are malformed.
// A control record's key is version 0 and its type, both int16; its value is one of records/control.ts.
// A type or version we do not know is never skipped here: metadata records raise MalformedFrame, and for
// coordinator records the caller decides. Kafka: MetadataRecordSerde, CoordinatorRecordSerde.

import { Reader } from '../../lib/bytes.ts'
import { collect, decodeFrom, encode, encodeInto, hasVersion } from '../codec.ts'
import type {
  CoordinatorRecord,
  Decoded,
  DecodedOf,
  Encodable,
  EncodableOf,
  Fields,
  Message,
} from '../dsl.ts'
import { encodeVersioned } from '../embedded.ts'
import * as control from './control.ts'
import * as group from './group.ts'
import * as metadata from './metadata.ts'
import * as share from './share.ts'
import * as transaction from './transaction.ts'

const FRAME_VERSION = 1

export type MetadataRecordTables = typeof metadata
export type MetadataRecordType = keyof MetadataRecordTables

/** Any metadata record as read: switch on `type` to narrow `value`. */
export type MetadataRecord = {
  [K in MetadataRecordType]: {
    readonly type: K
    readonly version: number
    readonly value: DecodedOf<MetadataRecordTables[K]>
  }
}[MetadataRecordType]

/** Any metadata record as it may be written: fields left out have their defaults. */
export type MetadataRecordInput = {
  [K in MetadataRecordType]: {
    readonly type: K
    readonly version: number
    readonly value: EncodableOf<MetadataRecordTables[K]>
  }
}[MetadataRecordType]

/** The table of every metadata record, by name. */
export const metadataRecords: Readonly<Record<MetadataRecordType, Message>> = metadata
/** The same by the number in the frame. */
export const metadataRecordsByKey: ReadonlyMap<number, Message> = new Map(
  Object.values(metadataRecords).map((table) => [table.key!, table]),
)
/** The tables of `__consumer_offsets`, `__transaction_state` and `__share_group_state`. */
export const groupRecords = group
export const transactionRecords = transaction
export const shareRecords = share

/** The value of a log record that holds `record`. */
export function encodeMetadataRecord(record: MetadataRecordInput): Uint8Array {
  const table = metadataRecords[record.type]
  return collect((out) => {
    out.uvarint(FRAME_VERSION)
    out.uvarint(table.key!)
    out.uvarint(record.version)
    encodeInto(table, record.version, record.value as Encodable<Fields>, out)
  })
}

/** The metadata record that the value of a log record holds. */
export function decodeMetadataRecord(bytes: Uint8Array): MetadataRecord {
  const reader = new Reader(bytes)
  const frame = reader.uvarint()
  if (frame !== FRAME_VERSION) reader.fail(`metadata frame version 1, found ${frame}`)
  const key = reader.uvarint()
  const table = metadataRecordsByKey.get(key)
  if (table === undefined) return reader.fail(`a known metadata record type, found ${key}`)
  const version = reader.uvarint()
  if (!hasVersion(table, version)) {
    reader.fail(`${table.name} version ${table.valid.min} to ${table.valid.max}, found ${version}`)
  }
  const value = decodeFrom(table, version, reader)
  reader.finish()
  return { type: table.name, version, value } as unknown as MetadataRecord
}

/** Key and value bytes of a record in a coordinator's log. */
export interface KeyValue {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

/** The tables of one coordinator's log, such as `groupRecords`. */
export type CoordinatorTables = Readonly<Record<string, CoordinatorRecord>>

/** Any record of a coordinator's log as read: switch on `type`; a null value is a tombstone. */
export type CoordinatorRecordOf<T> = {
  [N in keyof T]: T[N] extends CoordinatorRecord<infer K, infer V>
    ? {
        readonly type: N
        readonly key: Decoded<K>
        readonly version: number
        readonly value: Decoded<V> | null
      }
    : never
}[keyof T]

/** Key and value of a coordinator record; `value` null makes a tombstone. */
export function encodeCoordinatorRecord<K extends Fields, V extends Fields>(
  table: CoordinatorRecord<K, V>,
  version: number,
  key: Encodable<K>,
  value: Encodable<V> | null,
): KeyValue {
  return {
    key: encodeCoordinatorKey(table, key),
    value: value === null ? null : encodeVersioned(table.value, version, value),
  }
}

/** The key bytes alone. */
export function encodeCoordinatorKey<K extends Fields>(
  table: CoordinatorRecord<K>,
  key: Encodable<K>,
): Uint8Array {
  return collect((out) => {
    out.int16(table.type)
    encodeInto(table.key, 0, key, out)
  })
}

/** The coordinator record in key and value, or null when `tables` has no such type. */
export function decodeCoordinatorRecord<T extends object>(
  tables: T,
  { key, value }: KeyValue,
): CoordinatorRecordOf<T> | null {
  const keyReader = new Reader(key)
  const type = keyReader.int16()
  const table = (Object.values(tables) as CoordinatorRecord[]).find((row) => row.type === type)
  if (table === undefined) return null
  const decodedKey = decodeFrom(table.key, 0, keyReader)
  keyReader.finish()
  let version = 0
  let decoded: object | null = null
  if (value !== null) {
    const reader = new Reader(value)
    version = reader.int16()
    if (!hasVersion(table.value, version)) {
      reader.fail(`${table.value.name} up to version ${table.value.valid.max}, found ${version}`)
    }
    decoded = decodeFrom(table.value, version, reader)
    reader.finish()
  }
  return { type: table.name, key: decodedKey, version, value: decoded } as CoordinatorRecordOf<T>
}

/** The control records by the type in their key. The marker alone has a version in front of its value. */
const CONTROL_RECORDS = [
  { type: 0, name: 'abort', table: control.EndTxnMarker },
  { type: 1, name: 'commit', table: control.EndTxnMarker },
  { type: 2, name: 'leaderChange', table: control.LeaderChangeMessage },
  { type: 3, name: 'snapshotHeader', table: control.SnapshotHeaderRecord },
  { type: 4, name: 'snapshotFooter', table: control.SnapshotFooterRecord },
  { type: 5, name: 'kraftVersion', table: control.KRaftVersionRecord },
  { type: 6, name: 'voters', table: control.VotersRecord },
] as const
type ControlRow = (typeof CONTROL_RECORDS)[number]
const TRANSACTION_MARKERS = 2

/** Any control record as read: switch on `type`. */
export type ControlRecord = {
  [N in ControlRow['name']]: {
    readonly type: N
    readonly value: DecodedOf<Extract<ControlRow, { name: N }>['table']>
  }
}[ControlRow['name']]

/** Any control record as it may be written. KRaft's own are written at the version they carry. */
export type ControlRecordInput = {
  [N in ControlRow['name']]: {
    readonly type: N
    readonly value: EncodableOf<Extract<ControlRow, { name: N }>['table']>
  }
}[ControlRow['name']]

/** Key and value of a record for a control batch. */
export function encodeControlRecord(record: ControlRecordInput): KeyValue {
  const row = CONTROL_RECORDS.find((candidate) => candidate.name === record.type)!
  const key = encodeVersioned(control.ControlRecordTypeSchema, 0, { type: row.type })
  const table: Message = row.table
  const value = record.value as Encodable<Fields>
  if (row.type < TRANSACTION_MARKERS) return { key, value: encodeVersioned(table, 0, value) }
  const version = ((value as { version?: number }).version ?? 0) as number
  return { key, value: encode(table, version, value) }
}

/** The control record in key and value, or null for a type we do not know: readers pass those over. */
export function decodeControlRecord(
  key: Uint8Array,
  value: Uint8Array | null,
): ControlRecord | null {
  const keyReader = new Reader(key)
  if (keyReader.int16() < 0) keyReader.fail('a control record version of 0 or more')
  const type = keyReader.int16()
  const row = CONTROL_RECORDS.find((candidate) => candidate.type === type)
  if (row === undefined) return null
  const reader = new Reader(value ?? new Uint8Array(0))
  // A marker's version stands in front; KRaft's records begin with theirs as a field of the body.
  const version = Math.min(reader.int16(), row.table.valid.max)
  if (version < 0) reader.fail(`a version of ${row.name}`)
  if (type >= TRANSACTION_MARKERS) reader.offset = 0
  return {
    type: row.name,
    value: decodeFrom(row.table as Message, version, reader),
  } as ControlRecord
}
