// Who votes: voter sets, and their history along the log.
//
// Invariants: a voter set is immutable; a change makes a new one. The set in force is the newest one
// in the log, committed or not, as Raft's single-server changes require; truncating the log takes its
// sets away again. A voter without a directory id (kraft.version 0) is matched by its number alone.
// Kafka: VoterSet, ReplicaKey, Endpoints, VoterSetHistory, TreeMapLogHistory; KIP-853.

import { assert } from '../lib/assert.ts'
import { type Uuid, ZERO_UUID } from '../lib/uuid.ts'
import type { ControlRecord } from '../protocol/control_records.ts'
import type { DecodedOf } from '../protocol/dsl.ts'
import type { VotersRecord } from '../protocol/records/control.ts'

/** The directory id that stands for "none" on the wire and in files. */
export const NO_DIRECTORY: Uuid = ZERO_UUID

/** One replica: a node and the directory that holds its copy of the log. */
export interface ReplicaKey {
  readonly id: number
  readonly directoryId: Uuid | null
}

/** Where a listener is reached. */
export interface Endpoint {
  readonly name: string
  readonly host: string
  readonly port: number
}

/** A voter with its addresses and the kraft.version levels it can run. */
export interface Voter extends ReplicaKey {
  readonly endpoints: readonly Endpoint[]
  readonly kraftVersions: { readonly min: number; readonly max: number }
}

/** A voter set as its control record holds it. */
export type VotersValue = DecodedOf<typeof VotersRecord>

/** Makes a key from wire fields, where all zeroes mean that the directory is not known. */
export function replicaKey(id: number, directoryId: Uuid = NO_DIRECTORY): ReplicaKey {
  return { id, directoryId: directoryId === NO_DIRECTORY ? null : directoryId }
}

/** A key as text, for maps and for people: `3` or `3@directory`. */
export function keyText(key: ReplicaKey): string {
  return key.directoryId === null ? `${key.id}` : `${key.id}@${key.directoryId}`
}

/** An immutable set of voters. */
export class VoterSet {
  static readonly EMPTY = new VoterSet([])
  private readonly byId: ReadonlyMap<number, Voter>

  constructor(voters: readonly Voter[]) {
    this.byId = new Map(voters.map((voter) => [voter.id, withoutZeroes(voter)]))
    assert(this.byId.size === voters.length, 'voters: an id appears twice')
  }

  get size(): number {
    return this.byId.size
  }

  ids(): number[] {
    return [...this.byId.keys()]
  }

  voters(): Voter[] {
    return [...this.byId.values()]
  }

  get(id: number): Voter | undefined {
    return this.byId.get(id)
  }

  /** Whether this very replica votes, not just one with the same number. */
  isVoter(key: ReplicaKey): boolean {
    const voter = this.byId.get(key.id)
    if (voter === undefined) return false
    return voter.directoryId === null || voter.directoryId === key.directoryId
  }

  isOnlyVoter(key: ReplicaKey): boolean {
    return this.byId.size === 1 && this.isVoter(key)
  }

  /** How many voters are more than half. */
  get majority(): number {
    return Math.floor(this.byId.size / 2) + 1
  }

  endpointsOf(id: number): readonly Endpoint[] {
    return this.byId.get(id)?.endpoints ?? []
  }

  /** The same set with one member's addresses and levels replaced. */
  withUpdated(voter: Voter): VoterSet {
    assert(this.isVoter(voter), 'voters: only a member can be updated')
    return new VoterSet(this.voters().map((member) => (member.id === voter.id ? voter : member)))
  }

  /** The same set with one more member. */
  withAdded(voter: Voter): VoterSet {
    return new VoterSet([...this.voters(), voter])
  }

  /** The set without a member; undefined when it is not one, or the only one. */
  without(key: ReplicaKey): VoterSet | undefined {
    const member = this.byId.get(key.id)
    if (member === undefined || member.directoryId !== key.directoryId) return undefined
    if (this.byId.size === 1) return undefined
    return new VoterSet(this.voters().filter((voter) => voter.id !== key.id))
  }

  /** Whether the set tells other addresses or levels for a member than it tells of itself. */
  isStaleFor(voter: Voter): boolean {
    const member = this.byId.get(voter.id)
    if (member === undefined || !this.isVoter(voter)) return false
    return JSON.stringify(comparable(member)) !== JSON.stringify(comparable(voter))
  }

  toRecord(): VotersValue {
    return {
      version: 0,
      voters: this.voters().map((voter) => ({
        voterId: voter.id,
        voterDirectoryId: voter.directoryId ?? NO_DIRECTORY,
        endpoints: voter.endpoints.map((endpoint) => ({ ...endpoint })),
        kRaftVersionFeature: {
          minSupportedVersion: voter.kraftVersions.min,
          maxSupportedVersion: voter.kraftVersions.max,
        },
      })),
    }
  }

  static fromRecord(record: VotersValue): VoterSet {
    return new VoterSet(
      record.voters.map((voter) => ({
        ...replicaKey(voter.voterId, voter.voterDirectoryId),
        endpoints: voter.endpoints.map(({ name, host, port }) => ({ name, host, port })),
        kraftVersions: {
          min: voter.kRaftVersionFeature.minSupportedVersion,
          max: voter.kRaftVersionFeature.maxSupportedVersion,
        },
      })),
    )
  }
}

/** A directory id of all zeroes, as records and configs may say it, is none. */
function withoutZeroes(voter: Voter): Voter {
  return voter.directoryId === NO_DIRECTORY ? { ...voter, directoryId: null } : voter
}

function comparable({ endpoints, kraftVersions }: Voter): unknown {
  return [
    endpoints.map((endpoint) => [endpoint.name, endpoint.host, endpoint.port]).sort(),
    [kraftVersions.min, kraftVersions.max],
  ]
}

/** A control record of the metadata log that says something about the quorum. */
export type QuorumRecord = Extract<ControlRecord, { type: 'kraftVersion' | 'voters' }>

interface At<Value> {
  offset: number
  value: Value
}

/** Voter sets and kraft.version by offset. Records of a snapshot stand at its end offset minus one. */
export class VoterHistory {
  private readonly fallback: VoterSet
  private sets: At<VoterSet>[] = []
  private versions: At<number>[] = []

  /** `staticVoters` is controller.quorum.voters: in force until the log says otherwise. */
  constructor(staticVoters: VoterSet) {
    this.fallback = staticVoters
  }

  replay(offset: number, record: QuorumRecord): void {
    if (record.type === 'kraftVersion') {
      this.versions.push({ offset, value: record.value.kRaftVersion })
    } else {
      this.sets.push({ offset, value: VoterSet.fromRecord(record.value) })
    }
  }

  /** The set in force. */
  get voters(): VoterSet {
    return this.sets.at(-1)?.value ?? this.fallback
  }

  /** The kraft.version in force. */
  get kraftVersion(): number {
    return this.versions.at(-1)?.value ?? 0
  }

  /** Where the set in force stands: -1 in the first checkpoint, null for static voters. */
  get votersOffset(): number | null {
    return this.sets.at(-1)?.offset ?? null
  }

  /** The set as of an offset, for a snapshot that ends there (exclusive). */
  votersBefore(endOffset: number): VoterSet {
    return this.sets.findLast((entry) => entry.offset < endOffset)?.value ?? this.fallback
  }

  kraftVersionBefore(endOffset: number): number {
    return this.versions.findLast((entry) => entry.offset < endOffset)?.value ?? 0
  }

  /** Forgets what stood at or above an offset that the log was truncated to. */
  truncateTo(endOffset: number): void {
    this.sets = this.sets.filter((entry) => entry.offset < endOffset)
    this.versions = this.versions.filter((entry) => entry.offset < endOffset)
  }

  /** Forgets everything: a snapshot replaces the log. */
  clear(): void {
    this.sets = []
    this.versions = []
  }
}
