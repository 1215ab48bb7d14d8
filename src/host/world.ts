// World: what the control plane asks of outside, so that a simulation can be outside. Time, chance, files, the log.
// host/system.ts is the real one; test/sim has the other. Nothing above the purity line reaches around it.

import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Random } from '../lib/random.ts'

/** Bytes of a volume. */
export interface Space {
  readonly totalBytes: number
  readonly usableBytes: number
}

/** Small files of ours, whole at a time. Paths are absolute; a missing file reads as null. */
export interface Files {
  read(path: string): Uint8Array | null
  /** tmp, fsync, rename, fsync of the directory: afterwards the old or the new file is there, whole. */
  replace(path: string, bytes: Uint8Array): void
  /**
   * As `replace`, beside everything else: a disk may take its time. `isWanted` is asked last, and when it says no the old
   * file stays; says whether the new one is there.
   */
  replaceBeside(path: string, bytes: Uint8Array, isWanted: () => boolean): Promise<boolean>
  /** A file, or a directory with all it holds; the removal is durable. Nothing there is fine. */
  remove(path: string): void
  /** As `remove`, beside everything else: a large file takes a disk its time. */
  removeBeside(path: string): Promise<void>
  /** Names in a directory, sorted; empty when it is missing. */
  list(directory: string): string[]
  isDirectory(path: string): boolean
  /** With parents; the new entries are durable. */
  makeDirectory(path: string): void
  rename(from: string, to: string): void
  /** Locks a directory's `.lock` for this process; null when another one holds it. */
  lock(path: string): { release(): void } | null
  /** Takes so many bytes of a disk, in a file of that size, beside everything else; none where files are volatile. */
  hold(path: string, bytes: number): Promise<void>
  /** Total and usable bytes of the volume. */
  space(directory: string): Space
  /** As `space`, beside everything else: a disk that hangs holds up nobody. */
  spaceBeside(directory: string): Promise<Space>
}

/** Cancels what was scheduled; harmless when it already ran. */
export type Cancel = () => void

export interface World {
  readonly clock: Clock
  readonly random: Random
  readonly files: Files
  readonly log: Log
  /** Runs once after so many milliseconds; never before the caller returned. */
  schedule(delayMs: number, run: () => void): Cancel
  /** Runs after the current turn's microtasks. */
  defer(run: () => void): void
}
