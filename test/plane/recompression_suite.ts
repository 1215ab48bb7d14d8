// Contract: a topic's codec is not its producer's: what is written is the same records in the other, under the same
// checks, in the same order. Records and header fields are compared, never compressed bytes.

import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { RetireMode } from '../../src/plane/layout.ts'
import { compress, decompress } from '../../src/plane/model_codecs.ts'
import type { PartitionConfig } from '../../src/plane/plane.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import {
  type BatchInput,
  batchesOf,
  COMPRESSION,
  encodeBatch,
  isBatchIntact,
  readBatchHeader,
  recordsOf,
  sealBatch,
} from '../../src/protocol/record_batch.ts'
import { batchOf, type Client } from './client.ts'
import {
  CONFIG,
  Fixture,
  fetched,
  fetchOf,
  followerFetch,
  HANDLE,
  Produce,
  produced,
  produceOf,
} from './fixture.ts'
import type { PlaneHarness } from './harness.ts'

const NONE = 0
const GZIP = 1
const LZ4 = 3
const ZSTD = 4
const T0 = 1_600_000_000_000

/** Records with all that a record may have. */
const RECORDS: BatchInput['records'] = [
  { timestamp: T0 + 7, key: null, value: Buffer.from('first') },
  {
    timestamp: T0,
    key: Buffer.from('k'),
    value: null,
    headers: [
      { key: 'h', value: Buffer.from('v') },
      { key: '', value: null },
    ],
  },
  { timestamp: T0 + 90_000, key: new Uint8Array(0), value: new Uint8Array(70_000).fill(120) },
]

const packed = (codec: number, input: Partial<BatchInput> = {}): Uint8Array =>
  encodeBatch({ records: RECORDS, compression: COMPRESSION[codec]!, compress, ...input })

/** Everything that a consumer sees of a batch. */
function seen(bytes: Uint8Array, position = 0) {
  const header = readBatchHeader(bytes, position)
  const { baseOffset } = header
  return [...recordsOf(bytes, header, decompress)].map((record) => ({
    ...record,
    key: record.key && Buffer.from(record.key).toString('hex'),
    value: record.value && Buffer.from(record.value).toString('hex'),
    headers: record.headers.map(({ key, value }) => [key, value && Buffer.from(value).toString()]),
    offset: record.offset - baseOffset,
  }))
}

export function recompressionSuite(harness: PlaneHarness): void {
  async function start(config: Partial<PartitionConfig>, replicas = [1]) {
    const f = await Fixture.open(harness)
    await f.single(config, replicas)
    return { f, client: await f.client() }
  }
  const read = async (client: Client, fetchOffset = 0): Promise<Uint8Array> =>
    fetched(await client.fetch(12, fetchOf([{ fetchOffset }]))).records!
  const put = async (client: Client, batch: Uint8Array, options = {}) =>
    produced(await client.produce(9, produceOf(batch, options)))

  it.each([NONE, GZIP, 2, LZ4, ZSTD])(
    'recompression: batches of every codec come out with codec %i and the same records',
    async (target) => {
      const { f, client } = await start({ recompressTo: target })
      let expected = 0
      for (const codec of [NONE, GZIP, 2, LZ4, ZSTD]) {
        const input = { producerId: 9, producerEpoch: 3, baseSequence: expected }
        const answer = await put(client, packed(codec, input))
        expect(answer).toMatchObject({ errorCode: 0, baseOffset: expected, logAppendTimeMs: -1 })
        const records = await read(client, expected)
        const header = readBatchHeader(records)
        expect(header).toMatchObject({
          ...input,
          compression: COMPRESSION[target],
          attributes: target,
          baseOffset: expected,
          lastOffset: expected + 2,
          count: 3,
          partitionLeaderEpoch: 0,
          baseTimestamp: BigInt(T0 + 7),
          maxTimestamp: BigInt(T0 + 90_000),
        })
        expect(isBatchIntact(records, header)).toBe(true)
        expect(seen(records)).toEqual(seen(packed(NONE)))
        expected += 3
      }
      await f.under.close()
    },
  )

  it('recompression: the level is the topic’s', async () => {
    const noise = Buffer.from(randomBytes(30_000).toString('hex'))
    const text = batchOf([`${noise}`.repeat(3)])
    const { f, client } = await start({ recompressTo: GZIP, recompressLevel: 1 })
    const size = async () => {
      const answer = await put(client, text)
      return readBatchHeader(await read(client, Number(answer.baseOffset))).sizeInBytes
    }
    const fast = await size()
    f.plane.configure(0, { ...CONFIG, recompressTo: GZIP, recompressLevel: 9 })
    expect(await size()).toBeLessThan(fast)
    await f.under.close()
  })

  it('recompression: a change counts from the next batch on, and batches of the wanted codec stay as they are', async () => {
    const { f, client } = await start({})
    const codecs: string[] = []
    for (const recompressTo of [undefined, ZSTD, GZIP, NONE, undefined]) {
      f.plane.configure(0, { ...CONFIG, ...(recompressTo === undefined ? {} : { recompressTo }) })
      const answer = await put(client, packed(GZIP))
      const records = await read(client, Number(answer.baseOffset))
      codecs.push(readBatchHeader(records).compression)
      if (recompressTo === GZIP) expect(records.slice(21)).toEqual(packed(GZIP).slice(21))
    }
    expect(codecs).toEqual(['gzip', 'zstd', 'gzip', 'none', 'gzip'])
    await f.under.close()
  })

  it('recompression: with append time every record has the time of the log', async () => {
    const { f, client } = await start({ recompressTo: ZSTD, isLogAppendTime: true })
    const answer = await put(client, packed(LZ4))
    expect(Number(answer.logAppendTimeMs)).toBeGreaterThan(0)
    const records = await read(client)
    const header = readBatchHeader(records)
    expect(header).toMatchObject({ logAppendTime: true, attributes: ZSTD | 8 })
    expect(Number(header.maxTimestamp)).toBe(Number(answer.logAppendTimeMs))
    expect(header.baseTimestamp).toBe(BigInt(T0 + 7))
    const times = new Set(seen(records).map(({ timestamp }) => timestamp))
    expect([...times]).toEqual([header.maxTimestamp])
    await f.under.close()
  })

  it('recompression: largest batch, before and after', async () => {
    const plain = packed(NONE)
    const small = packed(GZIP)
    const { f, client } = await start({ recompressTo: GZIP, messageBytesMax: plain.length - 1 })
    expect(await put(client, plain)).toMatchObject({ errorCode: ErrorCode.MESSAGE_TOO_LARGE })
    f.plane.configure(0, { ...CONFIG, recompressTo: NONE, messageBytesMax: plain.length - 1 })
    expect(await put(client, small)).toMatchObject({
      errorCode: ErrorCode.MESSAGE_TOO_LARGE,
      logStartOffset: -1,
    })
    f.plane.configure(0, { ...CONFIG, recompressTo: NONE, messageBytesMax: plain.length })
    expect(await put(client, small)).toMatchObject({ errorCode: 0, baseOffset: 0 })
    f.plane.configure(0, { ...CONFIG, recompressTo: NONE, segmentBytesMax: plain.length - 1 })
    expect(await put(client, small)).toMatchObject({ errorCode: ErrorCode.RECORD_LIST_TOO_LARGE })
    f.plane.configure(0, { ...CONFIG, recompressTo: GZIP, segmentBytesMax: plain.length - 1 })
    expect(await put(client, plain)).toMatchObject({ errorCode: 0, baseOffset: 3 })
    await f.under.close()
  })

  const patched = (batch: Uint8Array, change: (view: DataView) => void): Uint8Array => {
    change(new DataView(batch.buffer, batch.byteOffset))
    sealBatch(batch, 0, batch.length)
    return batch
  }
  const { INVALID_RECORD, CORRUPT_MESSAGE } = ErrorCode
  it.each<[string, () => Uint8Array, number, Partial<PartitionConfig>?]>([
    ['a wrong checksum', () => packed(GZIP).fill(0, 70, 75), CORRUPT_MESSAGE],
    ['what is no gzip', () => patched(batchOf(['x']), (v) => v.setInt16(21, 1)), CORRUPT_MESSAGE],
    ['what is no snappy', () => patched(batchOf(['x']), (v) => v.setInt16(21, 2)), CORRUPT_MESSAGE],
    ['what is no lz4', () => patched(batchOf(['x']), (v) => v.setInt16(21, 3)), CORRUPT_MESSAGE],
    ['codec 5', () => patched(batchOf(['x']), (v) => v.setInt16(21, 5)), INVALID_RECORD],
    ['a wrong count', () => patched(packed(GZIP), (v) => v.setInt32(57, 4)), INVALID_RECORD],
    [
      'one record too few',
      () =>
        patched(packed(GZIP), (v) => {
          v.setInt32(57, 4)
          v.setInt32(23, 3)
        }),
      INVALID_RECORD,
    ],
    ['a control batch', () => patched(packed(GZIP), (v) => v.setInt16(21, 0x21)), INVALID_RECORD],
    ['no key', () => packed(GZIP), INVALID_RECORD, { compacted: true }],
    [
      'a time of the past',
      () => packed(GZIP),
      ErrorCode.INVALID_TIMESTAMP,
      { timestampBeforeMsMax: 1000 },
    ],
  ])('recompression: %s is refused', async (_name, batch, errorCode, config = {}) => {
    const { f, client } = await start({ recompressTo: ZSTD, ...config })
    expect(await put(client, batch())).toMatchObject({ errorCode, baseOffset: -1 })
    expect((await f.row()).logEndOffset).toBe(0)
    const good = packed(GZIP, { records: [{ timestamp: Date.now(), key: Buffer.from('k') }] })
    f.plane.configure(0, { ...CONFIG, recompressTo: ZSTD })
    expect(await put(client, good)).toMatchObject({ errorCode: 0, baseOffset: 0 })
    await f.under.close()
  })

  it('recompression: a batch that opens to far too much is refused', async () => {
    const { f, client } = await start({ recompressTo: GZIP })
    const records = [{ value: new Uint8Array(130 << 20) }]
    const { MESSAGE_TOO_LARGE } = ErrorCode
    const { errorCode } = await put(client, packed(ZSTD, { records, timestamp: T0 }))
    // The model's own bound is another, and says that it does not open.
    expect([MESSAGE_TOO_LARGE, CORRUPT_MESSAGE]).toContain(errorCode)
    expect(await put(client, packed(ZSTD))).toMatchObject({ errorCode: 0, baseOffset: 0 })
    await f.under.close()
  })

  it('recompression: what is sent together keeps its order, whatever its codec', async () => {
    const { f, client } = await start({ recompressTo: LZ4 })
    const sent = [...Array(40).keys()].map((i) => {
      const records = [{ key: null, value: Buffer.from(`${i}`) }]
      const producer = { producerId: 5, producerEpoch: 0, baseSequence: i }
      const codec = i % 3 === 0 ? LZ4 : i % 5
      const batch = packed(codec, { records, timestamp: T0, ...producer })
      return client.send(Produce, 9, produceOf(batch, { acks: i % 2 === 0 ? -1 : 1 }))
    })
    for (const [i, request] of sent.entries()) {
      const answer = produced(await client.answer(request))
      expect(answer).toMatchObject({ errorCode: 0, baseOffset: i })
    }
    const records = await read(client)
    const values = [...batchesOf(records)].flatMap((header) =>
      seen(records, header.position).map(({ value }) => Buffer.from(value!, 'hex').toString()),
    )
    expect(values).toEqual([...Array(40).keys()].map(String))
    await f.under.close()
  })

  it('recompression: a repeated batch is a duplicate, a gap is out of order', async () => {
    const { f, client } = await start({ recompressTo: ZSTD })
    const of = (baseSequence: number) =>
      packed(GZIP, { producerId: 5, producerEpoch: 0, baseSequence })
    expect(await put(client, of(0))).toMatchObject({ errorCode: 0, baseOffset: 0 })
    expect(await put(client, of(0))).toMatchObject({ errorCode: 0, baseOffset: 0 })
    expect(await put(client, of(6))).toMatchObject({
      errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
      logStartOffset: 0,
    })
    expect(await put(client, of(3))).toMatchObject({ errorCode: 0, baseOffset: 3 })
    expect((await f.row()).logEndOffset).toBe(6)
    await f.under.close()
  })

  it('recompression: acks all waits for replicas, and an ISR that is too small refuses first', async () => {
    const { f, client } = await start({ recompressTo: ZSTD, minInsyncReplicas: 2 }, [1, 2])
    const waiting = client.send(Produce, 9, produceOf(packed(GZIP)))
    await f.under.until(() => f.plane.partition(0).logEndOffset === 3, 'the append')
    expect(client.has(waiting)).toBe(false)
    const follower = await f.client()
    await follower.fetch(12, followerFetch(12, 2, 3))
    expect(produced(await client.answer(waiting))).toMatchObject({ errorCode: 0, baseOffset: 0 })
    f.plane.isr(0, 0, 1, [1])
    expect(await put(client, packed(GZIP))).toMatchObject({
      errorCode: ErrorCode.NOT_ENOUGH_REPLICAS,
      logStartOffset: 0,
    })
    await f.under.close()
  })

  it('recompression: acks 0 appends, and a refusal closes the connection', async () => {
    const { f, client } = await start({ recompressTo: ZSTD })
    client.send(Produce, 9, produceOf(packed(GZIP), { acks: 0 }))
    await f.under.until(() => f.plane.partition(0).logEndOffset === 3, 'the append')
    const other = await f.client()
    expect(readBatchHeader(await read(other)).compression).toBe('zstd')
    const forged = patched(batchOf(['x']), (v) => v.setInt16(21, 1))
    client.send(Produce, 9, produceOf(forged, { acks: 0 }))
    await f.under.until(() => client.conn.isClosed, 'the close')
    await f.under.close()
  })

  it('recompression: a leader that steps down with batches under way answers them', async () => {
    const { f, client } = await start({ recompressTo: ZSTD })
    const sent = [...Array(12)].map(() => client.send(Produce, 9, produceOf(packed(GZIP))))
    f.plane.follow(0, 1, 2)
    for (const request of sent) {
      const { errorCode } = produced(await client.answer(request))
      expect([0, ErrorCode.NOT_LEADER_OR_FOLLOWER]).toContain(errorCode)
    }
    await f.under.close()
  })

  it('recompression: a partition that goes with batches under way answers them', async () => {
    const { f, client } = await start({ recompressTo: GZIP })
    const sent = [...Array(12)].map(() => client.send(Produce, 9, produceOf(packed(ZSTD))))
    f.plane.forget(HANDLE)
    await f.ask((ticket) => f.plane.retire(0, RetireMode.delete, ticket))
    const { NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_OR_PARTITION } = ErrorCode
    for (const request of sent) {
      const { errorCode } = produced(await client.answer(request))
      expect([0, NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_OR_PARTITION]).toContain(errorCode)
    }
    await f.under.close()
  })

  it('recompression: batches of a transaction stay in it', async () => {
    const { f, client } = await start({ recompressTo: ZSTD })
    const of = (baseSequence: number) =>
      packed(GZIP, { isTransactional: true, producerId: 9, producerEpoch: 0, baseSequence })
    const sent = [0, 3, 6].map((sequence) =>
      client.send(Produce, 9, produceOf(of(sequence), { transactionalId: 'tx' })),
    )
    const answered = new Set<number>()
    await f.under.until(() => {
      for (const fact of f.facts.of('admissionNeeded')) {
        const ask = fact['ask'] as number
        if (!answered.has(ask)) f.plane.admit(0, ask, ErrorCode.NONE)
        answered.add(ask)
      }
      return client.has(sent[2]!)
    }, 'the last answer')
    for (const [i, request] of sent.entries()) {
      const answer = produced(await client.answer(request))
      expect(answer).toMatchObject({ errorCode: 0, baseOffset: 3 * i })
    }
    const header = readBatchHeader(await read(client))
    expect(header).toMatchObject({ compression: 'zstd', isTransactional: true, producerId: 9 })
    const marker = { producerId: 9, producerEpoch: 0, coordinatorEpoch: 3, isCommit: false }
    await f.ask((ticket) =>
      f.plane.marker(0, 0, { ...marker, timestampMs: T0, transactionVersion: 1 }, ticket),
    )
    const committed = await client.fetch(12, fetchOf([{}], { isolationLevel: 1 }))
    expect(fetched(committed).abortedTransactions).toMatchObject([{ producerId: 9 }])
    await f.under.close()
  })
}
