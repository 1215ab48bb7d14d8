// What all roles share: epoch, vote, role, log view, voters, and the only way to change role.
//
//                 fetch timeout            won the pre-vote          won the vote
//   follower ────────────────► prospective ───────────────► candidate ───────────► leader
//      ▲  ▲                     │   ▲                          │                     │ resigns, or no
//      │  └─────────────────────┘   │ election timeout         │ election timeout    │ majority fetches
//      │    lost, leader known      │                          ▼                     ▼
//      │                        unattached ◄───────────── (prospective)           resigned
//      └── a leader is heard of ────┘  ◄── a higher epoch, from any role ──────────┘
//
// Invariants: the epoch only grows; a vote is given once per epoch; whatever another node could learn
// from (a message, an append) comes after the quorum-state that it rests on.
// Kafka: QuorumState, EpochState; KIP-595, KIP-996 for the pre-vote.

import { assert } from '../lib/assert.ts'
import type { Random } from '../lib/random.ts'
import type {
  Destination,
  RaftApi,
  RaftConfig,
  RaftEffect,
  RaftQuestion,
  RaftReply,
  RespondEffect,
  SendEffect,
  SentApi,
} from './contract.ts'
import type { LogView, OffsetAndEpoch } from './epochs.ts'
import type { Leader } from './leader_state.ts'
import { Peers } from './peers.ts'
import type { ElectionState } from './quorum_state.ts'
import {
  type Endpoint,
  keyText,
  type ReplicaKey,
  type VoterHistory,
  type VoterSet,
} from './voters.ts'

/** The votes of one election or pre-vote. */
export class Ballot {
  private readonly granted = new Set<number>()
  private readonly rejected = new Set<number>()
  private readonly voters: VoterSet

  constructor(voters: VoterSet) {
    this.voters = voters
  }

  record(id: number, granted: boolean): void {
    if (this.voters.get(id) === undefined) return
    const [into, outOf] = granted ? [this.granted, this.rejected] : [this.rejected, this.granted]
    into.add(id)
    outOf.delete(id)
  }

  get isWon(): boolean {
    return this.granted.size >= this.voters.majority
  }

  get isLost(): boolean {
    return this.voters.size - this.rejected.size < this.voters.majority
  }

  get grantedIds(): number[] {
    return [...this.granted]
  }

  unrecorded(): ReplicaKey[] {
    const heard = (id: number) => this.granted.has(id) || this.rejected.has(id)
    return this.voters.voters().filter((voter) => !heard(voter.id))
  }
}

export interface Unattached {
  readonly name: 'unattached'
  /** Known by number only: its addresses are not. */
  readonly leaderId: number | null
  electionDeadlineMs: number
}

export interface Prospective {
  readonly name: 'prospective'
  readonly leaderId: number | null
  readonly leaderEndpoints: readonly Endpoint[]
  electionDeadlineMs: number
  readonly ballot: Ballot
}

export interface Candidate {
  readonly name: 'candidate'
  electionDeadlineMs: number
  readonly ballot: Ballot
}

export interface Follower {
  readonly name: 'follower'
  readonly leaderId: number
  readonly leaderEndpoints: readonly Endpoint[]
  fetchDeadlineMs: number
  /** A follower that the leader has served refuses pre-votes: the leader lives. */
  hasFetched: boolean
  /** When to see whether the leader knows our addresses. */
  updateVoterAtMs: number
  /** The snapshot being fetched, and how much of it is here. */
  snapshot: { readonly id: OffsetAndEpoch; position: number } | null
}

export interface Resigned {
  readonly name: 'resigned'
  electionDeadlineMs: number
  readonly unacknowledged: Set<number>
  readonly successors: readonly ReplicaKey[]
}

export type Role = Unattached | Prospective | Candidate | Follower | Leader | Resigned

/** The state of the machine, and the verbs that all roles use. */
export class Core {
  readonly config: RaftConfig
  readonly random: Random
  readonly localKey: ReplicaKey
  readonly peers: Peers
  readonly log: LogView
  readonly voters: VoterHistory
  nowMs = 0
  out: RaftEffect[] = []
  wakeAtMs = Infinity
  epoch: number
  votedKey: ReplicaKey | null
  role: Role
  /** What this node knows to be committed, whatever its role; -1 when nothing is known. */
  highWatermark = -1
  /** A fetched snapshot is being put in place of the log: nothing else may happen to it. */
  installing: OffsetAndEpoch | null = null
  private persisted = ''
  private announced = ''

  constructor(
    config: RaftConfig,
    random: Random,
    disk: { log: LogView; voters: VoterHistory; state: ElectionState },
  ) {
    this.config = config
    this.random = random
    this.localKey = { id: config.nodeId, directoryId: config.directoryId }
    this.peers = new Peers(config.requestTimeoutMs, config.retryBackoffMs)
    this.log = disk.log
    this.voters = disk.voters
    this.epoch = disk.state.epoch
    this.votedKey = disk.state.votedKey
    this.role = { name: 'unattached', leaderId: null, electionDeadlineMs: 0 }
    this.persisted = JSON.stringify(disk.state)
  }

  get isVoter(): boolean {
    return this.config.canVote && this.voters.voters.isVoter(this.localKey)
  }

  get isOnlyVoter(): boolean {
    return this.config.canVote && this.voters.voters.isOnlyVoter(this.localKey)
  }

  /** The leader of this epoch, as far as known. A resigned leader still is its epoch's leader. */
  get leaderId(): number | null {
    switch (this.role.name) {
      case 'leader':
      case 'resigned':
        return this.config.nodeId
      case 'candidate':
        return null
      default:
        return this.role.leaderId
    }
  }

  get leaderEndpoints(): readonly Endpoint[] {
    switch (this.role.name) {
      case 'leader':
      case 'resigned':
        return this.config.listeners
      case 'follower':
      case 'prospective':
        return this.role.leaderEndpoints
      default:
        return []
    }
  }

  /** Where the log ends, as text: an answer to a fetch from elsewhere is not for this log. */
  get position(): string {
    return `${this.log.logEndOffset}/${this.log.lastEpoch}`
  }

  /** A timeout between one and two election timeouts, so that voters do not start together. */
  electionDeadline(): number {
    const { electionTimeoutMs } = this.config
    return this.nowMs + electionTimeoutMs + this.random.nextInt(electionTimeoutMs)
  }

  /** Asks for a timer input at a moment, or earlier. */
  wake(atMs: number): void {
    this.wakeAtMs = Math.min(this.wakeAtMs, atMs)
  }

  note(text: string): void {
    this.out.push({ kind: 'note', text })
  }

  /** The only way to a new role. A new epoch takes the vote of the old one away. */
  become(role: Role, at: { epoch?: number; votedKey?: ReplicaKey } = {}): void {
    const epoch = at.epoch ?? this.epoch
    assert(epoch >= this.epoch, `raft: epoch ${epoch} after ${this.epoch}`)
    const old = this.role
    const oldEpoch = this.epoch
    if (epoch > this.epoch) this.votedKey = null
    if (at.votedKey !== undefined) this.votedKey = at.votedKey
    this.epoch = epoch
    this.role = role
    this.peers.reset()
    if (old.name === 'follower' && old.snapshot !== null && this.installing === null) {
      this.out.push({ kind: 'snapshotAbort', id: old.snapshot.id })
    }
    this.persist()
    if (old.name === 'leader') this.out.push({ kind: 'resigned', epoch: oldEpoch })
    this.announce()
  }

  becomeUnattached(epoch: number, leaderId: number | null = null): void {
    const electionDeadlineMs = this.electionDeadline()
    this.become({ name: 'unattached', leaderId, electionDeadlineMs }, { epoch })
  }

  /** Follows a leader; without an address for it the node stays unattached and asks around. */
  becomeFollower(epoch: number, leaderId: number, endpoints: readonly Endpoint[]): void {
    const known = endpoints.length > 0 ? endpoints : this.voters.voters.endpointsOf(leaderId)
    if (known.length === 0) {
      this.becomeUnattached(epoch, leaderId)
      return
    }
    const role: Follower = {
      name: 'follower',
      leaderId,
      leaderEndpoints: known,
      fetchDeadlineMs: this.nowMs + this.config.fetchTimeoutMs,
      hasFetched: false,
      updateVoterAtMs: this.nowMs + 3 * this.config.fetchTimeoutMs,
      snapshot: null,
    }
    this.become(role, { epoch })
  }

  /** Gives a vote that was asked for, durably, before anybody hears of it. */
  vote(key: ReplicaKey): void {
    assert(this.votedKey === null || keyText(this.votedKey) === keyText(key), 'raft: second vote')
    this.votedKey = key
    this.persist()
  }

  /** Sends a request if the destination may be asked now; else asks to be woken when it may. */
  trySend<A extends SentApi>(to: Destination, api: A, build: () => RaftQuestion<A>): boolean {
    const readyAtMs = this.peers.readyAtMs(to.id)
    if (readyAtMs > this.nowMs) {
      this.wake(readyAtMs)
      return false
    }
    const requestId = this.peers.onSent(to.id, this.nowMs, this.position)
    const request = build()
    this.out.push({
      kind: 'send',
      requestId,
      to,
      api,
      request,
      after: 'quorum-state',
    } as SendEffect)
    this.wake(this.nowMs + this.config.requestTimeoutMs)
    return true
  }

  respond<A extends RaftApi>(ticket: number, api: A, response: RaftReply<A>): void {
    const after = 'quorum-state'
    this.out.push({ kind: 'respond', ticket, api, response, after } as RespondEffect)
  }

  /** Where to reach a voter from here, or undefined when its address is not known. */
  destinationOf(id: number): Destination | undefined {
    const endpoints = this.voters.voters.endpointsOf(id)
    return this.reach(id, endpoints)
  }

  /** Picks the endpoint of the controllers' listener. */
  reach(id: number, endpoints: readonly Endpoint[]): Destination | undefined {
    const { listenerName } = this.config
    const found = endpoints.find((endpoint) => endpoint.name === listenerName) ?? endpoints[0]
    return found === undefined ? undefined : { id, host: found.host, port: found.port }
  }

  /** Moves what is known to be committed; it never falls. */
  advanceHighWatermark(offset: number): void {
    if (offset <= this.highWatermark) return
    this.highWatermark = offset
    this.out.push({ kind: 'highWatermark', offset, epoch: this.epoch })
  }

  private persist(): void {
    const { epoch, leaderId } = this
    // A leader's vote for itself is not written, as in Kafka: leading says it already.
    const votedKey = leaderId === this.config.nodeId ? null : this.votedKey
    const state: ElectionState = { epoch, leaderId, votedKey }
    const text = JSON.stringify(state)
    if (text === this.persisted) return
    this.persisted = text
    const version = this.voters.kraftVersion > 0 ? 1 : 0
    const voterIds = this.voters.voters.ids()
    this.out.push({ kind: 'persistQuorumState', state, version, voterIds })
  }

  private announce(): void {
    const { leaderId, epoch, leaderEndpoints: endpoints } = this
    const text = JSON.stringify([leaderId, epoch, endpoints])
    if (text === this.announced) return
    this.announced = text
    this.out.push({ kind: 'leaderChanged', leaderId, epoch, endpoints })
  }
}
