// From files, environment and arguments to one typed configuration, or to every mistake at once.
//
// Stronger sources come later: files in order, then the environment (KAFKA_, then OTTLA_), then
// options given by a program, then `--set`. Nothing fails open: a key that is not built warns, and
// is refused when it concerns security, durability or placement, unless it is set to its default.
// Kafka: ConfigDef.parse, KafkaConfig.

import type { Setting } from './config.ts'
import { BrokerConfig, nodeRow, nodeTable } from './config.ts'
import type { Derived } from './derive.ts'
import { derive } from './derive.ts'
import type { ConfigWarning, Mistake } from './mistakes.ts'
import { ConfigError } from './mistakes.ts'
import { objectionTo } from './objection.ts'
import { isSensitive } from './rows.ts'
import { LISTENER_KEY } from './synonyms.ts'
import { parseEnvironment } from './text/environment.ts'
import { parseProperties } from './text/properties.ts'
import { allowedValues, readValue } from './text/values.ts'
import { isSecurityKey, nearestKey } from './unknown.ts'

export { ConfigError, describeWarning } from './mistakes.ts'

/** A value as a program gives it. */
export type OptionValue = string | number | boolean | readonly string[]

/** Everything configuration can come from, weakest first. */
export interface ConfigInput {
  readonly files?: readonly { readonly name: string; readonly text: string }[]
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly options?: Readonly<Record<string, OptionValue | undefined>>
  /** Arguments of `--set`, each `key=value`. */
  readonly set?: readonly string[]
}

/** A configuration that can be started, what follows from it, and what should be known about it. */
export interface ParsedConfig {
  readonly config: BrokerConfig
  readonly derived: Derived
  readonly warnings: readonly ConfigWarning[]
}

/** Reads and judges a configuration; throws ConfigError with every mistake there is. */
export function parseConfig(input: ConfigInput): ParsedConfig {
  const mistakes: Mistake[] = []
  const warnings: ConfigWarning[] = []
  const gathered = gather(input, mistakes)
  const config = new BrokerConfig(gathered)
  for (const [key, setting] of gathered) judgeSetting({ ...setting, key }, mistakes, warnings)
  judgeRequired(config, mistakes)
  const broken = new Set(mistakes.map(({ key }) => key))
  const derivation = derive(config, broken)
  mistakes.push(...derivation.mistakes)
  if (mistakes.length > 0) throw new ConfigError(mistakes)
  return { config, derived: derivation.derived, warnings: [...warnings, ...derivation.warnings] }
}

/** Collects settings from all sources; a stronger source replaces a weaker one key by key. */
function gather(input: ConfigInput, mistakes: Mistake[]): Map<string, Setting> {
  const settings = new Map<string, Setting>()
  const put = (setting: Setting) => settings.set(setting.key, setting)
  for (const { name, text } of input.files ?? []) {
    const { entries, problems } = parseProperties(text)
    for (const { line, problem } of problems) {
      mistakes.push({ key: name, value: null, problem, allowed: '', source: `${name}:${line}` })
    }
    for (const { key, value, line } of entries) put({ key, value, source: `${name}:${line}` })
  }
  for (const setting of parseEnvironment(input.env ?? {})) put(setting)
  for (const [key, value] of Object.entries(input.options ?? {})) {
    if (value === undefined) continue
    put({ key, value: Array.isArray(value) ? value.join(',') : String(value), source: 'options' })
  }
  for (const argument of input.set ?? []) {
    const equals = argument.indexOf('=')
    if (equals > 0) {
      const key = argument.slice(0, equals).trim()
      put({ key, value: argument.slice(equals + 1), source: '--set' })
    } else {
      const problem = 'it has no key before an equals sign'
      mistakes.push({ key: argument, value: null, problem, allowed: 'key=value', source: '--set' })
    }
  }
  return settings
}

function judgeSetting(setting: Setting, mistakes: Mistake[], warnings: ConfigWarning[]): void {
  const { key, value, source } = setting
  const row = nodeRow(key)
  if (row === undefined) {
    judgeUnknown(setting, mistakes, warnings)
    return
  }
  const shown = isSensitive(row) ? '[hidden]' : value
  const reading = readValue(row, value)
  if (!reading.ok) {
    const allowed = allowedValues(row)
    mistakes.push({ key, value: shown, problem: reading.problem, allowed, source })
    return
  }
  const objection = objectionTo(key, row, value)
  if (objection?.refused === true) {
    const allowed =
      row.fallback == null ? 'leave it out' : `${row.fallback || 'empty'} (the default)`
    mistakes.push({ key, value: shown, problem: objection.problem, allowed, source })
  } else if (objection !== null) {
    warnings.push({ key, problem: objection.problem, source })
  }
}

function judgeUnknown(setting: Setting, mistakes: Mistake[], warnings: ConfigWarning[]): void {
  const { key, source } = setting
  const base = LISTENER_KEY.exec(key)?.[2] ?? key
  const nearest = nearestKey(base)
  const hint = nearest === null ? '' : `; did you mean ${nearest}?`
  if (isSecurityKey(base)) {
    const problem = `security would depend on it, and it is not known here${hint}`
    mistakes.push({ key, value: '[hidden]', problem, allowed: 'leave it out', source })
  } else {
    warnings.push({ key, problem: `unknown key, ignored${hint}`, source })
  }
}

function judgeRequired(config: BrokerConfig, mistakes: Mistake[]): void {
  for (const [key, row] of Object.entries(nodeTable)) {
    if (row.fallback !== undefined || config.isSet(key)) continue
    const allowed = allowedValues(row)
    mistakes.push({ key, value: null, problem: 'it must be set', allowed, source: 'not set' })
  }
}
