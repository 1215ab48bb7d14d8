// Texts to values and back, exactly as Kafka reads and prints them.
//
// LONG is read as a number that saturates at ±(2^53 - 1): Kafka's "no limit" is Long.MAX_VALUE,
// which a number cannot hold, and no limit is what 9 quadrillion of anything means. What people
// wrote is kept as text beside it, and ranges are judged on the exact value.
// Kafka: ConfigDef.parseType, ConfigDef.convertToString; java.lang.Double.toString.

import type { Row } from '../rows.ts'
import type { ConfigValue } from './valid.ts'
import { THROTTLED } from './valid.ts'

/** A value as the program uses it: LONG narrowed to a number. */
export type TypedValue = boolean | number | string | readonly string[] | null

/** The outcome of reading one text: a value and its canonical text, or the problem. */
export type Reading =
  | { readonly ok: true; readonly value: TypedValue; readonly text: string | null }
  | { readonly ok: false; readonly problem: string }

const INTEGER_BITS = { SHORT: 16n, INT: 32n, LONG: 64n } as const

/** Reads a text as the row's type and checks it against the row's valid values. */
export function readValue(row: Row, raw: string): Reading {
  const parsed = parseType(row, raw.trim())
  if (typeof parsed === 'object' && parsed !== null && 'problem' in parsed) {
    return { ok: false, problem: parsed.problem }
  }
  const problem = row.valid.check(parsed)
  if (problem !== null) return { ok: false, problem }
  return { ok: true, value: narrow(parsed), text: printValue(parsed, row) }
}

/** The default of a row as a typed value; null when there is none or the key is required. */
export function defaultValue(row: Row): TypedValue {
  if (row.fallback === null || row.fallback === undefined) return null
  const parsed = parseType(row, row.fallback)
  return typeof parsed === 'object' && parsed !== null && 'problem' in parsed
    ? null
    : narrow(parsed)
}

/** What people may write for this row, in a few words. */
export function allowedValues(row: Row): string {
  const { text } = row.valid
  if (row.type === 'BOOLEAN') return 'true or false'
  if (text === '') return row.type === 'LIST' ? 'a list separated by commas' : TYPE_WORDS[row.type]
  const range = /^\[(-?[\d.]+),\.\.\.(?:,(-?[\d.]+))?\]$/.exec(text)
  if (range === null) return text.replace(/^(\(case insensitive\) )?\[(.*)\]$/, '$2')
  const bounds = range[2] === undefined ? `at least ${range[1]}` : `${range[1]} to ${range[2]}`
  return `${TYPE_WORDS[row.type]}, ${bounds}`
}

const TYPE_WORDS: Readonly<Record<Row['type'], string>> = {
  BOOLEAN: 'true or false',
  STRING: 'any text',
  INT: 'a whole number of 32 bits',
  SHORT: 'a whole number of 16 bits',
  LONG: 'a whole number of 64 bits',
  DOUBLE: 'a number',
  LIST: 'a list separated by commas',
  CLASS: 'a class name',
  PASSWORD: 'any text',
}

type Parsed = ConfigValue | { readonly problem: string }

function parseType(row: Row, text: string): Parsed {
  switch (row.type) {
    case 'BOOLEAN': {
      const folded = text.toLowerCase()
      if (folded === 'true' || folded === 'false') return folded === 'true'
      return { problem: 'Expected value to be either true or false' }
    }
    case 'SHORT':
    case 'INT':
    case 'LONG':
      return parseInteger(row.type, text)
    case 'DOUBLE':
      return parseDouble(text)
    case 'LIST':
      return parseList(row, text)
    default:
      return text
  }
}

// Kafka drops repeated elements with a warning; only lists of throttled replicas keep them.
function parseList(row: Row, text: string): readonly string[] {
  if (text === '') return []
  const elements = text.split(/\s*,\s*/)
  return row.valid.text === THROTTLED ? elements : [...new Set(elements)]
}

function parseInteger(type: 'SHORT' | 'INT' | 'LONG', text: string): Parsed {
  const problem = { problem: `Not a number of type ${type}` }
  if (!/^[+-]?\d{1,40}$/.test(text)) return problem
  const value = BigInt(text.replace('+', ''))
  if (BigInt.asIntN(Number(INTEGER_BITS[type]), value) !== value) return problem
  return type === 'LONG' ? value : Number(value)
}

function parseDouble(text: string): Parsed {
  const match = /^([+-]?(?:NaN|Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))[fFdD]?$/.exec(text)
  return match === null ? { problem: 'Not a number of type DOUBLE' } : Number(match[1])
}

function narrow(value: ConfigValue): TypedValue {
  if (typeof value !== 'bigint') return value
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) return Number.MAX_SAFE_INTEGER
  return value < BigInt(Number.MIN_SAFE_INTEGER) ? Number.MIN_SAFE_INTEGER : Number(value)
}

function printValue(value: ConfigValue, row: Row): string | null {
  if (value === null) return null
  if (Array.isArray(value)) return value.join(',')
  return row.type === 'DOUBLE' ? printDouble(value as number) : String(value)
}

/** A double as Java prints it: `0.5`, `1.0`, `2.147483647E9`. */
export function printDouble(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  if (size === 0 || (size >= 1e-3 && size < 1e7)) {
    const plain = Object.is(value, -0) ? '-0' : String(value)
    return plain.includes('.') ? plain : `${plain}.0`
  }
  const [digits, exponent] = value.toExponential().split('e') as [string, string]
  return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`
}
