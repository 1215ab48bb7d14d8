// Keys that mean the same thing under other names or in other units, in order of precedence.
//
// A topic that does not set `retention.ms` takes the broker's `log.retention.ms`, else minutes,
// else hours; a broker that sets none of them takes the default of the last. Invariant: the unit
// conversion belongs to the pair, so that a value can be carried as text and described as it was
// written.
// Kafka: ServerTopicConfigSynonyms, DynamicBrokerConfig.brokerConfigSynonyms,
// GroupConfig.ALL_GROUP_CONFIG_SYNONYMS.

/** A broker key and the factor that turns its value into the unit of the key it stands for. */
export interface Synonym {
  readonly key: string
  readonly factor: number
}

const HOUR_MS = 60 * 60 * 1000
const MINUTE_MS = 60 * 1000

const same = (key: string): readonly Synonym[] => [{ key, factor: 1 }]

/** Broker keys that give a topic key its value when the topic does not, first one first. */
export const topicSynonyms: Readonly<Record<string, readonly Synonym[]>> = {
  'cleanup.policy': same('log.cleanup.policy'),
  'compression.gzip.level': same('compression.gzip.level'),
  'compression.lz4.level': same('compression.lz4.level'),
  'compression.type': same('compression.type'),
  'compression.zstd.level': same('compression.zstd.level'),
  'delete.retention.ms': same('log.cleaner.delete.retention.ms'),
  'file.delete.delay.ms': same('log.segment.delete.delay.ms'),
  'flush.messages': same('log.flush.interval.messages'),
  'flush.ms': [...same('log.flush.interval.ms'), ...same('log.flush.scheduler.interval.ms')],
  'index.interval.bytes': same('log.index.interval.bytes'),
  'local.retention.bytes': same('log.local.retention.bytes'),
  'local.retention.ms': same('log.local.retention.ms'),
  'max.compaction.lag.ms': same('log.cleaner.max.compaction.lag.ms'),
  'max.message.bytes': same('message.max.bytes'),
  'message.timestamp.after.max.ms': same('log.message.timestamp.after.max.ms'),
  'message.timestamp.before.max.ms': same('log.message.timestamp.before.max.ms'),
  'message.timestamp.type': same('log.message.timestamp.type'),
  'min.cleanable.dirty.ratio': same('log.cleaner.min.cleanable.ratio'),
  'min.compaction.lag.ms': same('log.cleaner.min.compaction.lag.ms'),
  'min.insync.replicas': same('min.insync.replicas'),
  'ottla.early.retention.ms': same('ottla.log.early.retention.ms'),
  preallocate: same('log.preallocate'),
  'retention.bytes': same('log.retention.bytes'),
  'retention.ms': [
    ...same('log.retention.ms'),
    { key: 'log.retention.minutes', factor: MINUTE_MS },
    { key: 'log.retention.hours', factor: HOUR_MS },
  ],
  'segment.bytes': same('log.segment.bytes'),
  'segment.index.bytes': same('log.index.size.max.bytes'),
  'segment.jitter.ms': [
    ...same('log.roll.jitter.ms'),
    { key: 'log.roll.jitter.hours', factor: HOUR_MS },
  ],
  'segment.ms': [...same('log.roll.ms'), { key: 'log.roll.hours', factor: HOUR_MS }],
  'unclean.leader.election.enable': same('unclean.leader.election.enable'),
}

const BROKER_FAMILIES: readonly (readonly string[])[] = [
  ['log.roll.ms', 'log.roll.hours'],
  ['log.roll.jitter.ms', 'log.roll.jitter.hours'],
  ['log.retention.ms', 'log.retention.minutes', 'log.retention.hours'],
]

/** A listener's own key: `listener.name.<listener>.<key>`, perhaps `.<mechanism>.<key>`. */
export const LISTENER_KEY = /^listener\.name\.([^.]*)\.(.*)$/

const MECHANISM_KEYS = [
  'sasl.jaas.config',
  'sasl.login.callback.handler.class',
  'sasl.login.class',
  'sasl.server.callback.handler.class',
  'connections.max.reauth.ms',
]

/** The broker keys that stand for a broker key, itself included, first one first. */
export function brokerSynonyms(key: string, matchListener = true): readonly string[] {
  const family = BROKER_FAMILIES.find((keys) => keys.includes(key))
  if (family !== undefined) return family
  if (key === 'log.flush.interval.ms') return [key, 'log.flush.scheduler.interval.ms']
  return matchListener && LISTENER_KEY.test(key) ? [key, baseKey(key)] : [key]
}

/** The key without its listener prefix and mechanism: what the table knows it by. */
export function baseKey(key: string): string {
  const rest = LISTENER_KEY.exec(key)?.[2]
  if (rest === undefined) return key
  return MECHANISM_KEYS.find((mechanismKey) => rest.endsWith(mechanismKey)) ?? rest
}

/** The broker key that a group key falls back to; null when it has its own default only. */
export function groupSynonym(key: string): string | null {
  return OWN_DEFAULT.has(key) ? null : `group.${key}`
}

const OWN_DEFAULT = new Set([
  'share.auto.offset.reset',
  'share.isolation.level',
  'share.renew.acknowledge.enable',
])
