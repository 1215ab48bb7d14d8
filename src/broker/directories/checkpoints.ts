// The checkpoints of a running broker: at the log manager's pace, at the end, and where logs start as soon as somebody
// waits for it. Those who ask while a directory is being written share the next write.
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

  constructor(options: CheckpointsOptions) {
    this.options = options
  }

  /** These, or all, at the pace of each disk. One that cannot be written for want of room costs a longer recovery. */
  write(kinds?: readonly CheckpointKind[]): void {
    void this.beside(kinds)
  }

  /** All, once whatever is being written is; at the end. */
  async finish(): Promise<void> {
    const { plane, directories, publisher } = this.options
    await directories.settled()
    try {
      directories.checkpoint(plane, publisher.openPartitions())
    } catch (problem) {
      this.refused(problem)
    }
  }

  /** Every log start that is published now is on the disk, in this directory or all; false when there was no room. */
  logStarts(directory?: string): Promise<boolean> {
    return this.beside(['logStarts'], directory)
  }

  private beside(kinds?: readonly CheckpointKind[], directory?: string): Promise<boolean> {
    const { plane, directories, publisher } = this.options
    const partitions = () => publisher.openPartitions()
    return directories.checkpointBeside(plane, partitions, kinds, directory).then(
      () => true,
      (problem) => this.refused(problem),
    )
  }

  private refused(problem: unknown): false {
    this.options.world.log.error('cannot write the offset checkpoints', {
      problem: String(problem),
    })
    return false
  }
}
