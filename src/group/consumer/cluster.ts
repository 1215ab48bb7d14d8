// What a group coordinator may know of the cluster: topics with their partitions, and what was set for a group. It is a
// live view: the host says when it has changed (`clusterChanged`), and groups that read a changed topic look again.
//
// A group remembers what it last saw as one number, so that a heartbeat tells "nothing has changed" by a comparison.
// Kafka: CoordinatorMetadataImage, GroupConfigManager, Utils.computeGroupHash.

import type { Uuid } from '../../lib/uuid.ts'
import { metadataHash } from './metadata_hash.ts'

/** One topic as groups see it. */
export interface ClusterTopic {
  readonly id: Uuid
  readonly name: string
  readonly partitionCount: number
  /** Racks of the replicas of a partition, without repetition. */
  racksOf(partition: number): readonly string[]
}

/** The cluster as groups see it. */
export interface Cluster {
  topic(name: string): ClusterTopic | undefined
  nameOf(topicId: Uuid): string | undefined
  topicNames(): Iterable<string>
  /** What IncrementalAlterConfigs has set for a group. */
  groupConfigs(groupId: string): ReadonlyMap<string, string>
  /** Grows with every change of the cluster. */
  readonly version: number
  /** The version with which a topic was last added. */
  readonly topicsAddedVersion: number
}

const NOTHING: ReadonlyMap<string, string> = new Map()

/** A cluster without topics. */
export const EMPTY_CLUSTER: Cluster = Object.freeze({
  topic: () => undefined,
  nameOf: () => undefined,
  topicNames: () => [],
  groupConfigs: () => NOTHING,
  version: 0,
  topicsAddedVersion: 0,
})

/** The topics of these names that there are, by id. */
export function topicIds(cluster: Cluster, names: Iterable<string>): Set<Uuid> {
  const ids = new Set<Uuid>()
  for (const name of names) {
    const topic = cluster.topic(name)
    if (topic !== undefined) ids.add(topic.id)
  }
  return ids
}

/** What a group that reads these topics must notice, as one number; 0 when none of them exists. */
export function hashOfTopics(cluster: Cluster, names: Iterable<string>): bigint {
  const topics: ClusterTopic[] = []
  for (const name of names) {
    const topic = cluster.topic(name)
    if (topic !== undefined) topics.push(topic)
  }
  return metadataHash(topics)
}
