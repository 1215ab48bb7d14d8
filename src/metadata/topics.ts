// Topics and their partitions.
//
// Invariant: a Topic and a Partition that a reader has seen never change; a topic touched since the
// last publish is a private copy that is changed in place until it is published. So a publish costs
// what changed: one array of pointers per touched topic, nothing per untouched one, whatever the
// number of partitions.
// Kafka: TopicsDelta, TopicDelta, TopicImage, PartitionRegistration.merge; KIP-858 for directories,
// KIP-966 for eligible leader replicas.

import { Changes } from './changes.ts'
import { SINCE } from './features.ts'
import { CorruptMetadata, type RecordSink, unwritable, type ValueOf } from './record.ts'

/** A replica's directory that no broker has reported yet. */
export const DIRECTORY_MIGRATING = 'AAAAAAAAAAAAAAAAAAAAAA'
/** A replica that awaits a directory. */
export const DIRECTORY_UNASSIGNED = 'AAAAAAAAAAAAAAAAAAAAAQ'
/** A replica whose directory is offline. */
export const DIRECTORY_LOST = 'AAAAAAAAAAAAAAAAAAAAAg'
/** The leader of a partition that has none. */
export const NO_LEADER = -1
/** In a PartitionChangeRecord: the leader stays and its epoch with it. */
export const NO_LEADER_CHANGE = -2
/** In a PartitionChangeRecord: the recovery state stays. */
const NO_RECOVERY_CHANGE = -1

/** One partition: the PartitionRecord that would recreate it, with no list left null. */
export type Partition = Readonly<
  ValueOf<'PartitionRecord'> & { eligibleLeaderReplicas: number[]; lastKnownElr: number[] }
>

/** One topic; `partitions` is indexed by partition id. */
export interface Topic {
  readonly name: string
  readonly id: string
  readonly partitions: readonly (Partition | undefined)[]
}

/** A touched topic: as it was published, as it is, and which partitions differ. */
export interface TopicChange {
  id: string
  name: string
  before: Topic | undefined
  after: Topic | undefined
  partitions: readonly number[]
}

interface OpenTopic {
  name: string
  id: string
  partitions: (Partition | undefined)[]
}

/** Topics by id and by name. */
export class Topics {
  private readonly byIds = new Map<string, Topic>()
  private readonly byNames = new Map<string, Topic>()
  private readonly changes = new Changes<string, Topic>()
  private touchedPartitions = new Map<string, Set<number>>()
  /** Topics copied since the last publish: these objects may be changed in place. */
  private open = new Map<string, OpenTopic>()
  private partitions = 0

  get size(): number {
    return this.byIds.size
  }

  get partitionCount(): number {
    return this.partitions
  }

  byId(id: string): Topic | undefined {
    return this.byIds.get(id)
  }

  byName(name: string): Topic | undefined {
    return this.byNames.get(name)
  }

  partition(topicId: string, partitionId: number): Partition | undefined {
    return this.byIds.get(topicId)?.partitions[partitionId]
  }

  values(): IterableIterator<Topic> {
    return this.byIds.values()
  }

  replayTopic(record: ValueOf<'TopicRecord'>): void {
    this.remove(record.topicId)
    const topic: OpenTopic = { name: record.name, id: record.topicId, partitions: [] }
    this.changes.note(topic.id, undefined)
    this.touchedPartitions.set(topic.id, new Set())
    this.open.set(topic.id, topic)
    this.byIds.set(topic.id, topic)
    this.byNames.set(topic.name, topic)
  }

  replayPartition(record: ValueOf<'PartitionRecord'>): void {
    const directories = record.directories ?? []
    if (directories.length > 0 && directories.length !== record.replicas.length) {
      throw new CorruptMetadata(`as many directories as replicas: ${describe(record)}`)
    }
    this.put({
      ...record,
      directories: orMigrating(directories, record.replicas.length),
      eligibleLeaderReplicas: record.eligibleLeaderReplicas ?? [],
      lastKnownElr: record.lastKnownElr ?? [],
    })
  }

  replayPartitionChange(record: ValueOf<'PartitionChangeRecord'>): void {
    const partition = this.partition(record.topicId, record.partitionId)
    if (partition === undefined) {
      throw new CorruptMetadata(`a change of the unknown partition ${describe(record)}`)
    }
    this.put(merge(partition, record))
  }

  /** Forgets a topic and says its name. */
  replayRemoveTopic(record: ValueOf<'RemoveTopicRecord'>): string {
    const name = this.remove(record.topicId)
    if (name === undefined) {
      throw new CorruptMetadata(`the removal of the unknown topic ${record.topicId}`)
    }
    return name
  }

  /** Empties the ELR of one topic, or of every topic when the name is empty. */
  replayClearElr(record: ValueOf<'ClearElrRecord'>): void {
    if (record.topicName === '') {
      for (const topic of [...this.byIds.values()]) this.clearElr(topic)
      return
    }
    const topic = this.byNames.get(record.topicName)
    if (topic === undefined) {
      throw new CorruptMetadata(`a ClearElrRecord of the unknown topic ${record.topicName}`)
    }
    this.clearElr(topic)
  }

  write(sink: RecordSink, metadataVersion: number): void {
    const version = partitionVersion(metadataVersion)
    for (const topic of this.byIds.values()) {
      sink({ name: 'TopicRecord', version: 0, value: { name: topic.name, topicId: topic.id } })
      for (const partition of topic.partitions) {
        if (partition !== undefined) writePartition(sink, partition, version)
      }
    }
  }

  takeChanges(): TopicChange[] {
    const touched = this.touchedPartitions
    this.touchedPartitions = new Map()
    this.open = new Map()
    const out: TopicChange[] = []
    for (const [id, { before, after }] of this.changes.take((key) => this.byIds.get(key))) {
      const topic = after ?? before
      // A topic that came and went between two publishes was never there.
      if (topic === undefined) continue
      const partitions = after === undefined ? [] : [...(touched.get(id) ?? [])]
      out.push({ id, name: topic.name, before, after, partitions })
    }
    return out
  }

  private put(partition: Partition): void {
    const { topicId, partitionId } = partition
    if (partitionId < 0) throw new CorruptMetadata(`a negative partition id: ${topicId}`)
    const topic = this.opened(topicId)
    if (topic.partitions[partitionId] === undefined) this.partitions++
    topic.partitions[partitionId] = partition
    this.touchedPartitions.get(topicId)!.add(partitionId)
  }

  private opened(id: string): OpenTopic {
    const already = this.open.get(id)
    if (already !== undefined) return already
    const published = this.byIds.get(id)
    if (published === undefined) throw new CorruptMetadata(`a partition of the unknown topic ${id}`)
    const { name, partitions } = published
    const topic: OpenTopic = { name, id, partitions: partitions.slice() }
    this.changes.note(id, published)
    this.touchedPartitions.set(id, new Set())
    this.open.set(id, topic)
    this.byIds.set(id, topic)
    if (this.byNames.get(name) === published) this.byNames.set(name, topic)
    return topic
  }

  private remove(id: string): string | undefined {
    const topic = this.byIds.get(id)
    if (topic === undefined) return undefined
    this.changes.note(id, topic)
    this.open.delete(id)
    this.byIds.delete(id)
    if (this.byNames.get(topic.name) === topic) this.byNames.delete(topic.name)
    for (const partition of topic.partitions) if (partition !== undefined) this.partitions--
    return topic.name
  }

  private clearElr(topic: Topic): void {
    for (const partition of topic.partitions.slice()) {
      if (partition === undefined) continue
      if (partition.eligibleLeaderReplicas.length + partition.lastKnownElr.length === 0) continue
      this.put({
        ...partition,
        eligibleLeaderReplicas: [],
        lastKnownElr: [],
        partitionEpoch: partition.partitionEpoch + 1,
      })
    }
  }
}

/** The partition after a change: a null list stays, a named leader begins a new leader epoch. */
export function merge(partition: Partition, record: ValueOf<'PartitionChangeRecord'>): Partition {
  const replicas = record.replicas ?? partition.replicas
  const changesLeader = record.leader !== NO_LEADER_CHANGE
  const changesRecovery = record.leaderRecoveryState !== NO_RECOVERY_CHANGE
  return {
    ...partition,
    replicas,
    isr: record.isr ?? partition.isr,
    removingReplicas: record.removingReplicas ?? partition.removingReplicas,
    addingReplicas: record.addingReplicas ?? partition.addingReplicas,
    leader: changesLeader ? record.leader : partition.leader,
    leaderRecoveryState: changesRecovery
      ? record.leaderRecoveryState
      : partition.leaderRecoveryState,
    leaderEpoch: partition.leaderEpoch + (changesLeader ? 1 : 0),
    partitionEpoch: partition.partitionEpoch + 1,
    directories: orMigrating(record.directories ?? partition.directories, replicas.length),
    eligibleLeaderReplicas: record.eligibleLeaderReplicas ?? partition.eligibleLeaderReplicas,
    lastKnownElr: record.lastKnownElr ?? partition.lastKnownElr,
  }
}

/** The PartitionRecord version that a metadata.version writes. */
export function partitionVersion(metadataVersion: number): number {
  if (metadataVersion >= SINCE.eligibleLeaderReplicas) return 2
  return metadataVersion >= SINCE.directoryAssignment ? 1 : 0
}

function writePartition(sink: RecordSink, partition: Partition, version: number): void {
  if (version < 1 && partition.directories.some((id) => id !== DIRECTORY_MIGRATING)) {
    unwritable('replica directories', version)
  }
  const { eligibleLeaderReplicas: elr, lastKnownElr } = partition
  if (version < 2 && elr.length + lastKnownElr.length > 0) unwritable('ELR', version)
  // Both are tagged fields: an empty list is left null so that it takes no bytes.
  const value = {
    ...partition,
    eligibleLeaderReplicas: elr.length > 0 ? elr : null,
    lastKnownElr: lastKnownElr.length > 0 ? lastKnownElr : null,
  }
  sink({ name: 'PartitionRecord', version, value })
}

function orMigrating(directories: string[], count: number): string[] {
  if (directories.some((id) => id !== DIRECTORY_MIGRATING)) return directories
  return directories.length === count ? directories : new Array(count).fill(DIRECTORY_MIGRATING)
}

function describe(record: { topicId: string; partitionId: number }): string {
  return `${record.topicId}:${record.partitionId}`
}
