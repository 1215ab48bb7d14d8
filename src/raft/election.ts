// Elections: who may have this node's vote, and how it asks for others' votes itself.
//
// Invariants: one vote per epoch, given only to a log at least as long as ours, durable before it is
// heard of. A pre-vote asks the same question without raising the epoch and binds nobody; a follower
// that its leader serves refuses it, so a node cut off from its leader cannot unseat it.
// Kafka: KafkaRaftClient.handleVoteRequest, handleVoteResponse, pollUnattached, pollProspective,
// pollCandidate; UnattachedState, ProspectiveState, CandidateState, EpochElection; KIP-996.

import { ErrorCode } from '../protocol/errors.ts'
import type { RaftRequest, RaftResponse } from './contract.ts'
import { Ballot, type Candidate, type Core, type Prospective } from './core.ts'
import { pollAnyVoter } from './follower.ts'
import { becomeLeader } from './leader.ts'
import {
  type Asked,
  endpointsFrom,
  isMeantForUs,
  isOurCluster,
  onlyPartition,
  voteRequest,
  voteResponse,
  voterRequestError,
} from './messages.ts'
import { commonResponse } from './transitions.ts'
import { type ReplicaKey, replicaKey } from './voters.ts'

/** Answers a Vote. */
export function handleVote(
  core: Core,
  ticket: number,
  asked: Asked,
  request: RaftRequest<'Vote'>,
): void {
  if (!isOurCluster(core, request.clusterId)) {
    core.respond(ticket, 'Vote', { errorCode: ErrorCode.INCONSISTENT_CLUSTER_ID })
    return
  }
  const question = onlyPartition(request.topics)
  if (question === undefined) {
    core.respond(ticket, 'Vote', { errorCode: ErrorCode.INVALID_REQUEST })
    return
  }
  const { replicaEpoch, lastOffset, lastOffsetEpoch, preVote } = question
  const answer = (errorCode: ErrorCode, granted = false) =>
    core.respond(ticket, 'Vote', voteResponse(core, asked, errorCode, granted))
  // A pre-vote carries the epoch the asker is in, a vote the one it has just begun.
  const epochMax = preVote ? replicaEpoch : replicaEpoch - 1
  if (lastOffset < 0 || lastOffsetEpoch < 0 || lastOffsetEpoch > epochMax) {
    answer(ErrorCode.INVALID_REQUEST)
    return
  }
  const error = voterRequestError(core, question.replicaId, replicaEpoch)
  if (error !== ErrorCode.NONE) {
    answer(error)
    return
  }
  if (replicaEpoch > core.epoch) core.becomeUnattached(replicaEpoch)
  if (!isMeantForUs(core, request.voterId, question.voterDirectoryId)) {
    answer(ErrorCode.INVALID_VOTER_KEY)
    return
  }
  const key = replicaKey(question.replicaId, question.replicaDirectoryId)
  const end = core.log.end
  const isUpToDate =
    lastOffsetEpoch > end.epoch || (lastOffsetEpoch === end.epoch && lastOffset >= end.offset)
  const granted = preVote ? grantsPreVote(core, isUpToDate) : grantsVote(core, key, isUpToDate)
  if (granted && !preVote) giveVote(core, key)
  answer(ErrorCode.NONE, granted)
}

function grantsPreVote(core: Core, isUpToDate: boolean): boolean {
  if (core.role.name === 'leader') return false
  if (core.role.name === 'follower' && core.role.hasFetched) return false
  return isUpToDate
}

function grantsVote(core: Core, key: ReplicaKey, isUpToDate: boolean): boolean {
  if (core.role.name !== 'unattached' && core.role.name !== 'prospective') return false
  const voted = core.votedKey
  if (voted !== null) {
    return (
      voted.id === key.id && (voted.directoryId === null || voted.directoryId === key.directoryId)
    )
  }
  return core.role.leaderId === null && isUpToDate
}

function giveVote(core: Core, key: ReplicaKey): void {
  if (core.votedKey === null) core.vote(key)
  // Whoever asked gets the time to win before this node tries itself.
  if (core.role.name === 'unattached' || core.role.name === 'prospective') {
    core.role.electionDeadlineMs = core.electionDeadline()
  }
}

/** Counts an answer to a Vote of ours. */
export function handleVoteResponse(
  core: Core,
  from: number,
  response: RaftResponse<'Vote'>,
): boolean {
  if (response.errorCode === ErrorCode.UNSUPPORTED_VERSION) return skipPreVote(core)
  if (response.errorCode !== ErrorCode.NONE) return false
  const answer = onlyPartition(response.topics)
  if (answer === undefined) return false
  const leaderId = answer.leaderId < 0 ? null : answer.leaderId
  const endpoints = leaderId === null ? [] : endpointsFrom(core, leaderId, response.nodeEndpoints)
  const claim = { leaderId, epoch: answer.leaderEpoch, endpoints }
  const verdict = commonResponse(core, answer.errorCode, claim)
  if (verdict !== 'read') return verdict === 'done'
  if (core.role.name === 'prospective') {
    core.role.ballot.record(from, answer.voteGranted)
    afterPreVote(core, core.role)
  } else if (core.role.name === 'candidate') {
    core.role.ballot.record(from, answer.voteGranted)
    if (core.role.ballot.isWon) becomeLeader(core, core.role.ballot.grantedIds)
  }
  return true
}

/** A voter too old for pre-votes leaves no choice but to ask for real ones. */
export function skipPreVote(core: Core): boolean {
  if (core.role.name === 'prospective') becomeCandidate(core)
  return true
}

/** Asks whether an election could be won, without disturbing anybody. */
export function becomeProspective(core: Core): void {
  const ballot = new Ballot(core.voters.voters)
  ballot.record(core.config.nodeId, true)
  const role: Prospective = {
    name: 'prospective',
    leaderId: core.leaderId,
    leaderEndpoints: core.leaderEndpoints,
    electionDeadlineMs: core.electionDeadline(),
    ballot,
  }
  core.become(role)
  afterPreVote(core, role)
}

function afterPreVote(core: Core, role: Prospective): void {
  if (role.ballot.isWon) becomeCandidate(core)
  else if (role.ballot.isLost) loseElection(core, role)
}

function loseElection(core: Core, role: Prospective): void {
  if (role.leaderId !== null && role.leaderEndpoints.length > 0) {
    core.becomeFollower(core.epoch, role.leaderId, role.leaderEndpoints)
  } else {
    core.becomeUnattached(core.epoch, role.leaderId)
  }
}

/** Begins a new epoch with a vote for itself. */
export function becomeCandidate(core: Core): void {
  runFor(core, core.epoch + 1)
}

/** Runs in an epoch in which this node's vote was already its own, as after a crash. */
export function resumeCandidate(core: Core): void {
  runFor(core, core.epoch)
}

function runFor(core: Core, epoch: number): void {
  const ballot = new Ballot(core.voters.voters)
  ballot.record(core.config.nodeId, true)
  const role: Candidate = {
    name: 'candidate',
    electionDeadlineMs: core.electionDeadline(),
    ballot,
  }
  core.become(role, { epoch, votedKey: core.localKey })
  if (ballot.isWon) becomeLeader(core, ballot.grantedIds)
}

/** Unattached: look for a leader; a voter that finds none in time tries to become one. */
export function pollUnattached(core: Core): void {
  if (core.role.name !== 'unattached') return
  if (core.isVoter) {
    if (core.isOnlyVoter || core.nowMs >= core.role.electionDeadlineMs) {
      becomeProspective(core)
      return
    }
    core.wake(core.role.electionDeadlineMs)
  }
  pollAnyVoter(core)
}

/** Prospective: collect pre-votes until won, lost or out of time. */
export function pollProspective(core: Core): void {
  const { role } = core
  if (role.name !== 'prospective') return
  if (!core.isVoter || core.nowMs >= role.electionDeadlineMs) {
    loseElection(core, role)
    return
  }
  core.wake(role.electionDeadlineMs)
  askForVotes(core, role.ballot, true)
}

/** Candidate: collect votes; when the time is up, see whether another election is worth it. */
export function pollCandidate(core: Core): void {
  const { role } = core
  if (role.name !== 'candidate') return
  if (!core.isVoter) {
    core.becomeUnattached(core.epoch)
    return
  }
  if (core.nowMs >= role.electionDeadlineMs) {
    becomeProspective(core)
    return
  }
  core.wake(role.electionDeadlineMs)
  if (!role.ballot.isLost) askForVotes(core, role.ballot, false)
}

function askForVotes(core: Core, ballot: Ballot, preVote: boolean): void {
  for (const voter of ballot.unrecorded()) {
    const to = core.destinationOf(voter.id)
    if (to !== undefined) core.trySend(to, 'Vote', () => voteRequest(core, voter, preVote))
  }
}
