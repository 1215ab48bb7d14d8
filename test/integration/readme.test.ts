// README.md's three ways to a first record, typed as they stand there. The package is compiled into one folder for
// all instead of fetched, the port is a free one, and `npx` is spared its look at the registry; nothing else differs.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePorts, runCommand, Server } from './support/commands.ts'
import { type UserFolder, userFolder } from './support/installed.ts'
import { readmeWalks, type Walk } from './support/readme.ts'

const PATH = [dirname(process.execPath), process.env['PATH']].join(delimiter)

const walks = readmeWalks()
let folder: UserFolder

beforeAll(async () => {
  const packages = new Set(walks.flatMap((walk) => walk.packages))
  packages.delete('ottla')
  folder = await userFolder([...packages])
  const bin = join(folder.path, 'node_modules/.bin')
  mkdirSync(bin)
  symlinkSync('../ottla/dist/main.js', join(bin, 'ottla'))
  symlinkSync('../vitest/vitest.mjs', join(bin, 'vitest'))
})
afterAll(async () => {
  await folder[Symbol.asyncDispose]()
})

async function take({ files, serve, run }: Walk): Promise<string> {
  for (const { name, text } of files) writeFileSync(join(folder.path, name), text)
  const port = await freePorts()
  // What vitest tells its workers is not for a vitest inside.
  const vitest = { VITEST: '', VITEST_WORKER_ID: '', VITEST_POOL_ID: '' }
  const env = { ...vitest, PATH, OTTLA_BOOTSTRAP: `127.0.0.1:${port}` }
  const options = { cwd: folder.path, env }
  const typed = (line: string) => ['-ec', line.replaceAll('npx ', 'node node_modules/.bin/')]
  // `exec`, so that a signal reaches the broker and not a shell.
  const server =
    serve === null ? null : new Server('sh', typed(`exec ${serve.trim()} --port ${port}`), options)
  try {
    await server?.hears(/listens on .*\n/)
    const { stdout } = await runCommand('sh', typed(run), options)
    return stdout.toString()
  } finally {
    await server?.end('SIGTERM')
  }
}

test('integration: README: its walks are there', () => {
  expect(walks.map(({ title }) => title)).toEqual(['In the shell', 'In a program', 'In a test'])
})

test.each(walks)('integration: README: $title', async (walk) => {
  expect(await take(walk)).toMatch(
    walk.packages.includes('vitest') ? /Tests .*1 passed/ : /^first light$/m,
  )
})
