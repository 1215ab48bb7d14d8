// The disk of a simulated controller: a log of batches, quorum-state, snapshots.
//
// What a crash leaves is what was flushed plus a random part of what came after, in order: appends
// and truncations that were not flushed may or may not have reached the disk. quorum-state is
// replaced whole or not at all.

import type { Random } from '../../../src/lib/random.ts'
import { decodeControlRecord } from '../../../src/protocol/control_records.ts'
import { batchesOf, recordsOf } from '../../../src/protocol/record_batch.ts'
import type { SnapshotInfo } from '../../../src/raft/epochs.ts'
import { decodeQuorumState } from '../../../src/raft/quorum_state.ts'
import type { BootInput, QuorumRecordAt } from '../../../src/raft/raft.ts'
import type { QuorumRecord } from '../../../src/raft/voters.ts'

export interface Batch {
  readonly baseOffset: number
  readonly endOffset: number
  readonly epoch: number
  readonly bytes: Uint8Array
}

export interface SnapshotFile extends SnapshotInfo {
  readonly quorum: readonly QuorumRecord[]
}

type Change = (log: Log) => Log
interface Log {
  readonly startOffset: number
  readonly batches: readonly Batch[]
}

const endOf = (log: Log) => log.batches.at(-1)?.endOffset ?? log.startOffset

export class Disk {
  quorumState: string | null = null
  snapshots: SnapshotFile[]
  private durable: Log = { startOffset: 0, batches: [] }
  private pending: Change[] = []
  private live: Log = this.durable

  constructor(bootstrap: SnapshotFile) {
    this.snapshots = [bootstrap]
  }

  get endOffset(): number {
    return endOf(this.live)
  }

  get startOffset(): number {
    return this.live.startOffset
  }

  append(bytes: Uint8Array): void {
    const added = [...batchesOf(bytes)].map((header) => ({
      baseOffset: header.baseOffset,
      endOffset: header.lastOffset + 1,
      epoch: header.partitionLeaderEpoch,
      bytes: bytes.slice(header.position, header.position + header.sizeInBytes),
    }))
    if (added[0]?.baseOffset !== this.endOffset) throw new Error('sim: an append with a gap')
    this.change((log) => ({ ...log, batches: [...log.batches, ...added] }))
  }

  truncate(offset: number): void {
    this.change((log) => ({
      ...log,
      batches: log.batches.filter((batch) => batch.endOffset <= offset),
    }))
    if (this.endOffset !== offset) throw new Error(`sim: cut at ${offset} inside of a batch`)
  }

  /** How much must be flushed for everything so far to be durable. */
  get mark(): number {
    return this.pending.length
  }

  /** Makes everything durable; a flush in progress may see later changes too. */
  flush(): void {
    this.durable = this.live
    this.pending = []
  }

  /** The log is replaced by a snapshot, durably. */
  install(snapshot: SnapshotFile): void {
    this.snapshots = [snapshot]
    this.live = { startOffset: snapshot.offset, batches: [] }
    this.flush()
  }

  /** Removes whole batches below an offset, durably, and snapshots but the latest. */
  trim(startOffset: number): void {
    const cut = (log: Log): Log => ({
      startOffset: Math.min(startOffset, endOf(log)),
      batches: log.batches.filter((batch) => batch.baseOffset >= startOffset),
    })
    this.flush()
    this.durable = cut(this.durable)
    this.live = this.durable
    this.snapshots = this.snapshots.slice(-1)
  }

  /** The power goes. */
  crash(random: Random): void {
    const kept = random.nextInt(this.pending.length + 1)
    this.live = this.pending.slice(0, kept).reduce((log, change) => change(log), this.durable)
    this.flush()
  }

  batches(): readonly Batch[] {
    return this.live.batches
  }

  /** Whole batches from an offset on, at least one. */
  read(offset: number, endOffset: number, bytesMax: number): Uint8Array {
    const parts: Uint8Array[] = []
    let bytes = 0
    for (const batch of this.live.batches) {
      if (batch.endOffset <= offset || batch.endOffset > endOffset) continue
      if (parts.length > 0 && bytes + batch.bytes.length > bytesMax) break
      parts.push(batch.bytes)
      bytes += batch.bytes.length
    }
    return Buffer.concat(parts)
  }

  boot(): BootInput {
    const epochs: { epoch: number; startOffset: number }[] = []
    for (const { epoch, baseOffset } of this.live.batches) {
      if (epochs.at(-1)?.epoch !== epoch) epochs.push({ epoch, startOffset: baseOffset })
    }
    const state = this.quorumState
    return {
      kind: 'boot',
      quorumState: state === null ? null : decodeQuorumState(state),
      logStartOffset: this.live.startOffset,
      logEndOffset: this.endOffset,
      epochs,
      snapshots: this.snapshots,
      quorumRecords: this.quorumRecords(this.endOffset),
    }
  }

  /** What the latest snapshot and the log below an offset say about the quorum. */
  quorumRecords(endOffset: number): QuorumRecordAt[] {
    const snapshot = this.snapshots.at(-1)!
    const out: QuorumRecordAt[] = snapshot.quorum.map((record) => ({
      offset: snapshot.offset - 1,
      record,
    }))
    for (const batch of this.live.batches) {
      if (batch.baseOffset < snapshot.offset || batch.endOffset > endOffset) continue
      for (const header of batchesOf(batch.bytes)) {
        if (!header.isControl) continue
        for (const logRecord of recordsOf(batch.bytes, header)) {
          const record = decodeControlRecord(logRecord)
          if (record.type === 'kraftVersion' || record.type === 'voters') {
            out.push({ offset: logRecord.offset, record })
          }
        }
      }
    }
    return out
  }

  private change(change: Change): void {
    this.pending.push(change)
    this.live = change(this.live)
  }
}
