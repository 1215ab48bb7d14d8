// A consumer of the classic protocol beside those of KIP-848 (kip848.ts): it joins and syncs, and gives up what it is not assigned
// any more. Its assignment is in Java's bytes, since the coordinator of a consumer group reads and writes them.

import { expect } from 'vitest'
import {
  decodeAssignment,
  encodeAssignment,
  encodeSubscription,
} from '../../../src/protocol/embedded.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import { GROUP } from './bench.ts'
import type { ConsumerBench } from './kip848.ts'

/** What it says of itself when it joins. */
export const subscribed = (topics: string[], owned: number[] = []) => [
  {
    name: 'range',
    metadata: encodeSubscription(1, {
      topics,
      ownedPartitions: owned.length === 0 ? [] : [{ topic: 'orders', partitions: owned }],
    }),
  },
]

/** A consumer of the classic protocol, as a follower or alone. */
export class ClassicConsumer {
  readonly bench: ConsumerBench
  readonly instance: string | null
  memberId = ''
  generation = -1
  owned: number[] = []

  constructor(bench: ConsumerBench, instance: string | null = null) {
    this.bench = bench
    this.instance = instance
  }

  /** Joins, and syncs when the answer has come. */
  join(topics = ['orders']): number {
    const options = { instance: this.instance, protocols: subscribed(topics, this.owned) }
    const send = () => this.bench.sendJoin({ ...options, memberId: this.memberId })
    let ticket = send()
    if (!this.bench.isAnswered(ticket)) return -1
    let reply = this.bench.joinReply(ticket)
    if (reply.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      this.memberId = reply.memberId!
      ticket = send()
      if (!this.bench.isAnswered(ticket)) return -1
      reply = this.bench.joinReply(ticket)
    }
    if (reply.errorCode !== ErrorCode.NONE) return reply.errorCode!
    this.memberId = reply.memberId!
    this.generation = reply.generationId!
    return ErrorCode.NONE
  }

  sync(): number {
    const more = { groupInstanceId: this.instance }
    const reply = this.bench.syncReply(
      this.bench.sendSync(this.memberId, this.generation, {}, more),
    )
    if (reply.errorCode !== ErrorCode.NONE) return reply.errorCode!
    const { assignedPartitions } = decodeAssignment(reply.assignment!)
    this.owned = assignedPartitions.flatMap(({ partitions }) => [...partitions])
    return ErrorCode.NONE
  }

  beat(): number {
    return this.bench.heartbeat(this.memberId, this.generation, this.instance)
  }

  /** What a client does, once around: a heartbeat, and what that calls for. */
  live(): void {
    if (this.beat() !== ErrorCode.REBALANCE_IN_PROGRESS) return
    expect(this.join()).toBe(ErrorCode.NONE)
    this.sync()
  }
}

/** A stable classic group of one, with all four partitions. */
export function classicGroup(
  bench: ConsumerBench,
  instance: string | null = null,
): ClassicConsumer {
  const a = new ClassicConsumer(bench, instance)
  expect(a.join()).toBe(-1)
  const ticket = bench.nextTicket - 1
  bench.advance(3000)
  const reply = bench.joinReply(ticket)
  a.memberId = reply.memberId!
  a.generation = reply.generationId!
  const assignment = encodeAssignment(1, {
    assignedPartitions: [{ topic: 'orders', partitions: [0, 1, 2, 3] }],
  })
  bench.send({
    kind: 'syncGroup',
    version: 5,
    request: {
      groupId: GROUP,
      generationId: a.generation,
      memberId: a.memberId,
      groupInstanceId: instance,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: [{ memberId: a.memberId, assignment }],
    },
  })
  a.owned = [0, 1, 2, 3]
  return a
}
