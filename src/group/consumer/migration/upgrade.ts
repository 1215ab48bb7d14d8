// A classic group with members becomes a consumer group: somebody has joined it with the new protocol. Its members stay,
// with what they were assigned, and go on speaking the classic protocol (classic_requests.ts) until they restart.
//
// Who was waiting for the end of a rebalance is told to join again. Kafka: GroupMetadataManager.convertToConsumerGroup,
// ConsumerGroup.fromClassicGroup. KIP-848.

import { ErrorCode } from '../../../protocol/errors.ts'
import type { ClassicGroup } from '../../classic_group.ts'
import { type Member, metadataOf } from '../../member.ts'
import { type GroupRecord, groupTombstone } from '../../records.ts'
import { joinTimer, sessionTimer, syncTimer } from '../../timers.ts'
import type { Turn } from '../../turn.ts'
import { hashOfTopics } from '../cluster.ts'
import { ConsumerGroup } from '../consumer_group.ts'
import {
  type ConsumerMember,
  MemberState,
  newMember,
  type Owned,
  partitionsOf,
  sortedNames,
} from '../member.ts'
import type { Opened } from '../opening.ts'
import {
  currentRecord,
  groupEpochRecord,
  memberRecord,
  targetEpochRecord,
  targetRecord,
} from '../records.ts'
import { type Refusal, refusal } from '../refusal.ts'
import { replayConsumerGroup } from '../replay.ts'
import { readAssignment, readSubscription } from './embedded.ts'

/** The classic group as a consumer group, or why it stays what it is. */
export function upgrade(turn: Turn, classic: ClassicGroup): Opened | Refusal {
  const { groupId, generationId } = classic
  const { migration, membersMax } = turn.settings.consumer
  const stays = (why: string) =>
    refusal(ErrorCode.GROUP_ID_NOT_FOUND, `Group ${groupId} stays a classic group: ${why}.`)
  if (!migration.mayUpgrade) return stays('migration is off')
  if (!classic.isConsumerGroup) return stays('its members are no consumers')
  if (classic.size > membersMax) return stays('it is too large')
  const members: ConsumerMember[] = []
  for (const member of classic.members) {
    const upgraded = upgradedMember(turn, classic, member)
    if (upgraded === null) return stays('what its members say cannot be read')
    members.push(upgraded)
  }
  const hash = hashOfTopics(turn.cluster, new Set(members.flatMap(({ topicNames }) => topicNames)))
  const records: GroupRecord[] = [
    groupTombstone(groupId),
    ...members.map((member) => memberRecord(groupId, member)),
    groupEpochRecord(groupId, generationId, hash),
    ...members.map(({ memberId, assigned }) => {
      return targetRecord(groupId, memberId, partitionsOf(assigned))
    }),
    targetEpochRecord(groupId, generationId, 0),
    ...members.map((member) => currentRecord(groupId, member)),
  ]
  const groups = new Map<string, ConsumerGroup>()
  for (const record of records) replayConsumerGroup(groups, record)
  const group = groups.get(groupId) ?? new ConsumerGroup(groupId)
  return { group, records, commit: () => letGo(turn, classic) }
}

function upgradedMember(turn: Turn, group: ClassicGroup, member: Member): ConsumerMember | null {
  // In its first join phase a group has chosen no protocol yet.
  const protocolName = group.protocolName ?? group.selectProtocol()
  const subscription = readSubscription(metadataOf(member, protocolName))
  const target = readAssignment(turn.cluster, member.assignment)
  if (subscription === null || target === null) return null
  const { generationId } = group
  const assigned: Owned = new Map(
    Array.from(target, ([topicId, partitions]) => [
      topicId,
      new Map(Array.from(partitions, (partition) => [partition, generationId])),
    ]),
  )
  return {
    ...newMember(member.memberId),
    instanceId: member.groupInstanceId,
    rackId: subscription.rackId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    topicNames: sortedNames(subscription.topics),
    classic: {
      sessionTimeoutMs: member.sessionTimeoutMs,
      supportedProtocols: member.protocols.map(({ name, metadata }) => ({ name, metadata })),
    },
    memberEpoch: generationId,
    previousMemberEpoch: generationId,
    state: MemberState.stable,
    assigned,
  }
}

/** Nobody waits for the classic group any more. */
function letGo(turn: Turn, classic: ClassicGroup): void {
  const { groupId } = classic
  const errorCode = ErrorCode.REBALANCE_IN_PROGRESS
  for (const member of classic.members) {
    turn.answerJoin(classic, member, { errorCode, memberId: member.memberId })
    turn.answerSync(member, { errorCode })
    turn.touch(classic, member)
  }
  for (const memberId of classic.pendingJoin) turn.cancel(sessionTimer(groupId, memberId))
  turn.cancel(joinTimer(groupId))
  turn.cancel(syncTimer(groupId))
  turn.groups.delete(groupId)
}
