// A suite that is a list of checks: each a name and a function that throws when the broker is wrong. For clients and
// tools whose own tests do not run against a broker, so that the checks are ours and the client is theirs.

import type { Case, Suite, Target } from './suite.ts'
import { wanted } from './suite.ts'

/** One check; it uses names of its own for topics and groups, so that order does not matter. */
export interface Check {
  readonly name: string
  run(target: Target): Promise<void>
}

/** Runs checks one after the other. */
export async function runChecks(
  checks: readonly Check[],
  target: Target,
  only: readonly string[],
  report: (c: Case) => void,
): ReturnType<Suite['run']> {
  for (const { name, run } of checks) {
    if (!wanted(name, only)) continue
    const began = performance.now()
    const said = await run(target).then(
      () => null,
      (problem: unknown) => (problem instanceof Error ? problem.message : String(problem)),
    )
    const ms = performance.now() - began
    if (said === null) report({ name, outcome: 'passed', ms })
    else report({ name, outcome: 'failed', ms, detail: said.slice(0, 2000) })
  }
}
