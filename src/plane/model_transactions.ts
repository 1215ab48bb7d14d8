// A partition's transactions, apart from its log: who waits to begin one, and what is stable.
// Invariants: a producer is asked about once at a time; an answer counts only if no marker of its producer came after
// the question; a transaction stays unstable until its marker is below the high watermark.
// Kafka: ProducerStateManager, VerificationStateEntry, UnifiedLog.lastStableOffset. KIP-890.

import type { BatchHeader } from '../protocol/record_batch.ts'
import type { CompletedTransaction } from './model_producers.ts'

const UNVERIFIED_MAX = 1024

/** A producer whose first batch of a transaction was seen and is not in the log. */
interface Unverified {
  readonly producerId: number
  producerEpoch: number
  lowestSequence: number
  /** 0: nobody was asked, or the answer is here. */
  ask: number
}

/** Who asks for admission; the fact's fields. */
export interface Admission {
  readonly ask: number
  readonly producerId: number
  readonly producerEpoch: number
}

/** Producers without a transaction here, and transactions that have ended. */
export class ModelTransactions {
  #unverified: Unverified[] = []
  #unreplicated: CompletedTransaction[] = []
  #lastAsk = 0

  /** A batch waits; the question to put, unless it was put already. */
  wait(header: BatchHeader): Admission | null {
    const known = this.note(header)
    return known.ask === 0 ? this.#ask(known, header.producerEpoch) : null
  }

  /** A batch of a producer that has none here was seen, and is not in the log. */
  note({ producerId, producerEpoch, baseSequence }: BatchHeader): Unverified {
    let known = this.#find(producerId)
    if (known === undefined) {
      if (this.#unverified.length >= UNVERIFIED_MAX) {
        const idle = this.#unverified.findIndex(({ ask }) => ask === 0)
        if (idle >= 0) this.#unverified.splice(idle, 1)
      }
      known = { producerId, producerEpoch, lowestSequence: baseSequence, ask: 0 }
      this.#unverified.push(known)
    }
    if (known.producerEpoch < producerEpoch) {
      known.producerEpoch = producerEpoch
      known.lowestSequence = baseSequence
    } else if (known.producerEpoch === producerEpoch) {
      known.lowestSequence = Math.min(known.lowestSequence, baseSequence)
    }
    return known
  }

  #ask(known: Unverified, producerEpoch: number): Admission {
    known.ask = ++this.#lastAsk
    return { ask: known.ask, producerId: known.producerId, producerEpoch }
  }

  #find(producerId: number): Unverified | undefined {
    return this.#unverified.find((known) => known.producerId === producerId)
  }

  /** The producer an answer is about; undefined when the question does not stand any more. */
  answered(ask: number): number | undefined {
    const known = this.#unverified.find((one) => one.ask === ask)
    if (known === undefined) return undefined
    known.ask = 0
    return known.producerId
  }

  /** Nobody waits for the answer any more. */
  unask(producerId: number): void {
    const known = this.#find(producerId)
    if (known !== undefined) known.ask = 0
  }

  /** A batch that comes before this one was seen, and is not in the log. */
  isAhead({ producerId, producerEpoch, baseSequence }: BatchHeader): boolean {
    const known = this.#find(producerId)
    if (known === undefined || known.producerEpoch !== producerEpoch) return false
    return baseSequence > known.lowestSequence
  }

  begun(producerId: number): void {
    this.#unverified = this.#unverified.filter(
      (known) => known.producerId !== producerId || known.ask !== 0,
    )
    // From here on sequences tell what is missing.
    const asking = this.#find(producerId)
    if (asking !== undefined) asking.lowestSequence = Number.POSITIVE_INFINITY
  }

  /** A marker: answers under way are about what was before it. The question to put anew for who still waits. */
  ended(producerId: number, markerEpoch: number, waitingEpoch: number | null): Admission | null {
    const known = this.#find(producerId)
    if (known === undefined) return null
    if (known.producerEpoch < markerEpoch || known.ask === 0) {
      this.#unverified = this.#unverified.filter((one) => one !== known)
      return null
    }
    return waitingEpoch === null ? null : this.#ask(known, waitingEpoch)
  }

  completed(transaction: CompletedTransaction): void {
    this.#unreplicated.push(transaction)
  }

  lastStableOffset(highWatermark: number, firstOpen: number, logStartOffset: number): number {
    this.#unreplicated = this.#unreplicated.filter(({ lastOffset }) => lastOffset >= highWatermark)
    let stable = highWatermark
    if (firstOpen >= 0) stable = Math.min(stable, firstOpen)
    for (const { firstOffset } of this.#unreplicated) stable = Math.min(stable, firstOffset)
    return Math.max(stable, Math.min(logStartOffset, highWatermark))
  }

  /** No questions stand: another leads. */
  forgetAsked(): void {
    this.#unverified = []
  }

  /** The log was cut: what had ended is told again by its replay. */
  forgetCompleted(): void {
    this.#unreplicated = []
  }
}
