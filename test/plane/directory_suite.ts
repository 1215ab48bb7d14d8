// Contract: a log directory that failed, as TypeScript found out: its partitions are offline and say so, what waits is
// answered, the others go on, and its files stay as they are.

import { expect, it } from 'vitest'
import { RetireMode } from '../../src/plane/layout.ts'
import { UNSERVED_SLOT } from '../../src/plane/plane.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { Produce } from '../../src/protocol/messages/produce_fetch.ts'
import { batchOf } from './client.ts'
import {
  CONFIG,
  Fixture,
  fetched,
  fetchOf,
  HANDLE,
  produced,
  produceOf,
  TOPIC,
  TOPIC_ID,
} from './fixture.ts'
import type { PlaneHarness } from './harness.ts'

const { KAFKA_STORAGE_ERROR } = ErrorCode

export function directorySuite(harness: PlaneHarness): void {
  async function two() {
    const f = await Fixture.open(harness)
    return { f, other: await f.inTwoDirectories(), client: await f.client() }
  }

  it('failDirectory: its partitions refuse everything, others nothing', async () => {
    const { f, other, client } = await two()
    const append = (index: number) => client.produce(9, produceOf(batchOf(['a']), { index }))
    expect(produced(await append(1)).errorCode).toBe(0)
    f.plane.failDirectory(other)
    expect((await f.row(1)).isOffline).toBe(true)
    expect((await f.row(0)).isOffline).toBe(false)
    expect(produced(await append(1)).errorCode).toBe(KAFKA_STORAGE_ERROR)
    expect(produced(await append(0)).errorCode).toBe(0)
    const read = (partition: number) => client.fetch(11, fetchOf([{ partition }]))
    expect(fetched(await read(1)).errorCode).toBe(KAFKA_STORAGE_ERROR)
    expect(fetched(await read(0)).errorCode).toBe(0)
    for (const verb of [
      (ticket: number) => f.plane.flush(1, ticket),
      (ticket: number) => f.plane.trim(1, 0, ticket),
      (ticket: number) => f.plane.append(1, 0, batchOf(['b']), ticket),
    ]) {
      expect(await f.ask(verb)).toMatchObject({ errorCode: KAFKA_STORAGE_ERROR })
    }
    // Who said it knows it.
    expect(f.facts.of('directoryFailed')).toEqual([])
    await f.under.close()
  })

  it('failDirectory: a produce that waits for replicas is answered', async () => {
    const f = await Fixture.open(harness)
    await f.single({}, [1, 2])
    const client = await f.client()
    const waiting = client.send(Produce, 9, produceOf(batchOf(['a'])))
    await f.under.until(() => f.plane.partition(0).logEndOffset === 1, 'the append')
    f.plane.failDirectory(f.under.directory)
    expect(produced(await client.answer(waiting)).errorCode).toBe(KAFKA_STORAGE_ERROR)
    await f.under.close()
  })

  it('failDirectory: nothing is opened in it, and what is deleted there stays', async () => {
    const { f, other } = await two()
    f.plane.failDirectory(other)
    expect(await f.create(2, {}, { directory: other })).toMatchObject({
      errorCode: KAFKA_STORAGE_ERROR,
    })
    // The slot is free again.
    expect(await f.create(2)).toMatchObject({ errorCode: 0 })
    const gone = await f.ask((ticket) => f.plane.retire(1, RetireMode.delete, ticket))
    expect(gone).toMatchObject({ errorCode: 0 })
    const g = await Fixture.on(await f.under.restart())
    await g.create(0)
    await g.create(1, CONFIG, { directory: other })
    expect((await g.row(1)).isOffline).toBe(false)
    await g.under.close()
  })

  it('route: a replica that cannot be served is a failed disk, not another broker', async () => {
    const f = await Fixture.open(harness)
    f.plane.route({
      handle: HANDLE,
      name: TOPIC,
      topicId: TOPIC_ID,
      partitions: [{ slot: UNSERVED_SLOT, leaderId: 1, leaderEpoch: 0 }],
    })
    const client = await f.client()
    const answer = produced(await client.produce(9, produceOf(batchOf(['a']))))
    expect(answer.errorCode).toBe(KAFKA_STORAGE_ERROR)
    const codes = []
    for (const version of [5, 11])
      codes.push(fetched(await client.fetch(version, fetchOf([{}]))).errorCode)
    expect(codes).toEqual([ErrorCode.NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR])
    await f.under.close()
  })
}
