// How a transaction ends: decided and written down first (Prepare), told to every partition by markers, and done
// (Complete) when all of them have it. What is decided is never taken back; markers are owed until they are written.
//
// Non-obvious: with transaction.version 2 every end bumps the epoch, so that whatever is late of a transaction is of an
// old epoch (KIP-890). A retry is then known by its epoch, which is the one before ours. An abort by the server is such an
// end too: a client that aborts what is aborted already is told so, and goes on. Before version 2 it fences for good.
// While markers are written every client of version 2 is to come back: who it is shows when they are.
// Kafka: TransactionCoordinator.{endTransaction, abortTimedOutTransactions}, TransactionMetadata.{prepareAbortOrCommit,
// prepareComplete, prepareFenceProducerEpoch}.

import type { Ticket } from '../coordinator/shard.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { EPOCH_MAX, NO_EPOCH, NO_PRODUCER_ID, type Transaction } from './records.ts'
import type { Producer, TransactionRequest } from './requests.ts'
import { isEnding } from './states.ts'
import type { Turn } from './turn.ts'

type End = Extract<TransactionRequest, { kind: 'endTransaction' }>

const SHORT_MAX = EPOCH_MAX + 1
/** From this version on every transaction has an epoch of its own. */
const BUMPS_SINCE = 2

/** Decides an EndTxn. */
export function endTransaction(turn: Turn, request: End, ticket: Ticket): void {
  const { producer, freshProducerId } = request
  const now = turn.transactions.get(producer.transactionalId)
  const reply = (errorCode: number, producerId: number, producerEpoch: number) =>
    turn.reply(ticket, { kind: 'endTransaction', errorCode, producerId, producerEpoch })
  const verdict = judge(now, request)
  if (verdict === 'again') {
    const { producerId, producerEpoch } = successor(now!)
    return reply(ErrorCode.NONE, producerId, producerEpoch)
  }
  if (verdict !== ErrorCode.NONE) return reply(verdict, NO_PRODUCER_ID, NO_EPOCH)
  const bumps = request.transactionVersion >= BUMPS_SINCE
  const needsId = bumps && now!.producerEpoch >= EPOCH_MAX
  if (needsId && freshProducerId === null) return turn.reply(ticket, { kind: 'producerIdNeeded' })
  const next = prepared(turn, now!, request, needsId ? freshProducerId! : NO_PRODUCER_ID)
  const lastEpoch = bumps ? now!.producerEpoch : turn.lastEpoch(producer.transactionalId)
  turn.move(producer.transactionalId, next, lastEpoch)
  const { producerId, producerEpoch } = successor(next)
  reply(ErrorCode.NONE, producerId, producerEpoch)
}

/** NONE: the end may be decided; `again`: it was, and the client did not hear. */
function judge(now: Transaction | undefined, request: End): number | 'again' {
  const { producer, isCommit, transactionVersion } = request
  if (now === undefined) return ErrorCode.INVALID_PRODUCER_ID_MAPPING
  const bumps = transactionVersion >= BUMPS_SINCE
  // Before who speaks is looked at: the client has been told its next epoch, or its next id, and an abort that follows
  // at once is of it.
  if (bumps && isEnding(now)) return ErrorCode.CONCURRENT_TRANSACTIONS
  const isRetry = bumps && isRetryOf(now, producer)
  if (now.producerId !== producer.producerId && !isRetry) {
    return ErrorCode.INVALID_PRODUCER_ID_MAPPING
  }
  if (now.producerEpoch !== producer.producerEpoch && !isRetry) return ErrorCode.PRODUCER_FENCED
  const { INVALID_TXN_STATE } = ErrorCode
  switch (now.state) {
    case 'Ongoing':
      return ErrorCode.NONE
    // Whichever end is asked for: what was decided shows when it is done.
    case 'PrepareCommit':
    case 'PrepareAbort':
      return ErrorCode.CONCURRENT_TRANSACTIONS
    case 'CompleteCommit':
      if (isRetry || !bumps) return isCommit ? 'again' : INVALID_TXN_STATE
      return isCommit ? INVALID_TXN_STATE : ErrorCode.NONE
    case 'CompleteAbort':
      if (isRetry || !bumps) return isCommit ? INVALID_TXN_STATE : 'again'
      return isCommit ? INVALID_TXN_STATE : ErrorCode.NONE
    // Nothing was added: with an epoch for each transaction an abort of nothing bumps it all the same.
    case 'Empty':
      return bumps && !isCommit ? ErrorCode.NONE : INVALID_TXN_STATE
    case 'Dead':
      return ErrorCode.INVALID_PRODUCER_ID_MAPPING
  }
}

/** The client speaks as it was before the end that is done already. */
function isRetryOf(now: Transaction, { producerId, producerEpoch }: Producer): boolean {
  if (now.clientTransactionVersion < BUMPS_SINCE) return false
  if (now.state !== 'CompleteCommit' && now.state !== 'CompleteAbort') return false
  if (producerId === now.producerId && now.producerEpoch === producerEpoch + 1) {
    return now.producerEpoch <= EPOCH_MAX
  }
  const wasLast = producerEpoch === EPOCH_MAX && now.producerEpoch === 0
  return wasLast && producerId === now.previousProducerId
}

function prepared(
  turn: Turn,
  now: Transaction,
  { isCommit, transactionVersion }: End,
  nextProducerId: number,
): Transaction {
  const bumps = transactionVersion >= BUMPS_SINCE
  return {
    ...now,
    state: isCommit ? 'PrepareCommit' : 'PrepareAbort',
    producerEpoch: bumps ? now.producerEpoch + 1 : now.producerEpoch,
    nextProducerId,
    partitions: now.state === 'Ongoing' ? now.partitions : [],
    startedMs: now.state === 'Ongoing' ? now.startedMs : turn.nowMs,
    updatedMs: turn.nowMs,
    clientTransactionVersion: transactionVersion,
  }
}

/** Who the producer is for its next transaction. */
function successor({ producerId, producerEpoch, nextProducerId }: Transaction) {
  return nextProducerId === NO_PRODUCER_ID
    ? { producerId, producerEpoch }
    : { producerId: nextProducerId, producerEpoch: 0 }
}

/**
 * Nobody ends it: its time is over, or another producer takes the id. Whoever had it is at an old epoch; who takes the
 * id over gets the next one.
 */
export function abortByServer(turn: Turn, transactionalId: string, now: Transaction): void {
  const transactionVersion = turn.settings.serverVersion()
  const mayGoOn = transactionVersion >= BUMPS_SINCE && now.producerEpoch < EPOCH_MAX
  const next: Transaction = {
    ...now,
    state: 'PrepareAbort',
    producerEpoch: Math.min(now.producerEpoch + 1, SHORT_MAX),
    updatedMs: turn.nowMs,
    clientTransactionVersion: transactionVersion,
  }
  turn.move(transactionalId, next, mayGoOn ? now.producerEpoch : NO_EPOCH)
}

/** What is still to be told of an end; null when nothing is. */
export function owedMarkers(turn: Turn, transactionalId: string, ticket: Ticket): void {
  const now = turn.transactions.get(transactionalId)
  const isOwed = now !== undefined && isEnding(now)
  const markers = isOwed
    ? {
        transactionalId,
        producerId: now.producerId,
        producerEpoch: now.producerEpoch,
        isCommit: now.state === 'PrepareCommit',
        transactionVersion: now.clientTransactionVersion,
        partitions: now.partitions,
      }
    : null
  turn.reply(ticket, { kind: 'owedMarkers', markers })
}

/** Every partition has its marker. */
export function markersWritten(turn: Turn, producer: Producer, ticket: Ticket): void {
  turn.reply(ticket, { kind: 'markersWritten' })
  const now = turn.transactions.get(producer.transactionalId)
  if (now === undefined || !isEnding(now)) return
  const { producerId, producerEpoch } = producer
  if (now.producerId !== producerId || now.producerEpoch !== producerEpoch) return
  const next = successor(now)
  turn.move(producer.transactionalId, {
    ...now,
    ...next,
    state: now.state === 'PrepareCommit' ? 'CompleteCommit' : 'CompleteAbort',
    previousProducerId: now.producerId,
    nextProducerId: NO_PRODUCER_ID,
    partitions: [],
    updatedMs: turn.nowMs,
  })
}
