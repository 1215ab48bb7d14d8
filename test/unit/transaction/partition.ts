// A partition as the data plane's contract has it (docs/SEAM.md, Transactions), without bytes: producers' epochs and sequences,
// who has a transaction open, markers, and what a read_committed consumer makes of the log.

import { ErrorCode } from '../../../src/protocol/errors.ts'
import type { OwedMarkers } from '../../../src/transaction/requests.ts'

/** A batch of a transaction. */
export interface Batch {
  readonly producerId: number
  readonly producerEpoch: number
  readonly sequence: number
  /** `attempt#number`. */
  readonly value: string
}

type Entry = Batch | { readonly producerId: number; readonly isCommit: boolean }

interface Producer {
  epoch: number
  /** Of the last marker. */
  coordinatorEpoch: number
  nextSequence: number
  isOpen: boolean
  /** How many markers it has had: an answer from before one is void. */
  markers: number
}

/** One partition of one topic. */
export class Partition {
  private readonly log: Entry[] = []
  private readonly producers = new Map<number, Producer>()
  private readonly rules: { readonly verifies?: boolean; readonly judgesMarkers?: boolean }

  constructor(rules: { readonly verifies?: boolean; readonly judgesMarkers?: boolean }) {
    this.rules = rules
  }

  private producer(producerId: number): Producer {
    const known = this.producers.get(producerId)
    if (known !== undefined) return known
    const producer = { epoch: -1, coordinatorEpoch: -1, nextSequence: 0, isOpen: false, markers: 0 }
    this.producers.set(producerId, producer)
    return producer
  }

  /** Whether the coordinator must be asked before this is taken; the number an answer is good for. */
  question({ producerId, producerEpoch }: Batch): number | null {
    const { isOpen, epoch, markers } = this.producer(producerId)
    if (this.rules.verifies === false) return null
    return isOpen && epoch === producerEpoch ? null : markers
  }

  /** Takes a batch, with the coordinator's consent when it was asked. */
  append(batch: Batch, question: number | null): number {
    const producer = this.producer(batch.producerId)
    if (batch.producerEpoch < producer.epoch) return ErrorCode.INVALID_PRODUCER_EPOCH
    const isKnown = producer.epoch === batch.producerEpoch
    const next = isKnown ? producer.nextSequence : 0
    if (isKnown && batch.sequence < next) return ErrorCode.NONE
    const isOngoing = isKnown && producer.isOpen
    const isVoid = question !== null && question !== producer.markers
    if (isVoid || (question === null && !isOngoing && this.rules.verifies !== false)) {
      return ErrorCode.NOT_ENOUGH_REPLICAS
    }
    if (batch.sequence > next) return ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    producer.epoch = batch.producerEpoch
    producer.nextSequence = batch.sequence + 1
    producer.isOpen = true
    this.log.push(batch)
    return ErrorCode.NONE
  }

  /** Ends a producer's transaction, if this is not a word of the past. */
  marker(
    { producerId, producerEpoch, isCommit, transactionVersion }: OwedMarkers,
    coordinatorEpoch: number,
  ): void {
    const producer = this.producer(producerId)
    // Each transaction has an epoch of its own: this one's marker was written before.
    const isRepeated = transactionVersion >= 2 && producerEpoch === producer.epoch
    const isOfThePast = coordinatorEpoch < producer.coordinatorEpoch
    const isPast = producerEpoch < producer.epoch || isRepeated || isOfThePast
    if (isPast && this.rules.judgesMarkers !== false) return
    if (producerEpoch > producer.epoch) producer.nextSequence = 0
    producer.epoch = producerEpoch
    producer.coordinatorEpoch = coordinatorEpoch
    producer.isOpen = false
    producer.markers++
    this.log.push({ producerId, isCommit })
  }

  get openProducers(): number[] {
    return [...this.producers].flatMap(([id, { isOpen }]) => (isOpen ? [id] : []))
  }

  /** What a read_committed consumer is given. */
  committed(): string[] {
    const open = new Map<number, string[]>()
    const seen: string[] = []
    for (const entry of this.log) {
      const pending = open.get(entry.producerId) ?? []
      if ('value' in entry) open.set(entry.producerId, [...pending, entry.value])
      else {
        if (entry.isCommit) seen.push(...pending)
        open.delete(entry.producerId)
      }
    }
    return seen
  }
}
