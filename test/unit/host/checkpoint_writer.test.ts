// Checkpoints beside everything else: a directory that hangs holds up its own and no other's, what is asked meanwhile is
// one write more, and what has become untrue is not put in its place.

import { expect, test } from 'vitest'
import { LogDirectories } from '../../../src/host/log_directories.ts'
import { decodeCheckpoint } from '../../../src/host/log_directory.ts'
import type { Files } from '../../../src/host/world.ts'
import type { DataPlane, PartitionRow } from '../../../src/plane/plane.ts'

const FILE = 'replication-offset-checkpoint'

/** Two directories, of which /hangs answers when it is let go. */
class World {
  readonly written = new Map<string, Uint8Array>()
  readonly held: (() => void)[] = []
  writes = 0
  highWatermark = 1
  problem: Error | null = null

  private readonly files: Partial<Files> = {
    read: () => null,
    remove: () => {},
    list: () => [],
    isDirectory: () => true,
    spaceBeside: async () => ({ totalBytes: 1, usableBytes: 1 }),
    replace: (path, bytes) => {
      this.written.set(path, bytes)
    },
    replaceBeside: async (path, bytes, isWanted) => {
      this.writes++
      if (this.problem !== null) throw this.problem
      if (path.startsWith('/hangs/')) await new Promise<void>((resolve) => this.held.push(resolve))
      const wanted = isWanted()
      if (wanted) this.written.set(path, bytes)
      return wanted
    },
  }
  readonly directories = new LogDirectories(this.files as Files, [
    { path: '/hangs', id: 'A' },
    { path: '/well', id: 'B' },
  ])
  private readonly plane = {
    partition: () => ({ highWatermark: this.highWatermark, isOffline: false }) as PartitionRow,
  } as Partial<DataPlane> as DataPlane

  write(only?: string): Promise<void> {
    const partitions = () => [
      { slot: 1, topic: 'a', partition: 0, directory: '/hangs' },
      { slot: 2, topic: 'b', partition: 0, directory: '/well' },
    ]
    return this.directories.checkpointBeside(this.plane, partitions, ['highWatermarks'], only)
  }

  of(path: string): [string, number][] {
    return [...(decodeCheckpoint(this.written.get(`${path}/${FILE}`) ?? new Uint8Array()) ?? [])]
  }

  async release(): Promise<void> {
    await until(() => this.held.length > 0)
    this.held.shift()!()
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000 && !condition(); turn++) await Promise.resolve()
  expect(condition()).toBe(true)
}

test('a directory that hangs holds up no other', async () => {
  const world = new World()
  const all = world.write()
  await world.write('/well')
  expect(world.of('/well')).toEqual([['b-0', 1]])
  world.highWatermark = 2
  await world.write('/well')
  expect(world.of('/well')).toEqual([['b-0', 2]])
  expect(world.of('/hangs')).toEqual([])
  await world.release()
  await all
  expect(world.of('/hangs')).toEqual([['a-0', 1]])
})

test('what is asked while it hangs is one write, of what is published then', async () => {
  const world = new World()
  const first = world.write('/hangs')
  await until(() => world.held.length === 1)
  const later = [world.write('/hangs'), world.write('/hangs'), world.write('/hangs')]
  world.highWatermark = 9
  await world.release()
  await first
  await world.release()
  await Promise.all(later)
  await world.directories.settled()
  expect(world.of('/hangs')).toEqual([['a-0', 9]])
  expect(world.writes).toBe(2)
})

test('what a deletion has made untrue meanwhile is written anew', async () => {
  const world = new World()
  const write = world.write('/hangs')
  await until(() => world.held.length === 1)
  world.directories.forget('a', 0, '/hangs')
  world.highWatermark = 5
  await world.release()
  await world.release()
  await write
  expect(world.of('/hangs')).toEqual([['a-0', 5]])
  expect(world.writes).toBe(2)
})

test('a disk that refuses has failed; one that is full has not, and says so', async () => {
  const world = new World()
  world.problem = Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'fsync' })
  await world.write('/hangs')
  expect(world.directories.list().map(({ failure }) => failure)).toEqual(['EIO: fsync', null])
  world.problem = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' })
  await expect(world.write('/well')).rejects.toThrow('ENOSPC')
  world.problem = null
  await world.write('/well')
  expect(world.of('/well')).toEqual([['b-0', 1]])
})
