// What the compiled codec and the interpreter share: which method of Reader and Writer a scalar uses, and
// how unknown tagged fields are kept and put back in the order of their tags.
// Reader and Writer name their methods alike, so one table serves both directions.

import type { Reader, Writer } from '../lib/bytes.ts'
import type { ScalarType, UnknownTag } from './dsl.ts'

interface ScalarMethods {
  readonly canBeNull: boolean
  /** Old form, compact form, and the same when null may occur. */
  readonly names: readonly [ScalarMethod, ScalarMethod, ScalarMethod, ScalarMethod]
}

/** A method that both Reader and Writer have. */
export type ScalarMethod = keyof Reader & keyof Writer & string

const plain = (name: ScalarMethod): ScalarMethods => ({
  canBeNull: false,
  names: [name, name, name, name],
})
const byteArrays: ScalarMethods = {
  canBeNull: true,
  names: ['byteArray', 'compactByteArray', 'nullableByteArray', 'compactNullableByteArray'],
}

/** The methods that read and write each scalar type. */
export const SCALAR_METHODS: Readonly<Record<ScalarType, ScalarMethods>> = {
  bool: plain('bool'),
  int8: plain('int8'),
  int16: plain('int16'),
  uint16: plain('uint16'),
  int32: plain('int32'),
  uint32: plain('uint32'),
  int64: plain('int64'),
  int64Wide: plain('int64Wide'),
  float64: plain('float64'),
  uuid: plain('uuid'),
  string: {
    canBeNull: true,
    names: ['string', 'compactString', 'nullableString', 'compactNullableString'],
  },
  bytes: byteArrays,
  records: byteArrays,
}

/** The method for a scalar in the given form. */
export function scalarMethod(type: ScalarType, compact: boolean, nullable: boolean): ScalarMethod {
  return SCALAR_METHODS[type].names[(compact ? 1 : 0) + (nullable ? 2 : 0)]!
}

/** Keeps an unknown tagged field; `size` was checked against what remains. */
export function readUnknownTag(
  reader: Reader,
  unknown: UnknownTag[] | undefined,
  tag: number,
  size: number,
): UnknownTag[] {
  reader.spend(1)
  const found = { tag, bytes: reader.raw(size) }
  if (unknown === undefined) return [found]
  unknown.push(found)
  return unknown
}

/** Writes the unknown fields whose tags lie in [from, to), ascending whatever order they came in. */
export function writeUnknownTags(
  writer: Writer,
  unknown: readonly UnknownTag[],
  from: number,
  to: number,
): void {
  const due = unknown.filter(({ tag }) => tag >= from && tag < to)
  due.sort((a, b) => a.tag - b.tag)
  for (const { tag, bytes } of due) {
    writer.uvarint(tag)
    writer.uvarint(bytes.length)
    writer.raw(bytes)
  }
}
