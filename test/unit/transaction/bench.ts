// A transaction shard by hand: requests in, answers out, its log as a list that it can be read back from.

import { Decision } from '../../../src/coordinator/shard.ts'
import type { Transaction, TransactionRecord } from '../../../src/transaction/records.ts'
import {
  decodeTransactionRecord,
  encodeTransactionRecord,
} from '../../../src/transaction/records.ts'
import type {
  MarkersOwed,
  TransactionReply,
  TransactionRequest,
} from '../../../src/transaction/requests.ts'
import { TransactionShard } from '../../../src/transaction/shard.ts'

export const SETTINGS = {
  timeoutMsMax: 900_000,
  abortIntervalMs: 10_000,
  expirationMs: 604_800_000,
  expiryIntervalMs: 3_600_000,
}

export class TransactionBench {
  readonly log: TransactionRecord[] = []
  nowMs = 1_000_000
  serverVersion = 2
  owed: string[] = []
  timers = new Map<string, number | null>()
  shard: TransactionShard
  /** Called with each record, when it is in the log. */
  onRecord: (record: TransactionRecord) => void = () => {}
  private nextId = 1000

  constructor() {
    this.shard = this.open()
  }

  private open(): TransactionShard {
    return new TransactionShard({ ...SETTINGS, serverVersion: () => this.serverVersion })
  }

  private accept(decision: Decision<TransactionRecord, TransactionReply, MarkersOwed>) {
    for (const record of decision.records) {
      this.shard.replay(record, this.log.length)
      this.log.push(record)
      this.onRecord(record)
    }
    for (const { transactionalId } of decision.effects) this.owed.push(transactionalId)
    for (const [key, atMs] of decision.timers) this.timers.set(key, atMs)
    return decision.replies
  }

  ask(request: TransactionRequest): TransactionReply {
    const decision = new Decision<TransactionRecord, TransactionReply, MarkersOwed>()
    this.shard.handle(request, 1, this.nowMs, decision)
    return this.accept(decision)[0]![1]
  }

  expire(timer: string): void {
    const decision = new Decision<TransactionRecord, TransactionReply, MarkersOwed>()
    this.shard.expire(timer, this.nowMs, decision)
    this.accept(decision)
  }

  /** Lets time pass; timers fire when they are due. */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms
    for (;;) {
      const due = [...this.timers].filter(([, atMs]) => atMs !== null && atMs <= untilMs)
      const [next] = due.sort(([, x], [, y]) => x! - y!)
      if (next === undefined) break
      this.timers.delete(next[0])
      this.nowMs = Math.max(this.nowMs, next[1]!)
      this.expire(next[0])
    }
    this.nowMs = untilMs
  }

  /** A producer id nobody has had. */
  freshId(): number {
    return this.nextId++
  }

  /** Read back from the first `length` records as they are on disk. */
  restart(length = this.log.length): void {
    this.log.length = length
    this.shard = this.open()
    this.owed = []
    for (const [offset, record] of this.log.entries()) {
      this.shard.replay(decodeTransactionRecord(encodeTransactionRecord(record))!, offset)
    }
    this.ask({ kind: 'activate' })
  }

  get(transactionalId = 'tx'): Transaction | undefined {
    return this.shard.transactions.get(transactionalId)
  }

  /** `expected` is the producer id and epoch that the client says it has. */
  init(expected: [number, number] | null = null, timeoutMs = 60_000, transactionalId = 'tx') {
    const request = {
      kind: 'initProducerId' as const,
      transactionalId,
      timeoutMs,
      expected: expected === null ? null : { producerId: expected[0], producerEpoch: expected[1] },
      freshProducerId: null as number | null,
    }
    let reply = this.ask(request)
    if (reply.kind === 'producerIdNeeded') {
      reply = this.ask({ ...request, freshProducerId: this.freshId() })
    }
    if (reply.kind !== 'initProducerId') throw new Error(reply.kind)
    return [reply.errorCode, reply.producerId, reply.producerEpoch]
  }

  add(
    producerId: number,
    producerEpoch: number,
    topic = 't',
    partitionIds = [0],
    verifyOnly = false,
  ) {
    const producer = { transactionalId: 'tx', producerId, producerEpoch }
    const topics = [{ topic, partitionIds }]
    const transactionVersion = this.serverVersion
    const reply = this.ask({
      kind: 'addPartitions',
      producer,
      topics,
      verifyOnly,
      transactionVersion,
    })
    if (reply.kind !== 'addPartitions') throw new Error(reply.kind)
    return reply.errors[0]?.partitions.map(({ errorCode }) => errorCode) ?? reply.errorCode
  }

  end(producerId: number, producerEpoch: number, isCommit: boolean, transactionVersion = 0) {
    const request = {
      kind: 'endTransaction' as const,
      producer: { transactionalId: 'tx', producerId, producerEpoch },
      isCommit,
      transactionVersion,
      freshProducerId: null as number | null,
    }
    let reply = this.ask(request)
    if (reply.kind === 'producerIdNeeded') {
      reply = this.ask({ ...request, freshProducerId: this.freshId() })
    }
    if (reply.kind !== 'endTransaction') throw new Error(reply.kind)
    return [reply.errorCode, reply.producerId, reply.producerEpoch]
  }

  owedMarkers() {
    const reply = this.ask({ kind: 'owedMarkers', transactionalId: 'tx' })
    return reply.kind === 'owedMarkers' ? reply.markers : null
  }

  /** Writes what is owed, and says what the markers said. */
  settle() {
    const markers = this.owedMarkers()
    if (markers === null) return null
    const { producerId, producerEpoch } = markers
    const producer = { transactionalId: 'tx', producerId, producerEpoch }
    this.ask({ kind: 'markersWritten', producer })
    return markers
  }
}
