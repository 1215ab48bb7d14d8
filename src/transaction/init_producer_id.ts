// InitProducerId with a transactional id: a producer takes the id over, and fences whoever had it before.
//
// A bump of the epoch; when they are used up, another producer id. What was open is aborted first, and the client comes
// back (CONCURRENT_TRANSACTIONS) until that is done. A client that says which producer it is (KIP-360) is refused when
// somebody else is by now, and told the same again when it asks twice.
// Kafka: TransactionCoordinator.{handleInitProducerId, prepareInitProducerIdTransit}, TransactionMetadata.

import type { Ticket } from '../coordinator/shard.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { abortByServer } from './end.ts'
import { EPOCH_MAX, NO_EPOCH, NO_PRODUCER_ID, type Transaction } from './records.ts'
import type { TransactionRequest } from './requests.ts'
import { isEnding, STATES } from './states.ts'
import type { Turn } from './turn.ts'

type Init = Extract<TransactionRequest, { kind: 'initProducerId' }>

/** Decides an InitProducerId. */
export function initProducerId(turn: Turn, request: Init, ticket: Ticket): void {
  const refuse = (errorCode: number) =>
    turn.reply(ticket, {
      kind: 'initProducerId',
      errorCode,
      producerId: NO_PRODUCER_ID,
      producerEpoch: NO_EPOCH,
    })
  const { transactionalId, timeoutMs, expected, freshProducerId } = request
  if (timeoutMs <= 0 || timeoutMs > turn.settings.timeoutMsMax) {
    return refuse(ErrorCode.INVALID_TRANSACTION_TIMEOUT)
  }
  const known = turn.transactions.get(transactionalId)
  if (known === undefined && freshProducerId === null) {
    return turn.reply(ticket, { kind: 'producerIdNeeded' })
  }
  const now = known ?? unheardOf(freshProducerId!, timeoutMs, turn.nowMs)
  // Before who speaks is looked at: a client may know of an id that it gets with the end.
  if (isEnding(now)) return refuse(ErrorCode.CONCURRENT_TRANSACTIONS)
  if (expected !== null && !mayBe(now, expected)) return refuse(ErrorCode.PRODUCER_FENCED)
  if (now.state === 'Ongoing') {
    abortByServer(turn, transactionalId, now)
    return refuse(ErrorCode.CONCURRENT_TRANSACTIONS)
  }
  if (!STATES[now.state].isSettled) return refuse(ErrorCode.CONCURRENT_TRANSACTIONS)
  const isExhausted = now.producerEpoch >= EPOCH_MAX
  const isPresent = expected === null || expected.producerEpoch === now.producerEpoch
  if (isExhausted && isPresent && freshProducerId === null) {
    return turn.reply(ticket, { kind: 'producerIdNeeded' })
  }
  const next =
    isExhausted && isPresent
      ? rotated(now, freshProducerId!, expected !== null)
      : bumped(turn, transactionalId, now, expected)
  if (next === null) return refuse(ErrorCode.PRODUCER_FENCED)
  const { producerId, producerEpoch, lastEpoch } = next
  const settled: Transaction = {
    state: 'Empty',
    producerId,
    previousProducerId: now.producerId,
    nextProducerId: NO_PRODUCER_ID,
    producerEpoch,
    timeoutMs,
    partitions: [],
    updatedMs: turn.nowMs,
    startedMs: -1,
    clientTransactionVersion: now.clientTransactionVersion,
  }
  turn.move(transactionalId, settled, lastEpoch)
  turn.reply(ticket, {
    kind: 'initProducerId',
    errorCode: ErrorCode.NONE,
    producerId,
    producerEpoch,
  })
}

function unheardOf(producerId: number, timeoutMs: number, nowMs: number): Transaction {
  return {
    state: 'Empty',
    producerId,
    previousProducerId: NO_PRODUCER_ID,
    nextProducerId: NO_PRODUCER_ID,
    producerEpoch: NO_EPOCH,
    timeoutMs,
    partitions: [],
    updatedMs: nowMs,
    startedMs: -1,
    clientTransactionVersion: 0,
  }
}

/** Whether the producer a client says it is may be the one we know, or was until its epochs were used up. */
function mayBe(now: Transaction, { producerId, producerEpoch }: NonNullable<Init['expected']>) {
  if (now.producerEpoch === NO_EPOCH || producerId === now.producerId) return true
  return producerId === now.previousProducerId && producerEpoch >= EPOCH_MAX
}

interface Bumped {
  readonly producerId: number
  readonly producerEpoch: number
  readonly lastEpoch: number
}

function rotated(now: Transaction, producerId: number, isKnown: boolean): Bumped {
  return { producerId, producerEpoch: 0, lastEpoch: isKnown ? now.producerEpoch : NO_EPOCH }
}

/** Null: the client has been fenced. */
function bumped(
  turn: Turn,
  transactionalId: string,
  { producerId, producerEpoch }: Transaction,
  expected: Init['expected'],
): Bumped | null {
  const next = { producerId, producerEpoch: producerEpoch + 1 }
  if (expected === null) return { ...next, lastEpoch: NO_EPOCH }
  if (producerEpoch === NO_EPOCH || expected.producerEpoch === producerEpoch) {
    return { ...next, lastEpoch: producerEpoch }
  }
  // It asks again for what it was given, and did not hear.
  const lastEpoch = turn.lastEpoch(transactionalId)
  return expected.producerEpoch === lastEpoch ? { producerId, producerEpoch, lastEpoch } : null
}
