// What became of each thing that was asked for: a line or a JSON object each, and an exit code over all.
// Kafka's tools say only the first refusal; here every item is told.

import type { ClientError } from '../../client/client_error.ts'
import type { Json, Output } from '../output/output.ts'
import { EXIT } from '../output/problems.ts'
import { printable } from '../output/text.ts'

/** An error as JSON. */
export function errorJson(error: ClientError | null): Json {
  if (error === null) return null
  return { code: error.code, message: error.message, isRetriable: error.isRetriable }
}

/** One thing that was done, or not. */
export interface Result {
  /** What was done, in words: `created topic words`. */
  readonly done: string
  readonly fields: { [name: string]: Json }
  readonly error: ClientError | null
}

/** Tells every result; 0, or the code for a refusal when there is one. */
export function tellResults(out: Output, results: readonly Result[]): number {
  if (out.isJson)
    out.json(results.map(({ fields, error }) => ({ ...fields, error: errorJson(error) })))
  for (const { done, error } of results) {
    if (error !== null) out.problem(error.message)
    else if (!out.isJson) out.line(printable(done))
  }
  return results.some(({ error }) => error !== null) ? EXIT.answer : EXIT.ok
}

/** 1 → 'a partition', 3 → '3 partitions'. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
