// What goes into the raft machine and what comes out: configuration, inputs, effects. Everything the
// host (host/raft_host.ts) needs to know; how the machine decides is in the files beside this one.
//
// The host's promises:
// 1. Effects are carried out in the order in which they were emitted. An `append` is visible to a
//    `respondFetch` after it; a `truncate` precedes an `append` after it.
// 2. An effect with `after: 'quorum-state'` does not leave the process (nor touch the log) before
//    every `persistQuorumState` emitted earlier is durable: file written, fsynced, renamed, directory
//    fsynced. If persisting fails the process stops: a forgotten vote elects two leaders.
// 3. `flush` is answered by `flushed` once everything appended before it is durable. A flush may be
//    merged with a later one. A failed append or flush stops the process, as in Kafka.
// 4. Each `send` is answered at most once, by `response` or `sendFailed`; silence is a timeout and is
//    the machine's business. Each request is answered by exactly one respond* effect with its ticket,
//    unless the connection died, which the host may ignore.
// 5. Before the next input the host looks at `wakeAtMs` and sees to it that a `timer` input arrives
//    then; an early or a superfluous one is harmless.
// 6. The time it passes never goes back: wall time at the start plus what a monotonic clock has
//    counted since. A wall clock that is set back by an hour must not stop elections for an hour.

import type { Uuid } from '../lib/uuid.ts'
import type { ControlRecord } from '../protocol/control_records.ts'
import type { EncodableOf, RequestOf, ResponseOf } from '../protocol/dsl.ts'
import type { ApiVersions } from '../protocol/messages/metadata.ts'
import type { Fetch } from '../protocol/messages/produce_fetch.ts'
import type {
  AddRaftVoter,
  BeginQuorumEpoch,
  DescribeQuorum,
  EndQuorumEpoch,
  FetchSnapshot,
  RemoveRaftVoter,
  UpdateRaftVoter,
  Vote,
} from '../protocol/messages/quorum.ts'
import type { EpochStart, OffsetAndEpoch, SnapshotInfo } from './epochs.ts'
import type { ElectionState } from './quorum_state.ts'
import type { Endpoint, QuorumRecord, Voter } from './voters.ts'

export const METADATA_TOPIC = '__cluster_metadata'

/** What the machine is told once; times in milliseconds, names as Kafka's configs. */
export interface RaftConfig {
  readonly clusterId: string
  readonly nodeId: number
  /** The id of the directory that holds the metadata log, from its meta.properties. */
  readonly directoryId: Uuid
  /** False on a node that is only a broker: it observes, whatever the voter set says. */
  readonly canVote: boolean
  /** This node's own controller listeners, as other voters reach them. */
  readonly listeners: readonly Endpoint[]
  /** The listener that controllers use between themselves: the first of controller.listener.names. */
  readonly listenerName: string
  /** controller.quorum.voters, empty for a dynamic quorum. */
  readonly staticVoters: readonly Voter[]
  /** controller.quorum.bootstrap.servers; when empty, the addresses of the static voters. */
  readonly bootstrapServers: readonly { readonly host: string; readonly port: number }[]
  /** controller.quorum.election.timeout.ms */
  readonly electionTimeoutMs: number
  /** controller.quorum.fetch.timeout.ms */
  readonly fetchTimeoutMs: number
  /** controller.quorum.election.backoff.max.ms */
  readonly electionBackoffMaxMs: number
  /** controller.quorum.request.timeout.ms */
  readonly requestTimeoutMs: number
  /** controller.quorum.retry.backoff.ms */
  readonly retryBackoffMs: number
  /** How long a fetch of ours may wait at the leader; 500 in Kafka. */
  readonly fetchMaxWaitMs: number
  /** controller.quorum.fetch.max.bytes */
  readonly fetchBytesMax: number
  /** controller.quorum.fetch.snapshot.max.bytes */
  readonly fetchSnapshotBytesMax: number
  /** How many fetches may wait here at once. */
  readonly deferredFetchesMax: number
  /** Splits fetched bytes into whole batches: raft/batches.ts, or a model in tests. */
  readonly readBatches: (records: Uint8Array) => FetchedBatches
}

/** Kafka's defaults for everything that has one. */
export const RAFT_DEFAULTS = Object.freeze({
  electionTimeoutMs: 1000,
  fetchTimeoutMs: 2000,
  electionBackoffMaxMs: 1000,
  requestTimeoutMs: 2000,
  retryBackoffMs: 20,
  fetchMaxWaitMs: 500,
  fetchBytesMax: 1 << 20,
  fetchSnapshotBytesMax: 1 << 20,
  deferredFetchesMax: 10_000,
})

/** What a follower must know of bytes it fetched. */
export interface FetchedBatches {
  readonly batches: readonly FetchedBatch[]
  /** How many of the bytes are whole batches; what follows is dropped and fetched again. */
  readonly bytes: number
}

/** One fetched batch. */
export interface FetchedBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly epoch: number
  /** What a control batch says about the quorum, with offsets. */
  readonly quorum: readonly { readonly offset: number; readonly record: QuorumRecord }[]
}

/** The conversations of the machine: api name → request and response structs. */
export interface RaftApis {
  Vote: typeof Vote
  BeginQuorumEpoch: typeof BeginQuorumEpoch
  EndQuorumEpoch: typeof EndQuorumEpoch
  Fetch: typeof Fetch
  FetchSnapshot: typeof FetchSnapshot
  DescribeQuorum: typeof DescribeQuorum
  AddRaftVoter: typeof AddRaftVoter
  RemoveRaftVoter: typeof RemoveRaftVoter
  UpdateRaftVoter: typeof UpdateRaftVoter
}
/** Apis that the machine answers. */
export type RaftApi = keyof RaftApis
/** Apis that the machine sends; ApiVersions asks a joining voter what it can run. */
export type SentApi =
  | Exclude<RaftApi, 'DescribeQuorum' | 'AddRaftVoter' | 'RemoveRaftVoter'>
  | 'ApiVersions'
type AllApis = RaftApis & { ApiVersions: typeof ApiVersions }
export type RaftRequest<A extends keyof AllApis> = RequestOf<AllApis[A]>
export type RaftResponse<A extends keyof AllApis> = ResponseOf<AllApis[A]>
/** A response as it is given to the encoder: what is left out has its default. */
export type RaftReply<A extends keyof AllApis> = EncodableOf<AllApis[A]['response']>
export type RaftQuestion<A extends keyof AllApis> = EncodableOf<AllApis[A]['request']>

/** Whom to connect to. A negative id is a bootstrap server whose real id is not known. */
export interface Destination {
  readonly id: number
  readonly host: string
  readonly port: number
}

/** A control record on disk at boot; those of a snapshot stand at its end offset minus one. */
export interface QuorumRecordAt {
  readonly offset: number
  readonly record: QuorumRecord
}

/** The state of the disk when the node starts. */
export interface BootInput {
  readonly kind: 'boot'
  /** Content of quorum-state, or null when there is no such file. */
  readonly quorumState: ElectionState | null
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly epochs: readonly EpochStart[]
  readonly snapshots: readonly SnapshotInfo[]
  /** Every KRaftVersion and Voters record: of the latest snapshot, then of the log above it. */
  readonly quorumRecords: readonly QuorumRecordAt[]
}

/** A request of a peer, a broker or a tool; `version` as in its header. */
export type RequestInput = {
  [A in RaftApi]: {
    readonly kind: 'request'
    readonly ticket: number
    readonly api: A
    readonly version: number
    /** The name of the listener it came in on; the answer's addresses are of that listener. */
    readonly listener: string
    readonly request: RaftRequest<A>
  }
}[RaftApi]

/** What a peer answered to a `send`. */
export type ResponseInput = {
  [A in SentApi]: {
    readonly kind: 'response'
    readonly requestId: number
    readonly api: A
    readonly response: RaftResponse<A>
  }
}[SentApi]

export type RaftInput =
  | BootInput
  | { readonly kind: 'timer' }
  | RequestInput
  | ResponseInput
  /** The connection failed, or the peer does not speak the version (`unsupported`). */
  | { readonly kind: 'sendFailed'; readonly requestId: number; readonly unsupported?: boolean }
  /** Everything below `logEndOffset` is durable. */
  | { readonly kind: 'flushed'; readonly logEndOffset: number }
  /**
   * The controller wants records appended in `epoch`. Answered at once by `proposed` (the records
   * have offsets, and an `append` effect carries `payload` through untouched) or `notLeader`.
   */
  | {
      readonly kind: 'propose'
      readonly ticket: number
      readonly epoch: number
      readonly count: number
      readonly payload: unknown
    }
  /** The controller gives up leadership of `epoch`, or the node shuts down. */
  | { readonly kind: 'resign'; readonly epoch: number }
  /** The host finished a snapshot of its own; its end is at or below the high watermark. */
  | { readonly kind: 'snapshotCreated'; readonly snapshot: SnapshotInfo }
  /** The host deleted old segments and snapshots; `snapshots` are the ones left. */
  | {
      readonly kind: 'logTrimmed'
      readonly logStartOffset: number
      readonly snapshots: readonly SnapshotInfo[]
    }
  /** A fetched snapshot is in place and the log was replaced by it, durably. */
  | {
      readonly kind: 'snapshotInstalled'
      readonly snapshot: SnapshotInfo
      readonly quorumRecords: readonly QuorumRecord[]
    }

export type Barrier = 'quorum-state' | null

export type SendEffect = {
  [A in SentApi]: {
    readonly kind: 'send'
    readonly requestId: number
    readonly to: Destination
    readonly api: A
    /** For the newest version both sides know. */
    readonly request: RaftQuestion<A>
    readonly after: Barrier
  }
}[SentApi]

export type RespondEffect = {
  [A in RaftApi]: {
    readonly kind: 'respond'
    readonly ticket: number
    readonly api: A
    readonly response: RaftReply<A>
    readonly after: Barrier
  }
}[RaftApi]

export type RaftEffect =
  /** Write quorum-state in this version; see promise 2. `voterIds` is for version 0. */
  | {
      readonly kind: 'persistQuorumState'
      readonly state: ElectionState
      readonly version: 0 | 1
      readonly voterIds: readonly number[]
    }
  | SendEffect
  | RespondEffect
  /**
   * A Fetch answer to be completed from the log: put into responses[0].partitions[0].records whole
   * batches from `offset` on, at least one, up to about `bytesMax` and never at or above `endOffset`.
   */
  | {
      readonly kind: 'respondFetch'
      readonly ticket: number
      readonly response: RaftReply<'Fetch'>
      readonly offset: number
      readonly endOffset: number
      readonly bytesMax: number
      readonly after: Barrier
    }
  /** A FetchSnapshot answer: put `bytesMax` bytes of the snapshot from `position` on into it. */
  | {
      readonly kind: 'respondSnapshot'
      readonly ticket: number
      readonly response: RaftReply<'FetchSnapshot'>
      readonly snapshot: OffsetAndEpoch
      readonly position: number
      readonly bytesMax: number
      readonly after: Barrier
    }
  /** Append as the leader of `epoch`: one batch, of control records or of a proposal's payload. */
  | {
      readonly kind: 'append'
      readonly baseOffset: number
      readonly epoch: number
      readonly count: number
      readonly timestampMs: number
      readonly control: readonly ControlRecord[] | null
      readonly payload: unknown
      readonly after: Barrier
    }
  /** Append fetched batches as they are; they begin at `baseOffset` and end below `endOffset`. */
  | {
      readonly kind: 'appendFetched'
      readonly baseOffset: number
      readonly endOffset: number
      readonly records: Uint8Array
      readonly after: Barrier
    }
  | { readonly kind: 'flush' }
  /** Remove everything at and above `offset`. */
  | { readonly kind: 'truncate'; readonly offset: number; readonly after: Barrier }
  /** Fetching a snapshot: begin a partial file, write to it, make it final or throw it away. */
  | { readonly kind: 'snapshotBegin'; readonly id: OffsetAndEpoch }
  | {
      readonly kind: 'snapshotWrite'
      readonly id: OffsetAndEpoch
      readonly position: number
      readonly bytes: Uint8Array
    }
  /** Check it, fsync, rename, replace the log by it, then say `snapshotInstalled`. */
  | { readonly kind: 'snapshotFinish'; readonly id: OffsetAndEpoch }
  | { readonly kind: 'snapshotAbort'; readonly id: OffsetAndEpoch }
  | { readonly kind: 'proposed'; readonly ticket: number; readonly baseOffset: number }
  | { readonly kind: 'notLeader'; readonly ticket: number; readonly epoch: number }
  /** Everything below `offset` is committed; it only grows. */
  | { readonly kind: 'highWatermark'; readonly offset: number; readonly epoch: number }
  /** Who leads, as far as this node knows. */
  | {
      readonly kind: 'leaderChanged'
      readonly leaderId: number | null
      readonly epoch: number
      readonly endpoints: readonly Endpoint[]
    }
  /** This node leads and has committed everything before its epoch: the controller may activate. */
  | { readonly kind: 'becameLeader'; readonly epoch: number; readonly epochStartOffset: number }
  /** This node leads `epoch` no more; what it proposed and did not commit may be lost. */
  | { readonly kind: 'resigned'; readonly epoch: number }
  /** Something an operator may want to read. */
  | { readonly kind: 'note'; readonly text: string }
