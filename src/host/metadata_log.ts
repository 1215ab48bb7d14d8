// The metadata log as it stands on disk at boot: the newest whole snapshot and every batch above it, decoded.
//
// Invariant: nothing unknown is skipped. A record of a type or version that we do not know stops the start, and so
// does a batch that does not follow the one before it; a snapshot without its footer is not a snapshot.
// Kafka: KafkaMetadataLog.apply, KafkaRaftClient.initialize, RecordsBatchReader.

import {
  decodeMetadataRecord,
  encodeMetadataRecord,
  type MetadataRecord,
} from '../metadata/record.ts'
import {
  BOOTSTRAP_FILE_NAME,
  decodeSnapshot,
  lastContainedTimestampMs,
  parseSnapshotFileName,
  type Snapshot,
  snapshotFileName,
} from '../metadata/snapshot.ts'
import type { Slot } from '../plane/plane.ts'
import { type ControlRecord, decodeControlRecord } from '../protocol/control_records.ts'
import { type BatchHeader, batchesOf, encodeBatch, recordsOf } from '../protocol/record_batch.ts'
import type { EpochStart, SnapshotInfo } from '../raft/epochs.ts'
import type { Tickets } from './tickets.ts'
import type { Files } from './world.ts'

export const METADATA_SLOT: Slot = 0
export const METADATA_DIRECTORY = '__cluster_metadata-0'
const READ_BYTES = 1 << 20

/** One batch: metadata records, or control records. */
export interface MetadataBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly epoch: number
  readonly timestampMs: number
  readonly bytes: number
  readonly records: readonly MetadataRecord[]
  readonly control: readonly ControlRecord[]
}

/** Reads every whole batch of `bytes`. */
export function decodeBatches(bytes: Uint8Array): MetadataBatch[] {
  return [...batchesOf(bytes, true)].map((batch) => decodeOne(bytes, batch))
}

function decodeOne(bytes: Uint8Array, batch: BatchHeader): MetadataBatch {
  const records: MetadataRecord[] = []
  const control: ControlRecord[] = []
  for (const record of recordsOf(bytes, batch)) {
    if (batch.isControl) control.push(decodeControlRecord(record))
    else records.push(decodeMetadataRecord(record.value ?? new Uint8Array(0)))
  }
  return {
    baseOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    epoch: batch.partitionLeaderEpoch,
    timestampMs: Number(batch.maxTimestamp),
    bytes: batch.sizeInBytes,
    records,
    control,
  }
}

/** One batch of metadata records, as the leader of `epoch` writes it. */
export function encodeRecords(
  records: readonly MetadataRecord[],
  at: { baseOffset: number; epoch: number; timestampMs: number },
): Uint8Array {
  return encodeBatch({
    records: records.map((record) => ({ value: encodeMetadataRecord(record) })),
    baseOffset: at.baseOffset,
    partitionLeaderEpoch: at.epoch,
    timestamp: at.timestampMs,
  })
}

/** Snapshot files on disk, oldest first; leftovers of unfinished ones are removed. */
export function listSnapshots(files: Files, directory: string): SnapshotInfo[] {
  const out: SnapshotInfo[] = []
  for (const name of files.list(directory)) {
    const id = parseSnapshotFileName(name)
    if (id !== undefined) {
      const bytes = files.read(`${directory}/${name}`)?.length ?? 0
      out.push({ offset: id.endOffset, epoch: id.epoch, bytes })
    } else if (/\.checkpoint\.(part|tmp)$/.test(name)) files.remove(`${directory}/${name}`)
  }
  return out.sort((a, b) => a.offset - b.offset || a.epoch - b.epoch)
}

/** The newest snapshot, or null when there is none. */
export function readLatestSnapshot(
  files: Files,
  directory: string,
  snapshots: readonly SnapshotInfo[],
): Snapshot | null {
  const latest = snapshots.at(-1)
  if (latest === undefined) return null
  const id = { endOffset: latest.offset, epoch: latest.epoch }
  const bytes = files.read(`${directory}/${snapshotFileName(id.endOffset, id.epoch)}`)
  return decodeSnapshot(bytes!, id)
}

/** The time of the newest record in a snapshot, ms; null when the file does not say. */
export function snapshotTimeMs(
  files: Files,
  directory: string,
  { offset, epoch }: SnapshotInfo,
): number | null {
  const bytes = files.read(`${directory}/${snapshotFileName(offset, epoch)}`)
  return bytes && lastContainedTimestampMs(bytes)
}

/** What `format` left for a log that is still empty; null when the file is missing. */
export function readBootstrap(files: Files, directory: string): MetadataRecord[] | null {
  const bytes = files.read(`${directory}/${BOOTSTRAP_FILE_NAME}`)
  return bytes && decodeSnapshot(bytes, { endOffset: 0, epoch: 0 }).records
}

/** Every batch from `from` to the log end. */
export async function readLog(
  tickets: Tickets,
  from: number,
  logEndOffset: number,
): Promise<MetadataBatch[]> {
  const out: MetadataBatch[] = []
  let offset = from
  while (offset < logEndOffset) {
    const { errorCode, bytes } = await tickets.read((plane, ticket) =>
      plane.read(METADATA_SLOT, offset, READ_BYTES, ticket),
    )
    if (errorCode !== 0) throw new Error(`cannot read the metadata log at ${offset}: ${errorCode}`)
    const batches = decodeBatches(bytes)
    const last = batches.at(-1)
    if (last === undefined || last.lastOffset < offset) {
      throw new Error(`the metadata log has no batch at offset ${offset}`)
    }
    out.push(...batches.filter(({ lastOffset }) => lastOffset >= offset))
    offset = last.lastOffset + 1
  }
  return out
}

/** Which epoch began where, from batches in order. */
export function epochsOf(
  snapshot: Snapshot | null,
  batches: readonly MetadataBatch[],
): EpochStart[] {
  const out: EpochStart[] = []
  if (snapshot !== null && snapshot.endOffset > 0) {
    out.push({ epoch: snapshot.epoch, startOffset: snapshot.endOffset })
  }
  for (const { epoch, baseOffset } of batches) {
    if (epoch > (out.at(-1)?.epoch ?? -1)) out.push({ epoch, startOffset: baseOffset })
  }
  return out
}
