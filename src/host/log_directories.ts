// Log directories: which are ours, what their checkpoints say, where a new partition goes, and the marks that tell
// the next start how this one ended.
//
// Files at the top of each directory, all Kafka's: meta.properties, recovery-point-offset-checkpoint,
// log-start-offset-checkpoint, replication-offset-checkpoint, .kafka_cleanshutdown, .lock. (docs/STORAGE.md)
// Invariant: a checkpoint is replaced whole or not at all, and never claims more than the plane has published.
// Kafka: LogManager, OffsetCheckpointFile, CleanShutdownFileHandler.

import { uuidToBytes } from '../lib/uuid.ts'
import type { DataPlane, PartitionRow } from '../plane/plane.ts'
import { METADATA_DIRECTORY } from './metadata_log.ts'
import type { Files } from './world.ts'

/** What a partition should be opened with. */
export interface Place {
  directory: string
  isCleanShutdown: boolean
  recoveryPoint: number
  logStartOffset: number
  highWatermark: number
}

/** A partition as checkpoints need it. */
export interface Checkpointed {
  slot: number
  topic: string
  partition: number
  directory: string
}

const RECOVERY_POINT = 'recovery-point-offset-checkpoint'
const LOG_START = 'log-start-offset-checkpoint'
const HIGH_WATERMARK = 'replication-offset-checkpoint'
const CHECKPOINTS = {
  recoveryPoints: { file: RECOVERY_POINT, of: (row: PartitionRow) => row.recoveryPoint },
  logStarts: { file: LOG_START, of: (row: PartitionRow) => row.logStartOffset },
  highWatermarks: { file: HIGH_WATERMARK, of: (row: PartitionRow) => row.highWatermark },
} as const

/** What a checkpoint file is about. */
export type CheckpointKind = keyof typeof CHECKPOINTS
const KINDS = Object.keys(CHECKPOINTS) as CheckpointKind[]
const CLEANER_OFFSETS = 'cleaner-offset-checkpoint'
const CLEAN_SHUTDOWN = '.kafka_cleanshutdown'

const NAME_LENGTH_MAX = 255
const NO_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

type Offsets = Map<string, number>

interface Directory {
  readonly path: string
  readonly id: string
  readonly isCleanShutdown: boolean
  readonly recoveryPoints: Offsets
  readonly logStarts: Offsets
  readonly highWatermarks: Offsets
  /** Partition directories found at start, by name. */
  readonly existing: Set<string>
  /** Partitions that were given a place here, by name. */
  readonly placed: Set<string>
  /** What each checkpoint says on the disk; without those that are missing or cannot be read. */
  readonly onDisk: Map<string, Offsets>
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** The text of an offset checkpoint: version 0, a count, then `topic partition offset` lines. */
export function encodeCheckpoint(offsets: Iterable<readonly [string, number]>): Uint8Array {
  const lines = [...offsets].map(([name, offset]) => {
    const dash = name.lastIndexOf('-')
    return `${name.slice(0, dash)} ${name.slice(dash + 1)} ${offset}`
  })
  return encoder.encode(['0', String(lines.length), ...lines, ''].join('\n'))
}

/** Reads a checkpoint; null when it is not one (the caller then trusts nothing). */
export function decodeCheckpoint(bytes: Uint8Array): Offsets | null {
  const lines = decoder.decode(bytes).split('\n')
  const count = Number(lines[1])
  if (lines[0]?.trim() !== '0' || !Number.isInteger(count) || lines.length < count + 2) return null
  const out: Offsets = new Map()
  for (const line of lines.slice(2, 2 + count)) {
    const [topic, partition, offset] = line.trim().split(/\s+/)
    const value = Number(offset)
    if (topic === undefined || partition === undefined || !Number.isSafeInteger(value)) return null
    out.set(`${topic}-${partition}`, value)
  }
  return out
}

/** `topic-0` becomes `topic-0.<32 digits>-stray`; a topic's name too long for that is cut, as Kafka does. */
function strayName(name: string, topicId: string | null): string {
  const dash = name.lastIndexOf('-')
  const bytes = uuidToBytes(topicId ?? NO_TOPIC_ID)
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  const suffix = `${name.slice(dash)}.${digits}-stray`
  return `${name.slice(0, Math.min(dash, NAME_LENGTH_MAX - suffix.length))}${suffix}`
}

/** The log directories of a node. */
export class LogDirectories {
  private readonly files: Files
  private readonly directories: Directory[]

  /** `paths` and their directory ids, as meta.properties has them. Consumes the clean-shutdown marks. */
  constructor(files: Files, paths: readonly { path: string; id: string }[]) {
    this.files = files
    this.directories = paths.map(({ path, id }) => {
      const mark = `${path}/${CLEAN_SHUTDOWN}`
      const isCleanShutdown = files.read(mark) !== null
      // Gone for good before anything is written, so that a crash is never taken for a clean end; also when it is not
      // there, because whoever removed it may have been killed before that was durable.
      files.remove(mark)
      const names = files.list(path)
      // Deletions that a crash interrupted: `<topic>-<partition>.<id>-delete`.
      for (const name of names)
        if (/-\d+\.[^/]+-delete$/.test(name)) files.remove(`${path}/${name}`)
      const onDisk = new Map<string, Offsets>()
      const checkpoints = Object.values(CHECKPOINTS).map(({ file }) => file)
      for (const file of [...checkpoints, CLEANER_OFFSETS]) {
        const offsets = this.load(path, file)
        if (offsets !== null) onDisk.set(file, offsets)
      }
      const of = (file: string) => new Map(onDisk.get(file))
      return {
        path,
        id,
        isCleanShutdown,
        recoveryPoints: of(RECOVERY_POINT),
        logStarts: of(LOG_START),
        highWatermarks: of(HIGH_WATERMARK),
        existing: new Set(names.filter((name) => /-\d+$/.test(name))),
        placed: new Set(),
        onDisk,
      }
    })
  }

  /** Paths and ids, in configuration order. */
  list(): readonly { path: string; id: string }[] {
    return this.directories
  }

  space(path: string): { totalBytes: number; usableBytes: number } {
    return this.files.space(path)
  }

  /** Where a partition is, or should go: its assigned directory, else the emptiest. */
  place(topic: string, partition: number, assignedId: string | undefined): Place {
    const name = `${topic}-${partition}`
    const directory =
      this.directories.find(({ existing }) => existing.has(name)) ??
      this.directories.find(({ id }) => id === assignedId) ??
      this.directories.reduce((least, next) =>
        next.placed.size < least.placed.size ? next : least,
      )
    directory.placed.add(name)
    this.disown(directory, name)
    // A checkpoint may outlive its partition by a crash; it says nothing about a new namesake.
    const of = (offsets: Offsets) => (directory.existing.has(name) ? (offsets.get(name) ?? 0) : 0)
    return {
      directory: directory.path,
      isCleanShutdown: directory.isCleanShutdown,
      recoveryPoint: of(directory.recoveryPoints),
      logStartOffset: of(directory.logStarts),
      highWatermark: of(directory.highWatermarks),
    }
  }

  /**
   * What a checkpoint says of a deleted namesake must not outlive the next crash, which would take it for the new
   * one's: a log start above its end empties it. Kafka writes checkpoints at every deletion; here the next namesake
   * does, once for all that are gone.
   */
  private disown(directory: Directory, name: string): void {
    if (directory.existing.has(name)) return
    for (const [file, offsets] of directory.onDisk) {
      if ((offsets.get(name) ?? 0) === 0) continue
      const isHere = ([known]: [string, number]) =>
        known !== name && (directory.existing.has(known) || directory.placed.has(known))
      this.write(directory, file, new Map([...offsets].filter(isHere)))
    }
  }

  /**
   * Renames partitions that the metadata does not know (their topic was deleted, and the process ended before their
   * files were), so that a namesake never opens them; says what it renamed. Kafka: LogManager's stray replicas.
   */
  setAsideStrays(
    topicIdOf: (topic: string, partition: number) => string | undefined,
  ): { from: string; to: string }[] {
    const renamed: { from: string; to: string }[] = []
    for (const { path, existing } of this.directories) {
      for (const name of existing) {
        if (name === METADATA_DIRECTORY) continue
        const dash = name.lastIndexOf('-')
        const expected = topicIdOf(name.slice(0, dash), Number(name.slice(dash + 1)))
        const found = this.topicId(`${path}/${name}`)
        if (expected !== undefined && (found === null || found === expected)) continue
        const to = strayName(name, found)
        this.files.rename(`${path}/${name}`, `${path}/${to}`)
        existing.delete(name)
        renamed.push({ from: `${path}/${name}`, to })
      }
    }
    return renamed
  }

  /** What a partition's `partition.metadata` says; null when it is missing, which a crash at its creation explains. */
  private topicId(directory: string): string | null {
    const bytes = this.files.read(`${directory}/partition.metadata`)
    const line = bytes && /^topic_id: *(\S+)$/m.exec(decoder.decode(bytes))
    return line?.[1] ?? null
  }

  /** A partition was deleted: a namesake starts from nothing. */
  forget(topic: string, partition: number, path: string): void {
    const name = `${topic}-${partition}`
    const directory = this.directories.find((candidate) => candidate.path === path)
    if (directory === undefined) return
    directory.placed.delete(name)
    directory.existing.delete(name)
    directory.recoveryPoints.delete(name)
    directory.logStarts.delete(name)
    directory.highWatermarks.delete(name)
  }

  /** Writes what the plane has published; a file that would not change is left alone. */
  checkpoint(
    plane: DataPlane,
    partitions: Iterable<Checkpointed>,
    kinds: readonly CheckpointKind[] = KINDS,
  ): void {
    for (const { directory, offsets } of this.published(plane, partitions)) {
      for (const kind of kinds) {
        const { file, of } = CHECKPOINTS[kind]
        this.write(directory, file, offsets(of))
      }
    }
  }

  /** What the plane says of the partitions that work, by directory. */
  private published(
    plane: DataPlane,
    partitions: Iterable<Checkpointed>,
  ): { directory: Directory; offsets: (of: (row: PartitionRow) => number) => Offsets }[] {
    const rows = new Map<string, { name: string; slot: number }[]>()
    for (const { slot, topic, partition, directory } of partitions) {
      const list = rows.get(directory)
      const row = { name: `${topic}-${partition}`, slot }
      if (list === undefined) rows.set(directory, [row])
      else list.push(row)
    }
    return this.directories.map((directory) => {
      const published = (rows.get(directory.path) ?? [])
        .map(({ name, slot }) => ({ name, row: plane.partition(slot) }))
        .filter(({ row }) => !row.isOffline)
      const offsets = (of: (row: PartitionRow) => number) =>
        new Map(published.map(({ name, row }) => [name, of(row)]))
      return { directory, offsets }
    })
  }

  /** How far a log is compacted, as far as anybody wrote it down; 0: not at all. */
  cleanerOffset(path: string, name: string): number {
    const directory = this.directories.find((one) => one.path === path)
    return directory?.onDisk.get(CLEANER_OFFSETS)?.get(name) ?? 0
  }

  /** Writes down how far a log is compacted; logs that are no more lose their line. */
  writeCleanerOffset(
    path: string,
    partitions: Iterable<Checkpointed>,
    name: string,
    offset: number,
  ): void {
    const directory = this.directories.find((one) => one.path === path)
    if (directory === undefined) return
    const offsets = new Map(directory.onDisk.get(CLEANER_OFFSETS))
    const names = new Set([...partitions].map(({ topic, partition }) => `${topic}-${partition}`))
    for (const known of offsets.keys()) if (!names.has(known)) offsets.delete(known)
    offsets.set(name, offset)
    this.write(directory, CLEANER_OFFSETS, offsets)
  }

  /** After everything was flushed and closed: the next start may trust the tails. */
  markClean(brokerEpoch: number): void {
    const text = JSON.stringify({ version: 0, brokerEpoch })
    for (const { path } of this.directories) {
      this.files.replace(`${path}/${CLEAN_SHUTDOWN}`, encoder.encode(text))
    }
  }

  private load(path: string, file: string): Offsets | null {
    const bytes = this.files.read(`${path}/${file}`)
    // An unreadable checkpoint costs a longer recovery, nothing else.
    return bytes && decodeCheckpoint(bytes)
  }

  private write({ path, onDisk }: Directory, file: string, offsets: Offsets): void {
    const known = onDisk.get(file)
    const isSame = ([name, offset]: [string, number]) => known?.get(name) === offset
    if (known?.size === offsets.size && [...offsets].every(isSame)) return
    this.files.replace(`${path}/${file}`, encodeCheckpoint(offsets))
    onDisk.set(file, offsets)
  }
}
