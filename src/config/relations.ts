// Relations between values of different keys, as a table: each row names the key that is reported,
// the keys it is compared with, and what must hold. Kafka: KafkaConfig.validateValues,
// GroupCoordinatorConfig, ShareGroupConfig. Units are converted by the reader; -1 means "no limit"
// where it is allowed.

import type { BrokerConfig, ConfigKey, ConfigValues } from './config.ts'

/** One relation; `problem` completes "the value is wrong because …". */
export interface Relation {
  readonly key: ConfigKey
  readonly holds: (config: BrokerConfig) => boolean
  readonly problem: string
  readonly reads?: readonly ConfigKey[]
}

type NumberKey = {
  [K in ConfigKey]: ConfigValues[K] extends number ? K : never
}[ConfigKey]

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const MIB = 1024 * 1024

function atMost(key: NumberKey, limit: NumberKey): Relation {
  return {
    key,
    holds: (config) => config.get(key) <= config.get(limit),
    problem: `it must not be more than ${limit}`,
    reads: [limit],
  }
}

function atLeast(key: NumberKey, limit: NumberKey): Relation {
  return {
    key,
    holds: (config) => config.get(key) >= config.get(limit),
    problem: `it must not be less than ${limit}`,
    reads: [limit],
  }
}

function below(key: NumberKey, limit: NumberKey): Relation {
  return {
    key,
    holds: (config) => config.get(key) < config.get(limit),
    problem: `it must be less than ${limit}`,
    reads: [limit],
  }
}

/** Time in ms before a segment is deleted, from whichever of its three keys is set; -1 keeps it. */
export function retentionMs(config: BrokerConfig): number {
  const minutes = config.get('log.retention.minutes')
  const given =
    config.get('log.retention.ms') ??
    (minutes === null ? config.get('log.retention.hours') * HOUR_MS : minutes * MINUTE_MS)
  return given < 0 ? -1 : given
}

type GroupKind = 'consumer' | 'share' | 'streams'

function groupRelations(kind: GroupKind): Relation[] {
  return [
    atLeast(`group.${kind}.heartbeat.interval.ms`, `group.${kind}.min.heartbeat.interval.ms`),
    atMost(`group.${kind}.heartbeat.interval.ms`, `group.${kind}.max.heartbeat.interval.ms`),
    atMost(`group.${kind}.min.heartbeat.interval.ms`, `group.${kind}.max.heartbeat.interval.ms`),
    atLeast(`group.${kind}.session.timeout.ms`, `group.${kind}.min.session.timeout.ms`),
    atMost(`group.${kind}.session.timeout.ms`, `group.${kind}.max.session.timeout.ms`),
    atMost(`group.${kind}.min.session.timeout.ms`, `group.${kind}.max.session.timeout.ms`),
    atLeast(`group.${kind}.assignment.interval.ms`, `group.${kind}.min.assignment.interval.ms`),
    atMost(`group.${kind}.assignment.interval.ms`, `group.${kind}.max.assignment.interval.ms`),
    atMost(`group.${kind}.min.assignment.interval.ms`, `group.${kind}.max.assignment.interval.ms`),
    below(`group.${kind}.heartbeat.interval.ms`, `group.${kind}.session.timeout.ms`),
  ]
}

const CODEC_MAX = 4

/** Every relation that must hold at start. */
export const RELATIONS: readonly Relation[] = [
  {
    key: 'log.roll.ms',
    holds: (config) => (config.get('log.roll.ms') ?? 1) >= 1,
    problem: 'it must be at least 1',
  },
  {
    key: 'log.roll.jitter.ms',
    holds: (config) => (config.get('log.roll.jitter.ms') ?? 0) >= 0,
    problem: 'it must be at least 0',
  },
  {
    key: 'log.retention.ms',
    holds: (config) => retentionMs(config) !== 0,
    problem: 'retention, from ms, minutes or hours, must be at least 1 ms, or -1 for ever',
    reads: ['log.retention.minutes', 'log.retention.hours'],
  },
  {
    key: 'log.cleaner.threads',
    holds: (config) => config.get('log.cleaner.threads') > 0,
    problem: 'it must be at least 1',
  },
  {
    key: 'log.cleaner.dedupe.buffer.size',
    holds: (config) =>
      Math.trunc(config.get('log.cleaner.dedupe.buffer.size') / config.get('log.cleaner.threads')) >
      MIB,
    problem: `each of log.cleaner.threads must get more than ${MIB} bytes of it`,
    reads: ['log.cleaner.threads'],
  },
  {
    key: 'cordoned.log.dirs',
    holds: (config) => {
      const cordoned = config.get('cordoned.log.dirs')
      const logDirs = config.get('log.dirs') ?? config.get('log.dir')
      if (cordoned.includes('*')) return cordoned.length === 1
      return cordoned.every((path) => logDirs.includes(path))
    },
    problem: 'each of its entries must be one of log.dirs or log.dir, or it must be * alone',
    reads: ['log.dirs', 'log.dir'],
  },
  atLeast('replica.socket.timeout.ms', 'replica.fetch.wait.max.ms'),
  atLeast('replica.lag.time.max.ms', 'replica.fetch.wait.max.ms'),
  {
    key: 'queued.max.request.bytes',
    holds: (config) =>
      config.get('queued.max.request.bytes') <= 0 ||
      config.get('queued.max.request.bytes') >= config.get('socket.request.max.bytes'),
    problem: 'it must be at least socket.request.max.bytes, or -1 for no limit',
    reads: ['socket.request.max.bytes'],
  },
  {
    key: 'connections.max.idle.ms',
    holds: (config) =>
      config.get('connections.max.idle.ms') < 0 ||
      config.get('connections.max.idle.ms') >
        config.get('connection.failed.authentication.delay.ms'),
    problem: 'it must be more than connection.failed.authentication.delay.ms',
    reads: ['connection.failed.authentication.delay.ms'],
  },
  {
    key: 'group.coordinator.rebalance.protocols',
    holds: (config) => config.get('group.coordinator.rebalance.protocols').includes('classic'),
    problem: 'classic cannot be left out',
  },
  {
    key: 'offsets.topic.compression.codec',
    holds: (config) => isCodec(config.get('offsets.topic.compression.codec')),
    problem: `it must be between 0 and ${CODEC_MAX}`,
  },
  {
    key: 'share.coordinator.state.topic.compression.codec',
    holds: (config) => isCodec(config.get('share.coordinator.state.topic.compression.codec')),
    problem: `it must be between 0 and ${CODEC_MAX}`,
  },
  {
    key: 'group.share.assignors',
    holds: (config) => config.get('group.share.assignors').length === 1,
    problem: 'it must name exactly one assignor',
  },
  ...groupRelations('consumer'),
  ...groupRelations('share'),
  ...groupRelations('streams'),
  atMost('group.streams.num.standby.replicas', 'group.streams.max.standby.replicas'),
  atLeast('group.share.delivery.count.limit', 'group.share.min.delivery.count.limit'),
  atMost('group.share.delivery.count.limit', 'group.share.max.delivery.count.limit'),
  atLeast('group.share.record.lock.duration.ms', 'group.share.min.record.lock.duration.ms'),
  atMost('group.share.record.lock.duration.ms', 'group.share.max.record.lock.duration.ms'),
  atLeast('group.share.partition.max.record.locks', 'group.share.min.partition.max.record.locks'),
  atMost('group.share.partition.max.record.locks', 'group.share.max.partition.max.record.locks'),
]

function isCodec(id: number): boolean {
  return id >= 0 && id <= CODEC_MAX
}
