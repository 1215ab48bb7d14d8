// How much room a disk has becomes a state, a number for the plane, and an order of segments.

import { describe, expect, test } from 'vitest'
import {
  clientBytes,
  type DiskState,
  type EarlyPolicy,
  marksOf,
  mayGoEarly,
  nextState,
  paceMs,
  Victims,
} from '../../../src/storage/disk_pressure.ts'

const MIB = 1024 ** 2
const SETTINGS = { reserveBytes: 100 * MIB, lowBytes: 200 * MIB, reservePercentMax: 5 }
const LARGE = 1e12
const MARKS = marksOf(SETTINGS, LARGE)

/** The states of a disk whose free MiB are these, one after the other. */
function states(...free: number[]): DiskState[] {
  let state: DiskState = 'plenty'
  return free.map((mib) => {
    state = nextState(state, mib * MIB, MARKS)
    return state
  })
}

describe('disk pressure: marks', () => {
  test('disk pressure: marks: each state ends a quarter above where it begins', () => {
    expect(MARKS).toEqual({
      reserve: 100 * MIB,
      reserveEnd: 125 * MIB,
      low: 200 * MIB,
      lowEnd: 250 * MIB,
    })
  })

  test('disk pressure: marks: of a small disk they are a share', () => {
    const { reserve, low } = marksOf(SETTINGS, 1000 * MIB)
    expect([reserve, low]).toEqual([50 * MIB, 100 * MIB])
  })

  test('disk pressure: marks: low is never below the reserve', () => {
    expect(marksOf({ ...SETTINGS, lowBytes: 0 }, LARGE).low).toBe(100 * MIB)
  })
})

describe('disk pressure: paces', () => {
  const GIB = 1024 ** 3

  test('disk pressure: paces: at most 4 GiB a second may be written unseen', () => {
    const far = (gib: number) => paceMs('plenty', MARKS.low + gib * GIB, MARKS)
    expect([4, 8, 12, 1000].map(far)).toEqual([1000, 2000, 3000, 5000])
  })

  test('disk pressure: paces: whoever is near a mark, or short of room, is watched closely', () => {
    expect(paceMs('plenty', MARKS.reserve + 4 * GIB, MARKS)).toBe(250)
    expect(paceMs('low', MARKS.low + 100 * GIB, MARKS)).toBe(250)
    expect(paceMs('full', 0, MARKS)).toBe(250)
  })

  test('disk pressure: paces: without marks there is no hurry', () => {
    const none = marksOf({ ...SETTINGS, reserveBytes: 0, lowBytes: 0 }, LARGE)
    expect(paceMs('plenty', 0, none)).toBe(1000)
    expect(paceMs('plenty', 100 * GIB, none)).toBe(5000)
  })
})

describe('disk pressure: states', () => {
  test('disk pressure: states: down and up, and to and fro at no mark', () => {
    expect(states(300, 200, 199, 249, 101, 100, 124, 125, 249, 250, 200)).toEqual([
      ...['plenty', 'plenty', 'low', 'low', 'low', 'full', 'full'],
      ...['low', 'low', 'plenty', 'plenty'],
    ])
  })

  test('disk pressure: states: from one end to the other at once', () => {
    expect(states(0, 1000, 0)).toEqual(['full', 'plenty', 'full'])
  })

  test('disk pressure: states: without a reserve nothing is full, without marks nothing is low', () => {
    const none = marksOf({ ...SETTINGS, reserveBytes: 0 }, LARGE)
    expect(nextState('plenty', 0, none)).toBe('low')
    const off = marksOf({ ...SETTINGS, reserveBytes: 0, lowBytes: 0 }, LARGE)
    expect(nextState('plenty', 0, off)).toBe('plenty')
    // Switched off while it was full.
    expect(nextState('full', 0, off)).toBe('plenty')
  })

  test('disk pressure: states: what clients may add ends at the reserve', () => {
    expect(clientBytes('plenty', LARGE, MARKS)).toBe(-1)
    expect(clientBytes('plenty', 300 * MIB, MARKS)).toBe(200 * MIB)
    expect(clientBytes('low', 101 * MIB, MARKS)).toBe(MIB)
    expect(clientBytes('full', 120 * MIB, MARKS)).toBe(0)
    const none = marksOf({ ...SETTINGS, reserveBytes: 0 }, LARGE)
    expect(clientBytes('low', 0, none)).toBe(-1)
  })
})

const policy = (change: Partial<EarlyPolicy> = {}): EarlyPolicy => ({
  policy: ['delete'],
  retentionMs: 1000,
  retentionBytes: -1,
  earlyRetentionMs: 0,
  ...change,
})

const NOW = 10_000
const segment = (maxTimestamp: number) => ({ nextOffset: 5, maxTimestamp, bytes: 7 })

/** The names in the order in which they go. */
function order(logs: readonly [string, number, Partial<EarlyPolicy>?][]): string[] {
  const victims = new Victims<string>(NOW)
  for (const [name, maxTimestamp, change] of logs)
    victims.add(name, segment(maxTimestamp), policy(change))
  const names: string[] = []
  for (let one = victims.take(); one !== undefined; one = victims.take()) names.push(one.log)
  return names
}

describe('disk pressure: victims', () => {
  test('disk pressure: victims: only where the topic allows it, and nothing that is kept for ever', () => {
    expect(mayGoEarly(policy())).toBe(true)
    expect(mayGoEarly(policy({ earlyRetentionMs: -1 }))).toBe(false)
    expect(mayGoEarly(policy({ policy: ['compact'] }))).toBe(false)
    expect(mayGoEarly(policy({ policy: ['compact', 'delete'] }))).toBe(true)
    expect(mayGoEarly(policy({ retentionMs: -1 }))).toBe(false)
    expect(mayGoEarly(policy({ retentionMs: -1, retentionBytes: 5 }))).toBe(true)
  })

  test('disk pressure: victims: what is due first goes first, across logs', () => {
    expect(
      order([
        ['new', 9000],
        ['old', 100],
        ['old, kept longer', 50, { retentionMs: 5000 }],
        ['middle', 4000],
      ]),
    ).toEqual(['old', 'middle', 'old, kept longer', 'new'])
  })

  test('disk pressure: victims: those that only size ends are last, the oldest first', () => {
    const bySize = { retentionMs: -1, retentionBytes: 5 }
    expect(
      order([
        ['b', 20, bySize],
        ['a', 10, bySize],
        ['due late', 9999, { retentionMs: 1e12 }],
      ]),
    ).toEqual(['due late', 'a', 'b'])
  })

  test('disk pressure: victims: nothing younger than the topic allows, and no active segment', () => {
    expect(
      order([
        ['too young', 9500, { earlyRetentionMs: 501 }],
        ['just old enough', 9500, { earlyRetentionMs: 500 }],
        ['of tomorrow', 99_000],
      ]),
    ).toEqual(['just old enough'])
    const victims = new Victims<string>(NOW)
    victims.add('active', { nextOffset: -1, maxTimestamp: -1, bytes: -1 }, policy())
    expect(victims.take()).toBeUndefined()
  })

  test('disk pressure: victims: the next segment of a log takes its own place', () => {
    const victims = new Victims<string>(NOW)
    victims.add('a', segment(10), policy())
    victims.add('b', segment(30), policy())
    expect(victims.take()?.log).toBe('a')
    victims.add('a', segment(20), policy())
    expect([victims.take()?.log, victims.take()?.log]).toEqual(['a', 'b'])
  })
})
