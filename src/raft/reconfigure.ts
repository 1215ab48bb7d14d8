// Changes of the voter set: AddRaftVoter, RemoveRaftVoter, UpdateRaftVoter; one at a time.
//
// Invariants: a change begins only when the leader has committed a record of its own epoch and the
// change before it is committed, so two majorities of successive sets always overlap; a new set is in
// force from the moment it is appended; a joining replica must be able to run the finalized
// kraft.version and have caught up, else its membership could stop all commits; a leader that was
// removed leads until that is committed, without counting itself, and then resigns.
// Kafka: AddVoterHandler, RemoveVoterHandler, UpdateVoterHandler; KIP-853.

import { assert } from '../lib/assert.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { RaftQuestion, RaftReply, RaftRequest, RaftResponse } from './contract.ts'
import type { Core, Follower } from './core.ts'
import { appendVoters } from './leader.ts'
import type { Leader } from './leader_state.ts'
import { type Asked, isOurCluster, leaderRequestError } from './messages.ts'
import { commonResponse } from './transitions.ts'
import { type Endpoint, NO_DIRECTORY, replicaKey, type Voter } from './voters.ts'

/** A replica that fetched at all within this time may have caught up. */
const CAUGHT_UP_MS = 3_600_000
const KRAFT_VERSION = 'kraft.version'

type Verdict = readonly [ErrorCode, string | null]
const FINE: Verdict = [ErrorCode.NONE, null]

/** Answers an AddRaftVoter, now or when the new set is committed. */
export function handleAddVoter(
  core: Core,
  ticket: number,
  request: RaftRequest<'AddRaftVoter'>,
): void {
  const refuse = ([errorCode, errorMessage]: Verdict) =>
    core.respond(ticket, 'AddRaftVoter', { errorCode, errorMessage })
  const verdict = mayChange(core, request.clusterId, core.epoch)
  const { voterId, voterDirectoryId, listeners, ackWhenCommitted } = request
  if (verdict !== FINE || core.role.name !== 'leader') {
    refuse(verdict)
  } else if (voterId < 0 || voterDirectoryId === NO_DIRECTORY) {
    refuse([ErrorCode.INVALID_REQUEST, 'a voter needs an id and a directory id'])
  } else if (!hasListener(core, listeners)) {
    refuse([ErrorCode.INVALID_REQUEST, `no endpoint for listener ${core.config.listenerName}`])
  } else if (core.voters.voters.get(voterId) !== undefined) {
    refuse([ErrorCode.DUPLICATE_VOTER, `voter ${voterId} is in the set already`])
  } else {
    core.role.change = {
      ticket,
      api: 'AddRaftVoter',
      deadlineMs: core.nowMs + core.config.requestTimeoutMs,
      joining: { ...replicaKey(voterId, voterDirectoryId), endpoints: endpointsOf(listeners) },
      ackWhenCommitted,
      offset: null,
    }
  }
}

/** Answers a RemoveRaftVoter, now or when the smaller set is committed. */
export function handleRemoveVoter(
  core: Core,
  ticket: number,
  request: RaftRequest<'RemoveRaftVoter'>,
): void {
  const refuse = ([errorCode, errorMessage]: Verdict) =>
    core.respond(ticket, 'RemoveRaftVoter', { errorCode, errorMessage })
  const verdict = mayChange(core, request.clusterId, core.epoch)
  const { voterId, voterDirectoryId } = request
  if (verdict !== FINE || core.role.name !== 'leader') {
    refuse(verdict)
    return
  }
  if (voterId < 0 || voterDirectoryId === NO_DIRECTORY) {
    refuse([ErrorCode.INVALID_REQUEST, 'a voter needs an id and a directory id'])
    return
  }
  const smaller = core.voters.voters.without(replicaKey(voterId, voterDirectoryId))
  if (smaller === undefined) {
    refuse([ErrorCode.VOTER_NOT_FOUND, `voter ${voterId} is not in the set, or alone in it`])
    return
  }
  const { role } = core
  role.change = {
    ticket,
    api: 'RemoveRaftVoter',
    deadlineMs: core.nowMs + core.config.requestTimeoutMs,
    joining: null,
    ackWhenCommitted: true,
    offset: null,
  }
  role.change.offset = appendVoters(core, role, smaller)
}

/** Answers an UpdateRaftVoter: a voter tells its present addresses and levels. */
export function handleUpdateVoter(
  core: Core,
  ticket: number,
  asked: Asked,
  request: RaftRequest<'UpdateRaftVoter'>,
): void {
  const answer = (errorCode: ErrorCode) =>
    core.respond(ticket, 'UpdateRaftVoter', updateResponse(core, asked, errorCode))
  const [error] = mayChange(core, request.clusterId, request.currentLeaderEpoch)
  const { minSupportedVersion: min, maxSupportedVersion: max } = request.kRaftVersionFeature
  const key = replicaKey(request.voterId, request.voterDirectoryId)
  const { voters, kraftVersion } = core.voters
  if (error !== ErrorCode.NONE || core.role.name !== 'leader') {
    answer(error)
  } else if (key.id < 0 || key.directoryId === null || !hasListener(core, request.listeners)) {
    answer(ErrorCode.INVALID_REQUEST)
  } else if (min < 0 || min > kraftVersion || max < kraftVersion) {
    answer(ErrorCode.INVALID_REQUEST)
  } else if (!voters.isVoter(key)) {
    answer(ErrorCode.VOTER_NOT_FOUND)
  } else {
    const endpoints = endpointsOf(request.listeners)
    const updated: Voter = { ...key, endpoints, kraftVersions: { min, max } }
    if (voters.isStaleFor(updated)) appendVoters(core, core.role, voters.withUpdated(updated))
    answer(ErrorCode.NONE)
  }
}

function mayChange(core: Core, clusterId: string | null, epoch: number): Verdict {
  if (!isOurCluster(core, clusterId)) {
    return [ErrorCode.INCONSISTENT_CLUSTER_ID, 'the request is for another cluster']
  }
  const error = leaderRequestError(core, epoch)
  if (error !== ErrorCode.NONE || core.role.name !== 'leader') return [error, null]
  const { change, highWatermark } = core.role
  const { kraftVersion, votersOffset } = core.voters
  if (change !== null) {
    return [ErrorCode.REQUEST_TIMED_OUT, 'another change of the voters is under way']
  }
  if (highWatermark < 0) {
    return [ErrorCode.REQUEST_TIMED_OUT, 'the leader has not committed anything yet']
  }
  if (kraftVersion === 0) {
    return [ErrorCode.UNSUPPORTED_VERSION, 'voters can be changed from kraft.version 1 on']
  }
  if (votersOffset === null || votersOffset >= highWatermark) {
    return [ErrorCode.REQUEST_TIMED_OUT, 'the last change of the voters is not committed yet']
  }
  return FINE
}

/** Leader: ask a joining replica what it can run, and give up on a change that takes too long. */
export function pollChange(core: Core, role: Leader): void {
  const { change } = role
  if (change === null) return
  if (core.nowMs >= change.deadlineMs) {
    finish(core, role, [ErrorCode.REQUEST_TIMED_OUT, 'the change was not committed in time'])
    return
  }
  core.wake(change.deadlineMs)
  if (change.joining === null || change.offset !== null) return
  const to = core.reach(change.joining.id, change.joining.endpoints)
  if (to !== undefined) core.trySend(to, 'ApiVersions', () => apiVersionsRequest())
}

function apiVersionsRequest(): RaftQuestion<'ApiVersions'> {
  return { clientSoftwareName: 'ottla', clientSoftwareVersion: '1' }
}

/** Reads what a joining replica can run, and lets it join if nothing speaks against it. */
export function handleApiVersionsResponse(
  core: Core,
  from: number,
  response: RaftResponse<'ApiVersions'>,
): boolean {
  if (core.role.name !== 'leader') return true
  const { role } = core
  const joining = role.change?.joining ?? null
  if (role.change === null || joining?.id !== from || role.change.offset !== null) return true
  if (response.errorCode !== ErrorCode.NONE) return false
  const feature = response.supportedFeatures.find((each) => each.name === KRAFT_VERSION)
  const range = { min: feature?.minVersion ?? 0, max: feature?.maxVersion ?? 0 }
  const { kraftVersion, voters } = core.voters
  if (kraftVersion < range.min || kraftVersion > range.max) {
    finish(core, role, [
      ErrorCode.INVALID_REQUEST,
      `kraft.version ${kraftVersion} is not supported`,
    ])
  } else if (!role.replicas.isCaughtUp(joining, core.nowMs, CAUGHT_UP_MS)) {
    finish(core, role, [ErrorCode.REQUEST_TIMED_OUT, 'the replica has not caught up'])
  } else {
    const { change } = role
    change.offset = appendVoters(core, role, voters.withAdded({ ...joining, kraftVersions: range }))
    if (!change.ackWhenCommitted) finish(core, role, FINE)
  }
  return true
}

/** The high watermark moved: a change may be committed, and a removed leader's time be over. */
export function afterCommit(core: Core, role: Leader): void {
  const { change } = role
  if (change !== null && change.offset !== null && role.highWatermark > change.offset) {
    finish(core, role, FINE)
  }
  const { votersOffset } = core.voters
  const isSettled = votersOffset !== null && votersOffset < role.highWatermark
  if (isSettled && !core.isVoter) role.isRemoved = true
}

/** Answers whoever asked for the change that is under way. */
export function finish(core: Core, role: Leader, [errorCode, errorMessage]: Verdict): void {
  const { change } = role
  assert(change !== null, 'raft: no change to finish')
  role.change = null
  core.respond(change.ticket, change.api, { errorCode, errorMessage })
}

function hasListener(core: Core, listeners: readonly Endpoint[]): boolean {
  return listeners.some((listener) => listener.name === core.config.listenerName)
}

const endpointsOf = (listeners: readonly Endpoint[]): Endpoint[] =>
  listeners.map(({ name, host, port }) => ({ name, host, port }))

function updateResponse(
  core: Core,
  asked: Asked,
  errorCode: ErrorCode,
): RaftReply<'UpdateRaftVoter'> {
  const endpoint = core.leaderEndpoints.find((known) => known.name === asked.listener)
  const leaderId = core.leaderId ?? -1
  const { host = '', port = 0 } = endpoint ?? {}
  return { errorCode, currentLeader: { leaderId, leaderEpoch: core.epoch, host, port } }
}

/** Follower: tell the leader when the voter set has an old address of ours; true when it was told. */
export function maybeUpdateVoter(core: Core, role: Follower): boolean {
  if (core.nowMs < role.updateVoterAtMs) return false
  const { config, voters } = core
  const self: Voter = {
    ...core.localKey,
    endpoints: config.listeners,
    kraftVersions: { min: 0, max: 1 },
  }
  const leader = core.reach(role.leaderId, role.leaderEndpoints)
  if (voters.kraftVersion === 0 || !voters.voters.isStaleFor(self) || leader === undefined) {
    return false
  }
  const sent = core.trySend(leader, 'UpdateRaftVoter', () => ({
    clusterId: config.clusterId,
    currentLeaderEpoch: core.epoch,
    voterId: self.id,
    voterDirectoryId: config.directoryId,
    listeners: config.listeners,
    kRaftVersionFeature: { minSupportedVersion: 0, maxSupportedVersion: 1 },
  }))
  if (sent) role.updateVoterAtMs = core.nowMs + 3 * config.fetchTimeoutMs
  return true
}

/** Reads the answer to an UpdateRaftVoter. */
export function handleUpdateVoterResponse(
  core: Core,
  response: RaftResponse<'UpdateRaftVoter'>,
): boolean {
  const { leaderId, leaderEpoch: epoch, host, port } = response.currentLeader
  const endpoints = host === '' ? [] : [{ name: core.config.listenerName, host, port }]
  const claim = { leaderId: leaderId < 0 ? null : leaderId, epoch, endpoints }
  return commonResponse(core, response.errorCode, claim) !== 'failed'
}
