// How the words of librdkafka's test runner become verdicts.

import { expect, test } from 'vitest'
import { subTests, wholeTests } from './report.ts'

const report = JSON.stringify({
  tests: {
    '<MAIN>': { name: '<MAIN>', state: 'PASSED', duration: 1, extra: '' },
    '0045_subscribe': { name: '0045_subscribe', state: 'PASSED', duration: 1.5, extra: '' },
    '0045_mock': { name: '0045_mock', state: 'SKIPPED', duration: 0, extra: '' },
    '0046_other': { name: '0046_other', state: 'NOT-STARTED', duration: 0, extra: '' },
    '0045_stuck': { name: '0045_stuck', state: 'RUNNING', duration: 9, extra: '' },
  },
})

test('a report tells of the programs that were asked for', () => {
  expect(wholeTests(report, '0045')).toEqual([
    { name: '0045_subscribe', outcome: 'passed', ms: 1500 },
    { name: '0045_stuck', outcome: 'timed out', ms: 9000 },
  ])
  expect(wholeTests('', '0045')).toEqual([])
})

const line = (seconds: string, text: string): string =>
  `[0081_admin                  /  ${seconds}s] ${text}\n`

test('sub-tests pass by saying so, under names without lines, numbers and chance', () => {
  const create = 'do_test_CreateTopics:78: 0081_admin#producer-2 CreateTopics with rnd1a2b_x'
  const said =
    line('0.001', `[ ${create} ]`) +
    line('1.385', `[ ${create}: PASS (1.38s) ]`) +
    line('1.400', '[ do_test_Acls:9 ]') +
    line('1.401', '[ do_test_Acls:9: SKIP: no authorizer ]')
  expect(subTests(said, () => 'failed')).toEqual([
    {
      name: '0081_admin/do_test_CreateTopics: producer CreateTopics with rnd_x',
      outcome: 'passed',
      ms: 1380,
    },
    { name: '0081_admin/do_test_Acls', outcome: 'skipped', ms: 0 },
  ])
})

test('a sub-test that says no more ends as its program does', () => {
  const said =
    line('0.001', '[ do_test:5: x ]') + '### Test "0081_admin" failed at a.c:5 ###\nwhy\n'
  const failed = subTests(said, () => 'failed')
  expect(failed).toMatchObject([{ name: '0081_admin/do_test: x', outcome: 'failed' }])
  expect(failed[0]!.detail).toContain('why')
  expect(subTests(said, () => 'passed')).toMatchObject([{ outcome: 'passed' }])
})
