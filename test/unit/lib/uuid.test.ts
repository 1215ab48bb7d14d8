// Uuids: sixteen bytes and Kafka's text of them, both ways.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AssertionFailed } from '../../../src/lib/assert.ts'
import {
  isUuid,
  ONE_UUID,
  parseUuid,
  uuidToBytes,
  uuidToString,
  ZERO_UUID,
} from '../../../src/lib/uuid.ts'

describe('uuid', () => {
  test('the reserved ones are zero and one', () => {
    expect([...uuidToBytes(ZERO_UUID)]).toEqual(Array(16).fill(0))
    expect([...uuidToBytes(ONE_UUID)]).toEqual([...Array(15).fill(0), 1])
  })

  test('text is the base64url of the bytes, without padding', () => {
    const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 })
    fc.assert(
      fc.property(sixteen, (bytes) => {
        const text = uuidToString(bytes)
        expect(text).toBe(Buffer.from(bytes).toString('base64url'))
        expect(isUuid(text)).toBe(true)
        expect(uuidToBytes(text)).toEqual(bytes)
      }),
    )
  })

  test('an offset into larger bytes is honoured', () => {
    const bytes = new Uint8Array(20)
    uuidToBytes(ONE_UUID, bytes, 4)
    expect(uuidToString(bytes, 4)).toBe(ONE_UUID)
    expect(() => uuidToString(bytes, 5)).toThrow(AssertionFailed)
  })

  test('only the canonical text is a uuid', () => {
    for (const text of [
      '',
      'A'.repeat(21),
      'A'.repeat(23),
      `${'A'.repeat(21)}B`,
      `${'A'.repeat(21)}+`,
      'é'.repeat(22),
    ]) {
      expect(isUuid(text), text).toBe(false)
      expect(() => uuidToBytes(text)).toThrow(AssertionFailed)
    }
  })

  test('what a person typed is forgiven padding and stray bits', () => {
    expect(parseUuid(`${ONE_UUID}==`)).toBe(ONE_UUID)
    expect(parseUuid(`${'A'.repeat(21)}H`)).toBe(ZERO_UUID)
    expect(parseUuid('A'.repeat(20))).toBe(null)
    expect(parseUuid('!'.repeat(22))).toBe(null)
  })
})
