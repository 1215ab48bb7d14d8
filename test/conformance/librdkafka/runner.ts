// librdkafka's test runner: built once in the cache, one process per program with a deadline, its JSON report read and
// its sub-tests taken from what it prints. The exit code says nothing. Never its quick mode, which turns sub-tests
// into silent passes.

import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { runCommand } from '../../integration/support/commands.ts'
import { type Case, type Suite, type Target, testOf } from '../suite.ts'
import type { Program } from './programs.ts'
import { lastOf, subTests, wholeTests, why } from './report.ts'

const PACKAGE = '@confluentinc/kafka-javascript@1.10.1'
const TARBALL = 'confluentinc-kafka-javascript-1.10.1.tgz'
/** librdkafka's, as the package carries it. */
export const LIBRDKAFKA_VERSION = '2.15.1'

const sourcesIn = (cache: string): string => join(cache, 'package/deps/librdkafka')

/** Fetches and builds it; Debian: libsasl2-dev libcurl4-openssl-dev rapidjson-dev libzstd-dev liblz4-dev. */
export async function installRunner(cache: string): Promise<void> {
  const sources = sourcesIn(cache)
  const isBuilt = existsSync(join(sources, 'tests/test-runner'))
  if (isBuilt && !adapt(sources)) return
  const step = async (command: string, args: readonly string[], cwd: string): Promise<void> => {
    await runCommand(command, args, { cwd, timeoutMs: 1_200_000 })
  }
  if (!existsSync(sources)) {
    await step('npm', ['pack', '--silent', PACKAGE], cache)
    await step('tar', ['xzf', TARBALL], cache)
  }
  if (!isBuilt) {
    adapt(sources)
    for (const script of ['configure', 'lds-gen.py']) chmodSync(join(sources, script), 0o755)
    await step('./configure', [], sources)
    await step('make', ['-j2', 'libs'], sources)
  }
  await step('make', ['-j2', '-C', 'tests', 'test-runner'], sources)
}

/** Transactions on topics of three replicas need three brokers: the same on one. Whether something was to be changed. */
function adapt(sources: string): boolean {
  const file = join(sources, 'tests/0103-transactions.c')
  const text = readFileSync(file, 'utf8')
  const adapted = text.replaceAll(', 3, 5000);', ', 1, 5000);')
  if (adapted !== text) writeFileSync(file, adapted)
  return adapted !== text
}

/** A suite's run over these programs, `width` at a time; a selection runs alone. `env` is for the runner. */
export function runPrograms(
  cache: () => string,
  programs: readonly Program[],
  width: number,
  env: Readonly<Record<string, string>> = {},
) {
  return async (
    target: Target,
    only: readonly string[],
    report: (c: Case) => void,
  ): ReturnType<Suite['run']> => {
    const left = programs.filter((program) => isWanted(program, only))
    const work = async (): Promise<void> => {
      for (let program = left.shift(); program !== undefined; program = left.shift()) {
        const cases = await runProgram(sourcesIn(cache()), target, program, env)
        for (const c of cases) report(c)
      }
    }
    const workers = only.length === 0 ? width : 1
    await Promise.all(Array.from({ length: workers }, work))
  }
}

/** A selection names cases (`0081_admin/do_test_CreateTopics …`) or beginnings of them (`0081`). */
function isWanted({ test, part }: Program, only: readonly string[]): boolean {
  if (only.length === 0) return true
  return only.some((name) => {
    if (!testOf(name).startsWith(test)) return test.startsWith(name)
    const [, subTest] = name.split('/', 2)
    return part === undefined || subTest === undefined || `${subTest}:`.startsWith(subOf(part))
  })
}

const subOf = (part: string): string => part.replace(/:$/, '')

async function runProgram(
  sources: string,
  target: Target,
  program: Program,
  env: Readonly<Record<string, string>>,
): Promise<Case[]> {
  const { test, part, deadline } = program
  const directory = mkdtempSync(join(tmpdir(), 'rdk-')) // short: a report's path is cut at 127 characters
  const report = join(directory, 'report.json')
  const config = join(directory, 'test.conf')
  writeFileSync(config, `metadata.broker.list=${target.address}\ntest.timeout.multiplier=2\n`)
  const began = performance.now()
  const { code, stdout, stderr } = await runCommand('./test-runner', ['-L', '-E', '-p1'], {
    cwd: join(sources, 'tests'),
    env: {
      LD_LIBRARY_PATH: `${join(sources, 'src')}:${join(sources, 'src-cpp')}`,
      RDKAFKA_TEST_CONF: config,
      TEST_KAFKA_VERSION: '4.3.0',
      TEST_REPORT: report,
      TESTS: test,
      ...(part === undefined ? {} : { SUBTESTS: part }),
      ...env,
    },
    timeoutMs: deadline,
    mayFail: true,
  })
  const ms = performance.now() - began
  const text = existsSync(report) ? readFileSync(report, 'utf8') : ''
  rmSync(directory, { recursive: true, force: true })
  const said = stripVTControlCharacters(stdout.toString() + stderr)
  const how = code === null && ms >= deadline ? 'timed out' : 'failed'
  const whole = wholeTests(text, test)
  const cases = subTests(said, (name) => whole.find((c) => c.name === name)?.outcome ?? how)
  if (part !== undefined) {
    // A program in parts has no verdict of its own, and a part that runs nothing is a change of its names.
    const empty: Case = { name: `${test}/${subOf(part)}`, outcome: how, ms, detail: lastOf(said) }
    return cases.length === 0 ? [empty] : cases
  }
  cases.push(...whole)
  if (whole.length === 0) cases.push({ name: test, outcome: how, ms, detail: lastOf(said) })
  return cases.map((c) => (c.outcome === 'failed' && c.detail === undefined ? why(c, said) : c))
}
