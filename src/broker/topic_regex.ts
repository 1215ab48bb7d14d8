// Patterns over topic names in RE2's syntax, by re2js, whose time is linear in the name whatever the pattern: strangers
// bring them. Loaded when the first pattern comes. Kafka: TopicRegexResolver, with re2j.

import { createRequire } from 'node:module'
import type { CompileRegex } from '../group/settings.ts'

type Re2 = Pick<typeof import('re2js'), 'RE2JS'>

/** Longer patterns are refused: what a machine costs grows with its pattern. */
const PATTERN_LENGTH_MAX = 10_000

let loaded: Re2 | null = null

/** A matcher for whole names, or null when the pattern is none. */
export const compileTopicRegex: CompileRegex = (pattern) => {
  if (pattern.length > PATTERN_LENGTH_MAX) return null
  loaded ??= createRequire(import.meta.url)('re2js') as Re2
  const { RE2JS } = loaded
  const compiled = attempt(() => RE2JS.compile(pattern))
  return compiled === null ? null : (topicName) => compiled.matches(topicName)
}

/** What is wrong with a pattern is an answer, not a bug. */
function attempt<T>(compile: () => T): T | null {
  try {
    return compile()
  } catch {
    return null
  }
}
