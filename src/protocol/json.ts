// Messages as JSON, in the form of Kafka's own converters: field names as ours, bytes in base64, uuids as
// text, tagged fields only when they differ from their default. 64-bit integers outside of ±(2^53 - 1) are
// bigints and float64 fields are Floats, so the text form needs `formatJson`: it writes plain digits, and
// 0.0 for a float that is whole, without which Kafka's readers refuse it.
// Used by the quorum-state file, dump_log, logs, and the comparison with Kafka.
// Kafka: org.apache.kafka.message.JsonConverterGenerator.

import type { Encodable, Fields, Message } from './dsl.ts'
import {
  type ItemSlotType,
  isDefault,
  type Shape,
  type Slot,
  type SlotType,
  shapeOf,
} from './shape.ts'

export type Json =
  | null
  | boolean
  | number
  | bigint
  | string
  | Float
  | Json[]
  | { [name: string]: Json }
type Struct = Readonly<Record<string, unknown>>

/** A float64 field in JSON: whole or not, it is written with a point. */
export class Float {
  readonly value: number

  constructor(value: number) {
    this.value = value
  }
}

/** Why a JSON value is not a message; its text names the place. */
export interface JsonMistake {
  readonly mistake: string
}

/** The JSON of a decoded message. */
export function toJson(message: Message, version: number, value: object): { [name: string]: Json } {
  return structToJson(shapeOf(message, version), value as Struct)
}

function structToJson(shape: Shape, value: Struct): { [name: string]: Json } {
  const json: { [name: string]: Json } = {}
  for (const slot of shape.slots) {
    const given = value[slot.name]
    if (!slot.present) continue
    if (slot.field.tag !== null && isDefault(slot.field, given)) continue
    json[slot.name] = valueToJson(slot.type, given)
  }
  return json
}

function valueToJson(type: SlotType, value: unknown): Json {
  if (value === null) return null
  switch (type.kind) {
    case 'struct':
      return structToJson(type.shape, value as Struct)
    case 'array':
      return (value as unknown[]).map((item) => valueToJson(type.element, item))
    case 'bytes':
    case 'records':
      return base64(value as Uint8Array)
    case 'float64':
      return new Float(value as number)
    default:
      return value as Json
  }
}

/** The message that a JSON value describes, ready to encode, or the first mistake in it. */
export function fromJson<F extends Fields>(
  message: Message<F>,
  version: number,
  json: Json,
): Encodable<F> | JsonMistake {
  const mistakes: string[] = []
  const value = structFromJson(shapeOf(message, version), json, message.name, mistakes)
  return mistakes.length > 0 ? { mistake: mistakes[0]! } : (value as Encodable<F>)
}

/** True when `fromJson` found a mistake. */
export function isMistake(value: object): value is JsonMistake {
  return 'mistake' in value
}

function structFromJson(shape: Shape, json: Json, where: string, mistakes: string[]): Struct {
  const value: Record<string, unknown> = {}
  if (!isObject(json)) {
    mistakes.push(`${where}: expected an object`)
    return value
  }
  for (const slot of shape.slots) {
    const given = json[slot.name]
    if (!slot.present) continue
    if (given !== undefined) value[slot.name] = slotFromJson(slot, given, where, mistakes)
    else if (slot.field.tag === null) mistakes.push(`${where}.${slot.name}: missing`)
  }
  return value
}

function isObject(json: Json): json is { [name: string]: Json } {
  return (
    typeof json === 'object' && json !== null && !Array.isArray(json) && !(json instanceof Float)
  )
}

function slotFromJson(slot: Slot, json: Json, where: string, mistakes: string[]): unknown {
  const place = `${where}.${slot.name}`
  if (json === null) {
    if (!slot.nullable) mistakes.push(`${place}: may not be null`)
    return null
  }
  const { type } = slot
  if (type.kind !== 'array') return itemFromJson(type, json, place, mistakes)
  if (Array.isArray(json)) {
    return json.map((item, i) => itemFromJson(type.element, item, `${place}[${i}]`, mistakes))
  }
  mistakes.push(`${place}: expected an array`)
  return []
}

function itemFromJson(type: ItemSlotType, json: Json, place: string, mistakes: string[]): unknown {
  switch (type.kind) {
    case 'struct':
      return structFromJson(type.shape, json, place, mistakes)
    case 'bytes':
    case 'records':
      return expect(typeof json === 'string', 'base64') && unbase64(json as string)
    case 'string':
    case 'uuid':
      return expect(typeof json === 'string', 'a string') && json
    case 'bool':
      return expect(typeof json === 'boolean', 'true or false') && json
    case 'int64Wide':
      return expect(isInteger(json), 'an integer') && BigInt(json as number | bigint)
    case 'float64':
      return json instanceof Float
        ? json.value
        : expect(typeof json === 'number', 'a number') && json
    default:
      return expect(Number.isSafeInteger(json), 'an integer') && json
  }
  function expect(holds: boolean, what: string): boolean {
    if (!holds) mistakes.push(`${place}: expected ${what}`)
    return holds
  }
}

function isInteger(json: Json): boolean {
  return typeof json === 'bigint' || Number.isSafeInteger(json)
}

/** JSON text, with bigints as plain digits. */
export function formatJson(json: Json): string {
  if (typeof json === 'bigint') return json.toString()
  if (json === null || typeof json !== 'object') return JSON.stringify(json)
  if (Array.isArray(json)) return `[${json.map(formatJson).join(',')}]`
  if (json instanceof Float) {
    const text = String(json.value)
    return Number.isInteger(json.value) && /^-?\d+$/.test(text) ? `${text}.0` : text
  }
  const members = Object.entries(json).map(
    ([name, value]) => `${JSON.stringify(name)}:${formatJson(value)}`,
  )
  return `{${members.join(',')}}`
}

/** Reads JSON text, keeping integers beyond ±(2^53 - 1) exact as bigints. */
export function parseJson(text: string): Json {
  const revive = (_name: string, value: unknown, context?: { source?: string }): unknown => {
    const isExact = typeof value !== 'number' || Number.isSafeInteger(value)
    if (isExact || context?.source === undefined) return value
    return /^-?\d+$/.test(context.source) ? BigInt(context.source) : value
  }
  return JSON.parse(text, revive) as Json
}

function base64(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

function unbase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
}
