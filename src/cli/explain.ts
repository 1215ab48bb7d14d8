// Problems of starting and formatting a broker, as words and exit codes. Loaded when something went wrong: it knows
// the classes of half the broker.

import { ConfigError } from '../config/parse.ts'
import { DirectoryError } from '../host/formatting.ts'
import { CorruptMetadata, UnsupportedMetadata } from '../metadata/record.ts'
import { StartRefused } from '../node.ts'
import { PlaneError } from '../plane/plane.ts'
import { CliProblem, EXIT } from './output/problems.ts'

/** The words for a problem; one that has none is a bug, and is thrown on. */
export function explainProblem(problem: unknown): CliProblem {
  if (problem instanceof ConfigError) return new CliProblem(problem.message, EXIT.usage)
  if (problem instanceof DirectoryError) return new CliProblem(problem.message, EXIT.directory)
  if (problem instanceof StartRefused) {
    const code = problem.code === 'LOCKED' ? EXIT.directory : EXIT.refused
    return new CliProblem(problem.message, code)
  }
  if (problem instanceof UnsupportedMetadata || problem instanceof CorruptMetadata) {
    const words = `the metadata log cannot be used: ${problem.message}`
    return new CliProblem(words, EXIT.directory)
  }
  if (problem instanceof PlaneError) return new CliProblem(problem.message, EXIT.refused)
  throw problem
}
