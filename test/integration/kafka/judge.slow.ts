// Kafka's own tool reads what we write: while we run, after a clean stop, and after kill -9 and recovery.

import { expect, test } from 'vitest'
import { COMPRESSION } from '../../../src/protocol/record_batch.ts'
import { judgeDirectory } from '../../oracle/kafka/judge.ts'
import { kcatProduce } from '../clients/kcat.ts'
import { everyShape, TOPIC_CONFIG } from '../clients/matrix.ts'
import { IdempotentProducer, Lane } from '../crash/idempotent.ts'
import { createTopic } from '../support/admin.ts'
import { BrokerProcess } from '../support/broker_process.ts'

test('kafka: DumpLogSegments reads logs, indexes, snapshots and metadata without a complaint', {
  timeout: 600_000,
}, async () => {
  await using broker = await BrokerProcess.start({
    config: { 'metadata.log.max.record.bytes.between.snapshots': 2_000 },
  })
  const { address, directory } = broker
  await createTopic(address, 'tiny', 2, {
    'internal.segment.bytes': '16384',
    'index.interval.bytes': '512',
  })
  await createTopic(address, 'small', 2, { 'segment.bytes': '1048576' })
  for (const codec of COMPRESSION) await createTopic(address, codec, 1, TOPIC_CONFIG)
  // What comes in one codec and is kept in another.
  const recoded = COMPRESSION.map((codec, i) => ({
    topic: `to-${codec}`,
    from: COMPRESSION[(i + 1) % COMPRESSION.length]!,
  }))
  for (const [i, { topic }] of recoded.entries()) {
    const type = COMPRESSION[i] === 'none' ? 'uncompressed' : COMPRESSION[i]!
    await createTopic(address, topic, 1, { ...TOPIC_CONFIG, 'compression.type': type })
  }
  for (let i = 0; i < 30; i++) await createTopic(address, `many-${i}`, 3, {})

  const lanes = [
    new Lane('tiny', 0),
    new Lane('tiny', 1),
    new Lane('small', 0),
    new Lane('small', 1),
  ]
  const producer = new IdempotentProducer('raw', address, lanes, Math.random)
  const load = async (isKilled = false) => {
    producer.start()
    await producer.acknowledges(5_000)
    if (!isKilled) await producer.finish()
    for (const topic of isKilled ? [] : COMPRESSION) {
      await kcatProduce({ address, topic, partition: 0 }, everyShape(Date.now()), topic)
    }
    for (const { topic, from } of isKilled ? [] : recoded) {
      await kcatProduce({ address, topic, partition: 0 }, everyShape(Date.now()), from)
    }
  }
  const shapes = 2 * COMPRESSION.length * everyShape(0).length
  await load()
  const running = await judgeDirectory(directory)
  expect(running.records).toBe(producer.count + shapes)
  expect(running.segments).toBeGreaterThan(100)
  expect(running.producers).toBeGreaterThan(50)
  expect(running.metadataRecords).toBeGreaterThan(120)

  await load()
  await broker.stop()
  const stopped = await judgeDirectory(directory)
  expect(stopped.records).toBe(producer.count + 2 * shapes)

  await broker.start()
  await load(true)
  await broker.kill()
  await broker.start()
  await producer.finish()
  expect(producer.refusals).toEqual([])
  const recovered = await judgeDirectory(directory)
  expect(recovered.records).toBe(producer.count + 2 * shapes)
  console.log('Kafka judged', recovered)
})
