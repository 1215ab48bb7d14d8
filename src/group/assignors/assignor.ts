// What an assignor is: members with what they read and have, in; who should have what, out. Pure, and the same input
// gives the same output, whatever node computes it.
//
// Invariant: a partition of a topic that somebody reads goes to exactly one member that reads it; what does not exist
// goes to nobody. Kafka: PartitionAssignor, GroupSpec, SubscribedTopicDescriber.

import type { Uuid } from '../../lib/uuid.ts'
import type { Target } from '../consumer/member.ts'

/** One member, as an assignor sees it. */
export interface MemberSpec {
  readonly instanceId: string | null
  readonly rackId: string | null
  /** Topics that exist; members with equal subscriptions share the set. */
  readonly topics: ReadonlySet<Uuid>
  /** The target it had. */
  readonly assigned: Target
}

/** The group to assign to. */
export interface GroupSpec {
  readonly members: ReadonlyMap<string, MemberSpec>
  partitionCount(topicId: Uuid): number
  /** Of the replicas of a partition. */
  racksOf(topicId: Uuid, partition: number): readonly string[]
}

/** The new targets, one for every member. */
export type Assignor = (group: GroupSpec) => Map<string, Target>

/** Who reads each topic; topics and members in the order of the group. */
export function readersByTopic({ members }: GroupSpec): Map<Uuid, string[]> {
  const readers = new Map<Uuid, string[]>()
  for (const [memberId, { topics }] of members) {
    for (const topicId of topics) {
      const known = readers.get(topicId)
      if (known === undefined) readers.set(topicId, [memberId])
      else known.push(memberId)
    }
  }
  return readers
}

/** A target that is being filled. */
export class Draft {
  readonly topics = new Map<Uuid, Set<number>>()
  size = 0

  add(topicId: Uuid, partition: number): void {
    const partitions = this.topics.get(topicId)
    if (partitions === undefined) this.topics.set(topicId, new Set([partition]))
    else partitions.add(partition)
    this.size++
  }

  remove(topicId: Uuid, partition: number): void {
    const partitions = this.topics.get(topicId)!
    partitions.delete(partition)
    if (partitions.size === 0) this.topics.delete(topicId)
    this.size--
  }
}
