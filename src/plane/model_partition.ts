// A replica's role and watermarks: who leads, who is in sync, what is committed. One log below it.
// Invariants: within a leader epoch the high watermark never falls; logStartOffset <= highWatermark <=
// logEndOffset; while the ISR is below its minimum the watermark stands.
// Kafka: Partition, Replica, ReplicaState. KIP-497 for replicas about to join the ISR.

import { ErrorCode } from '../protocol/errors.ts'
import { type BatchHeader, readBatchHeader, recordsOf } from '../protocol/record_batch.ts'
import { readMarker } from '../protocol/transaction_marker.ts'
import {
  ownBatches,
  patchBatch,
  type Refusal,
  transactionalHeader,
  unvalidatedHeader,
  validateBatch,
} from './model_batch.ts'
import { clean, cleanable, type ModelCleanable } from './model_clean.ts'
import { decompress } from './model_codecs.ts'
import type { ModelLog } from './model_log.ts'
import { ModelTransactions } from './model_transactions.ts'
import type {
  CleanOptions,
  CreatePartition,
  LeadPartition,
  PartitionConfig,
  PartitionRow,
  Retention,
} from './plane.ts'

/** What a follower has said of itself. */
interface Replica {
  /** -1: it has not fetched in this epoch yet. */
  logEndOffset: number
  /** The newest broker epoch seen from it here. */
  brokerEpoch: number
  /** Caught up and told: counts for the watermark until TypeScript has decided. */
  isJoining: boolean
}

/** Markers of a server that fences have it more than once: there is no epoch after it. */
const PRODUCER_EPOCH_MAX = 32_767

const NO_ROOM = "the disk of the partition's log directory has no room for more records"

const newReplica = (): Replica => ({ logEndOffset: -1, brokerEpoch: -1, isJoining: false })

/** What partitions tell the plane. */
export interface PartitionEvents {
  /** Log, watermark, role or ISR changed: whoever waits on it looks again. */
  changed(partition: ModelPartition): void
  highWatermark(partition: ModelPartition): void
  caughtUp(partition: ModelPartition, replicaId: number): void
  fenced(partition: ModelPartition, leaderEpoch: number): void
  refused(reason: 'crc' | 'sequence' | 'key' | 'full'): void
  directoryFailed(partition: ModelPartition, errno: number): void
}

/** A produced batch in the log, or the batch it repeats. */
export interface Appended {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly logAppendTimeMs: number
  readonly bytes: number
  readonly records: number
}

export interface PartitionContext {
  readonly nodeId: number
  readonly isFullValidation: boolean
  readonly nowMs: () => number
  readonly errnoOf: (directory: string) => number
  /** Bytes that clients' batches may still add in a directory. */
  readonly roomIn: (directory: string) => number
  readonly takeRoom: (directory: string, bytes: number) => void
  readonly events: PartitionEvents
}

/** One partition of this node. */
export class ModelPartition {
  readonly options: CreatePartition
  readonly log: ModelLog
  readonly transactions = new ModelTransactions()
  highWatermark: number
  leaderId = -1
  leaderEpoch = -1
  isLeader = false
  isOffline = false
  isRetired = false
  #partitionEpoch = -1
  #epochStartOffset = 0
  #replicas = new Map<number, Replica>()
  #isr = new Set<number>()
  readonly #context: PartitionContext

  constructor(options: CreatePartition, log: ModelLog, context: PartitionContext) {
    this.options = options
    this.log = log
    this.#context = context
    this.highWatermark = clamp(options.highWatermark, log.logStartOffset, log.logEndOffset)
    log.onCompleted = (transaction) => this.transactions.completed(transaction)
  }

  get slot(): number {
    return this.options.slot
  }

  get lastStableOffset(): number {
    const { producers, logStartOffset } = this.log
    return this.transactions.lastStableOffset(
      this.highWatermark,
      producers.firstOpenOffset,
      logStartOffset,
    )
  }

  // --- roles; false: stale, nothing was done

  lead(options: LeadPartition): boolean {
    const { leaderEpoch, partitionEpoch } = options
    if (leaderEpoch < this.leaderEpoch) return false
    if (leaderEpoch === this.leaderEpoch && partitionEpoch < this.#partitionEpoch) return false
    const isNewEpoch = leaderEpoch > this.leaderEpoch
    const known = isNewEpoch && !this.isLeader ? new Map<number, Replica>() : this.#replicas
    this.#replicas = new Map()
    for (const id of options.replicas) {
      if (id === this.#context.nodeId) continue
      this.#replicas.set(id, known.get(id) ?? newReplica())
    }
    this.leaderEpoch = leaderEpoch
    this.leaderId = this.#context.nodeId
    this.isLeader = true
    if (isNewEpoch) {
      this.#epochStartOffset = this.log.logEndOffset
      if (!this.options.isRaft) this.log.assignEpoch(leaderEpoch, this.log.logEndOffset)
    }
    this.#setIsr(partitionEpoch, options.isr)
    return true
  }

  follow(leaderEpoch: number, leaderId: number): boolean {
    if (leaderEpoch < this.leaderEpoch) return false
    this.leaderEpoch = leaderEpoch
    this.leaderId = leaderId
    this.isLeader = false
    this.#partitionEpoch = -1
    this.#replicas.clear()
    this.#isr.clear()
    this.transactions.forgetAsked()
    this.#context.events.changed(this)
    return true
  }

  isr(leaderEpoch: number, partitionEpoch: number, isr: readonly number[]): boolean {
    if (!this.isLeader || leaderEpoch !== this.leaderEpoch) return false
    if (partitionEpoch < this.#partitionEpoch) return false
    this.#setIsr(partitionEpoch, isr)
    return true
  }

  configure(config: PartitionConfig): void {
    this.log.config = config
    this.#maybeIncrementHighWatermark()
    this.#context.events.changed(this)
  }

  #setIsr(partitionEpoch: number, isr: readonly number[]): void {
    this.#partitionEpoch = partitionEpoch
    this.#isr = new Set(isr)
    for (const replica of this.#replicas.values()) replica.isJoining = false
    this.#maybeIncrementHighWatermark()
    this.#context.events.changed(this)
  }

  get isUnderMinIsr(): boolean {
    const { minInsyncReplicas } = this.log.config
    return this.#isr.size < Math.min(minInsyncReplicas, this.#replicas.size + 1)
  }

  // --- watermarks

  #maybeIncrementHighWatermark(): void {
    if (!this.isLeader || this.options.isRaft || this.isUnderMinIsr) return
    let least = this.log.logEndOffset
    for (const [id, replica] of this.#replicas) {
      const counts = this.#isr.has(id) || replica.isJoining
      if (counts && replica.logEndOffset < least) least = replica.logEndOffset
    }
    if (least > this.highWatermark) this.#moveHighWatermark(least)
  }

  #moveHighWatermark(offset: number): void {
    if (offset === this.highWatermark) return
    this.highWatermark = offset
    this.#context.events.changed(this)
    if (this.options.isWatched) this.#context.events.highWatermark(this)
  }

  /** Raft's own word on what is committed. */
  setHighWatermark(highWatermark: number): void {
    const bounded = Math.min(highWatermark, this.log.logEndOffset)
    if (bounded > this.highWatermark) this.#moveHighWatermark(bounded)
  }

  // --- requests

  /** Kafka: Partition.checkCurrentLeaderEpoch. */
  checkEpoch(named: number): number {
    if (named < 0 || named === this.leaderEpoch) return ErrorCode.NONE
    if (named < this.leaderEpoch) return ErrorCode.FENCED_LEADER_EPOCH
    this.#context.events.fenced(this, named)
    return ErrorCode.UNKNOWN_LEADER_EPOCH
  }

  /** May this replica fetch at all? Kafka: Partition.followerReplicaOrThrow. */
  checkReplica(replicaId: number, namedEpoch: number, brokerEpoch: number): number {
    const replica = this.#replicas.get(replicaId)
    if (replica === undefined) {
      return namedEpoch >= 0 ? ErrorCode.UNKNOWN_LEADER_EPOCH : ErrorCode.NOT_LEADER_OR_FOLLOWER
    }
    const isStale = brokerEpoch !== -1 && brokerEpoch < replica.brokerEpoch
    return isStale ? ErrorCode.NOT_LEADER_OR_FOLLOWER : ErrorCode.NONE
  }

  /** A follower has everything below `fetchOffset`. Comes after its read. */
  followerFetched(replicaId: number, fetchOffset: number, brokerEpoch: number): void {
    const replica = this.#replicas.get(replicaId)
    if (replica === undefined) return
    replica.brokerEpoch = Math.max(replica.brokerEpoch, brokerEpoch)
    replica.logEndOffset = fetchOffset
    const isOut = !this.#isr.has(replicaId) && !replica.isJoining
    if (isOut && fetchOffset >= this.highWatermark && fetchOffset >= this.#epochStartOffset) {
      replica.isJoining = true
      this.#context.events.caughtUp(this, replicaId)
    }
    this.#maybeIncrementHighWatermark()
  }

  /** A client's batch, not yet checked beyond being one; it is patched in place and kept. */
  produce(batch: Uint8Array, acks: number): { appended: Appended } | { refusal: Refusal } {
    const { events } = this.#context
    if (this.isOffline) return { refusal: plain(ErrorCode.KAFKA_STORAGE_ERROR) }
    if (!this.isLeader) return { refusal: plain(ErrorCode.NOT_LEADER_OR_FOLLOWER) }
    if (acks === -1 && this.isUnderMinIsr) {
      return { refusal: withLogStart(ErrorCode.NOT_ENOUGH_REPLICAS) }
    }
    const { config } = this.log
    const nowMs = this.#context.nowMs()
    const isFull = this.#context.isFullValidation
    const checked = validateBatch(batch, { config, nowMs, isFull })
    if ('refusal' in checked) {
      if (checked.refusal.errorCode === ErrorCode.CORRUPT_MESSAGE) events.refused('crc')
      if (checked.refusal.recordErrors && config.compacted) events.refused('key')
      return checked
    }
    const { header, maxTimestamp, bytes } = checked.ok
    const verdict = header.producerId >= 0 ? this.#checkSequence(header) : 'append'
    if (typeof verdict === 'object') return { appended: repeated(verdict) }
    if (verdict !== 'append') events.refused('sequence')
    if (verdict === 'stale-epoch') {
      return { refusal: withLogStart(ErrorCode.INVALID_PRODUCER_EPOCH) }
    }
    if (verdict === 'not-in-transaction') {
      return { refusal: withLogStart(ErrorCode.INVALID_TXN_STATE) }
    }
    if (verdict === 'out-of-order') {
      return { refusal: withLogStart(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER) }
    }
    patchBatch(bytes, {
      baseOffset: this.log.logEndOffset,
      leaderEpoch: this.leaderEpoch,
      time: {
        isLogAppendTime: config.isLogAppendTime,
        maxTimestamp: config.isLogAppendTime ? BigInt(nowMs) : maxTimestamp,
      },
    })
    this.transactions.begun(header.producerId)
    this.#context.takeRoom(this.options.directory, bytes.length)
    const written = this.#write(bytes)
    if (written === null) return { refusal: plain(ErrorCode.KAFKA_STORAGE_ERROR) }
    return {
      appended: {
        baseOffset: written.baseOffset,
        lastOffset: written.lastOffset,
        logAppendTimeMs: config.isLogAppendTime ? nowMs : -1,
        bytes: bytes.length,
        records: header.count,
      },
    }
  }

  #checkSequence(header: BatchHeader) {
    const verdict = this.log.producers.check(header)
    return verdict === 'append' && this.transactions.isAhead(header) ? 'out-of-order' : verdict
  }

  /** A batch's header when its producer has no transaction open here, and must be asked about. */
  unadmitted(batch: Uint8Array): BatchHeader | null {
    const header = transactionalHeader(batch)
    if (header === null || header.producerId < 0) return null
    const { producerId, producerEpoch } = header
    return this.log.producers.isOngoing(producerId, producerEpoch) ? null : header
  }

  /** A client's batch comes when the directory takes no more of them; null: it does. */
  refuseFull(batch: Uint8Array): Refusal | null {
    const { events, roomIn } = this.#context
    if (this.isOffline || !this.isLeader || roomIn(this.options.directory) > 0) return null
    events.refused('full')
    // Until it comes again nothing of its producer may take its place.
    const header = unvalidatedHeader(batch)
    const isProducers = header !== null && header.producerId >= 0 && !header.isControl
    const isKnown = isProducers && this.log.producers.get(header.producerId) !== undefined
    if (isProducers && !isKnown) this.transactions.note(header)
    return { ...plain(ErrorCode.KAFKA_STORAGE_ERROR), errorMessage: NO_ROOM }
  }

  /** A transaction's end. `offset` is where its marker is, or the log's last where it was written before. */
  mark(
    leaderEpoch: number,
    batch: Uint8Array,
    transactionVersion: number,
  ): { errorCode: number; offset: number; isRepeated: boolean } {
    const failed = (errorCode: number) => ({ errorCode, offset: -1, isRepeated: false })
    if (this.isOffline) return failed(ErrorCode.KAFKA_STORAGE_ERROR)
    if (!this.isLeader || this.options.isRaft) return failed(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    const refusal = this.#appendError(leaderEpoch) || this.#fenceError(batch)
    if (refusal !== ErrorCode.NONE) return failed(refusal)
    if (this.isUnderMinIsr) return failed(ErrorCode.NOT_ENOUGH_REPLICAS)
    const { producerId, producerEpoch } = readBatchHeader(batch)
    const known = this.log.producers.get(producerId)
    const isPast = transactionVersion >= 2 && known?.producerEpoch === producerEpoch
    const isOpen = known !== undefined && known.txnFirstOffset >= 0
    if (isPast && isOpen && producerEpoch !== PRODUCER_EPOCH_MAX) {
      return failed(ErrorCode.INVALID_PRODUCER_EPOCH)
    }
    const isRepeated = isPast && !isOpen
    if (isRepeated) return { errorCode: 0, offset: this.log.logEndOffset - 1, isRepeated }
    patchBatch(batch, { baseOffset: this.log.logEndOffset, leaderEpoch, time: null })
    const written = this.#write(batch)
    if (written === null) return failed(ErrorCode.KAFKA_STORAGE_ERROR)
    return { errorCode: ErrorCode.NONE, offset: written.baseOffset, isRepeated }
  }

  /** What our own batches may not do: speak for a producer, or a coordinator, that has been replaced. */
  #fenceError(batch: Uint8Array): number {
    const header = readBatchHeader(batch)
    const known = this.log.producers.get(header.producerId)
    if (header.producerId < 0 || known === undefined) return ErrorCode.NONE
    if (header.producerEpoch < known.producerEpoch) return ErrorCode.INVALID_PRODUCER_EPOCH
    if (!header.isControl) return ErrorCode.NONE
    const [record] = recordsOf(batch, header, decompress)
    const coordinatorEpoch = (record && readMarker(record)?.coordinatorEpoch) ?? -1
    const isOld = coordinatorEpoch < known.coordinatorEpoch
    return isOld ? ErrorCode.TRANSACTION_COORDINATOR_FENCED : ErrorCode.NONE
  }

  #write(batch: Uint8Array): BatchHeader | null {
    const errno = this.#context.errnoOf(this.options.directory)
    if (errno !== 0) {
      this.#context.events.directoryFailed(this, errno)
      return null
    }
    const header = this.log.append(batch, this.#context.nowMs())
    this.#maybeIncrementHighWatermark()
    this.#context.events.changed(this)
    return header
  }

  /** What became of a produce that waits for `requiredOffset`; null: it goes on waiting. */
  produceOutcome(requiredOffset: number): number | null {
    if (this.isOffline) return ErrorCode.KAFKA_STORAGE_ERROR
    if (this.isRetired || !this.isLeader) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    if (this.isUnderMinIsr) return ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
    return this.highWatermark >= requiredOffset ? ErrorCode.NONE : null
  }

  // --- verbs about the log

  /** Our own batches. Errors: the epoch's, OFFSET_OUT_OF_RANGE below the log end, CORRUPT_MESSAGE. */
  append(leaderEpoch: number, bytes: Uint8Array): { errorCode: number; baseOffset: number } {
    const failed = (errorCode: number) => ({ errorCode, baseOffset: -1 })
    const refusal = this.#appendError(leaderEpoch)
    if (refusal !== ErrorCode.NONE) return failed(refusal)
    const batches = ownBatches(bytes)
    if (batches === null) return failed(ErrorCode.CORRUPT_MESSAGE)
    const keepsOffsets = this.options.isRaft || !this.isLeader
    if (keepsOffsets && !this.#fits(batches)) return failed(ErrorCode.OFFSET_OUT_OF_RANGE)
    for (const batch of keepsOffsets ? [] : batches) {
      const fenced = this.#fenceError(batch)
      if (fenced !== ErrorCode.NONE) return failed(fenced)
    }
    let baseOffset = -1
    for (const batch of batches) {
      if (!keepsOffsets) {
        patchBatch(batch, { baseOffset: this.log.logEndOffset, leaderEpoch, time: null })
      }
      const written = this.#write(batch)
      if (written === null) return failed(ErrorCode.KAFKA_STORAGE_ERROR)
      if (baseOffset < 0) baseOffset = written.baseOffset
    }
    return { errorCode: ErrorCode.NONE, baseOffset }
  }

  #fits(batches: readonly Uint8Array[]): boolean {
    let next = this.log.logEndOffset
    for (const batch of batches) {
      const view = new DataView(batch.buffer, batch.byteOffset, batch.length)
      const base = Number(view.getBigInt64(0))
      if (this.options.isRaft ? base !== next : base < next) return false
      next = base + view.getInt32(23) + 1
    }
    return true
  }

  /** An append's epoch; raft's own machine judges those of its log. */
  #appendError(leaderEpoch: number): number {
    if (this.isOffline) return ErrorCode.KAFKA_STORAGE_ERROR
    if (this.options.isRaft) return ErrorCode.NONE
    if (this.leaderEpoch < 0) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    if (leaderEpoch === this.leaderEpoch) return ErrorCode.NONE
    return leaderEpoch < this.leaderEpoch
      ? ErrorCode.FENCED_LEADER_EPOCH
      : ErrorCode.UNKNOWN_LEADER_EPOCH
  }

  truncate(leaderEpoch: number, offset: number): number {
    // Raft's own machine judges the epochs of its log.
    if (!this.options.isRaft) {
      if (leaderEpoch < this.leaderEpoch) return ErrorCode.FENCED_LEADER_EPOCH
      if (leaderEpoch > this.leaderEpoch) return ErrorCode.UNKNOWN_LEADER_EPOCH
    }
    if (this.isOffline) return ErrorCode.KAFKA_STORAGE_ERROR
    if (this.isLeader && !this.options.isRaft) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    this.transactions.forgetCompleted()
    this.log.truncateTo(offset, this.#context.nowMs())
    const bounded = clamp(this.highWatermark, this.log.logStartOffset, this.log.logEndOffset)
    this.#moveHighWatermark(bounded)
    this.#context.events.changed(this)
    return ErrorCode.NONE
  }

  /** The source's next batches, as they are; an error code and how many bytes. */
  copy(source: ModelPartition, bytesMax: number): [errorCode: number, bytes: number] {
    if (this.isOffline || source.isOffline) return [ErrorCode.KAFKA_STORAGE_ERROR, 0]
    if (this.isLeader) return [ErrorCode.NOT_LEADER_OR_FOLLOWER, 0]
    const { log: from } = source
    const beginAt = (offset: number) => this.log.startAfresh(offset, this.#context.nowMs())
    if (this.log.logEndOffset < from.logStartOffset) beginAt(from.logStartOffset)
    const { logEndOffset: offset, logStartOffset } = this.log
    if (offset > from.logEndOffset) return [ErrorCode.OFFSET_OUT_OF_RANGE, 0]
    if (offset === from.logEndOffset) return [ErrorCode.NONE, 0]
    const bytes = from.read(offset, from.logEndOffset, bytesMax, true).slice()
    const base = Number(new DataView(bytes.buffer).getBigInt64(0))
    if (base < offset && offset === logStartOffset) beginAt(base)
    const { errorCode } = this.append(this.leaderEpoch, bytes)
    return [errorCode, errorCode === ErrorCode.NONE ? bytes.length : 0]
  }

  /** Error code; see docs/SEAM.md for raft partitions. */
  trim(logStartOffset: number): number {
    if (this.isOffline) return ErrorCode.KAFKA_STORAGE_ERROR
    if (this.options.isRaft && logStartOffset > this.log.logEndOffset) {
      this.log.startAfresh(logStartOffset, this.#context.nowMs())
      this.#moveHighWatermark(logStartOffset)
    } else if (logStartOffset > this.highWatermark) {
      return ErrorCode.OFFSET_OUT_OF_RANGE
    } else {
      this.log.setLogStart(logStartOffset)
    }
    this.#context.events.changed(this)
    return ErrorCode.NONE
  }

  /** Whole segments by age, size and log start; how many went, and whether more are due. */
  cleanable(firstDirtyOffset: number, minLagMs: number): ModelCleanable {
    const { logStartOffset, logEndOffset, store } = this.log
    return cleanable(store, firstDirtyOffset, {
      logStartOffset,
      logEndOffset,
      minLagMs,
      stableOffset: this.lastStableOffset,
      nowMs: this.#context.nowMs(),
    })
  }

  clean(options: CleanOptions): { errorCode: number; next: number; before: number; after: number } {
    if (this.isOffline) {
      return { errorCode: ErrorCode.KAFKA_STORAGE_ERROR, next: 0, before: 0, after: 0 }
    }
    this.log.flush()
    const found = this.cleanable(options.firstDirtyOffset, options.minLagMs)
    const lastOffsets = new Map<number, number>()
    for (const [id, { batches }] of this.log.producers.entries()) {
      const last = batches.at(-1)
      if (last !== undefined) lastOffsets.set(id, last.lastOffset)
    }
    const sizes = clean(this.log.store, {
      ...found,
      lastOffsets,
      deleteRetentionMs: options.deleteRetentionMs,
      segmentBytesMax: this.log.config.segmentBytesMax,
      nowMs: this.#context.nowMs(),
    })
    const next = Math.max(found.firstDirtyOffset, found.firstUncleanableOffset)
    return { errorCode: ErrorCode.NONE, next, ...sizes }
  }

  retain(retention: Retention): { errorCode: number; segments: number; isMore: boolean } {
    if (this.isOffline) {
      return { errorCode: ErrorCode.KAFKA_STORAGE_ERROR, segments: 0, isMore: false }
    }
    const gone = this.log.retain(retention, this.highWatermark, this.#context.nowMs())
    if (gone.segments > 0) this.#context.events.changed(this)
    return { errorCode: ErrorCode.NONE, ...gone }
  }

  row(): PartitionRow {
    return {
      logStartOffset: this.log.logStartOffset,
      logEndOffset: this.log.logEndOffset,
      highWatermark: this.highWatermark,
      lastStableOffset: this.lastStableOffset,
      leaderEpoch: this.leaderEpoch,
      bytes: this.log.bytes,
      segments: this.log.store.segments.length,
      recoveryPoint: this.log.recoveryPoint,
      isLeader: this.isLeader,
      isOffline: this.isOffline,
    }
  }
}

const plain = (errorCode: number): Refusal => ({ errorCode, hasLogStart: false })
const withLogStart = (errorCode: number): Refusal => ({ errorCode, hasLogStart: true })

function repeated(batch: { firstOffset: number; lastOffset: number; timestamp: bigint }): Appended {
  return {
    baseOffset: batch.firstOffset,
    lastOffset: batch.lastOffset,
    logAppendTimeMs: Number(batch.timestamp),
    bytes: 0,
    records: 0,
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most)
}
