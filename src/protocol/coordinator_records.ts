// Records of the coordinators' logs (`__consumer_offsets`, `__transaction_state`, `__share_group_state`) as key
// and value. The key is the record's type as int16 and the key's body; the value is a version as int16 and the
// value's body, or null for a tombstone. Bytes left over and versions we do not have are malformed; a type we do
// not have is the caller's to judge, since Kafka passes over those of newer releases.
// Kafka: CoordinatorRecordSerde, GroupCoordinatorRecordSerde, TransactionLog.

import { Reader } from '../lib/bytes.ts'
import { collect, decodeFrom, encodeInto, hasVersion } from './codec.ts'
import type { CoordinatorRecord, Decoded, Encodable, Fields } from './dsl.ts'
import { encodeVersioned } from './embedded.ts'
import * as group from './records/group.ts'
import * as share from './records/share.ts'
import * as transaction from './records/transaction.ts'

/** The tables of `__consumer_offsets`, `__transaction_state` and `__share_group_state`. */
export const groupRecords = group
export const transactionRecords = transaction
export const shareRecords = share

/** Key and value bytes of a record in a coordinator's log. */
export interface KeyValue {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

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

/** Tables by the type in a key: logs of millions of records are read through it. */
const indexes = new WeakMap<object, ReadonlyMap<number, CoordinatorRecord>>()

function byType(tables: object): ReadonlyMap<number, CoordinatorRecord> {
  const known = indexes.get(tables)
  if (known !== undefined) return known
  const rows = Object.values(tables) as CoordinatorRecord[]
  const index = new Map(rows.map((row) => [row.type, row]))
  indexes.set(tables, index)
  return index
}

/** The coordinator record in key and value, or null when `tables` has no such type. */
export function decodeCoordinatorRecord<T extends object>(
  tables: T,
  { key, value }: KeyValue,
): CoordinatorRecordOf<T> | null {
  const keyReader = new Reader(key)
  const type = keyReader.int16()
  const table = byType(tables).get(type)
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
