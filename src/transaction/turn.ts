// One turn of a transaction shard: what a decision reads, the time it is made at, and where it goes.
//
// Invariant: the truth changes in replay alone; `lastEpochs` is soft: the epoch a client had before the last bump, so that
// it may ask twice. It is lost with the shard, and a retry across that is fenced, as in Kafka (TransactionMetadata).

import type { Decision, Ticket, TimerKey } from '../coordinator/shard.ts'
import { assert } from '../lib/assert.ts'
import {
  NO_EPOCH,
  type Transaction,
  type TransactionRecord,
  transactionRecord,
  transactionTombstone,
} from './records.ts'
import type { MarkersOwed, TransactionReply } from './requests.ts'
import type { TransactionSettings } from './settings.ts'
import { canMove, isEnding } from './states.ts'

export type TransactionDecision = Decision<TransactionRecord, TransactionReply, MarkersOwed>

/** What the parts of a shard share. */
export interface Coordinator {
  readonly settings: TransactionSettings
  readonly transactions: ReadonlyMap<string, Transaction>
  readonly lastEpochs: Map<string, number>
}

/** One request or timeout being decided. */
export class Turn implements Coordinator {
  readonly settings: TransactionSettings
  readonly transactions: ReadonlyMap<string, Transaction>
  readonly lastEpochs: Map<string, number>
  readonly nowMs: number
  private readonly out: TransactionDecision

  constructor(coordinator: Coordinator, nowMs: number, out: TransactionDecision) {
    this.settings = coordinator.settings
    this.transactions = coordinator.transactions
    this.lastEpochs = coordinator.lastEpochs
    this.nowMs = nowMs
    this.out = out
  }

  get recordCount(): number {
    return this.out.records.length
  }

  reply(ticket: Ticket, reply: TransactionReply): void {
    this.out.replies.push([ticket, reply])
  }

  /** Arms a timer to fire after some time. */
  arm(timer: TimerKey, afterMs: number): void {
    this.out.timers.set(timer, this.nowMs + afterMs)
  }

  /** The id becomes this. */
  move(transactionalId: string, next: Transaction, lastEpoch = this.lastEpoch(transactionalId)) {
    const from = this.transactions.get(transactionalId)?.state ?? 'Empty'
    assert(canMove(from, next.state), `a transaction goes from ${from} to ${next.state}`)
    const version = this.settings.serverVersion() > 0 ? 1 : 0
    this.out.records.push(transactionRecord(transactionalId, next, version))
    this.lastEpochs.set(transactionalId, lastEpoch)
    if (isEnding(next)) this.owe(transactionalId)
  }

  owe(transactionalId: string): void {
    this.out.effects.push({ kind: 'markersOwed', transactionalId })
  }

  forget(transactionalId: string): void {
    this.out.records.push(transactionTombstone(transactionalId))
  }

  lastEpoch(transactionalId: string): number {
    return this.lastEpochs.get(transactionalId) ?? NO_EPOCH
  }
}
