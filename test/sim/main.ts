// npm run sim -- [seed] [--scenario NAME] [--seeds N] [--quiet]
// With a seed: that run, every line of it. Without: seeds from a random start until stopped, or N of them. A failure
// prints the last lines of its trace, what broke, and the one line that repeats it; the exit code is 1.

import { parseArgs } from 'node:util'
import { commandOf, runSeed, type Verdict } from './run.ts'
import { SCENARIOS, scenarioOf } from './scenarios/all.ts'
import type { Scenario } from './scenarios/scenario.ts'
import { Trace } from './trace.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    scenario: { type: 'string' },
    seeds: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  },
})

function chosen(): readonly Scenario[] {
  if (values.scenario === undefined) return SCENARIOS
  const scenario = scenarioOf(values.scenario)
  if (scenario !== undefined) return [scenario]
  const known = SCENARIOS.map(({ name, story }) => `  ${name.padEnd(10)} ${story}`).join('\n')
  console.error(`no scenario ${values.scenario}; there are\n${known}`)
  process.exit(2)
}

function report(verdict: Verdict): void {
  const {
    scenario,
    seed,
    violation,
    changes,
    acknowledged,
    lives,
    committed,
    groups,
    transactions,
    trace,
  } = verdict
  const what = `${scenario} ${seed}`.padEnd(24)
  if (violation === null) {
    const work = `${lives} lives, ${committed} metadata records, ${changes} changes`
    const commits = `${groups.commits} commits in ${groups.reloads} coordinators`
    const copied = transactions > 0 ? `, ${transactions} transactions` : ''
    const records = `${acknowledged} records acknowledged`
    console.log(`${what} ok: ${work}, ${records}, ${commits}${copied}, ${trace.fingerprint}`)
    return
  }
  if (positionals.length === 0) for (const line of trace.tail(60)) console.log(`  ${line}`)
  console.log(verdict.stack)
  console.log(`${what} BROKEN: ${violation}\n  ${commandOf(verdict)}`)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const scenarios = chosen()
  if (positionals[0] !== undefined) {
    const seed = Number(positionals[0])
    const print = values.quiet ? undefined : (line: string) => console.log(line)
    for (const scenario of scenarios) {
      report(await runSeed(scenario, seed, { trace: new Trace({ print }) }))
    }
    return
  }
  const count = values.seeds === undefined ? Number.POSITIVE_INFINITY : Number(values.seeds)
  const first = values.seeds === undefined ? Date.now() % 1_000_000_000 : 1
  for (let at = 0; at < count; at++) {
    const scenario = scenarios[at % scenarios.length]!
    const verdict = await runSeed(scenario, first + at)
    report(verdict)
    if (verdict.violation !== null && values.seeds === undefined) return
  }
}

await main()
