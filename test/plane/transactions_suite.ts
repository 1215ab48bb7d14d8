// Contract: transactions in a log: who may begin one, how it ends, what a read_committed consumer sees and when, and
// that all of it is still so after a restart. The coordinator is played by `admit` and `marker`.

import { expect, it } from 'vitest'
import { counterColumn } from '../../src/plane/layout.ts'
import type { TransactionMarker } from '../../src/plane/plane.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { batchesOf, readBatchHeader, sealBatch } from '../../src/protocol/record_batch.ts'
import { batchOf } from './client.ts'
import {
  END,
  Fixture,
  fetched,
  fetchOf,
  followerFetch,
  PID,
  Produce,
  produced,
  produceOf,
} from './fixture.ts'
import type { Fact, PlaneHarness } from './harness.ts'

const ID = { transactionalId: 'tx' }

/** A transactional batch of one record per value. */
const txn = (baseSequence: number, values = ['a'], input = {}): Uint8Array =>
  batchOf(values, {
    isTransactional: true,
    producerId: PID,
    producerEpoch: 0,
    baseSequence,
    ...input,
  })

const COMMITTED = { isolationLevel: 1 }

export function transactionsSuite(harness: PlaneHarness): void {
  const open = (options = {}) => Fixture.open(harness, options)

  const end = (f: Fixture, change: Partial<TransactionMarker> = {}, leaderEpoch = 0) =>
    f.ask((ticket) => f.plane.marker(0, leaderEpoch, { ...END, ...change }, ticket))

  async function asked(f: Fixture, count: number): Promise<Fact> {
    const all = () => f.facts.of('admissionNeeded')
    await f.under.until(() => all().length === count, `question ${count}`)
    return all()[count - 1]!
  }

  const admit = (f: Fixture, fact: Fact, errorCode: number = ErrorCode.NONE) =>
    f.plane.admit(0, fact['ask'] as number, errorCode)

  /** One partition with a transaction of PID that wrote `batches`. */
  async function begun(batches: readonly Uint8Array[], config = {}) {
    const f = await open()
    await f.single(config)
    const client = await f.client()
    for (const [i, batch] of batches.entries()) {
      const sent = client.send(Produce, 9, produceOf(batch, ID))
      if (i === 0) admit(f, await asked(f, 1))
      expect(produced(await client.answer(sent)).errorCode).toBe(0)
    }
    return { f, client }
  }

  const read = async (client: Awaited<ReturnType<Fixture['client']>>, fetchOffset = 0) =>
    fetched(await client.fetch(12, fetchOf([{ fetchOffset }], COMMITTED)))

  it('admission: the first batch of a transaction waits for its coordinator, the next does not', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const sent = client.send(Produce, 11, produceOf(txn(0), ID))
    const fact = await asked(f, 1)
    expect(fact).toMatchObject({
      slot: 0,
      leaderEpoch: 0,
      producerId: PID,
      producerEpoch: 0,
      apiVersion: 11,
      transactionalId: 'tx',
    })
    await f.under.quiet()
    expect(client.has(sent)).toBe(false)
    expect((await f.row()).logEndOffset).toBe(0)
    admit(f, fact)
    expect(produced(await client.answer(sent))).toMatchObject({ errorCode: 0, baseOffset: 0 })
    const next = await client.produce(11, produceOf(txn(1), ID))
    expect(produced(next)).toMatchObject({ errorCode: 0, baseOffset: 1 })
    expect(f.facts.of('admissionNeeded')).toHaveLength(1)
    await f.under.close()
  })

  it('admission: batches of a producer queue behind the first, and share its answer', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const sent = [txn(0), txn(1), txn(2)].map((it) => client.send(Produce, 9, produceOf(it, ID)))
    const other = client.send(Produce, 9, produceOf(batchOf(['plain'])))
    const fact = await asked(f, 1)
    await f.under.quiet()
    expect((await f.row()).logEndOffset).toBe(1)
    admit(f, fact)
    const offsets = []
    for (const one of sent) offsets.push(produced(await client.answer(one)).baseOffset)
    expect(offsets).toEqual([1, 2, 3])
    expect(produced(await client.answer(other)).baseOffset).toBe(0)
    expect(f.facts.of('admissionNeeded')).toHaveLength(1)
    await f.under.close()
  })

  it('admission: a refusal ends all that wait, and the next batch asks again', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const sent = [txn(0), txn(1)].map((it) => client.send(Produce, 9, produceOf(it, ID)))
    const first = await asked(f, 1)
    // Both: the second may come long after the question.
    await f.under.until(() => f.plane.counter(counterColumn.produceWaiting) === 2, 'two that wait')
    admit(f, first, ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    for (const one of sent) {
      const { errorCode, baseOffset, logStartOffset } = produced(await client.answer(one))
      expect([errorCode, baseOffset, logStartOffset]).toEqual([49, -1, -1])
    }
    // The second comes alone now: it must not take the place of the first.
    const early = client.send(Produce, 9, produceOf(txn(1), ID))
    admit(f, await asked(f, 2))
    const refused = produced(await client.answer(early))
    expect(refused.errorCode).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    const again = client.send(Produce, 9, produceOf(txn(0), ID))
    admit(f, await asked(f, 3))
    expect(produced(await client.answer(again)).errorCode).toBe(0)
    expect(produced(await client.produce(9, produceOf(txn(1), ID))).errorCode).toBe(0)
    await f.under.close()
  })

  it('admission: comes before a batch is judged, whatever its codec claims to be', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const batch = txn(0)
    batch[22]! |= 7
    sealBatch(batch, 0, batch.length)
    const sent = client.send(Produce, 9, produceOf(batch, ID))
    admit(f, await asked(f, 1))
    expect(produced(await client.answer(sent)).errorCode).toBe(ErrorCode.INVALID_RECORD)
    await f.under.close()
  })

  it('admission: what waits is admitted though its client has left', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    client.send(Produce, 9, produceOf(txn(0), ID))
    const fact = await asked(f, 1)
    client.conn.close()
    await f.under.until(() => f.facts.of('disconnected').length === 1, 'the end of the connection')
    admit(f, fact)
    await f.under.quiet()
    expect((await f.row()).logEndOffset).toBe(1)
    await f.under.close()
  })

  it('admission: nobody answers, and the request ends at its timeout', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const sent = client.send(Produce, 9, produceOf(txn(0), { ...ID, timeoutMs: 300 }))
    const late = await asked(f, 1)
    await f.under.later(() => client.has(sent), 'the answer')
    expect(produced(await client.answer(sent)).errorCode).toBe(ErrorCode.REQUEST_TIMED_OUT)
    admit(f, late)
    expect((await f.row()).logEndOffset).toBe(0)
    const again = client.send(Produce, 9, produceOf(txn(0), ID))
    admit(f, await asked(f, 2))
    expect(produced(await client.answer(again)).errorCode).toBe(0)
    await f.under.close()
  })

  it('admission: who waits is told when another leads', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const sent = client.send(Produce, 9, produceOf(txn(0), ID))
    const fact = await asked(f, 1)
    f.plane.follow(0, 1, 2)
    const { NOT_LEADER_OR_FOLLOWER } = ErrorCode
    expect(produced(await client.answer(sent)).errorCode).toBe(NOT_LEADER_OR_FOLLOWER)
    admit(f, fact)
    expect((await f.row()).logEndOffset).toBe(0)
    await f.under.close()
  })

  it('admission: a transaction needs a name, and stays one to its end', async () => {
    const { f, client } = await begun([txn(0)])
    const { INVALID_TXN_STATE, TRANSACTIONAL_ID_AUTHORIZATION_FAILED } = ErrorCode
    const nameless = await client.produce(9, produceOf(txn(1)))
    expect(produced(nameless).errorCode).toBe(TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    const nobody = batchOf(['b'], { isTransactional: true })
    const refused = await client.produce(9, produceOf(nobody, ID))
    expect(produced(refused).errorCode).toBe(INVALID_TXN_STATE)
    const plain = batchOf(['b'], { producerId: PID, producerEpoch: 0, baseSequence: 1 })
    const outside = produced(await client.produce(9, produceOf(plain, ID)))
    expect(outside).toMatchObject({ errorCode: INVALID_TXN_STATE, logStartOffset: 0 })
    await end(f)
    expect(produced(await client.produce(9, produceOf(plain, ID))).errorCode).toBe(0)
    await f.under.close()
  })

  it('marker: a commit makes the transaction visible, at once and whole', async () => {
    const { f, client } = await begun([txn(0, ['a', 'b'])])
    await client.produce(9, produceOf(batchOf(['plain'])))
    expect(await f.row()).toMatchObject({ highWatermark: 3, lastStableOffset: 0 })
    const before = await read(client)
    expect(before).toMatchObject({ errorCode: 0, highWatermark: 3, lastStableOffset: 0 })
    expect(before.records).toHaveLength(0)
    expect(before.abortedTransactions).toEqual([])
    expect(await end(f)).toMatchObject({ errorCode: 0, a: 3, b: 4 })
    expect(await f.row()).toMatchObject({ highWatermark: 4, lastStableOffset: 4 })
    const after = await read(client)
    expect(after.abortedTransactions).toEqual([])
    const batches = [...batchesOf(after.records!)]
    expect(batches.map((batch) => batch.baseOffset)).toEqual([0, 2, 3])
    const marker = batches[2]!
    expect(marker).toMatchObject({
      isControl: true,
      isTransactional: true,
      producerId: PID,
      producerEpoch: 0,
      baseSequence: -1,
      partitionLeaderEpoch: 0,
      maxTimestamp: BigInt(END.timestampMs),
    })
    await f.under.close()
  })

  it('marker: an abort is told with what it covers', async () => {
    const { f, client } = await begun([txn(0, ['a', 'b'])])
    await client.produce(9, produceOf(batchOf(['plain'])))
    await end(f, { isCommit: false })
    const aborted = [{ producerId: PID, firstOffset: 0 }]
    expect((await read(client)).abortedTransactions).toMatchObject(aborted)
    expect((await read(client, 3)).abortedTransactions).toMatchObject(aborted)
    expect((await read(client, 4)).abortedTransactions).toEqual([])
    const uncommitted = fetched(await client.fetch(12, fetchOf([{}])))
    expect(uncommitted.abortedTransactions).toBeNull()
    await f.under.close()
  })

  it('marker: without a transaction here it fences, and nothing is aborted', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    expect(await end(f, { isCommit: false, producerEpoch: 4 })).toMatchObject({
      errorCode: 0,
      a: 0,
    })
    expect(await f.row()).toMatchObject({ lastStableOffset: 1 })
    expect((await read(client)).abortedTransactions).toEqual([])
    const sent = client.send(Produce, 9, produceOf(txn(0, ['a'], { producerEpoch: 3 }), ID))
    admit(f, await asked(f, 1))
    expect(produced(await client.answer(sent)).errorCode).toBe(ErrorCode.INVALID_PRODUCER_EPOCH)
    await f.under.close()
  })

  it('marker: old epochs of producer, coordinator and leader are refused', async () => {
    const { f } = await begun([txn(0, ['a'], { producerEpoch: 5 })])
    const epochs = { producerEpoch: 5 }
    const { INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED } = ErrorCode
    expect((await end(f, { producerEpoch: 4 }))['errorCode']).toBe(INVALID_PRODUCER_EPOCH)
    expect((await end(f, epochs, -1))['errorCode']).toBe(ErrorCode.FENCED_LEADER_EPOCH)
    expect((await end(f, epochs, 1))['errorCode']).toBe(ErrorCode.UNKNOWN_LEADER_EPOCH)
    expect((await end(f, epochs))['errorCode']).toBe(0)
    const old = await end(f, { ...epochs, coordinatorEpoch: 2 })
    expect(old['errorCode']).toBe(TRANSACTION_COORDINATOR_FENCED)
    f.plane.follow(0, 1, 2)
    const elsewhere = await end(f, epochs, 1)
    expect(elsewhere['errorCode']).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    const unknown = await f.ask((ticket) => f.plane.marker(7, 0, END, ticket))
    expect(unknown['errorCode']).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    await f.under.close()
  })

  it('marker: with an epoch for each transaction, one that is there already is not written twice', async () => {
    const { f, client } = await begun([txn(0)])
    const v2 = { producerEpoch: 1, transactionVersion: 2 }
    expect(await end(f, v2)).toMatchObject({ errorCode: 0, a: 1, b: 2 })
    expect(await end(f, v2)).toMatchObject({ errorCode: 0, a: 1, b: 2 })
    expect((await f.row()).logEndOffset).toBe(2)
    // The next transaction begins its sequences anew.
    const sent = client.send(Produce, 12, produceOf(txn(0, ['b'], { producerEpoch: 1 }), ID))
    admit(f, await asked(f, 2))
    expect(produced(await client.answer(sent))).toMatchObject({ errorCode: 0, baseOffset: 2 })
    // A marker of the last one that was under way for long does not end it.
    expect(await end(f, v2)).toMatchObject({ errorCode: ErrorCode.INVALID_PRODUCER_EPOCH })
    expect(await end(f, { ...v2, producerEpoch: 2, isCommit: false })).toMatchObject({ b: 4 })
    await f.under.close()
  })

  it('marker: an answer from before it counts for nothing', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const old = client.send(Produce, 9, produceOf(txn(0), ID))
    const first = await asked(f, 1)
    const fresh = client.send(Produce, 9, produceOf(txn(0, ['b'], { producerEpoch: 1 }), ID))
    await f.under.quiet()
    await end(f, { producerEpoch: 1, isCommit: false })
    expect(produced(await client.answer(old)).errorCode).toBe(ErrorCode.INVALID_PRODUCER_EPOCH)
    const second = await asked(f, 2)
    expect(second['producerEpoch']).toBe(1)
    admit(f, first)
    await f.under.quiet()
    expect(client.has(fresh)).toBe(false)
    admit(f, second)
    expect(produced(await client.answer(fresh))).toMatchObject({ errorCode: 0, baseOffset: 1 })
    await f.under.close()
  })

  it('marker: waits for its replicas, and the transaction stays unstable until then', async () => {
    const f = await open()
    await f.single({}, [1, 2])
    const [client, follower] = [await f.client(), await f.client()]
    const sent = client.send(Produce, 9, produceOf(txn(0), { ...ID, acks: 1 }))
    admit(f, await asked(f, 1))
    await client.answer(sent)
    await follower.fetch(12, followerFetch(12, 2, 1))
    expect(await f.row()).toMatchObject({ highWatermark: 1, lastStableOffset: 0 })
    f.plane.marker(0, 0, END, 4711)
    expect(await f.row()).toMatchObject({ logEndOffset: 2, highWatermark: 1, lastStableOffset: 0 })
    expect(f.facts.answer(4711)).toBeUndefined()
    await follower.fetch(12, followerFetch(12, 2, 2))
    await f.under.until(() => f.facts.answer(4711) !== undefined, 'the marker')
    expect(f.facts.answer(4711)).toMatchObject({ errorCode: 0, a: 1, b: 2 })
    expect(await f.row()).toMatchObject({ highWatermark: 2, lastStableOffset: 2 })
    await f.under.close()
  })

  it('follower: takes transactions and their ends as they are, and forgets them with a cut', async () => {
    const { f, client } = await begun([txn(0, ['a', 'b'])])
    await end(f, { isCommit: false })
    const { records } = fetched(await client.fetch(12, fetchOf([{}])))
    const copied = records!.slice()
    await f.create(1, {}, {})
    f.plane.follow(1, 0, 2)
    const done = await f.ask((ticket) => f.plane.append(1, 0, copied, ticket))
    expect(done).toMatchObject({ errorCode: 0, a: 0, b: 3 })
    f.plane.lead({ slot: 1, leaderEpoch: 1, partitionEpoch: 0, replicas: [1], isr: [1] })
    f.route([0, 1])
    await f.row(1)
    const there = fetched(await client.fetch(12, fetchOf([{ partition: 1 }], COMMITTED)))
    expect(there).toMatchObject({ lastStableOffset: 3 })
    expect(there.abortedTransactions).toMatchObject([{ producerId: PID, firstOffset: 0 }])
    f.plane.follow(1, 2, 2)
    await f.ask((ticket) => f.plane.truncate(1, 2, 2, ticket))
    f.plane.lead({ slot: 1, leaderEpoch: 3, partitionEpoch: 0, replicas: [1], isr: [1] })
    await f.row(1)
    const cut = fetched(await client.fetch(12, fetchOf([{ partition: 1 }], COMMITTED)))
    expect(cut).toMatchObject({ highWatermark: 2, lastStableOffset: 0 })
    expect(cut.abortedTransactions).toEqual([])
    await f.under.close()
  })

  it.each([true, false])(
    'restart: clean %s: open and aborted transactions are as they were',
    async (isClean) => {
      const { f } = await begun([txn(0, ['a', 'b'])], { segmentBytesMax: 200 })
      await end(f, { isCommit: false })
      const client = await f.client()
      const later = client.send(Produce, 9, produceOf(txn(2, ['c']), ID))
      admit(f, await asked(f, 2))
      expect(produced(await client.answer(later)).baseOffset).toBe(3)
      await client.produce(9, produceOf(batchOf(['plain'])))
      const g = await Fixture.on(await f.under.restart({ isClean }))
      const options = { isCleanShutdown: isClean, highWatermark: 5 }
      await g.create(0, { segmentBytesMax: 200 }, options)
      g.plane.lead({ slot: 0, leaderEpoch: 1, partitionEpoch: 0, replicas: [1], isr: [1] })
      g.route([0])
      expect(await g.row()).toMatchObject({ highWatermark: 5, lastStableOffset: 3 })
      const reader = await g.client()
      const seen = await read(reader)
      expect(seen.abortedTransactions).toMatchObject([{ producerId: PID, firstOffset: 0 }])
      // It goes on without a question: its transaction is known to be open.
      const more = await reader.produce(9, produceOf(txn(3, ['d']), ID))
      expect(produced(more)).toMatchObject({ errorCode: 0, baseOffset: 5 })
      expect(await end(g, {}, 1)).toMatchObject({ errorCode: 0, a: 6 })
      expect(await g.row()).toMatchObject({ lastStableOffset: 7 })
      const all = await read(reader, 3)
      expect(all.abortedTransactions).toEqual([])
      const header = readBatchHeader(all.records!)
      expect(header).toMatchObject({ baseOffset: 3, isTransactional: true })
      await g.under.close()
    },
  )

  it('retain: the beginning of an open transaction may go', async () => {
    const size = txn(0).length
    const { f, client } = await begun([txn(0), txn(1), txn(2)], { segmentBytesMax: size })
    const retention = { retentionMs: -1, retentionBytes: size }
    await f.ask((ticket) => f.plane.retain(0, retention, ticket))
    expect(await f.row()).toMatchObject({ logStartOffset: 2, lastStableOffset: 2 })
    expect(await read(client, 2)).toMatchObject({ errorCode: 0, lastStableOffset: 2 })
    await end(f)
    expect((await f.row()).lastStableOffset).toBe(4)
    await f.under.close()
  })

  it('trim: the beginning of an open transaction may go', async () => {
    const { f } = await begun([txn(0, ['a', 'b'])])
    const client = await f.client()
    await client.produce(9, produceOf(batchOf(['plain'])))
    await f.ask((ticket) => f.plane.trim(0, 2, ticket))
    expect(await f.row()).toMatchObject({
      logStartOffset: 2,
      lastStableOffset: 2,
      highWatermark: 3,
    })
    await end(f)
    expect(await f.row()).toMatchObject({ lastStableOffset: 4 })
    await f.under.close()
  })

  it('producers: where the open transaction began, and its coordinator', async () => {
    const { f } = await begun([txn(0)])
    const rows = async () => {
      const { bytes } = await f.ask((ticket) => f.plane.producers(0, ticket))
      const view = new DataView((bytes as Uint8Array).buffer)
      return [view.getFloat64(0, true), view.getFloat64(16, true), view.getInt32(32, true)]
    }
    expect(await rows()).toEqual([PID, 0, -1])
    await end(f)
    expect(await rows()).toEqual([PID, -1, END.coordinatorEpoch])
    await f.under.close()
  })

  it('append: our own transactional batches need no admission, and old producers are refused', async () => {
    const { f } = await begun([txn(0, ['a'], { producerEpoch: 2 })])
    const own = (producerEpoch: number) =>
      batchOf(['own'], { isTransactional: true, producerId: 11, producerEpoch, baseSequence: -1 })
    const append = (batch: Uint8Array) => f.ask((ticket) => f.plane.append(0, 0, batch, ticket))
    expect(await append(own(3))).toMatchObject({ errorCode: 0, a: 1 })
    expect((await append(own(2)))['errorCode']).toBe(ErrorCode.INVALID_PRODUCER_EPOCH)
    expect(await f.row()).toMatchObject({ logEndOffset: 2, lastStableOffset: 0 })
    await f.under.close()
  })

  it('restart: a kill: a transaction of which DeleteRecords left nothing is not open', async () => {
    const f = await open()
    const config = { segmentBytesMax: txn(0).length }
    await f.single(config)
    const own = (batch: Uint8Array) => f.ask((ticket) => f.plane.append(0, 0, batch, ticket))
    await own(txn(-1))
    for (let i = 0; i < 3; i++) await own(batchOf(['a']))
    await f.ask((ticket) => f.plane.trim(0, 2, ticket))
    expect(await f.row()).toMatchObject({ highWatermark: 4, lastStableOffset: 2 })
    const g = await Fixture.on(await f.under.restart({ isClean: false }))
    await g.single(config, [1], { logStartOffset: 2, highWatermark: 4 })
    expect(await g.row()).toMatchObject({ highWatermark: 4, lastStableOffset: 4 })
    await g.under.close()
  })
}
