// What an embedded broker does for the program around it: topics, records, reset, and going away under readers.

import { existsSync } from 'node:fs'
import { Kafka, logLevel } from 'kafkajs'
import { expect, test } from 'vitest'
import { alterCommittedOffsets, fetchCommittedOffsets } from '../../../src/client/admin_groups.ts'
import { Cluster } from '../../../src/client/cluster.ts'
import { KafkaContainer } from '../../../src/fixtures/testcontainers.ts'
import { type Broker, ClientError, startBroker } from '../../../src/index.ts'

const kafkaOf = (broker: Broker) =>
  new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING })

test('embedding: topics are created as asked, and refused in words', async () => {
  await using broker = await startBroker()
  await broker.createTopic('made', { partitions: 3, config: { 'retention.ms': 60_000 } })
  await expect(broker.createTopic('made')).rejects.toMatchObject({ code: 'TOPIC_ALREADY_EXISTS' })
  await expect(broker.createTopic('no/slash')).rejects.toBeInstanceOf(ClientError)
  const admin = kafkaOf(broker).admin()
  await admin.connect()
  const { topics } = await admin.fetchTopicMetadata({ topics: ['made'] })
  expect(topics[0]!.partitions).toHaveLength(3)
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: 2, name: 'made', configNames: ['retention.ms'] }],
  })
  expect(resources[0]!.configEntries[0]!.configValue).toBe('60000')
  await admin.disconnect()
})

test('embedding: records go in and come out, as text or as bytes', async () => {
  await using broker = await startBroker()
  await broker.createTopic('words')
  const headers = { a: '1', empty: null }
  const written = await broker.produce('words', [
    'plain',
    { key: 'k', value: 'keyed', headers, timestamp: 1_700_000_000_000, partition: 0 },
    { key: 'k', value: null },
  ])
  expect(written.map(({ offset }) => offset)).toEqual([0, 1, 2])
  const records = await broker.consume('words')
  expect(records.map(({ value }) => value)).toEqual(['plain', 'keyed', null])
  expect(records[1]).toEqual({
    topic: 'words',
    partition: 0,
    offset: 1,
    timestamp: 1_700_000_000_000,
    key: 'k',
    value: 'keyed',
    headers,
  })
  const bytes = await broker.consume('words', { as: 'bytes', from: { offset: 1 }, max: 1 })
  const value: Uint8Array | null = bytes[0]!.value
  expect(value).toEqual(new TextEncoder().encode('keyed'))
})

test('embedding: consume waits for what was promised, and says what did not come', async () => {
  await using broker = await startBroker()
  await broker.createTopic('late')
  const coming = broker.consume('late', { max: 2 })
  await broker.produce('late', ['one'])
  await broker.produce('late', ['two'])
  expect((await coming).map(({ value }) => value)).toEqual(['one', 'two'])
  await expect(broker.consume('late', { max: 3, timeoutMs: 300 })).rejects.toThrow(
    "2 of 3 records of topic 'late' came in 300 ms",
  )
  await expect(broker.consume('late', { from: 'latest' })).resolves.toEqual([])
  await expect(broker.consume('missing')).rejects.toMatchObject({
    code: 'UNKNOWN_TOPIC_OR_PARTITION',
  })
})

test('embedding: a stream is read until its loop is left, or its broker is closed', async () => {
  const broker = await startBroker()
  await broker.produce('live', ['one'])
  const seen: (string | null)[] = []
  for await (const { value } of broker.stream('live')) {
    seen.push(value)
    if (seen.length === 3) break
    await broker.produce('live', [`after ${value}`])
  }
  expect(seen).toEqual(['one', 'after one', 'after after one'])
  const stream = broker.stream('live', { from: 'latest' })[Symbol.asyncIterator]()
  const next = stream.next().then(
    ({ done }) => `done: ${done}`,
    (problem: ClientError) => problem.code,
  )
  await broker.close()
  expect(['CLOSED', 'CONNECTION_CLOSED', 'CONNECTION_FAILED', 'done: true']).toContain(await next)
  await expect(broker.produce('live', ['x'])).rejects.toMatchObject({ code: 'CLOSED' })
})

test('embedding: reset leaves an empty broker to those who are connected', async () => {
  await using broker = await startBroker()
  const { address, clusterId } = broker
  // kafkajs asks for ever for a topic it has once seen, so the one that looks has seen none.
  const producer = kafkaOf(broker).producer()
  const admin = kafkaOf(broker).admin()
  await Promise.all([admin.connect(), producer.connect()])
  await using cluster = await Cluster.connect({ bootstrap: address })
  const brokerConfigs = {
    includeSynonyms: false,
    resources: [{ type: 4, name: '1', configNames: ['log.retention.ms'] }],
  }
  for (let round = 0; round < 3; round++) {
    await broker.createTopic('mine')
    await producer.send({ topic: 'mine', messages: [{ value: 'x' }] })
    const at = { topic: 'mine', partition: 0, offset: 1 }
    const [committed] = await alterCommittedOffsets(cluster, 'g', [at])
    expect(committed!.error).toBe(null)
    await admin.alterConfigs({
      validateOnly: false,
      resources: [
        { type: 4, name: '1', configEntries: [{ name: 'log.retention.ms', value: '77000' }] },
      ],
    })
    expect((await broker.consume('mine')).map(({ offset }) => offset)).toEqual([0])
    await broker.reset()
    expect(await admin.listTopics()).toEqual([])
    expect((await admin.listGroups()).groups).toEqual([])
    const { resources } = await admin.describeConfigs(brokerConfigs)
    expect(resources[0]!.configEntries[0]!.configValue).not.toBe('77000')
  }
  expect(await fetchCommittedOffsets(cluster, 'g')).toEqual([])
  expect({ address: broker.address, clusterId: broker.clusterId }).toEqual({ address, clusterId })
  await Promise.all([admin.disconnect(), producer.disconnect()])
})

test('embedding: twenty brokers at once serve each its own, and close together', async () => {
  const brokers = await Promise.all(Array.from({ length: 20 }, () => startBroker()))
  expect(new Set(brokers.map(({ address }) => address)).size).toBe(20)
  await Promise.all(brokers.map((broker, index) => broker.produce('t', [`of ${index}`])))
  const values = await Promise.all(brokers.map((broker) => broker.consume('t')))
  expect(values.map(([record]) => record?.value)).toEqual(brokers.map((_, index) => `of ${index}`))
  await Promise.all(brokers.map((broker) => broker.close()))
})

test('embedding: the shape of a test container takes settings, and leaves alone what only a container has', async () => {
  await using container = await new KafkaContainer('apache/kafka:4.3.1')
    .withKraft()
    .withReuse()
    .withStartupTimeout(120_000)
    .withEnvironment({
      KAFKA_NUM_PARTITIONS: '4',
      KAFKA_LISTENERS: 'PLAINTEXT://0.0.0.0:9092,BROKER://0.0.0.0:9093',
      KAFKA_PROCESS_ROLES: 'broker',
      KAFKA_LOG_DIRS: '/var/lib/kafka/data',
      KAFKA_HEAP_OPTS: '-Xmx256M',
      CLUSTER_ID: 'ignored',
    })
    .withExposedPorts(9092, 9093)
    .start()
  const { broker } = container
  expect(container.getBootstrapServers()).toBe(broker.address)
  expect(`${container.getHost()}:${container.getMappedPort(9093)}`).toBe(broker.address)
  expect(container.getFirstMappedPort()).toBe(broker.port)
  await broker.createTopic('words')
  const written = await broker.produce(
    'words',
    [0, 1, 2, 3].map((partition) => ({ partition, value: 'x' })),
  )
  expect(written.map(({ partition }) => partition)).toEqual([0, 1, 2, 3])
  await container.stop()
  expect(existsSync(broker.directory)).toBe(false)
})
