// From slices to verdicts. A target is met only where the whole interval lies within its limit, missed where it lies beyond,
// else undecided; fewer than three pairs decide nothing. Void slices count nowhere, but in a quick run, which repeats none:
// there one that is void because the machine was busy stands in for a better one, and the line says how many rounds that were.

import type { Slice } from '../harness/slice.ts'
import { type Figure, told, toldEstimate, valuesByRound } from '../report/compare.ts'
import { type Estimate, estimate, judge, ratio, type Verdict } from '../report/stats.ts'
import type { StartRow } from './starts.ts'
import { again, noiseSide, type Side, type Target } from './table.ts'

export interface Judged {
  readonly name: string
  /** As it was applied: loosened by noise where the target says so. */
  readonly limit: Target['limit']
  readonly estimate: Estimate
  readonly verdict: Verdict
  /** One side against itself. */
  readonly noise?: Estimate
  readonly isShownOnly: boolean
  /** What the interval is of. */
  readonly of: 'rounds' | 'starts'
  /** How many of them have a slice that is void. */
  readonly voidRounds: number
}

/** What was measured. */
export interface Evidence {
  readonly slices: readonly Slice[]
  readonly starts: readonly StartRow[]
  /** A slice is better than none, if it is void only because the machine was busy. */
  readonly admitsVoid?: boolean
}

type Values = readonly (number | undefined)[]

function valuesOf(
  { slices, admitsVoid = false }: Evidence,
  { arm, workload }: Side,
  figure: Figure,
): Values {
  return valuesByRound(
    slices.filter((slice) => slice.workload === workload),
    arm,
    figure,
    admitsVoid,
  )
}

/** A side's figures of the rounds in which it was measured twice, against themselves. */
function noiseOf(evidence: Evidence, side: Side, figure: Figure): Estimate {
  return ratio(valuesOf(evidence, again(side), figure), valuesOf(evidence, side, figure))
}

function known(values: Values): number[] {
  return values.filter((value) => value !== undefined)
}

/** Judges one target by what there is. */
export function judgeTarget(target: Target, evidence: Evidence): Judged {
  const judged = judgeBy(target, evidence)
  if (evidence.admitsVoid !== true) return judged
  const { estimate: strict } = judgeBy(target, { ...evidence, admitsVoid: false })
  return { ...judged, voidRounds: judged.estimate.count - strict.count }
}

function judgeBy(target: Target, evidence: Evidence): Judged {
  const { name, limit, evidence: asked, isShownOnly = false } = target
  const say = (value: Estimate, applied = limit, noise?: Estimate): Judged => ({
    name,
    limit: applied,
    estimate: value,
    verdict: judge(value, applied),
    isShownOnly,
    of: asked.kind === 'start' ? 'starts' : 'rounds',
    voidRounds: 0,
    ...(noise === undefined || noise.count === 0 ? {} : { noise }),
  })
  if (asked.kind === 'start') {
    return say(estimate(known(evidence.starts.map((row) => row[asked.figure]))))
  }
  const { figure, of, to } = asked
  const values = valuesOf(evidence, of, figure)
  const others = valuesOf(evidence, to, figure)
  if (asked.kind === 'growth') {
    const each = values.map((value, round) => {
      const other = others[round]
      if (value === undefined || other === undefined) return undefined
      return (Math.max(0, value - other) * asked.scale) / asked.count
    })
    return say(estimate(known(each)))
  }
  const applied =
    asked.isLooseAsNoise === true && limit.atMost !== undefined
      ? { atMost: loosened(limit.atMost, noiseOf(evidence, to, figure)) }
      : limit
  return say(ratio(values, others), applied, noiseOf(evidence, noiseSide(asked), figure))
}

function loosened(atMost: number, { high, count }: Estimate): number {
  return count === 0 ? atMost : Math.max(atMost, high)
}

/** How many of each; what is only shown counts nowhere. */
export function tally(judged: readonly Judged[]): Record<Verdict, number> {
  const counts = { met: 0, missed: 0, undecided: 0 }
  for (const { verdict, isShownOnly } of judged) if (!isShownOnly) counts[verdict]++
  return counts
}

/** `≤ 0.5` or `≥ 2.4`. */
export function toldLimit({ atMost, atLeast }: Target['limit']): string {
  return atMost === undefined ? `≥ ${told(atLeast ?? Number.NaN)}` : `≤ ${told(atMost)}`
}

/** A line of the table. */
export function toldJudged(judged: Judged): string {
  const { name, limit, estimate: value, verdict, noise, isShownOnly, of, voidRounds } = judged
  const beside = noise === undefined ? '' : `; against itself ${toldEstimate(noise)}`
  const said = isShownOnly ? `shown only (${verdict})` : verdict
  const some = voidRounds === 0 ? '' : `, ${voidRounds} of them void`
  const asked = `asked ${toldLimit(limit)}, ${of} ${value.count}${some}`
  return `${said.padEnd(9)} ${name}: ${toldEstimate(value)}; ${asked}${beside}`
}
