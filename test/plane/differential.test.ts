// A short run of the differential fuzzer: the model against itself and against every plane that is built here.

import { describe, expect, it } from 'vitest'
import { comparePlanes, report } from '../fuzz/plane.ts'
import { harnesses } from './harnesses.ts'

const STEPS = 250
const SEEDS = [1, 2, 3, 4]
/** Real time makes steps slow: one seed shows that sockets and files change nothing. */
const REAL_SEEDS = [1]
const TIMEOUT_MS = 60_000
const planes = harnesses()
const model = planes.get('model')!

for (const [name, harness] of planes) {
  describe(`plane: differential: model and ${name}`, () => {
    const seeds = harness.hasVirtualTime ? SEEDS : REAL_SEEDS
    it.each(seeds)(
      'seed %i: every response, answer and row agrees',
      async (seed) => {
        const difference = await comparePlanes([model, harness], seed, STEPS)
        expect(difference && report(difference, ['model', name])).toBeNull()
      },
      TIMEOUT_MS,
    )
  })
}
