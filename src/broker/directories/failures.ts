// What becomes of a node whose log directory fails: the partitions in it go offline, the controller hears of it, all
// other directories go on. Without the metadata log, or without any directory, the node ends.
//
// Invariant: plane, publisher and controller are told of a directory once, in this order, whoever found out: a write of
// the plane's, a checkpoint, a partition that did not open. Nothing brings it back but a restart.
// Kafka: ReplicaManager.handleLogDirFailure, LogManager.handleLogDirFailure, LogDirFailureChannel; KIP-112, KIP-858.

import type { LogDirectories } from '../../host/log_directories.ts'
import { passes } from '../../host/log_directory.ts'
import type { World } from '../../host/world.ts'
import type { DataPlane } from '../../plane/plane.ts'
import type { Lifecycle } from '../lifecycle.ts'
import type { Publisher } from '../publisher.ts'

/** Between two tries at partitions that there was no room for. */
const RETRY_MS = 2_000

export interface DirectoryFailuresOptions {
  world: World
  plane: DataPlane
  directories: LogDirectories
  /** Null while the node is being put together. */
  publisher: () => Publisher | null
  lifecycle: () => Lifecycle | null
  metadataLogDir: string
  /** The plane closes its logs. */
  isEnding: () => boolean
  onFatal: (problem: Error) => void
}

/** Spreads the word of directories that fail. */
export class DirectoryFailures {
  private readonly options: DirectoryFailuresOptions
  private isRetrying = false

  constructor(options: DirectoryFailuresOptions) {
    this.options = options
    options.directories.onFailed = (path, why) => this.spread(path, why)
    for (const { path, failure } of options.directories.list()) {
      if (failure !== null) this.log(path, failure)
    }
    for (const file of options.directories.unreadCheckpoints()) {
      options.world.log.warn('an offset checkpoint is damaged and was not believed', { file })
    }
  }

  /** The metadata log's own directory cannot be reached. */
  metadataFailed(path: string, why: string): void {
    if (this.options.isEnding()) return
    this.log(path, why)
    this.endWithoutMetadata(path)
  }

  /** A fact of the plane. */
  failed(path: string, errno: number): void {
    const { directories, metadataLogDir, isEnding } = this.options
    // No room to leave a log in order is no reason to give up the directory: the next start recovers it.
    if (isEnding() && passes(errno)) return directories.leaveUnmarked(path)
    const why = `errno ${errno}`
    // It may be a directory of its own, which holds no other partitions.
    if (!directories.fail(path, why) && path === metadataLogDir) this.endWithoutMetadata(path)
  }

  /**
   * A partition is not opened; where the system said why, its directory has failed, unless that passes: true, and it is
   * tried again. -1 is of a node that ends.
   */
  notOpened(path: string, errno: number): boolean {
    if (!passes(errno)) {
      if (errno > 0) this.options.directories.fail(path, `errno ${errno}`)
      return false
    }
    if (!this.isRetrying) {
      this.isRetrying = true
      this.options.world.schedule(RETRY_MS, () => this.retry())
    }
    return true
  }

  private retry(): void {
    const { isEnding, publisher } = this.options
    this.isRetrying = false
    if (!isEnding()) publisher()?.openWaiting()
  }

  private spread(path: string, why: string): void {
    const { plane, directories, publisher, lifecycle, metadataLogDir, onFatal } = this.options
    this.log(path, why)
    if (path === metadataLogDir) return this.endWithoutMetadata(path)
    if (directories.online().length === 0) {
      return onFatal(new Error('all log directories have failed'))
    }
    plane.failDirectory(path)
    publisher()?.directoryFailed(path)
    lifecycle()?.directoryFailed(directories.idOf(path))
  }

  private endWithoutMetadata(path: string): void {
    this.options.onFatal(new Error(`the directory of the metadata log has failed: ${path}`))
  }

  private log(directory: string, why: string): void {
    const what =
      'a log directory failed; its partitions are offline until a restart finds it working'
    this.options.world.log.error(what, { directory, why })
  }
}
