// Timings of one consumer group: what IncrementalAlterConfigs has set for it, within the broker's limits, or else what
// the broker says. Kafka: GroupConfig, GroupMetadataManager.consumerGroupSessionTimeoutMs and friends. KIP-848.

import type { GroupSettings, Limited } from '../settings.ts'
import type { Cluster } from './cluster.ts'

export interface ConsumerSettings {
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  /** Least time between two target assignments. */
  readonly assignmentIntervalMs: number
}

/** The timings of a group. */
export function consumerSettings(
  { settings, cluster }: { readonly settings: GroupSettings; readonly cluster: Cluster },
  groupId: string,
): ConsumerSettings {
  const own = cluster.groupConfigs(groupId)
  const { sessionTimeoutMs, heartbeatIntervalMs, assignmentIntervalMs } = settings.consumer
  return {
    sessionTimeoutMs: within(own.get('consumer.session.timeout.ms'), sessionTimeoutMs),
    heartbeatIntervalMs: within(own.get('consumer.heartbeat.interval.ms'), heartbeatIntervalMs),
    assignmentIntervalMs: within(own.get('consumer.assignment.interval.ms'), assignmentIntervalMs),
  }
}

function within(own: string | undefined, { value, min, max }: Limited): number {
  return own === undefined ? value : Math.min(Math.max(Number(own), min), max)
}
