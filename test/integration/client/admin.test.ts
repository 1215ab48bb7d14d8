// Administration through the client against our broker: what was asked happened, and each item has its own error.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Broker, startBroker } from '../../../src/index.ts'
import {
  alterCommittedOffsets,
  Cluster,
  codes,
  createPartitions,
  createTopics,
  deleteCommittedOffsets,
  deleteGroups,
  deleteRecords,
  deleteTopics,
  describeCluster,
  describeConfigs,
  describeFeatures,
  describeGroups,
  describeLogDirs,
  describeQuorum,
  describeTopics,
  fetchCommittedOffsets,
  incrementalAlterConfigs,
  listConfigResources,
  listGroups,
  listOffsets,
  listTopics,
  Producer,
} from './client.ts'

let broker: Broker
let cluster: Cluster

beforeAll(async () => {
  broker = await startBroker({ config: { 'offsets.topic.num.partitions': 3 } })
  cluster = await Cluster.connect({ bootstrap: broker.address })
})

afterAll(async () => {
  cluster.close()
  await broker.close()
})

test('client: admin: topics are created, grown, described and deleted, each with its own error', async () => {
  const created = await createTopics(cluster, [
    { name: 'a', numPartitions: 2, configs: { 'cleanup.policy': 'compact' } },
    { name: 'b', assignments: [[1], [1], [1]] },
    { name: 'not legal' },
  ])
  expect(created.map(({ name, numPartitions }) => [name, numPartitions])).toEqual(
    expect.arrayContaining([
      ['a', 2],
      ['b', 3],
    ]),
  )
  expect(codes(created)).toContain('INVALID_TOPIC_EXCEPTION')
  await createTopics(cluster, [{ name: 'never' }], { validateOnly: true })
  expect((await listTopics(cluster)).map(({ name }) => name)).toEqual(['a', 'b'])

  expect(codes(await createPartitions(cluster, [{ name: 'a', count: 4 }]))).toEqual([null])
  expect(codes(await createPartitions(cluster, [{ name: 'a', count: 1 }]))).toEqual([
    'INVALID_PARTITIONS',
  ])
  const described = await describeTopics(cluster, ['b', 'nope', 'a'])
  expect(described.map(({ name, partitions }) => [name, partitions.length])).toEqual([
    ['a', 4],
    ['b', 3],
    ['nope', 0],
  ])
  expect(described[0]!.partitions[3]).toMatchObject({ partition: 3, leaderId: 1, isr: [1] })
  expect(codes(described)).toEqual([null, null, 'UNKNOWN_TOPIC_OR_PARTITION'])
  expect(codes(await deleteTopics(cluster, ['b', 'nope']))).toEqual([
    null,
    'UNKNOWN_TOPIC_OR_PARTITION',
  ])
})

test('client: admin: configs are described with their sources, edited, and refused with reasons', async () => {
  await createTopics(cluster, [{ name: 'c' }])
  const resource = { type: 'topic', name: 'c' } as const
  const edited = await incrementalAlterConfigs(cluster, [
    {
      resource,
      edits: [
        { name: 'retention.ms', op: 'set', value: '1234' },
        { name: 'cleanup.policy', op: 'append', value: 'compact' },
      ],
    },
    {
      resource: { type: 'topic', name: 'gone' },
      edits: [{ name: 'retention.ms', op: 'delete' }],
    },
  ])
  expect(codes(edited)).toEqual([null, 'UNKNOWN_TOPIC_OR_PARTITION'])
  const [topic, node] = await describeConfigs(
    cluster,
    [
      { ...resource, names: ['retention.ms', 'cleanup.policy'] },
      { type: 'broker', name: '1', names: ['node.id'] },
    ],
    { isSynonymsIncluded: true, isDocumentationIncluded: true },
  )
  expect(topic!.entries.map(({ name, value, source }) => [name, value, source]).sort()).toEqual([
    ['cleanup.policy', 'delete,compact', 'topic'],
    ['retention.ms', '1234', 'topic'],
  ])
  expect(topic!.entries[0]!.synonyms.length).toBeGreaterThan(0)
  expect(node!.entries[0]).toMatchObject({ value: '1', isReadOnly: true, type: 'int' })
  expect(await listConfigResources(cluster, ['topic'])).toContainEqual(resource)
  const bad = await incrementalAlterConfigs(cluster, [
    { resource, edits: [{ name: 'retention.ms', op: 'set', value: 'long' }] },
  ])
  expect(codes(bad)).toEqual(['INVALID_CONFIG'])
})

test('client: admin: offsets are looked up by edge and by time, and records deleted', async () => {
  await createTopics(cluster, [{ name: 'o', numPartitions: 2 }])
  const producer = new Producer(cluster)
  await producer.sendAll(
    [1000, 3000, 2000].map((timestamp) => ({ topic: 'o', partition: 1, value: 'v', timestamp })),
  )
  const at = async (...specs: Parameters<typeof listOffsets>[1][number]['at'][]) =>
    (
      await listOffsets(
        cluster,
        specs.map((spec) => ({ topic: 'o', partition: 1, at: spec })),
      )
    ).map(({ offset }) => offset)
  expect(await at('earliest', 'latest', 'max-timestamp', 1500, 9999)).toEqual([0, 3, 1, 1, -1])
  const mixed = await listOffsets(cluster, [
    { topic: 'o', partition: 7, at: 'latest' },
    { topic: 'o', partition: 0, at: 'latest' },
    { topic: 'nowhere', partition: 0, at: 'latest' },
  ])
  expect(codes(mixed)).toEqual(['UNKNOWN_TOPIC_OR_PARTITION', null, 'UNKNOWN_TOPIC_OR_PARTITION'])
  const cut = await deleteRecords(cluster, [
    { topic: 'o', partition: 1, offset: 2 },
    { topic: 'o', partition: 0, offset: 99 },
  ])
  expect(cut.map(({ lowWatermark }) => lowWatermark)).toEqual([2, -1])
  expect(codes(cut)).toEqual([null, 'OFFSET_OUT_OF_RANGE'])
  expect(await at('earliest')).toEqual([2])
})

test('client: admin: groups: offsets set from outside, listed, dropped, deleted', async () => {
  await createTopics(cluster, [{ name: 'g', numPartitions: 2 }])
  const offsets = [
    { topic: 'g', partition: 0, offset: 5, metadata: 'note' },
    { topic: 'g', partition: 1, offset: 0 },
  ]
  expect(codes(await alterCommittedOffsets(cluster, 'readers', offsets))).toEqual([null, null])
  const committed = await fetchCommittedOffsets(cluster, 'readers')
  expect(committed.map(({ partition, offset, metadata }) => [partition, offset, metadata])).toEqual(
    [
      [0, 5, 'note'],
      [1, 0, ''],
    ],
  )
  expect(await listGroups(cluster)).toContainEqual({
    groupId: 'readers',
    protocolType: '',
    state: 'Empty',
    type: 'classic',
  })
  expect(await listGroups(cluster, { states: ['Stable'] })).toEqual([])
  const described = await describeGroups(cluster, ['readers', 'nobody'])
  expect(described.map(({ state, coordinator }) => [state, coordinator])).toEqual([
    ['Empty', 1],
    ['Dead', 1],
  ])
  expect(codes(described)).toEqual([null, 'GROUP_ID_NOT_FOUND'])
  const dropped = await deleteCommittedOffsets(cluster, 'readers', [{ topic: 'g', partition: 0 }])
  expect(codes(dropped)).toEqual([null])
  expect((await fetchCommittedOffsets(cluster, 'readers')).length).toBe(1)
  expect(codes(await deleteGroups(cluster, ['readers', 'nobody']))).toEqual([
    null,
    'GROUP_ID_NOT_FOUND',
  ])
})

test('client: admin: the cluster describes itself', async () => {
  const { clusterId, brokers } = await describeCluster(cluster)
  expect(clusterId).toBe(broker.clusterId)
  expect(brokers).toMatchObject([{ nodeId: 1, host: '127.0.0.1', isFenced: false }])
  const quorum = await describeQuorum(cluster)
  expect(quorum.leaderId).toBe(1)
  expect(quorum.voters.map(({ replicaId }) => replicaId)).toEqual([1])
  const { features } = await describeFeatures(cluster)
  expect(features.find(({ feature }) => feature === 'metadata.version')!.finalized).toBeGreaterThan(
    0,
  )
  const [directory] = await describeLogDirs(cluster)
  expect(directory).toMatchObject({ brokerId: 1, error: null })
  expect(directory!.totalBytes).toBeGreaterThan(0)
})

test('client: cluster: an address that nobody listens on is told at once; a closed client says so', async () => {
  const other = await Cluster.connect({ bootstrap: ['127.0.0.1:1', broker.address] })
  other.close()
  await expect(other.refresh()).rejects.toMatchObject({ code: 'CLOSED' })
  await expect(Cluster.connect({ bootstrap: '127.0.0.1:1,127.0.0.1:2' })).rejects.toMatchObject({
    code: 'CONNECTION_FAILED',
    message: expect.stringMatching(/127\.0\.0\.1:1.*127\.0\.0\.1:2/),
  })
})
