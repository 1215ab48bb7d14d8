// Log directories: which are ours and work, where a new partition goes, what the checkpoints in them say, and the marks
// that tell the next start how this one ended.
//
// Invariants: a checkpoint is replaced whole or not at all, and never claims more than the plane has published; a
// directory that failed once is neither read nor written again by this process; a replica is never made anew while its
// log may lie in a directory that failed.
// Kafka: LogManager (liveLogDirs, nextLogDirs, handleLogDirFailure), ReplicaManager; KIP-112, KIP-858, KIP-1066.

import { DIRECTORY_MIGRATING, DIRECTORY_UNASSIGNED } from '../metadata/topics.ts'
import type { DataPlane, PartitionRow } from '../plane/plane.ts'
import { DISK_STATES, type DiskState } from '../storage/disk_pressure.ts'
import { CheckpointWriter } from './checkpoint_writer.ts'
import {
  attempt,
  CHECKPOINTS,
  type Checkpointed,
  type CheckpointKind,
  CLEAN_SHUTDOWN,
  CLEANER_OFFSETS,
  type Copied,
  type Directory,
  type Expected,
  encodeCheckpoint,
  type FoundDirectory,
  FUTURE,
  isOnDisk,
  loadDirectory,
  nameAside,
  type Offsets,
  type Place,
  refusal,
  type Unfinished,
} from './log_directory.ts'
import { METADATA_DIRECTORY } from './metadata_log.ts'
import type { Files, Space } from './world.ts'

export type { Checkpointed, Copied, Expected, Place, Unfinished } from './log_directory.ts'

const KINDS = Object.keys(CHECKPOINTS) as CheckpointKind[]

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** The log directories of a node. */
export class LogDirectories {
  private readonly files: Files
  private readonly directories: Directory[]
  private readonly beside: CheckpointWriter
  private cordoned: ReadonlySet<string> = new Set()
  /** Partitions that have taken another's place and are not open yet: what the checkpoints say of them. */
  private readonly arriving = new Map<string, { directory: Directory; row: PartitionRow }>()
  /** Copies that this start found and that can be gone on with. */
  readonly unfinished: Unfinished[] = []
  /** Directories of which some log was not left in order. */
  private readonly disordered = new Set<string>()
  private isStopped = false
  /** How much room there is on a directory's disk. */
  pressureOf: (path: string) => DiskState = () => 'plenty'
  /** Told once of each directory that fails from now on. */
  onFailed: (path: string, why: string) => void = () => {}

  /** Directories with their ids, as meta.properties has them. Consumes the clean-shutdown marks. */
  constructor(files: Files, found: readonly FoundDirectory[]) {
    this.files = files
    this.beside = new CheckpointWriter(files)
    this.directories = found.map((one) => loadDirectory(files, one))
  }

  /** In configuration order; `failure` is null for those that work. */
  list(): readonly { path: string; id: string; failure: string | null; isCordoned: boolean }[] {
    return this.directories.map(({ path, id, failure }) => {
      return { path, id, failure, isCordoned: this.cordoned.has(path) }
    })
  }

  /** Those that work. */
  online(): readonly { path: string; id: string }[] {
    return this.directories.filter(isOnline)
  }

  /** Checkpoints that this start found damaged. */
  unreadCheckpoints(): string[] {
    return this.directories.flatMap(({ unread }) => unread)
  }

  /** The id of the directory at a path; '' where it is not known. */
  idOf(path: string): string {
    return this.at(path)?.id ?? ''
  }

  /** Bytes of its volume; null when it has failed, now perhaps. */
  space(path: string): Space | null {
    const directory = this.at(path)
    return directory === undefined ? null : this.attempt(directory, () => this.files.space(path))
  }

  /** As `space`, and a disk that hangs holds up nobody. */
  async spaceBeside(path: string): Promise<Space | null> {
    const directory = this.at(path)
    if (directory === undefined || directory.failure !== null) return null
    const outcome = await this.files.spaceBeside(path).then((value) => value, refusal)
    if (!('ok' in outcome)) return outcome
    if (!outcome.ok) this.judge(directory, outcome)
    return null
  }

  /** From now on these take no new partitions, while there are others. */
  cordon(paths: Iterable<string>): void {
    this.cordoned = new Set(paths)
  }

  /** The directory is not used any more; false when that was known, or it is none of ours. */
  fail(path: string, why: string): boolean {
    const directory = this.at(path)
    if (directory === undefined || directory.failure !== null) return false
    directory.failure = why
    this.onFailed(path, why)
    return true
  }

  /** Some log in it could not be closed in order, though the directory works: it gets no mark. */
  leaveUnmarked(path: string): void {
    this.disordered.add(path)
  }

  /**
   * Where a partition is, or should go: its assigned directory, else the one with the fewest. Null when its log may lie
   * in a directory that has failed; a partition that is new to the cluster lies nowhere.
   */
  place(
    topic: string,
    partition: number,
    assignedId: string = DIRECTORY_UNASSIGNED,
    isNew = true,
  ): Place | null {
    const name = `${topic}-${partition}`
    const directory = this.directoryFor(name, assignedId, isNew)
    if (directory === null) return null
    directory.placed.add(name)
    directory.changes++
    this.attempt(directory, () => this.disown(directory, name))
    if (directory.failure !== null) return null
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

  private directoryFor(name: string, assignedId: string, isNew: boolean): Directory | null {
    const online = this.directories.filter(isOnline)
    const found =
      online.find(({ existing }) => existing.has(name)) ??
      online.find(({ id }) => id === assignedId)
    if (found !== undefined) return found
    const isAssigned = assignedId !== DIRECTORY_UNASSIGNED && assignedId !== DIRECTORY_MIGRATING
    const isOneLost = online.length < this.directories.length
    if (isOneLost && (isAssigned || !isNew)) return null
    return this.emptiest(online)
  }

  /** Of those that work, are not cordoned and have most room the one with the fewest partitions; else the first. */
  private emptiest(online: readonly Directory[]): Directory | null {
    const open = online.filter(({ path }) => !this.cordoned.has(path))
    if (open.length === 0) return online[0] ?? null
    const best = Math.min(...open.map(({ path }) => DISK_STATES.indexOf(this.pressureOf(path))))
    // A new partition is small: with no room anywhere it is made, and Produce says what is the matter.
    return open
      .filter(({ path }) => DISK_STATES.indexOf(this.pressureOf(path)) === best)
      .reduce((least, next) => (next.placed.size < least.placed.size ? next : least))
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
   * files were) or has in another directory where they are too, so that they are never opened; says what it renamed.
   * Kafka: LogManager's stray replicas; two copies of one replica end its start.
   */
  setAsideStrays(
    expectedOf: (topic: string, partition: number) => Expected | undefined,
  ): { from: string; to: string }[] {
    const renamed: { from: string; to: string }[] = []
    for (const directory of this.directories.filter(isOnline)) {
      this.attempt(directory, () => {
        for (const name of [...directory.existing]) {
          const id = this.strayId(directory, name, expectedOf)
          if (id === undefined) continue
          const to = nameAside(name, id, 'stray')
          this.files.rename(`${directory.path}/${name}`, `${directory.path}/${to}`)
          directory.existing.delete(name)
          renamed.push({ from: `${directory.path}/${name}`, to })
        }
      })
    }
    return renamed
  }

  /** The topic id of a stray partition directory (null: it has none); undefined when it belongs where it is. */
  private strayId(
    directory: Directory,
    name: string,
    expectedOf: (topic: string, partition: number) => Expected | undefined,
  ): string | null | undefined {
    if (name === METADATA_DIRECTORY) return undefined
    const dash = name.lastIndexOf('-')
    const expected = expectedOf(name.slice(0, dash), Number(name.slice(dash + 1)))
    const found = this.topicId(`${directory.path}/${name}`)
    const isIt = expected !== undefined && (found === null || found === expected.topicId)
    if (!isIt) return found
    const rival = this.directories.find(
      (other) =>
        other !== directory &&
        isOnline(other) &&
        other.id === expected.directoryId &&
        other.existing.has(name),
    )
    return rival === undefined ? undefined : found
  }

  /** The name of a directory for a partition's copy, which `id` makes its own. */
  futureName(topic: string, partition: number, id: string): string {
    return nameAside(`${topic}-${partition}`, id, 'future')
  }

  /**
   * Copies that a start finds: gone on with when the partition lies elsewhere, put in its place when that is lost and the
   * metadata names this directory, else removed. Kafka: LogManager.recoverAbandonedFutureLogs.
   */
  settleFutures(
    expectedOf: (
      topicId: string,
      partition: number,
    ) => { topic: string; directoryId: string } | undefined,
  ): void {
    for (const directory of this.directories.filter(isOnline)) {
      this.attempt(directory, () => {
        for (const name of directory.futures.splice(0)) {
          const partition = Number(FUTURE.exec(name)?.[1])
          const topicId = this.topicId(`${directory.path}/${name}`)
          const expected = topicId === null ? undefined : expectedOf(topicId, partition)
          if (topicId === null || expected === undefined) this.discardFuture(directory, name)
          else this.settleFuture(directory, { ...expected, topicId, partition, name })
        }
      })
    }
  }

  private settleFuture(
    directory: Directory,
    found: Omit<Unfinished, 'to'> & { directoryId: string },
  ): void {
    const { topic, topicId, partition, name, directoryId } = found
    const live = `${topic}-${partition}`
    const home = this.directories.find((one) => isOnline(one) && one.existing.has(live))
    const isKnown = this.unfinished.some(
      (one) => one.topicId === topicId && one.partition === partition,
    )
    if (home === directory || isKnown) this.discardFuture(directory, name)
    else if (home !== undefined) {
      this.unfinished.push({ topic, topicId, partition, to: directory.path, name })
    } else if (directoryId === directory.id) {
      this.files.rename(`${directory.path}/${name}`, `${directory.path}/${live}`)
      directory.existing.add(live)
    }
    // Else the log is in a directory that is missing now, and may be back at another start.
  }

  private discardFuture({ path, leftovers }: Directory, name: string): void {
    if (!this.files.isDirectory(`${path}/${name}`)) return
    const to = `${name.slice(0, -'future'.length)}delete`
    this.files.rename(`${path}/${name}`, `${path}/${to}`)
    leftovers.push(to)
  }

  /** A copy that nobody has open and nobody needs. */
  discardCopy(path: string, name: string): void {
    const directory = this.at(path)
    if (directory !== undefined) this.attempt(directory, () => this.discardFuture(directory, name))
  }

  /**
   * A copy that has everything takes its partition's place; nobody has either of them open. False when its directory
   * fails: the partition stays where it is. At any instant a start finds the one or the other, whole.
   */
  replace(
    { topic, topicId, partition, from, to, name, cleanedTo }: Copied,
    row: PartitionRow,
  ): boolean {
    const live = `${topic}-${partition}`
    const directory = this.at(to)
    if (directory === undefined) return false
    const isIn = this.attempt(directory, () => {
      const { file, of } = CHECKPOINTS.logStarts
      // Before the name: what was deleted would be there again.
      this.write(directory, file, new Map([...(directory.onDisk.get(file) ?? []), [live, of(row)]]))
      this.writeCleaned(directory, live, cleanedTo)
      this.files.rename(`${to}/${name}`, `${to}/${live}`)
      return true
    })
    if (isIn !== true) return false
    directory.existing.add(live)
    directory.placed.add(live)
    directory.recoveryPoints.set(live, row.recoveryPoint)
    directory.logStarts.set(live, row.logStartOffset)
    directory.highWatermarks.set(live, row.highWatermark)
    this.arriving.set(live, { directory, row })
    this.discard(topic, partition, from, topicId)
    const left = this.at(from)
    if (left !== undefined) this.attempt(left, () => this.writeCleaned(left, live, 0))
    this.forget(topic, partition, from)
    return true
  }

  /** It is open now, and the plane speaks for it. */
  arrived(topic: string, partition: number): void {
    this.arriving.delete(`${topic}-${partition}`)
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
    const directory = this.at(path)
    if (directory === undefined) return
    directory.changes++
    directory.placed.delete(name)
    directory.existing.delete(name)
    directory.recoveryPoints.delete(name)
    directory.logStarts.delete(name)
    directory.highWatermarks.delete(name)
  }

  /** A deleted partition that the plane never opened: its files get a name that the next round of removal finds. */
  discard(topic: string, partition: number, path: string, id: string): void {
    const directory = this.at(path)
    if (directory === undefined) return
    const name = `${topic}-${partition}`
    const to = nameAside(name, id, 'delete')
    this.attempt(directory, () => {
      if (!this.files.isDirectory(`${path}/${name}`)) return
      this.files.rename(`${path}/${name}`, `${path}/${to}`)
      directory.leftovers.push(to)
    })
  }

  /** Removes, one after the other and beside everything else, what deletions have left behind. */
  async removeLeftovers(): Promise<void> {
    for (const directory of this.directories) {
      for (;;) {
        const isAsked = isOnline(directory) && !this.isStopped
        const name = isAsked ? directory.leftovers.shift() : undefined
        if (name === undefined) break
        const gone = this.files.removeBeside(`${directory.path}/${name}`)
        const outcome = await gone.then(() => null, refusal)
        if (outcome?.ok === false) this.judge(directory, outcome)
      }
    }
  }

  /** Nothing more is removed once what is being removed is gone; the next start goes on. */
  stop(): void {
    this.isStopped = true
  }

  /** Writes what the plane has published; a file that would not change is left alone. Throws after the last directory. */
  checkpoint(
    plane: DataPlane,
    partitions: Iterable<Checkpointed>,
    kinds: readonly CheckpointKind[] = KINDS,
  ): void {
    const refused: { problem: unknown }[] = []
    for (const { directory, offsets } of this.published(plane, partitions)) {
      const outcome = attempt(() => {
        // Where nothing changes nothing is written, and a disk that is gone would not be missed.
        this.files.space(directory.path)
        for (const kind of kinds) this.write(directory, CHECKPOINTS[kind].file, offsets(kind))
      })
      if (!outcome.ok && !this.judge(directory, outcome)) refused.push(outcome)
    }
    if (refused[0] !== undefined) throw refused[0].problem
  }

  /**
   * As `checkpoint`, or of one directory, and beside everything else: one that hangs holds up no other, and what is asked
   * of it meanwhile is one write more. Rejects as `checkpoint` throws.
   */
  async checkpointBeside(
    plane: DataPlane,
    partitions: () => Iterable<Checkpointed>,
    kinds: readonly CheckpointKind[] = KINDS,
    only?: string,
  ): Promise<void> {
    const asked = this.directories.filter((one) => isOnline(one) && (only ?? one.path) === one.path)
    const writes = asked.map((directory) => {
      const published = () =>
        this.published(plane, partitions()).find((one) => one.directory === directory)?.offsets
      return this.beside.write(directory, kinds, published)
    })
    const outcomes = await Promise.all(writes)
    outcomes.forEach((outcome, i) => {
      if (outcome !== null && !this.judge(asked[i]!, outcome)) throw outcome.problem
    })
  }

  /** Once nothing is being written beside. */
  async settled(): Promise<void> {
    await this.beside.settled()
  }

  /** What the plane says of the partitions that work, by directory; of others, what is written of them. */
  private published(
    plane: DataPlane,
    partitions: Iterable<Checkpointed>,
  ): { directory: Directory; offsets: (kind: CheckpointKind) => Offsets }[] {
    const rows = new Map<string, { name: string; slot: number }[]>()
    for (const { slot, topic, partition, directory } of partitions) {
      const list = rows.get(directory)
      const row = { name: `${topic}-${partition}`, slot }
      if (list === undefined) rows.set(directory, [row])
      else list.push(row)
    }
    return this.directories.filter(isOnline).map((directory) => {
      const arriving = [...this.arriving]
        .filter(([, one]) => one.directory === directory)
        .map(([name, { row }]) => ({ name, row }))
      const open = (rows.get(directory.path) ?? []).map(({ name, slot }) => {
        return { name, row: plane.partition(slot) }
      })
      const published = [...arriving, ...open].filter(({ row }) => !row.isOffline)
      const offsets = (kind: CheckpointKind) => {
        const { of } = CHECKPOINTS[kind]
        return new Map([
          ...found(directory, kind),
          ...published.map(({ name, row }): [string, number] => [name, of(row)]),
        ])
      }
      return { directory, offsets }
    })
  }

  /** How far a log is compacted, as far as anybody wrote it down; 0: not at all. */
  cleanerOffset(path: string, name: string): number {
    return this.at(path)?.onDisk.get(CLEANER_OFFSETS)?.get(name) ?? 0
  }

  /** How far one log is compacted; 0: no line. */
  private writeCleaned(directory: Directory, name: string, offset: number): void {
    const offsets = new Map(directory.onDisk.get(CLEANER_OFFSETS))
    if (offset > 0) offsets.set(name, offset)
    else if (!offsets.delete(name)) return
    this.write(directory, CLEANER_OFFSETS, offsets)
  }

  /** Writes down how far a log is compacted; logs that are no more lose their line. */
  writeCleanerOffset(
    path: string,
    partitions: Iterable<Checkpointed>,
    name: string,
    offset: number,
  ): void {
    const directory = this.at(path)
    if (directory === undefined) return
    const offsets = new Map(directory.onDisk.get(CLEANER_OFFSETS))
    const names = new Set([...partitions].map(({ topic, partition }) => `${topic}-${partition}`))
    for (const known of offsets.keys()) if (!names.has(known)) offsets.delete(known)
    offsets.set(name, offset)
    this.attempt(directory, () => this.write(directory, CLEANER_OFFSETS, offsets))
  }

  /**
   * After everything was flushed and closed: the next start may trust the tails. Not where a log was not left in order,
   * nor where one that this start had to recover was never opened. Returns the directories that got no mark.
   */
  markClean(brokerEpoch: number, open: Iterable<Checkpointed>): string[] {
    const text = encoder.encode(JSON.stringify({ version: 0, brokerEpoch }))
    const opened = new Set<string>()
    for (const one of open) opened.add(`${one.directory}/${one.topic}-${one.partition}`)
    const unmarked: string[] = []
    for (const directory of this.directories) {
      const { path, isCleanShutdown, existing } = directory
      const isKnown = (name: string) => name === METADATA_DIRECTORY || opened.has(`${path}/${name}`)
      const isInOrder =
        !this.disordered.has(path) && (isCleanShutdown || [...existing].every(isKnown))
      const mark = `${path}/${CLEAN_SHUTDOWN}`
      if (isInOrder) this.attempt(directory, () => this.files.replace(mark, text))
      if (!isInOrder || !isOnline(directory)) unmarked.push(path)
    }
    return unmarked
  }

  private write(directory: Directory, file: string, offsets: Offsets): void {
    if (isOnDisk(directory, file, offsets)) return
    directory.changes++
    this.files.replace(`${directory.path}/${file}`, encodeCheckpoint(offsets))
    directory.onDisk.set(file, offsets)
  }

  /** Does something to a directory that works; null when it does not, as may turn out now. */
  private attempt<Value>(directory: Directory, act: () => Value): Value | null {
    if (directory.failure !== null) return null
    const outcome = attempt(act)
    if (outcome.ok) return outcome.value
    if (!this.judge(directory, outcome)) throw outcome.problem
    return null
  }

  /** Whether what the system said means that the directory has failed; then it has. */
  private judge({ path }: Directory, { why, isPassing }: { why: string; isPassing: boolean }) {
    if (!isPassing) this.fail(path, why)
    return !isPassing
  }

  private at(path: string): Directory | undefined {
    return this.directories.find((directory) => directory.path === path)
  }
}

const isOnline = ({ failure }: Directory) => failure === null

/** What is written down already about the partitions that this start found. */
const found = ({ onDisk, existing }: Directory, kind: CheckpointKind): [string, number][] =>
  [...(onDisk.get(CHECKPOINTS[kind].file) ?? [])].filter(([name]) => existing.has(name))
