// A scenario is data: which clients, which faults, for how long. A seed turns it into one run's options, so that not
// every run has every fault (swarm testing).

import type { Random } from '../../../src/lib/random.ts'
import type { DiskBugs } from '../disk.ts'
import type { Ending } from '../machine.ts'
import type { PlaneBugs } from '../plane.ts'

/** What may happen to the machine, and how often; milliseconds are simulated. */
export interface Faults {
  /** Mean time between two of them; 0: none. */
  everyMs: number
  kinds: readonly Fault[]
  endings: readonly Ending[]
  downMsMax: number
}

export type Fault = 'crash' | 'crashAtOperation' | 'stop' | 'slowDisk' | 'stall' | 'clockJump'

export interface ScenarioOptions {
  durationMs: number
  admins: number
  producers: number
  consumers: number
  racers: number
  /** Of one group. */
  members: number
  /** Of one consumer group (KIP-848). */
  modernMembers: number
  /** Each copies transactionally, under an id of its own. */
  copiers: number
  partitions: number
  pauseMsMax: number
  logDirectories: number
  snapshotBytes: number
  retentionBytes: number
  /** What retention leaves of a partition that producers share; 0: everything. */
  keptBytes: number
  diskDelayMsMax: number
  delayMsMax: number
  faults: Faults
  bugs: DiskBugs & PlaneBugs
}

export interface Scenario {
  readonly name: string
  /** One sentence for who asks what it is. */
  readonly story: string
  options(random: Random): ScenarioOptions
}

/** Middling values; scenarios say what they change. */
export function drawn(random: Random): ScenarioOptions {
  return {
    durationMs: 12_000,
    admins: random.nextInt(1, 3),
    producers: random.nextInt(1, 3),
    consumers: 1,
    racers: random.pick([0, 0, 2]),
    partitions: random.nextInt(1, 4),
    pauseMsMax: random.pick([20, 100, 400]),
    logDirectories: random.nextInt(1, 3),
    snapshotBytes: random.pick([400, 2000, 20_000]),
    retentionBytes: random.pick([1, 3000, 1_000_000]),
    keptBytes: 0,
    diskDelayMsMax: random.pick([0, 1, 10]),
    delayMsMax: random.pick([1, 5, 40]),
    faults: {
      everyMs: random.pick([400, 1000, 3000]),
      kinds: ['crash', 'crashAtOperation', 'stop', 'slowDisk', 'stall'],
      endings: ['kill', 'power'],
      downMsMax: 500,
    },
    bugs: {},
    members: random.pick([0, 3]),
    modernMembers: 0,
    copiers: 0,
  }
}
