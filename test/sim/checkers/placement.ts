// Once nothing is under way, the disk holds the partitions of the image and no others, and the plane leads each of
// them with the configuration its topic has.

import { CONFIG_RESOURCE } from '../../../src/metadata/configs.ts'
import type { MetadataImage } from '../../../src/metadata/image.ts'
import type { SimDisk } from '../disk.ts'
import type { SimPlane } from '../plane.ts'
import { Violation } from '../trace.ts'

const METADATA_TOPIC = '__cluster_metadata'

/** What a publisher shows of the partitions it opened. */
export interface LocalPartitions {
  partitions(): Iterable<{ slot: number; topicId: string; partition: number; state: string }>
}

/** Compares a quiet node with its disk. */
export function checkPlacement(
  disk: SimDisk,
  image: MetadataImage,
  publisher: LocalPartitions,
  plane: SimPlane,
): void {
  const expected = new Map<string, string>()
  for (const topic of image.topics.values()) {
    for (const partition of topic.partitions) {
      if (partition === undefined) continue
      expected.set(`${topic.name}-${partition.partitionId}`, topic.id)
    }
  }
  for (const log of disk.logs.logs()) {
    if (log.topic === METADATA_TOPIC) continue
    const name = `${log.topic}-${log.partition}`
    const topicId = expected.get(name)
    if (topicId === undefined) throw new Violation(`${log.directory}/${name} belongs to no topic`)
    if (topicId !== log.topicId) {
      throw new Violation(`${log.directory}/${name} belongs to an earlier topic of that name`)
    }
    expected.delete(name)
  }
  const missing = [...expected.keys()]
  if (missing.length > 0) throw new Violation(`no files of ${missing.join(', ')}`)
  checkLeaders(image, publisher, plane)
}

function checkLeaders(image: MetadataImage, publisher: LocalPartitions, plane: SimPlane): void {
  for (const { slot, topicId, partition, state } of publisher.partitions()) {
    const name = `${image.topics.byId(topicId)?.name}-${partition}`
    if (state !== 'open') throw new Violation(`${name} is ${state}, and nothing is under way`)
    const wanted = image.topics.partition(topicId, partition)
    const row = plane.partition(slot)
    if (wanted === undefined) throw new Violation(`a partition of a deleted topic is open`)
    if (row.leaderEpoch !== wanted.leaderEpoch || !row.isLeader) {
      throw new Violation(`${name} is not led in epoch ${wanted.leaderEpoch}, by ${wanted.leader}`)
    }
    const topic = image.topics.byId(topicId)!.name
    const asked = image.configs.of(CONFIG_RESOURCE.topic, topic).get('max.message.bytes')
    const told = plane.configs.get(slot)?.messageBytesMax
    if (asked !== undefined && Number(asked) !== told) {
      throw new Violation(`${name} should have max.message.bytes=${asked}, and has ${told}`)
    }
  }
}
