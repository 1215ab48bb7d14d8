// Facts queue up here and leave only in drain; the doorbell rings once per idle→busy edge, through the
// injected scheduler, so it is never inside a verb or a drain.
// Invariant: a drain delivers what was queued when it began, in order; what is left rings again.

import type { FactSink } from './plane.ts'

/** Facts delivered by one drain at most. */
export const DRAIN_FACTS_MAX = 4096

type Delivery = (sink: FactSink) => void

/** The model's ring: unbounded, because simulation has no memory to protect. */
export class ModelFacts {
  #queue: Delivery[] = []
  #isRinging = false
  #isDraining = false
  readonly #ring: () => void

  /** `ring` must call the doorbell later, never before it returns. */
  constructor(ring: () => void) {
    this.#ring = ring
  }

  push(delivery: Delivery): void {
    this.#queue.push(delivery)
    if (!this.#isDraining) this.#ringOnce()
  }

  drain(sink: FactSink): number {
    const batch = this.#queue.splice(0, DRAIN_FACTS_MAX)
    this.#isRinging = false
    this.#isDraining = true
    try {
      for (const deliver of batch) deliver(sink)
    } finally {
      this.#isDraining = false
    }
    if (this.#queue.length > 0) this.#ringOnce()
    return batch.length
  }

  clear(): void {
    this.#queue = []
  }

  #ringOnce(): void {
    if (this.#isRinging) return
    this.#isRinging = true
    this.#ring()
  }
}
