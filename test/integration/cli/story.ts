// One story of an operator's day, told as a transcript: every command as typed, what it said, its exit code when that
// is not 0. It is the same on any cluster of one broker, so our transcript is committed and Apache Kafka's is compared
// with it. What differs from run to run (ids, times, ports) is replaced by words.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import type { Ottla } from './ottla.ts'

/** The time of the first record; each later one is a minute younger. */
const FIRST_MS = Date.parse('2026-01-31T12:00:00Z')

/** A command, or the name of a topic to fill. */
type Step = readonly string[] | string

const STEPS: readonly Step[] = [
  ['topic', 'list'],
  ['topic', 'create', 'words', '-p', '2', '-c', 'retention.ms=-1'],
  ['topic', 'create', 'words'],
  ['topic', 'create', 'words', '--if-not-exists'],
  ['topic', 'create', 'not a name'],
  ['topic', 'create', 'later', '-p', '3', '--dry-run'],
  ['topic', 'create', 'orders-1', 'orders-2', '-p', '1'],
  ['topic', 'list'],
  ['topic', 'list', 'orders-*', '--json'],
  'words',
  ['topic', 'describe', 'words', '-os'],
  ['topic', 'describe', 'nothing'],
  ['topic', 'alter', 'words', '-p', '1'],
  ['topic', 'alter', 'orders-1', '-p', '2'],
  ['offsets', 'words'],
  ['offsets', 'words:0', '--at', '2026-01-31T12:03:00Z'],
  ['offsets', 'words:1', '--at', 'max-timestamp', '--json'],
  ['topic', 'delete-records', 'words', '-p', '0', '--before-offset', '2'],
  ['topic', 'delete-records', 'words', '-p', '1', '--before-time', '2026-01-31T12:05:00Z', '-n'],
  ['topic', 'delete-records', 'words'],
  ['group', 'describe', 'billing'],
  ['group', 'reset-offsets', 'billing', '-t', 'words', '--to-earliest'],
  ['group', 'reset-offsets', 'billing', '-t', 'words', '--to-offset', '3', '--execute'],
  ['group', 'reset-offsets', 'billing', '-t', 'words:0', '--shift-by', '-9', '--execute', '--json'],
  ['group', 'list'],
  ['group', 'describe', 'billing'],
  [
    'group',
    'reset-offsets',
    'billing',
    '--all-topics',
    '--to-datetime',
    '2026-01-31T12:06',
    '--export',
  ],
  ['group', 'delete-offsets', 'billing', '-t', 'words:1'],
  ['group', 'describe', 'billing', '--json'],
  ['group', 'delete', 'bill*'],
  ['group', 'delete', 'bill*', '--yes'],
  ['config', 'describe', 'topic', 'words'],
  ['config', 'set', 'topic', 'words', 'cleanup.policy=compact', 'retention.ms=1000'],
  ['config', 'append', 'topic', 'words', 'cleanup.policy=delete'],
  ['config', 'subtract', 'topic', 'words', 'cleanup.policy=compact', '--dry-run'],
  ['config', 'set', 'topic', 'words', 'no.such.key=1'],
  ['config', 'set', 'topic', 'words', 'retention.ms=soon'],
  ['topic', 'config', 'words', '--unset', 'retention.ms', 'max.message.bytes=2000000'],
  ['topic', 'config', 'words'],
  ['config', 'set', 'broker', 'default', 'message.max.bytes=3000000'],
  ['config', 'describe', 'broker', 'default'],
  ['config', 'list', 'topic'],
  ['cluster'],
  ['cluster', 'features'],
  ['topic', 'delete', 'orders-*'],
  ['topic', 'delete', 'words', 'nothing'],
]

/** Tells the story to the cluster at `address` by `ottla`; the transcript. */
export async function tellStory(address: string, ottla: Ottla): Promise<string> {
  const told: string[] = []
  for (const step of STEPS) {
    if (typeof step === 'string') await fill(address, step)
    else told.push(await typed(address, ottla, step))
  }
  return `${told.join('\n')}\n`
}

async function typed(address: string, ottla: Ottla, args: readonly string[]): Promise<string> {
  const done = await ottla(args)
  const words = args.map((arg) => (/^[\w=.,:/-]+$/.test(arg) ? arg : `'${arg}'`)).join(' ')
  const said = `${done.stdout}${done.stderr}`
  const end = done.code === 0 ? '' : `exit ${done.code}\n`
  return `$ ottla ${words}\n${steady(said, address)}${end}`
}

/** Words for what is another at each run. */
function steady(said: string, address: string): string {
  const port = address.split(':')[1]!
  return said
    .replaceAll(address, 'HOST:PORT')
    .replaceAll(new RegExp(`(\\s+|:)${port}\\b`, 'g'), '  PORT')
    .replaceAll(/\b[\w-]{22}(?=[\s",]|$)/gm, (id) => (/^[a-z.-]+$/.test(id) ? id : 'ID'))
}

/** Eight records, by turns in two partitions, a minute between two. */
async function fill(address: string, topic: string): Promise<void> {
  const kafka = new Kafka({ clientId: 'story', brokers: [address], logLevel: logLevel.NOTHING })
  const producer = kafka.producer()
  await producer.connect()
  for (let i = 0; i < 8; i++) {
    const message = {
      partition: i % 2,
      key: `k${i}`,
      value: `v${i}`,
      timestamp: String(FIRST_MS + i * 60_000),
    }
    await producer.send({ topic, messages: [message] })
  }
  await producer.disconnect()
}

/** A file that is there while `use` runs. */
export async function withFile<T>(
  name: string,
  text: string,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-cli-'))
  try {
    const path = join(directory, name)
    writeFileSync(path, text)
    return await use(path)
  } finally {
    rmSync(directory, { recursive: true })
  }
}
