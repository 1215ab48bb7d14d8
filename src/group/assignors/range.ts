// The range assignor: of every topic each reader gets a run of consecutive partitions, the first readers one more where
// it does not come out even. Topics with the same readers and as many partitions are cut alike, so that a member has the
// same numbers of all of them.
//
// Members stand in the order of their instance ids, those without one behind, by member id: a static member that comes
// back finds its run again. Where racks matter (racks.ts) as many go to each reader, but first those that are near it.
// Kafka: RangeAssignor.

import type { Uuid } from '../../lib/uuid.ts'
import type { Target } from '../consumer/member.ts'
import { Draft, type GroupSpec, readersByTopic } from './assignor.ts'
import { type IsNear, nearness } from './racks.ts'

/** Assigns in ranges. */
export function assignRanges(group: GroupSpec): Map<string, Target> {
  const drafts = new Map(Array.from(group.members.keys(), (memberId) => [memberId, new Draft()]))
  const place = new Map([...group.members.keys()].sort(inOrder(group)).map((id, at) => [id, at]))
  const readersOf = readersByTopic(group)
  const isNear = nearness(group, readersOf.keys())
  const alike = new Map<string, Cut>()
  for (const [topicId, readers] of readersOf) {
    const members = [...readers].sort((x, y) => place.get(x)! - place.get(y)!)
    const count = group.partitionCount(topicId)
    // Each by itself where nothing but its own order is looked at.
    const key = isNear === null ? topicId : `${count} ${members.join(' ')}`
    const cut = alike.get(key)
    if (cut === undefined) alike.set(key, { members, count, topicIds: [topicId] })
    else cut.topicIds.push(topicId)
  }
  for (const cut of alike.values()) {
    const owners = isNear === null ? runs(cut) : nearRuns(cut, isNear)
    for (const topicId of cut.topicIds) {
      for (const [partition, memberId] of owners.entries()) {
        drafts.get(memberId)!.add(topicId, partition)
      }
    }
  }
  return new Map(Array.from(drafts, ([memberId, { topics }]) => [memberId, topics]))
}

/** Topics with the same readers and as many partitions. */
interface Cut {
  readonly members: readonly string[]
  readonly count: number
  readonly topicIds: Uuid[]
}

/** Who has each partition. */
function runs({ members, count }: Cut): string[] {
  const least = Math.floor(count / members.length)
  const extra = count % members.length
  return members.flatMap((memberId, at) =>
    new Array<string>(least + (at < extra ? 1 : 0)).fill(memberId),
  )
}

/** As many for each, near ones first: those of its own run, then any, and then what is left in order. */
function nearRuns(cut: Cut, isNear: IsNear): string[] {
  const plain = runs(cut)
  const room = new Map<string, number>()
  for (const memberId of plain) room.set(memberId, (room.get(memberId) ?? 0) + 1)
  const owners = new Array<string | null>(plain.length).fill(null)
  const suits = (memberId: string, partition: number) =>
    cut.topicIds.every((topicId) => isNear(memberId, topicId, partition))
  const give = (partition: number, memberId: string | undefined): void => {
    if (memberId === undefined || owners[partition] !== null) return
    owners[partition] = memberId
    room.set(memberId, room.get(memberId)! - 1)
  }
  const hasRoom = (memberId: string) => (room.get(memberId) ?? 0) > 0
  for (const [partition, memberId] of plain.entries()) {
    if (suits(memberId, partition)) give(partition, memberId)
  }
  for (const partition of owners.keys()) {
    const near = cut.members.find((memberId) => hasRoom(memberId) && suits(memberId, partition))
    give(partition, near)
  }
  return owners.map((owner, partition) => {
    if (owner === null) give(partition, cut.members.find(hasRoom))
    return owners[partition]!
  })
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
