// Seeded randomness. Machines receive a Random at construction and never ask the machine for
// entropy, so the same seed gives the same member ids, the same election jitter and the same run.
//
// The generator is sfc32 (Doty-Humphrey's small fast counter): 128 bits of state, a counter that
// guarantees a period of at least 2^32, and only 32-bit arithmetic, which JavaScript does exactly.
// The host seeds the production instance from real entropy; it is not for secrets.

import { type Uuid, uuidToString } from './uuid.ts'

/** A deterministic source of random numbers, choices, bytes and Kafka uuids. */
export class Random {
  private a: number
  private b: number
  private c: number
  private counter = 1

  constructor(seed: number | readonly [number, number, number]) {
    const words = typeof seed === 'number' ? [seed >>> 0, (seed / 2 ** 32) >>> 0, 0x9e3779b9] : seed
    this.a = words[0]! >>> 0
    this.b = words[1]! >>> 0
    this.c = words[2]! >>> 0
    // Twelve rounds spread a small seed over the whole state, as the generator's author advises.
    for (let i = 0; i < 12; i++) this.nextUint32()
  }

  /** A whole number in [0, 2^32). */
  nextUint32(): number {
    const sum = (this.a + this.b + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** A number in [0, 1), with 53 random bits. */
  nextFloat(): number {
    const high = this.nextUint32() >>> 5
    const low = this.nextUint32() >>> 6
    return (high * 2 ** 26 + low) / 2 ** 53
  }

  /** A whole number in [0, limit), or in [from, limit) when two arguments are given. */
  nextInt(from: number, limit?: number): number {
    if (limit === undefined) return this.nextInt(0, from)
    if (!(limit > from)) throw new Error(`no whole number in [${from}, ${limit})`)
    return from + Math.floor(this.nextFloat() * (limit - from))
  }

  /** True in `numerator` of `denominator` cases: `ratio(1, 100)` is one per cent. */
  ratio(numerator: number, denominator: number): boolean {
    return this.nextFloat() * denominator < numerator
  }

  /** One element of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.nextInt(list.length)]!
  }

  /** Shuffles in place (Fisher–Yates) and returns the same array. */
  shuffle<T>(list: T[]): T[] {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.nextInt(i + 1)
      const swapped = list[i]!
      list[i] = list[j]!
      list[j] = swapped
    }
    return list
  }

  /** `count` random bytes. */
  bytes(count: number): Uint8Array {
    const out = new Uint8Array(count)
    for (let i = 0; i < count; i += 4) {
      const word = this.nextUint32()
      for (let j = 0; j < 4 && i + j < count; j++) out[i + j] = (word >>> (8 * j)) & 0xff
    }
    return out
  }

  /** A version 4 uuid in Kafka's base64url form; never one that begins with a dash, as Kafka. */
  uuid(): Uuid {
    for (;;) {
      const bytes = this.bytes(16)
      bytes[6] = (bytes[6]! & 0x0f) | 0x40
      bytes[8] = (bytes[8]! & 0x3f) | 0x80
      const text = uuidToString(bytes)
      if (!text.startsWith('-')) return text
    }
  }

  /** An independent generator whose stream is fixed by this one's state. */
  fork(): Random {
    return new Random([this.nextUint32(), this.nextUint32(), this.nextUint32()])
  }
}
