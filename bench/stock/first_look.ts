// A first look: a stock client's produce and consume rates, and the broker's CPU per GB, on Ottla and on Apache Kafka,
// interleaved A B B A on this machine. `node bench/stock/first_look.ts [pairs]`.
//
// Method: memory is warmed before every slice, the broker's CPU is read from
// its threads' schedstat, ratios are taken pair by pair and their median is the result. Nothing else may run.

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type RunningBroker, startApacheKafka, startOttla } from '../arms/brokers.ts'
import { usageOf, warmMemory } from '../harness/processes.ts'
import { median } from '../report/stats.ts'
import { stockClient } from './stock_client.ts'

const PARTITIONS = 4
const PAIRS = Number(process.argv[2] ?? 3)
const root = fileURLToPath(new URL('../..', import.meta.url))

interface Workload {
  readonly name: string
  readonly bytes: number
  readonly count: number
}

const WORKLOADS: readonly Workload[] = [
  { name: '100 B', bytes: 100, count: 4_000_000 },
  { name: '1 KiB', bytes: 1024, count: 1_000_000 },
  { name: '10 KiB', bytes: 10_240, count: 100_000 },
]

interface Slice {
  readonly messagesPerSecond: number
  readonly cpuSecondsPerGb: number
}

// The client runs beside us: brokers write their logs into our pipes, and a full pipe would stop them.
const execute = promisify(execFile)

async function slice(
  broker: RunningBroker,
  args: readonly string[],
  bytes: number,
): Promise<Slice> {
  warmMemory(bytes * 1.5)
  const before = usageOf(broker.pid).cpuSeconds
  const { stdout } = await execute(stockClient(root), [...args])
  const cpu = usageOf(broker.pid).cpuSeconds - before
  const result = JSON.parse(stdout) as { messages: number; bytes: number; seconds: number }
  return {
    messagesPerSecond: result.messages / result.seconds,
    cpuSecondsPerGb: cpu / (result.bytes / 1e9),
  }
}

async function run(broker: RunningBroker, { bytes, count }: Workload, topic: string) {
  await broker.createTopic(topic, PARTITIONS)
  const common = [broker.address, topic, String(PARTITIONS), String(count)]
  const produce = await slice(
    broker,
    ['produce', ...common, String(bytes), '5', '1'],
    bytes * count,
  )
  const consume = await slice(broker, ['consume', ...common], bytes * count)
  await broker.deleteTopic(topic)
  return { produce, consume }
}

const round = (value: number, digits = 2) => value.toFixed(digits)

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-bench-'))
  const ottla = await startOttla(root, join(directory, 'ottla'))
  const kafka = await startApacheKafka(join(directory, 'kafka'))
  try {
    console.log(
      `cores ${availableParallelism()}, pairs ${PAIRS}, acks=1, linger 5 ms, 4 partitions`,
    )
    console.log(
      `idle resident memory: ottla ${ottla.residentMb()} MB, kafka ${kafka.residentMb()} MB`,
    )
    const first = WORKLOADS[1]!
    for (let index = 0; index < 2; index++) {
      await run(kafka, first, `warm-kafka-${index}`)
      await run(ottla, first, `warm-ottla-${index}`)
    }
    for (const workload of WORKLOADS) report(workload, await measure(ottla, kafka, workload))
    console.log(
      `resident memory after: ottla ${ottla.residentMb()} MB, kafka ${kafka.residentMb()} MB`,
    )
  } finally {
    await ottla.stop()
    await kafka.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

type Slices = Awaited<ReturnType<typeof run>>
type Pair = readonly [ours: Slices, theirs: Slices]

async function measure(
  ottla: RunningBroker,
  kafka: RunningBroker,
  workload: Workload,
): Promise<Pair[]> {
  const pairs: Pair[] = []
  for (let index = 0; index < PAIRS; index++) {
    const topic = `t${workload.bytes}-${index}`
    // A B, then B A: drift hits both alike.
    if (index % 2 === 0) {
      const ours = await run(ottla, workload, topic)
      pairs.push([ours, await run(kafka, workload, topic)])
    } else {
      const theirs = await run(kafka, workload, topic)
      pairs.push([await run(ottla, workload, topic), theirs])
    }
  }
  return pairs
}

function report({ name }: Workload, pairs: readonly Pair[]): void {
  for (const kind of ['produce', 'consume'] as const) {
    const rate = (side: 0 | 1) => median(pairs.map((pair) => pair[side][kind].messagesPerSecond))
    const cpu = (side: 0 | 1) => median(pairs.map((pair) => pair[side][kind].cpuSecondsPerGb))
    const rateRatio = median(
      pairs.map(([a, b]) => a[kind].messagesPerSecond / b[kind].messagesPerSecond),
    )
    const cpuRatio = median(
      pairs.map(([a, b]) => a[kind].cpuSecondsPerGb / b[kind].cpuSecondsPerGb),
    )
    console.log(
      `${kind} ${name}: ottla ${Math.round(rate(0))} msg/s ${round(cpu(0))} cpu-s/GB, ` +
        `kafka ${Math.round(rate(1))} msg/s ${round(cpu(1))} cpu-s/GB; ` +
        `rate ×${round(rateRatio)}, cpu ×${round(cpuRatio)}`,
    )
  }
}

await main()
