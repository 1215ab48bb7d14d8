// Producing and consuming through the client against our broker: codecs, keys, acks, errors by record, every place to
// begin and to end, groups that rebalance and commit.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Broker, startBroker } from '../../../src/index.ts'
import { COMPRESSION } from '../../../src/protocol/record_batch.ts'
import { eventually } from '../support/eventually.ts'
import {
  Cluster,
  Consumer,
  type ConsumerRecord,
  createTopics,
  deleteRecords,
  fetchCommittedOffsets,
  Producer,
} from './client.ts'

let broker: Broker
let cluster: Cluster

beforeAll(async () => {
  broker = await startBroker({
    config: { 'offsets.topic.num.partitions': 1, 'group.initial.rebalance.delay.ms': 0 },
  })
  cluster = await Cluster.connect({ bootstrap: broker.address })
})

afterAll(async () => {
  cluster.close()
  await broker.close()
})

const text = (bytes: Uint8Array | null) => (bytes === null ? null : new TextDecoder().decode(bytes))
const values = (records: readonly ConsumerRecord[]) => records.map(({ value }) => text(value))
async function all(consumer: Consumer): Promise<ConsumerRecord[]> {
  const records: ConsumerRecord[] = []
  for await (const record of consumer) records.push(record)
  return records
}
async function fill(topic: string, count: number, partition = 0): Promise<void> {
  const producer = new Producer(cluster)
  await producer.sendAll(
    Array.from({ length: count }, (_, i) => ({ topic, partition, value: `${i}`, timestamp: i })),
  )
}

test.each(COMPRESSION)('client: records: %s: what is produced is consumed', async (compression) => {
  const topic = `codec-${compression}`
  await createTopics(cluster, [{ name: topic, numPartitions: 3 }])
  await using producer = new Producer(cluster, { compression, batchBytes: 4000 })
  const sent = Array.from({ length: 500 }, (_, i) => ({
    topic,
    key: `k${i % 50}`,
    value: i % 7 === 0 ? null : `value ${i} `.repeat(10),
    headers: { n: `${i}`, none: null },
    timestamp: 1_000_000 + i,
  }))
  const places = await producer.sendAll(sent)
  const read = await all(new Consumer(cluster, { topics: [topic], from: 'earliest', until: 'end' }))
  expect(read.length).toBe(500)
  for (const record of read) {
    const i = record.timestamp - 1_000_000
    expect(places[i]).toMatchObject({ partition: record.partition, offset: record.offset })
    expect([text(record.key), text(record.value)]).toEqual([sent[i]!.key, sent[i]!.value])
    expect(record.headers.map(({ key, value }) => [key, text(value)])).toEqual([
      ['n', `${i}`],
      ['none', null],
    ])
  }
  const byKey = new Map(read.map(({ key, partition }) => [text(key), partition]))
  for (const { key, partition } of read) expect(byKey.get(text(key))).toBe(partition)
})

test('client: records: order holds in a partition over many batches', async () => {
  await createTopics(cluster, [{ name: 'order' }])
  await using producer = new Producer(cluster, { batchBytes: 500 })
  const places = await Promise.all(
    Array.from({ length: 1000 }, (_, i) => producer.send({ topic: 'order', value: `${i}` })),
  )
  expect(places.map(({ offset }) => offset)).toEqual(places.map((_, i) => i))
})

test('client: records: metadata that is forgotten while a request is under way is asked for again', async () => {
  await createTopics(cluster, [{ name: 'forgotten' }])
  await using producer = new Producer(cluster)
  const consumer = new Consumer(cluster, { topics: ['forgotten'], from: 'earliest' })
  const records = consumer[Symbol.asyncIterator]()
  for (let i = 0; i < 20; i++) {
    const sent = producer.send({ topic: 'forgotten', value: `${i}` })
    const read = records.next()
    for (let turns = 0; turns <= i % 4; turns++) {
      await new Promise((resolve) => setImmediate(resolve))
      cluster.forgetTopic('forgotten')
    }
    expect((await sent).offset).toBe(i)
    expect((await read).value.offset).toBe(i)
  }
  await consumer.close()
})

test('client: records: each record has its own error, and the others are written', async () => {
  await createTopics(cluster, [
    { name: 'compact', configs: { 'cleanup.policy': 'compact' } },
    { name: 'small', configs: { 'max.message.bytes': '2000' } },
  ])
  await using producer = new Producer(cluster)
  const outcome = await Promise.allSettled([
    producer.send({ topic: 'compact', key: 'a', value: '1' }),
    producer.send({ topic: 'compact', value: 'keyless' }),
    producer.send({ topic: 'small', partition: 5, value: 'x' }),
    producer.send({ topic: 'not legal', value: 'x' }),
    ...['a', 'b'.repeat(3000), 'c'].map((value) => producer.send({ topic: 'small', value })),
  ])
  expect(
    outcome.map((each) => (each.status === 'rejected' ? each.reason.code : 'written')),
  ).toEqual([
    'INVALID_RECORD',
    'INVALID_RECORD',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'INVALID_TOPIC_EXCEPTION',
    'written',
    'MESSAGE_TOO_LARGE',
    'written',
  ])
  // After a failure the partition goes on, with a producer id that knows no gap.
  expect((await producer.send({ topic: 'small', value: 'd' })).offset).toBe(2)
  const read = await all(
    new Consumer(cluster, { topics: ['small'], from: 'earliest', until: 'end' }),
  )
  expect(values(read)).toEqual(['a', 'c', 'd'])
})

test.each([0, 1, 'all'] as const)('client: records: acks=%s', async (acks) => {
  const topic = `acks-${acks}`
  await createTopics(cluster, [{ name: topic }])
  await using producer = new Producer(cluster, { acks, isIdempotent: false })
  const { offset } = await producer.send({ topic, value: 'v' })
  expect(offset).toBe(acks === 0 ? -1 : 0)
  const read = await new Consumer(cluster, { topics: [topic], from: 'earliest' }).take(1)
  expect(values(read)).toEqual(['v'])
})

test('client: records: every place to begin', async () => {
  await createTopics(cluster, [{ name: 'places' }])
  await fill('places', 10)
  const from = async (at: ConstructorParameters<typeof Consumer>[1]['from']) =>
    values(await all(new Consumer(cluster, { topics: ['places'], from: at!, until: 'end' })))
  expect(await from({ offset: 8 })).toEqual(['8', '9'])
  expect(await from({ last: 2 })).toEqual(['8', '9'])
  expect((await from({ last: 99 })).length).toBe(10)
  expect(await from({ timestamp: 7 })).toEqual(['7', '8', '9'])
  expect(await from({ timestamp: 99 })).toEqual([])
  expect(await from('latest')).toEqual([])
  expect(await from({ offset: 99 })).toEqual([])
  await deleteRecords(cluster, [{ topic: 'places', partition: 0, offset: 5 }])
  expect(await from({ offset: 0 }), 'what is gone is passed over').toEqual([
    '5',
    '6',
    '7',
    '8',
    '9',
  ])
})

test('client: records: a reader at the end gets what comes, until it is closed', async () => {
  await createTopics(cluster, [{ name: 'follow', numPartitions: 2 }])
  await fill('follow', 2)
  const consumer = new Consumer(cluster, { topics: ['follow'], from: 'latest' })
  const records = consumer[Symbol.asyncIterator]()
  const first = records.next()
  await eventually(async () => (consumer.positions().length === 2 ? true : undefined))
  await fill('follow', 1, 1)
  expect((await first).value).toMatchObject({ partition: 1, offset: 0 })
  const last = records.next()
  await consumer.close()
  expect((await last).done).toBe(true)
})

test('client: records: what is not there is told', async () => {
  await createTopics(cluster, [{ name: 'one' }])
  const read = (options: ConstructorParameters<typeof Consumer>[1]) =>
    all(new Consumer(cluster, { from: 'earliest', until: 'end', ...options }))
  const unknown = { code: 'UNKNOWN_TOPIC_OR_PARTITION' }
  await expect(read({ topics: ['nowhere'] })).rejects.toMatchObject(unknown)
  await expect(read({ topics: ['nowhere'], groupId: 'g' })).rejects.toMatchObject(unknown)
  await expect(read({ partitions: [{ topic: 'one', partition: 1 }] })).rejects.toMatchObject(
    unknown,
  )
  expect(() => new Consumer(cluster, {})).toThrow(/topic/)
})

test('client: groups: a member commits what it handed out, and the next goes on there', async () => {
  await createTopics(cluster, [{ name: 'work' }])
  await fill('work', 10)
  const read = (count: number) =>
    new Consumer(cluster, { topics: ['work'], from: 'earliest', groupId: 'workers' }).take(count)
  expect(values(await read(4))).toEqual(['0', '1', '2', '3'])
  expect(values(await read(3))).toEqual(['4', '5', '6'])
  const [committed] = await fetchCommittedOffsets(cluster, 'workers')
  expect(committed).toMatchObject({ topic: 'work', partition: 0, offset: 7 })
  const lost = new Consumer(cluster, { topics: ['work'], groupId: 'workers' })
  for await (const record of lost) {
    expect(text(record.value)).toBe('7')
    await lost.close({ isCommitted: false })
  }
  expect(values(await read(1)), 'what was not committed comes again').toEqual(['7'])
})

test('client: groups: members share partitions, and take over from those who leave', async () => {
  await createTopics(cluster, [{ name: 'shared', numPartitions: 4 }])
  const seen: string[] = []
  const start = () => {
    const consumer = new Consumer(cluster, {
      topics: ['shared'],
      from: 'earliest',
      groupId: 'sharers',
      heartbeatMs: 50,
    })
    const done = (async () => {
      for await (const { partition, offset } of consumer) seen.push(`${partition}-${offset}`)
    })()
    return { consumer, done }
  }
  const [a, b] = [start(), start()]
  const owns = (...counts: number[]) =>
    eventually(async () => {
      const found = [a, b].map(({ consumer }) => consumer.assignment.length)
      return found.join() === counts.join() ? true : undefined
    })
  await owns(2, 2)
  const produce = (count: number) =>
    Promise.all([0, 1, 2, 3].map((partition) => fill('shared', count, partition)))
  await produce(25)
  await eventually(async () => (seen.length >= 100 ? true : undefined))
  await a.consumer.close()
  await a.done
  await eventually(async () => (b.consumer.assignment.length === 4 ? true : undefined))
  await produce(5)
  await eventually(async () => (seen.length >= 120 ? true : undefined))
  await b.consumer.close()
  await b.done
  expect(seen.length, 'nothing twice: all was committed before it was given back').toBe(120)
  expect(new Set(seen).size).toBe(120)
})
