// What a conformance suite is: somebody else's tests, pinned, run against a broker that is there already. The harness
// (main.ts) starts the broker, keeps score and holds the ratchet; a suite installs and runs.
//
// Invariant: a suite knows an address and nothing of who listens there, so that the same command calibrates with
// Apache Kafka. A skipped test is not a passed one.

/** The broker under test. */
export interface Target {
  /** `host:port`. */
  readonly address: string
  readonly host: string
  readonly port: number
  readonly name: 'ottla' | 'kafka' | 'other'
  /** Stops the broker in order and starts it on the same port and data; absent for a broker of others. */
  readonly restart?: () => Promise<void>
}

export type Outcome = 'passed' | 'failed' | 'skipped' | 'timed out'

/** One test, or one sub-test where the suite reports them: `test/sub-test`. */
export interface Case {
  readonly name: string
  readonly outcome: Outcome
  readonly ms: number
  /** Why it did not pass, in a line or a few. */
  readonly detail?: string
}

export interface Suite {
  readonly name: string
  /** A line for a reader: whose tests, and what they touch. */
  readonly about: string
  /** Pinned. */
  readonly version: string
  /** Settings of the broker that this suite wants, beside the harness's; the same for Ottla and Apache Kafka. */
  readonly config?: Readonly<Record<string, string>>
  /** Brings the suite into `cache`, an existing folder that git ignores; quick when it is there already. */
  install(cache: string): Promise<void>
  /**
   * Runs what `only` wants (all when it is empty; see `wanted`; running more is allowed) and reports every test once.
   * A name reported again keeps its worse outcome. One failed test never ends the run.
   */
  run(target: Target, only: readonly string[], report: (c: Case) => void): Promise<void>
}

/** Whether a selection of names, or beginnings of names, wants this test; an empty one wants all. */
export function wanted(name: string, only: readonly string[]): boolean {
  return only.length === 0 || only.some((start) => name.startsWith(start))
}

/** The part of a case's name before the first slash: the test that has to run for a sub-test. */
export function testOf(name: string): string {
  return name.split('/', 1)[0]!
}
