// Contract: Produce 3–13: what is appended, what is refused and how, who waits for whom.

import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { counterColumn, DisconnectReason } from '../../src/plane/layout.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { encodeBatch, readBatchHeader, sealBatch } from '../../src/protocol/record_batch.ts'
import { batchOf } from './client.ts'
import { Fixture, fetched, fetchOf, Produce, produced, produceOf, TOPIC_ID } from './fixture.ts'
import type { PlaneHarness } from './harness.ts'

/** Changes a batch's bytes and makes its checksum right again. */
function patched(batch: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const copy = batch.slice()
  change(new DataView(copy.buffer))
  sealBatch(copy, 0, copy.length)
  return copy
}

const spoilt = (batch: Uint8Array, at: number, value: number): Uint8Array => {
  const copy = batch.slice()
  copy[at] = value
  return copy
}

const gzip = (_: string, bytes: Uint8Array): Uint8Array => gzipSync(bytes)
const one = batchOf(['a'])
const join = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((p) => [...p]))

export function produceSuite(harness: PlaneHarness): void {
  const open = (options = {}) => Fixture.open(harness, options)

  it.each([3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])(
    'append: version %i gets its base offset, and the batch reads back patched',
    async (version) => {
      const f = await open()
      await f.single()
      const client = await f.client()
      await client.produce(version, produceOf(batchOf(['a', 'b'])))
      const second = produced(await client.produce(version, produceOf(batchOf(['c']))))
      expect(second).toMatchObject({ errorCode: 0, baseOffset: 2, logAppendTimeMs: -1 })
      if (version >= 5) expect(second.logStartOffset).toBe(0)
      const { records } = fetched(await client.fetch(12, fetchOf([{ fetchOffset: 2 }])))
      const header = readBatchHeader(records!)
      expect(header).toMatchObject({ baseOffset: 2, lastOffset: 2, partitionLeaderEpoch: 0 })
      expect(records!.slice(21)).toEqual(batchOf(['c']).slice(21))
      await f.under.close()
    },
  )

  const { INVALID_RECORD, CORRUPT_MESSAGE } = ErrorCode
  it.each<[string, Uint8Array | null, number, number?]>([
    ['null records', null, INVALID_RECORD],
    ['no bytes', new Uint8Array(0), INVALID_RECORD],
    ['a cut batch', one.slice(0, -1), INVALID_RECORD],
    ['two batches', join(one, one), INVALID_RECORD],
    ['magic 1', spoilt(one, 16, 1), INVALID_RECORD],
    ['magic 3', spoilt(one, 16, 3), CORRUPT_MESSAGE],
    ['a wrong checksum', spoilt(one, one.length - 1, 0x55), CORRUPT_MESSAGE],
    ['a base offset', patched(one, (v) => v.setBigInt64(0, 5n)), INVALID_RECORD],
    ['a count of zero', patched(one, (v) => v.setInt32(57, 0)), INVALID_RECORD],
    ['a wrong count', patched(one, (v) => v.setInt32(57, 2)), INVALID_RECORD],
    ['a control batch', patched(one, (v) => v.setInt16(21, 0x20)), INVALID_RECORD],
    ['a sequence of -1 with a producer', batchOf(['a'], { producerId: 9 }), INVALID_RECORD],
    ['a spoilt record length', patched(one, (v) => v.setInt8(61, 126)), INVALID_RECORD],
    ['codec 5', patched(one, (v) => v.setInt16(21, 5)), INVALID_RECORD],
    [
      'a transaction',
      batchOf(['a'], { isTransactional: true, producerId: 9, producerEpoch: 0, baseSequence: 0 }),
      ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    ],
  ])('validate: %s is refused', async (_name, records, errorCode) => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const answer = produced(await client.produce(9, produceOf(records)))
    expect(answer).toMatchObject({ errorCode, baseOffset: -1, logAppendTimeMs: -1 })
    expect((await f.row()).logEndOffset).toBe(0)
    expect(produced(await client.produce(9, produceOf(one))).errorCode).toBe(0)
    await f.under.close()
  })

  it('validate: bytes that begin another batch are dropped', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const answer = await client.produce(9, produceOf(join(one, one.slice(0, 40))))
    expect(produced(answer).errorCode).toBe(0)
    expect((await f.row()).bytes).toBe(one.length)
    await f.under.close()
  })

  it('validate: acks other than -1, 0, 1', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const answer = produced(await client.produce(9, produceOf(one, { acks: 2 })))
    expect(answer.errorCode).toBe(ErrorCode.INVALID_REQUIRED_ACKS)
    await f.under.close()
  })

  it('validate: a transactional id in the request asks nothing of a batch that is of no transaction', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const answer = await client.produce(9, produceOf(one, { transactionalId: 't' }))
    expect(produced(answer).errorCode).toBe(ErrorCode.NONE)
    await f.under.close()
  })

  it.each([3, 9, 13])(
    'validate: an internal topic takes version %i from the admin client only',
    async (version) => {
      const f = await open()
      await f.single()
      f.route([0], true)
      const client = await f.client()
      const ask = async (clientId: string, records = one, acks = -1) => {
        const body = produceOf(records, { acks })
        return produced(await client.answer(client.send(Produce, version, body, clientId)))
      }
      for (const clientId of ['test', '', '__admin_clien', '__admin_client1', 'producer-1']) {
        const { INVALID_TOPIC_EXCEPTION: errorCode } = ErrorCode
        expect(await ask(clientId)).toMatchObject({ errorCode, baseOffset: -1 })
      }
      const { INVALID_REQUIRED_ACKS } = ErrorCode
      expect((await ask('test', one, 2)).errorCode).toBe(INVALID_REQUIRED_ACKS)
      expect(await ask('__admin_client')).toMatchObject({ errorCode: 0, baseOffset: 0 })
      f.route([0])
      expect(await ask('test')).toMatchObject({ errorCode: 0, baseOffset: 1 })
      await f.under.close()
    },
  )

  it('validate: a batch over max.message.bytes, and one that just fits', async () => {
    const f = await open()
    const batch = batchOf(['x'.repeat(100)])
    await f.single({ messageBytesMax: batch.length })
    const client = await f.client()
    expect(produced(await client.produce(9, produceOf(batch))).errorCode).toBe(0)
    const larger = produced(await client.produce(9, produceOf(batchOf(['x'.repeat(101)]))))
    expect(larger).toMatchObject({ errorCode: ErrorCode.MESSAGE_TOO_LARGE, logStartOffset: -1 })
    await f.under.close()
  })

  it('validate: a batch over segment.bytes', async () => {
    const f = await open()
    await f.single({ segmentBytesMax: 200 })
    const client = await f.client()
    const answer = produced(await client.produce(9, produceOf(batchOf(['x'.repeat(300)]))))
    expect(answer.errorCode).toBe(ErrorCode.RECORD_LIST_TOO_LARGE)
    await f.under.close()
  })

  it('validate: zstd before version 7, and from it on', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const compress = (_: string, bytes: Uint8Array) => zstdCompressSync(bytes)
    const batch = batchOf(['a'], { compression: 'zstd', compress })
    const early = produced(await client.produce(6, produceOf(batch)))
    expect(early.errorCode).toBe(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE)
    expect(produced(await client.produce(7, produceOf(batch))).errorCode).toBe(0)
    await f.under.close()
  })

  it('validate: keys on a compacted topic, each record named', async () => {
    const f = await open()
    await f.single({ compacted: true })
    const client = await f.client()
    const value = Uint8Array.of(1)
    const records = [{ value }, { key: value, value }, { value }]
    for (const batch of [
      encodeBatch({ records, timestamp: 1 }),
      encodeBatch({ records, timestamp: 1, compression: 'gzip', compress: gzip }),
    ]) {
      const answer = produced(await client.produce(9, produceOf(batch)))
      expect(answer.errorCode).toBe(INVALID_RECORD)
      expect(answer.recordErrors.map((error) => error.batchIndex)).toEqual([0, 2])
      expect(answer.errorMessage).not.toBeNull()
    }
    expect(produced(await client.produce(9, produceOf(one))).errorCode).toBe(0)
    await f.under.close()
  })

  it('validate: timestamps out of bounds, each record named, compressed or not', async () => {
    const f = await open()
    await f.single({ timestampAfterMsMax: 3_600_000, timestampBeforeMsMax: 1000 })
    const client = await f.client()
    const now = f.under.nowMs()
    const times = [now, now + 4_000_000, now - 60_000, -1]
    const records = times.map((timestamp) => ({ timestamp, value: Uint8Array.of(1) }))
    for (const batch of [
      encodeBatch({ records }),
      encodeBatch({ records, compression: 'gzip', compress: gzip }),
    ]) {
      const answer = produced(await client.produce(9, produceOf(batch)))
      expect(answer.errorCode).toBe(ErrorCode.INVALID_TIMESTAMP)
      expect(answer.recordErrors.map((error) => error.batchIndex)).toEqual([1, 2])
    }
    await f.under.close()
  })

  it('time: with log append time the broker stamps the batch and says when', async () => {
    const f = await open()
    await f.single({ isLogAppendTime: true })
    const client = await f.client()
    const answer = produced(await client.produce(9, produceOf(one)))
    expect(Math.abs(answer.logAppendTimeMs - f.under.nowMs())).toBeLessThan(60_000)
    const { records } = fetched(await client.fetch(12, fetchOf([{}])))
    const header = readBatchHeader(records!)
    expect(header.logAppendTime).toBe(true)
    expect(Number(header.maxTimestamp)).toBe(answer.logAppendTimeMs)
    sealBatch(records!, 0, records!.length)
    expect(readBatchHeader(records!).crc).toBe(header.crc)
    await f.under.close()
  })

  it('time: a header that lies about the largest timestamp is put right', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    await client.produce(9, produceOf(patched(one, (v) => v.setBigInt64(35, 5n))))
    const { records } = fetched(await client.fetch(12, fetchOf([{}])))
    expect(readBatchHeader(records!).maxTimestamp).toBe(1_600_000_000_000n)
    await f.under.close()
  })

  it('topics: unknown name, unknown id, unknown partition, no replica here, no role yet', async () => {
    const f = await open()
    const client = await f.client()
    const code = async (version: number, index = 0) =>
      produced(await client.produce(version, produceOf(one, { index }))).errorCode
    expect(await code(12)).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    expect(await code(13)).toBe(ErrorCode.UNKNOWN_TOPIC_ID)
    await f.create(0)
    f.route([0, -1])
    expect(await code(12, 2)).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    expect(await code(12, 1)).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    expect(await code(12, 0)).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    f.plane.forget(11)
    await f.under.quiet()
    expect(await code(13, 0)).toBe(ErrorCode.UNKNOWN_TOPIC_ID)
    await f.under.close()
  })

  it('topics: from version 10 on NOT_LEADER_OR_FOLLOWER names the leader and its endpoint', async () => {
    const f = await open()
    await f.create(0)
    f.plane.follow(0, 5, 2)
    f.route([0])
    f.plane.brokers(1, [{ id: 2, host: 'two', port: 9092, rack: null }])
    const client = await f.client()
    const response = await client.produce(10, produceOf(one))
    expect(produced(response)).toMatchObject({
      errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER,
      currentLeader: { leaderId: 2, leaderEpoch: 5 },
    })
    expect(response.nodeEndpoints).toEqual([{ nodeId: 2, host: 'two', port: 9092, rack: null }])
    await client.produce(9, produceOf(one))
    await f.under.close()
  })

  it('request: good and bad partitions together, each with its own answer', async () => {
    const f = await open()
    await f.several(2)
    const client = await f.client()
    const partitionData = [
      { index: 0, records: one },
      { index: 7, records: one },
      { index: 1, records: spoilt(one, 62, 9) },
      { index: 1, records: one },
    ]
    const topicData = [{ name: 'events', topicId: TOPIC_ID, partitionData }]
    const response = await client.produce(9, { acks: -1, timeoutMs: 1000, topicData })
    const codes = response.responses[0]!.partitionResponses.map((p) => [p.index, p.errorCode])
    expect(codes).toEqual([
      [0, 0],
      [7, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
      [1, CORRUPT_MESSAGE],
      [1, 0],
    ])
    await f.under.close()
  })

  it('acks 0: no response; the next request is answered', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const sent = client.send(Produce, 9, produceOf(one, { acks: 0 }))
    await f.under.until(() => f.plane.partition(0).logEndOffset === 1, 'the append')
    await f.under.quiet()
    expect(client.has(sent)).toBe(false)
    await f.under.close()
  })

  it('acks 0: an error closes the connection', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    client.send(Produce, 9, produceOf(spoilt(one, 62, 9), { acks: 0 }))
    await f.under.until(() => client.conn.isClosed, 'the end of the connection')
    await f.under.until(() => f.facts.of('disconnected').length === 1, 'disconnected')
    expect(f.facts.last('disconnected')).toMatchObject({ reason: DisconnectReason.produceFailed })
    await f.under.close()
  })

  const idempotent = (sequence: number, epoch = 0, values = ['a']) =>
    produceOf(batchOf(values, { producerId: 4, producerEpoch: epoch, baseSequence: sequence }))

  it('idempotence: the last five batches are answered again, a sixth is out of order', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    for (let i = 0; i < 6; i++) await client.produce(9, idempotent(i))
    for (let i = 1; i < 6; i++) {
      const again = produced(await client.produce(9, idempotent(i)))
      expect(again).toMatchObject({ errorCode: 0, baseOffset: i })
    }
    const sixth = produced(await client.produce(9, idempotent(0)))
    expect(sixth.errorCode).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect((await f.row()).logEndOffset).toBe(6)
    await f.under.close()
  })

  it('idempotence: gaps, stale epochs, new epochs, unknown producers', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const code = async (sequence: number, epoch = 0) =>
      produced(await client.produce(9, idempotent(sequence, epoch))).errorCode
    expect(await code(40, 3)).toBe(0)
    expect(await code(42, 3)).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect(await code(41, 2)).toBe(ErrorCode.INVALID_PRODUCER_EPOCH)
    expect(await code(1, 4)).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect(await code(0, 4)).toBe(0)
    expect(await code(1, 4)).toBe(0)
    expect(f.plane.counter(counterColumn.invalidSequence)).toBe(3)
    const stale = produced(await client.produce(9, idempotent(2, 3)))
    expect(stale).toMatchObject({ baseOffset: -1, logStartOffset: 0 })
    await f.under.close()
  })

  it('idempotence: sequences wrap after 2^31 - 1', async () => {
    const f = await open()
    await f.single()
    const client = await f.client()
    const last = 0x7fffffff
    const first = produced(await client.produce(9, idempotent(last - 1, 0, ['a', 'b', 'c'])))
    expect(first.errorCode).toBe(0)
    expect(produced(await client.produce(9, idempotent(1))).baseOffset).toBe(3)
    const again = await client.produce(9, idempotent(last - 1, 0, ['a', 'b', 'c']))
    expect(produced(again).baseOffset).toBe(0)
    await f.under.close()
  })

  it('verdicts: a missing one parks, the answer releases in order, no releases with an error', async () => {
    const f = await open({ verdicts: 'ask' })
    await f.single()
    const client = await f.client()
    const first = client.send(Produce, 9, produceOf(batchOf(['1'])))
    const second = client.send(Produce, 9, produceOf(batchOf(['2'])))
    await f.under.until(() => f.facts.of('verdictNeeded').length === 1, 'the question')
    await f.under.quiet()
    expect(f.facts.of('verdictNeeded')).toEqual([
      { kind: 'verdictNeeded', principal: 0, topicHandle: 11, operation: 0 },
    ])
    expect((await f.row()).logEndOffset).toBe(0)
    f.plane.verdict(0, 11, 0, true)
    expect(produced(await client.answer(first)).baseOffset).toBe(0)
    expect(produced(await client.answer(second)).baseOffset).toBe(1)
    f.plane.verdict(0, 11, 0, false)
    await f.under.quiet()
    const denied = produced(await client.produce(9, produceOf(one)))
    expect(denied.errorCode).toBe(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    await f.under.close()
  })

  it('verdicts: who waits too long is answered without an append', async () => {
    const f = await open({ verdicts: 'ask' })
    await f.single()
    const client = await f.client()
    const sent = client.send(Produce, 9, produceOf(one, { timeoutMs: 100 }))
    await f.under.later(() => client.has(sent), 'the timeout')
    expect(produced(sent.response!).errorCode).toBe(ErrorCode.REQUEST_TIMED_OUT)
    f.plane.verdict(0, 11, 0, true)
    expect((await f.row()).logEndOffset).toBe(0)
    await f.under.close()
  })

  it('verdicts: a connection that goes away takes its parked batch along', async () => {
    const f = await open({ verdicts: 'ask' })
    await f.single()
    const client = await f.client()
    client.send(Produce, 9, produceOf(one))
    await f.under.until(() => f.facts.of('verdictNeeded').length === 1, 'the question')
    client.conn.close()
    await f.under.until(() => f.facts.of('disconnected').length === 1, 'disconnected')
    f.plane.verdict(0, 11, 0, true)
    expect((await f.row()).logEndOffset).toBe(0)
    await f.under.close()
  })
}
