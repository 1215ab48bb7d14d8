// What a struct looks like at one version: which fields are there, in which form, with which default.
// Everything that walks tables (compiled codec, interpreter, JSON, value generator, C++ emitter) walks
// shapes, so the rules of versions are applied in this one place.
// Invariant: `bytesMin` is the smallest encoding of the struct; counts are checked against it.

import { assert } from '../lib/assert.ts'
import { ZERO_UUID } from '../lib/uuid.ts'
import {
  type AnyField,
  contains,
  type Fields,
  type FieldType,
  type ItemType,
  type Message,
  type ScalarType,
} from './dsl.ts'

/** A field at one version. */
export interface Slot {
  readonly name: string
  readonly field: AnyField
  /** False when the version lacks the field: decoded to its default, encoded only if ignorable. */
  readonly present: boolean
  readonly nullable: boolean
  /** Whether lengths are compact. */
  readonly compact: boolean
  readonly type: SlotType
}

/** The type of a field, or of an array's items, at one version. */
export type ItemSlotType =
  | { readonly kind: ScalarType }
  | { readonly kind: 'struct'; readonly shape: Shape }
export type SlotType = ItemSlotType | { readonly kind: 'array'; readonly element: ItemSlotType }

/** A struct at one version. */
export interface Shape {
  readonly slots: readonly Slot[]
  /** Present and tagged, by ascending tag. */
  readonly tagged: readonly Slot[]
  readonly flexible: boolean
  readonly bytesMin: number
}

/** The shape of a message at `version`, which must be valid. */
export function shapeOf(message: Message, version: number): Shape {
  assert(
    contains(message.valid, version),
    `${message.name} has no version ${version} (${message.valid.min}-${message.valid.max})`,
  )
  return resolve(message.fields, version, contains(message.flexible, version))
}

function resolve(fields: Fields, version: number, flexible: boolean): Shape {
  const slots = Object.entries(fields).map(([name, field]): Slot => {
    assert(field.tag === null || flexible || !contains(field.versions, version), `${name}: tag`)
    return {
      name,
      field,
      present: contains(field.versions, version),
      nullable: contains(field.nullable, version),
      compact: flexible && !field.rigid,
      type: resolveType(field.type, version, flexible),
    }
  })
  const tagged = slots
    .filter((slot) => slot.present && slot.field.tag !== null)
    .sort((a, b) => a.field.tag! - b.field.tag!)
  const bytesMin = slots.reduce((sum, slot) => sum + slotBytesMin(slot), flexible ? 1 : 0)
  return { slots, tagged, flexible, bytesMin }
}

function resolveType(type: FieldType, version: number, flexible: boolean): SlotType {
  if (type.kind !== 'array') return resolveItem(type, version, flexible)
  return { kind: 'array', element: resolveItem(type.element, version, flexible) }
}

function resolveItem(type: ItemType, version: number, flexible: boolean): ItemSlotType {
  if (type.kind !== 'struct') return type
  return { kind: 'struct', shape: resolve(type.fields, version, flexible) }
}

function slotBytesMin(slot: Slot): number {
  if (!slot.present || slot.field.tag !== null) return 0
  if (slot.type.kind === 'struct' && slot.nullable) return 1
  return typeBytesMin(slot.type, slot.compact)
}

/** The fewest bytes a value of the type takes; `compact` says which form its length has. */
export function typeBytesMin(type: SlotType, compact: boolean): number {
  switch (type.kind) {
    case 'bool':
    case 'int8':
      return 1
    case 'int16':
    case 'uint16':
      return 2
    case 'int32':
    case 'uint32':
      return 4
    case 'int64':
    case 'int64Wide':
    case 'float64':
      return 8
    case 'uuid':
      return 16
    case 'string':
      return compact ? 1 : 2
    case 'struct':
      return type.shape.bytesMin
    default:
      return compact ? 1 : 4
  }
}

/** The value a field has when nobody gave it one. Arrays, bytes and structs are fresh each time. */
export function defaultOf(field: AnyField): unknown {
  if (field.defaultValue !== undefined) return field.defaultValue
  return zeroOf(field.type)
}

function zeroOf(type: FieldType): unknown {
  switch (type.kind) {
    case 'bool':
      return false
    case 'int64Wide':
      return 0n
    case 'uuid':
      return ZERO_UUID
    case 'string':
      return ''
    case 'bytes':
      return new Uint8Array(0)
    case 'records':
      return null
    case 'array':
      return []
    case 'struct':
      return defaultsOf(type.fields)
    default:
      return 0
  }
}

/** A struct with every field at its default. */
export function defaultsOf(fields: Fields): Record<string, unknown> {
  const value: Record<string, unknown> = {}
  for (const name of Object.keys(fields)) value[name] = defaultOf(fields[name]!)
  return value
}

/** Whether `value` is what `defaultOf(field)` gives; undefined stands for it. */
export function isDefault(field: AnyField, value: unknown): boolean {
  if (value === undefined) return true
  if (field.defaultValue !== undefined) return value === field.defaultValue
  if (value === null) return field.type.kind === 'records'
  switch (field.type.kind) {
    case 'array':
    case 'bytes':
      return (value as { length: number }).length === 0
    case 'struct':
      return isDefaultStruct(field.type.fields, value as Record<string, unknown>)
    case 'records':
      return false
    default:
      return value === zeroOf(field.type)
  }
}

function isDefaultStruct(fields: Fields, value: Record<string, unknown>): boolean {
  const unknown = value['_unknownTags'] as readonly unknown[] | undefined
  if (unknown !== undefined && unknown.length > 0) return false
  return Object.keys(fields).every((name) => isDefault(fields[name]!, value[name]))
}
