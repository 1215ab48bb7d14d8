// Replies that wait for the log: each was computed from a shard that had got as far as some offset, and leaves when the
// high watermark has passed it, so nobody hears of what could still be lost.
//
// Invariant: replies leave in the order they came, and none before its offset is committed. A shard's offsets only grow,
// so one queue is enough; it is bounded by the requests in flight. Kafka: DeferredEventQueue.

import { assert } from '../lib/assert.ts'
import type { Ticket } from './shard.ts'

/** From how many released entries on the queue's front is cut off; below that the cut costs more than it frees. */
const COMPACT_AT = 1024

interface Deferred<Reply> {
  readonly endOffset: number
  readonly ticket: Ticket
  readonly reply: Reply
}

/** The replies of one shard that its high watermark does not cover yet. */
export class DeferredReplies<Reply> {
  private queue: Deferred<Reply>[] = []
  private first = 0
  private highWatermark = 0

  /** How many replies wait. */
  get size(): number {
    return this.queue.length - this.first
  }

  /**
   * Takes the replies of a decision made when the shard's log ended at `endOffset` (exclusive, the decision's own records
   * included): `defer(31, …)` leaves with `advance(31)`. What is committed already leaves with the next `advance` too.
   */
  defer(endOffset: number, replies: readonly (readonly [Ticket, Reply])[]): void {
    const last = this.queue.at(-1)
    assert(last === undefined || this.size === 0 || last.endOffset <= endOffset, 'offsets grow')
    for (const [ticket, reply] of replies) this.queue.push({ endOffset, ticket, reply })
  }

  /** The high watermark is here now, or still: the replies that may leave, in order. */
  advance(highWatermark: number): [Ticket, Reply][] {
    // A new leader learns the watermark anew, from below; what has left has left.
    this.highWatermark = Math.max(this.highWatermark, highWatermark)
    const released: [Ticket, Reply][] = []
    for (;;) {
      const next = this.queue[this.first]
      if (next === undefined || next.endOffset > this.highWatermark) break
      released.push([next.ticket, next.reply])
      this.first++
    }
    if (this.first === this.queue.length || this.first >= COMPACT_AT) this.compact()
    return released
  }

  private compact(): void {
    this.queue = this.queue.slice(this.first)
    this.first = 0
  }
}
