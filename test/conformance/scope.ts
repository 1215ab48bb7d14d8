// What a check of a JavaScript client runs in: names that nobody else uses, an end for everything it opened, and a
// deadline, because a client that retries for ever would end the suite.

import { randomUUID } from 'node:crypto'
import type { Check } from './checks.ts'
import type { Target } from './suite.ts'

const DEADLINE_MS = 60_000

/** One check's world. */
export class Scope {
  readonly target: Target
  private readonly undo: (() => Promise<unknown>)[] = []

  constructor(target: Target) {
    this.target = target
  }

  /** A name that no other check uses. */
  unique(prefix: string): string {
    return `${prefix}-${randomUUID().slice(0, 13)}`
  }

  /** Stops the broker in order and starts it again; a broker of others is left alone, and the check fails. */
  async restart(): Promise<void> {
    if (this.target.restart === undefined) throw new Error('a broker of others is not restarted')
    await this.target.restart()
  }

  /** Runs when the check has ended, last one first. */
  after(task: () => Promise<unknown>): void {
    this.undo.push(task)
  }

  /** Ends everything; a client that cannot close is the check's failure as well. */
  async close(): Promise<void> {
    const problems: unknown[] = []
    for (const task of this.undo.splice(0).reverse()) {
      await within(10_000, 'closing', task()).catch((problem) => problems.push(problem))
    }
    if (problems.length > 0) throw problems[0]
  }
}

/** A check that gets a scope; fails when it is not done in time, a minute when nothing else is said. */
export function check(
  name: string,
  body: (scope: Scope) => Promise<void>,
  deadlineMs = DEADLINE_MS,
): Check {
  return {
    name,
    async run(target) {
      const scope = new Scope(target)
      try {
        await within(deadlineMs, name, body(scope))
      } finally {
        await scope.close()
      }
    },
  }
}

async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  const late = AbortSignal.timeout(ms)
  const expired = new Promise<never>((_, reject) => {
    late.addEventListener('abort', () => reject(new Error(`${what}: not within ${ms} ms`)))
  })
  return await Promise.race([work, expired])
}
