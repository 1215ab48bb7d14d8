// The server's assignors: every partition that is read goes to one member that reads it; the uniform one is balanced and
// leaves what it can where it was; the range one gives runs.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { GroupSpec, MemberSpec } from '../../../src/group/assignors/assignor.ts'
import { assignRanges } from '../../../src/group/assignors/range.ts'
import { assignUniformly } from '../../../src/group/assignors/uniform.ts'
import type { Target } from '../../../src/group/consumer/member.ts'

type Counts = Record<string, number>

function spec(
  counts: Counts,
  members: Record<string, string[]>,
  had = new Map<string, Target>(),
): GroupSpec {
  const specs = Object.entries(members).map(([memberId, topics]): [string, MemberSpec] => {
    const assigned = had.get(memberId) ?? new Map()
    return [memberId, { instanceId: null, topics: new Set(topics), assigned }]
  })
  return { members: new Map(specs), partitionCount: (topic) => counts[topic] ?? 0 }
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
      ['x', { instanceId: null, topics: new Set(['a', 'b']), assigned: new Map() }],
      ['y', { instanceId: 'first', topics: new Set(['a', 'b']), assigned: new Map() }],
    ])
    const targets = assignRanges({ members, partitionCount: () => 3 })
    expect(said(targets.get('y'))).toEqual(['a0', 'a1', 'b0', 'b1'])
    expect(said(targets.get('x'))).toEqual(['a2', 'b2'])
  })
})
