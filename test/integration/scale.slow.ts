// A thousand topics of ten partitions on one node: created, listed, produced to, restarted in order and after a kill.
// Times and memory are printed.

import { expect, test } from 'vitest'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { ListOffsets } from '../../src/protocol/messages/offsets.ts'
import { Produce } from '../../src/protocol/messages/produce_fetch.ts'
import { CreateTopics } from '../../src/protocol/messages/topics.ts'
import { describeTopics } from './support/admin.ts'
import { BrokerProcess } from './support/broker_process.ts'
import { eventually } from './support/eventually.ts'
import { batchOf } from './support/harness.ts'
import { residentMib } from './support/proc.ts'
import { RawClient } from './support/raw_client.ts'

const TOPICS = 1_000
const PARTITIONS = 10
const TOPICS_PER_REQUEST = 50

const names = Array.from({ length: TOPICS }, (_, i) => `topic-${i}`)
const partitions = Array.from({ length: PARTITIONS }, (_, index) => index)

/** Groups of names, as many as one request carries. */
function* groups(): Generator<string[]> {
  for (let at = 0; at < TOPICS; at += TOPICS_PER_REQUEST) {
    yield names.slice(at, at + TOPICS_PER_REQUEST)
  }
}

async function create(client: RawClient): Promise<void> {
  for (const group of groups()) {
    const { topics } = await client.ask(CreateTopics, 7, {
      topics: group.map((name) => ({ name, numPartitions: PARTITIONS, replicationFactor: 1 })),
      timeoutMs: 60_000,
    })
    expect(topics.filter(({ errorCode }) => errorCode !== ErrorCode.NONE)).toEqual([])
  }
}

async function produce(client: RawClient): Promise<void> {
  const records = batchOf(['one record'])
  for (const group of groups()) {
    const { responses } = await client.ask(Produce, 9, {
      acks: -1,
      timeoutMs: 60_000,
      topicData: group.map((name) => ({
        name,
        partitionData: partitions.map((index) => ({ index, records })),
      })),
    })
    const codes = responses.flatMap(({ partitionResponses }) =>
      partitionResponses.map(({ errorCode }) => errorCode),
    )
    expect(new Set(codes)).toEqual(new Set([ErrorCode.NONE]))
  }
}

/** Every partition answers, and ends where it should. */
async function expectEnds(address: string, end: number): Promise<void> {
  const client = await RawClient.open(address)
  for (const group of groups()) {
    await eventually(async () => {
      const { topics } = await client.ask(ListOffsets, 7, {
        replicaId: -1,
        topics: group.map((name) => ({
          name,
          partitions: partitions.map((partitionIndex) => ({ partitionIndex, timestamp: -1n })),
        })),
      })
      const ends = topics.flatMap((topic) => topic.partitions)
      const isReady = ends.every(({ errorCode }) => errorCode === ErrorCode.NONE)
      if (!isReady) return undefined
      expect(new Set(ends.map(({ offset }) => Number(offset)))).toEqual(new Set([end]))
      return true
    }, 120_000)
  }
  client.close()
}

test('scale: a thousand topics of ten partitions', { timeout: 900_000 }, async () => {
  const figures: Record<string, string> = {}
  await using broker = await BrokerProcess.start()
  const timed = async (name: string, work: () => Promise<void>): Promise<void> => {
    const began = performance.now()
    await work()
    const took = Math.round(performance.now() - began)
    figures[name] = `${took} ms, ${residentMib(broker.pid)} MiB resident`
  }
  await timed('empty', async () => {})
  let client = await RawClient.open(broker.address)
  await timed('created', () => create(client))
  await timed('listed', async () => {
    const topics = await describeTopics(broker.address)
    expect(topics).toHaveLength(TOPICS)
    expect(new Set(topics.map(({ partitions }) => partitions))).toEqual(new Set([PARTITIONS]))
  })
  await timed('one record in each partition', () => produce(client))
  client.close()
  const began = performance.now()
  await broker.stop()
  figures['stopped in order'] = `${Math.round(performance.now() - began)} ms`
  await timed('started, every partition served', async () => {
    await broker.start()
    await expectEnds(broker.address, 1)
  })
  client = await RawClient.open(broker.address)
  await timed('one more record in each', () => produce(client))
  client.close()
  await broker.kill()
  await timed('started after kill -9, every partition served', async () => {
    await broker.start()
    await expectEnds(broker.address, 2)
  })
  console.table(figures)
})
