// A classic group: its state, its members, and what they agree on. Soft state; only what a record says of it lasts.
//
//                      first member joins
//           ┌─────────┐ ───────────────────────► ┌────────────────────┐ ◄─────────────┐
//   new ──► │  Empty  │                          │ PreparingRebalance │               │
//           └─────────┘ ◄─────────────────────── └────────────────────┘               │
//                │        everybody has left        │            ▲                    │ a member joins,
//       deleted, │                         all have │            │ a member joins,    │ leaves, or is
//        or all  │                          joined, │            │ leaves, or is      │ silent; the
//        offsets │                      or time out │            │ silent             │ leader joins
//        expired ▼                                  ▼            │                    │
//           (no group:                           ┌─────────────────────┐              │
//            "Dead" to                           │ CompletingRebalance │              │
//            whoever asks)                       └─────────────────────┘              │
//                                                   │ the leader's                    │
//                                                   │ assignment                      │
//                                                   ▼ arrives                         │
//                                                ┌──────────┐                         │
//                                                │  Stable  │ ────────────────────────┘
//                                                └──────────┘
//
// Invariants: only the transitions above; while there are members, one protocol at least is spoken by all of them, and
// one of them is the leader. Kafka: ClassicGroup, ClassicGroupState.

import { assert } from '../lib/assert.ts'
import { CONSUMER_PROTOCOL_TYPE } from '../protocol/embedded.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { type Member, metadataOf, type Protocol, type Waiting } from './member.ts'
import type { GroupMetadataValue } from './records.ts'
import { subscribedTopics } from './subscription.ts'

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable'

const FROM: Record<GroupState, readonly GroupState[]> = {
  Empty: ['PreparingRebalance'],
  PreparingRebalance: ['Empty', 'CompletingRebalance', 'Stable'],
  CompletingRebalance: ['PreparingRebalance'],
  Stable: ['CompletingRebalance'],
}

/** A group as its coordinator sees it. */
export class ClassicGroup {
  readonly groupId: string
  state: GroupState = 'Empty'
  previousState: GroupState | null = null
  /** When `state` was entered; -1 when an old record does not say. */
  stateSinceMs: number
  /** Null for a simple group, whose consumers only commit offsets. */
  protocolType: string | null = null
  protocolName: string | null = null
  generationId = 0
  leaderId: string | null = null
  /** Topics the members read, null when their subscriptions cannot be read. */
  topics: ReadonlySet<string> | null = null
  /** Ids handed out by MEMBER_ID_REQUIRED that have not come back yet; each has a session timer that ends it. */
  readonly pendingJoin = new Set<string>()
  /** Members of this generation that have not asked for their assignment. */
  readonly pendingSync = new Set<string>()
  /** What is left of the wait for the first members, and whether one came meanwhile. */
  initialDelay: { readonly delayMs: number; readonly remainingMs: number } | null = null
  hasNewMember = false

  private readonly byId = new Map<string, Member>()
  private readonly staticIds = new Map<string, string>()
  private readonly speakers = new Map<string, number>()
  private joined = 0

  constructor(groupId: string, stateSinceMs: number) {
    this.groupId = groupId
    this.stateSinceMs = stateSinceMs
  }

  /** The group as it was stored. Its members speak, for all we know, the one protocol that was chosen. */
  static fromRecord(groupId: string, value: GroupMetadataValue): ClassicGroup {
    const group = new ClassicGroup(groupId, value.currentStateTimestamp)
    group.generationId = value.generation
    group.protocolType = value.protocolType === '' ? null : value.protocolType
    group.protocolName = value.protocol
    for (const stored of value.members) {
      const { rebalanceTimeout, sessionTimeout, subscription } = stored
      group.put({
        memberId: stored.memberId,
        groupInstanceId: stored.groupInstanceId,
        clientId: stored.clientId,
        clientHost: stored.clientHost,
        rebalanceTimeoutMs: rebalanceTimeout === -1 ? sessionTimeout : rebalanceTimeout,
        sessionTimeoutMs: sessionTimeout,
        protocols:
          value.protocol === null ? [] : [{ name: value.protocol, metadata: subscription }],
        assignment: stored.assignment,
        awaitingJoin: null,
        awaitingSync: null,
        isNew: false,
      })
    }
    if (group.byId.size > 0) group.state = 'Stable'
    const leaderIsHere = value.leader !== null && group.byId.has(value.leader)
    group.leaderId = leaderIsHere ? value.leader : (group.firstMemberId() ?? null)
    group.topics = group.readTopics()
    return group
  }

  /** A group that has its assignment, made of members that were in a consumer group. */
  static stable(
    groupId: string,
    nowMs: number,
    generationId: number,
    members: readonly Member[],
  ): ClassicGroup {
    const group = new ClassicGroup(groupId, nowMs)
    group.generationId = generationId
    for (const member of members) group.add(member, CONSUMER_PROTOCOL_TYPE)
    group.state = 'Stable'
    group.protocolName = group.selectProtocol()
    group.topics = group.readTopics()
    return group
  }

  /** The group as it is to be stored. */
  toRecord(): GroupMetadataValue {
    return {
      protocolType: this.protocolType ?? '',
      generation: this.generationId,
      protocol: this.protocolName,
      leader: this.leaderId,
      currentStateTimestamp: this.stateSinceMs,
      members: Array.from(this.byId.values(), (member) => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeout: member.rebalanceTimeoutMs,
        sessionTimeout: member.sessionTimeoutMs,
        subscription: metadataOf(member, this.protocolName),
        assignment: member.assignment,
      })),
    }
  }

  get size(): number {
    return this.byId.size
  }

  get members(): Iterable<Member> {
    return this.byId.values()
  }

  get isConsumerGroup(): boolean {
    return this.protocolType === CONSUMER_PROTOCOL_TYPE
  }

  get canRebalance(): boolean {
    return FROM.PreparingRebalance.includes(this.state)
  }

  member(memberId: string): Member | undefined {
    return this.byId.get(memberId)
  }

  /** The member behind an instance id. */
  staticMemberId(groupInstanceId: string): string | undefined {
    return this.staticIds.get(groupInstanceId)
  }

  isLeader(memberId: string): boolean {
    return this.leaderId === memberId
  }

  transitionTo(state: GroupState, nowMs: number): void {
    assert(FROM[state].includes(this.state), `group ${this.groupId}: ${this.state} to ${state}`)
    this.previousState = this.state
    this.state = state
    this.stateSinceMs = nowMs
  }

  /** Takes a member in. The first one says what type of group this is, and leads it. */
  add(member: Member, protocolType: string): void {
    if (this.byId.size === 0) this.protocolType = protocolType
    assert(this.protocolType === protocolType, 'a member of another protocol type')
    this.put(member)
    this.leaderId ??= member.memberId
    this.pendingJoin.delete(member.memberId)
  }

  /** Forgets a member or a pending one; the oldest of the others leads if it was the leader. */
  remove(memberId: string): void {
    const member = this.byId.get(memberId)
    if (member !== undefined) {
      assert(member.awaitingJoin === null, 'a member that leaves has been answered')
      this.byId.delete(memberId)
      this.count(member.protocols, -1)
      if (member.groupInstanceId !== null) this.staticIds.delete(member.groupInstanceId)
    }
    this.pendingJoin.delete(memberId)
    this.pendingSync.delete(memberId)
    if (this.isLeader(memberId)) this.leaderId = this.firstMemberId() ?? null
  }

  /** A static member came back without its old id: the same member under a new one, assignment and all. */
  rename(member: Member, memberId: string): Member {
    assert(member.awaitingJoin === null && member.awaitingSync === null, 'it has been answered')
    const renamed: Member = { ...member, memberId, isNew: false }
    this.byId.delete(member.memberId)
    this.byId.set(memberId, renamed)
    this.staticIds.set(member.groupInstanceId!, memberId)
    this.pendingSync.delete(member.memberId)
    if (this.isLeader(member.memberId)) this.leaderId = memberId
    return renamed
  }

  /** What a member says of itself when it joins again. */
  update(
    member: Member,
    said: Pick<Member, 'protocols' | 'rebalanceTimeoutMs' | 'sessionTimeoutMs'>,
  ): void {
    this.count(member.protocols, -1)
    this.count(said.protocols, 1)
    member.protocols = said.protocols
    member.rebalanceTimeoutMs = said.rebalanceTimeoutMs
    member.sessionTimeoutMs = said.sessionTimeoutMs
  }

  /** The longest any member may take to rejoin. */
  get rebalanceTimeoutMs(): number {
    let longestMs = 0
    for (const member of this.members) longestMs = Math.max(longestMs, member.rebalanceTimeoutMs)
    return longestMs
  }

  /** Holds a member's JoinGroup; gives back the one that was held before, if any. */
  holdJoin(member: Member, waiting: Waiting): Waiting | null {
    const before = this.releaseJoin(member)
    member.awaitingJoin = waiting
    this.joined++
    return before
  }

  /** Lets go of a member's JoinGroup, for an answer. */
  releaseJoin(member: Member): Waiting | null {
    const waiting = member.awaitingJoin
    if (waiting !== null) this.joined--
    member.awaitingJoin = null
    return waiting
  }

  /** How many members wait for the join phase to end. */
  get awaitingJoinCount(): number {
    return this.joined
  }

  get hasAllMembersJoined(): boolean {
    return this.pendingJoin.size === 0 && this.joined === this.byId.size
  }

  /** Could a member of this type with these protocols be in the group as it is? */
  supports(protocolType: string, protocols: readonly Protocol[]): boolean {
    if (this.state === 'Empty') return protocolType !== '' && protocols.length > 0
    return protocolType === this.protocolType && protocols.some(({ name }) => this.isCommon(name))
  }

  /** The protocol that all speak and most prefer; among equals the one that was first to get a vote. */
  selectProtocol(): string {
    const votes = new Map<string, number>()
    for (const { protocols } of this.members) {
      const choice = protocols.find(({ name }) => this.isCommon(name))?.name
      assert(choice !== undefined, `group ${this.groupId}: members without a common protocol`)
      votes.set(choice, (votes.get(choice) ?? 0) + 1)
    }
    let selected = ''
    let most = 0
    for (const [name, count] of votes) {
      if (count > most) [selected, most] = [name, count]
    }
    assert(most > 0, `group ${this.groupId}: no members to vote for a protocol`)
    return selected
  }

  /** Makes sure that the leader is one that joined; false when nobody did. */
  electJoinedLeader(): boolean {
    const leader = this.leaderId === null ? undefined : this.byId.get(this.leaderId)
    if (leader === undefined) return false
    if (leader.awaitingJoin !== null) return true
    for (const member of this.members) {
      if (member.awaitingJoin === null) continue
      this.leaderId = member.memberId
      return true
    }
    return false
  }

  /** The join phase is over: a new generation of those who are here, or an empty one. */
  startGeneration(nowMs: number): void {
    // Kafka's generations are int32 and so are ours; at one a second that is 68 years.
    this.generationId++
    this.protocolName = this.byId.size > 0 ? this.selectProtocol() : null
    this.topics = this.readTopics()
    this.pendingSync.clear()
    this.transitionTo(this.byId.size > 0 ? 'CompletingRebalance' : 'Empty', nowMs)
  }

  /** Reads the subscriptions again, after one of them changed without a new generation. */
  refreshTopics(): void {
    this.topics = this.readTopics()
  }

  /** True while offsets of the topic are in use; a group of consumers we cannot read may read anything. */
  isSubscribedTo(topic: string): boolean {
    return this.topics === null ? this.isConsumerGroup : this.topics.has(topic)
  }

  /** The error for someone who says to be this member, NONE when it is. */
  identify(memberId: string, groupInstanceId: string | null): ErrorCode {
    if (groupInstanceId !== null) {
      const known = this.staticIds.get(groupInstanceId)
      if (known === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
      if (known !== memberId) return ErrorCode.FENCED_INSTANCE_ID
    }
    return this.byId.has(memberId) ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID
  }

  private put(member: Member): void {
    assert(!this.byId.has(member.memberId), 'a member is added once')
    if (member.groupInstanceId !== null) {
      assert(!this.staticIds.has(member.groupInstanceId), 'an instance id has one member')
      this.staticIds.set(member.groupInstanceId, member.memberId)
    }
    this.byId.set(member.memberId, member)
    this.count(member.protocols, 1)
  }

  private count(protocols: readonly Protocol[], step: 1 | -1): void {
    for (const { name } of protocols) {
      const speakers = (this.speakers.get(name) ?? 0) + step
      if (speakers === 0) this.speakers.delete(name)
      else this.speakers.set(name, speakers)
    }
  }

  private isCommon(protocolName: string): boolean {
    return (this.speakers.get(protocolName) ?? 0) === this.byId.size
  }

  private firstMemberId(): string | undefined {
    return this.byId.keys().next().value
  }

  private readTopics(): ReadonlySet<string> | null {
    if (!this.isConsumerGroup) return null
    const topics = new Set<string>()
    for (const member of this.members) {
      const read = subscribedTopics(metadataOf(member, this.protocolName))
      if (read === null) return null
      for (const topic of read) topics.add(topic)
    }
    return topics
  }
}
