// One marker to one partition of this node, and what an admission's error is to the client behind it.
// Offsets of groups are written by their shard, which hears of the end as it writes it; all else by the data plane.
// Kafka: KafkaApis.handleWriteTxnMarkersRequest, ReplicaManager.{handleProduceAppend, maybeStartTransactionVerification}.

import type { Tickets } from '../host/tickets.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { TransactionMarker } from '../plane/plane.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { GroupCoordinator } from './group_coordinator.ts'
import { GROUP_TOPIC } from './internal_topics.ts'
import type { Publisher } from './publisher.ts'

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** What writing a marker takes of the node. */
export interface MarkerContext {
  readonly image: MetadataImage
  readonly publisher: Publisher
  readonly groups: GroupCoordinator
  readonly tickets: Tickets
}

/** The error, NONE when it is written, or when the partition was deleted and nobody will read it. */
export async function writeMarker(
  { image, publisher, groups, tickets }: MarkerContext,
  { topic, partition }: TopicPartition,
  marker: TransactionMarker,
): Promise<number> {
  const known = image.topics.byName(topic)
  if (known?.partitions[partition] === undefined) return ErrorCode.NONE
  if (topic === GROUP_TOPIC) {
    const reply = await groups.askPartition<'writeMarker'>(partition, {
      kind: 'writeMarker',
      marker,
    })
    return reply.kind === 'refused' ? reply.errorCode : ErrorCode.NONE
  }
  const local = publisher.find(known.id, partition)
  if (local === undefined) return ErrorCode.NOT_LEADER_OR_FOLLOWER
  const { errorCode } = await tickets.run((plane, ticket) =>
    plane.marker(local.slot, local.leaderEpoch, marker, ticket),
  )
  return errorCode
}

/** From this version of Produce on clients know TRANSACTION_ABORTABLE. */
const ABORTABLE_SINCE = 11
/** From this one on they know that the last transaction may still be ending. */
const CONCURRENT_SINCE = 12

/** Errors that older clients take for final, though the next attempt may succeed. */
const COMES_BACK: ReadonlySet<number> = new Set([
  ErrorCode.NETWORK_EXCEPTION,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
])

/** What the Produce of a version is told of a coordinator's error. */
export function admissionError(errorCode: number, apiVersion: number): number {
  if (errorCode === ErrorCode.PRODUCER_FENCED) return ErrorCode.INVALID_PRODUCER_EPOCH
  if (COMES_BACK.has(errorCode)) return ErrorCode.NOT_ENOUGH_REPLICAS
  if (errorCode === ErrorCode.CONCURRENT_TRANSACTIONS && apiVersion < CONCURRENT_SINCE) {
    return ErrorCode.NOT_ENOUGH_REPLICAS
  }
  const isAbortable = errorCode === ErrorCode.TRANSACTION_ABORTABLE
  return isAbortable && apiVersion < ABORTABLE_SINCE ? ErrorCode.INVALID_TXN_STATE : errorCode
}
