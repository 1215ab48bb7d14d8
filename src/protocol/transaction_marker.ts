// A transaction's end in a log: a control batch of one record, key (version, type), value (version, coordinator epoch).
// Kafka: EndTransactionMarker, ControlRecordType; KIP-98.

import { Reader, Writer } from '../lib/bytes.ts'
import { encodeBatch, type LogRecord } from './record_batch.ts'

const VERSION = 0
const ABORT = 0
const COMMIT = 1

/** What a marker says. */
export interface Marker {
  readonly producerId: number
  readonly producerEpoch: number
  readonly coordinatorEpoch: number
  readonly isCommit: boolean
  readonly timestampMs: number
}

/** A marker, and the version of transactions it ends: from 2 on each has an epoch of its own (KIP-890). */
export interface TransactionMarker extends Marker {
  readonly transactionVersion: number
}

/** The control batch; offset and leader epoch are its leader's to patch. */
export function encodeMarker(marker: Marker): Uint8Array {
  const key = new Writer()
  key.int16(VERSION)
  key.int16(marker.isCommit ? COMMIT : ABORT)
  const value = new Writer()
  value.int16(VERSION)
  value.int32(marker.coordinatorEpoch)
  return encodeBatch({
    records: [{ key: key.copy(), value: value.copy() }],
    timestamp: marker.timestampMs,
    isTransactional: true,
    isControl: true,
    producerId: marker.producerId,
    producerEpoch: marker.producerEpoch,
    baseSequence: -1,
  })
}

/** What a control record of a transaction says; null when it is none that we know. */
export function readMarker({
  key,
  value,
}: Pick<LogRecord, 'key' | 'value'>): { isCommit: boolean; coordinatorEpoch: number } | null {
  if (key === null || key.length < 4) return null
  const keys = new Reader(key)
  keys.int16()
  const isCommit = keys.int16() === COMMIT
  if (value === null || value.length < 6) return { isCommit, coordinatorEpoch: -1 }
  const values = new Reader(value)
  values.int16()
  return { isCommit, coordinatorEpoch: values.int32() }
}
