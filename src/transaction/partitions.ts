// Partitions of a transaction: added before they are written to, or with the first write, or asked about by who leads them.
// Kafka: TransactionCoordinator.{handleAddPartitionsToTransaction, handleVerifyPartitionsInTransaction}. KIP-890.

import type { Ticket } from '../coordinator/shard.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { TopicPartitions, Transaction } from './records.ts'
import type { TransactionRequest } from './requests.ts'
import { isEnding } from './states.ts'
import type { Turn } from './turn.ts'

type Add = Extract<TransactionRequest, { kind: 'addPartitions' }>

/** Decides an AddPartitionsToTxn of one transactional id, or what is one: offsets are a partition too. */
export function addPartitions(
  turn: Turn,
  { producer, topics, verifyOnly, transactionVersion }: Add,
  ticket: Ticket,
): void {
  const { transactionalId, producerId, producerEpoch } = producer
  const now = turn.transactions.get(transactionalId)
  const refuse = (errorCode: number) =>
    turn.reply(ticket, { kind: 'addPartitions', errorCode, errors: [] })
  if (now === undefined) return refuse(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  // Before who speaks is looked at: the client may have been told an id that it gets with the end.
  if (isEnding(now) && !verifyOnly) return refuse(ErrorCode.CONCURRENT_TRANSACTIONS)
  if (now.producerId !== producerId) return refuse(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
  if (now.producerEpoch !== producerEpoch) return refuse(ErrorCode.PRODUCER_FENCED)
  if (isEnding(now)) return refuse(ErrorCode.CONCURRENT_TRANSACTIONS)
  if (verifyOnly) {
    const errors = verify(now, topics)
    return turn.reply(ticket, { kind: 'addPartitions', errorCode: ErrorCode.NONE, errors })
  }
  const partitions = union(now.partitions, topics)
  if (now.state === 'Ongoing' && partitions === now.partitions) return refuse(ErrorCode.NONE)
  turn.move(transactionalId, {
    ...now,
    state: 'Ongoing',
    partitions,
    startedMs: now.state === 'Ongoing' ? now.startedMs : turn.nowMs,
    updatedMs: turn.nowMs,
    clientTransactionVersion: transactionVersion,
  })
  refuse(ErrorCode.NONE)
}

function verify(now: Transaction, topics: readonly TopicPartitions[]) {
  return topics.map(({ topic, partitionIds }) => {
    const known = now.partitions.find((one) => one.topic === topic)?.partitionIds ?? []
    const partitions = partitionIds.map((partition) => ({
      partition,
      errorCode: known.includes(partition) ? ErrorCode.NONE : ErrorCode.TRANSACTION_ABORTABLE,
    }))
    return { topic, partitions }
  })
}

/** The same array when nothing is new. */
function union(
  known: readonly TopicPartitions[],
  added: readonly TopicPartitions[],
): readonly TopicPartitions[] {
  let all = known
  for (const { topic, partitionIds } of added) {
    const at = all.findIndex((one) => one.topic === topic)
    const before = at < 0 ? [] : all[at]!.partitionIds
    const fresh = partitionIds.filter((id) => !before.includes(id))
    if (fresh.length === 0 && at >= 0) continue
    const entry = { topic, partitionIds: [...before, ...new Set(fresh)] }
    all = at < 0 ? [...all, entry] : all.with(at, entry)
  }
  return all
}
