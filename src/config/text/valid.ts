// Valid values, read from the text Kafka prints for them: `[1,...]`, `[0,...,1]`, `[a, b]` and a
// few that are spelt out. The text is what people see; the check is made from it, so they cannot
// differ.
//
// Lists follow Kafka 4.3: no empty element, and an empty list only where allowed. Elements that are
// named twice are dropped before the check (values.ts).
// Kafka: ConfigDef.Range, ValidString, CaseInsensitiveValidString, ValidList;
// ThrottledReplicaListValidator; QuorumConfig.ControllerQuorumVotersValidator;
// ShareGroupAutoOffsetResetStrategy.

import { assert } from '../../lib/assert.ts'
import type { ConfigType } from '../rows.ts'

/** What may be written: the text shown to people, and a check that returns the problem or null. */
export interface Validator {
  readonly text: string
  check(value: ConfigValue): string | null
}

/** A parsed value. LONG arrives as bigint so that ranges are exact. */
export type ConfigValue = boolean | number | bigint | string | readonly string[] | null

type Check = (value: ConfigValue) => string | null

// Kafka's Utils.HOST_PORT_PATTERN: the host reaches to the last colon, brackets are optional.
const HOST_PORT = /^\[?([0-9a-zA-Z\-%._:]+)\]?:(\d{1,5})$/

/** Builds the validator of a row from its type and Kafka's text. */
export function validator(type: ConfigType, text: string, nonEmpty: boolean): Validator {
  const check = SPELT_OUT[text] ?? rangeCheck(text) ?? choiceCheck(type, text)
  assert(check !== null || text === '', `unreadable valid values: ${text}`)
  if (type !== 'LIST') return { text, check: check ?? (() => null) }
  const ownRules = text === THROTTLED
  return {
    text,
    check: (value) =>
      (ownRules ? null : listProblem(value as readonly string[] | null, nonEmpty)) ??
      (check === null ? null : check(value)),
  }
}

/** Lists of throttled replicas, which keep what Kafka's other lists refuse. */
export const THROTTLED = '[partitionId]:[brokerId],[partitionId]:[brokerId],...'

const SPELT_OUT: Readonly<Record<string, Check>> = {
  'non-null string': (value) => (value === null ? 'must be set' : null),
  'non-empty string': (value) => (value === '' ? 'String must be non-empty' : null),
  '[1,...,9] or -1': (value) =>
    value === -1 || (typeof value === 'number' && value >= 1 && value <= 9)
      ? null
      : 'Value must be between 1 and 9, or -1',
  [THROTTLED]: throttledReplicas,
  '{id}@{host}:{port},...': (value) => eachElement(value, isVoter, '{id}@{host}:{port}'),
  '{host}:{port},...': (value) => eachElement(value, isHostPort, '{host}:{port}'),
  '[latest, earliest, by_duration:PnDTnHnMn.nS]': offsetReset,
}

function rangeCheck(text: string): Check | null {
  const match = /^\[(-?[\d.]+),\.\.\.(?:,(-?[\d.]+))?\]$/.exec(text)
  if (match === null) return null
  const min = Number(match[1])
  const max = match[2] === undefined ? Number.POSITIVE_INFINITY : Number(match[2])
  return (value) => {
    if (typeof value !== 'number' && typeof value !== 'bigint') return null
    if (value < min) return `Value must be at least ${match[1]}`
    return value > max ? `Value must be no more than ${match[2]}` : null
  }
}

function choiceCheck(type: ConfigType, text: string): Check | null {
  const match = /^(\(case insensitive\) )?\[([^\]]+)\]$/.exec(text)
  if (match === null) return null
  const fold = match[1] !== undefined
  const choices = match[2]!.split(', ')
  const known = new Set(choices.map((choice) => (fold ? choice.toLowerCase() : choice)))
  const problem = `must be one of: ${choices.join(', ')}`
  const isKnown = (one: string) => known.has(fold ? one.toLowerCase() : one)
  if (type === 'LIST') {
    return (value) =>
      (value as readonly string[] | null)?.every(isKnown) === false
        ? `each element ${problem}`
        : null
  }
  return (value) => (typeof value === 'string' && !isKnown(value) ? problem : null)
}

function listProblem(value: readonly string[] | null, nonEmpty: boolean): string | null {
  if (value === null) return null
  if (value.length === 0) return nonEmpty ? 'must have at least one element' : null
  if (value.some((element) => element === '')) return 'must not have an empty element'
  return null
}

function eachElement(
  value: ConfigValue,
  accepts: (element: string) => boolean,
  form: string,
): string | null {
  const wrong = (value as readonly string[] | null)?.find((element) => !accepts(element))
  return wrong === undefined ? null : `${wrong} is not of the form ${form}`
}

function isHostPort(element: string): boolean {
  const match = HOST_PORT.exec(element)
  return match !== null && Number(match[2]) <= 65535
}

function isVoter(element: string): boolean {
  const at = element.indexOf('@')
  return /^\d+$/.test(element.slice(0, at)) && at > 0 && isHostPort(element.slice(at + 1))
}

function throttledReplicas(value: ConfigValue): string | null {
  const elements = (value as readonly string[] | null) ?? []
  if (elements.length === 1 && elements[0] === '*') return null
  const isPair = (element: string) => element.trim() === '' || /^\d+:\d+$/.test(element.trim())
  return elements.every(isPair) ? null : 'must be * or pairs of partition:broker'
}

function offsetReset(value: ConfigValue): string | null {
  const text = String(value)
  if (text === 'earliest' || text === 'latest') return null
  const duration =
    /^by_duration:P(?=.)(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d{1,9})?S)?)?$/i
  return duration.test(text) ? null : 'must be latest, earliest or by_duration:<ISO-8601 duration>'
}
