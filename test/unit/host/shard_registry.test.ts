// Which partition a key belongs to, as Apache Kafka computes it.

import { describe, expect, it } from 'vitest'
import { partitionOf } from '../../../src/host/shard_registry.ts'

describe('shard registry: keys', () => {
  // Utils.abs(key.hashCode()) % 50, by Apache Kafka 4.3.1 and JDK 17.
  it.each([
    ['', 0],
    ['a', 47],
    ['my-group', 12],
    ['polygenelubricants', 0],
    ['grüße', 23],
    ['😀', 49],
  ])('%s is in partition %i of 50', (key, partition) => {
    expect(partitionOf(key, 50)).toBe(partition)
  })
})
