// Hostile bytes: whatever comes in, a decoder answers with a value or with MalformedFrame, in time and
// memory bounded by the bytes it was given. The long form of this is test/fuzz/codec.ts.

import { describe, expect, test } from 'vitest'
import { MalformedFrame, Reader } from '../../../src/lib/bytes.ts'
import { decodeFrom, encode, useInterpreter } from '../../../src/protocol/codec.ts'
import { array, data, type Message, string, struct } from '../../../src/protocol/dsl.ts'
import { Metadata } from '../../../src/protocol/messages/metadata.ts'
import { Fetch, Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import { fuzzCodec } from '../../fuzz/codec.ts'
import { readCorpus } from '../../oracle/codec/corpus.ts'

const corpus = readCorpus()

function outcome(message: Message, version: number, bytes: Uint8Array): 'value' | MalformedFrame {
  try {
    decodeFrom(message, version, new Reader(bytes))
    return 'value'
  } catch (error) {
    if (error instanceof MalformedFrame) return error
    throw error
  }
}

describe('protocol: malformed', () => {
  test('a message cut at any byte is malformed', () => {
    for (const { message, version, bytes } of corpus) {
      const step = Math.max(1, Math.floor(bytes.length / 60))
      for (let end = 0; end < bytes.length; end += step) {
        const cut = outcome(message, version, bytes.subarray(0, end))
        expect(cut, `${message.name} v${version} cut at ${end}`).toBeInstanceOf(MalformedFrame)
      }
    }
  })

  test('the interpreter refuses what compiled code refuses, at the same byte', () => {
    const cuts = corpus.filter(({ bytes }) => bytes.length > 4).filter((_, i) => i % 7 === 0)
    const refusals = (): unknown[] =>
      cuts.map(({ message, version, bytes }) => {
        const refused = outcome(message, version, bytes.subarray(0, bytes.length >> 1))
        return refused === 'value' ? refused : refused.offset
      })
    const compiled = refusals()
    useInterpreter(true)
    const interpreted = refusals()
    useInterpreter(false)
    expect(interpreted).toEqual(compiled)
  })

  test('a count that cannot fit is refused before anything is allocated', () => {
    for (const count of [0x7fffffff, 1_000_000, 5]) {
      const old = new Uint8Array(8)
      new DataView(old.buffer).setInt32(0, count)
      expect(outcome(Metadata.request, 0, old)).toBeInstanceOf(MalformedFrame)
    }
    const compact = Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0])
    expect(outcome(Metadata.request, 9, compact)).toBeInstanceOf(MalformedFrame)
  })

  test('a count is held against the smallest size of its elements', () => {
    // 16 bytes remain behind the count: three topics of 6 bytes cannot be there, two can.
    const bytes = (count: number): Uint8Array => {
      const frame = new Uint8Array(2 + 2 + 4 + 4 + 16)
      frame.fill(0xff, 0, 2)
      new DataView(frame.buffer).setInt32(8, count)
      return frame
    }
    const refused = outcome(Produce.request, 3, bytes(3)) as MalformedFrame
    expect(refused.offset).toBe(12)
    expect(outcome(Produce.request, 3, bytes(2))).toBe('value')
  })

  test('null is refused where a version does not know it', () => {
    expect(outcome(Metadata.request, 0, Uint8Array.from([255, 255, 255, 255]))).toBeInstanceOf(
      MalformedFrame,
    )
    expect(outcome(Metadata.request, 1, Uint8Array.from([255, 255, 255, 255]))).toBe('value')
    const named = data('named', { valid: '0', flexible: '0+' }, { name: string() })
    expect(outcome(named, 0, Uint8Array.from([0, 0]))).toBeInstanceOf(MalformedFrame)
  })

  test('compact strings are as short as the old ones', () => {
    const named = data('named', { valid: '0', flexible: '0+' }, { name: string() })
    const long = new Uint8Array(40_000)
    long.set([0x81, 0x80, 0x02])
    expect(outcome(named, 0, long)).toBeInstanceOf(MalformedFrame)
  })

  test('a tagged field must end where its size says', () => {
    const table = data(
      'tagged',
      { valid: '0', flexible: '0+' },
      {
        leader: struct({ names: array(string()) }, { tag: 0 }),
      },
    )
    const good = encode(table, 0, { leader: { names: ['a'] } })
    expect(outcome(table, 0, good)).toBe('value')
    const long = Uint8Array.from(good)
    long[2] = good[2]! + 1
    expect(outcome(table, 0, Uint8Array.from([...long, 0]))).toBeInstanceOf(MalformedFrame)
    long[2] = good[2]! - 1
    expect(outcome(table, 0, long)).toBeInstanceOf(MalformedFrame)
  })

  test('absurdly many tags end at the end of the bytes', () => {
    const bytes = Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0x0f, 9, 1, 0])
    const empty = data('empty', { valid: '0', flexible: '0+' }, {})
    expect(outcome(empty, 0, bytes)).toBeInstanceOf(MalformedFrame)
  })

  test('a frame of millions of tiny elements is refused before they fill the heap', () => {
    const frame = new Uint8Array(4_000_000).fill(1)
    frame.set([0x81, 0xda, 0x5b]) // 1,502,464 topics of two bytes each: an empty name, no tags
    const refused = outcome(Metadata.request, 9, frame) as MalformedFrame
    expect(refused.expected).toBe('at most 1000000 elements in a frame')
    const tags = new Uint8Array(4_000_000).fill(0)
    tags.set([0x80, 0x89, 0x7a]) // 2,000,000 unknown tags without bytes
    for (let at = 3; at < tags.length; at += 2) tags[at] = 9
    const empty = data('empty', { valid: '0', flexible: '0+' }, {})
    expect(outcome(empty, 0, tags)).toBeInstanceOf(MalformedFrame)
  })

  test('int64 beyond what a number holds is malformed, and data where any value is legal', () => {
    const body = encode(Fetch.request, 18, {
      topics: [{ partitions: [{ highWatermark: -(2n ** 63n), fetchOffset: 2 ** 53 - 1 }] }],
    })
    expect(outcome(Fetch.request, 18, body)).toBe('value')
    const at = body.findIndex(
      (_, i) => body[i] === 0 && body[i + 1] === 0x1f && body[i + 2] === 0xff,
    )
    const beyond = Uint8Array.from(body)
    beyond[at + 1] = 0x20
    expect(outcome(Fetch.request, 18, beyond)).toBeInstanceOf(MalformedFrame)
  })

  test('twenty thousand fuzzed inputs raise nothing but MalformedFrame', () => {
    const { decoded, malformed } = fuzzCodec(1, 20_000)
    expect(decoded).toBeGreaterThan(5_000)
    expect(malformed).toBeGreaterThan(5_000)
  })
})
