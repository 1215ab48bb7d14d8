// The client against Apache Kafka, two brokers of it: every codec both ways beside Java's clients, keys where Java puts
// them, leaders on both nodes, groups shared with Java's consumer, administration routed to the node it belongs to, and
// a leader that goes away.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { partitionOfKey } from '../../../src/client/partitioner.ts'
import { COMPRESSION } from '../../../src/protocol/record_batch.ts'
import {
  formatKafka,
  Kafka,
  kafkaTool,
  startKafka,
  writeProperties,
} from '../../oracle/kafka/kafka.ts'
import { freePorts } from '../support/commands.ts'
import { eventually } from '../support/eventually.ts'
import {
  Cluster,
  Consumer,
  createTopics,
  deleteGroups,
  deleteRecords,
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
  Producer,
} from './client.ts'

const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qk'
const directory = mkdtempSync(join(tmpdir(), 'ottla-client-'))
let first: Kafka
let second: Kafka
let cluster: Cluster

beforeAll(async () => {
  first = await startKafka({ directory: join(directory, '1'), clusterId: CLUSTER_ID })
  const port = await freePorts()
  const file = writeProperties({
    directory: join(directory, '2'),
    port,
    config: {
      'node.id': 2,
      'process.roles': 'broker',
      'controller.quorum.bootstrap.servers': `127.0.0.1:${first.port + 1}`,
      listeners: `PLAINTEXT://127.0.0.1:${port}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    },
  })
  await formatKafka(file, CLUSTER_ID, 'static')
  second = await Kafka.start(file, port)
  cluster = await Cluster.connect({ bootstrap: `${first.address},${second.address}` })
  await eventually(async () => {
    await cluster.refresh()
    return cluster.brokers.length === 2 ? true : undefined
  })
}, 300_000)

afterAll(async () => {
  cluster?.close()
  await second?.kill()
  await first?.kill()
  rmSync(directory, { recursive: true, force: true })
})

const text = (bytes: Uint8Array | null) => (bytes === null ? null : new TextDecoder().decode(bytes))
/** A partition on each broker. */
const spread = (name: string) =>
  createTopics(cluster, [{ name, assignments: [[1], [2], [1], [2]] }])
const java = async (tool: string, args: readonly string[], input = '') =>
  (
    await kafkaTool(tool, ['--bootstrap-server', first.address, ...args], {
      input,
      timeoutMs: 120_000,
    })
  ).stdout.toString()

test.each(COMPRESSION)('client: Apache Kafka: %s both ways', async (compression) => {
  const [ours, theirs] = [`ours-${compression}`, `theirs-${compression}`]
  await spread(ours)
  await spread(theirs)
  const sent = Array.from({ length: 2000 }, (_, i) => `k${i % 100}=value ${i}`)
  const pairs = sent.map((line) => line.split('=') as [string, string])

  await using producer = new Producer(cluster, { compression })
  await producer.sendAll(pairs.map(([key, value]) => ({ topic: ours, key, value })))
  const consumer = ['--from-beginning', '--max-messages', '2000', '--topic', ours]
  const properties = ['--formatter-property', 'print.key=true']
  const read = await java('consumer.ConsoleConsumer', [...consumer, ...properties])
  expect(read.trim().split('\n').sort()).toEqual(pairs.map((pair) => pair.join('\t')).sort())

  const parse = ['--reader-property', 'parse.key=true', '--reader-property', 'key.separator==']
  const codec = ['--compression-codec', compression]
  await java('ConsoleProducer', ['--topic', theirs, ...codec, ...parse], `${sent.join('\n')}\n`)
  const back = await new Consumer(cluster, {
    topics: [theirs],
    from: 'earliest',
    until: 'end',
  }).take(2001)
  expect(back.map(({ key, value }) => `${text(key)}=${text(value)}`).sort()).toEqual(sent.sort())
  for (const { key, partition } of back) expect(partitionOfKey(key!, 4)).toBe(partition)
})

test('client: Apache Kafka: administration goes to the node it belongs to', async () => {
  await spread('admin')
  const { brokers, clusterId } = await describeCluster(cluster)
  expect(brokers.map(({ nodeId }) => nodeId)).toEqual([1, 2])
  expect(clusterId).toBe(CLUSTER_ID)
  const [described] = await describeTopics(cluster, ['admin'])
  expect(described!.partitions.map(({ leaderId }) => leaderId)).toEqual([1, 2, 1, 2])
  const nodes = await describeConfigs(cluster, [
    { type: 'broker', name: '1', names: ['node.id'] },
    { type: 'broker', name: '2', names: ['node.id'] },
  ])
  expect(nodes.map(({ entries }) => entries[0]!.value)).toEqual(['1', '2'])
  const edits = [{ name: 'log.retention.ms', op: 'set', value: '100000' }] as const
  const edited = await incrementalAlterConfigs(cluster, [
    { resource: { type: 'broker', name: '2' }, edits },
  ])
  expect(edited[0]!.error).toBeNull()
  expect(await listConfigResources(cluster, ['broker'])).toContainEqual({
    type: 'broker',
    name: '2',
  })
  expect((await describeLogDirs(cluster)).map(({ brokerId }) => brokerId).sort()).toEqual([1, 2])
  expect((await describeQuorum(cluster)).voters.map(({ replicaId }) => replicaId)).toEqual([1])
  expect((await describeFeatures(cluster)).features.length).toBeGreaterThan(3)

  await new Producer(cluster).sendAll(
    [0, 1, 2, 3].map((partition) => ({ topic: 'admin', partition, value: 'v', timestamp: 1000 })),
  )
  const questions = [0, 1, 2, 3].map((partition) => ({ topic: 'admin', partition }))
  const offsets = async (at: 'earliest' | 'latest' | 'max-timestamp' | number) =>
    (
      await listOffsets(
        cluster,
        questions.map((each) => ({ ...each, at })),
      )
    ).map(({ offset }) => offset)
  expect(await offsets('latest')).toEqual([1, 1, 1, 1])
  expect(await offsets('max-timestamp')).toEqual([0, 0, 0, 0])
  expect(await offsets(500)).toEqual([0, 0, 0, 0])
  await deleteRecords(
    cluster,
    questions.map((each) => ({ ...each, offset: -1 })),
  )
  expect(await offsets('earliest')).toEqual([1, 1, 1, 1])
})

test('client: Apache Kafka: groups, ours and of the new protocol', async () => {
  await spread('grouped')
  const fill = () =>
    new Producer(cluster).sendAll(
      Array.from({ length: 40 }, (_, i) => ({ topic: 'grouped', partition: i % 4, value: `${i}` })),
    )
  await fill()
  const options = { topics: ['grouped'], from: 'earliest', groupId: 'g', heartbeatMs: 200 } as const
  const [a, b] = [new Consumer(cluster, options), new Consumer(cluster, options)]
  const seen = new Map<string, number>()
  const reading = [a, b].map(async (consumer) => {
    for await (const { partition, offset } of consumer) {
      const place = `${partition}-${offset}`
      seen.set(place, (seen.get(place) ?? 0) + 1)
    }
  })
  await eventually(async () =>
    a.assignment.length === 2 && b.assignment.length === 2 ? true : undefined,
  )
  const [stable] = await describeGroups(cluster, ['g'])
  expect(stable).toMatchObject({ type: 'classic', state: 'Stable', protocol: 'range' })
  expect(stable!.members.map(({ assignment }) => assignment.length)).toEqual([2, 2])
  await fill()
  await eventually(async () => (seen.size === 80 ? true : undefined))
  await a.close()
  await b.close()
  await Promise.all(reading)
  const committed = await fetchCommittedOffsets(cluster, 'g')
  expect(committed.map(({ offset }) => offset)).toEqual([20, 20, 20, 20])

  // Java goes on where ours stopped, in a group of KIP-848; ours describes it.
  await fill()
  const consumer = ['--topic', 'grouped', '--max-messages', '40']
  const modern = ['--command-property', 'group.protocol=consumer']
  const read = await java('consumer.ConsoleConsumer', [...consumer, '--group', 'g', ...modern])
  expect(read.trim().split('\n').length).toBe(40)
  const [described] = await describeGroups(cluster, ['g'])
  expect(described).toMatchObject({ type: 'consumer', state: 'Empty', error: null })
  expect((await fetchCommittedOffsets(cluster, 'g')).map(({ offset }) => offset)).toEqual([
    30, 30, 30, 30,
  ])
  const listed = await listGroups(cluster, { types: ['consumer'] })
  expect(listed.map(({ groupId }) => groupId)).toEqual(['g'])
  expect((await deleteGroups(cluster, ['g']))[0]!.error).toBeNull()
})

test('client: Apache Kafka: what is produced outlives its leader', async () => {
  await createTopics(cluster, [
    { name: 'moves', assignments: [[2, 1]], configs: { 'min.insync.replicas': '1' } },
  ])
  const producer = new Producer(cluster)
  await producer.send({ topic: 'moves', value: 'before' })
  const consumer = new Consumer(cluster, { topics: ['moves'], from: 'earliest' })
  const records = consumer[Symbol.asyncIterator]()
  expect(text((await records.next()).value.value)).toBe('before')
  await second.stop()
  const place = await producer.send({ topic: 'moves', value: 'after' })
  expect(place.offset).toBe(1)
  expect(text((await records.next()).value.value)).toBe('after')
  await consumer.close()
  await producer.close()
})
