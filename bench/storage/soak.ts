// An hour of mixed load at a modest rate, and whether the broker is afterwards what it was: memory, descriptors, threads and
// disk are sampled, a plot of them is written, and what has grown fails the command.
//   node bench/storage/soak.ts [MINUTES] [--rate RECORDS/S] [--out FOLDER] [--plot FILE.svg] [--uncompacted]
//
// Load: the native generator on a topic that retention cuts all the time, read at its end and checked; a group of three
// that loses and gains a member every 20 s; keys that compaction keeps the last of; topics that come and go. The broker
// runs from the sources, with default settings but for shorter rounds. All of it takes about a tenth of a core.

import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createTopic } from '../../test/integration/support/admin.ts'
import { BrokerProcess } from '../../test/integration/support/broker_process.ts'
import { buildPrograms } from '../arms/programs.ts'
import { failedGates, runLoad } from '../harness/load_result.ts'
import { type Chart, drawCharts } from '../report/charts.ts'
import { type Measure, type Sample, sample, trends } from './samples.ts'
import { mixedLoad, retained } from './soak_load.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SAMPLE_MS = 5_000
const STREAMED_PARTITIONS = 4
const BATCH_RECORDS = 10
/** Later over earlier median. Files and disk breathe with rounds of retention and with what waits to be deleted. */
const GROWTH_MAX: Record<Measure, number> = {
  residentMib: 1.1,
  descriptors: 1.1,
  threads: 1,
  diskMib: 1.15,
  files: 1.15,
}
/** Gates of the generator's own punctuality: it does not spin, and others use the machine. */
const NO_VERDICT = /^(clock|steal|sendLag|generatorIdle)\b/
const CONFIG = {
  'log.initial.task.delay.ms': 5_000,
  'log.retention.check.interval.ms': 10_000,
  'offsets.topic.segment.bytes': 1 << 20,
  'offsets.topic.num.partitions': 10,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rate: { type: 'string', default: '300' },
    out: { type: 'string', default: join(ROOT, 'build', 'bench', 'soak') },
    plot: { type: 'string' },
    uncompacted: { type: 'boolean', default: false },
  },
})
const MINUTES = Number(positionals[0] ?? 60)
const RATE = Number(values.rate)

async function watch(broker: BrokerProcess, isOver: () => boolean): Promise<Sample[]> {
  const samples: Sample[] = []
  const began = performance.now()
  while (!isOver()) {
    samples.push(sample(broker.pid, broker.directory, (performance.now() - began) / 1000))
    writeFileSync(join(values.out, 'samples.json'), JSON.stringify(samples))
    await sleep(SAMPLE_MS)
  }
  return samples
}

function chart(samples: readonly Sample[]): Chart {
  const line = (name: string, measure: Measure) => ({
    name,
    points: thinned(samples).map((at) => [round(at.seconds / 60), round(at[measure])] as const),
  })
  return {
    title: `${MINUTES} minutes of mixed load`,
    x: { name: 'minutes' },
    y: { name: 'MiB, or how many' },
    lines: [
      line('resident MiB', 'residentMib'),
      line('disk MiB', 'diskMib'),
      line('descriptors', 'descriptors'),
      line('threads', 'threads'),
    ],
  }
}

const POINTS_MAX = 60
const round = (value: number): number => Math.round(value * 10) / 10
/** Every so manieth: a plot that fits a repository. */
function thinned(samples: readonly Sample[]): Sample[] {
  const every = Math.ceil(samples.length / POINTS_MAX)
  return samples.filter((_, at) => at % every === 0)
}

async function main(): Promise<void> {
  mkdirSync(values.out, { recursive: true })
  const { load } = buildPrograms()
  await using broker = await BrokerProcess.start({ config: CONFIG })
  const until = performance.now() + MINUTES * 60_000
  const isOver = () => performance.now() >= until
  await createTopic(broker.address, 'streamed', STREAMED_PARTITIONS, retained(8))
  const samples = watch(broker, isOver)
  const streamed = runLoad(load, broker.address, 'streamed', {
    rate: RATE,
    'batch-records': BATCH_RECORDS,
    acks: 'all',
    groups: 1,
    spin: 'no',
    seconds: MINUTES * 60 - 10,
    warmup: 2,
  })
  const isCompacted = !values.uncompacted
  const found = await mixedLoad(broker.address, RATE / 3, isCompacted, isOver)
  const { acked, consumed, ...result } = await streamed
  const seen = await samples
  const wrong = [...found.wrong]
  const failed = failedGates(result).filter((gate) => !NO_VERDICT.test(gate))
  wrong.push(...failed.map((gate) => `streamed: ${gate}`))
  const rows = trends(seen)
  for (const { measure, early, late, ratio } of rows) {
    if (ratio > GROWTH_MAX[measure]) wrong.push(`${measure} grew from ${early} to ${late}`)
  }
  await broker.stop()
  const cpu = (seen.at(-1)!.cpuSeconds - seen[0]!.cpuSeconds) / seen.at(-1)!.seconds
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT }).toString()
  const report = {
    commit: commit.trim(),
    minutes: MINUTES,
    cpu,
    acked,
    consumed,
    ...found,
    wrong,
    rows,
  }
  writeFileSync(join(values.out, 'report.json'), JSON.stringify(report, null, 2))
  const [svg] = await drawCharts([chart(seen)])
  writeFileSync(values.plot ?? join(values.out, 'soak.svg'), svg!)
  console.table(rows)
  console.log(report)
  if (wrong.length > 0) process.exitCode = 1
}

await main()
