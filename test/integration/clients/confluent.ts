// @confluentinc/kafka-javascript: librdkafka 2.15 in Node. It compiles itself, so it is installed on demand into a
// folder that git ignores, from the package's own sources, and never with the project.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ROOT, runCommand } from '../support/commands.ts'
import type { Reader, SeenRecord, Writer } from './matrix.ts'

const VERSION = '1.10.1'
const HOME = join(ROOT, '.cache', `confluent-${VERSION}`)
const PACKAGE = '@confluentinc/kafka-javascript'

/** The part of the library's older interface that is used here; it ships types for CommonJS only. */
interface Library {
  Producer: new (
    config: object,
  ) => Client & {
    setPollInterval(ms: number): void
    produce(
      topic: string,
      partition: number,
      value: Buffer | null,
      key: Buffer | null,
      timestamp: number,
      opaque: unknown,
      headers: Record<string, Buffer | string | null>[],
    ): void
    flush(timeoutMs: number, done: (problem: Error | null) => void): void
    on(event: 'delivery-report', heard: (problem: Error | null) => void): void
  }
  KafkaConsumer: new (
    config: object,
    topic: object,
  ) => Client & {
    assign(partitions: { topic: string; partition: number; offset: number }[]): void
    consume(count: number, done: (problem: Error | null, messages: Message[]) => void): void
  }
}

interface Client {
  connect(options: object, done: (problem: Error | null) => void): void
  disconnect(done: (problem: Error | null) => void): void
}

interface Message {
  value: Buffer | null
  key: Buffer | null
  timestamp: number
  offset: number
  headers?: Record<string, Buffer | null>[]
}

/** Compiles it once; minutes on a small machine. */
export async function installConfluent(): Promise<void> {
  if (existsSync(join(HOME, 'node_modules', PACKAGE, 'build/Release'))) return
  mkdirSync(HOME, { recursive: true })
  writeFileSync(join(HOME, 'package.json'), '{"private":true}\n')
  const args = ['install', '--no-audit', '--no-fund', `${PACKAGE}@${VERSION}`]
  // The machine's codec libraries: the default downloads its own.
  const env = { CKJS_LINKING: 'dynamic' }
  await runCommand('npm', args, { cwd: HOME, env, timeoutMs: 1_200_000 })
}

function library(): Library {
  return createRequire(join(HOME, 'package.json'))(PACKAGE) as Library
}

function promised<T = void>(
  start: (done: (problem: Error | null, value: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    start((problem, value) => (problem ? reject(problem) : resolve(value)))
  })
}

export const confluentWriter: Writer = {
  name: 'confluent',
  codecs: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
  express: (record) => record,
  write: async ({ address, topic, partition }, records, codec) => {
    const producer = new (library().Producer)({
      'bootstrap.servers': address,
      'compression.codec': codec,
      'message.max.bytes': 2_000_000,
      'enable.idempotence': true,
      dr_cb: true,
    })
    await promised((done) => producer.connect({}, done))
    const problems: Error[] = []
    producer.on('delivery-report', (problem) => problem && problems.push(problem))
    producer.setPollInterval(50)
    for (const { key, value, headers, timestamp } of records) {
      const list = headers.map(([name, text]) => ({ [name]: bytes(text) }))
      producer.produce(topic, partition, bytes(value), bytes(key), timestamp, null, list)
    }
    await promised((done) => producer.flush(30_000, (problem) => done(problem, undefined)))
    await promised((done) => producer.disconnect((problem) => done(problem, undefined)))
    if (problems.length > 0) throw problems[0]
  },
}

export const confluentReader: Reader = {
  name: 'confluent',
  read: async ({ address, topic, partition }, count) => {
    const consumer = new (library().KafkaConsumer)(
      {
        'bootstrap.servers': address,
        'group.id': 'none',
        'enable.auto.commit': false,
        'check.crcs': true,
        'fetch.message.max.bytes': 4_000_000,
      },
      { 'auto.offset.reset': 'earliest' },
    )
    await promised((done) => consumer.connect({}, (problem) => done(problem, undefined)))
    consumer.assign([{ topic, partition, offset: 0 }])
    const seen: SeenRecord[] = []
    while (seen.length < count) {
      const messages = await promised<Message[]>((done) => consumer.consume(100, done))
      for (const { key, value, timestamp, offset, headers } of messages) {
        const list = (headers ?? []).flatMap((one) =>
          Object.entries(one).map(([name, content]) => [name, text(content)] as const),
        )
        seen.push({ key: text(key), value: text(value), timestamp, offset, headers: list })
      }
    }
    await promised((done) => consumer.disconnect((problem) => done(problem, undefined)))
    return seen
  },
}

function bytes(value: string | null): Buffer | null {
  return value === null ? null : Buffer.from(value)
}

function text(value: Buffer | null | undefined): string | null {
  return value === null || value === undefined ? null : value.toString()
}
