// Racks, for both assignors: a member that has a replica of its partition in its own rack reads from there. Balance comes
// before racks, and racks come before leaving things where they were.
//
// Racks count only where they can make a difference: some member names one that some partition has, and not all
// partitions have the same ones. On one broker they never do. Apache Kafka's own assignors have not looked at racks since
// 3.8 (KAFKA-16694); the intent is that of KIP-848 and KIP-881.

import type { Uuid } from '../../lib/uuid.ts'
import type { Draft, GroupSpec } from './assignor.ts'

/** Whether a replica of the partition is in the member's rack. */
export type IsNear = (memberId: string, topicId: Uuid, partition: number) => boolean

/** Null where racks make no difference. */
export function nearness(group: GroupSpec, topics: Iterable<Uuid>): IsNear | null {
  const { members, racksOf } = group
  const wanted = new Set<string>()
  for (const { rackId } of members.values()) if (rackId !== null) wanted.add(rackId)
  if (wanted.size === 0) return null
  const racks = new Map<Uuid, ReadonlySet<string>[]>()
  let first: string | null = null
  let isEqual = true
  let isWanted = false
  for (const topicId of topics) {
    const ofTopic: ReadonlySet<string>[] = []
    racks.set(topicId, ofTopic)
    for (let partition = 0; partition < group.partitionCount(topicId); partition++) {
      const names = new Set(racksOf(topicId, partition))
      ofTopic.push(names)
      const text = [...names].sort().join(' ')
      first ??= text
      isEqual &&= text === first
      isWanted ||= [...names].some((name) => wanted.has(name))
    }
  }
  if (isEqual || !isWanted) return null
  return (memberId, topicId, partition) => {
    const rackId = members.get(memberId)?.rackId ?? null
    return rackId !== null && racks.get(topicId)?.[partition]?.has(rackId) === true
  }
}

interface Place {
  readonly memberId: string
  readonly topicId: Uuid
  readonly partition: number
}

/**
 * Hands partitions to members that are nearer: from who has one more than they do, or one for another; where not all read
 * the same, one for another of the same topic. The group stays as balanced as it is, and each step brings more of it near,
 * so this ends, and what it leaves it does not change again.
 */
export function bringNear(
  { members }: GroupSpec,
  drafts: Map<string, Draft>,
  { isNear, isHomogeneous }: { isNear: IsNear; isHomogeneous: boolean },
): void {
  const reads = (memberId: string, topicId: Uuid) => members.get(memberId)!.topics.has(topicId)
  const isFar = ({ memberId, topicId, partition }: Place) => !isNear(memberId, topicId, partition)
  /** True when something nearer was found for it. */
  const improve = (one: Place): boolean => {
    const draft = drafts.get(one.memberId)!
    for (const [memberId, other] of drafts) {
      const isBetter = reads(memberId, one.topicId) && isNear(memberId, one.topicId, one.partition)
      if (!isBetter) continue
      if (isHomogeneous && other.size < draft.size) {
        draft.remove(one.topicId, one.partition)
        other.add(one.topicId, one.partition)
        return true
      }
      for (const back of placesOf(memberId, other)) {
        const fits = isFar(back) || isNear(one.memberId, back.topicId, back.partition)
        if (!fits || (!isHomogeneous && back.topicId !== one.topicId)) continue
        draft.remove(one.topicId, one.partition)
        other.remove(back.topicId, back.partition)
        draft.add(back.topicId, back.partition)
        other.add(one.topicId, one.partition)
        return true
      }
    }
    return false
  }
  for (let hasMoved = true; hasMoved; ) {
    hasMoved = false
    const far = [...drafts].flatMap(([id, draft]) => [...placesOf(id, draft)]).filter(isFar)
    for (const one of far) {
      const isThere = drafts.get(one.memberId)!.topics.get(one.topicId)?.has(one.partition) === true
      if (isThere && improve(one)) hasMoved = true
    }
  }
}

function* placesOf(memberId: string, { topics }: Draft): Generator<Place> {
  for (const [topicId, partitions] of topics) {
    for (const partition of partitions) yield { memberId, topicId, partition }
  }
}
