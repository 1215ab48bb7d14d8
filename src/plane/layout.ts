// The seam's memory, written once: fact records, table columns, counters. Emitted to native/gen/layout.h by
// `npm run gen`; C++ static_asserts its sizes. Kinds and columns may be appended, never reordered.

/** Kinds of facts. 0 is never written. The comment names the fields each kind uses. */
export const FactKind = {
  connected: 1, // a=conn, b=listener, c=peer port, body=peer host (utf8)
  disconnected: 2, // a=conn, status=DisconnectReason
  request: 3, // ticket=requestId, a=conn, b=listener, body=frame without its length
  response: 4, // a=conn (dialled), body=frame without its length
  dialled: 5, // a=conn, status=errno or 0
  done: 6, // ticket, status=error code, a, b, c by verb
  data: 7, // ticket, status=error code, a, b, body=bytes
  highWatermark: 8, // slot, epoch, a=high watermark (watched partitions only)
  caughtUp: 9, // slot, epoch, a=replica id: an out-of-sync follower reached the high watermark
  fenced: 10, // slot, epoch: a request carried a newer leader epoch than ours
  verdictNeeded: 11, // a=principal, b=topic handle, c=TopicOperation
  directoryFailed: 12, // status=errno, body=directory (utf8)
  stalled: 13, // a=reactor, b=microseconds
  overflow: 14, // a=reactor, b=facts that had to wait for room since the last one
  admissionNeeded: 15, // slot, epoch, ticket=ask, a=producer id, b=its epoch, c=Produce version, body=transactional id
} as const

/**
 * One fact: 64 bytes, little-endian, in one ring per reactor:
 * 0 u16 kind, 2 u16 flags, 4 i32 status, 8 i32 slot, 12 i32 epoch, 16 f64 ticket,
 * 24 f64 a, 32 f64 b, 40 f64 c, 48 u32 bodyOffset, 52 u32 bodyBytes, 56 f64 d.
 */
export const factBytes = 64
export const factOffset = {
  kind: 0,
  flags: 2,
  status: 4,
  slot: 8,
  epoch: 12,
  ticket: 16,
  a: 24,
  b: 32,
  c: 40,
  bodyOffset: 48,
  bodyBytes: 52,
  d: 56,
} as const

/** `flags`: the body did not fit the slab; bodyOffset is an id for the native `takeBody`. */
export const FactFlag = { largeBody: 1 } as const

/**
 * Byte offsets of the int32 cursors at the front of a ring's buffer; each has a cache line of its own.
 * `head` is moved by C++ (facts written), `tail` by TypeScript (facts read), both wrap at 2^32; `idle` is 1 while
 * nobody drains; `slabTail` is the slab position up to which bodies have been read.
 */
export const ringOffset = { head: 0, tail: 64, idle: 128, slabTail: 192 } as const
export const ringHeaderBytes = 256

/** Columns (float64) of a partition's row, published by its reactor. */
export const partitionColumn = {
  sequence: 0, // odd while the row is being changed
  logStartOffset: 1,
  logEndOffset: 2,
  highWatermark: 3,
  lastStableOffset: 4,
  leaderEpoch: 5,
  bytes: 6, // on disk, all segments
  segments: 7,
  recoveryPoint: 8,
  isLeader: 9,
  incarnation: 10,
  isOffline: 11,
  producers: 12, // active producer ids
  bytesIn: 13, // since open
  bytesOut: 14,
  messagesIn: 15,
} as const
export const partitionColumns = 16
/** Slot s is row s % rowsPerChunk of shared chunk floor(s / rowsPerChunk). */
export const partitionRowsPerChunk = 1024

/** Counters (float64), one row per reactor. */
export const counterColumn = {
  connectionsAccepted: 0,
  connectionsOpen: 1,
  connectionsRefused: 2,
  connectionsIdleClosed: 3,
  requestsProduce: 4,
  requestsFetch: 5,
  requestsForwarded: 6, // handed to TypeScript
  bytesReceived: 7,
  bytesSent: 8,
  framesMalformed: 9,
  produceBytes: 10,
  produceRecords: 11,
  produceRejected: 12,
  fetchBytes: 13,
  fetchRejected: 14,
  fetchWaiting: 15, // in purgatory now
  produceWaiting: 16,
  fetchSessions: 17,
  fetchSessionEvictions: 18,
  mailboxFull: 19,
  ringFull: 20,
  turns: 21,
  turnMicrosecondsMax: 22,
  invalidCrc: 23,
  invalidMagic: 24,
  invalidSequence: 25,
  noKeyCompacted: 26,
  staleCommands: 27,
  produceRefusedFull: 28, // appends that a full disk, or one near it, did not take
} as const
export const counterColumns = 32

/** Why a connection ended. */
export const DisconnectReason = {
  peer: 0,
  malformed: 1,
  tooLarge: 2,
  idle: 3,
  limit: 4,
  asked: 5, // hangup()
  unsupported: 6, // an API or version that this listener does not serve
  produceFailed: 7, // a produce with acks=0 failed
  shutdown: 8,
} as const

/** `lookup` kinds and what `done` brings. */
export const LookupKind = {
  timestamp: 0, // argument ms → a=offset (-1 none), b=timestamp, c=leader epoch
  maxTimestamp: 1, // → a=offset, b=timestamp, c=leader epoch
  epochEnd: 2, // argument leader epoch → a=end offset, b=that epoch or the largest below it
  oldestSegment: 3, // → a=where the next one begins (-1: it has to stay), b=its largest timestamp, c=bytes
} as const

/** The numbers that `cleanable` answers with. */
export const CleanableColumn = {
  firstDirtyOffset: 0, // the log start when the one that was asked about lies outside the log
  firstUncleanableOffset: 1,
  cleanBytes: 2,
  cleanableBytes: 3,
  earliestDirtyTimestamp: 4, // of the first batches of rolled dirty segments; -1: none
} as const

/** `retire` modes. */
export const RetireMode = { close: 0, delete: 1 } as const

/** What a principal wants of a topic. */
export const TopicOperation = { write: 0, read: 1, describe: 2 } as const
