// A member of a classic group, eager: it joins, gives out or gets an assignment, beats, and on a rebalance gives
// everything back before it joins again.
//
//   joining ──JoinGroup──► syncing ──SyncGroup──► stable ──heartbeat: REBALANCE_IN_PROGRESS──► joining
//      ▲                      │ rebalance                 │ UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION: all is lost
//      └──────────────────────┴───────────────────────────┘
//
// Kafka: AbstractCoordinator, ConsumerCoordinator; KIP-394 for the member id that comes first.

import type { ResponseOf } from '../protocol/dsl.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../protocol/embedded.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { Heartbeat, JoinGroup, LeaveGroup, SyncGroup } from '../protocol/messages/classic_group.ts'
import type { Committer } from './admin_groups.ts'
import { assignRange } from './assignor.ts'
import { answered, type ClientError, isClientError } from './client_error.ts'
import type { Cluster } from './cluster.ts'
import { byTopic, type TopicPartition } from './per_leader.ts'
import { pause } from './timing.ts'

/** Who joins what. */
export interface GroupMemberOptions {
  readonly groupId: string
  readonly topics: readonly string[]
  readonly sessionTimeoutMs?: number
  readonly rebalanceTimeoutMs?: number
  readonly heartbeatMs?: number
}

/** What the owner of a member does when partitions come and go. */
export interface GroupEvents {
  assigned(partitions: readonly TopicPartition[]): Promise<void>
  /** `isLost`: somebody else may have them already, so nothing can be committed. */
  revoked(isLost: boolean): Promise<void>
  failed(problem: unknown): void
}

const PROTOCOL = 'range'
/** Subscriptions with owned partitions (KIP-429), which every client of brokers from 2.4 on reads. */
const SUBSCRIPTION_VERSION = 1
const ASSIGNMENT_VERSION = 1

/** One member; `run` goes on until `leave`. */
export class GroupMember {
  readonly #cluster: Cluster
  readonly #options: GroupMemberOptions
  readonly #events: GroupEvents
  readonly #where: { readonly group: string; readonly lane: string }
  readonly #leaving = new AbortController()
  /** Leaving, or the cluster is closed. */
  readonly #over: AbortSignal
  #memberId = ''
  #generationId = -1

  constructor(cluster: Cluster, options: GroupMemberOptions, events: GroupEvents) {
    this.#cluster = cluster
    this.#options = options
    this.#events = events
    this.#over = AbortSignal.any([this.#leaving.signal, cluster.closing])
    this.#where = { group: options.groupId, lane: cluster.newLane() }
  }

  /** Who commits, as the coordinator knows it. */
  get committer(): Committer {
    return { memberId: this.#memberId, generationId: this.#generationId }
  }

  /** Joins and stays; what goes wrong for good is told to `events.failed`. */
  start(): void {
    this.#run().catch((problem) => {
      if (!this.#leaving.signal.aborted) this.#events.failed(problem)
    })
  }

  /** Leaves the group, so that the others need not wait for the session to end. */
  async leave(): Promise<void> {
    if (this.#leaving.signal.aborted) return
    this.#leaving.abort()
    const memberId = this.#memberId
    if (this.#cluster.isClosed) return
    if (memberId !== '') await this.#tellLeaving(memberId)
    this.#cluster.closeLane(this.#where.lane)
  }

  async #tellLeaving(memberId: string): Promise<void> {
    const { groupId } = this.#options
    // Not in this member's lane: a JoinGroup may be held there. Whoever cannot be told finds out by the session's end.
    try {
      const node = await this.#cluster.coordinator(groupId)
      await this.#cluster.request(
        LeaveGroup,
        (version) => (version >= 3 ? { groupId, members: [{ memberId }] } : { groupId, memberId }),
        { node },
        { isRetried: false },
      )
    } catch (problem) {
      if (!isClientError(problem)) throw problem
    }
  }

  async #run(): Promise<void> {
    while (!this.#over.aborted) {
      const assignment = await this.#join()
      if (assignment === null) continue
      await this.#events.assigned(assignment)
      const isLost = await this.#beat()
      if (this.#over.aborted) return
      await this.#events.revoked(isLost)
    }
  }

  /** One round of JoinGroup and SyncGroup; null when it must begin anew. */
  async #join(): Promise<TopicPartition[] | null> {
    const { groupId, topics, sessionTimeoutMs = 45_000 } = this.#options
    const { rebalanceTimeoutMs = 60_000 } = this.#options
    const metadata = encodeSubscription(SUBSCRIPTION_VERSION, { topics })
    const joined = await this.#cluster.request(
      JoinGroup,
      (version) => ({
        groupId,
        sessionTimeoutMs,
        ...(version >= 1 ? { rebalanceTimeoutMs } : {}),
        memberId: this.#memberId,
        protocolType: 'consumer',
        protocols: [{ name: PROTOCOL, metadata }],
      }),
      this.#where,
      { extraMs: rebalanceTimeoutMs, errorOf: ({ errorCode }) => errorCode },
    )
    if (joined.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      this.#memberId = joined.memberId
      return null
    }
    if (this.#mustBeginAnew(joined.errorCode)) return null
    if (joined.errorCode !== ErrorCode.NONE) throw this.#error(joined.errorCode)
    this.#memberId = joined.memberId
    this.#generationId = joined.generationId
    return await this.#sync(joined)
  }

  async #sync(joined: ResponseOf<typeof JoinGroup>): Promise<TopicPartition[] | null> {
    const isLeader = joined.leader === joined.memberId && !joined.skipAssignment
    const assignments = isLeader ? await this.#assign(joined.members) : []
    const { memberId, generationId } = this.committer
    const synced = await this.#cluster.request(
      SyncGroup,
      {
        groupId: this.#options.groupId,
        generationId,
        memberId,
        protocolType: 'consumer',
        protocolName: joined.protocolName,
        assignments,
      },
      this.#where,
      {
        extraMs: this.#options.rebalanceTimeoutMs ?? 60_000,
        errorOf: ({ errorCode }) => errorCode,
      },
    )
    if (this.#mustBeginAnew(synced.errorCode)) return null
    if (synced.errorCode !== ErrorCode.NONE) throw this.#error(synced.errorCode)
    if (synced.assignment.length === 0) return []
    return decodeAssignment(synced.assignment).assignedPartitions.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    )
  }

  async #assign(
    members: ResponseOf<typeof JoinGroup>['members'],
  ): Promise<{ memberId: string; assignment: Uint8Array }[]> {
    const subscribed = members.map(({ memberId, groupInstanceId, metadata }) => ({
      memberId,
      groupInstanceId,
      topics: decodeSubscription(metadata).topics,
    }))
    const names = [...new Set(subscribed.flatMap(({ topics }) => topics))]
    const topics = await this.#cluster.refresh(names)
    const counts = new Map(topics.map(({ name, partitions }) => [name, partitions.length]))
    return [...assignRange(subscribed, counts)].map(([memberId, partitions]) => ({
      memberId,
      assignment: encodeAssignment(ASSIGNMENT_VERSION, {
        assignedPartitions: byTopic(partitions, ({ partition }) => partition),
      }),
    }))
  }

  /** Beats until the group rebalances; true when the membership was lost. */
  async #beat(): Promise<boolean> {
    const { groupId, heartbeatMs = 3000 } = this.#options
    for (;;) {
      await pause(heartbeatMs, this.#over)
      if (this.#over.aborted) return false
      const { errorCode } = await this.#cluster.request(
        Heartbeat,
        { groupId, ...this.committer },
        this.#where,
        { errorOf: (answer) => answer.errorCode },
      )
      if (errorCode === ErrorCode.REBALANCE_IN_PROGRESS) return false
      if (this.#mustBeginAnew(errorCode)) return true
      if (errorCode !== ErrorCode.NONE) throw this.#error(errorCode)
    }
  }

  #mustBeginAnew(errorCode: number): boolean {
    if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.#memberId = ''
    const isOut =
      errorCode === ErrorCode.UNKNOWN_MEMBER_ID || errorCode === ErrorCode.ILLEGAL_GENERATION
    if (isOut) this.#generationId = -1
    return isOut || errorCode === ErrorCode.REBALANCE_IN_PROGRESS
  }

  #error(errorCode: number): ClientError {
    const { groupId } = this.#options
    return answered(errorCode, `group '${groupId}'`, { group: groupId })
  }
}
