// Contract: Fetch 4–18: what is read, what is waited for, what sessions remember.

import { expect, it } from 'vitest'
import { counterColumn } from '../../src/plane/layout.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { batchesOf } from '../../src/protocol/record_batch.ts'
import { batchOf, type Client } from './client.ts'
import {
  Fetch,
  Fixture,
  fetched,
  fetchedAll,
  fetchOf,
  followerFetch,
  produceOf,
  TOPIC,
  TOPIC_ID,
} from './fixture.ts'
import type { PlaneHarness } from './harness.ts'

/** Base offsets of the batches in a records field. */
const offsetsIn = (records: Uint8Array | null): number[] =>
  [...batchesOf(records ?? new Uint8Array(0))].map((header) => header.baseOffset)

const value = (size: number): string => 'x'.repeat(size)

export function fetchSuite(harness: PlaneHarness): void {
  const open = (options = {}) => Fixture.open(harness, options)

  async function filled(batches: number, config = {}): Promise<{ f: Fixture; client: Client }> {
    const f = await open()
    await f.single(config)
    const client = await f.client()
    for (let i = 0; i < batches; i++)
      await client.produce(9, produceOf(batchOf([`a${i}`, `b${i}`])))
    return { f, client }
  }

  it.each([4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18])(
    'read: version %i brings all batches and the watermarks',
    async (version) => {
      const { f, client } = await filled(3)
      const answer = fetched(await client.fetch(version, fetchOf([{}])))
      expect(answer).toMatchObject({ errorCode: 0, highWatermark: 6, lastStableOffset: 6 })
      expect(answer.logStartOffset).toBe(version >= 5 ? 0 : -1)
      expect(answer.abortedTransactions).toBeNull()
      expect(offsetsIn(answer.records)).toEqual([0, 2, 4])
      await f.under.close()
    },
  )

  it('read: an offset inside a batch brings that whole batch', async () => {
    const { f, client } = await filled(3)
    const answer = fetched(await client.fetch(12, fetchOf([{ fetchOffset: 3 }])))
    expect(offsetsIn(answer.records)).toEqual([2, 4])
    await f.under.close()
  })

  it('read: at the end empty, beyond it and below the start out of range', async () => {
    const { f, client } = await filled(3)
    await f.ask((ticket) => f.plane.trim(0, 2, ticket))
    const at = async (fetchOffset: number) =>
      fetched(await client.fetch(12, fetchOf([{ fetchOffset }])))
    expect(await at(6)).toMatchObject({ errorCode: 0, highWatermark: 6, logStartOffset: 2 })
    const beyond = { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, highWatermark: -1 }
    expect(await at(7)).toMatchObject(beyond)
    expect(await at(1)).toMatchObject(beyond)
    await f.under.close()
  })

  it('read: read_committed carries an empty list of aborted transactions', async () => {
    const { f, client } = await filled(1)
    const answer = fetched(await client.fetch(12, fetchOf([{}], { isolationLevel: 1 })))
    expect(answer.abortedTransactions).toEqual([])
    expect(offsetsIn(answer.records)).toEqual([0])
    await f.under.close()
  })

  it('limits: partition and response limits cut between batches', async () => {
    const f = await open()
    await f.several(2)
    const client = await f.client()
    const size = batchOf([value(1000)]).length
    for (const index of [0, 1]) {
      for (let i = 0; i < 4; i++)
        await client.produce(9, produceOf(batchOf([value(1000)]), { index }))
    }
    const both = (partitionMaxBytes: number) => [
      { partition: 0, partitionMaxBytes },
      { partition: 1, partitionMaxBytes },
    ]
    const counts = async (partitionMaxBytes: number, maxBytes: number) => {
      const response = await client.fetch(12, fetchOf(both(partitionMaxBytes), { maxBytes }))
      return fetchedAll(response).map((answer) => offsetsIn(answer.records).length)
    }
    expect(await counts(2 * size, 1 << 20)).toEqual([2, 2])
    expect(await counts(2 * size + 10, 3 * size)).toEqual([2, 1])
    expect(await counts(1 << 20, 4 * size)).toEqual([4, 0])
    expect(await counts(10, 10)).toEqual([1, 0])
    expect(await counts(10, 1 << 20)).toEqual([1, 0])
    await f.under.close()
  })

  it('limits: the broker has a limit of its own', async () => {
    const f = await open({ fetchBytesMax: 1500 })
    await f.single()
    const client = await f.client()
    for (let i = 0; i < 3; i++) await client.produce(9, produceOf(batchOf([value(1000)])))
    const answer = fetched(await client.fetch(12, fetchOf([{}])))
    expect(offsetsIn(answer.records)).toEqual([0])
    await f.under.close()
  })

  it('segments: reads go on from one to the next', async () => {
    const { f, client } = await filled(10, { segmentBytesMax: 300 })
    expect((await f.row()).segments).toBeGreaterThan(2)
    const seen: number[] = []
    for (let fetchOffset = 0; fetchOffset < 20; ) {
      const answer = fetched(await client.fetch(12, fetchOf([{ fetchOffset }])))
      const offsets = offsetsIn(answer.records)
      expect(offsets.length).toBeGreaterThan(0)
      seen.push(...offsets)
      fetchOffset = offsets.at(-1)! + 2
    }
    expect(seen).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18])
    await f.under.close()
  })

  it('topics: unknown ones, by name and id, and unknown partitions', async () => {
    const f = await open()
    const client = await f.client()
    const of = async (version: number, partition = 0) =>
      fetched(await client.fetch(version, fetchOf([{ partition }])))
    const unknown = { highWatermark: -1, lastStableOffset: -1, logStartOffset: -1 }
    const { UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID } = ErrorCode
    expect(await of(12)).toMatchObject({ errorCode: UNKNOWN_TOPIC_OR_PARTITION, ...unknown })
    expect(await of(13)).toMatchObject({ errorCode: UNKNOWN_TOPIC_ID, ...unknown })
    await f.single()
    expect(await of(13, 3)).toMatchObject({ errorCode: UNKNOWN_TOPIC_OR_PARTITION })
    await f.under.close()
  })

  it('topics: from version 16 on the present leader is named', async () => {
    const f = await open()
    await f.create(0)
    f.plane.follow(0, 5, 2)
    f.route([0])
    f.plane.brokers(1, [{ id: 2, host: 'two', port: 9092, rack: 'r' }])
    const client = await f.client()
    const response = await client.fetch(16, fetchOf([{ currentLeaderEpoch: 4 }]))
    expect(fetched(response)).toMatchObject({
      errorCode: ErrorCode.FENCED_LEADER_EPOCH,
      currentLeader: { leaderId: 2, leaderEpoch: 5 },
    })
    expect(response.nodeEndpoints).toEqual([{ nodeId: 2, host: 'two', port: 9092, rack: 'r' }])
    const older = await client.fetch(10, fetchOf([{ currentLeaderEpoch: 5 }]))
    expect(fetched(older).errorCode).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    await f.under.close()
  })

  it('epochs: an older one is fenced, a newer one unknown and told as a fact', async () => {
    const f = await open()
    await f.single()
    f.plane.lead({ slot: 0, leaderEpoch: 3, partitionEpoch: 1, replicas: [1], isr: [1] })
    const client = await f.client()
    const of = async (currentLeaderEpoch: number) =>
      fetched(await client.fetch(12, fetchOf([{ currentLeaderEpoch }]))).errorCode
    expect(await of(3)).toBe(0)
    expect(await of(-1)).toBe(0)
    expect(await of(2)).toBe(ErrorCode.FENCED_LEADER_EPOCH)
    expect(await of(4)).toBe(ErrorCode.UNKNOWN_LEADER_EPOCH)
    await f.under.until(() => f.facts.of('fenced').length === 1, 'fenced')
    expect(f.facts.last('fenced')).toMatchObject({ slot: 0, leaderEpoch: 4 })
    await f.under.close()
  })

  it('wait: an append wakes it, by signal', async () => {
    const { f, client } = await filled(0)
    const reader = await f.client()
    const sent = reader.send(Fetch, 12, fetchOf([{}], { maxWaitMs: 60_000 }))
    await f.under.quiet()
    expect(reader.has(sent)).toBe(false)
    expect(f.plane.counter(counterColumn.fetchWaiting)).toBe(1)
    await client.produce(9, produceOf(batchOf(['x'])))
    expect(offsetsIn(fetched(await reader.answer(sent)).records)).toEqual([0])
    await f.under.close()
  })

  it('wait: until there are min bytes', async () => {
    const { f, client } = await filled(0)
    const reader = await f.client()
    const size = batchOf(['x']).length
    const body = fetchOf([{}], { maxWaitMs: 60_000, minBytes: 2 * size })
    const sent = reader.send(Fetch, 12, body)
    await client.produce(9, produceOf(batchOf(['x'])))
    await f.under.quiet()
    expect(reader.has(sent)).toBe(false)
    await client.produce(9, produceOf(batchOf(['y'])))
    expect(offsetsIn(fetched(await reader.answer(sent)).records)).toEqual([0, 1])
    await f.under.close()
  })

  it('wait: a batch that does not fit whole counts towards min bytes as far as it would', async () => {
    const { f, client } = await filled(2)
    const size = batchOf(['a0', 'b0']).length
    const bytes = size + (size >> 1)
    const part = { fetchOffset: 0, partitionMaxBytes: bytes }
    const whole = await client.fetch(12, fetchOf([part], { maxWaitMs: 60_000, minBytes: bytes }))
    expect(offsetsIn(fetched(whole).records)).toEqual([0])
    await f.under.close()
  })

  it('wait: no partition counts more than its own limit once a Fetch has begun to wait', async () => {
    const { f, client } = await filled(1)
    const reader = await f.client()
    const body = (fetchOffset: number) =>
      fetchOf([{ fetchOffset, partitionMaxBytes: 10 }], { maxWaitMs: 60_000, minBytes: 11 })
    // The answer to a new one holds its first batch whatever the limit, and that is enough.
    expect(offsetsIn(fetched(await client.fetch(12, body(0))).records)).toEqual([0])
    const sent = reader.send(Fetch, 12, body(2))
    await f.under.quiet()
    await client.produce(9, produceOf(batchOf(['y'])))
    await f.under.quiet()
    expect(reader.has(sent)).toBe(false)
    await f.under.close()
  })

  it('wait: a segment that begins at the watermark ends no wait, one that the watermark passes does', async () => {
    const f = await open()
    await f.single({ segmentBytesMax: 100 }, [1, 2])
    const client = await f.client()
    await client.produce(9, produceOf(batchOf(['x']), { acks: 1 }))
    await client.fetch(12, followerFetch(12, 2, 1))
    const reader = await f.client()
    const body = fetchOf([{ fetchOffset: 0 }], { maxWaitMs: 60_000, minBytes: 1000 })
    const early = reader.send(Fetch, 12, body)
    await f.under.quiet()
    await client.produce(9, produceOf(batchOf(['y']), { acks: 1 }))
    expect((await f.row()).segments).toBe(2)
    const late = reader.send(Fetch, 12, body)
    await f.under.quiet()
    expect([reader.has(early), reader.has(late)]).toEqual([false, false])
    await client.fetch(12, followerFetch(12, 2, 2))
    for (const sent of [early, late]) {
      const { records, highWatermark } = fetched(await reader.answer(sent))
      expect([offsetsIn(records), highWatermark]).toEqual([[0], 2])
    }
    await f.under.close()
  })

  it('wait: until its time is over, then what there is', async () => {
    const { f, client } = await filled(1)
    const body = fetchOf([{ fetchOffset: 0 }], { maxWaitMs: 100, minBytes: 1 << 20 })
    const sent = client.send(Fetch, 12, body)
    await f.under.later(() => client.has(sent), 'the end of the wait')
    expect(offsetsIn(fetched(sent.response!).records)).toEqual([0])
    await f.under.close()
  })

  it('wait: min bytes 0 or an error does not wait', async () => {
    const { f, client } = await filled(0)
    await client.fetch(12, fetchOf([{}], { maxWaitMs: 60_000, minBytes: 0 }))
    const failed = await client.fetch(12, fetchOf([{ fetchOffset: 9 }], { maxWaitMs: 60_000 }))
    expect(fetched(failed).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    await client.fetch(12, fetchOf([], { maxWaitMs: 60_000 }))
    await f.under.close()
  })

  it('wait: a change of leader ends it', async () => {
    const { f } = await filled(0)
    const reader = await f.client()
    const body = fetchOf([{ currentLeaderEpoch: 0 }], { maxWaitMs: 60_000 })
    const sent = reader.send(Fetch, 12, body)
    await f.under.until(() => f.plane.counter(counterColumn.fetchWaiting) === 1, 'the wait')
    f.plane.follow(0, 1, 2)
    expect(fetched(await reader.answer(sent)).errorCode).toBe(ErrorCode.FENCED_LEADER_EPOCH)
    await f.under.close()
  })

  it('verdicts: a Fetch parks until it may be read, and is refused when it may not', async () => {
    const f = await open({ verdicts: 'ask' })
    await f.single()
    const client = await f.client()
    const sent = client.send(Fetch, 12, fetchOf([{}]))
    await f.under.until(() => f.facts.of('verdictNeeded').length === 1, 'the question')
    expect(f.facts.last('verdictNeeded')).toMatchObject({ topicHandle: 11, operation: 1 })
    f.plane.verdict(0, 11, 1, false)
    const refused = fetched(await client.answer(sent))
    expect(refused.errorCode).toBe(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    await f.under.close()
  })

  // --- sessions

  const session = (id: number, epoch: number) => ({ sessionId: id, sessionEpoch: epoch })

  it('session: the first answer is whole, the next only what changed', async () => {
    const f = await open()
    await f.several(3)
    const client = await f.client()
    const all = [{ partition: 0 }, { partition: 1 }, { partition: 2 }]
    const first = await client.fetch(12, fetchOf(all, session(0, 0)))
    expect(first.sessionId).toBeGreaterThan(0)
    expect(fetchedAll(first)).toHaveLength(3)
    const { sessionId } = first
    expect(fetchedAll(await client.fetch(12, fetchOf([], session(sessionId, 1))))).toEqual([])
    await client.produce(9, produceOf(batchOf(['x']), { index: 1 }))
    const third = await client.fetch(12, fetchOf([], session(sessionId, 2)))
    expect(third.sessionId).toBe(sessionId)
    expect(fetched(third)).toMatchObject({ partitionIndex: 1, highWatermark: 1 })
    const moved = [{ partition: 1, fetchOffset: 1 }]
    const fourth = await client.fetch(12, fetchOf(moved, session(sessionId, 3)))
    expect(fetchedAll(fourth)).toEqual([])
    await f.under.close()
  })

  it('session: partitions are added and forgotten; without any it ends', async () => {
    const f = await open()
    await f.several(2)
    const client = await f.client()
    const { sessionId } = await client.fetch(13, fetchOf([{ partition: 0 }], session(0, 0)))
    await client.fetch(13, fetchOf([{ partition: 1 }], session(sessionId, 1)))
    await client.produce(9, produceOf(batchOf(['x']), { index: 0 }))
    await client.produce(9, produceOf(batchOf(['x']), { index: 1 }))
    const forget = (partitions: number[]) => [{ topic: '', topicId: TOPIC_ID, partitions }]
    const third = await client.fetch(
      13,
      fetchOf([], { ...session(sessionId, 2), forgottenTopicsData: forget([0]) }),
    )
    expect(fetchedAll(third).map((p) => p.partitionIndex)).toEqual([1])
    const last = await client.fetch(
      13,
      fetchOf([], { ...session(sessionId, 3), forgottenTopicsData: forget([1]) }),
    )
    expect(last).toMatchObject({ errorCode: 0, sessionId: 0 })
    const gone = await client.fetch(13, fetchOf([], session(sessionId, 4)))
    expect(gone.errorCode).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
    await f.under.close()
  })

  it('session: a request that waits is answered when the next one comes', async () => {
    const f = await open()
    await f.several(2)
    const client = await f.client()
    const { sessionId } = await client.fetch(12, fetchOf([{}], session(0, 0)))
    const patient = { maxWaitMs: 60_000, minBytes: 1 }
    await client.fetch(12, fetchOf([], session(sessionId, 1)))
    const first = client.send(Fetch, 12, fetchOf([], { ...session(sessionId, 2), ...patient }))
    const forgottenTopicsData = [{ topic: TOPIC, topicId: TOPIC_ID, partitions: [0] }]
    const next = { ...session(sessionId, 3), ...patient, forgottenTopicsData }
    const second = client.send(Fetch, 12, fetchOf([{ partition: 1 }], next))
    const late = await client.answer(first)
    expect(late).toMatchObject({ errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH, responses: [] })
    const producer = await f.client()
    await producer.produce(9, produceOf(batchOf(['x']), { index: 0 }))
    await producer.produce(9, produceOf(batchOf(['x']), { index: 1 }))
    const answer = await client.answer(second)
    expect(fetchedAll(answer).map((p) => p.partitionIndex)).toEqual([1])
    await f.under.close()
  })

  it('session: what rests comes back with its role, its route, its watermarks', async () => {
    const f = await open()
    await f.several(2)
    const client = await f.client()
    const both = [{ partition: 0 }, { partition: 1 }]
    await f.under.quiet()
    const { sessionId } = await client.fetch(10, fetchOf(both, session(0, 0)))
    let epoch = 0
    const changed = async (partitions: { partition: number; fetchOffset: number }[] = []) => {
      epoch++
      await f.under.quiet()
      const answer = await client.fetch(10, fetchOf(partitions, session(sessionId, epoch)))
      return fetchedAll(answer).map((p) => `${p.partitionIndex}:${p.errorCode}`)
    }
    const none: string[] = []
    expect(await changed()).toEqual(none)
    await client.produce(9, produceOf(batchOf(['x'])))
    expect(await changed()).toEqual(['0:0'])
    expect(await changed([{ partition: 0, fetchOffset: 1 }])).toEqual(none)
    await f.ask((ticket) => f.plane.trim(0, 1, ticket))
    expect(await changed()).toEqual(['0:0'])
    expect(await changed()).toEqual(none)
    f.plane.follow(1, 1, 2)
    const elsewhere = [`1:${ErrorCode.NOT_LEADER_OR_FOLLOWER}`]
    expect(await changed()).toEqual(elsewhere)
    expect(await changed()).toEqual(elsewhere)
    f.plane.lead({ slot: 1, leaderEpoch: 2, partitionEpoch: 0, replicas: [1], isr: [1] })
    expect(await changed()).toEqual(['1:0'])
    expect(await changed()).toEqual(none)
    f.route([0])
    expect(await changed()).toEqual([`1:${ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}`])
    f.route([0, 1])
    expect(await changed()).toEqual(['1:0'])
    expect(await changed()).toEqual(none)
    await f.under.close()
  })

  it('session: wrong epochs, unknown ids, names against ids', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const { sessionId } = await client.fetch(12, fetchOf([{}], session(0, 0)))
    const code = async (version: number, id: number, epoch: number) =>
      (await client.fetch(version, fetchOf([], session(id, epoch)))).errorCode
    expect(await code(12, sessionId, 2)).toBe(ErrorCode.INVALID_FETCH_SESSION_EPOCH)
    expect(await code(13, sessionId, 1)).toBe(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
    expect(await code(12, sessionId ^ 0x7ffffffe, 1)).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
    expect(await code(12, sessionId, 1)).toBe(0)
    expect(await code(12, sessionId, -1)).toBe(0)
    expect(await code(12, sessionId, 2)).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
    await f.under.close()
  })

  it('session: errors are said every time, and the partition comes back when they are over', async () => {
    const f = await open()
    await f.several(1)
    const client = await f.client()
    const { sessionId } = await client.fetch(12, fetchOf([{ partition: 0 }], session(0, 0)))
    f.plane.follow(0, 1, 2)
    const named = fetchOf([{ partition: 0, currentLeaderEpoch: 0 }], session(sessionId, 1))
    expect(fetched(await client.fetch(12, named)).errorCode).toBe(ErrorCode.FENCED_LEADER_EPOCH)
    const again = await client.fetch(12, fetchOf([], session(sessionId, 2)))
    expect(fetched(again).errorCode).toBe(ErrorCode.FENCED_LEADER_EPOCH)
    f.plane.lead({ slot: 0, leaderEpoch: 2, partitionEpoch: 0, replicas: [1], isr: [1] })
    const back = fetchOf([{ partition: 0, currentLeaderEpoch: 2 }], session(sessionId, 3))
    expect(fetched(await client.fetch(12, back))).toMatchObject({ errorCode: 0, highWatermark: 0 })
    await f.under.close()
  })

  it('session: the cache is bounded, and a follower pushes a consumer out', async () => {
    const f = await open({ fetchSessionsMax: 1 })
    await f.single({}, [1, 2])
    const client = await f.client()
    const first = await client.fetch(12, fetchOf([{}], session(0, 0)))
    expect(first.sessionId).toBeGreaterThan(0)
    const second = await client.fetch(12, fetchOf([{}], session(0, 0)))
    expect(second.sessionId).toBe(0)
    const follower = await client.fetch(12, { ...followerFetch(12, 2, 0), ...session(0, 0) })
    expect(follower.sessionId).toBeGreaterThan(0)
    const evicted = await client.fetch(12, fetchOf([], session(first.sessionId, 1)))
    expect(evicted.errorCode).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
    expect(f.plane.counter(counterColumn.fetchSessionEvictions)).toBe(1)
    await f.under.close()
  })

  it('session: partitions that brought data go last', async () => {
    const f = await open()
    await f.several(3)
    const client = await f.client()
    for (const index of [0, 1, 2]) {
      await client.produce(9, produceOf(batchOf([value(500)]), { index }))
    }
    const all = [{ partition: 0 }, { partition: 1 }, { partition: 2 }]
    const first = await client.fetch(12, fetchOf(all, { ...session(0, 0), maxBytes: 0 }))
    const { sessionId } = first
    const order: number[] = []
    for (let epoch = 1; epoch <= 4; epoch++) {
      const response = await client.fetch(
        12,
        fetchOf([], { ...session(sessionId, epoch), maxBytes: 100 }),
      )
      const withData = fetchedAll(response).filter((p) => p.records!.length > 0)
      order.push(...withData.map((p) => p.partitionIndex))
    }
    expect(order).toEqual([0, 1, 2, 0])
    expect(first.responses[0]!.topic).toBe(TOPIC)
    await f.under.close()
  })
}
