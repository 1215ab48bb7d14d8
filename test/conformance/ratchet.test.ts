// The ratchet's arithmetic, and that what is committed agrees with itself.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../integration/support/commands.ts'
import {
  addCase,
  broken,
  calibrated,
  counted,
  type Denominator,
  failedAfter,
  leftOut,
  type Outcomes,
  readAllowed,
  readDenominator,
  readResult,
} from './ratchet.ts'
import type { Outcome } from './suite.ts'

function outcomes(cases: Readonly<Record<string, Outcome>>): Outcomes {
  const all: Outcomes = new Map()
  for (const [name, outcome] of Object.entries(cases)) addCase(all, { name, outcome, ms: 1 })
  return all
}

const denominator: Denominator = {
  kafka: '4.3.1',
  suite: '1',
  date: '2026-11-21',
  passed: ['a', 'b', 'c/acl-1', 'd'],
  left_out: { 'c/acl*': 'DescribeAcls' },
}

test('of two outcomes with one name the worse stays', () => {
  const all = outcomes({})
  addCase(all, { name: 'a', outcome: 'failed', ms: 1 })
  addCase(all, { name: 'a', outcome: 'passed', ms: 1 })
  expect(all.get('a')!.outcome).toBe('failed')
})

test('skipped, timed out and missing are failures where Kafka passes', () => {
  const all = outcomes({ a: 'skipped', b: 'timed out' })
  expect(failedAfter(denominator, [], [], all)).toEqual(['a', 'b', 'd'])
  expect(broken(['a', 'd'], [], all)).toEqual(['a', 'd'])
})

test('what is left out has a reason and is not counted', () => {
  expect(leftOut('c/acl-1', denominator)).toBe('DescribeAcls')
  expect(leftOut('d', denominator)).toBe(null)
  expect(counted(denominator)).toEqual(['a', 'b', 'd'])
})

test('a selection judges and calibrates only itself', () => {
  const all = outcomes({ a: 'passed' })
  expect(broken(['a', 'b'], ['a'], all)).toEqual([])
  expect(failedAfter(denominator, ['b'], ['a'], all)).toEqual(['b'])
  const facts = { kafka: '4.3.1', suite: '1', date: '2026-11-22' }
  const again = calibrated(denominator, ['d', 'e'], outcomes({ e: 'passed', d: 'failed' }), facts)
  expect(again.passed).toEqual(['a', 'b', 'c/acl-1', 'e'])
  expect(again.left_out).toEqual(denominator.left_out)
})

const suites = readdirSync(join(ROOT, 'test/conformance/suites')).map((f) => f.replace('.ts', ''))

test.each(suites)('%s: the committed score follows from its denominator and its list', (name) => {
  const result = readResult(name)
  if (result === null) return
  const names = counted(readDenominator(name)!)
  expect(result.of).toBe(names.length)
  expect(result.passed).toBe(names.length - result.failed.length)
  const allowed = readAllowed(name)
  expect(allowed).toEqual([...new Set(allowed)].sort())
  expect(names.filter((test) => !allowed.includes(test) && !result.failed.includes(test))).toEqual(
    [],
  )
})
