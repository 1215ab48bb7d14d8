// What DescribeConfigs answers, as pure functions of the configuration: value, source, synonyms and
// documentation of every key of a broker, the cluster's default, a topic, a group or a metrics
// subscription.
//
// Synonyms are listed strongest first: this broker's dynamic setting, the cluster's, the file's,
// the default; what stands before the first entry of the key's own name is dropped, as Kafka does.
// The first is the source. A sensitive or unknown key shows no value. Kafka: ConfigHelper,
// ConfigHelperUtils, DescribeConfigsResponse.

import { clientMetricsTable } from './client.ts'
import type { BrokerConfig, ConfigKey } from './config.ts'
import { nodeRow, nodeTable } from './config.ts'
import { groupTable } from './group.ts'
import type { ConfigType, Row, Table } from './rows.ts'
import { isSensitive } from './rows.ts'
import { brokerSynonyms, groupSynonym, LISTENER_KEY, topicSynonyms } from './synonyms.ts'
import { readValue } from './text/values.ts'
import { topicTable } from './topic.ts'
import type { TopicKey } from './topic_config.ts'
import { effectiveTopicValue } from './topic_config.ts'

/** Where a value comes from, as the wire numbers it. */
export const CONFIG_SOURCE = {
  TOPIC: 1,
  DYNAMIC_BROKER: 2,
  DYNAMIC_DEFAULT_BROKER: 3,
  STATIC_BROKER: 4,
  DEFAULT: 5,
  DYNAMIC_BROKER_LOGGER: 6,
  CLIENT_METRICS: 7,
  GROUP: 8,
} as const

/** Types of values, as the wire numbers them; 0 is a key that nobody knows. */
export const CONFIG_TYPE: Readonly<Record<ConfigType, number>> = {
  BOOLEAN: 1,
  STRING: 2,
  INT: 3,
  SHORT: 4,
  LONG: 5,
  DOUBLE: 6,
  LIST: 7,
  CLASS: 8,
  PASSWORD: 9,
}

/** One name that gives the key its value, or would if the stronger ones were gone. */
export interface DescribedSynonym {
  readonly name: string
  readonly value: string | null
  readonly source: number
}

/** One key as DescribeConfigs answers it. */
export interface DescribedConfig {
  readonly name: string
  readonly value: string | null
  readonly source: number
  readonly isDefault: boolean
  readonly readOnly: boolean
  readonly isSensitive: boolean
  readonly type: number
  readonly documentation: string | null
  readonly synonyms: readonly DescribedSynonym[]
}

/** What the client asked for; `keys` null or empty means all. */
export interface DescribeOptions {
  readonly keys?: readonly string[] | null
  readonly synonyms?: boolean
  readonly documentation?: boolean
}

type Overrides = ReadonlyMap<string, string>

/** Describes this broker: every public key, and whatever else was set. */
export function describeBroker(config: BrokerConfig, options: DescribeOptions): DescribedConfig[] {
  const known = Object.keys(nodeTable).filter((key) => !nodeTable[key]!.internal)
  const { clusterDefault, thisBroker } = config.layers
  const set = [...config.settings.keys(), ...clusterDefault.keys(), ...thisBroker.keys()]
  return chosen([...new Set([...known, ...set])], options).map((key) => {
    const row = nodeRow(key)
    const isPlain = Object.hasOwn(nodeTable, key)
    const value = isPlain ? config.text(key as ConfigKey) : setText(config, key)
    return entry(key, row, value, brokerChain(config, key, row), {
      options,
      readOnly: row === undefined || row.update === 'read-only' || LISTENER_KEY.test(key),
    })
  })
}

/** Describes the dynamic defaults of the cluster: only what is set. */
export function describeClusterDefault(
  config: BrokerConfig,
  options: DescribeOptions,
): DescribedConfig[] {
  const { clusterDefault } = config.layers
  return chosen([...clusterDefault.keys()], options).map((key) => {
    const row = nodeRow(key)
    const chain = brokerChain(config, key, row).filter(
      ({ source }) => source === CONFIG_SOURCE.DYNAMIC_DEFAULT_BROKER,
    )
    const readOnly = row === undefined || row.update === 'read-only'
    return entry(key, row, clusterDefault.get(key) ?? null, chain, { options, readOnly })
  })
}

/** Describes a topic: every public key, whatever else was set, and where each value comes from. */
export function describeTopic(
  overrides: Overrides,
  broker: BrokerConfig,
  options: DescribeOptions,
): DescribedConfig[] {
  return chosen(publicKeys(topicTable, overrides), options).map((key) => {
    const row = ownRow(topicTable, key)
    const value =
      row === undefined
        ? (overrides.get(key) ?? null)
        : effectiveTopicValue(key as TopicKey, overrides, broker).text
    const first = topicSynonyms[key]?.[0]?.key
    const below = first === undefined ? [] : brokerChain(broker, first, nodeRow(first))
    const chain = overrides.has(key)
      ? [{ name: key, value: shown(row, value), source: CONFIG_SOURCE.TOPIC }, ...below]
      : below
    return entry(key, row, value, chain, { options, readOnly: false })
  })
}

/** Describes a group: its own settings, else the broker's, else the default. */
export function describeGroup(
  overrides: Overrides,
  broker: BrokerConfig,
  options: DescribeOptions,
): DescribedConfig[] {
  return chosen(publicKeys(groupTable, overrides), options).map((key) => {
    const row = ownRow(groupTable, key)
    const brokerKey = row === undefined ? null : groupSynonym(key)
    const below =
      brokerKey === null ? ownDefault(key, row) : brokerChain(broker, brokerKey, nodeRow(brokerKey))
    const fallback = brokerKey === null ? row?.fallback : broker.text(brokerKey as ConfigKey)
    const value = overrides.get(key) ?? fallback ?? null
    const chain = overrides.has(key)
      ? [{ name: key, value: shown(row, value), source: CONFIG_SOURCE.GROUP }, ...below]
      : below
    return entry(key, row, value, chain, { options, readOnly: false })
  })
}

/** Describes a client-metrics subscription: its own settings over the defaults. */
export function describeClientMetrics(
  overrides: Overrides,
  options: DescribeOptions,
): DescribedConfig[] {
  return chosen(publicKeys(clientMetricsTable, overrides), options).map((key) => {
    const row = ownRow(clientMetricsTable, key)
    const value = overrides.get(key) ?? row?.fallback ?? null
    const own = { name: key, value: shown(row, value), source: CONFIG_SOURCE.CLIENT_METRICS }
    const chain = overrides.has(key) ? [own] : []
    return entry(key, row, value, chain, { options, readOnly: false })
  })
}

/** The documentation of a key: our sentence, and the truth about its state. */
export function documentationOf(row: Row): string {
  const { doc, state } = row
  if (state.kind === 'inert') return `${doc} No effect here: ${state.why}.`
  if (state.kind === 'not_built') {
    const refusal = state.concern === null ? '' : ' Setting it is refused.'
    return `${doc} Not built: ${state.why}.${refusal}`
  }
  return state.built === undefined ? doc : `${doc} Built for: ${state.built.join(', ')}.`
}

function chosen(keys: readonly string[], { keys: asked }: DescribeOptions): string[] {
  const wanted = asked == null || asked.length === 0 ? null : new Set(asked)
  return keys.filter((key) => wanted === null || wanted.has(key)).sort()
}

function publicKeys(table: Table, overrides: Overrides): string[] {
  const known = Object.keys(table).filter((key) => !table[key]!.internal)
  return [...new Set([...known, ...overrides.keys()])]
}

function ownRow(table: Table, key: string): Row | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}

function ownDefault(key: string, row: Row | undefined): DescribedSynonym[] {
  if (row?.fallback == null) return []
  return [{ name: key, value: row.fallback, source: CONFIG_SOURCE.DEFAULT }]
}

/** What may be shown of a value: nothing when it is sensitive or when nobody knows the key. */
function shown(row: Row | undefined, value: string | null): string | null {
  return row === undefined || isSensitive(row) ? null : value
}

function setText(config: BrokerConfig, key: string): string | null {
  const { clusterDefault, thisBroker } = config.layers
  const text =
    thisBroker.get(key) ?? clusterDefault.get(key) ?? config.settings.get(key)?.value ?? null
  const row = nodeRow(key)
  if (row === undefined || text === null) return text
  const reading = readValue(row, text)
  return reading.ok ? reading.text : text
}

function brokerChain(config: BrokerConfig, key: string, row: Row | undefined): DescribedSynonym[] {
  const names = brokerSynonyms(key)
  const { clusterDefault, thisBroker } = config.layers
  const chain: DescribedSynonym[] = []
  const add = (source: number, textOf: (name: string) => string | null | undefined) => {
    for (const name of names) {
      const value = textOf(name)
      if (value != null) chain.push({ name, value: shown(row, value), source })
    }
  }
  add(CONFIG_SOURCE.DYNAMIC_BROKER, (name) => thisBroker.get(name))
  add(CONFIG_SOURCE.DYNAMIC_DEFAULT_BROKER, (name) => clusterDefault.get(name))
  add(CONFIG_SOURCE.STATIC_BROKER, (name) => config.settings.get(name)?.value)
  add(CONFIG_SOURCE.DEFAULT, (name) => ownRow(nodeTable, name)?.fallback)
  const first = chain.findIndex(({ name }) => name === key)
  return first < 0 ? [] : chain.slice(first)
}

interface EntryContext {
  readonly options: DescribeOptions
  readonly readOnly: boolean
}

function entry(
  name: string,
  row: Row | undefined,
  value: string | null,
  chain: readonly DescribedSynonym[],
  { options, readOnly }: EntryContext,
): DescribedConfig {
  const source = chain[0]?.source ?? CONFIG_SOURCE.DEFAULT
  return {
    name,
    value: shown(row, value),
    source,
    isDefault: source === CONFIG_SOURCE.DEFAULT,
    readOnly,
    isSensitive: row === undefined || isSensitive(row),
    type: row === undefined ? 0 : CONFIG_TYPE[row.type],
    documentation:
      options.documentation === true && row !== undefined ? documentationOf(row) : null,
    synonyms: options.synonyms === true ? chain : [],
  }
}
