// A consumer whose place retention took goes where its settings say: to what is left, or to the end.

import { Kafka, logLevel } from 'kafkajs'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { Bench, batchOf, earliest } from '../support/harness.ts'

const HOUR = 3_600_000
const CONFIG = {
  'log.initial.task.delay.ms': 0,
  'log.retention.check.interval.ms': 50,
  'offsets.topic.num.partitions': 1,
  'group.initial.rebalance.delay.ms': 0,
}

test.concurrent.each([
  [true, ['kept-3', 'kept-4', 'new']],
  [false, ['new']],
])(
  'a group whose offset is gone, from the beginning: %s',
  async (fromBeginning, expected) => {
    await using bench = await Bench.start({ config: CONFIG })
    const kafka = new Kafka({
      brokers: [bench.broker.address],
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 20 },
    })
    const configs = { 'internal.segment.bytes': '150', 'retention.ms': String(HOUR) }
    await bench.createTopic('t', 1, configs)
    for (const [index, age] of [2 * HOUR, 2 * HOUR, 2 * HOUR, 0, 0].entries()) {
      const value = `${age === 0 ? 'kept' : 'old'}-${index}`
      const batch = batchOf([{ key: new Uint8Array(50), value: new TextEncoder().encode(value) }], {
        timestamp: Date.now() - age,
      })
      await bench.produce('t', batch)
    }
    await eventually(async () => (await earliest(bench.client, 't')) === 3 || undefined)
    const admin = kafka.admin()
    await admin.connect()
    await admin.setOffsets({
      groupId: 'g',
      topic: 't',
      partitions: [{ partition: 0, offset: '1' }],
    })
    const consumer = kafka.consumer({ groupId: 'g', maxWaitTimeInMs: 50 })
    const seen: string[] = []
    try {
      await consumer.connect()
      await consumer.subscribe({ topic: 't', fromBeginning })
      const fetching = new Promise((resolve) => consumer.on(consumer.events.FETCH, resolve))
      await consumer.run({
        eachMessage: async ({ message }) => {
          seen.push(message.value!.toString())
        },
      })
      // By then it knows where it is.
      await fetching
      await eventually(async () => {
        if (seen.includes('new')) return true
        await bench.produce('t', batchOf(['new'], { timestamp: Date.now() }))
        return undefined
      })
    } finally {
      await consumer.disconnect()
      await admin.disconnect()
    }
    expect(seen.slice(0, expected.length)).toEqual(expected)
  },
  60_000,
)
