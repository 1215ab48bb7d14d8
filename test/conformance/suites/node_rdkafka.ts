// node-rdkafka's end-to-end tests, which its npm package carries: librdkafka 2.12 under Node. It compiles itself, for
// the system's Node whose headers are there, and runs under it.

import { existsSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { SYSTEM_PATH } from '../../integration/clients/confluent.ts'
import { ROOT, runCommand } from '../../integration/support/commands.ts'
import { advertised } from '../advertised.ts'
import { runLines } from '../lines.ts'
import { type Case, type Suite, type Target, wanted } from '../suite.ts'

const VERSION = '3.6.1'
const PACKAGES = [`node-rdkafka@${VERSION}`, 'mocha@10.8.2', 'node-gyp@11.5.0']
const BUILT = 'build/Release/node-librdkafka.node'
const RUN_TIMEOUT_MS = 900_000

/** The topics that the tests expect. */
const TOPICS = ['test', 'test2', 'test3', 'test4', 'test5', 'test6']
const SPECS = ['admin', 'both', 'consumer', 'groups', 'producer']
const TRANSACTIONS = 'Transactional Producer'

let home = ''

export const suite: Suite = {
  name: 'node_rdkafka',
  about:
    "node-rdkafka's end-to-end tests: librdkafka's producer, consumer and admin client from Node",
  version: VERSION,
  async install(cache) {
    home = join(cache, 'node_modules/node-rdkafka')
    if (existsSync(join(home, BUILT))) return
    writeFileSync(join(cache, 'package.json'), '{"private":true}\n')
    const env = { PATH: SYSTEM_PATH, JOBS: '1' } // its makefile races with itself when there are more
    const npm = ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...PACKAGES]
    await runCommand('npm', npm, { cwd: cache, env, timeoutMs: 600_000 })
    const gyp = ['../node-gyp/bin/node-gyp.js', 'rebuild', ...headers()]
    await runCommand('node', gyp, { cwd: home, env, timeoutMs: 1_800_000 })
  },
  async run(target, only, report) {
    await createTopics(target)
    await runSpecs(SPECS, target, only, report)
    if (!wanted(TRANSACTIONS, only)) return
    const served = await advertised(target.address)
    if (served.has(26)) await runSpecs(['producer-transaction'], target, only, report)
    else
      report({
        name: TRANSACTIONS,
        outcome: 'skipped',
        ms: 0,
        detail: 'EndTxn is not advertised',
      })
  },
}

/** Where the system's Node keeps its headers, when it does; node-gyp would download them. */
function headers(): string[] {
  const folders = SYSTEM_PATH.split(delimiter).map(dirname)
  const found = folders.find((folder) => existsSync(join(folder, 'include/node/node.h')))
  return found === undefined ? [] : [`--nodedir=${found}`]
}

async function createTopics({ address }: Target): Promise<void> {
  const script =
    `const { AdminClient } = require('./lib'); const client = AdminClient.create(` +
    `{ 'metadata.broker.list': '${address}' }); let left = ${TOPICS.length};` +
    `for (const topic of ${JSON.stringify(TOPICS)}) client.createTopic(` +
    `{ topic, num_partitions: 1, replication_factor: 1 }, 20000, (problem) => {` +
    `if (problem && problem.code !== 36) throw problem; if (--left === 0) client.disconnect() })`
  await runCommand('node', ['-e', script], { cwd: home, env: { PATH: SYSTEM_PATH } })
}

/**
 * Runs files of tests. A hook that hangs (FINDINGS.md) ends its group: what did not get its turn is run in another
 * process, while that brings results.
 */
async function runSpecs(
  specs: readonly string[],
  target: Target,
  only: readonly string[],
  report: (c: Case) => void,
): Promise<void> {
  let left = (await mocha(specs, target, ['--dry-run'])).map(({ name }) => name)
  left = left.filter((name) => wanted(name, only))
  while (left.length > 0) {
    const began = left.length
    const chosen = ['--grep', `^(${left.map(pattern).join('|')})$`]
    await mocha(specs, target, chosen, (c) => {
      left = left.filter((name) => name !== c.name)
      report(c)
    })
    if (left.length === began) break
  }
  const detail = 'never had its turn'
  for (const name of left) report({ name, outcome: 'timed out', ms: 0, detail })
}

async function mocha(
  specs: readonly string[],
  target: Target,
  options: readonly string[],
  report: (c: Case) => void = () => {},
): Promise<Case[]> {
  const cases: Case[] = []
  const program = ['../mocha/bin/mocha.js', '--exit', '--timeout', '60000']
  const reporter = ['--reporter', join(ROOT, 'test/conformance/node_rdkafka/reporter.cjs')]
  const files = specs.map((name) => `e2e/${name}.spec.js`)
  const env = { PATH: SYSTEM_PATH, KAFKA_HOST: target.address }
  await runLines(
    'node',
    [...program, ...reporter, ...options, ...files],
    { cwd: home, env, timeoutMs: RUN_TIMEOUT_MS },
    (line) => {
      if (!line.startsWith('{"name":')) return
      const c = JSON.parse(line) as Case
      cases.push(c)
      report(c)
    },
  )
  return cases
}

/** Mocha matches titles joined with blanks; ours are joined with slashes. */
function pattern(name: string): string {
  return name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('/', '[ /]')
}
