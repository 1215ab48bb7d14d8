// Raft under faults: rules that hold in every run, and planted bugs that must be found.
import { describe, expect, test } from 'vitest'
import { optionsOf, runSim } from './run.ts'

const SEEDS = Number(process.env['RAFT_SEEDS'] ?? 60)
const FIRST_SEED = Number(process.env['RAFT_SEED'] ?? 1)

describe('raft: simulation', () => {
  test('raft: simulation: faults break no rule, and healing restores service', () => {
    let committed = 0
    let snapshotsInstalled = 0
    let votersChanged = 0
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const result = runSim(optionsOf(seed))
      expect(result.violation, `RAFT_SEED=${seed} RAFT_SEEDS=1`).toBe(null)
      expect(result.leadersElected).toBeGreaterThan(0)
      committed += result.committed
      snapshotsInstalled += result.snapshotsInstalled
      votersChanged += result.votersChanged
    }
    expect(committed).toBeGreaterThan(SEEDS * 20)
    if (SEEDS < 60) return
    expect(snapshotsInstalled).toBeGreaterThan(0)
    expect(votersChanged).toBeGreaterThan(0)
  })

  test('raft: simulation: the same seed gives the same run', () => {
    expect(runSim(optionsOf(5))).toEqual(runSim(optionsOf(5)))
    expect(runSim(optionsOf(5)).trace).not.toEqual(runSim(optionsOf(11)).trace)
  })

  test('raft: simulation: forgotten votes are found', () => {
    expect(foundWith({ forgetVotes: true })).toMatch(/two (votes|leaders)/)
  })

  test('raft: simulation: appends that were not durable are found', () => {
    expect(foundWith({ forgetAppends: true })).not.toBe(null)
  })
})

function foundWith(bug: { forgetVotes?: boolean; forgetAppends?: boolean }): string | null {
  for (let seed = 1; seed <= 200; seed++) {
    const { violation } = runSim(optionsOf(seed, bug))
    if (violation !== null) return violation
  }
  return null
}
