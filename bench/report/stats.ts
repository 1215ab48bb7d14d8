// The arithmetic of comparing: medians, bootstrap intervals, and what may be claimed from them.
//
// Two arms are compared pair by pair (neighbours in time), because drift between minutes is larger than most effects.
// The median of the ratios is the result; its interval is the percentile bootstrap over pairs, from a seed, so that
// the same results always print the same interval.

/** The middle value; NaN of none. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** By linear interpolation between ranks. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const low = sorted[Math.floor(at)]!
  const high = sorted[Math.ceil(at)]!
  return low + (high - low) * (at - Math.floor(at))
}

/** A value with the interval that holds it in 95 of 100 repetitions. */
export interface Estimate {
  readonly value: number
  readonly low: number
  readonly high: number
  /** Pairs, or slices, that it comes from. */
  readonly count: number
}

const RESAMPLES = 4000
const SEED = 0x9e3779b9

/** mulberry32: small, even, the same everywhere. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The median and its bootstrap interval; with fewer than three values the interval is their range. */
export function estimate(values: readonly number[], resamples = RESAMPLES): Estimate {
  const count = values.length
  const value = median(values)
  if (count < 3) return { value, low: Math.min(...values), high: Math.max(...values), count }
  const random = randomFrom(SEED)
  const medians = Array.from({ length: resamples }, () =>
    median(values.map(() => values[Math.floor(random() * count)]!)),
  )
  return { value, low: quantile(medians, 0.025), high: quantile(medians, 0.975), count }
}

/** The median of a[i] / b[i]. Pairs in which either is missing, void or zero are left out. */
export function ratio(
  a: readonly (number | undefined)[],
  b: readonly (number | undefined)[],
): Estimate {
  const ratios = a.flatMap((value, i) => {
    const other = b[i]
    return value === undefined || other === undefined || other === 0 ? [] : [value / other]
  })
  return estimate(ratios.filter(Number.isFinite))
}

/** What a target says of a ratio: at most, or at least, so much. */
export interface Target {
  readonly atMost?: number
  readonly atLeast?: number
}

export type Verdict = 'met' | 'missed' | 'undecided'

/** Met only where the whole interval lies within, missed where it lies beyond, else undecided. */
export function judge({ low, high, count }: Estimate, { atMost, atLeast }: Target): Verdict {
  if (count < 3) return 'undecided'
  const isWithin =
    (atMost === undefined || high <= atMost) && (atLeast === undefined || low >= atLeast)
  const isBeyond =
    (atMost !== undefined && low > atMost) || (atLeast !== undefined && high < atLeast)
  return isWithin ? 'met' : isBeyond ? 'missed' : 'undecided'
}

/** Whether a difference is larger than what the same arm showed against itself. */
export function isBeyondNoise(compared: Estimate, againstItself: Estimate): boolean {
  const noise = Math.max(againstItself.high - 1, 1 - againstItself.low)
  return compared.low > 1 + noise || compared.high < 1 - noise
}
