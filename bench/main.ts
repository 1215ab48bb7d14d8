// `npm run bench -- [full | targets | WORKLOAD...]`: measures the arms beside each other and writes JSON and a page of plots
// to build/bench/results/. Quick by default (minutes); `full` is every workload and latency against load (hours); `targets`
// judges what was promised (targets/). What was measured stays: the same command goes on where it was stopped, `--fresh`
// begins again. Nothing else may run meanwhile.
//
// Per workload: rounds of A against A first, then rounds of all arms, every other one backwards (A B B A).

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildPrograms } from './arms/programs.ts'
import { Progress, Rounds } from './harness/rounds.ts'
import { facts, Store } from './harness/store.ts'
import {
  atShare,
  LOAD_SHARES,
  QUICK,
  WORKLOADS,
  type Workload,
  workload,
} from './harness/workloads.ts'
import { AGAIN, compare, FIGURES, toldEstimate } from './report/compare.ts'
import type { Run } from './report/report.ts'
import { resultsFolder, writeReport } from './report/write.ts'
import { runTargets } from './targets/run.ts'

const FULL = 'full'
const TARGETS = 'targets'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    arms: { type: 'string', default: 'ottla,kafka,pipe' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    fresh: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    minutes: { type: 'string' },
  },
})
const isFull = positionals[0] === FULL
for (const name of ['rounds', 'seconds', 'minutes'] as const) {
  const given = values[name]
  if (given !== undefined && !(Number(given) > 0)) {
    console.error(`--${name} is "${given}"; it has to be a number above 0`)
    process.exit(2)
  }
}

const settings = {
  workloads: positionals.join(', ') || 'quick',
  rounds: Number(values.rounds ?? (isFull ? 10 : 3)),
  seconds: Number(values.seconds ?? (isFull ? 15 : 4)),
  warmup: isFull ? 2 : 1,
  kafkaWarmUpSeconds: isFull ? 60 : 10,
  arms: values.arms,
}

async function measure(bench: Rounds, workloads: readonly Workload[]): Promise<void> {
  const { arms } = bench
  const progress = new Progress(workloads.length * settings.rounds * (arms.length + 2))
  const first = arms[0]!
  for (const one of workloads) {
    for (let round = 0; round < settings.rounds; round++) {
      // Rounds of A against A have numbers of their own: they are no neighbours of the others.
      for (const name of [first.name, first.name + AGAIN]) {
        await bench.slice(first, one, settings.rounds + round, name)
        progress.step(`${one.name}, ${name}, round ${round}`)
      }
    }
    for (let round = 0; round < settings.rounds; round++) {
      for (const arm of round % 2 === 0 ? arms : arms.toReversed()) {
        await bench.slice(arm, one, round)
        progress.step(`${one.name}, ${arm.name}, round ${round}`)
      }
    }
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

async function main(directory: string): Promise<void> {
  const programs = buildPrograms()
  const machine = facts(directory)
  const name = `${settings.workloads}-${settings.rounds}x${settings.seconds}-${values.arms}`
  const folder = resultsFolder(machine, name, values.fresh)
  const store = Store.open(join(folder, 'slices.jsonl'), { facts: machine, settings })
  const bench = new Rounds(programs, store, settings)
  try {
    const warmUp = { kafkaSeconds: settings.kafkaWarmUpSeconds }
    await bench.start(values.arms.split(','), directory, warmUp)
    await measure(bench, chosen())
    if (isFull) {
      const knee = await bench.knee(bench.arms)
      await measure(
        bench,
        LOAD_SHARES.map((share) => atShare(knee, share)),
      )
    }
    const run = { facts: machine, settings, arms: bench.names(), slices: store.slices }
    print(run)
    await writeReport(run, folder, values.keep)
  } finally {
    await bench.stop()
  }
}

// What was started goes with us (test/integration/support/commands.ts ends it at exit), also when we are stopped.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
const directory = mkdtempSync(join(tmpdir(), 'ottla-bench-'))
process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
if (positionals[0] === TARGETS) process.exitCode = await runTargets(values, directory)
else await main(directory)
