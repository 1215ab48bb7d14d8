// What goes wrong, and when: crashes between events and in the middle of one, stops, slow disks, clocks that jump.
// It only begins faults; that the machine comes back is its business too, that nothing broke is the checkers'.

import type { Random } from '../../src/lib/random.ts'
import type { Cluster } from './cluster.ts'
import type { Fault, Faults } from './scenarios/scenario.ts'

/** A start takes some fifty operations; the rest of a life takes the others. */
const OPERATIONS_MAX = [20, 60, 400]
const SLOW_MS = 1000
/** The longest is longer than a broker's session. */
const STALL_MS = [50, 1000, 12_000]
const JUMP_MS = [1000, 60_000, 3_600_000, -1000, -60_000, -3_600_000]

/** Torments one cluster until told to stop. */
export class Nemesis {
  private readonly cluster: Cluster
  private readonly faults: Faults
  private readonly random: Random
  readonly done: Record<Fault, number> = {
    crash: 0,
    crashAtOperation: 0,
    stop: 0,
    slowDisk: 0,
    stall: 0,
    clockJump: 0,
  }

  constructor(cluster: Cluster, faults: Faults) {
    this.cluster = cluster
    this.faults = faults
    this.random = cluster.random.fork()
  }

  /** Keeps the machine running, badly, until the time is over. */
  async torment(untilMs: number): Promise<void> {
    const { cluster, faults, random } = this
    const { timeline } = cluster
    while (timeline.nowMs < untilMs) {
      if (cluster.machine.isOff) await this.restart()
      const calmMs = faults.everyMs === 0 ? untilMs : random.nextFloat() * 2 * faults.everyMs
      const isOff = () => cluster.machine.isOff
      await cluster.runUntil(isOff, Math.min(calmMs, untilMs - timeline.nowMs))
      if (!cluster.machine.isOff && faults.everyMs > 0)
        await this.disturb(random.pick(faults.kinds))
    }
  }

  private async restart(): Promise<void> {
    const { cluster, faults, random } = this
    await cluster.runUntil(() => false, random.nextFloat() * faults.downMsMax)
    // The process may die while it starts, too.
    const isCursed = faults.kinds.includes('crashAtOperation') && random.ratio(1, 4)
    if (isCursed) this.curse()
    await cluster.up()
  }

  private curse(): void {
    this.done.crashAtOperation++
    this.cluster.machine.endNextBefore = {
      operation: this.random.nextInt(this.random.pick(OPERATIONS_MAX)),
      ending: this.random.pick(this.faults.endings),
    }
  }

  private async disturb(fault: Fault): Promise<void> {
    const { cluster, random, faults } = this
    this.done[fault]++
    switch (fault) {
      case 'crash':
        return cluster.crash(random.pick(faults.endings))
      case 'crashAtOperation':
        return cluster.machine.endSoon(random.nextInt(60), random.pick(faults.endings))
      case 'stop':
        if (!cluster.machine.isUp) return
        await cluster.down()
        if (random.ratio(1, 3)) cluster.machine.losePower()
        return
      case 'slowDisk':
        cluster.machine.isSlow = true
        cluster.timeline.after(SLOW_MS, () => {
          cluster.machine.isSlow = false
        })
        return
      case 'stall':
        return cluster.machine.stall(random.pick(STALL_MS))
      case 'clockJump':
        return cluster.machine.clock.jump(random.pick(JUMP_MS))
    }
  }
}
