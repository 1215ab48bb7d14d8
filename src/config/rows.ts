// The vocabulary of the configuration tables: one row per key, its type inferred from the builder.
//
// A row says what Kafka says of the key (type, default, valid values, importance, update mode) and
// what is true here: its state. Invariant: the text of a default is exactly what Kafka would print,
// so that DescribeConfigs, the reference docs and the judge in test/unit/config read one source.
// Kafka: ConfigDef.ConfigKey, ConfigDef.Type, DynamicBrokerConfig (update modes).

import type { Validator } from './text/valid.ts'
import { validator } from './text/valid.ts'

/** Kafka's configuration types; PASSWORD values are never shown. */
export type ConfigType =
  | 'BOOLEAN'
  | 'STRING'
  | 'INT'
  | 'SHORT'
  | 'LONG'
  | 'DOUBLE'
  | 'LIST'
  | 'CLASS'
  | 'PASSWORD'

export type Importance = 'high' | 'medium' | 'low'

/** When a key may change: at restart only, per broker, for the whole cluster, or per resource. */
export type UpdateMode = 'read-only' | 'per-broker' | 'cluster-wide' | 'resource'

/** What a key that is not built would protect; setting such a key is refused. */
export type Concern = 'security' | 'durability' | 'placement'

/** What is true of a key here. `built` narrows an effective row to values that have effect. */
export type RowState =
  | { readonly kind: 'effective'; readonly test: string; readonly built?: readonly string[] }
  | { readonly kind: 'inert'; readonly why: string }
  | { readonly kind: 'not_built'; readonly why: string; readonly concern: Concern | null }

/** One configuration key. `typed` exists for inference only and is never set. */
export interface Row<T = unknown> {
  readonly type: ConfigType
  /** Kafka's text of the default; null when there is none, undefined when the key is required. */
  readonly fallback: string | null | undefined
  readonly valid: Validator
  readonly importance: Importance
  readonly update: UpdateMode
  readonly state: RowState
  readonly doc: string
  readonly internal: boolean
  readonly typed?: T
}

/** A table: every key of one scope, in one object. */
export type Table = Readonly<Record<string, Row>>

/** The typed values of a table, by inference from its builders. */
export type ValuesOf<T extends Table> = {
  readonly [K in keyof T]: T[K] extends Row<infer V> ? V : never
}

type Grade = `${Importance} ${UpdateMode}`

interface Rest {
  readonly state: RowState
  readonly doc: string
  /** Hidden from DescribeConfigs and from the reference, as Kafka's defineInternal. */
  readonly internal?: boolean
  /** A list that may not be empty. */
  readonly nonEmpty?: boolean
}

/** The default of a key that must be set. */
export const REQUIRED = Symbol('required')

/** Java's Long.MAX_VALUE, which Kafka uses for "no limit"; its typed value saturates. */
export const LONG_MAX = '9223372036854775807'

interface Shape {
  readonly type: ConfigType
  readonly fallback: string | number | boolean | null | typeof REQUIRED
  readonly valid: string
  readonly grade: Grade
}

function row<T>(shape: Shape, rest: Rest): Row<T> {
  const [importance, update] = shape.grade.split(' ') as [Importance, UpdateMode]
  const fallback = shape.fallback === REQUIRED ? undefined : shape.fallback
  return {
    type: shape.type,
    fallback: fallback === null || fallback === undefined ? fallback : String(fallback),
    valid: validator(shape.type, shape.valid, rest.nonEmpty === true),
    importance,
    update,
    state: rest.state,
    doc: rest.doc,
    internal: rest.internal === true,
  }
}

type Given<D, T> = D extends null ? T | null : T

/** A BOOLEAN key. */
export function boolean(fallback: boolean, grade: Grade, rest: Rest): Row<boolean> {
  return row({ type: 'BOOLEAN', fallback, valid: '', grade }, rest)
}

/** An INT key (32 bits); `valid` is Kafka's text, such as `[1,...]`. */
export function int<D extends number | null | typeof REQUIRED>(
  fallback: D,
  valid: string,
  grade: Grade,
  rest: Rest,
): Row<Given<D, number>> {
  return row({ type: 'INT', fallback, valid, grade }, rest)
}

/** A SHORT key (16 bits). */
export function short(fallback: number, valid: string, grade: Grade, rest: Rest): Row<number> {
  return row({ type: 'SHORT', fallback, valid, grade }, rest)
}

/** A LONG key (64 bits): described exactly, read as a number that saturates at 2^53 - 1. */
export function long<D extends number | null | typeof LONG_MAX>(
  fallback: D,
  valid: string,
  grade: Grade,
  rest: Rest,
): Row<Given<D, number>> {
  return row({ type: 'LONG', fallback, valid, grade }, rest)
}

/** A DOUBLE key; the default is given as Java prints it. */
export function double(fallback: string, valid: string, grade: Grade, rest: Rest): Row<number> {
  return row({ type: 'DOUBLE', fallback, valid, grade }, rest)
}

/** A STRING key; null means that nothing is set. */
export function string<D extends string | null>(
  fallback: D,
  valid: string,
  grade: Grade,
  rest: Rest,
): Row<Given<D, string>> {
  return row({ type: 'STRING', fallback, valid, grade }, rest)
}

/** A LIST key: comma separated, without duplicates; the default is given joined by commas. */
export function list<D extends string | null | typeof REQUIRED>(
  fallback: D,
  valid: string,
  grade: Grade,
  rest: Rest,
): Row<Given<D, readonly string[]>> {
  return row({ type: 'LIST', fallback, valid, grade }, rest)
}

/** A CLASS key: the name of a Java class, which nothing here can load. */
export function javaClass<D extends string | null>(
  fallback: D,
  grade: Grade,
  rest: Rest,
): Row<Given<D, string>> {
  return row({ type: 'CLASS', fallback, valid: '', grade }, rest)
}

/** A PASSWORD key: sensitive, so its value never leaves the process. */
export function password(grade: Grade, rest: Rest): Row<string | null> {
  return row({ type: 'PASSWORD', fallback: null, valid: '', grade }, rest)
}

/** The key works; the named test shows its effect. `built` limits it to some of its values. */
export function effective(test: string, built?: readonly string[]): RowState {
  return built === undefined ? { kind: 'effective', test } : { kind: 'effective', test, built }
}

/** The key changes nothing here and cannot harm; `why` says so in one clause. */
export function inert(why: string): RowState {
  return { kind: 'inert', why }
}

/** The key is not built: setting it warns, or is refused when it concerns safety. */
export function notBuilt(why: string, concern: Concern | null = null): RowState {
  return { kind: 'not_built', why, concern }
}

/** True when the value of this row must never be shown. */
export function isSensitive(row: Row): boolean {
  return row.type === 'PASSWORD'
}
