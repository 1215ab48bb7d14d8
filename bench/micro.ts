// Micro-benchmarks of the small parts: message tables, record batches, checksum, codecs and the ring of facts by tinybench;
// then those that JavaScript never calls, in a program of their own (native/micro.cc): index look-ups, checksums by each way.
// `node bench/micro.ts [milliseconds]`. They show that a part became slower, not how fast a broker is.

import { execFileSync } from 'node:child_process'
import { Bench } from 'tinybench'
import { crc32c } from '../src/lib/crc32c.ts'
import { FactKind, factBytes, ringHeaderBytes, ringOffset } from '../src/plane/layout.ts'
import { compress, decompress } from '../src/plane/native_codecs.ts'
import { FactRing } from '../src/plane/native_ring.ts'
import type { FactSink } from '../src/plane/plane.ts'
import { decode, encode } from '../src/protocol/codec.ts'
import { Metadata } from '../src/protocol/messages/metadata.ts'
import { batchesOf, encodeBatch, recordsOf } from '../src/protocol/record_batch.ts'
import { buildMicro } from './arms/programs.ts'

const FACTS = 1024
const TIME_MS = Number(process.argv[2] ?? 500)
const bench = new Bench({ time: TIME_MS, warmupTime: TIME_MS / 5 })

const metadata = {
  brokers: [{ nodeId: 1, host: 'localhost', port: 9092 }],
  clusterId: 'cluster',
  controllerId: 1,
  topics: Array.from({ length: 10 }, (_, topic) => ({
    name: `topic-${topic}`,
    partitions: Array.from({ length: 10 }, (_, partitionIndex) => ({
      partitionIndex,
      leaderId: 1,
      replicaNodes: [1],
      isrNodes: [1],
    })),
  })),
}
const metadataBytes = encode(Metadata.response, 12, metadata)
bench.add('message: Metadata of 100 partitions, encode', () => {
  encode(Metadata.response, 12, metadata)
})
bench.add('message: Metadata of 100 partitions, decode', () => {
  decode(Metadata.response, 12, metadataBytes)
})

const value = new TextEncoder().encode('order shipped, customer known, total pending. '.repeat(20))
const records = Array.from({ length: 64 }, () => ({ value }))
const batch = encodeBatch({ timestamp: 0, records })
bench.add('batch: 64 records of 920 B, encode', () => {
  encodeBatch({ timestamp: 0, records })
})
bench.add('batch: 64 records of 920 B, decode', () => {
  for (const header of batchesOf(batch)) for (const record of recordsOf(batch, header)) void record
})
bench.add(`crc32c in TypeScript: ${batch.length} B`, () => {
  crc32c(batch)
})

for (const codec of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
  const small = compress(codec, batch)
  bench.add(`${codec}: compress ${batch.length} B`, () => {
    compress(codec, batch)
  })
  bench.add(`${codec}: decompress to ${batch.length} B`, () => {
    decompress(codec, small)
  })
}

/** A ring that is always full of the same facts. */
function fullRing(): () => number {
  const slabBytes = 1024
  const buffer = new ArrayBuffer(ringHeaderBytes + FACTS * factBytes + slabBytes)
  const cursors = new Int32Array(buffer, 0, ringHeaderBytes / 4)
  const words = new Int32Array(buffer, ringHeaderBytes, (FACTS * factBytes) / 4)
  for (let fact = 0; fact < FACTS; fact++) words[(fact * factBytes) / 4] = FactKind.highWatermark
  const ring = new FactRing({ buffer, facts: FACTS, slabBytes })
  let seen = 0
  const sink = { highWatermark: () => seen++ } as Partial<FactSink> as FactSink
  return () => {
    Atomics.add(cursors, ringOffset.head / 4, FACTS)
    return ring.drain(sink, () => new Uint8Array())
  }
}
const drain = fullRing()
bench.add(`ring: drain ${FACTS} facts`, () => {
  drain()
})

await bench.run()
console.table(bench.table())

const lines = execFileSync(buildMicro()).toString().trim().split('\n')
console.table(
  lines.map((line) => {
    const { name, medianNs, bestNs } = JSON.parse(line) as Record<string, string | number>
    return { 'Native part': name, 'Median (ns)': medianNs, 'Best (ns)': bestNs }
  }),
)
