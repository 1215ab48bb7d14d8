// Who waits for a shard's answers: from the request to the reply that leaves when the log has what it stands on, or to the
// end of patience. Invariant: every request is answered or refused once. Kafka: DeferredEventQueue, CoordinatorTimer's
// write timeouts.

import { DeferredReplies } from '../coordinator/deferred.ts'
import type { Ticket } from '../coordinator/shard.ts'
import { ErrorCode, errorName } from '../protocol/errors.ts'

/** The shard cannot take or finish a request; `errorCode` is the protocol's word for it. */
export class ShardRefused extends Error {
  override readonly name = 'ShardRefused'
  readonly errorCode: number

  constructor(errorCode: number) {
    super(errorName(errorCode))
    this.errorCode = errorCode
  }
}

/** A request and who hears of it. */
export interface Waiting<Request, Reply> {
  readonly request: Request
  readonly resolve: (reply: Reply) => void
  readonly reject: (problem: Error) => void
}

/** Replies that are not waited for longer than this. */
interface Patience {
  readonly endOffset: number
  readonly deadlineMs: number
  readonly tickets: readonly Ticket[]
}

/** The requests of one shard that were decided and are not answered. */
export class ShardReplies<Request, Reply> {
  private readonly tickets = new Map<Ticket, Waiting<Request, Reply>>()
  private nextTicket = 1
  private deferred = new DeferredReplies<Reply>()
  private patience: Patience[] = []

  /** Replies that wait for the high watermark, and requests that wait for anything. */
  get counts(): { deferred: number; open: number } {
    return { deferred: this.deferred.size, open: this.tickets.size }
  }

  /** When patience ends next; Infinity: never. */
  get deadlineMs(): number {
    return this.patience[0]?.deadlineMs ?? Number.POSITIVE_INFINITY
  }

  /** A request is being decided. */
  expect(waiting: Waiting<Request, Reply>): Ticket {
    const ticket = this.nextTicket++
    this.tickets.set(ticket, waiting)
    return ticket
  }

  /** Replies that may leave when everything below `endOffset` is committed, and are given up at `deadlineMs`. */
  defer(endOffset: number, replies: readonly [Ticket, Reply][], deadlineMs: number): void {
    this.deferred.defer(endOffset, replies)
    if (replies.length === 0 || deadlineMs === Number.POSITIVE_INFINITY) return
    this.patience.push({ endOffset, deadlineMs, tickets: replies.map(([ticket]) => ticket) })
  }

  /** Lets go what is committed, in order. */
  release(committedOffset: number): void {
    for (const [ticket, reply] of this.deferred.advance(committedOffset)) {
      this.taken(ticket)?.resolve(reply)
    }
    const waiting = this.patience.findIndex(({ endOffset }) => endOffset > committedOffset)
    this.patience = waiting < 0 ? [] : this.patience.slice(waiting)
  }

  /** Gives up replies that wait for their replicas too long; they may be committed all the same. */
  giveUp(nowMs: number): void {
    let count = 0
    while (count < this.patience.length && this.patience[count]!.deadlineMs <= nowMs) count++
    for (const { tickets } of this.patience.splice(0, count)) {
      this.refuse(tickets, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    }
  }

  refuse(tickets: Iterable<Ticket>, errorCode: number): void {
    for (const ticket of tickets) this.taken(ticket)?.reject(new ShardRefused(errorCode))
  }

  /** Forgets them all, and says who they were. */
  drop(): Waiting<Request, Reply>[] {
    const open = [...this.tickets.values()]
    this.tickets.clear()
    this.deferred = new DeferredReplies()
    this.patience = []
    return open
  }

  /** Who waits for a ticket, for the last time. */
  private taken(ticket: Ticket): Waiting<Request, Reply> | undefined {
    const waiting = this.tickets.get(ticket)
    this.tickets.delete(ticket)
    return waiting
  }
}
