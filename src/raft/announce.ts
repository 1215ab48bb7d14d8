// BeginQuorumEpoch and EndQuorumEpoch, both sides: a leader makes itself known to voters that do not
// fetch from it, and a leader that steps down names who should follow it.
//
// Invariants: a resigned leader stays silent about its epoch's future: it neither leads nor votes in
// it again; successors begin their elections one after the other, the best informed first.
// Kafka: KafkaRaftClient.handleBeginQuorumEpoch*, handleEndQuorumEpoch*, pollResigned; ResignedState.

import { ErrorCode } from '../protocol/errors.ts'
import type { RaftRequest, RaftResponse } from './contract.ts'
import type { Core } from './core.ts'
import { failFetches } from './leader.ts'
import {
  type Asked,
  endpointsFrom,
  endQuorumEpochRequest,
  epochResponse,
  isMeantForUs,
  isOurCluster,
  onlyPartition,
  voterRequestError,
} from './messages.ts'
import { commonResponse, maybeTransition } from './transitions.ts'
import { type Endpoint, replicaKey } from './voters.ts'

/** Answers a BeginQuorumEpoch. */
export function handleBegin(
  core: Core,
  ticket: number,
  asked: Asked,
  request: RaftRequest<'BeginQuorumEpoch'>,
): void {
  const api = 'BeginQuorumEpoch'
  if (!isOurCluster(core, request.clusterId)) {
    core.respond(ticket, api, { errorCode: ErrorCode.INCONSISTENT_CLUSTER_ID })
    return
  }
  const partition = onlyPartition(request.topics)
  if (partition === undefined) {
    core.respond(ticket, api, { errorCode: ErrorCode.INVALID_REQUEST })
    return
  }
  const { leaderId, leaderEpoch: epoch, voterDirectoryId } = partition
  const error = voterRequestError(core, leaderId, epoch)
  if (error !== ErrorCode.NONE) {
    core.respond(ticket, api, epochResponse(core, asked, error))
    return
  }
  maybeTransition(core, { leaderId, epoch, endpoints: claimed(core, leaderId, request) })
  const isOurs = isMeantForUs(core, request.voterId, voterDirectoryId)
  const verdict = isOurs ? ErrorCode.NONE : ErrorCode.INVALID_VOTER_KEY
  core.respond(ticket, api, epochResponse(core, asked, verdict))
}

/** Answers an EndQuorumEpoch: the leader is going, and this node may be next. */
export function handleEnd(
  core: Core,
  ticket: number,
  asked: Asked,
  request: RaftRequest<'EndQuorumEpoch'>,
): void {
  const api = 'EndQuorumEpoch'
  if (!isOurCluster(core, request.clusterId)) {
    core.respond(ticket, api, { errorCode: ErrorCode.INCONSISTENT_CLUSTER_ID })
    return
  }
  const partition = onlyPartition(request.topics)
  if (partition === undefined) {
    core.respond(ticket, api, { errorCode: ErrorCode.INVALID_REQUEST })
    return
  }
  const { leaderId, leaderEpoch: epoch } = partition
  const error = voterRequestError(core, leaderId, epoch)
  if (error === ErrorCode.NONE) {
    maybeTransition(core, { leaderId, epoch, endpoints: claimed(core, leaderId, request) })
    if (core.role.name === 'follower' && core.role.leaderId === leaderId) {
      core.role.fetchDeadlineMs = core.nowMs + successionDelay(core, partition)
      core.role.hasFetched = false
    }
  }
  core.respond(ticket, api, epochResponse(core, asked, error))
}

type EndPartition = RaftRequest<'EndQuorumEpoch'>['topics'][number]['partitions'][number]

/** The first successor starts at once, each further one after twice the wait, the unnamed last. */
function successionDelay(core: Core, partition: EndPartition): number {
  const candidates =
    partition.preferredCandidates.length > 0
      ? partition.preferredCandidates.map((candidate) =>
          replicaKey(candidate.candidateId, candidate.candidateDirectoryId),
        )
      : partition.preferredSuccessors.map((id) => replicaKey(id))
  const { nodeId, directoryId, electionBackoffMaxMs: maxMs } = core.config
  const place = candidates.findIndex(
    (key) => key.id === nodeId && (key.directoryId === null || key.directoryId === directoryId),
  )
  if (place === 0) return 0
  if (place < 0) return maxMs
  const firstMs = maxMs >> (candidates.length - 1)
  return Math.min(maxMs, firstMs << (place - 1))
}

function claimed(
  core: Core,
  leaderId: number,
  request: { readonly leaderEndpoints: readonly Endpoint[] },
): readonly Endpoint[] {
  if (request.leaderEndpoints.length === 0) return core.voters.voters.endpointsOf(leaderId)
  return request.leaderEndpoints.map(({ name, host, port }) => ({ name, host, port }))
}

/** Reads the answer to a BeginQuorumEpoch or an EndQuorumEpoch. */
export function handleEpochResponse(
  core: Core,
  from: number,
  response: RaftResponse<'BeginQuorumEpoch'> | RaftResponse<'EndQuorumEpoch'>,
): boolean {
  if (response.errorCode !== ErrorCode.NONE) return false
  const answer = onlyPartition<
    RaftResponse<'EndQuorumEpoch'>['topics'][number]['partitions'][number]
  >(response.topics)
  if (answer === undefined) return false
  const leaderId = answer.leaderId < 0 ? null : answer.leaderId
  const endpoints = leaderId === null ? [] : endpointsFrom(core, leaderId, response.nodeEndpoints)
  const claim = { leaderId, epoch: answer.leaderEpoch, endpoints }
  const verdict = commonResponse(core, answer.errorCode, claim)
  if (verdict !== 'read') return verdict === 'done'
  if (core.role.name === 'resigned') core.role.unacknowledged.delete(from)
  if (core.role.name === 'leader') {
    const replica = core.role.replicas.voterById(from)
    if (replica !== undefined) replica.hasAcknowledged = true
  }
  return true
}

/** Steps down: waiting fetches fail, and the other voters hear who should lead. */
export function becomeResigned(core: Core): void {
  const { role } = core
  if (role.name !== 'leader') return
  const successors = role.replicas.successors()
  core.become({
    name: 'resigned',
    electionDeadlineMs: core.electionDeadline(),
    unacknowledged: new Set(successors.map((key) => key.id)),
    successors,
  })
  failFetches(core, role)
}

/** Resigned: say so until everybody knows; after an election timeout begin a new epoch unattached. */
export function pollResigned(core: Core): void {
  const { role } = core
  if (role.name !== 'resigned') return
  if (core.nowMs >= role.electionDeadlineMs) {
    core.becomeUnattached(core.epoch + 1)
    return
  }
  core.wake(role.electionDeadlineMs)
  for (const id of role.unacknowledged) {
    const to = core.destinationOf(id)
    if (to === undefined) continue
    core.trySend(to, 'EndQuorumEpoch', () => endQuorumEpochRequest(core, role.successors))
  }
}
