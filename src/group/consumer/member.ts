// One member of a consumer group, as the log has it. Never changed, only replaced, so that a decision can think about a
// member that is not true yet.
//
//              the target moves on            it no longer owns what it had to give up
//   Stable ──────────────────────► UnrevokedPartitions ──────────────┐
//     ▲  ▲                                                           │
//     │  └───────────────────────────────────────────────────────────┤
//     │      everything of its target is free                        ▼
//     └────────────────────────────────────────────────── UnreleasedPartitions
//
// Invariant: a member's epoch is its group's assignment epoch or an earlier one; it moves on only when all that it had
// to give up is given up. Kafka: ConsumerGroupMember, MemberState.

import type { Uuid } from '../../lib/uuid.ts'
import type { Protocol } from '../member.ts'

/** As the log spells it. */
export const MemberState = Object.freeze({
  stable: 0,
  unrevokedPartitions: 1,
  unreleasedPartitions: 2,
})

/** The epoch with which a member leaves. */
export const LEAVE_EPOCH = -1
/** The epoch with which a static member leaves for a while, and which it has until it is back. */
export const STATIC_LEAVE_EPOCH = -2
/** The epoch with which a member joins. */
export const JOIN_EPOCH = 0

/** Topic id → partitions. */
export type Target = ReadonlyMap<Uuid, ReadonlySet<number>>
/** Topic id → partition → the member's epoch when it was given the partition. */
export type Owned = ReadonlyMap<Uuid, ReadonlyMap<number, number>>

/** What a member that speaks the classic protocol says of itself. */
export interface ClassicSide {
  readonly sessionTimeoutMs: number
  readonly supportedProtocols: readonly Protocol[]
}

/** A member; static when it brought an instance id. */
export interface ConsumerMember {
  readonly memberId: string
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  /** Sorted, without repetition. */
  readonly topicNames: readonly string[]
  /** Empty when it has no pattern. */
  readonly topicRegex: string
  readonly serverAssignor: string | null
  /** Null when it speaks the consumer protocol. */
  readonly classic: ClassicSide | null
  readonly memberEpoch: number
  readonly previousMemberEpoch: number
  readonly state: number
  readonly assigned: Owned
  readonly pendingRevocation: Owned
}

export const NO_TARGET: Target = new Map()
export const NO_PARTITIONS: Owned = new Map()

/** A member of whom nothing is known yet. */
export function newMember(memberId: string): ConsumerMember {
  return {
    memberId,
    instanceId: null,
    rackId: null,
    clientId: '',
    clientHost: '',
    rebalanceTimeoutMs: -1,
    topicNames: [],
    topicRegex: '',
    serverAssignor: null,
    classic: null,
    memberEpoch: 0,
    previousMemberEpoch: -1,
    state: MemberState.stable,
    assigned: NO_PARTITIONS,
    pendingRevocation: NO_PARTITIONS,
  }
}

/** True when the member has all of the target of that epoch and nothing else. */
export function isReconciled(member: ConsumerMember, assignmentEpoch: number): boolean {
  return member.state === MemberState.stable && member.memberEpoch === assignmentEpoch
}

/** True when both say the same of themselves: subscription, client, timeouts. */
export function isSameDescription(x: ConsumerMember, y: ConsumerMember): boolean {
  return (
    x.instanceId === y.instanceId &&
    x.rackId === y.rackId &&
    x.clientId === y.clientId &&
    x.clientHost === y.clientHost &&
    x.rebalanceTimeoutMs === y.rebalanceTimeoutMs &&
    x.topicRegex === y.topicRegex &&
    x.serverAssignor === y.serverAssignor &&
    isSameList(x.topicNames, y.topicNames) &&
    isSameClassic(x.classic, y.classic)
  )
}

/** True when both are in the same place of their reconciliation. */
export function isSameProgress(x: ConsumerMember, y: ConsumerMember): boolean {
  return (
    x.memberEpoch === y.memberEpoch &&
    x.previousMemberEpoch === y.previousMemberEpoch &&
    x.state === y.state &&
    isSameOwned(x.assigned, y.assigned) &&
    isSameOwned(x.pendingRevocation, y.pendingRevocation)
  )
}

/** True when both lists have the same names in the same order. */
export function isSameList(x: readonly string[], y: readonly string[]): boolean {
  return x.length === y.length && x.every((name, index) => name === y[index])
}

/** True when both own the same partitions since the same epochs. */
export function isSameOwned(x: Owned, y: Owned): boolean {
  if (x === y) return true
  if (x.size !== y.size) return false
  for (const [topicId, partitions] of x) {
    const others = y.get(topicId)
    if (others === undefined || others.size !== partitions.size) return false
    for (const [partition, epoch] of partitions) {
      if (others.get(partition) !== epoch) return false
    }
  }
  return true
}

/** True when both name the same partitions. */
export function isSameTarget(x: Target, y: Target): boolean {
  if (x === y) return true
  if (x.size !== y.size) return false
  for (const [topicId, partitions] of x) {
    const others = y.get(topicId)
    if (others === undefined || others.size !== partitions.size) return false
    for (const partition of partitions) if (!others.has(partition)) return false
  }
  return true
}

/** The partitions alone. */
export function partitionsOf(owned: Owned): Target {
  return new Map(
    Array.from(owned, ([topicId, partitions]) => [topicId, new Set(partitions.keys())]),
  )
}

/** Topic names as they are kept. */
export function sortedNames(names: Iterable<string>): string[] {
  return [...new Set(names)].sort()
}

function isSameClassic(x: ClassicSide | null, y: ClassicSide | null): boolean {
  if (x === null || y === null) return x === y
  return (
    x.sessionTimeoutMs === y.sessionTimeoutMs &&
    x.supportedProtocols.length === y.supportedProtocols.length &&
    x.supportedProtocols.every(({ name, metadata }, index) => {
      const other = y.supportedProtocols[index]!
      return name === other.name && isSameBytes(metadata, other.metadata)
    })
  )
}

function isSameBytes(x: Uint8Array, y: Uint8Array): boolean {
  return x.length === y.length && x.every((byte, index) => byte === y[index])
}
