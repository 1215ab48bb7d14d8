// What groups have committed: OffsetCommit 2–10, OffsetFetch 1–10, OffsetDelete 0, and topics that go.
//
// Offsets come from members of the present generation, or from anyone while the group is empty: simple consumers, which
// have no member id and generation -1, and tools. The coordinator does not judge offsets or topics; it judges who
// commits. Invariant: nothing here changes an offset, records do. While a transaction may still change one
// (commits/transactions.ts), who asks for stable offsets is told to come back. Kafka: OffsetMetadataManager, ClassicGroup.validateOffsetCommit. KIP-211, KIP-496.

import type { Ticket } from '../coordinator/shard.ts'
import { ZERO_UUID } from '../lib/uuid.ts'
import type { DecodedOf, RequestOf } from '../protocol/dsl.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { OffsetCommit, OffsetDelete, OffsetFetch } from '../protocol/messages/offsets.ts'
import type { ClassicGroup } from './classic_group.ts'
import { commitErrorOf, fetchErrorOf } from './consumer/commits.ts'
import {
  type GroupRecord,
  type OffsetCommitValue,
  offsetCommitRecord,
  offsetTombstone,
} from './records.ts'
import type { DeletedTopic } from './requests.ts'
import { RECORDS_MAX } from './settings.ts'
import { TOPICS_TIMER } from './timers.ts'
import type { GoneTopic, Turn } from './turn.ts'

type CommitRequest = RequestOf<typeof OffsetCommit>
type CommitPartition = CommitRequest['topics'][number]['partitions'][number]
type DeleteRequest = RequestOf<typeof OffsetDelete>
type FetchRequest = RequestOf<typeof OffsetFetch>['groups'][number]

/** One group of an OffsetFetch; no topics means all that the group has committed. */
export type OffsetsWanted = FetchRequest & { readonly requireStable: boolean }
/** What a group has committed, in the form of version 8 and later. */
export type FetchedOffsets = DecodedOf<(typeof OffsetFetch)['response']>['groups'][number]

type FetchedPartition = FetchedOffsets['topics'][number]['partitions'][number]

/** From this version on a commit for no group says so. */
const GROUP_ID_NOT_FOUND_SINCE = 9
/** "As the broker keeps them": the client names no retention of its own. */
const DEFAULT_RETENTION = -1n
const NO_OFFSET = -1n

/** Decides an OffsetCommit. */
export function commitOffsets(
  turn: Turn,
  { version, request }: { version: number; request: CommitRequest },
  ticket: Ticket,
): void {
  const group = turn.groups.get(request.groupId)
  const consumer = turn.truth.consumerGroups.get(request.groupId)
  const { generationIdOrMemberEpoch: epoch, memberId, topics: asked } = request
  const refusal =
    consumer === undefined
      ? commitError(group, request, version)
      : commitErrorOf(consumer, { memberId, epoch, version, topics: asked })
  const topics = request.topics.map(({ name, topicId, partitions }) => ({
    name,
    topicId,
    partitions: partitions.map((partition) => ({
      partitionIndex: partition.partitionIndex,
      errorCode: refusal !== ErrorCode.NONE ? refusal : metadataError(turn, partition),
    })),
  }))
  if (refusal === ErrorCode.NONE) {
    const member = group?.member(request.memberId)
    if (group !== undefined && member !== undefined) turn.touch(group, member)
    addCommits(turn, request)
  }
  turn.reply(ticket, { kind: 'offsetCommit', response: { topics } })
}

function commitError(
  group: ClassicGroup | undefined,
  request: CommitRequest,
  version: number,
): ErrorCode {
  const { generationIdOrMemberEpoch: generationId, memberId, groupInstanceId } = request
  if (group === undefined) {
    if (generationId < 0) return ErrorCode.NONE
    return version >= GROUP_ID_NOT_FOUND_SINCE
      ? ErrorCode.GROUP_ID_NOT_FOUND
      : ErrorCode.ILLEGAL_GENERATION
  }
  if (generationId < 0 && group.state === 'Empty') return ErrorCode.NONE
  const errorCode = group.identify(memberId, groupInstanceId)
  if (errorCode !== ErrorCode.NONE) return errorCode
  if (generationId !== group.generationId) return ErrorCode.ILLEGAL_GENERATION
  // It knows the new generation, so it joined it; it has nothing of it to commit before the assignment.
  if (group.state === 'CompletingRebalance') return ErrorCode.REBALANCE_IN_PROGRESS
  return ErrorCode.NONE
}

function metadataError(turn: Turn, { committedMetadata }: CommitPartition): ErrorCode {
  const length = committedMetadata?.length ?? 0
  const isTooLong = length > turn.settings.offsetMetadataLengthMax
  return isTooLong ? ErrorCode.OFFSET_METADATA_TOO_LARGE : ErrorCode.NONE
}

function addCommits(turn: Turn, request: CommitRequest): void {
  const { groupId: group, retentionTimeMs } = request
  const commitTimestamp = BigInt(turn.nowMs)
  const expireTimestamp =
    retentionTimeMs === DEFAULT_RETENTION
      ? -1n
      : BigInt.asIntN(64, commitTimestamp + retentionTimeMs)
  for (const { name: topic, topicId, partitions } of request.topics) {
    for (const partition of partitions) {
      if (metadataError(turn, partition) !== ErrorCode.NONE) continue
      const key = { group, topic, partition: partition.partitionIndex }
      const commit = {
        offset: partition.committedOffset,
        leaderEpoch: Math.max(partition.committedLeaderEpoch, -1),
        metadata: partition.committedMetadata ?? '',
        commitTimestamp,
        expireTimestamp,
        topicId,
      }
      turn.records.push(offsetCommitRecord(key, commit))
    }
  }
}

/** Decides one group of an OffsetFetch. A group or partition that is not known has committed nothing: no error. */
export function fetchOffsets(
  turn: Turn,
  { request }: { request: OffsetsWanted },
  ticket: Ticket,
): void {
  const { groupId, memberId, memberEpoch } = request
  const consumer = turn.truth.consumerGroups.get(groupId)
  const errorCode = fetchErrorOf(consumer, memberId, memberEpoch)
  if (errorCode !== ErrorCode.NONE) {
    turn.reply(ticket, { kind: 'offsetFetch', response: { groupId, topics: [], errorCode } })
    return
  }
  const topics = request.topics === null ? allOffsets(turn, request) : theseOffsets(turn, request)
  const response = { groupId, topics, errorCode: ErrorCode.NONE }
  turn.reply(ticket, { kind: 'offsetFetch', response })
}

function theseOffsets(turn: Turn, request: OffsetsWanted): FetchedOffsets['topics'] {
  return request.topics!.map(({ name, topicId, partitionIndexes }) => ({
    name,
    topicId,
    partitions: partitionIndexes.map((partition) => {
      if (isUnstable(turn, request, name, partition)) return unstable(partition)
      const commit = turn.truth.offset(request.groupId, name, partition)
      // A commit for an earlier topic of this name is none for this one.
      const isOurs = commit !== undefined && mayBeSameTopic(commit.topicId, topicId)
      return fetched(partition, isOurs ? commit : undefined)
    }),
  }))
}

function allOffsets(turn: Turn, request: OffsetsWanted): FetchedOffsets['topics'] {
  const committed = turn.truth.offsets.get(request.groupId) ?? []
  return Array.from(committed, ([name, partitions]) => ({
    name,
    topicId: ZERO_UUID,
    partitions: Array.from(partitions, ([partition, commit]) =>
      isUnstable(turn, request, name, partition) ? unstable(partition) : fetched(partition, commit),
    ),
  }))
}

function isUnstable(turn: Turn, request: OffsetsWanted, topic: string, partition: number) {
  return request.requireStable && turn.truth.pending.has(request.groupId, topic, partition)
}

function unstable(partitionIndex: number): FetchedPartition {
  return { ...fetched(partitionIndex, undefined), errorCode: ErrorCode.UNSTABLE_OFFSET_COMMIT }
}

function mayBeSameTopic(x: string, y: string): boolean {
  return x === ZERO_UUID || y === ZERO_UUID || x === y
}

function fetched(partitionIndex: number, commit: OffsetCommitValue | undefined): FetchedPartition {
  return {
    partitionIndex,
    committedOffset: commit?.offset ?? NO_OFFSET,
    committedLeaderEpoch: commit?.leaderEpoch ?? -1,
    metadata: commit?.metadata ?? '',
    errorCode: ErrorCode.NONE,
  }
}

/** Decides an OffsetDelete: offsets of topics that the group does not read. */
export function deleteOffsets(
  turn: Turn,
  { request }: { request: DeleteRequest },
  ticket: Ticket,
): void {
  const consumer = turn.truth.consumerGroups.get(request.groupId)
  const group = consumer ?? turn.groups.get(request.groupId)
  const errorCode = consumer === undefined ? deleteError(request, turn.groups) : ErrorCode.NONE
  const isRefused = group === undefined || errorCode !== ErrorCode.NONE
  const topics = isRefused ? [] : request.topics.map((topic) => deleteOfTopic(turn, group, topic))
  turn.reply(ticket, { kind: 'offsetDelete', response: { errorCode, topics } })
}

function deleteError(
  { groupId }: DeleteRequest,
  groups: ReadonlyMap<string, ClassicGroup>,
): ErrorCode {
  if (groupId === '') return ErrorCode.INVALID_GROUP_ID
  const group = groups.get(groupId)
  if (group === undefined) return ErrorCode.GROUP_ID_NOT_FOUND
  const isInUse = group.state !== 'Empty' && !group.isConsumerGroup
  return isInUse ? ErrorCode.NON_EMPTY_GROUP : ErrorCode.NONE
}

/** A group of either kind, as far as its offsets go. */
interface Reading {
  readonly groupId: string
  isSubscribedTo(topic: string): boolean
}

function deleteOfTopic(turn: Turn, group: Reading, topic: DeleteRequest['topics'][number]) {
  const isSubscribed = group.isSubscribedTo(topic.name)
  return {
    name: topic.name,
    partitions: topic.partitions.map(({ partitionIndex }) => {
      const key = { group: group.groupId, topic: topic.name, partition: partitionIndex }
      const isCommitted = turn.truth.offset(key.group, key.topic, partitionIndex) !== undefined
      if (isCommitted && !isSubscribed) turn.records.push(offsetTombstone(key))
      const errorCode = isSubscribed ? ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC : ErrorCode.NONE
      return { partitionIndex, errorCode }
    }),
  }
}

/**
 * Topics are gone, and so is what groups have committed for them: a batch of it in this turn, the rest in turns of its
 * own. What is committed meanwhile is for a successor of the name, and stays.
 */
export function forgetTopics(turn: Turn, topics: readonly DeletedTopic[]): void {
  for (const topic of topics) turn.deletedTopics.push({ ...topic, atMs: turn.nowMs })
  forgetDeleted(turn)
}

/** The timer of deleted topics fired. */
export function forgetDeleted(turn: Turn): void {
  for (const [group, committed] of turn.truth.offsets) {
    for (const topic of turn.deletedTopics) {
      for (const [partition, commit] of committed.get(topic.name) ?? []) {
        if (!isOfDeleted(commit, topic)) continue
        if (turn.records.length >= RECORDS_MAX) return turn.arm(TOPICS_TIMER, 0)
        turn.records.push(offsetTombstone({ group, topic: topic.name, partition }))
      }
    }
  }
  turn.deletedTopics.length = 0
}

function isOfDeleted(commit: OffsetCommitValue, { topicId, atMs }: GoneTopic): boolean {
  const isOld = commit.commitTimestamp <= BigInt(atMs)
  return commit.topicId === topicId || (commit.topicId === ZERO_UUID && isOld)
}

/** Tombstones for all that a group has committed. */
export function tombstonesOf(turn: Turn, group: string): GroupRecord[] {
  const records: GroupRecord[] = []
  for (const [topic, partitions] of turn.truth.offsets.get(group) ?? []) {
    for (const partition of partitions.keys()) {
      records.push(offsetTombstone({ group, topic, partition }))
    }
  }
  for (const { key } of turn.truth.pending.of(group)) {
    const isCommitted = turn.truth.offset(group, key.topic, key.partition) !== undefined
    if (!isCommitted) records.push(offsetTombstone(key))
  }
  return records
}
