// Reader and Writer: the only code that knows byte offsets. Big-endian, as Kafka's wire and files are.
// Invariants: a Reader never reads outside [start, end) and never allocates by a length it has not
// checked against the bytes that remain; every complaint is a MalformedFrame that says where and what.
// Decoded values own their memory: byte fields are copied, so the frame may be reused at once.
// Kafka: org.apache.kafka.common.protocol.ByteBufferAccessor, utils.ByteUtils.

import { assert } from './assert.ts'
import { type Uuid, uuidToBytes, uuidToString } from './uuid.ts'

/** The bytes are not what the format says. Closes the connection they came from. */
export class MalformedFrame extends Error {
  override readonly name = 'MalformedFrame'
  readonly code = 'OTTLA_MALFORMED_FRAME'
  readonly offset: number
  readonly expected: string

  constructor(offset: number, expected: string) {
    super(`malformed at byte ${offset}: expected ${expected}`)
    this.offset = offset
    this.expected = expected
  }
}

const TWO_32 = 0x1_0000_0000
const STRING_BYTES_MAX = 0x7fff
/** Array elements and unknown tags one frame may hold: two bytes on the wire become some 250 of heap. */
export const ELEMENTS_MAX = 1_000_000
const scratch = new DataView(new ArrayBuffer(8))
const scratchBytes = new Uint8Array(scratch.buffer)
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()

/** A cursor over bytes from outside. `offset` is relative to `bytes`, as are those of its errors. */
export class Reader {
  readonly bytes: Uint8Array
  offset: number
  readonly end: number
  /** Raised by those who trust the bytes, such as a reader of our own log. */
  elementsLeft = ELEMENTS_MAX

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    assert(start >= 0 && start <= end && end <= bytes.length, 'Reader: range outside of the bytes')
    this.bytes = bytes
    this.offset = start
    this.end = end
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.end - this.offset
  }

  /** Throws MalformedFrame at the present offset. */
  fail(expected: string): never {
    throw new MalformedFrame(this.offset, expected)
  }

  /** Throws unless everything was read. */
  finish(): void {
    if (this.offset !== this.end) this.fail(`the end, found ${this.remaining} more bytes`)
  }

  /** Moves past `count` bytes and returns where they began. */
  take(count: number, what: string): number {
    const at = this.offset
    if (!(count >= 0 && count <= this.end - at)) this.fail(`${count} bytes of ${what}`)
    this.offset = at + count
    return at
  }

  bool(): boolean {
    return this.bytes[this.take(1, 'bool')] !== 0
  }

  int8(): number {
    return (this.bytes[this.take(1, 'int8')]! << 24) >> 24
  }

  int16(): number {
    const at = this.take(2, 'int16')
    return (((this.bytes[at]! << 8) | this.bytes[at + 1]!) << 16) >> 16
  }

  uint16(): number {
    const at = this.take(2, 'uint16')
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!
  }

  int32(): number {
    const at = this.take(4, 'int32')
    const b = this.bytes
    return (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!
  }

  uint32(): number {
    return this.int32() >>> 0
  }

  /** A 64-bit integer that must be exact as a number (DESIGN §15). */
  int64(): number {
    const value = this.int32() * TWO_32 + this.uint32()
    if (!Number.isSafeInteger(value)) {
      this.offset -= 8
      this.fail('a 64-bit integer within ±(2^53 - 1)')
    }
    return value
  }

  /** Any 64-bit integer. */
  int64Wide(): bigint {
    const at = this.take(8, 'int64')
    for (let i = 0; i < 8; i++) scratchBytes[i] = this.bytes[at + i]!
    return scratch.getBigInt64(0)
  }

  float64(): number {
    const at = this.take(8, 'float64')
    for (let i = 0; i < 8; i++) scratchBytes[i] = this.bytes[at + i]!
    return scratch.getFloat64(0)
  }

  uuid(): Uuid {
    return uuidToString(this.bytes, this.take(16, 'uuid'))
  }

  /** Unsigned, at most five bytes. Kafka drops the bits of the last that do not fit, and so do we. */
  uvarint(): number {
    let value = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.bytes[this.take(1, 'varint')]!
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    const byte = this.bytes[this.take(1, 'varint')]!
    if (byte > 0x7f) {
      this.offset -= 5
      this.fail('a varint of at most 5 bytes')
    }
    return (value | (byte << 28)) >>> 0
  }

  /** Zigzag, 32 bits. */
  varint(): number {
    const raw = this.uvarint()
    return (raw >>> 1) ^ -(raw & 1)
  }

  /** Zigzag, 64 bits, exact as a number. */
  varlong(): number {
    const value = this.varlongWide()
    const narrow = Number(value)
    if (!Number.isSafeInteger(narrow)) this.fail('a varlong within ±(2^53 - 1)')
    return narrow
  }

  /** Zigzag, any 64 bits. Short ones take no bigint arithmetic beyond the conversion. */
  varlongWide(): bigint {
    const start = this.offset
    let low = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.bytes[this.take(1, 'varlong')]!
      low |= (byte & 0x7f) << shift
      if (byte < 0x80) return BigInt((low >>> 1) ^ -(low & 1))
    }
    let raw = BigInt(low)
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.take(1, 'varlong')]!
      raw |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return unzigzag(BigInt.asUintN(64, raw))
    }
    this.offset = start
    return this.fail('a varlong of at most 10 bytes')
  }

  /** A copy of the next `count` bytes. */
  raw(count: number, what = 'bytes'): Uint8Array {
    const at = this.take(count, what)
    return this.bytes.slice(at, at + count)
  }

  /** The next `count` bytes in place: valid only while the frame is. */
  view(count: number, what = 'bytes'): Uint8Array {
    const at = this.take(count, what)
    return this.bytes.subarray(at, at + count)
  }

  /** `count` bytes of UTF-8. Wrong sequences become U+FFFD, as in Kafka. */
  utf8(count: number): string {
    const at = this.take(count, 'string')
    const end = at + count
    if (count > 48) return decoder.decode(this.bytes.subarray(at, end))
    let text = ''
    for (let i = at; i < end; i++) {
      const byte = this.bytes[i]!
      if (byte > 0x7f) return decoder.decode(this.bytes.subarray(at, end))
      text += String.fromCharCode(byte)
    }
    return text
  }

  string(): string {
    return this.nullableString() ?? this.fail('a string, found null')
  }

  nullableString(): string | null {
    const length = this.int16()
    return length < 0 ? null : this.utf8(length)
  }

  compactString(): string {
    return this.compactNullableString() ?? this.fail('a string, found null')
  }

  compactNullableString(): string | null {
    const length = this.uvarint() - 1
    if (length > STRING_BYTES_MAX) this.fail(`a string of at most ${STRING_BYTES_MAX} bytes`)
    return length < 0 ? null : this.utf8(length)
  }

  byteArray(): Uint8Array {
    return this.nullableByteArray() ?? this.fail('bytes, found null')
  }

  nullableByteArray(): Uint8Array | null {
    const length = this.int32()
    return length < 0 ? null : this.raw(length)
  }

  compactByteArray(): Uint8Array {
    return this.compactNullableByteArray() ?? this.fail('bytes, found null')
  }

  compactNullableByteArray(): Uint8Array | null {
    const length = this.uvarint() - 1
    return length < 0 ? null : this.raw(length)
  }

  /** An array's count, or -1 for null. Refused when the elements cannot be in what remains. */
  count(elementBytesMin: number): number {
    return this.#checkedCount(this.int32(), elementBytesMin)
  }

  /** The same with a compact count. */
  compactCount(elementBytesMin: number): number {
    return this.#checkedCount(this.uvarint() - 1, elementBytesMin)
  }

  /** Counts what will become objects, so that a frame cannot grow without bound when decoded. */
  spend(elements: number): void {
    this.elementsLeft -= elements
    if (this.elementsLeft < 0) this.fail(`at most ${ELEMENTS_MAX} elements in a frame`)
  }

  #checkedCount(count: number, elementBytesMin: number): number {
    if (count < 0) return -1
    if (count * Math.max(1, elementBytesMin) > this.remaining) {
      this.fail(`${count} elements of ${elementBytesMin} bytes or more`)
    }
    this.spend(count)
    return count
  }
}

/** A growing run of bytes. Values outside a type's range are bugs, hence assertions. */
export class Writer {
  bytes: Uint8Array
  offset = 0

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity)
  }

  /** What was written, in place: valid until the next write or reset. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.offset)
  }

  /** A copy of what was written. */
  copy(): Uint8Array {
    return this.bytes.slice(0, this.offset)
  }

  /** Forgets what was written and keeps the memory. */
  reset(): void {
    this.offset = 0
  }

  /** Makes room for `count` bytes and returns where they begin. */
  reserve(count: number): number {
    const at = this.offset
    const end = at + count
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.bytes.length * 2))
      grown.set(this.bytes.subarray(0, at))
      this.bytes = grown
    }
    this.offset = end
    return at
  }

  bool(value: boolean): void {
    this.#put8(value ? 1 : 0)
  }

  int8(value: number): void {
    assert((value << 24) >> 24 === value, `int8 out of range: ${value}`)
    this.#put8(value)
  }

  int16(value: number): void {
    assert((value << 16) >> 16 === value, `int16 out of range: ${value}`)
    const at = this.reserve(2)
    this.bytes[at] = value >>> 8
    this.bytes[at + 1] = value
  }

  uint16(value: number): void {
    assert((value & 0xffff) === value, `uint16 out of range: ${value}`)
    const at = this.reserve(2)
    this.bytes[at] = value >>> 8
    this.bytes[at + 1] = value
  }

  int32(value: number): void {
    assert((value | 0) === value, `int32 out of range: ${value}`)
    this.#put32(this.reserve(4), value)
  }

  uint32(value: number): void {
    assert(value >>> 0 === value, `uint32 out of range: ${value}`)
    this.#put32(this.reserve(4), value)
  }

  int64(value: number): void {
    assert(Number.isSafeInteger(value), `int64 is not exact as a number: ${value}`)
    const at = this.reserve(8)
    this.#put32(at, Math.floor(value / TWO_32))
    this.#put32(at + 4, value >>> 0)
  }

  int64Wide(value: bigint): void {
    assert(BigInt.asIntN(64, value) === value, `int64 out of range: ${value}`)
    scratch.setBigInt64(0, value)
    this.raw(scratchBytes)
  }

  float64(value: number): void {
    scratch.setFloat64(0, value)
    this.raw(scratchBytes)
  }

  uuid(value: Uuid): void {
    const at = this.reserve(16)
    uuidToBytes(value, this.bytes, at)
  }

  uvarint(value: number): void {
    assert(value >>> 0 === value, `uvarint out of range: ${value}`)
    let rest = value
    while (rest > 0x7f) {
      this.#put8((rest & 0x7f) | 0x80)
      rest >>>= 7
    }
    this.#put8(rest)
  }

  varint(value: number): void {
    assert((value | 0) === value, `varint out of range: ${value}`)
    this.uvarint(((value << 1) ^ (value >> 31)) >>> 0)
  }

  varlong(value: number): void {
    assert(Number.isSafeInteger(value), `varlong is not exact as a number: ${value}`)
    if ((value | 0) === value) this.varint(value)
    else this.varlongWide(BigInt(value))
  }

  varlongWide(value: bigint): void {
    assert(BigInt.asIntN(64, value) === value, `varlong out of range: ${value}`)
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
    while (rest > 0x7fn) {
      this.#put8(Number(rest & 0x7fn) | 0x80)
      rest >>= 7n
    }
    this.#put8(Number(rest))
  }

  raw(value: Uint8Array): void {
    const at = this.reserve(value.length)
    this.bytes.set(value, at)
  }

  string(value: string): void {
    const bytes = utf8Bytes(value)
    this.int16(this.#stringLength(value, bytes))
    this.#text(value, bytes)
  }

  nullableString(value: string | null): void {
    if (value === null) this.int16(-1)
    else this.string(value)
  }

  compactString(value: string): void {
    const bytes = utf8Bytes(value)
    this.uvarint(this.#stringLength(value, bytes) + 1)
    this.#text(value, bytes)
  }

  compactNullableString(value: string | null): void {
    if (value === null) this.uvarint(0)
    else this.compactString(value)
  }

  byteArray(value: Uint8Array): void {
    this.int32(value.length)
    this.raw(value)
  }

  nullableByteArray(value: Uint8Array | null): void {
    if (value === null) this.int32(-1)
    else this.byteArray(value)
  }

  compactByteArray(value: Uint8Array): void {
    this.uvarint(value.length + 1)
    this.raw(value)
  }

  compactNullableByteArray(value: Uint8Array | null): void {
    if (value === null) this.uvarint(0)
    else this.compactByteArray(value)
  }

  /** Puts the length of everything written since `start` in front of it, as uvarint or as varint. */
  prefixLength(start: number, form: 'plain' | 'zigzag' = 'plain'): void {
    const length = this.offset - start
    const prefix = form === 'plain' ? length : length * 2
    const width = uvarintBytes(prefix)
    this.reserve(width)
    this.bytes.copyWithin(start + width, start, start + length)
    this.offset = start
    this.uvarint(prefix)
    this.offset = start + width + length
  }

  // reserve() may replace this.bytes, so the place must be known before the target is named.
  #put8(value: number): void {
    const at = this.reserve(1)
    this.bytes[at] = value
  }

  #put32(at: number, value: number): void {
    this.bytes[at] = value >>> 24
    this.bytes[at + 1] = value >>> 16
    this.bytes[at + 2] = value >>> 8
    this.bytes[at + 3] = value
  }

  #stringLength(value: string, bytes: Uint8Array | null): number {
    const length = bytes === null ? value.length : bytes.length
    assert(length <= STRING_BYTES_MAX, `string of ${length} bytes is too long for the wire`)
    return length
  }

  #text(value: string, bytes: Uint8Array | null): void {
    if (bytes !== null) {
      this.raw(bytes)
      return
    }
    const at = this.reserve(value.length)
    for (let i = 0; i < value.length; i++) this.bytes[at + i] = value.charCodeAt(i)
  }
}

/** How many bytes `uvarint(value)` takes. */
export function uvarintBytes(value: number): number {
  let count = 1
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) count++
  return count
}

function unzigzag(raw: bigint): bigint {
  return BigInt.asIntN(64, (raw >> 1n) ^ -(raw & 1n))
}

// Null for ASCII, whose characters are its bytes and need no encoder.
function utf8Bytes(value: string): Uint8Array | null {
  for (let i = 0; i < value.length; i++) {
    if (value.charCodeAt(i) > 0x7f) return encoder.encode(value)
  }
  return null
}
