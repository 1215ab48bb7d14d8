// Arms that run beside each other, and slices on them by round: started once, warmed, each slice measured once and kept. A
// slice that is void is tried a second time, as long as its round has repeats left; both are kept, and the page shows both.

import { type Arm, startArm } from '../arms/arms.ts'
import { BARE_PIPE } from '../arms/brokers.ts'
import type { Programs } from '../arms/programs.ts'
import { isSteal } from './load_result.ts'
import { runSlice, type Slice, type SliceTime } from './slice.ts'
import type { Store } from './store.ts'
import { atShare, type Workload, workload } from './workloads.ts'

/** How often a slice is tried until it counts, and a rate until it is beyond the knee. */
const ATTEMPTS = 2
const KNEE_ATTEMPTS = 3
/** So many tries that others took time from, and failed, are no word on a rate: they are made again. */
const KNEE_STOLEN_ATTEMPTS = 6
/**
 * A rate is sustained when so much of it was acknowledged, p99 stayed below this, and the generator kept to its times. What
 * was stolen from the machine is not the broker's doing.
 */
const KEPT_SHARE = 0.98
const P99_US_MAX = 100_000
/** Parts of a closed loop, tried in this order. */
const KNEE_SHARES = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]
const LEAST_SHARE = 0.1
/** Its number of round says that a slice belongs to none. */
const NO_ROUND = -1

/** One line per slice, so that hours have a measure. */
export class Progress {
  private done = 0
  private readonly fromMs = performance.now()
  private readonly total: number

  constructor(total: number) {
    this.total = total
  }

  step(what: string): void {
    this.done++
    const perStep = (performance.now() - this.fromMs) / this.done / 60_000
    const left = Math.ceil(perStep * (this.total - this.done))
    console.error(`${this.done}/${this.total}, ${left} min left: ${what}`)
  }
}

/** What a virtual machine for Java needs before it is measured: time, and many requests. */
export interface WarmUp {
  readonly kafkaSeconds: number
}

const WARM: readonly string[] = ['produce and consume 1 KiB', 'unbatched 1 KiB']

/** How much time slices take, and how often in a round a void one is tried again. */
export interface Pace extends SliceTime {
  readonly repeatsPerRound?: number
}

/** The arms of one run. */
export class Rounds {
  readonly arms: Arm[] = []
  private readonly programs: Programs
  private readonly store: Store
  private readonly time: Pace

  constructor(programs: Programs, store: Store, time: Pace) {
    this.programs = programs
    this.store = store
    this.time = time
  }

  /** Starts and warms them; `directory` is theirs. */
  async start(names: readonly string[], directory: string, warmUp: WarmUp): Promise<void> {
    for (const name of names) {
      const arm = await startArm(name, directory, this.programs)
      this.arms.push(arm)
      const isKafka = arm.name === 'kafka' || arm.name.includes(':')
      const seconds = isKafka ? warmUp.kafkaSeconds / WARM.length : 1
      for (const warm of WARM) {
        await runSlice(this.programs.load, arm, workload(warm), NO_ROUND, { seconds, warmup: 0 })
      }
    }
  }

  async stop(): Promise<void> {
    for (const arm of this.arms.splice(0)) await arm.stop()
  }

  names(): string[] {
    return this.arms.map(({ name }) => name)
  }

  /** Measures unless it is there; `name` is what the arm is called in the results. */
  async slice(arm: Arm, one: Workload, round: number, name = arm.name): Promise<void> {
    // The pipe has no control plane and no producer ids.
    const isBeyondPipe = one.storm !== undefined || one.options['idempotent'] === 'yes'
    if (arm.name.startsWith(BARE_PIPE) && isBeyondPipe) return
    while (this.wants(name, one.name, round)) {
      const slice: Slice = await runSlice(this.programs.load, arm, one, round, this.time)
      this.store.add({ ...slice, arm: name })
    }
  }

  /** Whether it is to be measured: for the first time, or again because it was void. */
  wants(name: string, workloadName: string, round: number): boolean {
    const tried = this.store.of(name, workloadName, round)
    if (tried.length === 0) return true
    if (tried.length >= ATTEMPTS || tried.some((slice) => slice.void.length === 0)) return false
    return this.repeats(round) < (this.time.repeatsPerRound ?? Number.POSITIVE_INFINITY)
  }

  /** How many of the round's slices were tried again. */
  private repeats(round: number): number {
    const all = this.store.slices.filter((slice) => slice.round === round)
    return all.length - new Set(all.map(({ arm, workload: one }) => `${arm}: ${one}`)).size
  }

  /**
   * The highest rate of single records that all of `arms` sustain, by tenths of the slowest's closed loop; a tenth where they
   * sustain none. From above, since an unlucky slice at a lower rate is no knee, and a virtual machine for Java learns meanwhile.
   */
  async knee(arms: readonly Arm[]): Promise<number> {
    const run = async (arm: Arm, one: Workload) =>
      await runSlice(this.programs.load, arm, one, NO_ROUND, this.time)
    const peaks: number[] = []
    for (const arm of arms) {
      let peak = 0
      for (let attempt = 0; attempt < KNEE_ATTEMPTS; attempt++) {
        const { figures, void: failed } = await run(arm, workload('unbatched 1 KiB'))
        peak = Math.max(peak, figures.messagesPerSecond)
        if (!failed.some(isSteal)) break
      }
      peaks.push(peak)
    }
    const slowest = Math.min(...peaks)
    const sustains = async (arm: Arm, share: number) => {
      let stolen = 0
      for (let attempt = 0; attempt < KNEE_ATTEMPTS + stolen; attempt++) {
        const { result, void: failed } = await run(arm, atShare(slowest, share))
        const kept = result.ackedPerSecond / (slowest * share)
        const isQuick = result.endToEndUs.p99 <= P99_US_MAX
        if (kept >= KEPT_SHARE && isQuick && failed.every(isSteal)) return true
        if (failed.some(isSteal) && stolen < KNEE_STOLEN_ATTEMPTS) stolen++
      }
      return false
    }
    const allSustain = async (share: number) => {
      for (const arm of arms) if (!(await sustains(arm, share))) return false
      return true
    }
    for (const share of KNEE_SHARES) if (await allSustain(share)) return slowest * share
    return slowest * LEAST_SHARE
  }
}
