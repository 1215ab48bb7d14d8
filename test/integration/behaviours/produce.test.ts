// Behaviour that producers rely on: what is refused and how it is said, duplicates, order, silence with acks=0.

import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { InitProducerId } from '../../../src/protocol/messages/transaction.ts'
import { sealBatch } from '../../../src/protocol/record_batch.ts'
import { Bench, batchOf, produceBody } from '../support/harness.ts'

test('behaviour 4: a batch over max.message.bytes is MESSAGE_TOO_LARGE', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('small', 1, { 'max.message.bytes': '1000' })
  const answer = await bench.produce('small', batchOf(['x'.repeat(2000)]))
  expect(answer.errorCode).toBe(ErrorCode.MESSAGE_TOO_LARGE)
  expect((await bench.produce('small', batchOf(['x'.repeat(100)]))).errorCode).toBe(ErrorCode.NONE)
})

test('behaviour 5: records without a key on a compacted topic are named one by one', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('compacted', 1, { 'cleanup.policy': 'compact' })
  const key = new Uint8Array([1])
  const batch = batchOf([{ key, value: key }, { value: key }, { key }, { value: key }])
  const answer = await bench.produce('compacted', batch)
  expect(answer.errorCode).toBe(ErrorCode.INVALID_RECORD)
  expect(answer.recordErrors.map(({ batchIndex }) => batchIndex)).toEqual([1, 3])
  expect((await bench.produce('compacted', batchOf([{ key }]))).errorCode).toBe(ErrorCode.NONE)
})

test('behaviour 19: acks=0 gets no response, and an error closes the connection', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('silent')
  const client = await bench.connect()
  client.send(Produce, 9, produceBody('silent', 0, batchOf(['a']), 0))
  const next = await client.ask(Produce, 9, produceBody('silent', 0, batchOf(['b']), 1))
  expect(next.responses[0]!.partitionResponses[0]!.baseOffset).toBe(1)
  expect(client.order).toEqual([2])
  client.send(Produce, 9, produceBody('nobody', 0, batchOf(['c']), 0))
  await client.ended()
  expect(client.isClosed).toBe(true)
})

test('behaviour 24: a timestamp too far ahead is INVALID_TIMESTAMP per record', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('future')
  const ahead = Date.now() + 2 * 3600_000
  const answer = await bench.produce('future', batchOf(['now', { timestamp: ahead, value: null }]))
  expect(answer.errorCode).toBe(ErrorCode.INVALID_TIMESTAMP)
  expect(answer.recordErrors.map(({ batchIndex }) => batchIndex)).toEqual([1])
})

test('behaviour 27: duplicates, gaps, stale epochs and unknown producers', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('idempotent')
  const { producerId, producerEpoch } = await bench.client.ask(InitProducerId, 4, {
    transactionalId: null,
    transactionTimeoutMs: 60_000,
  })
  expect(producerEpoch).toBe(0)
  const send = (baseSequence: number, epoch = 0, id = producerId) =>
    bench.produce(
      'idempotent',
      batchOf(['x', 'y'], { producerId: id, producerEpoch: epoch, baseSequence }),
    )
  expect(await send(0)).toMatchObject({ errorCode: ErrorCode.NONE, baseOffset: 0 })
  expect(await send(2)).toMatchObject({ errorCode: ErrorCode.NONE, baseOffset: 2 })
  for (let sequence = 4; sequence < 12; sequence += 2) await send(sequence)
  expect(await send(10)).toMatchObject({ errorCode: ErrorCode.NONE, baseOffset: 10 })
  expect(await send(4)).toMatchObject({ errorCode: ErrorCode.NONE, baseOffset: 4 })
  expect((await send(0)).errorCode).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
  expect((await send(14)).errorCode).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
  expect(await send(0, 1)).toMatchObject({ errorCode: ErrorCode.NONE, baseOffset: 12 })
  expect((await send(12, 0)).errorCode).toBe(ErrorCode.INVALID_PRODUCER_EPOCH)
  expect((await send(7, 0, producerId + 1)).errorCode).toBe(ErrorCode.NONE)
})

test('behaviour 32: zstd before version 7, a wrong checksum, an old format', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('formats')
  const ask = async (version: number, records: Uint8Array) => {
    const { responses } = await bench.client.ask(
      Produce,
      version,
      produceBody('formats', 0, records),
    )
    return responses[0]!.partitionResponses[0]!.errorCode
  }
  const zstd = batchOf(['a'])
  zstd[22] = 4
  sealBatch(zstd, 0, zstd.length)
  expect(await ask(6, zstd)).toBe(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE)
  const corrupt = batchOf(['a'])
  corrupt[corrupt.length - 1]! ^= 1
  expect(await ask(9, corrupt)).toBe(ErrorCode.CORRUPT_MESSAGE)
  const old = batchOf(['a'])
  old[16] = 1
  expect([ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT, ErrorCode.INVALID_RECORD]).toContain(
    await ask(9, old),
  )
  expect(await ask(9, batchOf(['fine']))).toBe(ErrorCode.NONE)
})

test('behaviour 31: fenced and wrong leaders come with the current leader', async () => {
  await using bench = await Bench.start()
  const { Fetch } = await import('../../../src/protocol/messages/produce_fetch.ts')
  const topicId = await bench.createTopic('led')
  const fetchAt = (currentLeaderEpoch: number) =>
    bench.client.ask(Fetch, 16, {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1000,
      topics: [
        {
          topicId,
          partitions: [
            { partition: 0, currentLeaderEpoch, fetchOffset: 0, partitionMaxBytes: 1000 },
          ],
        },
      ],
    })
  const ahead = await fetchAt(5)
  expect(ahead.responses[0]!.partitions[0]!.errorCode).toBe(ErrorCode.UNKNOWN_LEADER_EPOCH)
  const right = await fetchAt(0)
  expect(right.responses[0]!.partitions[0]!.errorCode).toBe(ErrorCode.NONE)
})
