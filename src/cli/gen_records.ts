// protocol tables → docs/reference/records.md: what our own logs and files hold, field by field. Requests and
// responses are left to the tables themselves, which read better than any rendering of them.

import type { AnyField, Fields, ItemType, Message, Versions } from '../protocol/dsl.ts'
import { messages } from '../protocol/registry.ts'
import { defaultOf } from '../protocol/shape.ts'

/** Where the reference lives, from the repository's root. */
export const recordsReferencePath = 'docs/reference/records.md'

const CHAPTERS: readonly (readonly [string, readonly Message['kind'][]])[] = [
  ['Metadata records', ['metadata']],
  ['Coordinator records', ['coordinator-key', 'coordinator-value']],
  ['Control records, small files and embedded data', ['data']],
]

/** One table per record. */
export function emitRecordsReference(): string {
  const chapters = CHAPTERS.map(([title, kinds]) => {
    const tables = [...messages.values()]
      .filter(({ kind }) => kinds.includes(kind))
      .map(emitMessage)
    return `## ${title}\n\n${tables.join('\n')}`
  })
  return `# Records

Generated from \`src/protocol/\` by \`npm run gen\`; do not edit.

Fields stand in the order of their bytes. A tagged field (its tag is in brackets) is written behind the others, and
only when it differs from its default. Nested fields are indented by dots.

${chapters.join('\n')}`
}

function emitMessage(message: Message): string {
  const key = message.key === null ? '' : `type ${message.key}, `
  const flexible =
    message.flexible.max < message.flexible.min ? '' : `, flexible ${range(message.flexible)}`
  const rows = emitFields(message.fields, message.valid, '')
  const table = ['| Field | Type | Versions | Null | Default |', '|---|---|---|---|---|', ...rows]
  return [
    `### ${message.name}`,
    '',
    `${key}versions ${range(message.valid)}${flexible}`,
    '',
    ...(rows.length === 0 ? ['No fields.'] : table),
    '',
  ].join('\n')
}

function emitFields(fields: Fields, parent: Versions, dots: string): string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const versions = within(field.versions, parent)
    const tag = field.tag === null ? '' : ` [${field.tag}]`
    const nullable = within(field.nullable, versions)
    const isNullable = nullable.max >= nullable.min
    const cells = [
      `${dots}${name}${tag}`,
      typeName(field),
      range(versions),
      isNullable ? range(nullable) : '',
      defaultText(field),
    ]
    const item = itemOf(field)
    const inner = item.kind === 'struct' ? emitFields(item.fields, versions, `${dots}· `) : []
    return [`| ${cells.join(' | ')} |`, ...inner]
  })
}

const itemOf = ({ type }: AnyField): ItemType => (type.kind === 'array' ? type.element : type)

function typeName(field: AnyField): string {
  const { kind } = itemOf(field)
  const name = kind === 'int64Wide' ? 'int64' : kind
  return field.type.kind === 'array' ? `array of ${name}` : name
}

function defaultText(field: AnyField): string {
  if (field.defaultValue === undefined) return ''
  const value = defaultOf(field)
  return typeof value === 'string' ? `"${value}"` : String(value)
}

function within(inner: Versions, outer: Versions): Versions {
  return { min: Math.max(inner.min, outer.min), max: Math.min(inner.max, outer.max) }
}

function range({ min, max }: Versions): string {
  if (max === 0x7fff) return `${min}+`
  return min === max ? String(min) : `${min}–${max}`
}
