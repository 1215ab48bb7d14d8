// The checkpoints of a running broker: at the log manager's pace, at the end, and where logs start as soon as somebody
// waits for it. Those who wait in one turn share one write.
// Kafka: LogManager's checkpointLogRecoveryOffsets and checkpointLogStartOffsets, ReplicaManager.checkpointHighWatermarks.

import type { LogDirectories } from '../../host/log_directories.ts'
import type { CheckpointKind } from '../../host/log_directory.ts'
import type { World } from '../../host/world.ts'
import type { DataPlane } from '../../plane/plane.ts'
import type { Publisher } from '../publisher.ts'

export interface CheckpointsOptions {
  world: World
  plane: DataPlane
  directories: LogDirectories
  publisher: Publisher
}

/** Writes what the plane has published into the checkpoint files. */
export class Checkpoints {
  private readonly options: CheckpointsOptions
  private waiting: ((isWritten: boolean) => void)[] = []

  constructor(options: CheckpointsOptions) {
    this.options = options
  }

  /** These, or all, now. One that cannot be written for want of room costs a longer recovery. */
  write(kinds?: readonly CheckpointKind[]): void {
    const { plane, directories, publisher } = this.options
    this.attempt(() => directories.checkpoint(plane, publisher.openPartitions(), kinds))
  }

  /** Every log start that is published now is on the disk, in directories that work; false when there was no room. */
  logStarts(): Promise<boolean> {
    const { world, plane, directories, publisher } = this.options
    if (this.waiting.length === 0) {
      world.defer(() => {
        const isWritten = this.attempt(() =>
          directories.checkpoint(plane, publisher.openPartitions(), ['logStarts']),
        )
        for (const resolve of this.waiting.splice(0)) resolve(isWritten)
      })
    }
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  private attempt(write: () => void): boolean {
    try {
      write()
      return true
    } catch (problem) {
      const why = { problem: String(problem) }
      this.options.world.log.error('cannot write the offset checkpoints', why)
      return false
    }
  }
}
