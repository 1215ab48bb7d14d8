// Contract: a log that is copied into another slot's, under a name of its own, while it is led and written; and what is
// refused. A copy takes its source's place as a replica that followed it would.

import { expect, it } from 'vitest'
import { RetireMode } from '../../src/plane/layout.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { batchOf } from './client.ts'
import { Fixture, produced, produceOf } from './fixture.ts'
import type { PlaneHarness } from './harness.ts'

const NAME = `copied-0.${'ab'.repeat(16)}-future`
const MIB = 1 << 20

export function copySuite(harness: PlaneHarness): void {
  /** Slot 0 with three batches of two records, and slot 5 to copy it to; another reactor's where there are several. */
  async function pair() {
    const f = await Fixture.open(harness)
    await f.single()
    const client = await f.client()
    const write = async () =>
      expect(produced(await client.produce(9, produceOf(batchOf(['a', 'b'])))).errorCode).toBe(0)
    for (let i = 0; i < 3; i++) await write()
    await openCopy(f)
    const copy = (bytesMax = MIB) => f.ask((ticket) => f.plane.copy(5, 0, bytesMax, ticket))
    return { f, write, copy }
  }

  async function openCopy(f: Fixture, partition = 0) {
    expect(await f.create(5, {}, { partition, name: NAME })).toMatchObject({ errorCode: 0 })
    f.plane.follow(5, 0, -1)
  }

  const read = async (f: Fixture, slot: number, offset: number) =>
    (await f.ask((ticket) => f.plane.read(slot, offset, MIB, ticket)))['bytes'] as Uint8Array

  it('copy: batch by batch or many at once, byte for byte, and what comes meanwhile', async () => {
    const { f, write, copy } = await pair()
    const bytes = (await f.row(0)).bytes / 3
    expect(await copy(1)).toMatchObject({ errorCode: 0, a: 2, b: 6, c: bytes })
    await write()
    expect(await copy()).toMatchObject({ errorCode: 0, a: 8, b: 8, c: 3 * bytes })
    expect(await copy()).toMatchObject({ errorCode: 0, a: 8, b: 8, c: 0 })
    expect(await read(f, 5, 0)).toEqual(await read(f, 0, 0))
    await f.under.close()
  })

  it('copy: begins where the source does, inside a batch too, and again when that has gone on', async () => {
    const { f, write, copy } = await pair()
    await f.ask((ticket) => f.plane.trim(0, 3, ticket))
    expect(await copy(1)).toMatchObject({ errorCode: 0, a: 4, b: 6 })
    expect((await f.row(5)).logStartOffset).toBe(2)
    await write()
    await f.ask((ticket) => f.plane.trim(0, 6, ticket))
    expect(await copy()).toMatchObject({ errorCode: 0, a: 8, b: 8 })
    expect((await f.row(5)).logStartOffset).toBe(6)
    await f.under.close()
  })

  it('copy: takes the place of its source, and is led on', async () => {
    const { f, write, copy } = await pair()
    await copy()
    for (const slot of [0, 5]) {
      const mode = slot === 0 ? RetireMode.delete : RetireMode.close
      expect(await f.ask((ticket) => f.plane.retire(slot, mode, ticket))).toMatchObject({
        errorCode: 0,
      })
    }
    expect(await f.create(0, {}, { name: NAME, incarnation: 2, highWatermark: 6 })).toMatchObject({
      errorCode: 0,
      b: 6,
    })
    f.plane.lead({ slot: 0, leaderEpoch: 0, partitionEpoch: 0, replicas: [1], isr: [1] })
    await write()
    expect((await f.row(0)).highWatermark).toBe(8)
    await f.under.close()
  })

  it('copy: refusals', async () => {
    const { f, copy } = await pair()
    const refused = async (slot: number, source: number) =>
      (await f.ask((ticket) => f.plane.copy(slot, source, MIB, ticket)))['errorCode']
    expect(await refused(5, 77)).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    expect(await refused(77, 0)).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    // It leads: what it has is its own.
    await f.create(1)
    f.plane.lead({ slot: 1, leaderEpoch: 0, partitionEpoch: 0, replicas: [1], isr: [1] })
    expect(await refused(1, 0)).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    await copy()
    // It has more than its source.
    await f.create(2)
    expect(await refused(5, 2)).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    f.plane.failDirectory(f.under.directory)
    expect(await refused(5, 0)).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
    await f.under.close()
  })
}
