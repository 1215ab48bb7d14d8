// Go's test events become cases; a program that dies leaves nothing unreported.

import { describe, expect, it } from 'vitest'
import type { Case } from '../suite.ts'
import { GoTestEvents } from './events.ts'

function read(lines: readonly object[], wanted: readonly string[]): Case[] {
  const cases: Case[] = []
  const events = new GoTestEvents((c) => cases.push(c))
  events.line('words that are no event')
  for (const line of lines) events.line(JSON.stringify(line))
  events.end(wanted, 'it died')
  return cases
}

describe('kgo: events', () => {
  it('tests and sub-tests are reported once, with what they said', () => {
    const cases = read(
      [
        { Action: 'run', Test: 'TestA' },
        { Action: 'output', Test: 'TestA/sub', Output: '=== RUN   TestA/sub\n' },
        { Action: 'output', Test: 'TestA/sub', Output: '    a_test.go:1: saw double offset\n' },
        { Action: 'fail', Test: 'TestA/sub', Elapsed: 1.5 },
        { Action: 'skip', Test: 'TestA/848', Elapsed: 0 },
        { Action: 'pass', Test: 'TestB', Elapsed: 0.25 },
        { Action: 'fail', Test: 'TestA', Elapsed: 2 },
        { Action: 'fail', Elapsed: 2 },
      ],
      ['TestA', 'TestB'],
    )
    expect(cases).toEqual([
      {
        name: 'TestA/sub',
        outcome: 'failed',
        ms: 1500,
        detail: '    a_test.go:1: saw double offset',
      },
      { name: 'TestA/848', outcome: 'skipped', ms: 0, detail: '' },
      { name: 'TestB', outcome: 'passed', ms: 250, detail: '' },
      { name: 'TestA', outcome: 'failed', ms: 2000, detail: '' },
    ])
  })

  it('what began or was wanted and never ended did not pass', () => {
    const cases = read([{ Action: 'run', Test: 'TestA/sub' }], ['TestA'])
    expect(cases.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['TestA', 'timed out'],
      ['TestA/sub', 'timed out'],
    ])
  })
})
