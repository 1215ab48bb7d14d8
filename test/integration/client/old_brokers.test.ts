// The client as a broker of Kafka 2.1 would see it: no version newer than that release had, no API that it had not.
// Our broker still serves those versions, so what is asked really happens.

import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Connection } from '../../../src/client/connection.ts'
import { type Broker, startBroker } from '../../../src/index.ts'
import {
  alterCommittedOffsets,
  Cluster,
  Consumer,
  codes,
  createPartitions,
  createTopics,
  deleteGroups,
  deleteRecords,
  deleteTopics,
  describeCluster,
  describeConfigs,
  describeGroups,
  describeLogDirs,
  describeQuorum,
  describeTopics,
  fetchCommittedOffsets,
  incrementalAlterConfigs,
  listGroups,
  listOffsets,
  Producer,
} from './client.ts'

/** The newest versions of Kafka 2.1. */
const NEWEST: Readonly<Record<string, number>> = {
  Produce: 7,
  Fetch: 10,
  ListOffsets: 4,
  Metadata: 7,
  OffsetCommit: 6,
  OffsetFetch: 5,
  FindCoordinator: 2,
  JoinGroup: 3,
  Heartbeat: 2,
  LeaveGroup: 2,
  SyncGroup: 2,
  DescribeGroups: 2,
  ListGroups: 2,
  ApiVersions: 2,
  CreateTopics: 3,
  DeleteTopics: 3,
  DeleteRecords: 1,
  InitProducerId: 1,
  DescribeConfigs: 2,
  AlterConfigs: 1,
  CreatePartitions: 1,
  DeleteGroups: 1,
  DescribeLogDirs: 1,
}

let broker: Broker
let cluster: Cluster

beforeAll(async () => {
  const { versionOf, serves } = Connection.prototype
  vi.spyOn(Connection.prototype, 'versionOf').mockImplementation(function (
    this: Connection,
    api,
    max,
  ) {
    return versionOf.call(this, api, Math.min(NEWEST[api.name] ?? -1, max ?? 99))
  })
  vi.spyOn(Connection.prototype, 'serves').mockImplementation(function (this: Connection, api) {
    return api.name in NEWEST && serves.call(this, api)
  })
  broker = await startBroker({
    config: { 'offsets.topic.num.partitions': 1, 'group.initial.rebalance.delay.ms': 0 },
  })
  cluster = await Cluster.connect({ bootstrap: broker.address })
})

afterAll(async () => {
  cluster.close()
  await broker.close()
  vi.restoreAllMocks()
})

test('client: old brokers: topics, configs and the cluster', async () => {
  const topic = { name: 't', numPartitions: 1, replicationFactor: 1 }
  expect(codes(await createTopics(cluster, [topic, { ...topic, name: 'u' }]))).toEqual([null, null])
  expect(codes(await createPartitions(cluster, [{ name: 't', count: 2 }]))).toEqual([null])
  const [described] = await describeTopics(cluster, ['t'])
  expect(described!.partitions.map(({ eligibleLeaderReplicas }) => eligibleLeaderReplicas)).toEqual(
    [null, null],
  )
  const [configs] = await describeConfigs(
    cluster,
    [{ type: 'topic', name: 't', names: ['cleanup.policy'] }],
    { isDocumentationIncluded: true },
  )
  expect(configs!.entries[0]).toMatchObject({ value: 'delete', type: 'unknown' })
  expect((await describeCluster(cluster)).brokers.length).toBe(1)
  expect((await describeLogDirs(cluster))[0]).toMatchObject({ brokerId: 1, totalBytes: -1 })
  expect(codes(await deleteTopics(cluster, ['u', 'v']))).toEqual([
    null,
    'UNKNOWN_TOPIC_OR_PARTITION',
  ])
  await expect(describeQuorum(cluster)).rejects.toMatchObject({ code: 'UNSUPPORTED_VERSION' })
  const edit = { name: 'cleanup.policy', op: 'set', value: 'compact' } as const
  const edited = await incrementalAlterConfigs(cluster, [
    { resource: { type: 'topic', name: 't' }, edits: [edit] },
  ])
  expect(codes(edited)).toEqual(['UNSUPPORTED_VERSION'])
})

test.each(['none', 'zstd'] as const)('client: old brokers: records, %s', async (compression) => {
  const topic = `old-${compression}`
  await createTopics(cluster, [{ name: topic, numPartitions: 1, replicationFactor: 1 }])
  await using producer = new Producer(cluster, { compression })
  await producer.sendAll(['a', 'b', 'c'].map((value) => ({ topic, value })))
  const options = { topics: [topic], from: 'earliest', until: 'end' } as const
  expect((await new Consumer(cluster, options).take(4)).length).toBe(3)
  expect(codes(await deleteRecords(cluster, [{ topic, partition: 0, offset: 1 }]))).toEqual([null])
  const places = await listOffsets(cluster, [
    { topic, partition: 0, at: 'earliest' },
    { topic, partition: 0, at: 'max-timestamp' },
  ])
  expect(places.map(({ offset }) => offset)).toEqual([1, -1])
  expect(codes(places)).toEqual([null, 'UNSUPPORTED_VERSION'])
})

test('client: old brokers: groups', async () => {
  await createTopics(cluster, [{ name: 'g', numPartitions: 1, replicationFactor: 1 }])
  await new Producer(cluster).sendAll(['a', 'b'].map((value) => ({ topic: 'g', value })))
  const options = { topics: ['g'], from: 'earliest', groupId: 'old' } as const
  expect((await new Consumer(cluster, options).take(2)).length).toBe(2)
  expect(await fetchCommittedOffsets(cluster, 'old')).toMatchObject([{ partition: 0, offset: 2 }])
  const moved = [{ topic: 'g', partition: 0, offset: 1 }]
  expect(codes(await alterCommittedOffsets(cluster, 'old', moved))).toEqual([null])
  expect((await listGroups(cluster)).map(({ groupId }) => groupId)).toEqual(['old'])
  expect(await describeGroups(cluster, ['old'])).toMatchObject([{ state: 'Empty', error: null }])
  expect(codes(await deleteGroups(cluster, ['old']))).toEqual([null])
})
