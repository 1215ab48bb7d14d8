// A directory that a single-node Apache Kafka wrote: we start on it, serve what Kafka served, write more and stop;
// then Kafka starts on it again and serves everything. For dynamic and static quorums.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { COMPRESSION } from '../../../src/protocol/record_batch.ts'
import { judgeDirectory } from '../../oracle/kafka/judge.ts'
import { Kafka, kafkaTool, type Quorum, startKafka } from '../../oracle/kafka/kafka.ts'
import { kcatProduce } from '../clients/kcat.ts'
import { everyShape, type SeenRecord, TOPIC_CONFIG } from '../clients/matrix.ts'
import { fetchAll } from '../clients/raw.ts'
import { IdempotentProducer, Lane } from '../crash/idempotent.ts'
import { createTopic, deleteTopic, describeTopics, topicConfig } from '../support/admin.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { freePorts } from '../support/commands.ts'
import { RawClient } from '../support/raw_client.ts'

type Truth = Record<string, readonly SeenRecord[]>

/** Every record of every partition. */
async function everything(address: string): Promise<Truth> {
  const client = await RawClient.open(address)
  const all: Truth = {}
  for (const { name, partitions } of await describeTopics(address)) {
    for (let partition = 0; partition < partitions; partition++) {
      const records = await fetchAll(client, { topic: name, partition })
      if (records.length > 0) all[`${name}-${partition}`] = records
    }
  }
  client.close()
  return all
}

async function work(address: string, round: string): Promise<void> {
  for (const topic of COMPRESSION) {
    await kcatProduce({ address, topic, partition: 1 }, everyShape(Date.now()), topic)
  }
  const lanes = [new Lane('rolls', 0), new Lane('rolls', 1)]
  const producer = new IdempotentProducer(round, address, lanes, Math.random)
  producer.start()
  await producer.acknowledges(3_000)
  await producer.finish()
  expect(producer.refusals).toEqual([])
}

async function fill(address: string): Promise<void> {
  for (const codec of COMPRESSION) await createTopic(address, codec, 2, TOPIC_CONFIG)
  await createTopic(address, 'rolls', 2, { 'internal.segment.bytes': '65536' })
  await createTopic(address, 'configured', 3, {
    'cleanup.policy': 'compact,delete',
    'retention.ms': '123456789',
    'min.insync.replicas': '1',
  })
  await createTopic(address, 'gone', 2)
  await kcatProduce({ address, topic: 'gone', partition: 0 }, everyShape(Date.now()).slice(0, 5))
  await work(address, 'kafka')
  await deleteTopic(address, 'gone')
  // A group makes __consumer_offsets; groups/takeover.slow.ts looks into it.
  const group = ['--group', 'readers', '--from-beginning', '--max-messages', '10']
  await kafkaTool(
    'consumer.ConsoleConsumer',
    ['--bootstrap-server', address, '--topic', 'none', ...group, '--timeout-ms', '60000'],
    { timeoutMs: 120_000 },
  )
}

test.each<Quorum>(['dynamic', 'static'])(
  'kafka: a directory goes from Apache Kafka to us and back: %s quorum',
  {
    timeout: 900_000,
  },
  async (quorum) => {
    const directory = mkdtempSync(join(tmpdir(), 'ottla-takeover-'))
    try {
      const port = await freePorts()
      const file = join(directory, 'server.properties')
      const data = join(directory, 'data')

      const first = await startKafka({ directory, port, quorum })
      await fill(first.address)
      const served = await everything(first.address)
      const topics = await describeTopics(first.address)
      await first.stop()

      const ours = await BrokerProcess.start({ file, port, directory })
      try {
        expect(await describeTopics(ours.address)).toEqual(topics)
        expect(await everything(ours.address)).toEqual(served)
        expect(await topicConfig(ours.address, 'configured', 'retention.ms')).toBe('123456789')
        expect(topics.map(({ name }) => name)).toContain('__consumer_offsets')
        await createTopic(ours.address, 'ours', 2)
        await deleteTopic(ours.address, 'configured')
        await work(ours.address, 'ours')
        await kcatProduce(
          { address: ours.address, topic: 'ours', partition: 1 },
          everyShape(Date.now()).slice(0, 9),
        )
        const more = await everything(ours.address)
        const now = await describeTopics(ours.address)
        await ours.stop()
        await judgeDirectory(data)

        const again = await Kafka.start(file, port)
        try {
          expect(await describeTopics(again.address)).toEqual(now)
          expect(await everything(again.address)).toEqual(more)
          await work(again.address, 'again')
          await again.stop()
        } finally {
          await again.kill()
        }
      } finally {
        await ours[Symbol.asyncDispose]()
        await first.kill()
      }
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  },
)
