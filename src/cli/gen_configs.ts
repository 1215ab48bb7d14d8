// Emits docs/reference/configs.md from the configuration tables: every key, its values, and what is
// true of it here. Called by gen.ts; a test keeps the committed file equal to what is emitted.

import { brokerTable } from '../config/broker.ts'
import { clientIdTable, clientMetricsTable, ipTable, userTable } from '../config/client.ts'
import { groupTable } from '../config/group.ts'
import { ottlaTable } from '../config/ottla.ts'
import type { Row, Table } from '../config/rows.ts'
import { topicSynonyms } from '../config/synonyms.ts'
import { topicTable } from '../config/topic.ts'

const SCOPES: readonly (readonly [string, string, Table])[] = [
  [
    'Broker',
    "Kafka's keys of a node, in `server.properties`, environment or `--set`.",
    brokerTable,
  ],
  ['Ottla', 'Our own keys of a node.', ottlaTable],
  ['Topic', 'Keys of one topic; without one, the broker key in brackets decides.', topicTable],
  ['Group', 'Keys of one group; without one, the broker key `group.<key>` decides.', groupTable],
  ['Client metrics', 'Keys of a client-metrics subscription.', clientMetricsTable],
  ['Client id', 'Quotas of a client id.', clientIdTable],
  ['User', 'Quotas and credentials of a user.', userTable],
  ['IP', 'Quotas of an address.', ipTable],
]

const INTRODUCTION = `# Configuration

Generated from \`src/config/\` by \`npm run gen\`; do not edit.

Sources, weakest first: files in the order given, environment variables (\`KAFKA_…\`, then \`OTTLA_…\`), options of
an embedding program, \`--set key=value\`. In a variable's name, after the prefix, \`_\` is a dot, \`__\` an underscore
and \`___\` a dash: \`OTTLA_LOG_DIRS\` is \`log.dirs\`, and \`OTTLA_REACTOR_THREADS\` is \`ottla.reactor.threads\`.

State of a key:

- **effective**: built, and the named test shows its effect (tests that are still to be written are listed in
  \`test/unit/config/states.test.ts\`, and until then the effect is not proven);
- **inert**: it changes nothing here and cannot harm;
- **not built**: it has no effect yet; setting it warns;
- **refused**: not built, and security, durability or placement depends on it: setting it, other than to its
  default, stops the start and refuses the change.

A dynamic key changes while running, for one broker or for the cluster; the others need a restart.
`

/** The text of docs/reference/configs.md. */
export function emitConfigReference(): string {
  return [INTRODUCTION, counts(), ...SCOPES.map(emitScope)].join('\n')
}

function counts(): string {
  const rows = SCOPES.flatMap(([, , table]) => Object.values(table)).filter((row) => !row.internal)
  const count = (word: string) => rows.filter((row) => stateWord(row) === word).length
  const words = ['effective', 'inert', 'not built', 'refused'].map(
    (word) => `${count(word)} ${word}`,
  )
  return `Of ${rows.length} keys: ${words.join(', ')}.\n`
}

function emitScope([title, introduction, table]: readonly [string, string, Table]): string {
  const keys = Object.keys(table)
    .filter((key) => !table[key]!.internal)
    .sort()
  const head =
    '| Key | Type | Default | Values | Changes | State | Meaning |\n|---|---|---|---|---|---|---|'
  const lines = keys.map((key) => emitRow(title, key, table[key]!))
  return `## ${title}\n\n${introduction}\n\n${head}\n${lines.join('\n')}\n`
}

function emitRow(title: string, key: string, row: Row): string {
  const synonym = title === 'Topic' ? topicSynonyms[key]?.[0]?.key : undefined
  const cells = [
    `\`${key}\`${synonym === undefined ? '' : ` (\`${synonym}\`)`}`,
    row.type.toLowerCase(),
    fallback(row),
    row.valid.text,
    row.update === 'read-only' ? 'restart' : row.update === 'resource' ? 'any time' : row.update,
    stateCell(row),
    row.doc,
  ]
  return `| ${cells.map(escapeCell).join(' | ')} |`
}

function fallback(row: Row): string {
  if (row.fallback === undefined) return '(required)'
  if (row.fallback === null || row.fallback === '') return ''
  return `\`${row.fallback}\``
}

function stateWord({ state }: Row): string {
  if (state.kind !== 'not_built') return state.kind
  return state.concern === null ? 'not built' : 'refused'
}

function stateCell(row: Row): string {
  const { state } = row
  if (state.kind === 'effective') {
    const limit = state.built === undefined ? '' : ` for ${state.built.join(', ')}`
    return `effective${limit} (*${state.test}*)`
  }
  const concern = state.kind === 'not_built' && state.concern !== null ? ` (${state.concern})` : ''
  return `${stateWord(row)}${concern}: ${state.why}`
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}
