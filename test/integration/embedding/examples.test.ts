// Every example is run as it says, in a folder of a user's. Those that need what is compiled or fetched first are in
// examples.slow.ts.

import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT, runCommand } from '../support/commands.ts'
import { type UserFolder, userFolder } from '../support/installed.ts'

let folder: UserFolder

beforeAll(async () => {
  folder = await userFolder(['kafkajs', '@platformatic/kafka', 'vitest'])
  cpSync(join(ROOT, 'examples'), folder.path, { recursive: true })
})
afterAll(async () => {
  await folder[Symbol.asyncDispose]()
})

const node = async (args: string[], cwd = folder.path) => {
  // What vitest tells its workers is not for a vitest inside.
  const env = { VITEST: '', VITEST_WORKER_ID: '', VITEST_POOL_ID: '' }
  const { stdout } = await runCommand(process.execPath, args, { cwd, env })
  return stdout.toString()
}
const vitest = (path: string) =>
  node(
    [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--root', '.'],
    join(folder.path, path),
  )

test.each([
  ['kafkajs.mjs', 'first light\n'],
  ['platformatic.mjs', 'first light\n'],
  ['testcontainers.mjs', '3\n'],
])('integration: examples: %s', async (name, said) => {
  expect(await node(['--no-warnings', name])).toBe(said)
})

test('integration: examples: node:test', async () => {
  expect(await node(['--test', '--test-reporter=tap', 'node_test.test.mjs'])).toContain('# pass 2')
})

test.each([
  ['vitest', '2 passed'],
  ['vitest_shared', '1 passed'],
])('integration: examples: %s', async (path, said) => {
  expect(await vitest(path)).toMatch(new RegExp(`Tests .*${said}`))
})

test('integration: examples: require, where Node has it for modules', async () => {
  const code = `const { startBroker } = require('ottla')
    startBroker().then((broker) => broker.close()).then(() => console.log('closed'))`
  expect(await node(['--eval', code])).toBe('closed\n')
})
