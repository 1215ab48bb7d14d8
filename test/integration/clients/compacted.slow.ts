// Clients read a compacted log: offsets with gaps, batches that lost some of their records, and headers that are left of
// batches which lost all, at the beginning, in the middle and before the end. kafkajs asks for ever where a header is all
// that it is given.

import { join } from 'node:path'
import { Consumer, type Message } from '@platformatic/kafka'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compress } from '../../../src/plane/native_codecs.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { COMPRESSION, encodeBatch } from '../../../src/protocol/record_batch.ts'
import { eventually, pause } from '../support/eventually.ts'
import { Bench } from '../support/harness.ts'
import { confluentReader, installConfluent } from './confluent.ts'
import { javaReader } from './java.ts'
import { kafkajs } from './kafkajs.ts'
import { kcatReader } from './kcat.ts'
import type { Reader, SeenRecord } from './matrix.ts'
import { fetchBatches, headersOnDisk, rawReader } from './raw.ts'

const BATCHES = 120
const KEYS = 9
const PER_BATCH = 4
/** Several times that of the cleaner. */
const REST_MS = 1000

/** kafkajs reads as a member of a group. */
const kafkajsReader: Reader = {
  name: 'kafkajs',
  cannotRead: ['snappy', 'lz4', 'zstd'],
  async read({ address, topic }, count) {
    const consumer = kafkajs(address).consumer({ groupId: `reads ${topic}` })
    const seen: SeenRecord[] = []
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message }) => {
        seen.push({
          offset: Number(message.offset),
          timestamp: Number(message.timestamp),
          key: String(message.key),
          value: String(message.value),
          headers: [],
        })
      },
    })
    await eventually(async () => seen.length >= count || undefined, 60_000)
    await consumer.disconnect()
    return seen
  },
}

/** Its stream, in a group too: what fetches without one has to count offsets itself. */
const platformaticStream: Reader = {
  name: 'platformatic',
  // What the cleaner packs anew is in xerial's blocks, like Java's; this client knows bare snappy only.
  cannotRead: ['snappy'],
  async read({ address, topic }, count) {
    const groupId = `streams-${topic}`
    const options = { clientId: 'platformatic', bootstrapBrokers: [address], groupId }
    const consumer = new Consumer({ ...options, retries: 60, retryDelay: 50 })
    const stream = await consumer.consume({
      topics: [topic],
      mode: 'earliest',
      maxWaitTime: 100,
      autocommit: false,
    })
    const seen: SeenRecord[] = []
    const add = ({ offset, timestamp, key, value }: Message<Buffer, Buffer, Buffer, Buffer>) =>
      seen.push({
        offset: Number(offset),
        timestamp: Number(timestamp),
        key: String(key),
        value: String(value),
        headers: [],
      })
    stream.on('data', add)
    await eventually(async () => seen.length >= count || undefined, 60_000)
    await stream.close()
    await consumer.close()
    return seen
  },
}
const READERS = [javaReader, confluentReader, kcatReader, kafkajsReader, platformaticStream]

let bench: Bench
beforeAll(async () => {
  await installConfluent()
  bench = await Bench.start({ config: { 'log.cleaner.backoff.ms': 100 } })
}, 1_500_000)
afterAll(() => bench[Symbol.asyncDispose]())

test.each(COMPRESSION)('clients: compacted: %s: clients read what is left', async (codec) => {
  const topic = `compacted-${codec}`
  await bench.createTopic(topic, 1, {
    'cleanup.policy': 'compact',
    'internal.segment.bytes': '2000',
    'min.cleanable.dirty.ratio': '0.001',
  })
  for (let batch = 0; batch < BATCHES; batch++) {
    const records = Array.from({ length: PER_BATCH }, (_, at) => ({
      key: Buffer.from(batch % 30 === 20 ? `${batch}` : `key ${(batch * 7 + at * at) % KEYS}`),
      value: Buffer.from(`value ${batch} ${at}`),
      timestamp: 1_700_000_000_000 + batch,
    }))
    // The first producers are never heard of again: their headers stay.
    const producerId = 100 + batch
    const own = batch < 3 || batch === 60 ? { producerId, producerEpoch: 0, baseSequence: 0 } : {}
    const bytes = encodeBatch({ records, compression: codec, compress, ...own })
    const { errorCode } = await bench.produce(topic, bytes)
    expect(errorCode).toBe(ErrorCode.NONE)
  }
  const place = { address: bench.broker.address, topic, partition: 0 }
  const left = await eventually(async () => {
    const before = await fetchBatches(bench.client, place)
    await pause(REST_MS)
    const batches = await fetchBatches(bench.client, place)
    return batches.length < BATCHES / 2 && batches.length === before.length ? batches : undefined
  })
  // The first batches are headers that no consumer is given.
  expect(left[0]!.header.count).toBeGreaterThan(0)
  const stored = headersOnDisk(join(bench.broker.directory, `${topic}-0`))
  expect(stored.filter(({ count }) => count === 0).length).toBeGreaterThan(3)
  const expected = (await rawReader.read(place, 0)).map(brief)
  for (const { name, read, cannotRead } of READERS) {
    if (cannotRead?.includes(codec) === true) continue
    expect((await read(place, expected.length)).map(brief), name).toEqual(expected)
  }
})

const brief = ({ offset, key, value, timestamp }: SeenRecord) =>
  `${offset} ${timestamp} ${key} ${value}`
