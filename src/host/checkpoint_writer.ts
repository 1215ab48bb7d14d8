// CheckpointWriter: checkpoint files written beside everything else, one at a time in each log directory, so that a disk
// that hangs holds up its own checkpoints and neither another directory's nor this thread.
//
// Invariants: what is written is what was published when its turn came; a file that somebody else has replaced
// meanwhile, or that has become untrue (a partition is gone, or new), is not put in the other's place but begun again.
// Kafka: LogManager.checkpointRecoveryOffsetsInDir, which takes a scheduler's thread for as long as a disk likes.

import {
  CHECKPOINTS,
  type CheckpointKind,
  type Directory,
  encodeCheckpoint,
  isOnDisk,
  type Offsets,
  type Outcome,
  refusal,
} from './log_directory.ts'
import type { Files } from './world.ts'

/** Offsets of a directory's partitions; undefined: it is not used any more. */
export type Published = () => ((kind: CheckpointKind) => Offsets) | undefined

/** What the system said against it; null: it is written. */
export type Refusal = Extract<Outcome<never>, { ok: false }> | null

interface Turn {
  readonly kinds: Set<CheckpointKind>
  readonly done: Promise<Refusal>
}

/** Writes checkpoints, a turn after the other in each directory. */
export class CheckpointWriter {
  private readonly files: Files
  /** The turn that has not begun, by path. */
  private readonly waiting = new Map<string, Turn>()
  private readonly last = new Map<string, Promise<void>>()

  constructor(files: Files) {
    this.files = files
  }

  /** These kinds, with what is published from now on. */
  write(
    directory: Directory,
    kinds: readonly CheckpointKind[],
    published: Published,
  ): Promise<Refusal> {
    const { path } = directory
    const waiting = this.waiting.get(path)
    if (waiting !== undefined) {
      for (const kind of kinds) waiting.kinds.add(kind)
      return waiting.done
    }
    const asked = new Set(kinds)
    const before = this.last.get(path) ?? Promise.resolve()
    const done = before.then(() => {
      this.waiting.delete(path)
      return this.turn(directory, asked, published).then(
        () => null,
        (problem) => refusal(problem) as Refusal,
      )
    })
    this.waiting.set(path, { kinds: asked, done })
    const isOver = () => undefined
    this.last.set(path, done.then(isOver, isOver)) // what went wrong is told to who asked
    return done
  }

  /** Once every turn is over. */
  async settled(): Promise<void> {
    await Promise.all(this.last.values())
  }

  private async turn(
    directory: Directory,
    kinds: ReadonlySet<CheckpointKind>,
    published: Published,
  ): Promise<void> {
    // Where nothing changes nothing is written, and a disk that is gone would not be missed.
    if (directory.failure === null) await this.files.spaceBeside(directory.path)
    for (const kind of kinds) {
      while (!(await this.replace(directory, kind, published))) {
        // Something has changed: what is true now is tried.
      }
    }
  }

  private async replace(
    directory: Directory,
    kind: CheckpointKind,
    published: Published,
  ): Promise<boolean> {
    const { file } = CHECKPOINTS[kind]
    const offsets = published()?.(kind)
    if (offsets === undefined || isOnDisk(directory, file, offsets)) return true
    const { changes } = directory
    const isWanted = () => directory.changes === changes && directory.failure === null
    const path = `${directory.path}/${file}`
    if (!(await this.files.replaceBeside(path, encodeCheckpoint(offsets), isWanted))) return false
    directory.onDisk.set(file, offsets)
    return true
  }
}
