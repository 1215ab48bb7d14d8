// What a broker's process and its directories hold, sampled over time, and whether that stays flat: the median of the last
// quarter against the median of the second (the first is warming up).

import { type Dirent, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { usageOf } from '../harness/processes.ts'

/** One look at a process and its data. */
export interface Sample {
  /** Since the first one. */
  readonly seconds: number
  readonly residentMib: number
  readonly descriptors: number
  readonly threads: number
  /** Blocks that its files take, what is allocated ahead too. */
  readonly diskMib: number
  readonly files: number
  readonly cpuSeconds: number
}

const MIB = 1024 * 1024
const BLOCK_BYTES = 512

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch {
    return [] // it was deleted meanwhile
  }
}

/** Blocks in MiB and files below a directory; what goes meanwhile counts as nothing. */
export function diskOf(directory: string): { mib: number; files: number } {
  let [bytes, files] = [0, 0]
  for (const entry of entriesOf(directory)) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) {
      const below = diskOf(path)
      bytes += below.mib * MIB
      files += below.files
      continue
    }
    bytes += (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * BLOCK_BYTES
    files++
  }
  return { mib: bytes / MIB, files }
}

/** Linux only. */
export function sample(pid: number, directory: string, seconds: number): Sample {
  const { residentMib, cpuSeconds } = usageOf(pid)
  const { mib, files } = diskOf(directory)
  return {
    seconds,
    residentMib,
    descriptors: entriesOf(`/proc/${pid}/fd`).length,
    threads: entriesOf(`/proc/${pid}/task`).length,
    diskMib: mib,
    files,
    cpuSeconds,
  }
}

export const MEASURES = ['residentMib', 'descriptors', 'threads', 'diskMib', 'files'] as const
export type Measure = (typeof MEASURES)[number]

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/** Medians of the second and of the last quarter, and the later one over the earlier. */
export interface Trend {
  readonly measure: Measure
  readonly early: number
  readonly late: number
  readonly ratio: number
}

export function trends(samples: readonly Sample[]): Trend[] {
  const quarter = Math.floor(samples.length / 4)
  return MEASURES.map((measure) => {
    const early = median(samples.slice(quarter, 2 * quarter).map((at) => at[measure]))
    const late = median(samples.slice(-quarter).map((at) => at[measure]))
    return { measure, early, late, ratio: late / early }
  })
}
