// The byte cursors at the edges of every type: what is written reads back, what is not there is refused
// with the place, and a Writer keeps every byte when it grows.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AssertionFailed } from '../../../src/lib/assert.ts'
import { MalformedFrame, Reader, uvarintBytes, Writer } from '../../../src/lib/bytes.ts'

const written = (write: (w: Writer) => void): Uint8Array => {
  const writer = new Writer(0)
  write(writer)
  return writer.copy()
}
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const unhex = (text: string): Reader => new Reader(Uint8Array.from(Buffer.from(text, 'hex')))

type Method =
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'varint'
  | 'uvarint'
  | 'varlong'
const edges: [Method, number, string][] = [
  ['int8', -128, '80'],
  ['int8', 127, '7f'],
  ['int16', -2, 'fffe'],
  ['uint16', 0xffff, 'ffff'],
  ['int32', -(2 ** 31), '80000000'],
  ['uint32', 2 ** 32 - 1, 'ffffffff'],
  ['int64', -1, 'ffffffffffffffff'],
  ['int64', Number.MAX_SAFE_INTEGER, '001fffffffffffff'],
  ['int64', Number.MIN_SAFE_INTEGER, 'ffe0000000000001'],
  ['uvarint', 0, '00'],
  ['uvarint', 127, '7f'],
  ['uvarint', 128, '8001'],
  ['uvarint', 2 ** 32 - 1, 'ffffffff0f'],
  ['varint', -1, '01'],
  ['varint', 64, '8001'],
  ['varint', 2 ** 31 - 1, 'feffffff0f'],
  ['varint', -(2 ** 31), 'ffffffff0f'],
  ['varlong', -1, '01'],
  ['varlong', 2 ** 31, '8080808010'],
  ['varlong', Number.MAX_SAFE_INTEGER, 'feffffffffffff1f'],
  ['varlong', Number.MIN_SAFE_INTEGER, 'fdffffffffffff1f'],
]

describe('bytes: numbers', () => {
  test.each(edges)('%s %d is %s', (method, value, bytes) => {
    expect(hex(written((w) => w[method](value)))).toBe(bytes)
    const reader = unhex(bytes)
    expect(reader[method]()).toBe(value)
    expect(reader.remaining).toBe(0)
  })

  test.each(edges)('%s %d cut short is malformed', (method, _value, bytes) => {
    expect(() => unhex(bytes.slice(0, -2))[method]()).toThrow(MalformedFrame)
  })

  test('writers refuse what does not fit', () => {
    const beyond: [Method, number][] = [
      ['int8', 128],
      ['int16', -0x8001],
      ['uint16', -1],
      ['int32', 2 ** 31],
      ['uint32', -1],
      ['int64', 2 ** 53],
      ['uvarint', -1],
      ['varint', 2 ** 31],
      ['varlong', 2 ** 53],
      ['int32', 0.5],
      ['int32', Number.NaN],
    ]
    for (const [method, value] of beyond) {
      expect(() => written((w) => w[method](value)), `${method} ${value}`).toThrow(AssertionFailed)
    }
  })

  test('64-bit integers beyond a number are malformed, and legal where they are wide', () => {
    for (const bytes of ['0020000000000000', 'ffe0000000000000', '7fffffffffffffff']) {
      const reader = unhex(bytes)
      expect(() => reader.int64()).toThrow(MalformedFrame)
      expect(reader.offset).toBe(0)
    }
    expect(unhex('7fffffffffffffff').int64Wide()).toBe(2n ** 63n - 1n)
    expect(unhex('8000000000000000').int64Wide()).toBe(-(2n ** 63n))
    expect(() => unhex('ffffffffffffffffff01').varlong()).toThrow(MalformedFrame)
    expect(unhex('ffffffffffffffffff01').varlongWide()).toBe(-(2n ** 63n))
  })

  test('varints end after five and ten bytes, whose spare bits are dropped as in Kafka', () => {
    expect(unhex('ffffffff7f').uvarint()).toBe(2 ** 32 - 1)
    expect(unhex('ffffffffffffffffff7f').varlongWide()).toBe(-(2n ** 63n))
    expect(() => unhex('ffffffffff01').uvarint()).toThrow(MalformedFrame)
    expect(() => unhex('ffffffffffffffffffff01').varlongWide()).toThrow(MalformedFrame)
    expect(unhex('8000').uvarint()).toBe(0)
  })

  test('every number reads back', () => {
    fc.assert(
      fc.property(
        fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
        fc.integer(),
        fc.double(),
        (wide, narrow, real) => {
          const bytes = written((w) => {
            w.int64Wide(wide)
            w.varlongWide(wide)
            w.varint(narrow)
            w.varlong(narrow)
            w.float64(real)
          })
          const r = new Reader(bytes)
          expect([r.int64Wide(), r.varlongWide(), r.varint(), r.varlong()]).toEqual([
            wide,
            wide,
            narrow,
            narrow,
          ])
          expect(r.float64()).toBe(real)
          r.finish()
        },
      ),
    )
  })

  test('uvarintBytes says how many bytes uvarint writes', () => {
    for (const value of [0, 127, 128, 16383, 16384, 2 ** 21, 2 ** 28 - 1, 2 ** 28, 2 ** 32 - 1]) {
      expect(uvarintBytes(value)).toBe(written((w) => w.uvarint(value)).length)
    }
  })
})

describe('bytes: strings and byte arrays', () => {
  test('strings of every alphabet read back in both forms', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), (text) => {
        const bytes = written((w) => {
          w.string(text)
          w.compactString(text)
          w.nullableString(text)
          w.compactNullableString(text)
        })
        const r = new Reader(bytes)
        expect([
          r.string(),
          r.compactString(),
          r.nullableString(),
          r.compactNullableString(),
        ]).toEqual(Array(4).fill(text))
        r.finish()
      }),
    )
  })

  test('a byte order mark is a character like any other', () => {
    for (const text of ['\ufeffa', `\ufeff${'a'.repeat(60)}`]) {
      expect(new Reader(written((w) => w.string(text))).string()).toBe(text)
    }
  })

  test('bytes that are no UTF-8 become the replacement character', () => {
    expect(unhex('0003ff6180').string()).toBe('\ufffda\ufffd')
  })

  test('null is null where it may be, and malformed elsewhere', () => {
    expect(unhex('ffff').nullableString()).toBe(null)
    expect(unhex('00').compactNullableString()).toBe(null)
    expect(unhex('ffffffff').nullableByteArray()).toBe(null)
    expect(unhex('00').compactNullableByteArray()).toBe(null)
    expect(() => unhex('ffff').string()).toThrow(MalformedFrame)
    expect(() => unhex('00').compactString()).toThrow(MalformedFrame)
    expect(() => unhex('ffffffff').byteArray()).toThrow(MalformedFrame)
    expect(() => unhex('00').compactByteArray()).toThrow(MalformedFrame)
  })

  test('a length beyond the bytes is malformed, and says where', () => {
    const cut = (): unknown => unhex('0000000a0102').byteArray()
    expect(cut).toThrow(MalformedFrame)
    expect(cut).toThrow('at byte 4')
  })

  test('strings longer than the wire knows are refused', () => {
    expect(() => written((w) => w.string('a'.repeat(0x8000)))).toThrow(AssertionFailed)
    expect(() => written((w) => w.compactString('ä'.repeat(0x4000)))).toThrow(AssertionFailed)
    expect(written((w) => w.string('a'.repeat(0x7fff))).length).toBe(0x7fff + 2)
  })
})

describe('bytes: cursors', () => {
  test('a writer that grows keeps every byte', () => {
    const bytes = written((w) => {
      for (let i = 0; i < 300; i++) w.int8(i % 100)
    })
    expect([...bytes]).toEqual(Array.from({ length: 300 }, (_, i) => i % 100))
  })

  test('counts are held against what remains', () => {
    expect(unhex('00000002000000010000000200').count(4)).toBe(2)
    expect(() => unhex('00000003000000010000000200').count(4)).toThrow(MalformedFrame)
    expect(unhex('ffffffff').count(4)).toBe(-1)
    expect(unhex('00').compactCount(4)).toBe(-1)
    expect(unhex('01').compactCount(4)).toBe(0)
    expect(() => unhex('ffffffff0f').compactCount(0)).toThrow(MalformedFrame)
  })

  test('a range of larger bytes is all that a reader sees', () => {
    const bytes = Uint8Array.from([1, 2, 3, 4, 5])
    const reader = new Reader(bytes, 1, 3)
    expect(reader.remaining).toBe(2)
    expect(() => reader.int32()).toThrow(MalformedFrame)
    expect(reader.int16()).toBe(0x0203)
    reader.finish()
    expect(() => new Reader(bytes, 4, 6)).toThrow(AssertionFailed)
  })

  test('copies are copies and views are views', () => {
    const bytes = Uint8Array.from([1, 2, 3, 4])
    const reader = new Reader(bytes)
    const copy = reader.raw(2)
    const view = reader.view(2)
    bytes.fill(9)
    expect([...copy]).toEqual([1, 2])
    expect([...view]).toEqual([9, 9])
  })

  test('finish refuses what is left over', () => {
    expect(() => unhex('00').finish()).toThrow(MalformedFrame)
  })

  test.each([
    ['plain', 100, '64'],
    ['plain', 200, 'c801'],
    ['zigzag', 63, '7e'],
    ['zigzag', 64, '8001'],
  ] as const)('prefixLength writes a %s length of %d in front', (form, length, prefix) => {
    const bytes = written((w) => {
      w.int8(7)
      const start = w.offset
      w.raw(new Uint8Array(length).fill(5))
      w.prefixLength(start, form)
      w.int8(8)
    })
    expect(hex(bytes)).toBe(`07${prefix}${'05'.repeat(length)}08`)
  })

  test('reset forgets and keeps the memory', () => {
    const writer = new Writer(4)
    writer.int32(1)
    const memory = writer.bytes
    writer.reset()
    writer.int16(2)
    expect([...writer.view()]).toEqual([0, 2])
    expect(writer.bytes).toBe(memory)
  })
})
