// Consumers that read a compacted topic while the cleaner swaps segments under them, and producers that go on after a
// kill: offsets never go back, nothing comes twice, and no reader misses the last value of a key.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { compress, decompress } from '../../../src/plane/native_codecs.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { ListOffsets } from '../../../src/protocol/messages/offsets.ts'
import { Fetch, Produce } from '../../../src/protocol/messages/produce_fetch.ts'
import {
  batchesOf,
  COMPRESSION,
  encodeBatch,
  recordsOf,
} from '../../../src/protocol/record_batch.ts'
import { fetchBatches, headersOnDisk } from '../clients/raw.ts'
import { createTopic } from '../support/admin.ts'
import { BrokerProcess } from '../support/broker_process.ts'
import { eventually } from '../support/eventually.ts'
import { Bench, produceBody } from '../support/harness.ts'
import { RawClient } from '../support/raw_client.ts'

const KEYS = 20
const ROUNDS = 400
const PER_BATCH = 7
const COMPACT = {
  'cleanup.policy': 'compact',
  'internal.segment.bytes': '3000',
  'min.cleanable.dirty.ratio': '0.001',
}
const SOON = { 'log.cleaner.backoff.ms': 100 }
const bytes = (text: string) => new TextEncoder().encode(text)
const text = (from: Uint8Array | null) => (from === null ? '' : new TextDecoder().decode(from))

/** Records of a round: every key is written again and again, its value says which time it is. */
const round = (at: number) =>
  Array.from({ length: PER_BATCH }, (_, i) => ({
    key: bytes(`key ${(at * PER_BATCH + i) % KEYS}`),
    value: bytes(`${at * PER_BATCH + i} ${'x'.repeat(30)}`),
    timestamp: 1_000_000 + at,
  }))

interface Seen {
  readonly offsets: number[]
  /** The last of each key. */
  readonly last: Map<string, number>
  empty: number
}

/** Reads from an offset up to `end`, a little at a time; throws when an offset comes again. */
async function readAll(client: RawClient, topic: string, from: number, end: number): Promise<Seen> {
  const seen: Seen = { offsets: [], last: new Map(), empty: 0 }
  for (let offset = from; offset < end; ) {
    const { responses } = await client.ask(Fetch, 11, {
      replicaId: -1,
      maxWaitMs: 100,
      minBytes: 1,
      maxBytes: 1 << 20,
      topics: [
        { topic, partitions: [{ partition: 0, fetchOffset: offset, partitionMaxBytes: 900 }] },
      ],
    })
    const { errorCode, records } = responses[0]!.partitions[0]!
    expect(errorCode).toBe(ErrorCode.NONE)
    const before = offset
    for (const batch of batchesOf(records ?? new Uint8Array(0), true)) {
      if (batch.count === 0) seen.empty++
      for (const record of recordsOf(records!, batch, decompress)) {
        if (record.offset < offset) continue
        seen.offsets.push(record.offset)
        const at = Number.parseInt(text(record.value), 10)
        expect(at, 'every offset has the value that it was given').toBe(record.offset)
        seen.last.set(text(record.key), at)
      }
      expect(batch.lastOffset, 'no batch comes twice').toBeGreaterThanOrEqual(offset)
      offset = batch.lastOffset + 1
    }
    if (offset === before && offset < end) {
      expect(records?.length ?? 0, `something to read at ${offset} of ${end}`).toBeGreaterThan(0)
    }
  }
  return seen
}

test('compaction: who reads while segments are swapped sees no gap and no repeat', async () => {
  await using bench = await Bench.start({ config: SOON })
  await bench.createTopic('t', 1, COMPACT)
  let written = 0
  let isWriting = true
  const check = (seen: Seen, from: number, end: number) => {
    for (const [i, offset] of seen.offsets.entries()) {
      expect(offset).toBeGreaterThan(seen.offsets[i - 1] ?? from - 1)
    }
    // What is the newest of its key even now, with a batch on its way, cannot have been compacted away.
    for (let offset = Math.max(from, written + PER_BATCH - KEYS); offset < end; offset++) {
      expect(seen.offsets, `${offset}, from ${from} to ${end}`).toContain(offset)
    }
  }
  let passes = 0
  let isShort = false
  const reader = async (start: (end: number) => number) => {
    const client = await bench.connect()
    await eventually(async () => written > 0 || undefined)
    while (isWriting) {
      const end = written
      const from = start(end)
      const seen = await readAll(client, 't', from, end)
      check(seen, from, end)
      isShort ||= seen.offsets.length < end - from
      passes++
    }
  }
  const writer = async () => {
    for (let at = 0; at < ROUNDS; at++) {
      const compression = COMPRESSION[at % COMPRESSION.length]!
      const batch = encodeBatch({ records: round(at), compression, compress })
      expect((await bench.produce('t', batch)).errorCode).toBe(ErrorCode.NONE)
      written += PER_BATCH
    }
    await eventually(async () => isShort || undefined)
    isWriting = false
  }
  await Promise.all([writer(), reader(() => 0), reader((end) => Math.trunc(end / 2))])
  expect(passes).toBeGreaterThan(2)
  const client = await bench.connect()
  const seen = await readAll(client, 't', 0, written)
  expect([...seen.last.values()].sort((a, b) => a - b)).toEqual(
    Array.from({ length: KEYS }, (_, i) => written - KEYS + i),
  )
})

test('compaction: an idempotent producer whose records are gone goes on after a kill', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-compaction-'))
  try {
    await using broker = await BrokerProcess.start({ directory, config: SOON })
    let client = await RawClient.open(broker.address)
    const bench = { client }
    await createTopic(broker.address, 't', 1, COMPACT)
    const put = async (producerId: number, baseSequence: number, key: string) => {
      const records = [{ key: bytes(key), value: bytes('v'.repeat(200)), timestamp: 5_000_000 }]
      const batch = encodeBatch({ records, producerId, producerEpoch: 0, baseSequence })
      const { responses } = await bench.client.ask(Produce, 9, produceBody('t', 0, batch))
      return responses[0]!.partitionResponses[0]!
    }
    for (let sequence = 0; sequence < 3; sequence++) await put(7, sequence, 'mine')
    for (let sequence = 0; sequence < 60; sequence++) await put(8, sequence, 'mine')
    const given = await eventually(async () => {
      const all = await fetchBatches(client, { topic: 't', partition: 0 })
      return all.length < 40 ? all : undefined
    })
    expect(given[0]!.header.count).toBeGreaterThan(0)
    client.close()
    await broker.kill()
    // Its header is kept for the sake of its sequence, and no consumer was given it.
    const stored = headersOnDisk(join(directory, 't-0'))
    expect(stored[0]).toMatchObject({ producerId: 7, baseSequence: 2, count: 0 })
    await broker.start()
    client = bench.client = await RawClient.open(broker.address)
    const repeated = await eventually(async () => {
      const answer = await put(7, 2, 'mine')
      return answer.errorCode === ErrorCode.NONE ? answer : undefined
    })
    expect(repeated.baseOffset).toBe(2)
    expect((await put(7, 4, 'mine')).errorCode).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect((await put(7, 3, 'mine')).errorCode).toBe(ErrorCode.NONE)
    expect((await put(8, 60, 'mine')).errorCode).toBe(ErrorCode.NONE)
    // What lies before all that is left is found at the first that is left.
    const { topics } = await client.ask(ListOffsets, 7, {
      replicaId: -1,
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: 4_999_999n }] }],
    })
    expect(topics[0]!.partitions[0]!.timestamp).toBe(5_000_000n)
    client.close()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
