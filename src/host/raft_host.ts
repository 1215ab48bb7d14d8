// The raft machine's host: effects become plane verbs, files and answers; completions become inputs.
//
// It keeps the promises of raft/contract.ts: effects in order, quorum-state durable before what depends on it (the write
// is synchronous, so whatever comes after it in order comes after it in time), every flush answered once everything
// appended before it is on disk. A failed append or flush of the metadata log stops the node: what it would
// answer from then on could be untrue.
// Kafka: KafkaRaftClient's IO, KafkaMetadataLog, MetadataLoader, SnapshotGenerator.

import { type MetadataDelta, MetadataImage } from '../metadata/image.ts'
import type { MetadataRecord } from '../metadata/record.ts'
import { encodeSnapshot, type Snapshot, snapshotFileName } from '../metadata/snapshot.ts'
import type { DataPlane, PartitionConfig } from '../plane/plane.ts'
import { encodeControlBatch } from '../protocol/control_records.ts'
import type {
  QuorumRecordAt,
  RaftApi,
  RaftConfig,
  RaftEffect,
  RaftInput,
  RaftReply,
  RaftRequest,
} from '../raft/contract.ts'
import type { SnapshotInfo } from '../raft/epochs.ts'
import { decodeQuorumState, encodeQuorumState } from '../raft/quorum_state.ts'
import { Raft } from '../raft/raft.ts'
import type { ControllerHost } from './controller_host.ts'
import { attempt } from './log_directory.ts'
import {
  decodeBatches,
  encodeRecords,
  epochsOf,
  listSnapshots,
  METADATA_DIRECTORY,
  METADATA_SLOT,
  type MetadataBatch,
  readLatestSnapshot,
  readLog,
  snapshotTimeMs,
} from './metadata_log.ts'
import { MetadataWriter } from './metadata_writer.ts'
import type { Done, Tickets } from './tickets.ts'
import type { Cancel, World } from './world.ts'

const QUORUM_STATE = 'quorum-state'
/** Between two looks for snapshots that are too old. */
const TRIM_MS = 60_000
const METADATA_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'

/** When the metadata log is summed up and trimmed; names as Kafka's configs. */
export interface SnapshotPolicy {
  /** metadata.log.max.record.bytes.between.snapshots */
  bytesBetween: number
  /** metadata.log.max.snapshot.interval.ms */
  intervalMs: number
  /** metadata.max.retention.bytes; negative: no limit. */
  retentionBytes: number
  /** metadata.max.retention.ms; negative: no limit. */
  retentionMs: number
}

export interface RaftHostOptions {
  world: World
  plane: DataPlane
  tickets: Tickets
  /** The directory that holds `__cluster_metadata-0`. */
  directory: string
  /** metadata.log.segment.bytes */
  segmentBytesMax: number
  /** metadata.log.segment.ms */
  segmentMs: number
  raft: RaftConfig
  snapshots: SnapshotPolicy
  controller: ControllerHost
  /** The committed image moved: once per batch of commits. */
  onPublish: (delta: MetadataDelta, image: MetadataImage) => void
  /** The node cannot go on. */
  onFatal: (problem: Error) => void
}

interface OpenRequest {
  readonly resolve: (response: never) => void
}

/** Raft, its log and its snapshots, in one process. */
export class RaftHost {
  private readonly options: RaftHostOptions
  private readonly raft: Raft
  private readonly startedAtMs: number
  /** Everything committed. */
  readonly image = new MetadataImage()
  /** Batches above the high watermark, in order. */
  private uncommitted: MetadataBatch[] = []
  private readonly requests = new Map<number, OpenRequest>()
  private nextTicket = 1
  private highWatermark = 0
  private logEndOffset = 0
  private ledEpoch = -1
  private snapshots: SnapshotInfo[] = []
  private readonly snapshotTimes = new WeakMap<SnapshotInfo, number | null>()
  private cancelTrim: Cancel = () => {}
  private bytesSinceSnapshot = 0
  private lastSnapshotMs = 0
  private cancelTimer: Cancel | null = null
  private timerAtMs = Number.POSITIVE_INFINITY
  private proposal: { baseOffset: number } | null = null
  private readonly writer: MetadataWriter
  private isStopped = false
  private isStepping = false
  private readonly inputs: RaftInput[] = []

  constructor(options: RaftHostOptions) {
    this.options = options
    const { clock, random } = options.world
    this.startedAtMs = clock.nowMs() - clock.monotonicUs() / 1000
    this.raft = new Raft(options.raft, random.fork())
    const { world, plane, tickets } = options
    this.writer = new MetadataWriter({
      world,
      plane,
      tickets,
      slot: METADATA_SLOT,
      onFlushed: (logEndOffset) => this.step({ kind: 'flushed', logEndOffset }),
      onFailed: (what, errorCode) => this.must(errorCode, what),
    })
  }

  /** Where the metadata log and its snapshots are. */
  get path(): string {
    return `${this.options.directory}/${METADATA_DIRECTORY}`
  }

  /** The kraft.version in force: the voters', which no record of the image tells. */
  get kraftVersion(): number {
    return this.raft.quorumBefore(Number.MAX_SAFE_INTEGER).kraftVersion
  }

  /** Reads the disk and starts the machine. Throws where the log holds what we do not understand. */
  async start(): Promise<void> {
    const { world, tickets } = this.options
    world.files.makeDirectory(this.path)
    this.snapshots = listSnapshots(world.files, this.path)
    const snapshot = readLatestSnapshot(world.files, this.path, this.snapshots)
    const opened = await this.openLog(snapshot)
    const { errorCode, c: errno } = opened
    if (errorCode !== 0)
      throw new Error(`cannot open ${this.path}: error ${errorCode}, errno ${errno}`)
    const { a: logStart, b: logEnd } = await this.reachSnapshot(opened, snapshot)
    const from = Math.max(logStart, snapshot?.endOffset ?? 0)
    const batches = await readLog(tickets, from, logEnd)
    this.logEndOffset = Math.max(logEnd, from)
    this.loadSnapshot(snapshot)
    this.uncommitted = batches
    this.lastSnapshotMs = world.clock.nowMs()
    this.trimLater()
    const state = world.files.read(`${this.path}/${QUORUM_STATE}`)
    this.step({
      kind: 'boot',
      quorumState: state && decodeQuorumState(new TextDecoder().decode(state)),
      logStartOffset: logStart,
      logEndOffset: this.logEndOffset,
      epochs: epochsOf(snapshot, batches),
      snapshots: this.snapshots,
      quorumRecords: quorumRecordsOf(snapshot, batches),
    })
  }

  /** A raft request of a peer, a broker or a tool. */
  request<A extends RaftApi>(
    api: A,
    version: number,
    listener: string,
    request: RaftRequest<A>,
  ): Promise<RaftReply<A>> {
    return new Promise((resolve) => {
      const ticket = this.nextTicket++
      this.requests.set(ticket, { resolve })
      this.step({ kind: 'request', ticket, api, version, listener, request } as RaftInput)
    })
  }

  /** Appends a controller's batch; false when this node does not lead the epoch. */
  propose(epoch: number, baseOffset: number, records: readonly MetadataRecord[]): boolean {
    this.proposal = null
    this.step({ kind: 'propose', ticket: 0, epoch, count: records.length, payload: records })
    const accepted = this.proposal as { baseOffset: number } | null
    if (accepted === null) return false
    if (accepted.baseOffset !== baseOffset) {
      this.fatal(new Error(`proposed at ${accepted.baseOffset}, decided for ${baseOffset}`))
    }
    return true
  }

  /** Stops stepping; the log itself is closed with the plane. */
  stop(): void {
    this.isStopped = true
    this.writer.stop()
    this.cancelTimer?.()
    this.cancelTrim()
  }

  private openLog(snapshot: Snapshot | null): Promise<Done> {
    const { directory, segmentBytesMax, segmentMs } = this.options
    return this.options.tickets.run((plane, ticket) =>
      plane.create(
        {
          slot: METADATA_SLOT,
          incarnation: 1,
          directory,
          topic: '__cluster_metadata',
          topicId: METADATA_TOPIC_ID,
          partition: 0,
          config: metadataLogConfig(segmentBytesMax, segmentMs),
          // Read from its first batch at every start, as Apache Kafka does: nothing is taken on trust.
          isCleanShutdown: false,
          recoveryPoint: 0,
          logStartOffset: 0,
          highWatermark: snapshot?.endOffset ?? 0,
          isWatched: false,
          isRaft: true,
        },
        ticket,
      ),
    )
  }

  /** A log that ends before the snapshot has lost its end, and begins anew behind it. Kafka: truncateToLatestSnapshot. */
  private async reachSnapshot(opened: Done, snapshot: Snapshot | null): Promise<Done> {
    const endOffset = snapshot?.endOffset ?? 0
    if (opened.b >= endOffset) return opened
    const { errorCode, a } = await this.options.tickets.run((plane, ticket) =>
      plane.trim(METADATA_SLOT, endOffset, ticket),
    )
    if (errorCode !== 0) throw new Error(`cannot trim ${this.path}: error ${errorCode}`)
    return { errorCode, a, b: a, c: opened.c }
  }

  private loadSnapshot(snapshot: Snapshot | null): void {
    if (snapshot === null) return
    const { endOffset, epoch, lastContainedLogTimestampMs, records } = snapshot
    this.highWatermark = endOffset
    if (endOffset === 0 && records.length === 0) return
    const offset = endOffset - 1
    this.image.load(records, { offset, epoch, timestampMs: lastContainedLogTimestampMs })
  }

  /** Inputs that arrive while the machine is stepped wait for their turn. */
  private step(input: RaftInput): void {
    if (this.isStopped) return
    this.inputs.push(input)
    if (this.isStepping) return
    this.isStepping = true
    try {
      for (let next = this.inputs.shift(); next !== undefined; next = this.inputs.shift()) {
        const effects: RaftEffect[] = []
        this.raft.step(next, this.steadyMs(), effects)
        for (const effect of effects) this.carryOut(effect)
      }
    } finally {
      this.isStepping = false
    }
    this.arm()
  }

  /** Wall time at start plus what has passed since: raft's time never goes back (promise 6). */
  private steadyMs(): number {
    return this.startedAtMs + this.options.world.clock.monotonicUs() / 1000
  }

  private arm(): void {
    const at = this.raft.wakeAtMs
    if (at === this.timerAtMs) return
    this.cancelTimer?.()
    this.cancelTimer = null
    this.timerAtMs = at
    if (!Number.isFinite(at)) return
    const { world } = this.options
    this.cancelTimer = world.schedule(Math.max(0, at - this.steadyMs()), () => {
      this.timerAtMs = Number.POSITIVE_INFINITY
      this.step({ kind: 'timer' })
    })
  }

  private carryOut(effect: RaftEffect): void {
    const { world, plane, controller } = this.options
    switch (effect.kind) {
      case 'persistQuorumState': {
        const text = encodeQuorumState(effect.state, effect.version, effect.voterIds)
        world.files.replace(`${this.path}/${QUORUM_STATE}`, new TextEncoder().encode(text))
        return
      }
      case 'append':
        return this.append(effect)
      case 'flush':
        return this.writer.flush(this.logEndOffset)
      case 'highWatermark':
        return this.commit(effect.offset, effect.epoch)
      case 'becameLeader':
        return controller.activate(effect.epoch, this.image, this.logEndOffset)
      case 'resigned':
        return controller.resign()
      case 'respond':
        return this.answer(effect.ticket, effect.response)
      case 'respondFetch':
        return this.answerFetch(effect)
      case 'respondSnapshot':
        return this.answerSnapshot(effect)
      case 'proposed':
        this.proposal = { baseOffset: effect.baseOffset }
        return
      case 'notLeader':
        return
      case 'truncate':
        this.uncommitted = this.uncommitted.filter(({ lastOffset }) => lastOffset < effect.offset)
        this.logEndOffset = effect.offset
        return this.options.tickets.call(
          (_, ticket) => plane.truncate(METADATA_SLOT, 0, effect.offset, ticket),
          ({ errorCode }) => this.must(errorCode, 'truncate the metadata log'),
        )
      case 'leaderChanged':
        world.log.info('metadata leader', { leader: effect.leaderId, epoch: effect.epoch })
        return
      case 'note':
        world.log.info(effect.text)
        return
      // Peers arrive with the cluster. Until then nobody can be reached: whoever claims to lead is
      // followed in vain for a fetch timeout, and then this voter leads again.
      case 'send':
        this.inputs.push({ kind: 'sendFailed', requestId: effect.requestId })
        return
      case 'appendFetched':
      case 'snapshotBegin':
      case 'snapshotWrite':
      case 'snapshotFinish':
      case 'snapshotAbort':
        this.fatal(new Error(`a quorum of several nodes is not built (${effect.kind})`))
    }
  }

  private append(effect: Extract<RaftEffect, { kind: 'append' }>): void {
    const { baseOffset, epoch, count, timestampMs, control } = effect
    const at = { baseOffset, epoch, timestampMs }
    const records = control === null ? (effect.payload as readonly MetadataRecord[]) : []
    const bytes = control === null ? encodeRecords(records, at) : encodeControlBatch(control, at)
    if (epoch !== this.ledEpoch) this.lead(epoch)
    const lastOffset = baseOffset + count - 1
    const batch = { ...at, lastOffset, bytes: bytes.length, records, control: control ?? [] }
    this.uncommitted.push(batch)
    this.logEndOffset = lastOffset + 1
    this.writer.append(epoch, bytes)
  }

  /** The plane takes appends only in an epoch that it was told of. */
  private lead(leaderEpoch: number): void {
    const only = [this.options.raft.nodeId]
    this.ledEpoch = leaderEpoch
    const where = { slot: METADATA_SLOT, leaderEpoch, partitionEpoch: 0 }
    this.options.plane.lead({ ...where, replicas: only, isr: only })
  }

  /** Everything below `offset` is true: the image learns it, then whoever waited for it. */
  private commit(offset: number, epoch: number): void {
    if (offset <= this.highWatermark) return
    this.highWatermark = offset
    this.options.plane.setHighWatermark(METADATA_SLOT, epoch, offset)
    let count = 0
    for (const batch of this.uncommitted) {
      if (batch.lastOffset >= offset) break
      this.apply(batch)
      count++
    }
    this.uncommitted.splice(0, count)
    if (!this.image.isInTransaction) this.options.onPublish(this.image.publish(), this.image)
    this.options.controller.committed(offset)
    this.maybeSnapshot()
  }

  private apply({
    baseOffset,
    epoch,
    timestampMs,
    records,
    lastOffset,
    bytes,
  }: MetadataBatch): void {
    for (const [index, record] of records.entries()) {
      this.image.apply(record, baseOffset + index, epoch, timestampMs)
    }
    if (records.length === 0) this.image.advance(lastOffset, epoch, timestampMs)
    this.bytesSinceSnapshot += bytes
  }

  private answer(ticket: number, response: unknown): void {
    const request = this.requests.get(ticket)
    this.requests.delete(ticket)
    request?.resolve(response as never)
  }

  private answerFetch(effect: Extract<RaftEffect, { kind: 'respondFetch' }>): void {
    const { ticket, response, offset, endOffset, bytesMax } = effect
    const { tickets } = this.options
    tickets
      .read((plane, id) => plane.read(METADATA_SLOT, offset, bytesMax, id))
      .then(({ bytes }) => {
        const whole = decodeBatches(bytes).filter((batch) => batch.lastOffset < endOffset)
        const length = whole.reduce((sum, batch) => sum + batch.bytes, 0)
        const topic = response.responses![0]!
        const partition = { ...topic.partitions![0]!, records: bytes.subarray(0, length) }
        this.answer(ticket, { ...response, responses: [{ ...topic, partitions: [partition] }] })
      })
      .catch((problem: Error) => this.fatal(problem))
  }

  private answerSnapshot(effect: Extract<RaftEffect, { kind: 'respondSnapshot' }>): void {
    const { ticket, response, snapshot, position, bytesMax } = effect
    const name = snapshotFileName(snapshot.offset, snapshot.epoch)
    const file = this.options.world.files.read(`${this.path}/${name}`)
    const unalignedRecords = file?.subarray(position, position + bytesMax) ?? new Uint8Array(0)
    const topic = response.topics![0]!
    const partition = { ...topic.partitions![0]!, unalignedRecords }
    this.answer(ticket, { ...response, topics: [{ ...topic, partitions: [partition] }] })
  }

  private maybeSnapshot(): void {
    const { world, snapshots } = this.options
    // Before the bootstrap there is nothing to sum up; inside a transaction nothing is true yet.
    const isSettled = this.image.features.metadataVersion !== undefined
    if (!isSettled || this.image.isInTransaction) return
    const isLarge = this.bytesSinceSnapshot >= snapshots.bytesBetween
    const age = world.clock.nowMs() - this.lastSnapshotMs
    const isOld = snapshots.intervalMs > 0 && age >= snapshots.intervalMs
    if (isLarge || isOld) this.snapshot()
  }

  /** Writes a snapshot of everything committed, then lets go of what it made superfluous. */
  snapshot(): void {
    const { world } = this.options
    const { offset, epoch, timestampMs } = this.image.provenance
    const endOffset = offset + 1
    this.bytesSinceSnapshot = 0
    this.lastSnapshotMs = world.clock.nowMs()
    if (this.snapshots.some((known) => known.offset >= endOffset)) return
    const quorum = this.raft.quorumBefore(endOffset)
    const bytes = encodeSnapshot(
      {
        endOffset,
        epoch,
        lastContainedLogTimestampMs: timestampMs,
        kraftVersion: quorum.kraftVersion,
        voters: quorum.kraftVersion > 0 ? quorum.voters.toRecord() : null,
        records: this.image.toRecords(),
      },
      world.clock.nowMs(),
    )
    const written = attempt(() =>
      world.files.replace(`${this.path}/${snapshotFileName(endOffset, epoch)}`, bytes),
    )
    if (!written.ok) {
      // The log has all of it; a later snapshot will do.
      if (!written.isPassing) throw written.problem
      return world.log.warn('no room for a snapshot of the metadata', { why: written.why })
    }
    const info = { offset: endOffset, epoch, bytes: bytes.length }
    this.snapshots.push(info)
    this.step({ kind: 'snapshotCreated', snapshot: info })
    this.trim()
  }

  /** Drops the oldest snapshots, and the log below the oldest that is kept, as retention says. */
  private trim(): void {
    const { plane, world, snapshots: policy, tickets } = this.options
    const row = plane.partition(METADATA_SLOT)
    let bytes = row.bytes + this.snapshots.reduce((sum, snapshot) => sum + snapshot.bytes, 0)
    const isLarge = () => policy.retentionBytes >= 0 && bytes > policy.retentionBytes
    // The newest stays, however old.
    while (this.snapshots.length > 1 && (isLarge() || this.isOld(this.snapshots[0]!))) {
      const dropped = this.snapshots.shift()!
      world.files.remove(`${this.path}/${snapshotFileName(dropped.offset, dropped.epoch)}`)
      bytes -= dropped.bytes
    }
    const oldest = this.snapshots[0]!.offset
    if (oldest <= row.logStartOffset) return
    tickets.call(
      (_, ticket) => plane.trim(METADATA_SLOT, oldest, ticket),
      ({ errorCode, a }) => {
        if (this.must(errorCode, 'trim the metadata log')) {
          this.step({ kind: 'logTrimmed', logStartOffset: a, snapshots: this.snapshots })
        }
      },
    )
  }

  /** Files of earlier runs are opened to tell; each is asked about until it goes. */
  private isOld(snapshot: SnapshotInfo): boolean {
    const { world, snapshots: policy } = this.options
    if (policy.retentionMs < 0) return false
    let timeMs = this.snapshotTimes.get(snapshot)
    if (timeMs === undefined) {
      timeMs = snapshotTimeMs(world.files, this.path, snapshot)
      this.snapshotTimes.set(snapshot, timeMs)
    }
    return timeMs !== null && world.clock.nowMs() - timeMs > policy.retentionMs
  }

  private trimLater(): void {
    this.cancelTrim = this.options.world.schedule(TRIM_MS, () => {
      if (this.snapshots.length > 1) this.trim()
      this.trimLater()
    })
  }

  private must(errorCode: number, what: string): boolean {
    if (errorCode !== 0) this.fatal(new Error(`cannot ${what}: error ${errorCode}`))
    return errorCode === 0
  }

  private fatal(problem: Error): void {
    if (this.isStopped) return
    this.stop()
    this.options.onFatal(problem)
  }
}

function metadataLogConfig(segmentBytesMax: number, segmentMs: number): PartitionConfig {
  const never = Number.MAX_SAFE_INTEGER
  return {
    segmentBytesMax,
    segmentMs,
    segmentIndexBytesMax: 10 << 20,
    indexIntervalBytes: 4096,
    messageBytesMax: 0x7fffffff,
    minInsyncReplicas: 1,
    compacted: false,
    isLogAppendTime: false,
    timestampBeforeMsMax: never,
    timestampAfterMsMax: never,
    preallocate: false,
    flushMessages: never,
    flushMs: never,
  }
}

function quorumRecordsOf(
  snapshot: Snapshot | null,
  batches: readonly MetadataBatch[],
): QuorumRecordAt[] {
  const out: QuorumRecordAt[] = []
  if (snapshot !== null && snapshot.kraftVersion > 0) {
    const offset = snapshot.endOffset - 1
    const version = { version: 0, kRaftVersion: snapshot.kraftVersion }
    out.push({ offset, record: { type: 'kraftVersion', value: version } })
    if (snapshot.voters !== null) {
      out.push({ offset, record: { type: 'voters', value: snapshot.voters } })
    }
  }
  for (const { baseOffset, control } of batches) {
    for (const [index, record] of control.entries()) {
      if (record.type !== 'kraftVersion' && record.type !== 'voters') continue
      out.push({ offset: baseOffset + index, record })
    }
  }
  return out
}
