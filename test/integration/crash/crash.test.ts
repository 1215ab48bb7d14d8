// A few rounds of kill -9 under load; fifty are in crash.slow.ts.

import { expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { CrashWorld, describeRecoveries } from './world.ts'

const ROUNDS = Number(process.env.OTTLA_CRASH_ROUNDS ?? 5)

test('crash: every acknowledged record is there once, in order, whole', {
  timeout: 60_000 + ROUNDS * 30_000,
}, async () => {
  const seed = Number(process.env.OTTLA_SEED ?? Date.now() % 1_000_000)
  const random = new Random(seed)
  await using world = await CrashWorld.start(() => random.nextFloat())
  for (let round = 0; round < ROUNDS; round++) await world.round(round)
  expect(world.recoveries).toHaveLength(ROUNDS)
  console.log(`${describeRecoveries(world.recoveries)}\nOTTLA_SEED=${seed}`)
})
