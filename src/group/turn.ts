// One turn of a group shard: what a decision may read and touch, the time it is made at, and where it goes.
//
// Invariant: `truth` is only read here; `groups` is the soft side of it, and holds every classic group of the truth and
// those that live only in memory. A group is a classic or a consumer group, never both. Kafka: GroupMetadataManager's fields and CoordinatorTimer.

import type { Decision, Ticket, TimerKey, TransactionalProducer } from '../coordinator/shard.ts'
import type { Random } from '../lib/random.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { TransactionMarker } from '../protocol/transaction_marker.ts'
import type { ClassicGroup } from './classic_group.ts'
import type { Cluster } from './consumer/cluster.ts'
import { type Member, NO_BYTES, type Waiting } from './member.ts'
import { type GroupRecord, groupMetadataRecord } from './records.ts'
import type { DeletedTopic, GroupReply, JoinResponse, SyncResponse } from './requests.ts'
import type { GroupSettings } from './settings.ts'
import { sessionTimer } from './timers.ts'
import type { GroupTruth } from './truth.ts'

export type GroupDecision = Decision<GroupRecord, GroupReply>

/** A topic that was deleted, and when we heard of it. */
export interface GoneTopic extends DeletedTopic {
  readonly atMs: number
}

/** What the parts of a group shard share. */
export interface Coordinator {
  readonly settings: GroupSettings
  readonly random: Random
  readonly truth: GroupTruth
  /** Soft state: one object per classic group, rebuilt from the truth when the shard is activated. */
  readonly groups: Map<string, ClassicGroup>
  /** Soft, too: topics whose offsets are still being forgotten. */
  readonly deletedTopics: GoneTopic[]
  /** What is known of the cluster; live. */
  readonly cluster: Cluster
  /** Soft, too: consumer groups that have seen their topics as they are now. */
  readonly refreshed: Set<string>
  /** Soft, too: timers that, once armed, are not moved. */
  readonly armed: Set<TimerKey>
}

/** One request or timeout being decided. */
export class Turn implements Coordinator {
  readonly settings: GroupSettings
  readonly random: Random
  readonly truth: GroupTruth
  readonly groups: Map<string, ClassicGroup>
  readonly deletedTopics: GoneTopic[]
  readonly cluster: Cluster
  readonly refreshed: Set<string>
  readonly armed: Set<TimerKey>
  readonly nowMs: number
  private readonly out: GroupDecision

  constructor(coordinator: Coordinator, nowMs: number, out: GroupDecision) {
    this.settings = coordinator.settings
    this.random = coordinator.random
    this.truth = coordinator.truth
    this.groups = coordinator.groups
    this.deletedTopics = coordinator.deletedTopics
    this.cluster = coordinator.cluster
    this.refreshed = coordinator.refreshed
    this.armed = coordinator.armed
    this.nowMs = nowMs
    this.out = out
  }

  get records(): GroupRecord[] {
    return this.out.records
  }

  reply(ticket: Ticket, reply: GroupReply): void {
    this.out.replies.push([ticket, reply])
  }

  /** The records of this decision are of a producer's transaction. */
  writeFor(producer: TransactionalProducer): void {
    this.out.transaction = producer
  }

  /** Ends a producer's transaction in this log. */
  writeMarker(marker: TransactionMarker): void {
    this.out.marker = marker
  }

  /** Arms a timer to fire after some time. */
  arm(timer: TimerKey, afterMs: number): void {
    this.out.timers.set(timer, this.nowMs + afterMs)
  }

  /** Arms a timer unless it is running already. */
  armOnce(timer: TimerKey, afterMs: number): void {
    if (this.armed.has(timer)) return
    this.armed.add(timer)
    this.arm(timer, afterMs)
  }

  /** Cancels a timer, however it was armed. */
  relent(timer: TimerKey): void {
    this.armed.delete(timer)
    this.cancel(timer)
  }

  cancel(timer: TimerKey): void {
    this.out.timers.set(timer, null)
  }

  /** The member has been heard of: it may be silent for another session. */
  touch(group: ClassicGroup, member: Member): void {
    this.arm(sessionTimer(group.groupId, member.memberId), member.sessionTimeoutMs)
  }

  /** Stores the group as it is. */
  store(group: ClassicGroup): void {
    this.out.records.push(groupMetadataRecord(group.groupId, group.toRecord()))
  }

  replyJoin(to: Waiting, response: JoinResponse): void {
    this.reply(to.ticket, { kind: 'joinGroup', response })
  }

  refuseJoin(to: Waiting, memberId: string, errorCode: ErrorCode): void {
    this.replyJoin(to, { errorCode, memberId })
  }

  replySync(to: Waiting, response: SyncResponse): void {
    this.reply(to.ticket, { kind: 'syncGroup', response: { assignment: NO_BYTES, ...response } })
  }

  /** Answers a member whose JoinGroup waits, if it does; true when it did. */
  answerJoin(group: ClassicGroup, member: Member, response: JoinResponse): boolean {
    const waiting = group.releaseJoin(member)
    if (waiting !== null) this.replyJoin(waiting, response)
    return waiting !== null
  }

  /** Answers a member whose SyncGroup waits, if it does; true when it did. */
  answerSync(member: Member, response: SyncResponse): boolean {
    const waiting = member.awaitingSync
    member.awaitingSync = null
    if (waiting !== null) this.replySync(waiting, response)
    return waiting !== null
  }

  /**
   * Holds a member's JoinGroup. One that was held before came from a connection the client gave up, and is told to try
   * again, so that nothing stays open for ever.
   */
  holdJoin(group: ClassicGroup, member: Member, waiting: Waiting): void {
    const before = group.holdJoin(member, waiting)
    if (before !== null) {
      this.refuseJoin(before, member.memberId, ErrorCode.REBALANCE_IN_PROGRESS)
    }
  }
}
