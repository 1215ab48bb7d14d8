// What a run of librdkafka's test runner says: the verdicts of its JSON report, and the sub-tests that it prints.
//
// Invariant: only what says that it passed has passed; the exit code says nothing.

import { type Case, type Outcome, wanted } from '../suite.ts'

interface Report {
  readonly tests: Readonly<Record<string, { state: string; duration: number; extra: string }>>
}

const STATES: Readonly<Record<string, Outcome>> = {
  PASSED: 'passed',
  FAILED: 'failed',
  SKIPPED: 'skipped',
  RUNNING: 'timed out',
}

/** The programs of a report that were asked for. */
export function wholeTests(text: string, test: string): Case[] {
  if (text === '') return []
  const { tests } = JSON.parse(text) as Report
  return Object.entries(tests)
    .filter(([name, { state }]) => wanted(name, [test]) && state in STATES)
    .map(([name, { state, duration }]) => ({ name, outcome: STATES[state]!, ms: duration * 1000 }))
    .filter(({ outcome }) => outcome !== 'skipped') // local ones, which touch no broker
}

/**
 * Sub-tests as they are printed: a line when one begins, one when it passed or skipped itself. One that says no more
 * ends as its program ends: there is one that forgets to say that it passed.
 */
export function subTests(said: string, programEnds: (test: string) => Outcome): Case[] {
  const cases: Case[] = []
  const open = new Map<string, string>()
  for (const line of said.split('\n')) {
    const match = line.match(/^\[(\w+)\s*\/\s*[\d.]+s\] \[ (\w+:\d+.*) \]\s*$/)
    if (match === null) continue
    const [, test, text] = match as unknown as [string, string, string]
    const end = text.match(/^(.*): (PASS \(([\d.]+)s\)|SKIP: .*)$/)
    if (end === null) {
      open.set(test, text)
      continue
    }
    const [, start, , seconds] = end
    open.delete(test)
    const outcome = seconds === undefined ? 'skipped' : 'passed'
    cases.push({ name: subName(test, start!), outcome, ms: Number(seconds ?? 0) * 1000 })
  }
  for (const [test, start] of open) {
    const lines = said.match(/### Test ".*\n.*$/gm) ?? []
    cases.push({
      name: subName(test, start),
      outcome: programEnds(test),
      ms: 0,
      detail: lines.join('\n').slice(0, 1000) || lastOf(said),
    })
  }
  return cases
}

/** Without source lines and what is random: the same name in every run. */
function subName(test: string, text: string): string {
  const plain = text
    .replace(/^(\w+):\d+/, '$1')
    .replaceAll(/rnd[0-9a-f]+/g, 'rnd')
    .replaceAll(/\w+#(producer|consumer)-\d+/g, '$1')
  return `${test}/${plain.replaceAll(/\s+/g, ' ').trim()}`
}

/** The case with the runner's own words about the failure. */
export function why(c: Case, said: string): Case {
  const [line] = said.match(/^\|.*\| +FAILED \|.*$/m) ?? []
  const after = said.match(/### Test ".*\n.*$/m)?.[0]
  return {
    ...c,
    detail: [line, after].filter((text) => text !== undefined).join('\n') || lastOf(said),
  }
}

/** The last lines of what was printed. */
export function lastOf(said: string): string {
  return said.trimEnd().split('\n').slice(-4).join('\n').slice(-1000)
}
