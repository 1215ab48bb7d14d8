// What a leader knows of every replica, and how that becomes a high watermark.
//
// Invariants: the high watermark is the largest offset that more than half of the voters have, it
// never falls, and it does not exist before a record of the leader's own epoch is that far; the
// leader's own vote counts up to what it has flushed.
// Kafka: LeaderState, LeaderState.ReplicaState.

import type { RaftRequest } from './contract.ts'
import type { Asked } from './messages.ts'
import { type Endpoint, keyText, type ReplicaKey, type VoterSet } from './voters.ts'

/** One replica as its leader sees it. */
export interface Replica {
  key: ReplicaKey
  /** What it has on disk: its last fetch offset, or what the leader has flushed. */
  endOffset: number | null
  lastFetchMs: number
  lastFetchLeaderEndOffset: number
  lastCaughtUpMs: number
  hasAcknowledged: boolean
}

/** A fetch that waits for something to fetch. */
export interface DeferredFetch {
  readonly ticket: number
  readonly asked: Asked
  readonly request: RaftRequest<'Fetch'>
  readonly deadlineMs: number
}

/** A change of the voter set that somebody waits for. */
export interface VoterChange {
  readonly ticket: number
  readonly api: 'AddRaftVoter' | 'RemoveRaftVoter'
  readonly deadlineMs: number
  /** A replica that is to join and must first say what it can run. */
  readonly joining: (ReplicaKey & { readonly endpoints: readonly Endpoint[] }) | null
  readonly ackWhenCommitted: boolean
  /** Where the new set stands in the log, once it does. */
  offset: number | null
}

/** The role of a leader. */
export interface Leader {
  readonly name: 'leader'
  readonly epochStartOffset: number
  readonly replicas: Replicas
  highWatermark: number
  /** The controller has been told. */
  isActive: boolean
  checkQuorumDeadlineMs: number
  beginQuorumDeadlineMs: number
  /** Voters that fetched since the deadline was last moved. */
  readonly fetchedVoters: Set<number>
  deferred: DeferredFetch[]
  change: VoterChange | null
  /** A committed voter set is without this node: it resigns at the next opportunity. */
  isRemoved: boolean
}

const OBSERVERS_MAX = 10_000
/** An observer that has not fetched for so long is forgotten, as in Kafka. */
const OBSERVER_SESSION_MS = 300_000

const fresh = (key: ReplicaKey): Replica => ({
  key,
  endOffset: null,
  lastFetchMs: -1,
  lastFetchLeaderEndOffset: -1,
  lastCaughtUpMs: -1,
  hasAcknowledged: false,
})

/** All replicas: voters by id, observers by key. */
export class Replicas {
  private voters = new Map<number, Replica>()
  private readonly observers = new Map<string, Replica>()
  private readonly localKey: ReplicaKey

  constructor(localKey: ReplicaKey, voters: VoterSet) {
    this.localKey = localKey
    this.updateVoters(voters)
  }

  /** Takes over a voter set: replicas keep what is known of them, voters that left observe. */
  updateVoters(set: VoterSet): void {
    const old = this.voters
    this.voters = new Map()
    for (const voter of set.voters()) {
      const key = { id: voter.id, directoryId: voter.directoryId }
      const before = old.get(voter.id)
      const known = before !== undefined && set.isVoter(before.key) ? before : undefined
      const replica = known ?? this.observers.get(keyText(key)) ?? fresh(key)
      replica.key = key
      old.delete(voter.id)
      this.observers.delete(keyText(key))
      this.voters.set(voter.id, replica)
    }
    for (const replica of old.values()) this.observers.set(keyText(replica.key), replica)
  }

  /** The voter with exactly this key; a voter without a directory matches by id. */
  voter(key: ReplicaKey): Replica | undefined {
    const replica = this.voters.get(key.id)
    if (replica === undefined) return undefined
    const { directoryId } = replica.key
    return directoryId === null || directoryId === key.directoryId ? replica : undefined
  }

  voterById(id: number): Replica | undefined {
    return this.voters.get(id)
  }

  voterList(): Replica[] {
    return [...this.voters.values()]
  }

  /** Observers that fetched lately; the others are forgotten. */
  observerList(nowMs: number): Replica[] {
    for (const [text, replica] of this.observers) {
      const isGone = nowMs - replica.lastFetchMs >= OBSERVER_SESSION_MS
      if (isGone && replica.key.id !== this.localKey.id) this.observers.delete(text)
    }
    return [...this.observers.values()]
  }

  /** Notes a fetch: its offset is what the replica has. */
  onFetch(key: ReplicaKey, fetchOffset: number, leaderEndOffset: number, nowMs: number): void {
    const replica = this.voter(key) ?? this.observer(key, nowMs)
    if (replica === undefined) return
    if (fetchOffset >= leaderEndOffset) {
      replica.lastCaughtUpMs = Math.max(nowMs, replica.lastCaughtUpMs)
    } else if (
      replica.lastFetchLeaderEndOffset > 0 &&
      fetchOffset >= replica.lastFetchLeaderEndOffset
    ) {
      replica.lastCaughtUpMs = Math.max(replica.lastFetchMs, replica.lastCaughtUpMs)
    }
    replica.lastFetchLeaderEndOffset = leaderEndOffset
    replica.lastFetchMs = Math.max(nowMs, replica.lastFetchMs)
    replica.endOffset = fetchOffset
  }

  /** Notes what the leader itself has on disk. */
  onLocalFlush(flushedOffset: number): void {
    const replica = this.voter(this.localKey) ?? this.observer(this.localKey, 0)
    if (replica !== undefined) replica.endOffset = flushedOffset
  }

  /** The largest offset that more than half of the voters have; null when there is none. */
  majorityOffset(): number | null {
    const offsets = this.voterList().map((replica) => replica.endOffset ?? -1)
    offsets.sort((x, y) => y - x)
    const offset = offsets[Math.floor(offsets.length / 2)] ?? -1
    return offset < 0 ? null : offset
  }

  /** Whether a replica has been as far as the leader, not too long ago. */
  isCaughtUp(key: ReplicaKey, nowMs: number, withinMs: number): boolean {
    const replica = this.voter(key) ?? this.observers.get(keyText(key))
    if (replica === undefined) return false
    return replica.lastCaughtUpMs > 0 && replica.lastFetchMs > nowMs - withinMs
  }

  /** The other voters, the one with the longest log first. */
  successors(): ReplicaKey[] {
    const others = this.voterList().filter((replica) => replica.key.id !== this.localKey.id)
    others.sort((x, y) => (y.endOffset ?? -1) - (x.endOffset ?? -1) || x.key.id - y.key.id)
    return others.map((replica) => replica.key)
  }

  private observer(key: ReplicaKey, nowMs: number): Replica | undefined {
    const text = keyText(key)
    let replica = this.observers.get(text)
    if (replica !== undefined) return replica
    if (this.observers.size >= OBSERVERS_MAX) this.observerList(nowMs)
    if (this.observers.size >= OBSERVERS_MAX) return undefined
    replica = fresh(key)
    this.observers.set(text, replica)
    return replica
  }
}
