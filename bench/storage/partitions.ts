// What many partitions cost one node, and how it grows with them: creating, listing, one record in each, a clean stop, a
// start after it, a start after kill -9; memory and descriptors. A table to print and to keep.
//   node bench/storage/partitions.ts [1000 5000 20000] [--out FILE.json]
//
// The broker runs from the sources, on an ordinary directory, with the descriptors that a shell has.

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { BrokerProcess } from '../../test/integration/support/broker_process.ts'
import { ManyPartitions } from '../../test/integration/support/many_partitions.ts'
import { RawClient } from '../../test/integration/support/raw_client.ts'
import { sample } from './samples.ts'

const PARTITIONS_PER_TOPIC = 10

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { out: { type: 'string' } },
})
const SIZES = positionals.length > 0 ? positionals.map(Number) : [1_000, 5_000, 20_000]

type Row = Record<string, number>

async function timed(row: Row, name: string, work: () => Promise<void>): Promise<void> {
  const began = performance.now()
  await work()
  row[`${name}, ms`] = Math.round(performance.now() - began)
}

function weigh(row: Row, when: string, broker: BrokerProcess): void {
  const { residentMib, descriptors } = sample(broker.pid, '', 0)
  row[`MiB ${when}`] = Math.round(residentMib)
  row[`descriptors ${when}`] = descriptors
}

async function withClient(broker: BrokerProcess, work: (client: RawClient) => Promise<void>) {
  const client = await RawClient.open(broker.address)
  await work(client)
  client.close()
}

async function measure(partitions: number): Promise<Row> {
  const many = new ManyPartitions(partitions / PARTITIONS_PER_TOPIC, PARTITIONS_PER_TOPIC)
  const row: Row = { partitions }
  await using broker = await BrokerProcess.start()
  weigh(row, 'empty', broker)
  await withClient(broker, async (client) => {
    await timed(row, 'create', () => many.create(client))
    weigh(row, 'created', broker)
    await timed(row, 'list', () => many.list(broker.address))
    await timed(row, 'a record in each', () => many.produce(client))
    weigh(row, 'with records', broker)
  })
  await timed(row, 'clean stop', () => broker.stop())
  const served = async (end: number) => {
    await broker.start()
    await many.expectEnds(broker.address, end)
  }
  await timed(row, 'start', () => served(1))
  weigh(row, 'started', broker)
  await withClient(broker, (client) => many.produce(client))
  await broker.kill()
  await timed(row, 'start after kill -9', () => served(2))
  await timed(row, 'clean stop after recovery', () => broker.stop())
  return row
}

const rows: Row[] = []
for (const size of SIZES) {
  rows.push(await measure(size))
  console.log(rows.at(-1))
  if (values.out !== undefined) writeFileSync(values.out, JSON.stringify(rows, null, 2))
}
console.table(
  Object.fromEntries(Object.keys(rows[0]!).map((key) => [key, rows.map((row) => row[key])])),
)
