// kafkajs's producer: acknowledgements, codecs, what a record carries, partitioners, idempotence, refusals.

import assert from 'node:assert/strict'
import kafkajs, { type Message } from 'kafkajs'
import { eventually } from '../../integration/support/eventually.ts'
import type { Check } from '../checks.ts'
import { check, type Scope } from '../scope.ts'
import {
  fill,
  join,
  keyed,
  newTopic,
  openAdmin,
  openProducer,
  readAll,
  refusal,
  texts,
  typeOf,
} from './client.ts'

const CODECS = ['None', 'GZIP', 'Snappy', 'LZ4', 'ZSTD'] as const

async function openTransaction(scope: Scope): Promise<kafkajs.Transaction> {
  const transactionalId = scope.unique('tx')
  const options = { transactionalId, idempotent: true, maxInFlightRequests: 1 }
  return await (await openProducer(scope, options)).transaction()
}

export const producerChecks: readonly Check[] = [
  ...CODECS.map((codec) =>
    check(`producer: codec ${codec}`, async (scope) => {
      const topic = await newTopic(scope)
      const producer = await openProducer(scope)
      const messages = texts(200).map((value) => ({ value: value.repeat(20), key: value }))
      const compression = kafkajs.CompressionTypes[codec]
      await producer.send({ topic, messages, compression })
      const seen = await readAll(scope, topic, 200)
      assert.deepEqual(
        seen.map(({ key, value }) => ({ value: value!.toString(), key: key!.toString() })),
        messages,
      )
    }),
  ),
  check('producer: acks of all replicas and of the leader tell the offset', async (scope) => {
    const topic = await newTopic(scope)
    const producer = await openProducer(scope)
    const send = async (acks: number) => {
      const [sent] = await producer.send({
        topic,
        acks,
        messages: [{ value: 'a' }, { value: 'b' }],
      })
      return [sent!.errorCode, sent!.baseOffset]
    }
    assert.deepEqual(await send(-1), [0, '0'])
    assert.deepEqual(await send(1), [0, '2'])
  }),
  check('producer: without acks nothing is answered and everything arrives', async (scope) => {
    const topic = await newTopic(scope)
    const producer = await openProducer(scope)
    for (const value of texts(20)) await producer.send({ topic, acks: 0, messages: [{ value }] })
    const admin = await openAdmin(scope)
    await eventually(
      async () => (await admin.fetchTopicOffsets(topic))[0]!.high === '20' || undefined,
    )
  }),
  check('producer: headers, repeated and binary ones', async (scope) => {
    const topic = await newTopic(scope)
    const producer = await openProducer(scope)
    const headers = { one: 'a', many: ['b', 'c'], bytes: Buffer.from([0, 255]) }
    await producer.send({ topic, messages: [{ value: 'v', headers }] })
    const [seen] = await readAll(scope, topic, 1)
    assert.deepEqual(seen!.headers, {
      one: Buffer.from('a'),
      many: [Buffer.from('b'), Buffer.from('c')],
      bytes: Buffer.from([0, 255]),
    })
  }),
  check('producer: null and empty keys and values', async (scope) => {
    const topic = await newTopic(scope)
    const producer = await openProducer(scope)
    const messages: Message[] = [
      { key: null, value: null },
      { key: '', value: '' },
      { key: 'k', value: null },
    ]
    await producer.send({ topic, messages })
    const seen = await readAll(scope, topic, 3)
    assert.deepEqual(
      seen.map(({ key, value }) => [key?.toString() ?? null, value?.toString() ?? null]),
      [
        [null, null],
        ['', ''],
        ['k', null],
      ],
    )
  }),
  check('producer: CreateTime keeps the timestamp', async (scope) => {
    const topic = await newTopic(scope)
    const producer = await openProducer(scope)
    await producer.send({ topic, messages: [{ value: 'v', timestamp: '1700000000123' }] })
    assert.equal((await readAll(scope, topic, 1))[0]!.timestamp, '1700000000123')
  }),
  check('producer: LogAppendTime replaces the timestamp', async (scope) => {
    const configEntries = [{ name: 'message.timestamp.type', value: 'LogAppendTime' }]
    const topic = await newTopic(scope, 1, { configEntries })
    const producer = await openProducer(scope)
    const before = Date.now()
    const messages = [{ value: 'v', timestamp: '1000' }]
    const [sent] = await producer.send({ topic, messages })
    assert.ok(Number(sent!.logAppendTime) >= before - 1)
    const admin = await openAdmin(scope)
    const [at] = await admin.fetchTopicOffsetsByTimestamp(topic, before - 1000)
    assert.equal(at!.offset, '0')
  }),
  check('producer: sendBatch to two topics', async (scope) => {
    const topics = [await newTopic(scope, 2), await newTopic(scope)]
    const producer = await openProducer(scope)
    const topicMessages = topics.map((topic) => ({
      topic,
      messages: texts(10).map((value) => ({ value, partition: 0 })),
    }))
    const sent = await producer.sendBatch({ topicMessages })
    assert.deepEqual(sent.map(({ topicName }) => topicName).toSorted(), topics.toSorted())
    for (const topic of topics) assert.equal((await readAll(scope, topic, 10)).length, 10)
  }),
  check('producer: a key has one partition', async (scope) => {
    const topic = await newTopic(scope, 4)
    const producer = await openProducer(scope)
    for (let round = 0; round < 3; round++) {
      await producer.send({ topic, messages: texts(20).map((key) => keyed(key, 'v')) })
    }
    const places = new Map<string, Set<number>>()
    for (const { key, partition } of await readAll(scope, topic, 60)) {
      const known = places.get(key!.toString()) ?? new Set()
      places.set(key!.toString(), known.add(partition))
    }
    assert.equal(places.size, 20)
    for (const partitions of places.values()) assert.equal(partitions.size, 1)
  }),
  check('producer: a partitioner of the application', async (scope) => {
    const topic = await newTopic(scope, 3)
    const createPartitioner = () => () => 2
    const producer = await openProducer(scope, { createPartitioner })
    const [sent] = await producer.send({ topic, messages: [{ value: 'v' }] })
    assert.equal(sent!.partition, 2)
  }),
  check('producer: what is sent at once arrives once', async (scope) => {
    const topic = await newTopic(scope)
    const producer = await openProducer(scope, { idempotent: true, maxInFlightRequests: 1 })
    await Promise.all(
      texts(100).map((value) => producer.send({ topic, messages: [{ value, partition: 0 }] })),
    )
    const seen = await readAll(scope, topic, 100)
    assert.deepEqual(
      seen.map(({ value }) => value!.toString()).toSorted(),
      texts(100).toSorted(), // kafkajs lets what waits overtake
    )
  }),
  check('producer: idempotent, over several partitions and reconnects', async (scope) => {
    const topic = await newTopic(scope, 3)
    const producer = await openProducer(scope, { idempotent: true })
    assert.equal(producer.isIdempotent(), true)
    for (let i = 0; i < 10; i++) {
      await producer.send({
        topic,
        messages: [0, 1, 2].map((partition) => ({ value: `${i}`, partition })),
      })
    }
    await producer.disconnect()
    await producer.connect()
    const [sent] = await producer.send({ topic, messages: [{ value: 'again', partition: 1 }] })
    assert.equal(sent!.baseOffset, '10')
  }),
  check('producer: a batch of a megabyte', async (scope) => {
    const topic = await newTopic(scope)
    const producer = await openProducer(scope)
    const value = Buffer.alloc(1_000_000, 'x')
    await producer.send({ topic, messages: [{ value }] })
    const [seen] = await readAll(scope, topic, 1)
    assert.ok(seen!.value!.equals(value))
  }),
  check('producer: refuses a batch larger than max.message.bytes', async (scope) => {
    const configEntries = [{ name: 'max.message.bytes', value: '2000' }]
    const topic = await newTopic(scope, 1, { configEntries })
    const producer = await openProducer(scope)
    const large = producer.send({ topic, messages: [{ value: 'x'.repeat(5000) }] })
    assert.equal(typeOf(await refusal(large)), 'MESSAGE_TOO_LARGE')
  }),
  check('producer: refuses a record without key in a compacted topic', async (scope) => {
    const configEntries = [{ name: 'cleanup.policy', value: 'compact' }]
    const topic = await newTopic(scope, 1, { configEntries })
    const producer = await openProducer(scope)
    const error = await refusal(producer.send({ topic, messages: [{ value: 'v' }] }))
    // 87, INVALID_RECORD: kafkajs does not know its name.
    assert.equal((error as { code?: number }).code, 87)
    await producer.send({ topic, messages: [keyed('k', 'v')] })
  }),
  check('producer: refuses an unknown topic when it may not create it', async (scope) => {
    const producer = await openProducer(scope, { retry: { retries: 2, initialRetryTime: 50 } })
    const work = producer.send({ topic: scope.unique('none'), messages: [{ value: 'v' }] })
    assert.equal(typeOf(await refusal(work)), 'UNKNOWN_TOPIC_OR_PARTITION')
  }),
  check('producer: creates a topic by naming it', async (scope) => {
    const topic = scope.unique('created')
    const producer = await openProducer(scope, { allowAutoTopicCreation: true })
    await producer.send({ topic, messages: [{ value: 'v' }] })
    assert.equal((await readAll(scope, topic, 1)).length, 1)
  }),
  check('producer: sees new partitions', async (scope) => {
    const topic = await newTopic(scope)
    const producer = await openProducer(scope, { metadataMaxAge: 200 })
    await producer.send({ topic, messages: [{ value: 'v' }] })
    const admin = await openAdmin(scope)
    await admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] })
    const sent = await eventually(async () => {
      const answers = await producer.send({ topic, messages: [{ value: 'v', partition: 1 }] })
      return answers[0] // nothing was sent while the partition is unknown
    })
    assert.equal(sent.baseOffset, '0')
  }),
  check('transactions: committed records are read', async (scope) => {
    const topic = await newTopic(scope)
    const transaction = await openTransaction(scope)
    await transaction.send({ topic, messages: texts(3).map((value) => ({ value })) })
    await transaction.commit()
    assert.equal((await readAll(scope, topic, 3)).length, 3)
  }),
  check('transactions: aborted records are not read', async (scope) => {
    const topic = await newTopic(scope)
    const transaction = await openTransaction(scope)
    await transaction.send({ topic, messages: [{ value: 'gone' }] })
    await transaction.abort()
    await fill(scope, topic, ['stays'])
    const member = await join(scope, { topics: [topic] })
    await member.sees(1)
    assert.deepEqual(member.values, ['stays'])
  }),
  check('transactions: offsets are committed with the records', async (scope) => {
    const topic = await newTopic(scope)
    const groupId = scope.unique('group')
    const transaction = await openTransaction(scope)
    await transaction.sendOffsets({
      consumerGroupId: groupId,
      topics: [{ topic, partitions: [{ partition: 0, offset: '5' }] }],
    })
    await transaction.commit()
    const admin = await openAdmin(scope)
    await eventually(async () => {
      const [at] = await admin.fetchOffsets({ groupId, topics: [topic] })
      return at!.partitions[0]!.offset === '5' || undefined
    })
  }),
]
