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
  batches: CachedBatch[]
}

/** What a batch of a producer may do; a duplicate brings the batch it repeats. */
export type SequenceVerdict = 'append' | 'out-of-order' | 'stale-epoch' | CachedBatch

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
    if (header.producerEpoch > state.producerEpoch) {
      return header.baseSequence === 0 ? 'append' : 'out-of-order'
    }
    const expected = nextSequence(state.batches.at(-1)?.lastSequence ?? -1)
    return header.baseSequence === expected ? 'append' : 'out-of-order'
  }

  /** Remembers a data batch that is in the log; `header` has its final offsets. */
  add(header: BatchHeader): void {
    let state = this.#states.get(header.producerId)
    if (state === undefined) {
      state = {
        producerEpoch: NO_EPOCH,
        coordinatorEpoch: -1,
        lastTimestamp: -1n,
        batches: [],
      }
      this.#states.set(header.producerId, state)
    }
    if (state.producerEpoch !== header.producerEpoch) {
      state.producerEpoch = header.producerEpoch
      state.batches = []
    }
    if (state.batches.length === BATCHES_MAX) state.batches.shift()
    state.batches.push({
      firstSequence: header.baseSequence,
      lastSequence: lastSequenceOf(header),
      firstOffset: header.baseOffset,
      lastOffset: header.lastOffset,
      timestamp: header.maxTimestamp,
    })
    state.lastTimestamp = header.maxTimestamp
  }

  /** Forgets producers whose newest batch is at least `expirationMs` old. */
  expire(nowMs: number, expirationMs: number): void {
    for (const [id, state] of this.#states) {
      if (BigInt(nowMs) - state.lastTimestamp >= BigInt(expirationMs)) this.#states.delete(id)
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
  const last = header.baseSequence + (header.lastOffset - header.baseOffset)
  return last > SEQUENCE_MAX ? last - SEQUENCE_MAX - 1 : last
}
