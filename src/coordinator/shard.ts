// Shard: a replicated state machine on one partition's log. Decide, then replay (DESIGN §5, shape 2).
// `handle` and `expire` read, validate and decide; truth changes only in `replay`, which cannot refuse.
// The host (host/shard_host.ts, host/controller_host.ts) appends the records as one batch, replays them at once, and
// holds every reply until the high watermark covers the last offset the shard had when the reply was computed.

import type { TransactionMarker } from '../protocol/transaction_marker.ts'

/** Whoever asked; the host's number for a request in flight. */
export type Ticket = number
/** Names a timer of a shard; arming it again moves it. */
export type TimerKey = string

/** What became of one request or timeout. The host passes a fresh one and reads it after the call. */
export class Decision<Record, Reply, Effect = never> {
  /** Becomes true, in this order, atomically: one record batch. */
  readonly records: Record[] = []
  /** For this request, or older ones that were waiting. */
  readonly replies: [Ticket, Reply][] = []
  /** Armed or moved (absolute ms), cancelled (null). */
  readonly timers = new Map<TimerKey, number | null>()
  /** Messages to others, released after the append. */
  readonly effects: Effect[] = []
  /** The records are of a producer's transaction: they count from its marker on, or never. */
  transaction: TransactionalProducer | null = null
  /**
   * Ends a producer's transaction in the shard's log, if that is how the log sees it: a marker of the past is refused, and
   * its replies with it. No records beside it; nothing else is decided until it is there.
   */
  marker: TransactionMarker | null = null
}

/** A producer whose records a shard writes. */
export interface TransactionalProducer {
  readonly producerId: number
  readonly producerEpoch: number
}

export interface Shard<Request, Record, Reply, Effect = never> {
  handle(
    request: Request,
    ticket: Ticket,
    nowMs: number,
    out: Decision<Record, Reply, Effect>,
  ): void
  expire(timer: TimerKey, nowMs: number, out: Decision<Record, Reply, Effect>): void
  /**
   * The only writer of truth: the same code when writing, loading and on a standby. A record of a transaction comes with
   * its producer id, and counts when `endTransaction` says so.
   */
  replay(record: Record, offset: number, producerId?: number): void
  /** Of shards whose records may be of transactions. */
  endTransaction?(producerId: number, isCommit: boolean): void
}
