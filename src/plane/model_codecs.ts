// The codecs of the model plane, which opens and recompresses batches where the native plane does, and for logs that
// the control plane reads itself. What it writes as snappy and LZ4 is framed as Kafka frames it, and not squeezed. Sizes are bounded: what would grow past the limit is refused, as a batch that does
// not decompress is. Snappy comes bare or in xerial's blocks (what Java clients write); LZ4 in frames, magic 2's kind.
// Kafka: org.apache.kafka.common.compress.

import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { MalformedFrame } from '../lib/bytes.ts'
import type { Compression } from '../protocol/record_batch.ts'

const BYTES_MAX = 128 << 20
const LZ4_MAGIC = 0x184d2204
const XERIAL_HEADER_BYTES = 16
const XERIAL_MAGIC = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]
const SNAPPY_BLOCK_BYTES = 32 << 10
const LZ4_BLOCK_BYTES = 64 << 10
/** Magic, version 1 with independent blocks, blocks of 64 KiB, and the checksum of the last two. */
const LZ4_HEADER = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]

/** The records of a compressed batch. Raises MalformedFrame when they do not decompress. */
export function decompress(compression: Compression, bytes: Uint8Array): Uint8Array {
  try {
    switch (compression) {
      case 'none':
        return bytes
      case 'gzip':
        return gunzipSync(bytes, { maxOutputLength: BYTES_MAX })
      case 'zstd':
        return zstdDecompressSync(bytes, { maxOutputLength: BYTES_MAX })
      case 'snappy':
        return isXerial(bytes) ? xerial(bytes) : snappy(bytes)
      case 'lz4':
        return lz4Frame(bytes)
    }
  } catch (error) {
    if (error instanceof MalformedFrame) throw error
    return refuse(0, `${compression} data: ${String(error)}`)
  }
}

/** Bytes that `decompress` and every client read back. The level counts for gzip and zstd. */
export function compress(compression: Compression, bytes: Uint8Array, level?: number): Uint8Array {
  switch (compression) {
    case 'none':
      return bytes
    case 'gzip':
      return gzipSync(bytes, { level: level ?? -1 })
    case 'zstd':
      return zstdCompressSync(bytes, {
        params: { [constants.ZSTD_c_compressionLevel]: level ?? 3 },
      })
    case 'snappy':
      return storedXerial(bytes)
    case 'lz4':
      return storedLz4(bytes)
  }
}

/** Blocks of one literal each. */
function storedXerial(bytes: Uint8Array): Uint8Array {
  const out: number[] = [...XERIAL_MAGIC, 0, 0, 0, 1, 0, 0, 0, 1]
  for (let at = 0; at < bytes.length; at += SNAPPY_BLOCK_BYTES) {
    const block = bytes.subarray(at, at + SNAPPY_BLOCK_BYTES)
    const last = block.length - 1
    const size = block.length < 128 ? [block.length] : uvarint(block.length)
    const body = [...size, 61 << 2, last & 255, last >>> 8, ...block]
    out.push(0, 0, body.length >>> 8, body.length & 255, ...body)
  }
  return Uint8Array.from(out)
}

function uvarint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...uvarint(value >>> 7)]
}

/** A frame of independent blocks of 64 KiB, none of them compressed. */
function storedLz4(bytes: Uint8Array): Uint8Array {
  const blocks = Math.ceil(bytes.length / LZ4_BLOCK_BYTES)
  const out = new Uint8Array(LZ4_HEADER.length + bytes.length + 4 * blocks + 4)
  const view = new DataView(out.buffer)
  out.set(LZ4_HEADER)
  let to = LZ4_HEADER.length
  for (let at = 0; at < bytes.length; at += LZ4_BLOCK_BYTES) {
    const block = bytes.subarray(at, at + LZ4_BLOCK_BYTES)
    view.setUint32(to, block.length + 0x8000_0000, true)
    out.set(block, to + 4)
    to += 4 + block.length
  }
  return out
}

function refuse(at: number, what: string): never {
  throw new MalformedFrame(at, what)
}

/** Bytes written so far, with copies from themselves: both formats are made of the two. */
class Output {
  bytes = new Uint8Array(4096)
  length = 0

  #room(count: number): void {
    const end = this.length + count
    if (end > BYTES_MAX) refuse(this.length, 'less than the limit on decompressed bytes')
    if (end <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(end, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }

  literal(from: Uint8Array, start: number, count: number): void {
    if (count < 0 || start + count > from.length) refuse(start, `${count} literal bytes`)
    this.#room(count)
    this.bytes.set(from.subarray(start, start + count), this.length)
    this.length += count
  }

  copy(distance: number, count: number): void {
    if (distance < 1 || distance > this.length) refuse(this.length, 'a copy from what is there')
    this.#room(count)
    // Byte by byte: source and target overlap when a pattern repeats.
    for (let i = 0; i < count; i++, this.length++) {
      this.bytes[this.length] = this.bytes[this.length - distance]!
    }
  }

  done(): Uint8Array {
    return this.bytes.slice(0, this.length)
  }
}

function isXerial(bytes: Uint8Array): boolean {
  return bytes.length >= XERIAL_HEADER_BYTES && XERIAL_MAGIC.every((byte, i) => bytes[i] === byte)
}

function xerial(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const out = new Output()
  let at = XERIAL_HEADER_BYTES
  while (at < bytes.length) {
    const size = view.getUint32(at)
    if (size > bytes.length - at - 4) refuse(at, `a snappy block of ${size} bytes`)
    const block = snappy(bytes.subarray(at + 4, at + 4 + size))
    out.literal(block, 0, block.length)
    at += 4 + size
  }
  return out.done()
}

function snappy(bytes: Uint8Array): Uint8Array {
  let at = 0
  let size = 0
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] ?? refuse(at, 'a length')
    size += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) break
    if (shift > 28) refuse(at, 'a length of 32 bits')
  }
  const out = new Output()
  while (at < bytes.length) {
    const tag = bytes[at++]!
    const kind = tag & 3
    if (kind === 0) {
      let count = tag >>> 2
      if (count >= 60) {
        const width = count - 59
        count = littleEndian(bytes, at, width)
        at += width
      }
      out.literal(bytes, at, count + 1)
      at += count + 1
    } else if (kind === 1) {
      out.copy(((tag >>> 5) << 8) | littleEndian(bytes, at, 1), ((tag >>> 2) & 7) + 4)
      at += 1
    } else {
      const width = kind === 2 ? 2 : 4
      out.copy(littleEndian(bytes, at, width), (tag >>> 2) + 1)
      at += width
    }
  }
  if (out.length !== size) refuse(at, `${size} decompressed bytes`)
  return out.done()
}

function littleEndian(bytes: Uint8Array, at: number, width: number): number {
  if (at + width > bytes.length) refuse(at, `${width} bytes`)
  let value = 0
  for (let i = width - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!
  return value
}

function lz4Frame(bytes: Uint8Array): Uint8Array {
  if (littleEndian(bytes, 0, 4) !== LZ4_MAGIC) refuse(0, 'an LZ4 frame')
  const flags = littleEndian(bytes, 4, 1)
  if (flags >>> 6 !== 1) refuse(4, 'LZ4 frame version 1')
  const hasBlockChecksums = (flags & 0x10) !== 0
  let at = 6 + ((flags & 8) !== 0 ? 8 : 0) + ((flags & 1) !== 0 ? 4 : 0) + 1
  const out = new Output()
  for (;;) {
    const word = littleEndian(bytes, at, 4)
    at += 4
    if (word === 0) break
    const size = word % 0x8000_0000
    if (size > bytes.length - at) refuse(at, `an LZ4 block of ${size} bytes`)
    if (word >= 0x8000_0000) out.literal(bytes, at, size)
    else lz4Block(bytes.subarray(at, at + size), out)
    at += size + (hasBlockChecksums ? 4 : 0)
  }
  return out.done()
}

function lz4Block(bytes: Uint8Array, out: Output): void {
  let at = 0
  const lengthFrom = (nibble: number): number => {
    let length = nibble
    if (nibble < 15) return length
    for (;;) {
      const byte = bytes[at++] ?? refuse(at, 'more of a length')
      length += byte
      if (byte < 255) return length
    }
  }
  while (at < bytes.length) {
    const token = bytes[at++]!
    const literals = lengthFrom(token >>> 4)
    out.literal(bytes, at, literals)
    at += literals
    if (at >= bytes.length) return
    const distance = littleEndian(bytes, at, 2)
    at += 2
    out.copy(distance, lengthFrom(token & 15) + 4)
  }
}
