// What a shard's partition holds, read back: batches become records in offset order, once, whatever compaction left.
//
// Invariant: records of a transaction count from its commit marker on and not at all after its abort; a shard that knows
// transactions is told of both, for others they are held apart until the marker comes. Types that we do not have are those of a newer release and are passed over.
// Kafka: CoordinatorLoaderImpl, CoordinatorRuntime.CoordinatorContext.replay.

import type { Shard } from '../coordinator/shard.ts'
import { type BatchHeader, batchesOf, type Recode, recordsOf } from '../protocol/record_batch.ts'
import { readMarker } from '../protocol/transaction_marker.ts'

/** Key and value bytes of a record in a shard's log; a null value is a tombstone. */
export interface StoredRecord {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

/** How a shard's records are written; the same for every shard of a kind. */
export interface RecordCodec<Record> {
  encode(record: Record): StoredRecord
  /** Null: a type that we do not have. Raises MalformedFrame when the bytes are no record. */
  decode(stored: StoredRecord): Record | null
}

/** Whom records are read for. */
export type ReplayTarget<Record> = Pick<Shard<never, Record, never>, 'replay' | 'endTransaction'>

interface Pending<Record> {
  readonly record: Record
  readonly offset: number
}

/** Turns the batches of one partition into calls of `replay`. */
export class ShardLog<Record> {
  private readonly codec: RecordCodec<Record>
  private readonly decompress: Recode
  private readonly target: ReplayTarget<Record>
  /** Records of transactions without a marker yet, by producer id. */
  private readonly pending = new Map<number, Pending<Record>[]>()
  /** The offset after the last batch that was read. */
  nextOffset: number
  recordCount = 0
  passedOver = 0

  constructor(
    codec: RecordCodec<Record>,
    decompress: Recode,
    target: ReplayTarget<Record>,
    startOffset: number,
  ) {
    this.codec = codec
    this.decompress = decompress
    this.target = target
    this.nextOffset = startOffset
  }

  /** Replays whole batches, one per step, and says how many records it had. Raises MalformedFrame when it is none. */
  *read(bytes: Uint8Array): Generator<number> {
    for (const batch of batchesOf(bytes, true)) {
      if (batch.lastOffset < this.nextOffset) continue
      if (batch.isControl) this.endTransaction(bytes, batch)
      else this.readBatch(bytes, batch)
      this.nextOffset = batch.lastOffset + 1
      yield batch.count
    }
  }

  private readBatch(bytes: Uint8Array, batch: BatchHeader): void {
    for (const { key, value, offset } of recordsOf(bytes, batch, this.decompress)) {
      if (offset < this.nextOffset || key === null) continue
      const record = this.codec.decode({ key, value })
      if (record === null) this.passedOver++
      else if (batch.isTransactional) this.hold(batch.producerId, { record, offset })
      else this.apply({ record, offset })
    }
  }

  private hold(producerId: number, pending: Pending<Record>): void {
    const { target } = this
    if (target.endTransaction !== undefined) {
      this.recordCount++
      target.replay(pending.record, pending.offset, producerId)
      return
    }
    const held = this.pending.get(producerId)
    if (held === undefined) this.pending.set(producerId, [pending])
    else held.push(pending)
  }

  private endTransaction(bytes: Uint8Array, batch: BatchHeader): void {
    const { producerId } = batch
    for (const record of recordsOf(bytes, batch, this.decompress)) {
      const isCommit = readMarker(record)?.isCommit === true
      this.target.endTransaction?.(producerId, isCommit)
      const held = this.pending.get(producerId) ?? []
      this.pending.delete(producerId)
      if (isCommit) for (const pending of held) this.apply(pending)
    }
  }

  private apply({ record, offset }: Pending<Record>): void {
    this.recordCount++
    this.target.replay(record, offset)
  }
}
