// Shape → encoder and decoder as closures that walk it. Several times slower than compiled code, and
// needed only where `new Function` is forbidden (`--disallow-code-generation-from-strings`). It is also
// the plain statement of the format that the compiled codec is tested against.

import { AssertionFailed, assert } from '../lib/assert.ts'
import type { Reader, Writer } from '../lib/bytes.ts'
import type { VersionCodec } from './codec.ts'
import { readUnknownTag, SCALAR_METHODS, scalarMethod, writeUnknownTags } from './codec_parts.ts'
import type { UnknownTag } from './dsl.ts'
import {
  defaultOf,
  type ItemSlotType,
  isDefault,
  type Shape,
  type Slot,
  typeBytesMin,
} from './shape.ts'

type Struct = Record<string, unknown>

/** Encoder and decoder of a shape; `where` names them in assertions. */
export function interpret(shape: Shape, where: string): VersionCodec {
  return {
    encode: (value, writer) => encodeStruct(shape, value as Struct, writer, where),
    decode: (reader) => decodeStruct(shape, reader),
  }
}

function decodeStruct(shape: Shape, r: Reader): Struct {
  const value: Struct = {}
  for (const slot of shape.slots) {
    const inLine = slot.present && slot.field.tag === null
    value[slot.name] = inLine ? decodeSlot(slot, r, false) : defaultOf(slot.field)
  }
  if (!shape.flexible) return value
  let unknown: UnknownTag[] | undefined
  for (let left = r.uvarint(); left > 0; left--) {
    const tag = r.uvarint()
    const size = r.uvarint()
    if (size > r.remaining) r.fail(`${size} bytes of tagged field ${tag}`)
    const end = r.offset + size
    const slot = shape.tagged.find((candidate) => candidate.field.tag === tag)
    if (slot === undefined) unknown = readUnknownTag(r, unknown, tag, size)
    else value[slot.name] = decodeSlot(slot, r, true)
    if (r.offset !== end) r.fail(`the end of tagged field ${tag} at byte ${end}`)
  }
  if (unknown !== undefined) value['_unknownTags'] = unknown
  return value
}

function decodeSlot(slot: Slot, r: Reader, tagged: boolean): unknown {
  const { type, nullable, compact } = slot
  if (type.kind === 'struct') {
    if (nullable && (tagged ? r.uvarint() === 0 : r.int8() < 0)) return null
    return decodeStruct(type.shape, r)
  }
  if (type.kind !== 'array') return r[scalarMethod(type.kind, compact, nullable) as 'int8']()
  const bytesMin = typeBytesMin(type.element, compact)
  const count = compact ? r.compactCount(bytesMin) : r.count(bytesMin)
  if (count < 0) return nullable ? null : r.fail(`an array for ${slot.name}, found null`)
  const items: unknown[] = []
  for (let i = 0; i < count; i++) items.push(decodeItem(type.element, compact, r))
  return items
}

function decodeItem(type: ItemSlotType, compact: boolean, r: Reader): unknown {
  if (type.kind === 'struct') return decodeStruct(type.shape, r)
  return r[scalarMethod(type.kind, compact, false) as 'int8']()
}

function encodeStruct(shape: Shape, value: Struct, w: Writer, where: string): void {
  for (const slot of shape.slots) {
    const given = value[slot.name]
    if (!slot.present && !slot.field.ignorable && !isDefault(slot.field, given)) {
      throw new AssertionFailed(`${where} has no field: ${slot.name}`)
    }
    if (slot.present && slot.field.tag === null) encodeSlot(slot, given, w, where, false)
  }
  const unknown = (value['_unknownTags'] ?? []) as readonly UnknownTag[]
  if (!shape.flexible) {
    assert(unknown.length === 0, `${where} has no tags`)
    return
  }
  const due = shape.tagged.filter((slot) => !isDefault(slot.field, value[slot.name]))
  w.uvarint(due.length + unknown.length)
  let from = 0
  for (const slot of due) {
    const tag = slot.field.tag!
    writeUnknownTags(w, unknown, from, tag)
    w.uvarint(tag)
    const start = w.offset
    encodeSlot(slot, value[slot.name], w, where, true)
    w.prefixLength(start)
    from = tag + 1
  }
  writeUnknownTags(w, unknown, from, 0x1_0000_0000)
}

function encodeSlot(slot: Slot, given: unknown, w: Writer, where: string, tagged: boolean): void {
  const { type, nullable, compact } = slot
  const value = given === undefined ? defaultOf(slot.field) : given
  const hasNoNull =
    type.kind !== 'struct' && type.kind !== 'array' && !SCALAR_METHODS[type.kind].canBeNull
  assert(value !== null || nullable || hasNoNull, `${where} may not be null: ${slot.name}`)
  if (type.kind === 'struct') {
    if (nullable && tagged) w.uvarint(value === null ? 0 : 1)
    else if (nullable) w.int8(value === null ? -1 : 1)
    if (value !== null) encodeStruct(type.shape, value as Struct, w, where)
  } else if (type.kind !== 'array') {
    w[scalarMethod(type.kind, compact, nullable) as 'int8'](value as number)
  } else if (value === null) {
    if (compact) w.uvarint(0)
    else w.int32(-1)
  } else {
    const items = value as readonly unknown[]
    if (compact) w.uvarint(items.length + 1)
    else w.int32(items.length)
    for (const item of items) encodeItem(type.element, compact, item, w, where)
  }
}

function encodeItem(
  type: ItemSlotType,
  compact: boolean,
  item: unknown,
  w: Writer,
  where: string,
): void {
  if (type.kind === 'struct') encodeStruct(type.shape, item as Struct, w, where)
  else w[scalarMethod(type.kind, compact, false) as 'int8'](item as number)
}
