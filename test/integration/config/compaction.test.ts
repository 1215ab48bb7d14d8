// What decides whether and when a log is compacted, shown on a running broker. The names are those that src/config's
// tables give.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { encodeBatch } from '../../../src/protocol/record_batch.ts'
import { eventually } from '../support/eventually.ts'
import { Bench } from '../support/harness.ts'

const HOUR = 3_600_000
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
  await bench.createTopic('t', 1, COMPACT)
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
