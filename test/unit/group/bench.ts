// A group shard by itself, hosted as the real one is: records are replayed at once and kept as the bytes of a log,
// timers fire on a clock that tests move. After every decision the log is read back, whole and compacted, and must give
// the state that the shard has.

import { deepStrictEqual } from 'node:assert/strict'
import { compileTopicRegex } from '../../../src/broker/topic_regex.ts'
import { Decision, type Ticket, type TimerKey } from '../../../src/coordinator/shard.ts'
import { assignRanges } from '../../../src/group/assignors/range.ts'
import { assignUniformly } from '../../../src/group/assignors/uniform.ts'
import { type Cluster, EMPTY_CLUSTER } from '../../../src/group/consumer/cluster.ts'
import {
  decodeGroupRecord,
  encodeGroupRecord,
  type GroupRecord,
} from '../../../src/group/records.ts'
import type { GroupReply, GroupRequest } from '../../../src/group/requests.ts'
import type { GroupSettings } from '../../../src/group/settings.ts'
import { GroupShard } from '../../../src/group/shard.ts'
import { Random } from '../../../src/lib/random.ts'
import { TimerQueue } from '../../../src/lib/timers.ts'
import { ZERO_UUID } from '../../../src/lib/uuid.ts'
import type { KeyValue } from '../../../src/protocol/coordinator_records.ts'
import { encodeSubscription } from '../../../src/protocol/embedded.ts'
import { ErrorCode } from '../../../src/protocol/errors.ts'

export const SETTINGS: GroupSettings = {
  sessionTimeoutMsMin: 6000,
  sessionTimeoutMsMax: 1_800_000,
  initialRebalanceDelayMs: 3000,
  membersMax: 1000,
  offsetMetadataLengthMax: 4096,
  offsetsRetentionMs: 7 * 24 * 3_600_000,
  retentionCheckIntervalMs: 600_000,
  consumer: {
    sessionTimeoutMs: { value: 45_000, min: 45_000, max: 60_000 },
    heartbeatIntervalMs: { value: 5000, min: 5000, max: 15_000 },
    assignmentIntervalMs: { value: 1000, min: 0, max: 15_000 },
    membersMax: 2_147_483_647,
    assignors: new Map([
      ['uniform', assignUniformly],
      ['range', assignRanges],
    ]),
    migration: { mayUpgrade: true, mayDowngrade: true },
    regexRefreshIntervalMs: 600_000,
    compileRegex: compileTopicRegex,
  },
}

export const GROUP = 'readers'
export const HOUR = 3_600_000

type Kind = GroupRequest['kind']
type RequestFor<K extends Kind> = Extract<GroupRequest, { kind: K }>
type Reply<K extends Kind> = Extract<GroupReply, { kind: K }>
type Json<K extends Kind> = RequestFor<K> extends { request: infer Q } ? Q : never

export interface JoinOptions {
  group?: string
  memberId?: string
  instance?: string | null
  clientId?: string
  version?: number
  sessionTimeoutMs?: number
  rebalanceTimeoutMs?: number
  protocolType?: string
  protocols?: readonly { name: string; metadata: Uint8Array }[]
}

export const range = (...topics: string[]) => [{ name: 'range', metadata: subscription(topics) }]

export function subscription(topics: readonly string[]): Uint8Array {
  return encodeSubscription(1, { topics: [...topics] })
}

export const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)
export const bytes = (said: string) => new TextEncoder().encode(said)

/** A shard with its log, its timers and its clock. */
export class GroupBench {
  readonly settings: GroupSettings
  shard!: GroupShard
  nowMs = 1_000_000
  readonly log: KeyValue[] = []
  readonly replies = new Map<Ticket, GroupReply>()
  readonly timers = new TimerQueue<TimerKey>()
  /** Records of the last decision. */
  records: GroupRecord[] = []
  private readonly open = new Map<Ticket, Kind>()
  private readonly random: Random
  private readonly cluster: Cluster
  /** What the next request will be called. */
  nextTicket = 1
  /** Off where the log is so long that reading it back each time would take the time. */
  isVerifying = true
  /** Called with each decision that was made. */
  onDecision: (decision: Decision<GroupRecord, GroupReply>) => void = () => {}

  constructor(settings: Partial<GroupSettings> = {}, seed = 7, cluster: Cluster = EMPTY_CLUSTER) {
    this.cluster = cluster
    this.settings = { ...SETTINGS, ...settings }
    this.random = new Random(seed)
    this.load()
  }

  /** Asks; the reply may come later. */
  send(request: GroupRequest): Ticket {
    const ticket = this.nextTicket++
    this.open.set(ticket, request.kind)
    const decision: Decision<GroupRecord, GroupReply> = new Decision()
    this.shard.handle(request, ticket, this.nowMs, decision)
    this.take(decision)
    return ticket
  }

  /** Asks, and expects the answer at once. */
  ask<K extends Kind>(request: RequestFor<K>): Reply<K> {
    return this.replyTo<K>(this.send(request))
  }

  replyTo<K extends Kind>(ticket: Ticket): Reply<K> {
    const reply = this.replies.get(ticket)
    if (reply === undefined) throw new Error(`request ${ticket} is not answered yet`)
    return reply as Reply<K>
  }

  isAnswered(ticket: Ticket): boolean {
    return this.replies.has(ticket)
  }

  sendJoin(options: JoinOptions = {}): Ticket {
    return this.send({
      kind: 'joinGroup',
      version: options.version ?? 9,
      client: { clientId: options.clientId ?? 'client', clientHost: '/127.0.0.1' },
      request: {
        groupId: options.group ?? GROUP,
        sessionTimeoutMs: options.sessionTimeoutMs ?? 10_000,
        rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 60_000,
        memberId: options.memberId ?? '',
        groupInstanceId: options.instance ?? null,
        protocolType: options.protocolType ?? 'consumer',
        protocols: [...(options.protocols ?? range('orders'))],
        reason: null,
      },
    })
  }

  /** JoinGroup as a client does it from version 4 on: for an id, and then with it. */
  sendJoinTwice(options: JoinOptions = {}): { memberId: string; ticket: Ticket } {
    const { memberId } = this.joinReply(this.sendJoin(options))
    return { memberId: memberId!, ticket: this.sendJoin({ ...options, memberId: memberId! }) }
  }

  joinReply(ticket: Ticket) {
    return this.replyTo<'joinGroup'>(ticket).response
  }

  sendSync(
    memberId: string,
    generationId: number,
    assignments: Record<string, string> = {},
    more: Partial<Json<'syncGroup'>> & { version?: number } = {},
  ): Ticket {
    const { version = 5, ...fields } = more
    return this.send({
      kind: 'syncGroup',
      version,
      request: {
        groupId: GROUP,
        generationId,
        memberId,
        groupInstanceId: null,
        protocolType: 'consumer',
        protocolName: 'range',
        assignments: Object.entries(assignments).map(([id, said]) => ({
          memberId: id,
          assignment: bytes(said),
        })),
        ...fields,
      },
    })
  }

  syncReply(ticket: Ticket) {
    return this.replyTo<'syncGroup'>(ticket).response
  }

  heartbeat(memberId: string, generationId: number, instance: string | null = null): number {
    const request = { groupId: GROUP, generationId, memberId, groupInstanceId: instance }
    return this.ask<'heartbeat'>({ kind: 'heartbeat', version: 4, request }).response.errorCode!
  }

  leave(members: readonly { memberId: string; groupInstanceId?: string | null }[], group = GROUP) {
    const request = {
      groupId: group,
      memberId: '',
      members: members.map((member) => ({ groupInstanceId: null, reason: null, ...member })),
    }
    return this.ask<'leaveGroup'>({ kind: 'leaveGroup', version: 5, request }).response
  }

  commit(
    offsets: Record<string, number>,
    more: Partial<Json<'offsetCommit'>> & { version?: number; metadata?: string } = {},
  ) {
    const { version = 9, metadata = '', ...fields } = more
    const request = {
      groupId: GROUP,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      groupInstanceId: null,
      retentionTimeMs: -1n,
      topics: Object.entries(offsets).map(([name, offset]) => ({
        name: name.split(':')[0]!,
        topicId: ZERO_UUID,
        partitions: [
          {
            partitionIndex: Number(name.split(':')[1] ?? 0),
            committedOffset: BigInt(offset),
            committedLeaderEpoch: 3,
            committedMetadata: metadata,
          },
        ],
      })),
      ...fields,
    }
    const { response } = this.ask<'offsetCommit'>({ kind: 'offsetCommit', version, request })
    return response.topics!.flatMap(({ partitions }) => partitions!.map((each) => each.errorCode!))
  }

  /** What is committed, as `topic:partition=offset`. */
  fetch(group = GROUP): string[] {
    const request = {
      groupId: group,
      memberId: null,
      memberEpoch: -1,
      topics: null,
      requireStable: false,
    }
    const { response } = this.ask<'offsetFetch'>({ kind: 'offsetFetch', request })
    return response.topics.flatMap(({ name, partitions }) =>
      partitions.map((each) => `${name}:${each.partitionIndex}=${each.committedOffset}`),
    )
  }

  /** Lets time pass; timers fire when they are due. */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms
    for (;;) {
      const dueMs = this.timers.nextDeadlineMs()
      if (dueMs === undefined || dueMs > untilMs) break
      this.nowMs = Math.max(this.nowMs, dueMs)
      this.fire(this.timers.pop(this.nowMs)!)
    }
    this.nowMs = untilMs
  }

  /** The shard moves: what waits is refused, as the host does, and another shard is loaded from the log. */
  reload(): void {
    for (const [ticket, kind] of this.open) {
      const response = { errorCode: ErrorCode.NOT_COORDINATOR }
      this.answer(ticket, { kind, response } as GroupReply)
    }
    this.timers.clear()
    this.load()
  }

  /** A group of members that have joined and synced; their ids, the leader first. */
  stableGroup(members: readonly JoinOptions[]): string[] {
    const joins = members.map((options) =>
      options.instance === undefined || options.instance === null
        ? this.sendJoinTwice(options).ticket
        : this.sendJoin(options),
    )
    this.advance(3 * this.settings.initialRebalanceDelayMs)
    const replies = joins.map((ticket) => this.joinReply(ticket))
    const ids = replies.map(({ memberId }) => memberId!)
    const { leader, generationId } = replies[0]!
    const assignments = Object.fromEntries(ids.map((id, index) => [id, `part ${index}`]))
    for (const [index, id] of ids.entries()) {
      const groupInstanceId = members[index]!.instance ?? null
      this.sendSync(id, generationId!, id === leader ? assignments : {}, { groupInstanceId })
    }
    return [leader!, ...ids.filter((id) => id !== leader)]
  }

  get group() {
    return this.shard.groups.get(GROUP)
  }

  /** The log, the compacted log, and the shard agree. */
  verify(): void {
    const whole = this.loaded(this.log)
    deepStrictEqual(durable(whole), durable(this.shard))
    deepStrictEqual(durable(this.loaded(compacted(this.log))), durable(this.shard))
    whole.handle({ kind: 'activate' }, 0, this.nowMs, new Decision())
    for (const group of this.shard.groups.values()) {
      const isSettled = group.state === 'Stable' || group.state === 'Empty'
      const { groupId, protocolType } = group
      if (!isSettled || (protocolType === null && !this.shard.truth.groups.has(groupId))) continue
      const again = whole.groups.get(groupId)!
      deepStrictEqual(settled(again.toRecord()), settled(group.toRecord()))
      deepStrictEqual([again.state, again.topics], [group.state, group.topics])
    }
  }

  private load(): void {
    this.shard = this.loaded(this.log)
    const decision: Decision<GroupRecord, GroupReply> = new Decision()
    this.shard.handle({ kind: 'activate' }, 0, this.nowMs, decision)
    this.take(decision)
  }

  private loaded(log: readonly KeyValue[]): GroupShard {
    const shard = new GroupShard(this.settings, this.random, this.cluster)
    for (const [offset, keyValue] of log.entries()) {
      shard.replay(decodeGroupRecord(keyValue)!, offset)
    }
    return shard
  }

  /** A timer fires, due or not. */
  fire(timer: TimerKey): void {
    const decision: Decision<GroupRecord, GroupReply> = new Decision()
    this.shard.expire(timer, this.nowMs, decision)
    this.take(decision)
  }

  private take(decision: Decision<GroupRecord, GroupReply>): void {
    for (const record of decision.records) {
      this.shard.replay(record, this.log.length)
      this.log.push(encodeGroupRecord(record))
    }
    for (const [timer, deadlineMs] of decision.timers) this.timers.set(timer, deadlineMs)
    for (const [ticket, reply] of decision.replies) this.answer(ticket, reply)
    this.records = decision.records
    this.onDecision(decision)
    const isHeartbeat = decision.replies.some(([, { kind }]) => kind === 'heartbeat')
    if (this.isVerifying && !isHeartbeat) this.verify()
  }

  private answer(ticket: Ticket, reply: GroupReply): void {
    if (this.replies.has(ticket) && ticket !== 0) throw new Error(`${ticket} is answered twice`)
    this.replies.set(ticket, reply)
    this.open.delete(ticket)
  }
}

/** What Apache Kafka's cleaner leaves once tombstones have aged. */
export function compacted(log: readonly KeyValue[]): KeyValue[] {
  const last = new Map<string, KeyValue>()
  for (const keyValue of log) {
    const key = String(keyValue.key)
    last.delete(key)
    if (keyValue.value !== null) last.set(key, keyValue)
  }
  return [...last.values()]
}

/** What the log says, without regard to the order in which it said it. */
function durable({ truth }: GroupShard): object {
  const { groups, offsets, consumerGroups } = truth
  return {
    groups: new Map(groups),
    offsets: new Map(offsets),
    consumer: new Map(consumerGroups),
  }
}

/** The record of a generation is older than its becoming stable; bytes may be views of larger buffers. */
function settled(record: NonNullable<Extract<GroupRecord, { type: 'GroupMetadata' }>['value']>) {
  const isStable = record.members.length > 0
  const members = record.members.map((member) => ({
    ...member,
    subscription: String(member.subscription),
    assignment: String(member.assignment),
  }))
  return { ...record, members, currentStateTimestamp: isStable ? 0 : record.currentStateTimestamp }
}
