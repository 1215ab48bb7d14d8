// What may be claimed from slices: medians, intervals, pairs, verdicts.

import { describe, expect, it } from 'vitest'
import {
  estimate,
  isBeyondNoise,
  judge,
  median,
  quantile,
  randomFrom,
  ratio,
} from '../../bench/report/stats.ts'

describe('stats', () => {
  it('medians and quantiles, by interpolation', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(quantile([0, 10], 0.25)).toBe(2.5)
    expect(median([])).toBeNaN()
  })

  it('the same values give the same interval, and it holds the median', () => {
    const values = [5, 7, 6, 9, 4, 6, 8, 5, 7, 6]
    const first = estimate(values)
    expect(estimate(values)).toEqual(first)
    expect(first.low).toBeLessThanOrEqual(first.value)
    expect(first.high).toBeGreaterThanOrEqual(first.value)
    expect(first).toMatchObject({ value: 6, count: 10 })
    expect(estimate([1, 2])).toEqual({ value: 1.5, low: 1, high: 2, count: 2 })
  })

  it('the interval covers the true median about as often as it says', () => {
    const random = randomFrom(7)
    let covered = 0
    for (let run = 0; run < 100; run++) {
      const { low, high } = estimate(Array.from({ length: 15 }, random), 200)
      if (low <= 0.5 && high >= 0.5) covered++
    }
    expect(covered / 100).toBeGreaterThan(0.85)
  })

  it('ratios are taken pair by pair; a pair with a void side is left out', () => {
    expect(ratio([2, 20, 200], [1, 10, 100])).toMatchObject({ value: 2, low: 2, high: 2, count: 3 })
    expect(ratio([2, undefined, 6], [1, 10, 2])).toMatchObject({ value: 2.5, count: 2 })
    expect(ratio([2, 4], [0, 2])).toMatchObject({ value: 2, count: 1 })
  })

  it('a target is met or missed only by the whole interval', () => {
    const of = (low: number, high: number) => ({ value: (low + high) / 2, low, high, count: 10 })
    expect(judge(of(0.3, 0.5), { atMost: 0.5 })).toBe('met')
    expect(judge(of(0.4, 0.6), { atMost: 0.5 })).toBe('undecided')
    expect(judge(of(0.6, 0.7), { atMost: 0.5 })).toBe('missed')
    expect(judge(of(2.4, 3), { atLeast: 2.4 })).toBe('met')
    expect(judge({ ...of(0.1, 0.2), count: 2 }, { atMost: 0.5 })).toBe('undecided')
  })

  it('nothing is claimed within what an arm shows against itself', () => {
    const of = (low: number, high: number) => ({ value: 1, low, high, count: 10 })
    expect(isBeyondNoise(of(1.05, 1.2), of(0.9, 1.02))).toBe(false)
    expect(isBeyondNoise(of(1.15, 1.2), of(0.9, 1.02))).toBe(true)
    expect(isBeyondNoise(of(0.5, 0.6), of(0.9, 1.02))).toBe(true)
  })
})
