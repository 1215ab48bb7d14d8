// What decides how long records and files stay, shown on a running broker: age, size, rolling by time, the pace of the
// rounds, the time that deleted files keep their blocks. The names are those that src/config's tables give.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import { DeleteTopics } from '../../../src/protocol/messages/topics.ts'
import { eventually } from '../support/eventually.ts'
import { Bench, batchOf, earliest } from '../support/harness.ts'

const HOUR = 3_600_000
/** Rounds as often as a test wants to see them. */
const SOON = { 'log.initial.task.delay.ms': 0, 'log.retention.check.interval.ms': 50 }
/** A batch a segment. */
const SPLIT = { 'internal.segment.bytes': '150' }

const own = (config: Record<string, string | number | boolean> = {}) =>
  Bench.start({ config: { ...SOON, ...config } })

/** Produces one batch of each age; each begins a segment where the topic splits. */
async function produceAges(bench: Bench, topic: string, ages: readonly number[]): Promise<void> {
  for (const age of ages) {
    const batch = batchOf(['x'.repeat(50)], { timestamp: Date.now() - age })
    expect((await bench.produce(topic, batch)).errorCode).toBe(ErrorCode.NONE)
  }
}

/** Waits until the log starts there. */
const starts = (bench: Bench, topic: string, offset: number) =>
  eventually(async () => (await earliest(bench.client, topic)) === offset || undefined)

let probes = 0

/** Two rounds have passed: topics of which something must go have lost it. */
async function rounds(bench: Bench): Promise<void> {
  for (const name of [`probe-${++probes}`, `probe-${++probes}`]) {
    await bench.createTopic(name, 1, { ...SPLIT, 'retention.ms': '1000' })
    await produceAges(bench, name, [HOUR, 0])
    await starts(bench, name, 1)
  }
}

const filesOf = (bench: Bench, partition: string, ending: string) => {
  const directory = join(bench.broker.directory, partition)
  return existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith(ending)) : []
}

async function setTopic(bench: Bench, name: string, changes: Record<string, string>) {
  const configs = Object.entries(changes).map(([key, value]) => ({
    name: key,
    configOperation: 0,
    value,
  }))
  const { responses } = await bench.client.ask(IncrementalAlterConfigs, 1, {
    resources: [{ resourceType: 2, resourceName: name, configs }],
  })
  expect(responses[0]!.errorCode).toBe(ErrorCode.NONE)
}

test('integration: config: old segments are deleted, at once when the setting changes', async () => {
  await using bench = await own()
  await bench.createTopic('t', 1, { ...SPLIT, 'retention.ms': '-1' })
  await bench.createTopic('kept', 1, { ...SPLIT, 'retention.ms': String(4 * HOUR) })
  for (const topic of ['t', 'kept']) await produceAges(bench, topic, [3 * HOUR, 2 * HOUR, 0])
  await rounds(bench)
  expect(await earliest(bench.client, 't')).toBe(0)
  await setTopic(bench, 't', { 'retention.ms': String(HOUR) })
  await starts(bench, 't', 2)
  expect((await bench.fetch('t', 1)).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
  expect((await bench.fetch('t', 2)).decoded).toHaveLength(1)
  expect(await earliest(bench.client, 'kept')).toBe(0)
  // Deleted by retention, but not where the policy only compacts.
  await setTopic(bench, 'kept', { 'cleanup.policy': 'compact', 'retention.ms': '1' })
  await rounds(bench)
  expect(await earliest(bench.client, 'kept')).toBe(0)
})

test('integration: config: the oldest segments of a large partition are deleted', async () => {
  await using bench = await own({ 'log.retention.bytes': 1 })
  await bench.createTopic('t', 1, SPLIT)
  await bench.createTopic('kept', 1, { ...SPLIT, 'retention.bytes': '-1' })
  await bench.createTopic('some', 1, { ...SPLIT, 'retention.bytes': '300' })
  for (const topic of ['t', 'kept', 'some']) await produceAges(bench, topic, [0, 0, 0, 0])
  await starts(bench, 't', 3)
  // A segment has some 125 bytes: two of four leave less than 300, three do not.
  await starts(bench, 'some', 1)
  await rounds(bench)
  expect(await earliest(bench.client, 'some')).toBe(1)
  expect(await earliest(bench.client, 'kept')).toBe(0)
})

test.each([
  ['log.retention.ms', 2 * HOUR],
  ['log.retention.minutes', 120],
  ['log.retention.hours', 2],
])('integration: config: %s: topics that say nothing keep records so long', async (key, value) => {
  await using bench = await own({ [key]: value })
  await bench.createTopic('t', 1, SPLIT)
  await produceAges(bench, 't', [3 * HOUR, HOUR, 0])
  await starts(bench, 't', 1)
  await rounds(bench)
  expect(await earliest(bench.client, 't')).toBe(1)
})

test('integration: config: retention is looked at after a first delay', async () => {
  await using bench = await Bench.start({ config: { 'log.retention.check.interval.ms': 50 } })
  await bench.createTopic('t', 1, { ...SPLIT, 'retention.ms': '1000' })
  await produceAges(bench, 't', [HOUR, 0])
  // Thirty seconds is Kafka's first delay; many of the short rounds would have passed by now.
  for (let asked = 0; asked < 20; asked++) {
    expect(await earliest(bench.client, 't')).toBe(0)
    await produceAges(bench, 't', [0])
  }
})

test('integration: config: files of what is gone wait before they leave the disk', async () => {
  await using bench = await own({ 'log.segment.delete.delay.ms': 2_000 })
  await bench.createTopic('soon', 1, {
    ...SPLIT,
    'retention.ms': '1000',
    'file.delete.delay.ms': '0',
  })
  await bench.createTopic('later', 1, { ...SPLIT, 'retention.ms': '1000' })
  await bench.createTopic('gone', 1, SPLIT)
  for (const topic of ['soon', 'later', 'gone']) await produceAges(bench, topic, [HOUR, 0])
  await starts(bench, 'later', 1)
  expect(filesOf(bench, 'later-0', '.log.deleted')).toHaveLength(1)
  await starts(bench, 'soon', 1)
  await eventually(async () => filesOf(bench, 'soon-0', '.deleted').length === 0 || undefined)
  await bench.client.ask(DeleteTopics, 1, { topicNames: ['gone'], timeoutMs: 10_000 })
  const going = () => filesOf(bench, '', '-delete').filter((name) => name.startsWith('gone-0.'))
  await eventually(async () => going().length === 1 || undefined)
  await eventually(async () => filesOf(bench, 'later-0', '.deleted').length === 0 || undefined)
  await eventually(async () => going().length === 0 || undefined)
})

test.each([
  [{}, { 'segment.ms': String(HOUR) }],
  [{ 'log.roll.ms': HOUR }, {}],
  [{ 'log.roll.hours': 1 }, {}],
])('integration: config: segments roll by age', async (broker, topic) => {
  await using bench = await own(broker)
  await bench.createTopic('t', 1, topic)
  await produceAges(bench, 't', [3 * HOUR, 2.5 * HOUR])
  expect(filesOf(bench, 't-0', '.log')).toHaveLength(1)
  await produceAges(bench, 't', [1.5 * HOUR, HOUR, 0])
  expect(filesOf(bench, 't-0', '.log')).toHaveLength(3)
})

test.each([
  [{}, { 'segment.jitter.ms': String(2 * HOUR) }],
  [{ 'log.roll.jitter.ms': 2 * HOUR }, {}],
  [{ 'log.roll.jitter.hours': 2 }, {}],
])('integration: config: segments of one age do not roll together', async (broker, topic) => {
  await using bench = await own(broker)
  const partitions = 12
  await bench.createTopic('t', partitions, { 'segment.ms': String(2 * HOUR), ...topic })
  for (const age of [HOUR, 0]) {
    for (let partition = 0; partition < partitions; partition++) {
      const batch = batchOf(['x'], { timestamp: Date.now() - age })
      await bench.produce('t', batch, { partition })
    }
  }
  const all = [...Array(partitions).keys()]
  const rolled = all.filter((index) => filesOf(bench, `t-${index}`, '.log').length > 1)
  // Each rolls with a chance of one half: all or none come once in two thousand runs.
  expect(rolled.length).toBeGreaterThan(0)
  expect(rolled.length).toBeLessThan(partitions)
})

test('integration: config: checkpoints are written at their paces', async () => {
  const paces = {
    'recovery-point-offset-checkpoint': { 'log.flush.offset.checkpoint.interval.ms': 50 },
    'log-start-offset-checkpoint': { 'log.flush.start.offset.checkpoint.interval.ms': 50 },
    'replication-offset-checkpoint': { 'replica.high.watermark.checkpoint.interval.ms': 50 },
  }
  const slow = {
    'log.flush.offset.checkpoint.interval.ms': HOUR,
    'log.flush.start.offset.checkpoint.interval.ms': HOUR,
    'replica.high.watermark.checkpoint.interval.ms': HOUR,
  }
  for (const [file, pace] of Object.entries(paces)) {
    await using bench = await own({ ...slow, ...pace })
    await bench.createTopic('t')
    await produceAges(bench, 't', [0])
    const path = (name: string) => join(bench.broker.directory, name)
    await eventually(
      async () =>
        (existsSync(path(file)) && readFileSync(path(file), 'utf8').includes('t 0 ')) || undefined,
    )
    for (const other of Object.keys(paces))
      if (other !== file) expect(existsSync(path(other))).toBe(false)
  }
})
