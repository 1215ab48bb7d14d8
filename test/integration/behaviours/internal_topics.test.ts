// Topics that the broker keeps its own state in: made when somebody needs them, with settings of their own, and closed to
// producers.

import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { FindCoordinator } from '../../../src/protocol/messages/classic_group.ts'
import { DescribeConfigs } from '../../../src/protocol/messages/configs.ts'
import { Metadata } from '../../../src/protocol/messages/metadata.ts'
import { Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { Bench, batchOf, produceBody } from '../support/harness.ts'

const TOPIC = '__consumer_offsets'

const find = (bench: Bench, key: string) =>
  bench.client.ask(FindCoordinator, 4, { keyType: 0, coordinatorKeys: [key] })

test('behaviour 25: the topic of groups is made on demand, with its own shape', async () => {
  await using bench = await Bench.start({
    config: {
      'num.partitions': 3,
      'offsets.topic.num.partitions': 5,
      'offsets.topic.replication.factor': 1,
      'offsets.topic.segment.bytes': 2_000_000,
      'log.cleanup.policy': 'delete',
    },
  })
  const topics = async () => (await bench.client.ask(Metadata, 12, { topics: null })).topics
  expect(await topics()).toEqual([])
  await find(bench, 'somebody')
  const [made, ...others] = await topics()
  expect(others).toEqual([])
  expect(made).toMatchObject({ name: TOPIC, isInternal: true, errorCode: ErrorCode.NONE })
  expect(made!.partitions).toHaveLength(5)
  expect(made!.partitions.every(({ replicaNodes }) => replicaNodes.length === 1)).toBe(true)
  const { results } = await bench.client.ask(DescribeConfigs, 4, {
    resources: [{ resourceType: 2, resourceName: TOPIC, configurationKeys: null }],
  })
  const set = results[0]!.configs.filter(({ configSource }) => configSource === 1)
  expect(Object.fromEntries(set.map(({ name, value }) => [name, value]))).toEqual({
    'cleanup.policy': 'compact',
    'compression.type': 'producer',
    'segment.bytes': '2000000',
  })
  await find(bench, 'somebody else')
  expect(await topics()).toHaveLength(1)
})

test('clients do not produce to the topic of groups, but Kafka’s admin client may', async () => {
  await using bench = await Bench.start({ config: { 'offsets.topic.num.partitions': 1 } })
  await find(bench, 'somebody')
  const batch = () => batchOf([{ key: new Uint8Array([1]) }])
  const refused = await bench.produce(TOPIC, batch())
  expect(refused).toMatchObject({ errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, baseOffset: -1 })
  expect((await bench.produce(TOPIC, batch(), { partition: 1 })).errorCode).toBe(
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  )
  const silent = await bench.connect()
  silent.send(Produce, 9, produceBody(TOPIC, 0, batch(), 0))
  await silent.ended()
  const admin = await bench.connect()
  admin.clientId = '__admin_client'
  const { responses } = await admin.ask(Produce, 9, produceBody(TOPIC, 0, batch()))
  expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(ErrorCode.NONE)
})
