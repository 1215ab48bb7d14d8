// The range assignor: of every topic each reader gets a run of consecutive partitions, the first readers one more where
// it does not come out even. Topics with the same readers and as many partitions are cut alike, so that a member has the
// same numbers of all of them.
//
// Members stand in the order of their instance ids, those without one behind, by member id: a static member that comes
// back finds its run again. Kafka: RangeAssignor.

import type { Target } from '../consumer/member.ts'
import { Draft, type GroupSpec, readersByTopic } from './assignor.ts'

/** Assigns in ranges. */
export function assignRanges(group: GroupSpec): Map<string, Target> {
  const drafts = new Map(Array.from(group.members.keys(), (memberId) => [memberId, new Draft()]))
  const place = new Map([...group.members.keys()].sort(inOrder(group)).map((id, at) => [id, at]))
  for (const [topicId, readers] of readersByTopic(group)) {
    const members = [...readers].sort((x, y) => place.get(x)! - place.get(y)!)
    const count = group.partitionCount(topicId)
    const least = Math.floor(count / members.length)
    const extra = count % members.length
    let partition = 0
    for (const [at, memberId] of members.entries()) {
      const end = partition + least + (at < extra ? 1 : 0)
      for (; partition < end; partition++) drafts.get(memberId)!.add(topicId, partition)
    }
  }
  return new Map(Array.from(drafts, ([memberId, { topics }]) => [memberId, topics]))
}

function inOrder({ members }: GroupSpec): (x: string, y: string) => number {
  return (x, y) => {
    const one = members.get(x)!.instanceId
    const other = members.get(y)!.instanceId
    if (one !== null && other !== null) return compare(one, other)
    if (one !== null) return -1
    if (other !== null) return 1
    return compare(x, y)
  }
}

function compare(x: string, y: string): number {
  return x < y ? -1 : x > y ? 1 : 0
}
