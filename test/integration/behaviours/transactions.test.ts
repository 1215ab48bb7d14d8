// Transactions as clients see them: begun, written to, ended, fenced, and what readers see of them meanwhile. Both
// generations of the protocol: partitions added by request (version 1), or with the first write (version 2, KIP-890).

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { ListOffsets, OffsetFetch } from '../../../src/protocol/messages/offsets.ts'
import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  DescribeProducers,
  EndTxn,
  ListTransactions,
  WriteTxnMarkers,
} from '../../../src/protocol/messages/transaction.ts'
import { Bench } from '../support/harness.ts'
import { begin, coordinator, Transactional } from '../support/transactional.ts'

const { NONE } = ErrorCode
const COMMITTED = { isolationLevel: 1, maxWaitMs: 0 }

const committedText = (fetched: Awaited<ReturnType<Bench['fetch']>>) =>
  fetched.decoded.map(({ value }) => (value === null ? null : new TextDecoder().decode(value)))

async function offsetOf(bench: Bench, groupId: string, requireStable: boolean) {
  const { groups } = await bench.client.ask(OffsetFetch, 8, {
    requireStable,
    groups: [{ groupId, topics: [{ name: 't', partitionIndexes: [0] }] }],
  })
  const { committedOffset, errorCode } = groups[0]!.topics[0]!.partitions[0]!
  return [Number(committedOffset), errorCode]
}

test('behaviour 8: a transaction may not be asked to last longer than the broker allows', async () => {
  await using bench = await Bench.start({ config: { 'transaction.max.timeout.ms': 5000 } })
  await coordinator(bench, 'tx')
  const producer = new Transactional(bench, 'tx')
  for (const [timeoutMs, errorCode] of [
    [5001, ErrorCode.INVALID_TRANSACTION_TIMEOUT],
    [0, ErrorCode.INVALID_TRANSACTION_TIMEOUT],
    [5000, NONE],
  ] as const) {
    expect((await producer.init({}, timeoutMs)).errorCode).toBe(errorCode)
  }
})

test('a transaction commits: added by request, written, ended, and then visible as a whole', async () => {
  const { bench, producer } = await begin()
  await using _ = bench
  expect(producer.producerEpoch).toBe(0)
  const early = await producer.produce('t', ['x'], 9)
  expect(early.errorCode).toBe(ErrorCode.INVALID_TXN_STATE)
  expect((await producer.produce('t', ['x'], 11)).errorCode).toBe(ErrorCode.TRANSACTION_ABORTABLE)
  expect(await producer.add('t', [0])).toEqual([NONE])
  expect(await producer.produce('t', ['a', 'b'])).toMatchObject({ errorCode: NONE, baseOffset: 0 })
  expect(await producer.state()).toMatchObject({
    transactionState: 'Ongoing',
    topics: [{ topic: 't', partitions: [0] }],
  })
  const latest = async (isolationLevel: number) => {
    const { topics } = await bench.client.ask(ListOffsets, 7, {
      replicaId: -1,
      isolationLevel,
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
    })
    return topics[0]!.partitions[0]!.offset
  }
  expect([await latest(0), await latest(1)]).toEqual([2, 0])
  expect(committedText(await bench.fetch('t', 0, COMMITTED))).toEqual([])
  expect((await producer.end(true)).errorCode).toBe(NONE)
  await producer.settled()
  expect([await latest(0), await latest(1)]).toEqual([3, 3])
  const seen = await bench.fetch('t', 0, COMMITTED)
  expect(seen).toMatchObject({ lastStableOffset: 3, abortedTransactions: [] })
  expect((await producer.end(true)).errorCode).toBe(NONE) // a retry
  expect((await producer.end(false)).errorCode).toBe(ErrorCode.INVALID_TXN_STATE)
})

test('behaviours 10 and 12: aborted records are told apart, and a control record takes one offset', async () => {
  const { bench, producer } = await begin()
  await using _ = bench
  for (const committed of [false, true, false]) {
    await producer.settled()
    expect(await producer.add('t', [0])).toEqual([NONE])
    await producer.produce('t', [committed ? 'kept' : 'gone'])
    expect((await producer.end(committed)).errorCode).toBe(NONE)
  }
  await producer.settled()
  const { producerId } = producer
  const seen = await bench.fetch('t', 0, COMMITTED)
  expect(seen.highWatermark).toBe(6)
  expect(seen.abortedTransactions).toMatchObject([
    { producerId, firstOffset: 0 },
    { producerId, firstOffset: 4 },
  ])
  const later = await bench.fetch('t', 2, COMMITTED)
  expect(later.abortedTransactions).toMatchObject([{ producerId, firstOffset: 4 }])
  expect(committedText(later)[0]).toBe('kept')
})

test('behaviour 9: with version 2 a first write adds its partition, and every end bumps the epoch', async () => {
  const { bench, producer } = await begin()
  await using _ = bench
  expect(await producer.produce('t', ['a'], 12)).toMatchObject({ errorCode: NONE, baseOffset: 0 })
  expect((await producer.state()).topics).toEqual([{ topic: 't', partitions: [0] }])
  const before = { ...producer.who }
  const first = await bench.client.ask(EndTxn, 5, { ...before, committed: true })
  expect(first).toMatchObject({ errorCode: NONE, producerId: before.producerId, producerEpoch: 1 })
  await producer.settled()
  // The same again: it did not hear the answer.
  const again = await bench.client.ask(EndTxn, 5, { ...before, committed: true })
  expect(again).toMatchObject({ errorCode: NONE, producerEpoch: 1 })
  const zombie = await producer.produce('t', ['late'], 12, { baseSequence: 1 })
  expect(zombie.errorCode).toBe(ErrorCode.INVALID_PRODUCER_EPOCH)
  producer.producerEpoch = 1
  const next = await producer.produce('t', ['b'], 12, { baseSequence: 0 })
  expect(next).toMatchObject({ errorCode: NONE, baseOffset: 2 })
  expect(await producer.end(false, 5)).toMatchObject({ errorCode: NONE, producerEpoch: 2 })
  await producer.settled()
  // Nothing was added: an abort bumps it all the same, a commit is not possible.
  expect((await producer.end(true, 5)).errorCode).toBe(ErrorCode.INVALID_TXN_STATE)
  expect(await producer.end(false, 5)).toMatchObject({ errorCode: NONE, producerEpoch: 3 })
})

test('a second producer takes the id over: what was open is aborted, and the first is fenced', async () => {
  const { bench, producer } = await begin()
  await using _ = bench
  await producer.add('t', [0])
  await producer.produce('t', ['open'])
  const second = new Transactional(bench, 'tx')
  expect((await second.init()).errorCode).toBe(NONE)
  expect(second.producerId).toBe(producer.producerId)
  expect(second.producerEpoch).toBeGreaterThan(producer.producerEpoch)
  expect((await producer.end(true)).errorCode).toBe(ErrorCode.PRODUCER_FENCED)
  expect(await producer.add('t', [0])).toEqual([ErrorCode.PRODUCER_FENCED])
  expect(await producer.add('t', [0], 1)).toEqual([ErrorCode.INVALID_PRODUCER_EPOCH])
  const late = await producer.produce('t', ['late'])
  expect(late.errorCode).toBe(ErrorCode.INVALID_PRODUCER_EPOCH)
  const fenced = await producer.init({ ...producer.who })
  expect(fenced.errorCode).toBe(ErrorCode.PRODUCER_FENCED)
  const seen = await bench.fetch('t', 0, COMMITTED)
  expect(seen.abortedTransactions).toMatchObject([{ firstOffset: 0 }])
  // KIP-360: it says who it is, and goes on at the next epoch; asked twice, the same.
  const { producerId, producerEpoch } = second
  expect(await second.init({ producerId, producerEpoch })).toMatchObject({
    errorCode: NONE,
    producerEpoch: producerEpoch + 1,
  })
  expect(await second.init({ producerId, producerEpoch })).toMatchObject({
    errorCode: NONE,
    producerEpoch: producerEpoch + 1,
  })
})

test('a transaction whose time is over is aborted by the coordinator', async () => {
  const { bench, producer } = await begin('tx', {
    config: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 50 },
  })
  await using _ = bench
  await producer.init({}, 200)
  await producer.add('t', [0])
  await producer.produce('t', ['slow'])
  await expect.poll(async () => (await producer.state()).transactionState).toBe('CompleteAbort')
  expect((await producer.end(true)).errorCode).toBe(ErrorCode.PRODUCER_FENCED)
  expect((await bench.fetch('t', 0, COMMITTED)).lastStableOffset).toBe(2)
})

test('behaviours 13 and 33: offsets of a transaction wait for its end, and survive a restart', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ottla-txn-'))
  try {
    {
      const { bench, producer } = await begin('tx', { directory })
      await using _ = bench
      expect((await coordinator(bench, 'g', 0)).errorCode).toBe(NONE)
      const nowhere = await producer.offsets('g', 't', 5n)
      expect(nowhere).toBe(ErrorCode.INVALID_TXN_STATE)
      const addOffsets = async () => {
        const { who } = producer
        return (await bench.client.ask(AddOffsetsToTxn, 3, { ...who, groupId: 'g' })).errorCode
      }
      expect(await addOffsets()).toBe(NONE)
      expect(await producer.offsets('g', 't', 5n)).toBe(NONE)
      expect(await offsetOf(bench, 'g', false)).toEqual([-1, NONE])
      expect(await offsetOf(bench, 'g', true)).toEqual([-1, ErrorCode.UNSTABLE_OFFSET_COMMIT])
      expect((await producer.end(true)).errorCode).toBe(NONE)
      await producer.settled()
      expect(await offsetOf(bench, 'g', true)).toEqual([5, NONE])
      expect(await addOffsets()).toBe(NONE)
      expect(await producer.offsets('g', 't', 9n)).toBe(NONE)
      expect((await producer.end(false)).errorCode).toBe(NONE)
      await producer.settled()
      expect(await offsetOf(bench, 'g', true)).toEqual([5, NONE])
      // Version 2 adds the offsets with the commit. This one stays open.
      expect(await producer.offsets('g', 't', 7n, 5)).toBe(NONE)
      expect(await offsetOf(bench, 'g', true)).toEqual([-1, ErrorCode.UNSTABLE_OFFSET_COMMIT])
      await producer.produce('t', ['open'], 12)
    }
    await using bench = await Bench.start({ directory })
    const producer = new Transactional(bench, 'tx')
    await expect.poll(async () => (await producer.state()).errorCode).toBe(NONE)
    const { producerId, producerEpoch, transactionState } = await producer.state()
    expect(transactionState).toBe('Ongoing')
    producer.producerId = producerId
    producer.producerEpoch = producerEpoch
    await expect
      .poll(() => offsetOf(bench, 'g', true))
      .toEqual([-1, ErrorCode.UNSTABLE_OFFSET_COMMIT])
    expect(await offsetOf(bench, 'g', false)).toEqual([5, NONE])
    expect((await bench.fetch('t', 0, COMMITTED)).lastStableOffset).toBe(0)
    expect((await producer.end(true)).errorCode).toBe(NONE)
    await producer.settled()
    expect(await offsetOf(bench, 'g', true)).toEqual([7, NONE])
    expect((await bench.fetch('t', 0, COMMITTED)).lastStableOffset).toBe(2)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

test('tools see transactions, and may end one that hangs', async () => {
  const { bench, producer } = await begin()
  await using _ = bench
  await producer.add('t', [0])
  await producer.produce('t', ['open'])
  const { producerId, producerEpoch } = producer
  const list = async (filter: object) =>
    (await bench.client.ask(ListTransactions, 1, filter)).transactionStates
  const row = { transactionalId: 'tx', producerId, transactionState: 'Ongoing' }
  expect(await list({})).toEqual([row])
  expect(await list({ stateFilters: ['Ongoing'] })).toEqual([row])
  expect(await list({ stateFilters: ['Empty'] })).toEqual([])
  expect(await list({ producerIdFilters: [BigInt(producerId) + 1n] })).toEqual([])
  expect(await list({ durationFilter: 600_000n })).toEqual([])
  expect(await list({ durationFilter: 0n })).toEqual([row])
  const byPattern = async (transactionalIdPattern: string) =>
    (await bench.client.ask(ListTransactions, 2, { transactionalIdPattern })).transactionStates
  expect(await byPattern('t[xy]')).toEqual([row])
  expect(await byPattern('t')).toEqual([])
  const { errorCode } = await bench.client.ask(ListTransactions, 2, { transactionalIdPattern: '(' })
  expect(errorCode).toBe(ErrorCode.INVALID_REGULAR_EXPRESSION)
  const odd = await bench.client.ask(ListTransactions, 0, { stateFilters: ['Odd'] })
  expect(odd).toMatchObject({ unknownStateFilters: ['Odd'], transactionStates: [] })
  const described = await bench.client.ask(DescribeProducers, 0, {
    topics: [{ name: 't', partitionIndexes: [0] }],
  })
  const [active] = described.topics[0]!.partitions[0]!.activeProducers
  expect(active).toMatchObject({ producerId, producerEpoch, currentTxnStartOffset: 0 })
  const marker = {
    producerId,
    producerEpoch,
    transactionResult: false,
    coordinatorEpoch: 0,
    topics: [{ name: 't', partitionIndexes: [0, 1] }],
  }
  const { markers } = await bench.client.ask(WriteTxnMarkers, 1, { markers: [marker] })
  expect(markers[0]!.topics[0]!.partitions).toEqual([
    { partitionIndex: 0, errorCode: NONE },
    { partitionIndex: 1, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
  ])
  expect((await bench.fetch('t', 0, COMMITTED)).lastStableOffset).toBe(2)
})

test('a marker of the past ends nothing in the log of groups', async () => {
  const { bench, producer } = await begin('tx', { config: { 'offsets.topic.num.partitions': 1 } })
  await using _ = bench
  await coordinator(bench, 'g', 0)
  await producer.init() // the next epoch
  const mark = async (change: object) => {
    const marker = {
      ...producer.who,
      transactionResult: true,
      coordinatorEpoch: 0,
      topics: [{ name: '__consumer_offsets', partitionIndexes: [0] }],
      ...change,
    }
    const { markers } = await bench.client.ask(WriteTxnMarkers, 2, { markers: [marker] })
    return markers[0]!.topics[0]!.partitions[0]!.errorCode
  }
  const { INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED, UNSTABLE_OFFSET_COMMIT } =
    ErrorCode
  expect(await producer.offsets('g', 't', 5n, 5)).toBe(NONE)
  expect(await mark({ producerEpoch: producer.producerEpoch - 1 })).toBe(INVALID_PRODUCER_EPOCH)
  // Of this epoch, but each transaction of version 2 ends with the next one.
  expect(await mark({ transactionVersion: 2 })).toBe(INVALID_PRODUCER_EPOCH)
  expect(await offsetOf(bench, 'g', true)).toEqual([-1, UNSTABLE_OFFSET_COMMIT])
  expect((await producer.end(true, 5)).errorCode).toBe(NONE)
  await producer.settled()
  expect(await offsetOf(bench, 'g', true)).toEqual([5, NONE])
  expect(await producer.offsets('g', 't', 6n, 5)).toBe(NONE)
  expect(await mark({ coordinatorEpoch: 5 })).toBe(NONE)
  expect(await offsetOf(bench, 'g', true)).toEqual([6, NONE])
  expect(await producer.offsets('g', 't', 7n, 5)).toBe(NONE)
  expect(await mark({ coordinatorEpoch: 4 })).toBe(TRANSACTION_COORDINATOR_FENCED)
  expect(await offsetOf(bench, 'g', true)).toEqual([-1, UNSTABLE_OFFSET_COMMIT])
})

test('partitions are added all or none, and several transactions are asked about at once', async () => {
  const { bench, producer } = await begin()
  await using _ = bench
  const { OPERATION_NOT_ATTEMPTED, UNKNOWN_TOPIC_OR_PARTITION } = ErrorCode
  expect(await producer.add('t', [0, 7])).toEqual([
    OPERATION_NOT_ATTEMPTED,
    UNKNOWN_TOPIC_OR_PARTITION,
  ])
  expect((await producer.state()).transactionState).toBe('Empty')
  const asked = { ...producer.who, verifyOnly: true, topics: [{ name: 't', partitions: [0] }] }
  const stranger = { ...asked, transactionalId: 'nobody' }
  const verify = async () => {
    const { resultsByTransaction } = await bench.client.ask(AddPartitionsToTxn, 4, {
      transactions: [asked, stranger],
    })
    return resultsByTransaction.map(
      ({ topicResults }) => topicResults[0]!.resultsByPartition[0]!.partitionErrorCode,
    )
  }
  const { TRANSACTION_ABORTABLE, INVALID_PRODUCER_ID_MAPPING } = ErrorCode
  expect(await verify()).toEqual([TRANSACTION_ABORTABLE, INVALID_PRODUCER_ID_MAPPING])
  await producer.add('t', [0])
  expect(await verify()).toEqual([NONE, INVALID_PRODUCER_ID_MAPPING])
})
