// @platformatic/kafka's consumer on its own: where its streams begin, commits, pausing, lags, offsets.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { eventually, pause } from '../../integration/support/eventually.ts'
import type { Check } from '../checks.ts'
import { check } from '../scope.ts'
import { consume, fill, newTopic, openAdmin, openConsumer, openProducer, texts } from './client.ts'

export const consumerChecks: readonly Check[] = [
  check('consumer: earliest, in order, every partition', async (scope) => {
    const topic = await newTopic(scope, 3)
    for (const partition of [0, 1, 2]) await fill(scope, topic, texts(50), partition)
    const reader = await consume(scope, openConsumer(scope), [topic])
    const seen = await reader.sees(150)
    for (const partition of [0, 1, 2]) {
      const own = seen.filter((message) => message.partition === partition)
      assert.deepEqual(
        own.map(({ value }) => value),
        texts(50),
      )
      assert.deepEqual(
        own.map(({ offset }) => offset),
        texts(50).map((_, i) => BigInt(i)),
      )
    }
  }),
  check('consumer: latest', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, ['old'])
    const reader = await consume(scope, openConsumer(scope), [topic], { mode: 'latest' })
    const producer = openProducer(scope)
    await eventually(async () => {
      await producer.send({ messages: [{ topic, partition: 0, value: 'new' }] })
      return reader.seen.length > 0 || undefined
    })
    assert.ok(!reader.values.includes('old'))
  }),
  check('consumer: manual offsets', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, texts(10))
    const offsets = [{ topic, partition: 0, offset: 7n }]
    const reader = await consume(scope, openConsumer(scope), [topic], { mode: 'manual', offsets })
    await reader.sees(3)
    assert.deepEqual(reader.values, texts(3, 7))
  }),
  check('consumer: committed, with each fallback', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, texts(5))
    const groupId = scope.unique('group')
    const options = { mode: 'committed', fallbackMode: 'earliest', autocommit: false } as const
    const first = openConsumer(scope, groupId)
    const reader = await consume(scope, first, [topic], options)
    await reader.sees(5)
    await reader.seen[2]!.commit()
    await reader.stream.close()
    await first.close(true)
    const second = await consume(scope, openConsumer(scope, groupId), [topic], options)
    await second.sees(2)
    assert.deepEqual(second.values, ['v3', 'v4'])
    const fails = await consume(scope, openConsumer(scope), [topic], {
      ...options,
      fallbackMode: 'fail',
    })
    await eventually(async () => fails.problem !== null || undefined)
    assert.match(fails.problem!.message, /no committed offset/)
  }),
  check('consumer: autocommit', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, texts(5))
    const consumer = openConsumer(scope)
    const reader = await consume(scope, consumer, [topic], { autocommit: 100 })
    await reader.sees(5)
    await eventually(async () => {
      const committed = await consumer.listCommittedOffsets({
        topics: [{ topic, partitions: [0] }],
      })
      return committed.get(topic)![0] === 5n || undefined
    })
  }),
  check('consumer: commit by hand', async (scope) => {
    const topic = await newTopic(scope, 2)
    const consumer = openConsumer(scope)
    await consume(scope, consumer, [topic], { autocommit: false })
    const topics = [{ topic, partitions: [0, 1] }]
    assert.deepEqual((await consumer.listCommittedOffsets({ topics })).get(topic), [-1n, -1n])
    await consumer.commit({ offsets: [{ topic, partition: 1, offset: 3n, leaderEpoch: 0 }] })
    assert.deepEqual((await consumer.listCommittedOffsets({ topics })).get(topic), [-1n, 3n])
  }),
  check('consumer: pause and resume', async (scope) => {
    const topic = await newTopic(scope)
    const reader = await consume(scope, openConsumer(scope), [topic])
    await fill(scope, topic, texts(2))
    await reader.sees(2)
    reader.stream.pause()
    await fill(scope, topic, texts(2, 2))
    await pause(400)
    assert.equal(reader.seen.length, 2)
    reader.stream.resume()
    await reader.sees(4)
  }),
  check('consumer: several streams of one consumer', async (scope) => {
    const [a, b] = [await newTopic(scope), await newTopic(scope)]
    const consumer = openConsumer(scope)
    const first = await consume(scope, consumer, [a])
    const second = await consume(scope, consumer, [b])
    await fill(scope, a, texts(3))
    await fill(scope, b, texts(4))
    await first.sees(3)
    await second.sees(4)
    assert.equal(consumer.streamsCount, 2)
  }),
  check('consumer: listOffsets and listOffsetsWithTimestamps', async (scope) => {
    const topic = await newTopic(scope, 2)
    const producer = openProducer(scope)
    const messages = [5000n, 6000n].map((timestamp) => ({
      topic,
      partition: 1,
      value: 'v',
      timestamp,
    }))
    await producer.send({ messages })
    const consumer = openConsumer(scope)
    const at = async (timestamp: bigint) =>
      (await consumer.listOffsets({ topics: [topic], timestamp })).get(topic)
    assert.deepEqual(await at(-1n), [0n, 2n])
    assert.deepEqual(await at(-2n), [0n, 0n])
    const found = await consumer.listOffsetsWithTimestamps({ topics: [topic], timestamp: 5500n })
    assert.deepEqual(found.get(topic)!.get(1), { offset: 1n, timestamp: 6000n })
  }),
  check('consumer: getLag', async (scope) => {
    const topic = await newTopic(scope)
    const consumer = openConsumer(scope)
    const reader = await consume(scope, consumer, [topic], { autocommit: 100 })
    await fill(scope, topic, texts(5))
    await reader.sees(5)
    await eventually(
      async () => (await consumer.getLag({ topics: [topic] })).get(topic)![0] === 0n || undefined,
    )
  }),
  check('consumer: monitors its lag', async (scope) => {
    const topic = await newTopic(scope)
    const consumer = openConsumer(scope)
    await consume(scope, consumer, [topic])
    consumer.startLagMonitoring({ topics: [topic] }, 1000)
    const [lag] = await once(consumer, 'consumer:lag')
    consumer.stopLagMonitoring()
    assert.ok(lag.has(topic))
  }),
  check('consumer: reads what is larger than its limits', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, ['x'.repeat(100_000)])
    await fill(scope, topic, texts(2))
    const reader = await consume(scope, openConsumer(scope), [topic], {
      maxBytes: 1000,
      maxBytesPerPartition: 1000,
    })
    assert.equal((await reader.sees(3))[0]!.value.length, 100_000)
  }),
  check('consumer: maxFetches ends the stream', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, texts(3))
    const reader = await consume(scope, openConsumer(scope), [topic], { maxFetches: 2 })
    await once(reader.stream, 'end')
    assert.deepEqual(reader.values, texts(3))
  }),
  check('consumer: uncommitted and committed isolation', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, texts(3))
    for (const isolationLevel of [0, 1]) {
      const reader = await consume(scope, openConsumer(scope), [topic], { isolationLevel })
      await reader.sees(3)
    }
  }),
  check('consumer: begins after records that were deleted', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, texts(10))
    const partitions = [{ partition: 0, offset: 6n }]
    await openAdmin(scope).deleteRecords({ topics: [{ name: topic, partitions }] })
    const reader = await consume(scope, openConsumer(scope), [topic])
    await reader.sees(4)
    assert.deepEqual(reader.values, texts(4, 6))
  }),
]
