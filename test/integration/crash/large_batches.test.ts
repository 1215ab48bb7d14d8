// Batches of nearly a mebibyte, as librdkafka makes them of much input, through a clean stop and a kill: what recovery
// reads does not fit its window evenly.

import { expect, test } from 'vitest'
import { fetchBatches } from '../clients/raw.ts'
import { createTopic } from '../support/admin.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { runCommand } from '../support/commands.ts'
import { eventually } from '../support/eventually.ts'
import { RawClient } from '../support/raw_client.ts'

const ROUNDS = 2
const FEW = 5_000
const MANY = 100_000

function lines(from: number, count: number): string {
  let text = ''
  for (let i = from; i < from + count; i++) text += `record ${i} ${'y'.repeat((i * 31) % 120)}\n`
  return text
}

test('crash: large batches survive a clean stop and a kill', { timeout: 120_000 }, async () => {
  await using broker = await BrokerProcess.start()
  await createTopic(broker.address, 'large')
  const produce = (from: number, count: number) =>
    runCommand('kcat', ['-P', '-b', broker.address, '-t', 'large', '-X', 'acks=all'], {
      input: lines(from, count),
    })
  for (let round = 0; round < ROUNDS; round++) {
    const from = round * (FEW + MANY)
    await produce(from, FEW)
    await broker.stop()
    await broker.start()
    await produce(from + FEW, MANY)
    await broker.kill()
    await broker.start()
    const client = await RawClient.open(broker.address)
    const batches = await eventually(() =>
      fetchBatches(client, { topic: 'large', partition: 0 }, from),
    )
    client.close()
    const offsets = batches.flatMap(({ records }) => records.map(({ offset }) => offset))
    expect(offsets).toEqual(Array.from({ length: FEW + MANY }, (_, i) => from + i))
    expect(Math.max(...batches.map(({ header }) => header.sizeInBytes))).toBeGreaterThan(500_000)
  }
})
