// Room on a log directory's disk that is held for the next start, in a file: a process that is not there cannot defend
// what it keeps free, and one that starts without a free byte could write neither who leads the metadata log nor that it
// is here. Let go of at a start that finds less, taken again when there is plenty. (docs/decisions/0012)
//
// Invariant: the file says nothing; whoever removes it loses only the room.

import { attempt } from './log_directory.ts'
import type { Files } from './world.ts'

/** What a start writes, the coordinators' first records, and blocks that are allocated ahead of them. */
export const HELD_BYTES = 1 << 20
const HELD_ROOM = '.ottla_held_room'

/** Holds the room of a directory; there is enough. */
export function holdRoom(files: Files, directory: string): Promise<void> {
  return files.hold(`${directory}/${HELD_ROOM}`, HELD_BYTES)
}

/** Before anything is written at a start: lets go of the room of directories whose disks have less. */
export function releaseRoom(files: Files, directories: Iterable<string>): string[] {
  const released: string[] = []
  for (const directory of directories) {
    const path = `${directory}/${HELD_ROOM}`
    // A directory that fails is found out by those who need it.
    attempt(() => {
      const isShort = files.space(directory).usableBytes < HELD_BYTES
      if (!isShort || !files.list(directory).includes(HELD_ROOM)) return
      files.remove(path)
      released.push(directory)
    })
  }
  return released
}
