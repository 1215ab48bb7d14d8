// What the group coordinator takes from the broker's configuration, in the units it computes with.
// Kafka: GroupCoordinatorConfig.

import type { BrokerConfig } from '../config/config.ts'

export interface GroupSettings {
  readonly sessionTimeoutMsMin: number
  readonly sessionTimeoutMsMax: number
  readonly initialRebalanceDelayMs: number
  readonly membersMax: number
  /** In UTF-16 units, as Kafka measures strings, though the config says bytes. */
  readonly offsetMetadataLengthMax: number
  readonly offsetsRetentionMs: number
  readonly retentionCheckIntervalMs: number
}

/**
 * Past so many records, work that nobody waits for goes on in a turn of its own: one batch, 60 to 300 bytes each, stays
 * far below the 1 MiB a batch may have.
 */
export const RECORDS_MAX = 1000

/** A member that waits in its first JoinGroup longer than this is taken to be gone: 5 minutes, as Kafka. */
export const NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000

export function groupSettings(config: BrokerConfig): GroupSettings {
  return {
    sessionTimeoutMsMin: config.get('group.min.session.timeout.ms'),
    sessionTimeoutMsMax: config.get('group.max.session.timeout.ms'),
    initialRebalanceDelayMs: config.get('group.initial.rebalance.delay.ms'),
    membersMax: config.get('group.max.size'),
    offsetMetadataLengthMax: config.get('offset.metadata.max.bytes'),
    offsetsRetentionMs: config.get('offsets.retention.minutes') * 60_000,
    retentionCheckIntervalMs: config.get('offsets.retention.check.interval.ms'),
  }
}
