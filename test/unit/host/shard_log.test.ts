// What of a shard's log counts as its records: gaps of compaction, compressed batches, transactions, control batches.

import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { ShardLog } from '../../../src/host/shard_log.ts'
import { MalformedFrame } from '../../../src/lib/bytes.ts'
import { decompress } from '../../../src/plane/model_codecs.ts'
import { type BatchInput, encodeBatch } from '../../../src/protocol/record_batch.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

function batch(baseOffset: number, keys: string[], rest: Partial<BatchInput> = {}): Uint8Array {
  const records = keys.map((key) => ({ key: encoder.encode(key), value: null }))
  return encodeBatch({ records, baseOffset, ...rest })
}

const transaction = (producerId: number): Partial<BatchInput> => ({
  isTransactional: true,
  producerId,
  producerEpoch: 0,
  baseSequence: 0,
})

function marker(baseOffset: number, producerId: number, type: number): Uint8Array {
  const records = [{ key: Uint8Array.of(0, 0, 0, type), value: new Uint8Array(6) }]
  return encodeBatch({ records, baseOffset, ...transaction(producerId), isControl: true })
}

/** What a log replays of these batches, each given by itself, as `key@offset`. */
function replayed(...batches: Uint8Array[]): string[] {
  const seen: string[] = []
  const codec = {
    encode: (key: string) => ({ key: encoder.encode(key), value: null }),
    decode: ({ key }: { key: Uint8Array }) => decoder.decode(key),
  }
  const replay = (key: string, offset: number) => void seen.push(`${key}@${offset}`)
  const log = new ShardLog(codec, decompress, { replay }, 0)
  for (const bytes of batches) Array.from(log.read(bytes))
  return seen
}

describe('shard log', () => {
  it('replays records in order, with gaps where compaction left them', () => {
    expect(replayed(batch(3, ['a', 'b']), batch(90, ['c']))).toEqual(['a@3', 'b@4', 'c@90'])
  })

  it('replays nothing twice when a read begins in the middle', () => {
    const first = batch(0, ['a', 'b'])
    expect(replayed(first, Buffer.concat([first, batch(2, ['c'])]))).toEqual(['a@0', 'b@1', 'c@2'])
  })

  it('opens compressed batches', () => {
    const compressed = batch(0, ['a', 'b'], {
      compression: 'gzip',
      compress: (_, bytes) => gzipSync(bytes),
    })
    expect(replayed(compressed)).toEqual(['a@0', 'b@1'])
  })

  it('passes over records without a key and control batches of no transaction', () => {
    const keyless = encodeBatch({ records: [{ value: encoder.encode('x') }] })
    const leaderChange = encodeBatch({
      records: [{ key: Uint8Array.of(0, 0, 0, 2), value: new Uint8Array(6) }],
      baseOffset: 1,
      isControl: true,
    })
    expect(replayed(keyless, leaderChange, batch(2, ['a']))).toEqual(['a@2'])
  })

  it('counts a transaction from its commit on, and not at all after an abort', () => {
    expect(
      replayed(
        batch(0, ['committed'], transaction(7)),
        batch(1, ['aborted'], transaction(8)),
        batch(2, ['open'], transaction(9)),
        batch(3, ['plain']),
        marker(4, 8, 0),
        marker(5, 7, 1),
        batch(6, ['next'], transaction(7)),
        marker(7, 7, 0),
      ),
    ).toEqual(['plain@3', 'committed@0'])
  })

  it('refuses bytes that are no batches', () => {
    const bytes = batch(0, ['a'])
    bytes[16] = 1
    expect(() => replayed(bytes)).toThrow(MalformedFrame)
  })
})
