// What the cross-checks with stock clients share: Ottla and Apache Kafka beside each other, a client's run on one and then
// on the other, A B B A; medians of both, and of their ratios pair by pair.

import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type RunningBroker, startApacheKafka, startOttla } from '../arms/brokers.ts'
import { warmMemory } from '../harness/memory.ts'
import { usageOf } from '../harness/processes.ts'
import { told, toldEstimate } from '../report/compare.ts'
import { median, ratio } from '../report/stats.ts'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const PARTITIONS = 4

/** One run of a client: figures by name. */
export type Figures = Readonly<Record<string, number>>

/** What a run wrote or read, and how fast by its own word. */
export interface Rate {
  readonly messages: number
  readonly bytes: number
  readonly messagesPerSecond: number
}

export interface Shape {
  readonly name: string
  readonly bytes: number
  readonly count: number
}
export const SHAPES: readonly Shape[] = [
  { name: '100 B', bytes: 100, count: 4_000_000 },
  { name: '1 KiB', bytes: 1024, count: 1_000_000 },
  { name: '10 KiB', bytes: 10_240, count: 100_000 },
]

/** A client's rate, and the broker's CPU meanwhile; memory is warmed before. */
export async function costed(
  { pid }: RunningBroker,
  bytes: number,
  client: () => Promise<Rate>,
): Promise<Figures> {
  warmMemory(bytes * 1.5)
  const before = usageOf(pid).cpuSeconds
  const rate = await client()
  const cpuSeconds = usageOf(pid).cpuSeconds - before
  return { 'msg/s': rate.messagesPerSecond, 'cpu-s/GB': cpuSeconds / (rate.bytes / 1e9) }
}

type Run = (broker: RunningBroker, turn: string) => Promise<Readonly<Record<string, Figures>>>

/** Runs a client on both so many times, and prints a line for each of its parts and figures. */
export async function inPairs(
  brokers: readonly [RunningBroker, RunningBroker],
  name: string,
  count: number,
  run: Run,
): Promise<void> {
  const all: [Awaited<ReturnType<Run>>, Awaited<ReturnType<Run>>][] = []
  for (let index = 0; index < count; index++) {
    const [ottla, kafka] = brokers
    // A B, then B A: drift hits both alike.
    const first = await run(index % 2 === 0 ? ottla : kafka, `${index}a`)
    const second = await run(index % 2 === 0 ? kafka : ottla, `${index}b`)
    all.push(index % 2 === 0 ? [first, second] : [second, first])
  }
  for (const [part, figures] of Object.entries(all[0]![0])) {
    for (const figure of Object.keys(figures)) {
      const [ours, theirs] = [0, 1].map((side) => all.map((pair) => pair[side]![part]![figure]!))
      const both = `ottla ${told(median(ours!))}, kafka ${told(median(theirs!))}`
      console.log(`${part} ${name}: ${figure}: ${both}; × ${toldEstimate(ratio(ours!, theirs!))}`)
    }
  }
}

/** Starts both, and ends them after the work. */
export async function withBrokers(
  work: (brokers: readonly [RunningBroker, RunningBroker]) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-stock-'))
  const ottla = await startOttla(ROOT, join(directory, 'ottla'))
  const kafka = await startApacheKafka(join(directory, 'kafka'))
  const resident = () => `ottla ${ottla.residentMb()} MB, kafka ${kafka.residentMb()} MB`
  try {
    console.log(`cores ${availableParallelism()}; idle resident memory: ${resident()}`)
    await work([ottla, kafka])
    console.log(`resident memory after: ${resident()}`)
  } finally {
    await ottla.stop()
    await kafka.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}
