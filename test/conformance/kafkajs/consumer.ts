// kafkajs's consumer on its own: where it begins, batches, commits, seeking, pausing, subscriptions, sizes.

import assert from 'node:assert/strict'
import type { EachBatchPayload } from 'kafkajs'
import { eventually, pause } from '../../integration/support/eventually.ts'
import type { Check } from '../checks.ts'
import { check } from '../scope.ts'
import { fill, join, newTopic, openAdmin, openProducer, type Seen, texts } from './client.ts'

export const consumerChecks: readonly Check[] = [
  check('consumer: from the beginning, in order, every partition', async (scope) => {
    const topic = await newTopic(scope, 3)
    for (const partition of [0, 1, 2]) await fill(scope, topic, texts(50), partition)
    const member = await join(scope, { topics: [topic] })
    const seen = await member.sees(150)
    for (const partition of [0, 1, 2]) {
      const own = seen.filter((record) => record.partition === partition)
      assert.deepEqual(
        own.map(({ value }) => value!.toString()),
        texts(50),
      )
      assert.deepEqual(
        own.map(({ offset }) => Number(offset)),
        texts(50).map((_, i) => i),
      )
    }
  }),
  check('consumer: from the end', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, ['old'])
    const member = await join(scope, { topics: [topic], fromBeginning: false })
    const producer = await openProducer(scope)
    await eventually(async () => {
      await producer.send({ topic, messages: [{ value: 'new' }] })
      return member.seen.length > 0 || undefined
    })
    assert.ok(!member.values.includes('old'))
  }),
  check('consumer: eachBatch with its offsets, watermark and commits', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, texts(10))
    const groupId = scope.unique('group')
    const batches: { first: string | null; last: string; high: string; lag: string }[] = []
    const values: string[] = []
    await join(scope, {
      groupId,
      topics: [topic],
      run: {
        autoCommit: true,
        autoCommitThreshold: 1,
        eachBatchAutoResolve: false,
        eachMessage: undefined,
        eachBatch: async ({
          batch,
          resolveOffset,
          commitOffsetsIfNecessary,
          heartbeat,
          isRunning,
          isStale,
        }: EachBatchPayload) => {
          assert.ok(isRunning() && !isStale())
          batches.push({
            first: batch.firstOffset(),
            last: batch.lastOffset(),
            high: batch.highWatermark,
            lag: batch.offsetLag(),
          })
          for (const { offset, value } of batch.messages) {
            values.push(value!.toString())
            resolveOffset(offset)
            await commitOffsetsIfNecessary()
            await heartbeat()
          }
        },
      },
    })
    await eventually(async () => values.length === 10 || undefined)
    assert.deepEqual(values, texts(10))
    assert.deepEqual(batches[0], { first: '0', last: '9', high: '10', lag: '0' })
    const admin = await openAdmin(scope)
    await eventually(async () => {
      const [at] = await admin.fetchOffsets({ groupId, topics: [topic] })
      return at!.partitions[0]!.offset === '10' || undefined
    })
  }),
  check('consumer: goes on where its group committed', async (scope) => {
    const topic = await newTopic(scope)
    const groupId = scope.unique('group')
    await fill(scope, topic, texts(5))
    const first = await join(scope, { groupId, topics: [topic] })
    await first.sees(5)
    await first.consumer.disconnect()
    await fill(scope, topic, texts(5, 5))
    const second = await join(scope, { groupId, topics: [topic] })
    await second.sees(5)
    assert.deepEqual(second.values, texts(5, 5))
  }),
  check('consumer: commits at an interval', async (scope) => {
    const topic = await newTopic(scope)
    const groupId = scope.unique('group')
    await fill(scope, topic, texts(5))
    const member = await join(scope, {
      groupId,
      topics: [topic],
      run: { autoCommitInterval: 100 },
    })
    await member.sees(5)
    const admin = await openAdmin(scope)
    await eventually(async () => {
      const [at] = await admin.fetchOffsets({ groupId, topics: [topic] })
      return at!.partitions[0]!.offset === '5' || undefined
    })
  }),
  check('consumer: commitOffsets by hand, with metadata', async (scope) => {
    const topic = await newTopic(scope)
    const groupId = scope.unique('group')
    await fill(scope, topic, texts(5))
    const member = await join(scope, { groupId, topics: [topic], run: { autoCommit: false } })
    await member.sees(5)
    const admin = await openAdmin(scope)
    const committed = async () =>
      (await admin.fetchOffsets({ groupId, topics: [topic] }))[0]!.partitions
    assert.deepEqual(await committed(), [{ partition: 0, offset: '-1', metadata: null }])
    await member.consumer.commitOffsets([{ topic, partition: 0, offset: '3', metadata: 'note' }])
    assert.deepEqual(await committed(), [{ partition: 0, offset: '3', metadata: 'note' }])
    await member.consumer.disconnect()
    const second = await join(scope, { groupId, topics: [topic] })
    await second.sees(2)
    assert.deepEqual(second.values, ['v3', 'v4'])
  }),
  check('consumer: seek back and forward', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, texts(10))
    const member = await join(scope, { topics: [topic], run: { autoCommit: false } })
    await member.sees(10)
    member.consumer.seek({ topic, partition: 0, offset: '8' })
    await member.sees(12)
    assert.deepEqual(member.values.slice(10), ['v8', 'v9'])
    member.consumer.seek({ topic, partition: 0, offset: '5' })
    await member.sees(17)
    assert.deepEqual(member.values.slice(12), texts(5, 5))
  }),
  check('consumer: a seek out of range begins anew', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, texts(3))
    const member = await join(scope, { topics: [topic] })
    await member.sees(3)
    member.consumer.seek({ topic, partition: 0, offset: '1000' })
    await member.sees(6)
    assert.deepEqual(member.values, [...texts(3), ...texts(3)])
  }),
  check('consumer: pause and resume of a partition', async (scope) => {
    const topic = await newTopic(scope, 2)
    const member = await join(scope, { topics: [topic] })
    member.consumer.pause([{ topic, partitions: [0] }])
    assert.deepEqual(member.consumer.paused(), [{ topic, partitions: [0] }])
    await fill(scope, topic, texts(3), 0)
    await fill(scope, topic, texts(3), 1)
    await member.sees(3)
    await pause(300)
    assert.ok(member.seen.every(({ partition }: Seen) => partition === 1))
    member.consumer.resume([{ topic, partitions: [0] }])
    await member.sees(6)
  }),
  check('consumer: pause out of the handler', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, texts(3))
    const seen: string[] = []
    let resume: (() => void) | null = null
    await join(scope, {
      topics: [topic],
      run: {
        eachMessage: async ({ message, pause: stop }) => {
          seen.push(message.value!.toString())
          if (seen.length === 2) resume = stop()
        },
      },
    })
    await eventually(async () => (resume !== null ? true : undefined))
    await fill(scope, topic, texts(2, 3))
    await pause(300)
    assert.ok(seen.length <= 3, `${seen.length} read while paused`)
    resume!()
    await eventually(async () => seen.includes('v4') || undefined)
  }),
  check('consumer: subscription by pattern', async (scope) => {
    const prefix = scope.unique('pattern')
    const admin = await openAdmin(scope)
    const topics = [`${prefix}.a`, `${prefix}.b`]
    await admin.createTopics({ topics: topics.map((topic) => ({ topic })) })
    for (const topic of topics) await fill(scope, topic, texts(2))
    const member = await join(scope, { topics: [new RegExp(`^${prefix}\\..*`)] })
    await member.sees(4)
    assert.deepEqual(Object.keys(member.assigned).toSorted(), topics)
  }),
  check('consumer: several topics', async (scope) => {
    const topics = [await newTopic(scope), await newTopic(scope, 2)]
    for (const topic of topics) await fill(scope, topic, texts(4))
    const member = await join(scope, { topics })
    await member.sees(8)
    assert.deepEqual(new Set(member.seen.map(({ topic }) => topic)), new Set(topics))
  }),
  check('consumer: reads what is larger than its limits', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, ['x'.repeat(100_000)])
    await fill(scope, topic, texts(2))
    const member = await join(scope, {
      topics: [topic],
      maxBytes: 1000,
      maxBytesPerPartition: 1000,
    })
    const seen = await member.sees(3)
    assert.equal(seen[0]!.value!.length, 100_000)
  }),
  check('consumer: minBytes is waited for, and no longer than maxWaitTime', async (scope) => {
    const topic = await newTopic(scope)
    const member = await join(scope, { topics: [topic], minBytes: 50_000, maxWaitTimeInMs: 400 })
    await fill(scope, topic, ['small'])
    await member.sees(1)
    await fill(scope, topic, ['x'.repeat(60_000)])
    await member.sees(2)
  }),
  check('consumer: partitions at the same time', async (scope) => {
    const topic = await newTopic(scope, 4)
    for (const partition of [0, 1, 2, 3]) await fill(scope, topic, texts(10), partition)
    const member = await join(scope, {
      topics: [topic],
      run: { partitionsConsumedConcurrently: 4 },
    })
    const seen = await member.sees(40)
    for (const partition of [0, 1, 2, 3]) {
      const own = seen.filter((record) => record.partition === partition)
      assert.deepEqual(
        own.map(({ value }) => value!.toString()),
        texts(10),
      )
    }
  }),
  check('consumer: a handler that throws gets the record again', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, texts(3))
    const seen: string[] = []
    await join(scope, {
      topics: [topic],
      run: {
        eachMessage: async ({ message }) => {
          seen.push(message.value!.toString())
          if (seen.length === 2) throw new Error('a slip of the application')
        },
      },
    })
    await eventually(async () => seen.length === 4 || undefined)
    assert.deepEqual(seen, ['v0', 'v1', 'v1', 'v2'])
  }),
  check('consumer: uncommitted reads', async (scope) => {
    const topic = await newTopic(scope)
    await fill(scope, topic, texts(3))
    const member = await join(scope, { topics: [topic], readUncommitted: true, rackId: 'r1' })
    await member.sees(3)
  }),
  check('consumer: reads on after its records were deleted', async (scope) => {
    const topic = await newTopic(scope)
    const groupId = scope.unique('group')
    await fill(scope, topic, texts(10))
    const admin = await openAdmin(scope)
    await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '2' }] })
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '6' }] })
    const member = await join(scope, { groupId, topics: [topic] })
    await member.sees(4)
    assert.deepEqual(member.values, texts(4, 6))
  }),
]
