// Offsets and groups that nobody needs any more, looked for every `offsets.retention.check.interval.ms`.
//
// An offset lasts `offsets.retention.minutes`: from the moment the group became empty; from its commit when the group
// is simple, or stable and known not to read the topic; for as long as its commit said in versions 2–4. A group in any
// other state keeps all it has. An empty group without offsets goes with the last of them.
// Kafka: GroupCoordinatorShard.cleanupGroupMetadata, OffsetMetadataManager.cleanupExpiredOffsets. KIP-211.

import type { ClassicGroup } from './classic_group.ts'
import { groupTombstone, type OffsetCommitValue, offsetTombstone } from './records.ts'
import { RECORDS_MAX } from './settings.ts'
import { RETENTION_TIMER } from './timers.ts'
import type { Turn } from './turn.ts'

/** The retention timer fired. */
export function expireOffsets(turn: Turn): void {
  for (const group of turn.groups.values()) {
    if (turn.records.length >= RECORDS_MAX) {
      turn.arm(RETENTION_TIMER, 0)
      return
    }
    const isAllExpired = expireOffsetsOf(turn, group)
    // Someone who was just given a member id is about to join: not yet a member, but no reason to lose the group.
    if (isAllExpired && group.state === 'Empty' && group.pendingJoin.size === 0) {
      turn.records.push(groupTombstone(group.groupId))
    }
  }
  turn.arm(RETENTION_TIMER, turn.settings.retentionCheckIntervalMs)
}

/** True when nothing is left of the group's offsets. */
function expireOffsetsOf(turn: Turn, group: ClassicGroup): boolean {
  const committed = turn.truth.offsets.get(group.groupId)
  if (committed === undefined) return true
  const since = retentionBase(group)
  if (since === null) return false
  let isAllExpired = true
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

/** From when on the retention of a commit runs, or null while the group's offsets are in use. */
function retentionBase(group: ClassicGroup): ((commit: OffsetCommitValue) => bigint) | null {
  const fromCommit = (commit: OffsetCommitValue) => commit.commitTimestamp
  if (group.protocolType === null) return fromCommit
  if (group.state === 'Empty') {
    const sinceMs = group.stateSinceMs
    return sinceMs === -1 ? fromCommit : () => BigInt(sinceMs)
  }
  const isReadable = group.isConsumerGroup && group.topics !== null
  return group.state === 'Stable' && isReadable ? fromCommit : null
}

function isExpired(turn: Turn, commit: OffsetCommitValue, since: bigint): boolean {
  const now = BigInt(turn.nowMs)
  if (commit.expireTimestamp !== -1n) return now >= commit.expireTimestamp
  return now - since >= BigInt(turn.settings.offsetsRetentionMs)
}
