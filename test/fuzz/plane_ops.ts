// Operations for the differential fuzzer, drawn from a seed. The generator knows what it has sent (producers'
// sequences, sessions' epochs) and looks at one plane's rows, so that most of what it sends is almost right:
// errors hide near the edges, not in noise.

import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { Random } from '../../src/lib/random.ts'
import { RetireMode, TopicOperation } from '../../src/plane/layout.ts'
import type { PartitionConfig, PartitionRow } from '../../src/plane/plane.ts'
import { encodeBatch, sealBatch } from '../../src/protocol/record_batch.ts'
import { CONFIG, HANDLE, TOPIC, TOPIC_ID } from '../plane/fixture.ts'
import { Transactions } from './plane_transactions.ts'
import { CONNECTIONS, type FetchBody, type Op, REPLICAS } from './plane_world.ts'

const NO_ID = 'AAAAAAAAAAAAAAAAAAAABA'
const FOREVER_MS = 2_000_000_000
const WAIT_MS = 20_000
const BASE_MS = 1_600_000_000_000

interface Producer {
  readonly id: number
  epoch: number
  /** By partition. */
  next: number[]
}

interface Session {
  /** Sessions live in a reactor: they are spoken to where they were made. */
  readonly conn: number
  epoch: number
  readonly usesIds: boolean
}

/** Draws one operation after another. */
export class Generator {
  readonly #random: Random
  readonly #weights: number[]
  #producers: Producer[] = [5, 6, 7].map((id) => ({ id, epoch: 0, next: [0, 0, 0] }))
  #sessions: Session[] = []
  #leaderEpochs = REPLICAS.map(() => 0)
  #partitionEpoch = 0
  #fresh: Session | null = null
  /** Bytes that clients may still write are counted down: by reactors beside each other, so batches come one by one. */
  #isCounting = false

  readonly #mayWait: boolean
  readonly #transactions: Transactions
  /** Logs are compacted in this run: planes agree on records then, not on bytes, and nothing may depend on sizes. */
  readonly compacts: boolean

  /** `mayWait`: both planes have virtual time. */
  constructor(random: Random, mayWait: boolean) {
    this.#random = random
    this.#mayWait = mayWait
    this.#transactions = new Transactions(random)
    this.compacts = random.ratio(1, 3)
    // Swarm: each run likes some operations more than others, and leaves some out.
    this.#weights = KINDS.map(() => random.pick([0, 1, 1, 3, 8]))
    this.#weights[0] = 8
    this.#weights[1] = Math.max(2, this.#weights[1]!)
    this.#weights.push(...COMPACTING.map(() => (this.compacts ? random.pick([1, 1, 3]) : 0)))
  }

  /** Small segments and odd limits, by partition. */
  config(): PartitionConfig {
    return {
      ...CONFIG,
      segmentBytesMax: this.#random.pick([300, 2000, 1 << 30]),
      messageBytesMax: this.#random.pick([250, 1_048_588]),
      minInsyncReplicas: this.#random.pick([1, 2, 2]),
      compacted: this.#random.ratio(1, 4),
      timestampAfterMsMax: this.#random.pick([1000, Number.MAX_SAFE_INTEGER]),
      // To no codec only: two libraries need not compress to the same bytes. In real time nobody knows when a
      // helper has ended.
      ...(this.#random.ratio(1, 3) && this.#mayWait ? { recompressTo: 0 } : {}),
    }
  }

  next(rows: readonly PartitionRow[], sessions: number): Op {
    if (this.#fresh !== null && sessions > this.#sessions.length) this.#sessions.push(this.#fresh)
    this.#fresh = null
    const total = this.#weights.reduce((sum, weight) => sum + weight, 0)
    let ticket = this.#random.nextInt(total)
    const index = this.#weights.findIndex((weight) => (ticket -= weight) < 0)
    return this[[...KINDS, ...COMPACTING][index]!](rows)
  }

  /** Waiting ends by signal, or at a jump of time: never by the time that steps take. */
  #patience(): number {
    return this.#mayWait ? this.#random.pick([10_000, 30_000, FOREVER_MS]) : FOREVER_MS
  }

  #slot(): number {
    return this.#random.nextInt(REPLICAS.length)
  }

  #near(offset: number): number {
    return Math.max(0, offset + this.#random.pick([-3, -1, 0, 0, 0, 1]))
  }

  produce(): Op {
    const version = this.#random.nextInt(3, 14)
    const most = this.#random.pick([1, 1, 1, 2])
    const count = this.#isCounting ? 1 : most
    const partitionData = [...Array(count)].map(() => {
      const index = this.#random.ratio(1, 30) ? 9 : this.#slot()
      return { index, records: this.#records(index) }
    })
    const isUnknown = this.#random.ratio(1, 40)
    return {
      kind: 'produce',
      conn: this.#random.nextInt(CONNECTIONS),
      version,
      body: {
        acks: this.#random.pick([-1, -1, -1, 1, 1, 0, this.#random.ratio(1, 20) ? 2 : 1]),
        timeoutMs: this.#patience(),
        topicData: [
          {
            name: isUnknown ? 'nowhere' : TOPIC,
            topicId: isUnknown ? NO_ID : TOPIC_ID,
            partitionData,
          },
        ],
      },
    }
  }

  #records(index: number): Uint8Array | null {
    if (this.#random.ratio(1, 60)) return null
    const count = this.#random.nextInt(1, 4)
    const compression = this.#random.pick(['none', 'none', 'none', 'none', 'gzip', 'zstd'] as const)
    const records = [...Array(count)].map(() => ({
      timestamp: BASE_MS + this.#random.nextInt(100),
      key: this.#random.ratio(1, 10) ? null : Uint8Array.of(1, this.#key()),
      value: this.#value(),
    }))
    const batch = encodeBatch({
      records,
      ...this.#identity(index, count),
      compression,
      compress: (codec, bytes) => (codec === 'gzip' ? gzipSync(bytes) : zstdCompressSync(bytes)),
    })
    return this.#random.ratio(1, 8) ? this.#spoil(batch) : batch
  }

  #key(): number {
    return this.compacts ? this.#random.nextInt(6) : 2
  }

  #value(): Uint8Array | null {
    if (this.compacts && this.#random.ratio(1, 6)) return null
    return new Uint8Array(this.#random.pick([0, 5, 60, 150])).fill(120)
  }

  #identity(index: number, count: number) {
    if (index >= REPLICAS.length || this.#random.ratio(1, 2)) return {}
    const producer = this.#random.pick(this.#producers)
    if (this.#random.ratio(1, 25)) {
      producer.epoch++
      producer.next = [0, 0, 0]
    }
    const baseSequence = producer.next[index]!
    const past = this.#random.pick([0, 0, 0, 0, 1, 2, 4, -2])
    if (past === 0) producer.next[index]! += count
    return {
      producerId: producer.id,
      producerEpoch: Math.max(0, producer.epoch - (this.#random.ratio(1, 25) ? 1 : 0)),
      baseSequence: Math.max(0, baseSequence - past),
    }
  }

  /** One thing wrong with it; half of them with a right checksum. */
  #spoil(batch: Uint8Array): Uint8Array {
    const view = new DataView(batch.buffer, batch.byteOffset, batch.length)
    const random = this.#random
    const isSealed = random.ratio(1, 2)
    random.pick([
      () => view.setInt32(57, random.nextInt(-1, 6)),
      () => view.setInt32(23, random.nextInt(-1, 6)),
      () => view.setInt8(16, random.pick([0, 1, 3, -1])),
      () => view.setInt16(21, random.pick([8, 16, 32, 5, 6])),
      () => view.setBigInt64(0, 3n),
      () => view.setBigInt64(35, BigInt(random.pick([-1, 0, BASE_MS, 2 * BASE_MS]))),
      () => view.setInt32(8, random.pick([-1, 0, 13, 48, 49, batch.length - 13, batch.length])),
      () => view.setUint8(61 + random.nextInt(batch.length - 61), random.nextInt(256)),
    ])()
    if (isSealed) sealBatch(batch, 0, batch.length)
    return random.ratio(1, 6) ? batch.slice(0, random.nextInt(batch.length)) : batch
  }

  transact(): Op {
    const slot = this.#slot()
    return {
      kind: 'produce',
      conn: this.#random.nextInt(CONNECTIONS),
      version: this.#random.nextInt(9, 14),
      body: {
        transactionalId: this.#random.ratio(1, 40) ? null : 'tx',
        acks: this.#random.pick([-1, -1, -1, 1]),
        timeoutMs: this.#patience(),
        topicData: [
          {
            name: TOPIC,
            topicId: TOPIC_ID,
            partitionData: [{ index: slot, records: this.#transactions.batch(slot) }],
          },
        ],
      },
    }
  }

  mark(): Op {
    const slot = this.#slot()
    const leaderEpoch = this.#leaderEpochs[slot]! - (this.#random.ratio(1, 20) ? 1 : 0)
    return { kind: 'mark', slot, leaderEpoch, marker: this.#transactions.marker() }
  }

  admit(): Op {
    return { kind: 'admit', ...this.#transactions.admission() }
  }

  fetch(rows: readonly PartitionRow[]): Op {
    const version = this.#random.nextInt(4, 19)
    const wantsSession = version >= 7 && this.#random.ratio(1, 2)
    const waits = this.#random.ratio(1, 12)
    const body: FetchBody = {
      maxWaitMs: waits ? this.#patience() : 0,
      minBytes: this.#random.pick(this.compacts ? [0, 1] : [0, 1, 100]),
      maxBytes: this.#random.pick(this.compacts ? [1 << 20] : [0, 150, 600, 1 << 20]),
      isolationLevel: this.#random.nextInt(2),
      topics: this.#topics(rows, version),
    }
    const conn = this.#random.nextInt(CONNECTIONS)
    if (!wantsSession) return { kind: 'fetch', conn, version, body, session: -1 }
    return this.#inSession(conn, version, body)
  }

  #topics(rows: readonly PartitionRow[], version: number): NonNullable<FetchBody['topics']> {
    const slots = this.#random.shuffle([0, 1, 2]).slice(0, this.#random.nextInt(0, 4))
    if (slots.length === 0) return []
    const isUnknown = this.#random.ratio(1, 40)
    const partitions = slots.map((slot) => ({
      partition: this.#random.ratio(1, 40) ? 8 : slot,
      fetchOffset: this.#random.ratio(1, 2)
        ? this.#random.nextInt(rows[slot]!.logEndOffset + 1)
        : this.#near(rows[slot]!.logEndOffset),
      currentLeaderEpoch: this.#random.ratio(1, 2)
        ? -1
        : this.#leaderEpochs[slot]! + this.#random.pick([0, 0, 0, 1, -1]),
      partitionMaxBytes: this.#random.pick([0, 200, 1 << 20]),
      ...(version >= 12 && this.#random.ratio(1, 6)
        ? { lastFetchedEpoch: Math.max(0, this.#near(rows[slot]!.leaderEpoch)) }
        : {}),
    }))
    return [
      {
        topic: isUnknown ? 'nowhere' : TOPIC,
        topicId: isUnknown ? NO_ID : TOPIC_ID,
        partitions,
      },
    ]
  }

  #inSession(conn: number, version: number, body: FetchBody): Op {
    const usesIds = version >= 13
    const known = this.#sessions.length
    if (known === 0 || this.#random.ratio(1, 4)) {
      // Answered at once, so that the two planes number sessions alike.
      this.#fresh = { conn, epoch: 1, usesIds }
      const first = { ...body, maxWaitMs: 0, sessionEpoch: 0 }
      return { kind: 'fetch', conn, version, body: first, session: -1 }
    }
    const index = this.#random.nextInt(known)
    const session = this.#sessions[index]!
    const isWrong = this.#random.ratio(1, 12)
    const sessionEpoch = isWrong ? session.epoch + 1 : session.epoch
    if (!isWrong && session.usesIds === usesIds) session.epoch++
    const forgotten = this.#random.ratio(1, 4) ? [this.#slot()] : []
    const forgottenTopicsData = forgotten.map((slot) => ({
      topic: TOPIC,
      topicId: TOPIC_ID,
      partitions: [slot],
    }))
    const next = { ...body, maxWaitMs: 0, sessionEpoch, forgottenTopicsData }
    return { kind: 'fetch', conn: session.conn, version, body: next, session: index }
  }

  follower(rows: readonly PartitionRow[]): Op {
    const version = this.#random.nextInt(12, 19)
    const slot = this.#random.pick([1, 1, 2])
    const replicaId = this.#random.pick([2, 2, 3, 3, 4])
    const fetchOffset = this.#near(rows[slot]!.logEndOffset)
    const who = version < 15 ? { replicaId } : { replicaState: { replicaId, replicaEpoch: 1 } }
    const partition = {
      partition: slot,
      fetchOffset,
      currentLeaderEpoch: this.#random.pick([-1, this.#leaderEpochs[slot]!]),
      partitionMaxBytes: 1 << 20,
    }
    const topics = [{ topic: TOPIC, topicId: TOPIC_ID, partitions: [partition] }]
    const body = { maxWaitMs: 0, minBytes: 1, ...who, topics }
    return { kind: 'fetch', conn: this.#random.nextInt(CONNECTIONS), version, body, session: -1 }
  }

  lead(): Op {
    const slot = this.#slot()
    const isStale = this.#random.ratio(1, 8)
    const leaderEpoch = isStale ? this.#leaderEpochs[slot]! - 1 : ++this.#leaderEpochs[slot]!
    const replicas = REPLICAS[slot]!
    const lead = { slot, leaderEpoch, partitionEpoch: ++this.#partitionEpoch, replicas }
    return verb('lead', [{ ...lead, isr: replicas }])
  }

  follow(): Op {
    // Followers answer little: most changes of role end in a leader.
    if (this.#random.ratio(2, 3)) return this.lead()
    const slot = this.#slot()
    return verb('follow', [slot, ++this.#leaderEpochs[slot]!, this.#random.pick([-1, 2, 3])])
  }

  isr(): Op {
    const slot = this.#random.pick([1, 1, 2])
    const others = REPLICAS[slot]!.slice(1).filter(() => this.#random.ratio(2, 3))
    const epoch = this.#leaderEpochs[slot]! - (this.#random.ratio(1, 10) ? 1 : 0)
    return verb('isr', [slot, epoch, ++this.#partitionEpoch, [1, ...others]])
  }

  trim(rows: readonly PartitionRow[]): Op {
    const slot = this.#slot()
    const { highWatermark, lastStableOffset } = rows[slot]!
    const end = this.#hasUnstable(rows[slot]!) ? lastStableOffset : highWatermark + 1
    return asked('trim', [slot, this.#random.nextInt(end + 1)])
  }

  /** Whether a reopened log remembers an open transaction whose beginning is gone is a plane's own affair. */
  #hasUnstable({ lastStableOffset, highWatermark }: PartitionRow): boolean {
    return lastStableOffset < highWatermark
  }

  retain(rows: readonly PartitionRow[]): Op {
    const slot = this.#slot()
    if (this.#hasUnstable(rows[slot]!)) return this.mark()
    if (this.compacts) return asked('retain', [slot, { retentionMs: -1, retentionBytes: 0 }])
    // Batches are years old, of the future, or have no time; no run takes a month.
    const retentionMs = this.#random.pick([-1, -1, 2_592_000_000])
    const retentionBytes = this.#random.pick([-1, 0, 300, 900, 4000])
    return asked('retain', [slot, { retentionMs, retentionBytes }])
  }

  truncate(rows: readonly PartitionRow[]): Op {
    const slot = this.#slot()
    // Where an epoch could end: the watermark is always between batches. Leaders do not truncate.
    if (rows[slot]!.isLeader) return this.isr()
    return asked('truncate', [slot, this.#leaderEpochs[slot]!, rows[slot]!.highWatermark])
  }

  configure(): Op {
    return verb('configure', [this.#slot(), this.config()])
  }

  lookup(rows: readonly PartitionRow[]): Op {
    const slot = this.#slot()
    return this.#random.pick([
      () => asked('lookup', [slot, 0, BASE_MS + this.#random.nextInt(110)]),
      // Headers without records have a time in one plane and none in the other.
      () => (this.compacts ? asked('flush', [slot]) : asked('lookup', [slot, 1, 0])),
      () => asked('lookup', [slot, 2, this.#near(this.#leaderEpochs[slot]!)]),
      () => asked('read', [slot, this.#near(rows[slot]!.logEndOffset - 2), 300]),
      () => asked('flush', [slot]),
      () => asked('producers', [slot]),
    ])()
  }

  append(): Op {
    const slot = this.#slot()
    const isOurs = this.#random.ratio(1, 2)
    const plain = { records: [{ value: Uint8Array.of(1) }], timestamp: BASE_MS }
    const batch = isOurs ? this.#transactions.ownBatch() : encodeBatch(plain)
    const epoch = this.#leaderEpochs[slot]! + this.#random.pick([0, 0, 0, -1, 1])
    return asked('append', [slot, epoch, batch])
  }

  cut(): Op {
    const { conn, version, body } = this.produce() as Extract<Op, { kind: 'produce' }>
    const isLonger = this.#random.ratio(1, 3)
    const keeps = isLonger ? 1 : this.#random.nextFloat()
    return { kind: 'cut', conn, version, body, keeps, adds: isLonger ? 3 : 0 }
  }

  wait(rows: readonly PartitionRow[]): Op {
    return this.#mayWait ? { kind: 'wait', ms: WAIT_MS } : this.lookup(rows)
  }

  /** Never where it would let go of many. */
  verdict(rows: readonly PartitionRow[]): Op {
    if (this.#isCounting) return this.lookup(rows)
    const isAllowed = this.#random.ratio(3, 4)
    return verb('verdict', [0, HANDLE, TopicOperation.write, isAllowed])
  }

  limit(): Op {
    const clientBytes = this.#random.pick([-1, -1, -1, 0, 1, 300, 2000])
    this.#isCounting = clientBytes > 0
    return { kind: 'limit', limits: { clientBytes, isShort: this.#random.ratio(1, 2) } }
  }

  reopen(): Op {
    const slot = this.#slot()
    const mode = this.#random.pick([RetireMode.close, RetireMode.delete])
    this.#forgetProducers()
    return { kind: 'reopen', slot, mode, leaderEpoch: ++this.#leaderEpochs[slot]! }
  }

  /** What is found again in the horizon of a tombstone is now, or never. */
  clean(rows: readonly PartitionRow[]): Op {
    const slot = this.#slot()
    const options = {
      firstDirtyOffset: this.#random.pick([0, 0, this.#near(rows[slot]!.lastStableOffset - 5)]),
      minLagMs: 0,
      deleteRetentionMs: this.#random.pick([0, 0, FOREVER_MS]),
      mapBytes: 1 << 20,
      mapLoad: 0.9,
      bufferBytes: this.#random.pick([4096, 64 << 10]),
      bytesPerSecond: 0,
    }
    return { kind: 'clean', slot, options }
  }

  survey(): Op {
    return { kind: 'survey', slot: this.#slot() }
  }

  /** How far back a reopened log remembers is a plane's own affair: other producers take over. */
  #forgetProducers(): void {
    this.#transactions.forget()
    this.#producers = this.#producers.map(({ id }) => ({ id: id + 3, epoch: 0, next: [0, 0, 0] }))
  }

  restart(): Op {
    if (this.#random.ratio(3, 4)) return this.lookup([...REPLICAS].map(() => EMPTY_ROW))
    this.#sessions = []
    this.#isCounting = false
    const newest = Math.max(...this.#leaderEpochs) + 1
    this.#leaderEpochs = this.#leaderEpochs.map(() => newest)
    this.#forgetProducers()
    return { kind: 'restart', isClean: this.#random.ratio(1, 2) }
  }
}

const KINDS = [
  'produce',
  'fetch',
  'transact',
  'mark',
  'admit',
  'follower',
  'lead',
  'follow',
  'isr',
  'trim',
  'retain',
  'truncate',
  'configure',
  'lookup',
  'append',
  'cut',
  'wait',
  'verdict',
  'limit',
  'reopen',
  'restart',
] as const

const COMPACTING = ['clean', 'survey'] as const

const EMPTY_ROW = { logEndOffset: 2, highWatermark: 0 } as PartitionRow

const verb = (name: string, args: readonly unknown[]): Op => ({
  kind: 'verb',
  name,
  args,
  isAsked: false,
})

const asked = (name: string, args: readonly unknown[]): Op =>
  ({ ...verb(name, args), isAsked: true }) as Op
