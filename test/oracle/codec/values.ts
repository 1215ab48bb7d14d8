// Arbitrary valid values of any message at any version, from a seed: what the corpus, the fuzzer and the
// round-trip tests feed to codecs. Four tempers: `defaults` leaves every field out, `bare` has nulls and
// empty arrays wherever they are legal, `extreme` has the ends of every range, `mixed` has everything.
// Fields that a version lacks are left out, and so are unknown tags, which Kafka's JSON cannot say.

import type { Random } from '../../../src/lib/random.ts'
import { uuidToString } from '../../../src/lib/uuid.ts'
import type { Message } from '../../../src/protocol/dsl.ts'
import { type ItemSlotType, type Shape, type Slot, shapeOf } from '../../../src/protocol/shape.ts'

export const TEMPERS = ['defaults', 'bare', 'extreme', 'mixed'] as const
export type Temper = (typeof TEMPERS)[number]

/** A value for `message` at `version`, decided by `random` alone. */
export function arbitraryValue(
  message: Message,
  version: number,
  temper: Temper,
  random: Random,
): Record<string, unknown> {
  return structOf(shapeOf(message, version), temper, random, 0)
}

function structOf(
  shape: Shape,
  temper: Temper,
  random: Random,
  depth: number,
): Record<string, unknown> {
  const value: Record<string, unknown> = {}
  for (const slot of shape.slots) {
    if (!slot.present) continue
    const mayOmit = !(slot.type.kind === 'records' && !slot.nullable)
    if (mayOmit && (temper === 'defaults' || (temper === 'mixed' && random.ratio(1, 6)))) continue
    value[slot.name] = slotOf(slot, temper, random, depth)
  }
  return value
}

function slotOf(slot: Slot, temper: Temper, random: Random, depth: number): unknown {
  if (slot.nullable && (temper === 'bare' || (temper === 'mixed' && random.ratio(1, 4))))
    return null
  const { type } = slot
  if (type.kind !== 'array') return itemOf(type, temper, random, depth)
  const count = temper === 'bare' ? 0 : random.nextInt(1, depth === 0 ? 4 : 3)
  return Array.from({ length: count }, () => itemOf(type.element, temper, random, depth + 1))
}

function itemOf(type: ItemSlotType, temper: Temper, random: Random, depth: number): unknown {
  const isExtreme = temper === 'extreme' || (temper === 'mixed' && random.ratio(1, 5))
  switch (type.kind) {
    case 'struct':
      return structOf(type.shape, temper, random, depth + 1)
    case 'bool':
      return random.ratio(1, 2)
    case 'string':
      return temper === 'bare' ? '' : stringOf(isExtreme, random)
    case 'bytes':
    case 'records':
      return bytesOf(
        temper === 'bare' ? 0 : isExtreme ? random.pick([127, 128, 300]) : random.nextInt(9),
        random,
      )
    case 'uuid':
      return uuidToString(bytesOf(16, random))
    case 'float64':
      return isExtreme
        ? random.pick([Number.MAX_VALUE, Number.MIN_VALUE, -0.5, 1e-300])
        : random.nextInt(1000) / 8
    case 'int64Wide':
      return isExtreme
        ? random.pick([2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n])
        : BigInt(random.nextInt(-2, 1e12))
    default:
      return integerOf(type.kind, isExtreme, random)
  }
}

const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  int8: [-128, 127],
  int16: [-0x8000, 0x7fff],
  uint16: [0, 0xffff],
  int32: [-0x8000_0000, 0x7fff_ffff],
  uint32: [0, 0xffff_ffff],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
}

function integerOf(kind: string, isExtreme: boolean, random: Random): number {
  const [min, max] = RANGES[kind]!
  return isExtreme ? random.pick([min, max]) : random.nextInt(Math.max(min, -2), Math.min(max, 1e6))
}

function stringOf(isExtreme: boolean, random: Random): string {
  if (isExtreme)
    return random.pick(['ä'.repeat(70), 'a'.repeat(127), '日本語 \u{1f600}', '\u0000\ufeff'])
  return random.pick(['', 'a', 'topic-7', 'consumer.group_1', 'Zürich'])
}

function bytesOf(count: number, random: Random): Uint8Array {
  return Uint8Array.from({ length: count }, () => random.nextInt(256))
}
