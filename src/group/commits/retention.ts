// Offsets and groups that nobody needs any more, looked for every `offsets.retention.check.interval.ms`.
//
// An offset lasts `offsets.retention.minutes`: from the moment the group became empty; from its commit when the group
// is simple, or stable and known not to read the topic; for as long as its commit said in versions 2–4. A group in any
// other state keeps all it has. In a consumer group it lasts from its commit unless a member reads the topic. An empty group without offsets goes with the last of them.
// Kafka: GroupCoordinatorShard.cleanupGroupMetadata, OffsetMetadataManager.cleanupExpiredOffsets. KIP-211.

import type { ClassicGroup } from '../classic_group.ts'
import type { ConsumerGroup } from '../consumer/consumer_group.ts'
import { consumerGroupTombstones } from '../consumer/record_sets.ts'
import { groupTombstone, type OffsetCommitValue, offsetTombstone } from '../records.ts'
import { RECORDS_MAX } from '../settings.ts'
import { RETENTION_TIMER } from '../timers.ts'
import type { Turn } from '../turn.ts'

/** The retention timer fired. */
export function expireOffsets(turn: Turn): void {
  for (const group of turn.groups.values()) {
    if (hasEnough(turn)) return
    const isAllExpired = expireOffsetsOf(turn, group, retentionBase(group))
    // Someone who was just given a member id is about to join: not yet a member, but no reason to lose the group.
    if (isAllExpired && group.state === 'Empty' && group.pendingJoin.size === 0) {
      turn.records.push(groupTombstone(group.groupId))
    }
  }
  for (const group of turn.truth.consumerGroups.values()) {
    if (hasEnough(turn)) return
    const isAllExpired = expireOffsetsOf(turn, group, sinceCommit)
    if (isAllExpired && group.size === 0) turn.records.push(...consumerGroupTombstones(group))
  }
  turn.arm(RETENTION_TIMER, turn.settings.retentionCheckIntervalMs)
}

/** True when the turn is full: the rest is for another one. */
function hasEnough(turn: Turn): boolean {
  const isFull = turn.records.length >= RECORDS_MAX
  if (isFull) turn.arm(RETENTION_TIMER, 0)
  return isFull
}

/** From when on the retention of a commit runs. */
type RetentionBase = (commit: OffsetCommitValue) => bigint

const sinceCommit: RetentionBase = ({ commitTimestamp }) => commitTimestamp

/** True when nothing is left of the group's offsets. */
function expireOffsetsOf(
  turn: Turn,
  group: ClassicGroup | ConsumerGroup,
  since: RetentionBase | null,
): boolean {
  const committed = turn.truth.offsets.get(group.groupId)
  const hasPending = turn.truth.pending.of(group.groupId).length > 0
  if (committed === undefined) return !hasPending
  if (since === null) return false
  let isAllExpired = !hasPending
  for (const [topic, partitions] of committed) {
    if (group.isSubscribedTo(topic)) {
      isAllExpired = false
      continue
    }
    for (const [partition, commit] of partitions) {
      if (turn.records.length < RECORDS_MAX && isExpired(turn, commit, since(commit))) {
        turn.records.push(offsetTombstone({ group: group.groupId, topic, partition }))
      } else isAllExpired = false
    }
  }
  return isAllExpired
}

/** Null while the group's offsets are in use. */
function retentionBase(group: ClassicGroup): RetentionBase | null {
  if (group.protocolType === null) return sinceCommit
  if (group.state === 'Empty') {
    const sinceMs = group.stateSinceMs
    return sinceMs === -1 ? sinceCommit : () => BigInt(sinceMs)
  }
  const isReadable = group.isConsumerGroup && group.topics !== null
  return group.state === 'Stable' && isReadable ? sinceCommit : null
}

function isExpired(turn: Turn, commit: OffsetCommitValue, since: bigint): boolean {
  const now = BigInt(turn.nowMs)
  if (commit.expireTimestamp !== -1n) return now >= commit.expireTimestamp
  return now - since >= BigInt(turn.settings.offsetsRetentionMs)
}
