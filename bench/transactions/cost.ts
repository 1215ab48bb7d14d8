// What transactions cost: the same producers with and without them, on Ottla and on Apache Kafka, slice by slice in an order that
// is drawn anew for every round. Says records a second, how late a Produce and a commit are answered, and the ratios with
// their intervals.
//   node bench/transactions/cost.ts [--rounds 7] [--seconds 8] [--producers 8] [--arms ottla,kafka]
//
// Method: the brokers run throughout and idle while another is measured. A producer has a connection and a partition of its own and one
// batch of 50 × 200 bytes in flight, so what is measured is the way of a batch and of a commit, not the most that a
// broker can take; a transaction is ten batches. Nothing else may run on the machine.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type RunningBroker, startApacheKafka, startOttla } from '../arms/brokers.ts'
import { estimate, median, ratio } from '../report/stats.ts'
import { type Figures, MeasuredProducer } from './producer.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '8' },
    producers: { type: 'string', default: '8' },
    arms: { type: 'string', default: 'ottla,kafka' },
  },
})
const ROUNDS = Number(values.rounds)
const SECONDS = Number(values.seconds)
const PRODUCERS = Number(values.producers)
const WARM_UP_SECONDS = 2
const REST_MS = 500
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

type Kind = 'plain' | 'transactional'

/** One slice's result; times in ms. */
interface Slice {
  readonly rate: number
  readonly produceP50: number
  readonly produceP99: number
  readonly commitP50: number
  readonly commitP99: number
}

/** All producers for some seconds. */
async function slice(broker: RunningBroker, kind: Kind, number: number): Promise<Slice> {
  const topic = `slice-${number}-${kind}`
  await broker.createTopic(topic, PRODUCERS)
  const producers = await Promise.all(
    Array.from({ length: PRODUCERS }, (_, at) =>
      MeasuredProducer.open(broker.address, topic, at, kind === 'plain' ? null : `cost-${at}`),
    ),
  )
  const during = async (seconds: number) => {
    const figures: Figures = { produce: createHistogram(), commit: createHistogram(), records: 0 }
    const startedMs = performance.now()
    const isOver = () => performance.now() - startedMs > seconds * 1000
    await Promise.all(producers.map((producer) => producer.run(isOver, figures)))
    return { figures, ms: performance.now() - startedMs }
  }
  await during(WARM_UP_SECONDS)
  const { figures, ms } = await during(SECONDS)
  for (const producer of producers) producer.close()
  await broker.deleteTopic(topic)
  await sleep(REST_MS)
  const { produce, commit } = figures
  return {
    rate: figures.records / (ms / 1000),
    produceP50: produce.percentile(50) / 1000,
    produceP99: produce.percentile(99) / 1000,
    commitP50: commit.count === 0 ? 0 : commit.percentile(50) / 1000,
    commitP99: commit.count === 0 ? 0 : commit.percentile(99) / 1000,
  }
}

function tell(results: ReadonlyMap<string, readonly Slice[]>): void {
  const ms = (slices: readonly Slice[], of: keyof Slice) =>
    median(slices.map((each) => each[of])).toFixed(2)
  for (const [name, slices] of results) {
    const { value, low, high } = estimate(slices.map(({ rate }) => rate))
    const produce = `produce p50 ${ms(slices, 'produceP50')} p99 ${ms(slices, 'produceP99')} ms`
    const commit = `commit p50 ${ms(slices, 'commitP50')} p99 ${ms(slices, 'commitP99')} ms`
    const what = name.endsWith('plain') ? produce : `${produce}, ${commit}`
    const rate = `${Math.round(value)} records/s [${Math.round(low)}, ${Math.round(high)}]`
    console.log(`${name.padEnd(20)} ${rate}, ${what}`)
  }
  const rates = (name: string) => (results.get(name) ?? []).map(({ rate }) => rate)
  const compare = (what: string, one: string, other: string) => {
    if (!results.has(one) || !results.has(other)) return
    const { value, low, high, count } = ratio(rates(one), rates(other))
    const interval = `[${low.toFixed(3)}, ${high.toFixed(3)}]`
    console.log(`${what}: ${value.toFixed(3)} ${interval} of ${count} rounds`)
  }
  compare('ottla, transactional by plain', 'ottla transactional', 'ottla plain')
  compare('kafka, transactional by plain', 'kafka transactional', 'kafka plain')
  compare('transactional, ottla by kafka', 'ottla transactional', 'kafka transactional')
  compare('plain, ottla by kafka', 'ottla plain', 'kafka plain')
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-transactions-'))
  const brokers: RunningBroker[] = []
  const results = new Map<string, Slice[]>()
  try {
    for (const arm of values.arms.split(',')) {
      const data = join(directory, arm)
      brokers.push(arm === 'kafka' ? await startApacheKafka(data) : await startOttla(ROOT, data))
    }
    const kinds = ['plain', 'transactional'] as const
    const all = brokers.flatMap((broker) => kinds.map((kind) => ({ broker, kind })))
    for (const { broker, kind } of all) results.set(`${broker.name} ${kind}`, [])
    for (let round = 0; round < ROUNDS; round++) {
      const order = all.map((each) => ({ ...each, at: Math.random() })).sort((x, y) => x.at - y.at)
      for (const { broker, kind } of order) {
        results.get(`${broker.name} ${kind}`)!.push(await slice(broker, kind, round))
      }
      console.error(`round ${round + 1} of ${ROUNDS}`)
    }
    tell(results)
  } finally {
    for (const broker of brokers) await broker.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

await main()
