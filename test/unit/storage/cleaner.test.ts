// Which log is compacted next, and how far each one is.

import { expect, test } from 'vitest'
import { CleanerProgress, dirtyRatio, filthiest, isDue } from '../../../src/storage/cleaner.ts'

const NOW = 1_000_000
const log = (cleanBytes: number, cleanableBytes: number, earliestDirtyTimestamp = -1) => ({
  firstDirtyOffset: 0,
  cleanBytes,
  cleanableBytes,
  earliestDirtyTimestamp,
})
const POLICY = { minCleanableRatio: 0.5, maxCompactionLagMs: 1000 }

test('storage: cleaner: the largest share of dirty bytes goes first', () => {
  const candidates = [log(50, 51), log(10, 90), log(0, 0), log(90, 10)].map((one) => ({
    log: one,
    policy: POLICY,
  }))
  expect(filthiest(candidates, NOW)).toBe(candidates[1])
  expect(filthiest(candidates.slice(2), NOW)).toBeUndefined()
  expect(dirtyRatio(log(0, 0))).toBe(0)
})

test('storage: cleaner: due above the ratio, or when something is older than the maximum lag', () => {
  expect(isDue(log(50, 50), POLICY, NOW)).toBe(false)
  expect(isDue(log(50, 51), POLICY, NOW)).toBe(true)
  expect(isDue(log(99, 1, NOW - 1001), POLICY, NOW)).toBe(true)
  expect(isDue(log(99, 1, NOW - 1000), POLICY, NOW)).toBe(false)
  expect(isDue(log(99, 0, 1), POLICY, NOW)).toBe(false)
})

test('storage: cleaner: progress is of a topic, not of its namesake', () => {
  const progress = new CleanerProgress()
  expect(progress.firstDirtyOffset('t-0', 'A', 7)).toBe(7)
  progress.cleaned('t-0', 'A', 9)
  progress.failed('t-0', 'A')
  expect(progress.firstDirtyOffset('t-0', 'A', 7)).toBe(9)
  expect(progress.firstDirtyOffset('t-0', 'B', 7)).toBe(0)
  expect(progress.isUncleanable('t-0', 'A')).toBe(true)
  expect(progress.isUncleanable('t-0', 'B')).toBe(false)
})
