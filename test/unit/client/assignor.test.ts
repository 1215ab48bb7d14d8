// The range assignor gives what Kafka's RangeAssignor gives: every partition once, in runs.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assignRange } from '../../../src/client/assignor.ts'

const member = (memberId: string, topics: string[], groupInstanceId: string | null = null) => ({
  memberId,
  groupInstanceId,
  topics,
})
const text = (found: Map<string, { topic: string; partition: number }[]>) =>
  Object.fromEntries(
    [...found].map(([id, list]) => [id, list.map((at) => `${at.topic}${at.partition}`).join(' ')]),
  )

test('client: assignor: runs per topic, one more for the first', () => {
  const counts = new Map([
    ['t', 3],
    ['u', 4],
  ])
  const members = [member('b', ['t', 'u']), member('a', ['u', 't'])]
  expect(text(assignRange(members, counts))).toEqual({ a: 't0 t1 u0 u1', b: 't2 u2 u3' })
})

test('client: assignor: only subscribers; static members first; topics nobody knows are empty', () => {
  const members = [
    member('a', ['t']),
    member('z', ['t'], 'i2'),
    member('y', ['t', 'gone'], 'i1'),
    member('c', ['gone']),
  ]
  expect(text(assignRange(members, new Map([['t', 4]])))).toEqual({
    a: 't3',
    z: 't2',
    y: 't0 t1',
    c: '',
  })
})

test('client: assignor: every partition has one owner, and shares differ by one at most', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 40 }), (size, count) => {
      const members = Array.from({ length: size }, (_, i) => member(`m${i}`, ['t']))
      const lists = [...assignRange(members, new Map([['t', count]])).values()]
      const all = lists.flat().map(({ partition }) => partition)
      expect(all.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i))
      const sizes = lists.map(({ length }) => length)
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
    }),
  )
})
