// @confluentinc/kafka-javascript: librdkafka 2.15 in Node. It compiles itself, so it is installed on demand into a
// folder that git ignores, from the package's own sources, and never with the project. It is compiled for the
// system's Node, whose headers are there, and runs under it: confluent_child.mjs.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { ROOT, runCommand } from '../support/commands.ts'
import type { Reader, SeenRecord, Writer } from './matrix.ts'

const VERSION = '1.10.1'
const PACKAGE = '@confluentinc/kafka-javascript'
/** Where it is installed. */
export const CONFLUENT_HOME = join(ROOT, '.cache', `confluent-${VERSION}`)
const BUILT = join(
  CONFLUENT_HOME,
  'node_modules',
  PACKAGE,
  'build/Release/confluent-kafka-javascript.node',
)

/** PATH without the project's own tools, its Node first among them. */
export const SYSTEM_PATH = process.env
  .PATH!.split(delimiter)
  .filter((folder) => !folder.includes('node_modules'))
  .join(delimiter)

/** Compiles it once; minutes on a small machine. */
export async function installConfluent(): Promise<void> {
  if (existsSync(BUILT)) return
  mkdirSync(CONFLUENT_HOME, { recursive: true })
  writeFileSync(join(CONFLUENT_HOME, 'package.json'), '{"private":true}\n')
  const args = ['install', '--no-audit', '--no-fund', `${PACKAGE}@${VERSION}`]
  // Dynamic: the machine's codec libraries; the default downloads its own.
  const env = { CKJS_LINKING: 'dynamic', PATH: SYSTEM_PATH }
  await runCommand('npm', args, { cwd: CONFLUENT_HOME, env, timeoutMs: 1_200_000 })
}

async function run(job: object): Promise<unknown> {
  const child = join(ROOT, 'test/integration/clients/confluent_child.mjs')
  const { stdout } = await runCommand('node', [child, CONFLUENT_HOME], {
    env: { PATH: SYSTEM_PATH },
    input: JSON.stringify(job),
  })
  return JSON.parse(stdout.toString())
}

export const confluentWriter: Writer = {
  name: 'confluent',
  codecs: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
  // The binding writes what is empty as null.
  express: (record) => ({
    ...record,
    value: record.value === '' ? null : record.value,
    headers: record.headers.map(([name, value]) => [name, value === '' ? null : value] as const),
  }),
  write: async (place, records, codec) => {
    await run({ verb: 'write', place, codec, records })
  },
}

export const confluentReader: Reader = {
  name: 'confluent',
  // A header without a value reads as empty.
  tell: (record) => ({
    ...record,
    headers: record.headers.map(([name, value]) => [name, value ?? ''] as const),
  }),
  read: async (place, count) => (await run({ verb: 'read', place, count })) as SeenRecord[],
}
