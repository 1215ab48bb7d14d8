// A thousand topics of ten partitions on one node: created, listed, produced to, restarted in order and after a kill.
// Times and memory are printed; `node bench/storage/partitions.ts` has their growth from a thousand to twenty thousand.

import { test } from 'vitest'
import { BrokerProcess } from './support/broker_process.ts'
import { ManyPartitions } from './support/many_partitions.ts'
import { residentMib } from './support/proc.ts'
import { RawClient } from './support/raw_client.ts'

const many = new ManyPartitions(1_000, 10)

test('scale: a thousand topics of ten partitions', { timeout: 900_000 }, async () => {
  const figures: Record<string, string> = {}
  await using broker = await BrokerProcess.start()
  const timed = async (name: string, work: () => Promise<void>): Promise<void> => {
    const began = performance.now()
    await work()
    const took = Math.round(performance.now() - began)
    figures[name] = `${took} ms, ${residentMib(broker.pid)} MiB resident`
  }
  await timed('empty', async () => {})
  let client = await RawClient.open(broker.address)
  await timed('created', () => many.create(client))
  await timed('listed', () => many.list(broker.address))
  await timed('one record in each partition', () => many.produce(client))
  client.close()
  const began = performance.now()
  await broker.stop()
  figures['stopped in order'] = `${Math.round(performance.now() - began)} ms`
  await timed('started, every partition served', async () => {
    await broker.start()
    await many.expectEnds(broker.address, 1)
  })
  client = await RawClient.open(broker.address)
  await timed('one more record in each', () => many.produce(client))
  client.close()
  await broker.kill()
  await timed('started after kill -9, every partition served', async () => {
    await broker.start()
    await many.expectEnds(broker.address, 2)
  })
  console.table(figures)
})
