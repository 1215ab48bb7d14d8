// The names of this shard's timers. Group and member ids are free text, so a name carries the length of the group id
// and two different timers can never share a name. Kafka: GroupMetadataManager.classicGroupHeartbeatKey and friends.

import type { TimerKey } from '../coordinator/shard.ts'

/** Looks for offsets and groups to forget. */
export const RETENTION_TIMER: TimerKey = 'retention'

/** Goes on forgetting offsets of deleted topics. */
export const TOPICS_TIMER: TimerKey = 'topics'

const MEMBER_TIMERS: readonly MemberTimer[] = ['session', 'rebalance', 'rejoin', 'resync']

/** What a timer is about. */
export type Timer =
  | { readonly kind: 'retention' }
  | { readonly kind: 'topics' }
  /** The join phase of a rebalance has lasted long enough. */
  | { readonly kind: 'join'; readonly groupId: string }
  /** Members that have not asked for their assignment are gone. */
  | { readonly kind: 'sync'; readonly groupId: string }
  /** The patterns of a consumer group are to be matched. */
  | { readonly kind: 'regex'; readonly groupId: string }
  | { readonly kind: MemberTimer; readonly groupId: string; readonly memberId: string }

/**
 * What a member may be too late with: a sign of life; partitions of a consumer group that it has to give up; a JoinGroup
 * or SyncGroup, where it speaks the classic protocol in a consumer group.
 */
export type MemberTimer = 'session' | 'rebalance' | 'rejoin' | 'resync'

export function joinTimer(groupId: string): TimerKey {
  return `join ${groupId}`
}

export function syncTimer(groupId: string): TimerKey {
  return `sync ${groupId}`
}

export function regexTimer(groupId: string): TimerKey {
  return `regex ${groupId}`
}

export function memberTimer(kind: MemberTimer, groupId: string, memberId: string): TimerKey {
  return `${kind} ${groupId.length} ${groupId} ${memberId}`
}

export function sessionTimer(groupId: string, memberId: string): TimerKey {
  return memberTimer('session', groupId, memberId)
}

export function rebalanceTimer(groupId: string, memberId: string): TimerKey {
  return memberTimer('rebalance', groupId, memberId)
}

/** All that a member of a consumer group may be too late with. */
export function memberTimers(groupId: string, memberId: string): TimerKey[] {
  return MEMBER_TIMERS.map((kind) => memberTimer(kind, groupId, memberId))
}

/** The meaning of a timer's name. */
export function parseTimer(key: TimerKey): Timer {
  if (key === RETENTION_TIMER) return { kind: 'retention' }
  if (key === TOPICS_TIMER) return { kind: 'topics' }
  const kind = key.slice(0, key.indexOf(' '))
  const rest = key.slice(kind.length + 1)
  if (kind === 'join' || kind === 'sync' || kind === 'regex') return { kind, groupId: rest }
  const start = rest.indexOf(' ') + 1
  const end = start + Number(rest.slice(0, start - 1))
  const member = { groupId: rest.slice(start, end), memberId: rest.slice(end + 1) }
  return { kind: kind as MemberTimer, ...member }
}
