// Dynamic configs by resource (topic, broker, cluster default, client metrics, group).
//
// Invariant: a resource without an entry is absent, and a null value removes its entry. Names are
// not judged here: a config that this release does not know is carried as it is.
// Kafka: ConfigurationsDelta, ConfigurationsImage.

import { type Change, Changes } from './changes.ts'
import type { RecordSink, ValueOf } from './record.ts'

/** Kafka's ConfigResource.Type ids. */
export const CONFIG_RESOURCE = Object.freeze({
  topic: 2,
  broker: 4,
  clientMetrics: 16,
  group: 32,
})

/** A resource's entries; replaced on change, so a reader may keep one. */
export interface ResourceConfig {
  readonly type: number
  readonly name: string
  readonly entries: ReadonlyMap<string, string>
}

const EMPTY: ReadonlyMap<string, string> = new Map()
const keyOf = (type: number, name: string) => `${type}:${name}`

/** Dynamic configs. The cluster default for brokers is the broker resource with an empty name. */
export class Configs {
  private readonly resources = new Map<string, ResourceConfig>()
  private readonly changes = new Changes<string, ResourceConfig>()

  /** The entries of a resource; empty when it has none. */
  of(type: number, name: string): ReadonlyMap<string, string> {
    return this.resources.get(keyOf(type, name))?.entries ?? EMPTY
  }

  values(): IterableIterator<ResourceConfig> {
    return this.resources.values()
  }

  replay(record: ValueOf<'ConfigRecord'>): void {
    const { resourceType: type, resourceName: name } = record
    const key = keyOf(type, name)
    const before = this.resources.get(key)
    this.changes.note(key, before)
    const entries = new Map(before?.entries)
    if (record.value === null) entries.delete(record.name)
    else entries.set(record.name, record.value)
    if (entries.size === 0) this.resources.delete(key)
    else this.resources.set(key, { type, name, entries })
  }

  /** A topic's configs go with the topic. */
  replayTopicRemoved(topicName: string): void {
    const key = keyOf(CONFIG_RESOURCE.topic, topicName)
    const before = this.resources.get(key)
    if (before === undefined) return
    this.changes.note(key, before)
    this.resources.delete(key)
  }

  write(sink: RecordSink): void {
    for (const { type, name: resourceName, entries } of this.resources.values()) {
      for (const [name, value] of entries) {
        const record = { resourceType: type, resourceName, name, value }
        sink({ name: 'ConfigRecord', version: 0, value: record })
      }
    }
  }

  takeChanges(): Change<ResourceConfig>[] {
    const changes = [...this.changes.take((key) => this.resources.get(key)).values()]
    return changes.filter(({ before, after }) => before !== undefined || after !== undefined)
  }
}
