// The host of a coordinator shard, over a model plane in virtual time: what it appends, when it answers, and that a
// shard read back from its log is the shard that wrote it.

import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { encodeBatch } from '../../../src/protocol/record_batch.ts'
import type { TransactionMarker } from '../../../src/protocol/transaction_marker.ts'
import { type CounterRequest, CounterWorld } from './shard_world.ts'

const add = (name: string, by: number, padding = 0): CounterRequest => ({
  kind: 'add',
  name,
  by,
  padding,
})
const read = (name: string): CounterRequest => ({ kind: 'read', name })
const bytes = (text: string) => new TextEncoder().encode(text)

async function started(options: ConstructorParameters<typeof CounterWorld>[0] = {}) {
  const world = new CounterWorld(options)
  await world.open()
  return world
}

describe('shard host: requests', () => {
  it('decides in order, each request seeing those before it', async () => {
    const world = await started()
    const answers = [add('a', 1), add('a', 2), read('a')].map((request) =>
      world.watch(world.submit(request)),
    )
    await world.settle()
    expect(answers.map(({ value }) => value)).toEqual([{ total: 1 }, { total: 3 }, { total: 3 }])
  })

  it('the requests of one turn are one append', async () => {
    const world = await started()
    const before = world.appends.length
    for (let i = 0; i < 100; i++) void world.submit(add('a', 1))
    await world.settle()
    expect(world.appends.length - before).toBe(1)
    expect(world.plane.partition(1).logEndOffset).toBe(100)
  })

  it('replays records at the offsets that the log gives them', async () => {
    const world = await started()
    await world.ask(add('a', 1))
    void world.submit(add('b', 1))
    await world.ask(add('c', 1))
    expect(world.shard.offsets).toEqual([0, 1, 2])
    const again = await world.restart(1)
    expect(again.shard.offsets).toEqual([0, 1, 2])
  })

  it('answers older requests that waited', async () => {
    const world = await started()
    const waiting = world.watch(world.submit({ kind: 'watch', name: 'a' }))
    await world.settle()
    expect(waiting.value).toBe('waiting')
    await world.ask(add('a', 5))
    expect(waiting.value).toEqual({ total: 5 })
  })

  it('starts another batch where one is full', async () => {
    const world = await started({ batchBytesMax: 500 })
    const before = world.appends.length
    const answers = Array.from({ length: 8 }, () => world.watch(world.submit(add('a', 1, 100))))
    await world.settle()
    expect(answers.map(({ value }) => value)).toEqual(
      Array.from({ length: 8 }, (_, i) => ({ total: i + 1 })),
    )
    const sizes = world.appends.slice(before)
    expect(sizes.length).toBeGreaterThan(2)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500)
  })

  it('refuses what no batch can hold, and goes on', async () => {
    const world = await started({ batchBytesMax: 500 })
    await world.ask(add('a', 1))
    expect(await world.ask(add('a', 1, 600))).toBe(ErrorCode.MESSAGE_TOO_LARGE)
    expect(await world.ask(read('a'))).toEqual({ total: 1 })
    expect(world.shards.length).toBe(1)
  })

  it('reads the log back where a refusal may have left a trace', async () => {
    const world = await started({ batchBytesMax: 500 })
    await world.ask(add('a', 1))
    const together = world.watch(world.submit(add('b', 1)))
    expect(await world.ask(add('a', -1, 600))).toBe(ErrorCode.MESSAGE_TOO_LARGE)
    expect(together.value).toBe(ErrorCode.NOT_COORDINATOR)
    await world.advance(1000)
    expect(world.shards.length).toBe(2)
    expect(await world.ask(read('a'))).toEqual({ total: 1 })
    expect(await world.ask(read('b'))).toEqual({ total: null })
  })
})

describe('shard host: commit', () => {
  it('holds replies, reads too, until the high watermark covers them', async () => {
    const world = await started({ replicas: [1, 2] })
    const written = world.watch(world.submit(add('a', 1)))
    await world.settle()
    const seen = world.watch(world.submit(read('a')))
    await world.settle()
    expect([written.value, seen.value]).toEqual(['waiting', 'waiting'])
    world.plane.isr(1, 0, 1, [1])
    await world.settle()
    expect([written.value, seen.value]).toEqual([{ total: 1 }, { total: 1 }])
  })

  it('shard host: commit: gives up a reply whose replicas do not come', async () => {
    const world = await started({ replicas: [1, 2] })
    const written = world.watch(world.submit(add('a', 1)))
    await world.settle()
    await world.advance(4999)
    expect(written.value).toBe('waiting')
    await world.advance(1)
    expect(written.value).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    world.plane.isr(1, 0, 1, [1])
    await world.settle()
    expect(await world.ask(read('a'))).toEqual({ total: 1 })
  })

  it('refuses writes up front while the ISR is below its minimum; reads go on', async () => {
    let canCommit = true
    const world = await started({ canCommit: () => canCommit })
    await world.ask(add('a', 1))
    canCommit = false
    expect(await world.ask(add('a', 1))).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    expect(await world.ask(read('a'))).toEqual({ total: 1 })
    canCommit = true
    expect(await world.ask(add('a', 1))).toEqual({ total: 2 })
  })

  it('requests that come while an append is on its way are the next batch', async () => {
    const world = await started()
    world.isHeld = true
    const first = world.watch(world.submit(add('a', 1)))
    await world.settle()
    const later = [add('a', 1), add('a', 1)].map((request) => world.watch(world.submit(request)))
    await world.settle()
    expect(world.appends.length).toBe(1)
    world.isHeld = false
    world.plane.onDoorbell()
    await world.settle()
    expect(world.appends.length).toBe(2)
    expect([first, ...later].map(({ value }) => value)).toEqual([
      { total: 1 },
      { total: 2 },
      { total: 3 },
    ])
  })
})

describe('shard host: timers', () => {
  it('a timer decides when it is due, and its records are appended', async () => {
    const world = await started()
    await world.ask(add('a', 1))
    const atMs = world.clock.nowMs() + 100
    await world.ask({ kind: 'expireAt', name: 'a', atMs })
    await world.advance(99)
    expect(await world.ask(read('a'))).toEqual({ total: 1 })
    await world.advance(1)
    expect(await world.ask(read('a'))).toEqual({ total: null })
    expect((await world.restart(1)).shard.totals.size).toBe(0)
  })

  it('arming a timer again moves it, earlier and later', async () => {
    const world = await started()
    await world.ask(add('a', 1))
    const now = world.clock.nowMs()
    await world.ask({ kind: 'expireAt', name: 'a', atMs: now + 100 })
    await world.ask({ kind: 'expireAt', name: 'a', atMs: now + 200 })
    await world.advance(150)
    expect(world.shard.totals.has('a')).toBe(true)
    await world.ask({ kind: 'expireAt', name: 'a', atMs: now + 160 })
    await world.advance(10)
    expect(world.shard.totals.has('a')).toBe(false)
  })

  it('a request that is here before a late timer is heard first', async () => {
    const world = await started()
    await world.ask(add('a', 1))
    const now = world.clock.nowMs()
    await world.ask({ kind: 'expireAt', name: 'a', atMs: now + 100 })
    world.clock.advance(500)
    const kept = world.watch(
      world.submit({ kind: 'expireAt', name: 'a', atMs: world.clock.nowMs() + 100 }),
    )
    await world.advance(0)
    expect(kept.value).toEqual({ total: 1 })
    expect(world.shard.totals.has('a')).toBe(true)
  })

  it.each([3_600_000, -3_600_000])('a clock set by %s ms moves no deadline', async (jumpMs) => {
    const world = await started()
    const { clock } = world
    await world.ask(add('a', 1))
    await world.ask({ kind: 'expireAt', name: 'a', atMs: clock.nowMs() + 100 })
    clock.jump(clock.nowMs() + jumpMs)
    await world.advance(99)
    expect(await world.ask(read('a'))).toEqual({ total: 1 })
    await world.advance(1)
    expect(await world.ask(read('a'))).toEqual({ total: null })
  })

  it('while nothing can be committed timers wait', async () => {
    let canCommit = true
    const world = await started({ canCommit: () => canCommit })
    await world.ask(add('a', 1))
    await world.ask({ kind: 'expireAt', name: 'a', atMs: world.clock.nowMs() + 100 })
    canCommit = false
    await world.advance(5000)
    expect(world.shard.totals.has('a')).toBe(true)
    canCommit = true
    await world.advance(1000)
    expect(world.shard.totals.has('a')).toBe(false)
  })
})

describe('shard host: transactions', () => {
  const hold = (by: number, producerEpoch: number): CounterRequest => ({
    kind: 'hold',
    name: 'a',
    by,
    producer: { producerId: 7, producerEpoch },
  })
  const end = (producerEpoch: number, more: Partial<TransactionMarker> = {}): CounterRequest => ({
    kind: 'end',
    marker: {
      producerId: 7,
      producerEpoch,
      coordinatorEpoch: 0,
      isCommit: true,
      timestampMs: 0,
      transactionVersion: 0,
      ...more,
    },
  })
  const done = { total: null }
  const { INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED } = ErrorCode

  it('shard host: transactions: what one adds counts from its commit on, after a restart too', async () => {
    const world = await started()
    await world.ask(add('a', 1))
    expect(await world.ask(hold(1, 0))).toEqual({ total: 2 })
    expect(await world.ask(read('a'))).toEqual({ total: 1 })
    const open = await world.restart(1)
    expect(await open.ask(read('a'))).toEqual({ total: 1 })
    expect(await open.ask(end(0))).toEqual(done)
    expect(await open.ask(read('a'))).toEqual({ total: 2 })
    await open.ask(hold(5, 0))
    await open.ask(end(0, { isCommit: false }))
    const again = await open.restart(2)
    expect(await again.ask(read('a'))).toEqual({ total: 2 })
    expect(await again.ask(add('a', 1))).toEqual({ total: 3 })
  })

  it('shard host: transactions: a marker of the past ends nothing, and costs nobody the shard', async () => {
    const world = await started()
    await world.ask(hold(1, 3))
    expect(await world.ask(end(2))).toBe(INVALID_PRODUCER_EPOCH)
    expect(world.shard.held.size).toBe(1)
    expect(await world.ask(end(3, { coordinatorEpoch: 5 }))).toEqual(done)
    await world.ask(hold(1, 3))
    expect(await world.ask(end(3, { coordinatorEpoch: 4 }))).toBe(TRANSACTION_COORDINATOR_FENCED)
    expect(world.shard.held.size).toBe(1)
    expect(await world.ask(read('a'))).toEqual({ total: 1 })
    expect(world.shards.length).toBe(1)
    expect((await world.restart(1)).shard.held.size).toBe(1)
  })

  it('shard host: transactions: with an epoch for each, a marker that comes twice is written once', async () => {
    const world = await started()
    await world.ask(hold(1, 3))
    const marker = end(4, { transactionVersion: 2 })
    expect(await world.ask(marker)).toEqual(done)
    const { logEndOffset } = world.plane.partition(1)
    expect(await world.ask(marker)).toEqual(done)
    expect(world.plane.partition(1).logEndOffset).toBe(logEndOffset)
    // The next transaction is open by now.
    await world.ask(hold(1, 4))
    expect(await world.ask(marker)).toBe(INVALID_PRODUCER_EPOCH)
    expect(world.shard.held.size).toBe(1)
    expect(await world.ask(add('a', 5))).toEqual({ total: 6 })
    expect(world.shards.length).toBe(1)
  })

  it('shard host: transactions: what comes behind a marker sees what became of it', async () => {
    const world = await started()
    const asked = [
      hold(1, 1),
      end(0),
      read('a'),
      end(1),
      read('a'),
      add('a', 1),
      hold(1, 1),
      end(1),
    ]
    const answers = asked.map((request) => world.watch(world.submit(request)))
    await world.settle()
    expect(answers.map(({ value }) => value)).toEqual([
      { total: 1 },
      INVALID_PRODUCER_EPOCH,
      { total: null },
      done,
      { total: 1 },
      { total: 2 },
      { total: 3 },
      done,
    ])
    expect((await world.restart(1)).shard.totals.get('a')).toBe(3)
  })
})

describe('shard host: loading', () => {
  it('answers COORDINATOR_LOAD_IN_PROGRESS until the log was read', async () => {
    const world = await started()
    await world.ask(add('a', 1))
    const again = new CounterWorld({ disk: world.disk })
    world.plane.crash()
    await again.create()
    again.plane.lead({ slot: 1, leaderEpoch: 1, partitionEpoch: 1, replicas: [1], isr: [1] })
    again.registry.lead(0, 1, 1)
    const early = again.watch(again.submit(read('a')))
    await again.settle()
    expect(early.value).toBe(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    expect(await again.ask(read('a'))).toEqual({ total: 1 })
  })

  it('shard host: loading: is the same after a kill at every point, however small the reads', async () => {
    let world = await started({ loadBytes: 1 })
    let epoch = 0
    const totals = new Map<string, number>()
    for (let step = 0; step < 30; step++) {
      const name = `n${step % 4}`
      if (step % 7 === 6) {
        await world.ask({ kind: 'expireAt', name, atMs: world.clock.nowMs() })
        await world.advance(0)
        totals.delete(name)
      } else {
        await world.ask(add(name, step))
        totals.set(name, (totals.get(name) ?? 0) + step)
      }
      world = await world.restart(++epoch)
      const byName = (a: [string, number], b: [string, number]) => (a[0] < b[0] ? -1 : 1)
      expect([...world.shard.totals].sort(byName)).toEqual([...totals].sort(byName))
    }
  })

  it('passes over types of a newer release, and continues behind them', async () => {
    const world = new CounterWorld()
    await world.create()
    world.plane.lead({ slot: 1, leaderEpoch: 0, partitionEpoch: 0, replicas: [1], isr: [1] })
    const record = (key: string, value: string | null) => ({
      key: bytes(key),
      value: value === null ? null : bytes(value),
    })
    await world.write(
      encodeBatch({ records: [record('a', '4'), record('future', '1'), record('b', '2')] }),
    )
    await world.write(encodeBatch({ records: [record('b', null)] }))
    world.registry.lead(0, 1, 0)
    await world.settle()
    expect([...world.shard.totals]).toEqual([['a', 4]])
    expect(await world.ask(add('a', 1))).toEqual({ total: 5 })
    expect(world.shard.offsets.at(-1)).toBe(4)
  })

  it('reads a long log in turns, so that others have theirs', async () => {
    const world = new CounterWorld()
    await world.create()
    world.plane.lead({ slot: 1, leaderEpoch: 0, partitionEpoch: 0, replicas: [1], isr: [1] })
    const records = Array.from({ length: 1000 }, (_, i) => ({
      key: bytes(`n${i}`),
      value: bytes('1'),
    }))
    for (let i = 0; i < 7; i++) await world.write(encodeBatch({ records }))
    let turns = 0
    const { defer } = world.world
    world.world.defer = (run) => {
      turns++
      defer(run)
    }
    world.registry.lead(0, 1, 0)
    await world.settle()
    expect(world.shard.offsets.length).toBe(7000)
    // The last is the shard's own, for its activation.
    expect(turns).toBe(3 + 1)
  })

  it('a log that holds what is no record fails the shard, and nobody else', async () => {
    const world = new CounterWorld()
    await world.create()
    world.plane.lead({ slot: 1, leaderEpoch: 0, partitionEpoch: 0, replicas: [1], isr: [1] })
    await world.write(encodeBatch({ records: [{ key: bytes('broken'), value: bytes('1') }] }))
    world.registry.lead(0, 1, 0)
    await world.settle()
    expect(await world.ask(read('a'))).toBe(ErrorCode.NOT_COORDINATOR)
  })
})

describe('shard host: losing the log', () => {
  it('a failed append rejects what waits and reads the log back', async () => {
    const world = await started()
    await world.ask(add('a', 1))
    world.failAppends = ErrorCode.KAFKA_STORAGE_ERROR
    const watching = world.watch(world.submit({ kind: 'watch', name: 'a' }))
    expect(await world.ask(add('a', 1))).toBe(ErrorCode.NOT_COORDINATOR)
    expect(watching.value).toBe(ErrorCode.NOT_COORDINATOR)
    expect(await world.ask(read('a'))).toBe(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    world.failAppends = 0
    await world.advance(1000)
    expect(await world.ask(read('a'))).toEqual({ total: 1 })
  })

  it('batches behind one that failed are not written', async () => {
    const world = await started({ batchBytesMax: 300 })
    world.failAppends = ErrorCode.KAFKA_STORAGE_ERROR
    const answers = [1, 2, 3].map(() => world.watch(world.submit(add('a', 1, 150))))
    await world.settle()
    expect(answers.map(({ value }) => value)).toEqual(
      [1, 2, 3].map(() => ErrorCode.NOT_COORDINATOR),
    )
    expect(world.appends.length).toBe(1)
    expect(world.plane.partition(1).logEndOffset).toBe(0)
  })

  it('sees that somebody else wrote to its log, and reads it back', async () => {
    const world = await started()
    await world.ask(add('a', 1))
    await world.write(encodeBatch({ records: [{ key: bytes('a'), value: bytes('40') }] }))
    expect(await world.ask(add('a', 1))).toBe(ErrorCode.NOT_COORDINATOR)
    await world.advance(1000)
    // What was appended without a reply is true as well.
    expect(await world.ask(read('a'))).toEqual({ total: 2 })
  })

  it('an append that meets a newer leader waits to be told who leads', async () => {
    const world = await started()
    await world.ask(add('a', 1))
    world.plane.lead({ slot: 1, leaderEpoch: 1, partitionEpoch: 1, replicas: [1], isr: [1] })
    expect(await world.ask(add('a', 1))).toBe(ErrorCode.NOT_COORDINATOR)
    await world.advance(10_000)
    expect(await world.ask(read('a'))).toBe(ErrorCode.NOT_COORDINATOR)
    await world.lead(1)
    expect(await world.ask(read('a'))).toEqual({ total: 1 })
  })

  it('loss of leadership rejects what waits; later requests are NOT_COORDINATOR', async () => {
    const world = await started({ replicas: [1, 2] })
    const written = world.watch(world.submit(add('a', 1)))
    const watching = world.watch(world.submit({ kind: 'watch', name: 'a' }))
    await world.settle()
    world.plane.follow(1, 1, 2)
    world.registry.unload(0)
    await world.settle()
    expect([written.value, watching.value]).toEqual([
      ErrorCode.NOT_COORDINATOR,
      ErrorCode.NOT_COORDINATOR,
    ])
    expect(await world.ask(read('a'))).toBe(ErrorCode.NOT_COORDINATOR)
  })

  it('leading again at a newer epoch reads the log anew; at the same one nothing happens', async () => {
    const world = await started()
    await world.ask(add('a', 1))
    await world.lead(0)
    expect(world.shards.length).toBe(1)
    await world.lead(1)
    expect(world.shards.length).toBe(2)
    expect(await world.ask(add('a', 1))).toEqual({ total: 2 })
  })

  it('an append that ends after the leadership is not heard', async () => {
    const world = await started()
    world.isHeld = true
    const written = world.watch(world.submit(add('a', 1)))
    await world.settle()
    world.plane.lead({ slot: 1, leaderEpoch: 1, partitionEpoch: 1, replicas: [1], isr: [1] })
    world.registry.lead(0, 1, 1)
    world.isHeld = false
    world.plane.onDoorbell()
    await world.settle()
    expect(written.value).toBe(ErrorCode.NOT_COORDINATOR)
    expect(await world.ask(add('a', 1))).toEqual({ total: 2 })
  })
})
