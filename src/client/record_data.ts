// Records as users of the client give and get them. Bytes may be given as text, which is taken as UTF-8; what is read
// is always bytes, since nobody knows what they are.

import type { LogRecord, RecordHeader, RecordInput } from '../protocol/record_batch.ts'

/** Bytes, or text that stands for its UTF-8. */
export type BytesOrText = Uint8Array | string

/** A record to be produced. */
export interface ProducerRecord {
  readonly topic: string
  readonly key?: BytesOrText | null | undefined
  /** Null is a tombstone. */
  readonly value?: BytesOrText | null | undefined
  readonly headers?:
    | readonly { readonly key: string; readonly value: BytesOrText | null }[]
    | Readonly<Record<string, BytesOrText | null>>
    | undefined
  /** Milliseconds since 1970; now when left out. */
  readonly timestamp?: number | undefined
  /** Chosen by key, or any, when left out. */
  readonly partition?: number | undefined
}

/** A record that was read. */
export interface ConsumerRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since 1970; -1 when it has none. */
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

const encoder = new TextEncoder()

/** The bytes of what a user gave. */
export function bytesOf(data: BytesOrText | null | undefined): Uint8Array | null {
  if (data === null || data === undefined) return null
  return typeof data === 'string' ? encoder.encode(data) : data
}

/** A record as a batch takes it, with some estimate of its size in a batch. */
export function inputOf(
  record: ProducerRecord,
  nowMs: number,
): { readonly input: RecordInput; readonly bytes: number } {
  const { headers = [], timestamp = nowMs } = record
  const list = Array.isArray(headers)
    ? (headers as readonly { key: string; value: BytesOrText | null }[])
    : Object.entries(headers as Readonly<Record<string, BytesOrText | null>>).map(
        ([key, value]) => ({ key, value }),
      )
  const key = bytesOf(record.key)
  const value = bytesOf(record.value)
  const encoded = list.map((header) => ({ key: header.key, value: bytesOf(header.value) }))
  let bytes = 20 + (key?.length ?? 0) + (value?.length ?? 0)
  for (const header of encoded) bytes += 10 + header.key.length + (header.value?.length ?? 0)
  return { input: { key, value, headers: encoded, timestamp }, bytes }
}

/** A record of a log as users see it. */
export function consumed(topic: string, partition: number, record: LogRecord): ConsumerRecord {
  const { offset, timestamp, key, value, headers } = record
  return { topic, partition, offset, timestamp: Number(timestamp), key, value, headers }
}
