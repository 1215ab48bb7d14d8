// Planted bugs: what a careless program would leave out of a durable write. Each must be found within its seeds, by a
// run that without the bug breaks nothing; a simulator that does not find them is broken itself.

import { everyOperation } from './every_operation.ts'
import type { MachineOptions } from './machine.ts'
import { commandOf, optionsOf, runSeed } from './run.ts'
import { scenarioOf } from './scenarios/all.ts'

export interface Canary {
  readonly name: string
  readonly bugs: MachineOptions['bugs']
  /** What it shows in; the one that loses power most when left out. */
  readonly scenario?: string
  /** What the finding must speak of. */
  readonly finding: RegExp
}

export const CANARIES: readonly Canary[] = [
  {
    name: 'answers to flushes that never happened',
    bugs: { skipsFlush: true },
    finding: /committed/,
  },
  {
    name: 'quorum-state that is not written',
    bugs: { forgets: 'quorum-state' },
    finding: /epoch \d+ is led/,
  },
  {
    name: 'files replaced without a sync of their bytes',
    bugs: { skipsFileSync: true },
    finding: /CorruptMetadata|DirectoryError/,
  },
  {
    name: 'files replaced without a sync of their directory',
    bugs: { skipsDirectorySync: true },
    finding: /DirectoryError|epoch \d+ is led|committed/,
  },
  {
    name: 'a coordinator that answers before it has written',
    bugs: { answersEarly: true },
    scenario: 'groups',
    finding: /was acknowledged last|both own|and its log says/,
  },
]

/** What found it: a command, or the operation that the first life ended before. */
export interface Finding {
  readonly by: string
  readonly violation: string
}

const SEEDS = 2
const DURATION_MS = 4000

/** Tries seeds of its scenario, then every operation; null when the bug was not found. */
export async function find({ bugs, scenario: name }: Canary): Promise<Finding | null> {
  const scenario = scenarioOf(name ?? 'admin')!
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { durationMs, ...drawn } = optionsOf(scenario, seed)
    // Groups need time to form.
    const options = { ...drawn, bugs, durationMs: name === undefined ? DURATION_MS : durationMs }
    const verdict = await runSeed(scenario, seed, { options })
    if (verdict.violation !== null) return { by: commandOf(verdict), violation: verdict.violation }
  }
  if (name !== undefined) return null
  const { broken } = await everyOperation({ bugs, powerSeeds: 2 })
  if (broken === null) return null
  return {
    by: `${broken.ending} before operation ${broken.operation}`,
    violation: broken.violation,
  }
}
