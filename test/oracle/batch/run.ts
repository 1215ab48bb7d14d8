// Random batches, sound and spoilt, given to a leader of ours (the native plane in its simulated world) and to Apache
// Kafka's own LogValidator: what is appended must be the same, byte by byte where nothing is compressed, else header by
// header and record by record; what is refused must be refused by both, for the same reason and the same records.
//   node test/oracle/batch/run.ts [seed] [batches]
// Needs JDK 17 and the jars of Apache Kafka under .cache/kafka-4.3.1/libs.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { Random } from '../../../src/lib/random.ts'
import { compress, decompress } from '../../../src/plane/native_codecs.ts'
import type { PartitionConfig } from '../../../src/plane/plane.ts'
import { ErrorCode, errorName } from '../../../src/protocol/errors.ts'
import {
  COMPRESSION,
  encodeBatch,
  type RecordInput,
  readBatchHeader,
  recordsOf,
  sealBatch,
} from '../../../src/protocol/record_batch.ts'
import { CONFIG, Fixture, fetched, fetchOf, produced, produceOf } from '../../plane/fixture.ts'
import { simHarness } from '../../plane/harness_sim.ts'

const HOUR = 3_600_000
const libs = fileURLToPath(new URL('../../../.cache/kafka-4.3.1/libs/', import.meta.url))

/** What Kafka raises, and the code a client is told. */
const CODES: Readonly<Record<string, number>> = {
  InvalidRecordException: ErrorCode.INVALID_RECORD,
  InvalidTimestampException: ErrorCode.INVALID_TIMESTAMP,
  CorruptRecordException: ErrorCode.CORRUPT_MESSAGE,
}

interface Case {
  readonly batch: Uint8Array
  readonly config: PartitionConfig
  readonly isSpoilt: boolean
}

interface Answer {
  readonly errorCode: number
  readonly blamed: string
  readonly offset: number
  readonly nowMs: number
  readonly bytes: Uint8Array | null
}

function randomRecords(random: Random, nowMs: number): RecordInput[] {
  const bytes = (most: number) =>
    random.ratio(1, 6) ? null : new Uint8Array(random.nextInt(most)).fill(97 + random.nextInt(26))
  return [...Array(random.pick([1, 1, 2, 3, 10, 40]))].map(() => ({
    timestamp: random.pick([
      nowMs - random.nextInt(1000),
      nowMs - random.nextInt(1000),
      nowMs,
      -1,
      nowMs + 2 * HOUR,
      nowMs - 2 * HOUR,
      random.nextInt(1000),
    ]),
    key: random.ratio(1, 2) ? null : bytes(20),
    value: bytes(random.pick([3, 30, 300])),
    headers: [...Array(random.pick([0, 0, 0, 1, 3]))].map(() => ({
      key: 'h'.repeat(random.nextInt(4)),
      value: bytes(9),
    })),
  }))
}

/** Bytes changed, and the checksum made right again; who may set the transaction bit is not the validator's to say. */
function spoil(random: Random, batch: Uint8Array): void {
  for (let i = random.pick([1, 1, 2]); i > 0; i--) {
    const at = random.pick([22, 26, 61 + random.nextInt(batch.length - 61), 60])
    batch[at] = at === 22 ? batch[at]! ^ (1 << random.pick([3, 5, 6])) : random.nextInt(256)
  }
  sealBatch(batch, 0, batch.length)
}

function randomCase(random: Random, nowMs: number): Case {
  const codec = random.nextInt(5)
  const hasProducer = random.ratio(1, 3)
  const plain = encodeBatch({
    records: randomRecords(random, nowMs),
    ...(hasProducer ? { producerId: 9000 + random.nextInt(1 << 30), producerEpoch: 0 } : {}),
    baseSequence: hasProducer ? 0 : -1,
  })
  const isSpoilt = random.ratio(1, 2)
  // Records may be spoilt before they are compressed, and what is compressed may be spoilt.
  const isInside = isSpoilt && random.ratio(2, 3)
  if (isInside) spoil(random, plain)
  const packed = compress(COMPRESSION[codec]!, plain.subarray(61))
  const batch = new Uint8Array(61 + packed.length)
  batch.set(plain.subarray(0, 61))
  batch.set(packed, 61)
  new DataView(batch.buffer).setInt32(8, batch.length - 12)
  batch[22] = (batch[22]! & ~7) | codec
  sealBatch(batch, 0, batch.length)
  if (isSpoilt && !isInside) spoil(random, batch)
  const to = random.nextInt(-1, 5)
  const level = [-1, random.pick([-1, 1, 9]), -1, random.pick([1, 9, 17]), random.pick([-7, 3, 19])]
  const isBounded = random.ratio(1, 2)
  return {
    batch,
    isSpoilt,
    config: {
      ...CONFIG,
      compacted: random.ratio(1, 4),
      isLogAppendTime: random.ratio(1, 4),
      ...(isBounded ? { timestampBeforeMsMax: HOUR, timestampAfterMsMax: HOUR } : {}),
      ...(to < 0 ? {} : { recompressTo: to }),
      ...(to === 1 || to === 3 || to === 4 ? { recompressLevel: level[to]! } : {}),
    },
  }
}

async function askOurs(count: number, random: Random): Promise<[Case, Answer][]> {
  const f = await Fixture.open(simHarness(1), { produceValidation: 'full' })
  await f.single()
  const client = await f.client()
  const out: [Case, Answer][] = []
  for (let i = 0; i < count; i++) {
    const made = randomCase(random, f.under.nowMs())
    f.plane.configure(0, made.config)
    const nowMs = f.under.nowMs()
    const answer = produced(await client.produce(9, produceOf(made.batch)))
    const { errorCode, recordErrors, logAppendTimeMs } = answer
    const offset = errorCode === 0 ? Number(answer.baseOffset) : f.plane.partition(0).logEndOffset
    const read = errorCode === 0 && (await client.fetch(12, fetchOf([{ fetchOffset: offset }])))
    out.push([
      made,
      {
        errorCode,
        blamed: recordErrors.map(({ batchIndex }) => batchIndex).join(','),
        offset,
        nowMs: Number(logAppendTimeMs) >= 0 ? Number(logAppendTimeMs) : nowMs,
        bytes: read === false ? null : fetched(read).records,
      },
    ])
  }
  await f.under.close()
  return out
}

function askKafka(cases: readonly [Case, Answer][]): string[] {
  if (!existsSync(libs)) throw new Error(`the jars of Apache Kafka 4.3.1 are needed in ${libs}`)
  const longMax = (ms: number) => (ms === Number.MAX_SAFE_INTEGER ? 2n ** 63n - 1n : BigInt(ms))
  const lines = cases.map(([{ batch, config }, { offset, nowMs }]) =>
    [
      Buffer.from(batch).toString('base64'),
      config.recompressTo ?? -1,
      config.recompressLevel ?? 0,
      offset,
      nowMs,
      Number(config.compacted),
      Number(config.isLogAppendTime),
      longMax(config.timestampBeforeMsMax),
      longMax(config.timestampAfterMsMax),
    ].join('\t'),
  )
  const source = fileURLToPath(new URL('Batch.java', import.meta.url))
  const done = spawnSync('java', ['-Xmx512m', '-cp', `${libs}*`, source], {
    input: `${lines.join('\n')}\n`,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (done.status !== 0) throw new Error(done.stderr || String(done.error))
  return done.stdout.trimEnd().split('\n')
}

/**
 * Known to differ, for batches that no client makes: offsets of records with gaps (SEAM.md: INVALID_RECORD; Kafka writes
 * the batch anew), what does not decompress (CORRUPT_MESSAGE), and times before 1970 other than -1, which Kafka's
 * builder takes for a bug of its own.
 */
function isExplained(made: Case, ours: Answer, line: string): boolean {
  if (!made.isSpoilt) return false
  if (line.includes('IllegalArgumentException')) return true
  if (ours.errorCode === ErrorCode.CORRUPT_MESSAGE) return line.startsWith('refused')
  if (ours.errorCode !== ErrorCode.INVALID_RECORD) return false
  try {
    const records = recordsOf(made.batch, readBatchHeader(made.batch), decompress)
    return [...records].some(({ offset }, i) => offset !== i)
  } catch {
    return true
  }
}

/** All that a batch says, its compressed bytes and what follows from them left out. */
function read(bytes: Uint8Array) {
  const { crc: _crc, sizeInBytes: _size, ...header } = readBatchHeader(bytes)
  const records = [...recordsOf(bytes, readBatchHeader(bytes), decompress)].map((record) => ({
    ...record,
    key: record.key && Buffer.from(record.key),
    value: record.value && Buffer.from(record.value),
    headers: record.headers.map(({ key, value }) => [key, value && Buffer.from(value)]),
  }))
  return { header, records }
}

function difference(made: Case, ours: Answer, line: string): string | null {
  const [verdict, detail = '', blamed = ''] = line.split('\t')
  const said = `ours ${errorName(ours.errorCode)} [${ours.blamed}], Kafka ${verdict} ${verdict === 'ok' ? '' : `${detail} [${blamed}]`}`
  if (verdict !== 'ok' || ours.bytes === null) {
    const isBoth = verdict !== 'ok' && ours.bytes === null
    if (!isBoth) return said
    const code = CODES[detail]
    return code === undefined || (code === ours.errorCode && blamed === ours.blamed) ? null : said
  }
  const theirs = new Uint8Array(Buffer.from(detail, 'base64'))
  const isPlain = readBatchHeader(theirs).compression === 'none'
  const isSame =
    isPlain || made.config.recompressTo === undefined
      ? Buffer.from(theirs).equals(ours.bytes)
      : isDeepStrictEqual(read(theirs), read(ours.bytes))
  return isSame
    ? null
    : `other bytes: ${JSON.stringify(readBatchHeader(ours.bytes), printed)} ${JSON.stringify(readBatchHeader(theirs), printed)}`
}

const printed = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)

const [seed = '1', count = '2000'] = process.argv.slice(2)
const cases = await askOurs(Number(count), new Random(Number(seed)))
const kafka = askKafka(cases)
const found = new Map<string, number>()
let appended = 0
let explained = 0
for (const [i, [made, ours]] of cases.entries()) {
  if (ours.bytes !== null) appended += 1
  const complaint = difference(made, ours, kafka[i]!)
  if (complaint === null) continue
  if (isExplained(made, ours, kafka[i]!)) {
    explained += 1
    continue
  }
  const kind = complaint.slice(0, 200)
  found.set(kind, (found.get(kind) ?? 0) + 1)
  if (found.size <= 20 && found.get(kind) === 1) {
    const { recompressTo: to = -1, compacted, isLogAppendTime } = made.config
    const codec = made.batch[22]! & 7
    console.log(`batch ${i}: ${complaint}`)
    console.log(`  codec ${codec} to ${to}, compacted ${compacted}, append time ${isLogAppendTime}`)
    console.log(`  ${Buffer.from(made.batch).toString('base64').slice(0, 400)}`)
  }
}
const differing = [...found.values()].reduce((sum, times) => sum + times, 0)
console.log(
  `${cases.length} batches, ${appended} appended: ${explained} explained differences, ${differing} others`,
)
process.exitCode = differing === 0 ? 0 : 1
