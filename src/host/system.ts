// The system: the one file that reads the clock, entropy and the environment, and touches small files.
// A SystemWorld owns every timer it gave out: after close() none is left, so an embedded broker leaves no handle.

import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type StatsFs,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs'
import { open, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { performance } from 'node:perf_hooks'
import type { Clock } from '../lib/clock.ts'
import { LOG_LEVELS, type Log, type LogFields, type LogLevel, type LogSink } from '../lib/log.ts'
import { Random } from '../lib/random.ts'
import type { Cancel, Files, Space, World } from './world.ts'

function spaceOf({ bsize, blocks, bavail }: StatsFs): Space {
  return { totalBytes: blocks * bsize, usableBytes: bavail * bsize }
}

/** Wall and monotonic time of this machine. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicUs: () => performance.now() * 1000,
}

/** The name other machines may know this one by. */
export function systemHostname(): string {
  return hostname()
}

/** Locks a file for this process; the native core has the system call. */
export type LockFile = (path: string) => { release(): void } | null

/** Whether files must survive the machine, or only this process: a volatile one waits for no disk. */
export type Durability = 'disk' | 'process'

/** Node's file system, with every replacement durable before it returns where durability is 'disk'. */
export class SystemFiles implements Files {
  private readonly lockFile: LockFile
  private readonly isVolatile: boolean

  constructor(lockFile: LockFile, durability: Durability = 'disk') {
    this.lockFile = lockFile
    this.isVolatile = durability === 'process'
  }

  read(path: string): Uint8Array | null {
    return orMissing(() => readFileSync(path), null)
  }

  replace(path: string, bytes: Uint8Array): void {
    const temporary = `${path}.tmp`
    const file = openSync(temporary, 'w', 0o644)
    let isWhole = false
    try {
      let at = 0
      while (at < bytes.length) at += writeSync(file, bytes, at)
      if (!this.isVolatile) fsyncSync(file)
      isWhole = true
    } finally {
      closeSync(file)
      // What a full disk took of it is somebody else's room.
      if (!isWhole) rmSync(temporary, { force: true })
    }
    renameSync(temporary, path)
    this.syncDirectory(dirname(path))
  }

  async replaceBeside(path: string, bytes: Uint8Array, isWanted: () => boolean): Promise<boolean> {
    // A name of its own: somebody may replace the file meanwhile.
    const temporary = `${path}.beside.tmp`
    const file = await open(temporary, 'w', 0o644)
    await file
      .writeFile(bytes)
      .then(() => (this.isVolatile ? undefined : file.sync()))
      .finally(() => file.close())
    const wanted = isWanted()
    if (wanted) renameSync(temporary, path)
    else await rm(temporary, { force: true })
    if (wanted && !this.isVolatile) {
      const directory = await open(dirname(path), 'r')
      await directory.sync().finally(() => directory.close())
    }
    return wanted
  }

  remove(path: string): void {
    rmSync(path, { force: true, recursive: true })
    this.syncDirectory(dirname(path))
  }

  async removeBeside(path: string): Promise<void> {
    await rm(path, { force: true, recursive: true })
    this.syncDirectory(dirname(path))
  }

  list(directory: string): string[] {
    return orMissing(() => readdirSync(directory).sort(), [])
  }

  isDirectory(path: string): boolean {
    return orMissing(() => statSync(path).isDirectory(), false)
  }

  makeDirectory(path: string): void {
    const parent = dirname(path)
    if (this.isDirectory(path)) {
      // Whoever made it may have been killed before it was durable. A parent we may not open is an operator's work.
      if (parent !== path) orMissing(() => this.syncDirectory(parent), undefined, 'EACCES')
      return
    }
    if (parent !== path) this.makeDirectory(parent)
    mkdirSync(path, { recursive: true })
    this.syncDirectory(parent)
  }

  rename(from: string, to: string): void {
    renameSync(from, to)
    this.syncDirectory(dirname(to))
  }

  lock(path: string): { release(): void } | null {
    return this.lockFile(path)
  }

  async hold(path: string, bytes: number): Promise<void> {
    if (this.isVolatile) return
    const held = await stat(path).then(({ size }) => size, missing)
    if (held === bytes) return
    // Zeros would take nothing where a file system compresses.
    await writeFile(path, randomBytes(bytes)).catch(async (problem: unknown) => {
      await rm(path, { force: true })
      throw problem
    })
  }

  space(directory: string): Space {
    return spaceOf(statfsSync(directory))
  }

  async spaceBeside(directory: string): Promise<Space> {
    return spaceOf(await statfs(directory))
  }

  private syncDirectory(path: string): void {
    if (this.isVolatile) return
    const directory = openSync(path, 'r')
    try {
      fsyncSync(directory)
    } finally {
      closeSync(directory)
    }
  }
}

/** Of what is not there; any other problem is thrown on. */
function missing(problem: NodeJS.ErrnoException): null {
  if (problem.code === 'ENOENT') return null
  throw problem
}

function orMissing<Value>(look: () => Value, missing: Value, alsoCode = ''): Value {
  try {
    return look()
  } catch (problem) {
    const { code } = problem as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === alsoCode) return missing
    throw problem
  }
}

/** Time, chance, files and the log of this process. */
export class SystemWorld implements World {
  readonly clock = systemClock
  readonly random: Random
  readonly files: Files
  readonly log: Log
  private readonly timers = new Set<NodeJS.Timeout>()
  private readonly immediates = new Set<NodeJS.Immediate>()
  /** The plane's doorbell does not keep a process alive; a running node does. */
  private readonly life = setInterval(() => {}, 0x7fffffff)
  private isClosed = false

  constructor(log: Log, lockFile: LockFile, durability: Durability = 'disk') {
    const seed = randomBytes(12)
    this.random = new Random([seed.readUInt32LE(0), seed.readUInt32LE(4), seed.readUInt32LE(8)])
    this.files = new SystemFiles(lockFile, durability)
    this.log = log
  }

  schedule(delayMs: number, run: () => void): Cancel {
    if (this.isClosed) return () => {}
    // setTimeout holds 31 bits; what is further away than that is looked at again then.
    const delay = Math.min(Math.max(1, Math.ceil(delayMs)), 0x7fffffff)
    const timer = setTimeout(() => {
      this.timers.delete(timer)
      run()
    }, delay)
    this.timers.add(timer)
    return () => {
      clearTimeout(timer)
      this.timers.delete(timer)
    }
  }

  defer(run: () => void): void {
    if (this.isClosed) return
    const immediate = setImmediate(() => {
      this.immediates.delete(immediate)
      run()
    })
    this.immediates.add(immediate)
  }

  close(): void {
    this.isClosed = true
    clearInterval(this.life)
    for (const timer of this.timers) clearTimeout(timer)
    for (const immediate of this.immediates) clearImmediate(immediate)
    this.timers.clear()
    this.immediates.clear()
  }
}

/** Lines for people on a terminal, JSON for machines; below `level` nothing is written. */
export function stderrSink(level: LogLevel, isTerminal = process.stderr.isTTY === true): LogSink {
  const least = LOG_LEVELS.indexOf(level)
  return (lineLevel, scope, message, fields) => {
    if (LOG_LEVELS.indexOf(lineLevel) < least) return
    const time = new Date().toISOString()
    const line = isTerminal
      ? humanLine(time, lineLevel, scope, message, fields)
      : JSON.stringify({ time, level: lineLevel, scope, message, ...fields })
    process.stderr.write(`${line}\n`)
  }
}

function humanLine(
  time: string,
  level: LogLevel,
  scope: string,
  message: string,
  fields: LogFields,
): string {
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`)
  return [time.slice(11, 23), level.toUpperCase().padEnd(5), scope, message, ...rest].join(' ')
}
