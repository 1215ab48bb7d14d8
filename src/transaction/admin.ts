// What tools ask: one transactional id, or those that a filter lets through. KIP-664, KIP-994, KIP-1152.
// Kafka: TransactionCoordinator.{handleDescribeTransactions, handleListTransactions}.

import type { Ticket } from '../coordinator/shard.ts'
import type { TransactionFilter } from './requests.ts'
import type { Turn } from './turn.ts'

/** Decides one id of a DescribeTransactions. */
export function describeTransaction(turn: Turn, transactionalId: string, ticket: Ticket): void {
  const transaction = turn.transactions.get(transactionalId) ?? null
  turn.reply(ticket, { kind: 'describe', transaction })
}

/** Decides this shard's part of a ListTransactions. */
export function listTransactions(turn: Turn, filter: TransactionFilter, ticket: Ticket): void {
  const { states, producerIds, durationMs, matches } = filter
  const transactions = []
  for (const [transactionalId, transaction] of turn.transactions) {
    const { state, producerId, startedMs } = transaction
    if (states.length > 0 && !states.includes(state)) continue
    if (producerIds.length > 0 && !producerIds.includes(producerId)) continue
    // What has not begun yet has lasted for ever, to Kafka.
    if (durationMs >= 0 && turn.nowMs - startedMs <= durationMs) continue
    if (matches(transactionalId)) transactions.push({ transactionalId, transaction })
  }
  turn.reply(ticket, { kind: 'list', transactions })
}
