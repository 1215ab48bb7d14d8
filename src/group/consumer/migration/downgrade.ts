// A consumer group becomes a classic group: the last member that spoke the new protocol is gone, or came back under its
// instance id with the classic one. The others have been speaking the classic protocol all the time.
//
// They keep what was meant for them and join again, unless the one that came back has the place of its former self and
// nothing else has changed. Kafka: GroupMetadataManager.convertToClassicGroup, ClassicGroup.fromConsumerGroup. KIP-848.

import { ClassicGroup } from '../../classic_group.ts'
import type { Member } from '../../member.ts'
import { prepareRebalance } from '../../rebalance.ts'
import { memberTimers } from '../../timers.ts'
import type { Turn } from '../../turn.ts'
import type { ConsumerGroup } from '../consumer_group.ts'
import type { ConsumerMember } from '../member.ts'
import { consumerGroupTombstones } from '../record_sets.ts'
import { readSubscription, writeAssignment } from './embedded.ts'

/** True when only members of the classic protocol would be left, and the group may be one of their kind. */
export function mayDowngrade(
  turn: Turn,
  group: ConsumerGroup,
  leaving: readonly ConsumerMember[],
  joining: number,
): boolean {
  const { settings } = turn
  const size = group.size - leaving.length + joining
  const classicLeaving = leaving.filter(({ classic }) => classic !== null).length
  const areAllClassic = group.classicMemberCount - classicLeaving === group.size - leaving.length
  const { mayDowngrade: isAllowed } = settings.consumer.migration
  return areAllClassic && size > 0 && isAllowed && size <= settings.membersMax
}

/** What a downgrade is about. */
export interface Downgrade {
  readonly leaving: readonly ConsumerMember[]
  /** Who takes the place of a static member that leaves. */
  readonly joining: ConsumerMember | null
  readonly mustRebalance: boolean
}

/** The group goes on as a classic one. */
export function downgrade(turn: Turn, group: ConsumerGroup, change: Downgrade): void {
  const { groupId } = group
  const { leaving, joining, mustRebalance } = change
  const gone = new Set(leaving.map(({ memberId }) => memberId))
  const staying = [...group.members.values()].filter(({ memberId }) => !gone.has(memberId))
  if (joining !== null) staying.push(joining)
  turn.records.push(...consumerGroupTombstones(group))
  for (const memberId of group.members.keys()) {
    for (const timer of memberTimers(groupId, memberId)) turn.relent(timer)
  }
  const members = staying.map((member) => classicMember(turn, group, member))
  const classic = ClassicGroup.stable(groupId, turn.nowMs, group.groupEpoch, members)
  turn.groups.set(groupId, classic)
  turn.store(classic)
  for (const member of classic.members) turn.touch(classic, member)
  if (mustRebalance) prepareRebalance(turn, classic)
}

function classicMember(turn: Turn, group: ConsumerGroup, member: ConsumerMember): Member {
  const { classic, memberId, instanceId } = member
  const protocols = classic?.supportedProtocols ?? []
  const version = readSubscription(protocols[0]?.metadata ?? new Uint8Array(0))?.version ?? 0
  return {
    memberId,
    groupInstanceId: instanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    sessionTimeoutMs: classic?.sessionTimeoutMs ?? 0,
    protocols,
    assignment: writeAssignment(turn.cluster, group.targetOf(memberId, instanceId), version),
    awaitingJoin: null,
    awaitingSync: null,
    isNew: false,
  }
}
