// How much memory is made warm before a slice: what its workload writes, less what the slice right before freed.

import { describe, expect, it } from 'vitest'
import { WarmMemory } from '../../bench/harness/memory.ts'

describe('warm memory', () => {
  it('is guessed at first, then known by workload, and what was just freed is warm already', () => {
    const memory = new WarmMemory()
    expect(memory.lacks('a', 4, 1e8, 0)).toBe(4.8e8)
    memory.freedBy('a', 4, 1e6, 10)
    expect(memory.lacks('a', 4, 1e8, 500)).toBeCloseTo(0.2e6)
    expect(memory.lacks('a', 4, 1e8, 5000)).toBeCloseTo(1.2e6)
    expect(memory.lacks('b', 4, 1e8, 500)).toBeCloseTo(4.79e8)
  })

  it('is never more than two gigabytes, nor less than none', () => {
    const memory = new WarmMemory()
    memory.freedBy('a', 1, 5e9, 0)
    expect(memory.lacks('a', 4, 0, 5000)).toBe(2e9)
    expect(memory.lacks('b', 4, 1, 10)).toBe(0)
  })
})
