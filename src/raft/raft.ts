// KRaft: Raft by pulling, over Kafka's own messages. One machine per node, for `__cluster_metadata`.
//
//   boot, requests, answers, completions, timer ──► Raft.step(input, nowMs, out) ──► effects
//
// The types of inputs and effects, and the host's promises about them, are in contract.ts; the roles
// and how one becomes another are drawn in core.ts; each role has its file: election.ts (unattached,
// prospective, candidate), leader.ts, follower.ts, announce.ts (resigned); snapshots.ts and
// describe.ts hold the remaining conversations.
//
// Invariants: the first input is `boot`; time does not go back; after every step `wakeAtMs` says when
// the next `timer` is due at the latest. Same seed and same inputs give the same effects.
// Kafka: KafkaRaftClient; KIP-595, KIP-630, KIP-853, KIP-996, KIP-1166.

import { assert } from '../lib/assert.ts'
import type { Random } from '../lib/random.ts'
import {
  becomeResigned,
  handleBegin,
  handleEnd,
  handleEpochResponse,
  pollResigned,
} from './announce.ts'
import type {
  BootInput,
  RaftConfig,
  RaftEffect,
  RaftInput,
  RequestInput,
  ResponseInput,
} from './contract.ts'
import { Core } from './core.ts'
import { handleDescribe } from './describe.ts'
import {
  becomeProspective,
  handleVote,
  handleVoteResponse,
  pollCandidate,
  pollProspective,
  pollUnattached,
  resumeCandidate,
  skipPreVote,
} from './election.ts'
import { LogView } from './epochs.ts'
import { handleFetchResponse, pollFollower } from './follower.ts'
import { failFetches, handleFetch, onLeaderFlushed, pollLeader, propose } from './leader.ts'
import { INITIAL_ELECTION_STATE } from './quorum_state.ts'
import {
  handleAddVoter,
  handleApiVersionsResponse,
  handleRemoveVoter,
  handleUpdateVoter,
  handleUpdateVoterResponse,
} from './reconfigure.ts'
import { handleFetchSnapshot, handleFetchSnapshotResponse, handleInstalled } from './snapshots.ts'
import { VoterHistory, VoterSet } from './voters.ts'

export * from './contract.ts'

/** More role changes than this in one step mean that two roles hand the node to each other. */
const ROLE_CHANGES_MAX = 10

/** The machine. */
export class Raft {
  private readonly config: RaftConfig
  private readonly random: Random
  private booted: Core | null = null

  constructor(config: RaftConfig, random: Random) {
    this.config = config
    this.random = random
  }

  /** When a `timer` input must come at the latest; Infinity when none is needed. */
  get wakeAtMs(): number {
    return this.booted?.wakeAtMs ?? Infinity
  }

  get epoch(): number {
    return this.core.epoch
  }

  get leaderId(): number | null {
    return this.core.leaderId
  }

  get role(): Core['role']['name'] {
    return this.core.role.name
  }

  get highWatermark(): number {
    return this.core.highWatermark
  }

  get logEndOffset(): number {
    return this.core.log.logEndOffset
  }

  /** The voters in force, for metrics and for DescribeQuorum's sake. */
  get voters(): VoterSet {
    return this.core.voters.voters
  }

  /** What a snapshot that ends at `endOffset` must say about the quorum. */
  quorumBefore(endOffset: number): { kraftVersion: number; voters: VoterSet } {
    const { voters } = this.core
    return {
      kraftVersion: voters.kraftVersionBefore(endOffset),
      voters: voters.votersBefore(endOffset),
    }
  }

  /** The one door: an input in, effects out, in the order in which they must be carried out. */
  step(input: RaftInput, nowMs: number, out: RaftEffect[]): void {
    if (input.kind === 'boot') this.boot(input, nowMs, out)
    const { core } = this
    core.nowMs = Math.max(nowMs, core.nowMs)
    core.out = out
    const before = core.role
    if (input.kind !== 'boot') this.handle(core, input)
    if (before.name === 'leader' && core.role !== before) failFetches(core, before)
    this.poll(core)
  }

  private get core(): Core {
    assert(this.booted !== null, 'raft: not booted')
    return this.booted
  }

  private boot(input: BootInput, nowMs: number, out: RaftEffect[]): void {
    assert(this.booted === null, 'raft: booted twice')
    const voters = new VoterHistory(new VoterSet(this.config.staticVoters))
    for (const { offset, record } of input.quorumRecords) voters.replay(offset, record)
    const log = new LogView(input)
    const state = input.quorumState ?? INITIAL_ELECTION_STATE
    const core = new Core(this.config, this.random, { log, voters, state })
    this.booted = core
    core.nowMs = nowMs
    core.out = out
    const { leaderId, votedKey, epoch } = state
    const { nodeId, directoryId } = this.config
    const votedForUs =
      votedKey?.id === nodeId &&
      (votedKey.directoryId === null || votedKey.directoryId === directoryId)
    if (log.lastEpoch > epoch) {
      core.becomeUnattached(log.lastEpoch)
    } else if (leaderId === nodeId) {
      // It led this epoch and may have lost what it had not flushed: it must not lead it again.
      core.become({
        name: 'resigned',
        electionDeadlineMs: core.electionDeadline(),
        unacknowledged: new Set(voters.voters.ids().filter((id) => id !== nodeId)),
        successors: [],
      })
    } else if (leaderId !== null) {
      core.becomeFollower(epoch, leaderId, [])
    } else if (votedForUs && core.isVoter) {
      resumeCandidate(core)
    } else {
      core.becomeUnattached(epoch)
    }
    // A quorum of one has nobody to wait for.
    if (core.isOnlyVoter && core.role.name !== 'leader') becomeProspective(core)
  }

  private handle(core: Core, input: Exclude<RaftInput, BootInput>): void {
    switch (input.kind) {
      case 'timer':
        return
      case 'request':
        handleRequest(core, input)
        return
      case 'response':
        handleResponse(core, input)
        return
      case 'sendFailed': {
        const sent = core.peers.onAnswered(input.requestId)
        if (sent === undefined) return
        if (input.unsupported === true && skipPreVote(core)) return
        core.peers.backOff(sent.id, core.nowMs)
        return
      }
      case 'flushed':
        core.log.flushedOffset = Math.min(
          Math.max(core.log.flushedOffset, input.logEndOffset),
          core.log.logEndOffset,
        )
        if (core.role.name === 'leader') onLeaderFlushed(core, core.role)
        return
      case 'propose': {
        const baseOffset = propose(core, input.epoch, input.count, input.payload)
        if (baseOffset === null) {
          core.out.push({ kind: 'notLeader', ticket: input.ticket, epoch: core.epoch })
        } else {
          core.out.push({ kind: 'proposed', ticket: input.ticket, baseOffset })
        }
        return
      }
      case 'resign':
        if (input.epoch === core.epoch) becomeResigned(core)
        return
      case 'snapshotCreated':
        assert(input.snapshot.offset <= core.highWatermark, 'raft: a snapshot of the uncommitted')
        core.log.addSnapshot(input.snapshot)
        return
      case 'logTrimmed':
        core.log.trim(input.logStartOffset, input.snapshots)
        return
      case 'snapshotInstalled':
        handleInstalled(core, input.snapshot, input.quorumRecords)
        return
    }
  }

  private poll(core: Core): void {
    core.wakeAtMs = Infinity
    if (core.installing !== null) return
    for (let changes = 0; ; changes++) {
      assert(changes < ROLE_CHANGES_MAX, 'raft: roles hand the node to each other')
      const { role } = core
      pollUnattached(core)
      pollProspective(core)
      pollCandidate(core)
      pollFollower(core)
      pollLeader(core, () => becomeResigned(core))
      pollResigned(core)
      if (core.role === role) return
    }
  }
}

function handleRequest(core: Core, input: RequestInput): void {
  const { ticket } = input
  switch (input.api) {
    case 'Vote':
      handleVote(core, ticket, input, input.request)
      return
    case 'BeginQuorumEpoch':
      handleBegin(core, ticket, input, input.request)
      return
    case 'EndQuorumEpoch':
      handleEnd(core, ticket, input, input.request)
      return
    case 'Fetch':
      handleFetch(core, ticket, input, input.request)
      return
    case 'FetchSnapshot':
      handleFetchSnapshot(core, ticket, input, input.request)
      return
    case 'DescribeQuorum':
      handleDescribe(core, ticket, input, input.request)
      return
    case 'AddRaftVoter':
      handleAddVoter(core, ticket, input.request)
      return
    case 'RemoveRaftVoter':
      handleRemoveVoter(core, ticket, input.request)
      return
    case 'UpdateRaftVoter':
      handleUpdateVoter(core, ticket, input, input.request)
      return
  }
}

function handleResponse(core: Core, input: ResponseInput): void {
  const sent = core.peers.onAnswered(input.requestId)
  // Too late: the epoch has moved on, or the request was given up.
  if (sent === undefined) return
  if (!readResponse(core, sent, input)) core.peers.backOff(sent.id, core.nowMs)
}

function readResponse(
  core: Core,
  sent: { id: number; context: string },
  input: ResponseInput,
): boolean {
  switch (input.api) {
    case 'Vote':
      return handleVoteResponse(core, sent.id, input.response)
    case 'BeginQuorumEpoch':
    case 'EndQuorumEpoch':
      return handleEpochResponse(core, sent.id, input.response)
    case 'Fetch':
      return handleFetchResponse(core, input.response, sent.context)
    case 'FetchSnapshot':
      return handleFetchSnapshotResponse(core, input.response)
    case 'UpdateRaftVoter':
      return handleUpdateVoterResponse(core, input.response)
    case 'ApiVersions':
      return handleApiVersionsResponse(core, sent.id, input.response)
  }
}
