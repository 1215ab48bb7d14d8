// A copy takes its partition's place: whatever operation on the disk the process ends before, the next start finds the
// one or the other, whole, and removes or goes on with the rest.
import { describe, expect, test } from 'vitest'
import { LogDirectories } from '../../../src/host/log_directories.ts'
import { decodeCheckpoint } from '../../../src/host/log_directory.ts'
import type { Files } from '../../../src/host/world.ts'
import { UNUSED_ROW } from '../../../src/plane/plane.ts'

const TOPIC_ID = 'J8qXRwI-Qyi2G0guFTiuYw'
const FUTURE = `t-0.${'ab'.repeat(16)}-future`
const METADATA = new TextEncoder().encode(`version: 0\ntopic_id: ${TOPIC_ID}`)
const ROW = {
  ...UNUSED_ROW,
  logStartOffset: 3,
  logEndOffset: 9,
  highWatermark: 9,
  recoveryPoint: 9,
}
const PLACES = { topic: 't', topicId: TOPIC_ID, partition: 0, from: '/a', to: '/b', name: FUTURE }
const COPIED = { ...PLACES, cleanedTo: 5 }

class Killed extends Error {}

/** Directories /a and /b; the process ends before the change of this number. */
class Disk {
  readonly files = new Map<string, Uint8Array>()
  killedBefore = Number.POSITIVE_INFINITY
  changes = 0

  constructor(...directories: string[]) {
    for (const path of directories) this.files.set(`${path}/partition.metadata`, METADATA)
  }

  private change(): void {
    if (this.changes++ >= this.killedBefore) throw new Killed()
  }

  mount(): Files {
    const under = (path: string) => [...this.files.keys()].filter((it) => it.startsWith(`${path}/`))
    const names = (path: string) =>
      under(path).map((it) => it.slice(path.length + 1).split('/')[0]!)
    const files: Partial<Files> = {
      read: (path) => this.files.get(path) ?? null,
      list: (path) => [...new Set(names(path))],
      isDirectory: (path) => under(path).length > 0,
      remove: () => {},
      removeBeside: async (path) => {
        for (const it of under(path)) this.files.delete(it)
      },
      space: () => ({ totalBytes: 1, usableBytes: 1 }),
      spaceBeside: async () => ({ totalBytes: 1, usableBytes: 1 }),
      replace: (path, bytes) => {
        this.change()
        this.files.set(path, bytes)
      },
      rename: (from, to) => {
        this.change()
        for (const it of under(from)) {
          this.files.set(`${to}${it.slice(from.length)}`, this.files.get(it)!)
          this.files.delete(it)
        }
      },
    }
    return files as Files
  }

  /** A start, with what the metadata says of the partition's directory. */
  start(directoryId: string) {
    const directories = new LogDirectories(this.mount(), [
      { path: '/a', id: 'A' },
      { path: '/b', id: 'B' },
    ])
    directories.setAsideStrays(() => ({ topicId: TOPIC_ID, directoryId }))
    directories.settleFutures((id, partition) =>
      id === TOPIC_ID && partition === 0 ? { topic: 't', directoryId } : undefined,
    )
    return directories
  }

  names(): string[] {
    const found = [...this.files.keys()].filter((path) => path.endsWith('/partition.metadata'))
    return found.map((path) => path.replace(/\.[0-9a-f]+-/, '.').replace(/\/[^/]*$/, '')).sort()
  }
}

describe('host: future directories', () => {
  test('host: future directories: a swap that ends before any of its changes leaves one log', () => {
    const outcomes = new Set<string>()
    for (let killedBefore = 0; ; killedBefore++) {
      const disk = new Disk('/a/t-0', `/b/${FUTURE}`)
      const before = disk.start('B')
      expect(before.place('t', 0, 'B')!.directory).toBe('/a')
      disk.changes = 0
      disk.killedBefore = killedBefore
      let isKilled = false
      try {
        expect(before.replace(COPIED, ROW)).toBe(true)
      } catch (problem) {
        expect(problem).toBeInstanceOf(Killed)
        isKilled = true
      }
      disk.killedBefore = Number.POSITIVE_INFINITY
      const after = disk.start('B')
      const place = after.place('t', 0, 'B', false)!
      const isMoved = place.directory === '/b'
      // What was deleted from the log stays deleted.
      if (isMoved) expect(place.logStartOffset).toBe(3)
      else expect(after.unfinished).toMatchObject([{ to: '/b', name: FUTURE, topicId: TOPIC_ID }])
      expect(disk.names().filter((name) => name.endsWith('/t-0'))).toEqual([
        `${place.directory}/t-0`,
      ])
      outcomes.add(`${place.directory} ${isKilled}`)
      if (!isKilled) break
    }
    expect(outcomes).toEqual(new Set(['/a true', '/b true', '/b false']))
  })

  test('host: future directories: until it is open the checkpoints say what it brought', () => {
    const disk = new Disk('/a/t-0', `/b/${FUTURE}`)
    const directories = disk.start('B')
    directories.replace(COPIED, ROW)
    const plane = { partition: () => UNUSED_ROW } as never
    const starts = () => decodeCheckpoint(disk.files.get('/b/log-start-offset-checkpoint')!)
    directories.checkpoint(plane, [])
    expect(starts()).toEqual(new Map([['t-0', 3]]))
    directories.arrived('t', 0)
    const open = { slot: 1, topic: 't', partition: 0, directory: '/b' }
    directories.checkpoint(plane, [open])
    expect(starts()).toEqual(new Map([['t-0', UNUSED_ROW.logStartOffset]]))
  })

  test('host: future directories: it brings along how far it is compacted, and leaves nothing', () => {
    const disk = new Disk('/a/t-0', `/b/${FUTURE}`)
    const file = 'cleaner-offset-checkpoint'
    const lines = new TextEncoder().encode('0\n2\nt 0 7\nu 0 4\n')
    for (const path of ['/a', '/b']) disk.files.set(`${path}/${file}`, lines)
    const directories = disk.start('B')
    directories.replace(COPIED, ROW)
    const of = (path: string) => decodeCheckpoint(disk.files.get(`${path}/${file}`)!)
    expect([of('/a'), of('/b')]).toEqual([
      new Map([['u-0', 4]]),
      new Map([
        ['t-0', 5],
        ['u-0', 4],
      ]),
    ])
    expect(disk.start('B').cleanerOffset('/b', 't-0')).toBe(5)
  })

  test('host: future directories: what a start finds', () => {
    const cases: [disk: Disk, directoryId: string, names: string[], unfinished: number][] = [
      // The log is lost: the metadata names the copy, or another directory that may come back.
      [new Disk(`/b/${FUTURE}`), 'B', ['/b/t-0'], 0],
      [new Disk(`/b/${FUTURE}`), 'A', ['/b/t-0.future'], 0],
      [new Disk('/a/t-0', `/b/${FUTURE}`), 'A', ['/a/t-0', '/b/t-0.future'], 1],
      [new Disk('/b/t-0', `/b/${FUTURE}`), 'B', ['/b/t-0', '/b/t-0.delete'], 0],
    ]
    for (const [disk, directoryId, names, unfinished] of cases) {
      const directories = disk.start(directoryId)
      expect(disk.names()).toEqual(names)
      expect(directories.unfinished).toHaveLength(unfinished)
    }
  })

  test('host: future directories: a copy of a topic that is gone is removed', async () => {
    const disk = new Disk(`/b/${FUTURE}`)
    const directories = new LogDirectories(disk.mount(), [{ path: '/b', id: 'B' }])
    directories.settleFutures(() => undefined)
    await directories.removeLeftovers()
    expect(disk.names()).toEqual([])
  })
})
