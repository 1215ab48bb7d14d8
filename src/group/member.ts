// One member of a classic group, and the requests of its that are waiting for an answer.
// Kafka: ClassicGroupMember.

import type { Ticket } from '../coordinator/shard.ts'

/** A way of assigning partitions that a member speaks, with its subscription for it. */
export interface Protocol {
  readonly name: string
  readonly metadata: Uint8Array
}

/** A request that is held: the version decides the form of its answer. */
export interface Waiting {
  readonly ticket: Ticket
  readonly version: number
}

export const NO_BYTES = new Uint8Array(0)

/** A member; static when it brought an instance id (KIP-345). */
export interface Member {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  rebalanceTimeoutMs: number
  sessionTimeoutMs: number
  /** In the order of the member's preference. */
  protocols: readonly Protocol[]
  assignment: Uint8Array
  /** The JoinGroup that waits for the join phase to end. */
  awaitingJoin: Waiting | null
  /** The SyncGroup that waits for the leader's assignment. */
  awaitingSync: Waiting | null
  /** In its first JoinGroup: it does not know its id and cannot send heartbeats. */
  isNew: boolean
}

/** The subscription a member gave for a protocol. */
export function metadataOf(member: Member, protocolName: string | null): Uint8Array {
  return member.protocols.find(({ name }) => name === protocolName)?.metadata ?? NO_BYTES
}

/** True when a JoinGroup repeats what is known of the member. */
export function speaksAsBefore(member: Member, protocols: readonly Protocol[]): boolean {
  return (
    protocols.length === member.protocols.length &&
    protocols.every(({ name, metadata }, index) => {
      const known = member.protocols[index]!
      return name === known.name && sameBytes(metadata, known.metadata)
    })
  )
}

/** A member is forgiven its silence while it waits for us, unless it is new: then it may have gone away. */
export function isExcused(member: Member): boolean {
  return !member.isNew && (member.awaitingJoin !== null || member.awaitingSync !== null)
}

function sameBytes(x: Uint8Array, y: Uint8Array): boolean {
  return x.length === y.length && x.every((byte, index) => byte === y[index])
}
