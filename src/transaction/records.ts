// The records of `__transaction_state`: one per transactional id, as it is from here on, or its tombstone.
//
// Invariant: what is built here is complete, so that a record replayed from memory and one read back from the log are the
// same value. Version 0 has no room for what transactions of version 2 need. Kafka: TransactionLog.

import {
  type CoordinatorRecordOf,
  decodeCoordinatorRecord,
  encodeCoordinatorRecord,
  type KeyValue,
  transactionRecords,
} from '../protocol/coordinator_records.ts'
import { STATES, stateOf, type TransactionState } from './states.ts'

export type TransactionRecord = CoordinatorRecordOf<typeof transactionRecords>
type StoredValue = NonNullable<TransactionRecord['value']>

export const NO_PRODUCER_ID = -1
export const NO_EPOCH = -1
/** The largest epoch a client is given; the one above is left for fencing it. */
export const EPOCH_MAX = 32_766

/** Partitions of one topic. */
export interface TopicPartitions {
  readonly topic: string
  readonly partitionIds: readonly number[]
}

/** One transactional id. */
export interface Transaction {
  readonly state: TransactionState
  readonly producerId: number
  /** The one before the last rotation. */
  readonly previousProducerId: number
  /** Takes over when the markers are written; -1: the present one goes on. */
  readonly nextProducerId: number
  readonly producerEpoch: number
  readonly timeoutMs: number
  readonly partitions: readonly TopicPartitions[]
  readonly updatedMs: number
  /** -1: none has begun. */
  readonly startedMs: number
  readonly clientTransactionVersion: number
}

/** The id as it is from here on; `version` 0 before transaction.version 1. */
export function transactionRecord(
  transactionalId: string,
  transaction: Transaction,
  version: number,
): TransactionRecord {
  const hasTags = version > 0
  const value: StoredValue = {
    producerId: transaction.producerId,
    previousProducerId: hasTags ? transaction.previousProducerId : NO_PRODUCER_ID,
    nextProducerId: hasTags ? transaction.nextProducerId : NO_PRODUCER_ID,
    producerEpoch: transaction.producerEpoch,
    nextProducerEpoch: NO_EPOCH,
    transactionTimeoutMs: transaction.timeoutMs,
    transactionStatus: STATES[transaction.state].id,
    transactionPartitions:
      transaction.state === 'Empty'
        ? null
        : transaction.partitions.map(({ topic, partitionIds }) => ({
            topic,
            partitionIds: [...partitionIds],
          })),
    transactionLastUpdateTimestampMs: transaction.updatedMs,
    transactionStartTimestampMs: transaction.startedMs,
    clientTransactionVersion: hasTags ? transaction.clientTransactionVersion : 0,
  }
  return { type: 'TransactionLog', key: { transactionalId }, version, value }
}

/** The id is forgotten. */
export function transactionTombstone(transactionalId: string): TransactionRecord {
  return { type: 'TransactionLog', key: { transactionalId }, version: 0, value: null }
}

/** What a record says of its id. */
export function transactionOf(value: StoredValue): Transaction {
  return {
    state: stateOf(value.transactionStatus),
    producerId: value.producerId,
    previousProducerId: value.previousProducerId,
    nextProducerId: value.nextProducerId,
    producerEpoch: value.producerEpoch,
    timeoutMs: value.transactionTimeoutMs,
    partitions: value.transactionPartitions ?? [],
    updatedMs: value.transactionLastUpdateTimestampMs,
    startedMs: value.transactionStartTimestampMs,
    clientTransactionVersion: value.clientTransactionVersion,
  }
}

/** Key and value as they go to the log. */
export function encodeTransactionRecord(record: TransactionRecord): KeyValue {
  const { TransactionLog } = transactionRecords
  return encodeCoordinatorRecord(TransactionLog, record.version, record.key, record.value)
}

/** A record read from the log; null for a kind that only newer releases know. */
export function decodeTransactionRecord(keyValue: KeyValue): TransactionRecord | null {
  return decodeCoordinatorRecord(transactionRecords, keyValue)
}
