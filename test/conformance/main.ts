// `npm run conformance -- SUITE [ADDRESS | kafka] [--only a,b] [--update]`: somebody else's tests against a fresh
// Ottla, a fresh Apache Kafka (calibration) or a broker that runs already. Fails when a test of tests.allow does not
// pass. `--update` writes what was learnt: tests.allow and the score, or with `kafka` the denominator.

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT } from '../integration/support/commands.ts'
import { KAFKA_VERSION } from '../oracle/kafka/kafka.ts'
import {
  addCase,
  broken,
  calibrated,
  counted,
  failedAfter,
  growAllowed,
  leftOut,
  type Outcomes,
  passedOf,
  readAllowed,
  readDenominator,
  readResult,
  writeDenominator,
  writeResult,
} from './ratchet.ts'
import type { Case, Suite, Target } from './suite.ts'
import { openTarget } from './targets.ts'

const SUITES = join(ROOT, 'test/conformance/suites')
/** More failures than this are no matter of timing. */
const RETRIES_MAX = 20

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, update: { type: 'boolean', default: false } },
})
process.on('SIGINT', () => process.exit(130))
process.on('SIGTERM', () => process.exit(143))
process.exitCode = await main(positionals[0], positionals[1])

async function main(name: string | undefined, where: string | undefined): Promise<number> {
  const names = readdirSync(SUITES).map((file) => file.replace(/\.ts$/, ''))
  if (name === undefined || !names.includes(name)) {
    console.error('usage: conformance SUITE [HOST:PORT | kafka] [--only a,b] [--update]')
    console.error(`suites: ${names.join(', ')}`)
    return 2
  }
  const { suite } = (await import(join(SUITES, `${name}.ts`))) as { suite: Suite }
  const cache = join(ROOT, '.cache/conformance', name)
  mkdirSync(cache, { recursive: true })
  await suite.install(cache)
  const only = values.only?.split(',').filter((word) => word !== '') ?? []
  const running = await openTarget(where, suite.config ?? {})
  try {
    const { target } = running
    console.log(`${suite.name} ${suite.version} against ${target.name} at ${target.address}`)
    const outcomes: Outcomes = new Map()
    await suite.run(target, only, (c) => show(c, outcomes))
    const alone = await runAgain(suite, target, only, outcomes)
    return target.name === 'kafka'
      ? await calibrate(suite, only, outcomes)
      : await judge(suite, target, only, outcomes, alone)
  } finally {
    writeFileSync(join(cache, 'broker.log'), running.said())
    await running[Symbol.asyncDispose]()
  }
}

function show(c: Case, outcomes: Outcomes): void {
  addCase(outcomes, c)
  console.log(`${c.outcome.padEnd(9)} ${c.name} (${Math.round(c.ms)} ms)`)
  if (c.detail !== undefined && c.outcome !== 'passed') {
    console.log(c.detail.replaceAll(/^/gm, '          '))
  }
}

/** Other people's tests have deadlines: what should pass and did not is run once more. The names that then passed. */
async function runAgain(
  suite: Suite,
  target: Target,
  only: readonly string[],
  outcomes: Outcomes,
): Promise<string[]> {
  const denominator = readDenominator(suite.name)
  const should = [
    ...new Set([...readAllowed(suite.name), ...(denominator === null ? [] : counted(denominator))]),
  ]
  const failed = broken(should, only, outcomes).filter((name) => outcomes.has(name))
  if (failed.length === 0 || failed.length > RETRIES_MAX) return []
  console.log(`once more: ${failed.join(', ')}`)
  const second: Outcomes = new Map()
  await suite.run(target, failed, (c) => show(c, second))
  const alone = failed.filter((name) => second.get(name)?.outcome === 'passed')
  for (const name of alone) outcomes.set(name, second.get(name)!)
  return alone
}

async function calibrate(
  suite: Suite,
  only: readonly string[],
  outcomes: Outcomes,
): Promise<number> {
  const passed = passedOf(outcomes)
  console.log(`Apache Kafka ${KAFKA_VERSION} passes ${passed.length} of ${outcomes.size}`)
  if (!values.update) return passed.length === outcomes.size ? 0 : 1
  const facts = { kafka: KAFKA_VERSION, suite: suite.version, date: today() }
  await writeDenominator(suite.name, calibrated(readDenominator(suite.name), only, outcomes, facts))
  return 0
}

async function judge(
  suite: Suite,
  target: Target,
  only: readonly string[],
  outcomes: Outcomes,
  alone: readonly string[],
): Promise<number> {
  const { name } = suite
  const lost = broken(readAllowed(name), only, outcomes)
  const denominator = readDenominator(name)
  if (denominator === null) {
    console.log(`passed ${passedOf(outcomes).length} of ${outcomes.size}; not calibrated yet`)
  } else {
    const before = readResult(name)
    const names = counted(denominator)
    const allowed = new Set(readAllowed(name))
    const neverPassed = names.filter((test) => !allowed.has(test))
    const failed = failedAfter(denominator, before?.failed ?? neverPassed, only, outcomes)
    const of = names.length
    const passed = of - failed.length
    console.log(`${passed} of the ${of} that Apache Kafka passes (${percent(passed, of)})`)
    for (const test of failed) console.log(`  not: ${test}`)
    if (values.update && target.name === 'ottla') {
      await writeResult({
        suite: name,
        version: suite.version,
        about: suite.about,
        kafka: denominator.kafka,
        date: today(),
        passed,
        of,
        failed,
        passed_alone:
          only.length === 0 ? alone : [...new Set([...(before?.passed_alone ?? []), ...alone])],
        left_out: denominator.passed.filter((test) => leftOut(test, denominator) !== null).length,
      })
    }
  }
  if (values.update && target.name === 'ottla') {
    console.log(`tests.allow grew by ${growAllowed(name, passedOf(outcomes))}`)
    console.log('npm run gen brings the score into docs/reference/conformance.md')
  }
  for (const test of lost) console.log(`LOST: ${test} is in tests.allow and does not pass`)
  return lost.length === 0 ? 0 : 1
}

function percent(part: number, of: number): string {
  return of === 0 ? '-' : `${((100 * part) / of).toFixed(1)} %`
}

function today(): string {
  return new Date().toISOString().slice(0, 10)
}
