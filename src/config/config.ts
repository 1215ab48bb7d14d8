// The configuration of a running node: what was set, by whom, and the typed value of every key.
//
// Three layers, later ones stronger: settings made at start, dynamic defaults of the cluster,
// dynamic settings of this broker. A stronger layer that sets one name of a family (ms, minutes,
// hours) hides every name of that family below it. Invariant: an instance never changes; a dynamic
// change makes a new one.
// Kafka: KafkaConfig, AbstractConfig, DynamicBrokerConfig.overrideProps and removeInvalidConfigs.

import { ratesTable } from './broker/rates.ts'
import type { BrokerValues } from './broker.ts'
import { brokerTable } from './broker.ts'
import type { OttlaValues } from './ottla.ts'
import { ottlaTable } from './ottla.ts'
import type { Row, Table } from './rows.ts'
import { baseKey, brokerSynonyms } from './synonyms.ts'
import type { TypedValue } from './text/values.ts'
import { defaultValue, readValue } from './text/values.ts'

/** One thing that was set: the text as it was given, and who gave it. */
export interface Setting {
  readonly key: string
  readonly value: string
  readonly source: string
}

export type ConfigValues = BrokerValues & OttlaValues
export type ConfigKey = keyof ConfigValues

/** Every key a node knows: Kafka's broker keys and our own. */
export const nodeTable: Table = { ...brokerTable, ...ottlaTable }

/** Dynamic layers as the metadata image holds them: key to text. */
export interface DynamicLayers {
  readonly clusterDefault: ReadonlyMap<string, string>
  readonly thisBroker: ReadonlyMap<string, string>
}

const NO_LAYERS: DynamicLayers = { clusterDefault: new Map(), thisBroker: new Map() }

/** The row of a key, seen through its listener prefix; undefined when nobody knows it. */
export function nodeRow(key: string): Row | undefined {
  const base = baseKey(key)
  if (Object.hasOwn(nodeTable, base)) return nodeTable[base]
  return Object.hasOwn(ratesTable, base) ? (ratesTable as Table)[base] : undefined
}

/** The configuration of one node. */
export class BrokerConfig {
  /** What was set at start, unknown keys included; `node.id` and `broker.id` are one. */
  readonly settings: ReadonlyMap<string, Setting>
  readonly layers: DynamicLayers
  private readonly values = new Map<string, TypedValue>()
  private readonly texts = new Map<string, string | null>()

  constructor(settings: ReadonlyMap<string, Setting>, layers: DynamicLayers = NO_LAYERS) {
    this.settings = withNodeId(settings)
    this.layers = layers
    const merged = this.merge()
    for (const [key, row] of Object.entries(nodeTable)) {
      const text = merged.get(key)
      const reading = text === undefined ? null : readValue(row, text)
      this.values.set(key, reading?.ok ? reading.value : defaultValue(row))
      this.texts.set(key, reading?.ok ? reading.text : (row.fallback ?? null))
    }
  }

  /** The typed value of a key in force now. */
  get<K extends ConfigKey>(key: K): ConfigValues[K] {
    return this.values.get(key) as ConfigValues[K]
  }

  /** A rate that can only be set while running, bytes per second; it saturates where there is no limit. */
  rate(key: keyof typeof ratesTable): number {
    const { clusterDefault, thisBroker } = this.layers
    const text = thisBroker.get(key) ?? clusterDefault.get(key)
    const row: Row = ratesTable[key]
    const reading = text === undefined ? null : readValue(row, text)
    return (reading?.ok ? reading.value : defaultValue(row)) as number
  }

  /** The value of a key in force now, as Kafka prints it; null when there is none. */
  text(key: ConfigKey): string | null {
    return this.texts.get(key) ?? null
  }

  /** True when the key was set at start. */
  isSet(key: string): boolean {
    return this.settings.has(key)
  }

  /** The same node under other dynamic layers; entries that may not be there are left out. */
  withLayers(layers: DynamicLayers): BrokerConfig {
    const clusterDefault = new Map(
      [...layers.clusterDefault].filter(
        ([key, value]) => isUsable(key, value) && nodeRow(key)?.update !== 'per-broker',
      ),
    )
    const thisBroker = new Map(
      [...layers.thisBroker].filter(([key, value]) => isUsable(key, value)),
    )
    return new BrokerConfig(this.settings, { clusterDefault, thisBroker })
  }

  private merge(): Map<string, string> {
    const merged = new Map([...this.settings.values()].map(({ key, value }) => [key, value]))
    for (const layer of [this.layers.clusterDefault, this.layers.thisBroker]) {
      for (const [key, value] of layer) {
        for (const synonym of brokerSynonyms(key, false)) merged.delete(synonym)
        merged.set(key, value)
      }
    }
    return merged
  }
}

function isUsable(key: string, value: string): boolean {
  const row = nodeRow(key)
  return row === undefined || (row.update !== 'read-only' && readValue(row, value).ok)
}

function withNodeId(settings: ReadonlyMap<string, Setting>): ReadonlyMap<string, Setting> {
  const both = new Map(settings)
  const node = settings.get('node.id')
  const broker = settings.get('broker.id')
  if (node !== undefined && broker === undefined)
    both.set('broker.id', { ...node, key: 'broker.id' })
  if (broker !== undefined && node === undefined) both.set('node.id', { ...broker, key: 'node.id' })
  return both
}
