// CRC-32C against published answers; the native one is tested against the same.

import { describe, expect, test } from 'vitest'
import { crc32c } from '../../../src/lib/crc32c.ts'

describe('crc32c', () => {
  test('known answers', () => {
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283)
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43)
    expect(crc32c(new Uint8Array(0))).toBe(0)
  })

  test('parts give the whole, wherever the cut is', () => {
    const bytes = Uint8Array.from({ length: 41 }, (_, i) => i * 7)
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(crc32c(bytes, cut, bytes.length, crc32c(bytes, 0, cut))).toBe(crc32c(bytes))
    }
  })
})
