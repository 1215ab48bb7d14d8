// Results on disk: one line of JSON per slice, written as soon as it is measured, so that a run that was stopped goes on
// where it was. The first line says on which machine, of which commit, with which settings; another of any is another
// file. bench/history/ has a summary per commit, for the growth curves.

import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { arch, availableParallelism, cpus, release, totalmem } from 'node:os'
import { dirname } from 'node:path'
import type { Slice } from './slice.ts'

/** What a result depends on beside the programs. */
export interface Facts {
  readonly commit: string
  readonly isClean: boolean
  readonly processor: string
  readonly cores: number
  readonly memoryGib: number
  readonly kernel: string
  readonly congestion: string
  readonly fileSystem: string
  readonly node: string
  readonly java: string
}

const FILE_SYSTEMS: Record<number, string> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  16914836: 'tmpfs',
  2035054128: 'overlay',
}

function said(command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
      .toString()
      .trim()
  } catch {
    return 'none'
  }
}

/** Asks the machine; `directory` is where the brokers write. */
export function facts(directory: string): Facts {
  const sysctl = '/proc/sys/net/ipv4/tcp_congestion_control'
  const kind = statfsSync(directory).type
  return {
    commit: said('git', 'rev-parse', '--short=12', 'HEAD'),
    isClean: said('git', 'status', '--porcelain', '--untracked-files=no') === '',
    processor: cpus()[0]?.model ?? arch(),
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    congestion: existsSync(sysctl) ? readFileSync(sysctl, 'utf8').trim() : 'unknown',
    fileSystem: FILE_SYSTEMS[kind] ?? `0x${kind.toString(16)}`,
    node: process.version,
    java: said('java', '--version').split('\n')[0]!,
  }
}

/** One run's slices. */
export class Store {
  readonly path: string
  readonly slices: Slice[] = []

  private constructor(path: string) {
    this.path = path
  }

  /** Opens or begins it; a last line that was cut short is measured again. */
  static open(path: string, header: object): Store {
    const store = new Store(path)
    mkdirSync(dirname(path), { recursive: true })
    if (!existsSync(path)) appendFileSync(path, `${JSON.stringify(header)}\n`)
    const whole = readFileSync(path, 'utf8').split('\n').slice(0, -1)
    writeFileSync(path, whole.map((line) => `${line}\n`).join(''))
    for (const line of whole.slice(1)) store.slices.push(JSON.parse(line) as Slice)
    return store
  }

  has(arm: string, workload: string, round: number): boolean {
    return this.slices.some(
      (slice) => slice.arm === arm && slice.workload === workload && slice.round === round,
    )
  }

  add(slice: Slice): void {
    this.slices.push(slice)
    appendFileSync(this.path, `${JSON.stringify(slice)}\n`)
  }
}
