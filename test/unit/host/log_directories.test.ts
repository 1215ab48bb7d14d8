// Log directories: whose partitions they hold, and what their checkpoints are believed about.
import { constants } from 'node:os'
import { describe, expect, test } from 'vitest'
import { LogDirectories } from '../../../src/host/log_directories.ts'
import {
  decodeCheckpoint,
  encodeCheckpoint,
  passes,
  refusal,
} from '../../../src/host/log_directory.ts'
import type { Files } from '../../../src/host/world.ts'
import type { DataPlane } from '../../../src/plane/plane.ts'
import type { DiskState } from '../../../src/storage/disk_pressure.ts'

const TOPIC_ID = 'J8qXRwI-Qyi2G0guFTiuYw'
const OTHER_ID = 'GxLdKc1jT9y1YI6Z0Z0Zbg'
const encoder = new TextEncoder()
const expected = (topicId: string) => ({ topicId, directoryId: 'one' })

/** `/data` with these partitions, by name: the topic id in partition.metadata, or null for none. */
function directoriesOf(
  partitions: Record<string, string | null>,
  checkpoint = new Map<string, number>(),
  isMarked = false,
) {
  const renamed: [string, string][] = []
  const contents = new Map<string, Uint8Array>()
  for (const file of ['recovery-point', 'log-start', 'replication']) {
    contents.set(`/data/${file}-offset-checkpoint`, encodeCheckpoint(checkpoint))
  }
  if (isMarked) contents.set('/data/.kafka_cleanshutdown', encoder.encode('{}'))
  for (const [name, id] of Object.entries(partitions)) {
    const text = `version: 0\ntopic_id: ${id}`
    if (id !== null) contents.set(`/data/${name}/partition.metadata`, encoder.encode(text))
  }
  const files: Partial<Files> = {
    read: (path) => contents.get(path) ?? null,
    list: () => Object.keys(partitions),
    remove: () => {},
    rename: (from, to) => renamed.push([from, to]),
    replace: (path, bytes) => contents.set(path, bytes),
    space: () => ({ totalBytes: 1, usableBytes: 1 }),
  }
  const directories = new LogDirectories(files as Files, [{ path: '/data', id: 'one' }])
  return { directories, renamed, contents, files: files as Files }
}

describe('host: log directories', () => {
  test('host: log directories: an error that passes does so by its name and by its number', () => {
    const passing = ['EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC']
    const { errno } = constants
    expect(Object.keys(errno).filter((code) => passes(errno[code as 'EIO']))).toEqual(passing)
    const named = Object.keys(errno).filter((code) => {
      const outcome = refusal({ code, syscall: 'write' })
      return !outcome.ok && outcome.isPassing
    })
    expect(named).toEqual(passing)
  })

  test('host: log directories: a partition that the metadata does not know is set aside', () => {
    const { directories, renamed } = directoriesOf({ 'gone-0': TOPIC_ID, 'kept-1': OTHER_ID })
    const known = (topic: string, partition: number) =>
      topic === 'kept' && partition === 1 ? expected(OTHER_ID) : undefined
    expect(directories.setAsideStrays(known)).toHaveLength(1)
    const digits = '27ca9747023e4328b61b482e1538ae63'
    expect(renamed).toEqual([['/data/gone-0', `/data/gone-0.${digits}-stray`]])
  })

  test('host: log directories: a namesake with another topic id is set aside', () => {
    const { directories, renamed } = directoriesOf({ 'again-0': TOPIC_ID })
    directories.setAsideStrays(() => expected(OTHER_ID))
    expect(renamed).toHaveLength(1)
  })

  test('host: log directories: without partition.metadata the name decides', () => {
    const { directories, renamed } = directoriesOf({ 'young-0': null, 'gone-0': null })
    directories.setAsideStrays((topic) => (topic === 'young' ? expected(TOPIC_ID) : undefined))
    expect(renamed.map(([from]) => from)).toEqual(['/data/gone-0'])
  })

  test('host: log directories: the metadata log and the longest names are no trouble', () => {
    const longest = `${'t'.repeat(249)}-0`
    const { directories, renamed } = directoriesOf({
      '__cluster_metadata-0': null,
      [longest]: TOPIC_ID,
    })
    directories.setAsideStrays(() => undefined)
    expect(renamed.map(([, to]) => to.length - '/data/'.length)).toEqual([255])
  })

  test('host: log directories: a checkpoint says nothing about a partition that is not there', () => {
    const checkpoint = new Map([
      ['kept-0', 7],
      ['gone-0', 9],
    ])
    const { directories } = directoriesOf({ 'kept-0': TOPIC_ID }, checkpoint)
    expect(directories.place('kept', 0)!.logStartOffset).toBe(7)
    const { logStartOffset, highWatermark, recoveryPoint } = directories.place('gone', 0)!
    expect([logStartOffset, highWatermark, recoveryPoint]).toEqual([0, 0, 0])
  })

  test('host: log directories: what is not open yet keeps its lines in the checkpoints', () => {
    const checkpoint = new Map([
      ['open-0', 7],
      ['late-0', 9],
      ['gone-0', 5],
    ])
    const { directories, contents } = directoriesOf(
      { 'open-0': TOPIC_ID, 'late-0': TOPIC_ID },
      checkpoint,
    )
    const row = { logStartOffset: 8, recoveryPoint: 8, highWatermark: 8, isOffline: false }
    const plane = { partition: () => row } as unknown as DataPlane
    directories.checkpoint(plane, [{ slot: 1, topic: 'open', partition: 0, directory: '/data' }])
    const starts = decodeCheckpoint(contents.get('/data/log-start-offset-checkpoint')!)
    expect(starts).toEqual(
      new Map([
        ['open-0', 8],
        ['late-0', 9],
      ]),
    )
  })

  test('host: log directories: a damaged checkpoint is told, believed in nothing, and written anew', () => {
    const { files, contents } = directoriesOf({ 't-0': TOPIC_ID }, new Map([['t-0', 7]]))
    const file = '/data/log-start-offset-checkpoint'
    contents.set(file, encoder.encode('0\n1\nt 0 q\n'))
    const directories = new LogDirectories(files, [{ path: '/data', id: 'one' }])
    expect(directories.unreadCheckpoints()).toEqual([file])
    const place = directories.place('t', 0)
    expect(place).toMatchObject({ logStartOffset: 0, recoveryPoint: 7, highWatermark: 7 })
    const row = { logStartOffset: 8, recoveryPoint: 8, highWatermark: 8, isOffline: false }
    const plane = { partition: () => row } as unknown as DataPlane
    directories.checkpoint(plane, [{ slot: 1, topic: 't', partition: 0, directory: '/data' }])
    expect(decodeCheckpoint(contents.get(file)!)).toEqual(new Map([['t-0', 8]]))
  })

  test('host: log directories: a new namesake does not find the old one in a checkpoint after a kill', () => {
    const checkpoint = new Map([
      ['kept-0', 7],
      ['gone-0', 9],
      ['gone-1', 9],
    ])
    const { directories, contents } = directoriesOf(
      { 'kept-0': TOPIC_ID, 'gone-0': TOPIC_ID },
      checkpoint,
    )
    directories.place('kept', 0)
    directories.place('gone', 0)
    directories.forget('gone', 0, '/data')
    const onDisk = (file: string) => decodeCheckpoint(contents.get(`/data/${file}`)!)
    expect(onDisk('log-start-offset-checkpoint')).toEqual(checkpoint)
    directories.place('gone', 0)
    for (const file of ['recovery-point', 'log-start', 'replication']) {
      expect(onDisk(`${file}-offset-checkpoint`)).toEqual(new Map([['kept-0', 7]]))
    }
  })
})

/** `/one`, `/two` … as a start finds them; `broken` fails every call with EIO. */
function several(contents: Record<string, string[]>, broken: string[] = []) {
  const renamed: [string, string][] = []
  const eio = (path: string) => {
    const isBroken = broken.some((directory) => path.startsWith(directory))
    if (isBroken) throw Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'read' })
  }
  const metadata = encoder.encode(`version: 0\ntopic_id: ${TOPIC_ID}`)
  const files: Partial<Files> = {
    read: (path) => {
      eio(path)
      return path.endsWith('partition.metadata') ? metadata : null
    },
    list: (path) => contents[path] ?? [],
    remove: eio,
    replace: eio,
    rename: (from, to) => renamed.push([from, to]),
  }
  const found = Object.keys(contents).map((path) => ({ path, id: path.slice(1) }))
  const directories = new LogDirectories(files as Files, found)
  const failed: string[] = []
  directories.onFailed = (path) => failed.push(path)
  return { directories, renamed, broken, failed }
}

describe('host: log directories: several', () => {
  test('host: log directories: a new partition goes where the fewest are, but not into a cordoned one', () => {
    const { directories } = several({ '/one': [], '/two': [], '/three': [] })
    const place = (partition: number) => directories.place('t', partition)!.directory
    expect([place(0), place(1), place(2), place(3)]).toEqual(['/one', '/two', '/three', '/one'])
    directories.cordon(['/two', '/three'])
    expect([place(4), place(5)]).toEqual(['/one', '/one'])
    // Kafka, too, takes the first rather than none.
    directories.cordon(['/one', '/two', '/three'])
    expect(place(6)).toBe('/one')
    directories.cordon([])
    expect([place(7), place(8)]).toEqual(['/two', '/three'])
  })

  test('host: log directories: a new partition goes where there is most room', () => {
    const { directories } = several({ '/one': [], '/two': [], '/three': [] })
    const states: Record<string, DiskState> = { '/one': 'full', '/two': 'low', '/three': 'plenty' }
    directories.pressureOf = (path) => states[path]!
    const place = (partition: number) => directories.place('t', partition)!.directory
    expect([place(0), place(1)]).toEqual(['/three', '/three'])
    states['/three'] = 'full'
    expect([place(2), place(3)]).toEqual(['/two', '/two'])
    states['/two'] = 'full'
    // None has room: it is small, and must be somewhere.
    expect(place(4)).toBe('/one')
  })

  test('host: log directories: what may lie in a failed directory is not made anew elsewhere', () => {
    const { directories, failed } = several({ '/one': [], '/two': [] }, ['/one'])
    expect(directories.list().map(({ failure }) => failure)).toEqual(['EIO: read', null])
    expect(directories.place('old', 0, 'one', false)).toBeNull()
    expect(directories.place('assigned', 0, 'one', true)).toBeNull()
    expect(directories.place('unassigned', 0, undefined, false)).toBeNull()
    expect(directories.place('new', 0)!.directory).toBe('/two')
    expect(directories.place('old', 1, 'two', false)!.directory).toBe('/two')
    expect(failed).toEqual([])
  })

  test('host: log directories: one that fails a write is told once and not written again', () => {
    const { directories, broken, failed } = several({ '/one': [], '/two': [] })
    broken.push('/one')
    expect(directories.markClean(1, [])).toEqual(['/one'])
    expect(directories.markClean(1, [])).toEqual(['/one'])
    expect(failed).toEqual(['/one'])
    expect(directories.online().map(({ path }) => path)).toEqual(['/two'])
    expect(directories.fail('/one', 'again')).toBe(false)
  })

  test('host: log directories: without a mark at the start, one that holds a log nobody opened gets none', () => {
    const { directories } = several({ '/one': ['t-0', '__cluster_metadata-0'], '/two': ['t-1'] })
    const open = [{ slot: 1, topic: 't', partition: 0, directory: '/one' }]
    expect(directories.markClean(1, open)).toEqual(['/two'])
    directories.forget('t', 1, '/two')
    expect(directories.markClean(1, open)).toEqual([])
  })

  test('host: log directories: one that was marked stays so, whoever was opened meanwhile', () => {
    expect(directoriesOf({ 't-0': TOPIC_ID }).directories.markClean(1, [])).toEqual(['/data'])
    const { directories } = directoriesOf({ 't-0': TOPIC_ID }, new Map(), true)
    expect(directories.markClean(1, [])).toEqual([])
  })

  test('host: log directories: one with a log that was not left in order gets no mark, and goes on', () => {
    const { directories, failed } = several({ '/one': [], '/two': [] })
    directories.leaveUnmarked('/two')
    expect(directories.markClean(1, [])).toEqual(['/two'])
    expect(failed).toEqual([])
    expect(directories.online()).toHaveLength(2)
  })

  test('host: log directories: of two copies the one that the metadata does not name is set aside', () => {
    const { directories, renamed } = several({ '/one': ['twice-0'], '/two': ['twice-0', 'own-0'] })
    directories.setAsideStrays(() => ({ topicId: TOPIC_ID, directoryId: 'two' }))
    expect(renamed.map(([from]) => from)).toEqual(['/one/twice-0'])
    expect(directories.place('twice', 0, 'two', false)!.directory).toBe('/two')
  })
})
