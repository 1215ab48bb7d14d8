// Clients that other people wrote, against a broker in this process: what each writes, each reads as it was. Those
// that need a Java machine or a build of their own are in all.slow.ts.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Bench } from '../support/harness.ts'
import { kafkajs, kafkajsWriter } from './kafkajs.ts'
import { kcatReader, kcatWriter } from './kcat.ts'
import { everyShape, expectRead, TOPIC_CONFIG } from './matrix.ts'
import { platformaticAdmin, platformaticReader, platformaticWriter } from './platformatic.ts'
import { rawReader } from './raw.ts'

const WRITERS = [kcatWriter, kafkajsWriter, platformaticWriter]
const READERS = [rawReader, kcatReader, platformaticReader]

let bench: Bench
beforeAll(async () => {
  bench = await Bench.start()
})
afterAll(() => bench[Symbol.asyncDispose]())

describe.each(WRITERS)('clients: $name writes', (writer) => {
  test.each(writer.codecs)('%s, and every client reads the same', async (codec) => {
    const topic = `${writer.name}-${codec}`
    await bench.createTopic(topic, 2, TOPIC_CONFIG)
    const place = { address: bench.broker.address, topic, partition: 1 }
    const from = Date.now()
    const written = everyShape(from).map(writer.express)
    await writer.write(place, written, codec)
    await expectRead(READERS, place, written, { from, to: Date.now() })
  })
})

test('clients: kafkajs creates, lists, describes and deletes topics', async () => {
  const admin = kafkajs(bench.broker.address).admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: 'by-kafkajs', numPartitions: 3 }] })
  expect(await admin.listTopics()).toContain('by-kafkajs')
  const { topics } = await admin.fetchTopicMetadata({ topics: ['by-kafkajs'] })
  expect(topics[0]!.partitions.map(({ leader }) => leader)).toEqual([1, 1, 1])
  await admin.createPartitions({ topicPartitions: [{ topic: 'by-kafkajs', count: 4 }] })
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: 2, name: 'by-kafkajs', configNames: ['retention.ms'] }],
  })
  expect(resources[0]!.configEntries[0]).toMatchObject({ configValue: '604800000' })
  expect(await admin.fetchTopicOffsets('by-kafkajs')).toHaveLength(4)
  expect(await admin.describeCluster()).toMatchObject({
    controller: 1,
    clusterId: bench.broker.clusterId,
  })
  await admin.deleteTopics({ topics: ['by-kafkajs'] })
  expect(await admin.listTopics()).not.toContain('by-kafkajs')
  await admin.disconnect()
})

test('clients: platformatic creates, lists, describes and deletes topics', async () => {
  const admin = platformaticAdmin(bench.broker.address)
  const created = await admin.createTopics({ topics: ['by-platformatic'], partitions: 3 })
  expect(created[0]).toMatchObject({ name: 'by-platformatic', partitions: 3 })
  expect(await admin.listTopics()).toContain('by-platformatic')
  const metadata = await admin.metadata({ topics: ['by-platformatic'] })
  expect(metadata.topics.get('by-platformatic')!.partitionsCount).toBe(3)
  await admin.deleteTopics({ topics: ['by-platformatic'] })
  expect(await admin.listTopics()).not.toContain('by-platformatic')
  await admin.close()
})
