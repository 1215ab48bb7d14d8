// What every client writes and every client reads: one list of records, and how two readings are compared. A writer
// says what of a record it cannot express; the rest must arrive with every reader as it was.

import { expect } from 'vitest'
import type { Compression } from '../../../src/protocol/record_batch.ts'

/** A record as a client sees it; text is UTF-8. */
export interface ClientRecord {
  key: string | null
  value: string | null
  headers: readonly (readonly [string, string | null])[]
  timestamp: number
}

export interface SeenRecord extends ClientRecord {
  offset: number
}

/** A producer. */
export interface Writer {
  name: string
  codecs: readonly Compression[]
  /** The record as this client can express it; timestamp 0 where the client gives the present. */
  express(record: ClientRecord): ClientRecord
  write(to: Place, records: readonly ClientRecord[], codec: Compression): Promise<void>
}

/** A consumer of one partition that needs no group. */
export interface Reader {
  name: string
  /** The record as this client can tell it; as it is when left out. */
  tell?(record: ClientRecord): ClientRecord
  /** `writer codec` of what this client itself cannot read, from any broker. */
  cannotRead?: readonly string[]
  read(from: Place, count: number): Promise<SeenRecord[]>
}

export interface Place {
  address: string
  topic: string
  partition: number
}

const MIB = 1 << 20
/** Room for a record of 1 MiB and what surrounds it. */
export const TOPIC_CONFIG = { 'max.message.bytes': String(MIB + 64_000) }

/** Every shape of record: sizes from 1 byte to 1 MiB, nothing where something may be, times out of order. */
export function everyShape(now: number): ClientRecord[] {
  const plain = (key: string | null, value: string | null): ClientRecord => ({
    key,
    value,
    headers: [],
    timestamp: 0,
  })
  const shapes: ClientRecord[] = [
    plain('first', 'a'),
    plain(null, 'a value without a key'),
    plain('a key without a value', null),
    plain('empty value', ''),
    plain('ключ', 'значення ☕'),
    { ...plain('with headers', 'and a value'), headers: [['trace', 'abc'], ['kind', 'né']] }, // biome-ignore format: one row each
    { ...plain('header twice', 'x'), headers: [['n', '1'], ['n', '2'], ['z', '3']] }, // biome-ignore format: one row each
    { ...plain('header without value', 'x'), headers: [['nothing', null]] },
    { ...plain('empty header', 'x'), headers: [['empty', '']] },
    plain('kilobyte', pattern(1000)),
    plain('hundred kilobytes', pattern(100_000)),
    plain('mebibyte', pattern(MIB)),
    plain('after the mebibyte', 'b'),
  ]
  for (let i = 0; i < 50; i++) shapes.push(plain(`small-${i}`, pattern(i + 1)))
  return shapes.map((record, i) => ({ ...record, timestamp: now - 5_000 + ((i * 37) % 100) }))
}

/** Text that compresses, but not to nothing. */
function pattern(bytes: number): string {
  let text = ''
  for (let i = 0; text.length < bytes; i++) text += `${(i * 2654435761) >>> 0} `
  return text.slice(0, bytes)
}

const asItIs = (record: ClientRecord): ClientRecord => record

/** Has every reader read a partition of a topic named `writer-codec` and compares. */
export async function expectRead(
  readers: readonly Reader[],
  place: Place,
  written: readonly ClientRecord[],
  times: { from: number; to: number },
): Promise<void> {
  for (const { name, read, tell = asItIs, cannotRead } of readers) {
    if (cannotRead?.includes(place.topic.replace('-', ' ')) === true) continue
    expectSame(await read(place, written.length), written.map(tell), times, name)
  }
}

/** Asserts that what was read is what was written, and when; long values are shortened in what a failure shows. */
function expectSame(
  seen: readonly SeenRecord[],
  written: readonly ClientRecord[],
  times: { from: number; to: number },
  reader: string,
): void {
  const shown = seen.map((record) => ({
    ...brief(record),
    timestamp:
      record.timestamp >= times.from && record.timestamp <= times.to ? 0 : record.timestamp,
  }))
  const expected = written.map((record, offset) => ({ ...brief(record), offset }))
  for (let i = 0; i < written.length; i++) {
    if (written[i]!.timestamp !== 0) shown[i]!.timestamp = seen[i]!.timestamp
  }
  expect(shown, `as ${reader} reads`).toEqual(expected)
  seen.forEach((record, i) => {
    expect(record.value === written[i]!.value, `every byte of value ${i}`).toBe(true)
  })
}

function brief<R extends ClientRecord>(record: R): R {
  const { value } = record
  if (value === null || value.length < 200) return record
  return { ...record, value: `${value.slice(0, 40)}… ${value.length} in all` }
}
