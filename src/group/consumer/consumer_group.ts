// A consumer group as the log has it: epochs, members, what each should have and what each has. It is part of the truth:
// only replay changes it (replay.ts), and decisions read it.
//
// Three epochs. The group epoch grows with everything that calls for another assignment; the assignment epoch says for
// which group epoch the target was computed; a member's epoch how far it has followed.
// Invariant: a partition has one owner at most: the member that has it assigned or has yet to give it up. Nobody is
// given a partition that has an owner. Kafka: ConsumerGroup, ModernGroup. KIP-848.

import type { Uuid } from '../../lib/uuid.ts'
import { type ConsumerMember, isReconciled, NO_TARGET, type Owned, type Target } from './member.ts'

export type ConsumerGroupState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable'

/** The topics that a pattern matched, and when that was. */
export interface ResolvedRegex {
  readonly topics: readonly string[]
  /** The version of the cluster that was looked at. */
  readonly version: number
  readonly timestampMs: number
}

/** Topic names, each with how many members (or patterns) ask for it. */
export type TopicCounts = ReadonlyMap<string, number>

/** A group of KIP-848. */
export class ConsumerGroup {
  readonly groupId: string
  /** A member in epoch 0 is one that joins, so a new group begins after it. */
  groupEpoch = 1
  metadataHash = 0n
  assignmentEpoch = 1
  /** When the target was computed; 0 when the record does not say. */
  assignmentTimestampMs = 0
  /** A record of releases before 4.1 that is still in the log, to be deleted on occasion. */
  hasPartitionMetadata = false
  readonly targets = new Map<string, Target>()
  readonly regexes = new Map<string, ResolvedRegex>()

  private readonly byId = new Map<string, ConsumerMember>()
  private readonly staticIds = new Map<string, string>()
  private readonly names = new Map<string, number>()
  private readonly patterns = new Map<string, number>()
  private readonly protocols = new Map<string, number>()
  private classicCount = 0
  /** Topic id → partition → who has it assigned or has yet to give it up. */
  private readonly owners = new Map<Uuid, Map<number, string>>()

  constructor(groupId: string) {
    this.groupId = groupId
  }

  get size(): number {
    return this.byId.size
  }

  get members(): ReadonlyMap<string, ConsumerMember> {
    return this.byId
  }

  get state(): ConsumerGroupState {
    if (this.byId.size === 0) return 'Empty'
    if (this.groupEpoch > this.assignmentEpoch) return 'Assigning'
    for (const member of this.byId.values()) {
      if (!isReconciled(member, this.assignmentEpoch)) return 'Reconciling'
    }
    return 'Stable'
  }

  member(memberId: string): ConsumerMember | undefined {
    return this.byId.get(memberId)
  }

  staticMember(instanceId: string | null): ConsumerMember | undefined {
    const memberId = instanceId === null ? undefined : this.staticIds.get(instanceId)
    return memberId === undefined ? undefined : this.byId.get(memberId)
  }

  /** Instance ids with the members behind them. */
  get staticMembers(): ReadonlyMap<string, string> {
    return this.staticIds
  }

  /** The target of a member; a static member that comes back inherits the one of its instance id. */
  targetOf(memberId: string, instanceId: string | null = null): Target {
    const own = this.targets.get(memberId)
    if (own !== undefined || instanceId === null) return own ?? NO_TARGET
    const before = this.staticIds.get(instanceId)
    return (before === undefined ? undefined : this.targets.get(before)) ?? NO_TARGET
  }

  /** Who has a partition, or has yet to give it up. */
  ownerOf(topicId: Uuid, partition: number): string | undefined {
    return this.owners.get(topicId)?.get(partition)
  }

  /** Members by the pattern they subscribe with. */
  get subscribedRegexes(): ReadonlyMap<string, number> {
    return this.patterns
  }

  /** How many members speak the classic protocol. */
  get classicMemberCount(): number {
    return this.classicCount
  }

  /** True when every member that speaks the classic protocol knows this way of assigning. */
  isSpokenByAllClassic(protocolName: string): boolean {
    return (this.protocols.get(protocolName) ?? 0) === this.classicCount
  }

  /** Topics by name that any member reads; patterns count for what they were last found to match. */
  topicNames(): Set<string> {
    return this.topicNamesAfter([])
  }

  isSubscribedTo(topic: string): boolean {
    if (this.names.has(topic)) return true
    for (const pattern of this.patterns.keys()) {
      if (this.regexes.get(pattern)?.topics.includes(topic) === true) return true
    }
    return false
  }

  /** The same, were some members replaced by others, or by nobody. */
  topicNamesAfter(
    changes: readonly (readonly [ConsumerMember | undefined, ConsumerMember | undefined])[],
    regexes: ReadonlyMap<string, ResolvedRegex> = this.regexes,
  ): Set<string> {
    const names = new Map(this.names)
    const patterns = new Map(this.patterns)
    for (const [before, after] of changes) {
      const known = before === undefined ? undefined : this.byId.get(before.memberId)
      count(names, patterns, known, -1)
      count(names, patterns, after, 1)
    }
    const all = new Set(names.keys())
    for (const pattern of patterns.keys()) {
      for (const topic of regexes.get(pattern)?.topics ?? []) all.add(topic)
    }
    return all
  }

  /** The assignor most members ask for, were one of them replaced; null when nobody asks. */
  preferredAssignor(
    before: ConsumerMember | undefined,
    after: ConsumerMember | undefined,
  ): string | null {
    const votes = new Map<string, number>()
    const vote = (member: ConsumerMember | undefined) => {
      const name = member?.serverAssignor ?? null
      if (name !== null) votes.set(name, (votes.get(name) ?? 0) + 1)
    }
    for (const member of this.byId.values()) if (member.memberId !== before?.memberId) vote(member)
    vote(after)
    let best: string | null = null
    for (const [name, votesFor] of votes) {
      if (best === null || votesFor > votes.get(best)!) best = name
    }
    return best
  }

  /** Replay only. */
  putMember(member: ConsumerMember): void {
    const before = this.byId.get(member.memberId)
    this.byId.set(member.memberId, member)
    if (before?.instanceId !== member.instanceId) this.forgetInstance(before)
    if (member.instanceId !== null) this.staticIds.set(member.instanceId, member.memberId)
    count(this.names, this.patterns, before, -1)
    count(this.names, this.patterns, member, 1)
    this.countClassic(before, -1)
    this.countClassic(member, 1)
    if (before !== undefined) this.release(before)
    this.own(member.assigned, member.memberId)
    this.own(member.pendingRevocation, member.memberId)
  }

  /** Replay only. */
  removeMember(memberId: string): void {
    const member = this.byId.get(memberId)
    if (member === undefined) return
    this.byId.delete(memberId)
    this.forgetInstance(member)
    count(this.names, this.patterns, member, -1)
    this.countClassic(member, -1)
    this.release(member)
  }

  private forgetInstance(member: ConsumerMember | undefined): void {
    const instanceId = member?.instanceId ?? null
    if (instanceId === null) return
    // A static member that came back may be here already.
    if (this.staticIds.get(instanceId) === member!.memberId) this.staticIds.delete(instanceId)
  }

  private countClassic(member: ConsumerMember | undefined, step: 1 | -1): void {
    const classic = member?.classic ?? null
    if (classic === null) return
    this.classicCount += step
    for (const { name } of classic.supportedProtocols) add(this.protocols, name, step)
  }

  private own(owned: Owned, memberId: string): void {
    for (const [topicId, partitions] of owned) {
      let owners = this.owners.get(topicId)
      if (owners === undefined) this.owners.set(topicId, (owners = new Map()))
      for (const partition of partitions.keys()) owners.set(partition, memberId)
    }
  }

  private release(member: ConsumerMember): void {
    for (const owned of [member.assigned, member.pendingRevocation]) {
      for (const [topicId, partitions] of owned) {
        const owners = this.owners.get(topicId)
        if (owners === undefined) continue
        for (const partition of partitions.keys()) {
          if (owners.get(partition) === member.memberId) owners.delete(partition)
        }
        if (owners.size === 0) this.owners.delete(topicId)
      }
    }
  }
}

function count(
  names: Map<string, number>,
  patterns: Map<string, number>,
  member: ConsumerMember | undefined,
  step: 1 | -1,
): void {
  if (member === undefined) return
  for (const name of member.topicNames) add(names, name, step)
  if (member.topicRegex !== '') add(patterns, member.topicRegex, step)
}

function add(counts: Map<string, number>, key: string, step: 1 | -1): void {
  const next = (counts.get(key) ?? 0) + step
  if (next === 0) counts.delete(key)
  else counts.set(key, next)
}
