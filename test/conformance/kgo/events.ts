// Go's test events (`go tool test2json`), one JSON object per line, as cases. What a test printed is kept until it
// ends, because a failure's reason is there.

import type { Case, Outcome } from '../suite.ts'

interface GoEvent {
  Action: string
  Test?: string
  Elapsed?: number
  Output?: string
}

const OUTCOMES: Readonly<Record<string, Outcome>> = {
  pass: 'passed',
  fail: 'failed',
  skip: 'skipped',
}
const KEPT = 12

/** Reads lines and reports every test and sub-test once. */
export class GoTestEvents {
  private readonly report: (c: Case) => void
  private readonly said = new Map<string, string[]>()
  private readonly ended = new Set<string>()

  constructor(report: (c: Case) => void) {
    this.report = report
  }

  line(line: string): void {
    const event = parse(line)
    if (event?.Test === undefined) return
    const { Action: action, Test: name } = event
    const said = this.said.get(name) ?? []
    this.said.set(name, said)
    if (action === 'output' && isTelling(event.Output!)) {
      said.push(event.Output!.trimEnd())
      if (said.length > KEPT) said.shift()
    }
    const outcome = OUTCOMES[action]
    if (outcome === undefined) return
    this.ended.add(name)
    this.report({ name, outcome, ms: (event.Elapsed ?? 0) * 1000, detail: said.join('\n') })
  }

  /** The program has ended: what began, or was wanted, and never ended did not pass. */
  end(wanted: readonly string[], why: string): void {
    for (const name of new Set([...wanted, ...this.said.keys()])) {
      if (this.ended.has(name)) continue
      const detail = [...(this.said.get(name) ?? []), why].join('\n')
      this.report({ name, outcome: 'timed out', ms: 0, detail })
    }
  }
}

function isTelling(output: string): boolean {
  return !/^(=== |\s*--- (PASS|SKIP)|\[\d\d:)/.test(output)
}

function parse(line: string): GoEvent | null {
  if (!line.startsWith('{')) return null
  return JSON.parse(line) as GoEvent
}
