// How fast an embedded broker is there and gone, and what an idle one costs. `npm run embedded [-- STARTS [CHECKOUT]]`.
//
// Cold is a process of its own, from `import` to ready. Warm is every later start in a process that has done some. With
// another built checkout the two are interleaved, A B B A, in one process, and compared pair by pair: the median
// of the ratios is the result, its 95 % interval by bootstrap; A against A (this checkout's own path) tells what is noise.
// Nothing else should run.

import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Broker, startBroker } from '../src/index.ts'
import { type Estimate, ratio } from './report/stats.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const STARTS = Number(process.argv[2] ?? 200)
const OTHER = process.argv[3]
const COLD_STARTS = 10
const WARM_UP = 10
const IDLE_BROKERS = 20

type Start = typeof startBroker

interface Build {
  readonly name: string
  readonly index: string
  readonly readyMs: number[]
  readonly closedMs: number[]
}

function buildAt(name: string, checkout: string): Build {
  const index = pathToFileURL(join(resolve(checkout), 'src/index.ts')).href
  return { name, index, readyMs: [], closedMs: [] }
}

const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b)
const at = (values: readonly number[], share: number) =>
  sorted(values)[Math.floor((values.length - 1) * share)]!
const told = (values: readonly number[]) =>
  [0, 0.5, 0.95, 1].map((share) => at(values, share).toFixed(1)).join(' / ')

/** Import and first start of a new process, and both as that process sees them. */
function coldStart({ index }: Build): { importMs: number; readyMs: number } {
  const code = `const from = performance.now()
    const { startBroker } = await import(${JSON.stringify(index)})
    const imported = performance.now()
    const broker = await startBroker()
    console.log(JSON.stringify({ importMs: imported - from, readyMs: performance.now() - imported }))
    await broker.close()`
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', code])
  return JSON.parse(said.toString()) as { importMs: number; readyMs: number }
}

async function warmStart({ readyMs, closedMs }: Build, start: Start): Promise<void> {
  const from = performance.now()
  const broker = await start()
  const ready = performance.now()
  await broker.close()
  readyMs.push(ready - from)
  closedMs.push(performance.now() - ready)
}

function toldRatio({ value, low, high }: Estimate): string {
  return `${value.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`
}

function residentKib(): number {
  const status = readFileSync('/proc/self/status', 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1])
}

const threads = () => readdirSync('/proc/self/task').length
const settle = () => new Promise((done) => setTimeout(done, 500))

async function idle(start: Start): Promise<void> {
  await settle()
  const before = { kib: residentKib(), threads: threads() }
  const brokers: Broker[] = await Promise.all(Array.from({ length: IDLE_BROKERS }, () => start()))
  await settle()
  const kib = (residentKib() - before.kib) / IDLE_BROKERS
  const more = (threads() - before.threads) / IDLE_BROKERS
  const used = process.cpuUsage()
  await settle()
  const { user, system } = process.cpuUsage(used)
  console.log(
    `${IDLE_BROKERS} idle brokers: ${(kib / 1024).toFixed(1)} MiB and ${more.toFixed(1)} threads each, ` +
      `${((user + system) / 1000 / IDLE_BROKERS / 0.5).toFixed(1)} ms of processor per second each`,
  )
  const from = performance.now()
  await Promise.all(brokers.map((broker) => broker.close()))
  console.log(`closed together in ${(performance.now() - from).toFixed(0)} ms`)
}

const here = buildAt('this checkout', ROOT)
const builds = OTHER === undefined ? [here] : [buildAt('the other', OTHER), here]
const turns = [...builds, ...builds.toReversed()]
for (const build of builds) {
  const cold = Array.from({ length: COLD_STARTS }, () => coldStart(build))
  console.log(
    `${build.name}: cold, min / median / p95 / max ms: import ${told(cold.map(({ importMs }) => importMs))}; ` +
      `first start ${told(cold.map(({ readyMs }) => readyMs))}`,
  )
}
const starts = new Map<Build, Start>()
for (const build of builds) starts.set(build, (await import(build.index)).startBroker)
for (let round = 0; round < WARM_UP; round++) {
  for (const build of turns) await warmStart(build, starts.get(build)!)
}
for (const { readyMs, closedMs } of builds) {
  readyMs.length = 0
  closedMs.length = 0
}
while (here.readyMs.length < STARTS) {
  for (const build of turns) await warmStart(build, starts.get(build)!)
}
for (const { name, readyMs, closedMs } of builds) {
  console.log(
    `${name}: warm, ${readyMs.length} starts, min / median / p95 / max ms: ready ${told(readyMs)}; closed ${told(closedMs)}`,
  )
}
if (OTHER !== undefined) {
  const compared = ratio(here.readyMs, builds[0]!.readyMs)
  console.log(`ready, this / the other, by pairs: ${toldRatio(compared)}`)
}
await idle(starts.get(here)!)
