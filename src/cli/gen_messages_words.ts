// The words of the C++ emitter: how a row of a table is named, typed, bounded and guarded in native/gen. Split
// from gen_messages.ts, which puts them together.

import { assert } from '../lib/assert.ts'
import { uvarintBytes } from '../lib/bytes.ts'
import type { AnyField, ItemType, Versions } from '../protocol/dsl.ts'

/** A struct to be emitted: a message, or one of the structs inside it. */
export interface Struct {
  readonly name: string
  readonly rows: readonly Row[]
  /** Whether some version is flexible, so that a tagged section ends the struct. */
  readonly hasTags: boolean
  /** Whether it stands in a tagged field, whose size is written in front. */
  readonly inTag: boolean
}

/** A field of a struct, with what its table says turned into C++. */
export interface Row {
  readonly field: AnyField
  readonly name: string
  /** Conditions on `version` for being there, and for null; '' is always, 'false' never. */
  readonly when: string
  readonly nullable: string
  /** The struct that the field or its elements are. */
  readonly struct: Struct | null
  readonly isArray: boolean
  readonly bytesMin: number
}

const INTEGERS: Readonly<Record<string, { cpp: string; method: string; bytes: number }>> = {
  int8: { cpp: 'int8_t', method: 'i8', bytes: 1 },
  int16: { cpp: 'int16_t', method: 'i16', bytes: 2 },
  uint16: { cpp: 'uint16_t', method: 'u16', bytes: 2 },
  int32: { cpp: 'int32_t', method: 'i32', bytes: 4 },
  uint32: { cpp: 'uint32_t', method: 'u32', bytes: 4 },
  int64: { cpp: 'int64_t', method: 'i64', bytes: 8 },
  int64Wide: { cpp: 'int64_t', method: 'i64', bytes: 8 },
}

/** How C++ names and reads an integer field. */
export function integerOf(row: Row): { cpp: string; method: string; bytes: number } {
  const integer = INTEGERS[itemOf(row).kind]
  assert(integer !== undefined, `C++ has no words for ${row.name}`)
  return integer
}

/** A field's own type, or that of its elements. */
export const itemOf = (row: Row): ItemType =>
  row.field.type.kind === 'array' ? row.field.type.element : row.field.type
/** Whether the field is a string, whose size is known only at run time. */
export const isText = (row: Row): boolean => row.field.type.kind === 'string'
/** Whether the field is a uuid. */
export const isUuid = (row: Row): boolean => row.field.type.kind === 'uuid'
/** Arrays of structs and records are written by the caller; arrays of numbers with their struct. */
export const isCallersPart = (row: Row): boolean =>
  row.field.type.kind === 'records' || (row.isArray && row.struct !== null)
/** The tagged fields of a struct, by ascending tag. */
export const taggedRows = (struct: Struct): Row[] =>
  struct.rows.filter(({ field }) => field.tag !== null).sort((a, b) => a.field.tag! - b.field.tag!)
/** The expression that says whether lengths are compact. */
export const flexibleOf = (row: Row): string => (row.field.rigid ? 'false' : 'flexible')
/** A writer's parameter for an array that it writes whole. */
export const spanParameter = (row: Row): string =>
  `std::span<const ${row.struct?.name ?? integerOf(row).cpp}> ${listOf(row)}`
/** The name of a writer's parameter for an array; members are named like the field. */
export const listOf = (row: Row): string => `${row.name}_list`
/** Whether emitted code asks for `flexible`. */
export const usesFlexible = (code: readonly string[]): boolean =>
  code.some((line) => /\bflexible\b/.test(line))
/** Whether emitted code asks for `version`. */
export const usesVersion = (code: readonly string[]): boolean =>
  code.some((line) => /\bversion\b/.test(line))
/** The terms as one expression, numbers added up. */
export const sum = (terms: readonly string[]): string => {
  const fixed = terms.filter((term) => /^\d+$/.test(term)).reduce((n, term) => n + Number(term), 0)
  return [String(fixed), ...terms.filter((term) => !/^\d+$/.test(term))].join(' + ')
}

/** The C++ type of a field, or of its elements. */
export function cppItem(row: Row): string {
  if (row.struct !== null) return row.struct.name
  const { kind } = itemOf(row)
  if (kind === 'string') return 'std::string_view'
  if (kind === 'bytes' || kind === 'records') return 'Bytes'
  if (kind === 'uuid') return 'Uuid'
  return kind === 'bool' ? 'bool' : integerOf(row).cpp
}

/** The C++ type of a member. */
export const cppType = (row: Row): string => (row.isArray ? `Array<${cppItem(row)}>` : cppItem(row))

/** A member's initializer, where C++ would leave it undefined. */
export function cppDefault(row: Row): string {
  const { kind } = row.field.type
  return kind === 'bool' || kind in INTEGERS ? ` = ${literal(row)}` : ''
}

/** A default as C++ writes it. */
export function literal(row: Row): string {
  const { defaultValue } = row.field
  if (row.field.type.kind === 'bool') return defaultValue === true ? 'true' : 'false'
  const value = BigInt((defaultValue ?? 0) as number | bigint)
  if (value === 2n ** 63n - 1n) return 'INT64_MAX'
  return String(value)
}

/** The bytes of a field that always takes the same. */
export const fixedBytes = (row: Row): string => {
  if (isUuid(row)) return '16'
  return row.field.type.kind === 'bool' ? '1' : String(integerOf(row).bytes)
}

/** An upper bound of the bytes a field takes, as an expression. */
export function boundOf(row: Row): string {
  if (row.isArray) return `5 + ${listOf(row)}.size() * ${integerOf(row).bytes}`
  if (isText(row)) return `3 + ${row.name}.size()`
  if (row.struct !== null) return `${row.name}.size()`
  return fixedBytes(row)
}

/** The same for a tagged field, with its tag and size. */
export function taggedBoundOf(row: Row): string {
  const head = uvarintBytes(row.field.tag!) + 5
  if (!row.isArray) return `${head} + ${boundOf(row)}`
  return `${head + 5} + size_of_all(${listOf(row)})`
}

/** Code under a condition on `version`. */
export function guarded(when: string, code: readonly string[]): string[] {
  if (when === '') return [...code]
  return code.length === 1 ? [`if (${when}) ${code[0]}`] : [`if (${when}) {`, ...code, '}']
}

/** The versions in both ranges. */
export function intersect(a: Versions, b: Versions): Versions {
  return { min: Math.max(a.min, b.min), max: Math.min(a.max, b.max) }
}

/** What to ask of `version`, known to lie in `parent`, to see whether it lies in `range`. */
export function condition(range: Versions, parent: Versions): string {
  if (range.max < range.min) return 'false'
  const terms: string[] = []
  if (range.min > parent.min) terms.push(`version >= ${range.min}`)
  if (range.max < parent.max) terms.push(`version <= ${range.max}`)
  return terms.join(' && ')
}

/** C++'s spelling of a property name. */
export const snakeCase = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** A struct's name, from the field that holds it: `topics` holds Topic. */
export function structName(field: string): string {
  const pascal = field[0]!.toUpperCase() + field.slice(1)
  return pascal.endsWith('s') ? pascal.slice(0, -1) : pascal
}

/** Two spaces per open brace, as far as generated lines need it. */
export function indent(lines: readonly string[]): string {
  let depth = 0
  return lines
    .map((line) => {
      const opened = (line.match(/\{/g) ?? []).length
      const closed = (line.match(/\}/g) ?? []).length
      if (line.startsWith('}')) depth -= 1
      const text = line === '' ? '' : '  '.repeat(depth) + line
      depth += opened - closed + (line.startsWith('}') ? 1 : 0)
      return text
    })
    .join('\n')
}
