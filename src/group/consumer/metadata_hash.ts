// The hash of what a group reads: ids, partitions and racks of its topics. FNV-1a over 64 bits in two halves.
//
// Invariant: equal topics give equal numbers in every process, since the number is in the log; 0 means no topics. It is
// not Kafka's number (XXH3 there): a group that moves between the two is rebalanced once. Kafka: Utils.computeGroupHash.

import type { ClusterTopic } from './cluster.ts'

const PRIME_LOW = 0x1b3
const PRIME_HIGH = 0x100
const encoder = new TextEncoder()

/** The hash of these topics, in whatever order they come. */
export function metadataHash(topics: readonly ClusterTopic[]): bigint {
  if (topics.length === 0) return 0n
  const hash = new Fnv1a()
  const byName = [...topics].sort((x, y) => (x.name < y.name ? -1 : 1))
  for (const topic of byName) {
    hash.text(topic.id)
    hash.text(topic.name)
    hash.number(topic.partitionCount)
    for (let partition = 0; partition < topic.partitionCount; partition++) {
      const racks = [...topic.racksOf(partition)].sort()
      hash.number(racks.length)
      for (const rack of racks) hash.text(rack)
    }
  }
  return hash.value
}

class Fnv1a {
  private high = 0xcbf29ce4
  private low = 0x84222325

  get value(): bigint {
    return BigInt.asIntN(64, (BigInt(this.high) << 32n) | BigInt(this.low))
  }

  text(text: string): void {
    const bytes = encoder.encode(text)
    this.number(bytes.length)
    for (const byte of bytes) this.byte(byte)
  }

  number(value: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.byte((value >>> shift) & 0xff)
  }

  private byte(byte: number): void {
    const low = (this.low ^ byte) >>> 0
    const product = low * PRIME_LOW
    const carry = Math.floor(product / 2 ** 32)
    const high = Math.imul(this.high, PRIME_LOW) + Math.imul(low, PRIME_HIGH) + carry
    this.low = product >>> 0
    this.high = high >>> 0
  }
}
