// `npm run bench -- [full | WORKLOAD...]`: measures the arms beside each other and writes JSON and a page of plots to
// build/bench/. Quick by default (minutes); `full` is every workload and latency against load (hours). What was measured
// stays: the same command goes on where it was stopped, `--fresh` begins again. Nothing else may run meanwhile.
//
// Per workload: rounds of A against A first, then rounds of all arms, every other one backwards (A B B A).

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Arm, startArm } from './arms/arms.ts'
import { buildPrograms, type Programs } from './arms/programs.ts'
import { runSlice, type Slice, type SliceTime } from './harness/slice.ts'
import { facts, Store } from './harness/store.ts'
import {
  atShare,
  LOAD_SHARES,
  QUICK,
  WORKLOADS,
  type Workload,
  workload,
} from './harness/workloads.ts'
import { drawCharts } from './report/charts.ts'
import { AGAIN, compare, FIGURES, toldEstimate } from './report/compare.ts'
import { chartsOf, page, type Run } from './report/report.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FULL = 'full'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    arms: { type: 'string', default: 'ottla,kafka,pipe' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    fresh: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
})

const isFull = positionals[0] === FULL
const settings = {
  workloads: positionals.join(', ') || 'quick',
  rounds: Number(values.rounds ?? (isFull ? 10 : 3)),
  seconds: Number(values.seconds ?? (isFull ? 15 : 4)),
  warmup: isFull ? 2 : 1,
  kafkaWarmUpSeconds: isFull ? 60 : 10,
  arms: values.arms,
}
const armNames = values.arms.split(',')

/** One line that is written over, so that hours have a measure. */
class Progress {
  private done = 0
  private readonly fromMs = performance.now()
  private readonly total: number

  constructor(total: number) {
    this.total = total
  }

  step(what: string): void {
    this.done++
    const perStep = (performance.now() - this.fromMs) / this.done / 60_000
    const left = Math.ceil(perStep * (this.total - this.done))
    console.error(`${this.done}/${this.total}, ${left} min left: ${what}`)
  }
}

class Bench {
  private readonly arms: Arm[] = []
  private readonly programs: Programs
  private readonly store: Store
  private readonly time: SliceTime = settings

  constructor(programs: Programs, store: Store) {
    this.programs = programs
    this.store = store
  }

  async start(directory: string): Promise<void> {
    for (const name of armNames) {
      this.arms.push(await startArm(name, directory, this.programs))
    }
    const warm = workload('produce and consume 1 KiB')
    for (const arm of this.arms) {
      const isKafka = arm.name === 'kafka' || arm.name.includes(':')
      const seconds = isKafka ? settings.kafkaWarmUpSeconds : 2
      await runSlice(this.programs.load, arm, warm, -1, { seconds, warmup: 0 })
    }
  }

  async stop(): Promise<void> {
    for (const arm of this.arms) await arm.stop()
  }

  names(): string[] {
    return this.arms.map(({ name }) => name)
  }

  /** The highest rate of single records that every arm sustained: half of the slowest's closed loop, then up by tenths. */
  async knee(): Promise<number> {
    const peaks: number[] = []
    for (const arm of this.arms) {
      const slice = await runSlice(
        this.programs.load,
        arm,
        workload('unbatched 1 KiB'),
        -1,
        this.time,
      )
      peaks.push(slice.figures.messagesPerSecond)
    }
    const slowest = Math.min(...peaks)
    let sustained = slowest * 0.1
    for (let share = 0.2; share < 1; share += 0.1) {
      const tried = { ...atShare(slowest, share), name: 'knee' }
      for (const arm of this.arms) {
        const { result } = await runSlice(this.programs.load, arm, tried, -1, this.time)
        const kept = result.ackedPerSecond / (slowest * share)
        if (kept < 0.98 || result.endToEndUs.p99 > 100_000) return sustained
      }
      sustained = slowest * share
    }
    return sustained
  }

  async measure(workloads: readonly Workload[]): Promise<void> {
    const progress = new Progress(workloads.length * settings.rounds * (this.arms.length + 2))
    const first = this.arms[0]!
    for (const one of workloads) {
      for (let round = 0; round < settings.rounds; round++) {
        // Rounds of A against A have numbers of their own: they are no neighbours of the others.
        await this.slice(first, one, settings.rounds + round, first.name, progress)
        await this.slice(first, one, settings.rounds + round, first.name + AGAIN, progress)
      }
      for (let round = 0; round < settings.rounds; round++) {
        const order = round % 2 === 0 ? this.arms : this.arms.toReversed()
        for (const arm of order) await this.slice(arm, one, round, arm.name, progress)
      }
    }
  }

  private async slice(arm: Arm, one: Workload, round: number, name: string, progress: Progress) {
    // The pipe has no control plane and no producer ids.
    const isBeyondPipe = one.storm !== undefined || one.options['idempotent'] === 'yes'
    const isSkipped = arm.name.startsWith('bare') && isBeyondPipe
    if (!isSkipped && !this.store.has(name, one.name, round)) {
      const slice: Slice = await runSlice(this.programs.load, arm, one, round, this.time)
      this.store.add({ ...slice, arm: name })
    }
    progress.step(`${one.name}, ${name}, round ${round}`)
  }
}

function chosen(): Workload[] {
  if (isFull) return [...WORKLOADS]
  return (positionals.length > 0 ? positionals : QUICK).map(workload)
}

function print(run: Run): void {
  for (const { workload: name, figure, noise, arms } of compare(run.slices, run.arms)) {
    const { title } = FIGURES.find(({ key }) => key === figure)!
    const all = arms.map(({ arm, estimate, toFirst }) => {
      const beside = toFirst === undefined ? '' : ` [× ${toldEstimate(toFirst)}]`
      return `${arm} ${toldEstimate(estimate)}${beside}`
    })
    console.log(`${name}: ${title}: ${all.join('; ')}; against itself × ${toldEstimate(noise)}`)
  }
}

async function write(run: Run, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'report.json'), JSON.stringify(run))
  writeFileSync(join(folder, 'report.html'), page(run, await drawCharts(chartsOf(run))))
  const isVoid = run.slices.filter((slice) => slice.void.length > 0).length
  console.log(
    `${run.slices.length} slices, ${isVoid} void; the page: ${join(folder, 'report.html')}`,
  )
  if (!values.keep) return
  const summary = {
    facts: run.facts,
    settings: run.settings,
    compared: compare(run.slices, run.arms),
  }
  const history = join(ROOT, 'bench', 'history')
  mkdirSync(history, { recursive: true })
  writeFileSync(join(history, `${run.facts.commit}.json`), `${JSON.stringify(summary, null, 1)}\n`)
}

async function main(): Promise<void> {
  const programs = buildPrograms()
  const directory = mkdtempSync(join(tmpdir(), 'ottla-bench-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
  const machine = facts(directory)
  const name = `${machine.commit}-${settings.workloads}-${settings.rounds}x${settings.seconds}-${values.arms}`
  const folder = join(ROOT, 'build', 'bench', 'results', name.replaceAll(/[^\w.-]+/g, '_'))
  if (values.fresh) rmSync(folder, { recursive: true, force: true })
  const store = Store.open(join(folder, 'slices.jsonl'), { facts: machine, settings })
  const bench = new Bench(programs, store)
  try {
    await bench.start(directory)
    await bench.measure(chosen())
    if (isFull) {
      const knee = await bench.knee()
      await bench.measure(LOAD_SHARES.map((share) => atShare(knee, share)))
    }
    const run = { facts: machine, settings, arms: bench.names(), slices: store.slices }
    print(run)
    await write(run, folder)
  } finally {
    await bench.stop()
  }
}

// What was started goes with us (test/integration/support/commands.ts ends it at exit), also when we are stopped.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
await main()
