// A partition's row as a reactor writes it: a sequence number, odd while it is being written, and the columns.
//
// Non-obvious: on a machine with more to do than it has cores, the writer may lose its turn in the middle of a row, for longer than
// any number of reads takes. Whoever spins then keeps the writer waiting; so a reader that has spun for a while sleeps.

import { partitionColumn } from './layout.ts'
import type { PartitionRow } from './plane.ts'

const SPINS_MAX = 1000
const REST_MS = 1
/** Some seconds: nobody is off the processor for so long while it owns a row. */
const RESTS_MAX = 10_000

const nobodyWakes = new Int32Array(new SharedArrayBuffer(4))

function restForAMoment(): void {
  Atomics.wait(nobodyWakes, 0, 0, REST_MS)
}

/** Reads a row that stands still; null when it never does. `rest` lets the writer go on. */
export function readStill(
  rows: Float64Array,
  base: number,
  rest: () => void = restForAMoment,
): PartitionRow | null {
  for (let rests = 0; rests < RESTS_MAX; rests++) {
    for (let spins = 0; spins < SPINS_MAX; spins++) {
      const sequence = rows[base]!
      if (sequence % 2 !== 0) continue
      const row = readRow(rows, base)
      if (rows[base] === sequence) return row
    }
    rest()
  }
  return null
}

function readRow(rows: Float64Array, base: number): PartitionRow {
  return {
    logStartOffset: rows[base + partitionColumn.logStartOffset]!,
    logEndOffset: rows[base + partitionColumn.logEndOffset]!,
    highWatermark: rows[base + partitionColumn.highWatermark]!,
    lastStableOffset: rows[base + partitionColumn.lastStableOffset]!,
    leaderEpoch: rows[base + partitionColumn.leaderEpoch]!,
    bytes: rows[base + partitionColumn.bytes]!,
    segments: rows[base + partitionColumn.segments]!,
    recoveryPoint: rows[base + partitionColumn.recoveryPoint]!,
    isLeader: rows[base + partitionColumn.isLeader] !== 0,
    isOffline: rows[base + partitionColumn.isOffline] !== 0,
  }
}
