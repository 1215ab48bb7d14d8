// What the machine knows of its log: where it begins and ends, which epoch began where, and which
// snapshots exist. The bytes are the host's; this is enough to answer "where do we diverge?".
//
// Invariants: epochs and their start offsets both grow; logStartOffset <= flushedOffset <=
// logEndOffset. The end offset moves when an append is ordered, the flushed one when it is done.
// Kafka: LeaderEpochFileCache, KafkaMetadataLog, ReplicatedLog.validateOffsetAndEpoch.

import { assert } from '../lib/assert.ts'

/** An epoch and the first offset written in it. */
export interface EpochStart {
  readonly epoch: number
  readonly startOffset: number
}

/** A position and the epoch of the record before it; also what names a snapshot. */
export interface OffsetAndEpoch {
  readonly offset: number
  readonly epoch: number
}

/** A complete snapshot on disk: it contains everything below `offset`. */
export interface SnapshotInfo extends OffsetAndEpoch {
  readonly bytes: number
}

/** The verdict on a follower's position. */
export type Position =
  | { readonly kind: 'valid' }
  | { readonly kind: 'diverging'; readonly end: OffsetAndEpoch }
  | { readonly kind: 'snapshot'; readonly id: OffsetAndEpoch }

const SNAPSHOTS_MAX = 1000

/** The machine's view of the log. */
export class LogView {
  logStartOffset: number
  logEndOffset: number
  flushedOffset: number
  private epochs: EpochStart[]
  /** Ascending by offset. */
  private snapshots: SnapshotInfo[]

  constructor(facts: {
    logStartOffset: number
    logEndOffset: number
    epochs: readonly EpochStart[]
    snapshots: readonly SnapshotInfo[]
  }) {
    this.logStartOffset = facts.logStartOffset
    this.logEndOffset = facts.logEndOffset
    this.flushedOffset = facts.logEndOffset
    this.epochs = [...facts.epochs]
    this.snapshots = [...facts.snapshots].sort(byOffset)
    assert(this.logStartOffset <= this.logEndOffset, 'log: it ends before it starts')
  }

  /** The epoch of the last record, in the log or else in the snapshot before it; 0 for neither. */
  get lastEpoch(): number {
    return this.epochs.at(-1)?.epoch ?? this.latestSnapshot?.epoch ?? 0
  }

  get end(): OffsetAndEpoch {
    return { offset: this.logEndOffset, epoch: this.lastEpoch }
  }

  get latestSnapshot(): SnapshotInfo | undefined {
    return this.snapshots.at(-1)
  }

  get earliestSnapshot(): SnapshotInfo | undefined {
    return this.snapshots[0]
  }

  findSnapshot(id: OffsetAndEpoch): SnapshotInfo | undefined {
    return this.snapshots.find((known) => known.offset === id.offset && known.epoch === id.epoch)
  }

  /** Says that records of an epoch now reach up to an offset (exclusive). */
  append(epoch: number, baseOffset: number, endOffset: number): void {
    assert(
      baseOffset === this.logEndOffset,
      `log: append at ${baseOffset}, end ${this.logEndOffset}`,
    )
    assert(endOffset > baseOffset && epoch >= this.lastEpoch, 'log: an append that goes back')
    if ((this.epochs.at(-1)?.epoch ?? -1) < epoch)
      this.epochs.push({ epoch, startOffset: baseOffset })
    this.logEndOffset = endOffset
  }

  /** Cuts everything at and above an offset: truncate(31) on [10,30][31,100] leaves [10,30]. */
  truncate(offset: number): void {
    assert(offset >= this.logStartOffset, `log: truncation to ${offset} below the start`)
    this.logEndOffset = Math.min(this.logEndOffset, offset)
    this.flushedOffset = Math.min(this.flushedOffset, offset)
    this.epochs = this.epochs.filter((entry) => entry.startOffset < offset)
  }

  /** The log was replaced by a snapshot and begins, empty, at its end. */
  reset(snapshot: SnapshotInfo): void {
    this.logStartOffset = snapshot.offset
    this.logEndOffset = snapshot.offset
    this.flushedOffset = snapshot.offset
    this.epochs = []
    this.snapshots = [snapshot]
  }

  addSnapshot(snapshot: SnapshotInfo): void {
    if (this.findSnapshot(snapshot) !== undefined) return
    this.snapshots = [...this.snapshots, snapshot].sort(byOffset)
    assert(this.snapshots.length <= SNAPSHOTS_MAX, 'log: snapshots are never deleted')
  }

  /** Records below an offset are gone, and so are the snapshots that are not listed. */
  trim(logStartOffset: number, snapshots: readonly SnapshotInfo[]): void {
    assert(logStartOffset <= this.logEndOffset, 'log: trimmed beyond its end')
    this.logStartOffset = Math.max(this.logStartOffset, logStartOffset)
    this.snapshots = [...snapshots].sort(byOffset)
    const keep = this.epochs.findLastIndex((entry) => entry.startOffset <= this.logStartOffset)
    if (keep < 0) return
    const first = { epoch: this.epochs[keep]!.epoch, startOffset: this.logStartOffset }
    this.epochs = [first, ...this.epochs.slice(keep + 1)]
    if (this.logStartOffset === this.logEndOffset) this.epochs = []
  }

  /** The largest epoch not above the given one, and where it ends. */
  endOffsetForEpoch(epoch: number): OffsetAndEpoch {
    const found = this.cachedEnd(epoch)
    if (found === undefined) return this.end
    const first = this.earliestSnapshot
    if (first !== undefined && found.offset === first.offset && found.epoch === epoch) {
      return { offset: first.offset, epoch: first.epoch }
    }
    return found
  }

  /** May a follower whose last record has this epoch and ends here fetch on, or must it cut back? */
  validate(offset: number, epoch: number): Position {
    if (this.logStartOffset === 0 && offset === 0 && epoch === 0) return { kind: 'valid' }
    const first = this.earliestSnapshot
    if (first !== undefined) {
      const before = offset < this.logStartOffset || epoch < first.epoch
      const atStart = offset === this.logStartOffset && epoch !== first.epoch
      if (before || atStart) return { kind: 'snapshot', id: this.latestSnapshot! }
    }
    const end = this.endOffsetForEpoch(epoch)
    if (end.epoch !== epoch || end.offset < offset) return { kind: 'diverging', end }
    return { kind: 'valid' }
  }

  /** Where to cut so that the log agrees with a leader that told where its epoch ends. */
  truncationOffset(leaderEnd: OffsetAndEpoch): number {
    if (leaderEnd.epoch === 0) return leaderEnd.offset
    const local = this.endOffsetForEpoch(leaderEnd.epoch)
    return local.epoch === leaderEnd.epoch ? Math.min(local.offset, leaderEnd.offset) : local.offset
  }

  private cachedEnd(epoch: number): OffsetAndEpoch | undefined {
    const last = this.epochs.at(-1)
    if (last === undefined) return undefined
    if (last.epoch === epoch) return { offset: this.logEndOffset, epoch }
    const higher = this.epochs.find((entry) => entry.epoch > epoch)
    if (higher === undefined) return undefined
    const floor = this.epochs.findLast((entry) => entry.epoch <= epoch)
    return { offset: higher.startOffset, epoch: floor?.epoch ?? epoch }
  }
}

function byOffset(x: OffsetAndEpoch, y: OffsetAndEpoch): number {
  return x.offset - y.offset || x.epoch - y.epoch
}
