// Access control entries by id. What they mean is security/authorizer.ts; here they are only kept.
//
// Invariant: the removal of an id that is not there is a broken log and stops us.
// Kafka: AclsDelta, AclsImage, StandardAclWithId.

import { type Change, Changes } from './changes.ts'
import { CorruptMetadata, type RecordSink, type ValueOf } from './record.ts'

/** One access control entry, as its record. */
export type Acl = Readonly<ValueOf<'AccessControlEntryRecord'>>

/** Access control entries. */
export class Acls {
  private readonly entries = new Map<string, Acl>()
  private readonly changes = new Changes<string, Acl>()

  get size(): number {
    return this.entries.size
  }

  get(id: string): Acl | undefined {
    return this.entries.get(id)
  }

  values(): IterableIterator<Acl> {
    return this.entries.values()
  }

  replay(record: ValueOf<'AccessControlEntryRecord'>): void {
    this.changes.note(record.id, this.entries.get(record.id))
    this.entries.set(record.id, record)
  }

  replayRemove(record: ValueOf<'RemoveAccessControlEntryRecord'>): void {
    const before = this.entries.get(record.id)
    if (before === undefined) throw new CorruptMetadata(`the removal of unknown ACL ${record.id}`)
    this.changes.note(record.id, before)
    this.entries.delete(record.id)
  }

  write(sink: RecordSink): void {
    for (const value of this.entries.values()) {
      sink({ name: 'AccessControlEntryRecord', version: 0, value })
    }
  }

  takeChanges(): Map<string, Change<Acl>> {
    return this.changes.take((id) => this.entries.get(id))
  }
}
