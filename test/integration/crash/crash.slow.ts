// Fifty rounds of kill -9 under load, or as many as OTTLA_CRASH_ROUNDS says. The figures are printed.

import { expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { CrashWorld, describeRecoveries } from './world.ts'

const ROUNDS = Number(process.env.OTTLA_CRASH_ROUNDS ?? 50)

test('crash: fifty kills, and every acknowledged record is there once, in order, whole', {
  timeout: 60_000 + ROUNDS * 60_000,
}, async () => {
  const seed = Number(process.env.OTTLA_SEED ?? Date.now() % 1_000_000)
  const random = new Random(seed)
  await using world = await CrashWorld.start(() => random.nextFloat())
  try {
    for (let round = 0; round < ROUNDS; round++) await world.round(round)
  } finally {
    console.log(`${describeRecoveries(world.recoveries)}\nOTTLA_SEED=${seed}`)
  }
  expect(world.recoveries).toHaveLength(ROUNDS)
})
