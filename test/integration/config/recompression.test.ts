// `compression.type` and its levels on a running broker: of the broker, of a topic, changed while clients produce.
// The client's codecs are the plane's own, which test/oracle/codec holds against Kafka's.

import { describe, expect, test } from 'vitest'
import { compress } from '../../../src/plane/native_codecs.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import {
  COMPRESSION,
  type Compression,
  readBatchHeader,
} from '../../../src/protocol/record_batch.ts'
import { eventually } from '../support/eventually.ts'
import { Bench, batchOf } from '../support/harness.ts'

const TOPIC = 2
const BROKER = 4

async function alter(bench: Bench, type: number, name: string, changes: Record<string, string>) {
  const configs = Object.entries(changes).map(([key, value]) => ({
    name: key,
    configOperation: 0,
    value,
  }))
  const { responses } = await bench.client.ask(IncrementalAlterConfigs, 1, {
    resources: [{ resourceType: type, resourceName: name, configs }],
  })
  expect(responses[0]!.errorCode).toBe(ErrorCode.NONE)
}

const text = [...Array(400).keys()].map((i) => `line ${i} ${(i * i * 7919) % 1000003}`)
const batch = (compression: Compression): Uint8Array =>
  batchOf(text, { compression, compress, timestamp: 1_600_000_000_000 })

/** The header of what a produce wrote, once its records were found whole. */
async function written(bench: Bench, topic: string, compression: Compression) {
  const { errorCode, baseOffset } = await bench.produce(topic, batch(compression))
  expect(errorCode).toBe(ErrorCode.NONE)
  const { records, decoded } = await bench.fetch(topic, Number(baseOffset))
  expect(decoded.map(({ value }) => Buffer.from(value!).toString())).toEqual(text)
  return readBatchHeader(records!)
}

describe('recompression', () => {
  test('integration: config: batches take the codec of their topic', async () => {
    await using bench = await Bench.start({ config: { 'compression.type': 'lz4' } })
    await bench.createTopic('plain')
    await bench.createTopic('own', 1, { 'compression.type': 'uncompressed' })
    for (const from of COMPRESSION) {
      expect((await written(bench, 'plain', from)).compression).toBe('lz4')
      expect((await written(bench, 'own', from)).compression).toBe('none')
    }
    // What is answered is in force: the next batch meets it.
    for (const to of ['gzip', 'snappy', 'zstd', 'producer'] as const) {
      await alter(bench, TOPIC, 'own', { 'compression.type': to })
      await alter(bench, BROKER, '', { 'compression.type': to })
      const expected = to === 'producer' ? 'lz4' : to
      const takes = async (topic: string) =>
        (await written(bench, topic, 'lz4')).compression === expected || undefined
      await eventually(() => takes('own'))
      await eventually(() => takes('plain'))
    }
  })

  test('integration: config: levels of recompression', async () => {
    await using bench = await Bench.start()
    for (const [codec, fast, small] of [
      ['gzip', '1', '9'],
      ['lz4', '9', '17'],
      ['zstd', '-5', '19'],
    ] as const) {
      const key = `compression.${codec}.level`
      const size = async (topic: string) => (await written(bench, topic, 'none')).sizeInBytes
      await bench.createTopic(codec, 1, { 'compression.type': codec, [key]: fast })
      const large = await size(codec)
      await alter(bench, TOPIC, codec, { [key]: small })
      await eventually(async () => (await size(codec)) < large || undefined)
      const inherits = `${codec}-of-the-broker`
      await alter(bench, BROKER, '', { [key]: fast })
      await bench.createTopic(inherits, 1, { 'compression.type': codec })
      await eventually(async () => (await size(inherits)) === large || undefined)
      await alter(bench, BROKER, '', { [key]: small })
      await eventually(async () => (await size(inherits)) < large || undefined)
    }
  })
})
