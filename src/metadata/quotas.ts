// Client quotas by entity (user, client-id, ip, or a pair of them).
//
// Invariant: an entity is its set of (type, name) pairs, whatever their order in a record; a null
// name is the default of that type. An entity without a quota is absent.
// Kafka: ClientQuotasDelta, ClientQuotasImage.

import { type Change, Changes } from './changes.ts'
import type { RecordSink, ValueOf } from './record.ts'

type Entity = ValueOf<'ClientQuotaRecord'>['entity']

/** An entity and its quota values by key; replaced on change. */
export interface EntityQuota {
  readonly entity: Entity
  readonly values: ReadonlyMap<string, number>
}

/** One string per entity, the same for every order of its parts. */
export function entityKey(entity: Entity): string {
  const parts = entity.map((part) => JSON.stringify([part.entityType, part.entityName]))
  return parts.sort().join()
}

/** Client quotas. */
export class Quotas {
  private readonly entities = new Map<string, EntityQuota>()
  private readonly changes = new Changes<string, EntityQuota>()

  get size(): number {
    return this.entities.size
  }

  of(entity: Entity): ReadonlyMap<string, number> | undefined {
    return this.entities.get(entityKey(entity))?.values
  }

  all(): IterableIterator<EntityQuota> {
    return this.entities.values()
  }

  replay(record: ValueOf<'ClientQuotaRecord'>): void {
    const key = entityKey(record.entity)
    const before = this.entities.get(key)
    this.changes.note(key, before)
    const values = new Map(before?.values)
    if (record.remove) values.delete(record.key)
    else values.set(record.key, record.value)
    if (values.size === 0) this.entities.delete(key)
    else this.entities.set(key, { entity: before?.entity ?? record.entity, values })
  }

  write(sink: RecordSink): void {
    for (const { entity, values } of this.entities.values()) {
      for (const [key, value] of values) {
        const record = { entity, key, value, remove: false }
        sink({ name: 'ClientQuotaRecord', version: 0, value: record })
      }
    }
  }

  takeChanges(): Change<EntityQuota>[] {
    const changes = [...this.changes.take((key) => this.entities.get(key)).values()]
    return changes.filter(({ before, after }) => before !== undefined || after !== undefined)
  }
}
