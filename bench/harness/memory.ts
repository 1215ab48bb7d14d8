// Memory that is warm when a slice begins. Where a guest's free pages go back to its host they are slow to touch again
// (PERFORMANCE: 10-17 times), and while they go the host takes time from us, which the gates see as stolen. So neither too
// little nor too much: as much is made warm as the workload wrote the last time, less what the slice right before freed.

import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const SPARE = 1.2
const BYTES_MAX = 2e9
/** As long as what was freed stays ours. */
const FRESH_MS = 1000
const MIB = 1 << 20

/** What was written, by workload; what is free and warm. Of one run. */
export class WarmMemory {
  private readonly perSecond = new Map<string, number>()
  private freed = 0
  private freedAtMs = Number.NEGATIVE_INFINITY

  /** How many bytes a slice lacks that writes for `seconds`; `guess`: per second, where nothing is known yet. */
  lacks(workload: string, seconds: number, guess: number, nowMs: number): number {
    const wanted = SPARE * seconds * (this.perSecond.get(workload) ?? guess)
    const isFresh = nowMs - this.freedAtMs < FRESH_MS
    return Math.min(BYTES_MAX, Math.max(0, wanted - (isFresh ? this.freed : 0)))
  }

  /** A slice has written so much, and it was deleted. */
  freedBy(workload: string, seconds: number, bytes: number, nowMs: number): void {
    this.perSecond.set(workload, Math.max(bytes / seconds, this.perSecond.get(workload) ?? 0))
    this.freed = bytes
    this.freedAtMs = nowMs
  }
}

/** Touches so much memory, by a file that goes away again. */
export function warmMemory(bytes: number): void {
  if (bytes < MIB) return
  const path = join(tmpdir(), `ottla-warm-${process.pid}`)
  const block = Buffer.alloc(MIB, 1)
  const file = openSync(path, 'w')
  for (let written = 0; written < bytes; written += block.length) writeSync(file, block)
  closeSync(file)
  rmSync(path)
}
