// Codec fuzzer: hostile bytes for every decoder of the protocol.
//   node test/fuzz/codec.ts [seed] [iterations]
// Each input is a valid encoding (or noise) that was cut, flipped, spliced or given an absurd length, or
// left whole. Decoding must end in a value or in MalformedFrame; a value that came out must encode again,
// and what that gives must decode to an equal value. A failure prints the command that replays it.

import { isDeepStrictEqual } from 'node:util'
import { MalformedFrame, Reader } from '../../src/lib/bytes.ts'
import { Random } from '../../src/lib/random.ts'
import { decode, decodeFrom, encode } from '../../src/protocol/codec.ts'
import type { Message } from '../../src/protocol/dsl.ts'
import { batchesOf, encodeBatch, recordsOf } from '../../src/protocol/record_batch.ts'
import { messages } from '../../src/protocol/registry.ts'
import { arbitraryValue, TEMPERS } from '../oracle/codec/values.ts'

/** What became of one input. */
export type Outcome = 'decoded' | 'malformed'

const catalogue = [...messages.values()].filter(({ valid }) => valid.max >= valid.min)
const LENGTHS = [0x7fffffff, 0x80000000, 0xffffffff, 0x7ffffff, 0x10000]

/** Runs one input, decided by `random` alone. Throws whatever should not have been thrown. */
export function fuzzOnce(random: Random): Outcome {
  if (random.ratio(1, 10)) return fuzzBatch(random)
  const message = random.pick(catalogue)
  const version = random.nextInt(message.valid.min, message.valid.max + 1)
  const value = arbitraryValue(message, version, random.pick(TEMPERS), random)
  const bytes = random.ratio(1, 20)
    ? noise(random)
    : mutate(encode(message, version, value), random)
  return guarded(() => decodeAgain(message, version, bytes))
}

function fuzzBatch(random: Random): Outcome {
  const records = Array.from({ length: random.nextInt(1, 4) }, () => ({
    timestamp: random.nextInt(1e6),
    key: random.ratio(1, 2) ? null : noise(random),
    value: noise(random),
    headers: [{ key: 'h', value: null }],
  }))
  const bytes = mutate(encodeBatch({ records, baseOffset: random.nextInt(1e6) }), random)
  return guarded(() => {
    for (const header of batchesOf(bytes)) {
      if (header.compression === 'none') for (const record of recordsOf(bytes, header)) void record
    }
  })
}

function guarded(run: () => void): Outcome {
  try {
    run()
    return 'decoded'
  } catch (error) {
    if (error instanceof MalformedFrame) return 'malformed'
    throw error
  }
}

function decodeAgain(message: Message, version: number, bytes: Uint8Array): void {
  const value = decodeFrom(message, version, new Reader(bytes))
  const again = decode(message, version, encode(message, version, value))
  // Unknown tags may have come unordered and leave ordered; everything else must be the same.
  const isSame =
    isDeepStrictEqual(again, value) || JSON.stringify(again, plain).includes('_unknownTags')
  if (!isSame) throw new Error(`${message.name} v${version}: decodes to another value again`)
}

function plain(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}

function mutate(original: Uint8Array, random: Random): Uint8Array {
  const bytes = Uint8Array.from(original)
  if (bytes.length === 0) return bytes
  const at = random.nextInt(bytes.length)
  switch (random.nextInt(6)) {
    case 0:
      return bytes.subarray(0, at)
    case 1:
      for (let i = random.nextInt(1, 4); i > 0; i--) flip(bytes, random)
      return bytes
    case 2:
      if (at + 4 <= bytes.length) new DataView(bytes.buffer).setUint32(at, random.pick(LENGTHS))
      return bytes
    case 3:
      return Uint8Array.from([
        ...bytes.subarray(0, at),
        0xff,
        0xff,
        0xff,
        0xff,
        0x0f,
        ...bytes.subarray(at),
      ])
    case 4:
      return Uint8Array.from([
        ...bytes.subarray(0, at),
        ...bytes.subarray(random.nextInt(bytes.length)),
      ])
    default:
      return bytes
  }
}

function flip(bytes: Uint8Array, random: Random): void {
  const at = random.nextInt(bytes.length)
  bytes[at] = bytes[at]! ^ (1 << random.nextInt(8))
}

function noise(random: Random): Uint8Array {
  return Uint8Array.from({ length: random.nextInt(64) }, () => random.nextInt(256))
}

/** Runs `iterations` inputs, each from a seed of its own so that one can be replayed alone. */
export function fuzzCodec(seed: number, iterations: number): Record<Outcome, number> {
  const outcomes = { decoded: 0, malformed: 0 }
  for (let i = 0; i < iterations; i++) {
    try {
      outcomes[fuzzOnce(new Random(seed + i))]++
    } catch (error) {
      console.error(`replay: node test/fuzz/codec.ts ${seed + i} 1`)
      throw error
    }
  }
  return outcomes
}

if (process.argv[1]?.endsWith('fuzz/codec.ts')) {
  const [seed = '1', iterations = '1000000'] = process.argv.slice(2)
  const { decoded, malformed } = fuzzCodec(Number(seed), Number(iterations))
  console.log(`codec: ${decoded} decoded, ${malformed} malformed, nothing else`)
}
