// The uniform assignor: everybody gets about as much as the others, and keeps what it had where that allows it.
//
// Balance first, then racks (racks.ts), then stickiness. Where all read the same topics no two members differ by more than one partition; where
// they do not, a partition moves from one reader of its topic to another while that makes the two more equal.
// Kafka: UniformAssignor, UniformHomogeneousAssignmentBuilder, UniformHeterogeneousAssignmentBuilder.

import type { Uuid } from '../../lib/uuid.ts'
import type { Target } from '../consumer/member.ts'
import { Draft, type GroupSpec, readersByTopic } from './assignor.ts'
import { bringNear, nearness } from './racks.ts'

type Unassigned = [Uuid, number][]
type Drafts = Map<string, Draft>

/** Assigns uniformly. */
export function assignUniformly(group: GroupSpec): Map<string, Target> {
  const readers = readersByTopic(group)
  const isHomogeneous = [...readers.values()].every(({ length }) => length === group.members.size)
  const drafts = keepWhatIsRead(group)
  if (isHomogeneous) fillToQuotas(group, drafts, [...readers.keys()])
  else fillAndBalance(group, drafts, readers)
  const isNear = nearness(group, readers.keys())
  if (isNear !== null) bringNear(group, drafts, { isNear, isHomogeneous })
  return new Map(Array.from(drafts, ([memberId, { topics }]) => [memberId, topics]))
}

/** What members had, without what they no longer read, what no longer exists, and what another has first. */
function keepWhatIsRead(group: GroupSpec): Drafts {
  const taken = new Map<Uuid, Set<number>>()
  const drafts: Drafts = new Map()
  for (const [memberId, { topics, assigned }] of group.members) {
    const draft = new Draft()
    drafts.set(memberId, draft)
    for (const [topicId, partitions] of assigned) {
      if (!topics.has(topicId)) continue
      let owned = taken.get(topicId)
      if (owned === undefined) taken.set(topicId, (owned = new Set()))
      for (const partition of partitions) {
        if (partition >= group.partitionCount(topicId) || owned.has(partition)) continue
        owned.add(partition)
        draft.add(topicId, partition)
      }
    }
  }
  return drafts
}

function unassigned(group: GroupSpec, drafts: Drafts, topics: readonly Uuid[]): Unassigned {
  const taken = new Map<Uuid, Set<number>>()
  for (const { topics: had } of drafts.values()) {
    for (const [topicId, partitions] of had) {
      const owned = taken.get(topicId)
      if (owned === undefined) taken.set(topicId, new Set(partitions))
      else for (const partition of partitions) owned.add(partition)
    }
  }
  const free: Unassigned = []
  for (const topicId of topics) {
    const owned = taken.get(topicId)
    for (let partition = 0; partition < group.partitionCount(topicId); partition++) {
      if (owned?.has(partition) !== true) free.push([topicId, partition])
    }
  }
  return free
}

function fillToQuotas(group: GroupSpec, drafts: Drafts, topics: readonly Uuid[]): void {
  let total = 0
  for (const topicId of topics) total += group.partitionCount(topicId)
  const least = Math.floor(total / drafts.size)
  let extra = total % drafts.size
  // Who has more than the least already is the one to keep an extra partition.
  const quotas = new Map<string, number>()
  for (const [memberId, { size }] of drafts) {
    const isLarger = size > least && extra > 0
    if (isLarger) extra--
    quotas.set(memberId, isLarger ? least + 1 : least)
  }
  for (const memberId of drafts.keys()) {
    if (extra === 0) break
    if (quotas.get(memberId)! > least) continue
    quotas.set(memberId, least + 1)
    extra--
  }
  for (const [memberId, draft] of drafts) giveUpAbove(draft, quotas.get(memberId)!)
  const free = unassigned(group, drafts, topics)
  let next = 0
  for (const [memberId, draft] of drafts) {
    while (draft.size < quotas.get(memberId)! && next < free.length) draft.add(...free[next++]!)
  }
}

/** The partitions with the highest numbers of the last topics go. */
function giveUpAbove(draft: Draft, quota: number): void {
  for (const [topicId, partitions] of [...draft.topics].reverse()) {
    for (const partition of [...partitions].sort((x, y) => y - x)) {
      if (draft.size <= quota) return
      draft.remove(topicId, partition)
    }
  }
}

function fillAndBalance(
  group: GroupSpec,
  drafts: Drafts,
  readers: ReadonlyMap<Uuid, readonly string[]>,
): void {
  // Topics with few readers first: they have the least choice.
  const topics = [...readers.keys()].sort(
    (x, y) => readers.get(x)!.length - readers.get(y)!.length || (x < y ? -1 : 1),
  )
  for (const [topicId, partition] of unassigned(group, drafts, topics)) {
    let least: Draft | undefined
    for (const memberId of readers.get(topicId)!) {
      const draft = drafts.get(memberId)!
      if (least === undefined || draft.size < least.size) least = draft
    }
    least!.add(topicId, partition)
  }
  // Each move makes the sum of squares smaller, so this ends.
  for (let hasMoved = true; hasMoved; ) {
    hasMoved = false
    for (const topicId of topics) {
      const among = readers.get(topicId)!.map((memberId) => drafts.get(memberId)!)
      while (moveOne(topicId, among)) hasMoved = true
    }
  }
}

/** Moves a partition of the topic from the fullest member that has one to the emptiest, if that helps. */
function moveOne(topicId: Uuid, among: readonly Draft[]): boolean {
  let fullest: Draft | undefined
  let emptiest: Draft | undefined
  for (const draft of among) {
    const hasSome = draft.topics.has(topicId)
    if (hasSome && (fullest === undefined || draft.size > fullest.size)) fullest = draft
    if (emptiest === undefined || draft.size < emptiest.size) emptiest = draft
  }
  if (fullest === undefined || emptiest === undefined) return false
  if (fullest.size - emptiest.size < 2) return false
  const partition = Math.max(...fullest.topics.get(topicId)!)
  fullest.remove(topicId, partition)
  emptiest.add(topicId, partition)
  return true
}
