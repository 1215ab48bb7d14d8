// The transaction coordinator of one `__transaction_state` partition, as a shard: requests in, records and replies out.
//
// The truth is one Transaction per transactional id, changed by replay alone. Soft are only the epochs before the last
// bump (turn.ts). Every decision is one record, so a crash between any two leaves a state of the table (states.ts), and
// `activate` goes on from there: markers that are owed are told to the host again. Kafka: TransactionCoordinator,
// TransactionStateManager.

import type { Shard, Ticket, TimerKey } from '../coordinator/shard.ts'
import { describeTransaction, listTransactions } from './admin.ts'
import { abortByServer, endTransaction, markersWritten, owedMarkers } from './end.ts'
import { initProducerId } from './init_producer_id.ts'
import { addPartitions } from './partitions.ts'
import { type Transaction, type TransactionRecord, transactionOf } from './records.ts'
import type { MarkersOwed, TransactionReply, TransactionRequest } from './requests.ts'
import { RECORDS_MAX, type TransactionSettings } from './settings.ts'
import { isEnding, STATES } from './states.ts'
import { type TransactionDecision, Turn } from './turn.ts'

const ABORT_TIMER: TimerKey = 'abort'
const EXPIRY_TIMER: TimerKey = 'expiry'

/** One partition's transaction coordinator. */
export class TransactionShard
  implements Shard<TransactionRequest, TransactionRecord, TransactionReply, MarkersOwed>
{
  private readonly known = new Map<string, Transaction>()
  private readonly lastEpochs = new Map<string, number>()
  private readonly settings: TransactionSettings

  constructor(settings: TransactionSettings) {
    this.settings = settings
  }

  /** By transactional id; read-only to everyone else. */
  get transactions(): ReadonlyMap<string, Transaction> {
    return this.known
  }

  private turn(nowMs: number, out: TransactionDecision): Turn {
    const { settings, transactions, lastEpochs } = this
    return new Turn({ settings, transactions, lastEpochs }, nowMs, out)
  }

  handle(
    request: TransactionRequest,
    ticket: Ticket,
    nowMs: number,
    out: TransactionDecision,
  ): void {
    const turn = this.turn(nowMs, out)
    switch (request.kind) {
      case 'activate':
        this.activate(turn)
        return turn.reply(ticket, { kind: 'activate' })
      case 'initProducerId':
        return initProducerId(turn, request, ticket)
      case 'addPartitions':
        return addPartitions(turn, request, ticket)
      case 'endTransaction':
        return endTransaction(turn, request, ticket)
      case 'owedMarkers':
        return owedMarkers(turn, request.transactionalId, ticket)
      case 'markersWritten':
        return markersWritten(turn, request.producer, ticket)
      case 'describe':
        return describeTransaction(turn, request.transactionalId, ticket)
      case 'list':
        return listTransactions(turn, request.filter, ticket)
    }
  }

  expire(timer: TimerKey, nowMs: number, out: TransactionDecision): void {
    const turn = this.turn(nowMs, out)
    if (timer === ABORT_TIMER) this.abortTimedOut(turn)
    else this.forgetExpired(turn)
  }

  replay(record: TransactionRecord, _offset: number): void {
    const { transactionalId } = record.key
    if (record.value === null) {
      this.known.delete(transactionalId)
      this.lastEpochs.delete(transactionalId)
    } else this.known.set(transactionalId, transactionOf(record.value))
  }

  /** The log is loaded and this node leads. */
  private activate(turn: Turn): void {
    const { abortIntervalMs, expiryIntervalMs } = this.settings
    turn.arm(ABORT_TIMER, abortIntervalMs)
    turn.arm(EXPIRY_TIMER, expiryIntervalMs)
    for (const [transactionalId, transaction] of this.known) {
      if (isEnding(transaction)) turn.owe(transactionalId)
    }
  }

  private abortTimedOut(turn: Turn): void {
    for (const [transactionalId, transaction] of this.known) {
      const { state, startedMs, timeoutMs } = transaction
      if (state !== 'Ongoing' || startedMs + timeoutMs >= turn.nowMs) continue
      if (turn.recordCount >= RECORDS_MAX) return turn.arm(ABORT_TIMER, 0)
      abortByServer(turn, transactionalId, transaction)
    }
    turn.arm(ABORT_TIMER, this.settings.abortIntervalMs)
  }

  private forgetExpired(turn: Turn): void {
    for (const [transactionalId, { state, updatedMs }] of this.known) {
      const isIdle = updatedMs + this.settings.expirationMs <= turn.nowMs
      if (!STATES[state].isSettled || !isIdle) continue
      if (turn.recordCount >= RECORDS_MAX) return turn.arm(EXPIRY_TIMER, 0)
      turn.forget(transactionalId)
    }
    turn.arm(EXPIRY_TIMER, this.settings.expiryIntervalMs)
  }
}
