// DataPlane: the only door to the bytes. Verbs go down as plain calls, facts come up through rings drained in
// batches, tables are shared memory. Two implementations keep this contract: native.ts and model.ts
// (test/plane/contract.test.ts). Every verb and fact about a partition carries its leader epoch; stale ones are
// counted and ignored. Payloads are copied before a verb returns. (docs/SEAM.md)

import type { TransactionMarker } from '../protocol/transaction_marker.ts'

export type { TransactionMarker }

/** A partition's place in the tables; allocated by TypeScript, free again once `retire` is done. */
export type Slot = number
/** A connection: reactor, index and generation in one number; never reused within a process. */
export type ConnId = number
/** Names a verb's completion: any integer of the caller's, echoed by `done` or `data`. */
export type Ticket = number

export interface PlaneOptions {
  /** 0: one, and more from five cores on. */
  reactors?: number
  /** Log directories; where there are several, none waits for another. */
  directories?: number
  nodeId: number
  /** socket.request.max.bytes */
  requestBytesMax?: number
  connectionsMax?: number
  connectionsPerIpMax?: number
  connectionsMaxIdleMs?: number
  /** fetch.max.bytes */
  fetchBytesMax?: number
  /** max.incremental.fetch.session.cache.slots */
  fetchSessionsMax?: number
  /** TCP congestion control of accepted sockets; '' is the system's. */
  congestionControl?: string
  /** How sockets are served; 'epoll' when left out. A plane with none of the kernel's takes no notice. */
  ioBackend?: 'epoll' | 'io_uring'
  /** Most files of logs that are kept open; three quarters of what the process may have, at most 32768, when 0 or left out. */
  openFilesMax?: number
  /** How long, in µs, a busy reactor looks for the next request before it sleeps; 0, as when left out: not at all. */
  spinUs?: number
  socketSendBytes?: number
  socketReceiveBytes?: number
  /** 'header' checks compressed batches by their header; 'full' opens them, as Kafka does. */
  produceValidation?: 'header' | 'full'
  producerIdExpirationMs?: number
  /** How often producers that are idle for so long are looked for, in ms; 60 s when left out, at most once a second. */
  producerIdExpirationCheckMs?: number
  /** How often flush.ms is looked at, in ms; about every second when left out. */
  flushCheckMs?: number
  recoveryThreads?: number
  /** 'allow': no authorizer, every verdict is yes. 'ask': a missing verdict parks the request. */
  verdicts?: 'allow' | 'ask'
  /** 'copy' reads file fragments into memory (tests); 'plain' sends files with sendfile. */
  transport?: 'plain' | 'copy'
  /** 'never': the files need not outlive the process; a flush is answered without the disk. */
  syncs?: 'disk' | 'never'
}

export interface ListenOptions {
  /** The caller's number for this listener, echoed in facts. */
  listener: number
  /** Numeric address; '' is every interface. */
  host: string
  /** 0 picks a free port. */
  port: number
  /** true: Produce and Fetch are served by C++; false (controller listener): every frame comes up. */
  data: boolean
}

/** How many connections may be open at once. */
export interface ConnectionLimits {
  total: number
  /** From one address, unless `byAddress` names it. */
  perAddress: number
  /** Numeric addresses in the form in which peers are shown. */
  byAddress: ReadonlyMap<string, number>
}

/** A partition's settings that the data plane needs: the topic's configuration, resolved. */
export interface PartitionConfig {
  segmentBytesMax: number
  segmentMs: number
  /** The most that a segment's age at its end is drawn below segmentMs; 0 when left out. */
  segmentJitterMs?: number
  segmentIndexBytesMax: number
  indexIntervalBytes: number
  messageBytesMax: number
  minInsyncReplicas: number
  compacted: boolean
  /** message.timestamp.type=LogAppendTime: the broker stamps batches. */
  isLogAppendTime: boolean
  timestampBeforeMsMax: number
  timestampAfterMsMax: number
  preallocate: boolean
  /** The most that is allocated ahead of the end of the active segment; 16 MiB when left out. */
  preallocateBytesMax?: number
  /** Number.MAX_SAFE_INTEGER: never. */
  flushMessages: number
  flushMs: number
  /** The plane's `producerIdExpirationMs` when left out. */
  producerIdExpirationMs?: number
  /** How long files of segments that are gone keep their blocks, under another name; 0 when left out. */
  fileDeleteDelayMs?: number
  /** Codec (attribute bits 0–2) that clients' batches are written in; left out: each in its own. */
  recompressTo?: number
  /** Its level; the codec's default when left out. */
  recompressLevel?: number
  /** As fileDeleteDelayMs, the whole directory of a deleted partition. */
  directoryDeleteDelayMs?: number
}

/** How much of a log is to stay; -1 is no limit. */
export interface Retention {
  retentionMs: number
  retentionBytes: number
}

/** What a log directory may take, so that its disk does not become full. */
export interface DirectoryLimits {
  /** Bytes that clients' batches may still add; -1 is no limit. With none left Produce is refused. */
  clientBytes: number
  /** Files that are gone give their blocks back at once, those that wait for it too. */
  isShort: boolean
}

export interface CreatePartition {
  slot: Slot
  incarnation: number
  /** Absolute log directory; the partition's files are in `<directory>/<topic>-<partition>`, or `<directory>/<name>`. */
  directory: string
  name?: string
  topic: string
  topicId: string
  partition: number
  config: PartitionConfig
  /** The directory carried its clean-shutdown marker when the process started. */
  isCleanShutdown: boolean
  recoveryPoint: number
  logStartOffset: number
  highWatermark: number
  /** `highWatermark` facts are raised for it (our own topics). */
  isWatched: boolean
  /** The metadata log: appends carry their offsets and epochs, and raft sets the high watermark. */
  isRaft: boolean
}

export interface LeadPartition {
  slot: Slot
  leaderEpoch: number
  partitionEpoch: number
  replicas: readonly number[]
  isr: readonly number[]
}

export interface TopicRoute {
  /** TypeScript's number for the topic; stable until `forget`. */
  handle: number
  name: string
  topicId: string
  /** A topic of the broker's own: of clients only Kafka's admin client may produce to it. */
  isInternal?: boolean
  /** By partition index: the local slot, UNSERVED_SLOT or -1, and who leads (-1 nobody). */
  partitions: readonly { slot: Slot; leaderId: number; leaderEpoch: number }[]
}

/** In a route: there is a replica here, and its directory or its files cannot be used. */
export const UNSERVED_SLOT: Slot = -2

export interface BrokerEndpoint {
  id: number
  host: string
  port: number
  rack: string | null
}

/** A transactional batch waits for its coordinator's word; answered by `admit` with `ask`. */
export interface AdmissionNeeded {
  readonly ask: number
  readonly producerId: number
  readonly producerEpoch: number
  /** Of the Produce: 12 and later add their partitions to the transaction. */
  readonly apiVersion: number
  readonly transactionalId: string
}

/** How a log is compacted. */
export interface CleanOptions {
  firstDirtyOffset: number
  /** min.compaction.lag.ms */
  minLagMs: number
  /** delete.retention.ms: how long a tombstone stays once it was cleaned. */
  deleteRetentionMs: number
  /** For the table of keys, and how much of it may be filled. */
  mapBytes: number
  mapLoad: number
  /** The cleaner's read and write buffer; it grows to a batch that is larger. */
  bufferBytes: number
  /** Read and written together; 0 is no limit. */
  bytesPerSecond: number
}

/** Facts, one method each, called only inside `drain`. Byte views are valid until the method returns. */
export interface FactSink {
  connected(conn: ConnId, listener: number, peerHost: string, peerPort: number): void
  disconnected(conn: ConnId, reason: number): void
  /** A frame the data plane does not own, without its length. Answer by `reply` with this requestId. */
  request(conn: ConnId, requestId: number, listener: number, frame: Uint8Array): void
  response(conn: ConnId, frame: Uint8Array): void
  dialled(conn: ConnId, errno: number): void
  done(ticket: Ticket, errorCode: number, a: number, b: number, c: number): void
  data(ticket: Ticket, errorCode: number, bytes: Uint8Array, a: number, b: number): void
  highWatermark(slot: Slot, leaderEpoch: number, highWatermark: number): void
  caughtUp(slot: Slot, leaderEpoch: number, replicaId: number): void
  fenced(slot: Slot, leaderEpoch: number): void
  verdictNeeded(principal: number, topicHandle: number, operation: number): void
  admissionNeeded(slot: Slot, leaderEpoch: number, admission: AdmissionNeeded): void
  directoryFailed(directory: string, errno: number): void
  stalled(reactor: number, microseconds: number): void
  overflow(reactor: number, count: number): void
}

/** One partition's published row, as of the call. */
export interface PartitionRow {
  logStartOffset: number
  logEndOffset: number
  highWatermark: number
  lastStableOffset: number
  leaderEpoch: number
  bytes: number
  segments: number
  recoveryPoint: number
  isLeader: boolean
  isOffline: boolean
}

/** The row of a slot that holds nothing. */
export const UNUSED_ROW: PartitionRow = {
  logStartOffset: 0,
  logEndOffset: 0,
  highWatermark: 0,
  lastStableOffset: 0,
  leaderEpoch: 0,
  bytes: 0,
  segments: 0,
  recoveryPoint: 0,
  isLeader: false,
  isOffline: false,
}

export interface DataPlane {
  // --- process
  /** Delivers what happened since the last drain; returns how many facts. Synchronous, bounded per call. */
  drain(sink: FactSink): number
  /** Called when there is something to drain: once per idle→busy edge, never from inside a verb or drain. */
  onDoorbell: () => void
  /** Stops accepting, lets queued responses leave (up to graceMs), closes connections, then partitions. */
  close(options?: { graceMs?: number; isClean?: boolean }): Promise<void>

  // --- network
  /** Binds and serves; returns the port. Throws PlaneError (EADDRINUSE …). */
  listen(options: ListenOptions): number
  /** No new connections on this listener; open ones go on. */
  unlisten(listener: number): void
  dial(host: string, port: number): ConnId
  /** A request frame (without length) on a dialled connection. */
  send(conn: ConnId, frame: Uint8Array): void
  /** The answer (without length) to a `request` fact; null: none is owed, the next request may start. */
  reply(conn: ConnId, requestId: number, frame: Uint8Array | null): void
  /** Closes once what is already queued has left. */
  hangup(conn: ConnId): void
  /** From now on; those that are open stay. Until it is called, what PlaneOptions say holds. */
  limit(limits: ConnectionLimits): void
  /** KIP-219: no more requests are read from it for so long. */
  mute(conn: ConnId, ms: number): void
  /** Who this is; 0 is anonymous. */
  identify(conn: ConnId, principal: number): void

  // --- partitions
  /** Opens (recovering where needed) or creates. done: a=log start, b=log end, c=bytes cut by recovery. */
  create(options: CreatePartition, ticket: Ticket): void
  lead(options: LeadPartition): void
  /** Follows at this epoch: waiting produces fail NOT_LEADER_OR_FOLLOWER. leaderId -1: nobody leads. */
  follow(slot: Slot, leaderEpoch: number, leaderId: number): void
  isr(slot: Slot, leaderEpoch: number, partitionEpoch: number, isr: readonly number[]): void
  configure(slot: Slot, config: PartitionConfig): void
  /** What there is to compact from `firstDirtyOffset` on. data: CleanableColumn, float64 little-endian. */
  cleanable(slot: Slot, firstDirtyOffset: number, minLagMs: number, ticket: Ticket): void
  /** Compacts, one at a time for a slot. done: a=next dirty offset, b=bytes looked at, c=bytes that are left of them. */
  clean(slot: Slot, options: CleanOptions, ticket: Ticket): void
  /**
   * Deletes whole segments by age, by size and below the log start, some at a time.
   * done: a=log start offset, b=segments deleted, c=1 when more are due: ask again.
   */
  retain(slot: Slot, retention: Retention, ticket: Ticket): void
  /** DeleteRecords: moves the log start. done: a=log start offset. */
  trim(slot: Slot, logStartOffset: number, ticket: Ticket): void
  /** A follower (or raft) drops what its leader does not have. done: a=log end offset. */
  truncate(slot: Slot, leaderEpoch: number, offset: number, ticket: Ticket): void
  /**
   * Reads the next batches of `source`'s log, at most so many bytes but one batch, and appends them as they are to
   * `slot`, which follows. done: a=log end of the copy, b=log end of the source, c=bytes copied.
   */
  copy(slot: Slot, source: Slot, bytesMax: number, ticket: Ticket): void
  retire(slot: Slot, mode: number, ticket: Ticket): void

  /** The directory is not touched any more: what is open in it, or is being opened, goes offline. No fact tells it. */
  failDirectory(directory: string): void
  /** From now on, for all partitions in it; until it is called nothing is limited. */
  limitDirectory(directory: string, limits: DirectoryLimits): void

  // --- log: our own topics, and what handlers ask
  /** Leader: offsets are assigned as for Produce. Follower, raft: offsets are kept. done: a=base offset, b=log end. */
  append(slot: Slot, leaderEpoch: number, batches: Uint8Array, ticket: Ticket): void
  /** Ends a producer's transaction in a partition that we lead, as acks=all. done: a=offset, b=one past it. */
  marker(slot: Slot, leaderEpoch: number, marker: TransactionMarker, ticket: Ticket): void
  /** The answer to `admissionNeeded`: 0, or the error that its batches end with. */
  admit(slot: Slot, ask: number, errorCode: number): void
  /** Syncs what was appended before the call; several calls may share one sync. done: a=recovery point. */
  flush(slot: Slot, ticket: Ticket): void
  /** Raft partitions only. */
  setHighWatermark(slot: Slot, leaderEpoch: number, highWatermark: number): void
  /** Whole batches from `offset` below the log end, at least one. data: bytes, a=high watermark, b=log end. */
  read(slot: Slot, offset: number, bytesMax: number, ticket: Ticket): void
  /** LookupKind. done: a, b, c as its comment says. */
  lookup(slot: Slot, kind: number, argument: number, ticket: Ticket): void
  /**
   * Active producers. data: rows of 48 bytes little-endian: f64 producerId, f64 lastTimestamp,
   * f64 currentTxnStartOffset (-1 none), i32 producerEpoch, i32 lastSequence, i32 coordinatorEpoch, 12 bytes zero.
   */
  producers(slot: Slot, ticket: Ticket): void

  // --- policy, pushed ahead of need
  route(topic: TopicRoute): void
  forget(topicHandle: number): void
  /** Live brokers as clients of `listener` reach them (KIP-951). */
  brokers(listener: number, endpoints: readonly BrokerEndpoint[]): void
  verdict(principal: number, topicHandle: number, operation: number, isAllowed: boolean): void

  // --- tables
  partition(slot: Slot): PartitionRow
  /** Sum of a counter over reactors. */
  counter(column: number): number
}

/** A verb that cannot be done at all: bad arguments, a port in use. `code` is an errno name or our own. */
export class PlaneError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.name = 'PlaneError'
    this.code = code
  }
}
