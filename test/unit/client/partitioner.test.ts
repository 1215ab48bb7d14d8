// Keys land where Java's client puts them: the hashes of Kafka's own unit test, and what Utils.murmur2 said of more.

import { expect, test } from 'vitest'
import { murmur2, partitionOfKey } from '../../../src/client/partitioner.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

test('client: partitioner: murmur2 is that of Kafka', () => {
  const known: [string, number][] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
    ['', 275646681],
  ]
  for (const [text, hash] of known) expect(murmur2(bytes(text)), text).toBe(hash)
})

test('client: partitioner: bytes above 127 are unsigned, as in Java', () => {
  expect(murmur2(new Uint8Array([0xff, 0x80, 0xfe, 0x81, 0x90]))).toBe(234866925)
})

test('client: partitioner: a negative hash gives a partition that is there', () => {
  expect(partitionOfKey(bytes('21'), 7)).toBe((-973932308 & 0x7fffffff) % 7)
  for (let i = 0; i < 100; i++) {
    const partition = partitionOfKey(bytes(`key-${i}`), 5)
    expect(partition).toBeGreaterThanOrEqual(0)
    expect(partition).toBeLessThan(5)
  }
})
