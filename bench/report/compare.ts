// From slices to what may be said: per workload and figure, each arm's median, its ratio to the first arm by rounds, and
// the first arm's ratio to itself, which is the smallest difference that may be claimed.

import { isComplete } from '../harness/load_result.ts'
import type { Figures, Slice } from '../harness/slice.ts'
import { type Estimate, estimate, isBeyondNoise, ratio } from './stats.ts'

export type Figure = keyof Figures

/** In the order of the report; `better` says which way. */
export const FIGURES: readonly { key: Figure; title: string; better: 'more' | 'less' }[] = [
  { key: 'messagesPerSecond', title: 'messages/s', better: 'more' },
  { key: 'cpuSecondsPerGb', title: 'broker CPU s/GB', better: 'less' },
  { key: 'cpuSecondsPerDeliveredGb', title: 'broker CPU s/GB delivered', better: 'less' },
  { key: 'cpuUsPerMessage', title: 'broker CPU µs/message', better: 'less' },
  { key: 'ackP50', title: 'acknowledge p50 µs', better: 'less' },
  { key: 'ackP99', title: 'acknowledge p99 µs', better: 'less' },
  { key: 'endToEndP50', title: 'end to end p50 µs', better: 'less' },
  { key: 'endToEndP99', title: 'end to end p99 µs', better: 'less' },
  { key: 'endToEndP999', title: 'end to end p99.9 µs', better: 'less' },
  { key: 'residentMib', title: 'resident MiB', better: 'less' },
  { key: 'residentPeakMib', title: 'resident MiB, most', better: 'less' },
  { key: 'callsPerMessage', title: 'system calls/message', better: 'less' },
  { key: 'switchesPerMessage', title: 'context switches/message', better: 'less' },
]

/** The second slice of the first arm in the rounds of A against A. */
export const AGAIN = ' again'

export interface ArmFigure {
  readonly arm: string
  readonly estimate: Estimate
  /** This arm divided by the first, by rounds; undefined for the first itself. */
  readonly toFirst?: Estimate
  readonly isBeyondNoise?: boolean
}

export interface Comparison {
  readonly workload: string
  readonly figure: Figure
  /** The first arm against itself. */
  readonly noise: Estimate
  readonly arms: readonly ArmFigure[]
}

/**
 * By number of round; of several attempts the last that is not void. `admitsVoid`: where there is none, the last that is void
 * only because the machine was busy.
 */
export function valuesByRound(
  slices: readonly Slice[],
  arm: string,
  figure: Figure,
  admitsVoid = false,
) {
  const values: (number | undefined)[] = []
  const own = slices.filter((slice) => slice.arm === arm)
  const valid = own.filter((slice) => slice.void.length === 0)
  const lesser = admitsVoid ? own.filter((slice) => isComplete(slice.void)) : []
  for (const slice of [...lesser, ...valid]) values[slice.round] = slice.figures[figure]
  return values
}

/** Everything that both sides have; void slices count nowhere. */
export function compare(slices: readonly Slice[], arms: readonly string[]): Comparison[] {
  const [first, ...others] = arms
  const workloads = [...new Set(slices.map(({ workload }) => workload))]
  return workloads.flatMap((workload) => {
    const own = slices.filter((slice) => slice.workload === workload)
    return FIGURES.flatMap(({ key: figure }) => {
      const firsts = valuesByRound(own, first!, figure)
      const known = (values: readonly (number | undefined)[]) =>
        values.filter((value) => value !== undefined)
      const noise = ratio(valuesByRound(own, first! + AGAIN, figure), firsts)
      const rest = others.flatMap((arm): ArmFigure[] => {
        const values = valuesByRound(own, arm, figure)
        if (known(values).length === 0) return []
        const toFirst = ratio(values, firsts)
        const isClear = noise.count > 0 && isBeyondNoise(toFirst, noise)
        return [{ arm, estimate: estimate(known(values)), toFirst, isBeyondNoise: isClear }]
      })
      if (known(firsts).length === 0 && rest.length === 0) return []
      const all = [{ arm: first!, estimate: estimate(known(firsts)) }, ...rest]
      return [{ workload, figure, noise, arms: all }]
    })
  })
}

/** A number with three digits that matter. */
export function told(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  if (size >= 1000) return Math.round(value).toLocaleString('en-US')
  return value.toPrecision(3)
}

/** `value (low–high)`. */
export function toldEstimate({ value, low, high }: Estimate): string {
  return `${told(value)} (${told(low)}–${told(high)})`
}
