// What tools ask about transactions: DescribeTransactions and ListTransactions.
// Kafka: KafkaApis.{handleDescribeTransactionsRequest, handleListTransactionsRequest}. KIP-664, KIP-994, KIP-1152.

import { ErrorCode } from '../../protocol/errors.ts'
import { DescribeTransactions, ListTransactions } from '../../protocol/messages/transaction.ts'
import { isStateName } from '../../transaction/states.ts'
import type { Handler, ServedApis } from '../dispatch.ts'
import type { BrokerNode } from '../node.ts'
import { compileTopicRegex } from '../topic_regex.ts'

export function serveTransactionAdmin(served: ServedApis, node: BrokerNode): void {
  served
    .serve(DescribeTransactions, '0', describeTransactions(node))
    .serve(ListTransactions, '0-2', listTransactions(node))
}

function describeTransactions(node: BrokerNode): Handler<typeof DescribeTransactions> {
  return async ({ transactionalIds }) => {
    const transactionStates = await Promise.all(
      transactionalIds.map(async (transactionalId) => {
        if (transactionalId === '') {
          return { transactionalId, errorCode: ErrorCode.INVALID_REQUEST }
        }
        const reply = await node.transactions.ask<'describe'>(transactionalId, {
          kind: 'describe',
          transactionalId,
        })
        if (reply.kind === 'refused') return { transactionalId, errorCode: reply.errorCode }
        const { transaction } = reply
        if (transaction === null) {
          return { transactionalId, errorCode: ErrorCode.TRANSACTIONAL_ID_NOT_FOUND }
        }
        return {
          transactionalId,
          transactionState: transaction.state,
          transactionTimeoutMs: transaction.timeoutMs,
          transactionStartTimeMs: transaction.startedMs,
          producerId: transaction.producerId,
          producerEpoch: transaction.producerEpoch,
          topics: transaction.partitions.map(({ topic, partitionIds }) => ({
            topic,
            partitions: [...partitionIds].sort((x, y) => x - y),
          })),
        }
      }),
    )
    return { transactionStates }
  }
}

function listTransactions(node: BrokerNode): Handler<typeof ListTransactions> {
  return async ({ stateFilters, producerIdFilters, durationFilter, transactionalIdPattern }) => {
    const unknownStateFilters = stateFilters.filter((name) => !isStateName(name))
    const states = stateFilters.filter(isStateName)
    if (stateFilters.length > 0 && states.length === 0) return { unknownStateFilters }
    const pattern = transactionalIdPattern ?? ''
    const matches = pattern === '' ? () => true : compileTopicRegex(pattern)
    if (matches === null) return { errorCode: ErrorCode.INVALID_REGULAR_EXPRESSION }
    const filter = {
      states,
      producerIds: producerIdFilters.map(Number),
      durationMs: Number(durationFilter),
      matches,
    }
    const replies = await Promise.all(
      node.transactions
        .led()
        .map((partition) =>
          node.transactions.askPartition<'list'>(partition, { kind: 'list', filter }),
        ),
    )
    const transactionStates = []
    for (const reply of replies) {
      // One shard that still loads makes the list wrong: the client asks again.
      if (reply.kind === 'refused') return { errorCode: reply.errorCode }
      for (const { transactionalId, transaction } of reply.transactions) {
        const { producerId, state } = transaction
        transactionStates.push({ transactionalId, producerId, transactionState: state })
      }
    }
    return { unknownStateFilters, transactionStates }
  }
}
