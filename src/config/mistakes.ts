// Mistakes and warnings about configuration, and the one exception that carries them.
//
// Every mistake names the key, what was given and where, what is wrong, and what may be given
// instead, and all of them are reported at once: nobody should need five starts to fix five lines.

/** One thing that stops the start. `value` is null when nothing was given. */
export interface Mistake {
  readonly key: string
  readonly value: string | null
  readonly problem: string
  /** What may be given instead; empty when nothing sensible can be said. */
  readonly allowed: string
  /** Where it was given: `server.properties:12`, `environment KAFKA_NODE_ID`, `--set`. */
  readonly source: string
}

/** One thing that does not stop the start but should be known. */
export interface ConfigWarning {
  readonly key: string
  readonly problem: string
  readonly source: string
}

/** Thrown at start with every mistake there is; one of the two exceptions of the control plane. */
export class ConfigError extends Error {
  readonly code = 'OTTLA_CONFIG'
  readonly mistakes: readonly Mistake[]

  constructor(mistakes: readonly Mistake[]) {
    super(describeMistakes(mistakes))
    this.name = 'ConfigError'
    this.mistakes = mistakes
  }
}

/** The text people read: what was given and where, then what is wrong and what is allowed. */
export function describeMistakes(mistakes: readonly Mistake[]): string {
  const count = mistakes.length === 1 ? 'one mistake' : `${mistakes.length} mistakes`
  const lines = mistakes.flatMap(({ key, value, problem, allowed, source }) => [
    `  ${key}${value === null ? '' : `=${value}`}${source === '' ? '' : ` (${source})`}`,
    `    ${problem}${allowed === '' ? '' : `; allowed: ${allowed}`}`,
  ])
  return [`${count} in the configuration:`, ...lines].join('\n')
}

/** A warning as one line. */
export function describeWarning({ key, problem, source }: ConfigWarning): string {
  return `${key}${source === '' ? '' : ` (${source})`}: ${problem}`
}
