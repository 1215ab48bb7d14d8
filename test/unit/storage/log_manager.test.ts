// When logs are looked after, and a round of retention over them.

import { expect, test } from 'vitest'
import {
  isWorthAsking,
  LogManager,
  limitsOf,
  RetentionRound,
  type Task,
} from '../../../src/storage/log_manager.ts'

const PACES = { retention: 300, recoveryPoints: 1000, logStarts: 1000, highWatermarks: 500 }

test('storage: log manager: retention after its first delay, all else at its pace', () => {
  const manager = new LogManager(PACES, 200, 10_000)
  expect(manager.take(10_199)).toEqual([])
  const seen: [number, Task[]][] = []
  for (let now = manager.nextDueMs(); now <= 11_100; now = manager.nextDueMs()) {
    seen.push([now - 10_000, manager.take(now)])
  }
  expect(seen).toEqual([
    [200, ['retention']],
    [500, ['retention', 'highWatermarks']],
    [800, ['retention']],
    [1000, ['recoveryPoints', 'logStarts', 'highWatermarks']],
    [1100, ['retention']],
  ])
})

test('storage: log manager: what was missed is done once; a late run does not shift the next', () => {
  const manager = new LogManager(PACES, 0, 0)
  expect(manager.take(10)).toEqual(['retention'])
  expect(manager.nextDueMs()).toBe(300)
  expect(manager.take(5000)).toHaveLength(4)
  expect(manager.take(5000)).toEqual([])
  expect(manager.nextDueMs()).toBe(5300)
})

test('storage: log manager: a pace of nothing is not a loop', () => {
  const manager = new LogManager({ ...PACES, logStarts: 0 }, 1000, 0)
  expect(manager.take(0)).toEqual(['logStarts'])
  expect(manager.take(0)).toEqual([])
  expect(manager.nextDueMs()).toBe(100)
})

test('storage: log manager: only a policy that deletes limits age and size', () => {
  const limits = { retentionMs: 5, retentionBytes: 6 }
  const none = { retentionMs: -1, retentionBytes: -1 }
  expect(limitsOf(['delete'], limits)).toEqual(limits)
  expect(limitsOf(['compact', 'delete'], limits)).toEqual(limits)
  expect(limitsOf(['compact'], limits)).toEqual(none)
  expect(limitsOf([], limits)).toEqual(none)
})

test('storage: log manager: logs in which nothing can be due are not asked about', () => {
  const limited = { retentionMs: 1, retentionBytes: -1 }
  const free = { retentionMs: -1, retentionBytes: -1 }
  expect(isWorthAsking({ bytes: 0, segments: 1 }, limited)).toBe(false)
  expect(isWorthAsking({ bytes: 1, segments: 1 }, limited)).toBe(true)
  expect(isWorthAsking({ bytes: 1, segments: 1 }, free)).toBe(false)
  expect(isWorthAsking({ bytes: 1, segments: 1 }, { ...free, retentionBytes: 0 })).toBe(true)
  expect(isWorthAsking({ bytes: 1, segments: 2 }, free)).toBe(true)
})

test('storage: retention round: so many at once, the next when one is answered', () => {
  const round = new RetentionRound(['a', 'b', 'c'], 2)
  expect([round.take(), round.take(), round.take()]).toEqual(['a', 'b', undefined])
  round.answered('b', { segments: 3, isMore: false })
  expect([round.take(), round.take()]).toEqual(['c', undefined])
  expect(round.isOver).toBe(false)
  round.answered('a', null)
  round.answered('c', { segments: 0, isMore: false })
  expect(round.take()).toBe(undefined)
  expect(round.isOver).toBe(true)
  expect(round.segments).toBe(3)
})

test('storage: retention round: more of a log is asked for behind all others', () => {
  const round = new RetentionRound(['a', 'b'], 1)
  expect(round.take()).toBe('a')
  round.answered('a', { segments: 32, isMore: true })
  expect(round.take()).toBe('b')
  round.answered('b', { segments: 0, isMore: false })
  expect(round.isOver).toBe(false)
  expect(round.take()).toBe('a')
  round.answered('a', { segments: 1, isMore: false })
  expect(round.isOver).toBe(true)
  expect(round.segments).toBe(33)
})

test('storage: retention round: nothing to do is over at once', () => {
  expect(new RetentionRound([], 4).isOver).toBe(true)
})
