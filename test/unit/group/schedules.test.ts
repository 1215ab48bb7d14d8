// Groups under random schedules: consumers that come, go, crash, come back under their instance id, read other topics;
// shards that move, and logs that are compacted. After every decision the log gives the state of the shard (bench.ts);
// no partition has two owners in a generation, no consumer that lives is forgotten, no accepted commit is lost, and when
// the trouble ends the group is whole again. A failure names its seed.

import { describe, expect, it } from 'vitest'
import { PARTITIONS } from './consumer.ts'
import { Schedule } from './schedule.ts'

const SEEDS = 30
const STEPS = 120
function run(seed: number): Schedule {
  const schedule = new Schedule(seed)
  for (let i = 0; i < STEPS; i++) schedule.step()
  return schedule
}

/** Trouble has ended: crashed members time out, and those who are left must agree. */
function settle(schedule: Schedule): void {
  for (let i = 0; i < 120; i++) {
    schedule.bench.advance(1000)
    schedule.everyoneActs()
  }
}

describe('group: schedules', () => {
  it(`group: schedules: ${SEEDS} seeds keep the promises of a group`, () => {
    let generations = 0
    let commits = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const context = `seed ${seed}`
      const schedule = run(seed)
      settle(schedule)
      const { bench, consumers, ledger } = schedule
      expect(
        consumers.map(({ phase }) => phase),
        context,
      ).toEqual(consumers.map(() => 'stable'))
      const seen = new Set(consumers.map(({ generation }) => generation))
      expect(seen.size, context).toBe(consumers.length === 0 ? 0 : 1)
      const owned = consumers.flatMap(({ partitions }) => partitions).sort()
      const all = Array.from({ length: PARTITIONS }, (_, partition) => partition)
      expect(owned, context).toEqual(consumers.length === 0 ? [] : all)
      const offsets = Array.from(ledger.committed, ([index, offset]) => `orders:${index}=${offset}`)
      expect(bench.fetch().sort(), context).toEqual(offsets.sort())
      generations += bench.group?.generationId ?? 0
      commits += ledger.committed.size
    }
    // A schedule in which nothing happens keeps every promise.
    expect(generations).toBeGreaterThan(SEEDS * 10)
    expect(commits).toBeGreaterThan(SEEDS)
  }, 60_000)
})
