// Commits of transactions that have not ended: told to nobody, and what they would change is unstable until then.
//
// Invariant: changed by replay alone, as the truth is. A commit of no transaction that comes later in the log wins over a
// pending one; a tombstone takes it away. Kafka: OffsetMetadataManager.{pendingTransactionalOffsets, openTransactions}.

import type { OffsetCommitValue, OffsetKey } from '../records.ts'

/** A commit, and where it lies in the log. */
export interface PendingCommit {
  readonly key: OffsetKey
  readonly value: OffsetCommitValue
  readonly offset: number
}

/** Pending commits by producer. */
export class PendingOffsets {
  private readonly byProducer = new Map<number, Map<string, PendingCommit>>()
  /** How many producers have a commit pending for a partition of a group. */
  private readonly counts = new Map<string, number>()

  hold(producerId: number, commit: PendingCommit): void {
    let commits = this.byProducer.get(producerId)
    if (commits === undefined) {
      commits = new Map()
      this.byProducer.set(producerId, commits)
    }
    const name = nameOf(commit.key)
    if (!commits.has(name)) this.count(name, 1)
    commits.set(name, commit)
  }

  /** The transaction has ended: what it had committed, in order. */
  end(producerId: number): PendingCommit[] {
    const commits = this.byProducer.get(producerId)
    if (commits === undefined) return []
    this.byProducer.delete(producerId)
    for (const name of commits.keys()) this.count(name, -1)
    return [...commits.values()]
  }

  /** The commit is no more. */
  drop(key: OffsetKey): void {
    const name = nameOf(key)
    if (!this.counts.has(name)) return
    for (const [producerId, commits] of this.byProducer) {
      if (commits.delete(name)) this.count(name, -1)
      if (commits.size === 0) this.byProducer.delete(producerId)
    }
  }

  /** Whether some transaction may still change what the group has committed for a partition. */
  has(group: string, topic: string, partition: number): boolean {
    return this.counts.size > 0 && this.counts.has(nameOf({ group, topic, partition }))
  }

  /** Every commit that is pending for a group. */
  of(group: string): PendingCommit[] {
    const found: PendingCommit[] = []
    for (const commits of this.byProducer.values()) {
      for (const commit of commits.values()) if (commit.key.group === group) found.push(commit)
    }
    return found
  }

  /** Groups with pending commits. */
  groups(): Set<string> {
    const groups = new Set<string>()
    for (const commits of this.byProducer.values()) {
      for (const { key } of commits.values()) groups.add(key.group)
    }
    return groups
  }

  private count(name: string, by: number): void {
    const count = (this.counts.get(name) ?? 0) + by
    if (count === 0) this.counts.delete(name)
    else this.counts.set(name, count)
  }
}

/** Topic names have no spaces, so no two keys share a name. */
function nameOf({ group, topic, partition }: OffsetKey): string {
  return `${topic} ${partition} ${group}`
}
