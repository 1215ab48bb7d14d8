// Transactions for the differential fuzzer: batches that need admission, markers, answers to questions. The generator knows
// epochs and sequences of its producers, so that most of it is almost right; coordinators come and go.

import type { Random } from '../../src/lib/random.ts'
import type { TransactionMarker } from '../../src/plane/plane.ts'
import { ErrorCode } from '../../src/protocol/errors.ts'
import { encodeBatch } from '../../src/protocol/record_batch.ts'

const BASE_MS = 1_600_000_000_000
/** A shard's own transactions, without sequences. */
const OWN_ID = 100_009
const ID_STEP = 10
/** Whose transactions may still be ended by name. */
const GONE_MAX = 12

interface TransactionalProducer {
  readonly id: number
  epoch: number
  /** What came before may be forgotten by a plane. */
  oldestEpoch: number
  /** By partition. */
  next: number[]
}

/** Transactional producers and their coordinator. */
export class Transactions {
  readonly #random: Random
  #producers: TransactionalProducer[] = [100_001, 100_002, 100_003].map((id) => fresh(id))
  /** Those that write no more: their transactions may be open. */
  #gone: TransactionalProducer[] = []
  readonly #own = fresh(OWN_ID)
  #coordinatorEpoch = 1

  constructor(random: Random) {
    this.#random = random
  }

  /** A client's batch to a partition. */
  batch(slot: number): Uint8Array {
    const random = this.#random
    const producer = random.pick(this.#producers)
    const count = random.nextInt(1, 4)
    const past = random.pick([0, 0, 0, 0, 0, 0, 1, -1])
    const baseSequence = Math.max(0, producer.next[slot]! - past)
    if (past === 0) producer.next[slot]! += count
    return encodeBatch({
      records: Array.from({ length: count }, () => ({ value: Uint8Array.of(7) })),
      timestamp: BASE_MS,
      isTransactional: !random.ratio(1, 25),
      producerId: producer.id,
      producerEpoch: this.#near(producer),
      baseSequence,
    })
  }

  /** A batch that a shard appends for a producer. */
  ownBatch(): Uint8Array {
    return encodeBatch({
      records: [{ key: Uint8Array.of(1), value: Uint8Array.of(8) }],
      timestamp: BASE_MS,
      isTransactional: true,
      producerId: OWN_ID,
      producerEpoch: this.#near(this.#own),
      baseSequence: -1,
    })
  }

  marker(): TransactionMarker {
    const random = this.#random
    const present = [...this.#producers, ...this.#producers, this.#own]
    const isPresent = this.#gone.length === 0 || random.ratio(2, 3)
    const producer = random.pick(isPresent ? present : this.#gone)
    const transactionVersion = random.pick([0, 1, 2, 2, 2])
    // Each transaction has an epoch of its own, and the next one begins its sequences anew.
    if (transactionVersion === 2 && random.ratio(2, 3)) {
      producer.epoch++
      producer.next = [0, 0, 0]
    }
    if (random.ratio(1, 20)) this.#coordinatorEpoch++
    const isOld = random.ratio(1, 30)
    return {
      producerId: producer.id,
      producerEpoch: this.#near(producer),
      coordinatorEpoch: this.#coordinatorEpoch - (isOld ? 1 : 0),
      isCommit: random.ratio(1, 2),
      timestampMs: BASE_MS,
      transactionVersion,
    }
  }

  /** The coordinator's word on one of the last questions. */
  admission(): { question: number; errorCode: number } {
    const errorCode = this.#random.pick([
      ...Array.from({ length: 9 }, () => ErrorCode.NONE),
      ErrorCode.INVALID_TXN_STATE,
      ErrorCode.NOT_ENOUGH_REPLICAS,
    ])
    return { question: this.#random.pick([0, 0, 0, 0, 1, 1, 2, 3, 5]), errorCode }
  }

  /**
   * What a reopened log knows of the past beside what is open is a plane's own affair: others take over, since one that is
   * unknown may begin anywhere.
   */
  forget(): void {
    this.#coordinatorEpoch += 2
    this.#gone = [...this.#gone, ...this.#producers].slice(-GONE_MAX)
    this.#producers = this.#producers.map(({ id }) => fresh(id + ID_STEP))
    for (const producer of [...this.#gone, this.#own]) {
      producer.epoch++
      producer.oldestEpoch = producer.epoch
    }
  }

  #near({ epoch, oldestEpoch }: TransactionalProducer): number {
    return Math.max(oldestEpoch, epoch - (this.#random.ratio(1, 25) ? 1 : 0))
  }
}

const fresh = (id: number): TransactionalProducer => ({
  id,
  epoch: 0,
  oldestEpoch: 0,
  next: [0, 0, 0],
})
