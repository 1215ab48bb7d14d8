// Offsets committed in transactions: TxnOffsetCommit 0–5, and the markers that end them in this partition's log.
//
// That the producer may commit here has been verified with its transaction's coordinator by the caller; that the group
// agrees is judged here, from version 3 on by member and generation, if the client says them (KIP-447).
// Kafka: OffsetMetadataManager.{commitTransactionalOffset, validateTransactionalOffsetCommit, completeTransaction}.

import type { Ticket } from '../../coordinator/shard.ts'
import type { Uuid } from '../../lib/uuid.ts'
import type { RequestOf } from '../../protocol/dsl.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import type { TxnOffsetCommit } from '../../protocol/messages/transaction.ts'
import type { TransactionMarker } from '../../protocol/transaction_marker.ts'
import type { ClassicGroup } from '../classic_group.ts'
import { commitErrorOf } from '../consumer/commits.ts'
import type { ConsumerGroup } from '../consumer/consumer_group.ts'
import { offsetCommitRecord } from '../records.ts'
import type { Turn } from '../turn.ts'

/** The version of OffsetCommit from which on member epochs are meant. */
const MEMBER_EPOCHS_SINCE = 9

type Request = RequestOf<typeof TxnOffsetCommit>
type Topic = Request['topics'][number]

/** A TxnOffsetCommit whose topics have the ids they have now. */
export type TxnCommitRequest = Omit<Request, 'topics'> & {
  readonly topics: readonly (Topic & { readonly topicId: Uuid })[]
}

/** Decides a TxnOffsetCommit. */
export function commitInTransaction(
  turn: Turn,
  { request }: { request: TxnCommitRequest },
  ticket: Ticket,
): void {
  const { groupId, memberId, producerId, producerEpoch } = request
  const group = turn.groups.get(groupId)
  const consumer = turn.truth.consumerGroups.get(groupId)
  const refusal =
    consumer === undefined ? commitError(group, request) : consumerError(consumer, request)
  const isTooLong = (metadata: string | null) =>
    (metadata?.length ?? 0) > turn.settings.offsetMetadataLengthMax
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex, committedMetadata }) => ({
      partitionIndex,
      errorCode:
        refusal === ErrorCode.NONE && isTooLong(committedMetadata)
          ? ErrorCode.OFFSET_METADATA_TOO_LARGE
          : refusal,
    })),
  }))
  if (refusal === ErrorCode.NONE) {
    const member = group?.member(memberId)
    if (group !== undefined && member !== undefined) turn.touch(group, member)
    turn.writeFor({ producerId, producerEpoch })
    for (const { name: topic, topicId, partitions } of request.topics) {
      for (const partition of partitions) {
        if (isTooLong(partition.committedMetadata)) continue
        const key = { group: groupId, topic, partition: partition.partitionIndex }
        const commit = {
          offset: partition.committedOffset,
          leaderEpoch: Math.max(partition.committedLeaderEpoch, -1),
          metadata: partition.committedMetadata ?? '',
          commitTimestamp: BigInt(turn.nowMs),
          expireTimestamp: -1n,
          topicId,
        }
        turn.records.push(offsetCommitRecord(key, commit))
      }
    }
  }
  turn.reply(ticket, { kind: 'txnOffsetCommit', response: { topics } })
}

/** As an OffsetCommit of a member, but that clients may say nothing of one. */
function consumerError(group: ConsumerGroup, request: TxnCommitRequest): ErrorCode {
  const { generationId: epoch, memberId, groupInstanceId, topics } = request
  if (epoch < 0 && memberId === '' && groupInstanceId === null) return ErrorCode.NONE
  const error = commitErrorOf(group, { memberId, epoch, version: MEMBER_EPOCHS_SINCE, topics })
  return error === ErrorCode.STALE_MEMBER_EPOCH ? ErrorCode.ILLEGAL_GENERATION : error
}

function commitError(group: ClassicGroup | undefined, request: TxnCommitRequest): ErrorCode {
  const { generationId, memberId, groupInstanceId } = request
  if (group === undefined) {
    return generationId < 0 ? ErrorCode.NONE : ErrorCode.ILLEGAL_GENERATION
  }
  // Clients before version 3, and those that manage their partitions themselves, say nothing of a member.
  const isAnonymous = generationId < 0 && memberId === '' && groupInstanceId === null
  if (isAnonymous || (generationId < 0 && group.state === 'Empty')) return ErrorCode.NONE
  const errorCode = group.identify(memberId, groupInstanceId)
  if (errorCode !== ErrorCode.NONE) return errorCode
  return generationId === group.generationId ? ErrorCode.NONE : ErrorCode.ILLEGAL_GENERATION
}

/** A transaction ends in this partition, unless its log knows better. */
export function writeMarker(
  turn: Turn,
  { marker }: { marker: TransactionMarker },
  ticket: Ticket,
): void {
  turn.writeMarker(marker)
  turn.reply(ticket, { kind: 'writeMarker' })
}
