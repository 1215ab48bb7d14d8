// Several log directories on real disks: one that vanishes under a running broker takes only its own partitions along,
// one that is missing at a start does too, and what was in it is there again when it is back.

import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { FindCoordinator } from '../../../src/protocol/messages/classic_group.ts'
import { DescribeLogDirs } from '../../../src/protocol/messages/cluster.ts'
import { IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import { Metadata } from '../../../src/protocol/messages/metadata.ts'
import { ListOffsets } from '../../../src/protocol/messages/offsets.ts'
import { eventually } from '../support/eventually.ts'
import { Bench, batchOf } from '../support/harness.ts'

const { KAFKA_STORAGE_ERROR, NONE } = ErrorCode

/** Directories `a` (the metadata log's) and `b`, and brokers on them. */
class Disks implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'ottla-disks-'))
  readonly a = join(this.root, 'a')
  readonly b = join(this.root, 'b')

  start(config: Record<string, string | number | boolean> = {}): Promise<Bench> {
    return Bench.start({
      config: {
        'log.dirs': `${this.a},${this.b}`,
        'offsets.topic.num.partitions': 4,
        // Checkpoints are what writes to a directory in which nothing else happens.
        'replica.high.watermark.checkpoint.interval.ms': 50,
        ...config,
      },
    })
  }

  /** The disk is pulled, and put back. */
  pull(disk = this.b): void {
    renameSync(disk, `${disk}.pulled`)
  }

  restore(): void {
    renameSync(`${this.b}.pulled`, this.b)
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true })
  }
}

const partitionsIn = (directory: string, topic: string) =>
  readdirSync(directory).flatMap((name) => {
    const found = new RegExp(`^${topic}-(\\d+)$`).exec(name)
    return found === null ? [] : [Number(found[1])]
  })

async function leadersOf(bench: Bench, topic: string) {
  const { topics } = await bench.client.ask(Metadata, 9, { topics: [{ name: topic }] })
  const { partitions } = topics[0]!
  return new Map(partitions.map((one) => [one.partitionIndex, one]))
}

/** Until the controller knows, and everybody it tells. */
function leaderless(bench: Bench, topic: string, partition: number) {
  return eventually(async () => {
    const { leaderId, offlineReplicas } = (await leadersOf(bench, topic)).get(partition)!
    return leaderId === -1 ? offlineReplicas : undefined
  })
}

test('a directory that vanishes takes only its partitions along, and says so', async () => {
  using disks = new Disks()
  {
    await using bench = await disks.start()
    await bench.createTopic('spread', 4)
    for (let partition = 0; partition < 4; partition++) {
      expect((await bench.produce('spread', batchOf(['kept']), { partition })).errorCode).toBe(NONE)
    }
    const [lost, safe] = [partitionsIn(disks.b, 'spread'), partitionsIn(disks.a, 'spread')]
    expect([lost.length, safe.length]).toEqual([2, 2])
    disks.pull()
    expect(await leaderless(bench, 'spread', lost[0]!)).toEqual([bench.broker.nodeId])
    for (const partition of lost) {
      const answer = await bench.produce('spread', batchOf(['x']), { partition })
      expect(answer.errorCode).toBe(KAFKA_STORAGE_ERROR)
      expect((await bench.fetch('spread', 0, { partition })).errorCode).toBe(KAFKA_STORAGE_ERROR)
    }
    const { topics } = await bench.client.ask(ListOffsets, 7, {
      replicaId: -1,
      topics: [{ name: 'spread', partitions: [{ partitionIndex: lost[0]!, timestamp: -1n }] }],
    })
    expect(topics[0]!.partitions[0]!.errorCode).toBe(KAFKA_STORAGE_ERROR)
    for (const partition of safe) {
      const answer = await bench.produce('spread', batchOf(['on']), { partition })
      expect(answer).toMatchObject({ errorCode: NONE, baseOffset: 1 })
    }
    const { results } = await bench.client.ask(DescribeLogDirs, 4, { topics: null })
    expect(results.map(({ errorCode, topics }) => [errorCode, topics.length])).toEqual([
      [NONE, 1],
      [KAFKA_STORAGE_ERROR, 0],
    ])
    // New ones go where there is a disk.
    await bench.createTopic('after', 3)
    expect(partitionsIn(disks.a, 'after')).toEqual([0, 1, 2])
  }
  // It stays missing over a restart: nothing is made anew elsewhere.
  {
    await using bench = await disks.start()
    const lost = partitionsIn(`${disks.b}.pulled`, 'spread')
    expect((await leadersOf(bench, 'spread')).get(lost[0]!)!.leaderId).toBe(-1)
    const answer = await bench.produce('spread', batchOf(['x']), { partition: lost[0]! })
    expect(answer.errorCode).toBe(KAFKA_STORAGE_ERROR)
    expect(partitionsIn(disks.a, 'spread')).toHaveLength(2)
  }
  disks.restore()
  {
    await using bench = await disks.start()
    for (let partition = 0; partition < 4; partition++) {
      const { decoded } = await bench.fetch('spread', 0, { partition })
      expect(new TextDecoder().decode(decoded[0]!.value!)).toBe('kept')
    }
  }
})

test('groups whose partition was in a failed directory have no coordinator; the others do', async () => {
  using disks = new Disks()
  await using bench = await disks.start()
  const coordinatorOf = async (key: string) => {
    const { coordinators } = await bench.client.ask(FindCoordinator, 4, {
      keyType: 0,
      coordinatorKeys: [key],
    })
    return coordinators[0]!.errorCode
  }
  await eventually(async () => ((await coordinatorOf('any')) === NONE ? true : undefined))
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  disks.pull()
  await leaderless(
    bench,
    '__consumer_offsets',
    partitionsIn(`${disks.b}.pulled`, '__consumer_offsets')[0]!,
  )
  const codes = new Set(await Promise.all(names.map(coordinatorOf)))
  expect(codes).toEqual(new Set([NONE, ErrorCode.COORDINATOR_NOT_AVAILABLE]))
})

/** A broker whose end is waited for. */
async function mortal(config: Record<string, string>) {
  const ended = Promise.withResolvers<Error>()
  const settings = {
    ...config,
    'replica.high.watermark.checkpoint.interval.ms': 50,
    // Nobody is left to be told.
    'controlled.shutdown.enable': false,
  }
  const bench = await Bench.start({ config: settings, onFatal: ended.resolve })
  await bench.createTopic('here', 1)
  return { bench, ended: ended.promise }
}

test('the last directory ends the node', async () => {
  using disks = new Disks()
  const { bench, ended } = await mortal({ 'metadata.log.dir': disks.a, 'log.dirs': disks.b })
  disks.pull()
  await bench.produce('here', batchOf(['x']))
  expect((await ended).message).toBe('all log directories have failed')
  await bench[Symbol.asyncDispose]()
})

test('the directory of the metadata log ends the node', async () => {
  using disks = new Disks()
  const { bench, ended } = await mortal({ 'log.dirs': `${disks.a},${disks.b}` })
  disks.pull(disks.a)
  await bench.produce('here', batchOf(['x']))
  expect((await ended).message).toMatch(/^the directory of the metadata log has failed: /)
  await bench[Symbol.asyncDispose]()
})

test('a directory of the metadata log alone ends the node, though nothing is written to it', async () => {
  using disks = new Disks()
  const { bench, ended } = await mortal({ 'metadata.log.dir': disks.a, 'log.dirs': disks.b })
  disks.pull(disks.a)
  expect((await ended).message).toMatch(/^the directory of the metadata log has failed: /)
  await bench[Symbol.asyncDispose]()
})

const BROKER = 4
const SET = 0

test('integration: config: cordoned directories get no new partitions', async () => {
  using disks = new Disks()
  await using bench = await disks.start({ 'cordoned.log.dirs': disks.a })
  const cordon = async (value: string) => {
    const configs = [{ name: 'cordoned.log.dirs', configOperation: SET, value }]
    const { responses } = await bench.client.ask(IncrementalAlterConfigs, 1, {
      resources: [{ resourceType: BROKER, resourceName: String(bench.broker.nodeId), configs }],
      validateOnly: false,
    })
    return responses[0]!.errorCode
  }
  /** A directory that does not exist is refused for its factor, when the controller knows. */
  const create = (name: string) =>
    bench.createTopic(name, 2).then(
      () => 'created',
      (problem: Error) => problem.message.slice(0, name.length + 80),
    )
  const cordonedNow = async () => {
    const { results } = await bench.client.ask(DescribeLogDirs, 5, { topics: null })
    return results.map(({ isCordoned }) => isCordoned)
  }
  expect(await cordonedNow()).toEqual([true, false])
  await bench.createTopic('first', 3)
  expect(partitionsIn(disks.b, 'first')).toEqual([0, 1, 2])
  expect(await cordon(`${disks.b}/elsewhere`)).toBe(ErrorCode.INVALID_REQUEST)
  expect(await cordon('*')).toBe(NONE)
  await eventually(async () => ((await cordonedNow()).every(Boolean) ? true : undefined))
  const refusal = await eventually(async () => {
    const outcome = await create(`t${Math.random().toString(36).slice(2)}`)
    return outcome === 'created' ? undefined : outcome
  })
  expect(refusal).toMatch(/INVALID_REPLICATION_FACTOR/)
  // What is there goes on.
  expect((await bench.produce('first', batchOf(['x']))).errorCode).toBe(NONE)
  expect(await cordon(disks.b)).toBe(NONE)
  await eventually(async () => ((await create('last')) === 'created' ? true : undefined))
  expect(partitionsIn(disks.a, 'last')).toEqual([0, 1])
})
