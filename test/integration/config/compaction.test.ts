// What decides whether and when a log is compacted, shown on a running broker. The names are those that src/config's
// tables give.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { LogSink } from '../../../src/lib/log.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import { encodeBatch } from '../../../src/protocol/record_batch.ts'
import { eventually } from '../support/eventually.ts'
import { Bench } from '../support/harness.ts'

const HOUR = 3_600_000
const MIB = 1 << 20
const SOON = { 'log.cleaner.backoff.ms': 100 }
/** A batch a segment. */
const COMPACT = { 'cleanup.policy': 'compact', 'internal.segment.bytes': '100' }

const own = (config: Record<string, string | number | boolean> = {}) =>
  Bench.start({ config: { ...SOON, ...config } })
const bytes = (text: string | null) => (text === null ? null : new TextEncoder().encode(text))

async function produce(bench: Bench, topic: string, pairs: readonly [string, string | null][]) {
  for (const [key, value] of pairs) {
    const record = { timestamp: Date.now() - HOUR, key: bytes(key), value: bytes(value) }
    const { errorCode } = await bench.produce(topic, encodeBatch({ records: [record] }))
    expect(errorCode).toBe(ErrorCode.NONE)
  }
}

/** How far the checkpoint says that a partition is compacted. */
function cleanedTo(bench: Bench, topic: string): number {
  const file = join(bench.broker.directory, 'cleaner-offset-checkpoint')
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  return Number(new RegExp(`^${topic} 0 (\\d+)$`, 'm').exec(text)?.[1] ?? -1)
}

const cleaned = (bench: Bench, topic: string, offset: number) =>
  eventually(async () => cleanedTo(bench, topic) >= offset || undefined, 20_000)

/** Offsets of the records that are left. */
async function left(bench: Bench, topic: string, end: number): Promise<number[]> {
  const offsets: number[] = []
  for (let offset = 0; offset < end; ) {
    const { decoded } = await bench.fetch(topic, offset)
    const found = decoded.map((record) => record.offset)
    offsets.push(...found.filter((one) => one >= offset))
    // A batch that is left as a header has no records.
    offset = (found.at(-1) ?? offset) + 1
  }
  return offsets
}

const PAIRS: [string, string | null][] = [
  ['a', '1'],
  ['b', '1'],
  ['a', '2'],
  ['c', null],
  ['a', '3'],
]

test('integration: config: a compacted topic keeps the last value of each key', async () => {
  await using bench = await own()
  // However early the cleaner comes by for the first time, it comes again.
  await bench.createTopic('t', 1, { ...COMPACT, 'min.cleanable.dirty.ratio': '0.01' })
  await bench.createTopic('plain', 1, { 'internal.segment.bytes': '100' })
  await bench.createTopic('lazy', 1, { ...COMPACT, 'min.cleanable.dirty.ratio': '1' })
  await bench.createTopic('young', 1, { ...COMPACT, 'min.compaction.lag.ms': String(2 * HOUR) })
  await bench.createTopic('overdue', 1, {
    ...COMPACT,
    'min.cleanable.dirty.ratio': '1',
    'max.compaction.lag.ms': '1000',
  })
  for (const topic of ['plain', 'lazy', 'young', 'overdue', 't']) {
    await produce(bench, topic, PAIRS)
  }
  await cleaned(bench, 't', 4)
  await cleaned(bench, 'overdue', 4)
  expect(await left(bench, 't', 5)).toEqual([1, 2, 3, 4])
  expect(await left(bench, 'overdue', 5)).toEqual([1, 2, 3, 4])
  for (const topic of ['plain', 'lazy', 'young']) {
    expect(await left(bench, topic, 5)).toEqual([0, 1, 2, 3, 4])
  }
})

test('integration: config: a tombstone goes when its time is over', async () => {
  await using bench = await own()
  await bench.createTopic('t', 1, { ...COMPACT, 'delete.retention.ms': '0' })
  await produce(bench, 't', [
    ['a', '1'],
    ['b', null],
    ['a', '2'],
  ])
  await cleaned(bench, 't', 2)
  await produce(bench, 't', [
    ['x', '1'],
    ['y', '1'],
    ['z', '1'],
  ])
  await cleaned(bench, 't', 5)
  expect(await left(bench, 't', 6)).not.toContain(1)
})

test('integration: config: without a cleaner nothing is compacted', async () => {
  await using bench = await own({ 'log.cleaner.enable': false })
  await bench.createTopic('t', 1, COMPACT)
  await produce(bench, 't', PAIRS)
  expect(await left(bench, 't', 5)).toEqual([0, 1, 2, 3, 4])
})

/** Lines that the broker logs. */
interface Line {
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** A broker whose logs are compacted when `compactNow` says so; `said` is what it logs. */
async function waiting(config: Record<string, string | number>) {
  const said: Line[] = []
  const log: LogSink = (_level, _scope, message, fields) => void said.push({ message, fields })
  const bench = await Bench.start({
    config: { ...SOON, 'log.cleaner.min.cleanable.ratio': 1, ...config },
    log,
  })
  const rounds = (partition: string) =>
    said.filter(
      ({ message, fields }) => /compacted/.test(message) && fields['partition'] === partition,
    )
  return { bench, rounds }
}

async function set(bench: Bench, settings: Readonly<Record<string, string>>): Promise<void> {
  const configs = Object.entries(settings).map(([name, value]) => ({
    name,
    configOperation: 0,
    value,
  }))
  const { responses } = await bench.client.ask(IncrementalAlterConfigs, 1, {
    resources: [{ resourceType: 4, resourceName: '', configs }],
  })
  expect(responses[0]).toMatchObject({ errorCode: ErrorCode.NONE })
}

const compactNow = (bench: Bench) => set(bench, { 'log.cleaner.min.cleanable.ratio': '0.0001' })
const notNow = (bench: Bench) => set(bench, { 'log.cleaner.min.cleanable.ratio': '1' })

/** Batches of so many bytes, each of another key, and one more that rolls them away. */
async function fill(
  bench: Bench,
  topic: string,
  batches: number,
  size: number,
  segmentBytes = 40_000,
): Promise<void> {
  await bench.createTopic(topic, 1, { ...COMPACT, 'internal.segment.bytes': String(segmentBytes) })
  for (let at = 0; at <= batches; at++) {
    const value = Buffer.alloc(at === batches ? 39_000 : size, at)
    const record = { timestamp: Date.now(), key: bytes(`${topic} ${at}`), value }
    const { errorCode } = await bench.produce(topic, encodeBatch({ records: [record] }))
    expect(errorCode).toBe(ErrorCode.NONE)
  }
}

test('integration: config: a round of the cleaner reaches as far as its table of keys', async () => {
  // A key takes 24 bytes: some hundred keys of 43,690.
  const { bench, rounds } = await waiting({
    'log.cleaner.dedupe.buffer.size': MIB + 1,
    'log.cleaner.io.buffer.load.factor': 0.0023,
  })
  await using _ = bench
  const one = async (topic: string) => {
    await fill(bench, topic, 400, 10)
    await compactNow(bench)
    await cleaned(bench, topic, 400)
    await notNow(bench)
    return rounds(`${topic}-0`).length
  }
  expect(await one('half')).toBe(4)
  await set(bench, { 'log.cleaner.io.buffer.load.factor': '0.0042' })
  expect(await one('full')).toBe(3)
  await set(bench, { 'log.cleaner.dedupe.buffer.size': String(3 * MIB) })
  expect(await one('large')).toBe(1)
})

test('integration: config: the cleaner keeps its rate', async () => {
  const { bench } = await waiting({ 'log.cleaner.io.max.bytes.per.second': 400_000 })
  await using _ = bench
  await fill(bench, 't', 50, 4000)
  await compactNow(bench)
  const began = performance.now()
  await cleaned(bench, 't', 50)
  // Read twice and written once, less a last step that nobody waits for.
  expect(performance.now() - began).toBeGreaterThan(700)
})

test('integration: config: as many logs are compacted at a time as there are cleaner threads', async () => {
  const { bench } = await waiting({ 'log.cleaner.io.max.bytes.per.second': 800_000 })
  await using _ = bench
  const isBusy = (topic: string) =>
    readdirSync(join(bench.broker.directory, `${topic}-0`)).some((name) =>
      name.endsWith('.cleaned'),
    )
  const together = async (topics: readonly string[]) => {
    for (const topic of topics) await fill(bench, topic, 50, 4000, 210_000)
    let most = 0
    await compactNow(bench)
    await eventually(async () => {
      most = Math.max(most, topics.filter(isBusy).length)
      return topics.every((topic) => cleanedTo(bench, topic) >= 50) || undefined
    })
    await notNow(bench)
    return most
  }
  expect(await together(['a', 'b'])).toBe(1)
  await set(bench, { 'log.cleaner.threads': '2' })
  expect(await together(['c', 'd'])).toBe(2)
})

// It counts what the whole process reads: on a busy machine that is more than the cleaner's, now and then.
test('integration: config: the cleaner reads in pieces of its buffer', { retry: 2 }, async () => {
  const { bench, rounds } = await waiting({ 'log.cleaner.io.buffer.size': 8192 })
  await using _ = bench
  const reads = async (topic: string) => {
    await fill(bench, topic, 400, 3500)
    const count = () => Number(/syscr: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))![1])
    const before = count()
    await compactNow(bench)
    await eventually(async () => rounds(`${topic}-0`).length > 0 || undefined)
    const done = count() - before
    await notNow(bench)
    return done
  }
  const small = await reads('small')
  await set(bench, { 'log.cleaner.io.buffer.size': String(1 << 20) })
  const large = await reads('large')
  expect(small - large).toBeGreaterThan(250)
})

test('integration: config: a log that cannot be compacted is said to be so and left alone', async () => {
  const said: Line[] = []
  const log: LogSink = (_level, _scope, message, fields) => void said.push({ message, fields })
  await using bench = await Bench.start({
    config: {
      ...SOON,
      'log.cleaner.dedupe.buffer.size': MIB + 1,
      'log.cleaner.io.buffer.load.factor': 0.0001,
    },
    log,
  })
  await bench.createTopic('t', 1, { ...COMPACT, 'internal.segment.bytes': '400' })
  const records = Array.from({ length: 20 }, (_unused, at) => ({
    key: bytes(`${at}`),
    timestamp: 1,
  }))
  for (let i = 0; i < 2; i++) {
    expect((await bench.produce('t', encodeBatch({ records }))).errorCode).toBe(ErrorCode.NONE)
  }
  const line = await eventually(async () =>
    said.find(({ message }) => /cannot be compacted/.test(message)),
  )
  expect(line.fields).toMatchObject({ partition: 't-0', uncleanableCount: 1 })
  expect(await left(bench, 't', 40)).toHaveLength(40)
})
