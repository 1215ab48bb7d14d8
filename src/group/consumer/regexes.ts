// Subscriptions by pattern, in RE2's syntax. A pattern is compiled when somebody first brings it, so that who brings a
// bad one hears of it, and matched against all topics in a turn of its own: the heartbeat that asked does not wait.
//
// Matching again: when topics have come, when a pattern of the group was never matched, and every
// `group.consumer.regex.refresh.interval.ms`; never within ten seconds of the last time. All patterns of a group are
// matched together, so that a group is rebalanced once. The engine takes linear time, whatever the pattern.
// Kafka: GroupMetadataManager.maybeUpdateRegularExpressions, TopicRegexResolver. KIP-848.

import { ErrorCode } from '../../protocol/errors.ts'
import type { GroupRecord } from '../records.ts'
import { regexTimer } from '../timers.ts'
import type { Turn } from '../turn.ts'
import { hashOfTopics } from './cluster.ts'
import type { ConsumerGroup, ResolvedRegex } from './consumer_group.ts'
import { type ConsumerMember, isSameList } from './member.ts'
import { groupEpochRecord, regexRecord, regexTombstone } from './records.ts'
import { type Refusal, refusal } from './refusal.ts'

/** Topics are not looked through for the patterns of a group more often than this. */
const MATCH_INTERVAL_MS = 10_000

/** What a member's pattern means for its group. */
export interface RegexChange {
  readonly isUpdated: boolean
  /** Which topics the new pattern stands for is known. */
  readonly isResolved: boolean
  readonly records: readonly GroupRecord[]
}

/** Judges the pattern of a member that has spoken, and has patterns matched where that is due. */
export function updateRegex(
  turn: Turn,
  group: ConsumerGroup,
  member: ConsumerMember,
  updated: ConsumerMember,
): RegexChange | Refusal {
  const { topicRegex: before } = member
  const { topicRegex: after } = updated
  const isUpdated = before !== after
  const records: GroupRecord[] = []
  const patterns = new Map(group.subscribedRegexes)
  let isNew = false
  if (isUpdated) {
    if (before !== '' && patterns.get(before) === 1) {
      records.push(regexTombstone(group.groupId, before))
      patterns.delete(before)
    }
    isNew = after !== '' && !group.subscribedRegexes.has(after)
    if (isNew) {
      if (turn.settings.consumer.compileRegex(after) === null) {
        const message = `${after} is no regular expression of RE2.`
        return refusal(ErrorCode.INVALID_REGULAR_EXPRESSION, message)
      }
    }
    if (after !== '') patterns.set(after, 1)
  }
  if (isMatchingDue(turn, group, patterns, isNew)) turn.arm(regexTimer(group.groupId), 0)
  const isKnown = after === '' || group.regexes.has(after)
  return { isUpdated, isResolved: isUpdated && isKnown, records }
}

function isMatchingDue(
  turn: Turn,
  group: ConsumerGroup,
  patterns: ReadonlyMap<string, number>,
  isNew: boolean,
): boolean {
  if (patterns.size === 0) return false
  let lastMs = Number.NEGATIVE_INFINITY
  let version = Number.NEGATIVE_INFINITY
  for (const resolved of group.regexes.values()) {
    lastMs = Math.max(lastMs, resolved.timestampMs)
    version = Math.max(version, resolved.version)
  }
  if (turn.nowMs <= lastMs + MATCH_INTERVAL_MS) return false
  // Others than those that were matched: there is a new one, or one is gone.
  const areOthers = isNew || patterns.size !== group.regexes.size
  const { regexRefreshIntervalMs } = turn.settings.consumer
  return (
    areOthers ||
    version < turn.cluster.topicsAddedVersion ||
    turn.nowMs > lastMs + regexRefreshIntervalMs
  )
}

/** Matches the patterns of a group against the topics there are. */
export function matchRegexes(turn: Turn, group: ConsumerGroup): void {
  const { groupId } = group
  const { cluster, nowMs: timestampMs } = turn
  const matched = new Map<string, ResolvedRegex>(group.regexes)
  const names = [...cluster.topicNames()]
  let hasChanged = false
  for (const pattern of group.subscribedRegexes.keys()) {
    const matches = turn.settings.consumer.compileRegex(pattern)
    const topics = matches === null ? [] : names.filter(matches).sort()
    const resolved = { topics, version: cluster.version, timestampMs }
    hasChanged ||= !isSameList(group.regexes.get(pattern)?.topics ?? [], topics)
    matched.set(pattern, resolved)
    turn.records.push(regexRecord(groupId, pattern, resolved))
  }
  const hash = hashOfTopics(cluster, group.topicNamesAfter([], matched))
  if (!hasChanged && hash === group.metadataHash) return
  turn.records.push(groupEpochRecord(groupId, group.groupEpoch + 1, hash))
}
