// Just enough of each codec to make batches of it: gzip and zstd from Node, snappy and lz4 in their stored forms.
// The same bytes go to both sides, so how well they are packed does not matter.

import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { Recode } from '../../../src/protocol/record_batch.ts'

/** Packs the records of a batch. */
export const compress: Recode = (compression, bytes) => {
  switch (compression) {
    case 'none':
      return bytes
    case 'gzip':
      return gzipSync(bytes)
    case 'zstd':
      return zstdCompressSync(bytes)
    case 'snappy':
      return snappy(bytes)
    case 'lz4':
      return lz4(bytes)
  }
}

/** One block in the framing of Kafka's Java clients, one literal in the block. */
function snappy(bytes: Uint8Array): Uint8Array {
  const length = Buffer.from([(bytes.length & 0x7f) | 0x80, bytes.length >>> 7])
  const literal = Buffer.from([61 << 2, (bytes.length - 1) & 0xff, (bytes.length - 1) >>> 8])
  const block = Buffer.concat([length, literal, bytes])
  const header = Buffer.alloc(20)
  header.write('\x82SNAPPY\0', 'latin1')
  header.writeInt32BE(1, 8)
  header.writeInt32BE(1, 12)
  header.writeInt32BE(block.length, 16)
  return Buffer.concat([header, block])
}

/** A frame of one stored block; the third byte of its descriptor is the checksum of the first two. */
function lz4(bytes: Uint8Array): Uint8Array {
  const size = Buffer.alloc(4)
  size.writeUInt32LE((0x80000000 | bytes.length) >>> 0)
  const header = Buffer.from('04224d18604082', 'hex')
  return Buffer.concat([header, size, bytes, Buffer.alloc(4)])
}
