// What a shard appends at once: the records of the requests of one turn, as far as they fit, and what is to be said to
// others when they are in the log. Invariant: the records of one decision are in one batch, and a transaction's end is a
// batch of its own. Kafka: CoordinatorRuntime.CoordinatorBatch.

import type { Ticket, TransactionalProducer } from '../coordinator/shard.ts'
import { BATCH_HEADER_BYTES } from '../protocol/record_batch.ts'
import type { TransactionMarker } from '../protocol/transaction_marker.ts'
import type { StoredRecord } from './shard_log.ts'

/** How many records one batch holds before the next request starts another. */
const BATCH_RECORDS_MAX = 10_000
/** The most bytes a record takes in a batch besides its key and value. */
const RECORD_OVERHEAD_BYTES = 32

/** A transaction's end on its way to the log, and who is to hear of it. */
export interface End<Reply> {
  readonly marker: TransactionMarker
  readonly replies: readonly [Ticket, Reply][]
}

/** A batch that is being filled. */
export class Batch<Effect, Reply = never> {
  readonly records: StoredRecord[] = []
  readonly effects: Effect[] = []
  bytes = BATCH_HEADER_BYTES
  readonly baseOffset: number
  /** All of its records are of this producer's transaction. */
  producer: TransactionalProducer | null = null
  /** It is a transaction's end, and has no records. */
  end: End<Reply> | null = null

  constructor(baseOffset: number) {
    this.baseOffset = baseOffset
  }

  /** Nothing is to be written. */
  get isEmpty(): boolean {
    return this.records.length === 0 && this.end === null
  }

  /** Whether records of this producer, or of none, may be in it. */
  takes(producer: TransactionalProducer | null): boolean {
    if (this.isEmpty) return true
    return (
      this.producer?.producerId === producer?.producerId &&
      this.producer?.producerEpoch === producer?.producerEpoch
    )
  }

  /** Whether so many more records of so many bytes fit. */
  hasRoom(bytes: number, count: number, bytesMax: number): boolean {
    return this.bytes + bytes <= bytesMax && this.records.length + count <= BATCH_RECORDS_MAX
  }
}

/** The most bytes that records take in a batch. */
export function sizeOf(records: readonly StoredRecord[]): number {
  let bytes = 0
  for (const { key, value } of records) {
    bytes += RECORD_OVERHEAD_BYTES + key.length + (value?.length ?? 0)
  }
  return bytes
}
