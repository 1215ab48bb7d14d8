// The configuration of one topic as its partitions see it: the topic's own settings, else the
// broker's.
//
// The broker's value may have another name and another unit (synonyms.ts); it is the value in force
// now, so a dynamic change of the broker moves every topic that does not say otherwise. A stored
// setting that cannot be read, which only a foreign log can hold, counts as not set.
// Kafka: LogConfig.fromProps, KafkaConfig.extractLogConfigMap.

import type { BrokerConfig, ConfigKey } from './config.ts'
import { retentionMs } from './relations.ts'
import type { Row, ValuesOf } from './rows.ts'
import { topicSynonyms } from './synonyms.ts'
import type { TypedValue } from './text/values.ts'
import { defaultValue, readValue } from './text/values.ts'
import { topicTable } from './topic.ts'

export type TopicKey = keyof typeof topicTable

/** Every key of a topic with its typed value in force. */
export type TopicConfig = ValuesOf<typeof topicTable>

/** A value in force and its text as Kafka prints it. */
export interface EffectiveValue {
  readonly value: TypedValue
  readonly text: string | null
}

/** The row of a topic key; undefined when there is none. */
export function topicRow(key: string): Row | undefined {
  return Object.hasOwn(topicTable, key) ? topicTable[key as TopicKey] : undefined
}

/** Resolves every key of a topic from its own settings and the broker's configuration. */
export function topicConfig(
  overrides: ReadonlyMap<string, string>,
  broker: BrokerConfig,
): TopicConfig {
  const values: Record<string, TypedValue> = {}
  for (const key of Object.keys(topicTable)) {
    values[key] = effectiveTopicValue(key as TopicKey, overrides, broker).value
  }
  return values as unknown as TopicConfig
}

/** The size at which a segment is closed; the internal key stands before the public one. */
export function segmentBytes(topic: TopicConfig): number {
  return topic['internal.segment.bytes'] ?? topic['segment.bytes']
}

/** What decides how much of a topic's partitions stays. */
export function retentionOf(
  overrides: ReadonlyMap<string, string>,
  broker: BrokerConfig,
): { policy: readonly string[]; retentionMs: number; retentionBytes: number } {
  const value = (key: TopicKey) => effectiveTopicValue(key, overrides, broker).value
  return {
    policy: value('cleanup.policy') as readonly string[],
    retentionMs: value('retention.ms') as number,
    retentionBytes: value('retention.bytes') as number,
  }
}

/** What a low disk may take of a topic's partitions. */
export function earlyRetentionOf(
  overrides: ReadonlyMap<string, string>,
  broker: BrokerConfig,
): ReturnType<typeof retentionOf> & { earlyRetentionMs: number } {
  const { value } = effectiveTopicValue('ottla.early.retention.ms', overrides, broker)
  return { ...retentionOf(overrides, broker), earlyRetentionMs: value as number }
}

/** What compacts a topic's records. */
export function compactionOf(
  overrides: ReadonlyMap<string, string>,
  broker: BrokerConfig,
): {
  policy: readonly string[]
  minCleanableRatio: number
  minCompactionLagMs: number
  maxCompactionLagMs: number
  deleteRetentionMs: number
} {
  const value = (key: TopicKey) => effectiveTopicValue(key, overrides, broker).value
  return {
    policy: value('cleanup.policy') as readonly string[],
    minCleanableRatio: value('min.cleanable.dirty.ratio') as number,
    minCompactionLagMs: value('min.compaction.lag.ms') as number,
    maxCompactionLagMs: value('max.compaction.lag.ms') as number,
    deleteRetentionMs: value('delete.retention.ms') as number,
  }
}

/** Resolves one key of a topic. */
export function effectiveTopicValue(
  key: TopicKey,
  overrides: ReadonlyMap<string, string>,
  broker: BrokerConfig,
): EffectiveValue {
  const own = overrides.get(key)
  const row: Row = topicTable[key]
  const reading = own === undefined ? null : readValue(row, own)
  if (reading?.ok === true) return reading
  return brokerValue(key, broker) ?? { value: defaultValue(row), text: row.fallback ?? null }
}

function brokerValue(key: TopicKey, broker: BrokerConfig): EffectiveValue | null {
  if (key === 'retention.ms') return numeric(retentionMs(broker))
  for (const { key: brokerKey, factor } of topicSynonyms[key] ?? []) {
    const value = broker.get(brokerKey as ConfigKey) as TypedValue
    if (value === null) continue
    if (factor !== 1) return numeric((value as number) * factor)
    return { value, text: broker.text(brokerKey as ConfigKey) }
  }
  return null
}

function numeric(value: number): EffectiveValue {
  return { value, text: String(value) }
}
