// Behaviour that consumers rely on: what a Fetch returns, in what order, within which limits.

import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { FindCoordinator } from '../../../src/protocol/messages/classic_group.ts'
import { DescribeCluster, Metadata } from '../../../src/protocol/messages/metadata.ts'
import { ListOffsets, OffsetCommit, OffsetFetch } from '../../../src/protocol/messages/offsets.ts'
import { Fetch, Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { CreateTopics, DeleteTopics } from '../../../src/protocol/messages/topics.ts'
import { eventually } from '../support/eventually.ts'
import { Bench, batchOf, decodeRecords, produceBody, text } from '../support/harness.ts'

const values = (records: readonly { value: Uint8Array | null }[]) =>
  records.map(({ value }) => text(value))

test('behaviour 1: a fetch at an offset inside a batch returns that whole batch', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('inside')
  await bench.produce('inside', batchOf(['a', 'b', 'c']))
  await bench.produce('inside', batchOf(['d']))
  const { decoded } = await bench.fetch('inside', 1)
  expect(values(decoded)).toEqual(['a', 'b', 'c', 'd'])
  expect(decoded[0]!.offset).toBe(0)
})

test('behaviour 2: at least one batch, whatever the limits; the response limit holds after it', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('large', 2)
  const big = 'x'.repeat(100_000)
  for (const partition of [0, 1]) await bench.produce('large', batchOf([big]), { partition })
  const { responses } = await bench.client.ask(Fetch, 11, {
    replicaId: -1,
    maxWaitMs: 100,
    minBytes: 1,
    maxBytes: 10,
    topics: [
      {
        topic: 'large',
        partitions: [0, 1].map((partition) => ({
          partition,
          fetchOffset: 0,
          partitionMaxBytes: 10,
        })),
      },
    ],
  })
  const [first, second] = responses[0]!.partitions
  expect(decodeRecords(first!.records!)).toHaveLength(1)
  expect(second!.records?.length ?? 0).toBe(0)
})

const at = async (bench: Bench, timestamp: bigint, version = 7) => {
  const { topics } = await bench.client.ask(ListOffsets, version, {
    replicaId: -1,
    topics: [{ name: 'times', partitions: [{ partitionIndex: 0, timestamp }] }],
  })
  return topics[0]!.partitions[0]!
}

test('behaviour 3: ListOffsets answers every question about time', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('times', 1, { 'message.timestamp.before.max.ms': '9223372036854775807' })
  const record = (timestamp: number) => ({ timestamp, value: new Uint8Array(3) })
  await bench.produce('times', batchOf([record(1000), record(3000), record(2000)]))
  await bench.produce('times', batchOf([record(5000), record(4000)]))
  expect((await at(bench, -1n)).offset).toBe(5)
  expect((await at(bench, -2n)).offset).toBe(0)
  expect(await at(bench, -3n)).toMatchObject({ offset: 3, timestamp: 5000n })
  expect((await at(bench, -4n, 8)).offset).toBe(0)
  expect((await at(bench, -5n, 9)).offset).toBe(-1)
  expect((await at(bench, -6n, 11)).offset).toBe(-1)
  expect(await at(bench, 1001n)).toMatchObject({ offset: 1, timestamp: 3000n })
  expect(await at(bench, 3001n)).toMatchObject({ offset: 3, timestamp: 5000n })
  expect(await at(bench, 5001n)).toMatchObject({ offset: -1, timestamp: -1n })
  expect((await at(bench, -4n, 7)).errorCode).toBe(ErrorCode.UNSUPPORTED_VERSION)
})

test('behaviour 29: incremental fetch sessions say only what changed', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('session', 2)
  const ask = (body: object, sessionId: number, sessionEpoch: number) =>
    bench.client.ask(Fetch, 11, {
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1 << 20,
      sessionId,
      sessionEpoch,
      ...body,
    })
  const both = [0, 1].map((partition) => ({
    partition,
    fetchOffset: 0,
    partitionMaxBytes: 1 << 20,
  }))
  const full = await ask({ topics: [{ topic: 'session', partitions: both }] }, 0, 0)
  expect(full.sessionId).not.toBe(0)
  expect(full.responses[0]!.partitions).toHaveLength(2)
  const quiet = await ask({ topics: [] }, full.sessionId, 1)
  expect(quiet.responses).toHaveLength(0)
  await bench.produce('session', batchOf(['news']), { partition: 1 })
  const news = await ask({ topics: [] }, full.sessionId, 2)
  expect(news.responses[0]!.partitions.map(({ partitionIndex }) => partitionIndex)).toEqual([1])
  const stale = await ask({ topics: [] }, full.sessionId, 2)
  expect(stale.errorCode).toBe(ErrorCode.INVALID_FETCH_SESSION_EPOCH)
  const unknown = await ask({ topics: [] }, full.sessionId + 1, 1)
  expect(unknown.errorCode).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
  const less = { topics: [], forgottenTopicsData: [{ topic: 'session', partitions: [1] }] }
  const forgotten = await ask(less, full.sessionId, 3)
  expect(forgotten.errorCode).toBe(ErrorCode.NONE)
  await bench.produce('session', batchOf(['unheard']), { partition: 1 })
  expect((await ask({ topics: [] }, full.sessionId, 4)).responses).toHaveLength(0)
})

test('behaviour 28: responses leave a connection in the order of its requests', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('order', 2)
  await bench.createTopic('other')
  const client = await bench.connect()
  const fetchBody = {
    replicaId: -1,
    maxWaitMs: 400,
    minBytes: 1,
    maxBytes: 1 << 20,
    topics: [
      { topic: 'order', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] },
    ],
  }
  // Slow and quick ones, of the data plane and of TypeScript, all sent before the first answer.
  const asked: Promise<unknown>[] = []
  for (let round = 0; round < 3; round++) {
    asked.push(
      client.ask(Fetch, 11, fetchBody),
      client.ask(Metadata, 12, { topics: null }),
      client.ask(Produce, 9, produceBody('order', 1, batchOf(['a']))),
      client.ask(DescribeCluster, 1, {}),
      client.ask(Produce, 9, produceBody('nobody', 0, batchOf(['a']))),
      client.ask(CreateTopics, 7, {
        topics: [{ name: `made-${round}`, numPartitions: 1, replicationFactor: 1 }],
        timeoutMs: 5000,
      }),
      client.ask(Produce, 9, produceBody('other', 0, batchOf(['a']), 1)),
    )
  }
  await Promise.all(asked)
  expect(client.order).toEqual(asked.map((_, index) => index + 1))
})

test('behaviour 30: a recreated topic has a new id, and the old one is unknown to all who name ids', async () => {
  await using bench = await Bench.start()
  const old = await bench.createTopic('again')
  await bench.client.ask(DeleteTopics, 6, { topics: [{ name: 'again' }], timeoutMs: 5000 })
  const fresh = await bench.createTopic('again')
  expect(fresh).not.toBe(old)
  const { NONE, UNKNOWN_TOPIC_ID } = ErrorCode
  await eventually(async () => {
    const { coordinators } = await bench.client.ask(FindCoordinator, 4, {
      keyType: 0,
      coordinatorKeys: ['g'],
    })
    return coordinators[0]!.errorCode === NONE || undefined
  })
  const asks: Record<string, (topicId: string) => Promise<number>> = {
    metadata: async (topicId) => {
      const topics = [{ name: null, topicId }]
      return (await bench.client.ask(Metadata, 12, { topics })).topics[0]!.errorCode
    },
    produce: async (topicId) => {
      const { responses } = await bench.client.ask(Produce, 13, {
        acks: -1,
        timeoutMs: 5000,
        topicData: [{ topicId, partitionData: [{ index: 0, records: batchOf(['a']) }] }],
      })
      return responses[0]!.partitionResponses[0]!.errorCode
    },
    fetch: async (topicId) => {
      const { responses } = await bench.client.ask(Fetch, 13, {
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: 1000,
        topics: [
          { topicId, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] },
        ],
      })
      return responses[0]!.partitions[0]!.errorCode
    },
    'offset commit': async (topicId) => {
      const { topics } = await bench.client.ask(OffsetCommit, 10, {
        groupId: 'g',
        topics: [
          {
            topicId,
            partitions: [{ partitionIndex: 0, committedOffset: 1n, committedMetadata: '' }],
          },
        ],
      })
      return topics[0]!.partitions[0]!.errorCode
    },
    'offset fetch': async (topicId) => {
      const { groups } = await bench.client.ask(OffsetFetch, 10, {
        groups: [{ groupId: 'g', topics: [{ topicId, partitionIndexes: [0] }] }],
      })
      return groups[0]!.topics[0]!.partitions[0]!.errorCode
    },
  }
  for (const [name, ask] of Object.entries(asks)) {
    expect([name, await ask(old)]).toEqual([name, UNKNOWN_TOPIC_ID])
    expect([name, await ask(fresh)]).toEqual([name, NONE])
  }
})
