// What a disk without much room means for the log directory on it: which of three states it is in, how much clients may
// still add, and which segments go before their time.
//
// Two marks, each with an end of its own a quarter above it, so that a disk at a mark does not go to and fro:
//
//   plenty ─ below `low` ─► low ─ at `reserve` ─► full          full ─ above the reserve's end ─► low, or plenty
//   low ─ above low's end ─► plenty
//
// Invariants: time and measurements are arguments; only segments that retention would delete one day go early, and of
// those the one that is due first; never one whose topic does not allow it, nor one younger than it allows.

import type { LogLimits } from './log_manager.ts'

/** `low`: segments may go early. `full`: clients' batches are refused; the rest of the disk is the broker's own. */
export const DISK_STATES = ['plenty', 'low', 'full'] as const
export type DiskState = (typeof DISK_STATES)[number]

/** The settings that the marks are made of. */
export interface PressureSettings {
  readonly reserveBytes: number
  readonly lowBytes: number
  /** Of a small disk the reserve is at most so much, and the low mark twice as much. */
  readonly reservePercentMax: number
}

/** Free bytes at which states begin and end; 0: never. */
export interface Marks {
  readonly reserve: number
  readonly reserveEnd: number
  readonly low: number
  readonly lowEnd: number
}

/** How far above a mark its state ends. */
const END_RATIO = 1.25
/** Nobody writes so much in a second: with so much room before the reserve it is not filled between two measurements. */
const FAR_BYTES = 4 * 1024 ** 3
/** Between two measurements of a disk that is close to a mark. */
const CLOSE_PACE_MS = 250
/** Of any other; the further it is from its marks, the later, but a disk that is gone is noticed. */
export const PACE_MS = 1_000
const PACE_MS_MAX = 5_000

export function marksOf(settings: PressureSettings, totalBytes: number): Marks {
  const reserveMax = (totalBytes * settings.reservePercentMax) / 100
  const reserve = Math.floor(Math.min(settings.reserveBytes, reserveMax))
  const low = Math.floor(Math.max(reserve, Math.min(settings.lowBytes, 2 * reserveMax)))
  return {
    reserve,
    reserveEnd: Math.ceil(reserve * END_RATIO),
    low,
    lowEnd: Math.ceil(low * END_RATIO),
  }
}

/** The state of a disk with so much room, which was in `state` when it was last looked at. */
export function nextState(state: DiskState, usableBytes: number, marks: Marks): DiskState {
  const { reserve, reserveEnd, low, lowEnd } = marks
  const fullBelow = state === 'full' ? reserveEnd : reserve + 1
  if (reserve > 0 && usableBytes < fullBelow) return 'full'
  const lowBelow = state === 'plenty' ? low : lowEnd
  return usableBytes < lowBelow ? 'low' : 'plenty'
}

/** What clients' batches may add until it is measured again; -1: no limit. */
export function clientBytes(state: DiskState, usableBytes: number, marks: Marks): number {
  if (state === 'full') return 0
  const left = usableBytes - marks.reserve
  return marks.reserve === 0 || left > FAR_BYTES ? -1 : left
}

/** Until a disk must be measured again, so that whoever writes meanwhile does not come past a mark unseen. */
export function paceMs(state: DiskState, usableBytes: number, marks: Marks): number {
  if (state !== 'plenty' || clientBytes(state, usableBytes, marks) >= 0) return CLOSE_PACE_MS
  const farMs = ((usableBytes - Math.max(marks.low, marks.reserve)) / FAR_BYTES) * PACE_MS
  return Math.round(Math.min(Math.max(farMs, PACE_MS), PACE_MS_MAX))
}

/** What a topic allows when its disk is low. */
export interface EarlyPolicy extends LogLimits {
  readonly policy: readonly string[]
  /** Its records stay for so long whatever happens; -1: nothing goes early. */
  readonly earlyRetentionMs: number
}

/** False: nothing of such a topic goes early. What is kept for ever is. */
export function mayGoEarly({
  policy,
  retentionMs,
  retentionBytes,
  ...early
}: EarlyPolicy): boolean {
  const isLimited = retentionMs >= 0 || retentionBytes >= 0
  return early.earlyRetentionMs >= 0 && policy.includes('delete') && isLimited
}

/** The oldest segment of a log, as the plane tells it. */
export interface OldestSegment {
  /** Where the next one begins. */
  readonly nextOffset: number
  readonly maxTimestamp: number
  readonly bytes: number
}

/** One that may go. */
export interface Victim<Log> {
  readonly log: Log
  readonly segment: OldestSegment
}

/** The oldest segments of the logs of a directory, soonest due first. */
export class Victims<Log> {
  private readonly queue: (Victim<Log> & { dueMs: number })[] = []
  private readonly nowMs: number

  constructor(nowMs: number) {
    this.nowMs = nowMs
  }

  /** A log's oldest segment; one that is too young is passed over. */
  add(log: Log, segment: OldestSegment, policy: EarlyPolicy): void {
    if (!mayGoEarly(policy) || segment.nextOffset < 0) return
    if (this.nowMs - segment.maxTimestamp < policy.earlyRetentionMs) return
    const { retentionMs } = policy
    // By size alone nobody can say when: behind all others, the oldest first.
    const dueMs = retentionMs < 0 ? Number.POSITIVE_INFINITY : segment.maxTimestamp + retentionMs
    const one = { log, segment, dueMs }
    this.queue.splice(this.placeOf(one), 0, one)
  }

  /** The one to delete now. */
  take(): Victim<Log> | undefined {
    return this.queue.pop()
  }

  /** The queue has the soonest at its end. */
  private placeOf(one: { dueMs: number; segment: OldestSegment }): number {
    let [from, to] = [0, this.queue.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if (isSooner(one, this.queue[middle]!)) from = middle + 1
      else to = middle
    }
    return from
  }
}

interface Due {
  readonly dueMs: number
  readonly segment: OldestSegment
}

function isSooner(a: Due, b: Due): boolean {
  if (a.dueMs !== b.dueMs) return a.dueMs < b.dueMs
  return a.segment.maxTimestamp < b.segment.maxTimestamp
}
