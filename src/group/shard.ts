// The group coordinator of one `__consumer_offsets` partition, as a shard: requests in, records and replies out.
//
// Two sides. The truth (truth.ts) is what the log says and changes in `replay` alone. Groups as they live (generations
// under way, sessions, requests that wait) are soft: one object per group, made from the truth on `activate`, lost with
// the shard. A decision changes soft state as it adds its record, so after each decision a group that is stable or
// empty is the one its record describes; the tests hold it to that. A failed append drops the shard.
//
// Loading: a new shard, `replay` for each record of the log, then `activate`, which gives every member a full session.
// Unloading: the host forgets the shard and refuses every ticket that is open. Kafka: GroupCoordinatorShard.
//
// Non-obvious:
// - A simple group (offsets, no members ever) has no record of its own; it lives while it has offsets, or is remembered.
// - The record of a generation carries the moment its assignment phase began, not the moment it became stable.
// - Replies of JoinGroup and SyncGroup come with a later decision, by the ticket of the request.

import type { Shard, Ticket, TimerKey } from '../coordinator/shard.ts'
import { assert } from '../lib/assert.ts'
import type { Random } from '../lib/random.ts'
import { deleteGroups, describeGroups, listGroups } from './admin.ts'
import { ClassicGroup } from './classic_group.ts'
import { expireOffsets } from './commits/retention.ts'
import { commitInTransaction, writeMarker } from './commits/transactions.ts'
import { type Cluster, EMPTY_CLUSTER } from './consumer/cluster.ts'
import type { ConsumerGroup } from './consumer/consumer_group.ts'
import { describeConsumerGroups } from './consumer/describe.ts'
import { consumerGroupHeartbeat } from './consumer/heartbeat.ts'
import { expireMember, expireRevocation } from './consumer/leave.ts'
import { MemberState } from './consumer/member.ts'
import { matchRegexes } from './consumer/regexes.ts'
import { consumerSettings } from './consumer/settings.ts'
import { joinGroup } from './join.ts'
import { heartbeat, leaveGroup } from './membership.ts'
import {
  commitOffsets,
  deleteOffsets,
  fetchOffsets,
  forgetDeleted,
  forgetTopics,
} from './offsets.ts'
import { expireJoin, expireSession, expireSync, prepareRebalance } from './rebalance.ts'
import type { GroupRecord } from './records.ts'
import type { GroupReply, GroupRequest } from './requests.ts'
import type { GroupSettings } from './settings.ts'
import { syncGroup } from './sync.ts'
import { parseTimer, RETENTION_TIMER, rebalanceTimer, sessionTimer, type Timer } from './timers.ts'
import { GroupTruth } from './truth.ts'
import { type Coordinator, type GroupDecision, Turn } from './turn.ts'

/** One partition's group coordinator. */
export class GroupShard implements Shard<GroupRequest, GroupRecord, GroupReply> {
  private readonly coordinator: Coordinator
  private isActive = false

  constructor(settings: GroupSettings, random: Random, cluster: Cluster = EMPTY_CLUSTER) {
    this.coordinator = {
      settings,
      random,
      truth: new GroupTruth(),
      groups: new Map(),
      deletedTopics: [],
      cluster,
      refreshed: new Set(),
      armed: new Set(),
    }
  }

  /** What the log says; read-only to everyone else. */
  get truth(): GroupTruth {
    return this.coordinator.truth
  }

  /** The classic groups as they live, once active; read-only to everyone else. */
  get groups(): ReadonlyMap<string, ClassicGroup> {
    return this.coordinator.groups
  }

  handle(request: GroupRequest, ticket: Ticket, nowMs: number, out: GroupDecision): void {
    const turn = new Turn(this.coordinator, nowMs, out)
    assert(this.isActive !== (request.kind === 'activate'), 'a shard is activated once, and first')
    switch (request.kind) {
      case 'activate':
        this.activate(turn)
        return turn.reply(ticket, { kind: 'activate' })
      case 'joinGroup':
        return joinGroup(turn, request, ticket)
      case 'syncGroup':
        return syncGroup(turn, request, ticket)
      case 'heartbeat':
        return heartbeat(turn, request, ticket)
      case 'leaveGroup':
        return leaveGroup(turn, request, ticket)
      case 'offsetCommit':
        return commitOffsets(turn, request, ticket)
      case 'offsetFetch':
        return fetchOffsets(turn, request, ticket)
      case 'offsetDelete':
        return deleteOffsets(turn, request, ticket)
      case 'listGroups':
        return listGroups(turn, request, ticket)
      case 'describeGroups':
        return describeGroups(turn, request, ticket)
      case 'deleteGroups':
        return deleteGroups(turn, request, ticket)
      case 'txnOffsetCommit':
        return commitInTransaction(turn, request, ticket)
      case 'writeMarker':
        return writeMarker(turn, request, ticket)
      case 'topicsDeleted':
        forgetTopics(turn, request.topics)
        return turn.reply(ticket, { kind: 'topicsDeleted' })
      case 'topicsChanged':
        this.lookAgain(request.names)
        return turn.reply(ticket, { kind: 'topicsChanged' })
      case 'consumerGroupHeartbeat':
        return consumerGroupHeartbeat(turn, request, ticket)
      case 'consumerGroupDescribe':
        return describeConsumerGroups(turn, request, ticket)
    }
  }

  expire(key: TimerKey, nowMs: number, out: GroupDecision): void {
    const turn = new Turn(this.coordinator, nowMs, out)
    const timer = parseTimer(key)
    this.coordinator.armed.delete(key)
    if (timer.kind === 'retention') return expireOffsets(turn)
    if (timer.kind === 'topics') return forgetDeleted(turn)
    // A group may have been deleted between the deadline and now.
    const consumer = this.truth.consumerGroups.get(timer.groupId)
    if (consumer !== undefined) return this.expireConsumer(turn, consumer, timer)
    const group = this.groups.get(timer.groupId)
    if (group === undefined) return
    if (timer.kind === 'join') expireJoin(turn, group)
    else if (timer.kind === 'sync') expireSync(turn, group)
    else if (timer.kind === 'session') expireSession(turn, group, timer.memberId)
  }

  private expireConsumer(turn: Turn, group: ConsumerGroup, timer: Timer): void {
    if (timer.kind === 'regex') matchRegexes(turn, group)
    else if (timer.kind === 'rebalance') expireRevocation(turn, group, timer.memberId)
    else if (isOfMember(timer)) expireMember(turn, group, timer.memberId)
  }

  replay(record: GroupRecord, offset: number, producerId?: number): void {
    if (producerId === undefined) this.truth.replay(record, offset)
    else this.truth.hold(record, offset, producerId)
    if (!this.isActive) return
    if (record.type === 'GroupMetadata' && record.value === null) this.forget(record.key.group)
    if (record.type === 'ConsumerGroupMetadata' && record.value === null) {
      this.coordinator.refreshed.delete(record.key.groupId)
      this.forgetConsumer(record.key.groupId)
    }
    if (record.type === 'ConsumerGroupMemberMetadata' && record.value !== null) {
      // What became a consumer group was remembered for its offsets when the classic one went.
      this.coordinator.groups.delete(record.key.groupId)
    }
    if (record.type === 'OffsetCommit' && record.value !== null) {
      this.remember(record.key.group, Number(record.value.commitTimestamp))
    }
  }

  endTransaction(producerId: number, isCommit: boolean): void {
    this.truth.endTransaction(producerId, isCommit)
  }

  /** Groups that read these topics compare them with what they last saw, at their next heartbeat. */
  private lookAgain(names: ReadonlySet<string>): void {
    const { truth, refreshed } = this.coordinator
    for (const groupId of refreshed) {
      const group = truth.consumerGroups.get(groupId)
      for (const name of names) if (group?.isSubscribedTo(name) !== false) refreshed.delete(groupId)
    }
  }

  /** The log is loaded and this node leads: soft state for every group, a whole session for every member. */
  private activate(turn: Turn): void {
    const { truth, groups, settings } = this.coordinator
    this.isActive = true
    for (const [groupId, value] of truth.groups) {
      groups.set(groupId, ClassicGroup.fromRecord(groupId, value))
    }
    for (const groupId of truth.offsets.keys()) this.remember(groupId, turn.nowMs)
    for (const groupId of truth.pending.groups()) this.remember(groupId, turn.nowMs)
    for (const group of groups.values()) {
      for (const member of group.members) turn.touch(group, member)
      // The limit may have been lowered: a rebalance lets its members commit before some have to go.
      if (group.size > settings.membersMax) prepareRebalance(turn, group)
    }
    for (const group of truth.consumerGroups.values()) watchOver(turn, group)
    turn.arm(RETENTION_TIMER, settings.retentionCheckIntervalMs)
  }

  /** Offsets belong to a group, even if it has never had members. */
  private remember(groupId: string, nowMs: number): void {
    const { groups, truth } = this.coordinator
    if (groups.has(groupId) || truth.consumerGroups.has(groupId)) return
    groups.set(groupId, new ClassicGroup(groupId, nowMs))
  }

  /** A deleted group is gone, or a simple one should offsets be left of it. */
  private forget(groupId: string): void {
    this.coordinator.groups.delete(groupId)
    const { offsets, pending } = this.truth
    if (offsets.has(groupId) || pending.of(groupId).length > 0) this.remember(groupId, -1)
  }

  /** As `forget`; a classic group that takes its place is there already. */
  private forgetConsumer(groupId: string): void {
    const { offsets, pending } = this.truth
    if (offsets.has(groupId) || pending.of(groupId).length > 0) this.remember(groupId, -1)
  }
}

/** A member has been too late with something: it is out. */
function isOfMember(timer: Timer): timer is Extract<Timer, { memberId: string }> {
  return 'memberId' in timer
}

/** A whole session for every member, and its whole time for those that have something to give up. */
function watchOver(turn: Turn, group: ConsumerGroup): void {
  const { groupId } = group
  const { sessionTimeoutMs } = consumerSettings(turn, groupId)
  for (const member of group.members.values()) {
    const { memberId, classic, state, rebalanceTimeoutMs } = member
    turn.arm(sessionTimer(groupId, memberId), sessionTimeoutMs)
    const isGivingUp = state === MemberState.unrevokedPartitions && classic === null
    if (isGivingUp) turn.arm(rebalanceTimer(groupId, memberId), rebalanceTimeoutMs)
  }
}
