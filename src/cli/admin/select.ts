// Names and patterns against what the cluster has, and questions before something is destroyed.
//
// Invariant: a name without a pattern in it is asked for as it is, so that a missing one is an error; a pattern that
// matches nothing is not.

import { createInterface } from 'node:readline/promises'
import { listTopics } from '../../client/admin_topics.ts'
import type { Cluster, TopicMetadata } from '../../client/cluster.ts'
import { CliProblem, EXIT } from '../output/problems.ts'
import { isGlob, matcherOf } from './values.ts'

/** Names that a list of names and patterns selects, sorted; names without a pattern are kept whether they exist. */
export function selectNames(
  patterns: readonly string[],
  all: readonly string[],
  isRegex: boolean,
): string[] {
  const selected = new Set<string>()
  for (const pattern of patterns) {
    if (!isRegex && !isGlob(pattern)) {
      selected.add(pattern)
      continue
    }
    const matches = matcherOf(pattern, isRegex)
    for (const name of all) if (matches(name)) selected.add(name)
  }
  return [...selected].sort()
}

/** Whether any of the names is a pattern. */
export function hasPattern(names: readonly string[], isRegex: boolean | undefined): boolean {
  return isRegex === true || names.some(isGlob)
}

/** The topics selected; without names all of them. Raises when a topic that was named does not exist. */
export async function selectTopics(
  cluster: Cluster,
  names: readonly string[],
  options: { regex?: boolean | undefined; internal?: boolean | undefined },
): Promise<TopicMetadata[]> {
  const all = await listTopics(cluster, { isInternalIncluded: true })
  const visible = all.filter(({ isInternal }) => options.internal === true || !isInternal)
  if (names.length === 0) return visible
  const known = new Map(all.map((topic) => [topic.name, topic]))
  const selected = selectNames(
    names,
    visible.map(({ name }) => name),
    options.regex === true,
  )
  const missing = selected.filter((name) => !known.has(name))
  if (missing.length > 0) throw noSuch('topic', missing)
  return selected.map((name) => known.get(name)!)
}

/** The problem of names that nothing has. */
export function noSuch(what: string, names: readonly string[]): CliProblem {
  const quoted = names.map((name) => `'${name}'`).join(', ')
  const text =
    names.length === 1 ? `there is no ${what} ${quoted}` : `there are no ${what}s ${quoted}`
  return new CliProblem(text, EXIT.answer, `ottla ${what} list shows those there are.`)
}

/** Asks on a terminal; elsewhere the option `--yes` is the only way to agree. */
export async function confirm(question: string, isAgreed: boolean | undefined): Promise<void> {
  if (isAgreed === true) return
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) {
    throw new CliProblem(`${question} Nothing was changed.`, EXIT.usage, 'Say --yes to agree.')
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await lines.question(`${question} [y/N] `)
    if (/^y(es)?$/i.test(answer.trim())) return
  } finally {
    lines.close()
  }
  throw new CliProblem('nothing was changed', EXIT.usage)
}
