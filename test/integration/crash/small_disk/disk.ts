// A disk of some mebibytes that a test may fill: a file system of its own, mounted for as long as it is needed. That
// takes root; where it cannot be mounted, `mount` says why.

import { execFileSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const MIB = 1024 ** 2

/** tmpfs is there wherever there is root; ext4 in a file needs a loop device as well. */
export type DiskKind = 'tmpfs' | 'ext4'

/** A small disk and where it is mounted. */
export class SmallDisk implements Disposable {
  readonly path: string
  private readonly root: string

  private constructor(root: string) {
    this.root = root
    this.path = join(root, 'mounted')
  }

  /** Throws with what the system said. */
  static mount(kind: DiskKind, mebibytes: number): SmallDisk {
    const root = mkdtempSync(join(tmpdir(), 'ottla-small-disk-'))
    const disk = new SmallDisk(root)
    mkdirSync(disk.path)
    try {
      disk.mountAs(kind, mebibytes)
    } catch (problem) {
      rmSync(root, { recursive: true })
      throw problem
    }
    return disk
  }

  private mountAs(kind: DiskKind, mebibytes: number): void {
    if (kind === 'tmpfs') {
      run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'none', this.path])
      return
    }
    const image = join(this.root, 'image')
    run('truncate', ['-s', `${mebibytes}M`, image])
    run('mkfs.ext4', ['-q', '-m', '0', image])
    run('mount', ['-o', 'loop', image, this.path])
  }

  /** Where a broker may keep its data. */
  get data(): string {
    return join(this.path, 'data')
  }

  get usableBytes(): number {
    const { bavail, bsize } = statfsSync(this.path)
    return bavail * bsize
  }

  /** Somebody else's file takes what there is, to the last byte. */
  fill(): void {
    const file = openSync(join(this.path, 'stranger'), 'a')
    try {
      for (let size = MIB; size >= 1; size = Math.floor(size / 2)) {
        while (wrote(file, Buffer.alloc(size))) {}
      }
    } finally {
      closeSync(file)
    }
  }

  /** And goes. */
  release(): void {
    rmSync(join(this.path, 'stranger'), { force: true })
  }

  [Symbol.dispose](): void {
    if (existsSync(this.path)) run('umount', ['-l', this.path])
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** False: there was no room for it. */
function wrote(file: number, bytes: Buffer): boolean {
  try {
    return writeSync(file, bytes) === bytes.length
  } catch (problem) {
    if ((problem as NodeJS.ErrnoException).code === 'ENOSPC') return false
    throw problem
  }
}

function run(command: string, args: readonly string[]): void {
  try {
    execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  } catch (problem) {
    const { stderr } = problem as { stderr?: Buffer }
    throw new Error(`${command} ${args.join(' ')}: ${stderr?.toString().trim() || problem}`)
  }
}
