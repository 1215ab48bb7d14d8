// Whether someone is the member it says to be. Kafka: GroupMetadataManager.throwIf….

import { ErrorCode } from '../../protocol/errors.ts'
import type { ConsumerGroup } from './consumer_group.ts'
import type { ConsumerMember } from './member.ts'
import { type Refusal, refusal } from './refusal.ts'

/** Nobody has that member id, or that instance id. */
export function unknownMember({ groupId }: ConsumerGroup, who: string): Refusal {
  return refusal(ErrorCode.UNKNOWN_MEMBER_ID, `Group ${groupId} has no member ${who}.`)
}

/** The instance id is another member's now. */
export function fencedInstance({ instanceId, memberId }: ConsumerMember): Refusal {
  const message = `Instance ${instanceId} belongs to member ${memberId}.`
  return refusal(ErrorCode.FENCED_INSTANCE_ID, message)
}

/** No consumer group has that name. */
export function noConsumerGroup(groupId: string): Refusal {
  return refusal(ErrorCode.GROUP_ID_NOT_FOUND, `There is no consumer group ${groupId}.`)
}
