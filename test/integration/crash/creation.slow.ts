// kill -9 on the acknowledgement of two thousand new partitions, by kafkajs: what was promised is there after the
// restart, served and empty, and takes records; what was deleted at the last moment stays deleted.

import { Kafka, logLevel } from 'kafkajs'
import { expect, test } from 'vitest'
import { BrokerProcess } from '../support/broker_process.ts'
import { eventually } from '../support/eventually.ts'
import { roundsOr } from './world.ts'

const ROUNDS = roundsOr(3)
const PARTITIONS = 250
const SERVED_WITHIN_MS = 120_000

const topicsOf = (round: number) => Array.from({ length: 8 }, (_, i) => `round-${round}-${i}`)

test('crash: creation: what was acknowledged is there', {
  timeout: 60_000 + ROUNDS * 300_000,
}, async () => {
  await using broker = await BrokerProcess.start()
  const kafka = new Kafka({
    brokers: [broker.address],
    logLevel: logLevel.NOTHING,
    requestTimeout: 120_000,
    retry: { retries: 20 },
  })
  const admin = kafka.admin()
  /** Every partition leads and answers; their ends. */
  const endsOf = (topic: string) =>
    eventually(async () => {
      const ends = await admin.fetchTopicOffsets(topic).catch(() => [])
      return ends.length === PARTITIONS ? ends.map(({ low, high }) => `${low}-${high}`) : undefined
    }, SERVED_WITHIN_MS)
  const restart = async () => {
    await broker.kill()
    await broker.start()
    expect(broker.said).not.toContain('"level":"error"')
  }
  await admin.connect()
  for (let round = 0; round < ROUNDS; round++) {
    const topics = topicsOf(round).map((topic) => ({ topic, numPartitions: PARTITIONS }))
    expect(await admin.createTopics({ topics, waitForLeaders: false, timeout: 60_000 })).toBe(true)
    await restart()
    for (const { topic } of topics) {
      expect(new Set(await endsOf(topic))).toEqual(new Set(['0-0']))
    }
    const producer = kafka.producer()
    await producer.connect()
    const messages = Array.from({ length: PARTITIONS }, (_, partition) => ({
      partition,
      value: `${round}`,
    }))
    await producer.sendBatch({
      acks: -1,
      topicMessages: topics.map(({ topic }) => ({ topic, messages })),
    })
    await restart()
    await producer.disconnect()
    for (const { topic } of topics) {
      expect(new Set(await endsOf(topic))).toEqual(new Set(['0-1']))
    }
    await admin.deleteTopics({ topics: topicsOf(round), timeout: 60_000 })
    await restart()
    expect((await admin.listTopics()).filter((topic) => topic.startsWith('round-'))).toEqual([])
  }
  await admin.disconnect()
})
