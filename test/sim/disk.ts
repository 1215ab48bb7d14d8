// The small files of a simulated machine: what the control plane writes, as the single steps a file system takes.
//
// A file's bytes are durable once it was synced, a directory's entries once the directory was; a rename is whole or
// did not happen. Power loss keeps, per directory, a prefix of its changes in order (a journal), and of unsynced
// bytes anything: all, none, a part, or zeros where bytes should be (delayed allocation). A killed process loses
// nothing. Each step of host/system.ts's SystemFiles is one operation of a Life, so a life may end between any two.

import type { Files, Space } from '../../src/host/world.ts'
import type { Random } from '../../src/lib/random.ts'
import { ModelDisk, type StoredLog } from '../../src/plane/model_disk.ts'
import type { Life } from './life.ts'

/** Planted bugs: what a careless program leaves out. The simulator must find each (canary.ts). */
export interface DiskBugs {
  skipsFileSync?: boolean
  skipsDirectorySync?: boolean
  /** Files whose names end like this are never written. */
  forgets?: string
}

interface SimFile {
  bytes: Uint8Array
  isSynced: boolean
}

type Node = SimFile | SimDirectory

class SimDirectory {
  entries = new Map<string, Node>()
  durable = new Map<string, Node>()
  pending: ((entries: Map<string, Node>) => void)[] = []

  change(change: (entries: Map<string, Node>) => void): void {
    change(this.entries)
    this.pending.push(change)
  }

  sync(): void {
    this.durable = new Map(this.entries)
    this.pending = []
  }

  /** Some of what was not synced, in order, is kept. */
  losePower(random: Random): void {
    const kept = random.nextInt(this.pending.length + 1)
    for (const change of this.pending.slice(0, kept)) change(this.durable)
    this.entries = new Map(this.durable)
    this.pending = []
    for (const node of this.entries.values()) {
      if (node instanceof SimDirectory) node.losePower(random)
      else if (!node.isSynced) tear(node, random)
    }
  }
}

function tear(file: SimFile, random: Random): void {
  const { bytes } = file
  file.isSynced = true
  const fate = random.nextInt(4)
  if (fate === 0) return
  if (fate === 1) file.bytes = new Uint8Array(0)
  else {
    const length = random.nextInt(bytes.length + 1)
    file.bytes = fate === 2 ? bytes.slice(0, length) : bytes.slice()
    if (fate === 3) file.bytes.fill(0, length)
  }
}

/** One machine's disk: the control plane's files, and the data plane's logs. */
export class SimDisk {
  readonly logs = new ModelDisk()
  readonly bugs: DiskBugs
  private readonly root = new SimDirectory()
  private readonly locks = new Map<string, Life>()

  constructor(bugs: DiskBugs = {}) {
    this.bugs = bugs
  }

  /** The disk as one process sees it. */
  mount(life: Life): Files {
    return new MountedFiles(this, life)
  }

  /** What was not synced may be gone. */
  losePower(random: Random): void {
    this.root.losePower(random)
    this.logs.crash(random)
  }

  read(path: string): Uint8Array | null {
    const [parent, name] = split(path)
    if (name === 'partition.metadata') {
      const log = this.log(parent)
      return log === undefined ? null : new TextEncoder().encode(`topic_id: ${log.topicId}`)
    }
    const node = this.find(path)
    return node === undefined || node instanceof SimDirectory ? null : node.bytes.slice()
  }

  directory(path: string): SimDirectory | undefined {
    const node = this.find(path)
    return node instanceof SimDirectory ? node : undefined
  }

  /** Names in a directory: files, and the data plane's partitions. */
  list(path: string): string[] {
    const names = new Set(this.directory(path)?.entries.keys())
    for (const log of this.logs.logs()) {
      if (log.directory === path) names.add(`${log.topic}-${log.partition}`)
    }
    return [...names].sort()
  }

  /** The partition that lies in a directory. */
  log(path: string): StoredLog | undefined {
    const isThere = (log: StoredLog) => `${log.directory}/${log.topic}-${log.partition}` === path
    return this.logs.logs().find(isThere)
  }

  lock(path: string, life: Life): { release(): void } | null {
    const holder = this.locks.get(path)
    if (holder !== undefined && !holder.isOver) return null
    this.locks.set(path, life)
    return {
      release: () => {
        if (this.locks.get(path) === life) this.locks.delete(path)
      },
    }
  }

  private find(path: string): Node | undefined {
    let node: Node | undefined = this.root
    for (const name of path.split('/').slice(1)) {
      if (name === '') continue
      if (!(node instanceof SimDirectory)) return undefined
      node = node.entries.get(name)
    }
    return node
  }
}

class MountedFiles implements Files {
  private readonly disk: SimDisk
  private readonly life: Life

  constructor(disk: SimDisk, life: Life) {
    this.disk = disk
    this.life = life
  }

  read(path: string): Uint8Array | null {
    return this.disk.read(path)
  }

  replace(path: string, bytes: Uint8Array): void {
    const { life, disk } = this
    if (disk.bugs.forgets !== undefined && path.endsWith(disk.bugs.forgets)) return
    const [parent, name] = split(path)
    const directory = disk.directory(parent)
    if (directory === undefined) throw new Error(`ENOENT ${parent}`)
    const temporary = `${name}.tmp`
    const file: SimFile = { bytes: new Uint8Array(0), isSynced: false }
    if (!life.proceed('create', `${path}.tmp`)) return
    directory.change((entries) => entries.set(temporary, file))
    if (!life.proceed('write', `${path}.tmp ${bytes.length}`)) return
    file.bytes = bytes.slice()
    if (disk.bugs.skipsFileSync !== true) {
      if (!life.proceed('fsync', `${path}.tmp`)) return
      file.isSynced = true
    }
    if (!life.proceed('rename', path)) return
    directory.change((entries) => {
      entries.delete(temporary)
      entries.set(name, file)
    })
    this.sync(parent)
  }

  async replaceBeside(path: string, bytes: Uint8Array, isWanted: () => boolean): Promise<boolean> {
    const wanted = isWanted()
    if (wanted) this.replace(path, bytes)
    return wanted
  }

  remove(path: string): void {
    const [parent, name] = split(path)
    const directory = this.disk.directory(parent)
    if (directory === undefined || !this.life.proceed('unlink', path)) return
    if (directory.entries.has(name)) directory.change((entries) => entries.delete(name))
    this.sync(parent)
  }

  async removeBeside(path: string): Promise<void> {
    this.remove(path)
  }

  list(directory: string): string[] {
    return this.disk.list(directory)
  }

  isDirectory(path: string): boolean {
    return this.disk.directory(path) !== undefined
  }

  makeDirectory(path: string): void {
    const [parent, name] = split(path)
    if (this.isDirectory(path)) return this.sync(parent)
    if (parent !== '/') this.makeDirectory(parent)
    const directory = this.disk.directory(parent)
    if (directory === undefined || !this.life.proceed('mkdir', path)) return
    const made = new SimDirectory()
    directory.change((entries) => entries.set(name, made))
    this.sync(parent)
  }

  rename(from: string, to: string): void {
    const [parent, name] = split(from)
    const [target, newName] = split(to)
    const log = this.disk.log(from)
    if (log !== undefined) return this.setAside(log, to)
    const directory = this.disk.directory(parent)
    const node = directory?.entries.get(name)
    if (directory === undefined || node === undefined) throw new Error(`ENOENT ${from}`)
    if (parent !== target) throw new Error('a rename across directories is not simulated')
    if (!this.life.proceed('rename', to)) return
    directory.change((entries) => {
      entries.delete(name)
      entries.set(newName, node)
    })
    this.sync(target)
  }

  /** A partition's directory gets a name that nobody opens: it is gone. */
  private setAside(log: StoredLog, to: string): void {
    if (this.life.proceed('rename', to)) this.disk.logs.remove(log)
  }

  lock(path: string): { release(): void } | null {
    return this.disk.lock(path, this.life)
  }

  hold(): Promise<void> {
    return Promise.resolve()
  }

  space(): Space {
    return { totalBytes: 1e12, usableBytes: 5e11 }
  }

  spaceBeside(): Promise<Space> {
    return Promise.resolve(this.space())
  }

  private sync(path: string): void {
    if (this.disk.bugs.skipsDirectorySync === true) return
    if (this.life.proceed('fsync', path)) this.disk.directory(path)?.sync()
  }
}

function split(path: string): [string, string] {
  const at = path.lastIndexOf('/')
  return [path.slice(0, at) || '/', path.slice(at + 1)]
}
