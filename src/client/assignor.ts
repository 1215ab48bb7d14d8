// The range assignor: of every topic, each member that subscribed to it gets one run of partitions, the first members
// one more when it does not come out even. Java's members reckon the same, so both may be in one group.
// Kafka: RangeAssignor, without racks.

import type { TopicPartition } from './per_leader.ts'

export interface SubscribedMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly topics: readonly string[]
}

/** Partitions by member id; every member is there. `counts` has the number of partitions by topic. */
export function assignRange(
  members: readonly SubscribedMember[],
  counts: ReadonlyMap<string, number>,
): Map<string, TopicPartition[]> {
  const assignment = new Map<string, TopicPartition[]>(
    members.map(({ memberId }) => [memberId, []]),
  )
  for (const topic of [...new Set(members.flatMap(({ topics }) => topics))].sort()) {
    const readers = members.filter(({ topics }) => topics.includes(topic)).sort(byName)
    const count = counts.get(topic) ?? 0
    const share = Math.floor(count / readers.length)
    const extra = count % readers.length
    let next = 0
    readers.forEach(({ memberId }, i) => {
      for (let left = share + (i < extra ? 1 : 0); left > 0; left--) {
        assignment.get(memberId)!.push({ topic, partition: next++ })
      }
    })
  }
  return assignment
}

/** Members with an instance id come first, by it; the others by member id. */
function byName(a: SubscribedMember, b: SubscribedMember): number {
  const [x, y] = [a.groupInstanceId, b.groupInstanceId]
  if (x !== null && y !== null) return x < y ? -1 : 1
  if (x !== null || y !== null) return x !== null ? -1 : 1
  return a.memberId < b.memberId ? -1 : 1
}
