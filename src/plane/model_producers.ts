// What a partition remembers of idempotent producers: epoch and the last five batches of each.
// Invariant: a batch enters only after `check` said 'append', or by replay of what is already in the log.
// Kafka: ProducerStateManager, ProducerAppendInfo, ProducerStateEntry.

import type { BatchHeader } from '../protocol/record_batch.ts'

const BATCHES_MAX = 5
const NO_EPOCH = -1
const SEQUENCE_MAX = 0x7fffffff

/** A remembered batch. */
export interface CachedBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly firstOffset: number
  readonly lastOffset: number
  readonly timestamp: bigint
}

/** One producer, as `producers` reports it. */
export interface ProducerState {
  producerEpoch: number
  coordinatorEpoch: number
  lastTimestamp: bigint
  /** -1: none is open. */
  txnFirstOffset: number
  batches: CachedBatch[]
}

/** A transaction that wrote something and has ended. */
export interface CompletedTransaction {
  readonly producerId: number
  readonly firstOffset: number
  /** Of the marker. */
  readonly lastOffset: number
  readonly lastStableOffset: number
  readonly isAborted: boolean
}

/** What a batch of a producer may do; a duplicate brings the batch it repeats. */
export type SequenceVerdict =
  | 'append'
  | 'out-of-order'
  | 'stale-epoch'
  | 'not-in-transaction'
  | CachedBatch

/** Producers and what is known of them, apart from any log. */
export type ProducerSnapshot = readonly (readonly [number, ProducerState])[]

/** The producers of one partition, in order of first appearance. */
export class ModelProducers {
  readonly #states = new Map<number, ProducerState>()

  get size(): number {
    return this.#states.size
  }

  entries(): IterableIterator<[number, ProducerState]> {
    return this.#states.entries()
  }

  /** May a client's batch be appended? */
  check(header: BatchHeader): SequenceVerdict {
    const state = this.#states.get(header.producerId)
    if (state === undefined) return 'append'
    if (header.producerEpoch === state.producerEpoch) {
      const last = lastSequenceOf(header)
      const duplicate = state.batches.find(
        (batch) => batch.firstSequence === header.baseSequence && batch.lastSequence === last,
      )
      if (duplicate !== undefined) return duplicate
    }
    if (header.producerEpoch < state.producerEpoch) return 'stale-epoch'
    const isNewEpoch = header.producerEpoch > state.producerEpoch
    const last = isNewEpoch ? -1 : (state.batches.at(-1)?.lastSequence ?? -1)
    if (header.baseSequence !== nextSequence(last)) return 'out-of-order'
    const isOutside = state.txnFirstOffset >= 0 && !header.isTransactional
    return isOutside ? 'not-in-transaction' : 'append'
  }

  /** The producer's transaction is open, and of this epoch. */
  isOngoing(producerId: number, producerEpoch: number): boolean {
    const state = this.#states.get(producerId)
    return state !== undefined && state.txnFirstOffset >= 0 && state.producerEpoch === producerEpoch
  }

  get(producerId: number): ProducerState | undefined {
    return this.#states.get(producerId)
  }

  /** Where the oldest open transaction begins; -1: none is open. */
  get firstOpenOffset(): number {
    let first = -1
    for (const { txnFirstOffset } of this.#states.values()) {
      if (txnFirstOffset >= 0 && (first < 0 || txnFirstOffset < first)) first = txnFirstOffset
    }
    return first
  }

  #enter(header: BatchHeader): ProducerState {
    let state = this.#states.get(header.producerId)
    if (state === undefined) {
      state = {
        producerEpoch: NO_EPOCH,
        coordinatorEpoch: -1,
        lastTimestamp: -1n,
        txnFirstOffset: -1,
        batches: [],
      }
      this.#states.set(header.producerId, state)
    }
    if (state.producerEpoch !== header.producerEpoch) {
      state.producerEpoch = header.producerEpoch
      state.batches = []
    }
    state.lastTimestamp = header.maxTimestamp
    return state
  }

  /** A transaction's end that is in the log; null when it had written nothing. */
  end(
    header: BatchHeader,
    marker: { isCommit: boolean; coordinatorEpoch: number } | null,
  ): CompletedTransaction | null {
    const state = this.#enter(header)
    const firstOffset = state.txnFirstOffset
    state.coordinatorEpoch = marker?.coordinatorEpoch ?? -1
    state.txnFirstOffset = -1
    if (firstOffset < 0) return null
    const open = this.firstOpenOffset
    return {
      producerId: header.producerId,
      firstOffset,
      lastOffset: header.lastOffset,
      lastStableOffset: open < 0 ? header.lastOffset + 1 : open,
      isAborted: marker?.isCommit !== true,
    }
  }

  /** Remembers a data batch that is in the log; `header` has its final offsets. */
  add(header: BatchHeader): void {
    const state = this.#enter(header)
    if (state.batches.length === BATCHES_MAX) state.batches.shift()
    state.batches.push({
      firstSequence: header.baseSequence,
      lastSequence: lastSequenceOf(header),
      firstOffset: header.baseOffset,
      lastOffset: header.lastOffset,
      timestamp: header.maxTimestamp,
    })
    // A header that compaction left is of a transaction that has ended.
    const begins = header.isTransactional && header.count > 0
    if (begins && state.txnFirstOffset < 0) state.txnFirstOffset = header.baseOffset
  }

  /** Forgets producers whose newest batch is at least `expirationMs` old, and that have no transaction open. */
  expire(nowMs: number, expirationMs: number): void {
    for (const [id, state] of this.#states) {
      const isIdle = BigInt(nowMs) - state.lastTimestamp >= BigInt(expirationMs)
      if (isIdle && state.txnFirstOffset < 0) this.#states.delete(id)
    }
  }

  /** What a clean shutdown writes down: the last batch of each. */
  snapshot(): ProducerSnapshot {
    return [...this.#states].map(([id, state]) => [
      id,
      { ...state, batches: state.batches.slice(-1) },
    ])
  }

  /** Takes over what a snapshot says. */
  restore(snapshot: ProducerSnapshot): void {
    this.#states.clear()
    for (const [id, state] of snapshot) {
      this.#states.set(id, { ...state, batches: [...state.batches] })
    }
  }

  clear(): void {
    this.#states.clear()
  }
}

const nextSequence = (sequence: number): number => (sequence === SEQUENCE_MAX ? 0 : sequence + 1)

function lastSequenceOf(header: BatchHeader): number {
  if (header.baseSequence < 0) return -1
  const last = header.baseSequence + (header.lastOffset - header.baseOffset)
  return last > SEQUENCE_MAX ? last - SEQUENCE_MAX - 1 : last
}
