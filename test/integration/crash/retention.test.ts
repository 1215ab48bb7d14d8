// Killed while retention deletes: what was gone stays gone, what was not is whole, and nothing of what went is left on
// the disk after the next start.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { Fetch, Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { CreateTopics } from '../../../src/protocol/messages/topics.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { eventually } from '../support/eventually.ts'
import { batchOf, decodeRecords, earliest } from '../support/harness.ts'
import { RawClient } from '../support/raw_client.ts'

const TOPIC = 'shrinking'
const HOUR = 3_600_000
const KILLS = 4
const BATCHES = 150

async function fetch(client: RawClient, offset: number) {
  const partitions = [{ partition: 0, fetchOffset: offset, partitionMaxBytes: 1 << 20 }]
  const topics = [{ topic: TOPIC, partitions }]
  const body = { replicaId: -1, maxWaitMs: 0, minBytes: 0, maxBytes: 1 << 20, topics }
  const { responses } = await client.ask(Fetch, 11, body)
  return responses[0]!.partitions[0]!
}

async function produceOld(client: RawClient): Promise<void> {
  for (let batch = 0; batch < BATCHES; batch++) {
    const records = batchOf(['x'.repeat(80)], { timestamp: Date.now() - HOUR })
    const topicData = [{ name: TOPIC, partitionData: [{ index: 0, records }] }]
    const { responses } = await client.ask(Produce, 9, { acks: -1, timeoutMs: 10_000, topicData })
    expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(ErrorCode.NONE)
  }
}

test('crash: a kill in the middle of retention brings nothing back and loses nothing else', async () => {
  await using broker = await BrokerProcess.start({
    config: { 'log.initial.task.delay.ms': 0, 'log.retention.check.interval.ms': 1 },
  })
  const configs = Object.entries({
    'internal.segment.bytes': '200',
    'retention.ms': String(HOUR / 2),
  }).map(([name, value]) => ({ name, value }))
  const first = await RawClient.open(broker.address)
  await first.ask(CreateTopics, 7, {
    topics: [{ name: TOPIC, numPartitions: 1, replicationFactor: 1, configs }],
    timeoutMs: 10_000,
  })
  first.close()
  const directory = join(broker.directory, `${TOPIC}-0`)
  let start = 0
  for (let kill = 1; kill <= KILLS; kill++) {
    const client = await RawClient.open(broker.address)
    await eventually(() => earliest(client, TOPIC))
    await produceOld(client)
    // Some of it has gone; the rest goes while the process dies.
    start = await eventually(async () => {
      const now = (await earliest(client, TOPIC)) ?? 0
      return now > start ? now : undefined
    })
    await broker.kill()
    client.close()
    await broker.start()
    const again = await RawClient.open(broker.address)
    let offset = await eventually(() => earliest(again, TOPIC))
    expect(offset).toBeGreaterThanOrEqual(start)
    expect(readdirSync(directory).filter((name) => Number.parseInt(name, 10) < start)).toEqual([])
    while (offset < kill * BATCHES) {
      const { errorCode, records } = await fetch(again, offset)
      // Retention goes on meanwhile.
      if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
        offset = (await earliest(again, TOPIC))!
        continue
      }
      expect(errorCode).toBe(ErrorCode.NONE)
      const offsets = decodeRecords(records!).map((record) => Number(record.offset))
      expect(offsets[0]).toBe(offset)
      offset = offsets.at(-1)! + 1
    }
    again.close()
  }
}, 120_000)
