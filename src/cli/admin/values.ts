// Values that people type: durations, points in time, partitions of a topic, patterns of names. Each reader says what
// it takes when it is given something else.

import { InvalidArgumentError } from 'commander'
import { CliProblem, EXIT } from '../output/problems.ts'

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}
const ISO_DURATION = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/

/** `500ms`, `90s`, `1h30m`, `7d`, ISO 8601 (`PT1H30M`), or milliseconds; null for anything else. */
export function parseDuration(text: string): number | null {
  if (/^\d+$/.test(text)) return Number(text)
  if (/^(\d+(\.\d+)?(ms|s|m|h|d|w))+$/.test(text)) {
    let total = 0
    for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g)) {
      total += Number(count) * UNIT_MS[unit!]!
    }
    return Math.round(total)
  }
  const iso = ISO_DURATION.exec(text)
  if (iso === null || iso.slice(1).every((part) => part === undefined)) return null
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = iso.slice(1).map((part) => part ?? 0)
  return Math.round(
    Number(days) * UNIT_MS['d']! +
      Number(hours) * UNIT_MS['h']! +
      Number(minutes) * UNIT_MS['m']! +
      Number(seconds) * 1000,
  )
}

/** The same as the reader of an option. */
export function durationOption(text: string): number {
  const ms = parseDuration(text)
  if (ms !== null) return ms
  throw new InvalidArgumentError('It takes a duration such as 500ms, 10s, 1h30m or PT10S.')
}

const LOCAL_TIME = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?$/
const ZONED_TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}(:?\d{2})?)$/

/** A time as ISO 8601 (UTC when it names no zone, as Kafka's tools read it) or milliseconds since 1970; else null. */
export function parseTime(text: string): number | null {
  if (/^\d{1,16}$/.test(text)) return Number(text)
  const zoned = LOCAL_TIME.test(text)
    ? text.length === 10
      ? text
      : `${text}Z`
    : ZONED_TIME.test(text)
      ? text.replace(/([+-]\d{2})$/, '$1:00').replace(/([+-]\d{2})(\d{2})$/, '$1:$2')
      : null
  if (zoned === null) return null
  const ms = Date.parse(zoned.replace(' ', 'T'))
  return Number.isNaN(ms) ? null : ms
}

/** The same as the reader of an option. */
export function timeOption(text: string): number {
  const ms = parseTime(text)
  if (ms !== null) return ms
  throw new InvalidArgumentError(
    'It takes a time such as 2026-01-31T12:00:00Z, or milliseconds since 1970.',
  )
}

/** Where in a partition. */
export type OffsetAt = 'earliest' | 'latest' | 'max-timestamp' | number

/** `earliest`, `latest`, `max-timestamp`, a time, or a duration before `nowMs`; null for anything else. */
export function parseOffsetAt(text: string, nowMs: number): OffsetAt | null {
  if (text === 'earliest' || text === 'latest' || text === 'max-timestamp') return text
  // The numbers of kafka-get-offsets.
  const known = { '-1': 'latest', '-2': 'earliest', '-3': 'max-timestamp' } as const
  if (text in known) return known[text as keyof typeof known]
  const time = parseTime(text)
  if (time !== null) return time
  const ago = parseDuration(text)
  return ago === null ? null : nowMs - ago
}

/** A whole number of at least `least`, as the reader of an option. */
export function countOption(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value
    throw new InvalidArgumentError(`It takes a whole number of at least ${least}.`)
  }
}

/** `0,2,5-7` as partitions in order; null for anything else. */
export function parsePartitions(text: string): number[] | null {
  const partitions = new Set<number>()
  for (const part of text.split(',')) {
    const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part)
    if (match === null) return null
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])]
    if (last < first || last - first > 100_000) return null
    for (let at = first; at <= last; at++) partitions.add(at)
  }
  return [...partitions].sort((a, b) => a - b)
}

/** Partitions in the same form: `0,2,5-7`. */
export function formatPartitions(partitions: readonly number[]): string {
  const runs: [number, number][] = []
  for (const at of [...partitions].sort((a, b) => a - b)) {
    const last = runs.at(-1)
    if (last !== undefined && at === last[1] + 1) last[1] = at
    else runs.push([at, at])
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',')
}

/** The same as the reader of an option. */
export function partitionsOption(text: string): number[] {
  const partitions = parsePartitions(text)
  if (partitions !== null) return partitions
  throw new InvalidArgumentError('It takes partitions such as 0,2,5-7.')
}

/** A topic and, after a colon, some of its partitions: `words` or `words:0,2`. */
export interface TopicSelection {
  readonly topic: string
  /** Null for all. */
  readonly partitions: readonly number[] | null
}

export function parseTopicSelection(text: string): TopicSelection {
  const at = text.lastIndexOf(':')
  if (at < 0) return { topic: text, partitions: null }
  const partitions = parsePartitions(text.slice(at + 1))
  if (partitions !== null && at > 0) return { topic: text.slice(0, at), partitions }
  throw new CliProblem(`${text} is no topic, nor a topic and partitions such as words:0,2`)
}

/** `key=value` pairs as a map; the value may be empty. */
export function parsePairs(pairs: readonly string[]): Record<string, string> {
  const parsed: Record<string, string> = {}
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    if (at < 1) throw new CliProblem(`${pair} is not key=value`, EXIT.usage)
    parsed[pair.slice(0, at)] = pair.slice(at + 1)
  }
  return parsed
}

/** True where a name is a pattern: it has `*`, `?` or brackets, which no topic's name has. */
export function isGlob(text: string): boolean {
  return /[*?[\]{}]/.test(text)
}

/** Tests names against a glob (`*`, `?`, `[a-z]`, `{a,b}`) or, with `isRegex`, a regular expression, as a whole. */
export function matcherOf(pattern: string, isRegex: boolean): (name: string) => boolean {
  const source = isRegex ? pattern : globSource(pattern)
  try {
    const expression = new RegExp(`^(?:${source})$`, 'u')
    return (name) => expression.test(name)
  } catch (problem) {
    throw new CliProblem(`${pattern} is no pattern: ${(problem as Error).message}`, EXIT.usage)
  }
}

function globSource(glob: string): string {
  let source = ''
  for (let at = 0; at < glob.length; at++) {
    const char = glob[at]!
    const end = char === '[' ? glob.indexOf(']', at + 2) : char === '{' ? glob.indexOf('}', at) : -1
    if (char === '*') source += '.*'
    else if (char === '?') source += '.'
    else if (char === '[' && end > 0) {
      const inner = glob.slice(at + 1, end).replace(/\\/g, '\\\\')
      source += `[${inner.replace(/^!/, '^')}]`
      at = end
    } else if (char === '{' && end > 0) {
      const choices = glob.slice(at + 1, end).split(',')
      source += `(?:${choices.map(globSource).join('|')})`
      at = end
    } else source += char.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
  }
  return source
}
