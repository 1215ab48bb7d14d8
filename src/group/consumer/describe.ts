// ConsumerGroupDescribe 0–1: a consumer group as operators see it, this shard's part.
//
// Topics go by name here, so what was assigned of a topic that is gone is left out. Kafka:
// ConsumerGroup.asDescribedGroup, ConsumerGroupMember.asConsumerGroupDescribeMember.

import type { Ticket } from '../../coordinator/shard.ts'
import type { DecodedOf } from '../../protocol/dsl.ts'
import { ErrorCode } from '../../protocol/errors.ts'
import type { ConsumerGroupDescribe } from '../../protocol/messages/consumer_group.ts'
import type { Turn } from '../turn.ts'
import type { Cluster } from './cluster.ts'
import type { ConsumerGroup } from './consumer_group.ts'
import { type ConsumerMember, partitionsOf, type Target } from './member.ts'

export type DescribedConsumerGroup = DecodedOf<
  (typeof ConsumerGroupDescribe)['response']
>['groups'][number]
type DescribedMember = DescribedConsumerGroup['members'][number]

/** The caller fills in what the principal may do, if it was asked. */
const OPERATIONS_UNKNOWN = -2_147_483_648
const MEMBER_TYPE = Object.freeze({ classic: 0, consumer: 1 })

/** Decides a ConsumerGroupDescribe, for groups of this shard. */
export function describeConsumerGroups(
  turn: Turn,
  { groupIds }: { groupIds: readonly string[] },
  ticket: Ticket,
): void {
  const groups = groupIds.map((groupId) => {
    const group = turn.truth.consumerGroups.get(groupId)
    if (group !== undefined) return described(turn, group)
    return absent(groupId, turn.groups.has(groupId) ? 'is not a consumer group' : 'not found')
  })
  turn.reply(ticket, { kind: 'consumerGroupDescribe', groups })
}

/** Kafka's words: its tools show them. */
function absent(groupId: string, why: string): DescribedConsumerGroup {
  return {
    errorCode: ErrorCode.GROUP_ID_NOT_FOUND,
    errorMessage: `Group ${groupId} ${why}.`,
    groupId,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: '',
    members: [],
    authorizedOperations: OPERATIONS_UNKNOWN,
  }
}

function described(turn: Turn, group: ConsumerGroup): DescribedConsumerGroup {
  const [standard] = turn.settings.consumer.assignors.keys()
  return {
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    groupId: group.groupId,
    groupState: group.state,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: group.preferredAssignor(undefined, undefined) ?? standard ?? '',
    members: Array.from(group.members.values(), (member) =>
      describedMember(turn.cluster, group, member),
    ),
    authorizedOperations: OPERATIONS_UNKNOWN,
  }
}

function describedMember(
  cluster: Cluster,
  group: ConsumerGroup,
  member: ConsumerMember,
): DescribedMember {
  return {
    memberId: member.memberId,
    instanceId: member.instanceId,
    rackId: member.rackId,
    memberEpoch: member.memberEpoch,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: [...member.topicNames],
    subscribedTopicRegex: member.topicRegex,
    assignment: named(cluster, held(member)),
    targetAssignment: named(cluster, group.targetOf(member.memberId)),
    memberType: member.classic === null ? MEMBER_TYPE.consumer : MEMBER_TYPE.classic,
  }
}

/** What it has, what it has yet to give up included. */
function held({ assigned, pendingRevocation }: ConsumerMember): Target {
  const held = new Map(partitionsOf(assigned))
  for (const [topicId, partitions] of pendingRevocation) {
    held.set(topicId, new Set([...(held.get(topicId) ?? []), ...partitions.keys()]))
  }
  return held
}

function named(cluster: Cluster, target: Target): DescribedMember['assignment'] {
  const topicPartitions = []
  for (const [topicId, partitions] of target) {
    const topicName = cluster.nameOf(topicId)
    if (topicName === undefined) continue
    topicPartitions.push({ topicId, topicName, partitions: [...partitions] })
  }
  return { topicPartitions }
}
