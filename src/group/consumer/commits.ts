// Who may commit and fetch offsets of a consumer group: members in their present epoch, or in an earlier one for the
// partitions that they have had at least since then; tools while the group is empty.
//
// Kafka: ConsumerGroup.validateOffsetCommit, validateOffsetFetch. KIP-848, KIP-1251.

import type { Uuid } from '../../lib/uuid.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import type { ConsumerGroup } from './consumer_group.ts'

/** The first version of OffsetCommit that knows member epochs. */
const MEMBER_EPOCHS_SINCE = 9

/** Who commits, and what. */
export interface Committing {
  readonly memberId: string
  readonly epoch: number
  readonly version: number
  readonly topics: readonly {
    readonly topicId: Uuid
    readonly partitions: readonly { readonly partitionIndex: number }[]
  }[]
}

/** The error for a commit to a consumer group, NONE when it may be. */
export function commitErrorOf(group: ConsumerGroup, commit: Committing): ErrorCode {
  const { memberId, epoch, version, topics } = commit
  if (epoch < 0 && group.size === 0) return ErrorCode.NONE
  const member = group.member(memberId)
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  const isClassic = member.classic !== null
  if (!isClassic && version < MEMBER_EPOCHS_SINCE) return ErrorCode.UNSUPPORTED_VERSION
  if (epoch === member.memberEpoch) return ErrorCode.NONE
  const stale = isClassic ? ErrorCode.ILLEGAL_GENERATION : ErrorCode.STALE_MEMBER_EPOCH
  if (epoch > member.memberEpoch) return stale
  const isOwned = topics.every(({ topicId, partitions }) => {
    const assigned = member.assigned.get(topicId)
    const pending = member.pendingRevocation.get(topicId)
    return partitions.every(({ partitionIndex }) => {
      const since = assigned?.get(partitionIndex) ?? pending?.get(partitionIndex)
      return since !== undefined && since <= epoch
    })
  })
  return isOwned ? ErrorCode.NONE : stale
}

/** The error for a fetch of offsets by someone who says which member it is. */
export function fetchErrorOf(
  group: ConsumerGroup | undefined,
  memberId: string | null,
  epoch: number,
): ErrorCode {
  if (group === undefined || (memberId === null && epoch < 0)) return ErrorCode.NONE
  const member = group.member(memberId ?? '')
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  if (epoch === member.memberEpoch) return ErrorCode.NONE
  return member.classic !== null ? ErrorCode.ILLEGAL_GENERATION : ErrorCode.STALE_MEMBER_EPOCH
}
