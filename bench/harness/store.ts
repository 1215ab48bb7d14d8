// What a result depends on beside the programs, and the slices of a run on disk: on which machine, of which sources, with
// which settings; another of any is another file. bench/history/ has a summary per commit, for the growth curves.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { arch, availableParallelism, cpus, release, totalmem } from 'node:os'
import { Lines } from './lines.ts'
import type { Slice } from './slice.ts'

/** What a result depends on beside the programs. */
export interface Facts {
  readonly commit: string
  /** What git calls the folders that are measured and measure: a commit of words alone does not change it. */
  readonly sources: string
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

const MEASURED = ['native', 'src', 'package.json', 'package-lock.json', '.ci/bundle.mjs']
const MEASURES = ['arms', 'harness', 'load', 'targets'].map((name) => `bench/${name}`)

/** One name for all of them at a commit, twelve hexadecimal digits. */
function sourcesOf(commit: string): string {
  const names = [...MEASURED, ...MEASURES].map((path) => `${commit}:${path}`)
  return createHash('sha256')
    .update(said('git', 'rev-parse', ...names))
    .digest('hex')
    .slice(0, 12)
}

/** Asks the machine; `directory` is where the brokers write. */
export function facts(directory: string): Facts {
  const sysctl = '/proc/sys/net/ipv4/tcp_congestion_control'
  const kind = statfsSync(directory).type
  return {
    commit: said('git', 'rev-parse', '--short=12', 'HEAD'),
    sources: sourcesOf('HEAD'),
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
  private readonly lines: Lines<Slice>

  private constructor(lines: Lines<Slice>) {
    this.lines = lines
  }

  /** Opens or begins it. */
  static open(path: string, header: object): Store {
    return new Store(Lines.open(path, header))
  }

  get slices(): readonly Slice[] {
    return this.lines.rows
  }

  has(arm: string, workload: string, round: number): boolean {
    return this.of(arm, workload, round).length > 0
  }

  /** Every attempt at it, void ones too. */
  of(arm: string, workload: string, round: number): Slice[] {
    return this.slices.filter(
      (slice) => slice.arm === arm && slice.workload === workload && slice.round === round,
    )
  }

  add(slice: Slice): void {
    this.lines.add(slice)
  }
}
