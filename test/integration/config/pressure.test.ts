// What a disk that is short of room means on a running broker. Marks that lie above all that a disk has make it so on
// any machine; test/integration/crash/small_disk.slow.ts does it with a disk that fills. The names are those that
// src/config's tables give.

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { FindCoordinator } from '../../../src/protocol/messages/classic_group.ts'
import { IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import { DeleteRecords, OffsetCommit, OffsetFetch } from '../../../src/protocol/messages/offsets.ts'
import { DeleteTopics } from '../../../src/protocol/messages/topics.ts'
import {
  AddPartitionsToTxn,
  EndTxn,
  InitProducerId,
} from '../../../src/protocol/messages/transaction.ts'
import { callsAgainst } from '../cli/ottla.ts'
import { eventually } from '../support/eventually.ts'
import { Bench, batchOf, earliest } from '../support/harness.ts'

const { NONE, KAFKA_STORAGE_ERROR } = ErrorCode
const HOUR = 3_600_000
/** More than any disk has. */
const EVERYTHING = '1000000000000000'
const RESERVE = { 'ottla.log.dir.reserve.bytes': EVERYTHING }
const LOW = { 'ottla.log.dir.reserve.bytes': '0', 'ottla.log.dir.low.bytes': EVERYTHING }
const WHOLE_DISK = { 'ottla.log.dir.reserve.max.percent': 100 }
/** A batch a segment. */
const SPLIT = { 'internal.segment.bytes': '150' }

async function setAll(bench: Bench, changes: Record<string, string | null>): Promise<void> {
  const configs = Object.entries(changes).map(([name, value]) => ({
    name,
    configOperation: value === null ? 1 : 0,
    value,
  }))
  const { responses } = await bench.client.ask(IncrementalAlterConfigs, 1, {
    resources: [{ resourceType: 4, resourceName: '', configs }],
  })
  expect(responses[0]!.errorMessage).toBe(null)
}

/** Waits until a produce of this topic ends so, and says how it did. */
const producing = (bench: Bench, topic: string, errorCode: number) =>
  eventually(async () => {
    const answer = await bench.produce(topic, batchOf(['x'.repeat(50)]))
    return answer.errorCode === errorCode ? answer : undefined
  })

/** Asks until the coordinator is there. */
async function coordinated<T extends { errorCode: number }>(ask: () => Promise<T>): Promise<T> {
  const passing: readonly number[] = [
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.CONCURRENT_TRANSACTIONS,
  ]
  return eventually(async () => {
    const answer = await ask()
    return passing.includes(answer.errorCode) ? undefined : answer
  })
}

test('integration: config: clients leave the reserve of a disk to the broker', async () => {
  await using bench = await Bench.start({ config: WHOLE_DISK })
  const { client } = bench
  await bench.createTopic('log', 1, SPLIT)
  await bench.createTopic('doomed')
  for (let i = 0; i < 3; i++) await producing(bench, 'log', NONE)
  await setAll(bench, RESERVE)
  const refused = await producing(bench, 'log', KAFKA_STORAGE_ERROR)
  expect(refused.errorMessage).toMatch(/no room/)
  const told = await callsAgainst(bench.broker.address)(['cluster', 'log-dirs', '--json'])
  expect(JSON.parse(told.stdout)).toMatchObject([{ room: 'full' }])
  expect(told.stderr).toMatch(/produce is refused until/)
  // The disk is looked at beside the answer: some may have been written before.
  const { errorCode, highWatermark } = await bench.fetch('log', 0)
  expect(errorCode).toBe(NONE)

  // The coordinators' topics are made now, and written.
  const find = (keyType: number, key: string) => () =>
    client
      .ask(FindCoordinator, 4, { keyType, coordinatorKeys: [key] })
      .then((it) => it.coordinators[0]!)
  expect((await coordinated(find(0, 'readers'))).errorCode).toBe(NONE)
  const committed = await coordinated(async () => {
    const { topics } = await client.ask(OffsetCommit, 8, {
      groupId: 'readers',
      generationIdOrMemberEpoch: -1,
      topics: [{ name: 'log', partitions: [{ partitionIndex: 0, committedOffset: 2n }] }],
    })
    return topics[0]!.partitions[0]!
  })
  expect(committed.errorCode).toBe(NONE)
  expect((await coordinated(find(1, 'tx'))).errorCode).toBe(NONE)
  const who = await coordinated(() =>
    client.ask(InitProducerId, 4, { transactionalId: 'tx', transactionTimeoutMs: 60_000 }),
  )
  expect(who.errorCode).toBe(NONE)
  const { producerId, producerEpoch } = who
  await client.ask(AddPartitionsToTxn, 3, {
    v3AndBelowTransactionalId: 'tx',
    v3AndBelowProducerId: producerId,
    v3AndBelowProducerEpoch: producerEpoch,
    v3AndBelowTopics: [{ name: 'log', partitions: [0] }],
  })
  const ended = { transactionalId: 'tx', producerId, producerEpoch, committed: true }
  expect((await coordinated(() => client.ask(EndTxn, 3, ended))).errorCode).toBe(NONE)

  // What gives room back is done at once, without file.delete.delay.ms.
  const directory = join(bench.broker.directory, 'log-0')
  const { topics } = await client.ask(DeleteRecords, 2, {
    topics: [{ name: 'log', partitions: [{ partitionIndex: 0, offset: 2n }] }],
    timeoutMs: 5000,
  })
  expect(topics[0]!.partitions[0]!).toMatchObject({ errorCode: NONE, lowWatermark: 2 })
  await eventually(async () =>
    readdirSync(directory).some((name) => name.endsWith('.deleted')) ? undefined : true,
  )
  await client.ask(DeleteTopics, 5, { topicNames: ['doomed'], timeoutMs: 10_000 })
  await eventually(async () =>
    readdirSync(bench.broker.directory).some((name) => name.startsWith('doomed'))
      ? undefined
      : true,
  )
  expect(existsSync(directory)).toBe(true)

  // New topics are made, and wait for room as all others do.
  await bench.createTopic('next')
  expect((await bench.produce('next', batchOf(['a']))).errorCode).toBe(KAFKA_STORAGE_ERROR)
  await setAll(bench, { 'ottla.log.dir.reserve.bytes': null })
  await setAll(bench, { 'ottla.log.dir.reserve.bytes': '0' })
  // The marker took an offset.
  expect(await producing(bench, 'log', NONE)).toMatchObject({ baseOffset: highWatermark + 1 })
  expect((await producing(bench, 'next', NONE)).baseOffset).toBe(0)
  const { topics: fetched } = await client.ask(OffsetFetch, 5, {
    groupId: 'readers',
    topics: [{ name: 'log', partitionIndexes: [0] }],
  })
  expect(fetched[0]!.partitions[0]!.committedOffset).toBe(2n)
})

test('a broker that starts on a disk without room refuses from its first request on', async () => {
  await using bench = await Bench.start({ config: { ...WHOLE_DISK, ...RESERVE } })
  await bench.createTopic('log')
  expect((await bench.produce('log', batchOf(['a']))).errorCode).toBe(KAFKA_STORAGE_ERROR)
})

/** One batch of each age, each a segment; the last one is active. */
async function produceAges(bench: Bench, topic: string, ages: readonly number[]): Promise<void> {
  for (const age of ages) {
    const batch = batchOf(['x'.repeat(50)], { timestamp: Date.now() - age })
    expect((await bench.produce(topic, batch)).errorCode).toBe(NONE)
  }
}

const starts = (bench: Bench, topic: string, offset: number) =>
  eventually(async () => (await earliest(bench.client, topic)) === offset || undefined)

test('integration: config: a low disk loses the segments that are due first', async () => {
  await using bench = await Bench.start({ config: WHOLE_DISK })
  const AGES = [9 * HOUR, 5 * HOUR, HOUR, 0]
  const early = (ms: number) => ({ 'ottla.early.retention.ms': String(ms) })
  const topics: Record<string, Record<string, string>> = {
    plain: {},
    all: early(0),
    old: early(3 * HOUR),
    'kept for ever': { ...early(0), 'retention.ms': '-1' },
    compacted: { ...early(0), 'cleanup.policy': 'compact' },
    never: early(-1),
  }
  const nameOf = (name: string) => name.replaceAll(' ', '.')
  for (const [name, settings] of Object.entries(topics)) {
    await bench.createTopic(nameOf(name), 1, { ...SPLIT, ...settings })
    if (name === 'compacted') continue
    await produceAges(bench, nameOf(name), AGES)
  }
  for (const age of AGES) {
    const key = new TextEncoder().encode('k')
    const record = { key, value: new Uint8Array(50), timestamp: Date.now() - age }
    expect((await bench.produce('compacted', batchOf([record]))).errorCode).toBe(NONE)
  }
  await setAll(bench, LOW)
  await starts(bench, 'all', 3)
  await starts(bench, 'old', 2)
  const untouched = ['plain', 'kept.for.ever', 'compacted', 'never']
  const first = () => Promise.all(untouched.map((topic) => earliest(bench.client, topic)))
  expect(await first()).toEqual([0, 0, 0, 0])
  // For all topics that say nothing themselves.
  await setAll(bench, { 'ottla.log.early.retention.ms': String(4 * HOUR) })
  await starts(bench, 'plain', 2)
  expect(await first()).toEqual([2, 0, 0, 0])
  expect((await bench.produce('plain', batchOf(['on']))).errorCode).toBe(NONE)
})

test('a disk that has only the metadata log is watched, and room is held on it', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-metadata-'))
  const said: string[] = []
  {
    await using bench = await Bench.start({
      config: { ...WHOLE_DISK, 'metadata.log.dir': directory },
      log: (_level, _scope, message, fields) => {
        if (fields['directory'] === directory) said.push(message)
      },
    })
    await setAll(bench, RESERVE)
    await eventually(async () => said.some((it) => /metadata log is low/.test(it)) || undefined)
    // It is said, not enforced: what ends it must be written too.
    await setAll(bench, { 'ottla.log.dir.reserve.bytes': null })
    await eventually(async () => said.some((it) => /room again/.test(it)) || undefined)
    const isHeld = () => existsSync(join(directory, '.ottla_held_room'))
    await eventually(async () => isHeld() || undefined, 15_000)
  }
  rmSync(directory, { recursive: true })
})
