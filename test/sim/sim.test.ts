// Whole nodes from fixed seeds. A failure's message is the command that repeats it.
import { describe, expect, test } from 'vitest'
import { Random } from '../../src/lib/random.ts'
import { CANARIES, find } from './canary.ts'
import { everyOperation } from './every_operation.ts'
import { commandOf, runSeed } from './run.ts'
import { SCENARIOS, scenarioOf } from './scenarios/all.ts'
import { Trace } from './trace.ts'

const FIRST_SEED = Number(process.env['SIM_SEED'] ?? 1)
const SEEDS = Number(process.env['SIM_SEEDS'] ?? 2)
/** Simulated time; a busy machine needs some seconds of its own for it. */
const DURATION_MS = 8000
const TIMEOUT_MS = 180_000

describe('sim', () => {
  test.each(SCENARIOS)(
    'sim: $name: $story',
    async (scenario) => {
      for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
        const verdict = await runSeed(scenario, seed)
        expect(verdict.violation, commandOf(verdict)).toBe(null)
        expect(verdict.committed).toBeGreaterThan(40)
        expect(verdict.deleted > 0).toBe(scenario.name === 'retention')
        if (scenario.name === 'transactions') expect(verdict.transactions).toBeGreaterThan(20)
        if (scenario.name.endsWith('groups')) expect(verdict.groups.commits).toBeGreaterThan(0)
      }
    },
    TIMEOUT_MS,
  )

  test.each(['mixed', 'groups'])(
    'sim: %s: two runs of a seed give equal traces, and two seeds do not',
    async (name) => {
      const run = async (seed: number) => {
        const scenario = scenarioOf(name)!
        const options = { ...scenario.options(new Random(seed)), durationMs: DURATION_MS }
        const trace = new Trace({ keepAll: true })
        await runSeed(scenario, seed, { options, trace })
        return trace
      }
      const [one, again, other] = [await run(5), await run(5), await run(6)]
      expect(again.tail(1e9)).toEqual(one.tail(1e9))
      expect(again.fingerprint).toBe(one.fingerprint)
      expect(other.fingerprint).not.toBe(one.fingerprint)
    },
    TIMEOUT_MS,
  )

  test(
    'sim: a life may end before any of its operations, by kill or by loss of power',
    async () => {
      const { cuts, broken } = await everyOperation()
      const where = `${broken?.ending} before operation ${broken?.operation}: ${broken?.violation}`
      expect(broken, `${where}\n${broken?.trace.tail(40).join('\n')}`).toBe(null)
      expect(cuts).toBeGreaterThan(300)
    },
    TIMEOUT_MS,
  )

  test.each(CANARIES)(
    'sim: canary: $name: found',
    async (canary) => {
      expect((await find(canary))?.violation).toMatch(canary.finding)
    },
    TIMEOUT_MS,
  )
})
