// Every scenario by name: the table that `npm run sim -- --scenario NAME` looks into.

import type { Scenario } from './scenario.ts'
import { drawn } from './scenario.ts'

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'mixed',
    story: 'administrators, producers and consumers while processes are killed and the power goes',
    options: drawn,
  },
  {
    name: 'kills',
    story: 'only processes die: nothing written may be lost',
    options: (random) => {
      const options = drawn(random)
      return { ...options, faults: { ...options.faults, endings: ['kill'] } }
    },
  },
  {
    name: 'admin',
    story: 'many changes of topics, snapshots all the time, the power goes often',
    options: (random) => {
      const options = drawn(random)
      return {
        ...options,
        admins: 3,
        producers: 0,
        consumers: 0,
        racers: 0,
        pauseMsMax: 20,
        snapshotBytes: random.pick([200, 1000]),
        retentionBytes: random.pick([1, 2000]),
        faults: { ...options.faults, everyMs: 400, endings: ['power'] },
      }
    },
  },
  {
    name: 'race',
    story: 'many clients create, grow, delete and write to the same topics, on slow disks',
    options: (random) => {
      const options = drawn(random)
      return {
        ...options,
        admins: 0,
        producers: 0,
        consumers: 0,
        racers: random.nextInt(3, 7),
        pauseMsMax: random.pick([1, 5, 20]),
        diskDelayMsMax: random.pick([1, 10, 60]),
        faults: { ...options.faults, everyMs: random.pick([0, 1000, 3000]) },
      }
    },
  },
  {
    name: 'restarts',
    story: 'the node is stopped in order, or dies on the way, over and over',
    options: (random) => {
      const options = drawn(random)
      return {
        ...options,
        faults: { ...options.faults, everyMs: 300, kinds: ['stop', 'crashAtOperation'] },
      }
    },
  },
  {
    name: 'clock',
    story: 'the wall clock jumps forward and back while clients work',
    options: (random) => {
      const options = drawn(random)
      return {
        ...options,
        faults: { ...options.faults, everyMs: 800, kinds: ['clockJump', 'crash'] },
      }
    },
  },
  {
    name: 'retention',
    story:
      'logs lose their oldest segments while producers write, consumers read and the node dies',
    options: (random) => {
      const options = drawn(random)
      return {
        ...options,
        admins: 0,
        racers: 0,
        members: 0,
        producers: random.nextInt(2, 4),
        consumers: 2,
        pauseMsMax: random.pick([5, 20]),
        keptBytes: random.pick([500, 2000]),
        faults: {
          ...options.faults,
          everyMs: random.pick([400, 1000]),
          endings: random.pick([['kill'], ['kill', 'power']] as const),
        },
      }
    },
  },
  {
    name: 'groups',
    story:
      'members come, go and commit while their coordinator is killed, stopped, stalled or loses power',
    options: (random) => {
      const options = drawn(random)
      return {
        ...options,
        admins: 1,
        producers: 0,
        consumers: 0,
        racers: 0,
        members: random.nextInt(2, 7),
        durationMs: 20_000,
        pauseMsMax: random.pick([20, 50, 200]),
        faults: {
          ...options.faults,
          everyMs: random.pick([1000, 2000, 4000]),
          kinds: ['crash', 'crashAtOperation', 'stop', 'slowDisk', 'stall', 'clockJump'],
          endings: random.pick([['kill'], ['kill'], ['kill', 'power']] as const),
        },
      }
    },
  },
  {
    name: 'consumer-groups',
    story:
      'members of KIP-848 come, go and commit while their coordinator is killed, stopped or loses power',
    options: (random) => {
      const options = drawn(random)
      return {
        ...options,
        admins: 1,
        producers: 0,
        consumers: 0,
        racers: 0,
        members: 0,
        modernMembers: random.nextInt(2, 6),
        durationMs: 12_000,
        pauseMsMax: random.pick([20, 50, 200]),
        faults: {
          ...options.faults,
          everyMs: random.pick([1000, 2000, 4000]),
          kinds: ['crash', 'crashAtOperation', 'stop', 'slowDisk', 'stall', 'clockJump'],
          endings: random.pick([['kill'], ['kill'], ['kill', 'power']] as const),
        },
      }
    },
  },
  {
    name: 'transactions',
    story: 'what is copied transactionally is copied once, whatever is killed, stopped or stalled',
    options: (random) => {
      const options = drawn(random)
      return {
        ...options,
        admins: 1,
        producers: 0,
        consumers: 0,
        racers: 0,
        members: 0,
        copiers: random.nextInt(1, 4),
        durationMs: 12_000,
        pauseMsMax: random.pick([1, 20, 100]),
        faults: {
          ...options.faults,
          everyMs: random.pick([500, 1000, 3000]),
          kinds: ['crash', 'crashAtOperation', 'stop', 'slowDisk', 'stall', 'clockJump'],
          endings: random.pick([['kill'], ['kill'], ['kill'], ['kill', 'power']] as const),
        },
      }
    },
  },
  {
    name: 'calm',
    story: 'no faults at all: what fails here is plainly broken',
    options: (random) => {
      const options = drawn(random)
      return { ...options, faults: { ...options.faults, everyMs: 0 } }
    },
  },
]

/** The scenario of this name, or undefined. */
export function scenarioOf(name: string): Scenario | undefined {
  return SCENARIOS.find((scenario) => scenario.name === name)
}
