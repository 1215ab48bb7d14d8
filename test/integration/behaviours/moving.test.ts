// Replicas that move between log directories of a running broker: producers and consumers go on, nothing is lost or
// there twice, and a stop at any moment is gone on with by the next start.

import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { AlterReplicaLogDirs, DescribeLogDirs } from '../../../src/protocol/messages/cluster.ts'
import { IncrementalAlterConfigs } from '../../../src/protocol/messages/configs.ts'
import { DeleteTopics } from '../../../src/protocol/messages/topics.ts'
import { encodeBatch } from '../../../src/protocol/record_batch.ts'
import { eventually } from '../support/eventually.ts'
import { Bench, batchOf } from '../support/harness.ts'

const { NONE, NOT_LEADER_OR_FOLLOWER } = ErrorCode

class Disks implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'ottla-moving-'))
  readonly a = join(this.root, 'a')
  readonly b = join(this.root, 'b')

  start(config: Record<string, string | number | boolean> = {}): Promise<Bench> {
    return Bench.start({ config: { 'log.dirs': `${this.a},${this.b}`, ...config } })
  }

  /** The directories, by name, that hold something of a topic: `a/t-0`, `b/t-0.future`. */
  of(topic: string): string[] {
    return ['a', 'b'].flatMap((disk) =>
      readdirSync(join(this.root, disk))
        .filter((name) => name.startsWith(`${topic}-`) && !name.endsWith('-delete'))
        .map((name) => `${disk}/${name.replace(/\.[^-]+-/, '.')}`),
    )
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true })
  }
}

async function alter(bench: Bench, path: string, topic: string, partitions = [0]) {
  const { results } = await bench.client.ask(AlterReplicaLogDirs, 2, {
    dirs: [{ path, topics: [{ name: topic, partitions }] }],
  })
  return results[0]!.partitions.map(({ errorCode }) => errorCode)
}

/** Each replica of a topic: its directory's path, and whether it is a future one, with its lag. */
async function replicas(bench: Bench, topic: string) {
  const { results } = await bench.client.ask(DescribeLogDirs, 4, { topics: null })
  return results.flatMap(({ logDir, topics }) =>
    topics
      .filter(({ name }) => name === topic)
      .flatMap(({ partitions }) =>
        partitions.map(({ isFutureKey, offsetLag }) => ({ logDir, isFutureKey, offsetLag })),
      ),
  )
}

/** Until the only replica of the topic is there. */
function arrived(bench: Bench, topic: string, path: string) {
  return eventually(async () => {
    const found = await replicas(bench, topic)
    const isThere = found.length === 1 && found[0]!.logDir === path && !found[0]!.isFutureKey
    return isThere ? true : undefined
  }, 30_000)
}

/** Where the topic's partition 0 lies, and where it does not. */
async function sides(bench: Bench, topic: string, disks: Disks) {
  const found = await replicas(bench, topic)
  return found[0]!.logDir === disks.a ? [disks.a, disks.b] : [disks.b, disks.a]
}

const textOf = (n: number) => `value ${n} ${'x'.repeat(3000)}`

/** Writes numbered records one by one, as an idempotent producer does, until it is told to end. */
function producing(bench: Bench, topic: string) {
  const state = { isEnding: false, count: 0, refused: 0 }
  const ended = (async () => {
    while (!state.isEnding) {
      const batch = encodeBatch({
        producerId: 7,
        producerEpoch: 0,
        baseSequence: state.count,
        records: [{ value: new TextEncoder().encode(textOf(state.count)) }],
      })
      const { errorCode } = await bench.produce(topic, batch)
      if (errorCode === NONE) state.count++
      else {
        expect(errorCode).toBe(NOT_LEADER_OR_FOLLOWER)
        state.refused++
      }
    }
  })()
  return {
    state,
    async end() {
      state.isEnding = true
      await ended
      return state.count
    },
  }
}

/** Reads numbered records, and that each comes once and in order, until there are so many. */
async function consume(bench: Bench, topic: string, until: () => number | null) {
  const client = await bench.connect()
  const own = Object.assign(Object.create(bench) as Bench, { client })
  let next = 0
  for (;;) {
    const end = until()
    if (end !== null && next >= end) return next
    const { errorCode, decoded } = await own.fetch(topic, next, { maxWaitMs: 50 })
    if (errorCode !== NONE) {
      expect(errorCode).toBe(NOT_LEADER_OR_FOLLOWER)
      continue
    }
    for (const { value } of decoded) {
      expect(new TextDecoder().decode(value!)).toBe(textOf(next))
      next++
    }
  }
}

test('a replica moves there and back under a producer and a consumer: no gap, no repeat', async () => {
  using disks = new Disks()
  let count = 0
  {
    await using bench = await disks.start()
    await bench.createTopic('live', 1, { 'segment.bytes': '1048576' })
    const [from, to] = await sides(bench, 'live', disks)
    const producer = producing(bench, 'live')
    let end: number | null = null
    const consumer = consume(bench, 'live', () => end)
    await eventually(async () => (producer.state.count > 500 ? true : undefined))
    for (const path of [to!, from!, to!]) {
      const before = producer.state.count
      expect(await alter(bench, path, 'live')).toEqual([NONE])
      await arrived(bench, 'live', path)
      await eventually(async () => (producer.state.count > before + 100 ? true : undefined))
    }
    count = await producer.end()
    end = count
    expect(await consumer).toBe(count)
    await eventually(async () => (disks.of('live').length === 1 ? true : undefined))
    expect(disks.of('live')).toEqual([`${to === disks.a ? 'a' : 'b'}/live-0`])
  }
  // The next start finds it where the metadata says it is.
  await using bench = await disks.start()
  expect(await consume(bench, 'live', () => count)).toBe(count)
})

test('a move ends without a trace when the replica is asked back; refusals', async () => {
  using disks = new Disks()
  await using bench = await disks.start()
  await bench.createTopic('back', 1)
  await bench.produce('back', batchOf(['kept']))
  const [from, to] = await sides(bench, 'back', disks)
  const [there, back] = await Promise.all([alter(bench, to!, 'back'), alter(bench, from!, 'back')])
  expect([there, back]).toEqual([[NONE], [NONE]])
  await eventually(async () => ((await replicas(bench, 'back')).length === 1 ? true : undefined))
  await alter(bench, from!, 'back')
  await arrived(bench, 'back', from!)
  await eventually(async () => (disks.of('back').length === 1 ? true : undefined))
  expect((await bench.fetch('back', 0)).decoded).toHaveLength(1)

  expect(await alter(bench, '/elsewhere', 'back')).toEqual([ErrorCode.LOG_DIR_NOT_FOUND])
  expect(await alter(bench, to!, 'back', [3])).toEqual([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
  expect(await alter(bench, to!, 'nobody')).toEqual([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
})

test('a topic that is deleted takes its moves along', async () => {
  using disks = new Disks()
  await using bench = await disks.start()
  await bench.createTopic('going', 4)
  for (let partition = 0; partition < 4; partition++) {
    await bench.produce('going', batchOf(['x']), { partition })
  }
  await Promise.all([disks.a, disks.b].map((path) => alter(bench, path, 'going', [0, 1, 2, 3])))
  await bench.client.ask(DeleteTopics, 6, {
    topics: [{ name: 'going' }],
    timeoutMs: 10_000,
  })
  const left = () => [...disks.of('going')]
  await eventually(async () => {
    expect(left()).toEqual([])
    return true
  }, 10_000)
})

test('a start goes on with a copy it finds, and takes it when the log it was made from is lost', async () => {
  using disks = new Disks()
  let [from, to] = ['', '']
  {
    await using bench = await disks.start()
    await bench.createTopic('found', 1)
    for (let n = 0; n < 20; n++) await bench.produce('found', batchOf([textOf(n)]))
    ;[from, to] = (await sides(bench, 'found', disks)) as [string, string]
    expect(await alter(bench, to, 'found')).toEqual([NONE])
    await arrived(bench, 'found', to)
  }
  // As if it had ended between the controller's word and the swap.
  const future = `found-0.${'0123456789abcdef'.repeat(2)}-future`
  renameSync(join(to, 'found-0'), join(to, future))
  {
    await using bench = await disks.start()
    expect((await bench.fetch('found', 0)).decoded).toHaveLength(20)
    expect(await alter(bench, from, 'found')).toEqual([NONE])
    await arrived(bench, 'found', from)
    await bench.produce('found', batchOf([textOf(20)]))
  }
  // As if it had ended while it copied: nothing of it is there yet.
  renameSync(join(from, 'found-0'), join(to, 'found-0'))
  const early = join(from, future)
  cpSync(join(to, 'found-0'), early, { recursive: true })
  truncateSync(join(early, '00000000000000000000.log'), 700)
  await using bench = await disks.start()
  await arrived(bench, 'found', from)
  expect(existsSync(early)).toBe(false)
  expect(await consume(bench, 'found', () => 21)).toBe(21)
})

test('integration: config: so many replicas move at a time as there are threads', async () => {
  using disks = new Disks()
  await using bench = await disks.start({ 'num.replica.alter.log.dirs.threads': 1 })
  await bench.createTopic('many', 6)
  const paths = [disks.a, disks.b]
  for (const path of paths) {
    expect(await alter(bench, path, 'many', [0, 1, 2, 3, 4, 5])).toEqual(Array(6).fill(NONE))
    await eventually(async () => {
      const found = await replicas(bench, 'many')
      const isDone = found.every(({ logDir, isFutureKey }) => logDir === path && !isFutureKey)
      return found.length === 6 && isDone ? true : undefined
    }, 30_000)
  }
})

async function limit(bench: Bench, bytesPerSecond: number | null) {
  const name = 'replica.alter.log.dirs.io.max.bytes.per.second'
  const value = bytesPerSecond === null ? null : String(bytesPerSecond)
  const configs = [{ name, configOperation: value === null ? 1 : 0, value }]
  const { responses } = await bench.client.ask(IncrementalAlterConfigs, 1, {
    resources: [{ resourceType: 4, resourceName: '', configs }],
  })
  expect(responses[0]).toMatchObject({ errorCode: NONE })
}

test('integration: config: replicas that move keep their rate', async () => {
  using disks = new Disks()
  await using bench = await disks.start()
  // Segments end steps early: that is no sign of an end that is near.
  await bench.createTopic('slow', 1, { 'internal.segment.bytes': '300000' })
  for (let n = 0; n < 60; n++) await bench.produce('slow', batchOf([textOf(n).repeat(10)]))
  const [, to] = await sides(bench, 'slow', disks)
  await limit(bench, 1)
  expect(await alter(bench, to!, 'slow')).toEqual([NONE])
  await eventually(async () => {
    const future = (await replicas(bench, 'slow')).find(({ isFutureKey }) => isFutureKey)
    return future !== undefined && future.offsetLag < 60 ? true : undefined
  })
  const began = performance.now()
  await limit(bench, 800_000)
  await arrived(bench, 'slow', to!)
  // 1.8 MB, less a last mebibyte that nobody waits for.
  expect(performance.now() - began).toBeGreaterThan(700)
  expect(await consumeAll(bench)).toBe(60)
})

async function consumeAll(bench: Bench): Promise<number> {
  let next = 0
  for (;;) {
    const { decoded } = await bench.fetch('slow', next)
    if (decoded.length === 0) return next
    next += decoded.length
  }
}
