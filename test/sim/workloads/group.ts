// A member of a group: joins, shares out the partitions when it leads, beats, commits and asks what is committed, leaves
// or is suddenly another. It is never silent for long, so a coordinator that has stored it and does not know it is
// wrong, whatever was restarted meanwhile; only the loss of power excuses that.

import {
  decodeAssignment,
  encodeAssignment,
  encodeSubscription,
} from '../../../src/protocol/embedded.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'
import {
  FindCoordinator,
  Heartbeat,
  JoinGroup,
  LeaveGroup,
  SyncGroup,
} from '../../../src/protocol/messages/classic_group.ts'
import { OffsetCommit, OffsetFetch } from '../../../src/protocol/messages/offsets.ts'
import { Unanswered } from '../client.ts'
import { createTopic } from './produce.ts'
import { isRetriable, unexpected, type Workload, type WorkloadContext } from './workload.ts'

const SESSION_MS = 3000
const REBALANCE_MS = 4000
const RETRY_MS = 40
/** Streams and dials take a while; a request may be that much older when it is heard. */
const SLACK_MS = 500

/** "Not now", of a coordinator. */
const COORDINATOR_RETRIABLE = new Set<number>([
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
])

/** A commit that is answered so was not written; of others nobody can tell. */
const CERTAINLY_NOT = new Set<number>([
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
])

export interface MemberOptions {
  readonly group: string
  readonly topic: string
  readonly partitions: number
  readonly pauseMsMax: number
}

interface Membership {
  memberId: string
  generation: number
  partitions: readonly number[]
  /** A generation with us in it is in the log. */
  isStored: boolean
  /** Power losses when we joined. */
  powerLosses: number
  /** When the last request that was answered well was sent. */
  heardAtMs: number
}

/** One member of one group, in one life after the other. */
export class Member implements Workload {
  private readonly context: WorkloadContext
  private readonly options: MemberOptions
  private me: Membership | null = null

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
    if (!(await this.find()) || !(await this.join())) return context.pause(RETRY_MS)
    while (!context.isEnding()) {
      const pauseMs = Math.min(context.random.nextFloat() * this.options.pauseMsMax, SESSION_MS / 3)
      await context.pause(pauseMs)
      const choice = context.random.nextInt(60)
      if (choice === 0) return this.leave()
      if (choice === 1) return this.vanish()
      const isFine =
        choice < 30 ? await this.commit() : choice < 40 ? await this.fetch() : await this.beat()
      if (!isFine) return
    }
  }

  private async find(): Promise<boolean> {
    const request = { keyType: 0, coordinatorKeys: [this.options.group] }
    const { coordinators } = await this.context.client.ask(FindCoordinator, 4, request)
    return this.judge('FindCoordinator', coordinators[0]!.errorCode)
  }

  private async join(): Promise<boolean> {
    const { context, options } = this
    const { topic, group: groupId } = options
    const me = this.me ?? this.unknown()
    for (;;) {
      const sentAtMs = context.nowMs()
      const powerLosses = context.powerLosses()
      const joined = await context.client.ask(JoinGroup, 9, {
        groupId,
        sessionTimeoutMs: SESSION_MS,
        rebalanceTimeoutMs: REBALANCE_MS,
        memberId: me.memberId,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: encodeSubscription(1, { topics: [topic] }) }],
      })
      if (joined.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
        me.memberId = joined.memberId
        continue
      }
      if (!this.judge('JoinGroup', joined.errorCode, sentAtMs)) return false
      this.me = me
      me.heardAtMs = sentAtMs
      me.memberId = joined.memberId
      me.generation = joined.generationId
      me.powerLosses = powerLosses
      const leads = joined.leader === me.memberId
      return await this.sync(me, leads ? joined.members.map(({ memberId }) => memberId) : [])
    }
  }

  private async sync(me: Membership, members: readonly string[]): Promise<boolean> {
    const { context, options } = this
    const { group } = options
    const sentAtMs = context.nowMs()
    const { errorCode, assignment } = await context.client.ask(SyncGroup, 5, {
      groupId: group,
      generationId: me.generation,
      memberId: me.memberId,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: this.share(members),
    })
    if (!this.judge('SyncGroup', errorCode, sentAtMs)) return false
    const { assignedPartitions } = decodeAssignment(assignment)
    me.partitions = assignedPartitions.flatMap(({ partitions }) => partitions)
    me.isStored = true
    me.heardAtMs = sentAtMs
    const { generation, memberId } = me
    context.note(`owns ${me.partitions.join()} in ${generation} of ${group}`)
    context.groups.given({ group, generation, memberId }, me.partitions, me.powerLosses)
    return true
  }

  private share(members: readonly string[]) {
    const { topic, partitions } = this.options
    return members.map((memberId, at) => {
      const own = Array.from({ length: partitions }, (_, partition) => partition)
      const mine = own.filter((partition) => partition % members.length === at)
      const assignedPartitions = [{ topic, partitions: mine }]
      return { memberId, assignment: encodeAssignment(1, { assignedPartitions }) }
    })
  }

  private async beat(): Promise<boolean> {
    const { context, options } = this
    const { generation, memberId } = this.me!
    const sentAtMs = context.nowMs()
    const { errorCode } = await context.client.ask(Heartbeat, 4, {
      groupId: options.group,
      generationId: generation,
      memberId,
    })
    return this.heard('Heartbeat', errorCode, sentAtMs)
  }

  /** Commits a value of its own to each partition it owns. */
  private async commit(): Promise<boolean> {
    const { context, options } = this
    const { group, topic } = options
    const { groups } = context
    const { generation, memberId, partitions, powerLosses } = this.me!
    if (partitions.length === 0) return await this.beat()
    const sentAtMs = context.nowMs()
    const writes = partitions.map((partition) => {
      const value = groups.nextValue()
      return { partition, value, write: groups.committing(group, partition, value) }
    })
    const { topics } = await context.client.ask(OffsetCommit, 8, {
      groupId: group,
      generationIdOrMemberEpoch: generation,
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
    context.note(`committed ${writes.map(({ value }) => value).join()}: ${errorCode}`)
    return this.heard('OffsetCommit', errorCode, sentAtMs)
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
    const request = { groupId: options.group, members: [{ memberId: me.memberId }] }
    const { errorCode, members } = await context.client.ask(LeaveGroup, 5, request)
    const problem = errorCode === ErrorCode.NONE ? members[0]!.errorCode : errorCode
    if (COORDINATOR_RETRIABLE.has(problem) || isRetriable(problem)) return context.pause(RETRY_MS)
    context.note(`left ${options.group}: ${problem}`)
    this.me = null
  }

  /** The process died; another takes its place, and the group has to find out. */
  private vanish(): Promise<void> {
    this.context.note(`vanished from ${this.options.group}`)
    this.me = null
    return Promise.resolve()
  }

  private unknown(): Membership {
    return {
      memberId: '',
      generation: -1,
      partitions: [],
      isStored: false,
      powerLosses: this.context.powerLosses(),
      heardAtMs: 0,
    }
  }

  private heard(what: string, errorCode: number, sentAtMs: number): boolean {
    const isFine = this.judge(what, errorCode, sentAtMs)
    if (isFine) this.me!.heardAtMs = sentAtMs
    return isFine
  }

  /** Whether it went well; what a group may say at any time is another try. */
  private judge(what: string, errorCode: number, sentAtMs?: number): boolean {
    switch (errorCode) {
      case ErrorCode.NONE:
        return true
      case ErrorCode.REBALANCE_IN_PROGRESS:
      case ErrorCode.ILLEGAL_GENERATION:
        return false
      case ErrorCode.UNKNOWN_MEMBER_ID:
        if (sentAtMs !== undefined && this.isOwed(sentAtMs)) unexpected(what, errorCode)
        this.me = null
        return false
      default:
        if (!COORDINATOR_RETRIABLE.has(errorCode) && !isRetriable(errorCode)) {
          unexpected(what, errorCode)
        }
        return false
    }
  }

  /** The coordinator has no excuse for not knowing us. */
  private isOwed(sentAtMs: number): boolean {
    const { me, context } = this
    if (me === null || !me.isStored || me.powerLosses !== context.powerLosses()) return false
    return sentAtMs + SLACK_MS < me.heardAtMs + SESSION_MS
  }
}
