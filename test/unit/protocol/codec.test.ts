// What Kafka's generated classes promise and the corpus cannot show: unknown tags, fields a version lacks,
// nulls that may not be, and that encoders refuse what a version cannot carry.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AssertionFailed } from '../../../src/lib/assert.ts'
import { Reader, Writer } from '../../../src/lib/bytes.ts'
import {
  codecOf,
  collect,
  decode,
  decodeFrom,
  decodeRequest,
  encode,
  encodeInto,
  encodeRequest,
  hasVersion,
  useInterpreter,
} from '../../../src/protocol/codec.ts'
import {
  array,
  data,
  int8,
  int16,
  int32,
  string,
  struct,
  versions,
} from '../../../src/protocol/dsl.ts'
import { Heartbeat, JoinGroup } from '../../../src/protocol/messages/classic_group.ts'

const Sample = data(
  'Sample',
  { valid: '0-3', flexible: '2+' },
  {
    id: int32(),
    note: string({ v: '1+', nullable: '2+', default: 'none' }),
    hint: int16({ v: '1+', ignorable: true, default: 7 }),
    inner: struct({ a: int8({ default: 3 }) }, { v: '3+', tag: 4 }),
    list: array(int32(), { v: '3+', tag: 1 }),
  },
)

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

describe.each([
  ['compiled', false],
  ['interpreted', true],
] as const)('protocol: codec: %s', (_name, interpreted) => {
  beforeAll(() => useInterpreter(interpreted))
  afterAll(() => useInterpreter(false))

  test('fields that a version lacks decode to their defaults', () => {
    expect(decode(Sample, 0, bytes(0, 0, 0, 9))).toEqual({
      id: 9,
      note: 'none',
      hint: 7,
      inner: { a: 3 },
      list: [],
    })
  })

  test('each decoding has arrays and structs of its own', () => {
    const [one, two] = [decode(Sample, 0, bytes(0, 0, 0, 9)), decode(Sample, 0, bytes(0, 0, 0, 9))]
    one.list.push(1)
    one.inner.a = 9
    expect(two).toMatchObject({ list: [], inner: { a: 3 } })
  })

  test('a value that a version cannot carry is refused, unless it may be dropped', () => {
    expect(encode(Sample, 0, { id: 1, note: 'none', hint: 99, list: [] })).toEqual(
      bytes(0, 0, 0, 1),
    )
    expect(() => encode(Sample, 0, { note: 'kept' })).toThrow(AssertionFailed)
    expect(() => encode(Sample, 0, { inner: { a: 4 } })).toThrow(AssertionFailed)
    expect(() => encode(Sample, 2, { list: [1] })).toThrow(AssertionFailed)
  })

  test('null is refused by versions that do not know it', () => {
    expect(() => encode(Sample, 1, { note: null })).toThrow(AssertionFailed)
    expect(decode(Sample, 2, encode(Sample, 2, { note: null })).note).toBe(null)
  })

  test('tagged fields are written by ascending tag, and only when they differ', () => {
    expect(encode(Sample, 3, { inner: { a: 3 }, list: [] }).at(-1)).toBe(0)
    const both = encode(Sample, 3, { inner: { a: 5 }, list: [6] })
    expect([...both.subarray(-12)]).toEqual([2, 1, 5, 2, 0, 0, 0, 6, 4, 2, 5, 0])
  })

  test('unknown tags survive, in their place among the known ones', () => {
    const unknown = [
      { tag: 9, bytes: bytes(1, 2) },
      { tag: 0, bytes: bytes() },
      { tag: 2, bytes: bytes(7) },
    ]
    const written = encode(Sample, 3, { inner: { a: 5 }, list: [6], _unknownTags: unknown })
    const read = decode(Sample, 3, written)
    expect(read._unknownTags?.map(({ tag }) => tag)).toEqual([0, 2, 9])
    expect(encode(Sample, 3, read)).toEqual(written)
    expect(decode(Sample, 3, encode(Sample, 3, {}))).not.toHaveProperty('_unknownTags')
  })

  test('unknown tags have no place in versions without tags', () => {
    const unknown = [{ tag: 9, bytes: bytes(1) }]
    expect(() => encode(Sample, 1, { _unknownTags: unknown })).toThrow(AssertionFailed)
  })

  test('a struct with unknown tags is not its default', () => {
    const inner = { a: 3, _unknownTags: [{ tag: 0, bytes: bytes(1) }] }
    expect(decode(Sample, 3, encode(Sample, 3, { inner })).inner).toEqual(inner)
  })

  test('a version outside of the table is a bug of the caller', () => {
    expect(() => codecOf(Sample, 4)).toThrow(AssertionFailed)
    expect(hasVersion(Sample, 4)).toBe(false)
    expect(hasVersion(Heartbeat, 4)).toBe(true)
  })

  test('numbers out of range are refused', () => {
    expect(() => encode(Sample, 0, { id: 2 ** 31 })).toThrow(AssertionFailed)
    expect(() => encode(Sample, 0, { id: 1.5 })).toThrow(AssertionFailed)
  })
})

describe('protocol: codec', () => {
  test('requests leave the reader behind their last byte', () => {
    const body = encodeRequest(Heartbeat, 4, { groupId: 'g', memberId: 'm', generationId: 3 })
    const reader = new Reader(Uint8Array.from([...body, 1, 2, 3]))
    expect(decodeRequest(Heartbeat, 4, reader)).toEqual({
      groupId: 'g',
      memberId: 'm',
      generationId: 3,
      groupInstanceId: null,
    })
    expect(reader.remaining).toBe(3)
  })

  test('decoded bytes are copies, so that the frame may be used again', () => {
    const frame = encodeRequest(JoinGroup, 5, {
      protocols: [{ name: 'range', metadata: bytes(1, 2, 3) }],
    })
    const request = decodeFrom(JoinGroup.request, 5, new Reader(frame))
    frame.fill(0xee)
    expect(request.protocols[0]!.metadata).toEqual(bytes(1, 2, 3))
  })

  test('collect may be called inside collect', () => {
    const outer = collect((out) => {
      out.int8(1)
      out.raw(collect((inner) => inner.int8(2)))
      out.int8(3)
    })
    expect(outer).toEqual(bytes(1, 2, 3))
  })

  test('encodeInto appends', () => {
    const out = new Writer(0)
    out.int8(5)
    encodeInto(Sample, 0, { id: 1 }, out)
    expect(out.copy()).toEqual(bytes(5, 0, 0, 0, 1))
  })

  test('version ranges are read as Kafka writes them', () => {
    expect(versions('0-4')).toEqual({ min: 0, max: 4 })
    expect(versions('3+')).toEqual({ min: 3, max: 32767 })
    expect(versions('2')).toEqual({ min: 2, max: 2 })
    expect(versions('none').max).toBeLessThan(versions('none').min)
    expect(() => versions('x')).toThrow(AssertionFailed)
  })
})
