// The names of this shard's timers. Group and member ids are free text, so a name carries the length of the group id
// and two different timers can never share a name. Kafka: GroupMetadataManager.classicGroupHeartbeatKey and friends.

import type { TimerKey } from '../coordinator/shard.ts'

/** Looks for offsets and groups to forget. */
export const RETENTION_TIMER: TimerKey = 'retention'

/** Goes on forgetting offsets of deleted topics. */
export const TOPICS_TIMER: TimerKey = 'topics'

/** What a timer is about. */
export type Timer =
  | { readonly kind: 'retention' }
  | { readonly kind: 'topics' }
  /** The join phase of a rebalance has lasted long enough. */
  | { readonly kind: 'join'; readonly groupId: string }
  /** Members that have not asked for their assignment are gone. */
  | { readonly kind: 'sync'; readonly groupId: string }
  /** A member has been silent for too long. */
  | { readonly kind: 'session'; readonly groupId: string; readonly memberId: string }

export function joinTimer(groupId: string): TimerKey {
  return `join ${groupId}`
}

export function syncTimer(groupId: string): TimerKey {
  return `sync ${groupId}`
}

export function sessionTimer(groupId: string, memberId: string): TimerKey {
  return `session ${groupId.length} ${groupId} ${memberId}`
}

/** The meaning of a timer's name. */
export function parseTimer(key: TimerKey): Timer {
  if (key === RETENTION_TIMER) return { kind: 'retention' }
  if (key === TOPICS_TIMER) return { kind: 'topics' }
  const kind = key.slice(0, key.indexOf(' '))
  const rest = key.slice(kind.length + 1)
  if (kind === 'join' || kind === 'sync') return { kind, groupId: rest }
  const start = rest.indexOf(' ') + 1
  const end = start + Number(rest.slice(0, start - 1))
  return { kind: 'session', groupId: rest.slice(start, end), memberId: rest.slice(end + 1) }
}
