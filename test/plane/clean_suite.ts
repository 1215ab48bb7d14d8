// Contract: compaction: which records survive, what a reader sees, how far the answer says it went.

import { expect, it } from 'vitest'
import { CleanableColumn } from '../../src/plane/layout.ts'
import type { CleanOptions, PartitionConfig } from '../../src/plane/plane.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import {
  BATCH_HEADER_BYTES,
  batchesOf,
  encodeBatch,
  recordsOf,
  sealBatch,
} from '../../src/protocol/record_batch.ts'
import type { Client } from './client.ts'
import { Fixture, fetched, fetchOf, followerFetch, produced, produceOf } from './fixture.ts'
import type { PlaneHarness } from './harness.ts'

const OPTIONS: CleanOptions = {
  firstDirtyOffset: 0,
  minLagMs: 0,
  deleteRetentionMs: 86_400_000,
  mapBytes: 1 << 20,
  mapLoad: 0.9,
  bufferBytes: 64 << 10,
  bytesPerSecond: 0,
}
const NOW = 1_600_000_000_000
const text = (value: string | null) => (value === null ? null : new TextEncoder().encode(value))
const batch = (...pairs: [string, string | null][]): Uint8Array =>
  encodeBatch({
    records: pairs.map(([key, value], i) => ({
      timestamp: NOW + i,
      key: text(key),
      value: text(value),
      headers: [{ key: 'h', value: text(key) }],
    })),
  })
const SIZE = batch(['a', '1']).length

export function cleanSuite(harness: PlaneHarness): void {
  /** Every batch is a segment of its own unless `segments` says how many fit into one. */
  const open = async (
    batches: readonly Uint8Array[],
    config: Partial<PartitionConfig> = {},
  ): Promise<{ f: Fixture; client: Client }> => {
    const f = await Fixture.open(harness)
    await f.single({ segmentBytesMax: SIZE, compacted: true, ...config })
    const client = await f.client()
    for (const one of batches) {
      const done = await client.produce(9, produceOf(one, { acks: 1 }))
      expect(produced(done).errorCode).toBe(0)
    }
    return { f, client }
  }
  const clean = (f: Fixture, options: Partial<CleanOptions> = {}) =>
    f.ask((ticket) => f.plane.clean(0, { ...OPTIONS, ...options }, ticket))
  const decoder = new TextDecoder()

  /** What a reader meets from `offset` on: offset, key, value. */
  const survivors = async (f: Fixture, from = 0): Promise<[number, string, string | null][]> => {
    const found: [number, string, string | null][] = []
    const { logEndOffset } = await f.row()
    for (let offset = from; offset < logEndOffset; ) {
      const fact = await f.ask((t) => f.plane.read(0, offset, 1 << 20, t))
      const { errorCode } = fact
      const bytes = fact['bytes'] as Uint8Array
      expect(errorCode).toBe(0)
      expect(bytes.length).toBeGreaterThan(0)
      for (const header of batchesOf(bytes)) {
        for (const record of recordsOf(bytes, header, () => expect.unreachable())) {
          const { key, value } = record
          expect(record.headers[0]?.value).toEqual(key)
          const shown = value === null ? null : decoder.decode(value)
          if (record.offset >= from) found.push([record.offset, decoder.decode(key!), shown])
        }
        offset = header.lastOffset + 1
      }
    }
    return found
  }

  it('clean: the last value of each key stays where it was; the active segment is not touched', async () => {
    const { f } = await open([
      batch(['a', '1']),
      batch(['b', '1']),
      batch(['a', '2']),
      batch(['b', '2']),
      batch(['a', '3']),
    ])
    const bytes = (await f.ask((t) => f.plane.cleanable(0, 0, 0, t)))['bytes'] as Uint8Array
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const column = (at: number) => view.getFloat64(at * 8, true)
    expect(column(CleanableColumn.firstUncleanableOffset)).toBe(4)
    expect(column(CleanableColumn.cleanableBytes)).toBe(4 * SIZE)
    expect(column(CleanableColumn.cleanBytes)).toBe(0)
    expect(column(CleanableColumn.earliestDirtyTimestamp)).toBe(NOW)
    expect(await clean(f)).toMatchObject({ errorCode: 0, a: 4, b: 4 * SIZE })
    // What it counted on is synced.
    expect((await f.row()).recoveryPoint).toBe(5)
    const left: [number, string, string][] = [
      [2, 'a', '2'],
      [3, 'b', '2'],
      [4, 'a', '3'],
    ]
    expect(await survivors(f)).toEqual(left)
    for (let from = 0; from <= 4; from++) {
      expect(await survivors(f, from)).toEqual(left.filter(([offset]) => offset >= from))
    }
    await f.under.close()
  })

  it('clean: tombstones stay for deleteRetentionMs after their first cleaning', async () => {
    const { f } = await open([batch(['a', '1']), batch(['a', null]), batch(['z', '1'])], {
      segmentBytesMax: SIZE,
    })
    expect(await clean(f)).toMatchObject({ errorCode: 0, a: 2 })
    expect(await survivors(f)).toEqual([
      [1, 'a', null],
      [2, 'z', '1'],
    ])
    expect(await clean(f, { firstDirtyOffset: 2 })).toMatchObject({ errorCode: 0 })
    expect(await survivors(f)).toHaveLength(2)
    await f.under.close()
  })

  it('clean: a tombstone whose time is over goes', async () => {
    const { f } = await open([batch(['a', '1']), batch(['a', null]), batch(['z', '1'])])
    await clean(f, { deleteRetentionMs: 0 })
    await clean(f, { deleteRetentionMs: 0, firstDirtyOffset: 2 })
    expect(await survivors(f)).toEqual([[2, 'z', '1']])
    await f.under.close()
  })

  it('clean: batches lose single records and keep their offsets', async () => {
    const { f } = await open(
      [batch(['a', '1'], ['b', '1'], ['c', '1']), batch(['b', '2']), batch(['q', '1'])],
      { segmentBytesMax: 200 },
    )
    expect(await clean(f)).toMatchObject({ errorCode: 0 })
    const keys = (await survivors(f)).map(([offset, key, value]) => `${offset}${key}${value}`)
    expect(keys).toContain('0a1')
    expect(keys).toContain('2c1')
    await f.under.close()
  })

  it('clean: a consumer is given headers without records only where nothing else is left', async () => {
    const values = ['a', 'b', 'a', 'b', 'a'].map((key, i) => batch([key, `${i}`]))
    const { f, client } = await open(values)
    await clean(f)
    const offsetsAt = async (body: Parameters<Client['fetch']>[1]) => {
      const answer = fetched(await client.fetch(12, body))
      expect(answer.errorCode).toBe(0)
      const found = [...batchesOf(answer.records ?? new Uint8Array())]
      return found.map(({ baseOffset, count }) => `${baseOffset}:${count}`)
    }
    for (let fetchOffset = 0; fetchOffset <= 4; fetchOffset++) {
      for (const isolationLevel of [0, 1]) {
        const expected = [`${Math.max(fetchOffset, 2)}:1`]
        expect(await offsetsAt(fetchOf([{ fetchOffset }], { isolationLevel }))).toEqual(expected)
      }
    }
    // At least one batch, and that one has records.
    expect(await offsetsAt(fetchOf([{ partitionMaxBytes: 1 }]))).toEqual(['2:1'])
    // A follower has the log as it is.
    f.plane.lead({ slot: 0, leaderEpoch: 1, partitionEpoch: 1, replicas: [1, 2], isr: [1] })
    expect(await offsetsAt(followerFetch(12, 2, 0))).toEqual(['0:0'])
    expect(await offsetsAt(followerFetch(12, 2, 1))).toEqual(['1:0'])
    // An end without records is as good as any: an offset has to move on.
    f.plane.follow(0, 3, 2)
    expect(await f.ask((ticket) => f.plane.truncate(0, 3, 2, ticket))).toMatchObject({ a: 2 })
    f.plane.lead({ slot: 0, leaderEpoch: 4, partitionEpoch: 2, replicas: [1], isr: [1] })
    expect((await f.row()).highWatermark).toBe(2)
    expect(await offsetsAt(fetchOf([{}]))).toEqual(['1:0'])
    expect(await offsetsAt(fetchOf([{ fetchOffset: 2 }]))).toEqual([])
    await f.under.close()
  })

  it('clean: a header that is left of a transaction opens none where it is copied to', async () => {
    const { f } = await open([])
    const whole = encodeBatch({
      records: [{ timestamp: NOW, key: text('a'), value: text('1') }],
      isTransactional: true,
      producerId: 7,
      producerEpoch: 0,
      baseSequence: 0,
    })
    const header = whole.slice(0, BATCH_HEADER_BYTES)
    const view = new DataView(header.buffer)
    view.setInt32(8, BATCH_HEADER_BYTES - 12)
    view.setInt32(57, 0)
    sealBatch(header, 0, header.length)
    for (const [bytes, stable] of [
      [header, 1],
      [whole, 1],
    ] as const) {
      const { leaderEpoch } = await f.row()
      const done = await f.ask((ticket) => f.plane.append(0, leaderEpoch, bytes, ticket))
      expect(done.errorCode).toBe(0)
      expect((await f.row()).lastStableOffset).toBe(stable)
    }
    await f.under.close()
  })

  it('clean: an unknown slot is answered', async () => {
    const { f } = await open([])
    const done = await f.ask((ticket) => f.plane.clean(77, OPTIONS, ticket))
    expect(done.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    const data = await f.ask((ticket) => f.plane.cleanable(77, 0, 0, ticket))
    expect(data.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    await f.under.close()
  })
}
