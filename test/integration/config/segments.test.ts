// A topic's segment settings changed while it is written to: the next batches meet them, as in Apache Kafka, and what
// is written stays as it is. Each test sees files: how many segments, how large their indexes, how many blocks.

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import { eventually } from '../support/eventually.ts'
import { Bench, batchOf } from '../support/harness.ts'

const TOPIC = 2
const HOUR = 3_600_000

async function alter(bench: Bench, changes: Readonly<Record<string, string>>): Promise<void> {
  const configs = Object.entries(changes).map(([name, value]) => ({
    name,
    configOperation: 0,
    value,
  }))
  const { responses } = await bench.client.ask(IncrementalAlterConfigs, 1, {
    resources: [{ resourceType: TOPIC, resourceName: 't', configs }],
  })
  expect(responses[0]!.errorCode).toBe(ErrorCode.NONE)
}

async function put(bench: Bench, bytes: number, timestamp = Date.now()): Promise<void> {
  const { errorCode } = await bench.produce('t', batchOf(['x'.repeat(bytes)], { timestamp }))
  expect(errorCode).toBe(ErrorCode.NONE)
}

const directory = (bench: Bench): string => join(bench.broker.directory, 't-0')
const files = (bench: Bench, suffix: string): string[] =>
  readdirSync(directory(bench)).filter((name) => name.endsWith(suffix))
const segments = (bench: Bench): number => files(bench, '.log').length

/** Repeats `what`, each time a little more of it, until the log has more segments than it had. */
async function rolls(bench: Bench, what: () => Promise<void>): Promise<number> {
  const before = segments(bench)
  let times = 0
  await eventually(async () => {
    await what()
    times += 1
    return segments(bench) > before || undefined
  })
  return times
}

test('integration: config: live: segment.bytes rolls the segment that has grown past it', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('t')
  for (let i = 0; i < 6; i++) await put(bench, 300_000)
  expect(segments(bench)).toBe(1)
  await alter(bench, { 'segment.bytes': '1048576' })
  await rolls(bench, () => put(bench, 10))
})

test('integration: config: live: segment.ms rolls by the age of what is written', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('t')
  const now = Date.now()
  await put(bench, 10, now - 3 * HOUR)
  await put(bench, 10, now)
  expect(segments(bench)).toBe(1)
  await alter(bench, { 'segment.ms': String(HOUR) })
  await rolls(bench, () => put(bench, 10, now))
})

test('integration: config: live: segment.jitter.ms is drawn when the next segment begins', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('t', 1, { 'segment.ms': String(2 * HOUR) })
  let time = Date.now() - 80 * HOUR
  // A minute less than a segment's age: every second of these ends one.
  const eight = async (): Promise<number> => {
    const before = segments(bench)
    for (let i = 0; i < 8; i++) await put(bench, 10, (time += 2 * HOUR - 60_000))
    return segments(bench) - before
  }
  expect(await eight()).toBeLessThanOrEqual(4)
  await alter(bench, { 'segment.jitter.ms': String(2 * HOUR) })
  // The present segment has drawn none. For the others a minute of two hours is nearly always drawn: each ends one.
  await eight()
  expect(await eight()).toBeGreaterThan(5)
})

test('integration: config: live: index.interval.bytes sets how often entries are made', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('t', 1, { 'segment.ms': String(HOUR) })
  const now = Date.now()
  const indexOf = async (time: number) => {
    for (let i = 0; i < 20; i++) await put(bench, 10, time)
    const active = files(bench, '.log').sort().at(-1)!.replace('.log', '.index')
    await rolls(bench, () => put(bench, 10, time + 2 * HOUR))
    return statSync(join(directory(bench), active), { throwIfNoEntry: false })?.size ?? 0
  }
  expect(await indexOf(now - 9 * HOUR)).toBe(0)
  await alter(bench, { 'index.interval.bytes': '0' })
  expect(await indexOf(now - 7 * HOUR)).toBeGreaterThanOrEqual(8 * 15)
})

test('integration: config: live: segment.index.bytes rolls the segment whose index is full', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('t', 1, { 'index.interval.bytes': '0' })
  for (let i = 0; i < 10; i++) await put(bench, 10)
  expect(segments(bench)).toBe(1)
  await alter(bench, { 'segment.index.bytes': '64' })
  const first = await rolls(bench, () => put(bench, 10))
  expect(first).toBeLessThan(20)
  expect(await rolls(bench, () => put(bench, 10))).toBeLessThan(12)
})

test('integration: config: live: preallocate is the next segment’s', async () => {
  await using bench = await Bench.start()
  await bench.createTopic('t', 1, { 'segment.ms': String(HOUR), 'segment.bytes': '4194304' })
  const now = Date.now()
  const blocksOfNewest = () => {
    const newest = files(bench, '.log').sort().at(-1)!
    return statSync(join(directory(bench), newest)).blocks * 512
  }
  await put(bench, 10, now - 5 * HOUR)
  expect(blocksOfNewest()).toBeLessThan(4 << 20)
  await alter(bench, { preallocate: 'true' })
  await rolls(bench, () => put(bench, 10, now - 2 * HOUR))
  expect(blocksOfNewest()).toBeGreaterThanOrEqual(4 << 20)
})
