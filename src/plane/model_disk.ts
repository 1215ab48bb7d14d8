// ModelDisk: what a machine keeps when the process on it ends. Partitions' segments, epoch checkpoints and
// what a clean close left of producers; batches know whether they were synced.
//
// Invariant: `syncedOffset` bounds what `crash` may take away; a kill of the process alone takes nothing,
// because the page cache survives it. Give the same disk to a new ModelPlane and the machine has restarted.

import type { Random } from '../lib/random.ts'
import type { CompletedTransaction, ProducerSnapshot } from './model_producers.ts'

/** One record batch as it lies in a segment. */
export interface StoredBatch {
  readonly bytes: Uint8Array
  readonly baseOffset: number
  readonly lastOffset: number
  readonly leaderEpoch: number
  readonly maxTimestamp: bigint
  /** Once it was cleaned with tombstones or a marker to go: when they go. */
  readonly horizonMs?: number
}

/** A segment: its base offset and its batches in offset order. */
export interface StoredSegment {
  readonly baseOffset: number
  readonly createdMs: number
  /** When the last batch came. */
  modifiedMs: number
  /** How much sooner than segment.ms it ends. */
  readonly jitterMs: number
  batches: StoredBatch[]
  /** Transactions that ended here with an abort; the transaction index. */
  aborted?: CompletedTransaction[]
}

/** An empty one, made now. */
export function newSegment(baseOffset: number, nowMs: number, jitterMs = 0): StoredSegment {
  return { baseOffset, createdMs: nowMs, modifiedMs: nowMs, jitterMs, batches: [] }
}

/** A leader epoch and the offset where it began. */
export interface EpochEntry {
  readonly epoch: number
  startOffset: number
}

/** What one partition's directory holds. */
export interface StoredLog {
  readonly directory: string
  readonly topic: string
  readonly partition: number
  topicId: string
  segments: StoredSegment[]
  epochs: EpochEntry[]
  /** Everything below it survives the loss of power. */
  syncedOffset: number
  /** Bytes of a batch that was being written when power went: recovery cuts them. */
  tornBytes: number
  /** Closed with everything synced and producers written down. */
  isClean: boolean
  producers: ProducerSnapshot | null
}

/** The files of one machine, in memory. */
export class ModelDisk {
  readonly #logs = new Map<string, StoredLog>()
  readonly #failed = new Map<string, number>()

  /** The partition's directory; made, with one empty segment at `startOffset`, when it is not there. */
  open(name: LogName, startOffset: number, nowMs: number): StoredLog {
    const found = this.#logs.get(keyOf(name))
    if (found !== undefined) return found
    const log: StoredLog = {
      directory: name.directory,
      topic: name.topic,
      partition: name.partition,
      topicId: name.topicId,
      segments: [newSegment(startOffset, nowMs)],
      epochs: [],
      syncedOffset: startOffset,
      tornBytes: 0,
      isClean: true,
      producers: null,
    }
    this.#logs.set(keyOf(name), log)
    return log
  }

  /** Deletes a partition's directory. */
  remove(name: LogName): void {
    this.#logs.delete(keyOf(name))
  }

  /** Every partition directory, oldest first: what a start would find. */
  logs(): readonly StoredLog[] {
    return [...this.#logs.values()]
  }

  /** Power is lost: each partition keeps a random prefix of what was not synced, perhaps a torn batch. */
  crash(random: Random): void {
    for (const log of this.#logs.values()) {
      log.isClean = false
      const unsynced = log.segments.flatMap((segment) => segment.batches)
      const first = unsynced.findIndex((batch) => batch.baseOffset >= log.syncedOffset)
      if (first < 0) continue
      const kept = random.nextInt(first, unsynced.length + 1)
      if (kept === unsynced.length) continue
      const lost = unsynced[kept]!
      log.tornBytes = random.nextInt(lost.bytes.length)
      dropFrom(log, lost.baseOffset)
    }
  }

  /** From now on every write under `directory` fails with `errno`. */
  fail(directory: string, errno: number): void {
    this.#failed.set(directory, errno)
  }

  /** The directory works again; partitions come back with the next start. */
  heal(directory: string): void {
    this.#failed.delete(directory)
  }

  /** The errno that writes under `directory` meet, 0 when they succeed. */
  errnoOf(directory: string): number {
    return this.#failed.get(directory) ?? 0
  }
}

/** Names a partition's directory. */
export interface LogName {
  readonly directory: string
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  /** Of the directory in there; `<topic>-<partition>` when left out. */
  readonly name?: string
}

const keyOf = ({ directory, name, topic, partition }: LogName): string =>
  `${directory}/${name ?? `${topic}-${partition}`}`

/** Removes batches at and above `offset`, and segments that begin above it; one segment always stays. */
export function dropFrom(log: StoredLog, offset: number): void {
  for (const segment of log.segments) {
    segment.batches = segment.batches.filter((batch) => batch.lastOffset < offset)
    segment.aborted = segment.aborted?.filter(({ lastOffset }) => lastOffset < offset) ?? []
  }
  const kept = log.segments.filter((segment) => segment.baseOffset <= offset)
  log.segments = kept.length > 0 ? kept : log.segments.slice(0, 1)
  log.syncedOffset = Math.min(log.syncedOffset, offset)
}
