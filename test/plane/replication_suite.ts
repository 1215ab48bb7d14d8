// Contract: more than one replica. Followers are played by raw Fetches with their id and epochs; what a
// leader commits, whom it waits for, what it tells those who come too late or from another history.

import { expect, it } from 'vitest'
import { counterColumn } from '../../src/plane/layout.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { batchesOf, readBatchHeader } from '../../src/protocol/record_batch.ts'
import { batchOf } from './client.ts'
import {
  Fetch,
  Fixture,
  fetched,
  fetchOf,
  followerFetch,
  Produce,
  produced,
  produceOf,
} from './fixture.ts'
import type { PlaneHarness } from './harness.ts'

const THREE = [1, 2, 3]

export function replicationSuite(harness: PlaneHarness): void {
  const open = (options = {}) => Fixture.open(harness, options)

  async function three(config = {}, options = {}) {
    const f = await open()
    await f.single(config, THREE, options)
    return { f, client: await f.client(), follower: await f.client() }
  }

  it('watermark: moves to what the whole ISR has, told in the answer after', async () => {
    const { f, client, follower } = await three({}, { isWatched: true })
    await client.produce(9, produceOf(batchOf(['a', 'b']), { acks: 1 }))
    expect((await f.row()).highWatermark).toBe(0)
    const first = fetched(await follower.fetch(12, followerFetch(12, 2, 0)))
    expect(first.highWatermark).toBe(0)
    expect([...batchesOf(first.records!)].map((batch) => batch.baseOffset)).toEqual([0])
    await follower.fetch(12, followerFetch(12, 2, 2))
    expect((await f.row()).highWatermark).toBe(0)
    const third = fetched(await follower.fetch(17, followerFetch(17, 3, 2)))
    expect(third.highWatermark).toBe(0)
    expect((await f.row()).highWatermark).toBe(2)
    const told = fetched(await follower.fetch(17, followerFetch(17, 3, 2)))
    expect(told.highWatermark).toBe(2)
    await f.under.until(() => f.facts.last('highWatermark')?.['highWatermark'] === 2, 'the fact')
    expect(f.facts.last('highWatermark')).toMatchObject({ slot: 0, leaderEpoch: 0 })
    await f.under.close()
  })

  it('watermark: consumers see nothing above it, and wait for it', async () => {
    const { f, client, follower } = await three()
    await client.produce(9, produceOf(batchOf(['a']), { acks: 1 }))
    const hidden = fetched(await client.fetch(12, fetchOf([{}])))
    expect(hidden).toMatchObject({ errorCode: 0, highWatermark: 0 })
    expect(hidden.records).toHaveLength(0)
    const between = fetched(await client.fetch(12, fetchOf([{ fetchOffset: 1 }])))
    expect(between.errorCode).toBe(0)
    const reader = await f.client()
    const sent = reader.send(Fetch, 12, fetchOf([{}], { maxWaitMs: 60_000 }))
    await follower.fetch(12, followerFetch(12, 2, 1))
    await f.under.quiet()
    expect(reader.has(sent)).toBe(false)
    await follower.fetch(12, followerFetch(12, 3, 1))
    expect(fetched(await reader.answer(sent)).highWatermark).toBe(1)
    await f.under.close()
  })

  it('acks all: waits for the ISR, then answers', async () => {
    const { f, client, follower } = await three()
    const sent = client.send(Produce, 9, produceOf(batchOf(['a', 'b'])))
    await f.under.until(() => f.plane.partition(0).logEndOffset === 2, 'the append')
    await follower.fetch(12, followerFetch(12, 2, 2))
    await follower.fetch(12, followerFetch(12, 3, 1))
    await f.under.quiet()
    expect(client.has(sent)).toBe(false)
    expect(f.plane.counter(counterColumn.produceWaiting)).toBe(1)
    await follower.fetch(12, followerFetch(12, 3, 2))
    expect(produced(await client.answer(sent))).toMatchObject({ errorCode: 0, baseOffset: 0 })
    await f.under.close()
  })

  it('acks all: its time is over: REQUEST_TIMED_OUT, with the offset it got', async () => {
    const { f, client } = await three()
    const sent = client.send(Produce, 9, produceOf(batchOf(['a']), { timeoutMs: 100 }))
    await f.under.later(() => client.has(sent), 'the timeout')
    const { REQUEST_TIMED_OUT } = ErrorCode
    expect(produced(sent.response!)).toMatchObject({ errorCode: REQUEST_TIMED_OUT, baseOffset: 0 })
    expect((await f.row()).logEndOffset).toBe(1)
    await f.under.close()
  })

  it('acks all: too small an ISR refuses before the append; acks 1 does not ask', async () => {
    const { f, client } = await three({ minInsyncReplicas: 2 })
    f.plane.isr(0, 0, 1, [1])
    const answer = produced(await client.produce(9, produceOf(batchOf(['a']))))
    const errorCode = ErrorCode.NOT_ENOUGH_REPLICAS
    expect(answer).toMatchObject({ errorCode, baseOffset: -1, logStartOffset: 0 })
    expect((await f.row()).logEndOffset).toBe(0)
    const one = produced(await client.produce(9, produceOf(batchOf(['a']), { acks: 1 })))
    expect(one).toMatchObject({ errorCode: 0, baseOffset: 0 })
    expect((await f.row()).highWatermark).toBe(0)
    await f.under.close()
  })

  it('acks all: a shrink below the minimum while it waits: NOT_ENOUGH_REPLICAS_AFTER_APPEND', async () => {
    const { f, client } = await three({ minInsyncReplicas: 2 })
    const sent = client.send(Produce, 9, produceOf(batchOf(['a'])))
    await f.under.until(() => f.plane.partition(0).logEndOffset === 1, 'the append')
    f.plane.isr(0, 0, 1, [1])
    const answer = produced(await client.answer(sent))
    const errorCode = ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
    expect(answer).toMatchObject({ errorCode, baseOffset: 0 })
    expect((await f.row()).highWatermark).toBe(0)
    await f.under.close()
  })

  it('acks all: a shrink that leaves enough commits what the others have', async () => {
    const { f, client, follower } = await three({ minInsyncReplicas: 2 })
    const sent = client.send(Produce, 9, produceOf(batchOf(['a'])))
    await f.under.until(() => f.plane.partition(0).logEndOffset === 1, 'the append')
    await follower.fetch(12, followerFetch(12, 2, 1))
    expect(client.has(sent)).toBe(false)
    f.plane.isr(0, 0, 1, [1, 2])
    expect(produced(await client.answer(sent)).errorCode).toBe(0)
    expect((await f.row()).highWatermark).toBe(1)
    await f.under.close()
  })

  it('acks all: the minimum is never more than the replicas there are', async () => {
    const f = await open()
    await f.single({ minInsyncReplicas: 3 }, [1])
    const client = await f.client()
    expect(produced(await client.produce(9, produceOf(batchOf(['a'])))).errorCode).toBe(0)
    await f.under.close()
  })

  it('leader: a change fails what waits, with the offset it got', async () => {
    const { f, client } = await three()
    const sent = client.send(Produce, 10, produceOf(batchOf(['a'])))
    await f.under.until(() => f.plane.partition(0).logEndOffset === 1, 'the append')
    f.plane.follow(0, 1, 2)
    expect(produced(await client.answer(sent))).toMatchObject({
      errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER,
      baseOffset: 0,
      currentLeader: { leaderId: 2, leaderEpoch: 1 },
    })
    await f.under.close()
  })

  it('follower: one that is no replica, with and without an epoch', async () => {
    const { f, follower } = await three()
    const stranger = async (currentLeaderEpoch: number) =>
      fetched(await follower.fetch(12, followerFetch(12, 9, 0, { currentLeaderEpoch }))).errorCode
    expect(await stranger(-1)).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    expect(await stranger(0)).toBe(ErrorCode.UNKNOWN_LEADER_EPOCH)
    await f.under.close()
  })

  it('follower: a Fetch from its former life does not count', async () => {
    const { f, client, follower } = await three()
    await client.produce(9, produceOf(batchOf(['a']), { acks: 1 }))
    const of = async (replicaEpoch: number, offset: number) =>
      fetched(await follower.fetch(17, followerFetch(17, 2, offset, { replicaEpoch }))).errorCode
    expect(await of(7, 0)).toBe(0)
    expect(await of(6, 1)).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    await follower.fetch(17, followerFetch(17, 3, 1))
    expect((await f.row()).highWatermark).toBe(0)
    expect(await of(7, 1)).toBe(0)
    expect((await f.row()).highWatermark).toBe(1)
    await f.under.close()
  })

  it('follower: outside the ISR it is told of once it has caught up, and holds the watermark', async () => {
    const { f, client, follower } = await three()
    f.plane.isr(0, 0, 1, [1])
    await client.produce(9, produceOf(batchOf(['a', 'b'])))
    await follower.fetch(12, followerFetch(12, 2, 0))
    await f.under.quiet()
    expect(f.facts.of('caughtUp')).toEqual([])
    await follower.fetch(12, followerFetch(12, 2, 2))
    await f.under.until(() => f.facts.of('caughtUp').length === 1, 'caughtUp')
    expect(f.facts.last('caughtUp')).toMatchObject({ slot: 0, leaderEpoch: 0, replicaId: 2 })
    const sent = client.send(Produce, 9, produceOf(batchOf(['c'])))
    await f.under.quiet()
    expect(client.has(sent)).toBe(false)
    f.plane.isr(0, 0, 2, [1, 2])
    await follower.fetch(12, followerFetch(12, 2, 3))
    expect(produced(await client.answer(sent)).errorCode).toBe(0)
    await f.under.close()
  })

  it('follower: it waits for bytes, not for the watermark', async () => {
    const { f, client, follower } = await three()
    const sent = follower.send(Fetch, 12, followerFetch(12, 2, 0, { maxWaitMs: 60_000 }))
    await f.under.quiet()
    expect(follower.has(sent)).toBe(false)
    await client.produce(9, produceOf(batchOf(['a']), { acks: 1 }))
    const answer = fetched(await follower.answer(sent))
    expect(answer.records!.length).toBeGreaterThan(0)
    await f.under.close()
  })

  it('diverging: a history that ends here is answered at once with where it ended', async () => {
    const { f, client, follower } = await three()
    await client.produce(9, produceOf(batchOf(['a', 'b']), { acks: 1 }))
    const lead = (leaderEpoch: number) =>
      f.plane.lead({ slot: 0, leaderEpoch, partitionEpoch: 0, replicas: THREE, isr: THREE })
    lead(4)
    await client.produce(9, produceOf(batchOf(['c']), { acks: 1 }))
    lead(6)
    await client.produce(9, produceOf(batchOf(['d']), { acks: 1 }))
    const ask = async (lastFetchedEpoch: number, offset: number) =>
      fetched(
        await follower.fetch(
          12,
          followerFetch(12, 2, offset, { lastFetchedEpoch, maxWaitMs: 60_000 }),
        ),
      )
    expect((await ask(0, 4)).divergingEpoch).toEqual({ epoch: 0, endOffset: 2 })
    expect((await ask(5, 3)).divergingEpoch).toEqual({ epoch: 4, endOffset: 3 })
    const same = await ask(4, 3)
    expect(same.divergingEpoch).toEqual({ epoch: -1, endOffset: -1 })
    expect(readBatchHeader(same.records!).partitionLeaderEpoch).toBe(6)
    expect((await ask(7, 3)).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    expect((await f.row()).highWatermark).toBe(0)
    await f.under.close()
  })

  it('truncate: what the leader does not have goes, and epochs with it', async () => {
    const { f, client } = await three()
    await client.produce(9, produceOf(batchOf(['a', 'b']), { acks: 1 }))
    await client.produce(9, produceOf(batchOf(['c', 'd']), { acks: 1 }))
    const leading = await f.ask((ticket) => f.plane.truncate(0, 0, 2, ticket))
    expect(leading['errorCode']).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    f.plane.follow(0, 3, 2)
    const stale = await f.ask((ticket) => f.plane.truncate(0, 2, 2, ticket))
    expect(stale['errorCode']).toBe(ErrorCode.FENCED_LEADER_EPOCH)
    const done = await f.ask((ticket) => f.plane.truncate(0, 3, 2, ticket))
    expect(done).toMatchObject({ errorCode: 0, a: 2 })
    const kept = readBatchHeader(batchOf(['e'], { baseOffset: 2, partitionLeaderEpoch: 3 }))
    const copy = batchOf(['e'], { baseOffset: 2, partitionLeaderEpoch: 3 })
    const appended = await f.ask((ticket) => f.plane.append(0, 3, copy, ticket))
    expect(appended).toMatchObject({ errorCode: 0, a: kept.baseOffset, b: 3 })
    const old = await f.ask((ticket) => f.plane.lookup(0, 2, 0, ticket))
    expect(old).toMatchObject({ a: 2, b: 0 })
    const now = await f.ask((ticket) => f.plane.lookup(0, 2, 3, ticket))
    expect(now).toMatchObject({ a: 3, b: 3 })
    await f.under.close()
  })

  it('stale commands are counted and not obeyed', async () => {
    const { f } = await three()
    const lead = { slot: 0, replicas: [1], isr: [1] }
    f.plane.lead({ ...lead, leaderEpoch: 5, partitionEpoch: 9 })
    f.plane.lead({ ...lead, leaderEpoch: 4, partitionEpoch: 10 })
    f.plane.lead({ ...lead, leaderEpoch: 5, partitionEpoch: 8 })
    f.plane.follow(0, 4, 2)
    f.plane.isr(0, 4, 11, [1])
    f.plane.isr(0, 5, 8, [1])
    const row = await f.row()
    expect(row).toMatchObject({ leaderEpoch: 5, isLeader: true })
    expect(f.plane.counter(counterColumn.staleCommands)).toBe(5)
    await f.under.close()
  })
}
