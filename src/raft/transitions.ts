// What every message may do to this node's role before it is looked at any closer: a higher epoch, or
// a leader that was not known yet.
//
// Invariant: an older epoch is answered or ignored, never obeyed; two leaders for one epoch are noted
// and the second is ignored, since obeying it could only make matters worse.
// Kafka: KafkaRaftClient.maybeTransition, hasConsistentLeader, maybeHandleCommonResponse.

import { ErrorCode } from '../protocol/errors.ts'
import type { Core } from './core.ts'
import { EPOCH_MAX } from './messages.ts'
import type { Endpoint } from './voters.ts'

/** What a message says about who leads. */
export interface LeaderClaim {
  readonly leaderId: number | null
  readonly epoch: number
  readonly endpoints: readonly Endpoint[]
}

/** Whether a claim can be true beside what this node knows. */
export function isConsistent(core: Core, { leaderId, epoch }: LeaderClaim): boolean {
  if (leaderId === core.config.nodeId) return epoch === core.epoch && core.leaderId === leaderId
  if (epoch !== core.epoch || leaderId === null || core.leaderId === null) return true
  return leaderId === core.leaderId
}

/** Obeys a claim that is newer than what this node knows. */
export function maybeTransition(core: Core, claim: LeaderClaim): void {
  const { leaderId, epoch, endpoints } = claim
  if (epoch > EPOCH_MAX) {
    core.note(`ignored: epoch ${epoch}`)
  } else if (!isConsistent(core, claim)) {
    core.note(`ignored: node ${leaderId} as leader of epoch ${epoch}; we know ${core.leaderId}`)
  } else if (epoch > core.epoch) {
    if (leaderId === null) core.becomeUnattached(epoch)
    else core.becomeFollower(epoch, leaderId, endpoints)
  } else if (epoch === core.epoch && leaderId !== null && leaderId !== core.config.nodeId) {
    const more = endpoints.length > core.leaderEndpoints.length
    if (core.leaderId === null || more) core.becomeFollower(epoch, leaderId, endpoints)
  }
}

/** What is left to do with a response: nothing, back off, or read it. */
export type Verdict = 'done' | 'failed' | 'read'

/** The part of handling a response that is the same for all apis. */
export function commonResponse(core: Core, errorCode: number, claim: LeaderClaim): Verdict {
  const { leaderId, epoch } = claim
  if (epoch < core.epoch || errorCode === ErrorCode.UNKNOWN_LEADER_EPOCH) return 'done'
  const stale =
    errorCode === ErrorCode.FENCED_LEADER_EPOCH || errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER
  if (epoch > core.epoch || stale) {
    maybeTransition(core, claim)
    return 'done'
  }
  if (leaderId !== null && core.leaderId === null && leaderId !== core.config.nodeId) {
    maybeTransition(core, claim)
    return errorCode === ErrorCode.NONE ? 'read' : 'done'
  }
  if (errorCode === ErrorCode.INVALID_VOTER_KEY) {
    core.note('a peer was asked for under a replica key that is not its own')
    return 'failed'
  }
  return errorCode === ErrorCode.NONE ? 'read' : 'failed'
}
