// After a kill recovery reads what was written behind the recovery point, and nothing below it: what was rolled has
// been synced, and the checkpoint says so.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { Fetch, Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { CreateTopics } from '../../../src/protocol/messages/topics.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { eventually } from '../support/eventually.ts'
import { batchOf } from '../support/harness.ts'
import { RawClient } from '../support/raw_client.ts'

const TOPIC = 'rolled'
const BATCHES = 40
const DIRECTORY_OF_PARTITION = `${TOPIC}-0`

async function fill(address: string): Promise<void> {
  const client = await RawClient.open(address)
  const configs = [{ name: 'internal.segment.bytes', value: '4096' }]
  await client.ask(CreateTopics, 7, {
    topics: [{ name: TOPIC, numPartitions: 1, replicationFactor: 1, configs }],
    timeoutMs: 10_000,
  })
  for (let batch = 0; batch < BATCHES; batch++) {
    const partitionData = [{ index: 0, records: batchOf(['x'.repeat(1000)]) }]
    const { responses } = await client.ask(Produce, 9, {
      acks: -1,
      timeoutMs: 10_000,
      topicData: [{ name: TOPIC, partitionData }],
    })
    expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(ErrorCode.NONE)
  }
  client.close()
}

/** Where the log ends, once the partition serves. */
async function highWatermark(address: string): Promise<number> {
  const client = await RawClient.open(address)
  const found = await eventually(async () => {
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 }]
    const { responses } = await client.ask(Fetch, 11, {
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1,
      topics: [{ topic: TOPIC, partitions }],
    })
    const { errorCode, highWatermark } = responses[0]!.partitions[0]!
    return errorCode === ErrorCode.NONE ? Number(highWatermark) : undefined
  })
  client.close()
  return found
}

/** Changes a record's byte in a segment; whoever reads the batch whole sees that its checksum is wrong. */
function spoil(directory: string, segment: string): void {
  const path = join(directory, DIRECTORY_OF_PARTITION, segment)
  const bytes = readFileSync(path)
  bytes[200]! ^= 0x01
  writeFileSync(path, bytes)
}

test('crash: recovery after a kill reads from the recovery point on, and not below it', async () => {
  await using broker = await BrokerProcess.start({
    config: { 'log.flush.offset.checkpoint.interval.ms': 100 },
  })
  await fill(broker.address)
  const checkpoint = join(broker.directory, 'recovery-point-offset-checkpoint')
  const segments = () =>
    readdirSync(join(broker.directory, DIRECTORY_OF_PARTITION))
      .filter((name) => name.endsWith('.log'))
      .sort()
  const active = segments().at(-1)!
  // All that was rolled, and nothing more: the active segment is nobody's to sync yet.
  const expected = `${TOPIC} 0 ${Number.parseInt(active, 10)}`
  await eventually(async () => {
    return readFileSync(checkpoint, 'utf8').split('\n').includes(expected) || undefined
  }, 20_000)
  await broker.kill()
  spoil(broker.directory, segments()[0]!)
  await broker.start()
  expect(await highWatermark(broker.address)).toBe(BATCHES)

  // The same damage above the recovery point is found, and ends the log there.
  await broker.kill()
  spoil(broker.directory, active)
  await broker.start()
  expect(await highWatermark(broker.address)).toBe(Number.parseInt(active, 10))
}, 120_000)
