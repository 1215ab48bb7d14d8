// One plane as the differential fuzzer drives it: operations go in, everything observable comes out in a form
// that two planes can be compared by. Free are session ids (numbered by first sight) and texts (only whether
// there is one); every response must also be the canonical encoding of what it says, byte for byte.

import { MalformedFrame, Reader } from '../../src/lib/bytes.ts'
import { RetireMode, TopicOperation } from '../../src/plane/layout.ts'
import { decompress } from '../../src/plane/model_codecs.ts'
import type {
  CleanOptions,
  DirectoryLimits,
  PartitionConfig,
  PartitionRow,
  TransactionMarker,
} from '../../src/plane/plane.ts'
import { decodeFrom, encode } from '../../src/protocol/codec.ts'
import type { EncodableOf } from '../../src/protocol/dsl.ts'
import {
  encodeRequestFrame,
  ResponseHeader,
  responseHeaderVersion,
} from '../../src/protocol/headers.ts'
import { Fetch, Produce } from '../../src/protocol/messages/produce_fetch.ts'
import { type BatchHeader, batchesOf, recordsOf } from '../../src/protocol/record_batch.ts'
import { HANDLE, TOPIC, TOPIC_ID } from '../plane/fixture.ts'
import type { PlaneUnderTest, TestConnection } from '../plane/harness.ts'

export const CONNECTIONS = 4
/** A row of the verb `producers`. */
const PRODUCER_BYTES = 48
/** By slot, which is the partition index: who replicates it. */
export const REPLICAS: readonly (readonly number[])[] = [[1], [1, 2, 3], [1, 2]]

export type ProduceBody = EncodableOf<(typeof Produce)['request']>
export type FetchBody = EncodableOf<(typeof Fetch)['request']>

/** One step of a run: data, so that it prints. */
export type Op =
  | { kind: 'produce'; conn: number; version: number; body: ProduceBody }
  | { kind: 'fetch'; conn: number; version: number; body: FetchBody; session: number }
  | { kind: 'cut'; conn: number; version: number; body: ProduceBody; keeps: number; adds: number }
  | { kind: 'verb'; name: string; args: readonly unknown[]; isAsked: boolean }
  | { kind: 'reopen'; slot: number; mode: number; leaderEpoch: number }
  | { kind: 'mark'; slot: number; leaderEpoch: number; marker: TransactionMarker }
  | { kind: 'admit'; question: number; errorCode: number }
  | { kind: 'limit'; limits: DirectoryLimits }
  | { kind: 'clean'; slot: number; options: CleanOptions }
  | { kind: 'survey'; slot: number }
  | { kind: 'wait'; ms: number }
  | { kind: 'restart'; isClean: boolean }

interface Sent {
  readonly api: typeof Produce | typeof Fetch
  readonly version: number
  readonly correlationId: number
}

/** What one step showed. */
export interface Observation {
  readonly responses: readonly unknown[]
  readonly answers: readonly unknown[]
  /** Who asked to begin a transaction. */
  readonly questions: readonly unknown[]
  readonly closed: readonly number[]
  readonly rows: readonly PartitionRow[]
}

/** What can be compared. */
export interface Sees {
  /** In real time a rolled segment is synced when the disk is done: no step to see it at. */
  readonly syncs: boolean
  /** Of a log that is compacted planes agree on the records; batches and segments are their own affair. */
  readonly bytes: boolean
}

/** A plane with partitions, connections, and what is known of its sessions. */
export class World {
  under: PlaneUnderTest
  readonly #configs: PartitionConfig[]
  readonly #sees: Sees
  #conns: TestConnection[] = []
  #sent: Sent[][] = []
  #sessions: number[] = []
  #tickets: number[] = []
  /** Of markers, which are answered when they are replicated. */
  #late: number[] = []
  #questions = 0
  #nextTicket = 1
  #nextCorrelation = 1
  #port = 0
  #epoch = 0
  #wasKilled = false

  constructor(under: PlaneUnderTest, configs: readonly PartitionConfig[], sees: Sees) {
    this.under = under
    this.#configs = [...configs]
    this.#sees = sees
  }

  get sessions(): number {
    return this.#sessions.length
  }

  /** Opens every partition, leads all, connects. */
  async start(rows: readonly PartitionRow[] = [], isClean = false): Promise<void> {
    const { plane } = this.under
    this.#port = plane.listen({ listener: 1, host: '127.0.0.1', port: 0, data: true })
    REPLICAS.forEach((_, slot) => {
      this.#create(slot, rows[slot], isClean)
    })
    await this.#answered()
    const leaderEpoch = this.#epoch
    REPLICAS.forEach((replicas, slot) => {
      plane.lead({ slot, leaderEpoch, partitionEpoch: 0, replicas, isr: replicas })
    })
    plane.route({
      handle: HANDLE,
      name: TOPIC,
      topicId: TOPIC_ID,
      partitions: REPLICAS.map((_, slot) => ({ slot, leaderId: 1, leaderEpoch })),
    })
    // Reads never park here: released at once, followers and consumers have no order among each other.
    plane.verdict(0, HANDLE, TopicOperation.read, true)
    plane.brokers(1, [{ id: 2, host: 'two', port: 9092, rack: null }])
    for (let conn = 0; conn < CONNECTIONS; conn++) await this.#connect(conn)
    await this.under.quiet()
  }

  #create(slot: number, row: PartitionRow | undefined, isClean: boolean): void {
    this.under.plane.create(
      {
        slot,
        incarnation: 1,
        directory: this.under.directory,
        topic: TOPIC,
        topicId: TOPIC_ID,
        partition: slot,
        config: this.#configs[slot]!,
        isCleanShutdown: isClean,
        recoveryPoint: isClean ? (row?.recoveryPoint ?? 0) : 0,
        logStartOffset: row?.logStartOffset ?? 0,
        highWatermark: row?.highWatermark ?? 0,
        isWatched: false,
        isRaft: false,
      },
      this.#ticket(),
    )
  }

  async #connect(conn: number): Promise<void> {
    this.#conns[conn] = await this.under.connect(this.#port)
    this.#sent[conn] = []
  }

  #ticket(): number {
    const ticket = this.#nextTicket++
    this.#tickets.push(ticket)
    return ticket
  }

  #answered(): Promise<void> {
    const all = () => this.#tickets.every((t) => this.under.facts.answer(t) !== undefined)
    return this.under.until(all, 'answers to verbs')
  }

  /** Does one step and waits until nothing more comes of it. */
  async apply(op: Op): Promise<Observation> {
    const answers: unknown[] = []
    if (op.kind === 'produce') this.#send(op.conn, Produce, op.version, op.body)
    else if (op.kind === 'fetch') this.#fetch(op)
    else if (op.kind === 'cut') this.#cut(op)
    else if (op.kind === 'verb') answers.push(await this.#verb(op))
    else if (op.kind === 'mark') this.#mark(op)
    else if (op.kind === 'admit') this.#admit(op)
    else if (op.kind === 'limit') this.#limit(op.limits)
    else if (op.kind === 'reopen') await this.#reopen(op)
    else if (op.kind === 'clean') answers.push(await this.#clean(op))
    else if (op.kind === 'survey') answers.push(await this.#survey(op.slot))
    else if (op.kind === 'wait') await this.under.advance(op.ms)
    else await this.#restart(op.isClean)
    await this.under.quiet()
    return this.#observe(answers)
  }

  #send(
    conn: number,
    api: typeof Produce | typeof Fetch,
    version: number,
    body: ProduceBody | FetchBody,
  ): void {
    const correlationId = this.#nextCorrelation++
    this.#sent[conn]!.push({ api, version, correlationId })
    const header = { correlationId, clientId: 'fuzz' }
    this.#conns[conn]!.send(encodeRequestFrame(api as never, version, header, body as never))
  }

  /** A frame that ends too early, or goes on after its end. */
  #cut(op: Extract<Op, { kind: 'cut' }>): void {
    const correlationId = this.#nextCorrelation++
    this.#sent[op.conn]!.push({ api: Produce, version: op.version, correlationId })
    const header = { correlationId, clientId: 'fuzz' }
    const whole = encodeRequestFrame(Produce, op.version, header, op.body)
    const frame = new Uint8Array(Math.max(12, Math.floor(whole.length * op.keeps)) + op.adds)
    frame.set(whole.subarray(0, frame.length))
    new DataView(frame.buffer).setInt32(0, frame.length - 4)
    this.#conns[op.conn]!.send(frame)
  }

  #fetch(op: Extract<Op, { kind: 'fetch' }>): void {
    // A session that was never made has an id that nobody has.
    const sessionId = op.session < 0 ? 0 : (this.#sessions[op.session] ?? 0x7ffffff0)
    this.#send(op.conn, Fetch, op.version, { ...op.body, sessionId })
  }

  async #verb(op: Extract<Op, { kind: 'verb' }>): Promise<unknown> {
    const plane = this.under.plane as unknown as Record<string, (...args: unknown[]) => void>
    if (op.name === 'configure') this.#configs[op.args[0] as number] = op.args[1] as PartitionConfig
    if (op.name === 'lead') this.#epoch = Math.max(this.#epoch, leaderEpochOf(op.args[0]))
    if (op.name === 'follow') this.#epoch = Math.max(this.#epoch, op.args[1] as number)
    if (!op.isAsked) return plane[op.name]!(...op.args)
    const ticket = this.#ticket()
    plane[op.name]!(...op.args, ticket)
    await this.#answered()
    const { ticket: _, ...answer } = this.under.facts.answer(ticket)!
    if (op.name === 'read' && !this.#sees.bytes) return isSome(answer)
    if (op.name === 'producers') return openIn(answer['bytes'] as Uint8Array)
    // Beside an error the numbers mean nothing; how many segments retention took is their own affair, too.
    if (answer['errorCode'] !== 0) return { errorCode: answer['errorCode'] }
    return op.name === 'retain' && !this.#sees.bytes ? { ...answer, b: 0 } : answer
  }

  /** Compacts, and tells what is left. */
  async #clean({ slot, options }: Extract<Op, { kind: 'clean' }>): Promise<unknown> {
    const ticket = this.#ticket()
    this.under.plane.clean(slot, options, ticket)
    await this.#answered()
    const { errorCode, a } = this.under.facts.answer(ticket)!
    return { errorCode, next: a, left: await this.#survey(slot) }
  }

  /** Every record from the log start on, whatever batches they are in. */
  async #survey(slot: number): Promise<unknown> {
    const { plane, facts } = this.under
    const { logStartOffset, logEndOffset } = plane.partition(slot)
    const records: unknown[] = []
    for (let offset = logStartOffset; offset < logEndOffset; ) {
      const ticket = this.#ticket()
      plane.read(slot, offset, 1 << 20, ticket)
      await this.#answered()
      const answer = facts.answer(ticket)!
      const [errorCode, bytes] = [answer.errorCode, answer['bytes'] as Uint8Array]
      if (errorCode !== 0 || bytes.length === 0) return { records, errorCode, stuckAt: offset }
      for (const header of batchesOf(bytes)) {
        records.push(...recordsIn(bytes, header).filter((one) => one.offset >= logStartOffset))
        offset = header.lastOffset + 1
      }
    }
    return records
  }

  #mark({ slot, leaderEpoch, marker }: Extract<Op, { kind: 'mark' }>): void {
    const ticket = this.#nextTicket++
    this.#late.push(ticket)
    this.under.plane.marker(slot, leaderEpoch, marker, ticket)
  }

  /** Answers a question, counted from the newest; it may be answered or void already. */
  #admit({ question, errorCode }: Extract<Op, { kind: 'admit' }>): void {
    const fact = this.under.facts.of('admissionNeeded').at(-1 - question)
    if (fact === undefined) return
    this.under.plane.admit(fact['slot'] as number, fact['ask'] as number, errorCode)
  }

  #limit(limits: DirectoryLimits): void {
    this.under.plane.limitDirectory(this.under.directory, limits)
  }

  #marked(): unknown[] {
    const answers = this.#late.map((ticket) => this.under.facts.answer(ticket))
    this.#late = this.#late.filter((_, at) => answers[at] === undefined)
    return answers.flatMap((answer) => {
      if (answer === undefined) return []
      const { ticket: _, ...rest } = answer
      return [rest['errorCode'] === 0 ? rest : { errorCode: rest['errorCode'] }]
    })
  }

  #asked(): unknown[] {
    const all = this.under.facts.of('admissionNeeded')
    const fresh = all.slice(this.#questions).map(({ ask: _, ...question }) => question)
    this.#questions = all.length
    // Reactors ask beside each other.
    return fresh.sort((x, y) => (x['slot'] as number) - (y['slot'] as number))
  }

  async #reopen({ slot, mode, leaderEpoch }: Extract<Op, { kind: 'reopen' }>): Promise<void> {
    const { plane } = this.under
    const row = plane.partition(slot)
    plane.retire(slot, mode, this.#ticket())
    await this.#answered()
    this.#create(slot, mode === RetireMode.delete ? undefined : row, mode === RetireMode.close)
    await this.#answered()
    const replicas = REPLICAS[slot]!
    this.#epoch = Math.max(this.#epoch, leaderEpoch)
    plane.lead({ slot, leaderEpoch, partitionEpoch: 0, replicas, isr: replicas })
  }

  async #restart(isClean: boolean): Promise<void> {
    await this.under.quiet()
    this.#wasKilled ||= !isClean
    const rows = this.#rows()
    this.under = await this.under.restart({ isClean })
    this.#sessions = []
    this.#tickets = []
    this.#late = []
    this.#questions = 0
    this.#epoch++
    await this.start(rows, isClean)
  }

  #rows(): PartitionRow[] {
    return REPLICAS.map((_, slot) => this.under.plane.partition(slot))
  }

  async #observe(answers: unknown[]): Promise<Observation> {
    const responses: unknown[] = []
    const closed: number[] = []
    for (let conn = 0; conn < CONNECTIONS; conn++) {
      for (const frame of this.#conns[conn]!.receive()) responses.push(this.#response(conn, frame))
      if (!this.#conns[conn]!.isClosed) continue
      closed.push(conn)
      await this.#connect(conn)
    }
    const rows = this.#rows()
    if (!this.#sees.syncs) for (const row of rows) row.recoveryPoint = 0
    if (!this.#sees.bytes) for (const row of rows) row.bytes = row.segments = 0
    answers.push(...this.#marked())
    return { responses, answers, questions: this.#asked(), closed, rows }
  }

  #response(conn: number, frame: Uint8Array): unknown {
    let sent = this.#sent[conn]!.shift()!
    const correlation = new DataView(frame.buffer, frame.byteOffset).getInt32(0)
    // acks=0 gets no response: skip requests until the one that this answers.
    while (sent.correlationId !== correlation) sent = this.#sent[conn]!.shift()!
    const reader = new Reader(frame)
    const headerVersion = responseHeaderVersion(sent.api as never, sent.version)
    decodeFrom(ResponseHeader, headerVersion, reader)
    const body = frame.slice(reader.offset)
    const value = decodeFrom(sent.api.response as never, sent.version, reader) as never
    const again = encode(sent.api.response as never, sent.version, value)
    const isCanonical = Buffer.compare(body, again) === 0
    return { conn, version: sent.version, isCanonical, ...this.#normal(value) }
  }

  #normal(value: Record<string, unknown>): object {
    if (typeof value['sessionId'] === 'number') {
      const id = value['sessionId']
      if (id !== 0 && !this.#sessions.includes(id)) this.#sessions.push(id)
      value['sessionId'] = id === 0 ? 0 : this.#sessions.indexOf(id) + 1
    }
    const topics = value['responses'] as Record<string, unknown>[]
    for (const topic of topics) {
      for (const partition of (topic['partitions'] ?? []) as Record<string, unknown>[]) {
        if (this.#wasKilled) forgetBeginnings(partition['abortedTransactions'])
        if (this.#sees.bytes) continue
        partition['records'] = isSome(partition['records'])
        // Those of what is read at once, which ends with the segment.
        partition['abortedTransactions'] = null
      }
      for (const partition of (topic['partitionResponses'] ?? []) as Record<string, unknown>[]) {
        partition['errorMessage'] = null
        for (const error of partition['recordErrors'] as Record<string, unknown>[]) {
          error['batchIndexErrorMessage'] = error['batchIndexErrorMessage'] === null ? null : 'text'
        }
      }
    }
    return value
  }

  close(): Promise<void> {
    return this.under.close()
  }
}

/** The records of a batch with what they inherit from it. */
function recordsIn(bytes: Uint8Array, header: BatchHeader): { offset: number }[] {
  const { producerId, producerEpoch, baseSequence, partitionLeaderEpoch, isControl } = header
  const { isTransactional, lastOffset } = header
  const of = { producerId, producerEpoch, baseSequence, partitionLeaderEpoch, isControl }
  try {
    const all = [...recordsOf(bytes, header, decompress)]
    return all.map((record) => ({
      ...record,
      key: textOf(record.key),
      value: textOf(record.value),
      headers: record.headers.length,
      ...of,
      isTransactional,
      lastOffset,
    }))
  } catch (error) {
    if (!(error instanceof MalformedFrame)) throw error
    return [{ offset: header.baseOffset, unread: true, ...of } as { offset: number }]
  }
}

/** Whichever codec it came from. */
const textOf = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : Buffer.from(bytes).toString('hex')

/** Where an aborted transaction began may be below the log start, and is found anew after a kill: by who remembers it. */
function forgetBeginnings(aborted: unknown): void {
  for (const transaction of (aborted ?? []) as { firstOffset: number }[])
    transaction.firstOffset = 0
}

const isSome = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return value.length > 0
  if (value === null || typeof value !== 'object' || !('bytes' in value)) return value
  return { ...value, bytes: isSome(value.bytes) }
}

const leaderEpochOf = (options: unknown): number => (options as { leaderEpoch: number }).leaderEpoch

/** Producers with a transaction open; of others a plane may remember more or less. */
function openIn(bytes: Uint8Array): unknown[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const open: unknown[] = []
  for (let at = 0; at < bytes.length; at += PRODUCER_BYTES) {
    const firstOffset = view.getFloat64(at + 16, true)
    if (firstOffset < 0) continue
    const [producerId, epoch] = [view.getFloat64(at, true), view.getInt32(at + 24, true)]
    open.push({ producerId, firstOffset, epoch })
  }
  return open.sort((x, y) => JSON.stringify(x).localeCompare(JSON.stringify(y)))
}
