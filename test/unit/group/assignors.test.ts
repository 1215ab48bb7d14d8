// The server's assignors: every partition that is read goes to one member that reads it; the uniform one is balanced and
// leaves what it can where it was; the range one gives runs.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { GroupSpec, MemberSpec } from '../../../src/group/assignors/assignor.ts'
import { assignRanges } from '../../../src/group/assignors/range.ts'
import { assignUniformly } from '../../../src/group/assignors/uniform.ts'
import type { Target } from '../../../src/group/consumer/member.ts'

type Counts = Record<string, number>

const NO_RACKS = { of: {}, topics: {} }

function spec(
  counts: Counts,
  members: Record<string, string[]>,
  had = new Map<string, Target>(),
  racks: { of: Record<string, string>; topics: Record<string, string[][]> } = NO_RACKS,
): GroupSpec {
  const specs = Object.entries(members).map(([memberId, topics]): [string, MemberSpec] => {
    const assigned = had.get(memberId) ?? new Map()
    const rackId = racks.of[memberId] ?? null
    return [memberId, { instanceId: null, rackId, topics: new Set(topics), assigned }]
  })
  return {
    members: new Map(specs),
    partitionCount: (topic) => counts[topic] ?? 0,
    racksOf: (topic, partition) => racks.topics[topic]?.[partition] ?? [],
  }
}

const said = (target: Target | undefined) =>
  [...(target ?? [])]
    .flatMap(([topic, partitions]) => [...partitions].map((each) => `${topic}${each}`))
    .sort()

const groups = fc
  .record({
    counts: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.integer({ min: 0, max: 9 })),
    members: fc.array(fc.subarray(['a', 'b', 'c', 'd']), { minLength: 1, maxLength: 6 }),
  })
  .map(({ counts, members }) => {
    const named = members.map((topics, index) => [
      `m${index}`,
      topics.filter((topic) => counts[topic] !== undefined),
    ])
    return { counts, members: Object.fromEntries(named) as Record<string, string[]> }
  })

/** Everything that somebody reads, once, to one who reads it. */
function expectComplete(
  counts: Counts,
  members: Record<string, string[]>,
  targets: Map<string, Target>,
) {
  const all = Object.keys(counts).filter((topic) =>
    Object.values(members).some((each) => each.includes(topic)),
  )
  const wanted = all.flatMap((topic) =>
    Array.from({ length: counts[topic]! }, (_, each) => `${topic}${each}`),
  )
  expect([...targets.values()].flatMap(said).sort()).toEqual(wanted.sort())
  for (const [memberId, target] of targets) {
    for (const topic of target.keys()) expect(members[memberId]).toContain(topic)
  }
}

describe('group: assignors', () => {
  it('group: assignors: complete, whatever is read and whatever was had', () => {
    fc.assert(
      fc.property(groups, groups, (before, now) => {
        for (const assign of [assignUniformly, assignRanges]) {
          const had = assign(spec(before.counts, before.members))
          expectComplete(now.counts, now.members, assign(spec(now.counts, now.members, had)))
        }
      }),
      { numRuns: 300 },
    )
  })

  it('group: assignors: uniform is balanced, and settled after one time', () => {
    fc.assert(
      fc.property(groups, ({ counts, members }) => {
        const first = assignUniformly(spec(counts, members))
        const sizes = new Map(Array.from(first, ([id, target]) => [id, said(target).length]))
        // Nobody could take a partition from one who has two more.
        for (const [id, target] of first) {
          for (const [other, topics] of Object.entries(members)) {
            const couldTake = topics.some((topic) => target.has(topic))
            if (couldTake) expect(sizes.get(id)! - sizes.get(other)!).toBeLessThan(2)
          }
        }
        const again = assignUniformly(spec(counts, members, first))
        for (const [id, target] of first) expect(said(again.get(id))).toEqual(said(target))
      }),
      { numRuns: 300 },
    )
  })

  it('group: assignors: uniform moves no more than it must', () => {
    const all = { m0: ['a'], m1: ['a'], m2: ['a'] }
    const two = assignUniformly(spec({ a: 9 }, { m0: ['a'], m1: ['a'] }))
    const three = assignUniformly(spec({ a: 9 }, all, two))
    const moved = ['m0', 'm1'].flatMap((id) =>
      said(two.get(id)).filter((each) => !said(three.get(id)).includes(each)),
    )
    expect(moved.length).toBe(3)
    expect(['m0', 'm1', 'm2'].map((id) => said(three.get(id)).length)).toEqual([3, 3, 3])
  })

  it('group: assignors: range gives runs, static members first, topics cut alike', () => {
    const members = new Map<string, MemberSpec>([
      ['x', { instanceId: null, rackId: null, topics: new Set(['a', 'b']), assigned: new Map() }],
      [
        'y',
        { instanceId: 'first', rackId: null, topics: new Set(['a', 'b']), assigned: new Map() },
      ],
    ])
    const targets = assignRanges({ members, partitionCount: () => 3, racksOf: () => [] })
    expect(said(targets.get('y'))).toEqual(['a0', 'a1', 'b0', 'b1'])
    expect(said(targets.get('x'))).toEqual(['a2', 'b2'])
  })

  const one = (name: string) => [name]
  const near = (target: Target | undefined, topics: Record<string, string[][]>, rack: string) =>
    [...(target ?? [])].flatMap(([topic, partitions]) =>
      [...partitions].filter((each) => topics[topic]![each]!.includes(rack)),
    ).length

  it('group: assignors: partitions go where a replica is, as far as balance allows', () => {
    const members = { m0: ['a'], m1: ['a'] }
    const racks = { of: { m0: 'x', m1: 'y' }, topics: { a: ['y', 'y', 'x', 'x', 'x'].map(one) } }
    for (const assign of [assignUniformly, assignRanges]) {
      const targets = assign(spec({ a: 5 }, members, new Map(), racks))
      expect(said(targets.get('m0'))).toEqual(['a2', 'a3', 'a4'])
      expect(said(targets.get('m1'))).toEqual(['a0', 'a1'])
    }
    // One of four is too many for its rack.
    const far = { of: racks.of, topics: { a: ['y', 'x', 'x', 'x'].map(one) } }
    for (const assign of [assignUniformly, assignRanges]) {
      const targets = assign(spec({ a: 4 }, members, new Map(), far))
      expect([...targets.values()].map((each) => said(each).length)).toEqual([2, 2])
      expect(near(targets.get('m0'), far.topics, 'x')).toBe(2)
      expect(near(targets.get('m1'), far.topics, 'y')).toBe(1)
    }
  })

  it('group: assignors: racks that everybody has, or nobody, change nothing', () => {
    const members = { m0: ['a'], m1: ['a'] }
    for (const assign of [assignUniformly, assignRanges]) {
      const plain = assign(spec({ a: 4 }, members))
      for (const topics of [
        { a: Array(4).fill(['x', 'y']) },
        { a: ['z', 'z', 'w', 'w'].map(one) },
      ]) {
        const of = { m0: 'x', m1: 'y' }
        const targets = assign(spec({ a: 4 }, members, new Map(), { of, topics }))
        for (const [id, target] of plain) expect(said(targets.get(id))).toEqual(said(target))
      }
    }
  })

  it('group: assignors: ranges of topics cut alike stay alike among racks', () => {
    const members = { m0: ['a', 'b'], m1: ['a', 'b'] }
    const topics = { a: ['y', 'x', 'y', 'x'].map(one), b: ['y', 'x', 'y', 'x'].map(one) }
    const of = { m0: 'x', m1: 'y' }
    const targets = assignRanges(spec({ a: 4, b: 4 }, members, new Map(), { of, topics }))
    expect(said(targets.get('m0'))).toEqual(['a1', 'a3', 'b1', 'b3'])
    expect(said(targets.get('m1'))).toEqual(['a0', 'a2', 'b0', 'b2'])
  })

  it('group: assignors: among racks complete, balanced and settled after one time', () => {
    const rack = fc.constantFrom('x', 'y', 'z')
    const all = fc.record({
      group: groups,
      ofMembers: fc.array(fc.option(rack), { minLength: 6, maxLength: 6 }),
      ofPartitions: fc.array(fc.array(rack, { maxLength: 2 }), { minLength: 36, maxLength: 36 }),
    })
    fc.assert(
      fc.property(all, ({ group: { counts, members }, ofMembers, ofPartitions }) => {
        const racks = {
          of: Object.fromEntries(
            ofMembers.flatMap((name, at) => (name === null ? [] : [[`m${at}`, name]])),
          ) as Record<string, string>,
          topics: Object.fromEntries(
            ['a', 'b', 'c', 'd'].map((name, at) => [name, ofPartitions.slice(at * 9, at * 9 + 9)]),
          ),
        }
        const nearOf = (targets: Map<string, Target>) =>
          [...targets].reduce(
            (sum, [id, each]) => sum + near(each, racks.topics, racks.of[id] ?? 'nowhere'),
            0,
          )
        for (const assign of [assignUniformly, assignRanges]) {
          const plain = assign(spec(counts, members))
          const targets = assign(spec(counts, members, new Map(), racks))
          expectComplete(counts, members, targets)
          const sizes = (each: Map<string, Target>) =>
            [...each.values()].map((target) => said(target).length).sort()
          if (
            assign === assignRanges ||
            Object.values(members).every((each) => each.length === 4)
          ) {
            expect(sizes(targets)).toEqual(sizes(plain))
          }
          if (assign === assignUniformly)
            expect(nearOf(targets)).toBeGreaterThanOrEqual(nearOf(plain))
          const again = assign(spec(counts, members, targets, racks))
          for (const [id, target] of targets) expect(said(again.get(id))).toEqual(said(target))
        }
      }),
      { numRuns: 100 },
    )
  })
})
