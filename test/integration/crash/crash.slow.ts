// Fifty rounds of kill -9 under load. The figures are printed.

import { test } from 'vitest'
import { crash, roundsOr } from './world.ts'

const ROUNDS = roundsOr(50)

test(
  'crash: fifty kills, and every acknowledged record is there once, in order, whole',
  {
    timeout: 60_000 + ROUNDS * 60_000,
  },
  () => crash(ROUNDS),
)
