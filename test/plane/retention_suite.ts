// Contract: retention and rolling by time: which segments go, and where the log then starts.

import { expect, it } from 'vitest'
import { RetireMode } from '../../src/plane/layout.ts'
import type { PartitionConfig, Retention } from '../../src/plane/plane.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { encodeBatch } from '../../src/protocol/record_batch.ts'
import type { Client } from './client.ts'
import { Fixture, fetched, fetchOf, followerFetch, produced, produceOf } from './fixture.ts'
import type { PlaneHarness } from './harness.ts'

/** Long ago on every harness's clock. */
const OLD = 1_600_000_000_000
const FUTURE = 4_000_000_000_000
const DAY_MS = 86_400_000

const stamped = (timestamp: number): Uint8Array =>
  encodeBatch({ records: [{ timestamp, value: new Uint8Array(50) }] })
const SIZE = stamped(OLD).length

export function retentionSuite(harness: PlaneHarness): void {
  /** One partition with a batch a segment. */
  const open = async (
    timestamps: readonly number[],
    config: Partial<PartitionConfig> = {},
    replicas: readonly number[] = [1],
  ): Promise<{ f: Fixture; client: Client }> => {
    const f = await Fixture.open(harness)
    await f.single({ segmentBytesMax: SIZE, ...config }, replicas)
    const client = await f.client()
    for (const timestamp of timestamps) {
      const done = await client.produce(9, produceOf(stamped(timestamp), { acks: 1 }))
      expect(produced(done).errorCode).toBe(0)
    }
    return { f, client }
  }
  const retain = (f: Fixture, limits: Partial<Retention>) =>
    f.ask((ticket) => f.plane.retain(0, { retentionMs: -1, retentionBytes: -1, ...limits }, ticket))

  it('retain: by age: whole segments, up to the first that is young', async () => {
    const { f, client } = await open([OLD, OLD, FUTURE, OLD])
    expect(await retain(f, {})).toMatchObject({ errorCode: 0, a: 0, b: 0, c: 0 })
    expect(await retain(f, { retentionMs: DAY_MS })).toMatchObject({ a: 2, b: 2, c: 0 })
    expect(await f.row()).toMatchObject({
      logStartOffset: 2,
      logEndOffset: 4,
      segments: 2,
      bytes: 2 * SIZE,
    })
    const gone = fetched(await client.fetch(11, fetchOf([{ fetchOffset: 1 }])))
    expect(gone.errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    expect(fetched(await client.fetch(11, fetchOf([{ fetchOffset: 2 }]))).logStartOffset).toBe(2)
    await f.under.close()
  })

  it('retain: by age: the active segment goes too, and the log goes on at its end', async () => {
    const { f, client } = await open([OLD, OLD])
    expect(await retain(f, { retentionMs: DAY_MS })).toMatchObject({ a: 2, b: 2 })
    expect(await f.row()).toMatchObject({
      logStartOffset: 2,
      logEndOffset: 2,
      highWatermark: 2,
      segments: 1,
      bytes: 0,
    })
    expect(await retain(f, { retentionMs: 0, retentionBytes: 0 })).toMatchObject({ a: 2, b: 0 })
    expect(produced(await client.produce(9, produceOf(stamped(OLD)))).baseOffset).toBe(2)
    await f.under.close()
  })

  it('retain: by age: without timestamps the time of the last write counts', async () => {
    const { f } = await open([-1, -1])
    expect(await retain(f, { retentionMs: DAY_MS })).toMatchObject({ a: 0, b: 0 })
    await f.under.close()
  })

  it('retain: by size: while the rest still has so many bytes', async () => {
    const { f } = await open([FUTURE, FUTURE, FUTURE, FUTURE])
    expect(await retain(f, { retentionBytes: 3 * SIZE + 1 })).toMatchObject({ a: 0, b: 0 })
    expect(await retain(f, { retentionBytes: 3 * SIZE })).toMatchObject({ a: 1, b: 1 })
    expect(await retain(f, { retentionBytes: SIZE })).toMatchObject({ a: 3, b: 2 })
    expect(await retain(f, { retentionBytes: 0 })).toMatchObject({ a: 4, b: 1 })
    await f.under.close()
  })

  it('retain: nothing at or above the high watermark', async () => {
    const { f, client } = await open([OLD, OLD, OLD, OLD], {}, [1, 2])
    const all = { retentionMs: 0, retentionBytes: 0 }
    expect(await retain(f, all)).toMatchObject({ a: 0, b: 0 })
    await client.fetch(12, followerFetch(12, 2, 2))
    expect((await f.row()).highWatermark).toBe(2)
    expect(await retain(f, all)).toMatchObject({ a: 2, b: 2 })
    await f.under.close()
  })

  it('retain: some at a time, and says that more are due', async () => {
    const { f } = await open(Array(40).fill(OLD))
    expect(await retain(f, { retentionMs: DAY_MS })).toMatchObject({ a: 32, b: 32, c: 1 })
    expect(await retain(f, { retentionMs: DAY_MS })).toMatchObject({ a: 40, b: 8, c: 0 })
    await f.under.close()
  })

  it.each([
    ['clean', true],
    ['kill', false],
  ])('retain: %s: what was deleted stays deleted', async (_name, isClean) => {
    const { f } = await open([OLD, OLD, FUTURE], { fileDeleteDelayMs: 60_000 })
    expect(await retain(f, { retentionMs: DAY_MS })).toMatchObject({ a: 2, b: 2 })
    const g = await Fixture.on(await f.under.restart({ isClean }))
    const done = await g.create(0, {}, { isCleanShutdown: isClean })
    expect(done).toMatchObject({ errorCode: 0, a: 2, b: 3 })
    await g.under.close()
  })

  it('create: whole segments below the log start go', async () => {
    const { f } = await open([OLD, OLD, OLD])
    // While it was the active one it stayed.
    await f.ask((ticket) => f.plane.trim(0, 3, ticket))
    const client = await f.client()
    await client.produce(9, produceOf(stamped(OLD)))
    expect(await f.row()).toMatchObject({ logStartOffset: 3, segments: 2 })
    await f.ask((ticket) => f.plane.retire(0, RetireMode.close, ticket))
    await f.create(0, {}, { isCleanShutdown: true, logStartOffset: 3, recoveryPoint: 4 })
    expect(await f.row()).toMatchObject({ logStartOffset: 3, logEndOffset: 4, segments: 1 })
    await f.under.close()
  })

  it('retain: a deleted partition leaves its name at once', async () => {
    const { f } = await open([OLD], { directoryDeleteDelayMs: 60_000 })
    await f.ask((ticket) => f.plane.retire(0, 1, ticket))
    expect(await f.create(0)).toMatchObject({ errorCode: 0, a: 0, b: 0 })
    await f.under.close()
  })

  it('segmentMs: a batch that much younger than the first begins a segment', async () => {
    const { f } = await open([OLD, OLD + 1000], { segmentBytesMax: 1 << 20, segmentMs: 1000 })
    expect((await f.row()).segments).toBe(1)
    const client = await f.client()
    await client.produce(9, produceOf(stamped(OLD + 1001)))
    expect((await f.row()).segments).toBe(2)
    await f.under.close()
  })

  it('segmentJitterMs: the age is drawn below segmentMs, anew for each segment', async () => {
    const config = { segmentBytesMax: 1 << 20, segmentMs: 1000, segmentJitterMs: 900 }
    const { f } = await open([OLD], config)
    const client = await f.client()
    const ages: number[] = []
    let begun = OLD
    for (let at = OLD + 20; ages.length < 4; at += 20) {
      const before = (await f.row()).segments
      await client.produce(9, produceOf(stamped(at)))
      if ((await f.row()).segments === before) continue
      ages.push(at - begun)
      begun = at
    }
    for (const age of ages) expect(age).toSatisfy((ms: number) => ms > 100 && ms <= 1020)
    expect(Math.min(...ages)).toBeLessThan(1000)
    await f.under.close()
  })
}
