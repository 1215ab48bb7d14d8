// `npm run package`: what users install, from an empty folder, as they do it.
//
// Packs the repository, installs the tarball with npm (which compiles the addon), starts `npx ottla`, produces to it
// with kafkajs and reads the end offset back, stops it by SIGTERM, restarts it on its data, then embeds it, takes the three
// walks of README.md and reads its types as a strict program does. Last: where no compiler is, the install says so in plain words and fails.
// npm scripts have the repository's Node first on the PATH; this takes the system's where it is new enough (22), because
// that is what users have. `--keep` leaves the folder.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Kafka, logLevel } from 'kafkajs'
import { readmeWalks, type Walk } from '../integration/support/readme.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const folder = mkdtempSync(join(tmpdir(), 'ottla-package-'))
const START_DEADLINE_MS = 30_000
const NODE_LEAST = 22
const searchPath = userPath()

/** What npm tells its scripts must not steer the npm that we start, nor the repository's modules. */
function environment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(
    ([name]) =>
      !/^npm_(package|lifecycle|config_local_prefix|command|execpath|node_execpath)/.test(name),
  )
  return { ...Object.fromEntries(entries), PATH: searchPath }
}

/** The PATH of a user: the system's Node, or ours where that one is too old to run a broker. */
function userPath(): string {
  const own = join(root, 'node_modules')
  const places = (process.env['PATH'] ?? '').split(delimiter).filter((at) => !at.startsWith(own))
  const path = places.join(delimiter)
  const found = spawnSync('node', ['--version'], { env: { PATH: path }, encoding: 'utf8' })
  const major = Number(/^v(\d+)/.exec(found.stdout ?? '')?.[1] ?? 0)
  return major >= NODE_LEAST ? path : [dirname(process.execPath), path].join(delimiter)
}

function fail(why: string): never {
  throw new Error(why)
}

function step(words: string): void {
  console.error(`package: ${words}`)
}

function run(command: string, args: string[], cwd = folder, more: NodeJS.ProcessEnv = {}): string {
  const env = { ...environment(), ...more }
  const done = spawnSync(command, args, { cwd, env, encoding: 'utf8' })
  if (done.status === 0) return done.stdout
  return fail(`${command} ${args.join(' ')} failed:\n${done.stdout}${done.stderr}`)
}

/** Starts `npx ottla start` and waits for its one line; the port is in it. */
async function startBroker(): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn('npx', ['ottla', 'start', '--port', '0', '--data-dir', './data'], {
    cwd: folder,
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  const deadline = AbortSignal.timeout(START_DEADLINE_MS)
  for await (const line of createInterface({ input: child.stdout!, signal: deadline })) {
    const port = /PLAINTEXT:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1]
    if (port !== undefined) return { child, port: Number(port) }
  }
  return fail('ottla start ended without saying where it listens')
}

/** npx stands between us and the broker, so the signal goes to the whole group. */
async function stopBroker(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  process.kill(-child.pid!, 'SIGTERM')
  await ended
}

async function produce(port: number, value: string): Promise<string | undefined> {
  const kafka = new Kafka({
    clientId: 'package',
    brokers: [`127.0.0.1:${port}`],
    logLevel: logLevel.NOTHING,
  })
  const producer = kafka.producer({ allowAutoTopicCreation: true })
  await producer.connect()
  const [sent] = await producer.send({ topic: 'package', messages: [{ key: 'k', value }] })
  await producer.disconnect()
  const admin = kafka.admin()
  await admin.connect()
  const [end] = await admin.fetchTopicOffsets('package')
  await admin.disconnect()
  if (sent?.errorCode !== 0) fail(`produce answered ${JSON.stringify(sent)}`)
  return end?.high
}

/** A path with Node and nothing else: no compiler, no cmake. */
function refusesWithoutCompiler(): void {
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  symlinkSync(process.execPath, join(bin, 'node'))
  const script = join(folder, 'node_modules/ottla/native/build.mjs')
  const done = spawnSync(process.execPath, [script, '--force'], {
    env: { PATH: bin },
    encoding: 'utf8',
  })
  const isClear = /cannot be built: cmake is missing/.test(done.stderr)
  if (done.status !== 1 || !isClear) fail(`without a compiler: ${done.status} ${done.stderr}`)
}

const EMBED = `
import { startBroker } from 'ottla'
const broker = await startBroker()
if (!/^127\\.0\\.0\\.1:\\d+$/.test(broker.address)) throw new Error(broker.address)
await broker.close()
console.log('closed')
`

const TYPED = `
import { type Broker, type ReadRecord, startBroker } from 'ottla'
const broker: Broker = await startBroker({ port: 0, config: { 'num.partitions': 3 } })
const port: number = broker.port
const text: ReadRecord[] = await broker.consume('t', { max: 1 })
const bytes: Uint8Array | null = (await broker.consume('t', { as: 'bytes' }))[0]!.value
// @ts-expect-error text is no number
const wrong: number = text[0]!.value
await broker.close()
export { bytes, port, wrong }
`

const TYPED_FIXTURES = `
import { testBroker } from 'ottla/node-test'
import { KafkaContainer } from 'ottla/testcontainers'
import { brokerTest } from 'ottla/vitest'
const container = await new KafkaContainer('any').withExposedPorts(9093).start()
const mapped: number = container.getMappedPort(9093)
brokerTest()('a test', async ({ broker, topic }) => {
  await broker.produce(topic, ['x'])
  // @ts-expect-error a topic is a name
  topic.name
})
await (await testBroker()).close()
export { mapped }
`

/** What README.md tells a stranger to type, once the package is there. */
async function take(walk: Walk): Promise<void> {
  const from = performance.now()
  const others = walk.packages.filter((name) => name !== 'ottla')
  if (others.length > 0) run('npm', ['i', '--no-audit', '--no-fund', ...others])
  for (const { name, text } of walk.files) writeFileSync(join(folder, name), text)
  const server = walk.serve === null ? null : await startBroker()
  const env = server === null ? {} : { OTTLA_BOOTSTRAP: `127.0.0.1:${server.port}` }
  const said = run('sh', ['-ec', walk.run], folder, env)
  if (server !== null) await stopBroker(server.child)
  if (!/^first light$|Tests .*1 passed/m.test(said)) fail(`README.md, ${walk.title}: ${said}`)
  step(`README.md: ${walk.title}: ${((performance.now() - from) / 1000).toFixed(1)} s`)
}

async function main(): Promise<void> {
  step(`Node ${run('node', ['--version']).trim()}, ${folder}`)
  run('npm', ['pack', '--silent', '--pack-destination', folder], root)
  const tarball = readdirSync(folder).find((name) => /^ottla-.*\.tgz$/.test(name))
  if (tarball === undefined) fail('npm pack made no tarball')
  step(`npm i ./${tarball}`)
  run('npm', ['i', '--no-audit', '--no-fund', `./${tarball}`])
  step('npx ottla start, produce, stop')
  const first = await startBroker()
  const end = await produce(first.port, 'one')
  if (end !== '1') fail(`after one record the end offset is ${end}`)
  await stopBroker(first.child)
  step('start again on the same data')
  const second = await startBroker()
  const next = await produce(second.port, 'two')
  if (next !== '2') fail(`after a restart and a second record the end offset is ${next}`)
  await stopBroker(second.child)
  step("import { startBroker } from 'ottla'")
  writeFileSync(join(folder, 'embed.mjs'), EMBED)
  if (run('node', ['embed.mjs']).trim() !== 'closed') fail('the embedded broker')
  for (const walk of readmeWalks()) await take(walk)
  const tsc = join(root, 'node_modules/.bin/tsc')
  const types = [
    '--noEmit',
    '--strict',
    '--target',
    'es2023',
    '--module',
    'nodenext',
    '--types',
    '',
  ]
  const lib = 'es2024,esnext.disposable'
  writeFileSync(join(folder, 'typed.mts'), TYPED)
  run(tsc, [...types, '--lib', lib, 'typed.mts'])
  // vitest's own types lean on those of a browser.
  writeFileSync(join(folder, 'fixtures.mts'), TYPED_FIXTURES)
  run(tsc, [...types, '--lib', `${lib},dom`, '--skipLibCheck', 'fixtures.mts'])
  step('an install without a compiler says so')
  refusesWithoutCompiler()
  step('good')
}

try {
  await main()
} finally {
  if (process.argv.includes('--keep')) step(`left in ${folder}`)
  else rmSync(folder, { recursive: true, force: true })
}
