// Reading a partition's whole log into a shard, in turns: other work goes on between them, and few shards are read at
// once, so neither time nor memory is taken by the many partitions of a node that starts.
// Kafka: CoordinatorLoaderImpl.

import { MalformedFrame } from '../lib/bytes.ts'
import type { Slot } from '../plane/plane.ts'
import { ErrorCode } from '../protocol/errors.ts'
import type { ShardLog } from './shard_log.ts'
import type { Tickets } from './tickets.ts'
import type { World } from './world.ts'

/** How many records are replayed before others have their turn. */
const TURN_RECORDS = 2000

/** What came of it. `unwanted`: nobody waits for it any more. */
export type Loaded =
  | { readonly kind: 'loaded'; readonly logEndOffset: number; readonly highWatermark: number }
  | { readonly kind: 'unreadable'; readonly errorCode: number }
  | { readonly kind: 'malformed'; readonly problem: MalformedFrame }
  | { readonly kind: 'unwanted' }

/** Lets so many in at a time, in the order they came. */
export class Gate {
  private free: number
  private readonly waiting: (() => void)[] = []

  constructor(width: number) {
    this.free = width
  }

  async pass<T>(task: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--
    else await new Promise<void>((resolve) => this.waiting.push(resolve))
    const result = await task()
    const next = this.waiting.shift()
    if (next === undefined) this.free++
    else next()
    return result
  }
}

export interface LoadOptions<Record> {
  readonly world: World
  readonly tickets: Tickets
  readonly slot: Slot
  readonly into: ShardLog<Record>
  readonly bytes: number
  readonly isWanted: () => boolean
}

/** Reads from where `into` is to the end of the log. */
export async function loadShard<Record>(options: LoadOptions<Record>): Promise<Loaded> {
  const { world, tickets, slot, into, isWanted } = options
  let left = TURN_RECORDS
  for (;;) {
    if (!isWanted()) return { kind: 'unwanted' }
    const { errorCode, bytes, a, b } = await tickets.read((plane, ticket) =>
      plane.read(slot, into.nextOffset, options.bytes, ticket),
    )
    if (errorCode !== ErrorCode.NONE) return { kind: 'unreadable', errorCode }
    const steps = into.read(bytes)
    for (;;) {
      if (!isWanted()) return { kind: 'unwanted' }
      const step = attempt(() => steps.next())
      if (step instanceof MalformedFrame) return { kind: 'malformed', problem: step }
      if (step.done === true) break
      left -= step.value
      if (left > 0) continue
      left = TURN_RECORDS
      await new Promise<void>((resolve) => world.defer(resolve))
    }
    // The rest may have been compacted away: then there is nothing to read before the end.
    if (bytes.length === 0 || into.nextOffset >= b) {
      return { kind: 'loaded', logEndOffset: Math.max(into.nextOffset, b), highWatermark: a }
    }
  }
}

/** What is wrong with bytes that came from a disk is an answer, not a bug. */
function attempt<T>(read: () => T): T | MalformedFrame {
  try {
    return read()
  } catch (problem) {
    if (problem instanceof MalformedFrame) return problem
    throw problem
  }
}
