// The ratchet: what must pass (tests.allow), what Apache Kafka passes with the same command (denominator.json), and
// the score that follows (results/NAME.json), from which docs/reference/conformance.md is made.
//
// Invariant: a score is passed ÷ what Apache Kafka passed, without what is left out for a stated missing API. What
// was skipped, timed out or never reported counts as failed. tests.allow only grows.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Score } from '../../src/cli/gen_conformance.ts'
import { ROOT, runCommand } from '../integration/support/commands.ts'
import { type Case, type Outcome, wanted } from './suite.ts'

const HERE = join(ROOT, 'test/conformance')

/** What Apache Kafka passes, and what is not counted and why. */
export interface Denominator {
  /** Apache Kafka's version. */
  readonly kafka: string
  /** The suite's version. */
  readonly suite: string
  readonly date: string
  readonly passed: readonly string[]
  /** A name, or its beginning and a `*`, to the missing API that is the reason. */
  readonly left_out: Readonly<Record<string, string>>
}

/** Outcomes by name, as a run gathers them. */
export type Outcomes = Map<string, Case>

const RANK: Readonly<Record<Outcome, number>> = { passed: 0, skipped: 1, 'timed out': 2, failed: 3 }

/** Adds a case; of two with one name the worse stays. */
export function addCase(outcomes: Outcomes, c: Case): void {
  const before = outcomes.get(c.name)
  if (before === undefined || RANK[c.outcome] >= RANK[before.outcome]) outcomes.set(c.name, c)
}

/** The names that passed, sorted. */
export function passedOf(outcomes: Outcomes): string[] {
  return [...outcomes.values()]
    .filter(({ outcome }) => outcome === 'passed')
    .map(({ name }) => name)
    .sort()
}

/** Why a name is not counted; null when it is. */
export function leftOut(name: string, denominator: Denominator): string | null {
  for (const [pattern, reason] of Object.entries(denominator.left_out)) {
    const isMatch = pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
    if (isMatch) return reason
  }
  return null
}

/** The names a score counts. */
export function counted(denominator: Denominator): string[] {
  return denominator.passed.filter((name) => leftOut(name, denominator) === null)
}

/** The listed names, within the selection, that did not pass. */
export function broken(
  listed: readonly string[],
  only: readonly string[],
  outcomes: Outcomes,
): string[] {
  return listed.filter((name) => wanted(name, only) && outcomes.get(name)?.outcome !== 'passed')
}

/** The denominator after a run against Apache Kafka; what the selection did not want stays as it was. */
export function calibrated(
  before: Denominator | null,
  only: readonly string[],
  outcomes: Outcomes,
  facts: { kafka: string; suite: string; date: string },
): Denominator {
  const kept = only.length === 0 ? [] : (before?.passed ?? []).filter((n) => !wanted(n, only))
  const passed = [...new Set([...kept, ...passedOf(outcomes)])].sort()
  return { ...facts, passed, left_out: before?.left_out ?? {} }
}

/**
 * The names of the denominator that do not pass, after a run of the whole or of a selection. `before` says what did
 * not pass so far; what was never run is not passed.
 */
export function failedAfter(
  denominator: Denominator,
  before: readonly string[],
  only: readonly string[],
  outcomes: Outcomes,
): string[] {
  return counted(denominator).filter((name) => {
    if (!wanted(name, only) && !outcomes.has(name)) return before.includes(name)
    return outcomes.get(name)?.outcome !== 'passed'
  })
}

const ALLOW_HEAD = `# The tests of this suite that must pass. A run fails when one of them does not.
# This list only grows (--update adds what passes newly). To take a name away needs a reason in FINDINGS.md.
`

/** The names of tests.allow. */
export function readAllowed(suite: string): string[] {
  const file = join(HERE, suite, 'tests.allow')
  if (!existsSync(file)) return []
  return parseAllowed(readFileSync(file, 'utf8'))
}

/** Lines that are names. */
export function parseAllowed(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}

/** Adds names to tests.allow; how many were new. */
export function growAllowed(suite: string, passed: readonly string[]): number {
  const before = readAllowed(suite)
  const names = [...new Set([...before, ...passed])].sort()
  const file = join(HERE, suite, 'tests.allow')
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, ALLOW_HEAD + names.map((name) => `${name}\n`).join(''))
  return names.length - before.length
}

/** denominator.json; null before the first calibration. */
export function readDenominator(suite: string): Denominator | null {
  return readJson(join(HERE, suite, 'denominator.json')) as Denominator | null
}

/** Writes denominator.json. */
export async function writeDenominator(suite: string, denominator: Denominator): Promise<void> {
  await writeJson(join(HERE, suite, 'denominator.json'), denominator)
}

/** The committed score; null before the first. */
export function readResult(suite: string): Score | null {
  return readJson(join(HERE, 'results', `${suite}.json`)) as Score | null
}

/** Writes the score. */
export async function writeResult(result: Score): Promise<void> {
  await writeJson(join(HERE, 'results', `${result.suite}.json`), result)
}

function readJson(file: string): unknown {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null
}

async function writeJson(file: string, value: unknown): Promise<void> {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`)
  const biome = join(ROOT, 'node_modules/@biomejs/biome/bin/biome')
  await runCommand(process.execPath, [biome, 'format', '--write', file])
}
