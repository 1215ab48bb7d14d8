// The vocabulary of the protocol tables: fields, versions, apis and records, with their TypeScript types
// inferred. A table is data: codec.ts compiles it, json.ts prints it, cli/gen.ts emits C++ from it.
// Rules, as in Kafka's schemas: a field without `v` lives in every version of its parent; a field with a
// `tag` is tagged wherever it lives; a field absent from a version decodes to its default, and encodes
// only when it has its default or is `ignorable`. Property names are Kafka's with a lower first letter.
// Kafka: org.apache.kafka.message.{MessageSpec,FieldSpec,Versions}; KIP-482 for flexible versions.

import { assert } from '../lib/assert.ts'
import type { Uuid } from '../lib/uuid.ts'

/** An inclusive range of versions; empty when min > max. */
export interface Versions {
  readonly min: number
  readonly max: number
}

export const VERSION_MAX = 0x7fff
export const NO_VERSIONS: Versions = { min: 0, max: -1 }

/** Reads '0-4', '3+', '2' or 'none'. */
export function versions(text: string): Versions {
  if (text === 'none') return NO_VERSIONS
  const match = /^(\d+)(\+|-(\d+))?$/.exec(text)
  assert(match !== null, `not a version range: ${text}`)
  const min = Number(match[1])
  if (match[2] === undefined) return { min, max: min }
  return { min, max: match[2] === '+' ? VERSION_MAX : Number(match[3]) }
}

/** True when `version` lies in `range`. */
export function contains(range: Versions, version: number): boolean {
  return version >= range.min && version <= range.max
}

export type ScalarType =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'int64Wide'
  | 'float64'
  | 'uuid'
  | 'string'
  | 'bytes'
  | 'records'

/** What a field holds: a scalar, a struct in place, or an array of either. */
export type ItemType =
  | { readonly kind: ScalarType }
  | { readonly kind: 'struct'; readonly fields: Fields }
export type FieldType = ItemType | { readonly kind: 'array'; readonly element: ItemType }

/** What may be said about a field besides its type. */
export interface Options<Default> {
  /** Versions that have the field; all of the parent's when left out. */
  readonly v?: string
  /** Versions in which null may be written; `true` for all. */
  readonly nullable?: true | string
  /** The tag under which flexible versions carry the field, only when it differs from its default. */
  readonly tag?: number
  /** What a decoder says when the field is absent, instead of 0, '', empty or false. */
  readonly default?: Default
  /** May be dropped silently when encoding a version without it. */
  readonly ignorable?: true
  /** False for the one field that stays in the old form inside flexible versions. */
  readonly flexible?: false
}

/** One row of a table. D is what decoding gives, E what encoding takes. */
export interface Field<D = unknown, E = D> {
  readonly type: FieldType
  readonly versions: Versions
  readonly nullable: Versions
  readonly tag: number | null
  readonly ignorable: boolean
  readonly rigid: boolean
  /** Undefined when the type's own zero is the default. */
  readonly defaultValue: D | undefined
  readonly decoded?: D
  readonly encoded?: E
}

// biome-ignore lint/suspicious/noExplicitAny: the types of a row are recovered by inference
export type AnyField = Field<any, any>
export interface Fields {
  readonly [name: string]: AnyField
}

/** A tagged field that this program does not know: kept, and written back in its place. */
export interface UnknownTag {
  readonly tag: number
  readonly bytes: Uint8Array
}
interface UnknownTags {
  _unknownTags?: UnknownTag[]
}

/** What decoding a struct gives: every field, whatever the version. */
export type Decoded<F extends Fields> = {
  -readonly [K in keyof F]: F[K] extends Field<infer D, infer _E> ? D : never
} & UnknownTags

/** What encoding a struct takes: a field left out has its default. */
export type Encodable<F extends Fields> = {
  readonly [K in keyof F]?: F[K] extends Field<infer _D, infer E> ? E : never
} & { readonly _unknownTags?: readonly UnknownTag[] }

type OrNull<O, T> = O extends { readonly nullable: true | string } ? T | null : T
type Row<O, D, E = D> = Field<OrNull<O, D>, OrNull<O, E>>

function row<D, E>(type: FieldType, options: Options<unknown> = {}): Field<D, E> {
  const { v, nullable, tag, ignorable, flexible } = options
  return {
    type,
    versions: versions(v ?? '0+'),
    nullable: nullable === undefined ? NO_VERSIONS : versions(nullable === true ? '0+' : nullable),
    tag: tag ?? null,
    ignorable: ignorable ?? false,
    rigid: flexible === false,
    defaultValue: options.default as D | undefined,
  }
}

export const bool = (options?: Options<boolean>): Field<boolean> => row({ kind: 'bool' }, options)
export const int8 = (options?: Options<number>): Field<number> => row({ kind: 'int8' }, options)
export const int16 = (options?: Options<number>): Field<number> => row({ kind: 'int16' }, options)
export const uint16 = (options?: Options<number>): Field<number> => row({ kind: 'uint16' }, options)
export const int32 = (options?: Options<number>): Field<number> => row({ kind: 'int32' }, options)
export const uint32 = (options?: Options<number>): Field<number> => row({ kind: 'uint32' }, options)
export const float64 = (options?: Options<number>): Field<number> =>
  row({ kind: 'float64' }, options)
export const uuid = (options?: Options<Uuid>): Field<Uuid> => row({ kind: 'uuid' }, options)

/** A 64-bit integer that must be exact as a number; anything else is a MalformedFrame. */
export const int64 = (options?: Options<number>): Field<number> => row({ kind: 'int64' }, options)

/** A 64-bit integer of which any value is legal: a bigint, narrowed by the handler. */
export const int64Wide = (options?: Options<bigint>): Field<bigint> =>
  row({ kind: 'int64Wide' }, options)

export const string = <const O extends Options<string | null>>(options?: O): Row<O, string> =>
  row({ kind: 'string' }, options as Options<unknown>)

export const bytes = <const O extends Options<null>>(options?: O): Row<O, Uint8Array> =>
  row({ kind: 'bytes' }, options as Options<unknown>)

/** Record batches, as opaque bytes. */
export const records = <const O extends Options<null>>(options?: O): Row<O, Uint8Array> =>
  row({ kind: 'records' }, options as Options<unknown>)

/** A struct in place. */
export function struct<F extends Fields, const O extends Options<null>>(
  fields: F,
  options?: O,
): Row<O, Decoded<F>, Encodable<F>> {
  return row({ kind: 'struct', fields }, options as Options<unknown>)
}

/** An array of structs, or of what a bare row such as `int32()` describes. */
export function array<D, E, const O extends Options<null>>(
  element: Field<D, E>,
  options?: O,
): Row<O, D[], readonly E[]>
export function array<F extends Fields, const O extends Options<null>>(
  element: F,
  options?: O,
): Row<O, Decoded<F>[], readonly Encodable<F>[]>
export function array(element: AnyField | Fields, options?: Options<null>): AnyField {
  const type = isField(element) ? element.type : { kind: 'struct' as const, fields: element }
  assert(type.kind !== 'array', 'arrays do not nest')
  return row({ kind: 'array', element: type }, options as Options<unknown>)
}

function isField(element: AnyField | Fields): element is AnyField {
  return typeof (element as AnyField).type?.kind === 'string'
}

/** What kind of table a message is; coordinator keys and values are what group-like logs hold. */
export type MessageKind =
  | 'request'
  | 'response'
  | 'header'
  | 'data'
  | 'metadata'
  | 'coordinator-key'
  | 'coordinator-value'

/** A described message: codec.ts turns it into bytes and back. */
export interface Message<F extends Fields = Fields> {
  readonly name: string
  readonly kind: MessageKind
  /** Api key, record type, or null for messages that have none. */
  readonly key: number | null
  readonly valid: Versions
  readonly flexible: Versions
  readonly fields: F
}

/** The decoded form of a message, and what may be given to encode it. */
export type DecodedOf<M> = M extends Message<infer F> ? Decoded<F> : never
export type EncodableOf<M> = M extends Message<infer F> ? Encodable<F> : never

export interface MessageOptions {
  readonly valid: string
  /** 'none' when left out. */
  readonly flexible?: string
}

/** A message that is neither request nor response: record, header, or bytes inside other messages. */
export function message<F extends Fields>(
  kind: MessageKind,
  key: number | null,
  name: string,
  options: MessageOptions,
  fields: F,
): Message<F> {
  return {
    name,
    kind,
    key,
    valid: versions(options.valid),
    flexible: versions(options.flexible ?? 'none'),
    fields,
  }
}

/** A record of a metadata-like log, known by its type. */
export const record = <F extends Fields>(
  key: number,
  name: string,
  options: MessageOptions,
  fields: F,
): Message<F> => message('metadata', key, name, options, fields)

/** Bytes that travel inside other messages or files. */
export const data = <F extends Fields>(
  name: string,
  options: MessageOptions,
  fields: F,
): Message<F> => message('data', null, name, options, fields)

/** A coordinator record: `XKey` (always version 0, never flexible) and `XValue`, under one type. */
export interface CoordinatorRecord<K extends Fields = Fields, V extends Fields = Fields> {
  readonly type: number
  readonly name: string
  readonly key: Message<K>
  readonly value: Message<V>
}

/** Describes both halves of a coordinator record. */
export function coordinatorRecord<K extends Fields, V extends Fields>(
  type: number,
  name: string,
  options: MessageOptions,
  tables: { readonly key: K; readonly value: V },
): CoordinatorRecord<K, V> {
  return {
    type,
    name,
    key: message('coordinator-key', type, `${name}Key`, { valid: '0' }, tables.key),
    value: message('coordinator-value', type, `${name}Value`, options, tables.value),
  }
}

export type Listener = 'broker' | 'controller'

export interface ApiOptions extends MessageOptions {
  readonly listeners?: readonly Listener[]
  /** Needs CLUSTER_ACTION: spoken between nodes. */
  readonly clusterAction?: true
  /** A broker hands it to the active controller. */
  readonly forwarded?: true
  /** The newest version is advertised only with `unstable.api.versions.enable`. */
  readonly latestUnstable?: true
}

/** One conversation: a request and its response, in the same versions. */
export interface Api<Q extends Fields = Fields, P extends Fields = Fields> {
  readonly key: number
  readonly name: string
  readonly valid: Versions
  readonly flexible: Versions
  readonly listeners: readonly Listener[]
  readonly clusterAction: boolean
  readonly forwarded: boolean
  readonly latestUnstable: boolean
  readonly request: Message<Q>
  readonly response: Message<P>
}

/** What decoding a request or response of an api gives. */
export type RequestOf<A> = A extends Api<infer Q, infer _P> ? Decoded<Q> : never
export type ResponseOf<A> = A extends Api<infer _Q, infer P> ? Decoded<P> : never

/** Describes a request and its response. */
export function api<Q extends Fields, P extends Fields>(
  key: number,
  name: string,
  options: ApiOptions,
  tables: { readonly request: Q; readonly response: P },
): Api<Q, P> {
  return {
    key,
    name,
    valid: versions(options.valid),
    flexible: versions(options.flexible ?? 'none'),
    listeners: options.listeners ?? [],
    clusterAction: options.clusterAction ?? false,
    forwarded: options.forwarded ?? false,
    latestUnstable: options.latestUnstable ?? false,
    request: message('request', key, `${name}Request`, options, tables.request),
    response: message('response', key, `${name}Response`, options, tables.response),
  }
}
