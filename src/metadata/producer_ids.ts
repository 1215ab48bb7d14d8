// The next producer id that has not been handed out in a block.
//
// Invariant: it only grows; the broker that took the last block is not part of the truth, so a
// snapshot names no broker, as Kafka's.
// Kafka: ProducerIdsDelta, ProducerIdsImage; KIP-730 for blocks.

import type { RecordSink, ValueOf } from './record.ts'

/** The frontier of producer ids. */
export class ProducerIds {
  private next = -1
  private changed = false

  /** The first id of the next block, or -1 when none was ever handed out. */
  get nextProducerId(): number {
    return this.next
  }

  replay(record: ValueOf<'ProducerIdsRecord'>): void {
    this.next = record.nextProducerId
    this.changed = true
  }

  write(sink: RecordSink): void {
    if (this.next < 0) return
    const value = { brokerId: -1, brokerEpoch: -1, nextProducerId: this.next }
    sink({ name: 'ProducerIdsRecord', version: 0, value })
  }

  takeChanged(): boolean {
    const changed = this.changed
    this.changed = false
    return changed
  }
}
