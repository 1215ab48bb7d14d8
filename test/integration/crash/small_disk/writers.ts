// Producers of several libraries, each in a process of its own that never ends before it is told, and what they say was
// acknowledged. Beside a disk that fills they must go on by themselves when there is room again.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installKafka } from '../../../oracle/kafka/kafka.ts'
import { CONFLUENT_HOME, installConfluent, SYSTEM_PATH } from '../../clients/confluent.ts'
import { ROOT, Server } from '../../support/commands.ts'
import { eventually } from '../../support/eventually.ts'

export const LIBRARIES = ['kafkajs', 'confluent', 'java'] as const
export type Library = (typeof LIBRARIES)[number]

/** Fetches and builds what is not here yet. */
export async function installWriters(libraries: readonly Library[]): Promise<void> {
  if (libraries.includes('confluent')) await installConfluent()
  if (libraries.includes('java')) await installKafka()
}

/** A runtime that starts has what the machine leaves it. */
const START_MS = 240_000

/** One producer; its topic has its library's name. Behind its first acknowledgement it waits for `begin`. */
export class NumberWriter implements AsyncDisposable {
  readonly library: Library
  private readonly folder = mkdtempSync(join(tmpdir(), 'ottla-numbers-'))
  private readonly server: Server

  constructor(library: Library, address: string) {
    this.library = library
    const files = [this.acknowledgedFile, this.goFile, this.stopFile]
    if (library === 'java') {
      const libs = join(ROOT, '.cache/kafka-4.3.1/libs/*')
      const java = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', libs]
      const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'
      const source = join(import.meta.dirname, 'Numbers.java')
      this.server = new Server('java', [
        ...[...java, quiet, source],
        ...[address, library, ...files],
      ])
      return
    }
    const script = join(import.meta.dirname, 'numbers.mjs')
    const isOurs = library === 'kafkajs'
    const home = isOurs ? ROOT : CONFLUENT_HOME
    const args = [script, library, address, library, ...files, home]
    const env = { KAFKAJS_NO_PARTITIONER_WARNING: '1', ...(isOurs ? {} : { PATH: SYSTEM_PATH }) }
    this.server = new Server(isOurs ? process.execPath : 'node', args, { env })
  }

  private get acknowledgedFile(): string {
    return join(this.folder, 'acknowledged')
  }

  private get goFile(): string {
    return join(this.folder, 'go')
  }

  private get stopFile(): string {
    return join(this.folder, 'stop')
  }

  private get lines(): string[] {
    if (!existsSync(this.acknowledgedFile)) return []
    // The last piece is a line that is being written, or nothing.
    return readFileSync(this.acknowledgedFile, 'utf8').split('\n').slice(0, -1)
  }

  /** Numbers that were acknowledged; throws when one failed for good. */
  get acknowledged(): number[] {
    const lines = this.lines.filter((line) => line !== 'done')
    const failed = lines.find((line) => line.startsWith('failed'))
    if (failed !== undefined) throw new Error(`${this.library}: ${failed}`)
    return lines.map(Number)
  }

  /** It is connected, and something of it was acknowledged. */
  async ready(): Promise<void> {
    await this.waitFor(() => this.acknowledged.length > 0, START_MS)
  }

  /** From now on it sends as fast as it can. */
  begin(): void {
    writeFileSync(this.goFile, '')
  }

  /** It sends nothing new, but what is on its way. */
  hold(): void {
    rmSync(this.goFile, { force: true })
  }

  /** Until so many more were acknowledged than now. */
  async goesOn(more: number, timeoutMs = 90_000): Promise<void> {
    const before = this.acknowledged.length
    await this.waitFor(() => this.acknowledged.length >= before + more, timeoutMs)
  }

  /** Sends the rest, and ends. */
  async finish(): Promise<void> {
    writeFileSync(this.stopFile, '')
    await this.waitFor(() => this.lines.at(-1) === 'done', 120_000)
  }

  private async waitFor(holds: () => boolean, timeoutMs: number): Promise<void> {
    await eventually(async () => (holds() ? true : undefined), timeoutMs).catch((problem) => {
      const { length } = this.lines
      throw new Error(
        `${this.library} after ${length}: ${problem}\n${this.server.said.slice(-2000)}`,
      )
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.end('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }
}
