// What one fetch gave of one partition: whole batches, still as they came. They are opened when they are read, so what
// waits costs its bytes only. Control batches are never shown; with read_committed neither are aborted records.
//
// Invariant: records come by ascending offset, from the offset asked for up to where reading ends.
// Kafka: CompletedFetch; KIP-98 for aborted transactions.

import { MalformedFrame } from '../lib/bytes.ts'
import { decompress } from '../plane/native_codecs.ts'
import {
  type BatchHeader,
  batchesOf,
  isBatchIntact,
  type LogRecord,
  recordsOf,
} from '../protocol/record_batch.ts'
import { ClientError } from './client_error.ts'
import { partitionText, type TopicPartition } from './per_leader.ts'

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

/** Type of a control record that ends a transaction in vain. */
const ABORT = 0

/** Batches of one partition. */
export class Chunk implements TopicPartition {
  readonly topic: string
  readonly partition: number
  /** Behind the last whole batch; -1 when there is none. */
  readonly nextOffset: number
  readonly #bytes: Uint8Array
  readonly #from: number
  readonly #end: number
  readonly #aborted: readonly AbortedTransaction[]

  /** `aborted` is null where uncommitted records are wanted too. Raises CORRUPT_MESSAGE. */
  constructor(
    at: TopicPartition,
    bytes: Uint8Array,
    from: number,
    end: number,
    aborted: readonly AbortedTransaction[] | null,
  ) {
    this.topic = at.topic
    this.partition = at.partition
    this.#bytes = bytes
    this.#from = from
    this.#end = end
    this.#aborted = [...(aborted ?? [])].sort((a, b) => a.firstOffset - b.firstOffset)
    let next = -1
    for (const { lastOffset } of this.#guarded(batchesOf(bytes, true))) next = lastOffset + 1
    this.nextOffset = next
  }

  /** The records, in order. */
  *records(): Generator<LogRecord> {
    const abortedIds = new Set<number>()
    let aborted = 0
    for (const batch of this.#guarded(batchesOf(this.#bytes, true))) {
      if (!isBatchIntact(this.#bytes, batch)) throw this.#corrupt(batch, 'its checksum is wrong')
      for (; (this.#aborted[aborted]?.firstOffset ?? Infinity) <= batch.lastOffset; aborted++) {
        abortedIds.add(this.#aborted[aborted]!.producerId)
      }
      if (batch.isControl) {
        if (this.#isAbort(batch)) abortedIds.delete(batch.producerId)
        continue
      }
      if (batch.isTransactional && abortedIds.has(batch.producerId)) continue
      if (batch.lastOffset < this.#from) continue
      for (const record of this.#guarded(recordsOf(this.#bytes, batch, decompress), batch)) {
        if (record.offset >= this.#end) return
        if (record.offset >= this.#from) yield record
      }
    }
  }

  #isAbort(batch: BatchHeader): boolean {
    for (const { key } of this.#guarded(recordsOf(this.#bytes, batch, decompress), batch)) {
      return key !== null && key.length >= 4 && ((key[2]! << 8) | key[3]!) === ABORT
    }
    return false
  }

  *#guarded<T>(items: Generator<T>, batch?: BatchHeader): Generator<T> {
    try {
      yield* items
    } catch (problem) {
      if (!(problem instanceof MalformedFrame)) throw problem
      throw this.#corrupt(batch, problem.message)
    }
  }

  #corrupt(batch: BatchHeader | undefined, why: string): ClientError {
    const offset = batch?.baseOffset ?? this.#from
    const message = `partition ${partitionText(this)}, batch at offset ${offset}: ${why}`
    return new ClientError('CORRUPT_MESSAGE', message, this)
  }
}
