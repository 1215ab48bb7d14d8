// A member of a consumer group (KIP-848): heartbeats are the whole conversation. It gives up what it is not assigned any more before it
// says so, commits and asks what is committed, leaves or is suddenly another. As a classic member it is never silent for long, so a
// coordinator that has stored it and does not know it is wrong; only the loss of power excuses that.

import { ErrorCode, errorName } from '../../../src/protocol/errors.ts'
import { FindCoordinator } from '../../../src/protocol/messages/classic_group.ts'
import { ConsumerGroupHeartbeat } from '../../../src/protocol/messages/consumer_group.ts'
import { OffsetCommit, OffsetFetch } from '../../../src/protocol/messages/offsets.ts'
import { Unanswered } from '../client.ts'
import { SESSION_MS } from '../machine.ts'
import type { MemberOptions } from './group.ts'
import { createTopic } from './produce.ts'
import { isRetriable, unexpected, type Workload, type WorkloadContext } from './workload.ts'

const RETRY_MS = 40
/** Streams and dials take a while; a request may be that much older when it is heard. */
const SLACK_MS = 500
const REBALANCE_MS = 4000

/** "Not now", of a coordinator. */
const NOT_NOW = new Set<number>([
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
])

/** A commit that is answered so was not written; of others nobody can tell. */
const CERTAINLY_NOT = new Set<number>([
  ErrorCode.STALE_MEMBER_EPOCH,
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
])

interface Membership {
  readonly memberId: string
  epoch: number
  owned: ReadonlyMap<string, readonly number[]>
  /** Not meant for it any more: it goes on with them until it says that it has given them up. */
  giving: readonly number[]
  /** What it has is said when it has changed. */
  isNews: boolean
  readonly powerLosses: number
  /** When the last request that was answered well was sent. */
  heardAtMs: number
}

/** One member of one group, in one life after the other. */
export class ConsumerMember implements Workload {
  private readonly context: WorkloadContext
  private readonly options: MemberOptions
  private me: Membership | null = null
  private lives = 0

  constructor(context: WorkloadContext, options: MemberOptions) {
    this.context = context
    this.options = options
  }

  async run(): Promise<void> {
    const { context } = this
    await createTopic(context, this.options)
    while (!context.isEnding()) await this.attempt(() => this.live())
    while (this.me !== null) await this.attempt(() => this.leave())
  }

  /** A connection that ended is another try. */
  private async attempt(act: () => Promise<unknown>): Promise<void> {
    try {
      await act()
    } catch (problem) {
      if (!(problem instanceof Unanswered)) throw problem
      await this.context.pause(RETRY_MS)
    }
  }

  private async live(): Promise<void> {
    const { context } = this
    const request = { keyType: 0, coordinatorKeys: [this.options.group] }
    const { coordinators } = await context.client.ask(FindCoordinator, 4, request)
    if (!this.judge('FindCoordinator', coordinators[0]!.errorCode)) return context.pause(RETRY_MS)
    while (!context.isEnding()) {
      if (!(await this.beat())) return context.pause(RETRY_MS)
      const pauseMs = Math.min(context.random.nextFloat() * this.options.pauseMsMax, SESSION_MS / 3)
      await context.pause(pauseMs)
      // Rare enough that a group comes to rest in between, with partitions to give up.
      if (context.random.ratio(1, 150)) return this.leave()
      if (context.random.ratio(1, 400)) return this.vanish()
      const choice = context.random.nextInt(6)
      if (choice < 3 && !(await this.commit())) return
      if (choice === 5 && !(await this.fetch())) return
    }
  }

  /** One heartbeat; the first of a life joins. */
  private async beat(): Promise<boolean> {
    const { context, options } = this
    const { group, topic } = options
    this.me ??= {
      memberId: `${context.client.name}-${this.lives++}`,
      epoch: 0,
      owned: new Map(),
      giving: [],
      isNews: true,
      powerLosses: context.powerLosses(),
      heardAtMs: context.nowMs(),
    }
    const { me } = this
    const isJoining = me.epoch === 0
    const sentAtMs = context.nowMs()
    if (me.isNews) context.groups.lets(group, me.memberId, me.giving)
    const owned = Array.from(me.owned, ([topicId, all]) => ({ topicId, partitions: [...all] }))
    const response = await context.client.ask(ConsumerGroupHeartbeat, 1, {
      groupId: group,
      memberId: me.memberId,
      memberEpoch: me.epoch,
      rebalanceTimeoutMs: isJoining ? REBALANCE_MS : -1,
      subscribedTopicNames: isJoining ? [topic] : null,
      topicPartitions: isJoining ? [] : me.isNews ? owned : null,
    })
    if (!this.judge('ConsumerGroupHeartbeat', response.errorCode, sentAtMs)) return false
    const { memberEpoch, assignment } = response
    me.heardAtMs = sentAtMs
    me.isNews = assignment !== null
    if (assignment !== null) {
      const had = this.partitions
      me.owned = new Map(assignment.topicPartitions.map((each) => [each.topicId, each.partitions]))
      me.giving = had.filter((partition) => !this.partitions.includes(partition))
    } else me.giving = []
    if (assignment !== null || memberEpoch !== me.epoch) {
      const of = { group, generation: memberEpoch, memberId: me.memberId }
      context.note(`owns ${this.partitions.join()} in ${memberEpoch} of ${group}`)
      context.groups.given(of, this.partitions, me.powerLosses)
    }
    me.epoch = memberEpoch
    this.tell()
    return true
  }

  /** What it has and nobody else may have, while it counts as alive. */
  private tell(): void {
    const { context, options } = this
    const { memberId, giving, heardAtMs, powerLosses } = this.me!
    const untilMs = heardAtMs + SESSION_MS - SLACK_MS
    const held = [...this.partitions, ...giving]
    const of = { group: options.group, memberId }
    context.groups.holds(of, held, { nowMs: context.nowMs(), untilMs, powerLosses })
  }

  /** Whatever it had is nobody's. */
  private forget(): void {
    if (this.me !== null) this.context.groups.lets(this.options.group, this.me.memberId)
    this.me = null
  }

  /** Of the one topic it reads. */
  private get partitions(): readonly number[] {
    return [...(this.me?.owned.values() ?? [])].flat()
  }

  /** Commits a value of its own to each partition it owns. */
  private async commit(): Promise<boolean> {
    const { context, options, partitions } = this
    const { group, topic } = options
    const { groups } = context
    const { epoch, memberId, powerLosses } = this.me!
    if (partitions.length === 0) return true
    const sentAtMs = context.nowMs()
    const writes = partitions.map((partition) => {
      const value = groups.nextValue()
      return { partition, value, write: groups.committing(group, partition, value) }
    })
    const { topics } = await context.client.ask(OffsetCommit, 9, {
      groupId: group,
      generationIdOrMemberEpoch: epoch,
      memberId,
      topics: [
        {
          name: topic,
          partitions: writes.map(({ partition, value }) => ({
            partitionIndex: partition,
            committedOffset: BigInt(value),
            committedMetadata: '',
          })),
        },
      ],
    })
    const { errorCode } = topics[0]!.partitions[0]!
    for (const { partition, write } of writes) {
      if (errorCode === ErrorCode.NONE) groups.committed(group, partition, write, powerLosses)
      else if (CERTAINLY_NOT.has(errorCode)) groups.refused(group, partition, write)
    }
    context.note(`committed ${writes.map(({ value }) => value).join()}: ${errorName(errorCode)}`)
    return this.judge('OffsetCommit', errorCode, sentAtMs)
  }

  private async fetch(): Promise<boolean> {
    const { context, options } = this
    const { group, topic } = options
    const { groups } = context
    const powerLosses = context.powerLosses()
    const indexes = Array.from({ length: options.partitions }, (_, partition) => partition)
    const askedAt = indexes.map((partition) => groups.asking(group, partition))
    const response = await context.client.ask(OffsetFetch, 8, {
      groups: [{ groupId: group, topics: [{ name: topic, partitionIndexes: indexes }] }],
    })
    const { errorCode, topics } = response.groups[0]!
    if (!this.judge('OffsetFetch', errorCode)) return false
    for (const { partitionIndex, committedOffset } of topics[0]!.partitions) {
      const answer = { value: Number(committedOffset), askedAt: askedAt[partitionIndex]! }
      groups.told(group, partitionIndex, { ...answer, powerLosses })
    }
    return true
  }

  private async leave(): Promise<void> {
    const { me, context, options } = this
    if (me === null) return
    const request = { groupId: options.group, memberId: me.memberId, memberEpoch: -1 }
    context.groups.lets(options.group, me.memberId)
    const { errorCode } = await context.client.ask(ConsumerGroupHeartbeat, 1, request)
    if (NOT_NOW.has(errorCode) || isRetriable(errorCode)) return context.pause(RETRY_MS)
    context.note(`left ${options.group}: ${errorName(errorCode)}`)
    this.forget()
  }

  /** The process died; another takes its place, and the group has to find out. */
  private vanish(): Promise<void> {
    this.context.note(`vanished from ${this.options.group}`)
    this.forget()
    return Promise.resolve()
  }

  /** Whether it went well; what a group may say at any time is another try. */
  private judge(what: string, errorCode: number, sentAtMs?: number): boolean {
    switch (errorCode) {
      case ErrorCode.NONE:
        return true
      // It was told its next epoch in an answer that it has not heard: the next heartbeat brings it.
      case ErrorCode.STALE_MEMBER_EPOCH:
        return false
      case ErrorCode.FENCED_MEMBER_EPOCH:
        this.forget()
        return false
      case ErrorCode.UNKNOWN_MEMBER_ID:
        if (sentAtMs !== undefined && this.isOwed(sentAtMs)) unexpected(what, errorCode)
        this.forget()
        return false
      default:
        if (!NOT_NOW.has(errorCode) && !isRetriable(errorCode)) unexpected(what, errorCode)
        return false
    }
  }

  /** The coordinator has no excuse for not knowing us. */
  private isOwed(sentAtMs: number): boolean {
    const { me, context } = this
    if (me === null || me.epoch === 0 || me.powerLosses !== context.powerLosses()) return false
    return sentAtMs + SLACK_MS < me.heardAtMs + SESSION_MS
  }
}
