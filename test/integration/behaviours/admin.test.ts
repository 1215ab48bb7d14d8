// Behaviour that admin clients rely on: creation, deletion, configuration, discovery, and what happens to frames that
// cannot be understood.

import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import {
  AlterConfigs,
  DescribeConfigs,
  IncrementalAlterConfigs,
} from '../../../src/protocol/messages/configs.ts'
import { ApiVersions, DescribeCluster, Metadata } from '../../../src/protocol/messages/metadata.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import {
  CreatePartitions,
  CreateTopics,
  DeleteTopics,
} from '../../../src/protocol/messages/topics.ts'
import { Bench, batchOf } from '../support/harness.ts'

const TOPIC = 2

test('behaviour 7: DescribeConfigs tells every config and where it comes from', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('described', 1, { 'retention.ms': '1000' })
  const { results } = await bench.client.ask(DescribeConfigs, 4, {
    resources: [{ resourceType: TOPIC, resourceName: 'described', configurationKeys: null }],
    includeSynonyms: true,
    includeDocumentation: true,
  })
  const { configs, errorCode } = results[0]!
  expect(errorCode).toBe(ErrorCode.NONE)
  const retention = configs.find(({ name }) => name === 'retention.ms')!
  expect(retention).toMatchObject({
    value: '1000',
    configSource: 1,
    configType: 5,
    readOnly: false,
  })
  const size = configs.find(({ name }) => name === 'max.message.bytes')!
  expect(size.synonyms.map(({ name }) => name)).toContain('message.max.bytes')
  expect(retention.documentation).toBeTruthy()
  const broker = await bench.client.ask(DescribeConfigs, 4, {
    resources: [{ resourceType: 4, resourceName: '1', configurationKeys: null }],
  })
  expect(broker.results[0]!.configs.length).toBeGreaterThan(200)
  const roles = broker.results[0]!.configs.find(({ name }) => name === 'process.roles')!
  expect(roles).toMatchObject({ readOnly: true, configSource: 4 })
})

test('behaviour 14: metadata creates a missing topic where both sides allow it', async () => {
  await using bench = await Bench.start()
  const ask = (name: string, allowAutoTopicCreation: boolean) =>
    bench.client.ask(Metadata, 12, { topics: [{ name }], allowAutoTopicCreation })
  expect((await ask('born', false)).topics[0]!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  expect((await ask('born', false)).topics[0]!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  await ask('born', true)
  await expect
    .poll(async () => (await ask('born', false)).topics[0]!.errorCode)
    .toBe(ErrorCode.NONE)
  expect((await ask('not/legal', true)).topics[0]!.errorCode).toBe(
    ErrorCode.INVALID_TOPIC_EXCEPTION,
  )
  const names = ({ topics }: { topics: { name: string | null }[] }) =>
    topics.map(({ name }) => name)
  expect(names(await bench.client.ask(Metadata, 0, { topics: [] }))).toEqual(['born'])
  expect(names(await bench.client.ask(Metadata, 1, { topics: null }))).toEqual(['born'])
  expect(names(await bench.client.ask(Metadata, 1, { topics: [] }))).toEqual([])
})

test('behaviour 15: APPEND and SUBTRACT work on lists, and validate-only changes nothing', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('lists')
  const alter = (configOperation: number, value: string, validateOnly = false) =>
    bench.client.ask(IncrementalAlterConfigs, 1, {
      resources: [
        {
          resourceType: TOPIC,
          resourceName: 'lists',
          configs: [{ name: 'cleanup.policy', configOperation, value }],
        },
      ],
      validateOnly,
    })
  const read = async () => {
    const { results } = await bench.client.ask(DescribeConfigs, 4, {
      resources: [
        { resourceType: TOPIC, resourceName: 'lists', configurationKeys: ['cleanup.policy'] },
      ],
    })
    return results[0]!.configs[0]!.value
  }
  await alter(2, 'compact', true)
  expect(await read()).toBe('delete')
  expect((await alter(2, 'compact')).responses[0]!.errorCode).toBe(ErrorCode.NONE)
  expect(await read()).toBe('delete,compact')
  await alter(3, 'delete')
  expect(await read()).toBe('compact')
  const refused = await alter(0, 'shred')
  expect(refused.responses[0]!.errorCode).toBe(ErrorCode.INVALID_CONFIG)
  await bench.client.ask(AlterConfigs, 2, {
    resources: [{ resourceType: TOPIC, resourceName: 'lists', configs: [] }],
  })
  expect(await read()).toBe('delete')
})

test('behaviour 16: every topic is answered, valid and invalid mixed', async () => {
  await using bench = await Bench.start()
  const topic = (name: string, numPartitions = 1, replicationFactor = 1) => ({
    name,
    numPartitions,
    replicationFactor,
  })
  const created = await bench.client.ask(CreateTopics, 7, {
    topics: [
      topic('good'),
      topic('bad name'),
      topic('twice'),
      topic('twice'),
      topic('wide', 1, 3),
      topic('none', 0),
    ],
    timeoutMs: 5000,
  })
  const codes = Object.fromEntries(created.topics.map(({ name, errorCode }) => [name, errorCode]))
  expect(codes).toEqual({
    good: ErrorCode.NONE,
    'bad name': ErrorCode.INVALID_TOPIC_EXCEPTION,
    twice: ErrorCode.INVALID_REQUEST,
    wide: ErrorCode.INVALID_REPLICATION_FACTOR,
    none: ErrorCode.INVALID_PARTITIONS,
  })
  const grown = await bench.client.ask(CreatePartitions, 3, {
    topics: [
      { name: 'good', count: 4, assignments: null },
      { name: 'missing', count: 2, assignments: null },
    ],
    timeoutMs: 5000,
  })
  expect(grown.results.map(({ errorCode }) => errorCode)).toEqual([
    ErrorCode.NONE,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ])
  expect((await bench.produce('good', batchOf(['x']), { partition: 3 })).errorCode).toBe(0)
  const deleted = await bench.client.ask(DeleteTopics, 6, {
    topics: [{ name: 'good' }, { name: 'missing' }],
    timeoutMs: 5000,
  })
  expect(deleted.responses.map(({ errorCode }) => errorCode)).toEqual([
    ErrorCode.NONE,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ])
})

test('behaviour 17: an unknown version of ApiVersions is answered in version 0, others close', async () => {
  await using bench = await Bench.start()
  const client = await bench.connect()
  const frame = Buffer.alloc(4 + 11) // the last byte: no tagged fields
  frame.writeInt32BE(11, 0)
  frame.writeInt16BE(ApiVersions.key, 4)
  frame.writeInt16BE(99, 6)
  frame.writeInt32BE(7, 8)
  frame.writeInt16BE(-1, 12)
  const { Reader } = await import('../../../src/lib/bytes.ts')
  const { decodeFrom } = await import('../../../src/protocol/codec.ts')
  const answer = await client.askBytes(frame, 7)
  const reader = new Reader(answer)
  reader.int32()
  const response = decodeFrom(ApiVersions.response, 0, reader)
  reader.finish()
  expect(response.errorCode).toBe(ErrorCode.UNSUPPORTED_VERSION)
  expect(response.apiKeys).toEqual([{ apiKey: 18, minVersion: 0, maxVersion: 4 }])
  frame.writeInt16BE(Metadata.key, 4)
  client.write(frame)
  await client.ended()
})

test('behaviour 18: versions up to 3 do not see features whose minimum is 0', async () => {
  await using bench = await Bench.start()
  const software = { clientSoftwareName: 'test', clientSoftwareVersion: '1' }
  const v3 = await bench.client.ask(ApiVersions, 3, software)
  expect(v3.supportedFeatures.every(({ minVersion }) => minVersion > 0)).toBe(true)
  const v4 = await bench.client.ask(ApiVersions, 4, software)
  expect(v4.supportedFeatures.map(({ name }) => name)).toContain('group.version')
  expect(v4.finalizedFeatures.map(({ name }) => name)).toContain('metadata.version')
  const produce = v4.apiKeys.find(({ apiKey }) => apiKey === Produce.key)!
  expect(produce.minVersion).toBe(0)
})

test('behaviour 22: absurd lengths close the connection, and nothing else', async () => {
  await using bench = await Bench.start()
  for (const length of [-1, 0x7fffffff]) {
    const client = await bench.connect()
    const frame = Buffer.alloc(8)
    frame.writeInt32BE(length, 0)
    client.write(frame)
    await client.ended()
  }
  const cluster = await bench.client.ask(DescribeCluster, 1, {})
  expect(cluster.errorCode).toBe(ErrorCode.NONE)
})

test('behaviour 23: telemetry is not advertised without a receiver', async () => {
  await using bench = await Bench.start()
  const { apiKeys } = await bench.client.ask(ApiVersions, 0, {})
  const keys = apiKeys.map(({ apiKey }) => apiKey)
  expect(keys).not.toContain(71)
  expect(keys).not.toContain(72)
})

test('behaviour 34: names that differ only by dot and underscore collide', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('a.b')
  await expect(bench.createTopic('a_b')).rejects.toThrow('INVALID_TOPIC_EXCEPTION')
})
