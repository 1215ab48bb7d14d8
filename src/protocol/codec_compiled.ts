// Shape → two functions, written out as straight-line JavaScript and compiled once. One function per
// struct; every read is a call on Reader, every write one on Writer, which V8 inlines. Names of fields are
// identifiers of our own tables, never input, so nothing from outside reaches `new Function`.

import { AssertionFailed } from '../lib/assert.ts'
import type { VersionCodec } from './codec.ts'
import { readUnknownTag, SCALAR_METHODS, scalarMethod, writeUnknownTags } from './codec_parts.ts'
import type { AnyField } from './dsl.ts'
import {
  defaultOf,
  type ItemSlotType,
  isDefault,
  type Shape,
  type Slot,
  typeBytesMin,
} from './shape.ts'

interface Unit {
  readonly where: string
  readonly lines: string[]
  /** Fields the code refers to at run time, as `fields[i]`. */
  readonly fields: AnyField[]
  structs: number
}

/** Compiles encoder and decoder of a shape; `where` names them in assertions and stack traces. */
export function compile(shape: Shape, where: string): VersionCodec {
  const unit: Unit = { where, lines: [], fields: [], structs: 0 }
  const encode = encoderOf(unit, shape)
  const decode = decoderOf(unit, shape)
  unit.lines.push(`return { encode: ${encode}, decode: ${decode} }`)
  const make = new Function('fields', 'runtime', `'use strict'\n${unit.lines.join('\n')}`)
  return make(unit.fields, runtime) as VersionCodec
}

const runtime = {
  defaultOf,
  isDefault,
  readUnknownTag,
  writeUnknownTags,
  bug(what: string): never {
    throw new AssertionFailed(what)
  },
}

// ---- decoding ----

function decoderOf(unit: Unit, shape: Shape): string {
  const name = `decode${unit.structs++}`
  const body: string[] = []
  shape.slots.forEach((slot, i) => {
    const inLine = slot.present && slot.field.tag === null
    body.push(`let f${i}${inLine ? '' : ` = ${defaultCode(unit, slot.field)}`}`)
    if (inLine) body.push(readSlot(unit, slot, `f${i}`, false))
  })
  if (shape.flexible) body.push(readTags(unit, shape))
  const members = shape.slots.map((slot, i) => `${slot.name}: f${i}`).join(', ')
  if (shape.flexible) {
    body.push(
      `const value = { ${members} }`,
      'if (unknown !== undefined) value._unknownTags = unknown',
    )
    body.push('return value')
  } else {
    body.push(`return { ${members} }`)
  }
  unit.lines.push(`function ${name}(r) {`, ...body, '}')
  return name
}

function readTags(unit: Unit, shape: Shape): string {
  const cases = shape.tagged.map((slot) => {
    const i = shape.slots.indexOf(slot)
    return `case ${slot.field.tag}: { ${readSlot(unit, slot, `f${i}`, true)}; break }`
  })
  return `let unknown
for (let left = r.uvarint(); left > 0; left--) {
  const tag = r.uvarint(), size = r.uvarint()
  if (size > r.remaining) r.fail(size + ' bytes of tagged field ' + tag)
  const end = r.offset + size
  switch (tag) {
    ${cases.join('\n    ')}
    default: unknown = runtime.readUnknownTag(r, unknown, tag, size)
  }
  if (r.offset !== end) r.fail('the end of tagged field ' + tag + ' at byte ' + end)
}`
}

function readSlot(unit: Unit, slot: Slot, target: string, tagged: boolean): string {
  const { type, nullable } = slot
  if (type.kind === 'struct') {
    const read = `${target} = ${decoderOf(unit, type.shape)}(r)`
    if (!nullable) return read
    const isNull = tagged ? 'r.uvarint() === 0' : 'r.int8() < 0'
    return `if (${isNull}) ${target} = null; else ${read}`
  }
  if (type.kind === 'array') return readArray(unit, slot, type.element, target)
  return `${target} = r.${scalarMethod(type.kind, slot.compact, nullable)}()`
}

function readArray(unit: Unit, slot: Slot, element: ItemSlotType, target: string): string {
  const bytesMin = typeBytesMin(element, slot.compact)
  const item =
    element.kind === 'struct'
      ? `${decoderOf(unit, element.shape)}(r)`
      : `r.${scalarMethod(element.kind, slot.compact, false)}()`
  const whenNull = slot.nullable
    ? `${target} = null`
    : `r.fail('an array for ${slot.name}, found null')`
  return `{ const count = r.${slot.compact ? 'compactCount' : 'count'}(${bytesMin})
if (count < 0) ${whenNull}
else { ${target} = []; for (let i = 0; i < count; i++) ${target}.push(${item}) } }`
}

function defaultCode(unit: Unit, field: AnyField): string {
  const value = defaultOf(field)
  if (Array.isArray(value)) return '[]'
  if (typeof value === 'bigint') return `${value}n`
  if (value !== null && typeof value === 'object') {
    return `runtime.defaultOf(fields[${unit.fields.push(field) - 1}])`
  }
  return JSON.stringify(value)
}

// ---- encoding ----

function encoderOf(unit: Unit, shape: Shape): string {
  const name = `encode${unit.structs++}`
  const body: string[] = []
  shape.slots.forEach((slot, i) => {
    if (!slot.present && slot.field.ignorable) return
    body.push(`let f${i} = v.${slot.name}`)
    if (!slot.present) {
      body.push(`if (${differsCode(unit, slot.field, `f${i}`)}) ${bug(unit, slot, 'has no field')}`)
      return
    }
    body.push(`if (f${i} === undefined) f${i} = ${encodeDefaultCode(unit, slot.field)}`)
    if (slot.field.tag === null) body.push(writeSlot(unit, slot, `f${i}`, false))
  })
  body.push('const unknown = v._unknownTags')
  if (shape.flexible) body.push(writeTags(unit, shape))
  else body.push(`if (unknown !== undefined && unknown.length > 0) ${bugCode(unit, 'has no tags')}`)
  unit.lines.push(`function ${name}(v, w) {`, ...body, '}')
  return name
}

function writeTags(unit: Unit, shape: Shape): string {
  const code = ['let tags = unknown === undefined ? 0 : unknown.length']
  for (const slot of shape.tagged) {
    const i = shape.slots.indexOf(slot)
    code.push(`const t${i} = ${differsCode(unit, slot.field, `f${i}`)}`, `if (t${i}) tags++`)
  }
  code.push('w.uvarint(tags)', 'if (tags > 0) {')
  let from = 0
  for (const slot of shape.tagged) {
    const i = shape.slots.indexOf(slot)
    const tag = slot.field.tag!
    if (tag > from) code.push(writeUnknown(from, tag))
    code.push(`if (t${i}) { w.uvarint(${tag}); const start = w.offset`)
    code.push(writeSlot(unit, slot, `f${i}`, true), 'w.prefixLength(start) }')
    from = tag + 1
  }
  code.push(writeUnknown(from, 0x1_0000_0000), '}')
  return code.join('\n')
}

function writeUnknown(from: number, to: number): string {
  return `if (unknown !== undefined) runtime.writeUnknownTags(w, unknown, ${from}, ${to})`
}

function writeSlot(unit: Unit, slot: Slot, value: string, tagged: boolean): string {
  const { type, nullable, compact } = slot
  if (type.kind !== 'struct' && type.kind !== 'array') {
    const write = `w.${scalarMethod(type.kind, compact, nullable)}(${value})`
    if (nullable || !SCALAR_METHODS[type.kind].canBeNull) return write
    return `if (${value} === null) ${bug(unit, slot, 'may not be null')}; ${write}`
  }
  if (type.kind === 'array') {
    const whenNull = !nullable
      ? bug(unit, slot, 'may not be null')
      : compact
        ? 'w.uvarint(0)'
        : 'w.int32(-1)'
    return `if (${value} === null) ${whenNull}; else { ${writeItems(unit, slot, type.element, value)} }`
  }
  const write = `${encoderOf(unit, type.shape)}(${value}, w)`
  if (!nullable) return `if (${value} === null) ${bug(unit, slot, 'may not be null')}; ${write}`
  const [isNull, isThere] = tagged ? ['w.uvarint(0)', 'w.uvarint(1)'] : ['w.int8(-1)', 'w.int8(1)']
  return `if (${value} === null) ${isNull}; else { ${isThere}; ${write} }`
}

function writeItems(unit: Unit, slot: Slot, element: ItemSlotType, value: string): string {
  const count = slot.compact ? `w.uvarint(${value}.length + 1)` : `w.int32(${value}.length)`
  const item =
    element.kind === 'struct'
      ? `${encoderOf(unit, element.shape)}(${value}[i], w)`
      : `w.${scalarMethod(element.kind, slot.compact, false)}(${value}[i])`
  return `${count}; for (let i = 0; i < ${value}.length; i++) ${item}`
}

// An empty object encodes as all defaults, so a struct needs no fresh value here.
function encodeDefaultCode(unit: Unit, field: AnyField): string {
  const isPlainStruct = field.type.kind === 'struct' && field.defaultValue === undefined
  return isPlainStruct ? '{}' : defaultCode(unit, field)
}

function differsCode(unit: Unit, field: AnyField, value: string): string {
  const zero = defaultOf(field)
  if (zero === null || typeof zero !== 'object') {
    return `(${value} !== undefined && ${value} !== ${defaultCode(unit, field)})`
  }
  return `!runtime.isDefault(fields[${unit.fields.push(field) - 1}], ${value})`
}

function bug(unit: Unit, slot: Slot, what: string): string {
  return bugCode(unit, `${what}: ${slot.name}`)
}

function bugCode(unit: Unit, what: string): string {
  return `runtime.bug(${JSON.stringify(`${unit.where} ${what}`)})`
}
