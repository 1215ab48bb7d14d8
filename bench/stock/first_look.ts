// A stock client's produce and consume rates (librdkafka), and the broker's CPU per GB, on Ottla and on Apache Kafka,
// interleaved A B B A on this machine. `node bench/stock/first_look.ts [pairs]`. Nothing else may run.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { RunningBroker } from '../arms/brokers.ts'
import {
  costed,
  inPairs,
  PARTITIONS,
  type Rate,
  ROOT,
  SHAPES,
  type Shape,
  withBrokers,
} from './pairs.ts'
import { stockClient } from './stock_client.ts'

const PAIRS = Number(process.argv[2] ?? 3)
const LINGER_MS = '5'
const ACKS = '1'

// The client runs beside us: brokers write their logs into our pipes, and a full pipe would stop them.
const execute = promisify(execFile)

async function client(...args: string[]): Promise<Rate> {
  const { stdout } = await execute(stockClient(ROOT), args)
  const said = JSON.parse(stdout) as { messages: number; bytes: number; seconds: number }
  return { ...said, messagesPerSecond: said.messages / said.seconds }
}

async function run(broker: RunningBroker, { bytes, count }: Shape, topic: string) {
  await broker.createTopic(topic, PARTITIONS)
  const common = [broker.address, topic, String(PARTITIONS), String(count)]
  const all = bytes * count
  const produce = await costed(broker, all, () =>
    client('produce', ...common, String(bytes), LINGER_MS, ACKS),
  )
  const consume = await costed(broker, all, () => client('consume', ...common))
  await broker.deleteTopic(topic)
  return { produce, consume }
}

await withBrokers(async (brokers) => {
  console.log(`pairs ${PAIRS}, acks=1, linger 5 ms, ${PARTITIONS} partitions`)
  for (const warm of ['warm-0', 'warm-1']) {
    for (const broker of brokers) await run(broker, SHAPES[1]!, warm)
  }
  for (const shape of SHAPES) {
    await inPairs(brokers, shape.name, PAIRS, (broker, turn) =>
      run(broker, shape, `t${shape.bytes}-${turn}`),
    )
  }
})
