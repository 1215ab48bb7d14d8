// Contract: a log directory whose disk is short of room: clients' batches are refused, or so many bytes of them taken;
// everything else goes on; what was refused leaves no trace and comes in its turn.

import { expect, it } from 'vitest'
import { LookupKind } from '../../src/plane/layout.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { batchOf, type Client } from './client.ts'
import { END, Fixture, fetched, fetchOf, PID, produced, produceOf } from './fixture.ts'
import type { PlaneHarness } from './harness.ts'

const { KAFKA_STORAGE_ERROR, OUT_OF_ORDER_SEQUENCE_NUMBER } = ErrorCode
const NO_LIMIT = { clientBytes: -1, isShort: false }
const FULL = { clientBytes: 0, isShort: true }

const sequenced = (baseSequence: number, rest = {}): Uint8Array =>
  batchOf(['a'], { producerId: PID, producerEpoch: 0, baseSequence, ...rest })

export function pressureSuite(harness: PlaneHarness): void {
  const limit = (f: Fixture, limits = FULL, directory = f.under.directory) =>
    f.plane.limitDirectory(directory, limits)

  const send = async (client: Client, batch = batchOf(['a']), index = 0) =>
    produced(await client.produce(9, produceOf(batch, { index })))

  it('limitDirectory: clients are refused there and nowhere else, and told why', async () => {
    const f = await Fixture.open(harness)
    const other = await f.inTwoDirectories()
    const client = await f.client()
    limit(f, FULL, other)
    const refused = await send(client, batchOf(['a']), 1)
    expect(refused).toMatchObject({ errorCode: KAFKA_STORAGE_ERROR, baseOffset: -1 })
    expect(refused.errorMessage).toMatch(/no room/)
    expect((await send(client)).errorCode).toBe(0)
    expect(await f.row(1)).toMatchObject({ logEndOffset: 0, isOffline: false })
    limit(f, NO_LIMIT, other)
    expect(await send(client, batchOf(['a']), 1)).toMatchObject({ errorCode: 0, baseOffset: 0 })
    expect(f.facts.of('directoryFailed')).toEqual([])
    await f.under.close()
  })

  it('limitDirectory: it is known before a partition is there', async () => {
    const f = await Fixture.open(harness)
    limit(f)
    await f.single()
    expect((await send(await f.client())).errorCode).toBe(KAFKA_STORAGE_ERROR)
    await f.under.close()
  })

  it('limitDirectory: consuming, our own appends, markers, syncs and deletions go on', async () => {
    const f = await Fixture.open(harness)
    const batch = batchOf(['a'])
    await f.single({ segmentBytesMax: batch.length })
    const client = await f.client()
    for (let i = 0; i < 3; i++) expect((await send(client)).errorCode).toBe(0)
    limit(f)
    expect((await send(client)).errorCode).toBe(KAFKA_STORAGE_ERROR)
    expect(fetched(await client.fetch(11, fetchOf([{}]))).errorCode).toBe(0)
    const own = await f.ask((ticket) => f.plane.append(0, 0, batchOf(['own']), ticket))
    expect(own).toMatchObject({ errorCode: 0, a: 3 })
    const marked = await f.ask((ticket) => f.plane.marker(0, 0, END, ticket))
    expect(marked).toMatchObject({ errorCode: 0, a: 4 })
    expect(await f.ask((ticket) => f.plane.flush(0, ticket))).toMatchObject({ errorCode: 0, a: 5 })
    expect(await f.ask((ticket) => f.plane.trim(0, 2, ticket))).toMatchObject({ a: 2 })
    const bySize = { retentionMs: -1, retentionBytes: 0 }
    const retained = await f.ask((ticket) => f.plane.retain(0, bySize, ticket))
    expect(retained).toMatchObject({ errorCode: 0 })
    await f.under.close()
  })

  it('limitDirectory: bytes are counted down, over all partitions of the directory', async () => {
    const f = await Fixture.open(harness)
    await f.several(2)
    const client = await f.client()
    const batch = batchOf(['a'])
    // The last one may go beyond: who counts before it is checked would count what is refused.
    limit(f, { clientBytes: batch.length + 1, isShort: false })
    expect((await send(client, batchOf(['a']), 0)).errorCode).toBe(0)
    expect((await send(client, batchOf(['a']), 1)).errorCode).toBe(0)
    expect((await send(client, batchOf(['a']), 0)).errorCode).toBe(KAFKA_STORAGE_ERROR)
    expect((await send(client, batchOf(['a']), 1)).errorCode).toBe(KAFKA_STORAGE_ERROR)
    limit(f, { clientBytes: 1, isShort: false })
    expect((await send(client, batchOf(['a']), 1)).errorCode).toBe(0)
    await f.under.close()
  })

  it('limitDirectory: a refused batch moves no sequence, and comes before those behind it', async () => {
    const f = await Fixture.open(harness)
    await f.single()
    const client = await f.client()
    limit(f)
    expect((await send(client, sequenced(0))).errorCode).toBe(KAFKA_STORAGE_ERROR)
    limit(f, NO_LIMIT)
    // Nothing is known of its producer, and still the second does not take the first one's place.
    expect((await send(client, sequenced(1))).errorCode).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect(await send(client, sequenced(0))).toMatchObject({ errorCode: 0, baseOffset: 0 })
    limit(f)
    expect((await send(client, sequenced(1))).errorCode).toBe(KAFKA_STORAGE_ERROR)
    limit(f, NO_LIMIT)
    expect((await send(client, sequenced(2))).errorCode).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect(await send(client, sequenced(1))).toMatchObject({ errorCode: 0, baseOffset: 1 })
    expect(await send(client, sequenced(2))).toMatchObject({ errorCode: 0, baseOffset: 2 })
    await f.under.close()
  })

  it('limitDirectory: a batch that is no good is told of the disk first', async () => {
    const f = await Fixture.open(harness)
    await f.single()
    const client = await f.client()
    limit(f)
    const spoilt = sequenced(0)
    spoilt[22] = 6 // a codec that nobody knows
    expect((await send(client, spoilt)).errorCode).toBe(KAFKA_STORAGE_ERROR)
    limit(f, NO_LIMIT)
    expect((await send(client, spoilt)).errorCode).toBe(ErrorCode.CORRUPT_MESSAGE)
    expect(await send(client, sequenced(0))).toMatchObject({ errorCode: 0, baseOffset: 0 })
    await f.under.close()
  })

  it('limitDirectory: a transaction is not begun, and may end', async () => {
    const f = await Fixture.open(harness)
    await f.single()
    const client = await f.client()
    const txn = (baseSequence: number) =>
      client.produce(
        9,
        produceOf(sequenced(baseSequence, { isTransactional: true }), { transactionalId: 'tx' }),
      )
    limit(f)
    expect(produced(await txn(0)).errorCode).toBe(KAFKA_STORAGE_ERROR)
    expect(f.facts.of('admissionNeeded')).toEqual([])
    await f.under.close()
  })

  it('lookup: the oldest segment: where it ends, how old it is, how large', async () => {
    const f = await Fixture.open(harness)
    const batch = (timestamp: number) => batchOf(['a'], { timestamp })
    const size = batch(7).length
    await f.single({ segmentBytesMax: size })
    const client = await f.client()
    const oldest = () => f.ask((ticket) => f.plane.lookup(0, LookupKind.oldestSegment, 0, ticket))
    expect(await oldest()).toMatchObject({ errorCode: 0, a: -1 })
    await send(client, batch(7_000))
    // It is the active one.
    expect(await oldest()).toMatchObject({ errorCode: 0, a: -1 })
    await send(client, batch(8_000))
    await send(client, batch(9_000))
    expect(await oldest()).toMatchObject({ errorCode: 0, a: 1, b: 7_000, c: size })
    expect(await f.ask((ticket) => f.plane.trim(0, 1, ticket))).toMatchObject({ a: 1 })
    expect(await oldest()).toMatchObject({ errorCode: 0, a: 2, b: 8_000, c: size })
    f.plane.failDirectory(f.under.directory)
    expect(await oldest()).toMatchObject({ errorCode: KAFKA_STORAGE_ERROR })
    await f.under.close()
  })

  it('lookup: the oldest segment: not while a transaction in it is open, or a replica lacks it', async () => {
    const f = await Fixture.open(harness)
    await f.single({ segmentBytesMax: batchOf(['a']).length }, [1, 2])
    const own = (batch: Uint8Array) => f.ask((ticket) => f.plane.append(0, 0, batch, ticket))
    for (let i = 0; i < 3; i++) await own(batchOf(['a']))
    const oldest = () => f.ask((ticket) => f.plane.lookup(0, LookupKind.oldestSegment, 0, ticket))
    expect(await oldest()).toMatchObject({ errorCode: 0, a: -1 })
    f.plane.isr(0, 0, 1, [1])
    f.plane.lead({ slot: 0, leaderEpoch: 1, partitionEpoch: 2, replicas: [1], isr: [1] })
    expect(await oldest()).toMatchObject({ errorCode: 0, a: 1 })
    await f.under.close()
  })
}
