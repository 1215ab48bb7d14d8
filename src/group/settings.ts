// What the group coordinator takes from the broker's configuration, in the units it computes with.
// Kafka: GroupCoordinatorConfig.

import type { BrokerConfig } from '../config/config.ts'
import type { Assignor } from './assignors/assignor.ts'
import { assignRanges } from './assignors/range.ts'
import { assignUniformly } from './assignors/uniform.ts'

export interface GroupSettings {
  readonly sessionTimeoutMsMin: number
  readonly sessionTimeoutMsMax: number
  readonly initialRebalanceDelayMs: number
  readonly membersMax: number
  /** In UTF-16 units, as Kafka measures strings, though the config says bytes. */
  readonly offsetMetadataLengthMax: number
  readonly offsetsRetentionMs: number
  readonly retentionCheckIntervalMs: number
  readonly consumer: ConsumerGroupSettings
}

/** What is true of all consumer groups, or of those for which nothing else was set. */
export interface ConsumerGroupSettings {
  readonly sessionTimeoutMs: Limited
  readonly heartbeatIntervalMs: Limited
  /** Least time between two target assignments. */
  readonly assignmentIntervalMs: Limited
  readonly membersMax: number
  /** By the names clients choose them by; the first is for those who do not choose. */
  readonly assignors: ReadonlyMap<string, Assignor>
  readonly migration: Migration
  readonly regexRefreshIntervalMs: number
  /** A matcher for whole topic names, in time linear in their length; null when it is no regular expression. */
  readonly compileRegex: CompileRegex
}

/** A setting with the limits that a group's own value is held to. */
export interface Limited {
  readonly value: number
  readonly min: number
  readonly max: number
}

/** Which way groups with members may change their protocol. */
export interface Migration {
  readonly mayUpgrade: boolean
  readonly mayDowngrade: boolean
}

export type CompileRegex = (pattern: string) => ((topicName: string) => boolean) | null

/**
 * Past so many records, work that nobody waits for goes on in a turn of its own: one batch, 60 to 300 bytes each, stays
 * far below the 1 MiB a batch may have.
 */
export const RECORDS_MAX = 1000

/** A member that waits in its first JoinGroup longer than this is taken to be gone: 5 minutes, as Kafka. */
export const NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000

/** The assignors there are. */
const ASSIGNORS: ReadonlyMap<string, Assignor> = new Map([
  ['uniform', assignUniformly],
  ['range', assignRanges],
])

/** The settings of a broker; what may change while it runs is asked for each time. */
export function groupSettings(
  config: () => BrokerConfig,
  compileRegex: CompileRegex,
): GroupSettings {
  const fixed = config()
  return {
    sessionTimeoutMsMin: fixed.get('group.min.session.timeout.ms'),
    sessionTimeoutMsMax: fixed.get('group.max.session.timeout.ms'),
    initialRebalanceDelayMs: fixed.get('group.initial.rebalance.delay.ms'),
    membersMax: fixed.get('group.max.size'),
    offsetMetadataLengthMax: fixed.get('offset.metadata.max.bytes'),
    offsetsRetentionMs: fixed.get('offsets.retention.minutes') * 60_000,
    retentionCheckIntervalMs: fixed.get('offsets.retention.check.interval.ms'),
    consumer: consumerGroupSettings(config, compileRegex),
  }
}

function consumerGroupSettings(
  config: () => BrokerConfig,
  compileRegex: CompileRegex,
): ConsumerGroupSettings {
  const fixed = config()
  const policy = fixed.get('group.consumer.migration.policy').toLowerCase()
  return {
    sessionTimeoutMs: {
      value: fixed.get('group.consumer.session.timeout.ms'),
      min: fixed.get('group.consumer.min.session.timeout.ms'),
      max: fixed.get('group.consumer.max.session.timeout.ms'),
    },
    heartbeatIntervalMs: {
      value: fixed.get('group.consumer.heartbeat.interval.ms'),
      min: fixed.get('group.consumer.min.heartbeat.interval.ms'),
      max: fixed.get('group.consumer.max.heartbeat.interval.ms'),
    },
    get assignmentIntervalMs() {
      return {
        value: config().get('group.consumer.assignment.interval.ms'),
        min: fixed.get('group.consumer.min.assignment.interval.ms'),
        max: fixed.get('group.consumer.max.assignment.interval.ms'),
      }
    },
    membersMax: fixed.get('group.consumer.max.size'),
    assignors: chosenAssignors(fixed.get('group.consumer.assignors')),
    migration: {
      mayUpgrade: policy === 'bidirectional' || policy === 'upgrade',
      mayDowngrade: policy === 'bidirectional' || policy === 'downgrade',
    },
    regexRefreshIntervalMs: fixed.get('group.consumer.regex.refresh.interval.ms'),
    compileRegex,
  }
}

/** Names that are no assignor's are refused with the configuration. */
function chosenAssignors(names: readonly string[]): ReadonlyMap<string, Assignor> {
  const chosen = new Map<string, Assignor>()
  for (const name of names) {
    const assignor = ASSIGNORS.get(name)
    if (assignor !== undefined) chosen.set(name, assignor)
  }
  return chosen
}
