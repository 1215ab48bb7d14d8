// Nothing fails open: every key says what is true of it, and an effective key names a test that
// exists.
//
// PENDING_EFFECT names tests that are still to be written, under test/ but outside this folder: a
// key whose test is pending is not proven, and the count is printed. Delete a name here when its
// test is written.

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { brokerTable } from '../../../src/config/broker.ts'
import {
  clientIdTable,
  clientMetricsTable,
  ipTable,
  userTable,
} from '../../../src/config/client.ts'
import { groupTable } from '../../../src/config/group.ts'
import { ottlaTable } from '../../../src/config/ottla.ts'
import type { Row } from '../../../src/config/rows.ts'
import { topicTable } from '../../../src/config/topic.ts'

const PENDING_EFFECT: readonly string[] = []

const rows: readonly (readonly [string, Row])[] = [
  brokerTable,
  ottlaTable,
  topicTable,
  groupTable,
  clientMetricsTable,
  clientIdTable,
  userTable,
  ipTable,
].flatMap((table) => Object.entries<Row>(table))

/** Keys that pace what cannot be turned on here: they protect nothing, and Kafka's clients may set them. */
const PACES_ONLY: readonly string[] = [
  'sasl.kerberos.ticket.renew.window.factor',
  'sasl.kerberos.ticket.renew.jitter',
  'sasl.kerberos.min.time.before.relogin',
]

const testRoot = new URL('../../', import.meta.url)

/** The text of every test outside this folder. */
function testTexts(): string {
  return readdirSync(testRoot, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(ts|cc)$/.test(path) && !path.startsWith('unit/config/'))
    .map((path) => readFileSync(new URL(path, testRoot), 'utf8'))
    .join('\n')
}

describe('config: states', () => {
  test('config: states: an effective key names a test that exists or is listed as pending', () => {
    const texts = testTexts()
    const exists = (name: string) =>
      [`'${name}'`, `"${name}"`, `\`${name}\``].some((quoted) => texts.includes(quoted))
    const effective = rows.flatMap(([key, row]) =>
      row.state.kind === 'effective' ? [{ key, name: row.state.test }] : [],
    )
    const unproven = effective.filter(({ name }) => !exists(name))
    console.info(
      `config: ${unproven.length} of ${effective.length} effective keys are not proven yet`,
    )
    const done = PENDING_EFFECT.filter(exists)
    if (done.length > 0) console.info(`written, delete from PENDING_EFFECT: ${done.join('; ')}`)
    expect(unproven.filter(({ name }) => !PENDING_EFFECT.includes(name))).toEqual([])
  })

  test('config: states: a pending test is named by some key', () => {
    const named = new Set(
      rows.map(([, { state }]) => (state.kind === 'effective' ? state.test : '')),
    )
    expect(PENDING_EFFECT.filter((name) => !named.has(name))).toEqual([])
  })

  test('config: states: keys about security are refused, none of them is only warned of', () => {
    const open = rows
      .filter(([key]) => /^(sasl|ssl|delegation\.token|remote|authorizer)\./.test(key))
      .filter(([key]) => !PACES_ONLY.includes(key))
      .filter(([, { state }]) => state.kind !== 'not_built' || state.concern === null)
    expect(open.map(([key]) => key)).toEqual([])
  })
})
