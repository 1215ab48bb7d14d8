// franz-go's own tests (package kgo), from the module zip of the Go proxy, compiled once. Those that touch a broker
// are run, all in one process and in parallel as their author runs them; sub-tests are reported under their names,
// because they choose themselves by the versions that a broker advertises.

import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from '../../integration/support/commands.ts'
import { advertised } from '../advertised.ts'
import { GoTestEvents } from '../kgo/events.ts'
import { BROKER_TESTS, LATER_TESTS } from '../kgo/tests.ts'
import { runLines } from '../lines.ts'
import { type Case, type Suite, type Target, testOf, wanted } from '../suite.ts'

const VERSION = 'v1.21.5'
const PACKAGE = 'github.com/twmb/franz-go/pkg/kgo'
const PROGRAM = `kgo-${VERSION}.test`
const TIMEOUT_MS = 600_000

let home = ''

export const suite: Suite = {
  name: 'kgo',
  about: "franz-go's own tests that touch a broker: produce, consume, groups, ETL chains of groups",
  version: VERSION,
  async install(cache) {
    home = cache
    if (existsSync(join(cache, PROGRAM))) return
    await writeFile(join(cache, 'go.mod'), 'module conformance\n\ngo 1.25\n')
    const options = {
      cwd: cache,
      env: { GOFLAGS: '-mod=mod -buildvcs=false' },
      timeoutMs: 1_200_000,
    }
    await runCommand('go', ['get', '-t', `${PACKAGE}@${VERSION}`], options)
    await runCommand('go', ['test', '-c', '-p', '2', '-o', PROGRAM, PACKAGE], options)
  },
  async run(target, only, report) {
    const wants = only.map(testOf)
    await runTests(
      target,
      BROKER_TESTS.filter((name) => wanted(name, wants)),
      report,
    )
    const served = await advertised(target.address)
    for (const { name, key, api } of LATER_TESTS) {
      if (!wanted(name, wants)) continue
      if (served.has(key)) await runTests(target, [name], report)
      else report({ name, outcome: 'skipped', ms: 0, detail: `${api} is not advertised` })
    }
  },
}

async function runTests(
  target: Target,
  tests: readonly string[],
  report: (c: Case) => void,
): Promise<void> {
  if (tests.length === 0) return
  const events = new GoTestEvents(report)
  const program = [`./${PROGRAM}`, '-test.v=test2json', '-test.count=1']
  const chosen = [`-test.timeout=${TIMEOUT_MS / 1000 - 30}s`, `-test.run=^(${tests.join('|')})$`]
  const { isLate, stderr } = await runLines(
    'go',
    ['tool', 'test2json', '-t', '-p', 'kgo', ...program, ...chosen],
    {
      cwd: home,
      env: { KGO_SEEDS: target.address, KGO_TEST_RF: '1', KGO_TEST_RECORDS: '10000' },
      timeoutMs: TIMEOUT_MS,
    },
    (line) => events.line(line),
  )
  events.end(tests, isLate ? 'the run missed its deadline' : stderr.slice(-1500))
}
