// The small tools of src/lib that carry no domain words: clock, random, timers.
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../../src/lib/clock.ts'
import { Random } from '../../../src/lib/random.ts'
import { TimerQueue } from '../../../src/lib/timers.ts'

describe('lib: clock', () => {
  test('lib: clock: a jump moves wall time only', () => {
    const clock = new ManualClock(1000)
    clock.advance(5)
    clock.jump(10)
    expect([clock.nowMs(), clock.monotonicUs()]).toEqual([10, 5000])
    expect(() => clock.advance(-1)).toThrow()
  })
})

describe('lib: random', () => {
  test('lib: random: the same seed gives the same stream, another seed another', () => {
    const stream = (seed: number) => {
      const random = new Random(seed)
      return Array.from({ length: 20 }, () => random.nextUint32())
    }
    expect(stream(7)).toEqual(stream(7))
    expect(stream(7)).not.toEqual(stream(8))
    expect(stream(2 ** 32 + 7)).not.toEqual(stream(7))
  })

  test('lib: random: integers stay in range and reach both ends', () => {
    const random = new Random(1)
    const seen = new Set<number>()
    for (let i = 0; i < 1000; i++) seen.add(random.nextInt(3, 7))
    expect([...seen].sort()).toEqual([3, 4, 5, 6])
    expect(() => random.nextInt(0)).toThrow()
  })

  test('lib: random: a ratio is about what it says', () => {
    const random = new Random(2)
    let hits = 0
    for (let i = 0; i < 10_000; i++) if (random.ratio(1, 4)) hits++
    expect(hits).toBeGreaterThan(2300)
    expect(hits).toBeLessThan(2700)
  })

  test('lib: random: a shuffle keeps every element', () => {
    const list = Array.from({ length: 50 }, (_, i) => i)
    const shuffled = new Random(3).shuffle([...list])
    expect(shuffled).not.toEqual(list)
    expect(shuffled.sort((x, y) => x - y)).toEqual(list)
  })

  test('lib: random: a uuid is version 4 in base64url without a leading dash', () => {
    const random = new Random(4)
    for (let i = 0; i < 500; i++) {
      const text = random.uuid()
      const bytes = Buffer.from(text, 'base64url')
      expect(text).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/)
      expect(bytes.length).toBe(16)
      expect(bytes[6]! >> 4).toBe(4)
      expect(bytes[8]! >> 6).toBe(2)
      expect(bytes.toString('base64url')).toBe(text)
    }
  })
})

describe('lib: timers', () => {
  test('lib: timers: fire by deadline, then by insertion', () => {
    const timers = new TimerQueue<string>()
    timers.arm('late', 30)
    timers.arm('first', 10)
    timers.arm('second', 10)
    timers.arm('moved', 5)
    timers.arm('moved', 40)
    timers.arm('gone', 1)
    expect(timers.cancel('gone')).toBe(true)
    expect(timers.nextDeadlineMs()).toBe(10)
    const fired: string[] = []
    for (let key = timers.pop(30); key !== undefined; key = timers.pop(30)) fired.push(key)
    expect(fired).toEqual(['first', 'second', 'late'])
    expect(timers.deadlineOf('moved')).toBe(40)
    expect(timers.size).toBe(1)
  })

  test('lib: timers: agrees with a sorted list under random use', () => {
    const random = new Random(5)
    const timers = new TimerQueue<number>()
    const model = new Map<number, { deadline: number; order: number }>()
    let order = 0
    for (let now = 0; now < 3000; now++) {
      const key = random.nextInt(40)
      if (random.ratio(1, 5)) {
        expect(timers.cancel(key)).toBe(model.delete(key))
      } else {
        const deadline = now + random.nextInt(60)
        timers.set(key, deadline)
        model.set(key, { deadline, order: order++ })
      }
      const due = [...model].filter(([, entry]) => entry.deadline <= now)
      due.sort(([, x], [, y]) => x.deadline - y.deadline || x.order - y.order)
      for (const [expected] of due) {
        expect(timers.pop(now)).toBe(expected)
        model.delete(expected)
      }
      expect(timers.pop(now)).toBe(undefined)
    }
  })
})
