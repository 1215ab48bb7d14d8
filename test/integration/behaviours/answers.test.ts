// Answers of the handlers in corners where Apache Kafka was asked the same bytes and its answer is not what one would
// guess; test/oracle/differential asks both.

import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { FindCoordinator } from '../../../src/protocol/messages/classic_group.ts'
import { DescribeLogDirs } from '../../../src/protocol/messages/cluster.ts'
import { DescribeConfigs, IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import {
  ApiVersions,
  DescribeCluster,
  DescribeTopicPartitions,
  Metadata,
} from '../../../src/protocol/messages/metadata.ts'
import {
  ListOffsets,
  OffsetCommit,
  OffsetForLeaderEpoch,
} from '../../../src/protocol/messages/offsets.ts'
import { DescribeQuorum } from '../../../src/protocol/messages/quorum.ts'
import { DescribeProducers, InitProducerId } from '../../../src/protocol/messages/transaction.ts'
import { Bench, batchOf } from '../support/harness.ts'

const UNKNOWN_ID = 'bm8tc3VjaC10b3BpYy1pZA'

test('metadata: versions that must not ask by id are refused, and the broker lives on', async () => {
  await using bench = await Bench.start()
  const id = await bench.createTopic('known')
  for (const version of [10, 11]) {
    for (const topicId of [id, UNKNOWN_ID]) {
      const topics = [{ name: null, topicId }]
      const answer = await bench.client.ask(Metadata, version, { topics })
      expect(answer.topics).toMatchObject([{ errorCode: ErrorCode.INVALID_REQUEST, name: '' }])
    }
  }
  const { topics } = await bench.client.ask(Metadata, 12, {
    topics: [{ name: null, topicId: UNKNOWN_ID }],
  })
  expect(topics).toMatchObject([{ errorCode: ErrorCode.UNKNOWN_TOPIC_ID, name: null }])
})

test('metadata: a topic that is asked for twice is answered once; ids outdo names', async () => {
  await using bench = await Bench.start()
  const id = await bench.createTopic('a')
  await bench.createTopic('b')
  const twice = await bench.client.ask(Metadata, 9, { topics: [{ name: 'a' }, { name: 'a' }] })
  expect(twice.topics.map(({ name }) => name)).toEqual(['a'])
  const mixed = await bench.client.ask(Metadata, 12, {
    topics: [{ name: 'b' }, { name: null, topicId: id }],
  })
  expect(mixed.topics.map(({ name }) => name)).toEqual(['a'])
})

test('metadata: pages of partitions: cursors beyond the end, before it, and of nobody', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('a', 3)
  await bench.createTopic('b', 5)
  const ask = (body: object) =>
    bench.client.ask(DescribeTopicPartitions, 0, {
      topics: [{ name: 'a' }, { name: 'b' }],
      ...body,
    })
  const beyond = await ask({
    cursor: { topicName: 'a', partitionIndex: 9 },
    responsePartitionLimit: 2,
  })
  expect(beyond.topics.map(({ partitions }) => partitions.length)).toEqual([0, 2])
  expect(beyond.nextCursor).toMatchObject({ topicName: 'b', partitionIndex: 2 })
  const least = await ask({ responsePartitionLimit: 0 })
  expect(least.nextCursor).toMatchObject({ topicName: 'a', partitionIndex: 1 })
  for (const cursor of [
    { topicName: 'a', partitionIndex: -1 },
    { topicName: 'nobody', partitionIndex: 0 },
  ]) {
    const { topics, nextCursor } = await ask({ cursor })
    const codes = topics.map(({ errorCode }) => errorCode)
    expect(codes).toEqual([ErrorCode.INVALID_REQUEST, ErrorCode.INVALID_REQUEST])
    expect(nextCursor).toBeNull()
  }
})

test('cluster: version 0 knows no endpoint types', async () => {
  await using bench = await Bench.start()
  const controller = await bench.connect('CONTROLLER')
  const first = await controller.ask(DescribeCluster, 0, {})
  expect(first.errorCode).toBe(ErrorCode.INVALID_REQUEST)
  const second = await controller.ask(DescribeCluster, 1, {})
  expect(second.errorCode).toBe(ErrorCode.MISMATCHED_ENDPOINT_TYPE)
})

test("features: the voters' version is told among the finalized ones", async () => {
  await using bench = await Bench.start()
  const software = { clientSoftwareName: 'raw', clientSoftwareVersion: '1' }
  const { finalizedFeatures } = await bench.client.ask(ApiVersions, 4, software)
  const kraft = finalizedFeatures.find(({ name }) => name === 'kraft.version')
  expect(kraft).toMatchObject({ minVersionLevel: 1, maxVersionLevel: 1 })
})

test('quorum: every version tells when a voter was last seen', async () => {
  await using bench = await Bench.start()
  for (const version of [0, 1, 2]) {
    const { topics } = await bench.client.ask(DescribeQuorum, version, {
      topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }],
    })
    const [voter] = topics[0]!.partitions[0]!.currentVoters
    expect(voter!.lastCaughtUpTimestamp > 0).toBe(version > 0)
  }
})

test('configs: what is found has an empty message, not none', async () => {
  await using bench = await Bench.start()
  const { results } = await bench.client.ask(DescribeConfigs, 4, {
    resources: ['1', '01', '2'].map((resourceName) => ({
      resourceType: 4,
      resourceName,
      configurationKeys: ['node.id'],
    })),
  })
  expect(results.map(({ errorCode }) => errorCode)).toEqual([0, 0, ErrorCode.INVALID_REQUEST])
  expect(results[0]!.errorMessage).toBe('')
})

test('configs: another broker is altered at that broker, or at the controller', async () => {
  await using bench = await Bench.start()
  const body = {
    resources: [
      { resourceType: 4, resourceName: '2', configs: [] },
      { resourceType: 4, resourceName: '', configs: [] },
    ],
  }
  const atBroker = await bench.client.ask(IncrementalAlterConfigs, 1, body)
  const codes = atBroker.responses.map(({ errorCode }) => errorCode)
  expect(codes).toEqual([ErrorCode.INVALID_REQUEST, ErrorCode.NONE])
  const controller = await bench.connect('CONTROLLER')
  const atController = await controller.ask(IncrementalAlterConfigs, 1, body)
  expect(atController.responses[0]!.errorCode).toBe(ErrorCode.BROKER_ID_NOT_REGISTERED)
})

test('offsets: any timestamp is answered, and repeated partitions once', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('log', 2)
  await bench.produce('log', batchOf(['a'], { timestamp: 5 }))
  const ask = async (...timestamps: bigint[]) => {
    const partitions = timestamps.map((timestamp) => ({ partitionIndex: 0, timestamp }))
    const { topics } = await bench.client.ask(ListOffsets, 6, {
      replicaId: -1,
      topics: [{ name: 'log', partitions }],
    })
    return topics[0]!.partitions
  }
  expect(await ask(9_223_372_036_854_775_807n)).toMatchObject([{ errorCode: 0, offset: -1 }])
  expect(await ask(-1n, -2n)).toMatchObject([{ errorCode: ErrorCode.INVALID_REQUEST }])
  const nobody = await bench.client.ask(ListOffsets, 6, {
    replicaId: -1,
    topics: [{ name: 'nobody', partitions: [{ partitionIndex: 0, timestamp: -9n }] }],
  })
  expect(nobody.topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.UNSUPPORTED_VERSION)
})

test('offsets: the beginning of a log has an epoch before anything is in it', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('log', 2)
  await bench.produce('log', batchOf(['a'], { timestamp: -1 }))
  const { topics } = await bench.client.ask(ListOffsets, 6, {
    replicaId: -1,
    topics: [
      {
        name: 'log',
        partitions: [0, 1].map((partitionIndex) => ({ partitionIndex, timestamp: -2n })),
      },
    ],
  })
  expect(topics[0]!.partitions.map(({ leaderEpoch }) => leaderEpoch)).toEqual([0, 0])
})

test('offsets: a known topic without partitions is left out of the answer to a commit', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('log')
  const coordinatorKeys = ['g']
  await bench.client.ask(FindCoordinator, 4, { keyType: 0, coordinatorKeys })
  const { topics } = await bench.client.ask(OffsetCommit, 8, {
    groupId: 'g',
    topics: ['log', 'nowhere'].map((name) => ({ name, partitions: [] })),
  })
  expect(topics).toMatchObject([{ name: 'nowhere', partitions: [] }])
})

test('coordinators: only a key type that nobody knows is refused with a sentence', async () => {
  await using bench = await Bench.start()
  for (const [keyType, isSaid] of [
    [2, false],
    [9, true],
  ] as const) {
    const body = { keyType, coordinatorKeys: ['g'] }
    const [found] = (await bench.client.ask(FindCoordinator, 6, body)).coordinators
    expect(found!.errorCode).toBe(ErrorCode.INVALID_REQUEST)
    expect(found!.errorMessage !== '').toBe(isSaid)
  }
})

test('offsets: a leader epoch below -1 is fenced', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('log')
  const { topics } = await bench.client.ask(OffsetForLeaderEpoch, 4, {
    topics: [
      { topic: 'log', partitions: [{ partition: 0, currentLeaderEpoch: -2, leaderEpoch: 0 }] },
    ],
  })
  expect(topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.FENCED_LEADER_EPOCH)
})

test('producers: refusals name no producer, and bad names are bad names', async () => {
  await using bench = await Bench.start()
  const refused = await bench.client.ask(InitProducerId, 5, {
    transactionalId: '',
    transactionTimeoutMs: 1,
  })
  expect(refused).toMatchObject({
    errorCode: ErrorCode.INVALID_REQUEST,
    producerId: -1,
    producerEpoch: -1,
  })
  const { topics } = await bench.client.ask(DescribeProducers, 0, {
    topics: ['not good', 'nowhere'].map((name) => ({ name, partitionIndexes: [0] })),
  })
  const codes = topics.map(({ partitions }) => partitions[0]!.errorCode)
  expect(codes).toEqual([ErrorCode.INVALID_TOPIC_EXCEPTION, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
})

test('directories: a topic may be asked for in parts', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('log', 2)
  const { results } = await bench.client.ask(DescribeLogDirs, 4, {
    topics: [0, 1].map((partition) => ({ topic: 'log', partitions: [partition] })),
  })
  expect(results[0]!.topics[0]!.partitions).toHaveLength(2)
})
