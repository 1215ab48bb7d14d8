// What the log says: which groups are stored, and what every group has committed. Changed by replay alone.
//
// Invariant: the same records give the same truth, and so do the records that compaction leaves of them: a group is
// here while a record of its kind says so, an offset while an OffsetCommit does, and nothing is here otherwise.
// Kafka: GroupMetadataManager.replay, OffsetMetadataManager.replay.

import { PendingOffsets } from './commits/pending.ts'
import type { ConsumerGroup } from './consumer/consumer_group.ts'
import { replayConsumerGroup } from './consumer/replay.ts'
import type { GroupMetadataValue, GroupRecord, OffsetCommitValue } from './records.ts'

/** Topic → partition → commit. */
export type GroupOffsets = Map<string, Map<number, OffsetCommitValue>>

/** The replicated state of one `__consumer_offsets` partition. */
export class GroupTruth {
  private readonly stored = new Map<string, GroupMetadataValue>()
  private readonly consumer = new Map<string, ConsumerGroup>()
  private readonly committed = new Map<string, GroupOffsets>()
  /** Where in the log a commit lies that came while another was pending: of the two, the later one counts. */
  private readonly recordedAt = new WeakMap<OffsetCommitValue, number>()
  /** Commits of transactions that have not ended. */
  readonly pending = new PendingOffsets()

  get groups(): ReadonlyMap<string, GroupMetadataValue> {
    return this.stored
  }

  /** Groups of KIP-848. */
  get consumerGroups(): ReadonlyMap<string, ConsumerGroup> {
    return this.consumer
  }

  /** Offsets by group; a group that has none is not in it. */
  get offsets(): ReadonlyMap<string, GroupOffsets> {
    return this.committed
  }

  offset(group: string, topic: string, partition: number): OffsetCommitValue | undefined {
    return this.committed.get(group)?.get(topic)?.get(partition)
  }

  /** Records of share and streams groups are passed over. */
  replay(record: GroupRecord, offset = -1): void {
    switch (record.type) {
      case 'GroupMetadata':
        if (record.value === null) this.stored.delete(record.key.group)
        else this.stored.set(record.key.group, record.value)
        return
      case 'OffsetCommit':
        if (record.value === null) this.forget(record.key)
        else this.commit(record.key, record.value, offset)
        return
      default:
        replayConsumerGroup(this.consumer, record)
    }
  }

  /** A record of a transaction that has not ended. */
  hold(record: GroupRecord, offset: number, producerId: number): void {
    if (record.type !== 'OffsetCommit' || record.value === null) return
    this.pending.hold(producerId, { key: record.key, value: record.value, offset })
  }

  /** What the transaction had committed counts from now on, or never. */
  endTransaction(producerId: number, isCommit: boolean): void {
    for (const { key, value, offset } of this.pending.end(producerId)) {
      if (!isCommit) continue
      const known = this.offset(key.group, key.topic, key.partition)
      const isNewer = known === undefined || (this.recordedAt.get(known) ?? -1) < offset
      if (isNewer) this.commit(key, value, offset)
    }
  }

  private commit(
    key: { group: string; topic: string; partition: number },
    value: OffsetCommitValue,
    offset: number,
  ) {
    // What was there before a pending commit is older than it; only what comes beside it has to be told apart.
    if (this.pending.has(key.group, key.topic, key.partition)) this.recordedAt.set(value, offset)
    const topics = entry(this.committed, key.group, () => new Map())
    entry(topics, key.topic, () => new Map<number, OffsetCommitValue>()).set(key.partition, value)
  }

  private forget(key: { group: string; topic: string; partition: number }): void {
    this.pending.drop(key)
    const topics = this.committed.get(key.group)
    const partitions = topics?.get(key.topic)
    if (topics === undefined || partitions === undefined) return
    partitions.delete(key.partition)
    if (partitions.size === 0) topics.delete(key.topic)
    if (topics.size === 0) this.committed.delete(key.group)
  }
}

function entry<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}
