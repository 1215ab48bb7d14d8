// The examples that need what is not installed with the project: jest, and librdkafka's binding, which is compiled.
// Both are fetched once into a folder that git ignores.

import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CONFLUENT_HOME, installConfluent, SYSTEM_PATH } from '../clients/confluent.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { ROOT, runCommand } from '../support/commands.ts'
import { type UserFolder, userFolder } from '../support/installed.ts'

const JEST = '30.5.2'
const JEST_HOME = join(ROOT, '.cache', `jest-${JEST}`)
const JEST_BIN = join(JEST_HOME, 'node_modules/jest/bin/jest.js')

let folder: UserFolder

beforeAll(async () => {
  if (!existsSync(JEST_BIN)) {
    mkdirSync(JEST_HOME, { recursive: true })
    writeFileSync(join(JEST_HOME, 'package.json'), '{"private":true}\n')
    const args = ['install', '--no-audit', '--no-fund', `jest@${JEST}`]
    await runCommand('npm', args, { cwd: JEST_HOME, timeoutMs: 600_000 })
  }
  const modules = readdirSync(join(JEST_HOME, 'node_modules')).filter((name) => /^jest/.test(name))
  const linked = modules.map((name) => ({ name, at: join(JEST_HOME, 'node_modules', name) }))
  folder = await userFolder(['kafkajs', ...linked])
  cpSync(join(ROOT, 'examples'), folder.path, { recursive: true })
})
afterAll(async () => {
  await folder[Symbol.asyncDispose]()
})

const jest = async (path: string, flags: string[] = []) => {
  // jest turns itself into a test environment by this variable, and vitest has set it.
  const env = { NODE_ENV: 'test', CI: 'true' }
  const { stderr } = await runCommand(process.execPath, [...flags, JEST_BIN, '--rootDir', '.'], {
    cwd: join(folder.path, path),
    env,
    mayFail: true,
  })
  return stderr
}

test.each(['jest', 'jest_shared'])('integration: examples: %s', async (path) => {
  expect(await jest(path)).toMatch(/Tests: +1 passed, 1 total/)
})

test('integration: examples: jest: the package itself inside of the sandbox', async () => {
  const path = join(folder.path, 'jest_require')
  mkdirSync(path)
  writeFileSync(
    join(path, 'jest.config.cjs'),
    "module.exports = { testMatch: ['**/*.test.cjs'] }\n",
  )
  writeFileSync(
    join(path, 'a.test.cjs'),
    `const { startBroker } = require('ottla')
     test('embedded', async () => {
       const broker = await startBroker()
       await broker.produce('words', ['x'])
       expect((await broker.consume('words', { max: 1 }))[0].value).toBe('x')
       await broker.close()
     })`,
  )
  expect(await jest('jest_require', ['--experimental-vm-modules'])).toMatch(
    /Tests: +1 passed, 1 total/,
  )
})

test('integration: examples: confluent.mjs', async () => {
  await installConfluent()
  const name = '@confluentinc/kafka-javascript'
  await using home = await userFolder([{ name, at: join(CONFLUENT_HOME, 'node_modules', name) }])
  cpSync(join(ROOT, 'examples/confluent.mjs'), join(home.path, 'confluent.mjs'))
  await using broker = await BrokerProcess.start()
  // Its binary is for the system's Node, which may be too old for ours: a broker of its own.
  const { stdout } = await runCommand('node', ['confluent.mjs', broker.address], {
    cwd: home.path,
    env: { PATH: SYSTEM_PATH },
  })
  expect(stdout.toString()).toContain('first light\n')
})
