// One log directory as a start finds it: what its checkpoints say, which partitions lie in it, and how it ended.
//
// Files at the top of it, all Kafka's: meta.properties, recovery-point-offset-checkpoint, log-start-offset-checkpoint,
// replication-offset-checkpoint, cleaner-offset-checkpoint, .kafka_cleanshutdown, .lock. (docs/STORAGE.md)
// Kafka: LogManager.loadLogs, OffsetCheckpointFile, CleanShutdownFileHandler.

import { uuidToBytes } from '../lib/uuid.ts'
import type { PartitionRow } from '../plane/plane.ts'
import type { Files } from './world.ts'

const RECOVERY_POINT = 'recovery-point-offset-checkpoint'
const LOG_START = 'log-start-offset-checkpoint'
const HIGH_WATERMARK = 'replication-offset-checkpoint'

/** The checkpoint files and what of a partition's row each of them keeps. */
export const CHECKPOINTS = {
  recoveryPoints: { file: RECOVERY_POINT, of: (row: PartitionRow) => row.recoveryPoint },
  logStarts: { file: LOG_START, of: (row: PartitionRow) => row.logStartOffset },
  highWatermarks: { file: HIGH_WATERMARK, of: (row: PartitionRow) => row.highWatermark },
} as const

/** What a checkpoint file is about. */
export type CheckpointKind = keyof typeof CHECKPOINTS
/** How far logs are compacted; written by the cleaner's word alone. */
export const CLEANER_OFFSETS = 'cleaner-offset-checkpoint'
/** Marks a directory that was left in order. */
export const CLEAN_SHUTDOWN = '.kafka_cleanshutdown'

/** The directory of a replica that is on its way here; its partition's number. */
export const FUTURE = /-(\d+)\.[^/]+-future$/

/** Offsets by partition name, `<topic>-<partition>`. */
export type Offsets = Map<string, number>

/** What is known of a directory; without `failure` it works. */
export interface Directory {
  readonly path: string
  /** Of its meta.properties; '' where that could not be read. */
  readonly id: string
  failure: string | null
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
  /** Checkpoints that are there and do not add up: nothing in them is believed. */
  readonly unread: readonly string[]
  /** Deletions that a stop interrupted: `<topic>-<partition>.<id>-delete`. */
  readonly leftovers: string[]
  /** Copies that were to take a partition's place here: `<topic>-<partition>.<id>-future`. */
  readonly futures: string[]
  /** Raised by whatever makes a checkpoint that is being written out of date. */
  changes: number
}

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

/** What the metadata says of a partition directory that was found: its topic's id, and where the replica should be. */
export interface Expected {
  topicId: string
  directoryId: string
}

/** A partition's copy in directory `to`. */
export interface Unfinished {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly to: string
  /** Of its directory in there. */
  readonly name: string
}

/** A copy, and the directory that its partition is in. */
export interface Copied extends Unfinished {
  /** How far it is compacted; 0: nobody knows. */
  readonly cleanedTo: number
  readonly from: string
}

/** A directory and its id, as formatting.ts found it; `failure` says why it cannot be used. */
export interface FoundDirectory {
  readonly path: string
  readonly id: string
  readonly failure?: string | null
}

const NAME_LENGTH_MAX = 255
const NO_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** `topic-0` becomes `topic-0.<32 digits>-<kind>`; a topic's name too long for that is cut, as Kafka does. */
export function nameAside(
  name: string,
  id: string | null,
  kind: 'stray' | 'delete' | 'future',
): string {
  const dash = name.lastIndexOf('-')
  const bytes = uuidToBytes(id ?? NO_TOPIC_ID)
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  const suffix = `${name.slice(dash)}.${digits}-${kind}`
  return `${name.slice(0, Math.min(dash, NAME_LENGTH_MAX - suffix.length))}${suffix}`
}

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

/** Reads a directory and consumes its clean-shutdown mark; one that cannot be read has failed. */
export function loadDirectory(files: Files, { path, id, failure }: FoundDirectory): Directory {
  if (failure) return { ...nothing(), path, id, failure }
  const outcome = attempt(() => read(files, path))
  if (outcome.ok) return { ...outcome.value, path, id, failure: null }
  if (outcome.isPassing) throw outcome.problem
  return { ...nothing(), path, id, failure: outcome.why }
}

type Contents = Omit<Directory, 'path' | 'id' | 'failure'>

function nothing(): Contents {
  return {
    isCleanShutdown: false,
    recoveryPoints: new Map(),
    logStarts: new Map(),
    highWatermarks: new Map(),
    existing: new Set(),
    placed: new Set(),
    onDisk: new Map(),
    unread: [],
    leftovers: [],
    futures: [],
    changes: 0,
  }
}

function read(files: Files, path: string): Contents {
  const mark = `${path}/${CLEAN_SHUTDOWN}`
  const isCleanShutdown = files.read(mark) !== null
  // Gone for good before anything is written, so that a crash is never taken for a clean end; also when it is not
  // there, because whoever removed it may have been killed before that was durable.
  files.remove(mark)
  const names = files.list(path)
  const onDisk = new Map<string, Offsets>()
  const unread: string[] = []
  const checkpoints = Object.values(CHECKPOINTS).map(({ file }) => file)
  for (const file of [...checkpoints, CLEANER_OFFSETS]) {
    const bytes = files.read(`${path}/${file}`)
    // An unreadable checkpoint costs a longer recovery, nothing else.
    const offsets = bytes && decodeCheckpoint(bytes)
    if (offsets !== null) onDisk.set(file, offsets)
    else if (bytes !== null) unread.push(`${path}/${file}`)
  }
  const of = (file: string) => new Map(onDisk.get(file))
  return {
    ...nothing(),
    isCleanShutdown,
    recoveryPoints: of(RECOVERY_POINT),
    logStarts: of(LOG_START),
    highWatermarks: of(HIGH_WATERMARK),
    existing: new Set(names.filter((name) => /-\d+$/.test(name))),
    onDisk,
    unread,
    leftovers: names.filter((name) => /-\d+\.[^/]+-delete$/.test(name)),
    futures: names.filter((name) => FUTURE.test(name)),
  }
}

/** Whether a checkpoint says so already. */
export function isOnDisk({ onDisk }: Directory, file: string, offsets: Offsets): boolean {
  const known = onDisk.get(file)
  const isSame = ([name, offset]: [string, number]) => known?.get(name) === offset
  return known?.size === offsets.size && [...offsets].every(isSame)
}

/** A full disk may have room again, and descriptors come back: neither says that a directory is lost. Linux's numbers. */
const PASSING = { ENOMEM: 12, ENFILE: 23, EMFILE: 24, ENOSPC: 28, EDQUOT: 122 } as const
const PASSING_NUMBERS: ReadonlySet<number> = new Set(Object.values(PASSING))

/** What the plane's errno says of a directory: nothing. */
export const passes = (errno: number): boolean => PASSING_NUMBERS.has(errno)

/** What came of something done to a directory; `isPassing`: the system refused, and the directory is not to blame. */
export type Outcome<Value> =
  | { readonly ok: true; readonly value: Value }
  | {
      readonly ok: false
      readonly problem: unknown
      readonly why: string
      readonly isPassing: boolean
    }

/** Does it, and tells what the system said against it; any other problem is thrown on. */
export function attempt<Value>(act: () => Value): Outcome<Value> {
  try {
    return { ok: true, value: act() }
  } catch (problem) {
    return refusal(problem)
  }
}

/** What the system said; a problem that is not the system's is thrown on. */
export function refusal(problem: unknown): Outcome<never> {
  const { code, syscall } = (problem ?? {}) as NodeJS.ErrnoException
  if (typeof code !== 'string' || typeof syscall !== 'string') throw problem
  return { ok: false, problem, why: `${code}: ${syscall}`, isPassing: Object.hasOwn(PASSING, code) }
}
