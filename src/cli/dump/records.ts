// Records of Kafka's own logs, in words: groups and offsets, transactions, share groups, metadata, control records.
// A record that its table cannot read is shown with the reason, since the rest of the log still has a story.
// Kafka: DumpLogSegments' parsers, CoordinatorRecordSerde, MetadataRecordSerde, ControlRecordType.

import { MalformedFrame, Reader } from '../../lib/bytes.ts'
import { decodeMetadataRecord, UnsupportedMetadata } from '../../metadata/record.ts'
import { decode } from '../../protocol/codec.ts'
import { decodeControlRecord } from '../../protocol/control_records.ts'
import {
  decodeCoordinatorRecord,
  groupRecords,
  shareRecords,
  transactionRecords,
} from '../../protocol/coordinator_records.ts'
import type { CoordinatorRecord, Message } from '../../protocol/dsl.ts'
import {
  CONSUMER_PROTOCOL_TYPE,
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
  decodeAssignment,
  decodeSubscription,
} from '../../protocol/embedded.ts'
import { type Json, toJson } from '../../protocol/json.ts'
import type { LogRecord } from '../../protocol/record_batch.ts'
import { EndTxnMarker } from '../../protocol/records/control.ts'
import { messages } from '../../protocol/registry.ts'
import type { Fields } from './findings.ts'

/** Whose records these are; `none` leaves key and value as bytes. */
export type Decoder = 'none' | 'offsets' | 'transactions' | 'shares' | 'metadata'

const LOGS: Readonly<Record<string, Decoder>> = {
  __consumer_offsets: 'offsets',
  __transaction_state: 'transactions',
  __share_group_state: 'shares',
  __cluster_metadata: 'metadata',
}

/** The decoder of a topic's records. */
export function decoderOf(topic: string | null): Decoder {
  return (topic === null ? undefined : LOGS[topic]) ?? 'none'
}

/** The record in words, null where it is the user's own. */
export function decodeRecord(
  record: LogRecord,
  isControl: boolean,
  decoder: Decoder,
): Fields | null {
  try {
    if (isControl) return controlRecord(record)
    switch (decoder) {
      case 'none':
        return null
      case 'metadata':
        return metadataRecord(record)
      case 'offsets':
        return coordinatorRecord(groupRecords, record)
      case 'transactions':
        return coordinatorRecord(transactionRecords, record)
      case 'shares':
        return coordinatorRecord(shareRecords, record)
    }
  } catch (error) {
    if (error instanceof MalformedFrame || error instanceof UnsupportedMetadata) {
      return { unreadable: error.message }
    }
    throw error
  }
}

const MARKERS = ['ABORT', 'COMMIT'] as const

function controlRecord(record: LogRecord): Fields {
  const { key, value } = record
  if (key !== null && value !== null && key.length === 4) {
    const type = new Reader(key, 2).int16()
    const marker = MARKERS[type]
    if (marker !== undefined) {
      const reader = new Reader(value)
      const version = reader.int16()
      const { coordinatorEpoch } = decode(EndTxnMarker, 0, value.subarray(reader.offset))
      return { type: marker, version, coordinatorEpoch }
    }
  }
  const control = decodeControlRecord(record)
  const message = messages.get(CONTROL_MESSAGES[control.type])!
  return { type: control.type, value: toJson(message, 0, control.value) }
}

const CONTROL_MESSAGES = {
  leaderChange: 'LeaderChangeMessage',
  snapshotHeader: 'SnapshotHeaderRecord',
  snapshotFooter: 'SnapshotFooterRecord',
  kraftVersion: 'KRaftVersionRecord',
  voters: 'VotersRecord',
} as const

function metadataRecord({ value }: LogRecord): Fields {
  if (value === null) return { unreadable: 'a metadata record without a value' }
  const record = decodeMetadataRecord(value)
  const { name, version } = record
  return { type: name, version, value: toJson(messages.get(name)!, version, record.value) }
}

function coordinatorRecord(tables: object, { key, value }: LogRecord): Fields {
  if (key === null) return { unreadable: 'a coordinator record without a key' }
  const record = decodeCoordinatorRecord(tables, { key, value }) as CoordinatorLike | null
  if (record === null) return { unreadable: `record type ${new Reader(key).int16()} is unknown` }
  const table = (tables as Record<string, CoordinatorRecord>)[record.type]!
  const decodedValue =
    record.value === null ? null : toJson(table.value, record.version, record.value)
  if (record.type === 'GroupMetadata' && decodedValue !== null) openMembers(decodedValue)
  return {
    type: record.type,
    version: record.version,
    key: toJson(table.key, 0, record.key),
    value: decodedValue,
  }
}

interface CoordinatorLike {
  readonly type: string
  readonly version: number
  readonly key: object
  readonly value: object | null
}

// What consumers told each other is bytes to a coordinator; to a reader it is half of the story.
function openMembers(group: { [name: string]: Json }): void {
  if (group['protocolType'] !== CONSUMER_PROTOCOL_TYPE || !Array.isArray(group['members'])) return
  for (const member of group['members'] as { [name: string]: Json }[]) {
    open(member, 'subscription', ConsumerProtocolSubscription, decodeSubscription)
    open(member, 'assignment', ConsumerProtocolAssignment, decodeAssignment)
  }
}

function open(
  member: { [name: string]: Json },
  field: string,
  message: Message,
  read: (bytes: Uint8Array) => object & { version: number },
): void {
  const bytes = Buffer.from(String(member[field] ?? ''), 'base64')
  if (bytes.length === 0) return
  try {
    const value = read(bytes)
    member[field] = toJson(message, Math.min(value.version, message.valid.max), value)
  } catch (error) {
    if (!(error instanceof MalformedFrame)) throw error // not what consumers write: stays base64
  }
}
