// The tools that Apache Kafka measures itself with, on Ottla and on Apache Kafka, interleaved A B B A: ProducerPerformance,
// ConsumerPerformance and EndToEndLatency, with what decides set by name. `node bench/stock/kafka_tools.ts [pairs [share]]`;
// share: a part of the records, for a look. Nothing else may run.
//
// Their clients warm up within each run, and their latencies are whole milliseconds: rates and the broker's CPU are what
// they are good for; one record in flight end to end shows the round trip.

import { runCommand } from '../../test/integration/support/commands.ts'
import { installKafka } from '../../test/oracle/kafka/kafka.ts'
import type { RunningBroker } from '../arms/brokers.ts'
import {
  costed,
  type Figures,
  inPairs,
  PARTITIONS,
  type Rate,
  SHAPES,
  type Shape,
  withBrokers,
} from './pairs.ts'

const [pairs = 3, share = 1] = process.argv.slice(2).map(Number)
const ROUND_TRIPS = 10_000
const ROUND_TRIP_BYTES = 1024
const PRODUCER = [
  'acks=1',
  'linger.ms=5',
  'batch.size=65536',
  'enable.idempotence=false',
  'compression.type=none',
]

async function tool(name: string, ...args: string[]): Promise<string> {
  const java = ['-Xms512M', '-Xmx512M', '-XX:+UseG1GC', '-cp', await installKafka()]
  const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'
  const words = [...java, quiet, `org.apache.kafka.tools.${name}`, ...args]
  const { stdout } = await runCommand('java', words, { timeoutMs: 600_000 })
  return stdout.toString()
}

function numberIn(said: string, pattern: RegExp): number {
  const found = pattern.exec(said)?.[1]
  if (found === undefined) throw new Error(`no ${pattern} in:\n${said.slice(-2000)}`)
  return Number(found.replace(',', '.'))
}

async function produce(address: string, topic: string, { bytes, count }: Shape): Promise<Rate> {
  const sizes = ['--num-records', String(count), '--record-size', String(bytes)]
  const how = ['--throughput', '-1', '--command-property', ...PRODUCER]
  const at = ['--bootstrap-server', address, '--topic', topic]
  const said = await tool('ProducerPerformance', ...at, ...sizes, ...how)
  const last = said.trim().split('\n').at(-1)!
  const messagesPerSecond = numberIn(last, /records sent, ([\d.,]+) records\/sec/)
  return { messages: count, bytes: bytes * count, messagesPerSecond }
}

async function consume(address: string, topic: string, { bytes, count }: Shape): Promise<Rate> {
  const at = ['--bootstrap-server', address, '--topic', topic, '--num-records', String(count)]
  const said = await tool('ConsumerPerformance', ...at, '--hide-header', '--timeout', '60000')
  // Start, end, MB, MB/s, records, records/s, rebalance ms, fetch ms, fetch MB/s, fetch records/s.
  const cells = said.trim().split('\n').at(-1)!.split(', ')
  return {
    messages: Number(cells[4]),
    bytes: bytes * count,
    messagesPerSecond: Number(cells[9]),
  }
}

async function roundTrips({ address }: RunningBroker, topic: string): Promise<Figures> {
  const count = String(Math.max(100, Math.round(ROUND_TRIPS * share)))
  const said = await tool('EndToEndLatency', address, topic, count, '1', String(ROUND_TRIP_BYTES))
  return {
    'avg ms': numberIn(said, /Avg latency: ([\d.,]+)/),
    'p50 ms': numberIn(said, /50th = (\d+)/),
    'p99 ms': numberIn(said, /99th = (\d+)/),
  }
}

async function run(broker: RunningBroker, shape: Shape, topic: string) {
  await broker.createTopic(topic, PARTITIONS)
  const { address } = broker
  const bytes = shape.bytes * shape.count
  const produced = await costed(broker, bytes, () => produce(address, topic, shape))
  const consumed = await costed(broker, bytes, () => consume(address, topic, shape))
  await broker.deleteTopic(topic)
  return { produce: produced, consume: consumed }
}

await withBrokers(async (brokers) => {
  console.log(`pairs ${pairs}, ${PRODUCER.join(', ')}, ${PARTITIONS} partitions`)
  const shapes = SHAPES.map((shape) => ({ ...shape, count: Math.round(shape.count * share) }))
  for (const broker of brokers) await run(broker, shapes[1]!, 'warm')
  for (const shape of shapes) {
    await inPairs(brokers, shape.name, pairs, (broker, turn) =>
      run(broker, shape, `t${shape.bytes}-${turn}`),
    )
  }
  await inPairs(brokers, '1 KiB, one in flight', pairs, async (broker, turn) => {
    const topic = `e2e-${turn}`
    await broker.createTopic(topic, 1)
    const figures = await roundTrips(broker, topic)
    await broker.deleteTopic(topic)
    return { 'end to end': figures }
  })
})
