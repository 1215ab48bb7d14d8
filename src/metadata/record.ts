// A record of the metadata log: which table, which version, and the decoded value; and its bytes.
//
// Invariant: a type or version that the tables do not hold raises UnsupportedMetadata and stops the
// start; nothing is ever skipped. The bytes are those of a record's value in a batch: three unsigned
// varints (frame version 1, record type, record version), then the message.
// Kafka: MetadataRecordSerde, AbstractApiMessageSerde, MetadataRecordType.

import { Reader, type Writer } from '../lib/bytes.ts'
import { collect, decodeFrom, encodeInto, hasVersion } from '../protocol/codec.ts'
import type { DecodedOf, Message } from '../protocol/dsl.ts'
import * as tables from '../protocol/records/metadata.ts'

/** A log or snapshot that means something this release does not understand. */
export class UnsupportedMetadata extends Error {
  override readonly name = 'UnsupportedMetadata'
  readonly code = 'UNSUPPORTED_METADATA'
}

/** A log that contradicts itself: a change of something that was never made. */
export class CorruptMetadata extends Error {
  override readonly name = 'CorruptMetadata'
  readonly code = 'CORRUPT_METADATA'
}

type Tables = {
  [N in keyof typeof tables as (typeof tables)[N] extends Message ? N : never]: (typeof tables)[N]
}
/** The name of a record type, such as `TopicRecord`. */
export type RecordName = keyof Tables
/** The decoded value of a record type. */
export type ValueOf<N extends RecordName> = DecodedOf<Tables[N]>
/** One record, discriminated by the name of its type. */
export type MetadataRecord = {
  [N in RecordName]: { readonly name: N; readonly version: number; readonly value: ValueOf<N> }
}[RecordName]
/** Where an image writes its records. */
export type RecordSink = (record: MetadataRecord) => void

const FRAME_VERSION = 1
const byType = new Map<number, Message>()
const byName = new Map<string, Message>()
for (const table of Object.values(tables)) {
  const message = table as Message
  if (message.kind !== 'metadata' || message.key === null) continue
  byType.set(message.key, message)
  byName.set(message.name, message)
}

/** Makes a record; the version is the newest the table has unless one is given. */
export function metadataRecord<N extends RecordName>(
  name: N,
  value: ValueOf<N>,
  version: number = byName.get(name)!.valid.max,
): MetadataRecord {
  return { name, version, value } as unknown as MetadataRecord
}

/** The bytes of a record's value. */
export function encodeMetadataRecord(record: MetadataRecord): Uint8Array {
  const message = byName.get(record.name)!
  return collect((out: Writer) => {
    out.uvarint(FRAME_VERSION)
    out.uvarint(message.key!)
    out.uvarint(record.version)
    encodeInto(message, record.version, record.value, out)
  })
}

/** Reads a record's value; throws UnsupportedMetadata where a table or a version is missing. */
export function decodeMetadataRecord(bytes: Uint8Array): MetadataRecord {
  const reader = new Reader(bytes)
  const frame = reader.uvarint()
  if (frame !== FRAME_VERSION) {
    throw new UnsupportedMetadata(
      `metadata record frame version ${frame}; we know ${FRAME_VERSION}`,
    )
  }
  const type = reader.uvarint()
  const version = reader.uvarint()
  const message = byType.get(type)
  if (message === undefined) {
    throw new UnsupportedMetadata(`metadata record type ${type} (version ${version}) is unknown`)
  }
  if (!hasVersion(message, version)) {
    throw new UnsupportedMetadata(
      `${message.name} version ${version} is unknown; this release reads up to ${message.valid.max}`,
    )
  }
  const value = decodeFrom(message, version, reader)
  reader.finish()
  return { name: message.name, version, value } as unknown as MetadataRecord
}

/** Stops a snapshot that would lose something at the metadata.version it is written for. */
export function unwritable(what: string, version: number): never {
  throw new UnsupportedMetadata(`${what} cannot be written at version ${version}`)
}
