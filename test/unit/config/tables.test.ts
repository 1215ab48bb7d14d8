// The judges of the tables: Kafka's own definitions (configs.tsv), and what Kafka 4.3.1 made of
// forty texts given to each key (kafka_values.tsv, where '!' is a refusal). A missing judge fails,
// never skips.

import { readFileSync } from 'node:fs'
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
import type { Row, Table } from '../../../src/config/rows.ts'
import { isSensitive } from '../../../src/config/rows.ts'
import { readValue } from '../../../src/config/text/values.ts'
import { topicTable } from '../../../src/config/topic.ts'
import { withOurDefault } from './our_defaults.ts'

const tables: Readonly<Record<string, Table>> = {
  broker: brokerTable,
  topic: topicTable,
  group: groupTable,
  'client-metrics': clientMetricsTable,
  'client-id': clientIdTable,
  user: userTable,
  ip: ipTable,
}

const judge = readFileSync(new URL('../../../../shared/kafka/configs.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split('\t'))

// Kafka prints "non-empty list" for these two, whose default is empty and whose elements have a
// form.
const FORMS: Readonly<Record<string, string>> = {
  '{id}@{host}:{port},...': 'non-empty list',
  '{host}:{port},...': 'non-empty list',
}

function fallbackAsKafkaPrints(row: Row): string {
  if (row.fallback === undefined) return '(required)'
  if (row.fallback === null) return ''
  if (row.type === 'LIST') return `[${row.fallback.replaceAll(',', ', ')}]`
  return row.type === 'CLASS' ? `class ${row.fallback}` : row.fallback
}

function shownUpdate(scope: string, row: Row): string {
  if (row.internal || (scope !== 'broker' && scope !== 'topic')) return ''
  return row.update === 'read-only' ? 'read-only' : 'dynamic'
}

describe('config: tables', () => {
  test('config: tables: hold every key of Kafka and no other', () => {
    const expected = judge.map(([scope, key]) => `${scope} ${key}`).sort()
    const actual = Object.entries(tables)
      .flatMap(([scope, table]) => Object.keys(table).map((key) => `${scope} ${key}`))
      .filter((name) => !name.startsWith('topic ottla.'))
      .sort()
    expect(actual).toEqual(expected)
    expect(Object.keys(brokerTable)).toHaveLength(360)
  })

  test('config: tables: say of every key what Kafka says', () => {
    const rows = judge.map(([scope, key]) => {
      const row = tables[scope!]![key!]!
      return [
        scope,
        key,
        row.type,
        fallbackAsKafkaPrints(row),
        FORMS[row.valid.text] ?? row.valid.text,
        row.importance.toUpperCase(),
        row.internal ? 'internal' : '',
        shownUpdate(scope!, row),
        isSensitive(row) ? 'sensitive' : '',
      ]
    })
    const expected = judge.map(([scope, key, ...said]) => [
      scope,
      key,
      ...said
        .slice(0, 7)
        .map((field) => (scope === 'broker' ? withOurDefault(key!, field) : field)),
    ])
    expect(rows).toEqual(expected)
  })

  test('config: tables: accept and print the values that Kafka does', () => {
    const [head, ...lines] = readFileSync(new URL('./kafka_values.tsv', import.meta.url), 'utf8')
      .trimEnd()
      .split('\n')
    const texts = head!.split('\t').slice(2)
    const differing: string[] = []
    for (const line of lines) {
      const [scope, key, ...answers] = line.split('\t')
      const row = tables[scope!]![key!]!
      for (const [index, answer] of answers.entries()) {
        const reading = readValue(row, texts[index]!)
        const ours = reading.ok ? `=${reading.text}` : '!'
        if (ours !== answer) differing.push(`${key} '${texts[index]}': ${ours} not ${answer}`)
      }
    }
    expect(differing).toEqual([])
    expect(lines.length).toBeGreaterThan(390)
  })

  test('config: tables: every default is valid', () => {
    for (const [key, row] of Object.entries<Row>({
      ...brokerTable,
      ...topicTable,
      ...ottlaTable,
    })) {
      if (row.fallback == null || row.fallback === '') continue
      expect({ key, ...readValue(row, row.fallback) }).toMatchObject({
        ok: true,
        text: row.fallback,
      })
    }
  })

  test('config: tables: every key is explained in one sentence of our own', () => {
    for (const [scope, table] of Object.entries({ ...tables, ottla: ottlaTable })) {
      for (const [key, row] of Object.entries<Row>(table)) {
        expect(row.doc, `${scope} ${key}`).toMatch(/^[A-Z].{10,140}\.$/)
      }
    }
  })

  test('config: tables: keys of our own have our prefix', () => {
    expect(Object.keys(ottlaTable).every((key) => key.startsWith('ottla.'))).toBe(true)
  })
})
