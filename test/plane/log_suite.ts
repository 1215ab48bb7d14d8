// Contract: the verbs about partitions and logs: open and reopen, our own appends, raft's log, lookups,
// producers, rows.

import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { LookupKind, RetireMode } from '../../src/plane/layout.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { batchesOf, encodeBatch, readBatchHeader } from '../../src/protocol/record_batch.ts'
import { batchOf } from './client.ts'
import { CONFIG, Fixture, fetched, fetchOf, produced, produceOf } from './fixture.ts'
import type { PlaneHarness } from './harness.ts'

const UNKNOWN = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION

export function logSuite(harness: PlaneHarness): void {
  const open = (options = {}) => Fixture.open(harness, options)

  it('create: a new one is empty; its row says so', async () => {
    const f = await open()
    expect(await f.create(0)).toMatchObject({ errorCode: 0, a: 0, b: 0, c: 0 })
    expect(await f.row()).toEqual({
      logStartOffset: 0,
      logEndOffset: 0,
      highWatermark: 0,
      lastStableOffset: 0,
      leaderEpoch: -1,
      bytes: 0,
      segments: 1,
      recoveryPoint: 0,
      isLeader: false,
      isOffline: false,
    })
    await f.under.close()
  })

  it('row: counts what was appended', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const batch = batchOf(['a', 'b'])
    await client.produce(9, produceOf(batch))
    expect(await f.row()).toMatchObject({
      logEndOffset: 2,
      highWatermark: 2,
      lastStableOffset: 2,
      leaderEpoch: 0,
      bytes: batch.length,
      isLeader: true,
    })
    await f.under.close()
  })

  it.each([
    ['clean', true],
    ['kill', false],
  ])('reopen: %s: the same batches, epochs and producers', async (_name, isClean) => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const idempotent = (baseSequence: number) =>
      batchOf(['x'], { producerId: 3, producerEpoch: 1, baseSequence })
    await client.produce(9, produceOf(idempotent(0)))
    f.plane.lead({ slot: 0, leaderEpoch: 2, partitionEpoch: 0, replicas: [1], isr: [1] })
    await client.produce(9, produceOf(idempotent(1)))
    await f.row()
    const g = await Fixture.on(await f.under.restart({ isClean }))
    const done = await g.create(0, {}, { isCleanShutdown: isClean, highWatermark: 1 })
    expect(done).toMatchObject({ errorCode: 0, a: 0, b: 2, c: 0 })
    expect(await g.row()).toMatchObject({ highWatermark: 1, logEndOffset: 2, leaderEpoch: -1 })
    const epoch = await g.ask((ticket) => g.plane.lookup(0, LookupKind.epochEnd, 0, ticket))
    expect(epoch).toMatchObject({ a: 1, b: 0 })
    g.plane.lead({ slot: 0, leaderEpoch: 3, partitionEpoch: 0, replicas: [1], isr: [1] })
    g.route([0])
    const again = await g.client()
    const duplicate = produced(await again.produce(9, produceOf(idempotent(1))))
    expect(duplicate).toMatchObject({ errorCode: 0, baseOffset: 1 })
    expect(produced(await again.produce(9, produceOf(idempotent(2)))).baseOffset).toBe(2)
    await g.under.close()
  })

  it('retire: closed it can be opened again, deleted it is new; its slot is free', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    await client.produce(9, produceOf(batchOf(['a'])))
    await f.ask((ticket) => f.plane.retire(0, RetireMode.close, ticket))
    const gone = produced(await client.produce(9, produceOf(batchOf(['a']))))
    expect(gone.errorCode).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    expect(await f.create(0)).toMatchObject({ b: 1 })
    await f.ask((ticket) => f.plane.retire(0, RetireMode.delete, ticket))
    expect(await f.create(0)).toMatchObject({ b: 0 })
    await f.under.close()
  })

  it('verbs: an unknown slot is answered', async () => {
    const f = await open()
    for (const verb of [
      (ticket: number) => f.plane.trim(7, 0, ticket),
      (ticket: number) => f.plane.retain(7, { retentionMs: 0, retentionBytes: 0 }, ticket),
      (ticket: number) => f.plane.truncate(7, 0, 0, ticket),
      (ticket: number) => f.plane.retire(7, 0, ticket),
      (ticket: number) => f.plane.append(7, 0, batchOf(['a']), ticket),
      (ticket: number) => f.plane.flush(7, ticket),
      (ticket: number) => f.plane.read(7, 0, 100, ticket),
      (ticket: number) => f.plane.lookup(7, 0, 0, ticket),
      (ticket: number) => f.plane.producers(7, ticket),
    ]) {
      expect((await f.ask(verb))['errorCode']).toBe(UNKNOWN)
    }
    await f.under.close()
  })

  it('trim: the start moves up, segments below it go, never above the watermark', async () => {
    const f = await open()
    await f.single({ segmentBytesMax: 200 })
    const client = await f.client()
    for (let i = 0; i < 8; i++) await client.produce(9, produceOf(batchOf(['x'.repeat(50)])))
    const before = await f.row()
    expect(await f.ask((ticket) => f.plane.trim(0, 5, ticket))).toMatchObject({ a: 5 })
    const after = await f.row()
    expect(after.logStartOffset).toBe(5)
    expect(after.segments).toBeLessThan(before.segments)
    expect(await f.ask((ticket) => f.plane.trim(0, 3, ticket))).toMatchObject({ a: 5 })
    const beyond = await f.ask((ticket) => f.plane.trim(0, 9, ticket))
    expect(beyond['errorCode']).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    expect(await f.ask((ticket) => f.plane.trim(0, 8, ticket))).toMatchObject({ a: 8 })
    await f.under.close()
  })

  it('append: a leader gives offsets and its epoch, to several batches at once', async () => {
    const f = await open()
    await f.single({}, [1], { isWatched: true })
    const bytes = Uint8Array.from([...batchOf(['a', 'b']), ...batchOf(['c'])])
    const done = await f.ask((ticket) => f.plane.append(0, 0, bytes, ticket))
    expect(done).toMatchObject({ errorCode: 0, a: 0, b: 3 })
    await f.under.until(() => f.facts.last('highWatermark')?.['highWatermark'] === 3, 'the fact')
    const read = await f.ask((ticket) => f.plane.read(0, 1, 1 << 20, ticket))
    expect(read).toMatchObject({ errorCode: 0, a: 3, b: 3 })
    const headers = [...batchesOf(read['bytes'] as Uint8Array)]
    expect(headers.map((header) => header.baseOffset)).toEqual([0, 2])
    const small = await f.ask((ticket) => f.plane.read(0, 2, 1, ticket))
    expect([...batchesOf(small['bytes'] as Uint8Array)]).toHaveLength(1)
    const end = await f.ask((ticket) => f.plane.read(0, 3, 100, ticket))
    expect(end).toMatchObject({ errorCode: 0, bytes: new Uint8Array(0) })
    const beyond = await f.ask((ticket) => f.plane.read(0, 4, 100, ticket))
    expect(beyond['errorCode']).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    await f.under.close()
  })

  it('append: stale and future epochs, no role, spoilt bytes', async () => {
    const f = await open()
    await f.create(0)
    const append = async (epoch: number, bytes = batchOf(['a'])) =>
      (await f.ask((ticket) => f.plane.append(0, epoch, bytes, ticket)))['errorCode']
    expect(await append(0)).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    f.plane.lead({ slot: 0, leaderEpoch: 2, partitionEpoch: 0, replicas: [1], isr: [1] })
    expect(await append(1)).toBe(ErrorCode.FENCED_LEADER_EPOCH)
    expect(await append(3)).toBe(ErrorCode.UNKNOWN_LEADER_EPOCH)
    expect(await append(2, batchOf(['a']).slice(0, -1))).toBe(ErrorCode.CORRUPT_MESSAGE)
    const spoilt = batchOf(['a'])
    spoilt[62]! ^= 1
    expect(await append(2, spoilt)).toBe(ErrorCode.CORRUPT_MESSAGE)
    expect((await f.row()).logEndOffset).toBe(0)
    expect(await append(2)).toBe(0)
    await f.under.close()
  })

  it('raft: batches keep their offsets and epochs, raft moves the watermark', async () => {
    const f = await open()
    await f.create(0, {}, { isRaft: true, isWatched: true })
    f.plane.lead({ slot: 0, leaderEpoch: 4, partitionEpoch: 0, replicas: [1], isr: [1] })
    const batch = (baseOffset: number, partitionLeaderEpoch: number, count = 2) =>
      batchOf(Array(count).fill('r'), { baseOffset, partitionLeaderEpoch })
    const append = (bytes: Uint8Array) => f.ask((ticket) => f.plane.append(0, 4, bytes, ticket))
    expect(await append(batch(0, 3))).toMatchObject({ errorCode: 0, a: 0, b: 2 })
    expect(await append(batch(2, 4))).toMatchObject({ errorCode: 0, a: 2, b: 4 })
    const low = await append(batch(3, 4))
    expect(low['errorCode']).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    // One before it was refused, for want of room perhaps.
    const early = await append(batch(5, 4))
    expect(early['errorCode']).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    expect((await f.row()).highWatermark).toBe(0)
    f.plane.setHighWatermark(0, 4, 3)
    f.plane.setHighWatermark(0, 4, 1)
    await f.under.until(() => f.facts.last('highWatermark')?.['highWatermark'] === 3, 'the fact')
    expect((await f.row()).highWatermark).toBe(3)
    f.plane.setHighWatermark(0, 4, 99)
    expect((await f.row()).highWatermark).toBe(4)
    const end = await f.ask((ticket) => f.plane.lookup(0, LookupKind.epochEnd, 3, ticket))
    expect(end).toMatchObject({ a: 2, b: 3 })
    const cut = await f.ask((ticket) => f.plane.truncate(0, 0, 4, ticket))
    expect(cut).toMatchObject({ errorCode: 0, a: 4 })
    const read = await f.ask((ticket) => f.plane.read(0, 2, 1 << 20, ticket))
    const header = readBatchHeader(read['bytes'] as Uint8Array)
    expect(header).toMatchObject({ baseOffset: 2, partitionLeaderEpoch: 4 })
    await f.under.close()
  })

  it('raft: a snapshot starts the log afresh above its end', async () => {
    const f = await open()
    await f.create(0, {}, { isRaft: true })
    f.plane.follow(0, 4, 2)
    expect(await f.ask((ticket) => f.plane.trim(0, 50, ticket))).toMatchObject({ a: 50 })
    expect(await f.row()).toMatchObject({ logStartOffset: 50, logEndOffset: 50, highWatermark: 50 })
    const batch = batchOf(['r'], { baseOffset: 50, partitionLeaderEpoch: 4 })
    const done = await f.ask((ticket) => f.plane.append(0, 4, batch, ticket))
    expect(done).toMatchObject({ errorCode: 0, a: 50, b: 51 })
    await f.under.close()
  })

  it('flush: says up to where', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    await client.produce(9, produceOf(batchOf(['a', 'b'])))
    expect(await f.ask((ticket) => f.plane.flush(0, ticket))).toMatchObject({ errorCode: 0, a: 2 })
    expect((await f.row()).recoveryPoint).toBe(2)
    await f.under.close()
  })

  it('flush: covers the appends asked for before it', async () => {
    const f = await open()
    await f.single()
    f.plane.append(0, 0, batchOf(['a']), 900_001)
    expect(await f.ask((ticket) => f.plane.flush(0, ticket))).toMatchObject({ errorCode: 0, a: 1 })
    await f.under.close()
  })

  it('flush: a rolled segment is synced, and the recovery point follows', async () => {
    const f = await open()
    const batch = batchOf(['a'])
    await f.single({ segmentBytesMax: 2 * batch.length })
    const client = await f.client()
    for (const _ of [1, 2, 3, 4, 5]) await client.produce(9, produceOf(batch))
    await f.under.until(() => f.plane.partition(0).recoveryPoint === 4, 'the sync of what rolled')
    expect((await f.row()).logEndOffset).toBe(5)
    await f.under.close()
  })

  it('flush: flush.messages: what is acknowledged at its count is synced', async () => {
    const f = await open()
    await f.single({ flushMessages: 2 })
    const client = await f.client()
    const put = async () => (await client.produce(9, produceOf(batchOf(['a'])))).responses
    await put()
    expect((await f.row()).recoveryPoint).toBe(0)
    await put()
    expect(f.plane.partition(0).recoveryPoint).toBe(2)
    f.plane.configure(0, { ...CONFIG, flushMessages: 1 })
    await put()
    expect(f.plane.partition(0).recoveryPoint).toBe(3)
    await f.under.close()
  })

  it.runIf(harness.hasVirtualTime)(
    'flush: flush.ms: what waited so long is synced within a second',
    async () => {
      const f = await open()
      await f.single({ flushMs: 5_000 })
      const client = await f.client()
      await client.produce(9, produceOf(batchOf(['a'])))
      await f.under.advance(3_000)
      expect((await f.row()).recoveryPoint).toBe(0)
      await f.under.advance(3_000)
      expect((await f.row()).recoveryPoint).toBe(1)
      await f.under.close()
    },
  )

  it.runIf(harness.hasVirtualTime)(
    'flush: flush.ms: every partition of many has its turn, again and again',
    async () => {
      const f = await open()
      const partitions = [...Array(450).keys()]
      await f.several(partitions.length, { flushMs: 1_000 })
      for (const round of [1, 2]) {
        for (const slot of partitions) f.plane.append(slot, 0, batchOf(['a']), 900_000)
        await f.under.advance(4_000)
        await f.under.quiet()
        const late = partitions.filter((slot) => f.plane.partition(slot).recoveryPoint < round)
        expect(late).toEqual([])
      }
      await f.under.close()
    },
  )

  it('lookup: by time, exact inside compressed batches', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const at = (base: number, compressed: boolean) =>
      encodeBatch({
        records: [0, 10, 5].map((ms) => ({ timestamp: base + ms, value: Uint8Array.of(1) })),
        ...(compressed
          ? { compression: 'gzip' as const, compress: (_: string, b: Uint8Array) => gzipSync(b) }
          : {}),
      })
    await client.produce(9, produceOf(at(1000, false)))
    await client.produce(9, produceOf(at(2000, true)))
    const by = (ms: number) =>
      f.ask((ticket) => f.plane.lookup(0, LookupKind.timestamp, ms, ticket))
    expect(await by(0)).toMatchObject({ errorCode: 0, a: 0, b: 1000, c: 0 })
    expect(await by(1003)).toMatchObject({ a: 1, b: 1010 })
    expect(await by(1011)).toMatchObject({ a: 3, b: 2000 })
    expect(await by(2010)).toMatchObject({ a: 4, b: 2010 })
    expect(await by(2011)).toMatchObject({ a: -1 })
    const most = await f.ask((ticket) => f.plane.lookup(0, LookupKind.maxTimestamp, 0, ticket))
    expect(most).toMatchObject({ a: 4, b: 2010, c: 0 })
    await f.under.close()
  })

  it('lookup: epochs older and newer than all, and an empty log', async () => {
    const f = await open()
    await f.create(0)
    const end = (epoch: number) =>
      f.ask((ticket) => f.plane.lookup(0, LookupKind.epochEnd, epoch, ticket))
    expect(await end(0)).toMatchObject({ a: -1, b: -1 })
    const most = await f.ask((ticket) => f.plane.lookup(0, LookupKind.maxTimestamp, 0, ticket))
    expect(most).toMatchObject({ a: -1, b: -1 })
    f.plane.lead({ slot: 0, leaderEpoch: 3, partitionEpoch: 0, replicas: [1], isr: [1] })
    expect(await end(2)).toMatchObject({ a: 0, b: 2 })
    expect(await end(3)).toMatchObject({ a: 0, b: 3 })
    expect(await end(4)).toMatchObject({ a: -1, b: -1 })
    await f.under.close()
  })

  it('producers: rows as the contract says', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const batch = batchOf(['a', 'b'], { producerId: 77, producerEpoch: 3, baseSequence: 5 })
    await client.produce(9, produceOf(batch))
    const fact = await f.ask((ticket) => f.plane.producers(0, ticket))
    const rows = fact['bytes'] as Uint8Array
    expect(rows).toHaveLength(48)
    const view = new DataView(rows.buffer, rows.byteOffset, rows.length)
    expect([0, 8, 16].map((o) => view.getFloat64(o, true))).toEqual([77, 1_600_000_000_000, -1])
    expect([24, 28, 32].map((o) => view.getInt32(o, true))).toEqual([3, 6, -1])
    await f.under.close()
  })

  it.runIf(harness.hasVirtualTime)(
    'producers: an idle one is forgotten and starts afresh',
    async () => {
      const f = await open({ producerIdExpirationMs: 5000, connectionsMaxIdleMs: 3_600_000 })
      await f.single()
      const client = await f.client()
      const batch = (baseSequence: number) =>
        batchOf(['a'], {
          producerId: 77,
          producerEpoch: 3,
          baseSequence,
          timestamp: f.under.nowMs(),
        })
      await client.produce(9, produceOf(batch(0)))
      await f.under.advance(700_000) // Kafka looks every ten minutes
      const fact = await f.ask((ticket) => f.plane.producers(0, ticket))
      expect(fact['bytes']).toHaveLength(0)
      expect(produced(await client.produce(9, produceOf(batch(9)))).errorCode).toBe(0)
      await f.under.close()
    },
  )

  it.runIf(harness.hasVirtualTime)(
    'producers: how long an idle one is known may change with the settings of the partition',
    async () => {
      const f = await open({ producerIdExpirationMs: 5000, connectionsMaxIdleMs: 3_600_000 })
      await f.single({ producerIdExpirationMs: 3_600_000 })
      const client = await f.client()
      const batch = batchOf(['a'], {
        producerId: 77,
        producerEpoch: 3,
        baseSequence: 0,
        timestamp: f.under.nowMs(),
      })
      await client.produce(9, produceOf(batch))
      const known = async () => {
        const fact = await f.ask((ticket) => f.plane.producers(0, ticket))
        return (fact['bytes'] as Uint8Array).length > 0
      }
      await f.under.advance(700_000)
      expect(await known()).toBe(true)
      const { CONFIG } = await import('./fixture.ts')
      f.plane.configure(0, { ...CONFIG, producerIdExpirationMs: 60_000 })
      await f.under.advance(700_000)
      expect(await known()).toBe(false)
      await f.under.close()
    },
  )

  it('configure: takes effect at once', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const { CONFIG } = await import('./fixture.ts')
    f.plane.configure(0, { ...CONFIG, messageBytesMax: 10 })
    await f.under.quiet()
    const answer = produced(await client.produce(9, produceOf(batchOf(['a']))))
    expect(answer.errorCode).toBe(ErrorCode.MESSAGE_TOO_LARGE)
    expect(fetched(await client.fetch(12, fetchOf([{}]))).highWatermark).toBe(0)
    await f.under.close()
  })
}
