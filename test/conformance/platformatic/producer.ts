// @platformatic/kafka's producer: acknowledgements, codecs, what a record carries, partitioning, idempotence, refusals.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { eventually } from '../../integration/support/eventually.ts'
import type { Check } from '../checks.ts'
import { check, type Scope } from '../scope.ts'
import {
  consume,
  fill,
  newTopic,
  openAdmin,
  openConsumer,
  openProducer,
  refusals,
  type TextMessage,
  texts,
} from './client.ts'

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

async function readAll(scope: Scope, topic: string, count: number): Promise<TextMessage[]> {
  const reader = await consume(scope, openConsumer(scope), [topic])
  return await reader.sees(count)
}

export const producerChecks: readonly Check[] = [
  ...CODECS.map((codec) =>
    check(`producer: codec ${codec}`, async (scope) => {
      const topic = await newTopic(scope)
      await fill(scope, topic, texts(300), 0, codec)
      const seen = await readAll(scope, topic, 300)
      assert.deepEqual(
        seen.map(({ value }) => value),
        texts(300),
      )
    }),
  ),
  check('producer: acks of all replicas and of the leader tell offsets', async (scope) => {
    const topic = await newTopic(scope)
    const producer = openProducer(scope)
    const send = async (acks: number) => {
      const messages = [{ topic, partition: 0, value: 'v' }]
      return (await producer.send({ acks, messages })).offsets![0]!.offset
    }
    assert.equal(await send(-1), 0n)
    assert.equal(await send(1), 1n)
  }),
  check('producer: without acks everything arrives', async (scope) => {
    const topic = await newTopic(scope)
    const producer = openProducer(scope)
    for (const value of texts(20)) {
      await producer.send({ acks: 0, messages: [{ topic, partition: 0, value }] })
    }
    assert.equal((await readAll(scope, topic, 20)).length, 20)
  }),
  check('producer: keys, headers and timestamps', async (scope) => {
    const topic = await newTopic(scope)
    const producer = openProducer(scope)
    const headers = { one: 'a', two: '' }
    const messages = [
      { topic, partition: 0, key: 'k', value: 'v', headers, timestamp: 1700000000123n },
    ]
    await producer.send({ messages })
    const [seen] = await readAll(scope, topic, 1)
    assert.deepEqual([seen!.key, seen!.value, seen!.timestamp], ['k', 'v', 1700000000123n])
    assert.deepEqual(
      [...seen!.headers],
      [
        ['one', 'a'],
        ['two', ''],
      ],
    )
  }),
  check('producer: several topics and partitions in one call', async (scope) => {
    const topics = [await newTopic(scope, 2), await newTopic(scope, 3)]
    const producer = openProducer(scope)
    const messages = topics.flatMap((topic, i) =>
      Array.from({ length: 2 + i }, (_, partition) => ({ topic, partition, value: 'v' })),
    )
    const { offsets } = await producer.send({ messages })
    assert.equal(offsets!.length, 5)
    assert.ok(offsets!.every(({ offset }) => offset === 0n))
  }),
  check('producer: a key has one partition', async (scope) => {
    const topic = await newTopic(scope, 4)
    const producer = openProducer(scope)
    for (let round = 0; round < 3; round++) {
      await producer.send({ messages: texts(20).map((key) => ({ topic, key, value: 'v' })) })
    }
    const places = new Map<string, Set<number>>()
    for (const { key, partition } of await readAll(scope, topic, 60)) {
      places.set(key, (places.get(key) ?? new Set()).add(partition))
    }
    assert.equal(places.size, 20)
    for (const partitions of places.values()) assert.equal(partitions.size, 1)
  }),
  check('producer: a partitioner of the application', async (scope) => {
    const topic = await newTopic(scope, 3)
    const producer = openProducer(scope, { partitioner: () => 2 })
    const { offsets } = await producer.send({ messages: [{ topic, value: 'v' }] })
    assert.equal(offsets![0]!.partition, 2)
  }),
  check('producer: idempotent', async (scope) => {
    const topic = await newTopic(scope, 2)
    const producer = openProducer(scope, { idempotent: true, acks: -1 })
    for (let i = 0; i < 10; i++) {
      await producer.send({
        messages: [0, 1].map((partition) => ({ topic, partition, value: `v${i}` })),
      })
    }
    assert.ok(producer.producerId! >= 0n)
    assert.equal(producer.producerEpoch, 0)
    const seen = await readAll(scope, topic, 20)
    const own = seen.filter(({ partition }) => partition === 1)
    assert.deepEqual(
      own.map(({ value }) => value),
      texts(10),
    )
  }),
  check('producer: initIdempotentProducer gives every producer an id', async (scope) => {
    const ids = await Promise.all(
      [1, 2].map(() => openProducer(scope, { idempotent: true }).initIdempotentProducer({})),
    )
    assert.notEqual(ids[0]!.producerId, ids[1]!.producerId)
  }),
  check('producer: as a stream, with reports', async (scope) => {
    const topic = await newTopic(scope)
    const producer = openProducer(scope)
    const stream = producer.asStream({ batchSize: 5, batchTime: 50, reportMode: 'batch' })
    let reported = 0
    stream.on('delivery-report', ({ count }: { count: number }) => {
      reported += count
    })
    for (const value of texts(12)) stream.write({ topic, partition: 0, value })
    stream.end()
    await once(stream, 'close')
    await eventually(async () => reported === 12 || undefined)
    const seen = await readAll(scope, topic, 12)
    assert.deepEqual(
      seen.map(({ value }) => value),
      texts(12),
    )
  }),
  check('producer: a megabyte', async (scope) => {
    const topic = await newTopic(scope)
    const value = 'x'.repeat(1_000_000)
    await fill(scope, topic, [value])
    assert.equal((await readAll(scope, topic, 1))[0]!.value.length, value.length)
  }),
  check('producer: refuses a batch larger than max.message.bytes', async (scope) => {
    const topic = await newTopic(scope, 1, { 'max.message.bytes': '2000' })
    const large = fill(scope, topic, ['x'.repeat(5000)])
    assert.ok((await refusals(large)).includes('MESSAGE_TOO_LARGE'))
  }),
  check('producer: refuses a record without key in a compacted topic', async (scope) => {
    const topic = await newTopic(scope, 1, { 'cleanup.policy': 'compact' })
    assert.ok((await refusals(fill(scope, topic, ['v']))).includes('INVALID_RECORD'))
  }),
  check('producer: refuses an unknown topic when it may not create it', async (scope) => {
    const producer = openProducer(scope, { autocreateTopics: false, retries: 1 })
    const messages = [{ topic: scope.unique('none'), value: 'v' }]
    await assert.rejects(
      () => producer.send({ messages }),
      /Unknown topic|UNKNOWN_TOPIC_OR_PARTITION/,
    )
  }),
  check('producer: creates a topic by naming it', async (scope) => {
    const topic = scope.unique('created')
    const producer = openProducer(scope, { autocreateTopics: true })
    await eventually(() => producer.send({ messages: [{ topic, value: 'v' }] }))
    assert.ok((await openAdmin(scope).listTopics()).includes(topic))
  }),
  check('transactions: committed records are read, aborted ones are not', async (scope) => {
    const topic = await newTopic(scope)
    const producer = openProducer(scope, {
      idempotent: true,
      transactionalId: scope.unique('tx'),
      retries: 100,
    })
    const send = async (value: string, isKept: boolean) => {
      const transaction = await producer.beginTransaction()
      await transaction.send({ messages: [{ topic, partition: 0, value }] })
      await (isKept ? transaction.commit() : transaction.abort())
    }
    await send('gone', false)
    await send('stays', true)
    const seen = await readAll(scope, topic, 1)
    assert.deepEqual(
      seen.map(({ value }) => value),
      ['stays'],
    )
  }),
]
