// Verdicts: met only where the whole interval lies within, missed where it lies beyond, else undecided; what is void or has
// no pair counts nowhere; the plan measures each side once a round.

import { describe, expect, it } from 'vitest'
import type { LoadResult } from '../../bench/harness/load_result.ts'
import type { Figures, Slice } from '../../bench/harness/slice.ts'
import { WORKLOADS } from '../../bench/harness/workloads.ts'
import { AGAIN } from '../../bench/report/compare.ts'
import { planOf } from '../../bench/targets/plan.ts'
import { FULL_PACE, QUICK_PACE } from '../../bench/targets/run.ts'
import { HALF_KNEE, TARGETS, type Target } from '../../bench/targets/table.ts'
import { judgeTarget, tally, toldJudged } from '../../bench/targets/verdicts.ts'

const ours = { arm: 'ottla', workload: 'w' }
const theirs = { arm: 'kafka', workload: 'w' }

function slices(arm: string, values: readonly number[], more: Partial<Slice> = {}): Slice[] {
  return values.map((value, round) => {
    const figures: Figures = { messagesPerSecond: 1, endToEndP99: value, residentPeakMib: value }
    const result = {} as LoadResult
    return { arm, workload: 'w', round, at: 'then', figures, void: [], result, ...more }
  })
}

function target(limit: Target['limit'], more: object = {}): Target {
  const evidence = { kind: 'ratio', figure: 'endToEndP99', of: ours, to: theirs, ...more } as const
  return { name: 'p99', group: 'w', limit, evidence }
}

const judged = (limit: Target['limit'], all: readonly Slice[], more: object = {}) =>
  judgeTarget(target(limit, more), { slices: all, starts: [] })

describe('targets: verdicts', () => {
  const half = [...slices('ottla', [4, 5, 6, 5, 5]), ...slices('kafka', [10, 10, 10, 10, 10])]

  it('the whole interval within is met, beyond is missed, across is undecided', () => {
    expect(judged({ atMost: 0.7 }, half)).toMatchObject({
      verdict: 'met',
      estimate: { value: 0.5, count: 5 },
    })
    expect(judged({ atMost: 0.3 }, half).verdict).toBe('missed')
    expect(judged({ atMost: 0.5 }, half).verdict).toBe('undecided')
    expect(judged({ atLeast: 0.3 }, half).verdict).toBe('met')
    expect(judged({ atLeast: 0.7 }, half).verdict).toBe('missed')
  })

  it('fewer than three pairs decide nothing: void slices and rounds without the other side are none', () => {
    const two = half.filter(({ round }) => round < 2)
    expect(judged({ atMost: 100 }, two).verdict).toBe('undecided')
    const isVoid = slices('kafka', [10, 10, 10, 10, 10], { void: ['sendLag 7'] })
    expect(judged({ atMost: 100 }, [...slices('ottla', [5, 5, 5, 5, 5]), ...isVoid])).toMatchObject(
      {
        verdict: 'undecided',
        estimate: { count: 0 },
      },
    )
  })

  it('in a quick run a void slice stands in where there is no better one, but never one that lost a record', () => {
    const rounds = (why: string) => [
      ...slices('ottla', [5, 5, 5, 5, 5]),
      ...slices('kafka', [10, 10, 10, 10, 10]).filter(({ round }) => round < 2),
      ...slices('kafka', [1, 1, 10, 10, 10], { void: [why] }),
    ]
    const quick = (why: string) =>
      judgeTarget(target({ atMost: 0.7 }), { slices: rounds(why), starts: [], admitsVoid: true })
    const late = quick('steal 0.02')
    expect(late).toMatchObject({ verdict: 'met', estimate: { value: 0.5, high: 0.5, count: 5 } })
    expect(toldJudged(late)).toContain('rounds 5, 3 of them void')
    expect(quick('nothingMissing 1')).toMatchObject({ verdict: 'undecided', voidRounds: 0 })
    expect(judged({ atMost: 0.7 }, rounds('steal 0.02')).verdict).toBe('undecided')
  })

  it('of two attempts the one that counts is taken, whichever came first', () => {
    const worse = slices('ottla', [900], { void: ['steal 0.2'] })
    for (const all of [
      [...worse, ...half],
      [...half, ...worse],
    ]) {
      expect(judged({ atMost: 0.7 }, all)).toMatchObject({ verdict: 'met', estimate: { count: 5 } })
    }
  })

  it('where the other side against itself is wider than the limit, that is the limit', () => {
    const wide = [...half, ...slices(`kafka${AGAIN}`, [20, 20, 30, 20, 20])]
    expect(judged({ atMost: 0.3 }, wide, { isLooseAsNoise: true })).toMatchObject({
      verdict: 'met',
      limit: { atMost: 3 },
    })
    const narrow = [...half, ...slices(`kafka${AGAIN}`, [2, 2, 2, 2, 2])]
    const kept = judged({ atMost: 0.3 }, narrow, { isLooseAsNoise: true })
    expect(kept).toMatchObject({ verdict: 'missed', limit: { atMost: 0.3 } })
    expect(judged({ atMost: 0.3 }, half, { isLooseAsNoise: true }).limit).toEqual({ atMost: 0.3 })
  })

  it('the noise beside a ratio is that of the side that is judged', () => {
    const all = [...half, ...slices(`ottla${AGAIN}`, [4, 5, 6, 5, 5])]
    const one = judged({ atMost: 0.7 }, all)
    expect(one.noise).toMatchObject({ value: 1, low: 1, high: 1 })
    expect(toldJudged(one)).toContain('against itself 1.00 (1.00–1.00)')
  })

  it('growth is per thing more, and never negative', () => {
    const more = { kind: 'growth', figure: 'residentPeakMib', count: 1024, scale: 1024 }
    const grown = [...slices('ottla', [14, 15, 9]), ...slices('kafka', [10, 10, 10])]
    expect(judged({ atMost: 8 }, grown, more)).toMatchObject({
      verdict: 'met',
      estimate: { value: 4, low: 0, high: 5, count: 3 },
    })
  })

  it('starts are judged by themselves, each figure by the starts that have it', () => {
    const starts = [100, 120, 110].map((firstAckMs, round) => ({ round, firstAckMs }))
    const one: Target = {
      name: 'start',
      group: 'starts',
      limit: { atMost: 250 },
      evidence: { kind: 'start', figure: 'firstAckMs' },
    }
    const evidence = { slices: [], starts }
    expect(judgeTarget(one, evidence)).toMatchObject({ verdict: 'met', estimate: { value: 110 } })
    const idle: Target = { ...one, evidence: { kind: 'start', figure: 'residentMib' } }
    expect(judgeTarget(idle, evidence).verdict).toBe('undecided')
  })

  it('what is only shown is not counted', () => {
    const shown = judgeTarget(
      { ...target({ atMost: 0.1 }), isShownOnly: true },
      { slices: half, starts: [] },
    )
    expect(toldJudged(shown)).toMatch(/^shown only \(missed\)/)
    expect(tally([shown, judged({ atMost: 0.7 }, half)])).toEqual({
      met: 1,
      missed: 0,
      undecided: 0,
    })
  })
})

describe('targets: the table and its plan', () => {
  it('every target has a name of its own and workloads that are there', () => {
    expect(new Set(TARGETS.map(({ name }) => name)).size).toBe(TARGETS.length)
    const known = [HALF_KNEE, ...WORKLOADS.map(({ name }) => name)]
    for (const { evidence } of TARGETS) {
      if (evidence.kind === 'start') continue
      expect(known).toContain(evidence.of.workload)
      expect(known).toContain(evidence.to.workload)
    }
  })

  it('what each asks for is measured once a round, and what is compared is in one group', () => {
    const plan = planOf(TARGETS)
    const sides = plan.flatMap((group) =>
      group.sides.map((side) => `${side.arm}: ${side.workload}`),
    )
    expect(new Set(sides).size).toBe(sides.length)
    for (const { evidence, group } of TARGETS) {
      if (evidence.kind === 'start') continue
      const planned = plan.find((each) => each.group === group)!
      expect(planned.sides).toContainEqual(evidence.of)
      expect(planned.sides).toContainEqual(evidence.to)
    }
    const latency = plan.find(({ group }) => group === 'latency at 1000/s')!
    expect(latency.twice.map(({ name }) => name)).toEqual([`ottla${AGAIN}`, `bare pipe${AGAIN}`])
  })

  it('fits into three hours, and into half an hour with --quick', () => {
    const slicesPerRound = planOf(TARGETS).reduce((sum, { sides }) => sum + sides.length, 0)
    const twicePerRound = planOf(TARGETS).reduce((sum, { twice }) => sum + twice.length, 0)
    // Rounds × slices × seconds with what surrounds them; bench/README.md has the same numbers.
    const minutes = (rounds: number, { seconds, warmup, repeatsPerRound }: typeof FULL_PACE) =>
      (rounds * (slicesPerRound + twicePerRound / 2 + repeatsPerRound) * (seconds + warmup + 2.5)) /
      60
    expect(minutes(10, FULL_PACE)).toBeLessThan(165)
    expect(minutes(3, QUICK_PACE)).toBeLessThan(25)
  })
})
