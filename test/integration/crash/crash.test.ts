// A few rounds of kill -9 under load; fifty are in crash.slow.ts.

import { test } from 'vitest'
import { crash, roundsOr } from './world.ts'

const ROUNDS = roundsOr(5)

test(
  'crash: every acknowledged record is there once, in order, whole',
  {
    timeout: 60_000 + ROUNDS * 30_000,
  },
  () => crash(ROUNDS),
)
