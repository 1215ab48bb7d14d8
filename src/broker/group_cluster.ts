// The cluster as groups see it, off the metadata image: topics, the racks of their replicas, and what was set for a
// group. Live: it moves when the image does. Kafka: KRaftCoordinatorMetadataImage.

import type { Cluster, ClusterTopic } from '../group/consumer/cluster.ts'
import { CONFIG_RESOURCE } from '../metadata/configs.ts'
import type { MetadataDelta, MetadataImage } from '../metadata/image.ts'

const NOTHING: ReadonlyMap<string, string> = new Map()

/** The coordinator's view of the image. */
export class ClusterView implements Cluster {
  version = 0
  topicsAddedVersion = 0
  private image: MetadataImage | null = null

  /** Takes a new image in; the names of the topics that are not as they were. */
  published(delta: MetadataDelta, image: MetadataImage): ReadonlySet<string> {
    this.image = image
    this.version = Math.max(image.provenance.offset, 0)
    const changed = new Set<string>()
    for (const { name, before, after } of delta.topics) {
      if (before === undefined) this.topicsAddedVersion = this.version
      const isMoved = before?.partitions.length !== after?.partitions.length
      const isElsewhere = after?.partitions.some(
        (partition, index) => partition?.replicas !== before?.partitions[index]?.replicas,
      )
      if (isMoved || isElsewhere === true) changed.add(name)
    }
    return changed
  }

  topic(name: string): ClusterTopic | undefined {
    const topic = this.image?.topics.byName(name)
    if (topic === undefined) return undefined
    const { id, partitions } = topic
    const racksOf = (partition: number) => this.racks(partitions[partition]?.replicas ?? [])
    return { id, name, partitionCount: partitions.length, racksOf }
  }

  nameOf(topicId: string): string | undefined {
    return this.image?.topics.byId(topicId)?.name
  }

  *topicNames(): Iterable<string> {
    for (const { name } of this.image?.topics.values() ?? []) yield name
  }

  groupConfigs(groupId: string): ReadonlyMap<string, string> {
    return this.image?.configs.of(CONFIG_RESOURCE.group, groupId) ?? NOTHING
  }

  private racks(replicas: readonly number[]): string[] {
    const racks = new Set<string>()
    for (const replica of replicas) {
      const rack = this.image?.brokers.get(replica)?.rack ?? null
      if (rack !== null) racks.add(rack)
    }
    return [...racks]
  }
}
