// An error as an answer: the code clients act on, and words for people. Decisions of consumer groups pass it on until
// somebody replies with it. Kafka: ApiException and its subclasses.

import { ErrorCode } from '../../protocol/errors.ts'
import type { ConsumerGroup } from './consumer_group.ts'
import type { ConsumerMember } from './member.ts'

/** Why a request is not granted. */
export interface Refusal {
  readonly errorCode: ErrorCode
  readonly errorMessage: string
}

export function refusal(errorCode: ErrorCode, errorMessage: string): Refusal {
  return { errorCode, errorMessage }
}

/** Tells a refusal from whatever was asked for. */
export function isRefusal<T extends object>(found: T | Refusal): found is Refusal {
  return 'errorCode' in found && 'errorMessage' in found
}

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
  return refusal(ErrorCode.GROUP_ID_NOT_FOUND, `Consumer group ${groupId} not found.`)
}
