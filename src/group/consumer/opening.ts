// Which group a heartbeat is for: the one there is, a new one for who joins, or a classic one that becomes a consumer
// group: at once while it is empty, with its members where the policy allows it (upgrade.ts).
//
// Kafka: GroupMetadataManager.getOrMaybeCreateConsumerGroup. KIP-848.

import type { ClassicGroup } from '../classic_group.ts'
import { type GroupRecord, groupTombstone } from '../records.ts'
import { sessionTimer } from '../timers.ts'
import type { Turn } from '../turn.ts'
import { ConsumerGroup } from './consumer_group.ts'
import { upgrade } from './migration/upgrade.ts'
import type { Refusal } from './refusal.ts'
import { noConsumerGroup } from './refusal.ts'

/** A group, what makes it one, and what is to be done once it is decided that it is one. */
export interface Opened {
  readonly group: ConsumerGroup
  readonly records: readonly GroupRecord[]
  readonly commit: () => void
}

/** Finds the group, or makes it for who joins. */
export function openGroup(turn: Turn, groupId: string, isJoining: boolean): Opened | Refusal {
  const group = turn.truth.consumerGroups.get(groupId)
  if (group !== undefined) return { group, records: [], commit: () => {} }
  if (!isJoining) return noConsumerGroup(groupId)
  const classic = turn.groups.get(groupId)
  if (classic === undefined) {
    return { group: new ConsumerGroup(groupId), records: [], commit: () => {} }
  }
  if (classic.state === 'Empty') return replaceEmpty(turn, classic)
  return upgrade(turn, classic)
}

function replaceEmpty(turn: Turn, classic: ClassicGroup): Opened {
  const { groupId } = classic
  return {
    group: new ConsumerGroup(groupId),
    records: [groupTombstone(groupId)],
    commit: () => {
      for (const memberId of classic.pendingJoin) turn.cancel(sessionTimer(groupId, memberId))
      turn.groups.delete(groupId)
    },
  }
}
